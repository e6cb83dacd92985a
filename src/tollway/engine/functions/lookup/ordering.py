"""Arrays sorted, filtered, and rid of duplicates: SORT, SORTBY, FILTER, UNIQUE.

Source of each: Microsoft's page of that function; the order of kinds as in "Sort data in a range or table".
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cmp_to_key

from tollway.engine.functions.array_size import check_size
from tollway.engine.functions.lookup.matching import order_of
from tollway.engine.functions.registry import Argument, FailedError, Grid, as_grid, function, grid_of, whole
from tollway.engine.values import ErrorValue, Value, to_logical, to_number

Line = Sequence[Value]


@function("SORT", "array [array array logical]", returns="any")
def sort(
    array: Argument, sort_index: Argument = None, sort_order: Argument = None, by_column: bool = False
) -> Argument:
    """The rows of an array in order: numbers, texts without case, FALSE, TRUE, errors; blanks always last.

    Sort index: the column to go by, from 1 (left out: 1), or several as an array. Sort order: 1 ascending (or left
    out), -1 descending, or one for each index. By column: TRUE sorts columns by the values in a row.
    Errors: #VALUE! for an index outside the array or another order.
    """
    grid = as_grid(array)
    lines = _lines(grid, by_column)
    width = grid.row_count if by_column else grid.column_count
    places = [_one_based(value, width) for value in _given(sort_index, 1.0)]
    orders = [_order(value) for value in _given(sort_order, 1.0)]
    if len(orders) == 1:
        orders *= len(places)
    if len(orders) != len(places):
        raise FailedError(ErrorValue.VALUE)
    columns = [([line[place] for line in lines], order) for place, order in zip(places, orders, strict=True)]
    ordered = [lines[place] for place in _sorted_places(columns)]
    return _from_lines(ordered, by_column) if by_column else Grid(ordered, grid.row_count, width)


@function("SORTBY", "array array [any array]...", returns="any")
def sort_by(array: Argument, by_array: Argument, *others: Argument) -> Argument:
    """An array in the order of other rows or columns of the same length, each ascending (1) or descending (-1).

    Errors: #VALUE! for a row or column of another length, or another order.
    """
    grid = as_grid(array)
    keys = [as_grid(key) for key in (by_array, *others[1::2])]
    orders = [_order(order) for order in others[::2]]
    if len(orders) < len(keys):
        orders.append(1)
    by_column = keys[0].row_count == 1 and grid.row_count != 1
    length = grid.column_count if by_column else grid.row_count
    if grid.row_count == 1 and keys[0].row_count == 1:
        by_column, length = True, grid.column_count
    for key in keys:
        shape = (1, length) if by_column else (length, 1)
        if (key.row_count, key.column_count) != shape:
            raise FailedError(ErrorValue.VALUE)
    columns = [(key.line(), order) for key, order in zip(keys, orders, strict=True)]
    lines = _lines(grid, by_column)
    if not by_column:
        check_size(grid.row_count, grid.column_count)
        lines += [[None] * grid.column_count] * (grid.row_count - len(lines))
    return _from_lines([lines[place] for place in _sorted_places(columns)], by_column)


def _given(argument: Argument, default: float) -> list[Value]:
    grid = as_grid(argument)
    return [default if value is None else value for value in (grid.line() if grid.is_line else grid.items())]


def _one_based(value: Value, count: int) -> int:
    number = to_number(value)
    if isinstance(number, ErrorValue):
        raise FailedError(number)
    if not 1 <= whole(number) <= count:
        raise FailedError(ErrorValue.VALUE)
    return whole(number) - 1


def _order(argument: Argument) -> int:
    value = as_grid(argument).at(0, 0)
    number = 1.0 if value is None else to_number(value)
    if isinstance(number, ErrorValue):
        raise FailedError(number)
    if whole(number) not in (1, -1):
        raise FailedError(ErrorValue.VALUE)
    return whole(number)


def _lines(grid: Grid, by_column: bool) -> list[Line]:
    """The rows down to the last that is filled, or the columns; each with all its blanks."""
    columns = range(grid.column_count)
    check_size(grid.row_count if by_column else len(grid.rows), grid.column_count)
    if by_column:
        return [[grid.at(row, column) for row in range(grid.row_count)] for column in columns]
    return [[grid.at(row, column) for column in columns] for row in range(len(grid.rows))]


def _from_lines(lines: Sequence[Line], by_column: bool) -> Grid:
    return grid_of(list(zip(*lines, strict=True))) if by_column else grid_of(lines)


def _sorted_places(columns: Sequence[tuple[Line, int]]) -> list[int]:
    """The places of rows in order of several columns; what is equal in all stays as it was."""
    places = list(range(len(columns[0][0])))
    for values, order in reversed(columns):
        filled = [place for place in places if values[place] is not None]
        blank = [place for place in places if values[place] is None]

        def follows(left: int, right: int, values: Line = values, order: int = order) -> int:
            return order * compared(values[left], values[right])

        places = sorted(filled, key=cmp_to_key(follows)) + blank
    return places


def compared(left: Value, right: Value) -> int:
    """Below 0, 0 or above 0, as SORT puts two values that are not blank in order."""
    if isinstance(left, ErrorValue) or isinstance(right, ErrorValue):
        # Among themselves errors go by Excel's number for each, as the corpus shows.
        left_code = left.code if isinstance(left, ErrorValue) else 0
        right_code = right.code if isinstance(right, ErrorValue) else 0
        return left_code - right_code
    return order_of(left, right) if type(left) is type(right) else _rank(left) - _rank(right)


def _rank(value: Value) -> int:
    return 2 if isinstance(value, bool) else int(isinstance(value, str))


@function("FILTER", "array array [array]", returns="any")
def filtered(array: Argument, include: Argument, if_empty: Argument = None) -> Argument:
    """The rows (or columns) of an array for which a column (or row) of conditions holds.

    A condition is a logical, or a number other than 0.
    Errors: #CALC! when none holds and nothing is given for that case; #VALUE! for conditions of another length or of
    text; an error value among the conditions.
    """
    for given in (array, include):
        if isinstance(given, ErrorValue):
            return given
    grid, conditions = as_grid(array), as_grid(include)
    by_column = conditions.row_count == 1 and not (conditions.column_count == 1 and grid.column_count != 1)
    length = grid.column_count if by_column else grid.row_count
    shape = (1, length) if by_column else (length, 1)
    if (conditions.row_count, conditions.column_count) != shape:
        return ErrorValue.VALUE
    kept = [place for place, value in enumerate(conditions.items()) if _holds(value)]
    if not kept:
        return ErrorValue.CALC if if_empty is None else if_empty
    check_size(grid.row_count if by_column else len(kept), len(kept) if by_column else grid.column_count)
    if by_column:
        return grid_of([[grid.at(row, place) for place in kept] for row in range(grid.row_count)])
    return grid_of([[grid.at(place, column) for column in range(grid.column_count)] for place in kept])


def _holds(condition: Value) -> bool:
    if isinstance(condition, str):
        raise FailedError(ErrorValue.VALUE)
    truth = to_logical(condition)
    if isinstance(truth, ErrorValue):
        raise FailedError(truth)
    return truth


@function("UNIQUE", "array [logical logical]", returns="any")
def unique(array: Argument, by_column: bool = False, exactly_once: bool = False) -> Argument:
    """The rows of an array that differ from all before them; texts are compared without case.

    By column: TRUE compares columns. Exactly once: TRUE gives only those that occur once.
    Errors: #CALC! when none occurs exactly once.
    """
    counts: dict[tuple[object, ...], int] = {}
    first: dict[tuple[object, ...], Line] = {}
    grid = as_grid(array)
    lines = _lines(grid, by_column)
    if not by_column:
        # Of the blank rows at the end two tell as much as all.
        lines += [[None] * grid.column_count] * min(grid.row_count - len(lines), 2)
    for line in lines:
        key = tuple(map(identity, line))
        counts[key] = counts.get(key, 0) + 1
        first.setdefault(key, line)
    kept = [line for key, line in first.items() if not exactly_once or counts[key] == 1]
    return _from_lines(kept, by_column) if kept else ErrorValue.CALC


def identity(value: Value) -> object:
    """What is the same for values that UNIQUE takes for the same."""
    # TRUE, 1 and a blank would be one and the same to Python's dictionaries, or to none of Excel's rules.
    return (type(value), value.lower() if isinstance(value, str) else value)
