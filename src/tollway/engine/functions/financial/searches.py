"""Searches for the rate at which something balances, with the stop rules of the functions that need them."""

from __future__ import annotations

from collections.abc import Callable

from tollway.engine.functions.registry import FailedError
from tollway.engine.values import ErrorValue

# IRR and RATE stop after this many steps, or when a step is smaller than this.
_STEPS_MAX = 20
STEP_SMALLEST = 1e-7


def find_rate(balance: Callable[[float], float], guess: float) -> float:
    """A rate at which a balance is 0, by secants from a guess; #NUM! where the steps do not come within 1e-7."""
    first, second = guess, guess * 1.1 if guess else 0.01
    first_balance, second_balance = balance(first), balance(second)
    for _ in range(5 * _STEPS_MAX):
        if second_balance == first_balance:
            break
        following = second - second_balance * (second - first) / (second_balance - first_balance)
        if following <= -1.0:
            following = (second - 1.0) / 2.0
        first, first_balance = second, second_balance
        second, second_balance = following, balance(following)
        if abs(second - first) < STEP_SMALLEST * 1e-5:
            return second
    if abs(second - first) < STEP_SMALLEST:
        return second
    raise FailedError(ErrorValue.NUM)


def find_rate_by_slope(
    value_and_slope: Callable[[float], tuple[float, float]], guess: float, floor: float = -1.0
) -> float:
    """A rate above `floor` at which a value is 0, by Newton's steps from a guess.

    #NUM! where the steps do not come within 1e-7.
    """
    rate = guess
    for _ in range(5 * _STEPS_MAX):
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
    """A rate at which the value of dated payments is 0, by secants from a guess; #NUM! where there is none."""
    return find_rate(value, guess)


def find_yield(excess: Callable[[float], float], guess: float, frequency: int) -> float:
    """The yield at which a price is met, by secants from a guess above minus the frequency."""
    first, second = guess, guess + 0.01
    first_excess, second_excess = excess(first), excess(second)
    for _ in range(5 * _STEPS_MAX):
        if second_excess in (first_excess, 0.0):
            return second
        following = second - second_excess * (second - first) / (second_excess - first_excess)
        if following <= -frequency:
            following = (second - frequency) / 2.0
        first, first_excess = second, second_excess
        second, second_excess = following, excess(following)
        if abs(second - first) <= 1e-15 * max(1.0, abs(second)):
            return second
    if abs(second - first) < STEP_SMALLEST:
        return second
    raise FailedError(ErrorValue.NUM)
