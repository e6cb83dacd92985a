"""Parts of texts, their length, joined texts and repeated ones. Source: Microsoft's page of each function.

Positions and lengths count UTF-16 units, as Excel's do. The functions that end in B count bytes only where Chinese,
Japanese or Korean is Excel's language; in an English one they count as those without B.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from tollway.engine.functions.array_size import check_size
from tollway.engine.functions.registry import Argument, FailedError, Grid, as_grid, function, whole
from tollway.engine.values import TEXT_LENGTH_MAX, ErrorValue, Value, to_logical, to_text


@function("LEN", "text")
@function("LENB", "text")
def length(text: str) -> float:
    """How many characters."""
    return float(len(units_of(text)) // 2)


@function("LEFT", "text [number]", returns="text")
@function("LEFTB", "text [number]", returns="text")
def left(text: str, count: float = 1.0) -> str:
    """The first characters; one where no count is given.

    Errors: #VALUE! for a negative count.
    """
    return text_of(units_of(text)[: 2 * _count(count)])


@function("RIGHT", "text [number]", returns="text")
@function("RIGHTB", "text [number]", returns="text")
def right(text: str, count: float = 1.0) -> str:
    """The last characters; one where no count is given.

    Errors: #VALUE! for a negative count.
    """
    units = units_of(text)
    return text_of(units[max(0, len(units) - 2 * _count(count)) :])


@function("MID", "text number number", returns="text")
@function("MIDB", "text number number", returns="text")
def middle(text: str, start: float, count: float) -> str:
    """Characters from a position counted from 1.

    Errors: #VALUE! for a start under 1 or a negative count.
    """
    first = _start(start)
    return text_of(units_of(text)[first : first + 2 * _count(count)])


@function("REPLACE", "text number number text", returns="text")
@function("REPLACEB", "text number number text", returns="text")
def replace(old_text: str, start: float, count: float, new_text: str) -> str:
    """A text with the characters from a position replaced by another text.

    Errors: #VALUE! for a start under 1, a negative count, or a result of more than 32,767 characters.
    """
    first, units = _start(start), units_of(old_text)
    return text_of(units[:first] + units_of(new_text) + units[first + 2 * _count(count) :])


def units_of(text: str) -> bytes:
    """UTF-16, two bytes for each unit."""
    return text.encode("utf-16-le", "surrogatepass")


def text_of(units: bytes) -> str:
    """The text of UTF-16 units."""
    return units.decode("utf-16-le", "surrogatepass")


def _start(start: float) -> int:
    if start < 1:
        raise FailedError(ErrorValue.VALUE)
    return 2 * (_count(start) - 1)


def _count(value: float) -> int:
    if value < 0:
        raise FailedError(ErrorValue.VALUE)
    return min(whole(value), TEXT_LENGTH_MAX + 1)


@function("TRIM", "text", returns="text")
def trim(text: str) -> str:
    """Without spaces at the ends, and with single spaces between words. Other blank characters stay."""
    return " ".join(part for part in text.split(" ") if part)


@function("CONCATENATE", "text...", returns="text")
def concatenate(*texts: str) -> str:
    """The texts one after another.

    Errors: #VALUE! for a result of more than 32,767 characters.
    """
    return "".join(texts)


@function("CONCAT", "grid...", returns="text")
def concat(*arguments: Argument) -> str:
    """The texts one after another, those of ranges row by row.

    Errors: #VALUE! for a result of more than 32,767 characters.
    """
    return _joined(_all_texts(arguments, is_without_empty=True), [""])


@function("TEXTJOIN", "grid choice grid [grid]...", returns="text")
def text_join(delimiter: Argument, ignore_empty: Value, *arguments: Argument) -> str:
    """The texts with a delimiter between, without empty ones unless told FALSE. Several delimiters take turns.

    Errors: #VALUE! for a result of more than 32,767 characters.
    """
    is_without_empty = True if ignore_empty is None else to_logical(ignore_empty)
    if isinstance(is_without_empty, ErrorValue):
        raise FailedError(is_without_empty)
    delimiters = list(_all_texts([delimiter], is_without_empty=False))
    return _joined(_all_texts(arguments, is_without_empty=is_without_empty), delimiters)


def _joined(texts: Iterable[str], delimiters: Sequence[str]) -> str:
    parts: list[str] = []
    length = 0
    for place, text in enumerate(texts):
        if place:
            parts.append(delimiters[(place - 1) % len(delimiters)])
            length += len(parts[-1])
        parts.append(text)
        length += len(text)
        # Looked at on the way, so that a large range never makes a text that cannot be.
        if length > TEXT_LENGTH_MAX:
            raise FailedError(ErrorValue.VALUE)
    return "".join(parts)


def _all_texts(arguments: Sequence[Argument], *, is_without_empty: bool) -> Iterator[str]:
    for argument in arguments:
        grid = as_grid(argument)
        if not is_without_empty:
            check_size(grid.row_count, grid.column_count)
        for value in grid.items() if is_without_empty else _values(grid):
            text = to_text(value)
            if isinstance(text, ErrorValue):
                raise FailedError(text)
            if text or not is_without_empty:
                yield text


def _values(grid: Grid) -> Iterator[Value]:
    for row in range(grid.row_count):
        for column in range(grid.column_count):
            yield grid.at(row, column)


@function("REPT", "text number", returns="text")
def repeat(text: str, count: float) -> str:
    """The text several times over.

    Errors: #VALUE! for a negative count, or a result of more than 32,767 characters.
    """
    times = _count(count)
    if len(text) * times > TEXT_LENGTH_MAX:
        raise FailedError(ErrorValue.VALUE)
    return text * times


@function("EXACT", "text text", returns="logical")
def exact(left_text: str, right_text: str) -> bool:
    """Whether two texts are the same, case included."""
    return left_text == right_text
