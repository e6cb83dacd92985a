"""Strangers are answered before a byte of their body is read; addresses and uploads are bounded."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.admission.conftest import PREFIX, build
from tests.parties import Party, make_party

from tollway.admission.address_middleware import AddressLimitMiddleware
from tollway.admission.gatehouse import Gatehouse
from tollway.admission.leases import RateLimiter
from tollway.admission.middleware import AdmissionMiddleware, ProductPaths
from tollway.admission.patterns import Patterns
from tollway.keys.entities import checksum
from tollway.kit.db import Database
from tollway.plans.entities import SubscriptionStatus

MEGABYTE = 1_000_000


@pytest.fixture
async def party(product: Database, present: datetime) -> Party:
    return await make_party(product, present)


async def test_what_is_open_needs_no_key(client: httpx.AsyncClient, log_rows: Any) -> None:
    assert (await client.get("/health")).json() == {"status": "healthy"}
    assert await log_rows() == []


def well_formed(prefix: str) -> str:
    """A key that we could have issued and did not; always the same, because it names a test."""
    body = prefix + "NobodyEverIssuedThisOne000"
    return body + checksum(body)


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        (None, "api-key-missing"),
        ("", "api-key-missing"),
        ("Basic dXNlcjpwYXNz", "api-key-missing"),
        ("Bearer ", "api-key-missing"),
        ("Bearer nonsense", "api-key-malformed"),
        ("Bearer mc_test_tooshort", "api-key-malformed"),
        ("Bearer mc_live_" + "0" * 32, "api-key-malformed"),
        ("Bearer " + "x" * 5000, "api-key-malformed"),
        ("Bearer " + well_formed("mc_test_"), "api-key-unknown"),
        ("Bearer " + well_formed("mc_live_"), "api-key-unknown"),
    ],
)
@pytest.mark.parametrize("path", ["/things", "/nowhere", "/models"])
async def test_a_stranger_is_a_401(
    client: httpx.AsyncClient, log_rows: Any, path: str, authorization: str | None, code: str
) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    refused = await client.post(path, json={"name": "a"}, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (401, code)
    assert refused.headers["WWW-Authenticate"] == 'Bearer realm="tollway"'
    assert refused.headers["Content-Type"] == "application/problem+json"
    if authorization and len(authorization) > 15:
        assert authorization[7:] not in refused.text, "what was sent is never told back"
    assert await log_rows() == [], "nobody is known to log it for"


async def test_a_mistyped_key_is_told_apart_from_an_unknown_one(
    client: httpx.AsyncClient, party: Party
) -> None:
    secret = party.secret
    swapped = secret[:20] + secret[21] + secret[20] + secret[22:]
    if swapped == secret:
        swapped = secret[:20] + ("0" if secret[20] != "0" else "1") + secret[21:]
    refused = await client.get("/things", headers={"Authorization": f"Bearer {swapped}"})
    assert refused.json()["code"] == "api-key-malformed"


async def test_a_stranger_is_answered_before_the_body_is_read(client: httpx.AsyncClient) -> None:
    read = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal read
        for _ in range(100):
            read += 1
            yield b"x" * 10_000

    refused = await client.post("/models", content=body())
    assert refused.status_code == 401
    assert read == 0


async def test_a_revoked_key_is_refused_on_the_next_call(
    client: httpx.AsyncClient, product: Database, party: Party
) -> None:
    assert (await client.get("/things", headers=party.headers)).status_code == 200
    async with product.transaction() as tx:
        await tx.execute("UPDATE api_keys SET status = 'revoked'")
    assert (await client.get("/things", headers=party.headers)).status_code == 401


async def test_a_database_that_is_gone_is_a_503_never_a_pass(
    client: httpx.AsyncClient, product: Database, party: Party
) -> None:
    await product.close()
    refused = await client.get("/things", headers=party.headers)
    assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
    assert refused.headers["Retry-After"] == "5"


async def test_paths_that_only_look_alike_do_not_slip_past(client: httpx.AsyncClient) -> None:
    for path in ("http://localhost/monte-carlo-api/things/", "http://localhost/monte-carlo-api//things",
                 "http://localhost/monte-carlo-api/health/../things", "http://localhost/monte-carlo-api/%74hings",
                 "http://localhost/monte-carlo-api/health/"):  # fmt: skip
        assert (await client.get(path)).status_code in {401, 404}, path
    for path in ("http://localhost//monte-carlo-api/things", "http://localhost/Monte-Carlo-Api/things"):
        assert (await client.get(path)).status_code == 404, path


async def test_a_line_break_behind_a_path_makes_no_call_free(
    client: httpx.AsyncClient, party: Party, log_rows: Any
) -> None:
    """Routers let one pass at the end of a pattern, so what a call costs must not depend on it."""
    answer = await client.post("/checks%0A", json={"name": "a"}, headers=party.headers)
    assert answer.status_code == 200
    assert [(row["endpoint"], row["units"]) for row in await log_rows()] == [(f"{PREFIX}/checks", 1)]


async def test_long_paths_and_user_agents_are_not_remembered(
    client: httpx.AsyncClient, party: Party, gatehouse: Gatehouse, log_rows: Any
) -> None:
    """Ten thousand of them would be gigabytes, and strangers may send the paths."""
    patterns = Patterns(["/things"])
    assert patterns.find("/" + "x" * 10_000) == patterns.find("/" + "y" * 10_000) == "(no such endpoint)"
    assert patterns.remembered_count == 0
    await client.get("/things", headers=party.headers | {"User-Agent": "long " * 2_000})
    assert max((len(agent) for _, _, _, agent, _ in gatehouse.letterheads), default=0) <= 500
    assert (await log_rows())[0]["user_agent"] == ("long " * 100)[:500]


async def test_headers_that_are_padded_are_not_remembered(
    client: httpx.AsyncClient, party: Party, gatehouse: Gatehouse
) -> None:
    """Nor those of strangers: what is kept of each key that works is short."""
    padded = {"Authorization": f"Bearer {' ' * 5_000}{party.secret}"}
    assert (await client.get("/things", headers=padded)).status_code == 200
    stranger = {"Authorization": f"Bearer {well_formed('mc_test_')}"}
    assert (await client.get("/things", headers=stranger)).status_code == 401
    assert gatehouse.digests == {}
    assert (await client.get("/things", headers=party.headers)).status_code == 200
    assert [len(header) < 100 for header in gatehouse.digests] == [True]


async def test_an_address_that_no_database_holds_is_refused_and_logged(
    client: httpx.AsyncClient, party: Party, log_rows: Any
) -> None:
    refused = await client.get("/nowhere/%00", headers=party.headers)
    assert refused.status_code == 404
    assert len(await log_rows()) == 1


# Uploads --------------------------------------------------------------------------------------------


async def test_a_file_within_the_plan_is_taken(client: httpx.AsyncClient, party: Party, figures: Any) -> None:
    taken = await client.post("/models", files={"file": b"x" * 10 * MEGABYTE}, headers=party.headers)
    assert taken.json() == {"bytes": 10 * MEGABYTE}
    assert (await figures())[0] == 1


@pytest.mark.promise("X22")
async def test_a_file_larger_than_the_plan_is_refused_before_its_body_is_read(
    client: httpx.AsyncClient, party: Party, figures: Any, log_rows: Any
) -> None:
    read = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal read
        for _ in range(11):
            read += 1
            yield b"x" * MEGABYTE

    headers = party.headers | {
        "Content-Length": str(11 * MEGABYTE),
        "Content-Type": "multipart/form-data; boundary=x",
    }
    refused = await client.post("/models", content=body(), headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (413, "too-large")
    assert refused.json()["limit_bytes"] == 10 * MEGABYTE
    assert "Free trial" in refused.json()["message"]
    assert read == 0
    assert (await figures())[0] == 0
    assert [(row["status_code"], row["problem_code"], row["units"]) for row in await log_rows()] == [
        (413, "too-large", 0)
    ]


@pytest.mark.promise("X22")
async def test_a_file_that_does_not_tell_its_size_is_cut_at_the_plans_limit(
    client: httpx.AsyncClient, party: Party, figures: Any, log_rows: Any
) -> None:
    read = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal read
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.xlsx"\r\n\r\n'
        for _ in range(100):
            read += 1
            yield b"x" * MEGABYTE
        yield b"\r\n--x--\r\n"

    headers = party.headers | {"Content-Type": "multipart/form-data; boundary=x"}
    refused = await client.post("/models", content=body(), headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (413, "too-large"), refused.text
    assert read <= 12, "it was not read to its end"
    assert (await figures())[0] == 0
    assert [(row["status_code"], row["problem_code"]) for row in await log_rows()] == [(413, "too-large")]


@pytest.mark.promise("X1")
async def test_a_larger_plan_takes_a_larger_file(
    client: httpx.AsyncClient, product: Database, present: datetime
) -> None:
    party = await make_party(product, present, tier="professional", status=SubscriptionStatus.ACTIVE)
    taken = await client.post("/models", files={"file": b"x" * 11 * MEGABYTE}, headers=party.headers)
    assert taken.json() == {"bytes": 11 * MEGABYTE}


# Addresses ------------------------------------------------------------------------------------------


@pytest.mark.promise("C15", "X11")
async def test_an_address_may_send_so_many_requests_a_minute(
    connect: Any, party: Party, log_rows: Any
) -> None:
    async with connect(address_limit=10) as client:
        statuses = [(await client.get("/health")).status_code for _ in range(10)]
        refused = await client.get("/things", headers=party.headers)
        if refused.status_code == 200:
            # Six seconds had gone by, and one more came in.
            refused = await client.get("/things", headers=party.headers)
    assert set(statuses) == {200}
    assert (refused.status_code, refused.json()["code"]) == (429, "address-limit-reached")
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert refused.json()["limit_value"] == 10


async def test_one_network_counts_as_one_address() -> None:
    """An IPv6 customer holds 2**64 addresses, and would otherwise have as many allowances."""
    served: list[str] = []

    async def app(scope: Any, _receive: Any, _send: Any) -> None:
        served.append(scope["client_address"])

    limited = AddressLimitMiddleware(app, RateLimiter(None), 3, "/docs")
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def ask(address: str) -> None:
        scope = {"type": "http", "path": "/x", "method": "GET", "headers": [], "client_address": address}
        await limited(scope, None, send)  # type: ignore[arg-type]

    for last in range(8):
        await ask(f"2001:db8:1:2::{last + 1:x}")
    await ask("2001:db8:1:3::1")
    await ask("198.51.100.1")
    await ask("198.51.100.2")
    # A fourth may have come in meanwhile: three a minute are one in twenty seconds.
    assert 3 <= len([one for one in served if one.startswith("2001:db8:1:2:")]) <= 4
    assert served[-3:] == ["2001:db8:1:3::1", "198.51.100.1", "198.51.100.2"]


async def test_addresses_do_not_share_an_allowance(connect: Any) -> None:
    async with connect("203.0.113.1", address_limit=3) as first:
        statuses = {(await first.get("/health")).status_code for _ in range(10)}
    assert 429 in statuses
    async with connect("203.0.113.2", address_limit=3) as second:
        assert (await second.get("/health")).status_code == 200


# On record -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/things", "/things/file", "/nowhere", "/breaks"])
async def test_a_call_is_on_record_before_its_last_byte(
    gatehouse: Gatehouse, party: Party, path: str
) -> None:
    app = build(gatehouse)
    await gatehouse.open()
    records = []

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body" and not message.get("more_body"):
            records.append(gatehouse.journal.sequence)

    async def receive() -> Any:
        # The client stays connected and sends nothing.
        await asyncio.Event().wait()

    scope = {
        "type": "http", "method": "GET", "path": PREFIX + path, "raw_path": (PREFIX + path).encode(),
        "query_string": b"", "root_path": "", "http_version": "1.1", "scheme": "http",
        "headers": [(b"authorization", party.headers["Authorization"].encode())],
        "client": ("203.0.113.9", 50000), "server": ("localhost", 80),
    }  # fmt: skip
    before = gatehouse.journal.sequence
    with contextlib.suppress(RuntimeError):
        # What breaks is raised once more for the server's own log.
        await app(scope, receive, send)
    assert len(records) == 1
    assert records[0] > before


async def test_an_answer_that_is_broken_off_is_on_record(
    gatehouse: Gatehouse, party: Party, log_rows: Any
) -> None:
    async def broken(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"a", "more_body": True})
        raise ConnectionResetError

    paths = ProductPaths("montecarlo", PREFIX)
    app = AdmissionMiddleware(broken, gatehouse, (paths,), "/docs", Patterns([f"{PREFIX}/things"]))
    scope = {
        "type": "http", "method": "GET", "path": f"{PREFIX}/things", "client": ("203.0.113.9", 50000),
        "headers": [(b"authorization", party.headers["Authorization"].encode())],
    }  # fmt: skip

    async def nothing(*_: Any) -> Any:
        return {}

    with pytest.raises(ConnectionResetError):
        await app(scope, nothing, nothing)
    assert [(row["endpoint"], row["status_code"]) for row in await log_rows()] == [(f"{PREFIX}/things", 200)]


async def test_what_cannot_be_written_down_is_not_served(
    product: Database, party: Party, small_disk: Path
) -> None:
    """And where there is room again, calls are served again, without anybody's help."""
    stopper = small_disk / "stopper"
    stopper.write_bytes(b"x" * 960_000)
    gatehouse = Gatehouse(product, small_disk / "journal", RateLimiter(None), segment_records=1_000)
    app = build(gatehouse, address_limit=10_000)
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost" + PREFIX) as client:
        refused = await client.post("/checks", json={"name": "a"}, headers=party.headers)
        assert (refused.status_code, refused.json()["code"]) == (503, "usage-journal-full")
        assert refused.headers["Retry-After"] == "1"
        async with product.transaction() as tx:
            assert await tx.find_value("SELECT count(*) FROM usage_sources WHERE ended_at IS NULL") == 0
        stopper.unlink()
        assert (await client.post("/checks", json={"name": "a"}, headers=party.headers)).status_code == 200
        # It fills up again, this time while a journal is open.
        stopper.write_bytes(b"x" * 800_000)
        statuses = [(await client.get("/things", headers=party.headers)).status_code for _ in range(1_000)]
        assert 503 in statuses
        assert statuses == sorted(statuses), "once it is full it stays so"
        stopper.unlink()
        assert (await client.get("/things", headers=party.headers)).status_code == 200
        await gatehouse.close()
        await gatehouse.ship()
    async with product.transaction() as tx:
        served = await tx.find_value("SELECT count(*) FROM api_usage_logs WHERE status_code = 200")
    assert served == statuses.count(200) + 2
