"""Send: what was claimed in one transaction goes over the network, and another one records how it went."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from tollway.customers.callers import Caller
from tollway.kit.crypto import Sealer
from tollway.kit.db import Database
from tollway.webhooks import delivery_operations as deliveries
from tollway.webhooks import operations
from tollway.webhooks.entities import Delivery, Outcome, Parcel
from tollway.webhooks.remote import Sender
from tollway.webhooks.signatures import signed_headers


@dataclass(frozen=True, slots=True)
class PostRoom:
    """What sending needs; one for each process."""

    database: Database
    sealer: Sealer
    sender: Sender
    base_url: str


async def deliver(room: PostRoom, delivery_id: str, attempt: int, now: datetime) -> Outcome | None:
    """Try a delivery once, unless it is not to be tried now; a crash before the record tries it again, same id."""
    async with room.database.transaction() as tx:
        parcel = await deliveries.claim(tx, room.sealer, delivery_id, attempt, now)
    return None if parcel is None else await _send(room, parcel, now)


async def send_test(room: PostRoom, caller: Caller, webhook_id: str, now: datetime) -> Delivery:
    """Send the event `webhook.test` to a webhook, once and at once, and return how it went.

    Raises: WebhookNotFound, FeatureNotIncluded, TooManyTests.
    """
    async with room.database.transaction() as tx:
        parcel = await operations.begin_test(tx, room.sealer, caller, webhook_id, now)
    await _send(room, parcel, now)
    async with room.database.transaction() as tx:
        webhook = await operations.get_webhook(tx, caller, webhook_id)
        return await deliveries.get_own_delivery(tx, webhook, parcel.delivery.public_id)


async def _send(room: PostRoom, parcel: Parcel, now: datetime) -> Outcome:
    delivery = parcel.delivery
    headers = signed_headers(delivery.public_id, delivery.event_type, delivery.body, parcel.secrets, now)
    outcome = await room.sender.send(parcel.url, headers, delivery.body)
    async with room.database.transaction() as tx:
        ended = now + timedelta(milliseconds=outcome.response_time_ms)
        await deliveries.record(tx, parcel, outcome, room.base_url, ended)
    return outcome
