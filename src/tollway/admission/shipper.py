"""Carries journals to PostgreSQL, every record exactly once.

What a part of a journal says is written in one transaction with the position that it ends at. A shipper that dies
leaves both or neither; two at once take turns at the source's row. A journal whose process is gone is read to its
end; then its leases come back and its folder goes.

A shipper sees the journals of its own machine only; every machine that serves has one.
"""

import asyncio
import contextlib
import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import numpy as np

from tollway.admission.segment_files import abandoned_drafts, is_abandoned
from tollway.admission.segments import JournalReader, Part, journals_in
from tollway.keys import operations as keys
from tollway.kit.clock import read_now
from tollway.kit.db import GONE, REPLAYABLE, UNFIT, Database, Transaction
from tollway.kit.log import log
from tollway.metering import operations as metering
from tollway.metering import usage_operations
from tollway.metering.entities import UsageBatch

# Bounds the memory of a shipper: 16 MiB of records for each connection, twice that while it reads ahead, and what a
# part's columns take. The larger a part, the more calls share one sum.
RECORDS_PER_PART = 131_072
# While the database works for one journal, another one is read and laid out.
CONNECTIONS = 2
# Above this it reads the next part while the database takes the one before.
RECORDS_TO_READ_AHEAD = 16_384
# How long a record waits to be seen, at most, and how long a shipper waits for a database that went away.
LOOK_SECONDS = 0.05
RETRY_SECONDS = 1.0
# A process is looked for when its journal was silent for this many looks.
LOOKS_BEFORE_LOCK = 20
# Customers whose first call is known to be written; more are forgotten, and then written again in vain.
FIRST_CALLS_KNOWN_MAX = 100_000
DAMAGED_LISTED_MAX = 20


class Shipper:
    """Carries the journals of a folder to a database."""

    def __init__(
        self,
        database: Database,
        folder: Path,
        *,
        clock: Callable[[], datetime] = read_now,
        records_per_part: int = RECORDS_PER_PART,
    ) -> None:
        self.database = database
        self.folder = folder
        self._clock = clock
        self._records_per_part = records_per_part
        self._readers: dict[int, JournalReader] = {}
        self._silent: dict[int, int] = {}
        # Journals that belong to another database; reported once.
        self._foreign: set[int] = set()
        self._first_calls: set[int] = set()
        self._at_work = asyncio.Lock()

    async def ship_once(self) -> int:
        """Carry everything that the journals hold now; return how many calls that were.

        Raises: what the database raises; then everything since the last part is still in the journals.
        """
        async with self._at_work:
            return await self._ship_all(thorough=True)

    async def run(self, stop: asyncio.Event) -> None:
        """Carry what comes within about 100 ms of its coming, until `stop`; then what is there."""
        while not stop.is_set():
            try:
                async with self._at_work:
                    await self._ship_all(thorough=False)
                wait = LOOK_SECONDS
            except (*GONE, *REPLAYABLE) as failure:
                log.warning("usage waits in its journals for the database", reason=str(failure).strip())
                wait = RETRY_SECONDS
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), wait)
        try:
            await self.ship_once()
        except (*GONE, *REPLAYABLE) as failure:
            log.warning("usage stays in its journals until the next start", reason=str(failure).strip())
        self.close()

    def close(self) -> None:
        """Let the open files go."""
        for reader in self._readers.values():
            reader.close()
        self._readers.clear()

    async def _ship_all(self, *, thorough: bool) -> int:
        """Carry the journals, a few at once; where one fails, none goes on."""
        await self._remove_drafts()
        waiting = [one for one in journals_in(self.folder) if one[0] not in self._foreign]
        shipping = [
            asyncio.create_task(self._ship_next(waiting, thorough=thorough))
            for _ in range(min(CONNECTIONS, len(waiting)))
        ]
        try:
            return sum(await asyncio.gather(*shipping))
        finally:
            for task in shipping:
                task.cancel()
            await asyncio.gather(*shipping, return_exceptions=True)

    async def _remove_drafts(self) -> None:
        """End the sources whose process died before their journals were there."""
        for source_id, draft in abandoned_drafts(self.folder):
            async with self.database.transaction() as tx:
                source = await usage_operations.lock_source(tx, source_id)
                if source is not None and source.ended_at is None:
                    await usage_operations.end_source(tx, source_id, self._clock())
            shutil.rmtree(draft, ignore_errors=True)
            log.warning("the draft of a journal was removed: its process died", source_id=source_id)

    async def _ship_next(self, waiting: list[tuple[int, Path]], *, thorough: bool) -> int:
        """Carry one journal after the other, as long as any waits."""
        shipped = 0
        while waiting:
            source_id, folder = waiting.pop(0)
            shipped += await self._ship_source(source_id, folder, thorough=thorough)
        return shipped

    async def _ship_source(self, source_id: int, folder: Path, *, thorough: bool) -> int:
        """Carry what one journal holds now, part by part."""
        reader = self._readers.get(source_id) or await self._begin(source_id, folder)
        if reader is None:
            return 0
        shipped = 0
        silent = self._silent.get(source_id, LOOKS_BEFORE_LOCK)
        # Asked before reading: what a process wrote before it died is seen after it is known to be dead.
        ended = (thorough or silent >= LOOKS_BEFORE_LOCK) and is_abandoned(folder)
        try:
            part = reader.read(self._records_per_part, ended=ended)
            while part is not None:
                silent = -1
                count, following = await self._ship_and_read(reader, part, ended=ended)
                shipped += count
                few = len(part.calls) < min(RECORDS_TO_READ_AHEAD, self._records_per_part // 2)
                if few and not (thorough or ended or following):
                    # Caught up: a journal that never pauses must not keep the others waiting.
                    break
                part = following or reader.read(self._records_per_part, ended=ended)
            if ended:
                await self._end(reader)
        except BaseException:
            # Where it stands is what the database says.
            self._forget(source_id)
            raise
        self._silent[source_id] = 0 if ended or silent >= LOOKS_BEFORE_LOCK else silent + 1
        return shipped

    async def _begin(self, source_id: int, folder: Path) -> JournalReader | None:
        """Return a reader that stands where the database says, or None where there is nothing to read."""
        async with self.database.transaction() as tx:
            source = await usage_operations.lock_source(tx, source_id)
        if source is None:
            self._foreign.add(source_id)
            log.error("a journal belongs to another database, and stays where it is", source_id=source_id)
            return None
        if source.ended_at is not None:
            # The last shipper died between the end of the journal and the end of its folder.
            shutil.rmtree(folder, ignore_errors=True)
            return None
        reader = JournalReader(folder, source_id, *source.position)
        self._readers[source_id] = reader
        return reader

    async def _ship_and_read(
        self, reader: JournalReader, part: Part, *, ended: bool
    ) -> tuple[int, Part | None]:
        """Write one part, and where there is much to do read the next one while the database works."""
        ahead = None
        if len(part.calls) >= RECORDS_TO_READ_AHEAD:
            ahead = asyncio.create_task(asyncio.to_thread(reader.read, self._records_per_part, ended=ended))
        try:
            shipped = await self._ship_part(reader, part)
        finally:
            following = await ahead if ahead is not None else None
        if shipped is not None:
            return shipped, following
        # Another shipper took it: go on where that one stands.
        async with self.database.transaction() as tx:
            source = await usage_operations.lock_source(tx, reader.source_id)
        assert source is not None, "sources are never removed"
        reader.move(*source.position)
        return 0, None

    async def _ship_part(self, reader: JournalReader, part: Part) -> int | None:
        """Write one part, and return how many calls it was; None where another shipper took it.

        A value that the database refuses costs its own call only.
        """
        try:
            shipped = await self._write(reader, part, careful=False)
        except UNFIT as failure:
            log.error("a call does not fit the database", source_id=reader.source_id, reason=str(failure))
            shipped = await self._write(reader, part, careful=True)
        if shipped is None:
            return None
        reader.forget_segments(part.end[0])
        if part.damaged:
            log.error(
                "records of a journal are damaged and were left out",
                source_id=reader.source_id,
                segment=part.end[0],
                count=len(part.damaged),
                records=part.damaged[:DAMAGED_LISTED_MAX],
            )
        return shipped

    async def _write(self, reader: JournalReader, part: Part, *, careful: bool) -> int | None:
        """Write a part and its position in one transaction; None where the source stands elsewhere by now.

        INVARIANT: records and position commit together, so none is lost and none counts twice
        (tests/admission/test_shipper.py::test_a_killed_shipper_neither_loses_nor_doubles).
        """
        batch = part.calls
        async with self.database.transaction() as tx:
            await usage_operations.await_erasures(tx)
            source = await usage_operations.lock_source(tx, reader.source_id)
            if source is None or source.ended_at is not None or source.position != part.start:
                return None
            # The log comes first: it is most of the work, and nobody waits for a row of it. Then rows that others
            # wait for until the commit; every writer locks in this order: quotas, keys, steps of the funnel, sums.
            sums = None if careful else await usage_operations.append_calls(tx, batch)
            await metering.settle_leases(tx, part.lease_units, part.ended_leases)
            await keys.note_uses(tx, _last_uses(batch))
            first_calls = self._new_first_calls(batch)
            await usage_operations.track_first_calls(tx, first_calls)
            refused = 0
            if sums is None:
                refused = await self._append_fitting(tx, batch)
            else:
                await usage_operations.add_sums(tx, sums)
            await usage_operations.advance_source(
                tx,
                reader.source_id,
                part.end,
                shipped_count=len(batch) - refused,
                damaged_count=len(part.damaged) + refused,
                now=self._clock(),
            )
        if len(self._first_calls) > FIRST_CALLS_KNOWN_MAX:
            self._first_calls.clear()
        self._first_calls.update(first_calls)
        return len(batch) - refused

    async def _append_fitting(self, tx: Transaction, batch: UsageBatch) -> int:
        """Write the calls that the database takes, and return how many it refused."""
        try:
            async with tx.savepoint():
                await usage_operations.add_sums(tx, await usage_operations.append_calls(tx, batch))
            return 0
        except UNFIT as failure:
            if len(batch) == 1:
                log.error("a call was left out", call=batch.calls.tobytes().hex(), reason=str(failure))
                return 1
            middle = len(batch) // 2
            return await self._append_fitting(tx, batch.part(0, middle)) + await self._append_fitting(
                tx, batch.part(middle, len(batch))
            )

    def _new_first_calls(self, batch: UsageBatch) -> dict[int, int]:
        """Return the customers whose first served call with a key may be here, and when it came (microseconds)."""
        calls = batch.calls
        served = (calls["api_key_id"] != 0) & (calls["status"] < 400) & (calls["units"] >= 0)
        customers, which = np.unique(calls["customer_id"][served], return_inverse=True)
        earliest = np.full(len(customers), np.iinfo(np.int64).max)
        np.minimum.at(earliest, which, calls["timestamp_us"][served])
        found = zip(customers.tolist(), earliest.tolist(), strict=True)
        return {customer: first for customer, first in found if customer not in self._first_calls}

    async def _end(self, reader: JournalReader) -> None:
        """Give back what a process that is gone had leased, and remove its journal, which was carried whole."""
        now = self._clock()
        async with self.database.transaction() as tx:
            source = await usage_operations.lock_source(tx, reader.source_id)
            if source is not None and source.ended_at is None:
                returned = await metering.end_leases_of_source(tx, reader.source_id)
                await usage_operations.end_source(tx, reader.source_id, now)
                log.info("journal carried to its end", source_id=reader.source_id, units_returned=returned)
        self._forget(reader.source_id)
        shutil.rmtree(reader.folder, ignore_errors=True)

    def _forget(self, source_id: int) -> None:
        self._silent.pop(source_id, None)
        reader = self._readers.pop(source_id, None)
        if reader is not None:
            reader.close()


def _last_uses(batch: UsageBatch) -> dict[int, int]:
    """Return when each key was last used (microseconds); a key that was refused as unknown was sent, not used."""
    calls = batch.calls
    used = (calls["api_key_id"] != 0) & (calls["status"] != 401)
    found, which = np.unique(calls["api_key_id"][used], return_inverse=True)
    latest = np.zeros(len(found), np.int64)
    np.maximum.at(latest, which, calls["timestamp_us"][used])
    return dict(zip(found.tolist(), latest.tolist(), strict=True))
