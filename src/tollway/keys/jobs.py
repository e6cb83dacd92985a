"""Tells owners that a key of theirs is about to expire: a week before, and a day before."""

from datetime import timedelta
from typing import Any

from tollway.keys import management_operations as management
from tollway.kit.clock import read_now
from tollway.kit.db import Database
from tollway.kit.jobs import JobRegistry
from tollway.kit.log import log

FIRST_CALL = timedelta(days=7)
LAST_CALL = timedelta(days=1)
BATCH_SIZE = 100


def register(registry: JobRegistry, database: Database, base_url: str) -> None:
    """Register the look for keys that expire, a few minutes after every full hour."""

    async def tell_expiring(_payload: dict[str, Any]) -> None:
        await _tell_expiring(database, base_url)

    registry.add_schedule("keys.tell_expiring", "17 * * * *", tell_expiring)


async def _tell_expiring(database: Database, base_url: str) -> None:
    now, told = read_now(), 0
    while True:
        async with database.transaction() as tx:
            batch = await management.tell_expiring(
                tx, now, LAST_CALL, FIRST_CALL, base_url=base_url, limit=BATCH_SIZE
            )
        told += batch
        if batch < BATCH_SIZE:
            break
    log.info("owners told of expiring keys", api_keys=told)
