"""`/admin/settings`: what is configured, what an owner should look at, and which plans are on sale."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from tollway.administration import operations as reading
from tollway.kit.http import ReplayingRoute
from tollway.web.admin.frame import SettingsSeen, admin_shell
from tollway.web.pages import html
from tollway.web.site import site_of

router = APIRouter(prefix="/admin/settings", route_class=ReplayingRoute, include_in_schema=False)


@router.get("")
async def show_settings(request: Request, page: SettingsSeen) -> Response:
    """Show every setting with secrets masked, what was found, and the versions of plans."""
    installation = site_of(request).installation
    async with page.database.transaction() as tx:
        shell = await admin_shell(page, tx)
        versions = await reading.list_plan_versions(tx)
    return html(
        request,
        "admin/settings.html",
        shell=shell,
        findings=await installation.examine(),
        settings=installation.settings,
        versions=versions,
    )
