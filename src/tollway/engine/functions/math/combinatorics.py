"""Factorials and ways to choose.

Source of each, unless it says otherwise: Microsoft's page of that function.
"""

from __future__ import annotations

import math

from tollway.engine.functions.registry import Argument, FailedError, function, whole
from tollway.engine.functions.toolpak import toolpak_numbers
from tollway.engine.values import ErrorValue

# Choosing more than this, and leaving more than this, has more ways than a number of Excel can say.
_CHOSEN_MAX = 1_024
# 300 is the last double factorial that is a number of Excel.
_DOUBLE_FACTORIAL_MAX = 300
# An integer with more bits is no double.
_DOUBLE_BITS_MAX = 1_024


@function("FACT", "number")
def factorial(value: float) -> float:
    """The factorial of the integer part, 0 to 170; #NUM! outside."""
    if not 0 <= value < 171:
        raise FailedError(ErrorValue.NUM)
    return float(math.factorial(int(value)))


@function("COMBIN", "number number")
def combinations(count: float, chosen: float) -> float:
    """Ways to choose from a count, both cut to integers; #NUM! when negative or choosing more than there are."""
    count_whole, chosen_whole = whole(count), whole(chosen)
    if not 0 <= chosen_whole <= count_whole:
        raise FailedError(ErrorValue.NUM)
    return float(_ways(count_whole, chosen_whole))


def _ways(count: int, chosen: int) -> int:
    chosen = min(chosen, count - chosen)
    if chosen > _CHOSEN_MAX:
        raise FailedError(ErrorValue.NUM)
    return math.comb(count, chosen)


@function("FACTDOUBLE", "single")
def double_factorial(value: float) -> float:
    """The product of the integer part and every second integer below it, down to 1 or 2; 1 for -1 and 0.

    Errors: #NUM! below -1 and when the result is too large (from 301 on), #VALUE! for a logical.
    """
    start = whole(value)
    if not -1 <= start <= _DOUBLE_FACTORIAL_MAX:
        raise FailedError(ErrorValue.NUM)
    return float(math.prod(range(start, 0, -2)))


@function("COMBINA", "number number")
def combinations_with_repeats(count: float, chosen: float) -> float:
    """Ways to choose from a count when each may be chosen again; both are cut to integers.

    Errors: #NUM! when one is negative, and when something is to be chosen from nothing.
    """
    count_whole, chosen_whole = whole(count), whole(chosen)
    if min(count_whole, chosen_whole) < 0:
        raise FailedError(ErrorValue.NUM)
    if chosen_whole == 0:
        return 1.0
    if count_whole == 0:
        raise FailedError(ErrorValue.NUM)
    return float(_ways(count_whole + chosen_whole - 1, chosen_whole))


@function("MULTINOMIAL", "grid...")
def multinomial(*values: Argument) -> float:
    """The factorial of a sum over the product of the factorials of its terms, cut to integers.

    Errors: #NUM! for a negative number and when the result is too large; #VALUE! for a logical or a text
    that is no number.
    """
    numbers = toolpak_numbers(values)
    if min(numbers, default=0.0) < 0:
        raise FailedError(ErrorValue.NUM)
    counts = [whole(number) for number in numbers]
    ways, total = 1, 0
    for count in counts:
        total += count
        ways *= _ways(total, count)
        if ways.bit_length() > _DOUBLE_BITS_MAX:
            raise FailedError(ErrorValue.NUM)
    return float(ways)
