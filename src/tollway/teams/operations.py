"""Invite people, let them in, change what they may do, and let them go."""

import secrets
from datetime import datetime, timedelta

from tollway.audit import operations as audit
from tollway.customers import member_operations as members
from tollway.customers import operations as customers
from tollway.customers.callers import Caller
from tollway.customers.deed_operations import record_deed
from tollway.customers.entities import (
    AddressNotVerified,
    Customer,
    Member,
    User,
    email_fault,
    normal_email,
)
from tollway.kit.crypto import sha256
from tollway.kit.db import Transaction
from tollway.kit.ids import new_id
from tollway.kit.mail import queue_mail
from tollway.kit.problems import FieldError, Invalid
from tollway.notifications import operations as notifications
from tollway.teams import store
from tollway.teams.entities import (
    INVITATION_DAYS,
    INVITATIONS_OPEN_MAX,
    MEMBERS_MAX,
    TOKEN_BYTES,
    TOKEN_LENGTH_MAX,
    USER_TYPE_OF_ROLE,
    Invitation,
    InvitationNotYours,
    InvitationOver,
    InvitationUnknown,
    MemberAlready,
    TeamFull,
    role_of,
)


async def invite(
    tx: Transaction, caller: Caller, email: str, role: str, *, base_url: str, now: datetime
) -> Invitation:
    """Ask somebody by mail to join; a second invitation of an address replaces the first.

    Raises: AddressNotVerified, Invalid (/email, /role), MemberAlready, TeamFull, TooManyAttempts.
    Writes: invitations, attempt_counts, outbox_mails, audit_entries. Defers: the mail.
    """
    if not caller.verified:
        # Else whoever signs up with another's address could bring themselves in by one of their own.
        raise AddressNotVerified("Verify your address first: enter the code that we mailed.")
    email, wanted = normal_email(email), role_of(role)
    if fault := email_fault(email):
        raise Invalid(fault, errors=(FieldError("/email", fault),))
    customer = await customers.lock_customer(tx, caller.owner_id)
    people = await members.list_members(tx, customer.id)
    if any(one.email == email for one in people):
        message = f"{email} belongs to your team already; change the role in the list instead."
        raise MemberAlready(message, errors=(FieldError("/email", message),))
    if len(people) >= MEMBERS_MAX:
        raise TeamFull(f"A team has at most {MEMBERS_MAX} people. Remove somebody first.")
    await store.update_to_revoked(tx, customer.id, email, now)
    if len(await store.list_open_invitations(tx, customer.id)) >= INVITATIONS_OPEN_MAX:
        raise TeamFull(
            f"At most {INVITATIONS_OPEN_MAX} invitations may be open. Take some back, or wait until they are accepted."
        )
    # Counted with the invitation itself: one that is refused mails nobody.
    await members.count_invitation(tx, customer, email, now)
    link_token = secrets.token_urlsafe(TOKEN_BYTES)
    invitation = await store.insert_invitation(
        tx,
        new_id("inv"),
        customer.id,
        email,
        wanted,
        sha256(link_token),
        caller.user_id,
        now + timedelta(days=INVITATION_DAYS),
        now,
    )
    mail = notifications.compose_invitation(
        email,
        company=customer.company_name,
        invited_by=caller.actor_name or customer.company_name,
        role=wanted.value,
        link=f"{base_url}/invitation?token={link_token}",
        days=INVITATION_DAYS,
    )
    await queue_mail(tx, mail, now)
    await record_deed(
        tx,
        caller,
        "team.invited",
        invitation.public_id,
        now,
        {"role": wanted.value},
        customer_id=caller.owner_id,
    )
    return invitation


async def list_invitations(tx: Transaction, customer_id: int) -> list[Invitation]:
    """List the invitations that nobody accepted yet, newest first; those too old are among them."""
    return await store.list_open_invitations(tx, customer_id)


async def revoke_invitation(tx: Transaction, caller: Caller, invitation_id: str, now: datetime) -> None:
    """Take an invitation back: its link stops working. Raises: InvitationUnknown.

    Writes: invitations, audit_entries.
    """
    invitation = await store.find_invitation(tx, caller.owner_id, invitation_id)
    if invitation is None:
        raise InvitationUnknown("There is no such invitation: it was accepted or taken back already.")
    await store.update_to_revoked(tx, caller.owner_id, invitation.email, now)
    await record_deed(
        tx, caller, "team.invitation_revoked", invitation.public_id, now, customer_id=caller.owner_id
    )


async def get_invitation(tx: Transaction, link_token: str, now: datetime) -> tuple[Invitation, Customer]:
    """Return what a mailed link invites to, and hold it. Raises: InvitationUnknown, InvitationOver."""
    invitation = await store.lock_invitation_of_link(tx, sha256(link_token[:TOKEN_LENGTH_MAX]))
    if invitation is None or invitation.revoked_at is not None:
        raise InvitationUnknown(
            "This invitation does not exist, or was taken back. Ask whoever invited you for a new one."
        )
    customer = await customers.get_customer(tx, invitation.customer_id)
    if invitation.accepted_at is not None:
        raise InvitationOver(
            f"This invitation to {customer.company_name} was accepted already. Sign in to go there."
        )
    if now >= invitation.expires_at:
        raise InvitationOver(
            f"This invitation to {customer.company_name} is older than {INVITATION_DAYS} days. Ask for a new one."
        )
    return invitation, customer


async def accept(tx: Transaction, link_token: str, user: User | None, address: str, now: datetime) -> User:
    """Join the customer that a mailed link invites to, as the user who is signed in or as a new one.

    Only whoever reads the mailbox has the link, so a new user's address is proven by it.

    Args:
        user: who is signed in; None makes a user, unless a verified one has the address.

    Raises: InvitationUnknown, InvitationOver, InvitationNotYours.
    Writes: users, customer_members, invitations, audit_entries.
    """
    invitation, customer = await get_invitation(tx, link_token, now)
    if user is None:
        if await customers.find_verified_user(tx, invitation.email) is not None:
            raise InvitationNotYours(f"Sign in as {invitation.email} first, and open the link again.")
        user = await customers.create_verified_user(
            tx, invitation.email, USER_TYPE_OF_ROLE[invitation.role], now
        )
    elif user.email != invitation.email or not user.verified:
        raise InvitationNotYours(
            f"The invitation was mailed to {invitation.email}, and you are signed in as {user.email}. "
            f"Sign out, open the link again, and join as {invitation.email}."
        )
    await customers.lock_customer(tx, customer.id)
    if len(await members.list_members(tx, customer.id)) >= MEMBERS_MAX:
        raise TeamFull(f"{customer.company_name} has {MEMBERS_MAX} people, the most that a team may have.")
    await members.add_member(tx, customer.id, user.id, invitation.role, now)
    await store.update_to_accepted(tx, invitation.id, now)
    await audit.record_entry(
        tx,
        action="team.joined",
        customer_id=customer.id,
        actor=f"user:{user.public_id}",
        subject=user.public_id,
        address=address,
        now=now,
        details={"role": invitation.role.value, "invitation": invitation.public_id},
        actor_name=user.email,
        user_id=user.id,
    )
    return user


async def change_role(
    tx: Transaction, caller: Caller, user_public_id: str, role: str, now: datetime
) -> Member:
    """Give somebody in the team another role, which holds from their next request on.

    Whom an owner invited who is none any more, is invited no more: else they come back by a link of their own.
    Raises: NotFound, Invalid (/role), LastOwner. Writes: customer_members, invitations, audit_entries.
    """
    wanted = role_of(role)
    await customers.lock_customer(tx, caller.owner_id)
    member = await members.get_member(tx, caller.owner_id, user_public_id)
    if member.role is not wanted:
        await members.change_role(tx, member, wanted)
        await store.update_to_revoked_of(tx, caller.owner_id, member.user_id, now)
        details = {"from": member.role.value, "to": wanted.value}
        await record_deed(
            tx, caller, "team.role_changed", user_public_id, now, details, customer_id=caller.owner_id
        )
    return await members.get_member(tx, caller.owner_id, user_public_id)


async def remove_member(tx: Transaction, caller: Caller, user_public_id: str, now: datetime) -> None:
    """Take somebody out of the team, or leave it oneself; what they made stays the customer's.

    But for their invitations, by which they could come back. Raises: NotFound, LastOwner.
    Writes: customer_members, invitations, audit_entries.
    """
    await customers.lock_customer(tx, caller.owner_id)
    member = await members.get_member(tx, caller.owner_id, user_public_id)
    await members.remove_member(tx, member)
    await store.update_to_revoked_of(tx, caller.owner_id, member.user_id, now)
    action = "team.left" if member.user_id == caller.user_id else "team.member_removed"
    await record_deed(
        tx, caller, action, user_public_id, now, {"role": member.role.value}, customer_id=caller.owner_id
    )
