"""`/`: what Tollway is, a demo that runs without an account, the plans, the sign-up form."""

from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from tollway.customers import flows as customers
from tollway.customers.entities import UseCase
from tollway.kit.http import ReplayingRoute, database_of, foreign_referrer, refuse_cross_site
from tollway.kit.problems import NotFound, Problem
from tollway.lifecycle.entities import ORIGIN_LENGTH_MAX
from tollway.plans import operations as plans
from tollway.plans.entities import PRODUCTS, Plan
from tollway.web.pages import PRODUCT, Visitor, html, is_htmx, visit_of
from tollway.web.plan_views import BY_ARRANGEMENT, GET_API_KEY, plan_view, price_of
from tollway.web.results import few_statistics, histogram_of, name_of
from tollway.web.samples import DEMO_ITERATIONS, SampleRun, SampleRuns, find_sample, sample_views
from tollway.web.site import site_of

HERO_SAMPLE = "portfolio"
HERO_SEED = 7
ORIGIN_PARAMETERS = ("utm_source", "utm_campaign", "ref", "campaign")
XLSX_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

router = APIRouter(route_class=ReplayingRoute, include_in_schema=False)


@router.get("/")
async def show_landing(request: Request, visitor: Visitor) -> Response:
    """Show the front page."""
    return await _landing(request, visitor)


@router.post("/demo")
async def run_demo(
    request: Request, visitor: Visitor, sample: Annotated[str, Form()] = HERO_SAMPLE
) -> Response:
    """Run a sample without an account, a bounded number of times for each address."""
    refuse_cross_site(request)
    try:
        await customers.count_demo_run(database_of(request), visit_of(request))
        demo = demo_view(await runs_of(request).run(sample), "demo")
        status = 200
    except Problem as problem:
        if problem.status >= 500 and problem.status != 503:
            raise
        demo, status = {"problem": problem.message}, problem.status
    if is_htmx(request):
        return html(request, "public/_demo_result.html", status=status, demo=demo)
    return await _landing(request, visitor, demo, status)


@router.get("/samples/{filename}")
async def download_sample(filename: str) -> Response:
    """Download a sample workbook (A38)."""
    name, _, suffix = filename.partition(".")
    if suffix != "xlsx":
        raise NotFound("Samples are downloaded as NAME.xlsx.")
    sample = find_sample(name)
    headers = {"Content-Disposition": f'attachment; filename="{sample.filename}"'}
    return Response(sample.to_bytes(), media_type=XLSX_TYPE, headers=headers)


def runs_of(request: Request) -> SampleRuns:
    """Give a handler what runs samples."""
    runs = request.app.state.sample_runs
    assert isinstance(runs, SampleRuns)
    return runs


def demo_view(run: SampleRun, chart_id: str) -> dict[str, Any]:
    """Lay a finished run of a sample out for public/_demo_result.html."""
    return {
        "problem": None,
        "workbook": run.sample.filename,
        "output_name": name_of(run.summary),
        "output_cell": run.summary["cell"],
        "iterations": DEMO_ITERATIONS,
        "seed": run.seed,
        "seconds": run.seconds,
        "histogram": histogram_of(run.summary, f"{chart_id}-histogram", interactive=chart_id != "hero"),
        "statistics": few_statistics(run.summary),
    }


async def _landing(
    request: Request, visitor: Visitor, demo: dict[str, Any] | None = None, status: int = 200
) -> Response:
    site = site_of(request)
    async with database_of(request).transaction() as tx:
        on_sale: dict[str, list[Plan]] = {
            product: await plans.list_plans(tx, product) for product in PRODUCTS
        }
    hero = await runs_of(request).show(HERO_SAMPLE, HERO_SEED)
    return html(
        request,
        "public/landing.html",
        status=status,
        hero=demo_view(hero, "hero"),
        samples=sample_views(),
        demo=demo,
        demo_iterations=DEMO_ITERATIONS,
        plans=[plan_view(plan, url="#signup", action=GET_API_KEY) for plan in on_sale[PRODUCT]],
        products=[_overview(one.product, one.name, on_sale[one.product]) for one in plans.list_products()],
        use_cases=[one.value for one in UseCase],
        values={},
        errors={},
        free_trial_days=site.free_trial_days,
        base_url=site.base_url,
        signed_in=visitor is not None,
        signup_url=signup_url(request),
    )


def signup_url(request: Request) -> str:
    """Return where the sign-up form goes, with what brought the visitor here (A34): campaign and foreign page."""
    known = {name: request.query_params[name] for name in ORIGIN_PARAMETERS if name in request.query_params}
    if referrer := foreign_referrer(request):
        known.setdefault("ref", referrer[:ORIGIN_LENGTH_MAX])
    return "/signup" + (f"?{urlencode(known)}" if known else "")


def _overview(product: str, name: str, on_sale: list[Plan]) -> dict[str, str]:
    """Lay a product out as one line of the table that compares the three."""
    free = next(plan for plan in on_sale if plan.free)
    prices = [price_of(plan) for plan in on_sale if not plan.free]
    return {
        "url": f"/api-pricing#{product}",
        "name": name,
        "free": ", ".join(plan_view(free).features[:2]),
        "prices": ", ".join(one if one != BY_ARRANGEMENT else "by arrangement" for one in prices),
    }
