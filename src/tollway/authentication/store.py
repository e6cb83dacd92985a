"""SQL over the authenticators of users, recovery_codes and spent_refresh_tokens."""

from datetime import datetime

from tollway.authentication.entities import Authenticator
from tollway.kit.db import Transaction

# Authenticators -----------------------------------------------------------------------------------


async def find_authenticator(tx: Transaction, user_id: int) -> Authenticator | None:
    """Return a user's authenticator, confirmed or not."""
    return await tx.find_one(
        Authenticator,
        """
        SELECT totp_sealed AS sealed, totp_confirmed_at AS confirmed_at, totp_last_step AS last_step
        FROM users WHERE id = %(id)s AND totp_sealed IS NOT NULL
        """,
        {"id": user_id},
    )


async def update_to_pending(tx: Transaction, user_id: int, sealed: bytes, now: datetime) -> bool:
    """Keep the secret of an authenticator that still has to be confirmed; False where one is confirmed."""
    return bool(
        await tx.execute(
            """
            UPDATE users SET totp_sealed = %(sealed)s, totp_last_step = 0, updated_at = %(now)s
            WHERE id = %(id)s AND totp_confirmed_at IS NULL
            """,
            {"id": user_id, "sealed": sealed, "now": now},
        )
    )


async def update_to_confirmed(tx: Transaction, user_id: int, now: datetime) -> bool:
    """Let an authenticator count from now on; False where it does already."""
    return bool(
        await tx.execute(
            """
            UPDATE users SET totp_confirmed_at = %(now)s, updated_at = %(now)s
            WHERE id = %(id)s AND totp_sealed IS NOT NULL AND totp_confirmed_at IS NULL
            """,
            {"id": user_id, "now": now},
        )
    )


async def update_last_step(tx: Transaction, user_id: int, step: int) -> bool:
    """Use a time step up; False where it, or a later one, was used before."""
    return bool(
        await tx.execute(
            """
            UPDATE users SET totp_last_step = %(step)s
            WHERE id = %(id)s AND totp_last_step < %(step)s AND totp_sealed IS NOT NULL
            """,
            {"id": user_id, "step": step},
        )
    )


async def clear_authenticator(tx: Transaction, user_id: int, now: datetime) -> None:
    """Leave a user without an authenticator."""
    await tx.execute(
        """
        UPDATE users SET totp_sealed = NULL, totp_confirmed_at = NULL, totp_last_step = 0, updated_at = %(now)s
        WHERE id = %(id)s
        """,
        {"id": user_id, "now": now},
    )


# Recovery codes -----------------------------------------------------------------------------------


async def insert_recovery_codes(tx: Transaction, user_id: int, hashes: list[bytes], now: datetime) -> None:
    """Write the hashes of new recovery codes."""
    await tx.execute_many(
        "INSERT INTO recovery_codes (user_id, code_hash, created_at) VALUES (%(user_id)s, %(hash)s, %(now)s)",
        [{"user_id": user_id, "hash": one, "now": now} for one in hashes],
    )


async def use_recovery_code(tx: Transaction, user_id: int, code_hash: bytes, now: datetime) -> bool:
    """Use a recovery code up; False where there is none such, or it was used before."""
    return bool(
        await tx.execute(
            """
            UPDATE recovery_codes SET used_at = %(now)s
            WHERE user_id = %(user_id)s AND code_hash = %(hash)s AND used_at IS NULL
            """,
            {"user_id": user_id, "hash": code_hash, "now": now},
        )
    )


async def count_recovery_codes(tx: Transaction, user_id: int) -> int:
    """Count the recovery codes that still work."""
    found = await tx.find_value(
        "SELECT count(*) FROM recovery_codes WHERE user_id = %(user_id)s AND used_at IS NULL",
        {"user_id": user_id},
    )
    return int(found)


async def is_recovery_code_unused(tx: Transaction, user_id: int, code_hash: bytes) -> bool:
    """Whether there is such a recovery code and it still works."""
    return bool(
        await tx.find_value(
            """
            SELECT EXISTS (SELECT FROM recovery_codes
                WHERE user_id = %(user_id)s AND code_hash = %(hash)s AND used_at IS NULL)
            """,
            {"user_id": user_id, "hash": code_hash},
        )
    )


async def delete_recovery_codes(tx: Transaction, user_id: int) -> None:
    """Delete every recovery code of a user."""
    await tx.execute("DELETE FROM recovery_codes WHERE user_id = %(user_id)s", {"user_id": user_id})


# Refresh tokens -----------------------------------------------------------------------------------


async def insert_spent_token(tx: Transaction, token_hash: bytes, session_id: int, now: datetime) -> None:
    """Remember a refresh token that was used."""
    await tx.execute(
        """
        INSERT INTO spent_refresh_tokens (token_hash, session_id, spent_at)
        VALUES (%(hash)s, %(session_id)s, %(now)s) ON CONFLICT DO NOTHING
        """,
        {"hash": token_hash, "session_id": session_id, "now": now},
    )


async def find_session_of_spent_token(tx: Transaction, token_hash: bytes) -> int | None:
    """Return the session that a used refresh token belonged to."""
    found = await tx.find_value(
        "SELECT session_id FROM spent_refresh_tokens WHERE token_hash = %(hash)s", {"hash": token_hash}
    )
    return None if found is None else int(found)
