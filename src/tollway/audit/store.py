"""SQL over audit_entries, which is added to and read, and audit_persons, which may also be emptied."""

import json
from datetime import datetime
from typing import Any

from tollway.audit.entities import Address, Entry, EntryFilter, Evidence
from tollway.kit.db import Transaction

ENTRIES = """
    SELECT id, occurred_at, action, audit_entries.customer_id, actor, on_behalf_of, subject, request_id, details,
        coalesce(actor_name, '') AS actor_name, ip_address,
        commitment IS NOT NULL AND entry_id IS NULL AS is_erased
    FROM audit_entries LEFT JOIN audit_persons ON entry_id = id
"""
CHOSEN = """
    (%(before)s::bigint IS NULL OR id < %(before)s)
    AND (%(action)s = '' OR starts_with(action, %(action)s))
    AND (%(actor)s = '' OR actor = ANY(%(actors)s)
        OR id IN (SELECT entry_id FROM audit_persons WHERE actor_name = %(actor)s))
    AND (%(subject)s = '' OR subject = %(subject)s)
    AND (%(since)s::timestamptz IS NULL OR occurred_at >= %(since)s)
    AND (%(until)s::timestamptz IS NULL OR occurred_at < %(until)s)
    ORDER BY id DESC LIMIT %(limit)s
"""


async def insert_entry(
    tx: Transaction,
    action: str,
    customer_id: int | None,
    actor: str,
    on_behalf_of: str,
    subject: str,
    request_id: str,
    details: dict[str, Any],
    commitment: bytes | None,
    now: datetime,
) -> int:
    """Write one entry and return its id."""
    entry_id = await tx.find_value(
        """
        INSERT INTO audit_entries
            (occurred_at, action, customer_id, actor, on_behalf_of, subject, request_id, details, commitment)
        VALUES (%(now)s, %(action)s, %(customer_id)s, %(actor)s, %(on_behalf_of)s, %(subject)s, %(request_id)s,
            %(details)s::jsonb, %(commitment)s)
        RETURNING id
        """,
        {
            "now": now,
            "action": action,
            "customer_id": customer_id,
            "actor": actor,
            "on_behalf_of": on_behalf_of,
            "subject": subject,
            "request_id": request_id,
            "details": json.dumps(details),
            "commitment": commitment,
        },
    )
    assert isinstance(entry_id, int)
    return entry_id


async def insert_person(
    tx: Transaction,
    entry_id: int,
    customer_id: int | None,
    user_id: int | None,
    actor_name: str,
    address: Address | None,
    salt: bytes,
) -> None:
    """Put the person beside an entry."""
    await tx.execute(
        """
        INSERT INTO audit_persons (entry_id, customer_id, user_id, actor_name, ip_address, salt)
        VALUES (%(entry_id)s, %(customer_id)s, %(user_id)s, %(actor_name)s, %(ip_address)s, %(salt)s)
        """,
        {
            "entry_id": entry_id,
            "customer_id": customer_id,
            "user_id": user_id,
            "actor_name": actor_name,
            "ip_address": address,
            "salt": salt,
        },
    )


async def delete_persons(tx: Transaction, customer_id: int | None, user_id: int | None) -> int:
    """Forget the people beside the entries of a customer, or of a user; return how many rows went."""
    return await tx.execute(
        "DELETE FROM audit_persons WHERE customer_id = %(customer_id)s OR user_id = %(user_id)s",
        {"customer_id": customer_id, "user_id": user_id},
    )


async def find_evidence(tx: Transaction, entry_id: int) -> Evidence | None:
    """Return an entry's commitment and what stands beside it; None where there is no such entry."""
    return await tx.find_one(
        Evidence,
        """
        SELECT commitment, salt, coalesce(actor_name, '') AS actor_name, ip_address
        FROM audit_entries LEFT JOIN audit_persons ON entry_id = id WHERE id = %(entry_id)s
        """,
        {"entry_id": entry_id},
    )


async def list_entries(
    tx: Transaction, customer_id: int, chosen: EntryFilter, before_id: int | None, limit: int
) -> list[Entry]:
    """List a customer's chosen entries from the newest on."""
    return await tx.list_all(
        Entry,
        ENTRIES + "WHERE audit_entries.customer_id = %(customer_id)s AND" + CHOSEN,
        _parameters(chosen, before_id, limit) | {"customer_id": customer_id},
    )


async def list_all_entries(
    tx: Transaction, chosen: EntryFilter, before_id: int | None, limit: int
) -> list[Entry]:
    """List everybody's chosen entries from the newest on."""
    return await tx.list_all(Entry, ENTRIES + "WHERE" + CHOSEN, _parameters(chosen, before_id, limit))


def _parameters(chosen: EntryFilter, before_id: int | None, limit: int) -> dict[str, Any]:
    return {
        "before": before_id,
        "action": chosen.action_prefix,
        "actor": chosen.actor,
        # Pages show an actor without its kind.
        "actors": [chosen.actor, f"user:{chosen.actor}", f"api_key:{chosen.actor}"],
        "subject": chosen.subject,
        "since": chosen.since,
        "until": chosen.until,
        "limit": limit,
    }
