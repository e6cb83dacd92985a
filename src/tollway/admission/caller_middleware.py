"""Recognises who manages things: by API key, access token or session cookie, before the endpoint runs."""

import time
from dataclasses import dataclass, replace

from fastapi import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from tollway.admission.core import Snapshot, address_not_allowed
from tollway.admission.entities import MANAGEMENT_PREFIXES, Cost
from tollway.admission.gatehouse import Called, Gatehouse
from tollway.admission.passage import Passage, refuse
from tollway.admission.patterns import Patterns
from tollway.admission.recognition import kind_of_path, refusal_of_state
from tollway.authentication import operations as authentication
from tollway.authentication.entities import TokenKeys
from tollway.customers import operations as customers
from tollway.customers.callers import Caller
from tollway.customers.guard import READING_METHODS
from tollway.keys.entities import CallKind
from tollway.kit.cookies import read_session_cookie
from tollway.kit.db import Database, Transaction
from tollway.kit.problems import Problem

# What a call of management asks for; its endpoint asks for a permission itself, and nothing of it counts (X11).
MANAGING = Cost("", reads=False)


@dataclass(frozen=True, slots=True)
class Recognition:
    """What it takes to recognise somebody."""

    database: Database
    token_keys: TokenKeys
    # Whether customers come over HTTPS, which decides the cookie's name.
    secure: bool
    docs_url: str
    gatehouse: Gatehouse
    patterns: Patterns


class CallerMiddleware:
    """Puts the `Caller` into the request's scope; a stranger stays one, a proof that fails is a 401 at once.

    Keys are read from the database at every call here: whoever manages things sees at once what they did. Their
    calls stand in the usage log with 0 units (X11), and count against limits a minute.
    """

    def __init__(self, app: ASGIApp, recognition: Recognition) -> None:
        self.app = app
        self.recognition = recognition

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if (
            scope["type"] != "http"
            or not scope["path"].startswith(MANAGEMENT_PREFIXES)
            or scope["method"] == "OPTIONS"
        ):
            await self.app(scope, receive, send)
            return
        request = Request(scope)
        passage: Passage | None = None
        try:
            caller, snapshot = await self._recognise(request)
            if snapshot is not None:
                passage = self._passage(request, snapshot, send)
                refusal = self._refusal(request, snapshot)
                if refusal is None:
                    refusal = await self.recognition.gatehouse.take(snapshot.buckets, MANAGING.weight)
                if refusal is not None:
                    raise refusal
        except Problem as problem:
            await refuse(problem, scope, receive, send, passage, self.recognition.docs_url)
            return
        if caller is not None:
            scope.setdefault("state", {})["caller"] = caller
        if passage is None:
            await self.app(scope, receive, send)
            return
        try:
            await self.app(scope, receive, passage.send)
        finally:
            if not passage.is_recorded:
                passage.end()

    async def _recognise(self, request: Request) -> tuple[Caller | None, Snapshot | None]:
        """Return who calls, and what their key may do where they showed one; both None for a stranger."""
        authorization = request.headers.get("authorization")
        now, address = request.scope["received_at"], request.scope["client_address"]
        if authorization is not None and authorization.partition(" ")[2].strip().count(".") != 2:
            gatehouse = self.recognition.gatehouse
            await gatehouse.open()
            gatehouse.assert_room()
            snapshot = await gatehouse.directory.read(authorization, now)
            return replace(snapshot.recognised.caller, address=address), snapshot
        async with self.recognition.database.transaction() as tx:
            if authorization is None:
                return await self._by_cookie(tx, request), None
            secret = authorization.partition(" ")[2].strip()
            found = await authentication.recognise_access_token(tx, self.recognition.token_keys, secret, now)
            return found.as_caller(address), None

    async def _by_cookie(self, tx: Transaction, request: Request) -> Caller | None:
        secret = read_session_cookie(request, secure=self.recognition.secure)
        if secret is None:
            return None
        found = await customers.find_session_caller(tx, secret, request.scope["received_at"])
        return found.as_caller(request.scope["client_address"]) if found else None

    def _passage(self, request: Request, snapshot: Snapshot, send: Send) -> Passage:
        path, method = request.url.path, request.method
        called = Called(method, self.recognition.patterns.find(path), path, MANAGING)
        return Passage(
            self.recognition.gatehouse,
            snapshot,
            0,
            called,
            request.scope,
            send,
            request.scope["client_address"],
            request.headers.get("user-agent", "").encode("latin-1", "replace"),
            time.monotonic_ns(),
            time.time(),
        )

    def _refusal(self, request: Request, snapshot: Snapshot) -> Problem | None:
        kind, address = kind_of_path(request.url.path), request.scope["client_address"]
        recognised = snapshot.recognised
        # Whoever finds a leaked key may end it with nothing but the key, wherever it was found.
        if kind is not CallKind.REVOKE_SELF and not recognised.api_key.takes_calls_from(address):
            return address_not_allowed(address)
        return refusal_of_state(recognised, "", reads=request.method in READING_METHODS, kind=kind)
