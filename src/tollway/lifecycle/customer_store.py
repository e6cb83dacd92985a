"""SQL that sums up what a customer used."""

from tollway.kit.db import Transaction


async def count_requests(tx: Transaction, customer_id: int) -> int:
    """Count the requests of all periods and both modes, by the quotas that counted them."""
    found = await tx.find_value(
        """
        SELECT coalesce(sum(q.requests_used), 0) FROM usage_quotas q
        JOIN api_subscriptions s ON s.id = q.subscription_id WHERE s.customer_id = %(id)s
        """,
        {"id": customer_id},
    )
    return int(found)
