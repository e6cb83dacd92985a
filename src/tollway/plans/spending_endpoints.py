"""The spending cap over HTTP."""

from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from pydantic import BaseModel, ConfigDict, Field

from tollway.customers.callers import Caller
from tollway.customers.entities import Mode
from tollway.customers.guard import Needs
from tollway.customers.permissions import Permission
from tollway.kit.http import ReplayingRoute, database_of
from tollway.kit.openapi import problem_responses
from tollway.kit.problems import Invalid, NotFound
from tollway.plans import operations
from tollway.plans.endpoints import product_asked_for
from tollway.plans.entities import SPENDING_CAP_MAX, Product

CUSTOMER_ID_LENGTH_MAX = 30

router = APIRouter(prefix="/api/customers", route_class=ReplayingRoute, tags=["Plans"])

Paying = Annotated[Caller, Depends(Needs(Permission.BILLING_MANAGE))]


class SpendingCapIn(BaseModel):
    """What a period may cost above the plan."""

    model_config = ConfigDict(extra="forbid")

    cap: Annotated[Decimal, Field(ge=0, le=SPENDING_CAP_MAX, decimal_places=2)] | None = Field(
        description="In the plan's currency, with two decimals at most; null: no cap.", examples=["25.00"]
    )
    product: Product | None = Field(
        None, description="Which product. Left out: that of the key, or montecarlo."
    )


class SpendingCapOut(BaseModel):
    """The spending cap of a product, and where it stops live calls."""

    product: Product
    cap: str | None = Field(description="Null: no cap.")
    currency: str
    overage_rate: str = Field(
        description="What a request beyond the included ones costs, as a decimal number."
    )
    requests_included: int | None = Field(description="A period; null: without a bound.")
    requests_max: int | None = Field(
        description="Requests at which live calls of a period stop; null: nowhere."
    )


@router.put(
    "/{customer_id}/spending-cap",
    summary="Set your spending cap",
    responses=problem_responses(NotFound, Invalid),
)
async def set_spending_cap(
    request: Request,
    caller: Paying,
    customer_id: Annotated[
        str, Path(max_length=CUSTOMER_ID_LENGTH_MAX, description="Your customer's id, or `me`.")
    ],
    body: SpendingCapIn,
) -> SpendingCapOut:
    """Let a period cost no more than this above the plan. It counts from the next call on; null takes it away.

    Calls beyond it are refused with 429 and the code spending-cap-reached until the next period, or until the cap is
    raised.
    """
    if caller.customer is None or customer_id not in ("me", caller.customer.public_id):
        raise NotFound("There is no such customer.")
    product = product_asked_for(caller, body.product)
    async with database_of(request).transaction() as tx:
        held = await operations.set_spending_cap(tx, caller, product, body.cap, request.scope["received_at"])
    cap, terms = held.subscription.spending_cap, held.quota_terms(Mode.LIVE)
    return SpendingCapOut(
        product=product,
        cap=None if cap is None else str(cap),
        currency=held.plan.currency,
        overage_rate=str(held.plan.overage_rate),
        requests_included=terms.requests_included,
        requests_max=terms.requests_max,
    )
