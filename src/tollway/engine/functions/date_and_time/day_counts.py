"""Days and parts of years by the five day-count bases of Excel's securities.

0: months of 30 days and years of 360, by the rules of the United States; 1: actual days and years; 2: actual days,
years of 360; 3: actual days, years of 365; 4: months of 30 days by the European rules.
Source: Microsoft's YEARFRAC and DAYS360 pages; what those leave out is from D. Wheeler, "YEARFRAC Incompatibilities",
who found Excel's rules by trial. Days are numbers of the 1900 system.
"""

from __future__ import annotations

import math

from tollway.engine.functions.date_and_time.serial_days import day_1900
from tollway.engine.functions.registry import Context, FailedError, function, whole
from tollway.engine.serials import date_from_serial, days_in_month, serial_from_date
from tollway.engine.values import ErrorValue

Parts = tuple[int, int, int]

US_30_360, ACTUAL_ACTUAL, ACTUAL_360, ACTUAL_365, EUROPEAN_30_360 = range(5)
# A moment this near to midnight already counts as the next day: half a second.
_HALF_SECOND = 0.5 / 86_400


def basis_of(basis: float) -> int:
    """A basis cut to an integer; #NUM! for another than 0 to 4."""
    chosen = whole(basis)
    if not US_30_360 <= chosen <= EUROPEAN_30_360:
        raise FailedError(ErrorValue.NUM)
    return chosen


def parts_1900(day: int) -> Parts:
    """Year, month and day of a day number of the 1900 system; #NUM! outside Excel's dates."""
    parts = date_from_serial(day)
    if parts is None:
        raise FailedError(ErrorValue.NUM)
    return parts


def days_by(basis: int, start: int, end: int) -> int:
    """Days from one day to another, as a basis counts them."""
    if basis == US_30_360:
        return us_days_360(parts_1900(start), parts_1900(end))
    if basis == EUROPEAN_30_360:
        return european_days_360(parts_1900(start), parts_1900(end))
    return end - start


def us_days_360(start: Parts, end: Parts) -> int:
    """Days in months of 30: the 31st is the 30th, at the end only if the start is at its month's end too.

    The last day of February is the 30th at the start, and at the end if the start is one as well.
    """
    start_day, end_day = start[2], end[2]
    if start_day >= 30 and end_day == 31:
        start_day = end_day = 30
    elif start_day == 31:
        start_day = 30
    elif _ends_february(start):
        end_day = 30 if _ends_february(end) else end_day
        start_day = 30
    return _days_360(start, start_day, end, end_day)


def european_days_360(start: Parts, end: Parts) -> int:
    """Days in months of 30, where every 31st is the 30th."""
    return _days_360(start, min(start[2], 30), end, min(end[2], 30))


def _ends_february(parts: Parts) -> bool:
    return parts[1] == 2 and parts[2] == days_in_month(parts[0], 2)


def _days_360(start: Parts, start_day: int, end: Parts, end_day: int) -> int:
    return (end[0] - start[0]) * 360 + (end[1] - start[1]) * 30 + end_day - start_day


def year_fraction(basis: int, start: int, end: int) -> float:
    """The part of a year, or the years, between two days in either order."""
    start, end = min(start, end), max(start, end)
    if basis == ACTUAL_ACTUAL:
        return (end - start) / _mean_year(start, end)
    return days_by(basis, start, end) / (365.0 if basis == ACTUAL_365 else 360.0)


def _mean_year(start: int, end: int) -> float:
    """Days a year: within a year 366 where a 29 February lies in it, beyond it the mean of the years touched."""
    first, last = parts_1900(start), parts_1900(end)
    if first[0] == last[0]:
        return 366.0 if days_in_month(first[0], 2) == 29 else 365.0
    if last[0] == first[0] + 1 and first[1:] >= last[1:]:
        leap_days = (_leap_day(first[0]), _leap_day(last[0]))
        return 366.0 if any(day is not None and start <= day <= end for day in leap_days) else 365.0
    days = sum(366 if days_in_month(year, 2) == 29 else 365 for year in range(first[0], last[0] + 1))
    return days / (last[0] - first[0] + 1)


def _leap_day(year: int) -> int | None:
    return serial_from_date(year, 2, 29) if days_in_month(year, 2) == 29 else None


@function("YEARFRAC", "single single [single]", wants_context=True)
def year_part(context: Context, start: float, end: float, basis: float = 0.0) -> float:
    """The years between two dates, in either order.

    `basis`: 0 months of 30 days by the rules of the United States, 1 actual days and years, 2 actual days in
    years of 360, 3 actual days in years of 365, 4 months of 30 days by the European rules.
    Errors: #NUM! for another basis and outside Excel's dates.
    """
    return year_fraction(basis_of(basis), day_1900(context, start), day_1900(context, end))


@function("DAYS360", "number number [logical]", wants_context=True)
def days_in_years_of_360(context: Context, start: float, end: float, is_european: bool = False) -> float:
    """Days between two dates in months of 30 days; negative where the first date is the later one.

    `is_european`: FALSE by the rules of the United States, TRUE by the European ones.
    Errors: #NUM! outside Excel's dates.
    """
    first, last = (
        parts_1900(day_1900(context, math.floor(serial + _HALF_SECOND))) for serial in (start, end)
    )
    return float(european_days_360(first, last) if is_european else _us_calendar_days_360(first, last))


def _us_calendar_days_360(start: Parts, end: Parts) -> int:
    # Unlike the bases of securities, DAYS360 leaves February's last day as it is at the end (the corpus has 358 from
    # 29 February 2024 to 28 February 2025), and cuts a 31st after February's last day to the 30th.
    start_day = 30 if start[2] == 31 or _ends_february(start) else start[2]
    end_day = 30 if end[2] == 31 and start_day == 30 else end[2]
    return _days_360(start, start_day, end, end_day)
