"""What was done for or to a customer, as the customer reads it."""

from tollway.audit import operations as audit
from tollway.audit.entities import Entry, EntryFilter
from tollway.customers import directory_operations as directory
from tollway.kit.db import Transaction
from tollway.kit.paging import PAGE_SIZE, Page


async def list_activity(
    tx: Transaction,
    customer_id: int,
    chosen: EntryFilter = audit.EVERYTHING,
    cursor: str | None = None,
    limit: int = PAGE_SIZE,
) -> Page[Entry]:
    """List a customer's entries, newest first, a page at a time. Raises: BadCursor.

    What administrators of the installation did is there, without their names and addresses.
    """
    page = await audit.list_entries(tx, customer_id, cursor, limit, chosen)
    actors = {entry.actor_user for entry in page.items if entry.actor_user}
    staff = await directory.list_visiting_administrators(tx, customer_id, actors)
    entries = [entry.by_staff() if entry.actor_user in staff else entry for entry in page.items]
    return Page(entries, page.next_cursor)
