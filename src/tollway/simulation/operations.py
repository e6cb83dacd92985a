"""What a customer does with models and runs; `tx` first."""

import math
from datetime import datetime, timedelta
from typing import Any

from tollway.customers.callers import Caller
from tollway.kit.db import Transaction
from tollway.kit.ids import new_id
from tollway.kit.jobs import enqueue_job
from tollway.kit.paging import Page, decode_cursor, page_of
from tollway.kit.problems import FieldError
from tollway.plans.entities import Entitlement, Feature, Limits
from tollway.simulation import (
    batch_store,
    download_store,
    event_operations,
    file_store,
    goal_seek_store,
    shards,
    store,
)
from tollway.simulation.downloads import assert_room_for_samples, assert_samples_fit
from tollway.simulation.entities import (
    ENGINE_VERSION,
    InputMark,
    IterationsOverPlan,
    Model,
    ModelHasRuns,
    ModelNotFound,
    NothingMarked,
    ResultsDeleted,
    Run,
    RunFailed,
    RunIsOver,
    RunNotFinished,
    RunNotFound,
    RunOrder,
    RunPlan,
    RunsAtOnce,
    RunStatus,
    StoredWorkbook,
    WorkbookDeleted,
    credits_of,
)

RETRY_SECONDS_MAX = 3_600


# --- models --------------------------------------------------------------------------------------------


async def create_model(
    tx: Transaction,
    caller: Caller,
    workbook: StoredWorkbook,
    limits: Limits,
    *,
    name: str,
    description: str,
    tags: list[str],
    inputs: list[InputMark],
    outputs: list[str],
    now: datetime,
) -> Model:
    """Make a model of a workbook that was inspected and stored.

    Writes: models; takes the file off the list of those to be deleted.
    """
    await store.insert_model(
        tx,
        workbook.public_id,
        caller.owner_id,
        caller.mode,
        name=name,
        description=description,
        tags=tags,
        filename=workbook.filename,
        blob=workbook.blob,
        workbook_bytes=workbook.byte_count,
        sha256=workbook.sha256,
        inspected=workbook.inspected,
        inputs=[one.as_json() for one in inputs],
        outputs=outputs,
        now=now,
        expires_at=now + timedelta(days=limits.workbook_days),
    )
    await file_store.keep_blob(tx, workbook.blob)
    model = await get_model(tx, caller, workbook.public_id)
    await event_operations.tell_model_uploaded(tx, model, now)
    return model


async def list_models(tx: Transaction, caller: Caller, cursor: str | None, limit: int) -> Page[Model]:
    """List the caller's models, newest first. Raises: BadCursor."""
    rows = await store.list_models(tx, caller.owner_id, caller.mode, decode_cursor(cursor), limit + 1)
    return page_of(rows, [one.id for one in rows], limit)


async def get_model(tx: Transaction, caller: Caller, model_id: str, *, lock: bool = False) -> Model:
    """Return one model. Raises: ModelNotFound, WorkbookDeleted."""
    model = await store.find_model(tx, caller.owner_id, caller.mode, model_id, lock=lock)
    if model is None:
        raise ModelNotFound(
            f"You have no model {model_id[:40]!r} in {caller.mode} mode. GET /monte-carlo-api/models lists yours."
        )
    if model.workbook_deleted_at is not None:
        raise WorkbookDeleted(
            f"The workbook of {model.public_id} was kept until {model.expires_at:%Y-%m-%d}, as your plan says, "
            "and then deleted. Upload it again; results of its runs stay until their own time is over."
        )
    return model


async def get_preview(tx: Transaction, caller: Caller, model_id: str) -> dict[str, Any]:
    """Return the cells of a model's workbook that a page shows: {sheets: [{name, hidden, cut, cells}]}.

    Raises: ModelNotFound, WorkbookDeleted.
    """
    model = await get_model(tx, caller, model_id)
    return await store.get_preview(tx, model.id)


async def change_model(
    tx: Transaction, caller: Caller, model_id: str, changes: dict[str, Any], now: datetime
) -> Model:
    """Change name, description, tags, inputs, outputs or correlations; what `changes` lacks stays as it is.

    Marks were checked against the workbook before. Raises: ModelNotFound, WorkbookDeleted.
    """
    model = await get_model(tx, caller, model_id, lock=True)
    await store.update_model(tx, model.id, changes, now)
    return await get_model(tx, caller, model_id)


async def delete_model(
    tx: Transaction, caller: Caller, model_id: str, *, delete_runs: bool, now: datetime
) -> int:
    """Delete a model with its workbook, and with its runs where asked; return how many runs went.

    Runs under way are cancelled first. Raises: ModelNotFound, ModelHasRuns.
    """
    model = await get_model(tx, caller, model_id, lock=True)
    runs = await store.count_runs_of_model(tx, model.id)
    seeks = await goal_seek_store.count_goal_seeks_of_model(tx, model.id)
    if (runs or seeks) and not delete_runs:
        held = [
            f"{count:,} {word}{'s' * (count != 1)}"
            for count, word in ((runs, "run"), (seeks, "goal seek"))
            if count
        ]
        raise ModelHasRuns(
            f"The model has {' and '.join(held)}, whose results would go with it. "
            "Send the request with ?delete_runs=true to delete them too.",
            members={"runs_count": runs, "goal_seeks_count": seeks},
        )
    await goal_seek_store.delete_goal_seeks_of_model(tx, model.id)
    # Shards that are being computed find their run gone, and their files are swept.
    run_ids = await file_store.list_run_ids_of_model(tx, model.id)
    await file_store.discard_blobs_of_runs(tx, run_ids, now)
    await file_store.discard_blobs(tx, [model.workbook_blob], now)
    await store.delete_model(tx, model.id)
    await batch_store.delete_empty_batches(tx, caller.owner_id)
    return runs


# --- runs ----------------------------------------------------------------------------------------------


def assert_order_allowed(order: RunOrder, model: Model, entitlement: Entitlement) -> None:
    """Refuse what no look into the workbook is needed for.

    Raises: FreeTrialEnded, IterationsOverPlan, NothingMarked.
    """
    entitlement.assert_may_write()
    limit = entitlement.limits.iterations_max
    if order.iterations > limit:
        raise IterationsOverPlan(
            f"{order.iterations:,} iterations were asked for and the plan {entitlement.plan.name} includes "
            f"{limit:,} a run. Ask for fewer, or choose a larger plan.",
            errors=(FieldError("/simulation_config/iterations", f"at most {limit:,} on your plan"),),
            members={
                "limit": "iterations_per_run",
                "limit_value": limit,
                "plan": entitlement.plan.tier,
                "upgrade_url": "/#plans",
            },
        )
    for what, given, marked in (
        ("variables", order.inputs, model.inputs or model.draws_itself),
        ("output_cells", order.outputs, model.output_cells),
    ):
        if not given and not marked:
            raise NothingMarked(
                f"The request names no {what} and the model has none marked. Add simulation_config.{what}, "
                f"or mark them once with PUT /monte-carlo-api/models/{model.public_id}.",
                errors=(
                    FieldError(f"/simulation_config/{what}", "is missing, and the model has none marked"),
                ),
            )


async def create_run(
    tx: Transaction,
    caller: Caller,
    order: RunOrder,
    plan: RunPlan,
    entitlement: Entitlement,
    *,
    seed: int,
    quota_id: int | None,
    now: datetime,
) -> Run:
    """Queue a run that was planned against the workbook, if the plan allows one more at once.

    Raises: RunsAtOnce, and as `queue_run`. Writes: as `queue_run`.

    INVARIANT: runs under way never pass the plan's number, however many calls come at once
    (tests/simulation/test_operations.py::test_parallel_calls_never_pass_the_runs_at_once).
    """
    await store.lock_customer(tx, caller.owner_id)
    await assert_runs_allowed(tx, caller, entitlement.limits)
    return await queue_run(tx, caller, order, plan, entitlement, seed=seed, quota_id=quota_id, now=now)


async def queue_run(
    tx: Transaction,
    caller: Caller,
    order: RunOrder,
    plan: RunPlan,
    entitlement: Entitlement,
    *,
    seed: int,
    quota_id: int | None,
    now: datetime,
    batch_id: int | None = None,
    scenario_name: str | None = None,
) -> Run:
    """Queue a run that `assert_runs_allowed` let through in this transaction, as a scenario of a batch where given.

    Its weight beside other customers' runs is that of the plan now, whatever comes later.
    Raises: ModelNotFound, SamplesOverPlan. Writes: runs, run_shards, customer_turns. Defers: a job for each shard.
    """
    limits = entitlement.limits
    if order.keep_samples:
        assert_samples_fit(order.iterations, plan, entitlement)
        assert_room_for_samples(await download_store.count_runs_with_samples(tx, caller.owner_id))
    model = await get_model(tx, caller, order.model_id, lock=True)
    public_id = new_id("sim")
    run_id = await store.insert_run(
        tx,
        public_id,
        model,
        plan,
        seed=seed,
        sampling=order.sampling,
        iterations=order.iterations,
        confidence_levels=order.confidence_levels,
        targets=order.targets,
        tolerance=order.tolerance,
        credits_consumed=credits_of(order.iterations, model.workbook_bytes, model.formulas_count),
        api_key_id=caller.api_key_id,
        quota_id=quota_id,
        engine_version=ENGINE_VERSION,
        processing_weight=entitlement.processing_weight,
        reserved_workers=Feature.RESERVED_WORKERS in entitlement.features,
        webhook_url=order.webhook_url,
        batch_id=batch_id,
        scenario_name=scenario_name,
        keeps_samples=order.keep_samples,
        now=now,
        expires_at=now + timedelta(days=limits.result_days),
    )
    # A workbook that is used is kept on.
    await store.extend_model(tx, model.id, now + timedelta(days=limits.workbook_days))
    cuts = shards.cut(order.iterations, plan.seconds_per_iteration, len(plan.outputs))
    await shards.queue_run(tx, caller.owner_id, run_id, cuts)
    return await get_run(tx, caller, public_id)


async def assert_runs_allowed(tx: Transaction, caller: Caller, limits: Limits, count: int = 1) -> None:
    """Refuse so many more runs than the plan allows at once. Raises: RunsAtOnce.

    Whoever calls this has locked the customer's row, or two could both find room for one.
    """
    under_way = await store.sum_up_under_way(tx, caller.owner_id)
    if under_way.run_count + count <= limits.runs_at_once_max:
        return
    if count > 1:
        raise _too_many_together(under_way.run_count, count, limits.runs_at_once_max)
    wait = min(RETRY_SECONDS_MAX, max(1, math.ceil(under_way.seconds_to_next_end)))
    raise RunsAtOnce(
        f"{under_way.run_count} runs are queued or running, the most that your plan allows at once. "
        f"The next one should end in about {wait} seconds; or cancel one, or choose a larger plan.",
        retry_after_seconds=wait,
        members={
            "limit": "runs_at_once",
            "limit_value": limits.runs_at_once_max,
            "used": under_way.run_count,
        },
    )


def _too_many_together(under_way: int, count: int, at_once_max: int) -> RunsAtOnce:
    """Say that a batch does not fit, and which of its scenarios is the first too many."""
    left = max(0, at_once_max - under_way)
    message = (
        f"The batch has {count} scenarios and your plan allows {at_once_max} runs at once, of which {under_way} are "
        f"queued or running: {left} fit now. Nothing of it was started. "
    )
    message += (
        "Wait until some have ended, cancel some, or choose a larger plan."
        if count <= at_once_max
        else "Leave some out, or choose a larger plan."
    )
    return RunsAtOnce(
        message,
        errors=(FieldError(f"/simulations/{left}", f"is the first that is too many; {left} fit now"),),
        retry_after_seconds=1,
        members={
            "limit": "runs_at_once",
            "limit_value": at_once_max,
            "used": under_way,
            "scenario_index": left,
        },
    )


async def list_runs(
    tx: Transaction, caller: Caller, cursor: str | None, limit: int, *, model_id: str | None = None
) -> Page[Run]:
    """List the caller's runs, newest first, of one model where it is given. Raises: ModelNotFound, BadCursor."""
    of_model = await find_listed_model(tx, caller, model_id)
    rows = await store.list_runs(tx, caller.owner_id, caller.mode, of_model, decode_cursor(cursor), limit + 1)
    return page_of(rows, [one.id for one in rows], limit)


async def find_listed_model(tx: Transaction, caller: Caller, model_id: str | None) -> int | None:
    """Return the identity of the model that a list is of, None where it is of all. Raises: ModelNotFound."""
    if model_id is None:
        return None
    model = await store.find_model(tx, caller.owner_id, caller.mode, model_id)
    if model is None:
        raise ModelNotFound(f"You have no model {model_id[:40]!r} in {caller.mode} mode.")
    return model.id


async def get_run(tx: Transaction, caller: Caller, run_id: str) -> Run:
    """Return one run. Raises: RunNotFound."""
    run = await store.find_run(tx, caller.owner_id, caller.mode, run_id)
    if run is None:
        raise RunNotFound(
            f"You have no run {run_id[:40]!r} in {caller.mode} mode. "
            "GET /monte-carlo-api/simulations lists yours."
        )
    return run


async def get_finished_run(tx: Transaction, caller: Caller, run_id: str) -> Run:
    """Return a run whose results can be read; of a cancelled one they rest on what was done.

    Raises: RunNotFound, RunNotFinished, RunFailed, ResultsDeleted.
    """
    run = await get_run(tx, caller, run_id)
    if run.results_deleted_at is not None:
        raise ResultsDeleted(
            f"The results of {run.public_id} were kept until {run.expires_at:%Y-%m-%d}, as your plan says, and "
            f"then deleted. The same model with seed {run.seed} gives the same results again."
        )
    if run.status is RunStatus.FAILED:
        reason = (run.failure or {}).get("message", "")
        raise RunFailed(
            f"The run failed and has no results. {reason}",
            members={"progress_url": progress_url(run.public_id), "failure": run.failure},
        )
    if not run.readable:
        raise RunNotFinished(
            f"The run is {run.status} and has no results yet; its progress_url tells when it has.",
            members={"progress_url": progress_url(run.public_id), "simulation_status": run.status.value},
            retry_after_seconds=1,
        )
    return run


def progress_url(run_id: str) -> str:
    """Return where a run's progress is."""
    return f"/monte-carlo-api/simulations/{run_id}/progress"


async def cancel_run(tx: Transaction, caller: Caller, run_id: str, now: datetime) -> Run:
    """Stop a run: nothing more is started, what is done is summarised and kept.

    Raises: RunNotFound, RunIsOver. Defers: the summary of what is done.
    """
    found = await get_run(tx, caller, run_id)
    run = await store.find_run_by_id(tx, found.id, lock=True)
    if run is None or run.status.over:
        raise RunIsOver(
            f"The run is already {'deleted' if run is None else run.status}; only a queued or running one can "
            "be cancelled."
        )
    await store.end_run(tx, run.id, RunStatus.CANCELLED, now)
    await enqueue_job(tx, shards.SUMMARIZE_JOB, {"run_id": run.id})
    await store.notify_progress(tx, run.public_id)
    await event_operations.tell_ended(tx, run, RunStatus.CANCELLED, now)
    return await get_run(tx, caller, run_id)


async def count_under_way(tx: Transaction) -> int:
    """Count every customer's runs that are queued or running."""
    return await store.count_under_way(tx)


async def seconds_ahead(tx: Transaction, customer_id: int) -> float:
    """Estimate how long one core would compute until a customer's runs are done, as customers share it by weight."""
    rows = {one["customer_id"]: one for one in await store.list_outstanding(tx)}
    mine = rows[customer_id]
    share_taken = float(mine["seconds"]) / mine["weight"]
    # While ours are computed, others get their weight's worth of that, or all that they have left.
    return math.fsum(min(float(one["seconds"]), share_taken * one["weight"]) for one in rows.values())


async def count_runs_by_model(tx: Transaction, models: list[Model]) -> dict[int, int]:
    """Count the runs of each model, by its row's identity; those without any are left out."""
    return await store.count_runs_by_model(tx, [model.id for model in models])


async def count_runs(tx: Transaction, caller: Caller) -> int:
    """Count the caller's runs, in the mode of the call."""
    return await store.count_runs_of_customer(tx, caller.owner_id, caller.mode)
