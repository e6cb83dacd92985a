"""Say what a customer may do now, and bring quotas to it."""

from dataclasses import replace
from datetime import datetime

from tollway.customers.entities import Mode
from tollway.kit.db import Transaction
from tollway.kit.problems import NotFound
from tollway.metering import operations as metering
from tollway.metering.entities import Quota
from tollway.plans import adjustment_store, store
from tollway.plans.entities import (
    Entitlement,
    EntitlementState,
    Feature,
    FeatureNotIncluded,
    Plan,
    Subscription,
    entitlement_of,
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

    It includes what the entitlement says at `now`: a grant that began or ended in the middle of the period
    counts from its first call on. What was used stays used.
    """
    period = (entitlement.period_start, entitlement.period_end)
    included, rate = entitlement.requests_included, entitlement.plan.overage_rate
    quota = await metering.get_quota(tx, entitlement.subscription.id, mode, period, included, rate, now)
    if quota.requests_included != included:
        await metering.change_included(tx, quota.id, included, rate)
        return replace(quota, requests_included=included)
    return quota


async def lift_quota(tx: Transaction, entitlement: Entitlement, mode: Mode, now: datetime) -> Quota:
    """Bring the period under way to what the entitlement includes now; what was used stays used."""
    quota = await get_quota(tx, entitlement, mode, now)
    await metering.change_included(tx, quota.id, entitlement.requests_included, entitlement.plan.overage_rate)
    return quota


async def lift_quotas(tx: Transaction, customer_id: int, product: str, now: datetime) -> Entitlement:
    """Bring both modes' period under way to what a customer may do now. Writes: usage_quotas."""
    entitlement = await get_entitlement(tx, customer_id, product, now)
    for mode in Mode:
        await lift_quota(tx, entitlement, mode, now)
    return entitlement
