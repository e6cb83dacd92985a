"""SQL by which administrators change users and customers."""

from datetime import datetime

from tollway.customers import store
from tollway.customers.entities import User
from tollway.customers.permissions import UserType
from tollway.kit.db import Transaction


async def update_customer_suspended(
    tx: Transaction, customer_id: int, suspended_at: datetime | None, reason: str, now: datetime
) -> None:
    """Suspend a customer, or with None take that back."""
    await tx.execute(
        """
        UPDATE api_customers SET suspended_at = %(suspended_at)s, suspended_reason = %(reason)s, updated_at = %(now)s
        WHERE id = %(id)s
        """,
        {"id": customer_id, "suspended_at": suspended_at, "reason": reason, "now": now},
    )


async def find_user_by_public_id(tx: Transaction, public_id: str) -> User | None:
    """Return a user by the id that is shown."""
    user_id = await tx.find_value("SELECT id FROM users WHERE public_id = %(id)s", {"id": public_id})
    return None if user_id is None else await store.find_user(tx, int(user_id))


async def lock_super_administrators(tx: Transaction) -> list[int]:
    """Hold the rows of every super administrator who can sign in, in one order, and return who they are."""
    rows = await tx.list_rows(
        """
        SELECT id FROM users WHERE user_type = 'super_admin' AND disabled_at IS NULL
        ORDER BY id FOR UPDATE
        """
    )
    return [row["id"] for row in rows]


async def update_user_type(tx: Transaction, user_id: int, user_type: UserType, now: datetime) -> None:
    """Give a user another kind; all but regular ones may use the API."""
    await tx.execute(
        """
        UPDATE users SET user_type = %(user_type)s::text, api_enabled = %(user_type)s::text <> 'regular',
            updated_at = %(now)s
        WHERE id = %(id)s
        """,
        {"id": user_id, "user_type": user_type.value, "now": now},
    )


async def update_user_disabled(
    tx: Transaction, user_id: int, disabled_at: datetime | None, now: datetime
) -> None:
    """Keep a user from signing in, or with None let them again."""
    await tx.execute(
        "UPDATE users SET disabled_at = %(disabled_at)s, updated_at = %(now)s WHERE id = %(id)s",
        {"id": user_id, "disabled_at": disabled_at, "now": now},
    )
