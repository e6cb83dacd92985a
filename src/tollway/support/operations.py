"""Tickets as customers and staff work on them, feedback, and what staff is told."""

from datetime import datetime, timedelta

from tollway.audit import operations as audit
from tollway.customers import member_operations as members
from tollway.customers import operations as customers
from tollway.customers.callers import Caller
from tollway.customers.deed_operations import record_deed
from tollway.customers.permissions import Role
from tollway.kit.db import Transaction
from tollway.kit.ids import new_id
from tollway.kit.mail import queue_mail
from tollway.kit.paging import PAGE_SIZE, PAGE_SIZE_MAX, Page, decode_cursor, page_of
from tollway.notifications import support_operations as mails
from tollway.plans import operations as plans
from tollway.support import store
from tollway.support.entities import (
    API_KEY,
    FEEDBACK_PER_DAY_MAX,
    MESSAGES_PER_DAY_MAX,
    MESSAGES_PER_TICKET_MAX,
    REOPEN_DAYS,
    TICKETS_PER_DAY_MAX,
    TOLD_BEFORE,
    VOLUME_DAYS,
    FeedbackDraft,
    FeedbackEntry,
    SupportDesk,
    Ticket,
    TicketDraft,
    TicketFull,
    TicketMessage,
    TicketNotFound,
    TicketStatus,
    TicketVolume,
    TooManyTickets,
    response_hours_of,
)

DAY = timedelta(days=1)


# What customers do --------------------------------------------------------------------------------


async def get_response_hours(tx: Transaction, customer_id: int, now: datetime) -> int:
    """Say within how many hours a customer's tickets get their first answer (X14)."""
    return response_hours_of(await plans.list_held(tx, customer_id, now))


async def open_ticket(
    tx: Transaction, desk: SupportDesk, caller: Caller, draft: TicketDraft, now: datetime
) -> Ticket:
    """Open a ticket, whose first answer is due by the strictest plan held; staff and its opener are mailed.

    Raises: TooManyTickets. Writes: support_tickets, ticket_messages, audit_entries, outbox_mails.
    """
    customer = await customers.lock_customer(tx, caller.owner_id)
    opened, first = await store.count_tickets(tx, customer.id, now - DAY)
    _assert_below(TICKETS_PER_DAY_MAX, "tickets opened", opened, first, now)
    hours = await get_response_hours(tx, customer.id, now)
    public_id = new_id("tkt")
    await store.insert_ticket(
        tx,
        public_id,
        customer.id,
        caller.user_id,
        draft.topic,
        draft.subject,
        now + timedelta(hours=hours),
        now,
    )
    ticket = await get_ticket(tx, customer.id, public_id)
    await store.insert_message(
        tx, new_id("msg"), ticket.id, caller.user_id, draft.message, now, from_staff=False
    )
    await record_deed(
        tx,
        caller,
        "ticket.opened",
        ticket.public_id,
        now,
        {"topic": draft.topic.value},
        customer_id=ticket.customer_id,
    )
    await _tell_staff(tx, desk, ticket, caller, draft.message, now, is_new=True)
    for address in await _list_readers(tx, ticket):
        mail = mails.compose_ticket_opened(
            address,
            ticket_id=ticket.public_id,
            subject=ticket.subject,
            message=draft.message,
            due_at=ticket.response_due_at,
            hours=hours,
            offers_call=ticket.topic.offers_call,
            link=desk.ticket_link(ticket),
        )
        await queue_mail(tx, mail, now)
    return ticket


async def reply(
    tx: Transaction, desk: SupportDesk, caller: Caller, public_id: str, message: str, now: datetime
) -> Ticket:
    """Add a customer's message to its ticket, which is open again from then on; staff is mailed.

    A ticket that was closed before it was answered gets a new deadline.
    Raises: TicketNotFound, TicketLongClosed, TicketFull, TooManyTickets.
    Writes: support_tickets, ticket_messages, audit_entries, outbox_mails.
    """
    customer = await customers.lock_customer(tx, caller.owner_id)
    ticket = await get_ticket(tx, customer.id, public_id, lock=True)
    status = ticket.after_reply(now)
    written, first = await store.count_customer_messages(tx, customer.id, now - DAY)
    _assert_below(MESSAGES_PER_DAY_MAX, "messages written", written, first, now)
    due_at = None
    if ticket.status is TicketStatus.CLOSED and ticket.responded_at is None:
        due_at = now + timedelta(hours=await get_response_hours(tx, customer.id, now))
    await _add_message(tx, ticket, caller.user_id, message, now, from_staff=False)
    await store.update_ticket(tx, ticket, status, now, response_due_at=due_at)
    await record_deed(tx, caller, "ticket.replied", ticket.public_id, now, customer_id=ticket.customer_id)
    changed = await get_ticket(tx, customer.id, public_id)
    await _tell_staff(tx, desk, changed, caller, message, now, is_new=False)
    return changed


async def close_ticket(
    tx: Transaction, desk: SupportDesk, caller: Caller, public_id: str, now: datetime
) -> Ticket:
    """Close a customer's ticket; closing it twice changes nothing. Raises: TicketNotFound.

    Writes: support_tickets, audit_entries, outbox_mails.
    """
    ticket = await get_ticket(tx, caller.owner_id, public_id, lock=True)
    if ticket.status is not TicketStatus.CLOSED:
        await _close(tx, desk, ticket, caller, now)
    return await get_ticket(tx, caller.owner_id, public_id)


async def get_ticket(tx: Transaction, customer_id: int, public_id: str, *, lock: bool = False) -> Ticket:
    """Return a customer's ticket; raises TicketNotFound."""
    ticket = await store.find_ticket(tx, customer_id, public_id, lock=lock)
    if ticket is None:
        raise TicketNotFound("You have no such ticket.")
    return ticket


async def list_tickets(
    tx: Transaction, customer_id: int, cursor: str | None = None, limit: int = PAGE_SIZE
) -> Page[Ticket]:
    """List a customer's tickets, newest first, a page at a time. Raises: BadCursor."""
    assert 1 <= limit <= PAGE_SIZE_MAX, limit
    found = await store.list_tickets(tx, customer_id, decode_cursor(cursor), limit + 1)
    return page_of(found, [one.id for one in found], limit)


async def list_messages(tx: Transaction, ticket: Ticket) -> list[TicketMessage]:
    """List the messages of a ticket that the caller may see, oldest first."""
    return await store.list_messages(tx, ticket.id, MESSAGES_PER_TICKET_MAX)


# What staff does ----------------------------------------------------------------------------------


async def get_any_ticket(tx: Transaction, public_id: str, *, lock: bool = False) -> Ticket:
    """Return a ticket, whosever it is; raises TicketNotFound."""
    ticket = await store.find_any_ticket(tx, public_id, lock=lock)
    if ticket is None:
        raise TicketNotFound("There is no ticket of that id.")
    return ticket


async def list_queue(
    tx: Transaction,
    status: TicketStatus | None = None,
    customer_id: int | None = None,
    cursor: str | None = None,
    limit: int = PAGE_SIZE,
) -> Page[Ticket]:
    """List tickets of everybody, or of one customer: first answers that are due come first. Raises: BadCursor."""
    assert 1 <= limit <= PAGE_SIZE_MAX, limit
    found = await store.list_queue(tx, status, customer_id, decode_cursor(cursor), limit + 1)
    return page_of(found, [one.id for one in found], limit)


async def answer_ticket(
    tx: Transaction, desk: SupportDesk, caller: Caller, public_id: str, message: str, now: datetime
) -> Ticket:
    """Answer a ticket, closed or not; the first answer stops its clock, and its reader is mailed.

    Raises: TicketNotFound, TicketFull. Writes: support_tickets, ticket_messages, audit_entries, outbox_mails.
    """
    ticket = await get_any_ticket(tx, public_id, lock=True)
    await _add_message(tx, ticket, caller.user_id, message, now, from_staff=True)
    await store.update_ticket(tx, ticket, TicketStatus.ANSWERED, now, responded_at=now)
    await record_deed(tx, caller, "ticket.answered", ticket.public_id, now, customer_id=ticket.customer_id)
    for address in await _list_readers(tx, ticket):
        mail = mails.compose_ticket_answered(
            address,
            ticket_id=ticket.public_id,
            subject=ticket.subject,
            answer=message,
            offers_call=ticket.topic.offers_call,
            link=desk.ticket_link(ticket),
        )
        await queue_mail(tx, mail, now)
    return await get_any_ticket(tx, public_id)


async def close_as_staff(
    tx: Transaction, desk: SupportDesk, caller: Caller, public_id: str, now: datetime
) -> Ticket:
    """Close any ticket; closing it twice changes nothing. Raises: TicketNotFound.

    Writes: support_tickets, audit_entries, outbox_mails.
    """
    ticket = await get_any_ticket(tx, public_id, lock=True)
    if ticket.status is not TicketStatus.CLOSED:
        await _close(tx, desk, ticket, caller, now)
    return await get_any_ticket(tx, public_id)


async def get_volume(tx: Transaction, now: datetime, days: int = VOLUME_DAYS) -> TicketVolume:
    """Say how many tickets came, how fast they were answered and how many wait (B60)."""
    return await store.find_volume(tx, now - timedelta(days=days), now)


async def tell_deadlines(tx: Transaction, desk: SupportDesk, now: datetime, limit: int) -> int:
    """Mail staff about first answers that are due within the hour or overdue, once each; return how many mails.

    Safe to run twice and at the same time: a ticket is locked, told of and marked in one transaction.
    Writes: support_tickets, outbox_mails.
    """
    due = await store.list_due(tx, now + TOLD_BEFORE, now, limit)
    for ticket in due:
        overdue = ticket.is_overdue(now)
        mail = mails.compose_ticket_due(
            desk.email,
            ticket_id=ticket.public_id,
            subject=ticket.subject,
            topic=ticket.topic.label,
            due_at=ticket.response_due_at,
            overdue=overdue,
            link=desk.staff_link(ticket),
        )
        await queue_mail(tx, mail, now)
        await store.update_told(tx, ticket.id, now, overdue=overdue)
    return len(due)


# Feedback -----------------------------------------------------------------------------------------


async def give_feedback(tx: Transaction, caller: Caller, draft: FeedbackDraft, now: datetime) -> str:
    """Keep what a person says about a part of the product, and return its id (A23).

    Raises: TooManyTickets. Writes: feedback_entries, audit_entries.
    """
    assert caller.user_id is not None, "feedback is given by people"
    await customers.lock_user(tx, caller.user_id)
    said, first = await store.count_feedback(tx, caller.user_id, now - DAY)
    _assert_below(FEEDBACK_PER_DAY_MAX, "entries of feedback given", said, first, now)
    public_id = new_id("fbk")
    await store.insert_feedback(
        tx,
        public_id,
        caller.customer_id,
        caller.user_id,
        draft.feature,
        draft.rating,
        draft.message,
        now,
    )
    await audit.record_entry(
        tx,
        action="feedback.given",
        customer_id=caller.customer_id,
        actor=caller.actor,
        actor_name=caller.actor_name,
        user_id=caller.user_id,
        subject=public_id,
        address=caller.address,
        now=now,
    )
    return public_id


async def list_feedback(
    tx: Transaction, cursor: str | None = None, limit: int = PAGE_SIZE
) -> Page[FeedbackEntry]:
    """List everybody's feedback for administrators, newest first. Raises: BadCursor."""
    assert 1 <= limit <= PAGE_SIZE_MAX, limit
    found = await store.list_feedback(tx, decode_cursor(cursor), limit + 1)
    return page_of(found, [one.id for one in found], limit)


# Parts --------------------------------------------------------------------------------------------


def _assert_below(most: int, what: str, count: int, first: datetime | None, now: datetime) -> None:
    if count < most or first is None:
        return
    seconds = max(1, round((first + DAY - now).total_seconds()))
    raise TooManyTickets(
        f"{most} {what} within 24 hours is the most. The next one may come in {-(-seconds // 60)} minutes; "
        "what is urgent can be added to a ticket that is open.",
        retry_after_seconds=seconds,
    )


async def _add_message(
    tx: Transaction, ticket: Ticket, author_id: int | None, message: str, now: datetime, *, from_staff: bool
) -> None:
    if await store.count_messages(tx, ticket.id) >= MESSAGES_PER_TICKET_MAX:
        raise TicketFull(
            f"A ticket holds {MESSAGES_PER_TICKET_MAX} messages. Open a new one, and name {ticket.public_id} in it."
        )
    await store.insert_message(tx, new_id("msg"), ticket.id, author_id, message, now, from_staff=from_staff)


async def _close(tx: Transaction, desk: SupportDesk, ticket: Ticket, caller: Caller, now: datetime) -> None:
    await store.update_ticket(tx, ticket, TicketStatus.CLOSED, now)
    await record_deed(tx, caller, "ticket.closed", ticket.public_id, now, customer_id=ticket.customer_id)
    for address in await _list_readers(tx, ticket):
        # Whoever closes it knows.
        if address == caller.actor_name:
            continue
        mail = mails.compose_ticket_closed(
            address,
            ticket_id=ticket.public_id,
            subject=ticket.subject,
            reopen_days=REOPEN_DAYS,
            link=desk.ticket_link(ticket),
        )
        await queue_mail(tx, mail, now)


async def _tell_staff(
    tx: Transaction,
    desk: SupportDesk,
    ticket: Ticket,
    caller: Caller,
    message: str,
    now: datetime,
    *,
    is_new: bool,
) -> None:
    customer = await customers.get_customer(tx, ticket.customer_id)
    mail = mails.compose_ticket_for_staff(
        desk.email,
        ticket_id=ticket.public_id,
        topic=ticket.topic.label,
        subject=ticket.subject,
        message=message,
        author=caller.actor_name or API_KEY,
        company=customer.company_name,
        customer_id=customer.public_id,
        due_at=ticket.response_due_at if ticket.awaits_first_answer else None,
        is_new=is_new,
        link=desk.staff_link(ticket),
    )
    await queue_mail(tx, mail, now)


async def _list_readers(tx: Transaction, ticket: Ticket) -> list[str]:
    """List whom to mail about a ticket: whoever opened it, or the owners where that was a key or somebody who left.

    Only proven addresses: nobody mails texts of theirs to strangers through us.
    """
    everybody = await members.list_members(tx, ticket.customer_id)
    opener = [one for one in everybody if one.user_id == ticket.opened_by]
    readers = opener or [one for one in everybody if one.role is Role.OWNER]
    users = [await customers.get_user(tx, one.user_id) for one in readers]
    return [user.email for user in users if user.verified]
