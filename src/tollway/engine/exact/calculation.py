"""Computes the formulas of a workbook on demand: each when its value is first wanted, as Excel's chain does.

A formula that reads a cell not computed yet is set aside until that cell is; it then starts anew. So IF, CHOOSE
and their like need only what they read, INDIRECT and OFFSET find what they find, and only a formula that truly
reads itself is a circle.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, TypeVar

from tollway.engine.exact.graph import Address, FormulaBook
from tollway.engine.exact.interpret import ExternalReferenceError, Interpreter
from tollway.engine.exact.range_rows import NotComputedError
from tollway.engine.exact.references import filled_corner, find_spill
from tollway.engine.exact.spills import spilled_values
from tollway.engine.exact.what_if import WhatIf
from tollway.engine.functions.kept_rows import KeptRows
from tollway.engine.functions.ranges import Bounds
from tollway.engine.functions.registry import Argument, Grid, distinct_rows, element
from tollway.engine.language.syntax import ArrayPart, DataTable, Node
from tollway.engine.values import EngineError, ErrorValue, Value

# Cells of ranges kept for the next formula that reads the same range, and the least that is worth keeping.
_KEPT_CELLS_MAX = 2_000_000
_KEPT_RANGE_CELLS = 8
_ABSENT = object()
Answer = TypeVar("Answer")


@dataclass(slots=True)
class Circle:
    """Cells that need each other, in the order Excel computes them: sheet by sheet, row by row."""

    members: list[Address]


@dataclass
class Iterated:
    """What iterating the circles of a workbook came to."""

    cells: set[Address] = field(default_factory=set)
    unsettled: set[Address] = field(default_factory=set)
    """Those in circles that still changed at the last round."""


class Calculation:
    """One calculation of a workbook; `given` are cells that hold other values than the workbook says.

    `base` is a calculation without them, whose values stand for all cells but those that are `tainted`.

    `is_lenient`: Excel's stored value stands for a formula that cannot be computed, which `refused` then names;
    else its refusal is raised. `draws_stand`: as Interpreter.
    """

    def __init__(
        self,
        book: FormulaBook,
        given: Mapping[Address, Value] | None = None,
        *,
        is_lenient: bool = False,
        base: Calculation | None = None,
        tainted: AbstractSet[Address] = frozenset(),
        draws_stand: bool = False,
    ) -> None:
        self.book = book
        self.is_lenient = is_lenient
        self.refused: dict[Address, EngineError] = {}
        self.external: set[Address] = set()
        self.iterated = Iterated()
        self.depth: int = 0 if base is None else base.depth
        self._given = dict(given or {})
        self._known: dict[Address, Value] = dict(self._given)
        self._base = base
        self.draws_stand: bool = draws_stand or (base is not None and base.draws_stand)
        self._tainted = tainted
        self._arrays: dict[Address, Argument] = {}
        self._spilled: dict[Address, Bounds] = {}
        # Those that reach beyond what the file says.
        self._grown: list[tuple[int, Bounds]] = []
        self._sheets = book.workbook.sheets
        self._provisional: dict[Address, Value] = {}
        self._ranges: dict[tuple[int, Bounds], Sequence[Sequence[Value]]] = {}
        self._kept_cells = 0
        self._cells = [sheet.cells for sheet in book.workbook.sheets]
        self._what_ifs: dict[DataTable, WhatIf] = {}
        self.interpreter = _KeepingInterpreter(self)

    # --- values ----------------------------------------------------------------------------------------

    def value(self, address: Address) -> Value:
        """What a cell holds, computed if need be.

        Raises: CircularReference; UnsupportedFormula and its like where the calculation is not lenient.
        """
        try:
            return self.value_of(address)
        except NotComputedError:
            self.compute((address,))
            return self.value_of(address)

    def compute(self, order: Iterable[Address]) -> dict[Address, Value]:
        """Compute formula cells, fastest where each comes after those it reads; gives every value known."""
        known = self._known
        for address in order:
            if address not in known:
                self._compute(address)
        return known

    def evaluated(self, address: Address, node: Node, *, is_array: bool) -> Any:
        """What a part of a formula gives, as it stands in a cell: a value, array, reference or LAMBDA."""
        while True:
            try:
                return self.interpreter.part(address, node, is_array=is_array)
            except NotComputedError as missing:
                self.compute(missing.addresses)

    def answered(self, address: Address, question: Callable[[Interpreter], Answer]) -> Answer:
        """What a question finds that is asked of the interpreter, as it stands in a cell."""
        while True:
            try:
                self.interpreter.enter(address)
                return question(self.interpreter)
            except NotComputedError as missing:
                self.compute(missing.addresses)

    def value_of(self, address: Address) -> Value:
        """What a cell holds. Raises: NotComputedError."""
        found = self._known.get(address, _ABSENT)
        if found is not _ABSENT:
            return found  # type: ignore[return-value]
        if address in self._provisional:
            return self._provisional[address]
        sheet, row, column = address
        cell = self._cells[sheet].get((row, column))
        if cell is None:
            return None
        if cell.formula is None and cell.array_anchor is None and cell.data_table is None:
            self._known[address] = cell.value
            return cell.value
        if self._base is not None and address not in self._tainted:
            shared = self._base.find_known(address)
            if shared is not _ABSENT:
                self._known[address] = shared  # type: ignore[assignment]
                return shared  # type: ignore[return-value]
        raise NotComputedError((address,))

    def find_known(self, address: Address) -> object:
        """A value computed already; a marker that is no value where there is none."""
        found = self._known.get(address, _ABSENT)
        if found is _ABSENT and self._base is not None and address not in self._tainted:
            return self._base.find_known(address)
        return found

    # --- one cell and what it needs --------------------------------------------------------------------

    def _compute(self, target: Address) -> None:
        """Walks with its own stack, so that a chain of 100,000 cells is no deeper than one of ten."""
        known = self._known
        stack: list[Address | Circle] = [target]
        begun: dict[Address, int] = {}
        while stack:
            top = stack[-1]
            try:
                if isinstance(top, Circle):
                    self._iterate(top)
                elif top not in known:
                    known[top] = self._evaluated(top)
            except NotComputedError as missing:
                if not isinstance(top, Circle):
                    begun[top] = len(stack) - 1
                self._push(stack, begun, missing.addresses)
                continue
            stack.pop()
            for address in top.members if isinstance(top, Circle) else (top,):
                begun.pop(address, None)

    def _push(
        self, stack: list[Address | Circle], begun: dict[Address, int], missing: Sequence[Address]
    ) -> None:
        place = min((begun[address] for address in missing if address in begun), default=None)
        if place is None:
            stack.extend(reversed(missing))
            return
        members: set[Address] = set()
        for index in range(place, len(stack)):
            entry = stack[index]
            if isinstance(entry, Circle):
                members.update(entry.members)
            elif begun.get(entry) == index:
                members.add(entry)
        if not self.book.workbook.is_iterative:
            raise self.book.circle(sorted(members))
        del stack[place:]
        stack.append(Circle(sorted(members)))
        for address in members:
            begun[address] = place

    def _evaluated(self, address: Address) -> Value:
        cell = self._cells[address[0]][address[1:]]
        try:
            tree = self.book.tree(address)
            if isinstance(tree, ArrayPart):
                return self._array_part(address, tree)
            if isinstance(tree, DataTable):
                return self.what_if(tree)
            return self.interpreter.cell_value(address, tree)
        except ExternalReferenceError:
            self.external.add(address)
            return cell.value
        except EngineError as refusal:
            if not self.is_lenient:
                raise self._named(refusal, address) from None
            self.refused[address] = refusal
            return cell.value

    def _named(self, refusal: EngineError, address: Address) -> EngineError:
        if not refusal.cells:
            refusal.cells = (self.book.text(address),)
            refusal.message = f"{self.book.text(address)}: {refusal.message}"
            refusal.args = (refusal.message,)
        return refusal

    # --- arrays ----------------------------------------------------------------------------------------

    def _array_part(self, address: Address, part: ArrayPart) -> Value:
        sheet, row, column = address
        anchor = (sheet, row - part.row, column - part.column)
        found = self._arrays.get(anchor, _ABSENT)
        if found is _ABSENT:
            if anchor != address:
                # Its value is written beside that of the first cell, unless it is no longer filled.
                if anchor in self._known:
                    return None
                raise NotComputedError((anchor,))
            found = self._array(anchor, part)
        if (
            isinstance(found, Grid)
            and (part.row >= found.row_count or part.column >= found.column_count)
            and find_spill(self.book, anchor) is not None
        ):
            # The array has shrunk: the cell is empty.
            return None
        return element(found, part.row, part.column)  # type: ignore[arg-type]

    def _array(self, anchor: Address, part: ArrayPart) -> Argument:
        found = self.interpreter.array(anchor, part)
        if find_spill(self.book, anchor) is not None:
            found, values = spilled_values(self.book, anchor, found)
            self._known.update(values)
            if isinstance(found, Grid):
                sheet, top, left = anchor
                area = (top, left, top + found.row_count - 1, left + found.column_count - 1)
                self._spilled[anchor] = area
                stored = find_spill(self.book, anchor)
                if stored is None or area[2] > stored[2] or area[3] > stored[3]:
                    self._grown.append((sheet, area))
        else:
            found = _shown_array(found)
        if not self._provisional:
            self._arrays[anchor] = found
        return found

    def spill_of(self, address: Address) -> Bounds | None:
        """The area that the array of a cell fills; None for a cell without one. Raises: NotComputedError."""
        stored = find_spill(self.book, address)
        if stored is None:
            return None
        self.value_of(address)
        if address in self._spilled:
            return self._spilled[address]
        if self._base is not None and address not in self._tainted:
            return self._base.spill_of(address)
        return (*address[1:], *address[1:])

    def filled_corner(self, sheet: int, bounds: Bounds) -> tuple[int, int]:
        """The last row and column of an area that hold something, what arrays have spilled there included."""
        row, column = filled_corner(self._sheets[sheet], bounds)
        top, left, bottom, right = bounds
        for spilled_sheet, area in self._grown:
            if (
                spilled_sheet == sheet
                and (area[2] > row or area[3] > column)
                and area[0] <= bottom
                and area[1] <= right
                and area[2] >= top
                and area[3] >= left
            ):
                row, column = max(row, min(bottom, area[2])), max(column, min(right, area[3]))
        return row, column

    def read_rows(self, sheet: int, bounds: Bounds) -> Sequence[Sequence[Value]]:
        """As Interpreter.read_rows, keeping what several formulas read."""
        known = self._ranges.get((sheet, bounds))
        if known is not None:
            return known
        rows = Interpreter.read_rows(self.interpreter, sheet, bounds)
        size = len(rows) * len(rows[0]) if rows else 0
        if size >= _KEPT_RANGE_CELLS and not self._provisional and self._kept_cells + size < _KEPT_CELLS_MAX:
            self._kept_cells += size
            rows = self._ranges[sheet, bounds] = KeptRows(rows)
        return rows

    # --- what-if tables and circles --------------------------------------------------------------------

    def what_if(self, tree: DataTable) -> Value:
        """One cell of a what-if table. Raises: NotComputedError."""
        if self.depth:
            # A table inside its own what-if: Excel keeps the value it had.
            return ErrorValue.NUM
        tried = {to.address: self.value_of(of.address) for to, of in tree.inputs}
        key = DataTable(tree.formula, tuple((to, to) for to, _ in tree.inputs))
        what_if = self._what_ifs.get(key)
        if what_if is None:
            what_if = self._what_ifs[key] = WhatIf(self.book, tree.formula.address, frozenset(tried))
        given = {**self._given, **tried}
        inner = Calculation(self.book, given, is_lenient=self.is_lenient, base=self, tainted=what_if.tainted)
        inner.depth += 1
        return inner.value(tree.formula.address)

    def _iterate(self, circle: Circle) -> None:
        """Excel's iteration: every cell once in each round, until none changes by more than the workbook says."""
        workbook = self.book.workbook
        held: dict[Address, Value] = {}
        for sheet, row, column in circle.members:
            stored = self._cells[sheet][row, column].value
            held[sheet, row, column] = 0.0 if stored is None else stored
        self._provisional = held
        is_settled = False
        try:
            for _ in range(workbook.iterations_max):
                largest = 0.0
                for address in circle.members:
                    value = self._evaluated(address)
                    largest = max(largest, _change(held[address], value))
                    held[address] = value
                if largest <= workbook.iteration_change_max:
                    is_settled = True
                    break
        finally:
            self._provisional = {}
        self._known.update(held)
        self.iterated.cells.update(held)
        if not is_settled:
            self.iterated.unsettled.update(held)


class _KeepingInterpreter(Interpreter):
    """Reads through a calculation."""

    def __init__(self, calculation: Calculation) -> None:
        super().__init__(calculation.book, calculation.value_of, spill_of=calculation.spill_of)
        self.draws_stand = calculation.draws_stand
        self._calculation = calculation

    def read_rows(self, sheet: int, bounds: Bounds) -> Sequence[Sequence[Value]]:
        return self._calculation.read_rows(sheet, bounds)

    def filled_corner(self, sheet: int, bounds: Bounds) -> tuple[int, int]:
        return self._calculation.filled_corner(sheet, bounds)


def _shown_array(found: Argument) -> Argument:
    """An array as cells show it: a blank is 0."""
    if not isinstance(found, Grid):
        return 0.0 if found is None else found
    filled = min(found.row_count, len(found.rows))
    distinct = distinct_rows((found,), found.row_count)
    rows = [
        [0.0 if (value := found.at(row, column)) is None else value for column in range(found.column_count)]
        for row in range(min(distinct, filled))
    ]
    rows.extend(rows[-1:] * (filled - len(rows)))
    rows.extend([[0.0] * found.column_count] * (found.row_count - filled))
    return Grid(rows, found.row_count, found.column_count)


def _change(before: Value, after: Value) -> float:
    if isinstance(before, float) and isinstance(after, float):
        return abs(after - before)
    return 0.0 if before == after and type(before) is type(after) else float("inf")
