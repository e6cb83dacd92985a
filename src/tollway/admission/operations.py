"""One metered call: admitted, carried out, counted and answered in one transaction."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from fastapi import Request
from fastapi.encoders import jsonable_encoder
from fastapi.responses import JSONResponse, Response

from tollway.admission.entities import UNITS
from tollway.admission.passage import Passage
from tollway.customers.callers import Caller
from tollway.keys import operations as keys
from tollway.kit import idempotency
from tollway.kit.clock import read_now
from tollway.kit.db import Database, Transaction
from tollway.kit.problems import Problem
from tollway.kit.scope import request_id
from tollway.metering import operations as metering
from tollway.metering.entities import Quota, UsageEvent
from tollway.plans import operations as plans
from tollway.plans.entities import Entitlement

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
    # What was asked for; `endpoint` is the pattern that it matched.
    path: str
    user_agent: str
    idempotency_key: str | None = None
    quota_id: int | None = None
    # The gate that let it in; None for what a page starts.
    passage: Passage | None = None

    @classmethod
    def of(
        cls,
        request: Request,
        caller: Caller,
        product: str,
        database: Database,
        passage: Passage | None = None,
    ) -> "Call":
        """Describe the request that `caller` made."""
        # A NUL in an address is legal on the wire and no text for a database.
        path = request.url.path.replace("\0", "\ufffd")[:ENDPOINT_LENGTH_MAX]
        return cls(
            caller=caller,
            product=product,
            database=database,
            now=request.scope["received_at"],
            started=request.scope["started"],
            method=request.method,
            endpoint=request.scope["route"].path_format,
            path=path,
            user_agent=request.headers.get("user-agent", "")[:USER_AGENT_LENGTH_MAX],
            idempotency_key=request.headers.get("idempotency-key"),
            passage=passage,
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

    async def perform(
        self, operation: str, work: Work, *, status: int = 200, content: Any = None, times: int = 1
    ) -> Outcome:
        """Admit, work, count and commit; the same for keys and pages.

        Args:
            operation, work, status, content: as `answer` has them.
            times: how many of the operation the call makes; each counts what one does.

        INVARIANT: the effect of a call, its usage row, its units and its stored answer commit together
        (tests/admission/test_operations.py::test_a_failed_call_leaves_no_effect_and_counts_nothing).
        """
        outcome, is_recorded = await self._perform(operation, work, status, content, times)
        # Only now: a row of a transaction that failed at its commit is no row.
        if is_recorded and self.passage is not None:
            self.passage.is_recorded = True
        return outcome

    async def _perform(
        self, operation: str, work: Work, status: int, content: Any, times: int
    ) -> tuple[Outcome, bool]:
        """Return the outcome, and whether its usage row was written here."""
        units = UNITS[operation] * times
        async with self.database.transaction() as tx:
            if self.passage is not None:
                await self.passage.assert_current(tx, self.now)
            if content is not None and self.idempotency_key is not None:
                stored = await idempotency.begin(
                    tx, self._scope(), self.idempotency_key, idempotency.digest(content), self.now
                )
                if stored is not None:
                    return Outcome(body=stored.body), False
            if units:
                await self._admit(tx, units)
            outcome = await work(tx)
            if outcome.response is None:
                outcome = Outcome(body=jsonable_encoder(outcome.body), credits=outcome.credits)
            if units:
                await self._record(tx, status, units=units, credit_count=outcome.credits)
            if content is not None and self.idempotency_key is not None:
                await idempotency.finish(tx, self._scope(), self.idempotency_key, status, outcome.body)
        return outcome, bool(units)

    async def is_still_allowed(self, tx: Transaction) -> bool:
        """Whether the key may still call this, for answers that go on for long."""
        if self.passage is None:
            return True
        try:
            await self.passage.assert_current(tx, read_now())
        except Problem:
            return False
        return True

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
        return None if stored is None else Outcome(body=stored.body)

    async def assert_units_left(self, tx: Transaction, operation: str, times: int = 1) -> None:
        """Refuse now what `perform` would refuse for its units; ask before work outside `perform`.

        Nothing is counted or held: whether the units are there when they are taken, `perform` alone decides.
        Raises: what the plan or its quota refuses with.
        """
        entitlement, quota = await self._find_quota(tx)
        refusal = await metering.find_refusal(
            tx, quota, UNITS[operation] * times, now=self.now, way_out=entitlement.way_to_more_requests
        )
        if refusal is not None:
            raise refusal

    async def _find_quota(self, tx: Transaction) -> tuple[Entitlement, Quota]:
        entitlement = await plans.get_entitlement(tx, self.caller.owner_id, self.product, self.now)
        entitlement.assert_may_write()
        return entitlement, await plans.get_quota(tx, entitlement, self.caller.mode, self.now)

    async def _admit(self, tx: Transaction, units: int) -> None:
        """Count the call's units, or raise the limit that it runs into."""
        entitlement, quota = await self._find_quota(tx)
        used = await metering.use_units(
            tx, quota, units, now=self.now, way_out=entitlement.way_to_more_requests
        )
        self.quota_id = quota.id
        if self.passage is not None:
            self.passage.snapshot.quota = replace(quota, requests_used=used)

    async def _record(self, tx: Transaction, status: int, *, units: int, credit_count: int) -> None:
        """Write what had an effect to the usage log, in the transaction of the effect."""
        if self.caller.api_key_id is not None:
            await keys.note_use(tx, self.caller.api_key_id, self.now)
            await metering.track_event(tx, "first_call", self.caller.owner_id, self.now)
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
                path=self.path if self.path != self.endpoint else None,
            ),
        )

    def _scope(self) -> str:
        return f"{self.caller.owner_id}/{self.caller.mode}/{self.method} {self.path}"


def call_of(request: Request) -> Call:
    """Give an endpoint the call that the middleware let in."""
    passage = request.scope["state"].get("passage")
    assert isinstance(passage, Passage), "the endpoint's path is not among those that need an API key"
    return Call.of(request, passage.caller, passage.product, passage.database, passage)
