"""Recognises the API key of a call before its body is read, and logs every call however it ends."""

import ipaddress
import json
import time
from dataclasses import dataclass
from typing import Any

from fastapi import Request
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tollway.admission.entities import AddressLimitReached
from tollway.admission.operations import Call
from tollway.admission.recognition import MinuteCounts, find_refusal, recognise_key
from tollway.kit.db import Database
from tollway.kit.http import problem_response
from tollway.kit.log import log
from tollway.kit.problems import Problem, TooLarge, TooMany
from tollway.plans import operations as plans

# Multipart boundaries and the small fields beside a file.
FORM_OVERHEAD_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class ProductPaths:
    """Which paths belong to a product, and which of them need no key."""

    product: str
    prefix: str
    open_paths: frozenset[str] = frozenset()
    upload_paths: frozenset[str] = frozenset()


class AdmissionMiddleware:
    """Answers 401 to strangers, hands the others' calls on, and writes what was refused to the usage log."""

    def __init__(
        self,
        app: ASGIApp,
        database: Database,
        products: tuple[ProductPaths, ...],
        docs_url: str,
        counts: MinuteCounts | None = None,
    ) -> None:
        self.app = app
        self.database = database
        self.products = products
        self.docs_url = docs_url
        # Of calls by key; shared with whoever else counts them, so that a key has one limit a minute.
        self.counts = counts if counts is not None else MinuteCounts()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        paths = self._paths_of(scope)
        if paths is None:
            await self.app(scope, receive, send)
            return
        request = Request(scope)
        try:
            call = await self._recognise(request, paths)
            limit = await self._upload_limit(call, request, paths)
        except Problem as problem:
            await refusal_response(problem, scope["path"], self.docs_url)(scope, receive, send)
            return
        scope.setdefault("state", {})["call"] = call
        await self._serve(scope, _bounded(receive, limit), send, call)

    def _paths_of(self, scope: Scope) -> ProductPaths | None:
        if scope["type"] != "http" or scope["method"] == "OPTIONS":
            return None
        for paths in self.products:
            inside = scope["path"].startswith(paths.prefix + "/")
            if inside and scope["path"] not in paths.open_paths:
                return paths
        return None

    async def _recognise(self, request: Request, paths: ProductPaths) -> Call:
        async with self.database.transaction() as tx:
            recognised = await recognise_key(tx, request)
        call = Call.of(request, recognised.caller, recognised.product, self.database)
        refusal = find_refusal(recognised, request, self.counts, path_product=paths.product)
        if refusal is not None:
            await call.record_refusal(refusal.status, refusal.code)
            raise refusal
        return call

    async def _upload_limit(self, call: Call, request: Request, paths: ProductPaths) -> int | None:
        """Return how many bytes this call's body may have, or None where the general limit is enough."""
        if request.url.path not in paths.upload_paths or request.method != "POST":
            return None
        async with self.database.transaction() as tx:
            entitlement = await plans.get_entitlement(tx, call.caller.owner_id, call.product, call.now)
        limit = entitlement.limits.file_bytes_max
        declared = Headers(scope=request.scope).get("content-length", "0")
        if declared.isdecimal() and int(declared) > limit + FORM_OVERHEAD_BYTES:
            problem = over_plan_size(limit, entitlement.plan.name)
            await call.record_refusal(problem.status, problem.code)
            raise problem
        return limit + FORM_OVERHEAD_BYTES

    async def _serve(self, scope: Scope, receive: Receive, send: Send, call: Call) -> None:
        start: Message | None = None

        async def send_recorded(message: Message) -> None:
            # The row is written before the reply leaves; a refusal's code is read from its own body.
            nonlocal start
            if message["type"] == "http.response.start" and not call.recorded:
                if message["status"] >= 400:
                    start = message
                    return
                await call.record_refusal(message["status"], None)
            elif start is not None:
                await call.record_refusal(start["status"], _problem_code(message))
                await send(start)
                start = None
            await send(message)

        await self.app(scope, receive, send_recorded)


def refusal_response(problem: Problem, path: str, docs_url: str) -> Response:
    """Answer a call that does not come in; a limit says beside when it frees (RateLimit fields, a draft)."""
    if problem.log_message:
        log.info("call refused", code=problem.code, reason=problem.log_message)
    response = problem_response(problem, path, docs_url=docs_url)
    if isinstance(problem, TooMany) and "limit_value" in problem.members:
        name, most = problem.members["limit"], problem.members["limit_value"]
        response.headers["RateLimit-Policy"] = f'"{name}";q={most};w=60'
        response.headers["RateLimit"] = f'"{name}";r=0;t={problem.retry_after_seconds}'
    return response


def over_plan_size(limit: int, plan_name: str) -> TooLarge:
    """Say that a file is larger than the plan allows."""
    return TooLarge(
        f"The file is larger than {limit / 1e6:,.0f} MB, the most that the plan {plan_name} takes. "
        "Remove what the model does not need, or choose a larger plan.",
        members={"limit_bytes": limit},
    )


def _bounded(receive: Receive, limit: int | None) -> Receive:
    if limit is None:
        return receive
    received = 0

    async def receive_counted() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > limit:
            raise TooLarge(
                f"The request body is larger than {limit:,} bytes.", members={"limit_bytes": limit}
            )
        return message

    return receive_counted


def _problem_code(message: Message) -> str | None:
    try:
        document: Any = json.loads(message.get("body", b""))
    except ValueError:
        return None
    code = document.get("code") if isinstance(document, dict) else None
    return code if isinstance(code, str) else None


class AddressLimitMiddleware:
    """Bounds requests a minute from one client address (IPv6: one /64), over everything but static files (C15).

    Counted in this process, by whole minutes.
    """

    def __init__(self, app: ASGIApp, requests_per_minute_max: int, docs_url: str) -> None:
        self.app = app
        self.limit = requests_per_minute_max
        self.docs_url = docs_url
        self._counts = MinuteCounts()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and not scope["path"].startswith("/static/"):
            seconds = time.monotonic()
            if self._counts.add(_network_of(scope["client_address"]), seconds) > self.limit:
                wait = 60 - int(seconds % 60)
                problem = AddressLimitReached(
                    f"More than {self.limit:,} requests came from your address within a minute. "
                    f"Try again in {wait} seconds.",
                    retry_after_seconds=wait,
                    members={"limit": "requests_per_minute_per_address", "limit_value": self.limit},
                )
                await refusal_response(problem, scope["path"], self.docs_url)(scope, receive, send)
                return
        await self.app(scope, receive, send)


def _network_of(address: str) -> str:
    """Return what counts as one sender: an IPv4 address, or the /64 that one IPv6 customer is given."""
    return ":".join(ipaddress.IPv6Address(address).exploded.split(":")[:4]) if ":" in address else address
