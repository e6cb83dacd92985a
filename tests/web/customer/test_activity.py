"""The activity page: what was done for or to the customer, as a page and as a file."""

import csv
import io

import pytest
from tests.web.conftest import Visitor

from tollway.audit import operations as audit
from tollway.customers import member_operations as members
from tollway.customers import operations as customers
from tollway.customers.permissions import Role, UserType
from tollway.kit.clock import read_now


async def customer_id_of(visitor: Visitor, email: str) -> int:
    async with visitor.parts.database.transaction() as tx:
        user = await customers.find_verified_user(tx, email)
        assert user
        customer = await customers.find_customer_of(tx, user.id)
    assert customer
    return customer.id


async def record(visitor: Visitor, email: str, count: int = 1, **changed: object) -> None:
    """Write entries into the list of the customer of `email`."""
    entry: dict = {
        "action": "api_key.revoked",
        "customer_id": await customer_id_of(visitor, email),
        "actor": "user:usr_1",
        "actor_name": "colleague@example.com",
        "subject": "mc_test_abcdefgh",
        "address": "192.0.2.7",
        "now": read_now(),
    }
    async with visitor.parts.database.transaction() as tx:
        for _ in range(count):
            await audit.record_entry(tx, **(entry | changed))


@pytest.mark.promise("C33", "B46")
async def test_what_a_customer_did_is_listed_with_who_and_from_where(ana: Visitor) -> None:
    assert (await ana.post("/dashboard/key")).status_code == 200
    page = await ana.get("/activity")
    assert page.status_code == 200
    assert '<a href="/activity" aria-current="page">' in page.text
    row = page.text.partition("Revealed a test key")[2].partition("</tr>")[0]
    assert "ana@example.com" in row
    assert "127.0.0.1" in row


async def test_a_customer_sees_nothing_of_another(ana: Visitor, ben: Visitor) -> None:
    await record(ben, "ben@example.com", actor_name="only-ben@example.com")
    for path in ("/activity", "/activity.csv", "/activity?actor=only-ben@example.com"):
        assert "mc_test_abcdefgh" not in (await ana.get(path)).text
    assert "only-ben@example.com" in (await ben.get("/activity")).text


async def test_the_form_chooses_and_keeps_what_was_typed(ana: Visitor) -> None:
    await record(ana, "ana@example.com")
    chosen = await ana.get("/activity?action=api_key.&actor=colleague@example.com&from=2020-01-01")
    assert "Revoked an API key" in chosen.text
    assert "Signed in" not in chosen.text
    assert '<option value="api_key." selected>API keys</option>' in chosen.text
    assert 'value="colleague@example.com"' in chosen.text
    assert 'value="2020-01-01"' in chosen.text
    nothing = await ana.get("/activity?until=2020-01-01")
    assert "Nothing matches" in nothing.text


async def test_a_day_that_is_none_is_explained_beside_its_field(ana: Visitor) -> None:
    page = await ana.get("/activity?from=someday&until=2020-01-01")
    assert page.status_code == 422
    assert 'id="error-from"' in page.text
    assert 'value="2020-01-01"' in page.text
    assert "Nothing matches" not in page.text
    assert (await ana.get("/activity.csv?from=someday")).status_code == 422
    assert (await ana.get("/activity?cursor=nonsense")).status_code == 422


async def test_older_entries_are_a_page_away_and_stay_chosen(ana: Visitor) -> None:
    await record(ana, "ana@example.com", count=51)
    first = await ana.get("/activity?action=api_key.")
    assert "50 entries shown" in first.text
    older = first.text.partition('" rel="next"')[0].rpartition('href="')[2].replace("&amp;", "&")
    assert older.startswith("/activity?action=api_key.&cursor=")
    second = await ana.get(older)
    assert "1 entry shown" in second.text
    assert 'href="/activity?action=api_key."' in second.text


async def test_the_file_holds_what_the_form_chose(ana: Visitor) -> None:
    await record(ana, "ana@example.com", count=2, actor_name="=cmd()")
    answer = await ana.get("/activity.csv?action=api_key.revoked")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"].startswith('attachment; filename="activity-')
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert [(row["action"], row["actor_name"]) for row in rows] == [("api_key.revoked", "'=cmd()")] * 2


async def test_where_a_person_was_erased_the_reader_sees_so(ana: Visitor) -> None:
    await record(ana, "ana@example.com")
    async with ana.parts.database.transaction() as tx:
        await audit.erase_persons(tx, customer_id=await customer_id_of(ana, "ana@example.com"))
    page = await ana.get("/activity?action=api_key.revoked")
    assert page.text.count("erased") == 2
    assert "colleague@example.com" not in page.text
    assert "Revoked an API key" in page.text


async def test_staff_is_named_to_customers_as_staff(ana: Visitor) -> None:
    async with ana.parts.database.transaction() as tx:
        staff = await customers.create_administrator(tx, "staff@example.org", UserType.ADMIN, read_now())
    await record(
        ana,
        "ana@example.com",
        action="customer.suspended",
        actor=f"user:{staff.public_id}",
        actor_name=staff.email,
        address="198.51.100.9",
    )
    for path in ("/activity", "/activity.csv", "/api/activity"):
        text = (await ana.get(path)).text
        assert "Suspended the customer" in text
        assert "staff@example.org" not in text
        assert "198.51.100.9" not in text


async def test_a_viewer_of_the_team_is_not_offered_the_page_and_may_not_open_it(ana: Visitor) -> None:
    async with ana.parts.database.transaction() as tx:
        (owner,) = await members.list_members(tx, await customer_id_of(ana, "ana@example.com"))
        another, _ = await customers.create_user_and_customer(
            tx, "second@example.com", "Second Ltd", "Stress Testing", read_now()
        )
        await members.add_member(tx, owner.customer_id, another.id, Role.OWNER, read_now())
        await members.change_role(tx, owner, Role.VIEWER)
    assert 'href="/activity"' not in (await ana.get("/dashboard")).text
    for path in ("/activity", "/activity.csv", "/api/activity"):
        assert (await ana.get(path)).status_code == 403


async def test_a_stranger_is_sent_to_sign_in(stranger: Visitor) -> None:
    assert (await stranger.get("/activity")).headers["location"] == "/signin?next=/activity"
    assert (await stranger.client.get("/activity.csv")).status_code == 401
