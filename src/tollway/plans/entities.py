"""Plans, subscriptions, and what they allow at a moment: entitlements, each limit with the rules that gave it."""

import enum
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from typing import Any

from tollway.customers.entities import Mode
from tollway.kit.money import format_whole
from tollway.kit.problems import NotFound, PaymentRequired
from tollway.metering.entities import QuotaTerms

# Until an address is verified its key may make this many requests (X4).
UNVERIFIED_REQUESTS_INCLUDED = 20
# No limit passes this, however much is granted: what counts up to it is a column of four bytes.
LIMIT_MAX = 2_000_000_000
# What a run weighs that no plan gives more, and what one weighs at least whose plan has priority (B54).
STANDARD_WEIGHT = 1
PRIORITY_WEIGHT = 3
# Beside a customer of this weight one of the standard weight still gets one hundredth.
PROCESSING_WEIGHT_MAX = 100
# What a spending cap may be at most, in the plan's currency.
SPENDING_CAP_MAX = 1_000_000
REQUESTS_INCLUDED = "requests_included"
FEATURE_PREFIX = "feature:"
FREE_TRIAL_TIER = "trial"
GRANDFATHERED_TIER = "free_existing"
# Names of tiers that other documents use for ours (X1).
TIER_ALIASES = {"pro": "professional"}


class Product(enum.StrEnum):
    """What a customer buys; a product that a catalogue adds needs a name here."""

    MONTECARLO = "montecarlo"
    WALLET = "wallet"
    AGENTS = "agents"


PRODUCTS = tuple(Product)


class Overage(enum.StrEnum):
    """What happens when the included requests are used up (X6)."""

    STOP = "stop"
    OPT_IN = "opt_in"
    ALWAYS = "always"


class Feature(enum.StrEnum):
    """What a plan may have beside its limits; the code asks for these by name, never for a tier."""

    PRIORITY = "priority"
    WEBHOOKS = "webhooks"
    PHONE_SUPPORT = "phone_support"
    PRIORITY_SUPPORT = "priority_support"
    LIVE_CHAT = "live_chat"
    INTEGRATION_HELP = "integration_help"
    EMERGENCY_LINE = "emergency_line"
    DEDICATED_SUPPORT = "dedicated_support"
    ADVANCED_DOCUMENTATION = "advanced_documentation"
    BASIC_ANALYTICS = "basic_analytics"
    ADVANCED_ANALYTICS = "advanced_analytics"
    REALTIME_ANALYTICS = "realtime_analytics"
    PREMIUM_ROUTING = "premium_routing"
    RESERVED_WORKERS = "reserved_workers"
    CUSTOM_INTEGRATIONS = "custom_integrations"
    CUSTOM_SLA = "custom_sla"
    CUSTOM_ENDPOINTS = "custom_endpoints"
    DEDICATED_ADDRESSES = "dedicated_addresses"
    ON_PREMISE = "on_premise"

    @property
    def label(self) -> str:
        """How people read it."""
        return self.value.replace("_", " ")


class SubscriptionStatus(enum.StrEnum):
    """Where a customer's hold on a plan stands.

    `pending_payment` is that of a customer who came for a paid plan and holds the free one until it is paid.
    """

    PENDING_VERIFICATION = "pending_verification"
    PENDING_PAYMENT = "pending_payment"
    TRIALING = "trialing"
    ACTIVE = "active"
    PAST_DUE = "past_due"
    CANCELLED = "cancelled"


class EntitlementState(enum.StrEnum):
    """What a subscription lets API keys do at a moment (X9)."""

    PENDING_PAYMENT = "pending_payment"
    ACTIVE = "active"
    PAST_DUE = "past_due"
    CANCELLED = "cancelled"


class FreeTrialEnded(PaymentRequired):
    """The free trial is over; what exists can be read, nothing new can be made (X3)."""

    code = "free-trial-ended"
    title = "The free trial has ended"


class SubscriptionEnded(PaymentRequired):
    """The plan was cancelled and its last period is over; what exists can be read."""

    code = "subscription-ended"
    title = "The subscription has ended"


class FeatureNotIncluded(PaymentRequired):
    """The plan that is held does not have a feature; the message names one that has it."""

    code = "feature-not-included"
    title = "Your plan does not include that"


class PlanUnknown(NotFound):
    """The catalogue has no such plan, or it is not for everybody to choose."""

    code = "plan-unknown"
    title = "There is no such plan"


class CatalogRefused(Exception):
    """The catalogue breaks a rule; the message names the place."""


# Plans --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of each thing is allowed, beside the number of requests.

    A number is a bound, and 0 means that there is none of it, as for what another product counts. None
    means without a bound, where the type allows it.
    """

    iterations_max: int
    file_bytes_max: int
    runs_at_once_max: int
    requests_per_day_max: int | None
    workbook_days: int
    result_days: int
    requests_per_minute_max: int | None = None
    agents_max: int = 0
    api_keys_max: int = 10
    # Requests under way that make or change something, all keys together.
    writes_at_once_max: int | None = None


LIMIT_NAMES = tuple(field.name for field in fields(Limits))
# Only these may be without a bound.
UNBOUNDED_NAMES = frozenset(
    {REQUESTS_INCLUDED, "requests_per_day_max", "requests_per_minute_max", "writes_at_once_max"}
)


@dataclass(frozen=True, slots=True)
class Plan:
    """One version of one tier of one product, as the catalogue declared it. No price: by arrangement."""

    version_id: int
    product: str
    tier: str
    version: int
    name: str
    description: str
    price_minor: int | None
    currency: str
    requests_included: int | None
    overage: Overage
    overage_rate: Decimal
    free: bool
    public: bool
    limits: Limits
    features: tuple[str, ...]
    # Versions that were sold before these were written down lack them; they promised no more than this.
    gates: frozenset[Feature] = frozenset()
    premium_rate: Decimal | None = None
    fair_use_requests: int | None = None
    support: str = "Community"
    support_response_hours: int = 48
    sales_call_hours: int | None = None
    uptime_sla: Decimal | None = None
    processing_weight: int = STANDARD_WEIGHT
    # Whether replies wait until their usage is on the disk, as prepaid money asks for.
    durable_usage: bool = False
    # How many calls a process lets through while nobody can say what the others let through.
    calls_without_centre: int = 0

    @classmethod
    def from_content(cls, version_id: int, version: int, content: dict[str, Any]) -> "Plan":
        """Read a plan back from the JSON that `plan_versions.content` holds, of this catalogue or an earlier one."""
        values = dict(content)
        values["overage"] = Overage(values["overage"])
        values["limits"] = Limits(**values["limits"])
        values["features"] = tuple(values["features"])
        values["gates"] = frozenset(Feature(name) for name in values.get("gates", ()))
        for name in ("overage_rate", "premium_rate", "uptime_sla"):
            if values.get(name) is not None:
                values[name] = Decimal(values[name])
        return cls(version_id=version_id, version=version, **values)

    @property
    def price_text(self) -> str:
        """Its price as people read it."""
        if self.price_minor is None:
            return "by arrangement"
        return "free" if self.free else f"{format_whole(self.price_minor, self.currency)} a month"

    @property
    def rank(self) -> tuple[int, int]:
        """Its place among the plans of its product: free ones, then by price, then those by arrangement."""
        return (2, 0) if self.price_minor is None else (0 if self.free else 1, self.price_minor)

    def amount_of(self, subject: str) -> int | None:
        """Return what this plan gives of a limit, or 1 or 0 for `feature:NAME`."""
        if subject == REQUESTS_INCLUDED:
            return self.requests_included
        if subject.startswith(FEATURE_PREFIX):
            return int(subject.removeprefix(FEATURE_PREFIX) in self.gates)
        found: int | None = getattr(self.limits, subject)
        return found


SUBJECTS = (REQUESTS_INCLUDED, *LIMIT_NAMES, *(FEATURE_PREFIX + feature for feature in Feature))


def normal_tier(tier: str) -> str:
    """Write the name of a tier the one way we keep it; `pro` is `professional` (X1)."""
    tier = tier.strip().lower()
    return TIER_ALIASES.get(tier, tier)


# Subscriptions ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Subscription:
    """A customer's hold on a plan. The months of a paid one run from `current_period_start`."""

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
    # What the customer lets a period cost above the plan, in the plan's currency; None: no cap of their own.
    spending_cap: Decimal | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "status", SubscriptionStatus(self.status))

    def state(self, now: datetime) -> EntitlementState:
        """Say what it lets API keys do at `now`; a free trial that ended is as good as cancelled (X3)."""
        ended = (
            self.status is SubscriptionStatus.TRIALING
            and self.trial_end is not None
            and self.trial_end <= now
        )
        if ended or self.status is SubscriptionStatus.CANCELLED:
            return EntitlementState.CANCELLED
        if self.status is SubscriptionStatus.PAST_DUE:
            return EntitlementState.PAST_DUE
        if self.status is SubscriptionStatus.PENDING_PAYMENT:
            return EntitlementState.PENDING_PAYMENT
        return EntitlementState.ACTIVE


class AdjustmentKind(enum.StrEnum):
    """Whether something is added to what the plan gives, or stands in its place for a while."""

    GRANT = "grant"
    OVERRIDE = "override"


@dataclass(frozen=True, slots=True)
class Adjustment:
    """What one customer was given beside their plan. Never changed; `ended_at` closes it early."""

    id: int
    public_id: str
    customer_id: int
    product: str
    kind: AdjustmentKind
    subject: str
    amount: int | None
    starts_at: datetime
    ends_at: datetime | None
    ended_at: datetime | None
    reason: str
    created_by: str
    created_at: datetime

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", AdjustmentKind(self.kind))

    def is_in_force(self, now: datetime) -> bool:
        """Whether it counts at `now`: from its start until before its end."""
        return (
            self.starts_at <= now
            and (self.ends_at is None or now < self.ends_at)
            and (self.ended_at is None or now < self.ended_at)
        )


# Entitlements -------------------------------------------------------------------------------------


class RuleKind(enum.StrEnum):
    """What can give a limit."""

    PLAN = "plan"
    UNVERIFIED = "unverified"
    PAST_DUE = "past_due"
    GRANT = "grant"
    OVERRIDE = "override"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule that gave a limit, or a part of it; `reference` names the version of a plan, or an adjustment."""

    kind: RuleKind
    reference: str
    amount: int | None


@dataclass(frozen=True, slots=True)
class ExplainedLimit:
    """One limit (or `feature:NAME`, 1 or 0) and the rules that gave it: together they are its amount."""

    subject: str
    amount: int | None
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Entitlement:
    """What a customer may do with one product at one moment."""

    subscription: Subscription
    plan: Plan
    state: EntitlementState
    requests_included: int | None
    limits: Limits
    features: frozenset[Feature]
    explained: tuple[ExplainedLimit, ...]
    period_start: datetime
    period_end: datetime

    @property
    def read_only(self) -> bool:
        """Whether only reading is left."""
        return self.state is EntitlementState.CANCELLED

    @property
    def overage(self) -> Overage:
        """What happens beyond the included requests; whoever owes us money gets none on credit."""
        return Overage.STOP if self.state is EntitlementState.PAST_DUE else self.plan.overage

    def spending_cap_in_force(self, mode: Mode) -> Decimal | None:
        """Return the customer's spending cap where it is what ends a period's requests; None where it is not."""
        costs = mode is Mode.LIVE and self.overage is Overage.ALWAYS and self.plan.overage_rate > 0
        return self.subscription.spending_cap if costs and self.requests_included is not None else None

    def quota_terms(self, mode: Mode) -> QuotaTerms:
        """Say what a period gives: what is included, and where calls stop (X6, X11).

        Test mode stops at what is included, and so does live mode, but for plans that sell requests beyond it:
        these stop where the customer's spending cap is spent, or nowhere.
        """
        included, rate, cap = self.requests_included, self.plan.overage_rate, self.spending_cap_in_force(mode)
        # `opt_in` needs a payment method and a spending cap, which nobody can have before billing exists.
        stops = mode is Mode.TEST or self.overage is not Overage.ALWAYS
        most = included if stops else None
        if included is not None and cap is not None:
            most = min(LIMIT_MAX, included + int(cap // rate))
        return QuotaTerms(included, most, rate)

    @property
    def processing_weight(self) -> int:
        """Its share of the workers beside other customers' runs: 3 gets three times what 1 gets.

        Whoever is past due weighs what a free plan does. Priority counts where it was granted too, and in versions
        that were sold before weights were written down.
        """
        if self.state is EntitlementState.PAST_DUE:
            return STANDARD_WEIGHT
        least = PRIORITY_WEIGHT if Feature.PRIORITY in self.features else STANDARD_WEIGHT
        return max(least, self.plan.processing_weight)

    @property
    def way_to_more_requests(self) -> str:
        """What lifts the limit of requests before the period ends."""
        if self.subscription.status is SubscriptionStatus.PENDING_VERIFICATION:
            return (
                "verifying your address lifts the limit now: the code and the link for it were mailed to you"
            )
        if self.state is EntitlementState.PAST_DUE:
            return "paying the open invoice lifts the limit now"
        return "a larger plan lifts the limit now"

    def free_trial_days_remaining(self, now: datetime) -> int | None:
        """Count the started days that are left of the free trial; None where there is none."""
        if self.subscription.status is not SubscriptionStatus.TRIALING or self.subscription.trial_end is None:
            return None
        seconds = (self.subscription.trial_end - now).total_seconds()
        return max(0, -int(-seconds // 86_400))

    def explain(self, subject: str) -> ExplainedLimit:
        """Return one limit with the rules that gave it."""
        return next(one for one in self.explained if one.subject == subject)

    def assert_may_write(self) -> None:
        """Raise FreeTrialEnded or SubscriptionEnded where only reading is left."""
        if not self.read_only:
            return
        if self.plan.tier == FREE_TRIAL_TIER or self.subscription.status is SubscriptionStatus.TRIALING:
            raise FreeTrialEnded(
                "Your free trial has ended: everything you made can still be read, but nothing new can be made. "
                "Choose a plan to go on."
            )
        raise SubscriptionEnded(
            f"Your plan {self.plan.name} has ended: everything you made can still be read, but nothing new can "
            "be made. Choose a plan to go on."
        )
