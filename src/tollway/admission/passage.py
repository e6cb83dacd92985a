"""One call whose key is known, on its way through: limits into its headers, usage into the journal.

On the path of every call, so it does little and makes no object that it can share.
"""

from collections.abc import Awaitable
from dataclasses import replace
from datetime import datetime
from time import monotonic_ns, time

from starlette.types import Message, Receive, Scope, Send

from tollway.admission.core import Snapshot
from tollway.admission.entities import Cost
from tollway.admission.gatehouse import Called, Gatehouse
from tollway.admission.headers import Headers, limit_headers, refusal_headers
from tollway.admission.quota_leases import Account
from tollway.customers.callers import Caller
from tollway.kit.db import Database, Transaction
from tollway.kit.http import problem_response
from tollway.kit.log import log
from tollway.kit.problems import Problem
from tollway.kit.scope import request_id


class Passage:
    """A call that was let in, or refused with its key known; its endpoint finds it in the request's state.

    INVARIANT: whoever received the end of an answer finds its call in the journal, or in the table by the transaction
    of its effect (tests/admission/test_middleware.py::test_a_call_is_on_record_before_its_last_byte).
    """

    __slots__ = (
        "_send",
        "address",
        "began_ns",
        "began_seconds",
        "called",
        "gatehouse",
        "is_recorded",
        "lease_id",
        "scope",
        "snapshot",
        "status",
        "user_agent",
    )

    def __init__(
        self,
        gatehouse: Gatehouse,
        snapshot: Snapshot,
        lease_id: int,
        called: Called,
        scope: Scope,
        send: Send,
        address: str,
        user_agent: bytes,
        began_ns: int,
        began_seconds: float,
    ) -> None:
        self.gatehouse = gatehouse
        self.snapshot = snapshot
        self.lease_id = lease_id
        self.called = called
        self.scope = scope
        self._send = send
        self.address = address
        self.user_agent = user_agent
        self.began_ns = began_ns
        self.began_seconds = began_seconds
        self.status = 500
        # Set by whoever wrote the usage itself, in the transaction of the call's effect.
        self.is_recorded = False

    # For the endpoint ------------------------------------------------------------------------------

    @property
    def caller(self) -> Caller:
        """Who calls, from where."""
        return replace(self.snapshot.recognised.caller, address=self.address)

    @property
    def product(self) -> str:
        """The product that the call's key was made for."""
        return self.snapshot.recognised.product

    @property
    def cost(self) -> Cost:
        """What the call asks for."""
        return self.called.cost

    @property
    def database(self) -> Database:
        """Where its effect is written."""
        return self.gatehouse.database

    async def assert_current(self, tx: Transaction, now: datetime) -> None:
        """Raise what refuses it by now, in the transaction of its effect."""
        await self.gatehouse.assert_current(tx, self.snapshot, self.cost, self.address, now)

    # The answer ------------------------------------------------------------------------------------

    def send(self, message: Message) -> Awaitable[None]:
        """Pass a part of the answer on. No coroutine of its own: what has to be awaited is the server's."""
        if message["type"] == "http.response.start":
            status = self.status = message["status"]
            told = (
                limit_headers(self.snapshot, self.began_ns, self.began_seconds)
                if status < 400
                else self._headers_of_refusal()
            )
            message["headers"] = [*message.get("headers", ()), *told]
        elif not self.is_recorded and not message.get("more_body"):
            sequence = self.end()
            if self.snapshot.durable:
                return self._send_once_flushed(message, sequence)
        return self._send(message)

    async def _send_once_flushed(self, message: Message, sequence: int) -> None:
        await self.gatehouse.journal.flushed(sequence)
        await self._send(message)

    def end(self) -> int:
        """Write the call down: what it took of the quota where it was served, and nothing where it was not.

        Returns: its number in the journal. Raises: JournalFull.
        """
        self.is_recorded = True
        gatehouse, called, status, lease_id = self.gatehouse, self.called, self.status, self.lease_id
        units, refusal = called.cost.units if lease_id else 0, b""
        if status >= 400:
            problem = self.scope.get("problem")
            if problem is not None:
                refusal = gatehouse.remarks_of(problem)
            if lease_id:
                self._account.refund(lease_id, units)
            units = lease_id = 0
        snapshot, user_agent, address = self.snapshot, self.user_agent, self.address
        key = (snapshot.api_key_id, called.method_code, called.endpoint, user_agent, address)
        try:
            sequence = gatehouse.journal.append(
                gatehouse.letterheads.get(key)
                or gatehouse.letterhead_of(snapshot, called, user_agent, address),
                int(self.began_seconds * 1e6),
                status,
                (monotonic_ns() - self.began_ns) // 1_000,
                request_id.get(),
                called.path,
                lease_id,
                units,
                refusal,
            )
        except Problem:
            # Its answer stays without an end, so it was not served.
            if lease_id:
                self._account.refund(lease_id, units)
            raise
        if lease_id:
            # Only now may the lease end: its end stands in the journal behind every record of it.
            self._account.journaled(lease_id, units)
        return sequence

    def _headers_of_refusal(self) -> Headers:
        problem = self.scope.get("problem")
        told = refusal_headers(problem, self.began_seconds) if problem is not None else []
        return told or limit_headers(self.snapshot, self.began_ns, self.began_seconds)

    @property
    def _account(self) -> Account:
        account = self.snapshot.account
        assert account is not None, "units were spent from it"
        return account


async def refuse(
    problem: Problem, scope: Scope, receive: Receive, send: Send, passage: Passage | None, docs_url: str
) -> None:
    """Answer a call that does not come in; on record where its key is known."""
    if problem.log_message:
        log.info("call refused", code=problem.code, reason=problem.log_message)
    scope["problem"] = problem
    response = problem_response(problem, scope["path"], docs_url=docs_url)
    if passage is not None:
        try:
            await response(scope, receive, passage.send)
        finally:
            if not passage.is_recorded:
                passage.end()
        return
    response.raw_headers.extend(refusal_headers(problem, time()))
    await response(scope, receive, send)
