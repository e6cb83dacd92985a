"""The sample workbooks: as pages offer them, and run without an account."""

import asyncio
import secrets
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tollway.engine import Input, Program, ProgramFacts, build_program, read_workbook, run_shard, summarize
from tollway.kit.problems import NotFound, Unavailable
from tollway.simulation.samples import SAMPLES, Sample

DEMO_ITERATIONS = 20_000
DEMO_RUNS_WAITING_MAX = 10
# Seeds of the demo are short, so that people can type them.
DEMO_SEEDS = 1_000_000


@dataclass(frozen=True, slots=True)
class SampleRun:
    """A finished run of a sample: the summary of its first output, as JSON-shaped values."""

    sample: Sample
    seed: int
    seconds: float
    summary: dict[str, Any]


@dataclass(slots=True)
class SampleRuns:
    """Runs samples in a thread, one at a time, keeping their programs."""

    _programs: dict[str, Program] = field(default_factory=dict)
    _shown: dict[tuple[str, int], SampleRun] = field(default_factory=dict)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _waiting: int = 0

    async def show(self, name: str, seed: int) -> SampleRun:
        """Give the run of a sample that a page shows to everybody: computed once, then kept.

        Whoever comes first computes it and the others wait for that, however many there are. `seed` is a
        constant of the page, never a visitor's: what is kept is never let go.
        """
        key = (name, seed)
        if key not in self._shown:
            sample = find_sample(name)
            async with self._turn:
                if key not in self._shown:
                    self._shown[key] = await asyncio.to_thread(self._run, sample, seed)
        return self._shown[key]

    async def run(self, name: str) -> SampleRun:
        """Run DEMO_ITERATIONS of a sample. Raises: NotFound, Unavailable where too many wait."""
        sample = find_sample(name)
        if self._waiting >= DEMO_RUNS_WAITING_MAX:
            raise Unavailable(
                "Many people try this at the moment. Try again in a few seconds.", retry_after_seconds=3
            )
        self._waiting += 1
        try:
            async with self._turn:
                return await asyncio.to_thread(self._run, sample, secrets.randbelow(DEMO_SEEDS))
        finally:
            self._waiting -= 1

    def _run(self, sample: Sample, seed: int) -> SampleRun:
        program = self._programs.get(sample.name) or self._build(sample)
        started = time.perf_counter()
        shard = run_shard(program, seed, 0, DEMO_ITERATIONS)
        summary = summarize(ProgramFacts.of(program), [shard])[0].as_json()
        return SampleRun(sample, seed, time.perf_counter() - started, summary)

    def _build(self, sample: Sample) -> Program:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / sample.filename
            path.write_bytes(sample.to_bytes())
            workbook = read_workbook(path)
        inputs = [Input(one.cell, one.distribution, one.name) for one in sample.inputs]
        program = build_program(workbook, inputs, [one.cell for one in sample.outputs])
        self._programs[sample.name] = program
        return program


def find_sample(name: str) -> Sample:
    """Return a sample by its name; raises NotFound."""
    if name not in SAMPLES:
        raise NotFound(f"There is no sample called {name[:40]!r}; there are {', '.join(SAMPLES)}.")
    return SAMPLES[name]


def sample_views() -> list[dict[str, str]]:
    """List the samples as pages offer them."""
    return [
        {"name": one.name, "title": one.title, "question": one.summary, "url": f"/samples/{one.name}.xlsx"}
        for one in SAMPLES.values()
    ]
