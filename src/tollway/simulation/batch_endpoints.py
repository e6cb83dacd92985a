"""Batches over HTTP: several runs ordered at once, and how they compare."""

from typing import Annotated, Any

from fastapi import APIRouter, Request
from fastapi import Path as PathPart
from fastapi.responses import JSONResponse, Response

from tollway.admission.operations import Outcome
from tollway.kit.db import Transaction
from tollway.kit.http import ReplayingRoute
from tollway.kit.openapi import IDEMPOTENCY_HEADER, problem_responses
from tollway.kit.paging import PAGE_SIZE, BadCursor
from tollway.kit.problems import FieldError, Invalid
from tollway.simulation import batch_flows, batch_operations, shapes, study_answers, study_shapes
from tollway.simulation.batch_bodies import BatchIn, ScenarioIn, merged_config
from tollway.simulation.endpoints import (
    STARTED,
    Cursor,
    Limit,
    TheWorkshop,
    ThisCall,
    read_variables,
    rules_of,
)
from tollway.simulation.entities import (
    ORDER_POINTER,
    RunOrder,
)
from tollway.simulation.mark_flows import DistributionReader
from tollway.simulation.studies import BadScenario, BatchNotFound, BatchOrder, BatchTooLong, Scenario
from tollway.webhooks.entities import UrlRules

router = APIRouter(prefix=shapes.PREFIX, route_class=ReplayingRoute, tags=["Monte Carlo API"])

BatchId = Annotated[str, PathPart(description="Of one of your batches.", examples=[study_answers.BATCH_ID])]


@router.post(
    "/simulations/batch",
    status_code=201,
    summary="Start a batch",
    response_model=study_answers.CreatedBatch,
    openapi_extra={"parameters": [IDEMPOTENCY_HEADER]},
    responses=problem_responses(BadScenario, BatchTooLong, *STARTED),
)
async def create_batch(request: Request, body: BatchIn, call: ThisCall, workshop: TheWorkshop) -> Response:
    """Start several runs on the same random numbers: all of them or none. Each counts one request."""
    order = await read_batch(body, rules_of(request), DistributionReader())
    outcome = await batch_flows.create_batch(workshop, call, order)
    return JSONResponse(outcome.body, status_code=201)


async def read_batch(body: BatchIn, rules: UrlRules, reader: DistributionReader) -> BatchOrder:
    """Check the scenarios one by one; all share the time for solving percentiles, as the inputs of one run do.

    Raises: what says which member of which scenario cannot be meant.
    """
    scenarios = [
        await _scenario(body, index, one, rules, reader) for index, one in enumerate(body.simulations)
    ]
    return BatchOrder(body.batch_name, scenarios, body.simulation_config.seed)


async def _scenario(
    body: BatchIn, index: int, given: ScenarioIn, rules: UrlRules, reader: DistributionReader
) -> Scenario:
    members, own = merged_config(body.simulation_config, given)

    def pointer(member: str) -> str:
        return f"/simulations/{index}/{member}" if member in own else f"{ORDER_POINTER}/{member}"

    if members["iterations"] is None:
        message = (
            f"Scenario {index} ({given.scenario_name!r}) has no number of iterations. Say how many in "
            "simulation_config.iterations, for all scenarios, or in the scenario itself."
        )
        raise BadScenario(message, errors=(FieldError(pointer("iterations"), "is missing"),))
    order = RunOrder(
        model_id=given.model_id,
        iterations=members["iterations"],
        inputs=await read_variables(members["variables"], pointer("variables"), reader),
        outputs=members["output_cells"],
        # The seed of all is not each one's own: where none is given, the one that is chosen must reach all.
        seed=given.seed if "seed" in own else None,
        webhook_url=_webhook_url(body, members["webhook_url"], pointer("webhook_url"), rules),
        **_plain(members),
    )
    return Scenario(given.scenario_name, order, index, own)


# Members of a configuration whose names and forms are those of an order.
_SAME_MEMBERS = ("confidence_levels", "sampling", "targets", "tolerance", "keep_samples")


def _plain(members: dict[str, Any]) -> dict[str, Any]:
    plain = {name: members[name] for name in _SAME_MEMBERS if name in members}
    return plain | {
        "correlations": [one.model_dump(exclude_none=True) for one in members["correlations"]],
        "stress": [one.model_dump() for one in members["stress"]],
    }


def _webhook_url(body: BatchIn, given: str | None, pointer: str, rules: UrlRules) -> str | None:
    """Check the address that a scenario tells: its own, that of all, or that of the batch."""
    for_all = None if body.webhook_url is None else rules.checked(body.webhook_url, "/webhook_url")
    if given is None:
        return for_all
    checked = rules.checked(given, pointer)
    if for_all is not None and checked != for_all and pointer.startswith(ORDER_POINTER):
        message = "`webhook_url` is given twice with different addresses; leave one of them out."
        raise Invalid(message, errors=(FieldError("/webhook_url", message),))
    return checked


@router.get(
    "/batches",
    summary="List batches",
    response_model=study_answers.Batches,
    responses=problem_responses(BadCursor),
)
async def list_batches(call: ThisCall, cursor: Cursor = None, limit: Limit = PAGE_SIZE) -> Response:
    """List your batches, newest first."""

    async def work(tx: Transaction) -> Outcome:
        page, runs = await batch_operations.list_batches(tx, call.caller, cursor, limit)
        batches = [study_shapes.listed_batch(one, runs[one.id]) for one in page.items]
        return Outcome(body={"batches": batches, "next_cursor": page.next_cursor})

    return await call.answer("read", work)


@router.get(
    "/batches/{batch_id}",
    summary="Get a batch",
    response_model=study_answers.WholeBatch,
    responses=problem_responses(BatchNotFound),
)
async def show_batch(batch_id: BatchId, call: ThisCall, workshop: TheWorkshop) -> Response:
    """Show how far the runs of a batch are; once all are over, how they compare with the first."""
    outcome = await batch_flows.show_batch(workshop, call, batch_id)
    return JSONResponse(outcome.body)
