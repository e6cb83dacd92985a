"""Reads a journal: from a position on, in parts of bounded size, each record once, the damaged ones skipped.

A record is read when its checksum fits. One that does not is either still being written, which only the newest may
be, or damaged: then it is counted and left out, and what stands after it is read as if nothing had happened.
"""

import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tollway.admission import records
from tollway.admission.records import (
    BODY_BYTES,
    CALL_COLUMNS,
    RECORD_BYTES,
    Kind,
    TextOf,
)
from tollway.admission.segment_files import segment_name
from tollway.kit.log import log
from tollway.metering.entities import UsageBatch, taken

# The first look is small, so that looking where nothing is new costs nothing; each further one is larger.
LOOK_RECORDS = (64, 1024, 8192)

_NOTHING = bytes(LOOK_RECORDS[0] * RECORD_BYTES)
_BODIES = np.dtype([("body", f"V{BODY_BYTES}"), ("crc", "<u4")])


@dataclass(slots=True)
class Part:
    """What one reading found: calls, leases that ended, and where the next reading begins."""

    # Where the part before it ended, which is where the database must stand.
    start: tuple[int, int]
    end: tuple[int, int]
    calls: UsageBatch
    lease_units: dict[int, int]
    ended_leases: list[int]
    damaged: list[int]
    closed: bool


class JournalReader:
    """The journal of one source, read from a position: a segment, and a record's index in it."""

    def __init__(self, folder: Path, source_id: int, segment: int, index: int) -> None:
        self.folder = folder
        self.source_id = source_id
        self.segment = segment
        self.index = index
        # Where the part before ended; a segment may have been left since.
        self._end = (segment, index)
        self._descriptor = -1
        self._seed = 0
        self._capacity = 0
        self._was_full = False
        self._strings: dict[int, str] = {}
        self._string_parts: dict[int, dict[int, bytes]] = {}

    def close(self) -> None:
        """Let the open file go."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def read(self, records_max: int, *, ended: bool) -> Part | None:
        """Read what comes next and go on after it, or return None where nothing is there now.

        Args:
            records_max: how many records to take at most.
            ended: whether the process is known to be gone. With it, None means that the journal is read to its end.
        """
        while True:
            if not self._open():
                return None
            part = self._read_written(records_max)
            if part is not None:
                return part
            # Asked before the segment is read once more: what was written until then is seen now.
            following = self._following(ended=ended)
            if following is None and not ended:
                return None
            part = self._read_left(records_max)
            if part is not None or following is None:
                return part
            self.close()
            self.segment, self.index = following, 0

    def move(self, segment: int, index: int) -> None:
        """Go to another position."""
        self.close()
        self.segment, self.index = self._end = segment, index

    def forget_segments(self, segment: int) -> None:
        """Remove the segments before one, which were taken over whole."""
        for number in self._numbers():
            if number < segment:
                (self.folder / segment_name(number)).unlink(missing_ok=True)

    # segments -------------------------------------------------------------------------------------

    def _open(self) -> bool:
        """Open the segment of the position; return whether there is one."""
        if self._descriptor >= 0:
            return True
        while True:
            try:
                self._descriptor = os.open(self.folder / segment_name(self.segment), os.O_RDONLY)
                break
            except FileNotFoundError:
                later = [
                    number for number in self._numbers() if number > self.segment and self._begun(number)
                ]
                if not later:
                    return False
                log.error("segment of a journal is missing", source_id=self.source_id, segment=self.segment)
                self.segment, self.index = later[0], 0
        self._seed = records.checksum_seed(self.source_id, self.segment)
        self._capacity = os.fstat(self._descriptor).st_size // RECORD_BYTES - 1
        self._check_header()
        self._recall_strings()
        return True

    def _check_header(self) -> None:
        header = os.pread(self._descriptor, RECORD_BYTES, 0)
        if len(header) < RECORD_BYTES or not any(header):
            return
        body, crc = records.SEALED.unpack(header)
        if zlib.crc32(body, self._seed) != crc or not body.startswith(records.MAGIC):
            # Everything that it says is known otherwise, so the segment is read all the same.
            log.error("header of a segment is damaged", source_id=self.source_id, segment=self.segment)

    def _recall_strings(self) -> None:
        """Read again what the numbers before the position stand for."""
        for start in range(0, self.index, LOOK_RECORDS[-1]):
            found = self._slots(start, min(LOOK_RECORDS[-1], self.index - start))
            self._define_strings(found[self._whole(found) & (found["kind"] == Kind.STRING)])

    def _numbers(self) -> list[int]:
        return sorted(int(path.stem) for path in self.folder.glob("*.segment") if path.stem.isdigit())

    def _begun(self, number: int) -> bool:
        """Say whether a segment holds anything: one that is only reserved is all zeros."""
        with (self.folder / segment_name(number)).open("rb") as opened:
            return any(opened.read(2 * RECORD_BYTES))

    def _following(self, *, ended: bool) -> int | None:
        """Return the segment that the process went on to, or None."""
        if not (self.folder / segment_name(self.segment + 1)).exists() and not ended:
            # The usual case, twenty times a second.
            return None
        return next((one for one in self._numbers() if one > self.segment and self._begun(one)), None)

    # records --------------------------------------------------------------------------------------

    def _slots(self, start: int, count: int) -> NDArray[Any]:
        """Return the slots from an index on, as they are on disk."""
        count = max(0, min(count, self._capacity - start))
        found = os.pread(self._descriptor, count * RECORD_BYTES, (start + 1) * RECORD_BYTES)
        return np.frombuffer(found, CALL_COLUMNS, len(found) // RECORD_BYTES)

    def _whole(self, slots: NDArray[Any]) -> NDArray[np.bool_]:
        """Say of each slot whether its checksum fits."""
        if not slots["kind"].any():
            return np.zeros(len(slots), bool)
        sealed = slots.view(_BODIES)
        sums = np.fromiter(
            map(zlib.crc32, sealed["body"].tolist(), repeat(self._seed)), np.uint32, len(slots)
        )
        whole: NDArray[np.bool_] = (sums == sealed["crc"]) & (slots["kind"] != 0)
        return whole

    def _read_written(self, records_max: int) -> Part | None:
        """Read the next part of the segment that the process writes; up to its newest whole record."""
        if os.pread(self._descriptor, len(_NOTHING), (self.index + 1) * RECORD_BYTES) == _NOTHING:
            return None
        slots = self._look(records_max)
        whole = self._whole(slots)
        size = int(whole.nonzero()[0][-1]) + 1 if whole.any() else 0
        if not whole[:size].all():
            # A slot may have been read a moment before it was written, and the one after it a moment after. What
            # stands before a whole record has been written by now, so a second look decides.
            slots = self._slots(self.index, size)
            whole = self._whole(slots)
        slots, whole = slots[:size], whole[:size]
        # The texts of a call that is being written wait for it.
        others = (~whole | (slots["kind"] != Kind.TEXT)).nonzero()[0]
        size = int(others[-1]) + 1 if len(others) else 0
        return self._part(slots[:size], whole[:size]) if size else None

    def _read_left(self, records_max: int) -> Part | None:
        """Read the next part of a segment to which nothing more is written; what is not whole is damaged."""
        size = self._used() - self.index
        if size <= 0:
            return None
        slots = self._slots(self.index, min(size, records_max))
        return self._part(slots, self._whole(slots))

    def _look(self, records_max: int) -> NDArray[Any]:
        """Return the slots from the position on, as few as hold what was written."""
        if not self._was_full:
            for count in LOOK_RECORDS:
                slots = self._slots(self.index, min(count, records_max))
                if not len(slots) or not slots["kind"][-1]:
                    return slots
        slots = self._slots(self.index, records_max)
        self._was_full = len(slots) > 0 and bool(slots["kind"][-1])
        return slots

    def _used(self) -> int:
        """Return how many slots of the segment, from its beginning, something was written to."""
        used = self.index
        for start in range(self.index, self._capacity, LOOK_RECORDS[-1]):
            filled = self._slots(start, LOOK_RECORDS[-1])["kind"].nonzero()[0]
            used = start + int(filled[-1]) + 1 if len(filled) else used
        return used

    def _part(self, slots: NDArray[Any], whole: NDArray[np.bool_]) -> Part:
        """Make of slots what they say; those that are not whole are damaged."""
        kinds = np.where(whole, slots["kind"], 0)
        self._define_strings(slots[kinds == Kind.STRING])
        positions = (kinds == Kind.CALL).nonzero()[0]
        calls = taken(slots, positions)
        paths, request_ids = self._texts(slots, kinds, positions)
        spent = (calls["lease_id"] != 0) & (calls["units"] != 0)
        leases, which = np.unique(calls["lease_id"][spent], return_inverse=True)
        units = np.bincount(which, calls["units"][spent], len(leases)).astype(np.int64)
        ends = slots[kinds == Kind.LEASE_END].view(_BODIES)["body"].tolist()
        first = self.index
        start, self._end = self._end, (self.segment, first + len(slots))
        self.index += len(slots)
        return Part(
            start=start,
            end=self._end,
            calls=UsageBatch(calls, self._strings, records.METHODS, paths, request_ids),
            lease_units=dict(zip(leases.tolist(), units.tolist(), strict=True)),
            ended_leases=[records.LEASE_END.unpack(one)[2] for one in ends],
            damaged=[first + int(one) for one in (~whole).nonzero()[0]],
            closed=bool((kinds == Kind.CLOSE).any()),
        )

    def _texts(
        self, slots: NDArray[Any], kinds: NDArray[Any], positions: NDArray[Any]
    ) -> tuple[dict[int, str], dict[int, str]]:
        """Return the paths and long request ids of the calls that have them, by the call's place in the part."""
        paths: dict[int, str] = {}
        request_ids: dict[int, str] = {}
        counts = slots["texts"][positions]
        bodies = slots.view(_BODIES)["body"]
        for place in counts.nonzero()[0].tolist():
            end = int(positions[place])
            start = end - int(counts[place])
            if start < 0 or not (kinds[start:end] == Kind.TEXT).all():
                # A part is damaged: the call counts, and half a path would mislead.
                continue
            joined: dict[int, bytes] = {}
            for body in bodies[start:end].tolist():
                _kind, purpose, size, _sequence, text = records.TEXT.unpack(body)
                joined[purpose] = joined.get(purpose, b"") + text[:size]
            if TextOf.PATH in joined:
                paths[place] = joined[TextOf.PATH].decode("utf-8", "replace")
            if TextOf.REQUEST_ID in joined:
                request_ids[place] = joined[TextOf.REQUEST_ID].decode("utf-8", "replace")
        return paths, request_ids

    def _define_strings(self, slots: NDArray[Any]) -> None:
        for body in slots.view(_BODIES)["body"].tolist():
            _kind, position, count, size, _sequence, number, text = records.STRING.unpack(body)
            parts = self._string_parts.setdefault(number, {})
            parts[position] = text[:size]
            if len(parts) == count:
                whole = b"".join(parts[one] for one in range(count))
                self._strings[number] = whole.decode("utf-8", "replace")
                del self._string_parts[number]


def journals_in(folder: Path) -> Iterator[tuple[int, Path]]:
    """Give the id and the folder of every journal of this machine; what is being made has another name."""
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if entry.name.isdigit()]
    except FileNotFoundError:
        return
    for name in sorted(names, key=int):
        yield int(name), folder / name
