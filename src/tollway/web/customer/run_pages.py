"""`/runs`: watch a run, read its results, take them along."""

import contextlib
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse
from markupsafe import Markup

from tollway.kit.clock import read_now
from tollway.kit.http import ReplayingRoute, refuse_cross_site
from tollway.kit.problems import Conflict, NotFound
from tollway.simulation import download_flows, download_operations
from tollway.simulation import flows as simulation_flows
from tollway.simulation import operations as simulation
from tollway.simulation.downloads import DownloadTokenNotFound, FileFormat, SampleFormat
from tollway.simulation.entities import Run, RunStatus
from tollway.web.charts import histogram
from tollway.web.customer.correlation_views import settings_of, used_correlations
from tollway.web.customer.model_pages import workshop_of
from tollway.web.customer.run_outputs import output_views
from tollway.web.distributions import shown_input
from tollway.web.pages import SignedIn, Working, html, redirect
from tollway.web.rendering import render
from tollway.web.results import figure_format, headline
from tollway.web.study_views import study_settings

PAGE_SIZE = 20
# As long as the stream of a cancelled run waits for its summary.
SUMMARY_PATIENCE = timedelta(seconds=simulation_flows.SUMMARY_SECONDS_MAX)

router = APIRouter(prefix="/runs", route_class=ReplayingRoute, include_in_schema=False)


@router.get("")
async def list_runs(request: Request, page: SignedIn, cursor: str | None = None) -> Response:
    """List the customer's runs, newest first."""
    async with page.database.transaction() as tx:
        shell, _ = await page.shell(tx)
        found = await simulation.list_runs(tx, page.caller, cursor, PAGE_SIZE)
    runs = [
        {
            "id": run.public_id,
            "model_name": run.model_name,
            "status": run.status.value,
            "iterations": run.iterations,
            "seed": run.seed,
            "created_at": run.created_at,
            "headline": headline(run.results[0]) if run.results else "",
        }
        for run in found.items
    ]
    return html(
        request,
        "customer/runs.html",
        shell=shell,
        runs=runs,
        next_url=f"/runs?cursor={found.next_cursor}" if found.next_cursor else None,
        first_url="/runs" if cursor else None,
    )


@router.get("/{run_id}")
async def show_run(request: Request, page: SignedIn, run_id: str) -> Response:
    """Show a run: live while it is under way, its results once it is over."""
    async with page.database.transaction() as tx:
        shell, _ = await page.shell(tx)
        run = await simulation.get_run(tx, page.caller, run_id)
        links = await download_operations.list_download_links(tx, page.caller, run_id, page.now)
    if not _is_settled(run, page.now):
        return html(
            request,
            "customer/run_live.html",
            shell=shell,
            run=_run_view(run, page.now),
            progress=progress_view(run, page.now),
        )
    return html(
        request,
        "customer/run_results.html",
        shell=shell,
        run=_run_view(run, page.now),
        outputs=await output_views(request, run),
        inputs=[
            {
                "cell": one["cell"],
                "name": one["name"] or "",
                "distribution": shown_input(one),
            }
            for one in run.inputs
        ],
        settings=[*settings_of(run), *study_settings(run), ("Credits", f"{run.credits_consumed:,}")],
        correlations=used_correlations(run),
        links=links,
    )


@router.get("/{run_id}/events")
async def stream_events(request: Request, page: SignedIn, run_id: str) -> Response:
    """Send the live part of the page whenever the run changed, and `done` at its end."""
    workshop = workshop_of(request)
    async with page.database.transaction() as tx:
        run = await simulation.get_run(tx, page.caller, run_id)
    workshop.feed.assert_room(page.caller.owner_id)

    async def events() -> AsyncIterator[str]:
        over = False
        async for changed in simulation_flows.watch_run(workshop, page.caller, run, page.is_still_allowed):
            if changed is None:
                yield ": still here\n\n"
                continue
            over = changed.status.over
            part = render("customer/_run_progress.html", progress=progress_view(changed, read_now()))
            yield "".join(f"data: {line}\n" for line in part.splitlines()) + "\n"
        # Without it the browser would connect again and again.
        if over:
            yield "event: done\ndata: over\n\n"

    return StreamingResponse(events(), media_type="text/event-stream")


@router.post("/{run_id}/cancel")
async def cancel_run(request: Request, page: Working, run_id: str) -> Response:
    """Stop a run and keep what was computed."""
    refuse_cross_site(request)
    try:
        async with page.database.transaction() as tx:
            await simulation.cancel_run(tx, page.caller, run_id, page.now)
    except NotFound:
        raise
    except Conflict:
        # It ended while the button was pressed: its page shows how.
        return redirect(f"/runs/{run_id}")
    return redirect(f"/runs/{run_id}")


@router.post("/{run_id}/download-tokens/{download_token_id}/revoke")
async def revoke_download_link(
    request: Request, page: Working, run_id: str, download_token_id: str
) -> Response:
    """Take a link to the results back; one that works no more already is as good as taken back."""
    refuse_cross_site(request)
    async with page.database.transaction() as tx:
        # Whose run it is, is asked first: another's is not there.
        await simulation.get_run(tx, page.caller, run_id)
        with contextlib.suppress(DownloadTokenNotFound):
            await download_operations.revoke_download_link(
                tx, page.caller, run_id, download_token_id, page.now
            )
    return redirect(f"/runs/{run_id}#links")


@router.get("/{run_id}/download/{file_format}")
async def download_run(
    request: Request, page: SignedIn, run_id: str, file_format: FileFormat | SampleFormat
) -> Response:
    """Download the results, or the samples."""
    file = await download_flows.download(workshop_of(request), page.call(), run_id, file_format)
    return StreamingResponse(file.pieces, headers=file.headers)


def _is_settled(run: Run, now: datetime) -> bool:
    """Whether a run is over; one that was cancelled only once what was done is summarised, or never will be."""
    awaits_summary = run.status is RunStatus.CANCELLED and run.summarized_at is None
    if awaits_summary and run.iterations_completed and run.finished_at is not None:
        return now - run.finished_at > SUMMARY_PATIENCE
    return run.status.over


def _run_view(run: Run, now: datetime) -> dict[str, Any]:
    failure = run.failure or {}
    return {
        "id": run.public_id,
        "model_id": run.model_public_id,
        "model_name": run.model_name,
        "status": run.status.value,
        "iterations": run.iterations,
        "iterations_done": run.iterations_completed,
        "seed": run.seed,
        "seconds": run.execution_seconds(now),
        "engine_version": run.engine_version,
        "created_at": run.created_at,
        "reason": failure.get("message", ""),
        "kept_until": run.expires_at.date(),
        "results_deleted": run.results_deleted_at is not None,
        "has_samples": run.samples_blob is not None,
    }


def progress_view(run: Run, now: datetime) -> dict[str, Any]:
    """Lay the state of a run out for customer/_run_progress.html."""
    told = simulation_flows.describe_progress(run, now)
    progress = told["progress"]
    first = told["outputs"][0] if told["outputs"] else None
    mean = first["mean"] if first else None
    error = first["mean_standard_error"] if first else None
    write = figure_format(mean, error)
    return {
        "status": run.status.value,
        "stage": progress["stage_description"],
        "share": run.iterations_completed / run.iterations,
        "iterations_done": run.iterations_completed,
        "iterations": run.iterations,
        "iterations_per_second": told["performance_metrics"]["iterations_per_second"] or None,
        "seconds_left": progress["estimated_remaining"],
        "output_name": run.outputs[0]["name"] or run.outputs[0]["cell"],
        "output_cell": run.outputs[0]["cell"],
        "mean": None if mean is None else write(mean),
        "standard_error": "–" if error is None else write(error),
        "histogram": _live_histogram(first),
    }


def _live_histogram(output: dict[str, Any] | None) -> Markup | str:
    """Draw what there is so far; the percentiles are read off the bins."""
    if output is None or not output["histogram"]["bin_edges"]:
        return ""
    edges, counts = output["histogram"]["bin_edges"], output["histogram"]["frequencies"]
    total = sum(counts)
    if not total:
        return ""
    below, cumulative = 0, [(edges[0], 0.0)]
    for edge, count in zip(edges[1:], counts, strict=True):
        below += count
        cumulative.append((edge, below / total))
    return histogram(
        "live",
        bin_edges=edges,
        counts=counts,
        cumulative=cumulative,
        percentiles={name: _quantile(cumulative, int(name) / 100) for name in ("5", "50", "95")},
        title=f"{output['name'] or output['cell']} so far",
        interactive=False,
    )


def _quantile(cumulative: list[tuple[float, float]], share: float) -> float:
    for (left, before), (right, after) in pairwise(cumulative):
        if after >= share:
            return left + (right - left) * ((share - before) / (after - before) if after > before else 0.0)
    return cumulative[-1][0]
