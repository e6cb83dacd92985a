"""What a session goes through between sign-in and sign-out: another secret, another place, its end."""

import secrets
from datetime import datetime

from tollway.audit import operations as audit
from tollway.customers import session_store
from tollway.customers.callers import SessionCaller, UserSession
from tollway.customers.entities import USER_AGENT_LENGTH_MAX, Visit
from tollway.customers.operations import SECRET_BYTES, SECRET_LENGTH_MAX
from tollway.kit.crypto import sha256
from tollway.kit.db import Transaction
from tollway.kit.problems import NotFound


async def replace_secret(
    tx: Transaction, session: UserSession, secret: str, expires_at: datetime, now: datetime
) -> str | None:
    """Give a session another secret and return it; None where it has another one than `secret` by now.

    Two at the same moment cannot both succeed: one statement compares and writes.
    """
    replacement = secrets.token_urlsafe(SECRET_BYTES)
    replaced = await session_store.update_session_secret(
        tx, session.id, sha256(secret[:SECRET_LENGTH_MAX]), sha256(replacement), expires_at, now
    )
    return replacement if replaced else None


async def is_place_known(tx: Transaction, session: UserSession, visit: Visit) -> bool:
    """Whether this user was signed in before from this address with this browser; True for a first sign-in."""
    if session.ip_address is None:
        return True
    return await session_store.is_place_known(
        tx,
        session.user_id,
        session.id,
        str(session.ip_address),
        visit.user_agent[:USER_AGENT_LENGTH_MAX],
    )


async def get_session(tx: Transaction, user_id: int, public_id: str, now: datetime) -> UserSession:
    """Return one of a user's own sessions; raises NotFound."""
    session = await session_store.find_session_by_public_id(tx, public_id, now)
    if session is None or session.user_id != user_id:
        raise NotFound("There is no such session among yours; it may have ended already.")
    return session


async def record_ended(
    tx: Transaction, caller: SessionCaller, session: UserSession | None, visit: Visit
) -> None:
    """Write down that somebody ended a session of theirs, or, without one, every other. Writes: audit_entries."""
    await audit.record_entry(
        tx,
        action="user.session_ended" if session else "user.sessions_ended",
        customer_id=caller.customer.id if caller.customer and not caller.impersonating else None,
        actor=f"user:{caller.user.public_id}",
        subject=session.public_id if session else caller.user.public_id,
        address=visit.address,
        now=visit.now,
        actor_name=caller.user.email,
        user_id=caller.user.id,
    )
