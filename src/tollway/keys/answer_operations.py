"""What pages and endpoints say about a customer's keys, and how a creation that is repeated is answered."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tollway.customers.callers import Caller
from tollway.customers.entities import CustomerState
from tollway.keys import management_operations as management
from tollway.keys.entities import ApiKey, ApiKeyStatus, KeyState, state_of
from tollway.kit import idempotency
from tollway.kit.db import Transaction
from tollway.metering import operations as metering
from tollway.plans import operations as plans
from tollway.plans.entities import Entitlement

# What stands in the place of a secret in the answer to a repeated request.
SECRET_MEMBERS = ("secret_key", "api_key")
REPEATED = (
    "This is the answer to a repeated request: the key was made by the first one, whose answer alone carried the "
    "secret. If that answer was lost, revoke this key and make another."
)


@dataclass(frozen=True, slots=True)
class DescribedKey:
    """A key with what its owner wants to know of it now."""

    api_key: ApiKey
    state: KeyState
    # Why it is in that state, in a few words; empty while it is active.
    reason: str
    entitlement: Entitlement | None
    requests_used: int
    # How many calls came with it since it was replaced; None outside an overlap.
    calls_since_rotation: int | None

    @property
    def is_active(self) -> bool:
        """Whether it is neither over nor suspended."""
        return self.state not in (KeyState.DELETED, KeyState.SUSPENDED)


async def list_described(tx: Transaction, caller: Caller, now: datetime) -> list[DescribedKey]:
    """Describe every key that the caller may know of, newest first."""
    return await describe(tx, caller, await management.list_visible(tx, caller), now)


async def get_described(tx: Transaction, caller: Caller, key_id: str, now: datetime) -> DescribedKey:
    """Describe one key; raises ApiKeyNotFound."""
    (described,) = await describe(tx, caller, [await management.get_visible(tx, caller, key_id)], now)
    return described


async def describe(tx: Transaction, caller: Caller, found: list[ApiKey], now: datetime) -> list[DescribedKey]:
    """Say of each key in which state it is, what it used in the period under way, and who still calls with it."""
    held = {one.plan.product: one for one in await plans.list_held(tx, caller.owner_id, now)}
    used = {
        product: await metering.list_key_units(tx, caller.owner_id, entitlement.period_start)
        for product, entitlement in held.items()
    }
    customer_state = caller.customer.state if caller.customer else CustomerState.ACTIVE
    described = []
    for api_key in found:
        entitlement = held.get(api_key.product)
        state = state_of(api_key, entitlement.state if entitlement else None, customer_state, now)
        calls = None
        if api_key.in_overlap(now) and api_key.rotated_at is not None:
            calls = await metering.count_calls_of_key(tx, caller.owner_id, api_key.id, api_key.rotated_at)
        described.append(
            DescribedKey(
                api_key,
                state,
                _why(api_key, state, now),
                entitlement,
                used.get(api_key.product, {}).get(api_key.id, 0),
                calls,
            )
        )
    return described


def _why(api_key: ApiKey, state: KeyState, now: datetime) -> str:
    match state:
        case KeyState.ACTIVE:
            return ""
        case KeyState.PENDING_PAYMENT:
            return "The plan waits for its payment: test keys work, live keys do not."
        case KeyState.PAST_DUE:
            return "A payment is overdue: limits are those of the free plan."
        case KeyState.CANCELLED:
            return "The plan has ended: keys read, and change nothing."
        case KeyState.SUSPENDED:
            if api_key.status is ApiKeyStatus.SUSPENDED:
                return api_key.suspended_reason or "An administrator stopped it."
            return "The customer is suspended or deactivated."
        case KeyState.DELETED:
            return f"It is {api_key.ending(now) or 'deleted'}."


async def answer_once(
    tx: Transaction,
    caller: Caller,
    where: str,
    idempotency_key: str | None,
    content: Any,
    now: datetime,
    work: Callable[[], Awaitable[dict[str, Any]]],
) -> dict[str, Any]:
    """Return what `work` answers; a repeated `Idempotency-Key` is answered without its secret, and makes nothing.

    Args:
        where: method and path of the request.
        content: what was sent, as plain values.

    Raises: BadIdempotencyKey, IdempotencyKeyReused. Writes: idempotency_records, which never hold a secret.
    """
    scope = f"{caller.owner_id}/{caller.actor}/{where}"
    return await idempotency.answer_once(tx, scope, idempotency_key, content, now, work, _without_secret)


def _without_secret(answer: dict[str, Any]) -> dict[str, Any]:
    kept = {name: None if name in SECRET_MEMBERS else value for name, value in answer.items()}
    # The member that people read tells why the secret is not there.
    kept["warning" if "warning" in answer else "message"] = REPEATED
    return kept
