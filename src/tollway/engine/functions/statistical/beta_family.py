"""The distributions of the beta kind: beta, Student's t, F. Source of each: Microsoft's page of that function."""

from __future__ import annotations

import math

from tollway.engine.functions.registry import function, whole
from tollway.engine.functions.statistical.gamma_family import degrees_of_freedom
from tollway.engine.functions.statistical.incomplete import Tails, beta_quantile, beta_tails
from tollway.engine.functions.statistical.saddle_point import binomial_term, deviance, stirling_error
from tollway.engine.functions.statistical.samples import probability, require
from tollway.engine.values import ErrorValue


@function("BETA.DIST", "number number number logical [number number]")
def beta(
    value: float,
    alpha: float,
    beta: float,
    is_cumulative: bool,
    lowest: float | None = None,
    highest: float | None = None,
) -> float:
    """The probability below a value in a beta distribution, or its density there.

    alpha, beta: its shapes. lowest, highest: its ends, 0 and 1 unless given.
    Errors: #NUM! for alpha or beta not above 0, a value outside the ends, ends that are equal, and for the
    density at 0 and 1; at ends that are given, Excel has a density of 0 (HyperFormula's list of differences).
    """
    low, high = 0.0 if lowest is None else lowest, 1.0 if highest is None else highest
    require(alpha > 0.0 and beta > 0.0 and low < high and low <= value <= high)
    width = high - low
    below, above = (value - low) / width, (high - value) / width
    if is_cumulative:
        return beta_tails(alpha, beta, below, above)[0]
    if 0.0 in (below, above):
        require(lowest is not None)
        return 0.0
    term = binomial_term(alpha, beta, below, above)
    return term * alpha * beta / ((alpha + beta) * below * above) / width


@function("BETADIST", "number number number [number number]")
def beta_cumulative(
    value: float, alpha: float, beta_shape: float, lowest: float = 0.0, highest: float = 1.0
) -> float:
    """The probability below a value in a beta distribution.

    alpha, beta: its shapes. lowest, highest: its ends, 0 and 1 unless given.
    Errors: #NUM! for alpha or beta not above 0, a value outside the ends, and ends that are equal.
    """
    return float(beta(value, alpha, beta_shape, True, lowest, highest))


@function("BETA.INV", "number number number [number number]")
@function("BETAINV", "number number number [number number]")
def beta_inverse(
    chance: float, alpha: float, beta: float, lowest: float = 0.0, highest: float = 1.0
) -> float:
    """The value with a probability below it in a beta distribution.

    alpha, beta: its shapes. lowest, highest: its ends, 0 and 1 unless given.
    Errors: #NUM! unless 0 < probability < 1, alpha and beta are above 0, and lowest is below highest.
    """
    require(alpha > 0.0 and beta > 0.0 and lowest < highest)
    below = probability(chance, zero=False, one=False)
    return lowest + beta_quantile(alpha, beta, below, 1.0 - below)[0] * (highest - lowest)


# --- Student's t ---------------------------------------------------------------------------------------


@function("T.DIST", "number number logical")
def student(value: float, freedom: float, is_cumulative: bool) -> float:
    """The probability below a value in Student's t distribution, or its density there.

    freedom: degrees of freedom, cut to a whole number.
    Errors: #NUM! for degrees of freedom below 1; #DIV/0! for a density with 0 of them.
    """
    require(is_cumulative or whole(freedom) != 0, ErrorValue.DIV0)
    degrees = student_freedom(freedom)
    if is_cumulative:
        outside = two_tails(abs(value), degrees)[1] / 2.0
        return outside if value < 0.0 else 1.0 - outside
    half = degrees / 2.0
    exponent = stirling_error(half + 0.5) - stirling_error(half) - deviance(half, half + 0.5)
    spread = value * value / degrees
    exponent -= half * math.log1p(spread)
    return math.exp(exponent) / math.sqrt(2.0 * math.pi * (1.0 + spread))


def student_freedom(value: float) -> int:
    """Degrees of freedom as a whole number, without an upper limit; #NUM! below 1."""
    freedom = whole(value)
    require(freedom >= 1)
    return freedom


def two_tails(distance: float, degrees: float) -> Tails:
    """The probabilities of being nearer to 0 than a distance, and farther away, in Student's t distribution."""
    square = distance * distance
    if math.isinf(square):
        return 1.0, 0.0
    return beta_tails(0.5, degrees / 2.0, square / (degrees + square), degrees / (degrees + square))


@function("T.DIST.2T", "number number")
def student_outside(value: float, freedom: float) -> float:
    """The probability of being farther from 0 than a value in Student's t distribution.

    freedom: degrees of freedom, cut to a whole number.
    Errors: #NUM! for a negative value, and degrees of freedom below 1.
    """
    require(value >= 0.0)
    return two_tails(value, student_freedom(freedom))[1]


@function("T.DIST.RT", "number number")
def student_above(value: float, freedom: float) -> float:
    """The probability above a value in Student's t distribution.

    freedom: degrees of freedom, cut to a whole number.
    Errors: #NUM! for degrees of freedom below 1.
    """
    outside = two_tails(abs(value), student_freedom(freedom))[1] / 2.0
    return 1.0 - outside if value < 0.0 else outside


@function("TDIST", "number number number")
def student_tails(value: float, freedom: float, tails: float) -> float:
    """The probability above a value in Student's t distribution, or that of being farther from 0.

    freedom: degrees of freedom, cut to a whole number. tails: 1 for above, 2 for farther away.
    Errors: #NUM! for a negative value, degrees of freedom below 1, and other tails.
    """
    count = whole(tails)
    require(value >= 0.0 and count in (1, 2))
    return two_tails(value, student_freedom(freedom))[1] * count / 2.0


@function("T.INV", "number number")
def student_inverse(chance: float, freedom: float) -> float:
    """The value with a probability below it in Student's t distribution.

    freedom: degrees of freedom, cut to a whole number.
    Errors: #DIV/0! for a probability of 0; #NUM! unless it is below 1 and the degrees of freedom are 1 or more.
    """
    below = probability(chance, one=False)
    degrees = student_freedom(freedom)
    require(below > 0.0, ErrorValue.DIV0)
    if below < 0.5:
        return -distance_outside(2.0 * below, degrees)
    return distance_outside(2.0 * (1.0 - below), degrees)


@function("T.INV.2T", "number number")
@function("TINV", "number number")
def student_inverse_outside(chance: float, freedom: float) -> float:
    """The distance from 0 beyond which a probability lies in Student's t distribution, both sides together.

    freedom: degrees of freedom, cut to a whole number.
    Errors: #DIV/0! for a probability of 0; #NUM! unless it is up to 1 and the degrees of freedom are 1 or more.
    """
    outside, degrees = probability(chance), student_freedom(freedom)
    require(outside > 0.0, ErrorValue.DIV0)
    return distance_outside(outside, degrees)


def distance_outside(outside: float, degrees: float) -> float:
    """The distance from 0 beyond which a probability lies, above 0 and up to 1, both sides together."""
    if outside == 1.0:
        return 0.0
    near, far = beta_quantile(0.5, degrees / 2.0, 1.0 - outside, outside)
    require(far > 0.0)
    return math.sqrt(degrees * near / far)


# --- F -------------------------------------------------------------------------------------------------


@function("F.DIST", "number number number logical")
def f_distribution(value: float, freedom: float, other_freedom: float, is_cumulative: bool) -> float:
    """The probability below a value in an F distribution, or its density there.

    freedom, other_freedom: degrees of freedom of numerator and denominator, cut to whole numbers.
    Errors: #NUM! for a negative value, degrees of freedom outside 1 to 10^10, and a density that is infinite.
    """
    require(value >= 0.0)
    degrees, other = degrees_of_freedom(freedom), degrees_of_freedom(other_freedom)
    if is_cumulative:
        return f_tails(value, degrees, other)[0]
    if value == 0.0:
        require(degrees >= 2)
        return 1.0 if degrees == 2 else 0.0
    whole_sum = degrees * value + other
    a, b = degrees / 2.0, other / 2.0
    return binomial_term(a, b, degrees * value / whole_sum, other / whole_sum) * a * b / ((a + b) * value)


def f_tails(value: float, degrees: float, other: float) -> Tails:
    """The probabilities below and above a value from 0 in an F distribution."""
    whole_sum = degrees * value + other
    if math.isinf(whole_sum):
        return 1.0, 0.0
    return beta_tails(degrees / 2.0, other / 2.0, degrees * value / whole_sum, other / whole_sum)


@function("F.DIST.RT", "number number number")
@function("FDIST", "number number number")
def f_above(value: float, freedom: float, other_freedom: float) -> float:
    """The probability above a value in an F distribution.

    freedom, other_freedom: degrees of freedom of numerator and denominator, cut to whole numbers.
    Errors: #NUM! for a negative value, and degrees of freedom outside 1 to 10^10.
    """
    require(value >= 0.0)
    return f_tails(value, degrees_of_freedom(freedom), degrees_of_freedom(other_freedom))[1]


@function("F.INV", "number number number")
def f_inverse(chance: float, freedom: float, other_freedom: float) -> float:
    """The value with a probability below it in an F distribution.

    freedom, other_freedom: degrees of freedom of numerator and denominator, cut to whole numbers.
    Errors: #NUM! unless 0 <= probability < 1 and the degrees of freedom are 1 to 10^10.
    """
    below = probability(chance, one=False)
    return _f_quantile((below, 1.0 - below), freedom, other_freedom)


@function("F.INV.RT", "number number number")
@function("FINV", "number number number")
def f_inverse_above(chance: float, freedom: float, other_freedom: float) -> float:
    """The value with a probability above it in an F distribution.

    freedom, other_freedom: degrees of freedom of numerator and denominator, cut to whole numbers.
    Errors: #NUM! unless 0 < probability <= 1 and the degrees of freedom are 1 to 10^10.
    """
    above = probability(chance, zero=False)
    return _f_quantile((1.0 - above, above), freedom, other_freedom)


def _f_quantile(tails: Tails, freedom: float, other_freedom: float) -> float:
    degrees, other = degrees_of_freedom(freedom), degrees_of_freedom(other_freedom)
    if tails[0] == 0.0:
        return 0.0
    x, y = beta_quantile(degrees / 2.0, other / 2.0, *tails)
    require(y > 0.0)
    return other * x / (degrees * y)
