"""Issue access tokens and recognise them."""

from datetime import datetime, timedelta

import jwt

from tollway.authentication.entities import (
    ACCESS_TOKEN_LENGTH_MAX,
    ALGORITHM,
    AUDIENCE,
    ISSUER,
    TOKEN_TYPE,
    AccessTokenRefused,
    TokenKeys,
)
from tollway.customers import operations as customers
from tollway.customers.callers import SessionCaller, SessionKind, UserSession
from tollway.customers.entities import User
from tollway.kit.db import Transaction


def issue_access_token(keys: TokenKeys, user: User, session: UserSession, now: datetime) -> str:
    """Write a token that a program shows as `Authorization: Bearer` for an hour, while its session lasts.

    Its claims are those of RFC 9068, and `userId`, `email` and `role` as the wallet's clients read them (X13).
    """
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": user.public_id,
        "sid": session.public_id,
        "iat": int(now.timestamp()),
        "exp": int((now + timedelta(seconds=keys.access_seconds)).timestamp()),
        "userId": user.public_id,
        "email": user.email,
        "role": user.user_type.role_name,
    }
    return jwt.encode(claims, keys.signing_key, algorithm=ALGORITHM, headers={"typ": TOKEN_TYPE})


async def recognise_access_token(
    tx: Transaction, keys: TokenKeys, token: str, now: datetime
) -> SessionCaller:
    """Return whose token that is. Raises: AccessTokenRefused, which says what to do and repeats nothing."""
    session_id = _session_of(keys, token, now)
    caller = await customers.find_caller_of_session(tx, session_id, now) if session_id else None
    if caller is None or caller.session.kind is not SessionKind.PROGRAM:
        raise AccessTokenRefused(
            "This access token does not work: it is older than its hour, was signed out, or is not one of ours. "
            "Ask POST /auth/refresh for a new one, or sign in again at POST /auth/login."
        )
    return caller


def _session_of(keys: TokenKeys, token: str, now: datetime) -> str | None:
    """Return the session that a token names, or None where anything about the token is wrong."""
    if len(token) > ACCESS_TOKEN_LENGTH_MAX:
        return None
    try:
        # Times are compared with the request's own, further down; the library would read a clock.
        claims = jwt.decode(
            token,
            keys.signing_key,
            algorithms=[ALGORITHM],
            audience=AUDIENCE,
            issuer=ISSUER,
            options={
                "require": ["exp", "iat", "sid", "sub"],
                "verify_exp": False,
                "verify_iat": False,
            },
        )
        header = jwt.get_unverified_header(token)
    except jwt.InvalidTokenError:
        return None
    is_ours = header.get("typ") == TOKEN_TYPE and isinstance(claims["exp"], int)
    return str(claims["sid"]) if is_ours and now.timestamp() < claims["exp"] else None
