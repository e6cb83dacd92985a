"""Workbooks whose values Excel itself computed: every cell the engine accepts must show the same.

They lie outside the repository; CORPUS names the folder. What differs must stand in EXPLAINED with its reason.
"""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tollway.engine import EngineError, inspect_workbook, read_workbook
from tollway.engine.agreement import Agreement, Difference, check_agreement
from tollway.engine.graph import FormulaBook
from tollway.engine.inspect import BoundFormulas

CORPUS = Path(os.environ.get("CORPUS", "../shared/corpus")) / "excel"
REASON = f"the corpus of Excel's own workbooks is not at {CORPUS}; set CORPUS to its folder"


def files_in(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (CORPUS / folder).rglob("*.xlsx"))


def listed(*folders: str):
    """One parameter for each file; one that says why where the corpus is absent."""
    absent = [pytest.param(None, marks=pytest.mark.skip(reason=REASON))]
    return pytest.mark.parametrize("path", files_in(*folders) or absent, ids=lambda path: path and path.stem)


@listed("models")
def test_every_cell_of_the_models_equals_the_stored_value(path):
    agreement = inspect_workbook(read_workbook(path)).agreement
    assert agreement.different == 0, agreement.differences
    assert agreement.left_out == 0
    assert agreement.equal in (218, 70, 3249)


@listed("closedxml", "sheetjs")
def test_odd_files_are_read_or_refused_in_words(path):
    try:
        outcome = f"{len(read_workbook(path).sheets)} sheets"
    except EngineError as error:
        outcome = error.message
    assert len(outcome) > 5


def is_logical_of_libreoffice(difference: Difference) -> bool:
    return isinstance(difference.computed, bool) and difference.stored == float(difference.computed)


def is_residue(difference: Difference) -> bool:
    """IRR and the NPV at it: where the true value is 0, what is left depends on when the search stopped."""
    numbers = (difference.stored, difference.computed)
    return ("IRR(" in difference.formula or "NPV(" in difference.formula) and all(
        isinstance(number, float) and abs(number) < 2e-7 for number in numbers
    )


# File: (why it differs, which differences that covers).
EXPLAINED: dict[str, tuple[str, Callable[[Difference], bool]]] = {
    "IRR": ("residues of a search around a true value of 0", is_residue),
    "GEOMEAN": ("the file stores #N/A as a text", lambda one: one.cell == "Sheet1!F2"),
    "T_VALUE_VALUETOTEXT": (
        "saved by an Excel of another country: 23€, and days before months",
        lambda one: one.cell in ("Sheet1!I3", "Sheet1!I5", "Sheet1!C9", "Sheet1!C15"),
    ),
    "INFORMATION": ("LibreOffice stores logicals as numbers", is_logical_of_libreoffice),
    "logical": ("LibreOffice stores logicals as numbers", is_logical_of_libreoffice),
    "SQRT": ("LibreOffice stores its own error as #VALUE!", lambda one: one.formula == "=SQRT(A2)"),
}


def agreement_of(path: Path) -> Agreement:
    """As inspect_workbook, with every difference kept."""
    book = FormulaBook(read_workbook(path))
    formulas = list(book.formula_addresses())
    trees = BoundFormulas(book, formulas)
    return check_agreement(book, trees.bound, trees.order(), differences_shown=10_000)


@listed("ironcalc", "xlcalculator", "sheetjs")
def test_no_accepted_cell_differs_from_excel_unexplained(path):
    agreement = agreement_of(path)
    _, covers = EXPLAINED.get(path.stem, ("", lambda _: False))
    unexplained = [one for one in agreement.differences if not covers(one)]
    assert unexplained == []
    assert agreement.different < 20 or path.stem == "IRR"
