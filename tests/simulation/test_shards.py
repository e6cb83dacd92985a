"""Cutting, merging, and who is computed next."""

import itertools
import math
from datetime import datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.parties import make_party
from tests.simulation.conftest import Rows

from tollway.kit.db import Database
from tollway.kit.jobs import count_waiting_jobs
from tollway.plans.entities import SubscriptionStatus
from tollway.simulation import shard_store, shards, store
from tollway.simulation.entities import ClaimedShard, RunStatus

LIVE = [{"count": 10, "error_count": 0, "mean": 1.0, "squares": 0.5, "frequencies": [10]}]


@given(
    iterations=st.integers(1_000, 100_000_000),
    seconds=st.floats(1e-9, 1e-1),
    output_count=st.integers(1, 100),
)
def test_a_run_is_cut_without_gap_or_overlap_into_few_shards_of_whole_blocks(
    iterations: int, seconds: float, output_count: int
) -> None:
    cuts = shards.cut(iterations, seconds, output_count)
    assert 1 <= len(cuts) <= shards.SHARDS_MAX
    assert cuts[0].first_iteration == 0
    for one, following in itertools.pairwise(cuts):
        assert one.first_iteration + one.iteration_count == following.first_iteration
        assert one.iteration_count % shards.BLOCK_ITERATIONS == 0
    assert cuts[-1].first_iteration + cuts[-1].iteration_count == iterations


def test_a_shard_of_a_long_run_takes_about_a_third_of_a_second() -> None:
    cuts = shards.cut(1_000_000, 1e-5, 1)
    assert 0.2 <= cuts[0].iteration_count * 1e-5 <= 0.4


@given(st.lists(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30), min_size=1, max_size=6))
def test_what_shards_saw_adds_up_to_what_the_whole_run_saw(parts: list[list[float]]) -> None:
    seen: list[dict[str, object]] = []
    for part in parts:
        values = np.array(part)
        later = {
            "count": len(part),
            "error_count": 1,
            "mean": float(values.mean()),
            "squares": float(np.square(values - values.mean()).sum()),
            "frequencies": [len(part)],
        }
        seen = shards.merged(seen, [later])
    whole = np.concatenate([np.array(part) for part in parts])
    (one,) = seen
    assert one["count"] == whole.size
    assert one["error_count"] == len(parts)
    assert one["frequencies"] == [whole.size]
    assert one["mean"] == pytest.approx(float(whole.mean()), rel=1e-9, abs=1e-6)
    assert one["squares"] == pytest.approx(float(np.square(whole - whole.mean()).sum()), rel=1e-6, abs=1e-3)
    error = shards.standard_error(one)
    if whole.size < 2:
        assert error is None
    else:
        assert error == pytest.approx(float(whole.std(ddof=1)) / math.sqrt(whole.size), rel=1e-6, abs=1e-4)


def test_numbers_too_large_to_be_added_up_leave_the_mean_open() -> None:
    huge = [{"count": 2, "error_count": 0, "mean": None, "squares": None, "frequencies": [2]}]
    (one,) = shards.merged(LIVE, huge)
    assert one["mean"] is None
    assert one["count"] == 12
    assert shards.standard_error(one) is None


async def claimed(database: Database, now: datetime) -> tuple[int, ClaimedShard] | None:
    async with database.transaction() as tx:
        found = await shards.claim_next_shard(tx, now)
    return None if found is None else (found[0].customer_id, found[1])


@pytest.mark.promise("X11")
async def test_a_short_run_does_not_wait_for_another_customers_long_one(
    database: Database, rows: Rows, now: datetime
) -> None:
    many = await make_party(database, now, tier="enterprise", status=SubscriptionStatus.ACTIVE)
    few = await make_party(database, now)
    long_run = await rows.run(
        many, await rows.model(many, now), now, iterations=10_000_000, seconds_per_iteration=1e-5
    )
    first = await claimed(database, now)
    assert first is not None
    assert first[0] == many.customer_id
    short_run = await rows.run(few, await rows.model(few, now), now, iterations=10_000)

    moment, taken = now, []
    for _ in range(6):
        moment += timedelta(seconds=1)
        found = await claimed(database, moment)
        assert found is not None
        taken.append(found[0])
        async with database.transaction() as tx:
            assert await shards.complete_shard(tx, found[1], LIVE, moment)
    # The short run's three shards wait for one of the long one's at most, though that one weighs four times as much.
    assert taken[:4].count(few.customer_id) == 3
    async with database.transaction() as tx:
        assert not await shard_store.has_unfinished_shards(tx, short_run.id)
        assert await shard_store.has_unfinished_shards(tx, long_run.id)


async def test_a_customers_older_run_goes_first(database: Database, rows: Rows, now: datetime) -> None:
    party = await make_party(database, now)
    model = await rows.model(party, now)
    older = await rows.run(party, model, now)
    await rows.run(party, model, now)
    async with database.transaction() as tx:
        found = await shards.claim_next_shard(tx, now)
    assert found is not None
    assert found[0].id == older.id
    assert found[0].status is RunStatus.RUNNING
    assert found[0].started_at == now


async def test_two_workers_never_hold_the_same_shard(database: Database, rows: Rows, now: datetime) -> None:
    party = await make_party(database, now)
    await rows.run(party, await rows.model(party, now), now, iterations=10_000)
    async with database.transaction() as one, database.transaction() as two:
        first = await shards.claim_next_shard(one, now)
        # The first has not committed yet, so its shard is skipped, not waited for.
        run_id = first[0].id if first else 0
        second = await shard_store.claim_shard(two, run_id, now, shards.LEASE, shards.ATTEMPTS_MAX)
    assert first is not None
    assert second is not None
    assert first[1].shard_index != second.shard_index


async def test_a_dead_workers_shard_is_computed_by_another_and_counted_once(
    database: Database, rows: Rows, now: datetime
) -> None:
    party = await make_party(database, now)
    run = await rows.run(party, await rows.model(party, now), now, iterations=4_000)
    dead = await claimed(database, now)
    assert dead is not None
    assert await claimed(database, now + timedelta(seconds=1)) is None, "the lease holds"

    later = now + shards.LEASE + timedelta(seconds=1)
    taken = await claimed(database, later)
    assert taken is not None
    assert taken[1].shard_index == dead[1].shard_index
    assert taken[1].blob != dead[1].blob
    async with database.transaction() as tx:
        assert await shards.complete_shard(tx, taken[1], LIVE, later)
    # The first was only slow: its late result is no longer wanted.
    async with database.transaction() as tx:
        assert not await shards.complete_shard(tx, dead[1], LIVE, later)
        found = await store.find_run_by_id(tx, run.id)
        blobs = await shard_store.list_shard_blobs(tx, run.id)
        discarded = await tx.list_rows("SELECT name FROM discarded_blobs WHERE name LIKE 'shards/%%'")
    assert found is not None
    assert found.iterations_completed == 4_000
    assert found.live == LIVE
    assert blobs == [taken[1].blob]
    assert [row["name"] for row in discarded] == [dead[1].blob]


async def test_a_renewed_lease_keeps_others_away(database: Database, rows: Rows, now: datetime) -> None:
    party = await make_party(database, now)
    await rows.run(party, await rows.model(party, now), now, iterations=4_000)
    held = await claimed(database, now)
    assert held is not None
    later = now + shards.LEASE - timedelta(seconds=1)
    async with database.transaction() as tx:
        assert await shards.renew_claim(tx, held[1], later)
    assert await claimed(database, now + shards.LEASE + timedelta(seconds=1)) is None


async def test_the_last_shard_sends_for_the_summary(database: Database, rows: Rows, now: datetime) -> None:
    party = await make_party(database, now)
    await rows.run(party, await rows.model(party, now), now, iterations=8_000)
    waiting = []
    for _ in range(2):
        found = await claimed(database, now)
        assert found is not None
        async with database.transaction() as tx:
            await shards.complete_shard(tx, found[1], LIVE, now)
            waiting.append(await count_waiting_jobs(tx, shards.SUMMARIZE_JOB))
    assert waiting == [0, 1]


async def test_shards_without_a_job_get_one_again(database: Database, rows: Rows, now: datetime) -> None:
    party = await make_party(database, now)
    await rows.run(party, await rows.model(party, now), now, iterations=8_000)
    held = await claimed(database, now)
    assert held is not None
    async with database.transaction() as tx:
        assert await count_waiting_jobs(tx, shards.NEXT_SHARD_JOB) == 2
        # A worker took both jobs and died; one of its shards was claimed.
        await tx.execute("DELETE FROM pgqueuer WHERE entrypoint = 'simulation.next_shard'")
        assert await shards.enqueue_missing_jobs(tx, now) == 1
        assert await shards.enqueue_missing_jobs(tx, now) == 0
        assert await shards.enqueue_missing_jobs(tx, now + shards.LEASE * 2) == 1
        assert await count_waiting_jobs(tx, shards.NEXT_SHARD_JOB) == 2
