"""Metrics say what the ledger says, in the text that Prometheus reads, with labels that nobody can add to."""

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample
from tests.metering.calls import RUN, log_call, log_refusal
from tests.parties import Party, make_party
from tests.rules.sources import ROOT
from tests.rules.test_guides import table_of

from tollway.app import Parts
from tollway.customers.entities import Mode
from tollway.kit.clock import read_now
from tollway.metering.entities import LATENCY_BOUNDS_MS
from tollway.monitoring.families import DESCRIBED, LEASE_REFUSALS
from tollway.plans.entities import SubscriptionStatus

METRICS = "/monitoring/metrics"
# Shapes of the specification: names, and the labels that it gives.
PROMISED = {
    "api_wallet_requests_total": {"method", "route", "status_code", "service"},
    "api_wallet_errors_total": {"type", "service", "error_code"},
    "api_wallet_key_usage_total": {"service", "tier", "user_id"},
    "api_wallet_request_duration_seconds": set(),
    "api_wallet_response_size_bytes": set(),
    "api_wallet_active_connections": set(),
    "api_wallet_active_keys": {"service", "tier"},
    "api_wallet_active_users": {"plan"},
    "api_wallet_quota_utilization_percent": set(),
}


@pytest.fixture
async def party(parts: Parts) -> Party:
    return await make_party(
        parts.database, read_now(), tier="professional", status=SubscriptionStatus.ACTIVE, mode=Mode.LIVE
    )


async def read(client: httpx.AsyncClient) -> list[Sample]:
    answer = await client.get(METRICS)
    assert answer.status_code == 200, answer.text
    return [one for family in text_string_to_metric_families(answer.text) for one in family.samples]


def value(samples: list[Sample], name: str, **labels: str) -> float:
    found = [one.value for one in samples if one.name == name and labels.items() <= one.labels.items()]
    assert found, f"no {name} with {labels}"
    return sum(found)


def test_every_promised_name_and_label_is_there() -> None:
    described = {one.name: one for one in DESCRIBED}
    assert set(PROMISED) <= set(described)
    assert {
        name: PROMISED[name] for name in PROMISED if not PROMISED[name] <= set(described[name].labels)
    } == {}


async def test_calls_are_counted_as_the_ledger_has_them(
    client: httpx.AsyncClient, parts: Parts, party: Party
) -> None:
    database, now, customer = parts.database, read_now(), party.customer_id
    for response_ms in (4, 40, 400):
        await log_call(
            database, customer, now, response_time_ms=response_ms, mode=Mode.LIVE, api_key_id=party.api_key.id
        )
    await log_refusal(database, customer, now)
    await log_call(database, customer, now, status_code=500, units=0)
    await log_call(database, customer, now, status_code=503, units=0, problem_code="rate-limits-unavailable")
    found = await read(client)
    created = {"method": "POST", "route": RUN, "status_code": "201", "service": "montecarlo"}
    assert value(found, "api_wallet_requests_total", **created) == 3
    assert value(found, "api_wallet_requests_total") == 6
    errors = {
        (one.labels["type"], one.labels["error_code"]): one.value
        for one in found
        if one.name == "api_wallet_errors_total"
    }
    assert errors == {
        ("limited", "quota-used-up"): 1,
        ("failed", "status-500"): 1,
        ("failed", "rate-limits-unavailable"): 1,
    }
    assert value(found, "api_wallet_lease_refusals_total", error_code="rate-limits-unavailable") == 1
    usage = [one for one in found if one.name == "api_wallet_key_usage_total"]
    assert [(one.labels["tier"], one.value) for one in usage] == [("professional", 3)]
    assert usage[0].labels["user_id"].startswith("cus_")
    assert value(found, "api_wallet_active_keys", service="montecarlo", tier="professional") == 1
    assert value(found, "api_wallet_active_users", plan="professional") == 1


async def test_durations_are_a_histogram_in_seconds(
    client: httpx.AsyncClient, parts: Parts, party: Party
) -> None:
    for response_ms in (1, 40, 400, 40_000):
        await log_call(parts.database, party.customer_id, read_now(), response_time_ms=response_ms)
    found = await read(client)
    name = "api_wallet_request_duration_seconds"
    buckets = [(one.labels["le"], one.value) for one in found if one.name == f"{name}_bucket"]
    assert [end for end, _ in buckets] == [*(str(bound / 1000) for bound in LATENCY_BOUNDS_MS), "+Inf"]
    assert [count for _, count in buckets] == sorted(count for _, count in buckets)
    assert dict(buckets)["0.05"] == 2
    assert (dict(buckets)["30.0"], dict(buckets)["+Inf"]) == (3, 4)
    assert value(found, f"{name}_count") == 4
    assert value(found, f"{name}_sum") == pytest.approx(40.441)


async def test_the_edge_counts_what_it_sends(client: httpx.AsyncClient) -> None:
    before = await read(client)
    page = await client.get("/api-pricing")
    after = await read(client)
    name = "api_wallet_response_size_bytes"
    # The page, and the metrics that were read first.
    assert value(after, f"{name}_count") == value(before, f"{name}_count") + 2
    assert value(after, f"{name}_sum") > value(before, f"{name}_sum") + len(page.content)
    assert value(after, "api_wallet_active_connections") == 1


async def test_journals_queues_and_processes_are_measured(
    client: httpx.AsyncClient, parts: Parts, party: Party
) -> None:
    assert (await client.get("/monte-carlo-api/models", headers=party.headers)).status_code == 200
    found = await read(client)
    assert value(found, "api_wallet_journal_waiting_records") > 0
    assert 0 < value(found, "api_wallet_journal_lag_seconds") < 60
    await parts.gatehouse.ship()
    found = await read(client)
    assert value(found, "api_wallet_journal_waiting_records") == 0
    assert value(found, "api_wallet_journal_lag_seconds") == 0
    assert value(found, "api_wallet_journal_records_total") > 0
    assert value(found, "api_wallet_journal_damaged_records_total") == 0
    assert value(found, "api_wallet_queue_age_seconds") >= 0
    assert value(found, "api_wallet_process_memory_bytes", role="server") > 10_000_000
    assert value(found, "api_wallet_process_cpu_seconds_total", role="server") > 0
    assert value(found, "api_wallet_processes", role="server") >= 1
    assert value(found, "api_wallet_disk_free_bytes") > 0
    assert value(found, "api_wallet_database_bytes") > 1_000_000


async def test_no_caller_can_make_a_label(client: httpx.AsyncClient, parts: Parts, party: Party) -> None:
    """Whatever paths and methods come, they are added up as one."""
    now = read_now()
    for number in range(30):
        await log_call(
            parts.database,
            party.customer_id,
            now,
            endpoint=f'/made-up/{number}"}} evil 1\n',
            method="GET" if number % 2 else f"M{number}",
            status_code=404,
            units=0,
        )
    found = [one for one in await read(client) if one.name == "api_wallet_requests_total"]
    assert {(one.labels["route"], one.labels["method"]): one.value for one in found} == {
        ("(other)", "(other)"): 15,
        ("(other)", "GET"): 15,
    }


async def test_the_busiest_customers_alone_are_named(client: httpx.AsyncClient, parts: Parts) -> None:
    async with parts.database.transaction() as tx:
        await tx.execute(
            """
            WITH made AS (
                INSERT INTO users (public_id, email, user_type, created_at, updated_at)
                SELECT 'usr_' || n, n || '@example.org', 'api_customer', now(), now() FROM generate_series(1, 130) n
                RETURNING id
            )
            INSERT INTO api_customers (public_id, user_id, company_name, billing_email, use_case, created_at,
                updated_at)
            SELECT 'cus_' || id, id, 'Example', id || '@example.org', 'Other', now(), now() FROM made
            """
        )
        await tx.execute(
            """
            INSERT INTO usage_days (day, customer_id, product, mode, api_key_id, method, endpoint, succeeded, limited,
                refused, failed, units, credits, response_ms, latencies)
            SELECT (now() AT TIME ZONE 'UTC')::date, id, 'montecarlo', 'live', 1, 'GET', '/x', id, 0, 0, 0, 0, 0, 0,
                '{0,0,0,0,0,0,0,0,0,0,0,0,0}' FROM api_customers
            """
        )
        least = await tx.find_value("SELECT id FROM api_customers ORDER BY id DESC OFFSET 99 LIMIT 1")
    found = [one for one in await read(client) if one.name == "api_wallet_key_usage_total"]
    assert len(found) == 100
    assert min(one.value for one in found) == least


async def test_json_tells_the_same(client: httpx.AsyncClient, parts: Parts, party: Party) -> None:
    await log_call(parts.database, party.customer_id, read_now())
    told = (await client.get(f"{METRICS}/json")).json()
    names = {one["name"] for one in told["metrics"]}
    assert names == {one.name for one in DESCRIBED}
    (requests,) = (one for one in told["metrics"] if one["name"] == "api_wallet_requests_total")
    assert requests["type"] == "counter"
    assert [one["value"] for one in requests["samples"]] == [1]


async def test_it_is_the_text_that_prometheus_reads(client: httpx.AsyncClient) -> None:
    answer = await client.get(METRICS)
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    lines = answer.text.splitlines()
    told = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    assert told == [one.name for one in DESCRIBED]


# The guide -------------------------------------------------------------------------------------------


def test_the_guide_lists_every_metric_as_it_is_told() -> None:
    rows = table_of("monitoring.md", "metric", "kind", "labels", "speaks for", "says")
    assert rows == [
        [
            f"`{one.name}`",
            one.kind,
            ", ".join(f"`{label}`" for label in one.labels),
            one.covers.value,
            one.says,
        ]
        for one in DESCRIBED
    ]


def test_codes_of_lease_refusals_are_codes() -> None:
    assert [code for code in LEASE_REFUSALS if not (ROOT / "docs" / "problems" / f"{code}.md").exists()] == []


async def test_labels_are_those_that_the_guide_names(
    client: httpx.AsyncClient, parts: Parts, party: Party
) -> None:
    await log_call(parts.database, party.customer_id, read_now(), api_key_id=party.api_key.id)
    await log_refusal(parts.database, party.customer_id, read_now())
    described = {one.name: set(one.labels) for one in DESCRIBED}
    for sample in await read(client):
        name = sample.name if sample.name in described else sample.name.rpartition("_")[0]
        assert set(sample.labels) - {"le"} == described[name], sample
