"""`/api/support/tickets` and `/api/feedback` through the whole application."""

import httpx
import pytest
from tests.support.conftest import TICKET, Help, Speaker, api_key, speaking

from tollway.app import Parts
from tollway.customers.permissions import Role, Scope
from tollway.kit.clock import read_now

FEEDBACK = {"feature": "Tornado charts", "rating": 4, "feedback": "I would like to hide small bars."}
ENDPOINTS = [
    ("POST", "/api/support/tickets", TICKET),
    ("GET", "/api/support/tickets", None),
    ("GET", "/api/support/tickets/{id}", None),
    ("POST", "/api/support/tickets/{id}/messages", {"message": "More."}),
    ("POST", "/api/support/tickets/{id}/close", None),
    ("POST", "/api/feedback", FEEDBACK),
]
OF_ONE = [one for one in ENDPOINTS if "{id}" in one[1]]


async def call(client: httpx.AsyncClient, method: str, path: str, body: object, **headers: str):
    return await client.request(method, path, json=body, headers=headers)


@pytest.mark.parametrize(("method", "path", "body"), ENDPOINTS)
async def test_a_stranger_is_asked_who_they_are(client, ticket, method, path, body):
    answer = await call(client, method, path.format(id=ticket["id"]), body)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(("method", "path", "body"), OF_ONE)
async def test_another_customers_ticket_is_not_there(client, desk, ticket, ben: Speaker, method, path, body):
    theirs = await call(client, method, path.format(id=ticket["id"]), body, **ben.headers)
    nobodys = await call(client, method, path.format(id="tkt_0000000000000000"), body, **ben.headers)
    assert theirs.status_code == nobodys.status_code == 404
    assert theirs.json()["code"] == nobodys.json()["code"] == "ticket-not-found"
    assert theirs.json()["message"] == nobodys.json()["message"]
    assert await desk.rows("SELECT id FROM support_tickets WHERE status <> 'open'") == []
    assert len(await desk.rows("SELECT id FROM ticket_messages")) == 1


@pytest.mark.parametrize(
    ("path", "body", "pointers"),
    [
        ("/api/support/tickets", {}, ["/topic", "/subject", "/message"]),
        ("/api/support/tickets", TICKET | {"topic": "gossip"}, ["/topic"]),
        ("/api/support/tickets", TICKET | {"subject": " "}, ["/subject"]),
        ("/api/support/tickets", TICKET | {"subject": "a\nb"}, ["/subject"]),
        ("/api/support/tickets", TICKET | {"subject": "s" * 201}, ["/subject"]),
        ("/api/support/tickets", TICKET | {"message": "m" * 5_001}, ["/message"]),
        ("/api/support/tickets", TICKET | {"message": "a\0b"}, ["/message"]),
        ("/api/support/tickets", TICKET | {"message": 5}, ["/message"]),
        ("/api/support/tickets", TICKET | {"urgent": True}, ["/urgent"]),
        ("/api/support/tickets/{id}/messages", {"message": ""}, ["/message"]),
        ("/api/feedback", {}, ["/feature", "/feedback"]),
        ("/api/feedback", FEEDBACK | {"rating": 6}, ["/rating"]),
        ("/api/feedback", FEEDBACK | {"rating": "5"}, ["/rating"]),
        ("/api/feedback", FEEDBACK | {"feature": "f" * 101}, ["/feature"]),
    ],
)
async def test_a_body_that_cannot_be_used_is_told_by_pointer(
    client, ana: Speaker, ticket, path, body, pointers
):
    answer = await client.post(path.format(id=ticket["id"]), json=body, headers=ana.headers)
    assert answer.status_code == 422
    assert [one["pointer"] for one in answer.json()["errors"]] == pointers


@pytest.mark.parametrize(
    ("path", "body", "table"),
    [
        ("/api/support/tickets", TICKET, "support_tickets"),
        ("/api/support/tickets/{id}/messages", {"message": "More."}, "ticket_messages"),
        ("/api/feedback", FEEDBACK, "feedback_entries"),
    ],
)
async def test_a_repeated_idempotency_key_has_one_effect(client, desk: Help, ana, ticket, path, body, table):
    async def count() -> int:
        return len(await desk.rows(f"SELECT id FROM {table}"))

    path, headers = path.format(id=ticket["id"]), ana.headers | {"Idempotency-Key": "0b5c7a"}
    before = await count()
    first = await client.post(path, json=body, headers=headers)
    second = await client.post(path, json=body, headers=headers)
    assert first.status_code == second.status_code == 201
    assert first.json() == second.json()
    assert await count() == before + 1
    other = await client.post(path, json=body | dict.fromkeys(list(body)[-1:], "x"), headers=headers)
    assert other.status_code == 409
    assert other.json()["code"] == "idempotency-key-reused"


@pytest.mark.promise("A39", "A52")
async def test_a_ticket_is_opened_read_written_to_and_closed(client, ana: Speaker, ticket):
    assert ticket["status"] == "open"
    assert ticket["topic"] == "integration"
    assert ticket["opened_by"] == "ana@example.com"
    assert ticket["offers_call"] is True
    assert ticket["is_overdue"] is False
    assert ticket["messages"][0]["message"] == TICKET["message"]
    path = f"/api/support/tickets/{ticket['id']}"
    written = await client.post(f"{path}/messages", json={"message": "More."}, headers=ana.headers)
    assert [one["author"] for one in written.json()["messages"]] == ["ana@example.com"] * 2
    closed = await client.post(f"{path}/close", headers=ana.headers)
    assert closed.json()["status"] == "closed"
    assert closed.json() == (await client.post(f"{path}/close", headers=ana.headers)).json()
    assert closed.json() == (await client.get(path, headers=ana.headers)).json()


async def test_tickets_are_listed_newest_first_and_by_pages(client, ana: Speaker, ben: Speaker, ticket):
    for subject in ("Second", "Third"):
        await client.post("/api/support/tickets", json=TICKET | {"subject": subject}, headers=ana.headers)
    first = (await client.get("/api/support/tickets?limit=2", headers=ana.headers)).json()
    assert [one["subject"] for one in first["tickets"]] == ["Third", "Second"]
    rest = await client.get(
        "/api/support/tickets", params={"cursor": first["next_cursor"]}, headers=ana.headers
    )
    assert [one["id"] for one in rest.json()["tickets"]] == [ticket["id"]]
    assert rest.json()["next_cursor"] is None
    assert (await client.get("/api/support/tickets", headers=ben.headers)).json()["tickets"] == []
    bad = await client.get("/api/support/tickets?cursor=x", headers=ana.headers)
    assert bad.json()["code"] == "bad-cursor"


async def test_a_key_that_may_write_opens_tickets_and_one_that_only_reads_does_not(
    client, desk: Help, ana: Speaker
):
    writing, reading = [await api_key(desk, ana.customer, one) for one in (Scope.WRITE, Scope.READ)]
    opened = await client.post("/api/support/tickets", json=TICKET, headers=writing)
    assert opened.status_code == 201, opened.text
    assert opened.json()["opened_by"] == opened.json()["messages"][0]["author"] == "API key"
    # Answered to the owners, whose address is proven.
    assert (await desk.mails())[-1]["to_address"] == "ana@example.com"
    refused = await client.post("/api/support/tickets", json=TICKET, headers=reading)
    assert refused.status_code == 403
    assert refused.json()["code"] == "permission-missing"
    assert (await client.post("/api/feedback", json=FEEDBACK, headers=writing)).status_code == 403


async def test_who_only_looks_opens_no_ticket_but_may_say_what_they_think(client, desk, parts: Parts, ana):
    viewer = await desk.colleague(ana.customer, "viewer@example.com", Role.VIEWER, read_now())
    looking = await speaking(desk, parts, viewer, ana.customer)
    refused = await client.post("/api/support/tickets", json=TICKET, headers=looking.headers)
    assert refused.json()["code"] == "permission-missing"
    assert (await client.post("/api/feedback", json=FEEDBACK, headers=looking.headers)).status_code == 201


async def test_a_suspended_customer_may_still_ask(client, desk: Help, parts: Parts, ana: Speaker):
    async with desk.database.transaction() as tx:
        await tx.execute(
            "UPDATE api_customers SET suspended_at = now(), suspended_reason = 'Unpaid' WHERE id = %(id)s",
            {"id": ana.customer.id},
        )
    assert (await client.post("/api/support/tickets", json=TICKET, headers=ana.headers)).status_code == 201


@pytest.mark.promise("A23")
async def test_feedback_is_kept_and_a_rating_may_be_left_out(client, desk: Help, ana: Speaker):
    answer = await client.post("/api/feedback", json=FEEDBACK, headers=ana.headers)
    assert answer.status_code == 201
    assert answer.json()["success"] is True
    unrated = {name: value for name, value in FEEDBACK.items() if name != "rating"}
    await client.post("/api/feedback", json=unrated, headers=ana.headers)
    kept = await desk.rows("SELECT public_id, feature, rating, message FROM feedback_entries ORDER BY id")
    assert kept[0] == {
        "public_id": answer.json()["id"],
        "feature": "Tornado charts",
        "rating": 4,
        "message": "I would like to hide small bars.",
    }
    assert kept[1]["rating"] is None
