"""Alerts as administrators' programs read and acknowledge them."""

from datetime import datetime, timedelta

import httpx
import pytest
from tests.administrators import make_administrator, sign_in
from tests.parties import make_party

from tollway.alerts import operations as alerts
from tollway.alerts.entities import AlertDesk, Finding, RuleKind, default_rule
from tollway.app import Parts
from tollway.customers import operations as customers
from tollway.kit.clock import read_now
from tollway.plans.entities import SubscriptionStatus

DESK = AlertDesk("support@tollway.example", "https://tollway.example")
NOTE = {"note": "Their load test, as announced"}


async def open_alert(parts: Parts, subject: str = "installation", now: datetime | None = None) -> str:
    rule = default_rule(RuleKind.QUEUE_AGE)
    found = [Finding(RuleKind.QUEUE_AGE, subject, "3 jobs wait")]
    async with parts.database.transaction() as tx:
        [alert] = await alerts.record_findings(tx, DESK, rule, found, now or read_now())
    return alert.public_id


@pytest.fixture
async def alert_id(parts: Parts) -> str:
    return await open_alert(parts)


@pytest.mark.promise("B65")
async def test_alerts_are_listed_newest_first_and_paged(
    parts: Parts, client: httpx.AsyncClient, alert_id: str
) -> None:
    _, headers = await make_administrator(parts)
    newer = [await open_alert(parts, f"journal {number}") for number in range(3)]
    first = (await client.get("/api/admin/alerts?limit=3", headers=headers)).json()
    assert [one["id"] for one in first["alerts"]] == newer[::-1]
    rest = await client.get(
        f"/api/admin/alerts?limit=3&cursor={first['next_cursor']}&status=open&kind=queue_age", headers=headers
    )
    [item] = rest.json()["alerts"]
    assert rest.json()["next_cursor"] is None
    assert item.pop("opened_at") == item.pop("last_seen_at")
    assert item == {
        "id": alert_id,
        "kind": "queue_age",
        "title": "Background jobs wait",
        "status": "open",
        "subject": "installation",
        "customer_id": None,
        "summary": "3 jobs wait",
        "seen_count": 1,
        "acknowledged_at": None,
        "acknowledged_by": None,
        "note": None,
        "resolved_at": None,
    }
    for wrong in ("status=sleepy", "kind=luck", "limit=0", "limit=101", "cursor=nonsense"):
        assert (await client.get(f"/api/admin/alerts?{wrong}", headers=headers)).status_code == 422, wrong


async def test_an_alert_is_acknowledged_once_with_a_note(
    parts: Parts, client: httpx.AsyncClient, alert_id: str
) -> None:
    user, headers = await make_administrator(parts)
    path = f"/api/admin/alerts/{alert_id}/acknowledge"
    sent = {"json": NOTE, "headers": headers | {"Idempotency-Key": "once"}}
    first, again = [await client.post(path, **sent) for _ in range(2)]
    assert first.status_code == 200, first.text
    assert first.json() == again.json()
    assert (first.json()["status"], first.json()["acknowledged_by"]) == ("acknowledged", user.email)
    assert first.json()["note"] == NOTE["note"]
    assert (await client.post(path, json=NOTE, headers=headers)).status_code == 409
    entries = await client.get("/api/admin/alerts?status=acknowledged", headers=headers)
    assert [one["id"] for one in entries.json()["alerts"]] == [alert_id]


async def test_strangers_are_401_customers_403_and_a_stale_proof_is_not_enough(
    parts: Parts, client: httpx.AsyncClient, alert_id: str
) -> None:
    party = await make_party(parts.database, read_now(), tier="starter", status=SubscriptionStatus.ACTIVE)
    async with parts.database.transaction() as tx:
        customer = await customers.get_customer(tx, party.customer_id)
        owner = await customers.get_user(tx, customer.user_id)
    session = await sign_in(parts, owner)
    _, without = await make_administrator(parts, "plain@example.org", second_factor=False)
    _, stale = await make_administrator(parts, "stale@example.org", now=read_now() - timedelta(minutes=20))
    asked = [("GET", "/api/admin/alerts"), ("POST", f"/api/admin/alerts/{alert_id}/acknowledge")]
    for method, path in asked:
        body = NOTE if method == "POST" else None
        assert (await client.request(method, path, json=body)).status_code == 401
        for headers, code in ((party.headers, "permission-missing"), (session, "permission-missing"),
                              (without, "second-factor-needed")):  # fmt: skip
            answer = await client.request(method, path, json=body, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (403, code)
    assert (await client.get(asked[0][1], headers=stale)).status_code == 200
    assert (await client.post(asked[1][1], json=NOTE, headers=stale)).json()["code"] == "sign-in-again"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [({}, "/note"), ({"note": " "}, "/note"), ({"note": "x" * 501}, "/note"), ({"note": "a\x00"}, "/note"),
     ({**NOTE, "more": 1}, "/more")],
)  # fmt: skip
async def test_a_note_that_cannot_be_kept_is_422_and_says_where(
    parts: Parts, client: httpx.AsyncClient, alert_id: str, body: dict[str, object], pointer: str
) -> None:
    _, headers = await make_administrator(parts)
    answer = await client.post(f"/api/admin/alerts/{alert_id}/acknowledge", json=body, headers=headers)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["pointer"] == pointer


async def test_an_alert_that_is_not_there_is_404(parts: Parts, client: httpx.AsyncClient) -> None:
    _, headers = await make_administrator(parts)
    answer = await client.post("/api/admin/alerts/alt_none/acknowledge", json=NOTE, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
