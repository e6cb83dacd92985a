"""Activity: what was done for or to the customer, as a page and as a file."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from tollway.audit import flows as audit_flows
from tollway.audit.entities import Entry
from tollway.customers.permissions import Permission
from tollway.kit.db import Transaction
from tollway.kit.http import ReplayingRoute
from tollway.kit.paging import Page as Listed
from tollway.kit.problems import Invalid
from tollway.lifecycle import activity_operations as activity
from tollway.web.audit_lists import AskedFor, csv_response, list_context
from tollway.web.pages import Page, PageNeeds, html

PAGE_SIZE = 50

router = APIRouter(route_class=ReplayingRoute, include_in_schema=False)
Reader = Annotated[Page, Depends(PageNeeds(Permission.ACTIVITY_VIEW))]


@router.get("/activity")
async def list_activity(request: Request, page: Reader, cursor: str | None = None) -> Response:
    """List the customer's entries, newest first, chosen by the form."""
    asked = AskedFor.by(request)
    found: Listed[Entry] = Listed([], None)
    problem: Invalid | None = None
    async with page.database.transaction() as tx:
        shell, _ = await page.shell(tx)
        try:
            chosen = asked.chosen
        except Invalid as failure:
            problem = failure
        else:
            found = await activity.list_activity(tx, page.caller.owner_id, chosen, cursor, PAGE_SIZE)
    return html(
        request,
        "customer/activity.html",
        problem.status if problem else 200,
        shell=shell,
        **list_context(request, asked, found, problem),
    )


@router.get("/activity.csv")
async def download_activity(request: Request, page: Reader) -> Response:
    """Download what the form chooses."""
    customer_id, chosen = page.caller.owner_id, AskedFor.by(request).chosen

    async def read(tx: Transaction, cursor: str | None, limit: int) -> Listed[Entry]:
        return await activity.list_activity(tx, customer_id, chosen, cursor, limit)

    return csv_response(audit_flows.write_csv(page.database, read), "activity", page.now)
