"""HTTPS is enforced where customers come over it: pages are led there, calls are refused, keys are flagged."""

import ipaddress
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from tests.parties import make_party

from tollway.app import Parts, build_app, open_parts
from tollway.kit.clock import read_now
from tollway.kit.http import Edge
from tollway.settings import Settings

BASE = "https://tollway.example"
PROXY, STRANGER = "10.0.0.5", "203.0.113.9"
TOLD_HTTPS = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "198.51.100.7"}


@pytest.fixture
async def secure(settings: Settings) -> AsyncIterator[Parts]:
    """An installation at an https:// address, behind a proxy."""
    changed = settings.model_copy(
        update={"gateway_url": BASE, "trusted_proxies": (ipaddress.ip_network("10.0.0.0/8"),)}
    )
    opened = await open_parts(changed)
    yield opened
    await opened.close()


@asynccontextmanager
async def arriving(parts: Parts, peer: str, scheme: str = "http") -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=build_app(parts), raise_app_exceptions=False, client=(peer, 50000))
    async with httpx.AsyncClient(transport=transport, base_url=f"{scheme}://tollway.example") as client:
        yield client


@pytest.mark.promise("C36")
async def test_a_page_over_http_leads_to_https_with_its_query(secure: Parts) -> None:
    async with arriving(secure, STRANGER) as client:
        answer = await client.get("/signin?next=/runs&x=%C3%A9")
        assert answer.status_code == 308
        assert answer.headers["location"] == f"{BASE}/signin?next=/runs&x=%C3%A9"
        assert (await client.get("//evil.example/x")).headers["location"].startswith(f"{BASE}/")
        assert (await client.post("/signin", data={"email": "a@b.example"})).status_code == 403


@pytest.mark.promise("C36")
@pytest.mark.parametrize(
    "path", ["/monte-carlo-api/models", "/api/activity", "/auth/login", "/auth/profile", "/api/team"]
)
async def test_a_call_over_http_is_refused_and_never_redirected(secure: Parts, path: str) -> None:
    async with arriving(secure, STRANGER) as client:
        for method in ("GET", "POST"):
            answer = await client.request(method, path)
            assert answer.status_code == 403, answer.text
            assert answer.json()["code"] == "https-needed"
            assert "location" not in answer.headers


async def test_what_a_trusted_proxy_tells_is_believed_and_nobody_else(secure: Parts) -> None:
    async with arriving(secure, PROXY) as client:
        assert (await client.get("/signin", headers=TOLD_HTTPS)).status_code == 200
        appended = {"X-Forwarded-Proto": "https, http"}
        assert (await client.get("/auth/profile", headers=appended)).json()["code"] == "https-needed"
    async with arriving(secure, STRANGER) as client:
        answer = await client.get("/signin", headers=TOLD_HTTPS)
        assert answer.status_code == 403
        assert "TRUSTED_PROXIES" in answer.json()["detail"]
    async with arriving(secure, STRANGER, "https") as client:
        assert (await client.get("/signin")).status_code == 200


async def test_health_checks_stay_open_to_load_balancers(secure: Parts) -> None:
    async with arriving(secure, PROXY) as client:
        for path in ("/monitoring/health", "/monte-carlo-api/health"):
            assert (await client.get(path)).status_code == 200


@pytest.mark.promise("C36")
async def test_a_key_that_was_sent_in_clear_is_audited_and_mailed_once_a_day(secure: Parts) -> None:
    party = await make_party(secure.database, read_now())
    async with arriving(secure, STRANGER) as client:
        for _ in range(3):
            answer = await client.get("/monte-carlo-api/models", headers=party.headers)
            assert answer.status_code == 403
            assert party.secret not in answer.text
    async with secure.database.transaction() as tx:
        entries = await tx.list_rows(
            "SELECT subject FROM audit_entries WHERE action = 'api_key.sent_in_clear'"
        )
        mails = await tx.list_rows("SELECT text_body FROM outbox_mails WHERE template = 'key_in_clear'")
    assert [one["subject"] for one in entries] == [party.api_key.key_id]
    assert len(mails) == 1
    assert party.api_key.key_id in mails[0]["text_body"]
    assert party.secret not in mails[0]["text_body"]


async def test_a_development_server_at_http_is_left_alone(parts: Parts) -> None:
    async with arriving(parts, "127.0.0.1") as client:
        assert (await client.get("/signin")).status_code == 200
        assert (await client.get("/auth/profile")).status_code == 401


@pytest.mark.parametrize(
    ("scheme", "peer", "told", "secure"),
    [
        ("https", STRANGER, "", True),
        ("http", PROXY, "https", True),
        ("http", PROXY, "HTTPS", True),
        ("http", PROXY, "http", False),
        ("http", PROXY, "", False),
        ("http", PROXY, "https,http", False),
        ("http", STRANGER, "https", False),
        ("http", "a socket", "https", False),
    ],
)
def test_how_a_request_arrived(scheme: str, peer: str, told: str, secure: bool) -> None:
    edge = Edge(BASE, secure=True, trusted_proxies=(ipaddress.ip_network("10.0.0.0/8"),))
    assert edge.arrived_securely(scheme, peer, told) is secure
