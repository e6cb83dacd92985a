"""Goal seek: `/models/{model_id}/goal-seek` asks, `/studies/goal-seeks/{goal_seek_id}` shows the answer."""

from dataclasses import dataclass, field

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.datastructures import FormData

from tollway.kit.http import ReplayingRoute, refuse_cross_site
from tollway.kit.problems import NotFound, Problem
from tollway.simulation import goal_seek_flows, goal_seek_operations
from tollway.simulation import operations as simulation
from tollway.simulation.entities import (
    ITERATIONS_MIN,
    REFERENCE_LENGTH_MAX,
    SAMPLING_METHODS,
    SEED_MAX,
    Model,
)
from tollway.simulation.studies import (
    SEEK_ITERATIONS_MAX,
    SEEK_ITERATIONS_OFFERED,
    SEEK_TOLERANCE_OFFERED,
    STATISTIC_LENGTH_MAX,
    GoalSeekOrder,
)
from tollway.web.customer.model_pages import workshop_of
from tollway.web.pages import Page, SignedIn, Working, html, redirect
from tollway.web.study_forms import iterations_of, number_of, seed_of
from tollway.web.study_views import goal_seek_view

STATISTICS = (
    ("mean", "Mean"),
    ("p1", "1st percentile"),
    ("p5", "5th percentile"),
    ("p10", "10th percentile"),
    ("p25", "25th percentile"),
    ("p50", "Median"),
    ("p75", "75th percentile"),
    ("p90", "90th percentile"),
    ("p95", "95th percentile"),
    ("p99", "99th percentile"),
    ("probability", "Probability of a value or less"),
)
# Names of the form's fields that the API calls otherwise.
_FIELD_NAMES = {"output_cell": "output"}

router = APIRouter(route_class=ReplayingRoute, include_in_schema=False)


@dataclass(slots=True)
class Draft:
    """The form: what was typed, and what is wrong with it."""

    cell: str = ""
    low: str = ""
    high: str = ""
    output: str = ""
    statistic: str = "mean"
    at_or_below: str = ""
    goal: str = ""
    iterations: str = str(SEEK_ITERATIONS_OFFERED)
    seed: str = ""
    errors: dict[str, str] = field(default_factory=dict)


@router.get("/models/{model_id}/goal-seek")
async def ask_goal(request: Request, page: Working, model_id: str) -> Response:
    """Show the form."""
    async with page.database.transaction() as tx:
        model = await simulation.get_model(tx, page.caller, model_id)
    return await _form_page(request, page, model, Draft(output=next(iter(model.output_cells), "")))


@router.post("/models/{model_id}/goal-seek")
async def start_goal_seek(request: Request, page: Working, model_id: str) -> Response:
    """Start a goal seek; what is wrong is said beside its field."""
    refuse_cross_site(request)
    form = await request.form(max_files=0)
    async with page.database.transaction() as tx:
        model = await simulation.get_model(tx, page.caller, model_id)
    draft = _draft_of(form)
    order = _read_order(model, draft)
    if order is None:
        return await _form_page(request, page, model, draft, status=422)
    try:
        outcome = await goal_seek_flows.create_goal_seek(workshop_of(request), page.call(), order)
    except Problem as problem:
        if problem.status >= 500 or isinstance(problem, NotFound):
            raise
        _place_errors(draft, problem)
        return await _form_page(request, page, model, draft, status=problem.status)
    return redirect(f"/studies/goal-seeks/{outcome.body['goal_seek_id']}")


def _draft_of(form: FormData) -> Draft:
    def text(name: str) -> str:
        return str(form.get(name, "")).strip()

    return Draft(
        cell=text("cell"),
        low=text("low"),
        high=text("high"),
        output=text("output"),
        statistic=text("statistic"),
        at_or_below=text("at_or_below"),
        goal=text("goal"),
        iterations=text("iterations"),
        seed=text("seed"),
    )


def _read_order(model: Model, draft: Draft) -> GoalSeekOrder | None:
    """Read the form, or leave what is wrong with it in `draft` and return None."""
    for name in ("cell", "output"):
        if not getattr(draft, name):
            draft.errors[name] = "Name a cell, such as Inputs!B4."
        elif len(getattr(draft, name)) > REFERENCE_LENGTH_MAX:
            draft.errors[name] = f"A cell has at most {REFERENCE_LENGTH_MAX} characters, its sheet included."
    numbers = {name: number_of(getattr(draft, name)) for name in ("low", "high", "goal", "at_or_below")}
    if draft.statistic != "probability":
        # What stood in a field that no longer matters is no fault.
        numbers["at_or_below"] = None
    for name, number in numbers.items():
        if number is None and (name != "at_or_below" or draft.statistic == "probability"):
            draft.errors[name] = "Enter a number."
    if draft.statistic not in dict(STATISTICS) or len(draft.statistic) > STATISTIC_LENGTH_MAX:
        draft.errors["statistic"] = "Choose one of the list."
    iterations = iterations_of(draft.iterations)
    if iterations is None or not ITERATIONS_MIN <= iterations <= SEEK_ITERATIONS_MAX:
        draft.errors["iterations"] = (
            f"Enter a whole number from {ITERATIONS_MIN:,} to {SEEK_ITERATIONS_MAX:,}."
        )
    seed = seed_of(draft.seed)
    if draft.seed and seed is None:
        draft.errors["seed"] = f"Enter a whole number from 0 to {SEED_MAX:,}, or leave it empty."
    low, high, goal = numbers["low"], numbers["high"], numbers["goal"]
    if draft.errors or low is None or high is None or goal is None or iterations is None:
        return None
    return GoalSeekOrder(
        model_id=model.public_id,
        cell=draft.cell,
        low=low,
        high=high,
        output=draft.output,
        statistic=draft.statistic,
        at_or_below=numbers["at_or_below"],
        goal=goal,
        tolerance=SEEK_TOLERANCE_OFFERED,
        iterations=iterations,
        inputs=None,
        seed=seed,
        sampling=SAMPLING_METHODS[0],
        correlations=[],
        stress=[],
    )


def _place_errors(draft: Draft, problem: Problem) -> None:
    for one in problem.errors:
        name = one.pointer.rpartition("/")[2]
        name = _FIELD_NAMES.get(name, name)
        draft.errors[name if hasattr(draft, name) else "form"] = one.message
    if not draft.errors:
        draft.errors["form"] = problem.message


async def _form_page(request: Request, page: Page, model: Model, draft: Draft, status: int = 200) -> Response:
    async with page.database.transaction() as tx:
        shell, entitlement = await page.shell(tx)
    return html(
        request,
        "customer/goal_seek_ask.html",
        status=status,
        shell=shell,
        model={"id": model.public_id, "name": model.name},
        inputs_count=len(model.inputs),
        draws_itself=model.draws_itself,
        numbers=[
            (one["cell"], one["name"] or "", one["current_value"])
            for one in model.inspection["variables_detected"]
        ],
        outputs=list(
            dict.fromkeys(
                [*model.output_cells, *(one["cell"] for one in model.inspection["outputs_detected"])]
            )
        ),
        statistics=STATISTICS,
        draft=draft,
        iterations_max=min(SEEK_ITERATIONS_MAX, entitlement.limits.iterations_max),
    )


@router.get("/studies/goal-seeks/{goal_seek_id}")
async def show_goal_seek(request: Request, page: SignedIn, goal_seek_id: str) -> Response:
    """Show a goal seek: that it is computed, or its answer."""
    async with page.database.transaction() as tx:
        shell, _ = await page.shell(tx)
        record = await goal_seek_operations.get_goal_seek(tx, page.caller, goal_seek_id)
    return html(request, "customer/goal_seek.html", shell=shell, seek=goal_seek_view(record))
