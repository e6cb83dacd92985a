"""A customer's server on loopback: it keeps what comes, and answers what it is told to."""

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

# What a receiver may do instead of answering with a status.
SILENT = "silent"
HANGS_UP = "hangs up"
HUGE = "huge"
SLOW_HEAD = "slow head"
# What a client begins with that wants to speak TLS.
TLS_HANDSHAKE = b"\x16"


@dataclass(frozen=True)
class Received:
    """One request as it came over the wire."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> dict[str, Any]:
        read = json.loads(self.body)
        assert isinstance(read, dict)
        return read


@dataclass
class Receiver:
    """What came, and what to answer next: a status, or one of the words above; 200 once that is used up."""

    port: int = 0
    scheme: str = "http"
    answers: list[int | str] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    bytes_written: int = 0
    serving: set[asyncio.Task[object]] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/hooks?tenant=7"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self.serving.add(task)
        try:
            await self._serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.serving.discard(task)
            writer.close()
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first_byte = await reader.readexactly(1)
        if first_byte == TLS_HANDSHAKE:
            return
        head = (first_byte + await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.rstrip("\r\n").split("\r\n")
        method, target, _ = first.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        self.received.append(Received(method, target, headers, body))
        self.arrived.set()
        answer = self.answers.pop(0) if self.answers else 200
        if answer == SILENT:
            # Until the other side gives up.
            await reader.read()
        elif answer == SLOW_HEAD:
            writer.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            await writer.drain()
            await reader.read()
        elif answer == HUGE:
            await self._write_for_ever(writer)
        elif answer != HANGS_UP:
            where = (
                f"Location: {self.scheme}://127.0.0.1:{self.port}/elsewhere\r\n"
                if answer in (301, 302, 307, 308)
                else ""
            )
            writer.write(f"HTTP/1.1 {answer} Answer\r\nContent-Length: 2\r\n{where}\r\nok".encode())
            await writer.drain()

    async def _write_for_ever(self, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        block = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
        while True:
            writer.write(block)
            await writer.drain()
            self.bytes_written += len(block)


@asynccontextmanager
async def receiving(tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    """Listen on loopback."""
    receiver = Receiver(scheme="https" if tls else "http")
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0, ssl=tls)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        await server.wait_closed()
        # Whoever was left in the middle of an answer.
        for task in list(receiver.serving):
            task.cancel()
        await asyncio.gather(*receiver.serving, return_exceptions=True)


def standard_signature(secret: str, received: Received) -> str:
    """Sign what came as https://www.standardwebhooks.com describes, written from that text alone."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = (
        f"{received.headers['webhook-id']}.{received.headers['webhook-timestamp']}.".encode() + received.body
    )
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def plain_signature(secret: str, received: Received) -> str:
    """Sign what came as the guide describes the headers of the earlier system."""
    signed = received.headers["x-tollway-timestamp"].encode() + b"." + received.body
    return "sha256=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
