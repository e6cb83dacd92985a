"""The centre of rate limits: the one place that knows what all workers of an installation have taken.

It deducts first and answers then, so that no two workers spend the same unit. Three of them speak this protocol: the
one in this file, which lives in a process; that behind a Unix socket, which serves it to others (`centre_socket`); and
Redis (`centre_redis`). What it counts is a debt by limit and subject (`rates`), and which things run at once.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from tollway.admission.rates import MICROSECONDS, drained, grant, unit_debt
from tollway.kit.problems import Unavailable

# A thing that runs counts until its worker releases it, or was silent for so long.
SLOT_SECONDS = 10
QUESTIONS_MAX = 500
KEY_LENGTH_MAX = 300


class CentreGone(Unavailable):
    """The centre of rate limits cannot be asked, and what may pass without it is spent."""

    code = "rate-limits-unavailable"
    title = "The rate limits cannot be checked at the moment"

    def __init__(
        self,
        log_message: str = "",
        *,
        message: str = (
            "The part that counts calls against rate limits does not answer, so this call was refused; it counted "
            "nothing. Send it again in a second."
        ),
        retry_after_seconds: int = 1,
    ) -> None:
        super().__init__(message, log_message=log_message, retry_after_seconds=retry_after_seconds)


class WhatRunsUnknown(CentreGone):
    """The centre lost what it knew, and has not heard from all workers yet what is under way."""

    def __init__(self, wait_us: int) -> None:
        seconds = max(1, math.ceil(wait_us / MICROSECONDS))
        super().__init__(
            "the centre lost what it knew, and has not heard from all workers yet what runs",
            message=(
                "How many requests of yours are under way is not known at the moment: the part that counts them began "
                f"anew, and takes {SLOT_SECONDS} seconds to hear of all of them. This one was refused and counted "
                f"nothing. Send it again in {seconds} {'second' if seconds == 1 else 'seconds'}."
            ),
            retry_after_seconds=seconds,
        )


class Lease(NamedTuple):
    """May I spend up to `wanted` units of a limit, and at least `needed`? Answered by `Leased`."""

    key: str
    limit_count: int
    seconds: int
    burst: int
    wanted: int
    needed: int


class GiveBack(NamedTuple):
    """These units will not be spent. Answered by nothing."""

    key: str
    limit_count: int
    seconds: int
    units: int


class Hold(NamedTuple):
    """May one more thing run, beside those of the same key?

    Answered by 1; by 0 where as many run as may; by 0 and a time in microseconds where that is not known before.
    """

    key: str
    slot: str
    at_once_max: int


class Renew(NamedTuple):
    """This thing still runs. It counts again where it was forgotten, even above the limit: it runs. Answered by 1."""

    key: str
    slot: str


class Release(NamedTuple):
    """This thing is over. Answered by nothing."""

    key: str
    slot: str


class Sweep(NamedTuple):
    """Forget some of what says nothing any more. A sign of life, too. Answered by nothing."""

    count_max: int


Question = Lease | GiveBack | Hold | Renew | Release | Sweep


class Leased(NamedTuple):
    """What was given, what is left to anybody, and after how long more can be had (0: everything was given)."""

    units: int
    available: int
    wait_us: int


Answer = tuple[int, ...]
# How questions are written where they leave the process.
KINDS: dict[str, type[Question]] = {
    "lease": Lease,
    "give_back": GiveBack,
    "hold": Hold,
    "renew": Renew,
    "release": Release,
    "sweep": Sweep,
}
NAMES: dict[type[Question], str] = {kind: name for name, kind in KINDS.items()}


class Centre(Protocol):
    """Whatever answers for all workers."""

    async def ask(self, questions: Sequence[Question]) -> list[Answer]:
        """Answer questions in their order, in one round trip.

        Raises:
            CentreGone: it did not answer within a second; what it may have given is lost, never doubled.
        """
        ...

    async def close(self) -> None:
        """Give the connection back."""
        ...


class Level(NamedTuple):
    """A debt of a limit of `count` in `seconds` at a moment of the centre's clock."""

    debt: int
    at_us: int
    seconds: int
    limit_count: int


@dataclass(slots=True)
class Levels:
    """Debts by key, and what stands for keys that nobody asked for yet.

    `empty_since_us` is the moment from which buckets begin empty, or None where they begin full. A state that was
    lost must not refill anything, so after a loss every bucket begins as if all of it had just been taken.
    """

    kept: dict[str, Level] = field(default_factory=dict)
    empty_since_us: int | None = None

    def debt(self, key: str, count: int, seconds: int, now_us: int) -> int:
        """Return what is taken of a limit and has not come back."""
        level = self.kept.get(key)
        if level is not None:
            elapsed_us = now_us - level.at_us
            return drained(level.debt, count, seconds, of_seconds=level.seconds, elapsed_us=elapsed_us)
        if self.empty_since_us is None:
            return 0
        whole = count * unit_debt(seconds)
        return drained(whole, count, seconds, of_seconds=seconds, elapsed_us=now_us - self.empty_since_us)

    def sweep(self, now_us: int, count_max: int) -> None:
        """Look at some levels and forget those that say nothing any more; the others are looked at later."""
        for _ in range(min(count_max, len(self.kept))):
            key = next(iter(self.kept))
            level = self.kept.pop(key)
            if not self._is_nothing(level, now_us):
                self.kept[key] = level

    def _is_nothing(self, level: Level, now_us: int) -> bool:
        if level.debt > (now_us - level.at_us) * level.limit_count:
            return False
        # Forgotten earlier, it would begin empty again.
        return self.empty_since_us is None or now_us - self.empty_since_us >= unit_debt(level.seconds)


class InProcessCentre:
    """The centre as an object: one worker's own, or what the socket server asks.

    Args:
        clock_ns: a clock that never jumps.
        held_after_us: until when nothing new may be held, because what ran before is not known again yet.
    """

    def __init__(
        self,
        levels: Levels | None = None,
        slots: dict[str, dict[str, int]] | None = None,
        *,
        held_after_us: int = 0,
        clock_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.levels = levels or Levels()
        self.slots = slots or {}
        self._held_after_us = held_after_us
        self._clock_ns = clock_ns

    def now_us(self) -> int:
        """Read the centre's clock, in microseconds."""
        return self._clock_ns() // 1000

    async def ask(self, questions: Sequence[Question]) -> list[Answer]:
        """Answer questions in their order."""
        return self.answer(questions)

    def answer(self, questions: Sequence[Question]) -> list[Answer]:
        """Answer questions in their order, without waiting."""
        now_us = self.now_us()
        return [self._answer(question, now_us) for question in questions]

    async def close(self) -> None:
        """Do nothing: there is no connection."""

    def _answer(self, question: Question, now_us: int) -> Answer:
        match question:
            case Lease():
                return self._lease(question, now_us)
            case GiveBack(key, count, seconds, units):
                debt = self.levels.debt(key, count, seconds, now_us) - units * unit_debt(seconds)
                self.levels.kept[key] = Level(max(0, debt), now_us, seconds, count)
                return ()
            case Hold(key, slot, at_once_max):
                running = self._running(key, now_us)
                if slot not in running and len(running) >= at_once_max:
                    return (0,)
                if slot not in running and now_us < self._held_after_us:
                    return 0, self._held_after_us - now_us
                running[slot] = now_us + SLOT_SECONDS * MICROSECONDS
                return (1,)
            case Renew(key, slot):
                self._running(key, now_us)[slot] = now_us + SLOT_SECONDS * MICROSECONDS
                return (1,)
            case Release(key, slot):
                self._running(key, now_us).pop(slot, None)
                return ()
            case Sweep(count):
                self._sweep(count, now_us)
                return ()

    def _lease(self, asked: Lease, now_us: int) -> Leased:
        debt = self.levels.debt(asked.key, asked.limit_count, asked.seconds, now_us)
        given = grant(
            debt,
            asked.limit_count,
            asked.seconds,
            burst=asked.burst,
            wanted=asked.wanted,
            needed=asked.needed,
        )
        if given.units:
            self.levels.kept[asked.key] = Level(given.debt, now_us, asked.seconds, asked.limit_count)
        return Leased(given.units, given.available, given.wait_us)

    def _running(self, key: str, now_us: int) -> dict[str, int]:
        running = self.slots.setdefault(key, {})
        for slot in [slot for slot, until_us in running.items() if until_us <= now_us]:
            del running[slot]
        return running

    def _sweep(self, count: int, now_us: int) -> None:
        self.levels.sweep(now_us, count)
        for key in [key for key in self.slots if not self._running(key, now_us)]:
            del self.slots[key]
