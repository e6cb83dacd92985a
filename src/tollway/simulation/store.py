"""SQL over models and runs."""

import json
from datetime import datetime
from typing import Any

from tollway.customers.entities import Mode
from tollway.kit.db import Transaction
from tollway.simulation.entities import Inspected, Model, Run, RunPlan, RunStatus, UnderWay

# Everybody who watches a run listens here; the payload is the run's public id.
PROGRESS_CHANNEL = "run_progress"

_SELECT_MODEL = """
    SELECT m.id, m.public_id, m.customer_id, m.mode, m.name, m.description, m.tags, m.filename,
        m.workbook_blob, m.workbook_bytes, m.workbook_sha256, m.formulas_count, m.inspection, m.inputs,
        m.outputs, m.correlations, m.created_at, m.updated_at, m.expires_at, m.workbook_deleted_at
    FROM models m
"""
SELECT_RUN = """
    SELECT r.id, r.public_id, r.customer_id, r.model_id, m.public_id AS model_public_id,
        m.name AS model_name, m.filename AS workbook_name, r.mode, r.api_key_id,
        r.status, r.seed, r.iterations, r.iterations_completed, r.inputs, r.outputs, r.confidence_levels,
        r.credits_consumed, r.quota_id, r.engine_version, r.bin_edges, r.seconds_per_iteration, r.live,
        r.results, r.failure, r.created_at, r.started_at, r.finished_at, r.summarized_at, r.expires_at,
        r.results_deleted_at, r.webhook_url, r.processing_seconds, r.sampling, r.correlations, r.targets,
        r.tolerance, r.points_blob,
        r.stress, r.batch_id, b.public_id AS batch_public_id, r.scenario_name, r.keeps_samples,
        r.samples_blob
    FROM runs r JOIN models m ON m.id = r.model_id LEFT JOIN batches b ON b.id = r.batch_id
"""


# --- models --------------------------------------------------------------------------------------------


async def insert_model(
    tx: Transaction,
    public_id: str,
    customer_id: int,
    mode: Mode,
    *,
    name: str,
    description: str,
    tags: list[str],
    filename: str,
    blob: str,
    workbook_bytes: int,
    sha256: bytes,
    inspected: Inspected,
    inputs: list[dict[str, Any]],
    outputs: list[str],
    now: datetime,
    expires_at: datetime,
) -> None:
    """Write a model."""
    await tx.execute(
        """
        INSERT INTO models (public_id, customer_id, mode, name, description, tags, filename, workbook_blob,
            workbook_bytes, workbook_sha256, formulas_count, inspection, preview, inputs, outputs, created_at,
            updated_at, expires_at)
        VALUES (%(public_id)s, %(customer_id)s, %(mode)s, %(name)s, %(description)s, %(tags)s, %(filename)s,
            %(blob)s, %(bytes)s, %(sha256)s, %(formulas_count)s, %(inspection)s::jsonb, %(preview)s::jsonb,
            %(inputs)s::jsonb, %(outputs)s::jsonb, %(now)s, %(now)s, %(expires_at)s)
        """,
        {
            "public_id": public_id,
            "customer_id": customer_id,
            "mode": mode.value,
            "name": name,
            "description": description,
            "tags": tags,
            "filename": filename,
            "blob": blob,
            "bytes": workbook_bytes,
            "sha256": sha256,
            "formulas_count": inspected.formulas_count,
            "inspection": json.dumps(inspected.facts),
            "preview": json.dumps(inspected.preview),
            "inputs": json.dumps(inputs),
            "outputs": json.dumps(outputs),
            "now": now,
            "expires_at": expires_at,
        },
    )


async def find_model(
    tx: Transaction, customer_id: int, mode: Mode, public_id: str, *, lock: bool = False
) -> Model | None:
    """Return a customer's model in one mode, or None; locked until the transaction ends where asked."""
    return await tx.find_one(
        Model,
        _SELECT_MODEL
        + " WHERE m.customer_id = %(customer_id)s AND m.mode = %(mode)s AND m.public_id = %(public_id)s"
        + (" FOR UPDATE" if lock else ""),
        {"customer_id": customer_id, "mode": mode.value, "public_id": public_id},
    )


async def list_models(
    tx: Transaction, customer_id: int, mode: Mode, before: int | None, limit: int
) -> list[Model]:
    """List a customer's models whose workbook is kept, newest first."""
    return await tx.list_all(
        Model,
        _SELECT_MODEL
        + """
        WHERE m.customer_id = %(customer_id)s AND m.mode = %(mode)s AND m.workbook_deleted_at IS NULL
            AND (%(before)s::bigint IS NULL OR m.id < %(before)s)
        ORDER BY m.id DESC LIMIT %(limit)s
        """,
        {"customer_id": customer_id, "mode": mode.value, "before": before, "limit": limit},
    )


async def get_preview(tx: Transaction, model_id: int) -> dict[str, Any]:
    """Return the cells that a page shows."""
    found = await tx.find_value("SELECT preview FROM models WHERE id = %(id)s", {"id": model_id})
    return dict(found or {})


async def get_workbook(tx: Transaction, model_id: int) -> tuple[str, bytes]:
    """Return the name of a model's file and its SHA-256, for jobs."""
    rows = await tx.list_rows(
        "SELECT workbook_blob, workbook_sha256 FROM models WHERE id = %(id)s", {"id": model_id}
    )
    return str(rows[0]["workbook_blob"]), bytes(rows[0]["workbook_sha256"])


async def update_model(tx: Transaction, model_id: int, changes: dict[str, Any], now: datetime) -> None:
    """Write name, description, tags, inputs, outputs and correlations of a model; None leaves one as it is."""
    parameters = {name: changes.get(name) for name in ("name", "description", "tags")} | {
        name: None if changes.get(name) is None else json.dumps(changes[name])
        for name in ("inputs", "outputs", "correlations")
    }
    await tx.execute(
        """
        UPDATE models SET name = COALESCE(%(name)s, name), description = COALESCE(%(description)s, description),
            tags = COALESCE(%(tags)s, tags), inputs = COALESCE(%(inputs)s::jsonb, inputs),
            outputs = COALESCE(%(outputs)s::jsonb, outputs),
            correlations = COALESCE(%(correlations)s::jsonb, correlations), updated_at = %(now)s
        WHERE id = %(id)s
        """,
        parameters | {"id": model_id, "now": now},
    )


async def extend_model(tx: Transaction, model_id: int, expires_at: datetime) -> None:
    """Keep a model at least until an instant; a warning that was sent no longer holds."""
    await tx.execute(
        """
        UPDATE models SET expires_at = %(expires_at)s, expiry_told_at = NULL
        WHERE id = %(id)s AND expires_at < %(expires_at)s
        """,
        {"id": model_id, "expires_at": expires_at},
    )


async def delete_model(tx: Transaction, model_id: int) -> None:
    """Delete a model and its runs, whose files were discarded before."""
    await tx.execute("DELETE FROM runs WHERE model_id = %(id)s", {"id": model_id})
    await tx.execute("DELETE FROM models WHERE id = %(id)s", {"id": model_id})


# --- runs ----------------------------------------------------------------------------------------------


async def lock_customer(tx: Transaction, customer_id: int) -> None:
    """Make transactions that count a customer's runs pass one by one."""
    await tx.execute("SELECT id FROM api_customers WHERE id = %(id)s FOR NO KEY UPDATE", {"id": customer_id})


async def sum_up_under_way(tx: Transaction, customer_id: int) -> UnderWay:
    """Count a customer's runs that are queued or running, in both modes; no run itself is read."""
    return await tx.get_one(
        UnderWay,
        """
        SELECT count(*) AS run_count,
            coalesce(min((iterations - iterations_completed) * seconds_per_iteration), 0) AS seconds_to_next_end
        FROM runs WHERE customer_id = %(customer_id)s AND status IN ('queued', 'running')
        """,
        {"customer_id": customer_id},
    )


async def insert_run(
    tx: Transaction,
    public_id: str,
    model: Model,
    plan: RunPlan,
    *,
    seed: int,
    sampling: str,
    iterations: int,
    confidence_levels: list[float],
    targets: list[float],
    tolerance: float,
    credits_consumed: int,
    api_key_id: int | None,
    quota_id: int | None,
    engine_version: str,
    processing_weight: int,
    reserved_workers: bool,
    webhook_url: str | None,
    batch_id: int | None,
    scenario_name: str | None,
    keeps_samples: bool,
    now: datetime,
    expires_at: datetime,
) -> int:
    """Write a run and return its identity."""
    found = await tx.find_value(
        """
        INSERT INTO runs (public_id, customer_id, model_id, mode, api_key_id, status, seed, iterations, inputs,
            outputs, confidence_levels, credits_consumed, quota_id, engine_version, bin_edges,
            seconds_per_iteration, processing_weight, reserved_workers, webhook_url, sampling, correlations,
            stress, batch_id, scenario_name, targets, tolerance, keeps_samples, created_at,
            expires_at)
        VALUES (%(public_id)s, %(customer_id)s, %(model_id)s, %(mode)s, %(api_key_id)s, 'queued', %(seed)s,
            %(iterations)s, %(inputs)s::jsonb, %(outputs)s::jsonb, %(levels)s::jsonb, %(credits)s, %(quota_id)s,
            %(engine_version)s, %(bin_edges)s::jsonb, %(seconds)s, %(weight)s, %(reserved)s, %(webhook_url)s,
            %(sampling)s, %(correlations)s::jsonb, %(stress)s::jsonb, %(batch_id)s, %(scenario_name)s,
            %(targets)s::jsonb, %(tolerance)s, %(keeps_samples)s, %(now)s, %(expires_at)s)
        RETURNING id
        """,
        {
            "public_id": public_id,
            "customer_id": model.customer_id,
            "model_id": model.id,
            "mode": model.mode.value,
            "api_key_id": api_key_id,
            "seed": seed,
            "iterations": iterations,
            "inputs": json.dumps(plan.inputs),
            "outputs": json.dumps(plan.outputs),
            "levels": json.dumps(confidence_levels),
            "targets": json.dumps(targets),
            "tolerance": tolerance,
            "credits": credits_consumed,
            "quota_id": quota_id,
            "engine_version": engine_version,
            "bin_edges": json.dumps(plan.bin_edges),
            "seconds": plan.seconds_per_iteration,
            "weight": processing_weight,
            "reserved": reserved_workers,
            "webhook_url": webhook_url,
            "sampling": sampling,
            "correlations": None if plan.correlations is None else json.dumps(plan.correlations),
            "stress": json.dumps(plan.stress),
            "batch_id": batch_id,
            "scenario_name": scenario_name,
            "keeps_samples": keeps_samples,
            "now": now,
            "expires_at": expires_at,
        },
    )
    return int(found)


async def find_run(tx: Transaction, customer_id: int, mode: Mode, public_id: str) -> Run | None:
    """Return a customer's run in one mode, or None."""
    return await tx.find_one(
        Run,
        SELECT_RUN
        + " WHERE r.customer_id = %(customer_id)s AND r.mode = %(mode)s AND r.public_id = %(public_id)s",
        {"customer_id": customer_id, "mode": mode.value, "public_id": public_id},
    )


async def find_run_by_id(tx: Transaction, run_id: int, *, lock: bool = False) -> Run | None:
    """Return any run by its identity, for jobs; locked until the transaction ends where asked."""
    return await tx.find_one(
        Run,
        SELECT_RUN + " WHERE r.id = %(id)s" + (" FOR UPDATE OF r" if lock else ""),
        {"id": run_id},
    )


async def list_runs(
    tx: Transaction, customer_id: int, mode: Mode, model_id: int | None, before: int | None, limit: int
) -> list[Run]:
    """List a customer's runs, newest first, of one model where it is given."""
    return await tx.list_all(
        Run,
        SELECT_RUN
        + """
        WHERE r.customer_id = %(customer_id)s AND r.mode = %(mode)s
            AND (%(model_id)s::bigint IS NULL OR r.model_id = %(model_id)s)
            AND (%(before)s::bigint IS NULL OR r.id < %(before)s)
        ORDER BY r.id DESC LIMIT %(limit)s
        """,
        {
            "customer_id": customer_id,
            "mode": mode.value,
            "model_id": model_id,
            "before": before,
            "limit": limit,
        },
    )


async def count_runs_of_model(tx: Transaction, model_id: int) -> int:
    """Count the runs of a model."""
    return int(await tx.find_value("SELECT count(*) FROM runs WHERE model_id = %(id)s", {"id": model_id}))


async def count_under_way(tx: Transaction) -> int:
    """Count every customer's runs that are queued or running."""
    return int(await tx.find_value("SELECT count(*) FROM runs WHERE status IN ('queued', 'running')"))


async def list_outstanding(tx: Transaction) -> list[dict[str, Any]]:
    """List what is left of every customer's runs: {customer_id, seconds of one core, weight of their newest}."""
    return await tx.list_rows(
        """
        SELECT customer_id, sum((iterations - iterations_completed) * seconds_per_iteration) AS seconds,
            (array_agg(processing_weight ORDER BY id DESC))[1] AS weight
        FROM runs WHERE status IN ('queued', 'running') GROUP BY customer_id
        """
    )


async def update_progress(
    tx: Transaction, run_id: int, iteration_count: int, live: list[dict[str, Any]], seconds: float
) -> None:
    """Add the iterations of a shard that is done, and the seconds of one core that it took."""
    await tx.execute(
        """
        UPDATE runs SET iterations_completed = iterations_completed + %(count)s, live = %(live)s::jsonb,
            processing_seconds = processing_seconds + %(seconds)s
        WHERE id = %(id)s
        """,
        {"id": run_id, "count": iteration_count, "live": json.dumps(live), "seconds": seconds},
    )


async def end_run(
    tx: Transaction, run_id: int, status: RunStatus, now: datetime, failure: dict[str, Any] | None = None
) -> None:
    """Write how a run ended; shards that are not done are dropped."""
    await tx.execute(
        """
        UPDATE runs SET status = %(status)s, finished_at = %(now)s, failure = %(failure)s::jsonb
        WHERE id = %(id)s
        """,
        {
            "id": run_id,
            "status": status.value,
            "now": now,
            "failure": None if failure is None else json.dumps(failure),
        },
    )
    await tx.execute("DELETE FROM run_shards WHERE run_id = %(id)s AND status <> 'done'", {"id": run_id})


async def update_results(
    tx: Transaction,
    run_id: int,
    results: list[dict[str, Any]],
    status: RunStatus,
    now: datetime,
    *,
    points_blob: str | None,
    samples_blob: str | None,
) -> None:
    """Write the summary of a run, and its points' and samples' files; the time of its end stays where it has one."""
    await tx.execute(
        """
        UPDATE runs SET results = %(results)s::jsonb, status = %(status)s, summarized_at = %(now)s,
            finished_at = COALESCE(finished_at, %(now)s), samples_blob = %(samples_blob)s,
            points_blob = %(points_blob)s
        WHERE id = %(id)s
        """,
        {
            "id": run_id,
            "results": json.dumps(results),
            "status": status.value,
            "points_blob": points_blob,
            "samples_blob": samples_blob,
            "now": now,
        },
    )


async def notify_progress(tx: Transaction, public_id: str) -> None:
    """Wake those who watch a run, once this transaction has committed."""
    await tx.execute("SELECT pg_notify(%(channel)s, %(id)s)", {"channel": PROGRESS_CHANNEL, "id": public_id})


async def count_runs_by_model(tx: Transaction, model_ids: list[int]) -> dict[int, int]:
    """Count the runs of each of some models; those without any are left out."""
    rows = await tx.list_rows(
        "SELECT model_id, count(*) AS run_count FROM runs WHERE model_id = ANY(%(ids)s) GROUP BY model_id",
        {"ids": model_ids},
    )
    return {row["model_id"]: row["run_count"] for row in rows}


async def count_runs_of_customer(tx: Transaction, customer_id: int, mode: Mode) -> int:
    """Count a customer's runs."""
    found = await tx.find_value(
        "SELECT count(*) FROM runs WHERE customer_id = %(customer_id)s AND mode = %(mode)s",
        {"customer_id": customer_id, "mode": mode.value},
    )
    return int(found)
