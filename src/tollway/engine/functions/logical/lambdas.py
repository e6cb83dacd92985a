"""Functions that call a LAMBDA again and again. Source of each: Microsoft's page of that function."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tollway.engine.functions.registry import (
    GRID_CELLS_MAX,
    Argument,
    Closure,
    Context,
    FailedError,
    Grid,
    as_grid,
    element,
    function,
    number,
    whole,
)
from tollway.engine.values import ErrorValue, Value


def _closure(argument: Any) -> Closure:
    if isinstance(argument, Closure):
        return argument
    raise FailedError(argument if isinstance(argument, ErrorValue) else ErrorValue.VALUE)


def _called(context: Context, closure: Closure, arguments: Sequence[Any]) -> Value:
    """One value from one call; an array is none."""
    assert context.cells is not None
    found = context.cells.invoke(closure, arguments)
    if isinstance(found, Grid):
        if found.row_count != 1 or found.column_count != 1:
            return ErrorValue.CALC
        return found.at(0, 0)
    return ErrorValue.CALC if isinstance(found, Closure) else found


def _cell(grid: Grid, row: int, column: int) -> Argument:
    """One element; of a reference still a reference, so that a LAMBDA may ask for its ROW."""
    if grid.origin is None:
        return grid.at(row, column)
    return grid.part(range(row, row + 1), range(column, column + 1))


@function("MAP", "array array...", returns="any", wants_context=True)
def map_(context: Context, *arguments: Any) -> Argument:
    """What a LAMBDA gives for each value of one or more arrays; shorter arrays give #N/A beyond their end.

    Errors: #VALUE! when the last argument is no LAMBDA or takes another number of values; #CALC! for each value
    for which it gives an array.
    """
    closure = _closure(arguments[-1])
    grids = [as_grid(argument) for argument in arguments[:-1]]
    if not grids:
        return ErrorValue.VALUE
    if len(closure.node.parameters) != len(grids):
        return ErrorValue.VALUE
    row_count = max(grid.row_count for grid in grids)
    column_count = max(grid.column_count for grid in grids)
    rows = [
        [
            _called(
                context,
                closure,
                [
                    _cell(grid, row, column)
                    if row < grid.row_count and column < grid.column_count
                    else element(grid, row, column)
                    for grid in grids
                ],
            )
            for column in range(column_count)
        ]
        for row in range(row_count)
    ]
    return Grid(rows, row_count, column_count)


@function("REDUCE", "array array array", returns="any", wants_context=True)
def reduce_(context: Context, initial_value: Any, array: Any, accumulator: Any) -> Argument:
    """What is left of an array when a LAMBDA takes in one value after another, row by row.

    The LAMBDA gets what came of the values before, and the next value; left out, the first of those is blank.
    Errors: #VALUE! when the last argument is no LAMBDA of two parameters.
    """
    assert context.cells is not None
    closure, grid = _closure(accumulator), as_grid(array)
    found = initial_value
    for row in range(grid.row_count):
        for column in range(grid.column_count):
            found = context.cells.invoke(closure, [found, _cell(grid, row, column)])
    return found  # type: ignore[no-any-return]


@function("SCAN", "array array array", returns="any", wants_context=True)
def scan(context: Context, initial_value: Any, array: Any, accumulator: Any) -> Argument:
    """As REDUCE, with what came of every value, in the shape of the array.

    Errors: #VALUE! when the last argument is no LAMBDA of two parameters; #CALC! where it gives an array.
    """
    closure, grid = _closure(accumulator), as_grid(array)
    found = initial_value
    rows: list[list[Value]] = []
    for row in range(grid.row_count):
        line: list[Value] = []
        for column in range(grid.column_count):
            found = _called(context, closure, [found, _cell(grid, row, column)])
            line.append(found)
        rows.append(line)
    return Grid(rows, grid.row_count, grid.column_count)


@function("BYROW", "array array", returns="any", wants_context=True)
def by_row(context: Context, array: Any, function_: Any) -> Argument:
    """What a LAMBDA gives for each row, below each other.

    Errors: #VALUE! when the last argument is no LAMBDA of one parameter; #CALC! where it gives an array.
    """
    closure, grid = _closure(function_), as_grid(array)
    columns = range(grid.column_count)
    rows = [
        [_called(context, closure, [grid.part(range(row, row + 1), columns)])]
        for row in range(grid.row_count)
    ]
    return Grid(rows, grid.row_count, 1)


@function("BYCOL", "array array", returns="any", wants_context=True)
def by_column(context: Context, array: Any, function_: Any) -> Argument:
    """What a LAMBDA gives for each column, beside each other.

    Errors: #VALUE! when the last argument is no LAMBDA of one parameter; #CALC! where it gives an array.
    """
    closure, grid = _closure(function_), as_grid(array)
    rows = range(grid.row_count)
    found = [
        _called(context, closure, [grid.part(rows, range(column, column + 1))])
        for column in range(grid.column_count)
    ]
    return Grid([found], 1, grid.column_count)


@function("MAKEARRAY", "array array array", returns="any", wants_context=True)
def make_array(context: Context, rows: Any, columns: Any, function_: Any) -> Argument:
    """An array of so many rows and columns, each value given by a LAMBDA of its row and column, from 1.

    Errors: #VALUE! for a size below 1, and when the last argument is no LAMBDA of two parameters; #NUM! for more
    cells than a formula may make; #CALC! where it gives an array.
    """
    closure = _closure(function_)
    row_count, column_count = whole(number(rows)), whole(number(columns))
    if row_count < 1 or column_count < 1:
        return ErrorValue.VALUE
    if row_count * column_count > GRID_CELLS_MAX:
        return ErrorValue.NUM
    made = [
        [_called(context, closure, [float(row + 1), float(column + 1)]) for column in range(column_count)]
        for row in range(row_count)
    ]
    return Grid(made, row_count, column_count)


@function("ISOMITTED", "any", returns="logical")
def is_omitted(_argument: Value) -> bool:
    """Whether a parameter of the LAMBDA around it was left out by the call; FALSE for anything else."""
    return False
