"""What models and runs look like in JSON; names and nesting are those that existing clients read."""

from datetime import datetime, timedelta
from typing import Any

from tollway.engine.runs.convergence import cap_needed
from tollway.simulation import shards
from tollway.simulation.downloads import (
    TOKEN_DOWNLOADS_PATH,
    DownloadLink,
    DownloadToken,
    FileFormat,
    download_links,
)
from tollway.simulation.entities import Model, Run, RunStatus
from tollway.simulation.operations import progress_url

PREFIX = "/monte-carlo-api"
# A file of this many formulas takes this long to read, roughly; only an estimate is promised.
FORMULAS_PER_SECOND = 5_000

PHASES = {
    RunStatus.QUEUED: ("initialization", "Waiting for a worker"),
    RunStatus.RUNNING: ("simulation", "Computing iterations"),
    RunStatus.COMPLETED: ("completed", "Results are ready"),
    RunStatus.FAILED: ("failed", "The run failed"),
    RunStatus.CANCELLED: ("cancelled", "Cancelled; what was done is kept"),
}


def uploaded_model(model: Model) -> dict[str, Any]:
    """Shape the answer to an upload."""
    low = 1 + model.formulas_count // FORMULAS_PER_SECOND
    return {
        "model_id": model.public_id,
        "filename": model.filename,
        "status": "uploaded",
        "processing_time_estimate": f"{low}-{low * 3} seconds",
        "formulas_count": model.formulas_count,
        "variables_detected": model.inspection["variables_detected"],
        "outputs_detected": model.inspection["outputs_detected"],
        "agreement": model.inspection["agreement"],
        **_not_computed(model),
        **_written(model),
        # Links to other workbooks are never followed: the values that Excel stored stand in for them.
        "external_links_count": model.inspection["external_links_count"],
        "created_at": model.created_at.isoformat(),
    }


def _not_computed(model: Model) -> dict[str, Any]:
    """Name formulas that no run may need; of older models, which were refused for the first of them, there are none."""
    found = model.inspection
    return {
        "unsupported": found.get("unsupported", []),
        "unsupported_count": found.get("unsupported_count", 0),
        "blocked": found.get("blocked", []),
        "blocked_count": found.get("blocked_count", 0),
    }


def _written(model: Model) -> dict[str, Any]:
    """Tell what the workbook draws and marks by itself; of models of before that was looked for, nothing."""
    found = model.inspection
    return {
        "written_inputs": found.get("written_inputs", []),
        "written_inputs_count": found.get("written_inputs_count", 0),
        "written_correlations": found.get("written_correlations", []),
        "written_outputs": found.get("written_outputs", []),
    }


def listed_model(model: Model) -> dict[str, Any]:
    """Shape one line of the list of models."""
    return {
        "model_id": model.public_id,
        "model_name": model.name,
        "filename": model.filename,
        "formulas_count": model.formulas_count,
        "tags": model.tags,
        "uploaded_at": model.created_at.isoformat(),
        "expires_at": model.expires_at.isoformat(),
    }


def whole_model(model: Model) -> dict[str, Any]:
    """Shape a model with everything that is known of it."""
    return listed_model(model) | {
        "description": model.description,
        "file_bytes": model.workbook_bytes,
        "functions": model.inspection["functions"],
        "sheets": model.inspection["sheets"],
        "variables_detected": model.inspection["variables_detected"],
        "outputs_detected": model.inspection["outputs_detected"],
        "agreement": model.inspection["agreement"],
        **_not_computed(model),
        **_written(model),
        # Links to other workbooks are never followed: the values that Excel stored stand in for them.
        "external_links_count": model.inspection["external_links_count"],
        "inputs": model.inputs,
        "outputs": model.outputs,
        "correlations": model.correlations,
        "updated_at": model.updated_at.isoformat(),
    }


def created_run(run: Run, seconds_ahead: float, now: datetime) -> dict[str, Any]:
    """Shape the answer to a run's creation; `seconds_ahead`: until it is done, roughly."""
    return {
        "simulation_id": run.public_id,
        "status": run.status.value,
        "estimated_completion": (now + timedelta(seconds=1 + seconds_ahead)).isoformat(),
        "progress_url": progress_url(run.public_id),
        "credits_consumed": run.credits_consumed,
        "seed": run.seed,
    }


def listed_run(run: Run) -> dict[str, Any]:
    """Shape one line of the list of runs."""
    return {
        "simulation_id": run.public_id,
        "model_id": run.model_public_id,
        "model_name": run.model_name,
        "status": run.status.value,
        "iterations": run.iterations,
        "iterations_completed": run.iterations_completed,
        "credits_consumed": run.credits_consumed,
        "created_at": run.created_at.isoformat(),
        "finished_at": _iso(run.finished_at),
        "progress_url": progress_url(run.public_id),
        "results_url": f"{PREFIX}/simulations/{run.public_id}/results",
    }


def progress(run: Run, memory_mb: float, now: datetime) -> dict[str, Any]:
    """Shape where a run stands, with what its outputs look like so far."""
    seconds = run.execution_seconds(now)
    per_second = run.iterations_completed / seconds if seconds > 0 else 0.0
    phase, description = PHASES[run.status]
    if run.status is RunStatus.RUNNING and run.iterations_completed == run.iterations:
        description = "Summarising"
    left = run.iterations - run.iterations_completed
    remaining = None
    if not run.status.over:
        remaining = round(left / per_second if per_second else left * run.seconds_per_iteration, 1)
    body: dict[str, Any] = {
        "simulation_id": run.public_id,
        "status": run.status.value,
        "progress": {
            "percentage": round(100 * run.iterations_completed / run.iterations, 2),
            "iterations_completed": run.iterations_completed,
            "iterations_total": run.iterations,
            "phase": phase,
            "stage_description": description,
            "estimated_remaining": remaining,
        },
        "performance_metrics": {
            "iterations_per_second": round(per_second, 1),
            "gpu_utilization": 0.0,
            "memory_usage": memory_mb,
        },
        "outputs": [
            _live_output(output, seen, edges)
            for output, seen, edges in zip(run.outputs, run.live, run.bin_edges, strict=False)
        ],
    }
    if run.failure is not None:
        body["failure"] = run.failure
    return body


def _live_output(output: dict[str, Any], seen: dict[str, Any], edges: list[float]) -> dict[str, Any]:
    return {
        "cell": output["reference"],
        "name": output["name"],
        "iterations": seen["count"],
        "errors": seen["error_count"],
        "mean": seen["mean"],
        "mean_standard_error": shards.standard_error(seen),
        "histogram": {"bin_edges": edges, "frequencies": seen["frequencies"]},
    }


def results(run: Run, now: datetime) -> dict[str, Any]:
    """Shape the results of a run that is over."""
    return {
        "simulation_id": run.public_id,
        "model_id": run.model_public_id,
        "status": run.status.value,
        "execution_time": f"{run.execution_seconds(now):.2f}s",
        "iterations_completed": run.iterations_completed,
        "iterations_total": run.iterations,
        "seed": run.seed,
        "engine_version": run.engine_version,
        "confidence_levels": run.confidence_levels,
        "targets": run.targets,
        "tolerance": run.tolerance,
        "sampling": run.sampling,
        "correlations": run.correlations,
        "stress": run.stress,
        "batch_id": run.batch_public_id,
        "scenario_name": run.scenario_name,
        "variables": [
            {"cell": one["cell"], "name": one["name"], "distribution": one["distribution"]}
            for one in run.inputs
        ],
        "results": {
            output["reference"]: _output_results(output, summary)
            for output, summary in zip(run.outputs, run.results or [], strict=False)
        },
        "samples_kept": run.samples_blob is not None,
        "download_links": download_links(run),
        "created_at": run.created_at.isoformat(),
        "finished_at": _iso(run.finished_at),
        "expires_at": run.expires_at.isoformat(),
    }


def issued_download_token(token: DownloadToken) -> dict[str, Any]:
    """Shape the answer that tells a token, the only time that it is told."""
    return {
        "download_token_id": token.public_id,
        "download_token": token.secret,
        "expires_at": token.expires_at.isoformat(),
        "download_links": {
            one.value: TOKEN_DOWNLOADS_PATH.format(token.secret, one.value) for one in FileFormat
        },
    }


def listed_download_link(link: DownloadLink) -> dict[str, Any]:
    """Shape what a list tells of a link, which is not the token."""
    return {
        "download_token_id": link.public_id,
        "key_id": link.key_id,
        "created_at": link.created_at.isoformat(),
        "expires_at": link.expires_at.isoformat(),
    }


def _output_results(output: dict[str, Any], summary: dict[str, Any]) -> dict[str, Any]:
    histogram = summary["histogram"] or {"counts": [], "bin_edges": [], "bin_centers": []}
    return {
        "cell": output["cell"],
        "cell_name": output["name"] or output["reference"],
        "statistics": {
            "count": summary["numeric_count"],
            "error_counts": summary["error_counts"],
            # Of what came later than a run, its stored results have nothing; so it is with others below.
            "replayed_count": summary.get("replayed_count"),
            "mean": summary["mean"],
            "mean_standard_error": summary["mean_standard_error"],
            "std": summary["std"],
            "min": summary["min"],
            "max": summary["max"],
            "skewness": summary["skewness"],
            "kurtosis": summary.get("kurtosis"),
            "mode": summary.get("mode"),
            "percentiles": summary["percentiles"],
            "standard_errors": summary.get("standard_errors"),
            "error_shares": summary.get("error_shares"),
            "targets": summary.get("targets"),
            # Lower tail: var_95 is the 5th percentile, cvar_95 the mean of the outcomes at or below it (X24).
            **{f"var_{level}": value for level, value in summary["var"].items()},
            **{f"cvar_{level}": value for level, value in summary["cvar"].items()},
        },
        "distribution_data": {
            "histogram": {"bins": histogram["bin_centers"], "frequencies": histogram["counts"]},
            "bin_edges": histogram["bin_edges"],
            "bin_centers": histogram["bin_centers"],
            "cdf": [{"value": value, "share": share} for value, share in summary["cdf"]],
        },
        "sensitivities": summary["sensitivities"],
        "sensitivity_iterations": summary.get("sensitivity_iterations"),
        "sensitivity_remark": summary.get("sensitivity_remark"),
        "convergence": cap_needed(summary.get("convergence")),
        "remark": summary["remark"],
    }


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
