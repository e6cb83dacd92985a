"""Worksheet functions that become several operations, or one over many operands, when their arguments vary."""

from __future__ import annotations

from collections.abc import Sequence

from tollway.engine.functions.registry import Grid
from tollway.engine.programs.lowered_lookups import LOOKUPS
from tollway.engine.programs.lowering import Lower, Lowering
from tollway.engine.programs.operands import BLANKS, Lowered, NotLowerableError, Varying, element_of, kind_of
from tollway.engine.programs.operations import Constant, Kind, Operand, Slot
from tollway.engine.values import ErrorValue

_ZERO = Constant(0.0)


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
        return grid.items()
    return [Constant(value) for value in grid.items()]


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
        total = lowering.arithmetic("+", total, term, accumulates=True)
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
        result = lowering.arithmetic("*", result, term, accumulates=True)
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
    # Even of no payment, an error value of the rate is the result.
    total = lowering.builder.emit("zero_of", (rate,), Kind.NUMBER) if isinstance(rate, Slot) else _ZERO
    factor: Operand = Constant(1.0)
    for payment in payments:
        total = lowering.arithmetic("+", total, lowering.arithmetic("/", payment, factor))
        factor = lowering.arithmetic("*", factor, discount)
    if payments:
        total = lowering.arithmetic("/", total, discount)
    if not isinstance(rate, Slot):
        return total
    return lowering.builder.emit("settle_discounts", (total, factor), Kind.NUMBER)


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
    blank = BLANKS[kind]
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
    **LOOKUPS,
}
