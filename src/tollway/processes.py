"""The processes of one installation: the embedded database, the server, the worker; started and stopped together."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator

import uvicorn
from pydantic import SecretStr

from tollway.app import build_app, build_registry, open_parts
from tollway.kit.embedded import EmbeddedPostgres
from tollway.kit.jobs import run_worker
from tollway.kit.log import configure_logging, log
from tollway.settings import Settings

STOP_SECONDS_MAX = 1.5
READY_SECONDS_MAX = 30.0
RESTART_DELAY_SECONDS = 1.0
# Beside one job for each process that computes: mails, summaries, clean-up.
OTHER_JOBS_AT_ONCE_MAX = 6


class CannotStart(Exception):
    """The product cannot start; the message is one sentence for the person who started it."""


@contextlib.contextmanager
def connected(settings: Settings) -> Iterator[Settings]:
    """Give settings whose DATABASE_URL works: the configured one, or the embedded server's, stopped at the end."""
    if settings.database_url.get_secret_value():
        yield settings
        return
    server = EmbeddedPostgres(settings.tollway_data / "postgres")
    started = server.start()
    try:
        yield settings.model_copy(update={"database_url": SecretStr(server.url)})
    finally:
        if started:
            server.stop()


class _Server(uvicorn.Server):
    """A server that tells open event streams to end when it is asked to stop."""

    def __init__(self, config: uvicorn.Config, stopping: asyncio.Event) -> None:
        super().__init__(config)
        self._stopping = stopping

    def handle_exit(self, sig: int, frame: object) -> None:
        """Stop taking requests and end streams."""
        self._stopping.set()
        super().handle_exit(sig, frame)  # type: ignore[arg-type]  # the frame is only passed on


def serve(settings: Settings, *, exit_with_parent: bool = False) -> None:
    """Serve HTTP until SIGTERM or SIGINT."""
    configure_logging(settings.log_level, as_json=settings.production)

    async def run() -> None:
        parts = await open_parts(settings)
        config = uvicorn.Config(
            build_app(parts),
            host=settings.host,
            port=settings.port,
            loop="uvloop",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=1,
        )
        server = _Server(config, parts.stopping)
        if exit_with_parent:
            _when_parent_ends(lambda: os.kill(os.getpid(), signal.SIGTERM))
        try:
            await server.serve()
        finally:
            await parts.close()

    import uvloop

    uvloop.run(run())


def work(settings: Settings, *, exit_with_parent: bool = False) -> None:
    """Run background jobs until SIGTERM or SIGINT; what is cut off is taken up again by the next worker."""
    configure_logging(settings.log_level, as_json=settings.production)

    async def run() -> None:
        parts = await open_parts(settings)
        registry = build_registry(parts)
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, parts.stopping.set)
        if exit_with_parent:
            _when_parent_ends(lambda: loop.call_soon_threadsafe(parts.stopping.set))
        log.info("worker started", jobs=sorted(registry.runners))
        try:
            await run_worker(
                parts.database,
                registry,
                parts.stopping,
                at_once_max=parts.processes.process_count + OTHER_JOBS_AT_ONCE_MAX,
            )
        finally:
            await parts.close()

    asyncio.run(run())


def _when_parent_ends(act: Callable[[], object]) -> None:
    """Call `act` when the process at the other end of standard input is gone, however it went."""
    stdin = sys.stdin.fileno()

    def watch() -> None:
        # The bare descriptor: a reader of its buffer would hold a lock that the interpreter's end needs.
        while os.read(stdin, 1):
            pass
        act()

    threading.Thread(target=watch, daemon=True, name="parent watch").start()


def assert_port_free(host: str, port: int) -> None:
    """Raise CannotStart where something already listens."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except PermissionError as failure:
            raise CannotStart(
                f"Port {port} needs privileges; choose one above 1023: PORT=6789 make run."
            ) from failure
        except OSError as failure:
            raise CannotStart(
                f"Port {port} is in use. Stop what uses it, or choose another: PORT={port + 1} make run."
            ) from failure


class Installation:
    """The server and the worker of one installation as child processes."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        """Start both and wait until the server answers; raises CannotStart."""
        for command in ("serve", "work"):
            self._spawn(command)
        deadline = time.monotonic() + READY_SECONDS_MAX
        url = f"http://{self.settings.host}:{self.settings.port}/monitoring/health"
        while time.monotonic() < deadline:
            status = self._children["serve"].poll()
            if status is not None:
                raise CannotStart(f"The server ended at once with status {status}; its reason stands above.")
            try:
                urllib.request.urlopen(url, timeout=2).close()
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                time.sleep(0.05)
            else:
                return
        raise CannotStart(f"The server did not answer within {READY_SECONDS_MAX:.0f} seconds.")

    def watch(self, stop: threading.Event) -> None:
        """Start again whatever ends by itself, until `stop` is set."""
        while not stop.wait(RESTART_DELAY_SECONDS):
            for command, child in list(self._children.items()):
                if child.poll() is not None and not stop.is_set():
                    log.error("process ended, starting it again", process=command, status=child.returncode)
                    self._spawn(command)

    def stop(self) -> None:
        """End both in order; what does not end in time is killed."""
        for child in self._children.values():
            with contextlib.suppress(ProcessLookupError):
                child.terminate()
        deadline = time.monotonic() + STOP_SECONDS_MAX
        for child in self._children.values():
            try:
                child.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()

    def _spawn(self, command: str) -> None:
        url = self.settings.database_url.get_secret_value()
        self._children[command] = subprocess.Popen(
            [sys.executable, "-m", "tollway", command, "--exit-with-parent"],
            # Nothing is ever written: its end tells the child that we are gone.
            stdin=subprocess.PIPE,
            # The console belongs to the banner and the links of mails; LOG_LEVEL brings the requests back.
            env={"LOG_LEVEL": "warning"} | os.environ | {"DATABASE_URL": url},
            # Ctrl-C in the terminal reaches us alone; we stop the children in order.
            start_new_session=True,
        )
