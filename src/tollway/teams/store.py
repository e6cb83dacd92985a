"""SQL over invitations."""

from datetime import datetime
from typing import LiteralString

from tollway.customers.permissions import Role
from tollway.kit.db import Transaction
from tollway.teams.entities import Invitation

_INVITATION: LiteralString = """
    id, public_id, customer_id, email, role, invited_by, created_at, expires_at, accepted_at, revoked_at
"""


async def insert_invitation(
    tx: Transaction,
    public_id: str,
    customer_id: int,
    email: str,
    role: Role,
    token_hash: bytes,
    invited_by: int | None,
    expires_at: datetime,
    now: datetime,
) -> Invitation:
    """Write a new invitation."""
    return await tx.get_one(
        Invitation,
        f"""
        INSERT INTO invitations
            (public_id, customer_id, email, role, token_hash, invited_by, created_at, expires_at)
        VALUES (%(public_id)s, %(customer_id)s, %(email)s, %(role)s, %(token_hash)s, %(invited_by)s,
            %(now)s, %(expires_at)s)
        RETURNING {_INVITATION}
        """,
        {
            "public_id": public_id,
            "customer_id": customer_id,
            "email": email,
            "role": role.value,
            "token_hash": token_hash,
            "invited_by": invited_by,
            "expires_at": expires_at,
            "now": now,
        },
    )


async def list_open_invitations(tx: Transaction, customer_id: int) -> list[Invitation]:
    """List the invitations of a customer that nobody accepted yet, newest first."""
    return await tx.list_all(
        Invitation,
        f"""
        SELECT {_INVITATION} FROM invitations
        WHERE customer_id = %(customer_id)s AND accepted_at IS NULL AND revoked_at IS NULL
        ORDER BY id DESC
        """,
        {"customer_id": customer_id},
    )


async def find_invitation(tx: Transaction, customer_id: int, public_id: str) -> Invitation | None:
    """Return an open invitation of a customer by its public id."""
    return await tx.find_one(
        Invitation,
        f"""
        SELECT {_INVITATION} FROM invitations
        WHERE customer_id = %(customer_id)s AND public_id = %(id)s
            AND accepted_at IS NULL AND revoked_at IS NULL
        """,
        {"customer_id": customer_id, "id": public_id},
    )


async def lock_invitation_of_link(tx: Transaction, token_hash: bytes) -> Invitation | None:
    """Return the invitation of a link and hold its row, so that it works once."""
    return await tx.find_one(
        Invitation,
        f"SELECT {_INVITATION} FROM invitations WHERE token_hash = %(hash)s FOR UPDATE",
        {"hash": token_hash},
    )


async def update_to_accepted(tx: Transaction, invitation_id: int, now: datetime) -> None:
    """Record that somebody joined by it."""
    await tx.execute(
        "UPDATE invitations SET accepted_at = %(now)s WHERE id = %(id)s", {"id": invitation_id, "now": now}
    )


async def update_to_revoked(tx: Transaction, customer_id: int, email: str, now: datetime) -> int:
    """Take back the open invitation of an address; return whether there was one."""
    return await tx.execute(
        """
        UPDATE invitations SET revoked_at = %(now)s
        WHERE customer_id = %(customer_id)s AND email = %(email)s
            AND accepted_at IS NULL AND revoked_at IS NULL
        """,
        {"customer_id": customer_id, "email": email, "now": now},
    )


async def update_to_revoked_of(tx: Transaction, customer_id: int, invited_by: int, now: datetime) -> int:
    """Take back every open invitation that one person sent; return how many."""
    return await tx.execute(
        """
        UPDATE invitations SET revoked_at = %(now)s
        WHERE customer_id = %(customer_id)s AND invited_by = %(invited_by)s
            AND accepted_at IS NULL AND revoked_at IS NULL
        """,
        {"customer_id": customer_id, "invited_by": invited_by, "now": now},
    )
