"""From an API key to the caller that endpoints read, and whether its state and scopes let a call in."""

import re
from dataclasses import dataclass

from fastapi import Request

from tollway.admission.entities import Cost
from tollway.customers import operations as customers
from tollway.customers.callers import Caller, Via
from tollway.customers.entities import Mode, PermissionMissing
from tollway.customers.permissions import Permission, Scope, UserType
from tollway.keys import operations as keys
from tollway.keys.entities import ApiKey, ApiKeyOfAnotherProduct, CallKind, KeyState, Standing
from tollway.kit.db import Transaction
from tollway.kit.problems import Problem

# Whoever finds a leaked key may end it with nothing but the key.
REVOKE_SELF_PATH = "/api/keys/revoke-self"
# Where a plan is chosen and paid for: open to a key whose plan is over, for it leads out of that.
PAYING_PATHS = re.compile(r"/api/customers/[^/]+/upgrade|/api/billing/.+")


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
    standing = await keys.get_standing(tx, api_key, request.scope["received_at"])
    return await recognised_of(tx, api_key, standing, request.scope["client_address"])


async def recognised_of(tx: Transaction, api_key: ApiKey, standing: Standing, address: str) -> RecognisedKey:
    """Make the caller of a key that was found."""
    caller = Caller(
        customer_id=api_key.customer_id,
        user_id=None,
        user_type=UserType.API_CUSTOMER,
        verified=True,
        mode=api_key.mode,
        api_key_id=api_key.id,
        address=address,
        via=Via.KEY,
        customer=await customers.get_customer(tx, api_key.customer_id),
        scopes=api_key.scopes,
        key_id=api_key.key_id,
        product=api_key.product,
    )
    return RecognisedKey(caller, api_key, standing)


def refusal_of_state(
    recognised: RecognisedKey, product: str, *, reads: bool, kind: CallKind | None = None
) -> Problem | None:
    """Return why the state of a key, its product or its scopes refuse a call, or None where they do not.

    Args:
        product: whose path was called; empty for the paths where things are managed, whose endpoints ask for a
            permission themselves.
        kind: where the path tells more than whether it reads.
    """
    api_key, standing = recognised.api_key, recognised.standing
    if kind is CallKind.REVOKE_SELF or standing.state is KeyState.DELETED:
        return standing.refusal_of(kind or CallKind.LIVE_READ)
    if product and product != api_key.product:
        return ApiKeyOfAnotherProduct(
            f"This is a key of {api_key.product!r}, and what was called belongs to {product!r}. "
            f"Make a key of {product!r} on the page of your keys.",
            members={"key_product": api_key.product, "path_product": product},
        )
    refusal = standing.refusal_of(kind or _kind_of(api_key, reads=reads))
    if refusal is None and product:
        refusal = _missing_scope(api_key, Scope.READ if reads else Scope.WRITE)
    return refusal


def may_repeat(recognised: RecognisedKey, cost: Cost) -> bool:
    """Whether a refused call may be one that had its effect before the plan ended, and asks for its answer again.

    Where it is none, `Call.perform` refuses it for the same reason, once it has looked.
    """
    is_over = recognised.standing.state is KeyState.CANCELLED
    return is_over and not cost.reads and Scope.WRITE in recognised.api_key.scopes


def kind_of_path(path: str) -> CallKind | None:
    """Say what a path of management is, where that matters to the state of a key."""
    if path == REVOKE_SELF_PATH:
        return CallKind.REVOKE_SELF
    return CallKind.PAY if PAYING_PATHS.fullmatch(path) else None


def _kind_of(api_key: ApiKey, *, reads: bool) -> CallKind:
    if api_key.mode is Mode.TEST:
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
