"""Health tells the truth, in words that its readers expect, and never hangs."""

import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import httpx
import psycopg
import pytest
from pydantic import SecretStr
from tests.conftest import Postgres
from tests.dask_processes import running_dask
from tests.parties import make_party
from tests.redis import running_redis

from tollway.app import Parts, build_app, open_parts
from tollway.kit.clock import read_now
from tollway.kit.jobs import enqueue_job
from tollway.monitoring.entities import CHECK_SECONDS_MAX
from tollway.settings import Settings

CHECKS = {"database", "redis", "dask", "memory", "journal", "shipper", "queue", "disk"}
DETAILED = "/monitoring/health/detailed"
METRICS = "/monitoring/metrics"


@contextmanager
def frozen(postgres: Postgres) -> Iterator[None]:
    """Stop PostgreSQL in the middle of whatever it does: connections stay open, and nothing is answered."""
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as connection:
        backends = [
            row[0]
            for row in connection.execute("SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
        ]
        (postmaster,) = connection.execute(
            "SELECT (regexp_split_to_array(pg_read_file('postmaster.pid'), E'\\n'))[1]::int"
        ).fetchone() or (0,)
    stopped = []
    try:
        for pid in (postmaster, *backends):
            try:
                os.kill(pid, signal.SIGSTOP)
            except ProcessLookupError:
                continue
            stopped.append(pid)
        yield
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)


@asynccontextmanager
async def served(
    parts: Parts, address: str = "127.0.0.1", **settings: Any
) -> AsyncIterator[httpx.AsyncClient]:
    """The application with other settings, asked from an address."""
    configured = type(parts.settings).model_validate(parts.settings.model_dump() | settings)
    parts.settings = configured
    transport = httpx.ASGITransport(app=build_app(parts), raise_app_exceptions=False, client=(address, 50000))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client


# Health ---------------------------------------------------------------------------------------------


@pytest.mark.promise("C9", "X21")
async def test_health_names_each_part(client: httpx.AsyncClient) -> None:
    answer = await client.get("/monitoring/health")
    assert answer.status_code == 200
    told = answer.json()
    assert set(told) == {"status", "timestamp", "uptime", "services"}
    assert told["status"] == "healthy"
    assert told["services"] == {"database": "connected", "redis": "disabled", "dask": "disabled"}
    assert told["timestamp"].endswith("Z")
    assert len(told["timestamp"]) == len("2026-06-15T12:00:00.000Z")


@pytest.mark.promise("X21")
async def test_health_is_503_when_the_database_is_gone(client: httpx.AsyncClient, parts: Parts) -> None:
    await parts.database.close()
    for path in ("/monitoring/health", "/health", "/readyz", DETAILED):
        answer = await client.get(path)
        assert answer.status_code == 503, path
    answer = await client.get("/monitoring/health")
    assert answer.json()["services"] == {"database": "disconnected", "redis": "disabled", "dask": "disabled"}
    assert (await client.get("/livez")).status_code == 200
    answer = await client.get(METRICS)
    assert (answer.status_code, answer.json()["code"]) == (503, "no-measurement")


@pytest.mark.promise("X21")
async def test_a_database_that_hangs_is_503_and_hangs_nobody(
    client: httpx.AsyncClient, postgres: Postgres
) -> None:
    assert (await client.get("/monitoring/health")).status_code == 200
    with frozen(postgres):
        began = monotonic()
        for path in ("/monitoring/health", "/health", "/readyz", DETAILED):
            assert (await client.get(path)).status_code == 503, path
        assert (await client.get("/livez")).status_code == 200
        assert monotonic() - began < 4 * (CHECK_SECONDS_MAX + 1)
    assert (await client.get("/monitoring/health")).status_code == 200
    assert (await client.get("/readyz")).json() == {"status": "ready"}


async def test_short_health_names_the_version(client: httpx.AsyncClient) -> None:
    answer = await client.get("/health")
    assert answer.status_code == 200
    assert answer.json() | {"timestamp": ""} == {"status": "healthy", "timestamp": "", "version": "1.0.0"}


async def test_whoever_stops_is_alive_and_not_ready(client: httpx.AsyncClient, parts: Parts) -> None:
    assert (await client.get("/readyz")).status_code == 200
    parts.stopping.set()
    answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()) == (503, {"status": "stopping"})
    assert (await client.get("/livez")).json() == {"status": "alive"}


async def test_health_of_each_part_has_what_was_measured(client: httpx.AsyncClient) -> None:
    answer = await client.get(DETAILED)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert set(told) == {"status", "timestamp", "checks"}
    assert set(told["checks"]) == CHECKS
    assert told["checks"]["redis"]["status"] == "disabled"
    assert told["checks"]["dask"]["status"] == "disabled"
    for name in CHECKS - {"redis", "dask"}:
        check = told["checks"][name]
        assert check["status"] == "healthy", name
        assert check["value"] >= 0, name
        assert check["limit"] > 0, name


async def test_a_job_that_nobody_takes_is_bad_health(client: httpx.AsyncClient, parts: Parts) -> None:
    async with parts.database.transaction() as tx:
        await enqueue_job(tx, "simulation.summarise", {})
        await tx.execute("UPDATE pgqueuer SET execute_after = now() - interval '1 hour'")
    answer = await client.get(DETAILED)
    assert (answer.status_code, answer.json()["status"]) == (503, "unhealthy")
    check = answer.json()["checks"]["queue"]
    assert check["status"] == "unhealthy"
    assert 3_590 < check["value"] < 3_700


async def test_every_answer_has_a_request_id_and_safe_headers(client: httpx.AsyncClient) -> None:
    answer = await client.get("/no-such-page", headers={"X-Trace-ID": "trace-12345678"})
    assert answer.status_code == 404
    assert answer.headers["X-Trace-ID"] == "trace-12345678"
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["request_id"] == "trace-12345678"
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert "Server" not in answer.headers


@pytest.mark.promise("X21")
async def test_a_redis_that_is_configured_is_told(settings: Settings) -> None:
    with running_redis() as redis:
        parts = await open_parts(settings.model_copy(update={"redis_url": SecretStr(redis.url)}))
        try:
            async with served(parts) as client:
                answer = await client.get("/monitoring/health")
                assert (answer.status_code, answer.json()["services"]["redis"]) == (200, "connected")
                check = (await client.get(DETAILED)).json()["checks"]["redis"]
                assert check["status"] == "healthy"
                assert check["value"] > 0
                redis.kill()
                for path in ("/monitoring/health", "/health", DETAILED):
                    assert (await client.get(path)).status_code == 503, path
                answer = await client.get("/monitoring/health")
                assert answer.json()["services"]["redis"] == "disconnected"
                assert answer.json()["services"]["database"] == "connected"
                # Without Redis pages are served as before.
                assert (await client.get("/readyz")).status_code == 200
                redis.start()
                deadline = monotonic() + 20
                while (await client.get("/monitoring/health")).status_code != 200:
                    assert monotonic() < deadline, "the Redis that came back is not seen"
        finally:
            await parts.close()


@pytest.mark.promise("X21")
async def test_a_dask_scheduler_that_is_configured_is_told(settings: Settings, tmp_path: Path) -> None:
    async with running_dask(tmp_path) as dask:
        parts = await open_parts(settings.model_copy(update={"dask_scheduler": dask.address}))
        try:
            async with served(parts) as client:
                answer = await client.get("/monitoring/health")
                assert (answer.status_code, answer.json()["services"]["dask"]) == (503, "disconnected")
                assert (await client.get(DETAILED)).json()["checks"]["dask"]["status"] == "unhealthy"
                # Without it runs wait, and everything else is served as before.
                assert (await client.get("/readyz")).status_code == 200
                dask.start_scheduler()
                await dask.wait_for(set())
                answer = await client.get("/monitoring/health")
                assert (answer.status_code, answer.json()["services"]["dask"]) == (200, "connected")
        finally:
            await parts.close()


# Who may read ---------------------------------------------------------------------------------------

TOKEN = "a token that Prometheus sends, of 32 or more"
GUARDED = (METRICS, f"{METRICS}/json", DETAILED)


async def test_without_a_token_neighbours_alone_may_read(parts: Parts) -> None:
    for address, networks, status in (
        ("127.0.0.1", "", 200),
        ("::1", "", 200),
        ("198.51.100.7", "", 403),
        ("10.1.2.3", "10.0.0.0/8", 200),
        ("11.1.2.3", "10.0.0.0/8", 403),
    ):
        async with served(parts, address, metrics_networks=networks) as client:
            for path in GUARDED:
                answer = await client.get(path)
                assert answer.status_code == status, (path, address, answer.text)
                assert status == 200 or answer.json()["code"] == "metrics-not-open"


async def test_what_a_stranger_among_proxies_passes_on_is_refused(client: httpx.AsyncClient) -> None:
    for header in ("X-Forwarded-For", "Forwarded", "X-Real-IP"):
        answer = await client.get(METRICS, headers={header: "127.0.0.1"})
        assert (answer.status_code, answer.json()["code"]) == (403, "metrics-not-open"), header


async def test_a_trusted_proxys_word_decides(parts: Parts) -> None:
    async with served(parts, trusted_proxies="127.0.0.0/8", metrics_networks="10.0.0.0/8") as client:
        assert (await client.get(METRICS, headers={"X-Forwarded-For": "10.1.2.3"})).status_code == 200
        assert (await client.get(METRICS, headers={"X-Forwarded-For": "198.51.100.7"})).status_code == 403


async def test_with_a_token_the_token_decides(parts: Parts) -> None:
    for address in ("127.0.0.1", "198.51.100.7"):
        async with served(parts, address, metrics_token=TOKEN) as client:
            for path in GUARDED:
                for authorization in ("", TOKEN, "Bearer", "Bearer wrong", f"Basic {TOKEN}", "Bearer wörng"):
                    answer = await client.get(path, headers={"Authorization": authorization.encode()})
                    assert (answer.status_code, answer.json()["code"]) == (401, "metrics-token-refused")
                    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
                answer = await client.get(path, headers={"Authorization": f"Bearer {TOKEN}"})
                assert answer.status_code == 200


@pytest.mark.promise("C15")
async def test_metrics_can_be_turned_off(parts: Parts) -> None:
    async with served(parts, enable_metrics="false", metrics_token=TOKEN) as client:
        for path in GUARDED:
            answer = await client.get(path, headers={"Authorization": f"Bearer {TOKEN}"})
            assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
        assert (await client.get("/monitoring/health")).status_code == 200


async def test_those_who_watch_come_over_http_where_customers_come_over_https(parts: Parts) -> None:
    async with served(parts, gateway_url="https://tollway.example") as client:
        for path in ("/monitoring/health", "/health", "/livez", "/readyz", *GUARDED):
            assert (await client.get(path)).status_code == 200, path
        assert (await client.get("/api/admin/usage/summary")).status_code == 403


async def test_calls_that_wait_in_a_journal_are_told_with_their_age(
    client: httpx.AsyncClient, parts: Parts
) -> None:
    party = await make_party(parts.database, read_now())
    assert (await client.get("/monte-carlo-api/models", headers=party.headers)).status_code == 200
    check = (await client.get(DETAILED)).json()["checks"]["journal"]
    assert check["status"] == "healthy"
    assert 0 < check["value"] < 60
    await parts.gatehouse.ship()
    check = (await client.get(DETAILED)).json()["checks"]["journal"]
    assert (check["value"], check["says"]) == (0, "0 records of this machine wait to be taken over.")
