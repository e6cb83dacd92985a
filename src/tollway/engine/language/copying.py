"""Formulas moved to another cell: copies of shared formulas, and references written by row and column numbers."""

from __future__ import annotations

import re
from functools import lru_cache

from tollway.engine.language.formula import parse
from tollway.engine.language.lexemes import find_corner, find_line, lexemes
from tollway.engine.language.syntax import (
    COLUMN_MAX,
    ROW_MAX,
    Corner,
    ErrorLiteral,
    External,
    Node,
    Reference,
    column_letters,
)
from tollway.engine.values import ErrorValue, UnreadableFormula

# Formulas that many cells share, cut into what moves and what stays.
_SHARED_KEPT = 256


def shifted(text: str, rows: int, columns: int) -> str:
    """The formula as Excel would copy it `rows` down and `columns` to the right: fixed parts ($) stay.

    A reference that leaves the sheet becomes #REF!. Works on the text, so that a formula which cannot be
    computed is still copied and refused where it stands.
    """
    return "".join(
        part if isinstance(part, str) else _moved_text(part, rows, columns) for part in _parts(text)
    )


@lru_cache(maxsize=_SHARED_KEPT)
def _parts(text: str) -> tuple[str | tuple[Corner, ...], ...]:
    """The formula in pieces: texts that stay, and the corners of references that may move."""
    parts: list[str | tuple[Corner, ...]] = []
    kept: list[str] = []
    for kind, written, space in lexemes(text):
        kept.append(space)
        corners: tuple[Corner | None, ...] = (None,)
        if kind == "cell":
            corners = (find_corner(written),)
        elif kind in ("columns", "rows"):
            corners = tuple(find_line(end.strip(" ")) for end in written.split(":"))
        if None in corners:
            kept.append(written)
        else:
            parts += ["".join(kept), tuple(corner for corner in corners if corner is not None)]
            kept = []
    return (*parts, "".join(kept))


def _moved_text(corners: tuple[Corner, ...], rows: int, columns: int) -> str:
    moved = [_moved_corner_text(corner, rows, columns) for corner in corners]
    return "#REF!" if "" in moved else ":".join(moved)


def _moved_corner_text(corner: Corner, rows: int, columns: int) -> str:
    """One end of a reference where it went; "" where it left the sheet."""
    text = ""
    column, row = corner.column, corner.row
    if column is not None:
        column = column if corner.column_fixed else column + columns
        if not 1 <= column <= COLUMN_MAX:
            return ""
        text = f"${column_letters(column)}" if corner.column_fixed else column_letters(column)
    if row is not None:
        row = row if corner.row_fixed else row + rows
        if not 1 <= row <= ROW_MAX:
            return ""
        text += f"${row}" if corner.row_fixed else str(row)
    return text


def wrapped(corner: Corner, rows: int, columns: int) -> Corner:
    """A corner moved as in a defined name: what passes the sheet's end comes in again at its beginning."""
    row = corner.row if corner.row is None or corner.row_fixed else (corner.row + rows - 1) % ROW_MAX + 1
    column = (
        corner.column
        if corner.column is None or corner.column_fixed
        else (corner.column + columns - 1) % COLUMN_MAX + 1
    )
    return Corner(row, column, corner.row_fixed, corner.column_fixed)


# --- references by numbers -----------------------------------------------------------------------------

_NUMBERED_LINE = r"(?:\[(-?\d{1,7})\]|(\d{1,7}))?"
_NUMBERED_END = re.compile(
    rf"(?:R{_NUMBERED_LINE}C{_NUMBERED_LINE}|R{_NUMBERED_LINE}|C{_NUMBERED_LINE})", re.IGNORECASE
)
_ANY_CELL = "A1"


def parse_r1c1(text: str, row: int, column: int) -> Node:
    """Read a reference such as R1C1, R[-1]C, C3 or 'my sheet'!R1C1:R[2]C[3] for the cell in a row and column.

    What is no such reference is read as parse() reads it: a name, a structured or external reference; a cell
    written as letters and number is refused, as Excel refuses it. ErrorLiteral(#REF!) where the reference
    leaves the sheet. Raises: UnreadableFormula, UnsupportedFormula.
    """
    prefix, mark, rest = text.strip().rpartition("!")
    first, colon, last = rest.partition(":")
    ends = [_numbered(end.strip(), row, column) for end in ((first, last) if colon else (first,))]
    if None in ends:
        tree = parse(text)
        if isinstance(tree, Reference):
            raise UnreadableFormula(f"The text {text[:100]!r} is no reference by row and column numbers.")
        return tree
    corners = [corner for corner in ends if isinstance(corner, Corner)]
    if len(corners) < len(ends):
        return ErrorLiteral(ErrorValue.REF)
    # The sheet is read by the parser, with all its quotes, workbooks and ranges of sheets.
    sheet = parse(f"{prefix}{mark}{_ANY_CELL}")
    if not isinstance(sheet, Reference):
        return External(text.strip())
    first_corner, last_corner = corners[0], corners[-1]
    is_cell = len(corners) == 1 and first_corner.row is not None and first_corner.column is not None
    return Reference(sheet.sheet, first_corner, None if is_cell else last_corner, sheet.last_sheet)


def _numbered(text: str, row: int, column: int) -> Corner | ErrorValue | None:
    """One end, #REF! where it leaves the sheet, None where the text is none."""
    match = _NUMBERED_END.fullmatch(text)
    if match is None:
        return None
    groups = match.groups()
    found_row: int | None = None
    found_column: int | None = None
    if text[0] in "Rr":
        by_cell = "C" in text.upper()
        found_row = _line_number(groups[0:2] if by_cell else groups[4:6], row)
        found_column = _line_number(groups[2:4], column) if by_cell else None
    else:
        found_column = _line_number(groups[6:8], column)
    if (found_row is not None and not 1 <= found_row <= ROW_MAX) or (
        found_column is not None and not 1 <= found_column <= COLUMN_MAX
    ):
        return ErrorValue.REF
    return Corner(found_row, found_column, True, True)


def _line_number(written: tuple[str | None, ...], own: int) -> int:
    relative, fixed = written
    if relative is not None:
        return own + int(relative)
    return own if fixed is None else int(fixed)
