"""Integers as rows of 48 bits. Source of each: Microsoft's page of that function."""

from __future__ import annotations

import math

from tollway.engine.functions.registry import FailedError, function
from tollway.engine.values import ErrorValue

_BITS_LIMIT = 2**48
_SHIFT_MAX = 53


@function("BITAND", "number number")
def bits_in_both(first: float, second: float) -> float:
    """The number whose bits are set in both; integers from 0 to 2^48 - 1, #NUM! otherwise."""
    return float(_bits(first) & _bits(second))


@function("BITOR", "number number")
def bits_in_either(first: float, second: float) -> float:
    """The number whose bits are set in either; integers from 0 to 2^48 - 1, #NUM! otherwise."""
    return float(_bits(first) | _bits(second))


@function("BITXOR", "number number")
def bits_in_one(first: float, second: float) -> float:
    """The number whose bits are set in exactly one; integers from 0 to 2^48 - 1, #NUM! otherwise."""
    return float(_bits(first) ^ _bits(second))


@function("BITLSHIFT", "number number")
def bits_shifted_left(number: float, shift: float) -> float:
    """The number with its bits moved to the left, to the right when the shift is negative.

    Errors: #NUM! unless number and result are integers from 0 to 2^48 - 1 and the shift, cut to an integer,
    is from -53 to 53.
    """
    return _shifted(number, shift)


@function("BITRSHIFT", "number number")
def bits_shifted_right(number: float, shift: float) -> float:
    """The number with its bits moved to the right, to the left when the shift is negative.

    Errors: #NUM! unless number and result are integers from 0 to 2^48 - 1 and the shift, cut to an integer,
    is from -53 to 53.
    """
    return _shifted(number, -shift)


def _shifted(number: float, shift: float) -> float:
    bits = _bits(number)
    if abs(shift) >= _SHIFT_MAX + 1:
        raise FailedError(ErrorValue.NUM)
    places = math.trunc(shift)
    result = bits << places if places >= 0 else bits >> -places
    if result >= _BITS_LIMIT:
        raise FailedError(ErrorValue.NUM)
    return float(result)


def _bits(number: float) -> int:
    if not 0 <= number < _BITS_LIMIT or number != math.floor(number):
        raise FailedError(ErrorValue.NUM)
    return int(number)
