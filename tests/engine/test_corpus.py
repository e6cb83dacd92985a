"""Workbooks whose values Excel itself computed: every cell the engine accepts must show the same.

They lie outside the repository; CORPUS names the folder. What differs must stand in explained.toml with its reason.
"""

import os
from pathlib import Path

import pytest

from tollway.engine import EngineError, inspect_workbook, read_workbook
from tollway.engine.conformance import check_conformance, gathered, read_explanations, workbooks_in

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


EXPLAINED = read_explanations(Path(__file__).with_name("explained.toml"))
# The target of the issue; what is missing to 1 is what explained.toml lists.
MEAN_OVER_FUNCTIONS_MIN = 0.995


@pytest.mark.skipif(not CORPUS.is_dir(), reason=REASON)
def test_no_accepted_cell_differs_from_excel_unexplained_and_every_explanation_is_needed():
    outcome = gathered(check_conformance(workbooks_in(CORPUS), EXPLAINED))
    assert [(path.name, wrong.difference) for path, wrong in outcome.unexplained] == []
    assert {one.reason for one in EXPLAINED} == {
        wrong.reason for report in outcome.files for wrong in report.wrong
    }
    assert outcome.mean_over_functions >= MEAN_OVER_FUNCTIONS_MIN
