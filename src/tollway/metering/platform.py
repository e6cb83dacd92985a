"""What an owner reads of everybody's usage: a time to look at, sums over all customers, and how they are shared out."""

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from tollway.metering.entities import quantile_ms

ENDPOINTS_SHOWN_MAX = 50
CUSTOMERS_SHOWN_MAX = 20
# Of so many customers the metrics name each one's calls; see docs/decisions/0018.
CUSTOMERS_MEASURED_MAX = 100
# A customer counts as active who called within so many days.
ACTIVE_DAYS = 30
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)


class Period(enum.StrEnum):
    """How far back somebody looks."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"

    @property
    def day_count(self) -> int:
        """How many days it has."""
        return {"day": 1, "week": 7, "month": 30, "quarter": 90, "year": 365}[self.value]


@dataclass(frozen=True, slots=True)
class Span:
    """A time to add up, in UTC: from `since` until just before `until`."""

    since: datetime
    until: datetime
    # Whether it begins and ends with an hour instead of a day, and so is read from other sums.
    by_hour: bool = False

    @classmethod
    def of(cls, period: Period, now: datetime) -> "Span":
        """The period that ends now. A day is the last 24 hours; more are whole days, today as far as it went."""
        if period is Period.DAY:
            until = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0) + _HOUR
            return cls(until - _DAY, until, by_hour=True)
        until = datetime.combine(now.astimezone(UTC).date(), time.min, UTC) + _DAY
        return cls(until - period.day_count * _DAY, until)

    @property
    def before(self) -> "Span":
        """The time of the same length before it."""
        return Span(self.since - (self.until - self.since), self.since, self.by_hour)

    @property
    def first_day(self) -> date:
        """The day that it begins on."""
        return self.since.date()

    @property
    def last_day(self) -> date:
        """The last day of it."""
        return (self.until - timedelta(microseconds=1)).date()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """Calls by how they ended, what they counted, and how long they took."""

    succeeded: int
    limited: int
    refused: int
    failed: int
    units: int
    credits: int
    response_ms: int
    # How many calls each bucket of LATENCY_BOUNDS_MS holds, and the rest.
    latencies: Sequence[int]

    @property
    def calls(self) -> int:
        """All of them."""
        return self.succeeded + self.limited + self.refused + self.failed

    @property
    def average_ms(self) -> float | None:
        """How long one took on average; None without any."""
        return self.response_ms / self.calls if self.calls else None

    @property
    def p50_ms(self) -> float | None:
        """What half of them kept below."""
        return quantile_ms(self.latencies, 0.50)

    @property
    def p95_ms(self) -> float | None:
        """What 95 of 100 kept below."""
        return quantile_ms(self.latencies, 0.95)

    @property
    def error_rate(self) -> float | None:
        """The share that failed by our fault (5xx), from 0 to 1; None without any."""
        return self.failed / self.calls if self.calls else None

    @property
    def success_rate(self) -> float | None:
        """The share that did not fail by our fault (C21)."""
        return 1 - self.failed / self.calls if self.calls else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals(Sums):
    """The sums of everything, and by how many it was called."""

    customers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointSums(Sums):
    """The calls of one endpoint."""

    product: str
    method: str
    endpoint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanSums(Sums):
    """The calls of those who hold a plan now; without a plan, of those whose subscription is gone."""

    product: str
    plan: str | None
    customers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DaySums:
    """The calls of one day."""

    day: date
    succeeded: int
    limited: int
    refused: int
    failed: int

    @property
    def calls(self) -> int:
        """All of them."""
        return self.succeeded + self.limited + self.refused + self.failed


@dataclass(frozen=True, slots=True, kw_only=True)
class HourSums(DaySums):
    """The calls of one hour."""

    hour: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerSums:
    """The calls of one customer, in a time and in the time before it. One whose data were erased has no name."""

    public_id: str | None
    company_name: str | None
    plan: str | None
    calls: int
    units: int
    failed: int
    calls_before: int

    @property
    def growth(self) -> float | None:
        """How much more they called, as a share of the time before; None where they did not call then."""
        return self.calls / self.calls_before - 1 if self.calls_before else None


@dataclass(frozen=True, slots=True)
class KeyUse:
    """How many of the keys that can be used were used (C21)."""

    registered: int
    active: int

    @property
    def share(self) -> float | None:
        """From 0 to 1; None without any key."""
        return self.active / self.registered if self.registered else None


@dataclass(frozen=True, slots=True)
class PlatformUsage:
    """Everything that was used in a period, over all customers."""

    period: Period
    span: Span
    totals: Totals
    before: Totals
    endpoints: list[EndpointSums]
    plans: list[PlanSums]
    days: list[DaySums]
    # Of a span that is read by hour; empty otherwise.
    hours: list[HourSums]
    customers: list[CustomerSums]
    keys: KeyUse

    @property
    def growth(self) -> float | None:
        """How much more was called than in the time before."""
        return self.totals.calls / self.before.calls - 1 if self.before.calls else None


# For metrics -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LedgerTotal:
    """Calls since the beginning of one kind; `problem_code` is empty where nothing was refused."""

    product: str
    method: str
    endpoint: str
    status_code: int
    problem_code: str
    calls: int
    response_ms: int
    latencies: Sequence[int]


@dataclass(frozen=True, slots=True)
class CustomerKeyCalls:
    """Calls that one customer made with keys in the month under way (UTC)."""

    product: str
    plan: str
    public_id: str
    calls: int


@dataclass(frozen=True, slots=True)
class KeyCount:
    """Keys that can be used now."""

    product: str
    plan: str
    keys: int


@dataclass(frozen=True, slots=True)
class ActiveCustomers:
    """Customers who called within ACTIVE_DAYS, by the plan they hold."""

    plan: str
    customers: int


@dataclass(frozen=True, slots=True)
class QuotaUse:
    """How much of what the periods under way include is used, over all holders of a plan."""

    product: str
    plan: str
    requests_used: int
    requests_included: int

    @property
    def percent(self) -> float:
        """From 0; above 100 where more than the plan includes is bought."""
        return 100 * self.requests_used / self.requests_included if self.requests_included else 0.0


@dataclass(frozen=True, slots=True)
class JournalStanding:
    """How far the journals of all processes were taken over, as the database knows it."""

    sources_open: int
    records_shipped: int
    records_damaged: int
    units_leased: int
    shipped_at: datetime | None
