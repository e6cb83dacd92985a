"""One line of the audit list, the person beside it, and what binds the two."""

import json
import re
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from tollway.kit.crypto import equal_in_constant_time, keyed_hash
from tollway.kit.problems import FieldError, Invalid

ACTION_LENGTH_MAX = 100
DETAILS_BYTES_MAX = 4_000
# An address of e-mail has at most 254 characters; whatever else names an actor is cut here.
ACTOR_NAME_LENGTH_MAX = 254
SALT_BYTES = 32
FILTER_LENGTH_MAX = 254
# The newest entries that one file holds; a month of a busy customer has some thousand.
CSV_ENTRIES_MAX = 50_000
# PostgreSQL takes no NUL, and nobody searches for the other control characters.
FILTER_PATTERN = r"^[^\x00-\x1f\x7f]*$"
DAY_PATTERN = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"

# What a reader may choose by, and what the actions of each group begin with.
ACTION_GROUPS = (
    ("api_key.", "API keys"),
    ("user.", "People and sign-in"),
    ("team.", "Team"),
    ("subscription.", "Plans"),
    ("grant.", "Grants"),
    ("override.", "Overrides"),
    ("ticket.", "Support"),
    ("customer.", "The company"),
)

STAFF = "Tollway's staff"

Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class Entry:
    """Somebody did something; written once, never changed.

    The name and the address come from the table beside it: empty where they were erased or never known.
    """

    id: int
    occurred_at: datetime
    action: str
    customer_id: int | None
    actor: str
    on_behalf_of: str
    subject: str
    request_id: str
    details: dict[str, Any]
    actor_name: str
    ip_address: Address | None
    is_erased: bool

    @property
    def actor_user(self) -> str:
        """The public id of the user who did it; empty for keys, jobs and commands."""
        return self.actor.removeprefix("user:") if self.actor.startswith("user:") else ""

    @property
    def shown_actor(self) -> str:
        """Who did it, in a reader's words: by name where it is known."""
        return "erased" if self.is_erased else self.actor_name or self.actor

    @property
    def shown_address(self) -> str:
        """Where it was done from, in a reader's words; empty where that was never known."""
        if self.is_erased:
            return "erased"
        return "" if self.ip_address is None else str(self.ip_address)

    def by_staff(self) -> "Entry":
        """Write the entry as customers read it of an administrator: neither their name nor their address."""
        return replace(self, actor_name=STAFF, ip_address=None, is_erased=False)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one entry committed to, and what stands beside it today."""

    commitment: bytes | None
    salt: bytes | None
    actor_name: str
    ip_address: Address | None


class Proof(StrEnum):
    """What can be said of the person beside an entry."""

    PROVEN = "proven"
    ERASED = "erased"
    # Nothing personal was known, or the entry is older than commitments.
    NOT_COMMITTED = "not_committed"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class EntryFilter:
    """Which entries to read; what is empty does not choose. Days are whole days of UTC, both included."""

    action_prefix: str = ""
    actor: str = ""
    subject: str = ""
    from_day: date | None = None
    until_day: date | None = None

    @property
    def since(self) -> datetime | None:
        """The first instant that is read."""
        return datetime.combine(self.from_day, time.min, UTC) if self.from_day else None

    @property
    def until(self) -> datetime | None:
        """The first instant that is not read any more."""
        if self.until_day is None or self.until_day == date.max:
            return None
        return datetime.combine(self.until_day + timedelta(days=1), time.min, UTC)


def chosen_by(
    *, action: str = "", actor: str = "", subject: str = "", from_day: str = "", until_day: str = ""
) -> EntryFilter:
    """Read a filter from what a form or a query says; empty texts do not choose. Raises Invalid.

    The pointers of the errors are `/action`, `/actor`, `/subject`, `/from` and `/until`.
    """
    errors = [
        FieldError(
            f"/{name}", f"Write at most {FILTER_LENGTH_MAX} characters, none of them a control character"
        )
        for name, text in (("action", action), ("actor", actor), ("subject", subject))
        if len(text) > FILTER_LENGTH_MAX or not re.fullmatch(FILTER_PATTERN, text)
    ]
    first, last = _day(from_day, "/from", errors), _day(until_day, "/until", errors)
    if first and last and last < first:
        errors.append(
            FieldError("/until", "The last day is before the first one; choose the same day or a later one")
        )
    if errors:
        raise Invalid(
            "The entries cannot be chosen like that. "
            + " ".join(f"{one.pointer.strip('/')}: {one.message}." for one in errors),
            errors=tuple(errors),
        )
    return EntryFilter(action.strip(), actor.strip(), subject.strip(), first, last)


def _day(text: str, pointer: str, errors: list[FieldError]) -> date | None:
    if not text:
        return None
    try:
        if not re.fullmatch(DAY_PATTERN, text):
            raise ValueError(text)
        return date.fromisoformat(text)
    except ValueError:
        errors.append(FieldError(pointer, "Write a day as 2026-01-31"))
        return None


def known_address(text: str | None) -> Address | None:
    """Read an IP address in its one form, without a zone; None where the text is no IP address."""
    try:
        address = ip_address((text or "").partition("%")[0])
    except ValueError:
        return None
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address


def commit_to(salt: bytes, actor_name: str, address: Address | None) -> bytes:
    """Bind an entry to a person without telling who it is: HMAC-SHA256 under a salt of the entry's own.

    Without the salt nobody can find the person by trying names or addresses. What is hashed is JSON with
    sorted keys and no spaces, in UTF-8, so that anyone can compute it again.
    """
    person = {"actor_name": actor_name, "ip_address": "" if address is None else str(address)}
    text = json.dumps(person, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return keyed_hash(salt, text)


def weigh(evidence: Evidence) -> Proof:
    """Say whether the person beside an entry is the one that the entry was written with."""
    if evidence.commitment is None:
        return Proof.NOT_COMMITTED
    if evidence.salt is None:
        return Proof.ERASED
    again = commit_to(evidence.salt, evidence.actor_name, evidence.ip_address)
    return Proof.PROVEN if equal_in_constant_time(again, evidence.commitment) else Proof.CHANGED
