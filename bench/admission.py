"""What admission and its journal cost a call, beside what one would put in front of an API instead.

    python bench/admission.py [--quick] [--json] [--ours]

Every contender answers the same hundred bytes, one after the other in rounds, on core 0; on core 1 are wrk with 48
kept connections and whatever a contender needs: Redis, PostgreSQL, LiteLLM's upstream. Only the server's own CPU is
counted, as /proc tells it, and while one is measured the others are halted.

    bare        a raw ASGI endpoint on uvicorn (uvloop, httptools, no access log)
    headers     bare with five constant headers: what it costs in uvicorn alone to tell a limit
    admission   with the product's admission: the key looked up, a limit a minute, a unit of quota, headers
    journal     and with the journal, which is flushed every 10 ms and keeps every call: this is what is promised
    shared      and with limits leased from Redis, as several processes share them
    limits      bare with the library `limits`: a fixed window in Redis, one hit a call
    redis-py    bare with GCRA in Redis, one EVALSHA a call
    nginx       nginx with Lua, one EVALSHA a call
    litellm     LiteLLM's proxy, a pass-through to a trivial server; its key checked in memory

The peers keep no record of a call and tell no limit. `make bench` installs them beside the product
(bench/requirements.lock); `--ours` leaves them out.
"""

import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tollway.kit.embedded import EmbeddedPostgres
from tollway.kit.log import configure_logging
from tollway.kit.migrations import migrate

sys.path.insert(0, str(Path(__file__).parents[1]))
installed: Any = import_module("tests.installed")
redis_servers: Any = import_module("tests.redis")
sys.path.insert(0, str(Path(__file__).with_name("servers")))
servers_endpoint: Any = import_module("endpoint")

SERVERS = Path(__file__).with_name("servers")
PEERS_PYTHON = Path(__file__).parents[1] / ".venv-bench/bin/python"
PATH = "/monte-carlo-api/checks"
CORE_OF_SERVER, CORE_OF_LOAD = 0, 1
CONNECTIONS = 48
ROUNDS, SECONDS = 7, 3
READY_SECONDS_MAX = 90.0
STOP_SECONDS_MAX = 10.0
LITELLM_KEY = "sk-bench"
# It asks for no list of prices on the network, and for no master key beside the one that is checked.
LITELLM_ENVIRONMENT = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_LOG": "ERROR",
    "LITELLM_MASTER_KEY": "sk-of-nobody-who-calls-the-bench-0123456789abcdef",
}
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")

COST_MAX_US, SHARE_MIN, REDIS_PY_MIN, LITELLM_MIN = 4.2, 0.80, 3.0, 100.0

OURS = ("bare", "headers", "admission", "journal", "shared")
PEERS = ("limits", "redis-py", "nginx", "litellm")
INSTALL_PEERS = "make bench"
INSTALL_NGINX = "apt-get install -y nginx libnginx-mod-http-lua lua-resty-core"
INSTALL_WRK = "apt-get install -y wrk"
NGINX_MODULE = Path("/usr/lib/nginx/modules/ngx_http_lua_module.so")


@dataclass(frozen=True)
class Contender:
    """A server that runs, and how it is called."""

    name: str
    process: subprocess.Popen[bytes]
    url: str
    key: str


@dataclass(frozen=True)
class Round:
    """What one contender did in one round."""

    calls_per_second: float
    cpu_us: float
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True)
class Figures:
    """The medians of a contender's rounds; those beside bare are medians of the ratios within each round."""

    name: str
    calls_per_second: float
    cpu_us: float
    p50_ms: float
    p99_ms: float
    share_of_bare: float
    cpu_us_above_bare: float


@dataclass(frozen=True)
class Target:
    """What was promised, and what came of it; None where the peer is absent."""

    text: str
    measured: str
    reached: bool | None


def main() -> None:
    """Measure, and print a table or JSON; fails where a target is missed."""
    configure_logging("error", as_json=False)
    if shutil.which("wrk") is None:
        raise SystemExit(f"The load comes from wrk, which is not here: {INSTALL_WRK}")
    # Whatever is started from here is on the load's core, unless it is a contender.
    os.sched_setaffinity(0, {CORE_OF_LOAD})
    rounds, seconds = (3, 2) if "--quick" in sys.argv else (ROUNDS, SECONDS)
    with contextlib.ExitStack() as stack:
        contenders = start_all(stack)
        absent = absences()
        load = os.getloadavg()[0]
        found = measure(contenders, rounds, seconds)
    targets = targets_of(found)
    show(list(found.values()), targets, absent, load)
    if any(target.reached is False for target in targets):
        raise SystemExit("A target was missed.")


# What runs -----------------------------------------------------------------------------------------


def absences() -> dict[str, str]:
    """Name the peers that cannot be had here, and the commands that get them."""
    if "--ours" in sys.argv:
        return dict.fromkeys(PEERS, "a run without --ours")
    absent = {} if PEERS_PYTHON.exists() else dict.fromkeys(set(PEERS) - {"nginx"}, INSTALL_PEERS)
    return absent if NGINX_MODULE.exists() else absent | {"nginx": INSTALL_NGINX}


def start_all(stack: contextlib.ExitStack) -> list[Contender]:
    """Start every contender that is here, and what they need; all of it ends with the stack."""
    folder = Path(tempfile.mkdtemp(prefix="tollway-bench-"))
    stack.callback(shutil.rmtree, folder)
    folder.chmod(0o711)
    database = EmbeddedPostgres(folder / "postgres")
    database.start()
    stack.callback(database.stop)
    migrate(database.url)
    redis = stack.enter_context(redis_servers.running_redis())
    absent = absences()
    contenders = []
    for name in OURS:
        (folder / name).mkdir()
        places = (database.url, str(folder / name), redis.url)
        contenders.append(stack.enter_context(running(name, ours(name, *places))))
    for name in {"limits", "redis-py"} - absent.keys():
        command = [str(PEERS_PYTHON), str(SERVERS / "throttled.py"), name, "PORT", str(redis.port)]
        contenders.append(stack.enter_context(running(name, command)))
    if "nginx" not in absent:
        contenders.append(stack.enter_context(running_nginx(folder / "nginx", redis)))
    if "litellm" not in absent:
        command = ours("bare", database.url, str(folder), redis.url)
        upstream = stack.enter_context(running("upstream", command, core=CORE_OF_LOAD))
        contenders.append(stack.enter_context(running_litellm(folder / "litellm", upstream)))
    return contenders


def ours(name: str, *places: str) -> list[str]:
    """Say how one of our own contenders is started."""
    return [sys.executable, str(SERVERS / "admitted.py"), name, "PORT", *places]


@contextlib.contextmanager
def running(
    name: str,
    command: list[str],
    *,
    key: str = "",
    core: int = CORE_OF_SERVER,
    configuration: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Contender]:
    """Start a server on a port of its own; it can be called, and is gone afterwards.

    Args:
        command: with PORT in the place of the port, as in the configuration.
        key: to call it with; without one it prints its key itself.
    """
    port = str(installed.free_port())
    if configuration is not None:
        configuration.write_text(configuration.read_text().replace("@PORT@", port))
    process = subprocess.Popen(
        ["taskset", "-c", str(core), *(port if part == "PORT" else part for part in command)],
        stdout=subprocess.DEVNULL if key else subprocess.PIPE,
        stderr=subprocess.DEVNULL if key else None,
        env=os.environ | (environment or {}),
    )
    try:
        if process.stdout is not None:
            key = process.stdout.readline().decode().strip()
        contender = Contender(name, process, f"http://127.0.0.1:{port}{PATH}", key)
        wait_until_ready(contender)
        yield contender
    finally:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        try:
            process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def running_nginx(folder: Path, redis: Any) -> Iterator[Contender]:
    """Start nginx with a configuration of its own."""
    script, body = (SERVERS / "gcra.lua").read_bytes(), servers_endpoint.BODY
    with redis.connect() as connection:
        connection.script_load(script)
    sha = hashlib.sha1(script, usedforsecurity=False).hexdigest()
    values = {
        "FOLDER": folder,
        "REDIS_PORT": redis.port,
        "SHA": sha,
        "BODY": body.decode(),
        "LENGTH": len(body),
    }
    configuration = configured(folder, "nginx.conf", values)
    command = ["nginx", "-p", str(folder), "-c", str(configuration), "-e", "stderr"]
    with running("nginx", command, key="none", configuration=configuration) as contender:
        yield contender


@contextlib.contextmanager
def running_litellm(folder: Path, upstream: Contender) -> Iterator[Contender]:
    """Start LiteLLM's proxy, which asks nobody outside this machine."""
    configuration = configured(folder, "litellm.yaml", {"UPSTREAM": upstream.url})
    shutil.copy(SERVERS / "litellm_key.py", folder)
    command = [str(PEERS_PYTHON.with_name("litellm")), "--config", str(configuration)]
    command += ["--host", "127.0.0.1", "--port", "PORT", "--num_workers", "1"]
    with running("litellm", command, key=LITELLM_KEY, environment=LITELLM_ENVIRONMENT) as contender:
        yield contender


def configured(folder: Path, name: str, values: Mapping[str, object]) -> Path:
    """Fill a configuration in, in a folder of its own."""
    folder.mkdir()
    text = (SERVERS / name).read_text()
    for key, value in values.items():
        text = text.replace(f"@{key}@", str(value))
    (folder / name).write_text(text)
    return folder / name


def wait_until_ready(contender: Contender) -> None:
    """Wait for the first call that is answered as all others will be."""
    deadline = time.monotonic() + READY_SECONDS_MAX
    request = urllib.request.Request(contender.url, headers={"Authorization": f"Bearer {contender.key}"})
    while True:
        try:
            with urllib.request.urlopen(request, timeout=READY_SECONDS_MAX) as answer:
                assert answer.read() == servers_endpoint.BODY, f"{contender.name} answers something else"
                return
        except urllib.error.HTTPError as refused:
            raise SystemExit(f"{contender.name} refuses: {refused.read().decode()}") from refused
        except OSError:
            if contender.process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{contender.name} does not answer.") from None
            time.sleep(0.05)


# The rounds ----------------------------------------------------------------------------------------


def measure(contenders: list[Contender], rounds: int, seconds: int) -> dict[str, Figures]:
    """Let each contender be called in turn, so that noise of the machine hits all alike."""
    for contender in contenders:
        call(contender, 1)
        contender.process.send_signal(signal.SIGSTOP)
    measured: dict[str, list[Round]] = {contender.name: [] for contender in contenders}
    for _ in range(rounds):
        for contender in contenders:
            contender.process.send_signal(signal.SIGCONT)
            measured[contender.name].append(call(contender, seconds))
            contender.process.send_signal(signal.SIGSTOP)
    return {name: figures_of(name, mine, measured["bare"]) for name, mine in measured.items()}


def call(contender: Contender, seconds: int) -> Round:
    """Send as many calls as are answered."""
    wrk = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "30s", "--latency"]
    began = cpu_seconds(contender.process.pid)
    answer = subprocess.run(
        [*wrk, "-H", f"Authorization: Bearer {contender.key}", contender.url],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    spent = cpu_seconds(contender.process.pid) - began
    if "Non-2xx" in answer or "Socket errors" in answer:
        raise SystemExit(f"{contender.name} did not answer every call:\n{answer}")
    calls = int(found_in(answer, r"(\d+) requests in"))
    if not calls:
        raise SystemExit(
            f"{contender.name} answered no call in {seconds} s: the machine has too much else to do."
        )
    return Round(
        calls_per_second=float(found_in(answer, r"Requests/sec:\s+([\d.]+)")),
        cpu_us=spent / calls * 1e6,
        p50_ms=milliseconds(found_in(answer, r"\n +50% +(\S+)")),
        p99_ms=milliseconds(found_in(answer, r"\n +99% +(\S+)")),
    )


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of all threads of a process, its own and the kernel's for it."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_A_SECOND


def found_in(text: str, pattern: str) -> str:
    """Return what wrk says somewhere."""
    found = re.search(pattern, text)
    assert found is not None, text
    return found[1]


def milliseconds(text: str) -> float:
    """Read a duration as wrk writes it."""
    number, unit = found_in(text, r"([\d.]+)"), found_in(text, r"([a-z]+)")
    return float(number) * {"us": 0.001, "ms": 1, "s": 1_000, "m": 60_000}[unit]


def figures_of(name: str, mine: list[Round], bare: list[Round]) -> Figures:
    """Take the medians."""
    pairs = list(zip(mine, bare, strict=True))
    return Figures(
        name=name,
        calls_per_second=statistics.median(one.calls_per_second for one in mine),
        cpu_us=statistics.median(one.cpu_us for one in mine),
        p50_ms=statistics.median(one.p50_ms for one in mine),
        p99_ms=statistics.median(one.p99_ms for one in mine),
        share_of_bare=statistics.median(
            one.calls_per_second / beside.calls_per_second for one, beside in pairs
        ),
        cpu_us_above_bare=statistics.median(one.cpu_us - beside.cpu_us for one, beside in pairs),
    )


# What is told --------------------------------------------------------------------------------------


def targets_of(found: dict[str, Figures]) -> list[Target]:
    """Hold the figures against what was promised."""
    journal = found["journal"]
    cost, share = journal.cpu_us_above_bare, journal.share_of_bare
    return [
        Target(
            f"admission and journal cost under {COST_MAX_US} µs of CPU a call",
            f"{cost:.2f} µs",
            cost < COST_MAX_US,
        ),
        Target(f"and keep at least {SHARE_MIN:.0%} of bare throughput", f"{share:.1%}", share >= SHARE_MIN),
        *(
            beside(journal, found.get(name), f"at least {least:.0f} times {name}", least)
            for name, least in (("redis-py", REDIS_PY_MIN), ("litellm", LITELLM_MIN))
        ),
    ]


def beside(journal: Figures, peer: Figures | None, text: str, least: float) -> Target:
    """Compare by calls a second and by CPU a call; the smaller ratio counts."""
    if peer is None:
        return Target(text, "peer absent", None)
    by_calls = journal.calls_per_second / peer.calls_per_second
    by_cpu = peer.cpu_us / journal.cpu_us
    measured = f"{by_calls:.1f} times by calls a second, {by_cpu:.1f} by CPU"
    return Target(text, measured, min(by_calls, by_cpu) >= least)


def show(found: list[Figures], targets: list[Target], absent: dict[str, str], load: float) -> None:
    """Print tables, or JSON where that was asked for."""
    if "--json" in sys.argv:
        figures, promised = [asdict(one) for one in found], [asdict(one) for one in targets]
        print(json.dumps({"figures": figures, "targets": promised, "absent": absent, "load": load}, indent=2))
        return
    table = Table(
        title=f"One call, one core, {CONNECTIONS} connections; load of the machine before {load:.1f}"
    )
    for title in ("Contender", "Calls/s", "Of bare", "CPU µs/call", "Above bare", "p50 ms", "p99 ms"):
        table.add_column(title, justify="left" if title == "Contender" else "right")
    for one in found:
        table.add_row(
            one.name,
            f"{one.calls_per_second:,.0f}",
            f"{one.share_of_bare:.1%}",
            f"{one.cpu_us:,.1f}",
            f"{one.cpu_us_above_bare:,.1f}",
            f"{one.p50_ms:.2f}",
            f"{one.p99_ms:.2f}",
        )
    console = Console(width=120)
    console.print(table)
    for target in targets:
        reached = {True: "yes", False: "NO", None: "not measured"}[target.reached]
        console.print(f"{target.text}: {target.measured}; reached: {reached}")
    for name, command in absent.items():
        console.print(f"{name} is absent here; it comes with: {command}")


if __name__ == "__main__":
    main()
