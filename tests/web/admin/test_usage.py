"""The page of everybody's usage: every figure, every link, and no fault where nothing was used."""

import re
from datetime import timedelta

import pytest
from tests.metering.calls import RUN, log_call, log_refusal
from tests.parties import make_party
from tests.web.conftest import Visitor

from tollway.customers import operations as customers
from tollway.customers.entities import Mode
from tollway.kit.clock import read_now
from tollway.plans.entities import SubscriptionStatus

PAGE = "/admin/usage"


def text_of(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


@pytest.mark.promise("B49", "C21")
async def test_it_shows_endpoints_customers_plans_and_resources(administrator: Visitor) -> None:
    database, now = administrator.parts.database, read_now()
    party = await make_party(
        database, now, tier="professional", status=SubscriptionStatus.ACTIVE, mode=Mode.LIVE
    )
    for _ in range(3):
        await log_call(
            database,
            party.customer_id,
            now,
            api_key_id=party.api_key.id,
            mode=Mode.LIVE,
            response_time_ms=100,
        )
    await log_call(
        database, party.customer_id, now, status_code=500, units=0, mode=Mode.LIVE, response_time_ms=100
    )
    await log_refusal(database, party.customer_id, now, mode=Mode.LIVE, response_time_ms=100)
    await log_call(database, party.customer_id, now - timedelta(days=40), mode=Mode.LIVE)
    async with database.transaction() as tx:
        customer = await customers.get_customer(tx, party.customer_id)

    answer = await administrator.get(f"{PAGE}?period=month&mode=live")
    assert answer.status_code == 200
    shown = text_of(answer.text)
    assert "Calls 5 +400% against 1 in the time before" in shown
    assert "Succeeded 80.00% 1 failed by our fault (5xx)" in shown
    assert "Response time 100 ms half within 75 ms, 95 of 100 within 98 ms" in shown
    assert "API keys used 1 of 1" in shown
    assert f"POST {RUN}" in shown
    assert f'href="/admin/api-customers/{customer.public_id}"' in answer.text
    assert "Professional" in shown
    for part in (
        "Processes",
        "Servers, which answer",
        "Data folder",
        "Database",
        "Free on disk",
        "Usage on its way",
    ):
        assert part in shown, part
    assert "evenly spread" in shown


async def test_the_period_and_the_mode_stand_in_the_address(administrator: Visitor) -> None:
    database, now = administrator.parts.database, read_now()
    party = await make_party(database, now)
    await log_call(database, party.customer_id, now - timedelta(days=20))
    for query, seen in (
        ("period=week", False),
        ("period=month", True),
        ("period=month&mode=live", False),
        ("period=year&mode=test", True),
        ("", True),
        ("period=century&mode=dead", True),
    ):
        answer = await administrator.get(f"{PAGE}?{query}")
        assert answer.status_code == 200
        assert ("No calls in this time" in answer.text) is not seen, query
    answer = await administrator.get(f"{PAGE}?period=quarter&mode=test")
    assert 'href="/admin/usage?period=quarter&amp;mode=live"' in answer.text
    assert 'href="/admin/usage?period=week&amp;mode=test"' in answer.text
    assert answer.text.count('aria-current="true"') == 2


async def test_nothing_used_is_an_empty_page_with_a_way_on(administrator: Visitor) -> None:
    answer = await administrator.get(PAGE)
    assert answer.status_code == 200
    assert "No calls in this time" in answer.text
    assert 'href="/admin/usage?period=year"' in answer.text
    assert "Resources now" in answer.text


async def test_an_erased_customer_is_not_named(administrator: Visitor) -> None:
    database = administrator.parts.database
    party = await make_party(database, read_now())
    await log_call(database, party.customer_id, read_now())
    async with database.transaction() as tx:
        await tx.execute("UPDATE api_customers SET erased_at = now()")
    answer = await administrator.get(PAGE)
    assert "Erased" in text_of(answer.text)
    assert "Example Ltd" not in answer.text
