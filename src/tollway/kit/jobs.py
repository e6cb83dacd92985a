"""Background jobs: rows written through the caller's own transaction, run by a worker at least once.

A job that is enqueued in a transaction exists exactly when that transaction committed. A worker that
dies leaves its jobs with a heartbeat that goes stale, and another worker takes them again; so every
job is safe to run twice. PgQueuer does the queueing; this file is its only user.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Self

from pgqueuer import PgQueuer
from pgqueuer.db import PsycopgDriver
from pgqueuer.models import Job
from pgqueuer.ports.driver import NotifyCallback
from pgqueuer.queries import Queries
from psycopg import AsyncConnection

from tollway.kit.db import Database, Transaction
from tollway.kit.log import log
from tollway.kit.scope import request_id

# A worker that has not been heard of for this long is taken for dead.
HEARTBEAT_SECONDS_MAX = 10
RETRY_DELAYS_SECONDS = (5, 30, 300, 1800, 7200)

JobRunner = Callable[[dict[str, Any]], Awaitable[None]]


async def enqueue_job(
    tx: Transaction, name: str, payload: dict[str, Any], *, delay: timedelta | None = None, priority: int = 0
) -> None:
    """Write a job that runs once this transaction has committed, and never if it rolls back.

    Args:
        name: `domain.verb`, as the worker registered it.
        payload: ids and plain values, as JSON.
        delay: how long to wait before the first try.
        priority: higher runs earlier.
    """
    await Queries.from_psycopg_connection(tx.connection).enqueue(
        name, json.dumps(payload).encode(), priority, execute_after=delay
    )


async def enqueue_jobs(
    tx: Transaction,
    name: str,
    payloads: list[dict[str, Any]],
    *,
    delay: timedelta = timedelta(0),
    priority: int = 0,
) -> None:
    """Write many jobs of one name in one statement; `delay` and `priority` as above."""
    if payloads:
        bodies: list[bytes | None] = [json.dumps(one).encode() for one in payloads]
        await Queries.from_psycopg_connection(tx.connection).enqueue(
            [name] * len(payloads), bodies, [priority] * len(payloads), [delay] * len(payloads)
        )


@dataclass(frozen=True, slots=True)
class QueueState:
    """How the queue stands; `oldest_due_seconds` is how long the job that is due longest has waited."""

    waiting_count: int
    failed_count: int
    oldest_due_seconds: int


async def get_queue_state(tx: Transaction, now: datetime) -> QueueState:
    """Say how many jobs wait and failed, and whether anybody takes them."""
    return await tx.get_one(
        QueueState,
        """
        SELECT count(*) FILTER (WHERE status = 'queued') AS waiting_count,
            count(*) FILTER (WHERE status = 'failed') AS failed_count,
            COALESCE(extract(epoch FROM %(now)s - min(execute_after) FILTER (
                WHERE status = 'queued' AND execute_after <= %(now)s)), 0)::int AS oldest_due_seconds
        FROM pgqueuer
        """,
        {"now": now},
    )


async def count_waiting_jobs(tx: Transaction, name: str) -> int:
    """Count the jobs of one name that no worker has taken yet."""
    found = await tx.find_value(
        "SELECT count(*) FROM pgqueuer WHERE entrypoint = %(name)s AND status = 'queued'", {"name": name}
    )
    return int(found)


async def list_unfinished_payloads(tx: Transaction, name: str) -> list[dict[str, Any]]:
    """List what the jobs of one name were asked that wait or are under way, retries among them."""
    rows = await tx.list_rows(
        "SELECT payload FROM pgqueuer WHERE entrypoint = %(name)s AND status IN ('queued', 'picked')",
        {"name": name},
    )
    return [json.loads(bytes(row["payload"] or b"{}")) for row in rows]


@dataclass(slots=True)
class JobRegistry:
    """The jobs a worker can run: one runner for each name, with how many of it may run at once."""

    runners: dict[str, tuple[JobRunner, int]] = field(default_factory=dict)
    schedules: dict[str, tuple[str, JobRunner]] = field(default_factory=dict)

    def add(self, name: str, runner: JobRunner, *, at_once_max: int = 0) -> None:
        """Register the runner of a job; `at_once_max` 0 means no bound of its own."""
        assert name not in self.runners, name
        self.runners[name] = (runner, at_once_max)

    def add_schedule(self, name: str, crontab: str, runner: JobRunner) -> None:
        """Register a job that runs by the clock (UTC), once over all workers."""
        self.schedules[name] = (crontab, runner)


async def run_worker(
    database: Database,
    registry: JobRegistry,
    stop: asyncio.Event,
    *,
    at_once_max: int,
    heartbeat_seconds: float = HEARTBEAT_SECONDS_MAX,
) -> None:
    """Run jobs until `stop` is set, then finish those under way.

    Args:
        at_once_max: how many jobs this worker holds at the same time.
        heartbeat_seconds: after how long without a heartbeat a job of another worker is taken again.
    """
    async with await database.connect() as connection, await database.connect() as listening:
        queue = PgQueuer(_Driver(connection, listening))
        for name, (runner, limit) in registry.runners.items():
            # A failed job stays in the table as `failed`, where `tollway doctor` counts it.
            queue.entrypoint(name, concurrency_limit=limit, on_failure="hold")(_job_function(name, runner))
        for name, (crontab, runner) in registry.schedules.items():
            queue.schedule(name, crontab)(_schedule_function(name, runner))

        async def watch() -> None:
            await stop.wait()
            queue.shutdown.set()

        watcher = asyncio.create_task(watch())
        try:
            await queue.run(
                batch_size=max(1, at_once_max // 2),
                max_concurrent_tasks=max(2, at_once_max),
                dequeue_timeout=timedelta(seconds=2),
                heartbeat_timeout=timedelta(seconds=heartbeat_seconds),
            )
        finally:
            watcher.cancel()


class _Driver(PsycopgDriver):
    """PgQueuer's driver with a second connection for notifications.

    Waiting for a notification holds its connection for up to a second, and on a shared one every
    heartbeat, every taking of a job and every report of its end would wait behind it.
    """

    def __init__(self, connection: AsyncConnection[Any], listening: AsyncConnection[Any]) -> None:
        super().__init__(connection)
        self._listener = PsycopgDriver(listening)

    async def add_listener(self, channel: str, callback: NotifyCallback) -> None:
        await self._listener.add_listener(channel, callback)

    async def remove_listener(self, channel: str, callback: NotifyCallback) -> None:
        await self._listener.remove_listener(channel, callback)

    async def __aenter__(self) -> Self:
        await self._listener.__aenter__()
        return await super().__aenter__()

    async def __aexit__(self, *failure: object) -> None:
        await super().__aexit__(*failure)
        await self._listener.__aexit__(*failure)


def _job_function(name: str, runner: JobRunner) -> Callable[[Job], Awaitable[None]]:
    async def run(job: Job) -> None:
        request_id.set(f"job_{job.id}")
        await runner(json.loads(job.payload or b"{}"))

    run.__name__ = name
    return run


def _schedule_function(name: str, runner: JobRunner) -> Callable[[Any], Awaitable[None]]:
    async def run(_schedule: Any) -> None:
        request_id.set(f"schedule_{name}")
        try:
            await runner({})
        except Exception:  # noqa: BLE001 - a job may fail in any way, and is reported below
            # The schedule itself must live on: tomorrow's run may succeed.
            log.exception("scheduled job failed", job=name)

    run.__name__ = name
    return run
