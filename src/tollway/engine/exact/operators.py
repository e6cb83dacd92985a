"""Excel's operators between values, and place by place between arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tollway.engine.functions.registry import (
    GRID_CELLS_MAX,
    Argument,
    Grid,
    distinct_rows,
    row_at,
    widened,
)
from tollway.engine.values import (
    TEXT_LENGTH_MAX,
    ErrorValue,
    TooManyReferences,
    Value,
    add,
    compare,
    divide,
    multiply,
    power,
    settle,
    snap,
    subtract,
    to_number,
    to_text,
)

_ARITHMETIC: dict[str, Callable[[float, float], float | ErrorValue]] = {
    "+": add,
    "-": subtract,
    "*": multiply,
    "/": divide,
    "^": power,
}
_COMPARISON: dict[str, Callable[[int], bool]] = {
    "=": lambda order: order == 0,
    "<>": lambda order: order != 0,
    "<": lambda order: order < 0,
    ">": lambda order: order > 0,
    "<=": lambda order: order <= 0,
    ">=": lambda order: order >= 0,
}


def apply_binary(operator: str, left: Argument, right: Argument, *, is_last: bool = False) -> Argument:
    """An operator between two values, or place by place between arrays.

    `is_last` marks the last operator of a formula, whose rounding dust Excel turns into 0.
    """
    if not isinstance(left, Grid) and not isinstance(right, Grid):
        return _binary(operator, left, right, is_last=is_last)
    row_count = max(side.row_count for side in (left, right) if isinstance(side, Grid))
    column_count = max(side.column_count for side in (left, right) if isinstance(side, Grid))
    if row_count * column_count > GRID_CELLS_MAX:
        raise TooManyReferences(
            f"A formula makes an array of more than {GRID_CELLS_MAX:,} cells; refer to smaller ranges."
        )
    rows: list[Sequence[Value]] = []
    before: tuple[object, object] | None = None
    for row in range(distinct_rows((left, right), row_count)):
        left_row, right_row = row_at(left, row), row_at(right, row)
        # Below what is filled a whole column is the same row a million times: computed once.
        if before is not None and before[0] is left_row and before[1] is right_row:
            rows.append(rows[-1])
            continue
        before = (left_row, right_row)
        rows.append(
            [
                _binary(operator, one, other, is_last=is_last)
                for one, other in zip(
                    widened(left, left_row, column_count),
                    widened(right, right_row, column_count),
                    strict=True,
                )
            ]
        )
    rows.extend(rows[-1:] * (row_count - len(rows)))
    return Grid(rows, row_count, column_count)


def _binary(operator: str, left: Value, right: Value, *, is_last: bool = False) -> Value:
    calculate = _ARITHMETIC.get(operator)
    if calculate is not None:
        if type(left) is float and type(right) is float and not is_last:
            return calculate(left, right)
        left_number, right_number = to_number(left), to_number(right)
        if isinstance(left_number, ErrorValue):
            return left_number
        if isinstance(right_number, ErrorValue):
            return right_number
        result = calculate(left_number, right_number)
        if is_last and isinstance(result, float):
            return snap(result, left_number)
        return result
    if operator == "&":
        left_text, right_text = to_text(left), to_text(right)
        if isinstance(left_text, ErrorValue):
            return left_text
        if isinstance(right_text, ErrorValue):
            return right_text
        joined = left_text + right_text
        return ErrorValue.VALUE if len(joined) > TEXT_LENGTH_MAX else joined
    order = compare(left, right)
    return order if isinstance(order, ErrorValue) else _COMPARISON[operator](order)


def apply_each(operation: Callable[[Value], Value], operand: Argument) -> Argument:
    """A one-sided operator on a value, or on each value of an array."""
    if not isinstance(operand, Grid):
        return operation(operand)
    rows: list[Sequence[Value]] = []
    before: object = None
    for row in range(distinct_rows((operand,), operand.row_count)):
        values = row_at(operand, row)
        if values is before:
            rows.append(rows[-1])
            continue
        before = values
        rows.append([operation(value) for value in widened(operand, values, operand.column_count)])
    rows.extend(rows[-1:] * (operand.row_count - len(rows)))
    return Grid(rows, operand.row_count, operand.column_count)


def negative(value: Value) -> Value:
    """-x."""
    number = to_number(value)
    return number if isinstance(number, ErrorValue) else settle(-number)


def hundredth(value: Value) -> Value:
    """x%."""
    number = to_number(value)
    return number if isinstance(number, ErrorValue) else settle(number / 100.0)
