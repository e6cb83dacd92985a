"""Quotas and usage events."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tollway.customers.entities import Mode
from tollway.kit.problems import TooMany

# Upper bounds of the classes that response times are counted in; a last class holds what took longer.
LATENCY_BOUNDS_MS = (5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000)
# Stands for a text whose definition was damaged on its way here; the call itself is whole.
UNKNOWN_TEXT = "(unknown)"


class QuotaUsedUp(TooMany):
    """The requests of the period are used up and the plan stops there."""

    code = "quota-used-up"
    title = "Your requests for this period are used up"


class DailyLimitReached(TooMany):
    """The burst of one day is used up."""

    code = "daily-limit-reached"
    title = "Your requests for today are used up"


class SpendingCapReached(TooMany):
    """What the customer lets a month cost above the plan is spent."""

    code = "spending-cap-reached"
    title = "Your spending cap for this period is reached"


@dataclass(frozen=True, slots=True)
class QuotaTerms:
    """What a period gives: units included, the bound where calls stop (None: nowhere), and the rate beyond."""

    requests_included: int | None
    requests_max: int | None
    overage_rate: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Quota:
    """Units of one period: how many are included, how many were used. None included: unlimited.

    The last three are no columns: whoever knows the customer's plan adds them (`plans.get_quota`).
    """

    id: int
    subscription_id: int
    mode: Mode
    period_start: datetime
    period_end: datetime
    requests_included: int | None
    requests_used: int
    # When what it gives was last decided.
    terms_at: datetime
    # What processes may spend and have not yet accounted for.
    requests_leased: int = 0
    # Where calls stop; None: nowhere.
    requests_max: int | None = None
    # The burst of one day (UTC); None: none of its own.
    requests_per_day_max: int | None = None
    # What the customer lets a period cost above the plan, where that is what `requests_max` comes from.
    spending_cap: Decimal | None = None
    currency: str = "USD"

    def __post_init__(self) -> None:
        object.__setattr__(self, "mode", Mode(self.mode))

    @property
    def remaining(self) -> int | None:
        """Included units left; None where there is no bound."""
        return None if self.requests_included is None else max(0, self.requests_included - self.requests_used)


@dataclass(frozen=True, slots=True)
class Standing:
    """What of one bound is taken: used, and leased to processes. No `units_max`: there is none."""

    used: int
    leased: int
    units_max: int | None

    @property
    def left(self) -> int | None:
        """Units that can still be taken; None: as many as you like."""
        return None if self.units_max is None else max(0, self.units_max - self.used - self.leased)

    def admits(self, units: int) -> bool:
        """Say whether this many more fit."""
        return self.left is None or units <= self.left


def day_of(instant: datetime) -> date:
    """Return the day (UTC) that an instant belongs to."""
    return instant.astimezone(UTC).date()


@dataclass(frozen=True, slots=True)
class UnitLease:
    """Units that one process took from a quota in advance, for one day (UTC).

    `units_left` is what month and day had left after it; None: without a bound.
    """

    id: int
    source_id: int
    quota_id: int
    day: date
    units_granted: int
    units_left: int | None = None


@dataclass(frozen=True, slots=True)
class UsageEvent:
    """One call, as it is written to the log: an immutable fact."""

    customer_id: int
    api_key_id: int | None
    product: str
    mode: Mode
    endpoint: str
    method: str
    status_code: int
    response_time_ms: int
    credits_consumed: int
    units: int
    request_timestamp: datetime
    ip_address: str | None
    user_agent: str
    request_id: str
    problem_code: str | None = None
    # The path that was asked for, where it says more than `endpoint`, the pattern that it matched.
    path: str | None = None
    # The limit that a refused call ran into, and its value then.
    limit_name: str | None = None
    limit_value: int | None = None


@dataclass(frozen=True, slots=True)
class UsageSource:
    """A journal of one process, and how far it was taken over: all records before a place in a segment."""

    id: int
    segment: int
    record_index: int
    ended_at: datetime | None

    @property
    def position(self) -> tuple[int, int]:
        """The segment, and the record in it, that comes next."""
        return self.segment, self.record_index


def taken(calls: NDArray[Any], places: NDArray[Any]) -> NDArray[Any]:
    """Return the calls at some places; as whole rows, for numpy takes columns one by one, at twenty times the cost."""
    found: NDArray[Any] = calls.view(f"V{calls.itemsize}")[places].view(calls.dtype)
    return found


@dataclass(frozen=True, slots=True)
class UsageBatch:
    """Many calls as a journal holds them: columns of numbers, and the texts that some numbers stand for.

    `calls` has the columns timestamp_us (since 1970, UTC), customer_id, api_key_id (0: none), units, credits, status,
    response_us, method (a place in `methods`), live, endpoint, product, user_agent, problem, limit_name (texts),
    limit_value, address (16 bytes, of which address_bytes count) and request_id (32 bytes, likewise). `paths` and
    `request_ids` hold what does not fit there, by place in `calls`.
    """

    calls: NDArray[Any]
    texts: Mapping[int, str]
    methods: Sequence[str]
    paths: Mapping[int, str]
    request_ids: Mapping[int, str]

    def __len__(self) -> int:
        return len(self.calls)

    def text(self, number: int) -> str:
        """Return what a number stands for; nothing for 0, and a stopgap where its definition was damaged."""
        return self.texts.get(number, UNKNOWN_TEXT) if number else ""

    def sorted_by_customer(self) -> "UsageBatch":
        """Return the same calls customer by customer; each customer's keep their order."""
        order = np.argsort(self.calls["customer_id"], kind="stable")
        places = (
            dict(zip(order.tolist(), range(len(order)), strict=True))
            if self.paths or self.request_ids
            else {}
        )
        return UsageBatch(
            taken(self.calls, order),
            self.texts,
            self.methods,
            {places[place]: text for place, text in self.paths.items()},
            {places[place]: text for place, text in self.request_ids.items()},
        )

    def without_origin(self, customer_ids: Sequence[int]) -> "UsageBatch":
        """Return the same calls, without address and user agent where they are of these customers."""
        calls = self.calls.copy()
        theirs = np.isin(calls["customer_id"], customer_ids)
        calls["address_bytes"][theirs] = 0
        calls["user_agent"][theirs] = 0
        return UsageBatch(calls, self.texts, self.methods, self.paths, self.request_ids)

    def part(self, start: int, end: int) -> "UsageBatch":
        """Return the calls from one place to before another."""
        return UsageBatch(
            self.calls[start:end],
            self.texts,
            self.methods,
            {place - start: text for place, text in self.paths.items() if start <= place < end},
            {place - start: text for place, text in self.request_ids.items() if start <= place < end},
        )


@dataclass(frozen=True, slots=True)
class RecentCall:
    """One line of the request log."""

    endpoint: str
    method: str
    status_code: int
    response_time_ms: int
    units: int
    request_timestamp: datetime
    request_id: str
    problem_code: str | None
    key_id: str | None


@dataclass(frozen=True, slots=True)
class DayTotal:
    """Calls of one day (UTC): answered, refused by a limit, and failed otherwise."""

    day: Any
    succeeded: int
    limited: int
    failed: int


def quantile_ms(latencies: Sequence[int], share: float) -> float | None:
    """Estimate what a share of calls kept below, from how many each bucket holds; None without calls.

    Within the bucket that it falls in, calls are taken as evenly spread: a straight line between its bounds, as
    Prometheus' histogram_quantile draws it. Nothing is known above the largest bound, which is given there.
    """
    total = sum(latencies)
    if not total:
        return None
    wanted, below, low = share * total, 0, 0
    for bound, count in zip(LATENCY_BOUNDS_MS, latencies, strict=False):
        if count and below + count >= wanted:
            return low + (bound - low) * (wanted - below) / count
        below, low = below + count, bound
    return float(LATENCY_BOUNDS_MS[-1])
