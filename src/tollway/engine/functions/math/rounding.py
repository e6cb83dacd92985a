"""Rounding to digits, to multiples, to even and odd integers.

Source of each, unless it says otherwise: Microsoft's page of that function.
"""

from __future__ import annotations

import math

from tollway.engine.functions.math.rounding_blocks import (
    int_block,
    round_block,
    round_down_block,
    round_up_block,
)
from tollway.engine.functions.registry import FailedError, function
from tollway.engine.values import (
    ErrorValue,
    decimal_text,
    floor_decimal,
    round_away,
    round_half_up,
    round_toward_zero,
)


@function("ROUND", "number number", block=round_block)
def round_to(value: float, digits: float) -> float:
    """Rounded as written in decimal, halves away from zero; negative digits round left of the point."""
    return round_half_up(value, digits)


@function("ROUNDUP", "number number", block=round_up_block)
def round_up(value: float, digits: float) -> float:
    """Rounded away from zero."""
    return round_away(value, digits)


@function("ROUNDDOWN", "number number", block=round_down_block)
def round_down(value: float, digits: float) -> float:
    """Rounded towards zero."""
    return round_toward_zero(value, digits)


@function("TRUNC", "number [number]", block=round_down_block)
def truncate(value: float, digits: float = 0.0) -> float:
    """Cut towards zero, to an integer unless digits are given."""
    return round_toward_zero(value, digits)


@function("INT", "number", block=int_block)
def integer(value: float) -> float:
    """The integer at or below."""
    return floor_decimal(value)


@function("CEILING", "number number")
def ceiling(value: float, significance: float) -> float:
    """The next multiple of the significance: away from zero where the signs are equal, else above.

    Errors: #NUM! for a positive number and a negative significance.
    """
    if significance == 0 or value == 0:
        return 0.0
    if value > 0 > significance:
        raise FailedError(ErrorValue.NUM)
    return significance * math.ceil(_multiples(value, significance))


@function("FLOOR", "number number")
def floor(value: float, significance: float) -> float:
    """The next multiple of the significance: towards zero where the signs are equal, else below.

    Errors: #NUM! for a positive number and a negative significance, #DIV/0! for significance 0.
    """
    if value == 0:
        return 0.0
    if significance == 0:
        raise FailedError(ErrorValue.DIV0)
    if value > 0 > significance:
        raise FailedError(ErrorValue.NUM)
    return significance * math.floor(_multiples(value, significance))


@function("CEILING.MATH", "number [number number]")
def ceiling_math(value: float, significance: float = 1.0, mode: float = 0.0) -> float:
    """The next multiple above; with a mode other than 0 negative numbers go away from zero."""
    if significance == 0:
        return 0.0
    multiples = _multiples(value, abs(significance))
    steps = math.floor(multiples) if value < 0 and mode != 0 else math.ceil(multiples)
    return abs(significance) * steps


@function("FLOOR.MATH", "number [number number]")
def floor_math(value: float, significance: float = 1.0, mode: float = 0.0) -> float:
    """The next multiple below; with a mode other than 0 negative numbers go towards zero."""
    if significance == 0:
        return 0.0
    multiples = _multiples(value, abs(significance))
    steps = math.ceil(multiples) if value < 0 and mode != 0 else math.floor(multiples)
    return abs(significance) * steps


@function("MROUND", "single single")
def round_to_multiple(value: float, multiple: float) -> float:
    """The nearest multiple, halves away from zero as far as binary fractions allow: MROUND(6.05,0.1) is 6.

    Errors: #NUM! when the signs differ, #VALUE! for a logical.
    """
    if value == 0 or multiple == 0:
        return 0.0
    if (value < 0) != (multiple < 0):
        raise FailedError(ErrorValue.NUM)
    return multiple * math.floor(value / multiple + 0.5)


@function("EVEN", "number")
def even(value: float) -> float:
    """The next even integer away from zero."""
    return math.copysign(2.0 * math.ceil(_multiples(abs(value), 2.0)), value)


@function("ODD", "number")
def odd(value: float) -> float:
    """The next odd integer away from zero; 1 for 0."""
    steps = max(0, math.ceil(_multiples(abs(value) - 1.0, 2.0)))
    return math.copysign(2.0 * steps + 1.0, value)


def _multiples(value: float, significance: float) -> float:
    """How often the significance fits, to 15 significant digits, so that 0.3 is three times 0.1."""
    return float(decimal_text(value / significance))


@function("CEILING.PRECISE", "number [number]")
@function("ISO.CEILING", "number [number]")
@function("ECMA.CEILING", "number [number]")
def ceiling_precise(value: float, significance: float = 1.0) -> float:
    """The next multiple above, whatever the signs; multiples of 1 unless a significance is given, 0 for 0."""
    return ceiling_math(value, significance)


@function("FLOOR.PRECISE", "number [number]")
def floor_precise(value: float, significance: float = 1.0) -> float:
    """The next multiple below, whatever the signs; multiples of 1 unless a significance is given, 0 for 0."""
    return floor_math(value, significance)
