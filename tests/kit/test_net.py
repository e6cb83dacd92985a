"""Code that holds a transaction cannot reach the network."""

import asyncio
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tollway.kit.db import Database
from tollway.kit.net import NetworkInsideTransaction, assert_network_allowed, http_client


class Redirecting(BaseHTTPRequestHandler):
    """Answers everything with a redirect to a place that must not be asked."""

    def do_GET(self) -> None:
        self.send_response(302)
        self.send_header("Location", "http://127.0.0.1:1/never")
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def server_url() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Redirecting)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


async def test_the_network_is_refused_while_a_transaction_is_open(database: Database) -> None:
    async with database.transaction():
        with pytest.raises(NetworkInsideTransaction):
            async with http_client():
                raise AssertionError("a client was handed out")
    assert_network_allowed()


async def test_it_is_refused_in_tasks_that_the_transaction_started(database: Database) -> None:
    async def reach() -> None:
        assert_network_allowed()

    async with database.transaction():
        with pytest.raises(NetworkInsideTransaction):
            await asyncio.create_task(reach())
        with pytest.raises(NetworkInsideTransaction):
            await asyncio.to_thread(assert_network_allowed)


async def test_it_is_allowed_again_after_a_transaction_that_failed(database: Database) -> None:
    async def fail() -> None:
        async with database.transaction():
            raise LookupError

    with pytest.raises(LookupError):
        await fail()
    assert_network_allowed()


async def test_another_task_may_use_the_network_meanwhile(database: Database, server_url: str) -> None:
    opened, done = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        async with database.transaction():
            opened.set()
            await done.wait()

    holder = asyncio.create_task(hold())
    await opened.wait()
    async with http_client() as client:
        answer = await client.get(server_url)
    done.set()
    await holder
    assert answer.status_code == 302, "redirects are handed back, never followed"


async def test_no_proxy_is_read_from_the_environment(
    server_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    async with http_client() as client:
        assert (await client.get(server_url)).status_code == 302
