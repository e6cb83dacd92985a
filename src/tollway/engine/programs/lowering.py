"""Turns a bound formula into operations over blocks, folding every part that no input reaches.

Follows interpret.py node by node. What has no block form is left to that interpreter, one iteration at a
time: slow, and exact.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from tollway.engine.exact.calculation import Calculation
from tollway.engine.exact.graph import Address, is_external
from tollway.engine.exact.interpret import Interpreter, in_line
from tollway.engine.exact.selection import branch
from tollway.engine.functions import find_function
from tollway.engine.functions.registry import Context, Function, Grid, call
from tollway.engine.language.syntax import (
    Area,
    ArrayConstant,
    ArrayPart,
    Binary,
    Call,
    Drawn,
    ErrorLiteral,
    Group,
    Let,
    Logical,
    Node,
    Number,
    Omitted,
    Parameter,
    Percent,
    Text,
    Unary,
)
from tollway.engine.programs.lowered_operators import (
    ARITHMETIC,
    COMPARISON,
    VARYING_CELLS_MAX,
    OperatorLowering,
    plain_of,
)
from tollway.engine.programs.operands import (
    BLANK,
    Interpreted,
    Lowered,
    NotLowerableError,
    Varying,
    element_of,
    kind_of,
)
from tollway.engine.programs.operations import Builder, Constant, Kind, Operand, Slot
from tollway.engine.values import ErrorValue, UnsupportedFormula, Value

_RETURNS = {"number": Kind.NUMBER, "logical": Kind.LOGICAL, "text": Kind.ANY, "any": Kind.ANY}

Lower = Callable[["Lowering", Sequence[Lowered]], Lowered]


class Lowering(OperatorLowering):
    """Lowers one formula after another; each cell's operand is remembered for those that read it.

    `functions` are those that become several operations; the others are called in blocks or interpreted.
    """

    def __init__(
        self,
        calculation: Calculation,
        builder: Builder,
        inputs: Sequence[Address],
        functions: Mapping[str, Lower],
    ) -> None:
        self.book = calculation.book
        self.calculation = calculation
        self.functions = functions
        self.builder = builder
        self.varying: dict[Address, Slot] = {
            address: Slot(index, Kind.NUMBER) for index, address in enumerate(inputs)
        }
        self.folded: dict[Address, Value] = {}
        self.interpreter = Interpreter(self.book, self.constant_at, spill_of=calculation.spill_of)
        self._grids: dict[Area, Grid | Varying] = {}
        self._address: Address = (0, 1, 1)
        self._context = Context(1, 1, self.book.workbook.is_1904, cells=self.interpreter)
        self._names: dict[str, Lowered] = {}
        # Whether the function being lowered stands where one value is wanted, outside arrays.
        self.wants_value = False

    def constant_at(self, address: Address) -> Value:
        """What a cell that no input reaches holds; computed when first asked for."""
        if address in self.folded:
            return self.folded[address]
        return self.calculation.value(address)

    def add_cell(self, address: Address, tree: Node) -> None:
        """Lower one formula that an input reaches; those it reads must have been added before."""
        if is_external(tree):
            raise UnsupportedFormula(
                f"{self.book.text(address)}: the formula depends on an input and on another workbook, "
                "which is not opened; copy the other workbook's values into this one.",
                construct="external reference",
                cells=(self.book.text(address),),
            )
        self._address = address
        self._context = replace(self._context, sheet=address[0], row=address[1], column=address[2])
        operand = self._root(tree)
        if isinstance(operand, Slot):
            self.varying[address] = operand
        else:
            self.folded[address] = 0.0 if operand.value is None else operand.value

    def _root(self, tree: Node) -> Operand:
        if isinstance(tree, ArrayPart):
            return self._array_part(tree)
        if isinstance(tree, Binary) and tree.operator in ("+", "-"):
            try:
                left, right = self.value(tree.left), self.value(tree.right)
                result = self.binary(tree.operator, left, right, is_last=True)
                return self._single(result)
            except NotLowerableError:
                return self._interpreted(tree, is_root=True)
        return self._single(self.value(tree))

    def _array_part(self, part: ArrayPart) -> Operand:
        try:
            if isinstance(part.tree, Binary) and part.tree.operator in ("+", "-"):
                left = self.value(part.tree.left, is_array=True)
                right = self.value(part.tree.right, is_array=True)
                whole = self.binary(part.tree.operator, left, right, is_last=True)
            else:
                whole = self.value(part.tree, is_array=True)
            return element_of(whole, part.row, part.column)
        except NotLowerableError:
            return self._interpreted(part, is_root=True)

    def _single(self, lowered: Lowered) -> Operand:
        return element_of(lowered, 0, 0)

    # --- nodes -----------------------------------------------------------------------------------------

    def value(self, node: Node, *, is_array: bool = False) -> Lowered:
        """As Interpreter.value; outside arrays a part without block form becomes an interpreted operand."""
        if isinstance(node, Area):
            if node.is_cell:
                return self.operand_at(node.address)
            if not is_array:
                place = in_line(node, (self._address[1], self._address[2]))
                return Constant(ErrorValue.VALUE) if place is None else self.operand_at(place)
        if is_array:
            return self.whole(node, is_array=True)
        try:
            result = self._call(node, wants_value=True) if isinstance(node, Call) else self.whole(node)
            if isinstance(result, (Grid, Varying)) and result.origin is not None:
                return self.in_line_of(result)
        except NotLowerableError:
            return self._interpreted(node)
        return result

    def in_line_of(self, grid: Grid | Varying) -> Operand:
        """Implicit intersection of a reference with the cell being lowered."""
        assert grid.origin is not None
        sheet, top, left = grid.origin
        bounds = (top, left, top + grid.row_count - 1, left + grid.column_count - 1)
        place = in_line(Area(sheet, bounds, False), (self._address[1], self._address[2]))
        return Constant(ErrorValue.VALUE) if place is None else self.operand_at(place)

    def operand_at(self, address: Address) -> Operand:
        """What a cell holds: a slot where it varies."""
        return self.varying.get(address) or Constant(self.constant_at(address))

    def whole(self, node: Node, *, is_array: bool = False) -> Lowered:
        """As Interpreter.whole; raises NotLowerableError for a part without block form."""
        match node:
            case Number() | Text() | Logical() | ErrorLiteral():
                return Constant(node.value)
            case Area():
                return self._grid(node)
            case Call():
                return self._call(node, is_array=is_array)
            case Binary() | Percent():
                return self._chain(node, is_array=is_array)
            case Group(inner):
                return self.whole(inner, is_array=is_array)
            case Unary(operator, operand):
                lowered = self.value(operand, is_array=is_array)
                return lowered if operator == "+" else self.each(self.negative, lowered)
            case ArrayConstant(rows):
                return Grid(rows, len(rows), len(rows[0]))
            case Omitted():
                return BLANK
            case Let(bindings, result):
                return self._let(bindings, result, is_array=is_array)
            case Parameter(name):
                return self._names[name]
            case Drawn(is_settled=True):
                return self._drawn(node)
            case _:
                raise NotLowerableError

    def _drawn(self, node: Drawn) -> Lowered:
        operands: list[Operand] = [self.operand_at(chance.address) for chance in node.chances]
        if len(operands) == 1:
            return operands[0]
        rows = [operands[start : start + node.columns] for start in range(0, len(operands), node.columns)]
        return Varying(rows, len(rows), node.columns)

    def _let(self, bindings: Sequence[tuple[str, Node]], result: Node, *, is_array: bool) -> Lowered:
        outer = self._names
        self._names = dict(outer)
        try:
            for name, bound in bindings:
                self._names[name] = self.whole(bound, is_array=is_array)
            return self.whole(result, is_array=is_array)
        finally:
            self._names = outer

    def _grid(self, area: Area) -> Grid | Varying:
        known = self._grids.get(area)
        if known is not None:
            return known
        sheet = area.sheet
        positions = self.book.workbook.sheets[sheet].positions_in(area.bounds)
        if not any((sheet, row, column) in self.varying for row, column in positions):
            grid: Grid | Varying = self.interpreter.grid(area)
        else:
            grid = self._varying_grid(area)
        # Cells are added in order of need, so an area that was read once never changes.
        self._grids[area] = grid
        return grid

    def _varying_grid(self, area: Area) -> Varying:
        top, left, bottom, right = area.bounds
        positions = list(self.book.workbook.sheets[area.sheet].positions_in(area.bounds))
        last_row, last_column = max(row for row, _ in positions), max(column for _, column in positions)
        if (last_row - top + 1) * (last_column - left + 1) > VARYING_CELLS_MAX:
            raise NotLowerableError
        rows = [
            [self.operand_at((area.sheet, row, column)) for column in range(left, last_column + 1)]
            for row in range(top, last_row + 1)
        ]
        return Varying(rows, bottom - top + 1, right - left + 1, (area.sheet, top, left))

    def _chain(self, node: Binary | Percent, *, is_array: bool) -> Lowered:
        spine: list[Binary | Percent] = []
        start: Node = node
        while isinstance(start, (Binary, Percent)):
            spine.append(start)
            start = start.left if isinstance(start, Binary) else start.operand
        result = self.value(start, is_array=is_array)
        for step in reversed(spine):
            if isinstance(step, Percent):
                result = self.each(lambda operand: self.arithmetic("/", operand, Constant(100.0)), result)
            else:
                right = self.value(step.right, is_array=is_array)
                result = self.binary(step.operator, result, right)
        return result

    # --- functions -------------------------------------------------------------------------------------

    def _call(self, node: Call, *, is_array: bool = False, wants_value: bool = False) -> Lowered:
        called = find_function(node.name)
        assert called is not None, node.name
        if node.name in ("IF", "CHOOSE"):
            selector = self.value(node.arguments[0], is_array=is_array)
            if isinstance(selector, Constant):
                chosen = branch(node.name, selector.value, len(node.arguments) - 1)
                if isinstance(chosen, ErrorValue):
                    return Constant(chosen)
                if chosen is None:
                    return Constant(False)
                return self.whole(node.arguments[chosen + 1], is_array=is_array)
        arguments = [
            self._argument(argument, called.parameter(index), is_array=is_array)
            for index, argument in enumerate(node.arguments)
        ]
        if all(isinstance(argument, (Constant, Grid)) for argument in arguments):
            result = call(called, [plain_of(argument) for argument in arguments], self._context)
            return result if isinstance(result, Grid) else Constant(result)
        lower = self.functions.get(node.name)
        if lower is not None:
            # Where a reference may stand, cells that hold no number count differently from values that are none.
            given = arguments[:1] if node.name == "INDEX" else arguments[1:]
            if not wants_value and _may_give_reference(node) and not all(map(_holds_numbers, given)):
                raise NotLowerableError
            self.wants_value = wants_value
            return lower(self, arguments)
        return self._block(called, arguments)

    def _argument(self, node: Node, kind: str, *, is_array: bool) -> Lowered:
        if kind == "array":
            return self.whole(node, is_array=True)
        if kind == "grid":
            return self.whole(node, is_array=is_array)
        lowered = self.value(node, is_array=is_array)
        if kind == "choice" and lowered == BLANK and not isinstance(node, Omitted):
            return Constant(0.0)
        return lowered

    def _block(self, called: Function, arguments: Sequence[Lowered]) -> Lowered:
        """A function with a block form, applied to each element where it is given an array."""
        if called.block is None:
            raise NotLowerableError
        grids = [argument for argument in arguments if isinstance(argument, (Grid, Varying))]
        if not grids:
            operands = tuple(self.numeric(element_of(argument, 0, 0)) for argument in arguments)
            return self.builder.emit("call", operands, Kind.NUMBER, called.name)
        row_count = max(grid.row_count for grid in grids)
        column_count = max(grid.column_count for grid in grids)
        rows = [
            [
                self._single(
                    self._block(called, [element_of(argument, row, column) for argument in arguments])
                )
                for column in range(column_count)
            ]
            for row in range(row_count)
        ]
        return Varying(rows, row_count, column_count)

    # --- the way out -----------------------------------------------------------------------------------

    def _interpreted(self, node: Node, *, is_root: bool = False) -> Slot:
        """Leave a node to the scalar interpreter, with the cells it reads that vary as operands."""
        if self._names:
            # Inside a LET: only the whole of it can be left.
            raise NotLowerableError
        cells: dict[Address, Slot] = {}
        for area in self.book.reads(node).areas:
            positions = (
                # What a call draws is held where no sheet has cells.
                [area.address[1:]]
                if area.is_cell
                else self.book.workbook.sheets[area.sheet].positions_in(area.bounds)
            )
            for row, column in positions:
                slot = self.varying.get((area.sheet, row, column))
                if slot is not None:
                    cells[(area.sheet, row, column)] = slot
        kind = _kind_of_node(node)
        kinds = tuple(slot.kind for slot in cells.values())
        whole = node if is_root else Group(node)
        detail = Interpreted(self.book, whole, self._address, tuple(cells), kinds, self.constant_at, kind)
        return self.builder.emit(
            "interpret", tuple(cells.values()), kind, detail, key=(id(node), self._address)
        )


def _may_give_reference(node: Node) -> bool:
    """Whether what a node gives may be cells, of which SUM and its like count numbers only."""
    while isinstance(node, Group):
        node = node.inner
    if isinstance(node, Call) and node.name in ("IF", "CHOOSE"):
        return any(_may_give_reference(argument) for argument in node.arguments[1:])
    return isinstance(node, Area) or (isinstance(node, Call) and node.name == "INDEX")


def _holds_numbers(lowered: Lowered) -> bool:
    if isinstance(lowered, Grid):
        return all(isinstance(value, float) for value in lowered.items())
    operands = lowered.items() if isinstance(lowered, Varying) else [lowered]
    return all(kind_of(operand) is Kind.NUMBER for operand in operands)


def _kind_of_node(node: Node) -> Kind:
    while isinstance(node, Group):
        node = node.inner
    match node:
        case Binary(operator, _, _):
            if operator in ARITHMETIC:
                return Kind.NUMBER
            return Kind.LOGICAL if operator in COMPARISON else Kind.ANY
        case Percent() | Drawn():
            return Kind.NUMBER
        case Unary("-", _):
            return Kind.NUMBER
        case Call(name, _):
            called = find_function(name)
            assert called is not None, name
            return _RETURNS[called.returns]
        case _:
            return Kind.ANY
