"""Derives what a customer may do now from what they hold, what they were given, and the moment."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from tollway.plans.entities import (
    FEATURE_PREFIX,
    LIMIT_MAX,
    LIMIT_NAMES,
    REQUESTS_INCLUDED,
    SUBJECTS,
    UNBOUNDED_NAMES,
    UNVERIFIED_REQUESTS_INCLUDED,
    Adjustment,
    AdjustmentKind,
    Entitlement,
    EntitlementState,
    ExplainedLimit,
    Feature,
    Limits,
    Plan,
    Rule,
    RuleKind,
    Subscription,
    SubscriptionStatus,
)
from tollway.plans.periods import add_months, month_around


def entitlement_of(
    subscription: Subscription,
    plan: Plan,
    now: datetime,
    *,
    adjustments: Sequence[Adjustment] = (),
    free_plan: Plan | None = None,
) -> Entitlement:
    """Derive what a subscription allows at `now`: the plan, with grants added, or an override in its place.

    Free tiers count by calendar month in UTC, paid ones by months from the day they began (X11).

    Args:
        adjustments: the customer's for this product; those not in force at `now` are left out here.
        free_plan: the product's free tier; whoever is past due has no more of anything than it gives (X9).

    INVARIANT: every limit is what its rules say (tests/plans/test_properties.py::test_every_limit_is_explained).
    """
    in_force = [one for one in adjustments if one.is_in_force(now)]
    state = subscription.state(now)
    bases = {subject: _base(subject, subscription, plan, free_plan, state) for subject in SUBJECTS}
    explained = {subject: _explain(subject, bases[subject], in_force) for subject in SUBJECTS}
    if plan.free:
        start = datetime(now.year, now.month, 1, tzinfo=UTC)
        end = add_months(start, 1)
    elif subscription.current_period_start <= now < subscription.current_period_end:
        start, end = subscription.current_period_start, subscription.current_period_end
    else:
        start, end = month_around(subscription.current_period_start, now)
    return Entitlement(
        subscription=subscription,
        plan=plan,
        state=state,
        requests_included=explained[REQUESTS_INCLUDED].amount,
        limits=_limits_of(explained),
        features=frozenset(feature for feature in Feature if explained[FEATURE_PREFIX + feature].amount),
        explained=tuple(explained.values()),
        period_start=start,
        period_end=end,
    )


def _base(
    subject: str,
    subscription: Subscription,
    plan: Plan,
    free_plan: Plan | None,
    state: EntitlementState,
) -> Rule:
    """Say what is there before anything is granted."""
    amount = plan.amount_of(subject)
    if subject == REQUESTS_INCLUDED and subscription.status is SubscriptionStatus.PENDING_VERIFICATION:
        return Rule(RuleKind.UNVERIFIED, reference_of(plan), UNVERIFIED_REQUESTS_INCLUDED)
    if state is EntitlementState.PAST_DUE and free_plan is not None:
        free_amount = free_plan.amount_of(subject)
        if free_amount is not None and (amount is None or free_amount < amount):
            return Rule(RuleKind.PAST_DUE, reference_of(free_plan), free_amount)
    return Rule(RuleKind.PLAN, reference_of(plan), amount)


def _explain(subject: str, base: Rule, in_force: Sequence[Adjustment]) -> ExplainedLimit:
    """Add grants to a base, where without a bound wins; or put the newest override in its place."""
    mine = [one for one in in_force if one.subject == subject]
    overrides = [one for one in mine if one.kind is AdjustmentKind.OVERRIDE]
    if overrides:
        newest = max(overrides, key=lambda one: (one.created_at, one.id))
        return ExplainedLimit(
            subject, newest.amount, (Rule(RuleKind.OVERRIDE, newest.public_id, newest.amount),)
        )
    if base.amount is None:
        return ExplainedLimit(subject, None, (base,))
    grants = [Rule(RuleKind.GRANT, one.public_id, one.amount) for one in mine]
    unbounded = tuple(rule for rule in grants if rule.amount is None)
    if unbounded:
        return ExplainedLimit(subject, None, unbounded)
    most = 1 if subject.startswith(FEATURE_PREFIX) else LIMIT_MAX
    amount = min(most, base.amount + sum(rule.amount or 0 for rule in grants))
    return ExplainedLimit(subject, amount, (base, *grants))


def _limits_of(explained: Mapping[str, ExplainedLimit]) -> Limits:
    values: dict[str, Any] = {name: explained[name].amount for name in LIMIT_NAMES}
    assert all(value is not None or name in UNBOUNDED_NAMES for name, value in values.items()), values
    return Limits(**values)


def reference_of(plan: Plan) -> str:
    """Name one version of a plan, such as `montecarlo/starter@2`."""
    return f"{plan.product}/{plan.tier}@{plan.version}"
