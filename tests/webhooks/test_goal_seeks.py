"""What a goal seek tells when it ends."""

import httpx
from tests.parties import Party, make_party
from tests.simulation.conftest import uploaded_id, wait_until, working
from tests.simulation.test_goal_seeks import ask, seek_body
from tests.webhooks.receivers import Receiver

from tollway.app import Parts
from tollway.kit.clock import read_now
from tollway.plans.entities import SubscriptionStatus
from tollway.simulation import goal_seek_operations
from tollway.webhooks.entities import Event


async def making(client: httpx.AsyncClient, parts: Parts, receiver: Receiver) -> tuple[Party, str]:
    """A customer with a webhook for goal seeks, and one that waits; return its id too."""
    party = await make_party(
        parts.database,
        read_now(),
        tier="professional",
        status=SubscriptionStatus.ACTIVE,
        sealer=parts.sealer,
    )
    events = [Event.GOAL_SEEK_COMPLETED.value, Event.GOAL_SEEK_FAILED.value]
    wanted = {"name": "Seeks", "url": receiver.url, "events": events}
    answer = await client.post("/api/webhooks", headers=party.headers, json=wanted)
    assert answer.status_code == 201, answer.text
    made = await ask(client, party, seek_body(await uploaded_id(client, party)))
    assert made.status_code == 202, made.text
    return party, str(made.json()["goal_seek_id"])


async def test_an_answer_is_told(client: httpx.AsyncClient, parts: Parts, receiver: Receiver) -> None:
    _, goal_seek_id = await making(client, parts, receiver)
    async with working(parts):

        async def told() -> bool:
            return bool(receiver.received)

        await wait_until(told)
    [document] = [one.document for one in receiver.received]
    assert document["event"] == "goal_seek.completed"
    assert document["data"]["goal_seek_id"] == goal_seek_id
    assert (document["data"]["status"], document["data"]["outcome"]) == ("completed", "found")


async def test_a_failure_is_told(client: httpx.AsyncClient, parts: Parts, receiver: Receiver) -> None:
    _, goal_seek_id = await making(client, parts, receiver)
    async with parts.database.transaction() as tx:
        row = int(await tx.find_value("SELECT id FROM goal_seeks"))
        assert await goal_seek_operations.fail_goal_seek(tx, row, read_now())
        assert not await goal_seek_operations.fail_goal_seek(tx, row, read_now())
    async with working(parts):

        async def told() -> bool:
            return bool(receiver.received)

        await wait_until(told)
    [document] = [one.document for one in receiver.received]
    assert document["event"] == "goal_seek.failed"
    assert document["data"]["goal_seek_id"] == goal_seek_id
    assert document["data"]["failure"]["code"] == "goal-seek-failed"
