"""What users change about themselves: name, address, password."""

from datetime import datetime

from psycopg.errors import UniqueViolation

from tollway.customers import profile_store, store
from tollway.customers.entities import AddressTaken, ChallengePurpose, User, name_fault
from tollway.kit.db import Transaction
from tollway.kit.problems import FieldError, Invalid


async def rename_user(tx: Transaction, user_id: int, name: str, now: datetime) -> None:
    """Give a user another name; empty takes it away. Raises: Invalid (/name). Writes: users."""
    name = name.strip()
    if fault := name_fault(name):
        raise Invalid(fault, errors=(FieldError("/name", fault),))
    await profile_store.update_name(tx, user_id, name, now)


async def change_email(tx: Transaction, user: User, email: str, now: datetime) -> None:
    """Give a user another address that is proven to be theirs.

    Links and codes that went to the earlier address stop working.
    Raises: AddressTaken. Writes: users, email_challenges.
    """
    try:
        await profile_store.update_email(tx, user.id, email, now)
    except UniqueViolation as failure:
        raise AddressTaken(
            f"{email} belongs to another user by now. Your address stays {user.email}."
        ) from failure
    for purpose in ChallengePurpose:
        await store.update_challenges_used(tx, user.id, purpose, now)


async def forget_email_changes(tx: Transaction, user_id: int, now: datetime) -> None:
    """Make links that would change a user's address stop working. Writes: email_challenges."""
    await store.update_challenges_used(tx, user_id, ChallengePurpose.CHANGE_EMAIL, now)


async def forget_password(tx: Transaction, user_id: int, now: datetime) -> None:
    """Leave a user without a password: it may be another's who signed up with this address. Writes: users."""
    await profile_store.clear_password_hash(tx, user_id, now)


async def find_last_sign_in(tx: Transaction, user_id: int) -> datetime | None:
    """Return when a user last signed in, or None."""
    return await profile_store.find_last_sign_in(tx, user_id)
