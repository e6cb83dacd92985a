"""What comes after a password: the second factor, and proving once more who one is."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from tollway.authentication import flows as authentication
from tollway.authentication.entities import FactorKeys
from tollway.kit.cookies import read_session_cookie
from tollway.kit.http import ReplayingRoute, database_of, refuse_cross_site
from tollway.kit.problems import Problem, TooMany
from tollway.lifecycle import flows
from tollway.web.pages import Own, Page, field_errors, html, redirect, visit_of
from tollway.web.public.account import parts_of, passwords_of, safe_path, with_session
from tollway.web.site import site_of

router = APIRouter(prefix="/signin", route_class=ReplayingRoute, include_in_schema=False)


def factor_keys_of(request: Request) -> FactorKeys:
    """Give a handler what second factors are checked with."""
    return FactorKeys(request.app.state.sealer, request.app.state.code_key)


# The second factor --------------------------------------------------------------------------------


@router.get("/second-factor")
async def show_second_factor(request: Request, next: str = "") -> Response:  # noqa: A002 - the name in the address
    """Ask for a code, where this browser's session waits for one."""
    found = await authentication.find_unproven_session(
        database_of(request), _secret(request), visit_of(request)
    )
    if found is None:
        return redirect("/signin")
    return _second_factor_form(request, next)


@router.post("/second-factor")
async def enter_second_factor(
    request: Request,
    code: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "",  # noqa: A002 - the field's name
) -> Response:
    """Let the session in."""
    refuse_cross_site(request)
    try:
        admitted = await authentication.show_second_factor(
            database_of(request), factor_keys_of(request), _secret(request), code, visit_of(request)
        )
    except Problem as problem:
        if problem.status not in (422, 429):
            raise
        return _second_factor_form(request, next, problem)
    return with_session(request, redirect(safe_path(next)), admitted.session_secret)


def _second_factor_form(request: Request, next_path: str, problem: Problem | None = None) -> Response:
    return html(
        request,
        "public/second_factor.html",
        status=problem.status if problem else 200,
        next=safe_path(next_path),
        errors={} if problem is None else field_errors(problem, whole="code"),
    )


def _secret(request: Request) -> str | None:
    return read_session_cookie(request, secure=site_of(request).secure)


# Once more ----------------------------------------------------------------------------------------


@router.get("/again")
async def show_again(request: Request, page: Own, next: str = "") -> Response:  # noqa: A002 - likewise
    """Ask a signed-in person to prove once more who they are."""
    if page.signed_in.session.is_fresh(page.now):
        return redirect(safe_path(next))
    return _again_form(request, page, next)


@router.post("/again")
async def prove_again(
    request: Request,
    page: Own,
    password: Annotated[str, Form()] = "",
    mailed_code: Annotated[str, Form()] = "",
    code: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "",  # noqa: A002 - likewise
) -> Response:
    """Take them as present for a while, and lead on to where they were asked."""
    try:
        await authentication.prove_again(
            page.database,
            passwords_of(request),
            factor_keys_of(request),
            page.signed_in,
            visit_of(request),
            password=password,
            mailed_code=mailed_code,
            factor_code=code,
        )
    except Problem as problem:
        if problem.status >= 500:
            raise
        return _again_form(request, page, next, problem, mailed=bool(mailed_code))
    return redirect(safe_path(next))


@router.post("/again/mail")
async def mail_code(request: Request, page: Own, next: Annotated[str, Form()] = "") -> Response:  # noqa: A002 - likewise
    """Mail a code that proves as much as the password."""
    try:
        await flows.request_sign_in(
            page.database, parts_of(request), page.signed_in.user.email, visit_of(request)
        )
    except TooMany as problem:
        return _again_form(request, page, next, problem, mailed=True)
    return _again_form(request, page, next, mailed=True)


def _again_form(
    request: Request, page: Page, next_path: str, problem: Problem | None = None, *, mailed: bool = False
) -> Response:
    user = page.signed_in.user
    return html(
        request,
        "public/sign_in_again.html",
        status=problem.status if problem else 200,
        next=safe_path(next_path),
        email=user.email,
        verified=user.verified,
        has_password=user.has_password and not mailed,
        has_second_factor=user.has_second_factor,
        mailed=mailed,
        outbox_url="/outbox" if site_of(request).outbox_shown else "",
        errors={} if problem is None else field_errors(problem),
        signed_in=True,
    )
