"""What comes with time is told: on the dashboard while it waits, and by mail once (A32, B61, B62)."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from tests.parties import Party, make_party

from tollway.customers import operations as customers
from tollway.kit.db import Database
from tollway.kit.problems import NotFound
from tollway.plans import jobs, notice_operations
from tollway.plans import operations as plans
from tollway.plans.catalog import read_catalog
from tollway.plans.changes import ChangeEvent, NoticeKind, NoticeTooShort, differences
from tollway.plans.entities import EntitlementState, Plan, PlanUnknown, SubscriptionStatus

URL = "http://localhost"


async def verified(database: Database, party: Party, now: datetime) -> str:
    """Prove the address of a party's owner, so that mails have somewhere to go."""
    async with database.transaction() as tx:
        customer = await customers.get_customer(tx, party.customer_id)
        user, _ = await customers.mark_verified(tx, customer.user_id, now)
    return user.email


async def subjects(database: Database) -> list[str]:
    async with database.transaction() as tx:
        return [row["subject"] for row in await tx.list_rows("SELECT subject FROM outbox_mails ORDER BY id")]


async def kinds(database: Database, party: Party, now: datetime) -> list[NoticeKind]:
    async with database.transaction() as tx:
        return [one.kind for one in await plans.list_notices(tx, party.customer_id, now)]


async def run_tell_jobs(database: Database, now: datetime) -> None:
    """Do what the worker does with the jobs that changes left, twice, as it may happen."""
    async with database.transaction() as tx:
        rows = await tx.list_rows(
            "SELECT payload FROM pgqueuer WHERE entrypoint = 'plans.tell_change' ORDER BY id"
        )
    for _ in range(2):
        for row in rows:
            payload = json.loads(row["payload"])
            async with database.transaction() as tx:
                await notice_operations.tell_change(
                    tx, payload["change_id"], ChangeEvent(payload["event"]), URL, now
                )


@pytest.mark.promise("A32", "X3")
async def test_the_end_of_a_free_trial_is_mailed_at_7_3_and_1_days_and_when_it_came(
    database: Database, now: datetime
) -> None:
    party = await make_party(database, now)
    await verified(database, party, now)
    told: list[tuple[float, str]] = []
    for half_days in range(34):
        moment = now + timedelta(days=half_days / 2)
        before = len(await subjects(database))
        for _ in range(2):
            await jobs.tell_all_free_trials(database, URL, moment)
        told += [(half_days / 2, subject) for subject in (await subjects(database))[before:]]
    assert told == [
        (7, "Your free trial ends in 7 days"),
        (11, "Your free trial ends in 3 days"),
        (13, "Your free trial ends in 1 day"),
        (14, "Your free trial has ended"),
    ]


async def test_after_a_standstill_only_the_latest_is_mailed(database: Database, now: datetime) -> None:
    party = await make_party(database, now)
    await verified(database, party, now)
    await jobs.tell_all_free_trials(database, URL, now + timedelta(days=12, hours=12))
    assert await subjects(database) == ["Your free trial ends in 2 days"]
    await jobs.tell_all_free_trials(database, URL, now + timedelta(days=90))
    assert len(await subjects(database)) == 1, "of what ended long ago nobody is written to"


@pytest.mark.promise("A32")
async def test_the_free_trial_stands_on_the_dashboard_in_its_last_week_and_after(
    database: Database, now: datetime
) -> None:
    party = await make_party(database, now)
    assert await kinds(database, party, now + timedelta(days=6)) == []
    assert await kinds(database, party, now + timedelta(days=7)) == [NoticeKind.FREE_TRIAL_ENDING]
    assert await kinds(database, party, now + timedelta(days=14)) == [NoticeKind.FREE_TRIAL_ENDED]
    async with database.transaction() as tx:
        await plans.request_change(
            tx, party.customer_id, "montecarlo", "starter", "user:usr_1", now + timedelta(days=14)
        )
    assert await kinds(database, party, now + timedelta(days=14)) == [NoticeKind.PAYMENT_AWAITED]


@pytest.mark.promise("A48")
async def test_a_change_that_was_applied_is_mailed_once(database: Database, now: datetime) -> None:
    party = await make_party(database, now)
    address = await verified(database, party, now)
    async with database.transaction() as tx:
        change = await plans.request_change(
            tx, party.customer_id, "montecarlo", "professional", "user:usr_1", now
        )
    await run_tell_jobs(database, now)
    assert await subjects(database) == [], "nothing has changed yet"
    async with database.transaction() as tx:
        await plans.settle_payment(tx, change.public_id, now)
    await run_tell_jobs(database, now)
    async with database.transaction() as tx:
        (mail,) = await tx.list_rows("SELECT to_address, subject, text_body FROM outbox_mails")
    assert (mail["to_address"], mail["subject"]) == (address, "Your plan is now Professional")
    assert "$499 a month" in mail["text_body"]
    assert "10,000 requests a month" in mail["text_body"]
    assert "0 agents" not in mail["text_body"]


async def test_the_end_of_a_cancelled_plan_is_mailed_and_stands_on_the_dashboard(
    database: Database, now: datetime
) -> None:
    party = await make_party(database, now, tier="starter", status=SubscriptionStatus.ACTIVE)
    await verified(database, party, now)
    async with database.transaction() as tx:
        change = await plans.request_cancellation(tx, party.customer_id, "montecarlo", "user:usr_1", now)
    assert change.effective_at is not None
    assert await kinds(database, party, now) == [NoticeKind.CANCEL]
    await jobs.apply_due_changes(database, change.effective_at)
    await run_tell_jobs(database, change.effective_at)
    assert await subjects(database) == ["Your plan Starter has ended"]
    assert await kinds(database, party, change.effective_at) == [NoticeKind.ENDED]


@pytest.mark.promise("B61", "B62", "X3")
async def test_those_who_were_here_before_get_the_free_plan_that_only_they_have(
    database: Database, now: datetime
) -> None:
    early = await make_party(database, now)
    payer = await make_party(database, now, tier="starter", status=SubscriptionStatus.ACTIVE)
    later = now + timedelta(days=20)
    still_trying = await make_party(database, later)
    await verified(database, early, now)
    for moved_count in (1, 0):
        async with database.transaction() as tx:
            done = await plans.grandfather(
                tx, "montecarlo", signed_up_before=later + timedelta(days=1), customer_ids=(),
                by="system:command-line", now=later,
            )  # fmt: skip
        assert (len(done.moved), done.left) == (moved_count, ())
    await run_tell_jobs(database, later)
    assert await subjects(database) == ["Your plan is now Free"]
    async with database.transaction() as tx:
        found = [
            await plans.get_entitlement(tx, party.customer_id, "montecarlo", later)
            for party in (early, payer, still_trying)
        ]
    assert [one.plan.tier for one in found] == ["free_existing", "starter", "trial"]
    assert (found[0].state, found[0].requests_included) == (EntitlementState.ACTIVE, 100)


async def test_named_customers_are_grandfathered_before_their_free_trial_ends(
    database: Database, now: datetime
) -> None:
    trying = await make_party(database, now)
    payer = await make_party(database, now, tier="starter", status=SubscriptionStatus.ACTIVE)
    async with database.transaction() as tx:
        names = tuple(
            [(await customers.get_customer(tx, party.customer_id)).public_id for party in (trying, payer)]
        )
        done = await plans.grandfather(
            tx, "montecarlo", signed_up_before=None, customer_ids=names, by="system:command-line", now=now
        )
        assert (done.moved, done.left) == (names[:1], names[1:])
        with pytest.raises(NotFound):
            await plans.grandfather(
                tx, "montecarlo", signed_up_before=None, customer_ids=("cus_0",), by="x", now=now
            )
        with pytest.raises(PlanUnknown):
            await plans.grandfather(tx, "wallet", signed_up_before=now, customer_ids=(), by="x", now=now)


@pytest.mark.promise("B61")
async def test_holders_of_an_older_version_move_after_30_days_and_are_told_at_once(
    database: Database, now: datetime
) -> None:
    party = await make_party(database, now, tier="starter", status=SubscriptionStatus.ACTIVE)
    await verified(database, party, now)
    dearer = [
        replace(plan, content=plan.content | {"price_minor": 12_900, "requests_included": 1_500})
        if (plan.product, plan.tier) == ("montecarlo", "starter")
        else plan
        for plan in read_catalog()
    ]
    at = now + timedelta(days=30)
    async with database.transaction() as tx:
        await plans.load_catalog(tx, now, dearer)
        with pytest.raises(NoticeTooShort):
            await plans.migrate_holders(
                tx, "montecarlo", "starter", at=at - timedelta(seconds=1), by="system:command-line", now=now
            )
    for moved_count in (1, 0):
        async with database.transaction() as tx:
            done = await plans.migrate_holders(
                tx, "montecarlo", "starter", at=None, by="system:command-line", now=now
            )
        assert (len(done.moved), done.effective_at) == (moved_count, at)
    await run_tell_jobs(database, now)
    async with database.transaction() as tx:
        (mail,) = await tx.list_rows("SELECT subject, text_body FROM outbox_mails")
        (notice,) = await plans.list_notices(tx, party.customer_id, now)
    assert mail["subject"] == "Your plan Starter changes on 15 July 2026"
    for line in ("Price: $99 a month becomes $129 a month", "Requests a month: 1,000 becomes 1,500"):
        assert line in mail["text_body"]
        assert line in notice.text
    assert (notice.kind, notice.at) == (NoticeKind.MIGRATION, at)
    for moment, price in ((at - timedelta(seconds=1), 9_900), (at, 12_900)):
        await jobs.apply_due_changes(database, moment)
        async with database.transaction() as tx:
            found = await plans.get_entitlement(tx, party.customer_id, "montecarlo", moment)
        assert (found.plan.price_minor, found.subscription.status) == (price, SubscriptionStatus.ACTIVE)
    assert await kinds(database, party, at) == []


def test_every_difference_between_two_plans_is_said() -> None:
    plans_of = {(plan.product, plan.tier): Plan.from_content(1, 1, plan.content) for plan in read_catalog()}
    lines = differences(plans_of["montecarlo", "starter"], plans_of["montecarlo", "enterprise"])
    assert "Name: Starter becomes Enterprise" in lines
    assert "Requests a month: 1,000 becomes unlimited" in lines
    assert "Requests a day: 68 becomes unlimited" in lines
    assert "Beyond the included requests: USD 0.05 a request becomes calls stop" in lines
    assert "New: reserved workers" in lines
    back = differences(plans_of["montecarlo", "enterprise"], plans_of["montecarlo", "starter"])
    assert "No longer: reserved workers" in back
    assert differences(plans_of["wallet", "free"], plans_of["wallet", "free"]) == []


async def test_a_change_that_is_gone_is_not_told(database: Database, now: datetime) -> None:
    async with database.transaction() as tx:
        await notice_operations.tell_change(
            tx, "chg_0", ChangeEvent.APPLIED, URL, datetime(2026, 6, 15, tzinfo=UTC)
        )
    assert await subjects(database) == []
