"""Which records of a database meet the criteria of a D function, and what their field holds.

A database is a range whose first row names its fields. Criteria are a range, too: field names, and below them
rows of criteria. A record counts when it meets every criterion of at least one row; a blank criterion is met by
all. Source: Microsoft's DSUM and DGET pages; what Excel does with odd names and fields as the corpus stores it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from tollway.engine.functions.criteria import Test, database_test_of
from tollway.engine.functions.registry import Argument, FailedError, Grid, as_grid
from tollway.engine.values import ErrorValue, Value, to_text


def field_values(database: Argument, field: Argument, criteria: Argument) -> list[Value]:
    """What the records that meet the criteria hold in a field, in order.

    Errors: #VALUE! when the field is not in the database, and when the database or the criteria have no row
    below their names; an error value given as the field.
    """
    grid = _table(database)
    column = _field_column(grid, field)
    return [grid.at(row, column) for row in matching_rows(grid, criteria)]


def matching_rows(grid: Grid, criteria: Argument) -> list[int]:
    """The places, counted from 0, of the rows below the names that meet the criteria."""
    asked = _table(criteria)
    columns = [_name_column(grid, asked.at(0, column)) for column in range(asked.column_count)]
    alternatives = [_tests(asked, row, columns) for row in range(1, asked.row_count)]
    # Rows beyond those that hold anything are no records.
    return [
        row
        for row in range(1, len(grid.rows))
        if any(all(test(grid.at(row, column)) for column, test in tests) for tests in alternatives)
    ]


def _table(argument: Argument) -> Grid:
    grid = as_grid(argument)
    if grid.row_count < 2:
        raise FailedError(ErrorValue.VALUE)
    return grid


def _tests(asked: Grid, row: int, columns: Sequence[int | None]) -> list[tuple[int, Test]]:
    tests: list[tuple[int, Test]] = []
    for place, column in enumerate(columns):
        criterion = asked.at(row, place)
        if criterion is None:
            continue
        if column is None:
            # Under a name that is no field stands a condition, which is true or not for the record.
            tests.append((0, _constant_test(criterion)))
        else:
            tests.append((column, database_test_of(criterion)))
    return tests


def _constant_test(criterion: Value) -> Callable[[Value], bool]:
    is_met = isinstance(criterion, (bool, float)) and bool(criterion)
    return lambda _value: is_met


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
