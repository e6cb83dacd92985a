"""What everybody used, for administrators' programs; everyone else is refused."""

from datetime import timedelta

import httpx
import pytest
from tests.administrators import make_administrator, sign_in
from tests.metering.calls import RUN, log_call, log_refusal
from tests.parties import Party, make_party

from tollway.app import Parts
from tollway.customers import operations as customers
from tollway.customers.entities import Mode
from tollway.kit.clock import read_now
from tollway.plans.entities import SubscriptionStatus

SUMMARY = "/api/admin/usage/summary"


@pytest.fixture
async def party(parts: Parts) -> Party:
    return await make_party(
        parts.database, read_now(), tier="starter", status=SubscriptionStatus.ACTIVE, mode=Mode.LIVE
    )


@pytest.mark.promise("B26")
async def test_administrators_alone_read_it(parts: Parts, client: httpx.AsyncClient, party: Party) -> None:
    assert (await client.get(SUMMARY)).status_code == 401
    async with parts.database.transaction() as tx:
        owner = await customers.get_user(tx, (await customers.get_customer(tx, party.customer_id)).user_id)
    for headers in (party.headers, await sign_in(parts, owner)):
        answer = await client.get(SUMMARY, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "permission-missing")
    _, headers = await make_administrator(parts)
    assert (await client.get(SUMMARY, headers=headers)).status_code == 200


@pytest.mark.promise("B26", "B49", "C21")
async def test_it_adds_up_what_everybody_used(parts: Parts, client: httpx.AsyncClient, party: Party) -> None:
    now = read_now()
    call = {"mode": Mode.LIVE, "api_key_id": party.api_key.id, "response_time_ms": 100}
    for _ in range(3):
        await log_call(parts.database, party.customer_id, now, **call)
    await log_refusal(parts.database, party.customer_id, now, response_time_ms=100)
    await log_call(parts.database, party.customer_id, now - timedelta(days=31))
    _, headers = await make_administrator(parts)
    told = (await client.get(SUMMARY, headers=headers)).json()
    assert (told["period"], told["mode"]) == ("month", "all")
    assert (told["total_requests"], told["unique_customers"], told["units"], told["credits"]) == (4, 1, 3, 6)
    assert (told["avg_ms"], told["error_rate"], told["success_rate"]) == (100, 0, 1)
    # All of them lie in the bucket from 50 to 100 ms.
    assert (told["p50_ms"], told["p95_ms"]) == (75, 97.5)
    assert (told["requests_before"], told["growth"]) == (1, 3)
    assert told["keys"] == {"registered": 1, "active": 1, "utilization": 1}
    (endpoint,) = told["by_endpoint"]
    assert (endpoint["endpoint"], endpoint["method"], endpoint["requests"], endpoint["limited"]) == (
        RUN,
        "POST",
        4,
        1,
    )
    assert [(one["plan"], one["customers"], one["requests"]) for one in told["by_plan"]] == [
        ("Starter", 1, 4)
    ]
    assert len(told["by_day"]) == 30
    assert told["by_day"][-1]["requests"] == 4
    (customer,) = told["top_customers"]
    assert (customer["company_name"], customer["requests"], customer["growth"]) == ("Example Ltd", 4, 3)
    assert customer["id"].startswith("cus_")

    told = (await client.get(SUMMARY, params={"period": "week", "mode": "live"}, headers=headers)).json()
    assert (told["total_requests"], len(told["by_day"]), told["growth"]) == (3, 7, None)


@pytest.mark.parametrize(
    ("query", "pointer"), [({"period": "century"}, "/query/period"), ({"mode": "dead"}, "/query/mode")]
)
async def test_what_is_asked_wrongly_is_pointed_at(
    parts: Parts, client: httpx.AsyncClient, party: Party, query: dict[str, str], pointer: str
) -> None:
    _, headers = await make_administrator(parts)
    answer = await client.get(SUMMARY, params=query, headers=headers)
    assert answer.status_code == 422
    assert [one["pointer"] for one in answer.json()["errors"]] == [pointer]
