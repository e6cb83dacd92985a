"""Pivot tables as a file describes them: which row and column of the sheet stands for which items.

Source: ECMA-376 part 1, 18.10.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from tollway.engine.values import Value
from tollway.engine.workbooks.cells import Bounds, Place

# Stands among the fields of an axis for the names of the data fields.
DATA_NAMES = -2
# Pairs of field and item, and the data field where the axis tells data fields apart.
LineKey = tuple[frozenset[tuple[int, int]], int | None]


@dataclass(frozen=True, slots=True)
class PivotItem:
    """One item of a field: its value in the source, what the report shows, what else a number may call it by.

    `number` is the month of a group of dates, or where a group of numbers starts. `is_collapsed`: what lies below
    it is not shown, so that its own line shows its total.
    """

    value: Value
    caption: str
    names: tuple[str, ...] = ()
    number: float | None = None
    is_collapsed: bool = False


@dataclass(frozen=True)
class PivotField:
    """One field: the names it is known by, in lower case, its own first, and its items in the report's order.

    `shows_total_above`: the line of an item, above those below it, shows the item's total.
    """

    names: tuple[str, ...]
    items: tuple[PivotItem | None, ...] = ()
    shows_total_above: bool = True

    @cached_property
    def places_by_name(self) -> dict[str, int]:
        """The positions of items by each of their names."""
        found: dict[str, int] = {}
        for place, item in enumerate(self.items):
            for name in () if item is None else item.names:
                found.setdefault(name, place)
        return found

    @cached_property
    def places_by_number(self) -> dict[float, int]:
        """The positions of items by their values, where these are numbers, else by what they count as."""
        found: dict[float, int] = {}
        for place, item in enumerate(self.items):
            if item is not None:
                for number in (item.value, item.number):
                    if isinstance(number, float):
                        found.setdefault(number, place)
        return found


@dataclass(frozen=True, slots=True)
class PivotLine:
    """One row or column of the report: the items it stands for, by field; `data_field` as its axis says.

    `shows_values` is False for a line that is but a heading.
    """

    items: Mapping[int, int]
    data_field: int
    shows_values: bool


@dataclass(frozen=True)
class PivotTable:
    """A pivot table: the cells it covers, its filters above included, and what its rows and columns stand for.

    `first_value` is the cell of the first row and column. `filters` has the item chosen by each field above the
    report, None where several are. `data_fields` are names, in lower case, and source fields. Where the part of the
    file cannot be used, `fault` says why.
    """

    name: str
    bounds: Bounds | None
    fault: str = ""
    first_value: Place = (1, 1)
    fields: tuple[PivotField, ...] = ()
    rows: tuple[PivotLine, ...] = ()
    columns: tuple[PivotLine, ...] = ()
    row_fields: tuple[int, ...] = ()
    column_fields: tuple[int, ...] = ()
    filters: Mapping[int, int | None] = field(default_factory=dict)
    data_fields: tuple[tuple[str, int], ...] = ()

    def find_field(self, name: str) -> int | None:
        """The field of a name: as the report calls it, else as its source does."""
        wanted = name.strip().lower()
        for rank in range(max((len(found.names) for found in self.fields), default=0)):
            for index, found in enumerate(self.fields):
                if rank < len(found.names) and found.names[rank] == wanted:
                    return index
        return None

    def find_data_field(self, name: str) -> int | None:
        """Which of the data fields a name means: its own ("Sum of Sales"), else its source's ("Sales")."""
        wanted = name.strip().lower()
        for index, (shown, _) in enumerate(self.data_fields):
            if shown == wanted:
                return index
        for index, (_, source) in enumerate(self.data_fields):
            if source < len(self.fields) and wanted in self.fields[source].names:
                return index
        return None

    def find_cell(self, data_field: int, wanted: Mapping[int, int]) -> tuple[Place, bool] | None:
        """Where the value for some items stands, and whether its line is known to show values."""
        for index, item in wanted.items():
            if index in self.filters:
                if self.filters[index] != item:
                    return None
            elif index not in self.row_fields and index not in self.column_fields:
                return None
        row = self._find_line(self.rows_by_items, self.row_fields, data_field, wanted)
        column = self._find_line(self.columns_by_items, self.column_fields, data_field, wanted)
        if row is None or column is None:
            return None
        top, left = self.first_value
        shows = self.rows[row].shows_values and self.columns[column].shows_values
        return (top + row, left + column), shows

    @cached_property
    def rows_by_items(self) -> dict[LineKey, int]:
        """The rows by what they stand for."""
        return _by_items(self.rows, self.row_fields)

    @cached_property
    def columns_by_items(self) -> dict[LineKey, int]:
        """The columns by what they stand for."""
        return _by_items(self.columns, self.column_fields)

    @staticmethod
    def _find_line(
        lines: dict[LineKey, int], fields: tuple[int, ...], data_field: int, wanted: Mapping[int, int]
    ) -> int | None:
        items = frozenset((index, item) for index, item in wanted.items() if index in fields)
        return lines.get((items, data_field if DATA_NAMES in fields else None))


def _by_items(lines: tuple[PivotLine, ...], fields: tuple[int, ...]) -> dict[LineKey, int]:
    """The first line that shows values for some items, else the first that is a heading for them."""
    found: dict[LineKey, int] = {}
    for place, line in enumerate(lines):
        key = (frozenset(line.items.items()), line.data_field if DATA_NAMES in fields else None)
        known = found.get(key)
        if known is None or (line.shows_values and not lines[known].shows_values):
            found[key] = place
    return found
