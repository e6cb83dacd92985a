"""The standard normal quantile, by the rational approximations that Excel uses.

Source: M. J. Wichura, "Algorithm AS 241: The Percentage Points of the Normal Distribution", Applied Statistics 37
(1988), routine PPND16, good to about 1 in 10^16. That Excel uses it shows in the last digits of what it stores:
NORM.S.INV(0.975) is 1.9599639845400536 there, three units below the nearest double, and so it is here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

# Up to this distance from 1/2 the central approximation holds; beyond it, one in sqrt(-log(tail)) up to 5, and another.
_CENTRAL = 0.425
_CENTRAL_SQUARED = 0.180625
_FAR = 5.0

_CENTRAL_TOP = (
    3.3871328727963666080e0,
    1.3314166789178437745e2,
    1.9715909503065514427e3,
    1.3731693765509461125e4,
    4.5921953931549871457e4,
    6.7265770927008700853e4,
    3.3430575583588128105e4,
    2.5090809287301226727e3,
)
_CENTRAL_BOTTOM = (
    1.0,
    4.2313330701600911252e1,
    6.8718700749205790830e2,
    5.3941960214247511077e3,
    2.1213794301586595867e4,
    3.9307895800092710610e4,
    2.8729085735721942674e4,
    5.2264952788528545610e3,
)
_NEAR_TOP = (
    1.42343711074968357734e0,
    4.63033784615654529590e0,
    5.76949722146069140550e0,
    3.64784832476320460504e0,
    1.27045825245236838258e0,
    2.41780725177450611770e-1,
    2.27238449892691845833e-2,
    7.74545014278341407640e-4,
)
_NEAR_BOTTOM = (
    1.0,
    2.05319162663775882187e0,
    1.67638483018380384940e0,
    6.89767334985100004550e-1,
    1.48103976427480074590e-1,
    1.51986665636164571966e-2,
    5.47593808499534494600e-4,
    1.05075007164441684324e-9,
)
_FAR_TOP = (
    6.65790464350110377720e0,
    5.46378491116411436990e0,
    1.78482653991729133580e0,
    2.96560571828504891230e-1,
    2.65321895265761230930e-2,
    1.24266094738807843860e-3,
    2.71155556874348757815e-5,
    2.01033439929228813265e-7,
)
_FAR_BOTTOM = (
    1.0,
    5.99832206555887937690e-1,
    1.36929880922735805310e-1,
    1.48753612908506148525e-2,
    7.86869131145613259100e-4,
    1.84631831751005468180e-5,
    1.42151175831644588870e-7,
    2.04426310338993978564e-15,
)


def normal_quantile(below: float) -> float:
    """The standard normal value with a probability below it, which lies strictly between 0 and 1."""
    offset = below - 0.5
    if abs(offset) <= _CENTRAL:
        rest = _CENTRAL_SQUARED - offset * offset
        return offset * _polynomial(_CENTRAL_TOP, rest) / _polynomial(_CENTRAL_BOTTOM, rest)
    distance = math.sqrt(-math.log(below if offset < 0.0 else 1.0 - below))
    if distance <= _FAR:
        rest = distance - 1.6
        value = _polynomial(_NEAR_TOP, rest) / _polynomial(_NEAR_BOTTOM, rest)
    else:
        rest = distance - _FAR
        value = _polynomial(_FAR_TOP, rest) / _polynomial(_FAR_BOTTOM, rest)
    return -value if offset < 0.0 else value


def _polynomial(coefficients: Sequence[float], x: float) -> float:
    total = 0.0
    for coefficient in reversed(coefficients):
        total = total * x + coefficient
    return total
