"""Arithmetic alone: reads a workbook, makes a program of its formulas, evaluates it over blocks of draws.

Arrays in, arrays out; no web, database, clock or settings.
"""

from tollway.engine.distributions import (
    Adjusted,
    Discrete,
    Distribution,
    Lognormal,
    Normal,
    Pert,
    Triangular,
    Uniform,
)
from tollway.engine.distributions.catalogue import CATALOGUE
from tollway.engine.distributions.fitting import BadFitData, Fit, fit_distributions
from tollway.engine.distributions.notation import (
    DISTRIBUTION_TYPES,
    distribution_text,
    parse_distribution,
    parse_distribution_text,
)
from tollway.engine.distributions.parameters import BadDistribution
from tollway.engine.inspect import Inspection, inspect_workbook
from tollway.engine.programs.evaluate import Evaluation, evaluate
from tollway.engine.programs.program import Input, Program, build_program
from tollway.engine.programs.unread import check_reach
from tollway.engine.runs.convergence import describe_convergence
from tollway.engine.runs.live import ShardProgress, live_bin_edges, shard_progress
from tollway.engine.runs.moments import BLOCK_ITERATIONS
from tollway.engine.runs.output_summary import Convergence, Histogram, OutputSummary, Sensitivity
from tollway.engine.runs.points import POINTS_MAX, DamagedPoints, Points, take_points
from tollway.engine.runs.questions import (
    CONFIDENCE_LEVELS_DEFAULT,
    TOLERANCE_DEFAULT,
    BadConfidenceLevel,
    BadTarget,
    BadTolerance,
    check_confidence_levels,
    check_targets,
    check_tolerance,
)
from tollway.engine.runs.redraw import RunDraws
from tollway.engine.runs.run import ITERATIONS_MAX, ShardResult, plan_shards, run_shard
from tollway.engine.runs.stored import DamagedShard, Shard, SpilledShards, StoredShard
from tollway.engine.runs.study import BadIterationCount, calculate, simulate
from tollway.engine.runs.summaries import ProgramFacts, summarize
from tollway.engine.sampling.correlation import RankCorrelation
from tollway.engine.sampling.correlation_entries import (
    BadCorrelation,
    parse_correlation_text,
    read_correlations,
)
from tollway.engine.sampling.draws import (
    SEED_MAX,
    BadSampling,
    Sampling,
    SamplingMethod,
    check_sampling,
    check_seed,
    draw,
    uniforms,
)
from tollway.engine.sampling.stress import BadStress, held_inputs, parse_stress_text, read_stress, with_stress
from tollway.engine.values import (
    BadInputCell,
    BadOutputCell,
    CircularReference,
    EngineError,
    ErrorValue,
    NotAWorkbook,
    OutputDoesNotDependOnInputs,
    TooManyReferences,
    UnreadableFormula,
    UnsupportedFormula,
    WorkbookTooLarge,
)
from tollway.engine.workbooks.archive import ReadLimits
from tollway.engine.workbooks.workbook import Workbook, read_workbook

__all__ = [
    "BLOCK_ITERATIONS",
    "CATALOGUE",
    "CONFIDENCE_LEVELS_DEFAULT",
    "DISTRIBUTION_TYPES",
    "ITERATIONS_MAX",
    "POINTS_MAX",
    "SEED_MAX",
    "TOLERANCE_DEFAULT",
    "Adjusted",
    "BadConfidenceLevel",
    "BadCorrelation",
    "BadDistribution",
    "BadFitData",
    "BadInputCell",
    "BadIterationCount",
    "BadOutputCell",
    "BadSampling",
    "BadStress",
    "BadTarget",
    "BadTolerance",
    "CircularReference",
    "Convergence",
    "DamagedPoints",
    "DamagedShard",
    "Discrete",
    "Distribution",
    "EngineError",
    "ErrorValue",
    "Evaluation",
    "Fit",
    "Histogram",
    "Input",
    "Inspection",
    "Lognormal",
    "Normal",
    "NotAWorkbook",
    "OutputDoesNotDependOnInputs",
    "OutputSummary",
    "Pert",
    "Points",
    "Program",
    "ProgramFacts",
    "RankCorrelation",
    "ReadLimits",
    "RunDraws",
    "Sampling",
    "SamplingMethod",
    "Sensitivity",
    "Shard",
    "ShardProgress",
    "ShardResult",
    "SpilledShards",
    "StoredShard",
    "TooManyReferences",
    "Triangular",
    "Uniform",
    "UnreadableFormula",
    "UnsupportedFormula",
    "Workbook",
    "WorkbookTooLarge",
    "build_program",
    "calculate",
    "check_confidence_levels",
    "check_reach",
    "check_sampling",
    "check_seed",
    "check_targets",
    "check_tolerance",
    "describe_convergence",
    "distribution_text",
    "draw",
    "evaluate",
    "fit_distributions",
    "held_inputs",
    "inspect_workbook",
    "live_bin_edges",
    "parse_correlation_text",
    "parse_distribution",
    "parse_distribution_text",
    "parse_stress_text",
    "plan_shards",
    "read_correlations",
    "read_stress",
    "read_workbook",
    "run_shard",
    "shard_progress",
    "simulate",
    "summarize",
    "take_points",
    "uniforms",
    "with_stress",
]
