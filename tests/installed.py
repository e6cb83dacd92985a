"""The product as `make run` starts it, for tests that interrupt and kill it."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg

from tollway.kit.embedded import EmbeddedPostgres

WAIT_SECONDS_MAX = 180.0
# Three seconds are promised on a machine of its own; tests share theirs.
STOP_SECONDS_MAX = 12.0


@dataclass
class Installed:
    """`tollway demo` in a data folder of its own; what it prints is kept."""

    folder: Path
    port: int
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[str] | None = None
    printed: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        base = {
            name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "ENVIRONMENT")
        }
        self.printed.clear()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tollway", "demo"],
            env=base | {"TOLLWAY_DATA": str(self.folder), "PORT": str(self.port)} | self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        threading.Thread(target=self._read, args=[self.process], daemon=True).start()

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with process.stdout as lines:
            self.printed.extend(lines)

    @property
    def output(self) -> str:
        return "".join(self.printed)

    def wait_ready(self) -> None:
        wait_until(lambda: "Ctrl-C stops" in self.output or self._ended(), lambda: self.output)
        assert not self._ended(), self.output

    def _ended(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    def wait_end(self) -> int:
        assert self.process is not None
        return self.process.wait(WAIT_SECONDS_MAX)

    def interrupt(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(STOP_SECONDS_MAX)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def api_key(self) -> str:
        found = re.search(r"Test key\s+(mc_test_\w+)", self.output)
        assert found, self.output
        return found.group(1)

    def children(self) -> dict[str, int]:
        """The process ids by their command; of several servers `serve`, `serve 2` and so on."""
        assert self.process is not None
        listed = subprocess.run(
            ["ps", "-o", "pid=,args=", "--ppid", str(self.process.pid)],
            capture_output=True,
            text=True,
            check=True,
        )
        found = re.findall(r"^\s*(\d+) .* -m tollway (serve|work|ship|centre)", listed.stdout, re.MULTILINE)
        children: dict[str, int] = {}
        for process_id, command in found:
            taken = sum(name.split()[0] == command for name in children)
            children[f"{command} {taken + 1}" if taken else command] = int(process_id)
        return children

    def client(self) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.api_key()}"}
        return httpx.Client(base_url=f"{self.url}/monte-carlo-api", headers=headers, timeout=30)

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(EmbeddedPostgres(self.folder / "postgres").url, autocommit=True) as connection:
            cursor = connection.execute(statement)  # type: ignore[call-overload]  # a test's own text
            return list(cursor) if cursor.description else []


def wait_until(condition: Callable[[], bool], told: Callable[[], str]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while not condition():
        assert time.monotonic() < deadline, told()
        time.sleep(0.05)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
