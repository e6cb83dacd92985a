"""The operations over blocks: each reads operands from registers and writes one result, error values included."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tollway.engine.exact.interpret import Interpreter
from tollway.engine.functions import find_function
from tollway.engine.functions.registry import Context, call
from tollway.engine.programs.lookup_blocks import (
    gather,
    position,
    position_exact,
    take,
    text_compare,
    text_position,
)
from tollway.engine.programs.operands import Interpreted
from tollway.engine.programs.operations import Kind
from tollway.engine.programs.registers import Errors, Operation, Registers
from tollway.engine.programs.slice_lanes import SliceLanes
from tollway.engine.values import ErrorValue, Value, numbers_equal, power

# Two numbers further apart than this share of one of them differ in their first 15 digits.
_NEAR = 1e-14
# A difference under 2**-49 of its operand may be rounding dust; values.snap has the exact bound.
_DUST = 2.0**-49
_NUM = np.int8(ErrorValue.NUM.code)
_DIV0 = np.int8(ErrorValue.DIV0.code)
_NA = np.int8(ErrorValue.NA.code)
# The method min() comes to this by a detour.
_LOWEST = np.minimum.reduce
_ANYWHERE = Context(1, 1, is_1904=False)


# --- arithmetic ----------------------------------------------------------------------------------------


def _accumulate(registers: Registers, target: int, operands: tuple[int, ...], _: Any) -> None:
    """The errors of a growing sum or product: of the terms, for an overflow on the way counts only at the end."""
    left, right = operands
    so_far, added = registers.errors[left], registers.settled(right)
    if added is None:
        registers.errors[target] = so_far
        return
    # Whether the first term was itself too large, before the one that is no number, nobody remembers.
    unclear = (added != 0) & ~np.isfinite(registers.column(left))
    if so_far is not None:
        unclear &= so_far == 0
        added = np.where(so_far != 0, so_far, added)
    if unclear.any():
        registers.flag(unclear)
    registers.errors[target] = added


def _negative(registers: Registers, target: int, operands: tuple[int, ...], _: Any) -> None:
    registers.values[target] = np.negative(registers.values[operands[0]])
    registers.errors[target] = registers.errors[operands[0]]


def _divide(registers: Registers, target: int, operands: tuple[int, ...], _: Any) -> None:
    values, errors = registers.values, registers.errors
    left, right = operands
    divisor = values[right]
    quotient = values[target] = np.true_divide(values[left], divisor)
    if not registers.has_overflow and errors[left] is None and errors[right] is None:
        return
    found = registers.first_error(operands)
    bad = ~np.isfinite(quotient)
    if found is None and not bad.any():
        return
    known = np.int8(0) if found is None else found
    fault = np.where(np.equal(divisor, 0.0), _DIV0, _NUM)
    errors[target] = np.where((known == 0) & bad, fault, known)


def _power(registers: Registers, target: int, operands: tuple[int, ...], _: Any) -> None:
    values = registers.values
    base, exponent = (values[index] for index in operands)
    result = np.power(base, exponent)
    found = registers.first_error(operands)
    # Only 0^0 is finite and yet not what Excel gives.
    is_plain = (type(exponent) is float and exponent != 0.0) or np.all(base)
    if found is None and is_plain and np.isfinite(result.dot(result)):
        values[target] = result
        return
    doubt = ~np.isfinite(result) | np.equal(base, 0.0)
    _write_checked(
        registers, target, operands, (result, found, doubt), lambda given: power(given[0], given[1])
    )


def _write_checked(
    registers: Registers,
    target: int,
    operands: tuple[int, ...],
    outcome: tuple[NDArray[Any], Errors | None, NDArray[np.bool_]],
    exact: Callable[[list[float]], Any],
) -> None:
    """Store a result after asking the exact scalar rule about lanes in doubt that have no error yet."""
    result, found, doubt = outcome
    if found is not None:
        doubt = doubt & (found == 0)
    if doubt.any():
        registers.note_replayed(doubt)
        result = np.array(np.broadcast_to(result, (registers.iteration_count,)))
        found = np.zeros(registers.iteration_count, dtype=np.int8) if found is None else found.copy()
        columns = [registers.column(index) for index in operands]
        for lane in np.flatnonzero(doubt):
            value = exact([float(column[lane]) for column in columns])
            if isinstance(value, ErrorValue):
                found[lane] = value.code
            else:
                result[lane] = value
        if not found.any():
            found = None
    # What the exact rules gave as a number is finite, and the rest has its code.
    registers.values[target] = result
    registers.errors[target] = found


def _snap(registers: Registers, target: int, operands: tuple[int, ...], _: Any) -> None:
    """Rounding dust of a formula's last + or - becomes 0; values.snap lane by lane would give the same."""
    result, operand = (registers.values[index] for index in operands)
    registers.errors[target] = registers.errors[operands[0]]
    registers.values[target] = result
    smallest = float(_LOWEST(result))
    if smallest <= 0.0:
        smallest = float(_LOWEST(np.abs(result)))
    if smallest >= _size_bound(operand) * _DUST:
        return
    is_small = np.less(np.abs(result), np.abs(operand) * _DUST)
    if (is_small & np.not_equal(result, 0.0)).any():
        bound = np.ldexp(1.0, np.frexp(operand)[1] - 50)
        registers.values[target] = np.where(np.less(np.abs(result), bound), 0.0, result)


def _size_bound(values: Any) -> float:
    """At least the largest distance from 0; the length of the vector is found faster than the largest."""
    return abs(values) if type(values) is float else math.sqrt(values.dot(values))


def _extreme(ufunc: np.ufunc) -> Operation:
    def run(registers: Registers, target: int, operands: tuple[int, ...], _: Any) -> None:
        values = registers.values
        # They could hide an overflow, so it gets its code before.
        registers.errors[target] = registers.first_error(operands)
        values[target] = ufunc(values[operands[0]], values[operands[1]])

    return run


def _settle_discounts(registers: Registers, target: int, operands: tuple[int, ...], _: Any) -> None:
    """A sum of discounted payments: where discounting fails, an error value of a later payment may come first."""
    total, factor = operands
    found = registers.errors[target] = registers.settled(total)
    registers.values[target] = registers.values[total]
    if found is None:
        return
    factors = registers.column(factor)
    unclear = (found != 0) & (~np.isfinite(factors) | np.equal(factors, 0.0))
    if unclear.any():
        registers.flag(unclear)


def _number_of_logical(registers: Registers, target: int, operands: tuple[int, ...], _: Any) -> None:
    registers.values[target] = registers.values[operands[0]].astype(np.float64)
    registers.errors[target] = registers.errors[operands[0]]


def _zero_of(registers: Registers, target: int, operands: tuple[int, ...], _: Any) -> None:
    registers.values[target] = np.zeros(registers.iteration_count)
    registers.errors[target] = registers.settled(operands[0])


# --- conditions ----------------------------------------------------------------------------------------


def _compare(ufunc: np.ufunc) -> Operation:
    """A comparison that sees 15 significant digits: lanes whose sides almost meet are settled one by one."""
    when_equal = bool(ufunc(0.0, 0.0))

    def run(registers: Registers, target: int, operands: tuple[int, ...], _: Any) -> None:
        left, right = (registers.values[index] for index in operands)
        registers.errors[target] = registers.first_error(operands)
        result = ufunc(left, right)
        if type(right) is not float or right != 0.0:
            near = np.less(np.abs(np.subtract(left, right)), np.abs(right) * (1.1 * _NEAR))
            if near.any():
                near &= np.not_equal(left, right)
                _settle_near(registers, operands, near, result, when_equal=when_equal)
        registers.values[target] = result

    return run


def _settle_near(
    registers: Registers,
    operands: tuple[int, ...],
    near: NDArray[np.bool_],
    result: NDArray[np.bool_],
    *,
    when_equal: bool,
) -> None:
    if not near.any():
        return
    registers.note_replayed(near)
    lefts, rights = (registers.column(index) for index in operands)
    for lane in np.flatnonzero(near):
        if numbers_equal(float(lefts[lane]), float(rights[lane])):
            result[lane] = when_equal


def _truth(registers: Registers, target: int, operands: tuple[int, ...], _: Any) -> None:
    registers.errors[target] = registers.first_error(operands)
    registers.values[target] = np.not_equal(registers.values[operands[0]], 0.0)


def _join(ufunc: np.ufunc) -> Operation:
    def run(registers: Registers, target: int, operands: tuple[int, ...], _: Any) -> None:
        left, right = operands
        registers.values[target] = ufunc(registers.values[left], registers.values[right])
        registers.spread(target, operands)

    return run


def _not(registers: Registers, target: int, operands: tuple[int, ...], _: Any) -> None:
    registers.values[target] = np.logical_not(registers.values[operands[0]])
    registers.errors[target] = registers.errors[operands[0]]


def _select(registers: Registers, target: int, operands: tuple[int, ...], _: Any) -> None:
    values, errors = registers.values, registers.errors
    condition, then, otherwise = operands
    chosen = values[condition]
    values[target] = np.where(chosen, values[then], values[otherwise])
    if errors[condition] is None and errors[then] is None and errors[otherwise] is None:
        return
    none = np.int8(0)
    then_errors, otherwise_errors = registers.settled(then), registers.settled(otherwise)
    found = np.where(
        chosen,
        none if then_errors is None else then_errors,
        none if otherwise_errors is None else otherwise_errors,
    )
    if errors[condition] is not None:
        found = np.where(errors[condition] != 0, errors[condition], found)
    errors[target] = found if found.any() else None


def _if_error(registers: Registers, target: int, operands: tuple[int, ...], _: Any) -> None:
    tried, otherwise = operands
    values, found = registers.values, registers.settled(operands[0])
    if found is None:
        values[target] = values[tried]
        return
    failed = found != 0
    values[target] = np.where(failed, values[otherwise], values[tried])
    other_errors = registers.settled(otherwise)
    if other_errors is not None:
        registers.errors[target] = np.where(failed, other_errors, np.int8(0))


def _is_error(test: Callable[[Errors], NDArray[np.bool_]], if_none: bool) -> Operation:
    def run(registers: Registers, target: int, operands: tuple[int, ...], _: Any) -> None:
        found = registers.settled(operands[0])
        registers.values[target] = (
            np.full(registers.iteration_count, if_none) if found is None else test(found)
        )

    return run


# --- functions -----------------------------------------------------------------------------------------


def _call(registers: Registers, target: int, operands: tuple[int, ...], name: Any) -> None:
    called = find_function(name)
    assert called is not None, name
    assert called.block is not None, name
    found = registers.first_error(operands)
    result = called.block(*(registers.values[index] for index in operands))
    result, mask = result if isinstance(result, tuple) else (result, None)
    if found is None and mask is None and np.isfinite(result.dot(result)):
        registers.values[target] = result
        return
    doubt = ~np.isfinite(result) if mask is None else ~np.isfinite(result) | mask
    _write_checked(
        registers,
        target,
        operands,
        (result, found, doubt),
        lambda given: call(called, given, _ANYWHERE),
    )


def _interpret(registers: Registers, target: int, operands: tuple[int, ...], detail: Any) -> None:
    """One iteration after another through the scalar interpreter."""
    assert isinstance(detail, Interpreted)
    columns = [registers.objects(index, kind) for index, kind in zip(operands, detail.kinds, strict=True)]
    held: dict[tuple[int, int, int], Value] = {}

    def value_of(address: tuple[int, int, int]) -> Value:
        if address in held:
            return held[address]
        return detail.constant_at(address)

    registers.note_replayed(np.ones(registers.iteration_count, dtype=np.bool_))
    interpreter = Interpreter(detail.book, value_of)
    found: list[Value] = []
    for lane in range(registers.iteration_count):
        held.update(zip(detail.cells, (column[lane] for column in columns), strict=True))
        found.append(interpreter.cell_value(detail.address, detail.node))
    _write_objects(registers, target, found, detail.kind)


def _interpret_slice(registers: Registers, target: int, operands: tuple[int, ...], detail: Any) -> None:
    """Every output of one iteration after another."""
    assert isinstance(detail, SliceLanes)
    registers.note_replayed(np.ones(registers.iteration_count, dtype=np.bool_))
    columns = [registers.objects(index, Kind.NUMBER) for index in operands]
    found = np.empty(registers.iteration_count, dtype=object)
    for lane in range(registers.iteration_count):
        found[lane] = detail.values([column[lane] for column in columns])
    registers.values[target] = found


def _pick(registers: Registers, target: int, operands: tuple[int, ...], detail: Any) -> None:
    """One of the outputs that a slice gives."""
    column = np.empty(registers.iteration_count, dtype=object)
    column[:] = [values[detail] for values in registers.values[operands[0]]]
    registers.values[target] = column


def _write_objects(registers: Registers, target: int, found: list[Value], kind: Kind) -> None:
    if kind is Kind.ANY:
        column = np.empty(len(found), dtype=object)
        column[:] = found
        registers.values[target] = column
        return
    codes = np.array([value.code if isinstance(value, ErrorValue) else 0 for value in found], dtype=np.int8)
    dtype = np.bool_ if kind is Kind.LOGICAL else np.float64
    registers.values[target] = np.array(
        [0.0 if isinstance(value, ErrorValue) else value for value in found], dtype=dtype
    )
    registers.errors[target] = codes if codes.any() else None


# They keep overflow visible, so that nothing needs to be checked while there are no errors. Where there are, those that
# stand in OPERATIONS too say what becomes of them; of the others the first error counts.
PLAIN_OPERATIONS: dict[str, np.ufunc] = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "divide_by_constant": np.true_divide,
    "accumulate_add": np.add,
    "accumulate_multiply": np.multiply,
}
OPERATIONS: dict[str, Operation] = {
    "accumulate_add": _accumulate,
    "accumulate_multiply": _accumulate,
    "divide": _divide,
    "power": _power,
    "negative": _negative,
    "snap": _snap,
    "minimum": _extreme(np.minimum),
    "maximum": _extreme(np.maximum),
    "settle_discounts": _settle_discounts,
    "number_of_logical": _number_of_logical,
    "zero_of": _zero_of,
    "equal": _compare(np.equal),
    "not_equal": _compare(np.not_equal),
    "less": _compare(np.less),
    "greater": _compare(np.greater),
    "less_equal": _compare(np.less_equal),
    "greater_equal": _compare(np.greater_equal),
    "truth": _truth,
    "and": _join(np.logical_and),
    "or": _join(np.logical_or),
    "not": _not,
    "select": _select,
    "if_error": _if_error,
    "is_error": _is_error(lambda found: found != 0, if_none=False),
    "is_error_but_not_available": _is_error(lambda found: (found != 0) & (found != _NA), if_none=False),
    "is_not_available": _is_error(lambda found: found == _NA, if_none=False),
    "is_number": _is_error(lambda found: found == 0, if_none=True),
    "text_equal": text_compare(is_equal=True),
    "text_not_equal": text_compare(is_equal=False),
    "text_position": text_position,
    "position": position,
    "position_exact": position_exact,
    "take": take,
    "gather": gather,
    "call": _call,
    "interpret": _interpret,
    "interpret_slice": _interpret_slice,
    "pick": _pick,
}
