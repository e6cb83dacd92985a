"""Processes that spend leases, as far as quotas see them: accounts in front, a journal of records behind."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.parties import Party, make_party

from tollway.admission.quota_leases import Account, QuotaLeases
from tollway.customers.callers import Caller
from tollway.customers.entities import Mode
from tollway.customers.permissions import UserType
from tollway.kit.db import Database
from tollway.metering import operations as metering
from tollway.metering.entities import Quota, UsageEvent
from tollway.plans import operations as plans
from tollway.plans.entities import Entitlement, SubscriptionStatus

PRODUCT = "montecarlo"


class Clock:
    """A monotonic clock that stands still until somebody moves it."""

    def __init__(self) -> None:
        self.ns = 1_000_000_000_000

    def __call__(self) -> int:
        return self.ns

    def advance(self, seconds: float) -> None:
        self.ns += int(seconds * 1e9)


async def make_holder(
    database: Database, now: datetime, *, included: int, day_max: int | None = None, cap: str | None = None
) -> Party:
    """Make a customer of a plan that sells requests at 0.05 beyond `included`, up to a spending cap."""
    party = await make_party(database, now, tier="starter", status=SubscriptionStatus.ACTIVE, mode=Mode.LIVE)
    await override(database, party, "requests_included", included, now)
    await override(database, party, "requests_per_day_max", day_max, now)
    if cap is not None:
        await set_cap(database, party, cap, now)
    return party


async def override(database: Database, party: Party, subject: str, amount: int | None, now: datetime) -> None:
    async with database.transaction() as tx:
        await plans.override(
            tx, party.customer_id, PRODUCT, subject, amount,
            ends_at=now + timedelta(days=3_000), reason="a test", created_by="user:usr_1", now=now,
        )  # fmt: skip


async def set_cap(database: Database, party: Party, cap: str | None, now: datetime) -> None:
    async with database.transaction() as tx:
        amount = None if cap is None else Decimal(cap)
        await plans.set_spending_cap(tx, caller_of(party), PRODUCT, amount, now)


def caller_of(party: Party) -> Caller:
    return Caller(
        customer_id=party.customer_id, user_id=None, user_type=UserType.API_CUSTOMER, verified=True,
        mode=Mode.LIVE, api_key_id=party.api_key.id, address="127.0.0.1",
    )  # fmt: skip


async def held(database: Database, party: Party, now: datetime) -> Entitlement:
    async with database.transaction() as tx:
        return await plans.get_entitlement(tx, party.customer_id, PRODUCT, now)


async def quota_of(database: Database, party: Party, now: datetime) -> Quota:
    async with database.transaction() as tx:
        entitlement = await plans.get_entitlement(tx, party.customer_id, PRODUCT, now)
        return await plans.get_quota(tx, entitlement, Mode.LIVE, now)


async def use(database: Database, party: Party, units: int, now: datetime) -> Quota:
    """Make a call that has its effect in the database; raises what refuses it."""
    async with database.transaction() as tx:
        entitlement = await plans.get_entitlement(tx, party.customer_id, PRODUCT, now)
        quota = await plans.get_quota(tx, entitlement, Mode.LIVE, now)
        await metering.use_units(tx, quota, units, now=now)
        return quota


def returned(party: Party, units: int, now: datetime) -> UsageEvent:
    """Describe what is given back of a call with an effect."""
    return UsageEvent(
        customer_id=party.customer_id, api_key_id=None, product=PRODUCT, mode=Mode.LIVE, endpoint="/things",
        method="POST", status_code=500, response_time_ms=0, credits_consumed=0, units=-units,
        request_timestamp=now, ip_address=None, user_agent="", request_id="req_1",
    )  # fmt: skip


@dataclass
class Worker:
    """One process: its leases, and the records of its journal that were not shipped yet."""

    database: Database
    leases: QuotaLeases
    # (lease, units) of a call, or (lease, None) of a lease's end.
    records: list[tuple[int, int | None]] = field(default_factory=list)

    @classmethod
    async def start(cls, database: Database, name: str, now: datetime, **more: Any) -> "Worker":
        async with database.transaction() as tx:
            source_id = await tx.find_value(
                "INSERT INTO usage_sources (name, started_at) VALUES (%(name)s, %(now)s) RETURNING id",
                {"name": name, "now": now},
            )
        records: list[tuple[int, int | None]] = []
        leases = QuotaLeases(database, source_id, lambda lease_id: records.append((lease_id, None)), **more)
        return cls(database, leases, records)

    async def admit(self, account: Account, units: int, now: datetime) -> int:
        """Take units as admission does: from what is held, or after asking for more; 0 where it is refused."""
        lease_id = account.spend(units, now.timestamp())
        if not lease_id:
            await self.leases.renew(account, units, now)
            lease_id = account.spend(units, now.timestamp())
            assert lease_id or account.refusal is not None, "neither units nor a reason"
        return lease_id

    def serve(self, account: Account, lease_id: int, units: int) -> None:
        """Write the record of a call that was answered."""
        self.records.append((lease_id, units))
        account.journaled(lease_id, units)

    async def ship(self, count: int | None = None) -> None:
        """Carry the next records over, in one transaction and in their order."""
        taken = self.records[:count]
        async with self.database.transaction() as tx:
            units_by_lease: dict[int, int] = {}
            for lease_id, units in taken:
                units_by_lease[lease_id] = units_by_lease.get(lease_id, 0) + (units or 0)
            await metering.settle_leases(tx, units_by_lease)
            for lease_id, units in taken:
                if units is None:
                    await metering.end_lease(tx, lease_id)
        del self.records[: len(taken)]

    async def bury(self) -> None:
        """Carry everything over and end what a dead process left."""
        await self.ship()
        async with self.database.transaction() as tx:
            await metering.end_leases_of_source(tx, self.leases.source_id)


async def ledger(
    database: Database, party: Party
) -> tuple[dict[Any, tuple[int, int, int | None]], dict[Any, tuple[int, int]]]:
    """Read used, leased and the bound by period, and used and leased by day."""
    mine = {"id": party.subscription.id}
    async with database.transaction() as tx:
        months = await tx.list_rows(
            """
            SELECT period_start, requests_used, requests_leased, requests_max FROM usage_quotas
            WHERE subscription_id = %(id)s AND mode = 'live'
            """,
            mine,
        )
        days = await tx.list_rows(
            """
            SELECT day, requests_used, requests_leased FROM usage_quota_days
            WHERE subscription_id = %(id)s AND mode = 'live'
            """,
            mine,
        )
    return (
        {
            row["period_start"]: (row["requests_used"], row["requests_leased"], row["requests_max"])
            for row in months
        },
        {row["day"]: (row["requests_used"], row["requests_leased"]) for row in days},
    )
