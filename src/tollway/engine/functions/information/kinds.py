"""Questions about values. Source of each: Microsoft's page of that function."""

from __future__ import annotations

from tollway.engine.functions.registry import Argument, Grid, function
from tollway.engine.values import ErrorValue, Value


@function("ISNUMBER", "any", returns="logical")
def is_number(value: Value) -> bool:
    """Whether it is a number; a text that looks like one is not."""
    return isinstance(value, float)


@function("ISTEXT", "any", returns="logical")
def is_text(value: Value) -> bool:
    """Whether it is text."""
    return isinstance(value, str)


@function("ISNONTEXT", "any", returns="logical")
def is_not_text(value: Value) -> bool:
    """Whether it is anything but text; a blank counts."""
    return not isinstance(value, str)


@function("ISLOGICAL", "any", returns="logical")
def is_logical(value: Value) -> bool:
    """Whether it is TRUE or FALSE."""
    return isinstance(value, bool)


@function("ISBLANK", "any", returns="logical")
def is_blank(value: Value) -> bool:
    """Whether the cell holds nothing at all; "" is something."""
    return value is None


@function("ISERROR", "any", returns="logical")
def is_error(value: Value) -> bool:
    """Whether it is an error value."""
    return isinstance(value, ErrorValue)


@function("ISERR", "any", returns="logical")
def is_error_but_not_available(value: Value) -> bool:
    """Whether it is an error value other than #N/A."""
    return isinstance(value, ErrorValue) and value is not ErrorValue.NA


@function("ISNA", "any", returns="logical")
def is_not_available(value: Value) -> bool:
    """Whether it is #N/A."""
    return value is ErrorValue.NA


@function("NA", "")
def not_available() -> ErrorValue:
    """#N/A."""
    return ErrorValue.NA


@function("N", "grid")
def as_number(value: Argument) -> Value:
    """A number as it is, TRUE as 1, an error value as it is, anything else as 0; the first cell of a range."""
    first = value.at(0, 0) if isinstance(value, Grid) else value
    if isinstance(first, ErrorValue):
        return first
    return float(first) if isinstance(first, (bool, float)) else 0.0
