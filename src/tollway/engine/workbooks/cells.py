"""What a sheet holds: cells with their formulas and stored values, tables, what-if tables."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from tollway.engine.values import Value

# (top, left, bottom, right), counted from 1, both ends included.
Bounds = tuple[int, int, int, int]
Place = tuple[int, int]


@dataclass(frozen=True, slots=True)
class DataTableFacts:
    """Excel's what-if table: which cells it fills, and which inputs take the values beside and above them.

    The formula stands above the first column or left of the first row, in two-way tables in the corner.
    `row_input` takes the values above, `column_input` those on the left; an input that was deleted is None and
    `is_broken` says so.
    """

    bounds: Bounds
    row_input: Place | None
    column_input: Place | None
    is_broken: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """How a Japanese text is read: the text with its readings in place of what they stand above.

    `kind` is the writing that the file asks for: "fullwidthKatakana", "halfwidthKatakana", "Hiragana" or
    "noConversion".
    """

    text: str
    kind: str


@dataclass(slots=True)
class Cell:
    """One cell that holds something.

    `formula` is without its equals sign; shared formulas are written out. `value` is what Excel stored.
    `array` is the area that an array formula fills, `is_dynamic` whether it spills there by itself;
    `array_anchor` is set in the other cells of that area, which have a value but no formula of their own.
    `data_table` is set in every cell that a what-if table fills.
    """

    formula: str | None
    value: Value
    number_format: str = "General"
    array: Bounds | None = None
    array_anchor: Place | None = None
    is_dynamic: bool = False
    data_table: DataTableFacts | None = None


@dataclass
class Sheet:
    """One sheet: its cells by (row, column), counted from 1. A chart sheet has none."""

    name: str
    cells: dict[Place, Cell] = field(default_factory=dict)
    is_hidden: bool = False
    hidden_rows: set[int] = field(default_factory=set)
    filtered_rows: set[int] = field(default_factory=set)
    """Those of the hidden rows that a filter of the sheet, or of a table on it, hides."""
    readings: dict[Place, Reading] = field(default_factory=dict)
    """How Japanese texts are read, for those constants of which the file tells."""

    @cached_property
    def rows_by_column(self) -> dict[int, list[int]]:
        """The rows that hold something, ascending, for each column that does."""
        rows: dict[int, list[int]] = {}
        for row, column in self.cells:
            rows.setdefault(column, []).append(row)
        for column_rows in rows.values():
            column_rows.sort()
        return rows

    @cached_property
    def used(self) -> tuple[int, int]:
        """The last row and the last column that hold something; (0, 0) for an empty sheet."""
        if not self.cells:
            return (0, 0)
        return (max(row for row, _ in self.cells), max(column for _, column in self.cells))

    def hide_by_filter(self, filtered: Bounds | None) -> None:
        """Lay the hidden rows of a filtered area to its filter; the area's first row holds the headers."""
        if filtered is not None:
            top, _, bottom, _ = filtered
            self.filtered_rows.update(row for row in self.hidden_rows if top < row <= bottom)

    def positions_in(self, bounds: Bounds) -> Iterator[Place]:
        """The cells inside an area that hold something, column by column."""
        top, left, bottom, right = bounds
        columns = self.rows_by_column
        wanted = range(left, right + 1) if right - left < len(columns) else sorted(columns)
        for column in wanted:
            rows = columns.get(column)
            if rows is None or not left <= column <= right:
                continue
            for row in rows[bisect_left(rows, top) : bisect_right(rows, bottom)]:
                yield (row, column)


@dataclass(frozen=True)
class Table:
    """A table of a sheet: its whole area, headers and totals included, and its columns from left to right."""

    name: str
    sheet: int
    bounds: Bounds
    columns: tuple[str, ...]
    header_count: int = 1
    totals_count: int = 0

    @cached_property
    def column_index(self) -> dict[str, int]:
        """Position of each column, counted from 0, by its name as column_key() writes it."""
        found: dict[str, int] = {}
        for index, name in enumerate(self.columns):
            found.setdefault(column_key(name), index)
        return found

    @property
    def data_rows(self) -> tuple[int, int]:
        """The first and the last row of its data."""
        return (self.bounds[0] + self.header_count, self.bounds[2] - self.totals_count)


def column_key(name: str) -> str:
    """A column's name as structured references are compared with it: case and kinds of line ends do not matter."""
    return name.replace("\r\n", "\n").replace("\r", "\n").lower()
