"""Server-sent events from a real server: they come, they end, and they end in time."""

import asyncio
import contextlib
import json
import socket
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import uvicorn
from tests.parties import Party
from tests.simulation import workbooks
from tests.simulation.conftest import API, Rows, started_id, uploaded_id, wait_until, working

from tollway.app import Parts, build_app
from tollway.kit.clock import read_now
from tollway.simulation import ending_operations, flows
from tollway.simulation.live import STREAMS_PER_CUSTOMER_MAX

STREAM = {"Accept": "text/event-stream"}


@pytest.fixture
async def served(parts: Parts) -> AsyncIterator[httpx.AsyncClient]:
    """The application behind a real socket."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    config = uvicorn.Config(build_app(parts), log_config=None, access_log=False, timeout_graceful_shutdown=2)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:

        async def started() -> bool:
            return server.started

        await wait_until(started)
        yield client
    parts.stopping.set()
    server.should_exit = True
    await serving
    listening.close()


async def events_of(response: httpx.Response) -> list[tuple[str, dict[str, Any]]]:
    events, name = [], ""
    async for line in response.aiter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            events.append((name, json.loads(line.removeprefix("data: "))))
    return events


async def test_events_tell_the_progress_and_end_with_done(
    parts: Parts, served: httpx.AsyncClient, party: Party
) -> None:
    model = await uploaded_id(served, party, workbooks.chain(200))
    variables = [{"cell": "B1", "distribution": {"type": "normal", "mean": 1, "std": 0.1}}]
    async with working(parts):
        run = await started_id(
            served, party, model, iterations=100_000, variables=variables, output_cells=["C200"]
        )
        url = f"{API}/simulations/{run}/progress"
        async with served.stream("GET", url, headers=party.headers | STREAM) as response:
            assert response.status_code == 200
            assert response.headers["content-type"].startswith("text/event-stream")
            events = await events_of(response)
    assert [name for name, _ in events[:-1]] == ["progress"] * (len(events) - 1)
    assert events[-1][0] == "done"
    assert events[-1][1]["status"] == "completed"
    seen = [body["progress"]["iterations_completed"] for _, body in events]
    assert seen == sorted(seen)
    assert seen[-1] == 100_000
    assert len(set(seen)) >= 3, "it was told while it went on"
    (output,) = events[-1][1]["outputs"]
    assert output["cell"] == "C200"
    assert output["iterations"] == 100_000
    assert output["mean_standard_error"] > 0
    assert len(output["histogram"]["bin_edges"]) == 51
    assert 0 < sum(output["histogram"]["frequencies"]) <= 100_000


async def test_a_cancelled_run_ends_its_stream(parts: Parts, served: httpx.AsyncClient, party: Party) -> None:
    model = await uploaded_id(served, party)
    run = await started_id(served, party, model)
    url = f"{API}/simulations/{run}/progress"
    async with served.stream("GET", url, headers=party.headers | STREAM) as response:
        lines = response.aiter_lines()
        assert await anext(lines) == "event: progress"
        await served.delete(f"{API}/simulations/{run}", headers=party.headers)
        async with working(parts):
            events = [line async for line in lines if line.startswith("event: ")]
    assert events[-1] == "event: done"


async def test_a_run_that_is_over_ends_its_stream_at_once(
    parts: Parts, served: httpx.AsyncClient, party: Party, rows: Rows
) -> None:
    run = await rows.run(party, await rows.model(party, read_now()), read_now())
    async with parts.database.transaction() as tx:
        await ending_operations.fail_run(tx, run.id, "It broke.", read_now())
    url = f"{API}/simulations/{run.public_id}/progress"
    async with served.stream("GET", url, headers=party.headers | STREAM) as response:
        events = await events_of(response)
    assert [name for name, _ in events] == ["progress", "done"]
    assert events[-1][1]["failure"]["message"] == "It broke."


async def test_streams_end_promptly_when_the_server_stops(
    parts: Parts, served: httpx.AsyncClient, party: Party, rows: Rows
) -> None:
    run = await rows.run(party, await rows.model(party, read_now()), read_now())
    url = f"{API}/simulations/{run.public_id}/progress"
    async with served.stream("GET", url, headers=party.headers | STREAM) as response:
        lines = response.aiter_lines()
        assert await anext(lines) == "event: progress"
        asked = time.monotonic()
        parts.stopping.set()
        rest = [line async for line in lines]
        assert time.monotonic() - asked < 2
    assert not any(line == "event: done" for line in rest), "the run is not over; the client comes back"


async def test_a_stream_ends_when_its_key_is_revoked(
    parts: Parts, served: httpx.AsyncClient, party: Party, rows: Rows
) -> None:
    run = await rows.run(party, await rows.model(party, read_now()), read_now())
    url = f"{API}/simulations/{run.public_id}/progress"
    async with served.stream("GET", url, headers=party.headers | STREAM) as response:
        lines = response.aiter_lines()
        assert await anext(lines) == "event: progress"
        async with parts.database.transaction() as tx:
            await tx.execute("UPDATE api_keys SET status = 'deleted', revoked_at = now(), key_hash = NULL")
        asked = time.monotonic()
        rest = [line async for line in lines]
        assert time.monotonic() - asked < flows.LOOK_SECONDS + 2
    assert not any(line == "event: done" for line in rest)


async def test_a_client_that_leaves_frees_its_place(
    parts: Parts, served: httpx.AsyncClient, party: Party, rows: Rows
) -> None:
    run = await rows.run(party, await rows.model(party, read_now()), read_now())
    url = f"{API}/simulations/{run.public_id}/progress"
    async with served.stream("GET", url, headers=party.headers | STREAM) as response:
        await anext(response.aiter_lines())
        assert parts.workshop.feed._streams == {party.customer_id: 1}

    async def freed() -> bool:
        return not parts.workshop.feed._streams and parts.workshop.feed._listening is None

    await wait_until(freed)


async def test_a_stream_of_a_stranger_is_404_and_too_many_are_429(
    parts: Parts, served: httpx.AsyncClient, party: Party, other: Party, rows: Rows
) -> None:
    run = await rows.run(party, await rows.model(party, read_now()), read_now())
    url = f"{API}/simulations/{run.public_id}/progress"
    response = await served.get(url, headers=other.headers | STREAM)
    assert response.status_code == 404
    with contextlib.ExitStack() as streams:
        for _ in range(STREAMS_PER_CUSTOMER_MAX):
            streams.enter_context(parts.workshop.feed.watch(run.public_id, party.customer_id))
        response = await served.get(url, headers=party.headers | STREAM)
    assert response.status_code == 429
    assert response.json()["code"] == "streams-at-once"


async def test_a_watcher_hears_of_a_change_well_before_it_would_look_itself(
    parts: Parts, party: Party, rows: Rows
) -> None:
    run = await rows.run(party, await rows.model(party, read_now()), read_now())
    with parts.workshop.feed.watch(run.public_id, party.customer_id) as changed:

        async def listening() -> bool:
            async with parts.database.transaction() as tx:
                found = await tx.find_value(
                    "SELECT count(*) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND query LIKE 'LISTEN run_progress%%'"
                )
            return bool(found)

        await wait_until(listening)
        async with parts.database.transaction() as tx:
            await ending_operations.fail_run(tx, run.id, "It broke.", read_now())
        async with asyncio.timeout(flows.LOOK_SECONDS / 2):
            await changed.wait()
