from datetime import datetime

import psycopg
import pytest

from tollway.audit import operations as audit
from tollway.kit.db import Database
from tollway.kit.paging import BadCursor
from tollway.kit.scope import request_id


async def record(
    database: Database, now: datetime, action: str = "api_key.revealed", **changed: object
) -> None:
    entry: dict = {
        "action": action,
        "customer_id": 7,
        "actor": "user:usr_1",
        "subject": "mc_test_abcdefgh",
        "address": "192.0.2.7",
        "now": now,
    }
    async with database.transaction() as tx:
        await audit.record_entry(tx, **(entry | changed))


@pytest.mark.promise("B46", "C33")
async def test_an_entry_tells_who_did_what_to_what_when_and_from_where(database, now):
    request_id.set("req_audit_test")
    await record(database, now, details={"reason": "dashboard"})
    async with database.transaction() as tx:
        page = await audit.list_entries(tx, 7)
    (entry,) = page.items
    assert (entry.action, entry.actor, entry.subject) == (
        "api_key.revealed",
        "user:usr_1",
        "mc_test_abcdefgh",
    )
    assert (entry.occurred_at, str(entry.ip_address)) == (now, "192.0.2.7")
    assert (entry.request_id, entry.details) == ("req_audit_test", {"reason": "dashboard"})
    assert page.next_cursor is None


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_entries SET actor = 'user:usr_2'",
        "DELETE FROM audit_entries",
        "TRUNCATE audit_entries CASCADE",
    ],
)
async def test_the_database_refuses_to_change_an_entry(database, now, statement):
    await record(database, now)
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
        async with database.transaction() as tx:
            await tx.execute(statement)
    async with database.transaction() as tx:
        assert [entry.actor for entry in (await audit.list_entries(tx, 7)).items] == ["user:usr_1"]


async def test_an_entry_is_written_only_if_the_deed_is(database, now):
    async def fail_after_the_entry() -> None:
        async with database.transaction() as tx:
            await audit.record_entry(
                tx,
                action="api_key.revealed",
                customer_id=7,
                actor="user:usr_1",
                subject="mc_test_abcdefgh",
                address=None,
                now=now,
            )
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail_after_the_entry()
    async with database.transaction() as tx:
        assert (await audit.list_entries(tx, 7)).items == []


async def test_entries_are_paged_newest_first_and_never_anothers(database, now):
    for number in range(5):
        await record(database, now, action=f"thing.number_{number}")
    await record(database, now, action="thing.of_another", customer_id=8)
    seen, cursor = [], None
    async with database.transaction() as tx:
        while True:
            page = await audit.list_entries(tx, 7, cursor, limit=2)
            seen += [entry.action for entry in page.items]
            cursor = page.next_cursor
            if cursor is None:
                break
    assert seen == [f"thing.number_{number}" for number in (4, 3, 2, 1, 0)]


async def test_a_forged_cursor_is_refused(database):
    async with database.transaction() as tx:
        with pytest.raises(BadCursor):
            await audit.list_entries(tx, 7, "nonsense")


async def test_a_peer_that_has_no_ip_address_leaves_the_column_empty(database, now):
    await record(database, now, address="unix socket")
    async with database.transaction() as tx:
        assert (await audit.list_entries(tx, 7)).items[0].ip_address is None
