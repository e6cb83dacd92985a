"""The processes of one installation: the embedded database, servers, worker, shipper, and the centre of rate limits
where several servers share one; started, watched and stopped together.
"""

import asyncio
import contextlib
import gc
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

import uvicorn
from pydantic import SecretStr

from tollway.kit.counters import ProcessCounters
from tollway.kit.embedded import EmbeddedPostgres
from tollway.kit.log import configure_logging, log
from tollway.kit.scratch import scratch_folder
from tollway.settings import Settings

STOP_SECONDS_MAX = 1.5
READY_SECONDS_MAX = 30.0
RESTART_DELAY_SECONDS = 1.0
# How long the thread that flushes the journal waits at most for one that serves without a pause; Python says 5 ms.
SWITCH_SECONDS = 0.001
# Beside one job for each shard that is computed: eight deliveries of webhooks, mails, summaries, clean-up.
OTHER_JOBS_AT_ONCE_MAX = 14
LISTEN_BACKLOG = 2_048
# Without these nobody is served; whatever else ends at once is only started again.
NEEDED_COMMANDS = frozenset({"serve", "centre"})


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


def serve(settings: Settings, *, exit_with_parent: bool = False, listener: int | None = None) -> None:
    """Serve HTTP until SIGTERM or SIGINT.

    Args:
        listener: the descriptor of a socket that already listens, which several servers may share.
    """
    # Late, like all that only some processes need: one that was killed is back the sooner.
    with _for_good():
        from tollway.app import build_app, open_parts

    configure_logging(settings.log_level, as_json=settings.production)
    sys.setswitchinterval(SWITCH_SECONDS)
    sockets = None if listener is None else [socket.socket(fileno=listener)]

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
            await parts.gatehouse.start()
            await server.serve(sockets=sockets)
        finally:
            await parts.close()

    import uvloop

    with scratch_folder(settings.scratch_folder):
        uvloop.run(run())


def work(settings: Settings, *, exit_with_parent: bool = False) -> None:
    """Run background jobs until SIGTERM or SIGINT; what is cut off is taken up again by the next worker."""
    with _for_good():
        from tollway.app import build_registry, open_parts
        from tollway.kit.jobs import run_worker

    configure_logging(settings.log_level, as_json=settings.production)

    async def run() -> None:
        parts = await open_parts(settings)
        counters = ProcessCounters.take(settings.counters_folder, "worker")
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
                at_once_max=parts.workers.shards_at_once_max + OTHER_JOBS_AT_ONCE_MAX,
            )
        finally:
            counters.close()
            await parts.close()

    with scratch_folder(settings.scratch_folder):
        asyncio.run(run())


def be_centre(settings: Settings, *, exit_with_parent: bool = False) -> None:
    """Count rate limits for the servers of this machine until SIGTERM or SIGINT."""
    from tollway.admission.role_flows import run_centre

    _run_until_stopped(
        settings,
        "centre",
        lambda stop: run_centre(settings.tollway_data, stop),
        exit_with_parent=exit_with_parent,
    )


def ship(settings: Settings, *, exit_with_parent: bool = False) -> None:
    """Carry the usage of this machine's servers to PostgreSQL until SIGTERM or SIGINT."""
    from tollway.admission.role_flows import run_shipper
    from tollway.kit.db import Database

    async def run(stop: asyncio.Event) -> None:
        database = Database(settings.database_url.get_secret_value())
        await database.open()
        try:
            await run_shipper(database, settings.journal_folder, stop)
        finally:
            await database.close()

    _run_until_stopped(settings, "shipper", run, exit_with_parent=exit_with_parent)


@contextlib.contextmanager
def _for_good() -> Iterator[None]:
    """Import what stays to the end of the process, and spare the collector of garbage from looking at it ever."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _run_until_stopped(
    settings: Settings, role: str, run: Callable[[asyncio.Event], Awaitable[None]], *, exit_with_parent: bool
) -> None:
    configure_logging(settings.log_level, as_json=settings.production)

    async def until_stopped() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, stop.set)
        if exit_with_parent:
            _when_parent_ends(lambda: loop.call_soon_threadsafe(stop.set))
        counters = ProcessCounters.take(settings.counters_folder, role)
        try:
            await run(stop)
        finally:
            counters.close()

    asyncio.run(until_stopped())


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


def open_listener(host: str, port: int) -> socket.socket:
    """Listen on a port; raises CannotStart. Connections wait there while a server is started again."""
    assert_port_free(host, port)
    listener = socket.create_server((host, port), backlog=LISTEN_BACKLOG)
    listener.set_inheritable(True)
    return listener


@dataclass(frozen=True, slots=True)
class Role:
    """One of the processes: its name in the log, and the command that it runs."""

    name: str
    command: str


def server_roles(settings: Settings) -> tuple[Role, ...]:
    """Return the processes that answer calls: the servers, and what they share where they are several."""
    count = settings.server_processes
    servers = [Role("serve" if count == 1 else f"serve {number}", "serve") for number in range(1, count + 1)]
    shares = count > 1 and not settings.redis_url.get_secret_value()
    return (*([Role("centre", "centre")] if shares else []), *servers)


def all_roles(settings: Settings) -> tuple[Role, ...]:
    """Return every process of an installation on one machine."""
    return (*server_roles(settings), Role("work", "work"), Role("ship", "ship"))


class Installation:
    """Processes of one installation as children of this one.

    Args:
        roles: which of them.
        quiet: whether the console belongs to somebody else; LOG_LEVEL brings the requests back.
    """

    def __init__(self, settings: Settings, roles: tuple[Role, ...], *, quiet: bool) -> None:
        self.settings = settings
        self._roles = roles
        self._quiet = quiet
        self._children: dict[Role, subprocess.Popen[bytes]] = {}
        self._listener: socket.socket | None = None

    def start(self) -> None:
        """Start all and wait until a server answers; raises CannotStart."""
        self._listener = open_listener(self.settings.host, self.settings.port)
        for role in self._roles:
            self._spawn(role)
        deadline = time.monotonic() + READY_SECONDS_MAX
        url = f"http://{self.settings.host}:{self.settings.port}/monitoring/health"
        while time.monotonic() < deadline:
            for role, child in self._children.items():
                if role.command in NEEDED_COMMANDS and child.poll() is not None:
                    raise CannotStart(
                        f"The process `{role.name}` ended at once with status {child.returncode}; its reason stands "
                        "above."
                    )
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
            for role, child in list(self._children.items()):
                if child.poll() is not None and not stop.is_set():
                    log.error("process ended, starting it again", process=role.name, status=child.returncode)
                    self._spawn(role)

    def stop(self) -> None:
        """End all in order; what does not end in time is killed."""
        if self._listener is not None:
            # Nobody waits for an answer that cannot come.
            self._listener.close()
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

    def _spawn(self, role: Role) -> None:
        url = self.settings.database_url.get_secret_value()
        listener = self._listener.fileno() if self._listener is not None and role.command == "serve" else None
        self._children[role] = subprocess.Popen(
            [sys.executable, "-m", "tollway", role.command, "--exit-with-parent"]
            + ([] if listener is None else ["--listener", str(listener)]),
            pass_fds=() if listener is None else (listener,),
            # Nothing is ever written: its end tells the child that we are gone.
            stdin=subprocess.PIPE,
            env=({"LOG_LEVEL": "warning"} if self._quiet else {}) | os.environ | {"DATABASE_URL": url},
            # Ctrl-C in the terminal reaches us alone; we stop the children in order.
            start_new_session=True,
        )
