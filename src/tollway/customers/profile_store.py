"""SQL over what users change about themselves: name, address, password."""

from datetime import datetime

from tollway.kit.db import Transaction


async def update_name(tx: Transaction, user_id: int, name: str, now: datetime) -> None:
    """Replace a user's name."""
    await tx.execute(
        "UPDATE users SET name = %(name)s, updated_at = %(now)s WHERE id = %(id)s",
        {"id": user_id, "name": name, "now": now},
    )


async def update_email(tx: Transaction, user_id: int, email: str, now: datetime) -> None:
    """Replace a user's proven address; another user who proved it breaks `users_by_verified_email`."""
    await tx.execute(
        "UPDATE users SET email = %(email)s, updated_at = %(now)s WHERE id = %(id)s",
        {"id": user_id, "email": email, "now": now},
    )


async def clear_password_hash(tx: Transaction, user_id: int, now: datetime) -> None:
    """Leave a user without a password."""
    await tx.execute(
        "UPDATE users SET password_hash = NULL, updated_at = %(now)s WHERE id = %(id)s",
        {"id": user_id, "now": now},
    )


async def find_last_sign_in(tx: Transaction, user_id: int) -> datetime | None:
    """Return when a user last signed in."""
    found = await tx.find_value("SELECT last_sign_in_at FROM users WHERE id = %(id)s", {"id": user_id})
    assert found is None or isinstance(found, datetime)
    return found
