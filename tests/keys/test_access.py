"""The six states of a key, and what each lets a call do: every cell, written down a second time by hand."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.customers.entities import CustomerState, Mode
from tollway.keys.entities import (
    ACCESS,
    ApiKey,
    ApiKeyStatus,
    CallKind,
    KeyState,
    state_of,
)
from tollway.plans.entities import EntitlementState

NOW = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)
KEY = ApiKey(
    id=1,
    customer_id=1,
    key_id="mc_live_abcdefgh",
    name="A key",
    status=ApiKeyStatus.ACTIVE,
    rate_limit_tier="starter",
    product="montecarlo",
    mode=Mode.LIVE,
    last_four="wxyz",
    last_used_at=None,
    expires_at=None,
    created_at=NOW - timedelta(days=10),
    scopes=["read"],  # type: ignore[arg-type]
    allowed_networks=[],  # type: ignore[arg-type]
    requests_per_minute_max=None,
    successor_key_id=None,
    rotated_at=None,
    grace_until=None,
    suspended_reason="",
    revoked_at=None,
)
ACTIVE, SUSPENDED = CustomerState.ACTIVE, CustomerState.SUSPENDED

# Status of the answer, 200 where the call is let through; columns as of CallKind.
TABLE = {
    #                 test read, write; live read, write; pay; revoke-self
    "pending_payment": (200, 200, 402, 402, 200, 200),
    "active":          (200, 200, 200, 200, 200, 200),
    "past_due":        (200, 200, 200, 200, 200, 200),
    "suspended":       (403, 403, 403, 403, 403, 200),
    "cancelled":       (200, 402, 200, 402, 200, 200),
    "deleted":         (401, 401, 401, 401, 401, 401),
}  # fmt: skip


@pytest.mark.promise("B8", "X9")
def test_every_cell_of_the_access_matrix() -> None:
    kinds = ("test_read", "test_write", "live_read", "live_write", "pay", "revoke_self")
    assert kinds == tuple(CallKind)
    assert set(TABLE) == set(KeyState)
    for state, statuses in TABLE.items():
        for kind, status in zip(kinds, statuses, strict=True):
            problem = ACCESS[KeyState(state)][CallKind(kind)]
            assert (problem.status if problem else 200) == status, (state, kind)


@pytest.mark.promise("B8", "X9")
@pytest.mark.parametrize(
    ("changed", "entitlement", "customer", "state"),
    [
        ({}, EntitlementState.ACTIVE, ACTIVE, "active"),
        ({}, EntitlementState.PENDING_PAYMENT, ACTIVE, "pending_payment"),
        ({}, EntitlementState.PAST_DUE, ACTIVE, "past_due"),
        ({}, EntitlementState.CANCELLED, ACTIVE, "cancelled"),
        ({}, None, ACTIVE, "cancelled"),
        ({"status": "suspended"}, EntitlementState.ACTIVE, ACTIVE, "suspended"),
        ({"status": "suspended"}, EntitlementState.CANCELLED, ACTIVE, "suspended"),
        ({}, EntitlementState.ACTIVE, SUSPENDED, "suspended"),
        ({}, EntitlementState.ACTIVE, CustomerState.DEACTIVATED, "suspended"),
        ({}, EntitlementState.ACTIVE, CustomerState.ERASED, "deleted"),
        ({"status": "revoked"}, EntitlementState.ACTIVE, ACTIVE, "deleted"),
        ({"status": "revoked"}, EntitlementState.ACTIVE, SUSPENDED, "deleted"),
        ({"status": "deleted"}, EntitlementState.ACTIVE, ACTIVE, "deleted"),
        ({"expires_at": NOW}, EntitlementState.ACTIVE, ACTIVE, "deleted"),
        ({"expires_at": NOW + timedelta(seconds=1)}, EntitlementState.ACTIVE, ACTIVE, "active"),
        ({"grace_until": NOW}, EntitlementState.ACTIVE, ACTIVE, "deleted"),
        ({"grace_until": NOW + timedelta(seconds=1)}, EntitlementState.ACTIVE, ACTIVE, "active"),
    ],
)
def test_every_state_is_computed(
    changed: dict[str, Any], entitlement: EntitlementState | None, customer: CustomerState, state: str
) -> None:
    assert state_of(replace(KEY, **changed), entitlement, customer, NOW) == state


@pytest.mark.promise("B41")
@given(st.integers(0, 720 * 3_600_000_000), st.integers(-10_000_000_000, 721 * 3_600_000_000))
def test_a_rotated_key_works_strictly_before_its_overlap_ends(overlap_us: int, later_us: int) -> None:
    overlap, later = timedelta(microseconds=overlap_us), timedelta(microseconds=later_us)
    rotated = replace(KEY, grace_until=NOW + overlap, rotated_at=NOW, successor_key_id="mc_live_other")
    state = state_of(rotated, EntitlementState.ACTIVE, ACTIVE, NOW + later)
    assert (state is KeyState.ACTIVE) == (later < overlap)
    assert rotated.in_overlap(NOW + later) == (later < overlap)


@given(
    st.sampled_from(list(ApiKeyStatus)),
    st.none() | st.timedeltas(timedelta(days=-9), timedelta(days=9)),
    st.none() | st.timedeltas(timedelta(days=-9), timedelta(days=9)),
    st.none() | st.sampled_from(list(EntitlementState)),
    st.sampled_from(list(CustomerState)),
)
def test_whatever_is_over_or_stopped_does_nothing(
    status: ApiKeyStatus,
    expires: timedelta | None,
    grace: timedelta | None,
    entitlement: EntitlementState | None,
    customer: CustomerState,
) -> None:
    key = replace(
        KEY,
        status=status,
        expires_at=None if expires is None else NOW + expires,
        grace_until=None if grace is None else NOW + grace,
    )
    state = state_of(key, entitlement, customer, NOW)
    works = status is ApiKeyStatus.ACTIVE and customer is ACTIVE
    in_time = all(end is None or end > timedelta(0) for end in (expires, grace))
    assert (state not in (KeyState.DELETED, KeyState.SUSPENDED)) == (works and in_time)


@pytest.mark.parametrize(
    ("networks", "address", "taken"),
    [
        ((), "203.0.113.7", True),
        (("203.0.113.7/32",), "203.0.113.7", True),
        (("203.0.113.7/32",), "203.0.113.8", False),
        (("10.0.0.0/8", "203.0.113.0/24"), "203.0.113.200", True),
        (("2001:db8::/32",), "2001:db8:1::5", True),
        (("2001:db8::/32",), "2001:db9::1", False),
        (("2001:db8::/32",), "203.0.113.7", False),
        (("0.0.0.0/0",), "2001:db8::1", False),
    ],
)
def test_an_allow_list_takes_its_own_networks_alone(
    networks: tuple[str, ...], address: str, taken: bool
) -> None:
    assert replace(KEY, allowed_networks=networks).takes_calls_from(address) is taken
