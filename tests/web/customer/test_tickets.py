"""Support of somebody who is signed in: tickets, their pages, and feedback."""

import re

import pytest
from tests.web.conftest import Visitor, visiting

from tollway.app import Parts
from tollway.customers import member_operations as members
from tollway.customers import operations as customers
from tollway.customers.entities import Visit
from tollway.customers.permissions import Role, UserType
from tollway.kit.clock import read_now
from tollway.kit.cookies import LOCAL_NAME

TICKET = {"topic": "integration", "subject": "A <b>question</b>", "message": "First line\nsecond <i>line</i>"}


async def open_ticket(visitor: Visitor, **changed: str) -> str:
    """Open a ticket and return its page's address."""
    answer = await visitor.post("/support/tickets", {**TICKET, **changed})
    assert answer.status_code == 303, answer.text
    return answer.headers["location"].partition("?")[0]


async def run(parts: Parts, statement: str) -> None:
    async with parts.database.transaction() as tx:
        await tx.execute(statement)


@pytest.mark.promise("A18", "A39", "A51")
async def test_a_customer_opens_a_ticket_and_reads_by_when_it_is_answered(ana: Visitor) -> None:
    empty = await ana.get("/support")
    assert "No ticket yet" in empty.text
    assert "within 4 hours" in empty.text
    path = await open_ticket(ana)
    page = await ana.get(f"{path}?notice=opened")
    assert page.status_code == 200
    assert "A person answers by" in page.text
    assert "Would a call help?" in page.text
    assert "A &lt;b&gt;question&lt;/b&gt;" in page.text
    assert "First line\nsecond &lt;i&gt;line&lt;/i&gt;" in page.text
    listed = await ana.get("/support")
    assert f'href="{path}"' in listed.text
    assert '<a href="/support" aria-current="page">' in listed.text
    assert "within 4 hours" in await ana.newest_mail("ana@example.com")


async def test_what_cannot_be_taken_is_said_beside_its_field_and_kept(ana: Visitor) -> None:
    answer = await ana.post("/support/tickets", {"topic": "gossip", "subject": "", "message": "kept words"})
    assert answer.status_code == 422
    assert answer.text.count('aria-invalid="true"') == 2
    assert "kept words" in answer.text
    answer = await ana.post("/support/feedback", {"feature": "Charts", "rating": "many", "feedback": "kept"})
    assert answer.status_code == 422
    assert answer.text.count('aria-invalid="true"') == 1
    assert "Rate it from 1 to 5" in answer.text


async def test_a_ticket_is_written_to_closed_and_opened_again(ana: Visitor, parts: Parts) -> None:
    path = await open_ticket(ana)
    assert (await ana.post(f"{path}/messages", {"message": ""})).status_code == 422
    assert (await ana.post(f"{path}/messages", {"message": "More of it."})).status_code == 303
    assert "More of it." in (await ana.get(path)).text
    assert (await ana.post(f"{path}/close")).status_code == 303
    closed = (await ana.get(path)).text
    assert "your message opens it again" in closed
    assert "Close the ticket" not in closed
    assert (await ana.post(f"{path}/messages", {"message": "Not yet."})).status_code == 303
    assert "Close the ticket" in (await ana.get(path)).text
    await ana.post(f"{path}/close")
    await run(parts, "UPDATE support_tickets SET closed_at = closed_at - interval '31 days'")
    assert "closed more than 30 days ago" in (await ana.get(path)).text
    refused = await ana.post(f"{path}/messages", {"message": "Hello?"})
    assert refused.status_code == 409


async def test_a_late_answer_is_owned_up_to(ana: Visitor, parts: Parts) -> None:
    path = await open_ticket(ana, topic="billing")
    await run(parts, "UPDATE support_tickets SET response_due_at = now() - interval '1 minute'")
    page = (await ana.get(path)).text
    assert "We are late." in page
    assert "Would a call help?" not in page
    assert "Overdue" in (await ana.get("/support")).text


async def test_another_customers_ticket_is_not_there(ana: Visitor, ben: Visitor) -> None:
    path = await open_ticket(ana)
    assert (await ben.get(path)).status_code == 404
    assert (await ben.post(f"{path}/messages", {"message": "Hello"})).status_code == 404
    assert (await ben.post(f"{path}/close")).status_code == 404
    assert path not in (await ben.get("/support")).text


async def test_a_stranger_is_led_to_sign_in_and_has_the_mail_form(stranger: Visitor) -> None:
    answer = await stranger.get("/support/tickets/tkt_0000000000000000")
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/signin")
    form = (await stranger.get("/support")).text
    assert 'action="/support"' in form
    assert "/support/tickets" not in form


async def test_a_form_of_another_site_opens_nothing(ana: Visitor, parts: Parts) -> None:
    for path, form in (
        ("/support/tickets", TICKET),
        ("/support/feedback", {"feature": "Charts", "feedback": "Fine."}),
    ):
        answer = await ana.client.post(path, data=form, headers={"Origin": "https://evil.example"})
        assert answer.status_code == 403
    async with parts.database.transaction() as tx:
        assert await tx.find_value("SELECT count(*) FROM support_tickets") == 0
        assert await tx.find_value("SELECT count(*) FROM feedback_entries") == 0


async def test_tickets_are_turned_by_pages(ana: Visitor, parts: Parts) -> None:
    path = await open_ticket(ana, subject="The first of all")
    await run(
        parts,
        """
        INSERT INTO support_tickets (public_id, customer_id, topic, subject, status, created_at, updated_at,
            response_due_at)
        SELECT 'tkt_' || n, customer_id, topic, 'Another', status, created_at, updated_at, response_due_at
        FROM support_tickets, generate_series(1, 20) n
        """,
    )
    first = (await ana.get("/support")).text
    assert "The first of all" not in first
    following = re.search(r'href="(/support\?cursor=[^"]+)"', first)
    assert following
    assert f'href="{path}"' in (await ana.get(following[1])).text


async def test_the_twenty_first_ticket_of_a_day_waits_and_what_was_typed_is_kept(
    ana: Visitor, parts: Parts
) -> None:
    await open_ticket(ana)
    await run(
        parts,
        """
        INSERT INTO support_tickets (public_id, customer_id, topic, subject, status, created_at, updated_at,
            response_due_at)
        SELECT 'tkt_' || n, customer_id, topic, subject, status, created_at, updated_at, response_due_at
        FROM support_tickets, generate_series(2, 20) n
        """,
    )
    answer = await ana.post("/support/tickets", TICKET | {"message": "kept words"})
    assert answer.status_code == 429
    assert "20 tickets opened within 24 hours" in answer.text
    assert "kept words" in answer.text


@pytest.mark.promise("A23")
async def test_feedback_is_thanked_for_and_its_rating_may_be_left_out(ana: Visitor, parts: Parts) -> None:
    for rating in ("5", ""):
        form = {"feature": "Charts", "rating": rating, "feedback": "Fine."}
        answer = await ana.post("/support/feedback", form)
        assert answer.headers["location"] == "/support?notice=feedback"
    assert "Thank you." in (await ana.get("/support?notice=feedback")).text
    async with parts.database.transaction() as tx:
        kept = await tx.list_rows("SELECT rating FROM feedback_entries ORDER BY id")
    assert [row["rating"] for row in kept] == [5, None]


async def test_who_only_looks_gets_the_mail_form_beside_feedback(ana: Visitor, parts: Parts) -> None:
    now = read_now()
    await open_ticket(ana, subject="Not for viewers")
    async with parts.database.transaction() as tx:
        owner = await customers.find_verified_user(tx, "ana@example.com")
        assert owner
        customer = await customers.find_customer_of(tx, owner.id)
        assert customer
        user = await customers.create_verified_user(tx, "v@example.com", UserType.API_CUSTOMER, now)
        await members.add_member(tx, customer.id, user.id, Role.VIEWER, now)
        secret = await customers.create_session(tx, user.id, Visit("127.0.0.4", "tests", now))
    async with visiting(parts, "127.0.0.4") as viewer:
        viewer.client.cookies.set(LOCAL_NAME, secret, domain="localhost.local")
        page = (await viewer.get("/support")).text
        assert 'action="/support"' in page
        assert 'action="/support/feedback"' in page
        assert "Not for viewers" not in page
        assert (await viewer.post("/support/tickets", TICKET)).status_code == 403
        sent = await viewer.post("/support/feedback", {"feature": "Charts", "feedback": "Fine."})
        assert sent.status_code == 303
        mailed = await viewer.post("/support", {"subject": "A question", "message": "How?"})
        assert "it has arrived" in mailed.text


async def test_a_suspended_customer_may_still_ask(ana: Visitor, parts: Parts) -> None:
    await run(parts, "UPDATE api_customers SET suspended_at = now(), suspended_reason = 'Unpaid'")
    assert (await ana.get("/support")).status_code == 200
    path = await open_ticket(ana)
    assert (await ana.get(path)).status_code == 200


async def test_the_plan_whose_hours_count_is_named(ana: Visitor) -> None:
    page = (await ana.get("/support")).text
    assert "Free trial (montecarlo)" in page
