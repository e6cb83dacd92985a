"""Sends deliveries, sends again for those that a crash left, and deletes old ones."""

from typing import Any

from tollway.kit.clock import read_now
from tollway.kit.jobs import JobRegistry
from tollway.kit.log import log
from tollway.webhooks import delivery_operations as deliveries
from tollway.webhooks import flows
from tollway.webhooks.flows import PostRoom

# Over all workers. Most of the time is spent waiting for other people's servers: one customer's holds one of these.
AT_ONCE_MAX = 8
BATCH_SIZE = 500
DELETED_PER_STATEMENT = 5_000


def register(registry: JobRegistry, room: PostRoom) -> None:
    """Register the sending of deliveries."""

    async def send(payload: dict[str, Any]) -> None:
        outcome = await flows.deliver(room, payload["delivery_id"], payload["attempt"], read_now())
        if outcome is not None and outcome.error:
            log.info("webhook not taken", delivery=payload["delivery_id"], reason=outcome.error)

    async def sweep(_payload: dict[str, Any]) -> None:
        async with room.database.transaction() as tx:
            found = await deliveries.enqueue_overdue(tx, read_now(), BATCH_SIZE)
        if found:
            log.warning("overdue deliveries of webhooks sent for again", deliveries=found)

    async def delete_old(_payload: dict[str, Any]) -> None:
        deleted = DELETED_PER_STATEMENT
        while deleted == DELETED_PER_STATEMENT:
            async with room.database.transaction() as tx:
                deleted = await deliveries.delete_old(tx, read_now(), DELETED_PER_STATEMENT)

    registry.add(deliveries.SEND_JOB, send, at_once_max=AT_ONCE_MAX)
    registry.add_schedule("webhooks.sweep", "* * * * *", sweep)
    registry.add_schedule("webhooks.delete_old", "47 3 * * *", delete_old)
