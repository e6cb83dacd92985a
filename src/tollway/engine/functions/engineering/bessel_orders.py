"""Bessel functions of orders 0 and 1, by the approximations that Excel's stored values follow.

Excel is good to seven or eight digits here, and its results are those of these published formulas to the last
places: for I and K the polynomials 9.8.1 to 9.8.8 of Abramowitz and Stegun, "Handbook of Mathematical
Functions" (E. E. Allen, 1954/56); for J and Y below 8 quotients of polynomials, above 8 the asymptotic form
with polynomials in 8/x (J. F. Hart, "Computer Approximations", 1968), with the number of digits in which
"Numerical Recipes" prints their coefficients and the constants 2/pi, pi/4 and 3 pi/4. An exact computation
would differ from Excel in the ninth digit: BESSELJ(0, 0) is 1.00000000283141 there. From 8 on BESSELJ, and not
BESSELY, has two coefficients that differ from the published ones: two digits are transposed in one of order 0,
and one of order 1 stands twice. BESSELJ(10, 1) is off by 5e-7 for that; the values Excel stored at 10 and at 32
give both, to the last digit.

Coefficients stand from the constant term up.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

_TWO_OVER_PI = 0.636619772
_QUARTER_PI = 0.785398164
_THREE_QUARTERS_PI = 2.356194491
_ASYMPTOTIC_FROM = 8.0

_J0_OVER = (57568490574.0, -13362590354.0, 651619640.7, -11214424.18, 77392.33017, -184.9052456)
_J0_UNDER = (57568490411.0, 1029532985.0, 9494680.718, 59272.64853, 267.8532712, 1.0)
_Y0_OVER = (-2957821389.0, 7062834065.0, -512359803.6, 10879881.29, -86327.92757, 228.4622733)
_Y0_UNDER = (40076544269.0, 745249964.8, 7189466.438, 47447.26470, 226.1030244, 1.0)
_P0 = (1.0, -0.1098628627e-2, 0.2734510407e-4, -0.2073370639e-5, 0.2093887211e-6)
_P0_OF_J = (1.0, -0.1098628267e-2, *_P0[2:])
_Q0 = (-0.1562499995e-1, 0.1430488765e-3, -0.6911147651e-5, 0.7621095161e-6, -0.934935152e-7)

_J1_OVER = (72362614232.0, -7895059235.0, 242396853.1, -2972611.439, 15704.48260, -30.16036606)
_J1_UNDER = (144725228442.0, 2300535178.0, 18583304.74, 99447.43394, 376.9991397, 1.0)
_Y1_OVER = (
    -0.4900604943e13,
    0.1275274390e13,
    -0.5153438139e11,
    0.7349264551e9,
    -0.4237922726e7,
    0.8511937935e4,
)
_Y1_UNDER = (
    0.2499580570e14,
    0.4244419664e12,
    0.3733650367e10,
    0.2245904002e8,
    0.1020426050e6,
    0.3549632885e3,
    1.0,
)
_P1 = (1.0, 0.183105e-2, -0.3516396496e-4, 0.2457520174e-5, -0.240337019e-6)
_P1_OF_J = (*_P1[:3], *_P1[2:])
_Q1 = (0.04687499995, -0.2002690873e-3, 0.8449199096e-5, -0.88228987e-6, 0.105787412e-6)

_I_SMALL_BELOW = 3.75
_I0_SMALL = (1.0, 3.5156229, 3.0899424, 1.2067492, 0.2659732, 0.360768e-1, 0.45813e-2)
_I0_LARGE = (
    0.39894228, 0.1328592e-1, 0.225319e-2, -0.157565e-2, 0.916281e-2, -0.2057706e-1, 0.2635537e-1, -0.1647633e-1,
    0.392377e-2,
)  # fmt: skip
_I1_SMALL = (0.5, 0.87890594, 0.51498869, 0.15084934, 0.2658733e-1, 0.301532e-2, 0.32411e-3)
_I1_LARGE = (
    0.39894228, -0.3988024e-1, -0.362018e-2, 0.163801e-2, -0.1031555e-1, 0.2282967e-1, -0.2895312e-1, 0.1787654e-1,
    -0.420059e-2,
)  # fmt: skip

_K_SMALL_MAX = 2.0
_K0_SMALL = (-0.57721566, 0.42278420, 0.23069756, 0.3488590e-1, 0.262698e-2, 0.10750e-3, 0.74e-5)
_K0_LARGE = (1.25331414, -0.7832358e-1, 0.2189568e-1, -0.1062446e-1, 0.587872e-2, -0.251540e-2, 0.53208e-3)
_K1_SMALL = (1.0, 0.15443144, -0.67278579, -0.18156897, -0.1919402e-1, -0.110404e-2, -0.4686e-4)
_K1_LARGE = (1.25331414, 0.23498619, -0.3655620e-1, 0.1504268e-1, -0.780353e-2, 0.325614e-2, -0.68245e-3)


def bessel_j0(x: float) -> float:
    """J of order 0; even in x."""
    if abs(x) < _ASYMPTOTIC_FROM:
        square = x * x
        return _polynomial(_J0_OVER, square) / _polynomial(_J0_UNDER, square)
    cosine_part, sine_part, angle, scale = _wave(abs(x), _P0_OF_J, _Q0, _QUARTER_PI)
    return scale * (math.cos(angle) * cosine_part - math.sin(angle) * sine_part)


def bessel_y0(x: float) -> float:
    """Y of order 0, x above 0."""
    if x < _ASYMPTOTIC_FROM:
        square = x * x
        quotient = _polynomial(_Y0_OVER, square) / _polynomial(_Y0_UNDER, square)
        return quotient + _TWO_OVER_PI * bessel_j0(x) * math.log(x)
    cosine_part, sine_part, angle, scale = _wave(x, _P0, _Q0, _QUARTER_PI)
    return scale * (math.sin(angle) * cosine_part + math.cos(angle) * sine_part)


def bessel_j1(x: float) -> float:
    """J of order 1; odd in x."""
    if abs(x) < _ASYMPTOTIC_FROM:
        square = x * x
        return x * _polynomial(_J1_OVER, square) / _polynomial(_J1_UNDER, square)
    cosine_part, sine_part, angle, scale = _wave(abs(x), _P1_OF_J, _Q1, _THREE_QUARTERS_PI)
    return math.copysign(1.0, x) * scale * (math.cos(angle) * cosine_part - math.sin(angle) * sine_part)


def bessel_y1(x: float) -> float:
    """Y of order 1, x above 0."""
    if x < _ASYMPTOTIC_FROM:
        square = x * x
        quotient = x * _polynomial(_Y1_OVER, square) / _polynomial(_Y1_UNDER, square)
        return quotient + _TWO_OVER_PI * (bessel_j1(x) * math.log(x) - 1.0 / x)
    cosine_part, sine_part, angle, scale = _wave(x, _P1, _Q1, _THREE_QUARTERS_PI)
    return scale * (math.sin(angle) * cosine_part + math.cos(angle) * sine_part)


def bessel_i0(x: float) -> float:
    """I of order 0; even in x. Raises OverflowError where it is no double."""
    if abs(x) < _I_SMALL_BELOW:
        return _polynomial(_I0_SMALL, (x / _I_SMALL_BELOW) ** 2)
    return math.exp(abs(x)) / math.sqrt(abs(x)) * _polynomial(_I0_LARGE, _I_SMALL_BELOW / abs(x))


def bessel_i1(x: float) -> float:
    """I of order 1; odd in x. Raises OverflowError where it is no double."""
    if abs(x) < _I_SMALL_BELOW:
        return x * _polynomial(_I1_SMALL, (x / _I_SMALL_BELOW) ** 2)
    size = math.exp(abs(x)) / math.sqrt(abs(x)) * _polynomial(_I1_LARGE, _I_SMALL_BELOW / abs(x))
    return math.copysign(size, x)


def bessel_k0(x: float) -> float:
    """K of order 0, x above 0."""
    if x <= _K_SMALL_MAX:
        return -math.log(x / 2.0) * bessel_i0(x) + _polynomial(_K0_SMALL, x * x / 4.0)
    return math.exp(-x) / math.sqrt(x) * _polynomial(_K0_LARGE, 2.0 / x)


def bessel_k1(x: float) -> float:
    """K of order 1, x above 0."""
    if x <= _K_SMALL_MAX:
        return math.log(x / 2.0) * bessel_i1(x) + _polynomial(_K1_SMALL, x * x / 4.0) / x
    return math.exp(-x) / math.sqrt(x) * _polynomial(_K1_LARGE, 2.0 / x)


def _wave(
    x: float, even: Sequence[float], odd: Sequence[float], phase: float
) -> tuple[float, float, float, float]:
    """The two slowly changing factors, the angle and the size of the wave that J and Y are far out."""
    ratio = _ASYMPTOTIC_FROM / x
    square = ratio * ratio
    scale = math.sqrt(_TWO_OVER_PI / x)
    return _polynomial(even, square), ratio * _polynomial(odd, square), x - phase, scale


def _polynomial(coefficients: Sequence[float], x: float) -> float:
    result = 0.0
    for coefficient in reversed(coefficients):
        result = result * x + coefficient
    return result
