"""API keys: how one is written, and what is known of it."""

import binascii
import secrets
from dataclasses import dataclass
from datetime import datetime

from tollway.customers.entities import Mode
from tollway.kit.problems import Unauthenticated

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
RANDOM_LENGTH = 26  # 154 bits
CHECKSUM_LENGTH = 6  # 62**6 exceeds 2**32, so a CRC-32 fits
PUBLIC_LENGTH = 8
API_KEY_LENGTH_MAX = 100
PREFIXES: dict[tuple[str, Mode], str] = {
    ("montecarlo", Mode.TEST): "mc_test_",
    ("montecarlo", Mode.LIVE): "mc_live_",
}


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


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is known of a key; never the key itself."""

    id: int
    customer_id: int
    key_id: str
    name: str
    status: str
    rate_limit_tier: str
    product: str
    mode: Mode
    last_four: str
    last_used_at: datetime | None
    expires_at: datetime | None
    created_at: datetime

    def __post_init__(self) -> None:
        object.__setattr__(self, "mode", Mode(self.mode))

    @property
    def masked(self) -> str:
        """The key as it is shown: prefix and last four."""
        return f"{PREFIXES[self.product, self.mode]}…{self.last_four}"


@dataclass(frozen=True, slots=True)
class IssuedApiKey:
    """A new key together with its secret, which the caller shows and forgets."""

    api_key: ApiKey
    secret: str

    def __repr__(self) -> str:
        return f"IssuedApiKey({self.api_key.key_id})"


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
        f"An API key begins with {' or '.join(PREFIXES.values())}; what was sent does not. "
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
