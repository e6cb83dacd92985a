"""The journal of one process: what it served, in a memory-mapped file, before the reply's last byte leaves.

A record that `append` returned from is in the page cache, which outlives the process: `kill -9` loses none. A thread
asks the disk for it every 10 ms (flusher.py), which bounds what a power cut can lose; `flushed` waits for that.

A journal is a folder, <folder>/<source id>: segments of equal size, reserved on disk before they are needed, and a
file whose lock says that the process lives. A shipper (shipper.py) carries the records to PostgreSQL.
"""

import contextlib
import fcntl
import os
import shutil
import threading
import zlib
from pathlib import Path

from tollway.admission import records
from tollway.admission.entities import JournalFull
from tollway.admission.flusher import Flusher
from tollway.admission.records import (
    OTHER_STRING,
    OTHER_TEXT,
    PATH_LENGTH_MAX,
    RECORD_BYTES,
    REQUEST_ID_BYTES,
    REQUEST_ID_LENGTH_MAX,
    STRING_LENGTH_MAX,
    STRINGS_MAX,
    TEXT_BYTES,
    Kind,
    Letterhead,
    TextOf,
)
from tollway.admission.segment_files import LOCK_NAME, Segment, full, make_segment, segment_name

# 16 MiB: a process that answers 40,000 calls a second fills one in about three seconds.
SEGMENT_RECORDS = 131_071
# 71 minutes; a call that took longer counts as that long.
RESPONSE_US_MAX = 2**32 - 1
# A quarter of it for texts, and the longest request id and path, must fit beside a call.
SEGMENT_RECORDS_MIN = 64

_pack_call = records.CALL.pack
_pack_text = records.TEXT.pack
_seal = records.SEALED.pack_into
_crc32 = zlib.crc32


class Journal:
    """Records of one process, in order. Only the thread that opened it appends."""

    def __init__(self, folder: Path, source_id: int, lock: int, segment_records: int) -> None:
        assert segment_records >= SEGMENT_RECORDS_MIN, segment_records
        self.folder = folder
        self.source_id = source_id
        self._lock = lock
        self._capacity = segment_records
        self._strings: dict[str, int] = {"": records.NO_STRING, OTHER_TEXT: OTHER_STRING}
        # How many records define all texts; every segment begins with them, so they may fill a quarter of one.
        self._string_records = 1
        # What has to be written before the next call: numbers of new texts, and leases that ended.
        self._new_strings: list[str] = [OTHER_TEXT]
        self._ended_leases: list[int] = []
        self._closed = False
        self._low_from = segment_records - segment_records // 8
        self._index = 0
        self._first_sequence = 1
        # From this index on `append` has more to do than to write one record.
        self._slow_from = 0
        # Whether the calls under way may find no room: from here on nobody is let in before there is more.
        self.is_low = False
        self._making = threading.Lock()
        self._segment = self._make_segment(0)
        self._view = self._segment.view
        self._seed = self._segment.seed
        self._next: Segment | None = None
        self._left: list[Segment] = []
        self._flusher = Flusher(self)
        self._begin_segment()

    @classmethod
    def open(cls, folder: Path, source_id: int, *, segment_records: int = SEGMENT_RECORDS) -> "Journal":
        """Make the journal of a source that is new; its lock is held until the process ends.

        A process that is killed in here leaves a draft, which the shipper removes (segment_files.abandoned_drafts).
        Raises: JournalFull where there is no room for its first segment; then the source has no journal.
        """
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Made aside: a shipper must never see a journal without the lock that says that its process lives.
        draft = folder / f".{source_id}"
        shutil.rmtree(draft, ignore_errors=True)
        try:
            draft.mkdir(mode=0o700)
            lock = os.open(draft / LOCK_NAME, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as failure:
            raise full(failure) from failure
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            journal = cls(draft, source_id, lock, segment_records)
            draft.rename(folder / str(source_id))
        except BaseException as failure:
            os.close(lock)
            shutil.rmtree(draft, ignore_errors=True)
            if isinstance(failure, OSError):
                raise full(failure) from failure
            raise
        journal.folder = folder / str(source_id)
        return journal

    # what a process says --------------------------------------------------------------------------

    def intern(self, text: str) -> int:
        """Return the number that stands for a text; where there is room for no more texts, that of "(other)".

        A number holds as long as the journal. 4,096 texts have one of their own.
        """
        found = self._strings.get(text)
        if found is not None:
            return found
        if len(text) > STRING_LENGTH_MAX:
            return self.intern(text[:STRING_LENGTH_MAX])
        size = len(records.parts_of(records.encoded(text, STRING_LENGTH_MAX), records.STRING_BYTES))
        if len(self._strings) >= STRINGS_MAX or self._string_records + size > self._capacity // 4:
            return OTHER_STRING
        number = len(self._strings)
        self._strings[text] = number
        self._string_records += size
        self._new_strings.append(text)
        self._slow_from = 0
        return number

    def append(
        self,
        letterhead: Letterhead,
        timestamp_us: int,
        status: int,
        response_us: int,
        request_id: str,
        path: str = "",
        lease_id: int = 0,
        units: int = 0,
        remarks: bytes = b"",
    ) -> int:
        """Write one call, and return its sequence number; when this returns, no kill of the process can lose it.

        Args:
            letterhead: who called what from where, of `records.letterhead`.
            timestamp_us: microseconds since 1970, UTC.
            response_us: microseconds from the request to the reply.
            path: what was asked for, where it says more than the endpoint's pattern.
            lease_id: what the units were spent from; 0 for none.
            remarks: why it was refused, and what else few calls have, of `records.remarks`.

        Raises: JournalFull where no further segment can be reserved; it recovers by itself.
        """
        encoded = request_id.encode("utf-8", "replace")
        texts = 0
        index = self._index
        if path or index >= self._slow_from or len(encoded) > REQUEST_ID_BYTES:
            texts = self._write_before(encoded, path)
            encoded = encoded[:REQUEST_ID_BYTES]
            index = self._index
        sequence = self._first_sequence + index
        if response_us > RESPONSE_US_MAX:  # noqa: PLR1730 - min() is one more call for every request
            response_us = RESPONSE_US_MAX
        beginning, caller = letterhead
        body = _pack_call(
            beginning, sequence & 0xFFFFFFFF, caller, timestamp_us, lease_id, response_us, units, status,
            len(encoded), texts, remarks, encoded,
        )  # fmt: skip
        index += 1
        _seal(self._view, index * RECORD_BYTES, body, _crc32(body, self._seed))
        self._index = index
        if self._flusher.is_idle:
            self._flusher.wake()
        return sequence

    def append_lease_end(self, lease_id: int) -> None:
        """Say that nothing more is spent of a lease; where the disk is full, with the next call that fits."""
        self._ended_leases.append(lease_id)
        self._slow_from = 0
        with contextlib.suppress(JournalFull):
            self._make_room(b"", "")

    def assert_room(self) -> None:
        """Raise JournalFull where the calls under way may find no room; asked before a call is let in.

        An eighth of a segment is kept for those that were let in before.
        """
        if self.is_low:
            self._prepare()

    @property
    def sequence(self) -> int:
        """The sequence number of the newest record; 0 before there is one."""
        return self._first_sequence + self._index - 1

    @property
    def flushed_sequence(self) -> int:
        """The newest sequence number that no power cut can lose."""
        return self._flusher.flushed_sequence

    def _write_before(self, request_id: bytes, path: str) -> int:
        """Write what must stand before the next call; return how many TEXT records that were."""
        index = self._index
        if path and len(request_id) <= REQUEST_ID_BYTES and index + 1 < self._slow_from and "\0" not in path:
            text = path.encode("utf-8", "replace")
            if len(text) <= TEXT_BYTES:
                # The usual case, without a look at what else may be pending.
                self._write(_pack_text(Kind.TEXT, TextOf.PATH, len(text), self._next_sequence(), text))
                return 1
        return self._make_room(request_id, path)

    def _make_room(self, request_id: bytes, path: str) -> int:
        """Write what must stand before the next call, in a segment with room for both; return its TEXT count."""
        texts: list[tuple[TextOf, bytes]] = []
        if len(request_id) > REQUEST_ID_BYTES:
            # Whole again, not only the rest: a character may be cut in two where the record ends.
            whole = records.encoded(request_id.decode(), REQUEST_ID_LENGTH_MAX)
            texts += [(TextOf.REQUEST_ID, part) for part in records.parts_of(whole, records.TEXT_BYTES)]
        if path:
            whole = records.encoded(path, PATH_LENGTH_MAX)
            texts += [(TextOf.PATH, part) for part in records.parts_of(whole, records.TEXT_BYTES)]
        self._write_pending(len(texts) + 1)
        for purpose, part in texts:
            body = records.TEXT.pack(Kind.TEXT, purpose, len(part), self._next_sequence(), part)
            self._write(body)
        return len(texts)

    def _write_pending(self, needed: int) -> None:
        """Write new texts and ended leases, in a segment that has room for `needed` records after them."""
        while self._new_strings or self._ended_leases or self._index + needed > self._capacity:
            if self._index + needed + self._size_of_next_pending() > self._capacity:
                self._turn()
            elif self._new_strings:
                self._write_string(self._new_strings[0])
                del self._new_strings[0]
            elif self._ended_leases:
                body = records.LEASE_END.pack(Kind.LEASE_END, self._next_sequence(), self._ended_leases[0])
                self._write(body)
                del self._ended_leases[0]
        self.is_low = self._index >= self._low_from and self._next is None
        self._slow_from = self._capacity if self._index >= self._low_from else self._low_from

    def _size_of_next_pending(self) -> int:
        if self._new_strings:
            text = records.encoded(self._new_strings[0], STRING_LENGTH_MAX)
            return len(records.parts_of(text, records.STRING_BYTES))
        return len(self._ended_leases[:1])

    def _write_string(self, text: str) -> None:
        number = self._strings[text]
        parts = records.parts_of(records.encoded(text, STRING_LENGTH_MAX), records.STRING_BYTES)
        for position, part in enumerate(parts):
            self._write(
                records.STRING.pack(
                    Kind.STRING, position, len(parts), len(part), self._next_sequence(), number, part
                )
            )

    def _next_sequence(self) -> int:
        return (self._first_sequence + self._index) & 0xFFFFFFFF

    def _write(self, body: bytes) -> None:
        _seal(self._view, (self._index + 1) * RECORD_BYTES, body, _crc32(body, self._seed))
        self._index += 1
        if self._flusher.is_idle:
            self._flusher.wake()

    # segments -------------------------------------------------------------------------------------

    def _turn(self) -> None:
        """Go on in the next segment; raise JournalFull where there is no room for one."""
        self._prepare()
        assert self._next is not None
        self._left.append(self._segment)
        # In this order: whoever flushes at this moment may think that less was written, never more.
        written, self._index = self._index, 0
        self._first_sequence += written
        self._segment, self._next = self._next, None
        self._view, self._seed = self._segment.view, self._segment.seed
        self._begin_segment()

    def _prepare(self) -> None:
        """Reserve the segment after this one, unless that is done."""
        with self._making:
            if self._next is None:
                self._next = self._make_segment(self._segment.number + 1)
            self.is_low = False

    def _make_segment(self, number: int) -> Segment:
        return make_segment(self.folder, self.source_id, number, self._capacity)

    def _begin_segment(self) -> None:
        """Write the header, which says that the segment before it is complete, and define every text again."""
        body = records.HEADER.pack(
            records.MAGIC,
            RECORD_BYTES,
            self._capacity,
            self.source_id,
            self._segment.number,
            self._first_sequence,
        )
        _seal(self._view, 0, body, _crc32(body, self._seed))
        self._new_strings = [text for text in self._strings if text]
        self._slow_from = 0

    # to the disk ----------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to flush every 10 ms while there is something to flush."""
        self._flusher.start()

    async def flushed(self, sequence: int) -> None:
        """Return when a record is on disk, so that no power cut can lose it; many wait for one flush.

        Raises: JournalFull where the disk refuses.
        """
        await self._flusher.flushed(sequence)

    def written_segments(self) -> list[Segment]:
        """List the segments that may hold what is not on disk yet; the last one is still written to."""
        # In this order: a segment that is left meanwhile is in one of the two, or in both.
        current = self._segment
        return [*(segment for segment in self._left if segment is not current), current]

    def let_go(self, segments: list[Segment]) -> None:
        """Close segments that were left and are on disk whole."""
        for segment in segments:
            self._left.remove(segment)
            segment.close()

    def prepare_early(self) -> None:
        """Reserve the next segment once this one is half full."""
        if self._next is None and self._index > self._capacity // 2:
            with contextlib.suppress(JournalFull):
                # The next call that needs it tries again, and is the one to be refused.
                self._prepare()

    def close(self) -> None:
        """Write that the process ended in order, flush, and let the lock go; nothing can be appended after."""
        if self._closed:
            return
        with contextlib.suppress(JournalFull):
            self._write_pending(1)
            self._write(records.CLOSE.pack(Kind.CLOSE, self._next_sequence()))
        self._closed = True
        self._flusher.close()
        if self._next is not None:
            self._next.close()
            (self.folder / segment_name(self._next.number)).unlink(missing_ok=True)
        self._segment.close()
        os.close(self._lock)
