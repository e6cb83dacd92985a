"""Goal seeks over HTTP: asked, computed a few trials at a time, told, failed and given back, gone with their model."""

import asyncio
import os
import signal
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.parties import Party, make_party
from tests.simulation import workbooks
from tests.simulation.conftest import API, Rows, caller_of, uploaded_id, wait_until, working

from tollway.app import Parts, build_registry
from tollway.engine import Input, parse_distribution, read_workbook
from tollway.engine.goal_seek import SEEK_ITERATIONS_MAX as ENGINE_ITERATIONS_MAX
from tollway.engine.goal_seek import (
    TOLERANCE_DEFAULT,
    GoalSeek,
    build_seek_program,
    parse_statistic,
    seek_goal,
)
from tollway.kit.blobs import Blobs
from tollway.kit.clock import read_now
from tollway.kit.db import Database
from tollway.kit.jobs import count_waiting_jobs
from tollway.plans import operations as plans
from tollway.plans.entities import SubscriptionStatus
from tollway.simulation import goal_seek_operations, retention
from tollway.simulation.goal_seek_operations import ATTEMPTS_MAX, LEASE, SEEK_JOB
from tollway.simulation.seeking import make_trials, seek_task
from tollway.simulation.studies import SEEK_ITERATIONS_MAX, SEEK_TOLERANCE_OFFERED, GoalSeekRecord

CONFIG: dict[str, Any] = {
    "iterations": 4_096,
    "variables": workbooks.PORTFOLIO_VARIABLES,
    "seed": 7,
}


def seek_body(model_id: str, **members: Any) -> dict[str, Any]:
    return {
        "model_id": model_id,
        "cell": "B7",
        "low": 500_000,
        "high": 2_000_000,
        "output_cell": "B16",
        "statistic": "p5",
        "goal": 1_000_000,
        "simulation_config": CONFIG,
    } | members


async def ask(
    client: httpx.AsyncClient, party: Party, body: dict[str, Any], **headers: str
) -> httpx.Response:
    return await client.post(f"{API}/goal-seeks", headers=party.headers | headers, json=body)


async def answered(client: httpx.AsyncClient, party: Party, goal_seek_id: str) -> dict[str, Any]:
    url = f"{API}/goal-seeks/{goal_seek_id}"

    async def over() -> bool:
        status = (await client.get(url, headers=party.headers)).json()["status"]
        return status in ("completed", "failed")

    await wait_until(over)
    return dict((await client.get(url, headers=party.headers)).json())


async def units_used(parts: Parts) -> int:
    async with parts.database.transaction() as tx:
        return int(await tx.find_value("SELECT coalesce(sum(requests_used), 0) FROM usage_quotas"))


def test_the_bounds_are_those_of_the_engine() -> None:
    assert SEEK_ITERATIONS_MAX == ENGINE_ITERATIONS_MAX
    assert SEEK_TOLERANCE_OFFERED == TOLERANCE_DEFAULT


async def test_the_answer_is_the_librarys_and_names_what_was_left_open(
    parts: Parts, client: httpx.AsyncClient, party: Party, tmp_path: Path
) -> None:
    model = await uploaded_id(client, party)
    before = await units_used(parts)
    made = await ask(client, party, seek_body(model))
    assert made.status_code == 202, made.text
    assert made.json()["goal_seek_id"].startswith("gsk_")
    assert (made.json()["status"], made.json()["seed"]) == ("queued", 7)
    assert await units_used(parts) == before + 1
    async with working(parts):
        told = await answered(client, party, made.json()["goal_seek_id"])
    assert (told["status"], told["failure"]) == ("completed", None)
    question = told["question"]
    assert (question["cell"], question["cell_name"]) == ("Risk!B7", "Invested")
    assert (question["output"], question["output_name"]) == ("Risk!B16", "Final value")
    assert [one["cell"] for one in question["variables"]] == ["Risk!B4", "Risk!B5", "Risk!B6"]

    book = read_workbook(workbooks.write(tmp_path / "model.xlsx", workbooks.portfolio()))
    inputs = [
        Input(one["cell"], parse_distribution(one["distribution"])) for one in workbooks.PORTFOLIO_VARIABLES
    ]
    seek = GoalSeek("B7", 500_000, 2_000_000, "B16", parse_statistic("p5"), 1_000_000)
    expected = seek_goal(build_seek_program(book, inputs, seek), seek, iterations=4_096, seed=7)
    answer = told["answer"]
    assert answer["outcome"] == "found"
    assert (answer["value"], answer["statistic"]) == (expected.value, expected.statistic)
    assert answer["value_standard_error"] == expected.value_standard_error
    assert len(answer["trials"]) == len(expected.trials)
    listed = (await client.get(f"{API}/goal-seeks?model_id={model}", headers=party.headers)).json()
    assert [one["goal_seek_id"] for one in listed["goal_seeks"]] == [told["goal_seek_id"]]


async def test_an_input_a_probability_stress_and_correlation_are_taken(
    parts: Parts, client: httpx.AsyncClient, party: Party
) -> None:
    model = await uploaded_id(client, party)
    config = CONFIG | {
        "stress": [{"cell": "B6", "percentiles": [90, 100]}],
        "correlations": [{"cells": ["B4", "B6"], "correlation": 0.5}],
        "sampling": "latin_hypercube",
        "iterations": 1_000,
    }
    body = seek_body(
        model, cell="B5", low=0, high=0.2, statistic="probability", at_or_below=1_000_000, goal=0.05,
        simulation_config=config,
    )  # fmt: skip
    made = await ask(client, party, body)
    assert made.status_code == 202, made.text
    async with working(parts):
        told = await answered(client, party, made.json()["goal_seek_id"])
    assert told["question"]["stress"] == [{"cell": "Risk!B6", "percentiles": [90.0, 100.0]}]
    assert told["question"]["correlations"]["cells"] == ["Risk!B4", "Risk!B6"]
    assert told["answer"]["outcome"] == "found"
    assert told["answer"]["statistic"] == pytest.approx(0.05, abs=0.002)


async def test_slices_of_a_search_go_on_where_the_last_one_ended(
    parts: Parts, client: httpx.AsyncClient, party: Party
) -> None:
    model = await uploaded_id(client, party)
    made = (await ask(client, party, seek_body(model))).json()
    async with parts.database.transaction() as tx:
        record = await goal_seek_operations.get_goal_seek(tx, caller_of(party), made["goal_seek_id"])
        stored = await tx.list_rows("SELECT workbook_blob, workbook_sha256 FROM models")
    path = await parts.workshop.copies.get(stored[0]["workbook_blob"], bytes(stored[0]["workbook_sha256"]))
    whole = make_trials(seek_task(path, b"", record, []))
    assert whole.answer is not None
    part = make_trials(seek_task(path, b"", record, whole.trials[:3]))
    assert part.answer == whole.answer
    assert part.trials == whole.trials


async def test_a_repeated_request_asks_once(parts: Parts, client: httpx.AsyncClient, party: Party) -> None:
    model = await uploaded_id(client, party)
    body = seek_body(model)
    first, second = [await ask(client, party, body, **{"Idempotency-Key": "one"}) for _ in range(2)]
    assert first.json() == second.json()
    async with parts.database.transaction() as tx:
        assert await tx.find_value("SELECT count(*) FROM goal_seeks") == 1
    other = await ask(client, party, body | {"goal": 2}, **{"Idempotency-Key": "one"})
    assert other.status_code == 409


async def test_no_more_searches_wait_than_the_plan_has_runs_at_once(
    parts: Parts, client: httpx.AsyncClient, party: Party
) -> None:
    model = await uploaded_id(client, party)
    for _ in range(2):
        assert (await ask(client, party, seek_body(model))).status_code == 202
    before = await units_used(parts)
    refused = await ask(client, party, seek_body(model))
    assert (refused.status_code, refused.json()["code"]) == (429, "goal-seeks-at-once")
    assert await units_used(parts) == before


@pytest.mark.parametrize(
    ("change", "status", "code", "pointer"),
    [
        ({"low": 3, "high": 2}, 422, "bad-goal-seek", "/high"),
        ({"low": "3"}, 422, "invalid-input", "/low"),
        ({"goal": None}, 422, "invalid-input", "/goal"),
        ({"statistic": "median"}, 422, "bad-goal-seek", "/statistic"),
        ({"statistic": "probability"}, 422, "bad-goal-seek", "/at_or_below"),
        ({"statistic": "probability", "at_or_below": 1.0, "goal": 5}, 422, "bad-goal-seek", "/goal"),
        ({"at_or_below": 4}, 422, "bad-goal-seek", "/at_or_below"),
        ({"tolerance": 0.5}, 422, "bad-goal-seek", "/tolerance"),
        ({"cell": "B10"}, 422, "bad-input-cell", "/cell"),
        ({"cell": "A4"}, 422, "bad-input-cell", "/cell"),
        ({"cell": "Other!B7"}, 422, "bad-input-cell", "/cell"),
        ({"output_cell": "B7"}, 422, "bad-output-cell", "/output_cell"),
        ({"simulation_config": CONFIG | {"iterations": 200_001}}, 422, "invalid-input",
         "/simulation_config/iterations"),
        ({"simulation_config": CONFIG | {"iterations": 999}}, 422, "invalid-input", "/simulation_config/iterations"),
        ({"simulation_config": CONFIG | {"variables": []}}, 422, "nothing-marked", "/simulation_config/variables"),
        ({"simulation_config": CONFIG | {"stress": [{"cell": "B7", "percentiles": [0, 5]}]}}, 422, "bad-stress",
         "/simulation_config/stress/0/cell"),
        ({"simulation_config": CONFIG | {"stress": [{"cell": "B9", "percentiles": [0, 5]}]}}, 422, "bad-stress",
         "/simulation_config/stress/0/cell"),
        ({"simulation_config": CONFIG | {"correlations": [{"cells": ["B4", "B7"], "correlation": 0.5}]}}, 422,
         "bad-correlation", "/simulation_config/correlations"),
        ({"simulation_config": CONFIG | {"correlations": [{"cells": ["B4", "B5"], "correlation": 2}]}}, 422,
         "bad-correlation", "/simulation_config/correlations/0/correlation"),
        ({"simulation_config": CONFIG | {"variables": [{"cell": "B4", "distribution": {"type": "x"}}]}}, 422,
         "bad-distribution", "/simulation_config/variables/0/distribution/type"),
        ({"surprise": 1}, 422, "invalid-input", "/surprise"),
        ({"model_id": "mdl_0"}, 404, "model-not-found", None),
    ],
)  # fmt: skip
async def test_what_cannot_be_sought_is_refused_by_its_field(
    parts: Parts,
    client: httpx.AsyncClient,
    party: Party,
    change: dict[str, Any],
    status: int,
    code: str,
    pointer: str | None,
) -> None:
    model = await uploaded_id(client, party)
    before = await units_used(parts)
    refused = await ask(client, party, seek_body(model) | change)
    assert (refused.status_code, refused.json()["code"]) == (status, code), refused.text
    if pointer is not None:
        assert refused.json()["errors"][0]["pointer"] == pointer
    assert await units_used(parts) == before


async def test_a_search_whose_trials_take_too_long_is_refused_with_how_many_iterations_fit(
    parts: Parts, client: httpx.AsyncClient
) -> None:
    # Several times what is allowed, on any machine.
    party = await make_party(parts.database, read_now(), tier="enterprise", status=SubscriptionStatus.ACTIVE)
    model = await uploaded_id(client, party, workbooks.chain(8_000))
    distribution = {"type": "normal", "mean": 1, "std": 0.1}
    config = {"iterations": 200_000, "variables": [{"cell": "B1", "distribution": distribution}]}
    body = seek_body(model, cell="B1", low=0, high=2, output_cell="C8000", statistic="mean", goal=3)
    refused = await ask(client, party, body | {"simulation_config": config})
    assert (refused.status_code, refused.json()["code"]) == (422, "goal-seek-too-long"), refused.text
    assert refused.json()["errors"][0]["pointer"] == "/simulation_config/iterations"
    assert 0 < refused.json()["iterations_max"] < 200_000


async def test_a_search_that_fails_three_times_is_told_and_given_back(
    parts: Parts, client: httpx.AsyncClient, party: Party
) -> None:
    model = await uploaded_id(client, party)
    before = await units_used(parts)
    made = (await ask(client, party, seek_body(model))).json()
    # Its workbook is lost, by our fault.
    async with parts.database.transaction() as tx:
        blob = str(await tx.find_value("SELECT workbook_blob FROM models"))
        await tx.execute("UPDATE models SET workbook_sha256 = '\\x00'::bytea")
    blobs: Blobs = parts.blobs
    await blobs.delete(blob)
    assert await units_used(parts) == before + 1
    async with working(parts):
        told = await answered(client, party, made["goal_seek_id"])
    assert (told["status"], told["answer"]) == ("failed", None)
    assert told["failure"]["code"] == "goal-seek-failed"
    assert await units_used(parts) == before
    async with parts.database.transaction() as tx:
        assert await tx.find_value("SELECT attempt_count FROM goal_seeks") == ATTEMPTS_MAX
        given_back = "SELECT units FROM api_usage_logs WHERE problem_code = 'goal-seek-failed'"
        assert await tx.find_value(given_back) == -1


async def test_attempts_of_workers_that_died_end_the_search_after_the_third(
    parts: Parts, client: httpx.AsyncClient, party: Party
) -> None:
    model = await uploaded_id(client, party)
    await ask(client, party, seek_body(model))
    async with parts.database.transaction() as tx:
        goal_seek_id = int(await tx.find_value("SELECT id FROM goal_seeks"))
    for attempt in range(ATTEMPTS_MAX):
        async with parts.database.transaction() as tx:
            record = await goal_seek_operations.begin_attempt(tx, goal_seek_id, read_now())
            assert record is not None
            assert record.attempt_count == attempt + 1
    async with parts.database.transaction() as tx:
        await goal_seek_operations.put_off_attempt(tx, record)
        record = await goal_seek_operations.begin_attempt(tx, goal_seek_id, read_now())
        assert record is not None, "an attempt that was put off does not count"
        assert await goal_seek_operations.begin_attempt(tx, goal_seek_id, read_now()) is None
        assert await tx.find_value("SELECT status FROM goal_seeks") == "failed"
        assert not await goal_seek_operations.finish_goal_seek(
            tx, goal_seek_id, {"outcome": "found"}, read_now()
        )


async def test_searches_belong_to_their_customer_and_go_with_their_model(
    parts: Parts, client: httpx.AsyncClient, party: Party, other: Party
) -> None:
    model = await uploaded_id(client, party)
    made = (await ask(client, party, seek_body(model))).json()
    url = f"{API}/goal-seeks/{made['goal_seek_id']}"
    assert (await client.get(url)).status_code == 401
    hidden = await client.get(url, headers=other.headers)
    assert (hidden.status_code, hidden.json()["code"]) == (404, "goal-seek-not-found")
    assert (await client.get(f"{API}/goal-seeks", headers=other.headers)).json()["goal_seeks"] == []
    listed = await client.get(f"{API}/goal-seeks?model_id={model}", headers=other.headers)
    assert listed.status_code == 404
    kept = await client.delete(f"{API}/models/{model}", headers=party.headers)
    assert (kept.status_code, kept.json()["code"]) == (409, "model-has-runs")
    assert (kept.json()["runs_count"], kept.json()["goal_seeks_count"]) == (0, 1)
    gone = await client.delete(f"{API}/models/{model}?delete_runs=true", headers=party.headers)
    assert gone.status_code == 200
    assert (await client.get(url, headers=party.headers)).status_code == 404


async def test_a_search_is_kept_as_long_as_results_are(
    parts: Parts, client: httpx.AsyncClient, party: Party
) -> None:
    model = await uploaded_id(client, party)
    made = (await ask(client, party, seek_body(model))).json()
    later = read_now() + timedelta(days=400)
    async with parts.database.transaction() as tx:
        assert await retention.end(tx, "http://localhost", later) == 0, "what is under way waits"
    async with working(parts):
        await answered(client, party, made["goal_seek_id"])
    async with parts.database.transaction() as tx:
        assert await retention.end(tx, "http://localhost", later) == 2
        assert await tx.find_value("SELECT count(*) FROM goal_seeks") == 0
        mail = str(await tx.find_value("SELECT text_body FROM outbox_mails ORDER BY id DESC LIMIT 1"))
    assert f"the goal seek {made['goal_seek_id']}" in mail


async def test_a_killed_process_is_replaced_and_the_search_made_again(
    parts: Parts, client: httpx.AsyncClient, party: Party
) -> None:
    model = await uploaded_id(client, party, workbooks.chain(300))
    variables = [{"cell": "B1", "distribution": {"type": "normal", "mean": 1, "std": 0.1}}]
    body = seek_body(
        model, cell="B1", low=0, high=5, output_cell="C300", statistic="mean", goal=6.0, tolerance=1e-9,
        simulation_config={"iterations": 100_000, "seed": 7, "variables": variables},
    )  # fmt: skip
    made = await ask(client, party, body)
    assert made.status_code == 202, made.text

    async def has_begun() -> bool:
        async with parts.database.transaction() as tx:
            begun = "SELECT count(*) FROM goal_seeks WHERE status = 'running'"
            return bool(await tx.find_value(begun)) and bool(parts.processes.process_ids)

    async with working(parts):
        await wait_until(has_begun)
        for pid in parts.processes.process_ids:
            os.kill(pid, signal.SIGKILL)
        told = await answered(client, party, made.json()["goal_seek_id"])
    assert told["status"] == "completed", told["failure"]
    async with parts.database.transaction() as tx:
        assert await tx.find_value("SELECT attempt_count FROM goal_seeks") == 2


async def test_a_search_whose_job_was_lost_is_sent_for_by_the_sweep(
    parts: Parts, client: httpx.AsyncClient, party: Party
) -> None:
    model = await uploaded_id(client, party)
    made = (await ask(client, party, seek_body(model))).json()
    sweep = build_registry(parts).schedules["simulation.sweep"][1]
    async with parts.database.transaction() as tx:
        await tx.execute("DELETE FROM pgqueuer")
    await sweep({})
    async with parts.database.transaction() as tx:
        assert await count_waiting_jobs(tx, SEEK_JOB) == 0, "it was asked a moment ago"
        await tx.execute("UPDATE goal_seeks SET created_at = created_at - interval '11 minutes'")
    for _ in range(2):
        await sweep({})
    async with parts.database.transaction() as tx:
        assert await count_waiting_jobs(tx, SEEK_JOB) == 1
    async with working(parts):
        assert (await answered(client, party, made["goal_seek_id"]))["status"] == "completed"

    async with parts.database.transaction() as tx:
        await tx.execute("UPDATE goal_seeks SET status = 'running', claimed_until = now() - interval '1 s'")
        await tx.execute("DELETE FROM pgqueuer")
    await sweep({})
    async with parts.database.transaction() as tx:
        assert await count_waiting_jobs(tx, SEEK_JOB) == 1, "its worker is gone"


# --- turns ------------------------------------------------------------------------------------------


async def asked(rows: Rows, party: Party, now: datetime) -> GoalSeekRecord:
    """A search that waits, written as the operation writes it."""
    model = await rows.model(party, now)
    async with rows.database.transaction() as tx:
        held = await plans.get_entitlement(tx, party.customer_id, "montecarlo", now)
        return await goal_seek_operations.create_goal_seek(
            tx, caller_of(party), model, {}, held, quota_id=None, now=now
        )


async def claimed(database: Database, now: datetime) -> GoalSeekRecord | None:
    async with database.transaction() as tx:
        return await goal_seek_operations.claim_next(tx, now)


async def ended(database: Database, record: GoalSeekRecord, now: datetime, seconds: float = 1.0) -> None:
    async with database.transaction() as tx:
        await goal_seek_operations.count_seconds(tx, record, seconds)
        assert await goal_seek_operations.finish_goal_seek(tx, record.id, {"outcome": "found"}, now)


async def test_one_customer_takes_one_place_and_others_come_by_their_weight(
    database: Database, rows: Rows, now: datetime
) -> None:
    tiers = {"professional": 3, "starter": 1}
    parties = {
        tier: await make_party(database, now, tier=tier, status=SubscriptionStatus.ACTIVE) for tier in tiers
    }
    for tier in ("professional", "professional", "professional", "starter", "starter"):
        await asked(rows, parties[tier], now)
    # Five workers claim at once, and there are five searches.
    found = [one for one in await asyncio.gather(*(claimed(database, now) for _ in range(5))) if one]
    assert sorted(one.customer_id for one in found) == sorted(one.customer_id for one in parties.values())
    for one in found:
        await ended(database, one, now)

    served: Counter[int] = Counter()
    for _ in range(40):
        for party in parties.values():
            await asked(rows, party, now)
        one = await claimed(database, now)
        assert one is not None
        served[one.customer_id] += 1
        await ended(database, one, now)
        # As many wait as before.
        async with database.transaction() as tx:
            await tx.execute(
                """
                DELETE FROM goal_seeks WHERE id = (SELECT max(id) FROM goal_seeks WHERE status = 'queued'
                    AND customer_id <> %(served)s)
                """,
                {"served": one.customer_id},
            )
    shares = {tier: served[party.customer_id] / 40 for tier, party in parties.items()}
    assert shares == pytest.approx({"professional": 3 / 4, "starter": 1 / 4}, abs=0.06)


async def test_a_customers_next_search_is_sent_for_when_their_last_one_ended(
    parts: Parts, client: httpx.AsyncClient, party: Party
) -> None:
    model = await uploaded_id(client, party)
    asked_for = [(await ask(client, party, seek_body(model, goal=goal))).json() for goal in (1e6, 1.1e6)]
    now = read_now()
    first = await claimed(parts.database, now)
    assert first is not None
    async with parts.database.transaction() as tx:
        assert await goal_seek_operations.claim_next(tx, now) is None
        await tx.execute("DELETE FROM pgqueuer")
        await goal_seek_operations.put_off_attempt(tx, first)
        await goal_seek_operations.enqueue_next(tx, first.customer_id)
    # One job is left for the two of them.
    async with working(parts):
        for one in asked_for:
            assert (await answered(client, party, one["goal_seek_id"]))["status"] == "completed"


async def test_what_a_worker_held_that_is_gone_is_claimed_again_after_its_lease(
    database: Database, rows: Rows, party: Party, now: datetime
) -> None:
    await asked(rows, party, now)
    first = await claimed(database, now)
    assert first is not None
    assert await claimed(database, now + LEASE) is None
    async with database.transaction() as tx:
        assert await goal_seek_operations.renew_claim(tx, first, now + LEASE)
    assert await claimed(database, now + LEASE + timedelta(seconds=1)) is None, "it was heard of"
    second = await claimed(database, now + 2 * LEASE + timedelta(seconds=1))
    assert second is not None
    assert (second.id, second.attempt_count) == (first.id, 2)
    async with database.transaction() as tx:
        assert not await goal_seek_operations.renew_claim(tx, first, now)
        await goal_seek_operations.put_off_attempt(tx, first)
        assert await tx.find_value("SELECT status FROM goal_seeks") == "running", (
            "the first one comes too late"
        )
