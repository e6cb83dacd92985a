"""SQL over webhooks and webhook_signing_secrets."""

from datetime import datetime
from typing import LiteralString

from tollway.customers.entities import Mode
from tollway.kit.db import Transaction
from tollway.webhooks.entities import SealedSecrets, Webhook, WebhookDraft

_WEBHOOK: LiteralString = """
    id, public_id, customer_id, created_by, mode, name, url, events, enabled, former_secret_until, created_at,
    updated_at, last_delivery_at, last_delivery_status, total_deliveries, failed_deliveries, failing_since,
    turned_off_at
"""
_SECRETS: LiteralString = """
    sealed_secret AS present, former_sealed_secret AS former, former_secret_until AS former_until
"""


async def insert_webhook(
    tx: Transaction,
    public_id: str,
    customer_id: int,
    created_by: int | None,
    mode: Mode,
    draft: WebhookDraft,
    sealed_secret: bytes,
    now: datetime,
) -> Webhook:
    """Write a webhook."""
    return await tx.get_one(
        Webhook,
        f"""
        INSERT INTO webhooks (public_id, customer_id, created_by, mode, name, url, events, enabled, sealed_secret,
            created_at, updated_at)
        VALUES (%(public_id)s, %(customer_id)s, %(created_by)s, %(mode)s, %(name)s, %(url)s, %(events)s,
            %(enabled)s, %(sealed)s, %(now)s, %(now)s)
        RETURNING {_WEBHOOK}
        """,
        {
            "public_id": public_id,
            "customer_id": customer_id,
            "created_by": created_by,
            "mode": mode.value,
            "name": draft.name,
            "url": draft.url,
            "events": list(draft.events),
            "enabled": draft.enabled,
            "sealed": sealed_secret,
            "now": now,
        },
    )


async def find_webhook(
    tx: Transaction, customer_id: int, public_id: str, *, lock: bool = False
) -> Webhook | None:
    """Return a customer's webhook, or None; locked until the transaction ends where asked."""
    return await tx.find_one(
        Webhook,
        f"SELECT {_WEBHOOK} FROM webhooks WHERE customer_id = %(customer_id)s AND public_id = %(public_id)s"
        + (" FOR NO KEY UPDATE" if lock else ""),
        {"customer_id": customer_id, "public_id": public_id},
    )


async def lock_webhook(tx: Transaction, webhook_id: int) -> Webhook | None:
    """Return any webhook by its row, and hold it; for jobs."""
    return await tx.find_one(
        Webhook, f"SELECT {_WEBHOOK} FROM webhooks WHERE id = %(id)s FOR NO KEY UPDATE", {"id": webhook_id}
    )


async def list_webhooks(tx: Transaction, customer_id: int, mode: Mode | None, limit: int) -> list[Webhook]:
    """List a customer's webhooks, newest first, of one mode where it is given."""
    return await tx.list_all(
        Webhook,
        f"""
        SELECT {_WEBHOOK} FROM webhooks
        WHERE customer_id = %(customer_id)s AND (%(mode)s::text IS NULL OR mode = %(mode)s)
        ORDER BY id DESC LIMIT %(limit)s
        """,
        {"customer_id": customer_id, "mode": mode.value if mode else None, "limit": limit},
    )


async def list_listening(tx: Transaction, customer_id: int, mode: Mode, event: str) -> list[int]:
    """List the rows of webhooks that are to be told of an event."""
    rows = await tx.list_rows(
        """
        SELECT id FROM webhooks
        WHERE customer_id = %(customer_id)s AND mode = %(mode)s AND enabled AND %(event)s = ANY(events) ORDER BY id
        """,
        {"customer_id": customer_id, "mode": mode.value, "event": event},
    )
    return [int(row["id"]) for row in rows]


async def count_webhooks(tx: Transaction, customer_id: int, user_id: int | None) -> tuple[int, int]:
    """Count a customer's webhooks, and those of them that one person made."""
    (row,) = await tx.list_rows(
        """
        SELECT count(*) AS total, count(*) FILTER (WHERE created_by = %(user_id)s) AS own
        FROM webhooks WHERE customer_id = %(customer_id)s
        """,
        {"customer_id": customer_id, "user_id": user_id},
    )
    return row["total"], row["own"]


async def update_webhook(tx: Transaction, webhook_id: int, draft: WebhookDraft, now: datetime) -> None:
    """Write what a webhook's owner decides; one that is turned on again starts with a clean slate."""
    await tx.execute(
        """
        UPDATE webhooks SET name = %(name)s, url = %(url)s, events = %(events)s, enabled = %(enabled)s,
            failing_since = CASE WHEN enabled AND url = %(url)s THEN failing_since END,
            turned_off_at = CASE WHEN %(enabled)s THEN NULL ELSE turned_off_at END, updated_at = %(now)s
        WHERE id = %(id)s
        """,
        {
            "id": webhook_id,
            "name": draft.name,
            "url": draft.url,
            "events": list(draft.events),
            "enabled": draft.enabled,
            "now": now,
        },
    )


async def update_secret(
    tx: Transaction, webhook_id: int, sealed: bytes, former_until: datetime, now: datetime
) -> None:
    """Put a new secret in the place of the present one, which goes on signing until a time."""
    await tx.execute(
        """
        UPDATE webhooks SET former_sealed_secret = sealed_secret, former_secret_until = %(until)s,
            sealed_secret = %(sealed)s, updated_at = %(now)s
        WHERE id = %(id)s
        """,
        {"id": webhook_id, "sealed": sealed, "until": former_until, "now": now},
    )


async def get_secrets(tx: Transaction, webhook_id: int) -> SealedSecrets:
    """Return the sealed secrets of a webhook."""
    return await tx.get_one(
        SealedSecrets, f"SELECT {_SECRETS} FROM webhooks WHERE id = %(id)s", {"id": webhook_id}
    )


async def update_to_tried(
    tx: Transaction, webhook_id: int, status: str, *, ended: bool, worked: bool, counted: bool, now: datetime
) -> None:
    """Write how a try went.

    Args:
        ended: nothing more is tried of this delivery.
        counted: whether it says how the webhook fares; the test button's does not.
    """
    await tx.execute(
        """
        UPDATE webhooks SET last_delivery_at = %(now)s, last_delivery_status = %(status)s,
            total_deliveries = total_deliveries + %(ended)s::int,
            failed_deliveries = failed_deliveries + (%(ended)s AND NOT %(worked)s)::int,
            failing_since = CASE WHEN NOT %(counted)s THEN failing_since WHEN %(worked)s THEN NULL
                ELSE COALESCE(failing_since, %(now)s) END
        WHERE id = %(id)s
        """,
        {
            "id": webhook_id,
            "status": status,
            "ended": ended,
            "worked": worked,
            "counted": counted,
            "now": now,
        },
    )


async def update_to_turned_off(tx: Transaction, webhook_id: int, now: datetime) -> None:
    """Turn a webhook off."""
    await tx.execute(
        "UPDATE webhooks SET enabled = false, turned_off_at = %(now)s, updated_at = %(now)s WHERE id = %(id)s",
        {"id": webhook_id, "now": now},
    )


async def delete_webhook(tx: Transaction, webhook_id: int) -> None:
    """Delete a webhook with its deliveries."""
    await tx.execute("DELETE FROM webhooks WHERE id = %(id)s", {"id": webhook_id})


# --- the secret of webhook_url ---------------------------------------------------------------------------


async def find_signing_secrets(
    tx: Transaction, customer_id: int, *, lock: bool = False
) -> SealedSecrets | None:
    """Return the sealed secrets that sign what goes to the webhook_url of a customer's runs."""
    return await tx.find_one(
        SealedSecrets,
        f"SELECT {_SECRETS} FROM webhook_signing_secrets WHERE customer_id = %(id)s"
        + (" FOR NO KEY UPDATE" if lock else ""),
        {"id": customer_id},
    )


async def insert_signing_secret(tx: Transaction, customer_id: int, sealed: bytes, now: datetime) -> None:
    """Write a customer's first one, unless another transaction just did."""
    await tx.execute(
        """
        INSERT INTO webhook_signing_secrets (customer_id, sealed_secret, created_at, updated_at)
        VALUES (%(id)s, %(sealed)s, %(now)s, %(now)s) ON CONFLICT DO NOTHING
        """,
        {"id": customer_id, "sealed": sealed, "now": now},
    )


async def update_signing_secret(
    tx: Transaction, customer_id: int, sealed: bytes, former_until: datetime, now: datetime
) -> None:
    """Put a new one in the place of the present one, which goes on signing until a time."""
    await tx.execute(
        """
        UPDATE webhook_signing_secrets SET former_sealed_secret = sealed_secret,
            former_secret_until = %(until)s, sealed_secret = %(sealed)s, updated_at = %(now)s
        WHERE customer_id = %(id)s
        """,
        {"id": customer_id, "sealed": sealed, "until": former_until, "now": now},
    )
