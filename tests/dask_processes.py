"""A real Dask cluster for tests: a scheduler and workers as processes of their own, that may be killed and replaced."""

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.installed import free_port

import tollway
from tollway.simulation.cluster import ClusterGone, read_crew

WORKER_COUNT = 2
START_SECONDS_MAX = 60.0
# As the nanny of `dask worker` sets them; these workers have none, so that a killed one stays away.
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


@dataclass
class DaskProcesses:
    """One scheduler at a fixed address, and workers by their addresses; everything listens on loopback alone."""

    folder: Path
    port: int = field(default_factory=free_port)
    scheduler: subprocess.Popen[bytes] | None = None
    workers: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def address(self) -> str:
        return f"tcp://127.0.0.1:{self.port}"

    async def complete(self) -> None:
        """Start whatever is missing, and wait until the scheduler knows every worker."""
        if self.scheduler is None or self.scheduler.poll() is not None:
            await self.end_workers()
            self.start_scheduler()
        while len(self.workers) < WORKER_COUNT:
            self.start_worker()
        await self.wait_for(set(self.workers))

    def start_scheduler(self) -> None:
        self.scheduler = self._start(
            "dask_scheduler", "--port", str(self.port), "--dashboard-address", "127.0.0.1:0"
        )

    def start_worker(self, **environment: str) -> str:
        """Start one with one thread, and say at which address it will be."""
        port = free_port()
        address = f"tcp://127.0.0.1:{port}"
        self.workers[address] = self._start(
            "dask_worker", self.address, "--nthreads", "1", "--no-nanny", "--no-dashboard",
            "--worker-port", str(port), "--local-directory", str(self.folder), "--death-timeout", "30", **environment,
        )  # fmt: skip
        return address

    def kill_worker(self, address: str) -> None:
        """As `kill -9` does."""
        process = self.workers.pop(address)
        process.kill()
        process.wait()

    def kill_scheduler(self) -> None:
        """As `kill -9` does; its workers end by themselves."""
        assert self.scheduler is not None
        self.scheduler.kill()
        self.scheduler.wait()

    async def end_workers(self) -> None:
        for address in list(self.workers):
            self.kill_worker(address)

    async def close(self) -> None:
        await self.end_workers()
        if self.scheduler is not None:
            self.kill_scheduler()

    async def wait_for(self, addresses: set[str]) -> None:
        """Wait until the scheduler knows exactly these workers."""
        async with asyncio.timeout(START_SECONDS_MAX):
            while True:
                try:
                    if set((await read_crew(self.address)).places) == addresses:
                        return
                except ClusterGone:
                    assert self.scheduler is not None
                    assert self.scheduler.poll() is None, "the scheduler ended"
                for process in self.workers.values():
                    assert process.poll() is None, "a worker ended"
                await asyncio.sleep(0.05)

    def _start(self, module: str, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{module}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", f"distributed.cli.{module}", *arguments, "--host", "127.0.0.1"],
                stdout=log,
                stderr=log,
                env=os.environ | ONE_THREAD | environment,
            )


@asynccontextmanager
async def running_dask(folder: Path) -> AsyncIterator[DaskProcesses]:
    """A cluster that ends with the block, by the ids of its processes."""
    made = DaskProcesses(folder)
    try:
        yield made
    finally:
        await made.close()


def changed_engine(folder: Path) -> Path:
    """Lay out another version of Tollway, whose engine has one file more; what to put before PYTHONPATH."""
    ours = Path(tollway.__file__).parent
    shutil.copytree(
        ours, folder / "other" / "tollway", ignore=shutil.ignore_patterns("static", "__pycache__")
    )
    changed = folder / "other" / "tollway" / "engine" / "changed.py"
    changed.write_text('"""Another version has other files."""\n')
    return folder / "other"
