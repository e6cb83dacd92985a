"""`GET /api/activity`: the customer's own audit list, for programs."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field

from tollway.audit.entities import DAY_PATTERN, FILTER_LENGTH_MAX, FILTER_PATTERN, Entry, chosen_by
from tollway.audit.operations import describe_action
from tollway.customers.callers import Caller
from tollway.customers.guard import Needs
from tollway.customers.permissions import Permission
from tollway.kit.http import ReplayingRoute, database_of
from tollway.kit.openapi import problem_responses
from tollway.kit.paging import CURSOR_LENGTH_MAX, PAGE_SIZE, PAGE_SIZE_MAX, BadCursor
from tollway.lifecycle import activity_operations as activity

router = APIRouter(prefix="/api", route_class=ReplayingRoute, tags=["Activity"])

Text = Annotated[str, Query(max_length=FILTER_LENGTH_MAX, pattern=FILTER_PATTERN)]
_A_DAY = {"pattern": DAY_PATTERN, "json_schema_extra": {"format": "date"}}


class ActivityEntry(BaseModel):
    """Somebody did something."""

    occurred_at: datetime
    action: str = Field(description="What was done, such as `api_key.revealed`.")
    description: str = Field(description="The same in words.")
    actor: str = Field(description="`user:usr_...`, `api_key:mc_test_...`, or a part of Tollway.")
    actor_name: str = Field(description="An address, or `erased`; empty where nobody's name is known.")
    on_behalf_of: str = Field(
        description="The customer in whose place an administrator looked; mostly empty."
    )
    subject: str = Field(description="The id of what it was done to.")
    ip_address: str = Field(description="Where it was done from, or `erased`; empty where that is not known.")
    request_id: str
    details: dict[str, Any]


class ActivityPage(BaseModel):
    """Some entries, newest first."""

    entries: list[ActivityEntry]
    next_cursor: str | None = Field(description="The `cursor` of the next page; null on the last.")


@router.get(
    "/activity",
    summary="List activity",
    response_model=ActivityPage,
    responses=problem_responses(BadCursor),
)
async def list_activity(
    request: Request,
    caller: Annotated[Caller, Depends(Needs(Permission.ACTIVITY_VIEW))],
    action: Annotated[Text, Query(description="What the action begins with, such as `api_key.`.")] = "",
    actor: Annotated[Text, Query(description="Who did it: an id, or an address.")] = "",
    subject: Annotated[Text, Query(description="The id of what it was done to.")] = "",
    from_day: Annotated[
        str | None, Query(alias="from", description="The first day, in UTC.", **_A_DAY)
    ] = None,
    until_day: Annotated[
        str | None, Query(alias="until", description="The last day, in UTC.", **_A_DAY)
    ] = None,
    cursor: Annotated[str | None, Query(max_length=CURSOR_LENGTH_MAX)] = None,
    limit: Annotated[int, Query(ge=1, le=PAGE_SIZE_MAX)] = PAGE_SIZE,
) -> dict[str, Any]:
    """List what was done for or to your customer, newest first: by your people, your keys, and by us.

    Entries are never changed or deleted; where a person was erased, `erased` stands in their place.
    """
    chosen = chosen_by(
        action=action, actor=actor, subject=subject, from_day=from_day or "", until_day=until_day or ""
    )
    async with database_of(request).transaction() as tx:
        page = await activity.list_activity(tx, caller.owner_id, chosen, cursor, limit)
    return {"entries": [_shape(entry) for entry in page.items], "next_cursor": page.next_cursor}


def _shape(entry: Entry) -> dict[str, Any]:
    return {
        "occurred_at": entry.occurred_at,
        "action": entry.action,
        "description": describe_action(entry.action),
        "actor": entry.actor,
        "actor_name": "erased" if entry.is_erased else entry.actor_name,
        "on_behalf_of": entry.on_behalf_of,
        "subject": entry.subject,
        "ip_address": entry.shown_address,
        "request_id": entry.request_id,
        "details": entry.details,
    }
