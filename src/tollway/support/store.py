"""SQL over support_tickets, ticket_messages and feedback_entries."""

from datetime import datetime

from tollway.kit.db import Transaction
from tollway.support.entities import FeedbackEntry, Ticket, TicketMessage, TicketStatus, TicketVolume, Topic

_SELECT_TICKET = """
    SELECT t.id, t.public_id, t.customer_id, t.opened_by, u.email AS opener_email, t.topic, t.subject, t.status,
        t.created_at, t.updated_at, t.response_due_at, t.responded_at, t.closed_at
    FROM support_tickets t LEFT JOIN users u ON u.id = t.opened_by
"""
# First answers that are due come first, the most urgent on top; then whoever waits for another answer; then
# whom we wait for, and what is over.
_URGENCY = """
    SELECT id, CASE WHEN status = 'open' AND responded_at IS NULL THEN 0 WHEN status = 'open' THEN 1
        WHEN status = 'answered' THEN 2 ELSE 3 END AS turn,
        CASE WHEN status = 'open' AND responded_at IS NULL THEN response_due_at ELSE updated_at END AS since
    FROM support_tickets
"""


# --- tickets -------------------------------------------------------------------------------------------


async def insert_ticket(
    tx: Transaction,
    public_id: str,
    customer_id: int,
    opened_by: int | None,
    topic: Topic,
    subject: str,
    response_due_at: datetime,
    now: datetime,
) -> None:
    """Write a ticket."""
    await tx.execute(
        """
        INSERT INTO support_tickets (public_id, customer_id, opened_by, topic, subject, status, created_at,
            updated_at, response_due_at)
        VALUES (%(public_id)s, %(customer_id)s, %(opened_by)s, %(topic)s, %(subject)s, 'open', %(now)s, %(now)s,
            %(response_due_at)s)
        """,
        {
            "public_id": public_id,
            "customer_id": customer_id,
            "opened_by": opened_by,
            "topic": topic.value,
            "subject": subject,
            "response_due_at": response_due_at,
            "now": now,
        },
    )


async def find_ticket(
    tx: Transaction, customer_id: int, public_id: str, *, lock: bool = False
) -> Ticket | None:
    """Return a customer's ticket, or None; locked until the transaction ends where asked."""
    return await tx.find_one(
        Ticket,
        _SELECT_TICKET
        + " WHERE t.customer_id = %(customer_id)s AND t.public_id = %(public_id)s"
        + (" FOR UPDATE OF t" if lock else ""),
        {"customer_id": customer_id, "public_id": public_id},
    )


async def find_any_ticket(tx: Transaction, public_id: str, *, lock: bool = False) -> Ticket | None:
    """Return a ticket for staff, whosever it is."""
    return await tx.find_one(
        Ticket,
        _SELECT_TICKET + " WHERE t.public_id = %(public_id)s" + (" FOR UPDATE OF t" if lock else ""),
        {"public_id": public_id},
    )


async def list_tickets(tx: Transaction, customer_id: int, before: int | None, limit: int) -> list[Ticket]:
    """List a customer's tickets, newest first."""
    return await tx.list_all(
        Ticket,
        _SELECT_TICKET
        + """
        WHERE t.customer_id = %(customer_id)s AND (%(before)s::bigint IS NULL OR t.id < %(before)s)
        ORDER BY t.id DESC LIMIT %(limit)s
        """,
        {"customer_id": customer_id, "before": before, "limit": limit},
    )


async def list_queue(
    tx: Transaction,
    status: TicketStatus | None,
    customer_id: int | None,
    after: int | None,
    limit: int,
) -> list[Ticket]:
    """List tickets of everybody, the most urgent first, from the one after `after` on."""
    return await tx.list_all(
        Ticket,
        "WITH urgency AS ("
        + _URGENCY
        + ") "
        + _SELECT_TICKET
        + """
        JOIN urgency ON urgency.id = t.id
        WHERE (%(status)s::text IS NULL OR t.status = %(status)s)
            AND (%(customer_id)s::bigint IS NULL OR t.customer_id = %(customer_id)s)
            AND (%(after)s::bigint IS NULL OR (urgency.turn, urgency.since, urgency.id) >
                (SELECT turn, since, id FROM urgency WHERE id = %(after)s))
        ORDER BY urgency.turn, urgency.since, urgency.id LIMIT %(limit)s
        """,
        {
            "status": status.value if status else None,
            "customer_id": customer_id,
            "after": after,
            "limit": limit,
        },
    )


async def count_tickets(tx: Transaction, customer_id: int, since: datetime) -> tuple[int, datetime | None]:
    """Count what a customer opened since a moment, and say when the first of them was."""
    (row,) = await tx.list_rows(
        """
        SELECT count(*) AS total, min(created_at) AS first FROM support_tickets
        WHERE customer_id = %(customer_id)s AND created_at > %(since)s
        """,
        {"customer_id": customer_id, "since": since},
    )
    return row["total"], row["first"]


async def update_ticket(
    tx: Transaction,
    ticket: Ticket,
    status: TicketStatus,
    now: datetime,
    *,
    responded_at: datetime | None = None,
    response_due_at: datetime | None = None,
) -> None:
    """Move a ticket; a new deadline is told of anew, and a first answer keeps its moment."""
    await tx.execute(
        """
        UPDATE support_tickets SET status = %(status)s, updated_at = %(now)s,
            closed_at = CASE WHEN %(status)s = 'closed' THEN %(now)s::timestamptz END,
            responded_at = COALESCE(responded_at, %(responded_at)s),
            response_due_at = COALESCE(%(due)s, response_due_at),
            due_soon_told_at = CASE WHEN %(due)s::timestamptz IS NULL THEN due_soon_told_at END,
            overdue_told_at = CASE WHEN %(due)s::timestamptz IS NULL THEN overdue_told_at END
        WHERE id = %(id)s
        """,
        {
            "id": ticket.id,
            "status": status.value,
            "now": now,
            "responded_at": responded_at,
            "due": response_due_at,
        },
    )


async def list_due(tx: Transaction, due_before: datetime, now: datetime, limit: int) -> list[Ticket]:
    """List and lock tickets whose first answer is due soon or overdue, and of which nobody was told so yet.

    Tickets that another worker holds at the moment are left out.
    """
    return await tx.list_all(
        Ticket,
        _SELECT_TICKET
        + """
        WHERE t.responded_at IS NULL AND t.status = 'open'
            AND ((t.response_due_at <= %(now)s AND t.overdue_told_at IS NULL)
                OR (t.response_due_at > %(now)s AND t.response_due_at <= %(due_before)s
                    AND t.due_soon_told_at IS NULL))
        ORDER BY t.response_due_at LIMIT %(limit)s FOR UPDATE OF t SKIP LOCKED
        """,
        {"due_before": due_before, "now": now, "limit": limit},
    )


async def update_told(tx: Transaction, ticket_id: int, now: datetime, *, overdue: bool) -> None:
    """Remember that staff was told of a deadline; once overdue, that it comes needs no telling."""
    await tx.execute(
        """
        UPDATE support_tickets SET due_soon_told_at = COALESCE(due_soon_told_at, %(now)s),
            overdue_told_at = CASE WHEN %(overdue)s THEN %(now)s::timestamptz END
        WHERE id = %(id)s
        """,
        {"id": ticket_id, "now": now, "overdue": overdue},
    )


async def find_volume(tx: Transaction, since: datetime, now: datetime) -> TicketVolume:
    """Count what happened since a moment, and what waits now."""
    return await tx.get_one(
        TicketVolume,
        """
        SELECT count(*) FILTER (WHERE created_at > %(since)s) AS opened_count,
            count(*) FILTER (WHERE closed_at > %(since)s) AS closed_count,
            count(*) FILTER (WHERE responded_at > %(since)s) AS answered_count,
            count(*) FILTER (WHERE responded_at > %(since)s AND responded_at < response_due_at)
                AS answered_in_time_count,
            (percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM responded_at - created_at) / 3600)
                FILTER (WHERE responded_at > %(since)s))::float8 AS median_response_hours,
            count(*) FILTER (WHERE status = 'open') AS waiting_count,
            count(*) FILTER (WHERE status = 'open' AND responded_at IS NULL AND response_due_at <= %(now)s)
                AS overdue_count
        FROM support_tickets
        """,
        {"since": since, "now": now},
    )


# --- messages ------------------------------------------------------------------------------------------


async def insert_message(
    tx: Transaction,
    public_id: str,
    ticket_id: int,
    author_id: int | None,
    body: str,
    now: datetime,
    *,
    from_staff: bool,
) -> None:
    """Write a message."""
    await tx.execute(
        """
        INSERT INTO ticket_messages (public_id, ticket_id, author_id, from_staff, body, created_at)
        VALUES (%(public_id)s, %(ticket_id)s, %(author_id)s, %(from_staff)s, %(body)s, %(now)s)
        """,
        {
            "public_id": public_id,
            "ticket_id": ticket_id,
            "author_id": author_id,
            "from_staff": from_staff,
            "body": body,
            "now": now,
        },
    )


async def list_messages(tx: Transaction, ticket_id: int, limit: int) -> list[TicketMessage]:
    """List the messages of a ticket, oldest first."""
    return await tx.list_all(
        TicketMessage,
        """
        SELECT m.public_id, m.from_staff, u.email AS author_email, m.body, m.created_at
        FROM ticket_messages m LEFT JOIN users u ON u.id = m.author_id
        WHERE m.ticket_id = %(ticket_id)s ORDER BY m.id LIMIT %(limit)s
        """,
        {"ticket_id": ticket_id, "limit": limit},
    )


async def count_messages(tx: Transaction, ticket_id: int) -> int:
    """Count the messages of a ticket."""
    found = await tx.find_value(
        "SELECT count(*) FROM ticket_messages WHERE ticket_id = %(ticket_id)s", {"ticket_id": ticket_id}
    )
    return int(found)


async def count_customer_messages(
    tx: Transaction, customer_id: int, since: datetime
) -> tuple[int, datetime | None]:
    """Count what a customer wrote since a moment, and say when the first of it was."""
    (row,) = await tx.list_rows(
        """
        SELECT count(*) AS total, min(m.created_at) AS first
        FROM ticket_messages m JOIN support_tickets t ON t.id = m.ticket_id
        WHERE t.customer_id = %(customer_id)s AND NOT m.from_staff AND m.created_at > %(since)s
        """,
        {"customer_id": customer_id, "since": since},
    )
    return row["total"], row["first"]


# --- feedback ------------------------------------------------------------------------------------------


async def insert_feedback(
    tx: Transaction,
    public_id: str,
    customer_id: int | None,
    user_id: int,
    feature: str,
    rating: int | None,
    message: str,
    now: datetime,
) -> None:
    """Write feedback."""
    await tx.execute(
        """
        INSERT INTO feedback_entries (public_id, customer_id, user_id, feature, rating, message, created_at)
        VALUES (%(public_id)s, %(customer_id)s, %(user_id)s, %(feature)s, %(rating)s, %(message)s, %(now)s)
        """,
        {
            "public_id": public_id,
            "customer_id": customer_id,
            "user_id": user_id,
            "feature": feature,
            "rating": rating,
            "message": message,
            "now": now,
        },
    )


async def count_feedback(tx: Transaction, user_id: int, since: datetime) -> tuple[int, datetime | None]:
    """Count what a user said since a moment, and say when the first of it was."""
    (row,) = await tx.list_rows(
        """
        SELECT count(*) AS total, min(created_at) AS first FROM feedback_entries
        WHERE user_id = %(user_id)s AND created_at > %(since)s
        """,
        {"user_id": user_id, "since": since},
    )
    return row["total"], row["first"]


async def list_feedback(tx: Transaction, before: int | None, limit: int) -> list[FeedbackEntry]:
    """List everybody's feedback, newest first."""
    return await tx.list_all(
        FeedbackEntry,
        """
        SELECT f.id, f.public_id, c.public_id AS customer_public_id, u.email AS user_email, f.feature, f.rating,
            f.message, f.created_at
        FROM feedback_entries f LEFT JOIN api_customers c ON c.id = f.customer_id
            LEFT JOIN users u ON u.id = f.user_id
        WHERE %(before)s::bigint IS NULL OR f.id < %(before)s
        ORDER BY f.id DESC LIMIT %(limit)s
        """,
        {"before": before, "limit": limit},
    )
