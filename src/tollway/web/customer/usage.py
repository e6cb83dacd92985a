"""`/usage`: what was used of a period, what it comes to, by day, endpoint and key; and the spending cap."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import Response
from markupsafe import Markup

from tollway.customers.entities import Mode
from tollway.customers.permissions import Permission
from tollway.kit.http import ReplayingRoute
from tollway.kit.money import format_minor, minor_units
from tollway.kit.problems import FieldError, Invalid, NotFound, Problem
from tollway.metering import report_operations as reports
from tollway.metering.report_operations import (
    PAGE,
    PROJECTION_DAYS,
    THRESHOLDS_PERCENT,
    DayCounts,
    EndpointCounts,
    KeyCounts,
    Period,
)
from tollway.plans import operations as plans
from tollway.plans import usage_operations as usage
from tollway.plans.entities import Entitlement, Overage, Product
from tollway.plans.usage_operations import PeriodUsage
from tollway.web.charts import Series, daily_bars, quota_meter
from tollway.web.customer.requests import MODES, requests_url
from tollway.web.pages import PRODUCT, Page, PageNeeds, SignedIn, field_errors, html, redirect
from tollway.web.plan_views import rate_text
from tollway.web.rendering import Shell, number

AMOUNT_LENGTH_MAX = 12
NOTICES = {
    "cap-set": "The spending cap is set. It holds from the next call on.",
    "cap-removed": "The spending cap is taken away: requests above the plan go on, and are billed.",
}

router = APIRouter(prefix="/usage", route_class=ReplayingRoute, include_in_schema=False)
Paying = Annotated[Page, Depends(PageNeeds(Permission.BILLING_MANAGE))]


@dataclass(frozen=True, slots=True)
class OverageView:
    """What is beyond the plan, as a multiplication: `120 × $0.05` and `$6.00`."""

    units: int
    factors: str
    amount: str


@router.get("")
async def show_usage(request: Request, page: SignedIn) -> Response:
    """Show a period of a product in a mode, as the address chooses."""
    return await _usage_page(request, page)


@router.post("/spending-cap")
async def set_spending_cap(
    request: Request,
    page: Paying,
    product: Annotated[Product, Form()],
    cap: Annotated[str, Form(max_length=100)] = "",
) -> Response:
    """Set what a period may cost above the plan; an empty field takes the cap away."""
    try:
        amount = _amount(cap)
        async with page.database.transaction() as tx:
            await plans.set_spending_cap(tx, page.caller, product, amount, page.now)
    except Problem as problem:
        if problem.status not in (402, 409, 422):
            raise
        return await _usage_page(request, page, product=product, typed=cap, problem=problem)
    told = "cap-removed" if amount is None else "cap-set"
    return redirect(_url(product, Mode.LIVE, notice=told) + "#spending-cap")


async def _usage_page(
    request: Request,
    page: Page,
    *,
    product: str = "",
    typed: str | None = None,
    problem: Problem | None = None,
) -> Response:
    query = request.query_params
    async with page.database.transaction() as tx:
        shell, _ = await page.shell(tx)
        held = {one.plan.product: one for one in await plans.list_held(tx, page.caller.owner_id, page.now)}
        product = product or query.get("product", "")
        product = product if product in held else PRODUCT
        asked_mode = Mode.LIVE.value if problem else query.get("mode", "")
        mode = (
            Mode(asked_mode)
            if asked_mode in set(Mode)
            else await reports.find_mode_in_use(tx, page.caller.owner_id, page.now)
        )
        found = await _find_usage(tx, page, product, mode, _day_of(query.get("period", "")))
    period, plan, sums = found.period, found.entitlement.plan, found.breakdown
    projected = found.projection
    now_overage = _overage(period, period.requests_used, plan.currency)
    return html(
        request,
        "customer/usage.html",
        problem.status if problem else 200,
        shell=_shell_of(shell, period, product, page),
        product=product,
        product_name=_names()[product],
        products=[(one, _names()[one]) for one in held],
        mode=mode.value,
        modes=[(words, mode is one, _url(product, one)) for one, words in MODES],
        periods=[(f"{one.first_day}", _period_words(one), one == period) for one in found.periods],
        period=period,
        is_current=period.holds(page.now),
        plan=plan,
        meter=_meter(period, projected.units if projected else None),
        share=_share(period),
        thresholds=THRESHOLDS_PERCENT,
        overage=now_overage,
        projection=projected,
        projected_overage=_overage(period, projected.units, plan.currency) if projected else None,
        projection_days=PROJECTION_DAYS,
        rate=rate_text(period.overage_rate, plan.currency),
        today=_today(found, page.now),
        day_max=found.entitlement.limits.requests_per_day_max,
        is_empty=not period.requests_used and not any(one.calls for one in sums.days),
        chart=_chart(sums.days, mode),
        crosses_days=period.period_start.astimezone(UTC).time() != datetime.min.time(),
        endpoints=[_endpoint_row(one, mode, found) for one in sums.endpoints],
        endpoints_left_out=sums.endpoints_left_out,
        keys=[_key_row(one, mode, found) for one in sums.keys],
        keys_left_out=sums.keys_left_out,
        all_url=_chosen(mode, found),
        sells_overage=_may_cap(found.entitlement),
        may_set_cap=page.caller.may(Permission.BILLING_MANAGE),
        cap=_cap_text(found.entitlement),
        typed_cap=_cap_field(found.entitlement) if typed is None else typed,
        errors=field_errors(problem, "cap") if problem else {},
        amount_length_max=AMOUNT_LENGTH_MAX,
        notice=NOTICES.get(query.get("notice", ""), ""),
    )


def _shell_of(shell: Shell, period: Period, product: str, page: Page) -> Shell:
    """Let the frame say of the mode that is looked at what the page says."""
    shell = replace(shell, test_mode=period.mode is Mode.TEST)
    if product != PRODUCT or not period.holds(page.now):
        return shell
    return replace(shell, used=period.requests_used, included=period.requests_included)


async def _find_usage(tx: Any, page: Page, product: str, mode: Mode, first_day: date | None) -> PeriodUsage:
    try:
        return await usage.get_usage(tx, page.caller.owner_id, product, mode, first_day, page.now)
    except NotFound:
        # A period of another mode or product, from an address that was changed: the one under way instead.
        return await usage.get_usage(tx, page.caller.owner_id, product, mode, None, page.now)


def _day_of(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _amount(text: str) -> Decimal | None:
    """Read an amount of money as people type it; None for an empty field. Raises Invalid."""
    text = text.strip().removeprefix("$").strip()
    if not text:
        return None
    try:
        amount = Decimal(text) if len(text) <= AMOUNT_LENGTH_MAX and text.isascii() else None
    except InvalidOperation:
        amount = None
    if amount is None or not amount.is_finite():
        message = "Write an amount such as 25 or 25.00, or leave the field empty for no cap."
        raise Invalid(message, errors=(FieldError("/cap", message),))
    return amount


def _names() -> dict[str, str]:
    return {one.product: one.name for one in plans.list_products()}


def _url(product: str, mode: Mode, **further: str) -> str:
    return f"/usage?{urlencode({'product': product, 'mode': mode.value, **further})}"


def _period_words(period: Period) -> str:
    first, last = period.first_day, period.last_day
    return f"{first.day} {first:%b %Y} to {last.day} {last:%b %Y}"


def _overage(period: Period, used: int, currency: str) -> OverageView | None:
    units = period.overage_units(used)
    if not units:
        return None
    amount = minor_units(period.overage_amount(used), currency)
    return OverageView(
        units,
        f"{number(units)} × {rate_text(period.overage_rate, currency)}",
        format_minor(amount, currency),
    )


def _share(period: Period) -> float | None:
    return period.requests_used / period.requests_included if period.requests_included else None


def _meter(period: Period, projected: int | None) -> Markup | None:
    included = period.requests_included
    if not included:
        return None
    label = f"{number(period.requests_used)} of {number(included)} requests used"
    if projected is not None:
        label += f"; {number(projected)} at the end of the period, at this pace"
    return quota_meter(
        "quota",
        used=period.requests_used,
        included=included,
        projected=projected,
        marks_percent=THRESHOLDS_PERCENT,
        stops=not period.sells_overage,
        label=label,
    )


def _today(found: PeriodUsage, now: datetime) -> int | None:
    days = found.breakdown.days
    today = now.astimezone(UTC).date()
    return days[-1].units if days and days[-1].day == today and found.period.holds(now) else None


def _chart(days: Sequence[DayCounts], mode: Mode) -> Markup:
    return daily_bars(
        "requests-by-day",
        days=[one.day for one in days],
        series=[
            Series("Successful", [one.succeeded for one in days]),
            Series("Refused", [one.limited for one in days]),
            Series("Failed", [one.refused + one.failed for one in days]),
        ],
        title=f"{mode.value.capitalize()} requests of the period, by day",
    )


def _chosen(mode: Mode, found: PeriodUsage, **further: str) -> str:
    sums, product = found.breakdown, found.entitlement.plan.product
    return requests_url(mode, product=product, from_=f"{sums.first_day}", until=f"{sums.last_day}", **further)


def _endpoint_row(counts: EndpointCounts, mode: Mode, found: PeriodUsage) -> dict[str, Any]:
    return _counts(counts) | {
        "method": counts.method,
        "endpoint": counts.endpoint,
        "mean_ms": counts.mean_ms,
        "p95_ms": counts.p95_ms,
        "url": _chosen(mode, found, endpoint=counts.endpoint, method=counts.method),
    }


def _key_row(counts: KeyCounts, mode: Mode, found: PeriodUsage) -> dict[str, Any]:
    return _counts(counts) | {
        "key_id": counts.key_id,
        "name": counts.key_name,
        "url": _chosen(mode, found, key=counts.key_id or PAGE),
    }


def _counts(counts: EndpointCounts | KeyCounts) -> dict[str, Any]:
    return {
        "calls": counts.calls,
        "succeeded": counts.succeeded,
        "limited": counts.limited,
        "failed": counts.refused + counts.failed,
        "units": counts.units,
        "credits": counts.credits,
    }


def _may_cap(held: Entitlement) -> bool:
    """Whether the plan sells requests beyond the included ones, so that a cap says something."""
    return (
        held.overage is Overage.ALWAYS
        and held.plan.overage_rate > 0
        and held.requests_included is not None
        and not held.read_only
    )


def _cap_text(held: Entitlement) -> str:
    cap = held.subscription.spending_cap
    return "" if cap is None else format_minor(minor_units(cap, held.plan.currency), held.plan.currency)


def _cap_field(held: Entitlement) -> str:
    cap = held.subscription.spending_cap
    return "" if cap is None else f"{cap:.2f}"
