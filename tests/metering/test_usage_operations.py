"""The usage log by month, its sums, and what is kept of them how long."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from tests.conftest import Postgres
from tests.parties import make_party

from tollway.customers.entities import Mode
from tollway.kit.db import Database
from tollway.kit.migrations import FOLDER
from tollway.metering import operations as metering
from tollway.metering import retention_operations
from tollway.metering.entities import UsageEvent
from tollway.metering.jobs import keep_usage_months


def event(at: datetime, **changes: Any) -> UsageEvent:
    values: dict[str, Any] = {
        "customer_id": 1, "api_key_id": 2, "product": "montecarlo", "mode": Mode.LIVE, "endpoint": "/things",
        "method": "POST", "status_code": 200, "response_time_ms": 5, "credits_consumed": 3, "units": 1,
        "request_timestamp": at, "ip_address": "203.0.113.9", "user_agent": "test", "request_id": "req_1",
    }  # fmt: skip
    return UsageEvent(**values | changes)


async def record(database: Database, *events: UsageEvent) -> None:
    async with database.transaction() as tx:
        for one in events:
            await metering.record_usage(tx, one)


async def months(database: Database) -> dict[str, int]:
    """Return how many rows each part of the log holds."""
    async with database.transaction() as tx:
        rows = await tx.list_rows(
            """
            SELECT c.relname AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
            WHERE i.inhparent = 'api_usage_logs'::regclass ORDER BY c.relname
            """
        )
        return {
            row["name"].removeprefix("api_usage_logs_"): await tx.find_value(
                f"SELECT count(*)::int FROM {row['name']}"  # type: ignore[arg-type]
            )
            for row in rows
        }


async def test_each_call_is_added_to_the_sums_and_what_is_given_back_taken_off(
    database: Database, now: datetime
) -> None:
    await record(
        database,
        event(now),
        event(now + timedelta(minutes=59), status_code=429, units=0, problem_code="quota-used-up"),
        event(now + timedelta(hours=1), response_time_ms=30_001),
        event(now + timedelta(hours=1), units=-1, credits_consumed=-3),
        event(now, api_key_id=None, status_code=503, units=0, credits_consumed=0),
    )
    async with database.transaction() as tx:
        hours = await tx.list_rows(
            """
            SELECT hour, api_key_id, succeeded, limited, refused, failed, units, credits, response_ms
            FROM usage_hours ORDER BY api_key_id, hour
            """
        )
        days = await tx.list_rows(
            "SELECT day, succeeded, limited, units, latencies FROM usage_days WHERE api_key_id = 2"
        )
        totals = await tx.list_rows(
            "SELECT status_code, problem_code, calls, response_ms FROM usage_totals ORDER BY status_code"
        )
    assert [tuple(row.values()) for row in hours] == [
        (now, 0, 0, 0, 0, 1, 0, 0, 5),
        (now, 2, 1, 1, 0, 0, 1, 6, 10),
        (now + timedelta(hours=1), 2, 1, 0, 0, 0, 0, 0, 30_001),
    ]
    assert days == [
        {"day": now.date(), "succeeded": 2, "limited": 1, "units": 1, "latencies": [2, *[0] * 11, 1]}
    ]
    assert [tuple(row.values()) for row in totals] == [
        (200, "", 2, 30_006),
        (429, "quota-used-up", 1, 5),
        (503, "", 1, 5),
    ]


@pytest.mark.promise("B63")
async def test_months_are_made_ahead_and_take_over_what_came_before_them(
    database: Database, now: datetime
) -> None:
    first = datetime(2026, 6, 1, tzinfo=UTC)
    await record(database, *(event(first + shift) for shift in (-timedelta(microseconds=1), timedelta(0))))
    await record(database, event(datetime(2026, 9, 30, 23, 59, 59, tzinfo=UTC)))
    await record(database, event(datetime(2027, 9, 1, tzinfo=UTC)))
    assert (await months(database))["rest"] == 4
    async with database.transaction() as tx:
        await retention_operations.make_partitions(tx, now)
    found = await months(database)
    assert {name: count for name, count in found.items() if name == "rest" or name < "2026_11"} == {
        "2026_05": 1, "2026_06": 1, "2026_07": 0, "2026_08": 0, "2026_09": 1, "rest": 1,
    }  # fmt: skip
    async with database.transaction() as tx:
        assert await retention_operations.make_partitions(tx, now) == 0
    # The clock that ran ahead: its month comes in the end.
    async with database.transaction() as tx:
        await retention_operations.make_partitions(tx, datetime(2027, 8, 1, tzinfo=UTC))
    found = await months(database)
    assert (found["2027_09"], found["rest"]) == (1, 0)


@pytest.mark.promise("B63")
async def test_old_months_are_dropped_and_days_stay(database: Database, now: datetime) -> None:
    await record(database, *(event(now - timedelta(days=days)) for days in (0, 399, 431, 500)))
    async with database.transaction() as tx:
        await retention_operations.make_partitions(tx, now)
    await record(database, event(now - timedelta(days=2000)))
    await keep_usage_months(database, now, 400)
    async with database.transaction() as tx:
        kept = await tx.list_rows("SELECT request_timestamp FROM api_usage_logs ORDER BY request_timestamp")
        hours = await tx.find_value("SELECT count(*) FROM usage_hours")
        days = await tx.find_value("SELECT count(*) FROM usage_days")
    assert [row["request_timestamp"] for row in kept] == [now - timedelta(days=399), now]
    assert hours == 2
    assert days == 5
    assert min(await months(database)) == "2025_05"


async def test_writers_and_the_job_that_makes_months_do_not_stop_each_other(
    database: Database, now: datetime
) -> None:
    await record(database, event(now))
    async with database.transaction() as writing:
        await metering.record_usage(writing, event(now + timedelta(days=20)))
        # The rest is being written to, so this month is made another time; nobody waits for long.
        with pytest.raises(psycopg.errors.LockNotAvailable):
            async with database.transaction() as tx:
                await retention_operations.make_partitions(tx, now)
    async with database.transaction() as tx:
        assert await retention_operations.make_partitions(tx, now) == 4
    assert (await months(database))["2026_06"] == 1


async def test_changes_that_everybody_saw_are_forgotten(database: Database, now: datetime) -> None:
    await make_party(database, now)
    async with database.transaction() as tx:
        noted = await tx.find_value("SELECT count(*) FROM admission_changes")
        assert noted > 0
        await tx.execute("UPDATE admission_changes SET changed_at = %(now)s", {"now": now})
        assert await retention_operations.prune_admission_changes(tx, now + timedelta(minutes=59)) == 0
        assert await retention_operations.prune_admission_changes(tx, now + timedelta(minutes=61)) == noted


# The migration --------------------------------------------------------------------------------------


async def test_what_was_logged_before_is_kept_summed_and_told_by_pattern(
    postgres: Postgres, tmp_path: Path
) -> None:
    name = "before_months"
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}"')
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
    url = postgres.url(name)
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.attributes["url"] = url
    command.upgrade(config, "0003")
    model = "/monte-carlo-api/models/mdl_0123456789abcdef"
    download = "/monte-carlo-api/simulations/sim_0123456789abcdef/download/csv"
    with psycopg.connect(url) as connection:
        connection.execute(
            """
            INSERT INTO users (public_id, email, created_at, updated_at)
            VALUES ('usr_1', 'a@example.org', now(), now());
            INSERT INTO api_customers (user_id, company_name, billing_email, public_id, use_case, created_at,
                updated_at)
            SELECT id, 'A', email, 'cus_1', 'B', now(), now() FROM users
            """
        )
        for at, endpoint, status, units, milliseconds in (
            ("2025-12-31 23:59:59.999999+00", model, 200, 0, 5),
            ("2026-01-01 00:00:00+00", model, 200, 0, 6),
            ("2026-01-01 00:30:00+00", download, 429, 0, 30001),
            ("2026-01-01 00:30:00+00", download, 200, -1, 7),
            ("2026-01-01 02:00:00+00", "/monte-carlo-api/models", 500, 1, 30000),
        ):
            connection.execute(
                """
                INSERT INTO api_usage_logs (endpoint, method, status_code, response_time_ms, request_timestamp,
                    customer_id, product, mode, units, request_id)
                SELECT %s, 'GET', %s, %s, %s, id, 'montecarlo', 'live', %s, 'req' FROM api_customers
                """,
                [endpoint, status, milliseconds, at, units],
            )
    command.upgrade(config, "head")
    database = Database(url)
    await database.open()
    found = await months(database)
    assert {name: count for name, count in found.items() if count} == {"2025_12": 1, "2026_01": 4}
    async with database.transaction() as tx:
        rows = await tx.list_rows("SELECT endpoint, path FROM api_usage_logs ORDER BY id")
        days = await tx.list_rows("SELECT * FROM usage_days ORDER BY day, endpoint")
        hours = await tx.find_value("SELECT count(*)::int FROM usage_hours")
        totals = await tx.find_value("SELECT sum(calls)::int FROM usage_totals")
    by_pattern = "/monte-carlo-api/models/{model_id}"
    downloads = "/monte-carlo-api/simulations/{simulation_id}/download/{file_format}"
    assert [tuple(row.values()) for row in rows] == [
        (by_pattern, model), (by_pattern, model), (downloads, download), (downloads, download),
        ("/monte-carlo-api/models", None),
    ]  # fmt: skip
    assert [
        (row["day"], row["endpoint"], row["succeeded"], row["limited"], row["failed"]) for row in days
    ] == [
        (date(2025, 12, 31), by_pattern, 1, 0, 0),
        (date(2026, 1, 1), "/monte-carlo-api/models", 0, 0, 1),
        (date(2026, 1, 1), by_pattern, 1, 0, 0),
        (date(2026, 1, 1), downloads, 0, 1, 0),
    ]
    assert days[3]["units"] == -1
    assert days[3]["latencies"] == [0] * 12 + [1]
    assert days[1]["latencies"] == [0] * 11 + [1, 0]
    assert days[2]["latencies"] == [0, 1] + [0] * 11
    assert hours == 4
    assert totals == 4
    # New ids follow those there were.
    await record(database, event(datetime(2026, 1, 2, tzinfo=UTC)))
    async with database.transaction() as tx:
        assert await tx.find_value("SELECT count(DISTINCT id)::int FROM api_usage_logs") == 6
    await database.close()
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
