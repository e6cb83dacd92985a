"""Verbs that count their attempts whatever follows, and hash passwords while no transaction is open."""

from dataclasses import dataclass, field
from datetime import timedelta

from tollway.audit import operations as audit
from tollway.authentication import second_factor_operations as second_factor
from tollway.authentication import token_operations as tokens
from tollway.authentication.entities import (
    FactorKeys,
    RefreshTokenRefused,
    Shown,
    TokenKeys,
    TokenPair,
)
from tollway.customers import flows as customer_flows
from tollway.customers import operations as customers
from tollway.customers import session_operations as sessions
from tollway.customers.callers import SessionCaller, SessionKind, UserSession
from tollway.customers.entities import (
    PASSWORD_LENGTH_MAX,
    SESSION_DAYS,
    ChallengePurpose,
    SignInAgain,
    SignInRefused,
    User,
    Visit,
)
from tollway.customers.flows import Passwords
from tollway.customers.notice_operations import send_notice
from tollway.kit.db import Database, Transaction
from tollway.kit.problems import FieldError


@dataclass(frozen=True, slots=True)
class AdmittedSession:
    """A session whose user has shown their second factor, and the secret that replaces the earlier one."""

    user: User
    shown: Shown
    session_secret: str = field(repr=False)


async def find_unproven_session(
    database: Database, secret: str | None, visit: Visit
) -> tuple[User, UserSession] | None:
    """Return whose session waits for its second factor; None where there is none such."""
    if secret is None:
        return None
    async with database.transaction() as tx:
        session = await customers.find_session(tx, secret, visit.now)
        if session is None or session.kind is not SessionKind.BROWSER or session.second_factor_at is not None:
            return None
        user = await customers.get_user(tx, session.user_id)
    return (user, session) if user.has_second_factor and user.disabled_at is None else None


async def show_second_factor(
    database: Database, keys: FactorKeys, secret: str | None, code: str, visit: Visit
) -> AdmittedSession:
    """Let a session in whose user shows a code of their authenticator, or a recovery code.

    The session gets another secret, so that one which was planted before is worth nothing.
    Raises: SignInRefused where no session waits for it, SecondFactorCodeWrong, TooManyAttempts.
    Writes: user_sessions, users, recovery_codes, outbox_mails, audit_entries.
    """
    found = await find_unproven_session(database, secret, visit)
    if found is None or secret is None:
        raise SignInRefused("Sign in with your password or a mailed link first; the code comes after.")
    user, session = found
    await customer_flows.count_second_factor(database, user, session.public_id, visit)
    async with database.transaction() as tx:
        shown = await second_factor.show_factor(tx, keys, user, code, visit.now)
        if shown is None:
            raise second_factor.wrong_code()
        await customers.prove_session(tx, session.id, visit.now, second_factor=True)
        expires_at = visit.now + timedelta(days=SESSION_DAYS)
        replaced = await sessions.replace_secret(tx, session, secret, expires_at, visit.now)
        if replaced is None:
            raise SignInRefused("This session has ended meanwhile. Sign in once more.")
        await record_shown(tx, user, shown, visit)
    return AdmittedSession(user, shown, replaced)


async def record_shown(tx: Transaction, user: User, shown: Shown, visit: Visit) -> None:
    """Write down that a second factor was shown; a recovery code is mailed about too, as it may be a thief's.

    Writes: audit_entries, outbox_mails.
    """
    customer = await customers.find_customer_of(tx, user.id)
    await audit.record_entry(
        tx,
        action="user.second_factor_shown",
        customer_id=customer.id if customer else None,
        actor=f"user:{user.public_id}",
        subject=user.public_id,
        address=visit.address,
        now=visit.now,
        details={"method": shown.value},
        actor_name=user.email,
        user_id=user.id,
    )
    if shown is Shown.RECOVERY_CODE:
        left = await second_factor.count_recovery_codes(tx, user.id)
        await send_notice(
            tx,
            user,
            f"A recovery code was used to sign in; {left} {'is' if left == 1 else 'are'} left.",
            visit,
        )


async def confirm_second_factor(
    database: Database, keys: FactorKeys, caller: SessionCaller, code: str, visit: Visit
) -> list[str]:
    """Let an authenticator count from now on; see `second_factor_operations.confirm_second_factor`.

    Raises: what that raises, and TooManyAttempts.
    """
    await customer_flows.count_second_factor(database, caller.user, caller.session.public_id, visit)
    async with database.transaction() as tx:
        return await second_factor.confirm_second_factor(tx, keys, caller, code, visit)


async def remove_second_factor(
    database: Database, keys: FactorKeys, caller: SessionCaller, code: str, visit: Visit
) -> None:
    """Sign in without a second factor from now on; see `second_factor_operations.remove_second_factor`.

    Raises: what that raises, and TooManyAttempts.
    """
    await customer_flows.count_second_factor(database, caller.user, caller.session.public_id, visit)
    async with database.transaction() as tx:
        await second_factor.remove_second_factor(tx, keys, caller, code, visit)


async def prove_again(
    database: Database,
    passwords: Passwords,
    keys: FactorKeys,
    caller: SessionCaller,
    visit: Visit,
    *,
    password: str = "",
    mailed_code: str = "",
    factor_code: str = "",
) -> None:
    """Take a signed-in user as present once more: by password or a mailed code, and the second factor if set.

    Raises: SignInAgain (/password or /mailed_code), SecondFactorCodeWrong (/code), TooManyAttempts, Unavailable.
    Writes: user_sessions, email_challenges, users, recovery_codes, audit_entries.
    """
    user = caller.user
    await customer_flows.count_sign_in(database, user.email, visit)
    if mailed_code:
        await _prove_by_mail(database, keys, user, mailed_code, visit)
    else:
        async with database.transaction() as tx:
            password_hash = await customers.find_password_hash(tx, user.id)
        if not await passwords.matches(password[:PASSWORD_LENGTH_MAX], password_hash):
            message = "This is not your password."
            raise SignInAgain(message, errors=(FieldError("/password", message),))
    if user.has_second_factor:
        await customer_flows.count_second_factor(database, user, caller.session.public_id, visit)
    async with database.transaction() as tx:
        if user.has_second_factor:
            shown = await second_factor.show_factor(tx, keys, user, factor_code, visit.now)
            if shown is None:
                raise second_factor.wrong_code()
            await record_shown(tx, user, shown, visit)
        await customers.prove_session(tx, caller.session.id, visit.now, second_factor=user.has_second_factor)


async def _prove_by_mail(database: Database, keys: FactorKeys, user: User, code: str, visit: Visit) -> None:
    async with database.transaction() as tx:
        trial = await customers.try_code(
            tx, keys.code_key, user.id, ChallengePurpose.SIGN_IN, code, visit.now
        )
    # Outside the transaction, which thereby committed the guess.
    if (refusal := trial.refusal()) is not None:
        raise SignInAgain(refusal.message, errors=(FieldError("/mailed_code", refusal.message),))


async def refresh_tokens(
    database: Database, keys: TokenKeys, refresh_token: str, visit: Visit
) -> tuple[User, TokenPair]:
    """Give a program new tokens; see `token_operations.refresh`. Raises: RefreshTokenRefused."""
    async with database.transaction() as tx:
        refreshed = await tokens.refresh(tx, keys, refresh_token, visit)
    # Outside the transaction, which thereby committed the end of a session whose token was stolen.
    if refreshed is None:
        raise RefreshTokenRefused(
            "This refresh token does not work: it was used before, is too old, was signed out, or is not one of "
            "ours. Sign in again at POST /auth/login. If it was used before, its session ended now: a token "
            "that comes twice may have been stolen."
        )
    return refreshed
