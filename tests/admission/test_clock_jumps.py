"""The machine's clock is set an hour ahead or back under a running server, and no answer changes by it."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.admission.killed_parts import Program
from tests.faketime import WallClock
from tests.parties import Party, make_party

from tollway.admission.shipper import Shipper
from tollway.kit.db import Database

pytestmark = [pytest.mark.xdist_group("processes"), pytest.mark.timeout(300)]
HOUR = 3_600
# What is spent comes back after a minute: nothing does while the test runs.
PER_MINUTE = 1
READY_SECONDS_MAX = 30.0
CHECK, THING = "/checks", "/things"


@dataclass
class Served:
    """A server process with a clock of its own."""

    url: str
    clock: WallClock
    # How far its clock is from ours before it is set.
    base_seconds: int
    program: Program
    log: Path

    def jump(self, seconds: int) -> None:
        self.clock.set(self.base_seconds + seconds)

    async def wait_ready(self) -> None:
        async with asyncio.timeout(READY_SECONDS_MAX), httpx.AsyncClient() as client:
            while True:
                assert self.program.is_running(), self.log.read_text()
                try:
                    await client.get(f"{self.url}/health")
                except httpx.TransportError:
                    continue
                return


Serve = Callable[[Path], Any]


@pytest.fixture
def noon() -> datetime:
    """A moment of this month that is far from the end of any day or period."""
    return datetime.now(UTC).replace(day=15, hour=12, minute=30, second=0, microsecond=0)


@pytest.fixture
def serve(database_url: str, noon: datetime) -> Serve:
    @contextmanager
    def serving(folder: Path) -> Iterator[Served]:
        folder.mkdir()
        listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        order = {
            "database_url": database_url, "redis_url": "", "journals": str(folder / "journal"),
            "segment_records": 1_000, "listener": listener.fileno(),
        }  # fmt: skip
        clock = WallClock(folder / "clock")
        base_seconds = round((noon - datetime.now(UTC)).total_seconds())
        clock.set(base_seconds)
        program = Program(
            ["tests.admission.product_server", json.dumps(order)],
            folder / "server.log",
            clock.environment,
            (listener.fileno(),),
        )
        program.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/monte-carlo-api"
        try:
            yield Served(url, clock, base_seconds, program, folder / "server.log")
        finally:
            if program.is_running():
                program.stop()
            listener.close()

    return serving


async def parties(product: Database, noon: datetime) -> tuple[Party, Party]:
    """Return a customer with a limit a minute, and one with nothing but the quota of its period."""
    limited, free = [await make_party(product, noon - timedelta(hours=5)) for _ in range(2)]
    async with product.transaction() as tx:
        await tx.execute(
            "UPDATE api_keys SET requests_per_minute_max = %(most)s WHERE id = %(id)s",
            {"most": PER_MINUTE, "id": limited.api_key.id},
        )
    return limited, free


async def answers(served: Served, limited: Party, free: Party, jumps: tuple[int, ...]) -> list[Any]:
    """Call a server, set its clock in between, and return what of its answers does not name a time."""
    told: list[Any] = []
    async with httpx.AsyncClient(base_url=served.url, timeout=READY_SECONDS_MAX) as client:

        async def call(party: Party, path: str, name: str) -> None:
            headers = party.headers | {"X-Trace-ID": name}
            answer = await client.post(path, json={"name": name}, headers=headers)
            # What is left of a period is as much as a process knew at its last lease; of a minute it is exact.
            left = answer.headers["X-RateLimit-Remaining"] if party is limited else None
            told.append((name, answer.status_code, answer.json().get("code"), left))
            if party is limited:
                # A wait of a limit a minute and what is rounded up, never one of hours.
                assert 0 <= int(answer.headers["RateLimit"].rpartition("t=")[2]) <= 62

        for number, seconds in enumerate(jumps):
            served.jump(seconds)
            # The first call spends, and what is spent before a jump is spent after it.
            await call(limited, CHECK, f"limited-{number}")
            await call(free, CHECK, f"leased-{number}")
            await call(free, THING, f"made-{number}")
            await call(free, CHECK, f"leased-again-{number}")
    return told


async def ship(database: Database, folder: Path) -> list[dict[str, Any]]:
    """Carry a server's journal to the log, and return the log in the order in which it was written."""
    shipper = Shipper(database, folder / "journal")
    while await shipper.ship_once():
        pass
    shipper.close()
    async with database.transaction() as tx:
        return await tx.list_rows(
            """
            SELECT request_id, customer_id, endpoint, units, response_time_ms, request_timestamp
            FROM api_usage_logs ORDER BY id
            """
        )


@pytest.mark.promise("C32", "X11")
@pytest.mark.parametrize("jump", [HOUR, -HOUR], ids=["an hour ahead", "an hour back"])
async def test_an_hour_of_the_wall_clock_changes_no_answer(
    product: Database, noon: datetime, serve: Serve, tmp_path: Path, jump: int
) -> None:
    """The same calls are asked of two servers; the clock of one is set between them, there and back."""
    seen: dict[str, list[Any]] = {}
    for name, jumps in (("steady", (0, 0, 0, 0)), ("set", (0, jump, 0, jump))):
        limited, free = await parties(product, noon)
        with serve(tmp_path / name) as served:
            await served.wait_ready()
            seen[name] = await answers(served, limited, free, jumps)
    assert seen["set"] == seen["steady"]
    statuses = [(one[0].partition("-")[0], one[1]) for one in seen["set"]]
    assert statuses.count(("limited", 200)) == PER_MINUTE
    assert statuses.count(("limited", 429)) == 4 - PER_MINUTE
    assert [one[1] for one in seen["set"] if one[0].startswith("made")] == [201] * 4


@pytest.mark.promise("A15", "X11")
@pytest.mark.parametrize("jump", [HOUR, -HOUR], ids=["an hour ahead", "an hour back"])
async def test_an_hour_of_the_wall_clock_loses_no_call_and_keeps_their_order(
    product: Database, noon: datetime, serve: Serve, tmp_path: Path, jump: int
) -> None:
    limited, free = await parties(product, noon)
    begun, over = asyncio.Event(), asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        begun.set()
        yield b'{"name": '
        await over.wait()
        yield b'"under way"}'

    with serve(tmp_path / "set") as served:
        await served.wait_ready()
        # The clock is set while a call is under way.
        headers = free.headers | {"Content-Type": "application/json", "X-Trace-ID": "under-way"}
        async with (
            httpx.AsyncClient(base_url=served.url, timeout=READY_SECONDS_MAX) as client,
            asyncio.TaskGroup() as group,
        ):
            under_way = group.create_task(client.post(CHECK, content=body(), headers=headers))
            await begun.wait()
            told = await answers(served, limited, free, (0, jump, 0, jump))
            over.set()
        assert under_way.result().status_code == 200
    rows = await ship(product, tmp_path / "set")
    # What was journaled stands in the order in which it ended, whatever the clock said; the log keeps customers apart.
    journaled = [row for row in rows if row["endpoint"].endswith(CHECK)]
    for party, expected in (
        (limited, [name for name, *_ in told if name.startswith("limited")]),
        (free, [name for name, *_ in told if name.startswith("leased")] + ["under-way"]),
    ):
        assert [row["request_id"] for row in journaled if row["customer_id"] == party.customer_id] == expected
    assert len(rows) == len(told) + 1
    at = {row["request_id"]: row["request_timestamp"] for row in rows}
    apart = (at["leased-1"] - at["leased-0"]).total_seconds()
    assert abs(apart - jump) < READY_SECONDS_MAX, "the log tells the time that the machine had"
    assert max(row["response_time_ms"] for row in rows) < 60_000, "how long it took is no matter of the clock"
    async with product.transaction() as tx:
        quotas = await tx.list_rows("SELECT requests_used, requests_leased FROM usage_quotas ORDER BY id")
    assert sum(one["requests_used"] for one in quotas) == sum(row["units"] for row in rows)
    assert {one["requests_leased"] for one in quotas} == {0}, "what was leased and not spent came back"
    assert len(quotas) == 2, "each customer's period is still the same"
