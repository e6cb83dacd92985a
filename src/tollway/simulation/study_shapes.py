"""What batches, comparisons and goal seeks look like in JSON."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from tollway.simulation import shapes
from tollway.simulation.entities import Run
from tollway.simulation.operations import progress_url
from tollway.simulation.studies import Batch, Compared, GoalSeekRecord, standing_of

PREFIX = shapes.PREFIX


def created_batch(
    batch: Batch, runs: Sequence[Run], seed: int, seconds_ahead: float, now: datetime
) -> dict[str, Any]:
    """Shape the answer to a batch's creation; `seconds_ahead`: until it is done, roughly."""
    return {
        "batch_id": batch.public_id,
        "batch_name": batch.name,
        "simulations": [
            {
                "simulation_id": run.public_id,
                "scenario_name": run.scenario_name,
                "status": run.status.value,
                "progress_url": progress_url(run.public_id),
                "credits_consumed": run.credits_consumed,
                "seed": run.seed,
            }
            for run in runs
        ],
        "seed": seed,
        "estimated_completion": (now + timedelta(seconds=1 + seconds_ahead)).isoformat(),
        "batch_url": batch_url(batch.public_id),
    }


def batch_url(batch_id: str) -> str:
    """Return where a batch's standing is."""
    return f"{PREFIX}/batches/{batch_id}"


def listed_batch(batch: Batch, runs: Sequence[Run]) -> dict[str, Any]:
    """Shape one line of the list of batches."""
    return {
        "batch_id": batch.public_id,
        "batch_name": batch.name,
        "status": standing_of(list(runs)),
        "simulations_count": len(runs),
        "finished_count": sum(run.status.over for run in runs),
        "created_at": batch.created_at.isoformat(),
        "batch_url": batch_url(batch.public_id),
    }


def whole_batch(batch: Batch, runs: Sequence[Run], compared: Sequence[Compared]) -> dict[str, Any]:
    """Shape a batch with its runs, and how they compare with the first where they can be."""
    comparison_of_runs = None
    if compared:
        comparison_of_runs = {
            "base": _compared_run(compared[0].base),
            "others": [{"simulation": _compared_run(one.other)} | _what_differs(one) for one in compared],
        }
    return listed_batch(batch, runs) | {
        "simulations": [
            shapes.listed_run(run)
            | {"scenario_name": run.scenario_name, "seed": run.seed, "stress": run.stress}
            for run in runs
        ],
        "comparison": comparison_of_runs,
    }


def comparison(compared: Compared) -> dict[str, Any]:
    """Shape two runs beside each other."""
    return {
        "base": _compared_run(compared.base),
        "other": _compared_run(compared.other),
    } | _what_differs(compared)


def _compared_run(run: Run) -> dict[str, Any]:
    return {
        "simulation_id": run.public_id,
        "scenario_name": run.scenario_name,
        "model_id": run.model_public_id,
        "model_name": run.model_name,
        "status": run.status.value,
        "seed": run.seed,
        "sampling": run.sampling,
        "iterations_completed": run.iterations_completed,
        "stress": run.stress,
    }


def _what_differs(compared: Compared) -> dict[str, Any]:
    used = {one["base_index"] for one in compared.outputs}, {one["other_index"] for one in compared.outputs}
    return {
        "shares_random_numbers": compared.kinship.shares_random_numbers,
        "remark": compared.kinship.remark,
        "outputs": [
            {"cell": one["cell"], "cell_name": one["name"] or one["cell"], "differences": one["differences"]}
            for one in compared.outputs
        ],
        "only_in_base": _left_out(compared.base, used[0]),
        "only_in_other": _left_out(compared.other, used[1]),
    }


def _left_out(run: Run, used: set[int]) -> list[str]:
    return [one["cell"] for place, one in enumerate(run.outputs) if place not in used]


def goal_seek_url(goal_seek_id: str) -> str:
    """Return where a search's standing is."""
    return f"{PREFIX}/goal-seeks/{goal_seek_id}"


def created_goal_seek(record: GoalSeekRecord) -> dict[str, Any]:
    """Shape the answer to a search's creation."""
    return {
        "goal_seek_id": record.public_id,
        "status": record.status.value,
        "seed": record.question["seed"],
        "goal_seek_url": goal_seek_url(record.public_id),
    }


def whole_goal_seek(record: GoalSeekRecord) -> dict[str, Any]:
    """Shape a search with its question, and its answer once there is one."""
    return {
        "goal_seek_id": record.public_id,
        "model_id": record.model_public_id,
        "model_name": record.model_name,
        "status": record.status.value,
        "question": {
            name: value for name, value in record.question.items() if name not in UNTOLD_OF_QUESTION
        },
        "answer": record.answer,
        "failure": record.failure,
        "created_at": record.created_at.isoformat(),
        "finished_at": None if record.finished_at is None else record.finished_at.isoformat(),
        "expires_at": record.expires_at.isoformat(),
        "goal_seek_url": goal_seek_url(record.public_id),
    }


# What only the computation needs.
UNTOLD_OF_QUESTION = frozenset({"sought_index", "program_inputs", "seconds_per_iteration"})
