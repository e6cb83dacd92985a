"""The audit list as a file, in many short transactions."""

from collections.abc import AsyncIterator, Mapping
from typing import Protocol

from tollway.audit.entities import CSV_ENTRIES_MAX, Entry
from tollway.audit.export import cut_line, heading, lines_of
from tollway.audit.operations import BATCH_SIZE_MAX
from tollway.kit.db import Database, Transaction
from tollway.kit.paging import Page


class ReadEntries(Protocol):
    """Reads one page of the entries that a file should hold, newest first."""

    async def __call__(self, tx: Transaction, cursor: str | None, limit: int) -> Page[Entry]:
        """Return the page that begins at a cursor."""


class NameCustomers(Protocol):
    """Finds the public ids of customers."""

    async def __call__(self, tx: Transaction, customer_ids: set[int]) -> Mapping[int, str]:
        """Return those that exist, by id."""


async def write_csv(
    database: Database,
    read: ReadEntries,
    name_customers: NameCustomers | None = None,
    entries_max: int = CSV_ENTRIES_MAX,
) -> AsyncIterator[str]:
    """Give the chosen entries as CSV, piece by piece; the last line says so where the file was cut.

    Entries are never changed, so that pages read one after the other agree with each other.
    `name_customers` adds a column that says whose entry it is.
    """
    customers_shown = name_customers is not None
    yield heading(customers_shown)
    cursor, left = None, entries_max
    while True:
        async with database.transaction() as tx:
            page = await read(tx, cursor, min(left, BATCH_SIZE_MAX))
            owners = {one.customer_id for one in page.items if one.customer_id is not None}
            names = await name_customers(tx, owners) if name_customers else None
        yield lines_of(page.items, names)
        cursor, left = page.next_cursor, left - len(page.items)
        if cursor is None:
            return
        if left == 0:
            yield cut_line(entries_max, customers_shown)
            return
