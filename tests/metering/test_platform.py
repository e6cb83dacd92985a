"""Everybody's usage is added up over customers, and shared out as it was."""

from datetime import UTC, date, datetime, timedelta

import pytest
from tests.metering.calls import RUN, UPLOAD, log_call, log_refusal
from tests.parties import Party, make_party

from tollway.customers.entities import Mode
from tollway.kit.db import Database
from tollway.metering import platform_operations as platform
from tollway.metering.entities import LATENCY_BOUNDS_MS, quantile_ms
from tollway.metering.platform import Span
from tollway.metering.platform_operations import Ledger, Period, PlatformUsage
from tollway.plans.entities import SubscriptionStatus

NOW = datetime(2026, 6, 15, 12, 30, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


async def usage(database: Database, period: Period = Period.WEEK, mode: Mode | None = None) -> PlatformUsage:
    async with database.transaction() as tx:
        return await platform.get_platform_usage(tx, period, NOW, mode)


async def ledger(database: Database) -> Ledger:
    async with database.transaction() as tx:
        return await platform.get_ledger(tx, NOW)


@pytest.fixture
async def large(database: Database) -> Party:
    return await make_party(
        database, NOW - 40 * DAY, tier="professional", status=SubscriptionStatus.ACTIVE, mode=Mode.LIVE
    )


@pytest.fixture
async def small(database: Database) -> Party:
    return await make_party(database, NOW - 40 * DAY, tier="starter", status=SubscriptionStatus.ACTIVE)


# Spans ------------------------------------------------------------------------------------------------


def test_a_period_of_days_ends_with_today_and_the_one_before_is_as_long() -> None:
    span = Span.of(Period.WEEK, NOW)
    assert (span.first_day, span.last_day) == (date(2026, 6, 9), date(2026, 6, 15))
    assert (span.before.first_day, span.before.last_day) == (date(2026, 6, 2), date(2026, 6, 8))


def test_a_day_is_the_last_24_hours() -> None:
    span = Span.of(Period.DAY, NOW)
    assert (span.since, span.until) == (NOW.replace(minute=0) - 23 * HOUR, NOW.replace(minute=0) + HOUR)
    assert span.before.until == span.since


# Quantiles --------------------------------------------------------------------------------------------


def test_within_a_bucket_calls_are_evenly_spread() -> None:
    counts = [0] * (len(LATENCY_BOUNDS_MS) + 1)
    assert quantile_ms(counts, 0.5) is None
    counts[0] = 10
    assert quantile_ms(counts, 0.5) == LATENCY_BOUNDS_MS[0] / 2
    counts[1] = 10
    assert quantile_ms(counts, 0.5) == LATENCY_BOUNDS_MS[0]
    low, high = LATENCY_BOUNDS_MS[:2]
    assert quantile_ms(counts, 0.95) == pytest.approx(low + 0.9 * (high - low))


def test_above_the_largest_bound_nothing_more_is_known() -> None:
    counts = [0] * len(LATENCY_BOUNDS_MS) + [1]
    assert quantile_ms(counts, 0.5) == LATENCY_BOUNDS_MS[-1]


# Sums -------------------------------------------------------------------------------------------------


@pytest.mark.promise("B26", "B49")
async def test_calls_of_all_customers_are_added_up(database: Database, large: Party, small: Party) -> None:
    for number in range(4):
        await log_call(
            database, large.customer_id, NOW - number * DAY, endpoint=RUN, response_time_ms=8, mode=Mode.LIVE,
            api_key_id=large.api_key.id,
        )  # fmt: skip
    await log_call(
        database, large.customer_id, NOW, endpoint=UPLOAD, status_code=500, units=0, response_time_ms=400
    )
    await log_refusal(database, small.customer_id, NOW - HOUR)
    await log_call(database, small.customer_id, NOW, status_code=404, units=0, problem_code="model-not-found")
    # Before the week: it counts as what came before, or not at all.
    await log_call(database, large.customer_id, NOW - 8 * DAY)
    await log_call(database, large.customer_id, NOW - 30 * DAY)

    found = await usage(database)
    totals = found.totals
    assert (totals.calls, totals.succeeded, totals.limited, totals.refused, totals.failed) == (7, 4, 1, 1, 1)
    assert (totals.customers, totals.units) == (2, 4)
    assert totals.average_ms == pytest.approx((4 * 8 + 400 + 12 + 12) / 7)
    assert totals.error_rate == pytest.approx(1 / 7)
    assert totals.success_rate == pytest.approx(6 / 7)
    assert totals.p95_ms is not None
    assert 250 < totals.p95_ms <= 500
    assert (found.before.calls, found.growth) == (1, 6.0)
    assert [(one.endpoint, one.calls) for one in found.endpoints] == [(RUN, 6), (UPLOAD, 1)]
    assert found.endpoints[1].error_rate == 1.0
    assert [(one.plan, one.customers, one.calls) for one in found.plans] == [
        ("Professional", 1, 5),
        ("Starter", 1, 2),
    ]
    assert [(one.day, one.calls) for one in found.days] == [
        (date(2026, 6, 9) + number * DAY, calls) for number, calls in enumerate((0, 0, 0, 1, 1, 1, 4))
    ]
    busiest, other = found.customers
    assert (busiest.calls, busiest.calls_before, busiest.growth, busiest.plan) == (5, 1, 4.0, "Professional")
    assert busiest.public_id is not None
    assert (other.calls, other.growth) == (2, None)


@pytest.mark.promise("C21")
async def test_keys_that_were_used_are_counted_among_those_that_can_be(
    database: Database, large: Party, small: Party
) -> None:
    await log_call(database, large.customer_id, NOW, api_key_id=large.api_key.id, mode=Mode.LIVE)
    found = (await usage(database)).keys
    assert (found.registered, found.active, found.share) == (2, 1, 0.5)
    async with database.transaction() as tx:
        await tx.execute("UPDATE api_keys SET status = 'revoked' WHERE id = %(id)s", {"id": large.api_key.id})
    found = (await usage(database)).keys
    assert (found.registered, found.active, found.share) == (1, 0, 0.0)


async def test_calls_of_one_mode_are_shown_alone(database: Database, large: Party) -> None:
    await log_call(database, large.customer_id, NOW, mode=Mode.LIVE)
    await log_call(database, large.customer_id, NOW, mode=Mode.TEST)
    await log_call(database, large.customer_id, NOW, mode=Mode.TEST)
    counts = [(await usage(database, mode=mode)).totals.calls for mode in (None, Mode.LIVE, Mode.TEST)]
    assert counts == [3, 1, 2]


async def test_a_day_is_read_from_the_hours(database: Database, large: Party) -> None:
    for hours in (0, 23, 24, 47, 48):
        await log_call(database, large.customer_id, NOW - hours * HOUR)
    found = await usage(database, Period.DAY)
    assert (found.totals.calls, found.before.calls) == (2, 2)
    assert (found.customers[0].calls, found.customers[0].calls_before) == (2, 2)
    assert sum(one.calls for one in found.days) == 2
    assert [one.calls for one in found.hours] == [1, *[0] * 22, 1]
    assert found.hours[-1].hour == NOW.replace(minute=0)


@pytest.mark.parametrize("period", list(Period))
async def test_nothing_used_is_no_fault(database: Database, period: Period) -> None:
    found = await usage(database, period)
    assert (found.totals.calls, found.totals.p95_ms, found.totals.error_rate, found.growth) == (
        0,
        None,
        None,
        None,
    )
    assert (found.endpoints, found.customers, found.plans) == ([], [], [])
    assert len(found.days) == (2 if period is Period.DAY else period.day_count)


async def test_an_erased_customer_has_calls_and_no_name(database: Database, large: Party) -> None:
    await log_call(database, large.customer_id, NOW)
    async with database.transaction() as tx:
        await tx.execute("UPDATE api_customers SET erased_at = now()")
    (found,) = (await usage(database)).customers
    assert (found.public_id, found.company_name, found.calls) == (None, None, 1)


# The ledger --------------------------------------------------------------------------------------------


async def test_the_ledger_counts_since_the_beginning(database: Database, large: Party, small: Party) -> None:
    key = {"api_key_id": large.api_key.id, "mode": Mode.LIVE}
    await log_call(database, large.customer_id, NOW - 400 * DAY, **key)
    await log_call(database, large.customer_id, NOW, **key)
    await log_call(database, large.customer_id, NOW)
    await log_refusal(database, small.customer_id, NOW)
    found = await ledger(database)
    assert {(one.status_code, one.problem_code): one.calls for one in found.totals} == {
        (201, ""): 3,
        (429, "quota-used-up"): 1,
    }
    assert all(sum(one.latencies) == one.calls for one in found.totals)
    # With keys, and in this month.
    assert [(one.plan, one.calls) for one in found.key_calls] == [("professional", 1)]
    assert [(one.product, one.plan, one.keys) for one in found.key_counts] == [
        ("montecarlo", "professional", 1),
        ("montecarlo", "starter", 1),
    ]
    assert [(one.plan, one.customers) for one in found.active_customers] == [
        ("professional", 1),
        ("starter", 1),
    ]
    assert found.database_bytes > 1_000_000


async def test_quotas_under_way_are_added_up_by_plan(database: Database, small: Party) -> None:
    async with database.transaction() as tx:
        for start, used in ((NOW - 40 * DAY, 70), (NOW - 10 * DAY, 30)):
            await tx.execute(
                """
                INSERT INTO usage_quotas (subscription_id, mode, period_start, period_end, requests_included,
                    requests_used, overage_rate, terms_at, created_at)
                VALUES (%(subscription)s, 'live', %(start)s, %(end)s, 200, %(used)s, 0, %(start)s, %(start)s)
                """,
                {
                    "subscription": small.subscription.id,
                    "start": start,
                    "end": start + 30 * DAY,
                    "used": used,
                },
            )
    (found,) = (await ledger(database)).quota_use
    assert (found.plan, found.requests_used, found.requests_included, found.percent) == (
        "starter",
        30,
        200,
        15,
    )
