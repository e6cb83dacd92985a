"""Dates and times, which are numbers: days since the start of 1900 or 1904. Source: Microsoft's pages."""

from __future__ import annotations

import math

from tollway.engine.functions.registry import Argument, Context, FailedError, function, number, whole
from tollway.engine.serials import date_from_serial, days_in_month, serial_from_date
from tollway.engine.values import ErrorValue, Value


@function("DATE", "number number number", wants_context=True)
def date(context: Context, year: float, month: float, day: float) -> float:
    """The serial number of a day; months and days may overflow; #NUM! outside 1900 (1904) to 9999."""
    if not -32_768 <= month <= 32_767 or not -32_768 <= day <= 32_767 * 128:
        raise FailedError(ErrorValue.NUM)
    serial = serial_from_date(_floor(year), _floor(month), _floor(day), is_1904=context.is_1904)
    if serial is None or year < 0:
        raise FailedError(ErrorValue.NUM)
    return float(serial)


def _floor(value: float) -> int:
    return math.floor(value)


@function("YEAR", "number", wants_context=True)
def year_of(context: Context, serial: float) -> float:
    """The year of a date; #NUM! outside Excel's dates."""
    return float(_parts(context, serial)[0])


@function("MONTH", "number", wants_context=True)
def month_of(context: Context, serial: float) -> float:
    """The month of a date, 1 to 12; #NUM! outside Excel's dates."""
    return float(_parts(context, serial)[1])


@function("DAY", "number", wants_context=True)
def day_of(context: Context, serial: float) -> float:
    """The day of a date, 1 to 31; #NUM! outside Excel's dates."""
    return float(_parts(context, serial)[2])


def _parts(context: Context, serial: float) -> tuple[int, int, int]:
    parts = date_from_serial(serial, is_1904=context.is_1904)
    if parts is None:
        raise FailedError(ErrorValue.NUM)
    return parts


@function("EDATE", "value value", wants_context=True)
def same_day_other_month(context: Context, serial: Value, months: Value) -> float:
    """The same day some months later, or that month's last; #NUM! outside Excel's dates."""
    year, month, day = _parts(context, _single(serial))
    year, month = _moved(year, month, whole(_single(months)))
    return _serial(context, year, month, min(day, days_in_month(year, month)))


@function("EOMONTH", "value value", wants_context=True)
def end_of_month(context: Context, serial: Value, months: Value) -> float:
    """The last day of the month some months later; #NUM! outside Excel's dates."""
    year, month, _ = _parts(context, _single(serial))
    year, month = _moved(year, month, whole(_single(months)))
    return _serial(context, year, month, days_in_month(year, month))


def _single(value: Argument) -> float:
    # These two came with the Analysis ToolPak, and unlike the others do not take logicals for numbers.
    if isinstance(value, bool):
        raise FailedError(ErrorValue.VALUE)
    return number(value)


def _moved(year: int, month: int, months: int) -> tuple[int, int]:
    place = year * 12 + month - 1 + months
    if not 1900 <= place // 12 <= 9999:
        raise FailedError(ErrorValue.NUM)
    return place // 12, place % 12 + 1


def _serial(context: Context, year: int, month: int, day: int) -> float:
    serial = serial_from_date(year, month, day, is_1904=context.is_1904)
    if serial is None:
        raise FailedError(ErrorValue.NUM)
    return float(serial)


@function("DAYS", "number number")
def days_between(end: float, start: float) -> float:
    """Days from the second date to the first; #NUM! for a negative date."""
    if end < 0 or start < 0:
        raise FailedError(ErrorValue.NUM)
    return float(math.floor(end) - math.floor(start))
