"""Deletes everything that belongs to one customer: the one file that knows every table holding such rows.

A table that is forgotten here makes the deletion fail on its foreign key, never leave an orphan.
"""

from datetime import datetime
from typing import LiteralString

from tollway.kit.db import Transaction

# Files first into the list of what to delete, then rows, each before what it refers to.
_STATEMENTS: tuple[LiteralString, ...] = (
    """
    INSERT INTO discarded_blobs (name, discarded_at)
    SELECT workbook_blob, %(now)s FROM models WHERE customer_id = %(id)s
    UNION
    SELECT run_shards.result_blob, %(now)s FROM run_shards JOIN runs ON runs.id = run_shards.run_id
    WHERE runs.customer_id = %(id)s AND run_shards.result_blob IS NOT NULL
    UNION
    SELECT blob_name, %(now)s FROM data_exports WHERE customer_id = %(id)s AND blob_name IS NOT NULL
    ON CONFLICT DO NOTHING
    """,
    "DELETE FROM runs WHERE customer_id = %(id)s",
    "DELETE FROM models WHERE customer_id = %(id)s",
    "DELETE FROM customer_turns WHERE customer_id = %(id)s",
    "DELETE FROM data_exports WHERE customer_id = %(id)s",
    "DELETE FROM support_tickets WHERE customer_id = %(id)s",
    "DELETE FROM feedback_entries WHERE customer_id = %(id)s",
    "UPDATE analytics_events SET customer_id = NULL WHERE customer_id = %(id)s",
    "DELETE FROM api_usage_logs WHERE customer_id = %(id)s",
    "DELETE FROM entitlement_adjustments WHERE customer_id = %(id)s",
    """
    DELETE FROM subscription_changes USING api_subscriptions
    WHERE api_subscriptions.id = subscription_id AND api_subscriptions.customer_id = %(id)s
    """,
    """
    DELETE FROM usage_quotas USING api_subscriptions
    WHERE api_subscriptions.id = usage_quotas.subscription_id AND api_subscriptions.customer_id = %(id)s
    """,
    "DELETE FROM api_subscriptions WHERE customer_id = %(id)s",
    "DELETE FROM api_keys WHERE customer_id = %(id)s",
)


async def delete_everything_of(tx: Transaction, customer_id: int, now: datetime) -> None:
    """Delete a customer's rows in every domain, but for users, customers and the audit list."""
    for statement in _STATEMENTS:
        await tx.execute(statement, {"id": customer_id, "now": now})
