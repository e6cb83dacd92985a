"""`/models/{model_id}`: mark inputs and outputs in a workbook, and run it."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi.responses import Response

from tollway.kit.forms import received_form
from tollway.kit.http import ReplayingRoute, refuse_cross_site
from tollway.kit.problems import NotFound, Problem
from tollway.simulation import flows as simulation_flows
from tollway.simulation import operations as simulation
from tollway.web.customer.model_marks import (
    FORM_LIMITS,
    marks_of_form,
    marks_of_model,
    marks_of_run,
    place_errors,
    read_order,
)
from tollway.web.customer.model_pages import workshop_of
from tollway.web.customer.model_views import model_page
from tollway.web.pages import SignedIn, Working, redirect

router = APIRouter(prefix="/models", route_class=ReplayingRoute, include_in_schema=False)


@router.get("/{model_id}")
async def show_model(
    request: Request, page: SignedIn, model_id: str, run: Annotated[str, "a run to start from"] = ""
) -> Response:
    """Show a workbook with what is marked in it; `?from=` a run fills in that run's inputs and outputs."""
    started_from = request.query_params.get("from", run)
    async with page.database.transaction() as tx:
        model = await simulation.get_model(tx, page.caller, model_id)
        earlier = await simulation.get_run(tx, page.caller, started_from) if started_from else None
    marks = marks_of_model(model) if earlier is None else marks_of_run(earlier)
    return await model_page(request, page, model_id, marks)


@router.post("/{model_id}/runs")
async def start_run(request: Request, page: Working, model_id: str) -> Response:
    """Remember the marks and start a run; what is wrong is said beside its field."""
    refuse_cross_site(request)
    async with received_form(request, FORM_LIMITS) as form:
        marks = marks_of_form(form)
    if added := str(form.get("add_input", "")):
        # No sheet's name holds a colon, while equals signs stand in names and in distributions.
        cell, _, text = added.partition(":")
        marks.put_input(cell, text)
        return await model_page(request, page, model_id, marks)
    if "draw" in form:
        return await model_page(request, page, model_id, marks)
    async with page.database.transaction() as tx:
        model = await simulation.get_model(tx, page.caller, model_id)
    # Percentiles may take seconds to be solved for parameters.
    order = await asyncio.to_thread(read_order, model_id, marks, draws_itself=model.draws_itself)
    if order is None:
        return await model_page(request, page, model_id, marks, status=422)
    try:
        # The marks stay with the model, so that the next visit begins where this one ended.
        await simulation_flows.change_model(
            workshop_of(request),
            page.call(),
            model_id,
            inputs=order.inputs,
            outputs=order.outputs,
            correlations=order.correlations,
        )
        outcome = await simulation_flows.create_run(workshop_of(request), page.call(), order)
    except Problem as problem:
        if problem.status >= 500 or isinstance(problem, NotFound):
            raise
        place_errors(marks, problem)
        return await model_page(request, page, model_id, marks, status=problem.status)
    return redirect(f"/runs/{outcome.body['simulation_id']}")
