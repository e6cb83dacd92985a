"""What only the centre in Redis can go through: clocks that are set, and state that is lost or comes back older."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

import pytest
from tests.redis import RedisServer, running_redis

from tollway.admission.centre import CentreGone, GiveBack, Hold, Lease, Leased, Renew, Sweep
from tollway.admission.centre_redis import STATE_KEY, Epochs, RedisCentre, find_fault
from tollway.admission.leases import RateLimiter
from tollway.admission.rates import RateLimit
from tollway.kit.db import Database

LIMIT = RateLimit("requests_per_minute", 10)
HOUR_US = 3_600_000_000


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with running_redis() as running:
        yield running


@pytest.fixture
async def centre(server: RedisServer, database: Database) -> AsyncIterator[RedisCentre]:
    opened = RedisCentre(server.url, Epochs(database))
    yield opened
    await opened.close()


async def units(centre: RedisCentre, wanted: int = 10, key: str = "x") -> int:
    (answer,) = await centre.ask([Lease(key, LIMIT.count, LIMIT.seconds, LIMIT.burst, wanted, 1)])
    return Leased(*answer).units


def move_wall(server: RedisServer, microseconds: int) -> None:
    """As if the server's clock had been set by so much: what is stored is that much off."""
    with server.connect() as connection:
        connection.hincrby(STATE_KEY, "#wall", -microseconds)


def clock_of(server: RedisServer) -> int:
    with server.connect() as connection:
        return int(connection.hget(STATE_KEY, "#clock") or 0)  # type: ignore[arg-type]  # it is no coroutine


@pytest.mark.promise("X11")
@pytest.mark.parametrize("jump_us", [HOUR_US, -HOUR_US, 2_100_000, -2_100_000])
async def test_setting_the_clock_of_the_server_changes_nothing(
    server: RedisServer, centre: RedisCentre, jump_us: int
) -> None:
    assert await units(centre) == 10
    before = clock_of(server)
    move_wall(server, jump_us)
    assert await units(centre) == 0
    assert clock_of(server) == before, "nothing came in by it"
    # From then on time passes as ever.
    move_wall(server, 1_900_000)
    assert await units(centre) == 0
    assert clock_of(server) >= before + 1_900_000


async def test_units_come_in_by_the_clock_of_the_server(server: RedisServer, centre: RedisCentre) -> None:
    assert await units(centre) == 10
    for _ in range(7):
        move_wall(server, 1_900_000)
        await centre.ask([Sweep(1)])
    assert await units(centre) == 2


async def test_emptying_redis_refills_nothing(server: RedisServer, centre: RedisCentre) -> None:
    assert await units(centre, 1) == 1
    with server.connect() as connection:
        connection.flushall()
    assert await units(centre) == 0
    assert await units(centre, key="never asked for") == 0
    move_wall(server, 1_900_000)
    move_wall(server, 0)
    for _ in range(4):
        await centre.ask([Sweep(100)])
        move_wall(server, 1_900_000)
    assert await units(centre) == 1


async def test_an_older_state_that_comes_back_with_a_restart_is_not_believed(database: Database) -> None:
    """Redis wrote its file while the bucket was full, and reads it again after it was killed."""
    with running_redis("--save", "3600 1000000") as server:
        centre = RedisCentre(server.url, Epochs(database))
        await centre.ask([Sweep(1)])
        with server.connect() as connection:
            connection.save()
        assert await units(centre) == 10
        server.kill()
        with pytest.raises(CentreGone):
            await centre.ask([Sweep(1)])
        server.start()
        with server.connect() as connection:
            assert connection.exists(STATE_KEY), "the file was read"
        assert await units(centre) == 0
        await centre.close()


async def test_what_one_worker_begins_the_others_take_over(server: RedisServer, database: Database) -> None:
    with server.connect() as connection:
        connection.flushall()
    workers = [RedisCentre(server.url, Epochs(database)) for _ in range(6)]
    given = await asyncio.gather(*(units(worker, 3) for worker in workers))
    assert sum(given) == 10, "all began at once, with one full bucket between them"
    with server.connect() as connection:
        connection.flushall()
    given = await asyncio.gather(*(units(worker, 3) for worker in workers))
    assert sum(given) == 0
    async with database.transaction() as tx:
        assert await tx.find_value("SELECT count(*) FROM admission_centres") == 1
    for worker in workers:
        await worker.close()


async def test_a_script_that_redis_forgot_is_sent_again(server: RedisServer, centre: RedisCentre) -> None:
    assert await units(centre, 4) == 4
    with server.connect() as connection:
        connection.script_flush()
    assert await units(centre) == 6


async def test_full_buckets_are_swept_out(server: RedisServer, centre: RedisCentre) -> None:
    await units(centre)
    await units(centre, key="full")
    await centre.ask([GiveBack("full", LIMIT.count, LIMIT.seconds, 10), Hold("x", "a", 1)])
    for _ in range(5):
        await centre.ask([Sweep(1000)])
    with server.connect() as connection:
        fields = {name for name in connection.hkeys(STATE_KEY) if not name.startswith(b"#")}  # type: ignore[union-attr]  # it is no coroutine
    assert fields == {b"rx", b"hx"}
    for _ in range(6):
        move_wall(server, 1_900_000)
        await centre.ask([Sweep(1000)])
    assert await centre.ask([Hold("x", "b", 1)]) == [(1,)], "what was silent for 10 seconds is over"


async def test_after_a_loss_nothing_new_runs_until_workers_said_what_does(
    server: RedisServer, centre: RedisCentre
) -> None:
    assert await centre.ask([Hold("x", "old", 2)]) == [(1,)]
    with server.connect() as connection:
        connection.flushall()
    (answer, renewed) = await centre.ask([Hold("x", "new", 2), Renew("x", "old")])
    held, wait_us = answer
    assert (held, renewed) == (0, (1,))
    assert 9_000_000 < wait_us <= 10_000_000, "until when it is not known is told"
    assert await centre.ask([Hold("x", "new", 1)]) == [(0,)], "as many as may are known to run"
    for _ in range(6):
        move_wall(server, 1_900_000)
        await centre.ask([Renew("x", "old")])
    assert await centre.ask([Hold("x", "new", 2), Hold("x", "newer", 2)]) == [(1,), (0,)]


async def test_a_redis_that_is_not_there_is_said_in_one_sentence(
    server: RedisServer, database: Database
) -> None:
    centre = RedisCentre("redis://127.0.0.1:1/0", Epochs(database))
    with pytest.raises(CentreGone) as gone:
        await centre.ask([])
    assert "127.0.0.1:1" in gone.value.log_message
    assert await find_fault(server.url) is None
    assert "127.0.0.1:1" in (await find_fault("redis://127.0.0.1:1/0") or "")


async def test_a_redis_that_refuses_the_password_is_gone(server: RedisServer, database: Database) -> None:
    centre = RedisCentre(server.url.replace("//", "//:wrong@"), Epochs(database))
    with pytest.raises(CentreGone):
        await centre.ask([])
    await centre.close()


async def test_a_redis_that_hangs_refuses_calls_after_a_second_and_then_at_once(
    server: RedisServer, centre: RedisCentre
) -> None:
    limiter = RateLimiter(centre)
    await limiter.start()
    bucket = limiter.bucket("c:1", LIMIT)
    await limiter.renew(bucket, 1)
    with server.halted():
        began = time.monotonic()
        with pytest.raises(CentreGone):
            await limiter.renew(bucket, 1)
        assert time.monotonic() - began < 3
        for _ in range(100):
            with pytest.raises(CentreGone):
                await limiter.renew(bucket, 1)
    while not await limiter.is_answering():
        await asyncio.sleep(0)
    await limiter.renew(bucket, 1)
    assert bucket.take(1, limiter.clock_ns())
    await limiter.close()
