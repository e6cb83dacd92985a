"""Workbooks in memory for tests: cells as {"A1": 1, "B1": "=A1+1", "Other!A1": "text"}."""

from collections.abc import Mapping
from dataclasses import replace

from tollway.engine import ErrorValue, Workbook
from tollway.engine.exact.calculation import Calculation
from tollway.engine.exact.graph import FormulaBook
from tollway.engine.language.formula import parse
from tollway.engine.language.syntax import Corner, Reference
from tollway.engine.workbooks.workbook import Cell, DefinedName, Sheet

Written = float | str | bool | ErrorValue | None


def workbook_of(
    cells: Mapping[str, Written],
    *,
    names: Mapping[str, str] | None = None,
    is_1904: bool = False,
    stored: Mapping[str, Written] | None = None,
    **facts,
) -> Workbook:
    """Texts that start with = are formulas; cells without a sheet are on S.

    {=...} is an array formula in one cell, {=...}B2 one that fills from its cell to B2; #=... is a dynamic array,
    #=...#to B2 one that spilled to B2. `stored` are the values the file stores beside formulas.
    """
    sheets = {"S": Sheet("S")}
    for address, value in cells.items():
        sheet_name, _, cell = address.rpartition("!")
        sheet = sheets.setdefault(sheet_name or "S", Sheet(sheet_name or "S"))
        place = place_of(cell)
        sheet.cells[place] = cell_of(value, place)
        for part in parts_of(sheet.cells[place], place):
            sheet.cells[part] = Cell(None, None, array_anchor=place)
    for address, value in (stored or {}).items():
        sheet_name, _, cell = address.rpartition("!")
        found = sheets[sheet_name or "S"].cells
        found[place_of(cell)] = replace(found[place_of(cell)], value=cell_of(value, (1, 1)).value)
    defined = {(None, name.lower()): DefinedName(name, text) for name, text in (names or {}).items()}
    return Workbook(list(sheets.values()), defined, is_1904=is_1904, **facts)


def place_of(cell: str) -> tuple[int, int]:
    match parse(cell):
        case Reference(None, Corner(int() as row, int() as column), None):
            return row, column
        case other:
            raise AssertionError(other)


def cell_of(value: Written, place: tuple[int, int]) -> Cell:
    if isinstance(value, str) and value.startswith("{="):
        formula, _, last = value[2:].rpartition("}")
        return Cell(formula, None, array=(*place, *(place_of(last) if last else place)))
    if isinstance(value, str) and value.startswith("#="):
        formula, _, last = value[2:].partition("#to ")
        return Cell(formula, None, array=(*place, *(place_of(last) if last else place)), is_dynamic=True)
    if isinstance(value, str) and value.startswith("="):
        return Cell(value[1:], None)
    return Cell(None, float(value) if isinstance(value, int) and not isinstance(value, bool) else value)


def parts_of(cell: Cell, place: tuple[int, int]) -> list[tuple[int, int]]:
    """The other cells of the area that an array formula fills."""
    if cell.array is None:
        return []
    top, left, bottom, right = cell.array
    cells = [(row, column) for row in range(top, bottom + 1) for column in range(left, right + 1)]
    return [part for part in cells if part != place]


def computed(workbook: Workbook) -> dict[str, Written]:
    """Every formula's value by the scalar interpreter, by its qualified cell."""
    book = FormulaBook(workbook)
    calculation = Calculation(book)
    formulas = list(book.formula_addresses())
    calculation.compute(book.loose_order(formulas))
    return {book.text(address): calculation.value(address) for address in formulas}


def value_of(formula: str, cells: Mapping[str, Written] | None = None, **settings) -> Written:
    """One formula, in S!Z99, computed over some cells."""
    return computed(workbook_of({**(cells or {}), "Z99": formula}, **settings))["S!Z99"]
