"""`/dashboard`: key, usage, free trial, last run and first steps; as a page and as JSON (A45, A46)."""

from dataclasses import dataclass, replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response

from tollway.audit import operations as audit
from tollway.customers.permissions import Permission, Scope, scopes_within
from tollway.keys import operations as keys
from tollway.keys.entities import ApiKey
from tollway.kit.db import Transaction
from tollway.kit.http import ReplayingRoute, refuse_cross_site
from tollway.kit.money import format_whole
from tollway.kit.problems import NotFound
from tollway.metering import operations as metering
from tollway.metering.entities import RecentCall
from tollway.plans import operations as plans
from tollway.plans.entities import Entitlement, Plan
from tollway.simulation import operations as simulation
from tollway.web.charts import Series, daily_bars
from tollway.web.customer.first_calls import first_calls
from tollway.web.pages import PRODUCT, Page, PageNeeds, SignedIn, html, is_htmx
from tollway.web.plan_views import PlanView, plan_view
from tollway.web.site import site_of

DAYS_SHOWN = 30
CALLS_SHOWN = 10
NOTICES = {"password_set": "Your password is saved."}

router = APIRouter(prefix="/dashboard", route_class=ReplayingRoute, include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Step:
    """One of the first steps, and whether it was taken."""

    done: bool
    title: str
    text: str
    url: str
    action: str


@router.get("")
async def show_dashboard(request: Request, page: SignedIn) -> Response:
    """Show how things stand."""
    if "text/html" not in request.headers.get("accept", "text/html"):
        return await _as_json(page)
    return await _as_page(request, page, is_key_shown=False)


async def _as_json(page: Page) -> JSONResponse:
    async with page.database.transaction() as tx:
        entitlement = await plans.get_entitlement(tx, page.caller.owner_id, PRODUCT, page.now)
        quota = await plans.get_quota(tx, entitlement, page.caller.mode, page.now)
        api_key = await keys.find_default_test_key(tx, page.caller.owner_id)
        runs = await simulation.list_runs(tx, page.caller, None, 1)
        on_sale = await plans.list_plans(tx, PRODUCT)
    included = "unlimited" if quota.requests_included is None else str(quota.requests_included)
    last_run = runs.items[0] if runs.items else None
    return JSONResponse(
        {
            "api_key": api_key.masked if api_key else None,
            "usage_this_month": f"{quota.requests_used} / {included} requests",
            "trial_days_remaining": entitlement.free_trial_days_remaining(page.now),
            "last_simulation": f"{last_run.created_at:%Y-%m-%d %H:%M:%S}" if last_run else None,
            "upgrade_options": [
                {"name": plan.name, "price": f"{format_whole(plan.price_minor, plan.currency)}/month"}
                for plan in _upgrades(on_sale, entitlement)
                if plan.price_minor is not None
            ],
        }
    )


@router.post("/key")
async def reveal_key(
    request: Request, page: Annotated[Page, Depends(PageNeeds(Permission.KEYS_MANAGE))]
) -> Response:
    """Show the test key whole; that it was shown is on record (X8)."""
    refuse_cross_site(request)
    async with page.database.transaction() as tx:
        api_key = await keys.find_default_test_key(
            tx, page.caller.owner_id, scopes=scopes_within(page.caller.permissions)
        )
        if api_key is None:
            raise NotFound(
                "There is no active test key that you may have shown. Make one on the page API keys."
            )
        secret = await keys.reveal_test_key(tx, request.app.state.sealer, api_key)
        await audit.record_entry(
            tx,
            action="api_key.revealed",
            customer_id=page.caller.owner_id,
            actor=f"user:{page.signed_in.user.public_id}",
            subject=api_key.key_id,
            address=page.caller.address,
            now=page.now,
            actor_name=page.signed_in.user.email,
            user_id=page.signed_in.user.id,
        )
    if is_htmx(request):
        return html(request, "customer/_secret.html", api_key=secret)
    return await _as_page(request, page, is_key_shown=True)


async def _as_page(request: Request, page: Page, *, is_key_shown: bool) -> Response:
    site = site_of(request)
    async with page.database.transaction() as tx:
        shell, entitlement = await page.shell(tx)
        # Samples carry the key only for whoever might have it shown.
        may_see = page.caller.may(Permission.KEYS_MANAGE)
        api_key = await keys.find_default_test_key(
            tx,
            page.caller.owner_id,
            scopes=scopes_within(page.caller.permissions) if may_see else frozenset(Scope),
        )
        secret = (
            await keys.reveal_test_key(tx, request.app.state.sealer, api_key)
            if api_key and may_see
            else "YOUR_API_KEY"
        )
        runs = await simulation.list_runs(tx, page.caller, None, 1)
        run_count = await simulation.count_runs(tx, page.caller)
        steps = await _steps(tx, page)
        days = await metering.list_day_totals(
            tx, page.caller.owner_id, page.caller.mode, DAYS_SHOWN, page.now
        )
        calls = await metering.list_recent_calls(tx, page.caller.owner_id, page.caller.mode, CALLS_SHOWN)
        on_sale = await plans.list_plans(tx, PRODUCT)
        plan_notices = await plans.list_notices(tx, page.caller.owner_id, page.now)
    last_run = runs.items[0] if runs.items else None
    return html(
        request,
        "customer/dashboard.html",
        shell=shell,
        api_key=secret if is_key_shown else _masked(api_key),
        is_key_shown=is_key_shown,
        used=shell.used,
        included=shell.included,
        resets_on=shell.resets_on,
        days_left=entitlement.free_trial_days_remaining(page.now),
        free_trial_days=site.free_trial_days,
        last_run=None
        if last_run is None
        else {
            "id": last_run.public_id,
            "model_name": last_run.model_name,
            "status": last_run.status.value,
            "created_at": last_run.created_at,
        },
        run_count=run_count,
        samples=first_calls(site.base_url, secret),
        steps=steps,
        are_steps_done=all(step.done for step in steps),
        request_chart=daily_bars(
            "requests",
            days=[one.day for one in days],
            series=[
                Series("Successful", [one.succeeded for one in days]),
                Series("Refused", [one.limited for one in days]),
                Series("Failed", [one.failed for one in days]),
            ],
            title="Requests, last 30 days",
        ),
        requests=[_call_view(call) for call in calls],
        plans=[_plan_card(plan, entitlement, page) for plan in on_sale],
        current_plan=entitlement.plan.name,
        plan_notices=plan_notices,
        welcome="welcome" in request.query_params,
        notice=NOTICES.get(request.query_params.get("notice", ""), ""),
    )


async def _steps(tx: Transaction, page: Page) -> list[Step]:
    has_model = bool((await simulation.list_models(tx, page.caller, None, 1)).items)
    return [
        Step(
            page.signed_in.user.verified,
            "Verify your address",
            "Enter the code we mailed; it starts your free trial.",
            "/verify",
            "Enter the code",
        ),
        Step(
            await metering.has_event(tx, page.caller.owner_id, "first_call"),
            "Make a first call",
            "Paste the curl line beside this list into a terminal.",
            "/docs/integration",
            "Read how",
        ),
        Step(has_model, "Upload a workbook", "Your own, or one of the samples.", "/models/upload", "Upload"),
        Step(
            await metering.has_event(tx, page.caller.owner_id, "first_result"),
            "Read a first result",
            "Mark inputs and outputs, and run.",
            "/models",
            "Run one",
        ),
    ]


def _call_view(call: RecentCall) -> dict[str, Any]:
    return {
        "status_code": call.status_code,
        "method": call.method,
        "path": call.endpoint,
        "api_key_hint": f"{call.key_id}…" if call.key_id else "page",
        "duration_ms": call.response_time_ms,
        "request_id": call.request_id,
        "at": call.request_timestamp,
    }


def _plan_card(plan: Plan, entitlement: Entitlement, page: Page) -> PlanView:
    view = plan_view(plan)
    if plan.tier == entitlement.plan.tier:
        return replace(view, tag="Your plan", mood="accent", is_held=True)
    may_look = page.caller.may(Permission.BILLING_VIEW)
    return replace(view, url="/billing/upgrade", action="See what changes") if may_look else view


def _masked(api_key: ApiKey | None) -> str:
    return api_key.masked if api_key else "none"


def _upgrades(on_sale: list[Plan], entitlement: Entitlement) -> list[Plan]:
    """List the plans above the one that is held."""
    return [plan for plan in on_sale if plan.rank > entitlement.plan.rank]
