"""Treasury bills, and prices written in fractions. Source of each function: Microsoft's page of it."""

from __future__ import annotations

import math

from tollway.engine.functions.date_and_time.serial_days import day_1900, parts_of
from tollway.engine.functions.registry import Context, FailedError, function, whole
from tollway.engine.serials import serial_from_date
from tollway.engine.values import ErrorValue

# From this many days on a bill is compared with a bond that pays interest halfway.
_HALF_YEAR = 182


@function("TBILLPRICE", "single single single", wants_context=True)
def bill_price(context: Context, settlement: float, maturity: float, discount: float) -> float:
    """The price of a bill of 100 from its discount rate.

    Errors: #NUM! for a discount not above 0, and where maturity is not within a year after the settlement.
    """
    days = _days_left(context, settlement, maturity)
    price = 100.0 * (1.0 - discount * days / 360.0)
    if discount <= 0.0 or price < 0.0:
        raise FailedError(ErrorValue.NUM)
    return price


@function("TBILLYIELD", "single single single", wants_context=True)
def bill_yield(context: Context, settlement: float, maturity: float, price: float) -> float:
    """The yield of a bill of 100 from its price, in years of 360 days.

    Errors: #NUM! for a price not above 0, and where maturity is not within a year after the settlement.
    """
    days = _days_left(context, settlement, maturity)
    if price <= 0.0:
        raise FailedError(ErrorValue.NUM)
    return (100.0 - price) / price * (360.0 / days)


@function("TBILLEQ", "single single single", wants_context=True)
def bond_equivalent_yield(context: Context, settlement: float, maturity: float, discount: float) -> float:
    """The yield of a bond that is worth as much as a bill with a discount rate.

    Errors: #NUM! for a discount not above 0, and where maturity is not within a year after the settlement.
    """
    days = _days_left(context, settlement, maturity)
    if discount <= 0.0:
        raise FailedError(ErrorValue.NUM)
    if days <= _HALF_YEAR:
        return 365.0 * discount / (360.0 - discount * days)
    price = 1.0 - discount * days / 360.0
    years = days / (366.0 if days == 366 else 365.0)
    inner = years * years - (2.0 * years - 1.0) * (1.0 - 1.0 / price)
    return 2.0 * (math.sqrt(inner) - years) / (2.0 * years - 1.0)


def _days_left(context: Context, settlement: float, maturity: float) -> int:
    start, end = day_1900(context, settlement), day_1900(context, maturity)
    year, month, day = parts_of(context, settlement)
    latest = serial_from_date(year + 1, month, day, is_1904=context.is_1904)
    if end <= start or (latest is not None and math.floor(maturity) > latest):
        raise FailedError(ErrorValue.NUM)
    return end - start


@function("DOLLARDE", "single single")
def decimal_price(price: float, fraction: float) -> float:
    """A price written in fractions, such as 1.02 for 1 2/16, as a decimal number.

    `fraction` is the denominator, cut to an integer.
    Errors: #NUM! for a negative denominator, #DIV/0! for one of 0.
    """
    denominator, scale = _denominator(fraction)
    units = math.trunc(price)
    return units + (price - units) * scale / denominator


@function("DOLLARFR", "single single")
def fractional_price(price: float, fraction: float) -> float:
    """A decimal price written in fractions: 1.125 in sixteenths is 1.02.

    `fraction` is the denominator, cut to an integer.
    Errors: #NUM! for a negative denominator, #DIV/0! for one of 0.
    """
    denominator, scale = _denominator(fraction)
    units = math.trunc(price)
    return units + (price - units) * denominator / scale


def _denominator(fraction: float) -> tuple[int, float]:
    """The denominator, and the power of ten that makes room for its digits."""
    denominator = whole(fraction)
    if denominator < 0:
        raise FailedError(ErrorValue.NUM)
    if denominator == 0:
        raise FailedError(ErrorValue.DIV0)
    return denominator, 10.0 ** len(str(denominator - 1)) if denominator > 1 else 1.0
