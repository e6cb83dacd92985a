"""Puts the limits into an answer's headers, and its usage into the journal before its last byte leaves."""

import time

from starlette.types import Message, Receive, Scope, Send

from tollway.admission.core import Decision
from tollway.admission.entities import Cost
from tollway.admission.gatehouse import Gatehouse, Origin
from tollway.admission.headers import limit_headers, refusal_headers
from tollway.kit.http import problem_response
from tollway.kit.log import log
from tollway.kit.problems import Problem


class RecordedReply:
    """One answer to a call whose key is known.

    INVARIANT: whoever received the end of an answer finds its call in the journal, or in the table by the transaction
    of its effect (tests/admission/test_middleware.py::test_a_call_is_on_record_before_its_last_byte).
    """

    __slots__ = (
        "began_ns",
        "cost",
        "decision",
        "gatehouse",
        "is_recorded",
        "origin",
        "scope",
        "status",
        "to",
    )

    def __init__(
        self,
        gatehouse: Gatehouse,
        decision: Decision,
        cost: Cost,
        origin: Origin,
        scope: Scope,
        send: Send,
        began_ns: int,
    ) -> None:
        self.gatehouse = gatehouse
        self.decision = decision
        self.cost = cost
        self.origin = origin
        self.scope = scope
        self.to = send
        self.began_ns = began_ns
        self.status = 500
        # Set by whoever wrote the usage itself, in the transaction of the call's effect.
        self.is_recorded = False

    async def send(self, message: Message) -> None:
        """Pass a part of the answer on."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message.get("headers", ()), *self._headers()]
        elif not message.get("more_body", False) and not self.is_recorded:
            sequence = self._record()
            if self.decision.snapshot.durable:  # type: ignore[union-attr]  # a reply has a snapshot
                await self.gatehouse.journal.flushed(sequence)
        await self.to(message)

    def end(self) -> None:
        """Record a call whose answer was broken off."""
        if not self.is_recorded:
            self._record()

    def _record(self) -> int:
        """Write the call down: what it took of the quota where it was served, and nothing where it was not."""
        self.is_recorded = True
        decision, units = self.decision, self.cost.units
        if self.status >= 400 and units:
            self.gatehouse.gate.give_back(decision, self.cost)
            units = 0
        sequence = self.gatehouse.record(
            decision.snapshot.recognised,  # type: ignore[union-attr]  # a reply has a snapshot
            self.origin,
            status=self.status,
            duration_ns=time.monotonic_ns() - self.began_ns,
            lease_id=decision.lease_id if units else 0,
            units=units,
            problem=self.scope.get("problem"),
        )
        if units:
            # Only now may the lease end: its end stands in the journal behind every record of it.
            decision.snapshot.account.journaled(decision.lease_id, units)  # type: ignore[union-attr]
        return sequence

    def _headers(self) -> list[tuple[bytes, bytes]]:
        problem = self.scope.get("problem")
        if problem is not None and (told := refusal_headers(problem, time.time())):
            return told
        return limit_headers(self.decision.snapshot, time.monotonic_ns(), time.time())  # type: ignore[arg-type]


async def refuse(
    problem: Problem, scope: Scope, receive: Receive, send: Send, reply: RecordedReply | None, docs_url: str
) -> None:
    """Answer a call that does not come in; on record where its key is known."""
    if problem.log_message:
        log.info("call refused", code=problem.code, reason=problem.log_message)
    scope["problem"] = problem
    response = problem_response(problem, scope["path"], docs_url=docs_url)
    if reply is not None:
        await response(scope, receive, reply.send)
        return
    response.raw_headers.extend(refusal_headers(problem, time.time()))
    await response(scope, receive, send)
