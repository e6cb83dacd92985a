"""SQL that finds many users and customers at once, for lists that name them."""

from tollway.kit.db import Transaction


async def list_public_ids(tx: Transaction, customer_ids: list[int]) -> dict[int, str]:
    """Return the public ids of customers, by id."""
    rows = await tx.list_rows(
        "SELECT id, public_id FROM api_customers WHERE id = ANY(%(customer_ids)s::bigint[])",
        {"customer_ids": customer_ids},
    )
    return {row["id"]: row["public_id"] for row in rows}


async def list_visiting_administrators(
    tx: Transaction, customer_id: int, user_public_ids: list[str]
) -> set[str]:
    """Return those of some users who administer, and do not belong to the customer."""
    rows = await tx.list_rows(
        """
        SELECT public_id FROM users
        WHERE public_id = ANY(%(public_ids)s) AND user_type IN ('admin', 'super_admin')
            AND NOT EXISTS (
                SELECT FROM customer_members WHERE customer_id = %(customer_id)s AND user_id = users.id
            )
        """,
        {"customer_id": customer_id, "public_ids": user_public_ids},
    )
    return {row["public_id"] for row in rows}
