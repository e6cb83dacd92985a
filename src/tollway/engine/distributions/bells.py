"""Shapes with one hump and no ends."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.special import expit, gammaln, logit, ndtr, ndtri, stdtr, stdtrit

from tollway.engine.distributions.parameters import check_positive, check_shape
from tollway.engine.distributions.pert import Floats
from tollway.engine.distributions.shape import Family, Tabled

_EULER = 0.5772156649015329


class _Everywhere(Family):
    @property
    def _standard_support(self) -> tuple[float, float]:
        return -math.inf, math.inf

    @property
    def _standard_mode(self) -> float:
        return 0.0


@dataclass(frozen=True)
class Student(_Everywhere, Tabled):
    """A bell with heavier tails, the heavier the smaller nu. RiskStudent(nu), with a place and a scale beside."""

    kind: ClassVar[str] = "student"
    heavy: ClassVar[tuple[bool, bool]] = (True, True)
    sentence: ClassVar[str] = "Student t with {nu} degrees of freedom around {location}, scale {scale}"
    nu: float
    location: float = 0.0
    scale: float = 1.0

    def _check(self) -> None:
        check_shape(self.kind, "nu", self.nu)
        check_positive(self.kind, "scale", self.scale)

    @property
    def _place(self) -> tuple[float, float]:
        return self.location, self.scale

    @property
    def _standard_moments(self) -> tuple[float, float]:
        mean = 0.0 if self.nu > 1 else math.nan
        return mean, math.sqrt(self.nu / (self.nu - 2)) if self.nu > 2 else math.inf

    def _below(self, shares: Floats) -> Floats:
        # SciPy gives the wrong end at 0.
        return np.where(shares > 0, stdtrit(self.nu, shares), -math.inf)

    def _above(self, shares: Floats) -> Floats:
        return -self._below(shares)

    def _stretched_below(self, shares: Floats) -> Floats:
        return np.arcsinh(self._below(shares))

    def _stretched_above(self, shares: Floats) -> Floats:
        return np.arcsinh(self._above(shares))

    def _unstretched(self, stretched: Floats) -> Floats:
        return np.sinh(stretched)

    def _standard_cumulated(self, z: Floats) -> Floats:
        return np.asarray(stdtr(self.nu, z), dtype=np.float64)

    def _standard_density(self, z: Floats) -> Floats:
        half = (self.nu + 1) / 2
        height = gammaln(half) - gammaln(self.nu / 2) - math.log(self.nu * math.pi) / 2
        return np.asarray(np.exp(height - half * np.log1p(z * z / self.nu)), dtype=np.float64)


@dataclass(frozen=True)
class Logistic(_Everywhere):
    """A bell with somewhat heavier tails than a normal. The parameters of RiskLogistic."""

    kind: ClassVar[str] = "logistic"
    sentence: ClassVar[str] = "logistic around {alpha} with scale {beta}"
    alpha: float
    beta: float

    def _check(self) -> None:
        check_positive(self.kind, "beta", self.beta)

    @property
    def _place(self) -> tuple[float, float]:
        return self.alpha, self.beta

    @property
    def _standard_moments(self) -> tuple[float, float]:
        return 0.0, math.pi / math.sqrt(3)

    def _exact_inverse(self, uniforms: Floats) -> Floats:
        return np.asarray(logit(uniforms), dtype=np.float64)

    def _standard_cumulated(self, z: Floats) -> Floats:
        return np.asarray(expit(z), dtype=np.float64)

    def _standard_density(self, z: Floats) -> Floats:
        return np.asarray(expit(z) * expit(-z), dtype=np.float64)


@dataclass(frozen=True)
class Laplace(_Everywhere):
    """A sharp peak that falls exponentially on both sides; sigma is the standard deviation, as in RiskLaplace."""

    kind: ClassVar[str] = "laplace"
    sentence: ClassVar[str] = "Laplace with mean {mu} and standard deviation {sigma}"
    mu: float
    sigma: float

    def _check(self) -> None:
        check_positive(self.kind, "sigma", self.sigma)

    @property
    def kinks(self) -> tuple[float, ...]:
        """The peak's."""
        return (0.5,)

    @property
    def _place(self) -> tuple[float, float]:
        return self.mu, self.sigma / math.sqrt(2)

    @property
    def _standard_moments(self) -> tuple[float, float]:
        return 0.0, math.sqrt(2)

    def _exact_inverse(self, uniforms: Floats) -> Floats:
        tails: Floats = np.log(2 * np.minimum(uniforms, 1 - uniforms))
        return np.where(uniforms < 0.5, tails, -tails)

    def _standard_cumulated(self, z: Floats) -> Floats:
        tails = np.exp(-np.abs(z)) / 2
        return np.where(z < 0, tails, 1 - tails)

    def _standard_density(self, z: Floats) -> Floats:
        return np.exp(-np.abs(z)) / 2


@dataclass(frozen=True)
class Cauchy(_Everywhere):
    """A peak with tails so heavy that there is no mean. The parameters of RiskCauchy."""

    kind: ClassVar[str] = "cauchy"
    heavy: ClassVar[tuple[bool, bool]] = (True, True)
    sentence: ClassVar[str] = "Cauchy around {gamma} with scale {beta}"
    gamma: float
    beta: float

    def _check(self) -> None:
        check_positive(self.kind, "beta", self.beta)

    @property
    def _place(self) -> tuple[float, float]:
        return self.gamma, self.beta

    @property
    def _standard_moments(self) -> tuple[float, float]:
        return math.nan, math.inf

    def _exact_inverse(self, uniforms: Floats) -> Floats:
        # Each tail from its own end keeps its digits.
        tails = 1 / np.tan(np.pi * np.minimum(uniforms, 1 - uniforms))
        return np.where(uniforms < 0.5, -tails, tails)

    def _standard_cumulated(self, z: Floats) -> Floats:
        return np.where(z < 0, np.arctan2(1, -z), np.pi - np.arctan2(1, z)) / np.pi

    def _standard_density(self, z: Floats) -> Floats:
        return 1 / (np.pi * (1 + z * z))


@dataclass(frozen=True)
class HyperbolicSecant(_Everywhere):
    """A bell between normal and Laplace; beta is the standard deviation. The parameters of RiskHypSecant."""

    kind: ClassVar[str] = "hyperbolic_secant"
    sentence: ClassVar[str] = "hyperbolic secant with mean {gamma} and standard deviation {beta}"
    gamma: float
    beta: float

    def _check(self) -> None:
        check_positive(self.kind, "beta", self.beta)

    @property
    def _place(self) -> tuple[float, float]:
        return self.gamma, self.beta

    @property
    def _standard_moments(self) -> tuple[float, float]:
        return 0.0, 1.0

    def _exact_inverse(self, uniforms: Floats) -> Floats:
        tails: Floats = 2 / np.pi * np.log(np.tan(np.pi / 2 * np.minimum(uniforms, 1 - uniforms)))
        return np.where(uniforms < 0.5, tails, -tails)

    def _standard_cumulated(self, z: Floats) -> Floats:
        tails = 2 / np.pi * np.arctan(np.exp(-np.pi / 2 * np.abs(z)))
        return np.where(z < 0, tails, 1 - tails)

    def _standard_density(self, z: Floats) -> Floats:
        falling: Floats = np.exp(-np.pi / 2 * np.abs(z))
        return falling / (1 + falling * falling)


@dataclass(frozen=True)
class ExtremeValue(_Everywhere):
    """The largest of many, such as the worst flood of a year (Gumbel). The parameters of RiskExtvalue."""

    kind: ClassVar[str] = "extreme_value"
    sentence: ClassVar[str] = "extreme value (largest) most likely {a} with scale {b}"
    a: float
    b: float

    def _check(self) -> None:
        check_positive(self.kind, "b", self.b)

    @property
    def _place(self) -> tuple[float, float]:
        return self.a, self.b

    @property
    def _standard_moments(self) -> tuple[float, float]:
        return _EULER, math.pi / math.sqrt(6)

    def _exact_inverse(self, uniforms: Floats) -> Floats:
        return -np.log(-np.log(uniforms))

    def _standard_cumulated(self, z: Floats) -> Floats:
        return np.exp(-np.exp(-z))

    def _standard_density(self, z: Floats) -> Floats:
        return np.exp(-z - np.exp(-z))


@dataclass(frozen=True)
class ExtremeValueMin(_Everywhere):
    """The smallest of many, such as the weakest link. The parameters of RiskExtValueMin."""

    kind: ClassVar[str] = "extreme_value_min"
    sentence: ClassVar[str] = "extreme value (smallest) most likely {a} with scale {b}"
    a: float
    b: float

    def _check(self) -> None:
        check_positive(self.kind, "b", self.b)

    @property
    def _place(self) -> tuple[float, float]:
        return self.a, self.b

    @property
    def _standard_moments(self) -> tuple[float, float]:
        return -_EULER, math.pi / math.sqrt(6)

    def _exact_inverse(self, uniforms: Floats) -> Floats:
        return np.log(-np.log1p(-uniforms))

    def _standard_cumulated(self, z: Floats) -> Floats:
        return -np.expm1(-np.exp(z))

    def _standard_density(self, z: Floats) -> Floats:
        return np.exp(z - np.exp(z))


@dataclass(frozen=True)
class JohnsonSU(_Everywhere):
    """Any skewness, heavy tails; alpha1 + alpha2 arsinh((x - gamma) / beta) is standard normal. As RiskJohnsonSU."""

    kind: ClassVar[str] = "johnson_su"
    heavy: ClassVar[tuple[bool, bool]] = (True, True)
    sentence: ClassVar[str] = (
        "Johnson SU around {gamma} with scale {beta}, alpha1 {alpha1} and alpha2 {alpha2}"
    )
    alpha1: float
    alpha2: float
    gamma: float
    beta: float

    def _check(self) -> None:
        check_shape(self.kind, "alpha2", self.alpha2)
        check_positive(self.kind, "beta", self.beta)

    @property
    def _place(self) -> tuple[float, float]:
        return self.gamma, self.beta

    @property
    def _standard_moments(self) -> tuple[float, float]:
        with np.errstate(all="ignore"):
            w, skew = np.exp(np.float64(self.alpha2) ** -2), self.alpha1 / self.alpha2
            grown = np.expm1(np.float64(self.alpha2) ** -2)
            mean = -np.sqrt(w) * np.sinh(skew)
            std = np.sqrt(grown * (w * np.cosh(2 * skew) + 1) / 2)
        return float(mean), float(std)

    @property
    def _standard_mode(self) -> float:
        return math.nan

    def _exact_inverse(self, uniforms: Floats) -> Floats:
        return np.asarray(np.sinh((ndtri(uniforms) - self.alpha1) / self.alpha2), dtype=np.float64)

    def _standard_cumulated(self, z: Floats) -> Floats:
        return np.asarray(ndtr(self.alpha1 + self.alpha2 * np.arcsinh(z)), dtype=np.float64)

    def _standard_density(self, z: Floats) -> Floats:
        score = self.alpha1 + self.alpha2 * np.arcsinh(z)
        return self.alpha2 * np.exp(-(score**2) / 2) / (np.hypot(1, z) * math.sqrt(2 * math.pi))
