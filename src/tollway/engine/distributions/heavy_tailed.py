"""Shapes whose right tail falls like a power, so that their mean or standard deviation may not exist."""

import math
from abc import abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from scipy.special import betaln, erfc, erfcinv, xlogy

from tollway.engine.distributions.parameters import check_positive, check_shape
from tollway.engine.distributions.pert import Floats
from tollway.engine.distributions.positive import moments_from_raw
from tollway.engine.distributions.shape import Family


class HeavyTailed(Family):
    """A shape whose right tail is that of a power."""

    heavy: ClassVar[tuple[bool, bool]] = (False, True)


class _OfRawMoments(HeavyTailed):
    """One whose mean and standard deviation follow from its raw moments."""

    @abstractmethod
    def _raw_moment(self, order: int) -> float:
        """E[x to the order] of the standard shape, infinite where there is none."""

    @cached_property
    def _standard_moments(self) -> tuple[float, float]:
        return moments_from_raw(self._raw_moment(1), self._raw_moment(2), self)


@dataclass(frozen=True)
class Pareto(_OfRawMoments):
    """Many small, few huge: incomes, claims. Shape theta, least value a, as in RiskPareto."""

    kind: ClassVar[str] = "pareto"
    sentence: ClassVar[str] = "Pareto from {a} with shape {theta}"
    theta: float
    a: float

    def _check(self) -> None:
        check_shape(self.kind, "theta", self.theta)
        check_positive(self.kind, "a", self.a)

    @property
    def _place(self) -> tuple[float, float]:
        return 0.0, self.a

    @property
    def _standard_support(self) -> tuple[float, float]:
        return 1.0, math.inf

    @property
    def _standard_mode(self) -> float:
        return 1.0

    def _raw_moment(self, order: int) -> float:
        return self.theta / (self.theta - order) if self.theta > order else math.inf

    def _exact_inverse(self, uniforms: Floats) -> Floats:
        return np.exp(-np.log1p(-uniforms) / self.theta)

    def _standard_cumulated(self, z: Floats) -> Floats:
        return -np.expm1(-self.theta * np.log(z))

    def _standard_density(self, z: Floats) -> Floats:
        return np.where(z >= 1, self.theta * z ** (-self.theta - 1), 0.0)


@dataclass(frozen=True)
class Pareto2(HeavyTailed):
    """A Pareto tail that begins at 0 (Lomax). Scale b, shape q, as in RiskPareto2."""

    kind: ClassVar[str] = "pareto2"
    sentence: ClassVar[str] = "Pareto of the second kind with scale {b} and shape {q}"
    b: float
    q: float

    def _check(self) -> None:
        check_positive(self.kind, "b", self.b)
        check_shape(self.kind, "q", self.q)

    @property
    def _place(self) -> tuple[float, float]:
        return 0.0, self.b

    @property
    def _standard_mode(self) -> float:
        return 0.0

    @property
    def _standard_moments(self) -> tuple[float, float]:
        mean = 1 / (self.q - 1) if self.q > 1 else math.inf
        return mean, mean * math.sqrt(self.q / (self.q - 2)) if self.q > 2 else math.inf

    def _exact_inverse(self, uniforms: Floats) -> Floats:
        return np.expm1(-np.log1p(-uniforms) / self.q)

    def _standard_cumulated(self, z: Floats) -> Floats:
        return -np.expm1(-self.q * np.log1p(z))

    def _standard_density(self, z: Floats) -> Floats:
        return self.q * np.exp((-self.q - 1) * np.log1p(z))


@dataclass(frozen=True)
class LogLogistic(_OfRawMoments):
    """Like a lognormal with heavier tails. Least value gamma, scale beta, shape alpha, as in RiskLogLogistic."""

    kind: ClassVar[str] = "log_logistic"
    sentence: ClassVar[str] = "log-logistic from {gamma} with scale {beta} and shape {alpha}"
    gamma: float
    beta: float
    alpha: float

    def _check(self) -> None:
        check_positive(self.kind, "beta", self.beta)
        check_shape(self.kind, "alpha", self.alpha)

    @property
    def _place(self) -> tuple[float, float]:
        return self.gamma, self.beta

    @property
    def _standard_mode(self) -> float:
        a = self.alpha
        return float(((a - 1) / (a + 1)) ** (1 / a)) if a > 1 else math.nan

    def _raw_moment(self, order: int) -> float:
        angle = math.pi * order / self.alpha
        return angle / math.sin(angle) if self.alpha > order else math.inf

    def _exact_inverse(self, uniforms: Floats) -> Floats:
        return (uniforms / (1 - uniforms)) ** (1 / self.alpha)

    def _standard_cumulated(self, z: Floats) -> Floats:
        return 1 / (1 + z**-self.alpha)

    def _standard_density(self, z: Floats) -> Floats:
        logs = self.alpha * np.log(z)
        return np.asarray(self.alpha * np.exp(logs - 2 * np.logaddexp(0, logs)) / z, dtype=np.float64)


@dataclass(frozen=True)
class Frechet(_OfRawMoments):
    """The largest of many with heavy tails. Least value gamma, scale beta, shape alpha, as in RiskFrechet."""

    kind: ClassVar[str] = "frechet"
    sentence: ClassVar[str] = "Fréchet from {gamma} with scale {beta} and shape {alpha}"
    gamma: float
    beta: float
    alpha: float

    def _check(self) -> None:
        check_positive(self.kind, "beta", self.beta)
        check_shape(self.kind, "alpha", self.alpha)

    @property
    def _place(self) -> tuple[float, float]:
        return self.gamma, self.beta

    @property
    def _standard_mode(self) -> float:
        return float((self.alpha / (1 + self.alpha)) ** (1 / self.alpha))

    def _raw_moment(self, order: int) -> float:
        return math.gamma(1 - order / self.alpha) if self.alpha > order else math.inf

    def _exact_inverse(self, uniforms: Floats) -> Floats:
        return (-np.log(uniforms)) ** (-1 / self.alpha)

    def _standard_cumulated(self, z: Floats) -> Floats:
        return np.exp(-(z**-self.alpha))

    def _standard_density(self, z: Floats) -> Floats:
        logs = -self.alpha * np.log(z)
        return np.where(z > 0, self.alpha * np.exp(logs - np.exp(logs)) / z, 0.0)


@dataclass(frozen=True)
class Burr12(_OfRawMoments):
    """Incomes and claims with two shapes. The parameters of RiskBurr12."""

    kind: ClassVar[str] = "burr12"
    sentence: ClassVar[str] = "Burr from {gamma} with scale {beta}, alpha1 {alpha1} and alpha2 {alpha2}"
    gamma: float
    beta: float
    alpha1: float
    alpha2: float

    def _check(self) -> None:
        check_positive(self.kind, "beta", self.beta)
        check_shape(self.kind, "alpha1", self.alpha1)
        check_shape(self.kind, "alpha2", self.alpha2)

    @property
    def _place(self) -> tuple[float, float]:
        return self.gamma, self.beta

    def _raw_moment(self, order: int) -> float:
        part = order / self.alpha1
        if self.alpha2 <= part:
            return math.inf
        return self.alpha2 * float(np.exp(betaln(self.alpha2 - part, 1 + part)))

    def _exact_inverse(self, uniforms: Floats) -> Floats:
        return np.expm1(-np.log1p(-uniforms) / self.alpha2) ** (1 / self.alpha1)

    def _standard_cumulated(self, z: Floats) -> Floats:
        return -np.expm1(-self.alpha2 * np.log1p(z**self.alpha1))

    def _standard_density(self, z: Floats) -> Floats:
        a, b = self.alpha1, self.alpha2
        return np.asarray(
            a * b * np.exp(xlogy(a - 1, z) - (b + 1) * np.logaddexp(0, a * np.log(z))), dtype=np.float64
        )


@dataclass(frozen=True)
class Dagum(_OfRawMoments):
    """Incomes with a thick lower end. The parameters of RiskDagum."""

    kind: ClassVar[str] = "dagum"
    sentence: ClassVar[str] = "Dagum from {gamma} with scale {beta}, alpha1 {alpha1} and alpha2 {alpha2}"
    gamma: float
    beta: float
    alpha1: float
    alpha2: float

    def _check(self) -> None:
        check_positive(self.kind, "beta", self.beta)
        check_shape(self.kind, "alpha1", self.alpha1)
        check_shape(self.kind, "alpha2", self.alpha2)

    @property
    def _place(self) -> tuple[float, float]:
        return self.gamma, self.beta

    def _raw_moment(self, order: int) -> float:
        part = order / self.alpha1
        if part >= 1:
            return math.inf
        return self.alpha2 * float(np.exp(betaln(self.alpha2 + part, 1 - part)))

    def _exact_inverse(self, uniforms: Floats) -> Floats:
        return np.expm1(-np.log(uniforms) / self.alpha2) ** (-1 / self.alpha1)

    def _standard_cumulated(self, z: Floats) -> Floats:
        return np.exp(-self.alpha2 * np.logaddexp(0, -self.alpha1 * np.log(z)))

    def _standard_density(self, z: Floats) -> Floats:
        a, b = self.alpha1, self.alpha2
        logs = np.log(z)
        return np.asarray(
            a * b * np.exp((a * b - 1) * logs - (b + 1) * np.logaddexp(0, a * logs)), dtype=np.float64
        )


@dataclass(frozen=True)
class Levy(_OfRawMoments):
    """The time until a path without drift first reaches a line; it has no mean. The parameters of RiskLevy."""

    kind: ClassVar[str] = "levy"
    sentence: ClassVar[str] = "Lévy from {a} with scale {c}"
    a: float
    c: float

    def _check(self) -> None:
        check_positive(self.kind, "c", self.c)

    @property
    def _place(self) -> tuple[float, float]:
        return self.a, self.c

    @property
    def _standard_mode(self) -> float:
        return 1 / 3

    def _raw_moment(self, order: int) -> float:  # noqa: ARG002  # none is finite
        return math.inf

    def _exact_inverse(self, uniforms: Floats) -> Floats:
        return np.asarray(0.5 / erfcinv(uniforms) ** 2, dtype=np.float64)

    def _standard_cumulated(self, z: Floats) -> Floats:
        return np.asarray(erfc(np.sqrt(0.5 / z)), dtype=np.float64)

    def _standard_density(self, z: Floats) -> Floats:
        return np.where(z > 0, np.exp(-0.5 / z) / np.sqrt(2 * np.pi * z**3), 0.0)
