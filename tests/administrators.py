"""Administrators for tests, signed in the way a second factor signs them in."""

from datetime import datetime
from typing import Any

from tollway.app import Parts
from tollway.customers import operations as customers
from tollway.customers.callers import SessionKind
from tollway.customers.entities import User, Visit
from tollway.customers.permissions import UserType
from tollway.kit.clock import read_now
from tollway.kit.cookies import LOCAL_NAME

Headers = dict[str, str]


async def sign_in(
    parts: Parts, user: User, *, second_factor: bool = True, now: datetime | None = None
) -> Headers:
    """Open a session of a browser, and return the headers that carry it."""
    visit = Visit("192.0.2.1", "a browser", now or read_now())
    async with parts.database.transaction() as tx:
        secret, _ = await customers.open_session(
            tx, user.id, SessionKind.BROWSER, visit, second_factor=second_factor
        )
    return {"Cookie": f"{LOCAL_NAME}={secret}"}


async def make_administrator(
    parts: Parts,
    email: str = "root@example.org",
    user_type: UserType = UserType.SUPER_ADMIN,
    **how: Any,
) -> tuple[User, Headers]:
    """Make an administrator and sign them in."""
    async with parts.database.transaction() as tx:
        user = await customers.create_administrator(tx, email, user_type, read_now())
    return user, await sign_in(parts, user, **how)
