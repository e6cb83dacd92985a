"""Usage and the request log over the API, and the short form beside billing."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.firms import Firm
from tests.metering.calls import RUN, log_call, log_refusal

from tollway.customers.entities import Mode
from tollway.customers.permissions import Role, Scope
from tollway.plans import operations as plans
from tollway.plans.entities import SubscriptionStatus


def now() -> datetime:
    return datetime.now(UTC)


async def read(firm: Firm, path: str, **query: Any) -> dict[str, Any]:
    answer = await firm.client.get(path, params=query, headers=firm.headers)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.promise("B49", "A15")
async def test_usage_adds_up_by_day_endpoint_and_key(firm: Firm) -> None:
    at = now()
    of_firm = (firm.parts.database, firm.customer.id)
    await log_call(*of_firm, at, api_key_id=firm.party.api_key.id, response_time_ms=40)
    await log_refusal(*of_firm, at, api_key_id=firm.party.api_key.id)
    await log_call(*of_firm, at, units=0, endpoint="/monte-carlo-api/models", method="GET")
    usage = await read(firm, "/api/usage")
    assert (usage["product"], usage["mode"], usage["tier"]) == ("montecarlo", "test", "starter")
    assert (usage["requests_used"], usage["requests_included"], usage["requests_max"]) == (0, 1_000, 1_000)
    assert usage["overage"] is None
    assert usage["by_day"][-1] | {"day": ""} == {
        "day": "", "requests": 3, "succeeded": 2, "limited": 1, "refused": 0, "failed": 0, "units": 1,
        "credits_consumed": 4,
    }  # fmt: skip
    runs, models = usage["by_endpoint"]
    assert (runs["endpoint"], runs["requests"], runs["p95_ms"], runs["mean_ms"]) == (RUN, 2, 50, 26)
    assert (models["method"], models["units"]) == ("GET", 0)
    by_key, pages = usage["by_key"]
    assert (by_key["api_key"], by_key["name"]) == (firm.party.api_key.key_id, firm.party.api_key.name)
    assert (pages["api_key"], pages["requests"]) == (None, 1)


async def test_without_a_product_a_key_reads_of_its_own(firm: Firm) -> None:
    async with firm.parts.database.transaction() as tx:
        await plans.subscribe(
            tx, firm.customer.id, "agents", "professional", SubscriptionStatus.ACTIVE, now()
        )
    of_agents = {"Authorization": f"Bearer {(await firm.key(product='agents', tier='professional')).secret}"}
    await log_call(firm.parts.database, firm.customer.id, now())
    usage = (await firm.client.get("/api/usage", headers=of_agents)).json()
    assert (usage["product"], usage["tier"]) == ("agents", "professional")
    assert usage["by_endpoint"] == [], "what was called of another product is not in it"
    held = (await firm.client.get("/api/billing/subscription", headers=of_agents)).json()
    assert (held["product"], held["tier"]) == ("agents", "professional")
    billing = (await firm.client.get("/api/billing/usage", headers=of_agents)).json()
    assert billing["limits"] == held["limits"]
    asked_for = await firm.client.get("/api/usage?product=montecarlo", headers=of_agents)
    assert (asked_for.json()["product"], asked_for.json()["tier"]) == ("montecarlo", "starter")
    assert (await read(firm, "/api/usage"))["product"] == "montecarlo"
    person = await firm.as_person("GET", "/api/usage", await firm.person())
    assert person.json()["product"] == "montecarlo"


async def test_what_is_above_the_plan_is_a_multiplication_of_decimal_numbers(firm: Firm) -> None:
    await read(firm, "/api/usage", mode="live")
    await firm.execute("UPDATE usage_quotas SET requests_used = 1120 WHERE mode = 'live'")
    usage = await read(firm, "/api/usage", mode="live")
    assert usage["overage"] == {"units": 120, "rate": "0.0500", "amount": "6.00", "currency": "USD"}
    billing = await read(firm, "/api/billing/usage", mode="live")
    assert billing["limits"]["requests_per_month"] == 1_000
    current = billing["current_usage"]
    assert (current["requests_used"], current["requests_remaining"]) == (1_120, 0)
    assert (current["overage_units"], current["overage_amount"]) == (120, "6.00")
    assert current["period_start"] == usage["period_start"]
    assert current["period_end"] == usage["period_end"]


async def test_a_projection_comes_after_a_day(firm: Firm) -> None:
    assert (await read(firm, "/api/usage", mode="live"))["projection"] is None
    await firm.execute("UPDATE api_subscriptions SET created_at = created_at - interval '30 days'")
    await log_call(firm.parts.database, firm.customer.id, now(), mode=Mode.LIVE)
    told = (await read(firm, "/api/usage", mode="live"))["projection"]
    assert float(told["units_a_day"]) > 0
    assert told["overage"]["amount"] == "0.00"


async def test_a_period_that_never_began_is_not_there(firm: Firm) -> None:
    for query in ({"period": "2020-01-01"}, {"product": "wallet"}):
        answer = await firm.client.get("/api/usage", params=query, headers=firm.headers)
        assert answer.status_code == 404
    answer = await firm.client.get("/api/usage?period=soon", headers=firm.headers)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/query/period"


async def test_requests_are_listed_by_cursor_with_every_field(firm: Firm) -> None:
    at = now() - timedelta(minutes=1)
    of_firm = (firm.parts.database, firm.customer.id)
    for number in range(3):
        await log_refusal(
            *of_firm, at - timedelta(seconds=number), api_key_id=firm.party.api_key.id, path=f"{RUN}/{number}"
        )
    query: dict[str, Any] = {"status": "limited", "endpoint": RUN, "limit": 2}
    first = await read(firm, "/api/usage/requests", **query)
    second = await read(firm, "/api/usage/requests", **query, cursor=first["next_cursor"])
    assert [one["path"] for one in first["requests"] + second["requests"]] == [f"{RUN}/{n}" for n in range(3)]
    assert second["next_cursor"] is None
    one = first["requests"][0]
    assert await read(firm, f"/api/usage/requests/{one['id']}") == one
    assert (one["problem_code"], one["limit_name"], one["limit_value"]) == (
        "quota-used-up",
        "requests_per_period",
        100,
    )
    assert (one["ip_address"], one["user_agent"], one["api_key"]) == (
        "192.0.2.7",
        "curl/8",
        firm.party.api_key.key_id,
    )


async def test_what_cannot_be_chosen_is_explained_with_a_pointer(firm: Firm) -> None:
    for query, pointer in (
        ({"status": "sometimes"}, "/status"),
        ({"from": "someday"}, "/from"),
        ({"until": "2026-02-30"}, "/until"),
        ({"endpoint": "a\x01b"}, "/endpoint"),
        ({"limit": "0"}, "/limit"),
        ({"cursor": "nonsense"}, "/cursor"),
        ({"mode": "sideways"}, "/mode"),
    ):
        answer = await firm.client.get("/api/usage/requests", params=query, headers=firm.headers)
        assert answer.status_code == 422, query
        assert answer.json()["errors"][0]["pointer"].removeprefix("/query") == pointer


async def test_nobody_and_nobody_else_reads_them(firm: Firm, other: Firm) -> None:
    await log_call(firm.parts.database, firm.customer.id, now())
    [one] = (await read(firm, "/api/usage/requests"))["requests"]
    for path in (
        "/api/usage", "/api/billing/usage", "/api/usage/requests", f"/api/usage/requests/{one['id']}",
    ):  # fmt: skip
        assert (await firm.client.get(path)).status_code == 401
    answer = await other.client.get(f"/api/usage/requests/{one['id']}", headers=other.headers)
    assert answer.status_code == 404
    assert all(row["path"] != one["path"] for row in (await read(other, "/api/usage/requests"))["requests"])


async def test_a_person_reads_live_usage_and_a_key_that_of_its_own_mode(firm: Firm) -> None:
    viewer = await firm.person(Role.VIEWER)
    assert (await firm.as_person("GET", "/api/usage", viewer)).json()["mode"] == "live"
    assert (await read(firm, "/api/usage"))["mode"] == "test"
    writer = await firm.key(scopes=frozenset({Scope.WRITE}))
    answer = await firm.client.get("/api/usage", headers={"Authorization": f"Bearer {writer.secret}"})
    assert answer.status_code == 403
