"""Worker processes: they compute, they are replaced, and they never outlive their parent."""

import asyncio
import hashlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from multiprocessing import forkserver
from pathlib import Path

import pytest
from tests.simulation import workbooks
from tests.simulation.conftest import wait_until
from tests.simulation.failing_tasks import die_while_answering, divide_by_nothing

from tollway.engine import ShardResult
from tollway.simulation.execution import ProgramKey, ShardTask, SummaryTask, WorkerDied
from tollway.simulation.worker_processes import WorkerProcesses


@pytest.fixture
async def processes() -> AsyncIterator[WorkerProcesses]:
    started = WorkerProcesses(1)
    yield started
    started.close()


def task(path: Path, first_iteration: int, iteration_count: int) -> ShardTask:
    content = workbooks.portfolio()
    sha256 = hashlib.sha256(content).digest()
    inputs = tuple(
        (f"Risk!{one['cell']}", str(one["name"]), json.dumps(one["distribution"]))
        for one in workbooks.PORTFOLIO_VARIABLES
    )
    return ShardTask(
        program=ProgramKey(
            # A file of its own for each content: a workbook tells the second in which it was made.
            workbook=workbooks.write(path / f"{sha256.hex()}.xlsx", content),
            sha256=sha256,
            inputs=inputs,
            outputs=("Risk!B16", "Risk!B18"),
        ),
        seed=7,
        sampling="latin_hypercube",
        correlations={
            "cells": ["Risk!B4", "Risk!B5"],
            "matrix": [[1.0, 0.5], [0.5, 1.0]],
            "repaired": None,
        },
        run_iterations=50_000_000,
        first_iteration=first_iteration,
        iteration_count=iteration_count,
        bin_edges=[[900_000.0, 1_000_000.0, 1_100_000.0], []],
    )


async def test_a_shard_tells_what_it_saw_and_carries_its_samples(
    processes: WorkerProcesses, tmp_path: Path
) -> None:
    answer = await processes.compute(task(tmp_path, 4_096, 5_000))
    result = ShardResult.from_bytes(answer.content)
    assert result.values.shape == (2, 5_000)
    final, sharpe = answer.live
    assert final["count"] == 5_000
    assert final["error_count"] == 0
    assert final["mean"] == pytest.approx(float(result.values[0].mean()), rel=1e-12)
    assert final["squares"] == pytest.approx(float(result.values[0].var() * 5_000), rel=1e-9)
    below = int((result.values[0] < 1_000_000).sum())
    assert below > 0
    assert final["frequencies"][0] == below
    assert sharpe["count"] == 5_000
    # Its first block had no number to choose bins from, so nothing is counted in any.
    assert sum(sharpe["frequencies"]) == 0


async def test_a_summary_of_nothing_says_so(processes: WorkerProcesses) -> None:
    """A run that is cancelled before any shard was done still has its answer."""
    answer = await processes.summarize(
        SummaryTask(inputs=[("S!A1", None)], outputs=[("S!A2", "Out")], shards=[], confidence_levels=[0.95])
    )
    (output,) = answer.results
    assert answer.points is None
    assert output["iteration_count"] == 0
    assert output["mean"] is None


async def test_a_dead_process_is_told_and_replaced(processes: WorkerProcesses, tmp_path: Path) -> None:
    await processes.compute(task(tmp_path, 0, 4_096))
    (pid,) = processes.process_ids
    computing = asyncio.ensure_future(processes.compute(task(tmp_path, 0, 40_960_000)))

    async def busy() -> bool:
        return not processes._idle

    await wait_until(busy)
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(WorkerDied):
        await computing
    assert (await processes.compute(task(tmp_path, 0, 4_096))).live[0]["count"] == 4_096


async def test_the_process_that_all_others_are_copies_of_is_replaced(
    processes: WorkerProcesses, tmp_path: Path
) -> None:
    first = await processes.compute(task(tmp_path, 0, 4_096))
    pid = forkserver._forkserver._forkserver_pid
    os.kill(pid, signal.SIGKILL)
    # What it started goes on, and so does whoever needs a new one.
    assert (await processes.compute(task(tmp_path, 0, 4_096))).content == first.content
    processes.close()
    assert (await processes.compute(task(tmp_path, 0, 4_096))).content == first.content
    assert forkserver._forkserver._forkserver_pid != pid


async def test_a_process_that_dies_while_it_answers_is_noticed(processes: WorkerProcesses) -> None:
    async with asyncio.timeout(30):
        with pytest.raises(WorkerDied):
            await processes.run(die_while_answering, None)
        with pytest.raises(ZeroDivisionError) as raised:
            await processes.run(divide_by_nothing, 1)
    # Where it was raised is told with it.
    assert "divide_by_nothing" in "".join(raised.value.__notes__)


async def test_what_is_cancelled_ends_at_once_and_its_core_is_free(
    processes: WorkerProcesses, tmp_path: Path
) -> None:
    await processes.compute(task(tmp_path, 0, 4_096))
    (pid,) = processes.process_ids
    computing = asyncio.ensure_future(processes.compute(task(tmp_path, 0, 40_960_000)))

    async def busy() -> bool:
        return not processes._idle

    await wait_until(busy)
    computing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await computing
    assert not Path(f"/proc/{pid}").exists()
    assert (await processes.compute(task(tmp_path, 0, 4_096))).live[0]["count"] == 4_096


PARENT = """
import asyncio, sys
from tollway.simulation.execution import SummaryTask
from tollway.simulation.worker_processes import WorkerProcesses

async def main():
    processes = WorkerProcesses(1)
    await processes.summarize(SummaryTask(inputs=[], outputs=[], shards=[], confidence_levels=[0.95]))
    print(*processes.process_ids, flush=True)
    await asyncio.sleep(60)

if __name__ == "__main__":
    asyncio.run(main())
"""


async def test_processes_die_with_a_parent_that_was_killed(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    parent = await asyncio.create_subprocess_exec(sys.executable, str(script), stdout=asyncio.subprocess.PIPE)
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    assert Path(f"/proc/{pid}").exists()
    parent.kill()
    await parent.wait()

    async def gone() -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"
        except OSError:
            return True

    await wait_until(gone)
