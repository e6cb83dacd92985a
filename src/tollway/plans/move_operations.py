"""Commands of ours over many customers: grandfathering, and moving holders to a newer version (B61, B62)."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from tollway.customers import operations as customers
from tollway.kit.db import Transaction
from tollway.kit.problems import FieldError, NotFound
from tollway.plans import change_store, store
from tollway.plans.change_operations import assign_plan, schedule_migration
from tollway.plans.changes import NOTICE_DAYS, NoticeTooShort
from tollway.plans.entities import (
    FREE_TRIAL_TIER,
    GRANDFATHERED_TIER,
    Plan,
    PlanUnknown,
    SubscriptionStatus,
    normal_tier,
)
from tollway.plans.entitlement_operations import find_entitlement

REASON = "Was here before plans were sold"


@dataclass(frozen=True, slots=True)
class Moved:
    """What a command did: whom it moved or will move, and whom it left as they are, by public id."""

    plan: Plan
    moved: tuple[str, ...]
    left: tuple[str, ...]
    effective_at: datetime


async def grandfather(
    tx: Transaction,
    product: str,
    *,
    signed_up_before: datetime | None,
    customer_ids: tuple[str, ...],
    by: str,
    now: datetime,
) -> Moved:
    """Give those who were here before plans were sold the free plan that only they have; at once, and mailed.

    It takes nothing away, so that nobody waits 30 days for it. Doing it again moves nobody twice.

    Args:
        signed_up_before: moves everyone who signed up before and whose free trial has ended.
        customer_ids: public ids of customers who hold a free trial, ended or not. Whoever holds a plan
            that is paid for is left as they are.

    Raises: PlanUnknown where the product has no such plan, NotFound. Writes and defers: see `assign_plan`.
    """
    plan = await store.find_newest_plan(tx, product, GRANDFATHERED_TIER)
    if plan is None:
        raise PlanUnknown(f"{product!r} has no plan {GRANDFATHERED_TIER!r} in the catalogue.")
    found: dict[str, int] = {}
    if signed_up_before is not None:
        holders = await change_store.list_ended_free_trials(
            tx, product, FREE_TRIAL_TIER, signed_up_before, now
        )
        found = {one.customer_public_id: one.customer_id for one in holders}
    for public_id in customer_ids:
        customer = await customers.find_customer(tx, public_id)
        if customer is None:
            raise NotFound(f"There is no customer {public_id!r}.")
        found[public_id] = customer.id
    moved, left = [], []
    for public_id, customer_id in found.items():
        await customers.lock_customer(tx, customer_id)
        held = await find_entitlement(tx, customer_id, product, now)
        is_theirs = held is not None and held.plan.tier == FREE_TRIAL_TIER
        if is_theirs and await assign_plan(
            tx, customer_id, product, GRANDFATHERED_TIER, by, now, reason=REASON
        ):
            moved.append(public_id)
        else:
            left.append(public_id)
    return Moved(plan, tuple(moved), tuple(left), now)


async def migrate_holders(
    tx: Transaction, product: str, tier: str, *, at: datetime | None, by: str, now: datetime
) -> Moved:
    """Move everyone who holds an older version of a plan to the newest one, 30 days from now at the soonest.

    Each is mailed at once and reads it on the dashboard until then. Whoever waits for another change is left
    as they are; doing it again moves those who came to wait no more.

    Args:
        at: when; None is as soon as may be.

    Raises: PlanUnknown, NoticeTooShort. Writes: subscription_changes, audit_entries. Defers: the mails.
    """
    earliest = now + timedelta(days=NOTICE_DAYS)
    if at is not None and at < earliest:
        raise NoticeTooShort(
            f"A change of held plans takes effect no sooner than {NOTICE_DAYS} days after it is scheduled: "
            f"{earliest:%Y-%m-%d %H:%M} UTC at the earliest.",
            errors=(FieldError("/at", f"must be {earliest.isoformat()} or later"),),
        )
    plan = await store.find_newest_plan(tx, product, normal_tier(tier))
    if plan is None:
        raise PlanUnknown(f"There is no plan {tier!r} of {product!r} in the catalogue.")
    moved, left = [], []
    for holder in await change_store.list_holders_of_older(tx, product, plan.tier, plan.version_id):
        await customers.lock_customer(tx, holder.customer_id)
        subscription = await store.find_subscription(tx, holder.customer_id, product)
        is_held = (
            subscription is not None
            and subscription.id == holder.subscription_id
            and subscription.status is not SubscriptionStatus.CANCELLED
        )
        if is_held and subscription is not None and await schedule_migration(
            tx, subscription, plan, at or earliest, by, now
        ):  # fmt: skip
            moved.append(holder.customer_public_id)
        else:
            left.append(holder.customer_public_id)
    return Moved(plan, tuple(moved), tuple(left), at or earliest)
