"""Load the catalogue, subscribe, and say what a customer may do now."""

import hashlib
import json
from datetime import datetime, timedelta

from tollway.customers.entities import Mode
from tollway.kit.db import Transaction
from tollway.kit.ids import new_id
from tollway.kit.problems import NotFound
from tollway.metering import operations as metering
from tollway.metering.entities import Quota
from tollway.plans import store
from tollway.plans.catalog import CatalogPlan, read_catalog
from tollway.plans.entities import (
    Entitlement,
    Plan,
    Subscription,
    SubscriptionStatus,
    add_months,
    entitlement_of,
)


async def load_catalog(tx: Transaction, now: datetime, catalog: list[CatalogPlan] | None = None) -> int:
    """Make a new version of every plan whose content changed; return how many were made.

    Args:
        catalog: what is on sale; None reads catalog.toml.

    Raises: CatalogRefused. Writes: plan_versions. What was sold keeps its version.
    """
    made = 0
    for plan in read_catalog() if catalog is None else catalog:
        content_hash = hashlib.sha256(json.dumps(plan.content, sort_keys=True).encode()).digest()
        made += await store.insert_plan_version(tx, plan.product, plan.tier, plan.content, content_hash, now)
    return made


async def list_plans(tx: Transaction, product: str) -> list[Plan]:
    """List the plans of a product that anyone may choose, cheapest first."""
    return [plan for plan in await store.list_newest_plans(tx, product) if plan.public]


async def subscribe(
    tx: Transaction,
    customer_id: int,
    product: str,
    tier: str,
    status: SubscriptionStatus,
    now: datetime,
    trial_end: datetime | None = None,
) -> Subscription:
    """Give a customer a hold on the newest version of a plan. Writes: api_subscriptions."""
    plan = await store.find_newest_plan(tx, product, tier)
    if plan is None:
        raise NotFound(f"There is no plan {tier!r} of {product!r} in the catalogue.")
    return await store.insert_subscription(
        tx, new_id("sub"), customer_id, plan, status, (now, add_months(now, 1)), trial_end, now
    )


async def start_free_trial(
    tx: Transaction, customer_id: int, product: str, days: int, now: datetime
) -> Entitlement:
    """Begin the free trial that waited for the address to be verified; beginning it twice changes nothing."""
    entitlement = await get_entitlement(tx, customer_id, product, now)
    await store.update_to_trialing(tx, entitlement.subscription.id, now + timedelta(days=days), now)
    return await get_entitlement(tx, customer_id, product, now)


async def get_entitlement(tx: Transaction, customer_id: int, product: str, now: datetime) -> Entitlement:
    """Say what a customer may do with a product at `now`; raises NotFound where they never subscribed."""
    subscription = await store.find_subscription(tx, customer_id, product)
    if subscription is None:
        raise NotFound(f"You have no subscription to {product!r}.")
    return entitlement_of(subscription, await store.get_plan(tx, subscription.plan_version_id), now)


async def get_quota(tx: Transaction, entitlement: Entitlement, mode: Mode, now: datetime) -> Quota:
    """Return the quota of the period under way, opening it on first use. Writes: usage_quotas."""
    return await metering.get_quota(
        tx,
        entitlement.subscription.id,
        mode,
        (entitlement.period_start, entitlement.period_end),
        entitlement.requests_included,
        entitlement.plan.overage_rate,
        now,
    )


async def lift_quota(tx: Transaction, entitlement: Entitlement, mode: Mode, now: datetime) -> Quota:
    """Bring the period under way to what the entitlement includes now; what was used stays used."""
    quota = await get_quota(tx, entitlement, mode, now)
    await metering.change_included(tx, quota.id, entitlement.requests_included)
    return await get_quota(tx, entitlement, mode, now)
