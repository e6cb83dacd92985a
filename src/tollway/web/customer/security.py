"""`/security`: password, second factor, sessions, and what was done lately in one's name."""

import io
from typing import Annotated

import segno
from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import Response

from tollway.audit import operations as audit
from tollway.audit.entities import EntryFilter
from tollway.authentication import flows as authentication
from tollway.authentication import second_factor_operations as second_factor
from tollway.customers import flows as customer_flows
from tollway.customers import operations as customers
from tollway.customers import session_operations as sessions
from tollway.customers.entities import PASSWORD_LENGTH_MIN
from tollway.customers.permissions import Permission
from tollway.kit.db import Transaction
from tollway.kit.http import ReplayingRoute
from tollway.kit.problems import NotFound, Problem
from tollway.web.pages import Own, Page, PageNeeds, field_errors, html, redirect, visit_of
from tollway.web.public.account import passwords_of
from tollway.web.public.second_factor import factor_keys_of
from tollway.web.rendering import Shell

ENTRIES_SHOWN = 15
NOTICES = {
    "ended": "That session has ended.",
    "all_ended": "Every other session has ended.",
    "removed": "The second factor is removed.",
}
# Dots of the picture, and the quiet zone around it that readers want.
QR_SCALE, QR_BORDER = 5, 4

router = APIRouter(route_class=ReplayingRoute, include_in_schema=False)

Proven = Annotated[Page, Depends(PageNeeds(Permission.OWN, proven=True))]


async def own_shell(tx: Transaction, page: Page) -> Shell | None:
    """Gather the frame of a customer's pages; None for somebody who belongs to no customer."""
    return (await page.shell(tx))[0] if page.caller.customer_id is not None else None


@router.get("/security")
async def show_security(request: Request, page: Own) -> Response:
    """Show how the reader signs in, and where they are signed in."""
    user = page.signed_in.user
    async with page.database.transaction() as tx:
        shell = await own_shell(tx, page)
        listed = await customers.list_sessions(tx, user.id, page.now)
        codes_left = await second_factor.count_recovery_codes(tx, user.id)
        entries = await audit.list_all_entries(
            tx, limit=ENTRIES_SHOWN, chosen=EntryFilter(actor=user.public_id)
        )
    return html(
        request,
        "customer/security.html",
        shell=shell,
        user=user,
        sessions=listed,
        own_session=page.signed_in.session.public_id,
        codes_left=codes_left,
        administers=user.user_type.administers,
        entries=[(one, audit.describe_action(one.action)) for one in entries.items],
        notice=NOTICES.get(request.query_params.get("notice", ""), ""),
        signed_in=True,
    )


@router.post("/security/sessions/{session_id}/end")
async def end_session(request: Request, page: Own, session_id: str) -> Response:
    """End one session of one's own."""
    visit = visit_of(request)
    async with page.database.transaction() as tx:
        if "\0" in session_id:
            raise NotFound("There is no such session among yours.")
        session = await sessions.get_session(tx, page.signed_in.user.id, session_id, page.now)
        await customers.end_session(tx, session.id, page.now)
        await sessions.record_ended(tx, page.signed_in, session, visit)
    return redirect("/security?notice=ended")


@router.post("/security/sessions/end-others")
async def end_other_sessions(request: Request, page: Own) -> Response:
    """Sign out everywhere but here."""
    async with page.database.transaction() as tx:
        await customers.end_other_sessions(
            tx, page.signed_in.user.id, page.now, kept_session_id=page.signed_in.session.id
        )
        await sessions.record_ended(tx, page.signed_in, None, visit_of(request))
    return redirect("/security?notice=all_ended")


# Second factor ------------------------------------------------------------------------------------


@router.get("/security/second-factor")
async def show_second_factor(request: Request, page: Proven) -> Response:
    """Show how to set one up, or what there is."""
    return await _second_factor_page(request, page)


@router.get("/security/second-factor/qr.svg")
async def draw_qr(request: Request, page: Proven) -> Response:
    """Draw what the authenticator app reads, while it is being set up."""
    async with page.database.transaction() as tx:
        pending = await second_factor.find_pending(tx, factor_keys_of(request), page.signed_in.user)
    if pending is None:
        raise NotFound("Nothing is being set up.")
    drawn = io.BytesIO()
    segno.make(pending.uri, error="m").save(drawn, kind="svg", scale=QR_SCALE, border=QR_BORDER, light="#fff")
    return Response(drawn.getvalue(), media_type="image/svg+xml")


@router.post("/security/second-factor")
async def begin_second_factor(request: Request, page: Proven) -> Response:
    """Make the secret of an authenticator."""
    try:
        async with page.database.transaction() as tx:
            await second_factor.begin_second_factor(
                tx, factor_keys_of(request), page.signed_in.user, page.now
            )
    except Problem as problem:
        if problem.status not in (403, 409):
            raise
        return await _second_factor_page(request, page, problem)
    return redirect("/security/second-factor")


@router.post("/security/second-factor/confirm")
async def confirm_second_factor(
    request: Request, page: Proven, code: Annotated[str, Form()] = ""
) -> Response:
    """Let it count, and show the recovery codes."""
    try:
        codes = await authentication.confirm_second_factor(
            page.database, factor_keys_of(request), page.signed_in, code, visit_of(request)
        )
    except Problem as problem:
        if problem.status >= 500:
            raise
        return await _second_factor_page(request, page, problem)
    return await _codes_page(request, page, codes)


@router.post("/security/second-factor/recovery-codes")
async def renew_recovery_codes(request: Request, page: Proven) -> Response:
    """Replace the recovery codes, and show the new ones."""
    try:
        async with page.database.transaction() as tx:
            codes = await second_factor.renew_recovery_codes(
                tx, factor_keys_of(request), page.signed_in, visit_of(request)
            )
    except Problem as problem:
        if problem.status != 409:
            raise
        return await _second_factor_page(request, page, problem)
    return await _codes_page(request, page, codes)


@router.post("/security/second-factor/remove")
async def remove_second_factor(request: Request, page: Proven, code: Annotated[str, Form()] = "") -> Response:
    """Sign in without one from now on."""
    try:
        await authentication.remove_second_factor(
            page.database, factor_keys_of(request), page.signed_in, code, visit_of(request)
        )
    except Problem as problem:
        if problem.status >= 500:
            raise
        return await _second_factor_page(request, page, problem)
    return redirect("/security?notice=removed")


async def _second_factor_page(request: Request, page: Page, problem: Problem | None = None) -> Response:
    user = page.signed_in.user
    async with page.database.transaction() as tx:
        shell = await own_shell(tx, page)
        pending = await second_factor.find_pending(tx, factor_keys_of(request), user)
        codes_left = await second_factor.count_recovery_codes(tx, user.id)
    return html(
        request,
        "customer/second_factor.html",
        status=problem.status if problem else 200,
        shell=shell,
        has_second_factor=user.has_second_factor,
        administers=user.user_type.administers,
        pending=pending,
        codes_left=codes_left,
        errors={} if problem is None else field_errors(problem),
        signed_in=True,
    )


async def _codes_page(request: Request, page: Page, codes: list[str]) -> Response:
    async with page.database.transaction() as tx:
        shell = await own_shell(tx, page)
    return html(request, "customer/recovery_codes.html", shell=shell, codes=codes, signed_in=True)


# Password -----------------------------------------------------------------------------------------


@router.get("/password")
async def show_password(request: Request, page: Own) -> Response:
    """Show the form that sets or changes a password."""
    return _password_form(request, page)


@router.post("/password")
async def set_password(
    request: Request,
    page: Own,
    password: Annotated[str, Form()] = "",
    current_password: Annotated[str, Form()] = "",
) -> Response:
    """Set or change the password."""
    try:
        await customer_flows.set_password(
            page.database,
            passwords_of(request),
            page.signed_in,
            password,
            visit_of(request),
            current_password=current_password,
        )
    except Problem as problem:
        if problem.status >= 500:
            raise
        return _password_form(request, page, problem)
    return redirect("/dashboard?notice=password_set")


def _password_form(request: Request, page: Page, problem: Problem | None = None) -> Response:
    return html(
        request,
        "public/password.html",
        status=problem.status if problem else 200,
        email=page.signed_in.user.email,
        has_password=page.signed_in.user.has_password and not page.signed_in.session.is_fresh(page.now),
        errors={} if problem is None else field_errors(problem, whole="password"),
        length_min=PASSWORD_LENGTH_MIN,
        signed_in=True,
    )
