"""Tests of hypotheses, and the interval of a mean. Source of each: Microsoft's page of that function."""

from __future__ import annotations

import math

from scipy import special

from tollway.engine.functions.registry import Argument, as_grid, function, numbers, whole
from tollway.engine.functions.statistical.beta_family import distance_outside, f_tails, two_tails
from tollway.engine.functions.statistical.incomplete import gamma_tails
from tollway.engine.functions.statistical.samples import (
    mean_of,
    pairs_of_numbers,
    probability,
    require,
    squared_deviations,
)
from tollway.engine.values import ErrorValue

# The kinds of T.TEST.
_PAIRED, _EQUAL_VARIANCES, _UNEQUAL_VARIANCES = 1, 2, 3


@function("CONFIDENCE.T", "number number number")
def student_confidence(alpha: float, deviation: float, size: float) -> float:
    """Half the width of the confidence interval of a mean, where the standard deviation is that of the sample.

    alpha: 1 minus the confidence, so 0.05 for 95 %. size: of the sample, cut to a whole number.
    Errors: #NUM! unless 0 < alpha < 1, the standard deviation is positive and the size 1 or more; #DIV/0! for
    a size of 1.
    """
    probability(alpha, zero=False, one=False)
    count = whole(size)
    require(deviation > 0.0 and count >= 1)
    require(count > 1, ErrorValue.DIV0)
    return distance_outside(alpha, count - 1) * deviation / math.sqrt(count)


@function("CHISQ.TEST", "array array")
@function("CHITEST", "array array")
def chi_squared_test(actual: Argument, expected: Argument) -> float:
    """The probability that counts differ as much from what was expected by chance alone.

    Errors: #N/A when the ranges differ in size or hold one cell; #DIV/0! where 0 is expected, or no place
    holds two numbers; #NUM! where so much less than 0 is expected that the sum of squares is below 0.
    """
    left, right = as_grid(actual), as_grid(expected)
    rows, columns = left.row_count, left.column_count
    require(rows * columns > 1, ErrorValue.NA)
    pairs = pairs_of_numbers(left, right)
    require(bool(pairs), ErrorValue.DIV0)
    for _, foreseen in pairs:
        require(foreseen != 0.0, ErrorValue.DIV0)
    freedom = (rows - 1) * (columns - 1) if rows > 1 and columns > 1 else rows * columns - 1
    distance = math.fsum((counted - foreseen) ** 2 / foreseen for counted, foreseen in pairs)
    require(distance >= 0.0)
    return gamma_tails(freedom / 2.0, distance / 2.0)[1]


@function("F.TEST", "array array")
@function("FTEST", "array array")
def f_test(left: Argument, right: Argument) -> float:
    """The probability, both tails, that two variances differ as much by chance alone.

    Errors: #DIV/0! for fewer than two numbers on a side, or numbers that are all equal.
    """
    x, y = numbers((left,)), numbers((right,))
    require(len(x) > 1 and len(y) > 1, ErrorValue.DIV0)
    x_variance = squared_deviations(x) / (len(x) - 1)
    y_variance = squared_deviations(y) / (len(y) - 1)
    require(x_variance > 0.0 and y_variance > 0.0, ErrorValue.DIV0)
    return 2.0 * min(f_tails(x_variance / y_variance, len(x) - 1, len(y) - 1))


@function("T.TEST", "array array number number")
@function("TTEST", "array array number number")
def t_test(left: Argument, right: Argument, tails: float, kind: float) -> float:
    """The probability that two means differ as much by chance alone.

    tails: 1 for one side, 2 for both. kind: 1 paired, 2 of equal variances, 3 of unequal variances. Both are
    cut to whole numbers.
    Errors: #N/A for paired samples of different size; #NUM! for other tails or kinds; #DIV/0! for too few
    numbers, or samples that do not vary.
    """
    count, chosen = whole(tails), whole(kind)
    require(count in (1, 2) and chosen in (_PAIRED, _EQUAL_VARIANCES, _UNEQUAL_VARIANCES))
    if chosen == _PAIRED:
        distance, freedom = _paired(left, right)
    else:
        distance, freedom = _unpaired(left, right, are_variances_equal=chosen == _EQUAL_VARIANCES)
    return two_tails(distance, freedom)[1] * count / 2.0


def _paired(left: Argument, right: Argument) -> tuple[float, float]:
    differences = [x - y for x, y in pairs_of_numbers(left, right)]
    n = len(differences)
    require(n > 1, ErrorValue.DIV0)
    error = math.sqrt(squared_deviations(differences) / (n - 1) / n)
    return abs(mean_of(differences)) / error, n - 1.0


def _unpaired(left: Argument, right: Argument, *, are_variances_equal: bool) -> tuple[float, float]:
    x, y = numbers((left,)), numbers((right,))
    require(len(x) > 1 and len(y) > 1, ErrorValue.DIV0)
    gap = abs(mean_of(x) - mean_of(y))
    x_squares, y_squares = squared_deviations(x), squared_deviations(y)
    if are_variances_equal:
        freedom = len(x) + len(y) - 2.0
        pooled = (x_squares + y_squares) / freedom
        return gap / math.sqrt(pooled * (1.0 / len(x) + 1.0 / len(y))), freedom
    x_share = x_squares / (len(x) - 1) / len(x)
    y_share = y_squares / (len(y) - 1) / len(y)
    both = x_share + y_share
    # Welch's degrees of freedom, which Excel does not round.
    freedom = both**2 / (x_share**2 / (len(x) - 1) + y_share**2 / (len(y) - 1))
    return gap / math.sqrt(both), freedom


@function("Z.TEST", "grid number [number]")
@function("ZTEST", "grid number [number]")
def z_test(sample: Argument, mean: float, deviation: float | None = None) -> float:
    """The probability that a sample's mean is larger than the one seen, where the true mean is given.

    deviation: the true standard deviation; without it, that of the sample counts.
    Errors: #N/A when there are no numbers; #NUM! unless the standard deviation is positive; #DIV/0! where the
    sample does not vary or is a single number.
    """
    found = numbers((sample,))
    n = len(found)
    require(n > 0, ErrorValue.NA)
    if deviation is None:
        require(n > 1, ErrorValue.DIV0)
        deviation = math.sqrt(squared_deviations(found) / (n - 1))
        require(deviation > 0.0, ErrorValue.DIV0)
    require(deviation > 0.0)
    # The complement as Microsoft's page writes it, with the digits that costs in the far tail.
    return 1.0 - float(special.ndtr((mean_of(found) - mean) / (deviation / math.sqrt(n))))
