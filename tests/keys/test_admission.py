"""What a key may call: scopes, products, networks, limits a minute and states, on both kinds of path."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.firms import Firm, MakeFirm

from tollway.customers.entities import Mode
from tollway.customers.permissions import Role, Scope
from tollway.plans.entities import SubscriptionStatus

READ, WRITE = ("GET", "/monte-carlo-api/models"), ("POST", "/monte-carlo-api/models")
LIST = ("GET", "/api/api-keys")


async def call(firm: Firm, secret: str, method: str, path: str) -> tuple[int, str]:
    answer = await firm.client.request(method, path, headers={"Authorization": f"Bearer {secret}"})
    is_problem = answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"] if is_problem else ""


@pytest.mark.promise("B42")
@pytest.mark.parametrize(
    ("scopes", "reads", "writes", "manages"),
    [
        ({"read"}, True, False, True),
        ({"write"}, False, True, False),
        ({"admin"}, False, False, False),
        ({"read", "write"}, True, True, True),
        ({"read", "write", "admin"}, True, True, True),
    ],
)
async def test_a_scope_opens_its_own_calls_alone(
    firm: Firm, scopes: set[str], reads: bool, writes: bool, manages: bool
) -> None:
    key = await firm.key(scopes=frozenset(map(Scope, scopes)))
    missing = (403, "permission-missing")
    assert (await call(firm, key.secret, *READ) == missing) != reads
    # Without a file it is no upload; that it was looked at is enough.
    assert (await call(firm, key.secret, *WRITE) == missing) != writes
    assert (await call(firm, key.secret, *LIST) == missing) != manages
    refused = await firm.rows("SELECT units FROM api_usage_logs WHERE status_code = 403")
    assert {one["units"] for one in refused} <= {0}
    assert len(refused) == [reads, writes, manages].count(False)


@pytest.mark.promise("X5")
@pytest.mark.parametrize("product", ["wallet", "agents"])
async def test_a_key_of_another_product_is_told_so(firm: Firm, product: str) -> None:
    key = await firm.key(product=product)
    assert await call(firm, key.secret, *READ) == (403, "api-key-of-another-product")
    assert await call(firm, key.secret, *LIST) == (200, ""), "things are managed with a key of any product"
    assert [one["product"] for one in await firm.rows("SELECT product FROM api_usage_logs")] == [product] * 2


async def test_an_allow_list_holds_on_every_path(firm: Firm) -> None:
    away = await firm.key(allowed_networks=("203.0.113.0/24",))
    home = await firm.key(allowed_networks=("203.0.113.0/24", "127.0.0.0/8"))
    for method, path in (READ, WRITE, LIST):
        assert await call(firm, away.secret, method, path) == (403, "address-not-allowed")
        assert (await call(firm, home.secret, method, path))[1] != "address-not-allowed"


async def test_a_key_has_a_limit_a_minute_over_all_paths(firm: Firm) -> None:
    key = await firm.key(requests_per_minute_max=4)
    headers = {"Authorization": f"Bearer {key.secret}"}
    answers = [await firm.client.get(path, headers=headers) for path in (READ[1], LIST[1]) * 6]
    statuses = [one.status_code for one in answers]
    # A fifth may have come in meanwhile: four a minute are one in fifteen seconds.
    assert 4 <= statuses.count(200) <= 5
    assert set(statuses) == {200, 429}
    refused = next(one for one in answers if one.status_code == 429)
    assert refused.json()["code"] == "api-key-too-fast"
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert refused.headers["RateLimit-Policy"] == '"requests_per_minute_per_key";q=4;w=60'
    assert refused.headers["RateLimit"].startswith('"requests_per_minute_per_key";r=0;t=')
    assert await call(firm, firm.party.secret, *READ) == (200, ""), "another key has a limit of its own"
    logged = await firm.rows("SELECT units FROM api_usage_logs WHERE problem_code = 'api-key-too-fast'")
    assert [one["units"] for one in logged] == [0] * statuses.count(429)


# States ---------------------------------------------------------------------------------------------

STATES = {
    #  status of the subscription: test read, test write, live read, live write
    SubscriptionStatus.PENDING_PAYMENT: (200, 422, 402, 402),
    SubscriptionStatus.ACTIVE: (200, 422, 200, 422),
    SubscriptionStatus.PAST_DUE: (200, 422, 200, 422),
    SubscriptionStatus.CANCELLED: (200, 402, 200, 402),
}


@pytest.mark.promise("B8", "X9")
@pytest.mark.parametrize("status", list(STATES))
async def test_the_matrix_holds_on_the_wire(make_firm: MakeFirm, status: SubscriptionStatus) -> None:
    firm = await make_firm(status=status)
    live = await firm.key(mode=Mode.LIVE)
    # 422: the call came in, and its empty upload was looked at.
    found = [
        (await call(firm, secret, *kind))[0]
        for secret in (firm.party.secret, live.secret)
        for kind in (READ, WRITE)
    ]
    assert tuple(found) == STATES[status]


@pytest.mark.parametrize(
    ("stop", "code"),
    [
        ("UPDATE api_keys SET status = 'revoked'", (401, "api-key-unknown")),
        ("UPDATE api_keys SET status = 'deleted', key_hash = NULL", (401, "api-key-unknown")),
        ("UPDATE api_keys SET expires_at = now() - interval '1 second'", (401, "api-key-unknown")),
        ("UPDATE api_keys SET grace_until = now() - interval '1 second'", (401, "api-key-unknown")),
        ("UPDATE api_keys SET status = 'suspended', suspended_reason = 'leaked'", (403, "api-key-suspended")),
        ("UPDATE api_keys SET scopes = '{admin}'", (403, "permission-missing")),
        ("UPDATE api_keys SET allowed_networks = '{203.0.113.0/24}'", (403, "address-not-allowed")),
        ("UPDATE api_customers SET suspended_at = now()", (403, "customer-suspended")),
        ("UPDATE api_customers SET deactivated_at = now()", (403, "customer-deactivated")),
        ("UPDATE api_customers SET erased_at = now()", (401, "api-key-unknown")),
    ],
)
async def test_what_is_stopped_is_stopped_at_the_very_next_call(
    firm: Firm, stop: Any, code: tuple[int, str]
) -> None:
    for kind in (READ, LIST):
        assert await call(firm, firm.party.secret, *kind) == (200, "")
    await firm.execute(stop)
    assert await call(firm, firm.party.secret, *READ) == code
    assert await call(firm, firm.party.secret, *LIST) == code
    rows = await firm.rows("SELECT status_code, units FROM api_usage_logs ORDER BY request_timestamp")
    if "key_hash" in stop:
        # The process that served it before knew whose it was; a process that never did knows nobody to log it for.
        assert [one["status_code"] for one in rows[2:]] == [401]
    else:
        assert [(one["status_code"], one["units"]) for one in rows[2:]] == [(code[0], 0)] * 2


async def test_a_suspension_tells_its_reason(firm: Firm) -> None:
    await firm.execute(
        "UPDATE api_keys SET status = 'suspended', suspended_reason = 'It was found in a public repository.'"
    )
    refused = await firm.client.get(READ[1], headers=firm.headers)
    assert "It was found in a public repository" in refused.json()["message"]


async def test_a_role_that_was_taken_away_is_gone_at_the_very_next_call(firm: Firm) -> None:
    secret = await firm.person(Role.DEVELOPER)
    assert (await firm.as_person("GET", "/api/api-keys", secret)).status_code == 200
    await firm.execute("UPDATE customer_members SET role = 'viewer'")
    assert (await firm.as_person("GET", "/api/api-keys", secret)).status_code == 403


# Rotation while calls go on -------------------------------------------------------------------------


@pytest.mark.promise("B41")
async def test_a_rotation_under_traffic_fails_no_call_before_its_end(firm: Firm) -> None:
    key = await firm.key()
    secrets, statuses = [key.secret], []
    over = asyncio.Event()

    async def go_on(number: int) -> None:
        while not over.is_set():
            # Half of the traffic moves to the newest key as soon as it is there.
            secret = secrets[-1] if number % 2 else secrets[0]
            statuses.append((await call(firm, secret, *READ))[0])
            # As fast as it can be, it would run into the limit of its address.
            await asyncio.sleep(0.01)

    traffic = [asyncio.create_task(go_on(number)) for number in range(4)]
    while len(statuses) < 20:
        await asyncio.sleep(0.01)
    rotated = await firm.client.post(
        f"/api/api-keys/{key.api_key.key_id}/rotate", json={"overlap_hours": 1}, headers=firm.headers
    )
    secrets.append(rotated.json()["secret_key"])
    begun = len(statuses)
    while len(statuses) < begun + 40:
        await asyncio.sleep(0.01)
    await firm.parts.gatehouse.ship()
    counted = await firm.client.get(f"/api/api-keys/{key.api_key.key_id}", headers=firm.headers)
    over.set()
    await asyncio.gather(*traffic)
    assert set(statuses) == {200}
    assert counted.json()["calls_since_rotation"] >= 10
    # The end of the overlap comes: the old key is over, the new one goes on.
    await firm.execute("UPDATE api_keys SET grace_until = now() WHERE grace_until IS NOT NULL")
    assert await call(firm, secrets[0], *READ) == (401, "api-key-unknown")
    assert await call(firm, secrets[1], *READ) == (200, "")


async def test_two_rotations_at_once_make_one_successor(firm: Firm) -> None:
    key = await firm.key()
    path = f"/api/api-keys/{key.api_key.key_id}/rotate"
    answers = await asyncio.gather(
        *(firm.client.post(path, json={"overlap_hours": 1}, headers=firm.headers) for _ in range(6))
    )
    assert sorted(one.status_code for one in answers) == [201] + [409] * 5
    assert len(await firm.rows("SELECT 1 FROM api_keys")) == 3


async def test_many_at_once_make_no_key_too_many(firm: Firm) -> None:
    answers = await asyncio.gather(
        *(firm.client.post("/api/api-keys", json={"name": "a"}, headers=firm.headers) for _ in range(15))
    )
    assert sorted(one.status_code for one in answers) == [201] * 9 + [409] * 6


async def test_an_expiring_overlap_counts_from_its_rotation(firm: Firm) -> None:
    key = await firm.key()
    for _ in range(3):
        await call(firm, key.secret, *READ)
    rotated = await firm.client.post(
        f"/api/api-keys/{key.api_key.key_id}/rotate", json={"overlap_hours": 1}, headers=firm.headers
    )
    assert rotated.json()["replaced_key"]["calls_since_rotation"] == 0
    for _ in range(2):
        await call(firm, key.secret, *READ)
    await firm.parts.gatehouse.ship()
    read = await firm.client.get(f"/api/api-keys/{key.api_key.key_id}", headers=firm.headers)
    assert read.json()["calls_since_rotation"] == 2
    ends = datetime.fromisoformat(read.json()["grace_until"])
    assert timedelta(minutes=59) < ends - datetime.now(UTC) <= timedelta(hours=1)
