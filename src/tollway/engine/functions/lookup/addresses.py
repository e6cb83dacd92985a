"""Addresses and links as text: ADDRESS and HYPERLINK. Source of each: Microsoft's page of that function."""

from __future__ import annotations

import re

from tollway.engine.functions.registry import FailedError, function, number, whole
from tollway.engine.language.syntax import COLUMN_MAX, ROW_MAX, column_letters
from tollway.engine.values import ErrorValue, Value, to_logical, to_text

_PLAIN_SHEET = re.compile(r"[^\W\d][\w.]*")
_LIKE_A_CELL = re.compile(r"[A-Za-z]{1,3}\d{1,7}|[Rr]\d*[Cc]\d*|[Rr]\d*|[Cc]\d*")


@function("ADDRESS", "number number [choice choice any]", returns="text")
def address(row: float, column: float, kind: Value = None, is_a1: Value = None, sheet: Value = None) -> str:
    """A cell's address as text.

    Kind: 1 (or left out) both parts absolute, 2 the row, 3 the column, 4 none. A1: FALSE writes R1C1 style. Sheet: a
    name to write in front.
    Errors: #VALUE! for a row or column that no sheet has, or another kind.
    """
    row_number, column_number = whole(row), whole(column)
    kind_number = 1 if kind is None else whole(number(kind))
    if not (1 <= row_number <= ROW_MAX and 1 <= column_number <= COLUMN_MAX and 1 <= kind_number <= 4):
        raise FailedError(ErrorValue.VALUE)
    row_fixed, column_fixed = kind_number in (1, 2), kind_number in (1, 3)
    style = True if is_a1 is None else to_logical(is_a1)
    if isinstance(style, ErrorValue):
        raise FailedError(style)
    if style:
        letters = column_letters(column_number)
        cell = f"{'$' * column_fixed}{letters}{'$' * row_fixed}{row_number}"
    else:
        row_part = str(row_number) if row_fixed else f"[{row_number}]"
        column_part = str(column_number) if column_fixed else f"[{column_number}]"
        cell = f"R{row_part}C{column_part}"
    if sheet is None:
        return cell
    name = to_text(sheet)
    if isinstance(name, ErrorValue):
        raise FailedError(name)
    return f"{_quoted(name)}!{cell}"


def _quoted(name: str) -> str:
    if not name or (_PLAIN_SHEET.fullmatch(name) and not _LIKE_A_CELL.fullmatch(name)):
        return name
    return "'" + name.replace("'", "''") + "'"


@function("HYPERLINK", "text [choice]", returns="any")
def hyperlink(link: str, friendly_name: Value = None) -> Value:
    """What a cell with a link shows: the friendly name, or the link where none is given. Nothing is opened."""
    return link if friendly_name is None else friendly_name
