"""Customers with webhooks, receivers on loopback, and an application that may deliver there."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.firms import firm, make_firm, other
from tests.parties import SEALER, Party, make_party
from tests.webhooks.receivers import Receiver, receiving

from tollway.customers import operations as customers
from tollway.customers.callers import Caller, Via
from tollway.customers.entities import Mode
from tollway.customers.permissions import Role, Scope, UserType
from tollway.kit.db import Database
from tollway.plans.entities import SubscriptionStatus
from tollway.settings import Settings
from tollway.webhooks import flows
from tollway.webhooks import operations as webhooks
from tollway.webhooks.entities import Delivery, Event, Outcome, UrlRules, Webhook, WebhookDraft
from tollway.webhooks.flows import PostRoom
from tollway.webhooks.remote import Sender

__all__ = ["firm", "make_firm", "other"]

LOOPBACK = UrlRules(allows_http=True, allows_private=True)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """As on a developer's machine that receives its own webhooks."""
    return settings.model_copy(update={"webhook_allow_private": True})


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as opened:
        yield opened


@dataclass
class Shop:
    """One customer with a plan that has webhooks, and a worker's hands."""

    database: Database
    party: Party
    caller: Caller
    room: PostRoom
    now: datetime

    async def make(
        self, url: str, *events: Event, mode: Mode = Mode.TEST, **more: Any
    ) -> tuple[Webhook, str]:
        draft = WebhookDraft("Results", url, events or tuple(Event), **more).checked(LOOPBACK)
        async with self.database.transaction() as tx:
            return await webhooks.create(tx, SEALER, self.caller, draft, mode, self.now)

    async def publish(self, event: Event = Event.MODEL_UPLOADED, **more: Any) -> int:
        async with self.database.transaction() as tx:
            return await webhooks.publish(
                tx, self.party.customer_id, Mode.TEST, event, {"model_id": "mdl_1"}, self.now, **more
            )

    async def deliveries(self, webhook: Webhook) -> list[Delivery]:
        """What a webhook was and is told, oldest first."""
        async with self.database.transaction() as tx:
            found = await webhooks.list_deliveries(tx, self.caller, webhook.public_id, 100, 0)
        return found[::-1]

    async def webhook(self, webhook: Webhook) -> Webhook:
        async with self.database.transaction() as tx:
            return await webhooks.get_webhook(tx, self.caller, webhook.public_id)

    async def jobs(self) -> list[tuple[dict[str, Any], timedelta]]:
        """The sendings that were deferred, with how long each waits; they are taken out of the queue."""
        async with self.database.transaction() as tx:
            rows = await tx.list_rows(
                """
                WITH taken AS (DELETE FROM pgqueuer WHERE entrypoint = 'webhooks.send'
                    RETURNING id, payload, execute_after - created AS delay)
                SELECT payload, delay FROM taken ORDER BY id
                """
            )
        return [(json.loads(bytes(row["payload"])), row["delay"]) for row in rows]

    async def work(self, after: timedelta = timedelta(0)) -> list[Outcome | None]:
        """Send what is due so long after now, in the order in which it was deferred."""
        return [
            await flows.deliver(self.room, one["delivery_id"], one["attempt"], self.now + after)
            for one, _ in await self.jobs()
        ]

    async def rows(self, query: str) -> list[dict[str, Any]]:
        async with self.database.transaction() as tx:
            return await tx.list_rows(query)

    async def execute(self, statement: str) -> None:
        async with self.database.transaction() as tx:
            await tx.execute(statement)


@pytest.fixture
async def shop(database: Database, now: datetime) -> Shop:
    return await make_shop(database, now)


async def make_shop(database: Database, now: datetime, tier: str = "professional") -> Shop:
    party = await make_party(database, now, tier=tier, status=SubscriptionStatus.ACTIVE)
    async with database.transaction() as tx:
        customer = await customers.get_customer(tx, party.customer_id)
        user, _ = await customers.mark_verified(tx, customer.user_id, now)
    caller = Caller(
        customer_id=customer.id,
        user_id=user.id,
        user_type=user.user_type,
        verified=True,
        mode=Mode.TEST,
        api_key_id=None,
        address="192.0.2.7",
        customer=customer,
        user=user,
        role=Role.OWNER,
    )
    room = PostRoom(database, SEALER, Sender(LOOPBACK, seconds_max=5.0), "https://tollway.example")
    return Shop(database, party, caller, room, now)


def with_key(shop: Shop, mode: Mode = Mode.TEST) -> Caller:
    """The same customer's key of all scopes, as endpoints read it."""
    return Caller(
        customer_id=shop.party.customer_id,
        user_id=None,
        user_type=UserType.API_CUSTOMER,
        verified=True,
        mode=mode,
        api_key_id=shop.party.api_key.id,
        address="192.0.2.7",
        via=Via.KEY,
        scopes=frozenset(Scope),
        key_id=shop.party.api_key.key_id,
    )
