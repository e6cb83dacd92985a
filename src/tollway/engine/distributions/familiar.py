"""The five shapes that most models need: two ends, a likeliest value, a bell, a bell that is never negative."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from scipy.special import betainc, betaincinv, ndtr, ndtri

from tollway.engine.distributions.parameters import check_mode, check_positive_mean, check_range, check_std
from tollway.engine.distributions.pert import Floats, pert_density, pert_share
from tollway.engine.distributions.shape import Continuous

_SQRT_2_PI = math.sqrt(2 * math.pi)


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

    def _cumulated(self, x: Floats) -> Floats:
        return (x - self.min) / (self.max - self.min)


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

    def _cumulated(self, x: Floats) -> Floats:
        width, rise, fall = self.max - self.min, self.mode - self.min, self.max - self.mode
        # An end that is the mode leaves no room for its side, whose quotient is then never chosen.
        rising = (x - self.min) ** 2 / (width * rise) if rise else np.zeros_like(x)
        falling = 1 - (self.max - x) ** 2 / (width * fall) if fall else np.ones_like(x)
        return np.where(x < self.mode, rising, falling)

    @property
    def kinks(self) -> tuple[float, ...]:
        """The mode's."""
        return ((self.mode - self.min) / (self.max - self.min),)


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

    def exact_quantile(self, uniforms: Floats) -> Floats:
        """Invert without the table."""
        return self.min + (self.max - self.min) * betaincinv(self.alpha, 6 - self.alpha, uniforms)

    def _cumulated(self, x: Floats) -> Floats:
        share = (x - self.min) / (self.max - self.min)
        return np.asarray(betainc(self.alpha, 6 - self.alpha, share), dtype=np.float64)


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

    def _cumulated(self, x: Floats) -> Floats:
        return np.asarray(ndtr((x - self.mean) / self.std), dtype=np.float64)


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

    def _cumulated(self, x: Floats) -> Floats:
        return np.where(x > 0, ndtr((np.log(np.where(x > 0, x, 1.0)) - self.log_mean) / self.log_std), 0.0)

    def density(self, x: Floats) -> Floats:
        """Density at each x, 0 where nothing is drawn."""
        x = np.asarray(x, dtype=np.float64)
        return np.where(x > 0, self._density(np.where(x > 0, x, 1.0)), 0.0)
