"""The request log as a file, and as it grows: each in many short transactions."""

import asyncio
from collections import OrderedDict, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta

from tollway.customers.entities import Mode
from tollway.kit.csv_text import csv_lines
from tollway.kit.db import Database, Transaction
from tollway.kit.problems import TooMany
from tollway.metering import report_operations as reports
from tollway.metering.reports import PAGE, CallFilter, LoggedCall

CSV_ROWS_MAX = 100_000
CSV_BATCH_ROWS = 1_000
CSV_CUT = "Cut: this file holds the {count:,} newest requests. Choose a shorter time to read older ones."
CSV_COLUMNS = (
    "request_timestamp",
    "request_id",
    "mode",
    "product",
    "method",
    "endpoint",
    "path",
    "status_code",
    "response_time_ms",
    "units",
    "credits_consumed",
    "key_id",
    "key_name",
    "ip_address",
    "user_agent",
    "problem_code",
    "limit_name",
    "limit_value",
)
# Every open tail looks into the log once a second, so both are bounded in each process.
TAILS_PER_CUSTOMER_MAX = 5
TAILS_MAX = 200
TAIL_SECONDS_MAX = 300
TAIL_LOOK_SECONDS = 1.0
TAIL_SILENCE_SECONDS_MAX = 15
# A look brings this many at most; what comes faster is in the list.
TAIL_CALLS_MAX = 50
TAIL_SEEN_MAX = 5_000
# How late a call may reach the log and still be shown.
TAIL_LATENESS = timedelta(seconds=30)
# How far back a tail that was interrupted goes on from.
TAIL_BACK_MAX = timedelta(minutes=5)


# Whether whoever watches may still see what comes.
MayGoOn = Callable[[Transaction], Awaitable[bool]]


class LiveTailsAtOnce(TooMany):
    """As many live tails are open as one customer, or this server, may have."""

    code = "live-tails-at-once"
    title = "Too many live tails at once"


async def write_csv(
    database: Database, customer_id: int, mode: Mode, chosen: CallFilter, rows_max: int = CSV_ROWS_MAX
) -> AsyncIterator[str]:
    """Give the chosen calls as CSV, newest first, piece by piece; the last line says so where the file was cut.

    Rows of the log never change, so that pages read one after the other agree with each other. Raises what
    `report_operations.list_calls` raises, before the first piece if it is at once.
    """
    first = True
    cursor, left = None, rows_max
    while True:
        async with database.transaction() as tx:
            page = await reports.list_calls(tx, customer_id, mode, chosen, cursor, min(left, CSV_BATCH_ROWS))
        text = csv_lines(_cells(call) for call in page.items)
        yield csv_lines([CSV_COLUMNS]) + text if first else text
        first, cursor, left = False, page.next_cursor, left - len(page.items)
        if cursor is None:
            return
        if left == 0:
            yield csv_lines([(CSV_CUT.format(count=rows_max), *[""] * (len(CSV_COLUMNS) - 1))])
            return


def _cells(call: LoggedCall) -> tuple[str | int, ...]:
    return (
        call.request_timestamp.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        call.request_id,
        call.mode.value,
        call.product,
        call.method,
        call.endpoint,
        call.shown_path,
        call.status_code,
        call.response_time_ms,
        call.units,
        call.credits_consumed,
        call.key_id or PAGE,
        call.key_name or "",
        "" if call.ip_address is None else str(call.ip_address),
        call.user_agent or "",
        call.problem_code or "",
        call.limit_name or "",
        "" if call.limit_value is None else call.limit_value,
    )


class CallFeed:
    """Counts the live tails of one process, so that nobody's fill it."""

    def __init__(self) -> None:
        self._tails: dict[int, int] = defaultdict(int)

    def assert_room(self, customer_id: int) -> None:
        """Refuse a tail before its first byte. Raises: LiveTailsAtOnce."""
        if self._tails.get(customer_id, 0) >= TAILS_PER_CUSTOMER_MAX:
            raise LiveTailsAtOnce(
                f"{TAILS_PER_CUSTOMER_MAX} live tails of your requests are open, the most that one customer may "
                "have. Close or pause one, or load the list again.",
                retry_after_seconds=5,
            )
        if sum(self._tails.values()) >= TAILS_MAX:
            raise LiveTailsAtOnce(
                "As many live tails are open as this server takes. Load the list again instead.",
                retry_after_seconds=30,
            )

    @contextmanager
    def hold(self, customer_id: int) -> Iterator[None]:
        """Count one tail while it is open."""
        self._tails[customer_id] += 1
        try:
            yield
        finally:
            self._tails[customer_id] -= 1
            if not self._tails[customer_id]:
                del self._tails[customer_id]


async def watch_calls(
    feed: CallFeed,
    database: Database,
    stopping: asyncio.Event,
    customer_id: int,
    mode: Mode,
    chosen: CallFilter,
    since: datetime,
    now: datetime,
    may_go_on: MayGoOn,
) -> AsyncIterator[list[LoggedCall]]:
    """Yield the chosen calls as they reach the log, oldest first, until the time is over or the server stops.

    INVARIANT: whoever watches is asked for anew before each look, once a second, so that a session that ended and a
    role that was taken away see nothing more
    (tests/web/customer/test_live_tail.py::test_a_tail_ends_with_what_let_it_in).

    Nothing is yielded twice. An empty list comes now and then, to keep the connection alive. Calls reach the
    log late and out of order, so each look goes back a little behind `since`.

    Call `feed.assert_room` first. Raises: SearchTooLong.
    """
    clock = asyncio.get_running_loop().time
    started = heard = clock()
    since = max(since, now - TAIL_BACK_MAX)
    seen: OrderedDict[int, None] = OrderedDict()
    with feed.hold(customer_id):
        while clock() - started < TAIL_SECONDS_MAX:
            newer = _from(chosen, since - TAIL_LATENESS)
            async with database.transaction() as tx:
                if not await may_go_on(tx):
                    return
                page = await reports.list_calls(tx, customer_id, mode, newer, None, TAIL_CALLS_MAX)
            new = [call for call in reversed(page.items) if call.id not in seen]
            if new:
                seen.update(dict.fromkeys(call.id for call in new))
                since = max(since, new[-1].request_timestamp)
                while len(seen) > TAIL_SEEN_MAX:
                    seen.popitem(last=False)
            if new or clock() - heard > TAIL_SILENCE_SECONDS_MAX:
                heard = clock()
                yield new
            if await _stops_within(stopping, TAIL_LOOK_SECONDS):
                return


def _from(chosen: CallFilter, at: datetime) -> CallFilter:
    return replace(chosen, from_at=max(at, chosen.from_at) if chosen.from_at else at)


async def _stops_within(stopping: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            return await stopping.wait()
    except TimeoutError:
        return False
