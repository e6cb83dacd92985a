"""The plans on sale and what a customer holds, over HTTP; and the free trial, which they may start."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field

from tollway.customers import operations as customers
from tollway.customers.callers import Caller
from tollway.customers.entities import AddressNotVerified
from tollway.customers.guard import Needs
from tollway.customers.permissions import Permission
from tollway.kit.http import ReplayingRoute, database_of
from tollway.kit.openapi import problem_responses
from tollway.kit.problems import NotFound
from tollway.plans import operations
from tollway.plans.changes import ChangeKind, ChangeOpen, ChangeStatus, FreeTrialHad, SubscriptionChange
from tollway.plans.entities import (
    FREE_TRIAL_TIER,
    PRODUCTS,
    Entitlement,
    Feature,
    Limits,
    Overage,
    Plan,
    PlanUnknown,
    Product,
    RuleKind,
    SubscriptionStatus,
)

router = APIRouter(route_class=ReplayingRoute, tags=["Plans"])

Viewing = Annotated[Caller, Depends(Needs(Permission.BILLING_VIEW))]
Paying = Annotated[Caller, Depends(Needs(Permission.BILLING_MANAGE))]
ProductChoice = Annotated[
    Product | None, Query(description="Which product. Left out: that of the key, or montecarlo.")
]


def product_asked_for(caller: Caller, asked: Product | None) -> Product:
    """Return the product that is meant: what was asked for, else that of the key, else what everybody signs up for."""
    return asked or Product(caller.product or Product.MONTECARLO)


class LimitsOut(BaseModel):
    """How much of each thing is allowed; 0: none of it, null: without a bound."""

    requests_per_month: int | None
    requests_per_day: int | None
    requests_per_minute: int | None
    iterations_per_run: int
    file_bytes: int
    runs_at_once: int
    workbook_days: int
    result_days: int
    agents: int
    api_keys: int


class PlanOut(BaseModel):
    """One plan on sale."""

    product: Product
    tier: str
    version: int
    name: str
    description: str
    price: int | None = Field(description="Cents a month; null: by arrangement.")
    currency: str
    limits: LimitsOut
    overage: Overage
    overage_rate: str = Field(description="A request beyond the included ones, as a decimal number.")
    premium_rate: str | None = Field(description="A request by the premium route, as a decimal number.")
    features: list[str] = Field(description="For people.")
    gates: list[Feature] = Field(description="For programs.")
    support: str
    support_response_hours: int
    uptime_sla: str | None = Field(description="Percent.")
    stripe_price_id: str | None = Field(description="Null while the plan is not sold through Stripe.")


class ChangeOut(BaseModel):
    """A change of the subscription that waits."""

    id: str
    kind: ChangeKind
    status: ChangeStatus
    effective_at: datetime | None = Field(description="Null while it waits for a payment.")


class RuleOut(BaseModel):
    """One rule that gave a limit."""

    kind: RuleKind
    reference: str = Field(description="A version of a plan, or the id of a grant or an override.")
    amount: int | None


class ExplainedOut(BaseModel):
    """A limit that is not the plan's alone, with the rules that gave it."""

    limit: str
    amount: int | None
    rules: list[RuleOut]


class SubscriptionOut(BaseModel):
    """What you hold of one product, and what it allows now."""

    id: str
    product: Product
    tier: str
    status: SubscriptionStatus
    current_period_start: datetime
    current_period_end: datetime
    cancel_at_period_end: bool
    spending_cap: str | None = Field(
        description="What you let a period cost above the plan, in its currency; null: no cap."
    )
    limits: LimitsOut
    features: list[Feature]
    change: ChangeOut | None
    explained: list[ExplainedOut]


class TrialStatus(BaseModel):
    """How the free trial stands."""

    has_subscription: bool
    is_trial: bool
    trial_active: bool
    trial_expired: bool
    days_remaining: int
    trial_start: datetime | None
    trial_end: datetime | None
    current_tier: str | None


class TrialOut(BaseModel):
    """The free trial of whoever asks."""

    success: bool
    user_id: str | None = Field(description="Null where a key asks, which is nobody in particular.")
    trial_status: TrialStatus


class TrialUsage(BaseModel):
    """What was used of the requests of the period under way."""

    requests_used: int
    requests_included: int | None = Field(description="Null: without a bound.")
    period_start: datetime
    period_end: datetime


class TrialLimitsOut(BaseModel):
    """What the free trial, or the plan held instead of it, allows now."""

    success: bool
    user_id: str | None = Field(description="Null where a key asks, which is nobody in particular.")
    current_tier: str
    limits: LimitsOut
    usage: TrialUsage


@router.get("/api/billing/plans", summary="List the plans on sale")
async def list_plans(
    request: Request,
    product: Annotated[Product | None, Query(description="Only this one's; leave out for all.")] = None,
) -> list[PlanOut]:
    """List every plan that anyone may choose, with its price, limits and features. Needs no key."""
    async with database_of(request).transaction() as tx:
        return [
            _plan_out(plan)
            for name in ([product] if product else PRODUCTS)
            for plan in await operations.list_plans(tx, name)
        ]


@router.get(
    "/api/billing/subscription", summary="Read your subscription", responses=problem_responses(NotFound)
)
async def get_subscription(
    request: Request, caller: Viewing, product: ProductChoice = None
) -> SubscriptionOut:
    """Read which plan you hold of a product, until when, and what it allows now."""
    meant = product_asked_for(caller, product)
    async with database_of(request).transaction() as tx:
        held = await operations.get_entitlement(tx, caller.owner_id, meant, request.scope["received_at"])
        change = await operations.find_open_change(tx, held)
    return SubscriptionOut(
        id=held.subscription.public_id,
        product=meant,
        tier=held.plan.tier,
        status=held.subscription.status,
        current_period_start=held.period_start,
        current_period_end=held.period_end,
        cancel_at_period_end=change is not None and change.kind is ChangeKind.CANCEL,
        spending_cap=None if held.subscription.spending_cap is None else str(held.subscription.spending_cap),
        limits=limits_out(held.requests_included, held.limits),
        features=sorted(held.features),
        change=None if change is None else _change_out(change),
        explained=_explained_out(held),
    )


@router.get("/trial/status", summary="Read how your free trial stands")
async def get_trial_status(request: Request, caller: Viewing, product: ProductChoice = None) -> TrialOut:
    """Read whether you have a free trial of a product, and how many days are left of it."""
    now, meant = request.scope["received_at"], product_asked_for(caller, product)
    async with database_of(request).transaction() as tx:
        held = await operations.find_entitlement(tx, caller.owner_id, meant, now)
    return _trial_out(caller, held, now)


@router.post(
    "/trial/start",
    summary="Start your free trial",
    responses=problem_responses(AddressNotVerified, PlanUnknown, FreeTrialHad, ChangeOpen),
)
async def start_trial(request: Request, caller: Paying, product: ProductChoice = None) -> TrialOut:
    """Start the free trial of a product. One that runs goes on as it was: starting it again changes nothing."""
    now, meant = request.scope["received_at"], product_asked_for(caller, product)
    async with database_of(request).transaction() as tx:
        held = await operations.find_entitlement(tx, caller.owner_id, meant, now)
        if not _runs(held, now):
            # The free trial of whoever signs up on a page begins when they verify.
            customer = await customers.get_customer(tx, caller.owner_id)
            if not (await customers.get_user(tx, customer.user_id)).verified:
                raise AddressNotVerified("Verify your address first: the free trial begins when you do.")
            await operations.request_change(
                tx,
                caller.owner_id,
                meant,
                FREE_TRIAL_TIER,
                caller.actor,
                now,
                address=caller.address,
                free_trial_days=request.app.state.settings.free_trial_days,
            )
            held = await operations.get_entitlement(tx, caller.owner_id, meant, now)
    return _trial_out(caller, held, now)


@router.get(
    "/trial/limits", summary="Read what your free trial allows", responses=problem_responses(NotFound)
)
async def get_trial_limits(
    request: Request, caller: Viewing, product: ProductChoice = None
) -> TrialLimitsOut:
    """Read the limits of your free trial, or of the plan that you hold instead, and what you used of them."""
    now, meant = request.scope["received_at"], product_asked_for(caller, product)
    async with database_of(request).transaction() as tx:
        held = await operations.get_entitlement(tx, caller.owner_id, meant, now)
        quota = await operations.get_quota(tx, held, caller.mode, now)
    return TrialLimitsOut(
        success=True,
        user_id=caller.user.public_id if caller.user else None,
        current_tier=held.plan.tier,
        limits=limits_out(held.requests_included, held.limits),
        usage=TrialUsage(
            requests_used=quota.requests_used,
            requests_included=quota.requests_included,
            period_start=held.period_start,
            period_end=held.period_end,
        ),
    )


def _trial_out(caller: Caller, held: Entitlement | None, now: datetime) -> TrialOut:
    user_id = caller.user.public_id if caller.user else None
    return TrialOut(success=True, user_id=user_id, trial_status=_trial_status(held, now))


def _runs(held: Entitlement | None, now: datetime) -> bool:
    return held is not None and not held.read_only and held.free_trial_days_remaining(now) is not None


def _trial_status(held: Entitlement | None, now: datetime) -> TrialStatus:
    days = None if held is None else held.free_trial_days_remaining(now)
    subscription = None if held is None else held.subscription
    end = None if subscription is None else subscription.trial_end
    return TrialStatus(
        has_subscription=held is not None,
        is_trial=days is not None or (held is not None and held.plan.tier == FREE_TRIAL_TIER),
        trial_active=days is not None and end is not None and now < end,
        trial_expired=days is not None and end is not None and end <= now,
        days_remaining=days or 0,
        trial_start=subscription.created_at if subscription is not None and end is not None else None,
        trial_end=end,
        current_tier=held.plan.tier if held is not None else None,
    )


def _plan_out(plan: Plan) -> PlanOut:
    return PlanOut(
        product=Product(plan.product),
        tier=plan.tier,
        version=plan.version,
        name=plan.name,
        description=plan.description,
        price=plan.price_minor,
        currency=plan.currency,
        limits=limits_out(plan.requests_included, plan.limits),
        overage=plan.overage,
        overage_rate=str(plan.overage_rate),
        premium_rate=None if plan.premium_rate is None else str(plan.premium_rate),
        features=list(plan.features),
        gates=sorted(plan.gates),
        support=plan.support,
        support_response_hours=plan.support_response_hours,
        uptime_sla=None if plan.uptime_sla is None else str(plan.uptime_sla),
        stripe_price_id=None,
    )


def limits_out(requests_included: int | None, limits: Limits) -> LimitsOut:
    """Lay limits out for whoever reads what a plan, or a customer, may do."""
    return LimitsOut(
        requests_per_month=requests_included,
        requests_per_day=limits.requests_per_day_max,
        requests_per_minute=limits.requests_per_minute_max,
        iterations_per_run=limits.iterations_max,
        file_bytes=limits.file_bytes_max,
        runs_at_once=limits.runs_at_once_max,
        workbook_days=limits.workbook_days,
        result_days=limits.result_days,
        agents=limits.agents_max,
        api_keys=limits.api_keys_max,
    )


def _explained_out(held: Entitlement) -> list[ExplainedOut]:
    return [
        ExplainedOut(
            limit=one.subject,
            amount=one.amount,
            rules=[
                RuleOut(kind=rule.kind, reference=rule.reference, amount=rule.amount) for rule in one.rules
            ],
        )
        for one in held.explained
        if any(rule.kind is not RuleKind.PLAN for rule in one.rules)
    ]


def _change_out(change: SubscriptionChange) -> ChangeOut:
    return ChangeOut(
        id=change.public_id, kind=change.kind, status=change.status, effective_at=change.effective_at
    )
