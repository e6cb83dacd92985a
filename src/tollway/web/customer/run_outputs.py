"""The outputs of a run on its page, and `/runs/{run_id}/scatter`: an output over an input of the reader's choice."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from tollway.engine import Points
from tollway.kit.http import ReplayingRoute
from tollway.kit.problems import NotFound
from tollway.simulation import operations as simulation
from tollway.simulation import point_flows
from tollway.simulation.entities import Run
from tollway.web.charts import scatter_chart
from tollway.web.customer.model_pages import workshop_of
from tollway.web.output_details import details_view
from tollway.web.pages import SignedIn, html
from tollway.web.rendering import number
from tollway.web.results import name_of, output_view

# A picture of 1,024 points takes 10 kB of a page; further outputs have theirs drawn when they are asked for.
SCATTERS_MAX = 8
POSITION_MAX = 10_000

router = APIRouter(prefix="/runs", route_class=ReplayingRoute, include_in_schema=False)


async def output_views(request: Request, run: Run) -> list[dict[str, Any]]:
    """Lay out every output of a run; `?output=0&input=2` chooses which input one of them is drawn over."""
    summaries = run.results or []
    points = await point_flows.find_points(workshop_of(request), run) if summaries else None
    chosen = (_position(request, "output"), _position(request, "input"))
    views = []
    for place, summary in enumerate(summaries):
        anchor = f"output-{place + 1}"
        view = output_view(summary, anchor) | {"details": details_view(summary, anchor), "scatter": None}
        has_numbers = summary["mean"] is not None
        if points is not None and has_numbers and (place < SCATTERS_MAX or place == chosen[0]):
            against = chosen[1] if place == chosen[0] else None
            view["scatter"] = scatter_view(run, points, place, against)
        views.append(view)
    return views


def _position(request: Request, name: str) -> int | None:
    text = request.query_params.get(name, "")
    return int(text) if text.isdecimal() and len(text) <= 5 else None


@router.get("/{run_id}/scatter")
async def show_scatter(
    request: Request,
    page: SignedIn,
    run_id: str,
    output: Annotated[int, Query(ge=0, le=POSITION_MAX)] = 0,
    against: Annotated[int, Query(ge=0, le=POSITION_MAX, alias="input")] = 0,
) -> Response:
    """Draw one output over one input, for the script that puts it into the page."""
    async with page.database.transaction() as tx:
        run = await simulation.get_finished_run(tx, page.caller, run_id)
    points = await point_flows.find_points(workshop_of(request), run)
    view = scatter_view(run, points, output, against) if points is not None else None
    if view is None:
        raise NotFound("The run has no such output or input, or its points are no longer kept.")
    return html(request, "customer/_scatter.html", scatter=view)


def scatter_view(run: Run, points: Points, output: int, against: int | None) -> dict[str, Any] | None:
    """Lay out one output over one input, the most influential one where none is chosen; None where there is no such."""
    summaries = run.results or []
    if output >= min(len(summaries), len(points.output_values)) or not run.inputs:
        return None
    summary = summaries[output]
    cells = [one["cell"] for one in run.inputs]
    if against is None:
        first = next((one["cell"] for one in summary["sensitivities"] if one["cell"] in cells), cells[0])
        against = cells.index(first)
    if against >= min(len(cells), len(points.input_values)):
        return None
    input_name = run.inputs[against]["name"] or cells[against]
    told: dict[str, Any] = next(
        (one for one in summary["sensitivities"] if one["cell"] == cells[against]), {}
    )
    correlation = told.get("rank_correlation")
    finding = (
        f"{len(points.output_values[output]):,} points"
        + ("" if correlation is None else f"; the rank correlation is {number(correlation, 2)}")
        + "."
    )
    anchor = f"output-{output + 1}"
    return {
        "anchor": anchor,
        "name": name_of(summary),
        "run_id": run.public_id,
        "output": output,
        "input": against,
        "inputs": [(place, one["name"] or one["cell"]) for place, one in enumerate(run.inputs)],
        "count": len(points.output_values[output]),
        "chart": scatter_chart(
            f"scatter-{anchor}",
            points=list(
                zip(points.input_values[against].tolist(), points.output_values[output].tolist(), strict=True)
            ),
            across=input_name,
            up=name_of(summary),
            title=f"{name_of(summary)} over {input_name}",
            finding=finding,
        ),
    }
