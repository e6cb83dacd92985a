"""`/invitation`: see what a mailed link invites to, and accept it."""

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from tollway.customers import operations as customers
from tollway.customers.entities import SESSION_DAYS
from tollway.kit.cookies import set_session_cookie
from tollway.kit.http import ReplayingRoute, database_of, refuse_cross_site
from tollway.teams import operations as teams
from tollway.web.pages import Visitor, html, received_at, redirect, visit_of
from tollway.web.site import site_of

router = APIRouter(prefix="/invitation", route_class=ReplayingRoute, include_in_schema=False)


@router.get("")
async def show_invitation(request: Request, visitor: Visitor, token: str = "") -> Response:
    """Show who invites to what; nothing happens before the button is pressed, so a mail scanner spends nothing."""
    async with database_of(request).transaction() as tx:
        invitation, customer = await teams.get_invitation(tx, token, received_at(request))
        has_user = await customers.find_verified_user(tx, invitation.email) is not None
    return html(
        request,
        "public/invitation.html",
        company=customer.company_name,
        email=invitation.email,
        role=invitation.role.value,
        token=token,
        signed_in_as=visitor.user.email if visitor else "",
        sign_in_url=f"/signin?next={quote(f'/invitation?token={token}', safe='/')}" if has_user else "",
        signed_in=visitor is not None,
    )


@router.post("")
async def accept_invitation(
    request: Request, visitor: Visitor, token: Annotated[str, Form()] = ""
) -> Response:
    """Join, and go to the customer's dashboard."""
    refuse_cross_site(request)
    visit = visit_of(request)
    async with database_of(request).transaction() as tx:
        _, customer = await teams.get_invitation(tx, token, visit.now)
        user = await teams.accept(tx, token, visitor.user if visitor else None, visit.address, visit.now)
        if visitor is not None:
            await customers.look_at_customer(tx, visitor.session.id, user.id, customer.public_id)
            return redirect("/dashboard")
        secret = await customers.create_session(tx, user.id, visit)
    response = redirect("/dashboard")
    set_session_cookie(response, secret, secure=site_of(request).secure, seconds_max=SESSION_DAYS * 86_400)
    return response
