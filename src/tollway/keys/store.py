"""SQL over api_keys."""

from datetime import datetime
from typing import LiteralString

from tollway.customers.entities import Mode
from tollway.keys.entities import ApiKey
from tollway.kit.db import Transaction

_API_KEY: LiteralString = (
    "id, customer_id, key_id, name, status, rate_limit_tier, product, mode, last_four, last_used_at, "
    "expires_at, created_at"
)


async def insert_api_key(
    tx: Transaction,
    customer_id: int,
    key_id: str,
    key_hash: str,
    name: str,
    tier: str,
    product: str,
    mode: Mode,
    last_four: str,
    sealed_secret: bytes | None,
    now: datetime,
) -> ApiKey:
    """Write a new, active key."""
    return await tx.get_one(
        ApiKey,
        f"""
        INSERT INTO api_keys (customer_id, key_id, key_hash, name, status, rate_limit_tier, product, mode,
            last_four, sealed_secret, created_at, updated_at)
        VALUES (%(customer_id)s, %(key_id)s, %(key_hash)s, %(name)s, 'active', %(tier)s, %(product)s, %(mode)s,
            %(last_four)s, %(sealed_secret)s, %(now)s, %(now)s)
        RETURNING {_API_KEY}
        """,
        {
            "customer_id": customer_id,
            "key_id": key_id,
            "key_hash": key_hash,
            "name": name,
            "tier": tier,
            "product": product,
            "mode": mode.value,
            "last_four": last_four,
            "sealed_secret": sealed_secret,
            "now": now,
        },
    )


async def find_active_by_hash(tx: Transaction, key_hash: str, now: datetime) -> ApiKey | None:
    """Return the active, unexpired key of that hash."""
    return await tx.find_one(
        ApiKey,
        f"""
        SELECT {_API_KEY} FROM api_keys
        WHERE key_hash = %(key_hash)s AND status = 'active' AND (expires_at IS NULL OR expires_at > %(now)s)
        """,
        {"key_hash": key_hash, "now": now},
    )


async def find_first_test_key(tx: Transaction, customer_id: int, product: str) -> ApiKey | None:
    """Return the oldest active test key of a customer."""
    return await tx.find_one(
        ApiKey,
        f"""
        SELECT {_API_KEY} FROM api_keys
        WHERE customer_id = %(customer_id)s AND product = %(product)s AND mode = 'test' AND status = 'active'
        ORDER BY id LIMIT 1
        """,
        {"customer_id": customer_id, "product": product},
    )


async def find_sealed_secret(tx: Transaction, api_key_id: int) -> bytes | None:
    """Return the sealed secret of a test key."""
    found = await tx.find_value(
        "SELECT sealed_secret FROM api_keys WHERE id = %(id)s AND mode = 'test'", {"id": api_key_id}
    )
    return None if found is None else bytes(found)


async def update_to_revoked(tx: Transaction, api_key_id: int, now: datetime) -> None:
    """Mark a key as revoked, and forget what could show it again."""
    await tx.execute(
        """
        UPDATE api_keys SET status = 'revoked', sealed_secret = NULL, updated_at = %(now)s
        WHERE id = %(id)s AND status <> 'deleted'
        """,
        {"id": api_key_id, "now": now},
    )


async def touch(tx: Transaction, api_key_id: int, now: datetime) -> None:
    """Note that a key was used, to the minute, so that a busy key is not a busy row."""
    await tx.execute(
        """
        UPDATE api_keys SET last_used_at = %(now)s
        WHERE id = %(id)s AND (last_used_at IS NULL OR last_used_at < %(now)s - interval '1 minute')
        """,
        {"id": api_key_id, "now": now},
    )
