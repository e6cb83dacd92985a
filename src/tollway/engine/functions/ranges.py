"""References as values: cells that are read when they are asked for, and several references in one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tollway.engine.functions.registry import Argument, Closure, FailedError, Function, Grid
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


def reference_of(argument: Argument | Closure) -> CellRange:
    """An argument that must be a reference in one piece; anything else ends the call with #VALUE!."""
    if isinstance(argument, CellRange):
        return argument
    raise FailedError(argument if isinstance(argument, ErrorValue) else ErrorValue.VALUE)


# They take several references where others take one; of those over several sheets only _OVER_SHEETS do.
_AS_ONE = frozenset(
    "AREAS FREQUENCY IRR ISREF LARGE MEDIAN MODE PERCENTILE PERCENTILE.EXC PERCENTILE.INC PERCENTRANK "
    "PERCENTRANK.EXC PERCENTRANK.INC QUARTILE QUARTILE.EXC QUARTILE.INC RANK RANK.AVG RANK.EQ SHEETS SMALL "
    "TRIMMEAN TYPE".split()
)
_NEVER_OVER_SHEETS = frozenset({"AREAS", "FREQUENCY", "IRR", "RANK", "RANK.AVG", "RANK.EQ"})


def spread(called: Function, arguments: Sequence[Any]) -> list[Any]:
    """Give each reference of a union its own place in a call that repeats; #VALUE! where a function takes but one."""
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
            given.append(ErrorValue.VALUE)
    return given
