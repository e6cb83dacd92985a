"""Complex numbers as the texts that Excel keeps them in, such as "3+4i": read, write, calculate with.

Source of each function: Microsoft's page of it. The numbers in a text have at most 15 significant digits, so
every result is rounded to that.
"""

from __future__ import annotations

import cmath
import math
import re
from collections.abc import Sequence

from tollway.engine.functions.registry import Argument, FailedError, Grid, function
from tollway.engine.functions.toolpak import toolpak_number
from tollway.engine.values import ErrorValue, Value, decimal_text

_UNSIGNED = r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?"
_REAL = re.compile(rf"[+-]?{_UNSIGNED}")
_COMPLEX = re.compile(rf"(?P<real>[+-]?{_UNSIGNED})??(?P<imaginary>[+-]?(?:{_UNSIGNED})?)(?P<suffix>[ij])")
# Longer texts are no complex number.
_LENGTH_MAX = 255
# Numbers are written without exponent as long as they take no more characters than this.
_PLAIN_LENGTH_MAX = 20
_PLAIN_EXPONENT_MAX = 20
_DEFAULT_SUFFIX = "i"


@function("COMPLEX", "single single [any]", returns="text")
def complex_text_of(real: float, imaginary: float, suffix: Value = _DEFAULT_SUFFIX) -> str:
    """A complex number from its real and its imaginary part: COMPLEX(3,4) is "3+4i".

    `suffix` is i or j, i if left out.

    Errors: #VALUE! for another suffix, and for a logical or a text that is no number.
    """
    number = complex(real, imaginary)
    if isinstance(suffix, ErrorValue):
        raise FailedError(suffix)
    if suffix is None or suffix == "":
        suffix = _DEFAULT_SUFFIX
    if suffix not in ("i", "j"):
        raise FailedError(ErrorValue.VALUE)
    return written(number, str(suffix))


@function("IMREAL", "value")
def real_part(number: Value) -> float:
    """The real part of a complex number; #NUM! for a text that is none, #VALUE! for a logical."""
    return read(number)[0].real


@function("IMAGINARY", "value")
def imaginary_part(number: Value) -> float:
    """The imaginary part of a complex number; #NUM! for a text that is none, #VALUE! for a logical."""
    return read(number)[0].imag


@function("IMABS", "value")
def absolute_value(number: Value) -> float:
    """The distance of a complex number from 0; #NUM! for a text that is none, #VALUE! for a logical."""
    return size_of(read(number)[0])


@function("IMARGUMENT", "value")
def argument(number: Value) -> float:
    """The angle of a complex number in radians; #DIV/0! of 0, #NUM! for a text that is none."""
    value = read(number)[0]
    if value == 0:
        raise FailedError(ErrorValue.DIV0)
    return angle_of(value)


@function("IMCONJUGATE", "value", returns="text")
def conjugate(number: Value) -> str:
    """The complex number with its imaginary part negated; #NUM! for a text that is none."""
    value, suffix = read(number)
    return written(value.conjugate(), suffix)


@function("IMSUM", "grid...", returns="text")
def complex_sum(*numbers: Argument) -> str:
    """The sum of complex numbers.

    Errors: #NUM! for a text that is no complex number, #VALUE! for a logical and when i and j are mixed.
    """
    values, suffix = read_all(numbers)
    return written(sum(values, 0j), suffix)


@function("IMPRODUCT", "grid...", returns="text")
def complex_product(*numbers: Argument) -> str:
    """The product of complex numbers.

    Errors: #NUM! for a text that is no complex number, #VALUE! for a logical and when i and j are mixed.
    """
    values, suffix = read_all(numbers)
    result = complex(1.0, 0.0) if values else 0j
    for value in values:
        result = times(result, value)
    return written(result, suffix)


@function("IMSUB", "value value", returns="text")
def complex_difference(first: Value, second: Value) -> str:
    """The first complex number minus the second.

    Errors: #NUM! for a text that is no complex number, #VALUE! for a logical and when i and j are mixed.
    """
    (left, right), suffix = read_all((first, second))
    return written(left - right, suffix)


@function("IMDIV", "value value", returns="text")
def complex_quotient(dividend: Value, divisor: Value) -> str:
    """The first complex number divided by the second.

    Errors: #NUM! for a text that is no complex number and for division by 0; #VALUE! for a logical and when i
    and j are mixed.
    """
    (left, right), suffix = read_all((dividend, divisor))
    return written(over(left, right), suffix)


def read(number: Value) -> tuple[complex, str]:
    """A complex number and its suffix; a blank is 0, a number has no imaginary part."""
    value, suffix = _read(number)
    return value, suffix or _DEFAULT_SUFFIX


def read_all(numbers: Sequence[Argument]) -> tuple[list[complex], str]:
    """Complex numbers, and the suffix that they share. Blanks in a range of several cells are left out."""
    values: list[complex] = []
    suffixes: set[str] = set()
    for argument in numbers:
        for item in _items(argument):
            value, suffix = _read(item)
            values.append(value)
            suffixes |= {suffix} - {""}
    if len(suffixes) > 1:
        raise FailedError(ErrorValue.VALUE)
    return values, suffixes.pop() if suffixes else _DEFAULT_SUFFIX


def _items(argument: Argument) -> list[Value]:
    if not isinstance(argument, Grid):
        return [argument]
    if argument.row_count == argument.column_count == 1:
        return [argument.at(0, 0)]
    return [item for item in argument.items() if item is not None]


def _read(number: Value) -> tuple[complex, str]:
    if not isinstance(number, str):
        return complex(toolpak_number(number), 0.0), ""
    if number == "":
        return 0j, ""
    if len(number) <= _LENGTH_MAX:
        if _REAL.fullmatch(number):
            return complex(_finite(number), 0.0), ""
        match = _COMPLEX.fullmatch(number)
        # Without a sign between them "34i" would be 3 and 4i.
        if match is not None and (match["real"] is None or match["imaginary"][:1] in ("+", "-")):
            imaginary = match["imaginary"]
            part = _finite(imaginary + "1" if imaginary in ("", "+", "-") else imaginary)
            return complex(_finite(match["real"] or "0"), part), match["suffix"]
    raise FailedError(ErrorValue.NUM)


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise FailedError(ErrorValue.NUM)
    return number


def written(number: complex, suffix: str) -> str:
    """The text of a complex number; parts that are 0 and a coefficient of 1 are left out.

    Errors: #NUM! where a part is no number of Excel.
    """
    if not cmath.isfinite(number):
        raise FailedError(ErrorValue.NUM)
    real, imaginary = _part(number.real), _part(number.imag)
    if imaginary == "0":
        return real
    coefficient = {"1": "", "-1": "-"}.get(imaginary, imaginary)
    if real == "0":
        return f"{coefficient}{suffix}"
    sign = "" if imaginary.startswith("-") else "+"
    return f"{real}{sign}{coefficient}{suffix}"


def _part(number: float) -> str:
    if number == 0.0:
        return "0"
    mantissa, _, exponent_text = decimal_text(abs(number)).partition("e")
    exponent = int(exponent_text)
    digits = mantissa.replace(".", "").rstrip("0")
    sign = "-" if number < 0 else ""
    plain_length = len(digits) - exponent + 1
    if exponent > _PLAIN_EXPONENT_MAX or (exponent < 0 and plain_length > _PLAIN_LENGTH_MAX):
        fraction = f".{digits[1:]}" if len(digits) > 1 else ""
        return f"{sign}{digits[0]}{fraction}E{'+' if exponent > 0 else '-'}{abs(exponent):02d}"
    if exponent < 0:
        return f"{sign}0.{'0' * (-exponent - 1)}{digits}"
    whole, fraction = digits[: exponent + 1].ljust(exponent + 1, "0"), digits[exponent + 1 :]
    return f"{sign}{whole}.{fraction}" if fraction else f"{sign}{whole}"


# Python's own product and quotient of complex numbers treat infinities and signed zeros in ways that Excel, which
# calculates with the parts, does not.


def size_of(number: complex) -> float:
    """The distance from 0, as the larger part times a root, which gives Excel's last digit."""
    larger, smaller = sorted((abs(number.real), abs(number.imag)), reverse=True)
    if larger == 0.0:
        return 0.0
    ratio = smaller / larger
    return larger * math.sqrt(1.0 + ratio * ratio)


def angle_of(number: complex) -> float:
    """The angle, above -pi to pi; a zero imaginary part has no sign."""
    return math.atan2(number.imag + 0.0, number.real)


def times(left: complex, right: complex) -> complex:
    """The product, from the parts."""
    return complex(
        left.real * right.real - left.imag * right.imag, left.real * right.imag + left.imag * right.real
    )


def over(left: complex, right: complex) -> complex:
    """The quotient, from the parts; #NUM! when the divisor is 0.

    By R. L. Smith's way ("Algorithm 116", 1962): the last digits of what nearly cancels are Excel's with it.
    """
    if right == 0:
        raise FailedError(ErrorValue.NUM)
    if abs(right.real) >= abs(right.imag):
        ratio = right.imag / right.real
        size = right.real + right.imag * ratio
        return complex((left.real + left.imag * ratio) / size, (left.imag - left.real * ratio) / size)
    ratio = right.real / right.imag
    size = right.real * ratio + right.imag
    return complex((left.real * ratio + left.imag) / size, (left.imag * ratio - left.real) / size)
