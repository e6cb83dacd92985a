"""Grants add, overrides replace until a day, and either ends early without being changed."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.parties import make_party

from tollway.customers.entities import Mode
from tollway.kit.db import Database
from tollway.kit.problems import Conflict, Invalid, NotFound
from tollway.plans import operations as plans
from tollway.plans.adjustment_operations import ADJUSTMENTS_IN_FORCE_MAX
from tollway.plans.entities import Feature, FeatureNotIncluded, RuleKind, SubscriptionStatus

ADMIN = "user:usr_admin"


async def test_a_grant_adds_from_the_next_call_on_and_its_end_takes_it_back(
    database: Database, now: datetime
) -> None:
    party = await make_party(database, now, tier="starter", status=SubscriptionStatus.ACTIVE)
    ends_at = now + timedelta(days=10)
    async with database.transaction() as tx:
        granted = await plans.grant(
            tx, party.customer_id, "montecarlo", "requests_included", 500,
            reason="an outage of ours", created_by=ADMIN, now=now, ends_at=ends_at,
        )  # fmt: skip
        during = await plans.get_entitlement(tx, party.customer_id, "montecarlo", now)
        assert (await plans.get_quota(tx, during, Mode.LIVE, now)).requests_included == 1_500
        rules = [(rule.kind, rule.reference) for rule in during.explain("requests_included").rules]
        assert rules == [(RuleKind.PLAN, "montecarlo/starter@1"), (RuleKind.GRANT, granted.public_id)]
        after = await plans.get_entitlement(tx, party.customer_id, "montecarlo", ends_at)
        assert (await plans.get_quota(tx, after, Mode.LIVE, ends_at)).requests_included == 1_000


async def test_an_override_replaces_plan_and_grants_until_its_day(database: Database, now: datetime) -> None:
    party = await make_party(database, now, tier="starter", status=SubscriptionStatus.ACTIVE)
    ends_at = now + timedelta(days=2)
    async with database.transaction() as tx:
        for amount in (200, 300):
            await plans.override(
                tx, party.customer_id, "montecarlo", "requests_per_day_max", amount,
                ends_at=ends_at, reason="a launch", created_by=ADMIN, now=now,
            )  # fmt: skip
        await plans.grant(
            tx, party.customer_id, "montecarlo", "requests_per_day_max", 1, reason="x", created_by=ADMIN, now=now
        )  # fmt: skip
        during = await plans.get_entitlement(tx, party.customer_id, "montecarlo", now)
        after = await plans.get_entitlement(tx, party.customer_id, "montecarlo", ends_at)
    assert during.limits.requests_per_day_max == 300, "of two overrides the newer counts"
    assert after.limits.requests_per_day_max == 69


async def test_ending_early_counts_at_once_and_twice_is_once(database: Database, now: datetime) -> None:
    party = await make_party(database, now)
    async with database.transaction() as tx:
        made = await plans.override(
            tx, party.customer_id, "montecarlo", "requests_included", None,
            ends_at=now + timedelta(days=9), reason="a test of load", created_by=ADMIN, now=now,
        )  # fmt: skip
        open_ended = await plans.get_entitlement(tx, party.customer_id, "montecarlo", now)
        assert (await plans.get_quota(tx, open_ended, Mode.TEST, now)).remaining is None
        for _ in range(2):
            ended = await plans.end_adjustment(
                tx, party.customer_id, made.public_id, ended_by=ADMIN, now=now + timedelta(hours=1)
            )
        assert ended.ended_at == now + timedelta(hours=1)
        quotas = await tx.list_rows("SELECT requests_included FROM usage_quotas")
        assert {row["requests_included"] for row in quotas} == {100}
        entries = await tx.list_rows(
            "SELECT action FROM audit_entries WHERE action LIKE 'override.%' ORDER BY id"
        )
        assert [row["action"] for row in entries] == ["override.made", "override.ended"]
        (listed,) = await plans.list_adjustments(tx, party.customer_id)
        assert listed == ended


@pytest.mark.promise("D28")
async def test_a_feature_is_refused_with_the_plan_that_has_it_and_can_be_granted(
    database: Database, now: datetime
) -> None:
    party = await make_party(database, now, tier="starter", status=SubscriptionStatus.ACTIVE)
    async with database.transaction() as tx:
        before = await plans.get_entitlement(tx, party.customer_id, "montecarlo", now)
        with pytest.raises(FeatureNotIncluded, match="The plan Professional has it") as refused:
            await plans.assert_feature(tx, before, Feature.WEBHOOKS)
        assert refused.value.members["plan_needed"] == "professional"
        with pytest.raises(FeatureNotIncluded, match="Ask us"):
            await plans.assert_feature(tx, before, Feature.ON_PREMISE)
        await plans.grant(
            tx, party.customer_id, "montecarlo", "feature:webhooks", 1, reason="x", created_by=ADMIN, now=now
        )
        after = await plans.get_entitlement(tx, party.customer_id, "montecarlo", now)
        await plans.assert_feature(tx, after, Feature.WEBHOOKS)


@pytest.mark.parametrize(
    ("changed", "pointer"),
    [
        ({"subject": "luck"}, "/subject"),
        ({"subject": "feature:luck", "amount": 1}, "/subject"),
        ({"amount": 0}, "/amount"),
        ({"amount": -1}, "/amount"),
        ({"amount": 2_000_000_001}, "/amount"),
        ({"subject": "iterations_max", "amount": None}, "/amount"),
        ({"subject": "feature:webhooks", "amount": 0}, "/amount"),
        ({"subject": "feature:webhooks", "amount": None}, "/amount"),
        ({"reason": "  "}, "/reason"),
        ({"reason": "x" * 501}, "/reason"),
        ({"ends_at": datetime.fromisoformat("2026-06-15T12:00:00+00:00")}, "/ends_at"),
    ],
)
async def test_what_makes_no_sense_is_refused_with_the_place(
    database: Database, now: datetime, changed: dict[str, Any], pointer: str
) -> None:
    party = await make_party(database, now)
    sound: dict[str, Any] = {"subject": "requests_included", "amount": 5, "reason": "x", "ends_at": None}
    asked = sound | changed
    async with database.transaction() as tx:
        with pytest.raises(Invalid) as refused:
            await plans.grant(
                tx, party.customer_id, "montecarlo", asked["subject"], asked["amount"],
                reason=asked["reason"], created_by=ADMIN, now=now, ends_at=asked["ends_at"],
            )  # fmt: skip
    assert [one.pointer for one in refused.value.errors] == [pointer]


async def test_only_a_customers_own_are_theirs_and_there_is_a_most(database: Database, now: datetime) -> None:
    party, other = await make_party(database, now), await make_party(database, now)
    async with database.transaction() as tx:
        with pytest.raises(NotFound):
            await plans.grant(
                tx, party.customer_id, "wallet", "requests_included", 5, reason="x", created_by=ADMIN, now=now
            )
        for _ in range(ADJUSTMENTS_IN_FORCE_MAX):
            made = await plans.grant(
                tx, party.customer_id, "montecarlo", "requests_included", 5, reason="x", created_by=ADMIN, now=now
            )  # fmt: skip
        with pytest.raises(NotFound):
            await plans.end_adjustment(tx, other.customer_id, made.public_id, ended_by=ADMIN, now=now)
        with pytest.raises(Conflict, match="End one first"):
            await plans.grant(
                tx, party.customer_id, "montecarlo", "requests_included", 5, reason="x", created_by=ADMIN, now=now
            )  # fmt: skip
