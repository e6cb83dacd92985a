"""SQL for what customers read of their own usage: the request log, the roll-ups by day, the periods."""

from datetime import date, datetime
from typing import Any, LiteralString

import psycopg

from tollway.customers.entities import Mode
from tollway.kit.db import Transaction
from tollway.metering.reports import (
    PAGE,
    CallFilter,
    CallPlace,
    DayCounts,
    EndpointCounts,
    KeyCounts,
    LoggedCall,
    Period,
    SearchTooLong,
)

_CALL: LiteralString = """
    SELECT l.id, l.request_timestamp, l.product, l.mode, l.method, l.endpoint, l.path, l.status_code,
        l.response_time_ms, l.units, l.credits_consumed, l.request_id, l.problem_code, l.limit_name,
        l.limit_value, l.ip_address, l.user_agent, k.key_id, k.name AS key_name
    FROM api_usage_logs l LEFT JOIN api_keys k ON k.id = l.api_key_id
"""
# What was given back is no call.
_CHOSEN: LiteralString = """
    l.customer_id = %(customer_id)s AND l.mode = %(mode)s AND l.units >= 0
    AND (%(from_at)s::timestamptz IS NULL OR l.request_timestamp >= %(from_at)s)
    AND (%(until_at)s::timestamptz IS NULL OR l.request_timestamp < %(until_at)s)
    AND (%(status_code)s::int IS NULL OR l.status_code = %(status_code)s)
    AND (%(call_class)s::text IS NULL OR %(call_class)s = CASE WHEN l.status_code < 400 THEN 'succeeded'
        WHEN l.status_code IN (402, 429) THEN 'limited' WHEN l.status_code < 500 THEN 'refused'
        ELSE 'failed' END)
    AND (%(endpoint)s = '' OR starts_with(l.endpoint, %(endpoint)s) OR starts_with(l.path, %(endpoint)s))
    AND (%(method)s = '' OR l.method = %(method)s)
    AND (%(product)s = '' OR l.product = %(product)s)
    AND (%(request_id)s = '' OR l.request_id = %(request_id)s)
    AND CASE %(key_id)s WHEN '' THEN true WHEN %(page)s THEN l.api_key_id IS NULL ELSE l.api_key_id =
        (SELECT o.id FROM api_keys o WHERE o.customer_id = %(customer_id)s AND o.key_id = %(key_id)s) END
"""
_SUMS: LiteralString = """
    sum(succeeded)::bigint AS succeeded, sum(limited)::bigint AS limited, sum(refused)::bigint AS refused,
    sum(failed)::bigint AS failed, sum(units)::bigint AS units, sum(credits)::bigint AS credits
"""
_DAYS: LiteralString = """
    usage_days WHERE customer_id = %(customer_id)s AND mode = %(mode)s
    AND day BETWEEN %(first)s AND %(last)s AND (%(product)s = '' OR product = %(product)s)
"""


async def list_calls(
    tx: Transaction,
    customer_id: int,
    mode: Mode,
    chosen: CallFilter,
    before: CallPlace | None,
    limit: int,
    patience_ms: int,
) -> list[LoggedCall]:
    """List the chosen calls, newest first, from before a place on. Raises: SearchTooLong."""
    parameters = _chosen(customer_id, mode, chosen) | {
        "before_at": before.request_timestamp if before else None,
        "before_id": before.id if before else None,
        "limit": limit,
        "patience": str(patience_ms),
    }
    try:
        await tx.execute("SELECT set_config('statement_timeout', %(patience)s, true)", parameters)
        return await tx.list_all(
            LoggedCall,
            _CALL
            + "WHERE"
            + _CHOSEN
            + """
            AND (%(before_at)s::timestamptz IS NULL
                OR (l.request_timestamp, l.id) < (%(before_at)s, %(before_id)s::bigint))
            ORDER BY l.request_timestamp DESC, l.id DESC LIMIT %(limit)s
            """,
            parameters,
        )
    except psycopg.errors.QueryCanceled as failure:
        raise SearchTooLong(
            "Too many requests lie in the time asked for, and few of them are as asked. Choose a shorter time "
            "with `from` and `until`.",
        ) from failure


async def find_call(tx: Transaction, customer_id: int, place: CallPlace) -> LoggedCall | None:
    """Return one call of a customer, or None."""
    return await tx.find_one(
        LoggedCall,
        _CALL
        + """
        WHERE l.request_timestamp = %(at)s AND l.id = %(id)s AND l.customer_id = %(customer_id)s AND l.units >= 0
        """,
        {"at": place.request_timestamp, "id": place.id, "customer_id": customer_id},
    )


async def list_days(
    tx: Transaction, customer_id: int, mode: Mode, product: str, first: date, last: date
) -> list[DayCounts]:
    """Add up the calls of each day; days without any are left out."""
    return await tx.list_all(
        DayCounts,
        "SELECT day," + _SUMS + "FROM" + _DAYS + "GROUP BY day ORDER BY day",
        _days(customer_id, mode, product, first, last),
    )


async def list_endpoints(
    tx: Transaction, customer_id: int, mode: Mode, product: str, first: date, last: date, limit: int
) -> list[EndpointCounts]:
    """Add up the calls of each endpoint, the most called first."""
    return await tx.list_all(
        EndpointCounts,
        "WITH chosen AS MATERIALIZED (SELECT * FROM "
        + _DAYS
        + """), spread AS (
            SELECT method, endpoint, array_agg(calls ORDER BY place) AS latencies FROM (
                SELECT c.method, c.endpoint, one.place, sum(one.calls)::bigint AS calls
                FROM chosen c, unnest(c.latencies) WITH ORDINALITY AS one (calls, place)
                GROUP BY c.method, c.endpoint, one.place
            ) counted GROUP BY method, endpoint
        ), summed AS (
            SELECT method, endpoint, sum(response_ms)::bigint AS response_ms,
        """
        + _SUMS
        + """ FROM chosen GROUP BY method, endpoint)
        SELECT summed.*, COALESCE(spread.latencies, '{}') AS latencies
        FROM summed LEFT JOIN spread USING (method, endpoint)
        ORDER BY succeeded + limited + refused + failed DESC, endpoint, method LIMIT %(limit)s
        """,
        _days(customer_id, mode, product, first, last) | {"limit": limit},
    )


async def list_keys(
    tx: Transaction, customer_id: int, mode: Mode, product: str, first: date, last: date, limit: int
) -> list[KeyCounts]:
    """Add up the calls of each key, the busiest first."""
    return await tx.list_all(
        KeyCounts,
        "WITH summed AS (SELECT api_key_id,"
        + _SUMS
        + "FROM"
        + _DAYS
        + """GROUP BY api_key_id)
        SELECT k.key_id, k.name AS key_name, succeeded, limited, refused, failed, units, credits
        FROM summed LEFT JOIN api_keys k ON k.id = api_key_id AND k.customer_id = %(customer_id)s
        ORDER BY succeeded + limited + refused + failed DESC, api_key_id LIMIT %(limit)s
        """,
        _days(customer_id, mode, product, first, last) | {"limit": limit},
    )


async def list_endpoint_names(tx: Transaction, customer_id: int, since: date, limit: int) -> list[str]:
    """List the endpoints that a customer called since a day, the most called first."""
    rows = await tx.list_rows(
        """
        SELECT endpoint FROM usage_days WHERE customer_id = %(customer_id)s AND day >= %(since)s
        GROUP BY endpoint ORDER BY sum(succeeded + limited + refused + failed) DESC, endpoint LIMIT %(limit)s
        """,
        {"customer_id": customer_id, "since": since, "limit": limit},
    )
    return [row["endpoint"] for row in rows]


async def list_key_choices(tx: Transaction, customer_id: int, limit: int) -> list[tuple[str, str]]:
    """List id and name of a customer's keys, the last used first; the deleted ones made calls too."""
    rows = await tx.list_rows(
        """
        SELECT key_id, name FROM api_keys WHERE customer_id = %(customer_id)s
        ORDER BY last_used_at DESC NULLS LAST, id DESC LIMIT %(limit)s
        """,
        {"customer_id": customer_id, "limit": limit},
    )
    return [(row["key_id"], row["name"]) for row in rows]


async def has_usage(tx: Transaction, customer_id: int, mode: Mode, since: date) -> bool:
    """Say whether there was any call in a mode since a day."""
    found = await tx.find_value(
        "SELECT 1 FROM usage_days WHERE customer_id = %(customer_id)s AND mode = %(mode)s AND day >= %(since)s LIMIT 1",
        {"customer_id": customer_id, "mode": mode.value, "since": since},
    )
    return found is not None


async def sum_units(
    tx: Transaction, customer_id: int, mode: Mode, product: str, since: datetime, until: datetime
) -> int:
    """Add up the units of a time, in whole hours: those that hold its ends too."""
    found = await tx.find_value(
        """
        SELECT COALESCE(sum(units), 0)::bigint FROM usage_hours
        WHERE customer_id = %(customer_id)s AND mode = %(mode)s AND product = %(product)s
            AND hour >= date_trunc('hour', %(since)s::timestamptz) AND hour <= %(until)s
        """,
        {
            "customer_id": customer_id,
            "mode": mode.value,
            "product": product,
            "since": since,
            "until": until,
        },
    )
    return int(found)


async def list_periods(tx: Transaction, subscription_id: int, mode: Mode, limit: int) -> list[Period]:
    """List the periods of a subscription in which anything was counted, newest first."""
    return await tx.list_all(
        Period,
        """
        SELECT mode, period_start, period_end, requests_included, requests_used, requests_max, overage_rate
        FROM usage_quotas WHERE subscription_id = %(subscription_id)s AND mode = %(mode)s
        ORDER BY period_start DESC LIMIT %(limit)s
        """,
        {"subscription_id": subscription_id, "mode": mode.value, "limit": limit},
    )


async def find_period_at(
    tx: Transaction, customer_id: int, product: str, mode: Mode, at: datetime
) -> Period | None:
    """Return the period of a customer that held an instant, or None; of two that do, the one that began last."""
    return await tx.find_one(
        Period,
        """
        SELECT q.mode, q.period_start, q.period_end, q.requests_included, q.requests_used, q.requests_max,
            q.overage_rate
        FROM usage_quotas q JOIN api_subscriptions s ON s.id = q.subscription_id
        WHERE s.customer_id = %(customer_id)s AND s.product = %(product)s AND q.mode = %(mode)s
            AND q.period_start <= %(at)s AND %(at)s < q.period_end
        ORDER BY q.period_start DESC LIMIT 1
        """,
        {"customer_id": customer_id, "product": product, "mode": mode.value, "at": at},
    )


def _chosen(customer_id: int, mode: Mode, chosen: CallFilter) -> dict[str, Any]:
    return {
        "customer_id": customer_id,
        "mode": mode.value,
        "from_at": chosen.from_at,
        "until_at": chosen.until_at,
        "status_code": chosen.status_code,
        "call_class": chosen.call_class.value if chosen.call_class else None,
        "endpoint": chosen.endpoint,
        "method": chosen.method,
        "key_id": chosen.key_id,
        "product": chosen.product,
        "request_id": chosen.request_id,
        "page": PAGE,
    }


def _days(customer_id: int, mode: Mode, product: str, first: date, last: date) -> dict[str, Any]:
    return {
        "customer_id": customer_id,
        "mode": mode.value,
        "product": product,
        "first": first,
        "last": last,
    }
