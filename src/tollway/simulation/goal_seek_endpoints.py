"""Goal seek over HTTP: at what number in a cell does a statistic of an output reach a goal."""

from typing import Annotated, Literal

from fastapi import APIRouter
from fastapi import Path as PathPart
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from tollway.admission.operations import Outcome
from tollway.kit.db import Transaction
from tollway.kit.http import ReplayingRoute
from tollway.kit.openapi import IDEMPOTENCY_HEADER, problem_responses
from tollway.kit.paging import PAGE_SIZE, BadCursor
from tollway.simulation import (
    goal_seek_flows,
    goal_seek_operations,
    shapes,
    study_answers,
    study_shapes,
)
from tollway.simulation.bodies import (
    CORRELATION,
    STRESS,
    VARIABLE,
    CorrelationIn,
    Number,
    Reference,
    StressIn,
    VariableIn,
    whole_number,
)
from tollway.simulation.endpoints import (
    COUNTED,
    REPLAYED,
    Cursor,
    Limit,
    OfModel,
    TheWorkshop,
    ThisCall,
    read_variables,
)
from tollway.simulation.entities import (
    CORRELATIONS_MAX,
    INPUTS_MAX,
    ITERATIONS_MIN,
    REFERENCE_LENGTH_MAX,
    SEED_MAX,
    InspectionBusy,
    IterationsOverPlan,
    ModelNotFound,
    NothingMarked,
    WorkbookDeleted,
)
from tollway.simulation.goal_seek_flows import SEEK_POINTERS
from tollway.simulation.refusals import REFUSALS, BadGoalSeek
from tollway.simulation.studies import (
    SEEK_ITERATIONS_MAX,
    SEEK_ITERATIONS_OFFERED,
    SEEK_TOLERANCE_OFFERED,
    STATISTIC_LENGTH_MAX,
    GoalSeekNotFound,
    GoalSeekOrder,
    GoalSeeksAtOnce,
    GoalSeekTooLong,
)

router = APIRouter(prefix=shapes.PREFIX, route_class=ReplayingRoute, tags=["Monte Carlo API"])

GoalSeekId = Annotated[
    str, PathPart(description="Of one of your goal seeks.", examples=[study_answers.GOAL_SEEK_ID])
]
SeekIterations = Annotated[int, Field(ge=ITERATIONS_MIN, le=SEEK_ITERATIONS_MAX)]


class _Body(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")


class SeekConfigIn(_Body):
    """What each trial computes. Variables may be left out where the model has them marked."""

    iterations: Annotated[
        int,
        Field(ge=ITERATIONS_MIN, le=SEEK_ITERATIONS_MAX),
        BeforeValidator(whole_number, json_schema_input_type=SeekIterations),
    ] = Field(SEEK_ITERATIONS_OFFERED, description="Of each trial; your plan may bound them further.")
    variables: Annotated[list[VariableIn], Field(max_length=INPUTS_MAX)] | None = Field(
        None, description="The cells whose numbers are drawn; else those marked.", examples=[[VARIABLE]]
    )
    seed: Annotated[int, Field(ge=0, le=SEED_MAX)] | None = Field(
        None, description="The same seed gives the same answer; else one is chosen.", examples=[7]
    )
    sampling: Literal["monte_carlo", "latin_hypercube", "sobol"] = Field(
        "monte_carlo", description="How draws are spread: see the [guide to simulation](/docs/simulation)."
    )
    correlations: Annotated[list[CorrelationIn], Field(max_length=CORRELATIONS_MAX)] = Field(
        default_factory=list, description="Of variables.", examples=[[CORRELATION]]
    )
    stress: Annotated[list[StressIn], Field(max_length=INPUTS_MAX)] = Field(
        default_factory=list,
        description="Inputs that are held in a part of their range.",
        examples=[[STRESS]],
    )


class GoalSeekIn(_Body):
    """A number to seek: in which cell, from where to where, and what an output shall reach with it."""

    model_id: Annotated[str, Field(min_length=1, max_length=REFERENCE_LENGTH_MAX)] = Field(
        description="Of one of your models.", examples=["MODEL_ID"]
    )
    cell: Reference = Field(
        description="A cell with a constant number, or one of the variables, which then has one number.",
        examples=["Risk!B7"],
    )
    low: Number = Field(description="The least number tried.", examples=[500_000])
    high: Number = Field(description="The largest number tried.", examples=[2_000_000])
    output_cell: Reference = Field(examples=["Risk!B16"])
    statistic: Annotated[str, Field(min_length=1, max_length=STATISTIC_LENGTH_MAX)] = Field(
        description="`mean`; a percentile such as `p5` or `p97.5`; or `probability` of `at_or_below`.",
        examples=["p5"],
    )
    at_or_below: Number | None = Field(
        None, description="The value whose probability is meant; only for `probability`."
    )
    goal: Number = Field(description="What the statistic shall be.", examples=[1_000_000])
    tolerance: Number = Field(
        SEEK_TOLERANCE_OFFERED, description="How closely the number is sought, as a share of `high` - `low`."
    )
    simulation_config: SeekConfigIn = Field(
        default_factory=SeekConfigIn, examples=[{"iterations": 20_000, "seed": 7}]
    )


@router.post(
    "/goal-seeks",
    status_code=202,
    summary="Seek a goal",
    response_model=study_answers.CreatedGoalSeek,
    openapi_extra={"parameters": [IDEMPOTENCY_HEADER]},
    responses=problem_responses(
        *COUNTED,
        *REPLAYED,
        BadGoalSeek,
        ModelNotFound,
        WorkbookDeleted,
        IterationsOverPlan,
        NothingMarked,
        GoalSeekTooLong,
        GoalSeeksAtOnce,
        InspectionBusy,
        *REFUSALS.values(),
    ),
)
async def create_goal_seek(body: GoalSeekIn, call: ThisCall, workshop: TheWorkshop) -> Response:
    """Seek the number in a cell at which a statistic of an output reaches a goal. Counts one request."""
    config = body.simulation_config
    order = GoalSeekOrder(
        model_id=body.model_id,
        cell=body.cell,
        low=body.low,
        high=body.high,
        output=body.output_cell,
        statistic=body.statistic,
        at_or_below=body.at_or_below,
        goal=body.goal,
        tolerance=body.tolerance,
        iterations=config.iterations,
        inputs=await read_variables(config.variables, SEEK_POINTERS["inputs"]),
        seed=config.seed,
        sampling=config.sampling,
        correlations=[one.model_dump(exclude_none=True) for one in config.correlations],
        stress=[one.model_dump() for one in config.stress],
    )
    outcome = await goal_seek_flows.create_goal_seek(workshop, call, order)
    return JSONResponse(outcome.body, status_code=202)


@router.get(
    "/goal-seeks",
    summary="List goal seeks",
    response_model=study_answers.GoalSeeks,
    responses=problem_responses(ModelNotFound, BadCursor),
)
async def list_goal_seeks(
    call: ThisCall, cursor: Cursor = None, limit: Limit = PAGE_SIZE, model_id: OfModel = None
) -> Response:
    """List your goal seeks, newest first; of one model where `model_id` is given."""

    async def work(tx: Transaction) -> Outcome:
        page = await goal_seek_operations.list_goal_seeks(tx, call.caller, cursor, limit, model_id=model_id)
        seeks = [study_shapes.whole_goal_seek(one) for one in page.items]
        return Outcome(body={"goal_seeks": seeks, "next_cursor": page.next_cursor})

    return await call.answer("read", work)


@router.get(
    "/goal-seeks/{goal_seek_id}",
    summary="Get a goal seek",
    response_model=study_answers.WholeGoalSeek,
    responses=problem_responses(GoalSeekNotFound),
)
async def show_goal_seek(goal_seek_id: GoalSeekId, call: ThisCall) -> Response:
    """Show a goal seek: its question, and its answer once it is completed."""

    async def work(tx: Transaction) -> Outcome:
        found = await goal_seek_operations.get_goal_seek(tx, call.caller, goal_seek_id)
        return Outcome(body=study_shapes.whole_goal_seek(found))

    return await call.answer("read", work)
