"""What crosses files and child processes: upload a workbook, mark its cells, plan a run, watch it.

Slow work happens outside transactions; the same functions serve endpoints and pages.
"""

import asyncio
import hashlib
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tollway.admission.operations import Call, Outcome
from tollway.customers.callers import Caller
from tollway.kit.blobs import BlobMissing, Blobs
from tollway.kit.db import Database, Transaction
from tollway.kit.ids import new_id
from tollway.kit.problems import Invalid, TooLarge
from tollway.plans import operations as plans
from tollway.simulation import event_operations, file_store, operations, shapes
from tollway.simulation.copies import LocalCopies
from tollway.simulation.entities import (
    PRODUCT,
    BadUpload,
    InputMark,
    Model,
    Run,
    RunOrder,
    RunStatus,
    StoredWorkbook,
    UnsupportedFileType,
    WorkbookDeleted,
)
from tollway.simulation.inspection import Inspector
from tollway.simulation.live import RunFeed
from tollway.simulation.press import Press
from tollway.webhooks import operations as webhooks

WORKBOOK_SUFFIXES = (".xlsx", ".xlsm")
FILENAME_LENGTH_MAX = 255
# A seed that we choose is exact in every language's JSON numbers.
CHOSEN_SEED_MAX = 2**53 - 1
# Marks are tried with a fixed seed: whether they can be computed does not depend on it.
TRIAL_SEED = 0
MARKS_POINTERS = ("/inputs", "/outputs", "/correlations")
ORDER_POINTERS = (
    "/simulation_config/variables",
    "/simulation_config/output_cells",
    "/simulation_config/correlations",
    "/simulation_config/stress",
)
# At most so often an event, at least so often a look of our own, and never a silence longer than that.
EVENT_SECONDS_MIN = 0.2
LOOK_SECONDS = 2.0
SILENCE_SECONDS_MAX = 15.0
STREAM_SECONDS_MAX = 3_600.0
# A cancelled run's stream waits so long for the summary of what was done.
SUMMARY_SECONDS_MAX = 10.0


@dataclass(frozen=True, slots=True)
class Workshop:
    """What models and runs need beside a transaction; one for each server process."""

    database: Database
    blobs: Blobs
    inspector: Inspector
    press: Press
    copies: LocalCopies
    feed: RunFeed
    stopping: asyncio.Event
    # Only for estimates of when a run will be done.
    guess_places: Callable[[], int]

    @classmethod
    def open(
        cls, database: Database, blobs: Blobs, stopping: asyncio.Event, guess_places: Callable[[], int]
    ) -> "Workshop":
        """Put the parts together; nothing is started until it is needed."""
        return cls(
            database=database,
            blobs=blobs,
            inspector=Inspector(),
            press=Press(),
            copies=LocalCopies(blobs),
            feed=RunFeed(database),
            stopping=stopping,
            guess_places=guess_places,
        )

    @property
    def process_count(self) -> int:
        """How many shards are computed at once, as far as is known."""
        return max(1, self.guess_places())

    async def close(self) -> None:
        """Stop listening and delete local copies."""
        await self.feed.close()
        self.copies.close()


@dataclass(frozen=True, slots=True)
class Upload:
    """A file as it came in, with what was said about it. `path` is a local file."""

    path: Path
    filename: str
    name: str = ""
    description: str = ""
    tags: tuple[str, ...] = ()


async def upload_model(
    workshop: Workshop,
    call: Call,
    upload: Upload,
    *,
    inputs: list[InputMark] | None = None,
    outputs: list[str] | None = None,
) -> Outcome:
    """Inspect a workbook in a child process, store it and make a model of it; the body is the shape of 3.1.

    `inputs` and `outputs`, where given, are marked at once.

    INVARIANT: what the quota refuses is refused before the workbook is read, and the last request is still given to one
    alone (tests/simulation/test_uploads.py::test_an_upload_over_the_quota_is_refused_before_it_is_read).

    Raises: UnsupportedFileType, BadUpload, TooLarge, FreeTrialEnded, what the quota refuses with, and what says that
    the workbook cannot be used. Counts one request.
    """
    filename = upload.filename.replace("\\", "/").rpartition("/")[2][-FILENAME_LENGTH_MAX:]
    sha256 = await asyncio.to_thread(_sha256_of, upload.path)
    repeated = [sha256.hex(), filename, upload.name, upload.description, list(upload.tags)]
    if (answered := await call.find_answer(repeated)) is not None:
        return answered
    async with workshop.database.transaction() as tx:
        entitlement = await plans.get_entitlement(tx, call.caller.owner_id, PRODUCT, call.now)
    entitlement.assert_may_write()
    limits = entitlement.limits
    byte_count = upload.path.stat().st_size
    assert_workbook_file(filename, byte_count, limits.file_bytes_max, entitlement.plan.name)
    async with workshop.database.transaction() as tx:
        await call.assert_units_left(tx, "upload_model")
    try:
        inspected = await workshop.inspector.inspect(upload.path, limits.file_bytes_max)
    except Invalid as refusal:
        async with workshop.database.transaction() as tx:
            await event_operations.tell_model_failed(tx, call.caller, filename, refusal, call.now)
        raise
    if inputs or outputs:
        await _assert_marks(workshop, upload.path, limits.file_bytes_max, inputs or [], outputs or [])
    content = await asyncio.to_thread(upload.path.read_bytes)
    public_id = new_id("mdl")
    workbook = StoredWorkbook(
        public_id=public_id,
        filename=filename,
        blob=f"workbooks/{call.caller.owner_id}/{public_id}",
        byte_count=byte_count,
        sha256=sha256,
        inspected=inspected,
    )
    # Listed as discarded before it is written: whatever happens next, no file is left behind.
    async with workshop.database.transaction() as tx:
        await file_store.discard_blobs(tx, [workbook.blob], call.now)
    await workshop.blobs.put(workbook.blob, content)

    async def work(tx: Transaction) -> Outcome:
        model = await operations.create_model(
            tx,
            call.caller,
            workbook,
            limits,
            name=upload.name.strip() or Path(filename).stem,
            description=upload.description.strip(),
            tags=list(upload.tags),
            inputs=inputs or [],
            outputs=outputs or [],
            now=call.now,
        )
        return Outcome(body=shapes.uploaded_model(model))

    return await call.perform("upload_model", work, status=201, content=repeated)


def _sha256_of(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def assert_workbook_file(filename: str, byte_count: int, file_bytes_max: int, plan_name: str) -> None:
    """Refuse what its name or size already tells about. Raises: UnsupportedFileType, BadUpload, TooLarge."""
    suffix = Path(filename).suffix.lower()
    if suffix not in WORKBOOK_SUFFIXES:
        what = f"a {suffix} file" if suffix else "a file without an extension"
        raise UnsupportedFileType(
            f"{filename[:80]!r} is {what}; only .xlsx and .xlsm are read. "
            "Open it in Excel and save as .xlsx, then upload that."
        )
    if byte_count == 0:
        raise BadUpload("The file is empty (0 bytes). Upload an .xlsx or .xlsm workbook.")
    if byte_count > file_bytes_max:
        raise _too_large(file_bytes_max, plan_name)


def _too_large(file_bytes_max: int, plan_name: str) -> TooLarge:
    return TooLarge(
        f"The file is larger than {file_bytes_max:,} bytes, the most that the plan {plan_name} takes. "
        "Remove pictures and sheets that the model does not need, or choose a larger plan.",
        members={"limit_bytes": file_bytes_max, "plan": plan_name},
    )


async def over_plan_size(workshop: Workshop, call: Call) -> TooLarge:
    """Make the Problem of an upload that was cut off because it passed the plan's limit."""
    async with workshop.database.transaction() as tx:
        entitlement = await plans.get_entitlement(tx, call.caller.owner_id, PRODUCT, call.now)
    return _too_large(entitlement.limits.file_bytes_max, entitlement.plan.name)


async def change_model(
    workshop: Workshop,
    call: Call,
    model_id: str,
    *,
    name: str | None = None,
    description: str | None = None,
    tags: list[str] | None = None,
    inputs: list[InputMark] | None = None,
    outputs: list[str] | None = None,
    correlations: list[dict[str, Any]] | None = None,
) -> Outcome:
    """Change what is given and leave the rest; marks are tried on the workbook first.

    Raises: ModelNotFound, WorkbookDeleted, and what says which mark cannot be used.
    """
    async with workshop.database.transaction() as tx:
        model = await operations.get_model(tx, call.caller, model_id)
    if inputs is not None or outputs is not None or correlations is not None:
        await _assert_marks(
            workshop,
            await local_workbook(workshop, model),
            model.workbook_bytes,
            model.input_marks if inputs is None else inputs,
            model.outputs if outputs is None else outputs,
            model.correlations if correlations is None else correlations,
        )
    changes = {
        "name": name,
        "description": description,
        "tags": tags,
        "inputs": None if inputs is None else [one.as_json() for one in inputs],
        "outputs": outputs,
        "correlations": correlations,
    }

    async def work(tx: Transaction) -> Outcome:
        changed = await operations.change_model(tx, call.caller, model_id, changes, call.now)
        return Outcome(body=shapes.whole_model(changed))

    return await call.perform("change", work)


async def create_run(workshop: Workshop, call: Call, order: RunOrder) -> Outcome:
    """Plan a run against the workbook in a child process, then queue it; the body is the shape of 3.1.

    Raises: ModelNotFound, WorkbookDeleted, IterationsOverPlan, NothingMarked, RunsAtOnce, FeatureNotIncluded for a
    webhook_url, and what says which
    cell, distribution or correlation cannot be used. Counts one request.
    """
    if (answered := await call.find_answer(order.as_json())) is not None:
        return answered
    async with workshop.database.transaction() as tx:
        model = await operations.get_model(tx, call.caller, order.model_id)
        entitlement = await plans.get_entitlement(tx, call.caller.owner_id, PRODUCT, call.now)
        if order.webhook_url is not None:
            await webhooks.assert_included(tx, call.caller.owner_id, call.now)
    operations.assert_order_allowed(order, model, entitlement)
    async with workshop.database.transaction() as tx:
        await call.assert_units_left(tx, "create_run")
    seed = secrets.randbelow(CHOSEN_SEED_MAX + 1) if order.seed is None else order.seed
    plan = await workshop.inspector.plan_run(
        await local_workbook(workshop, model),
        model.workbook_bytes,
        model.marks_for(order.inputs),
        order.outputs or model.output_cells,
        seed,
        pointers=ORDER_POINTERS,
        sampling=order.sampling,
        run_iterations=order.iterations,
        correlations=model.correlations_for(order.inputs, order.correlations),
        stress=order.stress,
        are_inputs_asked=bool(order.inputs),
    )

    async def work(tx: Transaction) -> Outcome:
        run = await operations.create_run(
            tx,
            call.caller,
            order,
            plan,
            entitlement,
            seed=seed,
            quota_id=call.quota_id,
            now=call.now,
        )
        ahead = await operations.seconds_ahead(tx, run.customer_id) / workshop.process_count
        # Planning took a while since the request came.
        ahead += time.perf_counter() - call.started
        return Outcome(body=shapes.created_run(run, ahead, call.now), credits=run.credits_consumed)

    return await call.perform("create_run", work, status=201, content=order.as_json())


async def watch_run(
    workshop: Workshop, caller: Caller, run: Run, may_go_on: Callable[[Transaction], Awaitable[bool]]
) -> AsyncIterator[Run | None]:
    """Yield a run whenever it changed, at most five times a second, until it is over or the server stops.

    None is yielded now and then where nothing changed, to keep the connection alive. Whether whoever watches may still
    see it is asked before each look, which is every two seconds at least; where not, nothing more is yielded.

    Call `workshop.feed.assert_room` first. Raises: RunNotFound where it was deleted meanwhile.
    """
    clock = asyncio.get_running_loop().time
    started = heard = clock()
    over_since: float | None = None
    seen: tuple[Any, ...] = ()
    with workshop.feed.watch(run.public_id, caller.owner_id) as changed:
        while clock() - started < STREAM_SECONDS_MAX:
            changed.clear()
            async with workshop.database.transaction() as tx:
                if not await may_go_on(tx):
                    return
                run = await operations.get_run(tx, caller, run.public_id)
            facts = (run.status, run.iterations_completed, run.summarized_at)
            if facts != seen:
                seen, heard = facts, clock()
                yield run
            elif clock() - heard > SILENCE_SECONDS_MAX:
                heard = clock()
                yield None
            if run.status.over:
                over_since = over_since or clock()
                awaits_summary = run.status is RunStatus.CANCELLED and run.summarized_at is None
                if not awaits_summary or clock() - over_since > SUMMARY_SECONDS_MAX:
                    return
            if await _stops_within(workshop.stopping, EVENT_SECONDS_MIN):
                return
            await _wait_for_any(changed, workshop.stopping, LOOK_SECONDS)


async def local_workbook(workshop: Workshop, model: Model) -> Path:
    """Return where a copy of a model's workbook lies. Raises: WorkbookDeleted."""
    try:
        return await workshop.copies.get(model.workbook_blob, model.workbook_sha256)
    except BlobMissing as failure:
        raise WorkbookDeleted(
            f"The workbook of {model.public_id} is no longer stored. Upload it again.",
            log_message=f"blob {model.workbook_blob} is missing",
        ) from failure


async def _assert_marks(
    workshop: Workshop,
    workbook: Path,
    file_bytes_max: int,
    inputs: list[InputMark],
    outputs: list[str],
    correlations: Sequence[dict[str, Any]] = (),
) -> None:
    """Try marks as a run would use them; one side alone cannot be tried, and is accepted as it is written."""
    if inputs and outputs:
        await workshop.inspector.plan_run(
            workbook,
            file_bytes_max,
            inputs,
            outputs,
            TRIAL_SEED,
            pointers=MARKS_POINTERS,
            correlations=correlations,
        )


async def _stops_within(stopping: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            return await stopping.wait()
    except TimeoutError:
        return False


async def _wait_for_any(first: asyncio.Event, second: asyncio.Event, seconds: float) -> None:
    waits = [asyncio.ensure_future(first.wait()), asyncio.ensure_future(second.wait())]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in waits:
            one.cancel()


def describe_progress(run: Run, now: datetime) -> dict[str, Any]:
    """Say where a run stands, in the shape that the API answers with."""
    return shapes.progress(run, 0.0, now)
