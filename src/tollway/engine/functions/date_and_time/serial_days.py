"""Serial numbers taken apart and put together in a workbook's own date system, or #NUM!."""

from __future__ import annotations

import math

from tollway.engine.functions.registry import Context, FailedError
from tollway.engine.serials import DAYS_FROM_1900_TO_1904, date_from_serial, serial_from_date
from tollway.engine.values import ErrorValue


def parts_of(context: Context, serial: float) -> tuple[int, int, int]:
    """Year, month and day of a serial number; #NUM! outside Excel's dates."""
    parts = date_from_serial(serial, is_1904=context.is_1904)
    if parts is None:
        raise FailedError(ErrorValue.NUM)
    return parts


def serial_of(context: Context, year: int, month: int, day: int) -> float:
    """The serial number of a day; #NUM! outside Excel's dates."""
    serial = serial_from_date(year, month, day, is_1904=context.is_1904)
    if serial is None:
        raise FailedError(ErrorValue.NUM)
    return float(serial)


def day_1900(context: Context, serial: float) -> int:
    """A date as a day number of the 1900 system, whatever the workbook's; #NUM! outside Excel's dates.

    What follows can then count days without asking for the system again.
    """
    parts_of(context, serial)
    return math.floor(serial) + (DAYS_FROM_1900_TO_1904 if context.is_1904 else 0)


def from_day_1900(context: Context, day: int) -> float:
    """A day number of the 1900 system as the workbook's serial number; #NUM! before its first day."""
    serial = day - (DAYS_FROM_1900_TO_1904 if context.is_1904 else 0)
    parts_of(context, serial)
    return float(serial)
