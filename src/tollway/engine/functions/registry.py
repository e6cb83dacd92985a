"""How a worksheet function is declared, found and called: argument kinds, coercion, arrays, errors.

A function says what it takes in words, one for each parameter, optional ones in brackets and `...` after
the last where it may repeat:

    @function("ROUND", "number number")
    @function("SUM", "grid...")

- number, text, logical: one value, converted as Excel converts; an error value ends the call
- single: a number, but a logical is #VALUE!, as in functions that came with the Analysis ToolPak
- value: one value of any kind but an error; any: one value, errors too
- choice: as any, but None only where the argument is left out (`F(1,,2)`): a blank cell is 0
- grid: a reference or array as it is, or one value; an error value in their place ends the call, except in
  functions that count or pass on errors
- array: the same, and the expression given is computed as an array even outside array formulas

Where one value is wanted and an array is given, the function is applied to each of its elements.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Protocol, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from tollway.engine.values import (
    TEXT_LENGTH_MAX,
    ErrorValue,
    Value,
    settle,
    to_logical,
    to_number,
    to_text,
)

# A range that a formula reads, or an array that it makes on the way, may not be larger.
GRID_CELLS_MAX = 2_000_000
_KINDS = frozenset({"number", "single", "text", "logical", "value", "any", "choice", "grid", "array"})
_WHOLE_KINDS = frozenset({"grid", "array"})
# An error value in place of a reference or array, such as that of a deleted sheet, does not end these.
_TAKING_ERRORS = frozenset(
    {"AGGREGATE", "ARRAYTOTEXT", "BYCOL", "BYROW", "COUNT", "COUNTA", "EXPAND", "FILTER", "HSTACK", "ISREF"}
    | {"MAKEARRAY", "MAP", "REDUCE", "SCAN", "TOCOL", "TOROW", "TYPE", "VSTACK", "XLOOKUP"}
)
Item = TypeVar("Item")


class FailedError(Exception):
    """Ends a function with an error value."""

    def __init__(self, error: ErrorValue) -> None:
        super().__init__(error.text)
        self.error = error


@dataclass(slots=True)
class Rectangle(Generic[Item]):
    """Rows and columns of items.

    `rows` may stop before `row_count` and `column_count`; what lies beyond is `blank`.
    `origin` is (sheet, top row, left column) where the items are those of cells.
    """

    rows: Sequence[Sequence[Item]]
    row_count: int
    column_count: int
    origin: tuple[int, int, int] | None = None

    blank: ClassVar[Any]
    """What an empty cell gives."""

    def at(self, row: int, column: int) -> Item:
        """The item at a place counted from 0."""
        if row < len(self.rows) and column < len(self.rows[row]):
            return self.rows[row][column]
        return cast(Item, self.blank)

    def items(self) -> list[Item]:
        """Row by row; blanks at the end may be missing."""
        return [item for row in self.rows for item in row]

    def line(self) -> list[Item]:
        """The items of a single row or column in order, with every blank."""
        if self.row_count == 1:
            return [self.at(0, column) for column in range(self.column_count)]
        return [self.at(row, 0) for row in range(self.row_count)]

    @property
    def is_line(self) -> bool:
        """One row or one column."""
        return self.row_count == 1 or self.column_count == 1


class Grid(Rectangle[Value]):
    """A rectangle of values: an array, or the cells of a reference."""

    __slots__ = ()
    blank = None

    def part(self, rows: range, columns: range) -> Grid:
        """Rows and columns in one piece, counted from 0; still a reference where this is one."""
        filled = range(rows.start, max(rows.start, min(rows.stop, len(self.rows))))
        kept = [list(self.rows[row][columns.start : columns.stop]) for row in filled]
        origin = None
        if self.origin is not None:
            sheet, top, left = self.origin
            origin = (sheet, top + rows.start, left + columns.start)
        return Grid(kept, len(rows), len(columns), origin)


class Closure:
    """A LAMBDA with the names it sees: a value that can be called and passed on, but not kept in a cell."""

    __slots__ = ("names", "node")

    def __init__(self, node: Any, names: dict[str, Any]) -> None:
        self.node = node
        self.names = names


Argument = Value | Grid
# What a call of a LAMBDA leaves out: the parameter counts as blank, and ISOMITTED tells.
OMITTED = Closure(None, {})


def grid_of(rows: Sequence[Sequence[Value]]) -> Grid:
    """An array from its rows."""
    return Grid(rows, len(rows), len(rows[0]))


class Cells(Protocol):
    """What functions about references and LAMBDAs may ask of the workbook; sheets count from 0."""

    @property
    def workbook(self) -> Any:
        """The workbook as read."""

    def range_of(self, sheet: int, bounds: tuple[int, int, int, int]) -> Grid:
        """The cells of a reference, read when they are asked for."""

    def reference(self, text: str, *, is_r1c1: bool) -> Argument:
        """What INDIRECT gives for a text."""

    def invoke(self, called: Argument | Closure, arguments: Sequence[Any]) -> Any:
        """What a LAMBDA gives."""

    def copied_value(self, address: tuple[int, int, int], rows: int) -> Value:
        """What the formula of a cell would give some rows further down; without a formula the cell's value."""

    def formula_text(self, address: tuple[int, int, int]) -> str | None:
        """The formula of a cell as Excel shows it; None for a cell without one."""

    def number_format(self, address: tuple[int, int, int]) -> str:
        """The format code of a cell."""

    def is_hidden_row(self, sheet: int, row: int, *, by_hand: bool) -> bool:
        """Whether a row is hidden by a filter or, where that counts too, by hand."""

    def is_total(self, address: tuple[int, int, int]) -> bool:
        """Whether the formula of a cell holds a SUBTOTAL or AGGREGATE."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a function may know of the cell it is in, and of the workbook.

    `cells` is None where a function is called without a workbook around it; `array` is (rows, columns) inside
    an array formula of that area.
    """

    row: int
    column: int
    is_1904: bool
    sheet: int = 0
    cells: Cells | None = None
    array: tuple[int, int] | None = None


# Arrays in, array out. Where the result is not finite, or a mask beside it is true, the exact scalar
# function is asked again, so a block form needs to know nothing of error values.
Block = Callable[..., "NDArray[np.float64] | tuple[NDArray[np.float64], NDArray[np.bool_] | None]"]


@dataclass(frozen=True, slots=True)
class Function:
    """One worksheet function.

    `returns` is "number", "logical", "text" or "any": what a result is when it is no error value.
    """

    name: str
    parameters: tuple[str, ...]
    required: int
    repeats: bool
    scalar: Callable[..., Any]
    returns: str
    wants_context: bool
    block: Block | None

    def parameter(self, index: int) -> str:
        """The kind of the argument at a position; repeated groups go round."""
        if index < len(self.parameters):
            return self.parameters[index]
        group = len(self.parameters) - self.required if self.repeats else 0
        if group > 1:
            return self.parameters[self.required + (index - self.required) % group]
        return self.parameters[-1]

    def accepts(self, count: int) -> bool:
        """Whether it can be called with this many arguments."""
        return self.required <= count and (self.repeats or count <= len(self.parameters))


FUNCTIONS: dict[str, Function] = {}
# By name and number of arguments: bounded, because a call has at most 255 of them.
_KINDS_OF: dict[tuple[str, int], tuple[str, ...]] = {}
Scalar = TypeVar("Scalar", bound=Callable[..., Any])


def function(
    name: str,
    takes: str = "",
    *,
    returns: str = "number",
    wants_context: bool = False,
    block: Block | None = None,
) -> Callable[[Scalar], Scalar]:
    """Register a scalar function under a worksheet name. Stack it for a second name."""
    words = takes.replace("...", " ... ").replace("[", " [ ").replace("]", " ] ").split()
    kinds = tuple(word for word in words if word in _KINDS)
    assert len(kinds) + sum(word in ("[", "]", "...") for word in words) == len(words), takes
    required = sum(word in _KINDS for word in words[: words.index("[")]) if "[" in words else len(kinds)

    def register(scalar: Scalar) -> Scalar:
        assert name not in FUNCTIONS, name
        FUNCTIONS[name] = Function(
            name, kinds, required, "..." in words, scalar, returns, wants_context, block
        )
        return scalar

    return register


def is_whole_kind(kind: str) -> bool:
    """Whether a parameter of this kind takes a range or array as it is."""
    return kind in _WHOLE_KINDS


def kinds_of(called: Function, count: int) -> tuple[str, ...]:
    """The kinds of a call's arguments, by how many there are."""
    known = _KINDS_OF.get((called.name, count))
    if known is None:
        known = _KINDS_OF[called.name, count] = tuple(called.parameter(index) for index in range(count))
    return known


def call(called: Function, arguments: Sequence[Argument], context: Context | None) -> Argument:
    """Call a function as a cell would: convert, apply to arrays element by element, settle the result.

    `context` may be None for a function that does not want one.
    """
    kinds = kinds_of(called, len(arguments))
    shape = _lifted_shape(kinds, arguments)
    if shape is None:
        return _call_once(called, kinds, arguments, context)
    row_count, column_count = shape
    if row_count * column_count > GRID_CELLS_MAX:
        return ErrorValue.NUM
    rows: list[Sequence[Value]] = []
    before: list[object] | None = None
    is_whole = [kind in _WHOLE_KINDS for kind in kinds]
    lifted = [argument for whole_kind, argument in zip(is_whole, arguments, strict=True) if not whole_kind]
    for row in range(distinct_rows(lifted, row_count)):
        lines = [
            _NO_ROW if whole_kind else row_at(argument, row)
            for whole_kind, argument in zip(is_whole, arguments, strict=True)
        ]
        # Below what is filled a whole column is the same row a million times: computed once.
        if before is not None and all(map(operator.is_, lines, before)):
            rows.append(rows[-1])
            continue
        before = list(lines)
        widths: list[Any] = [
            argument if whole_kind else widened(argument, line, column_count)
            for whole_kind, argument, line in zip(is_whole, arguments, lines, strict=True)
        ]
        cells: list[Value] = []
        for column in range(column_count):
            chosen = [
                found if whole_kind else found[column]
                for whole_kind, found in zip(is_whole, widths, strict=True)
            ]
            result = _call_once(called, kinds, chosen, context)
            cells.append(result.at(0, 0) if isinstance(result, Grid) else result)
        rows.append(cells)
    rows.extend(rows[-1:] * (row_count - len(rows)))
    return Grid(rows, row_count, column_count)


_NO_ROW: Sequence[Any] = ()
# What lies outside an array that is smaller than another.
_OUTSIDE: Sequence[Any] = (ErrorValue.NA,)


def distinct_rows(arguments: Sequence[Argument], row_count: int) -> int:
    """How many rows of so many may differ, where those of arguments stand beside each other: the rest is as the last.

    Below what is filled a whole column is the same row a million times.
    """
    differing = 0
    for argument in arguments:
        if isinstance(argument, Grid) and argument.row_count != 1:
            rows = argument.rows
            end = len(rows) if argument.row_count >= row_count else argument.row_count
            if end == row_count and end <= len(rows):
                end -= 1
                while end and rows[end] is rows[end - 1]:
                    end -= 1
            differing = max(differing, end)
    return min(row_count, differing + 1)


def row_at(argument: Argument, row: int) -> Any:
    """One row of an argument as it is kept, for widened(); the same object where rows are known to be the same."""
    if not isinstance(argument, Grid):
        return _NO_ROW
    if argument.row_count == 1:
        row = 0
    elif row >= argument.row_count:
        return _OUTSIDE
    rows = argument.rows
    return rows[row] if row < len(rows) else _NO_ROW


def widened(argument: Argument, line: Any, column_count: int) -> Sequence[Value]:
    """What row_at() gave as so many values: one column repeats, #N/A follows where the array is narrower."""
    if not isinstance(argument, Grid):
        return [argument] * column_count
    if line is _OUTSIDE:
        return [ErrorValue.NA] * column_count
    if argument.column_count == 1:
        return [line[0] if line else None] * column_count
    if len(line) == column_count:
        return line  # type: ignore[no-any-return]
    blanks = argument.column_count - len(line)
    return [*line, *[None] * blanks, *[ErrorValue.NA] * (column_count - argument.column_count)]


def _lifted_shape(kinds: Sequence[str], arguments: Sequence[Argument]) -> tuple[int, int] | None:
    shape: tuple[int, int] | None = None
    for kind, argument in zip(kinds, arguments, strict=True):
        if isinstance(argument, Grid) and kind not in _WHOLE_KINDS:
            rows, columns = shape or (1, 1)
            shape = (max(rows, argument.row_count), max(columns, argument.column_count))
    return shape


def element(argument: Argument, row: int, column: int) -> Value:
    """What an argument gives at one place of a larger array: one row or column repeats, else #N/A outside."""
    if not isinstance(argument, Grid):
        return argument
    row = 0 if argument.row_count == 1 else row
    column = 0 if argument.column_count == 1 else column
    if row >= argument.row_count or column >= argument.column_count:
        return ErrorValue.NA
    return argument.at(row, column)


def _call_once(
    called: Function, kinds: Sequence[str], arguments: Sequence[Argument], context: Context | None
) -> Argument:
    converters = _LENIENT_CONVERTERS if called.name in _TAKING_ERRORS else _CONVERTERS
    try:
        given = [
            argument if convert is None or isinstance(argument, Grid) else convert(argument)
            for convert, argument in zip(map(converters.__getitem__, kinds), arguments, strict=True)
        ]
        result = called.scalar(context, *given) if called.wants_context else called.scalar(*given)
    except FailedError as failure:
        return failure.error
    except ZeroDivisionError:
        return ErrorValue.DIV0
    except (OverflowError, ValueError):
        return ErrorValue.NUM
    if isinstance(result, float):
        return settle(result)
    if isinstance(result, int) and not isinstance(result, bool):
        return float(result)
    if isinstance(result, str) and len(result) > TEXT_LENGTH_MAX:
        return ErrorValue.VALUE
    return result  # type: ignore[no-any-return]  # scalars are declared to give an Argument


def _as_number(value: Value) -> Value:
    return value if type(value) is float else _passed(to_number(value))


def _as_text(value: Value) -> Value:
    return value if type(value) is str else _passed(to_text(value))


def _as_logical(value: Value) -> Value:
    return value if type(value) is bool else _passed(to_logical(value))


def _passed(value: Value) -> Value:
    if isinstance(value, ErrorValue):
        raise FailedError(value)
    if isinstance(value, Closure):
        raise FailedError(ErrorValue.VALUE)
    return value


def _as_single(value: Value) -> Value:
    if isinstance(value, bool):
        raise FailedError(ErrorValue.VALUE)
    return _as_number(value)


def _without_error(value: Value) -> Value:
    if isinstance(value, ErrorValue):
        raise FailedError(value)
    return value


_LENIENT_CONVERTERS: dict[str, Callable[[Value], Value] | None] = {
    "number": _as_number,
    "single": _as_single,
    "text": _as_text,
    "logical": _as_logical,
    "value": _passed,
    "any": None,
    "choice": None,
    "grid": None,
    "array": None,
}
_CONVERTERS = _LENIENT_CONVERTERS | {"grid": _without_error, "array": _without_error}


# --- reading arguments that may be grids ---------------------------------------------------------------


def numbers(arguments: Sequence[Argument]) -> list[float]:
    """The numbers among arguments, as SUM sees them.

    Of cells and arrays only numbers count; a value given directly is converted. An error value ends the call.
    """
    found: list[float] = []
    for argument in arguments:
        if isinstance(argument, Grid):
            found.extend(grid_numbers(argument))
        else:
            found.append(number(argument))
    return found


def grid_numbers(grid: Grid) -> list[float]:
    """The numbers of a grid in order; an error value ends the call."""
    found: list[float] = []
    for row in grid.rows:
        for value in row:
            if isinstance(value, float):
                found.append(value)
            elif isinstance(value, ErrorValue):
                raise FailedError(value)
    return found


def number(value: Argument) -> float:
    """One value as a number; what cannot be one ends the call."""
    if isinstance(value, Grid):
        value = value.at(0, 0) if value.row_count == value.column_count == 1 else ErrorValue.VALUE
    converted = to_number(value)
    if isinstance(converted, ErrorValue):
        raise FailedError(converted)
    return converted


def as_grid(argument: Argument) -> Grid:
    """A single value as a grid of one."""
    return argument if isinstance(argument, Grid) else Grid(((argument,),), 1, 1)


def whole(value: float) -> int:
    """A number cut to an integer, for counts and positions; what is no integer's size ends the call."""
    if not math.isfinite(value) or abs(value) > 2.0**53:
        raise FailedError(ErrorValue.NUM)
    return math.trunc(value)
