"""Days of the calendar, which are numbers: days since the start of 1900 or 1904. Source: Microsoft's pages."""

from __future__ import annotations

import math
from datetime import datetime

from tollway.engine.functions.date_and_time.serial_days import parts_of, serial_of
from tollway.engine.functions.registry import Context, FailedError, function, whole
from tollway.engine.serials import date_from_serial, days_in_month, moment_from_text, serial_from_date
from tollway.engine.values import ErrorValue


@function("DATE", "number number number", wants_context=True)
def date(context: Context, year: float, month: float, day: float) -> float:
    """The serial number of a day; months and days may overflow.

    Years 0 to 1899 count from 1900.
    Errors: #NUM! outside 1900 (1904) to 9999.
    """
    if not -32_768 <= month <= 32_767 or not -32_768 <= day <= 32_767 * 128:
        raise FailedError(ErrorValue.NUM)
    serial = serial_from_date(math.floor(year), math.floor(month), math.floor(day), is_1904=context.is_1904)
    if serial is None or year < 0:
        raise FailedError(ErrorValue.NUM)
    return float(serial)


@function("DATEVALUE", "text", wants_context=True)
def date_from_text(context: Context, text: str) -> float:
    """The day that a text names, as a serial number: "3/15/2024", "15-Mar-24", "March 15, 2024", "2024-03-15".

    Months stand before days, as in the United States; two digits of a year mean 1930 to 2029. A date without a
    year is in that in which the workbook was saved. A time of day may follow, and is left out.
    Errors: #VALUE! for what is no date.
    """
    this_year = _year_of_saving(context)
    moment = moment_from_text(text.strip(" "), is_1904=context.is_1904, this_year=this_year)
    if moment is None:
        raise FailedError(ErrorValue.VALUE)
    return moment[0] or 0.0


def _year_of_saving(context: Context) -> int | None:
    saved_at: datetime | None = None if context.cells is None else context.cells.workbook.saved_at
    return None if saved_at is None else saved_at.year


@function("YEAR", "number", wants_context=True)
def year_of(context: Context, serial: float) -> float:
    """The year of a date. Errors: #NUM! outside Excel's dates."""
    return float(parts_of(context, serial)[0])


@function("MONTH", "number", wants_context=True)
def month_of(context: Context, serial: float) -> float:
    """The month of a date, 1 to 12. Errors: #NUM! outside Excel's dates."""
    return float(parts_of(context, serial)[1])


@function("DAY", "number", wants_context=True)
def day_of(context: Context, serial: float) -> float:
    """The day of a date, 1 to 31. Errors: #NUM! outside Excel's dates."""
    return float(parts_of(context, serial)[2])


@function("EDATE", "single single", wants_context=True)
def same_day_other_month(context: Context, serial: float, months: float) -> float:
    """The same day some months later, or that month's last day where it has no such day.

    `months` is cut to an integer; below 0 it leads back.
    Errors: #NUM! outside Excel's dates.
    """
    year, month, day = parts_of(context, serial)
    year, month = _moved(year, month, whole(months))
    return serial_of(context, year, month, min(day, days_in_month(year, month)))


@function("EOMONTH", "single single", wants_context=True)
def end_of_month(context: Context, serial: float, months: float) -> float:
    """The last day of the month some months later. Errors: #NUM! outside Excel's dates."""
    year, month, _ = parts_of(context, serial)
    year, month = _moved(year, month, whole(months))
    return serial_of(context, year, month, days_in_month(year, month))


def _moved(year: int, month: int, months: int) -> tuple[int, int]:
    place = year * 12 + month - 1 + months
    if not 1900 <= place // 12 <= 9999:
        raise FailedError(ErrorValue.NUM)
    return place // 12, place % 12 + 1


@function("DAYS", "number number")
def days_between(end: float, start: float) -> float:
    """Days from the second date to the first. Errors: #NUM! for a negative date."""
    if end < 0 or start < 0:
        raise FailedError(ErrorValue.NUM)
    return float(math.floor(end) - math.floor(start))


@function("DATEDIF", "number number text", wants_context=True)
def date_difference(context: Context, start: float, end: float, unit: str) -> float:
    """Full years, months or days from one date to a later one.

    `unit`: "Y" full years, "M" full months, "D" days, "YM" months beyond the full years, "YD" days beyond
    the full years, "MD" days beyond the full months. "MD" counts on from the month before the end, and may
    fall below 0 where that month is short, as in Excel.
    Errors: #NUM! where the start lies after the end, and for another unit.
    """
    first, last = parts_of(context, start), parts_of(context, end)
    if math.floor(start) > math.floor(end):
        raise FailedError(ErrorValue.NUM)
    months = (last[0] - first[0]) * 12 + last[1] - first[1] - (last[2] < first[2])
    match unit.upper():
        case "Y":
            return float(months // 12)
        case "M":
            return float(months)
        case "D":
            return float(math.floor(end) - math.floor(start))
        case "YM":
            return float(months % 12)
        case "MD":
            before = (last[0], last[1] - 1) if last[1] > 1 else (last[0] - 1, 12)
            return float(last[2] - first[2] + (days_in_month(*before) if last[2] < first[2] else 0))
        case "YD":
            year = first[0] + (last[1:] < first[1:])
            return serial_of(context, year, last[1], last[2]) - math.floor(start)
    raise FailedError(ErrorValue.NUM)


@function("WEEKDAY", "number [number]", wants_context=True)
def weekday(context: Context, serial: float, kind: float = 1.0) -> float:
    """The day of the week as a number.

    `kind`: 1 counts Sunday to Saturday 1 to 7, 2 Monday to Sunday 1 to 7, 3 Monday to Sunday 0 to 6;
    11 to 17 count 1 to 7 from Monday, Tuesday, ... Sunday.
    Errors: #NUM! outside Excel's dates and for another kind.
    """
    parts_of(context, serial)
    since_sunday = day_of_week(context, math.floor(serial))
    chosen = whole(kind)
    if chosen == 3:
        return float((since_sunday - 1) % 7)
    return float((since_sunday - _first_day(chosen)) % 7 + 1)


def day_of_week(context: Context, serial: int) -> int:
    """0 for Sunday to 6 for Saturday, as Excel counts: before March 1900 it is one day off."""
    return (serial + (1461 if context.is_1904 else -1)) % 7


def _first_day(kind: int) -> int:
    if kind in (1, 2):
        return kind - 1
    if 11 <= kind <= 17:
        return (kind - 10) % 7
    raise FailedError(ErrorValue.NUM)


@function("WEEKNUM", "single [single]", wants_context=True)
def week_number(context: Context, serial: float, kind: float = 1.0) -> float:
    """The week of the year; week 1 is the one with 1 January.

    `kind`: 1 weeks start on Sunday, 2 on Monday, 11 to 17 on Monday, Tuesday, ... Sunday; 21 weeks of ISO 8601.
    Errors: #NUM! outside Excel's dates and for another kind.
    """
    year, _, _ = parts_of(context, serial)
    if whole(kind) == 21:
        return iso_week_number(context, serial)
    new_year = int(serial_of(context, year, 1, 1))
    before = (day_of_week(context, new_year) - _first_day(whole(kind))) % 7
    return float((math.floor(serial) - new_year + before) // 7 + 1)


@function("ISOWEEKNUM", "number", wants_context=True)
def iso_week_number(context: Context, serial: float) -> float:
    """The week of the year by ISO 8601: weeks start on Monday, week 1 has the first Thursday.

    Errors: #NUM! outside Excel's dates.
    """
    parts_of(context, serial)
    day = math.floor(serial)
    thursday = day - (day_of_week(context, day) - 1) % 7 + 3
    parts = date_from_serial(thursday, is_1904=context.is_1904)
    if parts is None:
        # The week lies in the year before the first, or after the last.
        return 52.0
    return float((thursday - int(serial_of(context, parts[0], 1, 1))) // 7 + 1)
