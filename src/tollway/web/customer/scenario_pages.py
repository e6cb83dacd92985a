"""`/models/{model_id}/scenarios`: run what is marked as it is, and beside it with something changed."""

import asyncio
import re
from dataclasses import dataclass, field, replace
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.datastructures import FormData

from tollway.engine import EngineError
from tollway.engine.sampling.stress import check_percentiles
from tollway.kit.http import ReplayingRoute, refuse_cross_site
from tollway.kit.problems import NotFound, Problem
from tollway.simulation import batch_flows
from tollway.simulation import operations as simulation
from tollway.simulation.entities import (
    ITERATIONS_MIN,
    SAMPLING_METHODS,
    SEED_MAX,
    InputMark,
    Model,
    Run,
    RunOrder,
)
from tollway.simulation.mark_flows import DistributionReader
from tollway.simulation.studies import SCENARIOS_MAX, STUDY_NAME_LENGTH_MAX, BatchOrder, Scenario
from tollway.web.customer.correlation_views import rows_of_run
from tollway.web.customer.model_pages import workshop_of
from tollway.web.distributions import in_words_of_the_form, read_distribution, shown_distribution, shown_input
from tollway.web.pages import Page, Working, html, redirect
from tollway.web.study_forms import confidence_levels, iterations_of, seed_of

ITERATIONS_OFFERED = 100_000
BASE_NAME = "As marked"
ROWS_OFFERED = 4
CHANGE_LENGTH_MAX = 1_000
# The two ends that one click holds an input in.
TAILS = (("0..10", "lowest tenth"), ("90..100", "highest tenth"))

# What a scenario of the form may have otherwise than the others.
CHANGED_MEMBERS = frozenset({"variables", "stress"})

CORRECT_BELOW = "Correct what is marked below."

_CHANGE_POINTER = re.compile(
    r"/simulations/(?P<scenario>\d+)/(?P<member>stress|variables)/(?P<place>\d+)(/|$)"
)
_PERCENTILES = re.compile(r"\s*(\d{1,3}(?:\.\d+)?)\s*(?:\.\.|-|to)\s*(\d{1,3}(?:\.\d+)?)\s*%?\s*")

router = APIRouter(prefix="/models", route_class=ReplayingRoute, include_in_schema=False)


@dataclass(slots=True)
class Basis:
    """What every scenario begins with: what is marked in the model, or what a run was of."""

    model: Model
    inputs: list[InputMark]
    outputs: list[str]
    sampling: str = SAMPLING_METHODS[0]
    correlations: list[dict[str, Any]] = field(default_factory=list)
    stress: list[dict[str, Any]] = field(default_factory=list)
    run_id: str = ""
    # What formulas draw by themselves, which can be held and not drawn otherwise: cell, name, distribution and formula.
    written: list[dict[str, Any]] = field(default_factory=list)

    @property
    def choices(self) -> list[dict[str, str]]:
        """The inputs by cell, with their names and distributions."""
        return [
            *self._marked,
            *(
                {
                    "cell": one["cell"],
                    "name": one["name"] or one["cell"],
                    "distribution": shown_input(one) if one["distribution"] else one["formula"],
                }
                for one in self.written
            ),
        ]

    @property
    def _marked(self) -> list[dict[str, str]]:
        names = {one["cell"].upper(): one["name"] for one in self.model.inspection["variables_detected"]}
        return [
            {
                "cell": one.cell,
                "name": one.name or names.get(one.cell.upper()) or one.cell,
                "distribution": shown_distribution(one.distribution),
            }
            for one in self.inputs
        ]


@dataclass(slots=True)
class Draft:
    """The form: what was typed, and what is wrong with it."""

    name: str = ""
    iterations: str = str(ITERATIONS_OFFERED)
    seed: str = ""
    held: list[str] = field(default_factory=list)
    rows: list[dict[str, str]] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)


@router.get("/{model_id}/scenarios")
async def ask_scenarios(request: Request, page: Working, model_id: str) -> Response:
    """Show the form; `?from=` a run begins with that run's inputs, outputs and settings."""
    basis, run = await _basis_of(page, model_id, request.query_params.get("from", ""))
    draft = Draft(name=f"Scenarios of {basis.model.name}"[:STUDY_NAME_LENGTH_MAX])
    if run is not None:
        draft.iterations, draft.seed = str(run.iterations), str(run.seed)
    return await _form_page(request, page, basis, draft)


@router.post("/{model_id}/scenarios")
async def start_scenarios(request: Request, page: Working, model_id: str) -> Response:
    """Start a batch; what is wrong is said beside its field."""
    refuse_cross_site(request)
    form = await request.form(max_files=0)
    basis, _ = await _basis_of(page, model_id, str(form.get("from", "")))
    draft = _draft_of(form)
    # Percentiles may take seconds to be solved for parameters.
    order = await asyncio.to_thread(_read_order, basis, draft)
    if order is None:
        return await _form_page(request, page, basis, draft, status=422)
    try:
        outcome = await batch_flows.create_batch(workshop_of(request), page.call(), order)
    except Problem as problem:
        if problem.status >= 500 or isinstance(problem, NotFound):
            raise
        draft.errors |= _place_in_rows(draft, problem, order) or _errors_of(problem, order)
        return await _form_page(request, page, basis, draft, status=problem.status)
    return redirect(f"/studies/batches/{outcome.body['batch_id']}")


async def _basis_of(page: Page, model_id: str, run_id: str) -> tuple[Basis, Run | None]:
    async with page.database.transaction() as tx:
        model = await simulation.get_model(tx, page.caller, model_id)
        run = await simulation.get_run(tx, page.caller, run_id[:100]) if run_id else None
    if run is None:
        return _basis_of_model(model), None
    basis = Basis(
        model=model,
        inputs=[
            InputMark(one["cell"], one["distribution"], one["name"])
            for one in run.inputs
            if one.get("written") is None
        ],
        written=[one | {"formula": one["written"]} for one in run.inputs if one.get("written")],
        outputs=[one["cell"] for one in run.outputs],
        sampling=run.sampling,
        correlations=[
            {"cells": [row["first"], row["second"]], "correlation": float(row["value"])}
            for row in rows_of_run(run)
        ],
        stress=run.stress,
        run_id=run.public_id,
    )
    return basis, run


def _basis_of_model(model: Model) -> Basis:
    marked = {one.cell.upper() for one in model.input_marks}
    written = [
        one
        for one in model.inspection.get("written_inputs", [])
        # What is marked wins, and a run that needs what is wrong is refused.
        if not one["problem"] and one["cell"].upper() not in marked
    ]
    return Basis(
        model, model.input_marks, model.output_cells, correlations=model.correlations, written=written
    )


def _draft_of(form: FormData) -> Draft:
    def texts(name: str) -> list[str]:
        return [value.strip() for value in form.getlist(name) if isinstance(value, str)]

    rows = [
        {"name": name, "cell": cell, "change": change}
        for name, cell, change in zip(
            texts("scenario_name"), texts("scenario_cell"), texts("scenario_change"), strict=False
        )
        if name or change
    ]
    return Draft(
        name=str(form.get("batch_name", "")).strip(),
        iterations=str(form.get("iterations", "")).strip(),
        seed=str(form.get("seed", "")).strip(),
        held=texts("hold"),
        rows=rows,
    )


def _read_order(basis: Basis, draft: Draft) -> BatchOrder | None:
    """Read the form, or leave what is wrong with it in `draft` and return None."""
    if not draft.name or len(draft.name) > STUDY_NAME_LENGTH_MAX:
        draft.errors["batch_name"] = f"Enter a name of at most {STUDY_NAME_LENGTH_MAX} characters."
    iterations = iterations_of(draft.iterations)
    if iterations is None or iterations < ITERATIONS_MIN:
        draft.errors["iterations"] = f"Enter a whole number from {ITERATIONS_MIN:,} on."
    seed = seed_of(draft.seed)
    if draft.seed and seed is None:
        draft.errors["seed"] = f"Enter a whole number from 0 to {SEED_MAX:,}, or leave it empty."
    if not basis.outputs or not (basis.inputs or basis.model.draws_itself):
        draft.errors["form"] = "Mark inputs and outputs on the model's page first, and run it once."
        return None
    order = RunOrder(
        model_id=basis.model.public_id,
        iterations=iterations or ITERATIONS_MIN,
        inputs=basis.inputs,
        outputs=basis.outputs,
        confidence_levels=confidence_levels(),
        seed=None,
        sampling=basis.sampling,
        correlations=basis.correlations,
        stress=basis.stress,
    )
    orders = _scenarios(basis, draft, order)
    if any("error" in row for row in draft.rows):
        draft.errors.setdefault("form", CORRECT_BELOW)
    elif len(orders) < 2:
        draft.errors.setdefault("form", "Choose at least one change: hold an input, or fill in a row.")
    elif len(orders) > SCENARIOS_MAX:
        draft.errors["form"] = (
            f"These are {len(orders)} scenarios with the one as marked; {SCENARIOS_MAX} are possible at once."
        )
    if draft.errors:
        draft.errors.setdefault("form", CORRECT_BELOW)
        return None
    # What is wrong is told of the scenario that it is about.
    scenarios = [
        Scenario(name, one, place, CHANGED_MEMBERS) for place, (name, one) in enumerate(orders.items())
    ]
    return BatchOrder(draft.name, scenarios, seed)


def _scenarios(basis: Basis, draft: Draft, order: RunOrder) -> dict[str, RunOrder]:
    """Put the scenarios together by their names; rows of one name change several inputs of one scenario."""
    names = {one["cell"]: one["name"] for one in basis.choices}
    written = {one["cell"] for one in basis.written}
    orders, reader = {BASE_NAME: order}, DistributionReader()
    for held in draft.held:
        cell, _, change = held.rpartition("|")
        words = dict(TAILS).get(change)
        if cell in names and words is not None:
            name = f"{names[cell]}: {words}"[:STUDY_NAME_LENGTH_MAX]
            # Two inputs of one label are told apart by their cells.
            name = f"{name} ({cell})"[-STUDY_NAME_LENGTH_MAX:] if name in orders else name
            orders[name] = _changed(order, cell, _percentiles_of(change) or "")
    for row in draft.rows:
        name = (
            row["name"] or f"{names.get(row['cell'], row['cell'])}: {row['change']}"[:STUDY_NAME_LENGTH_MAX]
        )
        row["scenario"] = name
        if row["cell"] not in names:
            row["error"] = "Choose an input."
        elif len(name) > STUDY_NAME_LENGTH_MAX:
            row["error"] = f"A name has at most {STUDY_NAME_LENGTH_MAX} characters."
        elif not row["change"]:
            row["error"] = "Say what changes: percentiles such as 90..100, or a distribution."
        elif name == BASE_NAME:
            row["error"] = (
                f"{BASE_NAME} is the name of what the others are compared with; choose another one."
            )
        else:
            text = row["change"][:CHANGE_LENGTH_MAX]
            try:
                percentiles = _percentiles_of(text)
                changed_to: Any = (
                    read_distribution(text, reader)
                    if percentiles is None
                    else check_percentiles(percentiles, row["cell"])
                )
            except EngineError as refused:
                row["error"] = in_words_of_the_form(refused.message)
            else:
                if isinstance(changed_to, dict) and row["cell"] in written:
                    row["error"] = (
                        "A formula draws it: hold it between percentiles such as 90..100, or mark its cell on the "
                        "model's page to draw it otherwise."
                    )
                else:
                    orders[name] = _changed(orders.get(name, order), row["cell"], changed_to)
    return orders


def _percentiles_of(text: str) -> list[float] | None:
    """Read 90..100 as two percentiles; None for anything else."""
    match = _PERCENTILES.fullmatch(text)
    return [float(match[1]), float(match[2])] if match else None


def _changed(order: RunOrder, cell: str, change: Any) -> RunOrder:
    """Hold an input between percentiles, or give it another distribution."""
    if isinstance(change, list):
        kept = [one for one in order.stress if one["cell"] != cell]
        return replace(order, stress=[*kept, {"cell": cell, "percentiles": change}])
    assert order.inputs is not None, "the form begins with the inputs of the model or of a run"
    inputs = [replace(one, distribution=change) if one.cell == cell else one for one in order.inputs]
    return replace(order, inputs=inputs)


def _place_in_rows(draft: Draft, problem: Problem, order: BatchOrder) -> dict[str, str]:
    """Put what is wrong with a change beside the row that it was typed in; nothing where it is about no row."""
    for one in problem.errors:
        changed = _changed_cell(one.pointer, order)
        for row in draft.rows:
            if changed == (row.get("scenario"), row["cell"]):
                row["error"] = in_words_of_the_form(one.message)
                return {"form": CORRECT_BELOW}
    return {}


def _changed_cell(pointer: str, order: BatchOrder) -> tuple[str, str] | None:
    """Find the scenario and the cell that a pointer is about, such as `/simulations/1/stress/0/percentiles`."""
    match = _CHANGE_POINTER.match(pointer)
    if match is None:
        return None
    scenario = order.scenarios[int(match["scenario"])]
    if match["member"] == "stress":
        return scenario.name, str(scenario.order.stress[int(match["place"])]["cell"])
    assert scenario.order.inputs is not None, "the form begins with the inputs of the model or of a run"
    return scenario.name, scenario.order.inputs[int(match["place"])].cell


def _errors_of(problem: Problem, order: BatchOrder) -> dict[str, str]:
    """Say what the engine or the plan found wrong, and in which scenario."""
    for one in problem.errors:
        _, first, *rest = one.pointer.split("/")
        if rest and rest[-1] in ("iterations", "seed"):
            return {rest[-1]: one.message}
        if first == "simulations" and rest and rest[0].isdecimal() and int(rest[0]) < len(order.scenarios):
            name = order.scenarios[int(rest[0])].name
            return {"form": problem.message if name in problem.message else f"{name}: {problem.message}"}
    return {"form": problem.message}


async def _form_page(request: Request, page: Page, basis: Basis, draft: Draft, status: int = 200) -> Response:
    async with page.database.transaction() as tx:
        shell, entitlement = await page.shell(tx)
    blank = {"name": "", "cell": "", "change": ""}
    return html(
        request,
        "customer/scenarios.html",
        status=status,
        shell=shell,
        model={"id": basis.model.public_id, "name": basis.model.name},
        run_id=basis.run_id,
        inputs=basis.choices,
        outputs=basis.outputs,
        tails=TAILS,
        base_name=BASE_NAME,
        draft=draft,
        rows=[
            {"error": ""} | row for row in [*draft.rows, *([blank] * max(1, ROWS_OFFERED - len(draft.rows)))]
        ],
        iterations_max=entitlement.limits.iterations_max,
        runs_at_once_max=entitlement.limits.runs_at_once_max,
        scenarios_max=SCENARIOS_MAX,
    )
