"""The cells between inputs and outputs: which vary, what their computed references stand for, and what stops blocks.

A reference that is computed (OFFSET, INDIRECT, A1:INDEX(..), A1#) from cells that no input reaches always means the
same cells: it is replaced by them. Where its place varies, the whole slice is interpreted.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace

from tollway.engine.exact.calculation import Calculation
from tollway.engine.exact.graph import Address, Cells, FormulaBook, is_computed_reference
from tollway.engine.exact.references import find_spill
from tollway.engine.functions import find_function
from tollway.engine.functions.ranges import CellRange
from tollway.engine.functions.registry import is_whole_kind
from tollway.engine.language.syntax import (
    Area,
    ArrayConstant,
    ArrayPart,
    Binary,
    Call,
    DataTable,
    Drawn,
    ErrorLiteral,
    Group,
    Invoke,
    Lambda,
    Let,
    NamedLambda,
    Node,
    Parameter,
    Percent,
    Single,
    Spilled,
    Unary,
    Union,
    children,
    every_node,
)
from tollway.engine.values import ErrorValue
from tollway.engine.workbooks.cells import Bounds

# What they give may have another size when their arguments hold other values.
_SIZED_BY_VALUES = frozenset(
    [
        "CHOOSECOLS",
        "CHOOSEROWS",
        "DROP",
        "EXPAND",
        "FILTER",
        "GROUPBY",
        "MAKEARRAY",
        "MODE.MULT",
        "PIVOTBY",
        "REDUCE",
        "REGEXEXTRACT",
        "SEQUENCE",
        "TAKE",
        "TEXTSPLIT",
        "TOCOL",
        "TOROW",
        "TRIMRANGE",
        "UNIQUE",
        "WRAPCOLS",
        "WRAPROWS",
    ]
)
# They give one of several arguments, which may differ in size.
_CHOOSING = frozenset({"CHOOSE", "IF", "IFERROR", "IFNA", "IFS", "SWITCH", "XLOOKUP"})


Change = Callable[[Node], Node]


@dataclass
class Slice:
    """Formulas that outputs need, each after those it reads; `obstacle` says why they have no form in blocks."""

    order: list[Address] = field(default_factory=list)
    varying: set[Address] = field(default_factory=set)
    trees: dict[Address, Node] = field(default_factory=dict)
    obstacle: str | None = None


class Slicing:
    """Slices a workbook between its inputs and outputs; `calculation` holds it at its own values.

    Raises: CircularReference, UnreadableFormula, UnsupportedFormula, TooManyReferences.
    """

    def __init__(self, book: FormulaBook, calculation: Calculation, inputs: Collection[Address]) -> None:
        self.book = book
        self.calculation = calculation
        self.inputs = frozenset(inputs)
        self.found = Slice()
        # What each computed reference of a formula means at the workbook's own values; None where that cannot be told.
        self.meant: dict[Address, dict[Node, Node | None]] = {}
        self.ranges: dict[tuple[int, Bounds], bool] = {}
        self.stepped_over: list[tuple[Cells, Cells]] = []

    def walk(self, outputs: Sequence[Address]) -> list[Address]:
        """The formulas that outputs need, each after those it reads."""
        self.found.order = self.book.loose_order(outputs, self.inputs, self._areas, self.stepped_over)
        return self.found.order

    def cut(self, drawn: Collection[Address] = ()) -> Slice:
        """What varies of the formulas that were walked, with the inputs and the places of what they draw."""
        found, stepped_over = self.found, self.stepped_over
        self.inputs |= frozenset(drawn)
        found.varying.update(self.inputs)
        is_changed = True
        while is_changed:
            is_changed = False
            self.ranges.clear()
            for address in found.order:
                if address not in found.varying and self._is_reached(address):
                    found.varying.add(address)
                    is_changed = bool(stepped_over)
        self.ranges.clear()
        for reader, read in stepped_over:
            if self._varies(reader) and self._varies(read):
                self._refuse(
                    reader if len(reader) == 3 else (reader[0], *reader[1][:2]), "goes round in a circle"
                )
        found.varying.difference_update(self.inputs)
        return found

    def may_vary(self, nodes: Sequence[Node]) -> bool:
        """Whether parts of a formula depend on an input, once the slice is cut; where that cannot be told, they do."""
        for node in nodes:
            reads = self.book.reads(node)
            if reads.is_open:
                return True
            for area in reads.areas:
                places = (
                    [area.address]
                    if area.is_cell
                    else [
                        (area.sheet, *place)
                        for place in self.book.workbook.sheets[area.sheet].positions_in(area.bounds)
                    ]
                )
                if any(place in self.found.varying or place in self.inputs for place in places):
                    return True
        return False

    def _varies(self, cells: Cells) -> bool:
        if len(cells) == 3:
            return cells in self.found.varying
        return self._any_varies([Area(cells[0], cells[1], False)])

    def _areas(self, address: Address) -> list[Area]:
        tree = self.book.tree(address)
        reads = self.book.reads_at(address)
        if not reads.is_open:
            return reads.areas
        meant = self.meant[address] = self._meant(address, tree)
        return [*reads.areas, *(node for node in meant.values() if isinstance(node, Area))]

    def _meant(self, address: Address, tree: Node) -> dict[Node, Node | None]:
        found: dict[Node, Node | None] = {}
        stack: list[Node] = [tree]
        while stack:
            node = stack.pop()
            if is_computed_reference(node):
                found[node] = self._place(address, node)
            stack.extend(children(node))
        return found

    def _place(self, address: Address, node: Node) -> Node | None:
        if any(isinstance(inner, Parameter) for inner in every_node(node)):
            return None
        # Whether it stands where an array is wanted changes what ranges inside it mean, and is not known here.
        meant, as_array = (
            self.calculation.evaluated(address, node, is_array=is_array) for is_array in (False, True)
        )
        if _place_of(meant) != _place_of(as_array):
            return None
        if isinstance(meant, ErrorValue):
            return ErrorLiteral(meant)
        if not isinstance(meant, CellRange):
            return None
        return Area(meant.sheet, meant.bounds, meant.row_count == meant.column_count == 1)

    # --- what varies -----------------------------------------------------------------------------------

    def _is_reached(self, address: Address) -> bool:
        tree = self.book.tree(address)
        reads = self.book.reads_at(address)
        if not reads.is_open:
            if not self._any_varies(reads.areas):
                return False
            self._check_form(address, tree)
            self.found.trees[address] = tree
            return True
        resolved = self._resolved(address, tree)
        if resolved is None:
            if not self._any_varies(reads.areas) and None not in self.meant[address].values():
                return False
            self._refuse(address, "reads cells whose place depends on an input")
            return True
        if not self._any_varies(self.book.reads(resolved).areas):
            return False
        self._check_form(address, resolved)
        self.found.trees[address] = resolved
        return True

    def _resolved(self, address: Address, tree: Node) -> Node | None:
        """The formula with cells for its computed references; None where their place varies or cannot be told."""
        meant = self.meant[address]

        def change(node: Node) -> Node:
            if not is_computed_reference(node):
                return rebuilt(node, change)
            place = meant[node]
            if place is None or self._any_varies(_deciding(self.book, node)):
                raise _PlaceVariesError
            return place

        try:
            return change(tree)
        except (_PlaceVariesError, RecursionError):
            return None

    def _any_varies(self, areas: Sequence[Area]) -> bool:
        return any(self._area_varies(area) for area in areas)

    def _area_varies(self, area: Area) -> bool:
        varying = self.found.varying
        if area.is_cell:
            return area.address in varying
        # A range's cells come before those that read it, so what was found once stays true in this round.
        key = (area.sheet, area.bounds)
        known = self.ranges.get(key)
        if known is None:
            known = self.ranges[key] = any(
                (area.sheet, row, column) in varying
                for row, column in self.book.workbook.sheets[area.sheet].positions_in(area.bounds)
            )
        return known

    def _check_form(self, address: Address, tree: Node) -> None:
        pivots = self.book.pivot_areas
        if pivots and pivots[0] in self.book.reads_at(address).areas and self._any_varies(pivots):
            self._refuse(address, "asks for a value of a pivot table of which a cell depends on an input")
        if isinstance(tree, DataTable):
            self._refuse(address, "belongs to a what-if table")
        elif isinstance(tree, ArrayPart):
            sheet, row, column = address
            anchor = (sheet, row - tree.row, column - tree.column)
            if find_spill(self.book, anchor) is not None and self._size_varies(tree.tree):
                self._refuse(address, "spills an array whose size may depend on an input")

    def _size_varies(self, tree: Node) -> bool:
        seen: set[Node] = set()
        stack: list[Node] = [tree]
        while stack:
            node = stack.pop()
            if isinstance(node, Call):
                if node.name in _SIZED_BY_VALUES:
                    return True
                if node.name in _CHOOSING and not all(map(_is_scalar, node.arguments)):
                    return True
                if _gives_one(node):
                    continue
            if isinstance(node, NamedLambda) and node not in seen:
                seen.add(node)
                stack.append(self.book.named_lambda(node.scope, node.name))
            stack.extend(children(node))
        return False

    def _refuse(self, address: Address, why: str) -> None:
        if self.found.obstacle is None:
            self.found.obstacle = f"{self.book.text(address)} {why}"


def _place_of(meant: object) -> object:
    """What tells one computed reference from another."""
    return (meant.sheet, meant.bounds) if isinstance(meant, CellRange) else meant


class _PlaceVariesError(Exception):
    """A computed reference depends on an input, or cannot be told from outside its LAMBDA."""


def _gives_one(node: Call) -> bool:
    """Whether a function gives one value whatever it is given: SUM, COUNT and their like."""
    called = find_function(node.name)
    return called is not None and called.returns != "any" and all(map(is_whole_kind, called.parameters))


def _is_scalar(node: Node) -> bool:
    """Whether a node can only give one value."""
    if isinstance(node, Area):
        return node.is_cell
    if isinstance(node, (ArrayConstant, Invoke, Lambda, Let, NamedLambda, Parameter, Spilled, Union)):
        return False
    if isinstance(node, Call):
        if _gives_one(node):
            return True
        called = find_function(node.name)
        if called is None or any(map(is_whole_kind, called.parameters)):
            return False
    return all(map(_is_scalar, children(node)))


def _deciding(book: FormulaBook, node: Node) -> list[Area]:
    """The areas that decide which cells a computed reference means; the one that OFFSET starts from is not read."""
    if isinstance(node, Call) and node.name == "OFFSET":
        base = node.arguments[0]
        decided = [area for argument in node.arguments[1:] for area in book.reads(argument).areas]
        return decided if isinstance(base, Area) else [*book.reads(base).areas, *decided]
    if isinstance(node, Binary):
        return [area for side in (node.left, node.right) for area in _end(book, side)]
    if isinstance(node, Spilled):
        # Its size is checked where it spills.
        return [] if isinstance(node.operand, Area) else book.reads(node.operand).areas
    return book.reads(node).areas


def _end(book: FormulaBook, side: Node) -> list[Area]:
    """What decides one end of a range; of INDEX its places, not the cells it chooses from."""
    if isinstance(side, Area):
        return []
    if isinstance(side, Call) and side.name == "INDEX" and isinstance(side.arguments[0], Area):
        return [area for argument in side.arguments[1:] for area in book.reads(argument).areas]
    return book.reads(side).areas


def rebuilt(node: Node, change: Change) -> Node:
    """A node with each of those below it changed."""
    match node:
        case Unary(operator, operand):
            return Unary(operator, change(operand))
        case Percent(operand):
            return Percent(change(operand))
        case Binary(operator, left, right):
            return Binary(operator, change(left), change(right))
        case Group(inner):
            return Group(change(inner))
        case Call(name, arguments):
            return Call(name, tuple([change(argument) for argument in arguments]))
        case ArrayPart(tree, row, column):
            return ArrayPart(change(tree), row, column)
        case Single(operand):
            return Single(change(operand))
        case Invoke(callee, arguments):
            return Invoke(change(callee), tuple([change(argument) for argument in arguments]))
        case Let(bindings, result):
            return Let(tuple([(name, change(value)) for name, value in bindings]), change(result))
        case Lambda(parameters, body, optional_count):
            return Lambda(parameters, change(body), optional_count)
        case Union(parts):
            return Union(tuple([change(part) for part in parts]))
        case Drawn(is_settled=False):
            return replace(
                node,
                arguments=tuple([change(argument) for argument in node.arguments]),
                properties=tuple(
                    [
                        Call(one.name, tuple([change(argument) for argument in one.arguments]))
                        for one in node.properties
                    ]
                ),
            )
        case _:
            return node
