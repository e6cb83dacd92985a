"""How fast usage goes from a journal into PostgreSQL, beside the two ways one would write by hand.

    python bench/usage.py [--json] [--calls N]

A real embedded PostgreSQL (fsync and synchronous_commit on), the product's own tables, indexes and sums by hour, by
day and since the beginning; 1,000 customers with a key each, some much busier than others, twelve endpoints, forty
browsers. All three write the same calls with the same sums, in transactions of the same size:

    shipper      the product's: reads four journals, checks every record, COPY laid out by numpy
    write_row    psycopg's COPY, row by row, from objects; sums added up in Python
    executemany  psycopg's INSERT by executemany; sums likewise

The peers are handed objects and need not read, check or settle anything. Figures are calls a second of wall time and
microseconds of CPU a call, of this process and of all of PostgreSQL's; memory is this process's resident size before,
halfway and after the shipper's work.
"""

import asyncio
import json
import os
import random
import resource
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

from rich.console import Console
from rich.table import Table

from tollway.admission import records
from tollway.admission.journal import Journal
from tollway.admission.shipper import RECORDS_PER_PART, Shipper
from tollway.customers.entities import Mode
from tollway.kit.db import Database, Transaction
from tollway.kit.embedded import EmbeddedPostgres
from tollway.kit.log import configure_logging
from tollway.kit.migrations import migrate
from tollway.metering import retention_operations, usage_operations, usage_store
from tollway.metering.entities import LATENCY_BOUNDS_MS, UsageEvent

CALLS = 400_000
PEER_CALLS = 40_000
CUSTOMERS = 1_000
# As many journals as a small server has processes.
SOURCES = 4
# What a customer does most often comes first; few do everything.
ENDPOINTS = tuple(
    (method, f"/monte-carlo-api/{path}")
    for method, path in (
        ("GET", "simulations/{simulation_id}/progress"), ("GET", "simulations/{simulation_id}/results"),
        ("POST", "simulations"), ("GET", "models/{model_id}"), ("GET", "simulations/{simulation_id}"),
        ("GET", "models"), ("POST", "models"), ("GET", "simulations/{simulation_id}/download/{file_format}"),
        ("DELETE", "models/{model_id}"), ("GET", "simulations"), ("PUT", "models/{model_id}"), ("GET", "usage"),
    )
)  # fmt: skip
ENDPOINT_WEIGHTS = tuple(1 / (place + 1) ** 2 for place in range(len(ENDPOINTS)))
BROWSERS = tuple(f"python-requests/2.{minor} CPython/3.{minor % 13} Linux/6.{minor}" for minor in range(40))
STATUSES = (200,) * 90 + (201,) * 4 + (404,) * 3 + (429,) * 2 + (500,)
# An hour that is over.
BEGIN = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=2)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Rows = Sequence[UsageEvent]


@dataclass(frozen=True)
class Figures:
    """What one way of writing reached."""

    name: str
    calls: int
    calls_per_second: int
    cpu_microseconds_per_call: float
    server_cpu_microseconds_per_call: float


def made_calls(count: int) -> list[UsageEvent]:
    """Make calls as a busy hour brings them: most of them from few customers."""
    chance = random.Random(7)
    weights = [1 / (rank + 5) for rank in range(CUSTOMERS)]
    customers = chance.choices(range(1, CUSTOMERS + 1), weights, k=count)
    step = timedelta(hours=1) / count
    found = []
    for number, customer in enumerate(customers):
        status = chance.choice(STATUSES)
        method, endpoint = chance.choices(ENDPOINTS, ENDPOINT_WEIGHTS)[0]
        found.append(
            UsageEvent(
                customer_id=customer,
                api_key_id=customer,
                product="montecarlo",
                mode=Mode.LIVE,
                endpoint=endpoint,
                method=method,
                status_code=status,
                response_time_ms=int(chance.expovariate(1 / 20)),
                credits_consumed=1,
                units=0,
                request_timestamp=BEGIN + number * step,
                ip_address=f"198.51.{customer % 256}.{customer // 256}",
                user_agent=BROWSERS[customer % len(BROWSERS)],
                request_id=f"req_{number:016x}",
                problem_code="quota-used-up" if status == 429 else None,
                limit_name="requests_per_period" if status == 429 else None,
                limit_value=1000 if status == 429 else None,
            )
        )
    return found


def journalled(folder: Path, source_id: int, calls: Rows) -> float:
    """Write calls into a journal; return how many microseconds one append took."""
    journal = Journal.open(folder, source_id)
    journal.start()
    began = time.perf_counter()
    for call in calls:
        journal.append(
            records.letterhead(
                customer_id=call.customer_id,
                api_key_id=call.api_key_id or 0,
                endpoint=journal.intern(call.endpoint),
                method_code=records.method_code(call.method),
                product=journal.intern(call.product),
                live=True,
                user_agent=journal.intern(call.user_agent),
                address=bytes(map(int, (call.ip_address or "").split("."))),
            ),
            (call.request_timestamp - EPOCH) // timedelta(microseconds=1),
            call.status_code,
            call.response_time_ms * 1000,
            call.request_id,
            units=call.units,
            remarks=records.remarks(
                credit_count=call.credits_consumed,
                problem=journal.intern(call.problem_code or ""),
                limit_name=journal.intern(call.limit_name or ""),
                limit_value=call.limit_value or 0,
            ),
        )
    spent = time.perf_counter() - began
    journal.close()
    return spent / len(calls) * 1e6


def server_cpu_seconds(cluster: Path) -> float:
    """Return what all processes of a server have spent so far; of those that ended, too."""
    parent = int((cluster / "postmaster.pid").read_text().split("\n", 1)[0])
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    ticks = 0
    for process in (str(parent), *children):
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2].split()
        # utime and stime, and of the parent those of the children that it has waited for.
        ticks += sum(map(int, fields[11:15] if process == str(parent) else fields[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")


async def measured(name: str, count: int, cluster: Path, work: Callable[[], Awaitable[object]]) -> Figures:
    """Run one way of writing and say how fast it was."""
    began, cpu, server_cpu = time.perf_counter(), time.process_time(), server_cpu_seconds(cluster)
    await work()
    spent, cpu = time.perf_counter() - began, time.process_time() - cpu
    server_cpu = server_cpu_seconds(cluster) - server_cpu
    return Figures(
        name, count, round(count / spent), round(cpu / count * 1e6, 2), round(server_cpu / count * 1e6, 2)
    )


# The peers ------------------------------------------------------------------------------------------

COLUMNS = (
    "request_timestamp", "customer_id", "status_code", "response_time_ms", "credits_consumed", "units", "api_key_id",
    "limit_value", "ip_address", "request_id", "endpoint", "method", "product", "mode", "user_agent", "problem_code",
    "limit_name", "path",
)  # fmt: skip


def row_of(call: UsageEvent) -> tuple[Any, ...]:
    """Lay a call out in the order of COLUMNS."""
    return (
        call.request_timestamp, call.customer_id, call.status_code, call.response_time_ms, call.credits_consumed,
        call.units, call.api_key_id, call.limit_value, call.ip_address, call.request_id, call.endpoint, call.method,
        call.product, call.mode.value, call.user_agent, call.problem_code, call.limit_name, call.path,
    )  # fmt: skip


async def write_rows(tx: Transaction, calls: Rows) -> None:
    """Write rows as psycopg's guide shows it."""
    async with (
        tx.connection.cursor() as cursor,
        cursor.copy(f"COPY api_usage_logs ({', '.join(COLUMNS)}) FROM STDIN") as copy,
    ):
        for call in calls:
            await copy.write_row(row_of(call))


async def insert_many(tx: Transaction, calls: Rows) -> None:
    """Write rows by INSERT."""
    async with tx.connection.cursor() as cursor:
        await cursor.executemany(
            f"INSERT INTO api_usage_logs ({', '.join(COLUMNS)}) VALUES ({', '.join(['%s'] * len(COLUMNS))})",
            [row_of(call) for call in calls],
        )


async def write_by_hand(
    database: Database, calls: Rows, write: Callable[[Transaction, Rows], Awaitable[None]]
) -> None:
    """Write calls and their sums, part by part."""
    for start in range(0, len(calls), RECORDS_PER_PART):
        part = calls[start : start + RECORDS_PER_PART]
        async with database.transaction() as tx:
            await write(tx, part)
            await write_sums(tx, part)


async def write_sums(tx: Transaction, calls: Rows) -> None:
    """Add sums up in dictionaries, and write them with the product's own statements."""
    hours: dict[Any, list[int]] = defaultdict(lambda: [0] * 20)
    days: dict[Any, list[int]] = defaultdict(lambda: [0] * 20)
    totals: dict[Any, list[int]] = defaultdict(lambda: [0] * 15)
    for call in calls:
        seconds = int(call.request_timestamp.timestamp())
        live = int(call.mode is Mode.LIVE)
        key = (call.customer_id, call.product, live, call.api_key_id or 0, call.method, call.endpoint)
        status, spent = call.status_code, call.response_time_ms
        latency = next((place for place, bound in enumerate(LATENCY_BOUNDS_MS) if spent <= bound), 12)
        kind = 0 if status < 400 else 1 if status in (402, 429) else 2 if status < 500 else 3
        for counts in (hours[seconds // 3600, *key], days[seconds // 86400, *key]):
            counts[kind] += 1
            counts[4] += call.units
            counts[5] += call.credits_consumed
            counts[6] += spent
            counts[7 + latency] += 1
        counts = totals[call.product, call.method, call.endpoint, status, call.problem_code or ""]
        counts[0] += 1
        counts[1] += spent
        counts[2 + latency] += 1
    names = ["customer_id", "product", "live", "api_key_id", "method", "endpoint"]
    counted = ["succeeded", "limited", "refused", "failed", "units", "credits", "response_ms"]
    await usage_store.add_to_hours(tx, columns_of(["hour", *names], counted, hours))
    await usage_store.add_to_days(tx, columns_of(["day", *names], counted, days))
    keys = ["product", "method", "endpoint", "status_code", "problem"]
    await usage_store.add_to_totals(tx, columns_of(keys, ["calls", "response_ms"], totals))


def columns_of(keys: list[str], counted: list[str], sums: dict[Any, list[int]]) -> dict[str, list[Any]]:
    """Turn rows into columns, and texts into their places in a list of few; latencies stand last in a row."""
    rows = ((*key, *counts[: len(counted)]) for key, counts in sums.items())
    columns = dict(zip([*keys, *counted], map(list, zip(*rows, strict=True)), strict=True))
    texts: dict[str, int] = {}
    for name in {"product", "method", "endpoint", "problem"} & columns.keys():
        columns[name] = [texts.setdefault(text, len(texts) + 1) for text in columns[name]]
    latencies = [count for counts in sums.values() for count in counts[len(counted) :]]
    return columns | {"latencies": latencies, "texts": list(texts)}


# The run --------------------------------------------------------------------------------------------


async def prepare(database: Database) -> None:
    """Make the customers and keys that the calls name."""
    async with database.transaction() as tx:
        await tx.execute(
            """
            INSERT INTO users (public_id, email, created_at, updated_at)
            SELECT 'usr_' || n, 'person' || n || '@example.org', now(), now() FROM generate_series(1, %(count)s) AS n
            """,
            {"count": CUSTOMERS},
        )
        await tx.execute(
            """
            INSERT INTO api_customers (user_id, company_name, billing_email, public_id, use_case, created_at,
                updated_at)
            SELECT id, 'Company', email, 'cus_' || id, 'Bench', now(), now() FROM users ORDER BY id
            """
        )
        await tx.execute(
            """
            INSERT INTO api_keys (customer_id, key_id, key_hash, name, product, mode, status, rate_limit_tier,
                last_four, created_at, updated_at)
            SELECT id, 'key' || id, 'hash' || id, 'Key', 'montecarlo', 'live', 'active', 'starter', '1234', now(), now()
            FROM api_customers ORDER BY id
            """
        )
        await retention_operations.make_partitions(tx, BEGIN)


async def run(url: str, cluster: Path, folder: Path, count: int) -> dict[str, Any]:
    """Measure all three."""
    database = Database(url)
    await database.open()
    await prepare(database)
    calls = made_calls(count)
    # A first, smaller round, so that nobody pays for plans and pages that are read once.
    async with database.transaction() as tx:
        warm = await usage_operations.begin_source(tx, "warm", BEGIN)
        sources = [
            await usage_operations.begin_source(tx, f"bench {one}", BEGIN) for one in range(2 * SOURCES)
        ]
    journalled(folder / "warm", warm, calls[:5_000])
    await shipped(database, folder / "warm")
    figures = []
    peers = calls[:PEER_CALLS]
    for name, write in (("write_row", write_rows), ("executemany", insert_many)):
        by_hand = partial(write_by_hand, database, peers, write)
        figures.append(await measured(name, len(peers), cluster, by_hand))
    # Twice the same: the second time shows whether memory grows with every call.
    append_microseconds = fmean(
        journalled(folder / f"round {place // SOURCES}", source, calls[place % SOURCES :: SOURCES])
        for place, source in enumerate(sources)
    )
    calls.clear()
    peers = []
    memory = [resident_mib()]

    async def ship_both() -> None:
        for place in range(2):
            await shipped(database, folder / f"round {place}")
            memory.append(resident_mib())

    ours = await measured("shipper", 2 * count, cluster, ship_both)
    async with database.transaction() as tx:
        rows = await tx.find_value("SELECT count(*) FROM api_usage_logs")
        summed = await tx.find_value("SELECT sum(calls)::bigint FROM usage_totals")
    assert rows == summed == 2 * count + 2 * min(count, PEER_CALLS) + 5_000, (rows, summed)
    await database.close()
    return {
        "figures": [asdict(one) for one in (ours, *figures)],
        "append_microseconds": round(append_microseconds, 2),
        "memory_mib": memory,
        "load": round(os.getloadavg()[0], 1),
    }


async def shipped(database: Database, folder: Path) -> None:
    """Carry all journals of a folder."""
    shipper = Shipper(database, folder)
    await shipper.ship_once()
    shipper.close()


def resident_mib() -> int:
    """Return the resident size of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() // 2**20


def main() -> None:
    """Run and print."""
    configure_logging("warning", as_json=False)
    count = int(sys.argv[sys.argv.index("--calls") + 1]) if "--calls" in sys.argv else CALLS
    place = tempfile.TemporaryDirectory(prefix="tollway-bench-")
    folder = Path(place.name)
    folder.chmod(0o711)
    server = EmbeddedPostgres(folder / "postgres")
    (folder / "postgres").mkdir(mode=0o711)
    server.start()
    try:
        migrate(server.url)
        found = asyncio.run(run(server.url, server.cluster, folder / "journals", count))
    finally:
        server.stop()
        place.cleanup()
    if "--json" in sys.argv:
        print(json.dumps(found))
        return
    table = Table(title=f"Usage into PostgreSQL, {CUSTOMERS:,} customers, sums included")
    for column in ("way", "calls", "calls a second", "CPU µs a call", "CPU µs, server", "shipper is"):
        table.add_column(column, justify="left" if column == "way" else "right")
    ours = found["figures"][0]
    for one in found["figures"]:
        ratio = (
            "" if one is ours else f"{ours['calls_per_second'] / one['calls_per_second']:.1f} times as fast"
        )
        table.add_row(
            one["name"],
            f"{one['calls']:,}",
            f"{one['calls_per_second']:,}",
            f"{one['cpu_microseconds_per_call']:.2f}",
            f"{one['server_cpu_microseconds_per_call']:.2f}",
            ratio,
        )
    Console(width=110).print(table)
    print(
        f"One append (with the calls' own objects read): {found['append_microseconds']} µs. "
        f"Memory: {found['memory_mib'][0]} MiB before, {found['memory_mib'][1]} after the first half, "
        f"{found['memory_mib'][2]} after the second. Load of the machine: {found['load']}."
    )


if __name__ == "__main__":
    main()
