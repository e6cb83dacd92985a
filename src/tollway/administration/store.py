"""SQL that administrators' lists need: over every customer, across domains; reading alone."""

from datetime import datetime, timedelta
from typing import Any, LiteralString

from tollway.administration.entities import (
    Asked,
    BillingStatus,
    CustomerRow,
    KeyRow,
    PlanVersionRow,
    QuotaRow,
    TicketRow,
    UserRow,
)
from tollway.kit.db import Transaction

# The main subscription is that of the oldest product, one that runs before one that was cancelled. Whoever
# administers pays nothing (B4). Either mode has its own included requests: the fuller one is shown.
_CUSTOMER: LiteralString = """
    SELECT customer.id, customer.public_id, customer.company_name, customer.billing_email, owner.user_type,
        customer.created_at, customer.suspended_at, customer.suspended_reason, customer.deactivated_at,
        customer.erased_at, main.product, main.tier AS plan, main.plan_name, main.status AS subscription_status,
        CASE WHEN customer.erased_at IS NOT NULL THEN 'erased'
             WHEN customer.deactivated_at IS NOT NULL THEN 'deactivated'
             WHEN customer.suspended_at IS NOT NULL THEN 'suspended'
             ELSE COALESCE(main.status, 'cancelled') END AS status,
        COALESCE((
            SELECT max(requests_used) FROM usage_quotas
            WHERE subscription_id = main.id AND period_start <= %(now)s AND period_end > %(now)s
        ), 0) AS requests_used,
        CASE WHEN owner.user_type IN ('admin', 'super_admin') THEN 0 ELSE COALESCE((
            SELECT sum((plan.content->>'price_minor')::bigint)
            FROM api_subscriptions AS held JOIN plan_versions AS plan ON plan.id = held.plan_version_id
            WHERE held.customer_id = customer.id AND held.status = 'active'
                AND NOT (plan.content->>'free')::boolean
        ), 0)::bigint END AS mrr_minor
    FROM api_customers AS customer
    JOIN users AS owner ON owner.id = customer.user_id
    LEFT JOIN LATERAL (
        SELECT held.id, held.product, held.status, plan.tier, plan.content->>'name' AS plan_name
        FROM api_subscriptions AS held JOIN plan_versions AS plan ON plan.id = held.plan_version_id
        WHERE held.customer_id = customer.id
        ORDER BY held.product <> 'montecarlo', held.status = 'cancelled', held.id DESC LIMIT 1
    ) AS main ON true
"""
_CHOSEN: LiteralString = """
    WHERE (%(search)s = '' OR listed.public_id = %(search)s OR listed.company_name ILIKE %(pattern)s
            OR listed.billing_email ILIKE %(pattern)s
            OR EXISTS (
                SELECT FROM customer_members JOIN users ON users.id = user_id
                WHERE customer_id = listed.id AND users.email ILIKE %(pattern)s))
        AND (%(status)s::text IS NULL OR listed.status = %(status)s)
        AND (%(tier)s::text IS NULL OR EXISTS (
            SELECT FROM api_subscriptions AS held JOIN plan_versions AS plan ON plan.id = held.plan_version_id
            WHERE held.customer_id = listed.id AND held.status <> 'cancelled' AND plan.tier = %(tier)s))
"""


async def list_customers(
    tx: Transaction, asked: Asked, tier: str | None, status: BillingStatus | None, now: datetime
) -> list[CustomerRow]:
    """List customers as they were asked for, the newest first."""
    return await tx.list_all(
        CustomerRow,
        f"""
        SELECT * FROM ({_CUSTOMER}) AS listed {_CHOSEN}
        ORDER BY id DESC LIMIT %(limit)s OFFSET %(skipped)s
        """,
        {**_searched(asked), "tier": tier, "status": status and status.value, "now": now},
    )


async def count_customers(
    tx: Transaction, asked: Asked, tier: str | None, status: BillingStatus | None, now: datetime
) -> int:
    """Count all that `list_customers` would list."""
    found = await tx.find_value(
        f"SELECT count(*) FROM ({_CUSTOMER}) AS listed {_CHOSEN}",
        {**_searched(asked), "tier": tier, "status": status and status.value, "now": now},
    )
    return int(found)


async def find_customer_row(tx: Transaction, public_id: str, now: datetime) -> CustomerRow | None:
    """Return one customer as lists show it."""
    return await tx.find_one(
        CustomerRow,
        f"SELECT * FROM ({_CUSTOMER}) AS listed WHERE public_id = %(id)s",
        {"id": public_id, "now": now},
    )


async def count_by_status(tx: Transaction, now: datetime) -> list[dict[str, Any]]:
    """Count customers, and what they pay a month, by where they stand."""
    return await tx.list_rows(
        f"""
        SELECT status, count(*) AS customers, sum(mrr_minor)::bigint AS mrr_minor
        FROM ({_CUSTOMER}) AS listed GROUP BY status
        """,
        {"now": now},
    )


# Keys ---------------------------------------------------------------------------------------------

_KEY: LiteralString = """
    SELECT api_key.key_id, api_key.name, api_key.status, api_key.suspended_reason, api_key.product, api_key.mode,
        api_key.last_four, api_key.scopes, api_key.created_at, api_key.last_used_at, api_key.expires_at,
        api_key.grace_until, api_key.customer_id, customer.public_id AS customer_public_id, customer.company_name,
        api_key.id
    FROM api_keys AS api_key JOIN api_customers AS customer ON customer.id = api_key.customer_id
"""
_KEY_COLUMNS: LiteralString = """
    key_id, name, status, suspended_reason, product, mode, last_four, scopes, created_at, last_used_at,
    expires_at, grace_until, customer_id, customer_public_id, company_name
"""
# A key's public part is its beginning, so that a whole key that was pasted finds itself too.
_KEYS_CHOSEN: LiteralString = """
    WHERE (%(search)s = '' OR listed.customer_public_id = %(search)s OR listed.company_name ILIKE %(pattern)s
            OR listed.name ILIKE %(pattern)s OR listed.key_id ILIKE %(prefix)s
            OR (length(%(search)s) > length(listed.key_id) AND starts_with(%(search)s, listed.key_id)))
        AND (%(status)s::text IS NULL OR listed.status = %(status)s)
"""


async def list_keys(tx: Transaction, asked: Asked, status: str | None) -> list[KeyRow]:
    """List API keys as they were asked for, the newest first."""
    return await tx.list_all(
        KeyRow,
        f"""
        SELECT {_KEY_COLUMNS} FROM ({_KEY}) AS listed {_KEYS_CHOSEN}
        ORDER BY id DESC LIMIT %(limit)s OFFSET %(skipped)s
        """,
        {**_searched(asked), "status": status},
    )


async def count_keys(tx: Transaction, asked: Asked, status: str | None) -> int:
    """Count all that `list_keys` would list."""
    found = await tx.find_value(
        f"SELECT count(*) FROM ({_KEY}) AS listed {_KEYS_CHOSEN}", {**_searched(asked), "status": status}
    )
    return int(found)


async def list_keys_of(tx: Transaction, customer_id: int, limit: int) -> list[KeyRow]:
    """List the newest API keys of one customer."""
    return await tx.list_all(
        KeyRow,
        f"""
        SELECT {_KEY_COLUMNS} FROM ({_KEY}) AS listed WHERE customer_id = %(customer_id)s
        ORDER BY id DESC LIMIT %(limit)s
        """,
        {"customer_id": customer_id, "limit": limit},
    )


async def find_key(tx: Transaction, key_id: str) -> KeyRow | None:
    """Return the API key of that public part."""
    return await tx.find_one(
        KeyRow, f"SELECT {_KEY_COLUMNS} FROM ({_KEY}) AS listed WHERE key_id = %(id)s", {"id": key_id}
    )


async def count_working_keys(tx: Transaction, customer_id: int, now: datetime) -> int:
    """Count the keys of a customer that would work if the customer may act."""
    found = await tx.find_value(
        """
        SELECT count(*) FROM api_keys
        WHERE customer_id = %(customer_id)s AND status = 'active'
            AND (expires_at IS NULL OR expires_at > %(now)s) AND (grace_until IS NULL OR grace_until > %(now)s)
        """,
        {"customer_id": customer_id, "now": now},
    )
    return int(found)


# Users --------------------------------------------------------------------------------------------

_USER: LiteralString = """
    SELECT users.id, users.public_id, users.email, users.name, users.user_type, users.email_verified_at,
        users.disabled_at, users.erased_at, users.totp_confirmed_at IS NOT NULL AS has_second_factor,
        users.last_sign_in_at, users.created_at,
        (SELECT count(*) FROM customer_members WHERE user_id = users.id) AS customer_count
    FROM users
"""
_USERS_CHOSEN: LiteralString = """
    WHERE (%(search)s = '' OR users.public_id = %(search)s OR users.email ILIKE %(pattern)s
            OR users.name ILIKE %(pattern)s)
        AND (%(user_type)s::text IS NULL OR users.user_type = %(user_type)s)
"""


async def list_users(tx: Transaction, asked: Asked, user_type: str | None) -> list[UserRow]:
    """List people as they were asked for, the newest first."""
    return await tx.list_all(
        UserRow,
        f"{_USER} {_USERS_CHOSEN} ORDER BY users.id DESC LIMIT %(limit)s OFFSET %(skipped)s",
        {**_searched(asked), "user_type": user_type},
    )


async def count_users(tx: Transaction, asked: Asked, user_type: str | None) -> int:
    """Count all that `list_users` would list."""
    found = await tx.find_value(
        f"SELECT count(*) FROM users {_USERS_CHOSEN}", {**_searched(asked), "user_type": user_type}
    )
    return int(found)


async def find_user_row(tx: Transaction, public_id: str) -> UserRow | None:
    """Return one person as lists show them."""
    return await tx.find_one(UserRow, f"{_USER} WHERE users.public_id = %(id)s", {"id": public_id})


# What belongs to one customer, and what goes wrong --------------------------------------------------


async def list_quotas(tx: Transaction, customer_id: int, now: datetime) -> list[QuotaRow]:
    """List the quotas of the periods under way, by product and mode."""
    return await tx.list_all(
        QuotaRow,
        """
        SELECT held.product, quota.mode, quota.period_start, quota.period_end, quota.requests_included,
            quota.requests_used
        FROM usage_quotas AS quota JOIN api_subscriptions AS held ON held.id = quota.subscription_id
        WHERE held.customer_id = %(customer_id)s AND quota.period_start <= %(now)s AND quota.period_end > %(now)s
        ORDER BY held.product, quota.mode
        """,
        {"customer_id": customer_id, "now": now},
    )


async def list_tickets(tx: Transaction, customer_id: int, limit: int) -> list[TicketRow]:
    """List the newest tickets of a customer."""
    return await tx.list_all(
        TicketRow,
        """
        SELECT public_id, topic, subject, status, created_at, response_due_at, responded_at
        FROM support_tickets WHERE customer_id = %(customer_id)s ORDER BY id DESC LIMIT %(limit)s
        """,
        {"customer_id": customer_id, "limit": limit},
    )


async def count_troubles(tx: Transaction, now: datetime) -> dict[str, int]:
    """Count what may need somebody: open and overdue tickets, and what failed within a day."""
    [counts] = await tx.list_rows(
        """
        SELECT
            (SELECT count(*) FROM support_tickets WHERE status = 'open') AS open_tickets,
            (SELECT count(*) FROM support_tickets WHERE responded_at IS NULL AND status = 'open'
                AND response_due_at < %(now)s) AS overdue_tickets,
            (SELECT count(*) FROM runs WHERE status = 'failed' AND created_at > %(yesterday)s)
                AS runs_failed_last_day,
            (SELECT count(*) FROM api_usage_logs WHERE status_code >= 500 AND request_timestamp > %(yesterday)s)
                AS calls_failed_last_day
        """,
        {"now": now, "yesterday": now - timedelta(days=1)},
    )
    return {name: int(count) for name, count in counts.items()}


async def list_plan_versions(tx: Transaction, limit: int) -> list[PlanVersionRow]:
    """List the newest version of every plan, and older ones that somebody holds."""
    return await tx.list_all(
        PlanVersionRow,
        """
        SELECT product, tier, version, name, created_at, held_by FROM (
            SELECT plan.product, plan.tier, plan.version, plan.content->>'name' AS name, plan.created_at,
                (SELECT count(*) FROM api_subscriptions
                 WHERE plan_version_id = plan.id AND status <> 'cancelled') AS held_by,
                plan.version = max(plan.version) OVER (PARTITION BY plan.product, plan.tier) AS is_newest
            FROM plan_versions AS plan
        ) AS listed
        WHERE is_newest OR held_by > 0 ORDER BY product, tier, version DESC LIMIT %(limit)s
        """,
        {"limit": limit},
    )


def _searched(asked: Asked) -> dict[str, Any]:
    literal = asked.search.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return {
        "search": asked.search,
        "pattern": f"%{literal}%",
        "prefix": f"{literal}%",
        "limit": asked.per_page,
        "skipped": asked.skipped,
    }
