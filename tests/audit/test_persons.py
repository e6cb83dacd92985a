"""The people beside the entries: proven by a commitment, and forgotten without touching an entry."""

from datetime import datetime

import psycopg
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tollway.audit import operations as audit
from tollway.audit.entities import SALT_BYTES, Evidence, Proof, commit_to, known_address, weigh
from tollway.kit.db import Database

names = st.text(max_size=20)
addresses = st.none() | st.ip_addresses()
salts = st.binary(min_size=SALT_BYTES, max_size=SALT_BYTES)


async def record(database: Database, now: datetime, **changed: object) -> int:
    """Write an entry of customer 7 by user 1, and return its id."""
    entry: dict = {
        "action": "api_key.revealed",
        "customer_id": 7,
        "actor": "user:usr_1",
        "subject": "mc_test_abcdefgh",
        "address": "192.0.2.7",
        "now": now,
        "actor_name": "ana@example.com",
        "user_id": 1,
    }
    async with database.transaction() as tx:
        await audit.record_entry(tx, **(entry | changed))
        return (await audit.list_all_entries(tx, limit=1)).items[0].id


async def proof(database: Database, entry_id: int) -> Proof:
    async with database.transaction() as tx:
        return await audit.prove_person(tx, entry_id)


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"address": "2001:db8::7"},
        {"address": "::ffff:192.0.2.7"},
        {"address": None},
        {"actor_name": ""},
        {"actor_name": "Zoë \N{SNOWMAN} \N{GRINNING FACE}"},
    ],
)
async def test_what_stands_beside_an_entry_is_proven_by_it(database, now, changed):
    assert await proof(database, await record(database, now, **changed)) is Proof.PROVEN


@pytest.mark.parametrize(
    "forgery",
    [
        "SET actor_name = 'ben@example.com'",
        "SET ip_address = '192.0.2.8'",
        "SET ip_address = NULL",
        "SET salt = decode(repeat('00', 32), 'hex')",
    ],
)
async def test_a_person_changed_behind_the_databases_back_is_found_out(database, now, forgery):
    entry_id = await record(database, now)
    async with database.transaction() as tx:
        # Only the owner of the table can; nothing in the product does.
        await tx.execute("ALTER TABLE audit_persons DISABLE TRIGGER USER")
        assert await tx.execute(f"UPDATE audit_persons {forgery}") == 1
        await tx.execute("ALTER TABLE audit_persons ENABLE TRIGGER USER")
    assert await proof(database, entry_id) is Proof.CHANGED


@given(names, addresses, names, addresses, salts)
def test_a_commitment_holds_for_its_own_person_alone(name, address, other_name, other_address, salt):
    assume((name, address) != (other_name, other_address))
    commitment = commit_to(salt, name, address)
    assert weigh(Evidence(commitment, salt, name, address)) is Proof.PROVEN
    assert weigh(Evidence(commitment, salt, other_name, other_address)) is Proof.CHANGED


@given(names, addresses, salts, salts)
def test_without_its_salt_a_commitment_tells_nothing(name, address, salt, other_salt):
    assume(salt != other_salt)
    commitment = commit_to(salt, name, address)
    assert weigh(Evidence(commitment, other_salt, name, address)) is Proof.CHANGED
    assert weigh(Evidence(commitment, None, name, address)) is Proof.ERASED


def test_a_commitment_can_be_computed_again_by_anyone_who_has_the_salt():
    """Written down once, so that no later version reads old entries as forged.

    printf '{"actor_name":"ana@example.com","ip_address":"192.0.2.7"}' |
        openssl dgst -sha256 -mac HMAC -macopt hexkey:$(printf '01%.0s' $(seq 32))
    """
    commitment = commit_to(b"\x01" * SALT_BYTES, "ana@example.com", known_address("192.0.2.7"))
    assert commitment.hex() == "e06801bc298a046c8acf69766aa58412d62ca98cf6ae5dd65e8d756e54171238"


async def test_two_entries_of_one_person_have_nothing_in_common(database, now):
    await record(database, now)
    await record(database, now)
    async with database.transaction() as tx:
        rows = await tx.list_rows(
            "SELECT commitment, salt FROM audit_entries JOIN audit_persons ON id = entry_id"
        )
    assert len({bytes(row["commitment"]) for row in rows}) == len({bytes(row["salt"]) for row in rows}) == 2


async def test_a_job_leaves_nobody_to_prove_or_to_erase(database, now):
    entry_id = await record(database, now, actor="job:expire", actor_name="", address=None, user_id=None)
    assert await proof(database, entry_id) is Proof.NOT_COMMITTED
    async with database.transaction() as tx:
        assert await audit.erase_persons(tx, customer_id=7) == 0
        (entry,) = (await audit.list_entries(tx, 7)).items
    assert (entry.shown_actor, entry.shown_address, entry.is_erased) == ("job:expire", "", False)


async def test_there_is_nothing_to_prove_of_an_entry_that_is_not_there(database):
    with pytest.raises(LookupError):
        await proof(database, 1)


@pytest.mark.parametrize(
    "statement",
    ["UPDATE audit_persons SET actor_name = 'ben@example.com'", "TRUNCATE audit_persons"],
)
async def test_the_database_refuses_to_change_a_person(database, now, statement):
    entry_id = await record(database, now)
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="never changed"):
        async with database.transaction() as tx:
            await tx.execute(statement)
    assert await proof(database, entry_id) is Proof.PROVEN


@pytest.mark.promise("B46", "C37")
async def test_erasure_forgets_the_people_and_leaves_every_entry(database, now):
    mine = [await record(database, now, details={"number": number}) for number in range(3)]
    another = await record(database, now, customer_id=8, user_id=2, actor_name="ben@example.com")
    async with database.transaction() as tx:
        before = await tx.list_rows("SELECT * FROM audit_entries ORDER BY id")
        assert await audit.erase_persons(tx, customer_id=7) == 3
        assert await tx.list_rows("SELECT * FROM audit_entries ORDER BY id") == before
        entries = (await audit.list_entries(tx, 7)).items
        rest = await tx.list_rows("SELECT * FROM audit_persons")
    assert [(entry.shown_actor, entry.shown_address) for entry in entries] == [("erased", "erased")] * 3
    assert [entry.actor for entry in entries] == ["user:usr_1"] * 3
    assert [row["entry_id"] for row in rest] == [another]
    assert {await proof(database, entry_id) for entry_id in mine} == {Proof.ERASED}
    assert await proof(database, another) is Proof.PROVEN


async def test_a_user_is_forgotten_in_the_lists_of_every_customer(database, now):
    await record(database, now)
    await record(database, now, customer_id=8)
    await record(database, now, customer_id=None)
    await record(database, now, user_id=2, actor_name="ben@example.com")
    async with database.transaction() as tx:
        assert await audit.erase_persons(tx, user_id=1) == 3
        entries = (await audit.list_all_entries(tx)).items
    assert [entry.shown_actor for entry in entries] == ["ben@example.com", "erased", "erased", "erased"]


async def test_erasing_nobody_erases_nothing(database, now):
    await record(database, now, customer_id=None, user_id=None)
    async with database.transaction() as tx:
        assert await audit.erase_persons(tx) == 0
        assert await audit.erase_persons(tx, customer_id=9, user_id=9) == 0
