"""`/support` of strangers: a message to the people who run this installation; whoever is signed in gets tickets."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from tollway.customers import flows as customers
from tollway.customers.entities import email_fault, normal_email
from tollway.customers.permissions import Permission
from tollway.kit.http import ReplayingRoute, database_of, refuse_cross_site
from tollway.kit.mail import queue_mail
from tollway.kit.problems import TooMany
from tollway.notifications import operations as notifications
from tollway.web.customer import tickets
from tollway.web.pages import PageNeeds, Visitor, html, received_at, visit_of
from tollway.web.site import site_of

SUBJECT_LENGTH_MAX = 200
MESSAGE_LENGTH_MAX = 5_000

router = APIRouter(prefix="/support", route_class=ReplayingRoute, include_in_schema=False)


@router.get("")
async def show_support(request: Request, visitor: Visitor) -> Response:
    """Show the form, or the tickets of whoever belongs to a customer."""
    if visitor is not None and visitor.customer is not None:
        return await tickets.show_support(request, await PageNeeds(Permission.OWN)(request))
    subject = request.query_params.get("subject", "")[:SUBJECT_LENGTH_MAX]
    return _support_form(request, visitor, {"subject": subject})


@router.post("")
async def send_message(
    request: Request,
    visitor: Visitor,
    email: Annotated[str, Form()] = "",
    subject: Annotated[str, Form()] = "",
    message: Annotated[str, Form()] = "",
) -> Response:
    """Mail a message to support, and a copy to whoever wrote it."""
    refuse_cross_site(request)
    address = visitor.user.email if visitor else normal_email(email)
    values = {"email": email, "subject": subject.strip(), "message": message.strip()}
    errors = _faults(address, values)
    if errors:
        return _support_form(request, visitor, values, errors, status=422)
    try:
        await customers.count_support_message(database_of(request), address, visit_of(request))
    except TooMany as problem:
        return _support_form(request, visitor, values, {"message": problem.message}, status=problem.status)
    about = visitor.customer.public_id if visitor and visitor.customer else "not signed in"
    mail, copy = notifications.compose_support_message(
        site_of(request).support_email,
        reply_to=address,
        customer=about,
        subject=values["subject"],
        message=values["message"],
    )
    async with database_of(request).transaction() as tx:
        await queue_mail(tx, mail, received_at(request))
        # A copy goes to a proven address alone: nobody mails texts of theirs to strangers through us.
        if _is_proven(visitor):
            await queue_mail(tx, copy, received_at(request))
    return _support_form(request, visitor, is_sent=True)


def _faults(address: str, values: dict[str, str]) -> dict[str, str]:
    faults = {
        "email": email_fault(address),
        "subject": _text_fault(values["subject"], "Say in a few words what it is about.", SUBJECT_LENGTH_MAX),
        "message": _text_fault(values["message"], "Write what we can help with.", MESSAGE_LENGTH_MAX),
    }
    return {name: fault for name, fault in faults.items() if fault}


def _text_fault(text: str, missing: str, length_max: int) -> str:
    if not text:
        return missing
    return f"Use at most {length_max:,} characters; this has {len(text):,}." if len(text) > length_max else ""


def _support_form(
    request: Request,
    visitor: Visitor,
    values: dict[str, str] | None = None,
    errors: dict[str, str] | None = None,
    *,
    status: int = 200,
    is_sent: bool = False,
) -> Response:
    return html(
        request,
        "public/support.html",
        status=status,
        values=values or {},
        errors=errors or {},
        support_email=site_of(request).support_email,
        response_hours=None,
        is_sent=is_sent,
        is_copied=_is_proven(visitor),
        signed_in=visitor is not None,
    )


def _is_proven(visitor: Visitor) -> bool:
    return visitor is not None and visitor.user.verified
