"""`/data`: take everything away as one file, or erase it for good."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import Response, StreamingResponse

from tollway.customers.permissions import Permission
from tollway.kit.cookies import clear_session_cookie
from tollway.kit.http import ReplayingRoute
from tollway.kit.problems import Invalid, Problem
from tollway.lifecycle import erasure_operations as erasure
from tollway.lifecycle import export_flows
from tollway.lifecycle import export_operations as exports
from tollway.lifecycle.entities import EXPORT_KEPT_DAYS, EXPORTS_PER_DAY_MAX, ExportStatus
from tollway.web.pages import Page, PageNeeds, Visitor, field_errors, html, redirect
from tollway.web.site import site_of

NOTICES = {"asked": "The export is being made. A mail tells every owner when it is ready."}

router = APIRouter(prefix="/data", route_class=ReplayingRoute, include_in_schema=False)

Exporting = Annotated[Page, Depends(PageNeeds(Permission.DATA_EXPORT, proven=True))]
Erasing = Annotated[Page, Depends(PageNeeds(Permission.DATA_ERASE, proven=True))]


@router.get("")
async def show_data(request: Request, page: Exporting) -> Response:
    """Show the exports, and the ways to another one and out."""
    return await _data(request, page)


@router.post("/export")
async def request_export(request: Request, page: Exporting) -> Response:
    """Ask for an export."""
    try:
        async with page.database.transaction() as tx:
            await exports.request_export(tx, page.caller, page.now)
    except Problem as problem:
        if problem.status not in (403, 409, 429):
            raise
        return await _data(request, page, problem)
    return redirect("/data?notice=asked")


@router.get("/exports/{export_id}/download")
async def download_export(request: Request, page: Exporting, export_id: str) -> Response:
    """Send the file of an export."""
    pieces, headers = await export_flows.open_export(
        page.database, request.app.state.blobs, page.caller, export_id, page.now
    )
    return StreamingResponse(pieces, media_type="application/zip", headers=headers)


@router.get("/erase")
async def show_erase(request: Request, page: Erasing) -> Response:
    """Say what erasing deletes and what it leaves, and ask for the company's name."""
    return await _erase(request, page)


@router.post("/erase")
async def erase(request: Request, page: Erasing, company_name: Annotated[str, Form()] = "") -> Response:
    """Erase the customer; whoever did is a stranger afterwards."""
    try:
        async with page.database.transaction() as tx:
            await erasure.erase_customer(tx, page.caller, company_name, page.now)
    except Invalid as problem:
        return await _erase(request, page, problem)
    response = redirect("/data/erased")
    clear_session_cookie(response, secure=site_of(request).secure)
    return response


@router.get("/erased")
async def show_erased(request: Request, visitor: Visitor) -> Response:
    """Say that everything is gone, to whoever comes here."""
    return html(request, "public/erased.html", signed_in=visitor is not None)


async def _data(request: Request, page: Page, problem: Problem | None = None) -> Response:
    async with page.database.transaction() as tx:
        shell, _ = await page.shell(tx)
        found = await exports.list_exports(tx, page.caller.owner_id)
    return html(
        request,
        "customer/your_data.html",
        problem.status if problem else 200,
        shell=shell,
        exports=found,
        is_under_way=any(one.status is ExportStatus.QUEUED for one in found),
        is_verified=page.caller.verified,
        kept_days=EXPORT_KEPT_DAYS,
        per_day_max=EXPORTS_PER_DAY_MAX,
        failure=problem.message if problem else "",
        notice=NOTICES.get(request.query_params.get("notice", ""), ""),
    )


async def _erase(request: Request, page: Page, problem: Problem | None = None) -> Response:
    async with page.database.transaction() as tx:
        shell, _ = await page.shell(tx)
    return html(
        request,
        "customer/erase.html",
        problem.status if problem else 200,
        shell=shell,
        is_verified=page.caller.verified,
        errors={} if problem is None else field_errors(problem),
    )
