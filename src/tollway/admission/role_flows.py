"""What the processes beside server and worker do, each until it is asked to stop."""

import asyncio
from pathlib import Path

from tollway.admission.centre_socket import serve_centre
from tollway.admission.leases import rates_folder
from tollway.kit.db import Database


async def run_centre(data_folder: Path, stop: asyncio.Event) -> None:
    """Be the centre of rate limits for the servers of this machine.

    Raises:
        RatesInUse: another process counts the limits of this data folder.
        SocketPathTooLong: its path leaves no room for a socket.
    """
    await serve_centre(rates_folder(data_folder), stop)


async def find_redis_fault(url: str) -> str | None:
    """Say in one sentence why the Redis at a URL cannot be the centre, or None where it can."""
    from tollway.admission.centre_redis import find_fault

    return await find_fault(url)


async def run_shipper(database: Database, journals_folder: Path, stop: asyncio.Event) -> None:
    """Carry the journals of this machine's servers to PostgreSQL."""
    from tollway.admission.shipper import Shipper

    await Shipper(database, journals_folder).run(stop)
