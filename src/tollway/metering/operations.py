"""Count against quotas, write the usage log, and read both back."""

from datetime import datetime, timedelta
from typing import Any

from tollway.customers.entities import Mode
from tollway.kit.db import Transaction
from tollway.metering import store
from tollway.metering.entities import DayTotal, RecentCall
from tollway.metering.quota_operations import (
    billable_units,
    change_terms,
    end_lease,
    end_leases_of_source,
    find_refusal,
    get_quota,
    give_back,
    lease_units,
    list_leases_of_source,
    settle_leases,
    use_units,
)
from tollway.metering.usage_operations import begin_source, record_usage

__all__ = [
    "begin_source",
    "billable_units",
    "change_terms",
    "count_calls_of_key",
    "end_lease",
    "end_leases_of_source",
    "find_refusal",
    "get_quota",
    "give_back",
    "has_event",
    "has_live_call",
    "lease_units",
    "list_day_totals",
    "list_key_units",
    "list_leases_of_source",
    "list_recent_calls",
    "record_usage",
    "settle_leases",
    "track_event",
    "use_units",
]

DAYS_SHOWN_MAX = 90


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
