"""Smallest and largest. Source of each, unless it says otherwise: Microsoft's page of that function."""

from __future__ import annotations

from tollway.engine.functions.criteria import paired_positions
from tollway.engine.functions.registry import Argument, as_grid, function, numbers
from tollway.engine.functions.statistical.averages import numbers_at
from tollway.engine.functions.statistical.samples import numbers_and_texts


@function("MIN", "grid...")
def minimum(*arguments: Argument) -> float:
    """The smallest number; 0 when there are none."""
    return min(numbers(arguments), default=0.0)


@function("MAX", "grid...")
def maximum(*arguments: Argument) -> float:
    """The largest number; 0 when there are none."""
    return max(numbers(arguments), default=0.0)


@function("MINA", "grid...")
def minimum_with_texts(*arguments: Argument) -> float:
    """The smallest value; in cells TRUE counts 1, FALSE and texts 0; 0 when there are none."""
    return min(numbers_and_texts(arguments), default=0.0)


@function("MAXA", "grid...")
def maximum_with_texts(*arguments: Argument) -> float:
    """The largest value; in cells TRUE counts 1, FALSE and texts 0; 0 when there are none."""
    return max(numbers_and_texts(arguments), default=0.0)


@function("MINIFS", "grid grid any [grid any]...")
def minimum_ifs(compared: Argument, *pairs: Argument) -> float:
    """The smallest number whose partners meet every criterion; 0 when there are none.

    Errors: #VALUE! when the ranges differ in size.
    """
    grid = as_grid(compared)
    return min(numbers_at(grid, list(paired_positions(grid, pairs))), default=0.0)


@function("MAXIFS", "grid grid any [grid any]...")
def maximum_ifs(compared: Argument, *pairs: Argument) -> float:
    """The largest number whose partners meet every criterion; 0 when there are none.

    Errors: #VALUE! when the ranges differ in size.
    """
    grid = as_grid(compared)
    return max(numbers_at(grid, list(paired_positions(grid, pairs))), default=0.0)
