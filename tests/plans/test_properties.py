"""No sequence of plan changes, grants, overrides and their ends gives a limit that no rule explains."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.plans.catalog import read_catalog
from tollway.plans.derivation import entitlement_of, reference_of
from tollway.plans.entities import (
    FEATURE_PREFIX,
    LIMIT_MAX,
    SUBJECTS,
    UNBOUNDED_NAMES,
    UNVERIFIED_REQUESTS_INCLUDED,
    Adjustment,
    AdjustmentKind,
    Entitlement,
    EntitlementState,
    Plan,
    RuleKind,
    Subscription,
    SubscriptionStatus,
)
from tollway.plans.periods import add_months

START = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)
PLANS = [Plan.from_content(number, number, plan.content) for number, plan in enumerate(read_catalog(), 1)]
FREE = {plan.product: plan for plan in reversed(PLANS) if plan.free and plan.public}
HOURS = st.integers(0, 24 * 60)


@st.composite
def adjustments(draw: st.DrawFn) -> list[Adjustment]:
    """Grants and overrides as the operations let them be made, begun, over and ended early in any order."""
    made = []
    for number in range(1, draw(st.integers(0, 12)) + 1):
        subject = draw(st.sampled_from([*SUBJECTS[:4], *SUBJECTS]))
        kind = draw(st.sampled_from(AdjustmentKind))
        amounts = st.integers(0, LIMIT_MAX)
        if subject.startswith(FEATURE_PREFIX):
            amounts = st.just(1) if kind is AdjustmentKind.GRANT else st.integers(0, 1)
        amount = draw(amounts | st.none() if subject in UNBOUNDED_NAMES else amounts)
        starts_at = START + timedelta(hours=draw(HOURS))
        ends_at = draw(
            st.none() | HOURS.map(lambda hours, begin=starts_at: begin + timedelta(hours=hours + 1))
        )
        if kind is AdjustmentKind.OVERRIDE:
            ends_at = ends_at or starts_at + timedelta(days=30)
        ended_at = draw(st.none() | HOURS.map(lambda hours, begin=starts_at: begin + timedelta(hours=hours)))
        made.append(
            Adjustment(
                number,
                f"adj_{number}",
                1,
                "montecarlo",
                kind,
                subject,
                amount,
                starts_at,
                ends_at,
                ended_at,
                "because",
                "user:usr_1",
                starts_at,
            )
        )
    return made


@st.composite
def entitlements(draw: st.DrawFn) -> tuple[Entitlement, list[Adjustment], datetime]:
    """What a customer may do after any changes of plan, status and adjustments, at any moment."""
    plan = draw(st.sampled_from(PLANS))
    status = draw(st.sampled_from(SubscriptionStatus))
    trial_end = START + timedelta(days=14) if status is SubscriptionStatus.TRIALING else None
    subscription = Subscription(
        1, "sub_1", 1, plan.product, plan.version_id, status, START, add_months(START, 1), trial_end, START
    )
    made, now = draw(adjustments()), START + timedelta(hours=draw(HOURS))
    found = entitlement_of(subscription, plan, now, adjustments=made, free_plan=FREE[plan.product])
    return found, made, now


@pytest.mark.promise("X1", "X9", "D28")
@given(entitlements())
def test_every_limit_is_explained(case: tuple[Entitlement, list[Adjustment], datetime]) -> None:
    found, made, now = case
    assert {one.subject for one in found.explained} == set(SUBJECTS)
    by_id = {one.public_id: one for one in made}
    for one in found.explained:
        assert one.rules, one
        for rule in one.rules:
            if rule.kind in (RuleKind.GRANT, RuleKind.OVERRIDE):
                source = by_id[rule.reference]
                assert (source.kind.value, source.subject, source.amount) == (
                    rule.kind.value,
                    one.subject,
                    rule.amount,
                )
                assert source.starts_at <= now
                assert all(end is None or now < end for end in (source.ends_at, source.ended_at))
        kinds = {rule.kind for rule in one.rules}
        if RuleKind.OVERRIDE in kinds:
            assert len(one.rules) == 1
            assert one.amount == one.rules[0].amount
        elif any(rule.amount is None for rule in one.rules):
            assert one.amount is None
        else:
            most = 1 if one.subject.startswith(FEATURE_PREFIX) else LIMIT_MAX
            assert one.amount == min(most, sum(rule.amount or 0 for rule in one.rules))


@given(entitlements())
def test_what_is_in_force_is_what_the_rules_say(
    case: tuple[Entitlement, list[Adjustment], datetime],
) -> None:
    found, made, now = case
    for subject in SUBJECTS:
        mine = [one for one in made if one.subject == subject and one.is_in_force(now)]
        overridden = any(one.kind is AdjustmentKind.OVERRIDE for one in mine)
        explained = found.explain(subject)
        assert overridden == (explained.rules[0].kind is RuleKind.OVERRIDE)
        if mine or overridden:
            continue
        (rule,) = explained.rules
        given_by = {
            RuleKind.PLAN: found.plan.amount_of(subject),
            RuleKind.PAST_DUE: FREE[found.plan.product].amount_of(subject),
            RuleKind.UNVERIFIED: UNVERIFIED_REQUESTS_INCLUDED,
        }
        assert explained.amount == given_by[rule.kind]
        if rule.kind is RuleKind.PLAN:
            assert rule.reference == reference_of(found.plan)
        if rule.kind is RuleKind.PAST_DUE:
            assert found.state is EntitlementState.PAST_DUE


@given(entitlements())
def test_what_the_code_reads_is_what_was_explained(
    case: tuple[Entitlement, list[Adjustment], datetime],
) -> None:
    found = case[0]
    assert found.requests_included == found.explain("requests_included").amount
    for name in SUBJECTS:
        if name.startswith(FEATURE_PREFIX):
            assert (name.removeprefix(FEATURE_PREFIX) in found.features) == bool(found.explain(name).amount)
        elif name != "requests_included":
            assert getattr(found.limits, name) == found.explain(name).amount


@given(entitlements(), st.integers(1, 1_000))
def test_a_grant_never_takes_away(case: tuple[Entitlement, list[Adjustment], datetime], amount: int) -> None:
    found, made, now = case
    for subject in SUBJECTS:
        granted = Adjustment(
            99, "adj_99", 1, "montecarlo", AdjustmentKind.GRANT, subject,
            1 if subject.startswith(FEATURE_PREFIX) else amount, now, None, None, "because", "user:usr_1", now,
        )  # fmt: skip
        after = entitlement_of(
            found.subscription,
            found.plan,
            now,
            adjustments=[*made, granted],
            free_plan=FREE[found.plan.product],
        ).explain(subject)
        before = found.explain(subject).amount
        assert after.amount is None or (before is not None and after.amount >= before)


@given(entitlements())
def test_when_all_have_ended_only_the_plan_speaks(
    case: tuple[Entitlement, list[Adjustment], datetime],
) -> None:
    found, made, now = case
    ended = [replace(one, ended_at=max(one.starts_at, START)) for one in made]
    plain = entitlement_of(found.subscription, found.plan, now, free_plan=FREE[found.plan.product])
    with_ended = entitlement_of(
        found.subscription, found.plan, now, adjustments=ended, free_plan=FREE[found.plan.product]
    )
    assert with_ended == plain
