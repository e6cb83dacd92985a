"""Give one customer more than their plan, or something else in its place for a while."""

from datetime import datetime

from tollway.audit import operations as audit
from tollway.customers import operations as customers
from tollway.kit.db import Transaction
from tollway.kit.ids import new_id
from tollway.kit.problems import Conflict, FieldError, Invalid, NotFound
from tollway.plans import adjustment_store
from tollway.plans.entities import (
    FEATURE_PREFIX,
    LIMIT_MAX,
    SUBJECTS,
    UNBOUNDED_NAMES,
    Adjustment,
    AdjustmentKind,
)
from tollway.plans.entitlement_operations import find_entitlement, lift_quotas

REASON_LENGTH_MAX = 500
# More than anyone keeps in mind; who needs more needs another plan.
ADJUSTMENTS_IN_FORCE_MAX = 100
ADJUSTMENTS_SHOWN_MAX = 200


async def grant(
    tx: Transaction,
    customer_id: int,
    product: str,
    subject: str,
    amount: int | None,
    *,
    reason: str,
    created_by: str,
    now: datetime,
    ends_at: datetime | None = None,
    address: str | None = None,
) -> Adjustment:
    """Add to what a customer's plan gives, from now on or until `ends_at`.

    Args:
        subject: `requests_included`, the name of a limit, or `feature:NAME`.
        amount: how much more; None lifts the bound where there may be none; 1 for a feature.
        created_by: the actor, `user:usr_...` or `job:...`.

    Raises: Invalid, NotFound, Conflict. Writes: entitlement_adjustments, usage_quotas, audit_entries.
    """
    return await _adjust(
        tx, customer_id, product, AdjustmentKind.GRANT, subject, amount, ends_at, reason, created_by, now, address
    )  # fmt: skip


async def override(
    tx: Transaction,
    customer_id: int,
    product: str,
    subject: str,
    amount: int | None,
    *,
    ends_at: datetime,
    reason: str,
    created_by: str,
    now: datetime,
    address: str | None = None,
) -> Adjustment:
    """Put an amount in the place of what a customer's plan and grants give, until `ends_at`.

    Of two overrides of one limit the newer counts. Arguments, errors and rows are those of `grant`; a feature
    is switched on by 1 and off by 0.
    """
    return await _adjust(
        tx, customer_id, product, AdjustmentKind.OVERRIDE, subject, amount, ends_at, reason, created_by, now, address
    )  # fmt: skip


async def end_adjustment(
    tx: Transaction,
    customer_id: int,
    adjustment_id: str,
    *,
    ended_by: str,
    now: datetime,
    address: str | None = None,
) -> Adjustment:
    """End a grant or an override at once; ending it twice changes nothing.

    Raises: NotFound. Writes: entitlement_adjustments, usage_quotas, audit_entries.
    """
    await customers.lock_customer(tx, customer_id)
    found = await adjustment_store.find_adjustment(tx, customer_id, adjustment_id)
    if found is None:
        raise NotFound("There is no such grant or override of this customer.")
    if found.ended_at is not None or (found.ends_at is not None and found.ends_at <= now):
        return found
    await adjustment_store.update_to_ended(tx, found.id, now)
    await lift_quotas(tx, customer_id, found.product, now)
    await audit.record_entry(
        tx,
        action=f"{found.kind}.ended",
        customer_id=customer_id,
        actor=ended_by,
        subject=found.public_id,
        address=address,
        now=now,
        details={"product": found.product, "limit": found.subject},
    )
    ended = await adjustment_store.find_adjustment(tx, customer_id, adjustment_id)
    assert ended is not None
    return ended


async def list_adjustments(tx: Transaction, customer_id: int) -> list[Adjustment]:
    """List what a customer was given, newest first, ended ones too."""
    return await adjustment_store.list_adjustments(tx, customer_id, ADJUSTMENTS_SHOWN_MAX)


async def _adjust(
    tx: Transaction,
    customer_id: int,
    product: str,
    kind: AdjustmentKind,
    subject: str,
    amount: int | None,
    ends_at: datetime | None,
    reason: str,
    created_by: str,
    now: datetime,
    address: str | None,
) -> Adjustment:
    _assert_sound(kind, subject, amount, ends_at, reason.strip(), now)
    await customers.lock_customer(tx, customer_id)
    if await find_entitlement(tx, customer_id, product, now) is None:
        raise NotFound(f"This customer has no subscription to {product!r}.")
    if await adjustment_store.count_in_force(tx, customer_id, product, now) >= ADJUSTMENTS_IN_FORCE_MAX:
        raise Conflict(
            f"This customer has {ADJUSTMENTS_IN_FORCE_MAX} grants and overrides of {product!r}. End one first."
        )
    adjustment = await adjustment_store.insert_adjustment(
        tx,
        new_id("adj"),
        customer_id,
        product,
        kind.value,
        subject,
        amount,
        now,
        ends_at,
        reason.strip(),
        created_by,
        now,
    )
    await lift_quotas(tx, customer_id, product, now)
    await audit.record_entry(
        tx,
        action="grant.made" if kind is AdjustmentKind.GRANT else "override.made",
        customer_id=customer_id,
        actor=created_by,
        subject=adjustment.public_id,
        address=address,
        now=now,
        details={
            "product": product,
            "limit": subject,
            "amount": amount,
            "ends_at": None if ends_at is None else ends_at.isoformat(),
        },
    )
    return adjustment


def _assert_sound(
    kind: AdjustmentKind,
    subject: str,
    amount: int | None,
    ends_at: datetime | None,
    reason: str,
    now: datetime,
) -> None:
    faults = {
        "/subject": "" if subject in SUBJECTS else f"must be one of: {', '.join(SUBJECTS)}.",
        "/amount": _amount_fault(kind, subject, amount),
        "/ends_at": "must be later than now." if ends_at is not None and ends_at <= now else "",
        "/reason": ""
        if 0 < len(reason) <= REASON_LENGTH_MAX
        else f"must have 1 to {REASON_LENGTH_MAX} characters.",
    }
    errors = tuple(FieldError(pointer, fault) for pointer, fault in faults.items() if fault)
    if errors:
        words = " ".join(f"{one.pointer[1:]} {one.message}" for one in errors)
        raise Invalid(f"The {kind.value} cannot be made as it is: {words}", errors=errors)


def _amount_fault(kind: AdjustmentKind, subject: str, amount: int | None) -> str:
    if subject.startswith(FEATURE_PREFIX):
        allowed = (1,) if kind is AdjustmentKind.GRANT else (0, 1)
        return "" if amount in allowed else f"must be {' or '.join(map(str, allowed))} for a feature."
    if amount is None:
        return "" if subject in UNBOUNDED_NAMES else f"must be a number: {subject} cannot be without a bound."
    least = 1 if kind is AdjustmentKind.GRANT else 0
    return "" if least <= amount <= LIMIT_MAX else f"must be from {least} to {LIMIT_MAX:,}."
