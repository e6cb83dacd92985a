"""Bonds that pay interest 1, 2 or 4 times a year: price, yield and duration.

Source of each function, unless it says otherwise: Microsoft's page of it.
"""

from __future__ import annotations

import math

from tollway.engine.functions.financial.coupons import CouponPeriod, coupon_period
from tollway.engine.functions.financial.searches import find_yield
from tollway.engine.functions.registry import Context, FailedError, function
from tollway.engine.values import ErrorValue


@function("PRICE", "single single single single single single [single]", wants_context=True)
def bond_price(
    context: Context,
    settlement: float,
    maturity: float,
    rate: float,
    yield_rate: float,
    redemption: float,
    frequency: float,
    basis: float = 0.0,
) -> float:
    """The price of a bond for 100 of face value, without the interest since its last coupon.

    `rate` is the interest of a year, `yield_rate` what is to be earned, `redemption` what is paid back for 100 of face
    value; `frequency` is how often a year interest is paid: 1, 2 or 4; `basis` is YEARFRAC's.
    Errors: #NUM! for a negative rate or yield, a redemption not above 0, another frequency or basis, and for a
    maturity not after the settlement.
    """
    period = coupon_period(context, settlement, maturity, frequency, basis)
    if rate < 0.0 or yield_rate < 0.0 or redemption <= 0.0:
        raise FailedError(ErrorValue.NUM)
    return _price(period, rate, yield_rate, redemption)


def _price(period: CouponPeriod, rate: float, yield_rate: float, redemption: float) -> float:
    coupon = 100.0 * rate / period.frequency
    accrued = coupon * period.passed / period.length
    wait = (period.length - period.passed) / period.length
    earned = yield_rate / period.frequency
    if period.count == 1:
        return (redemption + coupon) / (1.0 + wait * earned) - accrued
    growth = 1.0 + earned
    paid = redemption / math.pow(growth, period.count - 1 + wait)
    for number in range(period.count):
        paid += coupon / math.pow(growth, number + wait)
    return paid - accrued


@function("YIELD", "single single single single single single [single]", wants_context=True)
def bond_yield(
    context: Context,
    settlement: float,
    maturity: float,
    rate: float,
    price: float,
    redemption: float,
    frequency: float,
    basis: float = 0.0,
) -> float:
    """The yield of a year of a bond at a price for 100 of face value.

    Arguments are those of PRICE.
    Errors: #NUM! for a negative rate, a price or redemption not above 0, another frequency or basis, and for a
    maturity not after the settlement.
    """
    period = coupon_period(context, settlement, maturity, frequency, basis)
    if rate < 0.0 or price <= 0.0 or redemption <= 0.0:
        raise FailedError(ErrorValue.NUM)
    if period.count == 1:
        coupon = rate / period.frequency
        invested = price / 100.0 + coupon * period.passed / period.length
        gained = redemption / 100.0 + coupon - invested
        return gained / invested * period.frequency * period.length / (period.length - period.passed)
    return find_yield(lambda earned: _price(period, rate, earned, redemption) - price, rate, period.frequency)


@function("DURATION", "single single single single single [single]", wants_context=True)
def macaulay_duration(
    context: Context,
    settlement: float,
    maturity: float,
    coupon: float,
    yield_rate: float,
    frequency: float,
    basis: float = 0.0,
) -> float:
    """The Macaulay duration in years of a bond with a face value of 100: the mean wait for its payments by their value.

    `coupon` is the interest of a year, `yield_rate` what is earned; the others are those of PRICE.
    Errors: #NUM! for a negative coupon or yield, another frequency or basis, and for a maturity not after the
    settlement.
    """
    period = coupon_period(context, settlement, maturity, frequency, basis)
    if coupon < 0.0 or yield_rate < 0.0:
        raise FailedError(ErrorValue.NUM)
    wait = (period.length - period.passed) / period.length
    growth = 1.0 + yield_rate / period.frequency
    total = weighted = 0.0
    for number in range(period.count):
        paid = 100.0 * coupon / period.frequency + (100.0 if number == period.count - 1 else 0.0)
        worth = paid / math.pow(growth, number + wait)
        total += worth
        weighted += worth * (number + wait)
    return weighted / total / period.frequency


@function("MDURATION", "single single single single single [single]", wants_context=True)
def modified_duration(
    context: Context,
    settlement: float,
    maturity: float,
    coupon: float,
    yield_rate: float,
    frequency: float,
    basis: float = 0.0,
) -> float:
    """The Macaulay duration over 1 plus the yield of a coupon period. Arguments and errors are those of DURATION."""
    duration = macaulay_duration(context, settlement, maturity, coupon, yield_rate, frequency, basis)
    return duration / (1.0 + yield_rate / math.trunc(frequency))
