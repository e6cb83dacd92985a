"""The workers of a Dask cluster, which may be other machines: where DASK_SCHEDULER names its scheduler.

Shards go to the cluster; summaries, which read files of this machine, stay in processes of this machine. Workers come
and go: only those that compute the same bits as this process are used, and what a lost one had another one computes.
"""

import asyncio
import contextlib
import logging
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from tollway.kit.log import log
from tollway.simulation.cluster_worker import (
    Lacking,
    Unlike,
    compute_sent_shard,
    keep_workbook,
    tell_traits,
)
from tollway.simulation.execution import (
    Answer,
    ProgramKey,
    ShardAnswer,
    ShardTask,
    SummaryAnswer,
    SummaryTask,
    Task,
    WorkerDied,
)
from tollway.simulation.likeness import Traits, find_difference, read_traits
from tollway.simulation.worker_processes import WorkerProcesses

# Each shard that is computed is held by a job of this process.
SHARDS_AT_ONCE_MAX = 256
CONNECT_SECONDS_MAX = 3.0
# A scheduler that does not answer for as long is gone.
ANSWER_SECONDS_MAX = 5.0
# A worker imports Tollway before it tells its traits.
TRAITS_SECONDS_MAX = 30.0
SEND_SECONDS_MAX = 120.0
CLOSE_SECONDS_MAX = 5.0
# How often the cluster is looked at while somebody needs it.
LOOK_SECONDS = 1.0
# How old an estimate may be.
GUESS_SECONDS = 10.0
# A shard is asked for again where the workbook had to be sent first, and each time another worker may get it.
ASKINGS_MAX = SHARDS_AT_ONCE_MAX


class ClusterGone(WorkerDied):
    """The scheduler cannot be reached; what was computed there can be computed again when it is back."""


@dataclass(frozen=True, slots=True)
class Crew:
    """The workers that a scheduler knows, by address: how many shards each takes at once."""

    places: dict[str, int]

    @property
    def place_count(self) -> int:
        """How many shards are computed at once."""
        return min(sum(self.places.values()), SHARDS_AT_ONCE_MAX)


async def read_crew(address: str, *, seconds_max: float = ANSWER_SECONDS_MAX) -> Crew:
    """Ask a scheduler for its workers, on a connection of its own. Raises: ClusterGone, with the reason."""
    from distributed.comm.core import connect
    from distributed.core import send_recv
    from distributed.security import Security

    use_own_logs()
    try:
        async with asyncio.timeout(seconds_max):
            security: Any = Security()  # type: ignore[no-untyped-call]
            arguments = security.get_connection_args("client")
            comm = await connect(address, timeout=seconds_max, **arguments)  # type: ignore[no-untyped-call]
            try:
                told = await send_recv(comm, op="identity")
            finally:
                comm.abort()
    # Certificates that are missing or refused end in ValueError, TypeError or ssl's OSError.
    except (OSError, TimeoutError, ValueError, TypeError, KeyError) as failure:
        raise ClusterGone(str(failure) or f"no answer within {seconds_max:.0f} seconds") from failure
    return _crew_of(told)


def _crew_of(identity: dict[str, Any]) -> Crew:
    return Crew({str(one): int(told["nthreads"]) for one, told in identity["workers"].items()})


def use_own_logs() -> None:
    """Let Dask's log lines go the way of ours; it gives them a way of their own when it is imported."""
    for name in ("distributed", "distributed.client", "distributed.gc"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True


@dataclass(slots=True)
class _Connection:
    """One connection to the scheduler; after it is lost, another one takes its place."""

    client: Any
    # What a worker must share with this process.
    traits: Traits
    # By address: those that may compute, why others may not, and those that are being asked.
    fit: dict[str, int] = field(default_factory=dict)
    unfit: dict[str, str] = field(default_factory=dict)
    examined: dict[str, "asyncio.Task[None]"] = field(default_factory=dict)
    sent: dict[tuple[str, bytes], "asyncio.Task[None]"] = field(default_factory=dict)
    looked_at: float = 0.0


class Cluster:
    """The workers behind one scheduler; connects when it is first needed, and again after it was gone."""

    def __init__(self, address: str, processes: WorkerProcesses) -> None:
        self._address = address
        # For what is not a shard.
        self._processes = processes
        self._connection: _Connection | None = None
        self._looking = asyncio.Lock()
        self._failed_at = -ANSWER_SECONDS_MAX
        self._failure: str | None = None
        self._guess = Crew({})
        self._guessing: asyncio.Task[None] | None = None
        self._guessed_at = -GUESS_SECONDS

    @property
    def shards_at_once_max(self) -> int:
        """Workers may join at any time."""
        return SHARDS_AT_ONCE_MAX

    async def count_places(self) -> int:
        """Count the threads of the workers that may compute; 0 while the scheduler cannot be reached."""
        try:
            return Crew((await self._look()).fit).place_count
        except ClusterGone:
            return 0

    def guess_places(self) -> int:
        """Say how many threads the workers had some seconds ago, fit or not; 0 where that is not known yet.

        A server process estimates by it and computes nothing, so it asks the scheduler beside its work.
        """
        now = asyncio.get_running_loop().time()
        if self._guessing is None and now - self._guessed_at >= GUESS_SECONDS:
            self._guessed_at = now
            self._guessing = asyncio.create_task(self._ask_for_guess())
        return self._guess.place_count

    async def list_unfit(self) -> dict[str, str]:
        """Say by address which workers are not used, and why. Raises: ClusterGone."""
        return dict((await self._look()).unfit)

    async def compute(self, task: ShardTask) -> ShardAnswer:
        """Compute a shard on any worker. Raises: WorkerDied, or what the engine raised.

        A worker that is lost meanwhile is replaced by another one without a word, as long as one is left.

        INVARIANT: a lost worker changes no bit
        (tests/simulation/test_cluster.py::test_a_worker_lost_in_the_middle_changes_no_bit).
        """
        for _ in range(ASKINGS_MAX):
            connection = await self._look()
            answer = await self._ask(connection, task)
            if isinstance(answer, ShardAnswer):
                return answer
            if isinstance(answer, Unlike):
                connection.fit.pop(answer.address, None)
                connection.unfit[answer.address] = answer.difference
            else:
                await self._send_workbook(connection, answer.address, task.program)
        raise WorkerDied("no worker of the cluster keeps the workbook")

    async def summarize(self, task: SummaryTask) -> SummaryAnswer:
        """Compute the results of a run in a process of this machine. Raises: WorkerDied."""
        return await self._processes.summarize(task)

    async def run(self, function: Callable[[Task], Answer], task: Task) -> Answer:
        """Call a module's function in a process of this machine. Raises: WorkerDied, or what it raised."""
        return await self._processes.run(function, task)

    async def close(self) -> None:
        """Leave the cluster, and what it computes for us."""
        if self._guessing is not None:
            self._guessing.cancel()
        connection, self._connection = self._connection, None
        if connection is not None:
            await self._leave(connection)

    # --- asking ----------------------------------------------------------------------------------------

    async def _ask(self, connection: _Connection, task: ShardTask) -> ShardAnswer | Lacking | Unlike:
        from distributed import CancelledError
        from distributed.scheduler import KilledWorker

        asked = set(connection.fit)
        if not asked:
            raise WorkerDied("the cluster has no worker that computes the same bits as this machine")
        future = connection.client.submit(
            compute_sent_shard,
            task,
            connection.traits,
            key=f"tollway-shard-{uuid.uuid4().hex}",
            workers=sorted(asked),
            pure=False,
        )
        answering = asyncio.ensure_future(_answer_of(future))
        watching = asyncio.ensure_future(self._watch(connection, asked))
        try:
            await asyncio.wait({answering, watching}, return_when=asyncio.FIRST_COMPLETED)
            first = answering if answering.done() else watching
            # Dask cancels what waits when it closes a connection, and that is no cancel of ours.
            if first.cancelled():
                raise WorkerDied("the connection to the scheduler was closed")
            answer: ShardAnswer | Lacking | Unlike = first.result()
            return answer
        except (CancelledError, KilledWorker, OSError) as failure:
            raise WorkerDied(str(failure)) from failure
        finally:
            answering.cancel()
            watching.cancel()
            # Nobody wants it any more: Dask forgets it where it has not begun.
            future.release()

    async def _watch(self, connection: _Connection, asked: set[str]) -> NoReturn:
        """Wait until nobody is left who could answer: a task for workers that are gone waits for ever.

        Raises: WorkerDied.
        """
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if await self._look() is not connection or asked.isdisjoint(connection.fit):
                raise WorkerDied("the workers that had the shard are gone")

    async def _send_workbook(self, connection: _Connection, address: str, program: ProgramKey) -> None:
        """Send a workbook to a worker, once for all shards that wait for it there."""
        key = (address, program.sha256)
        sending = connection.sent.get(key)
        if sending is None:
            sending = asyncio.create_task(_send(connection.client, address, program.sha256, program.workbook))
            connection.sent[key] = sending
            sending.add_done_callback(lambda _: connection.sent.pop(key, None))
        # Waited for, not awaited: a run that is cancelled leaves it to the others.
        await asyncio.wait({sending})
        if sending.cancelled():
            raise WorkerDied("the connection to the scheduler was closed")
        sending.result()

    async def _ask_for_guess(self) -> None:
        # Where it is gone, runs wait for the workers that were there.
        with contextlib.suppress(ClusterGone):
            self._guess = await read_crew(self._address)
        self._guessing = None

    # --- who is there ----------------------------------------------------------------------------------

    async def _look(self) -> _Connection:
        """Return the connection, with its workers as they were a moment ago. Raises: ClusterGone."""
        async with self._looking:
            now = asyncio.get_running_loop().time()
            connection = self._connection
            if connection is not None and now - connection.looked_at < LOOK_SECONDS:
                return connection
            if connection is None and now - self._failed_at < LOOK_SECONDS:
                raise ClusterGone(self._failure or "")
            try:
                if connection is None:
                    connection = self._connection = await _connect(self._address)
                await _look_around(connection)
            except ClusterGone as failure:
                self._connection = None
                self._failed_at = asyncio.get_running_loop().time()
                if self._failure is None:
                    log.warning("the cluster is gone", scheduler=self._address, reason=str(failure))
                self._failure = str(failure)
                if connection is not None:
                    await self._leave(connection)
                raise
            if self._failure is not None:
                log.info("the cluster is back", scheduler=self._address)
                self._failure = None
            connection.looked_at = asyncio.get_running_loop().time()
            return connection

    async def _leave(self, connection: _Connection) -> None:
        for task in (*connection.examined.values(), *connection.sent.values()):
            task.cancel()
        # It says goodbye to a scheduler that may be gone.
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS_MAX):
                await connection.client._close(fast=True)  # noqa: SLF001 - close() would wait for the scheduler


async def _connect(address: str) -> _Connection:
    from distributed import Client

    # A connection of its own first: a client would retry in the background what can never succeed.
    await read_crew(address, seconds_max=CONNECT_SECONDS_MAX)
    try:
        client = await Client(  # type: ignore[no-untyped-call]
            address, asynchronous=True, set_as_default=False, timeout=CONNECT_SECONDS_MAX, name="tollway"
        )
    except (OSError, TimeoutError) as failure:
        raise ClusterGone(str(failure)) from failure
    return _Connection(client, await asyncio.to_thread(read_traits))


async def _look_around(connection: _Connection) -> None:
    """See which workers there are, and ask those that are new for their traits. Raises: ClusterGone."""
    if connection.client.status != "running":
        raise ClusterGone("the connection to the scheduler was lost")
    try:
        async with asyncio.timeout(ANSWER_SECONDS_MAX):
            crew = _crew_of(await connection.client.scheduler.identity())
    except (OSError, TimeoutError) as failure:
        raise ClusterGone(str(failure) or "the scheduler does not answer") from failure
    for known in (connection.fit, connection.unfit):
        for address in known.keys() - crew.places.keys():
            del known[address]
    for address, places in crew.places.items():
        if address in connection.fit:
            connection.fit[address] = places
        elif address not in connection.unfit and address not in connection.examined:
            asking = asyncio.create_task(_examine(connection, address, places))
            connection.examined[address] = asking
            asking.add_done_callback(partial(_forget_asking, connection, address))
    if connection.examined and not connection.fit:
        # Nobody could compute meanwhile anyway.
        await asyncio.wait(connection.examined.values(), timeout=ANSWER_SECONDS_MAX)


def _forget_asking(connection: _Connection, address: str, _asking: "asyncio.Task[None]") -> None:
    connection.examined.pop(address, None)


async def _examine(connection: _Connection, address: str, places: int) -> None:
    """Find out whether a worker may compute for us; one that does not answer is asked again at the next look."""
    try:
        async with asyncio.timeout(TRAITS_SECONDS_MAX):
            answers = await connection.client.run(tell_traits, workers=[address], on_error="return")
    except (OSError, TimeoutError):
        return
    told = answers.get(address)
    if told is None or isinstance(told, OSError):
        return
    if isinstance(told, Traits):
        difference = find_difference(connection.traits, told)
    elif isinstance(told, ModuleNotFoundError):
        difference = "lacks tollway, or what it needs; install the same version on every machine"
    else:
        difference = f"cannot compute: {told}"
    if difference is None:
        connection.fit[address] = places
    else:
        log.warning("a worker of the cluster is not used", worker=address, reason=difference)
        connection.unfit[address] = difference


async def _answer_of(future: Any) -> Any:
    return await future.result()


async def _send(client: Any, address: str, sha256: bytes, workbook: Path) -> None:
    content = await asyncio.to_thread(workbook.read_bytes)
    try:
        async with asyncio.timeout(SEND_SECONDS_MAX):
            await client.run(keep_workbook, sha256, content, workers=[address])
    except (OSError, TimeoutError, ValueError) as failure:
        raise WorkerDied(f"the workbook did not reach {address}: {failure}") from failure
