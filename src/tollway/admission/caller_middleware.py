"""Recognises who manages things: by API key, access token or session cookie, before the endpoint runs."""

from dataclasses import dataclass, field

from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tollway.admission.entities import MANAGEMENT_PREFIXES
from tollway.admission.middleware import refusal_response
from tollway.admission.operations import Call
from tollway.admission.recognition import MinuteCounts, RecognisedKey, find_refusal, recognise_key
from tollway.authentication import operations as authentication
from tollway.authentication.entities import TokenKeys
from tollway.customers import operations as customers
from tollway.customers.callers import Caller
from tollway.kit.cookies import read_session_cookie
from tollway.kit.db import Database, Transaction
from tollway.kit.problems import Problem


@dataclass(frozen=True, slots=True)
class Recognition:
    """What it takes to recognise somebody."""

    database: Database
    token_keys: TokenKeys
    # Whether customers come over HTTPS, which decides the cookie's name.
    secure: bool
    docs_url: str
    # Of calls by key in this minute.
    counts: MinuteCounts = field(default_factory=MinuteCounts)


class CallerMiddleware:
    """Puts the `Caller` into the request's scope; a stranger stays one, a proof that fails is a 401 at once.

    Calls with an API key stand in the usage log with 0 units (X11).
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
        call: Call | None = None
        try:
            caller, recognised = await self._recognise(request)
            if caller is not None and recognised is not None:
                call = Call.of(request, caller, recognised.product, self.recognition.database)
                refusal = find_refusal(recognised, request, self.recognition.counts)
                if refusal is not None:
                    await call.record_refusal(refusal.status, refusal.code)
                    raise refusal
        except Problem as problem:
            await refusal_response(problem, scope["path"], self.recognition.docs_url)(scope, receive, send)
            return
        if caller is not None:
            scope.setdefault("state", {})["caller"] = caller
        if call is None:
            await self.app(scope, receive, send)
            return
        recorded = call

        async def send_recorded(message: Message) -> None:
            # The row is written before the answer leaves, as it is for the products' own calls.
            if message["type"] == "http.response.start":
                await recorded.record_refusal(message["status"], None)
            await send(message)

        await self.app(scope, receive, send_recorded)

    async def _recognise(self, request: Request) -> tuple[Caller | None, RecognisedKey | None]:
        """Return who calls, and the key that they showed; both None for a stranger."""
        authorization = request.headers.get("authorization")
        async with self.recognition.database.transaction() as tx:
            if authorization is None:
                return await self._by_cookie(tx, request), None
            secret = authorization.partition(" ")[2].strip()
            if secret.count(".") == 2:
                now = request.scope["received_at"]
                found = await authentication.recognise_access_token(
                    tx, self.recognition.token_keys, secret, now
                )
                return found.as_caller(request.scope["client_address"]), None
            recognised = await recognise_key(tx, request)
            return recognised.caller, recognised

    async def _by_cookie(self, tx: Transaction, request: Request) -> Caller | None:
        secret = read_session_cookie(request, secure=self.recognition.secure)
        if secret is None:
            return None
        found = await customers.find_session_caller(tx, secret, request.scope["received_at"])
        return found.as_caller(request.scope["client_address"]) if found else None
