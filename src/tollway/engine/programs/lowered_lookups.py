"""CHOOSE, INDEX, MATCH and the LOOKUPs when what is sought, or what is found, varies."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tollway.engine.functions.registry import Grid
from tollway.engine.programs.lowering import Lower, Lowering
from tollway.engine.programs.operands import BLANKS, Lowered, NotLowerableError, Varying, element_of, kind_of
from tollway.engine.programs.operations import Constant, Kind, Operand, Slot
from tollway.engine.values import ErrorValue, Value, to_number

_NO_VALUE = Constant(ErrorValue.VALUE)


def _choose(lowering: Lowering, arguments: Sequence[Lowered]) -> Lowered:
    if any(isinstance(argument, (Grid, Varying)) for argument in arguments):
        raise NotLowerableError
    operands = [element_of(argument, 0, 0) for argument in arguments]
    return _gathered(lowering, lowering.numeric(operands[0]), operands[1:], ErrorValue.VALUE)


def _gathered(
    lowering: Lowering,
    place: Operand,
    entries: Sequence[Operand],
    above: ErrorValue,
    *,
    zero: Operand = _NO_VALUE,
) -> Operand:
    """The entry at a varying place counted from 1; `zero` is that of place 0, `above` the error past the end.

    A place below 0 gives #VALUE!.
    """
    if not isinstance(place, Slot):
        raise NotLowerableError
    known = {kind_of(entry) for entry in (zero, *entries) if not _is_error(entry)} - {None}
    kind = known.pop() if known else Kind.NUMBER
    if known or kind is Kind.ANY or kind is None:
        raise NotLowerableError
    blank = Constant(BLANKS[kind])
    filled = [blank if entry == Constant(None) else entry for entry in (zero, *entries)]
    table = tuple(entry.value for entry in filled[1:] if isinstance(entry, Constant))
    is_table = len(table) == len(entries) and not any(isinstance(value, ErrorValue) for value in table)
    if kind is Kind.NUMBER and zero == _NO_VALUE and is_table:
        return lowering.builder.emit(
            "take", (place,), kind, (np.array(table), above.code), key=(table, above.code)
        )
    return lowering.builder.emit("gather", (place, *filled), kind, (above.code, kind))


def _is_error(operand: Operand) -> bool:
    return isinstance(operand, Constant) and isinstance(operand.value, ErrorValue)


def _index(lowering: Lowering, arguments: Sequence[Lowered]) -> Lowered:
    grid = arguments[0]
    if not isinstance(grid, (Grid, Varying)) or len(arguments) > 3:
        raise NotLowerableError
    row, column = _index_places(lowering, grid, arguments[1:])
    if isinstance(row, Constant) and isinstance(column, Constant):
        return _at_constant(grid, row, column)
    if isinstance(row, Slot) and isinstance(column, Constant):
        fixed, place = _constant_place(column, grid.column_count), row
        if grid.row_count > len(grid.rows):
            raise NotLowerableError
        spots = [(at, fixed) for at in range(grid.row_count)]
    elif isinstance(column, Slot) and isinstance(row, Constant):
        fixed, place = _constant_place(row, grid.row_count), column
        spots = [(fixed, at) for at in range(grid.column_count)]
    else:
        raise NotLowerableError
    entries = [element_at(grid, *spot) for spot in spots]
    return _gathered(lowering, place, entries, ErrorValue.REF, zero=_at_zero(lowering, grid, place, spots))


def _at_zero(
    lowering: Lowering, grid: Grid | Varying, place: Slot, spots: Sequence[tuple[int, int]]
) -> Operand:
    """What INDEX gives at place 0, where it means the whole line: the cell in line with the formula's own."""
    if lowering.builder.made_by.get(place.index) in ("position", "position_exact", "text_position"):
        return _NO_VALUE
    if not lowering.wants_value or grid.origin is None:
        raise NotLowerableError
    sheet, top, left = grid.origin
    (first_row, first_column), (last_row, last_column) = spots[0], spots[-1]
    corner = (sheet, top + first_row, left + first_column)
    line = Varying((), last_row - first_row + 1, last_column - first_column + 1, corner)
    return lowering.in_line_of(line)


def _index_places(
    lowering: Lowering, grid: Grid | Varying, places: Sequence[Lowered]
) -> tuple[Operand, Operand]:
    if any(isinstance(place, (Grid, Varying)) for place in places):
        raise NotLowerableError
    numbers = [lowering.numeric(element_of(place, 0, 0)) for place in places]
    if len(numbers) == 2:
        return numbers[0], numbers[1]
    if grid.row_count == 1:
        return Constant(1.0), numbers[0]
    return numbers[0], Constant(1.0 if grid.column_count == 1 else 0.0)


def _constant_place(place: Constant, count: int) -> int:
    assert isinstance(place.value, float)
    if not 1 <= place.value < count + 1:
        raise NotLowerableError
    return int(place.value) - 1


def _at_constant(grid: Grid | Varying, row: Constant, column: Constant) -> Operand:
    return element_at(grid, _constant_place(row, grid.row_count), _constant_place(column, grid.column_count))


def element_at(grid: Grid | Varying, row: int, column: int) -> Operand:
    """What stands at a place of an array, without the stretching of single rows and columns."""
    return grid.at(row, column) if isinstance(grid, Varying) else Constant(grid.at(row, column))


def _match(lowering: Lowering, arguments: Sequence[Lowered]) -> Lowered:
    wanted, line = arguments[0], arguments[1]
    kind = arguments[2] if len(arguments) > 2 else Constant(1.0)
    if not isinstance(line, Grid) or not line.is_line or not isinstance(kind, Constant):
        raise NotLowerableError
    match_type = to_number(kind.value)
    if isinstance(match_type, ErrorValue) or match_type < 0:
        raise NotLowerableError
    return _position(lowering, wanted, line.line(), is_exact=match_type == 0)


def _position(lowering: Lowering, wanted: Lowered, line: Sequence[Value], *, is_exact: bool) -> Slot:
    """The place, counted from 1, of a varying value among constants; #N/A when there is none."""
    if not isinstance(wanted, Slot):
        raise NotLowerableError
    if wanted.kind is Kind.TEXT and is_exact:
        return lowering.builder.emit("text_position", (wanted,), Kind.NUMBER, tuple(line))
    if wanted.kind is not Kind.NUMBER:
        raise NotLowerableError
    pairs = [(value, float(at + 1)) for at, value in enumerate(line) if isinstance(value, float)]
    if is_exact:
        first: dict[float, float] = {}
        for key, at in pairs:
            first.setdefault(key, at)
        pairs = sorted(first.items())
    keys, places = np.array(pairs).reshape(-1, 2).T
    if not pairs or np.any(np.diff(keys) < 0):
        raise NotLowerableError
    name = "position_exact" if is_exact else "position"
    return lowering.builder.emit(name, (wanted,), Kind.NUMBER, (keys.copy(), places.copy()), key=tuple(pairs))


def _vertical_lookup(lowering: Lowering, arguments: Sequence[Lowered]) -> Lowered:
    wanted, table = arguments[0], arguments[1]
    if not isinstance(table, (Grid, Varying)):
        raise NotLowerableError
    column, is_exact = _lookup_settings(lowering, arguments, table.column_count)
    rows = range(len(table.rows))
    place = _position(lowering, wanted, _constants(table, [(row, 0) for row in rows]), is_exact=is_exact)
    return _gathered(lowering, place, [element_at(table, row, column) for row in rows], ErrorValue.NA)


def _horizontal_lookup(lowering: Lowering, arguments: Sequence[Lowered]) -> Lowered:
    wanted, table = arguments[0], arguments[1]
    if not isinstance(table, (Grid, Varying)):
        raise NotLowerableError
    row, is_exact = _lookup_settings(lowering, arguments, table.row_count)
    columns = range(len(table.rows[0]))
    line = _constants(table, [(0, column) for column in columns])
    place = _position(lowering, wanted, line, is_exact=is_exact)
    return _gathered(lowering, place, [element_at(table, row, column) for column in columns], ErrorValue.NA)


def _lookup_settings(lowering: Lowering, arguments: Sequence[Lowered], count: int) -> tuple[int, bool]:
    place = element_of(arguments[2], 0, 0)
    mode = lowering.logical(element_of(arguments[3], 0, 0)) if len(arguments) > 3 else Constant(True)
    if not isinstance(place, Constant) or not isinstance(mode, Constant):
        raise NotLowerableError
    number = lowering.numeric(place)
    assert isinstance(number, Constant)
    return _constant_place(number, count), not mode.value


def _constants(table: Grid | Varying, places: Sequence[tuple[int, int]]) -> list[Value]:
    operands = [element_at(table, row, column) for row, column in places]
    constants = [operand.value for operand in operands if isinstance(operand, Constant)]
    if len(constants) != len(operands):
        raise NotLowerableError
    return constants


LOOKUPS: dict[str, Lower] = {
    "CHOOSE": _choose,
    "INDEX": _index,
    "MATCH": _match,
    "VLOOKUP": _vertical_lookup,
    "HLOOKUP": _horizontal_lookup,
}
