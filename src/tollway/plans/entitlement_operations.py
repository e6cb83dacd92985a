"""Say what a customer may do now, and bring quotas to it."""

from dataclasses import replace
from datetime import datetime

from tollway.customers import operations as customers
from tollway.customers.entities import Mode
from tollway.kit.db import Transaction
from tollway.kit.problems import NotFound
from tollway.metering import operations as metering
from tollway.metering.entities import Quota
from tollway.plans import adjustment_store, store
from tollway.plans.derivation import entitlement_of
from tollway.plans.entities import (
    Entitlement,
    EntitlementState,
    Feature,
    FeatureNotIncluded,
    Plan,
    Subscription,
)


async def get_entitlement(tx: Transaction, customer_id: int, product: str, now: datetime) -> Entitlement:
    """Say what a customer may do with a product at `now`; raises NotFound where they never subscribed."""
    subscription = await store.find_subscription(tx, customer_id, product)
    if subscription is None:
        raise NotFound(f"You have no subscription to {product!r}.")
    return await _entitlement(tx, subscription, now)


async def find_entitlement(
    tx: Transaction, customer_id: int, product: str, now: datetime
) -> Entitlement | None:
    """Say what a customer may do with a product at `now`, or None where they never subscribed."""
    subscription = await store.find_subscription(tx, customer_id, product)
    return None if subscription is None else await _entitlement(tx, subscription, now)


async def list_held(tx: Transaction, customer_id: int, now: datetime) -> list[Entitlement]:
    """Say what a customer may do with each product that they ever subscribed to."""
    return [
        await _entitlement(tx, subscription, now)
        for subscription in await store.list_subscriptions(tx, customer_id)
    ]


async def _entitlement(tx: Transaction, subscription: Subscription, now: datetime) -> Entitlement:
    plan = await store.get_plan(tx, subscription.plan_version_id)
    is_past_due = subscription.state(now) is EntitlementState.PAST_DUE
    return entitlement_of(
        subscription,
        plan,
        now,
        adjustments=await adjustment_store.list_adjustments_in_force(
            tx, subscription.customer_id, subscription.product, now
        ),
        free_plan=await find_free_plan(tx, subscription.product) if is_past_due else None,
    )


async def find_next_change(tx: Transaction, customer_id: int, product: str, now: datetime) -> datetime | None:
    """Return when the next grant or override of a customer begins or ends, if any does."""
    return await adjustment_store.find_next_change(tx, customer_id, product, now)


async def find_free_plan(tx: Transaction, product: str) -> Plan | None:
    """Return the free plan of a product that anyone may have: the size of what is not paid for."""
    plans = await store.list_newest_plans(tx, product)
    return next((plan for plan in plans if plan.free and plan.public), None)


async def assert_feature(tx: Transaction, entitlement: Entitlement, feature: Feature) -> None:
    """Raise FeatureNotIncluded, which names the plan that has it, where a customer lacks a feature (D28)."""
    if feature in entitlement.features:
        return
    on_sale = await store.list_newest_plans(tx, entitlement.plan.product)
    having = next((plan for plan in on_sale if plan.public and feature in plan.gates), None)
    way_out = f"The plan {having.name} has it." if having else "Ask us for it."
    raise FeatureNotIncluded(
        f"Your plan {entitlement.plan.name} does not include {feature.label}. {way_out}",
        members={
            "feature": feature.value,
            "plan": entitlement.plan.tier,
            "plan_needed": having.tier if having else None,
        },
    )


async def get_quota(tx: Transaction, entitlement: Entitlement, mode: Mode, now: datetime) -> Quota:
    """Return the quota of the period under way, opening it on first use. Writes: usage_quotas.

    It gives what the entitlement says at `now`: a grant that began or ended in the middle of the period
    counts from its first call on. What was used stays used.
    """
    quota = await _open_quota(tx, entitlement, mode, now)
    if _gives(quota, entitlement, mode):
        return _with_bounds(quota, entitlement, mode)
    # Somebody may be changing the plan right now: what was read before they committed must not undo it.
    await customers.lock_customer(tx, entitlement.subscription.customer_id)
    fresh = await get_entitlement(tx, entitlement.subscription.customer_id, entitlement.plan.product, now)
    return await lift_quota(tx, fresh, mode, now)


async def lift_quota(tx: Transaction, entitlement: Entitlement, mode: Mode, now: datetime) -> Quota:
    """Bring the period under way to what the entitlement gives now; what was used stays used.

    Call it with the customer locked.

    INVARIANT: a call that began before a change and comes after it does not undo it
    (tests/plans/test_operations.py::test_a_call_that_comes_late_does_not_undo_what_was_given_meanwhile).
    """
    quota = await _open_quota(tx, entitlement, mode, now)
    if now < quota.terms_at:
        now = quota.terms_at
        entitlement = await get_entitlement(
            tx, entitlement.subscription.customer_id, entitlement.plan.product, now
        )
    terms = entitlement.quota_terms(mode)
    await metering.change_terms(tx, quota.id, terms, now)
    quota = replace(
        quota, requests_included=terms.requests_included, requests_max=terms.requests_max, terms_at=now
    )
    return _with_bounds(quota, entitlement, mode)


async def _open_quota(tx: Transaction, entitlement: Entitlement, mode: Mode, now: datetime) -> Quota:
    period = (entitlement.period_start, entitlement.period_end)
    return await metering.get_quota(
        tx, entitlement.subscription.id, mode, period, entitlement.quota_terms(mode), now
    )


def _gives(quota: Quota, entitlement: Entitlement, mode: Mode) -> bool:
    terms = entitlement.quota_terms(mode)
    return (quota.requests_included, quota.requests_max) == (terms.requests_included, terms.requests_max)


def _with_bounds(quota: Quota, entitlement: Entitlement, mode: Mode) -> Quota:
    """Add what a quota's row does not hold."""
    return replace(
        quota,
        requests_per_day_max=entitlement.limits.requests_per_day_max,
        spending_cap=entitlement.spending_cap_in_force(mode),
        currency=entitlement.plan.currency,
    )


async def lift_quotas(tx: Transaction, customer_id: int, product: str, now: datetime) -> Entitlement:
    """Bring both modes' period under way to what a customer may do now. Writes: usage_quotas."""
    entitlement = await get_entitlement(tx, customer_id, product, now)
    for mode in Mode:
        await lift_quota(tx, entitlement, mode, now)
    return entitlement
