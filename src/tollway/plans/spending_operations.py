"""What a customer lets a period cost above the plan."""

from datetime import datetime
from decimal import Decimal

from tollway.customers import operations as customers
from tollway.customers.callers import Caller
from tollway.customers.deed_operations import record_deed
from tollway.kit.db import Transaction
from tollway.kit.problems import FieldError, Invalid
from tollway.plans import store
from tollway.plans.entities import SPENDING_CAP_MAX, Entitlement
from tollway.plans.entitlement_operations import get_entitlement, lift_quotas


async def set_spending_cap(
    tx: Transaction, caller: Caller, product: str, cap: Decimal | None, now: datetime
) -> Entitlement:
    """Let a period of the caller's plan cost this much above it and no more; None: no bound of their own.

    It counts from the next call on, in the period under way too: calls stop where what is used beyond the
    included requests comes to it. What was used stays used, and what processes hold already may still be spent.
    Plans that sell nothing beyond what is included stop there anyway. Setting the same again changes nothing.

    Args:
        cap: an amount of the plan's currency, with two decimals at most.

    Raises: NotFound, Invalid. Writes: api_subscriptions, usage_quotas, audit_entries.
    """
    cap = _checked(cap)
    await customers.lock_customer(tx, caller.owner_id)
    held = await get_entitlement(tx, caller.owner_id, product, now)
    if held.subscription.spending_cap == cap:
        return held
    await store.update_spending_cap(tx, held.subscription.id, cap, now)
    await record_deed(
        tx,
        caller,
        "subscription.spending_cap_set",
        held.subscription.public_id,
        now,
        {"product": product, "cap": None if cap is None else str(cap), "currency": held.plan.currency},
        customer_id=caller.owner_id,
    )
    return await lift_quotas(tx, caller.owner_id, product, now)


def _checked(cap: Decimal | None) -> Decimal | None:
    if cap is None:
        return None
    if cap.is_finite() and 0 <= cap <= SPENDING_CAP_MAX and cap == cap.quantize(Decimal("0.01")):
        return cap.quantize(Decimal("0.01"))
    message = (
        f"The spending cap must be an amount from 0 to {SPENDING_CAP_MAX:,} with two decimals at most, such as "
        "25.00. Leave it out to have none."
    )
    raise Invalid(message, errors=(FieldError("/cap", message),))
