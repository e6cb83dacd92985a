"""SQL over api_usage_logs and analytics_events."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from tollway.customers.entities import Mode
from tollway.kit.db import Transaction
from tollway.metering.entities import DayTotal, RecentCall


async def insert_analytics_event(
    tx: Transaction,
    name: str,
    customer_id: int | None,
    referrer: str,
    campaign: str,
    properties: dict[str, Any],
    now: datetime,
) -> None:
    """Write a step of the funnel; the steps that happen once stay at their first time."""
    await tx.execute(
        """
        INSERT INTO analytics_events (name, customer_id, referrer, campaign, properties, occurred_at)
        VALUES (%(name)s, %(customer_id)s, %(referrer)s, %(campaign)s, %(properties)s::jsonb, %(now)s)
        ON CONFLICT DO NOTHING
        """,
        {
            "name": name,
            "customer_id": customer_id,
            "referrer": referrer,
            "campaign": campaign,
            "properties": json.dumps(properties),
            "now": now,
        },
    )


async def has_event(tx: Transaction, customer_id: int, name: str) -> bool:
    """Say whether a customer took a step of the funnel."""
    found = await tx.find_value(
        "SELECT 1 FROM analytics_events WHERE customer_id = %(customer_id)s AND name = %(name)s LIMIT 1",
        {"customer_id": customer_id, "name": name},
    )
    return found is not None


async def list_recent(tx: Transaction, customer_id: int, mode: Mode, limit: int) -> list[RecentCall]:
    """List a customer's newest calls."""
    return await tx.list_all(
        RecentCall,
        """
        SELECT l.endpoint, l.method, l.status_code, l.response_time_ms, l.units, l.request_timestamp,
            l.request_id, l.problem_code, k.key_id
        FROM api_usage_logs l LEFT JOIN api_keys k ON k.id = l.api_key_id
        WHERE l.customer_id = %(customer_id)s AND l.mode = %(mode)s AND l.units >= 0
        ORDER BY l.request_timestamp DESC, l.id DESC LIMIT %(limit)s
        """,
        {"customer_id": customer_id, "mode": mode.value, "limit": limit},
    )


async def list_day_totals(
    tx: Transaction, customer_id: int, mode: Mode, since: datetime, until: datetime
) -> list[DayTotal]:
    """Add up a customer's calls by day, days without any included."""
    return await tx.list_all(
        DayTotal,
        """
        SELECT d.day::date AS day,
            COALESCE(sum(u.succeeded), 0)::int AS succeeded,
            COALESCE(sum(u.limited), 0)::int AS limited,
            COALESCE(sum(u.refused + u.failed), 0)::int AS failed
        FROM generate_series(%(first)s::date::timestamp, %(last)s::date::timestamp, '1 day') AS d (day)
        LEFT JOIN usage_days u ON u.customer_id = %(customer_id)s AND u.mode = %(mode)s AND u.day = d.day::date
        GROUP BY d.day ORDER BY d.day
        """,
        {
            "customer_id": customer_id,
            "mode": mode.value,
            "first": since.astimezone(UTC).date(),
            "last": until.astimezone(UTC).date(),
        },
    )


async def list_key_units(tx: Transaction, customer_id: int, since: datetime) -> list[dict[str, Any]]:
    """Add up the units of each of a customer's keys since an instant; from the sums, but for its own hour."""
    return await tx.list_rows(
        """
        SELECT api_key_id, sum(units)::bigint AS units FROM (
            SELECT api_key_id, units FROM api_usage_logs
            WHERE customer_id = %(customer_id)s AND mode IN ('live', 'test') AND api_key_id IS NOT NULL
                AND request_timestamp >= %(since)s AND request_timestamp < %(hour)s
            UNION ALL
            SELECT api_key_id, units FROM usage_hours
            WHERE customer_id = %(customer_id)s AND mode IN ('live', 'test') AND api_key_id <> 0 AND hour >= %(hour)s
        ) AS used
        GROUP BY api_key_id
        """,
        {"customer_id": customer_id, "since": since, "hour": _hour_after(since)},
    )


async def count_calls_of_key(tx: Transaction, customer_id: int, api_key_id: int, since: datetime) -> int:
    """Count the calls that came with a key since an instant; what was given back is no call.

    The hour that the instant lies in is read from the log, all later ones from their sums.
    """
    found = await tx.find_value(
        """
        SELECT (
            SELECT count(*) FROM api_usage_logs
            WHERE customer_id = %(customer_id)s AND mode IN ('live', 'test') AND api_key_id = %(api_key_id)s
                AND units >= 0 AND request_timestamp >= %(since)s AND request_timestamp < %(hour)s
        )::bigint + (
            SELECT COALESCE(sum(succeeded + limited + refused + failed), 0) FROM usage_hours
            WHERE customer_id = %(customer_id)s AND mode IN ('live', 'test') AND api_key_id = %(api_key_id)s
                AND hour >= %(hour)s
        )::bigint
        """,
        {
            "customer_id": customer_id,
            "api_key_id": api_key_id,
            "since": since,
            "hour": _hour_after(since),
        },
    )
    return int(found)


async def has_live_call(tx: Transaction, customer_id: int) -> bool:
    """Say whether any of a customer's calls with a live key was served."""
    found = await tx.find_value(
        """
        SELECT 1 FROM usage_days
        WHERE customer_id = %(customer_id)s AND mode = 'live' AND api_key_id <> 0 AND succeeded > 0
        LIMIT 1
        """,
        {"customer_id": customer_id},
    )
    return found is not None


def _hour_after(instant: datetime) -> datetime:
    """Return the next beginning of an hour (UTC): from there on, the sums by hour are whole."""
    return instant.astimezone(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
