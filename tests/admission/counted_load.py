"""Clients that call a server without pause, each call under an id of its own, and remember what they received whole."""

import asyncio
import json
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random

from tests.admission.conftest import PREFIX
from tests.parties import Party

ANSWER_SECONDS_MAX = 25.0
# So that servers which were started again get calls, too.
CALLS_PER_CONNECTION_MAX = 60
# How long a client waits that found nobody, or whose call was refused.
PAUSE_SECONDS = 0.01
CHECKS, THINGS = f"{PREFIX}/checks", f"{PREFIX}/things"
SERVED = {CHECKS: 200, THINGS: 201}
# Longer than one record of the journal holds.
LONG_SUFFIX = "-" + "x" * 44


@dataclass(slots=True)
class Sent:
    """One call; `status` is 0 where its answer did not come whole."""

    holder: str
    path: str
    sent_ns: int
    done_ns: int = 0
    status: int = 0
    code: str = ""

    @property
    def is_served(self) -> bool:
        return self.status == SERVED[self.path]


@dataclass
class Load:
    """Calls of several customers, by names that the test gives them."""

    port: int
    chance: Random
    pause_seconds: float
    sent: dict[str, Sent] = field(default_factory=dict)
    _clients: list[asyncio.Task[None]] = field(default_factory=list)
    _is_over: bool = False
    _served: dict[str, int] = field(default_factory=dict)
    _change: asyncio.Condition = field(default_factory=asyncio.Condition)

    def start(self, holder: str, party: Party, *, clients: int) -> None:
        """Let a customer's clients begin."""
        self._served[holder] = 0
        for _ in range(clients):
            self._clients.append(asyncio.create_task(self._call_on(holder, party.secret)))

    async def served_more(self, holder: str, count: int) -> None:
        """Wait until so many more calls of a customer were served."""
        goal = self._served[holder] + count
        async with self._change:
            await self._change.wait_for(lambda: self._served[holder] >= goal or self._is_broken())
        assert not self._is_broken()

    async def finish(self) -> None:
        """Let every client end after its call."""
        self._is_over = True
        await asyncio.gather(*self._clients)

    def cancel(self) -> None:
        for client in self._clients:
            client.cancel()

    def with_status(self, *statuses: int) -> dict[str, Sent]:
        return {name: one for name, one in self.sent.items() if one.status in statuses}

    def served(self) -> dict[str, Sent]:
        return {name: one for name, one in self.sent.items() if one.is_served}

    def _is_broken(self) -> bool:
        """Whether a client ended although nobody told it to, which only a fault of the test does."""
        return not self._is_over and any(client.done() for client in self._clients)

    async def _call_on(self, holder: str, secret: str) -> None:
        while not self._is_over:
            try:
                async with asyncio.timeout(ANSWER_SECONDS_MAX):
                    reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            except (OSError, TimeoutError):
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            try:
                for _ in range(self.chance.randint(1, CALLS_PER_CONNECTION_MAX)):
                    await self._call(reader, writer, holder, secret)
                    if self._is_over:
                        break
            except (OSError, TimeoutError, asyncio.IncompleteReadError):
                # Cut off: what came of the call is not known here.
                await asyncio.sleep(PAUSE_SECONDS)
            finally:
                writer.close()

    async def _call(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, holder: str, secret: str
    ) -> None:
        number = len(self.sent)
        name = f"call_{number:08d}" + (LONG_SUFFIX if number % 5 == 0 else "")
        path = THINGS if number % 4 == 0 else CHECKS
        one = self.sent[name] = Sent(holder, path, time.monotonic_ns())
        body = json.dumps({"name": name}).encode()
        head = (
            f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {secret}\r\nX-Trace-ID: {name}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        try:
            async with asyncio.timeout(ANSWER_SECONDS_MAX):
                writer.write(head.encode() + body)
                status, headers, content = await _answer(reader)
        finally:
            # One that was cut off came to its end before this, too.
            one.done_ns = time.monotonic_ns()
        assert headers["x-trace-id"] == name
        document = json.loads(content)
        if status == SERVED[path]:
            assert document["name"] == name
        else:
            one.code = document["code"]
        one.status = status
        if one.is_served:
            self._served[holder] += 1
            async with self._change:
                self._change.notify_all()
        await asyncio.sleep(self.pause_seconds if one.is_served else max(PAUSE_SECONDS, self.pause_seconds))


async def _answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    """Read one answer whole."""
    lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    return int(lines[0].split()[1]), headers, await reader.readexactly(int(headers["content-length"]))


def fullest_window(calls: Iterable[Sent], count: int, seconds: int, starts_max: int = 2_000) -> float:
    """How many calls were surely let in within the worst window, beyond those that come in while it lasts.

    A call was let in after it was sent and before its client was done with it; so those of which both lie in a window
    were let in within it.
    """
    ordered = sorted(calls, key=lambda one: one.sent_ns)
    worst = 0.0
    step = max(1, len(ordered) // starts_max)
    for place in range(0, len(ordered), step):
        start_ns = ordered[place].sent_ns
        ends = sorted(one.done_ns for one in ordered[place:])
        for held, end_ns in enumerate(ends, 1):
            worst = max(worst, held - (end_ns - start_ns) * count / (seconds * 1e9))
    return worst
