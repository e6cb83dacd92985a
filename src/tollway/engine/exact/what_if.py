"""Which cells a what-if table computes anew: those that its formula needs and its inputs reach."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from tollway.engine.exact.graph import Address, FormulaBook
from tollway.engine.language.syntax import Area
from tollway.engine.values import EngineError


class WhatIf:
    """The cells between some inputs and a formula."""

    def __init__(self, book: FormulaBook, formula: Address, inputs: AbstractSet[Address]) -> None:
        self.tainted = frozenset(_between(book, formula, inputs))


def _between(book: FormulaBook, formula: Address, inputs: AbstractSet[Address]) -> set[Address]:
    found: set[Address] = set(inputs)
    for address in book.loose_order((formula,), inputs):
        try:
            reads = book.reads_at(address)
            is_reached = reads.is_open or any(_holds(area, inputs) for area in reads.areas)
        except EngineError:
            continue
        if is_reached or any(before in found for before in book.precedents(address)):
            found.add(address)
    return found


def _holds(area: Area, inputs: AbstractSet[Address]) -> bool:
    top, left, bottom, right = area.bounds
    return any(
        sheet == area.sheet and top <= row <= bottom and left <= column <= right
        for sheet, row, column in inputs
    )
