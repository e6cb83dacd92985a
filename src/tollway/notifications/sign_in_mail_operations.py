"""Compose the mails about signing in: new places, changed credentials, forgotten passwords, other addresses."""

from datetime import UTC, datetime

from tollway.kit.mail import Mail
from tollway.notifications.rendering import compose


def compose_new_place(
    to_address: str, *, at: datetime, address: str, browser: str, security_link: str
) -> Mail:
    """Tell a user that they were signed in from somewhere new, and what to do where it was not them."""
    values = {"at": _moment(at), "address": address, "browser": browser, "security_link": security_link}
    return compose("new_place", to_address, "Sign-in from a new place", values)


def compose_security_notice(to_address: str, *, what: str, at: datetime, address: str, browser: str) -> Mail:
    """Tell a user that something they sign in with was changed.

    Args:
        what: one sentence, such as `Your password was changed.`
    """
    values = {"what": what, "at": _moment(at), "address": address, "browser": browser}
    return compose("security_notice", to_address, "A change to how you sign in", values)


def compose_reset_password(to_address: str, *, link: str, minutes: int) -> Mail:
    """Let whoever reads the mailbox choose a new password."""
    return compose("reset_password", to_address, "Choose a new password", {"link": link, "minutes": minutes})


def compose_change_email(to_address: str, *, present: str, link: str, hours: int) -> Mail:
    """Ask whoever reads the new mailbox to prove that it is theirs."""
    return compose(
        "change_email",
        to_address,
        "Confirm your new address",
        {"present": present, "link": link, "hours": hours},
    )


def compose_email_taken(to_address: str, *, sign_in_link: str) -> Mail:
    """Tell the owner of an address that somebody wanted to change to it."""
    return compose("email_taken", to_address, "This address has an account", {"sign_in_link": sign_in_link})


def compose_key_in_clear(to_address: str, *, key_id: str, at: datetime, address: str, keys_link: str) -> Mail:
    """Tell an owner that an API key travelled where others may have read it."""
    values = {"key_id": key_id, "at": _moment(at), "address": address, "keys_link": keys_link}
    return compose("key_in_clear", to_address, "An API key was sent unencrypted", values)


def _moment(at: datetime) -> str:
    in_utc = at.astimezone(UTC)
    return f"{in_utc.day} {in_utc:%B %Y, %H:%M} UTC"
