"""Searches for a goal: asked, shown, and how one ends."""

from datetime import datetime, timedelta
from typing import Any

from tollway.customers.callers import Caller
from tollway.kit.db import Transaction
from tollway.kit.ids import new_id
from tollway.kit.jobs import count_waiting_jobs, enqueue_job, enqueue_jobs
from tollway.kit.paging import Page, decode_cursor, page_of
from tollway.kit.problems import FieldError
from tollway.plans.entities import Entitlement
from tollway.simulation import (
    ending_operations,
    event_operations,
    goal_seek_store,
    operations,
    shard_store,
    shards,
    store,
)
from tollway.simulation.entities import IterationsOverPlan, Model, NothingMarked
from tollway.simulation.studies import (
    GoalSeekFailed,
    GoalSeekNotFound,
    GoalSeekOrder,
    GoalSeekRecord,
    GoalSeeksAtOnce,
    GoalSeekStatus,
    GoalSeekTooLong,
)

SEEK_JOB = "simulation.seek_goal"
CREATE_GOAL_SEEK_PATH = "/monte-carlo-api/goal-seeks"
ATTEMPTS_MAX = 3
# Computed at the same time for one customer, over all workers: the other places are for others.
SEEKS_OF_CUSTOMER_MAX = 1
# Renewed three times before it runs out; what a killed worker held is free again after it.
LEASE = timedelta(seconds=30)
# One that could be computed for so long has lost its job.
OVERDUE = timedelta(minutes=10)
# One trial; a search makes ten or so, and sixty at most.
TRIAL_SECONDS_MAX = 5.0
RETRY_SECONDS = 5
FAILED_MESSAGE = (
    "Computing it failed three times on our side. Its request was given back; ask again, and tell support the id of "
    "the goal seek if it fails again."
)


def assert_seek_allowed(order: GoalSeekOrder, model: Model, entitlement: Entitlement) -> None:
    """Refuse what no look into the workbook is needed for.

    Raises: FreeTrialEnded, IterationsOverPlan, NothingMarked.
    """
    entitlement.assert_may_write()
    limit = entitlement.limits.iterations_max
    if order.iterations > limit:
        raise IterationsOverPlan(
            f"{order.iterations:,} iterations of each trial were asked for and the plan {entitlement.plan.name} "
            f"includes {limit:,} a run. Ask for fewer, or choose a larger plan.",
            errors=(FieldError("/simulation_config/iterations", f"at most {limit:,} on your plan"),),
            members={"limit": "iterations_per_run", "limit_value": limit, "plan": entitlement.plan.tier},
        )
    if not order.inputs and not model.inputs and not model.draws_itself:
        raise NothingMarked(
            "The request names no variables and the model has none marked. Add simulation_config.variables, or mark "
            f"them once with PUT /monte-carlo-api/models/{model.public_id}.",
            errors=(FieldError("/simulation_config/variables", "is missing, and the model has none marked"),),
        )


def assert_soon_tried(iterations: int, seconds_per_iteration: float) -> None:
    """Refuse a search whose single trials take too long. Raises: GoalSeekTooLong."""
    if iterations * seconds_per_iteration <= TRIAL_SECONDS_MAX:
        return
    fit = int(TRIAL_SECONDS_MAX / seconds_per_iteration)
    raise GoalSeekTooLong(
        f"One trial of {iterations:,} iterations of this workbook would take about "
        f"{iterations * seconds_per_iteration:.0f} seconds, and {TRIAL_SECONDS_MAX:.0f} are allowed. "
        f"Ask for about {fit:,} iterations.",
        errors=(FieldError("/simulation_config/iterations", f"at most about {fit:,} for this workbook"),),
        members={"iterations_max": fit},
    )


async def create_goal_seek(
    tx: Transaction,
    caller: Caller,
    model_id: str,
    question: dict[str, Any],
    entitlement: Entitlement,
    *,
    quota_id: int | None,
    now: datetime,
) -> GoalSeekRecord:
    """Queue a search whose question was planned against the workbook.

    Raises: ModelNotFound, GoalSeeksAtOnce. Writes: goal_seeks, models, customer_turns. Defers: a search.

    Its weight beside other customers' searches is that of the plan now, whatever comes later.
    """
    limits = entitlement.limits
    await store.lock_customer(tx, caller.owner_id)
    under_way = await goal_seek_store.count_unfinished(tx, caller.owner_id)
    if under_way >= limits.runs_at_once_max:
        raise GoalSeeksAtOnce(
            f"{under_way} goal seeks are queued or running, as many as your plan allows runs at once. Most take a few "
            "seconds: send the request again then, or choose a larger plan.",
            retry_after_seconds=RETRY_SECONDS,
            members={
                "limit": "goal_seeks_at_once",
                "limit_value": limits.runs_at_once_max,
                "used": under_way,
            },
        )
    model = await operations.get_model(tx, caller, model_id, lock=True)
    public_id = new_id("gsk")
    await shard_store.join_turns(tx, caller.owner_id, shards.ATTEMPTS_MAX)
    await goal_seek_store.insert_goal_seek(
        tx,
        public_id,
        model,
        api_key_id=caller.api_key_id,
        quota_id=quota_id,
        question=question,
        processing_weight=entitlement.processing_weight,
        now=now,
        expires_at=now + timedelta(days=limits.result_days),
    )
    # A workbook that is used is kept on.
    await store.extend_model(tx, model.id, now + timedelta(days=limits.workbook_days))
    await enqueue_job(tx, SEEK_JOB, {})
    return await get_goal_seek(tx, caller, public_id)


async def get_goal_seek(tx: Transaction, caller: Caller, goal_seek_id: str) -> GoalSeekRecord:
    """Return one search. Raises: GoalSeekNotFound."""
    found = await goal_seek_store.find_goal_seek(tx, caller.owner_id, caller.mode, goal_seek_id)
    if found is None:
        raise GoalSeekNotFound(
            f"You have no goal seek {goal_seek_id[:40]!r} in {caller.mode} mode. "
            "GET /monte-carlo-api/goal-seeks lists yours."
        )
    return found


async def list_goal_seeks(
    tx: Transaction, caller: Caller, cursor: str | None, limit: int, *, model_id: str | None = None
) -> Page[GoalSeekRecord]:
    """List the caller's searches, newest first, of one model where it is given. Raises: ModelNotFound, BadCursor."""
    of_model = await operations.find_listed_model(tx, caller, model_id)
    rows = await goal_seek_store.list_goal_seeks(
        tx, caller.owner_id, caller.mode, of_model, decode_cursor(cursor), limit + 1
    )
    return page_of(rows, [one.id for one in rows], limit)


# --- how a search ends ---------------------------------------------------------------------------------


async def claim_next(tx: Transaction, now: datetime) -> GoalSeekRecord | None:
    """Claim the search that is due and count an attempt; None where none may be computed now.

    Due is that of the customer who took least of their share, then their oldest: what is computed for searches and for
    runs counts in one virtual time of their customer, by the weight of the plan, as `shards.claim_next_shard` says.
    Who waits is passed by nobody for ever, because theirs stands still. Of one customer one is computed at a time.

    INVARIANT: a customer takes one of the places, however many workers claim at once
    (tests/simulation/test_goal_seeks.py::test_one_customer_takes_one_place_and_others_come_by_their_weight).

    Writes: goal_seeks; what `fail_goal_seek` writes.
    """
    await goal_seek_store.lock_claims(tx)
    while (due := await goal_seek_store.find_due(tx, now, SEEKS_OF_CUSTOMER_MAX)) is not None:
        record = await begin_attempt(tx, due, now)
        if record is not None:
            return record
    return None


async def begin_attempt(tx: Transaction, goal_seek_id: int, now: datetime) -> GoalSeekRecord | None:
    """Count an attempt and return the search, held for the length of a lease; None where it is over or gone.

    One that was attempted often enough fails now. Writes: goal_seeks; what `fail_goal_seek` writes.
    """
    found = await goal_seek_store.find_goal_seek_by_id(tx, goal_seek_id, lock=True)
    if found is None or found.status.over:
        return None
    if found.attempt_count >= ATTEMPTS_MAX:
        # Whoever made the last attempt died with it.
        await fail_goal_seek(tx, goal_seek_id, now)
        return None
    await goal_seek_store.begin_attempt(tx, goal_seek_id, now + LEASE)
    return await goal_seek_store.find_goal_seek_by_id(tx, goal_seek_id)


async def renew_claim(tx: Transaction, record: GoalSeekRecord, now: datetime) -> bool:
    """Hold a search for another lease; False where it is gone, over or another attempt's. Writes: goal_seeks."""
    return await goal_seek_store.hold_until(tx, record, now + LEASE)


async def count_seconds(tx: Transaction, record: GoalSeekRecord, seconds: float) -> None:
    """Count what was computed for a search as taken of its customer's share. Writes: customer_turns."""
    await shard_store.advance_turn_of_seek(tx, record.id, seconds)


async def enqueue_next(tx: Transaction, customer_id: int) -> None:
    """Send for the next search of a customer, whose jobs found the place of this customer taken. Defers: a search."""
    if await goal_seek_store.has_queued(tx, customer_id):
        await enqueue_job(tx, SEEK_JOB, {})


async def enqueue_lost(tx: Transaction, now: datetime) -> None:
    """Send for searches whose worker is gone, or whose job was lost. Defers: as many searches."""
    lost = await goal_seek_store.count_lost(tx, now, now - OVERDUE, SEEKS_OF_CUSTOMER_MAX)
    await enqueue_jobs(tx, SEEK_JOB, [{}] * max(0, lost - await count_waiting_jobs(tx, SEEK_JOB)))


async def finish_goal_seek(tx: Transaction, goal_seek_id: int, answer: dict[str, Any], now: datetime) -> bool:
    """Store the answer of a search that is not over; the second call changes nothing. Writes: goal_seeks."""
    found = await goal_seek_store.find_goal_seek_by_id(tx, goal_seek_id, lock=True)
    if found is None or found.status.over:
        return False
    await goal_seek_store.end_goal_seek(tx, found.id, GoalSeekStatus.COMPLETED, now, answer=answer)
    await event_operations.tell_goal_seek_ended(
        tx, found, GoalSeekStatus.COMPLETED, now, outcome=answer["outcome"]
    )
    return True


async def fail_goal_seek(tx: Transaction, goal_seek_id: int, now: datetime) -> bool:
    """End a search that cannot be finished by our fault, and give its request back, once.

    Writes: goal_seeks, usage_quotas, api_usage_logs.
    """
    found = await goal_seek_store.find_goal_seek_by_id(tx, goal_seek_id, lock=True)
    if found is None or found.status.over:
        return False
    failure = {"code": GoalSeekFailed.code, "message": FAILED_MESSAGE}
    await goal_seek_store.end_goal_seek(tx, found.id, GoalSeekStatus.FAILED, now, failure=failure)
    await ending_operations.give_request_back(
        tx, found, CREATE_GOAL_SEEK_PATH, GoalSeekFailed.code, credits_consumed=0, now=now
    )
    await event_operations.tell_goal_seek_ended(tx, found, GoalSeekStatus.FAILED, now, failure=failure)
    return True


async def put_off_attempt(tx: Transaction, record: GoalSeekRecord) -> None:
    """Leave a search to another worker, because this one stops; the attempt does not count. Writes: goal_seeks.

    As after each end of an attempt, `enqueue_next` sends for what waits then.
    """
    await goal_seek_store.undo_attempt(tx, record)


async def give_up_attempt(tx: Transaction, record: GoalSeekRecord, now: datetime) -> None:
    """Try a search again soon after an attempt failed, or let it fail after the last one. Defers: a search."""
    if record.attempt_count >= ATTEMPTS_MAX:
        await fail_goal_seek(tx, record.id, now)
        return
    pause = timedelta(seconds=record.attempt_count)
    # Held until then, because any other job could take it; its own comes when that is over.
    await goal_seek_store.hold_until(tx, record, now + pause)
    await enqueue_job(tx, SEEK_JOB, {}, delay=pause + timedelta(seconds=1))
