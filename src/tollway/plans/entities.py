"""Plans, subscriptions and entitlements."""

import enum
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from tollway.kit.problems import PaymentRequired

# Until an address is verified its key may make this many requests (X4).
UNVERIFIED_REQUESTS_INCLUDED = 20


class Overage(enum.StrEnum):
    """What happens when the included requests are used up (X6)."""

    STOP = "stop"
    OPT_IN = "opt_in"
    ALWAYS = "always"


class SubscriptionStatus(enum.StrEnum):
    """Where a customer's hold on a plan stands."""

    PENDING_VERIFICATION = "pending_verification"
    TRIALING = "trialing"
    ACTIVE = "active"
    CANCELLED = "cancelled"


class FreeTrialEnded(PaymentRequired):
    """The free trial is over; what exists can be read, nothing new can be made (X3)."""

    code = "free-trial-ended"
    title = "The free trial has ended"


class CatalogRefused(Exception):
    """The catalogue breaks a rule; the message names the place."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one plan allows, beside its number of requests."""

    iterations_max: int
    file_bytes_max: int
    runs_at_once_max: int
    requests_per_day_max: int | None
    workbook_days: int
    result_days: int


@dataclass(frozen=True, slots=True)
class Plan:
    """One version of one tier of one product, as the catalogue declared it."""

    version_id: int
    product: str
    tier: str
    version: int
    name: str
    description: str
    price_minor: int
    currency: str
    requests_included: int | None
    overage: Overage
    overage_rate: Decimal
    free: bool
    public: bool
    limits: Limits
    features: tuple[str, ...]

    @classmethod
    def from_content(cls, version_id: int, version: int, content: dict[str, Any]) -> "Plan":
        """Read a plan back from the JSON that `plan_versions.content` holds."""
        values = dict(content)
        values["overage"] = Overage(values["overage"])
        values["overage_rate"] = Decimal(values["overage_rate"])
        values["limits"] = Limits(**values["limits"])
        values["features"] = tuple(values["features"])
        return cls(version_id=version_id, version=version, **values)


@dataclass(frozen=True, slots=True)
class Subscription:
    """A customer's hold on a plan."""

    id: int
    public_id: str
    customer_id: int
    product: str
    plan_version_id: int
    status: SubscriptionStatus
    current_period_start: datetime
    current_period_end: datetime
    trial_end: datetime | None
    created_at: datetime

    def __post_init__(self) -> None:
        object.__setattr__(self, "status", SubscriptionStatus(self.status))


@dataclass(frozen=True, slots=True)
class Entitlement:
    """What a customer may do with one product at one moment."""

    subscription: Subscription
    plan: Plan
    requests_included: int | None
    read_only: bool
    period_start: datetime
    period_end: datetime

    @property
    def limits(self) -> Limits:
        """The plan's limits."""
        return self.plan.limits

    @property
    def way_to_more_requests(self) -> str:
        """What lifts the limit of requests before the period ends."""
        if self.subscription.status is SubscriptionStatus.PENDING_VERIFICATION:
            return (
                "verifying your address lifts the limit now: the code and the link for it were mailed to you"
            )
        return "a larger plan lifts the limit now"

    def free_trial_days_remaining(self, now: datetime) -> int | None:
        """Count the started days that are left of the free trial; None where there is none."""
        if self.subscription.status is not SubscriptionStatus.TRIALING or self.subscription.trial_end is None:
            return None
        seconds = (self.subscription.trial_end - now).total_seconds()
        return max(0, -int(-seconds // 86_400))

    def assert_may_write(self) -> None:
        """Raise FreeTrialEnded where only reading is left."""
        if self.read_only:
            raise FreeTrialEnded(
                "Your free trial has ended: everything you made can still be read, but nothing new can be made. "
                "Choose a plan to go on."
            )


def entitlement_of(subscription: Subscription, plan: Plan, now: datetime) -> Entitlement:
    """Derive what a subscription allows at `now`.

    Free tiers count by calendar month in UTC, paid ones by months from the subscription's start (X11).
    """
    unverified = subscription.status is SubscriptionStatus.PENDING_VERIFICATION
    ended = subscription.status is SubscriptionStatus.CANCELLED or (
        subscription.status is SubscriptionStatus.TRIALING
        and subscription.trial_end is not None
        and subscription.trial_end <= now
    )
    if plan.free:
        start = datetime(now.year, now.month, 1, tzinfo=UTC)
        end = add_months(start, 1)
    else:
        start, end = month_around(subscription.created_at, now)
    return Entitlement(
        subscription=subscription,
        plan=plan,
        requests_included=UNVERIFIED_REQUESTS_INCLUDED if unverified else plan.requests_included,
        read_only=ended,
        period_start=start,
        period_end=end,
    )


def month_around(anchor: datetime, now: datetime) -> tuple[datetime, datetime]:
    """Return the month, counted from `anchor`, that holds `now`: from its start until before its end."""
    months = (now.year - anchor.year) * 12 + now.month - anchor.month
    start = add_months(anchor, months)
    if start > now:
        months -= 1
        start = add_months(anchor, months)
    return start, add_months(anchor, months + 1)


def add_months(anchor: datetime, months: int) -> datetime:
    """Move by whole months; a day that the month lacks becomes its last (31 January + 1 is 28 February)."""
    years, month_index = divmod(anchor.month - 1 + months, 12)
    year, month = anchor.year + years, month_index + 1
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    lengths = (31, 29 if leap else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
    return anchor.replace(year=year, month=month, day=min(anchor.day, lengths[month - 1]))
