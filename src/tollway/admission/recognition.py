"""From an API key to the caller that endpoints read, and whether its call may come in."""

import re
import time
from dataclasses import dataclass, field

from fastapi import Request

from tollway.admission.entities import AddressNotAllowed, ApiKeyTooFast
from tollway.customers import operations as customers
from tollway.customers.callers import Caller, Via
from tollway.customers.entities import Mode, PermissionMissing
from tollway.customers.guard import READING_METHODS
from tollway.customers.permissions import Permission, Scope, UserType
from tollway.keys import operations as keys
from tollway.keys.entities import ApiKey, ApiKeyOfAnotherProduct, CallKind, KeyState, Standing
from tollway.kit.db import Transaction
from tollway.kit.problems import Problem

# Whoever finds a leaked key may end it with nothing but the key.
REVOKE_SELF_PATH = "/api/keys/revoke-self"
# Where a plan is chosen and paid for: open to a key whose plan is over, for it leads out of that.
PAYING_PATHS = re.compile(r"/api/customers/[^/]+/upgrade|/api/billing/.+")
SUBJECTS_MAX = 100_000


@dataclass(slots=True)
class MinuteCounts:
    """Counts by subject within one whole minute of this process's clock."""

    minute: int = 0
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, subject: str, seconds: float) -> int:
        """Count one more of a subject and return how many it has in this minute."""
        minute = int(seconds // 60)
        # A new minute forgets every count; so does a flood of subjects, which would eat memory otherwise.
        if self.minute != minute or len(self.counts) >= SUBJECTS_MAX:
            self.minute, self.counts = minute, {}
        self.counts[subject] = self.counts.get(subject, 0) + 1
        return self.counts[subject]


@dataclass(frozen=True, slots=True)
class RecognisedKey:
    """Who calls with a key, which key it is, and in what state."""

    caller: Caller
    api_key: ApiKey
    standing: Standing

    @property
    def product(self) -> str:
        """The product that the key was made for."""
        return self.api_key.product


async def recognise_key(tx: Transaction, request: Request) -> RecognisedKey:
    """Return whose key the request carries, whatever its state. Raises: what `keys.recognise` raises."""
    api_key = await keys.recognise(tx, request.headers.get("authorization"))
    caller = Caller(
        customer_id=api_key.customer_id,
        user_id=None,
        user_type=UserType.API_CUSTOMER,
        verified=True,
        mode=api_key.mode,
        api_key_id=api_key.id,
        address=request.scope["client_address"],
        via=Via.KEY,
        customer=await customers.get_customer(tx, api_key.customer_id),
        scopes=api_key.scopes,
        key_id=api_key.key_id,
    )
    standing = await keys.get_standing(tx, api_key, request.scope["received_at"])
    return RecognisedKey(caller, api_key, standing)


def find_refusal(
    recognised: RecognisedKey, request: Request, counts: MinuteCounts, *, path_product: str | None = None
) -> Problem | None:
    """Return why a recognised key's call may not come in, or None where it may.

    Args:
        path_product: whose path was called; None for the paths where things are managed, whose endpoints ask
            for a permission themselves.
    """
    api_key, standing = recognised.api_key, recognised.standing
    if request.url.path == REVOKE_SELF_PATH:
        return standing.refusal_of(CallKind.REVOKE_SELF)
    if standing.state is KeyState.DELETED:
        return standing.refusal
    if not api_key.takes_calls_from(recognised.caller.address):
        return AddressNotAllowed(
            f"This API key takes no calls from {recognised.caller.address}. Call from a network of its allow-list, "
            "or have the list changed on the page of your keys."
        )
    if path_product is not None and path_product != api_key.product:
        return ApiKeyOfAnotherProduct(
            f"This is a key of {api_key.product!r}, and {request.url.path} belongs to {path_product!r}. "
            f"Make a key of {path_product!r} on the page of your keys.",
            members={"key_product": api_key.product, "path_product": path_product},
        )
    reads = request.method in READING_METHODS
    refusal = standing.refusal_of(_kind_of(request, api_key.mode, reads=reads))
    if refusal is not None and path_product is not None and _may_repeat(request, standing):
        refusal = None
    if refusal is None and path_product is not None:
        refusal = _missing_scope(api_key, Scope.READ if reads else Scope.WRITE)
    return refusal or _over_limit(api_key, counts)


def _may_repeat(request: Request, standing: Standing) -> bool:
    """Whether it may be a request that had its effect before the plan ended, and asks for its answer again.

    Where it is none, `Call.perform` refuses it for the same reason, once it has looked.
    """
    is_creation = request.method == "POST" and "idempotency-key" in request.headers
    return is_creation and standing.state is KeyState.CANCELLED


def _kind_of(request: Request, mode: Mode, *, reads: bool) -> CallKind:
    if PAYING_PATHS.fullmatch(request.url.path):
        return CallKind.PAY
    if mode is Mode.TEST:
        return CallKind.TEST_READ if reads else CallKind.TEST_WRITE
    return CallKind.LIVE_READ if reads else CallKind.LIVE_WRITE


def _missing_scope(api_key: ApiKey, needed: Scope) -> PermissionMissing | None:
    if needed in api_key.scopes:
        return None
    has = ", ".join(scope.value for scope in Scope if scope in api_key.scopes)
    permission = Permission.VIEW if needed is Scope.READ else Permission.USE
    return PermissionMissing(
        f"This call needs a key with the scope {needed.value}; this key has: {has}. "
        "An owner or a developer of your team makes one on the page of your keys.",
        members={"permission": permission.value, "scope": needed.value},
    )


def _over_limit(api_key: ApiKey, counts: MinuteCounts) -> ApiKeyTooFast | None:
    limit = api_key.requests_per_minute_max
    if limit is None:
        return None
    seconds = time.monotonic()
    if counts.add(api_key.key_id, seconds) <= limit:
        return None
    wait = 60 - int(seconds % 60)
    return ApiKeyTooFast(
        f"More than {limit:,} requests came with this API key within a minute, which is the limit that its owner "
        f"set. Try again in {wait} seconds.",
        retry_after_seconds=wait,
        members={"limit": "requests_per_minute_per_key", "limit_value": limit},
    )
