"""`/start`: a customer of one's own, for somebody who is signed in and belongs to none."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from tollway.customers import operations as customers
from tollway.customers.entities import UseCase
from tollway.kit.http import ReplayingRoute
from tollway.kit.problems import Problem
from tollway.lifecycle import operations as lifecycle
from tollway.web.pages import Own, Page, field_errors, html, redirect, visit_of
from tollway.web.public.account import parts_of

router = APIRouter(prefix="/start", route_class=ReplayingRoute, include_in_schema=False)


@router.get("")
async def show_start(request: Request, page: Own) -> Response:
    """Show what somebody can do who was invited once and belongs to no team any more."""
    return _form(request, page)


@router.post("")
async def start_customer(
    request: Request,
    page: Own,
    company: Annotated[str, Form()] = "",
    use_case: Annotated[str, Form()] = "",
) -> Response:
    """Make a customer, and go to its dashboard."""
    try:
        async with page.database.transaction() as tx:
            customer = await lifecycle.start_customer(
                tx, parts_of(request), page.signed_in.user, company, use_case, visit_of(request)
            )
            await customers.look_at_customer(
                tx, page.signed_in.session.id, page.signed_in.user.id, customer.public_id
            )
    except Problem as problem:
        if problem.status not in (409, 422):
            raise
        return _form(request, page, problem, {"company": company, "use_case": use_case})
    return redirect("/dashboard")


def _form(
    request: Request, page: Page, problem: Problem | None = None, values: dict[str, str] | None = None
) -> Response:
    return html(
        request,
        "public/start.html",
        status=problem.status if problem else 200,
        email=page.signed_in.user.email,
        administers=page.signed_in.user.user_type.administers,
        belongs=page.signed_in.customer is not None,
        use_cases=[one.value for one in UseCase],
        values=values or {},
        errors={} if problem is None else field_errors(problem),
        signed_in=True,
    )
