"""Load the catalogue and subscribe. The other verbs of this domain stand in files of their own and are entered here."""

import hashlib
import json
from datetime import datetime, timedelta
from functools import cache

from tollway.kit.db import Transaction
from tollway.kit.ids import new_id
from tollway.plans import store
from tollway.plans.adjustment_operations import end_adjustment, grant, list_adjustments, override
from tollway.plans.catalog import CatalogPlan, Extra, ProductOnSale, read_catalog, read_products
from tollway.plans.change_operations import (
    assign_plan,
    end_verification_wait,
    find_open_change,
    list_changes,
    request_cancellation,
    request_change,
    settle_payment,
    withdraw_change,
)
from tollway.plans.entities import (
    PRODUCTS,
    Entitlement,
    Plan,
    PlanUnknown,
    Subscription,
    SubscriptionStatus,
    normal_tier,
)
from tollway.plans.entitlement_operations import (
    assert_feature,
    find_entitlement,
    find_free_plan,
    find_next_change,
    get_entitlement,
    get_quota,
    lift_quota,
    lift_quotas,
    list_held,
)
from tollway.plans.move_operations import grandfather, migrate_holders
from tollway.plans.notice_operations import list_notices
from tollway.plans.periods import add_months
from tollway.plans.spending_operations import set_spending_cap

__all__ = [
    "Extra",
    "assert_feature",
    "assign_plan",
    "end_adjustment",
    "end_verification_wait",
    "find_entitlement",
    "find_free_plan",
    "find_next_change",
    "find_open_change",
    "get_entitlement",
    "get_quota",
    "grandfather",
    "grant",
    "lift_quota",
    "lift_quotas",
    "list_adjustments",
    "list_by_arrangement",
    "list_changes",
    "list_held",
    "list_notices",
    "list_on_sale_with_holders",
    "list_plans",
    "list_products",
    "load_catalog",
    "migrate_holders",
    "override",
    "request_cancellation",
    "request_change",
    "set_spending_cap",
    "settle_payment",
    "start_free_trial",
    "subscribe",
    "withdraw_change",
]


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


async def list_by_arrangement(tx: Transaction) -> list[Plan]:
    """List the plans of every product that have no price of their own, private ones too: people arrange them."""
    newest = [plan for product in PRODUCTS for plan in await store.list_newest_plans(tx, product)]
    return [plan for plan in newest if plan.price_minor is None]


async def list_on_sale_with_holders(tx: Transaction) -> list[tuple[Plan, int]]:
    """List the newest version of every plan, private ones too, with how many customers hold the plan."""
    counts = await store.count_holders(tx)
    return [
        (plan, counts.get((plan.product, plan.tier), 0))
        for product in PRODUCTS
        for plan in await store.list_newest_plans(tx, product)
    ]


def list_products() -> list[ProductOnSale]:
    """List the products with how their API keys begin and what is sold beside their plans.

    Raises: CatalogRefused.
    """
    return list(_products_at_start())


@cache
def _products_at_start() -> tuple[ProductOnSale, ...]:
    """Read the catalogue once in a process: an edit of it, right or wrong, changes no page before a start."""
    return tuple(read_products())


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
    plan = await store.find_newest_plan(tx, product, normal_tier(tier))
    if plan is None:
        raise PlanUnknown(f"There is no plan {tier!r} of {product!r} in the catalogue.")
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
