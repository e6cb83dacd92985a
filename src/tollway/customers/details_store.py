"""SQL over what a customer tells of itself for its invoices."""

import json
from dataclasses import dataclass
from datetime import datetime

from tollway.kit.db import Transaction


@dataclass(frozen=True, slots=True)
class SealedDetails:
    """The row as it is kept: the last two are sealed, in base64."""

    company_name: str
    billing_email: str
    tax_id: str | None
    billing_address: str | None


async def find_details(tx: Transaction, customer_id: int) -> SealedDetails | None:
    """Return a customer's details, sealed as they are."""
    return await tx.find_one(
        SealedDetails,
        """
        SELECT company_name, billing_email, tax_id, billing_address ->> 'sealed' AS billing_address
        FROM api_customers WHERE id = %(id)s
        """,
        {"id": customer_id},
    )


async def update_details(tx: Transaction, customer_id: int, details: SealedDetails, now: datetime) -> None:
    """Replace a customer's details."""
    address = details.billing_address
    await tx.execute(
        """
        UPDATE api_customers SET company_name = %(name)s, billing_email = %(email)s, tax_id = %(tax_id)s,
            billing_address = %(address)s::jsonb, updated_at = %(now)s
        WHERE id = %(id)s
        """,
        {
            "id": customer_id,
            "name": details.company_name,
            "email": details.billing_email,
            "tax_id": details.tax_id,
            "address": None if address is None else json.dumps({"sealed": address}),
            "now": now,
        },
    )


async def update_to_deactivated(tx: Transaction, customer_id: int, now: datetime) -> None:
    """Close a customer; one that is closed stays closed since then."""
    await tx.execute(
        """
        UPDATE api_customers SET deactivated_at = coalesce(deactivated_at, %(now)s), updated_at = %(now)s
        WHERE id = %(id)s
        """,
        {"id": customer_id, "now": now},
    )


async def update_to_signed_up(tx: Transaction, customer_id: int, billing_email: str, now: datetime) -> None:
    """Empty a customer's details, and open it."""
    await tx.execute(
        """
        UPDATE api_customers SET billing_email = %(email)s, tax_id = NULL, billing_address = NULL,
            deactivated_at = NULL, updated_at = %(now)s
        WHERE id = %(id)s
        """,
        {"id": customer_id, "email": billing_email, "now": now},
    )
