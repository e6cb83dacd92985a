"""What journals on this machine hold that PostgreSQL has not: how many records, and how old the oldest call is."""

import asyncio
import os
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from tollway.admission.records import CALL_COLUMNS, RECORD_BYTES, Kind
from tollway.admission.segment_files import segment_name
from tollway.admission.segments import journals_in
from tollway.kit.db import Database
from tollway.metering import platform_operations as platform

# A quarter of a segment may define texts before its first call, and that is looked through in parts.
LOOK_RECORDS = 4_096


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits to be taken over; `oldest_seconds` is 0 where no call waits."""

    records: int
    oldest_seconds: float


async def find_backlog(database: Database, folder: Path, now: datetime) -> Backlog:
    """Look at every journal in a folder behind the place that it was taken over to.

    Args:
        folder: that of all journals of this machine; it need not exist.
    """
    async with database.transaction() as tx:
        reached = await platform.get_journal_positions(tx)
    return await asyncio.to_thread(read_backlog, folder, reached, now)


def read_backlog(folder: Path, reached: Mapping[int, tuple[int, int]], now: datetime) -> Backlog:
    """Add up what stands behind each place: the segment, and the record's index in it, by source.

    A journal without a place was taken over to its end, or has not begun.
    """
    waiting, found = 0, list[int | None]()
    for source_id, journal in journals_in(folder):
        if source_id not in reached:
            continue
        segment, index = reached[source_id]
        numbers = sorted(int(path.stem) for path in journal.glob("*.segment") if path.stem.isdigit())
        for number in numbers:
            if number < segment:
                continue
            start = index if number == segment else 0
            try:
                descriptor = os.open(journal / segment_name(number), os.O_RDONLY)
            except FileNotFoundError:
                # Taken over and removed at this moment.
                continue
            try:
                end = _written(descriptor, start)
                waiting += end - start
                found.append(_first_call_us(descriptor, start, end))
            finally:
                os.close(descriptor)
    oldest_us = min((one for one in found if one is not None), default=None)
    seconds = now.timestamp() - oldest_us / 1_000_000 if oldest_us is not None else 0.0
    return Backlog(waiting, max(0.0, seconds))


def _written(descriptor: int, start: int) -> int:
    """Return the index behind the newest record; records are written in order, and what is reserved is zeros."""
    capacity = max(start, os.fstat(descriptor).st_size // RECORD_BYTES - 1)

    def is_empty(index: int) -> bool:
        return os.pread(descriptor, 1, (index + 1) * RECORD_BYTES) in (b"", b"\0")

    return start + bisect_left(range(start, capacity), True, key=is_empty)


def _first_call_us(descriptor: int, start: int, end: int) -> int | None:
    for part in range(start, end, LOOK_RECORDS):
        found = os.pread(descriptor, min(LOOK_RECORDS, end - part) * RECORD_BYTES, (part + 1) * RECORD_BYTES)
        slots = np.frombuffer(found, CALL_COLUMNS, len(found) // RECORD_BYTES)
        calls = slots["timestamp_us"][slots["kind"] == Kind.CALL]
        if len(calls):
            return int(calls[0])
    return None
