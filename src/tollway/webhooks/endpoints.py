"""Webhooks over HTTP.

They live under /api, where things are managed without counting against a quota, and not under one product's path: a
webhook is a customer's, whichever product tells it something.
"""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi import Path as PathPart
from fastapi.encoders import jsonable_encoder
from pydantic import BaseModel, ConfigDict, Field

from tollway.customers.callers import Caller
from tollway.customers.entities import Mode
from tollway.customers.guard import Needs
from tollway.customers.permissions import Permission
from tollway.kit.http import ReplayingRoute, database_of
from tollway.kit.idempotency import BadIdempotencyKey, IdempotencyKeyReused
from tollway.kit.openapi import IDEMPOTENCY_HEADER, problem_responses
from tollway.plans.entities import FeatureNotIncluded
from tollway.webhooks import answer_operations as answers
from tollway.webhooks import flows, operations
from tollway.webhooks.entities import (
    DELIVERIES_SHOWN,
    DELIVERIES_SHOWN_MAX,
    NAME_LENGTH_MAX,
    OFFSET_MAX,
    SECRET_LENGTH_MAX,
    URL_LENGTH_MAX,
    Delivery,
    DeliveryNotFound,
    DeliveryStatus,
    DeliveryUnderWay,
    Event,
    TooManyTests,
    Webhook,
    WebhookDraft,
    WebhookLimitReached,
    WebhookNotFound,
    WebhookUrlRefused,
)
from tollway.webhooks.flows import PostRoom

REPLAYED = (BadIdempotencyKey, IdempotencyKeyReused)
WEBHOOK_ID = "whk_3b1f0c9a5d7e2468"
DELIVERY_ID = "whd_9f86d081884c7d65"

router = APIRouter(prefix="/api/webhooks", route_class=ReplayingRoute, tags=["Webhooks"])

Viewing = Annotated[Caller, Depends(Needs(Permission.KEYS_VIEW))]
Managing = Annotated[Caller, Depends(Needs(Permission.KEYS_MANAGE))]
WebhookId = Annotated[str, PathPart(description="Of one of your webhooks.", examples=[WEBHOOK_ID])]
DeliveryId = Annotated[str, PathPart(description="Of one of its deliveries.", examples=[DELIVERY_ID])]


class _Body(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")


class WebhookChangeIn(_Body):
    """A webhook as it is to be."""

    name: Annotated[str, Field(max_length=NAME_LENGTH_MAX)] = Field(examples=["Results to the warehouse"])
    url: Annotated[str, Field(max_length=URL_LENGTH_MAX)] = Field(
        description="Where events are sent: a public https:// address.",
        examples=["https://example.com/hooks/tollway"],
    )
    # A word in JSON becomes the member that it names.
    events: Annotated[
        list[Annotated[Event, Field(strict=False)]], Field(min_length=1, max_length=len(Event))
    ] = Field(description="What it is told of.", examples=[["simulation.completed", "simulation.failed"]])
    enabled: bool = Field(True, description="Whether anything is sent.")
    secret: Annotated[str, Field(max_length=SECRET_LENGTH_MAX)] | None = Field(
        None,
        description="One of your own, `whsec_` and 24 to 64 random bytes in base64. Left out: we make one, or keep "
        "the present one.",
    )


class WebhookIn(WebhookChangeIn):
    """The webhook that is wanted."""

    mode: Annotated[Mode, Field(strict=False)] | None = Field(
        None,
        description="It is told of what happens in this mode. Left out: that of your key; for a person, test.",
    )


class WebhookOut(BaseModel):
    """One of your webhooks; never its secret."""

    id: str
    name: str
    url: str
    events: list[Event]
    enabled: bool
    mode: Mode
    created_at: datetime
    updated_at: datetime
    last_delivery_at: datetime | None
    last_delivery_status: DeliveryStatus | None
    total_deliveries: int = Field(description="That came to an end: delivered or failed.")
    failed_deliveries: int
    former_secret_until: datetime | None = Field(
        description="Until when, strictly before, the secret before this one signs too."
    )
    turned_off_at: datetime | None = Field(
        description="When we turned it off, because nothing got through for three days."
    )


class WebhookWithSecret(WebhookOut):
    """One of your webhooks with its new secret, shown this once."""

    secret: str | None = Field(description="Null in the answer to a repeated request.")


class DeliveryOut(BaseModel):
    """One event to one webhook, and how its last try went."""

    id: str = Field(description="The same in every try: the header `webhook-id`.")
    webhook_id: str
    simulation_id: str | None
    event_type: str = Field(description="One of the events, or `webhook.test`.")
    attempt: int = Field(description="How often it was tried.")
    status: DeliveryStatus
    response_status: int | None = Field(description="Of the last answer; null where there was none.")
    response_time_ms: int | None
    error_message: str | None
    created_at: datetime
    delivered_at: datetime | None
    next_attempt_at: datetime | None


class Message(BaseModel):
    """What was done."""

    message: str


@router.post(
    "",
    status_code=201,
    summary="Make a webhook",
    response_model=WebhookWithSecret,
    openapi_extra={"parameters": [IDEMPOTENCY_HEADER]},
    responses=problem_responses(*REPLAYED, FeatureNotIncluded, WebhookLimitReached, WebhookUrlRefused),
)
async def create_webhook(request: Request, caller: Managing, body: WebhookIn) -> dict[str, Any]:
    """Have events sent to a server of yours. The answer carries the secret that signs them, once.

    A repeated `Idempotency-Key` is answered without the secret.
    """
    draft = _draft(request, body)
    now = _received_at(request)
    async with database_of(request).transaction() as tx:

        async def work() -> dict[str, Any]:
            webhook, secret = await operations.create(
                tx, _room(request).sealer, caller, draft, body.mode, now
            )
            found: dict[str, Any] = jsonable_encoder(_shape(webhook) | {"secret": secret})
            return found

        return await answers.answer_once(
            tx,
            caller,
            "POST /api/webhooks",
            request.headers.get("idempotency-key"),
            body.model_dump(mode="json"),
            now,
            work,
        )


@router.get("", summary="List webhooks")
async def list_webhooks(request: Request, caller: Viewing) -> list[WebhookOut]:
    """List your webhooks, newest first. A key sees those of its own mode alone."""
    async with database_of(request).transaction() as tx:
        found = await operations.list_webhooks(tx, caller)
    return [WebhookOut(**_shape(one)) for one in found]


@router.get(
    "/{webhook_id}",
    summary="Read a webhook",
    response_model=WebhookOut,
    responses=problem_responses(WebhookNotFound),
)
async def read_webhook(request: Request, caller: Viewing, webhook_id: WebhookId) -> dict[str, Any]:
    """Return one webhook, with how its deliveries went."""
    async with database_of(request).transaction() as tx:
        return _shape(await operations.get_webhook(tx, caller, webhook_id))


@router.put(
    "/{webhook_id}",
    summary="Change a webhook",
    response_model=WebhookOut,
    responses=problem_responses(WebhookNotFound, FeatureNotIncluded, WebhookUrlRefused),
)
async def change_webhook(
    request: Request, caller: Managing, webhook_id: WebhookId, body: WebhookChangeIn
) -> dict[str, Any]:
    """Put a webhook as it is to be in the place of the present one.

    A `secret` replaces the present one, which signs beside it for 24 hours. Turning on one that we turned off lets it
    begin anew.
    """
    draft = _draft(request, body)
    async with database_of(request).transaction() as tx:
        changed = await operations.change(
            tx, _room(request).sealer, caller, webhook_id, draft, _received_at(request)
        )
    return _shape(changed)


@router.delete(
    "/{webhook_id}",
    summary="Delete a webhook",
    response_model=Message,
    responses=problem_responses(WebhookNotFound),
)
async def delete_webhook(request: Request, caller: Managing, webhook_id: WebhookId) -> dict[str, Any]:
    """Delete a webhook and its deliveries; what was to be sent is not."""
    async with database_of(request).transaction() as tx:
        await operations.delete(tx, caller, webhook_id, _received_at(request))
    return {"message": "Webhook deleted successfully"}


@router.post(
    "/{webhook_id}/rotate-secret",
    summary="Rotate a webhook's secret",
    response_model=WebhookWithSecret,
    responses=problem_responses(WebhookNotFound),
)
async def rotate_secret(request: Request, caller: Managing, webhook_id: WebhookId) -> dict[str, Any]:
    """Give a webhook a new secret, shown this once. Both sign what is sent within the next 24 hours."""
    async with database_of(request).transaction() as tx:
        webhook, secret = await operations.rotate_secret(
            tx, _room(request).sealer, caller, webhook_id, _received_at(request)
        )
    return _shape(webhook) | {"secret": secret}


@router.post(
    "/{webhook_id}/test",
    summary="Test a webhook",
    response_model=DeliveryOut,
    responses=problem_responses(WebhookNotFound, FeatureNotIncluded, TooManyTests),
)
async def test_webhook(request: Request, caller: Managing, webhook_id: WebhookId) -> dict[str, Any]:
    """Send the event `webhook.test` at once, and answer how that went. A test is tried once."""
    delivery = await flows.send_test(_room(request), caller, webhook_id, _received_at(request))
    return _delivery_shape(delivery)


@router.get(
    "/{webhook_id}/deliveries",
    summary="List deliveries",
    responses=problem_responses(WebhookNotFound),
)
async def list_deliveries(
    request: Request,
    caller: Viewing,
    webhook_id: WebhookId,
    limit: Annotated[int, Query(ge=1, le=DELIVERIES_SHOWN_MAX)] = DELIVERIES_SHOWN,
    offset: Annotated[int, Query(ge=0, le=OFFSET_MAX)] = 0,
) -> list[DeliveryOut]:
    """List what a webhook was and is to be told, newest first; for 30 days."""
    async with database_of(request).transaction() as tx:
        found = await operations.list_deliveries(tx, caller, webhook_id, limit, offset)
    return [DeliveryOut(**_delivery_shape(one)) for one in found]


@router.post(
    "/{webhook_id}/deliveries/{delivery_id}/resend",
    summary="Send a delivery again",
    response_model=DeliveryOut,
    responses=problem_responses(WebhookNotFound, DeliveryNotFound, DeliveryUnderWay, FeatureNotIncluded),
)
async def resend_delivery(
    request: Request, caller: Managing, webhook_id: WebhookId, delivery_id: DeliveryId
) -> dict[str, Any]:
    """Send a delivery that is over once more, with the same id and the same body."""
    async with database_of(request).transaction() as tx:
        return _delivery_shape(
            await operations.resend(tx, caller, webhook_id, delivery_id, _received_at(request))
        )


# --- parts ---------------------------------------------------------------------------------------------


def _draft(request: Request, body: WebhookChangeIn) -> WebhookDraft:
    events = tuple(one.value for one in body.events)
    draft = WebhookDraft(body.name, body.url, events, body.enabled, body.secret)
    return draft.checked(_room(request).sender.rules)


def _shape(webhook: Webhook) -> dict[str, Any]:
    return {
        "id": webhook.public_id,
        "name": webhook.name,
        "url": webhook.url,
        "events": list(webhook.events),
        "enabled": webhook.enabled,
        "mode": webhook.mode,
        "created_at": webhook.created_at,
        "updated_at": webhook.updated_at,
        "last_delivery_at": webhook.last_delivery_at,
        "last_delivery_status": webhook.last_delivery_status,
        "total_deliveries": webhook.total_deliveries,
        "failed_deliveries": webhook.failed_deliveries,
        "former_secret_until": webhook.former_secret_until,
        "turned_off_at": webhook.turned_off_at,
    }


def _delivery_shape(delivery: Delivery) -> dict[str, Any]:
    return {
        "id": delivery.public_id,
        "webhook_id": delivery.webhook_public_id,
        "simulation_id": delivery.simulation_id,
        "event_type": delivery.event_type,
        "attempt": delivery.attempt,
        "status": delivery.status,
        "response_status": delivery.response_status,
        "response_time_ms": delivery.response_time_ms,
        "error_message": delivery.error_message or None,
        "created_at": delivery.created_at,
        "delivered_at": delivery.delivered_at,
        "next_attempt_at": delivery.next_attempt_at,
    }


def _room(request: Request) -> PostRoom:
    room = request.app.state.post_room
    assert isinstance(room, PostRoom), "app.py puts the post room into the application's state"
    return room


def _received_at(request: Request) -> datetime:
    moment = request.scope["received_at"]
    assert isinstance(moment, datetime)
    return moment
