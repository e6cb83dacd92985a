"""Reads an .xlsx or .xlsm file into sheets of cells: formulas, the values Excel stored beside them, names, tables.

Sparse from end to end: only cells that hold something exist. Macros, links and connections are never touched.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from itertools import chain
from pathlib import Path

from tollway.engine.values import NotAWorkbook, WorkbookTooLarge
from tollway.engine.workbooks.archive import (
    Archive,
    ReadLimits,
    external_targets,
    open_archive,
    relationships,
)
from tollway.engine.workbooks.cells import Bounds, Cell, DataTableFacts, Sheet, Table
from tollway.engine.workbooks.directory import (
    ITERATION_CHANGE_DEFAULT,
    ITERATIONS_DEFAULT,
    DefinedName,
    Directory,
)
from tollway.engine.workbooks.pivot_parts import PivotReader
from tollway.engine.workbooks.pivots import PivotTable
from tollway.engine.workbooks.rich_errors import read_rich_errors
from tollway.engine.workbooks.shared_parts import read_dynamic_marks, read_formats, read_strings
from tollway.engine.workbooks.tables import TableReader
from tollway.engine.workbooks.worksheet import Counts, SharedParts, SheetReader

__all__ = [
    "Bounds",
    "Cell",
    "DataTableFacts",
    "DefinedName",
    "ReadLimits",
    "Sheet",
    "Table",
    "Workbook",
    "read_workbook",
]

SHEETS_MAX = 1_024
_EXTERNAL_LINKS_MAX = 1_000
_APPLICATION_LENGTH_MAX = 100
_NUMBER_DIGITS_MAX = 9
_PIVOT = "pivotTable"
_ASKS_PIVOT = "GETPIVOTDATA"
_MACROS = "/vbaproject.bin"


@dataclass
class Workbook:
    """A workbook as read. `application` is what saved it ("Microsoft Excel"), "" where it does not say.

    `tables` by name in lower case; `external_links` are the files it refers to; `saved_at` as the file says.
    With `is_iterative`, circles are computed up to `iterations_max` times, until nothing changes by more than
    `iteration_change_max`. Without `is_full_precision`, every value is rounded as it is displayed.
    `pivots` are the pivot tables of each sheet as they were made; they are read only where a formula asks for one.
    """

    sheets: list[Sheet]
    names: dict[tuple[int | None, str], DefinedName] = field(default_factory=dict)
    is_1904: bool = False
    is_iterative: bool = False
    application: str = ""
    tables: dict[str, Table] = field(default_factory=dict)
    iterations_max: int = ITERATIONS_DEFAULT
    iteration_change_max: float = ITERATION_CHANGE_DEFAULT
    is_full_precision: bool = True
    saved_at: datetime | None = None
    has_macros: bool = False
    external_links: tuple[str, ...] = ()
    pivots: dict[int, tuple[PivotTable, ...]] = field(default_factory=dict)

    @cached_property
    def sheet_index(self) -> dict[str, int]:
        """Position of each sheet by its name in lower case."""
        return {sheet.name.lower(): index for index, sheet in enumerate(self.sheets)}

    def find_name(self, name: str, sheet_index: int) -> DefinedName | None:
        """The name as seen from a sheet: its own first, then the workbook's, then those that Excel made."""
        lowered = name.lower()
        return (
            self.names.get((sheet_index, lowered))
            or self.names.get((None, lowered))
            or self.names.get((sheet_index, f"_xlnm.{lowered}"))
        )


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
        self.counts = Counts(limits)

    def workbook(self) -> Workbook:
        main = self.main_part()
        parts = relationships(self.archive, main)
        directory = Directory()
        self.archive.read_xml(main, directory.start, directory.end)
        if not directory.sheets:
            raise NotAWorkbook("The workbook has no sheets; save it again in Excel.")
        if len(directory.sheets) > SHEETS_MAX:
            raise WorkbookTooLarge(
                f"The workbook has {len(directory.sheets):,} sheets and {SHEETS_MAX:,} are allowed; remove some."
            )
        tables = TableReader(self.archive)
        sheets = self.sheets(directory, parts, tables)
        names = {
            (found.sheet_index, found.name.lower()): found
            for found in directory.names
            if found.sheet_index is None or found.sheet_index < len(sheets)
        }
        return Workbook(
            sheets,
            names,
            is_1904=directory.is_1904,
            is_iterative=directory.is_iterative,
            application=self.application(),
            tables=tables.tables,
            iterations_max=directory.iterations_max,
            iteration_change_max=directory.iteration_change_max,
            is_full_precision=directory.is_full_precision,
            saved_at=self.saved_at(),
            has_macros=any(name.lower().endswith(_MACROS) for name in self.archive.names()),
            external_links=self.external_links(parts),
            pivots=self.pivots(directory, parts, sheets),
        )

    def main_part(self) -> str:
        for kind, part in relationships(self.archive, "").values():
            if kind == "officeDocument" and part in self.archive:
                return part
        if "xl/workbook.xml" in self.archive:
            return "xl/workbook.xml"
        if "xl/workbook.bin" in self.archive:
            raise NotAWorkbook("The workbook is in the binary .xlsb format; save it in Excel as .xlsx.")
        raise NotAWorkbook("The zip file holds no workbook; upload an .xlsx or .xlsm file saved by Excel.")

    def sheets(
        self, directory: Directory, parts: dict[str, tuple[str, str]], tables: TableReader
    ) -> list[Sheet]:
        strings = self.part_of_kind(parts, "sharedStrings")
        styles = self.part_of_kind(parts, "styles")
        metadata = self.part_of_kind(parts, "sheetMetadata")
        texts, readings = read_strings(self.archive, strings) if strings else ([], {})
        shared = SharedParts(
            strings=texts,
            readings=readings,
            formats=read_formats(self.archive, styles) if styles else [],
            dynamic_marks=read_dynamic_marks(self.archive, metadata) if metadata else frozenset(),
            is_1904=directory.is_1904,
            rich_errors=read_rich_errors(
                self.archive,
                metadata,
                self.part_of_kind(parts, "rdRichValue"),
                self.part_of_kind(parts, "rdRichValueStructure"),
            ),
        )
        sheets: list[Sheet] = []
        for index, (name, relation, state) in enumerate(directory.sheets):
            kind, part = parts.get(relation, ("", ""))
            sheet = Sheet(name, is_hidden=state != "visible")
            if kind in ("worksheet", "") and part in self.archive:
                SheetReader(self.archive, self.counts, sheet, shared).read(part)
                for table_kind, table in relationships(self.archive, part).values():
                    if table_kind == "table" and table in self.archive:
                        tables.read(table, index, sheet)
            sheets.append(sheet)
        return sheets

    def pivots(
        self, directory: Directory, parts: dict[str, tuple[str, str]], sheets: list[Sheet]
    ) -> dict[int, tuple[PivotTable, ...]]:
        found: dict[int, tuple[PivotTable, ...]] = {}
        written = chain(
            (name.formula for name in directory.names),
            (cell.formula for sheet in sheets for cell in sheet.cells.values() if cell.formula),
        )
        if not any(_ASKS_PIVOT in formula.upper() for formula in written):
            return found
        reader = PivotReader(self.archive, is_1904=directory.is_1904)
        for index, (_, relation, _) in enumerate(directory.sheets):
            _, part = parts.get(relation, ("", ""))
            related = [
                target for kind, target in relationships(self.archive, part).values() if kind == _PIVOT
            ]
            pivots = [reader.read(target) for target in sorted(related, key=_made) if target in self.archive]
            if pivots:
                found[index] = tuple(pivots)
        return found

    def part_of_kind(self, parts: dict[str, tuple[str, str]], wanted: str) -> str | None:
        return next((part for kind, part in parts.values() if kind == wanted and part in self.archive), None)

    def application(self) -> str:
        return self.property_text("extended-properties", "Application")[:_APPLICATION_LENGTH_MAX]

    def saved_at(self) -> datetime | None:
        try:
            moment = datetime.fromisoformat(self.property_text("core-properties", "modified"))
        except ValueError:
            return None
        try:
            return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)
        except OverflowError:
            return None

    def property_text(self, wanted: str, element: str) -> str:
        found = ""

        def end(tag: str, text: str) -> None:
            nonlocal found
            if tag == element:
                found = text.strip()

        for kind, part in relationships(self.archive, "").values():
            if kind == wanted and part in self.archive:
                self.archive.read_xml(part, lambda _tag, _attributes: None, end)
        return found

    def external_links(self, parts: dict[str, tuple[str, str]]) -> tuple[str, ...]:
        found: list[str] = []
        for kind, part in parts.values():
            if kind == "externalLink" and len(found) < _EXTERNAL_LINKS_MAX:
                found.extend(external_targets(self.archive, part))
        return tuple(found)


def _made(part: str) -> tuple[int, str]:
    """Excel numbers the parts of pivot tables as it makes them."""
    digits = re.sub(r"\D", "", part.rpartition("/")[2])[:_NUMBER_DIGITS_MAX]
    return (int(digits or 0), part)
