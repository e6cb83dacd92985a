"""Lowers Excel's operators: arithmetic, comparison, and what turns operands into numbers and conditions."""

from __future__ import annotations

from collections.abc import Callable

from tollway.engine.exact.operators import apply_binary
from tollway.engine.functions.registry import Grid
from tollway.engine.programs.operands import (
    BLANK,
    Lowered,
    NotLowerableError,
    Varying,
    element_of,
    kind_of,
)
from tollway.engine.programs.operations import Builder, Constant, Kind, Operand, Slot
from tollway.engine.values import ErrorValue, Value, to_number

ARITHMETIC = {"+": "add", "-": "subtract", "*": "multiply", "/": "divide", "^": "power"}
COMPARISON = {
    "=": "equal",
    "<>": "not_equal",
    "<": "less",
    ">": "greater",
    "<=": "less_equal",
    ">=": "greater_equal",
}
# An array that varies may have this many elements; larger ones are left to the interpreter.
VARYING_CELLS_MAX = 200_000


class OperatorLowering:
    """Makes operations of operators; `builder` collects them."""

    builder: Builder

    def binary(self, operator: str, left: Lowered, right: Lowered, *, is_last: bool = False) -> Lowered:
        """An operator between operands, or place by place between arrays."""
        grids = [side for side in (left, right) if isinstance(side, (Grid, Varying))]
        if not grids:
            return self.binary_of_two(operator, left, right, is_last=is_last)  # type: ignore[arg-type]
        if all(isinstance(side, (Grid, Constant)) for side in (left, right)):
            folded = apply_binary(operator, plain_of(left), plain_of(right), is_last=is_last)
            assert isinstance(folded, Grid)
            return folded
        row_count = max(grid.row_count for grid in grids)
        column_count = max(grid.column_count for grid in grids)
        if row_count * column_count > VARYING_CELLS_MAX:
            raise NotLowerableError
        rows = [
            [
                self.binary_of_two(
                    operator,
                    element_of(left, row, column),
                    element_of(right, row, column),
                    is_last=is_last,
                )
                for column in range(column_count)
            ]
            for row in range(row_count)
        ]
        return Varying(rows, row_count, column_count)

    def binary_of_two(self, operator: str, left: Operand, right: Operand, *, is_last: bool) -> Operand:
        """An operator between two operands; `is_last` marks the last + or - of a formula."""
        if isinstance(left, Constant) and isinstance(right, Constant):
            folded = apply_binary(operator, left.value, right.value, is_last=is_last)
            assert not isinstance(folded, Grid)
            return Constant(folded)
        if operator in ARITHMETIC:
            result = self.arithmetic(operator, left, right)
            if is_last and isinstance(result, Slot):
                return self.builder.emit("snap", (result, self.numeric(left)), Kind.NUMBER)
            return result
        if operator in COMPARISON:
            return self.comparison(operator, left, right)
        raise NotLowerableError

    def arithmetic(
        self, operator: str, left: Operand, right: Operand, *, accumulates: bool = False
    ) -> Operand:
        """+ - * / ^ between numbers; leaves out what changes nothing.

        `accumulates`: one of many terms of a function, whose error values all come before an overflow on the way.
        """
        left, right = self.numeric(left), self.numeric(right)
        if isinstance(left, Constant) and isinstance(right, Constant):
            return self.binary_of_two(operator, left, right, is_last=False)
        name = ARITHMETIC[operator]
        one = Constant(1.0)
        if (name in ("multiply", "divide", "power") and right == one) or (
            name in ("add", "subtract") and right == Constant(0.0)
        ):
            return left
        if (name == "multiply" and left == one) or (name == "add" and left == Constant(0.0)):
            return right
        if name == "divide" and isinstance(right, Constant):
            name = "divide_by_constant" if right.value else "divide"
        if accumulates:
            name = f"accumulate_{name}"
        return self.builder.emit(name, (left, right), Kind.NUMBER)

    def numeric(self, operand: Operand) -> Operand:
        """An operand where a number is wanted."""
        if isinstance(operand, Constant):
            number = to_number(operand.value)
            if isinstance(number, ErrorValue):
                raise NotLowerableError
            return Constant(number)
        if operand.kind is Kind.LOGICAL:
            return self.builder.emit("number_of_logical", (operand,), Kind.NUMBER)
        if operand.kind is not Kind.NUMBER:
            raise NotLowerableError
        return operand

    def logical(self, operand: Operand) -> Operand:
        """An operand where a condition is wanted."""
        if isinstance(operand, Constant):
            if not isinstance(operand.value, (float, bool)) and operand.value is not None:
                raise NotLowerableError
            return Constant(bool(operand.value))
        if operand.kind is Kind.NUMBER:
            return self.builder.emit("truth", (operand,), Kind.LOGICAL)
        if operand.kind is not Kind.LOGICAL:
            raise NotLowerableError
        return operand

    def comparison(self, operator: str, left: Operand, right: Operand) -> Operand:
        """Between two numbers, two logicals or two texts; what mixes kinds is interpreted."""
        kinds = {kind_of(left), kind_of(right)}
        kinds.discard(None)
        if kinds == {Kind.TEXT} and operator in ("=", "<>"):
            texts = tuple(Constant("") if side == BLANK else side for side in (left, right))
            name = "text_equal" if operator == "=" else "text_not_equal"
            return self.builder.emit(name, texts, Kind.LOGICAL)
        if kinds not in ({Kind.NUMBER}, {Kind.LOGICAL}):
            raise NotLowerableError
        return self.builder.emit(
            COMPARISON[operator], (self.numeric(left), self.numeric(right)), Kind.LOGICAL
        )

    def negative(self, operand: Operand) -> Operand:
        """Minus a number."""
        number = self.numeric(operand)
        if isinstance(number, Constant):
            assert isinstance(number.value, float)
            return Constant(-number.value)
        return self.builder.emit("negative", (number,), Kind.NUMBER)

    def each(self, lower: Callable[[Operand], Operand], lowered: Lowered) -> Lowered:
        """A one-sided operator on an operand, or on each element of an array."""
        if not isinstance(lowered, (Grid, Varying)):
            return lower(lowered)
        rows = [
            [lower(element_of(lowered, row, column)) for column in range(lowered.column_count)]
            for row in range(lowered.row_count)
        ]
        return Varying(rows, lowered.row_count, lowered.column_count)


def plain_of(lowered: Lowered) -> Value | Grid:
    """What never varies, as the interpreter takes it."""
    if isinstance(lowered, Constant):
        return lowered.value
    assert isinstance(lowered, Grid)
    return lowered
