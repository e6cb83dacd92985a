"""What administrators do: suspend, give, take back, look in somebody's place. Each is on record with its reason."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tollway.administration import store
from tollway.administration.entities import REASON_LENGTH_MAX, TEXT_PATTERN
from tollway.customers import admin_operations as administration
from tollway.customers import operations as customers
from tollway.customers.callers import Caller
from tollway.customers.deed_operations import record_deed
from tollway.customers.entities import (
    Customer,
    CustomerState,
    NotOnOneself,
    PermissionMissing,
    User,
)
from tollway.customers.permissions import Permission, UserType
from tollway.kit.db import Transaction
from tollway.kit.problems import Conflict, FieldError, Invalid, NotFound
from tollway.plans import operations as plans
from tollway.plans.entities import Adjustment, AdjustmentKind


@dataclass(frozen=True, slots=True)
class SuspendedCustomer:
    """A customer who was suspended or reactivated, and how many of its keys that stops or starts."""

    customer: Customer
    keys_touched: int


# Customers ----------------------------------------------------------------------------------------


async def suspend_customer(
    tx: Transaction, by: Caller, customer_id: str, reason: str, now: datetime
) -> SuspendedCustomer:
    """Stop everything that a customer does, from its very next call on; it reads the reason.

    Raises: NotFound, Conflict, Invalid (/reason). Writes: api_customers, audit_entries.
    """
    reason = checked_reason(reason)
    customer = await _lock_customer(tx, customer_id)
    await administration.suspend_customer(tx, customer, reason, now)
    key_count = await store.count_working_keys(tx, customer.id, now)
    await _record(tx, "customer.suspended", by, customer, customer.public_id, now, reason, keys=key_count)
    return SuspendedCustomer(await customers.get_customer(tx, customer.id), key_count)


async def reactivate_customer(
    tx: Transaction, by: Caller, customer_id: str, reason: str, now: datetime
) -> SuspendedCustomer:
    """Let a suspended customer work again, with the keys it had.

    Raises: NotFound, Conflict, Invalid (/reason). Writes: api_customers, audit_entries.
    """
    reason = checked_reason(reason)
    customer = await _lock_customer(tx, customer_id)
    await administration.reactivate_customer(tx, customer, now)
    key_count = await store.count_working_keys(tx, customer.id, now)
    await _record(tx, "customer.reactivated", by, customer, customer.public_id, now, reason, keys=key_count)
    return SuspendedCustomer(await customers.get_customer(tx, customer.id), key_count)


async def adjust_limit(
    tx: Transaction,
    by: Caller,
    customer_id: str,
    kind: AdjustmentKind,
    *,
    product: str,
    subject: str,
    amount: int | None,
    ends_at: datetime | None,
    reason: str,
    now: datetime,
) -> Adjustment:
    """Give a customer more of something, or put an amount in the place of it until a day; counts at once.

    Raises: NotFound, Conflict, Invalid (/subject, /amount, /ends_at, /reason).
    Writes: entitlement_adjustments, usage_quotas, audit_entries.
    """
    customer = await _get_customer(tx, customer_id)
    if kind is AdjustmentKind.GRANT:
        return await plans.grant(
            tx,
            customer.id,
            product,
            subject,
            amount,
            ends_at=ends_at,
            reason=reason,
            created_by=by.actor,
            now=now,
            address=by.address,
        )
    if ends_at is None:
        raise _invalid("/ends_at", "An override needs a day on which it ends.")
    return await plans.override(
        tx,
        customer.id,
        product,
        subject,
        amount,
        ends_at=ends_at,
        reason=reason,
        created_by=by.actor,
        now=now,
        address=by.address,
    )


async def end_adjustment(
    tx: Transaction, by: Caller, customer_id: str, adjustment_id: str, now: datetime
) -> Adjustment:
    """End a grant or an override at once; ending it twice changes nothing. Raises: NotFound."""
    customer = await _get_customer(tx, customer_id)
    return await plans.end_adjustment(
        tx, customer.id, adjustment_id, ended_by=by.actor, now=now, address=by.address
    )


# Users --------------------------------------------------------------------------------------------


async def change_user_type(
    tx: Transaction, by: Caller, user_id: str, user_type: str, reason: str, now: datetime
) -> User:
    """Give somebody another kind, and end their sessions, so that it counts from their next request on.

    Raises: NotFound, NotOnOneself, Invalid (/user_type, /reason), Conflict, LastSuperAdministrator.
    Writes: users, user_sessions, audit_entries.
    """
    reason = checked_reason(reason)
    if user_type not in set(UserType):
        raise _invalid("/user_type", f"must be one of: {', '.join(UserType)}")
    user = await _lock_user(tx, user_id)
    if user.id == by.user_id:
        raise NotOnOneself("You cannot change your own user type; another super administrator can.")
    ended = await administration.change_user_type(tx, user, UserType(user_type), now)
    await _record(
        tx,
        "user.type_changed",
        by,
        await customers.find_customer_of(tx, user.id),
        user.public_id,
        now,
        reason,
        was=user.user_type.value,
        now_is=user_type,
        sessions_ended=ended,
    )
    return await customers.get_user(tx, user.id)


async def disable_user(tx: Transaction, by: Caller, user_id: str, reason: str, now: datetime) -> User:
    """Keep somebody from signing in, and end their sessions at once.

    Raises: NotFound, NotOnOneself, PermissionMissing, Invalid (/reason), Conflict, LastSuperAdministrator.
    Writes: users, user_sessions, audit_entries.
    """
    reason = checked_reason(reason)
    user = await _lock_user(tx, user_id)
    if user.id == by.user_id:
        raise NotOnOneself("You cannot disable yourself; another administrator can.")
    _assert_may_touch(by, user)
    ended = await administration.disable_user(tx, user, now)
    await _record_user(tx, "user.disabled", by, user, now, reason, sessions_ended=ended)
    return await customers.get_user(tx, user.id)


async def enable_user(tx: Transaction, by: Caller, user_id: str, reason: str, now: datetime) -> User:
    """Let somebody sign in again.

    Raises: NotFound, PermissionMissing, Invalid (/reason), Conflict. Writes: users, audit_entries.
    """
    reason = checked_reason(reason)
    user = await _lock_user(tx, user_id)
    _assert_may_touch(by, user)
    await administration.enable_user(tx, user, now)
    await _record_user(tx, "user.enabled", by, user, now, reason)
    return await customers.get_user(tx, user.id)


async def end_sessions(tx: Transaction, by: Caller, user_id: str, reason: str, now: datetime) -> int:
    """Sign somebody out everywhere; return from how many browsers and programs.

    Raises: NotFound, PermissionMissing, Invalid (/reason). Writes: user_sessions, audit_entries.
    """
    reason = checked_reason(reason)
    user = await _lock_user(tx, user_id)
    _assert_may_touch(by, user)
    kept = by.session_id if user.id == by.user_id else None
    ended = await customers.end_other_sessions(tx, user.id, now, kept_session_id=kept)
    await _record_user(tx, "user.signed_out_everywhere", by, user, now, reason, sessions_ended=ended)
    return ended


# In a customer's place ----------------------------------------------------------------------------


async def begin_impersonation(
    tx: Transaction, by: Caller, customer_id: str, reason: str, now: datetime
) -> datetime:
    """Look at a customer's pages in its place, read-only, for half an hour; return until when.

    The customer reads in its activity that it happened. Raises: NotFound, Conflict, Invalid (/reason).
    Writes: user_sessions, audit_entries.
    """
    reason = checked_reason(reason)
    customer = await _get_customer(tx, customer_id)
    if customer.state is CustomerState.ERASED:
        raise Conflict("This customer was erased; there is nothing left to look at.")
    assert by.session_id is not None, "only people look"
    until = await administration.begin_impersonation(tx, by.session_id, customer, now)
    await _record(
        tx,
        "impersonation.begun",
        by,
        customer,
        customer.public_id,
        now,
        reason,
        until=until.isoformat(timespec="seconds"),
    )
    return until


async def end_impersonation(tx: Transaction, by: Caller, now: datetime) -> None:
    """Stop looking; stopping twice changes nothing. Writes: user_sessions, audit_entries."""
    if not by.impersonator or by.customer is None:
        return
    assert by.session_id is not None, "only people look"
    await administration.end_impersonation(tx, by.session_id)
    await _record(tx, "impersonation.ended", by, by.customer, by.customer.public_id, now, "")


# Beneath all of them ------------------------------------------------------------------------------


def checked_reason(reason: str) -> str:
    """Return a reason that can be kept; raises Invalid with pointer /reason."""
    reason = " ".join(reason.split())
    if not reason:
        raise _invalid("/reason", "Say why: it stands in the audit list for whoever asks later.")
    if len(reason) > REASON_LENGTH_MAX or not re.fullmatch(TEXT_PATTERN, reason):
        raise _invalid(
            "/reason", f"Use at most {REASON_LENGTH_MAX} characters, none of them a control character."
        )
    return reason


def _assert_may_touch(by: Caller, user: User) -> None:
    """Leave administrators to super administrators."""
    if user.user_type.administers and user.id != by.user_id and not by.may(Permission.ADMIN_USER_TYPES):
        raise PermissionMissing(
            f"{user.email} is an administrator; a super administrator alone may do that.",
            members={"permission": Permission.ADMIN_USER_TYPES.value},
        )


async def _get_customer(tx: Transaction, customer_id: str) -> Customer:
    customer = await customers.find_customer(tx, customer_id)
    if customer is None:
        raise NotFound("There is no such customer.")
    return customer


async def _lock_customer(tx: Transaction, customer_id: str) -> Customer:
    return await customers.lock_customer(tx, (await _get_customer(tx, customer_id)).id)


async def _lock_user(tx: Transaction, user_id: str) -> User:
    found = await administration.get_user_by_public_id(tx, user_id)
    user = await customers.lock_user(tx, found.id)
    if user is None:
        raise NotFound("There is no such user.")
    return user


async def _record_user(
    tx: Transaction, action: str, by: Caller, user: User, now: datetime, reason: str, **details: Any
) -> None:
    customer = await customers.find_customer_of(tx, user.id)
    await _record(tx, action, by, customer, user.public_id, now, reason, **details)


async def _record(
    tx: Transaction,
    action: str,
    by: Caller,
    customer: Customer | None,
    subject: str,
    now: datetime,
    reason: str,
    **details: Any,
) -> None:
    details = {**({"reason": reason} if reason else {}), **details}
    await record_deed(tx, by, action, subject, now, details, customer_id=customer.id if customer else None)


def _invalid(pointer: str, sentence: str) -> Invalid:
    return Invalid(sentence, errors=(FieldError(pointer, sentence),))
