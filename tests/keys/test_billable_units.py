"""Nothing that test mode does can reach a bill: what billing reads counts live mode alone."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.firms import Firm

from tollway.customers.entities import Mode
from tollway.kit.db import Transaction
from tollway.metering import operations as metering
from tollway.metering.entities import QuotaUsedUp, UsageEvent
from tollway.plans import operations as plans

NOW = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)
PERIOD = (NOW - timedelta(days=62), NOW + timedelta(days=62))
CALLS = st.lists(
    st.tuples(
        st.sampled_from(list(Mode)),
        st.booleans(),  # from a page, with no key
        st.sampled_from(["served", "refused", "given back"]),
        st.integers(1, 3),
    ),
    max_size=12,
)


class _Undone(Exception):
    """Ends the transaction of one example without a trace."""


async def call(tx: Transaction, firm: Firm, mode: Mode, *, on_page: bool, ending: str, units: int) -> int:
    """Make one call as admission does; return what a bill may count of it."""
    entitlement = await plans.get_entitlement(tx, firm.customer.id, "montecarlo", NOW)
    quota = await plans.get_quota(tx, entitlement, mode, NOW)
    event: dict[str, Any] = {
        "customer_id": firm.customer.id,
        "api_key_id": None if on_page else firm.party.api_key.id,
        "product": "montecarlo",
        "mode": mode,
        "endpoint": "/monte-carlo-api/simulations/run",
        "method": "POST",
        "status_code": 201,
        "response_time_ms": 1,
        "credits_consumed": 1,
        "units": units,
        "request_timestamp": NOW,
        "ip_address": None,
        "user_agent": "",
        "request_id": "req_1",
    }
    if ending == "refused":
        await metering.record_usage(tx, UsageEvent(**event | {"units": 0, "status_code": 402}))
        return 0
    try:
        await metering.use_units(tx, quota, units, now=NOW)
    except QuotaUsedUp:
        return 0
    await metering.record_usage(tx, UsageEvent(**event))
    if ending == "given back":
        await metering.give_back(tx, quota.id, UsageEvent(**event | {"units": -units}))
        return 0
    return units if mode is Mode.LIVE else 0


@pytest.mark.promise("X11", "A15")
async def test_no_test_call_is_ever_billed(firm: Firm) -> None:
    examples: list[list[tuple[Mode, bool, str, int]]] = []

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(CALLS)
    def explore(calls: list[tuple[Mode, bool, str, int]]) -> None:
        examples.append(calls)

    explore()
    for calls in examples:
        try:
            async with firm.parts.database.transaction() as tx:
                owed = 0
                for mode, on_page, ending, units in calls:
                    owed += await call(tx, firm, mode, on_page=on_page, ending=ending, units=units)
                billed = await metering.billable_units(tx, firm.party.subscription.id, PERIOD)
                live = await tx.find_value(
                    "SELECT COALESCE(sum(units), 0)::int FROM api_usage_logs WHERE mode = 'live'"
                )
                assert billed == owed == live, calls
                raise _Undone
        except _Undone:
            continue
    assert len(examples) >= 40


@pytest.mark.promise("X11")
async def test_real_test_calls_leave_the_bill_empty(firm: Firm) -> None:
    for path in ("/monte-carlo-api/models", "/api/api-keys"):
        assert (await firm.client.get(path, headers=firm.headers)).status_code == 200
    workbook = {"file": ("a.xlsx", b"no workbook")}
    refused = await firm.client.post("/monte-carlo-api/models", files=workbook, headers=firm.headers)
    assert refused.status_code >= 400
    for _ in range(5):
        async with firm.parts.database.transaction() as tx:
            await call(tx, firm, Mode.TEST, on_page=False, ending="served", units=1)
    async with firm.parts.database.transaction() as tx:
        assert await tx.find_value("SELECT sum(requests_used)::int FROM usage_quotas") == 5
        assert await metering.billable_units(tx, firm.party.subscription.id, PERIOD) == 0
        assert await call(tx, firm, Mode.LIVE, on_page=False, ending="served", units=1) == 1
        assert await metering.billable_units(tx, firm.party.subscription.id, PERIOD) == 1


async def test_each_period_is_billed_by_itself(firm: Firm) -> None:
    async with firm.parts.database.transaction() as tx:
        await call(tx, firm, Mode.LIVE, on_page=True, ending="served", units=2)
        before = (PERIOD[0] - timedelta(days=62), PERIOD[0])
        assert await metering.billable_units(tx, firm.party.subscription.id, before) == 0
        assert await metering.billable_units(tx, firm.party.subscription.id, PERIOD) == 2
