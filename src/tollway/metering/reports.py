"""What customers read of their own usage: calls and how they are chosen, sums, and what a period comes to."""

import enum
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from ipaddress import IPv4Address, IPv6Address

from tollway.customers.entities import Mode
from tollway.kit.paging import BadCursor
from tollway.kit.problems import FieldError, Invalid
from tollway.metering.entities import LATENCY_BOUNDS_MS

ENDPOINT_LENGTH_MAX = 255
KEY_ID_LENGTH_MAX = 64
REQUEST_ID_LENGTH_MAX = 64
METHOD_LENGTH_MAX = 10
CALL_ID_LENGTH_MAX = 33
# What stands for a key where a call was started on a page.
PAGE = "page"
PROJECTION_DAYS = 7
THRESHOLDS_PERCENT = (50, 80, 100)
TEXT_PATTERN = r"[^\x00-\x1f\x7f]*"
MOMENT = re.compile(r"(\d{4}-\d{2}-\d{2})(?:T(\d{2}:\d{2})(?::\d{2})?Z?)?")
_CALL_ID = re.compile(r"([0-9a-f]{1,16})-([0-9a-f]{1,16})")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STATUS = re.compile(r"[1-5]\d\d")
_DAY = timedelta(days=1)


class SearchTooLong(Invalid):
    """So many calls lie in the time asked for that looking at each would take too long."""

    code = "search-too-long"
    title = "That search looks at too many requests"


class CallClass(enum.StrEnum):
    """How a call ended."""

    SUCCEEDED = "succeeded"
    LIMITED = "limited"
    REFUSED = "refused"
    FAILED = "failed"

    @classmethod
    def of(cls, status_code: int) -> "CallClass":
        """Return the class of an HTTP status: 402 and 429 are limits, 5xx is ours."""
        if status_code < 400:
            return cls.SUCCEEDED
        if status_code in (402, 429):
            return cls.LIMITED
        return cls.REFUSED if status_code < 500 else cls.FAILED


@dataclass(frozen=True, slots=True)
class CallPlace:
    """Which call it is: when it came, and its row. As a text it is the call's public id, and a cursor."""

    request_timestamp: datetime
    id: int

    def __str__(self) -> str:
        return f"{(self.request_timestamp - _EPOCH) // timedelta(microseconds=1):x}-{self.id:x}"

    @classmethod
    def read(cls, text: str) -> "CallPlace | None":
        """Read it back; None for a text that we did not write."""
        match = _CALL_ID.fullmatch(text) if len(text) <= CALL_ID_LENGTH_MAX else None
        if match is None or int(match[2], 16) >= 2**63:
            return None
        try:
            return cls(_EPOCH + timedelta(microseconds=int(match[1], 16)), int(match[2], 16))
        except OverflowError:
            return None


def read_cursor(cursor: str | None) -> CallPlace | None:
    """Read where a page begins; None and the empty text mean the first one. Raises BadCursor.

    A forged cursor can only skip rows of the caller's own list, so it needs no signature.
    """
    if not cursor:
        return None
    place = CallPlace.read(cursor)
    if place is None:
        raise BadCursor(
            "The cursor was not made by this API. Use the `next_cursor` of the page before, or leave it out.",
            errors=(FieldError("/cursor", "is not a cursor of this API"),),
        )
    return place


@dataclass(frozen=True, slots=True)
class LoggedCall:
    """One call of the request log, with the key that it came with; none where a page started it."""

    id: int
    request_timestamp: datetime
    product: str
    mode: Mode
    method: str
    endpoint: str
    path: str | None
    status_code: int
    response_time_ms: int
    units: int
    credits_consumed: int
    request_id: str
    problem_code: str | None
    limit_name: str | None
    limit_value: int | None
    ip_address: IPv4Address | IPv6Address | None
    user_agent: str | None
    key_id: str | None
    key_name: str | None

    def __post_init__(self) -> None:
        object.__setattr__(self, "mode", Mode(self.mode))

    @property
    def call_id(self) -> str:
        """How addresses name it."""
        return str(CallPlace(self.request_timestamp, self.id))

    @property
    def call_class(self) -> CallClass:
        """How it ended."""
        return CallClass.of(self.status_code)

    @property
    def shown_path(self) -> str:
        """What was asked for, as it was written."""
        return self.path or self.endpoint


@dataclass(frozen=True, slots=True)
class CallFilter:
    """Which calls are asked for; what is empty or None does not choose.

    `endpoint` is how the pattern or the path begins. `key_id` may be `page`: what no key made.
    """

    call_class: CallClass | None = None
    status_code: int | None = None
    endpoint: str = ""
    method: str = ""
    key_id: str = ""
    product: str = ""
    request_id: str = ""
    from_at: datetime | None = None
    until_at: datetime | None = None


def calls_chosen_by(
    *,
    status: str = "",
    endpoint: str = "",
    method: str = "",
    key: str = "",
    product: str = "",
    request_id: str = "",
    from_text: str = "",
    until_text: str = "",
) -> CallFilter:
    """Read a filter from what a form or a query says; empty texts do not choose. Raises Invalid.

    Args:
        status: a class of `CallClass`, or a status such as 404.
        from_text, until_text: a day, or a minute as 2026-01-31T18:30, in UTC; until is inclusive.

    The pointers of the errors are the names in the address: `/status`, `/endpoint`, ..., `/from`, `/until`.
    """
    errors = [
        FieldError(f"/{name}", f"Write at most {length} characters, none of them a control character")
        for name, text, length in (
            ("endpoint", endpoint, ENDPOINT_LENGTH_MAX),
            ("method", method, METHOD_LENGTH_MAX),
            ("key", key, KEY_ID_LENGTH_MAX),
            ("product", product, KEY_ID_LENGTH_MAX),
            ("request_id", request_id, REQUEST_ID_LENGTH_MAX),
        )
        if len(text) > length or not re.fullmatch(TEXT_PATTERN, text)
    ]
    status = status.strip()
    if status and status not in set(CallClass) and not _STATUS.fullmatch(status):
        errors.append(FieldError("/status", f"Choose one of {', '.join(CallClass)}, or a status such as 404"))
    first, last = _moment(from_text, "/from", errors), _moment(until_text, "/until", errors, end=True)
    if first and last and last <= first:
        errors.append(
            FieldError("/until", "The end is before the beginning; choose the same time or a later one")
        )
    if errors:
        raise Invalid(
            "The requests cannot be chosen like that. "
            + " ".join(f"{one.pointer.strip('/')}: {one.message}." for one in errors),
            errors=tuple(errors),
        )
    return CallFilter(
        call_class=CallClass(status) if status in set(CallClass) else None,
        status_code=int(status) if _STATUS.fullmatch(status) else None,
        endpoint=endpoint.strip(),
        method=method.strip().upper(),
        key_id=key.strip(),
        product=product.strip(),
        request_id=request_id.strip(),
        from_at=first,
        until_at=last,
    )


def _moment(text: str, pointer: str, errors: list[FieldError], *, end: bool = False) -> datetime | None:
    """Read a day or a minute; as an end, return the instant after it."""
    text = text.strip()
    if not text:
        return None
    match = MOMENT.fullmatch(text)
    try:
        if match is None:
            raise ValueError(text)
        at = datetime.combine(
            date.fromisoformat(match[1]), time.fromisoformat(match[2]) if match[2] else time.min, UTC
        )
        return at + (timedelta(minutes=1) if match[2] else _DAY) if end else at
    except (ValueError, OverflowError):
        errors.append(FieldError(pointer, "Write a day as 2026-01-31, or a minute as 2026-01-31T18:30"))
        return None


# Sums -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Counts:
    """How many calls ended how, and what they counted."""

    succeeded: int
    limited: int
    refused: int
    failed: int
    units: int
    credits: int

    @property
    def calls(self) -> int:
        """All of them."""
        return self.succeeded + self.limited + self.refused + self.failed


@dataclass(frozen=True, slots=True)
class DayCounts(Counts):
    """The calls of one day (UTC)."""

    day: date


@dataclass(frozen=True, slots=True)
class EndpointCounts(Counts):
    """The calls of one endpoint; `latencies` counts them by response time, within LATENCY_BOUNDS_MS."""

    method: str
    endpoint: str
    response_ms: int
    latencies: Sequence[int]

    @property
    def mean_ms(self) -> int:
        """How long one took on average."""
        return round(self.response_ms / self.calls) if self.calls else 0

    @property
    def p95_ms(self) -> int | None:
        """A bound that 95 of 100 calls kept; None where that is above the largest bound, or without calls."""
        needed, seen = sum(self.latencies) * 0.95, 0
        if not needed:
            return None
        for bound, count in zip(LATENCY_BOUNDS_MS, self.latencies, strict=False):
            seen += count
            if seen >= needed:
                return bound
        return None


@dataclass(frozen=True, slots=True)
class KeyCounts(Counts):
    """The calls of one key; without `key_id`, what was started on pages."""

    key_id: str | None
    key_name: str | None


@dataclass(frozen=True, slots=True)
class Breakdown:
    """Sums of a time by day, endpoint and key; `*_left_out` says how many of the smallest are not listed."""

    first_day: date
    last_day: date
    days: list[DayCounts]
    endpoints: list[EndpointCounts]
    endpoints_left_out: int
    keys: list[KeyCounts]
    keys_left_out: int


# A period -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Period:
    """One period of a subscription in one mode: what it includes, what was used, where it stops."""

    mode: Mode
    period_start: datetime
    period_end: datetime
    requests_included: int | None
    requests_used: int
    # Where calls stop; None: nowhere.
    requests_max: int | None
    overage_rate: Decimal

    def __post_init__(self) -> None:
        object.__setattr__(self, "mode", Mode(self.mode))

    @property
    def sells_overage(self) -> bool:
        """Whether requests beyond the included ones are carried out, and cost."""
        included = self.requests_included
        return (
            self.mode is Mode.LIVE
            and included is not None
            and self.overage_rate > 0
            and (self.requests_max is None or self.requests_max > included)
        )

    def overage_units(self, used: int) -> int:
        """Count the requests beyond the included ones, of so many used."""
        return max(0, used - (self.requests_included or 0)) if self.sells_overage else 0

    def overage_amount(self, used: int) -> Decimal:
        """Return what so many used cost beyond the plan: one multiplication, rounded once, to cents."""
        amount = self.overage_units(used) * self.overage_rate
        return amount.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)

    @property
    def first_day(self) -> date:
        """The first day (UTC) that has a part of it."""
        return self.period_start.astimezone(UTC).date()

    @property
    def last_day(self) -> date:
        """The last day (UTC) that has a part of it."""
        return (self.period_end - timedelta(microseconds=1)).astimezone(UTC).date()

    def holds(self, now: datetime) -> bool:
        """Whether it is the one under way."""
        return self.period_start <= now < self.period_end


@dataclass(frozen=True, slots=True)
class Projection:
    """What a period comes to at its end, if the days to come are like the last ones."""

    units: int
    a_day: Decimal
    # Over how many hours the average was taken.
    hours: int


def project(period: Period, recent_units: int, since: datetime, now: datetime) -> Projection | None:
    """Extend a period under way: what is used, and for the time left as much as the average since `since`.

    None for a period that is not under way, and where less than a day tells about it.
    """
    watched = now - since
    if not period.holds(now) or watched < _DAY:
        return None
    a_day = Decimal(max(0, recent_units)) / (Decimal(watched // timedelta(seconds=1)) / 86_400)
    days_left = Decimal((period.period_end - now) // timedelta(seconds=1)) / 86_400
    units = period.requests_used + int((a_day * days_left).to_integral_value(rounding=ROUND_HALF_UP))
    if period.requests_max is not None:
        # Calls stop there; it was passed before only where the bound was lowered since.
        units = max(period.requests_used, min(units, period.requests_max))
    return Projection(units, a_day.quantize(Decimal("0.1")), watched // timedelta(hours=1))


def watched_since(began: datetime, now: datetime) -> datetime:
    """Return from when on the average of a projection is taken: the last days, whole, or the beginning if later."""
    start = datetime.combine(now.astimezone(UTC).date() - timedelta(days=PROJECTION_DAYS - 1), time.min, UTC)
    return max(start, began)
