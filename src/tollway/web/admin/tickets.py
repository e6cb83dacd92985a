"""The queue of tickets, one ticket, and feedback, for the people who answer."""

import re
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import Response

from tollway.customers import directory_operations as directory
from tollway.customers import operations as customers
from tollway.customers.permissions import Permission
from tollway.kit.db import Transaction
from tollway.kit.http import ReplayingRoute
from tollway.kit.problems import Conflict, Invalid, NotFound, Problem
from tollway.support import operations as support
from tollway.support.entities import (
    MESSAGE_LENGTH_MAX,
    VOLUME_DAYS,
    TicketStatus,
    checked_message,
)
from tollway.web.admin.frame import admin_shell
from tollway.web.customer.tickets import desk_of, ticket_row
from tollway.web.pages import Page, PageNeeds, field_errors, html, redirect

PAGE_SIZE = 50
CUSTOMER_ID = re.compile(r"cus_[A-Za-z0-9]{1,100}")
NOTICES = {
    "answered": "The answer is on its way.",
    "closed": "The ticket is closed.",
}

router = APIRouter(prefix="/admin", route_class=ReplayingRoute, include_in_schema=False)
Answering = Annotated[Page, Depends(PageNeeds(Permission.ADMIN_SUPPORT))]


@router.get("/tickets")
async def list_queue(
    request: Request, page: Answering, status: str = "", customer: str = "", cursor: str | None = None
) -> Response:
    """List everybody's tickets, the most urgent first, and how support goes."""
    chosen = TicketStatus(status) if status in set(TicketStatus) else None
    async with page.database.transaction() as tx:
        shell = await admin_shell(page, tx)
        customer_id = await _asked_customer(tx, customer)
        found = await support.list_queue(tx, chosen, customer_id, cursor, PAGE_SIZE)
        public_ids = await directory.list_public_ids(tx, {one.customer_id for one in found.items})
        volume = await support.get_volume(tx, page.now)
    asked = {"status": chosen.value if chosen else "", "customer": customer}
    return html(
        request,
        "admin/tickets.html",
        shell=shell,
        tickets=[ticket_row(one, page) | {"customer": public_ids[one.customer_id]} for one in found.items],
        values=asked,
        statuses=[one.value for one in TicketStatus],
        volume=volume,
        volume_days=VOLUME_DAYS,
        next_url=_address(asked, found.next_cursor) if found.next_cursor else None,
        first_url=_address(asked) if cursor else None,
    )


@router.get("/tickets/{ticket_id}")
async def show_ticket(request: Request, page: Answering, ticket_id: str) -> Response:
    """Show one ticket with what was written."""
    return await _ticket_page(request, page, ticket_id)


@router.post("/tickets/{ticket_id}/answer")
async def answer_ticket(
    request: Request,
    page: Answering,
    ticket_id: str,
    message: Annotated[str, Form()] = "",
    then: Annotated[str, Form()] = "",
) -> Response:
    """Answer, and close it where that was asked for."""
    try:
        text = checked_message(message)
        async with page.database.transaction() as tx:
            await support.answer_ticket(tx, desk_of(request), page.caller, ticket_id, text, page.now)
            if then == "close":
                await support.close_as_staff(tx, desk_of(request), page.caller, ticket_id, page.now)
    except (Invalid, Conflict) as problem:
        return await _ticket_page(request, page, ticket_id, message, problem)
    return redirect(f"/admin/tickets/{ticket_id}?notice=answered")


@router.post("/tickets/{ticket_id}/close")
async def close_ticket(request: Request, page: Answering, ticket_id: str) -> Response:
    """Close a ticket without another word."""
    async with page.database.transaction() as tx:
        await support.close_as_staff(tx, desk_of(request), page.caller, ticket_id, page.now)
    return redirect(f"/admin/tickets/{ticket_id}?notice=closed")


@router.get("/feedback")
async def list_feedback(request: Request, page: Answering, cursor: str | None = None) -> Response:
    """List what everybody thinks, newest first."""
    async with page.database.transaction() as tx:
        shell = await admin_shell(page, tx)
        found = await support.list_feedback(tx, cursor, PAGE_SIZE)
    return html(
        request,
        "admin/feedback.html",
        shell=shell,
        entries=found.items,
        next_url=f"/admin/feedback?cursor={found.next_cursor}" if found.next_cursor else None,
        first_url="/admin/feedback" if cursor else None,
    )


async def _ticket_page(
    request: Request, page: Page, ticket_id: str, message: str = "", problem: Problem | None = None
) -> Response:
    async with page.database.transaction() as tx:
        shell = await admin_shell(page, tx)
        ticket = await support.get_any_ticket(tx, ticket_id)
        messages = await support.list_messages(tx, ticket)
        customer = await customers.get_customer(tx, ticket.customer_id)
    return html(
        request,
        "admin/ticket.html",
        problem.status if problem else 200,
        shell=shell,
        ticket=ticket_row(ticket, page),
        customer={"id": customer.public_id, "name": customer.company_name},
        messages=[
            {
                # Among ourselves we go by name.
                "author": one.author_email or one.shown_author,
                "from_staff": one.from_staff,
                "body": one.body,
                "created_at": one.created_at,
            }
            for one in messages
        ],
        message_length_max=MESSAGE_LENGTH_MAX,
        values={"message": message},
        errors=field_errors(problem, "message") if problem else {},
        notice=NOTICES.get(request.query_params.get("notice", ""), ""),
    )


async def _asked_customer(tx: Transaction, public_id: str) -> int | None:
    if not public_id:
        return None
    customer = await customers.find_customer(tx, public_id) if CUSTOMER_ID.fullmatch(public_id) else None
    if customer is None:
        raise NotFound("There is no customer with that id; it begins with cus_.")
    return customer.id


def _address(asked: dict[str, str], cursor: str = "") -> str:
    query = {name: value for name, value in (asked | {"cursor": cursor}).items() if value}
    return f"/admin/tickets?{urlencode(query)}" if query else "/admin/tickets"
