"""`/models`: the list, a workbook taken in, a model deleted."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response
from starlette.datastructures import UploadFile

from tollway.admission.operations import Outcome
from tollway.kit.http import ReplayingRoute, refuse_cross_site
from tollway.kit.problems import FieldError, Invalid, Problem
from tollway.plans import operations as plans
from tollway.simulation import flows as simulation_flows
from tollway.simulation import operations as simulation
from tollway.simulation.entities import (
    InputMark,
)
from tollway.simulation.flows import Upload, Workshop
from tollway.simulation.samples import Sample
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
