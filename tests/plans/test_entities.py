"""What a subscription allows at a moment, and how months run."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.plans.catalog import read_catalog
from tollway.plans.derivation import entitlement_of
from tollway.plans.entities import (
    EntitlementState,
    FreeTrialEnded,
    Overage,
    Plan,
    Subscription,
    SubscriptionEnded,
    SubscriptionStatus,
)
from tollway.plans.periods import add_months, month_around

PLANS = {
    plan.tier: Plan.from_content(1, 1, plan.content)
    for plan in read_catalog()
    if plan.product == "montecarlo"
}
START = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)

# Day counts from the subscription's start; `writes` is what happens to a call that would make something.
TABLE = """
    tier           status                trial_days  day    included   days_left  state            writes
    trial          pending_verification  -           0      20         -          active           yes
    trial          pending_verification  -           400    20         -          active           yes
    trial          pending_payment       14          3      100        -          pending_payment  yes
    trial          trialing              14          0      100        14         active           yes
    trial          trialing              14          0.1    100        14         active           yes
    trial          trialing              14          1      100        13         active           yes
    trial          trialing              14          13.5   100        1          active           yes
    trial          trialing              14          13.99  100        1          active           yes
    trial          trialing              14          14     100        0          cancelled        no
    trial          trialing              14          500    100        0          cancelled        no
    trial          cancelled             -           3      100        -          cancelled        no
    free_existing  active                -           0      100        -          active           yes
    free_existing  active                -           4000   100        -          active           yes
    starter        active                -           10     1000       -          active           yes
    starter        trialing              14          10     1000       4          active           yes
    starter        cancelled             -           10     1000       -          cancelled        no
    enterprise     active                -           10     unlimited  -          active           yes
"""


def subscription(status: str, trial_days: str, created_at: datetime = START) -> Subscription:
    trial_end = None if trial_days == "-" else created_at + timedelta(days=float(trial_days))
    return Subscription(
        1, "sub_1", 1, "montecarlo", 1, SubscriptionStatus(status), created_at,
        add_months(created_at, 1), trial_end, created_at,
    )  # fmt: skip


@pytest.mark.promise("X2", "X3", "X4", "A13", "A32", "A37")
@pytest.mark.parametrize("line", TABLE.strip().splitlines()[1:], ids=lambda line: "-".join(line.split()[:4]))
def test_what_a_subscription_allows(line: str) -> None:
    tier, status, trial_days, day, included, days_left, state, writes = line.split()
    now = START + timedelta(days=float(day))
    found = entitlement_of(subscription(status, trial_days), PLANS[tier], now)
    assert found.requests_included == (None if included == "unlimited" else int(included))
    assert found.free_trial_days_remaining(now) == (None if days_left == "-" else int(days_left))
    assert found.period_start <= now < found.period_end
    assert found.limits == PLANS[tier].limits
    assert found.features == PLANS[tier].gates
    assert found.state == state
    if writes == "yes":
        found.assert_may_write()
    else:
        with pytest.raises(FreeTrialEnded if tier == "trial" else SubscriptionEnded) as refused:
            found.assert_may_write()
        assert refused.value.status == 402


def test_whoever_has_not_verified_the_address_is_told_that_it_lifts_the_limit() -> None:
    unverified = entitlement_of(subscription("pending_verification", "-"), PLANS["trial"], START)
    assert "verifying your address" in unverified.way_to_more_requests
    verified = entitlement_of(subscription("trialing", "14"), PLANS["trial"], START)
    assert "larger plan" in verified.way_to_more_requests


@pytest.mark.promise("X11")
def test_free_tiers_count_by_calendar_month_and_paid_ones_from_their_start() -> None:
    now = datetime(2026, 7, 3, 9, 0, tzinfo=UTC)
    free = entitlement_of(subscription("trialing", "30"), PLANS["trial"], now)
    assert (free.period_start, free.period_end) == (
        datetime(2026, 7, 1, tzinfo=UTC),
        datetime(2026, 8, 1, tzinfo=UTC),
    )
    paid = entitlement_of(subscription("active", "-"), PLANS["starter"], now)
    assert (paid.period_start, paid.period_end) == (START, datetime(2026, 7, 15, 12, 0, tzinfo=UTC))


@pytest.mark.promise("X9")
def test_whoever_is_past_due_has_no_more_of_anything_than_the_free_plan_gives() -> None:
    free = PLANS["trial"]
    found = entitlement_of(subscription("past_due", "-"), PLANS["professional"], START, free_plan=free)
    assert (found.state, found.read_only) == (EntitlementState.PAST_DUE, False)
    assert found.requests_included == 100
    assert found.limits == replace(free.limits, requests_per_day_max=668), "the plan's own bound stays"
    assert found.features == set()
    assert found.overage is Overage.STOP, "nothing more on credit"
    assert "paying the open invoice" in found.way_to_more_requests
    found.assert_may_write()


OLD_CONTENT = {
    "product": "montecarlo", "tier": "starter", "name": "Starter", "description": "For a team.",
    "price_minor": 9900, "currency": "USD", "requests_included": 1000, "overage": "always",
    "overage_rate": "0.05", "free": False, "public": True,
    "limits": {
        "iterations_max": 1000000, "file_bytes_max": 10000000, "runs_at_once_max": 10,
        "requests_per_day_max": 68, "workbook_days": 90, "result_days": 90,
    },
    "features": ["E-mail support"],
}  # fmt: skip


def test_a_version_that_was_sold_before_there_were_gates_can_still_be_read() -> None:
    plan = Plan.from_content(7, 1, OLD_CONTENT)
    assert (plan.gates, plan.limits.agents_max, plan.limits.api_keys_max) == (frozenset(), 0, 10)
    found = entitlement_of(subscription("active", "-"), plan, START)
    assert (found.requests_included, found.limits.requests_per_minute_max) == (1000, None)


MONTHS = """
    from                 months  to
    2026-01-31T10:00:00  1       2026-02-28T10:00:00
    2024-01-31T10:00:00  1       2024-02-29T10:00:00
    2000-01-31T10:00:00  1       2000-02-29T10:00:00
    2100-01-31T10:00:00  1       2100-02-28T10:00:00
    2026-01-31T10:00:00  2       2026-03-31T10:00:00
    2026-01-31T10:00:00  3       2026-04-30T10:00:00
    2024-02-29T00:00:00  12      2025-02-28T00:00:00
    2024-02-29T00:00:00  48      2028-02-29T00:00:00
    2026-12-15T23:59:59  1       2027-01-15T23:59:59
    2026-03-31T10:00:00  -1      2026-02-28T10:00:00
    2026-01-15T10:00:00  -1      2025-12-15T10:00:00
    2026-06-15T10:00:00  0       2026-06-15T10:00:00
"""


@pytest.mark.parametrize("line", MONTHS.strip().splitlines()[1:], ids=lambda line: "+".join(line.split()[:2]))
def test_a_day_that_a_month_lacks_becomes_its_last(line: str) -> None:
    start, months, end = line.split()
    assert add_months(datetime.fromisoformat(start), int(months)) == datetime.fromisoformat(end)


PERIODS = """
    anchor               now                  start                end
    2026-01-31T10:00:00  2026-01-31T10:00:00  2026-01-31T10:00:00  2026-02-28T10:00:00
    2026-01-31T10:00:00  2026-02-28T09:59:59  2026-01-31T10:00:00  2026-02-28T10:00:00
    2026-01-31T10:00:00  2026-02-28T10:00:00  2026-02-28T10:00:00  2026-03-31T10:00:00
    2026-01-31T10:00:00  2026-03-31T09:00:00  2026-02-28T10:00:00  2026-03-31T10:00:00
    2024-02-29T00:00:00  2025-02-28T00:00:00  2025-02-28T00:00:00  2025-03-29T00:00:00
    2026-12-31T23:00:00  2027-01-01T00:00:00  2026-12-31T23:00:00  2027-01-31T23:00:00
"""


@pytest.mark.promise("X11")
@pytest.mark.parametrize(
    "line", PERIODS.strip().splitlines()[1:], ids=lambda line: "@".join(line.split()[:2])
)
def test_months_run_from_the_start_of_the_subscription(line: str) -> None:
    anchor, now, start, end = (datetime.fromisoformat(part).replace(tzinfo=UTC) for part in line.split())
    assert month_around(anchor, now) == (start, end)


INSTANTS = st.datetimes(datetime(2001, 1, 1), datetime(2099, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001 - Hypothesis adds the zone itself


@given(INSTANTS, INSTANTS)
def test_every_instant_lies_in_exactly_one_month(anchor: datetime, now: datetime) -> None:
    start, end = month_around(anchor, now)
    assert start <= now < end
    assert month_around(anchor, start) == (start, end)
    assert month_around(anchor, end)[0] == end
    assert 28 <= (end - start).days <= 31
