"""The library's two questions, and its guide, run as it stands."""

import re
from pathlib import Path

import pytest
from tests.engine.sheets import workbook_of

from tollway.engine import BadInputCell, BadIterationCount, BadOutputCell, ErrorValue, calculate, simulate
from tollway.simulation.samples import SAMPLES

GUIDE = Path(__file__).parents[2] / "docs/guides/engine.md"
CELLS = {
    "A1": 2,
    "A2": 3,
    "B1": "=A1*A2",
    "B2": '=IF(B1>10,"much","little")',
    "B3": "=1/(A1-2)",
    "B4": "=CUBEVALUE(1)",
}


def test_cells_are_computed_with_other_values_and_the_workbook_stays_as_it_is():
    workbook = workbook_of(CELLS)
    assert calculate(workbook, ["S!B1", "B2", "B3"]) == {"S!B1": 6.0, "B2": "little", "B3": ErrorValue.DIV0}
    assert calculate(workbook, ["B1", "B2", "B3"], {"A1": 6}) == {"B1": 18.0, "B2": "much", "B3": 0.25}
    assert calculate(workbook, ["B2"], {"S!B1": 11.0}) == {"B2": "much"}, "a formula's cell may be given too"
    assert calculate(workbook, ["B1", "C9"]) == {"B1": 6.0, "C9": None}


def test_what_names_no_cell_is_refused():
    with pytest.raises(BadOutputCell, match="names no cell"):
        calculate(workbook_of(CELLS), ["B"])
    with pytest.raises(BadInputCell, match="no sheet"):
        calculate(workbook_of(CELLS), ["B1"], {"T!A1": 1})


def test_a_run_is_bounded_and_repeatable():
    workbook = workbook_of(CELLS)
    with pytest.raises(BadIterationCount, match="1 to 100,000,000"):
        simulate(workbook, {"A1": "normal(2, 1)"}, ["B1"], iterations=0)
    first, second = (
        simulate(workbook, {"A1": "normal(2, 1)"}, ["B1"], iterations=5_000, seed=3)["B1"] for _ in range(2)
    )
    assert first == second
    assert abs(first.mean - 6.0) < 5 * first.mean_standard_error


def test_the_guide_runs_as_it_stands(tmp_path, monkeypatch, capsys):
    (tmp_path / "portfolio.xlsx").write_bytes(SAMPLES["portfolio"].to_bytes())
    monkeypatch.chdir(tmp_path)
    code = "\n".join(re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL))
    exec(compile(code, str(GUIDE), "exec"), {})  # the guide's own lines
    printed = capsys.readouterr().out
    assert "formulas agree, 0 differ" in printed
    assert "bad-input-cell ('Portfolio!A1',)" in printed
    assert "enough iterations: True" in printed
    assert re.search(r"invest 9\d\d,\d{3} for 19 chances", printed), printed


def test_the_guide_s_study_has_the_twenty_lines_that_it_promises():
    studies = [
        code
        for code in re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)
        if "study = {" in code
    ]
    assert len(studies) == 1
    assert len([line for line in studies[0].splitlines() if line]) <= 20
