"""What the Monte Carlo API answers of one output of a run, member by member, for its documentation."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from tollway.engine.runs.convergence import ITERATIONS_NEEDED_MAX

CELL = "Where it is, with its sheet."


class Answer(BaseModel):
    """An answer; further members may come later."""

    model_config = ConfigDict(extra="allow")


class StandardErrors(Answer):
    """How far each statistic may be off by chance, one standard deviation of it; null where that is not known.

    They hold for `monte_carlo`. Under `latin_hypercube` and `sobol` less is left to chance, and they are upper bounds.
    """

    mean: float | None = Field(examples=[68.4])
    std: float | None = Field(examples=[48.6])
    skewness: float | None = Field(examples=[0.0077])
    kurtosis: float | None = Field(examples=[0.0154])
    percentiles: dict[str, float | None] = Field(description="By percent.", examples=[{"5": 139.9}])
    var: dict[str, float | None] = Field(
        description="Of value at risk, by confidence in percent.", examples=[{"95": 139.9}]
    )
    cvar: dict[str, float | None] = Field(description="Of `cvar_95` and the like.", examples=[{"95": 187.3}])


class ErrorShare(Answer):
    """Which share of the iterations showed an error value."""

    share: float = Field(examples=[0.00012])
    standard_error: float = Field(examples=[0.00004])


class TargetShare(Answer):
    """Which share of the numbers lies at or below a value that was asked for."""

    value: float = Field(examples=[1_000_000.0])
    share_at_or_below: float | None = Field(description="Null where there are no numbers.", examples=[0.0112])
    standard_error: float | None = Field(examples=[0.00033])


class Statistics(Answer):
    """Of all iterations that gave a number. Null where a number does not exist; `remark` then says why.

    What runs of an earlier version did not compute is null too. Beside these stand `var_95` and `cvar_95`, and the
    like for each confidence level that was asked for.
    """

    count: int = Field(examples=[100000])
    error_counts: dict[str, int] = Field(description="Iterations by error value.", examples=[{"#DIV/0!": 12}])
    replayed_count: int | None = Field(
        description="Iterations of the run of which some part was left to the exact scalar rules, because plain "
        "floating-point numbers could have differed from Excel there. Null for runs of before this was counted.",
        examples=[0],
    )
    mean: float | None = Field(examples=[1050708.8])
    mean_standard_error: float | None = Field(examples=[68.4])
    std: float | None = Field(description="Of the sample, as STDEV.S.", examples=[21631.7])
    min: float | None = Field(examples=[970173.9])
    max: float | None = Field(examples=[1108539.5])
    skewness: float | None = Field(examples=[-0.084])
    kurtosis: float | None = Field(description="Excess: 0 for a normal distribution.", examples=[0.012])
    mode: float | None = Field(
        description="The most frequent value where one value makes up a hundredth of the numbers; else the middle of "
        "the shortest interval that holds a twentieth of them.",
        examples=[1051204.5],
    )
    percentiles: dict[str, float | None] = Field(
        description="By percent; exact, as PERCENTILE.INC.", examples=[{"5": 1016066.5, "95": 1087047.8}]
    )
    standard_errors: StandardErrors | None
    error_shares: dict[str, ErrorShare] | None = Field(description="By error value.")
    targets: list[TargetShare] | None = Field(description="Of the values that `targets` asked for.")


class Bins(Answer):
    """Bins and how many values fell into each."""

    bins: list[float] = Field(description="Their centres.", examples=[[971557.6, 974324.9]])
    frequencies: list[int] = Field(examples=[[1, 4]])


class CumulativePoint(Answer):
    """A value and the share of outcomes at or below it."""

    value: float = Field(examples=[1002504.0])
    share: float = Field(examples=[0.01])


class DistributionData(Answer):
    """What a picture of the output is drawn from."""

    histogram: Bins
    bin_edges: list[float] = Field(examples=[[970173.9, 972941.2, 975708.5]])
    bin_centers: list[float] = Field(examples=[[971557.6, 974324.9]])
    cdf: list[CumulativePoint]


class Sensitivity(Answer):
    """What one input does to the output; the largest swing comes first."""

    cell: str = Field(examples=["Risk!B5"])
    name: str | None = Field(examples=["Return"])
    swing: float | None = Field(description="`high_mean` less `low_mean`.", examples=[71475.1])
    low_mean: float | None = Field(
        description="Mean of the output while the input is in its lowest tenth.", examples=[1014208.2]
    )
    high_mean: float | None = Field(
        description="Mean of the output while the input is in its highest tenth.", examples=[1085683.3]
    )
    correlation: float | None = Field(description="Pearson's, -1 to 1.", examples=[0.92])
    rank_correlation: float | None = Field(None, description="Spearman's, -1 to 1.", examples=[0.93])
    regression_coefficient: float | None = Field(
        None,
        description="Standard deviations by which the output rises when this input alone rises by one of its own.",
        examples=[0.92],
    )
    variance_share: float | None = Field(
        None,
        description="Contribution to variance: the squared rank correlations of all inputs, divided by their sum.",
        examples=[0.87],
    )


class SettledStatistic(Answer):
    """Whether one statistic is known as closely as the tolerance asks."""

    statistic: Literal["mean", "std", "p5", "p50", "p95"]
    value: float | None = Field(examples=[1050708.8])
    half_width: float | None = Field(description="Of its 95 % confidence interval.", examples=[134.1])
    allowed: float | None = Field(
        description="What half of the interval may measure: the tolerance times the statistic, or times the standard "
        "deviation where that is larger.",
        examples=[31521.3],
    )
    is_settled: bool
    iterations_needed: int | None = Field(
        le=ITERATIONS_NEEDED_MAX,
        description="Of the whole run, so that it would settle; null where it has, where that is not known, or where "
        f"it is more than {ITERATIONS_NEEDED_MAX:,}: then `half_width` and `allowed` are numbers.",
    )


class Checkpoint(Answer):
    """What the first iterations of the run told alone."""

    iterations: int = Field(examples=[5000])
    mean: float | None = Field(examples=[1050912.4])
    low: float | None = Field(description="Lower end of its 95 % confidence interval.", examples=[1050313.1])
    high: float | None = Field(examples=[1051511.7])
    percentiles: dict[str, float | None] = Field(
        description="Of 5, 50 and 95 percent; on the way to the last, read off cumulated counts of narrow bins.",
        examples=[{"5": 1016101.2, "50": 1051010.5, "95": 1086990.4}],
    )


class Convergence(Answer):
    """How the statistics settle, and whether there were iterations enough."""

    tolerance: float = Field(examples=[0.03])
    confidence: float = Field(examples=[0.95])
    is_settled: bool
    iterations_needed: int | None = Field(
        le=ITERATIONS_NEEDED_MAX,
        description="The most that any statistic needs; null where all have settled, or where one's is not known or "
        f"more than {ITERATIONS_NEEDED_MAX:,}.",
    )
    statistics: list[SettledStatistic]
    checkpoints: list[Checkpoint]


class OutputResults(Answer):
    """What became of one output cell."""

    cell: str = Field(description=CELL, examples=["Risk!B16"])
    cell_name: str = Field(examples=["Final value"])
    statistics: Statistics
    distribution_data: DistributionData
    sensitivities: list[Sensitivity]
    sensitivity_iterations: int | None = Field(
        description="Over so many iterations, the first ones that gave a number, rank correlation, regression and "
        "contribution to variance were computed.",
        examples=[16384],
    )
    sensitivity_remark: str | None = Field(description="Why one of those is missing.")
    convergence: Convergence | None
    remark: str | None = Field(description="Why a number is missing.")
