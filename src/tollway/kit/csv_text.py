"""Rows as CSV (RFC 4180) that a spreadsheet reads and never computes."""

import csv
import io
from collections.abc import Iterable, Sequence

# A spreadsheet takes a cell that begins so for a formula (OWASP ASVS 5.0, 1.2.10).
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def neutral(cell: str) -> str:
    """Return a cell that no spreadsheet computes: an apostrophe goes before what could begin a formula."""
    return f"'{cell}" if cell.startswith(FORMULA_STARTS) else cell


def csv_lines(rows: Iterable[Sequence[str | int]]) -> str:
    """Write rows, a line each; texts are made neutral, numbers stay numbers."""
    text = io.StringIO()
    csv.writer(text).writerows(
        [cell if isinstance(cell, int) else neutral(cell) for cell in row] for row in rows
    )
    return text.getvalue()
