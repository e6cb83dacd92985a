"""Issue an API key, recognise one, reveal a test key."""

from datetime import datetime

from tollway.customers.entities import Mode
from tollway.keys import store
from tollway.keys.entities import (
    ApiKey,
    ApiKeyMissing,
    ApiKeyUnknown,
    IssuedApiKey,
    assert_well_formed,
    key_id_of,
    new_secret,
)
from tollway.kit.crypto import Sealer, sha256
from tollway.kit.db import Transaction
from tollway.kit.problems import NotFound


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
) -> IssuedApiKey:
    """Create an API key and return its secret; a live one's is shown this once and never stored.

    Writes: api_keys.
    """
    secret = new_secret(product, mode)
    key_id = key_id_of(secret)
    sealed = sealer.seal(secret.encode(), _seal_context(customer_id, key_id)) if mode is Mode.TEST else None
    api_key = await store.insert_api_key(
        tx, customer_id, key_id, _hash(secret), name, tier, product, mode, secret[-4:], sealed, now
    )
    return IssuedApiKey(api_key, secret)


async def authenticate(tx: Transaction, authorization: str | None, now: datetime) -> ApiKey:
    """Recognise the key of an `Authorization: Bearer` header.

    Raises: ApiKeyMissing, ApiKeyMalformed, ApiKeyUnknown; none of their texts repeats what was sent.
    """
    scheme, _, secret = (authorization or "").strip().partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        how = "Send your API key in the header `Authorization: Bearer YOUR_API_KEY`"
        if authorization:
            raise ApiKeyMissing(f"The Authorization header does not begin with the word Bearer. {how}.")
        raise ApiKeyMissing(f"{how}.")
    secret = secret.strip()
    assert_well_formed(secret)
    api_key = await store.find_active_by_hash(tx, _hash(secret), now)
    if api_key is None:
        raise ApiKeyUnknown(
            "This API key is not active: it was revoked, has expired, or belongs to another installation. "
            "Your dashboard shows the keys that work.",
            log_message=f"no active key {key_id_of(secret)}",
        )
    return api_key


async def find_default_test_key(
    tx: Transaction, customer_id: int, product: str = "montecarlo"
) -> ApiKey | None:
    """Return the test key that samples use, or None where every one was revoked."""
    return await store.find_first_test_key(tx, customer_id, product)


async def reveal_test_key(tx: Transaction, sealer: Sealer, api_key: ApiKey) -> str:
    """Show a test key again; whoever calls this writes the audit entry. Raises NotFound for a live key."""
    sealed = await store.find_sealed_secret(tx, api_key.id)
    if sealed is None:
        raise NotFound("Only a test key can be shown again; a live key was shown once, when it was made.")
    return sealer.open(sealed, _seal_context(api_key.customer_id, api_key.key_id)).decode()


async def revoke_api_key(tx: Transaction, api_key: ApiKey, now: datetime) -> None:
    """End a key for good; whoever calls this writes the audit entry. Writes: api_keys."""
    await store.update_to_revoked(tx, api_key.id, now)


async def note_use(tx: Transaction, api_key_id: int, now: datetime) -> None:
    """Remember when a key was last used, to the minute."""
    await store.touch(tx, api_key_id, now)


def _hash(secret: str) -> str:
    return sha256(secret).hex()


def _seal_context(customer_id: int, key_id: str) -> str:
    return f"api_key/{customer_id}/{key_id}"
