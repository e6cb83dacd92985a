"""Parts of ranges and arrays by place: CHOOSE, INDEX, TAKE, DROP, CHOOSECOLS, CHOOSEROWS, TRIMRANGE.

A part of a reference in one piece stays a reference. Source of each: Microsoft's page of that function.
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
    number,
    whole,
)
from tollway.engine.values import ErrorValue, Value, to_number


def part_of(grid: Grid, rows: range, columns: range) -> Argument:
    """Rows and columns in one piece, places counted from 0; still a reference where the grid was one.

    One value of an array comes as that value.
    """
    if grid.origin is None and len(rows) == 1 and len(columns) == 1:
        return grid.at(rows.start, columns.start)
    return grid.part(rows, columns)


@function("CHOOSE", "any any [any]...", returns="any")
def choose(index: Value, *values: Value) -> Value:
    """The value at a position from 1; a decimal position is cut.

    Errors: #VALUE! outside the values given.
    """
    position = to_number(index)
    if isinstance(position, ErrorValue):
        return position
    return values[int(position) - 1] if 1.0 <= position < len(values) + 1.0 else ErrorValue.VALUE


@function("INDEX", "array number [number number]", returns="any")
def index(argument: Argument, row: float, column: float | None = None, area: float = 1.0) -> Argument:
    """The value at a row and column counted from 1; 0 takes the whole row or column; one number counts along a line.

    Errors: the error value where there is no array but one; #REF! outside, #VALUE! for a negative number.
    """
    grid = as_grid(argument)
    if whole(area) != 1:
        return ErrorValue.REF if area >= 1 else ErrorValue.VALUE
    if column is None and grid.row_count == 1:
        row, column = (0.0 if grid.column_count == 1 and row == 0 else 1.0), row
    if column is None and grid.column_count == 1:
        column = 1.0
    row_place = _place_or_all(row, grid.row_count)
    column_place = _place_or_all(column or 0.0, grid.column_count)
    rows = range(row_place - 1, row_place) if row_place else range(grid.row_count)
    columns = range(column_place - 1, column_place) if column_place else range(grid.column_count)
    return part_of(grid, rows, columns)


def _place_or_all(position: float, count: int) -> int:
    if position <= -1.0:
        raise FailedError(ErrorValue.VALUE)
    if position >= count + 1:
        raise FailedError(ErrorValue.REF)
    return int(position)


@function("TAKE", "array choice [choice]", returns="any")
def take(array: Argument, rows: Value, columns: Value = None) -> Argument:
    """The first rows and columns of an array, or the last ones for a negative count; all where a count is left out.

    Errors: #CALC! for a count of 0; #VALUE! for a count that is no number.
    """
    grid = as_grid(array)
    return part_of(grid, _taken(rows, grid.row_count), _taken(columns, grid.column_count))


def _taken(count: Value, available: int) -> range:
    if count is None:
        return range(available)
    taken = min(abs(_count(count)), available)
    if taken == 0:
        raise FailedError(ErrorValue.CALC)
    return range(taken) if _count(count) > 0 else range(available - taken, available)


@function("DROP", "array choice [choice]", returns="any")
def drop(array: Argument, rows: Value, columns: Value = None) -> Argument:
    """An array without its first rows and columns, or without the last ones for a negative count.

    Errors: #CALC! when nothing is left; #VALUE! for a count that is no number.
    """
    grid = as_grid(array)
    return part_of(grid, _left_over(rows, grid.row_count), _left_over(columns, grid.column_count))


def _left_over(count: Value, available: int) -> range:
    dropped = 0 if count is None else _count(count)
    if abs(dropped) >= available:
        raise FailedError(ErrorValue.CALC)
    return range(dropped, available) if dropped >= 0 else range(available + dropped)


def _count(value: Value) -> int:
    return whole(number(value))


@function("CHOOSECOLS", "array grid...", returns="any")
def choose_columns(array: Argument, *columns: Argument) -> Argument:
    """Some columns of an array, in the order asked for; counted from 1, or from the last one when negative.

    Errors: #VALUE! for a column that the array does not have.
    """
    grid = as_grid(array)
    places = _chosen(columns, grid.column_count)
    check_size(len(grid.rows), len(places))
    rows = [[grid.at(row, place) for place in places] for row in range(len(grid.rows))]
    return Grid(rows, grid.row_count, len(places))


@function("CHOOSEROWS", "array grid...", returns="any")
def choose_rows(array: Argument, *rows: Argument) -> Argument:
    """Some rows of an array, in the order asked for; counted from 1, or from the last one when negative.

    Errors: #VALUE! for a row that the array does not have.
    """
    grid = as_grid(array)
    places = _chosen(rows, grid.row_count)
    check_size(len(places), grid.column_count)
    kept = [[grid.at(place, column) for column in range(grid.column_count)] for place in places]
    return Grid(kept, len(places), grid.column_count)


def _chosen(arguments: Sequence[Argument], count: int) -> list[int]:
    places: list[int] = []
    for argument in arguments:
        grid = as_grid(argument)
        check_size(grid.row_count, grid.column_count)
        for index in range(grid.row_count * grid.column_count):
            place = _count(grid.at(*divmod(index, grid.column_count)))
            if place == 0 or abs(place) > count:
                raise FailedError(ErrorValue.VALUE)
            places.append(place - 1 if place > 0 else count + place)
    if not places:
        raise FailedError(ErrorValue.VALUE)
    return places


@function("TRIMRANGE", "array [choice choice]", returns="any")
def trim_range(array: Argument, rows: Value = 3.0, columns: Value = 3.0) -> Argument:
    """A range without the blank rows and columns at its edges.

    For rows and for columns: 0 trims nothing, 1 the leading ones, 2 the trailing ones, 3 (or left out) both.
    Errors: #REF! when everything is blank; #VALUE! for another way of trimming.
    """
    grid = as_grid(array)
    filled = [
        (row, column)
        for row, values in enumerate(grid.rows)
        for column, value in enumerate(values)
        if value is not None
    ]
    if not filled:
        return ErrorValue.REF
    return part_of(
        grid,
        _trimmed([row for row, _ in filled], grid.row_count, rows),
        _trimmed([column for _, column in filled], grid.column_count, columns),
    )


def _trimmed(filled: Sequence[int], count: int, way: Value) -> range:
    chosen = 3 if way is None else _count(way)
    if chosen not in (0, 1, 2, 3):
        raise FailedError(ErrorValue.VALUE)
    return range(min(filled) if chosen & 1 else 0, max(filled) + 1 if chosen & 2 else count)
