"""API keys over HTTP: list, make, change, rotate, reveal, revoke, delete; and a key that ends itself."""

import re
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Request
from fastapi.encoders import jsonable_encoder
from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from tollway.customers.callers import Caller, Via
from tollway.customers.entities import AddressNotVerified, Mode, SignInAgain
from tollway.customers.guard import Needs, find_caller
from tollway.customers.permissions import Permission, Scope
from tollway.keys import answer_operations as answers
from tollway.keys import management_operations as management
from tollway.keys.answer_operations import DescribedKey
from tollway.keys.entities import (
    API_KEY_LENGTH_MAX,
    NAME_LENGTH_MAX,
    NETWORKS_MAX,
    OVERLAP_HOURS_MAX,
    REQUESTS_PER_MINUTE_MAX,
    ApiKeyLimitReached,
    ApiKeyMissing,
    ApiKeyNotFound,
    ApiKeyOver,
    ApiKeyReach,
    ApiKeyRotated,
    KeySettings,
    KeyState,
    WantedKey,
)
from tollway.kit.db import Transaction
from tollway.kit.http import ReplayingRoute, database_of
from tollway.kit.openapi import IDEMPOTENCY_HEADER, problem_responses

NETWORK_LENGTH_MAX = 60
OVERLAP_HOURS = 24
BYTES_PER_MEGABYTE = 1_000_000
SHOWN_ONCE = "Keep the secret now: it is shown this once and cannot be had again."
SHOWN_AGAIN = "Keep the secret safe. It is a test key, so it can be revealed again."
# RFC 3339, which is narrower than what pydantic takes.
MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)

router = APIRouter(prefix="/api", route_class=ReplayingRoute, tags=["API keys"])

Viewing = Annotated[Caller, Depends(Needs(Permission.KEYS_VIEW))]
Managing = Annotated[Caller, Depends(Needs(Permission.KEYS_MANAGE))]
KeyId = Annotated[
    str,
    Path(max_length=API_KEY_LENGTH_MAX, description="The prefix and the eight characters after it."),
]


def _as_written(value: Any) -> Any:
    if value is not None and not (isinstance(value, str) and MOMENT.fullmatch(value)):
        raise ValueError("must be a date and time with its offset, such as 2027-01-31T12:00:00Z")
    return value


Moment = Annotated[AwareDatetime, BeforeValidator(_as_written)]
Networks = Annotated[
    list[Annotated[str, Field(max_length=NETWORK_LENGTH_MAX)]], Field(max_length=NETWORKS_MAX)
]
PerMinute = Annotated[int, Field(strict=True, ge=1, le=REQUESTS_PER_MINUTE_MAX)]
Name = Annotated[str, Field(min_length=1, max_length=NAME_LENGTH_MAX)]


class KeyIn(BaseModel):
    """The key that is wanted."""

    model_config = ConfigDict(extra="forbid")

    name: Name = Field(description="For people: where it is used.", examples=["Reports on the build server"])
    product: Literal["montecarlo", "wallet", "agents"] = "montecarlo"
    mode: Mode = Field(Mode.TEST, description="A live key costs what its plan says; a test key never does.")
    scopes: list[Scope] = Field([Scope.READ, Scope.WRITE], min_length=1, max_length=len(Scope))
    expires_at: Moment | None = Field(
        None, description="Works strictly before; at most 1,826 days from now. Left out: for ever."
    )
    allowed_networks: Networks = Field(
        [],
        description="Addresses and networks that it takes calls from. Empty: from everywhere.",
        examples=[["203.0.113.0/24", "2001:db8::/32"]],
    )
    requests_per_minute_max: PerMinute | None = Field(
        None, description="Its own limit a minute, below those of your plan."
    )


class KeyChangeIn(BaseModel):
    """What to change; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    name: Name | None = None
    expires_at: Moment | None = None
    allowed_networks: Networks | None = None
    requests_per_minute_max: PerMinute | None = None


class RotationIn(BaseModel):
    """How long the old key works beside the new one."""

    model_config = ConfigDict(extra="forbid")

    overlap_hours: Annotated[int, Field(strict=True, ge=0, le=OVERLAP_HOURS_MAX)] = Field(
        OVERLAP_HOURS, description="0 ends the old key at once, 720 are 30 days."
    )


class KeyOut(BaseModel):
    """What is known of a key; never the key itself."""

    key_id: str
    name: str
    product: str
    mode: Mode
    masked_key: str = Field(description="Prefix and last four characters.")
    scopes: list[Scope]
    state: KeyState = Field(description="Computed from the key, its plan and its customer.")
    state_reason: str
    is_active: bool
    subscription_tier: str
    monthly_requests: int | None = Field(description="Included in the period under way; null: unlimited.")
    max_iterations: int
    max_file_size_mb: int
    requests_used_this_month: int = Field(description="By this key, in the period under way.")
    allowed_networks: list[str]
    requests_per_minute_max: int | None
    last_used_at: datetime | None
    created_at: datetime
    expires_at: datetime | None
    successor_key_id: str | None
    grace_until: datetime | None = Field(
        description="Until when, strictly before, it works beside its successor."
    )
    calls_since_rotation: int | None = Field(
        description="Calls that still came with it since it was replaced."
    )


class MadeKeyOut(BaseModel):
    """A new key and its secret."""

    api_key_info: KeyOut
    secret_key: str | None = Field(description="Null in the answer to a repeated request.")
    warning: str


class RotatedKeyOut(MadeKeyOut):
    """A successor, its secret, and the key that it replaces."""

    replaced_key: KeyOut


class SecretOut(BaseModel):
    """A test key, whole."""

    key_id: str
    secret_key: str


class Message(BaseModel):
    """What was done."""

    message: str


@router.get("/api-keys", summary="List API keys")
async def list_api_keys(request: Request, caller: Viewing) -> list[KeyOut]:
    """List your keys, newest first, the revoked ones included. A key sees those of its own mode alone."""
    async with database_of(request).transaction() as tx:
        found = await answers.list_described(tx, caller, _now(request))
    return [_key_out(one) for one in found]


@router.post(
    "/api-keys",
    status_code=201,
    summary="Make an API key",
    response_model=MadeKeyOut,
    openapi_extra={"parameters": [IDEMPOTENCY_HEADER]},
    responses=problem_responses(ApiKeyReach, ApiKeyLimitReached, SignInAgain, AddressNotVerified),
)
async def create_api_key(request: Request, caller: Managing, body: KeyIn) -> dict[str, Any]:
    """Make a key and answer with its secret, once.

    A person who makes a live key must have signed in within 15 minutes. A key makes keys of its own product and
    mode alone, with scopes that it has itself, which live no longer and are taken from no more networks. The
    first key of a product that you do not hold yet begins that product's free plan. A repeated
    `Idempotency-Key` is answered without the secret.
    """
    wanted = WantedKey(
        body.product,
        body.mode,
        frozenset(body.scopes),
        KeySettings(body.name, body.expires_at, tuple(body.allowed_networks), body.requests_per_minute_max),
    )

    async with database_of(request).transaction() as tx:

        async def work() -> dict[str, Any]:
            issued = await management.create(
                tx, _sealer(request), caller, wanted, base_url=_base_url(request), now=_now(request)
            )
            return await _made(tx, caller, issued.api_key.key_id, issued.secret, _now(request))

        return await _once(request, tx, caller, body.model_dump(mode="json"), work)


@router.get(
    "/api-keys/{key_id}",
    summary="Read an API key",
    responses=problem_responses(ApiKeyNotFound),
)
async def read_api_key(request: Request, caller: Viewing, key_id: KeyId) -> KeyOut:
    """Read one key. While it is replaced, `calls_since_rotation` counts who still calls with it."""
    async with database_of(request).transaction() as tx:
        return _key_out(await answers.get_described(tx, caller, key_id, _now(request)))


@router.patch(
    "/api-keys/{key_id}",
    summary="Change an API key",
    responses=problem_responses(ApiKeyNotFound, ApiKeyReach, ApiKeyOver),
)
async def change_api_key(request: Request, caller: Managing, key_id: KeyId, body: KeyChangeIn) -> KeyOut:
    """Change a key's name, expiry, networks or limit, from its next call on. Scopes stay: make another key."""
    async with database_of(request).transaction() as tx:
        api_key = await management.get_visible(tx, caller, key_id)
        sent = body.model_fields_set
        settings = KeySettings(
            body.name if body.name is not None else api_key.name,
            body.expires_at if "expires_at" in sent else api_key.expires_at,
            api_key.allowed_networks if body.allowed_networks is None else tuple(body.allowed_networks),
            body.requests_per_minute_max
            if "requests_per_minute_max" in sent
            else api_key.requests_per_minute_max,
        )
        await management.change(tx, caller, key_id, settings, _now(request))
        return _key_out(await answers.get_described(tx, caller, key_id, _now(request)))


@router.post(
    "/api-keys/{key_id}/rotate",
    status_code=201,
    summary="Rotate an API key",
    response_model=RotatedKeyOut,
    openapi_extra={"parameters": [IDEMPOTENCY_HEADER]},
    responses=problem_responses(
        ApiKeyNotFound,
        ApiKeyReach,
        ApiKeyOver,
        ApiKeyRotated,
        ApiKeyLimitReached,
        SignInAgain,
        AddressNotVerified,
    ),
)
async def rotate_api_key(
    request: Request, caller: Managing, key_id: KeyId, body: RotationIn
) -> dict[str, Any]:
    """Replace a key by one with the same name, scopes and settings; both work until the overlap is over.

    A key with an expiry gets a successor that lives as long as it did. A person who replaces a live key must
    have signed in within 15 minutes. A repeated `Idempotency-Key` is answered without the secret.
    """
    async with database_of(request).transaction() as tx:

        async def work() -> dict[str, Any]:
            now = _now(request)
            issued = await management.rotate(
                tx, _sealer(request), caller, key_id, body.overlap_hours, base_url=_base_url(request), now=now
            )
            replaced = await answers.get_described(tx, caller, key_id, now)
            made = await _made(tx, caller, issued.api_key.key_id, issued.secret, now)
            return made | {"replaced_key": jsonable_encoder(_key_out(replaced))}

        return await _once(request, tx, caller, body.model_dump(mode="json"), work)


@router.post(
    "/api-keys/{key_id}/reveal",
    summary="Reveal a test key",
    responses=problem_responses(ApiKeyNotFound, ApiKeyReach),
)
async def reveal_api_key(request: Request, caller: Managing, key_id: KeyId) -> SecretOut:
    """Show a test key again; that it was shown is on record. Live keys and `sk-` keys are shown once alone."""
    async with database_of(request).transaction() as tx:
        secret = await management.reveal(tx, _sealer(request), caller, key_id, _now(request))
    return SecretOut(key_id=key_id, secret_key=secret)


@router.post(
    "/api-keys/{key_id}/revoke",
    summary="Revoke an API key",
    responses=problem_responses(ApiKeyNotFound, ApiKeyReach),
)
async def revoke_api_key(request: Request, caller: Managing, key_id: KeyId) -> KeyOut:
    """End a key from its next call on. It stays in the list, and never works again."""
    async with database_of(request).transaction() as tx:
        await management.revoke(tx, caller, key_id, _now(request))
        return _key_out(await answers.get_described(tx, caller, key_id, _now(request)))


@router.delete(
    "/api-keys/{key_id}",
    summary="Delete an API key",
    responses=problem_responses(ApiKeyNotFound, ApiKeyReach),
)
async def delete_api_key(request: Request, caller: Managing, key_id: KeyId) -> Message:
    """End a key, erase its hash and take it out of the list; calls in the usage log keep its id."""
    async with database_of(request).transaction() as tx:
        await management.delete(tx, caller, key_id, _now(request))
    return Message(message="API key deleted")


@router.post(
    "/keys/revoke-self",
    summary="Revoke the key that calls",
    responses=problem_responses(ApiKeyMissing),
)
async def revoke_self(request: Request) -> Message:
    """End the very key that this call carries: whatever its scopes, from any network, no body needed.

    Found a key where none should be? One call with it makes it harmless, and its owner sees when and from where.
    """
    caller = find_caller(request)
    if caller is None or caller.via is not Via.KEY:
        raise ApiKeyMissing(
            "Send the API key that is to end in the header `Authorization: Bearer YOUR_API_KEY`."
        )
    async with database_of(request).transaction() as tx:
        await management.revoke_self(tx, caller, _now(request))
    return Message(message="API key revoked")


async def _once(request: Request, tx: Transaction, caller: Caller, content: Any, work: Any) -> dict[str, Any]:
    return await answers.answer_once(
        tx,
        caller,
        f"{request.method} {request.url.path}",
        request.headers.get("idempotency-key"),
        content,
        _now(request),
        work,
    )


async def _made(tx: Transaction, caller: Caller, key_id: str, secret: str, now: datetime) -> dict[str, Any]:
    described = await answers.get_described(tx, caller, key_id, now)
    return {
        "api_key_info": jsonable_encoder(_key_out(described)),
        "secret_key": secret,
        "warning": SHOWN_AGAIN if described.api_key.can_be_revealed else SHOWN_ONCE,
    }


def _key_out(described: DescribedKey) -> KeyOut:
    api_key, entitlement = described.api_key, described.entitlement
    return KeyOut(
        key_id=api_key.key_id,
        name=api_key.name,
        product=api_key.product,
        mode=api_key.mode,
        masked_key=api_key.masked,
        scopes=[Scope(name) for name in management.scope_names(api_key)],
        state=described.state,
        state_reason=described.reason,
        is_active=described.is_active,
        subscription_tier=entitlement.plan.tier if entitlement else api_key.rate_limit_tier,
        monthly_requests=entitlement.requests_included if entitlement else 0,
        max_iterations=entitlement.limits.iterations_max if entitlement else 0,
        max_file_size_mb=entitlement.limits.file_bytes_max // BYTES_PER_MEGABYTE if entitlement else 0,
        requests_used_this_month=described.requests_used,
        allowed_networks=list(api_key.allowed_networks),
        requests_per_minute_max=api_key.requests_per_minute_max,
        last_used_at=api_key.last_used_at,
        created_at=api_key.created_at,
        expires_at=api_key.expires_at,
        successor_key_id=api_key.successor_key_id,
        grace_until=api_key.grace_until,
        calls_since_rotation=described.calls_since_rotation,
    )


def _sealer(request: Request) -> Any:
    return request.app.state.sealer


def _base_url(request: Request) -> str:
    return str(request.app.state.lifecycle.base_url)


def _now(request: Request) -> datetime:
    moment = request.scope["received_at"]
    assert isinstance(moment, datetime)
    return moment
