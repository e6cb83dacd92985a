"""Text functions. Positions and lengths count UTF-16 units, as Excel's do. Source: Microsoft's pages."""

from __future__ import annotations

from tollway.engine.functions.criteria import wildcard
from tollway.engine.functions.registry import Argument, FailedError, Grid, function, whole
from tollway.engine.serials import number_from_text
from tollway.engine.values import TEXT_LENGTH_MAX, ErrorValue, Value, to_text


@function("LEN", "text")
def length(text: str) -> float:
    """How many characters."""
    return float(len(_units(text)) // 2)


@function("LEFT", "text [number]", returns="text")
def left(text: str, count: float = 1.0) -> str:
    """The first characters; #VALUE! for a negative count."""
    return _text(_units(text)[: 2 * _count(count)])


@function("RIGHT", "text [number]", returns="text")
def right(text: str, count: float = 1.0) -> str:
    """The last characters; #VALUE! for a negative count."""
    units = _units(text)
    return _text(units[max(0, len(units) - 2 * _count(count)) :])


@function("MID", "text number number", returns="text")
def middle(text: str, start: float, count: float) -> str:
    """Characters from a position counted from 1; #VALUE! for a start under 1 or a negative count."""
    if start < 1:
        raise FailedError(ErrorValue.VALUE)
    first = 2 * (_count(start) - 1)
    return _text(_units(text)[first : first + 2 * _count(count)])


def _units(text: str) -> bytes:
    return text.encode("utf-16-le", "surrogatepass")


def _text(units: bytes) -> str:
    return units.decode("utf-16-le", "surrogatepass")


def _count(value: float) -> int:
    if value < 0:
        raise FailedError(ErrorValue.VALUE)
    return min(whole(value), TEXT_LENGTH_MAX + 1)


@function("UPPER", "text", returns="text")
def upper(text: str) -> str:
    """In capitals."""
    return text.upper()


@function("LOWER", "text", returns="text")
def lower(text: str) -> str:
    """In small letters."""
    return text.lower()


@function("TRIM", "text", returns="text")
def trim(text: str) -> str:
    """Without spaces at the ends, and with single spaces between words."""
    return " ".join(part for part in text.split(" ") if part)


@function("CONCATENATE", "text...", returns="text")
def concatenate(*texts: str) -> str:
    """The texts one after another; #VALUE! past 32,767 characters."""
    return "".join(texts)


@function("CONCAT", "grid...", returns="text")
def concat(*arguments: Argument) -> str:
    """The texts one after another, ranges included; #VALUE! past 32,767 characters."""
    return "".join(_all_texts(arguments))


@function("TEXTJOIN", "text logical grid [grid]...", returns="text")
def text_join(delimiter: str, skips_empty: bool, *arguments: Argument) -> str:
    """The texts with a delimiter between, without empty ones if asked; #VALUE! past 32,767 characters."""
    return delimiter.join(text for text in _all_texts(arguments) if text or not skips_empty)


def _all_texts(arguments: tuple[Argument, ...]) -> list[str]:
    texts: list[str] = []
    for argument in arguments:
        values = [argument]
        if isinstance(argument, Grid):
            values = [
                argument.at(r, c) for r in range(argument.row_count) for c in range(argument.column_count)
            ]
        for value in values:
            text = to_text(value) if not isinstance(value, Grid) else ErrorValue.VALUE
            if isinstance(text, ErrorValue):
                raise FailedError(text)
            texts.append(text)
    return texts


@function("VALUE", "any")
def value_of(value: Value) -> Value:
    """The number that a text reads as; #VALUE! when it does not, or for a logical."""
    if isinstance(value, str):
        number = number_from_text(value)
        return ErrorValue.VALUE if number is None else number
    if isinstance(value, bool):
        return ErrorValue.VALUE
    return 0.0 if value is None else value


@function("EXACT", "text text", returns="logical")
def exact(left_text: str, right_text: str) -> bool:
    """Whether two texts are the same, case included."""
    return left_text == right_text


@function("SUBSTITUTE", "text text text [number]", returns="text")
def substitute(text: str, old: str, new: str, occurrence: float | None = None) -> str:
    """The text with one part replaced by another, everywhere or at one occurrence; #VALUE! under 1."""
    if occurrence is not None and occurrence < 1:
        raise FailedError(ErrorValue.VALUE)
    if not old:
        return text
    if occurrence is None:
        return text.replace(old, new)
    parts = text.split(old)
    place = whole(occurrence)
    if place >= len(parts):
        return text
    return old.join(parts[:place]) + new + old.join(parts[place:])


@function("FIND", "text text [number]")
def find(part: str, text: str, start: float = 1.0) -> float:
    """The position from 1 of a part, case included; #VALUE! when it is not there."""
    first = _start(start, text)
    found = text.find(part, first)
    if found < 0:
        raise FailedError(ErrorValue.VALUE)
    return float(found + 1)


@function("SEARCH", "text text [number]")
def search(part: str, text: str, start: float = 1.0) -> float:
    """The position from 1 of a part, without case and with wildcards; #VALUE! when it is not there."""
    first = _start(start, text)
    found = wildcard(part).find(text, first)
    if found is None:
        raise FailedError(ErrorValue.VALUE)
    return float(found + 1)


def _start(start: float, text: str) -> int:
    if start < 1 or whole(start) > len(text) + 1:
        raise FailedError(ErrorValue.VALUE)
    return whole(start) - 1


@function("REPT", "text number", returns="text")
def repeat(text: str, count: float) -> str:
    """The text several times over; #VALUE! for a negative count or past 32,767 characters."""
    times = _count(count)
    if len(text) * times > TEXT_LENGTH_MAX:
        raise FailedError(ErrorValue.VALUE)
    return text * times
