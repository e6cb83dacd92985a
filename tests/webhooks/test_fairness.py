"""A customer whose server is slow waits for it alone: the deliveries of others go out in between."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta

from tests.parties import SEALER
from tests.webhooks.conftest import LOOPBACK, Shop, make_shop
from tests.webhooks.receivers import SILENT, Receiver, receiving

from tollway.kit.db import Database
from tollway.kit.jobs import JobRegistry, run_worker
from tollway.webhooks import delivery_operations as deliveries
from tollway.webhooks import flows, jobs
from tollway.webhooks import operations as webhooks
from tollway.webhooks.entities import AT_ONCE_PER_CUSTOMER_MAX, CLAIM, DeliveryStatus
from tollway.webhooks.remote import Sender

# So many customers with a silent server would have filled a worker's places, had each held two.
SLOW_CUSTOMERS = 4
WAITING_EACH = 6


async def test_slow_servers_hold_up_nobody_elses_deliveries(shop: Shop, receiver: Receiver) -> None:
    await shop.make(receiver.url)
    # One try at a silent server takes far longer than the test may.
    registry = JobRegistry()
    jobs.register(registry, replace(shop.room, sender=Sender(LOOPBACK, seconds_max=120.0)))
    stop = asyncio.Event()
    async with AsyncExitStack() as servers:
        silent = [await servers.enter_async_context(receiving()) for _ in range(SLOW_CUSTOMERS)]
        for server in silent:
            server.answers = [SILENT] * WAITING_EACH
            slow = await make_shop(shop.database, shop.now)
            await slow.make(server.url)
            for _ in range(WAITING_EACH):
                await slow.publish()
        worker = asyncio.create_task(run_worker(shop.database, registry, stop, at_once_max=10))
        async with asyncio.timeout(20):
            for server in silent:
                await server.arrived.wait()
            for _ in range(WAITING_EACH):
                await shop.publish()
            while len(receiver.received) < WAITING_EACH:
                receiver.arrived.clear()
                await receiver.arrived.wait()
        # Each slow server was asked once, and no job waits or looks again for what stands behind that.
        assert [len(server.received) for server in silent] == [AT_ONCE_PER_CUSTOMER_MAX] * SLOW_CUSTOMERS
        async with asyncio.timeout(20):
            while await _count_queued(shop.database):
                pass
        stop.set()
    await worker


async def _count_queued(database: Database) -> int:
    async with database.transaction() as tx:
        return int(await tx.find_value("SELECT count(*) FROM pgqueuer WHERE status = 'queued'"))


async def test_what_waits_for_a_slow_server_needs_no_job(shop: Shop, receiver: Receiver) -> None:
    webhook, _ = await shop.make(receiver.url)
    for _ in range(3):
        await shop.publish()
    first, *others = [payload for payload, _ in await shop.jobs()]
    async with shop.database.transaction() as tx:
        parcel = await deliveries.claim(tx, SEALER, first["delivery_id"], 0, shop.now)
    assert parcel
    for payload in others:
        assert await flows.deliver(shop.room, payload["delivery_id"], 0, shop.now) is None
    assert await shop.jobs() == []
    outcome = await shop.room.sender.send(parcel.url, {}, parcel.delivery.body)
    async with shop.database.transaction() as tx:
        await deliveries.record(tx, parcel, outcome, shop.room.base_url, shop.now)
    # Whoever ended the first sends for the second, whose end sends for the third.
    for expected in others:
        ((payload, delay),) = await shop.jobs()
        assert (payload, delay) == (expected, timedelta(0))
        await flows.deliver(shop.room, payload["delivery_id"], 0, shop.now)
    assert await shop.jobs() == []
    assert {one.status for one in await shop.deliveries(webhook)} == {DeliveryStatus.DELIVERED}


async def test_a_customers_slow_server_takes_turns_with_the_others_of_that_customer(
    shop: Shop, receiver: Receiver
) -> None:
    async with receiving() as other:
        await shop.make(receiver.url)
        for _ in range(3):
            await shop.publish()
        await shop.make(other.url)
        await shop.publish()
        payloads = [payload for payload, _ in await shop.jobs()]
        await flows.deliver(shop.room, payloads[0]["delivery_id"], 0, shop.now)
        await shop.work()
        # Three older ones wait for the slow server, and the other server had its turn all the same.
        assert (len(receiver.received), len(other.received)) == (1, 1)


async def test_claims_at_once_keep_to_the_bound(shop: Shop, receiver: Receiver) -> None:
    """Eight webhooks of one customer share no row, and eight workers come at the same moment."""
    for _ in range(8):
        await shop.make(receiver.url)
    await shop.publish()
    payloads = [payload for payload, _ in await shop.jobs()]
    together = asyncio.Barrier(len(payloads))

    async def claim(delivery_id: str) -> bool:
        async with shop.database.transaction() as tx:
            await tx.find_value("SELECT 1")
            await together.wait()
            return await deliveries.claim(tx, SEALER, delivery_id, 0, shop.now) is not None

    claimed = await asyncio.gather(*(claim(payload["delivery_id"]) for payload in payloads))
    assert sum(claimed) == AT_ONCE_PER_CUSTOMER_MAX


async def test_deleting_the_webhook_that_is_under_way_sends_for_the_next(
    shop: Shop, receiver: Receiver
) -> None:
    deleted, _ = await shop.make(receiver.url)
    kept, _ = await shop.make(receiver.url)
    await shop.publish()
    first, second = [payload for payload, _ in await shop.jobs()]
    async with shop.database.transaction() as tx:
        parcel = await deliveries.claim(tx, SEALER, first["delivery_id"], 0, shop.now)
    assert parcel
    assert await flows.deliver(shop.room, second["delivery_id"], 0, shop.now) is None
    async with shop.database.transaction() as tx:
        await webhooks.delete(tx, shop.caller, deleted.public_id, shop.now)
    await shop.work()
    (delivery,) = await shop.deliveries(kept)
    assert delivery.status is DeliveryStatus.DELIVERED


async def test_after_a_crash_one_delivery_of_each_customer_is_sent_for_again(
    shop: Shop, receiver: Receiver
) -> None:
    webhook, _ = await shop.make(receiver.url)
    for _ in range(3):
        await shop.publish()
    first, *_ = [payload for payload, _ in await shop.jobs()]
    async with shop.database.transaction() as tx:
        assert await deliveries.claim(tx, SEALER, first["delivery_id"], 0, shop.now + deliveries.OVERDUE)
    later = shop.now + deliveries.OVERDUE + timedelta(seconds=1)
    async with shop.database.transaction() as tx:
        assert await deliveries.enqueue_overdue(tx, later, 100) == 0, "it is under way"
        assert await deliveries.enqueue_overdue(tx, later + CLAIM, 100) == 1
    ((payload, _),) = await shop.jobs()
    assert payload == first
    while payload:
        await flows.deliver(shop.room, payload["delivery_id"], 0, later + CLAIM)
        payload = next((one for one, _ in await shop.jobs()), None)
    assert {one.status for one in await shop.deliveries(webhook)} == {DeliveryStatus.DELIVERED}
