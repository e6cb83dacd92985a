"""A shape cut off at values or percentiles, moved by a shift, or both."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from scipy.special import ndtr

from tollway.engine.distributions.parameters import BadDistribution, number, shown
from tollway.engine.distributions.pert import Floats
from tollway.engine.distributions.quadrature import quantile_moments, tail_moments
from tollway.engine.distributions.shape import CURVE_POINTS_MIN, Distribution
from tollway.engine.distributions.steps import Stepped

TRUNCATION_SHARE_MIN = 1e-6
"""The least part of a shape that a truncation may leave; below it the digits of a uniform would be too few."""

# What lies beyond this part of a heavy tail is integrated on its own.
_FAR_TAIL = 1e-9
_FIRST_UNIFORM, _LAST_UNIFORM = 2.0**-54, 1 - 2.0**-53

Ends = tuple[float | None, float | None]


@dataclass(frozen=True)
class Adjusted(Distribution):
    """A shape of which only a part is drawn, and then moved: as RiskTruncate (or RiskTruncateP) and RiskShift.

    The truncation is in the shape's own unit and comes first; the shift is added to what it leaves. Values at the
    ends of a truncation are kept. Only one of `truncate` and `truncate_percentiles` may be there.
    """

    kind: ClassVar[str] = "adjusted"
    base: Distribution
    truncate: Ends | None = None
    truncate_percentiles: Ends | None = None
    """In percent, 0 to 100."""
    shift: float = 0.0

    def __post_init__(self) -> None:
        """Refuse ends that cannot be meant or leave nothing. Raises: BadDistribution."""
        assert not isinstance(self.base, Adjusted), self.base
        object.__setattr__(self, "kind", self.base.kind)
        object.__setattr__(self, "shift", number(self.base.kind, "shift", self.shift))
        for name in ("truncate", "truncate_percentiles"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, self._checked_ends(name, getattr(self, name)))
        if self.truncate is not None and self.truncate_percentiles is not None:
            raise BadDistribution(
                f"This {self.kind} distribution is truncated both at values and at percentiles; give one of the two.",
                field="distribution.truncate_percentiles",
            )
        if not self._share >= TRUNCATION_SHARE_MIN or not self._first < self._last:
            field = "truncate" if self.truncate_percentiles is None else "truncate_percentiles"
            raise BadDistribution(
                f"The truncation of this {self.kind} distribution leaves {self._left_words()}; "
                "move its ends apart, or to where draws fall.",
                field=f"distribution.{field}",
            )

    @cached_property
    def mean(self) -> float:
        """Expected value of what is left, by quadrature; the median where there is none."""
        return self._centre_and_spread[0] + self.shift

    @cached_property
    def std(self) -> float:
        """Standard deviation of what is left, by quadrature; half the middle 68 % where there is none."""
        return self._centre_and_spread[1]

    @property
    def finite_moments(self) -> int:
        """Those of the shape, unless each of its heavy tails is cut off."""
        return self.base.finite_moments if any(self._open_heavy_tails) else 2

    def quantile(self, uniforms: Floats) -> Floats:
        """Invert the part that is left."""
        return self._adjusted(self.base.quantile(self._inner(uniforms)))

    def exact_quantile(self, uniforms: Floats) -> Floats:
        """Invert it without tables."""
        return self._adjusted(self.base.exact_quantile(self._inner(uniforms)))

    def cumulated(self, x: Floats) -> Floats:
        """Probability of a draw at or below each x."""
        x = np.asarray(x, dtype=np.float64) - self.shift
        shares = (self.base.cumulated(x) - self._shares[0]) / self._share
        shares = np.where(x >= self._last, 1.0, shares)
        return np.where(x < self._first, 0.0, np.clip(shares, 0, 1))

    def density(self, x: Floats) -> Floats:
        """Density at each x, 0 where it is cut off."""
        x = np.asarray(x, dtype=np.float64) - self.shift
        inside = (x >= self._first) & (x <= self._last)
        return np.where(inside, self.base.density(x) / self._share, 0.0)

    def curve(self, point_count: int) -> list[tuple[float, float]]:
        """(x, density) points of what is left; (value, probability) for a discrete shape."""
        assert point_count >= CURVE_POINTS_MIN, point_count
        if isinstance(self.base, Stepped):
            kept = [
                (value + self.shift, share / self._share)
                for value, share in self.base.curve(max(point_count, 2) * 64)
                if self._first <= value <= self._last
            ]
            return sorted(sorted(kept, key=lambda point: -point[1])[:point_count])
        low = self._first if self._bounds[0] is not None else None
        high = self._last if self._bounds[1] is not None else None
        quantiles = self.base.exact_quantile(self._inner(np.array([0.005, 0.995])))
        start, end = (quantiles[0] if low is None else low), (quantiles[1] if high is None else high)
        x = np.linspace(start, end, point_count) + self.shift
        inner = np.clip(x - self.shift, self._first, self._last)
        with np.errstate(all="ignore"):
            heights = self.base.density(inner) / self._share
        return list(zip(x.tolist(), np.where(np.isfinite(heights), heights, 0.0).tolist(), strict=True))

    def describe(self) -> str:
        """Name the shape, what is left of it and how far it is moved."""
        words = self.base.describe()
        for ends, unit in ((self.truncate, ""), (self.truncate_percentiles, " %")):
            if ends is not None:
                low, high = (None if end is None else shown(end) + unit for end in ends)
                between = (
                    f"from {low} to {high}" if low and high else f"from {low}" if low else f"up to {high}"
                )
                words += f", truncated {between}"
        return words + (f", shifted by {shown(self.shift)}" if self.shift else "")

    def as_json(self) -> dict[str, Any]:
        """Give the form that `parse_distribution` reads back."""
        form = self.base.as_json()
        for name in ("truncate", "truncate_percentiles"):
            if getattr(self, name) is not None:
                form[name] = list(getattr(self, name))
        return form | ({"shift": self.shift} if self.shift else {})

    @cached_property
    def _bounds(self) -> Ends:
        """The ends as values of the shape."""
        if self.truncate_percentiles is None:
            return self.truncate or (None, None)
        low, high = self.truncate_percentiles
        return self._percentile(low), self._percentile(high)

    def _percentile(self, percent: float | None) -> float | None:
        return None if percent is None else float(self.base.exact_quantile(np.array([percent / 100]))[0])

    @cached_property
    def _shares(self) -> tuple[float, float]:
        """Probabilities of the shape below what is left, and up to its end."""
        low, high = self._bounds
        # What lies at the low end itself is kept, which matters where draws come in steps.
        below = -math.inf if low is None else math.nextafter(low, -math.inf)
        first = 0.0 if low is None else float(self.base.cumulated(np.array([below]))[0])
        last = 1.0 if high is None else float(self.base.cumulated(np.array([high]))[0])
        return first, last

    @property
    def _share(self) -> float:
        return self._shares[1] - self._shares[0]

    @cached_property
    def _first(self) -> float:
        """The least value that is left."""
        return self._end(_FIRST_UNIFORM, self._bounds[0], is_low=True)

    @cached_property
    def _last(self) -> float:
        """The largest value that is left."""
        return self._end(_LAST_UNIFORM, self._bounds[1], is_low=False)

    def _end(self, uniform: float, bound: float | None, *, is_low: bool) -> float:
        share = self._shares[0] + self._share * uniform
        # A step's own share reaches to its upper edge, so the inside of the next one leads to it.
        inside = np.nextafter(share, 1.0 if is_low else 0.0)
        reached = self.base.exact_quantile(np.clip(np.array([inside]), _FIRST_UNIFORM, _LAST_UNIFORM))
        value = float(reached[0])
        if bound is None or isinstance(self.base, Stepped):
            return value
        low, high = self.base.exact_quantile(np.array([0.0, 1.0]))
        return max(bound, float(low)) if is_low else min(bound, float(high))

    def _inner(self, uniforms: Floats) -> Floats:
        """Where in the whole shape each uniform of the part falls."""
        uniforms = np.asarray(uniforms, dtype=np.float64)
        if self._shares == (0.0, 1.0):
            return uniforms
        first, last = self._shares
        low = first if self._bounds[0] is not None else 0.0
        inner = low + (last - low) * uniforms
        # Rounding must not reach an infinite end that no uniform below 1 would.
        return np.where((uniforms > 0) & (uniforms < 1), np.clip(inner, _FIRST_UNIFORM, _LAST_UNIFORM), inner)

    def _adjusted(self, draws: Floats) -> Floats:
        low, high = self._bounds
        if low is not None or high is not None:
            draws = np.clip(
                draws, -math.inf if low is None else self._first, math.inf if high is None else self._last
            )
        return draws + self.shift if self.shift else draws

    @property
    def _open_heavy_tails(self) -> tuple[bool, bool]:
        heavy_low, heavy_high = self.base.heavy
        low, high = self._bounds
        return heavy_low and low is None, heavy_high and high is None

    @cached_property
    def _centre_and_spread(self) -> tuple[float, float]:
        if self._shares == (0.0, 1.0):
            return self.base.mean, self.base.std
        if isinstance(self.base, Stepped):
            return self.base.truncated_moments(self._first, self._last)
        median, one_below, one_above = self._unshifted(np.array([0.5, *ndtr([-1.0, 1.0])])).tolist()
        spread = (one_above - one_below) / 2
        if self.finite_moments == 0:
            return median, spread
        mean, std = self._quadrature()
        return mean, std if self.finite_moments == 2 else spread

    def _unshifted(self, uniforms: Floats) -> Floats:
        draws: Floats = self.base.exact_quantile(self._inner(uniforms))
        return draws

    def _quadrature(self) -> tuple[float, float]:
        """Integrate the inverse over the part, and far heavy tails by their density."""
        low_tail, high_tail = self._open_heavy_tails
        first, last = (_FAR_TAIL if low_tail else 0.0), (1 - _FAR_TAIL if high_tail else 1.0)
        kinks = [(kink - self._shares[0]) / self._share for kink in self.base.kinks]
        kinks = [(kink - first) / (last - first) for kink in kinks if first < kink < last]
        mean, std = quantile_moments(lambda u: self._unshifted(first + (last - first) * u), kinks)
        if not (low_tail or high_tail):
            return mean, std
        near, far = self._unshifted(np.array([_FAR_TAIL, 1 - _FAR_TAIL]))
        share, first_moment, second_moment = last - first, 0.0, std * std * (last - first)
        for is_open, start, sign in ((low_tail, near, -1.0), (high_tail, far, 1.0)):
            if is_open:
                one, two = tail_moments(lambda x: self.base.density(x) / self._share, start, mean, sign)
                first_moment, second_moment = first_moment + one, second_moment + two
        assert share > 0
        return mean + first_moment, math.sqrt(max(second_moment - first_moment**2, 0.0))

    def _checked_ends(self, name: str, given: object) -> Ends:
        if not isinstance(given, tuple | list) or len(given) != 2 or given[0] is given[1] is None:
            raise BadDistribution(
                f"{name} of this {self.kind} distribution must be a pair of numbers, such as [0, 20], of which one may "
                "be null.",
                field=f"distribution.{name}",
            )
        low, high = (
            None if end is None else number(self.kind, f"{name}[{at}]", end) for at, end in enumerate(given)
        )
        if low is not None and high is not None and low >= high:
            raise BadDistribution(
                f"{name} of this {self.kind} distribution is from {shown(low)} to {shown(high)}; the first end must "
                "be below the second.",
                field=f"distribution.{name}",
            )
        for end in (low, high):
            if name == "truncate_percentiles" and end is not None and not 0 <= end <= 100:
                raise BadDistribution(
                    f"truncate_percentiles of this {self.kind} distribution holds {shown(end)}; a percentile lies "
                    "between 0 and 100.",
                    field=f"distribution.{name}",
                )
        return low, high

    def _left_words(self) -> str:
        if self._share <= 0:
            return "nothing of it"
        if self._share < TRUNCATION_SHARE_MIN:
            return f"less than {TRUNCATION_SHARE_MIN:g} of it"
        return "a single value, which is a constant"
