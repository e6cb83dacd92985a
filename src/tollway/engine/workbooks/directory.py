"""What xl/workbook.xml says: sheets in order, defined names, the date system, how the workbook is calculated."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tollway.engine.values import WorkbookTooLarge

NAMES_MAX = 20_000
# Excel's own, where the file does not say.
ITERATIONS_DEFAULT = 100
ITERATION_CHANGE_DEFAULT = 0.001
_ITERATIONS_MAX = 32_767
_TRUE = ("1", "true")
# Before the names that Excel gives itself, such as that of the print area.
_BUILT_IN_PREFIX = "_xlnm."


@dataclass(frozen=True, slots=True)
class DefinedName:
    """A name for a formula, usually a reference; `sheet_index` where it holds on one sheet only.

    `is_macro` where it names a macro function and no formula.
    """

    name: str
    formula: str
    sheet_index: int | None = None
    is_hidden: bool = False
    is_macro: bool = False

    @property
    def is_built_in(self) -> bool:
        """Whether Excel made it, for a print area, titles or a filter."""
        return self.name.lower().startswith(_BUILT_IN_PREFIX)


class Directory:
    """Takes the elements of workbook.xml one by one."""

    def __init__(self) -> None:
        self.sheets: list[tuple[str, str, str]] = []
        self.names: list[DefinedName] = []
        self.is_1904 = False
        self.is_iterative = False
        self.iterations_max = ITERATIONS_DEFAULT
        self.iteration_change_max = ITERATION_CHANGE_DEFAULT
        self.is_full_precision = True
        self._name_attributes: dict[str, str] = {}

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """An element begins."""
        if tag == "sheet":
            relation = next((value for key, value in attributes.items() if key.endswith(":id")), "")
            self.sheets.append((attributes.get("name", ""), relation, attributes.get("state", "visible")))
        elif tag == "workbookPr":
            self.is_1904 = attributes.get("date1904") in _TRUE
        elif tag == "calcPr":
            self._read_calculation(attributes)
        elif tag == "definedName":
            self._name_attributes = attributes

    def _read_calculation(self, attributes: dict[str, str]) -> None:
        self.is_iterative = attributes.get("iterate") in _TRUE
        self.is_full_precision = attributes.get("fullPrecision", "1") in _TRUE
        count = attributes.get("iterateCount", "")
        if count.isdigit() and 1 <= int(count[:9]) <= _ITERATIONS_MAX:
            self.iterations_max = int(count)
        try:
            change = float(attributes.get("iterateDelta", ""))
        except ValueError:
            return
        if math.isfinite(change) and change >= 0.0:
            self.iteration_change_max = change

    def end(self, tag: str, text: str) -> None:
        """An element ends. Raises: WorkbookTooLarge."""
        if tag != "definedName":
            return
        if len(self.names) >= NAMES_MAX:
            raise WorkbookTooLarge(
                f"The workbook defines more than the {NAMES_MAX:,} names that are allowed; remove unused ones."
            )
        attributes = self._name_attributes
        local = attributes.get("localSheetId", "")
        self.names.append(
            DefinedName(
                attributes.get("name", ""),
                text.strip(),
                int(local) if local.isdigit() and len(local) < 10 else None,
                attributes.get("hidden") in _TRUE,
                any(attributes.get(key) in _TRUE for key in ("function", "vbProcedure", "xlm")),
            )
        )
