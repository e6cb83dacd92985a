"""One metered call: admitted, carried out, counted and answered in one transaction."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from fastapi import Request
from fastapi.encoders import jsonable_encoder
from fastapi.responses import JSONResponse, Response

from tollway.admission.entities import UNITS
from tollway.customers.callers import Caller
from tollway.keys import operations as keys
from tollway.kit import idempotency
from tollway.kit.db import Database, Transaction
from tollway.kit.scope import request_id
from tollway.metering import operations as metering
from tollway.metering.entities import UsageEvent
from tollway.plans import operations as plans

USER_AGENT_LENGTH_MAX = 500
ENDPOINT_LENGTH_MAX = 255


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a call produced: a body for JSON, or a whole response for files and streams."""

    body: Any = None
    response: Response | None = None
    credits: int = 0


Work = Callable[[Transaction], Awaitable[Outcome]]


@dataclass(slots=True)
class Call:
    """A call under way, from a key or from a page."""

    caller: Caller
    product: str
    database: Database
    now: datetime
    started: float
    method: str
    endpoint: str
    user_agent: str
    idempotency_key: str | None = None
    quota_id: int | None = None
    recorded: bool = field(default=False)

    @classmethod
    def of(cls, request: Request, caller: Caller, product: str, database: Database) -> "Call":
        """Describe the request that `caller` made."""
        return cls(
            caller=caller,
            product=product,
            database=database,
            now=request.scope["received_at"],
            started=request.scope["started"],
            method=request.method,
            # A NUL in an address is legal on the wire and no text for a database.
            endpoint=request.url.path.replace("\0", "\ufffd")[:ENDPOINT_LENGTH_MAX],
            user_agent=request.headers.get("user-agent", "")[:USER_AGENT_LENGTH_MAX],
            idempotency_key=request.headers.get("idempotency-key"),
        )

    async def answer(self, operation: str, work: Work, *, status: int = 200, content: Any = None) -> Response:
        """Carry out `work` and answer with what it made.

        Args:
            operation: a name in UNITS, which says what the call counts.
            work: runs inside the transaction; whatever it raises undoes everything.
            status: of a successful answer.
            content: the content of a request that creates; given, an `Idempotency-Key` is honoured.
        """
        outcome = await self.perform(operation, work, status=status, content=content)
        if outcome.response is not None:
            return outcome.response
        return JSONResponse(outcome.body, status_code=status)

    async def perform(self, operation: str, work: Work, *, status: int = 200, content: Any = None) -> Outcome:
        """Admit, work, count and commit; the same for keys and pages.

        INVARIANT: the effect of a call, its usage row, its units and its stored answer commit together
        (tests/admission/test_operations.py::test_a_failed_call_leaves_no_effect_and_counts_nothing).
        """
        outcome = await self._perform(operation, work, status, content)
        # Only now: a row of a transaction that failed at its commit is no row.
        self.recorded = True
        return outcome

    async def _perform(self, operation: str, work: Work, status: int, content: Any) -> Outcome:
        units = UNITS[operation]
        async with self.database.transaction() as tx:
            if content is not None and self.idempotency_key is not None:
                stored = await idempotency.begin(
                    tx, self._scope(), self.idempotency_key, idempotency.digest(content), self.now
                )
                if stored is not None:
                    await self._record(tx, stored.status, units=0, credit_count=0)
                    return Outcome(body=stored.body)
            if units:
                await self._admit(tx, units)
            outcome = await work(tx)
            if outcome.response is None:
                outcome = Outcome(body=jsonable_encoder(outcome.body), credits=outcome.credits)
            await self._record(tx, status, units=units, credit_count=outcome.credits)
            if content is not None and self.idempotency_key is not None:
                await idempotency.finish(tx, self._scope(), self.idempotency_key, status, outcome.body)
        return outcome

    async def find_answer(self, content: Any) -> Outcome | None:
        """Return what the same request was answered before, or None; ask before work outside `perform`.

        What has changed since, a model that was deleted or a free trial that ended, must not refuse a request
        that had its effect. Raises: BadIdempotencyKey, IdempotencyKeyReused.
        """
        if self.idempotency_key is None:
            return None
        async with self.database.transaction() as tx:
            stored = await idempotency.find_answer(
                tx, self._scope(), self.idempotency_key, idempotency.digest(content), self.now
            )
            if stored is None:
                return None
            await self._record(tx, stored.status, units=0, credit_count=0)
        self.recorded = True
        return Outcome(body=stored.body)

    async def record_refusal(self, status: int, problem_code: str | None) -> None:
        """Write a call that was not served, or not through `perform`, to the usage log; it counts 0."""
        if not self.recorded:
            async with self.database.transaction() as tx:
                await self._record(tx, status, units=0, credit_count=0, problem_code=problem_code)
            self.recorded = True

    async def _admit(self, tx: Transaction, units: int) -> None:
        """Count the call's units, or raise the limit that it runs into."""
        entitlement = await plans.get_entitlement(tx, self.caller.owner_id, self.product, self.now)
        entitlement.assert_may_write()
        quota = await plans.get_quota(tx, entitlement, self.caller.mode, self.now)
        await metering.use_units(tx, quota, units, now=self.now, way_out=entitlement.way_to_more_requests)
        self.quota_id = quota.id

    async def _record(
        self, tx: Transaction, status: int, *, units: int, credit_count: int, problem_code: str | None = None
    ) -> None:
        if self.caller.api_key_id is not None:
            # A key that is not active was sent, but not used.
            if status != 401:
                await keys.note_use(tx, self.caller.api_key_id, self.now)
            if status < 400:
                await metering.track_event(tx, "first_call", self.caller.owner_id, self.now)
        elif not units:
            # Looking at pages is no use of the API; only what a page starts is logged.
            return
        await metering.record_usage(
            tx,
            UsageEvent(
                customer_id=self.caller.owner_id,
                api_key_id=self.caller.api_key_id,
                product=self.product,
                mode=self.caller.mode,
                endpoint=self.endpoint,
                method=self.method,
                status_code=status,
                response_time_ms=round((time.perf_counter() - self.started) * 1000),
                credits_consumed=credit_count,
                units=units,
                request_timestamp=self.now,
                ip_address=self.caller.address,
                user_agent=self.user_agent,
                request_id=request_id.get(),
                problem_code=problem_code,
            ),
        )

    def _scope(self) -> str:
        return f"{self.caller.owner_id}/{self.caller.mode}/{self.method} {self.endpoint}"


def call_of(request: Request) -> Call:
    """Give an endpoint the call that the middleware recognised."""
    call = request.scope["state"].get("call")
    assert isinstance(call, Call), "the endpoint's path is not among those that need an API key"
    return call
