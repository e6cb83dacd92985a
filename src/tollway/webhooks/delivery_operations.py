"""What is sent: an event becomes deliveries, a delivery is claimed, sent by whoever claimed it, and recorded."""

import json
from datetime import datetime, timedelta
from typing import Any

from tollway.audit import operations as audit
from tollway.customers import member_operations as members
from tollway.customers import operations as customers
from tollway.customers.callers import Caller
from tollway.customers.deed_operations import record_deed
from tollway.customers.entities import CustomerState, Mode
from tollway.kit.crypto import Sealer
from tollway.kit.db import Transaction
from tollway.kit.ids import new_id
from tollway.kit.jobs import enqueue_job
from tollway.kit.mail import queue_mail
from tollway.notifications import webhook_mail_operations as mails
from tollway.webhooks import delivery_store, store
from tollway.webhooks.access_operations import assert_included, get_webhook, has_webhooks
from tollway.webhooks.entities import (
    AT_ONCE_PER_CUSTOMER_MAX,
    CLAIM,
    DELIVERIES_KEPT_DAYS,
    FAILING_DAYS_MAX,
    RUN_URL_EVENTS,
    TEST_EVENT,
    TESTS_PER_MINUTE_MAX,
    WAITING_PER_CUSTOMER_MAX,
    Delivery,
    DeliveryNotFound,
    DeliveryStatus,
    DeliveryUnderWay,
    Event,
    Outcome,
    Parcel,
    SealedSecrets,
    TooManyTests,
    Webhook,
    next_delay,
)
from tollway.webhooks.signatures import new_secret

SEND_JOB = "webhooks.send"
# Behind mails, and before the shards of whatever long run is waiting.
SEND_PRIORITY = 5
# Beyond this a delivery that is due was lost by a worker.
OVERDUE = timedelta(minutes=2)
FULL = f"{WAITING_PER_CUSTOMER_MAX:,} deliveries wait already; it was never sent."
TURNED_OFF = "The webhook is turned off."
GIVEN_UP = f"The webhook was turned off: nothing got through for {FAILING_DAYS_MAX} days."
NOT_INCLUDED = "Your plan does not include webhooks any more."
STOPPED = "The customer is suspended or deactivated."


async def publish(
    tx: Transaction,
    customer_id: int,
    mode: Mode,
    event: Event,
    data: dict[str, Any],
    now: datetime,
    *,
    simulation_id: str | None = None,
    url: str | None = None,
) -> int:
    """Tell a customer's webhooks of an event, in its transaction; return how many deliveries were written.

    Args:
        data: plain values as JSON; the mode is added to it.
        simulation_id: of the run that it is about; what one run tells arrives in its order.
        url: the webhook_url of that run, which is told how it ended.

    Writes: webhook_deliveries, unless the plan includes no webhooks. Defers: a job for each.
    """
    targets: list[tuple[int | None, str | None]] = [
        (webhook_id, None) for webhook_id in await store.list_listening(tx, customer_id, mode, event)
    ]
    if url is not None and event in RUN_URL_EVENTS:
        targets.append((None, url))
    if not targets or not await has_webhooks(tx, customer_id, now):
        return 0
    body = _body(event, mode, data, simulation_id, now)
    waiting = await delivery_store.count_waiting(tx, customer_id, WAITING_PER_CUSTOMER_MAX)
    for index, (webhook_id, run_url) in enumerate(targets):
        public_id = new_id("whd")
        is_full = waiting + index >= WAITING_PER_CUSTOMER_MAX
        await delivery_store.insert_delivery(
            tx,
            public_id,
            customer_id,
            webhook_id=webhook_id,
            url=run_url,
            mode=mode,
            simulation_id=simulation_id,
            event=event.value,
            body=body,
            now=now,
            error=FULL if is_full else "",
        )
        if not is_full:
            await _enqueue(tx, public_id, 0)
    return len(targets)


def _body(event: str, mode: Mode, data: dict[str, Any], simulation_id: str | None, now: datetime) -> str:
    return json.dumps(
        {
            "event": event,
            "timestamp": now.isoformat(),
            "simulation_id": simulation_id,
            "data": {**data, "mode": mode.value},
        },
        separators=(",", ":"),
    )


async def _enqueue(tx: Transaction, public_id: str, attempt: int, delay: timedelta | None = None) -> None:
    await enqueue_job(
        tx, SEND_JOB, {"delivery_id": public_id, "attempt": attempt}, delay=delay, priority=SEND_PRIORITY
    )


# Sending --------------------------------------------------------------------------------------------


async def claim(
    tx: Transaction, sealer: Sealer, public_id: str, attempt: int, now: datetime
) -> Parcel | None:
    """Take a delivery to send it; None where it is not to be sent now, or by whoever asks.

    Locks the customer's sending, then the webhook, then its delivery, as everybody does who locks more than one.

    Args:
        attempt: how often it was tried when the job was written; a job of an earlier try gets None.

    INVARIANT: of one customer jobs send no more than AT_ONCE_PER_CUSTOMER_MAX at once, and what waits needs no job:
    whoever ends one sends for the next (tests/webhooks/test_fairness.py::test_claims_at_once_keep_to_the_bound).

    Writes: webhook_deliveries. Defers: a job for the customer's next delivery where this one is given up.
    """
    found = await delivery_store.find_delivery(tx, public_id)
    if found is None:
        return None
    await delivery_store.lock_sending(tx, found.customer_id)
    webhook = await store.lock_webhook(tx, found.webhook_id) if found.webhook_id is not None else None
    delivery = await delivery_store.find_delivery(tx, public_id, lock=True)
    if delivery is None or delivery.status.over or delivery.attempt != attempt:
        return None
    if delivery.claimed_until is not None and delivery.claimed_until > now:
        return None
    # Whoever ends the earlier one sends for this.
    if delivery.attempt == 0 and await delivery_store.has_earlier(tx, delivery):
        return None
    if reason := await _obstacle(tx, webhook, delivery, now):
        await delivery_store.update_to_abandoned(tx, delivery.id, reason)
        await send_for_next(tx, delivery.customer_id, delivery.webhook_id, now)
        return None
    if await delivery_store.count_claimed(tx, delivery.customer_id, now) >= AT_ONCE_PER_CUSTOMER_MAX:
        return None
    await delivery_store.update_to_claimed(tx, delivery.id, now + CLAIM)
    return await _parcel(tx, sealer, delivery, webhook, now)


async def _obstacle(tx: Transaction, webhook: Webhook | None, delivery: Delivery, now: datetime) -> str:
    """Say why nothing is to be sent any more, or nothing."""
    if webhook is not None and not webhook.enabled and not delivery.is_test:
        return TURNED_OFF
    customer = await customers.get_customer(tx, delivery.customer_id)
    if customer.state is not CustomerState.ACTIVE:
        return STOPPED
    return "" if await has_webhooks(tx, delivery.customer_id, now) else NOT_INCLUDED


async def _parcel(
    tx: Transaction, sealer: Sealer, delivery: Delivery, webhook: Webhook | None, now: datetime
) -> Parcel:
    url = webhook.url if webhook is not None else delivery.url
    assert url is not None, "a delivery without a webhook has its own address"
    return Parcel(delivery, url, await open_secrets(tx, sealer, delivery.customer_id, webhook, now))


async def open_secrets(
    tx: Transaction, sealer: Sealer, customer_id: int, webhook: Webhook | None, now: datetime
) -> tuple[str, ...]:
    """Open the secrets that sign at `now`, the newest first: of a webhook, or of the webhook_url of runs.

    Writes: webhook_signing_secrets where a customer has none yet.
    """
    if webhook is not None:
        return _opened(sealer, await store.get_secrets(tx, webhook.id), webhook.secret_context, now)
    context = f"webhook_url/{customer_id}"
    sealed = await store.find_signing_secrets(tx, customer_id)
    if sealed is None:
        await store.insert_signing_secret(tx, customer_id, sealer.seal(new_secret().encode(), context), now)
        sealed = await store.find_signing_secrets(tx, customer_id)
    assert sealed is not None, "it was written just now, here or by another"
    return _opened(sealer, sealed, context, now)


def _opened(sealer: Sealer, sealed: SealedSecrets, context: str, now: datetime) -> tuple[str, ...]:
    present = sealer.open(bytes(sealed.present), context).decode()
    if sealed.former is None or sealed.former_until is None or sealed.former_until <= now:
        return (present,)
    return (present, sealer.open(bytes(sealed.former), context).decode())


async def record(tx: Transaction, parcel: Parcel, outcome: Outcome, base_url: str, now: datetime) -> None:
    """Write how a try went, send for the next one, and turn off a webhook that nothing gets through to.

    Where another worker recorded this try already, or it was given up or deleted meanwhile, nothing is written of it.

    Writes: webhook_deliveries, webhooks; audit_entries and outbox_mails where it is turned off.
    """
    claimed = parcel.delivery
    await delivery_store.lock_sending(tx, claimed.customer_id)
    webhook = await store.lock_webhook(tx, claimed.webhook_id) if claimed.webhook_id is not None else None
    delivery = await delivery_store.find_delivery(tx, claimed.public_id, lock=True)
    if delivery is None or delivery.status.over or delivery.attempt != claimed.attempt:
        await send_for_next(tx, claimed.customer_id, claimed.webhook_id, now)
        return
    worked = not outcome.error
    delay = None if worked or delivery.is_test else next_delay(delivery.attempt + 1)
    status = DeliveryStatus.RETRYING if delay else DeliveryStatus.FAILED
    status = DeliveryStatus.DELIVERED if worked else status
    await delivery_store.update_to_tried(
        tx, delivery.id, status, outcome, now + delay if delay else None, now
    )
    if delay is not None:
        await _enqueue(tx, delivery.public_id, delivery.attempt + 1, delay)
    if webhook is not None:
        await store.update_to_tried(
            tx, webhook.id, status, ended=status.over, worked=worked, counted=not delivery.is_test, now=now
        )
        if not worked and webhook.enabled and not delivery.is_test and webhook.has_failed_too_long(now):
            await _turn_off(tx, webhook, base_url, now)
    await send_for_next(tx, delivery.customer_id, delivery.webhook_id, now)


async def send_for_next(tx: Transaction, customer_id: int, webhook_id: int | None, now: datetime) -> None:
    """Defer what a customer is to be sent after something of this webhook, behind the jobs of others that wait."""
    following = await delivery_store.find_next(tx, customer_id, webhook_id, now)
    if following is not None:
        await _enqueue(tx, following.public_id, following.attempt)


async def _turn_off(tx: Transaction, webhook: Webhook, base_url: str, now: datetime) -> None:
    await store.update_to_turned_off(tx, webhook.id, now)
    await delivery_store.abandon_waiting(tx, webhook.id, GIVEN_UP)
    await audit.record_entry(
        tx,
        action="webhook.turned_off",
        customer_id=webhook.customer_id,
        actor="job:webhooks",
        subject=webhook.public_id,
        address=None,
        now=now,
    )
    for address in await members.list_owner_emails(tx, webhook.customer_id):
        mail = mails.compose_webhook_turned_off(
            address,
            name=webhook.name,
            url=webhook.url,
            days=FAILING_DAYS_MAX,
            link=f"{base_url}/webhooks/{webhook.public_id}",
        )
        await queue_mail(tx, mail, now)


# By hand --------------------------------------------------------------------------------------------


async def begin_test(
    tx: Transaction, sealer: Sealer, caller: Caller, webhook_id: str, now: datetime
) -> Parcel:
    """Write a delivery of the event `webhook.test`, held by whoever asked, who sends it at once and records it.

    Raises: WebhookNotFound, FeatureNotIncluded, TooManyTests. Writes: webhook_deliveries, audit_entries.
    """
    await customers.lock_customer(tx, caller.owner_id)
    webhook = await get_webhook(tx, caller, webhook_id, lock=True)
    await assert_included(tx, webhook.customer_id, now)
    tried = await delivery_store.count_tests(tx, webhook.customer_id, now - timedelta(minutes=1))
    if tried >= TESTS_PER_MINUTE_MAX:
        raise TooManyTests(
            f"Webhooks are tested {TESTS_PER_MINUTE_MAX} times a minute at most. Try again in a minute.",
            retry_after_seconds=60,
            members={"limit": "webhook_tests_per_minute", "limit_value": TESTS_PER_MINUTE_MAX},
        )
    public_id = new_id("whd")
    data = {"webhook_id": webhook.public_id, "message": "This is a test. Nothing happened."}
    await delivery_store.insert_delivery(
        tx,
        public_id,
        webhook.customer_id,
        webhook_id=webhook.id,
        url=None,
        mode=webhook.mode,
        simulation_id=None,
        event=TEST_EVENT,
        body=_body(TEST_EVENT, webhook.mode, data, None, now),
        now=now,
    )
    delivery = await delivery_store.find_delivery(tx, public_id)
    assert delivery is not None, "it was written just now"
    await delivery_store.update_to_claimed(tx, delivery.id, now + CLAIM)
    await record_deed(tx, caller, "webhook.tested", webhook.public_id, now, customer_id=webhook.customer_id)
    return await _parcel(tx, sealer, delivery, webhook, now)


async def resend(
    tx: Transaction, caller: Caller, webhook_id: str, delivery_id: str, now: datetime
) -> Delivery:
    """Let a delivery that is over begin anew, with the same id and the same body.

    Raises: WebhookNotFound, DeliveryNotFound, DeliveryUnderWay, FeatureNotIncluded.
    Writes: webhook_deliveries, audit_entries. Defers: its job.
    """
    webhook = await get_webhook(tx, caller, webhook_id, lock=True)
    await assert_included(tx, webhook.customer_id, now)
    delivery = await get_own_delivery(tx, webhook, delivery_id, lock=True)
    if not delivery.status.over:
        raise DeliveryUnderWay("That delivery is still under way; it is tried again by itself.")
    await delivery_store.update_to_pending(tx, delivery.id, now)
    await _enqueue(tx, delivery.public_id, 0)
    await record_deed(
        tx,
        caller,
        "webhook.resent",
        webhook.public_id,
        now,
        {"delivery": delivery.public_id},
        customer_id=webhook.customer_id,
    )
    return await get_own_delivery(tx, webhook, delivery_id)


async def get_own_delivery(
    tx: Transaction, webhook: Webhook, delivery_id: str, *, lock: bool = False
) -> Delivery:
    """Return one delivery of a webhook; raises DeliveryNotFound."""
    delivery = (
        None
        if "\0" in delivery_id
        else await delivery_store.find_own_delivery(tx, webhook.id, delivery_id, lock=lock)
    )
    if delivery is None:
        raise DeliveryNotFound(
            f"The webhook has no such delivery; deliveries are kept for {DELIVERIES_KEPT_DAYS} days."
        )
    return delivery


# By the clock ---------------------------------------------------------------------------------------


async def enqueue_overdue(tx: Transaction, now: datetime, limit: int) -> int:
    """Send again for customers that have something due and nothing under way, as a crash leaves it; return how many."""
    overdue = await delivery_store.take_overdue(tx, now - OVERDUE, now, limit)
    for delivery in overdue:
        await _enqueue(tx, delivery.public_id, delivery.attempt)
    return len(overdue)


async def delete_old(tx: Transaction, now: datetime, limit: int) -> int:
    """Delete deliveries that are older than anybody looks for; return how many."""
    return await delivery_store.delete_deliveries(tx, now - timedelta(days=DELIVERIES_KEPT_DAYS), limit)
