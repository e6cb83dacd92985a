"""Rules of what is read of usage: how calls are chosen, what a period comes to, how fast an endpoint is."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.customers.entities import Mode
from tollway.kit.paging import BadCursor
from tollway.kit.problems import Invalid
from tollway.metering.entities import LATENCY_BOUNDS_MS
from tollway.metering.reports import (
    CallClass,
    CallPlace,
    EndpointCounts,
    Period,
    calls_chosen_by,
    project,
    read_cursor,
    watched_since,
)

NOON = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)


def period(used: int, *, included: int | None = 1_000, most: int | None = None, rate: str = "0.05",
           mode: Mode = Mode.LIVE) -> Period:  # fmt: skip
    """June of a plan that sells requests beyond its thousand."""
    start = datetime(2026, 6, 1, tzinfo=UTC)
    return Period(mode, start, datetime(2026, 7, 1, tzinfo=UTC), included, used, most, Decimal(rate))


@pytest.mark.promise("A6")
def test_what_is_above_the_plan_is_one_multiplication() -> None:
    assert period(1_120).overage_units(1_120) == 120
    assert period(1_120).overage_amount(1_120) == Decimal("6.00")
    assert period(999).overage_amount(999) == Decimal("0.00")
    # Rounded once, after the multiplication, half away from zero.
    assert period(1_051, rate="0.0001").overage_amount(1_051) == Decimal("0.01")
    assert period(1_049, rate="0.0001").overage_amount(1_049) == Decimal("0.00")


def test_nothing_is_above_a_plan_that_stops_or_that_is_never_billed() -> None:
    for one in (
        period(1_000, most=1_000),
        period(1_500, mode=Mode.TEST),
        period(1_500, included=None),
        period(1_500, rate="0"),
    ):
        assert not one.sells_overage
        assert one.overage_units(one.requests_used) == 0
        assert one.overage_amount(one.requests_used) == 0
    capped = period(1_020, most=1_100)
    assert capped.sells_overage
    assert capped.overage_units(capped.requests_used) == 20


def test_a_projection_adds_the_pace_for_the_time_that_is_left() -> None:
    # 7 a day over 7 days, and 15.5 days are left.
    told = project(period(100), 49, NOON - timedelta(days=7), NOON)
    assert told
    assert told.a_day == Decimal("7.0")
    assert told.units == 100 + round(7 * 15.5 + 1e-9)
    assert told.hours == 168


def test_a_projection_stops_where_calls_stop() -> None:
    told = project(period(990, most=1_000), 700, NOON - timedelta(days=7), NOON)
    assert told
    assert told.units == 1_000
    # A bound that was lowered since takes nothing back.
    lowered = project(period(1_200, most=1_000), 700, NOON - timedelta(days=7), NOON)
    assert lowered
    assert lowered.units == 1_200


def test_nothing_is_projected_from_less_than_a_day_or_for_a_period_that_is_over() -> None:
    assert project(period(5), 5, NOON - timedelta(hours=23), NOON) is None
    assert project(period(5), 5, NOON - timedelta(days=7), NOON + timedelta(days=60)) is None


def test_the_pace_is_that_of_the_last_seven_days_or_since_the_beginning() -> None:
    long_ago = NOON - timedelta(days=100)
    assert watched_since(long_ago, NOON) == datetime(2026, 6, 9, tzinfo=UTC)
    lately = NOON - timedelta(days=2)
    assert watched_since(lately, NOON) == lately


def test_a_period_knows_its_first_and_last_day() -> None:
    june = period(0)
    assert (june.first_day.isoformat(), june.last_day.isoformat()) == ("2026-06-01", "2026-06-30")
    odd = Period(Mode.LIVE, NOON, NOON + timedelta(days=30), 1, 0, None, Decimal(0))
    assert (odd.first_day.isoformat(), odd.last_day.isoformat()) == ("2026-06-15", "2026-07-15")


def counts(latencies: list[int]) -> EndpointCounts:
    return EndpointCounts(
        succeeded=sum(latencies), limited=0, refused=0, failed=0, units=0, credits=0,
        method="GET", endpoint="/x", response_ms=1_000, latencies=latencies,
    )  # fmt: skip


def test_95_of_100_calls_keep_the_bound_that_is_told() -> None:
    buckets = len(LATENCY_BOUNDS_MS) + 1
    assert counts([95, 5] + [0] * (buckets - 2)).p95_ms == LATENCY_BOUNDS_MS[0]
    assert counts([94, 6] + [0] * (buckets - 2)).p95_ms == LATENCY_BOUNDS_MS[1]
    assert counts([0] * (buckets - 1) + [3]).p95_ms is None
    assert counts([0] * buckets).p95_ms is None
    assert counts([10] + [0] * (buckets - 1)).mean_ms == 100


@given(
    st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=80_000)),
    st.integers(min_value=0, max_value=2**63 - 1),
)
def test_a_place_is_read_back_from_its_text(since_1970: timedelta, row_id: int) -> None:
    place = CallPlace(datetime(1970, 1, 1, tzinfo=UTC) + since_1970, row_id)
    assert CallPlace.read(str(place)) == place


@given(st.text(max_size=50))
def test_a_text_that_is_no_place_is_refused_and_breaks_nothing(text: str) -> None:
    place = CallPlace.read(text)
    assert place is None or CallPlace.read(str(place)) == place


@pytest.mark.parametrize(
    "cursor", ["nonsense", "ffffffffffffffff-1", "1-ffffffffffffffff", "1-1-1", "-", "A-B"]
)
def test_a_cursor_that_is_none_is_explained(cursor: str) -> None:
    with pytest.raises(BadCursor):
        read_cursor(cursor)


def test_no_cursor_is_the_first_page() -> None:
    assert read_cursor(None) is None
    assert read_cursor("") is None


def test_days_and_minutes_choose_up_to_their_end() -> None:
    chosen = calls_chosen_by(from_text="2026-06-01", until_text="2026-06-01")
    assert (chosen.from_at, chosen.until_at) == (
        datetime(2026, 6, 1, tzinfo=UTC),
        datetime(2026, 6, 2, tzinfo=UTC),
    )
    chosen = calls_chosen_by(from_text="2026-06-01T10:30", until_text="2026-06-01T10:30Z")
    assert (chosen.from_at, chosen.until_at) == (
        datetime(2026, 6, 1, 10, 30, tzinfo=UTC),
        datetime(2026, 6, 1, 10, 31, tzinfo=UTC),
    )


def test_a_status_is_a_class_or_a_number() -> None:
    assert calls_chosen_by(status="limited").call_class is CallClass.LIMITED
    assert calls_chosen_by(status="404").status_code == 404
    assert [CallClass.of(one) for one in (200, 302, 402, 429, 404, 500)] == [
        CallClass.SUCCEEDED,
        CallClass.SUCCEEDED,
        CallClass.LIMITED,
        CallClass.LIMITED,
        CallClass.REFUSED,
        CallClass.FAILED,
    ]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("status", "sometimes"),
        ("status", "999"),
        ("endpoint", "x" * 256),
        ("endpoint", "a\x00b"),
        ("method", "x" * 11),
        ("key", "x" * 65),
        ("product", "x" * 65),
        ("request_id", "x" * 65),
        ("from_text", "someday"),
        ("from_text", "2026-02-30"),
        ("from_text", "2026-02-20T25:00"),
        ("until_text", "9999-12-31"),
        ("until_text", "20260101"),
    ],
)
def test_what_cannot_be_chosen_is_explained_at_its_field(field: str, value: str) -> None:
    with pytest.raises(Invalid) as refusal:
        calls_chosen_by(**{field: value})
    assert [one.pointer for one in refusal.value.errors] == [f"/{field.removesuffix('_text')}"]


def test_an_end_before_its_beginning_is_explained() -> None:
    with pytest.raises(Invalid) as refusal:
        calls_chosen_by(from_text="2026-06-02", until_text="2026-06-01")
    assert refusal.value.errors[0].pointer == "/until"
