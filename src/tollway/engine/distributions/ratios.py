"""Heavy-tailed shapes that are quotients of gamma draws."""

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.special import betainc, betaln, gammaincc, gammainccinv, gammaincinv, gammaln, xlog1py, xlogy

from tollway.engine.distributions.beta_shapes import log_odds_below
from tollway.engine.distributions.heavy_tailed import HeavyTailed
from tollway.engine.distributions.parameters import check_positive, check_shape
from tollway.engine.distributions.pert import Floats
from tollway.engine.distributions.shape import Tabled


@dataclass(frozen=True)
class Pearson5(HeavyTailed, Tabled):
    """One over a gamma draw. Shape alpha, scale beta, as in RiskPearson5."""

    kind: ClassVar[str] = "pearson5"
    sentence: ClassVar[str] = "Pearson type 5 with shape {alpha} and scale {beta}"
    alpha: float
    beta: float

    def _check(self) -> None:
        check_shape(self.kind, "alpha", self.alpha)
        check_positive(self.kind, "beta", self.beta)

    @property
    def _place(self) -> tuple[float, float]:
        return 0.0, self.beta

    @property
    def _standard_mode(self) -> float:
        return 1 / (self.alpha + 1)

    @property
    def _standard_moments(self) -> tuple[float, float]:
        mean = 1 / (self.alpha - 1) if self.alpha > 1 else math.inf
        return mean, mean / math.sqrt(self.alpha - 2) if self.alpha > 2 else math.inf

    def _below(self, shares: Floats) -> Floats:
        return np.asarray(1 / gammainccinv(self.alpha, shares), dtype=np.float64)

    def _above(self, shares: Floats) -> Floats:
        return np.asarray(1 / gammaincinv(self.alpha, shares), dtype=np.float64)

    def _standard_cumulated(self, z: Floats) -> Floats:
        return np.asarray(gammaincc(self.alpha, 1 / z), dtype=np.float64)

    def _standard_density(self, z: Floats) -> Floats:
        logs = -(self.alpha + 1) * np.log(z) - 1 / z - gammaln(self.alpha)
        return np.where(z > 0, np.exp(logs), 0.0)


class _Ratio(HeavyTailed, Tabled):
    """The ratio of two gamma draws: the odds of a beta draw."""

    @property
    @abstractmethod
    def _shapes(self) -> tuple[float, float]:
        """Shape parameters of the upper and the lower draw."""

    @property
    def _standard_mode(self) -> float:
        a, b = self._shapes
        return (a - 1) / (b + 1) if a > 1 else math.nan

    @property
    def _standard_moments(self) -> tuple[float, float]:
        a, b = self._shapes
        mean = a / (b - 1) if b > 1 else math.inf
        return mean, math.sqrt(a * (a + b - 1) / (b - 2)) / (b - 1) if b > 2 else math.inf

    def _below(self, shares: Floats) -> Floats:
        return np.exp(self._stretched_below(shares))

    def _above(self, shares: Floats) -> Floats:
        return np.exp(self._stretched_above(shares))

    def _stretched_below(self, shares: Floats) -> Floats:
        return log_odds_below(*self._shapes, shares)

    def _stretched_above(self, shares: Floats) -> Floats:
        a, b = self._shapes
        return -log_odds_below(b, a, shares)

    def _standard_cumulated(self, z: Floats) -> Floats:
        return np.asarray(betainc(*self._shapes, z / (1 + z)), dtype=np.float64)

    def _standard_density(self, z: Floats) -> Floats:
        a, b = self._shapes
        return np.asarray(np.exp(xlogy(a - 1, z) - xlog1py(a + b, z) - betaln(a, b)), dtype=np.float64)


@dataclass(frozen=True)
class Pearson6(_Ratio):
    """The ratio of two gamma draws (beta prime). The parameters of RiskPearson6."""

    kind: ClassVar[str] = "pearson6"
    sentence: ClassVar[str] = "Pearson type 6 with alpha1 {alpha1}, alpha2 {alpha2} and scale {beta}"
    alpha1: float
    alpha2: float
    beta: float

    def _check(self) -> None:
        check_shape(self.kind, "alpha1", self.alpha1)
        check_shape(self.kind, "alpha2", self.alpha2)
        check_positive(self.kind, "beta", self.beta)

    @property
    def _shapes(self) -> tuple[float, float]:
        return self.alpha1, self.alpha2

    @property
    def _place(self) -> tuple[float, float]:
        return 0.0, self.beta


@dataclass(frozen=True)
class F(_Ratio):
    """The ratio of two mean squares of normals. The parameters of RiskF."""

    kind: ClassVar[str] = "f"
    sentence: ClassVar[str] = "F with {nu1} and {nu2} degrees of freedom"
    nu1: float
    nu2: float

    def _check(self) -> None:
        check_shape(self.kind, "nu1", self.nu1)
        check_shape(self.kind, "nu2", self.nu2)

    @property
    def _shapes(self) -> tuple[float, float]:
        return self.nu1 / 2, self.nu2 / 2

    @property
    def _place(self) -> tuple[float, float]:
        return 0.0, self.nu2 / self.nu1
