"""Dates and times as number formats write them, with the names of an English Excel."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tollway.engine.functions.text.number_format_code import FormatError, Kind, Section, Token
from tollway.engine.serials import SERIAL_MAX_1900, SERIAL_MAX_1904, date_from_serial
from tollway.engine.values import UnsupportedFormula

_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_SECONDS_A_DAY = 86_400
# Excel writes no smaller part of a second than a thousandth.
_SECOND_DECIMALS_MAX = 3
_BUDDHIST_YEARS = 543
# 1 January 1904 was a Friday; in the 1900 system, with its 29 February, day 1 counts as a Sunday.
_FIRST_WEEKDAY_1904 = 5


@dataclass(frozen=True, slots=True)
class _Moment:
    year: int
    month: int
    day: int
    weekday: int
    seconds: int
    """Whole seconds since midnight."""
    fraction: int
    """Of a second, in units of its last decimal."""
    total_seconds: int
    """Whole seconds since the calendar began."""
    is_half_day: bool


def written_date(number: float, section: Section, *, is_1904: bool) -> str:
    """A date or time as a section writes it.

    Raises: FormatError outside Excel's calendar, or where digits of a number are asked for too; UnsupportedFormula
    for names of days or months in another language.
    """
    tokens = _with_minutes(section.tokens)
    decimals, tokens = _with_decimals(tokens)
    if not section.is_english and any(_is_name(token) for token in tokens):
        raise UnsupportedFormula(
            f"A number format asks for names of days or months in language {section.locale}; only English ones "
            "are written, so use 409.",
            construct="number format in another language",
        )
    if is_1904 and number < 0:
        return "-" + written_date(-number, section, is_1904=True)
    moment = _moment(number, decimals, _has_time(tokens), tokens, is_1904=is_1904)
    return "".join(_shown(token, moment, decimals) for token in tokens)


def _is_name(token: Token) -> bool:
    # Years of eras (g and e) go by the country too.
    is_long = token.text.startswith(("mmm", "ddd", "g", "e")) and token.kind is Kind.DATE
    return is_long or (token.kind is Kind.HALF_DAY and "/" in token.text)


def _with_minutes(tokens: Sequence[Token]) -> list[Token]:
    """M or mm after an hour or before a second are minutes, written "minute" here."""
    result = list(tokens)
    dated = [p for p, t in enumerate(tokens) if t.kind in (Kind.DATE, Kind.ELAPSED)]
    for order, place in enumerate(dated):
        token = tokens[place]
        if token.kind is not Kind.DATE or token.text not in ("m", "mm"):
            continue
        before = tokens[dated[order - 1]].text[0] if order else ""
        after = tokens[dated[order + 1]].text[0] if order + 1 < len(dated) else ""
        if before == "h" or after == "s":
            result[place] = Token(Kind.DATE, "minute" if token.text == "m" else "minute2")
    return result


def _with_decimals(tokens: Sequence[Token]) -> tuple[int, list[Token]]:
    """How many decimals of a second are asked for, and tokens in which they stand as one."""
    result: list[Token] = []
    decimals = 0
    place = 0
    while place < len(tokens):
        token = tokens[place]
        zeros = 0
        if token.kind is Kind.POINT:
            while place + 1 + zeros < len(tokens) and tokens[place + 1 + zeros] == Token(Kind.DIGIT, "0"):
                zeros += 1
        if zeros:
            decimals = max(decimals, zeros)
            result.append(Token(Kind.POINT, "0" * zeros))
            place += zeros
        elif token.kind in (Kind.DIGIT, Kind.PERCENT, Kind.EXPONENT, Kind.GENERAL, Kind.TEXT):
            raise FormatError
        else:
            result.append(token)
        place += 1
    if decimals > _SECOND_DECIMALS_MAX:
        raise FormatError
    return decimals, result


def _has_time(tokens: Sequence[Token]) -> bool:
    return any(
        token.kind in (Kind.ELAPSED, Kind.HALF_DAY)
        or (token.kind is Kind.DATE and token.text[0] in "hs")
        or token.text.startswith("minute")
        for token in tokens
    )


def _moment(
    number: float, decimals: int, has_time: bool, tokens: Sequence[Token], *, is_1904: bool
) -> _Moment:
    last = SERIAL_MAX_1904 if is_1904 else SERIAL_MAX_1900
    if not 0 <= number < last + 1:
        raise FormatError
    unit = 10**decimals
    day = math.floor(number)
    # Time is rounded to what is shown of seconds; a date alone is not carried into the next day by that.
    ticks = math.floor((number - day) * _SECONDS_A_DAY * unit + 0.5 + 1e-6)
    if ticks >= _SECONDS_A_DAY * unit:
        day, ticks = (day + 1, 0) if has_time else (day, _SECONDS_A_DAY * unit - 1)
    if day > last:
        raise FormatError
    date = date_from_serial(float(day), is_1904=is_1904)
    assert date is not None
    seconds, fraction = divmod(ticks, unit)
    weekday = (day + _FIRST_WEEKDAY_1904) % 7 if is_1904 else (day - 1) % 7
    is_half_day = any(token.kind is Kind.HALF_DAY for token in tokens)
    return _Moment(*date, weekday, seconds, fraction, day * _SECONDS_A_DAY + seconds, is_half_day)


def _shown(token: Token, moment: _Moment, decimals: int) -> str:
    if token.kind is Kind.DATE:
        return _DATE_PARTS[token.text if token.text.startswith("minute") else token.text[0]](
            moment, len(token.text)
        )
    if token.kind is Kind.ELAPSED:
        divisor = {"h": 3_600, "m": 60, "s": 1}[token.text[0]]
        return str(moment.total_seconds // divisor).rjust(len(token.text), "0")
    if token.kind is Kind.HALF_DAY:
        is_afternoon = moment.seconds >= _SECONDS_A_DAY // 2
        if len(token.text) == 3:
            return token.text[2] if is_afternoon else token.text[0]
        return "PM" if is_afternoon else "AM"
    if token.kind is Kind.POINT and len(token.text) and token.text[0] == "0":
        written = str(moment.fraction).rjust(decimals, "0")
        return "." + written[: len(token.text)]
    return token.text


def _year(moment: _Moment, width: int) -> str:
    return f"{moment.year % 100:02d}" if width < 3 else f"{moment.year:04d}"


def _buddhist_year(moment: _Moment, width: int) -> str:
    year = moment.year + _BUDDHIST_YEARS
    return f"{year % 100:02d}" if width < 3 else f"{year:04d}"


def _month(moment: _Moment, width: int) -> str:
    if width <= 2:
        return str(moment.month).rjust(width, "0")
    name = _MONTHS[moment.month - 1]
    return {3: name[:3], 5: name[0]}.get(width, name)


def _day(moment: _Moment, width: int) -> str:
    if width <= 2:
        return str(moment.day).rjust(width, "0")
    name = _DAYS[moment.weekday]
    return name[:3] if width == 3 else name


def _hour(moment: _Moment, width: int) -> str:
    hour = moment.seconds // 3_600
    if moment.is_half_day:
        hour = (hour - 1) % 12 + 1
    return str(hour).rjust(min(width, 2), "0")


def _second(moment: _Moment, width: int) -> str:
    return str(moment.seconds % 60).rjust(min(width, 2), "0")


def _minute(moment: _Moment) -> str:
    return str(moment.seconds // 60 % 60)


_DATE_PARTS: dict[str, Callable[[_Moment, int], str]] = {
    "y": _year,
    "e": lambda moment, _width: f"{moment.year:04d}",
    "b": _buddhist_year,
    "g": lambda _moment, _width: "",
    "m": _month,
    "d": _day,
    "h": _hour,
    "s": _second,
    "minute": lambda moment, _width: _minute(moment),
    "minute2": lambda moment, _width: _minute(moment).rjust(2, "0"),
}
