"""What administrators do to users and customers; whoever calls these writes the audit entry."""

from datetime import datetime, timedelta

from tollway.customers import admin_store, session_store, store
from tollway.customers.entities import (
    ChallengePurpose,
    Customer,
    CustomerState,
    LastSuperAdministrator,
    User,
)
from tollway.customers.permissions import UserType
from tollway.kit.db import Transaction
from tollway.kit.problems import Conflict, FieldError, Invalid, NotFound

IMPERSONATION_MINUTES = 30


async def suspend_customer(tx: Transaction, customer: Customer, reason: str, now: datetime) -> None:
    """Keep a customer from acting, with a reason that it reads; call it with the customer locked.

    Raises: Conflict where it is suspended or erased already. Writes: api_customers.
    """
    if customer.state is CustomerState.ERASED:
        raise Conflict("This customer was erased; there is nobody left to suspend.")
    if customer.suspended_at is not None:
        raise Conflict(
            f"{customer.company_name} is suspended already, since {customer.suspended_at:%Y-%m-%d %H:%M} UTC. "
            "To give another reason, reactivate it first."
        )
    await admin_store.update_customer_suspended(tx, customer.id, now, reason, now)


async def reactivate_customer(tx: Transaction, customer: Customer, now: datetime) -> None:
    """Let a suspended customer act again; call it with the customer locked.

    Raises: Conflict where it is not suspended. Writes: api_customers.
    """
    if customer.suspended_at is None:
        raise Conflict(f"{customer.company_name} is not suspended; there is nothing to take back.")
    await admin_store.update_customer_suspended(tx, customer.id, None, "", now)


async def get_user_by_public_id(tx: Transaction, public_id: str) -> User:
    """Return a user by the id that is shown; raises NotFound."""
    user = await admin_store.find_user_by_public_id(tx, public_id)
    if user is None:
        raise NotFound("There is no such user.")
    return user


async def change_user_type(tx: Transaction, user: User, user_type: UserType, now: datetime) -> int:
    """Give a user another kind and end their sessions; return how many ended.

    Raises: Invalid for super_admin, which the command line alone gives; Conflict, LastSuperAdministrator.
    Writes: users, user_sessions.
    """
    if user_type is UserType.SUPER_ADMIN:
        sentence = "The command line alone makes super administrators: `tollway admin create EMAIL`."
        raise Invalid(sentence, errors=(FieldError("/user_type", sentence),))
    if user.user_type is user_type:
        raise Conflict(f"{user.email} is of the kind {user_type.value} already.")
    if user.user_type is UserType.SUPER_ADMIN:
        await _assert_another_super_administrator(tx, user)
    await admin_store.update_user_type(tx, user.id, user_type, now)
    return await session_store.update_sessions_ended(tx, user.id, None, now)


async def disable_user(tx: Transaction, user: User, now: datetime) -> int:
    """Keep a user from signing in, and end their sessions; return how many ended.

    No link that was mailed before does anything for them any more, not even once they are enabled again.
    Raises: Conflict, LastSuperAdministrator. Writes: users, email_challenges, user_sessions.
    """
    if user.disabled_at is not None:
        raise Conflict(f"{user.email} is disabled already.")
    if user.user_type is UserType.SUPER_ADMIN:
        await _assert_another_super_administrator(tx, user)
    await admin_store.update_user_disabled(tx, user.id, now, now)
    for purpose in ChallengePurpose:
        await store.update_challenges_used(tx, user.id, purpose, now)
    return await session_store.update_sessions_ended(tx, user.id, None, now)


async def enable_user(tx: Transaction, user: User, now: datetime) -> None:
    """Let a user sign in again. Raises: Conflict. Writes: users."""
    if user.disabled_at is None:
        raise Conflict(f"{user.email} is not disabled; there is nothing to take back.")
    await admin_store.update_user_disabled(tx, user.id, None, now)


async def begin_impersonation(
    tx: Transaction, session_id: int, customer: Customer, now: datetime
) -> datetime:
    """Let an administrator's session look at a customer's things for a while; return until when.

    Writes: user_sessions.
    """
    until = now + timedelta(minutes=IMPERSONATION_MINUTES)
    await session_store.update_session_impersonation(tx, session_id, customer.id, until)
    return until


async def end_impersonation(tx: Transaction, session_id: int) -> None:
    """Make a session look at its own user's things again. Writes: user_sessions."""
    await session_store.update_session_impersonation(tx, session_id, None, None)


async def _assert_another_super_administrator(tx: Transaction, user: User) -> None:
    """Hold every super administrator, so that two cannot remove each other at once."""
    if not [one for one in await admin_store.lock_super_administrators(tx) if one != user.id]:
        raise LastSuperAdministrator(
            f"{user.email} is the only super administrator who can sign in, and there must always be one. "
            "Make another with `tollway admin create EMAIL` first."
        )
