"""Things that may run at once, as one process holds them."""

import contextlib
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tollway.admission.centre import (
    SLOT_SECONDS,
    Answer,
    CentreGone,
    Hold,
    Question,
    Release,
    Renew,
    WhatRunsUnknown,
)
from tollway.admission.shelf import key_of

# Three signs of life before a slot would end.
RENEWAL_NS = SLOT_SECONDS * 1_000_000_000 // 4


@dataclass(frozen=True, slots=True, eq=False)
class Slot:
    """One of the things that may run at once."""

    key: str
    name: str


class Slots:
    """What this process runs.

    Args:
        ask: asks the centre, or None where this process is alone and its own count is the whole truth.
    """

    def __init__(
        self, ask: Callable[[Question], Awaitable[Answer]] | None, clock_ns: Callable[[], int]
    ) -> None:
        self._ask = ask
        self._clock_ns = clock_ns
        # When the centre was last told of each.
        self._told_ns: dict[Slot, int] = {}

    async def hold(self, subject: str, name: str, at_once_max: int) -> Slot | None:
        """Let one more thing run, or return None where as many run as may. Raises: CentreGone, WhatRunsUnknown."""
        slot = Slot(key_of(subject, name), secrets.token_hex(8))
        if self._ask is None:
            is_free = sum(one.key == slot.key for one in self._told_ns) < at_once_max
        else:
            held, *wait_us = await self._ask(Hold(slot.key, slot.name, at_once_max))
            if wait_us:
                raise WhatRunsUnknown(wait_us[0])
            is_free = bool(held)
        if not is_free:
            return None
        self._told_ns[slot] = self._clock_ns()
        return slot

    async def release(self, slot: Slot) -> None:
        """Let another thing run. Where the centre cannot be asked, it ends there by itself."""
        if self._told_ns.pop(slot, None) is None or self._ask is None:
            return
        with contextlib.suppress(CentreGone):
            await self._ask(Release(slot.key, slot.name))

    def renewals(self, now_ns: int, count_max: int) -> list[Question]:
        """Return what is due to be told to the centre: that these still run."""
        due = [slot for slot, told_ns in self._told_ns.items() if now_ns - told_ns >= RENEWAL_NS][:count_max]
        self._told_ns.update(dict.fromkeys(due, now_ns))
        return [Renew(slot.key, slot.name) for slot in due]

    def tell_all_again(self) -> None:
        """Take it that the centre knows of none."""
        self._told_ns = dict.fromkeys(self._told_ns, -RENEWAL_NS)

    def releases(self) -> list[Question]:
        """Let go of all, and return how the centre is told."""
        slots, self._told_ns = list(self._told_ns), {}
        return [Release(slot.key, slot.name) for slot in slots]
