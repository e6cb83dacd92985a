"""`/billing/upgrade`: what is held of each product, what another plan would change, and choosing one (B31, X20)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Path, Request
from fastapi.responses import Response

from tollway.customers.entities import AddressNotVerified
from tollway.customers.permissions import Permission
from tollway.kit.db import Transaction
from tollway.kit.http import ReplayingRoute
from tollway.kit.problems import NotFound, Problem
from tollway.lifecycle import customer_operations as lifecycle
from tollway.plans import operations as plans
from tollway.plans.changes import (
    ChangeStatus,
    ChangeTiming,
    Notice,
    NoticeKind,
    SubscriptionChange,
    assert_may_have,
    differences,
    timing_of_change,
)
from tollway.plans.entities import (
    FREE_TRIAL_TIER,
    PRODUCTS,
    Entitlement,
    EntitlementState,
    Plan,
    PlanUnknown,
    Product,
    SubscriptionStatus,
)
from tollway.web.pages import PRODUCT, Page, PageNeeds, html, redirect
from tollway.web.plan_views import TALK_TO_US, PlanView, comparison_of, plan_view, support_url

TIER_LENGTH_MAX = 40
CHANGE_ID_LENGTH_MAX = 40
# Changes of the customer's own; what we schedule ourselves is answered by choosing another plan.
WITHDRAWABLE = (NoticeKind.PAYMENT_AWAITED, NoticeKind.DOWNGRADE, NoticeKind.CANCEL)
NOTICES = {
    "started": "The plan is yours, from now on.",
    "asked": "Your choice is noted. It counts as soon as it is paid; until then nothing changes.",
    "scheduled": "The change is scheduled.",
    "cancelled": "The plan ends with its period. Until then nothing changes.",
    "withdrawn": "The change is taken back.",
}
# Text and mood of the tag of what is held.
STATES = {
    EntitlementState.PENDING_PAYMENT: ("Waits for payment", "warn"),
    EntitlementState.ACTIVE: ("Active", "good"),
    EntitlementState.PAST_DUE: ("Payment overdue", "bad"),
    EntitlementState.CANCELLED: ("Ended", "warn"),
}

router = APIRouter(prefix="/billing/upgrade", route_class=ReplayingRoute, include_in_schema=False)

Viewing = Annotated[Page, Depends(PageNeeds(Permission.BILLING_VIEW))]
Managing = Annotated[Page, Depends(PageNeeds(Permission.BILLING_MANAGE))]
ProductField = Annotated[Product, Form()]
TierField = Annotated[str, Form(min_length=1, max_length=TIER_LENGTH_MAX)]
ChangeId = Annotated[str, Path(max_length=CHANGE_ID_LENGTH_MAX)]


@dataclass(frozen=True, slots=True)
class HeldView:
    """What a customer has of one product; without a plan, nothing yet."""

    product: str
    name: str
    plan: str
    price: str
    tag: tuple[str, str]
    # What the day is on which the period ends: "Renews", "Starts again", "Ends", "Ended".
    turns: str
    turns_on: datetime | None
    used: int
    included: int | None
    notices: list[Notice]
    may_cancel: bool


@router.get("")
async def show_upgrade(request: Request, page: Viewing) -> Response:
    """Show the plans held, and those of one product to choose from."""
    asked = request.query_params.get("product", "")
    return await _upgrade(request, page, asked if asked in PRODUCTS else PRODUCT)


@router.post("")
async def choose(request: Request, page: Managing, product: ProductField, tier: TierField) -> Response:
    """Say what a choice would do and ask; a free plan that costs nothing to take comes at once."""
    try:
        if not page.signed_in.user.verified:
            raise AddressNotVerified("Verify your address first: enter the code that we mailed.")
        async with page.database.transaction() as tx:
            shell, _ = await page.shell(tx)
            held = await plans.find_entitlement(tx, page.caller.owner_id, product, page.now)
            plan = await _plan_on_sale(tx, product, tier)
            assert_may_have(held, plan)
    except Problem as problem:
        return await _refused(request, page, product, problem)
    timing = timing_of_change(held, plan)
    if timing is ChangeTiming.AT_ONCE:
        return await confirm(request, page, product, tier)
    return html(
        request,
        "customer/upgrade_confirm.html",
        shell=shell,
        product=product.value,
        product_name=_name_of(product),
        plan=plan,
        held=held.plan if held else None,
        when=when_words(held, plan, short=False),
        waits_for_payment=timing is ChangeTiming.WHEN_PAID,
        changes=differences(held.plan, plan) if held else [],
        support_url=support_url(f"{_name_of(product)}: activate {plan.name}"),
    )


@router.post("/confirm")
async def confirm(request: Request, page: Managing, product: ProductField, tier: TierField) -> Response:
    """Ask for the plan that was chosen."""
    try:
        async with page.database.transaction() as tx:
            change = await lifecycle.change_plan(
                tx, request.app.state.lifecycle, page.caller, product, tier, page.now
            )
    except Problem as problem:
        return await _refused(request, page, product, problem)
    return redirect(_back(product, _notice_of(change)))


@router.get("/cancel")
async def ask_cancel(request: Request, page: Managing) -> Response:
    """Ask before a plan is cancelled."""
    product = request.query_params.get("product", "")
    if product not in PRODUCTS:
        raise NotFound("There is no such product. Go back to your plans and choose one.")
    async with page.database.transaction() as tx:
        shell, _ = await page.shell(tx)
        held = await plans.get_entitlement(tx, page.caller.owner_id, product, page.now)
    return html(
        request,
        "customer/upgrade_cancel.html",
        shell=shell,
        product=product,
        product_name=_name_of(product),
        plan=held.plan,
        ends_at=held.period_end,
    )


@router.post("/cancel")
async def cancel(request: Request, page: Managing, product: ProductField) -> Response:
    """End a plan with its period."""
    try:
        async with page.database.transaction() as tx:
            await plans.request_cancellation(
                tx,
                page.caller.owner_id,
                product,
                page.caller.actor,
                page.now,
                address=page.caller.address,
            )
    except Problem as problem:
        return await _refused(request, page, product, problem)
    return redirect(_back(product, "cancelled"))


@router.post("/changes/{change_id}/withdraw")
async def withdraw(page: Managing, change_id: ChangeId) -> Response:
    """Take a change back that waits."""
    async with page.database.transaction() as tx:
        change = await plans.withdraw_change(
            tx, page.caller.owner_id, change_id, page.caller.actor, page.now, address=page.caller.address
        )
    return redirect(_back(change.product, "withdrawn"))


def when_words(held: Entitlement | None, plan: Plan, *, short: bool) -> str:
    """Say when a plan would count and what is until then; `short` is for a card that shows the price itself."""
    match timing_of_change(held, plan):
        case ChangeTiming.AT_ONCE:
            return "At once, without a payment."
        case ChangeTiming.AT_PERIOD_END:
            assert held is not None, "a step down is one from something"
            return f"On {_day(held.period_end)}; until then you keep {held.plan.name}."
    if held is None:
        meanwhile = "Until then you have the free plan."
    elif held.read_only:
        meanwhile = "Until then you can read what you made."
    else:
        meanwhile = f"Until then you keep {held.plan.name}."
    if short:
        return f"At once, after payment. {meanwhile}"
    if held is None or held.plan.free or held.read_only:
        period = "A month of its own begins on that day."
    else:
        period = f"Your period goes on until {_day(held.period_end)}, and what you used stays used."
    return f"At once, after payment of {plan.price_text}. {meanwhile} {period}"


async def _refused(request: Request, page: Page, product: str, problem: Problem) -> Response:
    """Show why a choice cannot be taken, where it was made."""
    if problem.status >= 500:
        raise problem
    return await _upgrade(request, page, product, problem)


async def _upgrade(request: Request, page: Page, product: str, problem: Problem | None = None) -> Response:
    may_manage = page.caller.may(Permission.BILLING_MANAGE)
    may_choose = may_manage and page.signed_in.user.verified
    async with page.database.transaction() as tx:
        shell, _ = await page.shell(tx)
        by_product = {
            one.plan.product: one for one in await plans.list_held(tx, page.caller.owner_id, page.now)
        }
        notices = await plans.list_notices(tx, page.caller.owner_id, page.now)
        holdings = [
            await _held_view(tx, page, one.product, one.name, by_product.get(one.product), notices)
            for one in plans.list_products()
        ]
        on_sale = await plans.list_plans(tx, product)
        held = by_product.get(product)
        change = await plans.find_open_change(tx, held) if held else None
    name = _name_of(product)
    cards = [_card(plan, name, held, change, may_choose=may_choose) for plan in on_sale]
    return html(
        request,
        "customer/upgrade.html",
        status=problem.status if problem else 200,
        shell=shell,
        product=product,
        product_name=name,
        holdings=holdings,
        plans=cards,
        comparison=comparison_of(product, name, on_sale, held.plan.tier if held else ""),
        withdrawable=WITHDRAWABLE,
        may_manage=may_manage,
        is_verified=page.signed_in.user.verified,
        support_url=support_url(f"{name}: activate a plan"),
        error=problem.message if problem else "",
        notice=NOTICES.get(request.query_params.get("notice", ""), ""),
    )


async def _held_view(
    tx: Transaction,
    page: Page,
    product: str,
    name: str,
    held: Entitlement | None,
    notices: Sequence[Notice],
) -> HeldView:
    if held is None:
        return HeldView(product, name, "", "", ("Not yet", ""), "", None, 0, None, [], may_cancel=False)
    quota = await plans.get_quota(tx, held, page.caller.mode, page.now)
    mine = [one for one in notices if one.product == product]
    is_ending = any(one.kind is NoticeKind.CANCEL for one in mine)
    turns, turns_on = _turn(held, is_ending=is_ending)
    return HeldView(
        product=product,
        name=name,
        plan=held.plan.name,
        price=held.plan.price_text,
        tag=("Ends", "warn") if is_ending else STATES[held.state],
        turns=turns,
        turns_on=turns_on,
        used=quota.requests_used,
        included=quota.requests_included,
        notices=mine,
        may_cancel=not (held.plan.free or held.read_only or any(one.kind in WITHDRAWABLE for one in mine)),
    )


def _turn(held: Entitlement, *, is_ending: bool) -> tuple[str, datetime | None]:
    """Say what the end of a period is to whoever holds the plan, and when that is."""
    end = held.subscription.trial_end
    if held.subscription.status is SubscriptionStatus.TRIALING and end is not None:
        return ("Ended" if held.read_only else "Ends"), end
    if held.read_only:
        return "", None
    if is_ending:
        return "Ends", held.period_end
    return ("Counts anew" if held.plan.free else "Renews"), held.period_end


def _card(
    plan: Plan,
    product_name: str,
    held: Entitlement | None,
    change: SubscriptionChange | None,
    *,
    may_choose: bool,
) -> PlanView:
    """Lay a plan out with what choosing it would do; who may not choose it sees the plan alone."""
    view = plan_view(plan)
    if change is not None and change.plan_version_id == plan.version_id:
        if change.status is ChangeStatus.PENDING_PAYMENT:
            return replace(view, tag="Waits for payment", mood="warn")
        assert change.effective_at is not None
        return replace(view, tag=f"From {_day(change.effective_at)}", mood="warn")
    if held is not None and held.plan.tier == plan.tier and not held.read_only:
        return replace(view, tag="Your plan", mood="accent", is_held=True)
    if plan.price_minor is None:
        return replace(view, url=support_url(f"{product_name}: the plan {plan.name}"), action=TALK_TO_US)
    if held is not None and plan.tier == FREE_TRIAL_TIER:
        return replace(view, note="Each customer has one free trial, and you had yours.")
    if change is not None and change.is_open:
        return replace(view, note="Another change waits: take it back first.")
    note = when_words(held, plan, short=True)
    if not may_choose:
        return replace(view, note=note)
    return replace(
        view, note=note, choose=f"{'Start' if plan.free and held is None else 'Choose'} {plan.name}"
    )


async def _plan_on_sale(tx: Transaction, product: str, tier: str) -> Plan:
    on_sale = await plans.list_plans(tx, product)
    found = next((plan for plan in on_sale if plan.tier == tier), None)
    if found is None:
        choices = ", ".join(plan.name for plan in on_sale)
        raise PlanUnknown(f"There is no such plan of {_name_of(product)}. On sale are: {choices}.")
    return found


def _notice_of(change: SubscriptionChange) -> str:
    if change.status is ChangeStatus.PENDING_PAYMENT:
        return "asked"
    return "started" if change.status is ChangeStatus.APPLIED else "scheduled"


def _back(product: str, notice: str) -> str:
    return f"/billing/upgrade?product={product}&notice={notice}"


def _name_of(product: str) -> str:
    return next(one.name for one in plans.list_products() if one.product == product)


def _day(moment: datetime) -> str:
    return f"{moment.day} {moment:%B %Y}"
