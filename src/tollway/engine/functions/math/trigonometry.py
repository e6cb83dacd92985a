"""Angles, and the hyperbolic functions.

Source of each, unless it says otherwise: Microsoft's page of that function.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from tollway.engine.functions.registry import FailedError, function
from tollway.engine.values import ErrorValue

Floats = NDArray[np.float64]
Masked = tuple[Floats, NDArray[np.bool_]]

# Excel refuses to reduce larger angles: SIN(2^27) is #NUM!.
_ANGLE_MAX = 2.0**27
# Above this the hyperbolic sine is no double.
_SINH_MAX = 710.0


@function("PI", "")
def pi() -> float:
    """3.14159265358979."""
    return math.pi


def _sine_block(angles: Floats) -> Masked:
    return np.sin(angles), np.abs(angles) >= _ANGLE_MAX


def _cosine_block(angles: Floats) -> Masked:
    return np.cos(angles), np.abs(angles) >= _ANGLE_MAX


def _angle(value: float) -> float:
    if abs(value) >= _ANGLE_MAX:
        raise FailedError(ErrorValue.NUM)
    return value


@function("SIN", "number", block=_sine_block)
def sine(angle: float) -> float:
    """The sine of an angle in radians; #NUM! from 2^27 on."""
    return math.sin(_angle(angle))


@function("COS", "number", block=_cosine_block)
def cosine(angle: float) -> float:
    """The cosine of an angle in radians; #NUM! from 2^27 on."""
    return math.cos(_angle(angle))


@function("TAN", "number")
def tangent(angle: float) -> float:
    """The tangent of an angle in radians; #NUM! from 2^27 on."""
    return math.tan(_angle(angle))


@function("ASIN", "number", block=np.arcsin)
def arcsine(value: float) -> float:
    """The angle in radians of a sine; #NUM! outside -1 to 1."""
    return math.asin(value)


@function("ACOS", "number", block=np.arccos)
def arccosine(value: float) -> float:
    """The angle in radians of a cosine; #NUM! outside -1 to 1."""
    return math.acos(value)


@function("ATAN", "number", block=np.arctan)
def arctangent(value: float) -> float:
    """The angle in radians of a tangent."""
    return math.atan(value)


@function("ATAN2", "number number")
def arctangent_of_point(x: float, y: float) -> float:
    """The angle in radians of a point, x first; #DIV/0! at the origin."""
    if x == 0 and y == 0:
        raise FailedError(ErrorValue.DIV0)
    return math.atan2(y, x)


@function("SINH", "number")
def hyperbolic_sine(value: float) -> float:
    """The hyperbolic sine; #NUM! on overflow."""
    return math.sinh(value)


@function("COSH", "number")
def hyperbolic_cosine(value: float) -> float:
    """The hyperbolic cosine; #NUM! on overflow."""
    return math.cosh(value)


@function("TANH", "number", block=np.tanh)
def hyperbolic_tangent(value: float) -> float:
    """The hyperbolic tangent."""
    return math.tanh(value)


@function("RADIANS", "number")
def radians(degrees_: float) -> float:
    """Degrees as radians."""
    return degrees_ * math.pi / 180.0


@function("DEGREES", "number")
def degrees(angle: float) -> float:
    """Radians as degrees."""
    return angle * 180.0 / math.pi


# --- reciprocals and inverses --------------------------------------------------------------------------


@function("COT", "number")
def cotangent(angle: float) -> float:
    """The cotangent of an angle in radians; #DIV/0! of 0, #NUM! from 2^27 on."""
    return 1.0 / math.tan(_angle(angle))


@function("SEC", "number")
def secant(angle: float) -> float:
    """The secant of an angle in radians; #NUM! from 2^27 on."""
    return 1.0 / math.cos(_angle(angle))


@function("CSC", "number")
def cosecant(angle: float) -> float:
    """The cosecant of an angle in radians; #DIV/0! of 0, #NUM! from 2^27 on."""
    return 1.0 / math.sin(_angle(angle))


@function("COTH", "number")
def hyperbolic_cotangent(value: float) -> float:
    """The hyperbolic cotangent; #DIV/0! of 0, #NUM! from 2^27 on."""
    return 1.0 / math.tanh(_angle(value))


@function("SECH", "number")
def hyperbolic_secant(value: float) -> float:
    """The hyperbolic secant; #NUM! from 2^27 on."""
    decay = math.exp(-abs(_angle(value)))
    return 2.0 * decay / (1.0 + decay * decay)


@function("CSCH", "number")
def hyperbolic_cosecant(value: float) -> float:
    """The hyperbolic cosecant; #DIV/0! of 0, #NUM! from 2^27 on."""
    if abs(_angle(value)) < _SINH_MAX:
        return 1.0 / math.sinh(value)
    return math.copysign(2.0 * math.exp(-abs(value)), value)


@function("ACOT", "number")
def arccotangent(value: float) -> float:
    """The angle in radians, 0 to pi, of a cotangent."""
    return math.atan2(1.0, value)


@function("ASINH", "number", block=np.arcsinh)
def inverse_hyperbolic_sine(value: float) -> float:
    """The number whose hyperbolic sine is given."""
    return math.asinh(value)


@function("ACOSH", "number", block=np.arccosh)
def inverse_hyperbolic_cosine(value: float) -> float:
    """The number, 0 or more, whose hyperbolic cosine is given; #NUM! below 1."""
    return math.acosh(value)


@function("ATANH", "number", block=np.arctanh)
def inverse_hyperbolic_tangent(value: float) -> float:
    """The number whose hyperbolic tangent is given; #NUM! unless between -1 and 1."""
    return math.atanh(value)


@function("ACOTH", "number")
def inverse_hyperbolic_cotangent(value: float) -> float:
    """The number whose hyperbolic cotangent is given; #NUM! from -1 to 1."""
    if abs(value) <= 1.0:
        raise FailedError(ErrorValue.NUM)
    return math.atanh(1.0 / value)
