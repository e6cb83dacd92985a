"""Temporary files of one process: in a folder of its own below the data folder, which goes with it, however it goes.

Systems tidy /tmp seldom, often keep it in memory, and a process that is killed cannot tidy for itself.
"""

import contextlib
import fcntl
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

LOCK_SUFFIX = ".lock"


@contextlib.contextmanager
def scratch_folder(parent: Path) -> Iterator[Path]:
    """Let `tempfile` use a folder of this process and of those it starts; it is deleted at the end.

    Deletes first what processes left that were killed. Raises: OSError where the parent cannot be written.
    """
    parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _sweep(parent)
    folder = parent / f"{os.getpid()}-{secrets.token_hex(4)}"
    lock = _take_lock(folder.with_suffix(LOCK_SUFFIX))
    folder.mkdir(mode=0o700)
    before, before_for_children = tempfile.tempdir, os.environ.get("TMPDIR")
    tempfile.tempdir = os.environ["TMPDIR"] = str(folder)
    try:
        yield folder
    finally:
        tempfile.tempdir = before
        if before_for_children is None:
            del os.environ["TMPDIR"]
        else:
            os.environ["TMPDIR"] = before_for_children
        shutil.rmtree(folder, ignore_errors=True)
        folder.with_suffix(LOCK_SUFFIX).unlink(missing_ok=True)
        os.close(lock)


def _take_lock(path: Path) -> int:
    """Hold a lock that the system lets go when this process ends; it is not inherited."""
    while True:
        lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        # Whoever sweeps may have taken the file for a dead process's between the two lines.
        with contextlib.suppress(FileNotFoundError):
            if os.stat(path).st_ino == os.fstat(lock).st_ino:  # noqa: PTH116 - beside fstat, which Path has not
                return lock
        os.close(lock)


def _sweep(parent: Path) -> None:
    for path in parent.glob(f"*{LOCK_SUFFIX}"):
        try:
            lock = os.open(path, os.O_RDWR)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            # Its process lives.
            continue
        else:
            shutil.rmtree(path.with_suffix(""), ignore_errors=True)
            path.unlink(missing_ok=True)
        finally:
            os.close(lock)
