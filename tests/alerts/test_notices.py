"""Customers are told of their usage: once for each part of it, whatever repeats, races or crashes."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.alerts.conftest import House
from tests.parties import Party

from tollway.alerts import jobs, notice_store
from tollway.alerts import notice_operations as notices
from tollway.alerts.entities import Notice, NoticeKind, WatchedQuota, due_notices
from tollway.customers import member_operations as members
from tollway.customers import operations as customers
from tollway.customers.entities import Mode
from tollway.customers.permissions import Role

BASE_URL = "https://tollway.example"
PERIOD = (datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC))


def quota_of(**changes: Any) -> WatchedQuota:
    values: dict[str, Any] = {
        "id": 1, "customer_id": 1, "product": "montecarlo", "mode": Mode.LIVE, "period_start": PERIOD[0],
        "period_end": PERIOD[1], "requests_included": 1_000, "requests_max": 1_000, "requests_used": 0,
        "overage_rate": Decimal("0.05"), "spending_cap": None, "fair_use_requests": None,
        "plan_name": "Starter", "currency": "USD", "told": (),
    }  # fmt: skip
    return WatchedQuota(**values | changes)


def told_by(quota: WatchedQuota, *steps: tuple[int, dict[str, Any]]) -> list[tuple[str, int]]:
    """Use up to each number, under changed terms, and say what was told on the way."""
    told: list[tuple[str, int]] = []
    for used, changes in steps:
        quota = replace(quota, requests_used=used, **changes)
        due = due_notices(quota)
        told += [(one.kind.value, one.percent) for one in due]
        quota = replace(quota, told=(*quota.told, *due))
        assert due_notices(quota) == []
    return told


CAP = {"spending_cap": Decimal(10), "requests_max": 1_200}
UNLIMITED = {"requests_included": None, "requests_max": None}


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        ([(499, {})], []),
        ([(500, {})], [("included", 50)]),
        ([(500, {}), (799, {}), (800, {}), (999, {}), (1_000, {}), (1_500, {"requests_max": None})],
         [("included", 50), ("included", 80), ("included", 100)]),
        # What was jumped over is not told beside the higher one.
        ([(950, {}), (1_000, {})], [("included", 80), ("included", 100)]),
        ([(1_000, {})], [("included", 100)]),
        # A larger bound tells what lies above all that was told, and nothing at once.
        ([(1_000, {}), (1_000, {"requests_included": 2_000}), (1_599, {}), (1_600, {}), (2_000, {})],
         [("included", 100), ("included", 80), ("included", 100)]),
        ([(800, {}), (900, {"requests_included": 1_700}), (1_360, {})],
         [("included", 80), ("included", 50), ("included", 80)]),
        # A smaller one tells what is passed by it.
        ([(850, {}), (850, {"requests_included": 500})], [("included", 80), ("included", 100)]),
        # Given back and used again.
        ([(500, {}), (498, {}), (501, {})], [("included", 50)]),
        ([(0, {"requests_included": 0})], []),
        ([(5, {"requests_included": 9})], [("included", 50)]),
        ([(1_000, CAP), (1_159, {}), (1_160, {}), (1_200, {})],
         [("included", 100), ("spending_cap", 80), ("spending_cap", 100)]),
        # A cap that lets nothing be bought is told of as the end of what is included.
        ([(1_000, {"spending_cap": Decimal(0), "requests_max": 1_000})], [("included", 100)]),
        ([(1_200, CAP), (1_200, {"spending_cap": Decimal(20), "requests_max": 1_400}), (1_320, {})],
         [("included", 100), ("spending_cap", 100), ("spending_cap", 80)]),
        ([(99_999, UNLIMITED | {"fair_use_requests": 100_000}), (100_000, {}), (300_000, {})],
         [("fair_use", 100)]),
        ([(10_000_000, UNLIMITED)], []),
    ],
)  # fmt: skip
def test_each_percentage_is_told_once_under_each_bound(
    steps: list[tuple[int, dict[str, Any]]], told: list[tuple[str, int]]
) -> None:
    assert told_by(quota_of(), *steps) == told


@given(st.lists(st.tuples(st.integers(0, 2_000), st.integers(1, 1_500)), max_size=30))
def test_nothing_is_told_twice_and_nothing_that_was_passed_is_kept_back(steps: list[tuple[int, int]]) -> None:
    quota, used = quota_of(), 0
    for more, included in steps:
        used += more % 200
        quota = replace(quota, requests_used=used, requests_included=included)
        due = due_notices(quota)
        quota = replace(quota, told=(*quota.told, *due))
        assert due_notices(quota) == []
        # Whoever stands at all of it now was told so at some time, having used no less than it is.
        if used >= included:
            assert any(one.percent == 100 and one.requests_used >= included for one in quota.told)
    assert len(set(quota.told)) == len(quota.told)


# In the database --------------------------------------------------------------------------------------


async def add_quota(house: House, party: Party, used: int, mode: Mode = Mode.LIVE, **changes: Any) -> int:
    values = {"requests_included": 1_000, "requests_max": None, "overage_rate": Decimal("0.05")} | changes
    [row] = await house.rows(
        """
        INSERT INTO usage_quotas (subscription_id, mode, period_start, period_end, requests_included, requests_max,
            requests_used, overage_rate, terms_at, created_at)
        VALUES (%(subscription)s, %(mode)s, %(start)s, %(end)s, %(requests_included)s, %(requests_max)s, %(used)s,
            %(overage_rate)s, now(), now()) RETURNING id
        """,
        subscription=party.subscription.id, mode=mode.value, start=PERIOD[0], end=PERIOD[1], used=used, **values,
    )  # fmt: skip
    return int(row["id"])


async def use(house: House, quota_id: int, used: int) -> None:
    await house.execute(
        "UPDATE usage_quotas SET requests_used = %(n)s WHERE id = %(id)s", n=used, id=quota_id
    )


async def tell(house: House, now: datetime) -> int:
    return await jobs.tell_all_quotas(house.database, BASE_URL, now)


async def subjects(house: House) -> list[str]:
    return [mail["subject"] for mail in await house.mails("usage_reached")]


@pytest.mark.promise("C26")
async def test_owners_and_billing_members_are_told_at_50_80_and_100_percent(
    house: House, now: datetime
) -> None:
    party = await house.party(now)
    async with house.database.transaction() as tx:
        for role in Role:
            user, _ = await customers.create_user_and_customer(
                tx, f"{role.value}@example.org", "Elsewhere", "Other", now
            )
            await members.add_member(tx, party.customer_id, user.id, role, now)
    quota_id = await add_quota(house, party, 499)
    assert await tell(house, now) == 0
    for used in (500, 501, 800, 999, 1_000, 1_200):
        await use(house, quota_id, used)
        await tell(house, now)
    mails = await house.mails("usage_reached")
    assert {mail["to_address"] for mail in mails} >= {"owner@example.org", "billing@example.org"}
    assert not {"developer@example.org", "viewer@example.org"} & {mail["to_address"] for mail in mails}
    assert [mail["subject"] for mail in mails if mail["to_address"] == "billing@example.org"] == [
        "50% of your requests are used: Monte Carlo API",
        "80% of your requests are used: Monte Carlo API",
        "All your requests are used: Monte Carlo API",
    ]


async def test_a_free_plan_is_told_that_it_stops_and_a_paid_one_what_it_costs(
    house: House, now: datetime
) -> None:
    free, paid = await house.party(now, "trial"), await house.party(now)
    await add_quota(house, free, 80, requests_included=100, requests_max=100)
    await add_quota(house, paid, 1_000)
    await tell(house, now)
    first, second = await house.mails("usage_reached")
    assert "Once all are used, calls that count are refused" in first["text_body"]
    assert "80 of 100 live requests" in first["text_body"]
    assert "from here on each request costs $0.05." in second["text_body"]


async def test_a_spending_cap_is_told_of_in_money(house: House, now: datetime) -> None:
    party = await house.party(now)
    await house.execute("UPDATE api_subscriptions SET spending_cap = 25")
    quota_id = await add_quota(house, party, 1_400, requests_max=1_500)
    await tell(house, now)
    await use(house, quota_id, 1_500)
    await tell(house, now)
    assert await subjects(house) == [
        "All your requests are used: Monte Carlo API",
        "80% of your spending cap is used: Monte Carlo API",
        "Your spending cap is reached: Monte Carlo API",
    ]
    included, warned, _ = await house.mails("usage_reached")
    assert "up to your spending cap of $25.00" in included["text_body"]
    assert "400 requests at $0.05 make $20.00 of the $25.00" in " ".join(warned["text_body"].split())


async def test_fair_use_is_told_softly_and_stops_nothing(house: House, now: datetime) -> None:
    party = await house.party(now, "enterprise")
    await add_quota(house, party, 100_000, requests_included=None)
    for _ in range(2):
        await tell(house, now)
    [mail] = await house.mails("usage_reached")
    assert mail["subject"] == "You use a great deal, and nothing stops: Monte Carlo API"
    assert "no call is refused, and nothing is charged" in mail["text_body"]


async def test_modes_are_told_apart(house: House, now: datetime) -> None:
    party = await house.party(now)
    await add_quota(house, party, 600, Mode.TEST)
    await add_quota(house, party, 600, Mode.LIVE)
    await tell(house, now)
    assert sorted(await subjects(house)) == [
        "50% of your requests are used: Monte Carlo API",
        "Test mode: 50% of your requests are used: Monte Carlo API",
    ]


async def test_nobody_is_told_of_other_periods_before_proving_an_address_or_after_leaving(
    house: House, now: datetime
) -> None:
    for statement in (
        "UPDATE usage_quotas SET period_end = period_start + interval '1 day'",
        "UPDATE usage_quotas SET period_end = '2026-08-01', period_start = '2026-07-01'",
        "UPDATE api_subscriptions SET status = 'pending_verification'",
        "UPDATE api_customers SET deactivated_at = now()",
        "UPDATE api_customers SET erased_at = now()",
    ):
        await add_quota(house, await house.party(now), 1_000)
        await house.execute(statement)  # type: ignore[arg-type]
        assert await tell(house, now) == 0, statement
        await house.execute("DELETE FROM usage_quotas")


async def test_many_who_tell_at_once_tell_once(house: House, now: datetime) -> None:
    for _ in range(3):
        await add_quota(house, await house.party(now), 900)
    await asyncio.gather(*(tell(house, now) for _ in range(8)))
    assert len(await house.mails("usage_reached")) == 3
    assert len(await house.rows("SELECT * FROM quota_notices")) == 3


async def test_whoever_looked_before_finds_what_was_told_meanwhile(house: House, now: datetime) -> None:
    quota_id = await add_quota(house, await house.party(now), 850)
    async with house.database.transaction() as tx:
        [seen], _ = await notices.list_quotas_to_tell(tx, now, 0, 10)
    await use(house, quota_id, 1_000)
    await tell(house, now)
    async with house.database.transaction() as tx:
        assert await notices.tell_quota(tx, seen, BASE_URL, now) == 0
    assert await subjects(house) == ["All your requests are used: Monte Carlo API"]


async def test_a_crash_before_the_end_tells_later_and_once(house: House, now: datetime) -> None:
    await add_quota(house, await house.party(now), 850)

    async def crash() -> None:
        async with house.database.transaction() as tx:
            [seen], _ = await notices.list_quotas_to_tell(tx, now, 0, 10)
            assert await notices.tell_quota(tx, seen, BASE_URL, now) == 1
            raise ConnectionError

    with pytest.raises(ConnectionError):
        await crash()
    assert await house.mails("usage_reached") == []
    assert await house.rows("SELECT * FROM quota_notices") == []
    assert [await tell(house, now) for _ in range(2)] == [1, 0]
    assert len(await house.mails("usage_reached")) == 1


async def test_one_customer_that_cannot_be_told_keeps_no_other_from_it(house: House, now: datetime) -> None:
    broken, well = await house.party(now, "trial"), await house.party(now)
    for party in (broken, well):
        await add_quota(house, party, 900)
    await house.execute("ALTER TABLE quota_notices ADD CHECK (requests_max <> 1000 OR quota_id <> 1)")
    assert [await tell(house, now) for _ in range(2)] == [1, 0]
    [mail] = await house.mails("usage_reached")
    assert "plan Starter" in mail["text_body"]


async def test_more_quotas_than_one_batch_are_all_told(house: House, now: datetime) -> None:
    parties = [await house.party(now) for _ in range(5)]
    for position, party in enumerate(parties):
        await add_quota(house, party, 400 if position == 1 else 900)
    told, after_id = [], 0
    while after_id is not None:
        async with house.database.transaction() as tx:
            due, after_id = await notices.list_quotas_to_tell(tx, now, after_id, 2)  # type: ignore[assignment]
        told += [one.customer_id for one in due]
    assert told == [one.customer_id for position, one in enumerate(parties) if position != 1]


async def test_a_notice_is_remembered_once(house: House, now: datetime) -> None:
    quota_id = await add_quota(house, await house.party(now), 850)
    notice = Notice(NoticeKind.INCLUDED, 80, 1_000, 850)
    async with house.database.transaction() as tx:
        assert [await notice_store.insert_notice(tx, quota_id, notice, now) for _ in range(2)] == [
            True,
            False,
        ]


@pytest.mark.promise("B54")
async def test_webhooks_are_told_where_the_plan_has_them(house: House, now: datetime) -> None:
    starter, professional = await house.party(now), await house.party(now, "professional")
    for party in (starter, professional):
        await house.execute(
            """
            INSERT INTO webhooks (public_id, customer_id, mode, name, url, events, enabled, sealed_secret,
                created_at, updated_at)
            VALUES (%(id)s, %(customer)s, 'live', 'Ours', 'https://example.com/hooks',
                '{quota.warning,quota.exceeded}', true, '', now(), now())
            """,
            id=f"wh_{party.customer_id}", customer=party.customer_id,
        )  # fmt: skip
        quota_id = await add_quota(house, party, 850)
        await tell(house, now)
        await use(house, quota_id, 1_000)
        await tell(house, now)
    assert len(await house.mails("usage_reached")) == 4
    rows = await house.rows(
        "SELECT customer_id, event_type, body::jsonb AS body FROM webhook_deliveries ORDER BY id"
    )
    assert [(row["customer_id"], row["event_type"]) for row in rows] == [
        (professional.customer_id, "quota.warning"),
        (professional.customer_id, "quota.exceeded"),
    ]
    assert rows[0]["body"]["data"] == {
        "product": "montecarlo",
        "mode": "live",
        "limit": "requests_per_period",
        "threshold_percent": 80,
        "requests_used": 850,
        "requests_included": 1_000,
        "requests_max": None,
        "spending_cap": None,
        "period_start": "2026-06-01T00:00:00+00:00",
        "period_end": "2026-07-01T00:00:00+00:00",
    }
