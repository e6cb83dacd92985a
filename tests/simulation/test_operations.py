"""Limits, cancellation and failure, on rows alone."""

import asyncio
from datetime import datetime, timedelta

import pytest
from tests.parties import make_party
from tests.simulation.conftest import Rows, caller_of
from tests.simulation.test_shards import LIVE

from tollway.customers.entities import Mode
from tollway.kit.db import Database
from tollway.kit.jobs import count_waiting_jobs
from tollway.metering import operations as metering
from tollway.plans import operations as plans
from tollway.plans.entities import SubscriptionStatus
from tollway.simulation import ending_operations, operations, shard_store, shards, store
from tollway.simulation.entities import (
    ModelHasRuns,
    ModelNotFound,
    RunFailed,
    RunIsOver,
    RunNotFinished,
    RunNotFound,
    RunsAtOnce,
    RunStatus,
    credits_of,
)


@pytest.mark.parametrize(
    ("iterations", "file_bytes", "formulas", "expected"),
    [
        (1_000, 10_000, 11, 2),
        (10_000, 1_000_000, 150, 11),
        (100_000, 10_000_000, 5_000, 151),
        (999, 0, 0, 2),
    ],
)
@pytest.mark.promise("X23")
def test_credits_follow_the_additive_rule(
    iterations: int, file_bytes: int, formulas: int, expected: int
) -> None:
    assert credits_of(iterations, file_bytes, formulas) == expected


@pytest.mark.promise("X11")
async def test_parallel_calls_never_pass_the_runs_at_once(
    database: Database, rows: Rows, now: datetime
) -> None:
    party = await make_party(database, now)
    model = await rows.model(party, now)
    answers = await asyncio.gather(*(rows.run(party, model, now) for _ in range(8)), return_exceptions=True)
    refused = [one for one in answers if isinstance(one, RunsAtOnce)]
    assert len(refused) == 6
    assert len(answers) - len(refused) == 2
    assert refused[0].retry_after_seconds is not None
    assert refused[0].retry_after_seconds >= 1
    assert refused[0].members["limit_value"] == 2


async def test_a_cancelled_run_makes_room_for_another(database: Database, rows: Rows, now: datetime) -> None:
    party = await make_party(database, now)
    model = await rows.model(party, now)
    first = await rows.run(party, model, now)
    await rows.run(party, model, now)
    async with database.transaction() as tx:
        await operations.cancel_run(tx, caller_of(party), first.public_id, now)
    assert (await rows.run(party, model, now)).status is RunStatus.QUEUED


async def test_a_cancelled_run_keeps_what_was_done_and_drops_the_rest(
    database: Database, rows: Rows, now: datetime
) -> None:
    """Fault 8: a cancel changed a label only."""
    party = await make_party(database, now)
    run = await rows.run(party, await rows.model(party, now), now, iterations=12_000)
    async with database.transaction() as tx:
        done = await shards.claim_next_shard(tx, now)
        held = await shards.claim_next_shard(tx, now)
    assert done is not None
    assert held is not None
    async with database.transaction() as tx:
        await shards.complete_shard(tx, done[1], LIVE, now)
        cancelled = await operations.cancel_run(tx, caller_of(party), run.public_id, now)
    assert cancelled.status is RunStatus.CANCELLED
    assert cancelled.iterations_completed == 4_096
    async with database.transaction() as tx:
        assert await shards.claim_next_shard(tx, now + timedelta(hours=1)) is None
        assert not await shards.complete_shard(tx, held[1], LIVE, now), "what was under way no longer matters"
        assert await shard_store.list_shard_blobs(tx, run.id) == [done[1].blob]
        assert await count_waiting_jobs(tx, shards.SUMMARIZE_JOB) == 1
        with pytest.raises(RunIsOver):
            await operations.cancel_run(tx, caller_of(party), run.public_id, now)


async def test_results_are_refused_until_the_summary_is_made(
    database: Database, rows: Rows, now: datetime
) -> None:
    party = await make_party(database, now)
    run = await rows.run(party, await rows.model(party, now), now)
    async with database.transaction() as tx:
        with pytest.raises(RunNotFinished):
            await operations.get_finished_run(tx, caller_of(party), run.public_id)
        assert await ending_operations.finish_run(tx, run.id, [], now)
        assert not await ending_operations.finish_run(tx, run.id, [{}], now), (
            "the second summary changes nothing"
        )
        found = await operations.get_finished_run(tx, caller_of(party), run.public_id)
        assert found.status is RunStatus.COMPLETED
        assert found.results == []
        assert await metering.has_event(tx, party.customer_id, "first_result")


@pytest.mark.promise("X11")
async def test_a_run_that_fails_by_our_fault_gives_its_request_back_once(
    database: Database, rows: Rows, now: datetime
) -> None:
    """Fault 9: quotas never counted."""
    party = await make_party(database, now)
    async with database.transaction() as tx:
        entitlement = await plans.get_entitlement(tx, party.customer_id, "montecarlo", now)
        quota = await plans.get_quota(tx, entitlement, Mode.TEST, now)
        await metering.use_units(tx, quota, 3, now=now)
    run = await rows.run(party, await rows.model(party, now), now, quota_id=quota.id)
    failed = []
    for _ in range(2):
        async with database.transaction() as tx:
            failed.append(await ending_operations.fail_run(tx, run.id, "It broke.", now))
    assert failed == [True, False]
    async with database.transaction() as tx:
        assert (await plans.get_quota(tx, entitlement, Mode.TEST, now)).requests_used == 2
        units = await tx.list_rows("SELECT units FROM api_usage_logs")
        assert [row["units"] for row in units] == [-1]
        with pytest.raises(RunFailed, match="It broke"):
            await operations.get_finished_run(tx, caller_of(party), run.public_id)


async def test_a_model_with_runs_goes_only_together_with_them(
    database: Database, rows: Rows, now: datetime
) -> None:
    party = await make_party(database, now)
    model = await rows.model(party, now)
    run = await rows.run(party, model, now)
    async with database.transaction() as tx:
        claimed = await shards.claim_next_shard(tx, now)
        assert claimed is not None
        await shards.complete_shard(tx, claimed[1], LIVE, now)
    async with database.transaction() as tx:
        with pytest.raises(ModelHasRuns):
            await operations.delete_model(tx, caller_of(party), model, delete_runs=False, now=now)
    async with database.transaction() as tx:
        assert await operations.delete_model(tx, caller_of(party), model, delete_runs=True, now=now) == 1
        with pytest.raises(ModelNotFound):
            await operations.get_model(tx, caller_of(party), model)
        with pytest.raises(RunNotFound):
            await operations.get_run(tx, caller_of(party), run.public_id)
        discarded = await tx.list_rows("SELECT name FROM discarded_blobs ORDER BY name")
    assert [row["name"] for row in discarded] == [
        claimed[1].blob,
        f"workbooks/{party.customer_id}/{model}",
    ]


async def test_a_model_of_the_other_mode_is_not_there(database: Database, rows: Rows, now: datetime) -> None:
    party = await make_party(database, now, tier="starter", status=SubscriptionStatus.ACTIVE)
    model = await rows.model(party, now)
    run = await rows.run(party, model, now)
    async with database.transaction() as tx:
        with pytest.raises(ModelNotFound):
            await operations.get_model(tx, caller_of(party, Mode.LIVE), model)
        with pytest.raises(RunNotFound):
            await operations.get_run(tx, caller_of(party, Mode.LIVE), run.public_id)
        assert (await operations.list_models(tx, caller_of(party, Mode.LIVE), None, 20)).items == []
        assert (await operations.list_runs(tx, caller_of(party, Mode.LIVE), None, 20)).items == []


async def test_lists_are_paged_newest_first(database: Database, rows: Rows, now: datetime) -> None:
    party = await make_party(database, now)
    models = [await rows.model(party, now) for _ in range(5)]
    seen, cursor = [], None
    async with database.transaction() as tx:
        while True:
            page = await operations.list_models(tx, caller_of(party), cursor, 2)
            seen += [one.public_id for one in page.items]
            cursor = page.next_cursor
            if cursor is None:
                break
    assert seen == models[::-1]


async def test_deleting_a_model_waits_for_the_shard_that_is_being_completed(
    database: Database, rows: Rows, now: datetime
) -> None:
    """Each locks the run before its shards; the other way round PostgreSQL would end one of the two."""
    party = await make_party(database, now)
    model = await rows.model(party, now)
    run = await rows.run(party, model, now)
    async with database.transaction() as tx:
        claimed = await shards.claim_next_shard(tx, now)
    assert claimed is not None

    async def delete() -> int:
        async with database.transaction() as tx:
            return await operations.delete_model(tx, caller_of(party), model, delete_runs=True, now=now)

    async with database.transaction() as tx:
        assert await store.find_run_by_id(tx, run.id, lock=True)
        deleting = asyncio.create_task(delete())
        await until_one_waits(database)
        assert await shards.complete_shard(tx, claimed[1], LIVE, now)
    assert await deleting == 1


async def until_one_waits(database: Database) -> None:
    """Wait until another transaction waits for a lock."""
    while True:
        async with database.transaction() as tx:
            if await tx.find_value("SELECT count(*) FROM pg_locks WHERE NOT granted"):
                return
        await asyncio.sleep(0.02)
