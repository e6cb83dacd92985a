"""The request log as a file, and as it grows."""

import asyncio
import csv
import io
from contextlib import ExitStack
from datetime import datetime, timedelta

import pytest
from tests.metering.calls import log_call
from tests.parties import Party, make_party

from tollway.customers.entities import Mode
from tollway.kit.csv_text import FORMULA_STARTS
from tollway.kit.db import Database, Transaction
from tollway.metering.report_flows import (
    CSV_COLUMNS,
    TAIL_BACK_MAX,
    TAILS_MAX,
    TAILS_PER_CUSTOMER_MAX,
    CallFeed,
    LiveTailsAtOnce,
    watch_calls,
    write_csv,
)
from tollway.metering.report_operations import CallFilter


@pytest.fixture
async def party(database: Database, now: datetime) -> Party:
    return await make_party(database, now)


async def anybody(_tx: Transaction) -> bool:
    return True


async def lines_of(database: Database, party: Party, **bound: int) -> list[dict[str, str]]:
    pieces = [
        piece async for piece in write_csv(database, party.customer_id, Mode.TEST, CallFilter(), **bound)
    ]
    return list(csv.DictReader(io.StringIO("".join(pieces), newline="")))


async def test_a_file_holds_each_call_once_newest_first(
    database: Database, party: Party, now: datetime
) -> None:
    await log_call(database, party.customer_id, now - timedelta(seconds=1), api_key_id=party.api_key.id)
    await log_call(database, party.customer_id, now, status_code=404, units=0, problem_code="model-not-found")
    newest, oldest = await lines_of(database, party)
    assert tuple(newest) == CSV_COLUMNS
    assert newest["request_timestamp"] == "2026-06-15T12:00:00.000Z"
    assert (newest["status_code"], newest["problem_code"], newest["key_id"]) == (
        "404",
        "model-not-found",
        "page",
    )
    assert (oldest["key_id"], oldest["units"]) == (party.api_key.key_id, "1")


async def test_no_cell_of_a_file_is_a_formula(database: Database, party: Party, now: datetime) -> None:
    for text in ('=cmd|"/c calc"!A1', "+1", "-1+1", "@SUM(A1)", "\tx"):
        await log_call(database, party.customer_id, now, user_agent=text, request_id=text, path=text)
    for line in await lines_of(database, party):
        assert not any(cell.startswith(FORMULA_STARTS) for cell in line.values())


async def test_a_file_that_was_cut_says_so_on_its_last_line(
    database: Database, party: Party, now: datetime
) -> None:
    for number in range(5):
        await log_call(database, party.customer_id, now - timedelta(seconds=number))
    lines = await lines_of(database, party, rows_max=3)
    assert len(lines) == 4
    assert lines[-1]["request_timestamp"].startswith("Cut: this file holds the 3 newest requests")
    assert len(await lines_of(database, party, rows_max=5)) == 5


async def test_a_file_without_calls_has_its_heading(database: Database, party: Party) -> None:
    pieces = [piece async for piece in write_csv(database, party.customer_id, Mode.TEST, CallFilter())]
    assert "".join(pieces) == ",".join(CSV_COLUMNS) + "\r\n"


async def test_a_tail_shows_what_comes_once_and_what_came_late(
    database: Database, party: Party, now: datetime
) -> None:
    feed, stopping = CallFeed(), asyncio.Event()
    await log_call(database, party.customer_id, now - timedelta(minutes=2), request_id="req_before")
    tail = watch_calls(
        feed, database, stopping, party.customer_id, Mode.TEST, CallFilter(), now, now, anybody
    )
    await log_call(database, party.customer_id, now, request_id="req_first")
    assert [one.request_id for one in await anext(tail)] == ["req_first"]
    # The second is older than the first: its record came late.
    await log_call(database, party.customer_id, now + timedelta(seconds=2), request_id="req_third")
    await log_call(database, party.customer_id, now - timedelta(seconds=5), request_id="req_second")
    assert [one.request_id for one in await anext(tail)] == ["req_second", "req_third"]
    await tail.aclose()
    feed.assert_room(party.customer_id)


async def test_a_tail_shows_nothing_that_was_not_asked_for(
    database: Database, party: Party, now: datetime
) -> None:
    other = await make_party(database, now)
    tail = watch_calls(
        CallFeed(),
        database,
        asyncio.Event(),
        party.customer_id,
        Mode.TEST,
        CallFilter(method="GET"),
        now,
        now,
        anybody,
    )
    await log_call(database, other.customer_id, now, method="GET")
    await log_call(database, party.customer_id, now, method="POST")
    await log_call(database, party.customer_id, now, method="GET", mode=Mode.LIVE)
    await log_call(database, party.customer_id, now, method="GET", request_id="req_mine")
    assert [one.request_id for one in await anext(tail)] == ["req_mine"]
    await tail.aclose()


async def test_a_tail_goes_on_from_a_bounded_time_ago(
    database: Database, party: Party, now: datetime
) -> None:
    await log_call(database, party.customer_id, now - TAIL_BACK_MAX * 2, request_id="req_old")
    await log_call(database, party.customer_id, now - TAIL_BACK_MAX / 2, request_id="req_missed")
    since = now - timedelta(days=300)
    tail = watch_calls(
        CallFeed(), database, asyncio.Event(), party.customer_id, Mode.TEST, CallFilter(), since, now, anybody
    )
    assert [one.request_id for one in await anext(tail)] == ["req_missed"]
    await tail.aclose()


async def test_a_tail_ends_when_the_server_stops(database: Database, party: Party, now: datetime) -> None:
    stopping = asyncio.Event()
    feed = CallFeed()
    tail = watch_calls(
        feed, database, stopping, party.customer_id, Mode.TEST, CallFilter(), now, now, anybody
    )
    await log_call(database, party.customer_id, now)
    assert await anext(tail)
    stopping.set()
    async with asyncio.timeout(5):
        assert [calls async for calls in tail] == []


def test_a_customer_has_a_bounded_number_of_tails_and_so_has_the_server() -> None:
    feed = CallFeed()
    with ExitStack() as others, ExitStack() as mine:
        for _ in range(TAILS_PER_CUSTOMER_MAX):
            feed.assert_room(7)
            mine.enter_context(feed.hold(7))
        with pytest.raises(LiveTailsAtOnce, match="the most that one customer may have"):
            feed.assert_room(7)
        feed.assert_room(8)
        mine.close()
        feed.assert_room(7)
        for customer_id in range(1_000, 1_000 + TAILS_MAX):
            others.enter_context(feed.hold(customer_id))
        with pytest.raises(LiveTailsAtOnce, match="as this server takes"):
            feed.assert_room(8)
