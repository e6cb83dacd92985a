"""A shape of which only the part between two percentiles is drawn, as stress analysis asks for."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from tollway.engine.distributions.adjusted import Adjusted
from tollway.engine.distributions.pert import Floats
from tollway.engine.distributions.quadrature import quantile_moments
from tollway.engine.distributions.shape import CURVE_POINTS_MIN, Distribution
from tollway.engine.distributions.steps import Stepped

# The first and the last uniform that a generator gives.
_FIRST_UNIFORM, _LAST_UNIFORM = 2.0**-54, 1 - 2.0**-53
_MEDIAN_AND_MIDDLE = np.array([0.5, 0.15865525393145707, 0.8413447460685429])


@dataclass(frozen=True)
class Held(Distribution):
    """A shape, truncated or shifted or neither, that is held between two of its percentiles.

    Uniform u becomes uniform low + (high - low) u of the whole shape. So a draw keeps its rank: the iteration that
    draws high from the whole shape draws high from the part, and two runs that differ only by this share their random
    numbers. Unlike `truncate_percentiles`, which keeps whole values, an end inside a step of a discrete shape cuts it.
    """

    kind: ClassVar[str] = "held"
    base: Distribution
    low: float
    """A share, 0 to 1, below `high`."""
    high: float

    def __post_init__(self) -> None:
        """Take the name of the whole shape."""
        assert 0 <= self.low < self.high <= 1, (self.low, self.high)
        object.__setattr__(self, "kind", self.base.kind)

    @cached_property
    def mean(self) -> float:
        """Expected value of the part, by quadrature; its median where a heavy tail is left open."""
        return self._centre_and_spread[0]

    @cached_property
    def std(self) -> float:
        """Standard deviation of the part, by quadrature; 1 where it is one value, half its middle 68 % where none is.

        Quadrature over a discrete shape is good to a few percent, which serves what this measures: the units in which
        a run sums up its draws.
        """
        return self._centre_and_spread[1]

    @property
    def finite_moments(self) -> int:
        """Those of the shape, unless each of its heavy tails is cut off."""
        return self.base.finite_moments if self._has_open_heavy_tail else 2

    def quantile(self, uniforms: Floats) -> Floats:
        """Invert the part."""
        return self.base.quantile(self._inner(uniforms))

    def exact_quantile(self, uniforms: Floats) -> Floats:
        """Invert it without tables."""
        return self.base.exact_quantile(self._inner(uniforms))

    def cumulated(self, x: Floats) -> Floats:
        """Probability of a draw at or below each x."""
        shares: Floats = (self.base.cumulated(np.asarray(x, dtype=np.float64)) - self.low) / self._share
        return np.clip(shares, 0, 1)

    def density(self, x: Floats) -> Floats:
        """Density at each x, 0 outside the part; the probability of exactly x where draws come in steps."""
        x = np.asarray(x, dtype=np.float64)
        if self._is_stepped:
            through = self.base.cumulated(x)
            below = through - self.base.density(x)
            kept: Floats = np.minimum(through, self.high) - np.maximum(below, self.low)
            return np.maximum(kept, 0) / self._share
        first, last = self._ends
        return np.where((x >= first) & (x <= last), self.base.density(x) / self._share, 0.0)

    def curve(self, point_count: int) -> list[tuple[float, float]]:
        """(x, density) points of the part; (value, probability) for a discrete shape."""
        assert point_count >= CURVE_POINTS_MIN, point_count
        x = np.unique(self.exact_quantile(np.linspace(0.005, 0.995, point_count)))
        with np.errstate(all="ignore"):
            heights = self.density(x)
        return list(zip(x.tolist(), np.where(np.isfinite(heights), heights, 0.0).tolist(), strict=True))

    def describe(self) -> str:
        """Name the shape and the part that is drawn."""
        return (
            f"{self.base.describe()}, held between its percentiles {100 * self.low:g} and {100 * self.high:g}"
        )

    def as_json(self) -> dict[str, Any]:
        """Give the form of the whole shape; which part is drawn, a run says beside it."""
        return self.base.as_json()

    @property
    def _share(self) -> float:
        return self.high - self.low

    @property
    def _is_stepped(self) -> bool:
        return isinstance(self.base.base if isinstance(self.base, Adjusted) else self.base, Stepped)

    @cached_property
    def _ends(self) -> tuple[float, float]:
        first, last = self.exact_quantile(np.array([_FIRST_UNIFORM, _LAST_UNIFORM])).tolist()
        return first, last

    def _inner(self, uniforms: Floats) -> Floats:
        """Where in the whole shape each uniform of the part falls, never at an end that may be infinite."""
        inner = self.low + self._share * np.asarray(uniforms, dtype=np.float64)
        return np.clip(inner, _FIRST_UNIFORM, _LAST_UNIFORM)

    @property
    def _has_open_heavy_tail(self) -> bool:
        if self.base.finite_moments == 2:
            return False
        heavy_low, heavy_high = (self.base.base if isinstance(self.base, Adjusted) else self.base).heavy
        return (heavy_low and self.low == 0) or (heavy_high and self.high == 1)

    @cached_property
    def _centre_and_spread(self) -> tuple[float, float]:
        if self._has_open_heavy_tail:
            median, one_below, one_above = self.exact_quantile(_MEDIAN_AND_MIDDLE).tolist()
            return median, (one_above - one_below) / 2 or 1.0
        kinks = [(kink - self.low) / self._share for kink in self.base.kinks]
        mean, std = quantile_moments(self.exact_quantile, [kink for kink in kinks if 0 < kink < 1])
        first, last = self._ends
        return (mean, std) if std > 0 and math.isfinite(std) and first < last else (first, 1.0)
