"""Reads one worksheet: cells with formulas, stored values and number formats; only those that hold something."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time

from tollway.engine.language.copying import shifted
from tollway.engine.language.lexemes import shown_length
from tollway.engine.language.syntax import COLUMN_MAX, ROW_MAX, area_bounds, cell_text, column_number
from tollway.engine.serials import serial_from_date
from tollway.engine.values import (
    ERROR_BY_TEXT,
    ErrorValue,
    NotAWorkbook,
    UnreadableFormula,
    Value,
    WorkbookTooLarge,
)
from tollway.engine.workbooks.archive import Archive, ReadLimits, unescaped
from tollway.engine.workbooks.cells import Bounds, Cell, DataTableFacts, Place, Reading, Sheet
from tollway.engine.workbooks.phonetics import TextPieces

# Days from the first day of one date system to that of the other.
_DAYS_TO_1904 = 1_462
# Cells that array formulas and what-if tables may cover, for each filled cell: they do not overlap.
_COVERED_SHARE_MAX = 4
_COVERED_MIN = 10_000


class Counts:
    """Cells and formulas of a whole workbook, counted as they are met."""

    def __init__(self, limits: ReadLimits) -> None:
        self.limits = limits
        self.cell_count = 0
        self.formula_count = 0
        self.formula_characters = 0

    def add_cell(self) -> None:
        """Count one that holds something. Raises: WorkbookTooLarge."""
        self.cell_count += 1
        if self.cell_count > self.limits.cells_max:
            raise WorkbookTooLarge(
                f"The workbook holds more than the {self.limits.cells_max:,} filled cells that are allowed; "
                "remove sheets and rows that the model does not need."
            )

    def add_formula(self, formula: str, sheet: str, place: Place) -> None:
        """Count one and measure it. Raises: WorkbookTooLarge."""
        self.formula_count += 1
        if self.formula_count > self.limits.formulas_max:
            raise WorkbookTooLarge(
                f"The workbook holds more than the {self.limits.formulas_max:,} formulas that are allowed; "
                "remove sheets and rows that the model does not need."
            )
        if (length := shown_length(formula)) > self.limits.formula_length_max:
            address = f"{sheet}!{cell_text(*place)}"
            raise WorkbookTooLarge(
                f"The formula in {address} has {length:,} characters and "
                f"{self.limits.formula_length_max:,} are allowed; split it over several cells.",
                cells=(address,),
            )
        self.formula_characters += len(formula)
        if self.formula_characters > self.limits.formula_characters_max:
            raise WorkbookTooLarge(
                f"The formulas of the workbook, shared ones written out, have more than the "
                f"{self.limits.formula_characters_max:,} characters that are allowed in all; shorten or remove some.",
                cells=(f"{sheet}!{cell_text(*place)}",),
            )


@dataclass(frozen=True)
class SharedParts:
    """What all sheets use: texts, number formats of cell styles, marks of dynamic arrays, the date system.

    `rich_errors` are the newer error values by the mark of the cells that show them; `readings` tell how Japanese
    texts are read, by their places among the texts.
    """

    strings: list[str]
    formats: list[str]
    dynamic_marks: frozenset[str]
    is_1904: bool = False
    rich_errors: Mapping[str, ErrorValue] = field(default_factory=dict)
    readings: Mapping[int, Reading] = field(default_factory=dict)


_ADDRESS = re.compile(r"\$?([A-Za-z]{1,3})\$?(\d{1,7})")


class SheetReader:
    """Reads the cells of one worksheet part."""

    def __init__(self, archive: Archive, counts: Counts, sheet: Sheet, shared: SharedParts) -> None:
        self.archive = archive
        self.counts = counts
        self.sheet = sheet
        self.parts = shared
        self.row = 0
        self.column = 0
        self.row_is_hidden = False
        self.in_cell = False
        self.filter_bounds: Bounds | None = None
        self.attributes: dict[str, str] = {}
        self.kind = "n"
        self.value_text: str | None = None
        self.inline = TextPieces()
        self.formula: str | None = None
        self.formula_attributes: dict[str, str] = {}
        self.shared: dict[str, tuple[int, int, str]] = {}
        self.covering: list[tuple[Place, Bounds]] = []

    def read(self, part: str) -> None:
        """Fill the sheet from its part. Raises: NotAWorkbook, WorkbookTooLarge."""
        self.archive.read_xml(part, self._start, self._end)
        self._mark_covered_cells()

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "c":
            self._start_cell(attributes)
        elif tag == "f" and self.in_cell:
            self.formula_attributes = attributes
        elif tag == "autoFilter":
            self.filter_bounds = area_bounds(attributes.get("ref", ""))
        elif tag == "filterColumn":
            self.sheet.hide_by_filter(self.filter_bounds)
        elif tag == "row":
            self.row = self._number_of_row(attributes.get("r"))
            self.column = 0
            self.row_is_hidden = attributes.get("hidden") in ("1", "true")
        elif tag in ("rPh", "phoneticPr") and self.in_cell:
            self.inline.start(tag, attributes)

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
        else:
            self.inline.end(tag, text)

    def _number_of_row(self, written: str | None) -> int:
        row = int(written[:9]) if written is not None and written.isdigit() else self.row + 1
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
        self.attributes = attributes
        self.value_text = None
        if self.kind == "inlineStr":
            self.inline = TextPieces()
        self.formula = None
        self.formula_attributes = {}

    def _keep_cell(self) -> None:
        place = (self.row, self.column)
        value = self._read_value()
        if self.formula is None and value is None:
            return
        cell = Cell(None, value)
        if self.formula is not None:
            self._read_formula(cell, place)
        if cell.formula is None and value is None:
            return
        self.counts.add_cell()
        style = self.attributes.get("s", "")
        if style.isdigit() and len(style) < 10 and int(style) < len(self.parts.formats):
            cell.number_format = self.parts.formats[int(style)]
        self.sheet.cells[place] = cell
        self._keep_reading(cell, place)
        if self.row_is_hidden:
            self.sheet.hidden_rows.add(self.row)

    def _keep_reading(self, cell: Cell, place: Place) -> None:
        if cell.formula is not None or not isinstance(cell.value, str):
            return
        if self.kind == "inlineStr":
            reading = self.inline.reading()
        elif self.parts.readings and self.kind == "s" and self.value_text is not None:
            reading = self.parts.readings.get(int(self.value_text))
        else:
            return
        if reading is not None:
            self.sheet.readings[place] = reading

    @property
    def address(self) -> str:
        """The cell being read, as "Sheet!A1"."""
        return f"{self.sheet.name}!{cell_text(self.row, self.column)}"

    def _read_formula(self, cell: Cell, place: Place) -> None:
        assert self.formula is not None
        attributes = self.formula_attributes
        kind = attributes.get("t", "normal")
        text: str | None = self.formula.strip()
        if kind == "dataTable":
            facts = self._read_data_table(place)
            cell.data_table = facts
            self.covering.append((place, facts.bounds))
            text = f"TABLE({attributes.get('r1', '')},{attributes.get('r2', '')})"
        elif kind == "shared":
            text = self._shared_text(text or "", attributes.get("si", ""))
        elif kind == "array" and text:
            cell.array = self._own_bounds(place)
            cell.is_dynamic = self.attributes.get("cm", "") in self.parts.dynamic_marks
            self.covering.append((place, cell.array))
        cell.formula = text or None
        if cell.formula is not None:
            self.counts.add_formula(cell.formula, self.sheet.name, place)

    def _own_bounds(self, place: Place) -> Bounds:
        """The area that an array formula says it fills; one cell where that cannot be."""
        bounds = area_bounds(self.formula_attributes.get("ref", ""))
        return bounds if bounds is not None and bounds[:2] == place else (*place, *place)

    def _read_data_table(self, place: Place) -> DataTableFacts:
        attributes = self.formula_attributes
        bounds = self._own_bounds(place)
        inputs: list[Place | None] = []
        for key in ("r1", "r2"):
            found = area_bounds(attributes.get(key, ""))
            inputs.append(None if found is None else found[:2])
        is_broken = any(attributes.get(key) in ("1", "true") for key in ("del1", "del2"))
        if attributes.get("dt2D") in ("1", "true"):
            return DataTableFacts(bounds, inputs[0], inputs[1], is_broken or None in inputs)
        is_broken = is_broken or inputs[0] is None
        if attributes.get("dtr") in ("1", "true"):
            return DataTableFacts(bounds, inputs[0], None, is_broken)
        return DataTableFacts(bounds, None, inputs[0], is_broken)

    def _shared_text(self, text: str, index: str) -> str | None:
        if text:
            self.shared[index] = (self.row, self.column, text)
            return text
        if index not in self.shared:
            return None
        row, column, master = self.shared[index]
        try:
            return shifted(master, self.row - row, self.column - column)
        except UnreadableFormula:
            # It is refused, by each of its cells, when the formulas are read.
            return master

    def _read_value(self) -> Value:
        if self.kind == "inlineStr":
            return self.inline.text()
        text = self.value_text
        if text is None or (text == "" and self.kind != "str"):
            return None
        try:
            return self._typed_value(text)
        except (ValueError, IndexError, OverflowError) as error:
            address = self.address
            raise NotAWorkbook(
                f"The cell {address} holds {text[:40]!r}, which is no value of kind {self.kind!r}; "
                "open the workbook in Excel and save it again.",
                cells=(address,),
            ) from error

    def _typed_value(self, text: str) -> Value:
        match self.kind:
            case "s":
                index = int(text)
                if index < 0:
                    raise IndexError(text)
                return self.parts.strings[index]
            case "str":
                return unescaped(text)
            case "b":
                return text.strip() in ("1", "true")
            case "e":
                # The newer error values are stored as #VALUE!, with a mark that tells which one is shown.
                shown = self.parts.rich_errors.get(self.attributes.get("vm", ""))
                return shown or ERROR_BY_TEXT.get(text.strip(), ErrorValue.UNKNOWN)
            case "d":
                return _serial_of_iso(text.strip(), is_1904=self.parts.is_1904)
            case _:
                number = float(text)
                if not math.isfinite(number):
                    raise ValueError(text)
                return number

    def _mark_covered_cells(self) -> None:
        cells = self.sheet.cells
        covered_max = _COVERED_MIN + _COVERED_SHARE_MAX * len(cells)
        covered_count = 0
        for anchor, bounds in self.covering:
            if bounds[:2] == bounds[2:]:
                continue
            facts = cells[anchor].data_table
            for position in self.sheet.positions_in(bounds):
                covered_count += 1
                if covered_count > covered_max:
                    raise NotAWorkbook(
                        f"The array formulas of the sheet {self.sheet.name!r} lie over one another, at the latest "
                        f"in {cell_text(*anchor)}, which Excel does not allow; save the workbook again in Excel."
                    )
                member = cells[position]
                if position != anchor and member.formula is None:
                    member.array_anchor = anchor
                    member.data_table = facts


def _serial_of_iso(text: str, *, is_1904: bool) -> float:
    """The serial number of an ISO 8601 date, with a time or without, or of a time alone."""
    if "-" not in text:
        return _share_of_day(time.fromisoformat(text))
    moment = datetime.fromisoformat(text)
    serial = serial_from_date(moment.year, moment.month, moment.day)
    if serial is None:
        raise ValueError(text)
    return serial - (_DAYS_TO_1904 if is_1904 else 0) + _share_of_day(moment.time())


def _share_of_day(moment: time) -> float:
    return (moment.hour * 3600 + moment.minute * 60 + moment.second + moment.microsecond / 1e6) / 86_400
