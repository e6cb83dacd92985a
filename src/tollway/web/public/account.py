"""Sign up, verify, sign in, sign out, set a password."""

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from tollway.customers import operations as customers
from tollway.customers.entities import (
    CODE_MINUTES,
    SESSION_DAYS,
    ChallengePurpose,
    CodeExpired,
    CodeUsedUp,
    LinkExpired,
    LinkUsed,
    UseCase,
)
from tollway.customers.flows import Passwords
from tollway.kit.cookies import clear_session_cookie, set_session_cookie
from tollway.kit.http import ReplayingRoute, database_of, refuse_cross_site
from tollway.kit.problems import Conflict, NotFound, Problem, TooMany, Unauthenticated
from tollway.lifecycle import flows, operations
from tollway.lifecycle.entities import LifecycleParts, SignedIn
from tollway.web.pages import Own, Visitor, field_errors, html, received_at, redirect, visit_of
from tollway.web.site import site_of

NOTICES = {
    "signed_out": "You are signed out.",
    "password_reset": "Your new password is saved. Sign in with it.",
    "email_changed": "Your new address is confirmed. Sign in with it from now on.",
}

router = APIRouter(route_class=ReplayingRoute, include_in_schema=False)


def parts_of(request: Request) -> LifecycleParts:
    """Give a handler what sign-up and sign-in need."""
    parts = request.app.state.lifecycle
    assert isinstance(parts, LifecycleParts)
    return parts


def passwords_of(request: Request) -> Passwords:
    """Give a handler the bounded executor that hashes passwords."""
    passwords = request.app.state.passwords
    assert isinstance(passwords, Passwords)
    return passwords


@router.get("/signup")
async def show_sign_up(request: Request) -> Response:
    """Show the sign-up form alone."""
    return render_sign_up(request, {}, {})


def render_sign_up(request: Request, values: dict[str, str], errors: dict[str, str]) -> Response:
    """Show the sign-up form with what was typed and what is wrong with it; `lifecycle` answers with it."""
    return html(
        request,
        "public/signup.html",
        use_cases=[one.value for one in UseCase],
        values=values,
        errors=errors,
        signup_url=str(request.url.path) + (f"?{request.url.query}" if request.url.query else ""),
        free_trial_days=site_of(request).free_trial_days,
    )


# Verify -------------------------------------------------------------------------------------------


@router.get("/verify")
async def show_verify(request: Request, visitor: Visitor, token: str = "") -> Response:
    """Show what the mailed link does, or ask for the code."""
    if token:
        try:
            await flows.check_link(database_of(request), token, ChallengePurpose.VERIFY, visit_of(request))
        except LinkExpired as problem:
            return _expired(request, problem, token)
        except LinkUsed:
            # Whoever opens it twice is led to where it led.
            return redirect("/dashboard" if visitor else "/signin")
        return link_page(
            request, "Verify your address", "One press, and this address is proven to be yours.", "Verify",
            "/verify/open", token,
        )  # fmt: skip
    if visitor is None:
        return redirect("/signin?next=/verify")
    if visitor.user.verified:
        return redirect("/dashboard")
    return await _verify_form(request, visitor.user.email, visitor=visitor)


@router.post("/verify/open")
async def verify_by_link(request: Request, visitor: Visitor, token: Annotated[str, Form()] = "") -> Response:
    """Verify by the mailed link, which is spent by it."""
    refuse_cross_site(request)
    try:
        verified = await flows.verify_by_link(
            database_of(request), parts_of(request), token, visitor, visit_of(request)
        )
    except LinkExpired as problem:
        return _expired(request, problem, token)
    return with_session(request, redirect("/dashboard?welcome=1"), verified.session_secret)


def link_page(request: Request, title: str, sentence: str, button: str, action: str, token: str) -> Response:
    """Show what a mailed link does, with one button that does it.

    Opening a link spends nothing: programs that read mails before people do open every one.
    """
    return html(
        request,
        "public/link.html",
        link_title=title,
        sentence=sentence,
        button=button,
        action=action,
        token=token,
    )


def _expired(request: Request, problem: Problem, token: str) -> Response:
    return html(
        request, "public/link_expired.html", status=problem.status, message=problem.message, token=token
    )


@router.post("/verify")
async def verify_by_code(request: Request, page: Own, code: Annotated[str, Form()] = "") -> Response:
    """Verify by the 6-digit code."""
    refuse_cross_site(request)
    if page.signed_in.user.verified:
        # Administrators and people who were invited have no customer that signed up.
        return redirect("/dashboard")
    try:
        verified = await flows.verify_by_code(
            page.database, parts_of(request), page.signed_in, code, visit_of(request)
        )
    except (CodeExpired, CodeUsedUp) as problem:
        return await _verify_form(request, page.signed_in.user.email, problem, visitor=page.signed_in)
    except Problem as problem:
        if problem.status != 422:
            raise
        return await _verify_form(request, page.signed_in.user.email, problem, visitor=page.signed_in)
    return with_session(request, redirect("/dashboard?welcome=1"), verified.session_secret)


@router.post("/verify/renew")
async def renew_link(request: Request, token: Annotated[str, Form()] = "") -> Response:
    """Mail a new link in place of one that is too old, whatever browser it was opened in."""
    refuse_cross_site(request)
    sent = await flows.resend_by_link(database_of(request), parts_of(request), token, visit_of(request))
    if not sent:
        return redirect("/signin")
    return html(
        request,
        "public/link_expired.html",
        message="A new link is on its way to the same address. It works for a day.",
        token="",
    )


@router.post("/verify/resend")
async def resend_code(request: Request, page: Own) -> Response:
    """Mail a new link and code."""
    refuse_cross_site(request)
    try:
        sent = await flows.resend_verification(
            page.database, parts_of(request), page.signed_in.user.id, visit_of(request)
        )
    except TooMany as problem:
        return await _verify_form(request, page.signed_in.user.email, problem, visitor=page.signed_in)
    if not sent:
        return redirect("/dashboard")
    return await _verify_form(request, page.signed_in.user.email, resent=True, visitor=page.signed_in)


async def _verify_form(
    request: Request, email: str, problem: Problem | None = None, *, resent: bool = False, visitor: Visitor
) -> Response:
    wait = 0
    if visitor is not None:
        async with database_of(request).transaction() as tx:
            wait = await customers.seconds_until_verify_mail(tx, visitor.user, received_at(request))
    return html(
        request,
        "public/verify.html",
        status=problem.status if problem else 200,
        email=email,
        errors={} if problem is None else field_errors(problem, whole="code"),
        resent=resent,
        resend_wait_seconds=wait,
        expires_minutes=CODE_MINUTES,
        outbox_url="/outbox" if site_of(request).outbox_shown else "",
        signed_in=visitor is not None,
    )


# Sign in ------------------------------------------------------------------------------------------


@router.get("/signin")
async def show_sign_in(request: Request, next: str = "", notice: str = "") -> Response:  # noqa: A002 - the name in the address
    """Show the sign-in form."""
    return _sign_in_form(request, next_path=next, notice=NOTICES.get(notice, ""))


@router.post("/signin")
async def sign_in_by_password(
    request: Request,
    visitor: Visitor,
    email: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "",  # noqa: A002 - the field's name
) -> Response:
    """Sign in with address and password."""
    refuse_cross_site(request)
    try:
        signed_in = await flows.sign_in_by_password(
            database_of(request),
            parts_of(request),
            passwords_of(request),
            email,
            password,
            visitor,
            visit_of(request),
        )
    except (Unauthenticated, TooMany) as problem:
        return _sign_in_form(request, problem, {"email": email}, next_path=next)
    return _go_on(request, signed_in, safe_path(next))


@router.post("/signin/link")
async def mail_sign_in_link(request: Request, email: Annotated[str, Form()] = "") -> Response:
    """Mail a link and a code that sign in; the same answer for known and unknown addresses."""
    refuse_cross_site(request)
    try:
        await flows.request_sign_in(database_of(request), parts_of(request), email, visit_of(request))
    except Problem as problem:
        if problem.status not in (422, 429):
            raise
        return _sign_in_form(request, problem, {"email": email})
    return _check_mail(request, email)


@router.post("/signin/code")
async def sign_in_by_code(
    request: Request, visitor: Visitor, email: Annotated[str, Form()] = "", code: Annotated[str, Form()] = ""
) -> Response:
    """Sign in with the mailed code."""
    refuse_cross_site(request)
    try:
        signed_in = await flows.sign_in_by_code(
            database_of(request), parts_of(request), email, code, visitor, visit_of(request)
        )
    except (Unauthenticated, TooMany) as problem:
        return _check_mail(request, email, problem)
    return _go_on(request, signed_in, "/dashboard")


@router.get("/signin/link")
async def show_sign_in_link(request: Request, token: str = "") -> Response:
    """Show what the mailed link does; one that is used or too old leads back to the form."""
    try:
        await flows.check_link(database_of(request), token, ChallengePurpose.SIGN_IN, visit_of(request))
    except (Conflict, NotFound) as problem:
        return _sign_in_form(request, problem)
    return link_page(request, "Sign in", "One press signs this browser in.", "Sign in", "/signin/open", token)


@router.post("/signin/open")
async def sign_in_by_link(request: Request, visitor: Visitor, token: Annotated[str, Form()] = "") -> Response:
    """Sign in with the mailed link, which is spent by it."""
    refuse_cross_site(request)
    try:
        signed_in = await flows.sign_in_by_link(
            database_of(request), parts_of(request), token, visitor, visit_of(request)
        )
    except (Conflict, NotFound, Unauthenticated) as problem:
        return _sign_in_form(request, problem)
    return _go_on(request, signed_in, "/dashboard")


@router.post("/signout")
async def sign_out(request: Request, visitor: Visitor) -> Response:
    """End this browser's session."""
    refuse_cross_site(request)
    response = redirect("/signin?notice=signed_out")
    if visitor is not None:
        async with database_of(request).transaction() as tx:
            await operations.sign_out(tx, visitor, visit_of(request))
    clear_session_cookie(response, secure=site_of(request).secure)
    return response


def safe_path(path: str) -> str:
    """Return a path of this site to go on to; anything that could lead elsewhere becomes the dashboard."""
    own = path.startswith("/") and not path.startswith("//") and "\\" not in path
    return path if own and path.isprintable() else "/dashboard"


def _sign_in_form(
    request: Request,
    problem: Problem | None = None,
    values: dict[str, str] | None = None,
    *,
    next_path: str = "",
    notice: str = "",
) -> Response:
    return html(
        request,
        "public/signin.html",
        status=problem.status if problem else 200,
        values=values or {},
        errors={} if problem is None else field_errors(problem),
        next=next_path if safe_path(next_path) == next_path else "",
        notice=notice,
    )


def _check_mail(request: Request, email: str, problem: Problem | None = None) -> Response:
    return html(
        request,
        "public/check_mail.html",
        status=problem.status if problem else 200,
        email=email,
        expires_minutes=CODE_MINUTES,
        outbox_url="/outbox" if site_of(request).outbox_shown else "",
        errors={} if problem is None else field_errors(problem, whole="code"),
    )


def _go_on(request: Request, signed_in: SignedIn, path: str) -> Response:
    """Lead on whoever signed in: to the second factor where they have one, which leads to `path`."""
    if signed_in.user.has_second_factor:
        path = f"/signin/second-factor?next={quote(path, safe='/')}"
    return with_session(request, redirect(path), signed_in.session_secret)


def with_session(request: Request, response: Response, secret: str | None) -> Response:
    """Give the browser the cookie of its new session, where there is one."""
    if secret is not None:
        set_session_cookie(
            response, secret, secure=site_of(request).secure, seconds_max=SESSION_DAYS * 86_400
        )
    return response
