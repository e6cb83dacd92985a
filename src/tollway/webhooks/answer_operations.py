"""How the making of a webhook that is repeated is answered: nothing is made, and no secret is shown again."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from tollway.customers.callers import Caller
from tollway.kit import idempotency
from tollway.kit.db import Transaction


async def answer_once(
    tx: Transaction,
    caller: Caller,
    where: str,
    idempotency_key: str | None,
    content: Any,
    now: datetime,
    work: Callable[[], Awaitable[dict[str, Any]]],
) -> dict[str, Any]:
    """Return what `work` answers; a repeated `Idempotency-Key` gets the same with null for its secret.

    Args:
        where: method and path of the request.
        content: what was sent, as plain values.
        work: returns plain values, among them `secret`.

    Raises: BadIdempotencyKey, IdempotencyKeyReused. Writes: idempotency_records, which never hold a secret.
    """
    scope = f"{caller.owner_id}/{caller.actor}/{where}"
    return await idempotency.answer_once(
        tx, scope, idempotency_key, content, now, work, lambda answer: answer | {"secret": None}
    )
