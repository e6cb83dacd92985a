"""Find many users and customers at once, for lists that name them."""

from tollway.customers import directory_store
from tollway.kit.db import Transaction


async def list_public_ids(tx: Transaction, customer_ids: set[int]) -> dict[int, str]:
    """Return the public ids of customers by id; leaves out those that are not there."""
    return await directory_store.list_public_ids(tx, sorted(customer_ids)) if customer_ids else {}


async def list_visiting_administrators(
    tx: Transaction, customer_id: int, user_public_ids: set[str]
) -> set[str]:
    """Return those of some users who administer, and act on a customer from outside."""
    if not user_public_ids:
        return set()
    return await directory_store.list_visiting_administrators(tx, customer_id, sorted(user_public_ids))
