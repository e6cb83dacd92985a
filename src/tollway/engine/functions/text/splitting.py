"""TEXTBEFORE, TEXTAFTER and TEXTSPLIT. Source: Microsoft's page of each function."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tollway.engine.functions.array_size import check_size
from tollway.engine.functions.registry import Argument, FailedError, as_grid, function, grid_of, number, whole
from tollway.engine.functions.text.strings import units_of
from tollway.engine.values import ErrorValue, Value, to_text

Span = tuple[int, int]


@function("TEXTBEFORE", "text array [choice choice choice choice]", returns="any")
def text_before(
    text: str,
    delimiter: Argument,
    instance: Value = None,
    match_mode: Value = None,
    match_end: Value = None,
    if_not_found: Value = None,
) -> Value:
    """What stands before a delimiter, or before one of several; the first, or the nth; from the end when negative.

    Match mode: 0 minds capitals, 1 does not. Match end: 1 takes the end of the text for a delimiter too.
    Errors: #N/A when it is not there and nothing is given for that case; #VALUE! for an instance of 0 or beyond the
    length of the text, or another mode.
    """
    span = _instance(text, delimiter, instance, match_mode, match_end)
    return _missing(if_not_found) if span is None else text[: span[0]]


@function("TEXTAFTER", "text array [choice choice choice choice]", returns="any")
def text_after(
    text: str,
    delimiter: Argument,
    instance: Value = None,
    match_mode: Value = None,
    match_end: Value = None,
    if_not_found: Value = None,
) -> Value:
    """What stands after a delimiter, or after one of several; the first, or the nth; from the end when negative.

    Match mode: 0 minds capitals, 1 does not. Match end: 1 takes the end of the text for a delimiter too.
    Errors: #N/A when it is not there and nothing is given for that case; #VALUE! for an instance of 0 or beyond the
    length of the text, or another mode.
    """
    span = _instance(text, delimiter, instance, match_mode, match_end)
    return _missing(if_not_found) if span is None else text[span[1] :]


def _missing(if_not_found: Value) -> Value:
    return ErrorValue.NA if if_not_found is None else if_not_found


def _instance(
    text: str, delimiter: Argument, instance: Value, match_mode: Value, match_end: Value
) -> Span | None:
    """Where the nth delimiter stands; None where there are not so many."""
    count = 1 if instance is None else whole(number(instance))
    if count == 0 or abs(count) > max(1, len(units_of(text)) // 2):
        raise FailedError(ErrorValue.VALUE)
    delimiters = _texts(delimiter)
    ignores_case, takes_end = _switch(match_mode), _switch(match_end)
    if "" in delimiters:
        # Nothing stands before the first character, and after the last one.
        return (0, 0) if count > 0 else (len(text), len(text))
    spans = _spans(text, delimiters, ignores_case=ignores_case, from_end=count < 0)
    if takes_end:
        spans.append((len(text), len(text)) if count > 0 else (0, 0))
    return spans[abs(count) - 1] if abs(count) <= len(spans) else None


def _switch(value: Value) -> bool:
    chosen = 0 if value is None else whole(number(value))
    if chosen not in (0, 1):
        raise FailedError(ErrorValue.VALUE)
    return chosen == 1


def _texts(argument: Argument) -> list[str]:
    texts: list[str] = []
    for value in as_grid(argument).items() or [None]:
        text = to_text(value)
        if isinstance(text, ErrorValue):
            raise FailedError(text)
        texts.append(text)
    return texts


def _spans(text: str, delimiters: Sequence[str], *, ignores_case: bool, from_end: bool) -> list[Span]:
    """Where delimiters stand, none over another, in the order of the search."""
    flags = re.IGNORECASE if ignores_case else re.NOFLAG
    if not from_end:
        pattern = re.compile("|".join(map(re.escape, delimiters)), flags)
        return [found.span() for found in pattern.finditer(text)]
    mirrored = re.compile("|".join(re.escape(delimiter[::-1]) for delimiter in delimiters), flags)
    size = len(text)
    return [(size - found.end(), size - found.start()) for found in mirrored.finditer(text[::-1])]


@function("TEXTSPLIT", "text array [array logical choice choice]", returns="any")
def text_split(
    text: str,
    column_delimiter: Argument,
    row_delimiter: Argument = None,
    ignore_empty: bool = False,
    match_mode: Value = None,
    pad_with: Value = None,
) -> Argument:
    """A text split into columns, and into rows where a second delimiter is given; each may be several texts.

    Ignore empty: TRUE leaves empty parts out. Match mode: 0 minds capitals, 1 does not. Shorter rows are filled with
    #N/A, or with the value given.
    Errors: #VALUE! for an empty delimiter or another mode; #CALC! when no part is left.
    """
    ignores_case = _switch(match_mode)
    if column_delimiter is None and row_delimiter is None:
        return ErrorValue.VALUE
    lines = [text] if row_delimiter is None else _parts(text, row_delimiter, ignores_case)
    if row_delimiter is not None and ignore_empty:
        lines = [line for line in lines if line]
    rows: list[list[Value]] = []
    for line in lines:
        parts = [line] if column_delimiter is None else _parts(line, column_delimiter, ignores_case)
        rows.append([part for part in parts if part or not ignore_empty])
    if ignore_empty:
        rows = [row for row in rows if row]
    if not rows:
        return ErrorValue.CALC
    width = max(map(len, rows))
    check_size(len(rows), width)
    return grid_of([row + [_missing(pad_with)] * (width - len(row)) for row in rows])


def _parts(text: str, delimiter: Argument, ignores_case: bool) -> list[str]:
    delimiters = _texts(delimiter)
    if "" in delimiters:
        raise FailedError(ErrorValue.VALUE)
    parts: list[str] = []
    position = 0
    for start, end in _spans(text, delimiters, ignores_case=ignores_case, from_end=False):
        parts.append(text[position:start])
        position = end
    return [*parts, text[position:]]
