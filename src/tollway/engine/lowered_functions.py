"""Worksheet functions that become several operations, or one over many operands, when their arguments vary."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tollway.engine.functions.registry import Grid
from tollway.engine.lowering import Lowered, Lowering, NotLowerableError, Varying, element_of, kind_of
from tollway.engine.operations import Constant, Kind, Operand, Slot
from tollway.engine.values import ErrorValue, Value, to_number

Lower = Callable[[Lowering, Sequence[Lowered]], Lowered]
_ZERO = Constant(0.0)
_NO_VALUE = Constant(ErrorValue.VALUE)
# What a blank counts as among values of one kind.
_BLANKS: dict[Kind, Value] = {Kind.NUMBER: 0.0, Kind.LOGICAL: False, Kind.TEXT: ""}


# --- over all numbers of all arguments -----------------------------------------------------------------


def _terms(lowering: Lowering, arguments: Sequence[Lowered]) -> tuple[list[Operand], list[Operand]]:
    """The numbers that SUM and its like see, and operands that are no numbers but may be error values."""
    terms: list[Operand] = []
    silent: list[Operand] = []
    for argument in arguments:
        if isinstance(argument, (Grid, Varying)):
            for operand in _operands(argument):
                _add_cell_term(lowering, operand, terms, silent)
        else:
            terms.append(lowering.numeric(argument))
    return terms, silent


def _operands(grid: Grid | Varying) -> list[Operand]:
    if isinstance(grid, Varying):
        return grid.operands()
    return [Constant(value) for value in grid.values()]


def _add_cell_term(lowering: Lowering, operand: Operand, terms: list[Operand], silent: list[Operand]) -> None:
    kind = kind_of(operand)
    if kind is Kind.NUMBER:
        terms.append(operand)
    elif kind is Kind.ANY:
        raise NotLowerableError
    elif isinstance(operand, Slot):
        silent.append(lowering.builder.emit("zero_of", (operand,), Kind.NUMBER))


def _total(lowering: Lowering, terms: Sequence[Operand]) -> Operand:
    total: Operand = _ZERO
    for term in terms:
        total = lowering.arithmetic("+", total, term)
    return total


def _sum(lowering: Lowering, arguments: Sequence[Lowered]) -> Lowered:
    terms, silent = _terms(lowering, arguments)
    return _total(lowering, [*terms, *silent])


def _average(lowering: Lowering, arguments: Sequence[Lowered]) -> Lowered:
    terms, silent = _terms(lowering, arguments)
    if not terms or silent:
        raise NotLowerableError
    return lowering.arithmetic("/", _total(lowering, terms), Constant(float(len(terms))))


def _product(lowering: Lowering, arguments: Sequence[Lowered]) -> Lowered:
    terms, silent = _terms(lowering, arguments)
    if not terms or silent:
        raise NotLowerableError
    result = terms[0]
    for term in terms[1:]:
        result = lowering.arithmetic("*", result, term)
    return result


def _sum_of_squares(lowering: Lowering, arguments: Sequence[Lowered]) -> Lowered:
    terms, silent = _terms(lowering, arguments)
    return _total(lowering, [*(lowering.arithmetic("*", term, term) for term in terms), *silent])


def _extreme(name: str) -> Lower:
    def lower(lowering: Lowering, arguments: Sequence[Lowered]) -> Lowered:
        terms, silent = _terms(lowering, arguments)
        if not terms or silent:
            raise NotLowerableError
        result = terms[0]
        for term in terms[1:]:
            result = _extreme_of_two(lowering, name, result, term)
        return result

    return lower


def _extreme_of_two(lowering: Lowering, name: str, left: Operand, right: Operand) -> Operand:
    if isinstance(left, Constant) and isinstance(right, Constant):
        assert isinstance(left.value, float)
        assert isinstance(right.value, float)
        return Constant((min if name == "minimum" else max)(left.value, right.value))
    return left if left == right else lowering.builder.emit(name, (left, right), Kind.NUMBER)


def _count(lowering: Lowering, arguments: Sequence[Lowered]) -> Lowered:
    # Errors do not count and do not spread, so a number that may fail is counted in each iteration.
    total: Operand = _ZERO
    for argument in arguments:
        if not isinstance(argument, (Grid, Varying)):
            raise NotLowerableError
        for operand in _operands(argument):
            if kind_of(operand) is Kind.ANY and isinstance(operand, Slot):
                raise NotLowerableError
            if kind_of(operand) is not Kind.NUMBER:
                continue
            counted: Operand = Constant(1.0)
            if isinstance(operand, Slot):
                fine = lowering.builder.emit("is_number", (operand,), Kind.LOGICAL)
                counted = lowering.numeric(fine)
            total = lowering.arithmetic("+", total, counted)
    return total


def _sum_of_products(lowering: Lowering, arguments: Sequence[Lowered]) -> Lowered:
    shapes = {
        (argument.row_count, argument.column_count) if isinstance(argument, (Grid, Varying)) else (1, 1)
        for argument in arguments
    }
    if len(shapes) != 1:
        raise NotLowerableError
    rows = min(len(a.rows) if isinstance(a, (Grid, Varying)) else 1 for a in arguments)
    terms: list[Operand] = []
    for row in range(rows):
        widths = [len(a.rows[row]) if isinstance(a, (Grid, Varying)) else 1 for a in arguments]
        terms.extend(
            _product_term(lowering, [element_of(a, row, column) for a in arguments])
            for column in range(min(widths))
        )
    return _total(lowering, terms)


def _product_term(lowering: Lowering, factors: Sequence[Operand]) -> Operand:
    result: Operand = Constant(1.0)
    for factor in factors:
        kind = kind_of(factor)
        number = factor
        if kind is Kind.ANY:
            raise NotLowerableError
        if kind is not Kind.NUMBER:
            number = (
                lowering.builder.emit("zero_of", (factor,), Kind.NUMBER)
                if isinstance(factor, Slot)
                else _ZERO
            )
        result = lowering.arithmetic("*", result, number)
    return result


def _net_present_value(lowering: Lowering, arguments: Sequence[Lowered]) -> Lowered:
    rate = lowering.numeric(element_of(arguments[0], 0, 0))
    payments, silent = _terms(lowering, arguments[1:])
    if silent:
        raise NotLowerableError
    discount = lowering.arithmetic("+", Constant(1.0), rate)
    total: Operand = _ZERO
    factor = discount
    for payment in payments:
        total = lowering.arithmetic("+", total, lowering.arithmetic("/", payment, factor))
        factor = lowering.arithmetic("*", factor, discount)
    return total


# --- conditions ----------------------------------------------------------------------------------------


def _all_conditions(lowering: Lowering, arguments: Sequence[Lowered]) -> list[Operand]:
    conditions: list[Operand] = []
    for argument in arguments:
        if not isinstance(argument, (Grid, Varying)):
            conditions.append(lowering.logical(argument))
            continue
        for operand in _operands(argument):
            kind = kind_of(operand)
            if kind in (Kind.NUMBER, Kind.LOGICAL):
                conditions.append(lowering.logical(operand))
            elif isinstance(operand, Slot) or kind is Kind.ANY:
                raise NotLowerableError
    return conditions


def _joined(name: str) -> Lower:
    def lower(lowering: Lowering, arguments: Sequence[Lowered]) -> Lowered:
        conditions = _all_conditions(lowering, arguments)
        if not conditions:
            raise NotLowerableError
        result = conditions[0]
        if len(conditions) == 1:
            return result
        for condition in conditions[1:]:
            result = lowering.builder.emit(name, (result, condition), Kind.LOGICAL)
        return result

    return lower


def _not(lowering: Lowering, arguments: Sequence[Lowered]) -> Lowered:
    if isinstance(arguments[0], (Grid, Varying)):
        raise NotLowerableError
    return lowering.builder.emit("not", (lowering.logical(arguments[0]),), Kind.LOGICAL)


def _if(lowering: Lowering, arguments: Sequence[Lowered]) -> Lowered:
    branches = [arguments[1], arguments[2] if len(arguments) > 2 else Constant(False)]
    grids = [argument for argument in (arguments[0], *branches) if isinstance(argument, (Grid, Varying))]
    if not grids:
        condition = lowering.logical(element_of(arguments[0], 0, 0))
        then, otherwise = (element_of(branch, 0, 0) for branch in branches)
        return _selected(lowering, condition, then, otherwise)
    if any(grid.origin is not None for grid in grids):
        raise NotLowerableError
    row_count = max(grid.row_count for grid in grids)
    column_count = max(grid.column_count for grid in grids)
    rows = [
        [
            element_of(_if(lowering, [element_of(a, row, column) for a in (arguments[0], *branches)]), 0, 0)
            for column in range(column_count)
        ]
        for row in range(row_count)
    ]
    return Varying(rows, row_count, column_count)


def _selected(lowering: Lowering, condition: Operand, then: Operand, otherwise: Operand) -> Operand:
    if isinstance(condition, Constant):
        return then if condition.value else otherwise
    then, otherwise, kind = _of_one_kind(then, otherwise)
    return lowering.builder.emit("select", (condition, then, otherwise), kind)


def _of_one_kind(*operands: Operand) -> tuple[Operand, Operand, Kind]:
    """Two operands as one kind of block: blanks become 0 or "", an error value takes the other's kind."""
    kinds = {
        kind_of(operand)
        for operand in operands
        if not (isinstance(operand, Constant) and isinstance(operand.value, ErrorValue))
    }
    kinds.discard(None)
    kind = kinds.pop() if kinds else Kind.NUMBER
    if kinds or kind is Kind.ANY or kind is None:
        raise NotLowerableError
    blank = _BLANKS[kind]
    left, right = (Constant(blank) if operand == Constant(None) else operand for operand in operands)
    return left, right, kind


def _if_error(lowering: Lowering, arguments: Sequence[Lowered]) -> Lowered:
    if any(isinstance(argument, (Grid, Varying)) for argument in arguments):
        raise NotLowerableError
    tried, otherwise = (element_of(argument, 0, 0) for argument in arguments)
    if isinstance(tried, Constant):
        return otherwise if isinstance(tried.value, ErrorValue) else tried
    tried, otherwise, kind = _of_one_kind(tried, otherwise)
    return lowering.builder.emit("if_error", (tried, otherwise), kind)


def _question(name: str) -> Lower:
    def lower(lowering: Lowering, arguments: Sequence[Lowered]) -> Lowered:
        tried = arguments[0]
        if isinstance(tried, (Grid, Varying)) or kind_of(tried) is Kind.ANY:
            raise NotLowerableError
        if name == "is_number" and kind_of(tried) is not Kind.NUMBER:
            raise NotLowerableError
        return lowering.builder.emit(name, (tried,), Kind.LOGICAL)

    return lower


# --- lookups -------------------------------------------------------------------------------------------


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
    blank = Constant(_BLANKS[kind])
    filled = [blank if entry == Constant(None) else entry for entry in (zero, *entries)]
    table = tuple(entry.value for entry in filled[1:] if isinstance(entry, Constant))
    is_table = len(table) == len(entries) and not any(isinstance(value, ErrorValue) for value in table)
    if kind is Kind.NUMBER and zero == _NO_VALUE and is_table:
        return lowering.builder.emit(
            "take", (place,), kind, (np.array(table), above.code), key=(table, above.code)
        )
    return lowering.builder.emit("gather", (place, *filled), kind, above.code)


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


LOWERED: dict[str, Lower] = {
    "SUM": _sum,
    "AVERAGE": _average,
    "PRODUCT": _product,
    "SUMSQ": _sum_of_squares,
    "MIN": _extreme("minimum"),
    "MAX": _extreme("maximum"),
    "COUNT": _count,
    "SUMPRODUCT": _sum_of_products,
    "NPV": _net_present_value,
    "AND": _joined("and"),
    "OR": _joined("or"),
    "NOT": _not,
    "IF": _if,
    "IFERROR": _if_error,
    "ISERROR": _question("is_error"),
    "ISERR": _question("is_error_but_not_available"),
    "ISNA": _question("is_not_available"),
    "ISNUMBER": _question("is_number"),
    "CHOOSE": _choose,
    "INDEX": _index,
    "MATCH": _match,
    "VLOOKUP": _vertical_lookup,
    "HLOOKUP": _horizontal_lookup,
}
