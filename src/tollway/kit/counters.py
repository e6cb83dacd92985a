"""What processes count of their own work, in files that every process of this machine can add up.

Each process holds one file in the folder of its installation, mapped into memory and locked while the process lives:
an addition is an addition in memory. Whoever takes the file of a process that ended goes on from its numbers, so that
sums over all files never fall, whatever was killed.
"""

import fcntl
import mmap
import os
from bisect import bisect_left
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tollway.kit.log import log

# An answer belongs to the first bound that it does not pass; one more bucket holds the rest.
SIZE_BOUNDS_BYTES = (256, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576, 16_777_216)
# More processes of one role than this on one machine count for themselves alone.
FILES_MAX = 512
_CELLS = 32
_BYTES = _CELLS * 8
_PID, _ACTIVE, _BYTES_SENT, _SIZES = 0, 1, 2, 3
_SUFFIX = ".counts"


class ProcessCounters:
    """The numbers of this process. Additions are made by one thread, as an event loop does."""

    __slots__ = ("_cells", "_descriptor", "_memory")

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor
        self._memory = mmap.mmap(-1 if descriptor is None else descriptor, _BYTES)
        self._cells = memoryview(self._memory).cast("q")
        self._cells[_PID] = os.getpid()
        # Whatever the process before this one was answering, nobody answers any more.
        self._cells[_ACTIVE] = 0

    @classmethod
    def take(cls, folder: Path, role: str) -> Self:
        """Take the first file of a role that no living process holds; it is held until this process ends.

        Args:
            role: what the process does, in lower-case letters, such as `server`.
        """
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for number in range(FILES_MAX):
            descriptor = os.open(folder / f"{role}-{number:03}{_SUFFIX}", os.O_RDWR | os.O_CREAT, 0o644)
            if _is_locked(descriptor, fcntl.LOCK_EX):
                os.close(descriptor)
                continue
            os.ftruncate(descriptor, _BYTES)
            return cls(descriptor)
        log.warning("no file to count in", role=role, files=FILES_MAX)
        return cls(None)

    def begin_answer(self) -> None:
        """Count a request that is being answered."""
        self._cells[_ACTIVE] += 1

    def end_answer(self, size_bytes: int) -> None:
        """Count an answer by the size of its body."""
        cells = self._cells
        cells[_ACTIVE] -= 1
        cells[_BYTES_SENT] += size_bytes
        cells[_SIZES + bisect_left(SIZE_BOUNDS_BYTES, size_bytes)] += 1

    def close(self) -> None:
        """Let the next process go on from here."""
        self._cells[_ACTIVE] = 0
        self._cells.release()
        self._memory.close()
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


@dataclass(frozen=True, slots=True)
class CountedProcess:
    """What one file says. `pid` is 0 where its process has ended; its numbers still count."""

    role: str
    number: int
    pid: int
    active_count: int
    sent_bytes: int
    # How many answers each bucket of SIZE_BOUNDS_BYTES holds, and the rest.
    sizes: tuple[int, ...]


def read_counters(folder: Path) -> list[CountedProcess]:
    """Read what every process of this machine has counted, the ended ones included."""
    return [found for path in sorted(folder.glob(f"*{_SUFFIX}")) if (found := _read(path)) is not None]


def _read(path: Path) -> CountedProcess | None:
    role, _, number = path.name.removesuffix(_SUFFIX).rpartition("-")
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        content = os.pread(descriptor, _BYTES, 0)
        lives = _is_locked(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)
    if len(content) < _BYTES or not number.isdecimal():
        # Made a moment ago, and nothing counted yet.
        return None
    cells = memoryview(content).cast("q")
    return CountedProcess(
        role=role,
        number=int(number),
        pid=cells[_PID] if lives else 0,
        active_count=cells[_ACTIVE] if lives else 0,
        sent_bytes=cells[_BYTES_SENT],
        sizes=tuple(cells[_SIZES : _SIZES + len(SIZE_BOUNDS_BYTES) + 1]),
    )


def _is_locked(descriptor: int, kind: int) -> bool:
    """Try to lock a file, and say whether somebody else holds it; locks end with their process, however it ends."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False
