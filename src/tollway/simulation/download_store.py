"""SQL over download_tokens, and over the samples that runs keep."""

from datetime import datetime

from tollway.kit.db import Transaction
from tollway.simulation.downloads import DownloadLink

_SELECT_LINK = """
    SELECT t.public_id, t.run_id, t.customer_id, t.api_key_id, k.key_id, t.created_at, t.expires_at
    FROM download_tokens t LEFT JOIN api_keys k ON k.id = t.api_key_id
"""


async def insert_token(
    tx: Transaction,
    token_hash: bytes,
    public_id: str,
    run_id: int,
    customer_id: int,
    api_key_id: int | None,
    now: datetime,
    expires_at: datetime,
) -> None:
    """Write a token by its hash."""
    await tx.execute(
        """
        INSERT INTO download_tokens (token_hash, public_id, run_id, customer_id, api_key_id, created_at, expires_at)
        VALUES (%(hash)s, %(public_id)s, %(run_id)s, %(customer_id)s, %(api_key_id)s, %(now)s, %(expires_at)s)
        """,
        {
            "hash": token_hash,
            "public_id": public_id,
            "run_id": run_id,
            "customer_id": customer_id,
            "api_key_id": api_key_id,
            "now": now,
            "expires_at": expires_at,
        },
    )


async def list_unexpired(tx: Transaction, run_id: int, now: datetime) -> list[DownloadLink]:
    """List the tokens of a run whose time is not over, the first to expire first."""
    return await tx.list_all(
        DownloadLink,
        _SELECT_LINK
        + " WHERE t.run_id = %(run_id)s AND t.expires_at > %(now)s ORDER BY t.expires_at, t.public_id",
        {"run_id": run_id, "now": now},
    )


async def find_by_hash(tx: Transaction, token_hash: bytes, now: datetime) -> DownloadLink | None:
    """Return the token of that hash whose time is not over, or None."""
    return await tx.find_one(
        DownloadLink,
        _SELECT_LINK + " WHERE t.token_hash = %(hash)s AND t.expires_at > %(now)s",
        {"hash": token_hash, "now": now},
    )


async def delete_token(tx: Transaction, run_id: int, public_id: str) -> bool:
    """Delete a token of a run; False where there is none of that name."""
    touched = await tx.execute(
        "DELETE FROM download_tokens WHERE run_id = %(run_id)s AND public_id = %(public_id)s",
        {"run_id": run_id, "public_id": public_id},
    )
    return touched == 1


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
