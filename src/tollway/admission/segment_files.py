"""The files of a journal: segments whose room on disk is reserved, and the lock that says that a process lives."""

import contextlib
import fcntl
import mmap
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tollway.admission import records
from tollway.admission.entities import JournalFull
from tollway.admission.records import RECORD_BYTES

LOCK_NAME = "lock"
# What the name of a draft ends in once somebody else removes it.
TAKEN_OVER = ".gone"


def segment_name(number: int) -> str:
    """Return the name of a segment's file."""
    return f"{number:08d}.segment"


@dataclass(slots=True)
class Segment:
    """A file of reserved size, mapped; `seed` begins its checksums."""

    number: int
    descriptor: int
    view: mmap.mmap
    seed: int

    def close(self) -> None:
        """Let the file go; what was written stays."""
        self.view.close()
        os.close(self.descriptor)


def make_segment(folder: Path, source_id: int, number: int, capacity: int) -> Segment:
    """Reserve a segment's room on disk, so that writing to it later cannot fail.

    Raises: JournalFull.
    """
    path = folder / segment_name(number)
    size = (capacity + 1) * RECORD_BYTES
    descriptor = -1
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        os.posix_fallocate(descriptor, 0, size)
        os.fsync(descriptor)
        _sync_folder(folder)
        view = mmap.mmap(descriptor, size)
    except OSError as failure:
        if descriptor >= 0:
            # What was reserved before the disk was full must not keep it full.
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, 0)
            os.close(descriptor)
        path.unlink(missing_ok=True)
        raise full(failure) from failure
    return Segment(number, descriptor, view, records.checksum_seed(source_id, number))


def is_abandoned(folder: Path) -> bool:
    """Say whether the process that wrote a journal is gone: its lock is free."""
    try:
        lock = os.open(folder / LOCK_NAME, os.O_RDWR)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return True


def abandoned_drafts(folder: Path) -> Iterator[tuple[int, Path]]:
    """Take over what is left of journals whose process died while it made them; give their sources' ids and folders.

    Renamed first: a process that has made its draft and not locked it yet finds it gone, and begins with another
    source. One folder is given again until it is removed.
    """
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if entry.name.startswith(".")]
    except FileNotFoundError:
        return
    for name in names:
        source_id = name[1:].removesuffix(TAKEN_OVER)
        if not source_id.isdigit():
            continue
        taken = folder / f".{source_id}{TAKEN_OVER}"
        if not name.endswith(TAKEN_OVER):
            if not is_abandoned(folder / name):
                continue
            try:
                (folder / name).rename(taken)
            except FileNotFoundError:
                # It became a journal, or was given up in order.
                continue
        yield int(source_id), taken


def full(failure: OSError) -> JournalFull:
    """Say what a caller and the log are told where a journal cannot be written."""
    return JournalFull(
        "What you use cannot be written down at the moment, so nothing is served. Try again shortly.",
        log_message=f"the journal cannot be written: {failure}",
        retry_after_seconds=1,
    )


def _sync_folder(folder: Path) -> None:
    """Ask the disk for the names in a folder."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
