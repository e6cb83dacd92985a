"""Workbooks in memory for tests: cells as {"A1": 1, "B1": "=A1+1", "Other!A1": "text"}."""

from collections.abc import Mapping

from tollway.engine import ErrorValue, Workbook
from tollway.engine.formula import parse
from tollway.engine.graph import FormulaBook
from tollway.engine.interpret import Interpreter
from tollway.engine.syntax import Corner, Reference
from tollway.engine.workbook import Cell, DefinedName, Sheet

Written = float | str | bool | ErrorValue | None


def workbook_of(
    cells: Mapping[str, Written], *, names: Mapping[str, str] | None = None, is_1904: bool = False
) -> Workbook:
    """Texts that start with = are formulas, with {= array formulas in one cell; cells without a sheet are on S."""
    sheets = {"S": Sheet("S")}
    for address, value in cells.items():
        sheet_name, _, cell = address.rpartition("!")
        sheet = sheets.setdefault(sheet_name or "S", Sheet(sheet_name or "S"))
        sheet.cells[place_of(cell)] = cell_of(value, place_of(cell))
    defined = {(None, name.lower()): DefinedName(name, text) for name, text in (names or {}).items()}
    return Workbook(list(sheets.values()), defined, is_1904=is_1904)


def place_of(cell: str) -> tuple[int, int]:
    match parse(cell):
        case Reference(None, Corner(int() as row, int() as column), None):
            return row, column
        case other:
            raise AssertionError(other)


def cell_of(value: Written, place: tuple[int, int]) -> Cell:
    if isinstance(value, str) and value.startswith("{="):
        return Cell(value[2:-1], None, array=(*place, *place))
    if isinstance(value, str) and value.startswith("="):
        return Cell(value[1:], None)
    return Cell(None, float(value) if isinstance(value, int) and not isinstance(value, bool) else value)


def computed(workbook: Workbook) -> dict[str, Written]:
    """Every formula's value by the scalar interpreter, by its qualified cell."""
    book = FormulaBook(workbook)
    values: dict[tuple[int, int, int], Written] = {}

    def value_at(address):
        cell = book.cell(address)
        return values.get(address, None if cell is None else cell.value)

    interpreter = Interpreter(book, value_at)
    for address in book.order(list(book.formula_addresses())):
        values[address] = interpreter.cell_value(address, book.tree(address))
    return {book.text(address): value for address, value in values.items()}


def value_of(formula: str, cells: Mapping[str, Written] | None = None, **settings) -> Written:
    """One formula, in S!Z99, computed over some cells."""
    return computed(workbook_of({**(cells or {}), "Z99": formula}, **settings))["S!Z99"]
