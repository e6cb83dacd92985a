"""SQL that writes usage: the log, and its sums by hour, by day and since the beginning."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, LiteralString

import numpy as np
from numpy.typing import NDArray

from tollway.kit.db import Transaction
from tollway.metering.entities import UsageEvent, UsageSource

# Sums to add, by column: integers, of one length. `texts` are those that product, method, endpoint and problem name by
# their place, from 1 on; `latencies` holds the classes of response time, all of one row after all of the row before.
Columns = Mapping[str, Sequence[Any]]


async def insert_source(tx: Transaction, name: str, now: datetime) -> int:
    """Write that a process begins a journal, and return its id."""
    found = await tx.find_value(
        "INSERT INTO usage_sources (name, started_at) VALUES (%(name)s, %(now)s) RETURNING id",
        {"name": name, "now": now},
    )
    return int(found)


async def lock_source(tx: Transaction, source_id: int) -> UsageSource | None:
    """Return how far a journal was taken over, and keep others from taking it over until the transaction ends.

    Leases that name the source may be granted meanwhile: whoever grants one holds a quota that we may wait for.
    """
    return await tx.find_one(
        UsageSource,
        "SELECT id, segment, record_index, ended_at FROM usage_sources WHERE id = %(id)s FOR NO KEY UPDATE",
        {"id": source_id},
    )


async def advance_source(
    tx: Transaction,
    source_id: int,
    position: tuple[int, int],
    *,
    shipped_count: int,
    damaged_count: int,
    now: datetime,
) -> None:
    """Write how far a journal was taken over."""
    await tx.execute(
        """
        UPDATE usage_sources SET segment = %(segment)s, record_index = %(index)s, shipped_at = %(now)s,
            records_shipped = records_shipped + %(shipped)s, records_damaged = records_damaged + %(damaged)s
        WHERE id = %(id)s
        """,
        {
            "id": source_id,
            "segment": position[0],
            "index": position[1],
            "shipped": shipped_count,
            "damaged": damaged_count,
            "now": now,
        },
    )


async def update_to_ended(tx: Transaction, source_id: int, now: datetime) -> None:
    """Write that a journal was taken over whole, and that nothing more comes."""
    await tx.execute(
        "UPDATE usage_sources SET ended_at = %(now)s WHERE id = %(id)s", {"id": source_id, "now": now}
    )


async def lock_origins(tx: Transaction, *, alone: bool) -> None:
    """Keep those who write addresses to the log, who may be many, apart from those who take them out of it."""
    if alone:
        await tx.execute("SELECT pg_advisory_xact_lock(hashtext('usage_origins'))")
    else:
        await tx.execute("SELECT pg_advisory_xact_lock_shared(hashtext('usage_origins'))")


async def list_erased(tx: Transaction, customer_ids: NDArray[np.int64]) -> list[int]:
    """List those of some customers who were erased, or deleted whole."""
    rows = await tx.list_rows(
        """
        SELECT asked.id FROM unnest(%(ids)s::bigint[]) AS asked (id)
        LEFT JOIN api_customers c ON c.id = asked.id AND c.erased_at IS NULL
        WHERE c.id IS NULL
        """,
        {"ids": customer_ids},
    )
    return [row["id"] for row in rows]


async def insert_first_calls(tx: Transaction, first_us_by_customer: Mapping[int, int]) -> None:
    """Write the first call of customers who had none; customers who are gone are left out."""
    await tx.execute(
        """
        INSERT INTO analytics_events (name, customer_id, referrer, campaign, properties, occurred_at)
        SELECT 'first_call', c.id, '', '', '{}', timestamptz 'epoch' + f.first_us * interval '1 microsecond'
        FROM unnest(%(ids)s::bigint[], %(first_us)s::bigint[]) AS f (id, first_us)
        JOIN api_customers c ON c.id = f.id
        ORDER BY c.id
        ON CONFLICT DO NOTHING
        """,
        {"ids": list(first_us_by_customer), "first_us": list(first_us_by_customer.values())},
    )


async def insert_usage(tx: Transaction, event: UsageEvent) -> None:
    """Write one line of the usage log."""
    await tx.execute(
        """
        INSERT INTO api_usage_logs (api_key_id, endpoint, method, status_code, response_time_ms,
            credits_consumed, request_timestamp, ip_address, user_agent, customer_id, product, mode, units,
            request_id, problem_code, path, limit_name, limit_value)
        VALUES (%(api_key_id)s, %(endpoint)s, %(method)s, %(status_code)s, %(response_time_ms)s,
            %(credits_consumed)s, %(request_timestamp)s, %(ip_address)s, %(user_agent)s, %(customer_id)s,
            %(product)s, %(mode)s, %(units)s, %(request_id)s, %(problem_code)s, %(path)s, %(limit_name)s,
            %(limit_value)s)
        """,
        asdict(event) | {"mode": event.mode.value},
    )


# The classes of response time, of which there are thirteen, of the row `i`, and two rows of them added up.
_LATENCIES: LiteralString = "(%(latencies)s::bigint[])[13 * i - 12 : 13 * i] AS latencies"
_LATENCIES_ADDED: LiteralString = (
    "ARRAY["
    + ", ".join(
        f"kept.latencies[{place}] + EXCLUDED.latencies[{place}]"
        for place in ("1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13")
    )
    + "]"
)


def _adding(table: LiteralString, column: LiteralString, moment: LiteralString) -> LiteralString:
    """Write the statement that adds to the sums of a table, whose `column` is read from numbers as `moment`.

    Rows in the order of their key, so that two writers never wait in a circle. Arrays are read by place, because an
    unnest of so many would write each of them down first.
    """
    return f"""
        INSERT INTO {table} AS kept ({column}, customer_id, product, mode, api_key_id, method, endpoint,
            succeeded, limited, refused, failed, units, credits, response_ms, latencies)
        SELECT {moment}, customer_id, (%(texts)s::text[])[product],
            CASE WHEN live = 1 THEN 'live' ELSE 'test' END, api_key_id, (%(texts)s::text[])[method],
            (%(texts)s::text[])[endpoint], succeeded, limited, refused, failed, units, credits, response_ms, latencies
        FROM (
            SELECT (%({column})s::bigint[])[i] AS {column}, (%(customer_id)s::bigint[])[i] AS customer_id,
                (%(product)s::bigint[])[i] AS product, (%(live)s::bigint[])[i] AS live,
                (%(api_key_id)s::bigint[])[i] AS api_key_id, (%(method)s::bigint[])[i] AS method,
                (%(endpoint)s::bigint[])[i] AS endpoint, (%(succeeded)s::bigint[])[i] AS succeeded,
                (%(limited)s::bigint[])[i] AS limited, (%(refused)s::bigint[])[i] AS refused,
                (%(failed)s::bigint[])[i] AS failed, (%(units)s::bigint[])[i] AS units,
                (%(credits)s::bigint[])[i] AS credits, (%(response_ms)s::bigint[])[i] AS response_ms, {_LATENCIES}
            FROM generate_series(1, array_length(%({column})s::bigint[], 1)) AS i
        ) AS added
        ORDER BY 2, 4, 1, 3, 5, 6, 7
        ON CONFLICT (customer_id, mode, {column}, product, api_key_id, method, endpoint) DO UPDATE SET
            succeeded = kept.succeeded + EXCLUDED.succeeded,
            limited = kept.limited + EXCLUDED.limited,
            refused = kept.refused + EXCLUDED.refused,
            failed = kept.failed + EXCLUDED.failed,
            units = kept.units + EXCLUDED.units,
            credits = kept.credits + EXCLUDED.credits,
            response_ms = kept.response_ms + EXCLUDED.response_ms,
            latencies = {_LATENCIES_ADDED}
        """


_ADD_TO_HOURS = _adding("usage_hours", "hour", "to_timestamp(hour * 3600)")
_ADD_TO_DAYS = _adding("usage_days", "day", "date '1970-01-01' + day::integer")
_ADD_TO_TOTALS: LiteralString = f"""
    INSERT INTO usage_totals AS kept (product, method, endpoint, status_code, problem_code,
        calls, response_ms, latencies)
    SELECT (%(texts)s::text[])[product], (%(texts)s::text[])[method], (%(texts)s::text[])[endpoint],
        status_code::integer, (%(texts)s::text[])[problem], calls, response_ms, latencies
    FROM (
        SELECT (%(product)s::bigint[])[i] AS product, (%(method)s::bigint[])[i] AS method,
            (%(endpoint)s::bigint[])[i] AS endpoint, (%(status_code)s::bigint[])[i] AS status_code,
            (%(problem)s::bigint[])[i] AS problem, (%(calls)s::bigint[])[i] AS calls,
            (%(response_ms)s::bigint[])[i] AS response_ms, {_LATENCIES}
        FROM generate_series(1, array_length(%(product)s::bigint[], 1)) AS i
    ) AS added
    ORDER BY 1, 2, 3, 4, 5
    ON CONFLICT (product, method, endpoint, status_code, problem_code) DO UPDATE SET
        calls = kept.calls + EXCLUDED.calls,
        response_ms = kept.response_ms + EXCLUDED.response_ms,
        latencies = {_LATENCIES_ADDED}
"""


async def add_to_hours(tx: Transaction, columns: Columns) -> None:
    """Add to the sums by hour."""
    await tx.execute(_ADD_TO_HOURS, columns)


async def add_to_days(tx: Transaction, columns: Columns) -> None:
    """Add to the sums by day."""
    await tx.execute(_ADD_TO_DAYS, columns)


async def add_to_totals(tx: Transaction, columns: Columns) -> None:
    """Add to the sums since the beginning; in the order of their key, as for the others."""
    await tx.execute(_ADD_TO_TOTALS, columns)
