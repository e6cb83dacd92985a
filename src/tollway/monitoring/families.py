"""Every metric that Tollway tells, and how each is made of what was measured.

INVARIANT: labels are bounded (tests/monitoring/test_metrics.py::test_no_caller_can_make_a_label). Routes are mounted
patterns, services, tiers, statuses and error codes are ours, and the customers of one metric are the 100 busiest.
"""

import enum
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from prometheus_client import generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector, CollectorRegistry

from tollway.kit.counters import SIZE_BOUNDS_BYTES
from tollway.kit.http import METHODS
from tollway.metering.entities import LATENCY_BOUNDS_MS
from tollway.metering.platform_operations import LedgerTotal
from tollway.monitoring.flows import Measurement

OTHER = "(other)"
# Codes of calls that were refused because a budget could not be asked for, whatever was left of it.
LEASE_REFUSALS = frozenset({"rate-limits-unavailable", "unavailable"})
LIMITED = (402, 429)


class Covers(enum.StrEnum):
    """What one figure speaks for, whichever process tells it."""

    INSTALLATION = "the installation"
    MACHINE = "this machine"


@dataclass(frozen=True, slots=True)
class Described:
    """One metric: its name, its kind, its labels, what it covers, and what it says."""

    name: str
    kind: str
    labels: tuple[str, ...]
    covers: Covers
    says: str


_ALL, _HERE = Covers.INSTALLATION, Covers.MACHINE
DESCRIBED = (
    Described("api_wallet_requests_total", "counter", ("method", "route", "status_code", "service"), _ALL,
              "Calls since the beginning."),
    Described("api_wallet_errors_total", "counter", ("type", "service", "error_code"), _ALL,
              "Calls that did not succeed: limited (402, 429), refused (other 4xx) or failed (5xx)."),
    Described("api_wallet_key_usage_total", "counter", ("service", "tier", "user_id"), _ALL,
              "Calls with API keys in this month (UTC), of the 100 customers who made most; user_id is the "
              "customer's public id."),
    Described("api_wallet_request_duration_seconds", "histogram", ("method", "route", "service"), _ALL,
              "How long calls took, since the beginning."),
    Described("api_wallet_lease_refusals_total", "counter", ("service", "error_code"), _ALL,
              "Calls refused because nobody could be asked for budget (Redis or PostgreSQL gone), not for want of it."),
    Described("api_wallet_response_size_bytes", "histogram", (), _HERE,
              "Sizes of the bodies of all answers, pages included."),
    Described("api_wallet_active_connections", "gauge", (), _HERE,
              "Requests that are being answered, open event streams included."),
    Described("api_wallet_active_keys", "gauge", ("service", "tier"), _ALL, "API keys that can be used now."),
    Described("api_wallet_active_users", "gauge", ("plan",), _ALL,
              "Customers who called within 30 days, by their plan of the service that they called."),
    Described("api_wallet_quota_utilization_percent", "gauge", ("service", "tier"), _ALL,
              "How much of what the periods under way include is used, over all customers of a plan."),
    Described("api_wallet_journal_lag_seconds", "gauge", (), _HERE,
              "Age of the oldest call that the shipper has not taken over; 0 where none waits."),
    Described("api_wallet_journal_waiting_records", "gauge", (), _HERE,
              "Records in journals that the shipper has not taken over."),
    Described("api_wallet_journal_records_total", "counter", (), _ALL, "Records that were taken over."),
    Described("api_wallet_journal_damaged_records_total", "counter", (), _ALL,
              "Records that were found damaged and skipped, each of them logged."),
    Described("api_wallet_leased_units", "gauge", (), _ALL,
              "Requests that processes took from quotas in advance and have not yet accounted for."),
    Described("api_wallet_queue_age_seconds", "gauge", (), _ALL, "How long the job that is due longest has waited."),
    Described("api_wallet_queue_jobs", "gauge", ("status",), _ALL, "Background jobs that wait, and that failed."),
    Described("api_wallet_process_memory_bytes", "gauge", ("role",), _HERE,
              "Resident memory of the processes of a role, their children included."),
    Described("api_wallet_process_cpu_seconds_total", "counter", ("role", "number"), _HERE,
              "Processor time of each living process, its children included."),
    Described("api_wallet_processes", "gauge", ("role",), _HERE, "Living processes of a role."),
    Described("api_wallet_data_bytes", "gauge", (), _HERE, "Size of all files in the data folder."),
    Described("api_wallet_disk_free_bytes", "gauge", (), _HERE, "Room left on the disk of the data folder."),
    Described("api_wallet_database_bytes", "gauge", (), _ALL, "Size of the database."),
)  # fmt: skip
_BY_NAME = {one.name: one for one in DESCRIBED}


def families_of(measured: Measurement, routes: frozenset[str]) -> list[Metric]:
    """Make every metric, in the order of DESCRIBED.

    Args:
        routes: the patterns that are mounted; calls of anything else are added up as one.
    """
    made = [
        *_of_calls(measured.ledger.totals, routes),
        *_of_edges(measured),
        *_of_customers(measured),
        *_of_journals(measured),
        *_of_resources(measured),
    ]
    order = {one.name: place for place, one in enumerate(DESCRIBED)}
    return sorted(made, key=lambda one: order[name_of(one)])


def write_text(families: Iterable[Metric]) -> bytes:
    """Write metrics as Prometheus reads them (text format 0.0.4)."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Made(list(families)))
    return generate_latest(registry)


def name_of(family: Metric) -> str:
    """Return the whole name of a metric, which the library keeps without `_total`."""
    return f"{family.name}_total" if family.type == "counter" else family.name


class _Made(Collector):
    """Families that are there already."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> list[Metric]:
        return self._families


# Each group -----------------------------------------------------------------------------------------


def _of_calls(totals: Sequence[LedgerTotal], routes: frozenset[str]) -> list[Metric]:
    requests: dict[tuple[str, ...], int] = defaultdict(int)
    errors: dict[tuple[str, ...], int] = defaultdict(int)
    refusals: dict[tuple[str, ...], int] = defaultdict(int)
    durations: dict[tuple[str, ...], tuple[list[int], int]] = {}
    for one in totals:
        method = one.method if one.method in METHODS else OTHER
        route = one.endpoint if one.endpoint in routes else OTHER
        requests[method, route, str(one.status_code), one.product] += one.calls
        if one.status_code >= 400:
            code = one.problem_code or f"status-{one.status_code}"
            errors[_class_of(one.status_code), one.product, code] += one.calls
        if one.problem_code in LEASE_REFUSALS:
            refusals[one.product, one.problem_code] += one.calls
        counts, total_ms = durations.get(
            (method, route, one.product), ([0] * (len(LATENCY_BOUNDS_MS) + 1), 0)
        )
        summed = [mine + theirs for mine, theirs in zip(counts, one.latencies, strict=True)]
        durations[method, route, one.product] = (summed, total_ms + one.response_ms)
    return [
        _counter("api_wallet_requests_total", requests),
        _counter("api_wallet_errors_total", errors),
        _counter("api_wallet_lease_refusals_total", refusals),
        _histogram(
            "api_wallet_request_duration_seconds",
            [bound / 1000 for bound in LATENCY_BOUNDS_MS],
            {labels: (counts, total_ms / 1000) for labels, (counts, total_ms) in durations.items()},
        ),
    ]


def _of_edges(measured: Measurement) -> list[Metric]:
    counted = measured.machine.counted
    sizes = [sum(column) for column in zip(*(one.sizes for one in counted), strict=True)]
    none = [0] * (len(SIZE_BOUNDS_BYTES) + 1)
    return [
        _histogram(
            "api_wallet_response_size_bytes",
            SIZE_BOUNDS_BYTES,
            {(): (sizes or none, float(sum(one.sent_bytes for one in counted)))},
        ),
        _gauge("api_wallet_active_connections", {(): sum(one.active_count for one in counted)}),
    ]


def _of_customers(measured: Measurement) -> list[Metric]:
    ledger = measured.ledger
    return [
        _counter(
            "api_wallet_key_usage_total",
            {(one.product, one.plan, one.public_id): one.calls for one in ledger.key_calls},
        ),
        _gauge("api_wallet_active_keys", {(one.product, one.plan): one.keys for one in ledger.key_counts}),
        _gauge("api_wallet_active_users", {(one.plan,): one.customers for one in ledger.active_customers}),
        _gauge(
            "api_wallet_quota_utilization_percent",
            {(one.product, one.plan): round(one.percent, 3) for one in ledger.quota_use},
        ),
    ]


def _of_journals(measured: Measurement) -> list[Metric]:
    journal, queue = measured.ledger.journal, measured.queue
    return [
        _gauge("api_wallet_journal_lag_seconds", {(): round(measured.waiting.oldest_seconds, 3)}),
        _gauge("api_wallet_journal_waiting_records", {(): measured.waiting.records}),
        _counter("api_wallet_journal_records_total", {(): journal.records_shipped}),
        _counter("api_wallet_journal_damaged_records_total", {(): journal.records_damaged}),
        _gauge("api_wallet_leased_units", {(): journal.units_leased}),
        _gauge("api_wallet_queue_age_seconds", {(): queue.oldest_due_seconds}),
        _gauge("api_wallet_queue_jobs", {("waiting",): queue.waiting_count, ("failed",): queue.failed_count}),
    ]


def _of_resources(measured: Measurement) -> list[Metric]:
    machine = measured.machine
    memory: dict[tuple[str, ...], int] = defaultdict(int)
    living: dict[tuple[str, ...], int] = defaultdict(int)
    for one in machine.processes:
        memory[one.role,] += one.memory_bytes
        living[one.role,] += 1
    return [
        _gauge("api_wallet_process_memory_bytes", memory),
        _counter(
            "api_wallet_process_cpu_seconds_total",
            {(one.role, str(one.number)): round(one.cpu_seconds, 3) for one in machine.processes},
        ),
        _gauge("api_wallet_processes", living),
        _gauge("api_wallet_data_bytes", {(): machine.storage.files_bytes}),
        _gauge("api_wallet_disk_free_bytes", {(): machine.storage.free_bytes}),
        _gauge("api_wallet_database_bytes", {(): measured.ledger.database_bytes}),
    ]


# One family ------------------------------------------------------------------------------------------


def _counter(name: str, values: Mapping[Any, float]) -> Metric:
    family = CounterMetricFamily(name, _BY_NAME[name].says, labels=_BY_NAME[name].labels)
    for labels, value in sorted(values.items()):
        family.add_metric(labels, value)
    return family


def _gauge(name: str, values: Mapping[Any, float]) -> Metric:
    family = GaugeMetricFamily(name, _BY_NAME[name].says, labels=_BY_NAME[name].labels)
    for labels, value in sorted(values.items()):
        family.add_metric(labels, value)
    return family


def _histogram(
    name: str, bounds: Sequence[float], values: Mapping[Any, tuple[Sequence[int], float]]
) -> Metric:
    """Make a histogram of counts by bucket, the last of which is the rest."""
    family = HistogramMetricFamily(name, _BY_NAME[name].says, labels=_BY_NAME[name].labels)
    ends = [*(str(float(bound)) for bound in bounds), "+Inf"]
    for labels, (counts, total) in sorted(values.items()):
        family.add_metric(labels, list(zip(ends, accumulate(counts), strict=True)), total)
    return family


def _class_of(status: int) -> str:
    if status in LIMITED:
        return "limited"
    return "refused" if status < 500 else "failed"
