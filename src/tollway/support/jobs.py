"""Watches the deadlines of first answers."""

from typing import Any

from tollway.kit.clock import read_now
from tollway.kit.db import Database
from tollway.kit.jobs import JobRegistry
from tollway.kit.log import log
from tollway.support import operations
from tollway.support.entities import SupportDesk

BATCH_SIZE = 50


def register(registry: JobRegistry, database: Database, desk: SupportDesk) -> None:
    """Register the watch over deadlines, every five minutes."""

    async def tell_deadlines(_payload: dict[str, Any]) -> None:
        now, told = read_now(), 0
        while True:
            async with database.transaction() as tx:
                batch = await operations.tell_deadlines(tx, desk, now, BATCH_SIZE)
            told += batch
            if batch < BATCH_SIZE:
                break
        if told:
            log.info("deadlines of tickets told", mails=told)

    registry.add_schedule("support.tell_deadlines", "*/5 * * * *", tell_deadlines)
