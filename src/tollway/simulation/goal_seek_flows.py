"""Ask for a goal: plan the search against the workbook in a child process, then queue it."""

import secrets

from tollway.admission.operations import Call, Outcome
from tollway.kit.db import Transaction
from tollway.plans import operations as plans
from tollway.simulation import goal_seek_operations, operations, study_shapes
from tollway.simulation.entities import PRODUCT
from tollway.simulation.flows import CHOSEN_SEED_MAX, Workshop, local_workbook
from tollway.simulation.studies import GoalSeekOrder

# Where members of the engine's question stand in the request.
SEEK_POINTERS = {
    "inputs": "/simulation_config/variables",
    "correlations": "/simulation_config/correlations",
    "stress": "/simulation_config/stress",
    "output": "/output_cell",
} | {name: f"/{name}" for name in ("cell", "low", "high", "statistic", "at_or_below", "goal", "tolerance")}


async def create_goal_seek(workshop: Workshop, call: Call, order: GoalSeekOrder) -> Outcome:
    """Plan a search, then queue it.

    Raises: ModelNotFound, WorkbookDeleted, IterationsOverPlan, NothingMarked, BadGoalSeek, GoalSeekTooLong,
    GoalSeeksAtOnce, and what says which cell, distribution, correlation or stress cannot be used. Counts one request.
    """
    if (answered := await call.find_answer(order.as_json())) is not None:
        return answered
    async with workshop.database.transaction() as tx:
        model = await operations.get_model(tx, call.caller, order.model_id)
        entitlement = await plans.get_entitlement(tx, call.caller.owner_id, PRODUCT, call.now)
    goal_seek_operations.assert_seek_allowed(order, model, entitlement)
    async with workshop.database.transaction() as tx:
        await call.assert_units_left(tx, "create_goal_seek")
    seed = secrets.randbelow(CHOSEN_SEED_MAX + 1) if order.seed is None else order.seed
    asked = {
        "cell": order.cell,
        "low": order.low,
        "high": order.high,
        "output": order.output,
        "statistic": order.statistic,
        "at_or_below": order.at_or_below,
        "goal": order.goal,
        "tolerance": order.tolerance,
        "seed": seed,
        "sampling": order.sampling,
    }
    planned = await workshop.inspector.plan_seek(
        await local_workbook(workshop, model),
        model.workbook_bytes,
        asked
        | {
            "inputs": [one.as_json() for one in model.marks_for(order.inputs)],
            "correlations": model.correlations_for(order.inputs, order.correlations),
            "stress": order.stress,
            "run_iterations": order.iterations,
        },
        SEEK_POINTERS,
    )
    goal_seek_operations.assert_soon_tried(order.iterations, planned.pop("seconds_per_iteration"))
    question = asked | planned | {"iterations": order.iterations}

    async def work(tx: Transaction) -> Outcome:
        record = await goal_seek_operations.create_goal_seek(
            tx, call.caller, order.model_id, question, entitlement, quota_id=call.quota_id, now=call.now
        )
        return Outcome(body=study_shapes.created_goal_seek(record))

    return await call.perform("create_goal_seek", work, status=202, content=order.as_json())
