"""Criteria such as ">5", "a*" or 3: what COUNTIF, SUMIF, AVERAGEIF and their plural forms test cells with."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

from tollway.engine.collation import text_order
from tollway.engine.functions.kept_rows import KeptRows
from tollway.engine.functions.ranges import CellRange
from tollway.engine.functions.registry import Argument, FailedError, Grid, as_grid
from tollway.engine.language.syntax import COLUMN_MAX, ROW_MAX
from tollway.engine.serials import number_from_text
from tollway.engine.values import ERROR_BY_TEXT, ErrorValue, Value, numbers_equal

_OPERATOR = re.compile(r"(<=|>=|<>|<|>|=)?(.*)", re.DOTALL)

_WILDCARDS = frozenset("?*~")

# A longer criterion is #VALUE!.
CRITERION_LENGTH_MAX = 255

Test = Callable[[Value], bool]


def matching_positions(grid: Grid, criterion: Value, added: Grid | None = None) -> Iterator[tuple[int, int]]:
    """Places, counted from 0, whose value meets a criterion; row by row, blanks included.

    With `added`, the range whose partners are wanted, places where neither range holds anything are left out.
    """
    tested = [(grid, test_of(criterion))]
    yield from _positions(tested, None if added is None else [grid, added])


def partner_of(grid: Grid, added: Argument | None) -> Grid:
    """The range whose values SUMIF and AVERAGEIF take: a reference from its first cell, as large as the first.

    Without one it is the first range itself. What would lie beyond the sheet is left out.
    """
    if added is None:
        return grid
    if not isinstance(added, CellRange):
        return as_grid(added)
    top, left = added.bounds[:2]
    bottom = min(top + grid.row_count - 1, ROW_MAX)
    right = min(left + grid.column_count - 1, COLUMN_MAX)
    return added.moved((top, left, bottom, right))


def paired_positions(added: Grid, pairs: Sequence[Argument]) -> Iterator[tuple[int, int]]:
    """Places where every (range, criterion) pair is met, in a range as large as theirs.

    Places where no range holds anything are left out unless `added` is the first of the pairs itself.

    Errors: #VALUE! when the sizes differ.
    """
    tested = _tested(added, pairs)
    is_counted = bool(pairs) and added is pairs[0]
    yield from _positions(tested, None if is_counted else [added, *(grid for grid, _ in tested)])


def matching_count(grid: Grid, criterion: Value) -> int:
    """How many places meet a criterion, blanks included; as fast for a whole column as for what it holds."""
    return _count([(grid, test_of(criterion))])


def paired_count(pairs: Sequence[Argument]) -> int:
    """How many places meet every (range, criterion) pair; as fast for whole columns as for what they hold.

    Errors: #VALUE! when the sizes differ.
    """
    return _count(_tested(as_grid(pairs[0]), pairs))


def _tested(first: Grid, pairs: Sequence[Argument]) -> list[tuple[Grid, Test]]:
    tested: list[tuple[Grid, Test]] = []
    for tested_range, criterion in zip(pairs[::2], pairs[1::2], strict=True):
        grid = as_grid(tested_range)
        if (grid.row_count, grid.column_count) != (first.row_count, first.column_count):
            raise FailedError(ErrorValue.VALUE)
        tested.append((grid, test_of(criterion if not isinstance(criterion, Grid) else criterion.at(0, 0))))
    return tested


def _count(tested: Sequence[tuple[Grid, Test]]) -> int:
    grids = [grid for grid, _ in tested]
    found = sum(1 for _ in _positions(tested, grids))
    if all(test(None) for _, test in tested):
        rows, columns = _filled(grids)
        found += grids[0].row_count * grids[0].column_count - rows * columns
    return found


def _positions(
    tested: Sequence[tuple[Grid, Test]], filled: Sequence[Grid] | None
) -> Iterator[tuple[int, int]]:
    """`filled` are the ranges of which one holds something wherever a place is of interest; None for anywhere."""
    grids = [grid for grid, _ in tested]
    if not all(test(None) for _, test in tested):
        # What no tested range fills cannot meet every criterion.
        filled = grids
    rows, columns = (grids[0].row_count, grids[0].column_count) if filled is None else _filled(filled)
    rows, columns = min(rows, grids[0].row_count), min(columns, grids[0].column_count)
    kept = grids[0].rows
    if filled is grids and isinstance(kept, KeptRows):
        test = tested[0][1]
        places = kept.places_of_text(test.lowered) if isinstance(test, TextIs) else kept.places_meeting(test)
        others = tested[1:]
        for row, column in places:
            if all(other(grid.at(row, column)) for grid, other in others):
                yield (row, column)
        return
    for row in range(rows):
        for column in range(columns):
            if all(test(grid.at(row, column)) for grid, test in tested):
                yield (row, column)


def _filled(grids: Sequence[Grid]) -> tuple[int, int]:
    """The rows and columns beyond which none of the ranges holds anything."""
    rows = max(len(grid.rows) for grid in grids)
    return rows, max((len(row) for grid in grids for row in grid.rows), default=0)


@lru_cache(maxsize=1_024, typed=True)
def test_of(criterion: Value) -> Test:
    """The test that a criterion stands for. A blank criterion means 0.

    Source: Microsoft's COUNTIF page; operators before numbers, texts with wildcards ? * ~, logicals, errors.
    """
    if criterion is None:
        return _number_test("=", 0.0)
    if isinstance(criterion, bool):
        return lambda value: value is criterion
    if isinstance(criterion, float):
        return _number_test("=", criterion)
    if isinstance(criterion, ErrorValue):
        return lambda value: value is criterion
    if len(criterion) > CRITERION_LENGTH_MAX:
        raise FailedError(ErrorValue.VALUE)
    operator, operand = _parted(criterion)
    if operand == "":
        return _blank_test(operator or "=", is_bare=operator is None)
    return _operand_test(operator or "=", operand)


@lru_cache(maxsize=1_024, typed=True)
def database_test_of(criterion: Value) -> Test:
    """The test that a criterion of a database function stands for: a text without operator is met by what begins
    with it. "=" alone finds blanks, "<>" alone all else.

    Source: Microsoft's DSUM page, "Criteria"; "=text" finds the text alone.
    """
    if not isinstance(criterion, str):
        return test_of(criterion)
    if len(criterion) > CRITERION_LENGTH_MAX:
        raise FailedError(ErrorValue.VALUE)
    operator, operand = _parted(criterion)
    if operator is None and not _is_value(operand):
        pattern = wildcard(operand + "*")
        return lambda value: isinstance(value, str) and pattern.matches(value)
    return test_of(criterion)


def _parted(criterion: str) -> tuple[str | None, str]:
    match = _OPERATOR.fullmatch(criterion)
    assert match is not None
    return match[1], match[2]


def _is_value(operand: str) -> bool:
    name = operand.upper()
    return number_from_text(operand) is not None or name in ("TRUE", "FALSE") or name in ERROR_BY_TEXT


def _operand_test(operator: str, operand: str) -> Test:
    number = number_from_text(operand)
    if number is not None:
        return _number_test(operator, number)
    if operand.upper() in ("TRUE", "FALSE"):
        return _exact_test(operator, operand.upper() == "TRUE")
    if operand.upper() in ERROR_BY_TEXT:
        return _exact_test(operator, ERROR_BY_TEXT[operand.upper()])
    return _text_test(operator, operand)


def _blank_test(operator: str, *, is_bare: bool) -> Test:
    if is_bare:
        return lambda value: value is None or value == ""
    if operator == "=":
        return lambda value: value is None
    if operator == "<>":
        return lambda value: value is not None
    return lambda _value: False


def _number_test(operator: str, operand: float) -> Test:
    def equal(value: Value) -> bool:
        if isinstance(value, str):
            number = number_from_text(value)
            return number is not None and numbers_equal(number, operand)
        return isinstance(value, float) and numbers_equal(value, operand)

    if operator == "=":
        return equal
    if operator == "<>":
        # A text that reads as the number is counted as equal to it, and as different from it too.
        return lambda value: isinstance(value, str) or not equal(value)
    ordered = _ORDERS[operator]
    return lambda value: (
        isinstance(value, float)
        and ordered(0 if numbers_equal(value, operand) else (-1 if value < operand else 1))
    )


def _exact_test(operator: str, operand: Value) -> Test:
    if operator == "<>":
        return lambda value: value is not operand
    if operator == "=":
        return lambda value: value is operand
    return lambda _value: False


class TextIs:
    """The test whether a value is a text, case aside; of kept rows it is asked of an index."""

    __slots__ = ("lowered",)

    def __init__(self, lowered: str) -> None:
        self.lowered = lowered

    def __call__(self, value: Value) -> bool:
        """Test one value."""
        return isinstance(value, str) and value.lower() == self.lowered


def _text_test(operator: str, operand: str) -> Test:
    if operator == "=" and _WILDCARDS.isdisjoint(operand):
        return TextIs(operand.lower())
    if operator in ("=", "<>"):
        pattern = wildcard(operand)
        wanted = operator == "="
        return lambda value: (isinstance(value, str) and pattern.matches(value)) is wanted
    ordered, wanted_order = _ORDERS[operator], text_order(operand)
    return lambda value: (
        isinstance(value, str)
        and ordered((text_order(value) > wanted_order) - (text_order(value) < wanted_order))
    )


_ORDERS: dict[str, Callable[[int], bool]] = {
    "<": lambda order: order < 0,
    ">": lambda order: order > 0,
    "<=": lambda order: order <= 0,
    ">=": lambda order: order >= 0,
}


class Wildcard:
    """A text with Excel's wildcards: ? is one character, * any number, ~ takes the next literally; no case.

    Looks for the parts between the stars one after another, so that no pattern takes longer than its length
    times that of the text.
    """

    def __init__(self, text: str) -> None:
        parts: list[list[str]] = [[]]
        position = 0
        while position < len(text):
            character = text[position]
            if character == "~" and position + 1 < len(text) and text[position + 1] in "?*~":
                position += 1
                parts[-1].append(re.escape(text[position]))
            elif character == "*":
                parts.append([])
            else:
                parts[-1].append("." if character == "?" else re.escape(character))
            position += 1
        self._lengths = [len(part) for part in parts]
        self._parts = [re.compile("".join(part), re.IGNORECASE | re.DOTALL) for part in parts]

    def matches(self, text: str) -> bool:
        """Whether the whole text fits."""
        first, last = self._parts[0], self._parts[-1]
        if len(self._parts) == 1:
            return first.fullmatch(text) is not None
        end = len(text) - self._lengths[-1]
        if end < self._lengths[0] or not first.match(text) or not last.fullmatch(text, end):
            return False
        position: int | None = self._lengths[0]
        for part in self._parts[1:-1]:
            assert position is not None
            found = part.search(text, position, end)
            if found is None:
                return False
            position = found.end()
        return True

    def find(self, text: str, start: int) -> int | None:
        """Where the first fitting stretch begins at or after a place; None when there is none."""
        begin: int | None = None
        position = start
        for part in self._parts:
            found = part.search(text, position)
            if found is None:
                return None
            begin = found.start() if begin is None else begin
            position = found.end()
        return begin


@lru_cache(maxsize=1_024)
def wildcard(text: str) -> Wildcard:
    """The pattern that a text stands for."""
    return Wildcard(text)
