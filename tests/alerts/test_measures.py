"""Each rule finds what it is for, and nothing else."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.alerts.conftest import BUCKETS, House
from tests.parties import Party

from tollway.alerts import measure_operations as measures
from tollway.alerts.entities import default_rule, spike_bound
from tollway.alerts.measure_operations import Readings
from tollway.alerts.rules import HISTORY_DAYS, RuleKind
from tollway.kit.jobs import enqueue_job
from tollway.metering.entities import LATENCY_BOUNDS_MS, quantile_ms

WELL = Readings(1_000, 1_000)


async def found(
    house: House, kind: RuleKind, now: datetime, *, readings: Readings = WELL, **thresholds: int
) -> list[tuple[str, str]]:
    rule = default_rule(kind)
    rule = replace(rule, thresholds={**rule.thresholds, **thresholds})
    async with house.database.transaction() as tx:
        findings = await measures.find(tx, rule, readings, now)
    return [(one.subject, one.summary) for one in findings]


async def take(house: House, now: datetime) -> None:
    async with house.database.transaction() as tx:
        await measures.take_measures(tx, now)


# Usage spikes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("counts", "deviations", "least", "bound"),
    [
        # No use at all: one call is the smallest deviation, and the floor counts.
        ([0] * 28, 4, 100, 100),
        ([0] * 28, 4, 1, 4),
        # The same each day: chance scatters by the root of the mean.
        ([100] * 28, 4, 1, 140),
        # Half the days 0 and half 200: mean 100, deviation 100.
        ([0, 200] * 14, 4, 1, 500),
        ([0, 200] * 14, 1, 300, 300),
    ],
)
def test_the_bound_of_a_spike_is_the_mean_and_deviations_above_it(
    counts: Sequence[int], deviations: int, least: int, bound: float
) -> None:
    squares = sum(one * one for one in counts)
    assert spike_bound(
        len(counts), sum(counts), squares, deviations=deviations, least=least
    ) == pytest.approx(bound)


async def a_key(house: House, now: datetime, *, age_days: int = 60) -> Party:
    party = await house.party(now)
    await house.execute(
        "UPDATE api_keys SET created_at = %(at)s WHERE id = %(id)s",
        at=now - timedelta(days=age_days), id=party.api_key.id,
    )  # fmt: skip
    return party


@pytest.mark.promise("B65")
@pytest.mark.parametrize(
    ("usual", "calls", "is_told"),
    [
        (100, 141, True),
        (100, 140, False),
        (0, 100, False),
        (0, 101, True),
        # A hundred are no spike even where one is usual.
        (1, 90, False),
    ],
)
async def test_a_key_that_is_used_unusually_often_is_found(
    house: House, now: datetime, usual: int, calls: int, is_told: bool
) -> None:
    party = await a_key(house, now)
    hour = now.replace(minute=0)
    for day in range(1, HISTORY_DAYS + 1):
        await house.add_hour(party, hour - timedelta(days=day), calls=usual)
        # Another hour of the day says nothing about this one.
        await house.add_hour(party, hour - timedelta(days=day, hours=5), calls=10_000)
    await house.add_hour(party, hour, calls=calls - 20, failed=10, limited=10)
    subjects = [subject for subject, _ in await found(house, RuleKind.KEY_SPIKE, now + timedelta(minutes=30))]
    assert subjects == ([f"api_key:{party.api_key.key_id}"] if is_told else [])
    # The hour before counts too, whenever its last records arrive; the one before that does not.
    assert bool(await found(house, RuleKind.KEY_SPIKE, hour + timedelta(minutes=61))) is is_told
    assert not await found(house, RuleKind.KEY_SPIKE, hour + timedelta(minutes=120))


async def test_a_key_without_a_week_behind_it_and_pages_are_left_out(house: House, now: datetime) -> None:
    young, old = await a_key(house, now, age_days=6), await a_key(house, now, age_days=8)
    await house.add_hour(young, now, calls=5_000)
    await house.add_hour(old, now, calls=5_000)
    await house.execute("UPDATE usage_hours SET api_key_id = 0 WHERE api_key_id = %(id)s", id=old.api_key.id)
    assert await found(house, RuleKind.KEY_SPIKE, now) == []
    await house.add_hour(old, now, calls=5_000)
    [(_, summary)] = await found(house, RuleKind.KEY_SPIKE, now)
    assert summary.startswith("5,000 calls in the hour from 12:00 UTC; 0.0 are usual")


# New networks -----------------------------------------------------------------------------------------


@pytest.mark.promise("B65")
async def test_a_key_is_found_when_it_comes_from_a_network_it_never_used(house: House, now: datetime) -> None:
    party = await house.party(now)
    begun = now - timedelta(days=10)
    for hours in range(0, 240, 24):
        at = begun + timedelta(hours=hours)
        await house.add_call(party, at, "203.0.113.9")
        await house.add_call(party, at, "2001:db8:1:2::1")
        await take(house, at)
    assert await found(house, RuleKind.NEW_NETWORK, now) == []
    # The same networks, other addresses in them.
    await house.add_call(party, now, "203.0.113.200")
    await house.add_call(party, now, "2001:db8:1:ffff::9")
    await take(house, now)
    assert await found(house, RuleKind.NEW_NETWORK, now) == []
    await house.add_call(party, now, "198.51.100.7")
    await house.add_call(party, now, "2001:db8:2::1")
    await take(house, now)
    [(subject, summary)] = await found(house, RuleKind.NEW_NETWORK, now)
    assert subject == f"api_key:{party.api_key.key_id}"
    assert "198.51.100.0/24" in summary
    assert "2001:db8:2::/48" in summary
    assert summary.endswith("it was known from 2 networks")
    assert await found(house, RuleKind.NEW_NETWORK, now + timedelta(hours=2)) == []


async def test_a_key_that_is_new_or_everywhere_is_left_out(house: House, now: datetime) -> None:
    fresh, everywhere = await house.party(now), await house.party(now)
    await house.add_call(fresh, now - timedelta(days=6), "203.0.113.9")
    for number in range(11):
        await house.add_call(everywhere, now - timedelta(days=6), f"10.0.{number}.1")
    await take(house, now - timedelta(days=6))
    for party in (fresh, everywhere):
        await house.add_call(party, now, "198.51.100.7")
    await take(house, now)
    assert await found(house, RuleKind.NEW_NETWORK, now) == []
    assert len(await found(house, RuleKind.NEW_NETWORK, now, history_days=6)) == 1
    assert len(await found(house, RuleKind.NEW_NETWORK, now, history_days=6, networks=11)) == 2


async def test_networks_are_caught_up_with_after_a_pause_and_forgotten_in_the_end(
    house: House, now: datetime
) -> None:
    party = await house.party(now)
    await take(house, now)
    await house.add_call(party, now + timedelta(minutes=2), "203.0.113.9")
    await take(house, now + timedelta(minutes=40))
    [row] = await house.rows("SELECT network::text, first_seen_at FROM key_networks")
    assert row == {"network": "203.0.113.0/24", "first_seen_at": now + timedelta(minutes=2)}
    async with house.database.transaction() as tx:
        await measures.forget_measures(tx, now + timedelta(days=91))
    assert await house.rows("SELECT * FROM key_networks") == []
    assert await house.rows("SELECT * FROM usage_samples") == []


# Errors of a customer ---------------------------------------------------------------------------------


@pytest.mark.promise("B65")
@pytest.mark.parametrize(
    ("usual_percent", "calls", "failed", "is_told"),
    [
        (1, 80, 20, True),
        (1, 81, 19, False),
        # Twice as many as usual are no jump, four times are one.
        (20, 60, 40, False),
        (20, 20, 80, True),
        # Too few to say anything.
        (0, 0, 49, False),
        (0, 30, 20, True),
    ],
)
async def test_a_jump_of_errors_is_found(
    house: House, now: datetime, usual_percent: int, calls: int, failed: int, is_told: bool
) -> None:
    party = await house.party(now)
    for day in (1, 10, 27):
        await house.add_day(party, now - timedelta(days=day), calls=100 - usual_percent, failed=usual_percent)
    # Long ago everything failed.
    await house.add_day(party, now - timedelta(days=40), calls=0, failed=100_000)
    await house.add_hour(party, now - timedelta(hours=1), calls=calls)
    await house.add_hour(party, now, failed=failed)
    assert len(await found(house, RuleKind.ERROR_JUMP, now)) == is_told


async def test_calls_that_a_limit_refused_are_no_errors(house: House, now: datetime) -> None:
    await house.add_hour(await house.party(now), now, calls=10, limited=500)
    assert await found(house, RuleKind.ERROR_JUMP, now) == []


# Fair use ---------------------------------------------------------------------------------------------


async def test_fair_use_of_an_unlimited_plan_is_found_until_the_period_ends(
    house: House, now: datetime
) -> None:
    party = await house.party(now, "enterprise")
    await house.execute(
        """
        INSERT INTO usage_quotas (subscription_id, mode, period_start, period_end, requests_used, terms_at,
            created_at)
        VALUES (%(id)s, 'live', %(now)s, %(end)s, 100000, %(now)s, %(now)s)
        """,
        id=party.subscription.id, now=now, end=now + timedelta(days=1),
    )  # fmt: skip
    [(subject, summary)] = await found(house, RuleKind.FAIR_USE, now)
    assert subject.startswith("customer:cus_")
    assert summary == "100,000 requests of montecarlo in the period until 2026-06-16; 100,000 are fair"
    assert await found(house, RuleKind.FAIR_USE, now, percent=101) == []
    assert await found(house, RuleKind.FAIR_USE, now + timedelta(days=1)) == []


# The installation -------------------------------------------------------------------------------------


def histogram(**by_bound: int) -> list[int]:
    counts = [0] * BUCKETS
    for name, count in by_bound.items():
        position = LATENCY_BOUNDS_MS.index(int(name[2:])) if name != "more" else BUCKETS - 1
        counts[position] = count
    return counts


@pytest.mark.promise("B65")
@pytest.mark.parametrize(
    ("later", "failed", "slow", "failing"),
    [
        (histogram(ms50=1_000), 0, False, False),
        (histogram(ms50=940, ms5000=60), 0, True, False),
        (histogram(ms50=960, ms5000=40), 0, False, False),
        (histogram(more=99), 99, False, False),
        (histogram(more=100), 0, True, False),
        (histogram(ms50=100), 5, False, True),
        (histogram(ms50=100), 4, False, False),
    ],
)
async def test_slow_and_failed_answers_of_the_last_minutes_are_found(
    house: House, now: datetime, later: list[int], failed: int, slow: bool, failing: bool
) -> None:
    # Before that everything was slow and failed.
    before = histogram(more=10_000)
    await house.set_totals(before, failed=10_000)
    await take(house, now)
    await house.set_totals([a + b for a, b in zip(before, later, strict=True)], failed=10_000 + failed)
    soon, then = now + timedelta(minutes=5), now + timedelta(minutes=10)
    await take(house, soon)
    assert await found(house, RuleKind.SLOW_ANSWERS, soon) == []
    await take(house, then)
    assert bool(await found(house, RuleKind.SLOW_ANSWERS, then)) is slow
    assert bool(await found(house, RuleKind.FAILED_ANSWERS, then)) is failing
    # A gap without samples says nothing.
    assert await found(house, RuleKind.FAILED_ANSWERS, then + timedelta(hours=1)) == []


async def test_before_there_was_any_call_nothing_is_found(house: House, now: datetime) -> None:
    for minute in (0, 10):
        await take(house, now + timedelta(minutes=minute))
    for kind in RuleKind:
        assert await found(house, kind, now + timedelta(minutes=10)) == []


@given(st.lists(st.integers(0, 50), min_size=BUCKETS, max_size=BUCKETS), st.floats(0.01, 0.99))
def test_a_percentile_lies_in_the_bucket_that_holds_it(counts: list[int], share: float) -> None:
    found = quantile_ms(counts, share) or 0.0
    if not any(counts):
        assert found == 0
        return
    bounds = [0, *LATENCY_BOUNDS_MS, LATENCY_BOUNDS_MS[-1]]
    below, wanted = 0, share * sum(counts)
    for position, count in enumerate(counts):
        if count and below + count >= wanted:
            assert bounds[position] <= found <= bounds[position + 1]
            return
        below += count


@pytest.mark.promise("B65")
@pytest.mark.parametrize(("seconds", "is_told"), [(0.0, False), (59.9, False), (60.0, True)])
async def test_a_journal_that_nobody_takes_over_is_found(
    house: House, now: datetime, seconds: float, is_told: bool
) -> None:
    readings = Readings(1_000, 1_000, 17, seconds)
    summaries = [("installation", "records waiting in journals: 17, the oldest call for 60 seconds")]
    assert await found(house, RuleKind.JOURNAL_LAG, now, readings=readings) == (summaries if is_told else [])


async def test_records_that_were_found_damaged_are_found(house: House, now: datetime) -> None:
    # What was damaged before anybody looked is no news.
    await house.execute(
        "INSERT INTO usage_sources (name, started_at, records_damaged) VALUES ('server-1', now(), 5)"
    )
    await take(house, now)
    assert await found(house, RuleKind.DAMAGED_RECORDS, now) == []
    await house.execute("UPDATE usage_sources SET records_damaged = 7")
    later = now + timedelta(minutes=1)
    await take(house, later)
    assert await found(house, RuleKind.DAMAGED_RECORDS, later) == [
        ("installation", "records found damaged within an hour: 2")
    ]
    assert await found(house, RuleKind.DAMAGED_RECORDS, later, records=3) == []
    assert await found(house, RuleKind.DAMAGED_RECORDS, now + timedelta(minutes=61)) == []


@pytest.mark.promise("B65")
async def test_jobs_that_nobody_takes_are_found(house: House, now: datetime) -> None:
    async with house.database.transaction() as tx:
        await enqueue_job(tx, "tests.wait", {})
    [row] = await house.rows("SELECT execute_after FROM pgqueuer")
    due = row["execute_after"]
    await take(house, due)
    assert await found(house, RuleKind.QUEUE_AGE, due + timedelta(seconds=299)) == []
    assert await found(house, RuleKind.QUEUE_AGE, due + timedelta(seconds=300)) == [
        ("installation", "jobs waiting: 1, the longest for 300 seconds")
    ]


async def test_a_worker_that_has_just_come_is_not_late(house: House) -> None:
    """What fell due while none ran is told once a worker had as long for it as the rule gives."""
    async with house.database.transaction() as tx:
        await enqueue_job(tx, "tests.wait", {})
    [row] = await house.rows("SELECT execute_after FROM pgqueuer")
    began = row["execute_after"] + timedelta(hours=8)
    for minutes in range(5):
        await take(house, began + timedelta(minutes=minutes))
        assert await found(house, RuleKind.QUEUE_AGE, began + timedelta(minutes=minutes)) == []
    await take(house, began + timedelta(minutes=5))
    assert len(await found(house, RuleKind.QUEUE_AGE, began + timedelta(minutes=5))) == 1


@pytest.mark.promise("B65")
@pytest.mark.parametrize(("free", "is_told"), [(101, False), (100, True), (0, True)])
async def test_a_full_disk_is_found(house: House, now: datetime, free: int, is_told: bool) -> None:
    assert bool(await found(house, RuleKind.DISK_FULL, now, readings=Readings(1_000, free))) is is_told


async def test_mails_that_do_not_leave_are_found_but_for_those_of_alerts(house: House, now: datetime) -> None:
    async def add(template: str, **more: object) -> None:
        values = {"sent": None, "failed": None, "tries": 0, "created": now} | more
        await house.execute(
            """
            INSERT INTO outbox_mails (public_id, to_address, subject, text_body, html_body, template, created_at,
                sent_at, failed_at, attempt_count)
            VALUES (gen_random_uuid()::text, 'a@example.com', '', '', '', %(template)s, %(created)s, %(sent)s,
                %(failed)s, %(tries)s)
            """,
            template=template, **values,
        )  # fmt: skip

    await add("welcome", tries=1)
    await add("welcome", tries=2, sent=now)
    await add("welcome", failed=now - timedelta(hours=2), tries=6)
    await add("welcome", tries=3, created=now - timedelta(days=2))
    for _ in range(3):
        await add("owner_alerts", tries=2)
    await add("welcome", failed=now, tries=6)
    await add("welcome", tries=2)
    assert await found(house, RuleKind.FAILED_MAILS, now) == []
    await add("welcome", tries=2)
    assert len(await found(house, RuleKind.FAILED_MAILS, now)) == 1


async def test_deliveries_that_were_given_up_are_found(house: House, now: datetime) -> None:
    party = await house.party(now)
    for number, (status, event, minutes) in enumerate(
        [("failed", "quota.warning", 5), ("failed", "quota.warning", 90), ("failed", "webhook.test", 5),
         ("delivered", "quota.warning", 5), ("failed", "quota.warning", 59)]
    ):  # fmt: skip
        await house.execute(
            """
            INSERT INTO webhook_deliveries (public_id, customer_id, url, mode, event_type, body, status, created_at,
                last_attempt_at)
            VALUES (%(id)s, %(customer)s, 'https://example.com', 'live', %(event)s, '', %(status)s, %(at)s, %(at)s)
            """,
            id=f"whd_{number}", customer=party.customer_id, event=event, status=status,
            at=now - timedelta(minutes=minutes),
        )  # fmt: skip
    assert await found(house, RuleKind.FAILED_WEBHOOKS, now, deliveries=3) == []
    assert len(await found(house, RuleKind.FAILED_WEBHOOKS, now, deliveries=2)) == 1
