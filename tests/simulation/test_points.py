"""The first iterations of a run: kept with its results, read again, and deleted with them."""

import json
from datetime import timedelta

import httpx
import numpy as np
import pytest
from tests.parties import Party
from tests.simulation.conftest import API, caller_of, results_of, started_id, uploaded_id, working

from tollway.app import Parts
from tollway.engine import (
    POINTS_MAX,
    Input,
    Points,
    RankCorrelation,
    Sampling,
    SamplingMethod,
    draw,
    held_inputs,
    parse_distribution,
)
from tollway.kit.clock import read_now
from tollway.simulation import answers, operations, retention
from tollway.simulation.entities import Run
from tollway.simulation.points import read_points


async def finished(parts: Parts, client: httpx.AsyncClient, party: Party, **config: object) -> Run:
    model = await uploaded_id(client, party)
    async with working(parts):
        run_id = await started_id(client, party, model, **config)
        await results_of(client, party, run_id)
    async with parts.database.transaction() as tx:
        return await operations.get_run(tx, caller_of(party), run_id)


async def test_points_are_the_inputs_and_outputs_of_the_first_iterations(
    parts: Parts, client: httpx.AsyncClient, party: Party
) -> None:
    run = await finished(
        parts,
        client,
        party,
        sampling="latin_hypercube",
        correlations=[{"cells": ["B4", "B5"], "correlation": 0.5}],
        stress=[{"cell": "B5", "percentiles": [90, 100]}],
    )
    points = await read_points(parts.blobs, run)
    assert isinstance(points, Points)
    inputs = held_inputs(
        [Input(one["cell"], parse_distribution(one["distribution"])) for one in run.inputs], run.stress
    )
    assert run.correlations is not None
    correlation = RankCorrelation.from_json(run.correlations, [one.cell for one in inputs])
    sampling = Sampling(SamplingMethod.LATIN_HYPERCUBE, run.iterations, correlation)
    assert points.input_values.tobytes() == draw(inputs, run.seed, 0, POINTS_MAX, sampling).tobytes()
    # B16 is what was invested, with the part that is not free of risk; it rises with the return.
    returns, final = points.input_values[1], points.output_values[0]
    assert np.corrcoef(returns, final)[0, 1] > 0.5
    assert (points.output_errors == 0).all()
    assert (returns > 0.1).all(), "held in its highest tenth"


async def test_what_the_api_tells_of_errors_ranks_targets_and_convergence(
    parts: Parts, client: httpx.AsyncClient, party: Party
) -> None:
    run = await finished(parts, client, party, targets=[1_000_000, 1_050_000.0], tolerance=0.01)
    body = (await client.get(f"{API}/simulations/{run.public_id}/results", headers=party.headers)).json()
    assert (body["targets"], body["tolerance"]) == ([1_000_000, 1_050_000], 0.01)
    answers.Results.model_validate(body)
    found = body["results"]["B16"]
    statistics = found["statistics"]
    below, middle = statistics["targets"]
    # Phi((1,000,000 - 1,050,000) / 21,602) is 1.03 %; the mean is the median. Five standard errors of 10,000.
    assert abs(below["share_at_or_below"] - 0.0103) < 5 * below["standard_error"]
    assert abs(middle["share_at_or_below"] - 0.5) < 5 * 0.005
    assert statistics["standard_errors"]["mean"] == statistics["mean_standard_error"]
    assert set(statistics["standard_errors"]["percentiles"]) == set(statistics["percentiles"])
    assert statistics["error_shares"] == {}
    assert found["sensitivity_iterations"] == 10_000
    assert sum(one["variance_share"] for one in found["sensitivities"]) == pytest.approx(1)
    # The deviation is known to 1.4 % after 10,000 iterations: 1.96 / sqrt(2 * 10,000).
    settled = {one["statistic"]: one["is_settled"] for one in found["convergence"]["statistics"]}
    assert (settled["mean"], settled["std"]) == (True, False)
    assert 15_000 < found["convergence"]["iterations_needed"] < 25_000
    assert len(found["convergence"]["checkpoints"]) == 20


async def test_more_iterations_than_anybody_has_are_not_told_as_a_number(
    parts: Parts, client: httpx.AsyncClient, party: Party
) -> None:
    run = await finished(parts, client, party, tolerance=1e-9)
    url = f"{API}/simulations/{run.public_id}/results"
    body = (await client.get(url, headers=party.headers)).json()
    found = body["results"]["B16"]["convergence"]
    assert (found["is_settled"], found["iterations_needed"]) == (False, None)
    assert all(one["half_width"] > one["allowed"] for one in found["statistics"])
    assert run.results is not None
    huge = {"iterations_needed": 13 * 10**30}
    before = [one | {"convergence": one["convergence"] | huge} for one in run.results]
    async with parts.database.transaction() as tx:
        await tx.execute("UPDATE runs SET results = %(before)s::jsonb", {"before": json.dumps(before)})
    told = (await client.get(url, headers=party.headers)).json()
    answers.Results.model_validate(told)
    assert told["results"]["B16"]["convergence"] == found


LATER = (
    "kurtosis", "mode", "standard_errors", "error_shares", "targets", "convergence", "sensitivity_iterations",
    "sensitivity_remark",
)  # fmt: skip


async def test_a_run_of_before_there_was_more_is_still_told(
    parts: Parts, client: httpx.AsyncClient, party: Party
) -> None:
    run = await finished(parts, client, party)
    assert run.results is not None
    old = [{name: value for name, value in one.items() if name not in LATER} for one in run.results]
    for one in old:
        one["sensitivities"] = [
            {name: each[name] for name in ("cell", "name", "low_mean", "high_mean", "swing", "correlation")}
            for each in one["sensitivities"]
        ]
    async with parts.database.transaction() as tx:
        await tx.execute(
            "UPDATE runs SET results = %(old)s::jsonb, points_blob = NULL", {"old": json.dumps(old)}
        )
        stored = await operations.get_run(tx, caller_of(party), run.public_id)
    url = f"{API}/simulations/{run.public_id}"
    body = (await client.get(f"{url}/results", headers=party.headers)).json()
    answers.Results.model_validate(body)
    found = body["results"]["B16"]
    assert found["statistics"]["mean"] == run.results[0]["mean"]
    assert {found["statistics"][name] for name in LATER[:2]} | {found["convergence"]} == {None}
    for file_format in ("json", "xlsx"):
        assert (await client.get(f"{url}/download/{file_format}", headers=party.headers)).status_code == 200
    assert await read_points(parts.blobs, stored) is None


async def test_points_go_with_the_results(parts: Parts, client: httpx.AsyncClient, party: Party) -> None:
    run = await finished(parts, client, party)
    assert run.points_blob is not None
    async with parts.database.transaction() as tx:
        held = await tx.find_value(
            "SELECT 1 FROM discarded_blobs WHERE name = %(name)s", {"name": run.points_blob}
        )
        assert held is None, "the run holds its file"
        assert await retention.end(tx, "https://tollway.example", read_now() + timedelta(days=31)) == 2
        gone = await tx.find_value(
            "SELECT 1 FROM discarded_blobs WHERE name = %(name)s", {"name": run.points_blob}
        )
        assert gone == 1
        emptied = await operations.get_run(tx, caller_of(party), run.public_id)
    assert await read_points(parts.blobs, emptied) is None
    # Whoever read the run just before finds its file gone once the sweep was there.
    await parts.blobs.delete(run.points_blob)
    assert await read_points(parts.blobs, run) is None
