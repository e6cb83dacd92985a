"""SQL over entitlement_adjustments."""

from datetime import datetime

from tollway.kit.db import Transaction
from tollway.plans.entities import Adjustment


async def insert_adjustment(
    tx: Transaction,
    public_id: str,
    customer_id: int,
    product: str,
    kind: str,
    subject: str,
    amount: int | None,
    starts_at: datetime,
    ends_at: datetime | None,
    reason: str,
    created_by: str,
    now: datetime,
) -> Adjustment:
    """Write a grant or an override."""
    return await tx.get_one(
        Adjustment,
        """
        INSERT INTO entitlement_adjustments (public_id, customer_id, product, kind, subject, amount, starts_at,
            ends_at, reason, created_by, created_at)
        VALUES (%(public_id)s, %(customer_id)s, %(product)s, %(kind)s, %(subject)s, %(amount)s, %(starts_at)s,
            %(ends_at)s, %(reason)s, %(created_by)s, %(now)s)
        RETURNING id, public_id, customer_id, product, kind, subject, amount, starts_at, ends_at, ended_at,
            reason, created_by, created_at
        """,
        {
            "public_id": public_id,
            "customer_id": customer_id,
            "product": product,
            "kind": kind,
            "subject": subject,
            "amount": amount,
            "starts_at": starts_at,
            "ends_at": ends_at,
            "reason": reason,
            "created_by": created_by,
            "now": now,
        },
    )


async def list_adjustments_in_force(
    tx: Transaction, customer_id: int, product: str, now: datetime
) -> list[Adjustment]:
    """List what a customer was given for a product and still has."""
    return await tx.list_all(
        Adjustment,
        """
        SELECT id, public_id, customer_id, product, kind, subject, amount, starts_at, ends_at, ended_at,
            reason, created_by, created_at
        FROM entitlement_adjustments
        WHERE customer_id = %(customer_id)s AND product = %(product)s AND starts_at <= %(now)s
            AND (ends_at IS NULL OR ends_at > %(now)s) AND (ended_at IS NULL OR ended_at > %(now)s)
        ORDER BY id
        """,
        {"customer_id": customer_id, "product": product, "now": now},
    )


async def find_next_change(tx: Transaction, customer_id: int, product: str, now: datetime) -> datetime | None:
    """Return when the next of a customer's adjustments begins or ends; None where none does."""
    found = await tx.find_value(
        """
        SELECT min(moment) FROM entitlement_adjustments, unnest(ARRAY[starts_at, ends_at, ended_at]) AS moment
        WHERE customer_id = %(customer_id)s AND product = %(product)s AND moment > %(now)s
        """,
        {"customer_id": customer_id, "product": product, "now": now},
    )
    return found if isinstance(found, datetime) else None


async def list_adjustments(tx: Transaction, customer_id: int, limit: int) -> list[Adjustment]:
    """List everything a customer was ever given, newest first."""
    return await tx.list_all(
        Adjustment,
        """
        SELECT id, public_id, customer_id, product, kind, subject, amount, starts_at, ends_at, ended_at,
            reason, created_by, created_at
        FROM entitlement_adjustments
        WHERE customer_id = %(customer_id)s ORDER BY id DESC LIMIT %(limit)s
        """,
        {"customer_id": customer_id, "limit": limit},
    )


async def find_adjustment(tx: Transaction, customer_id: int, public_id: str) -> Adjustment | None:
    """Return one grant or override of a customer, or None."""
    return await tx.find_one(
        Adjustment,
        """
        SELECT id, public_id, customer_id, product, kind, subject, amount, starts_at, ends_at, ended_at,
            reason, created_by, created_at
        FROM entitlement_adjustments
        WHERE customer_id = %(customer_id)s AND public_id = %(public_id)s
        """,
        {"customer_id": customer_id, "public_id": public_id},
    )


async def update_to_ended(tx: Transaction, adjustment_id: int, now: datetime) -> None:
    """Close a grant or an override early."""
    await tx.execute(
        "UPDATE entitlement_adjustments SET ended_at = %(now)s WHERE id = %(id)s AND ended_at IS NULL",
        {"id": adjustment_id, "now": now},
    )


async def count_in_force(tx: Transaction, customer_id: int, product: str, now: datetime) -> int:
    """Count what a customer has for a product that has not ended, begun or not."""
    found = await tx.find_value(
        """
        SELECT count(*) FROM entitlement_adjustments
        WHERE customer_id = %(customer_id)s AND product = %(product)s
            AND (ends_at IS NULL OR ends_at > %(now)s) AND ended_at IS NULL
        """,
        {"customer_id": customer_id, "product": product, "now": now},
    )
    return int(found)
