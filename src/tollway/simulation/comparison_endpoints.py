"""Two runs beside each other, over HTTP."""

from typing import Annotated

from fastapi import APIRouter
from fastapi import Path as PathPart
from fastapi.responses import JSONResponse, Response

from tollway.kit.http import ReplayingRoute
from tollway.kit.openapi import problem_responses
from tollway.simulation import comparison_flows, shapes, study_answers
from tollway.simulation.endpoints import RunId, TheWorkshop, ThisCall
from tollway.simulation.entities import ResultsDeleted, RunFailed, RunNotFinished, RunNotFound
from tollway.simulation.studies import NothingToCompare

router = APIRouter(prefix=shapes.PREFIX, route_class=ReplayingRoute, tags=["Monte Carlo API"])

OtherId = Annotated[
    str, PathPart(description="Of another one of your runs.", examples=[study_answers.OTHER_RUN_ID])
]


@router.get(
    "/simulations/{simulation_id}/compare/{other_id}",
    summary="Compare two runs",
    response_model=study_answers.Comparison,
    responses=problem_responses(RunNotFound, ResultsDeleted, RunNotFinished, RunFailed, NothingToCompare),
)
async def compare_runs(
    simulation_id: RunId, other_id: OtherId, call: ThisCall, workshop: TheWorkshop
) -> Response:
    """Compare the outputs that two finished runs have in common; differences are the other's less the first one's."""
    outcome = await comparison_flows.show_comparison(workshop, call, simulation_id, other_id)
    return JSONResponse(outcome.body)
