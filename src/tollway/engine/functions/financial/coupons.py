"""The dates on which a bond pays interest, and the days around a settlement. Source: Microsoft's pages.

Interest is paid 1, 2 or 4 times a year, counted back from the maturity; where that is the last day of a month, so are
the others. Days are numbers of the 1900 system.
"""

from __future__ import annotations

from dataclasses import dataclass

from tollway.engine.functions.date_and_time.day_counts import (
    ACTUAL_365,
    ACTUAL_ACTUAL,
    US_30_360,
    basis_of,
    days_by,
    parts_1900,
)
from tollway.engine.functions.date_and_time.serial_days import day_1900, from_day_1900
from tollway.engine.functions.registry import Context, FailedError, function, whole
from tollway.engine.serials import days_in_month, serial_from_date
from tollway.engine.values import ErrorValue

_TAKES = "single single single [single]"


def frequency_of(frequency: float) -> int:
    """How often a year interest is paid, cut to an integer; #NUM! for another than 1, 2 and 4."""
    chosen = whole(frequency)
    if chosen not in (1, 2, 4):
        raise FailedError(ErrorValue.NUM)
    return chosen


def months_later(day: int, months: int) -> int:
    """A day some months later; the last day of a month stays one. #NUM! outside Excel's dates."""
    year, month, of_month = parts_1900(day)
    is_last = of_month == days_in_month(year, month)
    place = year * 12 + month - 1 + months
    year, month = place // 12, place % 12 + 1
    if not 1900 <= year <= 9999:
        raise FailedError(ErrorValue.NUM)
    last = days_in_month(year, month)
    found = serial_from_date(year, month, last if is_last else min(of_month, last))
    if found is None:
        raise FailedError(ErrorValue.NUM)
    return found


def normal_days(basis: int, frequency: int, start: int, end: int) -> float:
    """The length that a basis gives to a coupon period."""
    if basis == ACTUAL_ACTUAL:
        return float(end - start)
    return (365.0 if basis == ACTUAL_365 else 360.0) / frequency


@dataclass(frozen=True, slots=True)
class CouponPeriod:
    """The coupon period that a settlement lies in, and how many coupons are still to come."""

    previous: int
    settlement: int
    following: int
    count: int
    frequency: int
    basis: int

    @property
    def length(self) -> float:
        """Days of the whole period."""
        return normal_days(self.basis, self.frequency, self.previous, self.following)

    @property
    def passed(self) -> float:
        """Days from its start to the settlement."""
        return float(days_by(self.basis, self.previous, self.settlement))

    @property
    def left(self) -> float:
        """Days from the settlement to its end, which need not be what the passed days leave of the length."""
        if self.basis == US_30_360:
            return self.length - self.passed
        return float(days_by(self.basis, self.settlement, self.following))


def coupon_period(
    context: Context, settlement: float, maturity: float, frequency: float, basis: float
) -> CouponPeriod:
    """The coupon period of a settlement; #NUM! for arguments out of range or a maturity not after it."""
    start, end = day_1900(context, settlement), day_1900(context, maturity)
    times, chosen = frequency_of(frequency), basis_of(basis)
    if start >= end:
        raise FailedError(ErrorValue.NUM)
    months = 12 // times
    # A first estimate from the months between, which is at most one too few.
    first, last = parts_1900(start), parts_1900(end)
    count = max(0, ((last[0] - first[0]) * 12 + last[1] - first[1]) // months - 1)
    while months_later(end, -months * count) > start:
        count += 1
    previous = months_later(end, -months * count)
    following = months_later(end, -months * (count - 1))
    return CouponPeriod(previous, start, following, count, times, chosen)


@function("COUPPCD", _TAKES, wants_context=True)
def previous_coupon(
    context: Context, settlement: float, maturity: float, frequency: float, basis: float = 0.0
) -> float:
    """The date of the last coupon on or before the settlement.

    `frequency` is how often a year interest is paid: 1, 2 or 4; `basis` is YEARFRAC's.
    Errors: #NUM! for another frequency or basis, and for a maturity not after the settlement.
    """
    return from_day_1900(context, coupon_period(context, settlement, maturity, frequency, basis).previous)


@function("COUPNCD", _TAKES, wants_context=True)
def next_coupon(
    context: Context, settlement: float, maturity: float, frequency: float, basis: float = 0.0
) -> float:
    """The date of the first coupon after the settlement. Arguments and errors are those of COUPPCD."""
    return from_day_1900(context, coupon_period(context, settlement, maturity, frequency, basis).following)


@function("COUPNUM", _TAKES, wants_context=True)
def coupon_count(
    context: Context, settlement: float, maturity: float, frequency: float, basis: float = 0.0
) -> float:
    """How many coupons are paid after the settlement. Arguments and errors are those of COUPPCD."""
    return float(coupon_period(context, settlement, maturity, frequency, basis).count)


@function("COUPDAYS", _TAKES, wants_context=True)
def coupon_days(
    context: Context, settlement: float, maturity: float, frequency: float, basis: float = 0.0
) -> float:
    """Days in the coupon period of the settlement. Arguments and errors are those of COUPPCD."""
    return coupon_period(context, settlement, maturity, frequency, basis).length


@function("COUPDAYBS", _TAKES, wants_context=True)
def coupon_days_passed(
    context: Context, settlement: float, maturity: float, frequency: float, basis: float = 0.0
) -> float:
    """Days from the start of the coupon period to the settlement. Arguments and errors are those of COUPPCD."""
    return coupon_period(context, settlement, maturity, frequency, basis).passed


@function("COUPDAYSNC", _TAKES, wants_context=True)
def coupon_days_left(
    context: Context, settlement: float, maturity: float, frequency: float, basis: float = 0.0
) -> float:
    """Days from the settlement to the next coupon. Arguments and errors are those of COUPPCD."""
    return coupon_period(context, settlement, maturity, frequency, basis).left
