"""Write the audit list and read it."""

import ipaddress
import json
from datetime import datetime
from typing import Any

from tollway.audit import store
from tollway.audit.entities import ACTION_LENGTH_MAX, DETAILS_BYTES_MAX, Entry
from tollway.kit.db import Transaction
from tollway.kit.paging import PAGE_SIZE, PAGE_SIZE_MAX, Page, decode_cursor, page_of
from tollway.kit.scope import request_id


async def record_entry(
    tx: Transaction,
    *,
    action: str,
    customer_id: int | None,
    actor: str,
    subject: str,
    address: str | None,
    now: datetime,
    details: dict[str, Any] | None = None,
) -> None:
    """Write down who did what; it commits together with the deed. Writes: audit_entries.

    Args:
        action: `thing.done`, such as `api_key.revealed`.
        customer_id: whose list it belongs to; None for the installation's own.
        actor: `user:usr_...`, `api_key:mc_test_...`, `job:...` or `system:...`.
        subject: public id of what it was done to.
        address: where the request came from; left out where it is no IP address.
        details: plain values, ids and numbers only: entries outlive the people they tell of.
    """
    assert 0 < len(action) <= ACTION_LENGTH_MAX, action
    details = details or {}
    assert len(json.dumps(details)) <= DETAILS_BYTES_MAX, action
    await store.insert_entry(
        tx, action, customer_id, actor, subject, _inet(address), request_id.get(), details, now
    )


async def list_entries(
    tx: Transaction, customer_id: int, cursor: str | None = None, limit: int = PAGE_SIZE
) -> Page[Entry]:
    """List what was done for or to a customer, newest first, a page at a time. Raises: BadCursor."""
    assert 1 <= limit <= PAGE_SIZE_MAX, limit
    entries = await store.list_entries(tx, customer_id, decode_cursor(cursor), limit + 1)
    return page_of(entries, [entry.id for entry in entries], limit)


def _inet(address: str | None) -> str | None:
    try:
        return str(ipaddress.ip_address(address)) if address else None
    except ValueError:
        return None
