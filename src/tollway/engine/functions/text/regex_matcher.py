"""Finds where a compiled regular expression fits, by trying one way after another, with a bound on the tries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from tollway.engine.functions.text.regex_program import Code, Instruction, Look, Mode, Op, Test
from tollway.engine.values import UnsupportedFormula

# Steps that one search may take: about a second. PCRE2 has such a bound too, of ten million.
STEPS_MAX = 1_000_000

Slots = tuple[int | None, ...]
Condition = Callable[[str, int, int], bool]


@dataclass(slots=True)
class _Budget:
    left: int


@dataclass(frozen=True, slots=True)
class Match:
    """Where an expression fits; `groups` are (start, end) of each group from 0, None for one that took no part."""

    start: int
    end: int
    groups: tuple[tuple[int, int] | None, ...]


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled expression with its number of groups, the names of some, and the slots that its loops need."""

    code: Code
    group_count: int
    group_names: dict[str, int]
    loop_count: int

    def search(self, text: str, start: int, *, not_empty_at: int | None = None) -> Match | None:
        """The first place at or after `start` where the expression fits.

        Nothing at all does not fit at `not_empty_at`. Raises: UnsupportedFormula past STEPS_MAX steps.
        """
        budget = _Budget(STEPS_MAX)
        slots: Slots = (None,) * (2 * (self.group_count + 1) + self.loop_count)
        for begin in range(start, len(text) + 1):
            fitted = _run(self.code, text, begin, slots, budget, start, None, not_empty_at)
            if fitted is not None:
                return self._match(begin, *fitted)
        return None

    def _match(self, begin: int, end: int, slots: Slots) -> Match:
        groups: list[tuple[int, int] | None] = []
        for group in range(1, self.group_count + 1):
            first, last = slots[2 * group], slots[2 * group + 1]
            groups.append(None if first is None or last is None else (first, last))
        kept = slots[0]  # where \K stood
        start = begin if kept is None else kept
        return Match(start, end, ((start, end), *groups))


def _run(
    code: Code,
    text: str,
    begin: int,
    slots: Slots,
    budget: _Budget,
    search_start: int,
    must_end: int | None = None,
    not_empty_at: int | None = None,
) -> tuple[int, Slots] | None:
    """Where a program that starts at a place ends, and its slots; None when it does not fit."""
    attempt = _Attempt(code, text, begin, slots, budget, search_start)
    while True:
        attempt.spent += 1
        if attempt.spent >= 1_000:
            _spend(budget, attempt.spent)
            attempt.spent = 0
        instruction = code[attempt.place]
        if instruction.op is Op.DONE:
            end = attempt.position
            if (must_end is None or end == must_end) and not end == begin == not_empty_at:
                _spend(budget, attempt.spent)
                return end, attempt.slots
            fits = False
        else:
            fits = _STEPS[instruction.op](attempt, instruction)
        if not fits and not attempt.another_way():
            _spend(budget, attempt.spent)
            return None


def _spend(budget: _Budget, steps: int) -> None:
    budget.left -= steps
    if budget.left < 0:
        raise UnsupportedFormula(
            f"A regular expression takes more than {STEPS_MAX:,} steps on a text; make it simpler, for instance "
            "without one repetition inside another.",
            construct="regular expression that takes too long",
        )


class _Attempt:
    """One program at one place: where it stands, and the ways not tried yet."""

    __slots__ = (
        "budget", "code", "place", "position", "search_start", "slots", "spent", "text", "ways",
    )  # fmt: skip

    def __init__(
        self, code: Code, text: str, begin: int, slots: Slots, budget: _Budget, search_start: int
    ) -> None:
        self.code = code
        self.text = text
        self.place = 0
        self.position = begin
        self.slots = slots
        self.budget = budget
        self.search_start = search_start
        self.spent = 0
        # The instruction, the position and the slots; for a run of characters that may be given back (or taken)
        # one by one also how far it may go, else -1.
        self.ways: list[tuple[int, int, Slots, int]] = []

    def another_way(self) -> bool:
        """Go back to the last way not tried yet; False when there is none."""
        while self.ways:
            self.place, self.position, self.slots, bound = self.ways.pop()
            if bound < 0:
                return True
            run = self.code[self.place]
            if run.mode is Mode.GREEDY:
                if self.position > bound:
                    self.ways.append((self.place, self.position - 1, self.slots, bound))
                self.place += 1
                return True
            if cast(Test, run.first)(self.text[self.position]):
                self.position += 1
                if self.position < bound:
                    self.ways.append((self.place, self.position, self.slots, bound))
                self.place += 1
                return True
        return False

    def take_one(self, instruction: Instruction) -> bool:
        if self.position >= len(self.text) or not cast(Test, instruction.first)(self.text[self.position]):
            return False
        self.position += 1
        self.place += 1
        return True

    def take_run(self, instruction: Instruction) -> bool:
        least, most = cast("tuple[int, int | None]", instruction.second)
        start, size = self.position, len(self.text)
        limit = size if most is None else min(size, start + most)
        stop = min(limit, start + least) if instruction.mode is Mode.LAZY else limit
        test, end = cast(Test, instruction.first), start
        while end < stop and test(self.text[end]):
            end += 1
        self.spent += (end - start) // 4
        if end - start < least:
            return False
        if instruction.mode is Mode.GREEDY and end > start + least:
            self.ways.append((self.place, end - 1, self.slots, start + least))
        elif instruction.mode is Mode.LAZY and end < limit:
            self.ways.append((self.place, end, self.slots, limit))
        self.position = end
        self.place += 1
        return True

    def fork(self, instruction: Instruction) -> bool:
        self.ways.append((self.place + cast(int, instruction.second), self.position, self.slots, -1))
        self.place += cast(int, instruction.first)
        return True

    def jump(self, instruction: Instruction) -> bool:
        self.place += cast(int, instruction.first)
        return True

    def save(self, instruction: Instruction) -> bool:
        slot = cast(int, instruction.first) % len(self.slots)
        self.slots = (*self.slots[:slot], self.position, *self.slots[slot + 1 :])
        self.place += 1
        return True

    def skip_unless_advanced(self, instruction: Instruction) -> bool:
        is_still = self.slots[cast(int, instruction.first)] == self.position
        self.place += cast(int, instruction.second) if is_still else 1
        return True

    def check_position(self, instruction: Instruction) -> bool:
        self.place += 1
        return cast(Condition, instruction.first)(self.text, self.position, self.search_start)

    def repeat_group(self, instruction: Instruction) -> bool:
        group = cast(int, instruction.first)
        first, last = self.slots[2 * group], self.slots[2 * group + 1]
        if first is None or last is None:
            return False
        wanted = self.text[first:last]
        found = self.text[self.position : self.position + len(wanted)]
        self.position += len(wanted)
        self.place += 1
        return found.casefold() == wanted.casefold() if instruction.second else found == wanted

    def look(self, instruction: Instruction) -> bool:
        look = cast(Look, instruction.first)
        found: tuple[int, Slots] | None = None
        if look.lengths is None:
            found = self._inner(look.code, self.position, None)
        else:
            for length in look.lengths:
                if found is None and length <= self.position:
                    found = self._inner(look.code, self.position - length, self.position)
        self.place += 1
        if found is not None and not look.is_negative:
            self.slots = found[1]
        return (found is None) is look.is_negative

    def take_atomic(self, instruction: Instruction) -> bool:
        found = self._inner(cast(Code, instruction.first), self.position, None)
        if found is None:
            return False
        self.position, self.slots = found
        self.place += 1
        return True

    def _inner(self, code: Code, begin: int, must_end: int | None) -> tuple[int, Slots] | None:
        return _run(code, self.text, begin, self.slots, self.budget, self.search_start, must_end)

    def skip_unless_given(self, instruction: Instruction) -> bool:
        took_part = self.slots[2 * cast(int, instruction.first) + 1] is not None
        self.place += 1 if took_part else cast(int, instruction.second)
        return True


_STEPS: dict[Op, Callable[[_Attempt, Instruction], bool]] = {
    Op.ONE: _Attempt.take_one,
    Op.RUN: _Attempt.take_run,
    Op.SPLIT: _Attempt.fork,
    Op.JUMP: _Attempt.jump,
    Op.SAVE: _Attempt.save,
    Op.ADVANCED: _Attempt.skip_unless_advanced,
    Op.ASSERT: _Attempt.check_position,
    Op.BACK: _Attempt.repeat_group,
    Op.LOOK: _Attempt.look,
    Op.ATOMIC: _Attempt.take_atomic,
    Op.GIVEN: _Attempt.skip_unless_given,
}
