"""How many: shapes whose draws are whole numbers."""

import math
from abc import abstractmethod
from bisect import bisect_left
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from scipy.special import betainc, betaln, pdtr

from tollway.engine.distributions.parameters import (
    BadDistribution,
    check_between,
    check_positive,
    check_range,
    check_share,
    check_whole,
    number,
    shown,
)
from tollway.engine.distributions.pert import Floats
from tollway.engine.distributions.steps import Stepped

# A table of so many steps takes 16 MB.
COUNT_VALUES_MAX = 1_000_000
COUNT_MAX = 1_000_000_000.0
# What a uniform cannot tell from 0 or 1 is left out.
_TAIL = 2.0**-54


class Count(Stepped):
    """Whole numbers, by a table of their cumulated probabilities."""

    sentence: ClassVar[str]
    values_max: ClassVar[float] = COUNT_VALUES_MAX
    """How many steps the table may have."""

    def __post_init__(self) -> None:
        """Refuse parameters that cannot be meant. Raises: BadDistribution."""
        for field in fields(self):  # type: ignore[arg-type]  # each shape is a dataclass
            given = getattr(self, field.name)
            object.__setattr__(self, field.name, number(self.kind, field.name.rstrip("_"), given))
        self._check()
        first, last = self._range
        if last - first >= self.values_max:
            raise BadDistribution(
                f"This {self.kind} distribution has {last - first + 1:,} likely values and {self.values_max:,} are "
                "allowed; a normal or exponential distribution comes close to it.",
                field="distribution",
            )
        if first == last:
            raise BadDistribution(
                f"This {self.kind} distribution always gives {shown(first)}; that is a constant, so correct a "
                "parameter or leave the cell as it is.",
                field="distribution",
            )

    def describe(self) -> str:
        """Name the shape and its parameters in words."""
        return self.sentence.format(**{name: shown(value) for name, value in self._parameters().items()})

    def as_json(self) -> dict[str, Any]:
        """Give the form that `parse_distribution` reads back."""
        return {"type": self.kind, **self._parameters()}

    @cached_property
    def mean(self) -> float:
        """Expected value."""
        return self._exact_moments[0]

    @cached_property
    def std(self) -> float:
        """Standard deviation."""
        return self._exact_moments[1]

    @property
    @abstractmethod
    def _exact_moments(self) -> tuple[float, float]:
        """Mean and standard deviation."""

    @abstractmethod
    def _check(self) -> None:
        """Refuse numbers that contradict each other."""

    @property
    @abstractmethod
    def _ends(self) -> tuple[float, float]:
        """The least and the largest count there can be; the second may be infinite."""

    @abstractmethod
    def _cumulated_at(self, counts: Floats) -> Floats:
        """Probability of at most each count."""

    @cached_property
    def _range(self) -> tuple[int, int]:
        """The counts between which every uniform falls."""
        low, high = self._ends
        mean, std = self._exact_moments
        first, last = low, high
        # Each end moves outwards until nothing is left beyond it that a uniform could reach.
        for widths in (9, 12, 20, 40, 80, 200):
            first, last = max(low, math.floor(mean - widths * std)), min(high, math.ceil(mean + widths * std))
            if last - first >= 200 * COUNT_VALUES_MAX:
                break
            beyond = self._cumulated_at(np.array([first - 1.0, last]))
            if (first == low or beyond[0] < _TAIL) and (last == high or beyond[1] >= 1 - _TAIL):
                break
        first, last = int(first), int(last)
        if last - first < COUNT_VALUES_MAX:
            # Looked for one by one: a table of all takes seconds, and whoever only reads the shape needs none.
            counts = range(first, last + 1)
            start, end = (bisect_left(counts, share, key=self._cumulated_to) for share in (_TAIL, 1 - _TAIL))
            first, last = first + start, first + min(end, len(counts) - 1)
        return first, last

    def _cumulated_to(self, count: int) -> float:
        return float(self._cumulated_at(np.array([float(count)]))[0])

    @cached_property
    def _steps(self) -> tuple[Floats, Floats]:
        first, last = self._range
        counts = np.arange(first, last + 1, dtype=np.float64)
        # Rounding of the distribution function must not make it fall.
        return counts, np.maximum.accumulate(self._cumulated_at(counts[:-1]))

    def _parameters(self) -> dict[str, Any]:
        return {field.name.rstrip("_"): getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]  # each shape is a dataclass


@dataclass(frozen=True)
class Bernoulli(Count):
    """1 with probability p, else 0: it happens or it does not. The parameter of RiskBernoulli."""

    kind: ClassVar[str] = "bernoulli"
    sentence: ClassVar[str] = "1 with probability {p}, else 0"
    p: float

    def _check(self) -> None:
        check_share(self.kind, "p", self.p)

    @property
    def _exact_moments(self) -> tuple[float, float]:
        return self.p, math.sqrt(self.p * (1 - self.p))

    @property
    def _ends(self) -> tuple[float, float]:
        return 0, 1

    @cached_property
    def _range(self) -> tuple[int, int]:
        return 0, 1

    def _cumulated_at(self, counts: Floats) -> Floats:
        return np.where(counts < 0, 0.0, np.where(counts < 1, 1 - self.p, 1.0))


@dataclass(frozen=True)
class Binomial(Count):
    """How many of n succeed, each with probability p. The parameters of RiskBinomial."""

    kind: ClassVar[str] = "binomial"
    sentence: ClassVar[str] = "binomial: how many of {n} with probability {p} each"
    n: float
    p: float

    def _check(self) -> None:
        check_whole(self.kind, "n", self.n, 1, COUNT_MAX)
        check_share(self.kind, "p", self.p)

    @property
    def _exact_moments(self) -> tuple[float, float]:
        return self.n * self.p, math.sqrt(self.n * self.p * (1 - self.p))

    @property
    def _ends(self) -> tuple[float, float]:
        return 0, self.n

    def _cumulated_at(self, counts: Floats) -> Floats:
        inside = np.clip(counts, 0, self.n)
        # By the beta function, which keeps more digits than SciPy's own binomial one.
        shares = betainc(np.maximum(self.n - inside, 0.5), inside + 1, 1 - self.p)
        return np.where(counts < 0, 0.0, np.where(counts >= self.n, 1.0, shares))


@dataclass(frozen=True)
class NegativeBinomial(Count):
    """Failures before the s-th success, each try succeeding with probability p. The parameters of RiskNegbin."""

    kind: ClassVar[str] = "negative_binomial"
    sentence: ClassVar[str] = "negative binomial: failures before success {s} with probability {p} each"
    s: float
    p: float

    def _check(self) -> None:
        check_whole(self.kind, "s", self.s, 1, COUNT_MAX)
        check_share(self.kind, "p", self.p)

    @property
    def _exact_moments(self) -> tuple[float, float]:
        return self.s * (1 - self.p) / self.p, math.sqrt(self.s * (1 - self.p)) / self.p

    @property
    def _ends(self) -> tuple[float, float]:
        return 0, math.inf

    def _cumulated_at(self, counts: Floats) -> Floats:
        return np.where(counts < 0, 0.0, betainc(self.s, np.maximum(counts, 0) + 1, self.p))


@dataclass(frozen=True)
class Geometric(Count):
    """Failures before the first success, each try succeeding with probability p. The parameter of RiskGeomet."""

    kind: ClassVar[str] = "geometric"
    sentence: ClassVar[str] = "geometric: failures before the first success with probability {p}"
    p: float

    def _check(self) -> None:
        check_share(self.kind, "p", self.p)

    @property
    def _exact_moments(self) -> tuple[float, float]:
        return (1 - self.p) / self.p, math.sqrt(1 - self.p) / self.p

    @property
    def _ends(self) -> tuple[float, float]:
        return 0, math.inf

    def _cumulated_at(self, counts: Floats) -> Floats:
        return np.where(counts < 0, 0.0, -np.expm1(np.log1p(-self.p) * (np.maximum(counts, 0) + 1)))


@dataclass(frozen=True)
class Poisson(Count):
    """How many events happen at a steady rate, lambda on average. The parameter of RiskPoisson."""

    kind: ClassVar[str] = "poisson"
    sentence: ClassVar[str] = "Poisson: {lambda} events on average"
    lambda_: float

    def _check(self) -> None:
        check_positive(self.kind, "lambda", self.lambda_)
        check_between(self.kind, "lambda", self.lambda_, 1e-9, COUNT_MAX)

    @property
    def _exact_moments(self) -> tuple[float, float]:
        return self.lambda_, math.sqrt(self.lambda_)

    @property
    def _ends(self) -> tuple[float, float]:
        return 0, math.inf

    def _cumulated_at(self, counts: Floats) -> Floats:
        return np.where(counts < 0, 0.0, pdtr(np.maximum(counts, 0), self.lambda_))


@dataclass(frozen=True)
class Hypergeometric(Count):
    """How many marked items a sample of n holds, of M items with D marked. The parameters of RiskHypergeo."""

    kind: ClassVar[str] = "hypergeometric"
    sentence: ClassVar[str] = "hypergeometric: marked items in a sample of {n} from {M}, {D} of them marked"
    n: float
    D: float
    M: float

    def _check(self) -> None:
        check_whole(self.kind, "M", self.M, 2, COUNT_VALUES_MAX)
        check_whole(self.kind, "n", self.n, 1, self.M - 1)
        check_whole(self.kind, "D", self.D, 1, self.M - 1)

    @property
    def _exact_moments(self) -> tuple[float, float]:
        share = self.D / self.M
        variance = self.n * share * (1 - share) * (self.M - self.n) / (self.M - 1)
        return self.n * share, math.sqrt(variance)

    @property
    def _ends(self) -> tuple[float, float]:
        return max(0.0, self.n + self.D - self.M), min(self.n, self.D)

    @cached_property
    def _all_steps(self) -> tuple[float, Floats]:
        """The least count, and the cumulated probability of every one from there."""
        low, high = self._ends
        counts = np.arange(low, high + 1)
        # Logarithms of binomial coefficients by the beta function, less those at the mean so that nothing underflows.
        logs = _log_choices(self.D, counts) + _log_choices(self.M - self.D, self.n - counts)
        weights = np.exp(logs - logs.max())
        return low, np.cumsum(weights / weights.sum())

    def _cumulated_at(self, counts: Floats) -> Floats:
        low, cumulated = self._all_steps
        places = np.clip(counts - low, 0, len(cumulated) - 1).astype(np.intp)
        sums = np.where(counts < low, 0.0, np.minimum(cumulated[places], 1.0))
        return np.where(counts >= self._ends[1], 1.0, sums)


def _log_choices(n: float, k: Floats) -> Floats:
    return np.asarray(-np.log(n + 1) - betaln(n - k + 1, k + 1), dtype=np.float64)


@dataclass(frozen=True)
class IntegerUniform(Count):
    """Every whole number from min to max is equally likely. The parameters of RiskIntUniform."""

    kind: ClassVar[str] = "integer_uniform"
    values_max: ClassVar[float] = math.inf
    sentence: ClassVar[str] = "a whole number from {min} to {max}"
    min: float
    max: float

    def _check(self) -> None:
        check_whole(self.kind, "min", self.min, -COUNT_MAX, COUNT_MAX)
        check_whole(self.kind, "max", self.max, -COUNT_MAX, COUNT_MAX)
        check_range(self.kind, self.min, self.max)

    @property
    def _exact_moments(self) -> tuple[float, float]:
        width = self.max - self.min + 1
        return (self.min + self.max) / 2, math.sqrt((width * width - 1) / 12)

    @property
    def _ends(self) -> tuple[float, float]:
        return self.min, self.max

    @cached_property
    def _range(self) -> tuple[int, int]:
        return int(self.min), int(self.max)

    def quantile(self, uniforms: Floats) -> Floats:
        """Give the smallest number whose cumulated probability reaches the uniform; no range is too long."""
        width = self.max - self.min + 1
        draws: Floats = self.min + np.clip(np.ceil(np.asarray(uniforms) * width) - 1, 0, width - 1)
        return draws

    def cumulated(self, x: Floats) -> Floats:
        """Probability of a draw at or below each x."""
        return self._cumulated_at(np.asarray(x, dtype=np.float64))

    def density(self, x: Floats) -> Floats:
        """Probability of exactly each x."""
        x = np.asarray(x, dtype=np.float64)
        inside = (x >= self.min) & (x <= self.max) & (x == np.floor(x))
        return np.where(inside, 1 / (self.max - self.min + 1), 0.0)

    def curve(self, point_count: int) -> list[tuple[float, float]]:
        """Equally high points; of a long range, `point_count` of it from end to end."""
        width = self.max - self.min + 1
        values = np.unique(np.round(np.linspace(self.min, self.max, int(min(width, point_count)))))
        return [(value, 1 / width) for value in values.tolist()]

    def truncated_moments(self, low: float, high: float) -> tuple[float, float]:
        """Mean and standard deviation of the numbers from low to high."""
        first, last = max(self.min, math.ceil(low)), min(self.max, math.floor(high))
        width = last - first + 1
        return (first + last) / 2, math.sqrt(max(width * width - 1, 0) / 12)

    def _cumulated_at(self, counts: Floats) -> Floats:
        return np.clip((np.floor(counts) - self.min + 1) / (self.max - self.min + 1), 0, 1)
