"""Binary, octal, decimal and hexadecimal numerals. Source of each: Microsoft's page of that function.

Numerals have at most ten digits; with all ten, the highest bit is the sign (two's complement of 10, 30 or 40
bits). A logical is no number here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from tollway.engine.functions.registry import FailedError, function
from tollway.engine.functions.toolpak import toolpak_number
from tollway.engine.values import ErrorValue, Value, to_text

_DIGITS = "0123456789ABCDEF"
_LENGTH_MAX = 10
# `places` when it is left out: as many digits as needed.
_AS_NEEDED = math.nan


@dataclass(frozen=True, slots=True)
class _System:
    base: int
    bits: int

    @property
    def limit(self) -> int:
        """Numbers from minus this to below this have a numeral."""
        return 1 << (self.bits - 1)


_BINARY = _System(2, 10)
_OCTAL = _System(8, 30)
_HEXADECIMAL = _System(16, 40)


@function("BIN2DEC", "value")
def decimal_of_binary(number: Value) -> float:
    """The number that a binary numeral stands for.

    `number` has at most 10 digits; with ten digits, of which the first is 1, it is negative.

    Errors: #NUM! for other digits or more of them, #VALUE! for a logical.
    """
    return float(_read(number, _BINARY))


@function("OCT2DEC", "value")
def decimal_of_octal(number: Value) -> float:
    """The number that an octal numeral stands for.

    `number` has at most 10 digits; with ten digits, of which the first is 4 to 7, it is negative.

    Errors: #NUM! for other digits or more of them, #VALUE! for a logical.
    """
    return float(_read(number, _OCTAL))


@function("HEX2DEC", "value")
def decimal_of_hexadecimal(number: Value) -> float:
    """The number that a hexadecimal numeral stands for.

    `number` has at most 10 digits; with ten digits, of which the first is 8 to F, it is negative.

    Errors: #NUM! for other digits or more of them, #VALUE! for a logical.
    """
    return float(_read(number, _HEXADECIMAL))


@function("DEC2BIN", "value [value]", returns="text")
def binary_of_decimal(number: Value, places: Value = _AS_NEEDED) -> str:
    """A number from -512 to 511 as a binary numeral, cut to an integer; ten digits when negative.

    `places`, 1 to 10, fills up with zeros in front.

    Errors: #NUM! outside these ranges and when more digits are needed; #VALUE! for a logical.
    """
    length = _length(places)
    return _written(_whole(number), _BINARY, length)


@function("DEC2OCT", "value [value]", returns="text")
def octal_of_decimal(number: Value, places: Value = _AS_NEEDED) -> str:
    """A number from -2^29 to 2^29 - 1 as an octal numeral, cut to an integer; ten digits when negative.

    `places`, 1 to 10, fills up with zeros in front.

    Errors: #NUM! outside these ranges and when more digits are needed; #VALUE! for a logical.
    """
    length = _length(places)
    return _written(_whole(number), _OCTAL, length)


@function("DEC2HEX", "value [value]", returns="text")
def hexadecimal_of_decimal(number: Value, places: Value = _AS_NEEDED) -> str:
    """A number from -2^39 to 2^39 - 1 as a hexadecimal numeral, cut to an integer; ten digits when negative.

    `places`, 1 to 10, fills up with zeros in front.

    Errors: #NUM! outside these ranges and when more digits are needed; #VALUE! for a logical.
    """
    length = _length(places)
    return _written(_whole(number), _HEXADECIMAL, length)


@function("BIN2OCT", "value [value]", returns="text")
def octal_of_binary(number: Value, places: Value = _AS_NEEDED) -> str:
    """A binary numeral of at most 10 digits as an octal one; ten digits when negative.

    `places`, 1 to 10, fills up with zeros in front.

    Errors: #NUM! for what is no such numeral, and when more places are needed; #VALUE! for a logical.
    """
    length = _length(places)
    return _written(_read(number, _BINARY), _OCTAL, length)


@function("BIN2HEX", "value [value]", returns="text")
def hexadecimal_of_binary(number: Value, places: Value = _AS_NEEDED) -> str:
    """A binary numeral of at most 10 digits as a hexadecimal one; ten digits when negative.

    `places`, 1 to 10, fills up with zeros in front.

    Errors: #NUM! for what is no such numeral, and when more places are needed; #VALUE! for a logical.
    """
    length = _length(places)
    return _written(_read(number, _BINARY), _HEXADECIMAL, length)


@function("OCT2BIN", "value [value]", returns="text")
def binary_of_octal(number: Value, places: Value = _AS_NEEDED) -> str:
    """An octal numeral of -512 to 511 as a binary one; ten digits when negative.

    `places`, 1 to 10, fills up with zeros in front.

    Errors: #NUM! for what is no such numeral, and when more places are needed; #VALUE! for a logical.
    """
    length = _length(places)
    return _written(_read(number, _OCTAL), _BINARY, length)


@function("OCT2HEX", "value [value]", returns="text")
def hexadecimal_of_octal(number: Value, places: Value = _AS_NEEDED) -> str:
    """An octal numeral of at most 10 digits as a hexadecimal one; ten digits when negative.

    `places`, 1 to 10, fills up with zeros in front.

    Errors: #NUM! for what is no such numeral, and when more places are needed; #VALUE! for a logical.
    """
    length = _length(places)
    return _written(_read(number, _OCTAL), _HEXADECIMAL, length)


@function("HEX2BIN", "value [value]", returns="text")
def binary_of_hexadecimal(number: Value, places: Value = _AS_NEEDED) -> str:
    """A hexadecimal numeral of -512 to 511 as a binary one; ten digits when negative.

    `places`, 1 to 10, fills up with zeros in front.

    Errors: #NUM! for what is no such numeral, and when more places are needed; #VALUE! for a logical.
    """
    length = _length(places)
    return _written(_read(number, _HEXADECIMAL), _BINARY, length)


@function("HEX2OCT", "value [value]", returns="text")
def octal_of_hexadecimal(number: Value, places: Value = _AS_NEEDED) -> str:
    """A hexadecimal numeral of -2^29 to 2^29 - 1 as an octal one; ten digits when negative.

    `places`, 1 to 10, fills up with zeros in front.

    Errors: #NUM! for what is no such numeral, and when more places are needed; #VALUE! for a logical.
    """
    length = _length(places)
    return _written(_read(number, _HEXADECIMAL), _OCTAL, length)


def _whole(number: Value) -> int:
    # Clipped: further out every system refuses the number, however large.
    return math.trunc(max(-(2.0**53), min(toolpak_number(number), 2.0**53)))


def _read(number: Value, system: _System) -> int:
    """The number of a numeral. An empty text or cell is 0."""
    if isinstance(number, bool):
        raise FailedError(ErrorValue.VALUE)
    text = to_text(number)
    assert isinstance(text, str)
    digits = [_DIGITS.find(letter) for letter in text.upper()]
    if len(digits) > _LENGTH_MAX or not all(0 <= digit < system.base for digit in digits):
        raise FailedError(ErrorValue.NUM)
    value = 0
    for digit in digits:
        value = value * system.base + digit
    return value - 2 * system.limit if value >= system.limit else value


def _length(places: Value) -> int | None:
    """How many digits are asked for, None for as many as needed. Excel looks at them before the number."""
    if isinstance(places, float) and math.isnan(places):
        return None
    length = _whole(places)
    if not 1 <= length <= _LENGTH_MAX:
        raise FailedError(ErrorValue.NUM)
    return length


def _written(number: int, system: _System, length: int | None) -> str:
    if not -system.limit <= number < system.limit:
        raise FailedError(ErrorValue.NUM)
    left = number if number >= 0 else number + 2 * system.limit
    digits = ""
    while left:
        left, digit = divmod(left, system.base)
        digits = _DIGITS[digit] + digits
    digits = digits or "0"
    if length is None or number < 0:
        return digits
    if length < len(digits):
        raise FailedError(ErrorValue.NUM)
    return digits.rjust(length, "0")
