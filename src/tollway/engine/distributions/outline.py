"""What a picture of a distribution shows: its density or its probabilities, three percentiles, and where it is cut."""

import math
from dataclasses import dataclass

import numpy as np

from tollway.engine.distributions.adjusted import Adjusted
from tollway.engine.distributions.pert import Floats
from tollway.engine.distributions.shape import Distribution
from tollway.engine.distributions.steps import Stepped

POINTS = 97
PERCENTILES = (5, 50, 95)
# As many values as can be told apart as bars; more are put together in ranges.
_BARS_MAX, _RANGES = 100, 40
_VALUES_MAX = 20_000
# A value so likely is shown, however far it lies from the others.
_SHARE_SHOWN = 0.0005
_TAIL = 0.005
# An end stands at most so many times as far from the median as the outer percentile on its side, so that one heavy
# tail does not press all the rest against the other side. A normal's ends are nearer.
_REACH = 2.5
# How much of the picture shows what a truncation took away, on each side.
_BEYOND = 0.18
# A density may rise without bound, or in a peak too narrow to see: it is cut off at so many times the height that
# this share of the picture's width stays below.
_HEIGHT_SHARE, _HEIGHT_TIMES = 0.97, 3.0

Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Outline:
    """A distribution as numbers to draw. Heights are densities, or probabilities where it is stepped."""

    is_stepped: bool
    low: float
    """Where the picture begins."""
    high: float
    points: Points
    """(x, height) from left to right; of ranges, their middles."""
    range_width: float
    """How wide each range is whose probability is shown; 0 where every value is shown by itself."""
    percentiles: tuple[float, float, float]
    """Those of PERCENTILES."""
    cuts: tuple[float | None, float | None]
    """Where a truncation took away what lies below, and above."""
    beyond: Points
    """The shape as it was before the truncation, in the same measure; empty where nothing was cut."""
    top: float
    """The greatest height that is shown; a density without bound is cut off there."""


def outline_of(distribution: Distribution) -> Outline:
    """Give what a picture of a distribution shows, in the unit of its cell."""
    quantiles = distribution.exact_quantile(np.array([_TAIL, *(one / 100 for one in PERCENTILES), 1 - _TAIL]))
    first, p5, p50, p95, last = (float(value) for value in quantiles)
    low, high = max(first, p50 - _REACH * (p50 - p5)), min(last, p50 + _REACH * (p95 - p50))
    low, high = min(low, p5), max(high, p95)
    cuts = _cuts(distribution)
    if isinstance(_base(distribution), Stepped):
        return _stepped(distribution, low, high, (p5, p50, p95), cuts)
    low = low if cuts[0] is None else cuts[0]
    high = high if cuts[1] is None else cuts[1]
    # A support that ends near where the picture does is shown to its end, so that the curve comes down there.
    ends = distribution.exact_quantile(np.array([0.0, 1.0]))
    if cuts[0] is None and math.isfinite(ends[0]) and low - ends[0] < _BEYOND * (high - low):
        low = float(ends[0])
    if cuts[1] is None and math.isfinite(ends[1]) and ends[1] - high < _BEYOND * (high - low):
        high = float(ends[1])
    width = high - low
    start = low if cuts[0] is None else low - _BEYOND * width
    end = high if cuts[1] is None else high + _BEYOND * width
    x = _places(distribution, low, high)
    heights = _finite(distribution.density(x))
    beyond: Points = ()
    top = _top(heights, _finite(distribution.density(np.linspace(low, high, POINTS))))
    if isinstance(distribution, Adjusted) and cuts != (None, None):
        whole = np.linspace(start, end, POINTS)
        share = float(np.diff(distribution.base.cumulated(_inside(distribution, cuts)))[0])
        beyond = _pairs(whole, _finite(distribution.base.density(whole - distribution.shift)) / share)
    return Outline(
        is_stepped=False,
        low=start,
        high=end,
        points=_pairs(x, heights),
        range_width=0.0,
        percentiles=(p5, p50, p95),
        cuts=cuts,
        beyond=beyond,
        top=top,
    )


def _base(distribution: Distribution) -> Distribution:
    return distribution.base if isinstance(distribution, Adjusted) else distribution


def _cuts(distribution: Distribution) -> tuple[float | None, float | None]:
    """The ends of a truncation that took something away, as values of the cell."""
    if not isinstance(distribution, Adjusted):
        return None, None
    ends = distribution.exact_quantile(np.array([0.0, 1.0])).tolist()
    given = distribution.truncate or distribution.truncate_percentiles or (None, None)
    first, last = (None if bound is None else float(end) for bound, end in zip(given, ends, strict=True))
    return first, last


def _inside(distribution: Adjusted, cuts: tuple[float | None, float | None]) -> Floats:
    low, high = cuts
    return np.array(
        [
            -math.inf if low is None else low - distribution.shift,
            math.inf if high is None else high - distribution.shift,
        ]
    )


def _places(distribution: Distribution, low: float, high: float) -> Floats:
    """Where to read the density: evenly, and more where draws fall, with both ends, so that no peak is missed."""
    shares = np.linspace(_TAIL, 1 - _TAIL, POINTS // 2)
    draws = distribution.exact_quantile(shares)
    inside = draws[(draws > low) & (draws < high)]
    places: Floats = np.unique(np.concatenate([np.linspace(low, high, POINTS - POINTS // 2), inside]))
    return places


def _finite(heights: Floats) -> Floats:
    return np.nan_to_num(heights, nan=0.0, posinf=np.finfo(np.float64).max, neginf=0.0)


def _top(heights: Floats, even: Floats) -> float:
    """How high the picture reaches, from heights at all its points and at even ones."""
    bound = _HEIGHT_TIMES * float(np.quantile(even, _HEIGHT_SHARE))
    highest = float(heights.max())
    return min(highest, bound) if bound > 0 else highest


def _stepped(
    distribution: Distribution,
    low: float,
    high: float,
    percentiles: tuple[float, float, float],
    cuts: tuple[float | None, float | None],
) -> Outline:
    """Show each value with its probability, or ranges of values where there are too many."""
    likeliest = distribution.curve(_VALUES_MAX)
    shown = [(value, share) for value, share in likeliest if low <= value <= high or share >= _SHARE_SHOWN]
    if len(likeliest) < _VALUES_MAX and len(shown) <= _BARS_MAX:
        margin = float(min(np.diff([value for value, _ in shown]), default=1.0))
        points, width = tuple(shown), 0.0
        low, high = points[0][0] - margin, points[-1][0] + margin
    else:
        edges = np.linspace(low, high, _RANGES + 1)
        if _is_whole(distribution, low, high):
            # Ranges of equally many whole numbers; otherwise every second bar would stand out.
            step = math.ceil((high - low + 1) / _RANGES)
            edges = np.arange(low, high + step + 1, step) - 0.5
        shares = np.diff(distribution.cumulated(edges))
        # The least value lies at the first edge itself.
        shares[0] += float(distribution.cumulated(edges[:1])[0]) if edges[0] == low else 0.0
        width = float(edges[1] - edges[0])
        points = _pairs((edges[:-1] + edges[1:]) / 2, shares)
        low, high = float(edges[0]), float(edges[-1])
    return Outline(
        is_stepped=True,
        low=low,
        high=high,
        points=points,
        range_width=width,
        percentiles=percentiles,
        cuts=cuts,
        beyond=(),
        top=max(height for _, height in points),
    )


def _is_whole(distribution: Distribution, low: float, high: float) -> bool:
    drawn = distribution.exact_quantile(np.linspace(_TAIL, 1 - _TAIL, POINTS))
    return bool((drawn == np.floor(drawn)).all()) and low == math.floor(low) and high == math.floor(high)


def _pairs(x: Floats, heights: Floats) -> Points:
    return tuple(zip(x.tolist(), heights.tolist(), strict=True))
