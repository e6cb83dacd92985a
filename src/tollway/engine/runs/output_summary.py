"""The statistics of one output cell, as a run ends with them."""

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Histogram:
    """Equal bins from the smallest to the largest value; the last bin holds its right edge too."""

    counts: list[int]
    bin_edges: list[float]
    bin_centers: list[float]


@dataclass(frozen=True)
class StandardErrors:
    """How far each statistic may be off by chance, one standard deviation of it; None where that is not known.

    They hold for Monte Carlo. Latin hypercube and Sobol leave less to chance, so there they are upper bounds.
    """

    mean: float | None = None
    std: float | None = None
    skewness: float | None = None
    kurtosis: float | None = None
    percentiles: dict[str, float | None] = field(default_factory=dict)
    """By percent, as `OutputSummary.percentiles`."""
    var: dict[str, float | None] = field(default_factory=dict)
    """By confidence in percent, as `OutputSummary.var`; so is the next."""
    cvar: dict[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True)
class ErrorShare:
    """Which share of the iterations showed an error value."""

    share: float
    standard_error: float


@dataclass(frozen=True)
class TargetShare:
    """Which share of the numbers lies at or below a value that was asked for."""

    value: float
    share_at_or_below: float | None
    """None where there are no numbers; so is the next."""
    standard_error: float | None


@dataclass(frozen=True)
class SettledStatistic:
    """Whether one statistic is known as closely as the tolerance asks."""

    statistic: str
    """mean, std, p5, p50 or p95."""
    value: float | None
    half_width: float | None
    """Of its confidence interval; None where that is not known."""
    allowed: float | None
    """What half of the interval may measure."""
    is_settled: bool
    iterations_needed: int | None
    """Of the whole run, so that it would settle, ITERATIONS_NEEDED_MAX at most; None where it has, where that is not
    known, and where it is more."""


@dataclass(frozen=True)
class Checkpoint:
    """What the first iterations of the run told alone."""

    iterations: int
    mean: float | None
    low: float | None
    """Lower end of the confidence interval of that mean."""
    high: float | None
    percentiles: dict[str, float | None]
    """By percent: "5", "50" and "95"."""


@dataclass(frozen=True)
class Convergence:
    """How the statistics settle, and whether there were iterations enough."""

    tolerance: float
    confidence: float
    is_settled: bool
    iterations_needed: int | None
    """The most that any statistic needs; None where all have settled, and where one's is None."""
    statistics: list[SettledStatistic]
    checkpoints: list[Checkpoint]


@dataclass(frozen=True)
class Sensitivity:
    """What one input does to one output. Means are None where that tail had no number, all where it has no spread."""

    cell: str
    name: str | None
    low_mean: float | None
    """Mean of the output while the input is in its lowest tenth."""
    high_mean: float | None
    """Mean of the output while the input is in its highest tenth."""
    swing: float | None
    """high_mean - low_mean."""
    correlation: float | None
    """Pearson's, -1 to 1, over all iterations."""
    rank_correlation: float | None = None
    """Spearman's, -1 to 1, over the first iterations; so are the next two."""
    regression_coefficient: float | None = None
    """Standard deviations by which the output rises when this input alone rises by one of its own."""
    variance_share: float | None = None
    """Contribution to variance: squared rank correlations of all inputs, divided by their sum."""


@dataclass(frozen=True)
class OutputSummary:
    """The statistics of one output cell.

    Each is None where it does not exist (no iteration gave a number, one iteration has no spread) or is too
    large to be written down; `remark` then says why.
    """

    cell: str
    name: str | None
    iteration_count: int
    numeric_count: int
    error_counts: dict[str, int]
    """Iterations by the error value that the cell showed, such as {"#DIV/0!": 12}."""
    replayed_count: int
    """Iterations of the run of which some part was left to the exact scalar rules; the same for all outputs."""
    mean: float | None
    mean_standard_error: float | None
    std: float | None
    """Of the sample, as Excel's STDEV.S."""
    skewness: float | None
    min: float | None
    max: float | None
    percentiles: dict[str, float | None]
    """By percent, "1" to "99"; exact, as Excel's PERCENTILE.INC."""
    var: dict[str, float | None]
    """Value at risk by confidence in percent: "95" is the 5th percentile, so the lower tail."""
    cvar: dict[str, float | None]
    """Mean of the outcomes at or below `var`."""
    histogram: Histogram | None
    cdf: list[tuple[float, float]]
    """(value, share of outcomes at or below it), in steps of one percent."""
    sensitivities: list[Sensitivity]
    """Largest swing first."""
    remark: str | None
    kurtosis: float | None = None
    """Excess over a normal distribution's, which has 0; of the population, as `skewness`."""
    mode: float | None = None
    """The value that is most frequent, where one is; else the middle of where the values lie closest."""
    standard_errors: StandardErrors = field(default_factory=StandardErrors)
    error_shares: dict[str, ErrorShare] = field(default_factory=dict)
    """By the error value, as `error_counts`."""
    targets: list[TargetShare] = field(default_factory=list)
    """In the order in which they were asked for."""
    convergence: Convergence | None = None
    sensitivity_iterations: int = 0
    """Over so many iterations rank correlation, regression and contribution to variance were computed."""
    sensitivity_remark: str | None = None
    """Why one of those is missing."""

    def as_json(self) -> dict[str, Any]:
        """Give plain types: no NaN, no infinity, no NumPy."""
        return asdict(self)
