"""Secrets of webhooks, and the two signatures that a delivery carries."""

import base64
import binascii
import secrets
from collections.abc import Sequence
from datetime import datetime

from tollway.kit.crypto import keyed_hash

SECRET_PREFIX = "whsec_"  # noqa: S105 - how one begins, not one
SECRET_BYTES = 32
# What Standard Webhooks asks of a secret.
SECRET_BYTES_MIN = 24
SECRET_BYTES_MAX = 64
SECRET_LENGTH_MAX = 100


def new_secret() -> str:
    """Write a new secret: `whsec_` and 32 random bytes in base64."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def secret_fault(secret: str) -> str:
    """Say what is wrong with a secret of a customer's own, or nothing."""
    try:
        key = secret_key(secret) if len(secret) <= SECRET_LENGTH_MAX else b""
    except (binascii.Error, ValueError):
        key = b""
    if secret.startswith(SECRET_PREFIX) and SECRET_BYTES_MIN <= len(key) <= SECRET_BYTES_MAX:
        return ""
    return (
        f"A secret is `{SECRET_PREFIX}` followed by {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX} random bytes in base64. "
        "Leave it out to get one of ours."
    )


def secret_key(secret: str) -> bytes:
    """Return the bytes that a secret stands for; raises ValueError."""
    return base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)


def signed_headers(
    delivery_id: str, event: str, body: str, secrets_: Sequence[str], moment: datetime
) -> dict[str, str]:
    """Write the headers of one try, signed with each secret (X28).

    `webhook-signature` follows Standard Webhooks 1.0.0: HMAC-SHA256 over `id.timestamp.body`, keyed with the bytes of
    the secret, in base64; several in a row while a former secret still counts. `X-Tollway-Signature` is the hexadecimal
    HMAC-SHA256 over `timestamp.body`, keyed with the secret as text, as clients of the earlier system compute it; that
    by a former secret has a header of its own, so that comparing whole headers goes on working.
    """
    timestamp = str(int(moment.timestamp()))
    standard = [
        base64.b64encode(keyed_hash(secret_key(one), f"{delivery_id}.{timestamp}.{body}")).decode()
        for one in secrets_
    ]
    plain = [f"sha256={keyed_hash(one.encode(), f'{timestamp}.{body}').hex()}" for one in secrets_]
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Tollway-Webhooks/1.0",
        "webhook-id": delivery_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{one}" for one in standard),
        "X-Tollway-Event": event,
        "X-Tollway-Delivery": delivery_id,
        "X-Tollway-Timestamp": timestamp,
        "X-Tollway-Signature": plain[0],
    }
    return headers | ({"X-Tollway-Signature-Former": plain[1]} if len(plain) > 1 else {})
