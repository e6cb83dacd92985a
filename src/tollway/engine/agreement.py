"""Recomputes a workbook at its own values and compares with what the file stores: a free check at upload."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tollway.engine.graph import Address, FormulaBook, is_external
from tollway.engine.interpret import Interpreter
from tollway.engine.syntax import Node
from tollway.engine.values import ErrorValue, TooManyReferences, Value
from tollway.engine.workbook import Workbook

DIFFERENCES_SHOWN = 20
# Numbers that agree to this share are equal; Excel stores 15 to 17 digits.
AGREEMENT = 1e-9


@dataclass(frozen=True)
class Difference:
    """A formula that gives another value here than the one stored in the file."""

    cell: str
    formula: str
    stored: Value
    computed: Value

    def as_json(self) -> dict[str, Any]:
        """Plain types; error values as Excel writes them."""
        return {
            "cell": self.cell,
            "formula": self.formula,
            "stored": _plain(self.stored),
            "computed": _plain(self.computed),
        }


@dataclass(frozen=True)
class Agreement:
    """Every supported formula recomputed at the workbook's own values, against what the file stores.

    `left_out`: unsupported formulas, links to other workbooks, and formulas stored without a value, whose
    computed values are in `missing`: programs that write workbooks often leave computing to Excel.
    """

    equal: int
    different: int
    left_out: int
    differences: tuple[Difference, ...]
    missing: Mapping[Address, Value] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Plain types."""
        return {
            "equal": self.equal,
            "different": self.different,
            "left_out": self.left_out,
            "differences": [difference.as_json() for difference in self.differences],
        }


def check_agreement(
    book: FormulaBook,
    trees: dict[Address, Node],
    order: Sequence[Address],
    differences_shown: int = DIFFERENCES_SHOWN,
) -> Agreement:
    """Recompute formulas in order and compare each with the value the file stores."""
    computed: dict[Address, Value] = {}

    def value_of(address: Address) -> Value:
        if address in computed:
            return computed[address]
        cell = book.cell(address)
        return None if cell is None else cell.value

    interpreter = Interpreter(book, value_of)
    equal = left_out = 0
    differences: list[Difference] = []
    different = 0
    missing: dict[Address, Value] = {}
    for address in order:
        tree, cell = trees.get(address), book.cell(address)
        assert cell is not None
        if tree is None or is_external(tree):
            left_out += 1
            continue
        try:
            value = computed[address] = interpreter.cell_value(address, tree)
        except TooManyReferences:
            left_out += 1
            continue
        if cell.value is None:
            left_out += 1
            missing[address] = value
        elif agrees(value, cell.value):
            equal += 1
        else:
            different += 1
            if len(differences) < differences_shown:
                differences.append(
                    Difference(book.text(address), f"={cell.formula or ''}", cell.value, value)
                )
    return Agreement(equal, different, left_out, tuple(differences), missing)


def filled(workbook: Workbook, missing: Mapping[Address, Value]) -> Workbook:
    """Return the workbook with the values that its file left out."""
    sheets = [replace(sheet, cells=dict(sheet.cells)) for sheet in workbook.sheets]
    for (sheet, row, column), value in missing.items():
        cells = sheets[sheet].cells
        cells[row, column] = replace(cells[row, column], value=value)
    return replace(workbook, sheets=sheets)


def agrees(computed: Value, stored: Value) -> bool:
    """Equal: numbers to 1e-9 relative, everything else exactly, and of one kind."""
    if isinstance(computed, bool) or isinstance(stored, bool):
        return computed is stored
    if isinstance(computed, float) and isinstance(stored, float):
        return math.isclose(computed, stored, rel_tol=AGREEMENT, abs_tol=1e-300)
    return computed == stored


def _plain(value: Value) -> float | str | bool | None:
    return value.text if isinstance(value, ErrorValue) else value
