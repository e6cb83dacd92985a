"""Tickets and feedback: what they are, how they move, and when a first answer is due."""

import enum
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from tollway.kit.problems import Conflict, FieldError, Invalid, NotFound, TooMany
from tollway.plans.entities import Entitlement, EntitlementState

SUBJECT_LENGTH_MAX = 200
MESSAGE_LENGTH_MAX = 5_000
FEATURE_LENGTH_MAX = 100
RATING_MIN = 1
RATING_MAX = 5
# Of one customer in 24 hours: more than anybody types, and less than a program in a loop.
TICKETS_PER_DAY_MAX = 20
MESSAGES_PER_DAY_MAX = 200
FEEDBACK_PER_DAY_MAX = 20
MESSAGES_PER_TICKET_MAX = 500
REOPEN_DAYS = 30
# Where no plan is held any more, what the free ones promise (X14).
RESPONSE_HOURS_WITHOUT_PLAN = 48
TOLD_BEFORE = timedelta(hours=1)
VOLUME_DAYS = 30

STAFF = "Support"
API_KEY = "API key"
# Something that can be seen: neither a control character nor one of Unicode's spaces.
_SEEN = r"[^\x00-\x20\x7f-\xa0\u1680\u2000-\u200f\u2028\u2029\u202f\u205f\u3000]"
LINE_PATTERN = rf"^[^\x00-\x1f\x7f]*{_SEEN}[^\x00-\x1f\x7f]*$"
TEXT_PATTERN = rf"^[^\x00]*{_SEEN}[^\x00]*$"


class Topic(enum.StrEnum):
    """What a ticket is about."""

    INTEGRATION = "integration"
    BILLING = "billing"
    RESULTS = "results"
    SECURITY = "security"
    OTHER = "other"

    @property
    def label(self) -> str:
        """How people read it."""
        return TOPIC_LABELS[self]

    @property
    def offers_call(self) -> bool:
        """Whether a technical call is offered with the first answer (A52)."""
        return self is Topic.INTEGRATION


TOPIC_LABELS = {
    Topic.INTEGRATION: "Integrating the API",
    Topic.BILLING: "Plans and invoices",
    Topic.RESULTS: "A model or its results",
    Topic.SECURITY: "Security",
    Topic.OTHER: "Something else",
}


class TicketStatus(enum.StrEnum):
    """Whose turn it is: ours, the customer's, or nobody's."""

    OPEN = "open"
    ANSWERED = "answered"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Ticket:
    """One matter that a customer asks about."""

    id: int
    public_id: str
    customer_id: int
    opened_by: int | None
    opener_email: str | None
    topic: Topic
    subject: str
    status: TicketStatus
    created_at: datetime
    updated_at: datetime
    response_due_at: datetime
    responded_at: datetime | None
    closed_at: datetime | None

    def __post_init__(self) -> None:
        object.__setattr__(self, "topic", Topic(self.topic))
        object.__setattr__(self, "status", TicketStatus(self.status))

    @property
    def opener(self) -> str:
        """Who opened it, as people read it."""
        return API_KEY if self.opener_email is None else self.opener_email

    @property
    def awaits_first_answer(self) -> bool:
        """Whether the clock of its first answer runs."""
        return self.status is TicketStatus.OPEN and self.responded_at is None

    def is_overdue(self, now: datetime) -> bool:
        """Whether its first answer should have been there."""
        return self.awaits_first_answer and now >= self.response_due_at

    def may_be_reopened(self, now: datetime) -> bool:
        """Whether writing to it still opens it again, where it is closed."""
        return self.closed_at is None or now < self.closed_at + timedelta(days=REOPEN_DAYS)

    def after_reply(self, now: datetime) -> TicketStatus:
        """Return where a message of the customer leads; raises TicketLongClosed."""
        if self.status is TicketStatus.CLOSED and not self.may_be_reopened(now):
            raise TicketLongClosed(
                f"This ticket was closed more than {REOPEN_DAYS} days ago. "
                f"Open a new one, and name {self.public_id} in it."
            )
        return TicketStatus.OPEN


@dataclass(frozen=True, slots=True)
class TicketMessage:
    """One message of a ticket; without an author it was written with an API key."""

    public_id: str
    from_staff: bool
    author_email: str | None
    body: str
    created_at: datetime

    @property
    def shown_author(self) -> str:
        """Who wrote it, as the customer reads it: our people speak as one."""
        return STAFF if self.from_staff else self.author_email or API_KEY


@dataclass(frozen=True, slots=True)
class FeedbackEntry:
    """What somebody thinks of a part of the product."""

    id: int
    public_id: str
    customer_public_id: str | None
    user_email: str | None
    feature: str
    rating: int | None
    message: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class SupportDesk:
    """Where the people who answer are reached, and where links of mails lead."""

    email: str
    base_url: str

    def ticket_link(self, ticket: Ticket) -> str:
        """Return where the customer reads a ticket."""
        return f"{self.base_url}/support/tickets/{ticket.public_id}"

    def staff_link(self, ticket: Ticket) -> str:
        """Return where staff answers a ticket."""
        return f"{self.base_url}/admin/tickets/{ticket.public_id}"


@dataclass(frozen=True, slots=True)
class TicketVolume:
    """How support went in some days; the hours are the median from opening to the first answer (B60)."""

    opened_count: int
    closed_count: int
    answered_count: int
    answered_in_time_count: int
    median_response_hours: float | None
    waiting_count: int
    overdue_count: int

    @property
    def in_time_share(self) -> float | None:
        """What part of the first answers came in time; None where there was none."""
        return self.answered_in_time_count / self.answered_count if self.answered_count else None


def response_hours_of(held: Iterable[Entitlement]) -> int:
    """Return within how many hours a first answer is due: the least of all plans held (X14).

    A plan that has ended is not held any more.
    """
    hours = [one.plan.support_response_hours for one in held if one.state is not EntitlementState.CANCELLED]
    return min(hours, default=RESPONSE_HOURS_WITHOUT_PLAN)


# What is written ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TicketDraft:
    """A ticket that somebody wants to open, found good."""

    topic: Topic
    subject: str
    message: str

    @classmethod
    def checked(cls, topic: str, subject: str, message: str) -> "TicketDraft":
        """Read what was typed; raises Invalid with one error for each part that cannot be used."""
        subject, message = subject.strip(), normal_text(message)
        _refuse(
            {
                "/topic": "" if topic in set(Topic) else f"Choose one of: {', '.join(Topic)}.",
                "/subject": _line_fault(subject, "Say in a few words what it is about.", SUBJECT_LENGTH_MAX),
                "/message": _text_fault(message, "Write what we can help with.", MESSAGE_LENGTH_MAX),
            }
        )
        return cls(Topic(topic), subject, message)


@dataclass(frozen=True, slots=True)
class FeedbackDraft:
    """Feedback that somebody wants to give, found good."""

    feature: str
    rating: int | None
    message: str

    @classmethod
    def checked(cls, feature: str, rating: int | None, message: str) -> "FeedbackDraft":
        """Read what was typed; raises Invalid with one error for each part that cannot be used."""
        feature, message = feature.strip(), normal_text(message)
        rated = rating is None or RATING_MIN <= rating <= RATING_MAX
        _refuse(
            {
                "/feature": _line_fault(feature, "Say which part of Tollway you mean.", FEATURE_LENGTH_MAX),
                "/rating": "" if rated else f"Rate it from {RATING_MIN} to {RATING_MAX}, or not at all.",
                "/feedback": _text_fault(message, "Write what you think of it.", MESSAGE_LENGTH_MAX),
            }
        )
        return cls(feature, rating, message)


def checked_message(message: str) -> str:
    """Read a further message of a ticket; raises Invalid."""
    message = normal_text(message)
    _refuse({"/message": _text_fault(message, "Write your message.", MESSAGE_LENGTH_MAX)})
    return message


def normal_text(text: str) -> str:
    """Write a text of many lines the one way we keep it, as a browser's form counts its length."""
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()


def _refuse(faults: dict[str, str]) -> None:
    errors = tuple(FieldError(pointer, fault) for pointer, fault in faults.items() if fault)
    if errors:
        raise Invalid(" ".join(f"{one.pointer[1:]}: {one.message}" for one in errors), errors=errors)


def _line_fault(text: str, missing: str, length_max: int) -> str:
    if fault := _text_fault(text, missing, length_max):
        return fault
    return "" if re.fullmatch(LINE_PATTERN, text) else "Use one line, without control characters."


def _text_fault(text: str, missing: str, length_max: int) -> str:
    if not text:
        return missing
    if len(text) > length_max:
        return f"Use at most {length_max:,} characters; this has {len(text):,}."
    return "" if re.fullmatch(TEXT_PATTERN, text) else missing


# Problems -----------------------------------------------------------------------------------------


class TicketNotFound(NotFound):
    """No ticket of that id, or not the caller's."""

    code = "ticket-not-found"
    title = "There is no such ticket"


class TicketLongClosed(Conflict):
    """A message to a ticket that was closed too long ago to be opened again."""

    code = "ticket-long-closed"
    title = "That ticket was closed long ago"


class TicketFull(Conflict):
    """A ticket with as many messages as one may have."""

    code = "ticket-full"
    title = "That ticket holds no more messages"


class TooManyTickets(TooMany):
    """A customer wrote more to support within a day than one may."""

    code = "too-many-tickets"
    title = "Too much was written to support today"
