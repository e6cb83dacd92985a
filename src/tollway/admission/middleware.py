"""Admits every call of a product before its body is read, and records it before its reply's last byte leaves."""

from dataclasses import dataclass
from time import monotonic_ns, time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tollway.admission.core import UNKNOWN
from tollway.admission.entities import Cost
from tollway.admission.gatehouse import Called, Gatehouse
from tollway.admission.passage import Passage, refuse
from tollway.admission.patterns import Patterns
from tollway.admission.recognition import may_repeat
from tollway.admission.records import PATH_LENGTH_MAX
from tollway.admission.slots import Slot
from tollway.customers.guard import READING_METHODS
from tollway.kit.clock import read_now
from tollway.kit.problems import Problem, TooLarge

# Multipart boundaries and the small fields beside a file.
FORM_OVERHEAD_BYTES = 65_536
# Methods and paths that are told without looking for their pattern; longer ones are looked for each time, because
# strangers choose them.
CALLED_REMEMBERED_MAX = 10_000


@dataclass(frozen=True, slots=True)
class ProductPaths:
    """Which paths belong to a product, which of them need no key, and what its calls ask for.

    Args:
        open_prefixes: what every path below them needs instead of a key stands in the path itself.
        costs: what an endpoint asks for, by method and pattern such as `POST /checks`. What is not named weighs 1 and
            takes no units here: the transaction of its effect counts them.
    """

    product: str
    prefix: str
    open_paths: frozenset[str] = frozenset()
    open_prefixes: tuple[str, ...] = ()
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
        self._upload_paths = frozenset().union(*(paths.upload_paths for paths in products))
        # What has no method or no path is no HTTP request, and is never found here.
        self._called: dict[tuple[str | None, str | None], Called] = {}
        self._costs = {
            (paths.product, reads): Cost(paths.product, reads=reads)
            for paths in products
            for reads in (True, False)
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        called = self._called.get((scope.get("method"), scope.get("path"))) or self._find(scope)
        if called is None:
            await self.app(scope, receive, send)
            return
        gatehouse, cost = self.gatehouse, called.cost
        authorization = user_agent = b""
        for name, value in scope["headers"]:
            if name == b"authorization":
                authorization = value
            elif name == b"user-agent":
                user_agent = value
        # Without our own edge in front, as in a benchmark of this middleware alone, the peer is the client.
        address = scope.get("client_address") or scope["client"][0]
        began_ns, began_seconds = monotonic_ns(), time()
        passage: Passage | None = None
        slot: Slot | None = None
        try:
            # One that is known was let in before, so the journal is open.
            digest = gatehouse.digests.get(authorization)
            decision = (
                UNKNOWN
                if digest is None or gatehouse.journal.is_low
                else gatehouse.gate.admit(digest, cost, address, began_ns, began_seconds)
            )
            verdict, snapshot, lease_id, refusal, _ = decision
            if verdict:
                now = scope.get("received_at") or read_now()
                decision = await gatehouse.admit(authorization, cost, address, now)
                _, snapshot, lease_id, refusal, _ = decision
            assert snapshot is not None, "only of a key that is known is decided"
            passage = Passage(
                gatehouse,
                snapshot,
                lease_id,
                called,
                scope,
                send,
                address,
                user_agent,
                began_ns,
                began_seconds,
            )
            if refusal is not None and _may_repeat(passage):
                # Its state refused it before any limit was asked.
                refusal = await gatehouse.take(snapshot.buckets, cost.weight)
            if refusal is None and not cost.reads:
                receive, slot = await self._begin_change(passage, receive)
        except Problem as problem:
            refusal = problem
        except BaseException:
            if passage is not None:
                passage.end()
            raise
        if refusal is not None:
            # Not raised: a Problem that a snapshot keeps would grow a longer trace with each time.
            await refuse(refusal, scope, receive, send, passage, self.docs_url)
            return
        assert passage is not None
        state = scope.setdefault("state", {})
        state["passage"] = passage
        try:
            await self.app(scope, receive, passage.send)
        finally:
            # A scope that leads back to itself would stay in memory until the garbage collector looks for it.
            del state["passage"]
            try:
                if not passage.is_recorded:
                    passage.end()
            finally:
                if slot is not None:
                    await gatehouse.limiter.release(slot)

    async def _begin_change(self, passage: Passage, receive: Receive) -> tuple[Receive, Slot | None]:
        """Bound the body and the number at once of what changes something.

        Raises: TooLarge, TooManyAtOnce, CentreGone.
        """
        if passage.scope["path"] in self._upload_paths:
            receive = _bounded(receive, _upload_limit(passage))
        if passage.snapshot.at_once_max is None:
            return receive, None
        return receive, await self.gatehouse.hold(passage.snapshot)

    def _find(self, scope: Scope) -> Called | None:
        """Say what a request calls; None where no key is needed."""
        if scope["type"] != "http" or not scope["path"].startswith(self._prefixes):
            return None
        method, path = scope["method"], scope["path"]
        paths = next(one for one in self.products if path.startswith(one.prefix + "/"))
        if method == "OPTIONS" or path in paths.open_paths or path.startswith(paths.open_prefixes):
            return None
        endpoint = self.patterns.find(path)
        called = Called(method, endpoint, path, self._cost_of(paths, method, endpoint))
        if len(self._called) >= CALLED_REMEMBERED_MAX:
            self._called.clear()
        if len(path) <= PATH_LENGTH_MAX:
            self._called[method, path] = called
        return called

    def _cost_of(self, paths: ProductPaths, method: str, endpoint: str) -> Cost:
        """Return what a call of an endpoint asks for; the same object each time."""
        named = f"{method} {endpoint}"
        found = next((cost for name, cost in paths.costs if name == named), None)
        return found or self._costs[paths.product, method in READING_METHODS]


def _may_repeat(passage: Passage) -> bool:
    """Whether a refused call may ask again for the answer to what had its effect before the plan ended."""
    recognised = passage.snapshot.recognised
    return (
        passage.called.method == "POST"
        and any(name == b"idempotency-key" for name, _ in passage.scope["headers"])
        and may_repeat(recognised, passage.cost)
        and recognised.api_key.takes_calls_from(passage.address)
    )


def _upload_limit(passage: Passage) -> int | None:
    """Return how many bytes this call's body may have, or None where the general limit is enough."""
    entitlement = passage.snapshot.entitlement
    if passage.called.method != "POST" or entitlement is None:
        return None
    limit = entitlement.limits.file_bytes_max
    declared = next((value for name, value in passage.scope["headers"] if name == b"content-length"), b"0")
    if declared.isdigit() and int(declared) > limit + FORM_OVERHEAD_BYTES:
        raise over_plan_size(limit, entitlement.plan.name)
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
