"""Sign programs in and keep them signed in: a pair of tokens for a session of its own."""

from datetime import timedelta

from tollway.authentication import store
from tollway.authentication.entities import TokenKeys, TokenPair
from tollway.authentication.operations import issue_access_token
from tollway.customers import operations as customers
from tollway.customers import session_operations as sessions
from tollway.customers.callers import SessionKind, UserSession
from tollway.customers.entities import User, Visit
from tollway.kit.crypto import sha256
from tollway.kit.db import Transaction

REFRESH_TOKEN_LENGTH_MAX = 100


async def open_program_session(
    tx: Transaction, keys: TokenKeys, user: User, visit: Visit, *, second_factor: bool = False
) -> tuple[TokenPair, UserSession]:
    """Sign a program in for a user who proved who they are. Writes: user_sessions, users."""
    secret, session = await customers.open_session(
        tx, user.id, SessionKind.PROGRAM, visit, days=keys.refresh_days, second_factor=second_factor
    )
    access_token = issue_access_token(keys, user, session, visit.now)
    return TokenPair(access_token, secret, keys.access_seconds), session


async def refresh(
    tx: Transaction, keys: TokenKeys, refresh_token: str, visit: Visit
) -> tuple[User, TokenPair] | None:
    """Give a program new tokens for its refresh token, which is used up by it; None where it does not work.

    One that was used up and comes again was stolen, by whoever came first or second: its session ends, so the
    caller commits a None too. Two that come at the same moment do not both succeed.

    INVARIANT: a refresh token works once
    (tests/authentication/test_tokens.py::test_one_refresh_token_works_once_in_parallel).
    Writes: user_sessions, spent_refresh_tokens.
    """
    now = visit.now
    refresh_token = refresh_token[:REFRESH_TOKEN_LENGTH_MAX]
    session = await customers.find_session(tx, refresh_token, now)
    if session is None:
        stolen_from = await store.find_session_of_spent_token(tx, sha256(refresh_token))
        if stolen_from is not None:
            await customers.end_session(tx, stolen_from, now)
        return None
    if session.kind is not SessionKind.PROGRAM:
        return None
    expires_at = min(
        now + timedelta(days=keys.refresh_days), session.created_at + timedelta(days=keys.session_days_max)
    )
    secret = await sessions.replace_secret(tx, session, refresh_token, expires_at, now)
    if secret is None:
        return None
    caller = await customers.find_caller_of_session(tx, session.public_id, now)
    if caller is None:
        return None
    await store.insert_spent_token(tx, sha256(refresh_token), session.id, now)
    return caller.user, TokenPair(
        issue_access_token(keys, caller.user, session, now), secret, keys.access_seconds
    )
