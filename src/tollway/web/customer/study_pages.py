"""`/studies`: batches of scenarios and goal seeks; a batch with its scenarios side by side; two runs compared."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from tollway.kit.http import ReplayingRoute
from tollway.kit.problems import Problem
from tollway.simulation import (
    batch_operations,
    comparison_flows,
    goal_seek_operations,
)
from tollway.simulation import operations as simulation
from tollway.simulation.entities import Run
from tollway.simulation.studies import standing_of
from tollway.web.customer.model_pages import workshop_of
from tollway.web.pages import Page, SignedIn, html
from tollway.web.study_views import (
    SIDE_BY_SIDE,
    batch_outputs,
    comparison_view,
    goal_seek_headline,
    goal_words,
    run_label,
    side_view,
    words_of_stress,
)

PAGE_SIZE = 20
# Runs to choose from; older ones are compared by their address or over the API.
RUNS_OFFERED = 20
RUNS_LENGTH_MAX = 100

router = APIRouter(route_class=ReplayingRoute, include_in_schema=False)


@router.get("/studies")
async def list_studies(
    request: Request, page: SignedIn, batches: str | None = None, seeks: str | None = None
) -> Response:
    """List the customer's batches and goal seeks, newest first; each list has a cursor of its own."""
    async with page.database.transaction() as tx:
        shell, _ = await page.shell(tx)
        found, runs = await batch_operations.list_batches(tx, page.caller, batches, PAGE_SIZE)
        searches = await goal_seek_operations.list_goal_seeks(tx, page.caller, seeks, PAGE_SIZE)
    return html(
        request,
        "customer/studies.html",
        shell=shell,
        batches=[
            {
                "id": one.public_id,
                "name": one.name,
                "status": standing_of(runs[one.id]),
                "scenarios": [run_label(run) for run in runs[one.id]],
                "model_name": runs[one.id][0].model_name if runs[one.id] else "",
                "created_at": one.created_at,
            }
            for one in found.items
        ],
        seeks=[
            {
                "id": one.public_id,
                "goal": goal_words(one.question),
                "model_name": one.model_name,
                "status": one.status.value,
                "headline": goal_seek_headline(one),
                "created_at": one.created_at,
            }
            for one in searches.items
        ],
        batches_next=f"/studies?batches={found.next_cursor}" if found.next_cursor else None,
        batches_first="/studies" if batches else None,
        seeks_next=f"/studies?seeks={searches.next_cursor}#goal-seeks" if searches.next_cursor else None,
        seeks_first="/studies#goal-seeks" if seeks else None,
    )


@router.get("/studies/batches/{batch_id}")
async def show_batch(request: Request, page: SignedIn, batch_id: str) -> Response:
    """Show a batch: how far its runs are, and once all are over its scenarios side by side."""
    async with page.database.transaction() as tx:
        shell, _ = await page.shell(tx)
        batch, runs = await batch_operations.get_batch(tx, page.caller, batch_id)
    compared = await comparison_flows.compare_batch(workshop_of(request), runs)
    base = compared[0].base if compared else None
    return html(
        request,
        "customer/batch.html",
        shell=shell,
        batch={
            "id": batch.public_id,
            "name": batch.name,
            "status": standing_of(runs),
            "created_at": batch.created_at,
            "model_id": runs[0].model_public_id if runs else "",
            "model_name": runs[0].model_name if runs else "",
            "seed": runs[0].seed if runs else 0,
            "finished_count": sum(run.status.over for run in runs),
        },
        runs=[
            {
                "id": run.public_id,
                "label": run_label(run),
                "status": run.status.value,
                "share": run.iterations_completed / run.iterations,
                "stress": words_of_stress(run),
            }
            for run in runs
        ],
        columns=[words for _, words in SIDE_BY_SIDE],
        outputs=batch_outputs(runs, compared),
        base_label=run_label(base) if base else "",
        base_id=base.public_id if base else "",
        # One sentence where all agree; else each of those that do not.
        remarks=list(
            dict.fromkeys(
                one.kinship.remark
                if one.kinship.shares_random_numbers
                else f"{run_label(one.other)}: {one.kinship.remark}"
                for one in compared
            )
        ),
    )


@router.get("/runs/compare")
async def compare_runs(
    request: Request,
    page: SignedIn,
    runs: Annotated[str, Query(max_length=RUNS_LENGTH_MAX)] = "",
    base: Annotated[str, Query(max_length=RUNS_LENGTH_MAX)] = "",
    other: Annotated[str, Query(max_length=RUNS_LENGTH_MAX)] = "",
) -> Response:
    """Compare two runs, `?runs=a,b`; with one of them, offer others to choose from.

    The form of that choice sends `base` and `other` in their place.
    """
    first, _, second = runs.partition(",")
    first, second = first.strip() or base.strip(), second.strip() or other.strip()
    if not first or not second:
        return await _choice(request, page, first)
    try:
        compared = await comparison_flows.get_comparison(workshop_of(request), page.caller, first, second)
    except Problem as problem:
        if problem.status not in (409, 404):
            raise
        return await _choice(request, page, first, second, problem)
    async with page.database.transaction() as tx:
        shell, _ = await page.shell(tx)
    return html(
        request,
        "customer/comparison.html",
        shell=shell,
        base=side_view(compared.base),
        other=side_view(compared.other),
        shares_random_numbers=compared.kinship.shares_random_numbers,
        remark=compared.kinship.remark,
        outputs=comparison_view(compared),
        swap_url=f"/runs/compare?runs={compared.other.public_id},{compared.base.public_id}",
    )


async def _choice(
    request: Request, page: Page, first: str, second: str = "", problem: Problem | None = None
) -> Response:
    """Offer the newest runs that have results, those of the same model first."""
    async with page.database.transaction() as tx:
        shell, _ = await page.shell(tx)
        base = await simulation.get_run(tx, page.caller, first) if first else None
        found = (await simulation.list_runs(tx, page.caller, None, RUNS_OFFERED)).items
    offered = [run for run in found if run.readable and run.results]
    if base is not None and base.public_id not in [run.public_id for run in offered]:
        offered.insert(0, base)
    same = [run for run in offered if base is None or run.model_id == base.model_id]
    others = [run for run in offered if run not in same]
    return html(
        request,
        "customer/compare_with.html",
        status=problem.status if problem else 200,
        shell=shell,
        base_id="" if base is None else base.public_id,
        other_id=second,
        groups=[
            (words, [_option(run) for run in runs])
            for words, runs in (("Of the same model", same), ("Of other models", others))
            if runs
        ],
        run_count=len(offered),
        failure="" if problem is None else problem.message,
    )


def _option(run: Run) -> dict[str, str]:
    name = f"{run.scenario_name}, " if run.scenario_name else ""
    return {
        "id": run.public_id,
        "words": f"{run.model_name}: {name}{run.iterations:,} iterations, seed {run.seed}, "
        f"{run.created_at:%Y-%m-%d %H:%M}, {run.public_id}",
    }
