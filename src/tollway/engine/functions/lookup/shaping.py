"""Arrays made, joined and brought into another shape: SEQUENCE, TRANSPOSE, HSTACK, WRAPROWS and others.

Source of each: Microsoft's page of that function.
"""

from __future__ import annotations

from collections.abc import Sequence

from tollway.engine.functions.array_size import check_size
from tollway.engine.functions.registry import (
    Argument,
    FailedError,
    Grid,
    as_grid,
    function,
    grid_of,
    number,
    whole,
)
from tollway.engine.values import ErrorValue, Value, add, multiply


@function("SEQUENCE", "choice [choice choice choice]", returns="any")
def sequence(rows: Value, columns: Value = None, start: Value = None, step: Value = None) -> Argument:
    """Numbers in order, row by row; each argument is 1 where it is left out, and counts are cut to integers.

    Errors: #CALC! for a count of 0, #VALUE! for a negative one.
    """
    row_count, column_count = whole(_or_one(rows)), whole(_or_one(columns))
    first, distance = _or_one(start), _or_one(step)
    if row_count < 0 or column_count < 0:
        return ErrorValue.VALUE
    if row_count == 0 or column_count == 0:
        return ErrorValue.CALC
    check_size(row_count, column_count)
    return grid_of(
        [
            [_term(first, distance, row * column_count + column) for column in range(column_count)]
            for row in range(row_count)
        ]
    )


def _or_one(value: Value) -> float:
    return 1.0 if value is None else number(value)


def _term(first: float, distance: float, place: int) -> Value:
    product = multiply(distance, float(place))
    return product if isinstance(product, ErrorValue) else add(first, product)


@function("TRANSPOSE", "array", returns="any")
def transpose(array: Argument) -> Argument:
    """An array with rows and columns exchanged."""
    grid = as_grid(array)
    check_size(grid.row_count, grid.column_count)
    rows = [[grid.at(row, column) for row in range(grid.row_count)] for column in range(grid.column_count)]
    return grid_of(rows)


@function("EXPAND", "array choice [choice choice]", returns="any")
def expand(array: Argument, rows: Value, columns: Value = None, pad_with: Value = None) -> Argument:
    """An array made larger, to so many rows and columns; filled with #N/A, or with the value given.

    Errors: #VALUE! for fewer rows or columns than there are.
    """
    grid = as_grid(array)
    row_count = grid.row_count if rows is None else whole(number(rows))
    column_count = grid.column_count if columns is None else whole(number(columns))
    if row_count < grid.row_count or column_count < grid.column_count:
        return ErrorValue.VALUE
    check_size(row_count, column_count)
    return _padded(grid, row_count, column_count, _padding(pad_with))


def _padding(pad_with: Value) -> Value:
    return ErrorValue.NA if pad_with is None else pad_with


def _padded(grid: Grid, row_count: int, column_count: int, padding: Value) -> Grid:
    def item(row: int, column: int) -> Value:
        is_inside = row < grid.row_count and column < grid.column_count
        return grid.at(row, column) if is_inside else padding

    return grid_of([[item(row, column) for column in range(column_count)] for row in range(row_count)])


@function("HSTACK", "array...", returns="any")
def stack_horizontally(*arrays: Argument) -> Argument:
    """Arrays side by side; shorter ones are filled with #N/A."""
    grids = [as_grid(array) for array in arrays]
    height = max(grid.row_count for grid in grids)
    check_size(height, sum(grid.column_count for grid in grids))
    padded = [_padded(grid, height, grid.column_count, ErrorValue.NA) for grid in grids]
    return grid_of([[value for grid in padded for value in grid.rows[row]] for row in range(height)])


@function("VSTACK", "array...", returns="any")
def stack_vertically(*arrays: Argument) -> Argument:
    """Arrays one below the other; narrower ones are filled with #N/A."""
    grids = [as_grid(array) for array in arrays]
    width = max(grid.column_count for grid in grids)
    check_size(sum(grid.row_count for grid in grids), width)
    return grid_of(
        [row for grid in grids for row in _padded(grid, grid.row_count, width, ErrorValue.NA).rows]
    )


@function("TOCOL", "array [number logical]", returns="any")
def to_column(array: Argument, ignore: float = 0.0, by_column: bool = False) -> Argument:
    """All values of an array in one column, row by row, or column by column if asked.

    Ignore: 0 nothing (or left out), 1 blanks, 2 errors, 3 both.
    Errors: #CALC! when nothing is left; #VALUE! for another number.
    """
    return grid_of([[value] for value in _remaining(array, ignore, by_column)])


@function("TOROW", "array [number logical]", returns="any")
def to_row(array: Argument, ignore: float = 0.0, by_column: bool = False) -> Argument:
    """All values of an array in one row, row by row, or column by column if asked.

    Ignore: 0 nothing (or left out), 1 blanks, 2 errors, 3 both.
    Errors: #CALC! when nothing is left; #VALUE! for another number.
    """
    return grid_of([_remaining(array, ignore, by_column)])


def _remaining(array: Argument, ignore: float, by_column: bool) -> list[Value]:
    grid = as_grid(array)
    skipped = whole(ignore)
    if skipped not in (0, 1, 2, 3):
        raise FailedError(ErrorValue.VALUE)
    # Where blanks are ignored, what follows the last filled row need not be looked at.
    row_count = len(grid.rows) if skipped & 1 else grid.row_count
    check_size(row_count, grid.column_count)
    places = [(row, column) for row in range(row_count) for column in range(grid.column_count)]
    if by_column:
        places.sort(key=lambda place: place[1])
    values = [grid.at(row, column) for row, column in places]
    kept = [
        value
        for value in values
        if not (skipped & 1 and value is None) and not (skipped & 2 and isinstance(value, ErrorValue))
    ]
    if not kept:
        raise FailedError(ErrorValue.CALC)
    return kept


@function("WRAPROWS", "array number [choice]", returns="any")
def wrap_rows(vector: Argument, wrap_count: float, pad_with: Value = None) -> Argument:
    """A row or column broken into rows of so many values; the last one is filled with #N/A, or the value given.

    Errors: #VALUE! for an array of several rows and columns; #NUM! for a count under 1.
    """
    return grid_of(_wrapped(vector, wrap_count, _padding(pad_with)))


@function("WRAPCOLS", "array number [choice]", returns="any")
def wrap_columns(vector: Argument, wrap_count: float, pad_with: Value = None) -> Argument:
    """A row or column broken into columns of so many values; the last one is filled with #N/A, or the value given.

    Errors: #VALUE! for an array of several rows and columns; #NUM! for a count under 1.
    """
    return grid_of(list(zip(*_wrapped(vector, wrap_count, _padding(pad_with)), strict=True)))


def _wrapped(vector: Argument, wrap_count: float, padding: Value) -> Sequence[Sequence[Value]]:
    grid = as_grid(vector)
    if not grid.is_line:
        raise FailedError(ErrorValue.VALUE)
    size = whole(wrap_count)
    if size < 1:
        raise FailedError(ErrorValue.NUM)
    check_size(grid.row_count, grid.column_count)
    line = grid.line()
    size = min(size, len(line))
    rows = [line[start : start + size] for start in range(0, len(line), size)]
    rows[-1] = rows[-1] + [padding] * (size - len(rows[-1]))
    return rows
