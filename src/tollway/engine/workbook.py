"""Reads an .xlsx or .xlsm file into sheets of cells: formulas, the values Excel stored beside them, names.

Sparse from end to end: only cells that hold something exist. Macros, links and connections are never touched.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from tollway.engine.archive import Archive, ReadLimits, open_archive, relationships
from tollway.engine.values import NotAWorkbook, WorkbookTooLarge
from tollway.engine.worksheet import Bounds, Cell, Counts, Sheet, SheetReader, unescaped

__all__ = ["Bounds", "Cell", "DefinedName", "ReadLimits", "Sheet", "Workbook", "read_workbook"]

SHEETS_MAX = 1_024
NAMES_MAX = 20_000


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
        self.counts = Counts(limits)

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
                SheetReader(self.archive, self.counts, sheet, strings, formats).read(part)
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
                strings.append(unescaped("".join(pieces)))

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
