"""The engine against stored values: what counts as equal, different, refused and left out, by file and by function."""

import json
from pathlib import Path

import pytest
import xlsxwriter
from typer.testing import CliRunner

from tollway.cli import app
from tollway.engine.conformance import (
    BadExplanations,
    Explanation,
    Tally,
    check_conformance,
    gathered,
    read_explanations,
    workbooks_in,
)

# Formula: what the file says that it gives.
STORED = {
    "=SUM(1,2)": 3,
    "=SUM(1,2)*0.1": 0.30000000000000004,
    "=ROUND(2.345,2)": 2.34,
    "=CUBEVALUE(1,2)": 5,
    "=TODAY()": 40_000,
    "=1+1": 2,
}


def saved(folder: Path, name: str = "book.xlsx", stored: dict[str, object] | None = None) -> Path:
    path = folder / name
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("S")
        for row, (formula, value) in enumerate((stored or STORED).items()):
            sheet.write_formula(row, 0, formula, None, value)
    return path


def test_each_formula_is_equal_different_refused_or_left_out(tmp_path):
    outcome = gathered(check_conformance([saved(tmp_path)]))
    (report,) = outcome.files
    assert report.application == "Microsoft Excel"
    assert report.tally == Tally(equal=3, different=1, refused=1)
    assert report.left_out == 1, "TODAY() gives another value each day"
    assert [one.difference.cell for one in report.wrong] == ["S!A3"]
    assert report.refused == [("S!A4", "CUBEVALUE")]
    functions = outcome.excel_functions
    assert functions["SUM"] == Tally(equal=2)
    assert functions["(operators)"] == Tally(equal=1)
    assert outcome.mean_over_functions == pytest.approx((1 + 0 + 0 + 1 + 1) / 5)


def test_numbers_are_equal_to_twelve_digits_and_kinds_must_be_the_same(tmp_path):
    stored = {"=1/3": 0.33333333333, "=2/3": 0.6666666666666, "=1=1": 1, '=A1&""': 0.3}
    (report,) = gathered(check_conformance([saved(tmp_path, stored=stored)])).files
    assert {one.difference.cell for one in report.wrong} == {"S!A1", "S!A3", "S!A4"}
    assert report.tally.equal == 1


def test_an_explanation_covers_the_cells_of_one_file(tmp_path):
    path = saved(tmp_path)
    explanation = Explanation("book.xlsx", ("S!A?",), "a half is stored rounded to even")
    outcome = gathered(check_conformance([path], [explanation]))
    assert outcome.unexplained == []
    assert outcome.files[0].wrong[0].reason == "a half is stored rounded to even"
    elsewhere = Explanation("other.xlsx", ("S!A?",), "")
    assert len(gathered(check_conformance([path], [elsewhere])).unexplained) == 1


def test_a_file_that_cannot_be_read_is_reported_and_the_others_are_checked(tmp_path):
    (tmp_path / "broken.xlsx").write_bytes(b"no zip")
    (tmp_path / "~$book.xlsx").write_bytes(b"Excel's mark of an open file")
    saved(tmp_path)
    paths = workbooks_in(tmp_path)
    assert [path.name for path in paths] == ["book.xlsx", "broken.xlsx"]
    outcome = gathered(check_conformance(paths))
    assert outcome.files[1].refusal is not None
    assert outcome.files[0].tally.equal == 3


def test_explanations_that_cannot_be_read_are_refused(tmp_path):
    path = tmp_path / "explained.toml"
    path.write_text("[[cells]]\nfile = 'a.xlsx'\n")
    with pytest.raises(BadExplanations, match="cells"):
        read_explanations(path)
    path.write_text("[[cells]]\nfile = 'a.xlsx'\ncells = ['S!A1']\nreason = 'why'\n")
    assert read_explanations(path) == [Explanation("a.xlsx", ("S!A1",), "why")]


def test_the_command_prints_the_figures_and_ends_with_1_where_something_is_wrong(tmp_path):
    runner = CliRunner()
    saved(tmp_path)
    found = runner.invoke(app, ["conformance", str(tmp_path)])
    assert found.exit_code == 1
    assert "1 accepted cells are wrong and unexplained" in found.output
    explained = tmp_path / "explained.toml"
    explained.write_text("[[cells]]\nfile = 'book.xlsx'\ncells = ['S!A3']\nreason = 'made so'\n")
    found = runner.invoke(app, ["conformance", str(tmp_path), "--explained", str(explained), "--json"])
    assert found.exit_code == 0
    told = json.loads(found.output)
    assert told["unexplained"] == 0
    assert told["functions"]["Microsoft Excel"]["ROUND"] == {"equal": 0, "different": 1, "refused": 0}
    assert told["files"][0]["wrong"][0]["explained"] == "made so"


def test_the_command_says_where_there_is_nothing_to_check(tmp_path):
    found = CliRunner().invoke(app, ["conformance", str(tmp_path)])
    assert found.exit_code == 2
    assert "no .xlsx or .xlsm file" in found.stderr
