"""GETPIVOTDATA. Source: Microsoft's page of it; ECMA-376 part 1, 18.10, for what a pivot table shows where."""

from __future__ import annotations

from tollway.engine.functions.ranges import CellRange
from tollway.engine.functions.registry import Argument, Context, FailedError, Grid, function
from tollway.engine.values import ErrorValue, UnsupportedFormula, Value, number_text, to_number, to_text
from tollway.engine.workbooks.cells import Bounds
from tollway.engine.workbooks.pivots import PivotField, PivotTable


@function("GETPIVOTDATA", "text grid [value value]...", returns="any", wants_context=True)
def pivot_data(context: Context, data_field: str, pivot_table: Argument, *pairs: Value) -> Value:
    """A value that a pivot table shows: of a data field, for the items that pairs of a field and an item name.

    Data field: its name in the report ("Sum of Sales") or that of its source ("Sales"). Pivot table: a reference to
    any of its cells. Fields and items: as the report or its source names them, whatever their case; items may be
    numbers and dates; a group of dates is named by its caption, a month or quarter by its number too, a group of
    numbers by where it starts. Without pairs the grand total. The report stays as Excel last refreshed it.
    Errors: #REF! where the reference lies in no pivot table, the field or item is not known, or the report shows no
    such value; #VALUE! for a field without its item.
    """
    if isinstance(pivot_table, str):
        raise UnsupportedFormula(
            "The formula uses the form GETPIVOTDATA(reference, text) of Excel 2000, which is not supported; "
            "name the data field first and then the reference.",
            construct="GETPIVOTDATA",
        )
    if len(pairs) % 2:
        raise FailedError(ErrorValue.VALUE)
    if not isinstance(pivot_table, CellRange):
        raise FailedError(ErrorValue.REF)
    found = _pivot_at(context, pivot_table)
    data_index = found.find_data_field(data_field)
    if data_index is None:
        raise FailedError(ErrorValue.REF)
    wanted: dict[int, int] = {}
    for name, item in zip(pairs[::2], pairs[1::2], strict=True):
        index, place = _found_pair(found, name, item)
        if wanted.setdefault(index, place) != place:
            raise FailedError(ErrorValue.REF)
    cell = found.find_cell(data_index, wanted)
    if cell is None:
        raise FailedError(ErrorValue.REF)
    (row, column), shows_values = cell
    assert context.cells is not None
    value = context.cells.range_of(pivot_table.sheet, (row, column, row, column)).at(0, 0)
    if value is None:
        # Of items that the report shows but the source never has together, the value is 0.
        return 0.0 if shows_values else ErrorValue.REF
    return value


def _pivot_at(context: Context, reference: CellRange) -> PivotTable:
    """The pivot table that a reference lies in, the last one made where there are several.

    Raises: UnsupportedFormula where it cannot be used, FailedError where there is none.
    """
    assert context.cells is not None
    pivots: tuple[PivotTable, ...] = context.cells.workbook.pivots.get(reference.sheet, ())
    touched = [pivot for pivot in pivots if pivot.bounds and _meet(pivot.bounds, reference.bounds)]
    # One that does not even say where it lies may be the one that is meant.
    found = touched[-1] if touched else next((pivot for pivot in pivots if pivot.bounds is None), None)
    if found is None:
        raise FailedError(ErrorValue.REF)
    if found.fault:
        raise UnsupportedFormula(
            f"The pivot table {found.name[:100]!r} that the formula reads cannot be used: {found.fault}.",
            construct="GETPIVOTDATA",
        )
    return found


def _meet(one: Bounds, other: Bounds) -> bool:
    return one[0] <= other[2] and other[0] <= one[2] and one[1] <= other[3] and other[1] <= one[3]


def _found_pair(pivot: PivotTable, name: Value, item: Value) -> tuple[int, int]:
    written = to_text(name)
    index = None if isinstance(written, ErrorValue) else pivot.find_field(written)
    place = None if index is None else _find_item(pivot.fields[index], item)
    if index is None or place is None:
        raise FailedError(ErrorValue.REF)
    return index, place


def _find_item(field: PivotField, wanted: Value) -> int | None:
    """The position of an item: by its name first, then by its value as a number."""
    if isinstance(wanted, (Grid, ErrorValue)):
        return None
    place = field.places_by_name.get("" if wanted is None else _name(wanted))
    if place is not None or wanted is None or wanted == "" or isinstance(wanted, bool):
        return place
    number = to_number(wanted)
    return field.places_by_number.get(number) if isinstance(number, float) else None


def _name(wanted: Value) -> str:
    if isinstance(wanted, float):
        return number_text(wanted)
    shown = to_text(wanted)
    return "" if isinstance(shown, ErrorValue) else shown.strip().lower()
