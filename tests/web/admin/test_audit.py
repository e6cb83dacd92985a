"""Everybody's audit list, for administrators."""

import csv
import io
from collections.abc import AsyncIterator

import pytest
from tests.web.conftest import Visitor, visiting

from tollway.app import Parts
from tollway.audit import operations as audit
from tollway.customers import operations as customers
from tollway.customers.entities import Visit
from tollway.customers.permissions import UserType
from tollway.kit.clock import read_now
from tollway.kit.cookies import LOCAL_NAME


@pytest.fixture
async def auditor(parts: Parts, catalog: None) -> AsyncIterator[Visitor]:
    """An administrator who is no customer, signed in with a second factor."""
    now = read_now()
    async with parts.database.transaction() as tx:
        user = await customers.create_administrator(tx, "auditor@example.org", UserType.ADMIN, now)
        visit = Visit("127.0.0.3", "tests", now)
        secret = await customers.create_session(tx, user.id, visit, second_factor=True)
    async with visiting(parts, "127.0.0.3") as visitor:
        visitor.client.cookies.set(LOCAL_NAME, secret, domain="localhost.local")
        yield visitor


async def public_id_of(visitor: Visitor, email: str) -> str:
    async with visitor.parts.database.transaction() as tx:
        user = await customers.find_verified_user(tx, email)
        assert user
        customer = await customers.find_customer_of(tx, user.id)
    assert customer
    return customer.public_id


@pytest.mark.promise("B46")
async def test_an_administrator_sees_what_everybody_did(ana: Visitor, ben: Visitor, auditor: Visitor) -> None:
    page = await auditor.get("/admin/audit")
    assert page.status_code == 200, page.text
    for email in ("ana@example.com", "ben@example.com"):
        assert email in page.text
        assert f'href="/admin/api-customers/{await public_id_of(ana, email)}"' in page.text
    assert "Made an administrator" in page.text


async def test_one_customer_can_be_chosen(ana: Visitor, ben: Visitor, auditor: Visitor) -> None:
    chosen = await auditor.get(f"/admin/audit?customer={await public_id_of(ana, 'ana@example.com')}")
    assert "ana@example.com" in chosen.text
    assert "ben@example.com" not in chosen.text
    assert "Made an administrator" not in chosen.text


@pytest.mark.parametrize("wrong", ["cus_0000000000000000", "Example Ltd", "%00", "x" * 5_000])
async def test_a_customer_who_is_not_there_is_said_beside_the_field(auditor: Visitor, wrong: str) -> None:
    page = await auditor.get(f"/admin/audit?customer={wrong}")
    assert page.status_code == 422
    assert 'id="error-customer"' in page.text
    assert (await auditor.get(f"/admin/audit.csv?customer={wrong}")).status_code == 422


async def test_the_file_says_whose_each_entry_is_and_that_it_was_taken(
    ana: Visitor, auditor: Visitor
) -> None:
    answer = await auditor.get("/admin/audit.csv?action=customer.signed_up")
    (row,) = csv.DictReader(io.StringIO(answer.text, newline=""))
    assert (row["actor_name"], row["description"]) == ("ana@example.com", "Signed up")
    everything = await auditor.get("/admin/audit.csv")
    rows = list(csv.DictReader(io.StringIO(everything.text, newline="")))
    assert await public_id_of(ana, "ana@example.com") in {row["customer"] for row in rows}
    async with auditor.parts.database.transaction() as tx:
        newest, before = (await audit.list_all_entries(tx, limit=2)).items
    assert {newest.action, before.action} == {"audit.exported"}
    assert (newest.actor_name, newest.customer_id) == ("auditor@example.org", None)


async def test_to_everyone_else_the_page_does_not_exist(ana: Visitor, stranger: Visitor) -> None:
    for path in ("/admin/audit", "/admin/audit.csv"):
        assert (await ana.get(path)).status_code == 404
        assert (await stranger.get(path)).status_code in (303, 401)
