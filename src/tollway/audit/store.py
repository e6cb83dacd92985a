"""SQL over audit_entries: it is added to and read."""

import json
from datetime import datetime
from typing import Any

from tollway.audit.entities import Entry
from tollway.kit.db import Transaction


async def insert_entry(
    tx: Transaction,
    action: str,
    customer_id: int | None,
    actor: str,
    subject: str,
    ip_address: str | None,
    request_id: str,
    details: dict[str, Any],
    now: datetime,
) -> None:
    """Write one entry."""
    await tx.execute(
        """
        WITH entry AS (
            INSERT INTO audit_entries (occurred_at, action, customer_id, actor, subject, request_id, details)
            VALUES (%(now)s, %(action)s, %(customer_id)s, %(actor)s, %(subject)s, %(request_id)s,
                %(details)s::jsonb)
            RETURNING id, customer_id
        )
        INSERT INTO audit_persons (entry_id, customer_id, ip_address, salt)
        SELECT id, customer_id, %(ip)s, '' FROM entry
        """,
        {
            "now": now,
            "action": action,
            "customer_id": customer_id,
            "actor": actor,
            "subject": subject,
            "ip": ip_address,
            "request_id": request_id,
            "details": json.dumps(details),
        },
    )


async def list_entries(tx: Transaction, customer_id: int, before_id: int | None, limit: int) -> list[Entry]:
    """List a customer's entries from the newest on."""
    return await tx.list_all(
        Entry,
        """
        SELECT id, occurred_at, action, audit_entries.customer_id, actor, subject, ip_address, request_id, details
        FROM audit_entries LEFT JOIN audit_persons ON entry_id = id
        WHERE audit_entries.customer_id = %(customer_id)s AND (%(before)s::bigint IS NULL OR id < %(before)s)
        ORDER BY id DESC LIMIT %(limit)s
        """,
        {"customer_id": customer_id, "before": before_id, "limit": limit},
    )
