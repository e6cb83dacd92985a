"""Statistics. Source of each, unless it says otherwise: Microsoft's page of that function."""

from __future__ import annotations

import math
from collections.abc import Sequence

from scipy import special

from tollway.engine.functions.criteria import matching_positions, paired_positions
from tollway.engine.functions.registry import (
    Argument,
    FailedError,
    Grid,
    as_grid,
    function,
    grid_numbers,
    numbers,
    whole,
)
from tollway.engine.serials import number_from_text
from tollway.engine.values import ErrorValue, Value


@function("AVERAGE", "grid...")
def average(*arguments: Argument) -> float:
    """The mean of numbers; #DIV/0! when there are none."""
    return _mean(numbers(arguments))


@function("AVERAGEIF", "grid any [grid]")
def average_if(tested: Argument, criterion: Value, averaged: Argument | None = None) -> float:
    """The mean of numbers whose partner meets a criterion; #DIV/0! when there are none."""
    grid = as_grid(tested if averaged is None else averaged)
    return _mean(_chosen(grid, list(matching_positions(as_grid(tested), criterion))))


@function("AVERAGEIFS", "grid grid any [grid any]...")
def average_ifs(averaged: Argument, *pairs: Argument) -> float:
    """The mean of numbers whose partners meet every criterion; #DIV/0! when there are none."""
    grid = as_grid(averaged)
    return _mean(_chosen(grid, list(paired_positions(grid, pairs))))


def _mean(found: Sequence[float]) -> float:
    if not found:
        raise FailedError(ErrorValue.DIV0)
    total = 0.0
    for value in found:
        total += value
    return total / len(found)


def _chosen(grid: Grid, positions: Sequence[tuple[int, int]]) -> list[float]:
    found: list[float] = []
    for row, column in positions:
        value = grid.at(row, column)
        if isinstance(value, ErrorValue):
            raise FailedError(value)
        if isinstance(value, float):
            found.append(value)
    return found


@function("MIN", "grid...")
def minimum(*arguments: Argument) -> float:
    """The smallest number; 0 when there are none."""
    return min(numbers(arguments), default=0.0)


@function("MAX", "grid...")
def maximum(*arguments: Argument) -> float:
    """The largest number; 0 when there are none."""
    return max(numbers(arguments), default=0.0)


@function("MINIFS", "grid grid any [grid any]...")
def minimum_ifs(compared: Argument, *pairs: Argument) -> float:
    """The smallest number whose partners meet every criterion; 0 when there are none."""
    grid = as_grid(compared)
    return min(_chosen(grid, list(paired_positions(grid, pairs))), default=0.0)


@function("MAXIFS", "grid grid any [grid any]...")
def maximum_ifs(compared: Argument, *pairs: Argument) -> float:
    """The largest number whose partners meet every criterion; 0 when there are none."""
    grid = as_grid(compared)
    return max(_chosen(grid, list(paired_positions(grid, pairs))), default=0.0)


# --- counting ------------------------------------------------------------------------------------------


@function("COUNT", "grid...")
def count(*arguments: Argument) -> float:
    """How many numbers; of values given directly also logicals and texts that read as numbers."""
    found = 0
    for argument in arguments:
        if isinstance(argument, Grid):
            found += sum(isinstance(value, float) for value in argument.items())
        elif isinstance(argument, str):
            found += number_from_text(argument) is not None
        else:
            found += not isinstance(argument, ErrorValue)
    return float(found)


@function("COUNTA", "grid...")
def count_filled(*arguments: Argument) -> float:
    """How many values of any kind, error values and "" included."""
    found = 0
    for argument in arguments:
        if isinstance(argument, Grid):
            found += sum(value is not None for value in argument.items())
        else:
            found += 1
    return float(found)


@function("COUNTBLANK", "grid")
def count_blank(argument: Argument) -> float:
    """How many cells are blank or hold ""."""
    grid = as_grid(argument)
    filled = sum(value is not None and value != "" for value in grid.items())
    return float(grid.row_count * grid.column_count - filled)


@function("COUNTIF", "grid any")
def count_if(tested: Argument, criterion: Value) -> float:
    """How many cells meet a criterion."""
    return float(sum(1 for _ in matching_positions(as_grid(tested), criterion)))


@function("COUNTIFS", "grid any [grid any]...")
def count_ifs(*pairs: Argument) -> float:
    """How many places meet every criterion; #VALUE! when the ranges differ in size."""
    return float(sum(1 for _ in paired_positions(as_grid(pairs[0]), pairs)))


# --- spread --------------------------------------------------------------------------------------------


@function("STDEV", "grid...")
@function("STDEV.S", "grid...")
def standard_deviation_of_sample(*arguments: Argument) -> float:
    """The standard deviation over n-1; #DIV/0! for fewer than two numbers."""
    return math.sqrt(_variance(numbers(arguments), 1))


@function("STDEVP", "grid...")
@function("STDEV.P", "grid...")
def standard_deviation(*arguments: Argument) -> float:
    """The standard deviation over n; #DIV/0! for no numbers."""
    return math.sqrt(_variance(numbers(arguments), 0))


@function("VAR", "grid...")
@function("VAR.S", "grid...")
def variance_of_sample(*arguments: Argument) -> float:
    """The variance over n-1; #DIV/0! for fewer than two numbers."""
    return _variance(numbers(arguments), 1)


@function("VARP", "grid...")
@function("VAR.P", "grid...")
def variance(*arguments: Argument) -> float:
    """The variance over n; #DIV/0! for no numbers."""
    return _variance(numbers(arguments), 0)


def _variance(found: Sequence[float], lost: int) -> float:
    if len(found) <= lost:
        raise FailedError(ErrorValue.DIV0)
    mean = _mean(found)
    return math.fsum((value - mean) ** 2 for value in found) / (len(found) - lost)


@function("CORREL", "array array")
@function("PEARSON", "array array")
def correlation(left: Argument, right: Argument) -> float:
    """The correlation of pairs of numbers; #N/A when the counts differ, #DIV/0! when one side does not vary."""
    left_grid, right_grid = as_grid(left), as_grid(right)
    size = left_grid.row_count * left_grid.column_count
    if size != right_grid.row_count * right_grid.column_count:
        raise FailedError(ErrorValue.NA)
    pairs = _pairs(left_grid, right_grid)
    if not pairs:
        raise FailedError(ErrorValue.DIV0)
    left_mean = math.fsum(x for x, _ in pairs) / len(pairs)
    right_mean = math.fsum(y for _, y in pairs) / len(pairs)
    product = math.fsum((x - left_mean) * (y - right_mean) for x, y in pairs)
    left_square = math.fsum((x - left_mean) ** 2 for x, _ in pairs)
    right_square = math.fsum((y - right_mean) ** 2 for _, y in pairs)
    return product / math.sqrt(left_square * right_square)


def _pairs(left: Grid, right: Grid) -> list[tuple[float, float]]:
    pairs: list[tuple[float, float]] = []
    rows, columns = left.row_count, left.column_count
    for index in range(rows * columns):
        x = left.at(*divmod(index, columns))
        y = right.at(*divmod(index, right.column_count))
        for value in (x, y):
            if isinstance(value, ErrorValue):
                raise FailedError(value)
        if isinstance(x, float) and isinstance(y, float):
            pairs.append((x, y))
    return pairs


# --- order ---------------------------------------------------------------------------------------------


@function("MEDIAN", "grid...")
def median(*arguments: Argument) -> float:
    """The middle number, or the mean of the two in the middle; #NUM! for no numbers."""
    found = sorted(numbers(arguments))
    if not found:
        raise FailedError(ErrorValue.NUM)
    middle = len(found) // 2
    return found[middle] if len(found) % 2 else (found[middle - 1] + found[middle]) / 2.0


@function("LARGE", "grid number")
def large(argument: Argument, position: float) -> float:
    """The number at a position from the largest; #NUM! outside 1 to their count."""
    return _ranked(sorted(grid_numbers(as_grid(argument)), reverse=True), position)


@function("SMALL", "grid number")
def small(argument: Argument, position: float) -> float:
    """The number at a position from the smallest; #NUM! outside 1 to their count."""
    return _ranked(sorted(grid_numbers(as_grid(argument))), position)


def _ranked(found: Sequence[float], position: float) -> float:
    index = math.ceil(position) - 1
    if not 0 <= index < len(found):
        raise FailedError(ErrorValue.NUM)
    return found[index]


@function("RANK", "number grid [number]")
@function("RANK.EQ", "number grid [number]")
def rank(value: float, argument: Argument, order: float = 0.0) -> float:
    """The place of a number among numbers, largest first unless order is not 0; #N/A when it is not among them."""
    found = grid_numbers(as_grid(argument))
    if value not in found:
        raise FailedError(ErrorValue.NA)
    ahead = sum(other < value if order != 0 else other > value for other in found)
    return float(ahead + 1)


@function("PERCENTILE", "grid number")
@function("PERCENTILE.INC", "grid number")
def percentile(argument: Argument, share: float) -> float:
    """The value below which a share of the numbers lies, between neighbours in a straight line.

    Errors: #NUM! for no numbers, or a share outside 0 to 1.
    """
    found = sorted(grid_numbers(as_grid(argument)))
    if not found or not 0.0 <= share <= 1.0:
        raise FailedError(ErrorValue.NUM)
    place = share * (len(found) - 1)
    below = math.floor(place)
    if below == len(found) - 1:
        return found[below]
    return found[below] + (place - below) * (found[below + 1] - found[below])


@function("QUARTILE", "grid number")
@function("QUARTILE.INC", "grid number")
def quartile(argument: Argument, quarter: float) -> float:
    """The percentile at 0 to 4 quarters; #NUM! outside."""
    quarters = whole(quarter)
    if not 0 <= quarters <= 4:
        raise FailedError(ErrorValue.NUM)
    return float(percentile(argument, quarters / 4.0))


# --- the normal distribution ---------------------------------------------------------------------------


@function("NORM.DIST", "number number number logical")
@function("NORMDIST", "number number number logical")
def normal(value: float, mean: float, deviation: float, is_cumulative: bool) -> float:
    """The normal distribution or its density; #NUM! unless the standard deviation is positive."""
    if deviation <= 0:
        raise FailedError(ErrorValue.NUM)
    return standard_normal((value - mean) / deviation, is_cumulative) / (1.0 if is_cumulative else deviation)


@function("NORM.S.DIST", "number logical")
def standard_normal(value: float, is_cumulative: bool) -> float:
    """The standard normal distribution or its density."""
    if is_cumulative:
        return float(special.ndtr(value))
    return math.exp(-value * value / 2.0) / math.sqrt(2.0 * math.pi)


@function("NORMSDIST", "number", block=special.ndtr)
def standard_normal_cumulative(value: float) -> float:
    """The standard normal distribution."""
    return float(special.ndtr(value))


@function("NORM.INV", "number number number")
@function("NORMINV", "number number number")
def normal_inverse(probability: float, mean: float, deviation: float) -> float:
    """The value with a probability below it; #NUM! unless 0 < probability < 1 and the deviation is positive."""
    if deviation <= 0:
        raise FailedError(ErrorValue.NUM)
    return mean + deviation * float(standard_normal_inverse(probability))


@function("NORM.S.INV", "number", block=special.ndtri)
@function("NORMSINV", "number", block=special.ndtri)
def standard_normal_inverse(probability: float) -> float:
    """The standard normal value with a probability below it; #NUM! unless 0 < probability < 1."""
    if not 0.0 < probability < 1.0:
        raise FailedError(ErrorValue.NUM)
    return float(special.ndtri(probability))
