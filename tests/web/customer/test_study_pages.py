"""Scenarios, comparisons and goal seeks on pages: asked, shown, and what is wrong beside its field."""

import json
import re

import pytest
from tests.simulation.conftest import XLSX, wait_until, working
from tests.simulation.workbooks import with_cells
from tests.web.conftest import HTML, Visitor

from tollway.app import Parts


@pytest.fixture
async def model(ana: Visitor) -> str:
    """The portfolio sample, its inputs and outputs marked."""
    answer = await ana.post("/models/samples", {"sample": "portfolio"})
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"].rpartition("/")[2])


def scenario_form(**fields: object) -> dict[str, object]:
    return {
        "batch_name": "Bad years",
        "iterations": "4,096",
        "seed": "7",
        "from": "",
        "hold": [],
        "scenario_name": [],
        "scenario_cell": [],
        "scenario_change": [],
    } | fields


def seek_form(**fields: object) -> dict[str, object]:
    return {
        "cell": "Portfolio!B7",
        "low": "500,000",
        "high": "2e6",
        "output": "Portfolio!B16",
        "statistic": "p5",
        "at_or_below": "",
        "goal": "1,000,000",
        "iterations": "4096",
        "seed": "7",
    } | fields


async def computed(ana: Visitor, path: str, sign: str) -> str:
    """Load a page until it shows what must come."""

    async def shows() -> bool:
        return sign in (await ana.get(path)).text

    async with working(ana.parts):
        await wait_until(shows)
    return (await ana.get(path)).text


async def test_scenarios_are_started_shown_side_by_side_and_compared(ana: Visitor, model: str) -> None:
    form = await ana.get(f"/models/{model}/scenarios")
    assert form.status_code == 200
    assert form.text.count('name="hold"') == 6
    started = await ana.post(f"/models/{model}/scenarios", scenario_form(hold=["Portfolio!B5|0..10"]))
    assert started.status_code == 303, started.text
    path = started.headers["location"]
    waiting = (await ana.get(path)).text
    assert '<meta http-equiv="refresh"' in waiting
    assert "0 of 2 are done" in waiting
    shown = await computed(ana, path, 'class="chart overlay"')
    assert '<meta http-equiv="refresh"' not in shown
    assert "As marked" in shown
    assert "lowest tenth" in shown
    assert "Both runs drew the same random numbers (seed 7)" in shown
    assert "Portfolio!B5 held between its percentiles 0 and 10" in shown

    [link] = set(re.findall(r'href="(/runs/compare\?runs=[^"]+)"', shown))
    compared = (await ana.get(link)).text
    assert "Same random numbers." in compared
    assert compared.count('class="chart overlay"') == 2 * compared.count("Differences of") - 0
    assert re.search(r"Its mean is [\d,]+ lower in [^<]+ than in As marked, give or take [\d.,]+\.", compared)
    assert "in pairs" in compared
    listed = (await ana.get("/studies")).text
    assert "Bad years" in listed
    run_id = link.rpartition(",")[2]
    run = (await ana.get(f"/runs/{run_id}")).text
    assert path in run
    assert f"/runs/compare?runs={run_id}" in run
    again = (await ana.get(f"/models/{model}/scenarios?from={run_id}")).text
    assert 'value="4096"' in again
    chosen = (await ana.get(f"/runs/compare?runs={run_id}")).text
    assert f'<option value="{run_id}" selected>' in chosen
    same = await ana.get(f"/runs/compare?base={run_id}&other={run_id}")
    assert same.status_code == 409
    assert "Both ids are of the same run" in same.text


async def test_rows_of_one_name_are_one_scenario_and_a_distribution_is_a_change(
    ana: Visitor, model: str
) -> None:
    rows = {
        "scenario_name": ["Recession", "Recession", ""],
        "scenario_cell": ["Portfolio!B5", "Portfolio!B4", "Portfolio!B6"],
        "scenario_change": ["normal(0.02, 0.01)", "75..100", ""],
    }
    started = await ana.post(f"/models/{model}/scenarios", scenario_form(**rows))
    assert started.status_code == 303, started.text
    async with ana.parts.database.transaction() as tx:
        base, other = await tx.list_rows("SELECT scenario_name, inputs, stress FROM runs ORDER BY id")
    assert (base["scenario_name"], base["stress"]) == ("As marked", [])
    assert other["scenario_name"] == "Recession"
    assert other["stress"] == [{"cell": "Portfolio!B4", "percentiles": [75.0, 100.0]}]
    shapes = {one["cell"]: one["distribution"] for one in other["inputs"]}
    assert shapes["Portfolio!B5"] == {"type": "normal", "mean": 0.02, "std": 0.01}
    assert [one["cell"] for one in base["inputs"]] == [one["cell"] for one in other["inputs"]]


async def test_scenarios_keep_the_correlations_that_are_marked(ana: Visitor, model: str) -> None:
    entry = {"cells": ["Portfolio!B4", "Portfolio!B5"], "correlation": 0.6}
    async with ana.parts.database.transaction() as tx:
        await tx.execute(
            "UPDATE models SET correlations = %(entries)s::jsonb", {"entries": json.dumps([entry])}
        )
    started = await ana.post(f"/models/{model}/scenarios", scenario_form(hold=["Portfolio!B5|0..10"]))
    assert started.status_code == 303, started.text
    async with ana.parts.database.transaction() as tx:
        runs = await tx.list_rows("SELECT correlations FROM runs ORDER BY id")
    assert [run["correlations"]["cells"] for run in runs] == [entry["cells"]] * 2
    assert [run["correlations"]["matrix"][0][1] for run in runs] == [0.6, 0.6]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "Choose at least one change"),
        ({"batch_name": "", "hold": ["Portfolio!B5|0..10"]}, "Enter a name of at most 200 characters."),
        ({"iterations": "many", "hold": ["Portfolio!B5|0..10"]}, "Enter a whole number from 1,000 on."),
        ({"seed": "-1", "hold": ["Portfolio!B5|0..10"]}, "or leave it empty."),
        ({"hold": ["Portfolio!B5|3..4", "nonsense", "Portfolio!Z9|0..10"]}, "Choose at least one change"),
        ({"scenario_name": ["x"], "scenario_cell": ["Portfolio!B5"], "scenario_change": [""]}, "Say what changes"),
        ({"scenario_name": ["x"], "scenario_cell": ["Portfolio!Z9"], "scenario_change": ["0..5"]}, "Choose an input."),
        ({"scenario_name": ["x"], "scenario_cell": ["Portfolio!B5"], "scenario_change": ["normal(1)"]}, "std"),
        ({"scenario_name": ["x"], "scenario_cell": ["Portfolio!B5"], "scenario_change": ["9..5"]}, "which is no range"),
        ({"scenario_name": ["As marked"], "scenario_cell": ["Portfolio!B5"], "scenario_change": ["0..5"]},
         "is the name of what the others are compared with"),
        ({"hold": ["Portfolio!B5|0..10", "Portfolio!B5|90..100"]}, "your plan allows 2 runs at once"),
        ({"iterations": "100000000", "hold": ["Portfolio!B5|0..10"]}, "100,000"),
    ],
)  # fmt: skip
async def test_what_is_wrong_with_scenarios_is_said_and_what_was_typed_stays(
    ana: Visitor, model: str, fields: dict[str, object], words: str
) -> None:
    answer = await ana.post(f"/models/{model}/scenarios", scenario_form(**fields))
    assert answer.status_code in (422, 429), answer.text
    assert words in answer.text
    assert 'value="7"' in answer.text or fields.get("seed") == "-1"
    async with ana.parts.database.transaction() as tx:
        assert await tx.find_value("SELECT count(*) FROM runs") == 0


@pytest.mark.parametrize(
    ("change", "words"),
    [("9..5", "which is no range"), ("0..200", "a percentile lies between 0 and 100"), ("nonsense", "is no")],
)
async def test_a_wrong_change_is_told_beside_the_row_that_it_is_typed_in(
    ana: Visitor, model: str, change: str, words: str
) -> None:
    rows = {
        "scenario_name": ["Good", "Bad"],
        "scenario_cell": ["Portfolio!B4", "Portfolio!B5"],
        "scenario_change": ["0..5", change],
    }
    refused = await ana.post(f"/models/{model}/scenarios", scenario_form(**rows))
    assert refused.status_code == 422
    assert 'aria-describedby="row-error-2"' in refused.text
    assert "row-error-1" not in refused.text
    [told] = re.findall(r'id="row-error-2">(.+?)</p>', refused.text)
    assert words in told


async def test_an_input_that_the_outputs_do_not_need_is_told_beside_its_row(ana: Visitor) -> None:
    cells = {"B1": "=RiskNormal(1,1)", "B2": "=RiskNormal(2,1)", "B3": "=RiskOutput()+B1*2", "B4": "=B2*2"}
    uploaded = await ana.client.post(
        "/models",
        files={"file": ("m.xlsx", with_cells(cells), XLSX)},
        headers=HTML | {"Origin": "http://localhost"},
    )
    path = uploaded.headers["location"]
    rows = {"scenario_name": ["Low"], "scenario_cell": ["Sheet!B2"], "scenario_change": ["0..10"]}
    refused = await ana.post(f"{path}/scenarios", scenario_form(**rows))
    assert refused.status_code == 422
    [told] = re.findall(r'id="row-error-1">(.+?)</p>', refused.text)
    assert "Sheet!B2 is to be held and is no input of this run" in told


async def test_a_goal_is_sought_and_its_answer_shown(ana: Visitor, model: str) -> None:
    form = await ana.get(f"/models/{model}/goal-seek")
    assert form.status_code == 200
    assert 'value="Portfolio!B16"' in form.text, "an output that is marked is offered"
    started = await ana.post(f"/models/{model}/goal-seek", seek_form())
    assert started.status_code == 303, started.text
    path = started.headers["location"]
    waiting = (await ana.get(path)).text
    assert '<meta http-equiv="refresh"' in waiting
    assert "P5 of" in waiting
    shown = await computed(ana, path, "Trials")
    assert '<meta http-equiv="refresh"' not in shown
    assert re.search(r"must be [\d,]+\.", shown)
    assert "Give or take" in shown
    assert shown.count("Answer</span>") == 1
    listed = (await ana.get("/studies")).text
    assert re.search(r"must be [\d,]+\.", listed)


@pytest.mark.parametrize(
    ("fields", "sign"),
    [
        ({"goal": "1e9"}, "Out of reach: P5 of"),
        ({"statistic": "probability", "at_or_below": "1,000,000", "goal": "0.05"}, "must be"),
    ],
)
async def test_other_answers_are_told_as_clearly(
    ana: Visitor, model: str, fields: dict[str, object], sign: str
) -> None:
    started = await ana.post(f"/models/{model}/goal-seek", seek_form(**fields))
    assert started.status_code == 303, started.text
    shown = await computed(ana, started.headers["location"], "Trials")
    assert sign in shown


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"cell": ""}, "Name a cell"),
        ({"low": "x"}, "Enter a number."),
        ({"low": "3", "high": "2"}, "the first must be below the second"),
        ({"statistic": "mode"}, "Choose one of the list."),
        ({"statistic": "probability"}, "Enter a number."),
        ({"statistic": "probability", "at_or_below": "1", "goal": "5"}, "between 0 and 1"),
        ({"cell": "Portfolio!B10"}, "holds a formula"),
        ({"output": "Portfolio!B7"}, "holds a constant"),
        ({"iterations": "5"}, "from 1,000 to 200,000"),
        ({"iterations": "150000"}, "100,000"),
        ({"seed": "x"}, "or leave it empty."),
    ],
)
async def test_what_is_wrong_with_a_goal_is_said_beside_its_field(
    ana: Visitor, model: str, fields: dict[str, object], words: str
) -> None:
    answer = await ana.post(f"/models/{model}/goal-seek", seek_form(**fields))
    assert answer.status_code == 422, answer.text
    assert words in answer.text
    assert 'aria-invalid="true"' in answer.text


async def test_without_studies_runs_or_marks_pages_say_what_to_do(
    ana: Visitor, ben: Visitor, model: str, parts: Parts
) -> None:
    empty = (await ben.get("/studies")).text
    assert "No scenarios yet" in empty
    assert "No goal seek yet" in empty
    assert "Two runs are needed" in (await ben.get("/runs/compare")).text
    async with parts.database.transaction() as tx:
        await tx.execute("UPDATE models SET inputs = '[]', outputs = '[]'")
    assert "Mark the model first" in (await ana.get(f"/models/{model}/scenarios")).text
    assert "Mark the model first" in (await ana.get(f"/models/{model}/goal-seek")).text
    refused = await ana.post(f"/models/{model}/scenarios", scenario_form())
    assert refused.status_code == 422
    for path in (f"/models/{model}/scenarios", f"/models/{model}/goal-seek", "/studies/batches/bat_0"):
        assert (await ben.get(path)).status_code == 404
