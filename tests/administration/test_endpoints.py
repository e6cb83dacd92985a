"""What administrators' programs read and do; everyone else is refused, and every deed is on record."""

from datetime import timedelta

import pytest
from tests.administrators import make_administrator, sign_in
from tests.parties import make_party

from tollway.app import Parts
from tollway.audit import operations as audit
from tollway.customers import operations as customers
from tollway.customers.permissions import UserType
from tollway.kit.clock import read_now
from tollway.plans.entities import SubscriptionStatus

WHY = {"reason": "Payment is disputed"}
LIMIT = {"subject": "requests_included", "amount": 500, "reason": "Asked for more"}


@pytest.fixture
async def party(parts: Parts):
    return await make_party(parts.database, read_now(), tier="starter", status=SubscriptionStatus.ACTIVE)


async def id_of(parts: Parts, customer_id: int) -> str:
    async with parts.database.transaction() as tx:
        return (await customers.get_customer(tx, customer_id)).public_id


async def owner_of(parts: Parts, customer_id: int):
    async with parts.database.transaction() as tx:
        return await customers.get_user(tx, (await customers.get_customer(tx, customer_id)).user_id)


def endpoints(customer_id: str, user_id: str) -> list[tuple[str, str, dict | None]]:
    customer = f"/api/admin/customers/{customer_id}"
    return [
        ("GET", "/api/admin/customers", None),
        ("GET", customer, None),
        ("POST", f"{customer}/suspend", WHY),
        ("POST", f"{customer}/reactivate", WHY),
        ("POST", f"{customer}/limits", LIMIT),
        ("DELETE", f"{customer}/limits/adj_none", None),
        ("GET", "/api/admin/users", None),
        ("PUT", f"/api/admin/users/{user_id}/user-type", {"user_type": "enterprise", **WHY}),
    ]


@pytest.mark.promise("B4", "B5", "B23", "B24", "B25")
async def test_strangers_are_401_and_customers_403(parts, client, party):
    owner = await owner_of(parts, party.customer_id)
    session = await sign_in(parts, owner)
    for method, path, body in endpoints(await id_of(parts, party.customer_id), owner.public_id):
        assert (await client.request(method, path, json=body)).status_code == 401, path
        for headers in (party.headers, session):
            answer = await client.request(method, path, json=body, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (403, "permission-missing"), path


async def test_without_a_second_factor_it_is_403(parts, client, party):
    _, headers = await make_administrator(parts, second_factor=False)
    owner = await owner_of(parts, party.customer_id)
    for method, path, body in endpoints(await id_of(parts, party.customer_id), owner.public_id):
        answer = await client.request(method, path, json=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "second-factor-needed"), path


async def test_what_changes_something_asks_for_a_recent_proof(parts, client, party):
    _, headers = await make_administrator(parts, now=read_now() - timedelta(minutes=20))
    owner = await owner_of(parts, party.customer_id)
    for method, path, body in endpoints(await id_of(parts, party.customer_id), owner.public_id):
        answer = await client.request(method, path, json=body, headers=headers)
        assert answer.status_code == (200 if method == "GET" else 403), path
        assert method == "GET" or answer.json()["code"] == "sign-in-again"


async def test_what_is_not_there_is_404(parts, client, party):
    _, headers = await make_administrator(parts)
    for method, path, body in endpoints("cus_none", "usr_none"):
        answer = await client.request(method, path, json=body, headers=headers)
        assert answer.status_code == (200 if path.endswith(("/customers", "/users")) else 404), path


@pytest.mark.parametrize(
    ("path", "body", "pointer"),
    [
        ("suspend", {}, "/reason"),
        ("suspend", {"reason": " "}, "/reason"),
        ("suspend", {"reason": "x" * 501}, "/reason"),
        ("suspend", {"reason": "a\x00b"}, "/reason"),
        ("suspend", {**WHY, "more": 1}, "/more"),
        ("reactivate", {}, "/reason"),
        ("limits", {**LIMIT, "kind": "override"}, "/ends_at"),
        ("limits", {**LIMIT, "kind": "grant", "subject": "luck"}, "/subject"),
        ("limits", {**LIMIT, "kind": "grant", "amount": -1}, "/amount"),
        ("limits", {**LIMIT, "kind": "grant", "amount": "5"}, "/amount"),
        ("limits", {**LIMIT, "kind": "grant", "ends_at": "2020-01-01T00:00:00Z"}, "/ends_at"),
    ],
)
async def test_a_body_that_cannot_be_used_is_422_and_says_where(parts, client, party, path, body, pointer):
    _, headers = await make_administrator(parts)
    customer = await id_of(parts, party.customer_id)
    answer = await client.post(f"/api/admin/customers/{customer}/{path}", json=body, headers=headers)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["pointer"].startswith(pointer)


@pytest.mark.promise("B23", "B50")
async def test_customers_are_listed_with_their_billing_status(parts, client, party):
    _, headers = await make_administrator(parts)
    found = (await client.get("/api/admin/customers", headers=headers)).json()
    assert found["pagination"] == {"page": 1, "per_page": 20, "total": 1, "pages": 1}
    [item] = found["customers"]
    assert item.pop("created_at").endswith("Z")
    assert item.pop("billing_email").endswith("@example.org")
    assert item == {
        "id": await id_of(parts, party.customer_id),
        "company_name": "Example Ltd",
        "user_type": "api_customer",
        "plan": "starter",
        "subscription_status": "active",
        "status": "active",
        "requests_used": 0,
        "requests_included": 1000,
        "mrr": "99.00",
    }


async def test_search_tier_and_status_choose_and_pages_hold_together(parts, client, party):
    _, headers = await make_administrator(parts)
    trials = [await make_party(parts.database, read_now()) for _ in range(3)]

    async def ids(query: str) -> list[str]:
        answer = await client.get(f"/api/admin/customers?{query}", headers=headers)
        assert answer.status_code == 200, answer.text
        return [one["id"] for one in answer.json()["customers"]]

    mine = await id_of(parts, party.customer_id)
    owner = await owner_of(parts, party.customer_id)
    newest_first = [await id_of(parts, one.customer_id) for one in reversed(trials)]
    assert await ids("tier=starter") == [mine]
    assert await ids("tier=trial&status=trialing") == newest_first
    assert await ids(f"search={mine}") == [mine]
    assert await ids(f"search={owner.email[:8].upper()}") == [mine]
    assert await ids("search=%25") == []
    assert await ids("per_page=2&page=2&tier=trial") == newest_first[2:]
    assert await ids("status=suspended") == []
    for wrong in ("status=sleepy", "page=0", "per_page=101", f"search={'x' * 255}", "search=%00"):
        answer = await client.get(f"/api/admin/customers?{wrong}", headers=headers)
        assert answer.status_code == 422, wrong


@pytest.mark.promise("B24")
async def test_a_customer_is_shown_with_the_rule_behind_each_limit(parts, client, party):
    _, headers = await make_administrator(parts)
    customer = f"/api/admin/customers/{await id_of(parts, party.customer_id)}"
    made = await client.post(f"{customer}/limits", json={**LIMIT, "kind": "grant"}, headers=headers)
    assert made.status_code == 201, made.text
    detail = (await client.get(customer, headers=headers)).json()
    assert detail["requests_included"] == 1500
    [subscription] = detail["subscriptions"]
    assert (subscription["plan"], subscription["price"]) == ("starter", "99.00")
    included = next(one for one in subscription["limits"] if one["subject"] == "requests_included")
    assert [rule["kind"] for rule in included["rules"]] == ["plan", "grant"]
    assert included["rules"][1]["reference"] == made.json()["id"]
    assert [key["key_id"] for key in detail["keys"]] == [party.api_key.key_id]
    assert [member["role"] for member in detail["members"]] == ["owner"]
    assert (detail["quota"]["requests_included"], detail["invoices"], detail["tickets"]) == (1500, [], [])
    assert len(detail["recent_usage"]) == 30
    assert party.secret not in str(detail)


@pytest.mark.promise("B50")
async def test_an_override_counts_from_the_next_call_and_ends_when_it_is_ended(parts, client, party):
    _, headers = await make_administrator(parts)
    customer = f"/api/admin/customers/{await id_of(parts, party.customer_id)}"
    ends_at = (read_now() + timedelta(days=3)).isoformat()
    made = await client.post(
        f"{customer}/limits", json={**LIMIT, "amount": 7, "ends_at": ends_at}, headers=headers
    )
    assert made.json()["kind"] == "override"
    assert (await client.get(customer, headers=headers)).json()["requests_included"] == 7
    for _ in range(2):
        ended = await client.delete(f"{customer}/limits/{made.json()['id']}", headers=headers)
        assert ended.status_code == 200
        assert ended.json()["ended_at"]
    assert (await client.get(customer, headers=headers)).json()["requests_included"] == 1000


async def test_the_same_grant_sent_twice_with_one_key_is_one_grant(parts, client, party):
    _, headers = await make_administrator(parts)
    customer = f"/api/admin/customers/{await id_of(parts, party.customer_id)}"
    sent = {"json": {**LIMIT, "kind": "grant"}, "headers": headers | {"Idempotency-Key": "once"}}
    first, again = [await client.post(f"{customer}/limits", **sent) for _ in range(2)]
    assert (first.status_code, first.json()) == (again.status_code, again.json())
    assert len((await client.get(customer, headers=headers)).json()["adjustments"]) == 1
    suspended, replayed = [
        await client.post(f"{customer}/suspend", json=WHY, headers=sent["headers"]) for _ in range(2)
    ]
    assert suspended.json() == replayed.json()


@pytest.mark.promise("B25", "B46")
async def test_suspending_refuses_the_very_next_call_and_reactivating_lets_it_through(parts, client, party):
    user, headers = await make_administrator(parts)
    customer = f"/api/admin/customers/{await id_of(parts, party.customer_id)}"
    assert (await client.get("/monte-carlo-api/models", headers=party.headers)).status_code == 200
    answer = await client.post(f"{customer}/suspend", json=WHY, headers=headers)
    assert answer.json() == {
        "id": await id_of(parts, party.customer_id),
        "status": "suspended",
        "keys_suspended": 1,
    }
    for path in ("/monte-carlo-api/models", "/api/activity"):
        refused = await client.get(path, headers=party.headers)
        assert (refused.status_code, refused.json()["code"]) == (403, "customer-suspended"), path
        assert "Payment is disputed" in refused.json()["message"]
    assert (await client.post(f"{customer}/suspend", json=WHY, headers=headers)).status_code == 409
    listed = (await client.get("/api/admin/customers?status=suspended", headers=headers)).json()
    assert [one["subscription_status"] for one in listed["customers"]] == ["active"]
    back = await client.post(f"{customer}/reactivate", json={"reason": "Settled"}, headers=headers)
    assert (back.json()["status"], back.json()["keys_reactivated"]) == ("active", 1)
    assert (await client.get("/monte-carlo-api/models", headers=party.headers)).status_code == 200
    async with parts.database.transaction() as tx:
        entries = (await audit.list_entries(tx, party.customer_id)).items
    assert [(one.action, one.actor, one.details["reason"]) for one in entries] == [
        ("customer.reactivated", f"user:{user.public_id}", "Settled"),
        ("customer.suspended", f"user:{user.public_id}", "Payment is disputed"),
    ]


# User types ---------------------------------------------------------------------------------------


@pytest.mark.promise("B5", "B14")
async def test_a_super_administrator_changes_a_user_type_and_ends_the_sessions(parts, client, party):
    _, headers = await make_administrator(parts)
    owner = await owner_of(parts, party.customer_id)
    theirs = await sign_in(parts, owner)
    assert (await client.get("/api/activity", headers=theirs)).status_code == 200
    path = f"/api/admin/users/{owner.public_id}/user-type"
    answer = await client.put(path, json={"user_type": "enterprise", **WHY}, headers=headers)
    assert answer.json()["user_type"] == "enterprise"
    assert (await client.get("/api/activity", headers=theirs)).status_code == 401
    [listed] = (await client.get("/api/admin/users?user_type=enterprise", headers=headers)).json()["users"]
    assert listed["id"] == owner.public_id
    assert (
        await client.put(path, json={"user_type": "enterprise", **WHY}, headers=headers)
    ).status_code == 409


async def test_nobody_else_changes_a_user_type_and_nobody_their_own(parts, client, party):
    root, headers = await make_administrator(parts)
    second, _ = await make_administrator(parts, "second@example.org")
    _, plain = await make_administrator(parts, "plain@example.org", UserType.ADMIN)
    owner = await owner_of(parts, party.customer_id)

    async def change(user_id: str, user_type: str, by: dict) -> tuple[int, str]:
        body = {"user_type": user_type, **WHY}
        answer = await client.put(f"/api/admin/users/{user_id}/user-type", json=body, headers=by)
        return answer.status_code, answer.json().get("code", "")

    assert await change(owner.public_id, "admin", plain) == (403, "permission-missing")
    assert await change(root.public_id, "admin", headers) == (409, "not-on-oneself")
    assert await change(owner.public_id, "super_admin", headers) == (422, "invalid-input")
    assert await change(owner.public_id, "emperor", headers) == (422, "invalid-input")
    assert await change(second.public_id, "admin", headers) == (200, "")
