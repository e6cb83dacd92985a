"""`/monitoring/health` tells the truth."""

import httpx
import pytest

from tollway.app import Parts


@pytest.mark.promise("C9", "X21")
async def test_health_names_each_part(client: httpx.AsyncClient) -> None:
    answer = await client.get("/monitoring/health")
    assert answer.status_code == 200
    assert answer.json()["status"] == "healthy"
    assert answer.json()["services"] == {"database": "connected", "redis": "disabled"}
    assert answer.json()["timestamp"].endswith("Z")


@pytest.mark.promise("X21")
async def test_health_is_503_when_the_database_is_gone(client: httpx.AsyncClient, parts: Parts) -> None:
    await parts.database.close()
    answer = await client.get("/monitoring/health")
    assert answer.status_code == 503
    assert answer.json()["services"]["database"] == "disconnected"


async def test_every_answer_has_a_request_id_and_safe_headers(client: httpx.AsyncClient) -> None:
    answer = await client.get("/no-such-page", headers={"X-Trace-ID": "trace-12345678"})
    assert answer.status_code == 404
    assert answer.headers["X-Trace-ID"] == "trace-12345678"
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["request_id"] == "trace-12345678"
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert "Server" not in answer.headers
