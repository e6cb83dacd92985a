"""The audit list as a file."""

import csv
import io
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.audit import operations as audit
from tollway.audit.export import lines_of
from tollway.audit.flows import write_csv
from tollway.kit.csv_text import FORMULA_STARTS, neutral
from tollway.kit.db import Database, Transaction


async def record(database: Database, now: datetime, count: int, **changed: object) -> None:
    entry: dict = {
        "action": "api_key.revealed",
        "customer_id": 7,
        "actor": "user:usr_1",
        "subject": "mc_test_abcdefgh",
        "address": "192.0.2.7",
        "now": now,
        "actor_name": "ana@example.com",
    }
    async with database.transaction() as tx:
        for number in range(count):
            await audit.record_entry(tx, **(entry | {"details": {"number": number}} | changed))


async def read_of_seven(tx: Transaction, cursor: str | None, limit: int):
    return await audit.list_entries(tx, 7, cursor, limit)


async def rows_of(pieces) -> list[dict[str, str]]:
    text = "".join([piece async for piece in pieces])
    return list(csv.DictReader(io.StringIO(text, newline="")))


async def test_a_file_holds_a_customers_entries_newest_first_and_nobody_elses(database, now):
    await record(database, now, 3)
    await record(database, now, 2, customer_id=8)
    rows = await rows_of(write_csv(database, read_of_seven))
    assert [row["details"] for row in rows] == ['{"number": 2}', '{"number": 1}', '{"number": 0}']
    first = rows[0]
    assert first["occurred_at"] == "2026-06-15T12:00:00Z"
    assert (first["action"], first["description"]) == ("api_key.revealed", "Revealed a test key")
    assert (first["actor"], first["actor_name"]) == ("user:usr_1", "ana@example.com")
    assert (first["ip_address"], first["subject"]) == ("192.0.2.7", "mc_test_abcdefgh")
    assert "customer" not in first


async def test_a_file_says_erased_where_the_person_was(database, now):
    await record(database, now, 1)
    async with database.transaction() as tx:
        await audit.erase_persons(tx, customer_id=7)
    (row,) = await rows_of(write_csv(database, read_of_seven))
    assert (row["actor"], row["actor_name"], row["ip_address"]) == ("user:usr_1", "erased", "erased")


async def test_a_file_for_administrators_says_whose_each_entry_is(database, now):
    await record(database, now, 1)
    await record(database, now, 1, customer_id=8)
    await record(database, now, 1, customer_id=None)

    async def read(tx: Transaction, cursor: str | None, limit: int):
        return await audit.list_all_entries(tx, cursor, limit)

    async def name(tx: Transaction, customer_ids: set[int]):
        return {one: f"cus_{one}" for one in customer_ids}

    rows = await rows_of(write_csv(database, read, name))
    assert [row["customer"] for row in rows] == ["", "cus_8", "cus_7"]


@pytest.mark.parametrize(("count", "shown", "is_cut"), [(0, 0, False), (3, 3, False), (4, 3, True)])
async def test_a_file_that_could_not_hold_everything_says_so_in_its_last_line(
    database, now, count, shown, is_cut
):
    await record(database, now, count)
    rows = await rows_of(write_csv(database, read_of_seven, entries_max=3))
    cut = [row for row in rows if row["occurred_at"].startswith("Cut:")]
    assert (len(rows) - len(cut), bool(cut)) == (shown, is_cut)
    if cut:
        assert rows[-1]["occurred_at"].startswith("Cut: this file holds the 3 newest entries.")


async def test_a_file_is_read_in_more_than_one_page(database, now):
    await record(database, now, audit.BATCH_SIZE_MAX + 1)
    assert len(await rows_of(write_csv(database, read_of_seven))) == audit.BATCH_SIZE_MAX + 1


@pytest.mark.parametrize(
    "cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", '=HYPERLINK("http://example.com")']
)
async def test_a_cell_that_a_spreadsheet_would_compute_is_made_text(database, now, cell):
    await record(database, now, 1, actor_name=cell, subject=cell)
    (row,) = await rows_of(write_csv(database, read_of_seven))
    assert row["actor_name"] == row["subject"] == f"'{cell}"


@given(st.text())
def test_no_cell_begins_as_a_formula_does_and_all_else_stays(cell):
    assert not neutral(cell).startswith(FORMULA_STARTS)
    assert neutral(cell) in (cell, f"'{cell}")
    assert neutral(neutral(cell)) == neutral(cell)


def test_no_entry_is_no_line():
    assert lines_of([]) == ""
