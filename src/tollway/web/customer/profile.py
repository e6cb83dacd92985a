"""`/profile`: the reader's own name and address."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import Response

from tollway.authentication import recovery_flows
from tollway.customers.permissions import Permission
from tollway.kit.http import ReplayingRoute
from tollway.kit.problems import Problem
from tollway.lifecycle import auth_flows
from tollway.web.customer.security import own_shell
from tollway.web.pages import Own, Page, PageNeeds, field_errors, html, redirect, visit_of
from tollway.web.public.second_factor import factor_keys_of
from tollway.web.site import site_of

NOTICES = {
    "saved": "Your name is saved.",
    "email_asked": "A link is on its way to the new address. Your address changes once it is opened there.",
    "email_changed": "Your new address is confirmed. Sign in with it from now on.",
}

router = APIRouter(prefix="/profile", route_class=ReplayingRoute, include_in_schema=False)

Proven = Annotated[Page, Depends(PageNeeds(Permission.OWN, proven=True))]


@router.get("")
async def show_profile(request: Request, page: Own) -> Response:
    """Show who the reader is."""
    return await _profile(request, page)


@router.post("")
async def save_name(request: Request, page: Own, name: Annotated[str, Form()] = "") -> Response:
    """Change the name."""
    try:
        await auth_flows.rename(page.database, page.caller, name, visit_of(request))
    except Problem as problem:
        if problem.status != 422:
            raise
        return await _profile(request, page, problem, {"name": name})
    return redirect("/profile?notice=saved")


@router.post("/email")
async def ask_email_change(request: Request, page: Proven, email: Annotated[str, Form()] = "") -> Response:
    """Mail a link to the new address."""
    try:
        await recovery_flows.request_email_change(
            page.database,
            factor_keys_of(request),
            site_of(request).base_url,
            page.signed_in,
            email,
            visit_of(request),
        )
    except Problem as problem:
        if problem.status >= 500:
            raise
        return await _profile(request, page, problem, {"email": email})
    return redirect("/profile?notice=email_asked")


async def _profile(
    request: Request, page: Page, problem: Problem | None = None, values: dict[str, str] | None = None
) -> Response:
    user = page.signed_in.user
    async with page.database.transaction() as tx:
        shell = await own_shell(tx, page)
    return html(
        request,
        "customer/profile.html",
        status=problem.status if problem else 200,
        shell=shell,
        user=user,
        role=page.signed_in.role.value if page.signed_in.role else "",
        values={"name": user.name, "email": ""} | (values or {}),
        errors={} if problem is None else field_errors(problem),
        outbox_url="/outbox" if site_of(request).outbox_shown else "",
        notice=NOTICES.get(request.query_params.get("notice", ""), ""),
        signed_in=True,
    )
