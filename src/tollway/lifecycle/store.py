"""Deletes everything that belongs to one customer: the one file that knows every table holding such rows.

A table that is forgotten here makes the deletion fail on its foreign key, never leave an orphan.
"""

from datetime import datetime
from typing import LiteralString

from tollway.kit.db import Transaction

# What the customer made and wrote: files first into the list of what to delete, then rows. Runs are locked before
# their shards, as by whoever completes a shard.
THINGS: tuple[LiteralString, ...] = (
    "SELECT 1 FROM runs WHERE customer_id = %(id)s ORDER BY id FOR UPDATE",
    """
    INSERT INTO discarded_blobs (name, discarded_at)
    SELECT workbook_blob, %(now)s FROM models WHERE customer_id = %(id)s
    UNION
    SELECT s.result_blob, %(now)s FROM run_shards s JOIN runs r ON r.id = s.run_id
    WHERE r.customer_id = %(id)s AND s.result_blob IS NOT NULL
    UNION
    SELECT blob, %(now)s FROM runs, unnest(ARRAY[points_blob, samples_blob]) AS blob
    WHERE customer_id = %(id)s AND blob IS NOT NULL
    UNION
    SELECT blob_name, %(now)s FROM data_exports WHERE customer_id = %(id)s AND blob_name IS NOT NULL
    ON CONFLICT DO NOTHING
    """,
    "DELETE FROM goal_seeks WHERE customer_id = %(id)s",
    "DELETE FROM runs WHERE customer_id = %(id)s",
    "DELETE FROM batches WHERE customer_id = %(id)s",
    "DELETE FROM models WHERE customer_id = %(id)s",
    "DELETE FROM customer_turns WHERE customer_id = %(id)s",
    "DELETE FROM data_exports WHERE customer_id = %(id)s",
    "DELETE FROM support_tickets WHERE customer_id = %(id)s",
    "DELETE FROM feedback_entries WHERE customer_id = %(id)s",
    "DELETE FROM invitations WHERE customer_id = %(id)s",
    "DELETE FROM alerts WHERE customer_id = %(id)s",
    """
    DELETE FROM key_networks USING api_keys WHERE api_keys.id = api_key_id AND api_keys.customer_id = %(id)s
    """,
    # Webhooks before deliveries, as by whoever records one; theirs go with them.
    "DELETE FROM webhooks WHERE customer_id = %(id)s",
    "DELETE FROM webhook_deliveries WHERE customer_id = %(id)s",
    "DELETE FROM webhook_signing_secrets WHERE customer_id = %(id)s",
)
# What is left of a customer that never was one: nothing is kept in the books. Each before what it refers to.
_EVERYTHING_ELSE: tuple[LiteralString, ...] = (
    "UPDATE analytics_events SET customer_id = NULL WHERE customer_id = %(id)s",
    "DELETE FROM api_usage_logs WHERE customer_id = %(id)s",
    "DELETE FROM usage_hours WHERE customer_id = %(id)s",
    "DELETE FROM usage_days WHERE customer_id = %(id)s",
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
    for statement in (*THINGS, *_EVERYTHING_ELSE):
        await tx.execute(statement, {"id": customer_id, "now": now})
