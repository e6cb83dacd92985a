"""Tell customers how much of their plan is used: by mail for everybody, by webhook for those who have them."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from tollway.alerts import notice_store
from tollway.alerts.entities import PERCENTS, Notice, NoticeKind, WatchedQuota, due_notices
from tollway.customers import member_operations as members
from tollway.customers import operations as customers
from tollway.customers.entities import Mode
from tollway.customers.permissions import Role
from tollway.kit.db import Transaction
from tollway.kit.mail import queue_mail
from tollway.kit.money import format_minor, minor_units
from tollway.notifications import alert_mail_operations as mails
from tollway.plans import operations as plans
from tollway.webhooks import operations as webhooks
from tollway.webhooks.entities import Event

TOLD_ROLES = (Role.OWNER, Role.BILLING)
LOWEST_PERCENT = min(percents[0] for percents in PERCENTS.values())


async def list_quotas_to_tell(
    tx: Transaction, now: datetime, after_id: int, limit: int
) -> tuple[list[WatchedQuota], int | None]:
    """List the quotas among the next `limit` ones of which something is to be told, and where to go on.

    Returns: the quotas, and the id after which to look next; None when all were looked at.
    """
    found = await notice_store.list_watched(tx, now, LOWEST_PERCENT, after_id, limit)
    return [one for one in found if due_notices(one)], found[-1].id if len(found) == limit else None


async def tell_quota(tx: Transaction, quota: WatchedQuota, base_url: str, now: datetime) -> int:
    """Tell a customer what is due of one quota; return how many notices that were. Repeating it tells nothing.

    INVARIANT: what is told, and that it was told, exist together
    (tests/alerts/test_notices.py::test_a_crash_before_the_end_tells_later_and_once).

    Writes: quota_notices, outbox_mails, what `webhooks.publish` writes.
    """
    # Who tells at the same time waits here, and then finds what was told.
    customer = await customers.lock_customer(tx, quota.customer_id)
    present = await notice_store.find_watched(tx, quota.id, now)
    if present is None:
        return 0
    addresses = [one.email for one in await members.list_members(tx, customer.id) if one.role in TOLD_ROLES]
    told = 0
    for notice in due_notices(present):
        if not await notice_store.insert_notice(tx, present.id, notice, now):
            continue
        told += 1
        for address in addresses:
            mail = mails.compose_usage_reached(address, base_url=base_url, **_words(present, notice))
            await queue_mail(tx, mail, now)
        if notice.kind is not NoticeKind.FAIR_USE:
            event = Event.QUOTA_EXCEEDED if notice.percent == 100 else Event.QUOTA_WARNING
            await webhooks.publish(tx, customer.id, present.mode, event, _event(present, notice), now)
    return told


def _words(quota: WatchedQuota, notice: Notice) -> dict[str, Any]:
    """Gather what the mail says."""
    rate = _amount(quota.overage_rate, quota)
    cap = "" if quota.spending_cap is None else _amount(quota.spending_cap, quota)
    return {
        "kind": notice.kind.value,
        "percent": notice.percent,
        "product": _product_name(quota.product),
        "plan": quota.plan_name,
        "is_test": quota.mode is Mode.TEST,
        "used": notice.requests_used,
        "bound": notice.requests_max,
        "ends_at": quota.period_end,
        "stops": quota.stops,
        "rate": rate,
        # Without a bound that is above what is included no cap is at work.
        "cap": cap if quota.requests_max is not None and not quota.stops else "",
        "spent": _amount(quota.overage_rate * notice.requests_used, quota)
        if notice.kind is NoticeKind.SPENDING_CAP
        else "",
    }


def _event(quota: WatchedQuota, notice: Notice) -> dict[str, Any]:
    """Write what a webhook carries beside the mode; amounts are decimal texts."""
    is_cap = notice.kind is NoticeKind.SPENDING_CAP
    return {
        "product": quota.product,
        "limit": "spending_cap" if is_cap else "requests_per_period",
        "threshold_percent": notice.percent,
        "requests_used": quota.requests_used,
        "requests_included": quota.requests_included,
        "requests_max": quota.requests_max,
        "spending_cap": str(quota.spending_cap) if is_cap else None,
        "period_start": quota.period_start.isoformat(),
        "period_end": quota.period_end.isoformat(),
    }


def _amount(amount: Decimal, quota: WatchedQuota) -> str:
    """Write an amount for people; a rate below a cent keeps its digits."""
    if amount == amount.quantize(Decimal("0.01")):
        return format_minor(minor_units(amount, quota.currency), quota.currency)
    return f"{quota.currency} {amount.normalize():f}"


def _product_name(product: str) -> str:
    return next((one.name for one in plans.list_products() if one.product == product), product)
