"""Everybody's usage, for owners: what was used in a period, and what the metrics say."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tollway.customers.entities import Mode
from tollway.kit.db import Transaction
from tollway.metering import platform_store as store
from tollway.metering.platform import (
    ACTIVE_DAYS,
    CUSTOMERS_MEASURED_MAX,
    CUSTOMERS_SHOWN_MAX,
    ENDPOINTS_SHOWN_MAX,
    ActiveCustomers,
    CustomerKeyCalls,
    JournalStanding,
    KeyCount,
    LedgerTotal,
    Period,
    PlatformUsage,
    QuotaUse,
    Span,
    Sums,
)

__all__ = ["Ledger", "LedgerTotal", "Period", "PlatformUsage", "Sums", "get_database_bytes",
           "get_journal_positions", "get_journal_standing", "get_ledger", "get_platform_usage"]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Ledger:
    """All that the metrics read off the database's books."""

    totals: list[LedgerTotal]
    key_calls: list[CustomerKeyCalls]
    key_counts: list[KeyCount]
    active_customers: list[ActiveCustomers]
    quota_use: list[QuotaUse]
    journal: JournalStanding
    database_bytes: int


async def get_platform_usage(
    tx: Transaction, period: Period, now: datetime, mode: Mode | None = None
) -> PlatformUsage:
    """Add up what everybody used in the period that ends now, beside the time of the same length before it.

    Args:
        mode: live or test calls alone; None: both.
    """
    span = Span.of(period, now)
    chosen = mode.value if mode else None
    return PlatformUsage(
        period=period,
        span=span,
        totals=await store.get_totals(tx, span, chosen),
        before=await store.get_totals(tx, span.before, chosen),
        endpoints=await store.list_endpoints(tx, span, chosen, ENDPOINTS_SHOWN_MAX),
        plans=await store.list_plans(tx, span, chosen),
        days=await store.list_days(tx, span, chosen),
        hours=await store.list_hours(tx, span, chosen) if span.by_hour else [],
        customers=await store.list_customers(tx, span, chosen, CUSTOMERS_SHOWN_MAX),
        keys=await store.get_key_use(tx, span, chosen, now),
    )


async def get_ledger(tx: Transaction, now: datetime) -> Ledger:
    """Read the counters since the beginning and the gauges of the moment; a few queries over small tables."""
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return Ledger(
        totals=await store.list_ledger_totals(tx),
        key_calls=await store.list_key_calls(tx, today.replace(day=1), CUSTOMERS_MEASURED_MAX),
        key_counts=await store.list_key_counts(tx, now),
        active_customers=await store.list_active_customers(tx, today - timedelta(days=ACTIVE_DAYS - 1)),
        quota_use=await store.list_quota_use(tx, now),
        journal=await store.get_journal_standing(tx),
        database_bytes=await store.get_database_bytes(tx),
    )


async def get_journal_standing(tx: Transaction) -> JournalStanding:
    """Say how far the journals of all processes were taken over."""
    return await store.get_journal_standing(tx)


async def get_journal_positions(tx: Transaction) -> dict[int, tuple[int, int]]:
    """Return how far each journal was taken over that has not ended: segment and record, by source."""
    rows = await store.list_journal_positions(tx)
    return {row["id"]: (row["segment"], row["record_index"]) for row in rows}


async def get_database_bytes(tx: Transaction) -> int:
    """Say how much room the database takes."""
    return await store.get_database_bytes(tx)
