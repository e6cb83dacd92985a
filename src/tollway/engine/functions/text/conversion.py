"""Texts from values, and numbers from texts. Source: Microsoft's page of each function.

Currencies, separators and names are those of an English (United States) Excel.
"""

from __future__ import annotations

import math
import re
from decimal import ROUND_HALF_UP, Decimal
from urllib.parse import quote

from tollway.engine.functions.registry import (
    Argument,
    Context,
    FailedError,
    as_grid,
    function,
    whole,
)
from tollway.engine.functions.text.number_format import format_number, format_text
from tollway.engine.functions.text.number_format_code import FormatError
from tollway.engine.serials import moment_from_text, number_from_text
from tollway.engine.values import (
    TEXT_LENGTH_MAX,
    ErrorValue,
    Value,
    decimal_text,
    number_text,
    round_half_up,
    to_text,
)

DECIMALS_MAX = 127
_DIGITS = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)


@function("TEXT", "value text", returns="text", wants_context=True)
def text_of_value(context: Context, value: Value, format_text_code: str) -> str:
    """A value as a number format writes it, such as "0.00", "#,##0", "dd mmm yyyy" or "[h]:mm".

    Names of days and months are English ones. A text that reads as a number is formatted as that number.
    Errors: #VALUE! for a format that cannot be read, and for dates before 1900 or after 9999.
    """
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    number = _number_in(value, context) if isinstance(value, str) else (0.0 if value is None else value)
    try:
        if number is None:
            assert isinstance(value, str)
            return format_text(value, format_text_code)
        assert isinstance(number, float)
        return format_number(number, format_text_code, is_1904=context.is_1904)
    except FormatError as error:
        raise FailedError(ErrorValue.VALUE) from error


def _number_in(text: str, context: Context) -> float | None:
    """The number that a text reads as; dates count in the calendar of the workbook, those without a year in its own."""
    number = number_from_text(text)
    if number is not None and not context.is_1904:
        return number
    moment = moment_from_text(text, is_1904=context.is_1904, this_year=_year_of_saving(context))
    return number if moment is None else (moment[0] or 0.0) + (moment[1] or 0.0)


def _year_of_saving(context: Context) -> int | None:
    saved_at = None if context.cells is None else context.cells.workbook.saved_at
    return None if saved_at is None else int(saved_at.year)


@function("DOLLAR", "number [number]", returns="text")
@function("USDOLLAR", "number [number]", returns="text")
def dollar(number: float, decimals: float = 2.0) -> str:
    """A number as an amount in dollars, in brackets where it is negative; negative decimals round left of the point.

    Errors: #VALUE! for more than 127 decimals.
    """
    rounded, written = _with_decimals(number, decimals, is_grouped=True)
    return f"(${written})" if rounded < 0 else f"${written}"


@function("FIXED", "number [number logical]", returns="text")
def fixed(number: float, decimals: float = 2.0, no_commas: bool = False) -> str:
    """A number rounded to so many decimals, as text; negative decimals round left of the point.

    Errors: #VALUE! for more than 127 decimals.
    """
    rounded, written = _with_decimals(number, decimals, is_grouped=not no_commas)
    return f"-{written}" if rounded < 0 else written


def _with_decimals(number: float, decimals: float, *, is_grouped: bool) -> tuple[float, str]:
    """The rounded number, and how it is written without its sign."""
    places = whole(decimals)
    if places > DECIMALS_MAX:
        raise FailedError(ErrorValue.VALUE)
    rounded = round_half_up(number, places)
    value = Decimal(decimal_text(abs(rounded)))
    shown_places = max(places, 0)
    if -value.as_tuple().exponent > shown_places:  # type: ignore[operator]  # a finite number has a number there
        value = value.quantize(Decimal(1).scaleb(-shown_places), rounding=ROUND_HALF_UP)
    return rounded, f"{value:{',' if is_grouped else ''}.{shown_places}f}"


@function("VALUE", "any", wants_context=True)
def value_of(context: Context, value: Value) -> Value:
    """The number that a text reads as: with thousands, a currency, a percent sign, as a fraction, a date or a time.

    A date without a year is one of the year in which the workbook was saved.
    Errors: #VALUE! for another text, or a logical.
    """
    if isinstance(value, str):
        number = _number_in(value, context)
        return ErrorValue.VALUE if number is None else number
    if isinstance(value, bool):
        return ErrorValue.VALUE
    return 0.0 if value is None else value


@function("NUMBERVALUE", "text [text text]")
def number_value(text: str, decimal_separator: str = ".", group_separator: str = ",") -> float:
    """The number that a text reads as with these separators; spaces do not count, each % at the end divides by 100.

    Only the first character of a separator counts; an empty text is 0.
    Errors: #VALUE! for what is no number or too large a one, a second decimal separator, or a group separator
    after it.
    """
    if not decimal_separator or not group_separator or decimal_separator[0] == group_separator[0]:
        raise FailedError(ErrorValue.VALUE)
    digits = "".join(text.split())
    if not digits:
        return 0.0
    before, separator, after = digits.partition(decimal_separator[0])
    digits = before.replace(group_separator[0], "") + ("." if separator else "") + after
    number = digits.rstrip("%")
    if not _DIGITS.fullmatch(number):
        raise FailedError(ErrorValue.VALUE)
    if math.isinf(float(number)):
        raise FailedError(ErrorValue.VALUE)
    return float(number) / 100.0 ** (len(digits) - len(number))


@function("T", "grid", returns="text")
def text_only(value: Argument) -> Argument:
    """A text as it is, and an empty text for anything else; of a range, its first cell counts.

    Errors: the error value given.
    """
    first = as_grid(value).at(0, 0)
    return first if isinstance(first, (str, ErrorValue)) else ""


@function("VALUETOTEXT", "any [number]", returns="text")
def value_to_text(value: Value, format_number_code: float = 0.0) -> str:
    """A value as text, errors too. Format: 0 (or left out) as a cell shows it, 1 with texts in quotes.

    Errors: #VALUE! for another format.
    """
    return _as_text(value, is_strict=_is_strict(format_number_code))


@function("ARRAYTOTEXT", "array [number]", returns="text")
def array_to_text(array: Argument, format_number_code: float = 0.0) -> str:
    """All values of an array as one text, errors too.

    Format: 0 (or left out) separated by commas; 1 as an array constant, in braces and with texts in quotes.
    Errors: #VALUE! for another format, or a result of more than 32,767 characters.
    """
    grid = as_grid(array)
    is_strict = _is_strict(format_number_code)
    # Each value but one brings a separator, so a larger array gives too long a text whatever it holds.
    if grid.row_count * grid.column_count > TEXT_LENGTH_MAX:
        raise FailedError(ErrorValue.VALUE)
    rows = [
        [_as_text(grid.at(row, column), is_strict=is_strict) for column in range(grid.column_count)]
        for row in range(grid.row_count)
    ]
    if is_strict:
        return "{" + ";".join(",".join(row) for row in rows) + "}"
    return ", ".join(text for row in rows for text in row)


def _is_strict(format_number_code: float) -> bool:
    if whole(format_number_code) not in (0, 1):
        raise FailedError(ErrorValue.VALUE)
    return whole(format_number_code) == 1


def _as_text(value: Value, *, is_strict: bool) -> str:
    if isinstance(value, str):
        return '"' + value.replace('"', '""') + '"' if is_strict else value
    if isinstance(value, float):
        return number_text(value)
    text = to_text(value)
    return text.text if isinstance(text, ErrorValue) else text


@function("ENCODEURL", "text", returns="text")
def encode_url(text: str) -> str:
    """A text as it may stand in a web address: all but letters, digits and - _ . ~ as % and two hex digits.

    Errors: #VALUE! for half of a surrogate pair.
    """
    try:
        return quote(text, safe="")
    except UnicodeEncodeError as error:
        raise FailedError(ErrorValue.VALUE) from error
