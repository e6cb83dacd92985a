"""Shapes that are never negative and whose tails are light: waiting times, sums of them, lifetimes, speeds."""

import math
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.special import erfcx, gammainc, gammainccinv, gammaincinv, gammaln, ndtr, xlogy

from tollway.engine.distributions.parameters import SHAPE_MAX, check_positive, check_shape, check_whole
from tollway.engine.distributions.pert import Floats
from tollway.engine.distributions.quadrature import quantile_moments
from tollway.engine.distributions.shape import Family, Tabled

_BISECTIONS, _NEWTON_STEPS = 24, 6
# Below this share of the mean square a variance as a difference has lost its digits.
_SMALL_VARIANCE = 1e-3


@dataclass(frozen=True)
class Exponential(Family):
    """The wait for what happens at a steady rate; beta is the mean. The parameter of RiskExpon."""

    kind: ClassVar[str] = "exponential"
    sentence: ClassVar[str] = "exponential with mean {beta}"
    beta: float

    def _check(self) -> None:
        check_positive(self.kind, "beta", self.beta)

    @property
    def _place(self) -> tuple[float, float]:
        return 0.0, self.beta

    @property
    def _standard_moments(self) -> tuple[float, float]:
        return 1.0, 1.0

    @property
    def _standard_mode(self) -> float:
        return 0.0

    def _exact_inverse(self, uniforms: Floats) -> Floats:
        return -np.log1p(-uniforms)

    def _standard_cumulated(self, z: Floats) -> Floats:
        return -np.expm1(-z)

    def _standard_density(self, z: Floats) -> Floats:
        return np.exp(-z)


class GammaShaped(Tabled):
    """A gamma distribution of scale 1, tabled by its logarithm."""

    @property
    @abstractmethod
    def _shape(self) -> float:
        """The shape parameter."""

    @property
    def _standard_moments(self) -> tuple[float, float]:
        return self._shape, math.sqrt(self._shape)

    @property
    def _standard_mode(self) -> float:
        return self._shape - 1 if self._shape > 1 else math.nan

    def _below(self, shares: Floats) -> Floats:
        return np.asarray(gammaincinv(self._shape, shares), dtype=np.float64)

    def _above(self, shares: Floats) -> Floats:
        return np.asarray(gammainccinv(self._shape, shares), dtype=np.float64)

    def _standard_cumulated(self, z: Floats) -> Floats:
        return np.asarray(gammainc(self._shape, z), dtype=np.float64)

    def _standard_density(self, z: Floats) -> Floats:
        return np.asarray(np.exp(xlogy(self._shape - 1, z) - z - gammaln(self._shape)), dtype=np.float64)


@dataclass(frozen=True)
class Gamma(GammaShaped):
    """Never negative, skewed to the right; alpha is the shape, beta the scale. The parameters of RiskGamma."""

    kind: ClassVar[str] = "gamma"
    sentence: ClassVar[str] = "gamma with shape {alpha} and scale {beta}"
    alpha: float
    beta: float

    def _check(self) -> None:
        check_shape(self.kind, "alpha", self.alpha)
        check_positive(self.kind, "beta", self.beta)

    @property
    def _shape(self) -> float:
        return self.alpha

    @property
    def _place(self) -> tuple[float, float]:
        return 0.0, self.beta


@dataclass(frozen=True)
class Erlang(GammaShaped):
    """The sum of m exponential waits of mean beta. The parameters of RiskErlang."""

    kind: ClassVar[str] = "erlang"
    sentence: ClassVar[str] = "Erlang: the sum of {m} waits of mean {beta}"
    m: float
    beta: float

    def _check(self) -> None:
        check_whole(self.kind, "m", self.m, 1, SHAPE_MAX)
        check_positive(self.kind, "beta", self.beta)

    @property
    def _shape(self) -> float:
        return self.m

    @property
    def _place(self) -> tuple[float, float]:
        return 0.0, self.beta


@dataclass(frozen=True)
class ChiSquared(GammaShaped):
    """The sum of nu squares of standard normals; nu need not be whole. The parameter of RiskChiSq."""

    kind: ClassVar[str] = "chi_squared"
    sentence: ClassVar[str] = "chi-squared with {nu} degrees of freedom"
    nu: float

    def _check(self) -> None:
        check_shape(self.kind, "nu", self.nu)

    @property
    def _shape(self) -> float:
        return self.nu / 2

    @property
    def _place(self) -> tuple[float, float]:
        return 0.0, 2.0


@dataclass(frozen=True)
class Maxwell(Tabled):
    """The length of a vector of three normals of standard deviation sigma, such as a speed."""

    kind: ClassVar[str] = "maxwell"
    sentence: ClassVar[str] = "Maxwell with scale {sigma}"
    sigma: float

    def _check(self) -> None:
        check_positive(self.kind, "sigma", self.sigma)

    @property
    def _place(self) -> tuple[float, float]:
        return 0.0, self.sigma

    @property
    def _standard_moments(self) -> tuple[float, float]:
        return 2 * math.sqrt(2 / math.pi), math.sqrt(3 - 8 / math.pi)

    @property
    def _standard_mode(self) -> float:
        return math.sqrt(2)

    def _below(self, shares: Floats) -> Floats:
        return np.asarray(np.sqrt(2 * gammaincinv(1.5, shares)), dtype=np.float64)

    def _above(self, shares: Floats) -> Floats:
        return np.asarray(np.sqrt(2 * gammainccinv(1.5, shares)), dtype=np.float64)

    def _standard_cumulated(self, z: Floats) -> Floats:
        return np.asarray(gammainc(1.5, z * z / 2), dtype=np.float64)

    def _standard_density(self, z: Floats) -> Floats:
        return math.sqrt(2 / math.pi) * z * z * np.exp(-z * z / 2)


@dataclass(frozen=True)
class Weibull(Family):
    """A lifetime; with alpha below 1 failures come early, above 1 late. The parameters of RiskWeibull."""

    kind: ClassVar[str] = "weibull"
    sentence: ClassVar[str] = "Weibull with shape {alpha} and scale {beta}"
    alpha: float
    beta: float

    def _check(self) -> None:
        check_shape(self.kind, "alpha", self.alpha)
        check_positive(self.kind, "beta", self.beta)

    @property
    def _place(self) -> tuple[float, float]:
        return 0.0, self.beta

    @property
    def _standard_moments(self) -> tuple[float, float]:
        logs = gammaln(1 + np.array([1.0, 2.0]) / self.alpha)
        with np.errstate(over="ignore"):
            return moments_from_raw(float(np.exp(logs[0])), float(np.exp(logs[1])), self)

    @property
    def _standard_mode(self) -> float:
        return float((1 - 1 / self.alpha) ** (1 / self.alpha)) if self.alpha > 1 else math.nan

    def _exact_inverse(self, uniforms: Floats) -> Floats:
        return (-np.log1p(-uniforms)) ** (1 / self.alpha)

    def _standard_cumulated(self, z: Floats) -> Floats:
        return -np.expm1(-(z**self.alpha))

    def _standard_density(self, z: Floats) -> Floats:
        return np.asarray(self.alpha * np.exp(xlogy(self.alpha - 1, z) - z**self.alpha), dtype=np.float64)


@dataclass(frozen=True)
class Rayleigh(Family):
    """The length of a vector of two normals of standard deviation beta. The parameter of RiskRayleigh."""

    kind: ClassVar[str] = "rayleigh"
    sentence: ClassVar[str] = "Rayleigh most likely {beta}"
    beta: float

    def _check(self) -> None:
        check_positive(self.kind, "beta", self.beta)

    @property
    def _place(self) -> tuple[float, float]:
        return 0.0, self.beta

    @property
    def _standard_moments(self) -> tuple[float, float]:
        return math.sqrt(math.pi / 2), math.sqrt(2 - math.pi / 2)

    @property
    def _standard_mode(self) -> float:
        return 1.0

    def _exact_inverse(self, uniforms: Floats) -> Floats:
        return np.asarray(np.sqrt(-2 * np.log1p(-uniforms)), dtype=np.float64)

    def _standard_cumulated(self, z: Floats) -> Floats:
        return -np.expm1(-z * z / 2)

    def _standard_density(self, z: Floats) -> Floats:
        return z * np.exp(-z * z / 2)


@dataclass(frozen=True)
class InverseGaussian(Tabled):
    """The time until a drifting path first reaches a line. Mean mu, shape lambda, as in RiskInvgauss.

    Source: Chhikara and Folks 1989, The Inverse Gaussian Distribution, for the distribution function.
    """

    kind: ClassVar[str] = "inverse_gaussian"
    sentence: ClassVar[str] = "inverse Gaussian with mean {mu} and shape {lambda}"
    mu: float
    lambda_: float

    def _check(self) -> None:
        check_positive(self.kind, "mu", self.mu)
        check_positive(self.kind, "lambda", self.lambda_)
        check_shape(self.kind, "lambda / mu", self._ratio)

    @property
    def _ratio(self) -> float:
        return self.lambda_ / self.mu

    @property
    def _place(self) -> tuple[float, float]:
        return 0.0, self.mu

    @property
    def _standard_moments(self) -> tuple[float, float]:
        return 1.0, self._ratio**-0.5

    @property
    def _standard_mode(self) -> float:
        half = 1.5 / self._ratio
        return 1 / (math.hypot(1, half) + half)

    def _below(self, shares: Floats) -> Floats:
        return np.exp(self._stretched_below(shares))

    def _above(self, shares: Floats) -> Floats:
        return np.exp(self._stretched_above(shares))

    def _stretched_below(self, shares: Floats) -> Floats:
        return self._log_inverse(shares, self._standard_cumulated, 1.0)

    def _stretched_above(self, shares: Floats) -> Floats:
        return self._log_inverse(shares, self._survival, -1.0)

    def _log_inverse(self, shares: Floats, tail: Callable[[Floats], Floats], sign: float) -> Floats:
        """Solve tail(exp(y)) = share by halving, and then by Newton's steps on the logarithm of the tail."""
        reach = 60 + 4 * abs(math.log(self._ratio))
        low, high = np.full_like(shares, -reach), np.full_like(shares, reach)
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            is_low = (tail(np.exp(middle)) < shares) == (sign > 0)
            low, high = np.where(is_low, middle, low), np.where(is_low, high, middle)
        y = (low + high) / 2
        for _ in range(_NEWTON_STEPS):
            x = np.exp(y)
            share = tail(x)
            step = np.log(share / shares) * share / (sign * self._standard_density(x) * x)
            y = np.clip(np.where(np.isfinite(step), y - step, y), low - 1e-3, high + 1e-3)
        return y

    def _standard_cumulated(self, z: Floats) -> Floats:
        near, far = self._scores(z)
        return np.asarray(ndtr(near) + self._reflected(near, far), dtype=np.float64)

    def _survival(self, z: Floats) -> Floats:
        near, far = self._scores(z)
        return np.asarray(ndtr(-near) - self._reflected(near, far), dtype=np.float64)

    def _scores(self, z: Floats) -> tuple[Floats, Floats]:
        root = np.sqrt(self._ratio / z)
        return root * (z - 1), root * (z + 1)

    def _reflected(self, near: Floats, far: Floats) -> Floats:
        # exp(2 ratio) ndtr(-far) without its overflow: far² - near² is 4 ratio.
        return np.asarray(np.exp(-(near**2) / 2) * erfcx(far / math.sqrt(2)) / 2, dtype=np.float64)

    def _standard_density(self, z: Floats) -> Floats:
        exponent = -self._ratio * (z - 1) ** 2 / (2 * z)
        return np.where(z > 0, np.sqrt(self._ratio / (2 * np.pi * z**3)) * np.exp(exponent), 0.0)


def moments_from_raw(first: float, second: float, shape: Family) -> tuple[float, float]:
    """Mean and standard deviation from E[x] and E[x²], by quadrature where the difference would lose its digits."""
    variance = second - first * first
    if math.isfinite(variance) and variance < _SMALL_VARIANCE * second:
        return quantile_moments(shape.standard_quantile)
    return first, math.sqrt(variance) if math.isfinite(variance) else math.inf
