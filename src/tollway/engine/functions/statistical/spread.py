"""Spread and shape of numbers. Source of each, unless it says otherwise: Microsoft's page of that function."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tollway.engine.functions.registry import Argument, function, numbers
from tollway.engine.functions.statistical.samples import (
    mean_of,
    numbers_and_texts,
    require,
    squared_deviations,
    total_of,
)
from tollway.engine.values import ErrorValue


@function("STDEV", "grid...")
@function("STDEV.S", "grid...")
def standard_deviation_of_sample(*arguments: Argument) -> float:
    """The standard deviation over n - 1.

    Errors: #DIV/0! for fewer than two numbers.
    """
    return math.sqrt(_variance(numbers(arguments), 1))


@function("STDEVP", "grid...")
@function("STDEV.P", "grid...")
def standard_deviation(*arguments: Argument) -> float:
    """The standard deviation over n.

    Errors: #DIV/0! when there are no numbers.
    """
    return math.sqrt(_variance(numbers(arguments), 0))


@function("STDEVA", "grid...")
def standard_deviation_of_sample_with_texts(*arguments: Argument) -> float:
    """The standard deviation over n - 1; in cells TRUE counts 1, FALSE and texts 0.

    Errors: #DIV/0! for fewer than two values.
    """
    return math.sqrt(_variance(numbers_and_texts(arguments), 1))


@function("STDEVPA", "grid...")
def standard_deviation_with_texts(*arguments: Argument) -> float:
    """The standard deviation over n; in cells TRUE counts 1, FALSE and texts 0.

    Errors: #DIV/0! when there are no values.
    """
    return math.sqrt(_variance(numbers_and_texts(arguments), 0))


@function("VAR", "grid...")
@function("VAR.S", "grid...")
def variance_of_sample(*arguments: Argument) -> float:
    """The variance over n - 1.

    Errors: #DIV/0! for fewer than two numbers.
    """
    return _variance(numbers(arguments), 1)


@function("VARP", "grid...")
@function("VAR.P", "grid...")
def variance(*arguments: Argument) -> float:
    """The variance over n.

    Errors: #DIV/0! when there are no numbers.
    """
    return _variance(numbers(arguments), 0)


@function("VARA", "grid...")
def variance_of_sample_with_texts(*arguments: Argument) -> float:
    """The variance over n - 1; in cells TRUE counts 1, FALSE and texts 0.

    Errors: #DIV/0! for fewer than two values.
    """
    return _variance(numbers_and_texts(arguments), 1)


@function("VARPA", "grid...")
def variance_with_texts(*arguments: Argument) -> float:
    """The variance over n; in cells TRUE counts 1, FALSE and texts 0.

    Errors: #DIV/0! when there are no values.
    """
    return _variance(numbers_and_texts(arguments), 0)


def _variance(found: Sequence[float], lost: int) -> float:
    require(len(found) > lost, ErrorValue.DIV0)
    return squared_deviations(found) / (len(found) - lost)


@function("DEVSQ", "grid...")
def sum_of_squared_deviations(*arguments: Argument) -> float:
    """The sum of squared distances from the mean.

    Errors: #NUM! when there are no numbers.
    """
    found = numbers(arguments)
    require(bool(found))
    return squared_deviations(found)


@function("AVEDEV", "grid...")
def average_deviation(*arguments: Argument) -> float:
    """The mean distance from the mean.

    Errors: #NUM! when there are no numbers.
    """
    found = numbers(arguments)
    require(bool(found))
    mean = mean_of(found)
    return total_of(abs(value - mean) for value in found) / len(found)


@function("SKEW", "grid...")
def skewness_of_sample(*arguments: Argument) -> float:
    """How far a sample leans to one side: above 0 with a long tail of large values.

    Errors: #DIV/0! for fewer than three numbers, or numbers that are all equal.
    """
    found = numbers(arguments)
    n = len(found)
    require(n > 2, ErrorValue.DIV0)
    return _power_sum(found, 3, 1) * n / ((n - 1.0) * (n - 2.0))


@function("SKEW.P", "grid...")
def skewness(*arguments: Argument) -> float:
    """How far a whole population leans to one side: above 0 with a long tail of large values.

    Errors: #DIV/0! for fewer than three numbers, or numbers that are all equal.
    """
    found = numbers(arguments)
    require(len(found) > 2, ErrorValue.DIV0)
    return _power_sum(found, 3, 0) / len(found)


@function("KURT", "grid...")
def kurtosis(*arguments: Argument) -> float:
    """How heavy the tails of a sample are beside those of the normal distribution, which has 0.

    Errors: #DIV/0! for fewer than four numbers, or numbers that are all equal.
    """
    found = numbers(arguments)
    n = len(found)
    require(n > 3, ErrorValue.DIV0)
    scale = n * (n + 1.0) / ((n - 1.0) * (n - 2.0) * (n - 3.0))
    return _power_sum(found, 4, 1) * scale - 3.0 * (n - 1.0) ** 2 / ((n - 2.0) * (n - 3.0))


def _power_sum(found: Sequence[float], exponent: int, lost: int) -> float:
    mean = mean_of(found)
    deviation = math.sqrt(_variance(found, lost))
    require(deviation > 0.0, ErrorValue.DIV0)
    return total_of(((value - mean) / deviation) ** exponent for value in found)


@function("STANDARDIZE", "number number number")
def standardize(value: float, mean: float, deviation: float) -> float:
    """How many standard deviations a value lies above the mean.

    Errors: #NUM! unless the standard deviation is positive.
    """
    require(deviation > 0.0)
    return (value - mean) / deviation
