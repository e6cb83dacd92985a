"""Counting. Source of each, unless it says otherwise: Microsoft's page of that function."""

from __future__ import annotations

from bisect import bisect_left

from tollway.engine.functions.criteria import matching_count, paired_count
from tollway.engine.functions.registry import Argument, Grid, as_grid, function, grid_numbers, grid_of
from tollway.engine.serials import number_from_text
from tollway.engine.values import ErrorValue, Value


@function("COUNT", "grid...")
def count(*arguments: Argument) -> float:
    """How many numbers; of values given directly also logicals and texts that read as numbers."""
    found = 0
    for argument in arguments:
        if isinstance(argument, Grid):
            found += sum(isinstance(value, float) for value in argument.items())
        elif isinstance(argument, str):
            found += number_from_text(argument) is not None
        else:
            found += not isinstance(argument, ErrorValue)
    return float(found)


@function("COUNTA", "grid...")
def count_filled(*arguments: Argument) -> float:
    """How many values of any kind, error values and "" included."""
    found = 0
    for argument in arguments:
        if isinstance(argument, Grid):
            found += sum(value is not None for value in argument.items())
        else:
            found += 1
    return float(found)


@function("COUNTBLANK", "grid")
def count_blank(argument: Argument) -> float:
    """How many cells are blank or hold ""."""
    grid = as_grid(argument)
    filled = sum(value is not None and value != "" for value in grid.items())
    return float(grid.row_count * grid.column_count - filled)


@function("COUNTIF", "grid any")
def count_if(tested: Argument, criterion: Value) -> float:
    """How many cells meet a criterion."""
    return float(matching_count(as_grid(tested), criterion))


@function("COUNTIFS", "grid any [grid any]...")
def count_ifs(*pairs: Argument) -> float:
    """How many places meet every criterion.

    Errors: #VALUE! when the ranges differ in size.
    """
    return float(paired_count(pairs))


@function("FREQUENCY", "array array", returns="any")
def frequency(values: Argument, limits: Argument) -> Grid:
    """A column of counts: numbers up to each limit and above the one before, and last those above all limits.

    limits: in any order; the counts stand in that order, and a limit that is repeated counts nothing.
    Texts, logicals and blanks are left out of both. Errors: the first error value among them.
    """
    found = grid_numbers(as_grid(values))
    bounds = grid_numbers(as_grid(limits))
    ordered = sorted(set(bounds))
    counts = [0] * (len(ordered) + 1)
    for value in found:
        counts[bisect_left(ordered, value)] += 1
    rows: list[list[Value]] = []
    seen: set[float] = set()
    for bound in bounds:
        rows.append([0.0 if bound in seen else float(counts[bisect_left(ordered, bound)])])
        seen.add(bound)
    rows.append([float(counts[-1])])
    return grid_of(rows)
