"""MATCH, XMATCH and the LOOKUPs. Source of each: Microsoft's page of that function."""

from __future__ import annotations

from collections.abc import Sequence

from tollway.engine.functions.kept_rows import INDEXED_ROWS_MIN, KeptRows
from tollway.engine.functions.lookup.matching import (
    find_at_or_above,
    find_at_or_below,
    find_exact,
    find_nearest,
    find_pattern,
    find_same,
    find_sorted,
    find_wildcard,
    has_wildcard,
)
from tollway.engine.functions.lookup.parts import part_of
from tollway.engine.functions.registry import Argument, FailedError, Grid, as_grid, function, number, whole
from tollway.engine.functions.text.regex import compiled
from tollway.engine.values import ErrorValue, Value

# Block forms seek as these functions do.
__all__ = ["find_exact"]

# MATCH, VLOOKUP and HLOOKUP seek no longer text.
WANTED_LENGTH_MAX = 255


@function("MATCH", "value grid [number]")
def match(wanted: Value, searched: Argument, match_type: float = 1.0) -> Value:
    """The position from 1 of a value in a row or column.

    Type 0 is exact, with wildcards in texts; 1 (or left out) the last at or below in ascending order; -1 the last at
    or above in descending order.
    Errors: #N/A when there is none, or when the range is no single row or column; #VALUE! for a sought text of more
    than 255 characters.
    """
    _check_wanted(wanted)
    grid = as_grid(searched)
    if not grid.is_line:
        return ErrorValue.NA
    if match_type == 0:
        found = (
            find_exact(_line(grid), wanted) if grid.row_count == 1 else _find_in_first_column(grid, wanted)
        )
        return ErrorValue.NA if found is None else float(found + 1)
    line = _line(grid)
    found = find_at_or_below(line, wanted) if match_type > 0 else find_at_or_above(line, wanted)
    return ErrorValue.NA if found is None else float(found + 1)


def _check_wanted(wanted: Value) -> None:
    if isinstance(wanted, str) and len(wanted) > WANTED_LENGTH_MAX:
        raise FailedError(ErrorValue.VALUE)


def _line(grid: Grid) -> Sequence[Value]:
    """A row or column as far as anything is filled: what follows is blank, and no search finds it first."""
    if grid.row_count == 1:
        return grid.rows[0] if grid.rows else ()
    return _first_column(grid)


def _first_column(grid: Grid) -> Sequence[Value]:
    rows = grid.rows
    return rows.column(0) if isinstance(rows, KeptRows) else [row[0] if row else None for row in rows]


def _find_in_first_column(grid: Grid, wanted: Value) -> int | None:
    """As find_exact over the first column; of rows that many formulas read an index is asked."""
    rows = grid.rows
    if isinstance(rows, KeptRows) and len(rows) >= INDEXED_ROWS_MIN and not has_wildcard(wanted):
        return rows.first_row(0, 0.0 if wanted is None else wanted)
    return find_exact(_first_column(grid), wanted)


def _find_at_or_below_in_first_column(grid: Grid, wanted: Value) -> int | None:
    return find_at_or_below(_first_column(grid), wanted)


@function("VLOOKUP", "value grid number [logical]", returns="any")
def vertical_lookup(wanted: Value, table: Argument, column: float, is_approximate: bool = True) -> Argument:
    """The value in a column of the row whose first column matches: exactly, or at or below in ascending order.

    Errors: #VALUE! for a column under 1 or a sought text of more than 255 characters, #REF! for a column beyond the
    table, #N/A when nothing matches.
    """
    _check_wanted(wanted)
    grid = as_grid(table)
    place = _place(column, grid.column_count)
    find = _find_at_or_below_in_first_column if is_approximate else _find_in_first_column
    found = find(grid, wanted)
    return ErrorValue.NA if found is None else grid.at(found, place)


@function("HLOOKUP", "value grid number [logical]", returns="any")
def horizontal_lookup(wanted: Value, table: Argument, row: float, is_approximate: bool = True) -> Argument:
    """The value in a row of the column whose first row matches: exactly, or at or below in ascending order.

    Errors: #VALUE! for a row under 1 or a sought text of more than 255 characters, #REF! for a row beyond the table,
    #N/A when nothing matches.
    """
    _check_wanted(wanted)
    grid = as_grid(table)
    place = _place(row, grid.row_count)
    first = grid.rows[0] if grid.rows else ()
    found = find_at_or_below(first, wanted) if is_approximate else find_exact(first, wanted)
    return ErrorValue.NA if found is None else grid.at(place, found)


def _place(position: float, count: int) -> int:
    if position < 1:
        raise FailedError(ErrorValue.VALUE)
    if position >= count + 1:
        raise FailedError(ErrorValue.REF)
    return int(position) - 1


@function("LOOKUP", "value array [array]", returns="any")
def lookup(wanted: Value, vector: Argument, results: Argument | None = None) -> Value:
    """The result at the place of the last value at or below, in ascending order.

    With two arguments the first column (or row, of a wider array) is searched and the last one gives the result.
    Errors: #N/A when there is none, or when a range of several rows and columns is given with a third argument;
    #REF! for a place beyond the results.
    """
    grid = as_grid(vector)
    is_wide = grid.column_count > grid.row_count
    if not grid.is_line and results is not None:
        return ErrorValue.NA
    first = (grid.rows[0] if grid.rows else ()) if is_wide else [row[0] if row else None for row in grid.rows]
    found = find_at_or_below(first, wanted)
    if found is None:
        return ErrorValue.NA
    if results is None:
        return grid.at(grid.row_count - 1, found) if is_wide else grid.at(found, grid.column_count - 1)
    target = as_grid(results)
    if not target.is_line:
        return ErrorValue.NA
    if found >= target.row_count * target.column_count:
        return ErrorValue.NA
    return target.at(0, found) if target.row_count == 1 else target.at(found, 0)


@function("XMATCH", "value grid [choice choice]")
def extended_match(
    wanted: Value, searched: Argument, match_mode: Value = None, search_mode: Value = None
) -> Value:
    """The position from 1 of a value in a row or column.

    Match mode 0 is exact, -1 exact or next smaller, 1 exact or next larger, 2 with wildcards, 3 a regular expression;
    search mode 1 from the first, -1 from the last, 2 by bisection over ascending data, -2 over descending data.
    Errors: #N/A when nothing matches; #VALUE! for a range of several rows and columns, an unknown mode, or wildcards
    or a regular expression sought by bisection.
    """
    grid = as_grid(searched)
    if not grid.is_line:
        return ErrorValue.VALUE
    found = _find_extended(grid, wanted, _mode(match_mode, 0), _mode(search_mode, 1))
    return ErrorValue.NA if found is None else float(found + 1)


@function("XLOOKUP", "value grid grid [grid choice choice]", returns="any")
def extended_lookup(
    wanted: Value,
    searched: Argument,
    results: Argument,
    if_not_found: Argument = None,
    match_mode: Value = None,
    search_mode: Value = None,
) -> Argument:
    """The entry of one range at the place where another holds a value; a whole row or column of a wider range.

    Match mode 0 is exact, -1 exact or next smaller, 1 exact or next larger, 2 with wildcards, 3 a regular expression;
    search mode 1 from the first, -1 from the last, 2 by bisection over ascending data, -2 over descending data.
    Errors: #VALUE! when the ranges do not fit, for an unknown mode, or wildcards or a regular expression sought by
    bisection; #N/A when nothing matches and nothing is said for that case.
    """
    for given in (searched, results):
        if isinstance(given, ErrorValue):
            return given
    grid, target = as_grid(searched), as_grid(results)
    is_column = grid.column_count == 1
    if is_column and grid.row_count == 1:
        is_column = target.row_count == 1
    fits = target.row_count == grid.row_count if is_column else target.column_count == grid.column_count
    if not grid.is_line or not fits:
        return ErrorValue.VALUE
    found = _find_extended(grid, wanted, _mode(match_mode, 0), _mode(search_mode, 1))
    if found is None:
        return ErrorValue.NA if if_not_found is None else if_not_found
    if is_column:
        return part_of(target, range(found, found + 1), range(target.column_count))
    return part_of(target, range(target.row_count), range(found, found + 1))


def _mode(value: Value, default: int) -> int:
    return default if value is None else whole(number(value))


def _find_extended(grid: Grid, wanted: Value, match_mode: int, search_mode: int) -> int | None:
    if match_mode not in (-1, 0, 1, 2, 3) or search_mode not in (-2, -1, 1, 2):
        raise FailedError(ErrorValue.VALUE)
    # A blank may be sought, and the blanks after the last filled cell are found then.
    line = grid.line() if wanted is None else _line(grid)
    from_last = search_mode == -1
    if search_mode in (-2, 2):
        if match_mode in (2, 3):
            raise FailedError(ErrorValue.VALUE)
        return find_sorted(line, wanted, match_mode, is_descending=search_mode == -2)
    if match_mode == 2:
        return find_wildcard(line, wanted, from_last=from_last)
    if match_mode == 3 and isinstance(wanted, str):
        return find_pattern(line, compiled(wanted, ignores_case=False), from_last=from_last)
    if match_mode in (-1, 1):
        return find_nearest(line, wanted, takes_larger=match_mode == 1, from_last=from_last)
    return find_same(line, wanted, from_last=from_last)
