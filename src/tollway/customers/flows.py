"""Verbs that need more than one transaction: attempts that count whatever follows, passwords hashed outside."""

from tollway.customers import operations
from tollway.customers.attempts import (
    Attempt,
    clear_text_attempts,
    demo_run_attempts,
    second_factor_attempts,
    sign_in_attempts,
    sign_in_mail_attempts,
    sign_up_attempts,
    support_message_attempts,
    verify_mail_attempts,
)
from tollway.customers.callers import SessionCaller
from tollway.customers.entities import (
    PASSWORD_LENGTH_MAX,
    AddressNotVerified,
    PasswordNotAccepted,
    SignInAgain,
    User,
    Visit,
    password_fault,
)
from tollway.customers.notice_operations import send_notice
from tollway.customers.passwords import Passwords
from tollway.kit.db import Database
from tollway.kit.problems import FieldError

__all__ = [
    "Passwords",
    "check_password",
    "count_sign_in",
    "count_sign_in_mail",
    "count_sign_up",
    "count_verify_mail",
    "set_password",
]


async def count_sign_up(database: Database, email: str, visit: Visit) -> None:
    """Count a sign-up, and the mail that it sends. Raises: TooManyAttempts."""
    await _count(database, sign_up_attempts(email, visit.address), visit)


async def count_sign_in(database: Database, email: str, visit: Visit) -> None:
    """Count an attempt to sign in, before it is looked at. Raises: TooManyAttempts."""
    await _count(database, sign_in_attempts(email, visit.address), visit)


async def count_verify_mail(database: Database, user: User, visit: Visit) -> None:
    """Count one more mail that verifies an address. Raises: TooManyAttempts."""
    await _count(database, verify_mail_attempts(user), visit)


async def count_sign_in_mail(database: Database, email: str, visit: Visit) -> None:
    """Count a wish for a sign-in mail, alike for every address. Raises: TooManyAttempts."""
    await _count(database, sign_in_mail_attempts(email, visit.address), visit)


async def count_second_factor(database: Database, user: User, session_public_id: str, visit: Visit) -> None:
    """Count one try of a second factor, before it is looked at. Raises: TooManyAttempts."""
    await _count(database, second_factor_attempts(user, session_public_id), visit)


async def count_clear_text(database: Database, key_id: str, visit: Visit) -> None:
    """Count that an API key was sent unencrypted. Raises: TooManyAttempts where its owners know already."""
    await _count(database, clear_text_attempts(key_id), visit)


async def count_demo_run(database: Database, visit: Visit) -> None:
    """Count a run of a sample by someone who has no account. Raises: TooManyAttempts."""
    await _count(database, demo_run_attempts(visit.address), visit)


async def count_support_message(database: Database, email: str, visit: Visit) -> None:
    """Count a message to support, and the copy to its writer. Raises: TooManyAttempts."""
    await _count(database, support_message_attempts(email, visit.address), visit)


async def _count(database: Database, attempts: tuple[Attempt, ...], visit: Visit) -> None:
    """Count in a transaction of its own, so that what is refused afterwards still counted."""
    async with database.transaction() as tx:
        refusal = await operations.count_attempts(tx, attempts, visit.now)
    if refusal is not None:
        raise refusal


async def check_password(database: Database, passwords: Passwords, email: str, password: str) -> User | None:
    """Return the user whom address and password belong to, or None; never which of them was wrong.

    Takes as long for an unknown address: a password is hashed either way.
    Raises: Unavailable where too many sign in at once.
    """
    async with database.transaction() as tx:
        user = await operations.find_verified_user(tx, email)
        password_hash = await operations.find_password_hash(tx, user.id) if user else None
    if len(password) > PASSWORD_LENGTH_MAX:
        password, password_hash = "", None
    return user if await passwords.matches(password, password_hash) else None


async def set_password(
    database: Database,
    passwords: Passwords,
    caller: SessionCaller,
    password: str,
    visit: Visit,
    *,
    current_password: str = "",
) -> None:
    """Set or replace a password, and sign the user out in every other browser.

    Args:
        current_password: needed where there is one already, unless the session is fresh (whoever forgot
            the password signs in by mail and sets a new one).

    Raises: AddressNotVerified, PasswordNotAccepted (/password), SignInAgain, TooManyAttempts, Unavailable.
    Writes: users, user_sessions, outbox_mails, audit_entries.
    """
    user = caller.user
    if not user.verified:
        raise AddressNotVerified(
            "A password can be set once your address is verified. Enter the code we mailed."
        )
    if fault := password_fault(password, user.email, caller.customer.company_name if caller.customer else ""):
        raise PasswordNotAccepted(fault, errors=(FieldError("/password", fault),))
    async with database.transaction() as tx:
        present_hash = await operations.find_password_hash(tx, user.id)
    if present_hash is None and not caller.session.is_fresh(visit.now):
        # Else whoever borrows a browser for a minute could keep the door open for ever.
        raise SignInAgain(
            "A first password can be set within minutes of signing in. Sign in by mail, and set it then.",
            errors=(FieldError("/password", "Sign in by mail once more, and set it then."),),
        )
    if present_hash is not None and not caller.session.is_fresh(visit.now):
        # A borrowed browser guesses no better here than a stranger at the door.
        await count_sign_in(database, user.email, visit)
        if not await passwords.matches(current_password[:PASSWORD_LENGTH_MAX], present_hash):
            raise SignInAgain(
                "The current password is not right. If you forgot it, sign in by mail and set a new one then.",
                errors=(FieldError("/current_password", "This is not your current password."),),
            )
    password_hash = await passwords.hash(password)
    async with database.transaction() as tx:
        await operations.replace_password(tx, caller, password_hash, visit)
        await send_notice(tx, user, "The password of your account was set or changed.", visit)
