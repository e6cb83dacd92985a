"""SQL over the usage of every customer: sums by hour and day, totals since the beginning; reading alone."""

from datetime import datetime
from typing import Any, LiteralString

from tollway.kit.db import Transaction
from tollway.metering.platform import (
    ActiveCustomers,
    CustomerKeyCalls,
    CustomerSums,
    DaySums,
    EndpointSums,
    HourSums,
    JournalStanding,
    KeyCount,
    KeyUse,
    LedgerTotal,
    PlanSums,
    QuotaUse,
    Span,
    Totals,
)

_SUMS: LiteralString = """
    COALESCE(sum(succeeded), 0)::bigint AS succeeded, COALESCE(sum(limited), 0)::bigint AS limited,
    COALESCE(sum(refused), 0)::bigint AS refused, COALESCE(sum(failed), 0)::bigint AS failed,
    COALESCE(sum(units), 0)::bigint AS units, COALESCE(sum(credits), 0)::bigint AS credits,
    COALESCE(sum(response_ms), 0)::bigint AS response_ms,
    ARRAY[COALESCE(sum(latencies[1]), 0), COALESCE(sum(latencies[2]), 0), COALESCE(sum(latencies[3]), 0),
        COALESCE(sum(latencies[4]), 0), COALESCE(sum(latencies[5]), 0), COALESCE(sum(latencies[6]), 0),
        COALESCE(sum(latencies[7]), 0), COALESCE(sum(latencies[8]), 0), COALESCE(sum(latencies[9]), 0),
        COALESCE(sum(latencies[10]), 0), COALESCE(sum(latencies[11]), 0), COALESCE(sum(latencies[12]), 0),
        COALESCE(sum(latencies[13]), 0)]::bigint[] AS latencies
"""
_CALLS: LiteralString = "succeeded + limited + refused + failed"
_MODE: LiteralString = "(%(mode)s::text IS NULL OR mode = %(mode)s)"
_DAYS: LiteralString = (
    f"(SELECT * FROM usage_days WHERE day BETWEEN %(first_day)s AND %(last_day)s AND {_MODE}) AS used"
)
_HOURS: LiteralString = f"""
    (SELECT *, (hour AT TIME ZONE 'UTC')::date AS day FROM usage_hours
     WHERE hour >= %(since)s AND hour < %(until)s AND {_MODE}) AS used
"""
# The same of the time before, whose bounds have names of their own.
_DAYS_BEFORE: LiteralString = f"""
    (SELECT * FROM usage_days
     WHERE day BETWEEN %(before_first_day)s AND %(before_last_day)s AND {_MODE}) AS used
"""
_HOURS_BEFORE: LiteralString = f"""
    (SELECT * FROM usage_hours WHERE hour >= %(before_since)s AND hour < %(before_until)s AND {_MODE}) AS used
"""
# The plan that each customer holds of each product; of a subscription that runs before one that was cancelled.
_HELD: LiteralString = """
    held AS (
        SELECT DISTINCT ON (subscription.customer_id, subscription.product) subscription.customer_id,
            subscription.product, plan.tier, plan.content->>'name' AS plan_name
        FROM api_subscriptions AS subscription JOIN plan_versions AS plan
            ON plan.id = subscription.plan_version_id
        ORDER BY subscription.customer_id, subscription.product, subscription.status = 'cancelled',
            subscription.id DESC
    )
"""
# What keeps a key from being used by itself; what its customer's plan allows is not asked here.
_USABLE: LiteralString = """
    status = 'active' AND (expires_at IS NULL OR expires_at > %(now)s)
    AND (grace_until IS NULL OR grace_until > %(now)s)
"""


async def get_totals(tx: Transaction, span: Span, mode: str | None) -> Totals:
    """Add everything up."""
    return await tx.get_one(
        Totals,
        f"SELECT {_SUMS}, count(DISTINCT customer_id)::bigint AS customers FROM {_source(span)}",
        _parameters(span, mode),
    )


async def list_endpoints(tx: Transaction, span: Span, mode: str | None, limit: int) -> list[EndpointSums]:
    """Add up by endpoint, the most called first."""
    return await tx.list_all(
        EndpointSums,
        f"""
        SELECT product, method, endpoint, {_SUMS} FROM {_source(span)}
        GROUP BY product, method, endpoint ORDER BY sum({_CALLS}) DESC, product, endpoint, method LIMIT %(limit)s
        """,
        _parameters(span, mode) | {"limit": limit},
    )


async def list_plans(tx: Transaction, span: Span, mode: str | None) -> list[PlanSums]:
    """Add up by product and by the plan that customers hold now, the most called first."""
    return await tx.list_all(
        PlanSums,
        f"""
        WITH {_HELD}
        SELECT product, plan_name AS plan, {_SUMS}, count(DISTINCT customer_id)::bigint AS customers
        FROM {_source(span)} LEFT JOIN held USING (customer_id, product)
        GROUP BY product, plan_name ORDER BY sum({_CALLS}) DESC, product, plan_name
        """,
        _parameters(span, mode),
    )


async def list_days(tx: Transaction, span: Span, mode: str | None) -> list[DaySums]:
    """Add up by day; days without calls are there with zeros."""
    return await tx.list_all(
        DaySums,
        f"""
        SELECT one.day::date AS day, COALESCE(sum(succeeded), 0)::bigint AS succeeded,
            COALESCE(sum(limited), 0)::bigint AS limited, COALESCE(sum(refused), 0)::bigint AS refused,
            COALESCE(sum(failed), 0)::bigint AS failed
        FROM generate_series(%(first_day)s::timestamp, %(last_day)s::timestamp, interval '1 day') AS one (day)
        LEFT JOIN {_source(span)} ON used.day = one.day::date
        GROUP BY one.day ORDER BY one.day
        """,
        _parameters(span, mode),
    )


async def list_hours(tx: Transaction, span: Span, mode: str | None) -> list[HourSums]:
    """Add up by hour; hours without calls are there with zeros."""
    return await tx.list_all(
        HourSums,
        f"""
        SELECT one.hour, (one.hour AT TIME ZONE 'UTC')::date AS day,
            COALESCE(sum(succeeded), 0)::bigint AS succeeded, COALESCE(sum(limited), 0)::bigint AS limited,
            COALESCE(sum(refused), 0)::bigint AS refused, COALESCE(sum(failed), 0)::bigint AS failed
        FROM generate_series(%(since)s, %(until)s - interval '1 hour', interval '1 hour') AS one (hour)
        LEFT JOIN {_HOURS} ON used.hour = one.hour
        GROUP BY one.hour ORDER BY one.hour
        """,
        _parameters(span, mode),
    )


async def list_customers(tx: Transaction, span: Span, mode: str | None, limit: int) -> list[CustomerSums]:
    """List the customers who called most, with their calls in the time before."""
    return await tx.list_all(
        CustomerSums,
        f"""
        WITH busiest AS (
            SELECT customer_id, sum({_CALLS})::bigint AS calls, sum(units)::bigint AS units,
                sum(failed)::bigint AS failed
            FROM {_source(span)}
            GROUP BY customer_id ORDER BY calls DESC, customer_id LIMIT %(limit)s
        )
        SELECT customer.public_id, customer.company_name, main.plan_name AS plan, busiest.calls,
            busiest.units, busiest.failed, COALESCE(earlier.calls, 0)::bigint AS calls_before
        FROM busiest
        LEFT JOIN api_customers AS customer ON customer.id = busiest.customer_id AND customer.erased_at IS NULL
        LEFT JOIN LATERAL (
            SELECT plan.content->>'name' AS plan_name
            FROM api_subscriptions AS held JOIN plan_versions AS plan ON plan.id = held.plan_version_id
            WHERE held.customer_id = customer.id
            ORDER BY held.product <> 'montecarlo', held.status = 'cancelled', held.id DESC LIMIT 1
        ) AS main ON true
        LEFT JOIN LATERAL (
            SELECT sum({_CALLS}) AS calls FROM {_before(span)} WHERE used.customer_id = busiest.customer_id
        ) AS earlier ON true
        ORDER BY busiest.calls DESC, busiest.customer_id
        """,
        _parameters(span, mode) | _parameters(span.before, mode, "before_") | {"limit": limit},
    )


async def get_key_use(tx: Transaction, span: Span, mode: str | None, now: datetime) -> KeyUse:
    """Count the keys that can be used now, and those of them that a call came with."""
    return await tx.get_one(
        KeyUse,
        f"""
        SELECT count(*)::bigint AS registered, count(*) FILTER (WHERE id IN (
            SELECT api_key_id FROM {_source(span)}))::bigint AS active
        FROM api_keys
        WHERE {_USABLE} AND {_MODE}
        """,
        _parameters(span, mode) | {"now": now},
    )


def _source(span: Span) -> LiteralString:
    return _HOURS if span.by_hour else _DAYS


def _before(span: Span) -> LiteralString:
    return _HOURS_BEFORE if span.by_hour else _DAYS_BEFORE


def _parameters(span: Span, mode: str | None, prefix: str = "") -> dict[str, Any]:
    return {
        f"{prefix}since": span.since,
        f"{prefix}until": span.until,
        f"{prefix}first_day": span.first_day,
        f"{prefix}last_day": span.last_day,
        "mode": mode,
    }


# For metrics -----------------------------------------------------------------------------------------


async def list_ledger_totals(tx: Transaction) -> list[LedgerTotal]:
    """List what was counted since the beginning."""
    return await tx.list_all(
        LedgerTotal,
        """
        SELECT product, method, endpoint, status_code, problem_code, calls, response_ms, latencies
        FROM usage_totals ORDER BY product, endpoint, method, status_code, problem_code
        """,
    )


async def list_key_calls(tx: Transaction, month_start: datetime, limit: int) -> list[CustomerKeyCalls]:
    """List the calls with keys since the beginning of a month, of the customers who made most."""
    return await tx.list_all(
        CustomerKeyCalls,
        f"""
        WITH {_HELD}, used AS (
            SELECT customer_id, product, sum({_CALLS})::bigint AS calls FROM usage_days
            WHERE day >= %(since)s AND api_key_id <> 0 GROUP BY customer_id, product
        ), busiest AS (
            SELECT customer_id FROM used GROUP BY customer_id ORDER BY sum(calls) DESC, customer_id LIMIT %(limit)s
        )
        SELECT product, COALESCE(tier, 'none') AS plan, customer.public_id, calls
        FROM used JOIN busiest USING (customer_id) LEFT JOIN held USING (customer_id, product)
        JOIN api_customers AS customer ON customer.id = customer_id
        WHERE customer.erased_at IS NULL
        ORDER BY product, customer.public_id
        """,
        {"since": month_start.date(), "limit": limit},
    )


async def list_key_counts(tx: Transaction, now: datetime) -> list[KeyCount]:
    """Count the keys that can be used now, by product and by the plan that their customers hold."""
    return await tx.list_all(
        KeyCount,
        f"""
        WITH {_HELD}
        SELECT product, COALESCE(tier, 'none') AS plan, count(*)::bigint AS keys
        FROM (SELECT customer_id, product FROM api_keys WHERE {_USABLE}) AS usable
        LEFT JOIN held USING (customer_id, product)
        GROUP BY 1, 2 ORDER BY 1, 2
        """,
        {"now": now},
    )


async def list_active_customers(tx: Transaction, since: datetime) -> list[ActiveCustomers]:
    """Count the customers who called since a day, by the plan that they hold of the product that they called."""
    return await tx.list_all(
        ActiveCustomers,
        f"""
        WITH {_HELD}
        SELECT COALESCE(tier, 'none') AS plan, count(DISTINCT customer_id)::bigint AS customers
        FROM (SELECT DISTINCT customer_id, product FROM usage_days WHERE day >= %(since)s) AS used
        LEFT JOIN held USING (customer_id, product)
        GROUP BY 1 ORDER BY 1
        """,
        {"since": since.date()},
    )


async def list_quota_use(tx: Transaction, now: datetime) -> list[QuotaUse]:
    """Add up the periods under way that include a number of requests, by product and plan."""
    return await tx.list_all(
        QuotaUse,
        """
        SELECT held.product, plan.tier AS plan, sum(quota.requests_used)::bigint AS requests_used,
            sum(quota.requests_included)::bigint AS requests_included
        FROM usage_quotas AS quota JOIN api_subscriptions AS held ON held.id = quota.subscription_id
        JOIN plan_versions AS plan ON plan.id = held.plan_version_id
        WHERE quota.period_start <= %(now)s AND quota.period_end > %(now)s AND held.status <> 'cancelled'
            AND quota.requests_included IS NOT NULL
        GROUP BY held.product, plan.tier ORDER BY 1, 2
        """,
        {"now": now},
    )


async def get_journal_standing(tx: Transaction) -> JournalStanding:
    """Say how far journals were taken over."""
    return await tx.get_one(
        JournalStanding,
        """
        SELECT count(*) FILTER (WHERE ended_at IS NULL)::bigint AS sources_open,
            COALESCE(sum(records_shipped), 0)::bigint AS records_shipped,
            COALESCE(sum(records_damaged), 0)::bigint AS records_damaged,
            (SELECT COALESCE(sum(units_granted - units_settled), 0)::bigint FROM usage_leases) AS units_leased,
            max(shipped_at) AS shipped_at
        FROM usage_sources
        """,
    )


async def list_journal_positions(tx: Transaction) -> list[dict[str, Any]]:
    """List how far the journals were taken over that have not ended."""
    return await tx.list_rows("SELECT id, segment, record_index FROM usage_sources WHERE ended_at IS NULL")


async def get_database_bytes(tx: Transaction) -> int:
    """Say how much room the database takes."""
    return int(await tx.find_value("SELECT pg_database_size(current_database())"))
