"""Runs beside each other: their summaries, and where they share their random numbers the first iterations in pairs."""

import asyncio
from collections.abc import Sequence
from typing import Any

from tollway.admission.operations import Call, Outcome
from tollway.customers.callers import Caller
from tollway.engine import Points
from tollway.engine.comparison import Pairs, compare_outputs, matched_outputs
from tollway.kit.db import Transaction
from tollway.kit.problems import FieldError
from tollway.simulation import operations, study_shapes
from tollway.simulation.entities import Run
from tollway.simulation.flows import Workshop
from tollway.simulation.points import read_points
from tollway.simulation.studies import Compared, NothingToCompare, kinship_of


async def get_comparison(workshop: Workshop, caller: Caller, base_id: str, other_id: str) -> Compared:
    """Compare two finished runs of a caller.

    Raises: RunNotFound, RunNotFinished, RunFailed, ResultsDeleted, NothingToCompare.
    """
    async with workshop.database.transaction() as tx:
        base = await operations.get_finished_run(tx, caller, base_id)
        other = await operations.get_finished_run(tx, caller, other_id)
    if base.id == other.id:
        raise NothingToCompare(
            "Both ids are of the same run. Name two runs: of the same model with something changed, or of two models "
            "that have an output in common.",
        )
    [compared] = await _compared(workshop, base, [other])
    if not compared.outputs:
        cells = ", ".join(one["cell"] for one in base.outputs[:5])
        raise NothingToCompare(
            f"The runs have no output in common: {base.public_id} has {cells}, and {other.public_id} has no output of "
            "the same cell or label. Compare runs that watch the same result.",
            errors=(FieldError("/other_id", "a run with an output of the same cell or label"),),
        )
    return compared


async def compare_batch(workshop: Workshop, runs: Sequence[Run]) -> list[Compared]:
    """Compare the runs of a batch with its first one; nothing until all are over and two can be read.

    A run that failed or whose results were deleted is left out; if that is the first, the next one takes its place.
    """
    if not all(run.status.over for run in runs):
        return []
    readable = [run for run in runs if run.readable and run.results]
    return await _compared(workshop, readable[0], readable[1:]) if len(readable) > 1 else []


async def _compared(workshop: Workshop, base: Run, others: Sequence[Run]) -> list[Compared]:
    """Compare runs whose results can be read with one of them; pictures of the first iterations are read once each."""
    base_points: Points | None = None
    is_read = False
    found: list[Compared] = []
    for other in others:
        kinship = kinship_of(base, other)
        other_points: Points | None = None
        if kinship.shares_random_numbers:
            if not is_read:
                base_points, is_read = await read_points(workshop.blobs, base), True
            other_points = await read_points(workshop.blobs, other)
        # A batch of many outputs takes seconds, in which the server goes on serving.
        outputs = await asyncio.to_thread(_outputs, base, base_points, other, other_points)
        found.append(Compared(base, other, kinship, outputs))
    return found


def _outputs(
    base: Run, base_points: Points | None, other: Run, other_points: Points | None
) -> list[dict[str, Any]]:
    """Compare the outputs of two runs, in pairs where the points of both are given."""
    pairs = _pairs(base, base_points, other, other_points)
    outputs = compare_outputs(base.results or [], other.results or [], pairs, base.iterations_completed)
    return [one.as_json() for one in outputs]


def _pairs(
    base: Run, base_points: Points | None, other: Run, other_points: Points | None
) -> dict[tuple[int, int], Pairs]:
    """Put the first iterations of matching outputs side by side; none for runs of before they were kept."""
    if base_points is None or other_points is None:
        return {}
    return {
        (first, second): Pairs(
            base_points.output_values[first],
            other_points.output_values[second],
            base_points.output_errors[first],
            other_points.output_errors[second],
        )
        for first, second in matched_outputs(base.results or [], other.results or [])
    }


async def show_comparison(workshop: Workshop, call: Call, base_id: str, other_id: str) -> Outcome:
    """Compare two finished runs for the API. Raises: as `get_comparison`."""
    compared = await get_comparison(workshop, call.caller, base_id, other_id)

    async def work(_tx: Transaction) -> Outcome:
        return Outcome(body=study_shapes.comparison(compared))

    return await call.perform("read", work)
