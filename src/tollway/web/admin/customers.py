"""`/admin/api-customers`: every customer, found, looked into, suspended, reactivated and given more."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import Response

from tollway.administration import action_operations as actions
from tollway.administration import operations as reading
from tollway.administration.operations import BillingStatus, CustomerDetail
from tollway.customers.permissions import Permission
from tollway.kit.http import ReplayingRoute
from tollway.kit.problems import FieldError, Invalid, Problem
from tollway.plans.entities import FEATURE_PREFIX, SUBJECTS, AdjustmentKind, ExplainedLimit
from tollway.web.admin.confirming import SAID_ON_THE_FORM, Confirmation, confirm
from tollway.web.admin.frame import CustomersManaged, CustomersSeen, admin_shell, listed_pages
from tollway.web.charts import Series, daily_bars
from tollway.web.pages import Page, PageNeeds, field_errors, html, redirect

LIST_URL = "/admin/api-customers"
AMOUNT_DIGITS_MAX = 12
NOTICES = {
    "suspended": "The customer is suspended: its next call is refused.",
    "reactivated": "The customer may work again.",
    "adjusted": "The limit holds from the next call on.",
    "ended": "It ended; what the plan gives holds from the next call on.",
    "stopped": "You stopped looking at this customer's pages.",
}

router = APIRouter(prefix=LIST_URL, route_class=ReplayingRoute, include_in_schema=False)
stop_router = APIRouter(prefix="/admin/impersonation", route_class=ReplayingRoute, include_in_schema=False)
Impersonating = Annotated[Page, Depends(PageNeeds(Permission.ADMIN_IMPERSONATE, proven=True))]
Stopping = Annotated[Page, Depends(PageNeeds(Permission.OWN, while_looking=True))]
Text = Annotated[str, Form()]


@router.get("")
async def list_customers(request: Request, page: CustomersSeen) -> Response:
    """List customers as the form asks for them."""
    values = {name: request.query_params.get(name, "") for name in ("search", "tier", "status")}
    async with page.database.transaction() as tx:
        shell = await admin_shell(page, tx)
        tiers = {one.tier for one in await reading.list_plan_versions(tx)}
        found, links, problem = await listed_pages(
            request,
            values,
            lambda asked: reading.list_customers(
                tx, asked, page.now, tier=values["tier"], status=values["status"]
            ),
        )
    return html(
        request,
        "admin/customers.html",
        problem.status if problem else 200,
        shell=shell,
        customers=found,
        links=links,
        values=values,
        errors=field_errors(problem) if problem else {},
        tiers=sorted(tiers),
        statuses=[one.value for one in BillingStatus],
        is_narrowed=any(values.values()),
    )


@router.get("/{customer_id}")
async def show_customer(request: Request, page: CustomersSeen, customer_id: str) -> Response:
    """Show everything about one customer."""
    async with page.database.transaction() as tx:
        shell = await admin_shell(page, tx)
        detail = await reading.get_customer_detail(tx, customer_id, page.now)
    return html(
        request,
        "admin/customer.html",
        shell=shell,
        detail=detail,
        row=detail.row,
        url=_url(detail),
        limits={
            one.plan.product: [_limit_view(limit) for limit in one.explained] for one in detail.entitlements
        },
        now=page.now,
        usage_chart=daily_bars(
            "requests",
            days=[one.day for one in detail.days],
            series=[
                Series("Successful", [one.succeeded for one in detail.days]),
                Series("Refused", [one.limited for one in detail.days]),
                Series("Failed", [one.failed for one in detail.days]),
            ],
            title="Requests, last 30 days",
        ),
        notice=NOTICES.get(request.query_params.get("notice", ""), ""),
    )


# Suspend and reactivate ---------------------------------------------------------------------------


@router.get("/{customer_id}/suspend")
async def ask_suspend(request: Request, page: CustomersManaged, customer_id: str) -> Response:
    """Ask before a customer is suspended."""
    return await confirm(request, page, _suspension(await _detail(page, customer_id)))


@router.post("/{customer_id}/suspend")
async def suspend(request: Request, page: CustomersManaged, customer_id: str, reason: Text = "") -> Response:
    """Suspend a customer."""
    try:
        async with page.database.transaction() as tx:
            await actions.suspend_customer(tx, page.caller, customer_id, reason, page.now)
    except Problem as problem:
        asked = _suspension(await _detail(page, customer_id))
        return await confirm(request, page, asked, problem, reason=reason)
    return redirect(f"{LIST_URL}/{customer_id}?notice=suspended")


@router.get("/{customer_id}/reactivate")
async def ask_reactivate(request: Request, page: CustomersManaged, customer_id: str) -> Response:
    """Ask before a customer is reactivated."""
    return await confirm(request, page, _reactivation(await _detail(page, customer_id)))


@router.post("/{customer_id}/reactivate")
async def reactivate(
    request: Request, page: CustomersManaged, customer_id: str, reason: Text = ""
) -> Response:
    """Reactivate a customer."""
    try:
        async with page.database.transaction() as tx:
            await actions.reactivate_customer(tx, page.caller, customer_id, reason, page.now)
    except Problem as problem:
        asked = _reactivation(await _detail(page, customer_id))
        return await confirm(request, page, asked, problem, reason=reason)
    return redirect(f"{LIST_URL}/{customer_id}?notice=reactivated")


def _suspension(detail: CustomerDetail) -> Confirmation:
    return Confirmation(
        title=f"Suspend {detail.row.company_name}?",
        sentences=(
            "Every call with one of its keys is refused from now on, and its people see only why.",
            "Nothing is deleted; you can reactivate it at any time.",
        ),
        button="Suspend",
        back=_back(detail),
        reason_hint="The customer reads it, with every call that is refused.",
    )


def _reactivation(detail: CustomerDetail) -> Confirmation:
    return Confirmation(
        title=f"Reactivate {detail.row.company_name}?",
        sentences=(f"It was suspended because: {detail.row.suspended_reason or 'no reason is known'}.",),
        button="Reactivate",
        back=_back(detail),
        is_danger=False,
    )


# Limits -------------------------------------------------------------------------------------------


@router.get("/{customer_id}/limits")
async def ask_limit(request: Request, page: CustomersManaged, customer_id: str) -> Response:
    """Show the form for a grant or an override."""
    return await _limit_form(request, page, customer_id, {})


@router.post("/{customer_id}/limits")
async def adjust_limit(
    request: Request,
    page: CustomersManaged,
    customer_id: str,
    kind: Text = "",
    product: Text = "",
    subject: Text = "",
    amount: Text = "",
    ends_on: Text = "",
    reason: Text = "",
) -> Response:
    """Grant more, or override, from the next call on."""
    values = {
        "kind": kind,
        "product": product,
        "subject": subject,
        "amount": amount,
        "ends_on": ends_on,
        "reason": reason,
    }
    try:
        async with page.database.transaction() as tx:
            await actions.adjust_limit(
                tx,
                page.caller,
                customer_id,
                _read_kind(kind),
                product=product,
                subject=subject,
                amount=_read_amount(amount),
                ends_at=_read_end(ends_on),
                reason=reason,
                now=page.now,
            )
    except Problem as problem:
        if problem.status not in SAID_ON_THE_FORM:
            raise
        return await _limit_form(request, page, customer_id, values, problem)
    return redirect(f"{LIST_URL}/{customer_id}?notice=adjusted#limits")


@router.get("/{customer_id}/limits/{adjustment_id}/end")
async def ask_end(request: Request, page: CustomersManaged, customer_id: str, adjustment_id: str) -> Response:
    """Ask before a grant or an override ends."""
    detail = await _detail(page, customer_id)
    found = next((one for one in detail.adjustments if one.public_id == adjustment_id), None)
    what = f"The {found.kind.value} of {found.subject}" if found else "It"
    asked = Confirmation(
        title=f"End {adjustment_id}?",
        sentences=(f"{what} ends at once, and what the plan gives holds from the next call on.",),
        button="End it",
        back=_back(detail),
        reason_hint="",
    )
    return await confirm(request, page, asked)


@router.post("/{customer_id}/limits/{adjustment_id}/end")
async def end_adjustment(page: CustomersManaged, customer_id: str, adjustment_id: str) -> Response:
    """End a grant or an override."""
    async with page.database.transaction() as tx:
        await actions.end_adjustment(tx, page.caller, customer_id, adjustment_id, page.now)
    return redirect(f"{LIST_URL}/{customer_id}?notice=ended#limits")


async def _limit_form(
    request: Request, page: Page, customer_id: str, values: dict[str, str], problem: Problem | None = None
) -> Response:
    async with page.database.transaction() as tx:
        shell = await admin_shell(page, tx)
        detail = await reading.get_customer_detail(tx, customer_id, page.now)
    errors = field_errors(problem) if problem else {}
    if "ends_at" in errors:
        errors["ends_on"] = errors.pop("ends_at")
    empty = dict.fromkeys(("kind", "product", "subject", "amount", "ends_on", "reason"), "")
    return html(
        request,
        "admin/limit.html",
        problem.status if problem else 200,
        shell=shell,
        row=detail.row,
        back=_back(detail),
        values=empty | values,
        errors=errors,
        products=[one.plan.product for one in detail.entitlements],
        subjects=list(SUBJECTS),
        tomorrow=(page.now + timedelta(days=1)).date().isoformat(),
    )


def _read_kind(written: str) -> AdjustmentKind:
    if written not in set(AdjustmentKind):
        raise _invalid("/kind", f"Choose one of: {', '.join(AdjustmentKind)}.")
    return AdjustmentKind(written)


def _read_amount(written: str) -> int | None:
    """Read a whole number; an empty field is without a bound."""
    digits = written.strip().replace(",", "")
    if not digits:
        return None
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= AMOUNT_DIGITS_MAX):
        raise _invalid("/amount", "Write a whole number, or leave the field empty for no bound.")
    return int(digits)


def _read_end(written: str) -> datetime | None:
    """Read a day; what is given until a day ends when that day begins, in UTC."""
    if not written.strip():
        return None
    try:
        return datetime.combine(date.fromisoformat(written.strip()), time.min, UTC)
    except ValueError as failure:
        raise _invalid("/ends_at", "Write a day as 2027-01-31.") from failure


# In the customer's place --------------------------------------------------------------------------


@router.get("/{customer_id}/impersonate")
async def ask_impersonate(request: Request, page: Impersonating, customer_id: str) -> Response:
    """Ask before an administrator looks at a customer's pages."""
    return await confirm(request, page, _impersonation(await _detail(page, customer_id)))


@router.post("/{customer_id}/impersonate")
async def impersonate(request: Request, page: Impersonating, customer_id: str, reason: Text = "") -> Response:
    """Look at a customer's pages in its place."""
    try:
        async with page.database.transaction() as tx:
            await actions.begin_impersonation(tx, page.caller, customer_id, reason, page.now)
    except Problem as problem:
        asked = _impersonation(await _detail(page, customer_id))
        return await confirm(request, page, asked, problem, reason=reason)
    return redirect("/dashboard")


@stop_router.post("/stop")
async def stop_impersonating(page: Stopping) -> Response:
    """Stop looking."""
    looked_at = page.caller.on_behalf_of
    async with page.database.transaction() as tx:
        await actions.end_impersonation(tx, page.caller, page.now)
    return redirect(f"{LIST_URL}/{looked_at}?notice=stopped" if looked_at else LIST_URL)


def _impersonation(detail: CustomerDetail) -> Confirmation:
    return Confirmation(
        title=f"Look at {detail.row.company_name}’s pages?",
        sentences=(
            "You see what its people see, for 30 minutes, and can change nothing. Keys are not shown.",
            "The customer finds it in its activity, with your reason and without your name.",
        ),
        button="Look",
        back=_back(detail),
        is_danger=False,
    )


# Beneath ------------------------------------------------------------------------------------------


async def _detail(page: Page, customer_id: str) -> CustomerDetail:
    async with page.database.transaction() as tx:
        return await reading.get_customer_detail(tx, customer_id, page.now)


def _url(detail: CustomerDetail) -> str:
    return f"{LIST_URL}/{detail.row.public_id}"


def _back(detail: CustomerDetail) -> tuple[str, str]:
    return _url(detail), detail.row.company_name


def _limit_view(limit: ExplainedLimit) -> dict[str, Any]:
    """Write a limit with its rules in words; a feature that is off and that nobody touched is left to the page."""
    is_feature = limit.subject.startswith(FEATURE_PREFIX)
    return {
        "name": limit.subject.removeprefix(FEATURE_PREFIX).replace("_", " "),
        "is_feature": is_feature,
        "amount": limit.amount,
        "rules": [
            {"kind": rule.kind.value.replace("_", " "), "reference": rule.reference, "amount": rule.amount}
            for rule in limit.rules
        ],
        "is_plain": len(limit.rules) == 1 and limit.rules[0].kind.value == "plan",
    }


def _invalid(pointer: str, sentence: str) -> Invalid:
    return Invalid(sentence, errors=(FieldError(pointer, sentence),))
