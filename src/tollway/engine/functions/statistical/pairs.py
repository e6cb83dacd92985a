"""Two variables: correlation, covariance, the straight line through points. Source: Microsoft's page of each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tollway.engine.functions.registry import Argument, function
from tollway.engine.functions.statistical.samples import pairs_of_numbers, require, total_of
from tollway.engine.values import ErrorValue


@dataclass(frozen=True, slots=True)
class _Products:
    """Means of pairs, and sums of products of the distances from them."""

    count: int
    x_mean: float
    y_mean: float
    xx: float
    yy: float
    xy: float


def _products(pairs: Sequence[tuple[float, float]]) -> _Products:
    require(bool(pairs), ErrorValue.DIV0)
    count = len(pairs)
    x_mean = total_of(x for x, _ in pairs) / count
    y_mean = total_of(y for _, y in pairs) / count
    return _Products(
        count,
        x_mean,
        y_mean,
        total_of((x - x_mean) ** 2 for x, _ in pairs),
        total_of((y - y_mean) ** 2 for _, y in pairs),
        total_of((x - x_mean) * (y - y_mean) for x, y in pairs),
    )


@function("CORREL", "array array")
@function("PEARSON", "array array")
def correlation(left: Argument, right: Argument) -> float:
    """The correlation of pairs of numbers, from -1 to 1.

    A pair counts where both are numbers.
    Errors: #N/A when the arrays differ in size; #DIV/0! when there are no pairs, or one side does not vary.
    """
    sums = _products(pairs_of_numbers(left, right))
    return sums.xy / math.sqrt(sums.xx * sums.yy)


@function("RSQ", "array array")
def correlation_squared(ys: Argument, xs: Argument) -> float:
    """The square of the correlation of pairs of numbers: the share of variance that a line explains.

    Errors: #N/A when the arrays differ in size; #DIV/0! when there are no pairs, or one side does not vary.
    """
    sums = _products(pairs_of_numbers(xs, ys))
    return sums.xy**2 / (sums.xx * sums.yy)


@function("COVAR", "array array")
@function("COVARIANCE.P", "array array")
def covariance(left: Argument, right: Argument) -> float:
    """The mean product of distances from the means.

    A pair counts where both are numbers.
    Errors: #N/A when the arrays differ in size; #DIV/0! when there are no pairs.
    """
    sums = _products(pairs_of_numbers(left, right))
    return sums.xy / sums.count


@function("COVARIANCE.S", "array array")
def covariance_of_sample(left: Argument, right: Argument) -> float:
    """The sum of products of distances from the means, over n - 1.

    A pair counts where both are numbers.
    Errors: #N/A when the arrays differ in size; #DIV/0! for fewer than two pairs.
    """
    sums = _products(pairs_of_numbers(left, right))
    require(sums.count > 1, ErrorValue.DIV0)
    return sums.xy / (sums.count - 1)


@function("SLOPE", "array array")
def slope(ys: Argument, xs: Argument) -> float:
    """How steep the straight line is that fits points best.

    A point counts where both are numbers.
    Errors: #N/A when the arrays differ in size; #DIV/0! when there are no points, or the xs do not vary.
    """
    sums = _products(pairs_of_numbers(xs, ys))
    return sums.xy / sums.xx


@function("INTERCEPT", "array array")
def intercept(ys: Argument, xs: Argument) -> float:
    """Where the straight line that fits points best meets x = 0.

    A point counts where both are numbers.
    Errors: #N/A when the arrays differ in size; #DIV/0! when there are no points, or the xs do not vary.
    """
    sums = _products(pairs_of_numbers(xs, ys))
    return sums.y_mean - sums.xy / sums.xx * sums.x_mean


@function("FORECAST", "number array array")
@function("FORECAST.LINEAR", "number array array")
def forecast(x: float, ys: Argument, xs: Argument) -> float:
    """The y at a new x on the straight line that fits points best.

    A point counts where both are numbers.
    Errors: #N/A when the arrays differ in size; #DIV/0! when there are no points, or the xs do not vary.
    """
    sums = _products(pairs_of_numbers(xs, ys))
    return sums.y_mean + sums.xy / sums.xx * (x - sums.x_mean)


@function("STEYX", "array array")
def standard_error(ys: Argument, xs: Argument) -> float:
    """The standard error of the ys that the straight line that fits points best foretells.

    A point counts where both are numbers.
    Errors: #N/A when the arrays differ in size; #DIV/0! for fewer than three points, or xs that do not vary.
    """
    pairs = pairs_of_numbers(xs, ys)
    require(len(pairs) > 2, ErrorValue.DIV0)
    sums = _products(pairs)
    # Microsoft's formula to the letter: the last digits of what Excel stores are those of this difference.
    missed = sums.yy - sums.xy**2 / sums.xx
    return math.sqrt(max(0.0, missed) / (len(pairs) - 2))


@function("FISHER", "number")
def fisher(value: float) -> float:
    """Fisher's transformation of a correlation: half the logarithm of (1 + x) / (1 - x).

    Errors: #NUM! unless the value lies between -1 and 1.
    """
    require(-1.0 < value < 1.0)
    return math.atanh(value)


@function("FISHERINV", "number")
def fisher_inverse(value: float) -> float:
    """The correlation that Fisher's transformation makes this value of."""
    return math.tanh(value)
