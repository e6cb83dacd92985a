"""Looks at every part of an installation, each with an end."""

import asyncio
import time
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from tollway.admission.backlog_flows import Backlog, find_backlog
from tollway.kit import jobs
from tollway.kit.db import Database
from tollway.kit.machine import Machine, free_bytes, measure_machine, measure_memory
from tollway.metering import platform_operations as platform
from tollway.metering.platform_operations import Ledger
from tollway.monitoring.entities import (
    AVAILABLE_MEMORY_SHARE_MIN,
    CHECK_SECONDS_MAX,
    FREE_BYTES_MIN,
    JOURNAL_LAG_SECONDS_MAX,
    METRICS_SECONDS_MAX,
    QUEUE_AGE_SECONDS_MAX,
    Check,
    NoMeasurement,
    PartAnswers,
    Standing,
    Watched,
)
from tollway.monitoring.questions import Question


@dataclass(frozen=True, slots=True)
class Services:
    """Whether the parts that are configured answer, and after how many milliseconds; None: they do not.

    `has_redis` and `has_dask` are False where none is configured.
    """

    database_ms: float | None
    redis_ms: float | None
    has_redis: bool
    dask_ms: float | None
    has_dask: bool

    @property
    def are_well(self) -> bool:
        """Whether everything that was configured answers."""
        return (
            self.database_ms is not None
            and (self.redis_ms is not None or not self.has_redis)
            and (self.dask_ms is not None or not self.has_dask)
        )


@dataclass(frozen=True, slots=True)
class Measurement:
    """Everything that metrics are made of."""

    ledger: Ledger
    queue: jobs.QueueState
    waiting: Backlog
    machine: Machine


@dataclass(frozen=True, slots=True)
class _Books:
    queue: jobs.QueueState
    shipped_at: datetime | None
    records_damaged: int
    waiting: Backlog


class Monitor:
    """The questions of one server process; whoever looks often asks no more often for it."""

    def __init__(
        self, database: Database, watched: Watched, redis_answers: PartAnswers, dask_answers: PartAnswers
    ) -> None:
        self.watched = watched
        self._database = database
        self._database_asked = Question(self._time_database, CHECK_SECONDS_MAX)
        self._redis_asked = Question(partial(_time_part, redis_answers), CHECK_SECONDS_MAX)
        self._dask_asked = Question(partial(_time_part, dask_answers), CHECK_SECONDS_MAX)
        self._books = Question(self._read_books, CHECK_SECONDS_MAX)
        self._measured = Question(self._measure, METRICS_SECONDS_MAX)

    async def look_at_services(self, now: datetime) -> Services:
        """Ask every configured part whether it is there."""
        database, redis, dask = await asyncio.gather(
            self._database_asked.find(now), self._redis_asked.find(now), self._dask_asked.find(now)
        )
        # That there is none is an answer; a part that says nothing in time is configured and gone.
        has_redis, redis_ms = redis if redis is not None else (True, None)
        has_dask, dask_ms = dask if dask is not None else (True, None)
        return Services(database, redis_ms, has_redis, dask_ms, has_dask)

    async def has_database(self, now: datetime) -> bool:
        """Ask PostgreSQL alone."""
        return await self._database_asked.find(now) is not None

    async def examine(self, now: datetime) -> dict[str, Check]:
        """Look at each part by itself: how it stands, and what was measured."""
        services, books = await asyncio.gather(self.look_at_services(now), self._books.find(now))
        memory = await asyncio.to_thread(measure_memory)
        free = await asyncio.to_thread(free_bytes, self.watched.data_folder)
        return {
            "database": _answering(services.database_ms, "PostgreSQL"),
            "redis": _answering(services.redis_ms, "Redis")
            if services.has_redis
            else Check(Standing.DISABLED, None, "milliseconds", None, "REDIS_URL is not set."),
            "dask": _answering(services.dask_ms, "The Dask scheduler")
            if services.has_dask
            else Check(Standing.DISABLED, None, "milliseconds", None, "DASK_SCHEDULER is not set."),
            "memory": _at_least(
                memory.available_share,
                AVAILABLE_MEMORY_SHARE_MIN,
                "share",
                f"{memory.available_bytes / 1e9:.1f} of {memory.memory_bytes / 1e9:.1f} GB can be taken.",
            ),
            "journal": _journal(books),
            "shipper": _shipper(books, now),
            "queue": _queue(books),
            "disk": _at_least(free, FREE_BYTES_MIN, "bytes", f"{free / 1e9:.1f} GB are free."),
        }

    async def measure(self, now: datetime) -> Measurement:
        """Read everything that metrics are made of; one look at a time. Raises: NoMeasurement."""
        found = await self._measured.find(now)
        if found is None:
            raise NoMeasurement(
                "The database did not answer in time, and counters are read from it. Look again in a moment.",
                retry_after_seconds=5,
            )
        return found

    async def _time_database(self, _now: datetime) -> float:
        started = time.perf_counter()
        async with self._database.transaction() as tx:
            await tx.find_value("SELECT true")
        return _since(started)

    async def _read_books(self, now: datetime) -> _Books:
        async with self._database.transaction() as tx:
            queue = await jobs.get_queue_state(tx, now)
            journal = await platform.get_journal_standing(tx)
        waiting = await find_backlog(self._database, self.watched.journal_folder, now)
        return _Books(queue, journal.shipped_at, journal.records_damaged, waiting)

    async def _measure(self, now: datetime) -> Measurement:
        waiting = await find_backlog(self._database, self.watched.journal_folder, now)
        machine = await asyncio.to_thread(
            measure_machine, self.watched.data_folder, self.watched.counters_folder
        )
        async with self._database.transaction() as tx:
            ledger = await platform.get_ledger(tx, now)
            queue = await jobs.get_queue_state(tx, now)
        return Measurement(ledger, queue, waiting, machine)


async def _time_part(answers: PartAnswers, _now: datetime) -> tuple[bool, float | None]:
    started = time.perf_counter()
    there = await answers()
    return (False, None) if there is None else (True, _since(started) if there else None)


def _since(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 2)


def _answering(found_ms: float | None, name: str) -> Check:
    limit = CHECK_SECONDS_MAX * 1000
    if found_ms is None:
        return Check(
            Standing.UNHEALTHY, None, "milliseconds", limit, f"{name} does not answer within the limit."
        )
    return Check(Standing.HEALTHY, found_ms, "milliseconds", limit, f"{name} answers.")


def _at_least(value: float, limit: float, unit: str, says: str) -> Check:
    return Check(
        Standing.HEALTHY if value >= limit else Standing.UNHEALTHY, round(value, 4), unit, limit, says
    )


def _at_most(value: float, limit: float, says: str) -> Check:
    standing = Standing.HEALTHY if value <= limit else Standing.UNHEALTHY
    return Check(standing, round(value, 3), "seconds", limit, says)


def _unknown(limit: float) -> Check:
    return Check(Standing.UNKNOWN, None, "seconds", limit, "The database does not answer, and it knows.")


def _journal(books: _Books | None) -> Check:
    if books is None:
        return _unknown(JOURNAL_LAG_SECONDS_MAX)
    says = f"{books.waiting.records:,} records of this machine wait to be taken over"
    says += f"; {books.records_damaged:,} were damaged since the beginning." if books.records_damaged else "."
    return _at_most(books.waiting.oldest_seconds, JOURNAL_LAG_SECONDS_MAX, says)


def _shipper(books: _Books | None, now: datetime) -> Check:
    """Say since when nothing was taken over although something waits; with nothing waiting it has nothing to do."""
    if books is None:
        return _unknown(JOURNAL_LAG_SECONDS_MAX)
    if not books.waiting.records:
        return Check(Standing.HEALTHY, 0.0, "seconds", JOURNAL_LAG_SECONDS_MAX, "Nothing waits for it.")
    idle = (now - books.shipped_at).total_seconds() if books.shipped_at else books.waiting.oldest_seconds
    # Whoever came to wait just now says nothing of a shipper that had nothing to do until then.
    idle = max(0.0, min(idle, books.waiting.oldest_seconds))
    return _at_most(idle, JOURNAL_LAG_SECONDS_MAX, "Since records wait that nobody takes over.")


def _queue(books: _Books | None) -> Check:
    if books is None:
        return _unknown(QUEUE_AGE_SECONDS_MAX)
    queue = books.queue
    return _at_most(
        queue.oldest_due_seconds,
        QUEUE_AGE_SECONDS_MAX,
        f"{queue.waiting_count:,} jobs wait, {queue.failed_count:,} failed; the value is how long one is due.",
    )
