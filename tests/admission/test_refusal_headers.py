"""A 429 says in its headers which limit it was, and over how long that limit counts."""

from datetime import UTC, datetime

import httpx
import pytest
from tests.parties import Party, make_party

from tollway.customers.entities import Mode
from tollway.kit.db import Database
from tollway.plans.entities import SubscriptionStatus

DAY_SECONDS = 86_400


@pytest.mark.promise("C32")
# Units are taken at the gate by the one, in the transaction of its effect by the other.
@pytest.mark.parametrize("path", ["/checks", "/things"])
async def test_the_refusal_of_a_period_tells_its_window(
    client: httpx.AsyncClient, product: Database, present: datetime, path: str
) -> None:
    party = await make_party(product, present)
    await client.get("/things", headers=party.headers)
    async with product.transaction() as tx:
        await tx.execute("UPDATE usage_quotas SET requests_used = requests_max")
        (period,) = await tx.list_rows("SELECT period_start, period_end FROM usage_quotas")
    seconds = int((period["period_end"] - period["period_start"]).total_seconds())
    assert 28 * DAY_SECONDS <= seconds <= 31 * DAY_SECONDS
    refused = await client.post(path, json={"name": "a"}, headers=party.headers)
    assert (refused.status_code, refused.json()["code"]) == (429, "quota-used-up")
    assert refused.json()["window_seconds"] == seconds
    _assert_told(refused, f'"requests_per_period";q=100;w={seconds}', period["period_end"])


@pytest.mark.promise("C32")
@pytest.mark.parametrize("path", ["/checks", "/things"])
async def test_the_refusal_of_a_day_tells_its_window(
    client: httpx.AsyncClient, product: Database, present: datetime, path: str
) -> None:
    party: Party = await make_party(
        product, present, tier="starter", status=SubscriptionStatus.ACTIVE, mode=Mode.LIVE
    )
    async with product.transaction() as tx:
        await tx.execute(
            """
            INSERT INTO usage_quota_days (subscription_id, mode, day, requests_used)
            VALUES (%(subscription_id)s, 'live', %(day)s, 68)
            """,
            {"day": present.date(), "subscription_id": party.subscription.id},
        )
    refused = await client.post(path, json={"name": "a"}, headers=party.headers)
    assert (refused.status_code, refused.json()["code"]) == (429, "daily-limit-reached")
    assert refused.json()["window_seconds"] == DAY_SECONDS
    midnight = datetime.fromisoformat(refused.json()["resets_at"])
    _assert_told(refused, f'"requests_per_day";q=68;w={DAY_SECONDS}', midnight)


def _assert_told(refused: httpx.Response, policy: str, reset: datetime) -> None:
    assert refused.headers["RateLimit-Policy"] == policy
    wait = int(refused.headers["Retry-After"])
    assert refused.headers["RateLimit"] == f"{policy.partition(';')[0]};r=0;t={wait}"
    assert refused.headers["X-RateLimit-Remaining"] == "0"
    told = datetime.fromtimestamp(int(refused.headers["X-RateLimit-Reset"]), UTC)
    assert abs((told - reset).total_seconds()) <= 2
