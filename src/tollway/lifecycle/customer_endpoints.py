"""Customers over HTTP: register, read, change, upgrade and close one (D2-D5, D9)."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from tollway.customers import details_operations
from tollway.customers import operations as customers
from tollway.customers.callers import Caller
from tollway.customers.details_operations import (
    ADDRESS_LINE_LENGTH_MAX,
    COUNTRY_PATTERN,
    POSTAL_CODE_LENGTH_MAX,
    TAX_ID_LENGTH_MAX,
    CompanyDetails,
)
from tollway.customers.entities import (
    COMPANY_LENGTH_MAX,
    EMAIL_LENGTH_MAX,
    AddressNotVerified,
    AddressTaken,
    CodeExpired,
    CodeUsedUp,
    CodeWrong,
    SignInAgain,
    TooManyAttempts,
    Visit,
)
from tollway.customers.guard import Needs
from tollway.customers.permissions import Permission
from tollway.kit.http import ReplayingRoute, client_address, database_of
from tollway.kit.idempotency import BadIdempotencyKey, IdempotencyKeyReused
from tollway.kit.openapi import IDEMPOTENCY_HEADER, problem_responses
from tollway.kit.problems import FieldError, Invalid, NotFound
from tollway.lifecycle import customer_flows
from tollway.lifecycle import customer_operations as operations
from tollway.lifecycle.customer_operations import CustomerSummary
from tollway.lifecycle.entities import LifecycleParts
from tollway.plans.changes import ChangeOpen, ChangeStatus, FreeTrialHad, PlanByArrangement, PlanHeld
from tollway.plans.entities import UNVERIFIED_REQUESTS_INCLUDED, PlanUnknown, Product, normal_tier

CUSTOMER_ID_LENGTH_MAX = 30
CODE_TEXT_LENGTH_MAX = 20

Tier = Literal["free", "starter", "professional", "pro", "enterprise"]
CustomerId = Annotated[
    str, Path(max_length=CUSTOMER_ID_LENGTH_MAX, description="The customer's id, or `me`.")
]

router = APIRouter(prefix="/api/customers", route_class=ReplayingRoute, tags=["Customers"])

Viewing = Annotated[Caller, Depends(Needs(Permission.VIEW))]
ViewingAny = Annotated[
    Caller, Depends(Needs(Permission.VIEW, or_administrative=Permission.ADMIN_CUSTOMERS_VIEW))
]
Managing = Annotated[Caller, Depends(Needs(Permission.CUSTOMER_MANAGE, verified=True))]
Proving = Annotated[Caller, Depends(Needs(Permission.CUSTOMER_MANAGE))]
Paying = Annotated[Caller, Depends(Needs(Permission.BILLING_MANAGE))]
Closing = Annotated[Caller, Depends(Needs(Permission.CUSTOMER_DEACTIVATE, proven=True))]


class RegistrationIn(BaseModel):
    """Who registers, and for which plan of agents."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=COMPANY_LENGTH_MAX, examples=["Example Ltd"])
    email: str = Field(max_length=EMAIL_LENGTH_MAX, examples=["ana@example.com"])
    subscription_tier: Tier = "starter"


class RegisteredOut(BaseModel):
    """A new customer with its first key."""

    api_key: str | None = Field(description="The secret; null in the answer to a repeated request.")
    key_id: str
    message: str
    customer_id: str
    checkout_url: str | None = Field(description="Where a paid plan is paid; until then the free one holds.")


class CodeIn(BaseModel):
    """The code of the newest mail."""

    model_config = ConfigDict(extra="forbid")

    code: str = Field(max_length=CODE_TEXT_LENGTH_MAX, examples=["042042"])


class CustomerOut(BaseModel):
    """A customer."""

    id: str
    name: str
    email: str = Field(description="Where mails about invoices go.")
    subscription_tier: str = Field(description="Of the plan for agents, or else of the first that is held.")
    max_agents: int
    max_requests_per_minute: int | None = Field(description="Null: without a bound of the plan's own.")
    total_api_calls: int = Field(description="Requests that counted, in all months and both modes.")
    is_active: bool
    created_at: datetime


class BillingAddressOut(BaseModel):
    """Where an invoice goes to."""

    line1: str
    line2: str
    postal_code: str
    city: str
    region: str
    country: str


class CompanyOut(CustomerOut):
    """A customer with what invoices need."""

    billing_email: str
    tax_id: str | None
    billing_address: BillingAddressOut | None


class BillingAddressIn(BaseModel):
    """Where an invoice goes to."""

    model_config = ConfigDict(extra="forbid")

    line1: str = Field(min_length=1, max_length=ADDRESS_LINE_LENGTH_MAX, examples=["1 High Street"])
    line2: str = Field("", max_length=ADDRESS_LINE_LENGTH_MAX)
    postal_code: str = Field("", max_length=POSTAL_CODE_LENGTH_MAX, examples=["AB1 2CD"])
    city: str = Field(min_length=1, max_length=ADDRESS_LINE_LENGTH_MAX, examples=["London"])
    region: str = Field("", max_length=ADDRESS_LINE_LENGTH_MAX)
    country: str = Field(pattern=COUNTRY_PATTERN, description="Two letters of ISO 3166-1.", examples=["GB"])


class CompanyIn(BaseModel):
    """What changes; what is left out stays as it is, and null takes away."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(
        default_factory=str, min_length=1, max_length=COMPANY_LENGTH_MAX, examples=["Example Ltd"]
    )
    billing_email: str = Field(
        default_factory=str, max_length=EMAIL_LENGTH_MAX, examples=["invoices@example.com"]
    )
    tax_id: str | None = Field(None, max_length=TAX_ID_LENGTH_MAX, examples=["GB 123 4567 89"])
    billing_address: BillingAddressIn | None = None


class UpgradeIn(BaseModel):
    """Which plan is wanted."""

    model_config = ConfigDict(extra="forbid")

    new_tier: Tier
    product: Product = Product.AGENTS


class UpgradeOut(CustomerOut):
    """The customer as it is now, and how far the change has come."""

    message: str
    product: Product
    new_tier: str
    status: ChangeStatus
    effective_at: datetime | None = Field(description="Null while it waits for a payment.")
    checkout_url: str | None


class Message(BaseModel):
    """What was done."""

    message: str


@router.post(
    "/register",
    status_code=201,
    summary="Register a customer",
    response_model=RegisteredOut,
    openapi_extra={"parameters": [IDEMPOTENCY_HEADER]},
    responses=problem_responses(
        BadIdempotencyKey, IdempotencyKeyReused, TooManyAttempts, PlanUnknown, PlanByArrangement
    ),
)
async def register(request: Request, body: RegistrationIn) -> Any:
    """Make a customer with a test key for agents, and mail a code that verifies the address. Needs no key.

    The answer is the same whether or not the address is known. A paid plan is held as the free one until it
    is paid at `checkout_url`.
    """
    return await customer_flows.register(
        database_of(request),
        _parts(request),
        name=body.name,
        email=body.email,
        tier=body.subscription_tier,
        requests_max=UNVERIFIED_REQUESTS_INCLUDED,
        visit=_visit(request),
        idempotency_key=request.headers.get("idempotency-key"),
    )


@router.get("/me", summary="Read your customer")
async def get_own_customer(request: Request, caller: Viewing) -> CustomerOut:
    """Read the customer that the key or the person who calls belongs to."""
    return await _read(request, caller, "me")


@router.put(
    "/me",
    summary="Change your company's details",
    responses=problem_responses(Invalid, AddressNotVerified),
)
async def change_company(request: Request, caller: Managing, body: CompanyIn) -> CompanyOut:
    """Change what stands on your invoices. Tax number and address are kept sealed."""
    sealer = _parts(request).sealer
    now = request.scope["received_at"]
    async with database_of(request).transaction() as tx:
        kept = await details_operations.get_details(tx, sealer, caller.owner_id)
        given = body.model_dump(exclude_unset=True)
        address = given.get("billing_address") if "billing_address" in given else _parts_of(kept)
        details = CompanyDetails.checked(
            given.get("name", kept.company_name),
            given.get("billing_email", kept.billing_email),
            given.get("tax_id", kept.tax_id),
            address,
        )
        details = await details_operations.change_details(tx, sealer, caller, details, now)
        customer = await customers.get_customer(tx, caller.owner_id)
        summary = await operations.summarize(tx, customer, now)
    return CompanyOut(
        **_shape(summary),
        billing_email=details.billing_email,
        tax_id=details.tax_id,
        billing_address=None
        if details.billing_address is None
        else BillingAddressOut.model_validate(details.billing_address, from_attributes=True),
    )


@router.post(
    "/me/verify",
    summary="Verify the address with your key",
    responses=problem_responses(CodeWrong, CodeExpired, CodeUsedUp, AddressTaken),
)
async def verify(request: Request, caller: Proving, body: CodeIn) -> Message:
    """Prove the address that a customer was registered with, by the code that was mailed; this lifts the cap."""
    changed = await customer_flows.verify(
        database_of(request), _parts(request), caller, body.code, _visit(request)
    )
    return Message(message="Address verified" if changed else "The address was verified before")


@router.get("/{customer_id}", summary="Read a customer", responses=problem_responses(NotFound))
async def get_customer(request: Request, caller: ViewingAny, customer_id: CustomerId) -> CustomerOut:
    """Read your customer; administrators of the installation read any."""
    return await _read(request, caller, customer_id)


@router.put(
    "/{customer_id}/upgrade",
    summary="Change the plan",
    responses=problem_responses(
        NotFound,
        Invalid,
        PlanUnknown,
        PlanHeld,
        PlanByArrangement,
        FreeTrialHad,
        ChangeOpen,
        AddressNotVerified,
    ),
)
async def upgrade(
    request: Request,
    caller: Paying,
    customer_id: CustomerId,
    body: UpgradeIn | None = None,
    new_tier: Annotated[Tier | None, Query(description="Instead of a body.")] = None,
    product: Annotated[Product | None, Query(description="Instead of a body; by default `agents`.")] = None,
) -> UpgradeOut:
    """Ask for another plan. A step up counts at once when it is paid, a step down when the period ends.

    Send the wanted plan in the body, or in the query.
    """
    wanted = _wanted(body, new_tier, product)
    customer = operations.assert_own(caller, customer_id)
    now = request.scope["received_at"]
    parts = _parts(request)
    async with database_of(request).transaction() as tx:
        change = await operations.change_plan(tx, parts, caller, wanted.product, wanted.new_tier, now)
        summary = await operations.summarize(tx, customer, now)
    tier = normal_tier(wanted.new_tier)
    return UpgradeOut(
        **_shape(summary),
        message=UPGRADE_MESSAGES[change.status],
        product=wanted.product,
        new_tier=operations.SHOWN_TIERS.get(tier, tier),
        status=change.status,
        effective_at=change.effective_at,
        checkout_url=operations.checkout_url(parts, change, tier),
    )


UPGRADE_MESSAGES = {
    ChangeStatus.PENDING_PAYMENT: "The plan changes as soon as it is paid, at checkout_url",
    ChangeStatus.SCHEDULED: "The plan changes when the period that is paid for ends",
    ChangeStatus.APPLIED: "The plan has changed",
    ChangeStatus.WITHDRAWN: "The change was withdrawn",
}


@router.delete(
    "/{customer_id}", summary="Deactivate your customer", responses=problem_responses(NotFound, SignInAgain)
)
async def deactivate(request: Request, caller: Closing, customer_id: CustomerId) -> Message:
    """Close your customer: every key and person is refused from the next call on. Nothing is deleted."""
    operations.assert_own(caller, customer_id)
    async with database_of(request).transaction() as tx:
        await operations.deactivate(tx, caller, request.scope["received_at"])
    return Message(message="Customer account deactivated")


async def _read(request: Request, caller: Caller, customer_id: str) -> CustomerOut:
    async with database_of(request).transaction() as tx:
        customer = await operations.find_subject(tx, caller, customer_id)
        summary = await operations.summarize(tx, customer, request.scope["received_at"])
    return CustomerOut(**_shape(summary))


def _shape(summary: CustomerSummary) -> dict[str, Any]:
    customer = summary.customer
    return {
        "id": customer.public_id,
        "name": customer.company_name,
        "email": customer.billing_email,
        "subscription_tier": summary.subscription_tier,
        "max_agents": summary.agents_max,
        "max_requests_per_minute": summary.requests_per_minute_max,
        "total_api_calls": summary.request_count,
        "is_active": customer.refusal() is None,
        "created_at": customer.created_at,
    }


def _wanted(body: UpgradeIn | None, new_tier: Tier | None, product: Product | None) -> UpgradeIn:
    if body is not None and (new_tier is not None or product is not None):
        message = "Send the plan in the body or in the query, not in both."
        raise Invalid(message, errors=(FieldError("/new_tier", message),))
    if body is not None:
        return body
    if new_tier is None:
        message = "Say which plan: ?new_tier=starter, or the same in a JSON body."
        raise Invalid(message, errors=(FieldError("/new_tier", message),))
    return UpgradeIn(new_tier=new_tier, product=product or Product.AGENTS)


def _parts_of(details: CompanyDetails) -> dict[str, str] | None:
    return None if details.billing_address is None else details.billing_address.parts()


def _visit(request: Request) -> Visit:
    return Visit(client_address(request), request.headers.get("user-agent", ""), request.scope["received_at"])


def _parts(request: Request) -> LifecycleParts:
    parts = request.app.state.lifecycle
    assert isinstance(parts, LifecycleParts)
    return parts
