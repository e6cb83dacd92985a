"""SQL over webhook_deliveries."""

from datetime import datetime
from typing import LiteralString

from tollway.customers.entities import Mode
from tollway.kit.db import Transaction
from tollway.webhooks.entities import TEST_EVENT, Delivery, DeliveryStatus, Outcome

_SELECT: LiteralString = """
    SELECT d.id, d.public_id, d.customer_id, d.webhook_id, w.public_id AS webhook_public_id, d.url, d.mode,
        d.simulation_id, d.event_type, d.body, d.status, d.attempt, d.next_attempt_at, d.claimed_until,
        d.response_status, d.response_time_ms, d.error_message, d.created_at, d.last_attempt_at, d.delivered_at
    FROM webhook_deliveries d LEFT JOIN webhooks w ON w.id = d.webhook_id
"""
# The two-number form of advisory locks, apart from every other use of them; the number only has to be ours.
_SENDING_LOCK = 706543


async def insert_delivery(
    tx: Transaction,
    public_id: str,
    customer_id: int,
    *,
    webhook_id: int | None,
    url: str | None,
    mode: Mode,
    simulation_id: str | None,
    event: str,
    body: str,
    now: datetime,
    error: str = "",
) -> None:
    """Write a delivery that waits for its first try; with an error, one that is given up at once."""
    await tx.execute(
        """
        INSERT INTO webhook_deliveries (public_id, customer_id, webhook_id, url, mode, simulation_id, event_type,
            body, status, next_attempt_at, error_message, created_at)
        VALUES (%(public_id)s, %(customer_id)s, %(webhook_id)s, %(url)s, %(mode)s, %(simulation_id)s, %(event)s,
            %(body)s, CASE WHEN %(error)s = '' THEN 'pending' ELSE 'abandoned' END,
            CASE WHEN %(error)s = '' THEN %(now)s::timestamptz END, %(error)s, %(now)s)
        """,
        {
            "public_id": public_id,
            "customer_id": customer_id,
            "webhook_id": webhook_id,
            "url": url,
            "mode": mode.value,
            "simulation_id": simulation_id,
            "event": event,
            "body": body,
            "error": error,
            "now": now,
        },
    )


async def find_delivery(tx: Transaction, public_id: str, *, lock: bool = False) -> Delivery | None:
    """Return any delivery, or None; locked until the transaction ends where asked. For jobs."""
    return await tx.find_one(
        Delivery,
        _SELECT + " WHERE d.public_id = %(id)s" + (" FOR UPDATE OF d" if lock else ""),
        {"id": public_id},
    )


async def find_own_delivery(
    tx: Transaction, webhook_id: int, public_id: str, *, lock: bool = False
) -> Delivery | None:
    """Return a delivery of one webhook, or None; locked until the transaction ends where asked."""
    return await tx.find_one(
        Delivery,
        _SELECT
        + " WHERE d.webhook_id = %(webhook_id)s AND d.public_id = %(id)s"
        + (" FOR UPDATE OF d" if lock else ""),
        {"webhook_id": webhook_id, "id": public_id},
    )


async def list_deliveries(tx: Transaction, webhook_id: int, limit: int, offset: int) -> list[Delivery]:
    """List the deliveries of a webhook, newest first."""
    return await tx.list_all(
        Delivery,
        _SELECT + " WHERE d.webhook_id = %(id)s ORDER BY d.id DESC LIMIT %(limit)s OFFSET %(offset)s",
        {"id": webhook_id, "limit": limit, "offset": offset},
    )


async def list_run_url_deliveries(tx: Transaction, customer_id: int, limit: int) -> list[Delivery]:
    """List what went to the webhook_url of a customer's runs, newest first."""
    return await tx.list_all(
        Delivery,
        _SELECT + " WHERE d.customer_id = %(id)s AND d.webhook_id IS NULL ORDER BY d.id DESC LIMIT %(limit)s",
        {"id": customer_id, "limit": limit},
    )


async def count_waiting(tx: Transaction, customer_id: int, at_most: int) -> int:
    """Count a customer's deliveries that are to be sent, without counting further than asked."""
    found = await tx.find_value(
        """
        SELECT count(*) FROM (
            SELECT 1 FROM webhook_deliveries
            WHERE customer_id = %(id)s AND status IN ('pending', 'retrying') LIMIT %(limit)s) AS waiting
        """,
        {"id": customer_id, "limit": at_most},
    )
    return int(found)


async def lock_sending(tx: Transaction, customer_id: int) -> None:
    """Let one transaction at a time say what of a customer's is sent next; the lock is theirs until it ends."""
    await tx.execute(
        "SELECT pg_advisory_xact_lock(%(lock)s, hashint8(%(id)s))", {"lock": _SENDING_LOCK, "id": customer_id}
    )


async def count_claimed(tx: Transaction, customer_id: int, now: datetime) -> int:
    """Count a customer's deliveries that are being sent; true for as long as `lock_sending` is held."""
    found = await tx.find_value(
        """
        SELECT count(*) FROM webhook_deliveries
        WHERE customer_id = %(id)s AND status IN ('pending', 'retrying') AND claimed_until > %(now)s
        """,
        {"id": customer_id, "now": now},
    )
    return int(found)


async def count_tests(tx: Transaction, customer_id: int, since: datetime) -> int:
    """Count a customer's uses of the test button since a time."""
    found = await tx.find_value(
        """
        SELECT count(*) FROM webhook_deliveries
        WHERE customer_id = %(id)s AND created_at > %(since)s AND event_type = %(event)s
        """,
        {"id": customer_id, "since": since, "event": TEST_EVENT},
    )
    return int(found)


async def has_earlier(tx: Transaction, delivery: Delivery) -> bool:
    """Say whether the same webhook is still to be told, a first time, something earlier of the same run."""
    found = await tx.find_value(
        """
        SELECT EXISTS (
            SELECT FROM webhook_deliveries
            WHERE webhook_id = %(webhook_id)s AND simulation_id = %(simulation_id)s AND id < %(id)s
                AND status = 'pending')
        """,
        {
            "webhook_id": delivery.webhook_id,
            "simulation_id": delivery.simulation_id,
            "id": delivery.id,
        },
    )
    return bool(found)


async def find_next(
    tx: Transaction, customer_id: int, webhook_id: int | None, now: datetime
) -> Delivery | None:
    """Return what a customer is to be sent next: the oldest that is due, and of another webhook than this if one waits.

    The oldest of a webhook is in its turn: nothing earlier of its run is still to be told a first time.
    """
    return await tx.find_one(
        Delivery,
        _SELECT
        + """
        WHERE d.id = (
            SELECT id FROM webhook_deliveries
            WHERE customer_id = %(customer_id)s AND status IN ('pending', 'retrying')
                AND next_attempt_at <= %(now)s AND (claimed_until IS NULL OR claimed_until <= %(now)s)
            ORDER BY webhook_id IS NOT DISTINCT FROM %(webhook_id)s, id LIMIT 1)
        """,
        {"customer_id": customer_id, "webhook_id": webhook_id, "now": now},
    )


async def update_to_claimed(tx: Transaction, delivery_id: int, until: datetime) -> None:
    """Write that a worker is sending a delivery."""
    await tx.execute(
        "UPDATE webhook_deliveries SET claimed_until = %(until)s WHERE id = %(id)s",
        {"id": delivery_id, "until": until},
    )


async def update_to_tried(
    tx: Transaction,
    delivery_id: int,
    status: DeliveryStatus,
    outcome: Outcome,
    next_attempt_at: datetime | None,
    now: datetime,
) -> None:
    """Write how a try went, and when the next one is."""
    await tx.execute(
        """
        UPDATE webhook_deliveries SET status = %(status)s, attempt = attempt + 1, claimed_until = NULL,
            next_attempt_at = %(next)s, response_status = %(response_status)s, response_time_ms = %(ms)s,
            error_message = %(error)s, last_attempt_at = %(now)s,
            delivered_at = CASE WHEN %(status)s = 'delivered' THEN %(now)s::timestamptz END
        WHERE id = %(id)s
        """,
        {
            "id": delivery_id,
            "status": status.value,
            "next": next_attempt_at,
            "response_status": outcome.response_status,
            "ms": outcome.response_time_ms,
            "error": outcome.error,
            "now": now,
        },
    )


async def update_to_abandoned(tx: Transaction, delivery_id: int, reason: str) -> None:
    """Give a delivery up before its tries are over."""
    await tx.execute(
        """
        UPDATE webhook_deliveries SET status = 'abandoned', next_attempt_at = NULL, claimed_until = NULL,
            error_message = %(reason)s
        WHERE id = %(id)s
        """,
        {"id": delivery_id, "reason": reason},
    )


async def abandon_waiting(tx: Transaction, webhook_id: int, reason: str) -> int:
    """Give up everything that a webhook is still to be told; return how much it was."""
    return await tx.execute(
        """
        UPDATE webhook_deliveries SET status = 'abandoned', next_attempt_at = NULL, claimed_until = NULL,
            error_message = %(reason)s
        WHERE webhook_id = %(id)s AND status IN ('pending', 'retrying')
        """,
        {"id": webhook_id, "reason": reason},
    )


async def update_to_pending(tx: Transaction, delivery_id: int, now: datetime) -> None:
    """Let a delivery begin anew, under the same id."""
    await tx.execute(
        """
        UPDATE webhook_deliveries SET status = 'pending', attempt = 0, next_attempt_at = %(now)s,
            claimed_until = NULL, delivered_at = NULL, error_message = ''
        WHERE id = %(id)s
        """,
        {"id": delivery_id, "now": now},
    )


async def take_overdue(tx: Transaction, overdue: datetime, now: datetime, limit: int) -> list[Delivery]:
    """List the oldest overdue delivery of each customer that is sent nothing, and put its time to now.

    So each is listed again only after as long, and one stands for all that wait behind it.
    """
    return await tx.list_all(
        Delivery,
        """
        WITH oldest AS (
            SELECT DISTINCT ON (d.customer_id) d.id FROM webhook_deliveries d
            WHERE d.status IN ('pending', 'retrying') AND d.next_attempt_at < %(overdue)s
                AND NOT EXISTS (
                    SELECT FROM webhook_deliveries c
                    WHERE c.customer_id = d.customer_id AND c.status IN ('pending', 'retrying')
                        AND c.claimed_until >= %(now)s)
            ORDER BY d.customer_id, d.id
        ), taken AS (
            UPDATE webhook_deliveries SET next_attempt_at = %(now)s, claimed_until = NULL
            WHERE id IN (
                SELECT id FROM webhook_deliveries
                WHERE id IN (SELECT id FROM oldest LIMIT %(limit)s) AND status IN ('pending', 'retrying')
                FOR UPDATE SKIP LOCKED)
            RETURNING id
        )
        """
        + _SELECT
        + " WHERE d.id IN (SELECT id FROM taken) ORDER BY d.id",
        {"overdue": overdue, "now": now, "limit": limit},
    )


async def delete_deliveries(tx: Transaction, created_before: datetime, limit: int) -> int:
    """Delete deliveries that were written before a time; return how many."""
    return await tx.execute(
        """
        DELETE FROM webhook_deliveries WHERE id IN (
            SELECT id FROM webhook_deliveries WHERE created_at < %(time)s ORDER BY created_at LIMIT %(limit)s)
        """,
        {"time": created_before, "limit": limit},
    )
