"""Runs that are ordered together: all or none of them, on the same random numbers."""

from datetime import datetime

from tollway.customers.callers import Caller
from tollway.kit.db import Transaction
from tollway.kit.ids import new_id
from tollway.kit.paging import Page, decode_cursor, page_of
from tollway.kit.problems import FieldError, Problem
from tollway.plans.entities import Entitlement
from tollway.simulation import batch_store, operations, store
from tollway.simulation.entities import ORDER_POINTER, Model, Run, RunPlan
from tollway.simulation.studies import Batch, BatchNotFound, BatchOrder, Scenario


def assert_batch_allowed(order: BatchOrder, models: dict[str, Model], entitlement: Entitlement) -> None:
    """Refuse what no look into a workbook is needed for, by the scenario that it is about.

    Args:
        order: the scenarios.
        models: by their public ids.
        entitlement: of the caller.

    Raises: FreeTrialEnded, IterationsOverPlan, NothingMarked.
    """
    for one in order.scenarios:
        try:
            operations.assert_order_allowed(one.order, models[one.order.model_id], entitlement)
        except Problem as problem:
            raise told_of_scenario(problem, one) from problem


def told_of_scenario(problem: Problem, scenario: Scenario) -> Problem:
    """Say in a Problem of one run which scenario it is about, and point at its place in the batch."""
    errors = tuple(
        FieldError(scenario.pointer(one.pointer.removeprefix(f"{ORDER_POINTER}/")), one.message)
        if one.pointer.startswith(f"{ORDER_POINTER}/")
        else one
        for one in problem.errors
    )
    return type(problem)(
        f"{scenario.words}: {problem.message} Nothing of the batch was started.",
        log_message=problem.log_message,
        errors=errors,
        retry_after_seconds=problem.retry_after_seconds,
        members=problem.members | {"scenario_index": scenario.index},
    )


async def create_batch(
    tx: Transaction,
    caller: Caller,
    order: BatchOrder,
    plans: list[RunPlan],
    entitlement: Entitlement,
    *,
    seed: int,
    quota_id: int | None,
    now: datetime,
) -> tuple[Batch, list[Run]]:
    """Queue the runs of scenarios that were planned against their workbooks.

    Raises: ModelNotFound, RunsAtOnce, SamplesOverPlan. Writes: batches, and for each scenario what
    `operations.queue_run` does.

    INVARIANT: either every scenario is queued or none
    (tests/simulation/test_batches.py::test_a_batch_that_does_not_fit_starts_nothing).
    """
    await store.lock_customer(tx, caller.owner_id)
    await operations.assert_runs_allowed(tx, caller, entitlement.limits, len(order.scenarios))
    public_id = new_id("bat")
    batch_id = await batch_store.insert_batch(
        tx, public_id, caller.owner_id, caller.mode, order.name, caller.api_key_id, now
    )
    runs = []
    for one, plan in zip(order.scenarios, plans, strict=True):
        try:
            run = await operations.queue_run(
                tx,
                caller,
                one.order,
                plan,
                entitlement,
                seed=seed if one.order.seed is None else one.order.seed,
                quota_id=quota_id,
                now=now,
                batch_id=batch_id,
                scenario_name=one.name,
            )
        except Problem as problem:
            raise told_of_scenario(problem, one) from problem
        runs.append(run)
    batch = await batch_store.find_batch(tx, caller.owner_id, caller.mode, public_id)
    assert batch is not None, "it was written a moment ago"
    return batch, runs


async def get_batch(tx: Transaction, caller: Caller, batch_id: str) -> tuple[Batch, list[Run]]:
    """Return a batch with its runs, in the order of the scenarios. Raises: BatchNotFound.

    Until all of them are over without their results, inputs and what is seen so far: there is nothing to compare yet,
    whoever waits asks again and again, and these are megabytes of each.
    """
    batch = await batch_store.find_batch(tx, caller.owner_id, caller.mode, batch_id)
    if batch is None:
        raise BatchNotFound(
            f"You have no batch {batch_id[:40]!r} in {caller.mode} mode. GET /monte-carlo-api/batches lists yours."
        )
    standings = await batch_store.list_standings_of_batches(tx, [batch.id])
    if not all(run.status.over for run in standings):
        return batch, standings
    return batch, await batch_store.list_runs_of_batches(tx, [batch.id])


async def list_batches(
    tx: Transaction, caller: Caller, cursor: str | None, limit: int
) -> tuple[Page[Batch], dict[int, list[Run]]]:
    """List the caller's batches, newest first, and their runs by the batch's identity, without their results.

    Raises: BadCursor.
    """
    rows = await batch_store.list_batches(tx, caller.owner_id, caller.mode, decode_cursor(cursor), limit + 1)
    page = page_of(rows, [one.id for one in rows], limit)
    runs: dict[int, list[Run]] = {one.id: [] for one in page.items}
    for run in await batch_store.list_standings_of_batches(tx, list(runs)):
        assert run.batch_id is not None, "it was found by its batch"
        runs[run.batch_id].append(run)
    return page, runs
