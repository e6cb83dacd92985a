"""Lines, planes and exponential curves through points. Source of each: Microsoft's page of that function."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tollway.engine.functions.registry import Argument, FailedError, Grid, as_grid, function, grid_of
from tollway.engine.functions.statistical.least_squares import Fit, fit
from tollway.engine.functions.statistical.samples import cell_count, logical_or, require
from tollway.engine.values import ErrorValue, Value, settle

Floats = NDArray[np.float64]

# Excel takes no more regressors.
_REGRESSORS_MAX = 64
# Points times regressors squared is the work of a fit.
_WORK_MAX = 200_000_000


@dataclass(frozen=True, slots=True)
class _Points:
    """Known ys, and their xs with a row for each y and a column for each variable.

    `is_across` says that the ys stand in a row, so each variable is a row of the sheet.
    """

    ys: Floats
    xs: Floats
    shape: tuple[int, int]
    is_across: bool

    def variables_of(self, argument: Argument) -> tuple[Floats, tuple[int, int]]:
        """New xs as rows of variables, and the shape of what is foretold from them; #REF! when they do not fit."""
        grid = as_grid(argument)
        values = _all_numbers(grid)
        if self.xs.shape[1] == 1:
            return values.reshape(-1, 1), (grid.row_count, grid.column_count)
        if self.is_across:
            require(grid.row_count == self.xs.shape[1], ErrorValue.REF)
            return values.T, (1, grid.column_count)
        require(grid.column_count == self.xs.shape[1], ErrorValue.REF)
        return values, (grid.row_count, 1)


def _points(known_ys: Argument, known_xs: Argument | None) -> _Points:
    y_grid = as_grid(known_ys)
    y_values = _all_numbers(y_grid)
    ys = y_values.reshape(-1)
    shape = (y_grid.row_count, y_grid.column_count)
    if known_xs is None:
        return _Points(ys, np.arange(1.0, len(ys) + 1.0).reshape(-1, 1), shape, False)
    x_grid = as_grid(known_xs)
    x_values = _all_numbers(x_grid)
    if (x_grid.row_count, x_grid.column_count) == shape:
        return _Points(ys, x_values.reshape(-1, 1), shape, False)
    if shape[1] == 1 and x_grid.row_count == shape[0]:
        xs, is_across = x_values, False
    else:
        require(shape[0] == 1 and x_grid.column_count == shape[1], ErrorValue.REF)
        xs, is_across = x_values.T, True
    require(xs.shape[1] <= _REGRESSORS_MAX and len(ys) * xs.shape[1] ** 2 <= _WORK_MAX)
    return _Points(ys, xs, shape, is_across)


def _all_numbers(grid: Grid) -> Floats:
    """Every cell as a number; an error value ends the call, and anything else that is no number is #VALUE!."""
    # What is missing at the end of the rows is blank, and so no number.
    filled = grid.items()
    for value in filled:
        if isinstance(value, ErrorValue):
            raise FailedError(value)
    values = [value for value in filled if isinstance(value, float)]
    require(len(values) == cell_count(grid), ErrorValue.VALUE)
    return np.array(values, dtype=np.float64).reshape(grid.row_count, grid.column_count)


def _logarithms(ys: Floats) -> Floats:
    require(bool(np.all(ys > 0.0)))
    return np.array([math.log(y) for y in ys])


@function("LINEST", "array [array choice choice]", returns="any")
def linear_fit(
    known_ys: Argument, known_xs: Argument | None = None, constant: Value = None, statistics: Value = None
) -> Grid:
    """The line or plane that fits points best: the coefficient of each variable, the last first, then the constant.

    known_xs: one column for each variable where the ys stand in a column, one row where they stand in a row;
    left out, they are 1, 2, 3 and so on. constant: FALSE makes it 0. statistics: TRUE adds four rows: standard
    errors; r squared and the standard error of y; F and the degrees of freedom; the sums of squares explained
    and missed. A variable that depends on others gets 0.
    Errors: #VALUE! where a cell holds no number; #REF! when xs and ys do not fit together; #N/A in the places
    that have nothing to show.
    """
    points = _points(known_ys, known_xs)
    found = fit(points.ys, points.xs, has_constant=logical_or(constant, True))
    first = [*found.coefficients[::-1], found.constant]
    return _fitted([float(value) for value in first], found, logical_or(statistics, False))


@function("LOGEST", "array [array choice choice]", returns="any")
def exponential_fit(
    known_ys: Argument, known_xs: Argument | None = None, constant: Value = None, statistics: Value = None
) -> Grid:
    """The curve b * m1^x1 * m2^x2... that fits points best: the ms, the last first, then b.

    Arguments and rows are those of LINEST for the logarithms of the ys; constant: FALSE makes b 1.
    Errors: #NUM! where a y is not above 0; #VALUE! where a cell holds no number; #REF! when xs and ys do not fit
    together; #N/A in the places that have nothing to show.
    """
    points = _points(known_ys, known_xs)
    found = fit(_logarithms(points.ys), points.xs, has_constant=logical_or(constant, True))
    first = [*found.coefficients[::-1], found.constant]
    return _fitted([math.exp(value) for value in first], found, logical_or(statistics, False))


def _fitted(first: list[float], found: Fit, has_statistics: bool) -> Grid:
    coefficients: list[Value] = [settle(value) for value in first]
    if not has_statistics:
        return grid_of([coefficients])
    last = ErrorValue.NA if found.constant_error is None else found.constant_error
    rows: list[list[Value]] = [
        coefficients,
        [*(float(error) for error in found.errors[::-1]), last],
        [_share_explained(found), math.sqrt(found.missed / found.freedom) if found.freedom > 0 else 0.0],
        [_f_statistic(found), float(found.freedom)],
        [found.explained, found.missed],
    ]
    nothing: list[Value] = [ErrorValue.NA] * (len(first) - 2)
    return grid_of([*rows[:2], *([*row, *nothing] for row in rows[2:])])


def _share_explained(found: Fit) -> Value:
    total = found.explained + found.missed
    return found.explained / total if total > 0.0 else 1.0


def _f_statistic(found: Fit) -> Value:
    if found.missed == 0.0 or found.freedom <= 0 or found.rank == 0:
        return ErrorValue.NUM
    return settle(found.explained / found.rank / (found.missed / found.freedom))


@function("TREND", "array [array array choice]", returns="any")
def trend(
    known_ys: Argument,
    known_xs: Argument | None = None,
    new_xs: Argument | None = None,
    constant: Value = None,
) -> Grid:
    """The ys at new xs on the line or plane that fits points best.

    Arguments are those of LINEST; new_xs: left out, they are the known ones.
    Errors: #VALUE! where a cell holds no number; #REF! when xs and ys, or new and known xs, do not fit together.
    """
    points = _points(known_ys, known_xs)
    found = fit(points.ys, points.xs, has_constant=logical_or(constant, True))
    return _foretold(points, found, new_xs, is_exponential=False)


@function("GROWTH", "array [array array choice]", returns="any")
def growth(
    known_ys: Argument,
    known_xs: Argument | None = None,
    new_xs: Argument | None = None,
    constant: Value = None,
) -> Grid:
    """The ys at new xs on the exponential curve that fits points best.

    Arguments are those of LOGEST; new_xs: left out, they are the known ones.
    Errors: #NUM! where a y is not above 0; #VALUE! where a cell holds no number; #REF! when xs and ys, or new and
    known xs, do not fit together.
    """
    points = _points(known_ys, known_xs)
    found = fit(_logarithms(points.ys), points.xs, has_constant=logical_or(constant, True))
    return _foretold(points, found, new_xs, is_exponential=True)


def _foretold(points: _Points, found: Fit, new_xs: Argument | None, *, is_exponential: bool) -> Grid:
    xs, shape = (points.xs, points.shape) if new_xs is None else points.variables_of(new_xs)
    foretold = xs.astype(np.longdouble) @ found.coefficients + found.constant
    if is_exponential:
        with np.errstate(over="ignore"):
            foretold = np.exp(foretold)
    values: list[Value] = [settle(float(value)) for value in foretold]
    rows, columns = shape
    return grid_of([values[row * columns : (row + 1) * columns] for row in range(rows)])
