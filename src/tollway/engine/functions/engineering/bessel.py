"""Bessel functions of whole orders. Source: Microsoft's pages; the formulas are explained in bessel_orders.

Upward recurrence where that is stable, else downward from an order high enough (J. C. P. Miller's algorithm).
"""

from __future__ import annotations

import math
from collections.abc import Callable

from tollway.engine.functions.engineering.bessel_orders import (
    bessel_i0,
    bessel_i1,
    bessel_j0,
    bessel_j1,
    bessel_k0,
    bessel_k1,
    bessel_y0,
    bessel_y1,
)
from tollway.engine.functions.registry import FailedError, function
from tollway.engine.values import ErrorValue

# The recurrences take as many steps as the order is high.
_ORDER_MAX = 100_000
# How far above the order the downward recurrence starts: more means more digits.
_DEPTH = 40.0
# When the downward recurrence has grown to this, it is scaled down.
_RESCALE_ABOVE = 1e10
_RESCALE_BY = 1e-10


@function("BESSELI", "single single")
def bessel_i(x: float, order: float) -> float:
    """The modified Bessel function I of an order, cut to an integer, at x.

    Errors: #NUM! for a negative order or on overflow, #VALUE! for a logical.
    """
    n = _order(order)
    if n < 2:
        return bessel_i0(x) if n == 0 else bessel_i1(x)
    if x == 0:
        return 0.0
    size = abs(x)
    above, here, wanted = 0.0, 1.0, 0.0
    for step in range(2 * (n + int(math.sqrt(_DEPTH * n))), 0, -1):
        above, here = here, above + step * (2.0 / size) * here
        if abs(here) > _RESCALE_ABOVE:
            above, here, wanted = above * _RESCALE_BY, here * _RESCALE_BY, wanted * _RESCALE_BY
        if step == n:
            wanted = above
    wanted *= bessel_i0(x) / here
    return -wanted if x < 0 and n % 2 else wanted


@function("BESSELJ", "single single")
def bessel_j(x: float, order: float) -> float:
    """The Bessel function J of an order, cut to an integer, at x.

    Errors: #NUM! for a negative order, #VALUE! for a logical.
    """
    n = _order(order)
    if n < 2:
        return bessel_j0(x) if n == 0 else bessel_j1(x)
    if x == 0:
        return 0.0
    size = abs(x)
    wanted = _upward(size, n, bessel_j0(size), bessel_j1(size), -1.0) if size > n else _j_downward(size, n)
    return -wanted if x < 0 and n % 2 else wanted


def _j_downward(size: float, n: int) -> float:
    above, here, wanted, total = 0.0, 1.0, 0.0, 0.0
    is_even = False
    for step in range(2 * ((n + int(math.sqrt(_DEPTH * n))) // 2), 0, -1):
        above, here = here, step * (2.0 / size) * here - above
        if abs(here) > _RESCALE_ABOVE:
            above, here = above * _RESCALE_BY, here * _RESCALE_BY
            wanted, total = wanted * _RESCALE_BY, total * _RESCALE_BY
        if is_even:
            total += here
        is_even = not is_even
        if step == n:
            wanted = above
    # 1 = J0 + 2 (J2 + J4 + ...) gives the scale.
    return wanted / (2.0 * total - here)


@function("BESSELK", "single single")
def bessel_k(x: float, order: float) -> float:
    """The modified Bessel function K of an order, cut to an integer, at x.

    Errors: #NUM! for a negative order, unless x is above 0, and on overflow; #VALUE! for a logical.
    """
    return _second_kind(x, order, bessel_k0, bessel_k1, 1.0)


@function("BESSELY", "single single")
def bessel_y(x: float, order: float) -> float:
    """The Bessel function Y of an order, cut to an integer, at x.

    Errors: #NUM! for a negative order, unless x is above 0, and on overflow; #VALUE! for a logical.
    """
    return _second_kind(x, order, bessel_y0, bessel_y1, -1.0)


def _second_kind(
    x: float, order: float, first: Callable[[float], float], second: Callable[[float], float], sign: float
) -> float:
    n = _order(order)
    if x <= 0:
        raise FailedError(ErrorValue.NUM)
    if n < 2:
        return first(x) if n == 0 else second(x)
    return _upward(x, n, first(x), second(x), sign)


def _upward(x: float, n: int, below: float, here: float, sign: float) -> float:
    """Order n from orders 0 and 1: f(k+1) = 2k/x f(k) + sign f(k-1)."""
    for step in range(1, n):
        below, here = here, step * (2.0 / x) * here + sign * below
        if math.isinf(here):
            raise FailedError(ErrorValue.NUM)
    return here


def _order(order: float) -> int:
    if not 0 <= order <= _ORDER_MAX:
        raise FailedError(ErrorValue.NUM)
    return math.trunc(order)
