"""What every shape promises, and the three ways to keep it: a closed inverse, a table, or a list of steps.

Everything is drawn by inversion: draw = quantile(uniform). So the same uniform gives the same draw
whatever else the model contains, and truncation, stratified sampling and correlation can be added
on the uniforms without touching this package.

A parameter that cannot be meant is refused when the distribution is built, never repaired.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from tollway.engine.distributions.parameters import BadDistribution, number, shown
from tollway.engine.distributions.pert import Floats
from tollway.engine.distributions.quadrature import quantile_moments
from tollway.engine.distributions.tables import QuantileTable

CURVE_POINTS_MIN = 2
# Squares of draws stay finite, with room for sums of them.
DRAW_ABS_MAX = 1e150
# The first and the last uniform that a generator gives.
_FIRST_UNIFORM, _LAST_UNIFORM = 2.0**-54, 1 - 2.0**-53
# A picture leaves out this much on either side that has no end.
_PICTURE_TAIL = 0.005
# One standard deviation on either side of a normal's mean.
_SHARE_BELOW_ONE_STD = 0.15865525393145707


class Distribution(ABC):
    """One shape with its parameters, in the unit of the cell. Equal parameters make equal distributions."""

    kind: ClassVar[str]
    """The word in JSON and text, such as "normal"."""

    heavy: ClassVar[tuple[bool, bool]] = (False, False)
    """Whether the left and the right tail fall so slowly that moments may not exist."""

    if (
        TYPE_CHECKING
    ):  # a parameter of some shapes, a property of others, so nothing may stand here at run time

        @property
        def mean(self) -> float:
            """Expected value; the median where `finite_moments` is 0."""

        @property
        def std(self) -> float:
            """Standard deviation, always above 0; half the middle 68 % where `finite_moments` is below 2."""

    @property
    def finite_moments(self) -> int:
        """2 where mean and standard deviation exist, 1 where only the mean does, 0 where neither does."""
        return 2

    @abstractmethod
    def quantile(self, uniforms: Floats) -> Floats:
        """Turn uniforms in [0, 1] into draws of the same shape: rising, and never outside the support."""

    def exact_quantile(self, uniforms: Floats) -> Floats:
        """Do the same without the tables that make many draws fast; differs within their stated error."""
        return self.quantile(uniforms)

    @abstractmethod
    def cumulated(self, x: Floats) -> Floats:
        """Probability of a draw at or below each x."""

    @abstractmethod
    def density(self, x: Floats) -> Floats:
        """Density at each x; the probability of exactly x where draws come in steps."""

    @abstractmethod
    def curve(self, point_count: int) -> list[tuple[float, float]]:
        """(x, density) points from left to right for a picture; (value, probability) for a discrete shape."""

    @abstractmethod
    def describe(self) -> str:
        """Name the shape and its parameters in words."""

    @abstractmethod
    def as_json(self) -> dict[str, Any]:
        """Give the form that `parse_distribution` reads back."""

    @property
    def kinks(self) -> tuple[float, ...]:
        """Uniforms at which the inverse bends suddenly, for integrals over it."""
        return ()


def parameter_names(shape: type[Distribution]) -> tuple[str, ...]:
    """Names of a shape's parameters in their order; a name that Python keeps for itself ends in _ in code only."""
    return tuple(field.name.rstrip("_") for field in fields(shape))  # type: ignore[arg-type]  # each shape is a dataclass


class Continuous(Distribution):
    """A shape with a density, whose parameters are all single numbers."""

    sentence: ClassVar[str]
    """`describe` with a place for each parameter."""

    def __post_init__(self) -> None:
        """Refuse parameters that cannot be meant. Raises: BadDistribution."""
        for field in fields(self):  # type: ignore[arg-type]  # each shape is a dataclass
            given = getattr(self, field.name)
            object.__setattr__(self, field.name, number(self.kind, field.name.rstrip("_"), given))
        self._check()

    def quantile(self, uniforms: Floats) -> Floats:
        """Invert the distribution; 0 and 1 give the ends of the support, infinite for some shapes."""
        low, high = self._support
        draws = self._draws(np.asarray(uniforms, dtype=np.float64))
        # Rounding can step over an end by one unit in the last place.
        return draws if math.isinf(high) else np.clip(draws, low, high)

    def cumulated(self, x: Floats) -> Floats:
        """Probability of a draw at or below each x."""
        low, high = self._support
        x = np.asarray(x, dtype=np.float64)
        inside = (x > low) & (x < high)
        shares = np.where(x >= high, 1.0, 0.0)
        with np.errstate(all="ignore"):
            shares[inside] = self._cumulated(x[inside])
        return np.clip(shares, 0, 1)

    def density(self, x: Floats) -> Floats:
        """Density at each x, 0 outside the support."""
        low, high = self._support
        x = np.asarray(x, dtype=np.float64)
        inside = (x >= low) & (x <= high)
        densities = np.zeros_like(x)
        with np.errstate(all="ignore"):
            densities[inside] = self._density(x[inside])
        return densities

    def curve(self, point_count: int) -> list[tuple[float, float]]:
        """(x, density) points from left to right, the peak among them."""
        assert point_count >= CURVE_POINTS_MIN, point_count
        low, high, peak = self._window()
        x = self._spaced(low, high, point_count)
        if len(x) > 2 and low < peak < high:
            x[1 + np.abs(x[1:-1] - peak).argmin()] = peak
        return list(zip(x.tolist(), self._density(x).tolist(), strict=True))

    def describe(self) -> str:
        """Name the shape and its parameters in words."""
        return self.sentence.format(**{name: shown(value) for name, value in self._parameters().items()})

    def as_json(self) -> dict[str, Any]:
        """Give the form that `parse_distribution` reads back."""
        return {"type": self.kind, **self._parameters()}

    @abstractmethod
    def _check(self) -> None:
        """Refuse numbers that contradict each other."""

    @property
    def _support(self) -> tuple[float, float]:
        """The ends that no draw passes."""
        return -math.inf, math.inf

    @abstractmethod
    def _draws(self, uniforms: Floats) -> Floats:
        """Invert the distribution, before clipping to the support."""

    @abstractmethod
    def _cumulated(self, x: Floats) -> Floats:
        """Probability at or below points inside the support."""

    @abstractmethod
    def _window(self) -> tuple[float, float, float]:
        """Left end, right end and highest point of a picture."""

    def _spaced(self, low: float, high: float, point_count: int) -> Floats:
        """Points of the window, denser where the shape needs it."""
        return np.linspace(low, high, point_count)

    @abstractmethod
    def _density(self, x: Floats) -> Floats:
        """Density at points inside the support."""

    def _parameters(self) -> dict[str, Any]:
        return {field.name.rstrip("_"): getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]  # each shape is a dataclass


class Family(Continuous):
    """A shape that is a standard one, moved by a location and stretched by a scale."""

    def __post_init__(self) -> None:
        """Refuse parameters that cannot be meant, or whose draws no double could hold. Raises: BadDistribution."""
        super().__post_init__()
        ends = self.exact_quantile(np.array([_FIRST_UNIFORM, 0.5, _LAST_UNIFORM]))
        if not (np.abs(ends) <= DRAW_ABS_MAX).all():
            raise BadDistribution(
                f"This {self.kind} distribution has draws beyond {DRAW_ABS_MAX:g}; "
                "its parameters are too extreme, so check them or truncate another shape.",
                field="distribution",
            )
        low, middle, high = ends.tolist()
        if not (low <= middle <= high and low < high) or not self.std > 0:
            raise BadDistribution(
                f"This {self.kind} distribution always gives about {shown(middle)}, as far as numbers of 15 digits "
                "can tell; give it more spread or leave the cell as it is.",
                field="distribution",
            )

    @cached_property
    def mean(self) -> float:
        """Expected value; the median where there is none."""
        mean = self._moments[0]
        return mean if math.isfinite(mean) else float(self.exact_quantile(np.array([0.5]))[0])

    @cached_property
    def std(self) -> float:
        """Standard deviation; half the middle 68 % where there is none."""
        std = self._moments[1]
        if math.isfinite(std):
            return std
        low, high = self.exact_quantile(np.array([_SHARE_BELOW_ONE_STD, 1 - _SHARE_BELOW_ONE_STD]))
        return float(high - low) / 2

    @property
    def finite_moments(self) -> int:
        """How many of mean and standard deviation exist."""
        mean, std = self._moments
        return 2 if math.isfinite(std) else 1 if math.isfinite(mean) else 0

    def exact_quantile(self, uniforms: Floats) -> Floats:
        """Invert without tables."""
        with np.errstate(all="ignore"):
            return self._placed(self._exact_inverse(np.asarray(uniforms, dtype=np.float64)))

    def standard_quantile(self, uniforms: Floats) -> Floats:
        """Invert the standard shape without tables."""
        with np.errstate(all="ignore"):
            return self._exact_inverse(uniforms)

    @cached_property
    def _moments(self) -> tuple[float, float]:
        """Mean and standard deviation; infinite or NaN where there is none."""
        location, scale = self._place
        mean, std = self._standard_moments
        return location + scale * mean, scale * std

    @cached_property
    def _standard_moments(self) -> tuple[float, float]:
        """Those of the standard shape; by quadrature unless a family knows better."""
        return quantile_moments(self.standard_quantile, self.kinks)

    @property
    def _place(self) -> tuple[float, float]:
        """Location and scale."""
        return 0.0, 1.0

    @property
    def _standard_support(self) -> tuple[float, float]:
        return 0.0, math.inf

    @property
    def _standard_mode(self) -> float:
        """Where the standard density is highest; NaN where that is of no use to a picture."""
        return math.nan

    @property
    def _support(self) -> tuple[float, float]:
        location, scale = self._place
        low, high = self._standard_support
        return location + scale * low, location + scale * high

    def _placed(self, standard: Floats) -> Floats:
        location, scale = self._place
        return location + scale * standard

    def _draws(self, uniforms: Floats) -> Floats:
        with np.errstate(all="ignore"):
            return self._placed(self._inverse(uniforms))

    def _inverse(self, uniforms: Floats) -> Floats:
        """Invert the standard shape."""
        return self._exact_inverse(uniforms)

    @abstractmethod
    def _exact_inverse(self, uniforms: Floats) -> Floats:
        """Invert the standard shape without tables."""

    @abstractmethod
    def _standard_cumulated(self, z: Floats) -> Floats:
        """Probability at or below points of the standard shape."""

    @abstractmethod
    def _standard_density(self, z: Floats) -> Floats:
        """Density of the standard shape."""

    def _cumulated(self, x: Floats) -> Floats:
        location, scale = self._place
        return self._standard_cumulated((x - location) / scale)

    def _density(self, x: Floats) -> Floats:
        location, scale = self._place
        with np.errstate(all="ignore"):
            return self._standard_density((x - location) / scale) / scale

    def _window(self) -> tuple[float, float, float]:
        low, high = self.exact_quantile(np.array([_PICTURE_TAIL, 1 - _PICTURE_TAIL])).tolist()
        location, scale = self._place
        mode = self._standard_mode
        return low, high, low if math.isnan(mode) else location + scale * mode

    def _spaced(self, low: float, high: float, point_count: int) -> Floats:
        # Even steps show a smooth shape, quantiles one that is steep at an end.
        even = np.linspace(low, high, point_count - point_count // 2)
        shares = np.linspace(_PICTURE_TAIL, 1 - _PICTURE_TAIL, point_count // 2 + 2)[1:-1]
        return np.unique(np.concatenate([even, self.exact_quantile(shares)]))


class Tabled(Family):
    """A shape whose exact inverse is slow, so that many draws read a table of it.

    The table holds the inverse stretched, so that it is smooth even where the shape is not.
    """

    def _inverse(self, uniforms: Floats) -> Floats:
        return self._table.read(uniforms, self._unstretched, self._exact_inverse)

    def _exact_inverse(self, uniforms: Floats) -> Floats:
        lower = uniforms <= 0.5
        inverse = np.empty_like(uniforms)
        inverse[lower] = self._below(uniforms[lower])
        inverse[~lower] = self._above(1 - uniforms[~lower])
        return inverse

    @cached_property
    def _table(self) -> QuantileTable:
        with np.errstate(all="ignore"):
            return QuantileTable(self._stretched_below, self._stretched_above)

    @abstractmethod
    def _below(self, shares: Floats) -> Floats:
        """Invert the standard shape from the left, at shares up to 1/2."""

    @abstractmethod
    def _above(self, shares: Floats) -> Floats:
        """Invert it from the right: which value has this share above it."""

    def _stretched_below(self, shares: Floats) -> Floats:
        return np.log(self._below(shares))

    def _stretched_above(self, shares: Floats) -> Floats:
        return np.log(self._above(shares))

    def _unstretched(self, stretched: Floats) -> Floats:
        return np.exp(stretched)
