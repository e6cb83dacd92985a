"""Reads a column of numbers from a workbook or a CSV file, for a fit."""

import csv
import math
import re
from collections.abc import Iterator
from pathlib import Path

from tollway.engine.distributions.fitting import FIT_VALUES_MAX, BadFitData
from tollway.engine.workbooks.archive import ReadLimits
from tollway.engine.workbooks.cells import Bounds
from tollway.engine.workbooks.workbook import Workbook, read_workbook

CSV_BYTES_MAX = 200_000_000
_ROW_MAX, _COLUMN_MAX = 1_048_576, 16_384
_FIRST_COLUMN: Bounds = (1, 1, _ROW_MAX, 1)

_AREA = re.compile(
    r"(?:(?P<sheet>'(?:[^']|'')+'|[^'!]+)!)?"
    r"\$?(?P<left>[A-Z]{1,3})\$?(?P<top>\d{1,7})?(?::\$?(?P<right>[A-Z]{1,3})\$?(?P<bottom>\d{1,7})?)?",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")


def read_numbers(path: Path, cells: str | None = None, limits: ReadLimits | None = None) -> list[float]:
    """Read the numbers of an area of an .xlsx, .xlsm or .csv file, row by row; empty cells are left out.

    Args:
        path: the file. A CSV file is one sheet whose columns are A, B and so on; decimals are written with a point.
        cells: such as "Sheet1!A2:A500", "B2:B500" or "A:A"; left out, the first column of a CSV file without its
            heading.
        limits: for a workbook.

    Raises: BadFitData naming the cell, NotAWorkbook, WorkbookTooLarge, OSError.
    """
    sheet, bounds = (None, _FIRST_COLUMN) if cells is None else _area(cells)
    if path.suffix.lower() == ".csv":
        # Without an area, a heading is expected and not an error.
        return _kept(_csv_cells(path, bounds), skips_heading=cells is None)
    if cells is None:
        raise BadFitData(
            f"Say which cells of {path.name} hold the data, such as --cells 'Sheet1!A2:A500'.", field="cells"
        )
    return _kept(_workbook_cells(read_workbook(path, limits), sheet, bounds), skips_heading=False)


def _area(cells: str) -> tuple[str | None, Bounds]:
    found = _AREA.fullmatch(cells.strip())
    if found is None:
        raise BadFitData(
            f"{cells[:60]!r} is no area of cells; write it as Sheet1!A2:A500, or A:A for a whole column.",
            field="cells",
        )
    quoted = found["sheet"]
    sheet = quoted[1:-1].replace("''", "'") if quoted and quoted.startswith("'") else quoted
    left = _column(found["left"])
    is_cell = found["right"] is None and found["top"] is not None
    right = left if found["right"] is None else _column(found["right"])
    top = int(found["top"] or 1)
    bottom = top if is_cell else int(found["bottom"] or _ROW_MAX)
    if not (1 <= top <= bottom <= _ROW_MAX and 1 <= left <= right <= _COLUMN_MAX):
        raise BadFitData(
            f"{cells[:60]!r} is no area of a sheet; its first cell must be above or left of its last one.",
            field="cells",
        )
    return sheet, (top, left, bottom, right)


def _column(letters: str) -> int:
    number = 0
    for letter in letters.upper():
        number = number * 26 + ord(letter) - ord("A") + 1
    return number


def _letters(column: int) -> str:
    letters = ""
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


Found = tuple[int, int, object]
"""Row, column, and what stands there: a number, text, or something else."""


def _workbook_cells(book: Workbook, name: str | None, bounds: Bounds) -> Iterator[Found]:
    sheets = [sheet for sheet in book.sheets if name is None or sheet.name.lower() == name.lower()]
    if not sheets:
        names = ", ".join(sheet.name for sheet in book.sheets)[:200]
        raise BadFitData(f"The workbook has no sheet {name!r}; it has {names}.", field="cells")
    chosen = next((sheet for sheet in sheets if not sheet.is_hidden), sheets[0])
    for row, column in sorted(chosen.positions_in(bounds)):
        yield row, column, chosen.cells[row, column].value


def _csv_cells(path: Path, bounds: Bounds) -> Iterator[Found]:
    if path.stat().st_size > CSV_BYTES_MAX:
        raise BadFitData(
            f"{path.name} has {path.stat().st_size:,} bytes and {CSV_BYTES_MAX:,} are read at most; take a part of it.",
            field="file",
        )
    top, left, bottom, right = bounds
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            sample = file.read(4_096)
            file.seek(0)
            # Where decimals have a comma, columns are parted by semicolons; tabs part them in exports.
            parted = max(",;\t", key=sample.count)
            for row, fields in enumerate(csv.reader(file, delimiter=parted), start=1):
                if row > bottom:
                    return
                if row >= top:
                    for column in range(left, min(right, len(fields)) + 1):
                        yield row, column, _value(fields[column - 1])
    except (UnicodeDecodeError, csv.Error) as problem:
        raise BadFitData(
            f"{path.name} is no CSV file in UTF-8 ({problem}); save it as CSV UTF-8.", field="file"
        ) from problem


def _value(text: str) -> object:
    text = text.strip()
    if not text:
        return None
    return float(text) if text.isascii() and _NUMBER.fullmatch(text) else text


def _kept(cells: Iterator[Found], *, skips_heading: bool) -> list[float]:
    numbers: list[float] = []
    for row, column, value in cells:
        if value is None or value == "":
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            if skips_heading and row == 1:
                continue
            raise BadFitData(
                f"{_letters(column)}{row} holds {str(value)[:40]!r}, which is not a number; begin the area below a "
                "heading, and leave out what is none.",
                field="cells",
            )
        numbers.append(float(value))
        if len(numbers) > FIT_VALUES_MAX:
            raise BadFitData(
                f"The area holds more than {FIT_VALUES_MAX:,} numbers; name a smaller one.", field="cells"
            )
    return numbers
