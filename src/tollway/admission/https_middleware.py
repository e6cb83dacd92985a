"""Lets nothing secret travel in clear where customers come over HTTPS (C36)."""

from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from tollway.admission.clear_text_flows import tell_of_clear_text
from tollway.admission.entities import MANAGEMENT_PREFIXES
from tollway.customers.entities import Visit
from tollway.kit.db import Database
from tollway.kit.http import HttpsNeeded, problem_response

PAGE_METHODS = ("GET", "HEAD")
# What load balancers and scrapers inside one's own network ask.
WATCHED = ("/monitoring/", "/livez", "/readyz")


class HttpsMiddleware:
    """Leads pages that are asked for over HTTP to HTTPS, and refuses calls.

    A call is not redirected: its secret has travelled in clear already, and a program that follows would never
    be put right (draft-ietf-httpapi-privacy; ASVS 5.0, 4.1.2). Health checks and metrics stay open to those who watch.
    """

    def __init__(
        self,
        app: ASGIApp,
        database: Database,
        base_url: str,
        product_prefixes: tuple[str, ...],
        docs_url: str,
    ) -> None:
        self.app = app
        self.database = database
        self.base_url = base_url
        self.prefixes = (*MANAGEMENT_PREFIXES, *(f"{prefix}/" for prefix in product_prefixes))
        self.docs_url = docs_url

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["arrived_securely"] or _is_health(scope["path"]):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        authorization = headers.get("authorization")
        if authorization is not None:
            visit = Visit(scope["client_address"], headers.get("user-agent", ""), scope["received_at"])
            await tell_of_clear_text(self.database, authorization, self.base_url, visit)
        target = self.base_url + quote(scope["path"], safe="/%:@!$&'()*+,;=~-._")
        claims = "https" in headers.get("x-forwarded-proto", "").lower()
        is_call = authorization is not None or scope["path"].startswith(self.prefixes)
        if is_call or claims or scope["method"] not in PAGE_METHODS:
            problem = _refusal(target, claims=claims)
            await problem_response(problem, scope["path"], docs_url=self.docs_url)(scope, receive, send)
            return
        query = scope["query_string"].decode("latin-1")
        await RedirectResponse(f"{target}?{query}" if query else target, status_code=308)(
            scope, receive, send
        )


def _refusal(target: str, *, claims: bool) -> HttpsNeeded:
    if claims:
        # A redirect would go round in circles here: the browser is at the HTTPS address already.
        return HttpsNeeded(
            "X-Forwarded-Proto says https, but the proxy that says so is not one we were told to trust. "
            "Whoever runs this server names its network in TRUSTED_PROXIES."
        )
    return HttpsNeeded(
        f"This was sent over http, which others can read on its way. Send it to {target} instead."
    )


def _is_health(path: str) -> bool:
    return path.endswith("/health") or path.startswith(WATCHED)
