"""Invitations: how long one works, and why one does not."""

from dataclasses import dataclass, field
from datetime import datetime

from tollway.customers.permissions import Role, UserType
from tollway.kit.problems import Conflict, FieldError, Forbidden, Invalid, NotFound, TooMany

INVITATION_DAYS = 7
INVITATIONS_OPEN_MAX = 50
MEMBERS_MAX = 200
TOKEN_BYTES = 32
TOKEN_LENGTH_MAX = 100

# What a new user who was invited into a role becomes: who only looks or pays has no use for the API (B1, B2).
USER_TYPE_OF_ROLE: dict[Role, UserType] = {
    Role.OWNER: UserType.API_CUSTOMER,
    Role.DEVELOPER: UserType.API_CUSTOMER,
    Role.BILLING: UserType.REGULAR,
    Role.VIEWER: UserType.REGULAR,
}


@dataclass(frozen=True, slots=True)
class Invitation:
    """Somebody was asked to join a customer, in a role."""

    id: int
    public_id: str
    customer_id: int
    email: str
    role: Role
    invited_by: int | None
    created_at: datetime
    expires_at: datetime
    accepted_at: datetime | None
    revoked_at: datetime | None

    def __post_init__(self) -> None:
        object.__setattr__(self, "role", Role(self.role))


@dataclass(frozen=True, slots=True)
class SentInvitation:
    """A new invitation with the secret of its link, which goes into one mail and is forgotten."""

    invitation: Invitation
    link_token: str = field(repr=False)


class InvitationUnknown(NotFound):
    """A link that we never mailed, or one that was taken back."""

    code = "invitation-unknown"
    title = "That invitation does not exist"


class InvitationOver(Conflict):
    """An invitation that was accepted, or is too old."""

    code = "invitation-over"
    title = "That invitation does not work any more"


class InvitationNotYours(Forbidden):
    """Somebody is signed in with another address than the one that was invited."""

    code = "invitation-not-yours"
    title = "That invitation is for another address"


class MemberAlready(Conflict):
    """The address belongs to somebody in the team."""

    code = "member-already"
    title = "They are in your team already"


class TeamFull(TooMany):
    """A limit on people or on open invitations."""

    code = "team-full"
    title = "Your team is full"


def role_of(text: str) -> Role:
    """Read a role; raises Invalid with the pointer /role."""
    try:
        return Role(text)
    except ValueError:
        message = f"Choose one of: {', '.join(Role)}."
        raise Invalid(message, errors=(FieldError("/role", message),)) from None
