"""Jobs exist exactly when their transaction committed, and survive the worker that held them."""

import asyncio
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tollway.kit.db import Database
from tollway.kit.jobs import (
    JobRegistry,
    count_waiting_jobs,
    enqueue_job,
    enqueue_jobs,
    get_queue_state,
    run_worker,
)
from tollway.kit.scope import in_transaction, request_id

HUNG_WORKER = Path(__file__).with_name("worker_that_hangs.py")
PATIENCE_SECONDS = 20.0


@pytest.fixture
async def jobs_database(database: Database) -> Database:
    async with database.transaction() as tx:
        await tx.execute("CREATE TABLE tries (worker text NOT NULL, number integer NOT NULL)")
    return database


@contextlib.asynccontextmanager
async def working(database: Database, registry: JobRegistry, **options: Any) -> AsyncIterator[None]:
    """Run a worker in this process for as long as the block lasts."""
    stop = asyncio.Event()
    worker = asyncio.create_task(run_worker(database, registry, stop, at_once_max=8, **options))
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(worker, PATIENCE_SECONDS)


async def eventually(holds: Callable[[], Any]) -> None:
    """Wait until a condition holds; fail where it does not within reason."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not await holds():
        assert time.monotonic() < deadline, "it did not come to pass"
        await asyncio.sleep(0.05)


async def numbers(database: Database, worker: str) -> list[int]:
    async with database.transaction() as tx:
        rows = await tx.list_rows(
            "SELECT number FROM tries WHERE worker = %(worker)s ORDER BY number", {"worker": worker}
        )
    return [row["number"] for row in rows]


def recording(database: Database, worker: str) -> JobRegistry:
    """A registry whose one job writes down that it ran."""

    async def begin(payload: dict[str, Any]) -> None:
        async with database.transaction() as tx:
            await tx.execute(
                "INSERT INTO tries VALUES (%(worker)s, %(number)s)", payload | {"worker": worker}
            )

    registry = JobRegistry()
    registry.add("tests.begin", begin)
    return registry


async def test_a_job_that_was_enqueued_before_a_roll_back_never_runs(jobs_database: Database) -> None:
    async def fail() -> None:
        async with jobs_database.transaction() as tx:
            await enqueue_job(tx, "tests.begin", {"number": 1})
            await enqueue_jobs(tx, "tests.begin", [{"number": 2}, {"number": 3}])
            assert await count_waiting_jobs(tx, "tests.begin") == 3
            raise LookupError

    with pytest.raises(LookupError):
        await fail()
    async with jobs_database.transaction() as tx:
        assert await count_waiting_jobs(tx, "tests.begin") == 0
        await enqueue_job(tx, "tests.begin", {"number": 4})
    async with working(jobs_database, recording(jobs_database, "here")):

        async def done() -> bool:
            return bool(await numbers(jobs_database, "here"))

        await eventually(done)
    assert await numbers(jobs_database, "here") == [4]


async def test_a_job_runs_only_after_the_commit(jobs_database: Database) -> None:
    async with working(jobs_database, recording(jobs_database, "here")):
        async with jobs_database.transaction() as tx:
            await enqueue_job(tx, "tests.begin", {"number": 1})
            # The worker takes another job meanwhile, so it was awake and could not see this one.
            async with jobs_database.transaction() as other:
                await enqueue_job(other, "tests.begin", {"number": 2})

            async def second_is_done() -> bool:
                return 2 in await numbers(jobs_database, "here")

            await eventually(second_is_done)
            assert await numbers(jobs_database, "here") == [2]

        async def both_are_done() -> bool:
            return await numbers(jobs_database, "here") == [1, 2]

        await eventually(both_are_done)


async def test_a_job_that_is_put_off_waits(jobs_database: Database) -> None:
    async with jobs_database.transaction() as tx:
        await enqueue_job(tx, "tests.begin", {"number": 1}, delay=timedelta(hours=1))
        await enqueue_job(tx, "tests.begin", {"number": 2})
    async with working(jobs_database, recording(jobs_database, "here")):

        async def second_is_done() -> bool:
            return bool(await numbers(jobs_database, "here"))

        await eventually(second_is_done)
    assert await numbers(jobs_database, "here") == [2]


async def test_a_job_holds_no_transaction_and_has_an_id_in_the_log(jobs_database: Database) -> None:
    seen: list[tuple[str, bool]] = []

    async def look(_payload: dict[str, Any]) -> None:
        seen.append((request_id.get(), in_transaction()))

    registry = JobRegistry()
    registry.add("tests.look", look)
    async with working(jobs_database, registry):
        async with jobs_database.transaction() as tx:
            await enqueue_job(tx, "tests.look", {})

        async def done() -> bool:
            return bool(seen)

        await eventually(done)
    (found,) = seen
    assert found[0].startswith("job_")
    assert not found[1]
    assert request_id.get() == "", "the worker's id does not leak into whoever started it"


async def test_a_job_of_a_killed_worker_is_taken_again(jobs_database: Database) -> None:
    """kill -9 in the middle of a job: the heartbeat goes stale, and another worker runs it."""
    async with jobs_database.transaction() as tx:
        await enqueue_job(tx, "tests.begin", {"number": 7})
    child = subprocess.Popen([sys.executable, str(HUNG_WORKER), jobs_database.url])
    try:

        async def began() -> bool:
            assert child.poll() is None, "the worker ended by itself"
            return await numbers(jobs_database, "killed") == [7]

        await eventually(began)
    finally:
        child.kill()
        child.wait()
    assert await numbers(jobs_database, "rescuer") == []

    async with working(jobs_database, recording(jobs_database, "rescuer"), heartbeat_seconds=1):

        async def rescued() -> bool:
            return await numbers(jobs_database, "rescuer") == [7]

        await eventually(rescued)

        async def finished() -> bool:
            async with jobs_database.transaction() as tx:
                return int(await tx.find_value("SELECT count(*) FROM pgqueuer")) == 0

        await eventually(finished)
    assert await numbers(jobs_database, "killed") == [7], "the dead do not work"


async def test_a_long_job_that_lives_is_not_taken_by_another_worker(jobs_database: Database) -> None:
    """A heartbeat keeps a job that takes longer than the time after which workers count as dead."""
    release = asyncio.Event()
    began: list[int] = []

    async def take_long(payload: dict[str, Any]) -> None:
        began.append(payload["number"])
        await release.wait()

    async def rival(_payload: dict[str, Any]) -> None:
        began.append(-1)

    slow, fast = JobRegistry(), JobRegistry()
    slow.add("tests.long", take_long)
    fast.add("tests.long", rival)
    async with working(jobs_database, slow, heartbeat_seconds=2):
        async with jobs_database.transaction() as tx:
            await enqueue_job(tx, "tests.long", {"number": 1})

        async def has_begun() -> bool:
            return bool(began)

        await eventually(has_begun)
        async with working(jobs_database, fast, heartbeat_seconds=2):
            await asyncio.sleep(4.5)
        release.set()
    assert began == [1]


async def test_a_chain_of_jobs_does_not_wait_for_a_clock(jobs_database: Database) -> None:
    """Taking a job once waited up to a second behind the wait for notifications, on the same connection."""
    length = 10
    ended = asyncio.Event()

    async def go_on(payload: dict[str, Any]) -> None:
        if payload["left"] == 0:
            ended.set()
            return
        async with jobs_database.transaction() as tx:
            await enqueue_job(tx, "tests.chain", {"left": payload["left"] - 1})

    registry = JobRegistry()
    registry.add("tests.chain", go_on)
    async with working(jobs_database, registry):
        async with jobs_database.transaction() as tx:
            await enqueue_job(tx, "tests.chain", {"left": length})
        await asyncio.wait_for(ended.wait(), timeout=length / 2)


async def test_a_job_that_fails_is_kept_and_counted(jobs_database: Database) -> None:
    async def fail(_payload: dict[str, Any]) -> None:
        raise RuntimeError("on purpose")

    registry = JobRegistry()
    registry.add("tests.fail", fail)
    async with working(jobs_database, registry):
        async with jobs_database.transaction() as tx:
            await enqueue_job(tx, "tests.fail", {"number": 1})

        async def is_held() -> bool:
            async with jobs_database.transaction() as tx:
                return (await get_queue_state(tx, datetime.now(UTC))).failed_count == 1

        await eventually(is_held)
    async with jobs_database.transaction() as tx:
        (row,) = await tx.list_rows("SELECT entrypoint, payload FROM pgqueuer")
    assert (row["entrypoint"], json.loads(row["payload"])) == ("tests.fail", {"number": 1})


async def test_stopping_waits_for_the_job_under_way(jobs_database: Database) -> None:
    finished: list[bool] = []
    began = asyncio.Event()

    async def take_a_moment(_payload: dict[str, Any]) -> None:
        began.set()
        await asyncio.sleep(0.3)
        finished.append(True)

    registry = JobRegistry()
    registry.add("tests.moment", take_a_moment)
    async with working(jobs_database, registry):
        async with jobs_database.transaction() as tx:
            await enqueue_job(tx, "tests.moment", {})
        await asyncio.wait_for(began.wait(), PATIENCE_SECONDS)
    assert finished == [True]


async def test_a_bound_on_one_kind_of_job_is_kept(jobs_database: Database) -> None:
    running, most = 0, 0

    async def count(_payload: dict[str, Any]) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.05)
        running -= 1

    done = 0

    async def counted(payload: dict[str, Any]) -> None:
        nonlocal done
        await count(payload)
        done += 1

    registry = JobRegistry()
    registry.add("tests.count", counted, at_once_max=2)
    async with jobs_database.transaction() as tx:
        await enqueue_jobs(tx, "tests.count", [{}] * 10)
    async with working(jobs_database, registry):

        async def all_done() -> bool:
            return done == 10

        await eventually(all_done)
    assert most <= 2


async def test_the_queue_tells_how_it_stands(jobs_database: Database) -> None:
    later = datetime.now(UTC) + timedelta(minutes=5)
    async with jobs_database.transaction() as tx:
        assert (await get_queue_state(tx, later)).waiting_count == 0
        await enqueue_job(tx, "tests.begin", {"number": 1})
        await enqueue_job(tx, "tests.begin", {"number": 2}, delay=timedelta(hours=1))
    async with jobs_database.transaction() as tx:
        state = await get_queue_state(tx, later)
    assert (state.waiting_count, state.failed_count) == (2, 0)
    assert 290 <= state.oldest_due_seconds <= 310, "the one put off is not due"
