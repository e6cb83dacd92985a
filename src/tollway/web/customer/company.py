"""`/company`: the company's name, and what stands on its invoices."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import Response

from tollway.customers import details_operations as details
from tollway.customers.details_operations import CompanyDetails
from tollway.customers.permissions import Permission
from tollway.kit.http import ReplayingRoute
from tollway.kit.problems import Problem
from tollway.web.pages import Page, PageNeeds, field_errors, html, redirect

ADDRESS_PARTS = ("line1", "line2", "postal_code", "city", "region", "country")
NOTICES = {"saved": "The details are saved."}

router = APIRouter(prefix="/company", route_class=ReplayingRoute, include_in_schema=False)

Managing = Annotated[Page, Depends(PageNeeds(Permission.CUSTOMER_MANAGE))]


@router.get("")
async def show_company(request: Request, page: Managing) -> Response:
    """Show the details, with what is sealed opened."""
    return await _form(request, page)


@router.post("")
async def save_company(
    request: Request,
    page: Managing,
    name: Annotated[str, Form()] = "",
    billing_email: Annotated[str, Form()] = "",
    tax_id: Annotated[str, Form()] = "",
    line1: Annotated[str, Form()] = "",
    line2: Annotated[str, Form()] = "",
    postal_code: Annotated[str, Form()] = "",
    city: Annotated[str, Form()] = "",
    region: Annotated[str, Form()] = "",
    country: Annotated[str, Form()] = "",
) -> Response:
    """Keep the details; an address that is empty altogether is none."""
    address = dict(zip(ADDRESS_PARTS, (line1, line2, postal_code, city, region, country), strict=True))
    try:
        kept = CompanyDetails.checked(name, billing_email, tax_id, address)
        async with page.database.transaction() as tx:
            await details.change_details(tx, request.app.state.sealer, page.caller, kept, page.now)
    except Problem as problem:
        if problem.status != 422:
            raise
        values = {"name": name, "billing_email": billing_email, "tax_id": tax_id} | address
        return await _form(request, page, problem, values)
    return redirect("/company?notice=saved")


async def _form(
    request: Request, page: Page, problem: Problem | None = None, values: dict[str, str] | None = None
) -> Response:
    async with page.database.transaction() as tx:
        shell, _ = await page.shell(tx)
        kept = await details.get_details(tx, request.app.state.sealer, page.caller.owner_id)
    errors = {} if problem is None else field_errors(problem)
    return html(
        request,
        "customer/company.html",
        problem.status if problem else 200,
        shell=shell,
        values=values or _values_of(kept),
        errors={name.removeprefix("billing_address."): text for name, text in errors.items()},
        countries=details.countries(),
        notice=NOTICES.get(request.query_params.get("notice", ""), ""),
    )


def _values_of(kept: CompanyDetails) -> dict[str, str]:
    address = kept.billing_address.parts() if kept.billing_address else dict.fromkeys(ADDRESS_PARTS, "")
    return {
        "name": kept.company_name,
        "billing_email": kept.billing_email,
        "tax_id": kept.tax_id or "",
    } | address
