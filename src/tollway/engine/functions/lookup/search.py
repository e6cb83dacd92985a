"""Lookup and reference. Source of each, unless it says otherwise: Microsoft's page of that function."""

from __future__ import annotations

from collections.abc import Sequence

from tollway.engine.functions.criteria import wildcard
from tollway.engine.functions.registry import (
    Argument,
    Context,
    FailedError,
    Grid,
    as_grid,
    function,
    number,
    whole,
)
from tollway.engine.values import ErrorValue, Value, to_number


@function("CHOOSE", "any any [any]...", returns="any")
def choose(index: Value, *values: Value) -> Value:
    """The value at a position from 1; #VALUE! outside. (One index picks lazily in the interpreter.)"""
    position = to_number(index)
    if isinstance(position, ErrorValue):
        return position
    return values[int(position) - 1] if 1.0 <= position < len(values) + 1.0 else ErrorValue.VALUE


@function("MATCH", "value grid [number]")
def match(wanted: Value, argument: Argument, match_type: float = 1.0) -> Value:
    """The position from 1 of a value in a row or column.

    Type 0 is exact, with wildcards in texts; 1 the last at or below in ascending order; -1 the last at or above
    in descending order. #N/A when there is none, or when the range is no single row or column.
    """
    grid = as_grid(argument)
    if not grid.is_line:
        return ErrorValue.NA
    line = grid.line()
    if match_type == 0:
        found = find_exact(line, wanted)
    elif match_type > 0:
        found = find_at_or_below(line, wanted)
    else:
        found = _find_at_or_above_descending(line, wanted)
    return ErrorValue.NA if found is None else float(found + 1)


@function("VLOOKUP", "value grid number [logical]", returns="any")
def vertical_lookup(wanted: Value, table: Argument, column: float, is_approximate: bool = True) -> Value:
    """The value in a column of the row whose first column matches: exactly, or at or below in ascending order.

    Errors: #VALUE! for a column under 1, #REF! beyond the table, #N/A when nothing matches.
    """
    grid = as_grid(table)
    place = _place(column, grid.column_count)
    first = [grid.at(row, 0) for row in range(len(grid.rows))]
    found = find_at_or_below(first, wanted) if is_approximate else find_exact(first, wanted)
    return ErrorValue.NA if found is None else grid.at(found, place)


@function("HLOOKUP", "value grid number [logical]", returns="any")
def horizontal_lookup(wanted: Value, table: Argument, row: float, is_approximate: bool = True) -> Value:
    """The value in a row of the column whose first row matches; errors as VLOOKUP."""
    grid = as_grid(table)
    place = _place(row, grid.row_count)
    first = list(grid.rows[0]) if grid.rows else []
    found = find_at_or_below(first, wanted) if is_approximate else find_exact(first, wanted)
    return ErrorValue.NA if found is None else grid.at(place, found)


def _place(position: float, count: int) -> int:
    if position < 1:
        raise FailedError(ErrorValue.VALUE)
    if position >= count + 1:
        raise FailedError(ErrorValue.REF)
    return int(position) - 1


@function("LOOKUP", "value grid [grid]", returns="any")
def lookup(wanted: Value, vector: Argument, results: Argument | None = None) -> Value:
    """The result at the place of the last value at or below, in ascending order; #N/A when there is none.

    With two arguments the first column (or row, of a wider array) is searched and the last one gives the result.
    """
    grid = as_grid(vector)
    if results is None and not grid.is_line:
        if grid.column_count > grid.row_count:
            found = find_at_or_below([grid.at(0, column) for column in range(grid.column_count)], wanted)
            return ErrorValue.NA if found is None else grid.at(grid.row_count - 1, found)
        found = find_at_or_below([grid.at(row, 0) for row in range(len(grid.rows))], wanted)
        return ErrorValue.NA if found is None else grid.at(found, grid.column_count - 1)
    if not grid.is_line:
        return ErrorValue.NA
    found = find_at_or_below(grid.line(), wanted)
    if found is None:
        return ErrorValue.NA
    target = grid if results is None else as_grid(results)
    if not target.is_line:
        return ErrorValue.NA
    line = target.line()
    return line[found] if found < len(line) else ErrorValue.NA


@function("XLOOKUP", "value grid grid [any number number]", returns="any")
def extended_lookup(
    wanted: Value,
    searched: Argument,
    results: Argument,
    otherwise: Value = ErrorValue.NA,
    match_mode: float = 0.0,
    search_mode: float = 1.0,
) -> Argument:
    """The entry of one range at the place where another holds a value.

    Match mode 0 is exact, -1 exact or next smaller, 1 exact or next larger, 2 with wildcards; search mode
    1 from the first, -1 from the last, 2 and -2 over sorted data.
    Errors: #VALUE! when the ranges do not fit or a mode is unknown; #N/A when nothing matches.
    """
    grid, target = as_grid(searched), as_grid(results)
    is_column = grid.column_count == 1
    fits = target.row_count == grid.row_count if is_column else target.column_count == grid.column_count
    if not grid.is_line or not fits or match_mode not in (-1, 0, 1, 2) or search_mode not in (-2, -1, 1, 2):
        return ErrorValue.VALUE
    found = _find_extended(grid.line(), wanted, match_mode, from_last=search_mode < 0)
    if found is None:
        return otherwise
    if is_column:
        rows: Sequence[Sequence[Value]] = [[target.at(found, c) for c in range(target.column_count)]]
    else:
        rows = [[target.at(r, found)] for r in range(target.row_count)]
    if len(rows) == 1 and len(rows[0]) == 1:
        return rows[0][0]
    return Grid(rows, len(rows), len(rows[0]))


@function("INDEX", "grid number [number number]", returns="any")
def index(argument: Argument, row: float, column: float | None = None, area: float = 1.0) -> Argument:
    """The value at a row and column counted from 1; 0 takes the whole row or column; one number counts along a line.

    Errors: #REF! outside, #VALUE! for a negative number.
    """
    grid = as_grid(argument)
    if whole(area) != 1:
        return ErrorValue.REF
    if column is None and grid.row_count == 1:
        row, column = (0.0 if grid.column_count == 1 and row == 0 else 1.0), row
    if column is None and grid.column_count == 1:
        column = 1.0
    row_place, column_place = (
        _whole_place(row, grid.row_count),
        _whole_place(column or 0.0, grid.column_count),
    )
    if row_place and column_place:
        return grid.at(row_place - 1, column_place - 1)
    return _slice(grid, row_place, column_place)


def _whole_place(position: float, count: int) -> int:
    if position <= -1.0:
        raise FailedError(ErrorValue.VALUE)
    if position >= count + 1:
        raise FailedError(ErrorValue.REF)
    return int(position)


def _slice(grid: Grid, row_place: int, column_place: int) -> Grid:
    """A whole row, a whole column, or everything; still a reference where the grid was one."""
    row_range = range(row_place - 1, row_place) if row_place else range(grid.row_count)
    column_range = range(column_place - 1, column_place) if column_place else range(grid.column_count)
    filled = range(row_range.start, min(row_range.stop, max(len(grid.rows), row_range.start + 1)))
    rows = [[grid.at(row, column) for column in column_range] for row in filled]
    origin = None
    if grid.origin is not None:
        sheet, top, left = grid.origin
        origin = (sheet, top + row_range.start, left + column_range.start)
    return Grid(rows, len(row_range), len(column_range), origin)


@function("ROWS", "grid")
def rows_of(argument: Argument) -> float:
    """How many rows a reference or array has."""
    return float(as_grid(argument).row_count)


@function("COLUMNS", "grid")
def columns_of(argument: Argument) -> float:
    """How many columns a reference or array has."""
    return float(as_grid(argument).column_count)


@function("ROW", "[grid]", wants_context=True)
def row_of(context: Context, argument: Argument = None) -> Argument:
    """The row of a reference, or of the cell itself; an array for several rows."""
    if argument is None:
        return float(context.row)
    if not isinstance(argument, Grid) or argument.origin is None:
        raise FailedError(ErrorValue.VALUE)
    top = argument.origin[1]
    if argument.row_count == 1:
        return float(top)
    return Grid([[float(top + row)] for row in range(argument.row_count)], argument.row_count, 1)


@function("COLUMN", "[grid]", wants_context=True)
def column_of(context: Context, argument: Argument = None) -> Argument:
    """The column of a reference, or of the cell itself; an array for several columns."""
    if argument is None:
        return float(context.column)
    if not isinstance(argument, Grid) or argument.origin is None:
        raise FailedError(ErrorValue.VALUE)
    left = argument.origin[2]
    if argument.column_count == 1:
        return float(left)
    return Grid([[float(left + column) for column in range(argument.column_count)]], 1, argument.column_count)


# --- searching -----------------------------------------------------------------------------------------


def find_exact(line: Sequence[Value], wanted: Value) -> int | None:
    """The first place that holds a value: numbers to the last bit, texts without case and with wildcards.

    Source: numbers are not rounded to 15 digits here as = does; both are widely measured, and the corpus agrees.
    """
    if wanted is None:
        wanted = 0.0
    if isinstance(wanted, str):
        pattern = wildcard(wanted)
        return next((i for i, v in enumerate(line) if isinstance(v, str) and pattern.matches(v)), None)
    kind = type(wanted)
    return next((i for i, v in enumerate(line) if type(v) is kind and v == wanted), None)


def find_at_or_below(line: Sequence[Value], wanted: Value) -> int | None:
    """The last place at or below a value by binary search, looking only at values of the same kind."""
    if wanted is None:
        wanted = 0.0
    places = [place for place, value in enumerate(line) if type(value) is type(wanted)]
    low, high = 0, len(places)
    while low < high:
        middle = (low + high) // 2
        if _follows(line[places[middle]], wanted):
            high = middle
        else:
            low = middle + 1
    return places[low - 1] if low else None


def _find_at_or_above_descending(line: Sequence[Value], wanted: Value) -> int | None:
    if wanted is None:
        wanted = 0.0
    found = None
    for place, value in enumerate(line):
        if type(value) is not type(wanted):
            continue
        if _follows(wanted, value):
            break
        if found is None or _follows(line[found], value):
            found = place
    return found


def _find_extended(line: Sequence[Value], wanted: Value, mode: float, *, from_last: bool) -> int | None:
    if wanted is None and mode == 0:
        return next((i for i, v in enumerate(line) if v is None), None)
    places = range(len(line) - 1, -1, -1) if from_last else range(len(line))
    if mode == 2 and isinstance(wanted, str):
        pattern = wildcard(wanted)
        for place in places:
            value = line[place]
            if isinstance(value, str) and pattern.matches(value):
                return place
        return None
    best: int | None = None
    for place in places:
        value = line[place]
        if type(value) is not type(wanted):
            continue
        if not _follows(value, wanted) and not _follows(wanted, value):
            return place
        if mode == -1 and _follows(wanted, value) and (best is None or _follows(value, line[best])):
            best = place
        if mode == 1 and _follows(value, wanted) and (best is None or _follows(line[best], value)):
            best = place
    return best


def _follows(left: Value, right: Value) -> bool:
    """Whether the first of two values of one kind comes after the second."""
    if isinstance(left, str) and isinstance(right, str):
        return left.lower() > right.lower()
    return number(left) > number(right)
