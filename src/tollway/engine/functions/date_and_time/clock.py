"""Times of day, which are parts of a day: 0.75 is 6 in the evening. Source: Microsoft's pages."""

from __future__ import annotations

import math

from tollway.engine.functions.date_and_time.serial_days import parts_of
from tollway.engine.functions.registry import Context, FailedError, function
from tollway.engine.serials import moment_from_text
from tollway.engine.values import ErrorValue

# The most hours, minutes or seconds that TIME takes.
_PART_MAX = 32_767
_SECONDS_A_DAY = 86_400


@function("TIME", "number number number")
def time(hour: float, minute: float, second: float) -> float:
    """A time of day as a part of a day, 0 to below 1; more than a day starts again at midnight.

    Each part is cut to an integer, and may overflow or be negative.
    Errors: #NUM! for a part beyond 32767, and where the whole is negative.
    """
    parts = (hour, minute, second)
    if max(parts) > _PART_MAX or min(parts) < -_PART_MAX:
        raise FailedError(ErrorValue.NUM)
    seconds = math.trunc(hour) * 3600 + math.trunc(minute) * 60 + math.trunc(second)
    if seconds < 0:
        raise FailedError(ErrorValue.NUM)
    # Excel divides first and drops whole days after, with the digits that this costs.
    return seconds / _SECONDS_A_DAY % 1.0


@function("TIMEVALUE", "text")
def time_from_text(text: str) -> float:
    """The time of day that a text names, as a part of a day: "6:45 PM", "18:45:30". A date before it is left out.

    Errors: #VALUE! for what is no time.
    """
    moment = moment_from_text(text.strip(" "))
    if moment is None:
        raise FailedError(ErrorValue.VALUE)
    return (moment[1] or 0.0) % 1.0


@function("HOUR", "number", wants_context=True)
def hour_of(context: Context, serial: float) -> float:
    """The hour of a time, 0 to 23, after rounding to the second. Errors: #NUM! outside Excel's dates."""
    return float(_seconds(context, serial) // 3600)


@function("MINUTE", "number", wants_context=True)
def minute_of(context: Context, serial: float) -> float:
    """The minute of a time, 0 to 59, after rounding to the second. Errors: #NUM! outside Excel's dates."""
    return float(_seconds(context, serial) // 60 % 60)


@function("SECOND", "number", wants_context=True)
def second_of(context: Context, serial: float) -> float:
    """The second of a time, 0 to 59, rounded. Errors: #NUM! outside Excel's dates."""
    return float(_seconds(context, serial) % 60)


def _seconds(context: Context, serial: float) -> int:
    parts_of(context, serial)
    return math.floor(serial % 1.0 * _SECONDS_A_DAY + 0.5) % _SECONDS_A_DAY
