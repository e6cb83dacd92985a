"""Keep the usage log in months: made ahead, and dropped when they are older than what is kept."""

from datetime import date, datetime, timedelta

from tollway.kit.db import Transaction
from tollway.metering import retention_store

MONTHS_AHEAD = 3
# Processes look at changes twice a second.
CHANGES_KEPT = timedelta(hours=1)


async def make_partitions(tx: Transaction, now: datetime) -> int:
    """Make the partition of this month and of the next three, and of earlier months that rows came without one.

    Rows that lie in the rest move to the months that they belong to; those of a clock that ran ahead wait there for
    their month. Returns how many were made.
    """
    coming = [_month_after(now.date(), count) for count in range(MONTHS_AHEAD + 1)]
    earlier = [month for month in await retention_store.list_stray_months(tx) if month < coming[0]]
    return sum([await retention_store.make_month(tx, month) for month in earlier + coming])


async def drop_old_usage(tx: Transaction, now: datetime, keep_days: int) -> int:
    """Drop the months of the log that ended more than `keep_days` ago, and their sums by hour; days stay.

    Returns how many months were dropped.
    """
    until = now - timedelta(days=keep_days)
    dropped = await retention_store.drop_months(tx, until)
    await retention_store.delete_stray_rows(tx, until)
    while await retention_store.delete_hours(tx, until) == retention_store.ROWS_PER_STATEMENT:
        pass
    return dropped


async def prune_admission_changes(tx: Transaction, now: datetime) -> int:
    """Delete the notes of changes that every process has seen; return how many those were."""
    return await retention_store.delete_admission_changes(tx, now - CHANGES_KEPT)


def _month_after(day: date, count: int) -> date:
    """Return the first of the month that comes `count` months after a day's own."""
    months = day.year * 12 + day.month - 1 + count
    return date(months // 12, months % 12 + 1, 1)
