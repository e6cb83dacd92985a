"""Plans change: at once when they are paid, at the period's end when they shrink, never twice."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.parties import Party, make_party

from tollway.customers.entities import Mode
from tollway.kit.db import Database, Transaction
from tollway.kit.problems import Forbidden, NotFound
from tollway.plans import jobs
from tollway.plans import operations as plans
from tollway.plans.changes import (
    ChangeKind,
    ChangeOpen,
    ChangeOver,
    ChangeStatus,
    FreeTrialHad,
    PlanByArrangement,
    PlanHeld,
    SubscriptionChange,
)
from tollway.plans.entities import Entitlement, EntitlementState, Overage, PlanUnknown, SubscriptionStatus

USER = "user:usr_1"


async def holder(database: Database, now: datetime, tier: str) -> Party:
    return await make_party(database, now, tier=tier, status=SubscriptionStatus.ACTIVE)


async def held(tx: Transaction, party: Party, now: datetime, product: str = "montecarlo") -> Entitlement:
    return await plans.get_entitlement(tx, party.customer_id, product, now)


async def ask(
    tx: Transaction, party: Party, tier: str, now: datetime, product: str = "montecarlo"
) -> SubscriptionChange:
    return await plans.request_change(tx, party.customer_id, product, tier, USER, now)


async def actions(tx: Transaction, party: Party) -> list[str]:
    rows = await tx.list_rows(
        "SELECT action FROM audit_entries WHERE customer_id = %(id)s AND action LIKE 'subscription.%%' ORDER BY id",
        {"id": party.customer_id},
    )
    return [row["action"] for row in rows]


@pytest.mark.promise("A47", "D17", "X20")
async def test_an_upgrade_changes_nothing_until_it_is_paid_and_everything_then(
    database: Database, now: datetime
) -> None:
    party = await holder(database, now, "starter")
    later = now + timedelta(days=3)
    async with database.transaction() as tx:
        quota = await plans.get_quota(tx, await held(tx, party, now), Mode.LIVE, now)
        await tx.execute("UPDATE usage_quotas SET requests_used = 900 WHERE id = %(id)s", {"id": quota.id})
        change = await ask(tx, party, "pro", later)
        waiting = await held(tx, party, later)
        assert (change.kind, change.status) == (ChangeKind.UPGRADE, ChangeStatus.PENDING_PAYMENT)
        assert (waiting.plan.tier, waiting.requests_included, waiting.state) == (
            "starter",
            1_000,
            EntitlementState.ACTIVE,
        )
    async with database.transaction() as tx:
        settled = await plans.settle_payment(tx, change.public_id, later)
        after = await held(tx, party, later)
        lifted = await plans.get_quota(tx, after, Mode.LIVE, later)
        rate = await tx.find_value(
            "SELECT overage_rate FROM usage_quotas WHERE id = %(id)s", {"id": quota.id}
        )
    assert settled.status is ChangeStatus.APPLIED
    assert (after.plan.tier, after.limits.iterations_max) == ("professional", 10_000_000)
    assert (lifted.id, lifted.requests_included, lifted.requests_used) == (quota.id, 10_000, 900)
    assert rate == after.plan.overage_rate


@pytest.mark.promise("X20")
async def test_settling_twice_is_settling_once(database: Database, now: datetime) -> None:
    party = await holder(database, now, "starter")
    async with database.transaction() as tx:
        change = await ask(tx, party, "professional", now)
        first = await plans.settle_payment(tx, change.public_id, now)
        before = await actions(tx, party)
        second = await plans.settle_payment(tx, change.public_id, now + timedelta(hours=1))
        assert second == first
        assert await actions(tx, party) == before
        with pytest.raises(NotFound):
            await plans.settle_payment(tx, "chg_0000000000000000", now)


@pytest.mark.promise("X11", "X20")
async def test_a_first_paid_plan_begins_a_month_of_its_own(database: Database, now: datetime) -> None:
    party = await make_party(database, now)
    paid_at = now + timedelta(days=4)
    async with database.transaction() as tx:
        free = await plans.get_quota(tx, await held(tx, party, now), Mode.TEST, now)
        await tx.execute("UPDATE usage_quotas SET requests_used = 47 WHERE id = %(id)s", {"id": free.id})
        change = await ask(tx, party, "starter", paid_at)
        await plans.settle_payment(tx, change.public_id, paid_at)
        after = await held(tx, party, paid_at)
        quota = await plans.get_quota(tx, after, Mode.TEST, paid_at)
        kept = await tx.find_value(
            "SELECT requests_used FROM usage_quotas WHERE id = %(id)s", {"id": free.id}
        )
    assert after.subscription.status is SubscriptionStatus.ACTIVE
    assert after.free_trial_days_remaining(paid_at) is None
    assert (after.period_start, after.period_end) == (paid_at, datetime(2026, 7, 19, 12, 0, tzinfo=UTC))
    assert (quota.requests_included, quota.requests_used, kept) == (1_000, 0, 47)


@pytest.mark.promise("X20")
async def test_a_downgrade_comes_when_the_period_ends_and_once(database: Database, now: datetime) -> None:
    party = await holder(database, now, "professional")
    async with database.transaction() as tx:
        change = await ask(tx, party, "starter", now + timedelta(days=2))
        end = (await held(tx, party, now)).period_end
    assert (change.kind, change.status, change.effective_at) == (
        ChangeKind.DOWNGRADE,
        ChangeStatus.SCHEDULED,
        end,
    )
    await jobs.apply_due_changes(database, end - timedelta(seconds=1))
    async with database.transaction() as tx:
        assert (await held(tx, party, end - timedelta(seconds=1))).plan.tier == "professional"
        # A call of the new period that came before the job, and counted against the old number.
        early = await plans.get_quota(tx, await held(tx, party, end), Mode.LIVE, end)
        assert early.requests_included == 10_000
    for moment in (end, end + timedelta(minutes=1)):
        await jobs.apply_due_changes(database, moment)
    async with database.transaction() as tx:
        after = await held(tx, party, end)
        quota = await plans.get_quota(tx, after, Mode.LIVE, end)
        assert (after.plan.tier, quota.id, quota.requests_included) == ("starter", early.id, 1_000)
        assert (await actions(tx, party)).count("subscription.changed") == 1


@pytest.mark.promise("X20")
async def test_a_cancelled_plan_runs_to_the_end_of_its_period_and_is_read_only_then(
    database: Database, now: datetime
) -> None:
    party = await holder(database, now, "starter")
    async with database.transaction() as tx:
        change = await plans.request_cancellation(tx, party.customer_id, "montecarlo", USER, now)
        again = await plans.request_cancellation(tx, party.customer_id, "montecarlo", USER, now)
        assert again == change
        assert change.effective_at is not None
        cancel_at = await tx.find_value("SELECT cancel_at FROM api_subscriptions")
        assert cancel_at == change.effective_at
    await jobs.apply_due_changes(database, change.effective_at)
    async with database.transaction() as tx:
        after = await held(tx, party, change.effective_at)
        assert (after.state, after.read_only) == (EntitlementState.CANCELLED, True)
        with pytest.raises(ChangeOver):
            await plans.request_cancellation(tx, party.customer_id, "montecarlo", USER, change.effective_at)


async def test_a_plan_that_was_cancelled_can_be_bought_again_and_stays_read_only_until_it_is_paid(
    database: Database, now: datetime
) -> None:
    party = await make_party(database, now, tier="starter", status=SubscriptionStatus.CANCELLED)
    async with database.transaction() as tx:
        change = await ask(tx, party, "starter", now)
        assert (await held(tx, party, now)).read_only
        await plans.settle_payment(tx, change.public_id, now)
        assert not (await held(tx, party, now)).read_only
        assert await tx.find_value("SELECT count(*) FROM api_subscriptions") == 1


@pytest.mark.promise("X20", "X9")
async def test_whoever_comes_for_a_paid_plan_holds_the_free_one_until_it_is_paid(
    database: Database, now: datetime
) -> None:
    party = await make_party(database, now)
    async with database.transaction() as tx:
        change = await ask(tx, party, "starter", now, "agents")
        waiting = await held(tx, party, now, "agents")
        assert change.status is ChangeStatus.PENDING_PAYMENT
        assert (waiting.plan.tier, waiting.limits.agents_max) == ("free", 5)
        assert waiting.state is EntitlementState.PENDING_PAYMENT
        await plans.settle_payment(tx, change.public_id, now)
        after = await held(tx, party, now, "agents")
        assert (after.plan.tier, after.limits.agents_max, after.state) == (
            "starter",
            50,
            EntitlementState.ACTIVE,
        )


@pytest.mark.promise("X20")
async def test_whoever_withdraws_what_they_came_for_keeps_the_free_plan(
    database: Database, now: datetime
) -> None:
    party = await make_party(database, now)
    async with database.transaction() as tx:
        change = await ask(tx, party, "professional", now, "wallet")
        for _ in range(2):
            withdrawn = await plans.withdraw_change(tx, party.customer_id, change.public_id, USER, now)
        after = await held(tx, party, now, "wallet")
        assert withdrawn.status is ChangeStatus.WITHDRAWN
        assert (after.plan.tier, after.state) == ("free", EntitlementState.ACTIVE)
        with pytest.raises(ChangeOver):
            await plans.settle_payment(tx, change.public_id, now)


@pytest.mark.promise("C11", "D10")
async def test_a_free_plan_comes_at_once(database: Database, now: datetime) -> None:
    party = await make_party(database, now)
    async with database.transaction() as tx:
        for product in ("wallet", "agents"):
            change = await ask(tx, party, "free", now, product)
            assert change.status is ChangeStatus.APPLIED
            found = await held(tx, party, now, product)
            assert (found.plan.tier, found.state) == ("free", EntitlementState.ACTIVE)
        assert [one.plan.product for one in await plans.list_held(tx, party.customer_id, now)] == [
            "agents",
            "montecarlo",
            "wallet",
        ]


async def test_asking_for_the_same_again_returns_what_waits(database: Database, now: datetime) -> None:
    party = await holder(database, now, "starter")
    async with database.transaction() as tx:
        first = await ask(tx, party, "professional", now)
        assert await ask(tx, party, "pro", now + timedelta(minutes=1)) == first
        assert await tx.find_value("SELECT count(*) FROM subscription_changes") == 1


async def test_two_that_ask_at_once_make_one_change(database: Database, now: datetime) -> None:
    party = await holder(database, now, "starter")

    async def one(tier: str) -> Any:
        async with database.transaction() as tx:
            return (await ask(tx, party, tier, now)).public_id

    same = await asyncio.gather(*(one("professional") for _ in range(6)))
    assert len(set(same)) == 1
    other = await asyncio.gather(*(one("enterprise") for _ in range(2)), return_exceptions=True)
    assert all(isinstance(answer, ChangeOpen) for answer in other)


async def test_two_payments_at_once_settle_once(database: Database, now: datetime) -> None:
    party = await holder(database, now, "starter")
    async with database.transaction() as tx:
        change = await ask(tx, party, "professional", now)

    async def settle() -> None:
        async with database.transaction() as tx:
            await plans.settle_payment(tx, change.public_id, now)

    await asyncio.gather(*(settle() for _ in range(5)))
    async with database.transaction() as tx:
        assert (await actions(tx, party)).count("subscription.payment_settled") == 1


async def test_what_cannot_be_asked_for_is_refused_with_the_reason(database: Database, now: datetime) -> None:
    party = await holder(database, now, "starter")
    async with database.transaction() as tx:
        with pytest.raises(PlanHeld, match="Starter"):
            await ask(tx, party, "starter", now)
        with pytest.raises(PlanUnknown, match="trial, starter, professional, enterprise"):
            await ask(tx, party, "gold", now)
        with pytest.raises(PlanUnknown):
            await ask(tx, party, "free_existing", now)
        with pytest.raises(PlanUnknown, match="no such product"):
            await ask(tx, party, "free", now, "lottery")
        with pytest.raises(FreeTrialHad):
            await ask(tx, party, "trial", now)
        with pytest.raises(PlanByArrangement, match="write to support"):
            await ask(tx, party, "enterprise", now, "agents")
        await ask(tx, party, "professional", now)
        with pytest.raises(ChangeOpen, match="waits for its payment"):
            await ask(tx, party, "enterprise", now)


async def test_another_customers_change_is_not_there(database: Database, now: datetime) -> None:
    party, other = await holder(database, now, "starter"), await holder(database, now, "starter")
    async with database.transaction() as tx:
        change = await ask(tx, party, "professional", now)
        with pytest.raises(NotFound):
            await plans.withdraw_change(tx, other.customer_id, change.public_id, USER, now)


async def test_a_scheduled_downgrade_can_be_withdrawn(database: Database, now: datetime) -> None:
    party = await holder(database, now, "professional")
    async with database.transaction() as tx:
        change = await ask(tx, party, "starter", now)
        with pytest.raises(ChangeOpen, match="takes effect on 2026-07-15"):
            await ask(tx, party, "enterprise", now)
        await plans.withdraw_change(tx, party.customer_id, change.public_id, USER, now)
        assert (await ask(tx, party, "enterprise", now)).kind is ChangeKind.UPGRADE
    await jobs.apply_due_changes(database, now + timedelta(days=40))
    async with database.transaction() as tx:
        assert (await held(tx, party, now + timedelta(days=40))).plan.tier == "professional"


@pytest.mark.promise("X9")
async def test_whoever_is_past_due_gets_the_free_plans_size_until_the_debt_is_paid(
    database: Database, now: datetime
) -> None:
    party = await make_party(database, now, tier="professional", status=SubscriptionStatus.PAST_DUE)
    async with database.transaction() as tx:
        found = await held(tx, party, now)
        assert (found.state, found.requests_included, found.limits.iterations_max) == (
            EntitlementState.PAST_DUE,
            100,
            100_000,
        )
        assert found.overage is Overage.STOP
        change = await ask(tx, party, "starter", now)
        assert change.effective_at is not None
    await jobs.apply_due_changes(database, change.effective_at)
    async with database.transaction() as tx:
        after = await held(tx, party, change.effective_at)
        assert (after.plan.tier, after.state) == ("starter", EntitlementState.PAST_DUE)


@pytest.mark.promise("B6", "B57")
async def test_a_plan_by_arrangement_is_given_by_us(database: Database, now: datetime) -> None:
    party = await holder(database, now, "starter")
    async with database.transaction() as tx:
        waiting = await ask(tx, party, "professional", now)
        change = await plans.assign_plan(
            tx, party.customer_id, "montecarlo", "custom", "user:usr_9", now, reason="signed"
        )
        assert change is not None
        assert change.status is ChangeStatus.APPLIED
        assert (await held(tx, party, now)).plan.tier == "custom"
        assert await plans.assign_plan(tx, party.customer_id, "montecarlo", "custom", USER, now) is None
        with pytest.raises(ChangeOver):
            await plans.settle_payment(tx, waiting.public_id, now)
        listed = await plans.list_changes(tx, party.customer_id)
    assert [one.status.value for one in listed] == ["applied", "withdrawn"]


async def test_a_change_of_ours_cannot_be_withdrawn_but_is_passed_over_by_a_choice(
    database: Database, now: datetime
) -> None:
    party = await holder(database, now, "starter")
    async with database.transaction() as tx:
        await tx.execute(
            """
            INSERT INTO plan_versions (product, tier, version, content_hash, content, created_at)
            SELECT product, tier, version + 1, 'x', content, created_at FROM plan_versions
            WHERE product = 'montecarlo' AND tier = 'starter'
            """
        )
        moved = await plans.migrate_holders(tx, "montecarlo", "starter", at=None, by="system:cli", now=now)
        assert len(moved.moved) == 1
        entitlement = await held(tx, party, now)
        migration = await plans.find_open_change(tx, entitlement)
        assert migration is not None
        with pytest.raises(Forbidden):
            await plans.withdraw_change(tx, party.customer_id, migration.public_id, USER, now)
        change = await ask(tx, party, "professional", now)
        assert change.status is ChangeStatus.PENDING_PAYMENT
