"""Units are counted against month and day together, given back, and never pass a bound."""

import asyncio
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from tests.parties import Party, make_party

from tollway.customers.entities import Mode
from tollway.kit.db import Database
from tollway.metering import operations as metering
from tollway.metering.entities import (
    DailyLimitReached,
    Quota,
    QuotaTerms,
    QuotaUsedUp,
    SpendingCapReached,
    UsageEvent,
)


@pytest.fixture
async def party(database: Database, now: datetime) -> Party:
    return await make_party(database, now)


async def quota_of(
    database: Database, party: Party, now: datetime, most: int | None, mode: Mode = Mode.TEST, **more: Any
) -> Quota:
    start = now.replace(day=1, hour=0)
    async with database.transaction() as tx:
        found = await metering.get_quota(
            tx,
            party.subscription.id,
            mode,
            (start, start + timedelta(days=30)),
            QuotaTerms(most, most),
            now,
        )
    return Quota(**{name: getattr(found, name) for name in Quota.__slots__} | more)


async def use(database: Database, quota: Quota, units: int, now: datetime) -> int:
    async with database.transaction() as tx:
        return await metering.use_units(tx, quota, units, now=now)


def event(party: Party, now: datetime, **changes: Any) -> UsageEvent:
    values: dict[str, Any] = {
        "customer_id": party.customer_id, "api_key_id": party.api_key.id, "product": "montecarlo",
        "mode": Mode.TEST, "endpoint": "/things", "method": "POST", "status_code": 200, "response_time_ms": 5,
        "credits_consumed": 0, "units": 1, "request_timestamp": now, "ip_address": "203.0.113.9",
        "user_agent": "test", "request_id": "req_1",
    }  # fmt: skip
    return UsageEvent(**values | changes)


async def figures(database: Database) -> tuple[int, list[tuple[str, int]]]:
    """What the month used, and each day."""
    async with database.transaction() as tx:
        month = int(await tx.find_value("SELECT sum(requests_used) FROM usage_quotas"))
        days = await tx.list_rows("SELECT day, requests_used FROM usage_quota_days ORDER BY day, mode")
    return month, [(row["day"].isoformat(), row["requests_used"]) for row in days]


async def test_a_quota_is_opened_once_however_many_ask_at_once(
    database: Database, party: Party, now: datetime
) -> None:
    found = await asyncio.gather(*(quota_of(database, party, now, 100) for _ in range(15)))
    assert len({quota.id for quota in found}) == 1
    assert found[0].remaining == 100


async def test_units_are_used_up_to_the_bound_and_not_beyond(
    database: Database, party: Party, now: datetime
) -> None:
    quota = await quota_of(database, party, now, 3)
    assert [await use(database, quota, 1, now) for _ in range(3)] == [1, 2, 3]
    with pytest.raises(QuotaUsedUp) as refused:
        await use(database, quota, 1, now)
    assert refused.value.status == 429
    assert refused.value.retry_after_seconds == int((quota.period_end - now).total_seconds())
    assert refused.value.members == {
        "limit": "requests_per_period",
        "limit_value": 3,
        "used": 3,
        "resets_at": quota.period_end.isoformat(),
        "window_seconds": int((quota.period_end - quota.period_start).total_seconds()),
    }
    assert await figures(database) == (3, [("2026-06-15", 3)])


async def test_several_units_fit_whole_or_not_at_all(database: Database, party: Party, now: datetime) -> None:
    quota = await quota_of(database, party, now, 10)
    async with database.transaction() as tx:
        await metering.use_units(tx, quota, 7, now=now)
        with pytest.raises(QuotaUsedUp):
            await metering.use_units(tx, quota, 4, now=now)
        await metering.use_units(tx, quota, 3, now=now)
    assert await figures(database) == (10, [("2026-06-15", 10)])


@pytest.mark.promise("X6")
async def test_without_a_bound_units_go_on_and_are_counted(
    database: Database, party: Party, now: datetime
) -> None:
    quota = await quota_of(database, party, now, None)
    for _ in range(5):
        await use(database, quota, 1, now)
    assert await figures(database) == (5, [("2026-06-15", 5)])


async def test_where_a_spending_cap_is_the_bound_the_refusal_says_so(
    database: Database, party: Party, now: datetime
) -> None:
    quota = await quota_of(database, party, now, 2, spending_cap=Decimal("0.10"))
    await use(database, quota, 2, now)
    with pytest.raises(
        SpendingCapReached, match=r"cap of \$0\.10 above the plan is reached: it stops at 2"
    ) as refused:
        await use(database, quota, 1, now)
    assert refused.value.status == 429
    assert refused.value.members["limit"] == "spending_cap"
    assert refused.value.members["spending_cap"] == "0.10"


async def test_what_is_given_back_is_a_row_of_its_own_and_of_the_day_it_was_counted(
    database: Database, party: Party, now: datetime
) -> None:
    quota = await quota_of(database, party, now, 10)
    tomorrow = now + timedelta(days=1)
    await use(database, quota, 1, now)
    await use(database, quota, 1, tomorrow)
    async with database.transaction() as tx:
        await metering.record_usage(tx, event(party, now))
        await metering.give_back(tx, quota.id, event(party, tomorrow, units=-1), counted_at=now)
        assert await tx.list_rows("SELECT units FROM api_usage_logs ORDER BY id") == [
            {"units": 1},
            {"units": -1},
        ]
    assert await figures(database) == (1, [("2026-06-15", 0), ("2026-06-16", 1)])


async def test_more_cannot_be_given_back_than_was_used(
    database: Database, party: Party, now: datetime
) -> None:
    quota = await quota_of(database, party, now, 10)

    async def give_back() -> None:
        async with database.transaction() as tx:
            await metering.give_back(tx, quota.id, event(party, now, units=-1))

    with pytest.raises(psycopg.errors.CheckViolation):
        await give_back()
    with pytest.raises(AssertionError):
        async with database.transaction() as tx:
            await metering.give_back(tx, quota.id, event(party, now, units=1))


@pytest.mark.promise("B47", "X11")
async def test_the_daily_burst_frees_at_midnight_utc(database: Database, party: Party, now: datetime) -> None:
    quota = await quota_of(database, party, now, 100, requests_per_day_max=3)
    live = await quota_of(database, party, now, 100, Mode.LIVE, requests_per_day_max=3)
    midnight = now.replace(hour=0)
    await use(database, quota, 3, midnight - timedelta(microseconds=1))
    await use(database, quota, 2, midnight)
    with pytest.raises(DailyLimitReached):
        await use(database, quota, 2, now)
    await use(database, quota, 1, now)
    with pytest.raises(DailyLimitReached) as refused:
        await use(database, quota, 1, now)
    assert refused.value.retry_after_seconds == 12 * 3600
    assert refused.value.members["limit"] == "requests_per_day"
    assert refused.value.members["used"] == 3
    assert refused.value.members["resets_at"] == "2026-06-16T00:00:00+00:00"
    await use(database, live, 1, now)
    await use(database, quota, 3, midnight + timedelta(days=1))
    with pytest.raises(DailyLimitReached):
        await use(database, await quota_of(database, party, now, 100, requests_per_day_max=0), 1, now)


async def test_what_a_day_refuses_is_not_counted_in_the_month_either(
    database: Database, party: Party, now: datetime
) -> None:
    quota = await quota_of(database, party, now, 100, requests_per_day_max=2)
    async with database.transaction() as tx:
        with pytest.raises(DailyLimitReached):
            await metering.use_units(tx, quota, 3, now=now)
        await metering.use_units(tx, quota, 2, now=now)
    assert await figures(database) == (2, [("2026-06-15", 2)])
