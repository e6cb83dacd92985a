"""Makes the months of the usage log ahead of time, and drops the old ones."""

from datetime import datetime
from typing import Any

from tollway.kit.clock import read_now
from tollway.kit.db import Database
from tollway.kit.jobs import JobRegistry
from tollway.kit.log import log
from tollway.metering import retention_operations


def register(registry: JobRegistry, database: Database, usage_log_days: int) -> None:
    """Register what keeps the usage log in shape; `usage_log_days`: how long calls are kept."""

    async def keep_months(_payload: dict[str, Any]) -> None:
        await keep_usage_months(database, read_now(), usage_log_days)

    async def prune_changes(_payload: dict[str, Any]) -> None:
        async with database.transaction() as tx:
            await retention_operations.prune_admission_changes(tx, read_now())

    registry.add_schedule("metering.keep_months", "23 * * * *", keep_months)
    registry.add_schedule("metering.prune_changes", "*/10 * * * *", prune_changes)


async def keep_usage_months(database: Database, now: datetime, usage_log_days: int) -> None:
    """Make the months that come and drop those that are old, each in a transaction of its own."""
    async with database.transaction() as tx:
        made = await retention_operations.make_partitions(tx, now)
    async with database.transaction() as tx:
        dropped = await retention_operations.drop_old_usage(tx, now, usage_log_days)
    if made or dropped:
        log.info("months of the usage log", made=made, dropped=dropped)
