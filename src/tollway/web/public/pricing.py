"""`/api-pricing`: every plan of every product side by side, what is sold beside them, and answers about both."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from tollway.customers.callers import SessionCaller
from tollway.customers.permissions import Permission
from tollway.kit.http import ReplayingRoute, database_of
from tollway.plans import operations as plans
from tollway.plans.entities import FREE_TRIAL_TIER, PRODUCTS, UNVERIFIED_REQUESTS_INCLUDED, Plan
from tollway.web.pages import PRODUCT, Visitor, html
from tollway.web.plan_views import (
    GET_API_KEY,
    TALK_TO_US,
    PlanView,
    comparison_of,
    extra_price,
    plan_view,
    support_url,
)
from tollway.web.public.landing import signup_url
from tollway.web.site import site_of

# The table of docs/guides/limits.md; tests/web/public/test_pricing.py compares the two.
COUNTED = (
    ("upload a workbook", "1"),
    ("start a run; each run of a batch", "1"),
    ("seek a goal", "1"),
    ("everything else: health, documentation, lists, progress, results, downloads, deletes", "0"),
)

router = APIRouter(route_class=ReplayingRoute, include_in_schema=False)


@router.get("/api-pricing")
async def show_pricing(request: Request, visitor: Visitor) -> Response:
    """Show all prices and limits; nobody needs to sign in for them."""
    url = get_key_url(request, visitor)
    async with database_of(request).transaction() as tx:
        on_sale: dict[str, list[Plan]] = {
            product: await plans.list_plans(tx, product) for product in PRODUCTS
        }
        arranged = await plans.list_by_arrangement(tx)
    products = plans.list_products()
    names = {one.product: one.name for one in products}
    return html(
        request,
        "public/pricing.html",
        products=[
            {
                "comparison": comparison_of(one.product, one.name, on_sale[one.product]),
                "plans": [_card(plan, one.name, url, visitor) for plan in on_sale[one.product]],
                "extras": [(extra.name, extra.description, extra_price(extra)) for extra in one.extras],
                "extras_url": support_url(f"{one.name}: add-ons"),
                "key_prefixes": one.key_prefixes,
            }
            for one in products
        ],
        arranged=[(names[plan.product], plan, _contact_url(plan, names[plan.product])) for plan in arranged],
        talk_to_us=TALK_TO_US,
        counted=COUNTED,
        free_trial=next((plan for plan in on_sale[PRODUCT] if plan.tier == FREE_TRIAL_TIER), None),
        free_trial_days=site_of(request).free_trial_days,
        unverified_requests=UNVERIFIED_REQUESTS_INCLUDED,
        get_key=GET_API_KEY,
        get_key_url=url,
        signed_in=visitor is not None,
    )


def get_key_url(request: Request, visitor: SessionCaller | None) -> str:
    """Return where a visitor gets an API key: the sign-up form, or their own plans once they are here."""
    if visitor is None:
        return signup_url(request)
    may_look = visitor.customer is not None and visitor.as_caller(request.scope["client_address"]).may(
        Permission.BILLING_VIEW
    )
    return "/billing/upgrade" if may_look else "/dashboard"


def _card(plan: Plan, product_name: str, url: str, visitor: SessionCaller | None) -> PlanView:
    if plan.price_minor is None:
        return plan_view(plan, url=_contact_url(plan, product_name), action=TALK_TO_US)
    if url == "/billing/upgrade":
        url = f"{url}?product={plan.product}"
    return plan_view(plan, url=url, action="Choose" if visitor else GET_API_KEY)


def _contact_url(plan: Plan, product_name: str) -> str:
    return support_url(f"{product_name}: the plan {plan.name}")
