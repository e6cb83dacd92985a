"""`/team`: people, roles and invitations; and the choice among several customers."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import Response

from tollway.customers import member_operations as members
from tollway.customers import operations as customers
from tollway.customers.permissions import Permission, Role
from tollway.kit.http import ReplayingRoute, refuse_cross_site
from tollway.kit.problems import Problem
from tollway.teams import operations as teams
from tollway.web.pages import Own, Page, PageNeeds, field_errors, html, redirect
from tollway.web.site import site_of

# What each role is for, in the words of the page; permissions.py has what it may do.
ROLES = (
    (Role.OWNER, "Everything, the team and the plan included"),
    (Role.DEVELOPER, "Models, runs and API keys"),
    (Role.BILLING, "Plan and invoices"),
    (Role.VIEWER, "Looks at models, runs and results"),
)
NOTICES = {
    "invited": "The invitation is on its way.",
    "revoked": "The invitation was taken back; its link does not work any more.",
    "changed": "The role is changed, from the next request on.",
    "removed": "They do not belong to your team any more.",
}

router = APIRouter(prefix="/team", route_class=ReplayingRoute, include_in_schema=False)

Viewing = Annotated[Page, Depends(PageNeeds(Permission.TEAM_VIEW))]
Managing = Annotated[Page, Depends(PageNeeds(Permission.TEAM_MANAGE, proven=True))]


@router.get("")
async def show_team(request: Request, page: Viewing) -> Response:
    """Show who belongs to the customer."""
    return await _team(request, page)


@router.post("/invitations")
async def invite(
    request: Request, page: Managing, email: Annotated[str, Form()] = "", role: Annotated[str, Form()] = ""
) -> Response:
    """Mail an invitation."""
    try:
        async with page.database.transaction() as tx:
            await teams.invite(tx, page.caller, email, role, base_url=site_of(request).base_url, now=page.now)
    except Problem as problem:
        if problem.status >= 500:
            raise
        return await _team(request, page, problem, {"email": email, "role": role})
    return redirect("/team?notice=invited")


@router.post("/invitations/{invitation_id}/revoke")
async def revoke_invitation(page: Managing, invitation_id: str) -> Response:
    """Take an invitation back."""
    async with page.database.transaction() as tx:
        await teams.revoke_invitation(tx, page.caller, invitation_id, page.now)
    return redirect("/team?notice=revoked")


@router.post("/members/{user_id}/role")
async def change_role(
    request: Request, page: Managing, user_id: str, role: Annotated[str, Form()] = ""
) -> Response:
    """Give somebody another role."""
    try:
        async with page.database.transaction() as tx:
            await teams.change_role(tx, page.caller, user_id, role, page.now)
    except Problem as problem:
        if problem.status not in (409, 422):
            raise
        return await _team(request, page, problem)
    return redirect("/team?notice=changed")


@router.get("/members/{user_id}/remove")
async def ask_remove(request: Request, page: Managing, user_id: str) -> Response:
    """Ask before somebody is removed."""
    async with page.database.transaction() as tx:
        shell, _ = await page.shell(tx)
        member = await members.get_member(tx, page.caller.owner_id, user_id)
    return html(request, "customer/team_remove.html", shell=shell, member=member)


@router.post("/members/{user_id}/remove")
async def remove_member(request: Request, page: Managing, user_id: str) -> Response:
    """Take somebody out of the team."""
    try:
        async with page.database.transaction() as tx:
            member = await members.get_member(tx, page.caller.owner_id, user_id)
            await teams.remove_member(tx, page.caller, user_id, page.now)
    except Problem as problem:
        if problem.status != 409:
            raise
        return await _team(request, page, problem)
    # Whoever left has nothing to see here any more.
    return redirect("/dashboard" if member.user_id == page.caller.user_id else "/team?notice=removed")


@router.post("/switch")
async def switch_customer(request: Request, page: Own, customer_id: Annotated[str, Form()] = "") -> Response:
    """Look at another of one's customers."""
    refuse_cross_site(request)
    async with page.database.transaction() as tx:
        await customers.look_at_customer(tx, page.signed_in.session.id, page.signed_in.user.id, customer_id)
    return redirect("/dashboard")


async def _team(
    request: Request, page: Page, problem: Problem | None = None, values: dict[str, str] | None = None
) -> Response:
    async with page.database.transaction() as tx:
        shell, _ = await page.shell(tx)
        people = await members.list_members(tx, page.caller.owner_id)
        invitations = await teams.list_invitations(tx, page.caller.owner_id)
    return html(
        request,
        "customer/team.html",
        status=problem.status if problem else 200,
        shell=shell,
        members=people,
        invitations=invitations,
        roles=[(role.value, words) for role, words in ROLES],
        may_manage=page.caller.may(Permission.TEAM_MANAGE),
        own_id=page.signed_in.user.public_id,
        now=page.now,
        values=values or {},
        errors={} if problem is None else field_errors(problem),
        notice=NOTICES.get(request.query_params.get("notice", ""), ""),
    )
