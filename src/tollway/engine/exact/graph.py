"""Which cell needs which: formulas bound to their sheets and names, their precedents, the order to compute in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from tollway.engine.exact.binding import Binder
from tollway.engine.exact.drawn_calls import OutputMark
from tollway.engine.exact.named_lambdas import NamedLambdas
from tollway.engine.language.copying import parse_r1c1
from tollway.engine.language.formula import parse, read_formula
from tollway.engine.language.syntax import (
    Area,
    ArrayPart,
    Binary,
    Call,
    DataTable,
    ErrorLiteral,
    External,
    NamedLambda,
    Node,
    Spilled,
    cell_text,
    children,
    column_letters,
    every_node,
    sheet_text,
)
from tollway.engine.values import (
    CircularReference,
    EngineError,
    ErrorValue,
    TooManyReferences,
    UnsupportedFormula,
)
from tollway.engine.workbooks.cells import Bounds, Cell, DataTableFacts
from tollway.engine.workbooks.workbook import Workbook

# Filled cells that all formulas together may read.
REFERENCED_CELLS_MAX = 20_000_000
# Cells of a circle that a message lists.
_CIRCLE_CELLS_SHOWN = 20
# References, numbers, operators and calls that all formulas together may hold, those of their names included.
PARTS_IN_ALL_MAX = 2_000_000

# (sheet index, row, column); rows and columns count from 1.
Address = tuple[int, int, int]
# One cell, or the cells of a range on a sheet.
Cells = tuple[int, int, int] | tuple[int, Bounds]
Step = TypeVar("Step")


@dataclass(frozen=True, slots=True)
class Reads:
    """What a formula refers to; `is_open` where it may read cells that none of these areas shows."""

    areas: list[Area]
    is_open: bool


class FormulaBook:
    """The formulas of a workbook, parsed and bound when first asked for.

    `function_counts`: how often the formulas asked for so far call each function; `output_marks`: what they mark as
    outputs (RiskOutput, PsiOutput); `draw_count`: how often they draw.
    """

    def __init__(self, workbook: Workbook, *, referenced_cells_max: int = REFERENCED_CELLS_MAX) -> None:
        self.workbook = workbook
        self._referenced_cells_max = referenced_cells_max
        self._trees: dict[Address, Node | EngineError] = {}
        self._referenced_cells = 0
        self._parts_count = 0
        self.function_counts: Counter[str] = Counter()
        self._reads: dict[Address, Reads] = {}
        self._lambdas = NamedLambdas(workbook)
        self.output_marks: list[OutputMark] = []
        self.draw_count = 0

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
                if not error.cells:
                    error.cells = (self.text(address),)
                    error.message = f"{self.text(address)}: {error.message}"
                known = error
            self._trees[address] = known
        if isinstance(known, EngineError):
            raise known
        return known

    def put_tree(self, address: Address, tree: Node) -> None:
        """Let another bound formula stand in a cell."""
        self._trees[address] = tree
        self._reads.pop(address, None)

    def _bound(self, address: Address) -> Node:
        cell = self.cell(address)
        assert cell is not None
        sheet, row, column = address
        if not self.workbook.is_full_precision:
            raise UnsupportedFormula(
                "The workbook computes with precision as displayed, which is not supported yet; "
                "switch it off under File, Options, Advanced.",
                construct="precision as displayed",
            )
        if cell.data_table is not None:
            return data_table_node(cell.data_table, address)
        if cell.array_anchor is not None:
            anchor_row, anchor_column = cell.array_anchor
            anchor = self.tree((sheet, anchor_row, anchor_column))
            assert isinstance(anchor, ArrayPart)
            return ArrayPart(anchor.tree, row - anchor_row, column - anchor_column)
        assert cell.formula is not None
        if self._parts_count > PARTS_IN_ALL_MAX:
            raise TooManyReferences(
                f"The formulas of the workbook hold more than {PARTS_IN_ALL_MAX:,} references, numbers and calls "
                "in all, those of the names they use included; remove formulas that the model does not need."
            )
        binder = Binder(self.workbook, address)
        try:
            written = read_formula(cell.formula)
            self.function_counts.update(written.functions)
            tree = binder.bind(written.tree)
            self._lambdas.check(binder.lambdas)
        finally:
            self._parts_count += binder.parts_count
        self.output_marks.extend(binder.output_marks)
        self.draw_count += binder.draw_count
        return tree if cell.array is None else ArrayPart(tree, 0, 0)

    def named_lambda(self, scope: int | None, name: str) -> Node:
        """The LAMBDA that a name stands for, bound; `name` is in lower case.

        Raises: UnreadableFormula, UnsupportedFormula.
        """
        return self._lambdas.get(NamedLambda(scope, name))

    def bind_text(self, address: Address, text: str, *, is_r1c1: bool = False) -> Node:
        """A reference written in a text, as INDIRECT takes it, as if it stood in a cell. Raises: EngineError."""
        tree = parse_r1c1(text, address[1], address[2]) if is_r1c1 else parse(text)
        return Binder(self.workbook, address).bind(tree)

    def precedents(self, address: Address) -> Iterator[Address]:
        """The computed cells that a formula reads directly."""
        return self.formulas_in(self.reads(self.tree(address)).areas)

    def formulas_in(self, areas: Iterable[Area]) -> Iterator[Address]:
        """The computed cells of some areas. Raises: TooManyReferences when all that was asked for is too much."""
        for area in areas:
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

    def loose_order(
        self,
        targets: Iterable[Address],
        leaves: Collection[Address] = (),
        areas_of: Callable[[Address], Iterable[Area]] | None = None,
        stepped_over: list[tuple[Cells, Cells]] | None = None,
    ) -> list[Address]:
        """As order(), where circles are broken anywhere and formulas that cannot be bound need nothing.

        Good as a first guess: Calculation finds out what each formula truly reads. A range that many formulas read
        is gone through once. `areas_of` says what a formula reads, `stepped_over` takes the steps, from a cell or
        (sheet, bounds) of a range to another, that would have closed a circle.

        Raises: TooManyReferences.
        """
        areas_of = areas_of or self._bound_areas

        def before(node: Cells) -> Iterator[Cells]:
            if len(node) == 2:
                for found in self._formulas_in_bounds(*node):
                    if found not in leaves:
                        yield found
                return
            for area in areas_of(node):
                if area.is_cell:
                    address = area.address
                    if address not in leaves and self.is_formula(address):
                        yield address
                else:
                    yield (area.sheet, area.bounds)

        first: list[Cells] = [target for target in targets if self.is_formula(target)]
        found = dependency_order(first, before, None, stepped_over)
        return [node for node in found if len(node) == 3]

    def _bound_areas(self, address: Address) -> Iterable[Area]:
        try:
            return self.reads_at(address).areas
        except EngineError:
            return ()

    def _formulas_in_bounds(self, sheet: int, bounds: Bounds) -> Iterator[Address]:
        return self.formulas_in((Area(sheet, bounds, False),))

    def reads_at(self, address: Address) -> Reads:
        """What the formula of a cell refers to. Raises: UnreadableFormula, UnsupportedFormula."""
        known = self._reads.get(address)
        if known is None:
            known = self._reads[address] = self.reads(self.tree(address))
        return known

    def reads(self, tree: Node) -> Reads:
        """The references of a bound tree, those inside the LAMBDAs it names too, and whether there are more."""
        found: list[Area] = []
        is_open = False
        named: set[NamedLambda] = set()
        stack: list[Node] = [tree]
        while stack:
            node = stack.pop()
            if isinstance(node, Area):
                found.append(node)
                continue
            if isinstance(node, Call) and node.name == "GETPIVOTDATA":
                found.extend(self.pivot_areas)
            is_open = is_open or is_computed_reference(node)
            if isinstance(node, NamedLambda) and node not in named:
                named.add(node)
                stack.append(self.named_lambda(node.scope, node.name))
            stack.extend(reversed(children(node)))
        return Reads(found, is_open)

    @cached_property
    def pivot_areas(self) -> list[Area]:
        """The cells of all pivot tables; formulas that ask for one name it by any cell of it."""
        pivots = self.workbook.pivots
        return [
            Area(sheet, pivot.bounds, False) for sheet in pivots for pivot in pivots[sheet] if pivot.bounds
        ]

    def circle(self, circle: Sequence[Address]) -> CircularReference:
        """The refusal of cells that need each other."""
        advice = (
            "let none of them depend on itself, or, where the circle is meant, switch on iterative calculation in "
            "Excel under File, Options, Formulas, and save again."
        )
        shown = sorted(circle)[:_CIRCLE_CELLS_SHOWN]
        return CircularReference(
            f"The workbook has circular references in cells {condensed(circle, self)}; {advice}",
            cells=tuple(self.text(address) for address in shown),
        )


def data_table_node(facts: DataTableFacts, address: Address) -> Node:
    """One cell of a what-if table, bound; #REF! where an input cell was deleted."""
    sheet, row, column = address
    top, left, _, _ = facts.bounds
    if facts.is_broken or top == 1 or left == 1:
        return ErrorLiteral(ErrorValue.REF)

    def cell(place: tuple[int, int]) -> Area:
        return Area(sheet, (*place, *place), True)

    inputs: list[tuple[Area, Area]] = []
    if facts.row_input is not None:
        inputs.append((cell(facts.row_input), cell((top - 1, column))))
    if facts.column_input is not None:
        inputs.append((cell(facts.column_input), cell((row, left - 1))))
    if len(inputs) == 2:
        return DataTable(cell((top - 1, left - 1)), tuple(inputs))
    formula = (row, left - 1) if facts.row_input is not None else (top - 1, column)
    return DataTable(cell(formula), tuple(inputs))


def dependency_order(
    targets: Sequence[Step],
    precedents: Callable[[Step], Iterator[Step]],
    circle: Callable[[Sequence[Step]], EngineError] | None,
    stepped_over: list[tuple[Step, Step]] | None = None,
) -> list[Step]:
    """Depth-first order over any graph of cells; raises what `circle` makes of a circle, or steps over it.

    `stepped_over` takes the steps (reader, read) that would have closed a circle.
    """
    order: list[Step] = []
    finished: set[Step] = set()
    for target in targets:
        if target in finished:
            continue
        path: dict[Step, Iterator[Step]] = {target: precedents(target)}
        while path:
            address, remaining = next(reversed(path.items()))
            following = next((found for found in remaining if found not in finished), None)
            if following is None:
                del path[address]
                finished.add(address)
                order.append(address)
            elif following in path:
                if circle is None:
                    if stepped_over is not None:
                        stepped_over.append((address, following))
                    continue
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
    return [node for node in every_node(tree) if isinstance(node, Area)]


def is_external(tree: Node) -> bool:
    """Whether a formula refers to another workbook."""
    return any(isinstance(node, External) for node in every_node(tree))


def is_computed_reference(node: Node) -> bool:
    """Whether what a node refers to is known only when it is computed: OFFSET, INDIRECT, A1:INDEX(..), A1#."""
    match node:
        case Call(name, _):
            return name in ("INDIRECT", "OFFSET")
        case Binary(operator, _, _):
            return operator == ":"
        case _:
            return isinstance(node, Spilled)


def bounds_text(bounds: Bounds) -> str:
    """An area without its sheet: "B2:C5", or "B2" for one cell."""
    top, left, bottom, right = bounds
    first = f"{column_letters(left)}{top}"
    return first if (top, left) == (bottom, right) else f"{first}:{column_letters(right)}{bottom}"
