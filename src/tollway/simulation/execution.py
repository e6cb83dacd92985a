"""What workers compute: a shard of a run, or the summary of one that is done.

Plain data in and out, so that nothing but arithmetic happens there, in whichever process or machine that is.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol, TypeVar

from tollway.simulation.entities import TOLERANCE_DEFAULT, Run

PROGRAMS_KEPT = 8
# What is read here was read before, within its plan's limits; these only bound a mistake of ours.
FILE_BYTES_MAX = 500_000_000
UNPACKED_BYTES_MAX = 10_000_000_000


Task = TypeVar("Task")
Answer = TypeVar("Answer")


class WorkerDied(Exception):
    """A process died while it computed; what it computed can be computed again."""


@dataclass(frozen=True, slots=True)
class ProgramKey:
    """Names a program: which workbook, with which inputs and outputs. Each process keeps a few.

    The same content is the same workbook, wherever it lies.
    """

    workbook: Path = field(compare=False)
    sha256: bytes
    # JSON objects as texts, so that they can be a cache's key: (cell, name, distribution).
    inputs: tuple[tuple[str, str | None, str], ...]
    outputs: tuple[str, ...]
    # JSON as text: which inputs are held in a part of their range.
    stress: str = "[]"


def program_key(workbook: Path, sha256: bytes, run: Run) -> ProgramKey:
    """Name the program of a run, whose workbook lies at a local path."""
    return ProgramKey(
        workbook=workbook,
        sha256=sha256,
        # What formulas draw by themselves is found in the workbook again, in the same order.
        inputs=tuple(
            (one["cell"], one["name"], json.dumps(one["distribution"]))
            for one in run.inputs
            if one.get("written") is None
        ),
        outputs=tuple(one["cell"] for one in run.outputs),
        stress=json.dumps(run.stress),
    )


@dataclass(frozen=True, slots=True)
class ShardTask:
    """One shard to compute. Sampling, correlations and the length of the run are those of the whole run."""

    program: ProgramKey
    seed: int
    sampling: str
    correlations: dict[str, Any] | None
    run_iterations: int
    first_iteration: int
    iteration_count: int
    bin_edges: list[list[float]]


@dataclass(frozen=True, slots=True)
class ShardAnswer:
    """A shard's samples as a file, what it tells about the run while that is under way, and what it took.

    `processing_seconds` are of one core, reading the workbook included where this process had not yet.
    """

    content: bytes
    live: list[dict[str, Any]]
    processing_seconds: float


@dataclass(frozen=True, slots=True)
class DrawsTask:
    """By what the inputs of a run were drawn, in their order."""

    distributions: list[dict[str, Any]]
    seed: int
    sampling: str
    correlations: dict[str, Any] | None
    run_iterations: int
    stress: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class SummaryTask:
    """The shards of a run, as files in the order of their iterations; cells come with their names.

    Without `draws` nothing is told that needs the inputs' numbers.
    """

    inputs: list[tuple[str, str | None]]
    outputs: list[tuple[str, str | None]]
    shards: list[Path]
    confidence_levels: list[float]
    targets: list[float] = field(default_factory=list)
    tolerance: float = TOLERANCE_DEFAULT
    draws: DrawsTask | None = None


@dataclass(frozen=True, slots=True)
class SummaryAnswer:
    """The results of each output, and the first iterations as the file that `Points` reads."""

    results: list[dict[str, Any]]
    points: bytes | None


class Crew(Protocol):
    """Workers as far as they are counted."""

    async def count_places(self) -> int:
        """Count the shards that may be computed at once now; 0 while no worker can be reached."""


class Workers(Crew, Protocol):
    """Who computes: the processes of this machine, or those of a cluster."""

    @property
    def shards_at_once_max(self) -> int:
        """The most shards that may ever be computed at once."""

    def guess_places(self) -> int:
        """Say how many places there were lately, asking nobody: for estimates."""

    async def compute(self, task: ShardTask) -> ShardAnswer:
        """Compute a shard. Raises: WorkerDied, or what the engine raised.

        One that is cancelled costs nobody else anything: its worker is ended, or ends by itself where it is overdue.
        """

    async def summarize(self, task: SummaryTask) -> SummaryAnswer:
        """Compute the results of a run from its shards, one for each output. Raises: WorkerDied."""

    async def run(self, function: Callable[[Task], Answer], task: Task) -> Answer:
        """Call a module's function in a process of this machine. Raises: WorkerDied, or what it raised."""


# --- inside a worker -----------------------------------------------------------------------------------


def compute_shard(task: ShardTask) -> ShardAnswer:
    """Compute one shard."""
    import numpy as np

    from tollway.engine import run_shard, shard_progress

    # This thread's time on its core, not the clock's: a busy machine makes nobody's share smaller.
    started = time.thread_time()
    # An output whose first block had no number has no bins; the engine knows such a row by its NaN.
    width = max((len(edges) for edges in task.bin_edges), default=0)
    # Stored as JSON, a huge number comes back as a whole number that only a float array can hold.
    rows = [edges or [np.nan] * width for edges in task.bin_edges]
    bin_edges = np.array(rows, dtype=np.float64) if width else None
    program = program_of(task.program)
    result = run_shard(
        program,
        task.seed,
        task.first_iteration,
        task.iteration_count,
        bin_edges,
        sampling=sampling_of(task, program.inputs),
    )
    seen = shard_progress(result)
    live = [
        {
            "count": count,
            "error_count": seen.iteration_count - count,
            "mean": seen.means[index] if count else 0.0,
            "squares": seen.m2s[index] if count else 0.0,
            "frequencies": [] if seen.bin_counts is None else seen.bin_counts[index],
        }
        for index, count in enumerate(seen.numeric_counts)
    ]
    content = result.to_bytes()
    return ShardAnswer(content=content, live=live, processing_seconds=time.thread_time() - started)


def sampling_of(task: ShardTask | DrawsTask, inputs: Sequence[Any]) -> Any:
    """Return how a run draws, for the engine; inputs are those of the program."""
    from tollway.engine import RankCorrelation, Sampling, SamplingMethod

    correlation = None
    if task.correlations is not None:
        input_cells = [one.cell for one in inputs]
        correlation = RankCorrelation.from_json(task.correlations, input_cells)
    return Sampling(SamplingMethod(task.sampling), task.run_iterations, correlation)


def summarize_shards(task: SummaryTask) -> SummaryAnswer:
    """Read the shards of a run and summarise each output; needs no workbook."""
    from tollway.engine import ProgramFacts, StoredShard, summarize, take_points

    facts = ProgramFacts(
        input_cells=tuple(cell for cell, _ in task.inputs),
        input_names=tuple(name for _, name in task.inputs),
        output_cells=tuple(cell for cell, _ in task.outputs),
        output_names=tuple(name for _, name in task.outputs),
    )
    shards = [StoredShard(path) for path in task.shards]
    draws = None if task.draws is None else _draws_again(task.draws, facts.input_cells)
    found = summarize(
        facts,
        shards,
        task.confidence_levels,
        targets=task.targets,
        tolerance=task.tolerance,
        draws=draws,
    )
    points = None if draws is None else take_points(shards, draws, len(task.outputs)).to_bytes()
    return SummaryAnswer([one.as_json() for one in found], points)


def _draws_again(task: DrawsTask, cells: Sequence[str]) -> Any:
    from tollway.engine import Input, RunDraws, held_inputs, parse_distribution

    inputs = [
        Input(cell, parse_distribution(distribution))
        for cell, distribution in zip(cells, task.distributions, strict=True)
    ]
    return RunDraws(held_inputs(inputs, task.stress), task.seed, sampling_of(task, inputs))


@lru_cache(maxsize=PROGRAMS_KEPT)
def program_of(key: ProgramKey) -> Any:
    """Return the program of a key; the ones used last are kept."""
    from tollway.engine import (
        Input,
        ReadLimits,
        build_program,
        parse_distribution,
        read_workbook,
        with_stress,
    )

    limits = ReadLimits(file_bytes_max=FILE_BYTES_MAX, unpacked_bytes_max=UNPACKED_BYTES_MAX)
    workbook = read_workbook(key.workbook, limits)
    inputs = [
        Input(cell, parse_distribution(json.loads(distribution)), name)
        for cell, name, distribution in key.inputs
    ]
    return with_stress(build_program(workbook, inputs, key.outputs), json.loads(key.stress))
