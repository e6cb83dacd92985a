"""References that formulas compute: INDIRECT, the operators between references, the area of a spill."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Any

from tollway.engine.exact.graph import Address, FormulaBook
from tollway.engine.functions.ranges import Bounds, CellRange, MultiRange
from tollway.engine.functions.registry import GRID_CELLS_MAX, Argument
from tollway.engine.language.syntax import Area, Group, Spilled, Union
from tollway.engine.values import EngineError, ErrorValue
from tollway.engine.workbooks.cells import Sheet

if TYPE_CHECKING:
    from tollway.engine.exact.interpret import Interpreter

# The longest text that can be a reference: a quoted sheet, quotes doubled, and an area.
_INDIRECT_LENGTH_MAX = 8_192


# --- operators -----------------------------------------------------------------------------------------


def joined(operator: str, left: Any, right: Any) -> Argument:
    """What ":", " " or "," makes of two references; an error value, or #VALUE! for what is no reference."""
    for side in (left, right):
        if not isinstance(side, (CellRange, MultiRange)):
            return side if isinstance(side, ErrorValue) else ErrorValue.VALUE
    if operator == ",":
        return MultiRange([*_areas(left), *_areas(right)])
    if operator == ":":
        return _spanned([*_areas(left), *_areas(right)])
    common = [
        found for one in _areas(left) for other in _areas(right) if (found := _common(one, other)) is not None
    ]
    if not common:
        return ErrorValue.NULL
    return common[0] if len(common) == 1 else MultiRange(common)


def _areas(side: CellRange | MultiRange) -> tuple[CellRange, ...]:
    return side.areas if isinstance(side, MultiRange) else (side,)


def _spanned(areas: list[CellRange]) -> Argument:
    """The smallest area around all of them."""
    if len({area.sheet for area in areas}) > 1:
        return ErrorValue.VALUE
    bounds = (
        min(area.bounds[0] for area in areas),
        min(area.bounds[1] for area in areas),
        max(area.bounds[2] for area in areas),
        max(area.bounds[3] for area in areas),
    )
    return areas[0].moved(bounds)


def _common(one: CellRange, other: CellRange) -> CellRange | None:
    top, left = max(one.bounds[0], other.bounds[0]), max(one.bounds[1], other.bounds[1])
    bottom, right = min(one.bounds[2], other.bounds[2]), min(one.bounds[3], other.bounds[3])
    if one.sheet != other.sheet or top > bottom or left > right:
        return None
    return one.moved((top, left, bottom, right))


# --- INDIRECT ------------------------------------------------------------------------------------------


def indirect(interpreter: Interpreter, address: Address, text: str, *, is_r1c1: bool) -> Argument:
    """The cells that a text names, by A1 or R1C1, a defined name or a table; #REF! for any other text."""
    if not text or len(text) > _INDIRECT_LENGTH_MAX:
        return ErrorValue.REF
    try:
        node = interpreter.book.bind_text(address, text, is_r1c1=is_r1c1)
    except EngineError:
        return ErrorValue.REF
    while isinstance(node, Group):
        node = node.inner
    if not isinstance(node, (Area, Union, Spilled)):
        return ErrorValue.REF
    found = interpreter.whole(node, True)
    if isinstance(found, MultiRange):
        return ErrorValue.REF
    return found  # type: ignore[no-any-return]


# --- what sheets hold ----------------------------------------------------------------------------------


def filled_corner(sheet: Sheet, bounds: Bounds) -> tuple[int, int]:
    """The last row and the last column of an area that hold something; one before its first where nothing does."""
    top, left, bottom, right = bounds
    last_row, last_column = top - 1, left - 1
    columns = sheet.rows_by_column
    wanted = range(left, right + 1) if right - left < len(columns) else columns
    for column in wanted:
        rows = columns.get(column)
        if rows is None or not left <= column <= right or rows[0] > bottom or rows[-1] < top:
            continue
        place = bisect_right(rows, bottom)
        if place and rows[place - 1] >= top:
            last_row, last_column = max(last_row, rows[place - 1]), max(last_column, column)
    return last_row, last_column


def sparse_positions(sheet: Sheet, bounds: Bounds) -> dict[int, list[int]] | None:
    """The columns that hold something in each row of an area that is all but empty.

    None where its rows, each as far as it is filled, would have more cells than a range may have.
    """
    found: dict[int, list[int]] = {}
    for row, column in sheet.positions_in(bounds):
        found.setdefault(row, []).append(column)
    left = bounds[1]
    if sum(columns[-1] - left + 1 for columns in found.values()) > GRID_CELLS_MAX:
        return None
    return found


def find_spill(book: FormulaBook, address: Address) -> Bounds | None:
    """The area that the file says the array formula of a cell spills into."""
    cell = book.cell(address)
    return cell.array if cell is not None and cell.is_dynamic else None
