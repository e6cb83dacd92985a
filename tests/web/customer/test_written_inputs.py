"""A workbook of another simulation tool on the pages: what it draws is listed, and it runs as it came."""

import re

import pytest
from tests.simulation.conftest import XLSX, working
from tests.simulation.peer_workbooks import profit
from tests.simulation.workbooks import with_cells
from tests.web.conftest import HTML, Visitor

ORIGIN = {"Origin": "http://localhost"}
UNMARKED = {
    "input_cell": "",
    "input_distribution": "",
    "iterations": "5000",
    "seed": "7",
    "confidence": "0.95",
}


async def uploaded(visitor: Visitor, style: str) -> str:
    return await uploaded_file(visitor, profit(style))


async def uploaded_cells(visitor: Visitor, cells: dict[str, object]) -> str:
    return await uploaded_file(visitor, with_cells(cells))


async def uploaded_file(visitor: Visitor, content: bytes) -> str:
    answer = await visitor.client.post(
        "/models", files={"file": ("model.xlsx", content, XLSX)}, headers=HTML | ORIGIN
    )
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"]).rsplit("/", 1)[1]


@pytest.mark.parametrize("style", ["@RISK", "RAND"])
async def test_what_a_workbook_draws_is_listed_and_run_without_a_mark(ana: Visitor, style: str) -> None:
    model = await uploaded(ana, style)
    page = (await ana.get(f"/models/{model}")).text
    assert "Written in the workbook" in page
    assert "normal(100, 10)" in page
    # The output that the workbook tells of itself stands in the form, to be kept or changed.
    assert 'name="output_cell" value="Sheet!B4"' in page
    async with working(ana.parts):
        answer = await ana.post(f"/models/{model}/runs", UNMARKED | {"output_cell": "Sheet!B4"})
        assert answer.status_code == 303, answer.text
        run = answer.headers["location"].rsplit("/", 1)[1]
        while "Run again" not in (results := (await ana.get(f"/runs/{run}")).text):
            assert "Cancel run" in results, "it neither runs nor is over"
    assert ("Volume" if style == "@RISK" else "Chance") in results
    again = await ana.get(f"/models/{model}?from={run}")
    assert 'name="input_cell" value="Sheet!B1"' not in again.text, "it is written, not marked"


async def test_written_inputs_have_pictures_and_those_computed_from_others_a_sentence(ana: Visitor) -> None:
    cells = {
        "B1": "=RiskNormal(5,1)",
        "B2": "=RiskPoisson(B1*2)",
        "B3": "=NORM.INV(RAND(),B1,2)",
        "B4": "=RiskOutput()+B1+B2+B3",
    }
    page = (await ana.get(f"/models/{await uploaded_cells(ana, cells)}")).text
    rows = dict(re.findall(r'<li data-candidate="Sheet!(B\d)">(.+?)</li>', page, re.DOTALL))
    assert "normal(5, 1)" in rows["B1"]
    assert '<figure class="shape"' in rows["B1"]
    for computed in ("B2", "B3"):
        assert "computed from other inputs" in rows[computed]
        assert "uniform" not in rows[computed]
        assert '<figure class="shape"' not in rows[computed]
        assert "data-add-input" not in rows[computed], "there is no distribution to begin with"


async def test_an_input_computed_from_others_is_shown_by_its_formula_once_it_ran(ana: Visitor) -> None:
    cells = {"B1": "=RiskNormal(5,1)", "B2": "=RiskPoisson(B1*2)", "B4": "=RiskOutput()+B1+B2"}
    model = await uploaded_cells(ana, cells)
    started = await ana.post(f"/models/{model}/runs", UNMARKED | {"output_cell": "Sheet!B4"})
    path = started.headers["location"]
    await ana.post(f"{path}/cancel")
    for page in (path, f"/models/{model}/scenarios?from={path.rpartition('/')[2]}"):
        shown = (await ana.get(page)).text
        assert "<code>=RiskPoisson(B1*2), computed from other inputs</code>" in shown
        assert "<code>normal(5, 1)</code>" in shown
        assert "uniform(0, 1)" not in shown


CORRELATED: dict[str, object] = {
    "A1": "Price",
    "A2": "Volume",
    "B1": "=RiskNormal(100,10,RiskCorrmat(D1:E2,1))",
    "B2": "=RiskNormal(50,5,RiskCorrmat(D1:E2,2))",
    "B4": "=RiskOutput()+B1*B2",
    "D1": 1,
    "D2": -0.6,
    "E2": 1,
}


def written_correlations(page: str) -> str:
    found = re.search(r'<div id="written-correlations">.+?</div>\n', page, re.DOTALL)
    return re.sub(r"<[^>]+>", "", found[0]) if found else ""


async def test_correlations_that_formulas_write_are_shown_before_a_run(ana: Visitor) -> None:
    model = await uploaded_cells(ana, CORRELATED)
    told = written_correlations((await ana.get(f"/models/{model}")).text)
    assert "Price Sheet!B1 and Volume Sheet!B2-0.6" in told
    assert "Give correlations below, and only yours count." in told
    pair = {"correlation_first": "Sheet!B1", "correlation_second": "Sheet!B2", "correlation_value": "0.1"}
    given = await ana.post(f"/models/{model}/runs", UNMARKED | pair | {"draw": "1"})
    assert "Not used as long as correlations are given below" in written_correlations(given.text)
    marked = {"input_cell": "Sheet!B1", "input_distribution": "normal(1, 1)", "draw": "1"}
    assert not written_correlations((await ana.post(f"/models/{model}/runs", UNMARKED | marked)).text)


async def test_a_written_correlation_that_refuses_a_run_is_told_beside_its_input(ana: Visitor) -> None:
    model = await uploaded_cells(ana, CORRELATED | {"B2": "=RiskNormal(50,5,RiskCorrmat(D1:E2,3))"})
    page = (await ana.get(f"/models/{model}")).text
    assert "the position is 3.0; it must be a whole number from 1 to 2" in page
    assert not written_correlations(page)


async def test_a_written_input_is_drawn_otherwise_once_its_cell_is_marked(ana: Visitor) -> None:
    model = await uploaded(ana, "@RISK")
    page = await ana.post(
        f"/models/{model}/runs",
        UNMARKED | {"output_cell": "Sheet!B4", "add_input": "Sheet!B1:normal(100, 10)"},
    )
    assert 'name="input_cell" value="Sheet!B1"' in page.text
    assert "marked below" in page.text


async def test_a_workbook_that_draws_nothing_still_needs_a_mark(ana: Visitor) -> None:
    answer = await ana.post("/models/samples", {"sample": "portfolio"})
    model = answer.headers["location"].rsplit("/", 1)[1]
    refused = await ana.post(f"/models/{model}/runs", UNMARKED | {"output_cell": "Portfolio!B16"})
    assert refused.status_code == 422
    assert "Mark at least one input" in refused.text


async def test_what_a_workbook_draws_can_be_held_in_a_scenario(ana: Visitor) -> None:
    model = await uploaded(ana, "@RISK")
    page = (await ana.get(f"/models/{model}/scenarios")).text
    assert 'name="hold" value="Sheet!B1|0..10"' in page
    form = {"batch_name": "Bad years", "iterations": "2000", "seed": "7", "hold": "Sheet!B1|0..10"}
    row = {"scenario_name": "Other", "scenario_cell": "Sheet!B1"}
    refused = await ana.post(f"/models/{model}/scenarios", form | row | {"scenario_change": "normal(90, 10)"})
    assert refused.status_code == 422
    assert "A formula draws it" in refused.text
    started = await ana.post(f"/models/{model}/scenarios", form)
    assert started.status_code == 303, started.text
    async with ana.parts.database.transaction() as tx:
        runs = await tx.list_rows("SELECT public_id, stress FROM runs ORDER BY id")
    held = [{"cell": "Sheet!B1", "percentiles": [0.0, 10.0]}]
    assert [run["stress"] for run in runs] == [[], held]
    again = (await ana.get(f"/models/{model}/scenarios?from={runs[0]['public_id']}")).text
    assert 'name="hold" value="Sheet!B1|0..10"' in again


async def test_scenarios_from_a_run_draw_what_the_run_drew_whatever_was_marked_since(ana: Visitor) -> None:
    model = await uploaded(ana, "@RISK")
    first = await ana.post(f"/models/{model}/runs", UNMARKED | {"output_cell": "Sheet!B4"})
    run = first.headers["location"].rsplit("/", 1)[1]
    marks = '[{"cell": "Sheet!B1", "name": null, "distribution": {"type": "uniform", "min": 1, "max": 2}}]'
    pairs = '[{"cells": ["Sheet!B1", "Sheet!B2"], "correlation": 0.5}]'
    async with ana.parts.database.transaction() as tx:
        await tx.execute(
            "UPDATE models SET inputs = %(marks)s::jsonb, correlations = %(pairs)s::jsonb",
            {"marks": marks, "pairs": pairs},
        )
        await tx.execute("UPDATE runs SET status = 'completed', finished_at = now()")
    form = {"batch_name": "Bad years", "iterations": "2000", "hold": "Sheet!B1|0..10", "from": run}
    started = await ana.post(f"/models/{model}/scenarios", form)
    assert started.status_code == 303, started.text
    async with ana.parts.database.transaction() as tx:
        as_run, *scenarios = await tx.list_rows("SELECT inputs, correlations FROM runs ORDER BY id")
    assert len(scenarios) == 2
    assert all(scenario == as_run for scenario in scenarios)
