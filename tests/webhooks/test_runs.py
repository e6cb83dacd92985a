"""What models and runs tell, from the call that makes them to the server that is told."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from tests.parties import Party, make_party
from tests.simulation.conftest import API, results_of, run_body, upload, wait_until, working
from tests.simulation.workbooks import portfolio
from tests.webhooks.receivers import Receiver, receiving, standard_signature

from tollway.app import Parts
from tollway.customers.entities import Mode
from tollway.kit.clock import read_now
from tollway.plans.entities import SubscriptionStatus
from tollway.simulation import ending_operations
from tollway.webhooks.entities import Event


@pytest.fixture
async def party(parts: Parts) -> Party:
    """A customer whose plan has webhooks, with a test key."""
    return await make_party(
        parts.database,
        read_now(),
        tier="professional",
        status=SubscriptionStatus.ACTIVE,
        sealer=parts.sealer,
    )


@pytest.fixture
async def own() -> AsyncIterator[Receiver]:
    """Where one run is to tell its end."""
    async with receiving() as opened:
        yield opened


async def make(client: httpx.AsyncClient, party: Party, receiver: Receiver) -> str:
    """Make a webhook for everything, and return its secret."""
    wanted = {"name": "All", "url": receiver.url, "events": [one.value for one in Event]}
    answer = await client.post("/api/webhooks", headers=party.headers, json=wanted)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["secret"])


def events_of(receiver: Receiver) -> list[str]:
    return [one.headers["x-tollway-event"] for one in receiver.received]


async def start(client: httpx.AsyncClient, party: Party, model: str, **config: Any) -> str:
    answer = await client.post(f"{API}/simulations", headers=party.headers, json=run_body(model, **config))
    assert answer.status_code == 201, answer.text
    return str(answer.json()["simulation_id"])


@pytest.mark.promise("X28", "B54")
async def test_a_run_tells_its_course_in_order_and_its_own_address_the_end(
    client: httpx.AsyncClient, parts: Parts, party: Party, receiver: Receiver, own: Receiver
) -> None:
    """Fault 5: webhook_url was accepted and ignored."""
    secret = await make(client, party, receiver)
    model = (await upload(client, party)).json()["model_id"]
    run = await start(client, party, model, iterations=200_000, webhook_url=own.url)
    async with working(parts):
        await results_of(client, party, run)

        async def told() -> bool:
            return bool(own.received) and "simulation.completed" in events_of(receiver)

        await wait_until(told)
    events = events_of(receiver)
    assert events[0] == "model.uploaded"
    assert events[1] == "simulation.started"
    assert events[-1] == "simulation.completed"
    progress = [
        one.document["data"] for one in receiver.received if one.document["event"] == "simulation.progress"
    ]
    assert len(events) == 3 + len(progress)
    assert 1 <= len(progress) <= 9
    percentages = [one["percentage"] for one in progress]
    assert percentages == sorted(percentages)
    assert len({int(one // 10) for one in percentages}) == len(percentages)
    for came in receiver.received:
        assert came.headers["webhook-signature"] == standard_signature(secret, came)
    (end,) = own.received
    assert end.document["event"] == "simulation.completed"
    assert end.document["simulation_id"] == run
    data = end.document["data"]
    assert data["status"] == "completed"
    assert data["iterations_completed"] == data["iterations_total"] == 200_000
    results = await client.get(data["results_url"], headers=party.headers)
    assert results.status_code == 200


async def test_a_cancelled_run_tells_so_once(
    client: httpx.AsyncClient, parts: Parts, party: Party, receiver: Receiver
) -> None:
    await make(client, party, receiver)
    model = (await upload(client, party)).json()["model_id"]
    run = await start(client, party, model)
    assert (await client.delete(f"{API}/simulations/{run}", headers=party.headers)).status_code == 200
    async with working(parts):

        async def told() -> bool:
            return "simulation.cancelled" in events_of(receiver)

        await wait_until(told)
        await results_of(client, party, run)
    assert sorted(events_of(receiver)) == ["model.uploaded", "simulation.cancelled"]


async def test_a_run_that_fails_by_our_fault_tells_why(
    client: httpx.AsyncClient, parts: Parts, party: Party, own: Receiver
) -> None:
    model = (await upload(client, party)).json()["model_id"]
    run = await start(client, party, model, webhook_url=own.url)
    async with parts.database.transaction() as tx:
        row = await tx.find_value("SELECT id FROM runs WHERE public_id = %(id)s", {"id": run})
        assert await ending_operations.fail_run(tx, row, "It broke three times.", read_now())
        assert not await ending_operations.fail_run(tx, row, "It broke three times.", read_now())
        bodies = await tx.list_rows("SELECT event_type, body::jsonb AS body FROM webhook_deliveries")
    (one,) = bodies
    assert one["event_type"] == "simulation.failed"
    assert one["body"]["data"]["failure"] == {"code": "run-failed", "message": "It broke three times."}


async def test_a_workbook_that_cannot_be_used_is_told(
    client: httpx.AsyncClient, parts: Parts, party: Party, receiver: Receiver
) -> None:
    await make(client, party, receiver)
    refused = await upload(client, party, b"no workbook at all", "notes.xlsx")
    assert refused.status_code == 422
    async with parts.database.transaction() as tx:
        rows = await tx.list_rows("SELECT event_type, body::jsonb AS body FROM webhook_deliveries")
    (one,) = rows
    assert one["event_type"] == "model.failed"
    assert one["body"]["data"] == {
        "filename": "notes.xlsx",
        "failure": {"code": refused.json()["code"], "message": refused.json()["message"]},
        "mode": "test",
    }


async def test_a_live_run_tells_no_webhook_of_test_mode(
    client: httpx.AsyncClient, parts: Parts, receiver: Receiver
) -> None:
    live = await make_party(
        parts.database,
        read_now(),
        tier="professional",
        status=SubscriptionStatus.ACTIVE,
        mode=Mode.LIVE,
        sealer=parts.sealer,
    )
    await make(client, live, receiver)
    async with parts.database.transaction() as tx:
        await tx.execute("UPDATE webhooks SET mode = 'test'")
    assert (await upload(client, live, portfolio())).status_code == 201
    async with parts.database.transaction() as tx:
        assert await tx.list_rows("SELECT 1 FROM webhook_deliveries") == []
