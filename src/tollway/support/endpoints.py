"""Tickets and feedback over HTTP."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi import Path as PathPart
from fastapi.encoders import jsonable_encoder
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from tollway.customers.callers import Caller
from tollway.customers.guard import Needs
from tollway.customers.permissions import Permission
from tollway.kit import idempotency
from tollway.kit.db import Transaction
from tollway.kit.http import ReplayingRoute, database_of
from tollway.kit.idempotency import BadIdempotencyKey, IdempotencyKeyReused
from tollway.kit.openapi import IDEMPOTENCY_HEADER, problem_responses
from tollway.kit.paging import CURSOR_LENGTH_MAX, PAGE_SIZE, PAGE_SIZE_MAX, BadCursor
from tollway.support import operations
from tollway.support.entities import (
    FEATURE_LENGTH_MAX,
    LINE_PATTERN,
    MESSAGE_LENGTH_MAX,
    MESSAGES_PER_TICKET_MAX,
    RATING_MAX,
    RATING_MIN,
    REOPEN_DAYS,
    SUBJECT_LENGTH_MAX,
    TEXT_PATTERN,
    FeedbackDraft,
    SupportDesk,
    Ticket,
    TicketDraft,
    TicketFull,
    TicketLongClosed,
    TicketMessage,
    TicketNotFound,
    TicketStatus,
    TooManyTickets,
    Topic,
    checked_message,
)

REPLAYED = (BadIdempotencyKey, IdempotencyKeyReused)
TICKET_ID = "tkt_3b1f0c9a5d7e2468"

router = APIRouter(prefix="/api", route_class=ReplayingRoute, tags=["Support"])

Asking = Annotated[Caller, Depends(Needs(Permission.SUPPORT))]
# A person's own opinion: no key has one.
Speaking = Annotated[Caller, Depends(Needs(Permission.OWN))]
TicketId = Annotated[str, PathPart(description="Of one of your tickets.", examples=[TICKET_ID])]


class _Body(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")


class TicketIn(_Body):
    """What you need help with."""

    # A word in JSON becomes the member that it names.
    topic: Topic = Field(strict=False, examples=["integration"])
    subject: str = Field(max_length=SUBJECT_LENGTH_MAX, pattern=LINE_PATTERN, examples=["Timeouts on upload"])
    message: str = Field(
        max_length=MESSAGE_LENGTH_MAX,
        pattern=TEXT_PATTERN,
        description="If it is about a call or a run, its id helps. Never send an API key.",
        examples=["Uploads of 8 MB end with 413 since this morning; one was req_5f0c9a1b2d3e4f60."],
    )


class MessageIn(_Body):
    """A further message."""

    message: str = Field(max_length=MESSAGE_LENGTH_MAX, pattern=TEXT_PATTERN, examples=["It works again."])


class FeedbackIn(_Body):
    """What you think of a part of Tollway."""

    feature: str = Field(
        max_length=FEATURE_LENGTH_MAX,
        pattern=LINE_PATTERN,
        description="Which part you mean, in your words.",
        examples=["Tornado charts"],
    )
    rating: int | None = Field(
        default=None,
        ge=RATING_MIN,
        le=RATING_MAX,
        description=f"From {RATING_MIN} (poor) to {RATING_MAX} (very good); may be left out.",
    )
    feedback: str = Field(
        max_length=MESSAGE_LENGTH_MAX,
        pattern=TEXT_PATTERN,
        examples=["I would like to hide small bars."],
    )


class MessageOut(BaseModel):
    """One message of a ticket."""

    id: str
    author: str = Field(description="An address, `Support` for our people, or `API key`.")
    from_staff: bool
    message: str
    created_at: datetime


class TicketOut(BaseModel):
    """One matter that you asked about."""

    id: str
    topic: Topic
    subject: str
    status: TicketStatus = Field(
        description="`open`: it is our turn. `answered`: it is yours. `closed`: until you write again, "
        f"which opens it for {REOPEN_DAYS} days."
    )
    opened_by: str = Field(description="An address, or `API key`.")
    created_at: datetime
    updated_at: datetime
    response_due_at: datetime = Field(
        description="By when a person gives the first answer, by the strictest plan that you hold."
    )
    responded_at: datetime | None = Field(description="When the first answer came.")
    closed_at: datetime | None
    is_overdue: bool = Field(description="Whether the first answer should have been there.")
    offers_call: bool = Field(
        description="A technical call is offered: reply with times that suit you, with their time zone."
    )


class TicketWithMessages(TicketOut):
    """One matter that you asked about, with everything that was written."""

    messages: list[MessageOut] = Field(
        description=f"The oldest first; a ticket holds {MESSAGES_PER_TICKET_MAX}."
    )


class TicketPage(BaseModel):
    """Some tickets, newest first."""

    tickets: list[TicketOut]
    next_cursor: str | None = Field(description="The `cursor` of the next page; null on the last.")


class FeedbackOut(BaseModel):
    """It was kept."""

    success: bool
    id: str


# --- tickets -------------------------------------------------------------------------------------------


@router.post(
    "/support/tickets",
    status_code=201,
    summary="Open a ticket",
    response_model=TicketWithMessages,
    openapi_extra={"parameters": [IDEMPOTENCY_HEADER]},
    responses=problem_responses(*REPLAYED, TooManyTickets),
)
async def open_ticket(request: Request, caller: Asking, body: TicketIn) -> Response:
    """Ask a person. The answer says by when the first reply is due; it is mailed to whoever opened the ticket.

    A ticket that an API key opened is answered to the owners of your team.
    """
    draft = TicketDraft.checked(body.topic, body.subject, body.message)

    async def work(tx: Transaction) -> dict[str, Any]:
        now = _received_at(request)
        return await _whole(tx, await operations.open_ticket(tx, _desk(request), caller, draft, now), now)

    return await _answer_once(request, caller, body, work, 201)


@router.get(
    "/support/tickets",
    summary="List tickets",
    response_model=TicketPage,
    responses=problem_responses(BadCursor),
)
async def list_tickets(
    request: Request,
    caller: Asking,
    cursor: Annotated[str | None, Query(max_length=CURSOR_LENGTH_MAX)] = None,
    limit: Annotated[int, Query(ge=1, le=PAGE_SIZE_MAX)] = PAGE_SIZE,
) -> dict[str, Any]:
    """List the tickets of your customer, newest first, whoever opened them."""
    async with database_of(request).transaction() as tx:
        page = await operations.list_tickets(tx, caller.owner_id, cursor, limit)
    return {
        "tickets": [_shape(one, _received_at(request)) for one in page.items],
        "next_cursor": page.next_cursor,
    }


@router.get(
    "/support/tickets/{ticket_id}",
    summary="Read a ticket",
    response_model=TicketWithMessages,
    responses=problem_responses(TicketNotFound),
)
async def read_ticket(request: Request, caller: Asking, ticket_id: TicketId) -> dict[str, Any]:
    """Return one ticket with its messages, the oldest first."""
    async with database_of(request).transaction() as tx:
        ticket = await operations.get_ticket(tx, caller.owner_id, ticket_id)
        return await _whole(tx, ticket, _received_at(request))


@router.post(
    "/support/tickets/{ticket_id}/messages",
    status_code=201,
    summary="Write to a ticket",
    response_model=TicketWithMessages,
    openapi_extra={"parameters": [IDEMPOTENCY_HEADER]},
    responses=problem_responses(*REPLAYED, TicketNotFound, TicketLongClosed, TicketFull, TooManyTickets),
)
async def reply(request: Request, caller: Asking, ticket_id: TicketId, body: MessageIn) -> Response:
    """Add a message. A ticket that was closed within the last 30 days is open again from then on."""
    message = checked_message(body.message)

    async def work(tx: Transaction) -> dict[str, Any]:
        now = _received_at(request)
        ticket = await operations.reply(tx, _desk(request), caller, ticket_id, message, now)
        return await _whole(tx, ticket, now)

    return await _answer_once(request, caller, body, work, 201)


@router.post(
    "/support/tickets/{ticket_id}/close",
    summary="Close a ticket",
    response_model=TicketWithMessages,
    responses=problem_responses(TicketNotFound),
)
async def close_ticket(request: Request, caller: Asking, ticket_id: TicketId) -> dict[str, Any]:
    """Say that nothing is left to do. Closing a closed ticket changes nothing."""
    now = _received_at(request)
    async with database_of(request).transaction() as tx:
        ticket = await operations.close_ticket(tx, _desk(request), caller, ticket_id, now)
        return await _whole(tx, ticket, now)


# --- feedback ------------------------------------------------------------------------------------------


@router.post(
    "/feedback",
    status_code=201,
    summary="Give feedback",
    response_model=FeedbackOut,
    openapi_extra={"parameters": [IDEMPOTENCY_HEADER]},
    responses=problem_responses(*REPLAYED, TooManyTickets),
)
async def give_feedback(request: Request, caller: Speaking, body: FeedbackIn) -> Response:
    """Tell those who develop Tollway what you think of a part of it. Nobody answers; a ticket is answered."""
    draft = FeedbackDraft.checked(body.feature, body.rating, body.feedback)

    async def work(tx: Transaction) -> dict[str, Any]:
        feedback_id = await operations.give_feedback(tx, caller, draft, _received_at(request))
        return {"success": True, "id": feedback_id}

    return await _answer_once(request, caller, body, work, 201)


# --- parts ---------------------------------------------------------------------------------------------


async def _answer_once(
    request: Request,
    caller: Caller,
    body: BaseModel,
    work: Callable[[Transaction], Awaitable[dict[str, Any]]],
    status: int,
) -> Response:
    """Work once for each `Idempotency-Key`, and give its first answer again."""
    key = request.headers.get("idempotency-key")
    who = caller.actor if caller.customer_id is None else f"{caller.customer_id}/{caller.mode}"
    scope = f"{who}/{request.method} {request.url.path}"
    async with database_of(request).transaction() as tx:
        if key is not None:
            content = idempotency.digest(body.model_dump(mode="json"))
            stored = await idempotency.begin(tx, scope, key, content, _received_at(request))
            if stored is not None:
                return JSONResponse(stored.body, status_code=stored.status)
        answer = jsonable_encoder(await work(tx))
        if key is not None:
            await idempotency.finish(tx, scope, key, status, answer)
    return JSONResponse(answer, status_code=status)


async def _whole(tx: Transaction, ticket: Ticket, now: datetime) -> dict[str, Any]:
    messages = await operations.list_messages(tx, ticket)
    return _shape(ticket, now) | {"messages": [_message_shape(one) for one in messages]}


def _shape(ticket: Ticket, now: datetime) -> dict[str, Any]:
    return {
        "id": ticket.public_id,
        "topic": ticket.topic,
        "subject": ticket.subject,
        "status": ticket.status,
        "opened_by": ticket.opener,
        "created_at": ticket.created_at,
        "updated_at": ticket.updated_at,
        "response_due_at": ticket.response_due_at,
        "responded_at": ticket.responded_at,
        "closed_at": ticket.closed_at,
        "is_overdue": ticket.is_overdue(now),
        "offers_call": ticket.topic.offers_call,
    }


def _message_shape(message: TicketMessage) -> dict[str, Any]:
    return {
        "id": message.public_id,
        "author": message.shown_author,
        "from_staff": message.from_staff,
        "message": message.body,
        "created_at": message.created_at,
    }


def _desk(request: Request) -> SupportDesk:
    desk = request.app.state.support_desk
    assert isinstance(desk, SupportDesk), "app.py puts the desk into the application's state"
    return desk


def _received_at(request: Request) -> datetime:
    moment = request.scope["received_at"]
    assert isinstance(moment, datetime)
    return moment
