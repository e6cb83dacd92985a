"""Maximum likelihood for each shape that a column of data may follow: values in, the likeliest shape out.

Formulas are those of Johnson, Kotz and Balakrishnan 1994-1995, Continuous Univariate Distributions, second edition,
and Johnson, Kemp and Kotz 2005, Univariate Discrete Distributions, unless a function says otherwise.
"""

import math
from collections.abc import Callable, Mapping

import numpy as np
from scipy.special import digamma, polygamma

from tollway.engine import distributions as shapes
from tollway.engine.distributions import Distribution
from tollway.engine.distributions.parameters import SHAPE_MAX, SHAPE_MIN, BadDistribution
from tollway.engine.distributions.pert import Floats

SEARCH_VALUES_MAX = 20_000
"""Where the likelihood has to be searched, it is that of so many evenly spaced values of the sorted column at most."""

_SEARCH_EVALUATIONS_MAX = 2_000
_SUCCESSES_MAX = 10_000
_NORMAL_FROM, _EXPONENTIAL_FROM = 200, 300

Fitter = Callable[[Floats], Distribution | None]
"""Sorted values in; None where the shape cannot have drawn them or no likelihood is the largest."""


def _normal(x: Floats) -> Distribution:
    return shapes.Normal(float(x.mean()), float(x.std()))


def _uniform(x: Floats) -> Distribution:
    return shapes.Uniform(float(x[0]), float(x[-1]))


def _laplace(x: Floats) -> Distribution:
    median = float(np.median(x))
    return shapes.Laplace(median, math.sqrt(2) * float(np.abs(x - median).mean()))


def _logistic(x: Floats) -> Distribution | None:
    start = [float(x.mean()), math.log(float(x.std()) * math.sqrt(3) / math.pi)]
    return _searched(x, lambda p: shapes.Logistic(p[0], math.exp(p[1])), start)


def _hyperbolic_secant(x: Floats) -> Distribution | None:
    start = [float(x.mean()), math.log(float(x.std()))]
    return _searched(x, lambda p: shapes.HyperbolicSecant(p[0], math.exp(p[1])), start)


def _cauchy(x: Floats) -> Distribution | None:
    return _searched(x, lambda p: shapes.Cauchy(p[0], math.exp(p[1])), _robust_start(x))


def _student(x: Floats) -> Distribution | None:
    found = _searched(
        x, lambda p: shapes.Student(math.exp(p[2]), p[0], math.exp(p[1])), [*_robust_start(x), math.log(5)]
    )
    # Beyond 200 degrees of freedom nobody can tell it from a normal, which says it with one parameter less.
    return found if isinstance(found, shapes.Student) and found.nu < _NORMAL_FROM else None


def _extreme_value(x: Floats) -> Distribution | None:
    found = _gumbel(x)
    return found and shapes.ExtremeValue(*found)


def _extreme_value_min(x: Floats) -> Distribution | None:
    found = _gumbel(-x[::-1])
    return found and shapes.ExtremeValueMin(-found[0], found[1])


def _gumbel(x: Floats) -> tuple[float, float] | None:
    """Solve for the scale at which it is the mean less the mean weighted by exp(-x / scale)."""
    off = x - x[0]
    mean = float(off.mean())

    def excess(scale: float) -> float:
        weights = np.exp(-off / scale)
        return scale - mean + float((off * weights).sum() / weights.sum())

    scale = _root(excess, float(x.std()) / 100, float(x.std()) * 100)
    if scale is None:
        return None
    return float(x[0]) - scale * math.log(float(np.exp(-off / scale).mean())), scale


def _triangular(x: Floats) -> Distribution | None:
    return _searched(x, lambda p: shapes.Triangular(*_ends_and_mode(x, p)), _ends_start(x))


def _pert(x: Floats) -> Distribution | None:
    return _searched(x, lambda p: shapes.Pert(*_ends_and_mode(x, p)), _ends_start(x))


def _ends_start(x: Floats) -> list[float]:
    return [math.log(float(x[-1] - x[0]) / 10)] * 2 + [0.0]


def _ends_and_mode(x: Floats, point: list[float]) -> tuple[float, float, float]:
    """Ends beyond all data, and a mode between them."""
    low, high = float(x[0]) - math.exp(point[0]), float(x[-1]) + math.exp(point[1])
    return low, low + (high - low) / (1 + math.exp(-point[2])), high


def _exponential(x: Floats) -> Distribution | None:
    return shapes.Exponential(float(x.mean())) if x[0] >= 0 else None


def _rayleigh(x: Floats) -> Distribution | None:
    return shapes.Rayleigh(math.sqrt(float((x * x).mean()) / 2)) if x[0] > 0 else None


def _maxwell(x: Floats) -> Distribution | None:
    return shapes.Maxwell(math.sqrt(float((x * x).mean()) / 3)) if x[0] > 0 else None


def _lognormal(x: Floats) -> Distribution | None:
    if x[0] <= 0:
        return None
    logs = np.log(x)
    mean, variance = float(logs.mean()), float(logs.var())
    expected = math.exp(mean + variance / 2)
    return shapes.Lognormal(expected, expected * math.sqrt(math.expm1(variance)))


def _gamma(x: Floats) -> Distribution | None:
    if x[0] <= 0:
        return None
    shape = _gamma_shape(x)
    return None if shape is None else shapes.Gamma(shape, float(x.mean()) / shape)


def _pearson5(x: Floats) -> Distribution | None:
    if x[0] <= 0:
        return None
    shape = _gamma_shape(1 / x)
    return None if shape is None else shapes.Pearson5(shape, shape / float((1 / x).mean()))


def _gamma_shape(x: Floats) -> float | None:
    """Solve ln(shape) - digamma(shape) = ln(mean) - mean of logarithms."""
    gap = math.log(float(x.mean())) - float(np.log(x).mean())
    return _root(lambda shape: math.log(shape) - float(digamma(shape)) - gap, SHAPE_MIN, SHAPE_MAX)


def _chi_squared(x: Floats) -> Distribution | None:
    if x[0] <= 0:
        return None
    log_mean = float(np.log(x).mean()) - math.log(2)
    nu = _root(lambda nu: float(digamma(nu / 2)) - log_mean, SHAPE_MIN, SHAPE_MAX)
    return None if nu is None else shapes.ChiSquared(nu)


def _weibull(x: Floats) -> Distribution | None:
    found = _weibull_parameters(x) if x[0] > 0 else None
    return found and shapes.Weibull(*found)


def _frechet(x: Floats) -> Distribution | None:
    found = _weibull_parameters(1 / x) if x[0] > 0 else None
    return found and shapes.Frechet(0, 1 / found[1], found[0])


def _weibull_parameters(x: Floats) -> tuple[float, float] | None:
    """Solve for the shape at which the mean of logarithms weighted by powers is the plain one plus 1 / shape."""
    largest = float(x.max())
    logs = np.log(x / largest)
    mean = float(logs.mean())

    def excess(shape: float) -> float:
        powers = np.exp(shape * logs)
        return float((powers * logs).sum() / powers.sum()) - 1 / shape - mean

    shape = _root(excess, 0.01, 10_000)
    if shape is None:
        return None
    return shape, largest * float(np.exp(shape * logs).mean()) ** (1 / shape)


def _inverse_gaussian(x: Floats) -> Distribution | None:
    if x[0] <= 0:
        return None
    mean = float(x.mean())
    return shapes.InverseGaussian(mean, 1 / (float((1 / x).mean()) - 1 / mean))


def _pareto(x: Floats) -> Distribution | None:
    return shapes.Pareto(1 / float(np.log(x / x[0]).mean()), float(x[0])) if x[0] > 0 else None


def _pareto2(x: Floats) -> Distribution | None:
    if x[0] < 0:
        return None
    start = [math.log(max(float(np.median(x)), float(x[-1]) / 1e6)), 0.5]
    found = _searched(x, lambda p: shapes.Pareto2(math.exp(p[0]), math.exp(p[1])), start)
    # Beyond this shape it is an exponential, which says it with one parameter less.
    return found if isinstance(found, shapes.Pareto2) and found.q < _EXPONENTIAL_FROM else None


def _log_logistic(x: Floats) -> Distribution | None:
    if x[0] <= 0:
        return None
    logs = np.log(x)
    start = [float(logs.mean()), math.log(max(float(logs.std()), 1e-9) * math.sqrt(3) / math.pi)]
    return _searched(x, lambda p: shapes.LogLogistic(0, math.exp(p[0]), math.exp(-p[1])), start)


def _beta(x: Floats) -> Distribution | None:
    if not 0 < x[0] < x[-1] < 1:
        return None
    mean, variance = float(x.mean()), float(x.var())
    size = mean * (1 - mean) / variance - 1
    point = np.array([mean * size, (1 - mean) * size])
    wanted = np.array([float(np.log(x).mean()), float(np.log1p(-x).mean())])
    # Newton's steps on the two equations that the logarithms' means make.
    for _ in range(100):
        total = float(point.sum())
        missed = digamma(point) - digamma(total) - wanted
        shared = float(polygamma(1, total))
        slopes = np.diag(polygamma(1, point)) - shared
        step = np.linalg.solve(slopes, missed)
        point = np.maximum(point - step, point / 4)
        if np.abs(step).max() <= 1e-12 * point.max():
            break
    return shapes.Beta(*point.tolist())


def _reciprocal(x: Floats) -> Distribution | None:
    return shapes.Reciprocal(float(x[0]), float(x[-1])) if x[0] > 0 else None


def _poisson(x: Floats) -> Distribution:
    return shapes.Poisson(float(x.mean()))


def _geometric(x: Floats) -> Distribution:
    return shapes.Geometric(1 / (1 + float(x.mean())))


def _negative_binomial(x: Floats) -> Distribution | None:
    """Try whole numbers of successes; for each of them the best p is known."""
    mean, variance = float(x.mean()), float(x.var())
    if variance <= mean:
        return None
    values, counts = np.unique(x, return_counts=True)

    def likelihood(successes: int) -> float:
        shape = shapes.NegativeBinomial(successes, successes / (successes + mean))
        with np.errstate(divide="ignore"):
            return float((counts * np.log(shape.density(values))).sum())

    low, high = 1, _SUCCESSES_MAX
    while high - low > 2:
        third = (high - low) // 3
        if likelihood(low + third) < likelihood(high - third):
            low += third
        else:
            high -= third
    best = max(range(low, high + 1), key=likelihood)
    return shapes.NegativeBinomial(best, best / (best + mean))


def _integer_uniform(x: Floats) -> Distribution:
    return shapes.IntegerUniform(float(x[0]), float(x[-1]))


CONTINUOUS: Mapping[str, Fitter] = {
    "normal": _normal,
    "lognormal": _lognormal,
    "uniform": _uniform,
    "triangular": _triangular,
    "pert": _pert,
    "beta": _beta,
    "reciprocal": _reciprocal,
    "student": _student,
    "logistic": _logistic,
    "laplace": _laplace,
    "cauchy": _cauchy,
    "hyperbolic_secant": _hyperbolic_secant,
    "extreme_value": _extreme_value,
    "extreme_value_min": _extreme_value_min,
    "exponential": _exponential,
    "gamma": _gamma,
    "chi_squared": _chi_squared,
    "maxwell": _maxwell,
    "weibull": _weibull,
    "rayleigh": _rayleigh,
    "inverse_gaussian": _inverse_gaussian,
    "pareto": _pareto,
    "pareto2": _pareto2,
    "log_logistic": _log_logistic,
    "frechet": _frechet,
    "pearson5": _pearson5,
}
COUNTS: Mapping[str, Fitter] = {
    "poisson": _poisson,
    "geometric": _geometric,
    "negative_binomial": _negative_binomial,
    "integer_uniform": _integer_uniform,
}
# Parameters that a fit sets to 0 or leaves at their default are not estimated.
ESTIMATED = {"log_logistic": 2, "frechet": 2}


def _robust_start(x: Floats) -> list[float]:
    low, middle, high = np.quantile(x, [0.25, 0.5, 0.75]).tolist()
    spread = (high - low) / 2 or float(x.std())
    return [middle, math.log(spread)]


def _root(function: Callable[[float], float], low: float, high: float) -> float | None:
    """Where a monotonic function is 0 between two positive numbers, or None."""
    # Only fits pay for it.
    from scipy.optimize import brentq

    with np.errstate(all="ignore"):
        if not function(low) * function(high) < 0:
            return None
        return float(brentq(function, low, high, xtol=1e-14 * high, rtol=1e-13))


def _searched(
    x: Floats, built: Callable[[list[float]], Distribution], start: list[float]
) -> Distribution | None:
    """Search for the largest likelihood by Nelder and Mead's simplex, which draws no random number."""
    # Only fits pay for it.
    from scipy.optimize import minimize

    if len(x) > SEARCH_VALUES_MAX:
        x = x[np.linspace(0, len(x) - 1, SEARCH_VALUES_MAX).round().astype(np.intp)]

    def unlikelihood(point: Floats) -> float:
        try:
            with np.errstate(all="ignore"):
                total = -float(np.log(built(point.tolist()).density(x)).sum())
        except (BadDistribution, OverflowError):
            return math.inf
        return total if math.isfinite(total) else math.inf

    options = {"maxfev": _SEARCH_EVALUATIONS_MAX, "xatol": 1e-7, "fatol": 1e-7}
    if not math.isfinite(unlikelihood(np.array(start))):
        return None
    found = minimize(unlikelihood, np.array(start), method="Nelder-Mead", options=options)  # type: ignore[call-overload]  # the stubs know each option apart
    return built(found.x.tolist())
