"""SQL over subscription_changes and sent_notices, and what a change writes to api_subscriptions."""

from dataclasses import dataclass
from datetime import datetime

from tollway.kit.db import Transaction
from tollway.plans.changes import SubscriptionChange
from tollway.plans.entities import SubscriptionStatus


@dataclass(frozen=True, slots=True)
class DueChange:
    """A change whose time has come, and whose customer to lock."""

    public_id: str
    customer_id: int


@dataclass(frozen=True, slots=True)
class Holder:
    """A subscription that a command of ours may move."""

    customer_id: int
    customer_public_id: str
    subscription_id: int
    product: str


@dataclass(frozen=True, slots=True)
class DueNotice:
    """A mail about a free trial that is due and was not sent."""

    subscription_id: int
    customer_id: int
    product: str
    trial_end: datetime
    notice: str


async def insert_change(
    tx: Transaction,
    public_id: str,
    subscription_id: int,
    kind: str,
    plan_version_id: int | None,
    status: str,
    effective_at: datetime | None,
    requested_by: str,
    reason: str,
    settled_at: datetime | None,
    now: datetime,
) -> None:
    """Write a change of a subscription."""
    await tx.execute(
        """
        INSERT INTO subscription_changes (public_id, subscription_id, kind, plan_version_id, status,
            effective_at, requested_by, reason, settled_at, created_at)
        VALUES (%(public_id)s, %(subscription_id)s, %(kind)s, %(plan_version_id)s, %(status)s,
            %(effective_at)s, %(requested_by)s, %(reason)s, %(settled_at)s, %(now)s)
        """,
        {
            "public_id": public_id,
            "subscription_id": subscription_id,
            "kind": kind,
            "plan_version_id": plan_version_id,
            "status": status,
            "effective_at": effective_at,
            "requested_by": requested_by,
            "reason": reason,
            "settled_at": settled_at,
            "now": now,
        },
    )


async def find_change(tx: Transaction, public_id: str) -> SubscriptionChange | None:
    """Return a change, or None. Callers that act for a customer compare its customer_id."""
    return await tx.find_one(
        SubscriptionChange,
        """
        SELECT c.id, c.public_id, c.subscription_id, s.customer_id, s.product, c.kind, c.plan_version_id,
            c.status, c.effective_at, c.requested_by, c.reason, c.created_at, c.settled_at
        FROM subscription_changes c JOIN api_subscriptions s ON s.id = c.subscription_id
        WHERE c.public_id = %(public_id)s
        """,
        {"public_id": public_id},
    )


async def find_open_change(tx: Transaction, subscription_id: int) -> SubscriptionChange | None:
    """Return the one change of a subscription that waits, or None."""
    return await tx.find_one(
        SubscriptionChange,
        """
        SELECT c.id, c.public_id, c.subscription_id, s.customer_id, s.product, c.kind, c.plan_version_id,
            c.status, c.effective_at, c.requested_by, c.reason, c.created_at, c.settled_at
        FROM subscription_changes c JOIN api_subscriptions s ON s.id = c.subscription_id
        WHERE c.subscription_id = %(subscription_id)s AND c.status IN ('pending_payment', 'scheduled')
        """,
        {"subscription_id": subscription_id},
    )


async def list_changes(tx: Transaction, customer_id: int, limit: int) -> list[SubscriptionChange]:
    """List the changes of a customer, newest first."""
    return await tx.list_all(
        SubscriptionChange,
        """
        SELECT c.id, c.public_id, c.subscription_id, s.customer_id, s.product, c.kind, c.plan_version_id,
            c.status, c.effective_at, c.requested_by, c.reason, c.created_at, c.settled_at
        FROM subscription_changes c JOIN api_subscriptions s ON s.id = c.subscription_id
        WHERE s.customer_id = %(customer_id)s ORDER BY c.id DESC LIMIT %(limit)s
        """,
        {"customer_id": customer_id, "limit": limit},
    )


async def list_due(tx: Transaction, now: datetime, limit: int) -> list[DueChange]:
    """List changes whose time has come, the oldest first."""
    return await tx.list_all(
        DueChange,
        """
        SELECT c.public_id, s.customer_id
        FROM subscription_changes c JOIN api_subscriptions s ON s.id = c.subscription_id
        WHERE c.status = 'scheduled' AND c.effective_at <= %(now)s
        ORDER BY c.effective_at, c.id LIMIT %(limit)s
        """,
        {"now": now, "limit": limit},
    )


async def update_to_applied(tx: Transaction, change_id: int, effective_at: datetime, now: datetime) -> None:
    """Record that a change took effect."""
    await tx.execute(
        """
        UPDATE subscription_changes
        SET status = 'applied', effective_at = %(effective_at)s, settled_at = %(now)s
        WHERE id = %(id)s
        """,
        {"id": change_id, "effective_at": effective_at, "now": now},
    )


async def update_to_withdrawn(tx: Transaction, change_id: int, now: datetime) -> None:
    """Record that a change will not happen."""
    await tx.execute(
        "UPDATE subscription_changes SET status = 'withdrawn', settled_at = %(now)s WHERE id = %(id)s",
        {"id": change_id, "now": now},
    )


async def update_subscription(
    tx: Transaction,
    subscription_id: int,
    plan_version_id: int,
    status: SubscriptionStatus,
    period: tuple[datetime, datetime],
    trial_end: datetime | None,
    now: datetime,
) -> None:
    """Give a subscription another plan, status and period; whatever cancellation was set is off."""
    await tx.execute(
        """
        UPDATE api_subscriptions
        SET plan_version_id = %(plan_version_id)s, status = %(status)s, current_period_start = %(start)s,
            current_period_end = %(end)s, trial_end = %(trial_end)s, cancel_at = NULL, updated_at = %(now)s
        WHERE id = %(id)s
        """,
        {
            "id": subscription_id,
            "plan_version_id": plan_version_id,
            "status": status.value,
            "start": period[0],
            "end": period[1],
            "trial_end": trial_end,
            "now": now,
        },
    )


async def update_status(
    tx: Transaction, subscription_id: int, status: SubscriptionStatus, now: datetime
) -> None:
    """Give a subscription another status."""
    await tx.execute(
        "UPDATE api_subscriptions SET status = %(status)s, updated_at = %(now)s WHERE id = %(id)s",
        {"id": subscription_id, "status": status.value, "now": now},
    )


async def update_cancel_at(
    tx: Transaction, subscription_id: int, cancel_at: datetime | None, now: datetime
) -> None:
    """Remember when a subscription ends, or that it goes on."""
    await tx.execute(
        "UPDATE api_subscriptions SET cancel_at = %(cancel_at)s, updated_at = %(now)s WHERE id = %(id)s",
        {"id": subscription_id, "cancel_at": cancel_at, "now": now},
    )


# Commands over many holders -----------------------------------------------------------------------


async def list_holders_of_older(
    tx: Transaction, product: str, tier: str, newest_version_id: int
) -> list[Holder]:
    """List who holds an older version of a plan; a free trial that ended is held by nobody."""
    return await tx.list_all(
        Holder,
        """
        SELECT c.id AS customer_id, c.public_id AS customer_public_id, s.id AS subscription_id, s.product
        FROM api_subscriptions s
        JOIN plan_versions v ON v.id = s.plan_version_id
        JOIN api_customers c ON c.id = s.customer_id
        WHERE v.product = %(product)s AND v.tier = %(tier)s AND v.id <> %(newest)s
            AND s.status <> 'cancelled'
        ORDER BY s.id
        """,
        {"product": product, "tier": tier, "newest": newest_version_id},
    )


async def list_ended_free_trials(
    tx: Transaction, product: str, tier: str, signed_up_before: datetime, now: datetime
) -> list[Holder]:
    """List who signed up before a day and whose free trial ended without another plan."""
    return await tx.list_all(
        Holder,
        """
        SELECT c.id AS customer_id, c.public_id AS customer_public_id, s.id AS subscription_id, s.product
        FROM api_subscriptions s
        JOIN plan_versions v ON v.id = s.plan_version_id
        JOIN api_customers c ON c.id = s.customer_id
        WHERE s.product = %(product)s AND v.tier = %(tier)s AND s.status = 'trialing'
            AND s.trial_end <= %(now)s AND c.created_at < %(before)s
        ORDER BY s.id
        """,
        {"product": product, "tier": tier, "before": signed_up_before, "now": now},
    )


# Mails that are sent once -------------------------------------------------------------------------


async def insert_sent_notice(tx: Transaction, subscription_id: int, notice: str, now: datetime) -> bool:
    """Remember that a mail went out; return False where it went out before."""
    touched = await tx.execute(
        """
        INSERT INTO sent_notices (subscription_id, notice, sent_at) VALUES (%(id)s, %(notice)s, %(now)s)
        ON CONFLICT DO NOTHING
        """,
        {"id": subscription_id, "notice": notice, "now": now},
    )
    return touched == 1


async def list_due_notices(
    tx: Transaction, ended_after: datetime, now: datetime, limit: int
) -> list[DueNotice]:
    """List free trials whose next mail is due: 7, 3 or 1 days before the end, or after it.

    Of several that are due, as after a standstill, only the latest is listed.
    """
    return await tx.list_all(
        DueNotice,
        """
        SELECT due.subscription_id, due.customer_id, due.product, due.trial_end, due.notice
        FROM (
            SELECT s.id AS subscription_id, s.customer_id, s.product, s.trial_end,
                CASE
                    WHEN s.trial_end <= %(now)s THEN 'free_trial_ended'
                    WHEN s.trial_end <= %(now)s + interval '1 day' THEN 'free_trial_ends/1'
                    WHEN s.trial_end <= %(now)s + interval '3 days' THEN 'free_trial_ends/3'
                    ELSE 'free_trial_ends/7'
                END AS notice
            FROM api_subscriptions s
            WHERE s.status = 'trialing' AND s.trial_end <= %(now)s + interval '7 days'
                AND s.trial_end > %(ended_after)s
        ) AS due
        WHERE NOT EXISTS (
            SELECT 1 FROM sent_notices n WHERE n.subscription_id = due.subscription_id AND n.notice = due.notice
        )
        ORDER BY due.subscription_id LIMIT %(limit)s
        """,
        {"now": now, "ended_after": ended_after, "limit": limit},
    )
