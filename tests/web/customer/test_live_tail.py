"""Answers that go on for long end with the right to see them."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from tests.metering.calls import log_call
from tests.web.conftest import Visitor
from tests.web.customer.test_usage import customer_id_of

from tollway.app import build_app
from tollway.kit.clock import read_now

EMAIL = "ana@example.com"
# A tail looks once a second; the rest is for a machine that is busy.
SECONDS_MAX = 3.0


@dataclass
class Tail:
    """An open stream: what it sent and has not been read."""

    serving: asyncio.Task[None]
    messages: asyncio.Queue[dict]

    async def read(self) -> bytes:
        body: bytes = (await self.messages.get())["body"]
        return body


@asynccontextmanager
async def watching(visitor: Visitor) -> AsyncIterator[Tail]:
    """Open the tail as the visitor's browser would, and read it until it is connected."""
    messages: asyncio.Queue[dict] = asyncio.Queue()

    async def receive() -> dict:
        await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    cookie = "; ".join(f"{name}={value}" for name, value in visitor.client.cookies.items())
    scope = {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1", "method": "GET",
        "scheme": "http", "path": "/requests/live", "raw_path": b"/requests/live", "root_path": "",
        "query_string": b"mode=test", "client": ("127.0.0.1", 1), "server": ("localhost", 80),
        "headers": [(b"host", b"localhost"), (b"cookie", cookie.encode())], "state": {}, "extensions": {},
    }  # fmt: skip
    tail = Tail(asyncio.create_task(build_app(visitor.parts)(scope, receive, messages.put)), messages)
    try:
        async with asyncio.timeout(20):
            start = await messages.get()
            assert start["status"] == 200
            assert await tail.read() == b": open\n\n"
            yield tail
    finally:
        visitor.parts.stopping.set()
        await tail.serving


@pytest.mark.parametrize(
    "taken_away",
    [
        pytest.param("UPDATE user_sessions SET ended_at = now()", id="session"),
        pytest.param("UPDATE user_sessions SET expires_at = now() - interval '1 second'", id="session over"),
        pytest.param("DELETE FROM customer_members", id="membership"),
        pytest.param("UPDATE users SET disabled_at = now()", id="user"),
    ],
)
async def test_a_tail_ends_with_what_let_it_in(ana: Visitor, taken_away: str) -> None:
    customer_id = await customer_id_of(ana, EMAIL)
    async with watching(ana) as tail:
        await log_call(ana.parts.database, customer_id, read_now(), request_id="req_before")
        assert b"req_before" in await tail.read()
        async with ana.parts.database.transaction() as tx:
            await tx.execute(taken_away)  # type: ignore[arg-type]  # it stands above
        began = time.monotonic()
        await log_call(ana.parts.database, customer_id, read_now(), request_id="req_after")
        left = [await tail.read()]
        assert left == [b""], "what came afterwards is not shown any more"
        assert time.monotonic() - began < SECONDS_MAX
        await tail.serving


async def test_a_tail_goes_on_while_the_session_lasts(ana: Visitor) -> None:
    customer_id = await customer_id_of(ana, EMAIL)
    async with watching(ana) as tail:
        for number in range(3):
            await log_call(ana.parts.database, customer_id, read_now(), request_id=f"req_{number}")
            assert f"req_{number}".encode() in await tail.read()
