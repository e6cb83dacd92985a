"""Webhooks over HTTP: made once, shown without their secret, changed, tested, sent again, deleted."""

import base64
import secrets
from typing import Any

import pytest
from tests.firms import Firm, MakeFirm
from tests.webhooks.receivers import Receiver, standard_signature

from tollway.customers.entities import Mode
from tollway.customers.permissions import Role, Scope
from tollway.plans.entities import SubscriptionStatus
from tollway.webhooks import operations as webhooks
from tollway.webhooks.entities import Event

PATH = "/api/webhooks"
WANTED = {
    "name": "Results to the warehouse",
    "url": "https://example.com/hooks",
    "events": ["simulation.completed", "simulation.failed"],
}
FIELDS = {
    "id", "name", "url", "events", "enabled", "mode", "created_at", "updated_at", "last_delivery_at",
    "last_delivery_status", "total_deliveries", "failed_deliveries", "former_secret_until", "turned_off_at",
}  # fmt: skip
DELIVERY_FIELDS = {
    "id", "webhook_id", "simulation_id", "event_type", "attempt", "status", "response_status", "response_time_ms",
    "error_message", "created_at", "delivered_at", "next_attempt_at",
}  # fmt: skip


@pytest.fixture
async def firm(make_firm: MakeFirm) -> Firm:
    """A customer whose plan has webhooks."""
    return await make_firm("professional")


@pytest.fixture
async def other(make_firm: MakeFirm) -> Firm:
    return await make_firm("professional")


async def make(firm: Firm, **changed: Any) -> dict[str, Any]:
    answer = await firm.client.post(PATH, headers=firm.headers, json=WANTED | changed)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert isinstance(made, dict)
    return made


async def publish(firm: Firm, event: Event = Event.SIMULATION_COMPLETED) -> None:
    async with firm.parts.database.transaction() as tx:
        webhook = (await firm.rows("SELECT created_at FROM webhooks LIMIT 1"))[0]
        await webhooks.publish(tx, firm.customer.id, Mode.TEST, event, {}, webhook["created_at"])


@pytest.mark.promise("X28", "B54")
async def test_a_webhook_is_made_and_its_secret_shown_once(firm: Firm) -> None:
    made = await make(firm)
    assert set(made) == FIELDS | {"secret"}
    assert made["secret"].startswith("whsec_")
    assert made["mode"] == "test"
    assert made["enabled"] is True
    assert (made["total_deliveries"], made["last_delivery_status"]) == (0, None)
    read = await firm.client.get(f"{PATH}/{made['id']}", headers=firm.headers)
    listed = await firm.client.get(PATH, headers=firm.headers)
    assert set(read.json()) == FIELDS
    assert [one["id"] for one in listed.json()] == [made["id"]]
    assert made["secret"] not in read.text + listed.text
    entries = await firm.rows("SELECT actor, subject FROM audit_entries WHERE action = 'webhook.created'")
    assert [one["subject"] for one in entries] == [made["id"]]


async def test_a_secret_of_ones_own_is_taken(firm: Firm) -> None:
    own = "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()
    assert (await make(firm, secret=own))["secret"] == own


@pytest.mark.parametrize("path", ["", "/whk_unknown", "/whk_unknown/deliveries"])
async def test_nobody_without_a_proof_gets_in(firm: Firm, path: str) -> None:
    assert (await firm.client.get(PATH + path)).status_code == 401
    assert (await firm.client.post(PATH, json=WANTED)).status_code == 401


async def test_another_customers_webhook_is_not_there(firm: Firm, other: Firm) -> None:
    made = await make(firm)
    for method, path in (
        ("GET", ""), ("PUT", ""), ("DELETE", ""), ("GET", "/deliveries"), ("POST", "/test"),
        ("POST", "/rotate-secret"), ("POST", "/deliveries/whd_x/resend"),
    ):  # fmt: skip
        answer = await other.client.request(
            method,
            f"{PATH}/{made['id']}{path}",
            headers=other.headers,
            json=WANTED if method == "PUT" else None,
        )
        assert answer.status_code == 404, (method, path)
        assert answer.json()["code"] == "webhook-not-found"


@pytest.mark.parametrize(
    ("changed", "pointer"),
    [
        ({"name": ""}, "/name"),
        ({"name": "x" * 101}, "/name"),
        ({"name": "a\nb"}, "/name"),
        ({"url": "http://10.0.0.1/"}, None),
        ({"url": "ftp://example.com"}, "/url"),
        ({"url": "https://example.com:22/"}, "/url"),
        ({"url": "https://example.com/" + "x" * 2_000}, "/url"),
        ({"events": []}, "/events"),
        ({"events": ["simulation.exploded"]}, "/events/0"),
        ({"secret": "hunter2"}, "/secret"),
        ({"enabled": "yes"}, "/enabled"),
        ({"surprise": 1}, "/surprise"),
        ({"mode": "live"}, "/mode"),
    ],
)
async def test_what_cannot_be_used_is_pointed_at(
    firm: Firm, changed: dict[str, Any], pointer: str | None
) -> None:
    answer = await firm.client.post(PATH, headers=firm.headers, json=WANTED | changed)
    if pointer is None:
        # This application may deliver to private addresses, as on a developer's machine.
        assert answer.status_code == 201
        return
    assert answer.status_code == 422, answer.text
    assert pointer in [one["pointer"] for one in answer.json()["errors"]]


async def test_a_repeated_idempotency_key_makes_one_and_shows_no_secret_again(firm: Firm) -> None:
    headers = firm.headers | {"Idempotency-Key": "one"}
    first = (await firm.client.post(PATH, headers=headers, json=WANTED)).json()
    again = await firm.client.post(PATH, headers=headers, json=WANTED)
    assert again.status_code == 201
    assert again.json() == first | {"secret": None}
    assert len((await firm.client.get(PATH, headers=firm.headers)).json()) == 1
    stored = await firm.rows("SELECT body::text AS body FROM idempotency_records")
    assert first["secret"] not in repr(stored)
    changed = await firm.client.post(PATH, headers=headers, json=WANTED | {"name": "Other"})
    assert changed.json()["code"] == "idempotency-key-reused"


@pytest.mark.promise("B54")
async def test_a_plan_without_webhooks_makes_none_and_says_which_has_them(make_firm: MakeFirm) -> None:
    cheap = await make_firm("starter")
    answer = await cheap.client.post(PATH, headers=cheap.headers, json=WANTED)
    assert answer.status_code == 402
    assert answer.json()["code"] == "feature-not-included"
    assert answer.json()["plan_needed"] == "professional"
    ended = await make_firm("professional", SubscriptionStatus.CANCELLED)
    answer = await ended.client.post(PATH, headers=ended.headers, json=WANTED)
    assert answer.status_code == 402


async def test_a_customer_has_20_and_a_person_makes_10(firm: Firm) -> None:
    owner = await firm.person()
    for _ in range(10):
        assert (await firm.as_person("POST", PATH, owner, WANTED)).status_code == 201
    refused = await firm.as_person("POST", PATH, owner, WANTED)
    assert (refused.status_code, refused.json()["code"]) == (409, "webhook-limit-reached")
    assert refused.json()["limit"] == "webhooks_per_user"
    for _ in range(10):
        await make(firm)
    refused = await firm.client.post(PATH, headers=firm.headers, json=WANTED)
    assert (refused.status_code, refused.json()["limit"]) == (409, "webhooks")


async def test_developers_manage_webhooks_and_viewers_do_not_see_them(firm: Firm) -> None:
    developer = await firm.person(Role.DEVELOPER)
    made = await firm.as_person("POST", PATH, developer, WANTED | {"mode": "live"})
    assert (made.status_code, made.json()["mode"]) == (201, "live")
    viewer = await firm.person(Role.VIEWER)
    assert (await firm.as_person("GET", PATH, viewer)).status_code == 403


async def test_a_key_needs_its_scope_and_sees_its_own_mode_alone(firm: Firm) -> None:
    owner = await firm.person()
    live = (await firm.as_person("POST", PATH, owner, WANTED | {"mode": "live"})).json()
    read = await firm.key(scopes=frozenset({Scope.READ}))
    reading = {"Authorization": f"Bearer {read.secret}"}
    assert (await firm.client.get(PATH, headers=reading)).json() == []
    assert (await firm.client.get(f"{PATH}/{live['id']}", headers=reading)).status_code == 404
    assert (await firm.client.post(PATH, headers=reading, json=WANTED)).status_code == 403
    assert [one["id"] for one in (await firm.as_person("GET", PATH, owner)).json()] == [live["id"]]


async def test_a_webhook_is_put_as_it_is_to_be(firm: Firm) -> None:
    made = await make(firm)
    wanted = {"name": "Other", "url": "https://example.org/", "events": ["model.failed"], "enabled": False}
    changed = await firm.client.put(f"{PATH}/{made['id']}", headers=firm.headers, json=wanted)
    assert changed.status_code == 200, changed.text
    assert {name: changed.json()[name] for name in wanted} == wanted
    assert changed.json()["former_secret_until"] is None
    own = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    changed = await firm.client.put(
        f"{PATH}/{made['id']}", headers=firm.headers, json=wanted | {"secret": own}
    )
    assert changed.json()["former_secret_until"] is not None
    assert own not in changed.text
    entries = await firm.rows("SELECT details FROM audit_entries WHERE action = 'webhook.changed'")
    assert entries == [{"details": {"changed": ["name", "url", "events", "enabled"]}}]


async def test_a_secret_is_rotated(firm: Firm, receiver: Receiver) -> None:
    made = await make(firm, url=receiver.url)
    rotated = await firm.client.post(f"{PATH}/{made['id']}/rotate-secret", headers=firm.headers)
    assert rotated.json()["secret"] != made["secret"]
    await firm.client.post(f"{PATH}/{made['id']}/test", headers=firm.headers)
    (came,) = receiver.received
    assert came.headers["webhook-signature"].split() == [
        standard_signature(rotated.json()["secret"], came),
        standard_signature(made["secret"], came),
    ]


@pytest.mark.promise("X28")
async def test_a_test_answers_how_it_went_and_deliveries_are_listed(firm: Firm, receiver: Receiver) -> None:
    made = await make(firm, url=receiver.url)
    here = f"{PATH}/{made['id']}"
    receiver.answers = [418]
    answer = await firm.client.post(f"{here}/test", headers=firm.headers)
    assert answer.status_code == 200
    tested = answer.json()
    assert set(tested) == DELIVERY_FIELDS
    assert (tested["event_type"], tested["status"], tested["response_status"]) == (
        "webhook.test",
        "failed",
        418,
    )
    assert tested["attempt"] == 1
    assert "418" in tested["error_message"]
    await publish(firm)
    listed = (await firm.client.get(f"{here}/deliveries", headers=firm.headers)).json()
    assert [one["event_type"] for one in listed] == ["simulation.completed", "webhook.test"]
    assert listed[0]["next_attempt_at"] is not None
    page = await firm.client.get(f"{here}/deliveries?limit=1&offset=1", headers=firm.headers)
    assert [one["id"] for one in page.json()] == [tested["id"]]
    for query in ("limit=0", "limit=101", "offset=-1", "offset=100001", "limit=x"):
        assert (await firm.client.get(f"{here}/deliveries?{query}", headers=firm.headers)).status_code == 422
    read = (await firm.client.get(here, headers=firm.headers)).json()
    assert (read["total_deliveries"], read["failed_deliveries"]) == (1, 1)


async def test_a_delivery_is_sent_again_once_it_is_over(firm: Firm, receiver: Receiver) -> None:
    made = await make(firm, url=receiver.url)
    here = f"{PATH}/{made['id']}"
    await publish(firm)
    (waiting,) = (await firm.client.get(f"{here}/deliveries", headers=firm.headers)).json()
    refused = await firm.client.post(f"{here}/deliveries/{waiting['id']}/resend", headers=firm.headers)
    assert (refused.status_code, refused.json()["code"]) == (409, "webhook-delivery-under-way")
    tested = (await firm.client.post(f"{here}/test", headers=firm.headers)).json()
    again = await firm.client.post(f"{here}/deliveries/{tested['id']}/resend", headers=firm.headers)
    assert (again.status_code, again.json()["status"], again.json()["id"]) == (200, "pending", tested["id"])
    unknown = await firm.client.post(f"{here}/deliveries/whd_unknown/resend", headers=firm.headers)
    assert (unknown.status_code, unknown.json()["code"]) == (404, "webhook-delivery-not-found")


async def test_a_webhook_is_deleted_with_its_deliveries(firm: Firm) -> None:
    made = await make(firm)
    await publish(firm)
    deleted = await firm.client.delete(f"{PATH}/{made['id']}", headers=firm.headers)
    assert deleted.json() == {"message": "Webhook deleted successfully"}
    assert (await firm.client.get(f"{PATH}/{made['id']}", headers=firm.headers)).status_code == 404
    assert await firm.rows("SELECT 1 FROM webhook_deliveries") == []
