"""SUBTOTAL and AGGREGATE: other functions over what is left of a range. Source: Microsoft's pages of both."""

from __future__ import annotations

import math
from collections.abc import Iterator

from tollway.engine.functions.ranges import CellRange
from tollway.engine.functions.registry import (
    FUNCTIONS,
    Argument,
    Cells,
    Context,
    FailedError,
    Grid,
    call,
    function,
    number,
    numbers,
    whole,
)
from tollway.engine.functions.running_variance import variance_of_sums
from tollway.engine.values import ErrorValue, Value

_FUNCTIONS = (
    "AVERAGE", "COUNT", "COUNTA", "MAX", "MIN", "PRODUCT", "STDEV.S", "STDEV.P", "SUM", "VAR.S", "VAR.P",
    "MEDIAN", "MODE.SNGL", "LARGE", "SMALL", "PERCENTILE.INC", "QUARTILE.INC", "PERCENTILE.EXC", "QUARTILE.EXC",
)  # fmt: skip
_SUBTOTALS = 11
_VARIANCES, _OF_SAMPLES, _DEVIATIONS = (7, 8, 10, 11), (7, 10), (7, 8)
# From LARGE on they take an array and a number; those before take references.
_WITH_NUMBER = 14
# What is added to a code of SUBTOTAL so that rows hidden by hand are left out too.
_HIDDEN_TOO = 100


@function("SUBTOTAL", "number grid...", wants_context=True)
def subtotal(context: Context, function_number: float, *references: Argument) -> Argument:
    """A total of what is visible: rows that a filter hides, and cells that hold a SUBTOTAL themselves, are left out.

    1 AVERAGE, 2 COUNT, 3 COUNTA, 4 MAX, 5 MIN, 6 PRODUCT, 7 STDEV.S, 8 STDEV.P, 9 SUM, 10 VAR.S, 11 VAR.P;
    101 to 111 leave out rows hidden by hand too.
    Errors: #VALUE! for another number, and for what is no reference; those of the function.
    """
    code = whole(function_number)
    is_hidden_out = code > _HIDDEN_TOO
    if is_hidden_out:
        code -= _HIDDEN_TOO
    if not 1 <= code <= _SUBTOTALS:
        return ErrorValue.VALUE
    assert context.cells is not None
    kept = [
        _kept(context.cells, _reference(given), skips_hidden=is_hidden_out, skips_totals=True)
        for given in references
    ]
    return _total(code, kept)


@function("AGGREGATE", "number number array...", wants_context=True)
def aggregate(context: Context, function_number: float, options: float, *arguments: Argument) -> Argument:
    """A total that leaves out hidden rows, error values or totals inside, as the options say.

    1 to 11 as SUBTOTAL, 12 MEDIAN, 13 MODE.SNGL; with a number as last argument 14 LARGE, 15 SMALL,
    16 PERCENTILE.INC, 17 QUARTILE.INC, 18 PERCENTILE.EXC, 19 QUARTILE.EXC, which take arrays too.
    Options: 0 leaves out totals inside (cells with SUBTOTAL or AGGREGATE), 1 those and hidden rows, 2 those and
    error values, 3 all three, 4 nothing, 5 hidden rows, 6 error values, 7 hidden rows and error values.
    Errors: #VALUE! for another function or option, and for what is no reference from 1 to 13; those of the function.
    """
    code, option = whole(function_number), whole(options)
    if not 1 <= code <= len(_FUNCTIONS) or not 0 <= option <= 7:
        return ErrorValue.VALUE
    cells = context.cells
    assert cells is not None
    called = FUNCTIONS[_FUNCTIONS[code - 1]]
    skips_hidden, skips_errors, skips_totals = option in (1, 3, 5, 7), option in (2, 3, 6, 7), option < 4
    if code >= _WITH_NUMBER:
        if len(arguments) != 2:
            return ErrorValue.VALUE
        given, place = arguments
        if isinstance(given, CellRange):
            given = _kept(cells, given, skips_hidden=skips_hidden, skips_totals=skips_totals)
        if not isinstance(given, Grid):
            given = Grid([[given]], 1, 1)
        return call(called, [_without_errors(given) if skips_errors else given, number(place)], None)
    kept = [
        _kept(cells, _reference(given), skips_hidden=skips_hidden, skips_totals=skips_totals)
        for given in arguments
    ]
    return _total(code, [_without_errors(one) if skips_errors else one for one in kept])


def _total(code: int, kept: list[Grid]) -> Argument:
    if code in _VARIANCES:
        # Not as VAR.S and its like take them: Excel's totals keep running sums.
        variance = variance_of_sums(numbers(kept), is_sample=code in _OF_SAMPLES)
        return math.sqrt(variance) if code in _DEVIATIONS else variance
    return call(FUNCTIONS[_FUNCTIONS[code - 1]], kept, None)


def _reference(argument: Argument) -> CellRange:
    if isinstance(argument, CellRange):
        return argument
    raise FailedError(argument if isinstance(argument, ErrorValue) else ErrorValue.VALUE)


def _kept(cells: Cells, area: CellRange, *, skips_hidden: bool, skips_totals: bool) -> Grid:
    """The cells of a range that count, below each other."""
    return _column(_values(cells, area, skips_hidden=skips_hidden, skips_totals=skips_totals))


def _values(cells: Cells, area: CellRange, *, skips_hidden: bool, skips_totals: bool) -> Iterator[Value]:
    top, left, _, _ = area.bounds
    for row, values in enumerate(area.rows):
        if cells.is_hidden_row(area.sheet, top + row, by_hand=skips_hidden):
            continue
        for column, value in enumerate(values):
            if not skips_totals or not cells.is_total((area.sheet, top + row, left + column)):
                yield value


def _without_errors(grid: Grid) -> Grid:
    return _column(value for value in grid.items() if not isinstance(value, ErrorValue))


def _column(values: Iterator[Value]) -> Grid:
    rows = [[value] for value in values]
    return Grid(rows, max(1, len(rows)), 1)
