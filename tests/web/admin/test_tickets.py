"""The queue of tickets, one ticket, and feedback, for the people who answer."""

from collections.abc import AsyncIterator

import pytest
from tests.web.conftest import Visitor, visiting
from tests.web.customer.test_tickets import TICKET, open_ticket, run

from tollway.app import Parts
from tollway.customers import operations as customers
from tollway.customers.entities import Visit
from tollway.customers.permissions import UserType
from tollway.kit.clock import read_now
from tollway.kit.cookies import LOCAL_NAME


@pytest.fixture
async def staff(parts: Parts, catalog: None) -> AsyncIterator[Visitor]:
    """Somebody who answers, signed in with a second factor."""
    now = read_now()
    async with parts.database.transaction() as tx:
        user = await customers.create_administrator(tx, "staff@example.org", UserType.ADMIN, now)
        visit = Visit("127.0.0.3", "tests", now)
        secret = await customers.create_session(tx, user.id, visit, second_factor=True)
    async with visiting(parts, "127.0.0.3") as visitor:
        visitor.client.cookies.set(LOCAL_NAME, secret, domain="localhost.local")
        yield visitor


def staff_path(path: str) -> str:
    return path.replace("/support/", "/admin/")


@pytest.mark.promise("A39", "B50", "A51")
async def test_staff_answers_what_a_customer_asked_and_the_customer_reads_it(
    ana: Visitor, staff: Visitor
) -> None:
    path = await open_ticket(ana)
    queue = await staff.get("/admin/tickets")
    assert queue.status_code == 200, queue.text
    assert f'href="{staff_path(path)}"' in queue.text
    page = await staff.get(staff_path(path))
    assert "First answer due by" in page.text
    assert "Example Ltd" in page.text
    assert 'href="/admin/api-customers/cus_' in page.text
    assert (await staff.post(f"{staff_path(path)}/answer", {"message": " "})).status_code == 422
    answer = await staff.post(f"{staff_path(path)}/answer", {"message": "Send a <smaller> file."})
    assert answer.status_code == 303
    assert "staff@example.org" in (await staff.get(staff_path(path))).text
    assert "Send a <smaller> file." in await ana.newest_mail("ana@example.com")
    read = (await ana.get(path)).text
    assert "Send a &lt;smaller&gt; file." in read
    assert "staff@example.org" not in read
    assert "Answered" in read


async def test_staff_answers_and_closes_in_one_step_or_closes_alone(ana: Visitor, staff: Visitor) -> None:
    path, other = await open_ticket(ana), await open_ticket(ana)
    await staff.post(f"{staff_path(path)}/answer", {"message": "Done.", "then": "close"})
    await staff.post(f"{staff_path(other)}/close")
    for one in (path, other):
        assert "your message opens it again" in (await ana.get(one)).text
    assert "Your ticket is closed" in await ana.newest_mail("ana@example.com")


async def test_the_most_urgent_stands_first_and_what_is_overdue_is_marked(
    ana: Visitor, ben: Visitor, staff: Visitor, parts: Parts
) -> None:
    calm, late = await open_ticket(ana, subject="Calm"), await open_ticket(ben, subject="Late")
    await run(
        parts,
        "UPDATE support_tickets SET response_due_at = now() - interval '1 hour' WHERE subject = 'Late'",
    )
    text = (await staff.get("/admin/tickets")).text
    assert text.index(staff_path(late)) < text.index(staff_path(calm))
    assert text.count("Overdue</span>") == 1
    await staff.post(f"{staff_path(late)}/close")
    only_open = (await staff.get("/admin/tickets?status=open")).text
    assert staff_path(calm) in only_open
    assert staff_path(late) not in only_open


@pytest.mark.promise("B50")
async def test_one_customers_tickets_can_be_chosen(
    ana: Visitor, ben: Visitor, staff: Visitor, parts: Parts
) -> None:
    mine, theirs = await open_ticket(ana), await open_ticket(ben)
    async with parts.database.transaction() as tx:
        user = await customers.find_verified_user(tx, "ana@example.com")
        assert user
        customer = await customers.find_customer_of(tx, user.id)
        assert customer
    chosen = (await staff.get(f"/admin/tickets?customer={customer.public_id}")).text
    assert staff_path(mine) in chosen
    assert staff_path(theirs) not in chosen
    for wrong in ("cus_0000000000000000", "Example", "%00"):
        assert (await staff.get(f"/admin/tickets?customer={wrong}")).status_code == 404


@pytest.mark.promise("B60")
async def test_the_volume_of_tickets_stands_over_the_queue(ana: Visitor, staff: Visitor) -> None:
    assert "none yet" in (await staff.get("/admin/tickets")).text
    path = await open_ticket(ana)
    await staff.post(f"{staff_path(path)}/answer", {"message": "So."})
    text = (await staff.get("/admin/tickets")).text
    assert "<dt>First answers in time</dt><dd>1 of 1, 100%</dd>" in text
    assert "<dt>Opened</dt><dd>1</dd>" in text


@pytest.mark.promise("A23")
async def test_feedback_reaches_those_who_develop(ana: Visitor, staff: Visitor) -> None:
    assert "No feedback yet" in (await staff.get("/admin/feedback")).text
    await ana.post(
        "/support/feedback", {"feature": "Charts", "rating": "4", "feedback": "More <b>colours</b>"}
    )
    text = (await staff.get("/admin/feedback")).text
    assert "4 of 5" in text
    assert "More &lt;b&gt;colours&lt;/b&gt;" in text
    assert "ana@example.com" in text


async def test_to_everybody_else_the_queue_does_not_exist(ana: Visitor, stranger: Visitor) -> None:
    path = staff_path(await open_ticket(ana))
    for address in ("/admin/tickets", path, "/admin/feedback"):
        assert (await ana.get(address)).status_code == 404
        assert (await stranger.get(address)).headers["location"].startswith("/signin")
    assert (await ana.post(f"{path}/answer", {"message": "I answer myself."})).status_code == 404
    assert "I answer myself." not in (await ana.get(path.replace("/admin/", "/support/"))).text
    assert (await ana.post("/support/tickets", TICKET)).status_code == 303
