"""Turns the shards of a run into statistics. Only iterations in which the output is a number count;
every error value is counted beside them, never left out silently.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tollway.engine.distributions.pert import Floats
from tollway.engine.programs.program import Program
from tollway.engine.runs.bins import centers, even_edges
from tollway.engine.runs.moments import Moments, joined, total
from tollway.engine.runs.output_summary import Histogram, OutputSummary, Sensitivity
from tollway.engine.runs.questions import (
    CONFIDENCE_LEVELS_DEFAULT,
    TOLERANCE_DEFAULT,
    check_confidence_levels,
    check_targets,
    check_tolerance,
)
from tollway.engine.runs.run import ShardResult
from tollway.engine.values import ERROR_BY_CODE

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
    shards: Sequence[ShardResult],
    confidence_levels: Sequence[float] = CONFIDENCE_LEVELS_DEFAULT,
    *,
    targets: Sequence[float] = (),
    tolerance: float = TOLERANCE_DEFAULT,
) -> list[OutputSummary]:
    """Compute the statistics of every output over the shards given.

    The shards may be a sequence that loads each when asked: they are walked once and then once an output,
    so that memory holds one shard and the values of one output. They may leave gaps (a cancelled run) but not
    overlap, and come in any order. Any cut into shards gives the same bits.

    Raises: BadConfidenceLevel, BadTarget, BadTolerance.
    """
    levels = check_confidence_levels(confidence_levels)
    check_targets(targets)
    check_tolerance(tolerance)
    parts = sorted(
        (
            (shard.first_iteration, shard.iteration_count, shard.nodes, shard.replayed_count)
            for shard in shards
        ),
        key=lambda part: part[0],
    )
    nodes = joined(node for _, _, shard_nodes, _ in parts for node in shard_nodes)
    whole = _Whole(
        iteration_count=sum(count for _, count, _, _ in parts),
        replayed_count=sum(count for _, _, _, count in parts),
        moments=total(nodes) if nodes else None,
    )
    return [_summary(facts, output, shards, whole, levels) for output in range(len(facts.output_cells))]


@dataclass(frozen=True)
class _Whole:
    """What all outputs of a run have in common."""

    iteration_count: int
    replayed_count: int
    moments: Moments | None


def _summary(
    facts: ProgramFacts,
    output: int,
    shards: Sequence[ShardResult],
    whole: _Whole,
    levels: tuple[float, ...],
) -> OutputSummary:
    moments = whole.moments
    ordered, error_counts = _ordered_values(shards, output)
    count = len(ordered)
    spread = _Spread.of(moments, output, ordered)
    at_risk = {_percent_text(100 * level): _percentile(ordered, _lower_percent(level)) for level in levels}
    return OutputSummary(
        cell=facts.output_cells[output],
        name=facts.output_names[output],
        iteration_count=whole.iteration_count,
        numeric_count=count,
        error_counts=error_counts,
        replayed_count=whole.replayed_count,
        mean=spread.mean,
        mean_standard_error=None if spread.std is None else spread.std / math.sqrt(count),
        std=spread.std,
        skewness=spread.skewness,
        min=float(ordered[0]) if count else None,
        max=float(ordered[-1]) if count else None,
        percentiles={str(percent): _percentile(ordered, percent) for percent in PERCENTILES},
        var=at_risk,
        cvar={level: _mean_at_or_below(ordered, value) for level, value in at_risk.items()},
        histogram=_histogram(ordered),
        cdf=_cdf(ordered),
        sensitivities=[] if moments is None or not count else _sensitivities(facts, moments, output, ordered),
        remark=_remark(facts.output_cells[output], whole.iteration_count, ordered, error_counts, spread),
    )


def _ordered_values(shards: Sequence[ShardResult], output: int) -> tuple[Floats, dict[str, int]]:
    numeric: list[Floats] = []
    error_counts = np.zeros(max(ERROR_BY_CODE) + 1, dtype=np.int64)
    for shard in shards:
        errors = shard.errors[output]
        numeric.append(shard.values[output][errors == 0])
        error_counts += np.bincount(errors, minlength=len(error_counts))
    ordered = np.concatenate([*numeric, np.empty(0)])
    ordered.sort()
    return ordered, {
        str(ERROR_BY_CODE[code]): int(count) for code, count in enumerate(error_counts) if code and count
    }


@dataclass(frozen=True)
class _Spread:
    mean: float | None
    std: float | None
    skewness: float | None

    @classmethod
    def of(cls, moments: Moments | None, output: int, ordered: Floats) -> "_Spread":
        """Take them from the merged sums; a constant has exactly its value and no spread."""
        count = len(ordered)
        if moments is None or count == 0:
            return cls(None, None, None)
        if ordered[0] == ordered[-1]:
            return cls(float(ordered[0]), 0.0 if count > 1 else None, None)
        with np.errstate(over="ignore", invalid="ignore"):
            m2, m3 = moments.m2[output], moments.m3[output]
            return cls(
                mean=_finite(moments.mean[output]),
                std=_finite(np.sqrt(m2 / (count - 1))),
                skewness=_finite((m3 / count) / (m2 / count) ** 1.5),
            )


def _lower_percent(level: float) -> float:
    # 1 - 0.95 is 0.05000000000000004; the fifth percentile is meant.
    return round(100 * (1 - level), 10)


def _percent_text(percent: float) -> str:
    return f"{round(percent, 10):.10g}"


def _percentile(ordered: Floats, percent: float) -> float | None:
    """Interpolate between the two nearest values, as Excel's PERCENTILE.INC and NumPy's default."""
    if len(ordered) == 0:
        return None
    position = (len(ordered) - 1) * percent / 100
    below = math.floor(position)
    above = min(below + 1, len(ordered) - 1)
    low, high, share = float(ordered[below]), float(ordered[above]), position - below
    if math.isfinite(high - low):
        # Rises with the share, whatever is rounded; two products could round apart.
        return min(low + (high - low) * share, high)
    return min(max(low * (1 - share) + high * share, low), high)


def _mean_at_or_below(ordered: Floats, limit: float | None) -> float | None:
    if limit is None:
        return None
    tail = ordered[: np.searchsorted(ordered, limit, side="right")]
    with np.errstate(over="ignore"):
        # Measured from the limit, so that a constant tail has exactly its value.
        return _finite(limit + (tail - limit).mean())


def _histogram(ordered: Floats) -> Histogram | None:
    if len(ordered) == 0 or not math.isfinite(float(ordered[-1]) - float(ordered[0])):
        return None
    edges = even_edges(float(ordered[0]), float(ordered[-1]))
    below = np.searchsorted(ordered, edges, side="left")
    below[-1] = len(ordered)
    return Histogram(np.diff(below).tolist(), edges.tolist(), centers(edges).tolist())


def _cdf(ordered: Floats) -> list[tuple[float, float]]:
    points: list[tuple[float, float]] = []
    for step in range(CDF_STEPS + 1):
        value = _percentile(ordered, 100 * step / CDF_STEPS)
        if value is not None:
            points.append((value, step / CDF_STEPS))
    return points


def _sensitivities(facts: ProgramFacts, moments: Moments, output: int, ordered: Floats) -> list[Sensitivity]:
    is_constant = ordered[0] == ordered[-1]
    found: list[Sensitivity] = []
    for row, (cell, name) in enumerate(zip(facts.input_cells, facts.input_names, strict=True)):
        low, high = (
            _finite(moments.tail_mean[tail, row, output]) if moments.tail_count[tail, row, output] else None
            for tail in (0, 1)
        )
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            spreads = np.sqrt(moments.m2[output]) * np.sqrt(moments.input_m2[row, output])
            correlation = _finite(moments.comoment[row, output] / spreads)
        found.append(
            Sensitivity(
                cell=cell,
                name=name,
                low_mean=low,
                high_mean=high,
                swing=None if low is None or high is None else _finite(high - low),
                correlation=None if correlation is None or is_constant else min(max(correlation, -1.0), 1.0),
            )
        )
    return sorted(found, key=lambda sensitivity: -abs(sensitivity.swing or 0.0))


def _remark(
    cell: str, iteration_count: int, ordered: Floats, error_counts: dict[str, int], spread: _Spread
) -> str | None:
    if iteration_count == 0:
        return "No iteration was run, so there are no statistics."
    shown = ", ".join(f"{text} in {count:,}" for text, count in error_counts.items())
    if len(ordered) == 0:
        return f"No iteration gave a number in {cell} ({shown}), so it has no statistics."
    if len(ordered) == 1:
        return f"Only one iteration gave a number in {cell}, so it has no spread."
    if ordered[0] == ordered[-1]:
        return f"{cell} had the same value in every iteration that gave a number."
    if spread.mean is None or spread.std is None:
        return f"Some values of {cell} are too large for their statistics to be computed."
    if error_counts:
        return (
            f"{cell} showed an error value in some iterations ({shown}); the statistics are over the others."
        )
    return None


def _finite(number: Any) -> float | None:
    return float(number) if math.isfinite(number) else None
