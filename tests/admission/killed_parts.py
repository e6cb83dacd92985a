"""Parts that are killed again and again, and start again by themselves: servers, a shipper, PostgreSQL and Redis."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Protocol

import psycopg
from tests.installed import WAIT_SECONDS_MAX, free_port
from tests.redis import RedisServer

from tollway.kit.embedded import EmbeddedPostgres, EmbeddedPostgresFailed
from tollway.kit.migrations import migrate

LOOK_SECONDS = 0.02
# Small, so that journals go on to their next file while everything is killed.
SEGMENT_RECORDS = 1_000


class Part(Protocol):
    """Something that runs, by itself or as several processes."""

    def start(self) -> None: ...
    def is_running(self) -> bool: ...
    def kill(self) -> None: ...
    def stop(self) -> None: ...


@dataclass
class Program:
    """A process of ours; what it says goes to a file."""

    command: list[str]
    log: Path
    environment: dict[str, str] = field(default_factory=dict)
    descriptors: tuple[int, ...] = ()
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        if self.process is not None:
            # It ended by itself, as one does that finds no database.
            self._wait()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *self.command],
                env=os.environ | self.environment,
                pass_fds=self.descriptors,
                # Its end tells a program that the test is gone, however that went.
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
            )

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self._wait()

    def stop(self) -> None:
        """As the product is stopped: asked to, and waited for."""
        assert self.process is not None
        self.process.terminate()
        self._wait()

    def _wait(self) -> None:
        assert self.process is not None
        self.process.wait(WAIT_SECONDS_MAX)
        assert self.process.stdin is not None
        self.process.stdin.close()


class Postgres:
    """A server that keeps what it committed, killed as a power cut would, or its first process alone."""

    def __init__(self, folder: Path, chance: Random) -> None:
        self._server = EmbeddedPostgres(folder)
        self._chance = chance
        self._is_up = False

    @property
    def url(self) -> str:
        return self._server.url

    def start(self) -> None:
        # What is left of a killed one, as far as we hold it.
        self._server.stop()
        self._server.start()
        self._is_up = True

    def is_running(self) -> bool:
        return self._is_up

    def kill(self) -> None:
        first = int((self._server.cluster / "postmaster.pid").read_text().split("\n", 1)[0])
        listed = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(first)], capture_output=True, text=True, check=False
        )
        others = [int(word) for word in listed.stdout.split()] if self._chance.random() < 0.5 else []
        for process_id in (first, *others):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process_id, signal.SIGKILL)
        self._is_up = False

    def stop(self) -> None:
        self._server.stop()
        self._is_up = False


class Redis:
    """A centre that loses everything when it is killed."""

    def __init__(self, folder: Path) -> None:
        self._server = RedisServer(folder, port=free_port())
        self._is_up = False

    @property
    def url(self) -> str:
        return self._server.url

    def start(self) -> None:
        self._server.start()
        self._is_up = True

    def is_running(self) -> bool:
        return self._is_up

    def kill(self) -> None:
        self._server.kill()
        self._is_up = False

    def stop(self) -> None:
        self.kill()


class Kept:
    """A part that somebody starts again whenever it is gone."""

    def __init__(self, name: str, part: Part) -> None:
        self.name = name
        self.part = part
        self.kills = 0
        self._change = threading.Condition()
        self._ending = threading.Event()
        if not part.is_running():
            part.start()
        self._thread = threading.Thread(target=self._keep, name=f"keeps {name}")
        self._thread.start()

    def kill(self) -> None:
        """Kill it as soon as it runs, be it ready or on its way."""
        with self._change:
            assert self._change.wait_for(self.part.is_running, WAIT_SECONDS_MAX), (
                f"{self.name} does not start"
            )
            self.part.kill()
            self.kills += 1

    def leave(self) -> None:
        """Start it no more."""
        self._ending.set()
        self._thread.join()

    def stop(self) -> None:
        self.leave()
        if self.part.is_running():
            self.part.stop()

    def _keep(self) -> None:
        while not self._ending.wait(LOOK_SECONDS):
            with self._change:
                if self.part.is_running():
                    continue
                # Processes of a killed PostgreSQL may be there for a moment, and then it does not start.
                with contextlib.suppress(EmbeddedPostgresFailed):
                    self.part.start()
                    self._change.notify_all()


@dataclass
class Installation:
    """Everything that answers calls and counts them, on one machine."""

    folder: Path
    listener: socket.socket
    postgres: Kept
    redis: Kept
    database_url: str
    redis_url: str
    servers: list[Kept] = field(default_factory=list)
    shipper: Kept | None = None

    @property
    def journals(self) -> Path:
        return self.folder / "journal"

    @property
    def port(self) -> int:
        return int(self.listener.getsockname()[1])

    @property
    def others(self) -> list[Kept]:
        """Everything but the servers."""
        assert self.shipper is not None, "it serves"
        return [self.shipper, self.postgres, self.redis]

    def serve(self, *, servers: int) -> None:
        """Start the servers and the shipper."""
        order = {
            "database_url": self.database_url,
            "redis_url": self.redis_url,
            "journals": str(self.journals),
            "segment_records": SEGMENT_RECORDS,
            "listener": self.listener.fileno(),
        }
        for number in range(1, servers + 1):
            command = ["tests.admission.product_server", json.dumps(order)]
            program = Program(
                command, self.folder / f"server-{number}.log", descriptors=(self.listener.fileno(),)
            )
            self.servers.append(Kept(f"server {number}", program))
        environment = {
            "DATABASE_URL": self.database_url,
            "TOLLWAY_DATA": str(self.folder),
            "LOG_LEVEL": "warning",
        }
        shipper = Program(["tollway", "ship", "--exit-with-parent"], self.folder / "shipper.log", environment)
        self.shipper = Kept("shipper", shipper)

    def told(self) -> str:
        """What the processes said last, for a test that failed."""
        return "\n".join(
            f"{path.name}: {path.read_text(errors='replace')[-2_000:]}"
            for path in sorted(self.folder.glob("*.log"))
        )

    def close(self) -> None:
        """End what runs; the database last, because the others speak to it."""
        for part in [*self.servers, *([self.shipper] if self.shipper else [])]:
            part.leave()
            if part.part.is_running():
                part.part.kill()
        self.redis.stop()
        self.postgres.stop()
        self.listener.close()


@contextlib.contextmanager
def installed(chance: Random) -> Iterator[Installation]:
    """An installation without customers, whose database survives its own end; gone afterwards."""
    # Not pytest's own folder: the database's account must be able to enter every parent.
    folder = Path(tempfile.mkdtemp(prefix="tollway-kills-"))
    folder.chmod(0o711)
    postgres = Postgres(folder / "postgres", chance)
    redis = Redis(folder)
    made = None
    try:
        postgres.start()
        migrate(postgres.url)
        with psycopg.connect(postgres.url, autocommit=True) as connection:
            connection.execute(
                "CREATE TABLE things (id bigint GENERATED ALWAYS AS IDENTITY, name text, customer_id bigint)"
            )
        listener = socket.create_server(("127.0.0.1", 0), backlog=1_024)
        listener.set_inheritable(True)
        made = Installation(
            folder, listener, Kept("postgres", postgres), Kept("redis", redis), postgres.url, redis.url
        )
        yield made
    finally:
        if made is not None:
            made.close()
        shutil.rmtree(folder, ignore_errors=True)
