"""The centre of rate limits behind a Unix socket in the data folder: for several workers on one machine, without Redis.

One line of JSON is a batch of questions, one line the answers. Only the account that runs the product may connect.
"""

import asyncio
import contextlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tollway.admission.centre import (
    KEY_LENGTH_MAX,
    KINDS,
    NAMES,
    QUESTIONS_MAX,
    Answer,
    CentreGone,
    InProcessCentre,
    Question,
)
from tollway.admission.rate_file import RateFile
from tollway.kit.log import log
from tollway.kit.problems import Invalid

ANSWER_SECONDS_MAX = 1.0
LINE_BYTES_MAX = 1_000_000
SOCKET_NAME = "centre.sock"
# What the kernel takes for the path of a Unix socket.
PATH_BYTES_MAX = 107


class SocketPathTooLong(Invalid):
    """The data folder's path leaves no room for a socket; told to whoever starts the servers."""


def socket_path(folder: Path) -> Path:
    """Return where the centre of a data folder listens. Raises: SocketPathTooLong."""
    path = folder / SOCKET_NAME
    if len(bytes(path.absolute())) > PATH_BYTES_MAX:
        raise SocketPathTooLong(
            f"The path {path} is longer than the {PATH_BYTES_MAX} bytes that a Unix socket may have. "
            "Set TOLLWAY_DATA to a shorter one, or REDIS_URL."
        )
    return path


class SocketCentre:
    """A connection to the centre behind a socket; asked by one task at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, questions: Sequence[Question]) -> list[Answer]:
        """Answer questions in one round trip. Raises: CentreGone."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS_MAX):
                return await self._ask(questions)
        except (OSError, EOFError, TimeoutError, ValueError) as failure:
            self._disconnect()
            raise CentreGone(f"centre at {self._path}: {failure}") from failure
        except BaseException:
            # Cancelled between question and answer: the next one must not read this one's answer.
            self._disconnect()
            raise

    async def close(self) -> None:
        """Give the connection back."""
        self._disconnect()

    async def _ask(self, questions: Sequence[Question]) -> list[Answer]:
        if self._streams is None:
            self._streams = await asyncio.open_unix_connection(str(self._path), limit=LINE_BYTES_MAX)
        reader, writer = self._streams
        writer.write(_write([[NAMES[type(question)], *question] for question in questions]))
        line = await reader.readline()
        if not line.endswith(b"\n"):
            raise EOFError("it closed the connection")
        return [tuple(one) for one in json.loads(line)]

    def _disconnect(self) -> None:
        streams, self._streams = self._streams, None
        if streams is not None:
            streams[1].close()


class CentreServer:
    """The centre of one machine: counts for every worker that connects, and keeps what it counted at its end."""

    def __init__(self, folder: Path) -> None:
        self._path = socket_path(folder)
        self._file = RateFile(folder)
        self._centre = InProcessCentre()
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        """Listen. Raises: RatesInUse where another centre of this folder runs."""
        opened = self._file.open()
        self._centre = InProcessCentre(opened.levels, opened.slots, held_after_us=opened.held_after_us)
        # Left by one that was killed; nobody else listens there, for the file was free.
        self._path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._serve, str(self._path), limit=LINE_BYTES_MAX)
        self._path.chmod(0o600)

    async def close(self) -> None:
        """Answer nobody any more, then keep what was counted."""
        if self._server is not None:
            self._server.close()
        for writer in list(self._connections):
            writer.close()
        self._path.unlink(missing_ok=True)
        self._file.close(self._centre.levels, self._centre.slots)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(writer)
        try:
            while (line := await reader.readline()).endswith(b"\n"):
                writer.write(_write(self._centre.answer(read_questions(line))))
                await writer.drain()
        except ValueError as failure:
            log.error("a question to the centre of rate limits was not understood", reason=str(failure))
        except ConnectionError:
            # The worker is gone; what it held ends by itself.
            pass
        finally:
            self._connections.discard(writer)
            with contextlib.suppress(OSError):
                writer.close()


async def serve_centre(folder: Path, stop: asyncio.Event) -> None:
    """Be the centre of a data folder's workers until `stop` is set. Raises: RatesInUse, SocketPathTooLong."""
    server = CentreServer(folder)
    await server.start()
    try:
        await stop.wait()
    finally:
        await server.close()


def read_questions(line: bytes) -> list[Question]:
    """Read a line of questions. Raises: ValueError where it is none of ours."""
    document = json.loads(line)
    if not isinstance(document, list) or len(document) > QUESTIONS_MAX:
        raise ValueError(f"expected a list of {QUESTIONS_MAX} questions at most")
    return [_question(one) for one in document]


def _question(words: Any) -> Question:
    try:
        kind = KINDS[words[0]]
        question: Question = kind(*words[1:])
    except (KeyError, IndexError, TypeError) as failure:
        raise ValueError(f"{words!r:.100} is no question") from failure
    for name, value in question._asdict().items():
        fits = (
            isinstance(value, str) and len(value) <= KEY_LENGTH_MAX
            if name in ("key", "slot")
            else isinstance(value, int) and value > 0
        )
        if not fits:
            raise ValueError(f"{name}={value!r:.100} is outside its bounds")
    return question


def _write(document: Any) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode() + b"\n"
