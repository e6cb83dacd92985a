"""Read and change what a customer tells of itself for its invoices."""

import base64
import json
from dataclasses import asdict
from datetime import datetime

from tollway.audit import operations as audit
from tollway.customers import details_store, store
from tollway.customers.callers import Caller
from tollway.customers.details import (
    ADDRESS_LINE_LENGTH_MAX,
    COUNTRY_PATTERN,
    POSTAL_CODE_LENGTH_MAX,
    TAX_ID_LENGTH_MAX,
    BillingAddress,
    CompanyDetails,
    countries,
)
from tollway.customers.details_store import SealedDetails
from tollway.kit.crypto import Sealer
from tollway.kit.db import Transaction
from tollway.kit.problems import NotFound

__all__ = [
    "ADDRESS_LINE_LENGTH_MAX",
    "COUNTRY_PATTERN",
    "POSTAL_CODE_LENGTH_MAX",
    "TAX_ID_LENGTH_MAX",
    "BillingAddress",
    "CompanyDetails",
    "change_details",
    "countries",
    "deactivate_customer",
    "forget_details",
    "get_details",
]


async def get_details(tx: Transaction, sealer: Sealer, customer_id: int) -> CompanyDetails:
    """Return what a customer told of itself, opened. Raises: NotFound."""
    kept = await details_store.find_details(tx, customer_id)
    if kept is None:
        raise NotFound("There is no such customer.")
    tax_id = _open(sealer, customer_id, "tax_id", kept.tax_id)
    address = _open(sealer, customer_id, "billing_address", kept.billing_address)
    return CompanyDetails(
        kept.company_name,
        kept.billing_email,
        tax_id,
        BillingAddress(**json.loads(address)) if address else None,
    )


async def change_details(
    tx: Transaction, sealer: Sealer, caller: Caller, details: CompanyDetails, now: datetime
) -> CompanyDetails:
    """Keep other details of the caller's customer; the audit list names the fields, not what they hold.

    Raises: NotFound. Writes: api_customers, audit_entries.

    INVARIANT: neither number nor address can be read in the database, in the audit list or in a log
    (tests/customers/test_details.py::test_sealed_fields_are_nowhere_in_plain_text).
    """
    customer_id = caller.owner_id
    customer = await store.lock_customer(tx, customer_id)
    if customer is None:
        raise NotFound("There is no such customer.")
    changed = details.changed_from(await get_details(tx, sealer, customer_id))
    if not changed:
        return details
    address = details.billing_address
    sealed = SealedDetails(
        details.company_name,
        details.billing_email,
        _seal(sealer, customer_id, "tax_id", details.tax_id),
        _seal(sealer, customer_id, "billing_address", json.dumps(asdict(address)) if address else None),
    )
    await details_store.update_details(tx, customer_id, sealed, now)
    await audit.record_entry(
        tx,
        action="customer.changed",
        customer_id=customer_id,
        actor=caller.actor,
        subject=customer.public_id,
        address=caller.address,
        now=now,
        details={"fields": changed},
        on_behalf_of=caller.on_behalf_of,
        actor_name=caller.actor_name,
        user_id=caller.user_id,
    )
    return details


async def deactivate_customer(tx: Transaction, caller: Caller, now: datetime) -> None:
    """Close the caller's customer: from its next call on nothing works, and nothing is deleted.

    Call it with the customer locked. Writes: api_customers, audit_entries.
    """
    assert caller.customer is not None, "whoever deactivates belongs to a customer"
    await details_store.update_to_deactivated(tx, caller.owner_id, now)
    await audit.record_entry(
        tx,
        action="customer.deactivated",
        customer_id=caller.owner_id,
        actor=caller.actor,
        subject=caller.customer.public_id,
        address=caller.address,
        now=now,
        on_behalf_of=caller.on_behalf_of,
        actor_name=caller.actor_name,
        user_id=caller.user_id,
    )


async def forget_details(tx: Transaction, customer_id: int, billing_email: str, now: datetime) -> None:
    """Leave a customer as it was when it signed up, but for its name; call it with the customer locked.

    It is open again if it was closed. Writes: api_customers.
    """
    await details_store.update_to_signed_up(tx, customer_id, billing_email, now)


def _seal(sealer: Sealer, customer_id: int, column: str, text: str | None) -> str | None:
    if text is None:
        return None
    return base64.b64encode(sealer.seal(text.encode(), _context(customer_id, column))).decode()


def _open(sealer: Sealer, customer_id: int, column: str, sealed: str | None) -> str | None:
    if sealed is None:
        return None
    return sealer.open(base64.b64decode(sealed), _context(customer_id, column)).decode()


def _context(customer_id: int, column: str) -> str:
    return f"api_customers/{customer_id}/{column}"
