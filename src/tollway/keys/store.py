"""SQL over api_keys."""

from collections.abc import Mapping
from datetime import datetime
from typing import LiteralString

from tollway.customers.entities import Mode
from tollway.customers.permissions import Scope
from tollway.keys.entities import ApiKey, KeySettings
from tollway.kit.db import Transaction

_API_KEY: LiteralString = """
    id, customer_id, key_id, name, status, rate_limit_tier, product, mode, last_four, last_used_at, expires_at,
    created_at, scopes, allowed_networks, requests_per_minute_max, grace_until, suspended_reason, revoked_at,
    (SELECT s.key_id FROM api_keys s WHERE s.id = api_keys.successor_id) AS successor_key_id,
    (SELECT s.created_at FROM api_keys s WHERE s.id = api_keys.successor_id) AS rotated_at
"""


async def insert_api_key(
    tx: Transaction,
    customer_id: int,
    key_id: str,
    key_hash: str,
    tier: str,
    product: str,
    mode: Mode,
    last_four: str,
    sealed_secret: bytes | None,
    scopes: frozenset[Scope],
    settings: KeySettings,
    now: datetime,
) -> ApiKey:
    """Write a new, active key."""
    return await tx.get_one(
        ApiKey,
        f"""
        INSERT INTO api_keys (customer_id, key_id, key_hash, name, status, rate_limit_tier, product, mode,
            last_four, sealed_secret, scopes, expires_at, allowed_networks, requests_per_minute_max, created_at,
            updated_at)
        VALUES (%(customer_id)s, %(key_id)s, %(key_hash)s, %(name)s, 'active', %(tier)s, %(product)s, %(mode)s,
            %(last_four)s, %(sealed_secret)s, %(scopes)s, %(expires_at)s, %(allowed_networks)s,
            %(requests_per_minute_max)s, %(now)s, %(now)s)
        RETURNING {_API_KEY}
        """,
        {
            "customer_id": customer_id,
            "key_id": key_id,
            "key_hash": key_hash,
            "tier": tier,
            "product": product,
            "mode": mode.value,
            "last_four": last_four,
            "sealed_secret": sealed_secret,
            # Widest last, as people read them.
            "scopes": [scope.value for scope in Scope if scope in scopes],
            "now": now,
            **_columns_of(settings),
        },
    )


async def find_by_hash(tx: Transaction, key_hash: str) -> ApiKey | None:
    """Return the key of that hash, whatever its state; a deleted one has none."""
    return await tx.find_one(
        ApiKey, f"SELECT {_API_KEY} FROM api_keys WHERE key_hash = %(key_hash)s", {"key_hash": key_hash}
    )


async def find_by_id(tx: Transaction, customer_id: int, api_key_id: int) -> ApiKey | None:
    """Return a customer's key by its row."""
    return await tx.find_one(
        ApiKey,
        f"SELECT {_API_KEY} FROM api_keys WHERE id = %(id)s AND customer_id = %(customer_id)s",
        {"id": api_key_id, "customer_id": customer_id},
    )


async def find_by_key_id(
    tx: Transaction, customer_id: int, key_id: str, *, lock: bool = False
) -> ApiKey | None:
    """Return a customer's key that was not deleted, by its public id; `lock` holds the row."""
    locking: LiteralString = "FOR NO KEY UPDATE" if lock else ""
    return await tx.find_one(
        ApiKey,
        f"""
        SELECT {_API_KEY} FROM api_keys
        WHERE customer_id = %(customer_id)s AND key_id = %(key_id)s AND status <> 'deleted' {locking}
        """,
        {"customer_id": customer_id, "key_id": key_id},
    )


async def list_api_keys(tx: Transaction, customer_id: int, limit: int) -> list[ApiKey]:
    """List a customer's keys that were not deleted, newest first."""
    return await tx.list_all(
        ApiKey,
        f"""
        SELECT {_API_KEY} FROM api_keys WHERE customer_id = %(customer_id)s AND status <> 'deleted'
        ORDER BY id DESC LIMIT %(limit)s
        """,
        {"customer_id": customer_id, "limit": limit},
    )


async def count_working(tx: Transaction, customer_id: int, product: str, now: datetime) -> int:
    """Count a customer's keys of a product that work or are suspended; one that was replaced is not counted."""
    found = await tx.find_value(
        """
        SELECT count(*)::int FROM api_keys
        WHERE customer_id = %(customer_id)s AND product = %(product)s AND status IN ('active', 'suspended')
            AND successor_id IS NULL AND (expires_at IS NULL OR expires_at > %(now)s)
        """,
        {"customer_id": customer_id, "product": product, "now": now},
    )
    return int(found)


async def count_kept(tx: Transaction, customer_id: int) -> int:
    """Count a customer's keys that were not deleted."""
    found = await tx.find_value(
        "SELECT count(*)::int FROM api_keys WHERE customer_id = %(customer_id)s AND status <> 'deleted'",
        {"customer_id": customer_id},
    )
    return int(found)


async def find_first_test_key(
    tx: Transaction, customer_id: int, product: str, scopes: frozenset[Scope]
) -> ApiKey | None:
    """Return the oldest active test key of a customer that was not replaced and has no scope but these.

    Rather one that never expires.
    """
    return await tx.find_one(
        ApiKey,
        f"""
        SELECT {_API_KEY} FROM api_keys
        WHERE customer_id = %(customer_id)s AND product = %(product)s AND mode = 'test' AND status = 'active'
            AND successor_id IS NULL AND scopes <@ %(scopes)s::text[]
        ORDER BY expires_at IS NOT NULL, id LIMIT 1
        """,
        {"customer_id": customer_id, "product": product, "scopes": [scope.value for scope in scopes]},
    )


async def find_sealed_secret(tx: Transaction, api_key_id: int) -> bytes | None:
    """Return the sealed secret of a test key."""
    found = await tx.find_value(
        "SELECT sealed_secret FROM api_keys WHERE id = %(id)s AND mode = 'test'", {"id": api_key_id}
    )
    return None if found is None else bytes(found)


async def update_settings(tx: Transaction, api_key_id: int, settings: KeySettings, now: datetime) -> None:
    """Change what a key's owner decides; a new expiry is told of anew."""
    await tx.execute(
        """
        UPDATE api_keys SET name = %(name)s, allowed_networks = %(allowed_networks)s,
            requests_per_minute_max = %(requests_per_minute_max)s, expires_at = %(expires_at)s,
            expiry_told_at = CASE WHEN expires_at IS DISTINCT FROM %(expires_at)s THEN NULL ELSE expiry_told_at END,
            updated_at = %(now)s
        WHERE id = %(id)s
        """,
        {"id": api_key_id, "now": now, **_columns_of(settings)},
    )


async def update_to_rotated(
    tx: Transaction, api_key_id: int, successor_id: int, grace_until: datetime, now: datetime
) -> int:
    """Name a key's one successor, and until when the key still works beside it; return how many were changed."""
    return await tx.execute(
        """
        UPDATE api_keys SET successor_id = %(successor_id)s, grace_until = %(grace_until)s, updated_at = %(now)s
        WHERE id = %(id)s AND successor_id IS NULL
        """,
        {"id": api_key_id, "successor_id": successor_id, "grace_until": grace_until, "now": now},
    )


async def update_to_revoked(tx: Transaction, api_key_id: int, now: datetime) -> None:
    """Mark a key as revoked, and forget what could show it again."""
    await tx.execute(
        """
        UPDATE api_keys SET status = 'revoked', sealed_secret = NULL, revoked_at = %(now)s, updated_at = %(now)s
        WHERE id = %(id)s AND status IN ('active', 'suspended')
        """,
        {"id": api_key_id, "now": now},
    )


async def update_to_deleted(tx: Transaction, api_key_id: int, now: datetime) -> None:
    """Leave a tombstone: the usage log still names the key, and nothing recognises it."""
    await tx.execute(
        """
        UPDATE api_keys SET status = 'deleted', key_hash = NULL, sealed_secret = NULL, allowed_networks = '{}',
            revoked_at = COALESCE(revoked_at, %(now)s), updated_at = %(now)s
        WHERE id = %(id)s
        """,
        {"id": api_key_id, "now": now},
    )


async def update_suspension(tx: Transaction, api_key_id: int, status: str, reason: str, now: datetime) -> int:
    """Suspend an active key, or make a suspended one active; return how many were changed."""
    return await tx.execute(
        """
        UPDATE api_keys SET status = %(status)s, suspended_reason = %(reason)s, updated_at = %(now)s
        WHERE id = %(id)s AND status IN ('active', 'suspended') AND status <> %(status)s
        """,
        {"id": api_key_id, "status": status, "reason": reason, "now": now},
    )


async def lock_expiring(
    tx: Transaction, now: datetime, last_call_at: datetime, first_call_at: datetime, limit: int
) -> list[ApiKey]:
    """Lock keys whose expiry comes before `first_call_at` and whose owners were not told of it yet.

    Those that expire before `last_call_at` are told of once more. Keys that were replaced are left out.
    """
    return await tx.list_all(
        ApiKey,
        f"""
        SELECT {_API_KEY} FROM api_keys
        WHERE status = 'active' AND successor_id IS NULL AND expires_at > %(now)s
            AND ((expires_at <= %(first_call_at)s AND expiry_told_at IS NULL)
                OR (expires_at <= %(last_call_at)s AND expiry_told_at < expires_at - (%(last_call_at)s - %(now)s)))
        ORDER BY expires_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
        """,
        {"now": now, "last_call_at": last_call_at, "first_call_at": first_call_at, "limit": limit},
    )


async def update_to_told(tx: Transaction, api_key_id: int, now: datetime) -> None:
    """Remember that a key's owners were told of its expiry."""
    await tx.execute(
        "UPDATE api_keys SET expiry_told_at = %(now)s WHERE id = %(id)s", {"id": api_key_id, "now": now}
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


async def touch_many(tx: Transaction, used_us_by_key: Mapping[int, int]) -> None:
    """Note when many keys were used, in microseconds since 1970 (UTC); to the minute, and never back in time."""
    await tx.execute(
        """
        WITH used AS (
            SELECT k.id, timestamptz 'epoch' + u.used_us * interval '1 microsecond' AS used_at
            FROM unnest(%(ids)s::bigint[], %(used_us)s::bigint[]) AS u (id, used_us)
            JOIN api_keys k ON k.id = u.id
        ), stale AS (
            SELECT k.id FROM api_keys k JOIN used u ON u.id = k.id
            WHERE k.last_used_at IS NULL OR k.last_used_at < u.used_at - interval '1 minute'
            ORDER BY k.id FOR NO KEY UPDATE OF k
        )
        UPDATE api_keys k SET last_used_at = u.used_at
        FROM used u JOIN stale s ON s.id = u.id
        WHERE k.id = u.id AND (k.last_used_at IS NULL OR k.last_used_at < u.used_at - interval '1 minute')
        """,
        {"ids": list(used_us_by_key), "used_us": list(used_us_by_key.values())},
    )


def _columns_of(settings: KeySettings) -> dict[str, object]:
    return {
        "name": settings.name,
        "expires_at": settings.expires_at,
        "allowed_networks": list(settings.allowed_networks),
        "requests_per_minute_max": settings.requests_per_minute_max,
    }
