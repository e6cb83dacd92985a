"""What a thing loses in value, period by period. Source of each function: Microsoft's page of it."""

from __future__ import annotations

import math

from tollway.engine.functions.date_and_time.day_counts import ACTUAL_360, basis_of, year_fraction
from tollway.engine.functions.date_and_time.serial_days import day_1900
from tollway.engine.functions.registry import Context, FailedError, function, whole
from tollway.engine.values import ErrorValue, round_half_up

# VDB steps through at most this many periods, AMORDEGRC and AMORLINC too.
PERIODS_MAX = 1_000_000


@function("SLN", "number number number")
def straight_line(cost: float, salvage: float, life: float) -> float:
    """Equal depreciation of one period. Errors: #DIV/0! for no life."""
    return (cost - salvage) / life


@function("SYD", "number number number number")
def sum_of_years(cost: float, salvage: float, life: float, period: float) -> float:
    """Depreciation of a period that falls by the same amount each period.

    Errors: #NUM! for a life or period not above 0, a period beyond the life, and a negative salvage value.
    """
    if life <= 0 or not 0 < period <= life or salvage < 0:
        raise FailedError(ErrorValue.NUM)
    return (cost - salvage) * (life - period + 1.0) * 2.0 / (life * (life + 1.0))


@function("DB", "number number number number [number]")
def declining_balance(cost: float, salvage: float, life: float, period: float, month: float = 12.0) -> float:
    """Depreciation of a period at a fixed rate, which is rounded to three digits.

    `month` is how many months the first year has.
    Errors: #NUM! for a negative amount, and outside the life.
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
    for _ in range(1, min(wanted, whole(life), PERIODS_MAX)):
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


@function("VDB", "number number number number number [number logical]")
def variable_declining_balance(
    cost: float,
    salvage: float,
    life: float,
    start: float,
    end: float,
    factor: float = 2.0,
    no_switch: bool = False,
) -> float:
    """Depreciation between two moments of the life, at `factor` times the straight-line rate.

    Once equal depreciation of what is left is more, it takes over, unless `no_switch` is TRUE.
    As Excel does, a start within a period counts the periods from there: a first step as long as the
    start's fraction, then whole ones.
    Errors: #NUM! for a negative amount, a life or factor not positive, and moments outside 0 to the life or in
    the wrong order.
    """
    if (
        cost < 0
        or salvage < 0
        or life <= 0
        or factor <= 0
        or not 0 <= start <= end <= life
        or end > PERIODS_MAX
    ):
        raise FailedError(ErrorValue.NUM)
    rate = min(1.0, factor / life)
    value, moment, total = cost, 0.0, 0.0
    step = start % 1.0 or 1.0
    while moment < end:
        step = min(step, end - moment)
        declining = value * rate
        left = value - salvage
        equal = left / (life - moment)
        loss = min((equal if equal > declining and not no_switch else declining) * step, max(left, 0.0))
        if moment >= start:
            total += loss
        value -= loss
        moment += step
        step = 1.0
    return total


@function("AMORLINC", "single single single single single single [single]", wants_context=True)
def linear_amortization(
    context: Context,
    cost: float,
    purchased: float,
    first_period: float,
    salvage: float,
    period: float,
    rate: float,
    basis: float = 0.0,
) -> float:
    """Depreciation of an accounting period by the French linear system.

    `purchased` and `first_period` are the dates of purchase and of the end of the first period, `period` counts from
    0, `basis` is YEARFRAC's without 2.
    Errors: #NUM! for an argument out of its range.
    """
    first, wanted = _first_part(context, cost, purchased, first_period, salvage, period, rate, basis)
    if wanted == 0:
        return min(cost * rate * first, cost - salvage)
    left = cost - salvage - cost * rate * first - cost * rate * (wanted - 1)
    return max(0.0, min(cost * rate, left))


@function("AMORDEGRC", "single single single single single single [single]", wants_context=True)
def degressive_amortization(
    context: Context,
    cost: float,
    purchased: float,
    first_period: float,
    salvage: float,
    period: float,
    rate: float,
    basis: float = 0.0,
) -> float:
    """Depreciation of an accounting period by the French degressive system, rounded to whole units.

    The rate counts 1.5 times for a life of 3 or 4 periods, 2 times for 5 or 6, 2.5 times for more; of the last two
    periods the first takes half of what is left, the other all. Arguments are those of AMORLINC.
    Errors: #NUM! for an argument out of its range, and for a life below 3 or between 4 and 5.
    """
    first, wanted = _first_part(context, cost, purchased, first_period, salvage, period, rate, basis)
    life = 1.0 / rate
    if life < 3.0 or 4.0 < life < 5.0:
        raise FailedError(ErrorValue.NUM)
    if 0.0 < period < 1.0:
        # A quirk of Excel's, as its stored values show.
        return 0.0
    scaled = rate * (1.5 if life < 5.0 else 2.0 if life <= 6.0 else 2.5)
    loss = min(round_half_up(first * scaled * cost, 0), cost - salvage)
    value = cost - loss
    last = math.ceil(life) - 1
    for passed in range(1, wanted + 1):
        if passed > last or (passed > 1 and value <= salvage):
            return 0.0
        share = 1.0 if passed == last else 0.5 if passed == last - 1 else scaled
        loss = round_half_up(share * value, 0)
        value -= loss
    return loss


def _first_part(
    context: Context,
    cost: float,
    purchased: float,
    first_period: float,
    salvage: float,
    period: float,
    rate: float,
    basis: float,
) -> tuple[float, int]:
    """The part of a year that the first period is, and the period wanted."""
    chosen, wanted = basis_of(basis), whole(period)
    bought, ended = day_1900(context, purchased), day_1900(context, first_period)
    in_range = cost >= 0.0 and 0.0 <= salvage <= cost and 0 <= wanted <= PERIODS_MAX and rate > 0.0
    if not in_range or bought > ended or chosen == ACTUAL_360:
        raise FailedError(ErrorValue.NUM)
    return year_fraction(chosen, bought, ended) or 1.0, wanted
