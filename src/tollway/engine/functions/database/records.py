"""Which records of a database meet the criteria of a D function, and what their field holds.

A database is a range whose first row names its fields. Criteria are a range, too: field names, and below them
rows of criteria. A record counts when it meets every criterion of at least one row; a blank criterion is met by
all. Source: Microsoft's DSUM and DGET pages; what Excel does with odd names and fields as the corpus stores it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from tollway.engine.functions.criteria import Test, database_test_of
from tollway.engine.functions.registry import Argument, Context, FailedError, Grid, as_grid
from tollway.engine.values import ErrorValue, Value, to_text

# Whether a record, a row of the database, meets one criterion.
RecordTest = Callable[[Grid, int], bool]


def field_values(context: Context, database: Argument, field: Argument, criteria: Argument) -> list[Value]:
    """What the records that meet the criteria hold in a field, in order.

    Errors: #VALUE! when the field is not in the database, and when the database or the criteria have no row
    below their names; an error value given as the field.
    """
    grid = _table(database)
    column = _field_column(grid, field)
    return [grid.at(row, column) for row in matching_rows(context, grid, criteria)]


def matching_rows(context: Context, grid: Grid, criteria: Argument) -> list[int]:
    """The places, counted from 0, of the rows below the names that meet the criteria."""
    asked = _table(criteria)
    columns = [_name_column(grid, asked.at(0, column)) for column in range(asked.column_count)]
    # One blank row of conditions lets every record in, as do the thousands at the end of a whole column.
    rows = range(1, min(asked.row_count, max(len(asked.rows), 1) + 1))
    alternatives = [_tests(context, asked, row, columns) for row in rows]
    # Rows beyond those that hold anything are no records.
    return [
        row
        for row in range(1, len(grid.rows))
        if any(all(is_met(grid, row) for is_met in tests) for tests in alternatives)
    ]


def _table(argument: Argument) -> Grid:
    grid = as_grid(argument)
    if grid.row_count < 2:
        raise FailedError(ErrorValue.VALUE)
    return grid


def _tests(context: Context, asked: Grid, row: int, columns: Sequence[int | None]) -> list[RecordTest]:
    tests: list[RecordTest] = []
    for place, column in enumerate(columns):
        criterion = asked.at(row, place)
        if criterion is None:
            continue
        if column is None:
            tests.append(_computed_test(context, asked, row, place))
        else:
            tests.append(_field_test(column, database_test_of(criterion)))
    return tests


def _field_test(column: int, test: Test) -> RecordTest:
    return lambda grid, row: test(grid.at(row, column))


def _computed_test(context: Context, asked: Grid, row: int, place: int) -> RecordTest:
    """A condition under a name that is no field: a formula about the first record, copied down for the others.

    It is met where it gives TRUE or a number other than 0. Source: Microsoft, "Filter by using advanced
    criteria", "Criteria created as the result of a formula".
    """
    criterion = asked.at(row, place)
    if asked.origin is None:
        is_met = _is_true(criterion)
        return lambda _grid, _row: is_met
    assert context.cells is not None, "cells are read from a workbook"
    cells, (sheet, top, left) = context.cells, asked.origin
    address = (sheet, top + row, left + place)
    return lambda _grid, record: _is_true(cells.copied_value(address, record - 1))


def _is_true(value: Value) -> bool:
    return isinstance(value, (bool, float)) and bool(value)


def _field_column(grid: Grid, field: Argument) -> int:
    if isinstance(field, Grid):
        if field.row_count * field.column_count != 1:
            raise FailedError(ErrorValue.VALUE)
        field = field.at(0, 0)
    if isinstance(field, ErrorValue):
        raise FailedError(field)
    column: int | None = None
    if isinstance(field, str):
        column = _name_column(grid, field)
    elif isinstance(field, (bool, float)) and 1 <= field < grid.column_count + 1:
        column = math.trunc(field) - 1
    if column is None:
        raise FailedError(ErrorValue.VALUE)
    return column


def _name_column(grid: Grid, name: Value) -> int | None:
    """The first column of that name, which numbers and logicals may be, too; case does not matter."""
    wanted = _name(name)
    if wanted is None:
        return None
    return next((column for column in range(grid.column_count) if _name(grid.at(0, column)) == wanted), None)


def _name(value: Value) -> str | None:
    text = to_text(value)
    return text.lower() if isinstance(text, str) and text else None
