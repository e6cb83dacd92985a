"""`/admin`: how the installation stands."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from tollway.administration import operations as reading
from tollway.alerts import operations as alerts
from tollway.kit.http import ReplayingRoute
from tollway.web.admin.frame import CustomersSeen, admin_shell
from tollway.web.pages import html

router = APIRouter(prefix="/admin", route_class=ReplayingRoute, include_in_schema=False)


@router.get("")
async def show_overview(request: Request, page: CustomersSeen) -> Response:
    """Show counts of customers, tickets that wait, what failed lately, and who came last."""
    async with page.database.transaction() as tx:
        return html(
            request,
            "admin/overview.html",
            shell=await admin_shell(page, tx),
            counts=await reading.get_counts(tx, page.now),
            open_alerts=await alerts.count_open(tx),
            newest=await reading.list_newest_customers(tx, page.now),
        )
