"""What was used of a plan, over HTTP: the period with its sums, and the short form beside billing."""

from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field

from tollway.customers.callers import Caller
from tollway.customers.entities import Mode
from tollway.customers.guard import Needs
from tollway.customers.permissions import Permission
from tollway.kit.http import ReplayingRoute, database_of
from tollway.kit.openapi import problem_responses
from tollway.kit.problems import NotFound
from tollway.metering.report_operations import Counts, Period, mode_asked_for
from tollway.plans import usage_operations as usage
from tollway.plans.endpoints import LimitsOut, ProductChoice, limits_out, product_asked_for
from tollway.plans.entities import Product
from tollway.plans.usage_operations import PeriodUsage

router = APIRouter(prefix="/api", route_class=ReplayingRoute, tags=["Usage"])
ModeChoice = Annotated[Mode | None, Query(description="Left out: that of the key, or live.")]


class CountsOut(BaseModel):
    """How many requests ended how, and what they counted."""

    requests: int = Field(description="All of them.")
    succeeded: int
    limited: int = Field(description="Refused by a limit: 402 and 429.")
    refused: int = Field(description="Refused otherwise: the other 4xx.")
    failed: int = Field(description="Failed by our fault: 5xx.")
    units: int = Field(description="What they counted against your quota.")
    credits_consumed: int


class DayOut(CountsOut):
    """One day, in UTC."""

    day: date


class EndpointOut(CountsOut):
    """One endpoint."""

    method: str
    endpoint: str
    mean_ms: int
    p95_ms: int | None = Field(description="95 of 100 took no longer than this; null above 30 seconds.")


class KeyOut(CountsOut):
    """One API key."""

    api_key: str | None = Field(description="Its `key_id`; null for what was started on pages.")
    name: str | None


class OverageOut(BaseModel):
    """What is beyond the included requests, as the multiplication that the bill will show."""

    units: int
    rate: str = Field(description="A request, as a decimal number.")
    amount: str = Field(description="Their product, rounded to cents.")
    currency: str


class ProjectionOut(BaseModel):
    """What the period comes to, if the days to come are like the last seven."""

    units: int
    units_a_day: str
    overage: OverageOut | None


class UsageOut(BaseModel):
    """One period of one product in one mode."""

    product: Product
    mode: Mode
    tier: str
    period_start: datetime
    period_end: datetime
    requests_used: int
    requests_included: int | None = Field(description="Null: without a bound.")
    requests_max: int | None = Field(description="Where calls stop; null: nowhere.")
    overage: OverageOut | None = Field(
        description="Null where requests beyond the included ones are not sold."
    )
    projection: ProjectionOut | None = Field(description="Null for a period that is over, or a day young.")
    by_day: list[DayOut] = Field(description="Whole days in UTC, those without requests too.")
    by_endpoint: list[EndpointOut] = Field(description="The most called first, 50 at most.")
    by_key: list[KeyOut] = Field(description="The busiest first, 50 at most.")


class CurrentUsage(BaseModel):
    """What was used of the period under way."""

    requests_used: int
    requests_remaining: int | None = Field(description="Of the included ones; null: without a bound.")
    overage_units: int
    overage_amount: str = Field(description="What they cost, in the currency of the plan.")
    period_start: datetime
    period_end: datetime


class BillingUsageOut(BaseModel):
    """What the plan allows, and what was used of it."""

    limits: LimitsOut
    current_usage: CurrentUsage


@router.get("/usage", summary="Read your usage", responses=problem_responses(NotFound))
async def get_usage(
    request: Request,
    caller: Annotated[Caller, Depends(Needs(Permission.VIEW))],
    product: ProductChoice = None,
    mode: ModeChoice = None,
    period: Annotated[
        date | None, Query(description="The day (UTC) on which it began; left out: the one under way.")
    ] = None,
) -> UsageOut:
    """Read what was used in a period: in all, by day, by endpoint and by key, and what it comes to.

    The sums come from the request log and follow a call within seconds; `requests_used` is the exact number
    that the plan is held to.
    """
    meant = product_asked_for(caller, product)
    async with database_of(request).transaction() as tx:
        found = await usage.get_usage(
            tx, caller.owner_id, meant, mode_asked_for(caller, mode), period, request.scope["received_at"]
        )
    return _usage_out(meant, found)


@router.get("/billing/usage", summary="Read what is used of your plan", responses=problem_responses(NotFound))
async def get_billing_usage(
    request: Request,
    caller: Annotated[Caller, Depends(Needs(Permission.BILLING_VIEW))],
    product: ProductChoice = None,
    mode: ModeChoice = None,
) -> BillingUsageOut:
    """Read what your plan allows and what was used of the period under way."""
    meant = product_asked_for(caller, product)
    async with database_of(request).transaction() as tx:
        found = await usage.get_usage(
            tx, caller.owner_id, meant, mode_asked_for(caller, mode), None, request.scope["received_at"]
        )
    period, held = found.period, found.entitlement
    included = period.requests_included
    return BillingUsageOut(
        limits=limits_out(held.requests_included, held.limits),
        current_usage=CurrentUsage(
            requests_used=period.requests_used,
            requests_remaining=None if included is None else max(0, included - period.requests_used),
            overage_units=period.overage_units(period.requests_used),
            overage_amount=str(period.overage_amount(period.requests_used)),
            period_start=period.period_start,
            period_end=period.period_end,
        ),
    )


def _usage_out(product: Product, found: PeriodUsage) -> UsageOut:
    period, sums, currency = found.period, found.breakdown, found.entitlement.plan.currency
    projected = found.projection
    return UsageOut(
        product=product,
        mode=period.mode,
        tier=found.entitlement.plan.tier,
        period_start=period.period_start,
        period_end=period.period_end,
        requests_used=period.requests_used,
        requests_included=period.requests_included,
        requests_max=period.requests_max,
        overage=_overage_out(period, period.requests_used, currency),
        projection=None
        if projected is None
        else ProjectionOut(
            units=projected.units,
            units_a_day=str(projected.a_day),
            overage=_overage_out(period, projected.units, currency),
        ),
        by_day=[DayOut(day=one.day, **_counts(one)) for one in sums.days],
        by_endpoint=[
            EndpointOut(
                method=one.method,
                endpoint=one.endpoint,
                mean_ms=one.mean_ms,
                p95_ms=one.p95_ms,
                **_counts(one),
            )
            for one in sums.endpoints
        ],
        by_key=[KeyOut(api_key=one.key_id, name=one.key_name, **_counts(one)) for one in sums.keys],
    )


def _overage_out(period: Period, used: int, currency: str) -> OverageOut | None:
    if not period.sells_overage:
        return None
    return OverageOut(
        units=period.overage_units(used),
        rate=str(period.overage_rate),
        amount=str(period.overage_amount(used)),
        currency=currency,
    )


def _counts(counts: Counts) -> dict[str, int]:
    return {
        "requests": counts.calls,
        "succeeded": counts.succeeded,
        "limited": counts.limited,
        "refused": counts.refused,
        "failed": counts.failed,
        "units": counts.units,
        "credits_consumed": counts.credits,
    }
