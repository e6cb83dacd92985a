"""API keys: how one is written, what is known of it, and what its state lets it do."""

import binascii
import enum
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from tollway.customers.entities import CustomerState, Mode
from tollway.customers.permissions import Scope
from tollway.kit.problems import (
    Conflict,
    FieldError,
    Forbidden,
    Invalid,
    NotFound,
    PaymentRequired,
    Problem,
    Unauthenticated,
)
from tollway.plans.entities import EntitlementState

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
RANDOM_LENGTH = 26  # 154 bits
CHECKSUM_LENGTH = 6  # 62**6 exceeds 2**32, so a CRC-32 fits
PUBLIC_LENGTH = 8
API_KEY_LENGTH_MAX = 100
# How keys begin, as catalog.toml says it too (tests/keys/test_entities.py holds them together). An `sk-`
# does not tell its mode: that stands beside it.
PREFIXES: dict[tuple[str, Mode], str] = {
    ("montecarlo", Mode.TEST): "mc_test_",
    ("montecarlo", Mode.LIVE): "mc_live_",
    ("wallet", Mode.TEST): "wk_test_",
    ("wallet", Mode.LIVE): "wk_live_",
    ("agents", Mode.TEST): "sk-",
    ("agents", Mode.LIVE): "sk-",
}
PRODUCTS = tuple(dict.fromkeys(product for product, _ in PREFIXES))
# Their keys are shown once in either mode (X8).
SHOWN_ONCE_PRODUCTS = frozenset({"agents"})


class ApiKeyStatus(enum.StrEnum):
    """What is stored of a key's state (B11); everything else is computed."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    REVOKED = "revoked"
    DELETED = "deleted"


# Problems -----------------------------------------------------------------------------------------


class ApiKeyMissing(Unauthenticated):
    """No key came with the call."""

    code = "api-key-missing"
    title = "No API key was sent"


class ApiKeyMalformed(Unauthenticated):
    """It is not one of our keys, or a character of it is wrong: told without a look-up."""

    code = "api-key-malformed"
    title = "That is not an API key of ours"


class ApiKeyUnknown(Unauthenticated):
    """It is well formed, but no such key is active."""

    code = "api-key-unknown"
    title = "That API key is not active"


class ApiKeyNotFound(NotFound):
    """The caller has no such key, or it was deleted."""

    code = "api-key-not-found"
    title = "There is no such API key"


class ApiKeySuspended(Forbidden):
    """An administrator stopped this key, and says why."""

    code = "api-key-suspended"
    title = "This API key is suspended"


class ApiKeyAwaitsPayment(PaymentRequired):
    """Until the plan is paid for, test keys alone work."""

    code = "api-key-awaits-payment"
    title = "This API key waits for a payment"


class ApiKeyOfAnotherProduct(Forbidden):
    """A key works for the product that it was made for."""

    code = "api-key-of-another-product"
    title = "That API key is for another product"


class ApiKeyReach(Forbidden):
    """A key may make or manage no key that can do more than itself."""

    code = "api-key-reach"
    title = "That is beyond this API key"


class ApiKeyLimitReached(Conflict):
    """The plan has no room for one more key."""

    code = "api-key-limit-reached"
    title = "There are as many API keys as there may be"


class ApiKeyOver(Conflict):
    """A key that does not work any more can neither be changed nor replaced."""

    code = "api-key-over"
    title = "That API key is over"


class ApiKeyRotated(Conflict):
    """It was replaced already; its successor can be."""

    code = "api-key-rotated"
    title = "That API key was replaced already"


# A key and its secret -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is known of a key; never the key itself."""

    id: int
    customer_id: int
    key_id: str
    name: str
    status: ApiKeyStatus
    rate_limit_tier: str
    product: str
    mode: Mode
    last_four: str
    last_used_at: datetime | None
    expires_at: datetime | None
    created_at: datetime
    scopes: frozenset[Scope]
    allowed_networks: tuple[str, ...]
    requests_per_minute_max: int | None
    # The key that replaced this one, since when, and until when (strictly before) both work.
    successor_key_id: str | None
    rotated_at: datetime | None
    grace_until: datetime | None
    suspended_reason: str
    revoked_at: datetime | None

    def __post_init__(self) -> None:
        object.__setattr__(self, "status", ApiKeyStatus(self.status))
        object.__setattr__(self, "mode", Mode(self.mode))
        object.__setattr__(self, "scopes", frozenset(Scope(one) for one in self.scopes))
        object.__setattr__(self, "allowed_networks", tuple(self.allowed_networks))

    @property
    def masked(self) -> str:
        """The key as it is shown: prefix and last four."""
        return f"{PREFIXES[self.product, self.mode]}…{self.last_four}"

    @property
    def can_be_revealed(self) -> bool:
        """Whether its secret is kept, sealed, to be shown again."""
        return self.status is ApiKeyStatus.ACTIVE and is_kept_sealed(self.product, self.mode)

    def ending(self, now: datetime) -> str:
        """Say in a word why it does not work any more, or nothing while it may."""
        if self.status is ApiKeyStatus.DELETED:
            return "deleted"
        if self.status is ApiKeyStatus.REVOKED:
            return "replaced" if self.successor_key_id else "revoked"
        if self.grace_until is not None and self.grace_until <= now:
            return "replaced"
        if self.expires_at is not None and self.expires_at <= now:
            return "expired"
        return ""

    def in_overlap(self, now: datetime) -> bool:
        """Whether it was replaced and still works beside its successor."""
        return self.grace_until is not None and not self.ending(now)

    def bounds(self, expires_at: datetime | None, networks: tuple[str, ...]) -> bool:
        """Whether a key of this expiry and allow-list lives no longer and is taken from no more places."""
        outlives = self.expires_at is not None and (expires_at is None or expires_at > self.expires_at)
        if outlives or not self.allowed_networks:
            return not outlives
        own = [ip_network(network) for network in self.allowed_networks]
        return bool(networks) and all(
            any(_lies_within(ip_network(network), outer) for outer in own) for network in networks
        )

    def takes_calls_from(self, address: str) -> bool:
        """Whether its allow-list lets this address call; an empty list lets every address."""
        if not self.allowed_networks:
            return True
        caller = ip_address(address)
        return any(caller in ip_network(network) for network in self.allowed_networks)


@dataclass(frozen=True, slots=True)
class IssuedApiKey:
    """A new key together with its secret, which the caller shows and forgets."""

    api_key: ApiKey
    secret: str

    def __repr__(self) -> str:
        return f"IssuedApiKey({self.api_key.key_id})"


def is_kept_sealed(product: str, mode: Mode) -> bool:
    """Whether a key can be shown again: a test key, but never one that is shown once by its kind (X8)."""
    return mode is Mode.TEST and product not in SHOWN_ONCE_PRODUCTS


def new_secret(product: str, mode: Mode) -> str:
    """Write a new key: prefix, 26 random characters, and 6 of checksum over both (A35, X5)."""
    body = PREFIXES[product, mode] + "".join(secrets.choice(ALPHABET) for _ in range(RANDOM_LENGTH))
    return body + checksum(body)


def checksum(text: str) -> str:
    """Write the CRC-32 of a text as six base62 characters."""
    number, digits = binascii.crc32(text.encode()), ""
    for _ in range(CHECKSUM_LENGTH):
        number, digit = divmod(number, len(ALPHABET))
        digits = ALPHABET[digit] + digits
    return digits


def key_id_of(secret: str) -> str:
    """Return the public part of a key: its prefix and the 8 characters after it."""
    return secret[: len(prefix_of(secret)) + PUBLIC_LENGTH]


def prefix_of(secret: str) -> str:
    """Return which of our prefixes a text begins with, or raise ApiKeyMalformed."""
    for prefix in PREFIXES.values():
        if secret.startswith(prefix):
            return prefix
    raise ApiKeyMalformed(
        f"An API key begins with {' or '.join(dict.fromkeys(PREFIXES.values()))}; what was sent does not. "
        "Copy it again from your dashboard."
    )


def assert_well_formed(secret: str) -> None:
    """Raise ApiKeyMalformed for anything that we cannot have issued, without asking the database."""
    prefix = prefix_of(secret[:API_KEY_LENGTH_MAX])
    length = len(prefix) + RANDOM_LENGTH + CHECKSUM_LENGTH
    if len(secret) != length:
        raise ApiKeyMalformed(
            f"An API key with the prefix {prefix} has {length} characters; the one sent has {len(secret)}. "
            "Part of it was probably lost when it was copied."
        )
    if checksum(secret[:-CHECKSUM_LENGTH]) != secret[-CHECKSUM_LENGTH:]:
        raise ApiKeyMalformed("The API key has a typing mistake: its checksum does not fit. Copy it again.")


# What a state lets a key do -------------------------------------------------------------------------


class KeyState(enum.StrEnum):
    """The six states of a key (B8), computed from the key, its product's subscription and its customer."""

    PENDING_PAYMENT = "pending_payment"
    ACTIVE = "active"
    PAST_DUE = "past_due"
    SUSPENDED = "suspended"
    CANCELLED = "cancelled"
    DELETED = "deleted"


class CallKind(enum.StrEnum):
    """What a call is, as far as the state of its key matters."""

    TEST_READ = "test_read"
    TEST_WRITE = "test_write"
    LIVE_READ = "live_read"
    LIVE_WRITE = "live_write"
    # Choosing and paying for a plan: the way out of not having one.
    PAY = "pay"
    REVOKE_SELF = "revoke_self"


_OF_ENTITLEMENT = {
    EntitlementState.PENDING_PAYMENT: KeyState.PENDING_PAYMENT,
    EntitlementState.ACTIVE: KeyState.ACTIVE,
    EntitlementState.PAST_DUE: KeyState.PAST_DUE,
    EntitlementState.CANCELLED: KeyState.CANCELLED,
    # Nothing was ever held of the key's product.
    None: KeyState.CANCELLED,
}


def state_of(
    api_key: ApiKey, entitlement: EntitlementState | None, customer: CustomerState, now: datetime
) -> KeyState:
    """Compute a key's state at `now`; what is gravest counts."""
    if api_key.ending(now) or customer is CustomerState.ERASED:
        return KeyState.DELETED
    if api_key.status is ApiKeyStatus.SUSPENDED or customer is not CustomerState.ACTIVE:
        return KeyState.SUSPENDED
    return _OF_ENTITLEMENT[entitlement]


def _row(
    *,
    test: type[Problem] | None,
    live_read: type[Problem] | None,
    live_write: type[Problem] | None,
    pay: type[Problem] | None,
    revoke_self: type[Problem] | None = None,
    test_write: type[Problem] | None = None,
) -> Mapping[CallKind, type[Problem] | None]:
    return {
        CallKind.TEST_READ: test,
        CallKind.TEST_WRITE: test_write or test,
        CallKind.LIVE_READ: live_read,
        CallKind.LIVE_WRITE: live_write,
        CallKind.PAY: pay,
        CallKind.REVOKE_SELF: revoke_self,
    }


_PAY, _NOT, _WHO = PaymentRequired, Forbidden, Unauthenticated

# What each state allows (X9): None lets a call through, a kind of Problem says how it is refused.
# Whoever is past due may write, within limits that shrank to those of the free plan.
ACCESS: Mapping[KeyState, Mapping[CallKind, type[Problem] | None]] = {
    KeyState.PENDING_PAYMENT: _row(test=None, live_read=_PAY, live_write=_PAY, pay=None),
    KeyState.ACTIVE: _row(test=None, live_read=None, live_write=None, pay=None),
    KeyState.PAST_DUE: _row(test=None, live_read=None, live_write=None, pay=None),
    KeyState.SUSPENDED: _row(test=_NOT, live_read=_NOT, live_write=_NOT, pay=_NOT),
    KeyState.CANCELLED: _row(test=None, test_write=_PAY, live_read=None, live_write=_PAY, pay=None),
    KeyState.DELETED: _row(test=_WHO, live_read=_WHO, live_write=_WHO, pay=_WHO, revoke_self=_WHO),
}


@dataclass(frozen=True, slots=True)
class Standing:
    """A key's state at a moment, and the Problem that tells whoever is refused because of it."""

    state: KeyState
    refusal: Problem | None

    def refusal_of(self, kind: CallKind) -> Problem | None:
        """Return why a call of this kind is refused, or None where it is let through."""
        kind_of_problem = ACCESS[self.state][kind]
        if kind_of_problem is None:
            return None
        assert isinstance(self.refusal, kind_of_problem), (self.state, kind, self.refusal)
        return self.refusal


# What is asked for ----------------------------------------------------------------------------------

NAME_LENGTH_MAX = 100
NETWORKS_MAX = 50
REQUESTS_PER_MINUTE_MAX = 100_000
REASON_LENGTH_MAX = 500
LIFETIME_DAYS_MAX = 1_826
OVERLAP_HOURS_MAX = 720
# Revoked ones included; beyond that, some are deleted first.
KEYS_KEPT_MAX = 500


@dataclass(frozen=True, slots=True)
class KeySettings:
    """What a key's owner decides about it."""

    name: str
    expires_at: datetime | None = None
    allowed_networks: tuple[str, ...] = ()
    requests_per_minute_max: int | None = None

    def checked(self, now: datetime) -> "KeySettings":
        """Return them as they are kept; raises Invalid with one error for each that cannot be used."""
        faults: dict[str, str] = {}
        name = self.name.strip()
        networks, network_faults = _read_networks(self.allowed_networks)
        faults |= network_faults
        if not 1 <= len(name) <= NAME_LENGTH_MAX or not name.isprintable():
            faults["/name"] = f"Give it a name of 1 to {NAME_LENGTH_MAX} printable characters."
        limit = self.requests_per_minute_max
        if limit is not None and not 1 <= limit <= REQUESTS_PER_MINUTE_MAX:
            faults["/requests_per_minute_max"] = f"Choose from 1 to {REQUESTS_PER_MINUTE_MAX:,} a minute."
        if self.expires_at is not None and (fault := _expiry_fault(self.expires_at, now)):
            faults["/expires_at"] = fault
        if faults:
            raise Invalid(
                " ".join(faults.values()),
                errors=tuple(FieldError(pointer, fault) for pointer, fault in faults.items()),
            )
        return KeySettings(name, self.expires_at, networks, limit)


@dataclass(frozen=True, slots=True)
class WantedKey:
    """A key that somebody asks for."""

    product: str
    mode: Mode
    scopes: frozenset[Scope]
    settings: KeySettings

    def checked(self, now: datetime) -> "WantedKey":
        """Return it as it is made; raises Invalid."""
        if self.product not in PRODUCTS:
            message = f"Choose one of the products: {', '.join(PRODUCTS)}."
            raise Invalid(message, errors=(FieldError("/product", message),))
        if not self.scopes:
            message = f"Choose at least one of the scopes: {', '.join(Scope)}."
            raise Invalid(message, errors=(FieldError("/scopes", message),))
        return WantedKey(self.product, self.mode, self.scopes, self.settings.checked(now))


def _expiry_fault(expires_at: datetime, now: datetime) -> str:
    if expires_at <= now:
        return "The expiry must lie in the future."
    if (expires_at - now).days >= LIFETIME_DAYS_MAX:
        return f"A key expires within {LIFETIME_DAYS_MAX:,} days, or never: leave the expiry out."
    return ""


def _read_networks(written: tuple[str, ...]) -> tuple[tuple[str, ...], dict[str, str]]:
    """Write networks the one way we keep them, and say what is wrong with each that cannot be."""
    if len(written) > NETWORKS_MAX:
        return (), {"/allowed_networks": f"At most {NETWORKS_MAX} networks can be listed."}
    found: list[IPv4Network | IPv6Network] = []
    faults: dict[str, str] = {}
    for index, text in enumerate(written):
        try:
            network = ip_network(text.strip())
        except ValueError:
            faults[f"/allowed_networks/{index}"] = _network_fault(text.strip())
            continue
        if network.version == 6 and network.network_address.ipv4_mapped is not None:
            faults[f"/allowed_networks/{index}"] = "Write an IPv4 address as such: calls from it arrive so."
            continue
        found.append(network)
    return tuple(dict.fromkeys(str(network) for network in found)), faults


def _lies_within(inner: IPv4Network | IPv6Network, outer: IPv4Network | IPv6Network) -> bool:
    return (
        inner.version == outer.version
        and inner.network_address in outer
        and inner.prefixlen >= outer.prefixlen
    )


def _network_fault(text: str) -> str:
    try:
        meant = ip_network(text, strict=False)
    except ValueError:
        return f"{text[:50]!r} is no address or network; they look like 203.0.113.7 or 2001:db8::/32."
    return f"{text[:50]} names one address and a whole network; write {meant} for the network."
