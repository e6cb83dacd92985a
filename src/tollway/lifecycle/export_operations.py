"""Ask for an export, find it again, and let go of it when its days are over."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from tollway.audit import operations as audit
from tollway.audit.entities import Entry
from tollway.customers import details_operations, member_operations
from tollway.customers import operations as customers
from tollway.customers.callers import Caller
from tollway.customers.deed_operations import record_deed
from tollway.customers.entities import AddressNotVerified
from tollway.kit.crypto import Sealer
from tollway.kit.db import Transaction
from tollway.kit.ids import new_id
from tollway.kit.jobs import enqueue_job
from tollway.kit.mail import queue_mail
from tollway.kit.paging import Page
from tollway.kit.problems import NotFound
from tollway.lifecycle import activity_operations, export_store
from tollway.lifecycle.entities import (
    EXPORT_KEPT_DAYS,
    EXPORTS_PER_DAY_MAX,
    Export,
    ExportNotAvailable,
    ExportStatus,
    ExportUnderWay,
    LifecycleParts,
    TooManyExports,
)
from tollway.lifecycle.export_store import TABLES, ExportedTable, StoredWorkbook
from tollway.notifications import operations as notifications

__all__ = ["TABLES", "ExportedTable", "StoredWorkbook"]

EXPORT_JOB = "lifecycle.export_data"
EXPORTS_SHOWN_MAX = 20
# Whoever made it died for good, or the disk is full: tomorrow it may be asked for again.
STUCK_HOURS = 24
WORKBOOKS_PER_PAGE = 100
ENTRIES_PER_PAGE = audit.BATCH_SIZE_MAX


async def request_export(tx: Transaction, caller: Caller, now: datetime) -> Export:
    """Ask for a file with everything that is the caller's customer's.

    Raises: AddressNotVerified, ExportUnderWay, TooManyExports.
    Writes: data_exports, audit_entries. Defers: the job that makes it.
    """
    assert_verified(caller)
    # Two at the same moment are counted one after the other.
    await customers.lock_customer(tx, caller.owner_id)
    earlier = await export_store.list_exports(tx, caller.owner_id, EXPORTS_SHOWN_MAX)
    if any(one.status is ExportStatus.QUEUED for one in earlier):
        raise ExportUnderWay("An export is being made already; a mail tells you when it is ready.")
    lately = [one for one in earlier if one.created_at > now - timedelta(days=1)]
    if len(lately) >= EXPORTS_PER_DAY_MAX:
        frees_at = lately[EXPORTS_PER_DAY_MAX - 1].created_at + timedelta(days=1)
        raise TooManyExports(
            f"At most {EXPORTS_PER_DAY_MAX} exports are made within 24 hours. The newest one can still be "
            f"downloaded; the next may be asked for at {frees_at:%H:%M} UTC.",
            retry_after_seconds=max(1, int((frees_at - now).total_seconds())),
        )
    export = await export_store.insert_export(tx, new_id("exp"), caller.owner_id, caller.user_id, now)
    await enqueue_job(tx, EXPORT_JOB, {"export_id": export.public_id})
    await record_deed(
        tx, caller, "customer.export_requested", export.public_id, now, customer_id=caller.owner_id
    )
    return export


def assert_verified(caller: Caller) -> None:
    """Raise AddressNotVerified for whoever did not prove their address: what is asked for is everything."""
    if not caller.verified:
        raise AddressNotVerified("Verify your address first: enter the code that we mailed.")


async def list_exports(tx: Transaction, customer_id: int) -> list[Export]:
    """List a customer's exports, newest first."""
    return await export_store.list_exports(tx, customer_id, EXPORTS_SHOWN_MAX)


async def get_export(tx: Transaction, customer_id: int, export_id: str) -> Export:
    """Return one of a customer's exports; raises NotFound."""
    export = await export_store.find_export(tx, customer_id, export_id)
    if export is None:
        raise NotFound("There is no such export.")
    return export


async def begin_download(tx: Transaction, caller: Caller, export_id: str, now: datetime) -> Export:
    """Return an export whose file may be sent now, and put on record who took it.

    Raises: NotFound, ExportNotAvailable. Writes: audit_entries.
    """
    export = await get_export(tx, caller.owner_id, export_id)
    match export.status:
        case ExportStatus.QUEUED:
            raise ExportNotAvailable("This export is still being made; a mail tells you when it is ready.")
        case ExportStatus.FAILED:
            raise ExportNotAvailable("This export could not be made. Ask for a new one.")
        case ExportStatus.EXPIRED:
            raise ExportNotAvailable(
                f"This export was deleted: they are kept for {EXPORT_KEPT_DAYS} days. Ask for a new one."
            )
    await record_deed(
        tx, caller, "customer.export_downloaded", export.public_id, now, customer_id=caller.owner_id
    )
    return export


# Making one ---------------------------------------------------------------------------------------


async def find_queued(tx: Transaction, export_id: str) -> Export | None:
    """Return an export that is still to be made; only for the job that makes it."""
    return await export_store.lock_queued(tx, export_id)


async def read_company(tx: Transaction, sealer: Sealer, customer_id: int) -> dict[str, Any]:
    """Return what is known of the customer itself, with what is sealed opened."""
    details = await details_operations.get_details(tx, sealer, customer_id)
    address = details.billing_address
    return await export_store.find_company(tx, customer_id) | {
        "tax_id": details.tax_id,
        "billing_address": asdict(address) if address else None,
    }


async def list_rows(
    tx: Transaction, table: ExportedTable, export: Export, last: Mapping[str, Any] | None
) -> list[dict[str, Any]]:
    """Read the page of rows that follows a row, or the first page."""
    after, after_at = (last["_id"], last.get("_at")) if last else (0, None)
    return await export_store.list_rows(tx, table, export, after, after_at)


async def list_entries(tx: Transaction, export: Export, cursor: str | None) -> Page[Entry]:
    """Read a page of the customer's activity, newest first."""
    return await activity_operations.list_activity(
        tx, export.customer_id, cursor=cursor, limit=ENTRIES_PER_PAGE
    )


async def list_workbooks(tx: Transaction, export: Export, after: int) -> list[StoredWorkbook]:
    """List workbooks that are still stored, a page at a time."""
    return await export_store.list_workbooks(tx, export.customer_id, after, WORKBOOKS_PER_PAGE)


async def begin_file(tx: Transaction, export: Export, now: datetime) -> str:
    """Name the file that an export will be; it is swept unless `finish_export` keeps it."""
    name = f"exports/{export.customer_id}/{export.public_id}.zip"
    await export_store.discard_blob(tx, name, now)
    return name


async def finish_export(
    tx: Transaction, parts: LifecycleParts, export: Export, blob: str, size_bytes: int, now: datetime
) -> bool:
    """Offer a file that was written; False where nobody waits for it any more.

    Writes: data_exports, outbox_mails, audit_entries. Defers: a mail to every owner, with a link to the page.
    """
    present = await export_store.lock_queued(tx, export.public_id)
    if present is None:
        return False
    expires_at = now + timedelta(days=EXPORT_KEPT_DAYS)
    await export_store.update_to_ready(tx, export.id, blob, size_bytes, expires_at, now)
    await export_store.keep_blob(tx, blob)
    customer = await customers.get_customer(tx, export.customer_id)
    for address in await member_operations.list_owner_emails(tx, export.customer_id):
        mail = notifications.compose_export_ready(
            address, company=customer.company_name, link=parts.page("/data"), kept_until=expires_at
        )
        await queue_mail(tx, mail, now)
    await audit.record_entry(
        tx,
        action="customer.export_made",
        customer_id=export.customer_id,
        actor=f"job:{EXPORT_JOB}",
        subject=export.public_id,
        address=None,
        now=now,
        details={"size_bytes": size_bytes},
    )
    return True


async def fail_export(tx: Transaction, export_id: str) -> None:
    """Record that an export could not be made, so that another may be asked for. Writes: data_exports."""
    await export_store.update_to_failed(tx, export_id)


async def end_exports(tx: Transaction, now: datetime) -> int:
    """Let go of files whose days are over, and give up what was never made; return how many.

    Writes: data_exports, discarded_blobs.
    """
    stuck = await export_store.update_stuck_to_failed(tx, now - timedelta(hours=STUCK_HOURS))
    return stuck + await export_store.expire_exports(tx, now)
