"""Admits every call of a product before its body is read, and records it before its reply's last byte leaves."""

import time
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tollway.admission.admitted import Admitted
from tollway.admission.core import Snapshot, Verdict
from tollway.admission.entities import Cost
from tollway.admission.gatehouse import Gatehouse, Origin, digest_of
from tollway.admission.patterns import Patterns
from tollway.admission.recognition import may_repeat
from tollway.admission.recording import RecordedReply, refuse
from tollway.customers.guard import READING_METHODS
from tollway.kit.problems import Problem, TooLarge

# Multipart boundaries and the small fields beside a file.
FORM_OVERHEAD_BYTES = 65_536
USER_AGENT_LENGTH_MAX = 500


@dataclass(frozen=True, slots=True)
class ProductPaths:
    """Which paths belong to a product, which of them need no key, and what its calls ask for.

    Args:
        costs: what an endpoint asks for, by method and pattern such as `POST /checks`. What is not named weighs 1 and
            takes no units here: the transaction of its effect counts them.
    """

    product: str
    prefix: str
    open_paths: frozenset[str] = frozenset()
    upload_paths: frozenset[str] = frozenset()
    costs: tuple[tuple[str, Cost], ...] = ()


class AdmissionMiddleware:
    """Answers 401 to strangers, refuses what a limit or a state refuses, and hands the other calls on."""

    def __init__(
        self,
        app: ASGIApp,
        gatehouse: Gatehouse,
        products: tuple[ProductPaths, ...],
        docs_url: str,
        patterns: Patterns,
    ) -> None:
        self.app = app
        self.gatehouse = gatehouse
        self.products = products
        self.docs_url = docs_url
        self.patterns = patterns
        self._prefixes = tuple(paths.prefix + "/" for paths in products)
        self._costs = {paths.product: _Costs(paths) for paths in products}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        paths = self._paths_of(scope)
        if paths is None:
            await self.app(scope, receive, send)
            return
        gatehouse, path, method = self.gatehouse, scope["path"], scope["method"]
        authorization, user_agent, is_repeatable = _headers_of(scope)
        endpoint = self.patterns.find(path)
        cost = self._costs[paths.product].find(method, endpoint)
        origin = Origin(method, endpoint, path, address_of(scope), user_agent)
        began_ns = time.monotonic_ns()
        reply: RecordedReply | None = None
        try:
            gatehouse.assert_room()
            decision = gatehouse.gate.admit(
                digest_of(authorization), cost, origin.address, began_ns, time.time()
            )
            if decision.verdict is not Verdict.ADMITTED:
                decision = await gatehouse.admit(authorization, cost, origin.address, scope["received_at"])
            assert decision.snapshot is not None
            reply = RecordedReply(gatehouse, decision, cost, origin, scope, send, began_ns)
            refusal = decision.refusal
            if refusal is not None and is_repeatable and _may_repeat(decision.snapshot, origin, cost):
                refusal = None
            limit = _upload_limit(decision.snapshot, scope, paths) if refusal is None else None
        except Problem as problem:
            refusal = problem
        if refusal is not None:
            # Not raised: a Problem that a snapshot keeps would grow a longer trace with each time.
            await refuse(refusal, scope, receive, send, reply, self.docs_url)
            return
        assert reply is not None
        assert decision.snapshot is not None
        state = scope.setdefault("state", {})
        state["admitted"] = Admitted(gatehouse, decision.snapshot, cost, origin, reply)
        try:
            await self.app(scope, _bounded(receive, limit), reply.send)
        finally:
            reply.end()

    def _paths_of(self, scope: Scope) -> ProductPaths | None:
        if scope["type"] != "http" or not scope["path"].startswith(self._prefixes):
            return None
        if scope["method"] == "OPTIONS":
            return None
        for prefix, paths in zip(self._prefixes, self.products, strict=True):
            if scope["path"].startswith(prefix) and scope["path"] not in paths.open_paths:
                return paths
        return None


def _may_repeat(snapshot: Snapshot, origin: Origin, cost: Cost) -> bool:
    recognised = snapshot.recognised
    return (
        origin.method == "POST"
        and may_repeat(recognised, cost)
        and recognised.api_key.takes_calls_from(origin.address)
    )


class _Costs:
    """What the endpoints of one product ask for."""

    def __init__(self, paths: ProductPaths) -> None:
        self._named = {tuple(name.split(" ", 1)): cost for name, cost in paths.costs}
        self._reading = Cost(paths.product, reads=True)
        self._writing = Cost(paths.product, reads=False)

    def find(self, method: str, endpoint: str) -> Cost:
        """Return what a call of an endpoint asks for."""
        found = self._named.get((method, endpoint))
        if found is not None:
            return found
        return self._reading if method in READING_METHODS else self._writing


def _headers_of(scope: Scope) -> tuple[str, str, bool]:
    """Return Authorization and User-Agent, and whether an Idempotency-Key came with them."""
    authorization, user_agent, is_repeatable = "", "", False
    for name, value in scope["headers"]:
        if name == b"authorization":
            authorization = value.decode("latin-1")
        elif name == b"user-agent":
            user_agent = value.decode("latin-1")[:USER_AGENT_LENGTH_MAX]
        elif name == b"idempotency-key":
            is_repeatable = True
    return authorization, user_agent, is_repeatable


def address_of(scope: Scope) -> str:
    """Return the address a request came from, as the edge found it."""
    found = scope.get("client_address")
    if found is None:
        # Without our own edge in front, as in a benchmark of this middleware alone.
        found = scope["client"][0] if scope.get("client") else ""
    return str(found)


def _upload_limit(snapshot: Snapshot, scope: Scope, paths: ProductPaths) -> int | None:
    """Return how many bytes this call's body may have, or None where the general limit is enough."""
    if scope["path"] not in paths.upload_paths or scope["method"] != "POST" or snapshot.entitlement is None:
        return None
    limit = snapshot.entitlement.limits.file_bytes_max
    declared = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
    if declared.isdigit() and int(declared) > limit + FORM_OVERHEAD_BYTES:
        raise over_plan_size(limit, snapshot.entitlement.plan.name)
    return limit + FORM_OVERHEAD_BYTES


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
