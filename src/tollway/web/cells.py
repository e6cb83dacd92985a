"""Writes a cell's stored value as the sheet would show it, closely enough to recognise it in a preview."""

import re
from datetime import datetime, timedelta
from typing import Any

from babel.numbers import format_decimal

from tollway.web.rendering import LOCALE

GENERAL_DIGITS = 10
# Babel writes 28 digits and refuses more; past 15 they tell nothing of a number of Excel anyway.
WRITTEN_IN_FULL_MAX = 1e15
PLACES_MAX = 12
# Day 0 of serial numbers in the 1900 system, from March 1900 on (before, Excel counts a day that never was).
EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001 - a sheet's dates have no zone
# The last day, 9999-12-31, is left out: its last moments round into a year that Python has not.
SERIALS = range(61, 2_958_465)
_QUOTED = re.compile(r'"[^"]*"|\\.|\[[^\]]*\]|_.|\*.')


def shown_text(cell: dict[str, Any]) -> str:
    """Return the text of one cell of a preview: {kind, value, number_format}."""
    kind, value = cell["kind"], cell["value"]
    if kind == "blank" or value is None:
        return ""
    if kind == "logical":
        return "TRUE" if value else "FALSE"
    if kind != "number":
        return str(value)
    return number_text(float(value), cell["number_format"])


def number_text(value: float, number_format: str) -> str:
    """Write a number by the first section of its format: percent, date, decimals, thousands, currency."""
    section = number_format.split(";", maxsplit=1)[0]
    plain = _QUOTED.sub("", section).lower()
    if plain in ("", "general", "@"):
        return general_text(value)
    if places_of(plain) > PLACES_MAX or abs(value) >= WRITTEN_IN_FULL_MAX:
        return general_text(value)
    if "%" in plain:
        return f"{_decimals(value * 100, plain)}%"
    if any(letter in plain for letter in "ymdh") and int(value) in SERIALS:
        return date_text(value, plain)
    text = _decimals(value, plain)
    sign = next((symbol for symbol in ("$", "€", "£", "¥") if symbol in section), "")
    return f"-{sign}{text[1:]}" if sign and text.startswith("-") else sign + text


def general_text(value: float) -> str:
    """Write a number as the format General does: as many digits as matter, at most ten."""
    text = f"{value:.{GENERAL_DIGITS}g}"
    return text.replace("e+", "E+").replace("e-", "E-")


def date_text(serial: float, plain: str) -> str:
    """Write a serial number as a date, with its time where the format shows one."""
    moment = EPOCH + timedelta(days=serial)
    return moment.strftime("%Y-%m-%d %H:%M" if "h" in plain else "%Y-%m-%d")


def _decimals(value: float, plain: str) -> str:
    if "e" in plain:
        return f"{value:.2E}"
    places = places_of(plain)
    pattern = ("#,##0" if "," in plain else "0") + ("." + "0" * places if places else "")
    return str(format_decimal(value, format=pattern, locale=LOCALE))


def places_of(plain: str) -> int:
    """Count the digits that a format asks for after the point."""
    after = re.search(r"\.([0#?]+)", plain)
    return len(after.group(1)) if after else 0
