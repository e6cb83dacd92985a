"""Equal payments: what they are worth, what they pay off, and the interest in them.

Money paid is negative, money received positive. `rate` is that of one period; `kind` is 0 for payments at the end of
a period and 1 at its start (any other number counts as 1).
Source of each function, unless it says otherwise: Microsoft's page of it.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from tollway.engine.functions.registry import FailedError, function, whole
from tollway.engine.values import ErrorValue

Floats = NDArray[np.float64]

# CUMIPMT and CUMPRINC add up at most this many periods.
PERIODS_MAX = 1_000_000
# Where growth is nearer to 1, NumPy's power and the scalar one may part beyond the twelfth digit.
_GAIN_SMALLEST = 0.01


def growth_over(rate: float, periods: float) -> tuple[float, float]:
    """(1+rate)^periods, and the sum of that growth over the periods (their number at a rate of 0)."""
    if rate == 0.0:
        return 1.0, periods
    if rate == -1.0 and periods < 0:
        raise FailedError(ErrorValue.DIV0)
    growth = math.pow(1.0 + rate, periods)
    return growth, (growth - 1.0) / rate


def due(kind: float) -> float:
    """Payments at the start of a period count 1, at its end 0."""
    return 1.0 if kind != 0.0 else 0.0


def _grown_block(rate: Floats, periods: Floats) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Growth, its sum over the periods, and where the scalar form must be asked instead.

    That is at a base of 0 or below, and where so little grows that the last digit of the power would count.
    """
    base = 1.0 + rate
    growth = np.power(base, periods)
    gained = growth - 1.0
    return growth, gained / rate, np.less_equal(base, 0.0) | np.less(np.abs(gained), _GAIN_SMALLEST)


def _present_value_block(
    rate: Floats,
    periods: Floats,
    payment: Floats,
    future: Floats | float = 0.0,
    kind: Floats | float = 0.0,
) -> tuple[Floats, NDArray[np.bool_] | None]:
    growth, sum_of_growth, is_doubtful = _grown_block(rate, periods)
    regular = payment * (1.0 + rate * np.not_equal(kind, 0.0)) * sum_of_growth
    return -(future + regular) / growth, is_doubtful if is_doubtful.any() else None


def _future_value_block(
    rate: Floats,
    periods: Floats,
    payment: Floats,
    present: Floats | float = 0.0,
    kind: Floats | float = 0.0,
) -> tuple[Floats, NDArray[np.bool_] | None]:
    growth, sum_of_growth, is_doubtful = _grown_block(rate, periods)
    regular = payment * (1.0 + rate * np.not_equal(kind, 0.0)) * sum_of_growth
    return -(present * growth + regular), is_doubtful if is_doubtful.any() else None


@function("PV", "number number number [number number]", block=_present_value_block)
def present_value(
    rate: float, periods: float, payment: float, future: float = 0.0, kind: float = 0.0
) -> float:
    """What a series of equal payments and a final one is worth now; the sign is opposite to the payments'."""
    growth, sum_of_growth = growth_over(rate, periods)
    return -(future + payment * (1.0 + rate * due(kind)) * sum_of_growth) / growth


@function("FV", "number number number [number number]", block=_future_value_block)
def future_value(
    rate: float, periods: float, payment: float, present: float = 0.0, kind: float = 0.0
) -> float:
    """What a sum and equal payments have grown to; the sign is opposite to the payments'."""
    growth, sum_of_growth = growth_over(rate, periods)
    return -(present * growth + payment * (1.0 + rate * due(kind)) * sum_of_growth)


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
    return -((present * growth + future) * rate) / ((1.0 + rate * due(kind)) * (growth - 1.0))


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
    adjusted = regular * (1.0 + rate * due(kind)) / rate
    return math.log((adjusted - future) / (adjusted + present)) / math.log(1.0 + rate)


@function("CUMIPMT", "single single single single single single")
def cumulative_interest(
    rate: float, periods: float, present: float, first: float, last: float, kind: float
) -> float:
    """The interest in the payments from one period to another, both counted, from 1; negative for a loan received.

    `periods`, `first`, `last` and `kind` are cut to integers.
    Errors: #NUM! for a rate, number of periods or sum not above 0, for periods outside 1 to the number or in the
    wrong order, and for a kind other than 0 and 1.
    """
    count, start, end = _checked_span(rate, periods, present, first, last, kind)
    return sum(
        interest_payment(rate, period, count, present, 0.0, float(whole(kind)))
        for period in range(start, end + 1)
    )


@function("CUMPRINC", "single single single single single single")
def cumulative_principal(
    rate: float, periods: float, present: float, first: float, last: float, kind: float
) -> float:
    """What the payments from one period to another, both counted, pay off; negative for a loan received.

    Arguments and errors are those of CUMIPMT.
    """
    count, start, end = _checked_span(rate, periods, present, first, last, kind)
    return sum(
        principal_payment(rate, period, count, present, 0.0, float(whole(kind)))
        for period in range(start, end + 1)
    )


def _checked_span(
    rate: float, periods: float, present: float, first: float, last: float, kind: float
) -> tuple[int, int, int]:
    count, start, end = whole(periods), whole(first), whole(last)
    in_order = 1 <= start <= end <= count
    if (
        rate <= 0.0
        or present <= 0.0
        or not in_order
        or whole(kind) not in (0, 1)
        or end - start >= PERIODS_MAX
    ):
        raise FailedError(ErrorValue.NUM)
    return count, start, end


@function("ISPMT", "number number number number")
def straight_interest(rate: float, period: float, periods: float, present: float) -> float:
    """The interest of one period, counted from 0, where the sum is paid off in equal parts.

    Errors: #DIV/0! for 0 periods.
    """
    return present * rate * (period / periods - 1.0)
