"""A worker in a process of its own whose only job writes that it began and then never ends.

Run as `python worker_that_hangs.py DATABASE_URL`; test_jobs.py kills it in the middle.
"""

import asyncio
import sys
from typing import Any

from tollway.kit.db import Database
from tollway.kit.jobs import JobRegistry, run_worker


async def main() -> None:
    database = Database(sys.argv[1])
    await database.open()

    async def begin(payload: dict[str, Any]) -> None:
        async with database.transaction() as tx:
            await tx.execute("INSERT INTO tries (worker, number) VALUES ('killed', %(number)s)", payload)
        await asyncio.Event().wait()

    registry = JobRegistry()
    registry.add("tests.begin", begin)
    await run_worker(database, registry, asyncio.Event(), at_once_max=4, heartbeat_seconds=1)


asyncio.run(main())
