"""The two questions most programs ask of a workbook, each in one call: what if, and how likely."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tollway.engine.distributions import Distribution
from tollway.engine.distributions.notation import parse_distribution_text
from tollway.engine.exact.calculation import Calculation
from tollway.engine.exact.graph import FormulaBook
from tollway.engine.programs.program import Input, build_program, find_address
from tollway.engine.programs.unread import check_reach
from tollway.engine.runs.output_summary import OutputSummary
from tollway.engine.runs.questions import (
    CONFIDENCE_LEVELS_DEFAULT,
    TOLERANCE_DEFAULT,
    check_confidence_levels,
    check_targets,
    check_tolerance,
)
from tollway.engine.runs.redraw import RunDraws
from tollway.engine.runs.run import ITERATIONS_MAX, plan_shards, run_shard
from tollway.engine.runs.stored import SpilledShards
from tollway.engine.runs.summaries import ProgramFacts, summarize
from tollway.engine.sampling.correlation_entries import read_correlations
from tollway.engine.sampling.draws import Sampling, SamplingMethod, check_sampling, check_seed
from tollway.engine.sampling.stress import read_stress, with_stress
from tollway.engine.values import BadInputCell, BadOutputCell, EngineError, Value
from tollway.engine.workbooks.workbook import Workbook

# In memory at most at once.
_SHARD_ITERATIONS = 65_536


class BadIterationCount(EngineError):
    """A run of no iterations, or of more than one run may have."""

    code = "bad-iteration-count"


def calculate(
    workbook: Workbook, outputs: Sequence[str], given: Mapping[str, Value | int] | None = None
) -> dict[str, Value]:
    """What cells show, as Excel would, when the cells in `given` hold other values.

    Cells are written "Sheet!A1", or "A1" on the first sheet. Only what the outputs need is computed. A value is
    a float, a bool, a str, an ErrorValue, or None for an empty cell.

    Raises: BadOutputCell and BadInputCell for what names no cell, UnsupportedFormula, UnreadableFormula,
    CircularReference, TooManyReferences.
    """
    book = FormulaBook(workbook)
    values = {
        find_address(book, cell, BadInputCell, f"given.{cell}"): float(value)
        if isinstance(value, int) and not isinstance(value, bool)
        else value
        for cell, value in (given or {}).items()
    }
    calculation = Calculation(book, values)
    return {
        cell: calculation.value(find_address(book, cell, BadOutputCell, f"outputs.{place}"))
        for place, cell in enumerate(outputs)
    }


def simulate(
    workbook: Workbook,
    inputs: Mapping[str, Distribution | str],
    outputs: Sequence[str],
    *,
    iterations: int = 100_000,
    seed: int = 0,
    confidence_levels: Sequence[float] = CONFIDENCE_LEVELS_DEFAULT,
    sampling: SamplingMethod | str = SamplingMethod.MONTE_CARLO,
    correlations: Sequence[Mapping[str, object]] = (),
    stress: Sequence[Mapping[str, object]] = (),
    targets: Sequence[float] = (),
    tolerance: float = TOLERANCE_DEFAULT,
) -> dict[str, OutputSummary]:
    """The risk of output cells when input cells vary, by output cell as it was written.

    A distribution is an object such as Normal(mean=0.08, std=0.02), or its text "normal(0.08, 0.02)". The same seed
    gives the same bits on every machine. Memory does not grow with the iterations: outputs of a long run go to a
    temporary folder, 9 bytes each.

    Correlations are Spearman's, each {"cells": ["A1", "A2"], "correlation": 0.6} or {"cells": [...], "matrix":
    [[...], ...]}; a matrix that cannot be is replaced by the nearest one (`read_correlations` tells which).

    Stress holds inputs in a part of their range, each {"cell": "A1", "percentiles": [90, 100]}; all other inputs draw
    what they draw without it.

    For each of the targets, the summary tells which share of the numbers lies at or below it. The tolerance is how
    closely statistics must be known to count as settled, as a share of them: see `describe_convergence`.

    Raises: BadIterationCount, BadDistribution, BadConfidenceLevel, BadSampling, BadCorrelation, BadStress,
    BadTarget, BadTolerance, BadInputCell for an input that no output reads, and whatever build_program raises.
    """
    if not 1 <= iterations <= ITERATIONS_MAX:
        raise BadIterationCount(
            f"{iterations:,} iterations were asked for; a run has 1 to {ITERATIONS_MAX:,}.",
            field="iterations",
        )
    check_targets(targets), check_tolerance(tolerance), check_confidence_levels(confidence_levels)
    varied = [
        Input(cell, parse_distribution_text(given) if isinstance(given, str) else given)
        for cell, given in inputs.items()
    ]
    program = build_program(workbook, varied, outputs)
    check_reach(program)
    program = with_stress(program, read_stress(stress, workbook, program))
    drawn = Sampling(check_sampling(sampling), iterations, read_correlations(correlations, workbook, program))
    draws = RunDraws(program.inputs, check_seed(seed), drawn)
    with SpilledShards() as shards:
        for first, count in plan_shards(iterations, _SHARD_ITERATIONS):
            shards.add(run_shard(program, draws.seed, first, count, sampling=drawn))
        found = summarize(
            ProgramFacts.of(program),
            shards,
            confidence_levels,
            targets=targets,
            tolerance=tolerance,
            draws=draws,
        )
    return dict(zip(outputs, found, strict=True))
