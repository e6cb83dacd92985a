"""`/models/fits`: fit distributions to data of one's own, and take one as an input of a model.

What was marked and typed on the model's page and not yet run comes along in the form, and goes back with it.
"""

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.datastructures import FormData, UploadFile

from tollway.kit.forms import FormLimits, received_form
from tollway.kit.http import ReplayingRoute, refuse_cross_site
from tollway.kit.problems import FieldError, Invalid, Problem
from tollway.plans import operations as plans
from tollway.simulation import fit_flows
from tollway.simulation import operations as simulation
from tollway.simulation.entities import CORRELATIONS_MAX, INPUTS_MAX, OUTPUTS_MAX, REFERENCE_LENGTH_MAX
from tollway.simulation.fit_flows import FITTED_VALUES_MAX
from tollway.web.customer.model_marks import FORM_LIMITS as MARK_LIMITS
from tollway.web.customer.model_marks import MARK_FIELDS_MAX, marks_of_model
from tollway.web.customer.model_pages import workshop_of
from tollway.web.fit_views import fits_view
from tollway.web.pages import PRODUCT, Page, Working, html

FILE_SUFFIXES = (".csv", ".xlsx", ".xlsm")
PASTED_BYTES_MAX = 2_000_000
OWN_FIELDS = frozenset({"fit_model", "fit_cell", "fit_data", "fit_file", "fit_cells", "draw", "add_input"})

FORM_LIMITS = FormLimits(
    fields_max=MARK_FIELDS_MAX + len(OWN_FIELDS),
    # What the model's page may send comes along.
    text_bytes_max=PASTED_BYTES_MAX + MARK_LIMITS.text_bytes_max,
    field_bytes_max=PASTED_BYTES_MAX,
    files_max=1,
    advice=f"Paste at most {PASTED_BYTES_MAX:,} bytes of numbers, or choose one file with them; along come what a run "
    f"takes: {INPUTS_MAX:,} inputs, {OUTPUTS_MAX:,} outputs and {CORRELATIONS_MAX:,} correlated pairs.",
)
# The boundary and the name of one field.
PART_HEAD_BYTES_MAX = 200
BODY_BYTES_BESIDE_FILE_MAX = FORM_LIMITS.text_bytes_max + PART_HEAD_BYTES_MAX * (FORM_LIMITS.fields_max + 1)

_NUMBER = re.compile(r"[+\-\u2212]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")

router = APIRouter(prefix="/models", route_class=ReplayingRoute, include_in_schema=False)


@router.get("/{model_id}/fit")
async def show_fit(request: Request, page: Working, model_id: str, cell: str = "") -> Response:
    """Show the form that takes data, for an input of what is marked in the model."""
    async with page.database.transaction() as tx:
        model = await simulation.get_model(tx, page.caller, model_id)
    marks = marks_of_model(model)
    carried = [("input_cell", row["cell"]) for row in marks.inputs]
    carried += [("input_distribution", row["distribution"]) for row in marks.inputs]
    carried += [("output_cell", row["cell"]) for row in marks.outputs]
    carried += [
        (f"correlation_{part}", row[part])
        for row in marks.correlations
        for part in ("first", "second", "value")
    ]
    return await _fit_page(request, page, model_id, carried, {"fit_cell": cell[:REFERENCE_LENGTH_MAX]})


@router.post("/fits")
async def fit_data(request: Request, page: Working) -> Response:
    """Come from the model's page with what is typed there, or fit what was pasted or uploaded here."""
    refuse_cross_site(request)
    async with page.database.transaction() as tx:
        entitlement = await plans.get_entitlement(tx, page.caller.owner_id, PRODUCT, page.now)
    byte_count_max = entitlement.limits.file_bytes_max
    # Known before the body is read: nobody fills the disk with more than their plan takes.
    request.scope["body_bytes_max"] = byte_count_max + BODY_BYTES_BESIDE_FILE_MAX
    async with received_form(request, FORM_LIMITS) as form:
        carried = [
            (name, value)
            for name, value in form.multi_items()
            if isinstance(value, str) and name not in OWN_FIELDS
        ]
        model_id = str(form.get("fit_model", ""))
        async with page.database.transaction() as tx:
            await simulation.get_model(tx, page.caller, model_id)
        values = {name: str(form.get(name, "")) for name in ("fit_cell", "fit_data", "fit_cells")}
        if "fit_data" not in form:
            return await _fit_page(request, page, model_id, carried, values)
        try:
            told = await _fitted(request, page, form, values, byte_count_max)
        except Problem as problem:
            if problem.status >= 500:
                raise
            return await _fit_page(request, page, model_id, carried, values, problem=problem)
    return await _fit_page(request, page, model_id, carried, values, told=told)


async def _fitted(
    request: Request, page: Page, form: FormData, values: dict[str, str], file_bytes_max: int
) -> dict[str, Any]:
    """Fit what the form brings: a file where one was chosen, or the numbers that were pasted."""
    cell = values["fit_cell"].strip()
    if not cell or len(cell) > REFERENCE_LENGTH_MAX:
        raise _wrong("fit_cell", "Name the cell that gets the distribution, such as Inputs!B4.")
    file = form.get("fit_file")
    if isinstance(file, UploadFile) and file.filename:
        with _named(file) as path:
            outcome = await fit_flows.fit_file(
                workshop_of(request), page.call(), path, values["fit_cells"].strip(), file_bytes_max
            )
    else:
        outcome = await fit_flows.fit_values(
            workshop_of(request), page.call(), read_column(values["fit_data"])
        )
    body: dict[str, Any] = outcome.body
    return body


@contextmanager
def _named(file: UploadFile) -> Iterator[Path]:
    """Give an upload as a file whose name tells what it is, for as long as the block lasts."""
    suffix = Path(file.filename or "").suffix.lower()
    if suffix not in FILE_SUFFIXES:
        raise _wrong("fit_file", "Choose a .csv, .xlsx or .xlsm file.")
    with tempfile.TemporaryDirectory(prefix="tollway-fit-") as folder:
        path = Path(folder) / f"data{suffix}"
        with path.open("wb") as copied:
            shutil.copyfileobj(file.file, copied)
        yield path


def read_column(text: str) -> list[float]:
    """Read numbers that were pasted: one a line, or parted by spaces, tabs, semicolons, or commas with a space.

    A heading in the first line is left out. Raises: Invalid naming the line.
    """
    lines = text.strip().splitlines()
    if not lines:
        raise _wrong("fit_data", "Paste a column of numbers, or choose a file.")
    numbers: list[float] = []
    for place, line in enumerate(lines, 1):
        # Within one line alone a comma can only part numbers; elsewhere it may be one of thousands.
        words = re.split(r"[\s;]+|,\s+" if len(lines) > 1 else r"[\s;,]+", line.strip().strip(",;"))
        found = [word for word in words if word]
        if place == 1 and len(lines) > 1 and not any(_NUMBER.fullmatch(word) for word in found):
            continue
        for word in found:
            if not (word.isascii() or word.startswith("\u2212")) or _NUMBER.fullmatch(word) is None:
                raise _wrong(
                    "fit_data",
                    f"Line {place:,} holds {word[:40]!r}, which is not a number; write decimals with a point and "
                    "thousands without a comma.",
                )
            numbers.append(float(word.replace("\u2212", "-")))
    return numbers


def _wrong(name: str, message: str) -> Invalid:
    return Invalid(message, errors=(FieldError(f"/{name}", message),))


# Where the engine's names stand in the form.
_FIELDS = {"values": "fit_data", "cells": "fit_cells", "file": "fit_file"}


def _errors(problem: Problem, values: dict[str, str]) -> dict[str, str]:
    """Put what is wrong beside the field that it is about; a file's content is the file's fault."""
    names = [one.pointer.strip("/").partition("/")[0] for one in problem.errors]
    name = _FIELDS.get(names[0], names[0]) if names else "fit_file"
    if name == "fit_data" and not values["fit_data"].strip():
        name = "fit_file" if problem.code == "bad-fit-data" else name
    return {name: problem.message}


async def _fit_page(
    request: Request,
    page: Page,
    model_id: str,
    carried: list[tuple[str, str]],
    values: dict[str, str],
    *,
    problem: Problem | None = None,
    told: dict[str, Any] | None = None,
) -> Response:
    async with page.database.transaction() as tx:
        shell, entitlement = await page.shell(tx)
        model = await simulation.get_model(tx, page.caller, model_id)
    detected = {one["cell"]: one["name"] or "" for one in model.inspection["variables_detected"]}
    marked = [value for name, value in carried if name == "input_cell" and value]
    return html(
        request,
        "customer/fit.html",
        status=problem.status if problem else 200,
        shell=shell,
        model={"id": model.public_id, "name": model.name},
        carried=carried,
        values={"fit_cell": "", "fit_data": "", "fit_cells": ""} | values,
        cells=[(cell, detected.get(cell, "")) for cell in dict.fromkeys([*marked, *detected])],
        values_max=FITTED_VALUES_MAX,
        file_bytes_max=entitlement.limits.file_bytes_max,
        errors=_errors(problem, values) if problem else {},
        fits=None if told is None else fits_view(told, f"Data for {values['fit_cell']}"),
    )
