"""What customers read of their own usage, from the log and the sums that a database holds."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from tests.metering.calls import RUN, UPLOAD, log_call, log_refusal
from tests.parties import Party, make_party

from tollway.customers.entities import Mode
from tollway.kit.db import Database
from tollway.kit.problems import NotFound
from tollway.metering import report_operations as reports
from tollway.metering.report_operations import (
    CallFilter,
    LoggedCall,
    SearchTooLong,
    calls_chosen_by,
)


@pytest.fixture
async def party(database: Database, now: datetime) -> Party:
    return await make_party(database, now)


async def listed(
    database: Database, party: Party, chosen: CallFilter, mode: Mode = Mode.TEST, limit: int = 50
) -> list[LoggedCall]:
    async with database.transaction() as tx:
        return (await reports.list_calls(tx, party.customer_id, mode, chosen, None, limit)).items


async def test_calls_are_listed_newest_first_page_by_page(
    database: Database, party: Party, now: datetime
) -> None:
    # Two at the same instant, so that the row decides.
    times = [now, now, now - timedelta(seconds=1), now - timedelta(seconds=2), now - timedelta(days=40)]
    events = [await log_call(database, party.customer_id, at) for at in times]
    seen, cursor = [], None
    while True:
        async with database.transaction() as tx:
            page = await reports.list_calls(tx, party.customer_id, Mode.TEST, CallFilter(), cursor, 2)
        seen += page.items
        cursor = page.next_cursor
        if cursor is None:
            break
        assert len(page.items) == 2
    assert [one.request_timestamp for one in seen] == times
    assert {one.request_id for one in seen} == {one.request_id for one in events}


async def test_a_page_of_the_log_is_read_in_the_order_of_its_index(database: Database) -> None:
    async with database.transaction() as tx:
        # Of an empty table everything is cheap; so only what the index can do without reading and sorting all.
        await tx.execute("SET LOCAL enable_seqscan = off")
        await tx.execute("SET LOCAL enable_bitmapscan = off")
        await tx.execute("SET LOCAL enable_sort = off")
        plan = await tx.list_rows(
            """
            EXPLAIN SELECT id FROM api_usage_logs WHERE customer_id = 1 AND mode = 'test'
                AND (request_timestamp, id) < (timestamptz '2026-06-15', 7)
            ORDER BY request_timestamp DESC, id DESC LIMIT 50
            """
        )
    text = "\n".join(row["QUERY PLAN"] for row in plan)
    # Rows of one instant alone are sorted.
    assert "Presorted Key: api_usage_logs.request_timestamp" in text
    assert "Index Scan Backward" in text
    assert "(request_timestamp <= '2026-06-15 00:00:00+00'" in text


async def test_a_call_carries_every_field_of_the_log_and_the_name_of_its_key(
    database: Database, party: Party, now: datetime
) -> None:
    await log_refusal(
        database,
        party.customer_id,
        now,
        api_key_id=party.api_key.id,
        path=f"{RUN}/sim_1",
        endpoint=f"{RUN}/{{simulation_id}}",
        credits_consumed=0,
    )
    [call] = await listed(database, party, CallFilter())
    assert (call.key_id, call.key_name) == (party.api_key.key_id, party.api_key.name)
    assert (call.problem_code, call.limit_name, call.limit_value) == (
        "quota-used-up",
        "requests_per_period",
        100,
    )
    assert (call.shown_path, call.endpoint) == (f"{RUN}/sim_1", f"{RUN}/{{simulation_id}}")
    assert str(call.ip_address) == "192.0.2.7"
    async with database.transaction() as tx:
        assert await reports.get_call(tx, party.customer_id, call.call_id) == call


# What is chosen by, and which of the calls below that finds.
CHOICES: list[tuple[dict[str, str], set[str]]] = [
    ({"status": "succeeded"}, {"ok", "page", "live?"}),
    ({"status": "limited"}, {"limited"}),
    ({"status": "refused"}, {"missing"}),
    ({"status": "failed"}, {"broken"}),
    ({"status": "404"}, {"missing"}),
    ({"endpoint": UPLOAD}, {"missing", "ok"}),
    ({"endpoint": f"{UPLOAD}/mdl_7"}, {"missing"}),
    ({"method": "get"}, {"missing"}),
    ({"product": "wallet"}, {"live?"}),
    ({"request_id": "req_broken"}, {"broken"}),
    ({"key": "page"}, {"page", "broken"}),
    ({"key": "mc_test_nobodys0"}, set()),
    ({"from_text": "2026-06-15T12:00"}, {"ok", "page", "live?", "limited", "missing"}),
    ({"until_text": "2026-06-14"}, {"broken"}),
    ({"status": "limited", "method": "DELETE"}, set()),
]


async def test_filters_choose_alone_and_together(database: Database, party: Party, now: datetime) -> None:
    key = {"api_key_id": party.api_key.id}
    of_customer = (database, party.customer_id)
    await log_call(*of_customer, now, **key, request_id="req_ok", endpoint=UPLOAD)
    await log_call(*of_customer, now, request_id="req_page")
    await log_call(*of_customer, now, **key, request_id="req_live?", product="wallet")
    await log_refusal(*of_customer, now, **key, request_id="req_limited")
    await log_call(*of_customer, now, **key, request_id="req_missing", method="GET", status_code=404, units=0,
                   endpoint=f"{UPLOAD}/{{model_id}}", path=f"{UPLOAD}/mdl_7")  # fmt: skip
    await log_call(*of_customer, now - timedelta(days=1), request_id="req_broken", status_code=500, units=0)
    for chosen, found in CHOICES:
        calls = await listed(database, party, calls_chosen_by(**chosen))
        assert {one.request_id.removeprefix("req_") for one in calls} == found, chosen
    by_key = await listed(database, party, calls_chosen_by(key=party.api_key.key_id))
    assert {one.request_id for one in by_key} == {"req_ok", "req_live?", "req_limited", "req_missing"}


async def test_nothing_of_another_customer_or_mode_is_seen(
    database: Database, party: Party, now: datetime
) -> None:
    other = await make_party(database, now)
    await log_call(database, other.customer_id, now, api_key_id=other.api_key.id)
    await log_call(database, party.customer_id, now, mode=Mode.LIVE, request_id="req_live")
    assert await listed(database, party, CallFilter()) == []
    # Nor by naming the other's key.
    assert await listed(database, party, calls_chosen_by(key=other.api_key.key_id)) == []
    [theirs] = await listed(database, other, CallFilter())
    async with database.transaction() as tx:
        with pytest.raises(NotFound):
            await reports.get_call(tx, party.customer_id, theirs.call_id)
        breakdown = await reports.get_breakdown(tx, party.customer_id, Mode.TEST, "", now.date(), now.date())
    assert breakdown.days[0].calls == 0
    [mine] = await listed(database, party, CallFilter(), Mode.LIVE)
    assert mine.request_id == "req_live"


async def test_a_call_that_is_not_there_is_not_found(database: Database, party: Party) -> None:
    for call_id in ("", "nonsense", "1-1", "ffffffffffffffff-1"):
        async with database.transaction() as tx:
            with pytest.raises(NotFound):
                await reports.get_call(tx, party.customer_id, call_id)


async def test_what_was_given_back_is_no_call_but_counts(
    database: Database, party: Party, now: datetime
) -> None:
    await log_call(database, party.customer_id, now)
    await log_call(database, party.customer_id, now, units=-1, status_code=500, credits_consumed=-2)
    assert len(await listed(database, party, CallFilter())) == 1
    async with database.transaction() as tx:
        found = await reports.get_breakdown(tx, party.customer_id, Mode.TEST, "", now.date(), now.date())
    assert (found.days[0].calls, found.days[0].units, found.days[0].credits) == (1, 0, 0)


@pytest.mark.promise("B49")
async def test_a_breakdown_adds_up_days_endpoints_and_keys(
    database: Database, party: Party, now: datetime
) -> None:
    key = {"api_key_id": party.api_key.id}
    for ms in (4, 4, 400):
        await log_call(database, party.customer_id, now, **key, response_time_ms=ms)
    await log_refusal(database, party.customer_id, now - timedelta(days=2), **key)
    await log_call(database, party.customer_id, now, endpoint=UPLOAD, method="GET", units=0, status_code=404)
    # Outside of the days asked for.
    await log_call(database, party.customer_id, now - timedelta(days=3))
    first, last = (now - timedelta(days=2)).date(), now.date()
    async with database.transaction() as tx:
        found = await reports.get_breakdown(tx, party.customer_id, Mode.TEST, "montecarlo", first, last)
        nothing = await reports.get_breakdown(tx, party.customer_id, Mode.TEST, "wallet", first, last)
    assert [(one.day, one.calls, one.units) for one in found.days] == [
        (first, 1, 0),
        (first + timedelta(days=1), 0, 0),
        (last, 4, 3),
    ]
    runs, models = found.endpoints
    assert (runs.endpoint, runs.method, runs.calls, runs.limited, runs.units) == (RUN, "POST", 4, 1, 3)
    assert runs.mean_ms == round((4 + 4 + 400 + 12) / 4)
    assert runs.p95_ms == 500
    assert (models.endpoint, models.refused) == (UPLOAD, 1)
    by_key, pages = found.keys
    assert (by_key.key_id, by_key.key_name, by_key.calls) == (party.api_key.key_id, party.api_key.name, 4)
    assert (pages.key_id, pages.calls) == (None, 1)
    assert nothing.endpoints == []
    assert nothing.keys == []
    assert [one.calls for one in nothing.days] == [0, 0, 0]


async def test_a_list_says_how_many_of_the_smallest_it_leaves_out(
    database: Database, party: Party, now: datetime
) -> None:
    for number in range(reports.ROWS_LISTED_MAX + 3):
        await log_call(database, party.customer_id, now, endpoint=f"/monte-carlo-api/{number}")
    async with database.transaction() as tx:
        found = await reports.get_breakdown(tx, party.customer_id, Mode.TEST, "", now.date(), now.date())
    assert len(found.endpoints) == reports.ROWS_LISTED_MAX
    assert found.endpoints_left_out == 3
    assert found.keys_left_out == 0


async def test_a_search_that_takes_too_long_says_what_to_do(
    database: Database, party: Party, now: datetime
) -> None:
    async with database.transaction() as tx:
        await tx.execute(
            """
            INSERT INTO api_usage_logs (customer_id, endpoint, method, status_code, response_time_ms,
                request_timestamp, product, mode, units, request_id)
            SELECT %(customer_id)s, '/x', 'GET', 200, 1, %(now)s - n * interval '1 second', 'montecarlo', 'test',
                0, 'req_' || n FROM generate_series(1, 60000) n
            """,
            {"customer_id": party.customer_id, "now": now},
        )
    with pytest.raises(SearchTooLong, match="shorter time"):
        async with database.transaction() as tx:
            await reports.list_calls(
                tx, party.customer_id, Mode.TEST, CallFilter(request_id="req_none"), None, 50, patience_ms=1
            )
    # The next transaction has its own patience.
    assert len(await listed(database, party, CallFilter(request_id="req_77"))) == 1


async def test_the_pace_is_read_from_the_hours_of_the_last_days(
    database: Database, party: Party, now: datetime
) -> None:
    for days in (0, 1, 2, 3, 9):
        await log_call(database, party.customer_id, now - timedelta(days=days))
    start = datetime(2026, 6, 1, tzinfo=UTC)
    period = reports.Period(Mode.TEST, start, datetime(2026, 7, 1, tzinfo=UTC), 100, 5, 100, Decimal(0))
    async with database.transaction() as tx:
        told = await reports.find_projection(
            tx, party.customer_id, "montecarlo", period, now - timedelta(days=30), now
        )
    assert told
    # Four in six and a half days.
    assert told.a_day == Decimal("0.6")
    assert told.units == 5 + round(4 / 6.5 * 15.5)


async def test_live_is_shown_first_once_there_was_a_live_call(
    database: Database, party: Party, now: datetime
) -> None:
    await log_call(database, party.customer_id, now)
    async with database.transaction() as tx:
        assert await reports.find_mode_in_use(tx, party.customer_id, now) is Mode.TEST
    await log_call(database, party.customer_id, now, mode=Mode.LIVE)
    async with database.transaction() as tx:
        assert await reports.find_mode_in_use(tx, party.customer_id, now) is Mode.LIVE
        assert await reports.list_endpoint_choices(tx, party.customer_id, now) == [RUN]
        assert await reports.list_key_choices(tx, party.customer_id) == [
            (party.api_key.key_id, party.api_key.name)
        ]
