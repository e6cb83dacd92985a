"""Which cell needs which: formulas bound to their sheets and names, their precedents, the order to compute in."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence

from tollway.engine.formula import parse
from tollway.engine.functions import find_function, is_volatile
from tollway.engine.syntax import (
    COLUMN_MAX,
    ROW_MAX,
    Area,
    ArrayConstant,
    ArrayPart,
    Binary,
    Call,
    ErrorLiteral,
    External,
    Group,
    Logical,
    Name,
    Node,
    Number,
    Omitted,
    Percent,
    Reference,
    Text,
    Unary,
    cell_text,
    column_letters,
    sheet_text,
)
from tollway.engine.values import (
    CircularReference,
    EngineError,
    ErrorValue,
    TooManyReferences,
    UnreadableFormula,
    UnsupportedFormula,
)
from tollway.engine.workbook import Bounds, Cell, Workbook

# Names that stand for names that stand for names; no honest workbook goes deeper.
NAME_DEPTH_MAX = 16
# Filled cells that all formulas together may read.
REFERENCED_CELLS_MAX = 20_000_000
# Cells of a circle that a message lists.
_CIRCLE_CELLS_SHOWN = 20
# They came with the Analysis ToolPak and give #N/A where an argument is left empty; others take 0 or "".
_NEVER_OMITTED = frozenset({"EDATE", "EOMONTH", "MROUND", "QUOTIENT"})
# They give the range they add the size of the range they test.
_SUM_RANGE_FUNCTIONS = frozenset({"SUMIF", "AVERAGEIF"})

# (sheet index, row, column); rows and columns count from 1.
Address = tuple[int, int, int]


class FormulaBook:
    """The formulas of a workbook, parsed and bound when first asked for."""

    def __init__(self, workbook: Workbook, *, referenced_cells_max: int = REFERENCED_CELLS_MAX) -> None:
        self.workbook = workbook
        self._referenced_cells_max = referenced_cells_max
        self._trees: dict[Address, Node | EngineError] = {}
        self._referenced_cells = 0

    def cell(self, address: Address) -> Cell | None:
        """What a cell holds, or None for a blank one."""
        sheet, row, column = address
        return self.workbook.sheets[sheet].cells.get((row, column))

    def text(self, address: Address) -> str:
        """An address as "Sheet!A1"."""
        sheet, row, column = address
        return f"{sheet_text(self.workbook.sheets[sheet].name)}!{cell_text(row, column)}"

    def is_formula(self, address: Address) -> bool:
        """Whether the cell's value is computed."""
        cell = self.cell(address)
        return cell is not None and (cell.formula is not None or cell.array_anchor is not None)

    def formula_addresses(self) -> Iterator[Address]:
        """Every cell whose value is computed, sheet by sheet."""
        for index, sheet in enumerate(self.workbook.sheets):
            for (row, column), cell in sheet.cells.items():
                if cell.formula is not None or cell.array_anchor is not None:
                    yield (index, row, column)

    def tree(self, address: Address) -> Node:
        """The bound formula of a cell.

        Raises: UnreadableFormula or UnsupportedFormula, naming the cell.
        """
        known = self._trees.get(address)
        if known is None:
            try:
                known = self._bound(address)
            except EngineError as error:
                error.cells = (self.text(address),)
                error.message = f"{self.text(address)}: {error.message}"
                known = error
            self._trees[address] = known
        if isinstance(known, EngineError):
            raise known
        return known

    def _bound(self, address: Address) -> Node:
        cell = self.cell(address)
        assert cell is not None
        sheet, row, column = address
        if cell.array_anchor is not None:
            anchor_row, anchor_column = cell.array_anchor
            anchor = self.tree((sheet, anchor_row, anchor_column))
            assert isinstance(anchor, ArrayPart)
            return ArrayPart(anchor.tree, row - anchor_row, column - anchor_column)
        assert cell.formula is not None
        tree = _Binder(self.workbook, sheet).bind(parse(cell.formula))
        return tree if cell.array is None else ArrayPart(tree, 0, 0)

    def precedents(self, address: Address) -> Iterator[Address]:
        """The computed cells that a formula reads directly."""
        for area in areas(self.tree(address)):
            for row, column in self.workbook.sheets[area.sheet].positions_in(area.bounds):
                self._referenced_cells += 1
                if self._referenced_cells > self._referenced_cells_max:
                    raise TooManyReferences(
                        f"The formulas read more than {self._referenced_cells_max:,} cells in all; "
                        "refer to smaller ranges."
                    )
                found = (area.sheet, row, column)
                if self.is_formula(found):
                    yield found

    def order(self, targets: Sequence[Address], leaves: Collection[Address] = ()) -> list[Address]:
        """The formula cells that the targets need, the targets included, each after those it reads.

        Cells in `leaves` are taken as given. Walks with its own stack, so that a chain of 100,000 cells is
        no deeper than one of ten.

        Raises: CircularReference, UnreadableFormula, UnsupportedFormula, TooManyReferences.
        """
        return dependency_order(
            [target for target in targets if self.is_formula(target)],
            lambda address: (found for found in self.precedents(address) if found not in leaves),
            self.circle,
        )

    def circle(self, circle: Sequence[Address]) -> CircularReference:
        """The refusal of cells that need each other."""
        advice = (
            "iterative calculation is not supported yet; rewrite the formulas without the circle."
            if self.workbook.is_iterative
            else "let none of them depend on itself."
        )
        shown = sorted(circle)[:_CIRCLE_CELLS_SHOWN]
        return CircularReference(
            f"The workbook has circular references in cells {condensed(circle, self)}; {advice}",
            cells=tuple(self.text(address) for address in shown),
        )


def dependency_order(
    targets: Sequence[Address],
    precedents: Callable[[Address], Iterator[Address]],
    circle: Callable[[Sequence[Address]], EngineError],
) -> list[Address]:
    """Depth-first order over any graph of cells; raises what `circle` makes of the cells of a circle."""
    order: list[Address] = []
    finished: set[Address] = set()
    for target in targets:
        if target in finished:
            continue
        path: dict[Address, Iterator[Address]] = {target: precedents(target)}
        while path:
            address, remaining = next(reversed(path.items()))
            following = next((found for found in remaining if found not in finished), None)
            if following is None:
                del path[address]
                finished.add(address)
                order.append(address)
            elif following in path:
                on_path = list(path)
                raise circle(on_path[on_path.index(following) :])
            else:
                path[following] = precedents(following)
    return order


def condensed(addresses: Sequence[Address], book: FormulaBook) -> str:
    """Cells as a short list of ranges, runs down a column or along a row drawn together: "Model!B5:B10"."""
    rest = sorted(set(addresses), key=lambda address: (address[0], address[2], address[1]))
    ranges: list[str] = []
    while rest and len(ranges) < _CIRCLE_CELLS_SHOWN:
        sheet, row, column = rest[0]
        known = set(rest)
        bottom, right = row, column
        while (sheet, bottom + 1, column) in known:
            bottom += 1
        while bottom == row and (sheet, row, right + 1) in known:
            right += 1
        first = f"{sheet_text(book.workbook.sheets[sheet].name)}!{cell_text(row, column)}"
        ranges.append(first if (bottom, right) == (row, column) else f"{first}:{cell_text(bottom, right)}")
        covered = {(sheet, r, c) for r in range(row, bottom + 1) for c in range(column, right + 1)}
        rest = [address for address in rest if address not in covered]
    return ", ".join(ranges) + (" and more" if rest else "")


def areas(tree: Node) -> list[Area]:
    """Every reference of a bound tree, in the order written."""
    found: list[Area] = []
    stack: list[Node] = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, Area):
            found.append(node)
        else:
            stack.extend(reversed(children(node)))
    return found


def is_external(tree: Node) -> bool:
    """Whether a formula refers to another workbook."""
    stack: list[Node] = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, External):
            return True
        stack.extend(children(node))
    return False


def children(node: Node) -> Sequence[Node]:
    """The nodes directly below one."""
    match node:
        case Unary(_, operand) | Percent(operand):
            return (operand,)
        case Binary(_, left, right):
            return (left, right)
        case Group(inner):
            return (inner,)
        case Call(_, arguments):
            return arguments
        case ArrayPart(tree, _, _):
            return (tree,)
        case _:
            return ()


class _Binder:
    """Replaces references and names of one sheet's formula by what they stand for, and checks functions."""

    def __init__(self, workbook: Workbook, sheet: int) -> None:
        self.workbook = workbook
        self.sheet = sheet
        self.name_depth = 0

    def bind(self, tree: Node) -> Node:
        # Chains of operators lean to the left and may be thousands long: walked, not recursed into.
        spine: list[Binary | Percent] = []
        while isinstance(tree, (Binary, Percent)):
            spine.append(tree)
            tree = tree.left if isinstance(tree, Binary) else tree.operand
        bound = self.operand(tree)
        for node in reversed(spine):
            if isinstance(node, Percent):
                bound = Percent(bound)
            elif node.operator in (" ", ","):
                bound = _joined(node.operator, bound, self.bind(node.right))
            else:
                bound = Binary(node.operator, bound, self.bind(node.right))
        return bound

    def operand(self, node: Node) -> Node:
        match node:
            case Number() | Text() | Logical() | ErrorLiteral() | ArrayConstant() | Omitted() | External():
                return node
            case Reference():
                return self.area(node)
            case Name(sheet, text):
                return self.name(sheet, text)
            case Unary(operator, operand):
                return Unary(operator, self.bind(operand))
            case Group(inner):
                return Group(self.bind(inner))
            case Call():
                return self.call(node)
            case _:
                raise AssertionError(node)

    def area(self, reference: Reference) -> Node:
        sheet = self.sheet
        if reference.sheet is not None:
            found = self.workbook.sheet_index.get(reference.sheet.lower())
            if found is None:
                return ErrorLiteral(ErrorValue.REF)
            sheet = found
        first, last = reference.first, reference.last or reference.first
        rows = sorted((first.row or 1, last.row or ROW_MAX))
        columns = sorted((first.column or 1, last.column or COLUMN_MAX))
        return Area(sheet, (rows[0], columns[0], rows[1], columns[1]), reference.last is None)

    def name(self, sheet: str | None, text: str) -> Node:
        scope = self.sheet if sheet is None else self.workbook.sheet_index.get(sheet.lower(), -1)
        found = self.workbook.find_name(text, scope)
        if found is None:
            return ErrorLiteral(ErrorValue.NAME)
        self.name_depth += 1
        if self.name_depth > NAME_DEPTH_MAX:
            raise UnreadableFormula(
                f"The name {text} stands for names that stand for names, more than {NAME_DEPTH_MAX} deep."
            )
        tree = parse(found.formula)
        if _has_relative_reference(tree):
            raise UnsupportedFormula(
                f"The formula uses the name {text}, whose reference moves with the cell, "
                "which is not supported yet.",
                construct="relative defined name",
            )
        bound = self.bind(tree)
        self.name_depth -= 1
        return bound if isinstance(bound, Area) else Group(bound)

    def call(self, node: Call) -> Node:
        called = find_function(node.name)
        if called is None:
            reason = "gives another result at each calculation, and" if is_volatile(node.name) else "which"
            raise UnsupportedFormula(
                f"The formula uses {node.name}, {reason} is not supported yet.", construct=node.name
            )
        if not called.accepts(len(node.arguments)):
            raise UnreadableFormula(
                f"The formula calls {node.name} with {len(node.arguments)} arguments, which Excel does not allow."
            )
        if node.name in _NEVER_OMITTED and Omitted() in node.arguments:
            return ErrorLiteral(ErrorValue.NA)
        arguments = [self.bind(argument) for argument in node.arguments]
        if node.name in _SUM_RANGE_FUNCTIONS and len(arguments) == 3:
            arguments[2] = _resized(arguments[2], arguments[0])
        return Call(node.name, tuple(arguments))


def _joined(operator: str, left: Node, right: Node) -> Node:
    """The cells that two references have in common; #NULL! when there are none."""
    while isinstance(left, Group):
        left = left.inner
    while isinstance(right, Group):
        right = right.inner
    if operator == "," or not (isinstance(left, Area) and isinstance(right, Area)):
        raise UnsupportedFormula(
            "The formula joins references with a comma, or computed ones with a space, "
            "which is not supported yet.",
            construct="union of references",
        )
    top, first = max(left.bounds[0], right.bounds[0]), max(left.bounds[1], right.bounds[1])
    bottom, last = min(left.bounds[2], right.bounds[2]), min(left.bounds[3], right.bounds[3])
    if left.sheet != right.sheet or top > bottom or first > last:
        return ErrorLiteral(ErrorValue.NULL)
    return Area(left.sheet, (top, first, bottom, last), (top, first) == (bottom, last))


def _resized(area: Node, like: Node) -> Node:
    """The cells that SUMIF adds: from the corner of its third argument, as many as its first has."""
    if not (isinstance(area, Area) and isinstance(like, Area)):
        return area
    top, left, _, _ = area.bounds
    bottom = min(ROW_MAX, top + like.bounds[2] - like.bounds[0])
    right = min(COLUMN_MAX, left + like.bounds[3] - like.bounds[1])
    return Area(area.sheet, (top, left, bottom, right), False)


def _has_relative_reference(tree: Node) -> bool:
    stack: list[Node] = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, Reference):
            for corner in (node.first, node.last or node.first):
                if (corner.row is not None and not corner.row_fixed) or (
                    corner.column is not None and not corner.column_fixed
                ):
                    return True
        stack.extend(children(node))
    return False


def bounds_text(bounds: Bounds) -> str:
    """An area without its sheet: "B2:C5", or "B2" for one cell."""
    top, left, bottom, right = bounds
    first = f"{column_letters(left)}{top}"
    return first if (top, left) == (bottom, right) else f"{first}:{column_letters(right)}{bottom}"
