"""Sealing, signing and hashing of secrets, by the `cryptography` and `argon2` libraries.

Sealed values are AES-256-GCM envelopes: a fresh data key encrypts the value, the master key wraps the
data key, and both layers are bound to a context (who owns it, which row), so that a sealed value moved
to another row does not open. Source of the layout: NIST SP 800-38D and the design record 0007.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from dataclasses import dataclass

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

ENVELOPE_VERSION = 1
NONCE_BYTES = 12
DATA_KEY_BYTES = 32
WRAPPED_BYTES = DATA_KEY_BYTES + 16
# A passphrase is stretched once at start; the salt only separates our use of it from others.
SCRYPT_SALT = b"tollway master key v1"
PASSPHRASE_LENGTH_MIN = 32


class CannotOpen(Exception):
    """A sealed value does not open: damaged, moved to another context, or sealed under another master key."""


def master_key_from_text(text: str) -> bytes:
    """Turn the setting ENCRYPTION_KEY into 32 bytes.

    Base64 of exactly 32 bytes (what `tollway keygen` prints) is used as it is; any other text of at
    least 32 characters is stretched through scrypt (N=2**15, r=8, p=1).
    """
    try:
        decoded = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        decoded = b""
    if len(decoded) == DATA_KEY_BYTES:
        return decoded
    assert len(text) >= PASSPHRASE_LENGTH_MIN, "settings refuse a shorter passphrase before this line"
    return Scrypt(salt=SCRYPT_SALT, length=DATA_KEY_BYTES, n=2**15, r=8, p=1).derive(text.encode())


@dataclass(frozen=True, slots=True)
class Sealer:
    """Seals and opens small secrets under one master key of 32 bytes."""

    master_key: bytes

    def seal(self, secret: bytes, context: str) -> bytes:
        """Encrypt `secret` so that it opens only with the same `context`."""
        data_key = AESGCM.generate_key(bit_length=256)
        wrap_nonce, nonce = secrets.token_bytes(NONCE_BYTES), secrets.token_bytes(NONCE_BYTES)
        wrapped = AESGCM(self.master_key).encrypt(wrap_nonce, data_key, context.encode())
        body = AESGCM(data_key).encrypt(nonce, secret, context.encode())
        return bytes([ENVELOPE_VERSION]) + wrap_nonce + wrapped + nonce + body

    def open(self, sealed: bytes, context: str) -> bytes:
        """Decrypt what `seal` made; raises CannotOpen."""
        head = 1 + NONCE_BYTES
        middle = head + WRAPPED_BYTES
        if len(sealed) < middle + NONCE_BYTES or sealed[0] != ENVELOPE_VERSION:
            raise CannotOpen("not an envelope of this version")
        try:
            data_key = AESGCM(self.master_key).decrypt(sealed[1:head], sealed[head:middle], context.encode())
            nonce, body = sealed[middle : middle + NONCE_BYTES], sealed[middle + NONCE_BYTES :]
            return AESGCM(data_key).decrypt(nonce, body, context.encode())
        except InvalidTag as failure:
            raise CannotOpen("wrong master key, wrong context, or damaged") from failure

    def subkey(self, label: str) -> bytes:
        """Derive 32 bytes for another purpose (HKDF-SHA256), so that no key serves two."""
        return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=label.encode()).derive(
            self.master_key
        )


def sha256(text: str) -> bytes:
    """Hash a secret that is random enough to need no slow hash (from 112 bits of entropy)."""
    return hashlib.sha256(text.encode()).digest()


def keyed_hash(key: bytes, text: str) -> bytes:
    """Hash something guessable, such as a six-digit code, under a key (HMAC-SHA256)."""
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def equal_in_constant_time(left: bytes, right: bytes) -> bool:
    """Compare two secrets without telling by the time taken how much of them agrees."""
    return hmac.compare_digest(left, right)


# OWASP's parameters: 19 MiB, two passes, one lane; about 25 ms on one core.
_passwords = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
# Verified against when there is no user, so that the answer takes the same time.
_no_such_user = _passwords.hash(secrets.token_urlsafe(16))


def hash_password(password: str) -> str:
    """Hash a password with argon2id. Takes about 25 ms of CPU: call it in a bounded executor."""
    return _passwords.hash(password)


def password_matches(password: str, password_hash: str | None) -> bool:
    """Say whether the password is the one that was hashed; takes as long when there is no hash."""
    try:
        _passwords.verify(password_hash or _no_such_user, password)
        return password_hash is not None
    except (VerificationError, InvalidHashError):
        return False
