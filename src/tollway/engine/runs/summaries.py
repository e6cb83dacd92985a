"""Turns the shards of a run into statistics. Only iterations in which the output is a number count;
every error value is counted beside them, never left out silently.

Memory does not grow with the iterations: a first walk counts and sums up (`tallies`), a second keeps what lies around
the wanted percentiles (`order_statistics`).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tollway.engine.programs.program import Program
from tollway.engine.runs.bins import centers
from tollway.engine.runs.convergence import judge_convergence, list_checkpoints
from tollway.engine.runs.modes import find_mode
from tollway.engine.runs.moments import Moments, joined, total
from tollway.engine.runs.order_statistics import (
    OrderStatistics,
    Wanted,
    collect,
    lower_rank,
    percentile_ranks,
)
from tollway.engine.runs.output_summary import (
    Convergence,
    ErrorShare,
    Histogram,
    OutputSummary,
    StandardErrors,
    TargetShare,
)
from tollway.engine.runs.questions import (
    CONFIDENCE_LEVELS_DEFAULT,
    TOLERANCE_DEFAULT,
    check_confidence_levels,
    check_targets,
    check_tolerance,
)
from tollway.engine.runs.redraw import RunDraws
from tollway.engine.runs.sensitivities import Effects, list_effects, list_sensitivities
from tollway.engine.runs.standard_errors import (
    error_of_kurtosis,
    error_of_percentile,
    error_of_share,
    error_of_skewness,
    error_of_std,
    error_of_tail_mean,
    ranks_around,
)
from tollway.engine.runs.stored import Shard
from tollway.engine.runs.tallies import Tally, tally

PERCENTILES = (1, 5, 10, 25, 50, 75, 90, 95, 99)
CDF_STEPS = 100


@dataclass(frozen=True)
class ProgramFacts:
    """The names that a summary carries, kept apart from the program so that a summary needs no workbook."""

    input_cells: tuple[str, ...]
    input_names: tuple[str | None, ...]
    output_cells: tuple[str, ...]
    output_names: tuple[str | None, ...]

    @classmethod
    def of(cls, program: Program) -> "ProgramFacts":
        """Take them from a program."""
        return cls(
            input_cells=tuple(source.cell for source in program.inputs),
            input_names=tuple(source.name for source in program.inputs),
            output_cells=program.outputs,
            output_names=program.output_names,
        )


def summarize(
    facts: ProgramFacts,
    shards: Sequence[Shard],
    confidence_levels: Sequence[float] = CONFIDENCE_LEVELS_DEFAULT,
    *,
    targets: Sequence[float] = (),
    tolerance: float = TOLERANCE_DEFAULT,
    draws: RunDraws | None = None,
) -> list[OutputSummary]:
    """Compute the statistics of every output over the shards given.

    The shards may lie in files (`StoredShard`): each is read a few times, and memory holds one of them beside some
    megabytes. They may leave gaps (a cancelled run) but not overlap, and come in any order.

    INVARIANT: any cut of a run into shards gives the same bits
    (tests/engine/test_run.py::test_one_shard_seven_and_sixty_four_give_the_same_bits_whatever_their_order).

    Args:
        facts: of the program.
        shards: of the run.
        confidence_levels: of value at risk.
        targets: values; which share of the numbers lies at or below each.
        tolerance: how closely statistics must be known to count as settled, as a share of them.
        draws: by what the inputs were drawn; without it there are no rank correlations, regression coefficients and
            contributions to variance.

    Raises: BadConfidenceLevel, BadTarget, BadTolerance, and DamagedShard where shards lie in files.
    """
    levels = check_confidence_levels(confidence_levels)
    questions = _Questions(levels, check_targets(targets), check_tolerance(tolerance))
    in_order = sorted(shards, key=lambda shard: shard.first_iteration)
    nodes = joined(node for shard in in_order for node in shard.nodes)
    whole = _Whole(
        iteration_count=sum(shard.iteration_count for shard in in_order),
        replayed_count=sum(shard.replayed_count for shard in in_order),
    )
    if not nodes:
        return [_nothing(facts, output, whole, questions) for output in range(len(facts.output_cells))]
    moments = total(nodes)
    tallies = tally(in_order, whole.iteration_count, moments, questions.targets)
    ordered = collect(in_order, tallies, [questions.wanted(one.count) for one in tallies])
    effects = list_effects(in_order, draws, len(tallies))
    return [
        _summary(facts, output, whole, questions, moments, tallies[output], ordered[output], effects[output])
        for output in range(len(tallies))
    ]


@dataclass(frozen=True)
class _Whole:
    """What all outputs of a run have in common."""

    iteration_count: int
    replayed_count: int


@dataclass(frozen=True)
class _Questions:
    """What is asked of every output."""

    levels: tuple[float, ...]
    targets: tuple[float, ...]
    tolerance: float

    @property
    def risk_percents(self) -> dict[str, float]:
        """The percentile of each level of value at risk, by the level as text."""
        # 1 - 0.95 is 0.05000000000000004; the fifth percentile is meant.
        return {f"{round(100 * level, 10):.10g}": round(100 * (1 - level), 10) for level in self.levels}

    def wanted(self, count: int) -> Wanted:
        """Say which order statistics the answers need."""
        if count == 0:
            return Wanted(())
        steps = [100 * step / CDF_STEPS for step in range(CDF_STEPS + 1)]
        percents = [*PERCENTILES, *self.risk_percents.values()]
        around = {rank for percent in percents for rank in ranks_around(count, percent)}
        return Wanted(
            percentile_ranks(count, [*percents, *steps]) | around,
            [lower_rank(count, percent) for percent in self.risk_percents.values()],
        )


def _nothing(facts: ProgramFacts, output: int, whole: _Whole, questions: _Questions) -> OutputSummary:
    """What is said of an output without a single iteration."""
    nobody = dict.fromkeys(questions.risk_percents)
    percentiles = {str(percent): None for percent in PERCENTILES}
    return OutputSummary(
        cell=facts.output_cells[output],
        name=facts.output_names[output],
        iteration_count=whole.iteration_count,
        numeric_count=0,
        error_counts={},
        replayed_count=whole.replayed_count,
        mean=None,
        mean_standard_error=None,
        std=None,
        skewness=None,
        min=None,
        max=None,
        percentiles=dict(percentiles),
        var=dict(nobody),
        cvar=dict(nobody),
        histogram=None,
        cdf=[],
        sensitivities=[],
        remark="No iteration was run, so there are no statistics.",
        standard_errors=StandardErrors(percentiles=dict(percentiles), var=dict(nobody), cvar=dict(nobody)),
        targets=[TargetShare(target, None, None) for target in questions.targets],
    )


def _summary(
    facts: ProgramFacts,
    output: int,
    whole: _Whole,
    questions: _Questions,
    moments: Moments,
    tallied: Tally,
    ordered: OrderStatistics,
    effects: Effects,
) -> OutputSummary:
    nothing = _nothing(facts, output, whole, questions)
    count, iterations = tallied.count, whole.iteration_count
    spread = _Spread.of(moments, output, tallied)
    remark = _remark(nothing.cell, tallied, spread)
    error_shares = {
        text: ErrorShare(cases / iterations, error_of_share(iterations, cases))
        for text, cases in tallied.error_counts.items()
    }
    found = replace(nothing, error_counts=tallied.error_counts, error_shares=error_shares, remark=remark)
    if count == 0:
        return found
    risk = questions.risk_percents
    percentiles = {str(percent): ordered.percentile(percent) for percent in PERCENTILES}
    at_risk = {level: ordered.percentile(percent) for level, percent in risk.items()}
    tail_means = {level: _tail_mean(ordered, percent, at_risk[level]) for level, percent in risk.items()}
    errors = StandardErrors(
        mean=None if spread.std is None else spread.std / math.sqrt(count),
        std=spread.std_error,
        skewness=spread.skewness_error,
        kurtosis=spread.kurtosis_error,
        percentiles={str(percent): _error_of_percentile(ordered, percent) for percent in PERCENTILES},
        var={level: _error_of_percentile(ordered, percent) for level, percent in risk.items()},
        cvar={level: error for level, (_, error) in tail_means.items()},
    )
    return replace(
        found,
        numeric_count=count,
        mean=spread.mean,
        mean_standard_error=errors.mean,
        std=spread.std,
        skewness=spread.skewness,
        kurtosis=spread.kurtosis,
        mode=find_mode(tallied),
        min=tallied.low,
        max=tallied.high,
        percentiles=percentiles,
        var=at_risk,
        cvar={level: mean for level, (mean, _) in tail_means.items()},
        standard_errors=errors,
        targets=[
            TargetShare(target, int(cases) / count, error_of_share(count, int(cases)))
            for target, cases in zip(questions.targets, tallied.target_counts, strict=True)
        ],
        histogram=_histogram(tallied),
        cdf=_cdf(ordered),
        convergence=_convergence(tallied, spread, percentiles, errors, iterations, questions.tolerance),
        sensitivities=list_sensitivities(
            facts.input_cells,
            facts.input_names,
            moments,
            output,
            effects,
            is_constant=tallied.low == tallied.high,
        ),
        sensitivity_iterations=effects.iterations,
        sensitivity_remark=effects.remark,
    )


@dataclass(frozen=True)
class _Spread:
    """Moments and their standard errors, as far as they exist."""

    mean: float | None
    std: float | None = None
    skewness: float | None = None
    kurtosis: float | None = None
    std_error: float | None = None
    skewness_error: float | None = None
    kurtosis_error: float | None = None

    @classmethod
    def of(cls, moments: Moments, output: int, tallied: Tally) -> "_Spread":
        """Take them from the merged sums; a constant has exactly its value and no spread."""
        count = tallied.count
        if count == 0:
            return cls(None)
        if tallied.low == tallied.high:
            return cls(tallied.low, *((0.0, None, None, 0.0) if count > 1 else ()))
        with np.errstate(over="ignore", invalid="ignore"):
            m2, m3 = moments.m2[output], moments.m3[output]
            mean, std = _finite(moments.mean[output]), _finite(np.sqrt(m2 / (count - 1)))
            skewness = _finite((m3 / count) / (m2 / count) ** 1.5)
            # In units of the population's standard deviation, so that the second is 1.
            standard = tallied.power_sums / count
        if std is None or not np.isfinite(standard).all():
            return cls(mean, std, skewness)
        kurtosis = float(standard[4]) - 3
        return cls(
            mean,
            std,
            skewness,
            kurtosis,
            _finite(error_of_std(count, std, kurtosis)),
            _finite(error_of_skewness(count, standard)),
            _finite(error_of_kurtosis(count, standard)),
        )


def _error_of_percentile(ordered: OrderStatistics, percent: float) -> float | None:
    error = error_of_percentile(ordered, percent)
    return None if error is None else _finite(error)


def _tail_mean(
    ordered: OrderStatistics, percent: float, limit: float | None
) -> tuple[float | None, float | None]:
    """Mean of the numbers at or below a percentile, and its standard error."""
    if limit is None:
        return None, None
    tail = ordered.tail(lower_rank(ordered.count, percent), limit)
    # Measured from one of its numbers, so that a constant tail has exactly its value.
    mean = _finite(tail.origin + tail.first_sum / tail.count)
    if mean is None or ordered.count == 1 or not math.isfinite(tail.second_sum):
        return mean, None
    return mean, _finite(error_of_tail_mean(ordered.count, percent, tail))


def _histogram(tallied: Tally) -> Histogram | None:
    edges = tallied.histogram_edges
    if edges is None:
        return None
    return Histogram(tallied.histogram_counts.tolist(), edges.tolist(), centers(edges).tolist())


def _cdf(ordered: OrderStatistics) -> list[tuple[float, float]]:
    points: list[tuple[float, float]] = []
    for step in range(CDF_STEPS + 1):
        value = ordered.percentile(100 * step / CDF_STEPS)
        if value is not None:
            points.append((value, step / CDF_STEPS))
    return points


def _convergence(
    tallied: Tally,
    spread: _Spread,
    percentiles: dict[str, float | None],
    errors: StandardErrors,
    iteration_count: int,
    tolerance: float,
) -> Convergence:
    checkpoints = list_checkpoints(tallied)
    # What the whole run told is known exactly.
    running = {percent: percentiles[percent] for percent in checkpoints[-1].percentiles}
    checkpoints[-1] = replace(checkpoints[-1], percentiles=running)
    statistics = [("mean", spread.mean, errors.mean), ("std", spread.std, errors.std)]
    statistics += [(f"p{percent}", running[percent], errors.percentiles[percent]) for percent in running]
    return judge_convergence(statistics, spread.std, checkpoints, iteration_count, tolerance)


def _remark(cell: str, tallied: Tally, spread: _Spread) -> str | None:
    shown = ", ".join(f"{text} in {count:,}" for text, count in tallied.error_counts.items())
    if tallied.count == 0:
        return f"No iteration gave a number in {cell} ({shown}), so it has no statistics."
    if tallied.count == 1:
        return f"Only one iteration gave a number in {cell}, so it has no spread."
    if tallied.low == tallied.high:
        return f"{cell} had the same value in every iteration that gave a number."
    if spread.mean is None or spread.std is None:
        return f"Some values of {cell} are too large for their statistics to be computed."
    if tallied.error_counts:
        return (
            f"{cell} showed an error value in some iterations ({shown}); the statistics are over the others."
        )
    return None


def _finite(number: Any) -> float | None:
    return float(number) if math.isfinite(number) else None
