"""The exact scalar interpreter: one formula, one value, by Excel's rules. The oracle for every faster way."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tollway.engine.functions import find_function
from tollway.engine.functions.registry import GRID_CELLS_MAX, Argument, Context, Grid, call, element
from tollway.engine.graph import Address, FormulaBook
from tollway.engine.syntax import (
    Area,
    ArrayConstant,
    ArrayPart,
    Binary,
    Call,
    ErrorLiteral,
    Group,
    Logical,
    Node,
    Number,
    Omitted,
    Percent,
    Text,
    Unary,
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
    to_logical,
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


class Interpreter:
    """Computes formulas over whatever `value_of` says each cell holds."""

    def __init__(self, book: FormulaBook, value_of: Callable[[Address], Value]) -> None:
        self.book = book
        self.value_of = value_of
        self._position = (1, 1)
        self._context = Context(1, 1, book.workbook.is_1904)

    def cell_value(self, address: Address, tree: Node) -> Value:
        """What a cell with this formula shows; a blank becomes 0."""
        result = self.result(address, tree)
        if isinstance(result, Grid):
            result = element(result, 0, 0)
        return 0.0 if result is None else result

    def result(self, address: Address, tree: Node) -> Argument:
        """What a formula in a cell gives before it is cut to one value."""
        self._position = (address[1], address[2])
        self._context = Context(address[1], address[2], self.book.workbook.is_1904)
        if isinstance(tree, ArrayPart):
            whole = self._root(tree.tree, is_array=True)
            return element(whole, tree.row, tree.column)
        return self._root(tree, is_array=False)

    def _root(self, tree: Node, *, is_array: bool) -> Argument:
        if isinstance(tree, Binary) and tree.operator in ("+", "-"):
            left = self.value(tree.left, is_array=is_array)
            right = self.value(tree.right, is_array=is_array)
            return apply_binary(tree.operator, left, right, is_last=True)
        return self.value(tree, is_array=is_array)

    def value(self, node: Node, *, is_array: bool) -> Argument:
        """A node where a single value is wanted: outside arrays a range gives the cell in line with this one."""
        if isinstance(node, Area):
            if node.is_cell:
                return self.value_of(node.address)
            if not is_array:
                return self._in_line(node)
        result = self.whole(node, is_array=is_array)
        if isinstance(result, Grid) and result.origin is not None and not is_array:
            sheet, top, left = result.origin
            bounds = (top, left, top + result.row_count - 1, left + result.column_count - 1)
            return self._in_line(Area(sheet, bounds, False))
        return result

    def whole(self, node: Node, *, is_array: bool) -> Argument:
        """A node where a range or array may stay whole."""
        match node:
            case Number() | Text() | Logical() | ErrorLiteral():
                return node.value
            case Area():
                return self.grid(node)
            case Call():
                return self._call(node, is_array=is_array)
            case Binary() | Percent():
                return self._chain(node, is_array=is_array)
            case Group(inner):
                return self.whole(inner, is_array=is_array)
            case Unary(operator, operand):
                value = self.value(operand, is_array=is_array)
                return value if operator == "+" else apply_each(_negative, value)
            case ArrayConstant(rows):
                return Grid(rows, len(rows), len(rows[0]))
            case Omitted():
                return None
            case _:
                raise AssertionError(node)

    def grid(self, area: Area) -> Grid:
        """The cells of a reference, as far as anything is filled.

        Raises: TooManyReferences when that is more than GRID_CELLS_MAX cells.
        """
        top, left, bottom, right = area.bounds
        last_row, last_column = top - 1, left - 1
        for row, column in self.book.workbook.sheets[area.sheet].positions_in(area.bounds):
            last_row, last_column = max(last_row, row), max(last_column, column)
        if (last_row - top + 1) * (last_column - left + 1) > GRID_CELLS_MAX:
            raise TooManyReferences(
                f"A formula reads a range of more than {GRID_CELLS_MAX:,} cells; refer to a smaller one."
            )
        value_of, sheet = self.value_of, area.sheet
        rows = [
            [value_of((sheet, row, column)) for column in range(left, last_column + 1)]
            for row in range(top, last_row + 1)
        ]
        return Grid(rows, bottom - top + 1, right - left + 1, (sheet, top, left))

    def _in_line(self, area: Area) -> Value:
        """Implicit intersection. Source: Microsoft, "Implicit intersection operator: @"."""
        place = in_line(area, self._position)
        return ErrorValue.VALUE if place is None else self.value_of(place)

    def _chain(self, node: Binary | Percent, *, is_array: bool) -> Argument:
        # Chains of operators lean to the left and may be thousands long: walked, not recursed into.
        spine: list[Binary | Percent] = []
        start: Node = node
        while isinstance(start, (Binary, Percent)):
            spine.append(start)
            start = start.left if isinstance(start, Binary) else start.operand
        result = self.value(start, is_array=is_array)
        for step in reversed(spine):
            if isinstance(step, Percent):
                result = apply_each(_hundredth, result)
            else:
                right = self.value(step.right, is_array=is_array)
                result = apply_binary(step.operator, result, right)
        return result

    def _call(self, node: Call, *, is_array: bool) -> Argument:
        called = find_function(node.name)
        assert called is not None, node.name
        if node.name in ("IF", "CHOOSE"):
            chosen = self._chosen(node, is_array=is_array)
            if chosen is not None:
                return self.whole(chosen, is_array=is_array)
        arguments: list[Argument] = []
        for index, argument in enumerate(node.arguments):
            kind = called.parameter(index)
            if kind == "array":
                arguments.append(self.whole(argument, is_array=True))
            elif kind == "grid":
                arguments.append(self.whole(argument, is_array=is_array))
            else:
                arguments.append(self.value(argument, is_array=is_array))
        return call(called, arguments, self._context)

    def _chosen(self, node: Call, *, is_array: bool) -> Node | None:
        """The one branch of IF or CHOOSE that counts, so that it may give a reference; None when that varies."""
        selector = self.value(node.arguments[0], is_array=is_array)
        if isinstance(selector, Grid):
            return None
        chosen = branch(node.name, selector, len(node.arguments) - 1)
        if isinstance(chosen, ErrorValue):
            return ErrorLiteral(chosen)
        return node.arguments[chosen + 1] if chosen is not None else Logical(False)


def branch(name: str, selector: Value, branch_count: int) -> int | ErrorValue | None:
    """Which branch of IF or CHOOSE a selector takes, counted from 0; None for IF's missing "else"."""
    if name == "IF":
        truth = to_logical(selector)
        if isinstance(truth, ErrorValue):
            return truth
        position = 0 if truth else 1
        return position if position < branch_count else None
    number = to_number(selector)
    if isinstance(number, ErrorValue):
        return number
    return int(number) - 1 if 1.0 <= number < branch_count + 1.0 else ErrorValue.VALUE


def in_line(area: Area, position: tuple[int, int]) -> Address | None:
    """The cell of a range that lies in the row or column of a cell; None where there is not exactly one."""
    top, left, bottom, right = area.bounds
    row, column = position
    if left == right and top <= row <= bottom:
        return (area.sheet, row, left)
    if top == bottom and left <= column <= right:
        return (area.sheet, top, column)
    if top == bottom and left == right:
        return (area.sheet, top, left)
    if left <= column <= right and top <= row <= bottom:
        return (area.sheet, row, column)
    return None


# --- operators on values and arrays --------------------------------------------------------------------


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
    rows: Sequence[Sequence[Value]] = [
        [
            _binary(operator, element(left, row, column), element(right, row, column), is_last=is_last)
            for column in range(column_count)
        ]
        for row in range(row_count)
    ]
    return Grid(rows, row_count, column_count)


def _binary(operator: str, left: Value, right: Value, *, is_last: bool = False) -> Value:
    calculate = _ARITHMETIC.get(operator)
    if calculate is not None:
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
    rows = [
        [operation(operand.at(row, column)) for column in range(operand.column_count)]
        for row in range(operand.row_count)
    ]
    return Grid(rows, operand.row_count, operand.column_count)


def _negative(value: Value) -> Value:
    number = to_number(value)
    return number if isinstance(number, ErrorValue) else settle(-number)


def _hundredth(value: Value) -> Value:
    number = to_number(value)
    return number if isinstance(number, ErrorValue) else settle(number / 100.0)
