"""Recomputes a workbook at its own values and compares with what the file stores: a free check at upload."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from tollway.engine.exact.calculation import Calculation
from tollway.engine.exact.graph import Address, FormulaBook, is_external
from tollway.engine.exact.volatility import volatile_cells
from tollway.engine.language.syntax import Node
from tollway.engine.values import EngineError, ErrorValue, Value
from tollway.engine.workbooks.workbook import Workbook

DIFFERENCES_SHOWN = 20
# Cells named that differ, so that a page can tell of each whether it does.
DIFFERENT_CELLS_MAX = 1_000
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
    computed values are in `missing`: programs that write workbooks often leave computing to Excel. There are those of
    volatile formulas too, as far as they are computed.
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
    application: str = ""
    """What saved the file."""
    different_cells: tuple[str, ...] = ()
    """The cells that differ, DIFFERENT_CELLS_MAX at most."""

    def as_json(self) -> dict[str, Any]:
        """Plain types."""
        return {
            "equal": self.equal,
            "different": self.different,
            "left_out": self.left_out,
            "volatile": self.volatile,
            "iterated": self.iterated,
            "differences": [difference.as_json() for difference in self.differences],
            "different_cells": list(self.different_cells),
            "application": self.application,
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
    calculation = Calculation(book, is_lenient=True, draws_stand=True)
    counts: Counter[Verdict] = Counter()
    differences: list[Difference] = []
    different_cells: list[str] = []
    missing: dict[Address, Value] = {}
    for one in recomputed(calculation, trees, order, agrees):
        counts[one.verdict] += 1
        is_missing = one.verdict is Verdict.MISSING or (
            one.verdict is Verdict.VOLATILE and one.stored is None
        )
        if is_missing and one.computed is not None:
            missing[one.address] = one.computed
        elif one.verdict is Verdict.DIFFERENT:
            written = book.text(one.address)
            if len(different_cells) < DIFFERENT_CELLS_MAX:
                different_cells.append(written)
            if len(differences) < differences_shown:
                cell = book.cell(one.address)
                formula = None if cell is None else cell.formula
                differences.append(Difference(written, f"={formula or ''}", one.stored, one.computed))
    return Agreement(
        counts[Verdict.EQUAL],
        counts[Verdict.DIFFERENT],
        sum(counts[verdict] for verdict in _LEFT_OUT),
        tuple(differences),
        missing,
        volatile=counts[Verdict.VOLATILE],
        iterated=len(calculation.iterated.cells),
        refused={address: why for address, why in calculation.refused.items() if address in trees},
        application=book.workbook.application,
        different_cells=tuple(different_cells),
    )


class Verdict(Enum):
    """What recomputing a formula says of the value that its file stores."""

    EQUAL = "equal"
    DIFFERENT = "different"
    REFUSED = "refused"
    """Not computed: a function or construct that is not supported."""
    EXTERNAL = "external"
    """Another workbook's, which is not opened."""
    VOLATILE = "volatile"
    """Another at each moment."""
    MISSING = "missing"
    """The file stores no value."""
    UNSETTLED = "unsettled"
    """In a circle that never settles: Excel goes on from where it stopped, so there is nothing to compare with."""


_LEFT_OUT = (Verdict.REFUSED, Verdict.EXTERNAL, Verdict.MISSING, Verdict.UNSETTLED)


@dataclass(frozen=True, slots=True)
class Recomputed:
    """One formula, what its file stores and what it gives."""

    address: Address
    verdict: Verdict
    stored: Value
    computed: Value


def recomputed(
    calculation: Calculation,
    trees: Mapping[Address, Node],
    order: Sequence[Address],
    equal: Callable[[Value, Value], bool],
) -> Iterator[Recomputed]:
    """Recompute formulas with a lenient calculation, and judge each; `trees` lacks those that could not be bound.

    Raises: CircularReference.
    """
    computed = calculation.compute(order)
    volatile = volatile_cells(calculation.book, trees, order)
    for address in order:
        cell = calculation.book.cell(address)
        assert cell is not None
        tree, value = trees.get(address), computed.get(address)
        if address in volatile:
            verdict = Verdict.VOLATILE
        elif tree is None or address in calculation.refused:
            verdict = Verdict.REFUSED
        elif is_external(tree):
            verdict = Verdict.EXTERNAL
        elif cell.value is None:
            verdict = Verdict.MISSING
        elif equal(value, cell.value):
            verdict = Verdict.EQUAL
        elif address in calculation.iterated.unsettled:
            verdict = Verdict.UNSETTLED
        else:
            verdict = Verdict.DIFFERENT
        yield Recomputed(address, verdict, cell.value, value)


def filled(workbook: Workbook, missing: Mapping[Address, Value]) -> Workbook:
    """Return the workbook with the values that its file left out."""
    sheets = [replace(sheet, cells=dict(sheet.cells)) for sheet in workbook.sheets]
    for (sheet, row, column), value in missing.items():
        cells = sheets[sheet].cells
        cells[row, column] = replace(cells[row, column], value=value)
    return replace(workbook, sheets=sheets)


def agrees(computed: Value, stored: Value, tolerance: float = AGREEMENT) -> bool:
    """Equal: numbers to a share of themselves, everything else exactly, and of one kind."""
    if isinstance(computed, bool) or isinstance(stored, bool):
        return computed is stored
    if isinstance(computed, float) and isinstance(stored, float):
        return math.isclose(computed, stored, rel_tol=tolerance, abs_tol=1e-300)
    return computed == stored


def _plain(value: Value) -> float | str | bool | None:
    return value.text if isinstance(value, ErrorValue) else value
