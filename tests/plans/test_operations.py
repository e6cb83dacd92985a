"""The catalogue becomes versions; what was sold keeps the version that it was sold at."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.parties import make_party

from tollway.customers.entities import Mode
from tollway.kit.db import Database
from tollway.kit.problems import NotFound
from tollway.plans import operations as plans
from tollway.plans.catalog import read_catalog
from tollway.plans.entities import SubscriptionStatus


async def test_loading_the_same_catalogue_again_makes_nothing(database: Database, now: datetime) -> None:
    catalog = read_catalog()
    async with database.transaction() as tx:
        assert await plans.load_catalog(tx, now, catalog) == len(catalog)
        assert await plans.load_catalog(tx, now, catalog) == 0
        assert await tx.find_value("SELECT max(version) FROM plan_versions") == 1


@pytest.mark.promise("X1")
async def test_a_changed_plan_is_a_new_version_and_what_was_sold_keeps_its_own(
    database: Database, now: datetime
) -> None:
    old = await make_party(database, now, tier="starter", status=SubscriptionStatus.ACTIVE)
    buyer = await _customer(database, now)
    dearer = [
        replace(plan, content=plan.content | {"price_minor": 12_900, "requests_included": 1_500})
        if (plan.product, plan.tier) == ("montecarlo", "starter")
        else plan
        for plan in read_catalog()
    ]
    async with database.transaction() as tx:
        assert await plans.load_catalog(tx, now, dearer) == 1
        new = await plans.subscribe(tx, buyer, "montecarlo", "starter", SubscriptionStatus.ACTIVE, now)
        kept = await plans.get_entitlement(tx, old.customer_id, "montecarlo", now)
        bought = await plans.get_entitlement(tx, new.customer_id, "montecarlo", now)
    assert (kept.plan.version, kept.plan.price_minor, kept.requests_included) == (1, 9_900, 1_000)
    assert (bought.plan.version, bought.plan.price_minor, bought.requests_included) == (2, 12_900, 1_500)


async def _customer(database: Database, now: datetime) -> int:
    party = await make_party(database, now)
    async with database.transaction() as tx:
        await tx.execute(
            "UPDATE api_subscriptions SET status = 'cancelled' WHERE customer_id = %(id)s",
            {"id": party.customer_id},
        )
    return party.customer_id


async def test_going_back_to_an_earlier_price_is_a_version_too(database: Database, now: datetime) -> None:
    first = read_catalog()
    second = [replace(plan, content=plan.content | {"description": "Other words."}) for plan in first]
    async with database.transaction() as tx:
        for catalog in (first, second, first):
            assert await plans.load_catalog(tx, now, catalog) == len(first)


EDITS = st.lists(
    st.tuples(
        st.sampled_from([(plan.product, plan.tier) for plan in read_catalog()]),
        st.fixed_dictionaries(
            {"price_minor": st.integers(0, 10**6) | st.none(), "requests_included": st.integers(1, 10**6)}
        ),
    ),
    max_size=4,
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(edits=EDITS)
async def test_no_loading_changes_a_version_that_was_sold(
    database: Database, now: datetime, edits: list[tuple[tuple[str, str], dict[str, int | None]]]
) -> None:
    changes = dict(edits)
    catalog = [
        replace(plan, content=plan.content | changes.get((plan.product, plan.tier), {}))
        for plan in read_catalog()
    ]
    async with database.transaction() as tx:
        sold = await tx.list_rows("SELECT * FROM plan_versions ORDER BY id")
        made = await plans.load_catalog(tx, now, catalog)
        loaded = await tx.list_rows("SELECT * FROM plan_versions ORDER BY id")
        newest = await tx.list_rows(
            "SELECT DISTINCT ON (product, tier) content FROM plan_versions ORDER BY product, tier, version DESC"
        )
    assert loaded[: len(sold)] == sold
    assert len(loaded) == len(sold) + made
    assert sorted(row["content"]["tier"] for row in newest) == sorted(plan.tier for plan in catalog)
    assert all(row["content"] in [plan.content for plan in catalog] for row in newest)


async def test_the_public_plans_are_listed_cheapest_first(database: Database, now: datetime) -> None:
    async with database.transaction() as tx:
        await plans.load_catalog(tx, now)
        tiers = [plan.tier for plan in await plans.list_plans(tx, "montecarlo")]
    assert tiers == ["trial", "starter", "professional", "enterprise"]


async def test_there_is_no_subscribing_to_a_plan_that_does_not_exist(
    database: Database, now: datetime
) -> None:
    party = await make_party(database, now)
    async with database.transaction() as tx:
        with pytest.raises(NotFound):
            await plans.subscribe(tx, party.customer_id, "montecarlo", "gold", SubscriptionStatus.ACTIVE, now)
        with pytest.raises(NotFound):
            await plans.get_entitlement(tx, party.customer_id, "wallet", now)


@pytest.mark.promise("A32", "X3", "X4")
async def test_verifying_begins_the_free_trial_once(database: Database, now: datetime) -> None:
    party = await make_party(database, now, status=SubscriptionStatus.PENDING_VERIFICATION)
    async with database.transaction() as tx:
        before = await plans.get_entitlement(tx, party.customer_id, "montecarlo", now)
        assert (before.requests_included, before.free_trial_days_remaining(now)) == (20, None)
        begun = await plans.start_free_trial(tx, party.customer_id, "montecarlo", 14, now)
        assert (begun.requests_included, begun.free_trial_days_remaining(now)) == (100, 14)
        later = now + timedelta(days=5)
        again = await plans.start_free_trial(tx, party.customer_id, "montecarlo", 14, later)
        assert again.free_trial_days_remaining(later) == 9, "a second verification prolongs nothing"


@pytest.mark.promise("X4")
async def test_lifting_the_quota_keeps_what_was_used(database: Database, now: datetime) -> None:
    party = await make_party(database, now, status=SubscriptionStatus.PENDING_VERIFICATION)
    async with database.transaction() as tx:
        before = await plans.get_entitlement(tx, party.customer_id, "montecarlo", now)
        quota = await plans.get_quota(tx, before, Mode.TEST, now)
        assert quota.remaining == 20
        await tx.execute("UPDATE usage_quotas SET requests_used = 7")
        after = await plans.start_free_trial(tx, party.customer_id, "montecarlo", 14, now)
        lifted = await plans.lift_quota(tx, after, Mode.TEST, now)
    assert (lifted.id, lifted.requests_included, lifted.requests_used, lifted.remaining) == (
        quota.id,
        100,
        7,
        93,
    )


async def test_a_call_that_comes_late_does_not_undo_what_was_given_meanwhile(
    database: Database, now: datetime
) -> None:
    party = await make_party(database, now, tier="starter", status=SubscriptionStatus.ACTIVE)

    async def given(instant: datetime) -> int | None:
        async with database.transaction() as tx:
            entitlement = await plans.get_entitlement(tx, party.customer_id, "montecarlo", instant)
            return (await plans.get_quota(tx, entitlement, Mode.LIVE, instant)).requests_included

    async def give(amount: int, instant: datetime) -> None:
        async with database.transaction() as tx:
            await plans.override(
                tx, party.customer_id, "montecarlo", "requests_included", amount,
                ends_at=now + timedelta(hours=1), reason="a test", created_by="user:usr_1", now=instant,
            )  # fmt: skip

    before = await given(now)
    assert before is not None
    await give(before + 500, now + timedelta(seconds=2))
    # Its clock was read before, and it waited.
    assert await given(now) == before + 500
    assert await given(now + timedelta(seconds=2)) == before + 500
    # Nor does a change whose clock was read before.
    await give(before + 100, now + timedelta(seconds=1))
    assert await given(now + timedelta(seconds=2)) == before + 500, "the newer of two overrides counts"
    assert await given(now + timedelta(hours=1)) == before, "what ends still ends"
    assert await given(now) == before


async def test_a_new_month_is_a_new_quota_and_the_old_one_stays(database: Database, now: datetime) -> None:
    party = await make_party(database, now, tier="starter", status=SubscriptionStatus.ACTIVE)
    async with database.transaction() as tx:
        for instant in (now, now + timedelta(days=29), now + timedelta(days=30), now + timedelta(days=31)):
            entitlement = await plans.get_entitlement(tx, party.customer_id, "montecarlo", instant)
            await plans.get_quota(tx, entitlement, Mode.LIVE, instant)
        periods = await tx.list_rows("SELECT period_start, period_end FROM usage_quotas ORDER BY id")
    assert len(periods) == 2
    assert periods[0]["period_end"] == periods[1]["period_start"]


async def test_each_mode_has_a_quota_of_its_own(database: Database, now: datetime) -> None:
    party = await make_party(database, now)
    async with database.transaction() as tx:
        entitlement = await plans.get_entitlement(tx, party.customer_id, "montecarlo", now)
        test, live = [await plans.get_quota(tx, entitlement, mode, now) for mode in (Mode.TEST, Mode.LIVE)]
    assert test.id != live.id
    assert test.requests_included == live.requests_included == 100
