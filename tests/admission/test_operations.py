"""One metered call: admitted, carried out, counted and answered together or not at all."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from tests.parties import Party, make_party

from tollway.admission.entities import UNITS
from tollway.admission.gatehouse import Gatehouse
from tollway.customers.entities import Mode
from tollway.kit.db import Database
from tollway.plans.entities import SubscriptionStatus


@pytest.fixture
async def party(product: Database, present: datetime) -> Party:
    return await make_party(product, present)


async def leave(product: Database, party: Party, client: httpx.AsyncClient, units: int) -> None:
    """Open the quota with one call and use all of it but `units`."""
    assert (await client.post("/things", json={"name": "first"}, headers=party.headers)).status_code == 201
    async with product.transaction() as tx:
        await tx.execute(
            "UPDATE usage_quotas SET requests_used = requests_included - %(units)s", {"units": units}
        )


@pytest.mark.promise("X11", "A15", "B12", "B13")
async def test_what_makes_something_counts_one_and_reading_counts_nothing(
    client: httpx.AsyncClient, party: Party, figures: Any, log_rows: Any
) -> None:
    made = await client.post("/things", json={"name": "a"}, headers=party.headers)
    assert (made.status_code, made.json()) == (201, {"name": "a", "number": 1})
    assert (await client.get("/things", headers=party.headers)).json() == [{"name": "a"}]
    assert (await client.get("/things/file", headers=party.headers)).text == "ab"
    assert await figures() == (1, 1)
    rows = await log_rows()
    assert [(row["method"], row["endpoint"], row["status_code"], row["units"]) for row in rows] == [
        ("POST", "/monte-carlo-api/things", 201, 1),
        ("GET", "/monte-carlo-api/things", 200, 0),
        ("GET", "/monte-carlo-api/things/file", 200, 0),
    ]
    assert rows[0]["credits_consumed"] == 3
    assert rows[0]["request_id"] == made.headers["X-Trace-ID"]
    assert rows[0]["api_key_id"] == party.api_key.id
    assert str(rows[0]["ip_address"]) == "203.0.113.9"
    assert rows[0]["mode"] == "test"


@pytest.mark.promise("X11")
def test_the_table_of_units_is_the_one_that_was_decided() -> None:
    assert UNITS == {"upload_model": 1, "create_run": 1, "create_goal_seek": 1, "read": 0, "change": 0}


async def test_a_failed_call_leaves_no_effect_and_counts_nothing(
    client: httpx.AsyncClient, party: Party, figures: Any, log_rows: Any
) -> None:
    refused = await client.post("/things", json={"name": "a", "fails": True}, headers=party.headers)
    assert refused.status_code == 404
    assert await figures() == (0, 0)
    (row,) = await log_rows()
    assert (row["status_code"], row["problem_code"], row["units"], row["credits_consumed"]) == (
        404,
        "not-found",
        0,
        0,
    )


async def test_a_call_that_fails_at_its_commit_counts_nothing_and_is_logged_as_failed(
    client: httpx.AsyncClient, party: Party, figures: Any, log_rows: Any
) -> None:
    """The usage row is written before the commit; when that fails, the row is gone and another must say so."""
    failed = await client.post("/things", json={"name": "a", "fails_at_commit": True}, headers=party.headers)
    assert failed.status_code == 500
    assert await figures() == (0, 0)
    (row,) = await log_rows()
    assert (row["status_code"], row["problem_code"], row["units"]) == (500, "internal-error", 0)


async def test_a_body_that_is_refused_counts_nothing(
    client: httpx.AsyncClient, party: Party, figures: Any, log_rows: Any
) -> None:
    refused = await client.post("/things", json={"nam": "a"}, headers=party.headers)
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == "/name"
    assert await figures() == (0, 0)
    assert [(row["status_code"], row["problem_code"]) for row in await log_rows()] == [(422, "invalid-input")]


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [("GET", "/nowhere", 404, "not-found"), ("PUT", "/things", 405, "method-not-allowed"),
     ("GET", "/breaks", 500, "internal-error"), ("GET", "/unmetered", 200, None)],
)  # fmt: skip
async def test_every_call_is_logged_however_it_ends(
    client: httpx.AsyncClient,
    party: Party,
    log_rows: Any,
    method: str,
    path: str,
    status: int,
    code: str | None,
) -> None:
    answer = await client.request(method, path, headers=party.headers)
    assert answer.status_code == status
    assert answer.content, "the answer reached the caller"
    (row,) = await log_rows()
    assert (row["status_code"], row["problem_code"], row["units"]) == (status, code, 0)


@pytest.mark.promise("A37", "X4")
@pytest.mark.parametrize(
    ("status", "included"),
    [(SubscriptionStatus.PENDING_VERIFICATION, 20), (SubscriptionStatus.TRIALING, 100)],
)
async def test_the_call_after_the_last_included_one_is_a_429(
    client: httpx.AsyncClient,
    product: Database,
    present: datetime,
    figures: Any,
    log_rows: Any,
    status: SubscriptionStatus,
    included: int,
) -> None:
    party = await make_party(product, present, status=status)
    await leave(product, party, client, 1)
    assert (await client.post("/things", json={"name": "last"}, headers=party.headers)).status_code == 201
    refused = await client.post("/things", json={"name": "over"}, headers=party.headers)
    assert refused.status_code == 429
    document = refused.json()
    assert document["code"] == "quota-used-up"
    assert (document["limit"], document["limit_value"], document["used"]) == (
        "requests_per_period",
        included,
        included,
    )
    assert int(refused.headers["Retry-After"]) == document["retry_after"] > 0
    assert datetime.fromisoformat(document["resets_at"]) > present
    assert await figures() == (included, 2)
    assert (await log_rows())[-1]["problem_code"] == "quota-used-up"
    assert (await log_rows())[-1]["units"] == 0
    # Reading goes on.
    assert (await client.get("/things", headers=party.headers)).status_code == 200


@pytest.mark.promise("X11")
async def test_parallel_calls_never_pass_the_quota(
    client: httpx.AsyncClient, product: Database, party: Party, figures: Any, log_rows: Any
) -> None:
    await leave(product, party, client, 5)
    answers = await asyncio.gather(
        *(client.post("/things", json={"name": str(n)}, headers=party.headers) for n in range(50))
    )
    statuses = [answer.status_code for answer in answers]
    assert sorted(statuses) == [201] * 5 + [429] * 45
    assert await figures() == (100, 6)
    rows = await log_rows()
    assert len(rows) == 51
    assert sum(row["units"] for row in rows) == 6


@pytest.mark.promise("X3")
async def test_after_the_free_trial_everything_can_be_read_and_nothing_made(
    client: httpx.AsyncClient, product: Database, present: datetime, log_rows: Any
) -> None:
    party = await make_party(product, present - timedelta(days=15))
    refused = await client.post("/things", json={"name": "a"}, headers=party.headers)
    assert refused.status_code == 402
    assert refused.json()["code"] == "free-trial-ended"
    assert (await client.get("/things", headers=party.headers)).status_code == 200
    assert [row["status_code"] for row in await log_rows()] == [402, 200]


@pytest.mark.promise("B47", "X11")
async def test_parallel_calls_never_pass_the_burst_of_a_day(
    client: httpx.AsyncClient, product: Database, present: datetime, figures: Any
) -> None:
    party = await make_party(
        product, present, tier="starter", status=SubscriptionStatus.ACTIVE, mode=Mode.LIVE
    )
    async with product.transaction() as tx:
        await tx.execute(
            """
            INSERT INTO usage_quota_days (subscription_id, mode, day, requests_used)
            VALUES (%(subscription_id)s, 'live', %(day)s, 64)
            """,
            {"day": present.date(), "subscription_id": party.subscription.id},
        )
    answers = await asyncio.gather(
        *(client.post("/things", json={"name": str(n)}, headers=party.headers) for n in range(15))
    )
    assert sorted(answer.status_code for answer in answers) == [201] * 4 + [429] * 11
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.json()["code"] == "daily-limit-reached"
    assert refused.json()["limit_value"] == 68
    assert 0 < int(refused.headers["Retry-After"]) <= 86_400
    assert await figures() == (4, 4), "what the daily limit refused was not counted either"


@pytest.mark.promise("X6", "X11")
@pytest.mark.parametrize(("mode", "status"), [(Mode.LIVE, 201), (Mode.TEST, 429)])
async def test_overage_goes_on_with_a_live_key_and_stops_with_a_test_key(
    client: httpx.AsyncClient, product: Database, present: datetime, mode: Mode, status: int
) -> None:
    party = await make_party(product, present, tier="starter", status=SubscriptionStatus.ACTIVE, mode=mode)
    await leave(product, party, client, 0)
    assert (await client.post("/things", json={"name": "over"}, headers=party.headers)).status_code == status


async def test_customers_do_not_share_a_quota(
    client: httpx.AsyncClient, product: Database, party: Party, present: datetime
) -> None:
    other = await make_party(product, present)
    await leave(product, party, client, 0)
    assert (await client.post("/things", json={"name": "x"}, headers=party.headers)).status_code == 429
    assert (await client.post("/things", json={"name": "x"}, headers=other.headers)).status_code == 201


# Idempotency ----------------------------------------------------------------------------------------


def once(party: Party, key: str = "once") -> dict[str, str]:
    return party.headers | {"Idempotency-Key": key}


async def test_a_repeated_request_gets_the_same_answer_and_counts_once(
    client: httpx.AsyncClient, party: Party, figures: Any, log_rows: Any
) -> None:
    first = await client.post("/things", json={"name": "a"}, headers=once(party))
    again = await client.post("/things", json={"name": "a"}, headers=once(party))
    assert (again.status_code, again.content) == (201, first.content)
    assert await figures() == (1, 1)
    assert [(row["status_code"], row["units"]) for row in await log_rows()] == [(201, 1), (201, 0)]


async def test_twenty_of_the_same_request_at_once_have_one_effect(
    client: httpx.AsyncClient, party: Party, product: Database, figures: Any
) -> None:
    async with product.transaction() as tx:
        # All of them at once are more than the plan lets in.
        await tx.execute(
            "UPDATE plan_versions SET content = jsonb_set(content, '{limits,writes_at_once_max}', '20')"
        )
    answers = await asyncio.gather(
        *(client.post("/things", json={"name": "a"}, headers=once(party)) for _ in range(20))
    )
    assert {(answer.status_code, answer.content) for answer in answers} == {(201, answers[0].content)}
    assert await figures() == (1, 1)


async def test_the_same_key_with_other_content_is_a_409(
    client: httpx.AsyncClient, party: Party, figures: Any, log_rows: Any
) -> None:
    await client.post("/things", json={"name": "a"}, headers=once(party))
    refused = await client.post("/things", json={"name": "b"}, headers=once(party))
    assert (refused.status_code, refused.json()["code"]) == (409, "idempotency-key-reused")
    assert await figures() == (1, 1)
    assert (await log_rows())[-1]["problem_code"] == "idempotency-key-reused"


@pytest.mark.parametrize("key", ["", "x" * 256])
async def test_a_malformed_idempotency_key_is_a_422(
    client: httpx.AsyncClient, party: Party, key: str
) -> None:
    refused = await client.post("/things", json={"name": "a"}, headers=once(party, key))
    assert (refused.status_code, refused.json()["code"]) == (422, "bad-idempotency-key")
    assert refused.json()["errors"][0]["pointer"] == "/headers/Idempotency-Key"


async def test_a_request_that_failed_may_be_repeated_with_its_key(
    client: httpx.AsyncClient, party: Party, figures: Any
) -> None:
    failed = await client.post("/things", json={"name": "a", "fails": True}, headers=once(party))
    assert failed.status_code == 404
    assert (await client.post("/things", json={"name": "a"}, headers=once(party))).status_code == 201
    assert await figures() == (1, 1)


async def test_a_repeated_request_is_answered_when_the_quota_is_used_up(
    client: httpx.AsyncClient, product: Database, party: Party
) -> None:
    await leave(product, party, client, 1)
    first = await client.post("/things", json={"name": "a"}, headers=once(party))
    assert first.status_code == 201
    again = await client.post("/things", json={"name": "a"}, headers=once(party))
    assert (again.status_code, again.content) == (201, first.content)


async def test_customers_do_not_share_idempotency_keys(
    client: httpx.AsyncClient, product: Database, party: Party, present: datetime, figures: Any
) -> None:
    other = await make_party(product, present)
    for caller in (party, other):
        assert (await client.post("/things", json={"name": "a"}, headers=once(caller))).status_code == 201
    assert await figures() == (2, 2)


async def test_a_read_takes_no_notice_of_the_header(client: httpx.AsyncClient, party: Party) -> None:
    assert (await client.get("/things", headers=once(party))).json() == []
    await client.post("/things", json={"name": "a"}, headers=party.headers)
    assert (await client.get("/things", headers=once(party))).json() == [{"name": "a"}]


# First steps ----------------------------------------------------------------------------------------


@pytest.mark.promise("A34")
async def test_the_first_call_is_tracked_once_and_only_when_it_succeeds(
    client: httpx.AsyncClient, product: Database, party: Party, gatehouse: Gatehouse
) -> None:
    async def count() -> int:
        await gatehouse.ship()
        async with product.transaction() as tx:
            return int(await tx.find_value("SELECT count(*) FROM analytics_events WHERE name = 'first_call'"))

    await client.get("/nowhere", headers=party.headers)
    assert await count() == 0
    await asyncio.gather(*(client.get("/things", headers=party.headers) for _ in range(10)))
    assert await count() == 1


async def test_the_last_use_of_the_key_is_noted(
    client: httpx.AsyncClient, product: Database, party: Party, present: datetime, gatehouse: Gatehouse
) -> None:
    await client.get("/things", headers=party.headers)
    await gatehouse.ship()
    async with product.transaction() as tx:
        assert await tx.find_value("SELECT last_used_at FROM api_keys") >= present
