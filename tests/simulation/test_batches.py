"""Batches over HTTP: all or none, one seed, standing and comparison, and what is refused by its scenario."""

from dataclasses import replace
from typing import Any

import httpx
import pytest
from psycopg import AsyncCursor
from tests.parties import Party, make_party
from tests.simulation.conftest import API, Rows, caller_of, uploaded_id, wait_until, working
from tests.simulation.workbooks import PORTFOLIO_VARIABLES, with_formula

from tollway.app import Parts
from tollway.kit.clock import read_now
from tollway.plans import operations as plans
from tollway.plans.entities import SubscriptionStatus
from tollway.simulation import batch_flows, batch_operations, operations
from tollway.simulation.batch_bodies import BatchIn
from tollway.simulation.batch_endpoints import read_batch
from tollway.simulation.entities import InputMark, RunOrder, RunPlan
from tollway.simulation.flows import local_workbook
from tollway.simulation.inspection import Inspector
from tollway.simulation.mark_flows import DistributionReader
from tollway.simulation.refusals import BadDistribution
from tollway.simulation.studies import SCENARIOS_MAX, BatchOrder, BatchTooLong, Scenario
from tollway.webhooks.entities import UrlRules

CONFIG = {"iterations": 4_096, "variables": PORTFOLIO_VARIABLES, "output_cells": ["B16", "B18"]}
LOW_RETURN = {"stress": [{"cell": "B5", "percentiles": [0, 10]}]}


def batch_body(model_id: str, *scenarios: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {
        "batch_name": "Stress",
        "simulations": [
            {"model_id": model_id, "scenario_name": f"Scenario {place}"} | one
            for place, one in enumerate(scenarios or ({}, LOW_RETURN))
        ],
        "simulation_config": CONFIG,
    } | members


async def post(
    client: httpx.AsyncClient, party: Party, body: dict[str, Any], **headers: str
) -> httpx.Response:
    return await client.post(f"{API}/simulations/batch", headers=party.headers | headers, json=body)


@pytest.fixture
async def professional(parts: Parts) -> Party:
    """A customer whose plan allows 25 runs at once, and webhooks."""
    return await make_party(parts.database, read_now(), tier="professional", status=SubscriptionStatus.ACTIVE)


async def finished(client: httpx.AsyncClient, party: Party, batch_id: str) -> dict[str, Any]:
    url = f"{API}/batches/{batch_id}"

    async def over() -> bool:
        return bool((await client.get(url, headers=party.headers)).json()["status"] == "finished")

    await wait_until(over)
    return dict((await client.get(url, headers=party.headers)).json())


async def test_scenarios_share_one_seed_and_are_compared_in_pairs(
    parts: Parts, client: httpx.AsyncClient, party: Party
) -> None:
    model = await uploaded_id(client, party)
    answer = await post(client, party, batch_body(model))
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert made["batch_id"].startswith("bat_")
    assert made["batch_name"] == "Stress"
    assert [one["scenario_name"] for one in made["simulations"]] == ["Scenario 0", "Scenario 1"]
    assert {one["seed"] for one in made["simulations"]} == {made["seed"]}
    assert made["simulations"][0]["status"] == "queued"
    assert made["simulations"][0]["progress_url"].endswith("/progress")
    waiting = (await client.get(f"{API}/batches/{made['batch_id']}", headers=party.headers)).json()
    assert (waiting["status"], waiting["finished_count"], waiting["comparison"]) == ("queued", 0, None)

    async with working(parts):
        batch = await finished(client, party, made["batch_id"])
    assert batch["finished_count"] == batch["simulations_count"] == 2
    assert batch["simulations"][1]["stress"] == [{"cell": "Risk!B5", "percentiles": [0.0, 10.0]}]
    compared = batch["comparison"]
    assert compared["base"]["scenario_name"] == "Scenario 0"
    [other] = compared["others"]
    assert other["simulation"]["scenario_name"] == "Scenario 1"
    assert other["shares_random_numbers"] is True
    mean = other["outputs"][0]["differences"][0]
    assert (mean["statistic"], mean["is_paired"]) == ("mean", True)
    # The lowest tenth of a standard normal has mean -1.755.
    assert mean["difference"] == pytest.approx(-1.755 * 0.02 * 1_000_000, rel=0.05)
    unpaired = (
        await client.get(
            f"{API}/simulations/{made['simulations'][0]['simulation_id']}/results", headers=party.headers
        )
    ).json()["results"]["B16"]["statistics"]["mean_standard_error"]
    assert mean["standard_error"] < unpaired
    listed = (await client.get(f"{API}/batches", headers=party.headers)).json()
    assert [one["batch_id"] for one in listed["batches"]] == [made["batch_id"]]
    assert listed["batches"][0]["status"] == "finished"
    results = await client.get(
        f"{API}/simulations/{made['simulations'][1]['simulation_id']}/results", headers=party.headers
    )
    assert (results.json()["batch_id"], results.json()["scenario_name"]) == (made["batch_id"], "Scenario 1")


async def test_scenarios_share_the_time_for_solving_percentiles() -> None:
    solved = [{"cell": "B5", "distribution": {"type": "normal", "p5": 0.01, "p95": 0.15}}]
    plain = [{"cell": "B5", "distribution": {"type": "normal", "mean": 0.08, "std": 0.02}}]
    body = BatchIn.model_validate(batch_body("mdl_1", {"variables": plain}, {"variables": solved}))
    spent = DistributionReader(seconds_max=0)
    with pytest.raises(BadDistribution, match="write it by its parameters") as refused:
        await read_batch(body, UrlRules(), spent)
    assert [one.pointer for one in refused.value.errors] == ["/simulations/1/variables/0/distribution"]
    order = await read_batch(body, UrlRules(), DistributionReader())
    assert [len(one.order.inputs or []) for one in order.scenarios] == [1, 1]


async def test_a_list_of_batches_and_one_under_way_read_no_results(
    parts: Parts, client: httpx.AsyncClient, party: Party
) -> None:
    """Hundreds of runs stand behind one page of it, and what fills each may be megabytes."""
    model = await uploaded_id(client, party)
    entry = {"cells": ["B4", "B5"], "correlation": 0.5}
    answer = await post(
        client, party, batch_body(model, simulation_config=CONFIG | {"correlations": [entry]})
    )
    assert answer.status_code == 201, answer.text
    async with parts.database.transaction() as tx:
        await tx.execute("UPDATE runs SET results = bin_edges, live = bin_edges")
        page, runs = await batch_operations.list_batches(tx, caller_of(party), None, 10)
        batch = page.items[0]
        await tx.execute("UPDATE runs SET status = 'completed' WHERE id = (SELECT min(id) FROM runs)")
        _, under_way = await batch_operations.get_batch(tx, caller_of(party), batch.public_id)
        await tx.execute("UPDATE runs SET status = 'completed'")
        _, whole = await batch_operations.get_batch(tx, caller_of(party), batch.public_id)
    assert [one.status for one in under_way] == ["completed", "queued"]
    for run, waiting, known in zip(runs[batch.id], under_way, whole, strict=True):
        assert known.status == "completed"
        assert (run.public_id, run.scenario_name) == (known.public_id, known.scenario_name)
        for name in ("results", "live", "inputs", "bin_edges", "correlations"):
            assert getattr(known, name)
            assert not getattr(run, name)
            assert not getattr(waiting, name)


async def test_a_batch_looks_once_at_what_is_under_way_and_reads_no_run_of_it(
    parts: Parts, professional: Party, rows: Rows
) -> None:
    """Each run under way may hold megabytes, and a batch has twenty scenarios."""
    now = read_now()
    model = await rows.model(professional, now)
    for _ in range(3):
        await rows.run(professional, model, now)
    order = RunOrder(model, 10_000, None, None, [0.95], None)
    plan = RunPlan(inputs=[], outputs=[{"cell": "S!A2"}], bin_edges=[[0.0, 1.0]], seconds_per_iteration=1e-6)
    scenarios = [Scenario(f"Scenario {index}", order, index) for index in range(SCENARIOS_MAX)]
    statements: list[str] = []

    class Recording(AsyncCursor[Any]):
        """Notes what is asked on its way to the database."""

        async def execute(self, query: Any, *arguments: Any, **options: Any) -> Any:
            statements.append(" ".join(str(query).split()))
            return await super().execute(query, *arguments, **options)

    async with parts.database.transaction() as tx:
        held = await plans.get_entitlement(tx, professional.customer_id, "montecarlo", now)
        tx.connection.cursor_factory = Recording
        try:
            _, runs = await batch_operations.create_batch(
                tx, caller_of(professional), BatchOrder("Stress", scenarios, 7), [plan] * SCENARIOS_MAX, held,
                seed=7, quota_id=None, now=now,
            )  # fmt: skip
        finally:
            tx.connection.cursor_factory = AsyncCursor
    assert len(runs) == SCENARIOS_MAX
    looks = [
        one for one in statements if one.startswith("SELECT") and "status IN ('queued', 'running')" in one
    ]
    assert len(looks) == 1, looks
    assert looks[0].startswith("SELECT count(*)"), "sums, and no row of a run"


async def test_members_of_a_scenario_win_over_those_of_all(
    client: httpx.AsyncClient, professional: Party
) -> None:
    model = await uploaded_id(client, professional)
    marked = {"inputs": PORTFOLIO_VARIABLES, "outputs": ["B16"]}
    await client.put(f"{API}/models/{model}", headers=professional.headers, json=marked)
    scenarios = (
        {"iterations": 2_000, "seed": 5, "sampling": "sobol"},
        {
            "variables": [
                PORTFOLIO_VARIABLES[1] | {"distribution": {"type": "normal", "mean": 0.1, "std": 0.03}}
            ]
        },
        {},
    )
    config = {"iterations": 1e3, "seed": 9}
    answer = await post(client, professional, batch_body(model, *scenarios, simulation_config=config))
    assert answer.status_code == 201, answer.text
    assert answer.json()["seed"] == 9
    assert [one["seed"] for one in answer.json()["simulations"]] == [5, 9, 9]
    batch = (
        await client.get(f"{API}/batches/{answer.json()['batch_id']}", headers=professional.headers)
    ).json()
    assert [one["iterations"] for one in batch["simulations"]] == [2_000, 1_000, 1_000]


@pytest.mark.promise("X11")
async def test_a_batch_counts_one_request_a_run_and_none_where_it_is_refused(
    parts: Parts, client: httpx.AsyncClient, party: Party
) -> None:
    model = await uploaded_id(client, party)

    async def used() -> int:
        async with parts.database.transaction() as tx:
            return int(await tx.find_value("SELECT sum(requests_used) FROM usage_quotas"))

    before = await used()
    refused = await post(client, party, batch_body(model, {}, {"iterations": 500}))
    assert refused.status_code == 422
    assert await used() == before
    headers = {"Idempotency-Key": "once"}
    body = batch_body(model)
    first, second = [await post(client, party, body, **headers) for _ in range(2)]
    assert first.json() == second.json()
    assert await used() == before + 2
    async with parts.database.transaction() as tx:
        assert await tx.find_value("SELECT count(*) FROM batches") == 1
        assert await tx.find_value("SELECT count(*) FROM runs") == 2
        units = "SELECT units FROM api_usage_logs WHERE endpoint LIKE '%batch' AND units > 0"
        assert await tx.find_value(units) == 2
    other = await post(client, party, body | {"batch_name": "Another"}, **headers)
    assert other.status_code == 409


async def test_a_batch_that_does_not_fit_starts_nothing(
    parts: Parts, client: httpx.AsyncClient, party: Party, professional: Party
) -> None:
    model = await uploaded_id(client, party)
    # A free trial allows two runs at once.
    answer = await post(client, party, batch_body(model, {}, {}, {}))
    assert answer.status_code == 429
    told = answer.json()
    assert (told["code"], told["scenario_index"], told["limit_value"]) == ("runs-at-once", 2, 2)
    assert told["errors"][0]["pointer"] == "/simulations/2"
    assert "Nothing of it was started" in told["message"]

    theirs = await uploaded_id(client, professional)
    async with parts.database.transaction() as tx:
        await tx.execute(
            """
            UPDATE usage_quotas SET requests_used = requests_included - 1 WHERE subscription_id IN (
                SELECT id FROM api_subscriptions WHERE customer_id = %(id)s)
            """,
            {"id": professional.customer_id},
        )
    answer = await post(client, professional, batch_body(theirs))
    assert answer.status_code == 429, answer.text
    told = answer.json()
    assert (told["code"], told["scenario_index"]) == ("quota-used-up", 1)
    assert "counts 2 requests" in told["message"]
    async with parts.database.transaction() as tx:
        assert await tx.find_value("SELECT count(*) FROM runs") == 0
        assert await tx.find_value("SELECT count(*) FROM batches") == 0


@pytest.mark.parametrize(
    ("change", "status", "code", "pointer", "words"),
    [
        ({"simulations": []}, 422, "invalid-input", "/simulations", ""),
        ({"batch_name": ""}, 422, "invalid-input", "/batch_name", ""),
        ({"scenario": {"scenario_name": "Scenario 0"}}, 422, "bad-scenario",
         "/simulations/1/scenario_name", "Two scenarios"),
        ({"scenario": {"scenario_name": None}}, 422, "invalid-input", "/simulations/1/scenario_name", ""),
        ({"scenario": {"iterations": None}}, 422, "bad-scenario", "/simulations/1/iterations",
         "no number of iterations"),
        ({"scenario": {"iterations": 10_000_001}}, 422, "iterations-over-plan",
         "/simulations/1/iterations", "Scenario 1"),
        ({"scenario": {"model_id": "mdl_0"}}, 404, "model-not-found", "/simulations/1/model_id", "Scenario 1"),
        ({"scenario": {"output_cells": ["B7"]}}, 422, "bad-output-cell", "/simulations/1/output_cells/0", "constant"),
        ({"scenario": {"stress": [{"cell": "B7", "percentiles": [0, 5]}]}}, 422, "bad-stress",
         "/simulations/1/stress/0/cell", "no input"),
        ({"scenario": {"correlations": [{"cells": ["B4", "B5"], "correlation": 2}]}}, 422, "bad-correlation",
         "/simulations/1/correlations/0/correlation", ""),
        ({"scenario": {"variables": [{"cell": "B4", "distribution": {"type": "normal", "mean": 1, "std": 0}}]}}, 422,
         "bad-distribution", "/simulations/1/variables/0/distribution/std", ""),
        ({"scenario": {"variables": [{"cell": "B16", "distribution": {"type": "normal", "mean": 1, "std": 1}}]}}, 422,
         "bad-input-cell", "/simulations/1/variables/0/cell", ""),
        ({"scenario": {"variables": [], "output_cells": []}}, 422, "nothing-marked",
         "/simulations/1/variables", "Scenario 1"),
        ({"scenario": {"webhook_url": "ftp://x"}}, 422, "webhook-url-refused", "/simulations/1/webhook_url", ""),
        ({"webhook_url": "ftp://x"}, 422, "webhook-url-refused", "/webhook_url", ""),
        ({"webhook_url": "https://example.com/a"}, 402, "feature-not-included", None, ""),
        ({"simulation_config": CONFIG | {"output_cells": ["B7"]}}, 422, "bad-output-cell",
         "/simulation_config/output_cells/0", ""),
        ({"simulation_config": CONFIG | {"surprise": 1}}, 422, "invalid-input", "/simulation_config/surprise", ""),
        ({"scenario": {"surprise": 1}}, 422, "invalid-input", "/simulations/1/surprise", ""),
    ],
)  # fmt: skip
async def test_what_cannot_be_run_is_refused_by_its_scenario(
    parts: Parts,
    client: httpx.AsyncClient,
    party: Party,
    change: dict[str, Any],
    status: int,
    code: str,
    pointer: str | None,
    words: str,
) -> None:
    model = await uploaded_id(client, party)
    change = dict(change)
    body = batch_body(model, {}, change.pop("scenario", {})) | change
    answer = await post(client, party, body)
    assert answer.status_code == status, answer.text
    assert answer.json()["code"] == code
    if pointer is not None:
        assert answer.json()["errors"][0]["pointer"] == pointer
    assert words in answer.json()["message"]
    async with parts.database.transaction() as tx:
        assert await tx.find_value("SELECT count(*) FROM runs") == 0


async def test_samples_over_the_plan_are_refused_by_their_scenario(
    client: httpx.AsyncClient, professional: Party
) -> None:
    model = await uploaded_id(client, professional)
    large = {"keep_samples": True, "iterations": 2_000_000}
    answer = await post(client, professional, batch_body(model, {}, large))
    assert answer.status_code == 422, answer.text
    refused = answer.json()
    assert (refused["code"], refused["scenario_index"]) == ("samples-over-plan", 1)
    assert refused["message"].startswith("Scenario 1 ('Scenario 1'): The samples of 2,000,000 iterations")
    assert [one["pointer"] for one in refused["errors"]] == ["/simulations/1/keep_samples"]


async def test_so_many_scenarios_fit_and_one_more_does_not(
    client: httpx.AsyncClient, professional: Party
) -> None:
    model = await uploaded_id(client, professional)
    answer = await post(client, professional, batch_body(model, *([{}] * SCENARIOS_MAX)))
    assert answer.status_code == 201, answer.text
    assert len(answer.json()["simulations"]) == SCENARIOS_MAX
    answer = await post(client, professional, batch_body(model, *([{}] * (SCENARIOS_MAX + 1))))
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/simulations"


async def test_scenarios_of_two_models_run_together_and_each_refusal_finds_its_own(
    parts: Parts, client: httpx.AsyncClient, professional: Party
) -> None:
    first = await uploaded_id(client, professional)
    second = await uploaded_id(client, professional, with_formula("=B1*2"))
    theirs = {
        "model_id": second,
        "variables": [{"cell": "B1", "distribution": {"type": "normal", "mean": 1, "std": 1}}],
        "output_cells": ["B2"],
    }
    scenarios = ({}, theirs, {}, theirs | {"output_cells": ["B1"]})
    answer = await post(client, professional, batch_body(first, *scenarios))
    assert answer.json()["errors"][0]["pointer"] == "/simulations/3/output_cells/0"
    answer = await post(client, professional, batch_body(first, *scenarios[:3]))
    assert answer.status_code == 201, answer.text
    async with working(parts):
        batch = await finished(client, professional, answer.json()["batch_id"])
    assert [one["model_id"] for one in batch["simulations"]] == [first, second, first]
    unlike, alike = batch["comparison"]["others"]
    assert (unlike["outputs"], unlike["shares_random_numbers"]) == ([], False)
    assert unlike["only_in_base"] == ["Risk!B16", "Risk!B18"]
    assert all(one["difference"] == 0 for one in alike["outputs"][0]["differences"])

    answer = await client.delete(f"{API}/models/{second}?delete_runs=true", headers=professional.headers)
    assert answer.status_code == 200
    left = (await client.get(f"{API}/batches/{batch['batch_id']}", headers=professional.headers)).json()
    assert [one["model_id"] for one in left["simulations"]] == [first, first]
    await client.delete(f"{API}/models/{first}?delete_runs=true", headers=professional.headers)
    gone = await client.get(f"{API}/batches/{batch['batch_id']}", headers=professional.headers)
    assert (gone.status_code, gone.json()["code"]) == (404, "batch-not-found")


async def test_workbooks_that_cannot_all_be_read_in_time_are_refused_and_leave_nothing_behind(
    parts: Parts, client: httpx.AsyncClient, party: Party
) -> None:
    ids = [await uploaded_id(client, party) for _ in range(3)]
    async with parts.database.transaction() as tx:
        models = {one: await operations.get_model(tx, caller_of(party), one) for one in ids}
    marks = [InputMark.from_json(one) for one in PORTFOLIO_VARIABLES]
    order = BatchOrder(
        "Stress",
        [
            Scenario(f"Scenario {index}", RunOrder(one, 1_000, marks, ["B16", "B18"], [0.95], None), index)
            for index, one in enumerate(ids)
        ],
        7,
    )
    # No workbook is read in that time, and there is one place for a child.
    hasty = Inspector(children_max=1, batch_seconds_max=0.001)
    with pytest.raises(BatchTooLong) as refused:
        await batch_flows.plan_batch(replace(parts.workshop, inspector=hasty), order, models, 7)
    assert refused.value.message.startswith("Scenario 0 ('Scenario 0'): after 0.001 seconds")
    assert refused.value.members == {"scenario_index": 0, "planned_count": 0}
    # That place is free again.
    workbook = await local_workbook(parts.workshop, models[ids[0]])
    assert await hasty.plan_run(workbook, 10_000_000, marks, ["B16", "B18"], 7, pointers=())
    planned = await batch_flows.plan_batch(parts.workshop, order, models, 7)
    assert [one.outputs[0]["cell"] for one in planned] == ["Risk!B16"] * 3
