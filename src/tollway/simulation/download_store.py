"""SQL over download_tokens, and over the samples that runs keep."""

from datetime import datetime

from tollway.kit.db import Transaction


async def insert_token(
    tx: Transaction, token_hash: bytes, run_id: int, customer_id: int, now: datetime, expires_at: datetime
) -> None:
    """Write a token by its hash."""
    await tx.execute(
        """
        INSERT INTO download_tokens (token_hash, run_id, customer_id, created_at, expires_at)
        VALUES (%(hash)s, %(run_id)s, %(customer_id)s, %(now)s, %(expires_at)s)
        """,
        {
            "hash": token_hash,
            "run_id": run_id,
            "customer_id": customer_id,
            "now": now,
            "expires_at": expires_at,
        },
    )


async def list_expiries(tx: Transaction, run_id: int, now: datetime) -> list[datetime]:
    """List when each token of a run that works now expires, the first to expire first."""
    rows = await tx.list_rows(
        """
        SELECT expires_at FROM download_tokens WHERE run_id = %(run_id)s AND expires_at > %(now)s
        ORDER BY expires_at
        """,
        {"run_id": run_id, "now": now},
    )
    return [row["expires_at"] for row in rows]


async def find_run_id(tx: Transaction, token_hash: bytes, now: datetime) -> int | None:
    """Return which run a token that works now is of, or None."""
    found = await tx.find_value(
        "SELECT run_id FROM download_tokens WHERE token_hash = %(hash)s AND expires_at > %(now)s",
        {"hash": token_hash, "now": now},
    )
    return None if found is None else int(found)


async def delete_expired(tx: Transaction, now: datetime) -> int:
    """Delete the tokens whose time is over; return how many."""
    return await tx.execute("DELETE FROM download_tokens WHERE expires_at <= %(now)s", {"now": now})


async def count_runs_with_samples(tx: Transaction, customer_id: int) -> int:
    """Count the customer's runs, in both modes, whose samples are kept or will be."""
    return int(
        await tx.find_value(
            """
            SELECT count(*) FROM runs WHERE customer_id = %(customer_id)s AND keeps_samples
            AND (samples_blob IS NOT NULL OR status IN ('queued', 'running'))
            """,
            {"customer_id": customer_id},
        )
    )
