"""Quotas and usage events."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tollway.customers.entities import Mode
from tollway.kit.problems import TooMany


class QuotaUsedUp(TooMany):
    """The requests of the period are used up and the plan stops there."""

    code = "quota-used-up"
    title = "Your requests for this period are used up"


class DailyLimitReached(TooMany):
    """The burst of one day is used up."""

    code = "daily-limit-reached"
    title = "Your requests for today are used up"


@dataclass(frozen=True, slots=True)
class Quota:
    """Units of one period: how many are included, how many were used. None included: unlimited."""

    id: int
    subscription_id: int
    mode: Mode
    period_start: datetime
    period_end: datetime
    requests_included: int | None
    requests_used: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "mode", Mode(self.mode))

    @property
    def remaining(self) -> int | None:
        """Units left; None where there is no bound."""
        return None if self.requests_included is None else max(0, self.requests_included - self.requests_used)


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
