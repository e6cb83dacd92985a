"""The processes of this machine that compute; one that dies is replaced, and takes with it what it computed alone."""

import asyncio
import multiprocessing
import os
import pickle
import resource
import signal
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import connection
from typing import Any

from tollway.simulation.children import Child
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
    """At most so many processes, each started when a task finds no other one idle; 0: one for each core.

    INVARIANT: a process that is killed at any moment is noticed
    (tests/simulation/test_execution.py::test_a_process_that_dies_while_it_answers_is_noticed).
    """

    def __init__(self, process_count: int) -> None:
        self.process_count = process_count or os.cpu_count() or 1
        self._free = asyncio.Semaphore(self.process_count)
        self._all: set[Child] = set()
        self._idle: list[Child] = []
        # Each waits for one process.
        self._threads = ThreadPoolExecutor(self.process_count, thread_name_prefix="worker process")

    @property
    def process_ids(self) -> list[int]:
        """Those of the processes that are there now."""
        return [one.process_id for one in self._all if one.process_id is not None]

    @property
    def shards_at_once_max(self) -> int:
        """One for each process."""
        return self.process_count

    async def count_places(self) -> int:
        """One for each process: one that died is replaced at once."""
        return self.process_count

    def guess_places(self) -> int:
        """One for each process."""
        return self.process_count

    async def compute(self, task: ShardTask) -> ShardAnswer:
        """Compute a shard. Raises: WorkerDied, or what the engine raised."""
        return await self.run(compute_shard, task)

    async def summarize(self, task: SummaryTask) -> SummaryAnswer:
        """Compute the results of a run from its shards, one for each output. Raises: WorkerDied."""
        return await self.run(summarize_shards, task)

    async def run(self, function: Callable[[Task], Answer], task: Task) -> Answer:
        """Call a module's function in a process of this machine. Raises: WorkerDied, or what it raised.

        What is cancelled ends with its process.
        """
        async with self._free:
            process = self._take()
            try:
                failure, answer = await asyncio.get_running_loop().run_in_executor(
                    self._threads, _ask, process, function, task
                )
            except BaseException:
                # It died, or nobody waits any more for what it computes.
                self._end(process)
                raise
            self._idle.append(process)
        if failure is not None:
            raise failure
        return answer  # type: ignore[no-any-return]  # a process gives back what the function returned

    def close(self) -> None:
        """End every process, at once; the next task starts new ones."""
        for process in list(self._all):
            self._end(process)

    def _take(self) -> Child:
        while self._idle:
            process = self._idle.pop()
            if process.is_alive:
                return process
            self._end(process)
        process = Child(_answer_tasks)
        self._all.add(process)
        return process

    def _end(self, process: Child) -> None:
        self._all.discard(process)
        if process in self._idle:
            self._idle.remove(process)
        process.end()


def _ask(process: Child, function: Callable[[Any], Any], task: Any) -> tuple[BaseException | None, Any]:
    """Send a task and wait for what it raised or gave. Raises: WorkerDied."""
    try:
        process.start()
        process.ours.send((function, task))
        failure, answer = process.ours.recv()
    except (EOFError, OSError) as gone:
        raise WorkerDied("a worker process died") from gone
    return failure, answer


# --- inside a worker process ---------------------------------------------------------------------------


def _answer_tasks(ours: connection.Connection) -> None:
    """Answer one task after the other, until whoever asks is gone."""
    _prepare_process()
    while True:
        try:
            function, task = ours.recv()
        except EOFError:
            return
        try:
            answer = pickle.dumps((None, function(task)))
        except BaseException as failure:  # noqa: BLE001 - whatever went wrong is told to whoever asked
            answer = pickle.dumps((_as_told(failure), None))
        ours.send_bytes(answer)


def _prepare_process() -> None:
    """Leave Ctrl-C to the parent, die with it, and bound the memory."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    limit_this_process(resource.RLIMIT_AS, MEMORY_BYTES_MAX)
    parent = multiprocessing.parent_process()
    assert parent is not None, "a worker process has a parent"

    def die_with_parent() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)

    # Killed with -9 the parent cannot say goodbye, and its workers would compute to the end for nobody.
    threading.Thread(target=die_with_parent, daemon=True).start()


def _as_told(failure: BaseException) -> BaseException:
    """Give a failure a form that survives the way to another process, with where it was raised."""
    where = "".join(traceback.format_exception(failure))
    failure.add_note(f"In a worker process:\n{where}")
    try:
        pickle.loads(pickle.dumps(failure))  # noqa: S301 - made in the line itself
    except Exception:  # noqa: BLE001 - an exception may refuse in any way
        return RuntimeError(where)
    return failure
