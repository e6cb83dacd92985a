"""Math and trigonometry. Source of each, unless it says otherwise: Microsoft's page of that function."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from tollway.engine.functions.criteria import matching_positions, paired_positions
from tollway.engine.functions.math.rounding_blocks import (
    int_block,
    mod_block,
    round_block,
    round_down_block,
    round_up_block,
)
from tollway.engine.functions.registry import (
    Argument,
    FailedError,
    as_grid,
    function,
    number,
    numbers,
    whole,
)
from tollway.engine.values import (
    ErrorValue,
    Value,
    decimal_text,
    divide,
    floor_decimal,
    modulo,
    power,
    round_away,
    round_half_up,
    round_toward_zero,
)

Floats = NDArray[np.float64]
Masked = tuple[Floats, NDArray[np.bool_]]

# Excel refuses to reduce larger angles: SIN(2^27) is #NUM!.
_ANGLE_MAX = 2.0**27


# --- sums ----------------------------------------------------------------------------------------------


@function("SUM", "grid...")
def sum_of(*arguments: Argument) -> float:
    """The sum of numbers, left to right; the first error value among them otherwise."""
    total = 0.0
    for term in numbers(arguments):
        total += term
    return total


@function("PRODUCT", "grid...")
def product(*arguments: Argument) -> float:
    """The product of numbers; 0 when there are none."""
    factors = numbers(arguments)
    return math.prod(factors) if factors else 0.0


@function("SUMSQ", "grid...")
def sum_of_squares(*arguments: Argument) -> float:
    """The sum of the squares of numbers."""
    total = 0.0
    for term in numbers(arguments):
        total += term * term
    return total


@function("SUMPRODUCT", "array...")
def sum_of_products(*arguments: Argument) -> float:
    """The sum of products of what stands at the same place; texts and logicals count as 0.

    Errors: #VALUE! when the arrays differ in size, else the first error value among them.
    """
    grids = [as_grid(argument) for argument in arguments]
    shape = (grids[0].row_count, grids[0].column_count)
    if any((grid.row_count, grid.column_count) != shape for grid in grids):
        raise FailedError(ErrorValue.VALUE)
    for grid in grids:
        for value in grid.items():
            if isinstance(value, ErrorValue):
                raise FailedError(value)
    filled_rows = min(len(grid.rows) for grid in grids)
    total = 0.0
    for row in range(filled_rows):
        for column in range(min(len(grid.rows[row]) for grid in grids)):
            term = 1.0
            for grid in grids:
                value = grid.rows[row][column]
                term *= value if isinstance(value, float) else 0.0
            total += term
    return total


@function("SUMIF", "grid any [grid]")
def sum_if(tested: Argument, criterion: Value, added: Argument | None = None) -> float:
    """The sum of numbers whose partner meets a criterion; without a third argument of those that meet it.

    Errors: the first error value among the numbers added.
    """
    grid = as_grid(tested if added is None else added)
    total = 0.0
    for row, column in matching_positions(as_grid(tested), criterion):
        total += _addend(grid.at(row, column))
    return total


@function("SUMIFS", "grid grid any [grid any]...")
def sum_ifs(added: Argument, *pairs: Argument) -> float:
    """The sum of numbers whose partners meet every criterion.

    Errors: #VALUE! when the ranges differ in size, else the first error value among the numbers added.
    """
    grid = as_grid(added)
    total = 0.0
    for row, column in paired_positions(grid, pairs):
        total += _addend(grid.at(row, column))
    return total


def _addend(value: Value) -> float:
    if isinstance(value, ErrorValue):
        raise FailedError(value)
    return value if isinstance(value, float) else 0.0


# --- powers and logarithms -----------------------------------------------------------------------------


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
    if not 0 <= chosen_whole <= count_whole or count_whole > 1_000_000:
        raise FailedError(ErrorValue.NUM)
    return float(math.comb(count_whole, chosen_whole))


# --- rounding ------------------------------------------------------------------------------------------


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


@function("MOD", "number number", block=mod_block)
def remainder(value: float, divisor: float) -> Value:
    """What is left of a division, with the divisor's sign; #DIV/0! by zero, #NUM! past 2^50 times."""
    return modulo(value, divisor)


@function("QUOTIENT", "number number")
def quotient(value: float, divisor: float) -> Value:
    """The integer part of a division; #DIV/0! by zero."""
    ratio = divide(value, divisor)
    return ratio if isinstance(ratio, ErrorValue) else float(math.trunc(ratio))


@function("CEILING", "number number")
def ceiling(value: float, significance: float) -> float:
    """The next multiple of the significance, away from zero for equal signs; #NUM! for a positive number
    and a negative significance; 0 for significance 0.
    """
    if significance == 0 or value == 0:
        return 0.0
    if value > 0 > significance:
        raise FailedError(ErrorValue.NUM)
    return significance * math.ceil(_multiples(value, significance))


@function("FLOOR", "number number")
def floor(value: float, significance: float) -> float:
    """The next multiple of the significance towards zero for equal signs; #NUM! for a positive number and
    a negative significance; #DIV/0! for significance 0.
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


@function("MROUND", "value value")
def round_to_multiple(given: Value, given_multiple: Value) -> float:
    """The nearest multiple, halves away from zero; #NUM! when the signs differ, #VALUE! for a logical."""
    if isinstance(given, bool) or isinstance(given_multiple, bool):
        raise FailedError(ErrorValue.VALUE)
    value, multiple = number(given), number(given_multiple)
    if value == 0 or multiple == 0:
        return 0.0
    if (value < 0) != (multiple < 0):
        raise FailedError(ErrorValue.NUM)
    return multiple * math.floor(_multiples(value, multiple) + 0.5)


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


# --- angles --------------------------------------------------------------------------------------------


@function("PI", "")
def pi() -> float:
    """3.14159265358979."""
    return math.pi


def _sine_block(angles: Floats) -> Masked:
    return np.sin(angles), np.abs(angles) >= _ANGLE_MAX


def _cosine_block(angles: Floats) -> Masked:
    return np.cos(angles), np.abs(angles) >= _ANGLE_MAX


def _angle(value: float) -> float:
    if abs(value) >= _ANGLE_MAX:
        raise FailedError(ErrorValue.NUM)
    return value


@function("SIN", "number", block=_sine_block)
def sine(angle: float) -> float:
    """The sine of an angle in radians; #NUM! from 2^27 on."""
    return math.sin(_angle(angle))


@function("COS", "number", block=_cosine_block)
def cosine(angle: float) -> float:
    """The cosine of an angle in radians; #NUM! from 2^27 on."""
    return math.cos(_angle(angle))


@function("TAN", "number")
def tangent(angle: float) -> float:
    """The tangent of an angle in radians; #NUM! from 2^27 on."""
    return math.tan(_angle(angle))


@function("ASIN", "number", block=np.arcsin)
def arcsine(value: float) -> float:
    """The angle in radians of a sine; #NUM! outside -1 to 1."""
    return math.asin(value)


@function("ACOS", "number", block=np.arccos)
def arccosine(value: float) -> float:
    """The angle in radians of a cosine; #NUM! outside -1 to 1."""
    return math.acos(value)


@function("ATAN", "number", block=np.arctan)
def arctangent(value: float) -> float:
    """The angle in radians of a tangent."""
    return math.atan(value)


@function("ATAN2", "number number")
def arctangent_of_point(x: float, y: float) -> float:
    """The angle in radians of a point, x first; #DIV/0! at the origin."""
    if x == 0 and y == 0:
        raise FailedError(ErrorValue.DIV0)
    return math.atan2(y, x)


@function("SINH", "number")
def hyperbolic_sine(value: float) -> float:
    """The hyperbolic sine; #NUM! on overflow."""
    return math.sinh(value)


@function("COSH", "number")
def hyperbolic_cosine(value: float) -> float:
    """The hyperbolic cosine; #NUM! on overflow."""
    return math.cosh(value)


@function("TANH", "number", block=np.tanh)
def hyperbolic_tangent(value: float) -> float:
    """The hyperbolic tangent."""
    return math.tanh(value)


@function("RADIANS", "number")
def radians(degrees_: float) -> float:
    """Degrees as radians."""
    return degrees_ * math.pi / 180.0


@function("DEGREES", "number")
def degrees(angle: float) -> float:
    """Radians as degrees."""
    return angle * 180.0 / math.pi
