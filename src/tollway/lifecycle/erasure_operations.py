"""Erase a customer: nobody can be found any more, and the books and the audit list stay whole (C37, X30)."""

from dataclasses import dataclass
from datetime import datetime
from html import escape

from tollway.audit import operations as audit
from tollway.customers import operations as customers
from tollway.customers.callers import Caller
from tollway.customers.entities import Customer
from tollway.kit.db import Transaction
from tollway.kit.problems import FieldError, Invalid
from tollway.lifecycle import erasure_store
from tollway.lifecycle.erasure_store import Erasing
from tollway.lifecycle.export_operations import assert_verified
from tollway.metering import usage_operations


@dataclass(frozen=True, slots=True)
class Erased:
    """What an erasure did: how many people were emptied, and how many only left."""

    people_erased: int
    people_left: int


async def erase_customer(tx: Transaction, caller: Caller, company_name: str, now: datetime) -> Erased:
    """Delete everything that the caller's customer made, and every trace of its people, for good.

    What stays: subscriptions, quotas, numbers of calls and the entries of the audit list, which name nobody
    any more. Files are deleted by the next sweep. The addresses may sign up again.

    Args:
        company_name: typed once more, so that nobody does this by accident.

    Raises: AddressNotVerified, Invalid (/company_name). Writes: nearly every table.

    INVARIANT: no name, address or secret of the customer is found anywhere afterwards
    (tests/lifecycle/test_erasure.py::test_no_trace_is_left_in_any_column_of_any_table).
    INVARIANT: the books sum to what they summed to before, and no audit entry changed
    (tests/lifecycle/test_erasure.py::test_the_books_and_the_audit_list_stay_whole).
    """
    assert_verified(caller)
    # Calls that lie in a journal still arrive later, and then without address and user agent.
    await usage_operations.hold_arrivals(tx)
    customer = await customers.lock_customer(tx, caller.owner_id)
    if company_name.strip() != customer.company_name:
        message = f"Type the company's name exactly as it is written here: {customer.company_name}"
        raise Invalid(message, errors=(FieldError("/company_name", message),))
    leaving = await erasure_store.list_leaving(tx, customer.id)
    gone = [one for one in leaving if not one.stays]
    erasing = Erasing(
        customer_id=customer.id,
        public_id=customer.public_id,
        company=customer.company_name,
        company_in_html=escape(customer.company_name),
        user_ids=[one.user_id for one in gone],
        user_public_ids=[one.public_id for one in gone],
        own_addresses=[one.email for one in gone if one.verified],
        known_addresses=await erasure_store.list_known_addresses(tx, customer.id),
    )
    await erasure_store.erase_rows(tx, erasing, now)
    while await erasure_store.strip_usage(tx, customer.id):
        pass
    await audit.erase_persons(tx, customer_id=customer.id)
    for one in gone:
        await audit.erase_persons(tx, user_id=one.user_id)
    await _record(tx, caller, customer, erased=len(gone), left=len(leaving) - len(gone), now=now)
    return Erased(len(gone), len(leaving) - len(gone))


async def _record(
    tx: Transaction, caller: Caller, customer: Customer, *, erased: int, left: int, now: datetime
) -> None:
    # Without name and address: whoever did it is erased too.
    await audit.record_entry(
        tx,
        action="customer.erased",
        customer_id=customer.id,
        actor=caller.actor,
        subject=customer.public_id,
        address=None,
        now=now,
        details={"people_erased": erased, "people_left": left},
    )
