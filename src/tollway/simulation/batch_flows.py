"""Order runs together: plan each against its workbook outside any transaction, then queue all or none."""

import asyncio
import secrets
import time
from collections.abc import Mapping, Sequence

from tollway.admission.operations import Call, Outcome
from tollway.kit.db import Transaction
from tollway.kit.problems import FieldError, NotFound, Problem, TooMany
from tollway.plans import operations as plans
from tollway.simulation import batch_operations, comparison_flows, operations, study_shapes
from tollway.simulation.batch_operations import told_of_scenario
from tollway.simulation.entities import PRODUCT, Model, RunPlan
from tollway.simulation.flows import CHOSEN_SEED_MAX, Workshop, local_workbook
from tollway.simulation.inspection import RunQuestion
from tollway.simulation.studies import BadScenario, BatchOrder, BatchTooLong, Scenario
from tollway.webhooks import operations as webhooks

# Until the workbooks of others that were read meanwhile are done, as a rule.
BUSY_RETRY_SECONDS = 30
PLANNED_MEMBERS = ("variables", "output_cells", "correlations", "stress")


async def create_batch(workshop: Workshop, call: Call, order: BatchOrder) -> Outcome:
    """Plan every scenario in child processes, then queue them in one transaction; the body is the shape of 3.1.

    Raises: BadScenario, BatchTooLong, ModelNotFound, WorkbookDeleted, IterationsOverPlan, NothingMarked, RunsAtOnce,
    SamplesOverPlan, FeatureNotIncluded for a webhook_url, what the quota refuses with, and what says which cell,
    distribution, correlation or stress of which scenario cannot be used. Counts one request a scenario.
    """
    if (answered := await call.find_answer(order.as_json())) is not None:
        return answered
    _assert_names_differ(order.scenarios)
    count = len(order.scenarios)
    models = await _models_of(workshop, call, order)
    async with workshop.database.transaction() as tx:
        entitlement = await plans.get_entitlement(tx, call.caller.owner_id, PRODUCT, call.now)
        if any(one.order.webhook_url is not None for one in order.scenarios):
            await webhooks.assert_included(tx, call.caller.owner_id, call.now)
    batch_operations.assert_batch_allowed(order, models, entitlement)
    async with workshop.database.transaction() as tx:
        try:
            await call.assert_units_left(tx, "create_run", count)
        except TooMany as refusal:
            raise _told_of_units(refusal, count) from refusal
        # Asked again where it counts; here it spares the look into the workbooks.
        await operations.assert_runs_allowed(tx, call.caller, entitlement.limits, count)
    seed = secrets.randbelow(CHOSEN_SEED_MAX + 1) if order.seed is None else order.seed
    planned = await plan_batch(workshop, order, models, seed)

    async def work(tx: Transaction) -> Outcome:
        batch, runs = await batch_operations.create_batch(
            tx,
            call.caller,
            order,
            planned,
            entitlement,
            seed=seed,
            quota_id=call.quota_id,
            now=call.now,
        )
        ahead = await operations.seconds_ahead(tx, batch.customer_id) / workshop.process_count
        # Planning took a while since the request came.
        ahead += time.perf_counter() - call.started
        body = study_shapes.created_batch(batch, runs, seed, ahead, call.now)
        return Outcome(body=body, credits=sum(run.credits_consumed for run in runs))

    try:
        return await call.perform("create_run", work, status=201, content=order.as_json(), times=count)
    except TooMany as refusal:
        raise _told_of_units(refusal, count) from refusal


def _assert_names_differ(scenarios: Sequence[Scenario]) -> None:
    seen: set[str] = set()
    for one in scenarios:
        if one.name in seen:
            message = (
                f"Two scenarios are named {one.name!r}; give each a name of its own, to tell them apart by."
            )
            raise BadScenario(
                message, errors=(FieldError(f"/simulations/{one.index}/scenario_name", message),)
            )
        seen.add(one.name)


async def _models_of(workshop: Workshop, call: Call, order: BatchOrder) -> dict[str, Model]:
    models: dict[str, Model] = {}
    async with workshop.database.transaction() as tx:
        for one in order.scenarios:
            model_id = one.order.model_id
            if model_id in models:
                continue
            try:
                models[model_id] = await operations.get_model(tx, call.caller, model_id)
            except NotFound as problem:
                told = told_of_scenario(problem, one)
                told.errors = (FieldError(f"/simulations/{one.index}/model_id", problem.message),)
                raise told from problem
    return models


def _told_of_units(refusal: TooMany, count: int) -> Problem:
    """Say how many requests the batch counts where fewer are left; other limits tell of themselves."""
    bound, used = refusal.members.get("limit_value"), refusal.members.get("used")
    if "scenario_index" in refusal.members or bound is None or used is None:
        return refusal
    left = max(0, bound - used)
    if not 0 < left < count:
        return refusal
    # Its first sentence says that nothing is left, which is not so.
    _, _, rest = refusal.message.partition(". ")
    return type(refusal)(
        f"The batch counts {count} requests, one for each scenario, and {left:,} of {bound:,} are left. Nothing of it "
        f"was started. {rest}",
        errors=(FieldError(f"/simulations/{left}", f"is the first that is too many; {left} fit now"),),
        retry_after_seconds=refusal.retry_after_seconds,
        members=refusal.members | {"scenario_index": left},
    )


async def plan_batch(
    workshop: Workshop, order: BatchOrder, models: dict[str, Model], seed: int
) -> list[RunPlan]:
    """Plan the scenarios, those of one model together, and return the plans in the order of the scenarios.

    One workbook is read after the other, so that a batch takes one of the places of those that wait, and all of them
    in bounded time; whoever is cut off leaves no child behind. Raises: BatchTooLong, and as `create_batch`.

    Args:
        models: by their public ids.
        seed: of scenarios that have none of their own.
    """
    planned: dict[int, RunPlan] = {}
    seconds_max = workshop.inspector.batch_seconds_max
    try:
        async with asyncio.timeout(seconds_max) as limit:
            for model_id, model in models.items():
                scenarios = [one for one in order.scenarios if one.order.model_id == model_id]
                found = await workshop.inspector.plan_runs(
                    await local_workbook(workshop, model),
                    model.workbook_bytes,
                    [_question(one, model, seed) for one in scenarios],
                )
                planned |= {one.index: plan for one, plan in zip(scenarios, found, strict=True)}
    except TimeoutError as late:
        if not limit.expired():
            raise
        raise _too_long(order, planned, seconds_max) from late
    return [planned[one.index] for one in order.scenarios]


def _too_long(order: BatchOrder, planned: Mapping[int, RunPlan], seconds_max: float) -> BatchTooLong:
    first = next(one for one in order.scenarios if one.index not in planned)
    message = (
        f"{first.words}: after {seconds_max:g} seconds its workbook had not been read; {len(planned)} of "
        f"{len(order.scenarios)} scenarios were done. Nothing of the batch was started. Order fewer scenarios at once, "
        "or of fewer models; or send it again later, if others keep the server busy."
    )
    return BatchTooLong(
        message,
        errors=(FieldError(f"/simulations/{first.index}", "is the first that was not reached in time"),),
        retry_after_seconds=BUSY_RETRY_SECONDS,
        members={"scenario_index": first.index, "planned_count": len(planned)},
    )


def _question(scenario: Scenario, model: Model, seed: int) -> RunQuestion:
    order = scenario.order
    return RunQuestion(
        inputs=model.marks_for(order.inputs),
        outputs=order.outputs or model.output_cells,
        seed=seed if order.seed is None else order.seed,
        pointers=tuple(scenario.pointer(member) for member in PLANNED_MEMBERS),
        sampling=order.sampling,
        run_iterations=order.iterations,
        correlations=model.correlations_for(order.inputs, order.correlations),
        stress=order.stress,
        are_inputs_asked=bool(order.inputs),
    )


async def show_batch(workshop: Workshop, call: Call, batch_id: str) -> Outcome:
    """Show a batch with its runs, and compare them with the first once all are over. Raises: BatchNotFound."""
    async with workshop.database.transaction() as tx:
        batch, runs = await batch_operations.get_batch(tx, call.caller, batch_id)
    compared = await comparison_flows.compare_batch(workshop, runs)

    async def work(_tx: Transaction) -> Outcome:
        return Outcome(body=study_shapes.whole_batch(batch, runs, compared))

    return await call.perform("read", work)
