"""Keys are issued, recognised and refused; a test key can be shown again, a live one cannot."""

from datetime import datetime, timedelta

import psycopg
import pytest
from tests.parties import SEALER, Party, make_party

from tollway.customers.entities import Mode
from tollway.keys import operations as keys
from tollway.keys.entities import (
    ApiKeyMalformed,
    ApiKeyMissing,
    ApiKeySuspended,
    ApiKeyUnknown,
    new_secret,
)
from tollway.kit.crypto import CannotOpen, Sealer, sha256
from tollway.kit.db import Database
from tollway.kit.problems import NotFound, Problem


@pytest.fixture
async def party(database: Database, now: datetime) -> Party:
    return await make_party(database, now)


@pytest.mark.promise("B39", "D21", "X7")
async def test_a_key_is_kept_as_its_sha_256(database: Database, party: Party) -> None:
    async with database.transaction() as tx:
        (row,) = await tx.list_rows("SELECT * FROM api_keys")
    assert row["key_hash"] == sha256(party.secret).hex()
    assert row["key_id"] == party.secret[:16]
    assert row["last_four"] == party.secret[-4:]
    assert party.secret.encode() not in bytes(row["sealed_secret"])
    assert party.secret not in str(row)


@pytest.mark.parametrize("header", ["Bearer {}", "bearer {}", "  BEARER   {}  "])
async def test_a_key_is_recognised(database: Database, party: Party, now: datetime, header: str) -> None:
    async with database.transaction() as tx:
        found = await keys.authenticate(tx, header.format(party.secret), now)
    assert (found.key_id, found.customer_id, found.mode) == (
        party.api_key.key_id,
        party.customer_id,
        Mode.TEST,
    )


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (None, "Send your API key"),
        ("", "Send your API key"),
        ("Bearer", "Nothing follows the word Bearer"),
        ("bearer  ", "Nothing follows the word Bearer"),
        ("Basic {}", "does not begin with the word Bearer"),
        ("{}", "does not begin with the word Bearer"),
        ("Token {}", "does not begin with the word Bearer"),
    ],
)
async def test_without_a_bearer_header_no_key_was_sent(
    database: Database, party: Party, now: datetime, header: str | None, said: str
) -> None:
    async with database.transaction() as tx:
        with pytest.raises(ApiKeyMissing) as refused:
            await keys.authenticate(tx, header and header.format(party.secret), now)
    assert said in refused.value.message
    assert "`Authorization: Bearer YOUR_API_KEY`" in refused.value.message


async def test_a_mistyped_key_is_told_without_the_database(party: Party, now: datetime) -> None:
    mistyped = party.secret[:-1] + ("0" if party.secret[-1] != "0" else "1")
    with pytest.raises(ApiKeyMalformed):
        # There is no transaction at all.
        await keys.authenticate(None, f"Bearer {mistyped}", now)  # type: ignore[arg-type]


async def test_a_well_formed_key_of_another_installation_is_unknown(
    database: Database, now: datetime
) -> None:
    stranger = new_secret("montecarlo", Mode.LIVE)
    async with database.transaction() as tx:
        with pytest.raises(ApiKeyUnknown) as refused:
            await keys.authenticate(tx, f"Bearer {stranger}", now)
    assert stranger[16:] not in refused.value.message + refused.value.log_message
    assert stranger[:16] not in refused.value.message, "the public part is for the log alone"


@pytest.mark.promise("D18", "D24")
@pytest.mark.parametrize(
    ("status", "problem"),
    [("revoked", ApiKeyUnknown), ("suspended", ApiKeySuspended), ("deleted", ApiKeyUnknown)],
)
async def test_a_key_that_is_not_active_is_refused_on_the_next_call(
    database: Database, party: Party, now: datetime, status: str, problem: type[Problem]
) -> None:
    async with database.transaction() as tx:
        await keys.authenticate(tx, f"Bearer {party.secret}", now)
        await tx.execute("UPDATE api_keys SET status = %(status)s", {"status": status})
        with pytest.raises(problem):
            await keys.authenticate(tx, f"Bearer {party.secret}", now)


@pytest.mark.parametrize(("seconds", "works"), [(-1, True), (0, False), (1, False)])
async def test_a_key_works_strictly_before_it_expires(
    database: Database, party: Party, now: datetime, seconds: int, works: bool
) -> None:
    async with database.transaction() as tx:
        await tx.execute("UPDATE api_keys SET expires_at = %(now)s", {"now": now})
        call = keys.authenticate(tx, f"Bearer {party.secret}", now + timedelta(seconds=seconds))
        if works:
            assert (await call).key_id == party.api_key.key_id
        else:
            with pytest.raises(ApiKeyUnknown):
                await call


@pytest.mark.promise("X8")
async def test_a_test_key_can_be_shown_again(database: Database, party: Party) -> None:
    async with database.transaction() as tx:
        found = await keys.find_default_test_key(tx, party.customer_id)
        assert found is not None
        assert await keys.reveal_test_key(tx, SEALER, found) == party.secret
    assert found.masked == f"mc_test_…{party.secret[-4:]}"


@pytest.mark.promise("X8", "D22")
async def test_a_live_key_cannot_be_shown_again(database: Database, now: datetime) -> None:
    live = await make_party(database, now, mode=Mode.LIVE)
    async with database.transaction() as tx:
        with pytest.raises(NotFound):
            await keys.reveal_test_key(tx, SEALER, live.api_key)
        assert await tx.find_value("SELECT sealed_secret FROM api_keys") is None
        assert await keys.find_default_test_key(tx, live.customer_id) is None


@pytest.mark.promise("X8")
async def test_the_database_refuses_a_sealed_live_key(database: Database, now: datetime) -> None:
    await make_party(database, now, mode=Mode.LIVE)

    async def seal() -> None:
        async with database.transaction() as tx:
            await tx.execute("UPDATE api_keys SET sealed_secret = 'x'::bytea")

    with pytest.raises(psycopg.errors.CheckViolation):
        await seal()


async def test_a_sealed_key_moved_to_another_customer_does_not_open(
    database: Database, now: datetime
) -> None:
    first, second = await make_party(database, now), await make_party(database, now)
    async with database.transaction() as tx:
        await tx.execute(
            "UPDATE api_keys SET sealed_secret = (SELECT sealed_secret FROM api_keys WHERE id = %(from)s) "
            "WHERE id = %(to)s",
            {"from": first.api_key.id, "to": second.api_key.id},
        )
        with pytest.raises(CannotOpen):
            await keys.reveal_test_key(tx, SEALER, second.api_key)


async def test_a_sealed_key_does_not_open_under_another_master_key(database: Database, party: Party) -> None:
    async with database.transaction() as tx:
        with pytest.raises(CannotOpen):
            await keys.reveal_test_key(tx, Sealer(bytes(32)), party.api_key)


async def test_the_oldest_active_test_key_stands_in_samples(
    database: Database, party: Party, now: datetime
) -> None:
    async with database.transaction() as tx:
        second = await keys.issue_api_key(
            tx,
            SEALER,
            party.customer_id,
            product="montecarlo",
            mode=Mode.TEST,
            name="b",
            tier="trial",
            now=now,
        )
        found = await keys.find_default_test_key(tx, party.customer_id)
        assert found is not None
        assert found.key_id == party.api_key.key_id
        await tx.execute("UPDATE api_keys SET status = 'revoked' WHERE id = %(id)s", {"id": party.api_key.id})
        found = await keys.find_default_test_key(tx, party.customer_id)
        assert found is not None
        assert found.key_id == second.api_key.key_id


async def test_the_last_use_is_noted_to_the_minute(database: Database, party: Party, now: datetime) -> None:
    noted = []
    for seconds in (0, 30, 59, 61, 90):
        async with database.transaction() as tx:
            await keys.note_use(tx, party.api_key.id, now + timedelta(seconds=seconds))
            noted.append((await tx.find_value("SELECT last_used_at FROM api_keys") - now).total_seconds())
    assert noted == [0, 0, 0, 61, 61]
