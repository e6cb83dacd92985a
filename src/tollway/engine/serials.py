"""Dates as Excel's serial numbers, and the texts that Excel reads as numbers, dates or times."""

from __future__ import annotations

import re
from datetime import date, timedelta

# 31 December 9999, the last day Excel knows, in the 1900 and the 1904 system.
SERIAL_MAX_1900 = 2_958_465
SERIAL_MAX_1904 = 2_957_003
# Day 60 of the 1900 system is 29 February 1900, which never was: Excel keeps the fault of Lotus 1-2-3.
FALSE_LEAP_DAY = 60
_EPOCH_1900 = date(1899, 12, 31)
_EPOCH_1904 = date(1904, 1, 1)

_MONTH_NAMES = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)
_MONTHS = {form: number for number, name in enumerate(_MONTH_NAMES, start=1) for form in (name, name[:3])}
_MONTHS["sept"] = 9
# Longer texts are no number and no date, and need no search: Excel reads no longer ones in a formula either.
NUMBER_TEXT_LENGTH_MAX = 255
_NUMBER = re.compile(r"(?:\d+|\d{1,3}(?:,\d{3})+)?(?:\.\d*)?(?:[eE][+-]?\d{1,3})?")
_MIXED_FRACTION = re.compile(r"(\d+|\d{1,3}(?:,\d{3})+) (\d{1,5})/([1-9]\d{0,4})")
_YEAR_FIRST = re.compile(r"(\d{4})[-/](\d{1,2})(?:[-/](\d{1,2}))?")
_MONTH_FIRST = re.compile(r"(\d{1,2})[-/](\d{1,2})[-/](\d{4}|\d{1,2})")
_MONTH_AND_NUMBER = re.compile(r"(\d{1,2})[-/](\d{4}|\d{1,2})")
_DAY_AND_NAME = re.compile(r"(\d{1,2})[-/ ]?([A-Za-z]{3,9})(?:[-/, ]{1,2}(\d{4}|\d{1,2}))?")
_NAME_AND_DAY = re.compile(r"([A-Za-z]{3,9})[-/ ]?(\d{1,2})(?:, ?|[-/ ])(\d{4}|\d{1,2})")
_NAME_AND_NUMBER = re.compile(r"([A-Za-z]{3,9})[-/, ]{0,2}(\d{4}|\d{1,2})")
_TIME = re.compile(r"(\d{1,4}):(\d{1,2})(?::(\d{1,2})(\.\d+)?)?(?: ?([AaPp])[Mm]?)?")
_MINUTES_AND_SECONDS = re.compile(r"(\d{1,2}):(\d{1,2})(\.\d+)")
_HOUR_ALONE = re.compile(r"(\d{1,2}) ([AaPp])[Mm]?")
# The serial number of the 1900 system for the first day of the 1904 system.
DAYS_FROM_1900_TO_1904 = 1462


def serial_from_date(year: int, month: int, day: int, *, is_1904: bool = False) -> int | None:
    """The serial number of a day; months and days may overflow into the next; None outside Excel's range.

    Years 0 to 1899 count from 1900 (from 1904 in that system's workbooks Excel does the same).
    Source: Microsoft's DATE page.
    """
    if 0 <= year < 1900:
        year += 1900
    year += (month - 1) // 12
    month = (month - 1) % 12 + 1
    if not 1899 <= year <= 9999:
        return None
    try:
        days = (date(year, month, 1) - (_EPOCH_1904 if is_1904 else _EPOCH_1900)).days
    except OverflowError:
        return None
    if not is_1904 and days >= FALSE_LEAP_DAY:
        days += 1
    serial = days + day - 1
    return serial if 0 <= serial <= (SERIAL_MAX_1904 if is_1904 else SERIAL_MAX_1900) else None


def date_from_serial(serial: float, *, is_1904: bool = False) -> tuple[int, int, int] | None:
    """Year, month and day of a serial number; None outside Excel's range. Day 0 is "0 January 1900"."""
    day = int(serial // 1)
    if not 0 <= day <= (SERIAL_MAX_1904 if is_1904 else SERIAL_MAX_1900):
        return None
    if is_1904:
        moment = _EPOCH_1904 + timedelta(days=day)
    elif day == 0:
        return (1900, 1, 0)
    elif day == FALSE_LEAP_DAY:
        return (1900, 2, 29)
    else:
        moment = _EPOCH_1900 + timedelta(days=day - (1 if day > FALSE_LEAP_DAY else 0))
    return (moment.year, moment.month, moment.day)


def days_in_month(year: int, month: int) -> int:
    """28 to 31; Excel's February 1900 has 29."""
    if (year, month) == (1900, 2):
        return 29
    following = date(year + month // 12, month % 12 + 1, 1) if (year, month) != (9999, 12) else date.max
    return (following - timedelta(days=1)).day if following != date.max else 31


def number_from_text(text: str) -> float | None:
    """The number that Excel sees in a text, or None: "3", " 1,234.5 ", "$5", "5€", "(5)", "12.5%", "1 1/2", "6:30 PM".

    Dates are read as in an English (United States) Excel, in the 1900 system.
    """
    stripped = text.strip(" ")
    if not stripped or len(stripped) > NUMBER_TEXT_LENGTH_MAX:
        return None
    number = _plain_number(stripped)
    if number is not None:
        return number
    # Excel skips spaces around a number, not around a date.
    moment = moment_from_text(text) if text == stripped else None
    return None if moment is None else (moment[0] or 0.0) + (moment[1] or 0.0)


def _plain_number(text: str) -> float | None:
    sign = 1.0
    if text.startswith("(") and text.endswith(")"):
        text, sign = text[1:-1], -1.0
    elif text[0] in "+-":
        sign = -1.0 if text[0] == "-" else 1.0
        text = text[1:].lstrip(" ")
    if text.startswith(("$", "€")):
        text = text[1:].lstrip(" ")
    elif text.endswith("€"):
        # The euro is read after a number too, whatever the country, as the corpus shows.
        text = text[:-1].rstrip(" ")
    scale = 1.0
    if text.endswith("%"):
        text, scale = text[:-1].rstrip(" "), 100.0
    elif text.startswith("%"):
        text, scale = text[1:].lstrip(" "), 100.0
    if match := _MIXED_FRACTION.fullmatch(text):
        return sign * (int(match[1].replace(",", "")) + int(match[2]) / int(match[3])) / scale
    if not text or not (text[0].isdigit() or text[0] == ".") or not _NUMBER.fullmatch(text) or text == ".":
        return None
    number = float(text.replace(",", ""))
    return sign * number / scale if number != float("inf") else None


def moment_from_text(
    text: str, *, is_1904: bool = False, this_year: int | None = None
) -> tuple[float | None, float | None] | None:
    """The day and the time of day that Excel sees in a text, each None where the text names none.

    `this_year` completes a date without a year; without it such a text is none. None where it is no date.
    """
    if len(text) > NUMBER_TEXT_LENGTH_MAX:
        return None
    words = text.split(" ")
    # The time stands last, of one word ("6:30") or two ("6:30 PM"), and whatever is before it is a date.
    for count in range(len(words) + 1):
        date_text, time_text = " ".join(words[:count]), " ".join(words[count:]).strip(" ")
        day = _day(date_text.rstrip(" "), is_1904, this_year) if date_text else None
        time = _time(time_text) if time_text else None
        if (bool(date_text) == (day is not None)) and (bool(time_text) == (time is not None)):
            return (day, time) if day is not None or time is not None else None
    return None


def _day(text: str, is_1904: bool, this_year: int | None) -> float | None:
    parts = _day_parts(text, this_year)
    if parts is None:
        return None
    year, month, day = parts
    if not (1 <= month <= 12 and 1900 <= year <= 9999 and 1 <= day <= days_in_month(year, month)):
        return None
    serial = serial_from_date(year, month, day, is_1904=is_1904)
    return None if serial is None else float(serial)


def _day_parts(text: str, this_year: int | None) -> tuple[int, int, int] | None:
    if match := _YEAR_FIRST.fullmatch(text):
        return int(match[1]), int(match[2]), int(match[3] or 1)
    if match := _MONTH_FIRST.fullmatch(text):
        return _full_year(match[3]), int(match[1]), int(match[2])
    if match := _MONTH_AND_NUMBER.fullmatch(text):
        return _completed(int(match[1]), match[2], this_year)
    if match := _DAY_AND_NAME.fullmatch(text):
        year = this_year if match[3] is None else _full_year(match[3])
        return None if year is None else (year, _month(match[2]), int(match[1]))
    if match := _NAME_AND_DAY.fullmatch(text):
        return _full_year(match[3]), _month(match[1]), int(match[2])
    if match := _NAME_AND_NUMBER.fullmatch(text):
        return _completed(_month(match[1]), match[2], this_year)
    return None


def _month(name: str) -> int:
    return _MONTHS.get(name.lower(), 0)


def _completed(month: int, number: str, this_year: int | None) -> tuple[int, int, int] | None:
    """A month with one number: a day of this year, or where no month has that day, a year."""
    if len(number) <= 2 and 1 <= month <= 12 and 1 <= int(number) <= days_in_month(this_year or 2000, month):
        return None if this_year is None else (this_year, month, int(number))
    return _full_year(number), month, 1


def _full_year(text: str) -> int:
    # Two digits: 00 to 29 are this century, 30 to 99 the last
    # (Microsoft, "How Excel works with two-digit year numbers").
    year = int(text)
    if len(text) == 4:
        return year
    return year + (2000 if year < 30 else 1900)


def _time(text: str) -> float | None:
    if match := _MINUTES_AND_SECONDS.fullmatch(text):
        minutes, seconds = int(match[1]), int(match[2])
        return (minutes * 60 + seconds + float(match[3])) / 86_400 if minutes < 60 and seconds < 60 else None
    if match := _HOUR_ALONE.fullmatch(text):
        hours, minutes, seconds, fraction, half = int(match[1]), 0, 0, 0.0, match[2].lower()
    elif match := _TIME.fullmatch(text):
        hours, minutes, seconds = int(match[1]), int(match[2]), int(match[3] or 0)
        fraction, half = float(match[4] or 0), (match[5] or "").lower()
    else:
        return None
    if minutes > 59 or seconds > 59 or (half and hours > 12):
        return None
    if half:
        hours = hours % 12 + (12 if half == "p" else 0)
    return (hours * 3600 + minutes * 60 + seconds + fraction) / 86_400
