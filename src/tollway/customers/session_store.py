"""SQL over user_sessions."""

from datetime import datetime
from typing import LiteralString

from tollway.customers.callers import SessionKind, UserSession
from tollway.customers.entities import Visit
from tollway.kit.db import Transaction

_SESSION: LiteralString = """
    id, public_id, user_id, kind, customer_id, created_at, last_seen_at, expires_at, proven_at,
    second_factor_at, impersonated_customer_id, impersonated_until, ip_address, user_agent
"""


async def insert_session(
    tx: Transaction,
    public_id: str,
    user_id: int,
    kind: SessionKind,
    token_hash: bytes,
    expires_at: datetime,
    visit: Visit,
    ip_address: str | None,
) -> UserSession:
    """Write a new session, whose user has just proven who they are."""
    return await tx.get_one(
        UserSession,
        f"""
        INSERT INTO user_sessions (public_id, user_id, kind, token_hash, created_at, last_seen_at, proven_at,
            expires_at, ip_address, user_agent)
        VALUES (%(public_id)s, %(user_id)s, %(kind)s, %(token_hash)s, %(now)s, %(now)s, %(now)s,
            %(expires_at)s, %(ip)s, %(user_agent)s)
        RETURNING {_SESSION}
        """,
        {
            "public_id": public_id,
            "user_id": user_id,
            "kind": kind.value,
            "token_hash": token_hash,
            "expires_at": expires_at,
            "ip": ip_address,
            "user_agent": visit.user_agent,
            "now": visit.now,
        },
    )


async def find_session(tx: Transaction, token_hash: bytes, now: datetime) -> UserSession | None:
    """Return the session of that secret unless it ended."""
    return await tx.find_one(
        UserSession,
        f"""
        SELECT {_SESSION} FROM user_sessions
        WHERE token_hash = %(token_hash)s AND ended_at IS NULL AND expires_at > %(now)s
        """,
        {"token_hash": token_hash, "now": now},
    )


async def find_session_by_public_id(tx: Transaction, public_id: str, now: datetime) -> UserSession | None:
    """Return a session by the id that its tokens carry, unless it ended."""
    return await tx.find_one(
        UserSession,
        f"""
        SELECT {_SESSION} FROM user_sessions
        WHERE public_id = %(id)s AND ended_at IS NULL AND expires_at > %(now)s
        """,
        {"id": public_id, "now": now},
    )


async def lock_session(tx: Transaction, session_id: int) -> None:
    """Hold a session's row, so that two rotations of its secret happen one after the other."""
    await tx.execute("SELECT 1 FROM user_sessions WHERE id = %(id)s FOR UPDATE", {"id": session_id})


async def list_sessions(tx: Transaction, user_id: int, now: datetime, limit: int) -> list[UserSession]:
    """List where a user is signed in, the one used last first."""
    return await tx.list_all(
        UserSession,
        f"""
        SELECT {_SESSION} FROM user_sessions
        WHERE user_id = %(user_id)s AND ended_at IS NULL AND expires_at > %(now)s
        ORDER BY last_seen_at DESC, id DESC LIMIT %(limit)s
        """,
        {"user_id": user_id, "now": now, "limit": limit},
    )


async def update_session_secret(
    tx: Transaction,
    session_id: int,
    present_hash: bytes,
    token_hash: bytes,
    expires_at: datetime,
    now: datetime,
) -> bool:
    """Give a session another secret; return whether it still had the present one."""
    return bool(
        await tx.execute(
            """
            UPDATE user_sessions
            SET token_hash = %(token_hash)s, expires_at = %(expires_at)s, last_seen_at = %(now)s
            WHERE id = %(id)s AND token_hash = %(present_hash)s AND ended_at IS NULL
            """,
            {
                "id": session_id,
                "present_hash": present_hash,
                "token_hash": token_hash,
                "expires_at": expires_at,
                "now": now,
            },
        )
    )


async def update_session_seen(tx: Transaction, session_id: int, now: datetime) -> None:
    """Remember when a session was last used."""
    await tx.execute(
        "UPDATE user_sessions SET last_seen_at = %(now)s WHERE id = %(id)s", {"id": session_id, "now": now}
    )


async def update_session_proven(
    tx: Transaction, session_id: int, *, second_factor: bool, now: datetime
) -> None:
    """Remember that its user proved anew who they are."""
    await tx.execute(
        """
        UPDATE user_sessions SET proven_at = %(now)s,
            second_factor_at = CASE WHEN %(second_factor)s THEN %(now)s ELSE second_factor_at END
        WHERE id = %(id)s
        """,
        {"id": session_id, "second_factor": second_factor, "now": now},
    )


async def update_session_customer(tx: Transaction, session_id: int, customer_id: int) -> None:
    """Look at another customer's things from now on."""
    await tx.execute(
        "UPDATE user_sessions SET customer_id = %(customer_id)s WHERE id = %(id)s",
        {"id": session_id, "customer_id": customer_id},
    )


async def update_session_impersonation(
    tx: Transaction, session_id: int, customer_id: int | None, until: datetime | None
) -> None:
    """Begin or end to look at a customer's things in its place."""
    await tx.execute(
        """
        UPDATE user_sessions SET impersonated_customer_id = %(customer_id)s, impersonated_until = %(until)s
        WHERE id = %(id)s
        """,
        {"id": session_id, "customer_id": customer_id, "until": until},
    )


async def update_session_ended(tx: Transaction, session_id: int, now: datetime) -> None:
    """End one session."""
    await tx.execute(
        "UPDATE user_sessions SET ended_at = %(now)s WHERE id = %(id)s AND ended_at IS NULL",
        {"id": session_id, "now": now},
    )


async def update_sessions_ended(
    tx: Transaction, user_id: int, kept_session_id: int | None, now: datetime
) -> int:
    """End every session of a user but one; return how many ended."""
    return await tx.execute(
        """
        UPDATE user_sessions SET ended_at = %(now)s
        WHERE user_id = %(user_id)s AND ended_at IS NULL AND id IS DISTINCT FROM %(kept)s
        """,
        {"user_id": user_id, "kept": kept_session_id, "now": now},
    )


async def is_place_known(
    tx: Transaction, user_id: int, session_id: int, ip_address: str, user_agent: str
) -> bool:
    """Whether a user was signed in before from this address or with this browser; True for a first sign-in."""
    return bool(
        await tx.find_value(
            """
            SELECT NOT EXISTS (SELECT FROM user_sessions WHERE user_id = %(user_id)s AND id <> %(id)s)
                OR EXISTS (
                    SELECT FROM user_sessions WHERE user_id = %(user_id)s AND id <> %(id)s
                    AND ip_address = %(ip)s::inet AND user_agent = %(user_agent)s)
            """,
            {"user_id": user_id, "id": session_id, "ip": ip_address, "user_agent": user_agent},
        )
    )


async def delete_sessions(tx: Transaction, ended_before: datetime) -> int:
    """Delete sessions that ended or ran out before a time."""
    return await tx.execute(
        "DELETE FROM user_sessions WHERE least(coalesce(ended_at, expires_at), expires_at) < %(time)s",
        {"time": ended_before},
    )
