"""A shipper carries what journals hold to the usage log and its sums: each record once, whatever dies."""

import asyncio
import dataclasses
import fcntl
import os
import random
import signal
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.admission.journals import Written, begin_source, logged, make_customers, segments_of, source_row
from tests.parties import Party, make_party

from tollway.admission import records
from tollway.admission.journal import Journal
from tollway.admission.segment_files import LOCK_NAME
from tollway.admission.shipper import Shipper
from tollway.kit.db import Database
from tollway.metering import operations as metering
from tollway.metering import usage_operations

ROOT = Path(__file__).parents[2]
# Ships in small parts until it is killed.
SHIPPER = """
import asyncio, sys
from pathlib import Path
from tollway.admission.shipper import Shipper
from tollway.kit.db import Database

async def ship():
    database = Database(sys.argv[1], connections_max=2)
    await database.open()
    shipper = Shipper(database, Path(sys.argv[2]), records_per_part=int(sys.argv[3]))
    print("open", flush=True)
    await shipper.run(asyncio.Event())

asyncio.run(ship())
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "journal"


async def opened(database: Database, folder: Path, now: datetime, **options: int) -> Journal:
    return Journal.open(folder, await begin_source(database, f"test {time.monotonic_ns()}", now), **options)


async def one_value(database: Database, query: Any, **parameters: Any) -> Any:
    async with database.transaction() as tx:
        return await tx.find_value(query, parameters)


async def sums(database: Database, table: Any) -> dict[str, int]:
    async with database.transaction() as tx:
        (row,) = await tx.list_rows(
            f"""
            SELECT count(*)::int AS rows, sum(succeeded)::int AS succeeded, sum(limited)::int AS limited,
                sum(refused)::int AS refused, sum(failed)::int AS failed, sum(units)::int AS units,
                sum(credits)::int AS credits, sum(response_ms)::int AS response_ms
            FROM {table}
            """
        )
    return row


@pytest.mark.promise("B12")
async def test_what_is_appended_stands_in_the_log(database: Database, folder: Path, now: datetime) -> None:
    await make_customers(database, 1)
    journal = await opened(database, folder, now)
    calls = [
        Written(),
        Written(path="/things/4711", request_id="a" * 64, mode="live", ip_address="2001:db8::7"),
        Written(
            status_code=429, problem_code="quota-used-up", limit_name="requests_per_period", limit_value=100
        ),
        Written(api_key_id=None, ip_address=None, request_id="", user_agent="", method="PATCH"),
    ]
    for call in calls:
        call.append_to(journal)
    shipper = Shipper(database, folder)
    assert await shipper.ship_once() == 4
    assert await logged(database) == [call.row() for call in calls]
    assert await shipper.ship_once() == 0
    journal.close()
    shipper.close()


# Its kernel kills it where it reserves the first segment of its journal.
KILLED_IN_OPEN = """
import resource, signal, sys
from pathlib import Path
from tollway.admission.journal import Journal

signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
Journal.open(Path(sys.argv[1]), int(sys.argv[2]))
"""


async def test_what_a_process_left_that_was_killed_while_it_began_is_cleared_away(
    database: Database, folder: Path, now: datetime
) -> None:
    killed, living = [await begin_source(database, name, now) for name in ("killed", "living")]
    command = [sys.executable, "-c", KILLED_IN_OPEN, str(folder), str(killed)]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == -signal.SIGXFSZ
    assert [path.name for path in folder.iterdir()] == [f".{killed}"]
    (folder / f".{living}").mkdir()
    with (folder / f".{living}" / LOCK_NAME).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        shipper = Shipper(database, folder)
        assert await shipper.ship_once() == 0
        assert [path.name for path in folder.iterdir()] == [f".{living}"]
    assert (await source_row(database, killed))["ended_at"] is not None
    assert (await source_row(database, living))["ended_at"] is None
    shipper.close()


START = datetime(2000, 1, 2, tzinfo=UTC)
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=120)
# Not those that PostgreSQL and Python write differently.
ADDRESSES = st.ip_addresses().filter(lambda one: one.version == 4 or int(one) >> 64)
CALLS = st.builds(
    Written,
    customer_id=st.integers(1, 5),
    api_key_id=st.none() | st.integers(1, 2**62),
    units=st.integers(-(2**31), 2**31 - 1),
    credits_consumed=st.integers(-(2**31), 2**31 - 1),
    status_code=st.integers(100, 599),
    response_us=st.integers(0, 2**32 - 1),
    endpoint=TEXT,
    method=st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]),
    product=TEXT,
    mode=st.sampled_from(["test", "live"]),
    user_agent=TEXT,
    ip_address=st.none() | ADDRESSES.map(str),
    request_id=st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=64),
    path=st.none() | st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=255),
    request_timestamp=st.integers(0, 3_000_000_000_000_000).map(
        lambda us: START + timedelta(microseconds=us)
    ),
)
LIMITED = st.builds(
    lambda call, name, value, problem: dataclasses.replace(
        call, limit_name=name, limit_value=value, problem_code=problem
    ),
    CALLS,
    TEXT.filter(bool),
    st.integers(-(2**63), 2**63 - 1),
    st.none() | TEXT.filter(bool),
)


@given(calls=st.lists(CALLS | LIMITED, min_size=1, max_size=40), part=st.integers(20, 200))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_every_field_comes_through(
    database: Database, tmp_path: Path, calls: list[Written], part: int
) -> None:
    async with database.transaction() as tx:
        await tx.execute("TRUNCATE api_usage_logs, usage_hours, usage_days, usage_totals")
    await make_customers(database, 5)
    folder = tmp_path / str(time.monotonic_ns())
    journal = await opened(database, folder, datetime(2026, 6, 15, tzinfo=UTC), segment_records=1000)
    for call in calls:
        call.append_to(journal)
    shipper = Shipper(database, folder, records_per_part=part)
    assert await shipper.ship_once() == len(calls)
    found = await logged(database)

    def place(row: dict[str, Any]) -> str:
        return repr(sorted(row.items(), key=lambda item: item[0]))

    assert sorted(found, key=place) == sorted((call.row() for call in calls), key=place)
    real = [call for call in calls if call.units >= 0]
    for table in ("usage_hours", "usage_days"):
        async with database.transaction() as tx:
            (row,) = await tx.list_rows(
                f"""
                SELECT sum(succeeded + limited + refused + failed)::int AS calls, sum(units)::bigint AS units,
                    sum(credits)::bigint AS credits, sum(response_ms)::bigint AS response_ms,
                    sum((SELECT sum(one) FROM unnest(latencies) AS one))::int AS spread
                FROM {table}
                """
            )
        assert row == {
            "calls": len(real),
            "units": sum(call.units for call in calls),
            "credits": sum(call.credits_consumed for call in calls),
            "response_ms": sum(call.row()["response_time_ms"] for call in real),
            "spread": len(real),
        }
    journal.close()
    shipper.close()


async def test_sums_are_by_hour_day_and_since_the_beginning(
    database: Database, folder: Path, now: datetime
) -> None:
    journal = await opened(database, folder, now)
    statuses = (200, 201, 302, 402, 429, 404, 401, 500, 503)
    for status in statuses:
        Written(status_code=status, response_us=30_000, units=1 if status < 400 else 0).append_to(journal)
    Written(request_timestamp=now + timedelta(hours=1), response_us=40_000_000).append_to(journal)
    Written(request_timestamp=now + timedelta(days=1), response_us=5_499).append_to(journal)
    # Given back: no call, only its units.
    Written(units=-1, credits_consumed=-2).append_to(journal)
    shipper = Shipper(database, folder)
    await shipper.ship_once()
    counted = {"succeeded": 5, "limited": 2, "refused": 2, "failed": 2, "units": 2, "credits": -2,
               "response_ms": 9 * 30 + 40_000 + 5}  # fmt: skip
    assert await sums(database, "usage_hours") == {"rows": 3} | counted
    assert await sums(database, "usage_days") == {"rows": 2} | counted
    async with database.transaction() as tx:
        hours = await tx.list_rows("SELECT * FROM usage_hours ORDER BY hour")
        totals = await tx.list_rows("SELECT * FROM usage_totals ORDER BY status_code")
        days = await tx.list_rows("SELECT day, latencies FROM usage_days ORDER BY day")
    assert [row["hour"] for row in hours] == [now, now + timedelta(hours=1), now + timedelta(days=1)]
    assert hours[0]["latencies"] == [0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    assert hours[1]["latencies"] == [0] * 12 + [1]
    assert hours[2]["latencies"] == [1] + [0] * 12
    assert days == [
        {"day": date(2026, 6, 15), "latencies": [0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 1]},
        {"day": date(2026, 6, 16), "latencies": [1] + [0] * 12},
    ]
    assert {row["status_code"]: row["calls"] for row in totals} == dict.fromkeys(statuses, 1) | {200: 3}
    # What comes later is added to what there is.
    Written(status_code=200, response_us=30_000).append_to(journal)
    await shipper.ship_once()
    assert (await sums(database, "usage_hours"))["succeeded"] == 6
    assert (await sums(database, "usage_hours"))["rows"] == 3
    journal.close()
    shipper.close()


# Keys, leases and the funnel ------------------------------------------------------------------------


async def party_and_lease(database: Database, now: datetime, units: int) -> tuple[Party, int, int, int]:
    """Return a customer, a source, the quota, and a lease of so many units."""
    party = await make_party(database, now)
    source_id = await begin_source(database, "leases", now)
    async with database.transaction() as tx:
        quota_id = await tx.find_value(
            """
            INSERT INTO usage_quotas (subscription_id, mode, period_start, period_end, requests_included, requests_max,
                overage_rate, terms_at, created_at)
            VALUES (%(id)s, 'test', %(now)s, %(now)s, 100, 100, 0, %(now)s, %(now)s) RETURNING id
            """,
            {"id": party.subscription.id, "now": now},
        )
        lease = await metering.lease_units(
            tx, source_id, quota_id, units, needed=units, day=now.date(), day_max=None, now=now
        )
    assert lease is not None
    return party, source_id, quota_id, lease.id


async def ledger(database: Database) -> tuple[int, int, int, int]:
    """Return what is used and leased, of the month and of the day."""
    async with database.transaction() as tx:
        (row,) = await tx.list_rows(
            """
            SELECT q.requests_used AS a, q.requests_leased AS b, d.requests_used AS c, d.requests_leased AS d
            FROM usage_quotas q JOIN usage_quota_days d USING (subscription_id, mode)
            """
        )
    return row["a"], row["b"], row["c"], row["d"]


async def test_leased_units_become_used_ones_and_the_rest_comes_back(
    database: Database, folder: Path, now: datetime
) -> None:
    party, source_id, _quota_id, lease_id = await party_and_lease(database, now, 10)
    journal = Journal.open(folder, source_id)
    call = Written(customer_id=party.customer_id, api_key_id=party.api_key.id, lease_id=lease_id, units=2)
    for _ in range(3):
        call.append_to(journal)
    shipper = Shipper(database, folder)
    await shipper.ship_once()
    assert await ledger(database) == (6, 4, 6, 4)
    call.append_to(journal)
    journal.append_lease_end(lease_id)
    await shipper.ship_once()
    assert await ledger(database) == (8, 0, 8, 0)
    journal.close()
    shipper.close()


async def test_a_process_is_given_a_lease_while_its_journal_is_taken_over(
    database: Database, now: datetime
) -> None:
    """Whoever leases holds the quota, which the shipper waits for: if it waited for the source, both would for ever."""
    _party, source_id, quota_id, _lease_id = await party_and_lease(database, now, 10)
    async with database.transaction() as shipping:
        assert await usage_operations.lock_source(shipping, source_id)
        async with database.transaction() as leasing:
            await leasing.execute("SET LOCAL lock_timeout = '2s'")
            assert await metering.lease_units(
                leasing, source_id, quota_id, 5, day=now.date(), day_max=None, now=now
            )


async def test_a_dead_process_is_carried_to_its_end_and_its_leases_come_back(
    database: Database, folder: Path, now: datetime
) -> None:
    party, source_id, _quota_id, lease_id = await party_and_lease(database, now, 10)
    journal = Journal.open(folder, source_id)
    Written(customer_id=party.customer_id, lease_id=lease_id, units=3).append_to(journal)
    shipper = Shipper(database, folder, clock=lambda: now)
    await shipper.ship_once()
    assert await ledger(database) == (3, 7, 3, 7)
    Written(customer_id=party.customer_id, lease_id=lease_id, units=1).append_to(journal)
    journal.close()
    assert await shipper.ship_once() == 1
    assert await ledger(database) == (4, 0, 4, 0)
    assert list(folder.iterdir()) == []
    row = await source_row(database, source_id)
    assert row["ended_at"] == now
    assert row["records_shipped"] == 2
    assert await one_value(database, "SELECT count(*) FROM usage_leases") == 0
    shipper.close()


async def test_a_key_is_used_unless_it_was_refused_and_a_first_call_is_remembered(
    database: Database, folder: Path, now: datetime
) -> None:
    party = await make_party(database, now)
    journal = await opened(database, folder, now)
    shipper = Shipper(database, folder)
    query = "SELECT last_used_at FROM api_keys WHERE id = %(id)s"
    call = Written(customer_id=party.customer_id, api_key_id=party.api_key.id)

    async def after(**changes: Any) -> tuple[Any, bool]:
        dataclasses.replace(call, **changes).append_to(journal)
        await shipper.ship_once()
        async with database.transaction() as tx:
            return (
                await tx.find_value(query, {"id": party.api_key.id}),
                await metering.has_event(tx, party.customer_id, "first_call"),
            )

    assert await after(status_code=401) == (None, False)
    assert await after(status_code=404) == (now, False)
    assert await after(request_timestamp=now - timedelta(hours=1)) == (now, True)
    assert await after(request_timestamp=now + timedelta(seconds=59)) == (now, True)
    later = now + timedelta(seconds=61)
    assert await after(request_timestamp=later) == (later, True)
    assert await one_value(
        database, "SELECT occurred_at FROM analytics_events WHERE name = 'first_call'"
    ) == now - timedelta(hours=1)
    journal.close()
    shipper.close()


# Exactly once ---------------------------------------------------------------------------------------


async def test_a_restart_goes_on_where_the_last_one_stood(
    database: Database, folder: Path, now: datetime
) -> None:
    await make_customers(database, 1)
    journal = await opened(database, folder, now, segment_records=64)
    written = [
        Written(request_id=f"req_{number}", user_agent=f"browser {number % 3}", path=f"/things/{number}")
        for number in range(300)
    ]
    for place, call in enumerate(written):
        call.append_to(journal)
        if place % 37 == 0:
            shipper = Shipper(database, folder, records_per_part=50)
            await shipper.ship_once()
            shipper.close()
    shipper = Shipper(database, folder)
    await shipper.ship_once()
    assert await logged(database) == [call.row() for call in written]
    # Only what may still be written to is kept.
    assert len(segments_of(next(folder.iterdir()))) == 1
    journal.close()
    shipper.close()


async def test_two_shippers_at_once_ship_each_record_once(
    database: Database, folder: Path, now: datetime
) -> None:
    journals = [await opened(database, folder, now, segment_records=500) for _ in range(2)]
    for number in range(2000):
        for place, journal in enumerate(journals):
            Written(request_id=f"req_{place}_{number}").append_to(journal)
    shippers = [Shipper(database, folder, records_per_part=90) for _ in range(3)]
    shipped = await asyncio.gather(*(one.ship_once() for one in shippers))
    assert sum(shipped) == 4000
    assert await one_value(database, "SELECT count(DISTINCT request_id) FROM api_usage_logs") == 4000
    assert await one_value(database, "SELECT count(*) FROM api_usage_logs") == 4000
    for journal in journals:
        journal.close()
    await asyncio.gather(*(one.ship_once() for one in shippers))
    assert await one_value(database, "SELECT count(*) FROM usage_sources WHERE ended_at IS NULL") == 0
    assert list(folder.iterdir()) == []
    for one in shippers:
        one.close()


async def test_a_killed_shipper_neither_loses_nor_doubles(
    database: Database, database_url: str, folder: Path, now: datetime
) -> None:
    journal = await opened(database, folder, now, segment_records=2000)
    count = 20_000
    for number in range(count):
        Written(request_id=f"req_{number}", units=1, path="/things/1" if number % 4 == 0 else None).append_to(
            journal
        )
    chance = random.Random(5)
    kills = 0
    for _ in range(4):
        if await one_value(database, "SELECT count(*) FROM api_usage_logs") == count:
            break
        await killed_shipper(database, database_url, folder, chance.randrange(1, 3000))
        kills += 1
    assert kills >= 2
    shipper = Shipper(database, folder)
    await shipper.ship_once()
    assert await one_value(database, "SELECT count(*) FROM api_usage_logs") == count
    assert await one_value(database, "SELECT count(DISTINCT request_id) FROM api_usage_logs") == count
    assert await one_value(database, "SELECT sum(units)::int FROM usage_days") == count
    assert await one_value(database, "SELECT sum(calls)::int FROM usage_totals") == count
    journal.close()
    shipper.close()


async def killed_shipper(database: Database, url: str, folder: Path, rows: int) -> None:
    """Run a shipper process, and kill it in the middle of its work once so many more rows are there."""
    query = "SELECT count(*) FROM api_usage_logs"
    before = await one_value(database, query)
    process = subprocess.Popen(
        [sys.executable, "-c", SHIPPER, url, str(folder), "300"], cwd=ROOT, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    await asyncio.to_thread(process.stdout.readline)
    deadline = time.monotonic() + 30
    while await one_value(database, query) < before + rows and time.monotonic() < deadline:
        if segments_of(next(folder.iterdir())) and await one_value(database, query) == 20_000:
            break
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()


async def test_damage_is_counted_and_costs_its_own_records_only(
    database: Database, folder: Path, now: datetime
) -> None:
    source_id = await begin_source(database, "damage", now)
    journal = Journal.open(folder, source_id, segment_records=64)
    for number in range(200):
        Written(request_id=f"req_{number}").append_to(journal)
    journal.close()
    second = segments_of(folder / str(source_id))[1]
    content = bytearray(second.read_bytes())
    content[128 * 30 + 5 : 128 * 32 + 5] = bytes(256)
    second.write_bytes(content)
    shipper = Shipper(database, folder)
    assert await shipper.ship_once() == 197
    row = await source_row(database, source_id)
    assert (row["records_shipped"], row["records_damaged"]) == (197, 3)
    assert row["ended_at"] is not None
    shipper.close()


async def test_calls_whose_texts_were_damaged_are_counted_all_the_same(
    database: Database, folder: Path, now: datetime
) -> None:
    source_id = await begin_source(database, "texts", now)
    journal = Journal.open(folder, source_id)
    for number in range(9):
        Written(endpoint=f"/{number % 3}", units=1).append_to(journal)
    journal.close()
    (segment,) = segments_of(folder / str(source_id))
    content = bytearray(segment.read_bytes())
    for start in range(0, len(content), 128):
        if content[start] == records.Kind.STRING and content[start + 12 : start + 14] in (b"/1", b"/2"):
            content[start + 20] ^= 1
    segment.write_bytes(content)
    shipper = Shipper(database, folder)
    assert await shipper.ship_once() == 9
    async with database.transaction() as tx:
        found = await tx.list_rows("SELECT endpoint, succeeded, units FROM usage_days ORDER BY endpoint")
    assert [tuple(row.values()) for row in found] == [("(unknown)", 6, 6), ("/0", 3, 3)]
    assert (await source_row(database, source_id))["records_damaged"] == 2
    shipper.close()


async def test_a_call_that_the_database_refuses_holds_up_no_other(
    database: Database, folder: Path, now: datetime
) -> None:
    source_id = await begin_source(database, "unfit", now)
    journal = Journal.open(folder, source_id)
    for number in range(51):
        # No text of PostgreSQL holds a NUL.
        Written(request_id=f"req_{number}" if number != 20 else "req\0", units=1).append_to(journal)
    shipper = Shipper(database, folder)
    assert await shipper.ship_once() == 50
    row = await source_row(database, source_id)
    assert (row["records_shipped"], row["records_damaged"]) == (50, 1)
    assert (await sums(database, "usage_days"))["units"] == 50
    journal.close()
    shipper.close()


async def test_a_journal_of_another_database_stays_where_it_is(database: Database, folder: Path) -> None:
    journal = Journal.open(folder, 4711)
    Written().append_to(journal)
    journal.close()
    shipper = Shipper(database, folder)
    assert await shipper.ship_once() == 0
    assert len(segments_of(folder / "4711")) == 1


async def test_a_lost_segment_is_passed_over(database: Database, folder: Path, now: datetime) -> None:
    source_id = await begin_source(database, "lost", now)
    journal = Journal.open(folder, source_id, segment_records=64)
    for number in range(300):
        Written(request_id=f"req_{number}").append_to(journal)
    journal.close()
    segments = segments_of(folder / str(source_id))
    segments[1].unlink()
    shipper = Shipper(database, folder)
    assert 200 < await shipper.ship_once() < 300
    assert (await source_row(database, source_id))["ended_at"] is not None
    shipper.close()


async def test_a_running_shipper_shows_a_call_within_a_moment(
    database: Database, folder: Path, now: datetime
) -> None:
    journal = await opened(database, folder, now)
    shipper = Shipper(database, folder)
    stop = asyncio.Event()
    running = asyncio.create_task(shipper.run(stop))
    for number in range(1, 6):
        Written().append_to(journal)
        appended = time.monotonic()
        while await one_value(database, "SELECT count(*) FROM api_usage_logs") < number:
            assert time.monotonic() - appended < 5
    Written().append_to(journal)
    stop.set()
    await running
    # What came last is carried before it ends.
    assert await one_value(database, "SELECT count(*) FROM api_usage_logs") == 6
    journal.close()
