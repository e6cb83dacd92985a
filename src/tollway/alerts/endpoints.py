"""`/api/admin/alerts`: what rules found, for the programs of whoever runs the installation."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from tollway.alerts import operations as alerts
from tollway.alerts.entities import NOTE_LENGTH_MAX, Alert, AlertStatus
from tollway.alerts.rules import RuleKind
from tollway.customers.callers import Caller
from tollway.customers.entities import SecondFactorNeeded, SignInAgain
from tollway.customers.guard import Needs
from tollway.customers.permissions import Permission
from tollway.kit import idempotency
from tollway.kit.http import ReplayingRoute, database_of
from tollway.kit.idempotency import BadIdempotencyKey, IdempotencyKeyReused
from tollway.kit.openapi import IDEMPOTENCY_HEADER, problem_responses
from tollway.kit.paging import CURSOR_LENGTH_MAX, PAGE_SIZE, PAGE_SIZE_MAX, BadCursor
from tollway.kit.problems import Conflict, NotFound

ID_LENGTH_MAX = 100
TEXT_PATTERN = r"^[^\x00-\x1f\x7f]*$"

router = APIRouter(prefix="/api/admin/alerts", route_class=ReplayingRoute, tags=["Administration"])
_SEEING = [Depends(Needs(Permission.ADMIN_SETTINGS))]
Managing = Annotated[Caller, Depends(Needs(Permission.ADMIN_SETTINGS, proven=True))]


class AlertItem(BaseModel):
    """One alert: what a rule found, from when it was first seen until it was gone."""

    id: str
    kind: RuleKind
    title: str
    status: AlertStatus
    subject: str = Field(
        description="`api_key:` or `customer:` and its id; `installation`; or `journal` and the name of a process."
    )
    customer_id: str | None
    summary: str
    opened_at: datetime
    last_seen_at: datetime
    seen_count: int = Field(description="How often its rule found it, about once a minute.")
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    note: str | None
    resolved_at: datetime | None


class AlertList(BaseModel):
    """Some alerts, newest first."""

    alerts: list[AlertItem]
    next_cursor: str | None


class NoteIn(BaseModel):
    """What whoever saw an alert says about it."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    note: Annotated[
        str,
        Field(
            min_length=1,
            max_length=NOTE_LENGTH_MAX,
            pattern=TEXT_PATTERN,
            description="What was found or done. It stands in the audit list too: name no people.",
            examples=["Their load test, as announced"],
        ),
    ]


@router.get(
    "",
    summary="List alerts",
    responses=problem_responses(SecondFactorNeeded, BadCursor),
    dependencies=_SEEING,
)
async def list_alerts(
    request: Request,
    status: Annotated[AlertStatus | None, Query(description="Where they stand.")] = None,
    kind: Annotated[RuleKind | None, Query(description="Which rule found them.")] = None,
    cursor: Annotated[
        str | None, Query(max_length=CURSOR_LENGTH_MAX, description="`next_cursor` of the page before.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=PAGE_SIZE_MAX)] = PAGE_SIZE,
) -> AlertList:
    """List alerts of the whole installation, newest first (B65)."""
    async with database_of(request).transaction() as tx:
        found = await alerts.list_alerts(tx, status, kind, cursor, limit)
    return AlertList(alerts=[alert_item(one) for one in found.items], next_cursor=found.next_cursor)


@router.post(
    "/{alert_id}/acknowledge",
    summary="Acknowledge an alert",
    response_model=AlertItem,
    responses=problem_responses(
        SecondFactorNeeded, SignInAgain, NotFound, Conflict, BadIdempotencyKey, IdempotencyKeyReused
    ),
    openapi_extra={"parameters": [IDEMPOTENCY_HEADER]},
)
async def acknowledge_alert(
    request: Request,
    caller: Managing,
    alert_id: Annotated[str, Path(max_length=ID_LENGTH_MAX, pattern=TEXT_PATTERN, examples=["alt_..."])],
    body: NoteIn,
) -> Response:
    """Say that somebody saw it; nobody is told of it again, and it resolves once its condition is gone."""
    key = request.headers.get("idempotency-key")
    scope = f"{caller.actor}/{request.method} {request.url.path}"
    now: datetime = request.scope["received_at"]
    async with database_of(request).transaction() as tx:
        if key is not None:
            stored = await idempotency.begin(tx, scope, key, idempotency.digest(body.model_dump()), now)
            if stored is not None:
                return JSONResponse(stored.body, status_code=stored.status)
        answer = alert_item(await alerts.acknowledge(tx, caller, alert_id, body.note, now))
        written = answer.model_dump(mode="json")
        if key is not None:
            await idempotency.finish(tx, scope, key, 200, written)
    return JSONResponse(written)


def alert_item(alert: Alert) -> AlertItem:
    """Write an alert as programs read it."""
    return AlertItem(
        id=alert.public_id,
        kind=alert.kind,
        title=alert.title,
        status=alert.status,
        subject=alert.subject,
        customer_id=alert.customer_public_id,
        summary=alert.summary,
        opened_at=alert.opened_at,
        last_seen_at=alert.last_seen_at,
        seen_count=alert.seen_count,
        acknowledged_at=alert.acknowledged_at,
        acknowledged_by=alert.acknowledged_by or None,
        note=alert.note or None,
        resolved_at=alert.resolved_at,
    )
