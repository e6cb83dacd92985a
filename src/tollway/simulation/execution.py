"""The worker processes that compute: a shard of a run, or the summary of one that is done.

Plain data in and out, so that nothing but arithmetic happens there. A process that dies is replaced.
"""

import asyncio
import json
import multiprocessing
import os
import pickle
import resource
import signal
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing import connection
from pathlib import Path
from typing import Any, TypeVar, cast

from tollway.simulation.entities import Run
from tollway.simulation.reading import limit_this_process

# Address space of one process; a run that passed the inspection stays far below it.
MEMORY_BYTES_MAX = 8_000_000_000
PROGRAMS_KEPT = 8
# What is read here was read before, within its plan's limits; these only bound a mistake of ours.
FILE_BYTES_MAX = 500_000_000
UNPACKED_BYTES_MAX = 10_000_000_000

Answer = TypeVar("Answer")


class WorkerDied(Exception):
    """A process died while it computed; what it computed can be computed again."""


@dataclass(frozen=True, slots=True)
class ProgramKey:
    """Names a program: which workbook, with which inputs and outputs. Each process keeps a few."""

    workbook: Path
    sha256: bytes
    # JSON objects as texts, so that they can be a cache's key: (cell, name, distribution).
    inputs: tuple[tuple[str, str | None, str], ...]
    outputs: tuple[str, ...]


def program_key(workbook: Path, sha256: bytes, run: Run) -> ProgramKey:
    """Name the program of a run, whose workbook lies at a local path."""
    return ProgramKey(
        workbook=workbook,
        sha256=sha256,
        inputs=tuple((one["cell"], one["name"], json.dumps(one["distribution"])) for one in run.inputs),
        outputs=tuple(one["cell"] for one in run.outputs),
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
class SummaryTask:
    """The shards of a run, as files in the order of their iterations; cells come with their names."""

    inputs: list[tuple[str, str | None]]
    outputs: list[tuple[str, str | None]]
    shards: list[Path]
    confidence_levels: list[float]


class WorkerProcesses:
    """A fixed number of processes, started when the first task comes.

    Answers come back as files: a process killed in the middle of writing to the pool's pipe would leave half of
    an answer there, and the pool would wait for the other half for ever.
    """

    def __init__(self, process_count: int) -> None:
        self.process_count = process_count or os.cpu_count() or 1
        self._executor: ProcessPoolExecutor | None = None
        self._answers: tempfile.TemporaryDirectory[str] | None = None

    async def compute(self, task: ShardTask) -> ShardAnswer:
        """Compute a shard. Raises: WorkerDied, or what the engine raised."""
        return await self._run(compute_shard, task)

    async def summarize(self, task: SummaryTask) -> list[dict[str, Any]]:
        """Compute the results of a run from its shards, one for each output. Raises: WorkerDied."""
        return await self._run(summarize_shards, task)

    def close(self) -> None:
        """End every process, at once."""
        if self._executor is not None:
            processes = list((self._executor._processes or {}).values())  # noqa: SLF001 - no public way to end them at once
            self._executor.shutdown(wait=False, cancel_futures=True)
            for process in processes:
                process.kill()
            for process in processes:
                process.join()
            self._executor = None
        if self._answers is not None:
            self._answers.cleanup()
            self._answers = None

    async def _run(self, function: Callable[[Any], Answer], task: Any) -> Answer:
        executor = self._executor or self._start()
        if self._answers is None:
            self._answers = tempfile.TemporaryDirectory(prefix="tollway-answers-")
        path = Path(self._answers.name) / uuid.uuid4().hex
        try:
            await asyncio.get_running_loop().run_in_executor(executor, _answer_into, path, function, task)
            return cast(Answer, pickle.loads(await asyncio.to_thread(path.read_bytes)))  # noqa: S301 - our own process wrote it
        except BrokenProcessPool as failure:
            # One dead process breaks its whole pool; whoever notices first puts a new one in its place.
            if self._executor is executor:
                self._executor = None
                executor.shutdown(wait=False)
            raise WorkerDied("a worker process died") from failure
        finally:
            path.unlink(missing_ok=True)

    def _start(self) -> ProcessPoolExecutor:
        self._executor = ProcessPoolExecutor(
            self.process_count,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_prepare_process,
        )
        return self._executor


def _prepare_process() -> None:
    """Leave Ctrl-C to the parent, die with it, and bound the memory."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    limit_this_process(resource.RLIMIT_AS, MEMORY_BYTES_MAX)
    parent = multiprocessing.parent_process()
    assert parent is not None, "a worker process has a parent"

    def die_with_parent() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)

    # Killed with -9 the parent cannot say goodbye, and its workers would wait for tasks for ever.
    threading.Thread(target=die_with_parent, daemon=True).start()


# --- inside a worker process ---------------------------------------------------------------------------


def _answer_into(path: Path, function: Callable[[Any], Any], task: Any) -> None:
    path.write_bytes(pickle.dumps(function(task)))


def compute_shard(task: ShardTask) -> ShardAnswer:
    """Compute one shard."""
    import numpy as np

    from tollway.engine import RankCorrelation, Sampling, SamplingMethod, run_shard, shard_progress

    # The core's time, not the clock's: a busy machine makes nobody's share smaller.
    started = time.process_time()
    # An output whose first block had no number has no bins; the engine knows such a row by its NaN.
    width = max((len(edges) for edges in task.bin_edges), default=0)
    # Stored as JSON, a huge number comes back as a whole number that only a float array can hold.
    rows = [edges or [np.nan] * width for edges in task.bin_edges]
    bin_edges = np.array(rows, dtype=np.float64) if width else None
    program = _program(task.program)
    correlation = None
    if task.correlations is not None:
        input_cells = [one.cell for one in program.inputs]
        correlation = RankCorrelation.from_json(task.correlations, input_cells)
    result = run_shard(
        program,
        task.seed,
        task.first_iteration,
        task.iteration_count,
        bin_edges,
        sampling=Sampling(SamplingMethod(task.sampling), task.run_iterations, correlation),
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
    return ShardAnswer(content=content, live=live, processing_seconds=time.process_time() - started)


class _StoredShards(Sequence[Any]):
    """Shards that are read when asked for, so that memory holds one at a time."""

    def __init__(self, paths: list[Path]) -> None:
        self._paths = paths

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: Any) -> Any:
        from tollway.engine import ShardResult

        return ShardResult.from_bytes(self._paths[index].read_bytes())


def summarize_shards(task: SummaryTask) -> list[dict[str, Any]]:
    """Read the shards of a run and summarise each output; needs no workbook."""
    from tollway.engine import summarize
    from tollway.engine.runs.summaries import ProgramFacts

    facts = ProgramFacts(
        input_cells=tuple(cell for cell, _ in task.inputs),
        input_names=tuple(name for _, name in task.inputs),
        output_cells=tuple(cell for cell, _ in task.outputs),
        output_names=tuple(name for _, name in task.outputs),
    )
    return [one.as_json() for one in summarize(facts, _StoredShards(task.shards), task.confidence_levels)]


@lru_cache(maxsize=PROGRAMS_KEPT)
def _program(key: ProgramKey) -> Any:
    from tollway.engine import Input, ReadLimits, build_program, parse_distribution, read_workbook

    limits = ReadLimits(file_bytes_max=FILE_BYTES_MAX, unpacked_bytes_max=UNPACKED_BYTES_MAX)
    workbook = read_workbook(key.workbook, limits)
    inputs = [
        Input(cell, parse_distribution(json.loads(distribution)), name)
        for cell, name, distribution in key.inputs
    ]
    return build_program(workbook, inputs, key.outputs)
