"""Kill loops of usage: writers and shippers die at random moments, and every call is in the log once."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import pytest
from tests.admission.journals import begin_source

from tollway.admission.shipper import Shipper
from tollway.kit.db import Database

pytestmark = [pytest.mark.soak, pytest.mark.timeout(3600)]

ROOT = Path(__file__).parents[2]
SECONDS = 120
WRITERS = 3
SHIPPERS = 2
# Reports a call once it was appended, in batches that a pipe takes whole; the parent kills it.
WRITER = """
import os, sys
from pathlib import Path
from tests.admission.journals import Written
from tollway.admission.journal import Journal

source = int(sys.argv[2])
journal = Journal.open(Path(sys.argv[1]), source, segment_records=4096)
journal.start()
number = 0
while True:
    path = f"/things/{number}" if number % 3 == 0 else None
    Written(request_id=f"req_{source}_{number}", units=1, path=path).append_to(journal)
    number += 1
    os.write(1, number.to_bytes(8, "little"))
"""
SHIPPER = """
import asyncio, sys
from pathlib import Path
from tollway.admission.shipper import Shipper
from tollway.kit.db import Database

async def ship():
    database = Database(sys.argv[1], connections_max=2)
    await database.open()
    await Shipper(database, Path(sys.argv[2]), records_per_part=2000).run(asyncio.Event())

asyncio.run(ship())
"""


async def test_every_reported_call_is_in_the_log_once_over_many_kills(
    database: Database, database_url: str, tmp_path: Path, now: datetime
) -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    chance = random.Random(seed)
    folder = tmp_path / "journal"
    reported: dict[int, int] = {}
    writers: dict[int, subprocess.Popen[bytes]] = {}
    shippers: list[subprocess.Popen[bytes]] = []
    kills = 0
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        while len(writers) < WRITERS:
            source_id = await begin_source(database, f"soak {time.monotonic_ns()}", now)
            log = (tmp_path / f"{source_id}.reported").open("wb")
            writers[source_id] = subprocess.Popen(
                [sys.executable, "-c", WRITER, str(folder), str(source_id)], cwd=ROOT, stdout=log
            )
            log.close()
        while len(shippers) < SHIPPERS:
            shippers.append(
                subprocess.Popen([sys.executable, "-c", SHIPPER, database_url, str(folder)], cwd=ROOT)
            )
        await asyncio.sleep(chance.uniform(0.2, 3))
        if chance.random() < 0.5:
            source_id = chance.choice(list(writers))
            kill(writers.pop(source_id))
            reported[source_id] = reported_by(tmp_path, source_id)
        else:
            kill(shippers.pop(chance.randrange(len(shippers))))
        kills += 1
    for source_id, process in writers.items():
        kill(process)
        reported[source_id] = reported_by(tmp_path, source_id)
    for process in shippers:
        kill(process)
    last = Shipper(database, folder)
    await last.ship_once()
    last.close()
    async with database.transaction() as tx:
        rows = await tx.find_value("SELECT count(*) FROM api_usage_logs")
        different = await tx.find_value("SELECT count(DISTINCT request_id) FROM api_usage_logs")
        units = await tx.find_value("SELECT sum(units)::bigint FROM usage_hours")
        shipped = await tx.find_value("SELECT sum(records_shipped)::bigint FROM usage_sources")
        counts = {
            row["source"]: row["count"]
            for row in await tx.list_rows(
                """
                SELECT split_part(request_id, '_', 2)::int AS source, count(*)::int AS count
                FROM api_usage_logs GROUP BY 1
                """
            )
        }
    print(f"{kills} kills, {rows} calls")
    assert rows == different == units == shipped
    for source_id, count in reported.items():
        # One more may have been appended than was reported.
        assert count <= counts.get(source_id, 0) <= count + 1
    assert list(folder.iterdir()) == []


def kill(process: subprocess.Popen[bytes]) -> None:
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


def reported_by(folder: Path, source_id: int) -> int:
    """Return how many calls a writer reported before it was killed."""
    return (folder / f"{source_id}.reported").stat().st_size // 8
