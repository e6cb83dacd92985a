"""Poisson and binomial terms to the last digits, for any size of parameters: the factor in every distribution here.

Source: C. Loader, "Fast and Accurate Computation of Binomial Probabilities" (2000). Subtracting logarithms of
the gamma function would lose a digit for every power of ten of the parameters.
"""

from __future__ import annotations

import math

# Stirling's series for log(n!) beyond the leading terms: 1/(12 n) - 1/(360 n^3) + ..., good to 1e-17 from here on.
_SERIES_FROM = 16.0
_SERIES = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156)
# |x - mean| / (x + mean) below which the logarithm's series in that ratio replaces the logarithm.
_DEVIANCE_SERIES_UP_TO = 0.5
_HALF_LOG_TWO_PI = 0.91893853320467274178


def stirling_error(n: float) -> float:
    """What Stirling's formula lacks: log(n!) - log(sqrt(2 pi n) (n/e)^n), for any n above 0."""
    if n < _SERIES_FROM:
        return math.lgamma(n + 1.0) - (n + 0.5) * math.log(n) + n - _HALF_LOG_TWO_PI
    total = 0.0
    for coefficient in reversed(_SERIES):
        total = total / (n * n) + coefficient
    return total / n


def deviance(x: float, mean: float) -> float:
    """The sum x log(x/mean) + mean - x without cancellation; x and mean above 0."""
    difference = x - mean
    if abs(difference) >= _DEVIANCE_SERIES_UP_TO * (x + mean):
        return x * math.log(x / mean) + mean - x
    ratio = difference / (x + mean)
    total = difference * ratio
    term = 2.0 * x * ratio
    odd = 1
    while True:
        term *= ratio * ratio
        odd += 2
        grown = total + term / odd
        if grown == total:
            return grown
        total = grown


def poisson_term(x: float, mean: float) -> float:
    """mean^x exp(-mean) / x! for x and mean from 0, whole or not."""
    if mean == 0.0:
        return 1.0 if x == 0.0 else 0.0
    if x == 0.0:
        return math.exp(-mean)
    if x < 1.0:
        # Near 0 the two parts of the formula below are large and of opposite sign.
        return math.exp(x * math.log(mean) - mean - math.lgamma(x + 1.0))
    return math.exp(-stirling_error(x) - deviance(x, mean)) / math.sqrt(2.0 * math.pi * x)


def binomial_term(x: float, other: float, chance: float, against: float) -> float:
    """(x+other)! / (x! other!) chance^x against^other for x and other from 0, whole or not.

    `against` is 1 - chance, given apart because it may be known more exactly.
    """
    if chance == 0.0:
        return 1.0 if x == 0.0 else 0.0
    if against == 0.0:
        return 1.0 if other == 0.0 else 0.0
    if x == 0.0:
        return math.exp(other * _log_of(against, chance))
    if other == 0.0:
        return math.exp(x * _log_of(chance, against))
    n = x + other
    if min(x, other) < 1.0:
        return _binomial_term_near_zero(x, other, chance, against)
    exponent = (
        stirling_error(n)
        - stirling_error(x)
        - stirling_error(other)
        - deviance(x, n * chance)
        - deviance(other, n * against)
    )
    return math.exp(exponent) * math.sqrt(n / (2.0 * math.pi * x * other))


def _log_of(share: float, rest: float) -> float:
    return math.log(share) if share < 0.5 else math.log1p(-rest)


def _binomial_term_near_zero(x: float, other: float, chance: float, against: float) -> float:
    if x > other:
        x, other, chance, against = other, x, against, chance
    # log of (x+other)!/other! for x below 1, without the difference of two large logarithms.
    if other < _SERIES_FROM:
        grown = math.lgamma(x + other + 1.0) - math.lgamma(other + 1.0)
    else:
        n = x + other
        grown = (other + 0.5) * math.log1p(x / other) + x * (math.log(n) - 1.0)
        grown += stirling_error(n) - stirling_error(other)
    exponent = grown - math.lgamma(x + 1.0) + x * _log_of(chance, against) + other * _log_of(against, chance)
    return math.exp(exponent)
