"""Issue, recognise, rotate and end API keys.

These are the bare verbs: they check no limit and write no audit entry. `management_operations` has them for
people and programs that manage a customer's keys.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from tollway.customers import operations as customers
from tollway.customers.entities import Mode
from tollway.customers.permissions import Scope
from tollway.keys import store
from tollway.keys.entities import (
    KEYS_KEPT_MAX,
    ApiKey,
    ApiKeyAwaitsPayment,
    ApiKeyMissing,
    ApiKeyNotFound,
    ApiKeyOver,
    ApiKeyRotated,
    ApiKeyStatus,
    ApiKeySuspended,
    ApiKeyUnknown,
    IssuedApiKey,
    KeySettings,
    KeyState,
    Standing,
    assert_well_formed,
    is_kept_sealed,
    key_id_of,
    new_secret,
    state_of,
)
from tollway.kit.crypto import Sealer, sha256
from tollway.kit.db import Transaction
from tollway.kit.problems import NotFound, Problem
from tollway.plans import operations as plans
from tollway.plans.entities import Entitlement, SubscriptionEnded

ALL_SCOPES = frozenset(Scope)


async def issue_api_key(
    tx: Transaction,
    sealer: Sealer,
    customer_id: int,
    *,
    product: str,
    mode: Mode,
    name: str,
    tier: str,
    now: datetime,
    scopes: frozenset[Scope] = ALL_SCOPES,
    expires_at: datetime | None = None,
    allowed_networks: tuple[str, ...] = (),
    requests_per_minute_max: int | None = None,
) -> IssuedApiKey:
    """Create an API key and return its secret; a live one's is shown this once and never stored.

    Writes: api_keys.
    """
    secret = new_secret(product, mode)
    key_id = key_id_of(secret)
    sealed = (
        sealer.seal(secret.encode(), _seal_context(customer_id, key_id))
        if is_kept_sealed(product, mode)
        else None
    )
    settings = KeySettings(name, expires_at, allowed_networks, requests_per_minute_max)
    api_key = await store.insert_api_key(
        tx,
        customer_id,
        key_id,
        _hash(secret),
        tier,
        product,
        mode,
        secret[-4:],
        sealed,
        scopes,
        settings,
        now,
    )
    return IssuedApiKey(api_key, secret)


# Recognising ----------------------------------------------------------------------------------------


async def recognise(tx: Transaction, authorization: str | None) -> ApiKey:
    """Return whose key an `Authorization: Bearer` header carries, whatever its state.

    Raises: ApiKeyMissing, ApiKeyMalformed, ApiKeyUnknown; none of their texts repeats what was sent.
    """
    scheme, secret = _parts_of(authorization or "")
    how = "Send your API key in the header `Authorization: Bearer YOUR_API_KEY`"
    if not scheme:
        raise ApiKeyMissing(f"{how}.")
    if scheme.lower() != "bearer":
        raise ApiKeyMissing(f"The Authorization header does not begin with the word Bearer. {how}.")
    if not secret:
        raise ApiKeyMissing(
            "Nothing follows the word Bearer in the Authorization header, where an API key was expected; "
            f"a variable that is empty does this. {how}."
        )
    assert_well_formed(secret)
    api_key = await store.find_by_hash(tx, _hash(secret))
    if api_key is None:
        raise _not_active(f"no key {key_id_of(secret)}")
    return api_key


def _parts_of(authorization: str) -> tuple[str, str]:
    """Return the first word of an `Authorization` header, and what follows it."""
    scheme, _, secret = authorization.strip().partition(" ")
    return scheme, secret.strip()


async def get_standing(tx: Transaction, api_key: ApiKey, now: datetime) -> Standing:
    """Say in which of the six states a key is at `now`, and what to tell whoever is refused for it."""
    customer = await customers.get_customer(tx, api_key.customer_id)
    entitlement = await plans.find_entitlement(tx, api_key.customer_id, api_key.product, now)
    state = state_of(api_key, entitlement.state if entitlement else None, customer.state, now)
    match state:
        case KeyState.ACTIVE | KeyState.PAST_DUE:
            return Standing(state, None)
        case KeyState.PENDING_PAYMENT:
            return Standing(
                state,
                ApiKeyAwaitsPayment(
                    "Your plan waits for its payment; until then your test keys work and your live keys do not."
                ),
            )
        case KeyState.CANCELLED:
            return Standing(state, _ended(entitlement, api_key.product))
        case KeyState.SUSPENDED:
            return Standing(state, customer.refusal() or _suspended(api_key))
        case KeyState.DELETED:
            return Standing(
                state, _not_active(f"key {api_key.key_id} is {api_key.ending(now) or 'its customer erased'}")
            )


async def authenticate(tx: Transaction, authorization: str | None, now: datetime) -> ApiKey:
    """Recognise the key of a header, and refuse one that may do nothing at all.

    Raises: what `recognise` raises, ApiKeySuspended, CustomerSuspended, CustomerDeactivated.
    """
    api_key = await recognise(tx, authorization)
    standing = await get_standing(tx, api_key, now)
    if standing.state in (KeyState.DELETED, KeyState.SUSPENDED) and standing.refusal:
        raise standing.refusal
    return api_key


async def note_use(tx: Transaction, api_key_id: int, now: datetime) -> None:
    """Remember when a key was last used, to the minute."""
    await store.touch(tx, api_key_id, now)


async def note_uses(tx: Transaction, used_us_by_key: Mapping[int, int]) -> None:
    """Remember when many keys were last used (microseconds since 1970, UTC), to the minute. Writes: api_keys."""
    if used_us_by_key:
        await store.touch_many(tx, used_us_by_key)


def _not_active(log_message: str) -> ApiKeyUnknown:
    return ApiKeyUnknown(
        "This API key is not active: it was revoked, was replaced, has expired, or belongs to another installation. "
        "Your dashboard shows the keys that work.",
        log_message=log_message,
    )


def _suspended(api_key: ApiKey) -> ApiKeySuspended:
    reason = f": {api_key.suspended_reason.rstrip('.')}" if api_key.suspended_reason else ""
    return ApiKeySuspended(
        f"This API key was suspended by the people who run this service{reason}. "
        "Write to support to have it looked at again."
    )


def _ended(entitlement: Entitlement | None, product: str) -> Problem:
    if entitlement is None:
        return SubscriptionEnded(f"You have no plan of {product!r}. Choose one to go on.")
    try:
        entitlement.assert_may_write()
    except Problem as problem:
        return problem
    raise AssertionError(entitlement.state)


# Finding --------------------------------------------------------------------------------------------


async def list_api_keys(tx: Transaction, customer_id: int) -> list[ApiKey]:
    """List a customer's keys that were not deleted, newest first."""
    return await store.list_api_keys(tx, customer_id, KEYS_KEPT_MAX)


async def get_api_key(tx: Transaction, customer_id: int, key_id: str, *, lock: bool = False) -> ApiKey:
    """Return a customer's key by its public id; raises ApiKeyNotFound."""
    # A NUL is legal in an address and no text for a database.
    api_key = None if "\0" in key_id else await store.find_by_key_id(tx, customer_id, key_id, lock=lock)
    if api_key is None:
        raise ApiKeyNotFound("You have no API key of that id. Your dashboard lists those you have.")
    return api_key


async def find_own_api_key(tx: Transaction, customer_id: int, api_key_id: int) -> ApiKey | None:
    """Return the key that a caller showed, by its row."""
    return await store.find_by_id(tx, customer_id, api_key_id)


async def find_default_test_key(
    tx: Transaction, customer_id: int, product: str = "montecarlo", scopes: frozenset[Scope] = ALL_SCOPES
) -> ApiKey | None:
    """Return the test key that samples use, or None where every one was revoked.

    Args:
        scopes: the most that it may have, which is what its reader may have shown.
    """
    return await store.find_first_test_key(tx, customer_id, product, scopes)


async def reveal_test_key(tx: Transaction, sealer: Sealer, api_key: ApiKey) -> str:
    """Show a test key again; whoever calls this writes the audit entry. Raises NotFound for a live key."""
    sealed = await store.find_sealed_secret(tx, api_key.id)
    if sealed is None:
        raise NotFound("Only a test key can be shown again; this one was shown once, when it was made.")
    return sealer.open(sealed, _seal_context(api_key.customer_id, api_key.key_id)).decode()


# Changing and ending --------------------------------------------------------------------------------


async def change_api_key(tx: Transaction, api_key: ApiKey, settings: KeySettings, now: datetime) -> None:
    """Change a key's name, expiry, networks and limit; they hold from the next call on. Writes: api_keys."""
    await store.update_settings(tx, api_key.id, settings, now)


async def rotate_api_key(
    tx: Transaction, sealer: Sealer, api_key: ApiKey, grace: timedelta, now: datetime
) -> IssuedApiKey:
    """Issue a successor with the same name, scopes and settings; the old key works strictly before now + grace.

    A key that expires gets a successor that lives as long as it did. Call it with the key's row locked.

    Raises: ApiKeyOver, ApiKeyRotated. Writes: api_keys.
    """
    assert_works(api_key, now)
    if api_key.successor_key_id is not None:
        raise ApiKeyRotated(
            f"This API key was replaced by {api_key.successor_key_id} already. Rotate that one instead."
        )
    issued = await issue_api_key(
        tx,
        sealer,
        api_key.customer_id,
        product=api_key.product,
        mode=api_key.mode,
        name=api_key.name,
        tier=api_key.rate_limit_tier,
        now=now,
        scopes=api_key.scopes,
        expires_at=None if api_key.expires_at is None else now + (api_key.expires_at - api_key.created_at),
        allowed_networks=api_key.allowed_networks,
        requests_per_minute_max=api_key.requests_per_minute_max,
    )
    if not await store.update_to_rotated(tx, api_key.id, issued.api_key.id, now + grace, now):
        raise ApiKeyRotated("This API key was replaced at the same moment. Rotate its successor instead.")
    if not grace:
        await store.update_to_revoked(tx, api_key.id, now)
    return issued


def assert_works(api_key: ApiKey, now: datetime) -> None:
    """Raise ApiKeyOver or ApiKeySuspended for a key that does not work any more, or not now."""
    if ending := api_key.ending(now):
        raise ApiKeyOver(f"This API key works no more: it is {ending}. Make a new one.")
    if api_key.status is ApiKeyStatus.SUSPENDED:
        raise _suspended(api_key)


async def revoke_api_key(tx: Transaction, api_key: ApiKey, now: datetime) -> None:
    """End a key for good; whoever calls this writes the audit entry. Writes: api_keys."""
    await store.update_to_revoked(tx, api_key.id, now)


async def suspend_api_key(tx: Transaction, api_key: ApiKey, reason: str, now: datetime) -> bool:
    """Stop a key until it is unsuspended; False where it was suspended or over already. Writes: api_keys."""
    return bool(await store.update_suspension(tx, api_key.id, ApiKeyStatus.SUSPENDED, reason, now))


async def unsuspend_api_key(tx: Transaction, api_key: ApiKey, now: datetime) -> bool:
    """Let a suspended key work again; False where it was not suspended. Writes: api_keys."""
    return bool(await store.update_suspension(tx, api_key.id, ApiKeyStatus.ACTIVE, "", now))


async def delete_api_key(tx: Transaction, api_key: ApiKey, now: datetime) -> None:
    """Erase a key's hash and leave a tombstone, which the usage log still names. Writes: api_keys."""
    await store.update_to_deleted(tx, api_key.id, now)


async def list_expiring(
    tx: Transaction, now: datetime, last_call: timedelta, first_call: timedelta, limit: int
) -> list[ApiKey]:
    """Lock keys of whose coming expiry their owners must be told, and were not."""
    return await store.lock_expiring(tx, now, now + last_call, now + first_call, limit)


async def mark_told(tx: Transaction, api_key: ApiKey, now: datetime) -> None:
    """Remember that a key's owners were told of its expiry. Writes: api_keys."""
    await store.update_to_told(tx, api_key.id, now)


def _hash(secret: str) -> str:
    return sha256(secret).hex()


def _seal_context(customer_id: int, key_id: str) -> str:
    return f"api_key/{customer_id}/{key_id}"
