"""`/models`: upload a workbook, see it, mark inputs and outputs, run it."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response
from starlette.datastructures import UploadFile

from tollway.admission.operations import Outcome
from tollway.engine import EngineError
from tollway.kit.http import ReplayingRoute, refuse_cross_site
from tollway.kit.problems import FieldError, Invalid, NotFound, Problem
from tollway.plans import operations as plans
from tollway.simulation import flows as simulation_flows
from tollway.simulation import operations as simulation
from tollway.simulation.entities import (
    CORRELATIONS_MAX,
    INPUTS_MAX,
    ITERATIONS_MIN,
    OUTPUTS_MAX,
    REFERENCE_LENGTH_MAX,
    SAMPLING_METHODS,
    SEED_MAX,
    InputMark,
    RunOrder,
)
from tollway.simulation.flows import Upload, Workshop
from tollway.simulation.samples import Sample
from tollway.web.cells import general_text
from tollway.web.customer.correlation_views import METHOD_WORDS, read_rows, rows_of_form, rows_of_run
from tollway.web.customer.self_check import self_check, warning_of
from tollway.web.customer.sheets import sheet_views, shown_texts
from tollway.web.customer.workbook_notes import blocked_warning, not_computed, notes_of
from tollway.web.distributions import curve_of, in_words_of_the_form, read_distribution, shown_distribution
from tollway.web.pages import PRODUCT, Page, SignedIn, Working, field_errors, html, redirect
from tollway.web.samples import find_sample, sample_views

PAGE_SIZE = 20
ITERATIONS_OFFERED = 100_000
CONFIDENCE_OFFERED = ("0.95", "0.99")
FORM_FIELDS_MAX = 10
NAME_LENGTH_MAX = 200
# Multipart boundaries and the small fields beside a file.
FORM_OVERHEAD_BYTES = 65_536
# Python refuses to read a number of thousands of digits, and reads slowly before it does.
DIGITS_MAX = 30

router = APIRouter(prefix="/models", route_class=ReplayingRoute, include_in_schema=False)


def workshop_of(request: Request) -> Workshop:
    """Give a handler what models and runs need."""
    workshop = request.app.state.workshop
    assert isinstance(workshop, Workshop)
    return workshop


@router.get("")
async def list_models(request: Request, page: SignedIn, cursor: str | None = None) -> Response:
    """List the customer's models, newest first."""
    async with page.database.transaction() as tx:
        shell, _ = await page.shell(tx)
        found = await simulation.list_models(tx, page.caller, cursor, PAGE_SIZE)
        run_counts = await simulation.count_runs_by_model(tx, found.items)
    models = [
        {
            "id": model.public_id,
            "name": model.name,
            "filename": model.filename,
            "size_bytes": model.workbook_bytes,
            "formulas_count": model.formulas_count,
            "run_count": run_counts.get(model.id, 0),
            "created_at": model.created_at,
        }
        for model in found.items
    ]
    return html(
        request,
        "customer/models.html",
        shell=shell,
        models=models,
        samples=sample_views(),
        next_url=f"/models?cursor={found.next_cursor}" if found.next_cursor else None,
        first_url="/models" if cursor else None,
    )


@router.get("/upload")
async def show_upload(request: Request, page: Working) -> Response:
    """Show the form that takes a workbook."""
    return await _upload_form(request, page)


@router.post("")
async def upload_model(request: Request, page: Working) -> Response:
    """Take a workbook and show its model."""
    refuse_cross_site(request)
    async with page.database.transaction() as tx:
        entitlement = await plans.get_entitlement(tx, page.caller.owner_id, PRODUCT, page.now)
    # Known before the body is read: nobody fills the disk with more than their plan takes.
    request.scope["body_bytes_max"] = entitlement.limits.file_bytes_max + FORM_OVERHEAD_BYTES
    name = ""
    try:
        async with request.form(max_files=1, max_fields=FORM_FIELDS_MAX) as form:
            file, name = form.get("file"), str(form.get("name", ""))[:NAME_LENGTH_MAX]
            if not isinstance(file, UploadFile) or not file.filename:
                fault = "Choose an .xlsx or .xlsm workbook."
                raise Invalid(fault, errors=(FieldError("/file", fault),))
            with _spooled(file) as path:
                outcome = await simulation_flows.upload_model(
                    workshop_of(request), page.call(), Upload(path, file.filename, name)
                )
    except Problem as problem:
        if problem.status >= 500:
            raise
        return await _upload_form(request, page, problem, {"name": name})
    return redirect(f"/models/{outcome.body['model_id']}")


@router.post("/samples")
async def use_sample(request: Request, page: Working, sample: Annotated[str, Form()] = "") -> Response:
    """Make a model of a sample workbook, its inputs and outputs marked."""
    refuse_cross_site(request)
    chosen = find_sample(sample)
    try:
        outcome = await _upload_sample(request, page, chosen)
    except Problem as problem:
        if problem.status >= 500:
            raise
        return await _upload_form(request, page, problem)
    return redirect(f"/models/{outcome.body['model_id']}")


async def _upload_sample(request: Request, page: Page, sample: Sample) -> Outcome:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / sample.filename
        path.write_bytes(sample.to_bytes())
        return await simulation_flows.upload_model(
            workshop_of(request),
            page.call(),
            Upload(path, sample.filename, sample.title),
            inputs=[InputMark(one.cell, one.distribution.as_json(), one.name) for one in sample.inputs],
            outputs=[one.cell for one in sample.outputs],
        )


@contextmanager
def _spooled(file: UploadFile) -> Iterator[Path]:
    """Give an upload as a file with a path, for as long as the block lasts."""
    with tempfile.NamedTemporaryFile(suffix=".upload") as spooled:
        shutil.copyfileobj(file.file, spooled)
        spooled.flush()
        yield Path(spooled.name)


async def _upload_form(
    request: Request, page: Page, problem: Problem | None = None, values: dict[str, str] | None = None
) -> Response:
    async with page.database.transaction() as tx:
        shell, entitlement = await page.shell(tx)
    unsupported = problem.members["cells"] if problem and problem.code == "unsupported-function" else []
    return html(
        request,
        "customer/model_upload.html",
        status=problem.status if problem else 200,
        shell=shell,
        file_bytes_max=entitlement.limits.file_bytes_max,
        errors={} if problem is None else field_errors(problem, whole="file"),
        unsupported=[(one["cell"], one["function"]) for one in unsupported],
        unsupported_count=problem.members["cells_count"] if unsupported and problem else 0,
        values=values or {},
        samples=sample_views(),
    )


# One model ----------------------------------------------------------------------------------------


@dataclass(slots=True)
class Marks:
    """The form of a model's page: what was typed, and what is wrong with it."""

    inputs: list[dict[str, str]] = field(default_factory=list)
    outputs: list[dict[str, str]] = field(default_factory=list)
    iterations: str = str(ITERATIONS_OFFERED)
    seed: str = ""
    sampling: str = SAMPLING_METHODS[0]
    correlations: list[dict[str, str]] = field(default_factory=list)
    confidence: list[str] = field(default_factory=lambda: list(CONFIDENCE_OFFERED))
    errors: dict[str, str] = field(default_factory=dict)


@router.get("/{model_id}")
async def show_model(
    request: Request, page: SignedIn, model_id: str, run: Annotated[str, "a run to start from"] = ""
) -> Response:
    """Show a workbook with what is marked in it; `?from=` a run fills in that run's inputs and outputs."""
    started_from = request.query_params.get("from", run)
    async with page.database.transaction() as tx:
        model = await simulation.get_model(tx, page.caller, model_id)
        earlier = await simulation.get_run(tx, page.caller, started_from) if started_from else None
    marks = Marks(
        inputs=[
            {"cell": one.cell, "distribution": shown_distribution(one.distribution)}
            for one in model.input_marks
        ],
        outputs=[{"cell": cell} for cell in model.outputs],
    )
    if earlier is not None:
        marks.inputs = [
            {"cell": one["cell"], "distribution": shown_distribution(one["distribution"])}
            for one in earlier.inputs
        ]
        marks.outputs = [{"cell": one["cell"]} for one in earlier.outputs]
        marks.iterations, marks.seed = str(earlier.iterations), str(earlier.seed)
        marks.sampling, marks.correlations = earlier.sampling, rows_of_run(earlier)
    return await _model_page(request, page, model_id, marks)


@router.post("/{model_id}/runs")
async def start_run(request: Request, page: Working, model_id: str) -> Response:
    """Remember the marks and start a run; what is wrong is said beside its field."""
    refuse_cross_site(request)
    # A form without files: nothing is spooled to disk that somebody would have to close.
    form = await request.form(max_files=0)
    marks = Marks(
        inputs=[
            {"cell": cell.strip(), "distribution": text.strip()}
            for cell, text in zip(
                _texts(form.getlist("input_cell")), _texts(form.getlist("input_distribution")), strict=False
            )
            if cell.strip() or text.strip()
        ],
        outputs=[{"cell": cell.strip()} for cell in _texts(form.getlist("output_cell")) if cell.strip()],
        iterations=str(form.get("iterations", "")).strip(),
        seed=str(form.get("seed", "")).strip(),
        sampling=str(form.get("sampling", SAMPLING_METHODS[0])),
        correlations=rows_of_form(
            *(_texts(form.getlist(f"correlation_{part}")) for part in ("first", "second", "value"))
        ),
        confidence=_texts(form.getlist("confidence")),
    )
    if added := str(form.get("add_input", "")):
        cell, _, text = added.partition("=")
        marks.inputs.append({"cell": cell, "distribution": text})
        return await _model_page(request, page, model_id, marks)
    order = _read_order(model_id, marks)
    if order is None:
        return await _model_page(request, page, model_id, marks, status=422)
    try:
        # The marks stay with the model, so that the next visit begins where this one ended.
        await simulation_flows.change_model(
            workshop_of(request), page.call(), model_id, inputs=order.inputs, outputs=order.outputs
        )
        outcome = await simulation_flows.create_run(workshop_of(request), page.call(), order)
    except Problem as problem:
        if problem.status >= 500 or isinstance(problem, NotFound):
            raise
        _place_errors(marks, problem)
        return await _model_page(request, page, model_id, marks, status=problem.status)
    return redirect(f"/runs/{outcome.body['simulation_id']}")


def _read_order(model_id: str, marks: Marks) -> RunOrder | None:
    """Read the form, or leave what is wrong with it in `marks` and return None."""
    inputs: list[InputMark] = []
    for row in marks.inputs:
        try:
            if not row["cell"]:
                row["error"] = "Name the cell, such as Inputs!B4."
            inputs.append(InputMark(row["cell"], read_distribution(row["distribution"])))
        except EngineError as refused:
            row["error"] = in_words_of_the_form(refused.message)
    for row in [*marks.inputs, *marks.outputs]:
        if len(row["cell"]) > REFERENCE_LENGTH_MAX:
            row["error"] = f"A cell has at most {REFERENCE_LENGTH_MAX} characters, its sheet included."
    if len(marks.inputs) > INPUTS_MAX or len(marks.outputs) > OUTPUTS_MAX:
        marks.errors["form"] = f"A run takes at most {INPUTS_MAX:,} inputs and {OUTPUTS_MAX:,} outputs."
    elif not marks.inputs:
        marks.errors["form"] = "Mark at least one input: a cell that is uncertain, with a distribution."
    elif not marks.outputs:
        marks.errors["form"] = "Mark at least one output: a formula whose result you want to know."
    iterations = _whole_number(marks.iterations.replace(",", "").replace("_", ""))
    if iterations is None or iterations < ITERATIONS_MIN:
        marks.errors["iterations"] = f"Enter a whole number from {ITERATIONS_MIN:,} on."
    seed = _whole_number(marks.seed)
    if marks.seed and (seed is None or seed > SEED_MAX):
        marks.errors["seed"] = f"Enter a whole number from 0 to {SEED_MAX:,}, or leave it empty."
    correlations = _read_sampling(marks)
    levels = [level for level in marks.confidence if level in ("0.9", "0.95", "0.99")]
    if not levels:
        marks.errors["confidence"] = "Choose at least one."
    rows = [*marks.inputs, *marks.outputs, *marks.correlations]
    if iterations is None or marks.errors or any("error" in row for row in rows):
        marks.errors.setdefault("form", "Correct what is marked below.")
        return None
    return RunOrder(
        model_id=model_id,
        iterations=iterations,
        inputs=inputs,
        outputs=[row["cell"] for row in marks.outputs],
        confidence_levels=[float(level) for level in levels],
        seed=seed,
        sampling=marks.sampling,
        correlations=correlations,
    )


def _read_sampling(marks: Marks) -> list[dict[str, Any]]:
    """Check the method and return the entries of correlations; what is wrong is left in `marks`."""
    if marks.sampling not in SAMPLING_METHODS:
        marks.errors["sampling"] = "Choose one of the three."
    if len(marks.correlations) > CORRELATIONS_MAX:
        marks.errors["form"] = f"A run takes at most {CORRELATIONS_MAX:,} pairs here; the API takes a matrix."
    return read_rows(marks.correlations)


def _whole_number(text: str) -> int | None:
    """Read digits; None for anything else, and for more digits than any of our numbers has."""
    return int(text) if text.isdecimal() and len(text) <= DIGITS_MAX else None


def _place_errors(marks: Marks, problem: Problem) -> None:
    """Put what the engine or the plan found wrong beside the row or the field that it is about."""
    for one in problem.errors:
        parts = one.pointer.strip("/").split("/")
        rows = {"inputs": marks.inputs, "variables": marks.inputs, "outputs": marks.outputs,
                "output_cells": marks.outputs, "correlations": marks.correlations}  # fmt: skip
        named = next((position for position, part in enumerate(parts) if part in rows), None)
        if named is not None and named + 1 < len(parts) and parts[named + 1].isdecimal():
            index = int(parts[named + 1])
            if index < len(rows[parts[named]]):
                rows[parts[named]][index]["error"] = in_words_of_the_form(one.message)
                continue
        marks.errors[parts[-1] if parts[-1] in ("iterations", "seed") else "form"] = one.message
    marks.errors.setdefault("form", problem.message)


def _texts(values: list[Any]) -> list[str]:
    return [value for value in values if isinstance(value, str)]


async def _model_page(
    request: Request, page: Page, model_id: str, marks: Marks, status: int = 200
) -> Response:
    async with page.database.transaction() as tx:
        shell, entitlement = await page.shell(tx)
        model = await simulation.get_model(tx, page.caller, model_id)
        preview = await simulation.get_preview(tx, page.caller, model_id)
    detected = model.inspection["variables_detected"]
    known = {one["cell"].upper(): one for one in [*detected, *model.inspection["outputs_detected"]]}
    shown = shown_texts(preview)
    inputs = {row["cell"].upper() for row in marks.inputs}
    outputs = {row["cell"].upper() for row in marks.outputs}
    suggestions = {one["cell"].upper(): shown_distribution(one["suggested_distribution"]) for one in detected}
    return html(
        request,
        "customer/model.html",
        status=status,
        shell=shell,
        model={
            "id": model.public_id,
            "name": model.name,
            "filename": model.filename,
            "size_bytes": model.workbook_bytes,
            "formulas_count": model.formulas_count,
            "created_at": model.created_at,
            "notes": notes_of(model),
        },
        check=self_check(model),
        not_computed=not_computed(model),
        sheets=sheet_views(preview, inputs, outputs, suggestions),
        candidates=[
            {
                "cell": one["cell"],
                "name": one["name"] or "",
                "value": _value_text(one, shown),
                "distribution": suggestions[one["cell"].upper()],
            }
            for one in detected
            if one["cell"].upper() not in inputs
        ],
        output_candidates=[
            {"cell": one["cell"], "name": one["name"] or "", "value": _value_text(one, shown)}
            for one in model.inspection["outputs_detected"]
            if one["cell"].upper() not in outputs
        ],
        inputs=[_row_view(row, known, shown) | {"curve": _curve(row)} for row in marks.inputs],
        outputs=[
            _row_view(row, known, shown)
            | {"warning": blocked_warning(model, row["cell"]) or warning_of(model, row["cell"])}
            for row in marks.outputs
        ],
        iterations=marks.iterations,
        iterations_max=entitlement.limits.iterations_max,
        seed=marks.seed,
        sampling=marks.sampling,
        sampling_methods=list(METHOD_WORDS.items()),
        correlations=[{"error": ""} | row for row in marks.correlations],
        confidence=marks.confidence,
        errors=marks.errors,
    )


def _row_view(row: dict[str, str], known: dict[str, Any], shown: dict[str, str]) -> dict[str, Any]:
    found = known.get(row["cell"].upper(), {"cell": row["cell"]})
    return {
        "cell": row["cell"],
        "distribution": row.get("distribution", ""),
        "name": found.get("name") or "",
        "value": _value_text(found, shown),
        "error": row.get("error", ""),
    }


def _value_text(found: dict[str, Any], shown: dict[str, str]) -> str:
    """Write a cell's value as the sheet beside the form shows it; cells beyond the preview as plain numbers."""
    value = found.get("current_value")
    return shown.get(found["cell"].upper()) or ("" if value is None else general_text(value))


def _curve(row: dict[str, str]) -> Any:
    try:
        return curve_of(read_distribution(row["distribution"]), f"Shape of {row['distribution']}")
    except EngineError:
        return ""


@router.get("/{model_id}/delete")
async def ask_delete(request: Request, page: Working, model_id: str) -> Response:
    """Ask before deleting, for those without a script."""
    async with page.database.transaction() as tx:
        shell, _ = await page.shell(tx)
        model = await simulation.get_model(tx, page.caller, model_id)
        run_counts = await simulation.count_runs_by_model(tx, [model])
    view = {"id": model.public_id, "name": model.name, "run_count": run_counts.get(model.id, 0)}
    return html(request, "customer/model_delete.html", shell=shell, model=view)


@router.post("/{model_id}/delete")
async def delete_model(request: Request, page: Working, model_id: str) -> Response:
    """Delete a model with its runs."""
    refuse_cross_site(request)
    async with page.database.transaction() as tx:
        await simulation.delete_model(tx, page.caller, model_id, delete_runs=True, now=page.now)
    return redirect("/models")
