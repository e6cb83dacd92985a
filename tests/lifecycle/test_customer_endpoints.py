"""The customers' endpoints: registered by a program, read, changed, upgraded, closed."""

import re
from dataclasses import dataclass

import httpx
import pytest
from tests.lifecycle.canaries import SAME_ORIGIN
from tests.web.conftest import Visitor

from tollway.app import Parts
from tollway.kit.clock import read_now
from tollway.plans import operations as plans

EMAIL = "bot@example.com"
BODY = {"name": "Robots Ltd", "email": EMAIL}


@dataclass
class Registered:
    """A customer that a program registered, and its key."""

    client: httpx.AsyncClient
    parts: Parts
    answer: dict

    async def call(self, method: str, path: str, **more: object) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.answer['api_key']}"}
        return await self.client.request(method, path, headers=headers, **more)

    async def code(self) -> str:
        async with self.parts.database.transaction() as tx:
            text = await tx.find_value(
                "SELECT text_body FROM outbox_mails WHERE to_address = %(to)s ORDER BY id DESC LIMIT 1",
                {"to": EMAIL},
            )
        return re.search(r"^\d{6}$", text, re.MULTILINE).group()

    async def verify(self) -> None:
        answer = await self.call("POST", "/api/customers/me/verify", json={"code": await self.code()})
        assert (answer.status_code, answer.json()) == (200, {"message": "Address verified"})


async def register(client: httpx.AsyncClient, **changed: str) -> httpx.Response:
    return await client.post("/api/customers/register", json=BODY | changed)


@pytest.fixture
async def robots(client: httpx.AsyncClient, parts: Parts, catalog: None) -> Registered:
    answer = await register(client)
    assert answer.status_code == 201, answer.text
    return Registered(client, parts, answer.json())


@pytest.mark.promise("D2", "D15", "X4", "X20")
async def test_registering_hands_out_a_key_a_customer_and_where_to_pay(robots: Registered) -> None:
    answer = robots.answer
    assert set(answer) == {"api_key", "key_id", "message", "customer_id", "checkout_url"}
    assert answer["api_key"].startswith("sk-")
    assert answer["api_key"].startswith(answer["key_id"])
    assert answer["customer_id"].startswith("cus_")
    assert answer["checkout_url"].startswith(
        "http://localhost:6789/billing/upgrade?product=agents&plan=starter&"
    )
    async with robots.parts.database.transaction() as tx:
        rows = await tx.list_rows(
            "SELECT product, mode, scopes, key_hash IS NOT NULL AS kept FROM api_keys ORDER BY id"
        )
        plain = await tx.find_value(
            "SELECT count(*) FROM outbox_mails WHERE text_body LIKE '%%' || %(secret)s || '%%'",
            {"secret": answer["api_key"]},
        )
    assert [(row["product"], row["mode"], sorted(row["scopes"])) for row in rows] == [
        ("montecarlo", "test", ["admin", "read", "write"]),
        ("agents", "test", ["admin", "read", "write"]),
    ]
    assert plain == 0


@pytest.mark.promise("D3")
async def test_me_is_the_customer_in_the_shape_that_clients_read(robots: Registered) -> None:
    found = (await robots.call("GET", "/api/customers/me")).json()
    assert found.pop("created_at")
    # The plan that was asked for waits for its payment; what counts is the free one.
    assert found == {
        "id": robots.answer["customer_id"],
        "name": "Robots Ltd",
        "email": EMAIL,
        "subscription_tier": "free",
        "max_agents": 5,
        "max_requests_per_minute": 10,
        "total_api_calls": 0,
        "is_active": True,
    }


@pytest.mark.promise("D2", "X4")
async def test_a_known_address_is_answered_like_a_stranger(
    robots: Registered, client: httpx.AsyncClient
) -> None:
    await robots.verify()
    again = await register(client)
    assert again.status_code == 201
    assert set(again.json()) == set(robots.answer)
    assert again.json()["message"] == robots.answer["message"]
    assert again.json()["customer_id"] != robots.answer["customer_id"]


@pytest.mark.promise("D2")
async def test_a_free_plan_needs_no_payment(client: httpx.AsyncClient, catalog: None) -> None:
    answer = (await register(client, subscription_tier="free")).json()
    assert answer["checkout_url"] is None


@pytest.mark.parametrize(
    ("changed", "pointer"),
    [
        ({"email": "nobody"}, "/email"),
        ({"name": ""}, "/name"),
        ({"name": " "}, "/name"),
        ({"subscription_tier": "gold"}, "/subscription_tier"),
        ({"plan": "starter"}, "/plan"),
    ],
)
async def test_what_cannot_be_registered_is_pointed_at(
    client: httpx.AsyncClient, catalog: None, changed: dict[str, str], pointer: str
) -> None:
    answer = await register(client, **changed)
    assert answer.status_code == 422
    assert [one["pointer"] for one in answer.json()["errors"]] == [pointer]


async def test_a_plan_by_arrangement_leaves_nothing_behind(
    parts: Parts, client: httpx.AsyncClient, catalog: None
) -> None:
    answer = await register(client, subscription_tier="enterprise")
    assert (answer.status_code, answer.json()["code"]) == (403, "plan-by-arrangement")
    async with parts.database.transaction() as tx:
        assert await tx.find_value("SELECT count(*) FROM api_customers") == 0


async def test_a_repeated_registration_makes_one_customer_and_shows_the_key_once(
    parts: Parts, client: httpx.AsyncClient, catalog: None
) -> None:
    headers = {"Idempotency-Key": "once"}
    first = await client.post("/api/customers/register", json=BODY, headers=headers)
    second = await client.post("/api/customers/register", json=BODY, headers=headers)
    assert second.status_code == 201
    assert second.json()["api_key"] is None
    same = ("key_id", "customer_id", "checkout_url")
    assert [second.json()[name] for name in same] == [first.json()[name] for name in same]
    async with parts.database.transaction() as tx:
        assert await tx.find_value("SELECT count(*) FROM api_customers") == 1
        stored = await tx.find_value("SELECT body::text FROM idempotency_records")
    assert first.json()["api_key"] not in stored
    other = await client.post("/api/customers/register", json=BODY | {"name": "Else"}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency-key-reused")


async def test_registering_is_bounded_for_each_network(client: httpx.AsyncClient, catalog: None) -> None:
    codes = [(await register(client, email=f"bot{n}@example.com")).status_code for n in range(21)]
    assert codes == [201] * 20 + [429]


@pytest.mark.promise("D2", "X4")
async def test_the_code_and_the_key_together_lift_the_cap_and_keep_the_key(robots: Registered) -> None:
    async with robots.parts.database.transaction() as tx:
        customer_id = await tx.find_value("SELECT id FROM api_customers")
        before = await plans.get_entitlement(tx, customer_id, "agents", read_now())
    assert before.requests_included == 20
    wrong = await robots.call("POST", "/api/customers/me/verify", json={"code": "000000"})
    assert (wrong.status_code, wrong.json()["code"]) == (422, "code-wrong")
    await robots.verify()
    again = await robots.call("POST", "/api/customers/me/verify", json={"code": "1"})
    assert again.json() == {"message": "The address was verified before"}
    async with robots.parts.database.transaction() as tx:
        after = await plans.get_entitlement(tx, customer_id, "agents", read_now())
        trial = await plans.get_entitlement(tx, customer_id, "montecarlo", read_now())
    assert (after.state, after.requests_included) == ("pending_payment", None)
    assert trial.subscription.status == "trialing"
    assert (await robots.call("GET", "/api/customers/me")).status_code == 200


@pytest.mark.promise("D5", "D17", "X20")
async def test_an_upgrade_waits_for_its_payment_and_then_counts_at_once(robots: Registered) -> None:
    await robots.verify()
    waiting = await robots.call("PUT", "/api/customers/me/upgrade?new_tier=starter")
    assert waiting.status_code == 200, waiting.text
    body = waiting.json()
    assert (body["status"], body["new_tier"], body["subscription_tier"]) == (
        "pending_payment",
        "starter",
        "free",
    )
    assert body["checkout_url"] == robots.answer["checkout_url"]
    async with robots.parts.database.transaction() as tx:
        change_id = body["checkout_url"].partition("change=")[2]
        await plans.settle_payment(tx, change_id, read_now())
    found = (await robots.call("GET", "/api/customers/me")).json()
    assert (found["subscription_tier"], found["max_agents"], found["max_requests_per_minute"]) == (
        "starter",
        50,
        100,
    )
    path = f"/api/customers/{robots.answer['customer_id']}/upgrade"
    larger = (await robots.call("PUT", path, json={"new_tier": "pro"})).json()
    assert (larger["status"], larger["new_tier"]) == ("pending_payment", "pro")
    refused = await robots.call("PUT", path, json={"new_tier": "free"})
    assert (refused.status_code, refused.json()["code"]) == (409, "change-open")


@pytest.mark.promise("D5")
async def test_what_is_no_plan_is_refused(robots: Registered) -> None:
    unproven = await robots.call("PUT", "/api/customers/me/upgrade?new_tier=starter")
    assert (unproven.status_code, unproven.json()["code"]) == (403, "address-not-verified")
    await robots.verify()
    for more in (
        {"params": {"new_tier": "gold"}},
        {"json": {"new_tier": "gold"}},
        {},
        {"params": {"new_tier": "pro"}, "json": {"new_tier": "pro"}},
    ):
        answer = await robots.call("PUT", "/api/customers/me/upgrade", **more)
        assert answer.status_code == 422, more
        assert answer.json()["errors"][0]["pointer"].endswith("/new_tier")
    none = await robots.call("PUT", "/api/customers/me/upgrade?new_tier=free&product=montecarlo")
    assert (none.status_code, none.json()["code"]) == (404, "plan-unknown")


@pytest.mark.promise("B9", "B45")
async def test_the_companys_details_are_changed_part_by_part(robots: Registered) -> None:
    address = {"line1": "1 High Street", "city": "London", "country": "GB"}
    first = await robots.call(
        "PUT",
        "/api/customers/me",
        json={"tax_id": "GB 123", "billing_address": address, "name": "Robots plc"},
    )
    assert first.status_code == 200, first.text
    assert first.json()["billing_address"] == address | {"line2": "", "postal_code": "", "region": ""}
    second = await robots.call("PUT", "/api/customers/me", json={"billing_email": "Bills@Example.com"})
    body = second.json()
    assert (body["name"], body["email"], body["tax_id"]) == ("Robots plc", "bills@example.com", "GB 123")
    third = await robots.call("PUT", "/api/customers/me", json={"tax_id": None, "billing_address": None})
    assert (third.json()["tax_id"], third.json()["billing_address"]) == (None, None)
    refused = await robots.call(
        "PUT", "/api/customers/me", json={"billing_address": address | {"country": "ZZ"}}
    )
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == "/billing_address/country"


@pytest.mark.promise("D9")
async def test_a_customer_that_is_closed_is_refused_at_its_next_call(robots: Registered) -> None:
    path = f"/api/customers/{robots.answer['customer_id']}"
    answer = await robots.call("DELETE", path)
    assert (answer.status_code, answer.json()) == (200, {"message": "Customer account deactivated"})
    for method, address in (("GET", "/api/customers/me"), ("DELETE", path), ("GET", path)):
        refused = await robots.call(method, address)
        assert (refused.status_code, refused.json()["code"]) == (403, "customer-deactivated")
    async with robots.parts.database.transaction() as tx:
        actions = await tx.list_rows("SELECT action FROM audit_entries ORDER BY id DESC LIMIT 2")
        statuses = await tx.list_rows("SELECT status FROM subscription_changes")
    assert [row["action"] for row in actions] == ["customer.deactivated", "subscription.change_withdrawn"]
    assert [row["status"] for row in statuses] == ["withdrawn"]


PATHS = [
    ("GET", "/api/customers/{id}", {}),
    ("PUT", "/api/customers/{id}/upgrade?new_tier=pro", {}),
    ("DELETE", "/api/customers/{id}", {}),
]


@pytest.mark.promise("D4", "D5", "D9")
@pytest.mark.parametrize(("method", "path", "more"), PATHS)
async def test_another_customer_is_not_there(
    robots: Registered, ben: Visitor, method: str, path: str, more: dict
) -> None:
    async with robots.parts.database.transaction() as tx:
        other = await tx.find_value("SELECT public_id FROM api_customers WHERE company_name = 'Other Ltd'")
    for customer_id in (other, "cus_0000000000000000"):
        answer = await robots.call(method, path.format(id=customer_id), **more)
        assert (answer.status_code, answer.json()["message"]) == (404, "There is no such customer.")
    own = await ben.client.request(
        method, path.format(id=robots.answer["customer_id"]), headers=SAME_ORIGIN, **more
    )
    assert own.status_code == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [(method, path.format(id="me")) for method, path, _ in PATHS]
    + [("GET", "/api/customers/me"), ("PUT", "/api/customers/me"), ("POST", "/api/customers/me/verify")],
)
async def test_a_stranger_is_asked_who_they_are(client: httpx.AsyncClient, method: str, path: str) -> None:
    answer = await client.request(method, path, json={})
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


@pytest.mark.promise("D4")
async def test_an_administrator_with_a_second_factor_reads_any_customer(
    robots: Registered, ben: Visitor
) -> None:
    path = f"/api/customers/{robots.answer['customer_id']}"
    async with robots.parts.database.transaction() as tx:
        await tx.execute("UPDATE users SET user_type = 'admin' WHERE email = 'ben@example.com'")
    assert (await ben.client.get(path)).status_code == 404
    async with robots.parts.database.transaction() as tx:
        await tx.execute("UPDATE user_sessions SET second_factor_at = now()")
        await tx.execute(
            "DELETE FROM customer_members WHERE user_id = (SELECT id FROM users WHERE user_type = 'admin')"
        )
    found = await ben.client.get(path)
    assert (found.status_code, found.json()["name"]) == (200, "Robots Ltd")
    # Reading is all: closing it is done under Administration, with a reason.
    assert (await ben.client.request("DELETE", path, headers=SAME_ORIGIN)).status_code == 403
