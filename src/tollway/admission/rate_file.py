"""What one process alone knows of rate limits, kept in the data folder from its end to its next start.

A process that ended in order leaves what was spent behind. One that was killed leaves a mark that it was running, and
the next one begins with empty buckets. Where there is no file, it is the first start of all, with full ones.
"""

import contextlib
import fcntl
import json
import os
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tollway.admission.centre import SLOT_SECONDS, Level, Levels
from tollway.admission.rates import MICROSECONDS
from tollway.kit.problems import Conflict

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class RatesInUse(Conflict):
    """Another process of this data folder counts rate limits; told to whoever started this one."""


@dataclass(slots=True)
class Opened:
    """What a process begins with."""

    levels: Levels = field(default_factory=Levels)
    slots: dict[str, dict[str, int]] = field(default_factory=dict)
    # After a loss nobody knows what still runs until workers have said so; until then nothing new may be held.
    held_after_us: int = 0


class RateFile:
    """The file `rates.json` of a folder, which one process holds at a time."""

    def __init__(self, folder: Path, *, clock_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self._folder = folder
        self._path = folder / "rates.json"
        self._clock_ns = clock_ns
        self._lock: int | None = None

    def open(self) -> Opened:
        """Take the file and read what it holds.

        Raises:
            RatesInUse: another process holds it.
        """
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(self._folder / "rates.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            raise RatesInUse(
                f"Another process counts the rate limits of {self._folder.parent}. For several servers with one data "
                "folder set SERVER_PROCESSES, or REDIS_URL."
            ) from None
        self._lock = lock
        opened = self._read()
        # From here on, whoever finds this mark comes after a process that did not end in order.
        self._write({"is_whole": False})
        return opened

    def close(self, levels: Levels, slots: dict[str, dict[str, int]]) -> None:
        """Keep what is spent, and let the next process in."""
        now_us = self._clock_ns() // 1000
        levels.sweep(now_us, len(levels.kept))
        kept = [
            [key, level.debt, now_us - level.at_us, level.seconds, level.limit_count]
            for key, level in levels.kept.items()
        ]
        empty = None if levels.empty_since_us is None else now_us - levels.empty_since_us
        running = [
            [key, slot, until_us - now_us]
            for key, slots_of in slots.items()
            for slot, until_us in slots_of.items()
        ]
        self._write(
            {
                "is_whole": True,
                "boot": _boot(),
                "closed_us": now_us,
                "empty_for_us": empty,
                "levels": kept,
                "slots": running,
            }
        )
        self.release()

    def release(self) -> None:
        """Let the next process in, as if this one had been killed."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _read(self) -> Opened:
        now_us = self._clock_ns() // 1000
        try:
            document = json.loads(self._path.read_bytes())
        except FileNotFoundError:
            return Opened()
        except ValueError:
            document = {"is_whole": False}
        try:
            if not document["is_whole"]:
                return Opened(
                    Levels(empty_since_us=now_us), held_after_us=now_us + SLOT_SECONDS * MICROSECONDS
                )
            # Within one run of the machine the monotonic clock went on; how long a restart took, nobody knows for sure.
            away_us = now_us - document["closed_us"] if document["boot"] == _boot() else 0
            return _opened(document, now_us - max(0, away_us))
        except (KeyError, TypeError, ValueError):
            return Opened(Levels(empty_since_us=now_us), held_after_us=now_us + SLOT_SECONDS * MICROSECONDS)

    def _write(self, document: dict[str, Any]) -> None:
        draft = self._path.with_suffix(f".{secrets.token_hex(4)}")
        try:
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
                opened.write(json.dumps(document))
                opened.flush()
                os.fsync(opened.fileno())
            draft.replace(self._path)
        finally:
            with contextlib.suppress(FileNotFoundError):
                draft.unlink()


def _opened(document: dict[str, Any], closed_us: int) -> Opened:
    empty = document["empty_for_us"]
    levels = Levels(
        {
            key: Level(debt, closed_us - ago_us, seconds, count)
            for key, debt, ago_us, seconds, count in document["levels"]
        },
        None if empty is None else closed_us - empty,
    )
    slots: dict[str, dict[str, int]] = {}
    for key, slot, left_us in document["slots"]:
        slots.setdefault(key, {})[slot] = closed_us + left_us
    return Opened(levels, slots)


def _boot() -> str:
    return BOOT_ID.read_text().strip() if BOOT_ID.exists() else ""
