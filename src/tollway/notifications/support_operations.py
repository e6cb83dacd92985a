"""Compose the mails of tickets: to whoever opened one, and to the people who answer."""

from datetime import datetime

from tollway.kit.mail import Mail
from tollway.notifications.rendering import compose


def compose_ticket_opened(
    to_address: str,
    *,
    ticket_id: str,
    subject: str,
    message: str,
    due_at: datetime,
    hours: int,
    offers_call: bool,
    link: str,
) -> Mail:
    """Say that a ticket arrived, and by when a person answers it (A51).

    Args:
        offers_call: a technical call is offered (A52).
    """
    values = {
        "ticket_id": ticket_id,
        "about": subject,
        "message": message,
        "due": _moment(due_at),
        "hours": hours,
        "offers_call": offers_call,
        "link": link,
    }
    return compose("ticket_opened", to_address, f"We received your ticket: {subject}", values)


def compose_ticket_answered(
    to_address: str, *, ticket_id: str, subject: str, answer: str, offers_call: bool, link: str
) -> Mail:
    """Carry an answer to whoever asked."""
    values = {
        "ticket_id": ticket_id,
        "about": subject,
        "answer": answer,
        "offers_call": offers_call,
        "link": link,
    }
    return compose("ticket_answered", to_address, f"Answer to your ticket: {subject}", values)


def compose_ticket_closed(
    to_address: str, *, ticket_id: str, subject: str, reopen_days: int, link: str
) -> Mail:
    """Say that a ticket was closed, and how to open it again."""
    values = {"ticket_id": ticket_id, "about": subject, "reopen_days": reopen_days, "link": link}
    return compose("ticket_closed", to_address, f"Your ticket is closed: {subject}", values)


def compose_ticket_for_staff(
    to_address: str,
    *,
    ticket_id: str,
    topic: str,
    subject: str,
    message: str,
    author: str,
    company: str,
    customer_id: str,
    due_at: datetime | None,
    is_new: bool,
    link: str,
) -> Mail:
    """Carry a new ticket, or a customer's further message, to the people who answer.

    Args:
        due_at: by when its first answer is due; None where it was answered before.
    """
    values = {
        "ticket_id": ticket_id,
        "topic": topic,
        "about": subject,
        "message": message,
        "author": author,
        "company": company,
        "customer_id": customer_id,
        "due": _moment(due_at) if due_at else "",
        "is_new": is_new,
        "link": link,
    }
    kind = "New ticket" if is_new else "Reply"
    return compose("ticket_for_staff", to_address, f"{kind} ({topic}): {subject}", values)


def compose_ticket_due(
    to_address: str,
    *,
    ticket_id: str,
    subject: str,
    topic: str,
    due_at: datetime,
    overdue: bool,
    link: str,
) -> Mail:
    """Tell the people who answer that a first answer is due soon, or overdue (A51)."""
    values = {
        "ticket_id": ticket_id,
        "about": subject,
        "topic": topic,
        "due": _moment(due_at),
        "overdue": overdue,
        "link": link,
    }
    kind = "Overdue" if overdue else "Due within the hour"
    return compose("ticket_due", to_address, f"{kind}: {subject}", values)


def _moment(moment: datetime) -> str:
    return f"{moment.day} {moment:%B %Y, %H:%M} UTC"
