"""How a run ends: with a summary, or by our fault and with its request given back; `tx` first."""

from datetime import datetime
from typing import Any

from tollway.kit.db import Transaction
from tollway.kit.scope import request_id
from tollway.metering import operations as metering
from tollway.metering.entities import UsageEvent
from tollway.simulation import event_operations, file_store, store
from tollway.simulation.entities import PRODUCT, Run, RunFailed, RunStatus
from tollway.simulation.studies import GoalSeekRecord

CREATE_RUN_PATH = "/monte-carlo-api/simulations"


async def finish_run(
    tx: Transaction,
    run_id: int,
    results: list[dict[str, Any]],
    now: datetime,
    *,
    points_blob: str | None = None,
    samples_blob: str | None = None,
) -> bool:
    """Store the summary of a run whose shards are done, or that was cancelled; the second call changes nothing.

    Its shards go: what is kept of them is in the summary, and in the file of its samples where that was asked for.
    Writes: runs, run_shards, discarded_blobs, analytics_events at a customer's first result.
    """
    run = await store.find_run_by_id(tx, run_id, lock=True)
    if run is None or run.summarized_at is not None or run.status is RunStatus.FAILED:
        return False
    if run.results_deleted_at is not None:
        # Its time was over before the summary came; nothing is written into what was emptied.
        return False
    cancelled = run.status is RunStatus.CANCELLED
    status = RunStatus.CANCELLED if cancelled else RunStatus.COMPLETED
    await store.update_results(
        tx, run.id, results, status, now, points_blob=points_blob, samples_blob=samples_blob
    )
    await file_store.discard_shards_of_runs(tx, [run.id], now)
    for blob in (points_blob, samples_blob):
        if blob is not None:
            await file_store.keep_blob(tx, blob)
    if not cancelled:
        await metering.track_event(tx, "first_result", run.customer_id, now)
        await event_operations.tell_ended(tx, run, status, now)
    await store.notify_progress(tx, run.public_id)
    return True


async def fail_run(tx: Transaction, run_id: int, message: str, now: datetime) -> bool:
    """End a run that cannot be finished by our fault, and give its request back, once.

    Writes: runs, usage_quotas, api_usage_logs.
    """
    run = await store.find_run_by_id(tx, run_id, lock=True)
    if run is None or run.status.over:
        return False
    failure = {"code": RunFailed.code, "message": message}
    await store.end_run(tx, run.id, RunStatus.FAILED, now, failure)
    await file_store.discard_blobs_of_runs(tx, [run.id], now)
    await give_request_back(
        tx, run, CREATE_RUN_PATH, RunFailed.code, credits_consumed=run.credits_consumed, now=now
    )
    await store.notify_progress(tx, run.public_id)
    await event_operations.tell_ended(tx, run, RunStatus.FAILED, now, failure)
    return True


async def give_request_back(
    tx: Transaction,
    made: Run | GoalSeekRecord,
    endpoint: str,
    problem_code: str,
    *,
    credits_consumed: int,
    now: datetime,
) -> None:
    """Give back what something counted that failed by our fault. Writes: usage_quotas, api_usage_logs."""
    if made.quota_id is None:
        return
    await metering.give_back(
        tx,
        made.quota_id,
        UsageEvent(
            customer_id=made.customer_id,
            api_key_id=made.api_key_id,
            product=PRODUCT,
            mode=made.mode,
            endpoint=endpoint,
            method="POST",
            status_code=500,
            response_time_ms=0,
            credits_consumed=-credits_consumed,
            units=-1,
            request_timestamp=now,
            ip_address=None,
            user_agent="",
            request_id=request_id.get(),
            problem_code=problem_code,
        ),
        counted_at=made.created_at,
    )
