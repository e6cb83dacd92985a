"""Changes of what a customer holds: asked for, waiting, applied or withdrawn; and what changes with a plan."""

import enum
from dataclasses import dataclass
from datetime import datetime

from tollway.kit.problems import Conflict, Forbidden, Invalid
from tollway.plans.entities import FREE_TRIAL_TIER, LIMIT_NAMES, Entitlement, EntitlementState, Plan

# Whoever holds a plan is told of a change of it so long before (B61).
NOTICE_DAYS = 30

LIMIT_LABELS = {
    "iterations_max": "iterations a run",
    "file_bytes_max": "bytes a workbook",
    "runs_at_once_max": "runs at once",
    "requests_per_day_max": "requests a day",
    "workbook_days": "days that workbooks are kept",
    "result_days": "days that results are kept",
    "requests_per_minute_max": "requests a minute",
    "agents_max": "agents",
    "api_keys_max": "API keys",
    "writes_at_once_max": "changes at once",
}


class ChangeKind(enum.StrEnum):
    """Where a change leads; a migration is one that we make for every holder of a plan."""

    UPGRADE = "upgrade"
    DOWNGRADE = "downgrade"
    CANCEL = "cancel"
    MIGRATION = "migration"


class ChangeTiming(enum.StrEnum):
    """When a change counts that is asked for now (X20)."""

    AT_ONCE = "at_once"
    WHEN_PAID = "when_paid"
    AT_PERIOD_END = "at_period_end"


class ChangeStatus(enum.StrEnum):
    """How far a change has come."""

    PENDING_PAYMENT = "pending_payment"
    SCHEDULED = "scheduled"
    APPLIED = "applied"
    WITHDRAWN = "withdrawn"


class ChangeEvent(enum.StrEnum):
    """What a mail about a change tells."""

    ANNOUNCED = "announced"
    APPLIED = "applied"


@dataclass(frozen=True, slots=True)
class SubscriptionChange:
    """One change of one subscription; without a plan it is a cancellation."""

    id: int
    public_id: str
    subscription_id: int
    customer_id: int
    product: str
    kind: ChangeKind
    plan_version_id: int | None
    status: ChangeStatus
    effective_at: datetime | None
    requested_by: str
    reason: str
    created_at: datetime
    settled_at: datetime | None

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", ChangeKind(self.kind))
        object.__setattr__(self, "status", ChangeStatus(self.status))

    @property
    def is_open(self) -> bool:
        """Whether it waits for something."""
        return self.status in (ChangeStatus.PENDING_PAYMENT, ChangeStatus.SCHEDULED)


class NoticeKind(enum.StrEnum):
    """What stands on the dashboard about plans."""

    FREE_TRIAL_ENDING = "free_trial_ending"
    FREE_TRIAL_ENDED = "free_trial_ended"
    PAYMENT_AWAITED = "payment_awaited"
    PAST_DUE = "past_due"
    DOWNGRADE = "downgrade"
    CANCEL = "cancel"
    MIGRATION = "migration"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Notice:
    """One sentence or two for the dashboard; `at` is when what they tell of happens."""

    kind: NoticeKind
    product: str
    title: str
    text: str
    at: datetime | None
    change_id: str | None = None


class PlanHeld(Conflict):
    """The customer asked for the plan that they have."""

    code = "plan-held"
    title = "You have that plan already"


class PlanByArrangement(Forbidden):
    """The plan has no price of its own: people arrange it."""

    code = "plan-by-arrangement"
    title = "That plan is arranged with us"


class FreeTrialHad(Conflict):
    """A free trial is had once."""

    code = "free-trial-had"
    title = "There is one free trial"


class ChangeOpen(Conflict):
    """Another change of the same subscription waits."""

    code = "change-open"
    title = "Another change is waiting"


class ChangeOver(Conflict):
    """The change was applied or withdrawn before."""

    code = "change-over"
    title = "That change is over"


class NoticeTooShort(Invalid):
    """A change of held subscriptions was to come sooner than its holders were promised (B61)."""

    code = "notice-too-short"
    title = "Holders are told 30 days before"


def kind_of_change(held: Entitlement | None, wanted: Plan) -> ChangeKind:
    """Say whether a plan is a step up or down from what is held; from what has ended every step is up."""
    if held is None or held.state is EntitlementState.CANCELLED or held.plan.free:
        return ChangeKind.UPGRADE
    return ChangeKind.UPGRADE if wanted.rank > held.plan.rank else ChangeKind.DOWNGRADE


def timing_of_change(held: Entitlement | None, wanted: Plan) -> ChangeTiming:
    """Say when another plan would count: what is paid for is kept until its period ends (X20)."""
    is_paid_for = held is not None and not held.plan.free and not held.read_only
    if wanted.free and not is_paid_for:
        return ChangeTiming.AT_ONCE
    if kind_of_change(held, wanted) is ChangeKind.UPGRADE:
        return ChangeTiming.WHEN_PAID
    return ChangeTiming.AT_PERIOD_END


def assert_may_have(held: Entitlement | None, wanted: Plan) -> None:
    """Raise PlanByArrangement, PlanHeld or FreeTrialHad where a customer may not choose a plan by themselves."""
    if wanted.price_minor is None:
        raise PlanByArrangement(
            f"The plan {wanted.name} is arranged with us: write to support, and we call you."
        )
    if held is not None and wanted.tier == held.plan.tier and not held.read_only:
        raise PlanHeld(f"You have the plan {wanted.name} already.")
    if held is not None and wanted.tier == FREE_TRIAL_TIER:
        raise FreeTrialHad("Each customer has one free trial, and you had yours. Choose a plan to go on.")


def differences(old: Plan, new: Plan) -> list[str]:
    """Say what differs between two plans or versions of one, a line each, for people."""
    lines = []
    if old.name != new.name:
        lines.append(f"Name: {old.name} becomes {new.name}")
    if old.price_text != new.price_text:
        lines.append(f"Price: {old.price_text} becomes {new.price_text}")
    if old.requests_included != new.requests_included:
        lines.append(
            f"Requests a month: {_number(old.requests_included)} becomes {_number(new.requests_included)}"
        )
    for name in LIMIT_NAMES:
        before, after = old.amount_of(name), new.amount_of(name)
        if before != after:
            label = LIMIT_LABELS[name]
            lines.append(f"{label[0].upper()}{label[1:]}: {_number(before)} becomes {_number(after)}")
    if old.processing_weight != new.processing_weight:
        lines.append(
            f"Share of the workers beside others' runs: {old.processing_weight} becomes {new.processing_weight}"
        )
    if (old.overage, old.overage_rate) != (new.overage, new.overage_rate):
        lines.append(f"Beyond the included requests: {_overage(old)} becomes {_overage(new)}")
    lines += [f"New: {gate.label}" for gate in sorted(new.gates - old.gates)]
    lines += [f"No longer: {gate.label}" for gate in sorted(old.gates - new.gates)]
    return lines


def _number(amount: int | None) -> str:
    return "unlimited" if amount is None else f"{amount:,}"


def _overage(plan: Plan) -> str:
    if plan.overage == "stop":
        return "calls stop"
    rate = f"{plan.currency} {plan.overage_rate.normalize():f} a request"
    return f"{rate}, if you choose to" if plan.overage == "opt_in" else rate
