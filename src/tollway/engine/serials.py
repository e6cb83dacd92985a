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

_MONTHS = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), start=1
    )
}
# Longer texts cannot be a number, and need no search.
_NUMBER_TEXT_LENGTH_MAX = 64
_NUMBER = re.compile(r"(?:\d+|\d{1,3}(?:,\d{3})+)?(?:\.\d*)?(?:[eE][+-]?\d{1,3})?")
_ISO_DATE = re.compile(r"(\d{4})[-/](\d{1,2})[-/](\d{1,2})")
_US_DATE = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4}|\d{2})")
_NAMED_DATE = re.compile(r"(\d{1,2})[- ]([A-Za-z]{3,9})[- ](\d{4}|\d{2})")
_TIME = re.compile(r"(\d{1,4}):(\d{1,2})(?::(\d{1,2})(\.\d+)?)?(?: ?([AaPp])[Mm])?")


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
    """The number that Excel sees in a text, or None: "3", " 1,234.5 ", "$5", "(5)", "12.5%", "6:30 PM".

    Dates are read as in an English (United States) Excel, in the 1900 system.
    """
    stripped = text.strip(" ")
    if not stripped or len(stripped) > _NUMBER_TEXT_LENGTH_MAX:
        return None
    number = _plain_number(stripped)
    if number is not None:
        return number
    # Excel skips spaces around a number, not around a date.
    return _moment(text) if text == stripped else None


def _plain_number(text: str) -> float | None:
    sign = 1.0
    if text.startswith("(") and text.endswith(")"):
        text, sign = text[1:-1], -1.0
    elif text[0] in "+-":
        sign = -1.0 if text[0] == "-" else 1.0
        text = text[1:].lstrip(" ")
    if text.startswith("$"):
        text = text[1:].lstrip(" ")
    scale = 1.0
    if text.endswith("%"):
        text, scale = text[:-1].rstrip(" "), 100.0
    if not text or not (text[0].isdigit() or text[0] == ".") or not _NUMBER.fullmatch(text) or text == ".":
        return None
    number = float(text.replace(",", ""))
    return sign * number / scale if number != float("inf") else None


def _moment(text: str) -> float | None:
    head, _, tail = text.partition(" ")
    day: float | None
    if ":" not in text:
        return _day(text)
    if ":" in head:
        return _time(text)
    day, time = _day(head), _time(tail.strip())
    return None if day is None or time is None else day + time


def _day(text: str) -> float | None:
    if match := _ISO_DATE.fullmatch(text):
        year, month, day = (int(part) for part in match.groups())
    elif match := _US_DATE.fullmatch(text):
        month, day, year = int(match[1]), int(match[2]), _full_year(match[3])
    elif match := _NAMED_DATE.fullmatch(text):
        day, month, year = int(match[1]), _MONTHS.get(match[2][:3].lower(), 0), _full_year(match[3])
    else:
        return None
    if not (1 <= month <= 12 and 1900 <= year <= 9999 and 1 <= day <= days_in_month(year, month)):
        return None
    return _as_float(serial_from_date(year, month, day))


def _full_year(text: str) -> int:
    # Two digits: 00 to 29 are this century, 30 to 99 the last
    # (Microsoft, "How Excel works with two-digit year numbers").
    year = int(text)
    if len(text) == 4:
        return year
    return year + (2000 if year < 30 else 1900)


def _as_float(serial: int | None) -> float | None:
    return None if serial is None else float(serial)


def _time(text: str) -> float | None:
    match = _TIME.fullmatch(text)
    if not match:
        return None
    hours, minutes, seconds = int(match[1]), int(match[2]), int(match[3] or 0)
    half = (match[5] or "").lower()
    if minutes > 59 or seconds > 59 or (half and not 0 <= hours <= 12):
        return None
    if half:
        hours = hours % 12 + (12 if half == "p" else 0)
    return (hours * 3600 + minutes * 60 + seconds + float(match[4] or 0)) / 86_400
