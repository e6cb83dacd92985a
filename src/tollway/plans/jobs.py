"""Applies changes whose time has come, and sends the mails about plans: each once, however often it runs."""

from datetime import datetime
from typing import Any

from tollway.kit.clock import read_now
from tollway.kit.db import Database
from tollway.kit.jobs import JobRegistry
from tollway.kit.log import log
from tollway.plans import change_operations, change_store, notice_operations
from tollway.plans.change_operations import TELL_CHANGE_JOB
from tollway.plans.changes import ChangeEvent

BATCH_SIZE = 100


def register(registry: JobRegistry, database: Database, base_url: str) -> None:
    """Register what comes with time, and the mails."""

    async def apply_due(_payload: dict[str, Any]) -> None:
        await apply_due_changes(database, read_now())

    async def tell_free_trials(_payload: dict[str, Any]) -> None:
        await tell_all_free_trials(database, base_url, read_now())

    async def tell_change(payload: dict[str, Any]) -> None:
        async with database.transaction() as tx:
            await notice_operations.tell_change(
                tx, payload["change_id"], ChangeEvent(payload["event"]), base_url, read_now()
            )

    registry.add(TELL_CHANGE_JOB, tell_change)
    registry.add_schedule("plans.apply_due", "* * * * *", apply_due)
    registry.add_schedule("plans.tell_free_trials", "7 * * * *", tell_free_trials)


async def apply_due_changes(database: Database, now: datetime) -> None:
    """Apply every scheduled change whose time has come, each in a transaction of its own."""
    while True:
        async with database.transaction() as tx:
            due = await change_store.list_due(tx, now, BATCH_SIZE)
        applied = 0
        for one in due:
            # One by one: each holds the lock of one customer only, and for a moment.
            async with database.transaction() as tx:
                applied += await change_operations.apply_due_change(tx, one.public_id, now)
        if applied:
            log.info("changes of plans applied", count=applied)
        if len(due) < BATCH_SIZE:
            return


async def tell_all_free_trials(database: Database, base_url: str, now: datetime) -> None:
    """Send every mail about a free trial that is due."""
    while True:
        async with database.transaction() as tx:
            if not await notice_operations.tell_free_trials(tx, base_url, now):
                return
