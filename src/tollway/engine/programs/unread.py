"""Which of the inputs that are marked no output reads, so that nobody takes them for harmless."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tollway.engine.exact.graph import Address, FormulaBook
from tollway.engine.language.syntax import Area
from tollway.engine.programs.slicing import Slicing
from tollway.engine.values import BadInputCell

if TYPE_CHECKING:
    from tollway.engine.programs.program import Program


def unread_inputs(book: FormulaBook, slicing: Slicing, inputs: Sequence[Address]) -> list[int]:
    """The positions of inputs that no formula behind the outputs refers to; the slice must have been cut.

    A cell counts as read where a formula names it, alone or inside a range, whether or not its value matters there.
    Where a formula computes a reference that varies or cannot be told beforehand, every input counts as read.
    """
    if slicing.found.obstacle is not None:
        return []
    left = {address: position for position, address in enumerate(inputs)}
    ranges: set[Area] = set()
    for address in slicing.found.order:
        reads = book.reads_at(address)
        areas = list(reads.areas)
        if reads.is_open:
            meant = slicing.meant[address].values()
            if None in meant:
                return []
            areas.extend(node for node in meant if isinstance(node, Area))
        for area in areas:
            if area.is_cell:
                left.pop(area.address, None)
            else:
                ranges.add(area)
        if not left:
            return []
    return [
        position for address, position in left.items() if not any(_covers(area, address) for area in ranges)
    ]


def check_reach(program: Program) -> None:
    """Refuse a run whose inputs are not all read by its outputs, by the first of them. Raises: BadInputCell."""
    if not program.unread:
        return
    first, *others = program.unread
    cells = [program.inputs[position].cell for position in program.unread]
    more = f" {len(others):,} more inputs are like it." if others else ""
    raise BadInputCell(
        f"{cells[0]} is an input and no output depends on it; leave it out, or name an output that does.{more}",
        cells=tuple(cells),
        field=f"inputs.{first}.cell",
    )


def _covers(area: Area, address: Address) -> bool:
    sheet, row, column = address
    top, left, bottom, right = area.bounds
    return sheet == area.sheet and top <= row <= bottom and left <= column <= right
