"""Constants of formulas: numbers as written, and arrays in braces."""

from __future__ import annotations

import math

from tollway.engine.language.cursor import Cursor
from tollway.engine.language.syntax import ArrayConstant
from tollway.engine.values import ERROR_BY_TEXT, UnreadableFormula, Value


def number_of(text: str) -> float:
    """A number as written. Raises: UnreadableFormula for one too large."""
    value = float(text)
    if not math.isfinite(value):
        raise UnreadableFormula(f"The number {text} is larger than Excel allows.")
    return value


def read_array(cursor: Cursor) -> ArrayConstant:
    """The rows of constants behind an opening brace, up to the closing one. Raises: UnreadableFormula."""
    rows: list[tuple[Value, ...]] = []
    row: list[Value] = [_constant(cursor)]
    while not cursor.take("}"):
        if cursor.take(","):
            row.append(_constant(cursor))
        else:
            cursor.expect(";")
            rows.append(tuple(row))
            row = [_constant(cursor)]
    rows.append(tuple(row))
    if any(len(other) != len(rows[0]) for other in rows):
        raise UnreadableFormula("The rows of an array constant have different lengths.")
    return ArrayConstant(tuple(rows))


def _constant(cursor: Cursor) -> Value:
    sign = -1.0 if cursor.take("-") else 1.0
    is_signed = sign < 0 or cursor.take("+")
    kind, text = cursor.kind, cursor.text
    if kind == "number":
        cursor.advance()
        value = sign * number_of(text)
        return value / 100.0 if cursor.take("%") else value
    if is_signed:
        raise cursor.unreadable()
    if kind == "text":
        cursor.advance()
        return text[1:-1].replace('""', '"')
    if kind == "error":
        cursor.advance()
        return ERROR_BY_TEXT[text.upper()]
    if kind == "name" and text.upper() in ("TRUE", "FALSE"):
        cursor.advance()
        return text.upper() == "TRUE"
    raise cursor.unreadable()
