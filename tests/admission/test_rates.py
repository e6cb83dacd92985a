"""The arithmetic of rate limits: no window of time ever holds more than the limit."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.admission.windows import fullest

from tollway.admission.buckets import SECOND_NS, Bucket
from tollway.admission.centre import GiveBack, InProcessCentre, Lease, Leased
from tollway.admission.rates import RateLimit, drained, unit_debt
from tollway.kit.problems import Invalid

LIMITS = st.builds(
    RateLimit, st.just("requests_per_minute"), st.integers(1, 5_000), st.sampled_from([1, 7, 60, 3_600])
)
# Long pauses, short ones, and many calls at the same instant.
PAUSES = st.one_of(st.just(0), st.integers(0, 50_000_000), st.integers(0, 90 * SECOND_NS))
CALLS = st.lists(st.tuples(PAUSES, st.integers(1, 9)), min_size=1, max_size=150)


@given(LIMITS, CALLS)
def test_no_window_holds_more_than_the_limit(limit: RateLimit, calls: list[tuple[int, int]]) -> None:
    bucket = Bucket("x", limit)
    now_ns, passed = 10**15, []
    for pause_ns, weight in calls:
        now_ns += pause_ns
        if bucket.take(weight, now_ns):
            passed.append((now_ns, min(weight, limit.count)))
    assert fullest(passed, limit) <= limit.count


@given(LIMITS, CALLS)
def test_the_centre_gives_no_window_more_than_the_limit(
    limit: RateLimit, calls: list[tuple[int, int]]
) -> None:
    now_ns, passed = 10**15, []
    centre = InProcessCentre(clock_ns=lambda: now_ns)
    for pause_ns, wanted in calls:
        now_ns += pause_ns
        ask = Lease("x", limit.count, limit.seconds, limit.burst, wanted, 1)
        (answer,) = centre.answer([ask])
        passed.append((now_ns, Leased(*answer).units))
    assert fullest(passed, limit) <= limit.burst


@given(LIMITS, CALLS)
def test_what_is_refused_could_not_have_passed(limit: RateLimit, calls: list[tuple[int, int]]) -> None:
    """As exact the other way: a refusal would have broken the limit, but for the rounding of a nanosecond a unit."""
    bucket = Bucket("x", limit)
    now_ns, passed = 10**15, []
    for pause_ns, asked in calls:
        now_ns += pause_ns
        weight = min(asked, limit.count)
        if bucket.take(weight, now_ns):
            passed.append((now_ns, weight))
        else:
            assert fullest([*passed, (now_ns, weight)], limit) > limit.count * (1 - 1e-5) - 1e-3


@given(LIMITS, CALLS, st.integers(0, 150))
def test_a_bucket_and_the_centre_count_alike(
    limit: RateLimit, calls: list[tuple[int, int]], ask_at: int
) -> None:
    now_ns = 10**15
    centre = InProcessCentre(clock_ns=lambda: now_ns)
    bucket = Bucket("x", limit)
    for place, (pause_ns, asked) in enumerate(calls):
        now_ns += pause_ns
        weight = min(asked, limit.count)
        taken = bucket.take(weight, now_ns)
        (answer,) = centre.answer([Lease("x", limit.count, limit.seconds, limit.count, weight, weight)])
        given_units = Leased(*answer).units
        if taken != bool(given_units):
            # Within the rounding of an interval either may be right; from then on they count different calls.
            return
        if place == ask_at:
            assert abs(bucket.remaining(now_ns) - Leased(*answer).available) <= 1


def test_all_units_at_once_and_then_one_by_one() -> None:
    bucket = Bucket("x", RateLimit("requests_per_minute", 60))
    assert [bucket.take(1, 0) for _ in range(61)] == [True] * 60 + [False]
    assert bucket.remaining(0) == 0
    assert (bucket.retry_after_seconds(1, 0), bucket.reset_seconds(0)) == (1, 60)
    assert not bucket.take(1, SECOND_NS - 1)
    assert bucket.take(1, SECOND_NS)
    assert bucket.retry_after_seconds(5, SECOND_NS) == 5


def test_a_weight_above_the_limit_counts_as_the_whole_limit() -> None:
    bucket = Bucket("x", RateLimit("requests_per_minute", 10))
    assert bucket.take(1_000, 0)
    assert bucket.remaining(0) == 0
    assert not bucket.take(1_000, 59 * SECOND_NS)
    assert bucket.take(1_000, 60 * SECOND_NS)
    bucket.give_back(1_000)
    assert bucket.remaining(60 * SECOND_NS) == 10


def test_what_is_given_back_can_be_taken_again() -> None:
    bucket = Bucket("x", RateLimit("requests_per_minute", 2))
    assert bucket.take(2, 0)
    bucket.give_back(1)
    assert bucket.take(1, 0)
    assert not bucket.take(1, 0)


@pytest.mark.parametrize(("count", "left"), [(200, 140), (60, 0), (30, 0)])
def test_a_changed_limit_keeps_what_was_spent(count: int, left: int) -> None:
    bucket = Bucket("x", RateLimit("requests_per_minute", 100))
    assert bucket.take(60, 0)
    bucket.change(RateLimit("requests_per_minute", count), 0)
    assert bucket.remaining(0) == left
    assert bucket.reset_seconds(0) <= 60


def test_a_debt_is_the_same_part_of_other_seconds() -> None:
    debt = 5 * unit_debt(60)
    assert drained(debt, 10, 3_600, of_seconds=60, elapsed_us=0) == 5 * unit_debt(3_600)


def test_units_given_back_to_the_centre_are_there_for_the_next() -> None:
    centre = InProcessCentre(clock_ns=lambda: 0)
    ask = Lease("x", 10, 60, 10, 10, 1)
    assert Leased(*centre.answer([ask])[0]).units == 10
    centre.answer([GiveBack("x", 10, 60, 4)])
    assert Leased(*centre.answer([ask])[0]) == Leased(4, 0, 6_000_000)


@pytest.mark.parametrize(
    ("count", "seconds", "is_exact", "burst"),
    [(10, 60, True, 10), (2_399, 60, True, 2_399), (2_400, 60, False, 2_390), (1_000, 1, False, 750)],
)
def test_slow_limits_are_exact_and_fast_ones_hold_a_lease_back(
    count: int, seconds: int, is_exact: bool, burst: int
) -> None:
    limit = RateLimit("requests_per_minute", count, seconds)
    assert (limit.is_exact, limit.burst) == (is_exact, burst)


@pytest.mark.parametrize(
    ("count", "seconds"), [(0, 60), (-1, 60), (10**10, 1), (1, 0), (1, 10**8), (10**9, 10)]
)
def test_a_limit_outside_its_bounds_is_refused_with_a_sentence(count: int, seconds: int) -> None:
    with pytest.raises(Invalid, match="units in"):
        RateLimit("requests_per_minute", count, seconds)


def test_the_check_itself_finds_a_window_that_is_too_full() -> None:
    limit = RateLimit("requests_per_minute", 10, 10)
    times = [(number * SECOND_NS, 1) for number in range(20)]
    assert fullest(times, limit) == 1
    crowd = list(itertools.repeat((10 * SECOND_NS, 1), 11))
    assert fullest(sorted([*times, *crowd]), limit) > limit.count
