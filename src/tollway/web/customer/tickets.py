"""`/support` of somebody who is signed in: tickets with their deadlines, and feedback."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import Response

from tollway.customers.permissions import Permission
from tollway.kit.http import ReplayingRoute, refuse_cross_site
from tollway.kit.paging import Page as Listed
from tollway.kit.problems import Conflict, Invalid, Problem, TooMany
from tollway.plans import operations as plans
from tollway.plans.entities import EntitlementState
from tollway.support import operations as support
from tollway.support.entities import (
    FEATURE_LENGTH_MAX,
    MESSAGE_LENGTH_MAX,
    RATING_MAX,
    RATING_MIN,
    REOPEN_DAYS,
    SUBJECT_LENGTH_MAX,
    FeedbackDraft,
    SupportDesk,
    Ticket,
    TicketDraft,
    TicketStatus,
    Topic,
    checked_message,
    response_hours_of,
)
from tollway.web.pages import Own, Page, PageNeeds, field_errors, html, redirect
from tollway.web.site import site_of

PAGE_SIZE = 20
NOTICES = {
    "feedback": "Thank you. Those who develop Tollway read it.",
    "opened": "Your ticket is here.",
    "sent": "Your message is added.",
    "closed": "The ticket is closed.",
}
LIMITS = {"subject": SUBJECT_LENGTH_MAX, "message": MESSAGE_LENGTH_MAX, "feature": FEATURE_LENGTH_MAX}
RATINGS = [str(rating) for rating in range(RATING_MAX, RATING_MIN - 1, -1)]

router = APIRouter(prefix="/support", route_class=ReplayingRoute, include_in_schema=False)
Asking = Annotated[Page, Depends(PageNeeds(Permission.SUPPORT))]


async def show_support(
    request: Request,
    page: Page,
    values: dict[str, str] | None = None,
    problem: Problem | None = None,
) -> Response:
    """Show the customer's tickets, and the forms for a new one and for feedback.

    Args:
        values: what was typed into a form that could not be taken.
        problem: why it could not.
    """
    cursor = request.query_params.get("cursor")
    may_ask = page.caller.may(Permission.SUPPORT)
    found: Listed[Ticket] = Listed([], None)
    async with page.database.transaction() as tx:
        shell, _ = await page.shell(tx)
        held = await plans.list_held(tx, page.caller.owner_id, page.now)
        if may_ask:
            found = await support.list_tickets(tx, page.caller.owner_id, cursor, PAGE_SIZE)
    return html(
        request,
        "customer/support.html",
        problem.status if problem else 200,
        shell=shell,
        may_ask=may_ask,
        tickets=[ticket_row(one, page) for one in found.items],
        next_url=f"/support?cursor={found.next_cursor}" if found.next_cursor else None,
        first_url="/support" if cursor else None,
        response_hours=response_hours_of(held),
        held=[
            (one.plan.product, one.plan.name, one.plan.support, one.plan.support_response_hours)
            for one in held
            if one.state is not EntitlementState.CANCELLED
        ],
        topics=[(one.value, one.label) for one in Topic],
        ratings=RATINGS,
        limits=LIMITS,
        values=values or {"subject": request.query_params.get("subject", "")[:SUBJECT_LENGTH_MAX]},
        errors=field_errors(problem, "message" if "topic" in (values or {}) else "feedback")
        if problem
        else {},
        notice=NOTICES.get(request.query_params.get("notice", ""), ""),
        support_email=site_of(request).support_email,
    )


@router.post("/tickets")
async def open_ticket(
    request: Request,
    page: Asking,
    topic: Annotated[str, Form()] = "",
    subject: Annotated[str, Form()] = "",
    message: Annotated[str, Form()] = "",
) -> Response:
    """Open a ticket and show it."""
    try:
        draft = TicketDraft.checked(topic, subject, message)
        async with page.database.transaction() as tx:
            ticket = await support.open_ticket(tx, desk_of(request), page.caller, draft, page.now)
    except (Invalid, TooMany) as problem:
        values = {"topic": topic, "subject": subject, "message": message}
        return await show_support(request, page, values, problem)
    return redirect(f"/support/tickets/{ticket.public_id}?notice=opened")


@router.post("/feedback")
async def give_feedback(
    request: Request,
    page: Own,
    feature: Annotated[str, Form()] = "",
    rating: Annotated[str, Form()] = "",
    feedback: Annotated[str, Form()] = "",
) -> Response:
    """Keep what somebody thinks of a part of Tollway."""
    refuse_cross_site(request)
    try:
        # Anything but a number is none of the ratings.
        rated = None if not rating else int(rating) if rating in RATINGS else 0
        draft = FeedbackDraft.checked(feature, rated, feedback)
        async with page.database.transaction() as tx:
            await support.give_feedback(tx, page.caller, draft, page.now)
    except (Invalid, TooMany) as problem:
        if page.signed_in.customer is None:
            # An administrator who is no customer has no page of tickets that the form stands on.
            raise
        values = {"feature": feature, "rating": rating, "feedback": feedback}
        return await show_support(request, page, values, problem)
    return redirect("/support?notice=feedback")


@router.get("/tickets/{ticket_id}")
async def show_ticket(request: Request, page: Asking, ticket_id: str) -> Response:
    """Show what was written."""
    return await _ticket_page(request, page, ticket_id)


@router.post("/tickets/{ticket_id}/messages")
async def reply(
    request: Request, page: Asking, ticket_id: str, message: Annotated[str, Form()] = ""
) -> Response:
    """Add a message."""
    try:
        async with page.database.transaction() as tx:
            await support.reply(
                tx, desk_of(request), page.caller, ticket_id, checked_message(message), page.now
            )
    except (Invalid, TooMany, Conflict) as problem:
        return await _ticket_page(request, page, ticket_id, message, problem)
    return redirect(f"/support/tickets/{ticket_id}?notice=sent")


@router.post("/tickets/{ticket_id}/close")
async def close_ticket(request: Request, page: Asking, ticket_id: str) -> Response:
    """Close a ticket."""
    async with page.database.transaction() as tx:
        await support.close_ticket(tx, desk_of(request), page.caller, ticket_id, page.now)
    return redirect(f"/support/tickets/{ticket_id}?notice=closed")


async def _ticket_page(
    request: Request, page: Page, ticket_id: str, message: str = "", problem: Problem | None = None
) -> Response:
    async with page.database.transaction() as tx:
        shell, _ = await page.shell(tx)
        ticket = await support.get_ticket(tx, page.caller.owner_id, ticket_id)
        messages = await support.list_messages(tx, ticket)
    return html(
        request,
        "customer/ticket.html",
        problem.status if problem else 200,
        shell=shell,
        ticket=ticket_row(ticket, page),
        messages=[
            {
                "author": one.shown_author,
                "from_staff": one.from_staff,
                "body": one.body,
                "created_at": one.created_at,
            }
            for one in messages
        ],
        may_reply=ticket.status is not TicketStatus.CLOSED or ticket.may_be_reopened(page.now),
        reopen_days=REOPEN_DAYS,
        limits=LIMITS,
        values={"message": message},
        errors=field_errors(problem, "message") if problem else {},
        notice=NOTICES.get(request.query_params.get("notice", ""), ""),
    )


def ticket_row(ticket: Ticket, page: Page) -> dict[str, object]:
    """Lay a ticket out for a page."""
    return {
        "id": ticket.public_id,
        "topic": ticket.topic.label,
        "subject": ticket.subject,
        "status": ticket.status.value,
        "opener": ticket.opener,
        "created_at": ticket.created_at,
        "updated_at": ticket.updated_at,
        "response_due_at": ticket.response_due_at,
        "responded_at": ticket.responded_at,
        "closed_at": ticket.closed_at,
        "awaits_first_answer": ticket.awaits_first_answer,
        "is_overdue": ticket.is_overdue(page.now),
        "offers_call": ticket.topic.offers_call,
    }


def desk_of(request: Request) -> SupportDesk:
    """Say where the people who answer are reached."""
    site = site_of(request)
    return SupportDesk(site.support_email, site.base_url)
