"""Searches for the rate at which something balances, with the stop rules of the functions that need them."""

from __future__ import annotations

import math
from collections.abc import Callable

from tollway.engine.functions.registry import FailedError
from tollway.engine.values import ErrorValue

# The first two points of IRR's and RATE's search lie this far apart. Microsoft's pages speak of 20 tries; of the
# rates that Excel stores some took 39 secants, and none is stored for a search that needs more than 100.
_SECOND_POINT = 1e-3
_SECANTS_MAX = 50
_REST = 1e-7
# Where IRR's secants fail, Newton's steps are tried, as many at most.
_STEPS_MAX = 100
STEP_SMALLEST = 1e-7
# YIELD and ODDFYIELD go further than Excel, whose own stop is not known: the values that it stores are up to 1E-10 off.
_YIELD_STEPS_MAX = 100
_YIELD_STEP_SMALLEST = 1e-10
_SLOPE_STEP = 1e-6
# XIRR stops at an interval about this wide, and starts from a guess of 0 as from this one.
_DATED_TOLERANCE = 1e-8
_DATED_GUESS_OF_0 = 1e-5
_DATED_TRIES_MAX = 100


def find_root(balance: Callable[[float], float], start: float, *, step: float = math.inf) -> float:
    """Where a balance is 0, by secants from a start; #NUM! where the search does not end.

    The second point lies 0.001 beyond the start where the balance is positive there and 0.001 before it where it is
    negative. The search ends at a step below `step` that leaves less than 1E-7 of the balance: so IRR and RATE end
    on the very digits that Excel stores.
    """
    first, first_balance = start, balance(start)
    second = first + (_SECOND_POINT if first_balance > 0.0 else -_SECOND_POINT)
    second_balance = balance(second)
    for _ in range(_SECANTS_MAX):
        if second_balance == first_balance:
            return second
        following = second - second_balance * (second - first) / (second_balance - first_balance)
        first, first_balance = second, second_balance
        second, second_balance = following, balance(following)
        if abs(second - first) < step and abs(second_balance) < _REST:
            return second
    raise FailedError(ErrorValue.NUM)


def find_rate_by_slope(
    value_and_slope: Callable[[float], tuple[float, float]], guess: float, floor: float = -1.0
) -> float:
    """A rate above `floor` at which a value is 0, by Newton's steps from a guess.

    #NUM! where the steps do not come within 1e-7.
    """
    rate = guess
    for _ in range(_STEPS_MAX):
        value, slope = value_and_slope(rate)
        if slope == 0.0:
            break
        following = rate - value / slope
        if following <= floor:
            following = (rate + floor) / 2.0
        if abs(following - rate) <= 1e-14 * max(1.0, abs(following)):
            return following
        rate = following
    value, slope = value_and_slope(rate)
    if slope != 0.0 and abs(value / slope) < STEP_SMALLEST:
        return rate
    raise FailedError(ErrorValue.NUM)


def find_dated_rate(value: Callable[[float], float], guess: float) -> float:
    """A rate at which the value of dated payments is 0, by halving an interval between multiples of a guess.

    The rates that Excel stores for XIRR are such multiples, divided by a power of 2: this is how close it goes.
    #NUM! where no interval between -1 and the guess doubled 100 times has the value's signs differ at its ends.
    """
    low, high = _interval(value, abs(guess) or _DATED_GUESS_OF_0)
    is_low_positive = value(high) <= 0.0
    while True:
        middle = (low + high) / 2.0
        half = (high - low) / 2.0
        if half <= (_DATED_TOLERANCE / 2.0 * (1.0 + 2.0 * middle) if low >= 0.0 else _DATED_TOLERANCE):
            break
        if (value(middle) > 0.0) is is_low_positive:
            low = middle
        else:
            high = middle
    if low == -1.0:
        raise FailedError(ErrorValue.NUM)
    return middle


def _interval(value: Callable[[float], float], start: float) -> tuple[float, float]:
    low, high = 0.0, start
    if value(low) == 0.0:
        return low, high
    is_positive = value(low) > 0.0
    for _ in range(_DATED_TRIES_MAX):
        if (value(high) > 0.0) is not is_positive:
            return low, high
        low, high = high, 2.0 * high
    if start >= 1.0:
        return -1.0, 0.0
    return (-start, 0.0) if (value(-start) > 0.0) is not is_positive else (-1.0, -start)


def find_yield(excess: Callable[[float], float], guess: float, frequency: int) -> float:
    """The yield above minus the frequency at which a price is met, by Newton's steps from a guess.

    #NUM! where the steps do not grow small.
    """
    found = guess
    for _ in range(_YIELD_STEPS_MAX):
        slope = (excess(found + _SLOPE_STEP) - excess(found - _SLOPE_STEP)) / (2.0 * _SLOPE_STEP)
        if slope == 0.0:
            break
        following = found - excess(found) / slope
        if following <= -frequency:
            following = (found - frequency) / 2.0
        # After a step this small the next one would be lost in rounding.
        if abs(following - found) <= _YIELD_STEP_SMALLEST:
            return following
        found = following
    raise FailedError(ErrorValue.NUM)
