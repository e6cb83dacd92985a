"""What a Professional's run gets beside a Starter's equal one, and what it would get first come, first served.

    python bench/priority.py [--json]

The product's own worker program computes real shards on an embedded PostgreSQL. A Starter's run is queued, then
a Professional's of the same workbook, iterations and seed; runs are taken by weight. Then, as the peer, the same
two runs in the order in which they were queued, which is how the runs of one customer are taken. Printed for
both: after how long each run was done, and how much processing (seconds of one core) each had when the first of
them was done, that is while both wanted it. Fails where a Professional's had less than twice a Starter's.
"""

import asyncio
import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from rich.console import Console
from rich.table import Table

from tollway.kit.blobs import Blobs
from tollway.kit.clock import read_now
from tollway.kit.db import Database
from tollway.kit.embedded import EmbeddedPostgres
from tollway.kit.ids import new_id
from tollway.kit.log import configure_logging
from tollway.kit.migrations import migrate
from tollway.plans import operations as plans
from tollway.plans.entities import SubscriptionStatus
from tollway.settings import Settings, new_secret
from tollway.simulation import operations, store
from tollway.simulation.entities import PRODUCT, InputMark, Run, RunOrder, StoredWorkbook
from tollway.simulation.flows import ORDER_POINTERS
from tollway.simulation.inspection import Inspector

sys.path.insert(0, str(Path(__file__).parents[1]))
parties: Any = import_module("tests.parties")
workbooks: Any = import_module("tests.simulation.workbooks")
conftest: Any = import_module("tests.simulation.conftest")

PROCESSES = 2
# A column of so many formulas, each on the one before it.
FORMULAS = 2_000
INPUT = InputMark("B1", {"type": "uniform", "min": 0.5, "max": 1.5}, "Start")
OUTPUTS = [f"C{FORMULAS}"]
# Of one core, for each run; what a Starter may ask for bounds it.
RUN_SECONDS = 6.0
ITERATIONS_MAX = 1_000_000
SEED = 7
SECONDS_MAX = 180.0
LOOK_SECONDS = 0.02
PROMISED_RATIO = 2.0


@dataclass(frozen=True)
class Outcome:
    """How two runs queued together fared, in seconds; the second one is the Professional's, where plans count."""

    taken: str
    first_seconds: float
    second_seconds: float
    first_obtained: float
    second_obtained: float
    ratio: float


def main() -> None:
    """Measure, and print a table or JSON; fails where a Professional gets less than was promised."""
    configure_logging("error", as_json=False)
    folder = Path(tempfile.mkdtemp(prefix="tollway-bench-"))
    folder.chmod(0o711)
    server = EmbeddedPostgres(folder / "postgres")
    server.start()
    try:
        migrate(server.url)
        outcomes = asyncio.run(measure(server.url, folder))
    finally:
        server.stop()
        shutil.rmtree(folder)
    show(outcomes)
    if outcomes[0].ratio < PROMISED_RATIO:
        raise SystemExit(f"A Professional's run got {outcomes[0].ratio:.2f} times a Starter's processing.")


async def measure(url: str, folder: Path) -> list[Outcome]:
    """Let both pairs of runs be computed, one pair after the other."""
    settings = Settings(
        environment="test",
        tollway_data=folder / "data",
        database_url=SecretStr(url),
        jwt_secret=SecretStr(new_secret()),
        encryption_key=SecretStr(new_secret()),
        worker_processes=PROCESSES,
    )
    database = Database(url)
    await database.open()
    queue = Queue(database, Blobs.at("", settings.tollway_data / "files"), folder / "chain.xlsx")
    try:
        now, paid = read_now(), SubscriptionStatus.ACTIVE
        starter = await parties.make_party(database, now, tier="starter", status=paid)
        professional = await parties.make_party(database, now, tier="professional", status=paid)
        await queue.prepare()
        by_weight = [await queue.add(party) for party in (starter, professional)]
        outcome = await compute(database, settings, "by weight", *by_weight)
        # Of one customer's runs the older one goes first, whatever the plan.
        in_order = [await queue.add(starter) for _ in range(2)]
        return [outcome, await compute(database, settings, "first come, first served", *in_order)]
    finally:
        await database.close()


class Queue:
    """Queues equal runs of one workbook for whom they are asked for, as calls of the API do."""

    def __init__(self, database: Database, blobs: Blobs, workbook: Path) -> None:
        self.database = database
        self.blobs = blobs
        self.workbook = workbook

    async def prepare(self) -> None:
        """Make the workbook, and measure it as a request for a run does."""
        self.content: bytes = workbooks.chain(FORMULAS)
        await asyncio.to_thread(self.workbook.write_bytes, self.content)
        inspector, size = Inspector(), len(self.content)
        self.inspected = await inspector.inspect(self.workbook, size)
        self.plan = await inspector.plan_run(
            self.workbook, size, [INPUT], OUTPUTS, SEED, pointers=ORDER_POINTERS
        )
        self.iterations = min(ITERATIONS_MAX, int(RUN_SECONDS / self.plan.seconds_per_iteration))

    async def add(self, party: Any) -> Run:
        """Store the workbook for a customer and queue a run of it."""
        now, caller, model_id = read_now(), conftest.caller_of(party), new_id("mdl")
        stored = StoredWorkbook(
            public_id=model_id,
            filename=self.workbook.name,
            blob=f"workbooks/{party.customer_id}/{model_id}",
            byte_count=len(self.content),
            sha256=hashlib.sha256(self.content).digest(),
            inspected=self.inspected,
        )
        await self.blobs.put(stored.blob, self.content)
        order = RunOrder(model_id, self.iterations, None, None, [0.95], SEED)
        async with self.database.transaction() as tx:
            held = await plans.get_entitlement(tx, party.customer_id, PRODUCT, now)
            await operations.create_model(
                tx,
                caller,
                stored,
                held.limits,
                name="chain",
                description="",
                tags=[],
                inputs=[INPUT],
                outputs=OUTPUTS,
                now=now,
            )
            return await operations.create_run(
                tx, caller, order, self.plan, held, seed=SEED, quota_id=None, now=now
            )


async def compute(database: Database, settings: Settings, taken: str, first: Run, second: Run) -> Outcome:
    """Start a worker for two runs that are queued, and look on until both are done."""
    worker = await start_worker(settings)
    began = time.perf_counter()
    took: dict[int, float] = {}
    obtained: list[float] = []
    try:
        while len(took) < 2:
            if time.perf_counter() - began > SECONDS_MAX:
                raise SystemExit(f"The runs were not done within {SECONDS_MAX:.0f} seconds.")
            async with database.transaction() as tx:
                found = [await store.find_run_by_id(tx, run.id) for run in (first, second)]
            runs = [run for run in found if run is not None]
            for run in runs:
                if run.iterations_completed == run.iterations:
                    took.setdefault(run.id, time.perf_counter() - began)
            if took and not obtained:
                obtained = [run.processing_seconds for run in runs]
            await asyncio.sleep(LOOK_SECONDS)
    finally:
        worker.terminate()
        await worker.wait()
    return Outcome(
        taken=taken,
        first_seconds=took[first.id],
        second_seconds=took[second.id],
        first_obtained=obtained[0],
        second_obtained=obtained[1],
        ratio=obtained[1] / obtained[0],
    )


async def start_worker(settings: Settings) -> asyncio.subprocess.Process:
    """Start the program that computes, as an owner does."""
    environment = os.environ | {
        "ENVIRONMENT": "test",
        "LOG_LEVEL": "error",
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "TOLLWAY_DATA": str(settings.tollway_data),
        "JWT_SECRET": settings.jwt_secret.get_secret_value(),
        "ENCRYPTION_KEY": settings.encryption_key.get_secret_value(),
        "WORKER_PROCESSES": str(PROCESSES),
    }
    return await asyncio.create_subprocess_exec(sys.executable, "-m", "tollway", "work", env=environment)


def show(outcomes: list[Outcome]) -> None:
    """Print a table, or JSON where that was asked for."""
    if "--json" in sys.argv:
        print(json.dumps([asdict(one) for one in outcomes], indent=2))
        return
    table = Table(title=f"Two equal runs queued together, {PROCESSES} computing processes; seconds")
    for title in (
        "Taken",
        "Starter done",
        "Professional done",
        "Starter had",
        "Professional had",
        "Ratio",
    ):
        table.add_column(title, justify="left" if title == "Taken" else "right")
    for one in outcomes:
        table.add_row(
            one.taken,
            f"{one.first_seconds:.1f}",
            f"{one.second_seconds:.1f}",
            f"{one.first_obtained:.2f}",
            f"{one.second_obtained:.2f}",
            f"{one.ratio:.2f}",
        )
    Console(width=120).print(table)
    print("Had: processing until the first of the two was done, in seconds of one core.")


if __name__ == "__main__":
    main()
