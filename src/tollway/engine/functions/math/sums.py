"""Sums and products.

Source of each, unless it says otherwise: Microsoft's page of that function.
"""

from __future__ import annotations

import math

from tollway.engine.functions.criteria import matching_positions, paired_positions, partner_of
from tollway.engine.functions.registry import Argument, FailedError, as_grid, function, numbers
from tollway.engine.functions.toolpak import toolpak_number
from tollway.engine.values import ErrorValue, Value, power


@function("SUM", "grid...")
def sum_of(*arguments: Argument) -> float:
    """The sum of numbers, left to right; the first error value among them otherwise."""
    total = 0.0
    for term in numbers(arguments):
        total += term
    return total


@function("PRODUCT", "grid...")
def product(*arguments: Argument) -> float:
    """The product of numbers; 0 when there are none."""
    factors = numbers(arguments)
    return math.prod(factors) if factors else 0.0


@function("SUMSQ", "grid...")
def sum_of_squares(*arguments: Argument) -> float:
    """The sum of the squares of numbers."""
    total = 0.0
    for term in numbers(arguments):
        total += term * term
    return total


@function("SUMPRODUCT", "array...")
def sum_of_products(*arguments: Argument) -> float:
    """The sum of products of what stands at the same place; texts and logicals count as 0.

    Errors: #VALUE! when the arrays differ in size, else the first error value among them.
    """
    grids = [as_grid(argument) for argument in arguments]
    shape = (grids[0].row_count, grids[0].column_count)
    if any((grid.row_count, grid.column_count) != shape for grid in grids):
        raise FailedError(ErrorValue.VALUE)
    for grid in grids:
        for value in grid.items():
            if isinstance(value, ErrorValue):
                raise FailedError(value)
    filled_rows = min(len(grid.rows) for grid in grids)
    total = 0.0
    for row in range(filled_rows):
        for column in range(min(len(grid.rows[row]) for grid in grids)):
            term = 1.0
            for grid in grids:
                value = grid.rows[row][column]
                term *= value if isinstance(value, float) else 0.0
            total += term
    return total


@function("SUMIF", "grid any [grid]")
def sum_if(tested: Argument, criterion: Value, added: Argument | None = None) -> float:
    """The sum of numbers whose partner meets a criterion; without a third argument of those that meet it.

    Of a reference as third argument only the first cell counts: it is taken as large as the first argument.

    Errors: the first error value among the numbers added.
    """
    tested_grid = as_grid(tested)
    grid = partner_of(tested_grid, added)
    total = 0.0
    for row, column in matching_positions(tested_grid, criterion, grid):
        total += _addend(grid.at(row, column))
    return total


@function("SUMIFS", "grid grid any [grid any]...")
def sum_ifs(added: Argument, *pairs: Argument) -> float:
    """The sum of numbers whose partners meet every criterion.

    Errors: #VALUE! when the ranges differ in size, else the first error value among the numbers added.
    """
    grid = as_grid(added)
    total = 0.0
    for row, column in paired_positions(grid, pairs):
        total += _addend(grid.at(row, column))
    return total


def _addend(value: Value) -> float:
    if isinstance(value, ErrorValue):
        raise FailedError(value)
    return value if isinstance(value, float) else 0.0


@function("PERCENTOF", "grid grid")
def share_of(part: Argument, whole: Argument) -> float:
    """The sum of a part divided by the sum of the whole.

    Errors: #DIV/0! when the whole adds up to 0, else the first error value among the numbers.
    """
    return sum_of(part) / sum_of(whole)


# --- sums over pairs -----------------------------------------------------------------------------------


@function("SUMX2MY2", "array array")
def sum_of_differences_of_squares(x_values: Argument, y_values: Argument) -> float:
    """The sum of x² - y² over the pairs in which both are numbers.

    Errors: #N/A when there are not as many x as y, else the first error value.
    """
    return sum(x * x - y * y for x, y in _pairs(x_values, y_values))


@function("SUMX2PY2", "array array")
def sum_of_sums_of_squares(x_values: Argument, y_values: Argument) -> float:
    """The sum of x² + y² over the pairs in which both are numbers.

    Errors: #N/A when there are not as many x as y, else the first error value.
    """
    return sum(x * x + y * y for x, y in _pairs(x_values, y_values))


@function("SUMXMY2", "array array")
def sum_of_squares_of_differences(x_values: Argument, y_values: Argument) -> float:
    """The sum of (x - y)² over the pairs in which both are numbers.

    Errors: #N/A when there are not as many x as y, else the first error value.
    """
    return sum((x - y) * (x - y) for x, y in _pairs(x_values, y_values))


def _pairs(x_values: Argument, y_values: Argument) -> list[tuple[float, float]]:
    xs, ys = as_grid(x_values), as_grid(y_values)
    for grid in (xs, ys):
        for value in grid.items():
            if isinstance(value, ErrorValue):
                raise FailedError(value)
    if xs.row_count * xs.column_count != ys.row_count * ys.column_count:
        raise FailedError(ErrorValue.NA)
    pairs: list[tuple[float, float]] = []
    for row, cells in enumerate(xs.rows):
        for column, x in enumerate(cells):
            # Arrays of another shape are paired in reading order.
            y_row, y_column = divmod(row * xs.column_count + column, ys.column_count)
            y = ys.at(y_row, y_column)
            if isinstance(x, float) and isinstance(y, float):
                pairs.append((x, y))
    return pairs


@function("SERIESSUM", "single single single grid")
def power_series(x: float, first_power: float, step: float, coefficients: Argument) -> float:
    """The sum of coefficients times rising powers of x: a₁·xⁿ + a₂·xⁿ⁺ᵐ + a₃·xⁿ⁺²ᵐ + ...

    Errors: #VALUE! for a logical or a text that is no number, blanks among the coefficients too; #NUM! where
    a power is none, such as a root of a negative x.
    """
    total, exponent = 0.0, first_power
    grid = as_grid(coefficients)
    for index in range(grid.row_count * grid.column_count):
        coefficient = grid.at(*divmod(index, grid.column_count))
        if coefficient is None:
            raise FailedError(ErrorValue.VALUE)
        factor = 1.0 if x == 0 and exponent == 0 else power(x, exponent)
        if isinstance(factor, ErrorValue):
            raise FailedError(factor)
        total += toolpak_number(coefficient) * factor
        exponent += step
    return total
