"""What a cell is called on its sheet: the text to its left, or else above it."""

from __future__ import annotations

from tollway.engine.exact.graph import Address, FormulaBook

# A label further away than this belongs to something else.
_LABEL_DISTANCE_MAX = 6
_LABEL_LENGTH_MAX = 80


def label_of(book: FormulaBook, address: Address) -> str | None:
    """The nearest text to the left in the same row, else the nearest above in the same column; None without one.

    Between the label and the cell there may be blanks or numbers (a row of a table), but a blank beyond a number
    ends the search: there another table begins.
    """
    sheet, row, column = address
    left = _first_text(book, [(sheet, row, column - step) for step in range(1, _LABEL_DISTANCE_MAX + 1)])
    if left is not None:
        return left
    return _first_text(book, [(sheet, row - step, column) for step in range(1, _LABEL_DISTANCE_MAX + 1)])


def _first_text(book: FormulaBook, addresses: list[Address]) -> str | None:
    passed_number = False
    for address in addresses:
        cell = book.cell(address) if address[1] >= 1 and address[2] >= 1 else None
        if cell is None:
            if passed_number:
                return None
            continue
        passed_number = passed_number or isinstance(cell.value, float)
        if isinstance(cell.value, str) and cell.formula is None and cell.value.strip():
            return " ".join(cell.value.split())[:_LABEL_LENGTH_MAX].rstrip(":").strip() or None
    return None
