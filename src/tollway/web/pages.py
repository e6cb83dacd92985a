"""What every page shares: who is signed in, the frame around them, and how a Problem looks in a browser."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import quote, urlsplit

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from tollway.admission.operations import Call
from tollway.customers import member_operations as members
from tollway.customers import operations as customers
from tollway.customers.callers import Caller, SessionCaller
from tollway.customers.entities import (
    CustomerDeactivated,
    CustomerSuspended,
    Mode,
    NoCustomer,
    SecondFactorNeeded,
    SignInAgain,
    Visit,
)
from tollway.customers.guard import READING_METHODS, Needs
from tollway.customers.permissions import Permission
from tollway.kit.clock import read_now
from tollway.kit.cookies import read_session_cookie
from tollway.kit.db import Database, Transaction
from tollway.kit.http import database_of, refuse_cross_site
from tollway.kit.problems import NotFound, Problem, Unauthenticated
from tollway.kit.scope import request_id
from tollway.plans import operations as plans
from tollway.plans.entities import Entitlement
from tollway.web.rendering import Shell, render
from tollway.web.site import Site, site_of

PRODUCT = "montecarlo"
THEMES = ("light", "dark")
USER_AGENT_LENGTH_MAX = 500


class SignInNeeded(Unauthenticated):
    """A page of a customer was opened by someone who is not signed in; the browser is sent to sign in."""

    code = "sign-in-needed"
    title = "Please sign in"


@dataclass(frozen=True, slots=True)
class Page:
    """One request of a browser by someone who is signed in."""

    request: Request
    signed_in: SessionCaller
    caller: Caller

    @property
    def now(self) -> datetime:
        """When the request arrived."""
        return received_at(self.request)

    @property
    def database(self) -> Database:
        """Where transactions are opened."""
        return database_of(self.request)

    def call(self) -> Call:
        """The request as a metered call, for what counts against the quota."""
        return Call.of(self.request, self.caller, PRODUCT, self.database)

    async def is_still_allowed(self, tx: Transaction) -> bool:
        """Whether the same session may still look at the same customer's things, for answers that go on for long."""
        secret = read_session_cookie(self.request, secure=site_of(self.request).secure)
        found = await customers.find_session_caller(tx, secret, read_now()) if secret else None
        if found is None:
            return False
        caller = found.as_caller(self.caller.address)
        if (caller.customer_id, caller.impersonator) != (self.caller.customer_id, self.caller.impersonator):
            return False
        try:
            Needs(Permission.VIEW).check(caller, self.request)
        except Problem:
            return False
        return True

    async def shell(self, tx: Transaction) -> tuple[Shell, Entitlement]:
        """Gather what the frame around the page shows, and what the customer may do."""
        entitlement = await plans.get_entitlement(tx, self.caller.owner_id, PRODUCT, self.now)
        quota = await plans.get_quota(tx, entitlement, self.caller.mode, self.now)
        customer = self.signed_in.customer
        refusal = customer.refusal() if customer else None
        shell = Shell(
            path=self.request.url.path,
            email=self.signed_in.user.email,
            company=customer.company_name if customer else "",
            plan_name=entitlement.plan.name,
            used=quota.requests_used,
            included=quota.requests_included,
            resets_on=quota.period_end.date(),
            is_verified=self.signed_in.user.verified,
            test_mode=self.caller.mode is Mode.TEST,
            stopped=refusal.title if refusal else "",
            is_read_only=entitlement.read_only,
            may=frozenset(self.caller.permissions),
            administers=self.caller.user_type.administers and not self.caller.impersonator,
            impersonating=bool(self.caller.impersonator),
            impersonating_until=self.signed_in.session.impersonated_until
            if self.caller.impersonator
            else None,
            memberships=tuple(
                (one.customer_public_id, one.company_name)
                for one in await members.list_memberships(tx, self.signed_in.user.id)
            ),
            customer_id=customer.public_id if customer else "",
        )
        return shell, entitlement


def received_at(request: Request) -> datetime:
    """Return when a request arrived: the one reading of the clock that everything below is handed."""
    moment = request.scope["received_at"]
    assert isinstance(moment, datetime)
    return moment


def visit_of(request: Request) -> Visit:
    """Return where and when a request came from, as sessions and limits need it."""
    user_agent = request.headers.get("user-agent", "")[:USER_AGENT_LENGTH_MAX]
    return Visit(request.scope["client_address"], user_agent, received_at(request))


async def find_visitor(request: Request) -> SessionCaller | None:
    """Return who is signed in, or None."""
    secret = read_session_cookie(request, secure=site_of(request).secure)
    if secret is None:
        return None
    async with database_of(request).transaction() as tx:
        return await customers.find_session_caller(tx, secret, received_at(request))


@dataclass(frozen=True, slots=True)
class PageNeeds:
    """Lets a signed-in person open a page who has a permission; says on a page to everyone else why not.

    Args: as of `Needs`; where a recent proof is missing, the browser is sent to give it and comes back.
        while_looking: whether an administrator who looks at a customer's pages may send this form too.
    """

    permission: Permission
    proven: bool = False
    while_looking: bool = False

    async def __call__(self, request: Request) -> Page:
        """Return the page request. Raises: SignInNeeded, NotFound, and what `Needs` raises."""
        signed_in = await find_visitor(request)
        administrative = self.permission.is_administrative
        if signed_in is None:
            raise SignInNeeded("Sign in to see this page.")
        if signed_in.customer is None and not (administrative or self.is_own):
            raise NoCustomer(
                "You belong to no team at the moment. Join one by an invitation, or start your own."
            )
        caller = signed_in.as_caller(request.scope["client_address"])
        if administrative and not signed_in.user.user_type.administers:
            # To everyone else the administration does not exist.
            raise NotFound(f"There is nothing at {request.url.path}.")
        writes = request.method not in READING_METHODS
        if writes:
            refuse_cross_site(request)
        # Whoever looks at a customer's pages may still see their own matters, and stop looking.
        if not (caller.impersonator and self.is_own and (self.while_looking or not writes)):
            Needs(self.permission, proven=self.proven).check(caller, request)
        return Page(request, signed_in, caller)

    @property
    def is_own(self) -> bool:
        """Whether it is a person's own matter, which needs no customer."""
        return self.permission is Permission.OWN


Visitor = Annotated[SessionCaller | None, Depends(find_visitor)]
# Who looks at a customer's things, and who works with them.
SignedIn = Annotated[Page, Depends(PageNeeds(Permission.VIEW))]
Working = Annotated[Page, Depends(PageNeeds(Permission.USE))]
Own = Annotated[Page, Depends(PageNeeds(Permission.OWN))]


def html(request: Request, template: str, status: int = 200, **context: Any) -> HTMLResponse:
    """Answer with a rendered page, in the theme that the reader chose."""
    theme = request.cookies.get("theme", "")
    context |= {"path": request.url.path, "status": status}
    return HTMLResponse(
        render(template, theme=theme if theme in THEMES else "", **context), status_code=status
    )


def redirect(url: str) -> RedirectResponse:
    """Send the browser on after a form, so that reloading does not send the form again."""
    return RedirectResponse(url, status_code=303)


def is_htmx(request: Request) -> bool:
    """Whether htmx asks for a part of a page."""
    return request.headers.get("hx-request") == "true"


def field_errors(problem: Problem, whole: str = "form") -> dict[str, str]:
    """Lay a Problem's errors out by field, for texts beside the fields; what has no field goes under `whole`."""
    errors = {one.pointer.strip("/").replace("/", "."): one.message for one in problem.errors}
    return errors or {whole: problem.message}


def render_problem_page(request: Request, problem: Problem) -> Response | None:
    """Show a Problem as a page where a browser asked for one; None leaves it to be JSON."""
    if "text/html" not in request.headers.get("accept", "") or request.url.path.startswith(
        "/monte-carlo-api/"
    ):
        return None
    if isinstance(problem, SignInAgain):
        # Only pages that ask for a recent proof raise it, so proving it leads back to where it was asked.
        back = request.url.path if request.method == "GET" else _page_before(request)
        target = f"/signin/again?next={quote(back, safe='/')}"
        return (
            Response(status_code=204, headers={"HX-Redirect": target})
            if is_htmx(request)
            else redirect(target)
        )
    if isinstance(problem, NoCustomer):
        return redirect("/start")
    if isinstance(problem, SecondFactorNeeded):
        return redirect("/security/second-factor")
    if isinstance(problem, SignInNeeded) and is_htmx(request):
        # A redirect would put the sign-in page into a corner of this one.
        return Response(status_code=204, headers={"HX-Redirect": "/signin"})
    if isinstance(problem, SignInNeeded):
        return redirect(
            f"/signin?next={quote(request.url.path, safe='/')}" if request.method == "GET" else "/signin"
        )
    site: Site = site_of(request)
    guide = site.problem_pages.get(problem.code)
    response = html(
        request,
        "public/problem.html",
        status=problem.status,
        title=problem.title,
        what_happened=problem.message,
        what_to_do=WHAT_TO_DO.get(
            problem.status, "Go back and try again, or write to support with the request id."
        ),
        request_id=request_id.get(),
        documentation_url=f"/docs/problems/{problem.code}" if guide else "",
        # Whoever was stopped finds the same page at every other place.
        leads_to_support=isinstance(problem, CustomerSuspended | CustomerDeactivated),
        signed_in=read_session_cookie(request, secure=site.secure) is not None,
    )
    if problem.retry_after_seconds is not None:
        response.headers["Retry-After"] = str(problem.retry_after_seconds)
    return response


def _page_before(request: Request) -> str:
    """Return the page of ours that a form was sent from."""
    referrer = urlsplit(request.headers.get("referer", ""))
    return (
        referrer.path
        if referrer.netloc == request.headers.get("host", "") and referrer.path
        else "/dashboard"
    )


WHAT_TO_DO = {
    401: "Sign in and try again.",
    402: "Choose a plan, and go on where you were.",
    403: "If you think that you should be allowed to, write to support.",
    404: "It may have been deleted, or the address has a typing mistake. Start again from the overview.",
    409: "Load the page again to see how things stand now.",
    413: "Send something smaller, or choose a plan that takes more.",
    422: "Go back, correct what was said, and send it again.",
    429: "Wait until the limit frees, and try again then.",
    503: "Try again in a moment.",
}
