"""Forgets, every night, whoever never verified and whatever can mean nothing any more."""

from typing import Any

from tollway.customers import retention_operations as retention
from tollway.kit import idempotency
from tollway.kit.clock import read_now
from tollway.kit.db import Database
from tollway.kit.jobs import JobRegistry
from tollway.kit.log import log
from tollway.lifecycle import operations

BATCH_SIZE = 200


def register(registry: JobRegistry, database: Database) -> None:
    """Register the nightly deletion."""

    async def delete_expired(_payload: dict[str, Any]) -> None:
        await _delete_expired(database)

    registry.add_schedule("lifecycle.delete_expired", "41 2 * * *", delete_expired)


async def _delete_expired(database: Database) -> None:
    now = read_now()
    async with database.transaction() as tx:
        ended = await retention.delete_ended(tx, now)
        await idempotency.delete_expired(tx, now)
    deleted = 0
    while True:
        async with database.transaction() as tx:
            batch = await operations.list_unverified(tx, now, BATCH_SIZE)
        for customer in batch:
            # One by one: a customer is gone whole or not at all, and no lock is held for long.
            async with database.transaction() as tx:
                deleted += await operations.delete_unverified(tx, customer, now)
        if len(batch) < BATCH_SIZE:
            break
    log.info("expired rows deleted", unverified_customers=deleted, sessions_and_challenges=ended)
