"""What a customer is told about their plans: on the dashboard, and by mail once."""

from datetime import datetime, timedelta

from tollway.customers import member_operations as members
from tollway.kit.db import Transaction
from tollway.kit.mail import queue_mail
from tollway.notifications import plan_mail_operations as mails
from tollway.plans import change_store, store
from tollway.plans.catalog import read_products
from tollway.plans.changes import (
    LIMIT_LABELS,
    ChangeEvent,
    ChangeKind,
    ChangeStatus,
    Notice,
    NoticeKind,
    SubscriptionChange,
    differences,
)
from tollway.plans.entities import LIMIT_NAMES, Entitlement, EntitlementState, Plan
from tollway.plans.entitlement_operations import list_held

# From how many days before its end the free trial is a notice, and mailed about at 7, 3 and 1.
FREE_TRIAL_NOTICE_DAYS = 7
# A free trial that ended longer ago is not written about any more.
ENDED_TOLD_DAYS = 30
BATCH_SIZE = 100


async def list_notices(tx: Transaction, customer_id: int, now: datetime) -> list[Notice]:
    """List what the dashboard shows about plans: changes that wait or will come, and what ends (B61)."""
    notices = []
    for held in await list_held(tx, customer_id, now):
        change = await change_store.find_open_change(tx, held.subscription.id)
        if change is not None:
            plan = None
            if change.plan_version_id is not None:
                plan = await store.get_plan(tx, change.plan_version_id)
            notices.append(_notice_of_change(held, change, plan))
        ending = _notice_of_state(held, now)
        # Whoever is about to pay needs no word about what ends without it.
        if ending is not None and (change is None or change.status is not ChangeStatus.PENDING_PAYMENT):
            notices.append(ending)
    return notices


def _notice_of_change(held: Entitlement, change: SubscriptionChange, plan: Plan | None) -> Notice:
    product, at = held.plan.product, change.effective_at
    if change.status is ChangeStatus.PENDING_PAYMENT:
        assert plan is not None
        return Notice(
            NoticeKind.PAYMENT_AWAITED,
            product,
            f"{plan.name} waits for its payment.",
            f"Until then you have what {held.plan.name} gives.",
            None,
            change.public_id,
        )
    assert at is not None
    if plan is None:
        title, text = f"{held.plan.name} ends on {_day(at)}.", "What you made stays readable after that."
        return Notice(NoticeKind.CANCEL, product, title, text, at, change.public_id)
    changed = "; ".join(differences(held.plan, plan)) or "Nothing that you use changes"
    if change.kind is ChangeKind.MIGRATION:
        title = f"Your plan {held.plan.name} changes on {_day(at)}."
        return Notice(NoticeKind.MIGRATION, product, title, f"{changed}.", at, change.public_id)
    title = f"You change to {plan.name} on {_day(at)}."
    return Notice(NoticeKind.DOWNGRADE, product, title, f"{changed}.", at, change.public_id)


def _notice_of_state(held: Entitlement, now: datetime) -> Notice | None:
    product = held.plan.product
    days, end = held.free_trial_days_remaining(now), held.subscription.trial_end
    if days is not None and days <= FREE_TRIAL_NOTICE_DAYS and end is not None:
        if end <= now:
            title, text = (
                "Your free trial has ended.",
                "What you made stays readable. Choose a plan to go on.",
            )
            return Notice(NoticeKind.FREE_TRIAL_ENDED, product, title, text, end)
        title = f"Your free trial ends on {_day(end)}."
        text = "Choose a plan to go on without a break; without one, what you made stays readable."
        return Notice(NoticeKind.FREE_TRIAL_ENDING, product, title, text, end)
    if held.state is EntitlementState.PAST_DUE:
        title = f"A payment for {held.plan.name} is open."
        text = "Until it is paid you can read everything, and make as much as a free plan allows."
        return Notice(NoticeKind.PAST_DUE, product, title, text, None)
    if held.state is EntitlementState.CANCELLED:
        title, text = f"{held.plan.name} has ended.", "What you made stays readable. Choose a plan to go on."
        return Notice(NoticeKind.ENDED, product, title, text, None)
    return None


async def tell_free_trials(tx: Transaction, base_url: str, now: datetime) -> int:
    """Mail the owners of free trials that end in 7, 3 or 1 days, and of those that ended; each mail once.

    Returns how many were due; call it again until it is 0. Writes: sent_notices, outbox_mails.
    """
    due = await change_store.list_due_notices(tx, now - timedelta(days=ENDED_TOLD_DAYS), now, BATCH_SIZE)
    for one in due:
        if not await change_store.insert_sent_notice(tx, one.subscription_id, one.notice, now):
            continue
        product = _product_name(one.product)
        plans_link = f"{base_url}/dashboard#plans"
        for address in await members.list_owner_emails(tx, one.customer_id):
            if one.notice == "free_trial_ended":
                mail = mails.compose_free_trial_ended(
                    address, product=product, ended_at=one.trial_end, plans_link=plans_link
                )
            else:
                days = max(1, -int(-(one.trial_end - now).total_seconds() // 86_400))
                mail = mails.compose_free_trial_ending(
                    address, product=product, days=days, ends_at=one.trial_end, plans_link=plans_link
                )
            await queue_mail(tx, mail, now)
    return len(due)


async def tell_change(
    tx: Transaction, change_id: str, event: ChangeEvent, base_url: str, now: datetime
) -> None:
    """Mail the owners what a change of their plan did or will do; once for each, however often it is called.

    Writes: sent_notices, outbox_mails.
    """
    change = await change_store.find_change(tx, change_id)
    if change is None:
        return
    if event is ChangeEvent.ANNOUNCED and not change.is_open:
        return
    notice = f"change/{change.public_id}/{event.value}"
    if not await change_store.insert_sent_notice(tx, change.subscription_id, notice, now):
        return
    subscription = await store.find_subscription(tx, change.customer_id, change.product)
    assert subscription is not None
    held = await store.get_plan(tx, subscription.plan_version_id)
    product, plans_link = _product_name(change.product), f"{base_url}/dashboard#plans"
    for address in await members.list_owner_emails(tx, change.customer_id):
        if change.plan_version_id is None:
            mail = mails.compose_plan_ended(address, product=product, plan=held.name, plans_link=plans_link)
        elif event is ChangeEvent.ANNOUNCED:
            new = await store.get_plan(tx, change.plan_version_id)
            assert change.effective_at is not None
            mail = mails.compose_plan_changing(
                address,
                product=product,
                plan=held.name,
                changes_at=change.effective_at,
                differences=differences(held, new),
                plans_link=plans_link,
            )
        else:
            new = await store.get_plan(tx, change.plan_version_id)
            mail = mails.compose_plan_changed(
                address,
                product=product,
                plan=new.name,
                price=new.price_text,
                facts=_facts(new),
                plans_link=plans_link,
            )
        await queue_mail(tx, mail, now)


def _product_name(product: str) -> str:
    return next((one.name for one in read_products() if one.product == product), product)


def _facts(plan: Plan) -> list[str]:
    """Say in a few lines what a plan gives, leaving out what its product does not count."""
    requests = "Unlimited" if plan.requests_included is None else f"{plan.requests_included:,}"
    facts = [f"{requests} requests a month"]
    for name in LIMIT_NAMES:
        amount = plan.amount_of(name)
        if amount:
            facts.append(f"{amount:,} {LIMIT_LABELS[name]}")
    return [*facts, f"Support: {plan.support[0].lower()}{plan.support[1:]}"]


def _day(moment: datetime) -> str:
    return f"{moment.day} {moment:%B %Y}"
