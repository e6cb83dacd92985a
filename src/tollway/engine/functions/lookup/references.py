"""References and their places. Source of each, unless it says otherwise: Microsoft's page of that function."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from tollway.engine.functions.array_size import check_size
from tollway.engine.functions.ranges import MultiRange, reference_of
from tollway.engine.functions.registry import (
    Argument,
    Context,
    FailedError,
    Grid,
    as_grid,
    function,
    number,
    whole,
)
from tollway.engine.values import ErrorValue, Value

_ROW_MAX = 1_048_576
_COLUMN_MAX = 16_384
# A longer formula cannot be shown as a text; FORMULATEXT gives #N/A. Source: Microsoft's FORMULATEXT page.
_FORMULA_TEXT_MAX = 8_192


@function("OFFSET", "grid number number [choice choice]", returns="any", wants_context=True)
def offset(
    context: Context,
    reference: Argument,
    rows: float,
    columns: float,
    height: Value = None,
    width: Value = None,
) -> Argument:
    """A reference moved by rows and columns, of the height and width given; those default to its own.

    A negative height or width counts upwards or to the left.
    Errors: #VALUE! for what is no reference in one piece; #REF! for a height or width of 0, and outside the sheet.
    """
    base = reference_of(reference)
    row_count = base.row_count if height is None else _extent(number(height))
    column_count = base.column_count if width is None else _extent(number(width))
    top, left = base.bounds[0] + whole(rows), base.bounds[1] + whole(columns)
    if not row_count or not column_count:
        return ErrorValue.REF
    bottom = top + row_count - (1 if row_count > 0 else -1)
    right = left + column_count - (1 if column_count > 0 else -1)
    bounds = (min(top, bottom), min(left, right), max(top, bottom), max(left, right))
    if bounds[0] < 1 or bounds[1] < 1 or bounds[2] > _ROW_MAX or bounds[3] > _COLUMN_MAX:
        return ErrorValue.REF
    assert context.cells is not None
    return context.cells.range_of(base.sheet, bounds)


def _extent(size: float) -> int:
    """A size cut to an integer, where a part of one row is one row, as values stored by Excel show."""
    return whole(math.copysign(1.0, size)) if 0.0 < abs(size) < 1.0 else whole(size)


@function("INDIRECT", "text [logical]", returns="any", wants_context=True)
def indirect(context: Context, text: str, is_a1: bool = True) -> Argument:
    """The reference that a text names: A1 style, or R1C1 style where the second argument is FALSE or empty.

    Defined names, tables and other sheets may be named too.
    Errors: #REF! for a text that names no reference of this workbook.
    """
    assert context.cells is not None
    return context.cells.reference(text.strip(), is_r1c1=not is_a1)


@function("ROWS", "grid")
def rows_of(argument: Argument) -> float | ErrorValue:
    """How many rows a reference or array has."""
    return _size(argument, "row_count")


@function("COLUMNS", "grid")
def columns_of(argument: Argument) -> float | ErrorValue:
    """How many columns a reference or array has."""
    return _size(argument, "column_count")


def _size(argument: Argument, which: str) -> float | ErrorValue:
    if isinstance(argument, ErrorValue):
        return argument
    return float(getattr(as_grid(argument), which))


@function("ROW", "[grid]", wants_context=True)
def row_of(context: Context, argument: Argument = None) -> Argument:
    """The row of a reference, or of the cell itself; an array for several rows."""
    if argument is None:
        count = 1 if context.array is None else context.array[0]
        top = context.row
    else:
        _, top, _ = _origin(argument)
        assert isinstance(argument, Grid)
        count = argument.row_count
    if count == 1:
        return float(top)
    return Grid([[float(top + row)] for row in range(count)], count, 1)


@function("COLUMN", "[grid]", wants_context=True)
def column_of(context: Context, argument: Argument = None) -> Argument:
    """The column of a reference, or of the cell itself; an array for several columns."""
    if argument is None:
        count = 1 if context.array is None else context.array[1]
        left = context.column
    else:
        _, _, left = _origin(argument)
        assert isinstance(argument, Grid)
        count = argument.column_count
    if count == 1:
        return float(left)
    return Grid([[float(left + column) for column in range(count)]], 1, count)


def _origin(argument: Argument) -> tuple[int, int, int]:
    if isinstance(argument, Grid) and argument.origin is not None:
        return argument.origin
    raise FailedError(argument if isinstance(argument, ErrorValue) else ErrorValue.VALUE)


@function("AREAS", "grid")
def areas_of(argument: Argument) -> float | ErrorValue:
    """How many areas a reference has. Errors: #VALUE! for what is no reference."""
    if isinstance(argument, MultiRange):
        return float(len(argument.areas))
    _origin(argument)
    return 1.0


@function("SHEET", "[grid]", wants_context=True)
def sheet_of(context: Context, argument: Any = None) -> float | ErrorValue:
    """The position from 1 of a sheet: of a reference, of a name given as text, or of the cell itself.

    Errors: #N/A for a text that names no sheet, #VALUE! for other values.
    """
    if argument is None:
        return float(context.sheet + 1)
    if isinstance(argument, str):
        assert context.cells is not None
        found = context.cells.workbook.sheet_index.get(argument.lower())
        return ErrorValue.NA if found is None else float(found + 1)
    return float(_origin(argument)[0] + 1)


@function("SHEETS", "[grid]", wants_context=True)
def sheets_of(context: Context, argument: Any = None) -> float | ErrorValue:
    """How many sheets a reference goes over, or the workbook has. Errors: #VALUE! for what is no reference."""
    if argument is None:
        assert context.cells is not None
        return float(len(context.cells.workbook.sheets))
    if isinstance(argument, MultiRange):
        return float(len({area.sheet for area in argument.areas}))
    _origin(argument)
    return 1.0


@function("FORMULATEXT", "grid", returns="any", wants_context=True)
def formula_text(context: Context, reference: Argument) -> Argument:
    """The formula of a cell as a text, with its equals sign.

    Errors: #N/A for a cell without a formula, #VALUE! for what is no reference.
    """
    return _of_each_formula(
        context,
        reference,
        lambda text: ErrorValue.NA if text is None or len(text) > _FORMULA_TEXT_MAX else text,
    )


def _of_each_formula(context: Context, reference: Argument, told: Callable[[str | None], Value]) -> Argument:
    """What is told of the formula of each cell of a reference, None where it has none."""
    base = reference_of(reference)
    check_size(base.row_count, base.column_count)
    assert context.cells is not None
    top, left, bottom, _ = base.bounds
    last_row, _ = context.cells.workbook.sheets[base.sheet].used
    rows: list[list[Value]] = [
        [
            told(context.cells.formula_text((base.sheet, row, left + column)))
            for column in range(base.column_count)
        ]
        for row in range(top, min(bottom, max(last_row, top)) + 1)
    ]
    # Below the last cell that is used there are no formulas.
    rows.extend([[told(None)] * base.column_count] * (base.row_count - len(rows)))
    return rows[0][0] if base.row_count == base.column_count == 1 else Grid(rows, len(rows), len(rows[0]))


@function("ISFORMULA", "grid", returns="any", wants_context=True)
def is_formula(context: Context, reference: Argument) -> Argument:
    """Whether a cell holds a formula. Errors: #VALUE! for what is no reference."""
    return _of_each_formula(context, reference, lambda text: text is not None)
