"""Write what a caller did into the audit list."""

from datetime import datetime
from typing import Any

from tollway.audit import operations as audit
from tollway.customers.callers import Caller
from tollway.kit.db import Transaction


async def record_deed(
    tx: Transaction,
    caller: Caller,
    action: str,
    subject: str,
    now: datetime,
    details: dict[str, Any] | None = None,
    *,
    customer_id: int | None,
) -> None:
    """Write down that a caller did something; see `audit.record_entry`.

    Args:
        customer_id: whose list it belongs to; None for the installation's own.
    """
    await audit.record_entry(
        tx,
        action=action,
        customer_id=customer_id,
        actor=caller.actor,
        subject=subject,
        address=caller.address,
        now=now,
        details=details,
        on_behalf_of=caller.on_behalf_of,
        actor_name=caller.actor_name,
        user_id=caller.user_id,
    )
