"""Shapes whose draws come in steps: one of several values, each with its probability."""

import math
from abc import abstractmethod
from functools import cached_property

import numpy as np

from tollway.engine.distributions.pert import Floats
from tollway.engine.distributions.shape import Distribution


class Stepped(Distribution):
    """A shape with separate values, each with its probability."""

    def quantile(self, uniforms: Floats) -> Floats:
        """Give the smallest value whose cumulated probability reaches the uniform."""
        values, cumulated = self._steps
        draws: Floats = values[np.searchsorted(cumulated, uniforms, side="left")]
        return draws

    def cumulated(self, x: Floats) -> Floats:
        """Probability of a draw at or below each x."""
        values, cumulated = self._steps
        sums = np.concatenate([[0.0], cumulated, [1.0]])
        shares: Floats = sums[np.searchsorted(values, np.asarray(x, dtype=np.float64), side="right")]
        return shares

    def density(self, x: Floats) -> Floats:
        """Probability of exactly each x."""
        values, _ = self._steps
        x = np.asarray(x, dtype=np.float64)
        places = np.minimum(np.searchsorted(values, x), len(values) - 1)
        return np.where(values[places] == x, self.masses[places], 0.0)

    def curve(self, point_count: int) -> list[tuple[float, float]]:
        """(value, probability) of the most likely values, at most `point_count`, from left to right."""
        values = self._steps[0]
        likely = np.sort(np.argsort(-self.masses, kind="stable")[:point_count])
        return list(zip(values[likely].tolist(), self.masses[likely].tolist(), strict=True))

    @cached_property
    def masses(self) -> Floats:
        """Probability of each value."""
        return np.diff(self._steps[1], prepend=0.0, append=1.0)

    def truncated_moments(self, low: float, high: float) -> tuple[float, float]:
        """Mean and standard deviation of the values from low to high."""
        values = self._steps[0]
        inside = (values >= low) & (values <= high)
        kept, masses = values[inside], self.masses[inside]
        mean = float((kept * masses).sum() / masses.sum())
        return mean, math.sqrt(float(((kept - mean) ** 2 * masses).sum() / masses.sum()))

    @property
    @abstractmethod
    def _steps(self) -> tuple[Floats, Floats]:
        """Values, rising, and their cumulated probabilities without the last, which is 1 by definition."""
