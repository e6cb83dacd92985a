"""Payments that differ: their value at a rate, and the rate at which they are worth nothing.

Source of each function, unless it says otherwise: Microsoft's page of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from tollway.engine.functions.date_and_time.serial_days import day_1900
from tollway.engine.functions.financial.searches import (
    STEP_SMALLEST,
    find_dated_rate,
    find_rate_by_slope,
    find_root,
)
from tollway.engine.functions.registry import (
    Argument,
    Context,
    FailedError,
    as_grid,
    function,
    grid_numbers,
    number,
    numbers,
)
from tollway.engine.values import ErrorValue

_DAYS_A_YEAR = 365.0


@function("NPV", "number grid [grid]...")
def net_present_value(rate: float, *arguments: Argument) -> float:
    """The value one period before the first of payments at the end of each period.

    Errors: #DIV/0! at a rate of -1, #NUM! when the growth over the periods overflows.
    """
    # Excel discounts the sum to the first payment and then once more: so the residues that it stores show.
    total, factor, discount = 0.0, 1.0, 1.0 + rate
    payments = numbers(arguments)
    for payment in payments:
        if math.isinf(factor):
            raise FailedError(ErrorValue.NUM)
        total += payment / factor
        factor *= discount
    return total / discount if payments else 0.0


@function("IRR", "grid [number]")
def internal_rate(argument: Argument, guess: float = 0.1) -> float:
    """The rate at which payments are worth nothing now, searched from a guess.

    Only numbers count; texts, logicals and blanks are no payments of 0.
    Errors: #VALUE! for a guess of -1 or below; #NUM! without both a positive and a negative payment, or when
    no rate is found.
    """
    payments = grid_numbers(as_grid(argument))
    if guess <= -1.0:
        raise FailedError(ErrorValue.VALUE)
    _need_both_signs(payments)
    try:
        discount = find_root(
            lambda discount: _polynomial(payments, discount), 1.0 / (1.0 + guess), step=STEP_SMALLEST
        )
    except (FailedError, OverflowError):
        discount = 0.0
    if discount > 0.0:
        return 1.0 / discount - 1.0
    return find_rate_by_slope(lambda rate: _value_and_slope(payments, rate), guess)


def _polynomial(payments: Sequence[float], discount: float) -> float:
    value = 0.0
    for amount in reversed(payments):
        value = value * discount + amount
    return value


def _need_both_signs(payments: Sequence[float]) -> None:
    if not (any(value > 0 for value in payments) and any(value < 0 for value in payments)):
        raise FailedError(ErrorValue.NUM)


def _value_and_slope(payments: Sequence[float], rate: float) -> tuple[float, float]:
    value = slope = 0.0
    discount = 1.0
    for period, amount in enumerate(payments):
        value += amount * discount
        slope -= period * amount * discount / (1.0 + rate)
        discount /= 1.0 + rate
    return value, slope


@function("MIRR", "grid number number")
def modified_internal_rate(argument: Argument, finance_rate: float, reinvest_rate: float) -> float:
    """The rate at which the payments out, at one rate, grow to the payments in, at another.

    `finance_rate` is paid for the money out, `reinvest_rate` earned on the money in. Only numbers count.
    Errors: #DIV/0! without both a positive and a negative payment, and at a rate of -1.
    """
    payments = grid_numbers(as_grid(argument))
    paid = net_present_value(finance_rate, *(min(payment, 0.0) for payment in payments))
    received = net_present_value(reinvest_rate, *(max(payment, 0.0) for payment in payments))
    if not paid or not received or len(payments) < 2:
        raise FailedError(ErrorValue.DIV0)
    grown = -received * math.pow(1.0 + reinvest_rate, len(payments)) / (paid * (1.0 + finance_rate))
    return math.pow(grown, 1.0 / (len(payments) - 1)) - 1.0


@function("XNPV", "single grid grid", wants_context=True)
def dated_present_value(context: Context, rate: float, payments: Argument, dates: Argument) -> float:
    """The value on the first date of payments on dates, at a rate of a year of 365 days.

    Dates are cut to days; after the first they may stand in any order.
    Errors: #NUM! for a rate below 0, for a date before the first, and where there are not as many numbers among the
    dates as among the payments.
    """
    amounts, days = grid_numbers(as_grid(payments)), grid_numbers(as_grid(dates))
    if rate < 0.0 or len(amounts) != len(days) or not amounts:
        raise FailedError(ErrorValue.NUM)
    years = _years_since_first(context, days)
    return sum(amount / math.pow(1.0 + rate, year) for amount, year in zip(amounts, years, strict=True))


def _years_since_first(context: Context, dates: Sequence[float]) -> list[float]:
    days = [day_1900(context, day) for day in dates]
    if min(days) < days[0]:
        raise FailedError(ErrorValue.NUM)
    return [(day - days[0]) / _DAYS_A_YEAR for day in days]


@function("XIRR", "grid grid [single]", wants_context=True)
def dated_internal_rate(context: Context, payments: Argument, dates: Argument, guess: float = 0.1) -> float:
    """The rate of a year of 365 days at which payments on dates are worth nothing on the first.

    Dates are cut to days; after the first they may stand in any order.
    Errors: #VALUE! for a payment or date that is a text or logical; #NUM! without both a positive and a negative
    payment, for a date before the first, for not as many dates as payments, for a guess of -1 or below, and when
    no rate is found.
    """
    amounts, days = _all_numbers(payments), _all_numbers(dates)
    if len(amounts) != len(days) or guess <= -1.0:
        raise FailedError(ErrorValue.NUM)
    _need_both_signs(amounts)
    years = _years_since_first(context, days)

    if amounts[0] == 0.0:
        # Excel never leaves the first of its intervals then, and shows next to nothing (2.98E-09) for any payments.
        return find_dated_rate(lambda rate: -rate, guess)
    last = max(years)

    def value(rate: float) -> float:
        # Below 0 the value at the end has the same sign, and does not overflow.
        end = last if rate < 0.0 else 0.0
        return sum(
            amount * math.pow(1.0 + rate, end - year) for amount, year in zip(amounts, years, strict=True)
        )

    return find_dated_rate(value, guess)


def _all_numbers(argument: Argument) -> list[float]:
    grid = as_grid(argument)
    found: list[float] = []
    for row in range(grid.row_count):
        for column in range(grid.column_count):
            value = grid.at(row, column)
            if isinstance(value, (bool, str)):
                raise FailedError(ErrorValue.VALUE)
            found.append(number(value))
    return found
