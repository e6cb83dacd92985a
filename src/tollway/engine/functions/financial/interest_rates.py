"""Rates of interest and growth by them. Source of each function: Microsoft's page of it."""

from __future__ import annotations

import math

from tollway.engine.functions.financial.annuities import due, growth_over
from tollway.engine.functions.financial.searches import find_root
from tollway.engine.functions.registry import Argument, FailedError, as_grid, function, whole
from tollway.engine.values import ErrorValue, Value

# RATE's result counts only where what is left of the balance is this small beside its terms.
_BALANCE_TOLERANCE = 1e-7
# Rates this close to -1 wipe everything out: formulas balance there without meaning.
_RATE_SMALLEST = 1e-6


@function("RATE", "number number number [number number number]")
def annuity_rate(
    periods: float,
    regular: float,
    present: float,
    future: float = 0.0,
    kind: float = 0.0,
    guess: float = 0.1,
) -> float:
    """The rate of one period at which equal payments pay off a sum, searched from a guess.

    `kind` is 0 for payments at the end of a period and 1 at its start.
    Errors: #NUM! for no periods, and where the search does not end.
    """
    if periods <= 0.0:
        raise FailedError(ErrorValue.NUM)
    start = due(kind)

    def terms(rate: float) -> tuple[float, float, float]:
        growth, sum_of_growth = growth_over(rate, periods)
        return present * growth, regular * (1.0 + rate * start) * sum_of_growth, future

    # find_root's second point lies below the guess where the balance is positive.
    found = -find_root(lambda opposite: sum(terms(-opposite)), -guess)
    left = terms(found)
    # Steps also grow small where the balance is steep; a rate counts only if it does balance.
    if found < -1.0 + _RATE_SMALLEST or abs(sum(left)) > _BALANCE_TOLERANCE * sum(map(abs, left)):
        raise FailedError(ErrorValue.NUM)
    return found


@function("EFFECT", "single single")
def effective_rate(nominal: float, periods: float) -> float:
    """The rate of a year that a nominal rate comes to when interest is added several times a year.

    `periods` a year, cut to an integer.
    Errors: #NUM! for a rate not above 0 and for less than 1 period.
    """
    count = whole(periods)
    if nominal <= 0.0 or count < 1:
        raise FailedError(ErrorValue.NUM)
    return math.pow(1.0 + nominal / count, count) - 1.0


@function("NOMINAL", "single single")
def nominal_rate(effective: float, periods: float) -> float:
    """The nominal rate of a year that comes to an effective one when interest is added several times a year.

    `periods` a year, cut to an integer.
    Errors: #NUM! for a rate not above 0 and for less than 1 period.
    """
    count = whole(periods)
    if effective <= 0.0 or count < 1:
        raise FailedError(ErrorValue.NUM)
    return (math.pow(1.0 + effective, 1.0 / count) - 1.0) * count


@function("RRI", "number number number")
def growth_rate(periods: float, present: float, future: float) -> float:
    """The rate of a period at which one value grows to another.

    Errors: #NUM! for periods not above 0, a present value of 0, and values of opposite sign.
    """
    if periods <= 0.0 or present == 0.0:
        raise FailedError(ErrorValue.NUM)
    return math.pow(future / present, 1.0 / periods) - 1.0


@function("PDURATION", "number number number")
def periods_to_grow(rate: float, present: float, future: float) -> float:
    """The periods in which one value grows to another. Errors: #NUM! for an argument not above 0."""
    if rate <= 0.0 or present <= 0.0 or future <= 0.0:
        raise FailedError(ErrorValue.NUM)
    return (math.log(future) - math.log(present)) / math.log(1.0 + rate)


@function("FVSCHEDULE", "single grid")
def future_value_of_schedule(principal: float, schedule: Argument) -> float:
    """What a sum has grown to after a series of rates; a blank among them is 0.

    Errors: #VALUE! for a rate that is no number.
    """
    grown = principal
    for rate in as_grid(schedule).items():
        grown *= 1.0 + _rate(rate)
    return grown


def _rate(rate: Value) -> float:
    if isinstance(rate, ErrorValue):
        raise FailedError(rate)
    if rate is None:
        return 0.0
    if not isinstance(rate, float):
        raise FailedError(ErrorValue.VALUE)
    return rate
