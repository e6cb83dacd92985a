"""Powers, roots, logarithms, quotients and common divisors.

Source of each, unless it says otherwise: Microsoft's page of that function.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tollway.engine.functions.math.rounding_blocks import mod_block
from tollway.engine.functions.registry import Argument, FailedError, function
from tollway.engine.functions.toolpak import toolpak_numbers
from tollway.engine.values import ErrorValue, Value, divide, modulo, power

Floats = NDArray[np.float64]
Masked = tuple[Floats, NDArray[np.bool_]]

# From here on INT(x) rounds to 15 digits, up too.
_ROUNDED_QUOTIENT = 1e14

# What GCD and LCM take and give stays below.
_COUNT_LIMIT = 2**53


@function("ABS", "number", block=np.abs)
def absolute(value: float) -> float:
    """The number without its sign."""
    return abs(value)


@function("SIGN", "number", block=np.sign)
def sign(value: float) -> float:
    """-1, 0 or 1."""
    return float((value > 0) - (value < 0))


@function("SQRT", "number", block=np.sqrt)
def square_root(value: float) -> float:
    """The square root; #NUM! of a negative number."""
    return math.sqrt(value)


@function("EXP", "number", block=np.exp)
def exponential(value: float) -> float:
    """E to the power; #NUM! on overflow."""
    return math.exp(value)


@function("LN", "number", block=np.log)
def natural_logarithm(value: float) -> float:
    """The natural logarithm; #NUM! unless positive."""
    return math.log(value)


@function("LOG10", "number", block=np.log10)
def decimal_logarithm(value: float) -> float:
    """The logarithm to base 10; #NUM! unless positive."""
    return math.log10(value)


@function("LOG", "number [number]")
def logarithm(value: float, base: float = 10.0) -> float:
    """The logarithm to a base, 10 if left out; #NUM! unless both are positive, #DIV/0! to base 1."""
    if value <= 0 or base <= 0:
        raise FailedError(ErrorValue.NUM)
    return math.log10(value) if base == 10.0 else math.log(value) / math.log(base)


def _power_block(base: Floats, exponent: Floats) -> Masked:
    return np.power(base, exponent), base == 0.0


@function("POWER", "number number", block=_power_block)
def power_of(base: float, exponent: float) -> Value:
    """As the operator ^: #NUM! for 0^0, #DIV/0! for 0 to a negative power."""
    return power(base, exponent)


@function("MOD", "number number", block=mod_block)
def remainder(value: float, divisor: float) -> Value:
    """What is left of a division, with the divisor's sign; #DIV/0! by zero, #NUM! past 2^50 times."""
    left = modulo(value, divisor)
    if divisor == 0.0 or isinstance(left, ErrorValue) or abs(value / divisor) < _ROUNDED_QUOTIENT:
        return left
    # INT rounds quotients this large; what is left must come from the numbers themselves.
    left = math.fmod(value, divisor)
    return left + divisor if left * divisor < 0.0 else left


@function("QUOTIENT", "single single")
def quotient(value: float, divisor: float) -> Value:
    """The integer part of a division; #DIV/0! by zero."""
    ratio = divide(value, divisor)
    return ratio if isinstance(ratio, ErrorValue) else float(math.trunc(ratio))


@function("SQRTPI", "single")
def square_root_of_pi_times(value: float) -> float:
    """The square root of a number times pi.

    Errors: #NUM! for a negative number, #VALUE! for a logical.
    """
    return math.sqrt(value * math.pi)


# --- common divisors and multiples ---------------------------------------------------------------------


@function("GCD", "grid...")
def greatest_common_divisor(*values: Argument) -> float:
    """The largest integer that divides all numbers, cut to integers; 0 when all are 0.

    Errors: #NUM! for a negative number, and from 2^53 on; #VALUE! for a logical or a text that is no number.
    """
    return float(math.gcd(*_counts(values)))


@function("LCM", "grid...")
def least_common_multiple(*values: Argument) -> float:
    """The smallest positive integer that all numbers, cut to integers, divide; 0 when one of them is 0.

    Errors: #NUM! for a negative number, and when a number or the result is 2^53 or more; #VALUE! for a
    logical or a text that is no number.
    """
    result = math.lcm(*_counts(values))
    if result >= _COUNT_LIMIT:
        raise FailedError(ErrorValue.NUM)
    return float(result)


def _counts(values: Sequence[Argument]) -> list[int]:
    numbers = toolpak_numbers(values)
    # Before they are cut to integers: -0.5 is refused.
    if any(not 0 <= number < _COUNT_LIMIT for number in numbers):
        raise FailedError(ErrorValue.NUM)
    return [math.trunc(number) for number in numbers] or [0]
