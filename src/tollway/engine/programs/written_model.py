"""What a workbook says of itself: the inputs that its formulas draw, and the outputs of a run that nobody marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tollway.engine.exact.calculation import Calculation
from tollway.engine.exact.drawn_calls import owner_of
from tollway.engine.exact.graph import Address, FormulaBook
from tollway.engine.exact.reach import reached_from
from tollway.engine.labels import label_of
from tollway.engine.language.syntax import Drawn, Group, Node
from tollway.engine.programs.program import OUTPUTS_MAX
from tollway.engine.programs.written_draws import DrawFound, draws_of, list_draws

WRITTEN_SHOWN = 200
"""Inputs that are told of one by one; there may be more."""


@dataclass(frozen=True, slots=True)
class WrittenOutput:
    """A cell to watch: marked by its formula, or a last result of what is drawn."""

    cell: str
    name: str | None
    is_marked: bool

    def as_json(self) -> dict[str, Any]:
        """Plain types."""
        return {"cell": self.cell, "name": self.name, "is_marked": self.is_marked}


@dataclass(frozen=True, slots=True)
class WrittenModel:
    """The first WRITTEN_SHOWN of `inputs_count` inputs, and the outputs of a run for which none are named.

    `correlations` are those that formulas write between these inputs, in entries of {cells, matrix}.

    The outputs are the cells that formulas mark (RiskOutput, PsiOutput) and that vary, or where there is none, the last
    results that depend on what is drawn, OUTPUTS_MAX at most.
    """

    inputs: tuple[DrawFound, ...] = ()
    inputs_count: int = 0
    correlations: tuple[dict[str, Any], ...] = ()
    outputs: tuple[WrittenOutput, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Plain types, under the names that callers of the API see."""
        return {
            "written_inputs": [one.as_json() for one in self.inputs],
            "written_inputs_count": self.inputs_count,
            "written_correlations": list(self.correlations),
            "written_outputs": [one.as_json() for one in self.outputs],
        }


def read_written_model(
    book: FormulaBook, bound: Mapping[Address, Node], order: Sequence[Address], results: Sequence[Address]
) -> WrittenModel:
    """Find what formulas draw and mark.

    Args:
        book: of the workbook.
        bound: formulas that could be bound.
        order: all formulas, each after those it reads.
        results: formulas that nothing else is computed from.
    """
    draws = draws_of(book, list(bound))
    varying = reached_from(book, bound, order, {owner_of(place) for place in draws})
    calculation = Calculation(book, is_lenient=True, draws_stand=True)

    def varies(nodes: Sequence[Node]) -> bool:
        for node in nodes:
            reads = book.reads(node)
            if reads.is_open:
                return True
            for area in reads.areas:
                if area.is_cell:
                    if area.address in varying or area.address in draws:
                        return True
                elif any(
                    (area.sheet, row, column) in varying
                    for row, column in book.workbook.sheets[area.sheet].positions_in(area.bounds)
                ):
                    return True
        return False

    found = list_draws(book, calculation, draws, varies, WRITTEN_SHOWN)
    return WrittenModel(
        tuple(found.inputs),
        max(len(draws), len(found.inputs)),
        tuple(found.correlations),
        tuple(_outputs(book, bound, varying, results)),
    )


def _outputs(
    book: FormulaBook, bound: Mapping[Address, Node], varying: frozenset[Address], results: Sequence[Address]
) -> list[WrittenOutput]:
    marked: dict[Address, str | None] = {}
    for mark in book.output_marks:
        if mark.address in bound:
            marked[mark.address] = marked.get(mark.address) or mark.name
    # Where nothing varies by itself, somebody will mark inputs, and the outputs are as they are marked.
    chosen = [address for address in sorted(marked) if address in varying] or sorted(marked)
    if not chosen:
        chosen = [address for address in results if address in varying and not _only_draws(bound[address])]
    return [
        WrittenOutput(book.text(address), marked.get(address) or label_of(book, address), address in marked)
        for address in chosen[:OUTPUTS_MAX]
    ]


def _only_draws(tree: Node) -> bool:
    while isinstance(tree, Group):
        tree = tree.inner
    return isinstance(tree, Drawn)
