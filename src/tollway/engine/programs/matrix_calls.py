"""Reads RiskCorrmat(range, position, instance) and PsiCorrMatrix: inputs attached to a matrix that stands in cells.

Source: help.palisade.com, @RISK 8, "RiskCorrmat": a square range of rank correlations, the position counts from 1, and
inputs with the same instance belong together. Only one half need be filled, as @RISK writes it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tollway.engine.distributions.parameters import BadDistribution
from tollway.engine.exact.calculation import Calculation
from tollway.engine.exact.graph import Address, FormulaBook, bounds_text
from tollway.engine.functions.registry import Grid
from tollway.engine.language.syntax import Area, Call, Group, Node, Omitted, Single, sheet_text
from tollway.engine.values import Value

# Far more than can be mixed in one run.
MATRIX_SIZE_MAX = 200
_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class CorrelatedDraw:
    """An input of a cell that a call attaches to a matrix."""

    owner: Address
    cell: str
    call: Call


def correlation_entries(
    book: FormulaBook,
    calculation: Calculation,
    draws: Sequence[CorrelatedDraw],
    varies: Callable[[Sequence[Node]], bool],
    problems: dict[str, str] | None = None,
) -> list[dict[str, Any]]:
    """One entry for each group of two and more: {"cells": [...], "matrix": [[...], ...]}.

    Where `problems` are asked for, they are told there by the input's cell, and that input is left out.

    Raises: BadDistribution naming the cell for what is no matrix, no position in it, or one taken twice.
    """
    groups = _Groups(book, calculation, varies)
    for draw in draws:
        try:
            groups.attach(draw)
        except BadDistribution as refusal:
            if problems is None:
                raise
            problems[draw.cell] = refusal.message
    return groups.entries()


class _Groups:
    """Inputs by the matrix and the instance that they are attached to, each at its position."""

    def __init__(
        self, book: FormulaBook, calculation: Calculation, varies: Callable[[Sequence[Node]], bool]
    ) -> None:
        self.book = book
        self.calculation = calculation
        self.varies = varies
        self.members: dict[tuple[Area, Value], dict[int, str]] = {}
        self.matrices: dict[Area, list[list[float]]] = {}

    def attach(self, draw: CorrelatedDraw) -> None:
        area = _area(self.book, draw)
        if self.varies([area, *draw.call.arguments[1:]]):
            raise _refused(
                self.book, draw, "the matrix or the position depends on an input; both must stay as they are"
            )
        if area not in self.matrices:
            self.matrices[area] = _matrix(self.book, self.calculation, draw, area)
        position = _position(self.book, self.calculation, draw, len(self.matrices[area]))
        members = self.members.setdefault((area, _instance(self.calculation, draw)), {})
        if position in members:
            raise _refused(
                self.book,
                draw,
                f"position {position} of {_shown(self.book, area)} is taken by {members[position]}; give each its own",
            )
        members[position] = draw.cell

    def entries(self) -> list[dict[str, Any]]:
        entries = []
        for (area, _), members in self.members.items():
            positions = sorted(members)
            if len(positions) > 1:
                matrix = self.matrices[area]
                entries.append(
                    {
                        "cells": [members[position] for position in positions],
                        "matrix": [
                            [matrix[row - 1][column - 1] for column in positions] for row in positions
                        ],
                    }
                )
        return entries


def _area(book: FormulaBook, draw: CorrelatedDraw) -> Area:
    node: Node = draw.call.arguments[0] if draw.call.arguments else Omitted()
    while isinstance(node, Group):
        node = node.inner
    if not isinstance(node, Area) or len(draw.call.arguments) > 3:
        raise _refused(
            book, draw, "it takes the range of a matrix, a position in it, and perhaps an instance"
        )
    return node


def _matrix(
    book: FormulaBook, calculation: Calculation, draw: CorrelatedDraw, area: Area
) -> list[list[float]]:
    top, left, bottom, right = area.bounds
    size = bottom - top + 1
    if size != right - left + 1 or not 2 <= size <= MATRIX_SIZE_MAX:
        raise _refused(
            book, draw, f"{_shown(book, area)} has {size:,} rows and {right - left + 1:,} columns; a matrix of 2 to "
            f"{MATRIX_SIZE_MAX} inputs has as many rows as columns"
        )  # fmt: skip

    def read(interpreter: Any) -> list[list[Value]]:
        found = interpreter.whole(area, True)
        assert isinstance(found, Grid)
        return [[found.at(row, column) for column in range(size)] for row in range(size)]

    held = calculation.answered(draw.owner, read)
    matrix = [[1.0 if row == column else 0.0 for column in range(size)] for row in range(size)]
    for row in range(size):
        for column in range(row + 1):
            pair = [held[row][column], held[column][row]]
            given = [value for value in pair if value is not None]
            if not all(isinstance(value, float) and abs(value) <= 1 for value in given):
                raise _refused(
                    book, draw, f"{_shown(book, area)} holds what is no correlation, which lies from -1 to 1"
                )
            numbers = [value for value in given if isinstance(value, float)]
            if row == column and numbers and abs(numbers[0] - 1) > _TOLERANCE:
                raise _refused(book, draw, f"the diagonal of {_shown(book, area)} must be 1")
            if len(numbers) == 2 and abs(numbers[0] - numbers[1]) > _TOLERANCE:
                # An empty half may be filled with zeros too.
                if 0.0 not in numbers:
                    raise _refused(book, draw, f"{_shown(book, area)} is not symmetric")
                numbers = [value for value in numbers if value != 0.0]
            if row != column and numbers:
                matrix[row][column] = matrix[column][row] = numbers[0]
    return matrix


def _position(book: FormulaBook, calculation: Calculation, draw: CorrelatedDraw, size: int) -> int:
    found = _argument(calculation, draw, 1)
    if (
        not isinstance(found, float)
        or isinstance(found, bool)
        or found != int(found)
        or not 1 <= found <= size
    ):
        raise _refused(
            book, draw, f"the position is {str(found)[:20]}; it must be a whole number from 1 to {size}"
        )
    return int(found)


def _instance(calculation: Calculation, draw: CorrelatedDraw) -> Value:
    found = _argument(calculation, draw, 2)
    return found.lower() if isinstance(found, str) else found


def _argument(calculation: Calculation, draw: CorrelatedDraw, place: int) -> Value:
    if len(draw.call.arguments) <= place:
        return None
    found = calculation.evaluated(draw.owner, Single(draw.call.arguments[place]), is_array=False)
    return found if isinstance(found, (float, str)) else None


def _shown(book: FormulaBook, area: Area) -> str:
    return f"{sheet_text(book.workbook.sheets[area.sheet].name)}!{bounds_text(area.bounds)}"


def _refused(book: FormulaBook, draw: CorrelatedDraw, why: str) -> BadDistribution:
    cell = book.text(draw.owner)
    return BadDistribution(f"{cell}: the correlation matrix cannot be used: {why}.", cells=(cell,))
