"""What formulas are lowered to before they become operations: operands, and rectangles of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tollway.engine.exact.graph import Address, FormulaBook
from tollway.engine.functions.registry import Grid, Rectangle, element
from tollway.engine.language.syntax import Node
from tollway.engine.programs.operations import Constant, Kind, Operand, Slot
from tollway.engine.values import ErrorValue, Value


class NotLowerableError(Exception):
    """This part of a formula has no block form; the part around it is interpreted."""


# What an empty cell gives.
BLANK = Constant(None)


class Varying(Rectangle[Operand]):
    """A rectangle of operands, some of which vary."""

    __slots__ = ()
    blank = BLANK


# What a blank counts as among values of one kind.
BLANKS: dict[Kind, Value] = {Kind.NUMBER: 0.0, Kind.LOGICAL: False, Kind.TEXT: ""}
# A constant array stays a Grid.
Lowered = Operand | Grid | Varying


@dataclass(frozen=True, slots=True)
class Interpreted:
    """What the "interpret" operation needs: a node, its cell, and which cells its operands stand for."""

    book: FormulaBook
    node: Node
    address: Address
    cells: tuple[Address, ...]
    kinds: tuple[Kind, ...]
    constant_at: Callable[[Address], Value]
    kind: Kind


def kind_of(operand: Operand) -> Kind | None:
    """The kind of an operand; None for a blank, which takes any."""
    if isinstance(operand, Slot):
        return operand.kind
    match operand.value:
        case None:
            return None
        case bool():
            return Kind.LOGICAL
        case float():
            return Kind.NUMBER
        case str():
            return Kind.TEXT
        case _:
            return Kind.ANY


def element_of(lowered: Lowered, row: int, column: int) -> Operand:
    """What an operand or array gives at one place of a larger array."""
    if isinstance(lowered, Grid):
        return Constant(element(lowered, row, column))
    if not isinstance(lowered, Varying):
        return lowered
    row = 0 if lowered.row_count == 1 else row
    column = 0 if lowered.column_count == 1 else column
    if row >= lowered.row_count or column >= lowered.column_count:
        return Constant(ErrorValue.NA)
    return lowered.at(row, column)
