"""Shapes that are a list of values."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from tollway.engine.distributions.parameters import BadDistribution, joined_pairs, numbers, shown
from tollway.engine.distributions.pert import Floats
from tollway.engine.distributions.steps import Stepped


@dataclass(frozen=True)
class Discrete(Stepped):
    """One of a list of values, each with its probability. Values are kept sorted, equal ones joined."""

    kind: ClassVar[str] = "discrete"
    values: tuple[float, ...]
    probabilities: tuple[float, ...]

    def __post_init__(self) -> None:
        """Refuse lists that cannot be meant. Raises: BadDistribution."""
        joined = joined_pairs(self.values, self.probabilities)
        object.__setattr__(self, "values", tuple(joined))
        object.__setattr__(self, "probabilities", tuple(joined.values()))

    @cached_property
    def mean(self) -> float:
        """Values weighted by their probabilities."""
        return math.fsum(v * p for v, p in zip(self.values, self.probabilities, strict=True))

    @cached_property
    def std(self) -> float:
        """Root of the weighted squares of the distances from the mean."""
        pairs = zip(self.values, self.probabilities, strict=True)
        return math.sqrt(math.fsum((v - self.mean) ** 2 * p for v, p in pairs))

    def curve(self, point_count: int) -> list[tuple[float, float]]:
        """(value, probability) of the most likely values, at most `point_count`, from left to right."""
        pairs = sorted(zip(self.values, self.probabilities, strict=True), key=lambda pair: -pair[1])
        return sorted(pairs[:point_count])

    def describe(self) -> str:
        """Name the values; a long list by its count and ends."""
        if len(self.values) > 4:
            return (
                f"one of {len(self.values):,} values from {shown(self.values[0])} to {shown(self.values[-1])}"
            )
        pairs = zip(self.values, self.probabilities, strict=True)
        return "one of " + ", ".join(f"{shown(value)} (probability {share:.4g})" for value, share in pairs)

    def as_json(self) -> dict[str, Any]:
        """Give the form that `parse_distribution` reads back."""
        return {"type": self.kind, "values": list(self.values), "probabilities": list(self.probabilities)}

    @cached_property
    def _steps(self) -> tuple[Floats, Floats]:
        # The last step is at 1 by definition, so rounding of the sum cannot leave a gap.
        return np.array(self.values), np.cumsum(self.probabilities)[:-1]

    @cached_property
    def masses(self) -> Floats:
        """Probability of each value, as given."""
        return np.array(self.probabilities)


class _Equal(Stepped):
    """Values of a list, each entry as likely as another."""

    values: tuple[float, ...]

    @cached_property
    def mean(self) -> float:
        """The middle of the entries."""
        return math.fsum(self.values) / len(self.values)

    @cached_property
    def std(self) -> float:
        """Root of the mean squared distance from the mean."""
        return math.sqrt(math.fsum((value - self.mean) ** 2 for value in self.values) / len(self.values))

    def as_json(self) -> dict[str, Any]:
        """Give the form that `parse_distribution` reads back."""
        return {"type": self.kind, "values": list(self.values)}

    def _keep(self, values: list[float]) -> None:
        if values[0] == values[-1]:
            raise BadDistribution(
                f"This {self.kind} distribution always gives {shown(values[0])}; that is a constant, "
                "so give at least two different values or leave the cell as it is.",
                field="distribution.values",
            )
        object.__setattr__(self, "values", tuple(values))

    @cached_property
    def _steps(self) -> tuple[Floats, Floats]:
        values, counts = np.unique(np.array(self.values), return_counts=True)
        return values, np.cumsum(counts)[:-1] / len(self.values)


@dataclass(frozen=True)
class DiscreteUniform(_Equal):
    """Each different value of a list is equally likely. The parameter of RiskDUniform."""

    kind: ClassVar[str] = "discrete_uniform"
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        """Refuse lists that cannot be meant; sort, and keep each value once. Raises: BadDistribution."""
        self._keep(sorted(set(numbers(self.kind, "values", self.values))))

    def describe(self) -> str:
        """Name the values; a long list by its count and ends."""
        if len(self.values) > 6:
            ends = f"from {shown(self.values[0])} to {shown(self.values[-1])}"
            return f"one of {len(self.values):,} equally likely values {ends}"
        return "equally likely: " + ", ".join(shown(value) for value in self.values)


@dataclass(frozen=True)
class Empirical(_Equal):
    """Data drawn again: each observation is equally likely, and one that stands there twice counts twice."""

    kind: ClassVar[str] = "empirical"
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        """Refuse lists that cannot be meant; sort. Raises: BadDistribution."""
        self._keep(sorted(numbers(self.kind, "values", self.values)))

    def describe(self) -> str:
        """Say how many observations there are."""
        return f"one of {len(self.values):,} observations from {shown(self.values[0])} to {shown(self.values[-1])}"
