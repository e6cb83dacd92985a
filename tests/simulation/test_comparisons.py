"""Two runs compared over HTTP: whose they are, what pairs them, and what cannot be compared."""

import asyncio
from dataclasses import replace
from typing import Any

import httpx
import pytest
from tests.parties import Party
from tests.simulation.conftest import API, Rows, results_of, started_id, uploaded_id, working
from tests.simulation.workbooks import PORTFOLIO_VARIABLES, with_formula

from tollway.app import Parts
from tollway.kit.clock import read_now
from tollway.simulation.comparison_flows import compare_batch
from tollway.simulation.entities import OUTPUTS_MAX, RunStatus
from tollway.simulation.studies import SCENARIOS_MAX

WIDE = {"type": "normal", "mean": 0.08, "std": 0.03}
WIDER = [PORTFOLIO_VARIABLES[0], PORTFOLIO_VARIABLES[1] | {"distribution": WIDE}, PORTFOLIO_VARIABLES[2]]


async def compare(client: httpx.AsyncClient, party: Party, base: str, other: str) -> httpx.Response:
    return await client.get(f"{API}/simulations/{base}/compare/{other}", headers=party.headers)


async def finished_ids(
    parts: Parts, client: httpx.AsyncClient, party: Party, model: str, *configs: dict[str, Any]
) -> list[str]:
    """Start runs one after the other and wait for their results."""
    runs = []
    async with working(parts):
        for config in configs:
            run = await started_id(client, party, model, **({"iterations": 4_096} | config))
            await results_of(client, party, run)
            runs.append(run)
    return runs


async def test_runs_of_one_seed_are_paired_and_a_wider_input_widens_the_result(
    parts: Parts, client: httpx.AsyncClient, party: Party
) -> None:
    model = await uploaded_id(client, party)
    base, other = await finished_ids(parts, client, party, model, {}, {"variables": WIDER})
    told = (await compare(client, party, base, other)).json()
    assert (told["base"]["simulation_id"], told["other"]["simulation_id"]) == (base, other)
    assert told["shares_random_numbers"] is True
    assert "seed 7" in told["remark"]
    assert (told["only_in_base"], told["only_in_other"]) == ([], [])
    assert [one["cell"] for one in told["outputs"]] == ["Risk!B16", "Risk!B18"]
    rows = {one["statistic"]: one for one in told["outputs"][0]["differences"]}
    mean, std = rows["mean"], rows["std"]
    # What the mean moves by is the mean of one normal, half as wide as the other.
    assert mean["is_paired"]
    assert abs(mean["difference"]) < 5 * mean["standard_error"]
    assert mean["standard_error"] == pytest.approx(0.01 * 1_000_000 / 4_096**0.5, rel=0.1)
    assert std["difference"] > 5_000
    assert not std["is_paired"]
    back = (await compare(client, party, other, base)).json()
    assert back["outputs"][0]["differences"][0]["difference"] == -mean["difference"]


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"seed": 8}, "their seeds differ (7 and 8)"),
        ({"sampling": "sobol"}, "sampled by different methods"),
        ({"iterations": 5_000}, "4,096 and 5,000 iterations"),
        ({"variables": PORTFOLIO_VARIABLES[::-1]}, "not the same cells in the same order"),
    ],
)
async def test_runs_that_drew_otherwise_are_compared_as_independent_ones(
    parts: Parts, client: httpx.AsyncClient, party: Party, config: dict[str, Any], words: str
) -> None:
    model = await uploaded_id(client, party)
    base, other = await finished_ids(parts, client, party, model, {}, config)
    told = (await compare(client, party, base, other)).json()
    assert told["shares_random_numbers"] is False
    assert words in told["remark"]
    assert not any(one["is_paired"] for output in told["outputs"] for one in output["differences"])
    assert told["outputs"][0]["differences"][0]["standard_error"] > 0


async def test_what_cannot_be_compared_is_refused(
    parts: Parts, client: httpx.AsyncClient, party: Party, other: Party
) -> None:
    model = await uploaded_id(client, party)
    [run] = await finished_ids(parts, client, party, model, {})
    waiting = await started_id(client, party, model)
    second = await uploaded_id(client, party, with_formula("=B1*2"))
    unlike = {"variables": [{"cell": "B1", "distribution": {"type": "normal", "mean": 1, "std": 1}}]}
    [elsewhere] = await finished_ids(parts, client, party, second, unlike | {"output_cells": ["B2"]})
    for base, compared, status, code in (
        (run, run, 409, "nothing-to-compare"),
        (run, elsewhere, 409, "nothing-to-compare"),
        (run, "sim_0", 404, "run-not-found"),
        ("sim_0", run, 404, "run-not-found"),
    ):
        answer = await compare(client, party, base, compared)
        assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    # The worker has computed what waited meanwhile.
    assert (await compare(client, party, run, waiting)).status_code == 200
    late = await started_id(client, party, model)
    answer = await compare(client, party, run, late)
    assert (answer.status_code, answer.json()["code"]) == (409, "run-not-finished")
    assert (await compare(client, other, run, waiting)).status_code == 404
    assert (await client.get(f"{API}/simulations/{run}/compare/{waiting}")).status_code == 401


async def test_runs_of_before_points_were_kept_are_compared_without_pairs(
    parts: Parts, client: httpx.AsyncClient, party: Party
) -> None:
    model = await uploaded_id(client, party)
    base, other = await finished_ids(parts, client, party, model, {}, {"variables": WIDER})
    async with parts.database.transaction() as tx:
        await tx.execute(
            "UPDATE runs SET points_blob = NULL, results = (SELECT jsonb_agg(one - 'standard_errors') "
            "FROM jsonb_array_elements(results) AS one)"
        )
    told = (await compare(client, party, base, other)).json()
    mean, std = told["outputs"][0]["differences"][:2]
    assert told["shares_random_numbers"] is True
    assert (mean["is_paired"], std["standard_error"]) == (False, None)
    assert mean["standard_error"] > 300


async def test_others_are_served_while_a_batch_of_many_outputs_is_compared(
    parts: Parts, party: Party, rows: Rows
) -> None:
    now = read_now()
    run = await rows.run(party, await rows.model(party, now), now)
    known = {"5": 1.0, "50": 2.0, "95": 3.0}
    summary = {
        "name": None, "mean": 2.0, "std": 1.0, "mean_standard_error": 0.01, "error_counts": {}, "percentiles": known,
        "var": {"95": 1.0}, "cvar": {"95": 0.5},
    }  # fmt: skip
    results = [summary | {"cell": f"S!A{row}"} for row in range(OUTPUTS_MAX)]
    over = replace(
        run, status=RunStatus.COMPLETED, iterations_completed=run.iterations, summarized_at=now, results=results
    )  # fmt: skip
    served_count = 0

    async def serve() -> None:
        nonlocal served_count
        while True:
            served_count += 1
            await asyncio.sleep(0)

    serving = asyncio.create_task(serve())
    compared = await compare_batch(parts.workshop, [over] * SCENARIOS_MAX)
    serving.cancel()
    assert [len(one.outputs) for one in compared] == [OUTPUTS_MAX] * (SCENARIOS_MAX - 1)
    assert served_count >= len(compared), "between any two of them, at least"
