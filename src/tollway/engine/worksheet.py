"""Reads one worksheet: cells with formulas, stored values and number formats; only those that hold something."""

from __future__ import annotations

import math
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from tollway.engine.archive import Archive, ReadLimits
from tollway.engine.formula import shifted
from tollway.engine.serials import serial_from_date
from tollway.engine.syntax import COLUMN_MAX, ROW_MAX, cell_text, column_number
from tollway.engine.values import (
    ERROR_BY_TEXT,
    ErrorValue,
    NotAWorkbook,
    UnreadableFormula,
    Value,
    WorkbookTooLarge,
)

# (top, left, bottom, right), counted from 1, both ends included.
Bounds = tuple[int, int, int, int]


@dataclass(slots=True)
class Cell:
    """One cell that holds something.

    `formula` is without its equals sign; shared formulas are written out. `value` is what Excel stored.
    `array` is the area that an array formula fills; `array_anchor` is set in the other cells of that area,
    which have a value but no formula of their own.
    """

    formula: str | None
    value: Value
    number_format: str = "General"
    array: Bounds | None = None
    array_anchor: tuple[int, int] | None = None


@dataclass
class Sheet:
    """One sheet: its cells by (row, column), counted from 1. A chart sheet has none."""

    name: str
    cells: dict[tuple[int, int], Cell] = field(default_factory=dict)
    is_hidden: bool = False

    @cached_property
    def rows_by_column(self) -> dict[int, list[int]]:
        """The rows that hold something, ascending, for each column that does."""
        rows: dict[int, list[int]] = {}
        for row, column in self.cells:
            rows.setdefault(column, []).append(row)
        for column_rows in rows.values():
            column_rows.sort()
        return rows

    @cached_property
    def used(self) -> tuple[int, int]:
        """The last row and the last column that hold something; (0, 0) for an empty sheet."""
        if not self.cells:
            return (0, 0)
        return (max(row for row, _ in self.cells), max(column for _, column in self.cells))

    def positions_in(self, bounds: Bounds) -> Iterator[tuple[int, int]]:
        """The cells inside an area that hold something, column by column."""
        top, left, bottom, right = bounds
        columns = self.rows_by_column
        wanted = range(left, right + 1) if right - left < len(columns) else sorted(columns)
        for column in wanted:
            rows = columns.get(column)
            if rows is None or not left <= column <= right:
                continue
            for row in rows[bisect_left(rows, top) : bisect_right(rows, bottom)]:
                yield (row, column)


class Counts:
    """Cells and formulas of a whole workbook, counted as they are met."""

    def __init__(self, limits: ReadLimits) -> None:
        self.limits = limits
        self.cell_count = 0
        self.formula_count = 0

    def add_cell(self) -> None:
        """Count one that holds something. Raises: WorkbookTooLarge."""
        self.cell_count += 1
        if self.cell_count > self.limits.cells_max:
            raise WorkbookTooLarge(
                f"The workbook holds more than the {self.limits.cells_max:,} filled cells that are allowed; "
                "remove sheets and rows that the model does not need."
            )

    def add_formula(self, formula: str, address: str) -> None:
        """Count one and measure it. Raises: WorkbookTooLarge."""
        self.formula_count += 1
        if self.formula_count > self.limits.formulas_max:
            raise WorkbookTooLarge(
                f"The workbook holds more than the {self.limits.formulas_max:,} formulas that are allowed; "
                "remove sheets and rows that the model does not need."
            )
        if len(formula) > self.limits.formula_length_max:
            raise WorkbookTooLarge(
                f"The formula in {address} has {len(formula):,} characters and "
                f"{self.limits.formula_length_max:,} are allowed; split it over several cells.",
                cells=(address,),
            )


_ADDRESS = re.compile(r"\$?([A-Za-z]{1,3})\$?(\d{1,7})")


class SheetReader:
    """Reads the cells of one worksheet part."""

    def __init__(
        self, archive: Archive, counts: Counts, sheet: Sheet, strings: list[str], formats: list[str]
    ) -> None:
        self.archive = archive
        self.counts = counts
        self.sheet = sheet
        self.strings = strings
        self.formats = formats
        self.row = 0
        self.column = 0
        self.in_cell = False
        self.kind = "n"
        self.style = ""
        self.value_text: str | None = None
        self.inline: list[str] = []
        self.phonetic = 0
        self.formula: str | None = None
        self.formula_attributes: dict[str, str] = {}
        self.shared: dict[str, tuple[int, int, str]] = {}

    def read(self, part: str) -> None:
        """Fill the sheet from its part. Raises: NotAWorkbook, WorkbookTooLarge."""
        self.archive.read_xml(part, self._start, self._end)
        self._mark_array_members()

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "c":
            self._start_cell(attributes)
        elif tag == "f" and self.in_cell:
            self.formula_attributes = attributes
        elif tag == "row":
            self.row = self._number_of_row(attributes.get("r"))
            self.column = 0
        elif tag == "rPh":
            self.phonetic += 1

    def _end(self, tag: str, text: str) -> None:
        if not self.in_cell:
            return
        if tag == "v":
            self.value_text = text
        elif tag == "c":
            self.in_cell = False
            self._keep_cell()
        elif tag == "f":
            self.formula = text
        elif tag == "rPh":
            self.phonetic -= 1
        elif tag == "t" and not self.phonetic:
            self.inline.append(text)

    def _number_of_row(self, written: str | None) -> int:
        row = int(written) if written is not None and written.isdigit() else self.row + 1
        if not 1 <= row <= ROW_MAX:
            raise NotAWorkbook(
                f"The sheet {self.sheet.name!r} has a row {row:,}; a sheet ends at row {ROW_MAX:,}."
            )
        return row

    def _start_cell(self, attributes: dict[str, str]) -> None:
        written = attributes.get("r")
        if written is None:
            self.column += 1
        else:
            match = _ADDRESS.fullmatch(written)
            if match is None:
                raise NotAWorkbook(f"The sheet {self.sheet.name!r} has a cell with the address {written!r}.")
            self.row, self.column = self._number_of_row(match[2]), column_number(match[1])
        if self.column > COLUMN_MAX:
            raise NotAWorkbook(
                f"The sheet {self.sheet.name!r} has a cell in column {self.column:,}; a sheet ends at column XFD."
            )
        self.in_cell = True
        self.kind = attributes.get("t", "n")
        self.style = attributes.get("s", "")
        self.value_text = None
        self.inline = []
        self.formula = None
        self.formula_attributes = {}

    def _keep_cell(self) -> None:
        address = f"{self.sheet.name}!{cell_text(self.row, self.column)}"
        formula, array = self._read_formula(address)
        value = self._read_value(address)
        if formula is None and value is None:
            return
        self.counts.add_cell()
        if formula is not None:
            self.counts.add_formula(formula, address)
        number_format = "General"
        if self.style.isdigit() and int(self.style) < len(self.formats):
            number_format = self.formats[int(self.style)]
        self.sheet.cells[(self.row, self.column)] = Cell(formula, value, number_format, array)

    def _read_formula(self, address: str) -> tuple[str | None, Bounds | None]:
        if self.formula is None:
            return None, None
        attributes = self.formula_attributes
        kind = attributes.get("t", "normal")
        text = self.formula.strip()
        if kind == "shared":
            return self._read_shared(text, attributes.get("si", ""), address), None
        if kind == "dataTable":
            return "TABLE()", _bounds(attributes.get("ref", ""))
        if not text:
            return None, None
        return text, _bounds(attributes.get("ref", "")) if kind == "array" else None

    def _read_shared(self, text: str, index: str, address: str) -> str | None:
        if text:
            self.shared[index] = (self.row, self.column, text)
            return text
        if index not in self.shared:
            return None
        row, column, master = self.shared[index]
        try:
            return shifted(master, self.row - row, self.column - column)
        except UnreadableFormula as error:
            raise NotAWorkbook(
                f"The formula that {address} shares cannot be read: {error.message}", cells=(address,)
            ) from error

    def _read_value(self, address: str) -> Value:
        if self.kind == "inlineStr":
            return unescaped("".join(self.inline))
        text = self.value_text
        if text is None or (text == "" and self.kind != "str"):
            return None
        try:
            return self._typed_value(text)
        except (ValueError, IndexError) as error:
            raise NotAWorkbook(
                f"The cell {address} holds {text[:40]!r}, which is no value of kind {self.kind!r}; "
                "open the workbook in Excel and save it again.",
                cells=(address,),
            ) from error

    def _typed_value(self, text: str) -> Value:
        match self.kind:
            case "s":
                return self.strings[int(text)]
            case "str":
                return unescaped(text)
            case "b":
                return text.strip() in ("1", "true")
            case "e":
                return ERROR_BY_TEXT.get(text.strip(), ErrorValue.UNKNOWN)
            case "d":
                return _serial_of_iso(text.strip())
            case _:
                number = float(text)
                if not math.isfinite(number):
                    raise ValueError(text)
                return number

    def _mark_array_members(self) -> None:
        anchors = [(position, cell) for position, cell in self.sheet.cells.items() if cell.array is not None]
        for anchor, cell in anchors:
            assert cell.array is not None
            for position in self.sheet.positions_in(cell.array):
                member = self.sheet.cells[position]
                if position != anchor and member.formula is None:
                    member.array_anchor = anchor


def _bounds(reference: str) -> Bounds | None:
    first, _, last = reference.partition(":")
    ends = [_ADDRESS.fullmatch(end) for end in (first, last or first)]
    if ends[0] is None or ends[1] is None:
        return None
    return (int(ends[0][2]), column_number(ends[0][1]), int(ends[1][2]), column_number(ends[1][1]))


def _serial_of_iso(text: str) -> float:
    moment = datetime.fromisoformat(text)
    serial = serial_from_date(moment.year, moment.month, moment.day)
    if serial is None:
        raise ValueError(text)
    seconds = moment.hour * 3600 + moment.minute * 60 + moment.second + moment.microsecond / 1e6
    return serial + seconds / 86_400


_ESCAPE = re.compile(r"_x([0-9A-Fa-f]{4})_")


def unescaped(text: str) -> str:
    """Undo the _x000D_ form in which the file writes characters that XML cannot hold.

    NUL and half of a surrogate pair, which no text may hold elsewhere, become U+FFFD.
    """
    if "_x" not in text:
        return text
    decoded = _ESCAPE.sub(lambda match: chr(int(match[1], 16)), text).replace("\0", "\ufffd")
    # Through UTF-16, where both halves of a pair become the one character that they mean.
    return decoded.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
