"""What administrators do to one API key of a customer; each is on record with its reason."""

from datetime import datetime

from tollway.administration import operations as reading
from tollway.administration.action_operations import checked_reason
from tollway.audit import operations as audit
from tollway.customers.callers import Caller
from tollway.keys import management_operations as management
from tollway.keys import operations as keys
from tollway.kit.db import Transaction
from tollway.kit.problems import Conflict


async def suspend_key(tx: Transaction, by: Caller, key_id: str, reason: str, now: datetime) -> None:
    """Refuse a key from its next call on, until it is taken back; its calls are told the reason.

    Raises: NotFound, Conflict, Invalid (/reason). Writes: api_keys, audit_entries.
    """
    reason = checked_reason(reason)
    row = await reading.get_key(tx, key_id)
    if not await management.suspend(tx, by, row.customer_id, key_id, reason, now):
        raise Conflict(f"The key {key_id} is {row.standing(now)}; it cannot be suspended.")


async def unsuspend_key(tx: Transaction, by: Caller, key_id: str, reason: str, now: datetime) -> None:
    """Let a suspended key work again.

    Raises: NotFound, Conflict, Invalid (/reason). Writes: api_keys, audit_entries.
    """
    reason = checked_reason(reason)
    row = await reading.get_key(tx, key_id)
    api_key = await keys.get_api_key(tx, row.customer_id, key_id, lock=True)
    if not await keys.unsuspend_api_key(tx, api_key, now):
        raise Conflict(f"The key {key_id} is {row.standing(now)}; it is not suspended.")
    await _record(tx, "api_key.unsuspended", by, row.customer_id, key_id, reason, now)


async def revoke_key(tx: Transaction, by: Caller, key_id: str, reason: str, now: datetime) -> None:
    """End a key for good.

    Raises: NotFound, Conflict, Invalid (/reason). Writes: api_keys, audit_entries.
    """
    reason = checked_reason(reason)
    row = await reading.get_key(tx, key_id)
    api_key = await keys.get_api_key(tx, row.customer_id, key_id, lock=True)
    if api_key.revoked_at is not None:
        raise Conflict(f"The key {key_id} is revoked already.")
    await keys.revoke_api_key(tx, api_key, now)
    await _record(tx, "api_key.revoked", by, row.customer_id, key_id, reason, now)


async def _record(
    tx: Transaction, action: str, by: Caller, customer_id: int, key_id: str, reason: str, now: datetime
) -> None:
    await audit.record_entry(
        tx,
        action=action,
        customer_id=customer_id,
        actor=by.actor,
        subject=key_id,
        address=by.address,
        now=now,
        details={"reason": reason},
        actor_name=by.actor_name,
        user_id=by.user_id,
    )
