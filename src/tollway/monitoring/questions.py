"""Questions that have an end: whoever is asked and does not answer in time counts as gone."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Generic, TypeVar

import psycopg
import psycopg_pool

from tollway.kit.log import log

Answer = TypeVar("Answer")

# What nobody answered for so long is asked anew.
GIVEN_UP_SECONDS = 30.0
GONE = (psycopg.Error, psycopg_pool.PoolTimeout, OSError, TimeoutError)


class Question(Generic[Answer]):
    """One question to one part, asked once at a time: whoever asks meanwhile shares the answer.

    A part that hangs is waited for in the background, so that looking at it often takes neither more connections
    nor more time.
    """

    def __init__(self, ask: Callable[[datetime], Awaitable[Answer]], seconds_max: float) -> None:
        self._ask = ask
        self._seconds_max = seconds_max
        self._asking: asyncio.Task[Answer | None] | None = None
        self._asked = 0.0

    async def find(self, now: datetime) -> Answer | None:
        """Return the answer, or None where none came in time."""
        if self._asking is not None and time.monotonic() - self._asked > GIVEN_UP_SECONDS:
            self._asking.cancel()
            self._asking = None
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._answered(now))
            self._asked = time.monotonic()
        asking = self._asking
        await asyncio.wait({asking}, timeout=self._seconds_max)
        return asking.result() if asking.done() and not asking.cancelled() else None

    async def _answered(self, now: datetime) -> Answer | None:
        try:
            return await self._ask(now)
        except GONE as failure:
            log.warning("a part does not answer", reason=str(failure).strip())
            return None
