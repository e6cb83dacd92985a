"""The team of a customer over HTTP: people, roles and invitations."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from tollway.customers import member_operations as members
from tollway.customers.callers import Caller
from tollway.customers.entities import EMAIL_LENGTH_MAX, AddressNotVerified, Member
from tollway.customers.guard import Needs
from tollway.customers.permissions import Permission, Role
from tollway.kit.http import ReplayingRoute, database_of
from tollway.kit.openapi import problem_responses
from tollway.teams import operations
from tollway.teams.entities import Invitation, MemberAlready, TeamFull

router = APIRouter(prefix="/api/team", route_class=ReplayingRoute, tags=["Team"])

Viewing = Annotated[Caller, Depends(Needs(Permission.TEAM_VIEW))]
Managing = Annotated[Caller, Depends(Needs(Permission.TEAM_MANAGE, proven=True))]


class MemberOut(BaseModel):
    """One person of the team."""

    id: str
    email: str
    name: str
    role: Role
    has_second_factor: bool
    joined_at: datetime
    last_sign_in_at: datetime | None


class InvitationOut(BaseModel):
    """One invitation that nobody accepted yet."""

    id: str
    email: str
    role: Role
    created_at: datetime
    expires_at: datetime


class TeamOut(BaseModel):
    """Everyone who belongs to the customer, and whoever was asked to."""

    members: list[MemberOut]
    invitations: list[InvitationOut]


class InvitationIn(BaseModel):
    """Whom to ask, and for which role."""

    model_config = ConfigDict(extra="forbid")

    email: str = Field(max_length=EMAIL_LENGTH_MAX, examples=["colleague@example.com"])
    role: Role = Field(examples=["developer"])


class RoleIn(BaseModel):
    """Another role."""

    model_config = ConfigDict(extra="forbid")

    role: Role = Field(examples=["viewer"])


class Message(BaseModel):
    """What was done."""

    message: str


@router.get("", summary="List the team")
async def list_team(request: Request, caller: Viewing) -> TeamOut:
    """List the people of your customer, who came first first, and the open invitations."""
    async with database_of(request).transaction() as tx:
        people = await members.list_members(tx, caller.owner_id)
        invitations = await operations.list_invitations(tx, caller.owner_id)
    return TeamOut(
        members=[_member_out(one) for one in people],
        invitations=[_invitation_out(one) for one in invitations],
    )


@router.post(
    "/invitations",
    status_code=201,
    summary="Invite somebody",
    responses=problem_responses(AddressNotVerified, MemberAlready, TeamFull),
)
async def invite(request: Request, caller: Managing, body: InvitationIn) -> InvitationOut:
    """Mail an invitation that works once, for a week. A second one to the same address replaces the first."""
    async with database_of(request).transaction() as tx:
        invitation = await operations.invite(
            tx,
            caller,
            body.email,
            body.role,
            base_url=request.app.state.lifecycle.base_url,
            now=request.scope["received_at"],
        )
    return _invitation_out(invitation)


@router.delete("/invitations/{invitation_id}", summary="Take an invitation back")
async def revoke_invitation(request: Request, caller: Managing, invitation_id: str) -> Message:
    """Make the link of an invitation stop working."""
    async with database_of(request).transaction() as tx:
        await operations.revoke_invitation(tx, caller, invitation_id, request.scope["received_at"])
    return Message(message="Invitation taken back")


@router.put("/members/{user_id}", summary="Change a role")
async def change_role(request: Request, caller: Managing, user_id: str, body: RoleIn) -> MemberOut:
    """Give somebody another role, which holds from their next request on."""
    async with database_of(request).transaction() as tx:
        member = await operations.change_role(tx, caller, user_id, body.role, request.scope["received_at"])
    return _member_out(member)


@router.delete("/members/{user_id}", summary="Remove somebody")
async def remove_member(request: Request, caller: Managing, user_id: str) -> Message:
    """Take somebody out of the team; what they made stays."""
    async with database_of(request).transaction() as tx:
        await operations.remove_member(tx, caller, user_id, request.scope["received_at"])
    return Message(message="Removed from the team")


def _member_out(member: Member) -> MemberOut:
    return MemberOut(
        id=member.user_public_id,
        email=member.email,
        name=member.name,
        role=member.role,
        has_second_factor=member.has_second_factor,
        joined_at=member.created_at,
        last_sign_in_at=member.last_sign_in_at,
    )


def _invitation_out(invitation: Invitation) -> InvitationOut:
    return InvitationOut(
        id=invitation.public_id,
        email=invitation.email,
        role=invitation.role,
        created_at=invitation.created_at,
        expires_at=invitation.expires_at,
    )
