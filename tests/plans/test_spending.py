"""A customer's spending cap: what it stops, who sets it, and what is written down of it."""

from datetime import datetime, timedelta
from decimal import Decimal

import httpx
import pytest
from tests.admission.lease_workers import caller_of, quota_of, set_cap, use
from tests.firms import Firm, MakeFirm
from tests.parties import make_party

from tollway.customers.entities import Mode
from tollway.customers.permissions import Role
from tollway.kit.db import Database
from tollway.kit.problems import Invalid, NotFound
from tollway.metering.entities import SpendingCapReached
from tollway.plans import operations as plans
from tollway.plans.entities import LIMIT_MAX, SPENDING_CAP_MAX, SubscriptionStatus

PATH = "/api/customers/me/spending-cap"


@pytest.mark.promise("X6")
@pytest.mark.parametrize(
    ("cap", "requests_max"),
    [(None, None), ("0", 1_000), ("0.04", 1_000), ("0.05", 1_001), ("25", 1_500), ("1000000", 20_001_000)],
)
async def test_a_cap_stops_live_calls_where_its_money_is_spent(
    database: Database, now: datetime, cap: str | None, requests_max: int | None
) -> None:
    party = await make_party(database, now, tier="starter", status=SubscriptionStatus.ACTIVE, mode=Mode.LIVE)
    await set_cap(database, party, cap, now)
    quota = await quota_of(database, party, now)
    assert (quota.requests_included, quota.requests_max) == (1_000, requests_max)
    assert quota.spending_cap == (None if cap is None else Decimal(cap))
    async with database.transaction() as tx:
        entitlement = await plans.get_entitlement(tx, party.customer_id, "montecarlo", now)
        test = await plans.get_quota(tx, entitlement, Mode.TEST, now)
    assert (test.requests_max, test.spending_cap) == (1_000, None), "test mode costs nothing and stops anyway"


async def test_where_nothing_is_sold_beyond_the_plan_a_cap_changes_nothing(
    database: Database, now: datetime
) -> None:
    for tier, requests_max in (("free_existing", 100), ("enterprise", None)):
        party = await make_party(database, now, tier=tier, status=SubscriptionStatus.ACTIVE)
        await set_cap(database, party, "5.00", now)
        quota = await quota_of(database, party, now)
        assert (quota.requests_max, quota.spending_cap) == (requests_max, None)


async def test_whoever_is_past_due_gets_nothing_on_credit_whatever_the_cap(
    database: Database, now: datetime
) -> None:
    party = await make_party(database, now, tier="starter", status=SubscriptionStatus.PAST_DUE)
    await set_cap(database, party, "50.00", now)
    quota = await quota_of(database, party, now)
    assert quota.requests_max == quota.requests_included


async def test_the_bound_fits_its_column_however_much_is_granted(database: Database, now: datetime) -> None:
    party = await make_party(database, now, tier="starter", status=SubscriptionStatus.ACTIVE)
    async with database.transaction() as tx:
        await plans.grant(
            tx, party.customer_id, "montecarlo", "requests_included", LIMIT_MAX,
            reason="everything", created_by="user:usr_1", now=now,
        )  # fmt: skip
    await set_cap(database, party, str(SPENDING_CAP_MAX), now)
    assert (await quota_of(database, party, now)).requests_max == LIMIT_MAX


async def test_a_cap_counts_in_the_period_under_way_and_in_every_later_one(
    database: Database, now: datetime
) -> None:
    party = await make_party(database, now, tier="starter", status=SubscriptionStatus.ACTIVE)
    await quota_of(database, party, now)
    async with database.transaction() as tx:
        await tx.execute("UPDATE usage_quotas SET requests_used = 1001")
    await use(database, party, 1, now)
    await set_cap(database, party, "0.10", now)
    with pytest.raises(SpendingCapReached):
        await use(database, party, 1, now)
    next_period = await use(database, party, 1, now + timedelta(days=31))
    assert next_period.requests_max == 1_002
    await set_cap(database, party, None, now)
    await use(database, party, 1, now)


async def test_setting_the_same_again_is_written_down_once(database: Database, now: datetime) -> None:
    party = await make_party(database, now, tier="starter", status=SubscriptionStatus.ACTIVE)
    for cap in ("25", "25.00", None, None):
        await set_cap(database, party, cap, now)
    async with database.transaction() as tx:
        entries = await tx.list_rows("SELECT action, subject, details FROM audit_entries ORDER BY id")
    assert entries == [
        {
            "action": "subscription.spending_cap_set",
            "subject": party.subscription.public_id,
            "details": {"product": "montecarlo", "cap": cap, "currency": "USD"},
        }
        for cap in ("25.00", None)
    ]


@pytest.mark.parametrize("cap", ["-0.01", "0.001", "1000000.01", "NaN", "Infinity"])
async def test_an_amount_that_is_none_is_refused(database: Database, now: datetime, cap: str) -> None:
    party = await make_party(database, now, tier="starter", status=SubscriptionStatus.ACTIVE)
    with pytest.raises(Invalid, match="from 0 to 1,000,000 with two decimals") as refused:
        await set_cap(database, party, cap, now)
    assert refused.value.errors[0].pointer == "/cap"
    async with database.transaction() as tx:
        with pytest.raises(NotFound):
            await plans.set_spending_cap(tx, caller_of(party), "wallet", Decimal(1), now)


# Over HTTP ----------------------------------------------------------------------------------------


async def test_a_cap_is_set_shown_and_taken_away(firm: Firm) -> None:
    owner = await firm.person()
    answer = await firm.as_person("PUT", PATH, owner, {"cap": "25.00"})
    assert (answer.status_code, answer.json()) == (
        200,
        {
            "product": "montecarlo",
            "cap": "25.00",
            "currency": "USD",
            "overage_rate": "0.05",
            "requests_included": 1_000,
            "requests_max": 1_500,
        },
    )
    shown = await firm.client.get("/api/billing/subscription", headers=firm.headers)
    assert shown.json()["spending_cap"] == "25.00"
    path = f"/api/customers/{firm.customer.public_id}/spending-cap"
    taken = await firm.as_person("PUT", path, owner, {"cap": None, "product": "montecarlo"})
    assert (taken.json()["cap"], taken.json()["requests_max"]) == (None, None)


async def test_who_does_not_pay_sets_no_cap(firm: Firm, client: httpx.AsyncClient) -> None:
    assert (await client.put(PATH, json={"cap": "1"})).status_code == 401
    viewer = await firm.person(Role.VIEWER)
    refused = await firm.as_person("PUT", PATH, viewer, {"cap": "1"})
    assert (refused.status_code, refused.json()["permission"]) == (403, "billing.manage")


async def test_another_customer_is_not_there(firm: Firm, make_firm: MakeFirm) -> None:
    other = await make_firm()
    owner = await firm.person()
    for customer_id in (other.customer.public_id, "cus_0000000000000000"):
        answer = await firm.as_person(
            "PUT", f"/api/customers/{customer_id}/spending-cap", owner, {"cap": "1"}
        )
        assert (answer.status_code, answer.json()["message"]) == (404, "There is no such customer.")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [({}, "/cap"), ({"cap": "much"}, "/cap"), ({"cap": "-1"}, "/cap"), ({"cap": "0.001"}, "/cap"),
     ({"cap": "1", "product": "lottery"}, "/product"), ({"cap": "1", "more": 1}, "/more")],
)  # fmt: skip
async def test_a_body_that_cannot_be_used_is_pointed_at(
    firm: Firm, body: dict[str, object], pointer: str
) -> None:
    answer = await firm.as_person("PUT", PATH, await firm.person(), body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == pointer
