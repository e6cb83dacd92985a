"""The incomplete gamma and beta ratios and their inverses: both tails, each to about 13 digits.

scipy.special's beta ratio is that good itself. Its gamma ratio loses digits in far tails of large parameters,
so here the factor in front comes from `saddle_point` and the rest from a series or a continued fraction. Its
inverses are improved by Newton's method.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from scipy import special

from tollway.engine.functions.statistical.saddle_point import binomial_term, poisson_term

# A tail below and the tail above; they make 1 together, and the smaller one is computed itself.
Tails = tuple[float, float]

_TERMS_MAX = 100_000
_EPSILON = 1e-17
# Lentz's method replaces a zero by something that is nearly one.
_TINY = 1e-300
_NEWTON_STEPS_MAX = 40


def gamma_tails(shape: float, x: float) -> Tails:
    """P(shape, x) and Q(shape, x): the gamma distribution of scale 1 below and above x; shape above 0, x from 0.

    Source: DLMF 8.11.4 (series) and 8.9.2 (continued fraction).
    """
    if x <= 0.0:
        return 0.0, 1.0
    if math.isinf(x):
        return 1.0, 0.0
    factor = poisson_term(shape, x)
    if x < shape + 1.0:
        sum_of_terms = _gamma_series(shape, x)
        if sum_of_terms is not None:
            below = min(factor * sum_of_terms, 1.0)
            return below, 1.0 - below
    else:
        fraction = _gamma_fraction(shape, x)
        if fraction is not None:
            above = min(factor * shape * fraction, 1.0)
            return 1.0 - above, above
    return float(special.gammainc(shape, x)), float(special.gammaincc(shape, x))


def _gamma_series(shape: float, x: float) -> float | None:
    total = term = 1.0
    for k in range(1, _TERMS_MAX):
        term *= x / (shape + k)
        total += term
        if term < total * _EPSILON:
            return total
    return None


def _gamma_fraction(shape: float, x: float) -> float | None:
    bottom = x + 1.0 - shape
    c = 1.0 / _TINY
    d = 1.0 / (bottom or _TINY)
    value = d
    for k in range(1, _TERMS_MAX):
        top = -k * (k - shape)
        bottom += 2.0
        d = 1.0 / (top * d + bottom or _TINY)
        c = bottom + top / c or _TINY
        change = d * c
        value *= change
        if abs(change - 1.0) < 1e-16:
            return value
    return None


def beta_tails(a: float, b: float, x: float, y: float) -> Tails:
    """I_x(a, b) and its complement; a and b above 0, x from 0 to 1, and y = 1 - x as exactly as it is known."""
    if x <= 0.0:
        return 0.0, 1.0
    if y <= 0.0:
        return 1.0, 0.0
    if x <= y:
        below, above = float(special.betainc(a, b, x)), float(special.betaincc(a, b, x))
    else:
        below, above = float(special.betaincc(b, a, y)), float(special.betainc(b, a, y))
    # For shapes of 1/2 the larger of the two is good to 11 digits only.
    return (below, 1.0 - below) if below < above else (1.0 - above, above)


def gamma_quantile(shape: float, below: float, above: float) -> float:
    """The x whose tails are these; the smaller of the two decides. Both strictly between 0 and 1."""
    return improved(
        float(special.gammaincinv(shape, below) if below <= above else special.gammainccinv(shape, above)),
        lambda x: gamma_tails(shape, x),
        lambda x: poisson_term(shape, x) * shape / x,
        below,
        above,
    )


def beta_quantile(a: float, b: float, below: float, above: float) -> tuple[float, float]:
    """The x whose tails are these, and 1 - x as exactly as it can be known. Both strictly between 0 and 1."""

    def density(x: float, y: float) -> float:
        return binomial_term(a, b, x, y) * a * b / ((a + b) * x * y)

    x = float(special.betaincinv(a, b, below) if below <= above else special.betainccinv(a, b, above))
    if x <= 0.5:
        x = improved(
            x, lambda at: beta_tails(a, b, at, 1.0 - at), lambda at: density(at, 1.0 - at), below, above
        )
        return x, 1.0 - x
    y = float(special.betaincinv(b, a, above) if above <= below else special.betainccinv(b, a, below))
    y = improved(y, lambda at: beta_tails(b, a, at, 1.0 - at), lambda at: density(1.0 - at, at), above, below)
    return 1.0 - y, y


def improved(
    guess: float,
    tails: Callable[[float], Tails],
    density: Callable[[float], float],
    below: float,
    above: float,
) -> float:
    """A quantile above 0 made exact by Newton's method on the smaller tail.

    Steps in the logarithm of x, which cannot leave the positive numbers.
    """
    x = guess
    last = math.inf
    for _ in range(_NEWTON_STEPS_MAX):
        if not 0.0 < x < math.inf:
            return guess
        slope = density(x) * x
        lower, upper = tails(x)
        miss = (lower - below) if below <= above else (above - upper)
        if slope == 0.0 or miss == 0.0 or not math.isfinite(slope):
            return x
        step = miss / slope
        # Rounding decides from here on.
        if abs(step) >= last and abs(step) < 1e-12:
            return x
        last = abs(step)
        x *= math.exp(-max(-2.0, min(2.0, step)))
        if abs(step) < 1e-17:
            return x
    return x
