"""Has files made by child processes, a few at once, while the server goes on serving.

A child has limits of its own (`printing`), inherits no descriptor and no secret from the environment, and is killed
when it takes too long or its caller goes away.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tollway.simulation.children import ChildEnded, ask_child
from tollway.simulation.downloads import DownloadsBusy, FileNotMade
from tollway.simulation.export import RunFacts
from tollway.simulation.printing import make_file

# Brings samples onto the disk: hundreds of megabytes, so only when their turn has come.
Fetch = Callable[[], Awaitable[Path]]

CHILDREN_MAX = 2
WAITING_MAX = 20
CHILD_SECONDS_MAX = 120.0
BUSY_RETRY_SECONDS = 10


class Press:
    """Starts children: two at once for each server process, the rest wait, and too many are turned away."""

    def __init__(
        self,
        *,
        children_max: int = CHILDREN_MAX,
        waiting_max: int = WAITING_MAX,
        seconds_max: float = CHILD_SECONDS_MAX,
    ) -> None:
        self._children = asyncio.Semaphore(children_max)
        self._waiting_max = waiting_max
        self._seconds_max = seconds_max
        self._waiting = 0

    async def print_report(self, facts: RunFacts, summaries: Sequence[Any], target: Path) -> None:
        """Print the report of a run as PDF. Raises: DownloadsBusy, FileNotMade."""
        async with self._place():
            await self._run_child(_of_results("report", facts, summaries, target))

    async def write_workbook(self, facts: RunFacts, summaries: Sequence[Any], target: Path) -> None:
        """Write the results of a run as a workbook. Raises: DownloadsBusy, FileNotMade."""
        async with self._place():
            await self._run_child(_of_results("workbook", facts, summaries, target))

    async def write_csv(self, fetch: Fetch, target: Path) -> None:
        """Write the samples of a Parquet file as CSV. Raises: DownloadsBusy, FileNotMade, what fetching raises."""
        async with self._place():
            await self._run_child({"make": "csv", "samples": str(await fetch()), "target": str(target)})

    async def write_raw_values(self, fetch: Fetch, target: Path) -> None:
        """Write the numbers of the outputs in a Parquet file as JSON. Raises: as `write_csv`."""
        async with self._place():
            await self._run_child(
                {"make": "raw_values", "samples": str(await fetch()), "target": str(target)}
            )

    @asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        if self._waiting >= self._waiting_max:
            raise DownloadsBusy(
                f"{self._waiting_max} files already wait to be made. Ask for yours again in a few seconds.",
                retry_after_seconds=BUSY_RETRY_SECONDS,
            )
        self._waiting += 1
        try:
            async with self._children:
                yield
        finally:
            self._waiting -= 1

    async def _run_child(self, order: dict[str, Any]) -> None:
        try:
            await ask_child(make_file, order, self._seconds_max)
        except ChildEnded as ended:
            raise _not_made(str(ended)) from ended


def _of_results(make: str, facts: RunFacts, summaries: Sequence[Any], target: Path) -> dict[str, Any]:
    told = asdict(facts)
    moments = {name: told[name].isoformat() for name in ("created_at", "exported_at")}
    return {"make": make, "facts": told | moments, "summaries": summaries, "target": str(target)}


def _not_made(reason: str) -> FileNotMade:
    return FileNotMade(
        "Making this file needs more time or memory than one file may take at the moment. Try again, or take another "
        "format: JSON holds the same results, and Parquet the same samples.",
        retry_after_seconds=BUSY_RETRY_SECONDS,
        log_message=f"file not made: {reason}",
    )
