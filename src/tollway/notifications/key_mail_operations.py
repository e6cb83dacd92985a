"""Compose the mails about API keys. None of them carries a secret."""

from collections.abc import Sequence
from datetime import datetime

from tollway.kit.mail import Mail
from tollway.notifications.rendering import compose


def compose_api_key_created(
    to_address: str,
    *,
    name: str,
    key_id: str,
    mode: str,
    scopes: Sequence[str],
    made_by: str,
    keys_link: str,
) -> Mail:
    """Tell a customer's owners that there is a new key, so that one that nobody wanted is noticed."""
    return compose(
        "api_key_created",
        to_address,
        f"A {mode} API key was made: {name}",
        {
            "name": name,
            "key_id": key_id,
            "mode": mode,
            "scopes": ", ".join(scopes),
            "made_by": made_by,
            "keys_link": keys_link,
        },
    )


def compose_api_key_rotated(
    to_address: str,
    *,
    name: str,
    key_id: str,
    successor_key_id: str,
    ends_at: datetime | None,
    made_by: str,
    keys_link: str,
) -> Mail:
    """Tell a customer's owners that a key has a successor, and when the old one ends.

    Args:
        ends_at: until when, strictly before, the old one works; None where it ended at once.
    """
    return compose(
        "api_key_rotated",
        to_address,
        f"An API key was replaced: {name}",
        {
            "name": name,
            "key_id": key_id,
            "successor_key_id": successor_key_id,
            "ends_at": "" if ends_at is None else _moment(ends_at),
            "made_by": made_by,
            "keys_link": keys_link,
        },
    )


def compose_api_key_expiring(
    to_address: str, *, name: str, key_id: str, mode: str, expires_at: datetime, keys_link: str
) -> Mail:
    """Tell a customer's owners that a key is about to expire, while there is time to replace it."""
    return compose(
        "api_key_expiring",
        to_address,
        f"An API key expires on {expires_at.day} {expires_at:%B %Y}: {name}",
        {
            "name": name,
            "key_id": key_id,
            "mode": mode,
            "expires_at": _moment(expires_at),
            "keys_link": keys_link,
        },
    )


def _moment(moment: datetime) -> str:
    return f"{moment.day} {moment:%B %Y at %H:%M} UTC"
