"""Make, change and end webhooks, and look at what was delivered. What is sent stands in `delivery_operations`."""

from datetime import datetime, timedelta
from typing import Any

from tollway.customers import operations as customers
from tollway.customers.callers import Caller, Via
from tollway.customers.deed_operations import record_deed
from tollway.customers.entities import Mode
from tollway.kit.crypto import Sealer
from tollway.kit.db import Transaction
from tollway.kit.ids import new_id
from tollway.kit.problems import FieldError, Invalid
from tollway.webhooks import delivery_store, store
from tollway.webhooks.access_operations import assert_included, find_missing, get_webhook, has_webhooks
from tollway.webhooks.delivery_operations import begin_test, open_secrets, publish, resend, send_for_next
from tollway.webhooks.entities import (
    FORMER_SECRET_HOURS,
    WEBHOOKS_PER_CUSTOMER_MAX,
    WEBHOOKS_PER_USER_MAX,
    Delivery,
    Webhook,
    WebhookDraft,
    WebhookLimitReached,
)
from tollway.webhooks.signatures import new_secret

__all__ = [
    "assert_included",
    "begin_test",
    "change",
    "create",
    "delete",
    "find_missing",
    "get_signing_secret",
    "get_webhook",
    "has_webhooks",
    "list_deliveries",
    "list_run_url_deliveries",
    "list_webhooks",
    "open_secrets",
    "publish",
    "resend",
    "rotate_secret",
    "rotate_signing_secret",
]

FORMER = timedelta(hours=FORMER_SECRET_HOURS)


async def create(
    tx: Transaction, sealer: Sealer, caller: Caller, draft: WebhookDraft, mode: Mode | None, now: datetime
) -> tuple[Webhook, str]:
    """Make a webhook and return it with its secret, which is shown this once.

    Args:
        draft: checked before.
        mode: of what it is told; None is the caller's. A key makes webhooks of its own mode alone (X11).

    Raises: FeatureNotIncluded, WebhookLimitReached, Invalid (/mode). Writes: webhooks, audit_entries.
    """
    customer = await customers.lock_customer(tx, caller.owner_id)
    mode = mode or caller.mode
    if caller.via is Via.KEY and mode is not caller.mode:
        message = f"A {caller.mode} key makes webhooks of {caller.mode} mode alone. Leave `mode` out."
        raise Invalid(message, errors=(FieldError("/mode", message),))
    await assert_included(tx, customer.id, now)
    await _assert_room(tx, caller)
    public_id = new_id("whk")
    secret = draft.secret or new_secret()
    sealed = sealer.seal(secret.encode(), f"webhook/{customer.id}/{public_id}")
    webhook = await store.insert_webhook(tx, public_id, customer.id, caller.user_id, mode, draft, sealed, now)
    await _record(tx, caller, "webhook.created", webhook, now, {"events": list(webhook.events)})
    return webhook, secret


async def _assert_room(tx: Transaction, caller: Caller) -> None:
    total, own = await store.count_webhooks(tx, caller.owner_id, caller.user_id)
    if total >= WEBHOOKS_PER_CUSTOMER_MAX:
        raise WebhookLimitReached(
            f"A customer has {WEBHOOKS_PER_CUSTOMER_MAX} webhooks at most. Delete one that is not used.",
            members={"limit": "webhooks", "limit_value": WEBHOOKS_PER_CUSTOMER_MAX},
        )
    if own >= WEBHOOKS_PER_USER_MAX:
        raise WebhookLimitReached(
            f"One person makes {WEBHOOKS_PER_USER_MAX} webhooks at most. Delete one of yours, or ask a colleague.",
            members={"limit": "webhooks_per_user", "limit_value": WEBHOOKS_PER_USER_MAX},
        )


async def list_webhooks(tx: Transaction, caller: Caller) -> list[Webhook]:
    """List the webhooks that a caller may know of, newest first: a key knows those of its own mode alone."""
    return await store.list_webhooks(
        tx, caller.owner_id, caller.mode if caller.via is Via.KEY else None, WEBHOOKS_PER_CUSTOMER_MAX
    )


async def change(
    tx: Transaction, sealer: Sealer, caller: Caller, public_id: str, draft: WebhookDraft, now: datetime
) -> Webhook:
    """Put a checked draft in the place of a webhook's name, address, events and switch.

    A secret in it replaces the present one, which signs beside it for 24 hours. What waits for a webhook that is
    turned off is given up by whoever comes to send it.
    Raises: WebhookNotFound; FeatureNotIncluded where it would be turned on. Writes: webhooks, audit_entries.
    """
    webhook = await get_webhook(tx, caller, public_id, lock=True)
    if draft.enabled and not webhook.enabled:
        await assert_included(tx, webhook.customer_id, now)
    await store.update_webhook(tx, webhook.id, draft, now)
    if draft.secret is not None:
        await _replace_secret(tx, sealer, webhook, draft.secret, now)
        await _record(tx, caller, "webhook.secret_rotated", webhook, now)
    changed = [
        name
        for name in ("name", "url", "events", "enabled")
        if getattr(webhook, name) != getattr(draft, name)
    ]
    if changed:
        await _record(tx, caller, "webhook.changed", webhook, now, {"changed": changed})
    return await get_webhook(tx, caller, public_id)


async def rotate_secret(
    tx: Transaction, sealer: Sealer, caller: Caller, public_id: str, now: datetime
) -> tuple[Webhook, str]:
    """Give a webhook a new secret, shown this once; the former one signs beside it for 24 hours.

    Raises: WebhookNotFound. Writes: webhooks, audit_entries.
    """
    webhook = await get_webhook(tx, caller, public_id, lock=True)
    secret = new_secret()
    await _replace_secret(tx, sealer, webhook, secret, now)
    await _record(tx, caller, "webhook.secret_rotated", webhook, now)
    return await get_webhook(tx, caller, public_id), secret


async def _replace_secret(
    tx: Transaction, sealer: Sealer, webhook: Webhook, secret: str, now: datetime
) -> None:
    sealed = sealer.seal(secret.encode(), webhook.secret_context)
    await store.update_secret(tx, webhook.id, sealed, now + FORMER, now)


async def delete(tx: Transaction, caller: Caller, public_id: str, now: datetime) -> None:
    """Delete a webhook with everything that was and is to be delivered to it.

    Raises: WebhookNotFound. Writes: webhooks, webhook_deliveries, audit_entries. Defers: the customer's next delivery.
    """
    webhook = await get_webhook(tx, caller, public_id, lock=True)
    await store.delete_webhook(tx, webhook.id)
    # The job that was next in turn may have been one of these.
    await send_for_next(tx, webhook.customer_id, webhook.id, now)
    await _record(tx, caller, "webhook.deleted", webhook, now)


async def list_deliveries(
    tx: Transaction, caller: Caller, public_id: str, limit: int, offset: int
) -> list[Delivery]:
    """List what a webhook was and is to be told, newest first. Raises: WebhookNotFound."""
    webhook = await get_webhook(tx, caller, public_id)
    return await delivery_store.list_deliveries(tx, webhook.id, limit, offset)


async def list_run_url_deliveries(tx: Transaction, customer_id: int, limit: int) -> list[Delivery]:
    """List what went to the webhook_url of a customer's runs, newest first."""
    return await delivery_store.list_run_url_deliveries(tx, customer_id, limit)


async def get_signing_secret(tx: Transaction, sealer: Sealer, caller: Caller, now: datetime) -> str:
    """Show the secret that signs what goes to the webhook_url of runs; that it was shown is on record.

    Writes: webhook_signing_secrets where there was none, audit_entries.
    """
    secrets = await open_secrets(tx, sealer, caller.owner_id, None, now)
    await record_deed(tx, caller, "webhook.signing_secret_shown", "", now, customer_id=caller.owner_id)
    return secrets[0]


async def rotate_signing_secret(tx: Transaction, sealer: Sealer, caller: Caller, now: datetime) -> str:
    """Replace the secret that signs what goes to the webhook_url of runs; the former one signs on for 24 hours.

    Writes: webhook_signing_secrets, audit_entries.
    """
    await open_secrets(tx, sealer, caller.owner_id, None, now)
    secret = new_secret()
    sealed = sealer.seal(secret.encode(), f"webhook_url/{caller.owner_id}")
    await store.update_signing_secret(tx, caller.owner_id, sealed, now + FORMER, now)
    await record_deed(tx, caller, "webhook.signing_secret_rotated", "", now, customer_id=caller.owner_id)
    return secret


async def _record(
    tx: Transaction,
    caller: Caller,
    action: str,
    webhook: Webhook,
    now: datetime,
    details: dict[str, Any] | None = None,
) -> None:
    await record_deed(tx, caller, action, webhook.public_id, now, details, customer_id=webhook.customer_id)
