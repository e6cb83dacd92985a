"""Which formulas some cells reach: whatever reads one of them, directly or through others."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from tollway.engine.exact.graph import Address, FormulaBook
from tollway.engine.language.syntax import Area, Node


def reached_from(
    book: FormulaBook, trees: Mapping[Address, Node], order: Sequence[Address], first: Collection[Address]
) -> frozenset[Address]:
    """The given cells, and the formulas whose references show that they depend on one.

    `order` has each formula after those it reads; in `trees` are those that could be bound.
    """
    reached = set(first)
    if not reached:
        return frozenset()
    # A range is gone through once: its cells come before all that read it.
    of_ranges: dict[Area, bool] = {}
    for address in order:
        if address not in trees or address in reached:
            continue
        for area in book.reads_at(address).areas:
            if area.is_cell:
                is_reached = area.address in reached
            elif area in of_ranges:
                is_reached = of_ranges[area]
            else:
                is_reached = of_ranges[area] = _holds_one(area, reached)
            if is_reached:
                reached.add(address)
                break
    return frozenset(reached)


def _holds_one(area: Area, reached: set[Address]) -> bool:
    top, left, bottom, right = area.bounds
    if (bottom - top + 1) * (right - left + 1) <= len(reached):
        rows, columns = range(top, bottom + 1), range(left, right + 1)
        return any((area.sheet, row, column) in reached for row in rows for column in columns)
    return any(
        sheet == area.sheet and top <= row <= bottom and left <= column <= right
        for sheet, row, column in reached
    )
