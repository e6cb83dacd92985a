"""Roman numerals and numbers in any base. Source of each: Microsoft's page of that function."""

from __future__ import annotations

import math
from itertools import pairwise

from tollway.engine.functions.registry import FailedError, function, whole
from tollway.engine.values import ErrorValue, Value, to_number

_ROMAN_MAX = 3_999
_ROMAN_FORM_MAX = 4
# ARABIC reads no longer texts.
_ROMAN_LENGTH_MAX = 255
_ROMAN_VALUES = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}
_ROMAN_LETTERS = [(letter, value) for letter, value in reversed(_ROMAN_VALUES.items())]

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_BASE_NUMBER_LIMIT = 2**53
_BASE_LENGTH_MAX = 255


@function("ROMAN", "number [any]", returns="text")
def roman(number: float, form: Value = 0.0) -> str:
    """A number from 0 to 3999 in Roman numerals, cut to an integer; an empty text for 0.

    `form` says how short: 0 or TRUE is classic (499 is CDXCIX), each step up to 4, or FALSE, subtracts more
    freely (LDVLIV, XDIX, VDIV, ID).

    Errors: #VALUE! for other numbers and forms.
    """
    steps = _roman_steps(form)
    if not 0 <= steps <= _ROMAN_FORM_MAX or not 0 <= number < _ROMAN_MAX + 1:
        raise FailedError(ErrorValue.VALUE)
    return _roman_text(math.trunc(number), steps)


def _roman_steps(form: Value) -> int:
    if isinstance(form, bool):
        return 0 if form else _ROMAN_FORM_MAX
    converted = to_number(form)
    if isinstance(converted, ErrorValue):
        raise FailedError(converted)
    return whole(converted)


def _roman_text(number: int, steps: int) -> str:
    """Letter by letter from M down: as often as it fits, then once with a smaller letter taken away.

    The smaller letter is a power of ten one place down, or, with a form above 0, one that lies up to `steps`
    further down the list; of those that fit the smallest remainder wins.
    """
    text = ""
    for index, (letter, value) in enumerate(_ROMAN_LETTERS):
        count, number = divmod(number, value)
        text += letter * count
        reduced = _subtractive(index, number, steps)
        if reduced is not None:
            text += reduced + letter
            number -= value - _ROMAN_VALUES[reduced]
    return text


def _subtractive(index: int, number: int, steps: int) -> str | None:
    value = _ROMAN_LETTERS[index][1]
    # The nearest power of ten below: C under M and D, X under C and L, I under X and V.
    nearest = index + (2 if index % 2 == 0 else 1)
    for below in range(min(nearest + steps, len(_ROMAN_LETTERS) - 1), nearest - 1, -1):
        letter, taken = _ROMAN_LETTERS[below]
        if value - taken <= number:
            return letter
    return None


@function("ARABIC", "text")
def arabic(text: str) -> float:
    """The number that Roman numerals stand for, in either case and in any order; 0 for an empty text.

    A letter right before a larger one is taken away; a minus sign may stand in front.

    Errors: #VALUE! for other letters, and for more than 255.
    """
    letters = text.strip(" ").upper()
    sign = -1.0 if letters.startswith("-") else 1.0
    letters = letters.removeprefix("-")
    if len(text) > _ROMAN_LENGTH_MAX or any(letter not in _ROMAN_VALUES for letter in letters):
        raise FailedError(ErrorValue.VALUE)
    values = [_ROMAN_VALUES[letter] for letter in letters]
    return sign * sum(value if value >= after else -value for value, after in pairwise([*values, 0]))


@function("BASE", "number number [number]", returns="text")
def digits_in_base(number: float, radix: float, length_min: float = 0.0) -> str:
    """A number from 0 to 2^53 - 1 in digits and letters of a base, cut to an integer.

    `radix` is the base, 2 to 36; `length_min`, 0 to 255, fills up with zeros in front.

    Errors: #NUM! outside these ranges.
    """
    base, length = whole(radix), whole(length_min)
    if not 0 <= number < _BASE_NUMBER_LIMIT or not _is_base(base) or not 0 <= length <= _BASE_LENGTH_MAX:
        raise FailedError(ErrorValue.NUM)
    left = math.trunc(number)
    digits = ""
    while left:
        left, digit = divmod(left, base)
        digits = _DIGITS[digit] + digits
    return (digits or "0").rjust(length, "0")


@function("DECIMAL", "text number")
def number_in_base(text: str, radix: float) -> float:
    """The number that digits and letters of a base, 2 to 36, stand for; 0 for an empty text.

    Errors: #NUM! for a digit the base does not have, and for another base; #VALUE! for more than 255 digits.
    """
    base = whole(radix)
    if len(text) > _BASE_LENGTH_MAX:
        raise FailedError(ErrorValue.VALUE)
    if not _is_base(base):
        raise FailedError(ErrorValue.NUM)
    total = 0
    for letter in text.strip(" ").upper():
        digit = _DIGITS.find(letter)
        if not 0 <= digit < base:
            raise FailedError(ErrorValue.NUM)
        total = total * base + digit
    return float(total)


def _is_base(base: int) -> bool:
    return 2 <= base <= len(_DIGITS)
