"""References and names as the words of a formula write them."""

from __future__ import annotations

from tollway.engine.language.lexemes import find_corner, find_line
from tollway.engine.language.syntax import Binary, Logical, Name, Node, Reference
from tollway.engine.values import UnreadableFormula


def name_of(sheet: str | None, text: str) -> Node:
    """A name, or TRUE or FALSE, which are none."""
    if sheet is None and text.upper() in ("TRUE", "FALSE"):
        return Logical(text.upper() == "TRUE")
    return Name(sheet, text)


def reference_of(sheet: str | None, kind: str, text: str) -> Node:
    """A cell, whole columns or whole rows; what lies beyond the sheet's end is a name."""
    if kind == "cell":
        corner = find_corner(text)
        return Name(sheet, text) if corner is None else Reference(sheet, corner)
    ends = [end.strip(" ") for end in text.split(":")]
    first, last = find_line(ends[0]), find_line(ends[1])
    if first is not None and last is not None:
        return Reference(sheet, first, last)
    if kind == "rows" or "$" in text:
        raise UnreadableFormula(f"A sheet has no {text}: its last row is 1,048,576 and its last column XFD.")
    return Binary(":", Name(sheet, ends[0]), Name(None, ends[1]))


def range_of(left: Node, right: Node) -> Node:
    """Two cells on one sheet make a reference; anything else stays a range whose ends are computed."""
    if (
        isinstance(left, Reference)
        and isinstance(right, Reference)
        and left.last is None
        and right.last is None
        and left.last_sheet is None
        and (right.sheet is None or (left.sheet is not None and right.sheet.lower() == left.sheet.lower()))
    ):
        return Reference(left.sheet, left.first, right.first)
    return Binary(":", left, right)
