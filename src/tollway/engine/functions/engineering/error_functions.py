"""The error function and steps. Source of each: Microsoft's page of that function."""

from __future__ import annotations

import math

from tollway.engine.functions.registry import function


@function("ERF", "single [single]")
def error_function(lower: float, upper: float = math.nan) -> float:
    """The error function between two limits, or from 0 to the only one given; #VALUE! for a logical."""
    return math.erf(lower) if math.isnan(upper) else math.erf(upper) - math.erf(lower)


@function("ERF.PRECISE", "single")
def error_function_precise(limit: float) -> float:
    """The error function from 0 to a limit; #VALUE! for a logical."""
    return math.erf(limit)


@function("ERFC", "single")
@function("ERFC.PRECISE", "single")
def complementary_error_function(limit: float) -> float:
    """1 minus the error function, exact far out too; #VALUE! for a logical."""
    return math.erfc(limit)


@function("DELTA", "single [single]")
def is_same_number(first: float, second: float = 0.0) -> float:
    """1 when two numbers are the same to the last bit, else 0; the second is 0 if left out; #VALUE! for a logical."""
    return float(first == second)


@function("GESTEP", "single [single]")
def is_at_least(number: float, step: float = 0.0) -> float:
    """1 when a number is not below a step, else 0; the step is 0 if left out; #VALUE! for a logical."""
    return float(number >= step)
