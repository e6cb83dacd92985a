"""From an API key to the caller that endpoints read."""

from dataclasses import dataclass

from fastapi import Request

from tollway.customers import operations as customers
from tollway.customers.callers import Caller, Via
from tollway.customers.permissions import Scope, UserType
from tollway.keys import operations as keys
from tollway.kit.db import Transaction


@dataclass(frozen=True, slots=True)
class RecognisedKey:
    """Who calls with a key, and for which product the key was issued."""

    caller: Caller
    product: str


async def recognise_key(tx: Transaction, request: Request) -> RecognisedKey:
    """Return whose key the request carries. Raises: what `keys.authenticate` raises."""
    now = request.scope["received_at"]
    api_key = await keys.authenticate(tx, request.headers.get("authorization"), now)
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
        scopes=frozenset(Scope),
        key_id=api_key.key_id,
    )
    return RecognisedKey(caller, api_key.product)
