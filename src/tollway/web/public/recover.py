"""A forgotten password, and the link that confirms another address: pages for whoever reads the mailbox."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from tollway.authentication import recovery_flows
from tollway.customers.entities import PASSWORD_LENGTH_MIN
from tollway.kit.http import ReplayingRoute, database_of, refuse_cross_site
from tollway.kit.problems import Conflict, NotFound, Problem
from tollway.web.pages import Visitor, field_errors, html, redirect, visit_of
from tollway.web.public.account import link_page, passwords_of
from tollway.web.public.second_factor import factor_keys_of
from tollway.web.site import site_of

router = APIRouter(route_class=ReplayingRoute, include_in_schema=False)


@router.get("/password/forgot")
async def show_forgot(request: Request) -> Response:
    """Ask for the address that a link is mailed to."""
    return _forgot_form(request)


@router.post("/password/forgot")
async def mail_reset(request: Request, email: Annotated[str, Form()] = "") -> Response:
    """Mail a link; the same answer for known and unknown addresses."""
    refuse_cross_site(request)
    try:
        await recovery_flows.request_password_reset(
            database_of(request),
            factor_keys_of(request),
            site_of(request).base_url,
            email,
            visit_of(request),
        )
    except Problem as problem:
        if problem.status not in (422, 429):
            raise
        return _forgot_form(request, email, problem)
    return _forgot_form(request, email, sent=True)


def _forgot_form(
    request: Request, email: str = "", problem: Problem | None = None, *, sent: bool = False
) -> Response:
    return html(
        request,
        "public/password_forgot.html",
        status=problem.status if problem else 200,
        email=email,
        sent=sent,
        outbox_url="/outbox" if site_of(request).outbox_shown else "",
        errors={} if problem is None else field_errors(problem),
    )


@router.get("/password/reset")
async def show_reset(request: Request, token: str = "") -> Response:
    """Ask for the new password; opening the link spends nothing."""
    try:
        user = await recovery_flows.find_user_of_reset(database_of(request), token, visit_of(request))
    except (Conflict, NotFound) as problem:
        return _forgot_form(request, problem=problem)
    return _reset_form(request, token, user.email)


@router.post("/password/reset")
async def reset_password(
    request: Request, token: Annotated[str, Form()] = "", password: Annotated[str, Form()] = ""
) -> Response:
    """Replace the password, and sign its user out everywhere."""
    refuse_cross_site(request)
    database, visit = database_of(request), visit_of(request)
    try:
        await recovery_flows.reset_password(database, passwords_of(request), token, password, visit)
    except (Conflict, NotFound) as problem:
        return _forgot_form(request, problem=problem)
    except Problem as problem:
        if problem.status != 422:
            raise
        user = await recovery_flows.find_user_of_reset(database, token, visit)
        return _reset_form(request, token, user.email, problem)
    return redirect("/signin?notice=password_reset")


def _reset_form(request: Request, token: str, email: str, problem: Problem | None = None) -> Response:
    return html(
        request,
        "public/password_reset.html",
        status=problem.status if problem else 200,
        token=token,
        email=email,
        length_min=PASSWORD_LENGTH_MIN,
        errors={} if problem is None else field_errors(problem, whole="password"),
    )


@router.get("/profile/email/confirm")
async def show_email_link(request: Request, token: str = "") -> Response:
    """Show what the link in the new mailbox does."""
    email = await recovery_flows.find_new_email(database_of(request), token, visit_of(request))
    return link_page(
        request,
        "Confirm your new address",
        f"You sign in as {email} from then on, and every mail goes there.",
        "Confirm",
        "/profile/email/confirm",
        token,
    )


@router.post("/profile/email/confirm")
async def confirm_email(request: Request, visitor: Visitor, token: Annotated[str, Form()] = "") -> Response:
    """Change the address."""
    refuse_cross_site(request)
    await recovery_flows.confirm_email_change(database_of(request), token, visit_of(request))
    return redirect("/profile?notice=email_changed" if visitor else "/signin?notice=email_changed")
