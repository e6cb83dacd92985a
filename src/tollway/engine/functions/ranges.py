"""References as values: cells that are read when they are asked for, and several references in one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tollway.engine.functions.registry import (
    GRID_CELLS_MAX,
    Argument,
    Closure,
    Context,
    FailedError,
    Function,
    Grid,
    call,
    element,
    is_whole_kind,
    kinds_of,
)
from tollway.engine.values import ErrorValue, Value

# (top, left, bottom, right), counted from 1, both ends included.
Bounds = tuple[int, int, int, int]
ReadRows = Callable[[int, Bounds], Sequence[Sequence[Value]]]


class CellRange(Grid):
    """The cells of a reference. Nothing is read before its values are wanted, so ROW(A1) may stand in A1."""

    __slots__ = ("_loaded", "_read", "bounds", "sheet")

    def __init__(self, read: ReadRows, sheet: int, bounds: Bounds) -> None:
        top, left, bottom, right = bounds
        self._read = read
        self._loaded: Sequence[Sequence[Value]] | None = None
        self.sheet = sheet
        self.bounds = bounds
        self.row_count = bottom - top + 1
        self.column_count = right - left + 1
        self.origin = (sheet, top, left)

    @property
    def rows(self) -> Sequence[Sequence[Value]]:  # type: ignore[override]
        """The values, as far as anything is filled."""
        if self._loaded is None:
            self._loaded = self._read(self.sheet, self.bounds)
        return self._loaded

    def part(self, rows: range, columns: range) -> CellRange:
        """A smaller reference; reads nothing."""
        top, left, _, _ = self.bounds
        return CellRange(
            self._read,
            self.sheet,
            (top + rows.start, left + columns.start, top + rows.stop - 1, left + columns.stop - 1),
        )

    def moved(self, bounds: Bounds) -> CellRange:
        """Another area of the same sheet."""
        return CellRange(self._read, self.sheet, bounds)


class MultiRange(Grid):
    """Several references joined by commas, or one over several sheets.

    Where they are read as one, they are a column of all their cells in order.
    """

    __slots__ = ("_loaded", "areas", "is_over_sheets")

    def __init__(self, areas: Sequence[CellRange], *, is_over_sheets: bool = False) -> None:
        self.areas = tuple(areas)
        self.is_over_sheets = is_over_sheets
        self._loaded: Sequence[Sequence[Value]] | None = None
        self.row_count = sum(area.row_count * area.column_count for area in areas)
        self.column_count = 1
        self.origin = None

    @property
    def rows(self) -> Sequence[Sequence[Value]]:  # type: ignore[override]
        """Every value, one below the other."""
        if self._loaded is None:
            self._loaded = [[value] for area in self.areas for value in area.items()]
        return self._loaded


class RangeArray(Grid):
    """An array of references, as OFFSET and INDIRECT give for arrays; read as one it gives the first cell of each."""

    __slots__ = ("_loaded", "references")

    def __init__(self, references: Sequence[Sequence[Argument]]) -> None:
        self.references = references
        self._loaded: Sequence[Sequence[Value]] | None = None
        self.row_count = len(references)
        self.column_count = len(references[0])
        self.origin = None

    @property
    def rows(self) -> Sequence[Sequence[Value]]:  # type: ignore[override]
        """The first value of each reference."""
        if self._loaded is None:
            self._loaded = [
                [found.at(0, 0) if isinstance(found, Grid) else found for found in row]
                for row in self.references
            ]
        return self._loaded

    def reference(self, row: int, column: int) -> Argument:
        """The reference at a place of a larger array; one row or column repeats."""
        row = 0 if self.row_count == 1 else row
        column = 0 if self.column_count == 1 else column
        if row >= self.row_count or column >= self.column_count:
            return ErrorValue.NA
        return self.references[row][column]


# Of an array of references they compute each by itself.
_FOR_EACH_REFERENCE = frozenset(
    {
        "AGGREGATE",
        "AVERAGEIF",
        "AVERAGEIFS",
        "COUNTBLANK",
        "COUNTIF",
        "COUNTIFS",
        "N",
        "SUBTOTAL",
        "SUMIF",
        "SUMIFS",
        "T",
    }
)
_COMPUTED = frozenset({"INDIRECT", "OFFSET"})


def call_with_references(called: Function, arguments: Sequence[Any], context: Context | None) -> Argument:
    """As registry.call, where arguments may be arrays of references, or the result such an array."""
    kinds = kinds_of(called, len(arguments))
    if called.name in _COMPUTED:
        varied = [found for kind, found in zip(kinds, arguments, strict=True) if not is_whole_kind(kind)]
    elif called.name in _FOR_EACH_REFERENCE:
        varied = [found for found in arguments if isinstance(found, RangeArray)]
    else:
        varied = []
    grids = [found for found in varied if isinstance(found, Grid)]
    if not grids:
        return call(called, arguments, context)
    row_count = max(grid.row_count for grid in grids)
    column_count = max(grid.column_count for grid in grids)
    if row_count * column_count > GRID_CELLS_MAX:
        return ErrorValue.NUM
    rows = [
        [
            call(
                called,
                [_at_place(found, kind, row, column) for kind, found in zip(kinds, arguments, strict=True)],
                context,
            )
            for column in range(column_count)
        ]
        for row in range(row_count)
    ]
    if called.name in _COMPUTED:
        return RangeArray(rows)
    return Grid(
        [[found.at(0, 0) if isinstance(found, Grid) else found for found in row] for row in rows],
        row_count,
        column_count,
    )


def _at_place(found: Any, kind: str, row: int, column: int) -> Any:
    if isinstance(found, RangeArray):
        return found.reference(row, column)
    return found if is_whole_kind(kind) else element(found, row, column)


def reference_of(argument: Argument | Closure) -> CellRange:
    """An argument that must be a reference in one piece; anything else ends the call with #VALUE!."""
    if isinstance(argument, CellRange):
        return argument
    raise FailedError(argument if isinstance(argument, ErrorValue) else ErrorValue.VALUE)


# They take several references where others take one; of those over several sheets only _OVER_SHEETS do.
_AS_ONE = frozenset(
    [
        "AREAS",
        "FREQUENCY",
        "IRR",
        "ISREF",
        "LARGE",
        "MEDIAN",
        "MODE",
        "PERCENTILE",
        "PERCENTILE.EXC",
        "PERCENTILE.INC",
        "PERCENTRANK",
        "PERCENTRANK.EXC",
        "PERCENTRANK.INC",
        "QUARTILE",
        "QUARTILE.EXC",
        "QUARTILE.INC",
        "RANK",
        "RANK.AVG",
        "RANK.EQ",
        "SHEETS",
        "SMALL",
        "TRIMMEAN",
        "TYPE",
    ]
)
_NEVER_OVER_SHEETS = frozenset({"AREAS", "FREQUENCY", "IRR", "RANK", "RANK.AVG", "RANK.EQ"})


def spread(called: Function, arguments: Sequence[Any]) -> list[Any] | None:
    """Give each reference of a union its own place in a call that repeats; None where a function takes but one."""
    if called.name in _AS_ONE:
        return [
            ErrorValue.VALUE
            if isinstance(found, MultiRange) and found.is_over_sheets and called.name in _NEVER_OVER_SHEETS
            else found
            for found in arguments
        ]
    given: list[Any] = []
    for index, found in enumerate(arguments):
        if not isinstance(found, MultiRange):
            given.append(found)
        elif called.repeats and index >= len(called.parameters) - 1:
            given.extend(found.areas)
        else:
            return None
    return given
