"""What customers are told of their quotas, and alerts of the owner: the rules, and the arithmetic behind them."""

import enum
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from tollway.alerts.rules import RULES, RuleKind, RuleText
from tollway.customers.entities import Mode
from tollway.kit.problems import FieldError, Invalid

__all__ = ["RULES", "RuleKind"]

NOTE_LENGTH_MAX = 500
RECIPIENTS_MAX = 10
EMAIL_LENGTH_MAX = 254
NUMBER_DIGITS_MAX = 9
INSTALLATION = "installation"

_EMAIL = re.compile(r"[^@\s,;<>\x00-\x1f\x7f]{1,64}@[A-Za-z0-9.-]{1,253}")
_LINE = re.compile(r"[^\x00-\x1f\x7f]*")

# What customers are told -----------------------------------------------------------------------------


class NoticeKind(enum.StrEnum):
    """Of what a customer used a part: the included requests, a spending cap, or what is fair use."""

    INCLUDED = "included"
    SPENDING_CAP = "spending_cap"
    FAIR_USE = "fair_use"


# Rising, for each kind.
PERCENTS: dict[NoticeKind, tuple[int, ...]] = {
    NoticeKind.INCLUDED: (50, 80, 100),
    NoticeKind.SPENDING_CAP: (80, 100),
    NoticeKind.FAIR_USE: (100,),
}


@dataclass(frozen=True, slots=True)
class Notice:
    """A customer passed, or was told to have passed, `percent` of `requests_max`, having used `requests_used`."""

    kind: NoticeKind
    percent: int
    requests_max: int
    requests_used: int

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "Notice":
        """Read what `quota_notices` holds."""
        return cls(NoticeKind(row["kind"]), row["percent"], row["requests_max"], row["requests_used"])

    def covers(self, percent: int, mark: int) -> bool:
        """Whether it told already that `mark` requests were used, as this percentage or a higher one."""
        return self.percent >= percent and self.requests_used >= mark


@dataclass(frozen=True, slots=True)
class WatchedQuota:
    """A quota of the period under way with what decides about notices; `told` is what was told of it."""

    id: int
    customer_id: int
    product: str
    mode: Mode
    period_start: datetime
    period_end: datetime
    requests_included: int | None
    requests_max: int | None
    requests_used: int
    overage_rate: Decimal
    spending_cap: Decimal | None
    fair_use_requests: int | None
    plan_name: str
    currency: str
    told: Sequence[Notice]

    def __post_init__(self) -> None:
        object.__setattr__(self, "mode", Mode(self.mode))
        # PostgreSQL hands them over as JSON.
        rows: Sequence[Any] = self.told
        notices = [one if isinstance(one, Notice) else Notice.from_row(one) for one in rows]
        object.__setattr__(self, "told", tuple(notices))

    @property
    def stops(self) -> bool:
        """Whether calls are refused once what is included is used."""
        return self.requests_included is not None and (
            self.requests_max is not None and self.requests_max <= self.requests_included
        )

    @property
    def measures(self) -> list[tuple[NoticeKind, int, int]]:
        """What is measured: kind, requests used of it, and how many are 100 %. Nothing without a bound is."""
        found = []
        if self.requests_included is None:
            if self.fair_use_requests:
                found.append((NoticeKind.FAIR_USE, self.requests_used, self.fair_use_requests))
            return found
        if self.requests_included > 0:
            found.append((NoticeKind.INCLUDED, self.requests_used, self.requests_included))
        if self.spending_cap is not None and self.requests_max is not None:
            bought_max = self.requests_max - self.requests_included
            if bought_max > 0:
                bought = max(0, self.requests_used - self.requests_included)
                found.append((NoticeKind.SPENDING_CAP, bought, bought_max))
        return found


def due_notices(quota: WatchedQuota) -> list[Notice]:
    """Say what a customer is to be told now: of each kind the highest percentage that was passed, unless told.

    A larger bound tells again what lies above everything that was told; a smaller one tells a percentage that was
    not passed before. What was jumped over is not told beside the higher one.
    """
    due = []
    for kind, used, bound in quota.measures:
        passed = [percent for percent in PERCENTS[kind] if used * 100 >= bound * percent]
        if not passed:
            continue
        percent = passed[-1]
        mark = -(-bound * percent // 100)
        if not any(one.covers(percent, mark) for one in quota.told if one.kind is kind):
            due.append(Notice(kind, percent, bound, used))
    return due


# Rules ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule as it holds: what the code says, or what an owner put in its place. No recipients: support."""

    kind: RuleKind
    enabled: bool
    thresholds: Mapping[str, int]
    recipients: tuple[str, ...]
    updated_at: datetime | None

    @property
    def text(self) -> RuleText:
        """Its words."""
        return RULES[self.kind]

    @property
    def resolves_after_minutes(self) -> int:
        """For how long its condition must be gone."""
        return self.thresholds["resolves_after_minutes"]


def default_rule(kind: RuleKind) -> Rule:
    """The rule as the code has it."""
    return Rule(kind, True, {one.name: one.default for one in RULES[kind].thresholds}, (), None)


def rule_from_row(row: Mapping[str, Any]) -> Rule:
    """Read a changed rule; thresholds that came later, or went, are as the code has them."""
    kind = RuleKind(row["kind"])
    kept = {one.name: int(row["thresholds"].get(one.name, one.default)) for one in RULES[kind].thresholds}
    return Rule(kind, row["enabled"], kept, tuple(row["recipients"]), row["updated_at"])


def checked_rule(kind: RuleKind, enabled: bool, written: Mapping[str, str], recipients: str) -> Rule:
    """Read a rule from texts that people typed; raises Invalid, with a pointer for each field that is wrong."""
    thresholds, errors = {}, []
    for one in RULES[kind].thresholds:
        text = written.get(one.name, "").strip().replace(",", "")
        value = int(text) if text.isascii() and text.isdecimal() and len(text) <= NUMBER_DIGITS_MAX else -1
        if one.least <= value <= one.most:
            thresholds[one.name] = value
        else:
            errors.append(
                FieldError(
                    f"/{one.name}",
                    f"{one.label}: use a whole number from {one.least:,} to {one.most:,}.",
                )
            )
    addresses = tuple(dict.fromkeys(part.strip().lower() for part in recipients.split(",") if part.strip()))
    wrong = [one for one in addresses if len(one) > EMAIL_LENGTH_MAX or not _EMAIL.fullmatch(one)]
    if wrong or len(addresses) > RECIPIENTS_MAX:
        errors.append(
            FieldError(
                "/recipients",
                f"Use at most {RECIPIENTS_MAX} addresses such as ana@example.com, with commas between them.",
            )
        )
    if errors:
        raise Invalid(" ".join(one.message for one in errors), errors=tuple(errors))
    return Rule(kind, enabled, thresholds, addresses, None)


def checked_note(note: str) -> str:
    """Return a note that can be kept; raises Invalid with pointer /note."""
    note = " ".join(note.split())
    if not note or len(note) > NOTE_LENGTH_MAX or not _LINE.fullmatch(note):
        sentence = (
            f"Say what was found or done, in at most {NOTE_LENGTH_MAX} characters without control characters."
        )
        raise Invalid(sentence, errors=(FieldError("/note", sentence),))
    return note


# Alerts -----------------------------------------------------------------------------------------------


class AlertStatus(enum.StrEnum):
    """Whether anybody should look: open, seen by somebody, or over."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule's condition holds for a subject: what is measured, in one sentence without a full stop."""

    kind: RuleKind
    subject: str
    summary: str
    customer_id: int | None = None


@dataclass(frozen=True, slots=True)
class Alert:
    """What a rule found, from when it was first seen until it was gone for long enough."""

    id: int
    public_id: str
    kind: RuleKind
    subject: str
    customer_public_id: str | None
    company_name: str | None
    summary: str
    opened_at: datetime
    last_seen_at: datetime
    seen_count: int
    acknowledged_at: datetime | None
    acknowledged_by: str
    note: str
    resolved_at: datetime | None
    switched_off: bool

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", RuleKind(self.kind))

    @property
    def status(self) -> AlertStatus:
        """Where it stands; what is over is over, whether anybody saw it or not."""
        if self.resolved_at is not None:
            return AlertStatus.RESOLVED
        return AlertStatus.OPEN if self.acknowledged_at is None else AlertStatus.ACKNOWLEDGED

    @property
    def title(self) -> str:
        """Its rule in words."""
        return RULES[self.kind].title

    @property
    def shown_subject(self) -> str:
        """What it is about, as people read it."""
        kind, _, name = self.subject.partition(":")
        return {"api_key": f"API key {name}…", "customer": self.company_name or name}.get(kind, kind)


@dataclass(frozen=True, slots=True)
class AlertDesk:
    """Who is told where a rule names nobody, where the pages are, and whether a server of the owner's is told too."""

    support_email: str
    base_url: str
    has_webhook: bool = False

    @property
    def link(self) -> str:
        """Where alerts are listed."""
        return f"{self.base_url}/admin/alerts"


# Arithmetic -------------------------------------------------------------------------------------------


def spike_bound(days: int, total: int, squares: int, *, deviations: int, least: int) -> float:
    """Return how many calls of one hour are usual at most: the mean and so many standard deviations above it.

    Calls that arrive by chance alone scatter by the root of their mean (Poisson), so no smaller deviation counts;
    and nothing below `least` is a spike.

    Args:
        days: how many earlier days are looked at; those without calls count as 0.
        total, squares: the sum of the calls in the same hour of those days, and the sum of their squares.
    """
    mean = total / days
    variance = max(0.0, squares / days - mean * mean)
    return max(float(least), mean + deviations * math.sqrt(max(variance, mean, 1.0)))
