"""The normal and lognormal distributions. Source of each, unless it says otherwise: Microsoft's page of it."""

from __future__ import annotations

import math

from scipy import special

from tollway.engine.functions.registry import function, whole
from tollway.engine.functions.statistical.normal_quantile import normal_quantile
from tollway.engine.functions.statistical.samples import probability, require

_SQRT_TWO_PI = math.sqrt(2.0 * math.pi)
_SQRT_HALF = math.sqrt(0.5)


@function("NORM.S.DIST", "number logical")
def standard_normal(value: float, is_cumulative: bool) -> float:
    """The probability below a value in the standard normal distribution, or its density there."""
    return float(special.ndtr(value)) if is_cumulative else standard_normal_density(value)


@function("NORMSDIST", "number", block=special.ndtr)
def standard_normal_cumulative(value: float) -> float:
    """The probability below a value in the standard normal distribution."""
    return float(special.ndtr(value))


@function("PHI", "number")
def standard_normal_density(value: float) -> float:
    """The density of the standard normal distribution."""
    return math.exp(-value * value / 2.0) / _SQRT_TWO_PI


@function("GAUSS", "number")
def standard_normal_from_mean(value: float) -> float:
    """The probability between the mean and a value in the standard normal distribution."""
    return float(special.ndtr(value)) - 0.5


@function("NORM.DIST", "number number number logical")
@function("NORMDIST", "number number number logical")
def normal(value: float, mean: float, deviation: float, is_cumulative: bool) -> float:
    """The probability below a value in a normal distribution, or its density there.

    Errors: #NUM! unless the standard deviation is positive.
    """
    require(deviation > 0.0)
    if is_cumulative:
        return _below(value - mean, deviation)
    return float(standard_normal_density((value - mean) / deviation)) / deviation


def _below(distance: float, deviation: float) -> float:
    """The probability up to a distance from the mean.

    Excel takes the distance times the root of one half before it divides: so the last digits of what it stores say,
    and NORM.INV of NORM.DIST gives its residue.
    """
    return 0.5 * float(special.erfc(-distance * _SQRT_HALF / deviation))


@function("NORM.S.INV", "number", block=special.ndtri)
@function("NORMSINV", "number", block=special.ndtri)
def standard_normal_inverse(chance: float) -> float:
    """The standard normal value with a probability below it.

    Errors: #NUM! unless 0 < probability < 1.
    """
    return normal_quantile(probability(chance, zero=False, one=False))


@function("NORM.INV", "number number number")
@function("NORMINV", "number number number")
def normal_inverse(chance: float, mean: float, deviation: float) -> float:
    """The value with a probability below it in a normal distribution.

    Errors: #NUM! unless 0 < probability < 1 and the standard deviation is positive.
    """
    require(deviation > 0.0)
    return mean + deviation * float(standard_normal_inverse(chance))


@function("LOGNORM.DIST", "number number number logical")
def lognormal(value: float, mean: float, deviation: float, is_cumulative: bool) -> float:
    """The probability below a value whose logarithm is normal, or the density there.

    mean, deviation: of the logarithm.
    Errors: #NUM! unless value and standard deviation are positive.
    """
    require(value > 0.0 and deviation > 0.0)
    distance = math.log(value) - mean
    if is_cumulative:
        return _below(distance, deviation)
    return float(standard_normal_density(distance / deviation)) / (value * deviation)


@function("LOGNORMDIST", "number number number")
def lognormal_cumulative(value: float, mean: float, deviation: float) -> float:
    """The probability below a value whose logarithm is normal.

    mean, deviation: of the logarithm.
    Errors: #NUM! unless value and standard deviation are positive.
    """
    return float(lognormal(value, mean, deviation, True))


@function("LOGINV", "number number number")
@function("LOGNORM.INV", "number number number")
def lognormal_inverse(chance: float, mean: float, deviation: float) -> float:
    """The value with a probability below it, where its logarithm is normal.

    mean, deviation: of the logarithm.
    Errors: #NUM! unless 0 < probability < 1 and the standard deviation is positive.
    """
    return math.exp(normal_inverse(chance, mean, deviation))


@function("CONFIDENCE", "number number number")
@function("CONFIDENCE.NORM", "number number number")
def normal_confidence(alpha: float, deviation: float, size: float) -> float:
    """Half the width of the confidence interval of a mean, where the standard deviation is known.

    alpha: 1 minus the confidence, so 0.05 for 95 %. size: of the sample, cut to a whole number.
    Errors: #NUM! unless 0 < alpha < 1, the standard deviation is positive and the size 1 or more.
    """
    probability(alpha, zero=False, one=False)
    count = whole(size)
    require(deviation > 0.0 and count >= 1)
    # Excel asks for the upper end, and so loses the digits that 1 - alpha/2 loses.
    return normal_quantile(1.0 - alpha / 2.0) * (deviation / math.sqrt(count))
