"""GROUPBY and PIVOTBY: summaries of a table by some of its columns. Source: Microsoft's pages of both.

What those pages leave open is refused by name: several functions at once, headers that Excel makes up, and of
PIVOTBY headers that are shown, several column fields and several columns of values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
# What PIVOTBY's aggregate is relative to. Around a column are all, so 3, the row in the columns around, is 1, the row.
_OF_THE_COLUMN, _OF_EVERYTHING, _OF_THE_ROWS_AROUND = 0, 2, 4
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
    _check_one_function(aggregate, "GROUPBY")
    keys, numbers = _rows(row_fields), _rows(values)
    if len(keys) != len(numbers):
        raise FailedError(ErrorValue.VALUE)
    headers = _headers(field_headers, numbers, len(keys[0]))
    kept = _kept(headers, _conditions(filter_array, len(keys)))
    if not kept:
        return ErrorValue.CALC
    is_table = field_relationship is not None and whole(number(field_relationship)) == 1
    depth, is_above = _depth(total_depth, len(keys[0]), is_table=is_table)
    orders = _orders(sort_order, len(keys[0]), len(numbers[0]))
    summary = _Summary(context, aggregate, keys, numbers, kept)
    lines = summary.lines(orders, depth, is_above=is_above, is_table=is_table)
    body = [[*line.labels, *summary.aggregates(line.places, kept)] for line in lines]
    return grid_of([[*keys[0], *numbers[0]], *body] if headers == _HEADERS_SHOWN else body)


@function(
    "PIVOTBY",
    "array array array array [choice choice array choice array array choice]",
    returns="any",
    wants_context=True,
)
def pivot_by(
    context: Context,
    row_fields: Argument,
    col_fields: Argument,
    values: Argument,
    aggregate: Any,
    field_headers: Value = None,
    row_total_depth: Value = None,
    row_sort_order: Argument = None,
    col_total_depth: Value = None,
    col_sort_order: Argument = None,
    filter_array: Argument = None,
    relative_to: Value = None,
) -> Argument:
    """As GROUPBY, with a column for each value of another field, and totals of both.

    A row and column that never meet give an empty text. Sort orders: as GROUPBY's, the one place behind the fields
    being the totals. Relative to: what an aggregate of two arguments gets as its second: 0 (or left out) the values of
    the whole column, 1 of the whole row, 2 all of them, 3 of the row in the group of columns around, which is the whole
    row, 4 of the column in the group of rows around.
    Errors: #VALUE! for arrays of different heights, a depth or order that is none; #CALC! where no row counts.
    Refused: several functions at once, headers that are shown, several column fields or columns of values.
    """
    keys, columns, numbers = _rows(row_fields), _rows(col_fields), _rows(values)
    _check_one_function(aggregate, "PIVOTBY")
    if len(columns[0]) != 1 or len(numbers[0]) != 1:
        raise UnsupportedFormula(
            "The formula gives PIVOTBY several column fields or columns of values, which is not supported.",
            construct="PIVOTBY",
        )
    if not len(keys) == len(columns) == len(numbers):
        raise FailedError(ErrorValue.VALUE)
    headers = _headers(field_headers, numbers, len(keys[0]))
    if headers == _HEADERS_SHOWN:
        raise UnsupportedFormula(
            "The formula lets PIVOTBY show headers, which is not supported.", construct="PIVOTBY"
        )
    kept = _kept(headers, _conditions(filter_array, len(keys)))
    if not kept:
        return ErrorValue.CALC
    reference = 0 if relative_to is None else whole(number(relative_to))
    if reference not in range(_OF_THE_ROWS_AROUND + 1):
        raise FailedError(ErrorValue.VALUE)
    row_depth, is_above = _depth(row_total_depth, len(keys[0]), is_table=False)
    column_depth, is_before = _depth(col_total_depth, 1, is_table=False)
    down = _Summary(context, aggregate, keys, numbers, kept)
    across = _Summary(context, aggregate, columns, numbers, kept)
    rows = down.lines(_orders(row_sort_order, len(keys[0]), 1), row_depth, is_above=is_above)
    heads = across.lines(_orders(col_sort_order, 1, 1), column_depth, is_above=is_before)
    check_size(len(rows) + 1, len(heads) + len(keys[0]))
    shown: list[list[Value]] = [[*[""] * len(keys[0]), *(head.labels[0] for head in heads)]]
    head_of = {place: index for index, head in enumerate(heads) if not head.is_total for place in head.places}
    for line in rows:
        inside = _by_head(line.places, head_of, heads)
        around = _by_head(line.outer, head_of, heads) if reference == _OF_THE_ROWS_AROUND else inside
        cells: list[Value] = []
        for head, places, column_around in zip(heads, inside, around, strict=True):
            whole_group = {
                _OF_THE_COLUMN: head.places,
                _OF_EVERYTHING: kept,
                _OF_THE_ROWS_AROUND: column_around,
            }.get(reference, line.places)
            cells.append(down.aggregates(places, whole_group)[0] if places else "")
        shown.append([*line.labels, *cells])
    return grid_of(shown)


def _by_head(
    places: Sequence[int], head_of: Mapping[int, int], heads: Sequence[_Line]
) -> list[Sequence[int]]:
    """The places that fall to each column; to the column of totals all."""
    found: list[list[int]] = [[] for _ in heads]
    for place in places:
        found[head_of[place]].append(place)
    return [places if head.is_total else inside for head, inside in zip(heads, found, strict=True)]


def _check_one_function(aggregate: Any, name: str) -> None:
    if not isinstance(aggregate, Closure):
        raise UnsupportedFormula(
            f"The formula gives {name} several functions, or none; only one function is supported.",
            construct=name,
        )


def _kept(headers: int, conditions: Sequence[bool]) -> list[int]:
    first = 0 if headers == _HEADERS_NONE else 1
    return [place for place in range(first, len(conditions)) if conditions[place]]


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
            "The formula asks for headers that are made up (field_headers 2), which GROUPBY and PIVOTBY do not "
            "support here.",
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
class _Line:
    """One row or column of a summary; `outer` are the places of the group that it is part of."""

    labels: list[Value]
    places: Sequence[int]
    outer: Sequence[int]
    is_total: bool = False


@dataclass(frozen=True)
class _Summary:
    """The rows that count, and what is made of groups of them; places are those of rows."""

    context: Context
    aggregate: Closure
    keys: Sequence[Sequence[Value]]
    values: Sequence[Sequence[Value]]
    kept: Sequence[int]

    def aggregates(self, places: Sequence[int], whole_group: Sequence[int]) -> list[Value]:
        """What the function gives for each column of values of a group, which is part of another."""
        return [self._aggregated(places, whole_group, column) for column in range(len(self.values[0]))]

    def _aggregated(self, places: Sequence[int], whole_group: Sequence[int], column: int) -> Value:
        assert self.context.cells is not None
        arguments = [grid_of([[self.values[place][column]] for place in places])]
        if len(self.aggregate.node.parameters) > 1:
            arguments.append(grid_of([[self.values[place][column]] for place in whole_group]))
        found = self.context.cells.invoke(self.aggregate, arguments)
        if isinstance(found, Grid) and found.row_count == found.column_count == 1:
            found = found.at(0, 0)
        return ErrorValue.CALC if isinstance(found, (Grid, Closure)) else found

    def lines(
        self, orders: Sequence[int], depth: int, *, is_above: bool, is_table: bool = False
    ) -> list[_Line]:
        """The groups in order, with `depth` levels of totals, the grand total being the first."""
        body = self._table(orders) if is_table else self._tree((), self.kept, orders, depth - 1, is_above)
        if not depth:
            return body
        label = _GRAND_TOTAL_ALONE if depth == 1 else _GRAND_TOTAL_ABOVE_OTHERS
        total = _Line([label, *[""] * (len(self.keys[0]) - 1)], self.kept, self.kept, is_total=True)
        return [total, *body] if is_above else [*body, total]

    def _tree(
        self,
        before: tuple[Value, ...],
        places: Sequence[int],
        orders: Sequence[int],
        depth: int,
        is_above: bool,
    ) -> list[_Line]:
        level = len(before)
        inner_count = len(self.keys[0]) - level - 1
        lines: list[_Line] = []
        for name, members in self._sorted(self._groups(places, level), level, orders):
            own = _Line([*before, name, *[""] * inner_count], members, places)
            if not inner_count:
                lines.append(own)
                continue
            below = self._tree((*before, name), members, orders, depth - 1, is_above)
            if depth > 0:
                below = [own, *below] if is_above else [*below, own]
            lines.extend(below)
        return lines

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
            named,
            key=_key(lambda group: self._aggregated(group[1], self.kept, column)),
            reverse=orders[0] < 0,
        )

    def _table(self, orders: Sequence[int]) -> list[_Line]:
        """The groups, each field sorted without regard to the others, the first order coming first."""
        groups: dict[object, list[int]] = {}
        for place in self.kept:
            groups.setdefault(tuple(map(identity, self.keys[place])), []).append(place)
        lines = [_Line(list(self.keys[places[0]]), places, self.kept) for places in groups.values()]
        field_count = len(self.keys[0])
        rest = [field for field in range(1, field_count + 1) if field not in map(abs, orders)]
        for order in reversed([*orders, *rest]):
            lines.sort(key=self._line_key(abs(order) - 1, field_count), reverse=order < 0)
        return lines

    def _line_key(self, place: int, field_count: int) -> Callable[[Any], Any]:
        if place < field_count:
            return _key(lambda line: line.labels[place])
        return _key(lambda line: self._aggregated(line.places, self.kept, place - field_count))


def _key(value_of: Callable[[Any], Value]) -> Callable[[Any], Any]:
    # Blanks come last, as in SORT; what is descending is the whole order, reversed.
    compare_values = cmp_to_key(compared)
    return lambda item: (value_of(item) is None, compare_values(value_of(item)))
