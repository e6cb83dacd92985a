"""The processes of this machine that compute; one that dies is replaced."""

import asyncio
import multiprocessing
import os
import pickle
import resource
import signal
import tempfile
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection
from pathlib import Path
from typing import Any, cast

from tollway.simulation.execution import (
    Answer,
    ShardAnswer,
    ShardTask,
    SummaryAnswer,
    SummaryTask,
    Task,
    WorkerDied,
    compute_shard,
    summarize_shards,
)
from tollway.simulation.reading import limit_this_process

# Address space of one process; a run that passed the inspection stays far below it.
MEMORY_BYTES_MAX = 8_000_000_000


class WorkerProcesses:
    """A fixed number of processes, started when the first task comes.

    Answers come back as files: a process killed in the middle of writing to the pool's pipe would leave half of
    an answer there, and the pool would wait for the other half for ever.
    """

    def __init__(self, process_count: int) -> None:
        self.process_count = process_count or os.cpu_count() or 1
        self._executor: ProcessPoolExecutor | None = None
        self._answers: tempfile.TemporaryDirectory[str] | None = None

    @property
    def shards_at_once_max(self) -> int:
        """One for each process."""
        return self.process_count

    async def count_places(self) -> int:
        """One for each process: one that died is replaced at once."""
        return self.process_count

    async def compute(self, task: ShardTask) -> ShardAnswer:
        """Compute a shard. Raises: WorkerDied, or what the engine raised."""
        return await self.run(compute_shard, task)

    async def summarize(self, task: SummaryTask) -> SummaryAnswer:
        """Compute the results of a run from its shards, one for each output. Raises: WorkerDied."""
        return await self.run(summarize_shards, task)

    async def run(self, function: Callable[[Task], Answer], task: Task) -> Answer:
        """Call a module's function in a process of this machine. Raises: WorkerDied, or what it raised."""
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

    def end_overdue(self) -> None:
        """End every process, because no single one can be ended; the next task starts new ones."""
        self.close()

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

    def _start(self) -> ProcessPoolExecutor:
        self._executor = ProcessPoolExecutor(
            self.process_count,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_prepare_process,
        )
        return self._executor


# --- inside a worker process ---------------------------------------------------------------------------


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


def _answer_into(path: Path, function: Callable[[Any], Any], task: Any) -> None:
    path.write_bytes(pickle.dumps(function(task)))
