"""What the administrators' API takes and answers (B23-B25): every amount of money is a decimal text."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from tollway.administration.entities import (
    MINOR_UNIT_DIGITS,
    REASON_LENGTH_MAX,
    TEXT_PATTERN,
    BillingStatus,
    KeyRow,
    ListedCustomer,
    NumberedPage,
    QuotaRow,
    TicketRow,
    UserRow,
)
from tollway.administration.operations import CustomerDetail
from tollway.customers.permissions import Role, UserType
from tollway.plans.entities import LIMIT_MAX, SUBJECTS, Adjustment, AdjustmentKind, Entitlement

NAMES_LENGTH_MAX = 50
ID_LENGTH_MAX = 100

Reason = Annotated[
    str,
    Field(
        min_length=1,
        max_length=REASON_LENGTH_MAX,
        pattern=TEXT_PATTERN,
        description="Why. It stands in the audit list; the customer reads it too.",
        examples=["Payment is disputed"],
    ),
]


class Pagination(BaseModel):
    """Which part of the list this is."""

    page: int
    per_page: int
    total: int
    pages: int


class CustomerItem(BaseModel):
    """One customer with its billing status."""

    id: str
    company_name: str
    billing_email: str
    user_type: UserType
    plan: str | None = Field(description="The tier of the main subscription; null without one.")
    subscription_status: str | None
    status: BillingStatus = Field(
        description="What keeps it from acting, else the status of the subscription."
    )
    requests_used: int = Field(
        description="In the period under way, of the mode (test or live) that used more."
    )
    requests_included: int | None = Field(description="Null: without a bound.")
    mrr: str = Field(description="What its active paid plans cost a month, in US dollars.")
    created_at: datetime


class CustomerList(BaseModel):
    """Some customers, newest first."""

    customers: list[CustomerItem]
    pagination: Pagination


class MemberItem(BaseModel):
    """One person of a customer."""

    id: str
    email: str
    name: str
    role: Role
    has_second_factor: bool
    last_sign_in_at: datetime | None


class KeyItem(BaseModel):
    """One API key; never the key itself."""

    key_id: str
    name: str
    product: str
    mode: str
    status: str
    scopes: list[str]
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None


class RuleItem(BaseModel):
    """One rule that gave a limit, or a part of it."""

    kind: str
    reference: str = Field(description="The version of a plan, or the id of a grant or override.")
    amount: int | None


class LimitItem(BaseModel):
    """One limit, and the rules that gave it."""

    subject: str
    amount: int | None = Field(description="Null: without a bound. For a feature 1 or 0.")
    rules: list[RuleItem]


class SubscriptionItem(BaseModel):
    """One product that the customer subscribed to, and what it allows now."""

    id: str
    product: str
    plan: str
    plan_version: int
    status: str
    state: str
    price: str | None = Field(description="A month, in US dollars; null: by arrangement.")
    requests_included: int | None
    current_period_start: datetime
    current_period_end: datetime
    trial_end: datetime | None
    limits: list[LimitItem]


class QuotaItem(BaseModel):
    """Requests of the period under way."""

    product: str
    mode: str
    requests_used: int
    requests_included: int | None
    period_start: datetime
    period_end: datetime


class TicketItem(BaseModel):
    """One support ticket."""

    id: str
    topic: str
    subject: str
    status: str
    created_at: datetime
    response_due_at: datetime
    responded_at: datetime | None


class AdjustmentItem(BaseModel):
    """What the customer was given beside its plan."""

    id: str
    kind: AdjustmentKind
    product: str
    subject: str
    amount: int | None
    starts_at: datetime
    ends_at: datetime | None
    ended_at: datetime | None
    reason: str
    created_by: str


class DayItem(BaseModel):
    """Calls of one day in UTC."""

    date: str
    succeeded: int
    limited: int
    failed: int


class CustomerDetailOut(CustomerItem):
    """Everything about one customer."""

    suspended_at: datetime | None
    suspended_reason: str
    members: list[MemberItem]
    keys: list[KeyItem]
    subscriptions: list[SubscriptionItem]
    quota: QuotaItem | None = Field(description="That of the main subscription, of the mode that used more.")
    quotas: list[QuotaItem]
    adjustments: list[AdjustmentItem]
    invoices: list[dict[str, Any]] = Field(description="Empty: no invoices are written yet.")
    tickets: list[TicketItem]
    recent_usage: list[DayItem]


class UserItem(BaseModel):
    """One person."""

    id: str
    email: str
    name: str
    user_type: UserType
    verified: bool
    disabled: bool
    has_second_factor: bool
    customers: int = Field(description="To how many customers they belong.")
    last_sign_in_at: datetime | None
    created_at: datetime


class UserList(BaseModel):
    """Some people, newest first."""

    users: list[UserItem]
    pagination: Pagination


class ReasonIn(BaseModel):
    """Why something is done."""

    model_config = ConfigDict(extra="forbid")

    reason: Reason


class UserTypeIn(BaseModel):
    """Another kind, and why."""

    model_config = ConfigDict(extra="forbid")

    user_type: UserType = Field(description="Any but super_admin, which the command line alone gives.")
    reason: Reason


class LimitIn(BaseModel):
    """A grant, which adds to what the plan gives, or an override, which stands in its place until a day."""

    model_config = ConfigDict(extra="forbid")

    kind: AdjustmentKind = AdjustmentKind.OVERRIDE
    product: str = Field("montecarlo", min_length=1, max_length=NAMES_LENGTH_MAX, pattern=TEXT_PATTERN)
    subject: str = Field(
        description="A limit, or `feature:NAME`.",
        examples=["requests_included"],
        json_schema_extra={"enum": list(SUBJECTS)},
    )
    amount: Annotated[int, Field(strict=True, ge=0, le=LIMIT_MAX)] | None = Field(
        description="Null lifts the bound where there may be none; 1 or 0 switches a feature."
    )
    ends_at: AwareDatetime | None = Field(None, description="An override needs it.")
    reason: Reason


class SuspendedOut(BaseModel):
    """The customer was suspended: its keys are refused from the next call on."""

    id: str
    status: str = Field(examples=["suspended"])
    keys_suspended: int


class ReactivatedOut(BaseModel):
    """The customer may work again."""

    id: str
    status: str = Field(examples=["active"])
    keys_reactivated: int


# From what was read to what is answered --------------------------------------------------------------


def customer_item(listed: ListedCustomer) -> dict[str, Any]:
    """Write a customer of a list."""
    row = listed.row
    return {
        "id": row.public_id,
        "company_name": row.company_name,
        "billing_email": row.billing_email,
        "user_type": row.user_type,
        "plan": row.plan,
        "subscription_status": row.subscription_status,
        "status": row.status,
        "requests_used": row.requests_used,
        "requests_included": listed.requests_included,
        "mrr": str(row.mrr),
        "created_at": row.created_at,
    }


def customer_detail(detail: CustomerDetail) -> CustomerDetailOut:
    """Write everything about a customer."""
    row = detail.row
    of_main = [quota for quota in detail.quotas if quota.product == row.product]
    fullest = max(of_main, key=lambda quota: quota.requests_used, default=None)
    return CustomerDetailOut(
        **customer_item(detail.listed),
        suspended_at=row.suspended_at,
        suspended_reason=row.suspended_reason,
        members=[
            MemberItem(
                id=one.user_public_id,
                email=one.email,
                name=one.name,
                role=one.role,
                has_second_factor=one.has_second_factor,
                last_sign_in_at=one.last_sign_in_at,
            )
            for one in detail.members
        ],
        keys=[key_item(one) for one in detail.keys],
        subscriptions=[subscription_item(one) for one in detail.entitlements],
        quota=quota_item(fullest) if fullest else None,
        quotas=[quota_item(one) for one in detail.quotas],
        adjustments=[adjustment_item(one) for one in detail.adjustments],
        invoices=[],
        tickets=[ticket_item(one) for one in detail.tickets],
        recent_usage=[
            DayItem(
                date=f"{one.day:%Y-%m-%d}", succeeded=one.succeeded, limited=one.limited, failed=one.failed
            )
            for one in detail.days
        ],
    )


def subscription_item(entitlement: Entitlement) -> SubscriptionItem:
    """Write a subscription and what it allows."""
    subscription, plan = entitlement.subscription, entitlement.plan
    price = plan.price_minor
    return SubscriptionItem(
        id=subscription.public_id,
        product=subscription.product,
        plan=plan.tier,
        plan_version=plan.version,
        status=subscription.status.value,
        state=entitlement.state.value,
        price=None if price is None else str(Decimal(price).scaleb(-MINOR_UNIT_DIGITS)),
        requests_included=entitlement.requests_included,
        current_period_start=entitlement.period_start,
        current_period_end=entitlement.period_end,
        trial_end=subscription.trial_end,
        limits=[
            LimitItem(
                subject=limit.subject,
                amount=limit.amount,
                rules=[
                    RuleItem(kind=rule.kind.value, reference=rule.reference, amount=rule.amount)
                    for rule in limit.rules
                ],
            )
            for limit in entitlement.explained
        ],
    )


def key_item(row: KeyRow) -> KeyItem:
    """Write an API key."""
    return KeyItem(
        key_id=row.key_id,
        name=row.name,
        product=row.product,
        mode=row.mode.value,
        status=row.status.value,
        scopes=row.scopes,
        created_at=row.created_at,
        last_used_at=row.last_used_at,
        expires_at=row.expires_at,
    )


def quota_item(row: QuotaRow) -> QuotaItem:
    """Write a quota."""
    return QuotaItem(
        product=row.product,
        mode=row.mode.value,
        requests_used=row.requests_used,
        requests_included=row.requests_included,
        period_start=row.period_start,
        period_end=row.period_end,
    )


def ticket_item(row: TicketRow) -> TicketItem:
    """Write a ticket."""
    return TicketItem(
        id=row.public_id,
        topic=row.topic,
        subject=row.subject,
        status=row.status,
        created_at=row.created_at,
        response_due_at=row.response_due_at,
        responded_at=row.responded_at,
    )


def adjustment_item(adjustment: Adjustment) -> AdjustmentItem:
    """Write a grant or an override."""
    return AdjustmentItem(
        id=adjustment.public_id,
        kind=adjustment.kind,
        product=adjustment.product,
        subject=adjustment.subject,
        amount=adjustment.amount,
        starts_at=adjustment.starts_at,
        ends_at=adjustment.ends_at,
        ended_at=adjustment.ended_at,
        reason=adjustment.reason,
        created_by=adjustment.created_by,
    )


def user_item(row: UserRow) -> UserItem:
    """Write a person."""
    return UserItem(
        id=row.public_id,
        email=row.email,
        name=row.name,
        user_type=row.user_type,
        verified=row.email_verified_at is not None,
        disabled=row.disabled_at is not None,
        has_second_factor=row.has_second_factor,
        customers=row.customer_count,
        last_sign_in_at=row.last_sign_in_at,
        created_at=row.created_at,
    )


def pagination(found: NumberedPage[Any]) -> Pagination:
    """Write which part of a list it is."""
    return Pagination(page=found.page, per_page=found.per_page, total=found.total, pages=found.pages)
