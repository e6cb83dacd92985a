"""SQL over admission_changes: what changed since when."""

from tollway.kit.db import Transaction

CHANGES_READ_MAX = 100_000


async def get_oldest_open_transaction(tx: Transaction) -> int:
    """Return the number below which every transaction is over: whatever changes later has this one or a higher."""
    found = await tx.find_value("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
    return int(found)


async def list_changes(tx: Transaction, since: int) -> tuple[int, dict[int, tuple[int, int]]]:
    """Return the oldest open transaction, and what changed since transaction `since`, by customer.

    A customer's last change and their number: one that commits late has a lower identity than one that was seen,
    so the last alone would hide it. One statement, so everything is of one moment.
    """
    rows = await tx.list_rows(
        """
        SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS seen_in,
            c.customer_id, c.last_id, c.change_count
        FROM (SELECT 1) AS always LEFT JOIN (
            SELECT customer_id, max(id) AS last_id, count(*) AS change_count FROM admission_changes
            WHERE changed_in >= %(since)s::text::xid8 GROUP BY customer_id LIMIT %(limit)s
        ) AS c ON true
        """,
        {"since": str(since), "limit": CHANGES_READ_MAX},
    )
    changes = {
        row["customer_id"]: (row["last_id"], row["change_count"])
        for row in rows
        if row["customer_id"] is not None
    }
    return rows[0]["seen_in"], changes


async def has_changed(tx: Transaction, customer_id: int, since: int) -> bool:
    """Say whether anything changed for a customer in transaction `since` or a later one."""
    found = await tx.find_value(
        """
        SELECT 1 FROM admission_changes
        WHERE customer_id = %(customer_id)s AND changed_in >= %(since)s::text::xid8 LIMIT 1
        """,
        {"customer_id": customer_id, "since": str(since)},
    )
    return found is not None
