"""The API keys of a customer at the addresses of the agents API: generate, list, revoke (D6-D8)."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field

from tollway.customers.callers import Caller, Via
from tollway.customers.entities import AddressNotVerified, Mode, SignInAgain
from tollway.customers.guard import Needs
from tollway.customers.permissions import Permission, Scope
from tollway.keys import answer_operations as answers
from tollway.keys import management_operations as management
from tollway.keys.entities import (
    NAME_LENGTH_MAX,
    ApiKeyLimitReached,
    ApiKeyNotFound,
    ApiKeyReach,
    KeySettings,
    WantedKey,
)
from tollway.kit.http import ReplayingRoute, database_of
from tollway.kit.openapi import IDEMPOTENCY_HEADER, problem_responses
from tollway.kit.problems import NotFound

KEY_NAME = "API key"
# What these addresses make for a person who does not say otherwise: the product that they come from.
PRODUCT = "agents"

router = APIRouter(prefix="/api/customers", route_class=ReplayingRoute, tags=["Customers"])

Viewing = Annotated[Caller, Depends(Needs(Permission.KEYS_VIEW))]
Managing = Annotated[Caller, Depends(Needs(Permission.KEYS_MANAGE))]


class GeneratedKeyOut(BaseModel):
    """A new key, shown this once."""

    api_key: str | None = Field(description="The secret; null in the answer to a repeated request.")
    key_id: str
    message: str


class ListedKeyOut(BaseModel):
    """One key of the customer."""

    id: str = Field(description="The prefix and the eight characters after it.")
    name: str
    created_at: datetime
    last_used: datetime | None
    is_active: bool


class Message(BaseModel):
    """What was done."""

    message: str


@router.post(
    "/{customer_id}/api-keys/generate",
    status_code=201,
    summary="Generate an API key",
    response_model=GeneratedKeyOut,
    openapi_extra={"parameters": [IDEMPOTENCY_HEADER]},
    responses=problem_responses(ApiKeyReach, ApiKeyLimitReached, SignInAgain, AddressNotVerified),
)
async def generate_api_key(
    request: Request,
    caller: Managing,
    customer_id: str,
    key_name: Annotated[str, Query(min_length=1, max_length=NAME_LENGTH_MAX)] = KEY_NAME,
    product: Annotated[
        Literal["montecarlo", "wallet", "agents"] | None,
        Query(description="By default that of the key that calls, and `agents` for a person."),
    ] = None,
    mode: Annotated[
        Mode | None, Query(description="By default that of the key that calls, and `test` for a person.")
    ] = None,
) -> dict[str, Any]:
    """Generate a further key, with the scopes read and write. The others work until they are revoked.

    `customer_id` is your customer's id, or `me`. For expiry, networks and limits use `POST /api/api-keys`.
    """
    _assert_own(caller, customer_id)
    now: datetime = request.scope["received_at"]
    async with database_of(request).transaction() as tx:
        by_key = caller.via is Via.KEY
        wanted = WantedKey(
            product or (await management.product_of(tx, caller) if by_key else PRODUCT),
            mode or (caller.mode if by_key else Mode.TEST),
            frozenset({Scope.READ, Scope.WRITE}),
            KeySettings(key_name),
        )

        async def work() -> dict[str, Any]:
            issued = await management.create(
                tx,
                request.app.state.sealer,
                caller,
                wanted,
                base_url=request.app.state.lifecycle.base_url,
                now=now,
            )
            return {
                "api_key": issued.secret,
                "key_id": issued.api_key.key_id,
                "message": "API key generated. Keep it now: it is shown this once.",
            }

        return await answers.answer_once(
            tx,
            caller,
            f"{request.method} {request.url.path}",
            request.headers.get("idempotency-key"),
            [key_name, product, mode],
            now,
            work,
        )


@router.get("/{customer_id}/api-keys", summary="List a customer's API keys")
async def list_api_keys(request: Request, caller: Viewing, customer_id: str) -> list[ListedKeyOut]:
    """List the keys of your customer, newest first. `customer_id` is your customer's id, or `me`."""
    _assert_own(caller, customer_id)
    async with database_of(request).transaction() as tx:
        found = await answers.list_described(tx, caller, request.scope["received_at"])
    return [
        ListedKeyOut(
            id=one.api_key.key_id,
            name=one.api_key.name,
            created_at=one.api_key.created_at,
            last_used=one.api_key.last_used_at,
            is_active=one.is_active,
        )
        for one in found
    ]


@router.delete(
    "/{customer_id}/api-keys/{key_id}",
    summary="Revoke a customer's API key",
    responses=problem_responses(ApiKeyNotFound, ApiKeyReach),
)
async def revoke_api_key(request: Request, caller: Managing, customer_id: str, key_id: str) -> Message:
    """End a key from its next call on; it stays in the list, inactive."""
    _assert_own(caller, customer_id)
    async with database_of(request).transaction() as tx:
        await management.revoke(tx, caller, key_id, request.scope["received_at"])
    return Message(message="API key revoked successfully")


def _assert_own(caller: Caller, customer_id: str) -> None:
    """Refuse the id of another customer just as one that is nobody's."""
    if customer_id != "me" and (caller.customer is None or caller.customer.public_id != customer_id):
        raise NotFound("There is no such customer.")
