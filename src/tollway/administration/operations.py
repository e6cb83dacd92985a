"""What administrators read: customers, keys and users over the whole installation."""

from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from tollway.administration import store
from tollway.administration.entities import (
    PAGE_MAX,
    PER_PAGE,
    PER_PAGE_MAX,
    REASON_LENGTH_MAX,
    SEARCH_LENGTH_MAX,
    TEXT_PATTERN,
    Asked,
    BillingStatus,
    Counts,
    CustomerRow,
    KeyRow,
    ListedCustomer,
    NumberedPage,
    PlanVersionRow,
    QuotaRow,
    TicketRow,
    UserRow,
)
from tollway.customers import member_operations as members
from tollway.customers import operations as customers
from tollway.customers.callers import UserSession
from tollway.customers.entities import Customer, Member, Membership, Mode
from tollway.customers.permissions import UserType
from tollway.keys.entities import ApiKeyStatus
from tollway.kit import jobs
from tollway.kit.db import Transaction
from tollway.kit.problems import FieldError, Invalid, NotFound
from tollway.metering import operations as metering
from tollway.metering.entities import DayTotal, RecentCall
from tollway.plans import operations as plans
from tollway.plans.entities import Adjustment, Entitlement, normal_tier

__all__ = [
    "PAGE_MAX",
    "PER_PAGE",
    "PER_PAGE_MAX",
    "REASON_LENGTH_MAX",
    "SEARCH_LENGTH_MAX",
    "TEXT_PATTERN",
    "Asked",
    "BillingStatus",
    "Counts",
    "CustomerDetail",
    "CustomerRow",
    "KeyRow",
    "ListedCustomer",
    "NumberedPage",
    "UserDetail",
    "UserRow",
]

Choice = TypeVar("Choice", BillingStatus, ApiKeyStatus, UserType)

# What one page shows of each thing that may be many.
KEYS_SHOWN_MAX = 100
TICKETS_SHOWN_MAX = 20
CALLS_SHOWN_MAX = 20
DAYS_SHOWN = 30
NEWEST_SHOWN = 8
PLAN_VERSIONS_SHOWN_MAX = 200


@dataclass(frozen=True, slots=True)
class CustomerDetail:
    """Everything that an administrator sees of one customer."""

    listed: ListedCustomer
    customer: Customer
    members: list[Member]
    keys: list[KeyRow]
    entitlements: list[Entitlement]
    quotas: list[QuotaRow]
    tickets: list[TicketRow]
    adjustments: list[Adjustment]
    days: list[DayTotal]
    recent_calls: list[RecentCall]

    @property
    def row(self) -> CustomerRow:
        """The customer as lists show it."""
        return self.listed.row


@dataclass(frozen=True, slots=True)
class UserDetail:
    """Everything that an administrator sees of one person."""

    row: UserRow
    memberships: list[Membership]
    sessions: list[UserSession]


async def list_customers(
    tx: Transaction, asked: Asked, now: datetime, *, tier: str = "", status: str = ""
) -> NumberedPage[ListedCustomer]:
    """List customers, the newest first: all, or those that a search, a tier and a status leave.

    Args:
        tier: of any subscription that runs; empty for all.
        status: one of `BillingStatus`; empty for all.

    Raises: Invalid with pointer /tier or /status.
    """
    if len(tier) > SEARCH_LENGTH_MAX:
        raise _unknown("/tier", "There is no such plan.")
    chosen = _one_of(BillingStatus, status, "/status")
    tier = normal_tier(tier)
    total = await store.count_customers(tx, asked, tier or None, chosen, now)
    rows = await store.list_customers(tx, asked, tier or None, chosen, now)
    items = [await _with_included(tx, row, now) for row in rows]
    return NumberedPage(items, asked.page, asked.per_page, total)


async def get_customer_detail(tx: Transaction, customer_id: str, now: datetime) -> CustomerDetail:
    """Return everything about one customer; raises NotFound."""
    row = await store.find_customer_row(tx, customer_id, now)
    if row is None:
        raise NotFound("There is no such customer.")
    mode = Mode.LIVE if await _has_live_use(tx, row.id, now) else Mode.TEST
    return CustomerDetail(
        listed=await _with_included(tx, row, now),
        customer=await customers.get_customer(tx, row.id),
        members=await members.list_members(tx, row.id),
        keys=await store.list_keys_of(tx, row.id, KEYS_SHOWN_MAX),
        entitlements=await plans.list_held(tx, row.id, now),
        quotas=await store.list_quotas(tx, row.id, now),
        tickets=await store.list_tickets(tx, row.id, TICKETS_SHOWN_MAX),
        adjustments=await plans.list_adjustments(tx, row.id),
        days=await metering.list_day_totals(tx, row.id, mode, DAYS_SHOWN, now),
        recent_calls=await metering.list_recent_calls(tx, row.id, mode, CALLS_SHOWN_MAX),
    )


async def list_keys(tx: Transaction, asked: Asked, *, status: str = "") -> NumberedPage[KeyRow]:
    """List API keys of all customers, the newest first; raises Invalid with pointer /status."""
    chosen = _one_of(ApiKeyStatus, status, "/status")
    total = await store.count_keys(tx, asked, chosen)
    return NumberedPage(await store.list_keys(tx, asked, chosen), asked.page, asked.per_page, total)


async def get_key(tx: Transaction, key_id: str) -> KeyRow:
    """Return an API key by its public part; raises NotFound."""
    row = await store.find_key(tx, key_id)
    if row is None:
        raise NotFound("There is no such API key.")
    return row


async def list_users(tx: Transaction, asked: Asked, *, user_type: str = "") -> NumberedPage[UserRow]:
    """List people, the newest first; raises Invalid with pointer /user_type."""
    chosen = _one_of(UserType, user_type, "/user_type")
    total = await store.count_users(tx, asked, chosen)
    return NumberedPage(await store.list_users(tx, asked, chosen), asked.page, asked.per_page, total)


async def get_user_detail(tx: Transaction, user_id: str, now: datetime) -> UserDetail:
    """Return everything about one person; raises NotFound."""
    row = await store.find_user_row(tx, user_id)
    if row is None:
        raise NotFound("There is no such user.")
    return UserDetail(
        row,
        await members.list_memberships(tx, row.id),
        await customers.list_sessions(tx, row.id, now),
    )


async def get_counts(tx: Transaction, now: datetime) -> Counts:
    """Count customers by where they stand, tickets that wait, and what failed lately."""
    by_status = await store.count_by_status(tx, now)
    queue = await jobs.get_queue_state(tx, now)
    return Counts(
        customers_by_status={BillingStatus(one["status"]): int(one["customers"]) for one in by_status},
        mrr_minor=sum(int(one["mrr_minor"]) for one in by_status),
        failed_jobs=queue.failed_count,
        waiting_jobs=queue.waiting_count,
        **await store.count_troubles(tx, now),
    )


async def list_newest_customers(tx: Transaction, now: datetime) -> list[CustomerRow]:
    """List the customers who came last."""
    return await store.list_customers(tx, Asked("", 1, NEWEST_SHOWN), None, None, now)


async def list_plan_versions(tx: Transaction) -> list[PlanVersionRow]:
    """List the versions of plans that are on sale or held, and how many subscriptions hold each."""
    return await store.list_plan_versions(tx, PLAN_VERSIONS_SHOWN_MAX)


async def _with_included(tx: Transaction, row: CustomerRow, now: datetime) -> ListedCustomer:
    entitlement = await plans.find_entitlement(tx, row.id, row.product, now) if row.product else None
    return ListedCustomer(row, entitlement.requests_included if entitlement else 0)


async def _has_live_use(tx: Transaction, customer_id: int, now: datetime) -> bool:
    return any(
        quota.mode is Mode.LIVE and quota.requests_used > 0
        for quota in await store.list_quotas(tx, customer_id, now)
    )


def _one_of(kind: type[Choice], written: str, pointer: str) -> Choice | None:
    """Read one of a few words; nothing leaves every one. Raises Invalid."""
    if not written:
        return None
    try:
        return kind(written)
    except ValueError as failure:
        raise _unknown(pointer, f"must be one of: {', '.join(kind)}") from failure


def _unknown(pointer: str, sentence: str) -> Invalid:
    return Invalid(sentence, errors=(FieldError(pointer, sentence),))
