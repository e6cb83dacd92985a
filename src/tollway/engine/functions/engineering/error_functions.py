"""The error function and steps. Source of each: Microsoft's page of that function."""

from __future__ import annotations

import math

from tollway.engine.functions.registry import function
from tollway.engine.functions.toolpak import toolpak_number
from tollway.engine.values import Value


@function("ERF", "value [value]")
def error_function(lower: Value, upper: Value = math.nan) -> float:
    """The error function between two limits, or from 0 to the only one given; #VALUE! for a logical."""
    start = toolpak_number(lower)
    end = toolpak_number(upper)
    return math.erf(start) if math.isnan(end) else math.erf(end) - math.erf(start)


@function("ERF.PRECISE", "value")
def error_function_precise(limit: Value) -> float:
    """The error function from 0 to a limit; #VALUE! for a logical."""
    return math.erf(toolpak_number(limit))


@function("ERFC", "value")
@function("ERFC.PRECISE", "value")
def complementary_error_function(limit: Value) -> float:
    """1 minus the error function, exact far out too; #VALUE! for a logical."""
    return math.erfc(toolpak_number(limit))


@function("DELTA", "value [value]")
def is_same_number(first: Value, second: Value = 0.0) -> float:
    """1 when two numbers are the same to the last bit, else 0; the second is 0 if left out; #VALUE! for a logical."""
    return float(toolpak_number(first) == toolpak_number(second))


@function("GESTEP", "value [value]")
def is_at_least(number: Value, step: Value = 0.0) -> float:
    """1 when a number is not below a step, else 0; the step is 0 if left out; #VALUE! for a logical."""
    return float(toolpak_number(number) >= toolpak_number(step))
