"""Financial functions. Source of each, unless it says otherwise: Microsoft's page of that function."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from tollway.engine.functions.registry import (
    Argument,
    FailedError,
    as_grid,
    function,
    grid_numbers,
    numbers,
    whole,
)
from tollway.engine.values import ErrorValue

Floats = NDArray[np.float64]

# IRR and RATE stop after this many steps, or when a step is smaller than this.
_STEPS_MAX = 20
_STEP_SMALLEST = 1e-7
# Rates this close to -1 wipe everything out: formulas balance there without meaning.
_RATE_SMALLEST = 1e-6


@function("NPV", "number grid [grid]...")
def net_present_value(rate: float, *arguments: Argument) -> float:
    """The value one period before the first of payments at the end of each period.

    Errors: #DIV/0! at a rate of -1, #NUM! when the growth over the periods overflows.
    """
    total, discount = 0.0, 1.0 + rate
    factor = discount
    for payment in numbers(arguments):
        if math.isinf(factor):
            raise FailedError(ErrorValue.NUM)
        total += payment / factor
        factor *= discount
    return total


def _growth(rate: float, periods: float) -> tuple[float, float]:
    """(1+rate)^periods, and the sum of that growth over the periods (their number at a rate of 0)."""
    if rate == 0.0:
        return 1.0, periods
    if rate == -1.0 and periods < 0:
        raise FailedError(ErrorValue.DIV0)
    growth = math.pow(1.0 + rate, periods)
    return growth, (growth - 1.0) / rate


def _due(kind: float) -> float:
    """Payments at the start of a period count 1, at its end 0."""
    return 1.0 if kind != 0.0 else 0.0


@function("PV", "number number number [number number]")
def present_value(
    rate: float, periods: float, payment: float, future: float = 0.0, kind: float = 0.0
) -> float:
    """What a series of equal payments and a final one is worth now; the sign is opposite to the payments'."""
    growth, sum_of_growth = _growth(rate, periods)
    return -(future + payment * (1.0 + rate * _due(kind)) * sum_of_growth) / growth


@function("FV", "number number number [number number]")
def future_value(
    rate: float, periods: float, payment: float, present: float = 0.0, kind: float = 0.0
) -> float:
    """What a sum and equal payments have grown to; the sign is opposite to the payments'."""
    growth, sum_of_growth = _growth(rate, periods)
    return -(present * growth + payment * (1.0 + rate * _due(kind)) * sum_of_growth)


def _payment_block(
    rate: Floats,
    periods: Floats,
    present: Floats,
    future: Floats | float = 0.0,
    kind: Floats | float = 0.0,
) -> tuple[Floats, NDArray[np.bool_] | None]:
    base = 1.0 + rate
    growth = np.power(base, periods)
    divisor = 1.0 - growth
    if not isinstance(kind, float) or kind != 0.0:
        divisor = divisor * np.where(np.not_equal(kind, 0.0), base, 1.0)
    owed = present * growth
    if not isinstance(future, float) or future != 0.0:
        owed = owed + future
    is_low = np.less_equal(base, 0.0)
    return owed * rate / divisor, is_low if is_low.any() else None


@function("PMT", "number number number [number number]", block=_payment_block)
def payment(rate: float, periods: float, present: float, future: float = 0.0, kind: float = 0.0) -> float:
    """The equal payment that pays off a sum; #NUM! for 0 periods, and at a rate of -1 or below."""
    if periods == 0.0 or rate <= -1.0:
        raise FailedError(ErrorValue.NUM)
    if rate == 0.0:
        return -(present + future) / periods
    growth = math.pow(1.0 + rate, periods)
    return -((present * growth + future) * rate) / ((1.0 + rate * _due(kind)) * (growth - 1.0))


@function("IPMT", "number number number number [number number]")
def interest_payment(
    rate: float, period: float, periods: float, present: float, future: float = 0.0, kind: float = 0.0
) -> float:
    """The interest in the payment of one period, counted from 1; #NUM! outside the periods."""
    if not 1.0 <= period < periods + 1.0:
        raise FailedError(ErrorValue.NUM)
    if kind != 0.0 and period == 1.0:
        return 0.0
    regular = payment(rate, periods, present, future, kind)
    if kind == 0.0:
        return float(future_value(rate, period - 1.0, regular, present, 0.0)) * rate
    owed = float(future_value(rate, period - 2.0, regular, present, 1.0)) - regular
    return owed * rate


@function("PPMT", "number number number number [number number]")
def principal_payment(
    rate: float, period: float, periods: float, present: float, future: float = 0.0, kind: float = 0.0
) -> float:
    """The part of one period's payment that pays off the sum; #NUM! outside the periods."""
    interest = interest_payment(rate, period, periods, present, future, kind)
    return float(payment(rate, periods, present, future, kind)) - float(interest)


@function("NPER", "number number number [number number]")
def period_count(
    rate: float, regular: float, present: float, future: float = 0.0, kind: float = 0.0
) -> float:
    """How many payments pay off a sum; #NUM! when no number does, #DIV/0! for no payment and no interest."""
    if rate == 0.0:
        return -(present + future) / regular
    adjusted = regular * (1.0 + rate * _due(kind)) / rate
    return math.log((adjusted - future) / (adjusted + present)) / math.log(1.0 + rate)


@function("RATE", "number number number [number number number]")
def rate_of_annuity(
    periods: float,
    regular: float,
    present: float,
    future: float = 0.0,
    kind: float = 0.0,
    guess: float = 0.1,
) -> float:
    """The rate at which equal payments pay off a sum; #NUM! when 20 steps do not come within 1e-7."""
    if periods <= 0.0:
        raise FailedError(ErrorValue.NUM)
    due = _due(kind)

    def balance(rate: float) -> float:
        growth, sum_of_growth = _growth(rate, periods)
        return present * growth + regular * (1.0 + rate * due) * sum_of_growth + future

    found = _secant(balance, guess)
    growth, sum_of_growth = _growth(found, periods)
    terms = (present * growth, regular * (1.0 + found * due) * sum_of_growth, future)
    # Steps also grow small where the balance is steep; a rate counts only if it does balance.
    if found < -1.0 + _RATE_SMALLEST or abs(sum(terms)) > _STEP_SMALLEST * sum(map(abs, terms)):
        raise FailedError(ErrorValue.NUM)
    return found


def _secant(balance: Callable[[float], float], guess: float) -> float:
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
        if abs(second - first) < _STEP_SMALLEST * 1e-5:
            return second
    if abs(second - first) < _STEP_SMALLEST:
        return second
    raise FailedError(ErrorValue.NUM)


@function("IRR", "grid [number]")
def internal_rate(argument: Argument, guess: float = 0.1) -> float:
    """The rate at which payments are worth nothing now, by Newton's steps from a guess.

    Errors: #VALUE! for a guess of -1 or below; #NUM! without both a positive and a negative payment, or when
    no rate is found.
    """
    payments = grid_numbers(as_grid(argument))
    if guess <= -1.0:
        raise FailedError(ErrorValue.VALUE)
    if not (any(value > 0 for value in payments) and any(value < 0 for value in payments)):
        raise FailedError(ErrorValue.NUM)
    rate = guess
    for _ in range(5 * _STEPS_MAX):
        value, slope = _value_and_slope(payments, rate)
        if slope == 0.0:
            break
        following = rate - value / slope
        if following <= -1.0:
            following = (rate - 1.0) / 2.0
        if abs(following - rate) <= 1e-14 * max(1.0, abs(following)):
            return following
        rate = following
    value, slope = _value_and_slope(payments, rate)
    if slope != 0.0 and abs(value / slope) < _STEP_SMALLEST:
        return rate
    raise FailedError(ErrorValue.NUM)


def _value_and_slope(payments: Sequence[float], rate: float) -> tuple[float, float]:
    value = slope = 0.0
    discount = 1.0
    for period, amount in enumerate(payments):
        value += amount * discount
        slope -= period * amount * discount / (1.0 + rate)
        discount /= 1.0 + rate
    return value, slope


@function("SLN", "number number number")
def straight_line(cost: float, salvage: float, life: float) -> float:
    """Equal depreciation of one period; #DIV/0! for no life."""
    return (cost - salvage) / life


@function("DB", "number number number number [number]")
def declining_balance(cost: float, salvage: float, life: float, period: float, month: float = 12.0) -> float:
    """Depreciation of a period at a fixed rate, which is rounded to three digits; #NUM! outside the life.

    `month` is how many months the first year has.
    """
    months, wanted = whole(month), whole(period)
    if cost < 0 or salvage < 0 or life <= 0 or wanted < 1 or not 1 <= months <= 12 or wanted > life + 1:
        raise FailedError(ErrorValue.NUM)
    if months == 12 and wanted > life:
        raise FailedError(ErrorValue.NUM)
    if cost == 0.0:
        return 0.0
    rate = math.floor((1.0 - math.pow(salvage / cost, 1.0 / life)) * 1000.0 + 0.5) / 1000.0
    total = depreciation = cost * rate * months / 12.0
    for _ in range(1, min(wanted, whole(life))):
        depreciation = (cost - total) * rate
        total += depreciation
    if wanted > life:
        depreciation = (cost - total) * rate * (12 - months) / 12.0
    return depreciation


@function("DDB", "number number number number [number]")
def double_declining_balance(
    cost: float, salvage: float, life: float, period: float, factor: float = 2.0
) -> float:
    """Depreciation of a period at `factor` times the straight-line rate, never below the salvage value.

    Errors: #NUM! for a negative amount, a life or factor not positive, or a period outside 0 to the life.
    """
    if cost < 0 or salvage < 0 or life <= 0 or factor <= 0 or not 0 < period <= life:
        raise FailedError(ErrorValue.NUM)
    rate = min(1.0, factor / life)
    before = cost * math.pow(1.0 - rate, period - 1.0) if rate < 1.0 or period > 1.0 else cost
    after = cost * math.pow(1.0 - rate, period)
    return max(0.0, before - max(after, salvage))
