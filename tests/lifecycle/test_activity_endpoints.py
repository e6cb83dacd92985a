"""The customer's audit list, for programs."""

import pytest
from tests.parties import make_party

from tollway.audit import operations as audit
from tollway.kit.clock import read_now


async def record(database, customer_id: int, count: int = 1, **changed: object) -> None:
    entry: dict = {
        "action": "api_key.revoked",
        "customer_id": customer_id,
        "actor": "user:usr_1",
        "actor_name": "ana@example.com",
        "subject": "mc_test_abcdefgh",
        "address": "192.0.2.7",
        "now": read_now(),
        "details": {"reason": "lost"},
    }
    async with database.transaction() as tx:
        for _ in range(count):
            await audit.record_entry(tx, **(entry | changed))


async def test_a_program_reads_its_customers_list_page_by_page(parts, client):
    party = await make_party(parts.database, read_now())
    await record(parts.database, party.customer_id, 3)
    first = (await client.get("/api/activity?limit=2", headers=party.headers)).json()
    assert len(first["entries"]) == 2
    rest = (
        await client.get(f"/api/activity?limit=2&cursor={first['next_cursor']}", headers=party.headers)
    ).json()
    assert len(rest["entries"]) == 1
    assert rest["next_cursor"] is None
    entry = rest["entries"][0]
    assert entry.pop("occurred_at").endswith("Z")
    assert entry == {
        "action": "api_key.revoked",
        "description": "Revoked an API key",
        "actor": "user:usr_1",
        "actor_name": "ana@example.com",
        "on_behalf_of": "",
        "subject": "mc_test_abcdefgh",
        "ip_address": "192.0.2.7",
        "request_id": "",
        "details": {"reason": "lost"},
    }


async def test_another_customers_entries_are_not_there(parts, client):
    party, other = [await make_party(parts.database, read_now()) for _ in range(2)]
    await record(parts.database, other.customer_id, subject="not_yours")
    answer = await client.get("/api/activity?subject=not_yours", headers=party.headers)
    assert answer.json() == {"entries": [], "next_cursor": None}


async def test_without_a_caller_it_is_401(client):
    assert (await client.get("/api/activity")).status_code == 401


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("from=yesterday", "/from"),
        ("until=2026-02-30", "/until"),
        ("from=2026-02-02&until=2026-02-01", "/until"),
        ("actor=%00", "/actor"),
        (f"action={'x' * 255}", "/action"),
        ("limit=0", "/limit"),
        ("cursor=nonsense", "/cursor"),
    ],
)
async def test_a_query_that_cannot_be_used_is_422_and_says_where(parts, client, query, pointer):
    party = await make_party(parts.database, read_now())
    answer = await client.get(f"/api/activity?{query}", headers=party.headers)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"].endswith(pointer)
