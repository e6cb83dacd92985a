"""The same promises of all three centres: in a process, behind a socket, in Redis."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from tests.redis import RedisServer, running_redis

from tollway.admission.centre import (
    Centre,
    GiveBack,
    Hold,
    InProcessCentre,
    Lease,
    Leased,
    Release,
    Renew,
    Sweep,
)
from tollway.admission.centre_redis import Epochs, RedisCentre
from tollway.admission.centre_socket import CentreServer, SocketCentre, socket_path
from tollway.admission.leases import RateLimiter
from tollway.admission.rates import RateLimit
from tollway.kit.db import Database

# A worker that asks a centre of its own kind.
Connect = Callable[[], Centre]
SLOW = RateLimit("requests_per_minute", 10)
FAST = RateLimit("requests_per_minute", 60_000)


@pytest.fixture(scope="module")
def redis_server() -> Iterator[RedisServer]:
    with running_redis() as server:
        yield server


@pytest.fixture(params=["process", "socket", "redis"])
async def connect(
    request: pytest.FixtureRequest, tmp_path: Path, redis_server: RedisServer, database: Database
) -> AsyncIterator[Connect]:
    opened: list[Centre] = []
    async with contextlib.AsyncExitStack() as stack:
        in_process = InProcessCentre()
        if request.param == "socket":
            server = CentreServer(tmp_path)
            await server.start()
            stack.push_async_callback(server.close)

        def make() -> Centre:
            made: Centre = in_process
            if request.param == "socket":
                made = SocketCentre(socket_path(tmp_path))
            elif request.param == "redis":
                made = RedisCentre(redis_server.url, Epochs(database))
            opened.append(made)
            return made

        yield make
        for one in opened:
            await one.close()


@pytest.fixture
async def limiter_of(connect: Connect) -> AsyncIterator[Callable[[], Awaitable[RateLimiter]]]:
    made: list[RateLimiter] = []

    async def make() -> RateLimiter:
        limiter = RateLimiter(connect())
        await limiter.start()
        made.append(limiter)
        return limiter

    yield make
    for one in made:
        await one.close()


def lease(limit: RateLimit, wanted: int, needed: int = 1, key: str = "x") -> Lease:
    return Lease(key, limit.count, limit.seconds, limit.burst, wanted, needed)


# the protocol -----------------------------------------------------------------------------------------


@pytest.mark.promise("C32")
async def test_what_one_worker_was_given_another_does_not_get(connect: Connect) -> None:
    one, other = connect(), connect()
    (first,) = await one.ask([lease(SLOW, 7)])
    (second,) = await other.ask([lease(SLOW, 7)])
    (third,) = await one.ask([lease(SLOW, 1)])
    assert [Leased(*answer).units for answer in (first, second, third)] == [7, 3, 0]
    assert Leased(*second).available == 0
    assert 0 < Leased(*third).wait_us <= 6_000_000


async def test_who_needs_more_than_is_left_takes_nothing(connect: Connect) -> None:
    centre = connect()
    await centre.ask([lease(SLOW, 7)])
    heavy, light = await centre.ask([lease(SLOW, 5, needed=5), lease(SLOW, 3)])
    assert Leased(*heavy).units == 0
    assert 11_000_000 < Leased(*heavy).wait_us <= 12_000_000
    assert Leased(*light).units == 3


async def test_questions_of_one_batch_are_answered_in_order(connect: Connect) -> None:
    answers = await connect().ask(
        [
            lease(SLOW, 10),
            GiveBack("x", SLOW.count, SLOW.seconds, 4),
            lease(SLOW, 10),
            lease(SLOW, 10, key="y"),
            Hold("x", "a", 1),
            Hold("x", "b", 1),
            Release("x", "a"),
            Hold("x", "b", 1),
            Renew("x", "b"),
            Sweep(100),
        ]
    )
    assert [Leased(*answers[place]).units for place in (0, 2, 3)] == [10, 4, 10]
    assert answers[4:9] == [(1,), (0,), (), (1,), (1,)]


async def test_a_changed_limit_keeps_what_was_spent_at_the_centre(connect: Connect) -> None:
    centre = connect()
    await centre.ask([lease(SLOW, 8)])
    (raised,) = await centre.ask([lease(RateLimit(SLOW.name, 20), 20)])
    (lowered,) = await centre.ask([lease(RateLimit(SLOW.name, 5), 5)])
    assert Leased(*raised).units == 12
    assert Leased(*lowered).units == 0


async def test_it_gives_again_what_comes_in(connect: Connect) -> None:
    centre = connect()
    (all_of_it,) = await centre.ask([lease(FAST, 10**6)])
    assert Leased(*all_of_it).units == FAST.burst
    came_in = 0
    while came_in < 100:
        (more,) = await centre.ask([lease(FAST, 100)])
        came_in += Leased(*more).units


async def test_an_empty_bucket_outlives_the_sweep(connect: Connect) -> None:
    centre = connect()
    await centre.ask([lease(SLOW, 10)])
    for _ in range(3):
        await centre.ask([Sweep(1000)])
    (answer,) = await centre.ask([lease(SLOW, 10)])
    assert Leased(*answer).units == 0


@pytest.mark.promise("C32")
async def test_no_more_things_run_at_once_than_may(connect: Connect) -> None:
    one, other = connect(), connect()
    names = [secrets.token_hex(4) for _ in range(5)]
    answers = await one.ask([Hold("c:1:runs", name, 3) for name in names[:2]])
    answers += await other.ask([Hold("c:1:runs", name, 3) for name in names[2:]])
    assert answers == [(1,), (1,), (1,), (0,), (0,)]
    # Asked twice, it is held once.
    assert await one.ask([Hold("c:1:runs", names[0], 3), Release("c:1:runs", names[0])]) == [(1,), ()]
    assert await other.ask([Hold("c:1:runs", names[4], 3)]) == [(1,)]


async def test_a_thing_that_is_renewed_counts_even_where_it_was_forgotten(connect: Connect) -> None:
    centre = connect()
    assert await centre.ask([Renew("x", "old"), Hold("x", "new", 1)]) == [(1,), (0,)]


# the limiter over it -----------------------------------------------------------------------------------


async def admit(limiter: RateLimiter, limit: RateLimit, subject: str = "c:1", weight: int = 1) -> bool:
    """One call, as the middleware makes it."""
    bucket = limiter.bucket(subject, limit)
    if bucket.take(weight, limiter.clock_ns()):
        return True
    if not bucket.needs_renewal():
        return False
    await limiter.renew(bucket, weight)
    return bucket.take(weight, limiter.clock_ns())


@pytest.mark.promise("X11")
async def test_a_slow_limit_is_exact_over_two_workers(
    limiter_of: Callable[[], Awaitable[RateLimiter]],
) -> None:
    workers = [await limiter_of(), await limiter_of()]
    passed = [await admit(workers[number % 2], SLOW) for number in range(25)]
    assert passed == [True] * 10 + [False] * 15
    for worker in workers:
        bucket = worker.bucket("c:1", SLOW)
        assert bucket.remaining(worker.clock_ns()) == 0
        assert 1 <= bucket.retry_after_seconds(1, worker.clock_ns()) <= 6
        assert 55 <= bucket.reset_seconds(worker.clock_ns()) <= 60


async def test_calls_at_once_share_one_question_and_none_is_refused_for_it(
    limiter_of: Callable[[], Awaitable[RateLimiter]],
) -> None:
    limiter = await limiter_of()
    passed = await asyncio.gather(*(admit(limiter, SLOW) for _ in range(14)))
    assert sum(passed) == 10
    assert limiter.counts.leases_asked <= 2


async def test_calls_of_many_customers_share_one_round_trip(
    limiter_of: Callable[[], Awaitable[RateLimiter]],
) -> None:
    limiter = await limiter_of()
    await admit(limiter, SLOW)
    before = limiter.counts.round_trips
    passed = await asyncio.gather(*(admit(limiter, SLOW, f"c:{number}") for number in range(2, 200)))
    assert all(passed)
    assert limiter.counts.round_trips - before <= 2


async def test_heavy_calls_pass_as_soon_as_they_fit(
    limiter_of: Callable[[], Awaitable[RateLimiter]],
) -> None:
    limiter = await limiter_of()
    assert await admit(limiter, SLOW, weight=6)
    assert not await admit(limiter, SLOW, weight=6)
    assert limiter.bucket("c:1", SLOW).retry_after_seconds(6, limiter.clock_ns()) >= 11
    assert await admit(limiter, FAST, "c:2", weight=10**9), "above the limit: the whole limit"


async def test_a_fast_limit_asks_far_less_often_than_it_is_called(
    limiter_of: Callable[[], Awaitable[RateLimiter]],
) -> None:
    limiter = await limiter_of()
    passed = 0
    for _ in range(20_000):
        passed += await admit(limiter, FAST)
        if passed % 100 == 0:
            await asyncio.sleep(0)
    assert passed == 20_000
    assert limiter.counts.leases_asked < 1_000


async def test_what_was_not_spent_comes_back_when_a_worker_ends(
    limiter_of: Callable[[], Awaitable[RateLimiter]],
) -> None:
    first = await limiter_of()
    bucket = first.bucket("c:1", SLOW)
    await first.renew(bucket, 10)
    assert bucket.take(3, first.clock_ns())
    await first.close()
    second = await limiter_of()
    assert [await admit(second, SLOW) for _ in range(8)] == [True] * 7 + [False]


async def test_things_at_once_are_shared_by_workers(
    limiter_of: Callable[[], Awaitable[RateLimiter]],
) -> None:
    one, other = await limiter_of(), await limiter_of()
    held = [await one.hold("c:1", "runs", 2), await other.hold("c:1", "runs", 2)]
    assert all(held)
    assert await one.hold("c:1", "runs", 2) is None
    assert held[1] is not None
    await other.release(held[1])
    await other.release(held[1])
    assert await one.hold("c:1", "runs", 2)
    await one.close()
    assert await other.hold("c:1", "runs", 1), "a worker that ends leaves nothing running"
