"""Tells a customer's webhooks what happens to models and runs, in the transaction in which it happens."""

from datetime import datetime
from typing import Any

from tollway.customers.callers import Caller
from tollway.kit.db import Transaction
from tollway.kit.problems import Problem
from tollway.simulation.entities import Model, Run, RunStatus
from tollway.simulation.studies import GoalSeekRecord, GoalSeekStatus
from tollway.webhooks import operations as webhooks
from tollway.webhooks.entities import Event

RUNS_PATH = "/monte-carlo-api/simulations"
MODELS_PATH = "/monte-carlo-api/models"
GOAL_SEEKS_PATH = "/monte-carlo-api/goal-seeks"
# A run tells of its progress so often at most.
PROGRESS_STEPS = 10
ENDINGS = {
    RunStatus.COMPLETED: Event.SIMULATION_COMPLETED,
    RunStatus.FAILED: Event.SIMULATION_FAILED,
    RunStatus.CANCELLED: Event.SIMULATION_CANCELLED,
}


async def tell_started(tx: Transaction, run: Run, now: datetime) -> None:
    """Tell that a run begins to be computed."""
    await _tell(tx, run, Event.SIMULATION_STARTED, RunStatus.RUNNING, run.iterations_completed, now)


async def tell_progress(tx: Transaction, run: Run, iteration_count: int, now: datetime) -> None:
    """Tell that a run went on by so many iterations, where another tenth of it was passed; its end is told apart."""
    completed = run.iterations_completed + iteration_count
    passed = completed * PROGRESS_STEPS // run.iterations
    if passed > run.iterations_completed * PROGRESS_STEPS // run.iterations and completed < run.iterations:
        await _tell(tx, run, Event.SIMULATION_PROGRESS, RunStatus.RUNNING, completed, now)


async def tell_ended(
    tx: Transaction, run: Run, status: RunStatus, now: datetime, failure: dict[str, Any] | None = None
) -> None:
    """Tell how a run ended, its webhook_url too."""
    await _tell(tx, run, ENDINGS[status], status, run.iterations_completed, now, failure)


async def tell_model_uploaded(tx: Transaction, model: Model, now: datetime) -> None:
    """Tell that a model was made."""
    data = {
        "model_id": model.public_id,
        "model_name": model.name,
        "filename": model.filename,
        "formulas_count": model.formulas_count,
        "model_url": f"{MODELS_PATH}/{model.public_id}",
    }
    await webhooks.publish(tx, model.customer_id, model.mode, Event.MODEL_UPLOADED, data, now)


async def tell_model_failed(
    tx: Transaction, caller: Caller, filename: str, refusal: Problem, now: datetime
) -> None:
    """Tell that an uploaded workbook cannot be used, and why."""
    data = {"filename": filename, "failure": {"code": refusal.code, "message": refusal.message}}
    await webhooks.publish(tx, caller.owner_id, caller.mode, Event.MODEL_FAILED, data, now)


async def tell_goal_seek_ended(
    tx: Transaction,
    record: GoalSeekRecord,
    status: GoalSeekStatus,
    now: datetime,
    *,
    outcome: str | None = None,
    failure: dict[str, Any] | None = None,
) -> None:
    """Tell how a goal seek ended."""
    is_completed = status is GoalSeekStatus.COMPLETED
    data: dict[str, Any] = {
        "goal_seek_id": record.public_id,
        "model_id": record.model_public_id,
        "model_name": record.model_name,
        "status": status.value,
        "goal_seek_url": f"{GOAL_SEEKS_PATH}/{record.public_id}",
    } | ({"outcome": outcome} if is_completed else {"failure": failure})
    event = Event.GOAL_SEEK_COMPLETED if is_completed else Event.GOAL_SEEK_FAILED
    await webhooks.publish(tx, record.customer_id, record.mode, event, data, now)


async def _tell(
    tx: Transaction,
    run: Run,
    event: Event,
    status: RunStatus,
    completed: int,
    now: datetime,
    failure: dict[str, Any] | None = None,
) -> None:
    data: dict[str, Any] = {
        "simulation_id": run.public_id,
        "model_id": run.model_public_id,
        "model_name": run.model_name,
        "status": status.value,
        "iterations_total": run.iterations,
        "iterations_completed": completed,
        "percentage": round(100 * completed / run.iterations, 2),
        "batch_id": run.batch_public_id,
        "scenario_name": run.scenario_name,
        "progress_url": f"{RUNS_PATH}/{run.public_id}/progress",
    }
    if status is RunStatus.COMPLETED:
        data["results_url"] = f"{RUNS_PATH}/{run.public_id}/results"
    if failure is not None:
        data["failure"] = failure
    await webhooks.publish(
        tx, run.customer_id, run.mode, event, data, now, simulation_id=run.public_id, url=run.webhook_url
    )
