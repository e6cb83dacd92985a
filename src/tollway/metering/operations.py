"""Count against quotas, write the usage log, and read both back."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from tollway.customers.entities import Mode
from tollway.kit.db import Transaction
from tollway.metering import store
from tollway.metering.entities import DailyLimitReached, DayTotal, Quota, QuotaUsedUp, RecentCall, UsageEvent

DAYS_SHOWN_MAX = 90


async def get_quota(
    tx: Transaction,
    subscription_id: int,
    mode: Mode,
    period: tuple[datetime, datetime],
    requests_included: int | None,
    overage_rate: Decimal,
    now: datetime,
) -> Quota:
    """Return the quota of a period, opening it on first use. Writes: usage_quotas."""
    return await store.open_quota(tx, subscription_id, mode, period, requests_included, overage_rate, now)


async def change_included(
    tx: Transaction, quota_id: int, requests_included: int | None, overage_rate: Decimal
) -> None:
    """Change how many units the period under way includes, and the rate beyond; what was used stays used."""
    await store.update_included(tx, quota_id, requests_included, overage_rate)


async def use_units(
    tx: Transaction,
    quota: Quota,
    units: int,
    *,
    stop: bool,
    now: datetime,
    way_out: str = "a larger plan lifts the limit now",
) -> None:
    """Count units against a quota, or raise QuotaUsedUp, which tells the way out, where the plan stops there.

    Two calls at once cannot both take the last unit: one statement reads and writes.
    """
    if await store.use_units(tx, quota.id, units, stop=stop):
        return
    raise QuotaUsedUp(
        f"All {quota.requests_included:,} requests of this period are used. "
        f"The next period begins at {quota.period_end:%Y-%m-%d %H:%M} UTC; {way_out}.",
        retry_after_seconds=max(1, int((quota.period_end - now).total_seconds())),
        members={
            "limit": "requests_per_period",
            "limit_value": quota.requests_included,
            "used": quota.requests_used,
            "resets_at": quota.period_end.isoformat(),
        },
    )


async def assert_daily_limit(
    tx: Transaction, customer_id: int, product: str, mode: Mode, limit: int | None, now: datetime
) -> None:
    """Raise DailyLimitReached where the customer's burst for this day (UTC) is used up (B47, X11).

    Call it after `use_units` in the same transaction: that one's row lock makes calls of one customer
    pass here one by one.
    """
    if limit is None:
        return
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    used = await store.count_units_since(tx, customer_id, product, mode, today)
    if used < limit:
        return
    tomorrow = today + timedelta(days=1)
    raise DailyLimitReached(
        f"All {limit:,} requests of today are used: your plan spreads its month with bursts of twice the daily "
        f"average. The limit frees at {tomorrow:%Y-%m-%d %H:%M} UTC.",
        retry_after_seconds=max(1, int((tomorrow - now).total_seconds())),
        members={
            "limit": "requests_per_day",
            "limit_value": limit,
            "used": used,
            "resets_at": tomorrow.isoformat(),
        },
    )


async def record_usage(tx: Transaction, event: UsageEvent) -> None:
    """Write one call to the usage log. Writes: api_usage_logs."""
    await store.insert_usage(tx, event)


async def give_back(tx: Transaction, quota_id: int, event: UsageEvent) -> None:
    """Undo the counting of a call whose work failed by our fault: the quota falls, the log gains a row.

    Whoever calls this makes sure, in the same transaction, that it happens once. `event.units` is negative.
    """
    assert event.units < 0, "what is given back is a row of negative units"
    await store.release_units(tx, quota_id, -event.units)
    await store.insert_usage(tx, event)


async def track_event(
    tx: Transaction,
    name: str,
    customer_id: int | None,
    now: datetime,
    *,
    referrer: str = "",
    campaign: str = "",
    properties: dict[str, Any] | None = None,
) -> None:
    """Remember a step of the funnel; steps that happen once keep their first time (A34).

    Writes: analytics_events.
    """
    await store.insert_analytics_event(tx, name, customer_id, referrer, campaign, properties or {}, now)


async def has_event(tx: Transaction, customer_id: int, name: str) -> bool:
    """Say whether a customer took a step of the funnel."""
    return await store.has_event(tx, customer_id, name)


async def list_recent_calls(tx: Transaction, customer_id: int, mode: Mode, limit: int) -> list[RecentCall]:
    """List a customer's newest calls, newest first."""
    return await store.list_recent(tx, customer_id, mode, limit)


async def list_day_totals(
    tx: Transaction, customer_id: int, mode: Mode, days: int, now: datetime
) -> list[DayTotal]:
    """Add up a customer's calls by day (UTC), today last; days without calls are there with zeros."""
    assert 1 <= days <= DAYS_SHOWN_MAX, days
    return await store.list_day_totals(tx, customer_id, mode, now - timedelta(days=days - 1), now)


async def billable_units(tx: Transaction, subscription_id: int, period: tuple[datetime, datetime]) -> int:
    """Return how many requests of a subscription a bill counts, in the quota periods that began within `period`.

    INVARIANT: test mode never reaches it (tests/keys/test_billable_units.py::test_no_test_call_is_ever_billed).
    """
    return await store.sum_live_units(tx, subscription_id, *period)


async def list_key_units(tx: Transaction, customer_id: int, since: datetime) -> dict[int, int]:
    """Return how many requests each of a customer's keys made since an instant, by the key's row."""
    rows = await store.list_key_units(tx, customer_id, since)
    return {row["api_key_id"]: row["units"] for row in rows}


async def count_calls_of_key(tx: Transaction, customer_id: int, api_key_id: int, since: datetime) -> int:
    """Count the calls that came with a key since an instant, the refused ones included."""
    return await store.count_calls_of_key(tx, customer_id, api_key_id, since)


async def has_live_call(tx: Transaction, customer_id: int) -> bool:
    """Say whether any of a customer's calls with a live key was served."""
    return await store.has_live_call(tx, customer_id)
