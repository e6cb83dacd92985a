"""SQL over discarded_blobs, and over what is deleted when its time is over."""

from datetime import datetime

from tollway.kit.db import Transaction
from tollway.simulation.entities import Expiring


async def discard_blobs(tx: Transaction, names: list[str], now: datetime) -> None:
    """List files to be deleted unless `keep_blob` takes them off again."""
    await tx.execute(
        """
        INSERT INTO discarded_blobs (name, discarded_at) SELECT unnest(%(names)s::text[]), %(now)s
        ON CONFLICT (name) DO NOTHING
        """,
        {"names": names, "now": now},
    )


async def discard_blobs_of_runs(tx: Transaction, run_ids: list[int], now: datetime) -> None:
    """Let go of everything of runs that is a file, and list these to be deleted."""
    await discard_shards_of_runs(tx, run_ids, now)
    await tx.execute(
        """
        INSERT INTO discarded_blobs (name, discarded_at)
        SELECT blob, %(now)s FROM runs, unnest(ARRAY[points_blob, samples_blob]) AS blob
        WHERE id = ANY(%(ids)s) AND blob IS NOT NULL ON CONFLICT (name) DO NOTHING
        """,
        {"ids": run_ids, "now": now},
    )
    await tx.execute(
        "UPDATE runs SET points_blob = NULL, samples_blob = NULL WHERE id = ANY(%(ids)s)", {"ids": run_ids}
    )


async def discard_shards_of_runs(tx: Transaction, run_ids: list[int], now: datetime) -> None:
    """Let go of the shards of runs, and list their files to be deleted."""
    await tx.execute(
        """
        WITH gone AS (DELETE FROM run_shards WHERE run_id = ANY(%(ids)s) RETURNING status, result_blob)
        INSERT INTO discarded_blobs (name, discarded_at)
        SELECT result_blob, %(now)s FROM gone WHERE status = 'done' ON CONFLICT (name) DO NOTHING
        """,
        {"ids": run_ids, "now": now},
    )


async def list_run_ids_of_model(tx: Transaction, model_id: int) -> list[int]:
    """List the identities of a model's runs, locked until the transaction ends.

    Runs are locked before their shards, as by whoever completes a shard, or the two would wait for each other.
    """
    rows = await tx.list_rows(
        "SELECT id FROM runs WHERE model_id = %(id)s ORDER BY id FOR UPDATE", {"id": model_id}
    )
    return [int(row["id"]) for row in rows]


async def keep_blob(tx: Transaction, name: str) -> None:
    """Take a file off the list of those to be deleted."""
    await tx.execute("DELETE FROM discarded_blobs WHERE name = %(name)s", {"name": name})


async def list_discarded_blobs(tx: Transaction, before: datetime, limit: int) -> list[str]:
    """List files that were let go of before an instant."""
    rows = await tx.list_rows(
        """
        SELECT name FROM discarded_blobs WHERE discarded_at < %(before)s ORDER BY discarded_at LIMIT %(limit)s
        """,
        {"before": before, "limit": limit},
    )
    return [str(row["name"]) for row in rows]


async def forget_blobs(tx: Transaction, names: list[str]) -> None:
    """Take files off the list after they were deleted."""
    await tx.execute("DELETE FROM discarded_blobs WHERE name = ANY(%(names)s)", {"names": names})


async def tell_expiring_models(
    tx: Transaction, before: datetime, now: datetime, limit: int
) -> list[Expiring]:
    """List models that end before an instant and whose customers were not told, as told from now on."""
    return await tx.list_all(
        Expiring,
        """
        UPDATE models SET expiry_told_at = %(now)s
        WHERE id IN (SELECT id FROM models WHERE expires_at < %(before)s AND expiry_told_at IS NULL
            AND workbook_deleted_at IS NULL ORDER BY expires_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
        RETURNING id, public_id, customer_id, name AS label, expires_at
        """,
        {"before": before, "now": now, "limit": limit},
    )


async def empty_expired_models(tx: Transaction, now: datetime, limit: int) -> list[Expiring]:
    """Let go of the workbooks whose time is over; models with a run under way wait."""
    return await tx.list_all(
        Expiring,
        """
        WITH due AS (
            SELECT id FROM models m WHERE expires_at <= %(now)s AND workbook_deleted_at IS NULL AND NOT EXISTS (
                SELECT 1 FROM runs r WHERE r.model_id = m.id AND r.status IN ('queued', 'running'))
                AND NOT EXISTS (
                SELECT 1 FROM goal_seeks g WHERE g.model_id = m.id AND g.status IN ('queued', 'running'))
            ORDER BY expires_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
        ), discarded AS (
            INSERT INTO discarded_blobs (name, discarded_at)
            SELECT workbook_blob, %(now)s FROM models WHERE id IN (SELECT id FROM due) ON CONFLICT DO NOTHING
        )
        UPDATE models SET workbook_deleted_at = %(now)s, inspection = '{}', preview = '{}', inputs = '[]',
            outputs = '[]', correlations = '[]'
        WHERE id IN (SELECT id FROM due)
        RETURNING id, public_id, customer_id, name AS label, expires_at
        """,
        {"now": now, "limit": limit},
    )


async def empty_expired_runs(tx: Transaction, now: datetime, limit: int) -> list[Expiring]:
    """Let go of the results and samples whose time is over."""
    emptied = await tx.list_all(
        Expiring,
        """
        UPDATE runs SET results_deleted_at = %(now)s, results = NULL, live = '[]'
        WHERE id IN (SELECT id FROM runs WHERE expires_at <= %(now)s AND results_deleted_at IS NULL
            AND status NOT IN ('queued', 'running') ORDER BY expires_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
        RETURNING id, public_id, customer_id, public_id AS label, expires_at
        """,
        {"now": now, "limit": limit},
    )
    await discard_blobs_of_runs(tx, [one.id for one in emptied], now)
    return emptied


async def delete_tombstones(tx: Transaction, before: datetime) -> int:
    """Delete the rows of what was emptied before an instant; return how many."""
    runs = await tx.execute("DELETE FROM runs WHERE results_deleted_at < %(before)s", {"before": before})
    await tx.execute(
        """
        DELETE FROM batches b WHERE created_at < %(before)s
            AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.batch_id = b.id)
        """,
        {"before": before},
    )
    models = await tx.execute(
        """
        DELETE FROM models m WHERE workbook_deleted_at < %(before)s
            AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.model_id = m.id)
            AND NOT EXISTS (SELECT 1 FROM goal_seeks g WHERE g.model_id = m.id)
        """,
        {"before": before},
    )
    return runs + models
