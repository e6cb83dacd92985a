"""SQL over batches."""

from datetime import datetime

from tollway.customers.entities import Mode
from tollway.kit.db import Transaction
from tollway.simulation.entities import Run
from tollway.simulation.store import SELECT_RUN
from tollway.simulation.studies import Batch

# What a list needs of runs: results, draws and matrices are megabytes of each, of hundreds of runs at once.
_SELECT_RUN_BRIEFLY = (
    SELECT_RUN.replace("r.results,", "NULL::jsonb AS results,")
    .replace("r.correlations,", "NULL::jsonb AS correlations,")
    .replace("r.inputs,", "'[]'::jsonb AS inputs,")
    .replace("r.bin_edges,", "'[]'::jsonb AS bin_edges,")
    .replace("r.live,", "'[]'::jsonb AS live,")
)
_SELECT = "SELECT b.id, b.public_id, b.customer_id, b.mode, b.name, b.created_at FROM batches b"


async def insert_batch(
    tx: Transaction,
    public_id: str,
    customer_id: int,
    mode: Mode,
    name: str,
    api_key_id: int | None,
    now: datetime,
) -> int:
    """Write a batch and return its identity."""
    found = await tx.find_value(
        """
        INSERT INTO batches (public_id, customer_id, mode, api_key_id, name, created_at)
        VALUES (%(public_id)s, %(customer_id)s, %(mode)s, %(api_key_id)s, %(name)s, %(now)s) RETURNING id
        """,
        {
            "public_id": public_id,
            "customer_id": customer_id,
            "mode": mode.value,
            "api_key_id": api_key_id,
            "name": name,
            "now": now,
        },
    )
    return int(found)


async def find_batch(tx: Transaction, customer_id: int, mode: Mode, public_id: str) -> Batch | None:
    """Return a customer's batch in one mode, or None."""
    return await tx.find_one(
        Batch,
        _SELECT
        + " WHERE b.customer_id = %(customer_id)s AND b.mode = %(mode)s AND b.public_id = %(public_id)s",
        {"customer_id": customer_id, "mode": mode.value, "public_id": public_id},
    )


async def list_batches(
    tx: Transaction, customer_id: int, mode: Mode, before: int | None, limit: int
) -> list[Batch]:
    """List a customer's batches, newest first."""
    return await tx.list_all(
        Batch,
        _SELECT
        + """
        WHERE b.customer_id = %(customer_id)s AND b.mode = %(mode)s
            AND (%(before)s::bigint IS NULL OR b.id < %(before)s)
        ORDER BY b.id DESC LIMIT %(limit)s
        """,
        {"customer_id": customer_id, "mode": mode.value, "before": before, "limit": limit},
    )


async def list_runs_of_batches(tx: Transaction, batch_ids: list[int]) -> list[Run]:
    """List the runs of batches in the order of their scenarios; those of deleted models are gone."""
    return await tx.list_all(
        Run, SELECT_RUN + " WHERE r.batch_id = ANY(%(ids)s) ORDER BY r.batch_id, r.id", {"ids": batch_ids}
    )


async def list_standings_of_batches(tx: Transaction, batch_ids: list[int]) -> list[Run]:
    """List the same runs without what fills them: inputs, correlations and results are left out."""
    return await tx.list_all(
        Run,
        _SELECT_RUN_BRIEFLY + " WHERE r.batch_id = ANY(%(ids)s) ORDER BY r.batch_id, r.id",
        {"ids": batch_ids},
    )


async def delete_empty_batches(tx: Transaction, customer_id: int) -> None:
    """Delete the batches of a customer that no run belongs to any more."""
    await tx.execute(
        """
        DELETE FROM batches b WHERE b.customer_id = %(customer_id)s
            AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.batch_id = b.id)
        """,
        {"customer_id": customer_id},
    )
