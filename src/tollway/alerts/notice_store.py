"""SQL over quota_notices, and over the quotas that they tell of."""

from datetime import datetime
from typing import LiteralString

from tollway.alerts.entities import Notice, WatchedQuota
from tollway.kit.db import Transaction

# Nobody is told before they proved that the address is theirs, nor after the customer is gone.
_WATCHED: LiteralString = """
    SELECT q.id, s.customer_id, s.product, q.mode, q.period_start, q.period_end, q.requests_included,
        q.requests_max, q.requests_used, q.overage_rate, s.spending_cap,
        (v.content ->> 'fair_use_requests')::bigint AS fair_use_requests, v.content ->> 'name' AS plan_name,
        v.content ->> 'currency' AS currency,
        COALESCE((SELECT jsonb_agg(to_jsonb(n)) FROM quota_notices n WHERE n.quota_id = q.id), '[]') AS told
    FROM usage_quotas q
        JOIN api_subscriptions s ON s.id = q.subscription_id
        JOIN plan_versions v ON v.id = s.plan_version_id
        JOIN api_customers c ON c.id = s.customer_id
    WHERE q.period_start <= %(now)s AND q.period_end > %(now)s
        AND s.status NOT IN ('pending_verification', 'cancelled')
        AND c.deactivated_at IS NULL AND c.erased_at IS NULL
"""


async def list_watched(
    tx: Transaction, now: datetime, lowest_percent: int, after_id: int, limit: int
) -> list[WatchedQuota]:
    """List quotas of periods under way that are used enough to tell of, by id."""
    return await tx.list_all(
        WatchedQuota,
        f"""
        {_WATCHED} AND q.id > %(after)s AND q.requests_used > 0
            AND q.requests_used * 100::bigint >= %(percent)s
                * COALESCE(q.requests_included, (v.content ->> 'fair_use_requests')::bigint)
        ORDER BY q.id LIMIT %(limit)s
        """,
        {"now": now, "percent": lowest_percent, "after": after_id, "limit": limit},
    )


async def find_watched(tx: Transaction, quota_id: int, now: datetime) -> WatchedQuota | None:
    """Return one quota as it is now."""
    return await tx.find_one(WatchedQuota, f"{_WATCHED} AND q.id = %(id)s", {"now": now, "id": quota_id})


async def insert_notice(tx: Transaction, quota_id: int, notice: Notice, now: datetime) -> bool:
    """Remember that a customer is told; return False where somebody remembered it already."""
    touched = await tx.execute(
        """
        INSERT INTO quota_notices (quota_id, kind, percent, requests_max, requests_used, told_at)
        VALUES (%(quota_id)s, %(kind)s, %(percent)s, %(max)s, %(used)s, %(now)s)
        ON CONFLICT DO NOTHING
        """,
        {
            "quota_id": quota_id,
            "kind": notice.kind.value,
            "percent": notice.percent,
            "max": notice.requests_max,
            "used": notice.requests_used,
            "now": now,
        },
    )
    return touched == 1
