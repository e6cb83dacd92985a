"""Where a run is cut in shards, what a shard tells about its run, and whose shard is computed next."""

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from tollway.kit.db import Transaction
from tollway.kit.jobs import count_waiting_jobs, enqueue_job, enqueue_jobs
from tollway.simulation import event_operations, shard_store, store
from tollway.simulation.entities import ClaimedShard, Cut, Run

NEXT_SHARD_JOB = "simulation.next_shard"
SUMMARIZE_JOB = "simulation.summarize"
RECLAIM_JOB = "simulation.reclaim"
# Mails and summaries go before shards.
SHARD_PRIORITY = -10
# Renewed three times before it runs out; what a killed worker held is free again after it.
LEASE = timedelta(seconds=30)
ATTEMPTS_MAX = 3
# Beyond this many runs that others hold a shard of, a claimer comes back later.
RUNS_LOOKED_AT_MAX = 50

# The engine evaluates blocks of this many iterations, so a shard is a whole number of them.
BLOCK_ITERATIONS = 4_096
# Long enough that claiming one costs little beside it, short enough that others wait little.
SHARD_SECONDS = 0.3
SHARDS_MIN = 8
SHARDS_MAX = 2_000
# Outputs times iterations of one shard: bounds the memory of a worker process (8 bytes each and an error code).
SHARD_VALUES_MAX = 4_000_000


def cut(iterations: int, seconds_per_iteration: float, output_count: int) -> list[Cut]:
    """Cut a run in shards of about 0.3 seconds, at most 2,000 of them, each a multiple of a block but the last.

    A run that is shorter than that still gets a few shards, so that its progress can be seen.
    """
    blocks = math.ceil(iterations / BLOCK_ITERATIONS)
    by_time = int(SHARD_SECONDS / max(seconds_per_iteration, 1e-12) / BLOCK_ITERATIONS)
    by_memory = SHARD_VALUES_MAX // (max(1, output_count) * BLOCK_ITERATIONS)
    per_shard = max(1, min(by_time, by_memory, blocks // SHARDS_MIN), math.ceil(blocks / SHARDS_MAX))
    length = per_shard * BLOCK_ITERATIONS
    return [Cut(first, min(length, iterations - first)) for first in range(0, iterations, length)]


def merged(earlier: Sequence[dict[str, Any]], later: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add what one shard saw to what earlier ones saw, output by output.

    Each is {count, error_count, mean, squares, frequencies}: `squares` is the sum of squared deviations
    from the mean, `frequencies` counts the values of each bin.

    Source: Chan, Golub and LeVeque 1979, "Updating formulae and a pairwise algorithm".
    """
    if not earlier:
        return [dict(one) for one in later]
    return [_merged_output(left, right) for left, right in zip(earlier, later, strict=True)]


def _merged_output(left: dict[str, Any], right: dict[str, Any]) -> dict[str, Any]:
    count = left["count"] + right["count"]
    whole = {
        "count": count,
        "error_count": left["error_count"] + right["error_count"],
        "mean": None,
        "squares": None,
        "frequencies": [a + b for a, b in zip(left["frequencies"], right["frequencies"], strict=True)],
    }
    # Numbers too large to be added up have no mean, and neither has what they are added to.
    if None not in (left["mean"], right["mean"], left["squares"], right["squares"]):
        difference = right["mean"] - left["mean"]
        share = right["count"] / count if count else 0.0
        whole["mean"] = left["mean"] + difference * share
        whole["squares"] = (
            left["squares"] + right["squares"] + difference * difference * left["count"] * share
        )
    return whole


def standard_error(live: dict[str, Any]) -> float | None:
    """Return how far the running mean may be off, one standard deviation of it; None below two values."""
    count, squares = live["count"], live["squares"]
    if count < 2 or squares is None:
        return None
    return math.sqrt(max(0.0, squares) / (count - 1) / count)


# --- turns ---------------------------------------------------------------------------------------------


async def queue_run(tx: Transaction, customer_id: int, run_id: int, cuts: Sequence[Cut]) -> None:
    """Write the shards of a run, let its customer join those who wait, and defer a job for each shard.

    INVARIANT: who was idle has no credit for it
    (tests/simulation/test_priority.py::test_who_was_idle_hoards_no_credit).
    """
    await shard_store.join_turns(tx, customer_id, ATTEMPTS_MAX)
    await shard_store.insert_shards(tx, run_id, cuts)
    await enqueue_shards(tx, len(cuts))


async def enqueue_shards(tx: Transaction, count: int, *, delay: timedelta = timedelta(0)) -> None:
    """Defer as many jobs as there are shards; which shard a job takes is decided when it runs."""
    await enqueue_jobs(tx, NEXT_SHARD_JOB, [{}] * count, delay=delay, priority=SHARD_PRIORITY)


async def claim_next_shard(
    tx: Transaction, now: datetime, *, reserved: bool = False
) -> tuple[Run, ClaimedShard] | None:
    """Claim the shard that is due: of the customer who took least of their share, then of their oldest run.

    Each customer has a virtual time. It advances by the seconds of one core that are computed for them, divided
    by the weight of the run: by what was estimated when a shard is first claimed, and by the difference when it
    is done. So customers who wait at the same time get processing in proportion to their weights, whatever the
    length of their runs and shards. None where every shard is done or held by others.

    Nobody starves: virtual time stands still for whoever waits and advances for whoever is served. Between two
    shards of a customer of weight w, the last of which took s seconds, another of weight v is computed at most
    s * v / w seconds, and one shard more; however much they have queued, and however many runs.

    `reserved`: for a reserved worker, which computes only runs that may use them, on a virtual time of its own.

    Source: Goyal, Vin and Cheng 1996, "Start-time fair queuing".

    INVARIANT: the bound above holds (tests/simulation/test_priority.py::test_nobody_starves).
    INVARIANT: a long run of one customer does not hold up another's short one
    (tests/simulation/test_shards.py::test_a_short_run_does_not_wait_for_another_customers_long_one).
    """
    for due in await shard_store.list_runs_in_turn(tx, now, RUNS_LOOKED_AT_MAX, reserved=reserved):
        started = await shard_store.start_run(tx, due["id"], now)
        shard = await shard_store.claim_shard(tx, due["id"], now, LEASE, ATTEMPTS_MAX)
        if shard is None:
            continue
        # A shard that is computed again, because a worker died, was counted before.
        if shard.attempt_count == 1:
            seconds = shard.iteration_count * due["seconds_per_iteration"]
            await shard_store.advance_turn(tx, shard.run_id, seconds, reserved=reserved)
        run = await store.find_run_by_id(tx, due["id"])
        assert run is not None, "a shard goes with its run"
        if started:
            await store.notify_progress(tx, run.public_id)
            await event_operations.tell_started(tx, run, now)
        return run, shard
    return None


async def renew_claim(tx: Transaction, shard: ClaimedShard, now: datetime) -> bool:
    """Hold a shard for another lease; False where it was cancelled, or taken by another worker."""
    return await shard_store.renew_claim(tx, shard, now + LEASE)


async def release_shard(tx: Transaction, shard: ClaimedShard) -> None:
    """Let another worker have a shard that failed here, and defer the job that takes it."""
    if await shard_store.release_shard(tx, shard):
        await enqueue_shards(tx, 1)


async def complete_shard(
    tx: Transaction,
    shard: ClaimedShard,
    live: list[dict[str, Any]],
    now: datetime,
    *,
    seconds: float | None = None,
    reserved: bool = False,
) -> bool:
    """Count a shard as done, once, whoever else computed it too; False where it no longer matters.

    Defers: the summary, when this was the last shard.

    Args:
        seconds: of one core that it took; None: as many as were estimated.
        reserved: whether a reserved worker computed it.
    """
    run = await store.find_run_by_id(tx, shard.run_id, lock=True)
    if run is None or run.status.over or not await shard_store.finish_shard(tx, shard, now):
        return False
    estimated = shard.iteration_count * run.seconds_per_iteration
    taken = estimated if seconds is None else seconds
    await store.update_progress(tx, run.id, shard.iteration_count, merged(run.live, live), taken)
    await shard_store.advance_turn(tx, run.id, taken - estimated, reserved=reserved)
    await event_operations.tell_progress(tx, run, shard.iteration_count, now)
    if not await shard_store.has_unfinished_shards(tx, run.id):
        await enqueue_job(tx, SUMMARIZE_JOB, {"run_id": run.id})
    await store.notify_progress(tx, run.public_id)
    return True


async def reclaim_after_lease(tx: Transaction, now: datetime) -> None:
    """Defer one look at shards that others hold, to when the first lease runs out.

    For a job that found nothing to claim: after a worker was killed its jobs run again at once, while it
    still holds its shards.
    """
    until = await shard_store.find_first_lease_end(tx)
    if until is not None and not await count_waiting_jobs(tx, RECLAIM_JOB):
        await enqueue_job(tx, RECLAIM_JOB, {}, delay=max(timedelta(0), until - now) + timedelta(seconds=1))


async def enqueue_missing_jobs(tx: Transaction, now: datetime) -> int:
    """Defer jobs for shards that wait or whose lease ran out and that no job is there for; return how many."""
    waiting_jobs = await count_waiting_jobs(tx, NEXT_SHARD_JOB)
    missing = await shard_store.count_claimable_shards(tx, now) - waiting_jobs
    if missing > 0:
        await enqueue_shards(tx, min(missing, SHARDS_MAX))
    return max(0, missing)
