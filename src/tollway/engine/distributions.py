"""The shapes an uncertain input can take. Each turns one number between 0 and 1 into one draw.

Everything is drawn by inversion: draw = quantile(uniform). So the same uniform gives the same draw
whatever else the model contains, and truncation, stratified sampling and correlation can be added
on the uniforms without touching this file.

A parameter that cannot be meant is refused when the distribution is built, never repaired.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from scipy.special import ndtri

from tollway.engine.parameters import (
    check_mode,
    check_positive_mean,
    check_range,
    check_std,
    joined_pairs,
    number,
    shown,
)
from tollway.engine.pert import Floats, pert_density, pert_share

CURVE_POINTS_MIN = 2

_SQRT_2_PI = math.sqrt(2 * math.pi)


class Distribution(ABC):
    """One shape with its parameters, in the unit of the cell. Equal parameters make equal distributions."""

    kind: ClassVar[str]
    """The word in JSON and text, such as "normal"."""

    if (
        TYPE_CHECKING
    ):  # a parameter of some shapes, a property of others, so nothing may stand here at run time

        @property
        def mean(self) -> float:
            """Expected value."""

        @property
        def std(self) -> float:
            """Standard deviation; always above 0."""

    @abstractmethod
    def quantile(self, uniforms: Floats) -> Floats:
        """Turn uniforms in [0, 1] into draws of the same shape: rising, and never outside the support."""

    @abstractmethod
    def curve(self, point_count: int) -> list[tuple[float, float]]:
        """(x, density) points from left to right for a picture; (value, probability) for a discrete shape."""

    @abstractmethod
    def describe(self) -> str:
        """Name the shape and its parameters in words."""

    @abstractmethod
    def as_json(self) -> dict[str, Any]:
        """Give the form that `parse_distribution` reads back."""


class Continuous(Distribution):
    """A shape with a density, whose parameters are all single numbers."""

    sentence: ClassVar[str]
    """`describe` with a place for each parameter."""

    def __post_init__(self) -> None:
        """Refuse parameters that cannot be meant. Raises: BadDistribution."""
        for name, given in self._parameters().items():
            object.__setattr__(self, name, number(self.kind, name, given))
        self._check()

    def quantile(self, uniforms: Floats) -> Floats:
        """Invert the distribution; 0 and 1 give the ends of the support, infinite for some shapes."""
        low, high = self._support
        draws = self._draws(np.asarray(uniforms, dtype=np.float64))
        # Rounding can step over an end by one unit in the last place.
        return draws if math.isinf(high) else np.clip(draws, low, high)

    def curve(self, point_count: int) -> list[tuple[float, float]]:
        """(x, density) points from left to right, the peak among them."""
        assert point_count >= CURVE_POINTS_MIN, point_count
        low, high, peak = self._window()
        x = self._spaced(low, high, point_count)
        if point_count > 2 and low < peak < high:
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
    def _window(self) -> tuple[float, float, float]:
        """Left end, right end and highest point of a picture."""

    def _spaced(self, low: float, high: float, point_count: int) -> Floats:
        """Points of the window, denser where the shape needs it."""
        return np.linspace(low, high, point_count)

    @abstractmethod
    def _density(self, x: Floats) -> Floats:
        """Density at points of the window."""

    def _parameters(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]  # each shape is a dataclass


@dataclass(frozen=True)
class Uniform(Continuous):
    """Every value between min and max is equally likely."""

    kind: ClassVar[str] = "uniform"
    sentence: ClassVar[str] = "uniform between {min} and {max}"
    min: float
    max: float

    @cached_property
    def mean(self) -> float:
        """The middle."""
        return self.min + (self.max - self.min) / 2

    @cached_property
    def std(self) -> float:
        """The range over the root of 12."""
        return (self.max - self.min) / math.sqrt(12)

    def _check(self) -> None:
        check_range(self.kind, self.min, self.max)

    @property
    def _support(self) -> tuple[float, float]:
        return self.min, self.max

    def _draws(self, uniforms: Floats) -> Floats:
        return self.min + (self.max - self.min) * uniforms

    def _window(self) -> tuple[float, float, float]:
        return self.min, self.max, self.min

    def _density(self, x: Floats) -> Floats:
        return np.full_like(x, 1 / (self.max - self.min))


@dataclass(frozen=True)
class _Peaked(Continuous):
    """Rises from min to the mode and falls to max."""

    min: float
    mode: float
    max: float

    def _check(self) -> None:
        check_range(self.kind, self.min, self.max)
        check_mode(self.kind, self.min, self.mode, self.max)

    @property
    def _support(self) -> tuple[float, float]:
        return self.min, self.max

    def _window(self) -> tuple[float, float, float]:
        return self.min, self.max, self.mode


@dataclass(frozen=True)
class Triangular(_Peaked):
    """A straight rise from min to the mode, a straight fall to max. The mode may be either end."""

    kind: ClassVar[str] = "triangular"
    sentence: ClassVar[str] = "triangular from {min} to {max}, most likely {mode}"

    @cached_property
    def mean(self) -> float:
        """A third of min + mode + max."""
        return self.min + ((self.mode - self.min) + (self.max - self.min)) / 3

    @cached_property
    def std(self) -> float:
        """Root of (width² - width rise + rise²) / 18, with rise = mode - min."""
        width, rise = self.max - self.min, self.mode - self.min
        return math.sqrt((width * width - width * rise + rise * rise) / 18)

    def _draws(self, uniforms: Floats) -> Floats:
        width = self.max - self.min
        share_below_mode = (self.mode - self.min) / width
        rising = uniforms < share_below_mode
        squares = np.where(rising, uniforms * share_below_mode, (1 - uniforms) * (1 - share_below_mode))
        distances = width * np.sqrt(squares)
        return np.where(rising, self.min + distances, self.max - distances)

    def _density(self, x: Floats) -> Floats:
        corners = [self.min, self.mode, self.max]
        peak = 2 / (self.max - self.min)
        heights = [peak * (self.mode == self.min), peak, peak * (self.mode == self.max)]
        return np.interp(x, corners, heights)


@dataclass(frozen=True)
class Normal(Continuous):
    """The bell curve with this mean and standard deviation; it has no ends."""

    kind: ClassVar[str] = "normal"
    sentence: ClassVar[str] = "normal with mean {mean} and standard deviation {std}"
    mean: float
    std: float

    def _check(self) -> None:
        check_std(self.kind, self.std)

    def _draws(self, uniforms: Floats) -> Floats:
        return self.mean + self.std * ndtri(uniforms)

    def _window(self) -> tuple[float, float, float]:
        return self.mean - 4 * self.std, self.mean + 4 * self.std, self.mean

    def _density(self, x: Floats) -> Floats:
        return np.exp(-(((x - self.mean) / self.std) ** 2) / 2) / (self.std * _SQRT_2_PI)


@dataclass(frozen=True)
class Lognormal(Continuous):
    """Always positive; mean and std are those of the variable itself, not of its logarithm.

    Source: the parameters of @RISK's RiskLognorm. With s² = ln(1 + (std / mean)²) the logarithm is
    normal with mean ln(mean) - s² / 2 and standard deviation s.
    """

    kind: ClassVar[str] = "lognormal"
    sentence: ClassVar[str] = "lognormal with mean {mean} and standard deviation {std}"
    mean: float
    std: float

    @cached_property
    def log_std(self) -> float:
        """Standard deviation of the logarithm."""
        ratio = self.std / self.mean
        # log1p keeps small ratios exact, hypot the square of large ones finite.
        return math.sqrt(math.log1p(ratio * ratio) if ratio < 1 else 2 * math.log(math.hypot(1, ratio)))

    @cached_property
    def log_mean(self) -> float:
        """Mean of the logarithm."""
        return math.log(self.mean) - self.log_std**2 / 2

    def _check(self) -> None:
        check_positive_mean(self.kind, self.mean)
        check_std(self.kind, self.std)

    def _draws(self, uniforms: Floats) -> Floats:
        return np.exp(self.log_mean + self.log_std * ndtri(uniforms))

    def _window(self) -> tuple[float, float, float]:
        low, high = self.quantile(np.array([0.0005, 0.99]))
        return low, high, min(max(math.exp(self.log_mean - self.log_std**2), low), high)

    def _spaced(self, low: float, high: float, point_count: int) -> Floats:
        return np.geomspace(low, high, point_count)

    def _density(self, x: Floats) -> Floats:
        deviations = (np.log(x) - self.log_mean) / self.log_std
        return np.exp(-(deviations**2) / 2) / (x * self.log_std * _SQRT_2_PI)


@dataclass(frozen=True)
class Pert(_Peaked):
    """A smooth hump from min to max around the mode: a beta distribution with mean (min + 4 mode + max) / 6.

    Source: Malcolm, Roseboom, Clark and Fazar 1959, Operations Research 7(5), 646-669, in the usual form
    alpha = 1 + 4 (mode - min) / (max - min), beta = 6 - alpha.
    """

    kind: ClassVar[str] = "pert"
    sentence: ClassVar[str] = "PERT from {min} to {max}, most likely {mode}"

    @cached_property
    def mean(self) -> float:
        """A sixth of min + 4 mode + max."""
        return self.min + (4 * (self.mode - self.min) + (self.max - self.min)) / 6

    @cached_property
    def std(self) -> float:
        """Root of (mean - min) (max - mean) / 7."""
        return math.sqrt((self.mean - self.min) * (self.max - self.mean) / 7)

    @cached_property
    def alpha(self) -> float:
        """First shape parameter of the beta distribution, 1 to 5; the second is 6 - alpha."""
        return 1 + 4 * (self.mode - self.min) / (self.max - self.min)

    def _draws(self, uniforms: Floats) -> Floats:
        return self.min + (self.max - self.min) * pert_share(self.alpha, uniforms)

    def _density(self, x: Floats) -> Floats:
        width = self.max - self.min
        return pert_density(self.alpha, (x - self.min) / width) / width


@dataclass(frozen=True)
class Discrete(Distribution):
    """One of a list of values, each with its probability. Values are kept sorted, equal ones joined."""

    kind: ClassVar[str] = "discrete"
    values: tuple[float, ...]
    probabilities: tuple[float, ...]

    def __post_init__(self) -> None:
        """Refuse lists that cannot be meant. Raises: BadDistribution."""
        joined = joined_pairs(self.values, self.probabilities)
        object.__setattr__(self, "values", tuple(joined))
        object.__setattr__(self, "probabilities", tuple(joined.values()))

    @cached_property
    def mean(self) -> float:
        """Values weighted by their probabilities."""
        return math.fsum(v * p for v, p in zip(self.values, self.probabilities, strict=True))

    @cached_property
    def std(self) -> float:
        """Root of the weighted squares of the distances from the mean."""
        pairs = zip(self.values, self.probabilities, strict=True)
        return math.sqrt(math.fsum((v - self.mean) ** 2 * p for v, p in pairs))

    def quantile(self, uniforms: Floats) -> Floats:
        """Give the smallest value whose cumulated probability reaches the uniform."""
        values, cumulated = self._steps
        draws: Floats = values[np.searchsorted(cumulated, uniforms, side="left")]
        return draws

    def curve(self, point_count: int) -> list[tuple[float, float]]:
        """(value, probability) of the most likely values, at most `point_count`, from left to right."""
        pairs = sorted(zip(self.values, self.probabilities, strict=True), key=lambda pair: -pair[1])
        return sorted(pairs[:point_count])

    def describe(self) -> str:
        """Name the values; a long list by its count and ends."""
        if len(self.values) > 4:
            return (
                f"one of {len(self.values):,} values from {shown(self.values[0])} to {shown(self.values[-1])}"
            )
        pairs = zip(self.values, self.probabilities, strict=True)
        return "one of " + ", ".join(f"{shown(value)} (probability {share:.4g})" for value, share in pairs)

    def as_json(self) -> dict[str, Any]:
        """Give the form that `parse_distribution` reads back."""
        return {"type": self.kind, "values": list(self.values), "probabilities": list(self.probabilities)}

    @cached_property
    def _steps(self) -> tuple[Floats, Floats]:
        # The last step is at 1 by definition, so rounding of the sum cannot leave a gap.
        return np.array(self.values), np.cumsum(self.probabilities)[:-1]
