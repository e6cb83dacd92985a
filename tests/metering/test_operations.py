"""Units are counted, given back, logged and added up."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest
from tests.parties import Party, make_party

from tollway.customers.entities import Mode
from tollway.kit.db import Database
from tollway.metering import operations as metering
from tollway.metering.entities import DailyLimitReached, Quota, QuotaUsedUp, UsageEvent


@pytest.fixture
async def party(database: Database, now: datetime) -> Party:
    return await make_party(database, now)


async def quota_of(database: Database, party: Party, now: datetime, included: int | None) -> Quota:
    start = now.replace(day=1, hour=0)
    async with database.transaction() as tx:
        return await metering.get_quota(
            tx, party.subscription.id, Mode.TEST, (start, start + timedelta(days=30)), included, 0, now  # type: ignore[arg-type]
        )  # fmt: skip


def event(party: Party, now: datetime, **changes: Any) -> UsageEvent:
    values: dict[str, Any] = {
        "customer_id": party.customer_id, "api_key_id": party.api_key.id, "product": "montecarlo",
        "mode": Mode.TEST, "endpoint": "/things", "method": "POST", "status_code": 200, "response_time_ms": 5,
        "credits_consumed": 0, "units": 1, "request_timestamp": now, "ip_address": "203.0.113.9",
        "user_agent": "test", "request_id": "req_1",
    }  # fmt: skip
    return UsageEvent(**values | changes)


async def used(database: Database) -> int:
    async with database.transaction() as tx:
        return int(await tx.find_value("SELECT requests_used FROM usage_quotas"))


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
    async with database.transaction() as tx:
        for _ in range(3):
            await metering.use_units(tx, quota, 1, stop=True, now=now)
    async with database.transaction() as tx:
        quota = await metering.get_quota(
            tx, quota.subscription_id, quota.mode, (quota.period_start, quota.period_end), 3, 0, now  # type: ignore[arg-type]
        )  # fmt: skip
        with pytest.raises(QuotaUsedUp) as refused:
            await metering.use_units(tx, quota, 1, stop=True, now=now)
    assert refused.value.status == 429
    assert refused.value.retry_after_seconds == int((quota.period_end - now).total_seconds())
    assert refused.value.members == {
        "limit": "requests_per_period",
        "limit_value": 3,
        "used": 3,
        "resets_at": quota.period_end.isoformat(),
    }
    assert await used(database) == 3


async def test_several_units_fit_whole_or_not_at_all(database: Database, party: Party, now: datetime) -> None:
    quota = await quota_of(database, party, now, 10)
    async with database.transaction() as tx:
        await metering.use_units(tx, quota, 7, stop=True, now=now)
        with pytest.raises(QuotaUsedUp):
            await metering.use_units(tx, quota, 4, stop=True, now=now)
        await metering.use_units(tx, quota, 3, stop=True, now=now)
    assert await used(database) == 10


@pytest.mark.promise("X6")
@pytest.mark.parametrize(("included", "stop"), [(1, False), (None, True), (None, False)])
async def test_without_a_stop_units_go_on_and_are_counted(
    database: Database, party: Party, now: datetime, included: int | None, stop: bool
) -> None:
    quota = await quota_of(database, party, now, included)
    async with database.transaction() as tx:
        for _ in range(5):
            await metering.use_units(tx, quota, 1, stop=stop, now=now)
    assert await used(database) == 5


async def test_what_is_given_back_is_a_row_of_its_own(
    database: Database, party: Party, now: datetime
) -> None:
    quota = await quota_of(database, party, now, 10)
    async with database.transaction() as tx:
        await metering.use_units(tx, quota, 1, stop=True, now=now)
        await metering.record_usage(tx, event(party, now))
        await metering.give_back(tx, quota.id, event(party, now, units=-1))
        assert await tx.list_rows("SELECT units FROM api_usage_logs ORDER BY id") == [
            {"units": 1},
            {"units": -1},
        ]
    assert await used(database) == 0


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
    midnight = now.replace(hour=0)

    async def check(instant: datetime, mode: Mode = Mode.TEST) -> None:
        async with database.transaction() as tx:
            await metering.assert_daily_limit(tx, party.customer_id, "montecarlo", mode, 3, instant)

    async with database.transaction() as tx:
        await metering.record_usage(tx, event(party, midnight - timedelta(microseconds=1)))
        await metering.record_usage(tx, event(party, midnight))
        await metering.record_usage(tx, event(party, now))
        await metering.record_usage(tx, event(party, now, units=0))
        await metering.record_usage(tx, event(party, now, mode=Mode.LIVE))
    await check(now)
    async with database.transaction() as tx:
        await metering.record_usage(tx, event(party, now))
    with pytest.raises(DailyLimitReached) as refused:
        await check(now)
    assert refused.value.retry_after_seconds == 12 * 3600
    assert refused.value.members["limit"] == "requests_per_day"
    assert refused.value.members["used"] == 3
    assert refused.value.members["resets_at"] == "2026-06-16T00:00:00+00:00"
    await check(now, Mode.LIVE)
    await check(midnight + timedelta(days=1))


@pytest.mark.promise("A34")
async def test_a_first_step_keeps_its_first_time(database: Database, party: Party, now: datetime) -> None:
    async with database.transaction() as tx:
        for minutes in (0, 5, 10):
            await metering.track_event(
                tx,
                "first_call",
                party.customer_id,
                now + timedelta(minutes=minutes),
                referrer=f"from {minutes}",
                campaign="spring",
                properties={"n": minutes},
            )
        rows = await tx.list_rows(
            "SELECT occurred_at, referrer, campaign, properties FROM analytics_events WHERE name = 'first_call'"
        )
        assert rows == [
            {"occurred_at": now, "referrer": "from 0", "campaign": "spring", "properties": {"n": 0}}
        ]
        assert await metering.has_event(tx, party.customer_id, "first_call")
        assert not await metering.has_event(tx, party.customer_id, "first_result")


async def test_steps_that_recur_are_all_kept(database: Database, now: datetime) -> None:
    async with database.transaction() as tx:
        await metering.track_event(tx, "page_visited", None, now)
        await metering.track_event(tx, "page_visited", None, now)
        assert await tx.find_value("SELECT count(*) FROM analytics_events") == 2


async def test_the_newest_calls_come_first_with_the_key_they_came_with(
    database: Database, party: Party, now: datetime
) -> None:
    other = await make_party(database, now)
    async with database.transaction() as tx:
        for minute in range(5):
            await metering.record_usage(
                tx, event(party, now + timedelta(minutes=minute), endpoint=f"/{minute}", problem_code="x")
            )
        await metering.record_usage(tx, event(party, now, mode=Mode.LIVE))
        await metering.record_usage(tx, event(other, now + timedelta(hours=1)))
        found = await metering.list_recent_calls(tx, party.customer_id, Mode.TEST, 3)
    assert [call.endpoint for call in found] == ["/4", "/3", "/2"]
    assert found[0].key_id == party.api_key.key_id
    assert found[0].problem_code == "x"


async def test_days_without_calls_are_there_with_zeros(
    database: Database, party: Party, now: datetime
) -> None:
    yesterday = now - timedelta(days=1)
    async with database.transaction() as tx:
        for status in (200, 201, 404, 429, 402, 500):
            await metering.record_usage(tx, event(party, yesterday, status_code=status))
        await metering.record_usage(tx, event(party, now - timedelta(days=3)))
        await metering.record_usage(tx, event(party, now, mode=Mode.LIVE))
        found = await metering.list_day_totals(tx, party.customer_id, Mode.TEST, 3, now)
    assert [(one.day.isoformat(), one.succeeded, one.limited, one.failed) for one in found] == [
        ("2026-06-13", 0, 0, 0),
        ("2026-06-14", 2, 2, 2),
        ("2026-06-15", 0, 0, 0),
    ]


@pytest.mark.promise("B12")
async def test_the_log_line_is_whole(database: Database, party: Party, now: datetime) -> None:
    async with database.transaction() as tx:
        await metering.record_usage(tx, event(party, now, credits_consumed=3, problem_code="quota-used-up"))
        (row,) = await tx.list_rows("SELECT * FROM api_usage_logs")
    row.pop("id")
    assert row == {
        "api_key_id": party.api_key.id, "endpoint": "/things", "method": "POST", "status_code": 200,
        "response_time_ms": 5, "credits_consumed": 3, "request_timestamp": now,
        "ip_address": row["ip_address"], "user_agent": "test", "customer_id": party.customer_id,
        "product": "montecarlo", "mode": "test", "units": 1, "request_id": "req_1",
        "problem_code": "quota-used-up",
    }  # fmt: skip
    assert str(row["ip_address"]) == "203.0.113.9"
