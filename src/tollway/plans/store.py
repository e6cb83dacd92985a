"""SQL over plan_versions and api_subscriptions."""

import json
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from tollway.kit.db import Transaction
from tollway.plans.entities import Plan, Subscription, SubscriptionStatus


@dataclass(frozen=True, slots=True)
class _PlanRow:
    id: int
    version: int
    content: dict[str, Any]

    def plan(self) -> Plan:
        return Plan.from_content(self.id, self.version, self.content)


async def insert_plan_version(
    tx: Transaction, product: str, tier: str, content: dict[str, Any], content_hash: bytes, now: datetime
) -> bool:
    """Add a version unless the newest one already says the same; return whether it was added."""
    await tx.execute("SELECT pg_advisory_xact_lock(hashtext('plan_versions'))")
    newest = await tx.find_value(
        """
        SELECT content_hash FROM plan_versions WHERE product = %(product)s AND tier = %(tier)s
        ORDER BY version DESC LIMIT 1
        """,
        {"product": product, "tier": tier},
    )
    if newest is not None and bytes(newest) == content_hash:
        return False
    await tx.execute(
        """
        INSERT INTO plan_versions (product, tier, version, content_hash, content, created_at)
        SELECT %(product)s, %(tier)s, COALESCE(max(version), 0) + 1, %(hash)s, %(content)s::jsonb, %(now)s
        FROM plan_versions WHERE product = %(product)s AND tier = %(tier)s
        """,
        {"product": product, "tier": tier, "hash": content_hash, "content": json.dumps(content), "now": now},
    )
    return True


async def find_newest_plan(tx: Transaction, product: str, tier: str) -> Plan | None:
    """Return the version of a plan that is on sale."""
    row = await tx.find_one(
        _PlanRow,
        """
        SELECT id, version, content FROM plan_versions WHERE product = %(product)s AND tier = %(tier)s
        ORDER BY version DESC LIMIT 1
        """,
        {"product": product, "tier": tier},
    )
    return None if row is None else row.plan()


async def list_newest_plans(tx: Transaction, product: str) -> list[Plan]:
    """Return the plans of a product as they are on sale, cheapest first."""
    rows = await tx.list_all(
        _PlanRow,
        """
        SELECT DISTINCT ON (tier) id, version, content FROM plan_versions WHERE product = %(product)s
        ORDER BY tier, version DESC
        """,
        {"product": product},
    )
    return sorted((row.plan() for row in rows), key=lambda plan: (plan.rank, plan.tier))


async def count_holders(tx: Transaction) -> dict[tuple[str, str], int]:
    """Count who holds each plan, whatever version of it, by product and tier."""
    rows = await tx.list_rows(
        """
        SELECT v.product, v.tier, count(*)::int AS holder_count
        FROM api_subscriptions s JOIN plan_versions v ON v.id = s.plan_version_id
        WHERE s.status <> 'cancelled' GROUP BY v.product, v.tier
        """
    )
    return {(row["product"], row["tier"]): row["holder_count"] for row in rows}


async def get_plan(tx: Transaction, plan_version_id: int) -> Plan:
    """Return one version of a plan."""
    row = await tx.get_one(
        _PlanRow, "SELECT id, version, content FROM plan_versions WHERE id = %(id)s", {"id": plan_version_id}
    )
    return row.plan()


async def insert_subscription(
    tx: Transaction,
    public_id: str,
    customer_id: int,
    plan: Plan,
    status: SubscriptionStatus,
    period: tuple[datetime, datetime],
    trial_end: datetime | None,
    now: datetime,
) -> Subscription:
    """Write a customer's hold on a plan."""
    return await tx.get_one(
        Subscription,
        """
        INSERT INTO api_subscriptions (public_id, customer_id, product, plan_version_id, status,
            current_period_start, current_period_end, trial_end, created_at, updated_at)
        VALUES (%(public_id)s, %(customer_id)s, %(product)s, %(plan_version_id)s, %(status)s,
            %(start)s, %(end)s, %(trial_end)s, %(now)s, %(now)s)
        RETURNING id, public_id, customer_id, product, plan_version_id, status,
            current_period_start, current_period_end, trial_end, created_at, spending_cap
        """,
        {
            "public_id": public_id,
            "customer_id": customer_id,
            "product": plan.product,
            "plan_version_id": plan.version_id,
            "status": status.value,
            "start": period[0],
            "end": period[1],
            "trial_end": trial_end,
            "now": now,
        },
    )


async def find_subscription(tx: Transaction, customer_id: int, product: str) -> Subscription | None:
    """Return a customer's present hold on a product, or None."""
    return await tx.find_one(
        Subscription,
        """
        SELECT id, public_id, customer_id, product, plan_version_id, status,
            current_period_start, current_period_end, trial_end, created_at, spending_cap
        FROM api_subscriptions
        WHERE customer_id = %(customer_id)s AND product = %(product)s
        ORDER BY (status <> 'cancelled') DESC, id DESC LIMIT 1
        """,
        {"customer_id": customer_id, "product": product},
    )


async def list_subscriptions(tx: Transaction, customer_id: int) -> list[Subscription]:
    """Return a customer's present hold on each product, or the last one where it was cancelled."""
    return await tx.list_all(
        Subscription,
        """
        SELECT DISTINCT ON (product) id, public_id, customer_id, product, plan_version_id, status,
            current_period_start, current_period_end, trial_end, created_at, spending_cap
        FROM api_subscriptions
        WHERE customer_id = %(customer_id)s
        ORDER BY product, (status <> 'cancelled') DESC, id DESC
        """,
        {"customer_id": customer_id},
    )


async def update_to_trialing(
    tx: Transaction, subscription_id: int, trial_end: datetime, now: datetime
) -> None:
    """Begin the free trial of a subscription that waited for its address to be verified."""
    await tx.execute(
        """
        UPDATE api_subscriptions SET status = 'trialing', trial_end = %(trial_end)s, updated_at = %(now)s
        WHERE id = %(id)s AND status = 'pending_verification'
        """,
        {"id": subscription_id, "trial_end": trial_end, "now": now},
    )


async def update_spending_cap(
    tx: Transaction, subscription_id: int, cap: Decimal | None, now: datetime
) -> None:
    """Remember what a period may cost above the plan; None: whatever it comes to."""
    await tx.execute(
        "UPDATE api_subscriptions SET spending_cap = %(cap)s, updated_at = %(now)s WHERE id = %(id)s",
        {"id": subscription_id, "cap": cap, "now": now},
    )
