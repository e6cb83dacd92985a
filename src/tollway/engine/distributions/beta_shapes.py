"""Arithmetic of the beta distribution, which shapes between two ends and ratios of gamma draws share."""

from abc import abstractmethod

import numpy as np
from scipy.special import betainc, betainccinv, betaincinv, betaln, expit, xlog1py, xlogy

from tollway.engine.distributions.pert import Floats
from tollway.engine.distributions.shape import Tabled


class BetaShaped(Tabled):
    """A beta distribution on 0 to 1, tabled by its log odds so that both ends keep their digits."""

    @property
    @abstractmethod
    def _shapes(self) -> tuple[float, float]:
        """First and second shape parameter."""

    @property
    def _standard_support(self) -> tuple[float, float]:
        return 0.0, 1.0

    @property
    def _standard_moments(self) -> tuple[float, float]:
        a, b = self._shapes
        return a / (a + b), float(np.sqrt(a * b / (a + b + 1)) / (a + b))

    @property
    def _standard_mode(self) -> float:
        a, b = self._shapes
        return (a - 1) / (a + b - 2) if a > 1 and b > 1 else float("nan")

    def _below(self, shares: Floats) -> Floats:
        return inverse_below(*self._shapes, shares)

    def _above(self, shares: Floats) -> Floats:
        return inverse_above(*self._shapes, shares)

    def _stretched_below(self, shares: Floats) -> Floats:
        return log_odds_below(*self._shapes, shares)

    def _stretched_above(self, shares: Floats) -> Floats:
        a, b = self._shapes
        return -log_odds_below(b, a, shares)

    def _unstretched(self, stretched: Floats) -> Floats:
        return np.asarray(expit(stretched), dtype=np.float64)

    def _standard_cumulated(self, z: Floats) -> Floats:
        return np.asarray(betainc(*self._shapes, z), dtype=np.float64)

    def _standard_density(self, z: Floats) -> Floats:
        a, b = self._shapes
        return np.asarray(np.exp(xlogy(a - 1, z) + xlog1py(b - 1, -z) - betaln(a, b)), dtype=np.float64)


def inverse_below(a: float, b: float, shares: Floats) -> Floats:
    """The x that has this share of a beta distribution below it.

    SciPy finds none below some share of 1e-150. x is tiny there, and the first term of the series is all of it:
    x^a / (a B(a, b)), DLMF 8.17.7.
    """
    found = np.asarray(betaincinv(a, b, shares), dtype=np.float64)
    lost = np.isnan(found) & (np.asarray(shares) > 0)
    if not lost.any():
        return found
    with np.errstate(divide="ignore", invalid="ignore"):
        leading = np.exp((np.log(shares) + np.log(a) + betaln(a, b)) / a)
    return np.where(lost, leading, found)


def inverse_above(a: float, b: float, shares: Floats) -> Floats:
    """The x that has this share of a beta distribution above it."""
    found = np.asarray(betainccinv(a, b, shares), dtype=np.float64)
    lost = np.isnan(found) & (np.asarray(shares) > 0)
    return np.where(lost, 1 - inverse_below(b, a, shares), found) if lost.any() else found


def log_odds_below(a: float, b: float, shares: Floats) -> Floats:
    """ln(x / (1 - x)) of the x that has this share of a beta distribution below it.

    1 - x is inverted for itself: a difference would lose the digits of an x near 1.
    """
    odds = np.log(inverse_below(a, b, shares)) - np.log(inverse_above(b, a, shares))
    return np.asarray(odds, dtype=np.float64)
