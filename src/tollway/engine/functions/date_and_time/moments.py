"""TODAY and NOW: the moment the workbook was saved, so that a run can be repeated to the last digit."""

from __future__ import annotations

import math

from tollway.engine.functions.registry import Context, function
from tollway.engine.serials import serial_from_date
from tollway.engine.values import UnsupportedFormula

_DAY_SECONDS = 86_400


@function("NOW", "", wants_context=True)
def now(context: Context) -> float:
    """Date and time at which the workbook was saved, as a serial number; Excel gives those of the calculation."""
    assert context.cells is not None
    saved_at = context.cells.workbook.saved_at
    if saved_at is None:
        raise UnsupportedFormula(
            "The formula asks for the present time, and the file does not say when it was saved; "
            "write the date into a cell.",
            construct="NOW",
        )
    day = serial_from_date(saved_at.year, saved_at.month, saved_at.day, is_1904=context.is_1904)
    assert day is not None
    clock: float = (saved_at.hour * 3600 + saved_at.minute * 60 + saved_at.second) / _DAY_SECONDS
    return day + clock


@function("TODAY", "", wants_context=True)
def today(context: Context) -> float:
    """The date on which the workbook was saved, as a serial number; Excel gives that of the calculation."""
    return float(math.floor(now(context)))
