"""What administrators list and choose by: rows that span domains, and pages with totals."""

import enum
import re
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Generic, TypeVar

from tollway.customers.entities import CustomerState, Mode
from tollway.customers.permissions import UserType
from tollway.keys.entities import PREFIXES, ApiKeyStatus
from tollway.kit.problems import FieldError, Invalid

Item = TypeVar("Item")

PER_PAGE = 20
PER_PAGE_MAX = 100
# Whoever turns so many pages searches instead; the database counts past every row that it skips.
PAGE_MAX = 10_000
SEARCH_LENGTH_MAX = 254
REASON_LENGTH_MAX = 500
# PostgreSQL takes no NUL, and nobody means the other control characters.
TEXT_PATTERN = r"^[^\x00-\x1f\x7f]*$"
# The currency that the catalogue is written in.
CURRENCY = "USD"
MINOR_UNIT_DIGITS = 2


class BillingStatus(enum.StrEnum):
    """Where a customer stands: what keeps it from acting, else the status of its subscription."""

    PENDING_VERIFICATION = "pending_verification"
    PENDING_PAYMENT = "pending_payment"
    TRIALING = "trialing"
    ACTIVE = "active"
    PAST_DUE = "past_due"
    CANCELLED = "cancelled"
    SUSPENDED = "suspended"
    DEACTIVATED = "deactivated"
    ERASED = "erased"


@dataclass(frozen=True, slots=True)
class NumberedPage(Generic[Item]):
    """Some items, and how many there are in all."""

    items: list[Item]
    page: int
    per_page: int
    total: int

    @property
    def pages(self) -> int:
        """How many pages there are; an empty list has one."""
        return max(1, -(-self.total // self.per_page))


@dataclass(frozen=True, slots=True)
class Asked:
    """Which part of a list is asked for, found good."""

    search: str
    page: int
    per_page: int

    @classmethod
    def checked(cls, search: str, page: int, per_page: int) -> "Asked":
        """Read what was asked for; raises Invalid with pointers /search, /page, /per_page."""
        search = search.strip()
        faults = {
            "/search": ""
            if len(search) <= SEARCH_LENGTH_MAX and re.fullmatch(TEXT_PATTERN, search)
            else f"must have at most {SEARCH_LENGTH_MAX} characters, none of them a control character",
            "/page": "" if 1 <= page <= PAGE_MAX else f"must be from 1 to {PAGE_MAX:,}",
            "/per_page": "" if 1 <= per_page <= PER_PAGE_MAX else f"must be from 1 to {PER_PAGE_MAX}",
        }
        errors = tuple(FieldError(pointer, fault) for pointer, fault in faults.items() if fault)
        if errors:
            words = "; ".join(f"{one.pointer[1:]} {one.message}" for one in errors)
            raise Invalid(f"The list cannot be shown like that: {words}.", errors=errors)
        return cls(search, page, per_page)

    @property
    def skipped(self) -> int:
        """How many rows stand before the page."""
        return (self.page - 1) * self.per_page


@dataclass(frozen=True, slots=True)
class CustomerRow:
    """One customer with what tells how they stand; `product` and what follows is that of the main subscription."""

    id: int
    public_id: str
    company_name: str
    billing_email: str
    user_type: UserType
    created_at: datetime
    suspended_at: datetime | None
    suspended_reason: str
    deactivated_at: datetime | None
    erased_at: datetime | None
    status: BillingStatus
    product: str | None
    plan: str | None
    plan_name: str | None
    subscription_status: str | None
    requests_used: int
    mrr_minor: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "user_type", UserType(self.user_type))
        object.__setattr__(self, "status", BillingStatus(self.status))

    @property
    def state(self) -> CustomerState:
        """Whether the customer may act."""
        standing = {state.value for state in CustomerState} - {CustomerState.ACTIVE.value}
        return CustomerState(self.status.value) if self.status.value in standing else CustomerState.ACTIVE

    @property
    def mrr(self) -> Decimal:
        """What the customer pays a month."""
        return Decimal(self.mrr_minor).scaleb(-MINOR_UNIT_DIGITS)


@dataclass(frozen=True, slots=True)
class ListedCustomer:
    """A row together with how many requests its main subscription includes now."""

    row: CustomerRow
    requests_included: int | None


@dataclass(frozen=True, slots=True)
class KeyRow:
    """One API key and whose it is."""

    key_id: str
    name: str
    status: ApiKeyStatus
    suspended_reason: str
    product: str
    mode: Mode
    last_four: str
    scopes: list[str]
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None
    grace_until: datetime | None
    customer_id: int
    customer_public_id: str
    company_name: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "status", ApiKeyStatus(self.status))
        object.__setattr__(self, "mode", Mode(self.mode))

    @property
    def masked(self) -> str:
        """The key as it is shown: prefix and last four."""
        return f"{PREFIXES[self.product, self.mode]}…{self.last_four}"

    def standing(self, now: datetime) -> str:
        """Say in a word how it stands, as far as the key alone tells."""
        if self.status is ApiKeyStatus.ACTIVE and self.grace_until is not None and self.grace_until <= now:
            return "replaced"
        if self.status is ApiKeyStatus.ACTIVE and self.expires_at is not None and self.expires_at <= now:
            return "expired"
        return self.status.value


@dataclass(frozen=True, slots=True)
class UserRow:
    """One person, and how many customers they belong to."""

    id: int
    public_id: str
    email: str
    name: str
    user_type: UserType
    email_verified_at: datetime | None
    disabled_at: datetime | None
    erased_at: datetime | None
    has_second_factor: bool
    last_sign_in_at: datetime | None
    created_at: datetime
    customer_count: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "user_type", UserType(self.user_type))


@dataclass(frozen=True, slots=True)
class TicketRow:
    """One ticket of a customer, as the customer's page in the administration lists it."""

    public_id: str
    topic: str
    subject: str
    status: str
    created_at: datetime
    response_due_at: datetime
    responded_at: datetime | None


@dataclass(frozen=True, slots=True)
class QuotaRow:
    """Requests of the period under way, for one product and mode."""

    product: str
    mode: Mode
    period_start: datetime
    period_end: datetime
    requests_included: int | None
    requests_used: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "mode", Mode(self.mode))


@dataclass(frozen=True, slots=True)
class Counts:
    """What the first page of the administration counts."""

    customers_by_status: dict[BillingStatus, int]
    open_tickets: int
    overdue_tickets: int
    failed_jobs: int
    waiting_jobs: int
    runs_failed_last_day: int
    calls_failed_last_day: int
    mrr_minor: int

    @property
    def customer_count(self) -> int:
        """How many customers there are, those erased left out."""
        return sum(
            count for status, count in self.customers_by_status.items() if status is not BillingStatus.ERASED
        )

    @property
    def mrr(self) -> Decimal:
        """What all customers pay a month together."""
        return Decimal(self.mrr_minor).scaleb(-MINOR_UNIT_DIGITS)


@dataclass(frozen=True, slots=True)
class PlanVersionRow:
    """One version of a plan, and how many subscriptions hold it."""

    product: str
    tier: str
    version: int
    name: str
    created_at: datetime
    held_by: int
