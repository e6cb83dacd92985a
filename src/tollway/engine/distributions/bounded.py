"""Shapes between two ends."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from scipy.special import expit, ndtr, ndtri, xlog1py, xlogy

from tollway.engine.distributions.beta_shapes import BetaShaped
from tollway.engine.distributions.familiar import Triangular
from tollway.engine.distributions.parameters import (
    BadDistribution,
    check_between,
    check_mode,
    check_positive,
    check_range,
    check_shape,
    shown,
)
from tollway.engine.distributions.pert import Floats
from tollway.engine.distributions.shape import Family

_TRIGEN_STEPS_MAX = 10_000
_TRIGEN_MISS_MAX = 1e-9


@dataclass(frozen=True)
class Beta(BetaShaped):
    """A share between 0 and 1; alpha1 pulls it up, alpha2 down. The parameters of RiskBeta."""

    kind: ClassVar[str] = "beta"
    sentence: ClassVar[str] = "beta with alpha1 {alpha1} and alpha2 {alpha2}"
    alpha1: float
    alpha2: float

    def _check(self) -> None:
        check_shape(self.kind, "alpha1", self.alpha1)
        check_shape(self.kind, "alpha2", self.alpha2)

    @property
    def _shapes(self) -> tuple[float, float]:
        return self.alpha1, self.alpha2


@dataclass(frozen=True)
class BetaGeneral(BetaShaped):
    """A beta distribution stretched from min to max. The parameters of RiskBetaGeneral."""

    kind: ClassVar[str] = "beta_general"
    sentence: ClassVar[str] = "beta from {min} to {max} with alpha1 {alpha1} and alpha2 {alpha2}"
    alpha1: float
    alpha2: float
    min: float
    max: float

    def _check(self) -> None:
        check_shape(self.kind, "alpha1", self.alpha1)
        check_shape(self.kind, "alpha2", self.alpha2)
        check_range(self.kind, self.min, self.max)

    @property
    def _shapes(self) -> tuple[float, float]:
        return self.alpha1, self.alpha2

    @property
    def _place(self) -> tuple[float, float]:
        return self.min, self.max - self.min


@dataclass(frozen=True)
class BetaSubjective(BetaShaped):
    """A beta distribution from min to max by its likeliest value and its mean. The parameters of RiskBetaSubj.

    alpha1 = 2 (mean - min) (middle - mode) / ((mean - mode) (max - min)), alpha2 = alpha1 (max - mean) / (mean - min).
    """

    kind: ClassVar[str] = "beta_subjective"
    sentence: ClassVar[str] = "beta from {min} to {max}, most likely {mode}, with mean {mean}"
    min: float
    mode: float
    mean_: float
    max: float

    def _check(self) -> None:
        check_range(self.kind, self.min, self.max)
        check_mode(self.kind, self.min, self.mode, self.max)
        middle = self.min + (self.max - self.min) / 2
        if not self.min < self.mean_ < self.max or not (
            self.mode < self.mean_ < middle or middle < self.mean_ < self.mode
        ):
            raise BadDistribution(
                f"mean of this {self.kind} distribution is {shown(self.mean_)}; it must lie between the mode "
                f"{shown(self.mode)} and the middle of the range {shown(middle)}, and be neither.",
                field="distribution.mean",
            )
        for shape in self._shapes:
            check_shape(self.kind, "mean", shape)

    @cached_property
    def _shapes(self) -> tuple[float, float]:
        width, rise = self.max - self.min, self.mean_ - self.min
        to_middle = (self.max - self.mode) / 2 - (self.mode - self.min) / 2
        first = 2 * rise * to_middle / ((self.mean_ - self.mode) * width)
        return first, first * (self.max - self.mean_) / rise

    @property
    def _place(self) -> tuple[float, float]:
        return self.min, self.max - self.min


@dataclass(frozen=True)
class Kumaraswamy(Family):
    """Much like a beta distribution from min to max, with an inverse in closed form. As RiskKumaraswamy."""

    kind: ClassVar[str] = "kumaraswamy"
    sentence: ClassVar[str] = "Kumaraswamy from {min} to {max} with alpha1 {alpha1} and alpha2 {alpha2}"
    alpha1: float
    alpha2: float
    min: float = 0.0
    max: float = 1.0

    def _check(self) -> None:
        check_shape(self.kind, "alpha1", self.alpha1)
        check_shape(self.kind, "alpha2", self.alpha2)
        check_range(self.kind, self.min, self.max)

    @property
    def _place(self) -> tuple[float, float]:
        return self.min, self.max - self.min

    @property
    def _standard_support(self) -> tuple[float, float]:
        return 0.0, 1.0

    @property
    def _standard_mode(self) -> float:
        a, b = self.alpha1, self.alpha2
        return float(((a - 1) / (a * b - 1)) ** (1 / a)) if a > 1 and b > 1 else math.nan

    def _exact_inverse(self, uniforms: Floats) -> Floats:
        return (-np.expm1(np.log1p(-uniforms) / self.alpha2)) ** (1 / self.alpha1)

    def _standard_cumulated(self, z: Floats) -> Floats:
        return -np.expm1(self.alpha2 * np.log1p(-(z**self.alpha1)))

    def _standard_density(self, z: Floats) -> Floats:
        a, b = self.alpha1, self.alpha2
        return np.asarray(a * b * np.exp(xlogy(a - 1, z) + xlog1py(b - 1, -(z**a))), dtype=np.float64)


@dataclass(frozen=True)
class Trigen(Family):
    """A triangle by its likeliest value and two percentiles, in percent. The parameters of RiskTrigen."""

    kind: ClassVar[str] = "trigen"
    sentence: ClassVar[str] = (
        "triangular with {bottom_percent} % below {bottom}, {top_percent} % below {top}, most likely {mode}"
    )
    bottom: float
    mode: float
    top: float
    bottom_percent: float
    top_percent: float

    def _check(self) -> None:
        if not self.bottom <= self.mode <= self.top or self.bottom == self.top:
            raise BadDistribution(
                f"mode of this trigen distribution is {shown(self.mode)}; it must lie between bottom "
                f"{shown(self.bottom)} and top {shown(self.top)}, which must rise.",
                field="distribution.mode",
            )
        check_between(self.kind, "bottom_percent", self.bottom_percent, 0, 100)
        check_between(self.kind, "top_percent", self.top_percent, 0, 100)
        if self.bottom_percent >= self.top_percent:
            raise BadDistribution(
                f"bottom_percent of this trigen distribution is {shown(self.bottom_percent)} and top_percent "
                f"{shown(self.top_percent)}; they must rise.",
                field="distribution.bottom_percent",
            )
        reached = self.triangle.cumulated(np.array([self.bottom, self.top]))
        missed = reached - np.array([self.bottom_percent, self.top_percent]) / 100
        if not (np.abs(missed) <= _TRIGEN_MISS_MAX).all():
            raise BadDistribution(
                "No triangle has these two percentiles around this mode; move the percentiles apart, "
                "such as to 10 and 90.",
                field="distribution.bottom_percent",
            )

    @cached_property
    def triangle(self) -> Triangular:
        """The triangle itself, ends included."""
        low, high = self.bottom_percent / 100, 1 - self.top_percent / 100
        width, rise, fall = self.top - self.bottom, self.mode - self.bottom, self.top - self.mode
        left = right = 0.0
        # Each end follows from the other one; both only grow, towards the smallest triangle there is.
        for _ in range(_TRIGEN_STEPS_MAX):
            before = left, right
            left = _overhang(low, width + right, rise)
            right = _overhang(high, width + left, fall)
            if (left, right) == before or not math.isfinite(left + right):
                break
        return Triangular(self.bottom - left, self.mode, self.top + right)

    @property
    def kinks(self) -> tuple[float, ...]:
        """The mode's."""
        return self.triangle.kinks

    @property
    def _moments(self) -> tuple[float, float]:
        return self.triangle.mean, self.triangle.std

    @property
    def _standard_support(self) -> tuple[float, float]:
        return self.triangle.min, self.triangle.max

    @property
    def _standard_mode(self) -> float:
        return self.mode

    def _exact_inverse(self, uniforms: Floats) -> Floats:
        return self.triangle.quantile(uniforms)

    def _standard_cumulated(self, z: Floats) -> Floats:
        return self.triangle.cumulated(z)

    def _standard_density(self, z: Floats) -> Floats:
        return self.triangle.density(z)


def _overhang(share: float, width: float, side: float) -> float:
    """How far an end lies beyond its percentile: the x of x² = share (width + x) (side + x) above 0."""
    half = share * (width + side) / 2
    return (half + math.sqrt(half * half + (1 - share) * share * width * side)) / (1 - share)


@dataclass(frozen=True)
class Reciprocal(Family):
    """Every order of magnitude between min and max is equally likely. The parameters of RiskReciprocal."""

    kind: ClassVar[str] = "reciprocal"
    sentence: ClassVar[str] = "reciprocal between {min} and {max}"
    min: float
    max: float

    def _check(self) -> None:
        check_positive(self.kind, "min", self.min)
        check_range(self.kind, self.min, self.max)

    @property
    def _log_width(self) -> float:
        return math.log(self.max) - math.log(self.min)

    @property
    def _standard_support(self) -> tuple[float, float]:
        return self.min, self.max

    def _exact_inverse(self, uniforms: Floats) -> Floats:
        return self.min * np.exp(uniforms * self._log_width)

    def _standard_cumulated(self, z: Floats) -> Floats:
        return (np.log(z) - math.log(self.min)) / self._log_width

    def _standard_density(self, z: Floats) -> Floats:
        return 1 / (z * self._log_width)


@dataclass(frozen=True)
class JohnsonSB(Family):
    """Between min and max; alpha1 + alpha2 ln((x - min) / (max - x)) is standard normal. As RiskJohnsonSB."""

    kind: ClassVar[str] = "johnson_sb"
    sentence: ClassVar[str] = "Johnson SB from {min} to {max} with alpha1 {alpha1} and alpha2 {alpha2}"
    alpha1: float
    alpha2: float
    min: float
    max: float

    def _check(self) -> None:
        check_shape(self.kind, "alpha2", self.alpha2)
        check_range(self.kind, self.min, self.max)

    @property
    def _place(self) -> tuple[float, float]:
        return self.min, self.max - self.min

    @property
    def _standard_support(self) -> tuple[float, float]:
        return 0.0, 1.0

    def _exact_inverse(self, uniforms: Floats) -> Floats:
        return np.asarray(expit((ndtri(uniforms) - self.alpha1) / self.alpha2), dtype=np.float64)

    def _standard_cumulated(self, z: Floats) -> Floats:
        return np.asarray(ndtr(self._score(z)), dtype=np.float64)

    def _standard_density(self, z: Floats) -> Floats:
        bell = np.exp(-(self._score(z) ** 2) / 2) / math.sqrt(2 * math.pi)
        return np.where((z > 0) & (z < 1), self.alpha2 * bell / (z * (1 - z)), 0.0)

    def _score(self, z: Floats) -> Floats:
        return self.alpha1 + self.alpha2 * (np.log(z) - np.log1p(-z))
