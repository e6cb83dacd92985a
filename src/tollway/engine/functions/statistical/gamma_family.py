"""The gamma function and the distributions of its kind: gamma, chi-squared, exponential, Weibull.

Source of each, unless it says otherwise: Microsoft's page of that function.
"""

from __future__ import annotations

import math

from scipy import special

from tollway.engine.functions.registry import function, whole
from tollway.engine.functions.statistical.incomplete import Tails, gamma_quantile, gamma_tails
from tollway.engine.functions.statistical.saddle_point import poisson_term
from tollway.engine.functions.statistical.samples import probability, require

# Excel takes no more degrees of freedom.
FREEDOM_MAX = 10**10
# exp(-exp(700)) is 0 for good, and a power beyond exp(709) is no double.
_EXPONENT_MAX = 700.0


@function("GAMMA", "number")
def gamma(value: float) -> float:
    """The gamma function, which at a whole number n + 1 is n factorial.

    Errors: #NUM! for 0, negative whole numbers, and where the result is too large.
    """
    return math.gamma(value)


@function("GAMMALN", "number")
@function("GAMMALN.PRECISE", "number")
def gamma_logarithm(value: float) -> float:
    """The natural logarithm of the gamma function.

    Errors: #NUM! unless the value is above 0.
    """
    require(value > 0.0)
    return float(special.gammaln(value))


@function("GAMMA.DIST", "number number number logical")
@function("GAMMADIST", "number number number logical")
def gamma_distribution(value: float, alpha: float, beta: float, is_cumulative: bool) -> float:
    """The probability below a value in a gamma distribution, or its density there.

    alpha: its shape. beta: its scale; the mean is alpha times beta.
    Errors: #NUM! for a negative value, alpha or beta not above 0, and a density that is infinite.
    """
    require(value >= 0.0 and alpha > 0.0 and beta > 0.0)
    if is_cumulative:
        return gamma_tails(alpha, value / beta)[0]
    return _density(value / beta, alpha) / beta


def _density(x: float, shape: float) -> float:
    if x > 0.0:
        return poisson_term(shape, x) * shape / x
    require(shape >= 1.0)
    return 1.0 if shape == 1.0 else 0.0


@function("GAMMA.INV", "number number number")
@function("GAMMAINV", "number number number")
def gamma_inverse(chance: float, alpha: float, beta: float) -> float:
    """The value with a probability below it in a gamma distribution.

    alpha: its shape. beta: its scale.
    Errors: #NUM! unless 0 <= probability < 1, and alpha and beta are above 0.
    """
    require(alpha > 0.0 and beta > 0.0)
    below = probability(chance, one=False)
    return beta * _quantile(alpha, (below, 1.0 - below))


def _quantile(shape: float, tails: Tails) -> float:
    return 0.0 if tails[0] == 0.0 else gamma_quantile(shape, *tails)


@function("CHISQ.DIST", "number number logical")
def chi_squared(value: float, freedom: float, is_cumulative: bool) -> float:
    """The probability below a value in a chi-squared distribution, or its density there.

    freedom: degrees of freedom, cut to a whole number.
    Errors: #NUM! for a negative value, degrees of freedom outside 1 to 10^10, and a density that is infinite.
    """
    require(value >= 0.0)
    shape = degrees_of_freedom(freedom) / 2.0
    if is_cumulative:
        return gamma_tails(shape, value / 2.0)[0]
    return _density(value / 2.0, shape) / 2.0


@function("CHIDIST", "number number")
@function("CHISQ.DIST.RT", "number number")
def chi_squared_above(value: float, freedom: float) -> float:
    """The probability above a value in a chi-squared distribution.

    freedom: degrees of freedom, cut to a whole number.
    Errors: #NUM! for a negative value, and degrees of freedom outside 1 to 10^10.
    """
    require(value >= 0.0)
    return gamma_tails(degrees_of_freedom(freedom) / 2.0, value / 2.0)[1]


@function("CHISQ.INV", "number number")
def chi_squared_inverse(chance: float, freedom: float) -> float:
    """The value with a probability below it in a chi-squared distribution.

    freedom: degrees of freedom, cut to a whole number.
    Errors: #NUM! unless 0 <= probability < 1 and the degrees of freedom are 1 to 10^10.
    """
    below = probability(chance, one=False)
    return 2.0 * _quantile(degrees_of_freedom(freedom) / 2.0, (below, 1.0 - below))


@function("CHIINV", "number number")
@function("CHISQ.INV.RT", "number number")
def chi_squared_inverse_above(chance: float, freedom: float) -> float:
    """The value with a probability above it in a chi-squared distribution.

    freedom: degrees of freedom, cut to a whole number.
    Errors: #NUM! unless 0 < probability <= 1 and the degrees of freedom are 1 to 10^10.
    """
    above = probability(chance, zero=False)
    return 2.0 * _quantile(degrees_of_freedom(freedom) / 2.0, (1.0 - above, above))


def degrees_of_freedom(value: float) -> int:
    """Degrees of freedom as a whole number; #NUM! outside 1 to 10^10."""
    freedom = whole(value)
    require(1 <= freedom <= FREEDOM_MAX)
    return freedom


@function("EXPON.DIST", "number number logical")
@function("EXPONDIST", "number number logical")
def exponential(value: float, rate: float, is_cumulative: bool) -> float:
    """The probability below a value in an exponential distribution, or its density there.

    rate: lambda, the reciprocal of the mean.
    Errors: #NUM! for a negative value, or a rate not above 0.
    """
    require(value >= 0.0 and rate > 0.0)
    return -math.expm1(-rate * value) if is_cumulative else rate * math.exp(-rate * value)


@function("WEIBULL", "number number number logical")
@function("WEIBULL.DIST", "number number number logical")
def weibull(value: float, alpha: float, beta: float, is_cumulative: bool) -> float:
    """The probability below a value in a Weibull distribution, or its density there.

    alpha: its shape. beta: its scale.
    Errors: #NUM! for a negative value, or alpha or beta not above 0.
    """
    require(value >= 0.0 and alpha > 0.0 and beta > 0.0)
    share = value / beta
    if share > 1.0 and alpha * math.log(share) > _EXPONENT_MAX:
        return 1.0 if is_cumulative else 0.0
    if is_cumulative:
        return -math.expm1(-math.pow(share, alpha))
    if share == 0.0:
        # So Excel has it, even where the density is not 0 there.
        return 0.0
    return alpha / beta * math.pow(share, alpha - 1.0) * math.exp(-math.pow(share, alpha))
