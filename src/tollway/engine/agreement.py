"""Recomputes a workbook at its own values and compares with what the file stores: a free check at upload."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tollway.engine.calculation import Calculation
from tollway.engine.graph import Address, FormulaBook, is_external
from tollway.engine.syntax import Node
from tollway.engine.values import EngineError, ErrorValue, Value
from tollway.engine.volatility import volatile_cells
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
    volatile: int = 0
    """Formulas whose value depends on the moment, TODAY() and what reads it: never compared."""
    iterated: int = 0
    """Cells of circles that were iterated because the workbook says so; those that never settle are left out."""
    refused: Mapping[Address, EngineError] = field(default_factory=dict)
    """What could be read but not computed; counted in `left_out`."""

    def as_json(self) -> dict[str, Any]:
        """Plain types."""
        return {
            "equal": self.equal,
            "different": self.different,
            "left_out": self.left_out,
            "volatile": self.volatile,
            "iterated": self.iterated,
            "differences": [difference.as_json() for difference in self.differences],
        }


def check_agreement(
    book: FormulaBook,
    trees: Mapping[Address, Node],
    order: Sequence[Address],
    differences_shown: int = DIFFERENCES_SHOWN,
) -> Agreement:
    """Recompute formulas, fastest in the order given, and compare each with the value the file stores.

    Raises: CircularReference, where the workbook does not say that its circles are iterated.
    """
    calculation = Calculation(book, is_lenient=True)
    computed = calculation.compute(order)
    volatile = volatile_cells(book, trees, order)
    equal = different = left_out = 0
    differences: list[Difference] = []
    missing: dict[Address, Value] = {}
    for address in order:
        tree, cell = trees.get(address), book.cell(address)
        assert cell is not None
        if address in volatile:
            continue
        if tree is None or address in calculation.refused or is_external(tree):
            left_out += 1
            continue
        value = computed[address]
        if cell.value is None:
            left_out += 1
            if value is not None:
                missing[address] = value
        elif agrees(value, cell.value):
            equal += 1
        elif address in calculation.iterated.unsettled:
            # Excel goes on from where it stopped: a circle that never settles has no value to compare with.
            left_out += 1
        else:
            different += 1
            if len(differences) < differences_shown:
                differences.append(
                    Difference(book.text(address), f"={cell.formula or ''}", cell.value, value)
                )
    return Agreement(
        equal,
        different,
        left_out,
        tuple(differences),
        missing,
        volatile=len(volatile),
        iterated=len(calculation.iterated.cells),
        refused={address: why for address, why in calculation.refused.items() if address in trees},
    )


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
