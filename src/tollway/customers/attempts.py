"""How often strangers may try what they may try, before anyone knows who they are."""

import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta

from tollway.customers.entities import TooManyAttempts, User, email_fault, normal_email


@dataclass(frozen=True, slots=True)
class AttemptLimit:
    """So many attempts of one kind within a window that begins with the first of them."""

    name: str
    attempts_max: int
    window: timedelta
    counts: str


SIGN_UPS_PER_NETWORK = AttemptLimit("sign_up/network", 20, timedelta(hours=1), "sign-ups from your network")
SIGN_INS_PER_NETWORK = AttemptLimit(
    "sign_in/network", 50, timedelta(minutes=15), "attempts to sign in from your network"
)
SIGN_INS_PER_EMAIL = AttemptLimit(
    "sign_in/email", 10, timedelta(minutes=15), "attempts to sign in with this address"
)
# A sign-up and five more mails; nobody's mailbox is filled by strangers who type its address.
VERIFY_MAILS_PER_EMAIL = AttemptLimit(
    "verify_mail/email", 6, timedelta(hours=1), "mails that verify one address"
)
VERIFY_MAILS_PER_USER = AttemptLimit(
    "verify_mail/user", 1, timedelta(minutes=1), "mail that verifies an address"
)
SIGN_IN_MAILS_PER_MINUTE = AttemptLimit("sign_in_mail/minute", 1, timedelta(minutes=1), "sign-in mail")
SIGN_IN_MAILS_PER_HOUR = AttemptLimit(
    "sign_in_mail/hour", 5, timedelta(hours=1), "sign-in mails to one address"
)

SECOND_FACTORS_PER_SESSION = AttemptLimit(
    "second_factor/session", 5, timedelta(minutes=15), "codes of a second factor in one browser"
)
# Ten guesses at three codes of a million that work at a time.
SECOND_FACTORS_PER_USER = AttemptLimit(
    "second_factor/user", 10, timedelta(minutes=15), "codes of a second factor"
)
# Nobody's mailbox is filled by whoever invites, takes back and invites again, and nobody sends mail by us.
INVITATIONS_PER_EMAIL = AttemptLimit("invitation/email", 5, timedelta(hours=1), "invitations to one address")
INVITATIONS_PER_CUSTOMER = AttemptLimit(
    "invitation/customer", 60, timedelta(hours=1), "invitations from your team"
)
CLEAR_TEXT_NOTICES_PER_KEY = AttemptLimit(
    "clear_text/key", 1, timedelta(hours=24), "notice that an API key was sent unencrypted"
)

DEMO_RUNS_PER_NETWORK = AttemptLimit(
    "demo_run/network", 20, timedelta(minutes=5), "demo runs from your network"
)
SUPPORT_MESSAGES_PER_NETWORK = AttemptLimit(
    "support_message/network", 10, timedelta(hours=1), "messages to support from your network"
)
# Each mails a copy to the address that was typed, and nobody's mailbox is filled by strangers.
SUPPORT_MESSAGES_PER_EMAIL = AttemptLimit(
    "support_message/email", 5, timedelta(hours=1), "messages to support from one address"
)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One thing that is tried: which limit bounds it, and for whom it counts."""

    limit: AttemptLimit
    subject: str

    @property
    def key(self) -> str:
        """The text that its count is kept under."""
        return f"{self.limit.name}/{self.subject}"


@dataclass(frozen=True, slots=True)
class AttemptCount:
    """How often something was tried in the window under way."""

    attempts: int
    window_start: datetime

    def seconds_left(self, limit: AttemptLimit, now: datetime) -> int:
        """Count the started seconds until the window is over."""
        return max(1, -int(-(self.window_start + limit.window - now).total_seconds() // 1))


def sign_up_attempts(email: str, address: str) -> tuple[Attempt, ...]:
    """Return what one sign-up counts as."""
    return (
        Attempt(SIGN_UPS_PER_NETWORK, network_of(address)),
        Attempt(VERIFY_MAILS_PER_EMAIL, _subject_of(email)),
    )


def sign_in_attempts(email: str, address: str) -> tuple[Attempt, ...]:
    """Return what one attempt to sign in counts as, whatever it is tried with."""
    return (
        Attempt(SIGN_INS_PER_NETWORK, network_of(address)),
        Attempt(SIGN_INS_PER_EMAIL, _subject_of(email)),
    )


def verify_mail_attempts(user: User) -> tuple[Attempt, ...]:
    """Return what one more mail that verifies an address counts as."""
    return (Attempt(VERIFY_MAILS_PER_USER, user.public_id), Attempt(VERIFY_MAILS_PER_EMAIL, user.email))


def sign_in_mail_attempts(email: str, address: str) -> tuple[Attempt, ...]:
    """Return what asking for a sign-in mail counts as; the same whether anyone has that address."""
    return (
        Attempt(SIGN_INS_PER_NETWORK, network_of(address)),
        Attempt(SIGN_IN_MAILS_PER_MINUTE, _subject_of(email)),
        Attempt(SIGN_IN_MAILS_PER_HOUR, _subject_of(email)),
    )


def second_factor_attempts(user: User, session_public_id: str) -> tuple[Attempt, ...]:
    """Return what one try of a second factor counts as; a program that signs in has no session yet."""
    per_user = Attempt(SECOND_FACTORS_PER_USER, user.public_id)
    if not session_public_id:
        return (per_user,)
    return (Attempt(SECOND_FACTORS_PER_SESSION, session_public_id), per_user)


def invitation_attempts(email: str, customer_public_id: str) -> tuple[Attempt, ...]:
    """Return what one invitation counts as."""
    return (
        Attempt(INVITATIONS_PER_CUSTOMER, customer_public_id),
        Attempt(INVITATIONS_PER_EMAIL, _subject_of(email)),
    )


def clear_text_attempts(key_id: str) -> tuple[Attempt, ...]:
    """Return what bounds the notices about one API key that is sent over HTTP again and again."""
    return (Attempt(CLEAR_TEXT_NOTICES_PER_KEY, key_id),)


def demo_run_attempts(address: str) -> tuple[Attempt, ...]:
    """Return what one run without an account counts as."""
    return (Attempt(DEMO_RUNS_PER_NETWORK, network_of(address)),)


def support_message_attempts(email: str, address: str) -> tuple[Attempt, ...]:
    """Return what one message to support counts as."""
    return (
        Attempt(SUPPORT_MESSAGES_PER_NETWORK, network_of(address)),
        Attempt(SUPPORT_MESSAGES_PER_EMAIL, _subject_of(email)),
    )


def network_of(address: str) -> str:
    """Return what one person has of addresses: one of IPv4, but 2**64 of IPv6."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 4:
        return str(parsed)
    return str(ipaddress.ip_network(f"{parsed}/64", strict=False))


def too_many(attempt: Attempt, count: AttemptCount, now: datetime) -> TooManyAttempts:
    """Say which limit was reached and when it frees."""
    limit = attempt.limit
    seconds = count.seconds_left(limit, now)
    minutes = int(limit.window.total_seconds()) // 60
    return TooManyAttempts(
        f"At most {limit.attempts_max} {limit.counts} {'is' if limit.attempts_max == 1 else 'are'} allowed "
        f"within {'a minute' if minutes == 1 else f'{minutes} minutes'}. "
        f"Try again in {f'{seconds} seconds' if seconds < 120 else f'{-(-seconds // 60)} minutes'}.",
        retry_after_seconds=seconds,
        members={
            "limit": limit.name,
            "limit_value": limit.attempts_max,
            "resets_at": (count.window_start + limit.window).isoformat(),
        },
    )


def _subject_of(email: str) -> str:
    """Return what to count for an address; whatever cannot be one shares a count."""
    email = normal_email(email)
    return "" if email_fault(email) else email
