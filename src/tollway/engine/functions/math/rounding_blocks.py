"""The rounding family over arrays, by the same decimal rule as values.decimal_round and values.floor_decimal.

Excel rounds what it sees in 15 significant digits, so 2.9999999999999996 already is 3. These forms give the
plain result and correct the lanes that stand that close to a boundary; where even this cannot decide, the
mask they return sends the lane to the exact scalar rule.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
# A result, and the lanes that the scalar rule must decide; None when there are none.
Masked = tuple[Floats, NDArray[np.bool_] | None]

# Closer to the next integer than this share, a number may be that integer in 15 digits.
_NEAR = 1e-12
# In units of the 15th digit: nearer is the integer for certain, further is not; scaling costs less than this.
_SURELY_SAME, _SURELY_OTHER = 0.25, 0.75
# Scaled numbers beyond this, and places beyond the next, are left to the scalar rule.
_SCALED_MAX = 1e12
_PLACE_MAX = 15


def _floored(values: Floats) -> Masked:
    """The integer at or below each value as seen in 15 digits."""
    largest = max(values.max(), -values.min())
    down = np.floor(values)
    fraction = values - down
    near_share = max(largest, 1.0) * _NEAR
    if largest <= _SCALED_MAX and fraction.max() < 1.0 - near_share:
        return down, None
    gap = down + 1.0 - values
    near = np.less(gap, np.maximum(np.abs(values), 1.0) * _NEAR)
    unit = np.power(10.0, np.floor(np.log10(np.abs(np.where(near, values, 1.0)))) - 14.0)
    down = down + (near & (gap < _SURELY_SAME * unit))
    doubt = near & (gap >= _SURELY_SAME * unit) & (gap <= _SURELY_OTHER * unit)
    return down, doubt | np.greater(np.abs(values), _SCALED_MAX)


def int_block(values: Floats) -> Masked:
    """INT."""
    return _floored(values)


def mod_block(values: Floats, divisors: Floats) -> Masked:
    """MOD. Remainders that may be rounding dust are left to the scalar rule."""
    quotients = np.asarray(values / divisors)
    down, doubt = _floored(quotients)
    remainders = values - divisors * down
    dust = np.less(np.abs(remainders), np.abs(values) * 2.0**-48) & np.not_equal(remainders, 0.0)
    return remainders, dust if doubt is None else doubt | dust


def round_block(values: Floats, digits: Floats | float) -> Masked:
    """ROUND: half is the boundary, for the number without its sign."""
    return _rounded(values, digits, 0.5, is_up=False)


def round_down_block(values: Floats, digits: Floats | float = 0.0) -> Masked:
    """ROUNDDOWN and TRUNC."""
    return _rounded(values, digits, 0.0, is_up=False)


def round_up_block(values: Floats, digits: Floats | float) -> Masked:
    """ROUNDUP: the negative of the integer at or below the negative."""
    return _rounded(values, digits, 0.0, is_up=True)


def _rounded(values: Floats, digits: Floats | float, offset: float, *, is_up: bool) -> Masked:
    places = np.trunc(digits)
    magnitude = np.abs(values)
    if isinstance(digits, float) and 0.0 <= places <= _PLACE_MAX:
        scale_up = 10.0 ** float(places)
        cut, doubt = _cut(magnitude * scale_up if places else magnitude, offset, is_up=is_up)
        return np.copysign(cut / scale_up if places else cut, values), doubt
    scale = np.power(10.0, np.minimum(np.abs(places), 300.0))
    is_fraction = places >= 0
    cut, doubt = _cut(np.where(is_fraction, magnitude * scale, magnitude / scale), offset, is_up=is_up)
    rounded = np.where(is_fraction, cut / scale, cut * scale)
    far = np.greater(np.abs(places), _PLACE_MAX)
    return np.copysign(rounded, values), far if doubt is None else doubt | far


def _cut(scaled: Floats, offset: float, *, is_up: bool) -> Masked:
    if is_up:
        negative, doubt = _floored(-scaled)
        return -negative, doubt
    return _floored(scaled + offset if offset else scaled)
