"""`GET /api/admin/usage/summary`: what everybody used (B26, B49, C21)."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field

from tollway.customers.entities import Mode, SecondFactorNeeded
from tollway.customers.guard import Needs
from tollway.customers.permissions import Permission
from tollway.kit.http import ReplayingRoute, database_of
from tollway.kit.openapi import problem_responses
from tollway.metering import platform_operations as platform
from tollway.metering.platform_operations import Period, PlatformUsage, Sums

RATE_DIGITS = 6
MS_DIGITS = 1

router = APIRouter(prefix="/api/admin/usage", route_class=ReplayingRoute, tags=["Administration"])


class Figures(BaseModel):
    """How many calls there were, how they ended, and how long they took."""

    requests: int
    succeeded: int = Field(description="Answered with a status below 400.")
    limited: int = Field(description="Refused by a limit or for want of payment: 429 and 402.")
    refused: int = Field(description="Refused for another reason of the caller's: other 4xx.")
    failed: int = Field(description="Failed by our fault: 5xx.")
    credits: int
    units: int = Field(description="Requests as plans count them.")
    avg_ms: float | None
    p50_ms: float | None = Field(description="Estimated from a histogram, evenly spread within its buckets.")
    p95_ms: float | None = Field(description="Likewise; at most the largest bound, 30 seconds.")
    error_rate: float | None = Field(description="Failed calls as a share of all, from 0 to 1.")
    success_rate: float | None = Field(description="The rest of it.")


class EndpointItem(Figures):
    """The calls of one endpoint."""

    product: str
    method: str
    endpoint: str


class PlanItem(Figures):
    """The calls of those who hold a plan."""

    product: str
    plan: str | None = Field(description="The plan held now; null: no subscription is left.")
    customers: int


class DayItem(BaseModel):
    """The calls of one day in UTC."""

    date: str
    requests: int
    succeeded: int
    limited: int
    refused: int
    failed: int


class CustomerItem(BaseModel):
    """One of the customers who called most."""

    id: str | None = Field(description="Null: erased.")
    company_name: str | None
    plan: str | None
    requests: int
    units: int
    failed: int
    requests_before: int = Field(description="In the time of the same length before.")
    growth: float | None = Field(description="0.5: half as many again; null: none before.")


class KeyFigures(BaseModel):
    """How many of the API keys that can be used are used."""

    registered: int
    active: int = Field(description="Of these, how many a call of the period came with.")
    utilization: float | None = Field(description="Active as a share of registered, from 0 to 1.")


class UsageSummary(BaseModel):
    """Everything that was used in a period, over all customers."""

    period: Period
    mode: Literal["all", "test", "live"]
    from_: datetime = Field(alias="from")
    until: datetime = Field(description="Just after the period.")
    total_requests: int
    unique_customers: int
    credits: int
    units: int
    avg_ms: float | None
    p50_ms: float | None = Field(description="Estimated from a histogram, evenly spread within its buckets.")
    p95_ms: float | None = Field(description="Likewise; at most the largest bound, 30 seconds.")
    error_rate: float | None = Field(description="Failed calls (5xx) as a share of all, from 0 to 1.")
    success_rate: float | None
    requests_before: int = Field(description="In the time of the same length before.")
    growth: float | None = Field(description="0.5: half as many again; null: none before.")
    keys: KeyFigures
    by_endpoint: list[EndpointItem] = Field(description="The 50 most called.")
    by_plan: list[PlanItem]
    by_day: list[DayItem]
    top_customers: list[CustomerItem] = Field(description="The 20 who called most.")


@router.get(
    "/summary",
    summary="Read what everybody used",
    responses=problem_responses(SecondFactorNeeded),
    dependencies=[Depends(Needs(Permission.ADMIN_CUSTOMERS_VIEW))],
)
async def get_summary(
    request: Request,
    period: Annotated[
        Period, Query(description="How far back; `day`: the last 24 hours, else whole days in UTC.")
    ] = Period.MONTH,
    mode: Annotated[Literal["all", "test", "live"], Query(description="Calls of which keys.")] = "all",
) -> UsageSummary:
    """Add up the calls of all customers: by endpoint, plan, day and customer, beside the time before it."""
    now = request.scope["received_at"]
    async with database_of(request).transaction() as tx:
        used = await platform.get_platform_usage(tx, period, now, None if mode == "all" else Mode(mode))
    return usage_summary(used, mode)


def usage_summary(used: PlatformUsage, mode: Literal["all", "test", "live"]) -> UsageSummary:
    """Write what was used as the API tells it."""
    totals = used.totals
    return UsageSummary(
        **{"from": used.span.since},
        period=used.period,
        mode=mode,
        until=used.span.until,
        total_requests=totals.calls,
        unique_customers=totals.customers,
        credits=totals.credits,
        units=totals.units,
        avg_ms=_rounded(totals.average_ms, MS_DIGITS),
        p50_ms=_rounded(totals.p50_ms, MS_DIGITS),
        p95_ms=_rounded(totals.p95_ms, MS_DIGITS),
        error_rate=_rounded(totals.error_rate, RATE_DIGITS),
        success_rate=_rounded(totals.success_rate, RATE_DIGITS),
        requests_before=used.before.calls,
        growth=_rounded(used.growth, RATE_DIGITS),
        keys=KeyFigures(
            registered=used.keys.registered,
            active=used.keys.active,
            utilization=_rounded(used.keys.share, RATE_DIGITS),
        ),
        by_endpoint=[
            EndpointItem(
                product=one.product, method=one.method, endpoint=one.endpoint, **_figures(one).model_dump()
            )
            for one in used.endpoints
        ],
        by_plan=[
            PlanItem(
                product=one.product, plan=one.plan, customers=one.customers, **_figures(one).model_dump()
            )
            for one in used.plans
        ],
        by_day=_days(used),
        top_customers=[
            CustomerItem(
                id=one.public_id,
                company_name=one.company_name,
                plan=one.plan,
                requests=one.calls,
                units=one.units,
                failed=one.failed,
                requests_before=one.calls_before,
                growth=_rounded(one.growth, RATE_DIGITS),
            )
            for one in used.customers
        ],
    )


def _figures(sums: Sums) -> Figures:
    return Figures(
        requests=sums.calls,
        succeeded=sums.succeeded,
        limited=sums.limited,
        refused=sums.refused,
        failed=sums.failed,
        credits=sums.credits,
        units=sums.units,
        avg_ms=_rounded(sums.average_ms, MS_DIGITS),
        p50_ms=_rounded(sums.p50_ms, MS_DIGITS),
        p95_ms=_rounded(sums.p95_ms, MS_DIGITS),
        error_rate=_rounded(sums.error_rate, RATE_DIGITS),
        success_rate=_rounded(sums.success_rate, RATE_DIGITS),
    )


def _days(used: PlatformUsage) -> list[DayItem]:
    return [
        DayItem(
            date=one.day.isoformat(),
            requests=one.calls,
            succeeded=one.succeeded,
            limited=one.limited,
            refused=one.refused,
            failed=one.failed,
        )
        for one in used.days
    ]


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
