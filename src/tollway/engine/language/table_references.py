"""What stands in the brackets of a structured reference: Table[[#Data],[first]:[last]].

Source: Microsoft, "Using structured references with Excel tables".
"""

from __future__ import annotations

import re

from tollway.engine.values import UnreadableFormula

_ITEMS = frozenset({"#all", "#data", "#headers", "#totals", "#this row"})
# Two of them together, as Excel allows.
_PAIRS = (frozenset({"#headers", "#data"}), frozenset({"#data", "#totals"}))
_PART = re.compile(r"[ \t\r\n]*(\[(?:[^\[\]']|'[\s\S])*\])[ \t\r\n]*([,:]?)")
_ESCAPED = re.compile(r"'([\s\S])")


def parse_brackets(text: str) -> tuple[tuple[str, ...], str | None, str | None]:
    """The items in lower case, the first and the last column of a text in its outer brackets.

    The last column is None where there is one column only, the first where there is none. An apostrophe makes
    the character after it plain. Raises: UnreadableFormula.
    """
    inner = text[1:-1]
    is_this_row = inner.lstrip().startswith("@")
    if is_this_row:
        inner = inner.lstrip()[1:]
    items, columns = _parts(inner, text)
    if is_this_row:
        if items:
            raise _unreadable(text)
        items = ("#this row",)
    if len(items) > 1 and frozenset(items) not in _PAIRS:
        raise _unreadable(text)
    first, last = (*columns, None, None)[:2]
    return items, first, last


def _parts(inner: str, text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if not inner.strip():
        return (), ()
    if not inner.lstrip().startswith("["):
        return _bare(inner, text)
    items: list[str] = []
    columns: list[str] = []
    position, separator = 0, ","
    while separator:
        match = _PART.match(inner, position)
        if match is None:
            raise _unreadable(text)
        content = match[1][1:-1]
        is_range = separator == ":"
        position, separator = match.end(), match[2]
        found_items, found_columns = _bare(content, text)
        if (columns and not is_range) or (is_range and (not columns or found_items)):
            raise _unreadable(text)
        items.extend(found_items)
        columns.extend(found_columns)
    if position != len(inner) or len(columns) > 2:
        raise _unreadable(text)
    return tuple(items), tuple(columns)


def _bare(content: str, text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """One item or one column without brackets."""
    if content.strip().startswith("#"):
        item = " ".join(content.lower().split())
        if item == "#ref!":
            # What Excel writes for a column that was deleted: no table has one of this name.
            return (), (content.strip(),)
        if item not in _ITEMS:
            raise _unreadable(text)
        return (item,), ()
    return (), (_ESCAPED.sub(r"\1", content),)


def _unreadable(text: str) -> UnreadableFormula:
    return UnreadableFormula(
        f"The brackets {text[:100]} are no structured reference; "
        "expected such as [column], [@column] or [[#Headers],[first]:[last]]."
    )
