"""An event becomes deliveries; a delivery is sent, tried again, and in the end given up."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from tests.parties import SEALER
from tests.webhooks.conftest import LOOPBACK, Shop, make_shop
from tests.webhooks.receivers import SILENT, Receiver, plain_signature, receiving, standard_signature

from tollway.customers.entities import Mode
from tollway.kit.db import Database
from tollway.kit.jobs import JobRegistry, run_worker
from tollway.plans import operations as plans
from tollway.plans.entities import FeatureNotIncluded, SubscriptionEnded
from tollway.webhooks import delivery_operations as deliveries
from tollway.webhooks import flows, jobs
from tollway.webhooks import operations as webhooks
from tollway.webhooks.entities import (
    CLAIM,
    DELIVERIES_KEPT_DAYS,
    FORMER_SECRET_HOURS,
    TESTS_PER_MINUTE_MAX,
    DeliveryStatus,
    DeliveryUnderWay,
    Event,
    TooManyTests,
    WebhookDraft,
)
from tollway.webhooks.remote import Sender

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


@pytest.mark.promise("X28", "B54")
async def test_an_event_arrives_in_its_shape_with_both_signatures(shop: Shop, receiver: Receiver) -> None:
    webhook, secret = await shop.make(receiver.url, Event.MODEL_UPLOADED)
    assert await shop.publish() == 1
    assert [one.error for one in await shop.work() if one] == [""]
    (came,) = receiver.received
    assert came.document == {
        "event": "model.uploaded",
        "timestamp": "2026-06-15T12:00:00+00:00",
        "simulation_id": None,
        "data": {"model_id": "mdl_1", "mode": "test"},
    }
    assert came.headers["content-type"] == "application/json"
    assert came.headers["webhook-signature"] == standard_signature(secret, came)
    assert came.headers["x-tollway-signature"] == plain_signature(secret, came)
    assert came.headers["x-tollway-event"] == "model.uploaded"
    (delivery,) = await shop.deliveries(webhook)
    assert came.headers["webhook-id"] == came.headers["x-tollway-delivery"] == delivery.public_id
    assert delivery.status is DeliveryStatus.DELIVERED
    assert (delivery.attempt, delivery.response_status, delivery.error_message) == (1, 200, "")
    assert delivery.delivered_at is not None
    known = await shop.webhook(webhook)
    assert (known.total_deliveries, known.failed_deliveries) == (1, 0)
    assert known.last_delivery_status is DeliveryStatus.DELIVERED


async def test_only_those_are_told_who_asked_for_the_event_and_its_mode(
    shop: Shop, receiver: Receiver
) -> None:
    wanted, _ = await shop.make(receiver.url, Event.MODEL_UPLOADED)
    for others in (
        shop.make(receiver.url, Event.MODEL_FAILED),
        shop.make(receiver.url, Event.MODEL_UPLOADED, mode=Mode.LIVE),
        shop.make(receiver.url, Event.MODEL_UPLOADED, enabled=False),
    ):
        await others
    stranger = await make_shop(shop.database, shop.now)
    await stranger.make(receiver.url, Event.MODEL_UPLOADED)
    assert await shop.publish() == 1
    await shop.work()
    assert len(receiver.received) == len(await shop.deliveries(wanted)) == 1


async def test_an_event_that_is_undone_tells_nobody(shop: Shop, receiver: Receiver) -> None:
    await shop.make(receiver.url)

    async def fail() -> None:
        async with shop.database.transaction() as tx:
            await webhooks.publish(tx, shop.party.customer_id, Mode.TEST, Event.MODEL_UPLOADED, {}, shop.now)
            raise LookupError

    with pytest.raises(LookupError):
        await fail()
    assert await shop.jobs() == []
    assert await shop.rows("SELECT 1 FROM webhook_deliveries") == []


@pytest.mark.promise("X28")
async def test_a_delivery_is_tried_again_after_30_seconds_5_and_30_minutes_and_then_failed(
    shop: Shop, receiver: Receiver
) -> None:
    webhook, secret = await shop.make(receiver.url)
    receiver.answers = [500, 404, 302, 503]
    await shop.publish()
    waited, statuses = timedelta(0), []
    for expected in (timedelta(0), timedelta(seconds=30), timedelta(minutes=5), timedelta(minutes=30)):
        ((payload, delay),) = await shop.jobs()
        assert abs(delay - expected) < timedelta(seconds=1)
        waited += expected
        await flows.deliver(shop.room, payload["delivery_id"], payload["attempt"], shop.now + waited)
        (delivery,) = await shop.deliveries(webhook)
        statuses.append(delivery.status)
    assert await shop.jobs() == []
    assert statuses == [DeliveryStatus.RETRYING] * 3 + [DeliveryStatus.FAILED]
    assert delivery.attempt == 4
    assert delivery.next_attempt_at is None
    assert len(receiver.received) == 4
    # The same id and the same body; the time of the try is signed anew.
    assert len({one.headers["webhook-id"] for one in receiver.received}) == 1
    assert len({one.body for one in receiver.received}) == 1
    assert len({one.headers["webhook-timestamp"] for one in receiver.received}) == 4
    assert all(
        one.headers["webhook-signature"] == standard_signature(secret, one) for one in receiver.received
    )
    known = await shop.webhook(webhook)
    assert (known.total_deliveries, known.failed_deliveries) == (1, 1)


async def test_a_retry_that_works_ends_it(shop: Shop, receiver: Receiver) -> None:
    webhook, _ = await shop.make(receiver.url)
    receiver.answers = [500]
    await shop.publish()
    await shop.work()
    assert (await shop.webhook(webhook)).failing_since is not None
    await shop.work(timedelta(seconds=30))
    (delivery,) = await shop.deliveries(webhook)
    assert (delivery.status, delivery.attempt) == (DeliveryStatus.DELIVERED, 2)
    assert (await shop.webhook(webhook)).failing_since is None
    assert await shop.jobs() == []


async def test_a_job_of_an_earlier_try_sends_nothing(shop: Shop, receiver: Receiver) -> None:
    await shop.make(receiver.url)
    receiver.answers = [500]
    await shop.publish()
    ((payload, _),) = await shop.jobs()
    for _ in range(3):
        await flows.deliver(shop.room, payload["delivery_id"], payload["attempt"], shop.now)
    assert len(receiver.received) == 1


@pytest.mark.promise("X28")
async def test_a_worker_killed_between_sending_and_recording_sends_twice_with_one_id(
    shop: Shop, receiver: Receiver
) -> None:
    webhook, _ = await shop.make(receiver.url)
    await shop.publish()
    ((payload, _),) = await shop.jobs()
    async with shop.database.transaction() as tx:
        parcel = await deliveries.claim(tx, SEALER, payload["delivery_id"], payload["attempt"], shop.now)
    assert parcel
    # It was sent, and then the worker was gone: nothing was recorded.
    sending = asyncio.create_task(flows.deliver(shop.room, payload["delivery_id"], 0, shop.now))
    assert await sending is None, "while a worker holds it nobody else sends it"
    headers = {"webhook-id": parcel.delivery.public_id}
    await shop.room.sender.send(parcel.url, headers, parcel.delivery.body)
    later = CLAIM + deliveries.OVERDUE
    async with shop.database.transaction() as tx:
        assert await deliveries.enqueue_overdue(tx, shop.now + later, 100) == 1
        assert await deliveries.enqueue_overdue(tx, shop.now + later, 100) == 0
    await shop.work(later)
    assert [one.headers["webhook-id"] for one in receiver.received] == [parcel.delivery.public_id] * 2
    assert receiver.received[0].body == receiver.received[1].body
    (delivery,) = await shop.deliveries(webhook)
    assert delivery.status is DeliveryStatus.DELIVERED
    assert (await shop.webhook(webhook)).total_deliveries == 1


async def test_what_is_recorded_twice_counts_once(shop: Shop, receiver: Receiver) -> None:
    """The first worker was only slow: its record comes after that of the second."""
    webhook, _ = await shop.make(receiver.url)
    await shop.publish()
    ((payload, _),) = await shop.jobs()
    async with shop.database.transaction() as tx:
        first = await deliveries.claim(tx, SEALER, payload["delivery_id"], 0, shop.now)
    late = shop.now + CLAIM + timedelta(seconds=1)
    outcome = await flows.deliver(shop.room, payload["delivery_id"], 0, late)
    assert first
    assert outcome
    async with shop.database.transaction() as tx:
        await deliveries.record(tx, first, replace(outcome, error="late"), "https://tollway.example", late)
    (delivery,) = await shop.deliveries(webhook)
    assert (delivery.status, delivery.attempt) == (DeliveryStatus.DELIVERED, 1)
    assert (await shop.webhook(webhook)).total_deliveries == 1


async def test_what_one_run_tells_arrives_in_its_order(shop: Shop, receiver: Receiver) -> None:
    webhook, _ = await shop.make(receiver.url)
    for event in (Event.SIMULATION_STARTED, Event.SIMULATION_PROGRESS, Event.SIMULATION_COMPLETED):
        await shop.publish(event, simulation_id="sim_1")
    await shop.publish(Event.SIMULATION_STARTED, simulation_id="sim_2")
    started, progress, completed, of_another = [payload for payload, _ in await shop.jobs()]

    async def deliver(payload: dict) -> None:
        await flows.deliver(shop.room, payload["delivery_id"], payload["attempt"], shop.now)

    # Workers come in any order: a later event waits for the first try of an earlier one of its run alone.
    for payload in (completed, progress, of_another):
        await deliver(payload)
    assert [one.document["simulation_id"] for one in receiver.received] == ["sim_2"]
    receiver.answers = [500]
    await deliver(started)
    # Whoever ended the first try sent for the next, and so on; a try that failed holds nobody up.
    while waiting := [payload for payload, delay in await shop.jobs() if delay < timedelta(seconds=1)]:
        for payload in waiting:
            await deliver(payload)
    assert [one.headers["x-tollway-event"] for one in receiver.received[1:]] == [
        "simulation.started",
        "simulation.progress",
        "simulation.completed",
    ]
    assert [one.status for one in await shop.deliveries(webhook)] == [
        DeliveryStatus.RETRYING,
        DeliveryStatus.DELIVERED,
        DeliveryStatus.DELIVERED,
        DeliveryStatus.DELIVERED,
    ]


async def test_a_worker_carries_deliveries_out(shop: Shop, receiver: Receiver) -> None:
    await shop.make(receiver.url)
    await shop.publish()
    registry = JobRegistry()
    jobs.register(registry, shop.room)
    stop = asyncio.Event()
    worker = asyncio.create_task(run_worker(shop.database, registry, stop, at_once_max=2))
    async with asyncio.timeout(20):
        await receiver.arrived.wait()
    stop.set()
    await worker
    assert len(receiver.received) == 1


async def test_schedules_send_again_and_delete_what_is_old(shop: Shop, receiver: Receiver) -> None:
    """The clock of this machine is later than the test's: everything is overdue, and old."""
    await shop.make(receiver.url)
    await shop.publish()
    await shop.jobs()
    registry = JobRegistry()
    jobs.register(registry, shop.room)
    await registry.schedules["webhooks.sweep"][1]({})
    assert len(await shop.jobs()) == 1
    await shop.execute(
        f"UPDATE webhook_deliveries SET created_at = now() - interval '{DELIVERIES_KEPT_DAYS} days 1 minute'"
    )
    await shop.publish()
    await shop.execute(
        "UPDATE webhook_deliveries SET created_at = now() WHERE id = (SELECT max(id) FROM webhook_deliveries)"
    )
    await registry.schedules["webhooks.delete_old"][1]({})
    assert len(await shop.rows("SELECT 1 FROM webhook_deliveries")) == 1


# Giving up ------------------------------------------------------------------------------------------


async def test_after_three_days_of_failures_it_is_turned_off_and_its_owners_are_told(
    shop: Shop, receiver: Receiver
) -> None:
    webhook, _ = await shop.make(receiver.url)
    receiver.answers = [500] * 10
    for hours in (0, 24, 71):
        await shop.publish()
        await shop.work(hours * HOUR)
        assert (await shop.webhook(webhook)).enabled
        await shop.jobs()
    assert await shop.rows("SELECT 1 FROM outbox_mails") == []
    await shop.publish()
    # A delivery fails when its answer is there, so the first failure was some milliseconds after the start.
    await shop.work(72 * HOUR + MINUTE)
    known = await shop.webhook(webhook)
    assert not known.enabled
    assert known.turned_off_at is not None
    assert {one.status for one in await shop.deliveries(webhook)} == {DeliveryStatus.ABANDONED}
    (mail,) = await shop.rows("SELECT to_address, subject, text_body FROM outbox_mails")
    assert mail["to_address"] == shop.caller.actor_name
    assert mail["subject"] == "A webhook was turned off: Results"
    assert f"https://tollway.example/webhooks/{webhook.public_id}" in mail["text_body"]
    (entry,) = await shop.rows("SELECT actor, subject FROM audit_entries WHERE action = 'webhook.turned_off'")
    assert entry == {"actor": "job:webhooks", "subject": webhook.public_id}
    assert await shop.publish() == 0
    # Turned on again it begins anew.
    draft = WebhookDraft(webhook.name, webhook.url, webhook.events).checked(LOOPBACK)
    async with shop.database.transaction() as tx:
        again = await webhooks.change(tx, SEALER, shop.caller, webhook.public_id, draft, shop.now + 73 * HOUR)
    assert (again.enabled, again.failing_since, again.turned_off_at) == (True, None, None)


async def test_one_success_in_three_days_keeps_it_on(shop: Shop, receiver: Receiver) -> None:
    webhook, _ = await shop.make(receiver.url)
    for hours, answer in ((0, 500), (71, 200), (73, 500), (143, 500)):
        receiver.answers = [answer]
        await shop.publish()
        await shop.work(hours * HOUR)
        await shop.jobs()
    assert (await shop.webhook(webhook)).enabled


@pytest.mark.promise("B54")
async def test_without_a_plan_that_has_webhooks_nothing_is_written_or_sent(
    shop: Shop, receiver: Receiver
) -> None:
    webhook, _ = await shop.make(receiver.url)
    await shop.publish()
    async with shop.database.transaction() as tx:
        await plans.override(
            tx, shop.party.customer_id, "montecarlo", "feature:webhooks", 0,
            reason="x", ends_at=shop.now + 24 * HOUR, created_by="system:tests", now=shop.now,
        )  # fmt: skip
    assert await shop.work() == [None]
    assert receiver.received == []
    (delivery,) = await shop.deliveries(webhook)
    assert delivery.status is DeliveryStatus.ABANDONED
    assert "plan" in delivery.error_message
    assert await shop.publish() == 0


@pytest.mark.parametrize("column", ["suspended_at", "deactivated_at"])
async def test_nothing_is_sent_for_a_customer_that_is_stopped(
    shop: Shop, receiver: Receiver, column: str
) -> None:
    webhook, _ = await shop.make(receiver.url)
    await shop.publish()
    await shop.execute(f"UPDATE api_customers SET {column} = now()")
    await shop.work()
    assert receiver.received == []
    assert [one.status for one in await shop.deliveries(webhook)] == [DeliveryStatus.ABANDONED]


async def test_what_waits_for_a_webhook_that_is_turned_off_or_deleted_is_not_sent(
    shop: Shop, receiver: Receiver
) -> None:
    webhook, _ = await shop.make(receiver.url)
    deleted, _ = await shop.make(receiver.url)
    await shop.publish()
    draft = WebhookDraft(webhook.name, webhook.url, webhook.events, enabled=False).checked(LOOPBACK)
    async with shop.database.transaction() as tx:
        await webhooks.change(tx, SEALER, shop.caller, webhook.public_id, draft, shop.now)
        await webhooks.delete(tx, shop.caller, deleted.public_id, shop.now)
    assert set(await shop.work()) == {None}
    assert receiver.received == []
    assert [one.status for one in await shop.deliveries(webhook)] == [DeliveryStatus.ABANDONED]


async def test_an_address_that_turned_private_gets_nothing(shop: Shop, receiver: Receiver) -> None:
    """It was made where private addresses are allowed, and is sent where they are not."""
    webhook, _ = await shop.make(receiver.url)
    await shop.publish()
    shop.room = replace(shop.room, sender=Sender(replace(LOOPBACK, allows_private=False)))
    await shop.work()
    assert receiver.received == []
    (delivery,) = await shop.deliveries(webhook)
    assert delivery.status is DeliveryStatus.RETRYING
    assert "public" in delivery.error_message


async def test_more_than_may_wait_is_given_up_and_told(shop: Shop, receiver: Receiver) -> None:
    webhook, _ = await shop.make(receiver.url)
    await shop.publish()
    await shop.execute(
        """
        INSERT INTO webhook_deliveries (public_id, customer_id, webhook_id, mode, event_type, body, status,
            next_attempt_at, created_at)
        SELECT 'whd_' || n, customer_id, webhook_id, mode, event_type, '{}', 'pending', now(), now()
        FROM webhook_deliveries, generate_series(1, 9999) n
        """
    )
    await shop.jobs()
    await shop.publish()
    assert await shop.jobs() == []
    newest = (await shop.deliveries(webhook))[-1]
    assert newest.status is DeliveryStatus.ABANDONED
    assert "10,000 deliveries wait" in newest.error_message


# Secrets --------------------------------------------------------------------------------------------


async def test_a_rotated_secret_signs_beside_its_successor_for_24_hours(
    shop: Shop, receiver: Receiver
) -> None:
    webhook, former = await shop.make(receiver.url)
    async with shop.database.transaction() as tx:
        _, new = await webhooks.rotate_secret(tx, SEALER, shop.caller, webhook.public_id, shop.now)
    assert new != former
    almost = timedelta(hours=FORMER_SECRET_HOURS) - timedelta(seconds=1)
    for after in (timedelta(0), almost, almost + timedelta(seconds=1)):
        await shop.publish()
        await shop.work(after)
    for came in receiver.received[:2]:
        assert came.headers["webhook-signature"].split() == [
            standard_signature(new, came),
            standard_signature(former, came),
        ]
        assert came.headers["x-tollway-signature-former"] == plain_signature(former, came)
    last = receiver.received[2]
    assert last.headers["webhook-signature"] == standard_signature(new, last)
    assert "x-tollway-signature-former" not in last.headers


async def test_no_secret_stands_in_the_database(shop: Shop, receiver: Receiver) -> None:
    webhook, secret = await shop.make(receiver.url)
    async with shop.database.transaction() as tx:
        signing = await webhooks.get_signing_secret(tx, SEALER, shop.caller, shop.now)
        again = await webhooks.get_signing_secret(tx, SEALER, shop.caller, shop.now)
    assert signing == again != secret
    for table in ("webhooks", "webhook_signing_secrets", "audit_entries"):
        for row in await shop.rows(f"SELECT * FROM {table}"):
            for shown in (secret, signing):
                assert shown not in repr(row)
                assert shown.removeprefix("whsec_") not in repr(row)
    assert (await shop.webhook(webhook)).secret_context


# The webhook_url of a run -----------------------------------------------------------------------------


@pytest.mark.promise("X28")
async def test_the_webhook_url_of_a_run_is_told_how_it_ended_signed_with_the_customers_secret(
    shop: Shop, receiver: Receiver
) -> None:
    for event in Event:
        await shop.publish(event, simulation_id="sim_1", url=receiver.url)
    await shop.work()
    await shop.work()
    assert [one.headers["x-tollway-event"] for one in receiver.received] == [
        "simulation.completed",
        "simulation.failed",
        "simulation.cancelled",
    ]
    async with shop.database.transaction() as tx:
        secret = await webhooks.get_signing_secret(tx, SEALER, shop.caller, shop.now)
        new = await webhooks.rotate_signing_secret(tx, SEALER, shop.caller, shop.now)
        listed = await webhooks.list_run_url_deliveries(tx, shop.party.customer_id, 10)
    for came in receiver.received:
        assert came.headers["webhook-signature"] == standard_signature(secret, came)
    assert [one.status for one in listed] == [DeliveryStatus.DELIVERED] * 3
    await shop.publish(Event.SIMULATION_COMPLETED, simulation_id="sim_2", url=receiver.url)
    await shop.work()
    last = receiver.received[-1]
    assert last.headers["webhook-signature"].split() == [
        standard_signature(new, last),
        standard_signature(secret, last),
    ]


# By hand --------------------------------------------------------------------------------------------


async def test_a_test_is_sent_at_once_and_its_result_is_told(shop: Shop, receiver: Receiver) -> None:
    webhook, secret = await shop.make(receiver.url, Event.QUOTA_WARNING, enabled=False)
    receiver.answers = [503]
    failed = await flows.send_test(shop.room, shop.caller, webhook.public_id, shop.now)
    assert (failed.status, failed.response_status) == (DeliveryStatus.FAILED, 503)
    worked = await flows.send_test(shop.room, shop.caller, webhook.public_id, shop.now)
    assert (worked.status, worked.response_status) == (DeliveryStatus.DELIVERED, 200)
    for came in receiver.received:
        assert came.document["event"] == came.headers["x-tollway-event"] == "webhook.test"
        assert came.headers["webhook-signature"] == standard_signature(secret, came)
    # A test is tried once, and says nothing of how the webhook fares.
    assert await shop.jobs() == []
    assert (await shop.webhook(webhook)).failing_since is None


async def test_a_test_of_a_silent_server_ends_in_time(shop: Shop, receiver: Receiver) -> None:
    webhook, _ = await shop.make(receiver.url)
    receiver.answers = [SILENT]
    shop.room = replace(shop.room, sender=Sender(LOOPBACK, seconds_max=0.2))
    delivery = await flows.send_test(shop.room, shop.caller, webhook.public_id, shop.now)
    assert delivery.status is DeliveryStatus.FAILED
    assert delivery.error_message == "There was no answer within 0.2 seconds."


async def test_tests_are_counted_by_the_minute(shop: Shop, receiver: Receiver) -> None:
    webhook, _ = await shop.make(receiver.url)
    for _ in range(TESTS_PER_MINUTE_MAX):
        await flows.send_test(shop.room, shop.caller, webhook.public_id, shop.now)
    with pytest.raises(TooManyTests):
        await flows.send_test(shop.room, shop.caller, webhook.public_id, shop.now)
    await flows.send_test(shop.room, shop.caller, webhook.public_id, shop.now + timedelta(minutes=1))
    assert len(receiver.received) == TESTS_PER_MINUTE_MAX + 1


async def test_a_delivery_that_is_over_is_sent_again_with_its_own_id(shop: Shop, receiver: Receiver) -> None:
    webhook, _ = await shop.make(receiver.url)
    await shop.publish()
    (delivery,) = await shop.deliveries(webhook)

    async def resend() -> None:
        async with shop.database.transaction() as tx:
            await webhooks.resend(tx, shop.caller, webhook.public_id, delivery.public_id, shop.now)

    with pytest.raises(DeliveryUnderWay):
        await resend()
    await shop.work()
    await resend()
    with pytest.raises(DeliveryUnderWay):
        await resend()
    await shop.work()
    assert [one.headers["webhook-id"] for one in receiver.received] == [delivery.public_id] * 2
    assert receiver.received[0].body == receiver.received[1].body


async def test_a_plan_without_webhooks_has_neither_tests_nor_resending(
    database: Database, shop: Shop, receiver: Receiver
) -> None:
    webhook, _ = await shop.make(receiver.url)
    await shop.execute("UPDATE api_subscriptions SET status = 'cancelled'")
    with pytest.raises(SubscriptionEnded):
        await flows.send_test(shop.room, shop.caller, webhook.public_id, shop.now)
    cheap = await make_shop(database, shop.now, tier="starter")
    async with receiving() as own:
        with pytest.raises(FeatureNotIncluded):
            await cheap.make(own.url)
