from datetime import UTC, datetime

import psycopg
import pytest

from tollway.audit import operations as audit
from tollway.audit.entities import ACTOR_NAME_LENGTH_MAX, chosen_by
from tollway.kit.db import Database
from tollway.kit.paging import BadCursor
from tollway.kit.problems import Invalid
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
@pytest.mark.promise("B46")
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


async def test_an_address_with_a_zone_or_mapped_from_ipv4_is_kept_in_its_one_form(database, now):
    await record(database, now, address="fe80::1%eth0")
    await record(database, now, address="::ffff:192.0.2.7")
    async with database.transaction() as tx:
        addresses = [str(entry.ip_address) for entry in (await audit.list_entries(tx, 7)).items]
    assert addresses == ["192.0.2.7", "fe80::1"]


async def test_an_actor_whose_name_is_too_long_is_recorded_all_the_same(database, now):
    await record(database, now, actor_name="x" * 5_000)
    async with database.transaction() as tx:
        (entry,) = (await audit.list_entries(tx, 7)).items
    assert entry.actor_name == "x" * ACTOR_NAME_LENGTH_MAX


async def test_an_administrator_who_stands_in_for_a_customer_is_told_from_it(database, now):
    await record(database, now, actor="user:usr_admin", on_behalf_of="cus_7")
    async with database.transaction() as tx:
        (entry,) = (await audit.list_entries(tx, 7)).items
    assert (entry.actor, entry.on_behalf_of) == ("user:usr_admin", "cus_7")


@pytest.mark.parametrize(
    ("chosen", "found"),
    [
        ({}, [6, 5, 4, 3, 2, 1]),
        ({"action": "api_key."}, [3, 2, 1]),
        ({"action": "api_key.revoked"}, [2]),
        # A prefix is text: an underscore and a percent sign stand for themselves.
        ({"action": "api%"}, []),
        ({"actor": "user:usr_1"}, [6, 4, 1]),
        ({"actor": "usr_1"}, [6, 4, 1]),
        ({"actor": "mc_test_aaaaaaaa"}, [2]),
        ({"actor": "ana@example.com"}, [4, 1]),
        ({"actor": "Nobody"}, []),
        ({"subject": "sub_b"}, [5, 3]),
        ({"from_day": "2026-06-12"}, [6, 5, 4, 3]),
        ({"until_day": "2026-06-12"}, [3, 2, 1]),
        ({"from_day": "2026-06-12", "until_day": "2026-06-12"}, [3]),
        ({"until_day": "9999-12-31"}, [6, 5, 4, 3, 2, 1]),
        ({"action": "user.", "actor": "usr_1", "subject": "sub_a", "from_day": "2026-06-13"}, [6, 4]),
    ],
)
async def test_entries_are_chosen_by_action_actor_subject_and_days(database, now, chosen, found):
    await a_history(database)
    async with database.transaction() as tx:
        entries = (await audit.list_entries(tx, 7, chosen=chosen_by(**chosen))).items
        of_all = (await audit.list_all_entries(tx, chosen=chosen_by(**chosen))).items
    assert [entry.details["number"] for entry in entries] == found
    assert [entry.details["number"] for entry in of_all if entry.customer_id == 7] == found


async def a_history(database: Database) -> None:
    """Six entries of one customer, one each day from 10 June on, and one of another customer."""
    ana = {"actor": "user:usr_1", "actor_name": "ana@example.com"}
    rows: list[dict] = [
        {"action": "api_key.created", "subject": "sub_a", **ana},
        {"action": "api_key.revoked", "subject": "sub_a", "actor": "api_key:mc_test_aaaaaaaa"},
        {"action": "api_key.deleted", "subject": "sub_b", "actor": "user:usr_2"},
        {"action": "user.signed_in", "subject": "sub_a", **ana},
        {"action": "user.signed_in", "subject": "sub_b", "actor": "user:usr_2"},
        {"action": "user.signed_out", "subject": "sub_a", "actor": "user:usr_1"},
    ]
    for number, row in enumerate(rows, 1):
        # The last instant of the day.
        moment = datetime(2026, 6, 9 + number, 23, 59, 59, 999_999, tzinfo=UTC)
        await record(database, moment, details={"number": number}, **row)
    await record(database, moment, details={"number": 7}, customer_id=8, **ana)


@pytest.mark.parametrize(
    ("chosen", "pointers"),
    [
        ({"action": "x" * 255}, ["/action"]),
        ({"actor": "nul\0"}, ["/actor"]),
        ({"subject": "two\nlines"}, ["/subject"]),
        ({"subject": "a line's end\n"}, ["/subject"]),
        ({"from_day": "yesterday"}, ["/from"]),
        ({"from_day": "20260615"}, ["/from"]),
        ({"until_day": "2026-02-30"}, ["/until"]),
        ({"from_day": "2026-06-15", "until_day": "2026-06-14"}, ["/until"]),
        ({"from_day": "?", "until_day": "?", "actor": "\x7f"}, ["/actor", "/from", "/until"]),
    ],
)
def test_a_filter_that_cannot_be_read_says_what_is_wrong_with_which_part(chosen, pointers):
    with pytest.raises(Invalid) as caught:
        chosen_by(**chosen)
    assert [one.pointer for one in caught.value.errors] == pointers


async def test_everybodys_entries_are_paged_too(database, now):
    for customer_id in (7, None, 8):
        await record(database, now, customer_id=customer_id)
    async with database.transaction() as tx:
        first = await audit.list_all_entries(tx, limit=2)
        rest = await audit.list_all_entries(tx, first.next_cursor, limit=2)
    assert [entry.customer_id for entry in first.items + rest.items] == [8, None, 7]
    assert rest.next_cursor is None


def test_an_action_without_words_keeps_its_name():
    assert audit.describe_action("api_key.revealed") == "Revealed a test key"
    assert audit.describe_action("never.heard_of") == "never.heard_of"
