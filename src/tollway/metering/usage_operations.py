"""Write usage: each call is a row of the log, and counts in the sums that pages and bills read."""

from bisect import bisect_left
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np

from tollway.customers.entities import Mode
from tollway.kit.db import Transaction
from tollway.metering import usage_copy_store, usage_store
from tollway.metering.entities import LATENCY_BOUNDS_MS, UsageBatch, UsageEvent, UsageSource
from tollway.metering.sums import CLASSES, Sums, add_up, class_of


async def begin_source(tx: Transaction, name: str, now: datetime) -> int:
    """Write that a process begins a journal of its own, under a name that none had; return its id.

    Writes: usage_sources.
    """
    return await usage_store.insert_source(tx, name, now)


async def lock_source(tx: Transaction, source_id: int) -> UsageSource | None:
    """Return how far a journal was taken over, None for one that this database does not know.

    Nobody else takes from it until the transaction ends.
    """
    return await usage_store.lock_source(tx, source_id)


async def advance_source(
    tx: Transaction,
    source_id: int,
    position: tuple[int, int],
    *,
    shipped_count: int,
    damaged_count: int,
    now: datetime,
) -> None:
    """Write how far a journal was taken over, in the transaction of what was taken. Writes: usage_sources."""
    await usage_store.advance_source(
        tx, source_id, position, shipped_count=shipped_count, damaged_count=damaged_count, now=now
    )


async def end_source(tx: Transaction, source_id: int, now: datetime) -> None:
    """Write that a journal was taken over whole and that its process is gone. Writes: usage_sources."""
    await usage_store.update_to_ended(tx, source_id, now)


async def track_first_calls(tx: Transaction, first_us_by_customer: Mapping[int, int]) -> None:
    """Remember when customers made their first call (microseconds since 1970, UTC), unless they made one before.

    Writes: analytics_events.
    """
    if first_us_by_customer:
        await usage_store.insert_first_calls(tx, first_us_by_customer)


async def record_usage(tx: Transaction, event: UsageEvent) -> None:
    """Write one call to the usage log and add it to the sums.

    What is given back, a row of negative units, is no call: only its units and credits are added.
    Call it last in a transaction: the sums' rows are shared by all calls of an endpoint.
    Writes: api_usage_logs, usage_hours, usage_days, usage_totals.
    """
    await usage_store.insert_usage(tx, event)
    columns = _columns_of(event)
    await usage_store.add_to_hours(tx, columns)
    await usage_store.add_to_days(tx, columns)
    if event.units >= 0:
        await usage_store.add_to_totals(tx, columns)


async def await_erasures(tx: Transaction) -> None:
    """Wait for erasures under way, and let none begin until the transaction ends. Call it before any lock."""
    await usage_store.lock_origins(tx, alone=False)


async def hold_arrivals(tx: Transaction) -> None:
    """Wait for calls that are being carried to the log, and let none arrive until the transaction ends.

    An erasure or deletion calls it before any lock: what arrives afterwards finds that the customer is gone.
    """
    await usage_store.lock_origins(tx, alone=True)


async def append_calls(tx: Transaction, batch: UsageBatch) -> Sums:
    """Write many calls to the usage log, and return by how much their sums grow, for `add_sums`.

    Two halves of what `record_usage` does with one call, for the log has no row that two writers want, and a sum is
    wanted by all: what else a transaction locks comes in between. Calls of customers who were erased or deleted since
    are written without address and user agent. Call `await_erasures` first in the transaction.
    Raises: one of kit.db.UNFIT where a value is none that the database takes. Writes: api_usage_logs.
    """
    if len(batch):
        erased = await usage_store.list_erased(tx, np.unique(batch.calls["customer_id"]))
        await usage_copy_store.copy_usage(tx, batch.without_origin(erased) if erased else batch)
    return add_up(batch)


async def add_sums(tx: Transaction, sums: Sums) -> None:
    """Add to the sums what calls that were written to the log add up to; call it last in a transaction.

    Raises: as `append_calls`. Writes: usage_hours, usage_days, usage_totals.
    """
    if sums.hours:
        await usage_store.add_to_hours(tx, sums.hours)
        await usage_store.add_to_days(tx, sums.days)
    if sums.totals:
        await usage_store.add_to_totals(tx, sums.totals)


def _columns_of(event: UsageEvent) -> dict[str, list[Any]]:
    """Lay one call out as the sums that it adds."""
    is_call = event.units >= 0
    seconds = int(event.request_timestamp.timestamp())
    values = {
        "hour": seconds // 3600,
        "day": seconds // 86400,
        "customer_id": event.customer_id,
        "product": 1,
        "live": int(event.mode is Mode.LIVE),
        "api_key_id": event.api_key_id or 0,
        "method": 2,
        "endpoint": 3,
        "status_code": event.status_code,
        "problem": 4,
        **dict.fromkeys(CLASSES, 0),
        "calls": 1,
        "units": event.units,
        "credits": event.credits_consumed,
        "response_ms": event.response_time_ms if is_call else 0,
    }
    latencies = [0] * (len(LATENCY_BOUNDS_MS) + 1)
    if is_call:
        values[CLASSES[class_of(event.status_code)]] = 1
        latencies[bisect_left(LATENCY_BOUNDS_MS, event.response_time_ms)] = 1
    texts = [event.product, event.method, event.endpoint, event.problem_code or ""]
    return {name: [value] for name, value in values.items()} | {"latencies": latencies, "texts": texts}
