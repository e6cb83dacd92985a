"""Make the file of an export: many short transactions, the disk, and the stored files."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePath
from typing import Any

from tollway.audit.entities import Entry
from tollway.audit.operations import describe_action
from tollway.customers.callers import Caller
from tollway.kit.blobs import BlobMissing, Blobs
from tollway.kit.db import Database
from tollway.kit.log import log
from tollway.lifecycle import export_operations as exports
from tollway.lifecycle.entities import Export, ExportNotAvailable, LifecycleParts
from tollway.lifecycle.export_archive import Archive

FOLDER_PREFIX = "tollway-export-"
WORKBOOK_SUFFIXES = {".xlsx", ".xlsm"}
README = """\
Everything that Tollway keeps of {company} ({customer_id}), as of {now:%d %B %Y, %H:%M} UTC.
Export {export_id}.

Each file stands here as JSON and, where it has rows, as CSV (UTF-8). What is deep, such as the results of a
run, is in the JSON alone. Times are in UTC. In the CSV an apostrophe goes before a text that a spreadsheet
would take for a formula.

{files}

Not in here: passwords, API keys, second factors and links, because only hashes or sealed values of them are
kept; and the single draws of runs, which the seed, the workbook and the same version of the engine bring back
bit by bit.
"""


@dataclass(slots=True)
class _Making:
    """One export being made."""

    database: Database
    blobs: Blobs
    parts: LifecycleParts
    export: Export
    archive: Archive
    folder: Path
    contents: list[tuple[str, str]]


async def make_export(
    database: Database, blobs: Blobs, parts: LifecycleParts, export_id: str, now: datetime
) -> bool:
    """Write everything that is a customer's into one file, and tell the owners; False where nobody waits for it.

    Memory stays bounded: rows are read in pages and files in pieces, and both go to the disk.
    Making it twice leaves one file. Raises: OSError where the disk is full.
    """
    async with database.transaction() as tx:
        export = await exports.find_queued(tx, export_id)
    if export is None:
        return False
    with tempfile.TemporaryDirectory(prefix=FOLDER_PREFIX) as name:
        folder = Path(name)
        making = _Making(database, blobs, parts, export, Archive(folder), folder, [])
        company = await _add_company(making)
        for table in exports.TABLES:
            await _add_table(making, table)
        await _add_activity(making)
        await _add_workbooks(making)
        files = "\n".join(f"{name:<24}{about}" for name, about in making.contents)
        making.archive.add_text(
            "README.txt",
            README.format(
                company=company["company_name"],
                customer_id=company["id"],
                export_id=export.public_id,
                now=now,
                files=files,
            ),
        )
        size_bytes = await asyncio.to_thread(making.archive.close)
        async with database.transaction() as tx:
            blob = await exports.begin_file(tx, export, now)
        await blobs.put_file(blob, making.archive.path)
    async with database.transaction() as tx:
        return await exports.finish_export(tx, parts, export, blob, size_bytes, now)


async def _add_company(making: _Making) -> dict[str, Any]:
    async with making.database.transaction() as tx:
        company = await exports.read_company(tx, making.parts.sealer, making.export.customer_id)
    making.archive.add_json("company.json", company)
    making.contents.append(("company", "the company itself, with what invoices need"))
    return company


async def _add_table(making: _Making, table: exports.ExportedTable) -> None:
    files = making.archive.begin_table(table.name, table.json_only)
    last: dict[str, Any] | None = None
    while True:
        async with making.database.transaction() as tx:
            rows = await exports.list_rows(tx, table, making.export, last)
        await asyncio.to_thread(files.write, rows)
        if len(rows) < table.page_rows:
            break
        last = rows[-1]
    await asyncio.to_thread(files.close)
    making.contents.append((table.name, f"{table.about} ({files.row_count:,})"))


async def _add_activity(making: _Making) -> None:
    files = making.archive.begin_table("activity")
    cursor: str | None = None
    while True:
        async with making.database.transaction() as tx:
            page = await exports.list_entries(tx, making.export, cursor)
        await asyncio.to_thread(files.write, [_entry_row(entry) for entry in page.items])
        cursor = page.next_cursor
        if cursor is None:
            break
    await asyncio.to_thread(files.close)
    making.contents.append(("activity", f"what was done, newest first ({files.row_count:,})"))


def _entry_row(entry: Entry) -> dict[str, Any]:
    return {
        "occurred_at": entry.occurred_at,
        "action": entry.action,
        "description": describe_action(entry.action),
        "actor": entry.actor,
        "actor_name": entry.shown_actor,
        "on_behalf_of": entry.on_behalf_of,
        "subject": entry.subject,
        "ip_address": entry.shown_address,
        "request_id": entry.request_id,
        "details": entry.details,
    }


async def _add_workbooks(making: _Making) -> None:
    after, count = 0, 0
    copy = making.folder / "workbook"
    while True:
        async with making.database.transaction() as tx:
            page = await exports.list_workbooks(tx, making.export, after)
        for workbook in page:
            after = workbook.id
            suffix = PurePath(workbook.filename).suffix.lower()
            # The model's id, not a name that somebody typed: no path can hide in it.
            name = f"workbooks/{workbook.model_id}{suffix if suffix in WORKBOOK_SUFFIXES else ''}"
            try:
                await _copy(making.blobs, workbook.blob, copy)
            except BlobMissing:
                # Deleted while this was being made.
                log.warning("workbook not in export", model=workbook.model_id)
                continue
            await asyncio.to_thread(making.archive.add_file, name, copy)
            count += 1
        if not page:
            break
    making.contents.append(("workbooks/", f"the workbooks, named by their models ({count:,})"))


async def _copy(blobs: Blobs, blob: str, path: Path) -> None:
    pieces = await blobs.read(blob)
    with path.open("wb") as file:
        async for piece in pieces:
            await asyncio.to_thread(file.write, piece)


async def open_export(
    database: Database, blobs: Blobs, caller: Caller, export_id: str, now: datetime
) -> tuple[AsyncIterator[bytes], dict[str, str]]:
    """Open the file of an export: its pieces, and the headers that they are sent with. That it is taken is on record.

    Raises: NotFound, ExportNotAvailable.
    """
    async with database.transaction() as tx:
        export = await exports.begin_download(tx, caller, export_id, now)
    assert export.blob_name is not None, "an export that is ready has a file"
    try:
        pieces = await blobs.read(export.blob_name)
    except BlobMissing as failure:
        raise ExportNotAvailable(
            "The file of this export is gone. Ask for a new one.", log_message=f"no blob {export.blob_name}"
        ) from failure
    headers = {
        "Content-Disposition": f'attachment; filename="tollway-{export.public_id}.zip"',
        "Content-Length": str(export.size_bytes),
    }
    return pieces, headers
