"""Customers for tests, made the way sign-up makes them: a user, a customer, a subscription, a key."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from tollway.customers import operations as customers
from tollway.customers.entities import Mode
from tollway.keys import operations as keys
from tollway.keys.entities import ApiKey
from tollway.kit.crypto import Sealer
from tollway.kit.db import Database
from tollway.plans import operations as plans
from tollway.plans.entities import Subscription, SubscriptionStatus

SEALER = Sealer(b"a master key of thirty-two bytes")


@dataclass(frozen=True)
class Party:
    """One customer with all that a call needs."""

    customer_id: int
    subscription: Subscription
    api_key: ApiKey
    secret: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.secret}"}


async def make_party(
    database: Database,
    now: datetime,
    *,
    tier: str = "trial",
    status: SubscriptionStatus = SubscriptionStatus.TRIALING,
    mode: Mode = Mode.TEST,
    trial_days: int = 14,
    sealer: Sealer = SEALER,
) -> Party:
    """Make a customer who holds `tier` and has one key of `mode`."""
    async with database.transaction() as tx:
        await plans.load_catalog(tx, now)
        _, customer = await customers.create_user_and_customer(
            tx, f"{secrets.token_hex(6)}@example.org", "Example Ltd", "Stress Testing", now
        )
        subscription = await plans.subscribe(
            tx,
            customer.id,
            "montecarlo",
            tier,
            status,
            now,
            now + timedelta(days=trial_days) if status is SubscriptionStatus.TRIALING else None,
        )
        issued = await keys.issue_api_key(
            tx,
            sealer,
            customer.id,
            product="montecarlo",
            mode=mode,
            name="Test key",
            tier=tier,
            now=now,
        )
    return Party(customer.id, subscription, issued.api_key, issued.secret)
