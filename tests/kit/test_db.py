"""Transactions: what commits, what rolls back, and what is run again when PostgreSQL asks."""

import asyncio
from dataclasses import dataclass

import httpx
import psycopg
import pytest
from fastapi import APIRouter, FastAPI

from tollway.kit.db import REPLAY_COUNT_MAX, Database, Transaction
from tollway.kit.http import Edge, EdgeMiddleware, ReplayingRoute, exception_handlers
from tollway.kit.scope import in_transaction

SERIALIZABLE = "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE"


@pytest.fixture
async def counters(database: Database) -> Database:
    """A database with two counters at zero."""
    async with database.transaction() as tx:
        await tx.execute("CREATE TABLE counters (name text PRIMARY KEY, value integer NOT NULL)")
        await tx.execute("INSERT INTO counters VALUES ('left', 0), ('right', 0)")
    return database


async def value_of(database: Database, name: str) -> int | None:
    async with database.transaction() as tx:
        found = await tx.find_value("SELECT value FROM counters WHERE name = %(name)s", {"name": name})
    return None if found is None else int(found)


async def test_leaving_the_block_commits(counters: Database) -> None:
    async with counters.transaction() as tx:
        assert await tx.execute("UPDATE counters SET value = 7 WHERE name = 'left'") == 1
    assert await value_of(counters, "left") == 7


async def test_an_exception_rolls_back(counters: Database) -> None:
    async def fail() -> None:
        async with counters.transaction() as tx:
            await tx.execute("UPDATE counters SET value = 7 WHERE name = 'left'")
            raise LookupError

    with pytest.raises(LookupError):
        await fail()
    assert await value_of(counters, "left") == 0


async def test_a_cancelled_task_rolls_back_and_gives_its_connection_back(counters: Database) -> None:
    holding = asyncio.Event()

    async def hold() -> None:
        async with counters.transaction() as tx:
            await tx.execute("UPDATE counters SET value = 7 WHERE name = 'left'")
            holding.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(hold())
    await holding.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with counters.transaction() as tx:
        # Would wait for ever on the row lock of a transaction that still lived.
        await tx.execute("SET LOCAL lock_timeout = '2s'")
        await tx.execute("UPDATE counters SET value = value + 1 WHERE name = 'left'")
    assert await value_of(counters, "left") == 1


async def test_a_second_transaction_inside_the_first_stands_alone(counters: Database) -> None:
    async def fail() -> None:
        async with counters.transaction() as outer:
            await outer.execute("UPDATE counters SET value = 1 WHERE name = 'left'")
            async with counters.transaction() as inner:
                await inner.execute("UPDATE counters SET value = 1 WHERE name = 'right'")
            assert in_transaction(), "the outer one is still open"
            raise LookupError

    with pytest.raises(LookupError):
        await fail()
    assert (await value_of(counters, "left"), await value_of(counters, "right")) == (0, 1)
    assert not in_transaction()


async def test_more_transactions_than_connections_take_turns(database_url: str) -> None:
    narrow = Database(database_url, connections_max=2)
    await narrow.open()

    async def one() -> int:
        async with narrow.transaction() as tx:
            return int(await tx.find_value("SELECT 1 FROM pg_sleep(0.01)"))

    try:
        assert sum(await asyncio.gather(*(one() for _ in range(20)))) == 20
    finally:
        await narrow.close()


async def test_a_statement_that_never_ends_is_cut_off(counters: Database) -> None:
    async with counters.transaction() as tx:
        assert (
            await tx.find_value("SELECT setting::int FROM pg_settings WHERE name = 'statement_timeout'")
            == 30_000
        )
        await tx.execute("SET LOCAL statement_timeout = '50ms'")
        with pytest.raises(psycopg.errors.QueryCanceled):
            await tx.execute("SELECT pg_sleep(60)")


async def test_times_come_back_in_utc(database: Database) -> None:
    async with database.transaction() as tx:
        found = await tx.find_value("SELECT timestamptz '2026-06-15 12:00:00+02'")
    assert found.isoformat() == "2026-06-15T10:00:00+00:00"


@dataclass
class Pair:
    name: str
    value: int


async def test_rows_come_back_as_entities(counters: Database) -> None:
    async with counters.transaction() as tx:
        found = await tx.list_all(Pair, "SELECT name, value FROM counters ORDER BY name")
        assert found == [Pair("left", 0), Pair("right", 0)]
        assert await tx.find_one(Pair, "SELECT name, value FROM counters WHERE name = 'none'") is None
        with pytest.raises(LookupError, match="Pair"):
            await tx.get_one(Pair, "SELECT name, value FROM counters WHERE name = 'none'")
        await tx.execute_many("UPDATE counters SET value = %(value)s WHERE name = %(name)s", [
            {"name": "left", "value": 3}, {"name": "right", "value": 4}])  # fmt: skip
        assert await tx.list_rows("SELECT sum(value)::int AS total FROM counters") == [{"total": 7}]


def client_of(router: APIRouter) -> httpx.AsyncClient:
    """Join a router to the real edge and error answers."""
    api = FastAPI(exception_handlers=exception_handlers("/docs", lambda _request, _problem: None))
    api.include_router(router)
    app = EdgeMiddleware(api, Edge(base_url="http://localhost", secure=False))
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://localhost")


class Rivals:
    """An application with one endpoint that collides with a rival transaction as often as told."""

    def __init__(self, database: Database, collision_count: int) -> None:
        self.database = database
        self.collisions_left = collision_count
        self.tries = 0
        self.bodies: list[dict[str, int]] = []
        router = APIRouter(route_class=ReplayingRoute)
        router.add_api_route("/add", self.add, methods=["POST"])
        self.client = client_of(router)

    async def add(self, body: dict[str, int]) -> dict[str, int]:
        self.tries += 1
        self.bodies.append(body)
        async with self.database.transaction() as tx:
            await tx.execute(SERIALIZABLE)
            before = int(await tx.find_value("SELECT value FROM counters WHERE name = 'left'"))
            if self.collisions_left:
                self.collisions_left -= 1
                await self.collide()
            await self.store(tx, before + body["amount"])
        return {"value": before + body["amount"]}

    async def store(self, tx: Transaction, value: int) -> None:
        await tx.execute("UPDATE counters SET value = %(value)s WHERE name = 'left'", {"value": value})

    async def collide(self) -> None:
        async with self.database.transaction() as rival:
            await rival.execute("UPDATE counters SET value = value + 100 WHERE name = 'left'")


@pytest.mark.parametrize("collision_count", range(REPLAY_COUNT_MAX))
async def test_a_serialization_failure_is_replayed_until_it_succeeds(
    counters: Database, collision_count: int
) -> None:
    rivals = Rivals(counters, collision_count)
    answer = await rivals.client.post("/add", json={"amount": 5})
    assert answer.status_code == 200
    assert rivals.tries == collision_count + 1
    assert rivals.bodies == [{"amount": 5}] * rivals.tries, "each try reads the same body"
    # Nothing that the rival added was lost.
    assert await value_of(counters, "left") == 100 * collision_count + 5


async def test_three_serialization_failures_in_a_row_are_a_503(counters: Database) -> None:
    rivals = Rivals(counters, collision_count=99)
    answer = await rivals.client.post("/add", json={"amount": 5})
    assert answer.status_code == 503
    assert answer.json()["code"] == "unavailable"
    assert answer.headers["Retry-After"] == "1"
    assert rivals.tries == REPLAY_COUNT_MAX
    assert await value_of(counters, "left") == 100 * REPLAY_COUNT_MAX, "only the rival's work stands"


async def test_a_deadlock_is_replayed_and_both_requests_succeed(counters: Database) -> None:
    """Two requests lock the same rows in opposite order; PostgreSQL ends one, which runs again."""
    router = APIRouter(route_class=ReplayingRoute)
    both_hold = asyncio.Barrier(2)
    tries: list[str] = []

    @router.post("/add/{first}/{second}")
    async def add(first: str, second: str) -> None:
        tries.append(first)
        async with counters.transaction() as tx:
            await tx.execute("SET LOCAL deadlock_timeout = '20ms'")
            await tx.execute("UPDATE counters SET value = value + 1 WHERE name = %(name)s", {"name": first})
            if len(tries) <= 2:
                await both_hold.wait()
            await tx.execute("UPDATE counters SET value = value + 1 WHERE name = %(name)s", {"name": second})

    async with client_of(router) as client:
        answers = await asyncio.gather(client.post("/add/left/right"), client.post("/add/right/left"))
    assert [answer.status_code for answer in answers] == [200, 200]
    assert len(tries) > 2, "at least one of them was run again"
    assert (await value_of(counters, "left"), await value_of(counters, "right")) == (2, 2)


async def test_an_upload_is_not_replayed_because_its_file_is_gone() -> None:
    router = APIRouter(route_class=ReplayingRoute)
    tries = 0

    @router.post("/upload")
    async def upload() -> None:
        nonlocal tries
        tries += 1
        raise psycopg.errors.SerializationFailure

    async with client_of(router) as client:
        answer = await client.post("/upload", files={"file": b"x"})
    assert (answer.status_code, tries) == (503, 1)


async def test_a_database_that_does_not_answer_is_a_503(database_url: str) -> None:
    gone = Database(database_url)
    await gone.open()
    await gone.close()
    router = APIRouter(route_class=ReplayingRoute)

    @router.get("/read")
    async def read() -> None:
        async with gone.transaction():
            raise AssertionError("there is no connection to be had")

    async with client_of(router) as client:
        answer = await client.get("/read")
    assert answer.status_code == 503
    assert answer.json()["retry_after"] == 5
