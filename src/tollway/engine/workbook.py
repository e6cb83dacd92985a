"""Reads an .xlsx or .xlsm file into sheets of cells: formulas, the values Excel stored beside them, names.

Sparse from end to end: only cells that hold something exist. Macros, links and connections are never touched.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path

from tollway.engine.archive import Archive, ReadLimits, open_archive, relationships
from tollway.engine.formula import COLUMN_MAX, ROW_MAX, cell_text, column_number, shifted
from tollway.engine.serials import serial_from_date
from tollway.engine.values import (
    ERROR_BY_TEXT,
    ErrorValue,
    NotAWorkbook,
    UnreadableFormula,
    Value,
    WorkbookTooLarge,
)

SHEETS_MAX = 1_024
NAMES_MAX = 20_000

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


@dataclass(frozen=True, slots=True)
class DefinedName:
    """A name for a formula, usually a reference; `sheet_index` where it holds on one sheet only."""

    name: str
    formula: str
    sheet_index: int | None = None


@dataclass
class Workbook:
    """A workbook as read. `application` is what saved it ("Microsoft Excel"), "" where it does not say."""

    sheets: list[Sheet]
    names: dict[tuple[int | None, str], DefinedName] = field(default_factory=dict)
    is_1904: bool = False
    is_iterative: bool = False
    application: str = ""

    @cached_property
    def sheet_index(self) -> dict[str, int]:
        """Position of each sheet by its name in lower case."""
        return {sheet.name.lower(): index for index, sheet in enumerate(self.sheets)}

    def find_name(self, name: str, sheet_index: int) -> DefinedName | None:
        """The name as seen from a sheet: its own first, then the workbook's."""
        lowered = name.lower()
        return self.names.get((sheet_index, lowered)) or self.names.get((None, lowered))


def read_workbook(path: Path, limits: ReadLimits | None = None) -> Workbook:
    """Read a workbook file within limits.

    Raises: NotAWorkbook for what is no readable workbook, WorkbookTooLarge for what passes a limit;
    each says what was found, what is allowed and what to do.
    """
    limits = limits or ReadLimits()
    with open_archive(path, limits) as archive:
        return _Reader(archive, limits).workbook()


class _Reader:
    """One reading; counts cells and formulas over all sheets."""

    def __init__(self, archive: Archive, limits: ReadLimits) -> None:
        self.archive = archive
        self.limits = limits
        self.cell_count = 0
        self.formula_count = 0

    def workbook(self) -> Workbook:
        main = self.main_part()
        parts = relationships(self.archive, main)
        directory = _Directory()
        self.archive.read_xml(main, directory.start, directory.end)
        if not directory.sheets:
            raise NotAWorkbook("The workbook has no sheets; save it again in Excel.")
        if len(directory.sheets) > SHEETS_MAX:
            raise WorkbookTooLarge(
                f"The workbook has {len(directory.sheets):,} sheets and {SHEETS_MAX:,} are allowed; remove some."
            )
        strings = self.shared_strings(parts)
        formats = self.cell_formats(parts)
        sheets = []
        for name, relation, state in directory.sheets:
            kind, part = parts.get(relation, ("", ""))
            sheet = Sheet(name, is_hidden=state != "visible")
            if kind in ("worksheet", "") and part in self.archive:
                _SheetReader(self, sheet, strings, formats).read(part)
            sheets.append(sheet)
        names = {
            (found.sheet_index, found.name.lower()): found
            for found in directory.names
            if found.sheet_index is None or found.sheet_index < len(sheets)
        }
        return Workbook(sheets, names, directory.is_1904, directory.is_iterative, self.application())

    def main_part(self) -> str:
        for kind, part in relationships(self.archive, "").values():
            if kind == "officeDocument" and part in self.archive:
                return part
        if "xl/workbook.xml" in self.archive:
            return "xl/workbook.xml"
        if "xl/workbook.bin" in self.archive:
            raise NotAWorkbook("The workbook is in the binary .xlsb format; save it in Excel as .xlsx.")
        raise NotAWorkbook("The zip file holds no workbook; upload an .xlsx or .xlsm file saved by Excel.")

    def shared_strings(self, parts: dict[str, tuple[str, str]]) -> list[str]:
        strings: list[str] = []
        part = _part_of_kind(parts, "sharedStrings")
        if part is None or part not in self.archive:
            return strings
        pieces: list[str] = []
        phonetic = 0

        def start(tag: str, _attributes: dict[str, str]) -> None:
            nonlocal phonetic
            if tag == "rPh":
                phonetic += 1
            elif tag == "si":
                pieces.clear()

        def end(tag: str, text: str) -> None:
            nonlocal phonetic
            if tag == "rPh":
                phonetic -= 1
            elif tag == "t" and not phonetic:
                pieces.append(text)
            elif tag == "si":
                strings.append(_unescaped("".join(pieces)))

        self.archive.read_xml(part, start, end)
        return strings

    def cell_formats(self, parts: dict[str, tuple[str, str]]) -> list[str]:
        """The number format of each cell style, in the order cells refer to them."""
        formats: list[str] = []
        part = _part_of_kind(parts, "styles")
        if part is None or part not in self.archive:
            return formats
        custom: dict[str, str] = {}
        inside_cell_styles = False

        def start(tag: str, attributes: dict[str, str]) -> None:
            nonlocal inside_cell_styles
            if tag == "numFmt":
                custom.setdefault(attributes.get("numFmtId", ""), attributes.get("formatCode", "General"))
            elif tag == "cellXfs":
                inside_cell_styles = True
            elif tag == "xf" and inside_cell_styles:
                number = attributes.get("numFmtId") or "0"
                formats.append(custom.get(number) or _BUILT_IN_FORMATS.get(number, "General"))

        def end(tag: str, _text: str) -> None:
            nonlocal inside_cell_styles
            if tag == "cellXfs":
                inside_cell_styles = False

        self.archive.read_xml(part, start, end)
        return formats

    def application(self) -> str:
        found = ""

        def end(tag: str, text: str) -> None:
            nonlocal found
            if tag == "Application":
                found = text.strip()[:100]

        for kind, part in relationships(self.archive, "").values():
            if kind == "extended-properties" and part in self.archive:
                self.archive.read_xml(part, lambda _tag, _attributes: None, end)
        return found

    def count_cell(self) -> None:
        self.cell_count += 1
        if self.cell_count > self.limits.cells_max:
            raise WorkbookTooLarge(
                f"The workbook holds more than the {self.limits.cells_max:,} filled cells that are allowed; "
                "remove sheets and rows that the model does not need."
            )

    def count_formula(self, formula: str, address: str) -> None:
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


def _part_of_kind(parts: dict[str, tuple[str, str]], wanted: str) -> str | None:
    return next((part for kind, part in parts.values() if kind == wanted), None)


class _Directory:
    """What workbook.xml says: sheets in order, names, the date system."""

    def __init__(self) -> None:
        self.sheets: list[tuple[str, str, str]] = []
        self.names: list[DefinedName] = []
        self.is_1904 = False
        self.is_iterative = False
        self.name_attributes: dict[str, str] = {}

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "sheet":
            relation = next((value for key, value in attributes.items() if key.endswith(":id")), "")
            self.sheets.append((attributes.get("name", ""), relation, attributes.get("state", "visible")))
        elif tag == "workbookPr":
            self.is_1904 = attributes.get("date1904") in ("1", "true")
        elif tag == "calcPr":
            self.is_iterative = attributes.get("iterate") in ("1", "true")
        elif tag == "definedName":
            self.name_attributes = attributes

    def end(self, tag: str, text: str) -> None:
        if tag != "definedName":
            return
        if len(self.names) >= NAMES_MAX:
            raise WorkbookTooLarge(
                f"The workbook defines more than the {NAMES_MAX:,} names that are allowed; remove unused ones."
            )
        local = self.name_attributes.get("localSheetId", "")
        index = int(local) if local.isdigit() else None
        self.names.append(DefinedName(self.name_attributes.get("name", ""), text.strip(), index))


_ADDRESS = re.compile(r"\$?([A-Za-z]{1,3})\$?(\d{1,7})")


class _SheetReader:
    """Reads the cells of one worksheet part."""

    def __init__(self, reader: _Reader, sheet: Sheet, strings: list[str], formats: list[str]) -> None:
        self.reader = reader
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
        self.reader.archive.read_xml(part, self.start, self.end)
        self.mark_array_members()

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "c":
            self.start_cell(attributes)
        elif tag == "f" and self.in_cell:
            self.formula_attributes = attributes
        elif tag == "row":
            self.row = self.number_of_row(attributes.get("r"))
            self.column = 0
        elif tag == "rPh":
            self.phonetic += 1

    def end(self, tag: str, text: str) -> None:
        if not self.in_cell:
            return
        if tag == "v":
            self.value_text = text
        elif tag == "c":
            self.in_cell = False
            self.keep_cell()
        elif tag == "f":
            self.formula = text
        elif tag == "rPh":
            self.phonetic -= 1
        elif tag == "t" and not self.phonetic:
            self.inline.append(text)

    def number_of_row(self, written: str | None) -> int:
        row = int(written) if written is not None and written.isdigit() else self.row + 1
        if not 1 <= row <= ROW_MAX:
            raise NotAWorkbook(
                f"The sheet {self.sheet.name!r} has a row {row:,}; a sheet ends at row {ROW_MAX:,}."
            )
        return row

    def start_cell(self, attributes: dict[str, str]) -> None:
        written = attributes.get("r")
        if written is None:
            self.column += 1
        else:
            match = _ADDRESS.fullmatch(written)
            if match is None:
                raise NotAWorkbook(f"The sheet {self.sheet.name!r} has a cell with the address {written!r}.")
            self.row, self.column = self.number_of_row(match[2]), column_number(match[1])
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

    def keep_cell(self) -> None:
        address = f"{self.sheet.name}!{cell_text(self.row, self.column)}"
        formula, array = self.read_formula(address)
        value = self.read_value(address)
        if formula is None and value is None:
            return
        self.reader.count_cell()
        if formula is not None:
            self.reader.count_formula(formula, address)
        number_format = "General"
        if self.style.isdigit() and int(self.style) < len(self.formats):
            number_format = self.formats[int(self.style)]
        self.sheet.cells[(self.row, self.column)] = Cell(formula, value, number_format, array)

    def read_formula(self, address: str) -> tuple[str | None, Bounds | None]:
        if self.formula is None:
            return None, None
        attributes = self.formula_attributes
        kind = attributes.get("t", "normal")
        text = self.formula.strip()
        if kind == "shared":
            return self.read_shared(text, attributes.get("si", ""), address), None
        if kind == "dataTable":
            return "TABLE()", _bounds(attributes.get("ref", ""))
        if not text:
            return None, None
        return text, _bounds(attributes.get("ref", "")) if kind == "array" else None

    def read_shared(self, text: str, index: str, address: str) -> str | None:
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

    def read_value(self, address: str) -> Value:
        if self.kind == "inlineStr":
            return _unescaped("".join(self.inline))
        text = self.value_text
        if text is None or (text == "" and self.kind != "str"):
            return None
        try:
            return self.typed_value(text)
        except (ValueError, IndexError) as error:
            raise NotAWorkbook(
                f"The cell {address} holds {text[:40]!r}, which is no value of kind {self.kind!r}; "
                "open the workbook in Excel and save it again.",
                cells=(address,),
            ) from error

    def typed_value(self, text: str) -> Value:
        match self.kind:
            case "s":
                return self.strings[int(text)]
            case "str":
                return _unescaped(text)
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

    def mark_array_members(self) -> None:
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


def _unescaped(text: str) -> str:
    """Undo the _x000D_ form in which the file writes characters that XML cannot hold."""
    if "_x" not in text:
        return text
    return _ESCAPE.sub(lambda match: chr(int(match[1], 16)), text)


# Source: ECMA-376 part 1, 18.8.30 numFmt; only what a preview shows.
_BUILT_IN_FORMATS = {
    "1": "0",
    "2": "0.00",
    "3": "#,##0",
    "4": "#,##0.00",
    "5": '"$"#,##0',
    "6": '"$"#,##0',
    "7": '"$"#,##0.00',
    "8": '"$"#,##0.00',
    "9": "0%",
    "10": "0.00%",
    "11": "0.00E+00",
    "14": "m/d/yyyy",
    "15": "d-mmm-yy",
    "16": "d-mmm",
    "17": "mmm-yy",
    "18": "h:mm AM/PM",
    "19": "h:mm:ss AM/PM",
    "20": "h:mm",
    "21": "h:mm:ss",
    "22": "m/d/yyyy h:mm",
    "37": "#,##0",
    "38": "#,##0",
    "39": "#,##0.00",
    "40": "#,##0.00",
    "44": '"$"#,##0.00',
    "45": "mm:ss",
    "46": "[h]:mm:ss",
    "47": "mm:ss.0",
    "48": "##0.0E+0",
    "49": "@",
}
