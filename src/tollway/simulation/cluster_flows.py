"""A look at the cluster that DASK_SCHEDULER names: for `tollway doctor`, and for health."""

from dataclasses import dataclass

from tollway.simulation.cluster import Cluster, ClusterGone, read_crew
from tollway.simulation.worker_processes import WorkerProcesses


@dataclass(frozen=True, slots=True)
class ClusterStanding:
    """How a cluster stands: what keeps it from computing, or how much it computes at once.

    `unfit` says by address which workers are not used, and why.
    """

    fault: str | None
    place_count: int
    unfit: dict[str, str]


async def examine_cluster(address: str) -> ClusterStanding:
    """Ask a scheduler and each of its workers whether they can compute runs for this machine."""
    # Nothing is computed here: its processes are never started.
    cluster = Cluster(address, WorkerProcesses(1))
    try:
        unfit = await cluster.list_unfit()
        return ClusterStanding(None, await cluster.count_places(), unfit)
    except ClusterGone as failure:
        return ClusterStanding(str(failure), 0, {})
    finally:
        await cluster.close()


async def is_answering(address: str, seconds_max: float) -> bool:
    """Say whether a scheduler answers in time."""
    try:
        await read_crew(address, seconds_max=seconds_max)
    except ClusterGone:
        return False
    return True
