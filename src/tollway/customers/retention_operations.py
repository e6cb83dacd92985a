"""Delete what can mean nothing any more."""

from datetime import datetime, timedelta

from tollway.customers import session_store, store
from tollway.customers.entities import Customer
from tollway.kit.db import Transaction

SESSIONS_KEPT_DAYS = 30
# Long enough that an old link is told apart from one that never was.
CHALLENGES_KEPT_DAYS = 30
ATTEMPTS_KEPT_DAYS = 1


async def delete_ended(tx: Transaction, now: datetime) -> int:
    """Delete sessions, challenges and counts that can mean nothing any more; return how many rows went."""
    return (
        await session_store.delete_sessions(tx, now - timedelta(days=SESSIONS_KEPT_DAYS))
        + await store.delete_challenges(tx, now - timedelta(days=CHALLENGES_KEPT_DAYS))
        + await store.delete_attempt_counts(tx, now - timedelta(days=ATTEMPTS_KEPT_DAYS))
    )


async def list_unverified_customers(tx: Transaction, created_before: datetime, limit: int) -> list[Customer]:
    """List the oldest customers whose user never proved the address."""
    return await store.list_unverified_customers(tx, created_before, limit)


async def delete_customer(tx: Transaction, customer: Customer) -> None:
    """Delete a customer and its user; everything else that is theirs must be gone already."""
    await store.delete_customer(tx, customer.id, customer.user_id)
