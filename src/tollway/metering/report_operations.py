"""What customers read of their own usage: sums of a period, its projection, and the request log."""

from datetime import UTC, date, datetime, time, timedelta

from tollway.customers.callers import Caller, Via
from tollway.customers.entities import Mode
from tollway.kit.db import Transaction
from tollway.kit.paging import Page
from tollway.kit.problems import NotFound
from tollway.metering import report_store as store
from tollway.metering.reports import (
    CALL_ID_LENGTH_MAX,
    ENDPOINT_LENGTH_MAX,
    KEY_ID_LENGTH_MAX,
    METHOD_LENGTH_MAX,
    PAGE,
    PROJECTION_DAYS,
    REQUEST_ID_LENGTH_MAX,
    TEXT_PATTERN,
    THRESHOLDS_PERCENT,
    Breakdown,
    CallClass,
    CallFilter,
    CallPlace,
    Counts,
    DayCounts,
    EndpointCounts,
    KeyCounts,
    LoggedCall,
    Period,
    Projection,
    SearchTooLong,
    calls_chosen_by,
    project,
    read_cursor,
    watched_since,
)

__all__ = [
    "CALL_ID_LENGTH_MAX",
    "ENDPOINT_LENGTH_MAX",
    "KEY_ID_LENGTH_MAX",
    "METHOD_LENGTH_MAX",
    "PAGE",
    "PROJECTION_DAYS",
    "REQUEST_ID_LENGTH_MAX",
    "TEXT_PATTERN",
    "THRESHOLDS_PERCENT",
    "Breakdown",
    "CallClass",
    "CallFilter",
    "CallPlace",
    "Counts",
    "DayCounts",
    "EndpointCounts",
    "KeyCounts",
    "LoggedCall",
    "Period",
    "Projection",
    "SearchTooLong",
    "calls_chosen_by",
    "mode_asked_for",
]

# How long a search of the request log may take before it is told to look at less.
SEARCH_MS_MAX = 5_000
ROWS_LISTED_MAX = 50
# More endpoints or keys than this nobody counts.
ROWS_ADDED_MAX = 1_000
PERIODS_LISTED_MAX = 24
CHOICES_MAX = 100
CHOICES_DAYS = 90
MODE_DAYS = 62


def mode_asked_for(caller: Caller, asked: Mode | None) -> Mode:
    """Return the mode whose usage is meant: what was asked for, else that of the key, else live."""
    return asked or (caller.mode if caller.via is Via.KEY else Mode.LIVE)


async def list_calls(
    tx: Transaction,
    customer_id: int,
    mode: Mode,
    chosen: CallFilter,
    cursor: str | None,
    limit: int,
    *,
    patience_ms: int = SEARCH_MS_MAX,
) -> Page[LoggedCall]:
    """List a customer's calls in a mode, newest first, a page that begins at a cursor.

    Raises: BadCursor, SearchTooLong, after which the transaction can only be left.
    """
    rows = await store.list_calls(tx, customer_id, mode, chosen, read_cursor(cursor), limit + 1, patience_ms)
    return Page(rows[:limit], rows[limit - 1].call_id if len(rows) > limit else None)


async def get_call(tx: Transaction, customer_id: int, call_id: str) -> LoggedCall:
    """Return one call of a customer, in either mode. Raises: NotFound."""
    place = CallPlace.read(call_id)
    found = await store.find_call(tx, customer_id, place) if place else None
    if found is None:
        raise NotFound(
            f"There is no request {call_id[:CALL_ID_LENGTH_MAX]!r} in your log. It may be older than the log is kept."
        )
    return found


async def get_breakdown(
    tx: Transaction, customer_id: int, mode: Mode, product: str, first_day: date, last_day: date
) -> Breakdown:
    """Add up a customer's calls by day, endpoint and key, from the first day until the last one (UTC).

    Days without calls are there with zeros. An empty `product` means all of them.
    """
    what = (customer_id, mode, product, first_day, last_day)
    found = {one.day: one for one in await store.list_days(tx, *what)}
    endpoints = await store.list_endpoints(tx, *what, ROWS_ADDED_MAX)
    keys = await store.list_keys(tx, *what, ROWS_ADDED_MAX)
    days = [first_day + timedelta(days=index) for index in range((last_day - first_day).days + 1)]
    return Breakdown(
        first_day=first_day,
        last_day=last_day,
        days=[found.get(day) or DayCounts(0, 0, 0, 0, 0, 0, day) for day in days],
        endpoints=endpoints[:ROWS_LISTED_MAX],
        endpoints_left_out=len(endpoints[ROWS_LISTED_MAX:]),
        keys=keys[:ROWS_LISTED_MAX],
        keys_left_out=len(keys[ROWS_LISTED_MAX:]),
    )


async def list_periods(tx: Transaction, subscription_id: int, mode: Mode) -> list[Period]:
    """List the periods of a subscription in which anything was counted, newest first."""
    return await store.list_periods(tx, subscription_id, mode, PERIODS_LISTED_MAX)


async def find_period_at(
    tx: Transaction, customer_id: int, product: str, mode: Mode, at: datetime
) -> Period | None:
    """Return the period of a customer that held an instant, or None."""
    return await store.find_period_at(tx, customer_id, product, mode, at)


async def find_projection(
    tx: Transaction, customer_id: int, product: str, period: Period, began: datetime, now: datetime
) -> Projection | None:
    """Say what a period comes to if the days to come are like the last seven; None where that cannot be told.

    Args:
        began: when the customer began with the product; what was before tells nothing.
    """
    since = watched_since(began, now)
    units = await store.sum_units(tx, customer_id, period.mode, product, since, now)
    return project(period, units, since, now)


async def find_mode_in_use(tx: Transaction, customer_id: int, now: datetime) -> Mode:
    """Return the mode that a customer wants to see first: live, once there was a live call of late."""
    since = (now - timedelta(days=MODE_DAYS)).date()
    return Mode.LIVE if await store.has_usage(tx, customer_id, Mode.LIVE, since) else Mode.TEST


async def list_endpoint_choices(tx: Transaction, customer_id: int, now: datetime) -> list[str]:
    """List the endpoints that a customer called of late, the most called first."""
    since = datetime.combine(now.date() - timedelta(days=CHOICES_DAYS), time.min, UTC).date()
    return await store.list_endpoint_names(tx, customer_id, since, CHOICES_MAX)


async def list_key_choices(tx: Transaction, customer_id: int) -> list[tuple[str, str]]:
    """List id and name of a customer's keys, those too that are over."""
    return await store.list_key_choices(tx, customer_id, CHOICES_MAX)
