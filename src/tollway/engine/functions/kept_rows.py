"""Rows that several formulas read, with indexes of what they look for: a lookup need not walk a column each time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tollway.engine.values import Value

# Conditions of one range whose places are kept.
TESTS_KEPT_MAX = 256
# A list of fewer rows is walked faster than an index is made.
INDEXED_ROWS_MIN = 16

Test = Callable[[Value], bool]
# (row, column), counted from 0.
Place = tuple[int, int]


class KeptRows(list[Sequence[Value]]):
    """The values of a range, row by row, which nobody changes any more."""

    __slots__ = ("_columns", "_first_rows", "_tested", "_text_places")

    def __init__(self, rows: Sequence[Sequence[Value]]) -> None:
        super().__init__(rows)
        self._columns: dict[int, list[Value]] = {}
        self._first_rows: dict[int, dict[tuple[type, Value], int]] = {}
        self._text_places: dict[str, list[Place]] | None = None
        self._tested: dict[Test, list[Place]] = {}

    def column(self, column: int) -> list[Value]:
        """The values of a column from top to bottom."""
        found = self._columns.get(column)
        if found is None:
            found = self._columns[column] = [row[column] if column < len(row) else None for row in self]
        return found

    def first_row(self, column: int, wanted: Value) -> int | None:
        """The first row that holds a value in a column, counted from 0: texts without case, the rest exactly."""
        index = self._first_rows.get(column)
        if index is None:
            index = self._first_rows[column] = {}
            for place, value in enumerate(self.column(column)):
                index.setdefault(_key(value), place)
        return index.get(_key(wanted))

    def places_of_text(self, lowered: str) -> list[Place]:
        """Where a text stands, given in lower case, row by row."""
        if self._text_places is None:
            self._text_places = {}
            for row_place, row in enumerate(self):
                for column, value in enumerate(row):
                    if isinstance(value, str):
                        self._text_places.setdefault(value.lower(), []).append((row_place, column))
        return self._text_places.get(lowered, [])

    def places_meeting(self, test: Test) -> list[Place]:
        """Where a condition is met, row by row."""
        found = self._tested.get(test)
        if found is None:
            found = [
                (row_place, column)
                for row_place, row in enumerate(self)
                for column, value in enumerate(row)
                if test(value)
            ]
            if len(self._tested) < TESTS_KEPT_MAX:
                self._tested[test] = found
        return found


def _key(value: Value) -> tuple[type, Value]:
    # TRUE and 1 are equal in Python, and different cells.
    return (str, value.lower()) if isinstance(value, str) else (type(value), value)
