"""Webhooks and deliveries: what may be asked for, and how a delivery moves."""

import enum
from dataclasses import dataclass
from datetime import datetime, timedelta

from tollway.customers.entities import Mode
from tollway.kit.problems import Conflict, FieldError, Invalid, NotFound, TooMany
from tollway.webhooks.addresses import URL_LENGTH_MAX, UrlRules, WebhookUrlRefused
from tollway.webhooks.signatures import SECRET_LENGTH_MAX, secret_fault

__all__ = ["SECRET_LENGTH_MAX", "URL_LENGTH_MAX", "UrlRules", "WebhookUrlRefused"]

NAME_LENGTH_MAX = 100
WEBHOOKS_PER_CUSTOMER_MAX = 20
WEBHOOKS_PER_USER_MAX = 10
FORMER_SECRET_HOURS = 24
# The first try is at once; after it these.
RETRY_DELAYS_SECONDS = (30, 300, 1_800)
SEND_SECONDS_MAX = 30.0
# Longer than a try takes; whoever holds a delivery beyond this is dead.
CLAIM = timedelta(seconds=60)
# So that one customer's slow server holds one place of those who send, however much waits for it.
AT_ONCE_PER_CUSTOMER_MAX = 1
WAITING_PER_CUSTOMER_MAX = 10_000
FAILING_DAYS_MAX = 3
DELIVERIES_KEPT_DAYS = 30
TESTS_PER_MINUTE_MAX = 10
DELIVERIES_SHOWN = 20
DELIVERIES_SHOWN_MAX = 100
OFFSET_MAX = 100_000


class Event(enum.StrEnum):
    """What a customer can be told of."""

    SIMULATION_STARTED = "simulation.started"
    SIMULATION_PROGRESS = "simulation.progress"
    SIMULATION_COMPLETED = "simulation.completed"
    SIMULATION_FAILED = "simulation.failed"
    SIMULATION_CANCELLED = "simulation.cancelled"
    GOAL_SEEK_COMPLETED = "goal_seek.completed"
    GOAL_SEEK_FAILED = "goal_seek.failed"
    MODEL_UPLOADED = "model.uploaded"
    MODEL_FAILED = "model.failed"
    QUOTA_WARNING = "quota.warning"
    QUOTA_EXCEEDED = "quota.exceeded"

    @property
    def meaning(self) -> str:
        """When it is sent, as people read it."""
        return MEANINGS[self]


MEANINGS = {
    Event.SIMULATION_STARTED: "a run begins to be computed",
    Event.SIMULATION_PROGRESS: "another tenth of a run is done",
    Event.SIMULATION_COMPLETED: "the results of a run are there",
    Event.SIMULATION_FAILED: "a run failed by our fault",
    Event.SIMULATION_CANCELLED: "a run was cancelled",
    Event.GOAL_SEEK_COMPLETED: "a goal seek has its answer",
    Event.GOAL_SEEK_FAILED: "a goal seek failed by our fault",
    Event.MODEL_UPLOADED: "a workbook was uploaded and can be run",
    Event.MODEL_FAILED: "an uploaded workbook cannot be used",
    Event.QUOTA_WARNING: "much of what your plan includes is used",
    Event.QUOTA_EXCEEDED: "all of what your plan includes is used",
}
# Sent by the test button alone; nobody asks for it.
TEST_EVENT = "webhook.test"
# What the webhook_url of a run is told: how it ended.
RUN_URL_EVENTS = frozenset({Event.SIMULATION_COMPLETED, Event.SIMULATION_FAILED, Event.SIMULATION_CANCELLED})


class DeliveryStatus(enum.StrEnum):
    """Where a delivery stands. `abandoned`: given up before its tries were over, and the message says why."""

    PENDING = "pending"
    RETRYING = "retrying"
    DELIVERED = "delivered"
    FAILED = "failed"
    ABANDONED = "abandoned"

    @property
    def over(self) -> bool:
        """Whether nothing more will be sent."""
        return self not in (DeliveryStatus.PENDING, DeliveryStatus.RETRYING)


# Problems -----------------------------------------------------------------------------------------


class WebhookNotFound(NotFound):
    """The caller has no such webhook."""

    code = "webhook-not-found"
    title = "There is no such webhook"


class DeliveryNotFound(NotFound):
    """The webhook has no such delivery, or it was deleted after 30 days."""

    code = "webhook-delivery-not-found"
    title = "There is no such delivery"


class WebhookLimitReached(Conflict):
    """There is no room for one more webhook."""

    code = "webhook-limit-reached"
    title = "There are as many webhooks as there may be"


class DeliveryUnderWay(Conflict):
    """A delivery that is still tried by itself needs no further one."""

    code = "webhook-delivery-under-way"
    title = "That delivery is still under way"


class TooManyTests(TooMany):
    """The test button was used too often."""

    code = "too-many-webhook-tests"
    title = "Too many tests of webhooks"


# Webhooks -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Webhook:
    """A place of a customer's that is told of some events; never its secret."""

    id: int
    public_id: str
    customer_id: int
    created_by: int | None
    mode: Mode
    name: str
    url: str
    events: tuple[str, ...]
    enabled: bool
    former_secret_until: datetime | None
    created_at: datetime
    updated_at: datetime
    last_delivery_at: datetime | None
    last_delivery_status: DeliveryStatus | None
    total_deliveries: int
    failed_deliveries: int
    failing_since: datetime | None
    turned_off_at: datetime | None

    def __post_init__(self) -> None:
        object.__setattr__(self, "mode", Mode(self.mode))
        object.__setattr__(self, "events", tuple(self.events))
        if self.last_delivery_status is not None:
            object.__setattr__(self, "last_delivery_status", DeliveryStatus(self.last_delivery_status))

    @property
    def secret_context(self) -> str:
        """What its secrets are sealed to."""
        return f"webhook/{self.customer_id}/{self.public_id}"

    def has_failed_too_long(self, now: datetime) -> bool:
        """Whether nothing got through for so long that nobody is there any more."""
        return self.failing_since is not None and now - self.failing_since >= timedelta(days=FAILING_DAYS_MAX)


@dataclass(frozen=True, slots=True)
class WebhookDraft:
    """A webhook as somebody wants it; `secret` is one of their own, or None for one of ours."""

    name: str
    url: str
    events: tuple[str, ...]
    enabled: bool = True
    secret: str | None = None

    def checked(self, rules: UrlRules) -> "WebhookDraft":
        """Return it as it is kept; raises Invalid with one error for each part that cannot be used."""
        faults: dict[str, str] = {}
        name = self.name.strip()
        if not 1 <= len(name) <= NAME_LENGTH_MAX or not name.isprintable():
            faults["/name"] = f"Give it a name of 1 to {NAME_LENGTH_MAX} printable characters."
        chosen = set(self.events)
        if unknown := sorted(chosen - set(Event)):
            faults["/events"] = f"There is no event {unknown[0][:50]!r}. Choose from: {', '.join(Event)}."
        elif not chosen:
            faults["/events"] = f"Choose one event at least, of: {', '.join(Event)}."
        if self.secret is not None and (fault := secret_fault(self.secret)):
            faults["/secret"] = fault
        url = self.url
        try:
            url = rules.checked(self.url)
        except WebhookUrlRefused as refused:
            if not faults:
                raise
            faults["/url"] = refused.message
        if faults:
            raise Invalid(
                " ".join(faults.values()),
                errors=tuple(FieldError(pointer, fault) for pointer, fault in faults.items()),
            )
        return WebhookDraft(
            name, url, tuple(one.value for one in Event if one in chosen), self.enabled, self.secret
        )


@dataclass(frozen=True, slots=True)
class SealedSecrets:
    """The secrets of one place as they are stored."""

    present: bytes
    former: bytes | None
    former_until: datetime | None


# Deliveries -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event to one place, with how its last try went."""

    id: int
    public_id: str
    customer_id: int
    webhook_id: int | None
    webhook_public_id: str | None
    url: str | None
    mode: Mode
    simulation_id: str | None
    event_type: str
    body: str
    status: DeliveryStatus
    attempt: int
    next_attempt_at: datetime | None
    claimed_until: datetime | None
    response_status: int | None
    response_time_ms: int | None
    error_message: str
    created_at: datetime
    last_attempt_at: datetime | None
    delivered_at: datetime | None

    def __post_init__(self) -> None:
        object.__setattr__(self, "mode", Mode(self.mode))
        object.__setattr__(self, "status", DeliveryStatus(self.status))

    @property
    def is_test(self) -> bool:
        """Whether the test button sent it: it is tried once, and says nothing of how the webhook fares."""
        return self.event_type == TEST_EVENT


@dataclass(frozen=True, slots=True)
class Parcel:
    """A delivery that a worker holds, with all that sending it needs; the newest secret comes first."""

    delivery: Delivery
    url: str
    secrets: tuple[str, ...]

    def __repr__(self) -> str:
        return f"Parcel({self.delivery.public_id})"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one try went; `error` is empty where the receiver took it. Of the answer its status alone is kept."""

    response_status: int | None
    response_time_ms: int
    error: str


def next_delay(attempt: int) -> timedelta | None:
    """Return how long to wait after the try of this number (from 1), or None where it was the last."""
    if attempt > len(RETRY_DELAYS_SECONDS):
        return None
    return timedelta(seconds=RETRY_DELAYS_SECONDS[attempt - 1])
