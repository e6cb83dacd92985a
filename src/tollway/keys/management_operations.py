"""What people and programs do with a customer's keys: checked, mailed and written into the audit list."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from tollway.customers import member_operations as members
from tollway.customers import operations as customers
from tollway.customers.callers import Caller, Via
from tollway.customers.deed_operations import record_deed
from tollway.customers.entities import AddressNotVerified, Customer, Mode, SignInAgain
from tollway.customers.permissions import Scope, scopes_within
from tollway.keys import operations, store
from tollway.keys.entities import (
    KEYS_KEPT_MAX,
    OVERLAP_HOURS_MAX,
    REASON_LENGTH_MAX,
    ApiKey,
    ApiKeyLimitReached,
    ApiKeyReach,
    IssuedApiKey,
    KeySettings,
    WantedKey,
)
from tollway.kit.crypto import Sealer
from tollway.kit.db import Transaction
from tollway.kit.mail import queue_mail
from tollway.kit.problems import FieldError, Invalid, NotFound
from tollway.notifications import key_mail_operations as key_mails
from tollway.plans import operations as plans
from tollway.plans.entities import Entitlement, SubscriptionStatus


async def create(
    tx: Transaction, sealer: Sealer, caller: Caller, wanted: WantedKey, *, base_url: str, now: datetime
) -> IssuedApiKey:
    """Make a key that the caller asks for; a product that the customer does not hold begins on its free plan.

    Raises: Invalid, ApiKeyReach, SignInAgain, AddressNotVerified, ApiKeyLimitReached.
    Writes: api_keys, audit_entries, outbox_mails; api_subscriptions for a product's first key.
    """
    wanted = wanted.checked(now)
    customer = await customers.lock_customer(tx, caller.owner_id)
    await _assert_reach(tx, caller, wanted.product, wanted.mode, wanted.scopes)
    _assert_role_reaches(caller, wanted.scopes)
    await _assert_bounded(tx, caller, wanted.settings)
    entitlement = await plans.find_entitlement(tx, customer.id, wanted.product, now)
    if wanted.mode is Mode.LIVE or entitlement is None:
        assert_may_make_live(caller, now)
    if entitlement is None:
        entitlement = await _begin_product(tx, customer, wanted.product, now)
    await _assert_room(tx, customer, entitlement, now)
    issued = await operations.issue_api_key(
        tx,
        sealer,
        customer.id,
        product=wanted.product,
        mode=wanted.mode,
        name=wanted.settings.name,
        tier=entitlement.plan.tier,
        now=now,
        scopes=wanted.scopes,
        expires_at=wanted.settings.expires_at,
        allowed_networks=wanted.settings.allowed_networks,
        requests_per_minute_max=wanted.settings.requests_per_minute_max,
    )
    api_key = issued.api_key
    await _record(
        tx,
        caller,
        "api_key.created",
        api_key,
        now,
        {"product": api_key.product, "mode": api_key.mode.value, "scopes": scope_names(api_key)},
    )
    for address in await _owner_addresses(tx, customer):
        mail = key_mails.compose_api_key_created(
            address,
            name=api_key.name,
            key_id=api_key.key_id,
            mode=api_key.mode.value,
            scopes=scope_names(api_key),
            made_by=_called(caller),
            keys_link=f"{base_url}/api-keys/manage",
        )
        await queue_mail(tx, mail, now)
    return issued


async def change(
    tx: Transaction, caller: Caller, key_id: str, settings: KeySettings, now: datetime
) -> ApiKey:
    """Give a key another name, expiry, allow-list or limit a minute; they hold from the next call on.

    Raises: Invalid, ApiKeyNotFound, ApiKeyOver, ApiKeySuspended, ApiKeyReach. Writes: api_keys, audit_entries.
    """
    api_key = await _get_reachable(tx, caller, key_id)
    operations.assert_works(api_key, now)
    if settings.expires_at == api_key.expires_at:
        # It was checked when it was set, and may lie closer by now than a new one might.
        settings = replace(replace(settings, expires_at=None).checked(now), expires_at=api_key.expires_at)
    else:
        settings = settings.checked(now)
    before = (api_key.name, api_key.expires_at, api_key.allowed_networks, api_key.requests_per_minute_max)
    after = (
        settings.name,
        settings.expires_at,
        settings.allowed_networks,
        settings.requests_per_minute_max,
    )
    if before == after:
        return api_key
    await _assert_bounded(tx, caller, settings)
    await operations.change_api_key(tx, api_key, settings, now)
    names = ("name", "expires_at", "allowed_networks", "requests_per_minute_max")
    changed = [name for name, old, new in zip(names, before, after, strict=True) if old != new]
    await _record(tx, caller, "api_key.changed", api_key, now, {"changed": changed})
    return await operations.get_api_key(tx, caller.owner_id, key_id)


async def rotate(
    tx: Transaction,
    sealer: Sealer,
    caller: Caller,
    key_id: str,
    overlap_hours: int,
    *,
    base_url: str,
    now: datetime,
) -> IssuedApiKey:
    """Replace a key; the old one works beside its successor for so many hours, none to 720.

    Raises: Invalid (/overlap_hours), ApiKeyNotFound, ApiKeyOver, ApiKeyRotated, ApiKeySuspended, ApiKeyReach,
    SignInAgain. Writes: api_keys, audit_entries, outbox_mails.
    """
    if not 0 <= overlap_hours <= OVERLAP_HOURS_MAX:
        message = f"Choose an overlap of 0 to {OVERLAP_HOURS_MAX} hours, which is 30 days."
        raise Invalid(message, errors=(FieldError("/overlap_hours", message),))
    customer = await customers.lock_customer(tx, caller.owner_id)
    api_key = await _get_showable(tx, caller, key_id)
    if api_key.mode is Mode.LIVE:
        assert_may_make_live(caller, now)
    await _assert_kept(tx, customer)
    issued = await operations.rotate_api_key(tx, sealer, api_key, timedelta(hours=overlap_hours), now)
    ends_at = now + timedelta(hours=overlap_hours)
    await _record(
        tx,
        caller,
        "api_key.rotated",
        api_key,
        now,
        {"successor": issued.api_key.key_id, "overlap_hours": overlap_hours},
    )
    for address in await _owner_addresses(tx, customer):
        mail = key_mails.compose_api_key_rotated(
            address,
            name=api_key.name,
            key_id=api_key.key_id,
            successor_key_id=issued.api_key.key_id,
            ends_at=ends_at if overlap_hours else None,
            made_by=_called(caller),
            keys_link=f"{base_url}/api-keys/manage",
        )
        await queue_mail(tx, mail, now)
    return issued


async def reveal(tx: Transaction, sealer: Sealer, caller: Caller, key_id: str, now: datetime) -> str:
    """Show a test key again; that it was shown is on record (X8).

    Raises: ApiKeyNotFound, ApiKeyReach; NotFound for a live key and for an `sk-` key. Writes: audit_entries.
    """
    api_key = await _get_showable(tx, caller, key_id)
    secret = await operations.reveal_test_key(tx, sealer, api_key)
    await _record(tx, caller, "api_key.revealed", api_key, now)
    return secret


async def revoke(tx: Transaction, caller: Caller, key_id: str, now: datetime) -> ApiKey:
    """End a key at once and for good; doing it twice changes nothing.

    Raises: ApiKeyNotFound, ApiKeyReach. Writes: api_keys, audit_entries.
    """
    api_key = await _get_reachable(tx, caller, key_id)
    if api_key.revoked_at is None:
        await operations.revoke_api_key(tx, api_key, now)
        await _record(tx, caller, "api_key.revoked", api_key, now)
    return await operations.get_api_key(tx, caller.owner_id, key_id)


async def revoke_self(tx: Transaction, caller: Caller, now: datetime) -> ApiKey:
    """End the key that the caller showed, whatever it may do otherwise: who finds a leaked key can kill it.

    Writes: api_keys, audit_entries.
    """
    api_key = await _own_key(tx, caller)
    await operations.revoke_api_key(tx, api_key, now)
    await _record(tx, caller, "api_key.revoked", api_key, now, {"by": "itself"})
    return api_key


async def delete(tx: Transaction, caller: Caller, key_id: str, now: datetime) -> None:
    """End a key, erase its hash, and take it out of every list; calls in the usage log keep its id.

    Raises: ApiKeyNotFound, ApiKeyReach. Writes: api_keys, audit_entries.
    """
    api_key = await _get_reachable(tx, caller, key_id)
    await operations.delete_api_key(tx, api_key, now)
    await _record(tx, caller, "api_key.deleted", api_key, now)


async def suspend(
    tx: Transaction, caller: Caller, customer_id: int, key_id: str, reason: str, now: datetime
) -> bool:
    """Let an administrator stop one key of a customer, with a reason that its calls are told.

    Returns False where it was suspended or over already. Raises: Invalid (/reason), ApiKeyNotFound.
    Writes: api_keys, audit_entries.
    """
    reason = reason.strip()
    if not 1 <= len(reason) <= REASON_LENGTH_MAX or not reason.isprintable():
        message = f"Give a reason of 1 to {REASON_LENGTH_MAX} printable characters; the customer reads it."
        raise Invalid(message, errors=(FieldError("/reason", message),))
    api_key = await operations.get_api_key(tx, customer_id, key_id, lock=True)
    if not await operations.suspend_api_key(tx, api_key, reason, now):
        return False
    await _record(tx, caller, "api_key.suspended", api_key, now, {"reason": reason})
    return True


async def unsuspend(tx: Transaction, caller: Caller, customer_id: int, key_id: str, now: datetime) -> bool:
    """Let an administrator start a suspended key again; False where it was not suspended.

    Raises: ApiKeyNotFound. Writes: api_keys, audit_entries.
    """
    api_key = await operations.get_api_key(tx, customer_id, key_id, lock=True)
    if not await operations.unsuspend_api_key(tx, api_key, now):
        return False
    await _record(tx, caller, "api_key.unsuspended", api_key, now)
    return True


async def tell_expiring(
    tx: Transaction,
    now: datetime,
    last_call: timedelta,
    first_call: timedelta,
    *,
    base_url: str,
    limit: int,
) -> int:
    """Mail the owners of keys that expire within `first_call`, and once more within `last_call`.

    Returns how many keys were told of. Writes: api_keys, outbox_mails.
    """
    found = await operations.list_expiring(tx, now, last_call, first_call, limit)
    for api_key in found:
        await operations.mark_told(tx, api_key, now)
        assert api_key.expires_at is not None, "only keys that expire are listed"
        for address in await _owner_addresses(tx, await customers.get_customer(tx, api_key.customer_id)):
            mail = key_mails.compose_api_key_expiring(
                address,
                name=api_key.name,
                key_id=api_key.key_id,
                mode=api_key.mode.value,
                expires_at=api_key.expires_at,
                keys_link=f"{base_url}/api-keys/manage",
            )
            await queue_mail(tx, mail, now)
    return len(found)


async def list_visible(tx: Transaction, caller: Caller) -> list[ApiKey]:
    """List the keys that a caller may know of, newest first: a key knows those of its own mode alone (X11)."""
    found = await operations.list_api_keys(tx, caller.owner_id)
    return [one for one in found if caller.via is not Via.KEY or one.mode is caller.mode]


async def get_visible(tx: Transaction, caller: Caller, key_id: str, *, lock: bool = False) -> ApiKey:
    """Return a key that the caller may know of; raises ApiKeyNotFound."""
    api_key = await operations.get_api_key(tx, caller.owner_id, key_id, lock=lock)
    if caller.via is Via.KEY and api_key.mode is not caller.mode:
        # The same answer as for a key that is not there.
        return await operations.get_api_key(tx, caller.owner_id, "")
    return api_key


async def product_of(tx: Transaction, caller: Caller) -> str:
    """Return the product that a caller's key is for, or nothing for a person."""
    return (await _own_key(tx, caller)).product if caller.via is Via.KEY else ""


def scope_names(api_key: ApiKey) -> list[str]:
    """Write a key's scopes in the order of the guide."""
    return [scope.value for scope in Scope if scope in api_key.scopes]


def assert_may_make_live(caller: Caller, now: datetime) -> None:
    """Refuse a person who might be anybody at a borrowed browser; raises AddressNotVerified, SignInAgain."""
    if caller.via is Via.KEY:
        return
    if not caller.verified:
        raise AddressNotVerified("Verify your address first: enter the code that we mailed.")
    if not caller.is_fresh(now):
        raise SignInAgain("Prove once more who you are, and go on: this needs a sign-in within 15 minutes.")


async def _get_reachable(tx: Transaction, caller: Caller, key_id: str) -> ApiKey:
    # Whoever changes keys of one customer does so one after the other.
    await customers.lock_customer(tx, caller.owner_id)
    api_key = await get_visible(tx, caller, key_id, lock=True)
    await _assert_reach(tx, caller, api_key.product, api_key.mode, api_key.scopes)
    return api_key


async def _get_showable(tx: Transaction, caller: Caller, key_id: str) -> ApiKey:
    """Return a key whose secret, or that of its successor, the caller may see: one that gives them nothing new."""
    api_key = await _get_reachable(tx, caller, key_id)
    _assert_role_reaches(caller, api_key.scopes)
    # A key may always replace itself.
    if api_key.id != caller.api_key_id:
        await _assert_bounded(
            tx, caller, KeySettings(api_key.name, api_key.expires_at, api_key.allowed_networks)
        )
    return api_key


def _assert_role_reaches(caller: Caller, scopes: frozenset[Scope]) -> None:
    """Let no person see the secret of a key that may do what they may not do themselves."""
    if caller.via is Via.KEY:
        return
    beyond = [scope.value for scope in Scope if scope in scopes - scopes_within(caller.permissions)]
    if beyond:
        raise ApiKeyReach(
            f"A key with the scope {', '.join(beyond)} may do more than your role; only an owner has one made, "
            "replaced or shown. Choose fewer scopes, or ask an owner of your team."
        )


async def _assert_reach(
    tx: Transaction, caller: Caller, product: str, mode: Mode, scopes: frozenset[Scope]
) -> None:
    """Let a key manage only keys of its own product and mode that may do no more than itself."""
    if caller.via is not Via.KEY:
        return
    own = await _own_key(tx, caller)
    if (product, mode) != (own.product, own.mode):
        raise ApiKeyReach(
            f"This is a {own.mode} key of {own.product}; it makes and manages keys of that kind alone. "
            "A person of your team can do it on the page of your keys."
        )
    beyond = [scope.value for scope in Scope if scope in scopes - own.scopes]
    if beyond:
        raise ApiKeyReach(
            f"A key makes and manages no key with a scope that it lacks itself: {', '.join(beyond)}. "
            "A person of your team can do it on the page of your keys."
        )


async def _assert_bounded(tx: Transaction, caller: Caller, settings: KeySettings) -> None:
    """Let a key give no other key more time or more places than it has itself, so that a stolen one ends."""
    if caller.via is not Via.KEY:
        return
    if not (await _own_key(tx, caller)).bounds(settings.expires_at, settings.allowed_networks):
        raise ApiKeyReach(
            "A key makes, changes and shows no key that expires later than itself, or that takes calls from more "
            "networks. "
            "A person of your team can do it on the page of your keys."
        )


async def _own_key(tx: Transaction, caller: Caller) -> ApiKey:
    assert caller.api_key_id is not None, "a person has no key of their own"
    api_key = await operations.find_own_api_key(tx, caller.owner_id, caller.api_key_id)
    assert api_key is not None, "it was recognised in this request, and rows of keys stay"
    return api_key


async def _begin_product(tx: Transaction, customer: Customer, product: str, now: datetime) -> Entitlement:
    free_plan = await plans.find_free_plan(tx, product)
    if free_plan is None:
        raise NotFound(f"There is no free plan of {product!r}; choose a plan first.")
    await plans.subscribe(tx, customer.id, product, free_plan.tier, SubscriptionStatus.ACTIVE, now)
    return await plans.get_entitlement(tx, customer.id, product, now)


async def _assert_room(tx: Transaction, customer: Customer, entitlement: Entitlement, now: datetime) -> None:
    product, most = entitlement.plan.product, entitlement.limits.api_keys_max
    if await store.count_working(tx, customer.id, product, now) >= most:
        raise ApiKeyLimitReached(
            f"Your plan {entitlement.plan.name} has room for {most} working API key{'s' * (most != 1)} of this "
            "product. Revoke one that is not used, or choose a larger plan.",
            members={"limit": "api_keys", "limit_value": most},
        )
    await _assert_kept(tx, customer)


async def _assert_kept(tx: Transaction, customer: Customer) -> None:
    if await store.count_kept(tx, customer.id) >= KEYS_KEPT_MAX:
        raise ApiKeyLimitReached(
            f"{KEYS_KEPT_MAX} API keys are kept for you, the revoked ones included. Delete some of those first.",
            members={"limit": "api_keys_kept", "limit_value": KEYS_KEPT_MAX},
        )


async def _owner_addresses(tx: Transaction, customer: Customer) -> list[str]:
    """List where mails about keys go; nowhere until the customer's own address is proven."""
    if not (await customers.get_user(tx, customer.user_id)).verified:
        return []
    return await members.list_owner_emails(tx, customer.id)


def _called(caller: Caller) -> str:
    return caller.actor_name or f"the API key {caller.key_id}…"


async def _record(
    tx: Transaction,
    caller: Caller,
    action: str,
    api_key: ApiKey,
    now: datetime,
    details: dict[str, Any] | None = None,
) -> None:
    await record_deed(tx, caller, action, api_key.key_id, now, details, customer_id=api_key.customer_id)
