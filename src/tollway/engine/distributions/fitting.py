"""Finds the shapes that a column of data may have been drawn from, and ranks them."""

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from tollway.engine.distributions import Distribution
from tollway.engine.distributions.likelihoods import CONTINUOUS, COUNTS, ESTIMATED, Fitter
from tollway.engine.distributions.parameters import PARAMETER_ABS_MAX, BadDistribution
from tollway.engine.distributions.pert import Floats
from tollway.engine.values import EngineError

FIT_VALUES_MAX = 1_000_000
FIT_DISTINCT_MIN = 5
FITTED_KINDS = (*CONTINUOUS, *COUNTS)
# Whole numbers over a longer range are as good as a continuum.
_COUNT_SPAN_MAX = 10_000
# Beyond these a logarithm of a share says only that the share is 0 or 1.
_SHARE_MIN, _SHARE_MAX = 1e-300, 1 - 1e-16


class BadFitData(EngineError):
    """A column of data is too short or too long for a fit, or holds what is no number."""

    code = "bad-fit-data"


@dataclass(frozen=True)
class Fit:
    """One shape with the parameters that make the data likeliest, and how well it suits them."""

    distribution: Distribution
    log_likelihood: float
    parameter_count: int
    """How many parameters the data determined."""
    aic: float
    """Akaike's criterion, 2 k - 2 ln L: smaller is better."""
    bic: float
    """The Bayesian criterion, k ln n - 2 ln L: harder on shapes with many parameters."""
    kolmogorov_smirnov: float
    """The largest distance between the cumulated curve of the shape and that of the data, 0 to 1."""
    anderson_darling: float | None
    """The same over the whole curve, with more weight on the tails; none for counts."""

    def as_json(self) -> dict[str, Any]:
        """Give everything as JSON; `distribution` is what models take."""
        return {
            "distribution": self.distribution.as_json(),
            "log_likelihood": self.log_likelihood,
            "parameter_count": self.parameter_count,
            "aic": self.aic,
            "bic": self.bic,
            "kolmogorov_smirnov": self.kolmogorov_smirnov,
            "anderson_darling": self.anderson_darling,
        }


def fit_distributions(values: Iterable[float], kinds: Collection[str] | None = None) -> tuple[Fit, ...]:
    """Fit every shape that can have drawn the values by maximum likelihood, the smallest AIC first.

    With `kinds`, only these are tried, as FITTED_KINDS names them.

    Counts (Poisson, geometric, negative binomial, whole numbers) are tried where all values are whole and not
    negative; there the likelihood of a shape with a density is its probability of half a step to either side, so that
    both kinds can be compared. The same values in any order give the same fits, bit for bit.

    Raises: BadFitData for fewer than FIT_DISTINCT_MIN different numbers, more than FIT_VALUES_MAX, or what is none; for
    a kind that cannot be fitted, and where none of those asked for can have drawn the values.
    """
    for place, kind in enumerate(kinds or ()):
        if kind not in FITTED_KINDS:
            raise BadFitData(
                f"{str(kind)[:40]!r} is no distribution that can be fitted; choose among {', '.join(FITTED_KINDS)}.",
                field=f"types[{place}]",
            )
    x = _checked(values)
    fitters: dict[str, Fitter] = dict(CONTINUOUS)
    is_whole = bool(x[0] >= 0 and (x == np.floor(x)).all() and x[-1] - x[0] <= _COUNT_SPAN_MAX)
    if is_whole:
        fitters |= COUNTS
    if kinds is not None:
        fitters = {kind: fitter for kind, fitter in fitters.items() if kind in kinds}
    fits = []
    for kind, fitter in fitters.items():
        try:
            with np.errstate(all="ignore"):
                shape = fitter(x)
        # The data are beyond what such a shape can be.
        except (BadDistribution, OverflowError, ZeroDivisionError):
            continue
        if shape is None:
            continue
        likelihoods = _steps_of(shape, x) if is_whole and kind in CONTINUOUS else shape.density(x)
        fit = _measured(shape, x, likelihoods, ESTIMATED.get(kind), is_count=kind in COUNTS)
        if fit is not None:
            fits.append(fit)
    if not fits:
        raise BadFitData(
            "None of the distributions that were asked for can have drawn these values: counts need whole numbers "
            "from 0 on, and some shapes numbers above 0. Leave the types out to try all.",
            field="types",
        )
    return tuple(sorted(fits, key=lambda fit: fit.aic))


def _checked(values: Iterable[float]) -> Floats:
    """Return the values as a sorted array, or refuse them."""
    if isinstance(values, np.ndarray) and values.dtype.kind in "fiu" and values.ndim == 1:
        given = values
    else:
        kept: list[object] = list(values)
        for position, value in enumerate(kept):
            if isinstance(value, bool) or not isinstance(value, Real):
                raise BadFitData(
                    f"Value {position + 1:,} of the data is {str(value)[:40]!r}, which is not a number; leave it out.",
                    field=f"values[{position}]",
                )
        try:
            given = np.array(kept, dtype=np.float64)
        except OverflowError:
            given = np.array([math.inf])
    if len(given) > FIT_VALUES_MAX:
        raise BadFitData(
            f"The data hold {len(given):,} values and {FIT_VALUES_MAX:,} are read at most; take a part of them.",
            field="values",
        )
    x = np.sort(given.astype(np.float64))
    if not (np.abs(x) <= PARAMETER_ABS_MAX).all():
        raise BadFitData(
            f"The data hold NaN or a number beyond {PARAMETER_ABS_MAX:g}; leave it out.", field="values"
        )
    distinct = 0 if len(x) == 0 else 1 + int((np.diff(x) > 0).sum())
    if distinct < FIT_DISTINCT_MIN:
        raise BadFitData(
            f"The data hold {distinct} different number{'s' * (distinct != 1)}; a fit needs at least "
            f"{FIT_DISTINCT_MIN}. Take more data, or write the values as discrete(...).",
            field="values",
        )
    return x


def _steps_of(shape: Distribution, x: Floats) -> Floats:
    """Probability of half a step to either side of each value."""
    return shape.cumulated(x + 0.5) - shape.cumulated(x - 0.5)


def _measured(
    shape: Distribution, x: Floats, likelihoods: Floats, estimated: int | None, *, is_count: bool
) -> Fit | None:
    """Weigh a shape against all values; None where it cannot have drawn one of them."""
    with np.errstate(all="ignore"):
        log_likelihood = math.fsum(np.log(likelihoods).tolist())
    if not math.isfinite(log_likelihood):
        return None
    count = estimated if estimated is not None else len(shape.as_json()) - 1
    above = shape.cumulated(x)
    below = shape.cumulated(np.nextafter(x, -math.inf)) if is_count else above
    # Values that stand there often count from their first and to their last.
    first, last = np.searchsorted(x, x, side="left"), np.searchsorted(x, x, side="right")
    distance = max(float(np.abs(last / len(x) - above).max()), float(np.abs(first / len(x) - below).max()))
    return Fit(
        distribution=shape,
        log_likelihood=log_likelihood,
        parameter_count=count,
        aic=2 * count - 2 * log_likelihood,
        bic=count * math.log(len(x)) - 2 * log_likelihood,
        kolmogorov_smirnov=distance,
        anderson_darling=None if is_count else _anderson_darling(above),
    )


def _anderson_darling(shares: Floats) -> float:
    """Source: Anderson and Darling 1954, Journal of the American Statistical Association 49(268), 765-769."""
    shares = np.clip(shares, _SHARE_MIN, _SHARE_MAX)
    count = len(shares)
    weights = 2 * np.arange(1, count + 1) - 1
    total = math.fsum((weights * (np.log(shares) + np.log1p(-shares[::-1]))).tolist())
    return -count - total / count
