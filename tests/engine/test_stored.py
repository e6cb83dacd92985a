"""Shards in files, and a run whose memory does not grow with its iterations."""

import os
import subprocess
import sys
import tracemalloc
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pytest
from tests.engine.runs_of import cut_into, facts_of, shard_of

from tollway.engine import (
    BLOCK_ITERATIONS,
    DamagedShard,
    Shard,
    ShardResult,
    SpilledShards,
    StoredShard,
    summarize,
)
from tollway.engine.runs.stored import KEPT_BYTES_MAX
from tollway.simulation.samples import SAMPLES, write_sample

VALUES = np.random.default_rng(4).standard_normal((2, 40_000))


def test_a_shard_in_a_file_is_the_one_that_was_written(tmp_path):
    shard = shard_of(VALUES, first_block=3)
    path = tmp_path / "shard.npz"
    path.write_bytes(shard.to_bytes())
    stored = StoredShard(path)
    for name in ("first_iteration", "iteration_count", "replayed_count"):
        assert getattr(stored, name) == getattr(shard, name)
    assert stored.values.tobytes() == shard.values.tobytes()
    assert stored.errors.tobytes() == shard.errors.tobytes()
    assert repr(stored.nodes) == repr(shard.nodes)
    assert repr(summarize(facts_of(2), [stored])) == repr(summarize(facts_of(2), [shard]))


@pytest.mark.parametrize("length", [0, 100, 300_000])
def test_a_file_that_was_cut_off_is_refused(tmp_path, length):
    path = tmp_path / "shard.npz"
    path.write_bytes(shard_of(VALUES).to_bytes()[:length])
    with pytest.raises(DamagedShard, match="Run again"):
        summarize(facts_of(2), [StoredShard(path)])


def test_a_file_that_is_gone_is_refused(tmp_path):
    with pytest.raises(DamagedShard, match="Run again"):
        summarize(facts_of(2), [StoredShard(tmp_path / "missing.npz")])


def test_the_first_shards_stay_in_memory_and_the_others_go_to_files_that_are_deleted_at_the_end():
    long = np.random.default_rng(5).standard_normal((1, 1 + KEPT_BYTES_MAX // 9))
    with SpilledShards() as spilled:
        for shard in cut_into(long, 100):
            assert isinstance(shard, ShardResult)
            spilled.add(shard)
        kinds = [type(shard) for shard in spilled]
        assert kinds == [ShardResult] * (len(spilled) - 1) + [StoredShard]
        path = spilled[-1].path
        assert path.is_file()
        assert [shard.first_iteration for shard in spilled[:2]] == [0, 100 * BLOCK_ITERATIONS]
        assert repr(summarize(facts_of(1), spilled)) == repr(summarize(facts_of(1), cut_into(long, 1_000)))
    assert not path.parent.exists()


@dataclass(frozen=True)
class Recomputed:
    """A shard that keeps nothing: its numbers are drawn whenever they are asked for, as a file is read."""

    index: int

    @cached_property
    def nodes(self):
        return shard_of(self.values, first_block=16 * self.index).nodes

    first_iteration = property(lambda self: self.index * 16 * BLOCK_ITERATIONS)
    iteration_count = property(lambda self: 16 * BLOCK_ITERATIONS)
    replayed_count = property(lambda self: 0)
    values = property(lambda self: np.random.default_rng(self.index).random((1, 16 * BLOCK_ITERATIONS)))
    errors = property(lambda self: np.zeros((1, 16 * BLOCK_ITERATIONS), dtype=np.int8))


def peak_bytes(shards: list[Shard]) -> int:
    tracemalloc.start()
    try:
        summarize(facts_of(1), shards)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_the_memory_of_a_summary_does_not_grow_with_the_iterations():
    few, many = (peak_bytes([Recomputed(index) for index in range(count)]) for count in (5, 50))
    # 3.3 million numbers are 26 MB; a walk holds the shard of 0.6 MB that is looked at, its sample, and its bins.
    assert many < 1.2 * few + 500_000
    assert many < 12_000_000


def simulated_peak_kb(path: Path, iterations: int) -> int:
    """The peak of what a process of `tollway simulate` held in memory."""
    sample = SAMPLES["portfolio"]
    command = [
        sys.executable,
        "-m",
        "tollway",
        "simulate",
        str(path),
        "--iterations",
        str(iterations),
        "--seed",
        "7",
    ]
    command += [f"--input={cell}" for cell in ("B4=triangular(0.05, 0.15, 0.35)", "B5=normal(0.08, 0.02)")]
    command += [f"--output={one.cell}" for one in sample.outputs]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_maxrss


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_ten_million_iterations_need_no_more_memory_than_one_million(tmp_path):
    path = tmp_path / "portfolio.xlsx"
    write_sample("portfolio", path)
    one, ten = (simulated_peak_kb(path, iterations) for iterations in (1_000_000, 10_000_000))
    # Longer runs have more bins and hold a little more in each; ten times the numbers would be 240 MB more.
    assert ten < one + 30_000
    assert ten < 400_000
