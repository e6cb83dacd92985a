"""Hangs the pages into an application: routers, static files, and what their handlers find in its state."""

from pathlib import Path

from fastapi import FastAPI
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from tollway.customers.flows import Passwords
from tollway.metering.report_flows import CallFeed
from tollway.web.admin.routers import ADMIN_ROUTERS
from tollway.web.customer import (
    activity,
    api_keys,
    company,
    dashboard,
    fit_pages,
    goal_seek_pages,
    mark_parts,
    marking_pages,
    model_pages,
    profile,
    requests,
    run_outputs,
    run_pages,
    scenario_pages,
    security,
    study_pages,
    team,
    tickets,
    upgrade,
    usage,
    webhooks,
    your_data,
)
from tollway.web.public import (
    account,
    docs,
    invitation,
    landing,
    outbox,
    pricing,
    recover,
    reference,
    second_factor,
    start,
    support,
)
from tollway.web.samples import SampleRuns
from tollway.web.site import Site

STATIC_FOLDER = Path(__file__).parent / "static"
# Their addresses carry a hash of their content, so a browser may keep them for ever.
STATIC_CACHE = "public, max-age=31536000, immutable"
ROUTERS = (
    landing.router,
    pricing.router,
    account.router,
    second_factor.router,
    recover.router,
    invitation.router,
    start.router,
    # Before the guides, whose addresses are patterns that its own would fit.
    reference.router,
    docs.router,
    support.router,
    tickets.router,
    outbox.router,
    dashboard.router,
    model_pages.router,
    marking_pages.router,
    mark_parts.router,
    fit_pages.router,
    scenario_pages.router,
    goal_seek_pages.router,
    # Before the runs, whose address of one is a pattern that a comparison would fit.
    study_pages.router,
    run_pages.router,
    run_outputs.router,
    usage.router,
    requests.router,
    api_keys.router,
    webhooks.router,
    upgrade.router,
    team.router,
    profile.router,
    security.router,
    activity.router,
    company.router,
    your_data.router,
    *ADMIN_ROUTERS,
)


class _KeptStaticFiles(StaticFiles):
    async def get_response(self, path: str, scope: Scope) -> Response:
        """Serve a file with permission to keep it."""
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = STATIC_CACHE
        return response


def mount_pages(api: FastAPI) -> None:
    """Add every page to `api`; what their handlers find in its state, `open_site` puts there."""
    for router in ROUTERS:
        api.include_router(router)
    api.mount("/static", _KeptStaticFiles(directory=STATIC_FOLDER))


def open_site(api: FastAPI, site: Site, passwords: Passwords) -> None:
    """Put what pages need into the state of `api`, which must hold `database`, `sealer`, `lifecycle` and `workshop`."""
    api.state.site = site
    api.state.passwords = passwords
    api.state.sample_runs = SampleRuns()
    api.state.call_feed = CallFeed()
    api.state.render_signup = account.render_sign_up
