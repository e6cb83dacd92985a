"""Shapes drawn by points: of a density, of a histogram, of a cumulated curve, of an inverse (metalog)."""

import math
from abc import abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from tollway.engine.distributions.parameters import (
    DISCRETE_PAIRS_MAX,
    BadDistribution,
    check_range,
    number,
    numbers,
    shown,
)
from tollway.engine.distributions.pert import Floats
from tollway.engine.distributions.shape import CURVE_POINTS_MIN, Distribution


def rising(kind: str, parameter: str, values: list[float], low: float, high: float) -> None:
    """Refuse points that do not rise strictly between two ends."""
    for position, (before, value) in enumerate(zip([low, *values], [*values, high], strict=True)):
        if not before < value:
            raise BadDistribution(
                f"{parameter} of this {kind} distribution do not rise between {shown(low)} and {shown(high)}: "
                f"{shown(value)} follows {shown(before)}; put them in order, each once, and inside.",
                field=f"distribution.{parameter}[{min(position, len(values) - 1)}]",
            )


def equally_many(kind: str, values: list[float], probabilities: list[float]) -> None:
    """Refuse two lists of different lengths."""
    if len(values) != len(probabilities):
        raise BadDistribution(
            f"This {kind} distribution has {len(values):,} values and {len(probabilities):,} probabilities; "
            "give one probability for each value.",
            field="distribution.probabilities",
        )


class Pieced(Distribution):
    """A density of straight pieces between knots."""

    min: float
    max: float

    @property
    @abstractmethod
    def _pieces(self) -> tuple[Floats, Floats, Floats]:
        """Knots, and weights at the left and at the right end of each piece, in any unit."""

    @cached_property
    def _scaled(self) -> tuple[Floats, Floats, Floats, Floats]:
        """Knots, densities at both ends of each piece, and cumulated probabilities at the knots."""
        knots, left, right = self._pieces
        masses = (left + right) / 2 * np.diff(knots)
        total = masses.sum()
        cumulated = np.concatenate([[0.0], np.cumsum(masses / total)])
        # By definition, so that rounding of the sum leaves no gap.
        cumulated[-1] = 1.0
        return knots, left / total, right / total, cumulated

    def quantile(self, uniforms: Floats) -> Floats:
        """Invert the piece that each uniform falls into."""
        knots, left, right, cumulated = self._scaled
        uniforms = np.asarray(uniforms, dtype=np.float64)
        piece = np.searchsorted(cumulated[1:-1], uniforms, side="left")
        rest = np.maximum(uniforms - cumulated[piece], 0)
        start, width = left[piece], knots[piece + 1] - knots[piece]
        bend = (right[piece] - start) / width
        below = start + np.sqrt(np.maximum(start * start + 2 * bend * rest, 0))
        steps = np.divide(2 * rest, below, out=np.zeros_like(rest), where=below > 0)
        draws: Floats = np.minimum(knots[piece] + steps, knots[piece + 1])
        return draws

    def cumulated(self, x: Floats) -> Floats:
        """Probability of a draw at or below each x."""
        knots, left, right, cumulated = self._scaled
        x = np.clip(np.asarray(x, dtype=np.float64), knots[0], knots[-1])
        piece = np.clip(np.searchsorted(knots, x, side="right") - 1, 0, len(left) - 1)
        step, width = x - knots[piece], knots[piece + 1] - knots[piece]
        slope = (right[piece] - left[piece]) / width
        shares: Floats = np.minimum(cumulated[piece] + step * (left[piece] + slope * step / 2), 1.0)
        return shares

    def density(self, x: Floats) -> Floats:
        """Density at each x, 0 outside the ends."""
        knots, left, right, _ = self._scaled
        x = np.asarray(x, dtype=np.float64)
        piece = np.clip(np.searchsorted(knots, x, side="right") - 1, 0, len(left) - 1)
        share = (x - knots[piece]) / (knots[piece + 1] - knots[piece])
        inside = (x >= knots[0]) & (x <= knots[-1])
        return np.where(inside, left[piece] * (1 - share) + right[piece] * share, 0.0)

    @property
    def kinks(self) -> tuple[float, ...]:
        """Where pieces meet."""
        return tuple(self._scaled[3][1:-1].tolist())

    @cached_property
    def mean(self) -> float:
        """Expected value, piece by piece."""
        knots, left, right, _ = self._scaled
        width = np.diff(knots)
        parts = knots[:-1] * (left + right) / 2 * width + width * width * (left + 2 * right) / 6
        return math.fsum(parts.tolist())

    @cached_property
    def std(self) -> float:
        """Standard deviation, piece by piece; exact for straight pieces."""
        knots, left, right, _ = self._scaled
        width, off = np.diff(knots), knots[:-1] - self.mean
        # Integrals of (off + width s)² (1 - s) and of (off + width s)² s over s from 0 to 1.
        falling = off * off / 2 + off * width / 3 + width * width / 12
        growing = off * off / 2 + off * width * 2 / 3 + width * width / 4
        return math.sqrt(math.fsum((width * (left * falling + right * growing)).tolist()))

    def curve(self, point_count: int) -> list[tuple[float, float]]:
        """(x, density) points from end to end."""
        assert point_count >= CURVE_POINTS_MIN, point_count
        x = np.linspace(self.min, self.max, point_count)
        return list(zip(x.tolist(), self.density(x).tolist(), strict=True))


@dataclass(frozen=True)
class General(Pieced):
    """A density through points (value, weight), 0 at both ends. The parameters of RiskGeneral."""

    kind: ClassVar[str] = "general"
    min: float
    max: float
    values: tuple[float, ...]
    probabilities: tuple[float, ...]

    def __post_init__(self) -> None:
        """Refuse points that cannot be meant. Raises: BadDistribution."""
        keep_points(self)
        keep_weights(self, list(self.probabilities))

    @property
    def _pieces(self) -> tuple[Floats, Floats, Floats]:
        heights = np.array([0.0, *self.probabilities, 0.0])
        return np.array([self.min, *self.values, self.max]), heights[:-1], heights[1:]

    def describe(self) -> str:
        """Say how many points there are."""
        return f"a density through {len(self.values):,} points from {shown(self.min)} to {shown(self.max)}"

    def as_json(self) -> dict[str, Any]:
        """Give the form that `parse_distribution` reads back."""
        return points_as_json(self)


@dataclass(frozen=True)
class Histogram(Pieced):
    """Bars of equal width from min to max, each with its weight. The parameters of RiskHistogrm."""

    kind: ClassVar[str] = "histogram"
    min: float
    max: float
    probabilities: tuple[float, ...]

    def __post_init__(self) -> None:
        """Refuse bars that cannot be meant. Raises: BadDistribution."""
        keep_ends(self)
        keep_weights(self, numbers(self.kind, "probabilities", self.probabilities))

    @property
    def _pieces(self) -> tuple[Floats, Floats, Floats]:
        heights = np.array(self.probabilities)
        return np.linspace(self.min, self.max, len(heights) + 1), heights, heights

    def describe(self) -> str:
        """Say how many bars there are."""
        return f"a histogram of {len(self.probabilities):,} bars from {shown(self.min)} to {shown(self.max)}"

    def as_json(self) -> dict[str, Any]:
        """Give the form that `parse_distribution` reads back."""
        ends = {"min": self.min, "max": self.max}
        return {"type": self.kind, **ends, "probabilities": list(self.probabilities)}


@dataclass(frozen=True)
class Cumulative(Pieced):
    """Straight lines through points (value, probability of at most it). The parameters of RiskCumul."""

    kind: ClassVar[str] = "cumulative"
    min: float
    max: float
    values: tuple[float, ...]
    probabilities: tuple[float, ...]

    def __post_init__(self) -> None:
        """Refuse points that cannot be meant. Raises: BadDistribution."""
        keep_points(self)
        for position, (before, share) in enumerate(
            zip([0.0, *self.probabilities], [*self.probabilities, 1.0], strict=True)
        ):
            if not before <= share:
                raise BadDistribution(
                    f"probabilities of this {self.kind} distribution fall from {shown(before)} to {shown(share)}; each "
                    "is the probability of at most its value, so they rise from 0 to 1.",
                    field=f"distribution.probabilities[{min(position, len(self.probabilities) - 1)}]",
                )

    @property
    def _pieces(self) -> tuple[Floats, Floats, Floats]:
        knots = np.array([self.min, *self.values, self.max])
        heights = np.diff([0.0, *self.probabilities, 1.0]) / np.diff(knots)
        return knots, heights, heights

    def describe(self) -> str:
        """Say how many points there are."""
        return f"a cumulated curve through {len(self.values):,} points from {shown(self.min)} to {shown(self.max)}"

    def as_json(self) -> dict[str, Any]:
        """Give the form that `parse_distribution` reads back."""
        return points_as_json(self)


def keep_ends(shape: General | Histogram | Cumulative) -> None:
    """Check min and max, and keep them as floats."""
    for name in ("min", "max"):
        object.__setattr__(shape, name, number(shape.kind, name, getattr(shape, name)))
    check_range(shape.kind, shape.min, shape.max)


def keep_points(shape: General | Cumulative) -> None:
    """Check the points of a curve, and keep them as tuples."""
    keep_ends(shape)
    values = numbers(shape.kind, "values", shape.values, count_max=DISCRETE_PAIRS_MAX)
    probabilities = numbers(shape.kind, "probabilities", shape.probabilities)
    equally_many(shape.kind, values, probabilities)
    rising(shape.kind, "values", values, shape.min, shape.max)
    object.__setattr__(shape, "values", tuple(values))
    object.__setattr__(shape, "probabilities", tuple(probabilities))


def keep_weights(shape: General | Histogram, weights: list[float]) -> None:
    """Check weights, which need not add up to 1, and keep them as a tuple."""
    for position, weight in enumerate(weights):
        if weight < 0:
            raise BadDistribution(
                f"Weight {position + 1} of this {shape.kind} distribution is {shown(weight)}; "
                "a weight must not be below 0.",
                field=f"distribution.probabilities[{position}]",
            )
    if not any(weights):
        raise BadDistribution(
            f"All weights of this {shape.kind} distribution are 0; give at least one above 0.",
            field="distribution.probabilities",
        )
    object.__setattr__(shape, "probabilities", tuple(weights))


def points_as_json(shape: General | Cumulative) -> dict[str, Any]:
    """Give ends and points as `parse_distribution` reads them back."""
    ends = {"min": shape.min, "max": shape.max}
    lists = {"values": list(shape.values), "probabilities": list(shape.probabilities)}
    return {"type": shape.kind, **ends, **lists}
