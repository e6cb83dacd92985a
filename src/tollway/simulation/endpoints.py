"""The Monte Carlo API over HTTP."""

import asyncio
import contextlib
import json
import resource
import shutil
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi import Path as PathPart
from fastapi.responses import JSONResponse, Response, StreamingResponse
from starlette.datastructures import FormData, UploadFile

from tollway.admission.operations import Call, Outcome, call_of
from tollway.engine import EngineError
from tollway.kit.clock import read_now
from tollway.kit.db import Transaction
from tollway.kit.http import ReplayingRoute
from tollway.kit.idempotency import BadIdempotencyKey, IdempotencyKeyReused
from tollway.kit.openapi import IDEMPOTENCY_HEADER, problem_responses
from tollway.kit.paging import PAGE_SIZE, PAGE_SIZE_MAX, BadCursor
from tollway.kit.problems import FieldError, Invalid, Problem, TooLarge
from tollway.metering.entities import DailyLimitReached, QuotaUsedUp, SpendingCapReached
from tollway.plans.entities import FeatureNotIncluded, FreeTrialEnded
from tollway.simulation import answers, flows, operations, shapes
from tollway.simulation.bodies import (
    DESCRIPTION_LENGTH_MAX,
    NAME_LENGTH_MAX,
    TAG_LENGTH_MAX,
    TAGS_MAX,
    UPLOAD_FORM,
    ModelIn,
    SimulationIn,
    VariableIn,
)
from tollway.simulation.downloads import SamplesOverPlan
from tollway.simulation.entities import (
    BadUpload,
    InputMark,
    InspectionBusy,
    IterationsOverPlan,
    ModelHasRuns,
    ModelNotFound,
    NothingMarked,
    ResultsDeleted,
    RunFailed,
    RunIsOver,
    RunNotFinished,
    RunNotFound,
    RunOrder,
    RunsAtOnce,
    StreamsAtOnce,
    UnsupportedFileType,
    WorkbookDeleted,
)
from tollway.simulation.flows import Upload, Workshop
from tollway.simulation.mark_flows import DistributionReader
from tollway.simulation.refusals import (
    REFUSALS,
    BadCorrelation,
    BadDistribution,
    BadInputCell,
    BadOutputCell,
    refused_distribution,
)
from tollway.webhooks.entities import UrlRules, WebhookUrlRefused

API_VERSION = "1.0.0"
FORM_FIELDS_MAX = TAGS_MAX + 5
FORM_FIELD_BYTES_MAX = 10_000

router = APIRouter(prefix=shapes.PREFIX, route_class=ReplayingRoute, tags=["Monte Carlo API"])
_started = time.monotonic()

ThisCall = Annotated[Call, Depends(call_of)]
Limit = Annotated[int, Query(ge=1, le=PAGE_SIZE_MAX, description="How many at most.")]


def workshop_of(request: Request) -> Workshop:
    """Give an endpoint the parts that the application was joined from."""
    workshop = request.app.state.workshop
    assert isinstance(workshop, Workshop), "app.py puts the workshop into the application's state"
    return workshop


TheWorkshop = Annotated[Workshop, Depends(workshop_of)]
ModelId = Annotated[str, PathPart(description="Of one of your models.", examples=[answers.MODEL_ID])]
RunId = Annotated[str, PathPart(description="Of one of your runs.", examples=[answers.RUN_ID])]
OfModel = Annotated[str | None, Query(description="Of one of your models: list its runs alone.")]
Cursor = Annotated[str | None, Query(description="The `next_cursor` of the page before.")]

# How calls that count against the quota, and calls that may be repeated, are refused.
COUNTED = (FreeTrialEnded, QuotaUsedUp, SpendingCapReached, DailyLimitReached)
REPLAYED = (BadIdempotencyKey, IdempotencyKeyReused)
# What may be wrong with whatever starts runs.
STARTED: tuple[type[Problem], ...] = (
    *COUNTED,
    *REPLAYED,
    ModelNotFound,
    WorkbookDeleted,
    IterationsOverPlan,
    NothingMarked,
    RunsAtOnce,
    InspectionBusy,
    WebhookUrlRefused,
    FeatureNotIncluded,
    SamplesOverPlan,
    *REFUSALS.values(),
)


# --- health --------------------------------------------------------------------------------------------


@router.get("/health", summary="Check the service", response_model=answers.Health)
async def show_health(workshop: TheWorkshop) -> JSONResponse:
    """Say that the service works, without a key."""
    async with workshop.database.transaction() as tx:
        active = await operations.count_under_way(tx)
    return JSONResponse(
        {
            "status": "healthy",
            "timestamp": read_now().isoformat(),
            "version": API_VERSION,
            "gpu_available": False,
            "system_metrics": {
                "uptime": round(time.monotonic() - _started, 1),
                "memory_usage": memory_mb(),
                "active_simulations": active,
            },
        }
    )


def memory_mb() -> float:
    """Return how much memory this process holds, in megabytes."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return round(pages * resource.getpagesize() / 1e6, 1)
    except OSError:
        # Not on Linux: the most it ever held is the closest that is told.
        return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3, 1)


# --- models --------------------------------------------------------------------------------------------


@router.post(
    "/models",
    status_code=201,
    summary="Upload a workbook",
    response_model=answers.UploadedModel,
    openapi_extra={"requestBody": UPLOAD_FORM, "parameters": [IDEMPOTENCY_HEADER]},
    responses=problem_responses(
        *COUNTED, *REPLAYED, BadUpload, UnsupportedFileType, InspectionBusy, *REFUSALS.values()
    ),
)
async def upload_model(request: Request, call: ThisCall, workshop: TheWorkshop) -> Response:
    """Upload a workbook (.xlsx or .xlsm); its formulas are counted and inputs and outputs suggested."""
    async with _received_form(request, call, workshop) as form:
        file = _only_file(form)
        with tempfile.TemporaryDirectory(prefix="tollway-upload-") as folder:
            path = Path(folder) / "workbook"
            await asyncio.to_thread(_copy, file, path)
            upload = Upload(
                path=path,
                filename=file.filename or "",
                name=_text(form, "model_name", NAME_LENGTH_MAX),
                description=_text(form, "description", DESCRIPTION_LENGTH_MAX),
                tags=_tags(form),
            )
            outcome = await flows.upload_model(workshop, call, upload)
    return JSONResponse(outcome.body, status_code=201)


@contextlib.asynccontextmanager
async def _received_form(request: Request, call: Call, workshop: Workshop) -> AsyncIterator[FormData]:
    """Receive the form, its file onto disk; a body that never said how long it is ends at the plan's limit."""
    try:
        form = await request.form(max_files=2, max_fields=FORM_FIELDS_MAX, max_part_size=FORM_FIELD_BYTES_MAX)
    except TooLarge as failure:
        raise await flows.over_plan_size(workshop, call) from failure
    try:
        yield form
    finally:
        await form.close()


def _only_file(form: FormData) -> UploadFile:
    files = [value for _, value in form.multi_items() if isinstance(value, UploadFile)]
    if len(files) != 1:
        found = "no file" if not files else f"{len(files)} files"
        raise BadUpload(
            f"The request holds {found}; send multipart/form-data with one file in the field `file`.",
            errors=(FieldError("/file", "one .xlsx or .xlsm file"),),
        )
    return files[0]


def _copy(file: UploadFile, path: Path) -> None:
    with path.open("wb") as copied:
        shutil.copyfileobj(file.file, copied)


def _text(form: FormData, name: str, length_max: int) -> str:
    value = form.get(name, "")
    if not isinstance(value, str) or len(value) > length_max:
        raise Invalid(
            f"`{name}` must be text of at most {length_max:,} characters.",
            errors=(FieldError(f"/{name}", f"text of at most {length_max:,} characters"),),
        )
    return value


def _tags(form: FormData) -> tuple[str, ...]:
    texts = [value for value in form.getlist("tags") if isinstance(value, str)]
    tags = tuple(tag.strip() for text in texts for tag in text.split(",") if tag.strip())
    if len(tags) > TAGS_MAX or any(len(tag) > TAG_LENGTH_MAX for tag in tags):
        raise Invalid(
            f"`tags` may hold {TAGS_MAX} tags of {TAG_LENGTH_MAX} characters, separated by commas.",
            errors=(FieldError("/tags", f"at most {TAGS_MAX} of {TAG_LENGTH_MAX} characters"),),
        )
    return tags


@router.get(
    "/models", summary="List models", response_model=answers.Models, responses=problem_responses(BadCursor)
)
async def list_models(call: ThisCall, cursor: Cursor = None, limit: Limit = PAGE_SIZE) -> Response:
    """List your models, newest first."""

    async def work(tx: Transaction) -> Outcome:
        page = await operations.list_models(tx, call.caller, cursor, limit)
        models = [shapes.listed_model(one) for one in page.items]
        return Outcome(body={"models": models, "next_cursor": page.next_cursor})

    return await call.answer("read", work)


@router.get(
    "/models/{model_id}",
    summary="Get a model",
    response_model=answers.WholeModel,
    responses=problem_responses(ModelNotFound),
)
async def get_model(model_id: ModelId, call: ThisCall) -> Response:
    """Show one model with its marked inputs and outputs."""

    async def work(tx: Transaction) -> Outcome:
        return Outcome(body=shapes.whole_model(await operations.get_model(tx, call.caller, model_id)))

    return await call.answer("read", work)


@router.put(
    "/models/{model_id}",
    summary="Change a model",
    response_model=answers.WholeModel,
    responses=problem_responses(
        ModelNotFound,
        WorkbookDeleted,
        BadDistribution,
        BadInputCell,
        BadOutputCell,
        BadCorrelation,
        InspectionBusy,
    ),
)
async def change_model(model_id: ModelId, body: ModelIn, call: ThisCall, workshop: TheWorkshop) -> Response:
    """Change name, description, tags, or the marked inputs, outputs and correlations."""
    outcome = await flows.change_model(
        workshop,
        call,
        model_id,
        name=body.model_name,
        description=body.description,
        tags=body.tags,
        inputs=await read_marks(body.inputs, "/inputs"),
        outputs=body.outputs,
        correlations=None
        if body.correlations is None
        else [one.model_dump(exclude_none=True) for one in body.correlations],
    )
    return JSONResponse(outcome.body)


@router.delete(
    "/models/{model_id}",
    summary="Delete a model",
    response_model=answers.DeletedModel,
    responses=problem_responses(ModelNotFound, ModelHasRuns),
)
async def delete_model(model_id: ModelId, call: ThisCall, *, delete_runs: bool = False) -> Response:
    """Delete a model with its workbook; its runs too where `delete_runs` is true."""

    async def work(tx: Transaction) -> Outcome:
        runs = await operations.delete_model(tx, call.caller, model_id, delete_runs=delete_runs, now=call.now)
        return Outcome(
            body={"message": "Model deleted successfully", "model_id": model_id, "runs_deleted": runs}
        )

    return await call.answer("change", work)


async def read_marks(
    given: list[VariableIn] | None, pointer: str, reader: DistributionReader | None = None
) -> list[InputMark] | None:
    """Check each distribution before any workbook is opened, beside the server's other work.

    Args:
        given: the inputs; None stays None.
        pointer: where they stand in the body.
        reader: one of its own where what else is read shares its time.

    Raises: what says which distribution cannot be meant; BadDistribution for those that take too long to solve.
    """
    shared = reader or DistributionReader()
    return None if given is None else await asyncio.to_thread(_read_marks, given, pointer, shared)


async def read_variables(
    given: list[VariableIn] | None, pointer: str, reader: DistributionReader | None = None
) -> list[InputMark] | None:
    """Check the inputs of a run; to name none is to leave them to the model. Raises: what `read_marks` raises."""
    return await read_marks(given, pointer, reader) or None


def _read_marks(given: list[VariableIn], pointer: str, reader: DistributionReader) -> list[InputMark]:
    marks = []
    for index, one in enumerate(given):
        try:
            distribution = reader.read(one.distribution)
        except EngineError as refused:
            raise refused_distribution(refused, one.cell, f"{pointer}/{index}") from refused
        marks.append(InputMark(one.cell, distribution.as_json(), one.name))
    return marks


# --- runs ----------------------------------------------------------------------------------------------


@router.post(
    "/simulations",
    status_code=201,
    summary="Start a run",
    response_model=answers.CreatedRun,
    openapi_extra={"parameters": [IDEMPOTENCY_HEADER]},
    responses=problem_responses(*STARTED),
)
async def create_simulation(
    request: Request, body: SimulationIn, call: ThisCall, workshop: TheWorkshop
) -> Response:
    """Start a run. Variables and outputs that are left out are those the model has marked."""
    config = body.simulation_config
    order = RunOrder(
        model_id=body.model_id,
        iterations=config.iterations,
        inputs=await read_variables(config.variables, flows.ORDER_POINTERS[0]),
        outputs=config.output_cells,
        confidence_levels=config.confidence_levels,
        targets=config.targets,
        tolerance=config.tolerance,
        keep_samples=config.keep_samples,
        seed=config.seed,
        sampling=config.sampling,
        correlations=[one.model_dump(exclude_none=True) for one in config.correlations],
        stress=[one.model_dump() for one in config.stress],
        webhook_url=_webhook_url(body, rules_of(request)),
    )
    outcome = await flows.create_run(workshop, call, order)
    return JSONResponse(outcome.body, status_code=201)


def _webhook_url(body: SimulationIn, rules: UrlRules) -> str | None:
    """Check the one address that a run may name, in either of its two places."""
    given = {
        pointer: url
        for pointer, url in (
            ("/simulation_config/webhook_url", body.simulation_config.webhook_url),
            ("/webhook_url", body.webhook_url),
        )
        if url is not None
    }
    checked = [rules.checked(url, pointer) for pointer, url in given.items()]
    if len(set(checked)) > 1:
        message = (
            "`webhook_url` is given twice with different addresses; a run has one. Leave one of them out."
        )
        raise Invalid(message, errors=(FieldError("/webhook_url", message),))
    return checked[0] if checked else None


def rules_of(request: Request) -> UrlRules:
    """Say where this installation delivers to."""
    rules = request.app.state.post_room.sender.rules
    assert isinstance(rules, UrlRules), "app.py puts the post room into the application's state"
    return rules


@router.get(
    "/simulations",
    summary="List runs",
    response_model=answers.Runs,
    responses=problem_responses(ModelNotFound, BadCursor),
)
async def list_simulations(
    call: ThisCall, cursor: Cursor = None, limit: Limit = PAGE_SIZE, model_id: OfModel = None
) -> Response:
    """List your runs, newest first; of one model where `model_id` is given."""

    async def work(tx: Transaction) -> Outcome:
        page = await operations.list_runs(tx, call.caller, cursor, limit, model_id=model_id)
        runs = [shapes.listed_run(one) for one in page.items]
        return Outcome(body={"simulations": runs, "next_cursor": page.next_cursor})

    return await call.answer("read", work)


@router.get(
    "/simulations/{simulation_id}/progress",
    summary="Follow a run",
    response_model=answers.Progress,
    responses=problem_responses(RunNotFound, StreamsAtOnce)
    | {200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
)
async def show_progress(
    simulation_id: RunId, request: Request, call: ThisCall, workshop: TheWorkshop
) -> Response:
    """Say how far a run is; with `Accept: text/event-stream` as server-sent events until it is over."""
    streamed = "text/event-stream" in request.headers.get("accept", "")

    async def work(tx: Transaction) -> Outcome:
        run = await operations.get_run(tx, call.caller, simulation_id)
        if not streamed:
            return Outcome(body=shapes.progress(run, memory_mb(), call.now))
        workshop.feed.assert_room(call.caller.owner_id)
        events = _events(flows.watch_run(workshop, call.caller, run, call.is_still_allowed))
        return Outcome(response=StreamingResponse(events, media_type="text/event-stream"))

    return await call.answer("read", work)


async def _events(changes: AsyncIterator[Any]) -> AsyncIterator[str]:
    """Write each change as an event, silence as a comment, and the end as `done`."""
    last = ""
    try:
        async for run in changes:
            if run is None:
                yield ": still here\n\n"
                continue
            last = json.dumps(shapes.progress(run, memory_mb(), read_now()))
            yield f"event: progress\ndata: {last}\n\n"
            over = run.status.over
        # A server that stops closes the stream without `done`: the client comes back and reads on.
        if last and over:
            yield f"event: done\ndata: {last}\n\n"
    except RunNotFound:
        yield 'event: done\ndata: {"status": "deleted"}\n\n'


@router.get(
    "/simulations/{simulation_id}/results",
    summary="Get results",
    response_model=answers.Results,
    responses=problem_responses(RunNotFound, ResultsDeleted, RunNotFinished, RunFailed),
)
async def show_results(simulation_id: RunId, call: ThisCall) -> Response:
    """Show the results of a run that is over; of a cancelled one, of what was done."""

    async def work(tx: Transaction) -> Outcome:
        run = await operations.get_finished_run(tx, call.caller, simulation_id)
        # Plain types already: looking through megabytes of them for others would hold up the server for seconds.
        return Outcome(response=JSONResponse(shapes.results(run, call.now)))

    return await call.answer("read", work)


@router.delete(
    "/simulations/{simulation_id}",
    summary="Cancel a run",
    response_model=answers.Cancelled,
    responses=problem_responses(RunNotFound, RunIsOver),
)
async def cancel_simulation(simulation_id: RunId, call: ThisCall) -> Response:
    """Stop a run; what was done is kept and summarised."""

    async def work(tx: Transaction) -> Outcome:
        await operations.cancel_run(tx, call.caller, simulation_id, call.now)
        return Outcome(body={"message": "Simulation cancelled successfully"})

    return await call.answer("change", work)
