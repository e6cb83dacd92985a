"""GROUPBY: a summary of a table by one or more of its columns. Source: Microsoft's page of it.

What that page leaves open is refused by name: several functions at once, and headers that Excel makes up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cmp_to_key
from typing import Any

from tollway.engine.functions.array_size import check_size
from tollway.engine.functions.lookup.ordering import compared, identity
from tollway.engine.functions.registry import (
    Argument,
    Closure,
    Context,
    FailedError,
    Grid,
    as_grid,
    function,
    grid_of,
    number,
    whole,
)
from tollway.engine.values import ErrorValue, UnsupportedFormula, Value, to_logical

_GRAND_TOTAL_ALONE = "Total"
_GRAND_TOTAL_ABOVE_OTHERS = "Grand Total"
_HEADERS_NONE, _HEADERS_HIDDEN, _HEADERS_MADE, _HEADERS_SHOWN = range(4)


@function(
    "GROUPBY", "array array array [choice choice array array choice]", returns="any", wants_context=True
)
def group_by(
    context: Context,
    row_fields: Argument,
    values: Argument,
    aggregate: Any,
    field_headers: Value = None,
    total_depth: Value = None,
    sort_order: Argument = None,
    filter_array: Argument = None,
    field_relationship: Value = None,
) -> Argument:
    """A row for each group of equal row fields, with what a function gives for the values of the group; then totals.

    Aggregate: SUM, AVERAGE or another function of one argument, or a LAMBDA, which may take all values as its second.
    Field headers: 0 the data has none, 1 has but hide them, 3 has and show them; left out, the data has headers where
    the first value is a text and the second a number, shown where there are several row fields. Total depth: 0 none,
    1 the grand total, 2 subtotals too, and so on, negative above what they add up; left out, all but those of the
    last field. Sort order: the row field, or behind those the column of values, to sort by, from 1, negative for
    descending; several row fields as an array. Filter array: which rows count. Field relationship: 1 sorts without
    regard to the fields before, and has no subtotals.
    Errors: #VALUE! for arrays of different heights, a depth or order that is none; #CALC! where no row counts.
    Refused: several functions at once, and headers that are to be made up (2).
    """
    if not isinstance(aggregate, Closure):
        raise UnsupportedFormula(
            "The formula gives GROUPBY several functions, or none; only one function is supported.",
            construct="GROUPBY",
        )
    keys, numbers = _rows(row_fields), _rows(values)
    if len(keys) != len(numbers):
        raise FailedError(ErrorValue.VALUE)
    headers = _headers(field_headers, numbers, len(keys[0]))
    conditions = _conditions(filter_array, len(keys))
    first = 0 if headers == _HEADERS_NONE else 1
    kept = [place for place in range(first, len(keys)) if conditions[place]]
    if not kept:
        return ErrorValue.CALC
    is_table = field_relationship is not None and whole(number(field_relationship)) == 1
    summary = _Summary(context, aggregate, keys, numbers, kept)
    depth, is_above = _depth(total_depth, len(keys[0]), is_table=is_table)
    orders = _orders(sort_order, len(keys[0]), len(numbers[0]))
    rows: list[list[Value]] = []
    if headers == _HEADERS_SHOWN:
        rows.append([*keys[0], *numbers[0]])
    body = summary.table(orders) if is_table else summary.tree((), kept, orders, depth - 1, is_above)
    if depth:
        label = _GRAND_TOTAL_ALONE if depth == 1 else _GRAND_TOTAL_ABOVE_OTHERS
        total: list[Value] = [label, *[""] * (len(keys[0]) - 1), *summary.aggregates(kept)]
        body = [total, *body] if is_above else [*body, total]
    return grid_of([*rows, *body])


def _rows(argument: Argument) -> list[list[Value]]:
    grid = as_grid(argument)
    check_size(grid.row_count, grid.column_count)
    return [[grid.at(row, column) for column in range(grid.column_count)] for row in range(grid.row_count)]


def _headers(given: Value, values: Sequence[Sequence[Value]], field_count: int) -> int:
    if given is None:
        has_headers = len(values) > 1 and isinstance(values[0][0], str) and isinstance(values[1][0], float)
        if not has_headers:
            return _HEADERS_NONE
        return _HEADERS_SHOWN if field_count > 1 else _HEADERS_HIDDEN
    found = whole(number(given))
    if found not in range(4):
        raise FailedError(ErrorValue.VALUE)
    if found == _HEADERS_MADE:
        raise UnsupportedFormula(
            "The formula asks GROUPBY to make up headers (field_headers 2), which is not supported.",
            construct="GROUPBY",
        )
    return found


def _conditions(argument: Argument, row_count: int) -> list[bool]:
    if argument is None:
        return [True] * row_count
    found: list[bool] = []
    for row in _rows(argument):
        truth = ErrorValue.VALUE if len(row) != 1 or isinstance(row[0], str) else to_logical(row[0])
        if isinstance(truth, ErrorValue):
            raise FailedError(truth)
        found.append(truth)
    if len(found) != row_count:
        raise FailedError(ErrorValue.VALUE)
    return found


def _depth(given: Value, field_count: int, *, is_table: bool) -> tuple[int, bool]:
    """How many levels of totals there are, the grand total being the first, and whether they stand above."""
    depth_max = 1 if is_table else field_count
    if given is None:
        return depth_max, False
    depth = whole(number(given))
    if abs(depth) > depth_max:
        raise FailedError(ErrorValue.VALUE)
    return abs(depth), depth < 0


def _orders(argument: Argument, field_count: int, value_count: int) -> list[int]:
    if argument is None:
        return []
    found = [whole(number(value)) for row in _rows(argument) for value in row]
    place_max = field_count + (value_count if len(found) == 1 else 0)
    if any(not 1 <= abs(order) <= place_max for order in found):
        raise FailedError(ErrorValue.VALUE)
    return found


@dataclass(frozen=True)
class _Summary:
    """The rows that count, and what is made of groups of them; places are those of rows."""

    context: Context
    aggregate: Closure
    keys: Sequence[Sequence[Value]]
    values: Sequence[Sequence[Value]]
    kept: Sequence[int]

    def aggregates(self, places: Sequence[int]) -> list[Value]:
        """What the function gives for each column of values of a group."""
        return [self._aggregated(places, column) for column in range(len(self.values[0]))]

    def _aggregated(self, places: Sequence[int], column: int) -> Value:
        assert self.context.cells is not None
        arguments = [grid_of([[self.values[place][column]] for place in places])]
        if len(self.aggregate.node.parameters) > 1:
            arguments.append(grid_of([[self.values[place][column]] for place in self.kept]))
        found = self.context.cells.invoke(self.aggregate, arguments)
        if isinstance(found, Grid) and found.row_count == found.column_count == 1:
            found = found.at(0, 0)
        return ErrorValue.CALC if isinstance(found, (Grid, Closure)) else found  # type: ignore[no-any-return]

    def tree(
        self,
        before: tuple[Value, ...],
        places: Sequence[int],
        orders: Sequence[int],
        depth: int,
        is_above: bool,
    ) -> list[list[Value]]:
        """The rows of a group by the fields that follow `before`, with `depth` levels of subtotals."""
        level = len(before)
        field_count = len(self.keys[0])
        rows: list[list[Value]] = []
        for name, members in self._sorted(self._groups(places, level), level, orders):
            if level == field_count - 1:
                rows.append([*before, name, *self.aggregates(members)])
                continue
            below = self.tree((*before, name), members, orders, depth - 1, is_above)
            total: list[Value] = [*before, name, *[""] * (field_count - level - 1)]
            if depth > 0:
                total.extend(self.aggregates(members))
                below = [total, *below] if is_above else [*below, total]
            rows.extend(below)
        return rows

    def _groups(self, places: Sequence[int], level: int) -> list[tuple[Value, list[int]]]:
        found: dict[object, tuple[Value, list[int]]] = {}
        for place in places:
            value = self.keys[place][level]
            found.setdefault(identity(value), (value, []))[1].append(place)
        return list(found.values())

    def _sorted(
        self, groups: list[tuple[Value, list[int]]], level: int, orders: Sequence[int]
    ) -> list[tuple[Value, list[int]]]:
        field_count = len(self.keys[0])
        named = sorted(groups, key=_key(lambda group: group[0]), reverse=-(level + 1) in orders)
        if len(orders) != 1 or abs(orders[0]) <= field_count:
            return named
        column = abs(orders[0]) - field_count - 1
        return sorted(
            named, key=_key(lambda group: self._aggregated(group[1], column)), reverse=orders[0] < 0
        )

    def table(self, orders: Sequence[int]) -> list[list[Value]]:
        """The rows of all groups, each field sorted without regard to the others, the first order coming first."""
        groups: dict[object, list[int]] = {}
        for place in self.kept:
            groups.setdefault(tuple(map(identity, self.keys[place])), []).append(place)
        rows = [[*self.keys[members[0]], *self.aggregates(members)] for members in groups.values()]
        fields = range(1, len(self.keys[0]) + 1)
        rest = [field for field in fields if field not in {abs(order) for order in orders}]
        for order in reversed([*orders, *rest]):
            rows.sort(key=_column_key(abs(order) - 1), reverse=order < 0)
        return rows


def _key(value_of: Callable[[Any], Value]) -> Callable[[Any], Any]:
    # Blanks come last, as in SORT; what is descending is the whole order, reversed.
    compare_values = cmp_to_key(compared)
    return lambda item: (value_of(item) is None, compare_values(value_of(item)))


def _column_key(column: int) -> Callable[[Any], Any]:
    return _key(lambda row: row[column])
