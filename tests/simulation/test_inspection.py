"""Hostile and odd uploads end as clear Problems, and the process that serves lives on."""

from pathlib import Path

import pytest
from tests.simulation import workbooks

from tollway.kit.problems import Problem
from tollway.simulation.entities import InputMark, RunPlan
from tollway.simulation.inspection import Inspector

LIMIT_BYTES = 10_000_000
POINTERS = (
    "/simulation_config/variables",
    "/simulation_config/output_cells",
    "/simulation_config/correlations",
)
MARKS = [InputMark(one["cell"], one["distribution"], one["name"]) for one in workbooks.PORTFOLIO_VARIABLES]


async def refusal_of(path: Path, content: bytes) -> Problem:
    with pytest.raises(Problem) as refused:
        await Inspector().inspect(workbooks.write(path / "workbook", content), LIMIT_BYTES)
    return refused.value


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        (workbooks.bomb(), "workbook-too-large", "unpacks"),
        (workbooks.encrypted(), "not-a-workbook", "password"),
        (workbooks.old_xls(), "not-a-workbook", ".xlsx"),
        (b"a,b\n1,2\n", "not-a-workbook", ".xlsx"),
        (workbooks.portfolio()[:3_000], "not-a-workbook", "upload it again"),
        (b"PK\x03\x04" + bytes(500), "not-a-workbook", "upload it again"),
    ],
    ids=["bomb", "encrypted", "old xls", "renamed csv", "cut off", "zip head only"],
)
async def test_a_hostile_file_is_refused_with_its_reason(
    tmp_path: Path, content: bytes, code: str, words: str
) -> None:
    problem = await refusal_of(tmp_path, content)
    assert problem.code == code
    assert problem.status == 422
    assert words in problem.message


async def test_a_cell_in_the_last_corner_costs_nothing(tmp_path: Path) -> None:
    """Excel's Solver leaves such cells in real models, so they are read, sparsely."""
    path = workbooks.write(tmp_path / "workbook", workbooks.with_far_cell())
    inspected = await Inspector().inspect(path, LIMIT_BYTES)
    assert inspected.formulas_count == 7


async def test_macros_are_accepted_and_never_run(tmp_path: Path) -> None:
    """Fault 6: .xlsm was accepted and then not found."""
    content = workbooks.with_part(workbooks.portfolio(), "xl/vbaProject.bin", b"\xd0\xcf\x11\xe0 a macro")
    path = workbooks.write(tmp_path / "workbook", content)
    assert (await Inspector().inspect(path, LIMIT_BYTES)).formulas_count == 7


async def test_formulas_are_counted_and_candidates_found_in_the_workbook_itself(tmp_path: Path) -> None:
    """Fault 3: variables_detected was hard-coded, and formulas_count 1500 on failure."""
    path = workbooks.write(tmp_path / "workbook", workbooks.portfolio("Risk"))
    inspected = await Inspector().inspect(path, LIMIT_BYTES)
    assert inspected.formulas_count == 7
    detected = {one["cell"]: one for one in inspected.facts["variables_detected"]}
    assert {"Risk!B4", "Risk!B5", "Risk!B6", "Risk!B7"} <= set(detected)
    assert detected["Risk!B4"]["name"] == "Volatility"
    assert detected["Risk!B4"]["current_value"] == 0.15
    assert detected["Risk!B4"]["suggested_distribution"]["type"]
    outputs = {one["cell"] for one in inspected.facts["outputs_detected"]}
    assert {"Risk!B16", "Risk!B17", "Risk!B18"} <= outputs
    (sheet,) = inspected.preview["sheets"]
    assert sheet["name"] == "Risk"
    cells = {one["cell"]: one for one in sheet["cells"]}
    assert cells["B4"] | {"number_format": ""} == {
        "row": 4, "column": 2, "cell": "B4", "kind": "number", "value": 0.15, "formula": None, "number_format": "",
    }  # fmt: skip
    assert cells["B10"]["formula"] == "=B5-B6"


async def test_what_no_output_needs_may_be_unsupported_and_what_one_needs_is_refused_by_name(
    tmp_path: Path,
) -> None:
    cells = {"A1": 1.0, "B1": "=A1*2", "C1": '=CUBEVALUE("a","b")', "D1": "=C1+A1"}
    path = workbooks.write(tmp_path / "workbook", workbooks.with_cells(cells))
    facts = (await Inspector().inspect(path, LIMIT_BYTES)).facts
    assert facts["unsupported"] == [{"cell": "Sheet!C1", "function": "CUBEVALUE"}]
    assert (facts["unsupported_count"], facts["blocked"]) == (1, ["Sheet!D1"])
    marks = [mark("A1", type="uniform", min=0, max=1)]
    plan = await Inspector().plan_run(path, LIMIT_BYTES, marks, ["B1"], 7, pointers=POINTERS)
    assert [one["cell"] for one in plan.outputs] == ["Sheet!B1"]
    with pytest.raises(Problem) as refused:
        await Inspector().plan_run(path, LIMIT_BYTES, marks, ["B1", "D1"], 7, pointers=POINTERS)
    assert refused.value.code == "unsupported-function"
    assert refused.value.members["cells"] == [{"cell": "Sheet!C1", "function": "CUBEVALUE"}]
    assert [one.pointer for one in refused.value.errors] == [f"{POINTERS[1]}/1"]
    assert "Sheet!D1 needs Sheet!C1" in refused.value.message


async def test_unsupported_functions_are_named_with_their_cells(tmp_path: Path) -> None:
    problem = await refusal_of(tmp_path, workbooks.with_formula('=CUBEVALUE("a","b")+B1'))
    assert problem.code == "unsupported-function"
    assert problem.members["cells"] == [{"cell": "Sheet!B2", "function": "CUBEVALUE"}]
    assert problem.members["cells_count"] == 1
    assert "CUBEVALUE" in problem.message


async def test_a_child_that_takes_too_long_is_killed(tmp_path: Path) -> None:
    path = workbooks.write(tmp_path / "workbook", workbooks.portfolio())
    inspector = Inspector(seconds_max=0.01)
    with pytest.raises(Problem) as refused:
        await inspector.inspect(path, LIMIT_BYTES)
    assert refused.value.code == "too-complex"
    assert "killed" in refused.value.log_message


async def test_a_sheet_is_never_assumed_to_be_called_sheet1(tmp_path: Path) -> None:
    """Fault 7: the variable's sheet was assumed to be "Sheet1"."""
    path = workbooks.write(tmp_path / "workbook", workbooks.portfolio("Q3 plan"))
    plan = await Inspector().plan_run(path, LIMIT_BYTES, MARKS, ["B16"], 7, pointers=POINTERS)
    assert [one["cell"] for one in plan.inputs] == ["'Q3 plan'!B4", "'Q3 plan'!B5", "'Q3 plan'!B6"]
    assert plan.outputs == [{"cell": "'Q3 plan'!B16", "reference": "B16", "name": "Final value"}]
    assert len(plan.bin_edges[0]) == 51
    assert plan.seconds_per_iteration > 0


def mark(cell: str, **distribution: object) -> InputMark:
    return InputMark(cell, distribution)


@pytest.mark.parametrize(
    ("marks", "outputs", "code", "pointer"),
    [
        ([mark("A4", type="uniform", min=0, max=1)], ["B16"], "bad-input-cell", f"{POINTERS[0]}/0/cell"),
        (MARKS, ["B16", "B4"], "bad-output-cell", f"{POINTERS[1]}/1"),
        (MARKS, ["Nowhere!B16"], "bad-output-cell", f"{POINTERS[1]}/0"),
        (MARKS[:1], ["B16"], "output-does-not-depend-on-inputs", POINTERS[1]),
        (
            [*MARKS, mark("B7", type="normal", mean=1)],
            ["B16"],
            "bad-distribution",
            f"{POINTERS[0]}/3/distribution/std",
        ),
    ],
)
async def test_a_refused_mark_is_pointed_at(
    tmp_path: Path, marks: list[InputMark], outputs: list[str], code: str, pointer: str
) -> None:
    path = workbooks.write(tmp_path / "workbook", workbooks.portfolio())
    with pytest.raises(Problem) as refused:
        await Inspector().plan_run(path, LIMIT_BYTES, marks, outputs, 7, pointers=POINTERS)
    assert refused.value.code == code
    assert [one.pointer for one in refused.value.errors] == [pointer]


async def test_correlations_are_planned_with_the_sheet_that_inputs_have_and_refused_by_their_entry(
    tmp_path: Path,
) -> None:
    path = workbooks.write(tmp_path / "workbook", workbooks.portfolio("Q3 plan"))

    async def planned(*correlations: dict[str, object]) -> RunPlan:
        return await Inspector().plan_run(
            path, LIMIT_BYTES, MARKS, ["B16"], 7, pointers=POINTERS,
            sampling="latin_hypercube", run_iterations=1_000, correlations=correlations,
        )  # fmt: skip

    plan = await planned({"cells": ["B5", "'Q3 plan'!B4"], "correlation": -0.25})
    assert plan.correlations == {
        "cells": ["'Q3 plan'!B4", "'Q3 plan'!B5"],
        "matrix": [[1.0, -0.25], [-0.25, 1.0]],
        "repaired": None,
    }
    assert (await planned()).correlations is None
    with pytest.raises(Problem) as refused:
        await planned({"cells": ["B4", "B5"], "matrix": [[1, 0.5], [0.4, 1]]})
    assert refused.value.code == "bad-correlation"
    assert [one.pointer for one in refused.value.errors] == [f"{POINTERS[2]}/0/matrix/1/0"]


async def test_circular_references_are_refused_with_their_cells(tmp_path: Path) -> None:
    path = workbooks.write(tmp_path / "workbook", workbooks.with_formula("=B1+B2"))
    marks = [InputMark("B1", {"type": "uniform", "min": 0, "max": 1})]
    with pytest.raises(Problem) as refused:
        await Inspector().plan_run(path, LIMIT_BYTES, marks, ["B2"], 7, pointers=POINTERS)
    assert refused.value.code == "circular-reference"
    assert refused.value.members["cells"] == ["Sheet!B2"]


async def test_text_that_no_database_holds_is_shown_as_a_replacement(tmp_path: Path) -> None:
    """A file may write half of a surrogate pair, or NUL, as an escape."""
    content = workbooks.with_text(workbooks.portfolio(), "Volatility", "_xD800_ and _x0000_")
    found = await Inspector().inspect(workbooks.write(tmp_path / "workbook", content), LIMIT_BYTES)
    shown = [cell["value"] for cell in found.preview["sheets"][0]["cells"]]
    assert "\ufffd and \ufffd" in shown
