"""The plans on sale are public; what is held is shown to its customer alone."""

from typing import Any

import httpx
import pytest
from tests.parties import make_party

from tollway.app import Parts
from tollway.customers import operations as customers
from tollway.kit.clock import read_now
from tollway.plans import operations as plans
from tollway.plans.catalog import read_catalog
from tollway.plans.entities import SubscriptionStatus


@pytest.fixture
async def catalog(parts: Parts) -> None:
    async with parts.database.transaction() as tx:
        await plans.load_catalog(tx, read_now())


@pytest.mark.promise("D10", "D11", "C11")
async def test_anybody_may_read_every_public_plan(client: httpx.AsyncClient, catalog: None) -> None:
    answer = await client.get("/api/billing/plans")
    assert answer.status_code == 200
    listed = {(plan["product"], plan["tier"]): plan for plan in answer.json()}
    assert set(listed) == {(plan.product, plan.tier) for plan in read_catalog() if plan.content["public"]}
    starter = listed["montecarlo", "starter"]
    assert (starter["price"], starter["limits"]["requests_per_month"], starter["overage_rate"]) == (
        9_900,
        1_000,
        "0.05",
    )
    assert listed["agents", "professional"]["limits"]["agents"] == 500
    assert listed["agents", "enterprise"]["price"] is None
    assert {"name", "description", "features", "stripe_price_id"} <= set(starter)


async def test_the_plans_of_one_product_are_listed_cheapest_first(
    client: httpx.AsyncClient, catalog: None
) -> None:
    answer = await client.get("/api/billing/plans", params={"product": "wallet"})
    assert [plan["tier"] for plan in answer.json()] == ["free", "professional", "enterprise", "custom"]
    unknown = await client.get("/api/billing/plans", params={"product": "lottery"})
    assert unknown.status_code == 422


@pytest.mark.parametrize("path", ["/api/billing/subscription", "/trial/status", "/trial/limits"])
async def test_a_stranger_is_asked_who_they_are(client: httpx.AsyncClient, catalog: None, path: str) -> None:
    assert (await client.get(path)).status_code == 401


@pytest.mark.parametrize("path", ["/api/billing/subscription", "/trial/status", "/trial/limits"])
async def test_a_product_that_is_none_is_refused(client: httpx.AsyncClient, parts: Parts, path: str) -> None:
    party = await make_party(parts.database, read_now())
    answer = await client.get(path, params={"product": "lottery"}, headers=party.headers)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/query/product"


async def subscription(
    client: httpx.AsyncClient, headers: dict[str, str], product: str = "montecarlo"
) -> Any:
    answer = await client.get("/api/billing/subscription", params={"product": product}, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_customer_reads_what_they_hold_and_why(client: httpx.AsyncClient, parts: Parts) -> None:
    now = read_now()
    party = await make_party(parts.database, now, tier="starter", status=SubscriptionStatus.ACTIVE)
    before = await subscription(client, party.headers)
    assert (before["tier"], before["status"], before["cancel_at_period_end"]) == ("starter", "active", False)
    assert (before["limits"]["requests_per_month"], before["explained"], before["change"]) == (
        1_000,
        [],
        None,
    )
    async with parts.database.transaction() as tx:
        granted = await plans.grant(
            tx, party.customer_id, "montecarlo", "requests_included", 50, reason="x", created_by="user:u", now=now
        )  # fmt: skip
        await plans.request_cancellation(tx, party.customer_id, "montecarlo", "user:u", now)
    after = await subscription(client, party.headers)
    assert after["cancel_at_period_end"]
    assert after["change"]["kind"] == "cancel"
    assert after["limits"]["requests_per_month"] == 1_050
    (explained,) = after["explained"]
    assert [rule["reference"] for rule in explained["rules"]] == ["montecarlo/starter@1", granted.public_id]


async def test_what_is_not_held_is_not_there(client: httpx.AsyncClient, parts: Parts) -> None:
    party = await make_party(parts.database, read_now())
    answer = await client.get(
        "/api/billing/subscription", params={"product": "wallet"}, headers=party.headers
    )
    assert answer.status_code == 404


@pytest.mark.promise("A32")
async def test_the_free_trial_says_how_it_stands(client: httpx.AsyncClient, parts: Parts) -> None:
    party = await make_party(parts.database, read_now())
    answer = await client.get("/trial/status", headers=party.headers)
    found = answer.json()["trial_status"]
    assert answer.json()["success"]
    assert found["is_trial"]
    assert found["trial_active"]
    assert not found["trial_expired"]
    assert (found["days_remaining"], found["current_tier"]) == (14, "trial")
    none = await client.get("/trial/status", params={"product": "agents"}, headers=party.headers)
    assert none.json()["trial_status"] == {
        "has_subscription": False, "is_trial": False, "trial_active": False, "trial_expired": False,
        "days_remaining": 0, "trial_start": None, "trial_end": None, "current_tier": None,
    }  # fmt: skip


async def test_a_free_trial_that_is_over_says_so(client: httpx.AsyncClient, parts: Parts) -> None:
    party = await make_party(parts.database, read_now(), trial_days=0)
    found = (await client.get("/trial/status", headers=party.headers)).json()["trial_status"]
    assert (found["trial_active"], found["trial_expired"], found["days_remaining"]) == (False, True, 0)


async def test_a_free_trial_is_started_once(client: httpx.AsyncClient, parts: Parts) -> None:
    party = await make_party(parts.database, read_now())
    headers = party.headers
    running = await client.post("/trial/start", headers=headers)
    assert running.status_code == 200, running.text
    assert running.json() == (await client.get("/trial/status", headers=headers)).json()
    async with parts.database.transaction() as tx:
        customer = await customers.get_customer(tx, party.customer_id)
        await customers.mark_verified(tx, customer.user_id, read_now())
        await plans.assign_plan(
            tx, party.customer_id, "montecarlo", "starter", "system:command-line", read_now()
        )
    again = await client.post("/trial/start", headers=headers)
    assert (again.status_code, again.json()["code"]) == (409, "free-trial-had")
    none = await client.post("/trial/start", params={"product": "agents"}, headers=headers)
    assert (none.status_code, none.json()["code"]) == (404, "plan-unknown")


async def test_a_free_trial_waits_for_the_address_to_be_verified(
    client: httpx.AsyncClient, parts: Parts
) -> None:
    party = await make_party(parts.database, read_now(), status=SubscriptionStatus.PENDING_VERIFICATION)
    answer = await client.post("/trial/start", headers=party.headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "address-not-verified")
    assert (await client.post("/trial/start")).status_code == 401


async def test_the_limits_of_the_free_trial_are_those_of_the_catalogue(
    client: httpx.AsyncClient, parts: Parts
) -> None:
    party = await make_party(parts.database, read_now())
    found = (await client.get("/trial/limits", headers=party.headers)).json()
    trial = next(one.content for one in read_catalog() if (one.product, one.tier) == ("montecarlo", "trial"))
    assert found["current_tier"] == "trial"
    assert found["limits"]["iterations_per_run"] == trial["limits"]["iterations_max"]
    assert found["usage"]["requests_used"] == 0
    assert found["usage"]["requests_included"] == trial["requests_included"]
    missing = await client.get("/trial/limits", params={"product": "wallet"}, headers=party.headers)
    assert missing.status_code == 404
