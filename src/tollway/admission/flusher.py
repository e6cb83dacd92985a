"""Asks the disk for what a journal holds: every 10 ms while something is new, at once where a reply waits for it."""

import asyncio
import contextlib
import os
import threading
from typing import Protocol

from tollway.admission.segment_files import Segment, full
from tollway.kit.log import log

FLUSH_SECONDS = 0.010


class Flushed(Protocol):
    """A journal, as whoever flushes it sees it from another thread."""

    source_id: int

    @property
    def sequence(self) -> int:
        """The sequence number of its newest record."""
        ...

    def written_segments(self) -> list[Segment]:
        """List the segments that may hold what is not on disk yet; the last one is still written to."""
        ...

    def let_go(self, segments: list[Segment]) -> None:
        """Close segments that were left and are on disk whole."""
        ...

    def prepare_early(self) -> None:
        """Reserve the next segment before it is needed."""
        ...


class Flusher:
    """Flushes one journal, from a thread of its own once that was started."""

    def __init__(self, journal: Flushed) -> None:
        self._journal = journal
        # Whether nothing is new since the last flush began. Whoever appends looks, and calls `wake` where it is so.
        self.is_idle = True
        self.flushed_sequence = 0
        self._new = threading.Event()
        self._urgent = threading.Event()
        self._flushing = threading.Lock()
        self._waiting: list[tuple[int, asyncio.Future[None], asyncio.AbstractEventLoop]] = []
        self._waiting_lock = threading.Lock()
        self._closed = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to flush every 10 ms while there is something to flush."""
        assert self._thread is None, "it is started once"
        self._thread = threading.Thread(target=self._flush_often, name="journal", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Note that something is new."""
        self.is_idle = False
        self._new.set()

    async def flushed(self, sequence: int) -> None:
        """Return when a record is on disk; many wait for one flush. Raises: JournalFull where the disk refuses."""
        if sequence <= self.flushed_sequence:
            return
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        with self._waiting_lock:
            self._waiting.append((sequence, future, loop))
        if self._thread is None:
            await asyncio.to_thread(self.flush)
        else:
            self._urgent.set()
        await future

    def flush(self) -> None:
        """Ask the disk for everything that was appended before this call."""
        with self._flushing:
            self.is_idle = True
            # In this order: a segment that is left meanwhile is among them all the same.
            covered = self._journal.sequence
            segments = self._journal.written_segments()
            failure: OSError | None = None
            try:
                for segment in segments:
                    os.fdatasync(segment.descriptor)
                self.flushed_sequence = max(self.flushed_sequence, covered)
            except OSError as refused:
                # The records are still there for the shipper; only a power cut could lose them.
                log.error("journal not flushed", source_id=self._journal.source_id, reason=str(refused))
                failure = refused
            self._journal.let_go(segments[:-1])
        self._release(failure)

    def close(self) -> None:
        """Flush a last time, and end the thread."""
        self._closed = True
        if self._thread is not None:
            self._new.set()
            self._urgent.set()
            self._thread.join()
        self.flush()

    def _flush_often(self) -> None:
        while True:
            self._new.wait()
            # Who waits for the disk waits no longer than for what is under way.
            self._urgent.wait(FLUSH_SECONDS)
            self._urgent.clear()
            self._new.clear()
            self.flush()
            if self._closed:
                return
            self._journal.prepare_early()

    def _release(self, failure: OSError | None) -> None:
        """Wake who waited for what is flushed now."""
        if not self._waiting:
            return
        with self._waiting_lock:
            ready = [one for one in self._waiting if failure is not None or one[0] <= self.flushed_sequence]
            self._waiting = [one for one in self._waiting if one not in ready]
        for _sequence, future, loop in ready:
            # A loop that was closed has nobody left who waits.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(_wake, future, failure)


def _wake(future: asyncio.Future[None], failure: OSError | None) -> None:
    if future.done():
        return
    if failure is None:
        future.set_result(None)
    else:
        future.set_exception(full(failure))
