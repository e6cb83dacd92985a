"""Erasure: no trace of anybody is left, and the books and the audit list stay whole."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.admission.journals import Written, begin_source
from tests.lifecycle.canaries import ADDRESS, COMPANY, EMAIL, SAME_ORIGIN, TRACES, Canary, make_canary
from tests.web.conftest import Visitor, visiting

from tollway.admission.journal import Journal
from tollway.admission.shipper import Shipper
from tollway.app import Parts
from tollway.audit import operations as audit
from tollway.audit.entities import Proof
from tollway.customers import member_operations as members
from tollway.customers import operations as customers
from tollway.customers import retention_operations as retention
from tollway.customers.permissions import Role
from tollway.kit.clock import read_now
from tollway.lifecycle import operations as lifecycle
from tollway.metering import usage_operations
from tollway.plans import operations as plans

# Where a trace may stay, and why. Nothing that is a name, an address or a secret.
ALLOWED = {
    # Only names of files, which hold ids; the sweep deletes the files and then the names.
    ("discarded_blobs", "name"),
}
BOOKS = {
    "api_subscriptions": "public_id, customer_id, product, plan_version_id, current_period_start, trial_end",
    "usage_quotas": "subscription_id, mode, period_start, requests_included, requests_used, overage_rate",
    "api_usage_logs": "id, api_key_id, endpoint, method, status_code, credits_consumed, units, request_timestamp",
    "subscription_changes": "public_id, subscription_id, kind, plan_version_id, requested_by, created_at",
    "entitlement_adjustments": "public_id, product, kind, subject, amount, starts_at, ends_at, created_by",
    "plan_versions": "*",
}


@pytest.fixture
async def canary(parts: Parts, stranger: Visitor) -> Canary:
    return await make_canary(stranger, parts)


async def find_traces(parts: Parts, traces: tuple[str, ...]) -> set[tuple[str, str, str]]:
    """Look through every column of every table for texts that hold a trace."""
    found = set()
    async with parts.database.transaction() as tx:
        columns = await tx.list_rows(
            """
            SELECT c.table_name, c.column_name, c.data_type FROM information_schema.columns c
            JOIN information_schema.tables t USING (table_schema, table_name)
            WHERE table_schema = 'public' AND table_type = 'BASE TABLE'
            """
        )
        for column in columns:
            table, name = column["table_name"], column["column_name"]
            text = f"encode({name}, 'escape')" if column["data_type"] == "bytea" else f"{name}::text"
            for trace in traces:
                # Names of tables come from the catalogue of the database, and cannot be parameters.
                rows = await tx.list_rows(
                    f'SELECT count(*) AS hits FROM "{table}" WHERE strpos(lower({text}), %(trace)s) > 0',
                    {"trace": trace.lower()},
                )
                if rows[0]["hits"] and (table, name) not in ALLOWED:
                    found.add((table, name, trace))
    return found


async def books(parts: Parts) -> dict[str, tuple[int, str]]:
    """Sum up what the books hold: how many rows of each kind, and a hash of all that they say."""
    sums = {}
    async with parts.database.transaction() as tx:
        for table, columns in BOOKS.items():
            rows = await tx.list_rows(f"SELECT {columns} FROM {table} ORDER BY 1, 2, 3, 4")
            sums[table] = (len(rows), hashlib.sha256(repr(rows).encode()).hexdigest())
    return sums


async def audit_rows(parts: Parts) -> list[dict]:
    async with parts.database.transaction() as tx:
        return await tx.list_rows("SELECT * FROM audit_entries ORDER BY id")


@pytest.mark.promise("C37", "X30")
async def test_no_trace_is_left_in_any_column_of_any_table(canary: Canary) -> None:
    before = await find_traces(canary.parts, TRACES)
    # Where nothing was put, nothing would be missed: the traces are in every table of a customer's.
    assert {table for table, _, _ in before} >= {
        "users", "api_customers", "user_sessions", "email_challenges", "recovery_codes", "spent_refresh_tokens",
        "invitations", "outbox_mails", "attempt_counts", "api_keys", "entitlement_adjustments",
        "subscription_changes", "api_usage_logs", "support_tickets", "ticket_messages", "feedback_entries",
        "idempotency_records", "models", "runs", "analytics_events", "webhooks", "webhook_deliveries",
        "webhook_signing_secrets", "alerts", "key_networks", "batches", "goal_seeks",
    }  # fmt: skip
    answer = await canary.erase()
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"message": "Everything was erased", "people_erased": 2, "people_left": 0}
    assert await find_traces(canary.parts, TRACES) == set()


async def erase(canary: Canary) -> None:
    assert (await canary.erase()).status_code == 200


async def delete_whole(canary: Canary) -> None:
    async with canary.parts.database.transaction() as tx:
        await tx.execute(
            "UPDATE users SET email_verified_at = NULL WHERE email = %(email)s", {"email": EMAIL}
        )
    async with canary.parts.database.transaction() as tx:
        assert await lifecycle.delete_unverified(tx, canary.customer, read_now())


@pytest.mark.promise("C37", "X30")
@pytest.mark.parametrize("remove", [erase, delete_whole])
async def test_calls_that_lay_in_a_journal_arrive_without_address_and_browser(
    canary: Canary, ben: Visitor, tmp_path: Path, remove: Callable[[Canary], Awaitable[None]]
) -> None:
    database = canary.parts.database
    async with database.transaction() as tx:
        of_ben = await tx.find_value("SELECT id FROM api_customers WHERE company_name = 'Other Ltd'")
    journal = Journal.open(tmp_path / "journal", await begin_source(database, "late", read_now()))
    late = Written(
        customer_id=canary.customer.id, ip_address=ADDRESS, user_agent="Zwitscher/1.0", request_id="req_late"
    )
    late.append_to(journal)
    replace(late, customer_id=of_ben, user_agent="of somebody else").append_to(journal)
    await remove(canary)
    shipper = Shipper(database, tmp_path / "journal")
    assert await shipper.ship_once() == 2
    async with database.transaction() as tx:
        rows = await tx.list_rows(
            "SELECT host(ip_address) AS address, user_agent, status_code FROM api_usage_logs"
            " WHERE request_id = 'req_late' ORDER BY user_agent"
        )
    assert rows == [
        {"address": None, "user_agent": "", "status_code": 200},
        {"address": ADDRESS, "user_agent": "of somebody else", "status_code": 200},
    ]
    journal.close()
    shipper.close()


@pytest.mark.promise("C37", "X30")
@pytest.mark.parametrize("remove", [erase, delete_whole])
async def test_an_erasure_waits_for_calls_that_are_being_written_to_the_log(
    canary: Canary, remove: Callable[[Canary], Awaitable[None]]
) -> None:
    waiting = """
        SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
        WHERE datname = current_database() AND locktype = 'advisory' AND NOT granted
    """
    async with canary.parts.database.transaction() as tx:
        await usage_operations.await_erasures(tx)
        await tx.execute(
            """
            INSERT INTO api_usage_logs (endpoint, method, status_code, response_time_ms, request_timestamp, ip_address,
                user_agent, customer_id, product, mode, units, request_id)
            VALUES ('/', 'GET', 200, 1, now(), %(ip)s, 'Zwitscher/1.0', %(customer_id)s, 'montecarlo', 'live', 0,
                'req_1')
            """,
            {"ip": ADDRESS, "customer_id": canary.customer.id},
        )
        removing = asyncio.create_task(remove(canary))
        while not removing.done() and not await tx.find_value(waiting):
            pass
        assert not removing.done()
    await removing
    async with canary.parts.database.transaction() as tx:
        left = await tx.find_value(
            "SELECT count(*) FROM api_usage_logs WHERE request_id = 'req_1' AND ip_address IS NOT NULL"
        )
    assert left == 0
    if remove is erase:
        assert await find_traces(canary.parts, TRACES) == set()


@pytest.mark.promise("C37", "X30")
async def test_the_books_and_the_audit_list_stay_whole(canary: Canary) -> None:
    books_before, entries_before = await books(canary.parts), await audit_rows(canary.parts)
    assert (await canary.erase()).status_code == 200
    assert await books(canary.parts) == books_before
    entries = await audit_rows(canary.parts)
    assert entries[: len(entries_before)] == entries_before
    assert [one["action"] for one in entries[len(entries_before) :]] == ["customer.erased"]
    async with canary.parts.database.transaction() as tx:
        proofs = {await audit.prove_person(tx, one["id"]) for one in entries}
    assert proofs == {Proof.ERASED, Proof.NOT_COMMITTED}


@pytest.mark.promise("C37")
async def test_whoever_was_erased_is_signed_out_and_may_sign_up_again(canary: Canary) -> None:
    assert (await canary.erase()).status_code == 200
    assert (await canary.client.get("/api/customers/me/exports")).status_code == 401
    async with visiting(canary.parts, "127.0.0.9") as visitor:
        await visitor.sign_up(EMAIL, COMPANY)
        assert (await visitor.verify(EMAIL)).status_code == 303
        assert (await visitor.get("/dashboard")).status_code == 200


async def test_the_nightly_deletion_leaves_the_books_of_an_erased_customer_alone(canary: Canary) -> None:
    assert (await canary.erase()).status_code == 200
    async with canary.parts.database.transaction() as tx:
        await tx.execute("UPDATE users SET created_at = created_at - interval '90 days'")
        due = await retention.list_unverified_customers(tx, read_now(), 100)
    assert due == []


async def test_every_file_is_let_go_of(canary: Canary) -> None:
    assert (await canary.erase()).status_code == 200
    async with canary.parts.database.transaction() as tx:
        rows = await tx.list_rows("SELECT name FROM discarded_blobs")
    assert {row["name"] for row in rows} >= set(canary.blobs)


async def test_the_entitlement_ends_with_the_customer(canary: Canary) -> None:
    assert (await canary.erase()).status_code == 200
    async with canary.parts.database.transaction() as tx:
        held = await plans.list_held(tx, canary.customer.id, read_now())
    assert held
    assert all(one.read_only for one in held)


async def test_whoever_belongs_to_another_customer_too_only_leaves(canary: Canary, ben: Visitor) -> None:
    now = read_now()
    async with canary.parts.database.transaction() as tx:
        user = await customers.find_verified_user(tx, "ben@example.com")
        assert user is not None
        await members.add_member(tx, canary.customer.id, user.id, Role.BILLING, now)
    answer = await canary.erase()
    assert answer.json()["people_left"] == 1
    async with canary.parts.database.transaction() as tx:
        assert await customers.find_verified_user(tx, "ben@example.com") == user
        names = [one.company_name for one in await members.list_memberships(tx, user.id)]
    assert names == ["Other Ltd"]
    assert (await ben.get("/dashboard")).status_code == 200


async def test_nothing_of_another_customer_is_touched(canary: Canary, ben: Visitor) -> None:
    async def all_of_ben() -> list[list[dict]]:
        async with canary.parts.database.transaction() as tx:
            return [
                await tx.list_rows(f"SELECT * FROM {table} ORDER BY id")
                for table in ("users", "api_customers", "api_keys", "api_subscriptions", "user_sessions")
            ]

    def of_ben(tables: list[list[dict]]) -> str:
        return "".join(repr(row) for rows in tables for row in rows if row["id"] > 2 and "Other" in repr(row))

    before = of_ben(await all_of_ben())
    assert (await canary.erase()).status_code == 200
    assert of_ben(await all_of_ben()) == before
    async with canary.parts.database.transaction() as tx:
        mails = await tx.find_value("SELECT count(*) FROM outbox_mails WHERE to_address = 'ben@example.com'")
    assert mails >= 2


async def test_a_company_named_like_a_word_of_every_mail_stops_nobodys_mail(
    parts: Parts, stranger: Visitor, ben: Visitor
) -> None:
    await stranger.sign_up("mallory@example.com", "e")
    await stranger.verify("mallory@example.com")
    async with parts.database.transaction() as tx:
        waiting = "SELECT public_id FROM outbox_mails WHERE to_address = 'ben@example.com' ORDER BY id"
        before = await tx.list_rows(waiting)
    answer = await stranger.client.request(
        "DELETE", "/api/customers/me/data", json={"company_name": "e"}, headers=SAME_ORIGIN
    )
    assert answer.status_code == 200
    async with parts.database.transaction() as tx:
        assert await tx.list_rows(waiting) == before


async def test_an_address_that_ends_anothers_stops_nobodys_mail(
    parts: Parts, stranger: Visitor, ben: Visitor
) -> None:
    await ben.post("/team/invitations", {"email": "colleague@example.com", "role": "viewer"})
    assert "ben@example.com" in await ben.newest_mail("colleague@example.com")
    await stranger.sign_up("en@example.com", "Mallory")
    await stranger.verify("en@example.com")
    answer = await stranger.client.request(
        "DELETE", "/api/customers/me/data", json={"company_name": "Mallory"}, headers=SAME_ORIGIN
    )
    assert answer.status_code == 200
    assert "ben@example.com" in await ben.newest_mail("colleague@example.com")


async def test_the_name_must_be_typed(canary: Canary) -> None:
    answer = await canary.client.request(
        "DELETE", "/api/customers/me/data", json={"company_name": "Kanarienvogel"}, headers=SAME_ORIGIN
    )
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/company_name"
    answer = await canary.client.request(
        "DELETE", "/api/customers/me/data", json={"name": 1}, headers=SAME_ORIGIN
    )
    assert answer.status_code == 422
    assert {one["pointer"] for one in answer.json()["errors"]} == {"/company_name", "/name"}


async def test_a_key_a_stranger_and_a_sign_in_of_yesterday_may_not_erase(canary: Canary) -> None:
    body = {"company_name": COMPANY}
    path = "/api/customers/me/data"
    async with visiting(canary.parts) as nobody:
        assert (await nobody.client.request("DELETE", path, json=body)).status_code == 401
        shown = await canary.visitor.post("/dashboard/key")
        secret = next(
            word
            for word in shown.text.replace("<", " ").replace(">", " ").split()
            if word.startswith("mc_test_") and len(word) == 40
        )
        refused = await nobody.client.request(
            "DELETE", path, json=body, headers={"Authorization": f"Bearer {secret}"}
        )
        assert (refused.status_code, refused.json()["code"]) == (403, "permission-missing")
    async with canary.parts.database.transaction() as tx:
        await tx.execute("UPDATE user_sessions SET proven_at = proven_at - interval '1 day'")
    refused = await canary.erase()
    assert (refused.status_code, refused.json()["code"]) == (403, "sign-in-again")


async def test_an_address_that_is_not_proven_erases_nothing(parts: Parts, stranger: Visitor) -> None:
    await stranger.sign_up("eve@example.com")
    answer = await stranger.client.request(
        "DELETE", "/api/customers/me/data", json={"company_name": "Example Ltd"}, headers=SAME_ORIGIN
    )
    assert (answer.status_code, answer.json()["code"]) == (403, "address-not-verified")


async def test_whoever_never_verified_is_deleted_whole_whatever_they_made(canary: Canary) -> None:
    """Every table that has rows of a customer is known to the nightly deletion."""
    now = read_now()
    async with canary.parts.database.transaction() as tx:
        await tx.execute(
            "UPDATE users SET email_verified_at = NULL WHERE email = %(email)s", {"email": EMAIL}
        )
    async with canary.parts.database.transaction() as tx:
        assert await lifecycle.delete_unverified(tx, canary.customer, now)
    async with canary.parts.database.transaction() as tx:
        tables = await tx.list_rows(
            "SELECT table_name FROM information_schema.columns WHERE column_name = 'customer_id'"
        )
        left = {
            row["table_name"]
            for row in tables
            if await tx.find_value(
                f"SELECT count(*) FROM {row['table_name']} WHERE customer_id = %(id)s",
                {"id": canary.customer.id},
            )
        }
    assert len(tables) > 10
    # That something changed is told to the servers by the customer's number alone, and forgotten after an hour.
    assert left == {"audit_entries", "admission_changes"}
