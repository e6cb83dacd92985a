"""What functions such as CELL, FORMULATEXT and SUBTOTAL ask of cells beside their values."""

from __future__ import annotations

import re

from tollway.engine.exact.graph import Address, FormulaBook
from tollway.engine.workbooks.workbook import Workbook

# How files mark newer functions, names of LET and LAMBDA; formulas are shown without.
_MARKS = re.compile(
    r"(?<![A-Za-z0-9_.])(?:_xlfn\.(?:_xlws\.)?|_xlws\.|_xlpm\.|_xlop\.|_xleta\.)", re.IGNORECASE
)
_SPILL = re.compile(r"(?:_xlfn\.)?ANCHORARRAY\(([^()]*)\)", re.IGNORECASE)
_SINGLE = re.compile(r"(?:_xlfn\.)?SINGLE\(([^()]*)\)", re.IGNORECASE)
_STRINGS = re.compile(r'("(?:[^"]|"")*")')
_TOTALS = re.compile(r"(?:^|[^A-Za-z0-9_.]|_xlfn\.)(?:SUBTOTAL|AGGREGATE)\s*\(", re.IGNORECASE)


class CellFacts:
    """Facts about the cells of a workbook that no calculation changes."""

    def __init__(self, book: FormulaBook) -> None:
        self.book = book

    @property
    def workbook(self) -> Workbook:
        """The workbook as read."""
        return self.book.workbook

    def formula_text(self, address: Address) -> str | None:
        """The formula of a cell as Excel shows it, in braces where it fills a fixed area."""
        cell = self.book.cell(address)
        if cell is not None and cell.array_anchor is not None:
            anchor = self.book.cell((address[0], *cell.array_anchor))
            # What a formula spills is no formula; the cells of a fixed area share theirs.
            cell = None if anchor is None or anchor.is_dynamic else anchor
        if cell is None or cell.formula is None:
            return None
        shown = "=" + displayed(cell.formula)
        return f"{{{shown}}}" if cell.array is not None and not cell.is_dynamic else shown

    def number_format(self, address: Address) -> str:
        """The format code of a cell."""
        cell = self.book.cell(address)
        return "General" if cell is None else cell.number_format

    def is_hidden_row(self, sheet: int, row: int, *, by_hand: bool) -> bool:
        """Whether a row is hidden by a filter or, where that counts too, by hand."""
        found = self.workbook.sheets[sheet]
        return row in (found.hidden_rows if by_hand else found.filtered_rows)

    def is_total(self, address: Address) -> bool:
        """Whether the formula of a cell holds a SUBTOTAL or AGGREGATE."""
        cell = self.book.cell(address)
        return cell is not None and cell.formula is not None and _TOTALS.search(cell.formula) is not None


def displayed(formula: str) -> str:
    """A formula as Excel shows it: A1# for ANCHORARRAY(A1), no marks of newer functions; texts stay as they are."""
    pieces = _STRINGS.split(formula)
    for place in range(0, len(pieces), 2):
        piece = _SPILL.sub(r"\1#", pieces[place])
        piece = _SINGLE.sub(r"@\1", piece)
        pieces[place] = _MARKS.sub("", piece)
    return "".join(pieces)
