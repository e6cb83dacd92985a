"""Where the array of a dynamic formula goes: the cells it fills, and what stands in its way."""

from __future__ import annotations

from tollway.engine.exact.graph import Address, FormulaBook
from tollway.engine.functions.registry import Argument, Grid
from tollway.engine.language.syntax import COLUMN_MAX, ROW_MAX
from tollway.engine.values import ErrorValue, Value


def spilled_values(
    book: FormulaBook, anchor: Address, found: Argument
) -> tuple[Argument, dict[Address, Value]]:
    """What a dynamic formula shows in its own cell and in those its array fills; a blank of an array is 0.

    #SPILL! where other contents, a table or the edge of the sheet are in the way, #CALC! for an array of nothing.
    """
    if not isinstance(found, Grid):
        return (0.0 if found is None else found), {}
    if found.row_count < 1 or found.column_count < 1:
        return ErrorValue.CALC, {}
    sheet, top, left = anchor
    bottom, right = top + found.row_count - 1, left + found.column_count - 1
    is_single = found.row_count == found.column_count == 1
    if not is_single and (bottom > ROW_MAX or right > COLUMN_MAX or _is_blocked(book, anchor, bottom, right)):
        return ErrorValue.SPILL, {}
    rows = [
        [0.0 if (value := found.at(row, column)) is None else value for column in range(found.column_count)]
        for row in range(found.row_count)
    ]
    values: dict[Address, Value] = {
        (sheet, top + row, left + column): value
        for row, line in enumerate(rows)
        for column, value in enumerate(line)
    }
    return Grid(rows, found.row_count, found.column_count), values


def _is_blocked(book: FormulaBook, anchor: Address, bottom: int, right: int) -> bool:
    sheet, top, left = anchor
    cells = book.workbook.sheets[sheet].cells
    for place in book.workbook.sheets[sheet].positions_in((top, left, bottom, right)):
        cell = cells[place]
        if place == (top, left) or cell.array_anchor == (top, left):
            continue
        if cell.formula is not None or cell.array_anchor is not None or cell.value is not None:
            return True
    return any(
        table.sheet == sheet and _overlaps(table.bounds, (top, left, bottom, right))
        for table in book.workbook.tables.values()
    )


def _overlaps(one: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> bool:
    return one[0] <= other[2] and other[0] <= one[2] and one[1] <= other[3] and other[1] <= one[3]
