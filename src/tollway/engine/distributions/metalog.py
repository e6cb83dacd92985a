"""The metalog: a smooth shape through percentiles that somebody names."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from scipy.special import expit, logit, ndtr

from tollway.engine.distributions.drawn import equally_many, rising
from tollway.engine.distributions.parameters import BadDistribution, check_share, number, numbers, shown
from tollway.engine.distributions.pert import Floats
from tollway.engine.distributions.quadrature import quantile_moments
from tollway.engine.distributions.shape import CURVE_POINTS_MIN, Distribution

METALOG_PAIRS_MIN, METALOG_PAIRS_MAX = 2, 16
# The inverse must rise at each of so many normal scores, evenly spaced to the last uniform there is.
_CHECKED_SCORES, _SCORE_MAX = 4_001, 8.25
_BISECTIONS = 64
_PIVOT_MIN = 1e-14
_FIRST_UNIFORM, _LAST_UNIFORM = 2.0**-54, 1 - 2.0**-53


@dataclass(frozen=True)
class Metalog(Distribution):
    """Passes through each (value, probability of at most it), with one term for each pair; min and max may be open.

    Source: Keelin 2016, "The Metalog Distributions", Decision Analysis 13(4), 243-277: unbounded, log (one end) and
    logit (both ends).
    """

    kind: ClassVar[str] = "metalog"
    values: tuple[float, ...]
    probabilities: tuple[float, ...]
    min: float | None = None
    max: float | None = None

    def __post_init__(self) -> None:
        """Refuse points through which no metalog rises. Raises: BadDistribution."""
        counts = METALOG_PAIRS_MIN, METALOG_PAIRS_MAX
        values = numbers(self.kind, "values", self.values, *counts)
        probabilities = numbers(self.kind, "probabilities", self.probabilities, *counts)
        equally_many(self.kind, values, probabilities)
        for name in ("min", "max"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, number(self.kind, name, getattr(self, name)))
        low = -math.inf if self.min is None else self.min
        rising(self.kind, "values", values, low, math.inf if self.max is None else self.max)
        for position, share in enumerate(probabilities):
            check_share(self.kind, f"probabilities[{position}]", share)
        rising(self.kind, "probabilities", probabilities, 0.0, 1.0)
        object.__setattr__(self, "values", tuple(values))
        object.__setattr__(self, "probabilities", tuple(probabilities))
        scores = np.linspace(-_SCORE_MAX, _SCORE_MAX, _CHECKED_SCORES)
        if (
            not (self._slope(ndtr(scores)) > 0).all()
            or not np.isfinite(self.quantile(np.array([_FIRST_UNIFORM, _LAST_UNIFORM]))).all()
        ):
            raise BadDistribution(
                f"No metalog distribution rises through these {len(values)} percentiles; leave one out, or give an end "
                "with min or max.",
                field="distribution.values",
            )

    @cached_property
    def mean(self) -> float:
        """Expected value, by quadrature; the median where there is none."""
        return self._moments[0] if self.finite_moments else float(self.quantile(np.array([0.5]))[0])

    @cached_property
    def std(self) -> float:
        """Standard deviation, by quadrature; half the middle 68 % where there is none."""
        if self.finite_moments == 2:
            return self._moments[1]
        low, high = self.quantile(ndtr(np.array([-1.0, 1.0])))
        return float(high - low) / 2

    @cached_property
    def finite_moments(self) -> int:
        """An end on one side alone makes the other tail a power, whose moments may not exist."""
        if (self.min is None) == (self.max is None):
            return 2
        # What multiplies the log odds at the open end.
        away = 0.5 if self.min is not None else -0.5
        power = sum(a * away**k for k, a in self._odds_terms())
        return 2 if 2 * power < 1 else 1 if power < 1 else 0

    def quantile(self, uniforms: Floats) -> Floats:
        """Evaluate the metalog; 0 and 1 give the ends."""
        with np.errstate(all="ignore"):
            uniforms = np.asarray(uniforms, dtype=np.float64)
            draws = self._unfolded(_weighted(_terms(uniforms, len(self.values)), self._coefficients))
            low = -math.inf if self.min is None else self.min
            high = math.inf if self.max is None else self.max
            return np.where(uniforms <= 0, low, np.where(uniforms >= 1, high, draws))

    def cumulated(self, x: Floats) -> Floats:
        """Solve for the probability by halving, to the last digit of its normal score."""
        x = np.asarray(x, dtype=np.float64)
        low, high = np.full(x.shape, -_SCORE_MAX), np.full(x.shape, _SCORE_MAX)
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            is_low = self.quantile(ndtr(middle)) < x
            low, high = np.where(is_low, middle, low), np.where(is_low, high, middle)
        shares = ndtr((low + high) / 2)
        shares = np.where(x <= self.quantile(np.array(0.0)), 0.0, shares)
        return np.where(x >= self.quantile(np.array(1.0)), 1.0, shares)

    def density(self, x: Floats) -> Floats:
        """One over the slope of the inverse."""
        x = np.asarray(x, dtype=np.float64)
        low, high = self.quantile(np.array([0.0, 1.0]))
        shares = np.clip(self.cumulated(x), _FIRST_UNIFORM, _LAST_UNIFORM)
        with np.errstate(all="ignore"):
            unfolded = self._stretch(self.quantile(shares))
            return np.where((x > low) & (x < high), 1 / (self._slope(shares) * unfolded), 0.0)

    def curve(self, point_count: int) -> list[tuple[float, float]]:
        """(x, density) points at even probabilities and even steps from left to right."""
        assert point_count >= CURVE_POINTS_MIN, point_count
        low, high = self.quantile(np.array([0.005, 0.995]))
        x = np.linspace(low, high, point_count)
        return list(zip(x.tolist(), self.density(x).tolist(), strict=True))

    def describe(self) -> str:
        """Name the percentiles."""
        pairs = zip(self.values, self.probabilities, strict=True)
        named = ", ".join(f"{100 * share:.4g} % below {shown(value)}" for value, share in pairs)
        ends = [
            f"{name} {shown(end)}" for name, end in (("min", self.min), ("max", self.max)) if end is not None
        ]
        return ", ".join([f"metalog with {named}", *ends])

    def as_json(self) -> dict[str, Any]:
        """Give the form that `parse_distribution` reads back."""
        ends = {name: end for name, end in (("min", self.min), ("max", self.max)) if end is not None}
        lists = {"values": list(self.values), "probabilities": list(self.probabilities)}
        return {"type": self.kind, **lists, **ends}

    @cached_property
    def _moments(self) -> tuple[float, float]:
        return quantile_moments(self.quantile)

    @cached_property
    def _coefficients(self) -> list[float]:
        """Solve for the terms that pass through each pair, values folded at the ends."""
        values, shares = np.array(self.values), np.array(self.probabilities)
        rows = [
            [*terms, folded]
            for *terms, folded in zip(
                *(column.tolist() for column in _terms(shares, len(values))),
                self._folded(values).tolist(),
                strict=True,
            )
        ]
        solved = _solved(rows)
        if solved is None:
            raise BadDistribution(
                "These percentiles of the metalog distribution lie too close together; leave one out.",
                field="distribution.probabilities",
            )
        return solved

    def _odds_terms(self) -> list[tuple[int, float]]:
        """Power of (y - 1/2) and coefficient of each term with log odds; signs count towards the open end."""
        sign = 1.0 if self.min is not None else -1.0
        found = [(1, 0), (2, 1), (5, 2), *((index, (index - 1) // 2) for index in range(7, 17, 2))]
        count = len(self.values)
        return [(power, sign * self._coefficients[at]) for at, power in found if at < count]

    def _folded(self, values: Floats) -> Floats:
        if self.min is None:
            return values if self.max is None else -np.log(self.max - values)
        if self.max is None:
            return np.log(values - self.min)
        return np.asarray(logit((values - self.min) / (self.max - self.min)), dtype=np.float64)

    def _unfolded(self, folded: Floats) -> Floats:
        if self.min is None:
            return folded if self.max is None else self.max - np.exp(-folded)
        if self.max is None:
            return self.min + np.exp(folded)
        return np.asarray(self.min + (self.max - self.min) * expit(folded), dtype=np.float64)

    def _stretch(self, values: Floats) -> Floats:
        """How fast values grow with their folded form."""
        if self.min is None:
            return np.ones_like(values) if self.max is None else self.max - values
        if self.max is None:
            return values - self.min
        return (values - self.min) * (self.max - values) / (self.max - self.min)

    def _slope(self, shares: Floats) -> Floats:
        """Derivative of the folded inverse."""
        return _weighted(_slopes(shares, len(self.values)), self._coefficients)


def _solved(rows: list[list[float]]) -> list[float] | None:
    """Solve linear equations, each row with its right side last; None where they have no single solution.

    Written out, because a library's result would depend on the machine in the last digit.
    """
    count = len(rows)
    for column in range(count):
        pivot = max(range(column, count), key=lambda row: abs(rows[row][column]))
        if abs(rows[pivot][column]) < _PIVOT_MIN:
            return None
        rows[column], rows[pivot] = rows[pivot], rows[column]
        for row in rows[column + 1 :]:
            factor = row[column] / rows[column][column]
            for at in range(column, count + 1):
                row[at] -= factor * rows[column][at]
    solved = [0.0] * count
    for at in reversed(range(count)):
        rest = math.fsum(rows[at][later] * solved[later] for later in range(at + 1, count))
        solved[at] = (rows[at][count] - rest) / rows[at][at]
    return solved


def _weighted(columns: list[Floats], weights: list[float]) -> Floats:
    """Add columns up in their order, so that the sum of a row never depends on how many rows there are."""
    total = columns[0] * weights[0]
    for column, weight in zip(columns[1:], weights[1:], strict=True):
        total = total + column * weight
    return total


def _terms(shares: Floats, count: int) -> list[Floats]:
    """Keelin's basis at each share, one column for each term."""
    off, odds = shares - 0.5, np.asarray(logit(shares), dtype=np.float64)
    columns = [np.ones_like(shares), odds, off * odds, off]
    for index in range(4, count):
        # a5 (y - 1/2)², a6 (y - 1/2)² ln odds, a7 (y - 1/2)³ and so on.
        power = off ** (index // 2)
        columns.append(power * odds if index % 2 else power)
    return columns[:count]


def _slopes(shares: Floats, count: int) -> list[Floats]:
    """Derivatives of the same."""
    off, odds = shares - 0.5, np.asarray(logit(shares), dtype=np.float64)
    steep = 1 / (shares * (1 - shares))
    columns = [np.zeros_like(shares), steep, odds + off * steep, np.ones_like(shares)]
    for index in range(4, count):
        power, slope = off ** (index // 2), index // 2 * off ** (index // 2 - 1)
        columns.append(slope * odds + power * steep if index % 2 else slope)
    return columns[:count]
