"""Bonds whose first or last coupon period is longer or shorter than the others.

An odd period is measured in the coupon periods that would lie in it, some of them only in part.
Source of each function: Microsoft's page of it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from tollway.engine.functions.date_and_time.day_counts import basis_of, days_by
from tollway.engine.functions.date_and_time.serial_days import day_1900
from tollway.engine.functions.financial.coupons import frequency_of, months_later, normal_days
from tollway.engine.functions.financial.searches import find_yield
from tollway.engine.functions.registry import Context, FailedError, function
from tollway.engine.values import ErrorValue


@dataclass(frozen=True, slots=True)
class OddFirst:
    """A bond with an odd first period, in units of coupon periods.

    `accrued` is what of the first coupon the settlement has passed, `first` that whole coupon, `wait` the
    periods from the settlement to it, and `regular` how many coupons follow.
    """

    accrued: float
    first: float
    wait: float
    regular: int
    frequency: int

    def price(self, rate: float, yield_rate: float, redemption: float) -> float:
        """For 100 of face value, without the interest up to the settlement."""
        coupon = 100.0 * rate / self.frequency
        growth = 1.0 + yield_rate / self.frequency
        paid = redemption / math.pow(growth, self.regular + self.wait)
        paid += coupon * self.first / math.pow(growth, self.wait)
        for number in range(1, self.regular + 1):
            paid += coupon / math.pow(growth, number + self.wait)
        return paid - coupon * self.accrued


def _odd_first(
    context: Context,
    settlement: float,
    maturity: float,
    issue: float,
    first_coupon: float,
    frequency: float,
    basis: float,
) -> OddFirst:
    start, end, issued, first = (
        day_1900(context, day) for day in (settlement, maturity, issue, first_coupon)
    )
    times, chosen = frequency_of(frequency), basis_of(basis)
    if not issued < start < first < end:
        raise FailedError(ErrorValue.NUM)
    months = 12 // times
    regular = 0
    while months_later(end, -months * regular) > first:
        regular += 1
    if months_later(end, -months * regular) != first:
        raise FailedError(ErrorValue.NUM)
    accrued = whole_first = wait = 0.0
    after, passed = first, 0
    while after > issued:
        passed += 1
        before = months_later(end, -months * (regular + passed))
        length = normal_days(chosen, times, before, after)
        whole_first += _share(chosen, before, after, length, issued, after)
        accrued += _share(chosen, before, after, length, issued, start)
        if start < after:
            wait += days_by(chosen, start, after) / length if before <= start else 1.0
        after = before
    return OddFirst(accrued, whole_first, wait, regular, times)


def _share(basis: int, before: int, after: int, length: float, start: int, end: int) -> float:
    """The part of a coupon period between two days; a whole one is 1, however a basis counts its days."""
    if end <= before or start >= after:
        return 0.0
    if start <= before and end >= after:
        return 1.0
    return days_by(basis, max(start, before), min(end, after)) / length


@function("ODDFPRICE", "single single single single single single single single [single]", wants_context=True)
def odd_first_price(
    context: Context,
    settlement: float,
    maturity: float,
    issue: float,
    first_coupon: float,
    rate: float,
    yield_rate: float,
    redemption: float,
    frequency: float,
    basis: float = 0.0,
) -> float:
    """The price of a bond with an odd first period, for 100 of face value.

    `issue` and `first_coupon` are the dates between which that period lies; the others are those of PRICE.
    Errors: #NUM! for a negative rate or yield, another frequency or basis, dates not in the order issue, settlement,
    first coupon, maturity, and for a first coupon that is no coupon date of the maturity.
    """
    bond = _odd_first(context, settlement, maturity, issue, first_coupon, frequency, basis)
    if rate < 0.0 or yield_rate < 0.0 or redemption <= 0.0:
        raise FailedError(ErrorValue.NUM)
    return bond.price(rate, yield_rate, redemption)


@function("ODDFYIELD", "single single single single single single single single [single]", wants_context=True)
def odd_first_yield(
    context: Context,
    settlement: float,
    maturity: float,
    issue: float,
    first_coupon: float,
    rate: float,
    price: float,
    redemption: float,
    frequency: float,
    basis: float = 0.0,
) -> float:
    """The yield of a year of a bond with an odd first period at a price for 100 of face value.

    Errors: as ODDFPRICE; #NUM! too for a price not above 0.
    """
    bond = _odd_first(context, settlement, maturity, issue, first_coupon, frequency, basis)
    if rate < 0.0 or price <= 0.0 or redemption <= 0.0:
        raise FailedError(ErrorValue.NUM)
    return find_yield(lambda earned: bond.price(rate, earned, redemption) - price, rate, bond.frequency)


@dataclass(frozen=True, slots=True)
class OddLast:
    """A bond in its odd last period, in units of coupon periods: passed, to come, and the whole."""

    passed: float
    left: float
    whole: float
    frequency: int


def _odd_last(
    context: Context, settlement: float, maturity: float, last_interest: float, frequency: float, basis: float
) -> OddLast:
    start, end, last = (day_1900(context, day) for day in (settlement, maturity, last_interest))
    times, chosen = frequency_of(frequency), basis_of(basis)
    if not last < start < end:
        raise FailedError(ErrorValue.NUM)
    months = 12 // times
    passed = left = all_periods = 0.0
    before, step = last, 0
    while before < end:
        step += 1
        after = months_later(last, months * step)
        # Unlike in an odd first period, these are as long as a basis counts their own days.
        length = days_by(chosen, before, after)
        all_periods += _share(chosen, before, after, length, before, end)
        passed += _share(chosen, before, after, length, before, start)
        left += _share(chosen, before, after, length, start, end)
        before = after
    return OddLast(passed, left, all_periods, times)


@function("ODDLPRICE", "single single single single single single single [single]", wants_context=True)
def odd_last_price(
    context: Context,
    settlement: float,
    maturity: float,
    last_interest: float,
    rate: float,
    yield_rate: float,
    redemption: float,
    frequency: float,
    basis: float = 0.0,
) -> float:
    """The price of a bond in its odd last period, for 100 of face value.

    `last_interest` is the date of the last coupon before that period; the others are those of PRICE.
    Errors: #NUM! for a negative rate or yield, another frequency or basis, and dates not in the order last interest,
    settlement, maturity.
    """
    bond = _odd_last(context, settlement, maturity, last_interest, frequency, basis)
    if rate < 0.0 or yield_rate < 0.0 or redemption <= 0.0:
        raise FailedError(ErrorValue.NUM)
    coupon = 100.0 * rate / bond.frequency
    paid = redemption + coupon * bond.whole
    return paid / (1.0 + bond.left * yield_rate / bond.frequency) - coupon * bond.passed


@function("ODDLYIELD", "single single single single single single single [single]", wants_context=True)
def odd_last_yield(
    context: Context,
    settlement: float,
    maturity: float,
    last_interest: float,
    rate: float,
    price: float,
    redemption: float,
    frequency: float,
    basis: float = 0.0,
) -> float:
    """The yield of a year of a bond in its odd last period at a price for 100 of face value.

    Errors: as ODDLPRICE; #NUM! too for a price not above 0.
    """
    bond = _odd_last(context, settlement, maturity, last_interest, frequency, basis)
    if rate < 0.0 or price <= 0.0 or redemption <= 0.0:
        raise FailedError(ErrorValue.NUM)
    coupon = 100.0 * rate / bond.frequency
    invested = price + coupon * bond.passed
    return (redemption + coupon * bond.whole - invested) / invested * bond.frequency / bond.left
