"""Stress through the Monte Carlo API: computed in shards, told, and refused by its entry."""

import io
from pathlib import Path
from typing import Any

import httpx
import openpyxl
import pytest
from tests.parties import Party
from tests.simulation import workbooks
from tests.simulation.conftest import API, results_of, run_body, started_id, uploaded_id, working

from tollway.app import Parts
from tollway.engine import (
    Input,
    ProgramFacts,
    build_program,
    parse_distribution,
    read_stress,
    read_workbook,
    run_shard,
    summarize,
    with_stress,
)

ITERATIONS = 20_000
STRESS = [{"cell": "B5", "percentiles": [0, 5]}]


async def test_a_stressed_run_in_shards_gives_the_bits_of_the_library_and_tells_of_it(
    parts: Parts, client: httpx.AsyncClient, party: Party, tmp_path: Path
) -> None:
    model = await uploaded_id(client, party)
    async with working(parts):
        run = await started_id(client, party, model, iterations=ITERATIONS, stress=STRESS)
        plain = await started_id(client, party, model, iterations=ITERATIONS)
        body, plain_body = await results_of(client, party, run), await results_of(client, party, plain)
    assert plain_body["stress"] == []
    assert body["stress"] == [{"cell": "Risk!B5", "percentiles": [0.0, 5.0]}]
    assert body["variables"] == plain_body["variables"], "the whole distribution is told beside it"

    book = read_workbook(workbooks.write(tmp_path / "model.xlsx", workbooks.portfolio()))
    inputs = [
        Input(one["cell"], parse_distribution(one["distribution"])) for one in workbooks.PORTFOLIO_VARIABLES
    ]
    program = build_program(book, inputs, ["B16"])
    held = with_stress(program, read_stress(STRESS, book, program))
    [expected] = summarize(ProgramFacts.of(held), [run_shard(held, 7, 0, ITERATIONS)])
    told = body["results"]["B16"]["statistics"]
    assert (told["mean"], told["std"], told["min"]) == (expected.mean, expected.std, expected.min)
    assert told["mean"] < plain_body["results"]["B16"]["statistics"]["mean"] - 30_000

    file = await client.get(body["download_links"]["json"], headers=party.headers)
    assert file.json()["stress"] == body["stress"]
    packed = await client.get(body["download_links"]["xlsx"], headers=party.headers)
    sheet = openpyxl.load_workbook(io.BytesIO(packed.content))["Inputs"]
    words = {row[1].value: row[2].value for row in sheet.iter_rows(min_row=4)}
    assert words["Risk!B5"].endswith("held between its percentiles 0 and 5")
    assert "held" not in words["Risk!B4"]


@pytest.mark.parametrize(
    ("stress", "code", "pointer"),
    [
        ([{"cell": "B5", "percentiles": [90]}], "bad-stress", "0/percentiles"),
        ([{"cell": "B5", "percentiles": [90, 80]}], "bad-stress", "0/percentiles"),
        ([{"cell": "B5", "percentiles": [90, 101]}], "bad-stress", "0/percentiles/1"),
        ([{"cell": "B7", "percentiles": [90, 100]}], "bad-stress", "0/cell"),
        ([{"cell": "B5", "percentiles": [0, 5]}, {"cell": "Risk!B5", "percentiles": [0, 5]}], "bad-stress", "1/cell"),
        ([{"cell": "B5", "percentiles": ["90", 100]}], "invalid-input", "0/percentiles/0"),
        ([{"cell": "B5", "percentiles": [1, 2, 3]}], "invalid-input", "0/percentiles"),
        ([{"cell": "B5"}], "invalid-input", "0/percentiles"),
        ([{"percentiles": [90, 100]}], "invalid-input", "0/cell"),
        ([{"cell": "B5", "percentiles": [90, 100], "low": 3}], "invalid-input", "0/low"),
        ("B5=90..100", "invalid-input", ""),
    ],
)  # fmt: skip
async def test_what_cannot_be_held_is_refused_by_its_entry(
    client: httpx.AsyncClient, party: Party, stress: Any, code: str, pointer: str
) -> None:
    model = await uploaded_id(client, party)
    answer = await client.post(
        f"{API}/simulations", headers=party.headers, json=run_body(model, stress=stress)
    )
    assert answer.status_code == 422, answer.text
    assert answer.json()["code"] == code
    assert answer.json()["errors"][0]["pointer"] == f"/simulation_config/stress/{pointer}".rstrip("/")
