"""A model's page as its template needs it: what is marked, what could be, and what the workbook holds."""

import asyncio
from typing import Any

from fastapi import Request
from fastapi.responses import Response

from tollway.simulation import operations as simulation
from tollway.web.cells import general_text
from tollway.web.customer.correlation_views import METHOD_WORDS, told_repair
from tollway.web.customer.model_marks import Marks
from tollway.web.customer.self_check import self_check, warning_of
from tollway.web.customer.sheets import labels_beside, sheet_views, shown_texts
from tollway.web.customer.workbook_notes import blocked_warning, not_computed, notes_of
from tollway.web.customer.written_views import written_correlations, written_inputs
from tollway.web.distribution_pictures import with_pictures
from tollway.web.distributions import DISTRIBUTION_LENGTH_MAX, shown_distribution
from tollway.web.pages import Page, html


async def model_page(
    request: Request, page: Page, model_id: str, marks: Marks, status: int = 200
) -> Response:
    """Answer with a model's page, showing these marks."""
    async with page.database.transaction() as tx:
        shell, entitlement = await page.shell(tx)
        model = await simulation.get_model(tx, page.caller, model_id)
        preview = await simulation.get_preview(tx, page.caller, model_id)
    detected = model.inspection["variables_detected"]
    known = {one["cell"].upper(): one for one in [*detected, *model.inspection["outputs_detected"]]}
    shown, labels = shown_texts(preview), labels_beside(preview)
    # What a formula calls its output, RiskOutput("NPV"), goes before the text beside it.
    labels |= {
        one["cell"].upper(): one["name"] for one in model.inspection.get("written_outputs", []) if one["name"]
    }
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
        written=await asyncio.to_thread(written_inputs, model, inputs),
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
        inputs=await asyncio.to_thread(
            with_pictures, [_row_view(row, known, shown, labels) for row in marks.inputs]
        ),
        outputs=[
            _row_view(row, known, shown, labels)
            | {"warning": blocked_warning(model, row["cell"]) or warning_of(model, row["cell"])}
            for row in marks.outputs
        ],
        distribution_length_max=DISTRIBUTION_LENGTH_MAX,
        iterations=marks.iterations,
        iterations_max=entitlement.limits.iterations_max,
        seed=marks.seed,
        sampling=marks.sampling,
        targets=marks.targets,
        tolerance=marks.tolerance,
        stress=marks.stress,
        sampling_methods=list(METHOD_WORDS.items()),
        written_correlations=await asyncio.to_thread(written_correlations, model, inputs),
        repair=told_repair(marks.correlations),
        correlations=[{"error": ""} | row for row in marks.correlations],
        confidence=marks.confidence,
        keep_samples=marks.keep_samples,
        errors=marks.errors,
    )


def _row_view(
    row: dict[str, str], known: dict[str, Any], shown: dict[str, str], labels: dict[str, str]
) -> dict[str, Any]:
    found = known.get(row["cell"].upper(), {"cell": row["cell"]})
    return {
        "cell": row["cell"],
        "distribution": row.get("distribution", ""),
        "name": found.get("name") or labels.get(row["cell"].upper(), ""),
        "value": _value_text(found, shown),
        "error": row.get("error", ""),
    }


def _value_text(found: dict[str, Any], shown: dict[str, str]) -> str:
    """Write a cell's value as the sheet beside the form shows it; cells beyond the preview as plain numbers."""
    value = found.get("current_value")
    return shown.get(found["cell"].upper()) or ("" if value is None else general_text(value))
