"""Averages of all kinds. Source of each, unless it says otherwise: Microsoft's page of that function."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from tollway.engine.functions.criteria import matching_positions, paired_positions, partner_of
from tollway.engine.functions.registry import (
    Argument,
    FailedError,
    Grid,
    as_grid,
    function,
    grid_of,
    numbers,
)
from tollway.engine.functions.statistical.samples import mean_of, numbers_and_texts, require
from tollway.engine.values import SMALLEST_NORMAL, ErrorValue, Value


@function("AVERAGE", "grid...")
def average(*arguments: Argument) -> float:
    """The mean of numbers.

    Errors: #DIV/0! when there are no numbers.
    """
    return mean_of(numbers(arguments))


@function("AVERAGEA", "grid...")
def average_with_texts(*arguments: Argument) -> float:
    """The mean of values; in cells TRUE counts 1, FALSE and texts 0.

    Errors: #DIV/0! when there are no values.
    """
    return mean_of(numbers_and_texts(arguments))


@function("AVERAGEIF", "grid any [grid]")
def average_if(tested: Argument, criterion: Value, averaged: Argument | None = None) -> float:
    """The mean of numbers whose partner meets a criterion.

    Errors: #DIV/0! when there are none.
    """
    tested_grid = as_grid(tested)
    grid = partner_of(tested_grid, averaged)
    return mean_of(numbers_at(grid, list(matching_positions(tested_grid, criterion, grid))))


@function("AVERAGEIFS", "grid grid any [grid any]...")
def average_ifs(averaged: Argument, *pairs: Argument) -> float:
    """The mean of numbers whose partners meet every criterion.

    Errors: #DIV/0! when there are none; #VALUE! when the ranges differ in size.
    """
    grid = as_grid(averaged)
    return mean_of(numbers_at(grid, list(paired_positions(grid, pairs))))


def numbers_at(grid: Grid, positions: Sequence[tuple[int, int]]) -> list[float]:
    """The numbers at some places; an error value there ends the call."""
    found: list[float] = []
    for row, column in positions:
        value = grid.at(row, column)
        if isinstance(value, ErrorValue):
            raise FailedError(value)
        if isinstance(value, float):
            found.append(value)
    return found


@function("GEOMEAN", "grid...")
def geometric_mean(*arguments: Argument) -> float:
    """The n-th root of the product of n numbers.

    Errors: #NUM! when there are no numbers, or one is not above 0.
    """
    found = numbers(arguments)
    require(bool(found) and min(found) > 0.0)
    product = math.prod(found)
    if SMALLEST_NORMAL < product < math.inf:
        return math.pow(product, 1.0 / len(found))
    return math.exp(math.fsum(math.log(value) for value in found) / len(found))


@function("HARMEAN", "grid...")
def harmonic_mean(*arguments: Argument) -> float:
    """The reciprocal of the mean of reciprocals.

    Errors: #NUM! when there are no numbers, or one is not above 0.
    """
    found = numbers(arguments)
    require(bool(found) and min(found) > 0.0)
    return len(found) / math.fsum(1.0 / value for value in found)


@function("TRIMMEAN", "grid number")
def trimmed_mean(argument: Argument, share: float) -> float:
    """The mean without the smallest and the largest values.

    share: the part of all numbers that is left out, half at each end, rounded down to whole pairs.
    Errors: #NUM! for a share below 0 or from 1 on, or no numbers.
    """
    require(0.0 <= share < 1.0)
    found = sorted(numbers((argument,)))
    require(bool(found))
    cut = math.floor(len(found) * share / 2.0)
    return mean_of(found[cut : len(found) - cut])


@function("MEDIAN", "grid...")
def median(*arguments: Argument) -> float:
    """The middle number, or the mean of the two in the middle.

    Errors: #NUM! when there are no numbers.
    """
    found = sorted(numbers(arguments))
    require(bool(found))
    middle = len(found) // 2
    return found[middle] if len(found) % 2 else (found[middle - 1] + found[middle]) / 2.0


@function("MODE", "array...")
@function("MODE.SNGL", "array...")
def mode(*arguments: Argument) -> float:
    """The number that occurs most often; of several, the one that comes first.

    Errors: #N/A when no number occurs twice.
    """
    return _most_frequent(numbers(arguments))[0]


@function("MODE.MULT", "array...", returns="any")
def modes(*arguments: Argument) -> Grid:
    """A column of all numbers that occur most often, in the order in which they come.

    Errors: #N/A when no number occurs twice.
    """
    return grid_of([[value] for value in _most_frequent(numbers(arguments))])


def _most_frequent(found: Sequence[float]) -> list[float]:
    counts = Counter(found)
    most = max(counts.values(), default=0)
    require(most > 1, ErrorValue.NA)
    return [value for value, times in counts.items() if times == most]
