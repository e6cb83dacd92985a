"""Runs over a cluster: workers in processes of their own give the bits of this machine, whoever is lost meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from tests.dask_processes import DaskProcesses, changed_engine, running_dask
from tests.parties import Party
from tests.simulation import workbooks
from tests.simulation.conftest import API, results_of, started_id, uploaded_id, wait_until, working
from tests.simulation.test_execution import task

from tollway.app import Parts, open_parts
from tollway.kit.problems import Problem
from tollway.settings import Settings
from tollway.simulation.cluster import Cluster, ClusterGone
from tollway.simulation.execution import WorkerDied, compute_shard
from tollway.simulation.worker_processes import WorkerProcesses

# One worker process of the test run has them all: each cluster takes three processes.
pytestmark = pytest.mark.xdist_group("dask")
CHAIN = {
    "iterations": 60_000,
    "variables": [{"cell": "B1", "distribution": {"type": "normal", "mean": 1, "std": 0.1}}],
    "output_cells": ["C300"],
}


@pytest.fixture(scope="module")
async def shared_dask(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DaskProcesses]:
    async with running_dask(tmp_path_factory.mktemp("dask")) as made:
        yield made


@pytest.fixture
async def dask(shared_dask: DaskProcesses) -> DaskProcesses:
    """A scheduler and two workers, whatever the test before left of them."""
    await shared_dask.complete()
    return shared_dask


@asynccontextmanager
async def joined(dask: DaskProcesses) -> AsyncIterator[Cluster]:
    """A cluster as the product sees it; its processes on this machine are never started."""
    cluster = Cluster(dask.address, WorkerProcesses(1))
    try:
        yield cluster
    finally:
        await cluster.close()


@asynccontextmanager
async def clustered(settings: Settings, dask: DaskProcesses) -> AsyncIterator[Parts]:
    """The product with DASK_SCHEDULER set, on the same database and files."""
    parts = await open_parts(settings.model_copy(update={"dask_scheduler": dask.address}))
    try:
        yield parts
    finally:
        await parts.close()


async def busy_worker(cluster: Cluster) -> str:
    """Wait until a worker computes, and say which."""
    found: list[str] = []

    async def computes() -> bool:
        connection = cluster._connection
        if connection is not None:
            processing = await connection.client.processing()
            found.extend(address for address, keys in processing.items() if keys)
        return bool(found)

    await wait_until(computes)
    return found[0]


async def begun(client: httpx.AsyncClient, party: Party, run_id: str) -> None:
    """Wait until a part of a run is done, and see that it is not over."""

    async def some_done() -> bool:
        told = (await client.get(f"{API}/simulations/{run_id}/progress", headers=party.headers)).json()
        assert told["status"] in ("queued", "running")
        return bool(told["progress"]["iterations_completed"])

    await wait_until(some_done)


# --- the same bits --------------------------------------------------------------------------------------


async def test_workers_of_a_cluster_give_the_bits_of_this_machine(
    dask: DaskProcesses, tmp_path: Path
) -> None:
    tasks = [task(tmp_path, index * 4_096, 4_096) for index in range(6)]
    here = [compute_shard(one) for one in tasks]
    # The workbook lies nowhere that a worker could read: it was sent.
    async with joined(dask) as cluster:
        assert await cluster.count_places() == 2
        there = await asyncio.gather(*(cluster.compute(one) for one in tasks))
    assert [one.content for one in there] == [one.content for one in here]
    assert [one.live for one in there] == [one.live for one in here]


async def test_a_worker_lost_in_the_middle_changes_no_bit(
    parts: Parts, settings: Settings, client: httpx.AsyncClient, party: Party, dask: DaskProcesses
) -> None:
    model = await uploaded_id(client, party, workbooks.chain(300))
    async with working(parts):
        here = await started_id(client, party, model, **CHAIN)
        expected = await results_of(client, party, here)
    async with clustered(settings, dask) as spread:
        assert spread.cluster is not None
        async with working(spread):
            there = await started_id(client, party, model, **CHAIN)
            await begun(client, party, there)
            dask.kill_worker(await busy_worker(spread.cluster))
            found = await results_of(client, party, there)
        assert spread.processes.process_ids, "summaries are made on this machine"
    assert found["results"] == expected["results"]


async def test_a_run_waits_for_a_scheduler_that_is_gone_and_goes_on(
    parts: Parts, settings: Settings, client: httpx.AsyncClient, party: Party, dask: DaskProcesses
) -> None:
    model = await uploaded_id(client, party, workbooks.chain(300))
    async with clustered(settings, dask) as spread:
        assert spread.cluster is not None
        async with working(spread):
            run = await started_id(client, party, model, **CHAIN)
            await begun(client, party, run)
            await busy_worker(spread.cluster)
            dask.kill_scheduler()

            async def noticed() -> bool:
                return await spread.cluster.count_places() == 0

            await wait_until(noticed)
            told = (await client.get(f"{API}/simulations/{run}/progress", headers=party.headers)).json()
            assert told["status"] == "running"
            await dask.complete()
            found = await results_of(client, party, run)
    assert found["status"] == "completed"
    assert found["iterations_completed"] == CHAIN["iterations"]


# --- who computes ---------------------------------------------------------------------------------------


async def test_workers_that_join_are_used_and_those_that_compute_otherwise_are_not(
    dask: DaskProcesses, tmp_path: Path
) -> None:
    async with joined(dask) as cluster:
        assert await cluster.count_places() == 2
        stranger = dask.start_worker(PYTHONPATH=str(changed_engine(tmp_path)))
        friend = dask.start_worker()

        async def both_known() -> bool:
            return await cluster.count_places() == 3 and stranger in await cluster.list_unfit()

        await wait_until(both_known)
        assert "another version" in (await cluster.list_unfit())[stranger]
        connection = await cluster._look()
        assert friend in connection.fit
        dask.kill_worker(stranger)
        dask.kill_worker(friend)

        async def both_gone() -> bool:
            return await cluster.count_places() == 2 and not await cluster.list_unfit()

        await wait_until(both_gone)


async def test_estimates_count_the_threads_of_a_cluster_without_waiting(dask: DaskProcesses) -> None:
    async with joined(dask) as cluster:
        assert cluster.guess_places() == 0

        async def known() -> bool:
            return cluster.guess_places() == 2

        await wait_until(known)
        assert cluster._connection is None


async def test_a_shard_with_nobody_to_compute_it_does_not_wait_for_ever(
    dask: DaskProcesses, tmp_path: Path
) -> None:
    async with joined(dask) as cluster:
        computing = asyncio.ensure_future(cluster.compute(task(tmp_path, 0, 40_960_000)))
        await busy_worker(cluster)
        await dask.end_workers()
        with pytest.raises(WorkerDied):
            await computing
        assert await cluster.count_places() == 0


async def test_what_is_cancelled_before_it_began_is_never_computed(
    dask: DaskProcesses, tmp_path: Path
) -> None:
    async with joined(dask) as cluster:
        # Long enough to be busy, and short enough: what a worker has begun, it computes to the end.
        running = [asyncio.ensure_future(cluster.compute(task(tmp_path, 0, 2_048_000))) for _ in range(4)]
        await busy_worker(cluster)
        for one in running:
            one.cancel()
        assert all(
            isinstance(one, asyncio.CancelledError)
            for one in await asyncio.gather(*running, return_exceptions=True)
        )
        connection = await cluster._look()

        async def forgotten() -> bool:
            # What a worker already computes ends in its own time; nobody gets it.
            return (
                not connection.client.futures
                and sum(map(len, (await connection.client.processing()).values())) == 0
            )

        await wait_until(forgotten)


async def test_what_the_engine_refuses_is_refused_here(dask: DaskProcesses, tmp_path: Path) -> None:
    asked = task(tmp_path, 0, 4_096)
    async with joined(dask) as cluster:
        with pytest.raises(Exception, match="Risk!Z99") as refused:
            await cluster.compute(replace(asked, program=replace(asked.program, outputs=("Risk!Z99",))))
    assert not isinstance(refused.value, WorkerDied | Problem)


async def test_a_scheduler_that_is_not_there_is_told_within_seconds(tmp_path: Path) -> None:
    cluster = Cluster("tcp://127.0.0.1:9", WorkerProcesses(1))
    async with asyncio.timeout(10):
        assert await cluster.count_places() == 0
        with pytest.raises(ClusterGone):
            await cluster.compute(task(tmp_path, 0, 4_096))
    await cluster.close()
