"""Workbooks of other simulation tools and of RAND() through the Monte Carlo API: nothing marked, everything run."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.parties import Party
from tests.simulation import workbooks
from tests.simulation.conftest import API, results_of, uploaded_id, working
from tests.simulation.peer_workbooks import MEAN, STD, STYLES, profit

from tollway.app import Parts
from tollway.engine import read_workbook, simulate

ITERATIONS = 20_000


async def begun_id(client: httpx.AsyncClient, party: Party, model: str, **config: Any) -> str:
    body = {"model_id": model, "simulation_config": {"iterations": ITERATIONS, "seed": 5} | config}
    response = await client.post(f"{API}/simulations", headers=party.headers, json=body)
    assert response.status_code == 201, response.text
    return str(response.json()["simulation_id"])


@pytest.mark.parametrize("style", list(STYLES))
async def test_a_workbook_of_each_tool_runs_with_nothing_marked(
    parts: Parts, client: httpx.AsyncClient, party: Party, tmp_path: Path, style: str
) -> None:
    model = await uploaded_id(client, party, profit(style))
    async with working(parts):
        body = await results_of(client, party, await begun_id(client, party, model))
    ((cell, found),) = body["results"].items()
    assert cell == "Sheet!B4"
    told = found["statistics"]
    # Five standard errors of the mean, and of a standard deviation that is nearly that of a normal.
    assert told["mean"] == pytest.approx(MEAN, abs=5 * STD / ITERATIONS**0.5)
    assert told["std"] == pytest.approx(STD, abs=5 * STD / (2 * ITERATIONS) ** 0.5)
    # The run was cut in shards, each of which found the same inputs in the same order.
    book = read_workbook(workbooks.write(tmp_path / "model.xlsx", profit(style)))
    expected = simulate(book, {}, ["Sheet!B4"], iterations=ITERATIONS, seed=5)["Sheet!B4"]
    assert (told["mean"], told["std"], told["min"]) == (expected.mean, expected.std, expected.min)


async def test_an_upload_tells_what_the_workbook_draws_and_marks(
    client: httpx.AsyncClient, party: Party
) -> None:
    model = await uploaded_id(client, party, profit("@RISK"))
    body = (await client.get(f"{API}/models/{model}", headers=party.headers)).json()
    assert body["written_inputs"] == [
        {
            "cell": "Sheet!B1",
            "name": "Unit price",
            "formula": f"={STYLES['@RISK']['B1'][1:]}",
            "distribution": {"type": "normal", "mean": 100.0, "std": 10.0},
            "problem": None,
        },
        {
            "cell": "Sheet!B2",
            "name": "Volume",
            "formula": "=_xll.RiskTriang(800,1000,1500)",
            "distribution": {"type": "triangular", "min": 800.0, "mode": 1000.0, "max": 1500.0},
            "problem": None,
        },
    ]
    assert body["written_inputs_count"] == 2
    assert body["written_outputs"] == [{"cell": "Sheet!B4", "name": "Net profit", "is_marked": True}]
    assert body["unsupported_count"] == 0


async def test_what_was_drawn_is_recorded_named_and_ranked(
    parts: Parts, client: httpx.AsyncClient, party: Party
) -> None:
    model = await uploaded_id(client, party, profit("Crystal Ball"))
    async with working(parts):
        run = await begun_id(client, party, model)
        body = await results_of(client, party, run)
    ranked = body["results"]["Sheet!B4"]["sensitivities"]
    assert {one["cell"] for one in ranked} == {"Sheet!B1", "Sheet!B2"}
    assert {one["name"] for one in ranked} == {"Unit price", "Volume"}
    file = (await client.get(body["download_links"]["json"], headers=party.headers)).json()
    assert file["metadata"]["total_variables"] == 2


async def test_a_mark_on_a_cell_that_draws_wins_and_the_others_stay(
    parts: Parts, client: httpx.AsyncClient, party: Party
) -> None:
    model = await uploaded_id(client, party, profit("@RISK"))
    fixed = [{"cell": "B1", "distribution": {"type": "uniform", "min": 1, "max": 2}}]
    async with working(parts):
        body = await results_of(client, party, await begun_id(client, party, model, variables=fixed))
    assert body["results"]["Sheet!B4"]["statistics"]["max"] < 2 * 1_500 - 60_000
    async with parts.database.transaction() as tx:
        inputs = await tx.find_value("SELECT inputs FROM runs")
    assert [(one["cell"], one.get("written")) for one in inputs] == [
        ("Sheet!B1", None),
        ("Sheet!B2", "=_xll.RiskTriang(800,1000,1500)"),
    ]


@pytest.mark.parametrize(
    ("cells", "code", "words"),
    [
        ({"B1": "=RiskNormal(10,0)", "B4": "=RiskOutput()+B1"}, "bad-distribution", "Sheet!B1: RiskNormal: std"),
        ({"B1": "=RiskMean(B9)+RAND()", "B4": "=PsiOutput()+B1+RAND()"}, "unsupported-function", "RISKMEAN"),
        ({"B1": "=RiskNormal(10)", "B4": "=RiskOutput()+B1+RAND()"}, "unreadable-formula", "1 arguments"),
        ({"B1": 1, "B4": "=B1*2"}, "nothing-marked", "names no variables"),
    ],
)  # fmt: skip
async def test_what_cannot_be_drawn_is_refused_by_its_cell(
    client: httpx.AsyncClient, party: Party, cells: dict[str, object], code: str, words: str
) -> None:
    model = await uploaded_id(client, party, workbooks.with_cells({"D1": "=1+1", **cells}))
    body = {"model_id": model, "simulation_config": {"iterations": ITERATIONS}}
    response = await client.post(f"{API}/simulations", headers=party.headers, json=body)
    assert response.status_code == 422, response.text
    assert response.json()["code"] == code
    assert words in response.json()["message"]
