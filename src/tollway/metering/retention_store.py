"""SQL that keeps the usage log in months, made ahead and dropped when they are old."""

from datetime import date, datetime

from tollway.kit.db import Transaction

# Who waits for a table's lock keeps everybody behind them waiting; so not for long, and another day instead.
LOCK_TIMEOUT = "2s"
ROWS_PER_STATEMENT = 50_000


async def make_month(tx: Transaction, month: date) -> bool:
    """Make the partition of a month; return whether it was missing."""
    await tx.execute("SELECT set_config('lock_timeout', %(timeout)s, true)", {"timeout": LOCK_TIMEOUT})
    return bool(await tx.find_value("SELECT make_usage_month(%(month)s)", {"month": month}))


async def list_stray_months(tx: Transaction) -> list[date]:
    """List the months of rows that have no partition of their own."""
    rows = await tx.list_rows(
        """
        SELECT DISTINCT date_trunc('month', request_timestamp AT TIME ZONE 'UTC')::date AS month
        FROM api_usage_logs_rest ORDER BY month
        """
    )
    return [row["month"] for row in rows]


async def drop_months(tx: Transaction, until: datetime) -> int:
    """Drop the partitions of months that were over at an instant; return how many those were."""
    await tx.execute("SELECT set_config('lock_timeout', %(timeout)s, true)", {"timeout": LOCK_TIMEOUT})
    return int(await tx.find_value("SELECT drop_usage_months(%(until)s)", {"until": until}))


async def delete_stray_rows(tx: Transaction, until: datetime) -> int:
    """Delete rows without a month of their own from before an instant; return how many those were."""
    return await tx.execute(
        "DELETE FROM api_usage_logs_rest WHERE request_timestamp < %(until)s", {"until": until}
    )


async def delete_hours(tx: Transaction, until: datetime) -> int:
    """Delete the next sums by hour from before an instant; return how many those were."""
    return await tx.execute(
        """
        DELETE FROM usage_hours WHERE ctid = ANY(ARRAY(
            SELECT ctid FROM usage_hours WHERE hour < %(until)s LIMIT %(limit)s FOR UPDATE SKIP LOCKED))
        """,
        {"until": until, "limit": ROWS_PER_STATEMENT},
    )


async def delete_admission_changes(tx: Transaction, until: datetime) -> int:
    """Delete changes that every process has seen long ago; return how many those were."""
    return await tx.execute("DELETE FROM admission_changes WHERE changed_at < %(until)s", {"until": until})
