"""Calls are logged and added up, and first steps remembered."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.parties import Party, make_party

from tollway.customers.entities import Mode
from tollway.kit.db import Database
from tollway.metering import operations as metering
from tollway.metering.entities import UsageEvent


@pytest.fixture
async def party(database: Database, now: datetime) -> Party:
    return await make_party(database, now)


def event(party: Party, now: datetime, **changes: Any) -> UsageEvent:
    values: dict[str, Any] = {
        "customer_id": party.customer_id, "api_key_id": party.api_key.id, "product": "montecarlo",
        "mode": Mode.TEST, "endpoint": "/things", "method": "POST", "status_code": 200, "response_time_ms": 5,
        "credits_consumed": 0, "units": 1, "request_timestamp": now, "ip_address": "203.0.113.9",
        "user_agent": "test", "request_id": "req_1",
    }  # fmt: skip
    return UsageEvent(**values | changes)


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
        "problem_code": "quota-used-up", "path": None, "limit_name": None, "limit_value": None,
    }  # fmt: skip
    assert str(row["ip_address"]) == "203.0.113.9"
