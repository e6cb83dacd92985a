"""Powers, logarithms and trigonometry of complex numbers. Source of each: Microsoft's page of that function."""

from __future__ import annotations

import math
from collections.abc import Callable

from tollway.engine.functions.engineering.complex_numbers import angle_of, over, read, size_of, written
from tollway.engine.functions.registry import FailedError, function
from tollway.engine.values import ErrorValue, Value


@function("IMSQRT", "value", returns="text")
def complex_root(number: Value) -> str:
    """The square root of a complex number; #NUM! for a text that is none, #VALUE! for a logical."""
    return _applied(_root, number)


@function("IMPOWER", "value single", returns="text")
def complex_power(number: Value, power: float) -> str:
    """A complex number to a power, which is a real number.

    Errors: #NUM! for a text that is no complex number, and for 0 to a power of 0 or below; #VALUE! for a
    logical.
    """
    value, suffix = read(number)
    if value == 0:
        if power <= 0:
            raise FailedError(ErrorValue.NUM)
        return written(0j, suffix)
    size, angle = size_of(value) ** power, angle_of(value) * power
    return written(_polar(size, angle), suffix)


@function("IMEXP", "value", returns="text")
def complex_exponential(number: Value) -> str:
    """E to a complex power; #NUM! for a text that is no complex number and on overflow."""
    return _applied(lambda value: _polar(math.exp(value.real), value.imag), number)


@function("IMLN", "value", returns="text")
def complex_logarithm(number: Value) -> str:
    """The natural logarithm of a complex number; #NUM! of 0 and for a text that is none."""
    return _applied(lambda value: _logarithm(value, 1.0), number)


@function("IMLOG10", "value", returns="text")
def complex_decimal_logarithm(number: Value) -> str:
    """The logarithm to base 10 of a complex number; #NUM! of 0 and for a text that is none."""
    return _applied(lambda value: _logarithm(value, math.log10(math.e)), number)


@function("IMLOG2", "value", returns="text")
def complex_binary_logarithm(number: Value) -> str:
    """The logarithm to base 2 of a complex number; #NUM! of 0 and for a text that is none."""
    return _applied(lambda value: _logarithm(value, math.log2(math.e)), number)


@function("IMSIN", "value", returns="text")
def complex_sine(number: Value) -> str:
    """The sine of a complex number; #NUM! for a text that is none and on overflow."""
    return _applied(_sine, number)


@function("IMCOS", "value", returns="text")
def complex_cosine(number: Value) -> str:
    """The cosine of a complex number; #NUM! for a text that is none and on overflow."""
    return _applied(_cosine, number)


@function("IMTAN", "value", returns="text")
def complex_tangent(number: Value) -> str:
    """The tangent of a complex number; #NUM! for a text that is none and on overflow."""
    return _applied(_tangent, number)


@function("IMCOT", "value", returns="text")
def complex_cotangent(number: Value) -> str:
    """The cotangent of a complex number; #NUM! of 0, for a text that is none and on overflow."""
    return _applied(_cotangent, number)


@function("IMSEC", "value", returns="text")
def complex_secant(number: Value) -> str:
    """The secant of a complex number; #NUM! for a text that is none and on overflow."""
    return _applied(lambda value: over(_ONE, _cosine(value)), number)


@function("IMCSC", "value", returns="text")
def complex_cosecant(number: Value) -> str:
    """The cosecant of a complex number; #NUM! of 0, for a text that is none and on overflow."""
    return _applied(lambda value: over(_ONE, _sine(value)), number)


@function("IMSINH", "value", returns="text")
def complex_hyperbolic_sine(number: Value) -> str:
    """The hyperbolic sine of a complex number; #NUM! for a text that is none and on overflow."""
    return _applied(_hyperbolic_sine, number)


@function("IMCOSH", "value", returns="text")
def complex_hyperbolic_cosine(number: Value) -> str:
    """The hyperbolic cosine of a complex number; #NUM! for a text that is none and on overflow."""
    return _applied(_hyperbolic_cosine, number)


@function("IMSECH", "value", returns="text")
def complex_hyperbolic_secant(number: Value) -> str:
    """The hyperbolic secant of a complex number; #NUM! for a text that is none and on overflow."""
    return _applied(_hyperbolic_secant, number)


@function("IMCSCH", "value", returns="text")
def complex_hyperbolic_cosecant(number: Value) -> str:
    """The hyperbolic cosecant of a complex number; #NUM! of 0, for a text that is none and on overflow."""
    return _applied(_hyperbolic_cosecant, number)


_ONE = complex(1.0, 0.0)


def _applied(calculate: Callable[[complex], complex], number: Value) -> str:
    value, suffix = read(number)
    return written(calculate(value), suffix)


def _root(value: complex) -> complex:
    return _polar(math.sqrt(size_of(value)), angle_of(value) / 2.0)


def _polar(size: float, angle: float) -> complex:
    return complex(size * math.cos(angle), size * math.sin(angle))


def _logarithm(value: complex, scale: float) -> complex:
    if value == 0:
        raise FailedError(ErrorValue.NUM)
    return complex(math.log(abs(value)) * scale, angle_of(value) * scale)


def _sine(value: complex) -> complex:
    x, y = value.real, value.imag
    return complex(math.sin(x) * math.cosh(y), math.cos(x) * math.sinh(y))


def _cosine(value: complex) -> complex:
    x, y = value.real, value.imag
    return complex(math.cos(x) * math.cosh(y), -math.sin(x) * math.sinh(y))


# Of several ways to write these four, those that give the last digits Excel stored. Sine over cosine would be
# worse than that: far from the real axis both of its parts cancel.


def _tangent(value: complex) -> complex:
    x, y = 2.0 * value.real, 2.0 * value.imag
    size = math.cosh(y) + math.cos(x)
    return complex(math.sin(x) / size, math.sinh(y) / size)


def _cotangent(value: complex) -> complex:
    x, y = value.real, value.imag
    size = math.cos(x) ** 2 + math.sinh(y) ** 2
    return over(_ONE, complex(math.sin(x) * math.cos(x) / size, math.sinh(y) * math.cosh(y) / size))


def _hyperbolic_secant(value: complex) -> complex:
    x, y = value.real, value.imag
    size = math.sinh(x) ** 2 + math.cos(y) ** 2
    return complex(math.cosh(x) * math.cos(y) / size, -math.sinh(x) * math.sin(y) / size)


def _hyperbolic_cosecant(value: complex) -> complex:
    x, y = value.real, value.imag
    size = math.sinh(x) ** 2 + math.sin(y) ** 2
    if size == 0.0:
        raise FailedError(ErrorValue.NUM)
    return complex(math.sinh(x) * math.cos(y) / size, -math.cosh(x) * math.sin(y) / size)


def _hyperbolic_sine(value: complex) -> complex:
    x, y = value.real, value.imag
    return complex(math.sinh(x) * math.cos(y), math.cosh(x) * math.sin(y))


def _hyperbolic_cosine(value: complex) -> complex:
    x, y = value.real, value.imag
    return complex(math.cosh(x) * math.cos(y), math.sinh(x) * math.sin(y))
