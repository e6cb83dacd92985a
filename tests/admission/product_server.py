"""One server process of the small product: started, killed and started again by tests/admission/killed_parts.py."""

import asyncio
import json
import os
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import Any

import uvicorn
import uvloop
from tests.admission.conftest import build

from tollway.admission.gatehouse import Gatehouse
from tollway.admission.leases import open_limiter
from tollway.kit.db import Database
from tollway.kit.log import configure_logging

# All load comes from one address.
ADDRESS_LIMIT = 10_000_000


async def serve(order: dict[str, Any]) -> None:
    database = Database(order["database_url"])
    await database.open()
    limiter = open_limiter(None, redis_url=order["redis_url"], database=database)
    gatehouse = Gatehouse(
        database, Path(order["journals"]), limiter, segment_records=order["segment_records"]
    )
    config = uvicorn.Config(
        build(gatehouse, address_limit=ADDRESS_LIMIT),
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=1,
    )
    try:
        await gatehouse.start()
        await uvicorn.Server(config).serve(sockets=[socket.socket(fileno=order["listener"])])
    finally:
        await gatehouse.close()
        await database.close()


def end_with_parent() -> None:
    """End this process when nobody holds the other end of its standard input any more."""

    def watch() -> None:
        while os.read(0, 1):
            pass
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()


def main() -> None:
    end_with_parent()
    configure_logging("error", as_json=True)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(json.loads(sys.argv[1])))


if __name__ == "__main__":
    main()
