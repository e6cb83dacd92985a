"""Change what a customer holds: asked for, paid, withdrawn, or due at the end of a period (X20).

Every command locks the customer's row first, so that two at once happen one after the other.
"""

from datetime import datetime, timedelta

from tollway.audit import operations as audit
from tollway.customers import operations as customers
from tollway.kit.db import Transaction
from tollway.kit.ids import new_id
from tollway.kit.jobs import enqueue_job
from tollway.kit.problems import Forbidden, NotFound
from tollway.plans import change_store, store
from tollway.plans.changes import (
    ChangeEvent,
    ChangeKind,
    ChangeOpen,
    ChangeOver,
    ChangeStatus,
    ChangeTiming,
    SubscriptionChange,
    assert_may_have,
    kind_of_change,
    timing_of_change,
)
from tollway.plans.derivation import reference_of
from tollway.plans.entities import (
    FREE_TRIAL_TIER,
    Entitlement,
    EntitlementState,
    Plan,
    PlanUnknown,
    Subscription,
    SubscriptionStatus,
    normal_tier,
)
from tollway.plans.entitlement_operations import find_entitlement, find_free_plan, lift_quotas
from tollway.plans.periods import add_months

TELL_CHANGE_JOB = "plans.tell_change"
FREE_TRIAL_DAYS = 14
CHANGES_SHOWN_MAX = 100


async def request_change(
    tx: Transaction,
    customer_id: int,
    product: str,
    tier: str,
    requested_by: str,
    now: datetime,
    *,
    address: str | None = None,
    free_trial_days: int = FREE_TRIAL_DAYS,
) -> SubscriptionChange:
    """Ask for another plan, or for a first one (X20).

    A free plan where nothing is paid for comes at once. A step up waits for its payment, and until
    `settle_payment` nothing changes; who came for a paid plan holds the product's free one meanwhile. A step
    down comes when the period ends. Asking for the same again returns the change that waits.

    Args:
        requested_by: the actor, `user:usr_...` or `api_key:...`.

    Raises: PlanUnknown, PlanHeld, PlanByArrangement, FreeTrialHad, ChangeOpen.
    Writes: subscription_changes, api_subscriptions, usage_quotas, audit_entries. Defers: the mail about it.
    """
    await customers.lock_customer(tx, customer_id)
    plan = await _plan_on_sale(tx, product, tier)
    held = await find_entitlement(tx, customer_id, product, now)
    waiting = await _find_waiting(tx, held, plan, now)
    if waiting is not None:
        return waiting
    assert_may_have(held, plan)
    if held is None:
        subscription = await _first_subscription(tx, customer_id, plan, free_trial_days, now)
    else:
        subscription = held.subscription
    kind = kind_of_change(held, plan)
    timing = timing_of_change(held, plan)
    if timing is ChangeTiming.AT_ONCE:
        change = await _insert(tx, subscription, kind, plan, ChangeStatus.SCHEDULED, now, requested_by, now)
        await _apply(tx, change, now)
    elif timing is ChangeTiming.WHEN_PAID:
        change = await _insert(
            tx, subscription, kind, plan, ChangeStatus.PENDING_PAYMENT, None, requested_by, now
        )
    else:
        assert held is not None, "a step down is one from something"
        change = await _insert(
            tx, subscription, kind, plan, ChangeStatus.SCHEDULED, held.period_end, requested_by, now
        )
    await _record(tx, "subscription.change_requested", change, plan, requested_by, address, now)
    return await _get_change(tx, change.public_id)


async def request_cancellation(
    tx: Transaction,
    customer_id: int,
    product: str,
    requested_by: str,
    now: datetime,
    *,
    address: str | None = None,
) -> SubscriptionChange:
    """Ask that a subscription ends with its period; asking again returns the change that waits.

    Raises: NotFound, ChangeOpen, ChangeOver. Writes: subscription_changes, api_subscriptions, audit_entries.
    """
    await customers.lock_customer(tx, customer_id)
    held = await find_entitlement(tx, customer_id, product, now)
    if held is None:
        raise NotFound(f"You have no subscription to {product!r}.")
    if held.read_only:
        raise ChangeOver(f"Your plan {held.plan.name} has ended already; there is nothing to cancel.")
    waiting = await _find_waiting(tx, held, None, now)
    if waiting is not None:
        return waiting
    change = await _insert(
        tx,
        held.subscription,
        ChangeKind.CANCEL,
        None,
        ChangeStatus.SCHEDULED,
        held.period_end,
        requested_by,
        now,
    )
    await change_store.update_cancel_at(tx, held.subscription.id, held.period_end, now)
    await _record(tx, "subscription.cancel_requested", change, None, requested_by, address, now)
    return change


async def settle_payment(
    tx: Transaction, change_id: str, now: datetime, *, settled_by: str = "system:billing"
) -> SubscriptionChange:
    """Apply an upgrade whose payment has come; settling it twice changes nothing. Billing calls this.

    The limits and the quota of the period change at once. From one paid plan to another the period goes on
    and what was used stays used; a first paid plan begins a month of its own.

    Raises: NotFound, and ChangeOver where it was withdrawn: then the money must go back.
    Writes: subscription_changes, api_subscriptions, usage_quotas, audit_entries. Defers: the mail about it.
    """
    change = await _lock_change(tx, change_id)
    if change.status is ChangeStatus.APPLIED:
        return change
    if change.status is not ChangeStatus.PENDING_PAYMENT:
        raise ChangeOver(f"This change is {change.status.value}; it waits for no payment.")
    await _apply(tx, change, now)
    await _record(tx, "subscription.payment_settled", change, None, settled_by, None, now)
    return await _get_change(tx, change_id)


async def withdraw_change(
    tx: Transaction,
    customer_id: int,
    change_id: str,
    withdrawn_by: str,
    now: datetime,
    *,
    address: str | None = None,
) -> SubscriptionChange:
    """Take a change back that waits; withdrawing it twice changes nothing.

    Raises: NotFound; ChangeOver where it was applied; Forbidden for a change of ours.
    Writes: subscription_changes, api_subscriptions, audit_entries.
    """
    await customers.lock_customer(tx, customer_id)
    change = await change_store.find_change(tx, change_id)
    if change is None or change.customer_id != customer_id:
        raise NotFound("There is no such change of yours.")
    if change.status is ChangeStatus.WITHDRAWN:
        return change
    if change.status is ChangeStatus.APPLIED:
        raise ChangeOver("This change was applied; ask for a new one.")
    if change.kind is ChangeKind.MIGRATION:
        raise Forbidden("This change is one of ours to the plan that you hold. Choose another plan instead.")
    await _withdraw(tx, change, now)
    await _record(tx, "subscription.change_withdrawn", change, None, withdrawn_by, address, now)
    return await _get_change(tx, change_id)


async def assign_plan(
    tx: Transaction,
    customer_id: int,
    product: str,
    tier: str,
    assigned_by: str,
    now: datetime,
    *,
    reason: str = "",
    address: str | None = None,
) -> SubscriptionChange | None:
    """Give a customer a plan at once and without payment; for us, by command or arrangement, never for them.

    Private plans and those without a price can be given. A change that waits is withdrawn. Returns None
    where the customer holds the newest version of the plan already.

    Raises: PlanUnknown. Writes: subscription_changes, api_subscriptions, usage_quotas, audit_entries.
    Defers: the mail about it.
    """
    await customers.lock_customer(tx, customer_id)
    plan = await store.find_newest_plan(tx, product, normal_tier(tier))
    if plan is None or plan.tier == FREE_TRIAL_TIER:
        raise PlanUnknown(f"There is no plan {tier!r} of {product!r} that can be given.")
    held = await find_entitlement(tx, customer_id, product, now)
    if held is not None and held.plan.version_id == plan.version_id and not held.read_only:
        return None
    if held is not None and (waiting := await change_store.find_open_change(tx, held.subscription.id)):
        await _withdraw(tx, waiting, now)
    subscription = (
        await _first_subscription(tx, customer_id, plan, FREE_TRIAL_DAYS, now)
        if held is None
        else held.subscription
    )
    kind = kind_of_change(held, plan)
    change = await _insert(
        tx, subscription, kind, plan, ChangeStatus.SCHEDULED, now, assigned_by, now, reason=reason
    )
    await _apply(tx, change, now)
    await _record(tx, "subscription.plan_assigned", change, plan, assigned_by, address, now)
    return await _get_change(tx, change.public_id)


async def end_verification_wait(tx: Transaction, customer_id: int, now: datetime) -> None:
    """Lift the cap of whoever proved the address, on everything they hold; ending it twice changes nothing.

    Who came for a paid plan holds the free one from here on, until it is paid. Free trials begin elsewhere.
    Writes: api_subscriptions, usage_quotas.
    """
    for subscription in await store.list_subscriptions(tx, customer_id):
        if subscription.status is not SubscriptionStatus.PENDING_VERIFICATION:
            continue
        waiting = await change_store.find_open_change(tx, subscription.id)
        status = SubscriptionStatus.PENDING_PAYMENT if waiting else SubscriptionStatus.ACTIVE
        await change_store.update_status(tx, subscription.id, status, now)
        await lift_quotas(tx, customer_id, subscription.product, now)


async def apply_due_change(tx: Transaction, change_id: str, now: datetime) -> bool:
    """Apply a scheduled change whose time has come; return whether this call did.

    Writes: subscription_changes, api_subscriptions, usage_quotas, audit_entries. Defers: the mail about it.
    """
    change = await _lock_change(tx, change_id)
    if change.status is not ChangeStatus.SCHEDULED:
        return False
    if change.effective_at is None or change.effective_at > now:
        return False
    await _apply(tx, change, now)
    await _record(tx, "subscription.changed", change, None, "job:plans.apply_due", None, now)
    return True


async def find_open_change(tx: Transaction, entitlement: Entitlement) -> SubscriptionChange | None:
    """Return the change of a subscription that waits, or None."""
    return await change_store.find_open_change(tx, entitlement.subscription.id)


async def list_changes(tx: Transaction, customer_id: int) -> list[SubscriptionChange]:
    """List a customer's changes of plans, newest first."""
    return await change_store.list_changes(tx, customer_id, CHANGES_SHOWN_MAX)


async def schedule_migration(
    tx: Transaction, subscription: Subscription, plan: Plan, effective_at: datetime, by: str, now: datetime
) -> SubscriptionChange | None:
    """Schedule that a subscription moves to a newer version of its plan; None where a change waits already.

    Call it with the customer locked. Writes: subscription_changes, audit_entries. Defers: the mail about it.
    """
    if await change_store.find_open_change(tx, subscription.id) is not None:
        return None
    change = await _insert(
        tx, subscription, ChangeKind.MIGRATION, plan, ChangeStatus.SCHEDULED, effective_at, by, now
    )
    await _record(tx, "subscription.migration_scheduled", change, plan, by, None, now)
    await _tell(tx, change, ChangeEvent.ANNOUNCED)
    return change


# The parts -----------------------------------------------------------------------------------------


async def _plan_on_sale(tx: Transaction, product: str, tier: str) -> Plan:
    plan = await store.find_newest_plan(tx, product, normal_tier(tier))
    if plan is None or not plan.public:
        on_sale = [one.tier for one in await store.list_newest_plans(tx, product) if one.public]
        choices = f"On sale are: {', '.join(on_sale)}." if on_sale else "There is no such product."
        raise PlanUnknown(f"There is no plan {tier!r} of {product!r}. {choices}")
    return plan


async def _find_waiting(
    tx: Transaction, held: Entitlement | None, wanted: Plan | None, now: datetime
) -> SubscriptionChange | None:
    """Return the change that waits where it is what is wanted; take one of ours back; refuse any other."""
    waiting = await change_store.find_open_change(tx, held.subscription.id) if held else None
    if waiting is None:
        return None
    if waiting.kind is ChangeKind.MIGRATION:
        # Whoever chooses for themselves is not moved by us on top of it.
        await _withdraw(tx, waiting, now)
        return None
    plan = None if waiting.plan_version_id is None else await store.get_plan(tx, waiting.plan_version_id)
    if (plan.tier if plan else None) == (wanted.tier if wanted else None):
        return waiting
    what = f"change to {plan.name}" if plan else "cancellation"
    if waiting.status is ChangeStatus.PENDING_PAYMENT:
        raise ChangeOpen(f"The {what} waits for its payment. Withdraw it first, or pay it.")
    assert waiting.effective_at is not None
    raise ChangeOpen(f"The {what} takes effect on {waiting.effective_at:%Y-%m-%d}. Withdraw it first.")


async def _first_subscription(
    tx: Transaction, customer_id: int, wanted: Plan, free_trial_days: int, now: datetime
) -> Subscription:
    """Give a customer of nothing yet the free plan; they wait on it for the payment of what they want."""
    plan = wanted if wanted.free else (await find_free_plan(tx, wanted.product) or wanted)
    trial_end = now + timedelta(days=free_trial_days) if plan.tier == FREE_TRIAL_TIER else None
    return await store.insert_subscription(
        tx,
        new_id("sub"),
        customer_id,
        plan,
        SubscriptionStatus.PENDING_PAYMENT,
        (now, add_months(now, 1)),
        trial_end,
        now,
    )


async def _insert(
    tx: Transaction,
    subscription: Subscription,
    kind: ChangeKind,
    plan: Plan | None,
    status: ChangeStatus,
    effective_at: datetime | None,
    requested_by: str,
    now: datetime,
    *,
    reason: str = "",
) -> SubscriptionChange:
    public_id = new_id("chg")
    await change_store.insert_change(
        tx,
        public_id,
        subscription.id,
        kind.value,
        None if plan is None else plan.version_id,
        status.value,
        effective_at,
        requested_by,
        reason,
        None,
        now,
    )
    return await _get_change(tx, public_id)


async def _apply(tx: Transaction, change: SubscriptionChange, now: datetime) -> None:
    """Give the subscription what the change says, lift or lower the quota, and send for the mail."""
    held = await find_entitlement(tx, change.customer_id, change.product, now)
    assert held is not None
    assert held.subscription.id == change.subscription_id, "a product has one subscription"
    subscription = held.subscription
    if change.plan_version_id is None:
        await change_store.update_status(tx, subscription.id, SubscriptionStatus.CANCELLED, now)
    else:
        plan = await store.get_plan(tx, change.plan_version_id)
        period = (subscription.current_period_start, subscription.current_period_end)
        if held.plan.free or held.read_only:
            period = (now, add_months(now, 1))
        status, trial_end = _status_after(change, held, plan)
        await change_store.update_subscription(
            tx, subscription.id, plan.version_id, status, period, trial_end, now
        )
    await change_store.update_to_applied(tx, change.id, change.effective_at or now, now)
    await lift_quotas(tx, change.customer_id, change.product, now)
    await _tell(tx, change, ChangeEvent.APPLIED)


def _status_after(
    change: SubscriptionChange, held: Entitlement, plan: Plan
) -> tuple[SubscriptionStatus, datetime | None]:
    subscription = held.subscription
    if change.kind is ChangeKind.MIGRATION:
        return subscription.status, subscription.trial_end
    if plan.tier == FREE_TRIAL_TIER:
        return SubscriptionStatus.TRIALING, subscription.trial_end
    if change.kind is ChangeKind.DOWNGRADE and held.state is EntitlementState.PAST_DUE and not plan.free:
        # A smaller plan pays no debt.
        return SubscriptionStatus.PAST_DUE, None
    return SubscriptionStatus.ACTIVE, None


async def _withdraw(tx: Transaction, change: SubscriptionChange, now: datetime) -> None:
    await change_store.update_to_withdrawn(tx, change.id, now)
    await change_store.update_cancel_at(tx, change.subscription_id, None, now)
    subscription = await store.find_subscription(tx, change.customer_id, change.product)
    assert subscription is not None
    if subscription.status is SubscriptionStatus.PENDING_PAYMENT:
        # What was held while waiting is what is held now.
        status = SubscriptionStatus.TRIALING if subscription.trial_end else SubscriptionStatus.ACTIVE
        await change_store.update_status(tx, subscription.id, status, now)


async def _lock_change(tx: Transaction, change_id: str) -> SubscriptionChange:
    """Lock the customer of a change, and read it again behind the lock."""
    change = await change_store.find_change(tx, change_id)
    if change is None:
        raise NotFound("There is no such change of a subscription.")
    await customers.lock_customer(tx, change.customer_id)
    return await _get_change(tx, change_id)


async def _get_change(tx: Transaction, change_id: str) -> SubscriptionChange:
    change = await change_store.find_change(tx, change_id)
    assert change is not None, change_id
    return change


async def _tell(tx: Transaction, change: SubscriptionChange, event: ChangeEvent) -> None:
    await enqueue_job(tx, TELL_CHANGE_JOB, {"change_id": change.public_id, "event": event.value})


async def _record(
    tx: Transaction,
    action: str,
    change: SubscriptionChange,
    plan: Plan | None,
    actor: str,
    address: str | None,
    now: datetime,
) -> None:
    await audit.record_entry(
        tx,
        action=action,
        customer_id=change.customer_id,
        actor=actor,
        subject=change.public_id,
        address=address,
        now=now,
        details={"product": change.product, "kind": change.kind.value}
        | ({} if plan is None else {"plan": reference_of(plan)}),
    )
