"""One worker process under load on one limit: run by tests/admission/test_centre_processes.py, and killed by it.

Every admission is written to a file at once, by the monotonic clock that all processes of a machine share, so that a
process that is killed leaves what it admitted behind.
"""

import asyncio
import json
import mmap
import struct
import sys
import time
from pathlib import Path

from tollway.admission.centre import CentreGone
from tollway.admission.leases import open_limiter
from tollway.admission.rates import RateLimit
from tollway.kit.db import Database
from tollway.kit.log import configure_logging

ADMITTED_MAX = 120_000


async def run(order: dict[str, object]) -> None:
    file = Path(str(order["file"]))
    limit = RateLimit("requests_per_minute", int(str(order["count"])), int(str(order["seconds"])))
    calls, spread_ns = int(str(order["calls"])), int(str(order["spread_ns"]))
    database = Database(str(order["database_url"])) if order["redis_url"] else None
    if database is not None:
        await database.open()
    limiter = open_limiter(
        Path(str(order["folder"])), redis_url=str(order["redis_url"]), server_processes=4, database=database
    )
    await limiter.start()
    while not await limiter.is_answering():
        await asyncio.sleep(0.01)
    bucket = limiter.bucket("customer:1", limit)
    with file.open("r+b") as opened, mmap.mmap(opened.fileno(), 0) as admitted:
        print("ready", flush=True)
        start_ns = int(await asyncio.to_thread(sys.stdin.readline))
        await asyncio.sleep(max(0.0, (start_ns - time.monotonic_ns()) / 1e9))
        # Either so many calls and no more, or at their pace until somebody says stop.
        stop = asyncio.create_task(asyncio.to_thread(sys.stdin.readline))
        made = passed = 0
        while made < calls or (order["is_endless"] and not stop.done()):
            due = (time.monotonic_ns() - start_ns) * calls // spread_ns
            if not order["is_endless"]:
                due = min(calls, due)
            # The loop must turn, or nobody renews anything.
            for _ in range(min(200, due - made)):
                made += 1
                now_ns = time.monotonic_ns()
                took = bucket.take(1, now_ns)
                if not took and bucket.needs_renewal():
                    try:
                        await limiter.renew(bucket, 1)
                    except CentreGone:
                        continue
                    now_ns = time.monotonic_ns()
                    took = bucket.take(1, now_ns)
                if took:
                    struct.pack_into("<q", admitted, passed * 8, now_ns)
                    passed += 1
            await asyncio.sleep(0.001)
        told = {"made": made, "ended_ns": time.monotonic_ns(), "round_trips": limiter.counts.round_trips}
        print(json.dumps(told), flush=True)
    await limiter.close()
    if database is not None:
        await database.close()


if __name__ == "__main__":
    configure_logging("error", as_json=True)
    asyncio.run(run(json.loads(sys.argv[1])))
