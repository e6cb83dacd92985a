"""What every HTTP endpoint shares: request ids, addresses, security headers, errors and replays.

Raw ASGI where it is on every request's path; FastAPI's own hooks elsewhere.
"""

import ipaddress
import re
import secrets
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import psycopg
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.routing import APIRoute
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tollway.kit.clock import read_now
from tollway.kit.counters import ProcessCounters
from tollway.kit.db import REPLAY_COUNT_MAX, REPLAYABLE, Database
from tollway.kit.log import log
from tollway.kit.problems import (
    FieldError,
    Forbidden,
    Invalid,
    NotFound,
    Problem,
    TooLarge,
    Unavailable,
    WrongType,
    problem_document,
)
from tollway.kit.scope import request_id

BODY_BYTES_MAX = 1_000_000
TRACE_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")
# More digits than this are no length that anybody means.
LENGTH = re.compile(r"[0-9]{1,18}")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
# What is wrong with a member, by pydantic's name of it.
FAULTS = {
    "missing": "is missing",
    "extra_forbidden": "is not known here; check its spelling or leave it out",
    "int_type": "must be a whole number, written in digits alone",
    "int_parsing": "must be a whole number, written in digits alone",
    "int_from_float": "must be a whole number, written in digits alone",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "string_type": "must be text",
    "list_type": "must be a list",
    "dict_type": "must be a JSON object",
    "model_type": "must be a JSON object",
    "model_attributes_type": "must be a JSON object",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be above {gt}",
    "less_than_equal": "must be at most {le}",
    "less_than": "must be below {lt}",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "too_short": "must have at least {min_length} entries",
    "too_long": "must have at most {max_length} entries",
}
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


@dataclass(frozen=True, slots=True)
class Edge:
    """How this server meets the world."""

    base_url: str
    secure: bool
    trusted_proxies: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = ()
    # Longer bodies are allowed on these paths; whoever serves them enforces the plan's own limit.
    upload_paths: dict[str, int] = field(default_factory=dict)

    def client_address(self, peer: str, forwarded_for: str) -> str:
        """Return the address a request came from.

        A header can claim anything, so it is believed only as far as the proxies that we were told to
        trust wrote it: read from the right, the first address that is none of them is the client.
        """
        found = peer
        for written in reversed([*forwarded_for.split(","), peer]):
            if not written.strip():
                continue
            try:
                address = _plain_address(written.strip())
            except ValueError:
                return str(_plain_address(peer))
            found = str(address)
            if not any(address in network for network in self.trusted_proxies):
                break
        return found

    def is_trusted(self, peer: str) -> bool:
        """Whether a request came from a proxy that we were told to trust."""
        try:
            address = _plain_address(peer)
        except ValueError:
            return False
        return any(address in network for network in self.trusted_proxies)

    def arrived_securely(self, scheme: str, peer: str, forwarded_proto: str) -> bool:
        """Whether a request travelled over HTTPS all its way, as the connection or a trusted proxy tells.

        Every value of X-Forwarded-Proto must say so: some proxies add theirs behind what a client claimed.
        """
        if scheme == "https":
            return True
        told = [one.strip().lower() for one in forwarded_proto.split(",") if one.strip()]
        return bool(told) and set(told) == {"https"} and self.is_trusted(peer)


def _plain_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Read an address in the one form that is compared, counted and stored."""
    # A zone such as %eth0 means something on one machine only, and PostgreSQL's inet takes none.
    address = ipaddress.ip_address(text.partition("%")[0])
    # A socket that listens for both families writes IPv4 peers as ::ffff:1.2.3.4.
    return (address.version == 6 and address.ipv4_mapped) or address


def database_of(request: Request) -> Database:
    """Give a handler the database that the application was built with."""
    database = request.app.state.database
    assert isinstance(database, Database)
    return database


def client_address(request: Request) -> str:
    """Return the address a request came from, as the middleware found it."""
    return str(request.scope["client_address"])


class EdgeMiddleware:
    """Give each request an id, an address and a size limit; each answer its headers and one log line."""

    def __init__(self, app: ASGIApp, edge: Edge, counters: ProcessCounters | None = None) -> None:
        self.app = app
        self.edge = edge
        self.counters = counters or ProcessCounters(None)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        self.counters.begin_answer()
        headers = Headers(scope=scope)
        given = headers.get("x-trace-id", "")
        trace_id = given if TRACE_ID.fullmatch(given) else f"req_{secrets.token_hex(8)}"
        token = request_id.set(trace_id)
        peer = scope["client"][0] if scope.get("client") else "127.0.0.1"
        scope["client_address"] = self.edge.client_address(
            # Some proxies add a line of their own instead of extending the one that came.
            peer,
            ",".join(headers.getlist("x-forwarded-for")),
        )
        scope["arrived_securely"] = self.edge.arrived_securely(
            scope.get("scheme", "http"), peer, ",".join(headers.getlist("x-forwarded-proto"))
        )
        scope["received_at"] = read_now()
        scope["started"] = started
        status, answering, sent_bytes = 500, False, 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status, answering, sent_bytes
            if message["type"] == "http.response.start":
                status, answering = message["status"], True
                self._add_headers(MutableHeaders(scope=message), trace_id)
            else:
                sent_bytes += len(message.get("body", b""))
            await send(message)

        try:
            await self._with_body_limit(scope, headers, receive, send_with_headers)
        except Exception as failure:
            # Endpoints are answered for by `exception_handlers`; this is for the middlewares before them.
            if answering:
                raise
            await problem_response(problem_of(failure), scope["path"])(scope, receive, send_with_headers)
        finally:
            self.counters.end_answer(sent_bytes)
            if not scope["path"].startswith("/static/"):
                log.info(
                    "request",
                    method=scope["method"],
                    path=scope["path"],
                    status=status,
                    duration_ms=round((time.perf_counter() - started) * 1000, 1),
                    client=scope["client_address"],
                )
            request_id.reset(token)

    def _add_headers(self, headers: MutableHeaders, trace_id: str) -> None:
        headers["X-Trace-ID"] = trace_id
        headers["X-Content-Type-Options"] = "nosniff"
        headers["X-Frame-Options"] = "DENY"
        headers["Referrer-Policy"] = "same-origin"
        headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
        # Whatever is not told otherwise belongs to one reader: no shared cache may keep it.
        headers.setdefault("Cache-Control", "no-store")
        if self.edge.secure:
            headers["Strict-Transport-Security"] = "max-age=63072000; includeSubDomains"

    async def _with_body_limit(self, scope: Scope, headers: Headers, receive: Receive, send: Send) -> None:
        limit = self.edge.upload_paths.get(scope["path"], BODY_BYTES_MAX)
        declared = headers.get("content-length", "0")
        if not LENGTH.fullmatch(declared) or int(declared) > limit:
            await problem_response(_too_large(limit), scope["path"])(scope, receive, send)
            return
        received = 0

        async def receive_counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            # An endpoint that knows the plan before it reads the body lowers the bound for it.
            bound = scope.get("body_bytes_max", limit)
            if received > bound:
                raise _too_large(bound)
            return message

        await self.app(scope, receive_counted, send)


def _too_large(limit: int) -> TooLarge:
    return TooLarge(
        f"The request body is larger than {limit:,} bytes, the most that this address takes.",
        members={"limit_bytes": limit},
    )


class ReplayingRoute(APIRoute):
    """An endpoint that runs again when PostgreSQL asks for it (serialization failure, deadlock)."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap FastAPI's own handler."""
        serve = super().get_route_handler()

        async def serve_with_replays(request: Request) -> Response:
            for _ in range(REPLAY_COUNT_MAX):
                try:
                    return await serve(request)
                except REPLAYABLE:
                    log.warning("transaction replayed", path=request.url.path)
                    # An upload's file was closed with the first try: only its sender can send it again.
                    if request.headers.get("content-type", "").startswith("multipart/"):
                        break
            raise Unavailable(
                "Too many requests changed the same thing at once. Send this one again.",
                retry_after_seconds=1,
            )

        return serve_with_replays


class CrossSiteRequest(Forbidden):
    """A form that another site sent through a reader's browser."""

    code = "cross-site-request"
    title = "That form came from another site"


class HttpsNeeded(Forbidden):
    """A request that travelled where others can read it."""

    code = "https-needed"
    title = "Use https"


def refuse_cross_site(request: Request) -> None:
    """Raise CrossSiteRequest for a form that a page of another site posts with our reader's cookie.

    Browsers tell where a request comes from in headers that no page can change; programs send neither
    header and carry nobody's cookie. Source: the Fetch Metadata specification and RFC 6454.
    """
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    foreign = site not in (None, "same-origin", "none")
    if origin is not None:
        # The scheme is left out: behind a proxy that speaks HTTPS for us we only see HTTP.
        foreign = foreign or origin.partition("://")[2] != request.headers.get("host", "")
    if foreign:
        raise CrossSiteRequest(
            "This form was sent from another site. Open our own page and send it from there.",
            log_message=f"origin {origin!r}, site {site!r}",
        )


def foreign_referrer(request: Request) -> str:
    """Return the page of another site that linked here, or nothing; our own pages brought nobody."""
    referrer = request.headers.get("referer", "")
    try:
        host = urlsplit(referrer).netloc
    except ValueError:
        # Half an IPv6 address, for instance: nobody was sent by that.
        return ""
    return "" if host == request.headers.get("host", "") else referrer


PageRenderer = Callable[[Request, Problem], Response | None]


def problem_response(problem: Problem, path: str, *, docs_url: str = "/docs") -> JSONResponse:
    """Answer with a Problem as `application/problem+json`."""
    headers = {}
    if problem.retry_after_seconds is not None:
        headers["Retry-After"] = str(problem.retry_after_seconds)
    if problem.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="tollway"'
    return JSONResponse(
        problem_document(problem, docs_url=docs_url, path=path, request_id=request_id.get()),
        status_code=problem.status,
        headers=headers,
        media_type="application/problem+json",
    )


def exception_handlers(
    docs_url: str, render_page: PageRenderer
) -> dict[int | type[Exception], Callable[[Request, Any], Coroutine[Any, Any, Response]]]:
    """Turn every exception that leaves an endpoint into one shape of answer.

    Args:
        docs_url: where the pages of the error codes are.
        render_page: returns a page for requests that want one, None for those that want JSON.
    """

    def answer(request: Request, problem: Problem) -> Response:
        # For whoever records the answer.
        request.scope["problem"] = problem
        if problem.status >= 500 or problem.log_message:
            log.warning("problem", code=problem.code, reason=problem.log_message or problem.message)
        return render_page(request, problem) or problem_response(problem, request.url.path, docs_url=docs_url)

    async def from_problem(request: Request, problem: Problem) -> Response:
        return answer(request, problem)

    async def from_validation(request: Request, failure: RequestValidationError) -> Response:
        return answer(request, invalid_input(failure))

    async def from_framework(request: Request, failure: HTTPException) -> Response:
        response = answer(request, _framework_problem(failure, request))
        for name, value in (failure.headers or {}).items():
            response.headers[name] = value
        if failure.status_code == 405:
            response.headers["Allow"] = ", ".join(_methods_served(request))
        return response

    async def from_anything(request: Request, failure: Exception) -> Response:
        return answer(request, problem_of(failure))

    return {
        Problem: from_problem,
        RequestValidationError: from_validation,
        HTTPException: from_framework,
        # Named, because Starlette raises again whatever only `Exception` catches.
        psycopg.Error: from_anything,
        UnicodeEncodeError: from_anything,
        Exception: from_anything,
    }


def problem_of(failure: Exception) -> Problem:
    """Say what a failure means to the caller, and log what it means to us."""
    if isinstance(failure, Problem):
        return failure
    if _is_unwritable_text(failure):
        return Invalid(
            "A text in the request holds a character that cannot be stored: a NUL, or half of a surrogate pair. "
            "Send it as UTF-8 without either."
        )
    if isinstance(failure, psycopg.OperationalError):
        log.error("database unreachable", exc_info=failure)
        return Unavailable("The database does not answer at the moment.", retry_after_seconds=5)
    log.error("unexpected failure", exc_info=failure)
    return Problem("An unexpected failure stopped this request. It was recorded; quote the request id.")


def _is_unwritable_text(failure: Exception) -> bool:
    """Recognise text that is legal JSON but that PostgreSQL cannot hold."""
    if isinstance(failure, UnicodeEncodeError):
        return failure.reason == "surrogates not allowed"
    if isinstance(failure, psycopg.errors.UntranslatableCharacter):
        return True
    # psycopg refuses a NUL by itself, so no SQLSTATE came from the server.
    return type(failure) is psycopg.DataError and failure.sqlstate is None


def invalid_input(failure: RequestValidationError) -> Invalid:
    """Say what pydantic found wrong, with a JSON pointer to each part."""
    errors = tuple(_field_error(one) for one in failure.errors())
    where = "; ".join(f"{one.pointer}: {one.message}" for one in errors[:3])
    return Invalid(f"The request has {len(errors)} fault{'s' * (len(errors) != 1)}: {where}.", errors=errors)


def _field_error(fault: dict[str, Any]) -> FieldError:
    """Say one of pydantic's faults in the words of these pages; a kind without words keeps pydantic's."""
    kind, context = str(fault["type"]), fault.get("ctx", {})
    if kind == "json_invalid":
        # FastAPI's place is a character of the text, which is no member that a pointer could name.
        return FieldError("/", f"is not JSON: {context['error']}, at character {fault['loc'][-1]}")
    if tuple(fault["loc"]) == ("body",) and kind != "missing":
        return FieldError("/", "must be a JSON object, sent with Content-Type: application/json")
    words = FAULTS.get(kind)
    message = words.format_map({name: _written(value) for name, value in context.items()}) if words else ""
    return FieldError(_pointer(fault["loc"]), message or str(fault["msg"]))


def _written(value: object) -> str:
    return f"{value:,}" if isinstance(value, int | float) else str(value)


def _pointer(location: tuple[str | int, ...]) -> str:
    """Write a place as a JSON pointer; RFC 6901 section 3 escapes `~` and `/` in names."""
    parts = (str(part).replace("~", "~0").replace("/", "~1") for part in location if part != "body")
    return "/" + "/".join(parts)


def _methods_served(request: Request) -> list[str]:
    """Ask every route which methods it serves at this address; the framework names those of the first alone."""
    return [
        method
        for method in METHODS
        if any(
            route.matches({**request.scope, "method": method})[0] is Match.FULL
            for route in request.app.routes
        )
    ]


class MethodNotAllowed(Problem):
    """The address exists, but not with this method."""

    status = 405
    title = "That method is not served here"
    code = "method-not-allowed"


def _framework_problem(failure: HTTPException, request: Request) -> Problem:
    if isinstance(failure.__cause__, Problem):
        # FastAPI turns whatever is raised while it reads a body into a 400 of its own.
        return failure.__cause__
    match failure.status_code:
        case 404:
            return NotFound(
                f"There is nothing at {request.url.path}. Check the address against the documentation."
            )
        case 405:
            return MethodNotAllowed(f"{request.method} is not served at {request.url.path}.")
        case 413:
            return TooLarge(str(failure.detail))
        case 415:
            return WrongType(str(failure.detail))
        case 403:
            return Forbidden(str(failure.detail))
        case 503:
            return Unavailable(str(failure.detail))
        case 400:
            return Invalid("The request body cannot be read: it is cut short, or nested too deeply.")
        case _:
            return Invalid(str(failure.detail))
