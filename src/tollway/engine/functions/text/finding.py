"""Parts of a text found, replaced and split off. Source: Microsoft's page of each function.

Positions count UTF-16 units, as Excel's do.
"""

from __future__ import annotations

from collections.abc import Callable

from tollway.engine.functions.criteria import wildcard
from tollway.engine.functions.registry import FailedError, function, whole
from tollway.engine.functions.text.strings import text_of, units_of
from tollway.engine.values import TEXT_LENGTH_MAX, ErrorValue


@function("FIND", "text text [number]")
@function("FINDB", "text text [number]")
def find(part: str, text: str, start: float = 1.0) -> float:
    """The position from 1 of a part, case included, at or after a start.

    Errors: #VALUE! when it is not there, or for a start under 1 or beyond the text.
    """

    def place(first: int) -> int | None:
        found = text.find(part, first)
        return None if found < 0 else found

    return _position(text, start, place)


@function("SEARCH", "text text [number]")
@function("SEARCHB", "text text [number]")
def search(part: str, text: str, start: float = 1.0) -> float:
    """The position from 1 of a part, without case and with wildcards, at or after a start.

    Errors: #VALUE! when it is not there, or for a start under 1 or beyond the text.
    """
    return _position(text, start, lambda first: wildcard(part).find(text, first))


def _position(text: str, start: float, find_from: Callable[[int], int | None]) -> float:
    units = units_of(text)
    if start < 1 or whole(start) > len(units) // 2 + 1:
        raise FailedError(ErrorValue.VALUE)
    found = find_from(len(text_of(units[: 2 * (whole(start) - 1)])))
    if found is None:
        raise FailedError(ErrorValue.VALUE)
    return float(len(units_of(text[:found])) // 2 + 1)


@function("SUBSTITUTE", "text text text [number]", returns="text")
def substitute(text: str, old_text: str, new_text: str, occurrence: float | None = None) -> str:
    """The text with one part replaced by another, everywhere or at one occurrence.

    Errors: #VALUE! for an occurrence under 1, or a result of more than 32,767 characters.
    """
    if occurrence is not None and occurrence < 1:
        raise FailedError(ErrorValue.VALUE)
    if not old_text:
        return text
    parts = text.split(old_text)
    if occurrence is None:
        if len(text) + (len(parts) - 1) * (len(new_text) - len(old_text)) > TEXT_LENGTH_MAX:
            raise FailedError(ErrorValue.VALUE)
        return new_text.join(parts)
    place = whole(occurrence)
    if place >= len(parts):
        return text
    return old_text.join(parts[:place]) + new_text + old_text.join(parts[place:])
