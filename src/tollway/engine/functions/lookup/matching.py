"""Where a value stands in a row or column: exactly, by wildcard, by pattern, or nearest to it.

Values of another kind than the one sought are never met: a number is not compared with a text. Numbers are
compared to the last bit (not to 15 digits, as the operator = does), texts without case.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tollway.engine.collation import text_order
from tollway.engine.functions.criteria import wildcard
from tollway.engine.functions.text.regex_matcher import Pattern
from tollway.engine.values import ErrorValue, Value, compare


def find_exact(line: Sequence[Value], wanted: Value) -> int | None:
    """The first place that holds a value: numbers to the last bit, texts without case and with wildcards."""
    if has_wildcard(wanted):
        return find_wildcard(line, wanted)
    return find_same(line, 0.0 if wanted is None else wanted)


def has_wildcard(wanted: Value) -> bool:
    """Whether a text has a character that may stand for others, or makes the next one literal."""
    return isinstance(wanted, str) and not _WILDCARDS.isdisjoint(wanted)


_WILDCARDS = frozenset("?*~")


def find_same(line: Sequence[Value], wanted: Value, *, from_last: bool = False) -> int | None:
    """The first (or last) place that holds a value, wildcards being ordinary characters; a blank finds a blank."""
    if isinstance(wanted, str):
        lowered = wanted.lower()
        return _first(line, lambda value: isinstance(value, str) and value.lower() == lowered, from_last)
    if from_last or isinstance(wanted, ErrorValue) or wanted is None:
        kind = type(wanted)
        return _first(line, lambda value: type(value) is kind and value == wanted, from_last)
    # Python sees TRUE and 1 as equal, so what its own fast search finds is looked at again.
    start = 0
    while True:
        try:
            start = line.index(wanted, start)
        except ValueError:
            return None
        if type(line[start]) is type(wanted):
            return start
        start += 1


def find_wildcard(line: Sequence[Value], wanted: Value, *, from_last: bool = False) -> int | None:
    """As find_same, but with ? * and ~ in texts."""
    if not isinstance(wanted, str):
        return find_same(line, wanted, from_last=from_last)
    matches = wildcard(wanted).matches
    return _first(line, lambda value: isinstance(value, str) and matches(value), from_last)


def find_pattern(line: Sequence[Value], pattern: Pattern, *, from_last: bool = False) -> int | None:
    """The first (or last) place with a text in which a regular expression is found."""
    return _first(
        line, lambda value: isinstance(value, str) and pattern.search(value, 0) is not None, from_last
    )


def _first(line: Sequence[Value], test: Callable[[Value], bool], from_last: bool) -> int | None:
    places = range(len(line) - 1, -1, -1) if from_last else range(len(line))
    return next((place for place in places if test(line[place])), None)


def find_nearest(
    line: Sequence[Value], wanted: Value, *, takes_larger: bool, from_last: bool = False
) -> int | None:
    """The place of a value, else of the next larger (or smaller) one, whatever the order."""
    best: int | None = None
    sign = 1 if takes_larger else -1
    for place in range(len(line) - 1, -1, -1) if from_last else range(len(line)):
        value = line[place]
        if type(value) is not type(wanted):
            continue
        order = sign * order_of(value, wanted)
        if order == 0:
            return place
        if order > 0 and (best is None or sign * order_of(value, line[best]) < 0):
            best = place
    return best


# --- bisection -----------------------------------------------------------------------------------------


def find_at_or_below(line: Sequence[Value], wanted: Value) -> int | None:
    """The place where Excel's bisection ends for data in ascending order: the last one at or below.

    Over data in any other order it ends where Excel's does: of an even number of places the lower middle is
    looked at, and equal ones send it on to the right.
    """
    return _bisected(line, 0.0 if wanted is None else wanted, 1)


def find_at_or_above(line: Sequence[Value], wanted: Value) -> int | None:
    """The last place at or above, for data in descending order, as MATCH looks for it: one place after another.

    The first of those that are equal ends the search, and so does the first below; in any order of texts
    MATCH("*",A:A,-1) is therefore the last one, a formula found in many workbooks.
    """
    wanted = 0.0 if wanted is None else wanted
    found: int | None = None
    for place, value in enumerate(line):
        if type(value) is not type(wanted):
            continue
        order = order_of(value, wanted)
        if order < 0:
            break
        found = place
        if order == 0:
            break
    return found


def _bisected(line: Sequence[Value], wanted: Value, sign: int) -> int | None:
    # What is of another kind is passed over to the right; a stretch that holds nothing else counts as beyond.
    found: int | None = None
    low, high = 0, len(line) - 1
    kind = type(wanted)
    while low <= high:
        middle = (low + high) // 2
        place = middle
        while place <= high and type(line[place]) is not kind:
            place += 1
        if place > high or sign * order_of(line[place], wanted) > 0:
            high = middle - 1
        else:
            found, low = place, place + 1
    return found


def find_sorted(line: Sequence[Value], wanted: Value, mode: int, *, is_descending: bool) -> int | None:
    """By bisection over sorted data: exact (mode 0), or else the next smaller (-1) or next larger (1)."""
    if wanted is None:
        return None
    sign = -1 if is_descending else 1
    before = _bisected(line, wanted, sign)
    if before is not None and order_of(line[before], wanted) == 0:
        # Of equal ones the first is given, as a search from the first would.
        while before > 0 and type(line[before - 1]) is type(wanted) and line[before - 1] == line[before]:
            before -= 1
        return before
    if mode == 0:
        return None
    if (mode == -1) is not is_descending:
        return before
    start = 0 if before is None else before + 1
    return next((place for place in range(start, len(line)) if type(line[place]) is type(wanted)), None)


def order_of(left: Value, right: Value) -> int:
    """-1, 0 or 1 for two values of one kind; numbers to the last bit, texts as an English Excel sorts them."""
    if isinstance(left, float) and isinstance(right, float):
        return (left > right) - (left < right)
    if isinstance(left, str) and isinstance(right, str):
        left_order, right_order = text_order(left), text_order(right)
        return (left_order > right_order) - (left_order < right_order)
    order = compare(left, right)
    return 0 if isinstance(order, ErrorValue) else order
