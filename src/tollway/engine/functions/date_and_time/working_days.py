"""Days that are neither weekend nor holiday. Source: Microsoft's pages."""

from __future__ import annotations

from tollway.engine.functions.date_and_time.serial_days import day_1900, from_day_1900
from tollway.engine.functions.registry import (
    Argument,
    Context,
    FailedError,
    Grid,
    as_grid,
    function,
    number,
    whole,
)
from tollway.engine.serials import SERIAL_MAX_1900
from tollway.engine.values import ErrorValue, Value

# Which days of the week are free, Monday first, as WORKDAY.INTL's texts write them.
_SATURDAY_AND_SUNDAY = "0000011"
_PAIRS = ("0000011", "1000001", "1100000", "0110000", "0011000", "0001100", "0000110")
_SINGLE_DAYS = ("0000001", "1000000", "0100000", "0010000", "0001000", "0000100", "0000010")


@function("NETWORKDAYS", "single single [grid]", wants_context=True)
def working_days(context: Context, start: float, end: float, holidays: Argument = None) -> float:
    """Working days from one date to another, both counted, Monday to Friday without holidays.

    Negative where the first date is the later one. `holidays` are dates; blanks among them do not count.
    Errors: #VALUE! for a holiday that is no date, #NUM! outside Excel's dates.
    """
    return float(_count(context, start, end, _SATURDAY_AND_SUNDAY, holidays))


@function("NETWORKDAYS.INTL", "single single [value grid]", wants_context=True)
def working_days_of_week(
    context: Context, start: float, end: float, weekend: Value = None, holidays: Argument = None
) -> float:
    """Working days from one date to another, both counted, where the weekend is as given.

    `weekend`: 1 Saturday and Sunday, 2 Sunday and Monday, ... 7 Friday and Saturday; 11 Sunday alone,
    12 Monday, ... 17 Saturday; or seven characters for Monday to Sunday, 1 free and 0 working.
    Errors: #NUM! for another number and outside Excel's dates, #VALUE! for another text.
    """
    return float(_count(context, start, end, _weekend(weekend), holidays))


@function("WORKDAY", "single single [grid]", wants_context=True)
def working_day(context: Context, start: float, days: float, holidays: Argument = None) -> float:
    """The date some working days after another, Monday to Friday without holidays; before it for days below 0.

    `days` is cut to an integer.
    Errors: #VALUE! for a holiday that is no date, #NUM! outside Excel's dates.
    """
    return _moved(context, start, days, _SATURDAY_AND_SUNDAY, holidays)


@function("WORKDAY.INTL", "single single [value grid]", wants_context=True)
def working_day_of_week(
    context: Context, start: float, days: float, weekend: Value = None, holidays: Argument = None
) -> float:
    """The date some working days after another, where the weekend is as NETWORKDAYS.INTL takes it.

    Errors: as NETWORKDAYS.INTL; #VALUE! too for a week without a working day.
    """
    free = _weekend(weekend)
    if "0" not in free:
        raise FailedError(ErrorValue.VALUE)
    return _moved(context, start, days, free, holidays)


def _weekend(weekend: Value) -> str:
    if weekend is None:
        return _SATURDAY_AND_SUNDAY
    if isinstance(weekend, str):
        if len(weekend) != 7 or weekend.strip("01"):
            raise FailedError(ErrorValue.VALUE)
        return weekend
    if isinstance(weekend, bool):
        raise FailedError(ErrorValue.VALUE)
    chosen = whole(number(weekend))
    if 1 <= chosen <= 7:
        return _PAIRS[chosen - 1]
    if 11 <= chosen <= 17:
        return _SINGLE_DAYS[chosen - 11]
    raise FailedError(ErrorValue.NUM)


def _count(context: Context, start: float, end: float, free: str, holidays: Argument) -> int:
    first, last = day_1900(context, start), day_1900(context, end)
    closed = _holidays(context, holidays, free)
    sign = 1 if first <= last else -1
    first, last = min(first, last), max(first, last)
    weeks, rest = divmod(last - first + 1, 7)
    working = weeks * free.count("0") + sum(_works(day, free) for day in range(last - rest + 1, last + 1))
    return sign * (working - sum(first <= day <= last for day in closed))


def _moved(context: Context, start: float, days: float, free: str, holidays: Argument) -> float:
    day, left = day_1900(context, start), whole(days)
    closed = _holidays(context, holidays, free)
    if abs(left) > SERIAL_MAX_1900:
        raise FailedError(ErrorValue.NUM)
    step = 1 if left > 0 else -1
    left = abs(left)
    while left > 0:
        # Whole weeks at once; the holidays on the way are to be made up for.
        weeks = left // free.count("0") - 1
        if weeks > 0:
            following = day + step * 7 * weeks
            passed = sum(min(day + 1, following) <= one <= max(day - 1, following) for one in closed)
            left += passed - weeks * free.count("0")
            day = following
        else:
            day += step
            left -= _works(day, free) and day not in closed
        from_day_1900(context, day)
    return from_day_1900(context, day)


def _works(day: int, free: str) -> bool:
    # Day 2 of the 1900 system counts as a Monday.
    return free[(day - 2) % 7] == "0"


def _holidays(context: Context, holidays: Argument, free: str) -> set[int]:
    """The holidays that fall on working days of the week."""
    if holidays is None:
        return set()
    given: Grid = as_grid(holidays)
    found: set[int] = set()
    for value in given.items():
        if isinstance(value, bool):
            raise FailedError(ErrorValue.VALUE)
        if value is not None:
            found.add(day_1900(context, number(value)))
    return {day for day in found if _works(day, free)}
