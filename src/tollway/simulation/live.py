"""Wakes those who watch a run: one listening connection for the whole process, one event for each watcher."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from tollway.kit.db import Database
from tollway.kit.log import log
from tollway.simulation.entities import StreamsAtOnce
from tollway.simulation.store import PROGRESS_CHANNEL

STREAMS_PER_CUSTOMER_MAX = 20
RECONNECT_SECONDS = 2.0


class RunFeed:
    """Notifications about runs. Watchers also look by themselves now and then, so a lost one costs a moment."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._watchers: dict[str, set[asyncio.Event]] = defaultdict(set)
        self._streams: dict[int, int] = defaultdict(int)
        self._listening: asyncio.Task[None] | None = None

    def assert_room(self, customer_id: int) -> None:
        """Refuse a stream before its first byte. Raises: StreamsAtOnce."""
        if self._streams.get(customer_id, 0) >= STREAMS_PER_CUSTOMER_MAX:
            raise StreamsAtOnce(
                f"{STREAMS_PER_CUSTOMER_MAX} event streams are open, the most that one customer may have. "
                "Close one, or ask for the progress as JSON.",
                retry_after_seconds=5,
            )

    @contextmanager
    def watch(self, run_id: str, customer_id: int) -> Iterator[asyncio.Event]:
        """Give an event that is set whenever the run changes."""
        if self._listening is None or self._listening.done():
            self._listening = asyncio.create_task(self._listen())
        changed = asyncio.Event()
        self._streams[customer_id] += 1
        self._watchers[run_id].add(changed)
        try:
            yield changed
        finally:
            self._forget(run_id, customer_id, changed)

    async def close(self) -> None:
        """Stop listening."""
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)
            self._listening = None

    def _forget(self, run_id: str, customer_id: int, changed: asyncio.Event) -> None:
        self._watchers[run_id].discard(changed)
        if not self._watchers[run_id]:
            del self._watchers[run_id]
        self._streams[customer_id] -= 1
        if not self._streams[customer_id]:
            del self._streams[customer_id]
        if not self._watchers and self._listening is not None:
            self._listening.cancel()
            self._listening = None

    async def _listen(self) -> None:
        while True:
            try:
                connection = await self._database.connect()
                async with connection:
                    await connection.execute(f"LISTEN {PROGRESS_CHANNEL}")
                    async for notice in connection.notifies():
                        for changed in self._watchers.get(notice.payload, ()):
                            changed.set()
            except psycopg.OperationalError as failure:
                log.warning("listening for progress was interrupted", reason=str(failure))
                await asyncio.sleep(RECONNECT_SECONDS)
