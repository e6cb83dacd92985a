"""How far statistics may be off by chance: one standard deviation of what another run would show instead.

All of it holds for independent draws and is asymptotic: good from some hundred numbers on, for a percentile from some
ten on each side of it. Latin hypercube and Sobol draw more evenly than chance, so there it is an upper bound in
general.
"""

import math

import numpy as np

from tollway.engine.distributions.pert import Floats
from tollway.engine.runs.order_statistics import OrderStatistics, Tail

CONFIDENCE = 0.95
NORMAL_QUANTILE = 1.959963984540054
"""So many standard errors to either side make an interval of that confidence."""


def error_of_std(count: int, std: float, kurtosis: float) -> float:
    """Return the standard error of a standard deviation: std * sqrt((kurtosis + 2) / (4 n)), of the excess kurtosis.

    Source: Kendall and Stuart, "The Advanced Theory of Statistics", volume 1, chapter 10. Needs a finite fourth moment.
    """
    return std * math.sqrt(max(0.0, kurtosis + 2) / (4 * count))


def error_of_skewness(count: int, moments: Floats) -> float:
    """Return the standard error of the skewness, from standardised central moments 0 to 6.

    The delta method: an outcome z moves the skewness g by z^3 - g - 3 z - 3/2 g (z^2 - 1). Needs a finite sixth moment.
    Source: Kendall and Stuart, volume 1, chapter 10.
    """
    skewness = float(moments[3])
    return _error_of_influence(count, moments, [skewness / 2, -3.0, -1.5 * skewness, 1.0])


def error_of_kurtosis(count: int, moments: Floats) -> float:
    """Return the standard error of the kurtosis, from standardised central moments 0 to 8.

    The delta method: an outcome z moves the kurtosis k (3 for a normal distribution) by
    z^4 - k - 4 g z - 2 k (z^2 - 1), where g is the skewness. Needs a finite eighth moment.
    Source: Kendall and Stuart, volume 1, chapter 10.
    """
    skewness, kurtosis = float(moments[3]), float(moments[4])
    return _error_of_influence(count, moments, [kurtosis, -4 * skewness, -2 * kurtosis, 0.0, 1.0])


def _error_of_influence(count: int, moments: Floats, polynomial: list[float]) -> float:
    """The root of the mean square of a polynomial in z, over n."""
    square = np.convolve(polynomial, polynomial)
    return math.sqrt(max(0.0, float(square @ moments[: len(square)])) / count)


def ranks_around(count: int, percent: float) -> tuple[int, int]:
    """Return the ranks between which the standard error of a percentile is measured.

    They lie at the ends of its 95 % confidence interval: n p less and more 1.96 sqrt(n p (1 - p)).
    """
    share = percent / 100
    position, reach = (count - 1) * share, NORMAL_QUANTILE * math.sqrt(count * share * (1 - share))
    return max(0, math.floor(position - reach)), min(count - 1, math.ceil(position + reach))


def error_of_percentile(ordered: OrderStatistics, percent: float) -> float | None:
    """Return the standard error of a percentile; None of a single number.

    sqrt(p (1 - p) / n) over the density there, which is measured as the share of the numbers between two order
    statistics over their distance. Where the output jumps between few values, it is 0 as long as the percentile is
    inside one of them.
    Source: Kendall and Stuart, volume 1, chapter 10; the density after Siddiqui 1960, "Distribution of quantiles in
    samples from a bivariate population", between the ranks of Woodruff 1952.
    """
    low, high = ranks_around(ordered.count, percent)
    if low == high:
        return None
    share = percent / 100
    distance = ordered.at(high) - ordered.at(low)
    return math.sqrt(ordered.count * share * (1 - share)) * distance / (high - low)


def error_of_tail_mean(count: int, percent: float, tail: Tail) -> float:
    """Return the standard error of the mean at or below a percentile.

    sqrt((V + (1 - p) d^2) / (n p)), where V is the variance of the tail and d how far its mean lies from the
    percentile. Needs a tail with a finite variance, and some ten numbers in it.
    Source: Manistre and Hancock 2005, "Variance of the CTE estimator"; Trindade et al. 2007.
    """
    share = percent / 100
    mean = tail.first_sum / tail.count
    variance = max(0.0, tail.second_sum / tail.count - mean * mean)
    distance = tail.limit - (tail.origin + mean)
    return math.sqrt((variance + (1 - share) * distance * distance) / (count * share))


def error_of_share(count: int, cases: int) -> float:
    """Return the standard error of a share: of `cases` among `count`, at least one.

    Measured at the share that two more cases and two more of the others would make, so that a share of 0 or 1 is not
    taken for certain; from some hundred cases on that is sqrt(p (1 - p) / n).
    Source: Agresti and Coull 1998, "Approximate is better than exact for interval estimation of binomial proportions".
    """
    extra = NORMAL_QUANTILE * NORMAL_QUANTILE
    size = count + extra
    share = (cases + extra / 2) / size
    return math.sqrt(share * (1 - share) / size)
