"""Who belongs to a customer, and as what."""

from datetime import datetime

from tollway.customers import store
from tollway.customers.attempts import invitation_attempts
from tollway.customers.entities import Customer, LastOwner, Member, Membership
from tollway.customers.operations import count_attempts
from tollway.customers.permissions import Role
from tollway.kit.db import Transaction
from tollway.kit.problems import NotFound


async def list_members(tx: Transaction, customer_id: int) -> list[Member]:
    """List everyone who belongs to a customer, who came first first."""
    return await store.list_members(tx, customer_id)


async def list_memberships(tx: Transaction, user_id: int) -> list[Membership]:
    """List the customers that a user belongs to, the oldest membership first."""
    return await store.list_memberships(tx, user_id)


async def list_owner_emails(tx: Transaction, customer_id: int) -> list[str]:
    """List the addresses that mails about a customer go to: those of its owners."""
    return [one.email for one in await store.list_members(tx, customer_id) if one.role is Role.OWNER]


async def get_member(tx: Transaction, customer_id: int, user_public_id: str) -> Member:
    """Return one person of a customer by their public id; raises NotFound."""
    for member in await store.list_members(tx, customer_id):
        if member.user_public_id == user_public_id:
            return member
    raise NotFound("There is no such person in your team.")


async def add_member(tx: Transaction, customer_id: int, user_id: int, role: Role, now: datetime) -> bool:
    """Make a user belong to a customer; return whether they did not before. Writes: customer_members."""
    return await store.insert_member(tx, customer_id, user_id, role, now)


async def change_role(tx: Transaction, member: Member, role: Role) -> None:
    """Give a member another role; call it with the customer locked.

    Raises: LastOwner. Writes: customer_members.
    """
    if member.role is Role.OWNER and role is not Role.OWNER:
        await _assert_another_owner(tx, member)
    await store.update_member_role(tx, member.customer_id, member.user_id, role)


async def remove_member(tx: Transaction, member: Member) -> None:
    """End that a user belongs to a customer; call it with the customer locked.

    Raises: LastOwner. Writes: customer_members.
    """
    if member.role is Role.OWNER:
        await _assert_another_owner(tx, member)
    await store.delete_member(tx, member.customer_id, member.user_id)


async def count_invitation(tx: Transaction, customer: Customer, email: str, now: datetime) -> None:
    """Count one invitation that is mailed. Raises: TooManyAttempts. Writes: attempt_counts."""
    refusal = await count_attempts(tx, invitation_attempts(email, customer.public_id), now)
    if refusal is not None:
        raise refusal


async def _assert_another_owner(tx: Transaction, member: Member) -> None:
    owners = [one for one in await store.list_members(tx, member.customer_id) if one.role is Role.OWNER]
    if len(owners) == 1:
        raise LastOwner(
            f"{member.email} is the only owner, and there must always be one. Make somebody else an owner first."
        )
