"""The results and samples of a run as files; each is made outside of any transaction."""

import asyncio
import json
import shutil
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from tollway.admission.operations import Call, Outcome
from tollway.kit.blobs import BlobMissing
from tollway.kit.db import Transaction
from tollway.simulation import download_operations, operations
from tollway.simulation.downloads import (
    RAW_NUMBERS_MAX,
    FileFormat,
    SampleFormat,
    SamplesNotKept,
    samples_links,
)
from tollway.simulation.entities import Run
from tollway.simulation.export import RunFacts, results_json
from tollway.simulation.flows import Workshop

MEDIA_TYPES: dict[FileFormat | SampleFormat, str] = {
    FileFormat.PDF: "application/pdf",
    FileFormat.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    FileFormat.JSON: "application/json",
    SampleFormat.PARQUET: "application/vnd.apache.parquet",
    SampleFormat.CSV: "text/csv; charset=utf-8; header=present",
}
PIECE_BYTES = 262_144


@dataclass(frozen=True, slots=True)
class Download:
    """A file to take away, whose content is read once."""

    pieces: AsyncIterator[bytes]
    byte_count: int
    media_type: str
    filename: str

    @property
    def headers(self) -> dict[str, str]:
        """What an answer that carries it says of it."""
        return {
            "Content-Disposition": f'attachment; filename="{self.filename}"',
            "Content-Length": str(self.byte_count),
            "Content-Type": self.media_type,
        }


async def download(
    workshop: Workshop, call: Call, run_id: str, file_format: FileFormat | SampleFormat
) -> Download:
    """Make a file of a finished run for its customer.

    Raises: RunNotFound, RunNotFinished, RunFailed, ResultsDeleted, SamplesNotKept, DownloadsBusy, FileNotMade.
    """
    found: list[Run] = []

    async def work(tx: Transaction) -> Outcome:
        found.append(await operations.get_finished_run(tx, call.caller, run_id))
        return Outcome()

    await call.perform("read", work)
    return await _download(workshop, found[-1], file_format, call.now)


async def download_by_token(
    workshop: Workshop, secret: str, file_format: FileFormat, now: datetime
) -> Download:
    """Make a file of the run that a token opens. Raises: DownloadTokenRefused, DownloadsBusy, FileNotMade."""
    async with workshop.database.transaction() as tx:
        run = await download_operations.get_run_of_token(tx, secret, now)
    return await _download(workshop, run, file_format, now)


async def _download(
    workshop: Workshop, run: Run, file_format: FileFormat | SampleFormat, now: datetime
) -> Download:
    filename, media_type = f"{run.public_id}.{file_format}", MEDIA_TYPES[file_format]
    if file_format is SampleFormat.PARQUET:
        size, pieces = await _open_samples(workshop, run)
        return Download(pieces, size, media_type, filename)
    if file_format is SampleFormat.CSV:
        # Refused before anything is fetched.
        download_operations.get_samples_blob(run)
    # The folder goes as soon as its file is open: what nobody reads to its end leaves nothing behind.
    folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="tollway-download-"))
    try:
        made = folder / filename
        await _make(workshop, run, file_format, now, made)
        file = await asyncio.to_thread(made.open, "rb")
        size = made.stat().st_size
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    return Download(_pieces_of(file), size, media_type, filename)


async def _make(
    workshop: Workshop, run: Run, file_format: FileFormat | SampleFormat, now: datetime, target: Path
) -> None:
    facts, summaries = facts_of(run, now), run.results or []
    match file_format:
        case FileFormat.PDF:
            await workshop.press.print_report(facts, summaries, target)
        case FileFormat.XLSX:
            await workshop.press.write_workbook(facts, summaries, target)
        case SampleFormat.CSV:
            await workshop.press.write_csv(partial(_fetch_samples, workshop, run, target.parent), target)
        case _:
            raw = await _raw_values(workshop, run, target.parent)
            told = results_json(facts, summaries, raw_values=raw, samples=samples_links(run))
            await asyncio.to_thread(_write_json, told, target)


def _write_json(told: dict[str, Any], target: Path) -> None:
    target.write_text(json.dumps(told, indent=2))


def facts_of(run: Run, now: datetime) -> RunFacts:
    """Say what a file of results tells of the run itself."""
    return RunFacts(
        run_id=run.public_id,
        model_name=run.model_name if run.scenario_name is None else f"{run.model_name}: {run.scenario_name}",
        workbook_name=run.workbook_name,
        status=run.status.value,
        seed=run.seed,
        iterations_requested=run.iterations,
        iterations_completed=run.iterations_completed,
        execution_seconds=run.execution_seconds(now),
        engine_version=run.engine_version,
        created_at=run.created_at,
        exported_at=now,
        inputs=run.inputs,
        references=[one["reference"] for one in run.outputs[: len(run.results or [])]],
        sampling=run.sampling,
        correlations=run.correlations,
        stress=run.stress,
    )


async def _raw_values(workshop: Workshop, run: Run, folder: Path) -> list[list[float | None]] | None:
    """Read the numbers of the outputs where they were kept and are few enough for JSON."""
    few = run.iterations_completed * len(run.outputs) <= RAW_NUMBERS_MAX
    if run.samples_blob is None or not few:
        return None
    written = folder / "raw.json"
    await workshop.press.write_raw_values(partial(_fetch_samples, workshop, run, folder), written)
    values: list[list[float | None]] = json.loads(await asyncio.to_thread(written.read_bytes))
    return values


async def _open_samples(workshop: Workshop, run: Run) -> tuple[int, AsyncIterator[bytes]]:
    blob = download_operations.get_samples_blob(run)
    try:
        return await workshop.blobs.open(blob)
    except BlobMissing as failure:
        raise SamplesNotKept(
            f"The samples of {run.public_id} are no longer stored. The same model with seed {run.seed} gives them "
            "again.",
            log_message=f"blob {blob} is missing",
        ) from failure


async def _fetch_samples(workshop: Workshop, run: Run, folder: Path) -> Path:
    """Copy the samples onto the disk, piece by piece."""
    _, pieces = await _open_samples(workshop, run)
    path = folder / "samples.parquet"
    with path.open("wb") as file:
        async for piece in pieces:
            await asyncio.to_thread(file.write, piece)
    return path


async def _pieces_of(file: BinaryIO) -> AsyncIterator[bytes]:
    with file:
        while piece := await asyncio.to_thread(file.read, PIECE_BYTES):
            yield piece
