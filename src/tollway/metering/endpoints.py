"""`GET /api/usage/requests`: the customer's own request log, for programs."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field

from tollway.customers.callers import Caller
from tollway.customers.entities import Mode
from tollway.customers.guard import Needs
from tollway.customers.permissions import Permission
from tollway.kit.http import ReplayingRoute, database_of
from tollway.kit.openapi import problem_responses
from tollway.kit.paging import PAGE_SIZE, PAGE_SIZE_MAX, BadCursor
from tollway.kit.problems import NotFound
from tollway.metering import report_operations as reports
from tollway.metering.report_operations import (
    CALL_ID_LENGTH_MAX,
    ENDPOINT_LENGTH_MAX,
    KEY_ID_LENGTH_MAX,
    METHOD_LENGTH_MAX,
    REQUEST_ID_LENGTH_MAX,
    TEXT_PATTERN,
    LoggedCall,
    SearchTooLong,
    calls_chosen_by,
    mode_asked_for,
)

STATUS_PATTERN = "succeeded|limited|refused|failed|[1-5][0-9]{2}|"
MOMENT_LENGTH_MAX = 20
MOMENT_PATTERN = r"(\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2})?Z?)?)?"

router = APIRouter(prefix="/api/usage", route_class=ReplayingRoute, tags=["Usage"])
Viewing = Annotated[Caller, Depends(Needs(Permission.VIEW))]
Moment = Annotated[str, Query(max_length=MOMENT_LENGTH_MAX, pattern=f"^{MOMENT_PATTERN}$")]


class RequestOut(BaseModel):
    """One request of the log."""

    id: str = Field(description="Names it in `GET /api/usage/requests/{call_id}`.")
    request_timestamp: datetime
    request_id: str = Field(description="What `X-Trace-ID` said in its answer.")
    mode: Mode
    product: str
    method: str
    endpoint: str = Field(description="The pattern of the path that was called.")
    path: str = Field(description="The path itself.")
    status_code: int
    response_time_ms: int
    units: int = Field(description="What it counted against your quota.")
    credits_consumed: int
    api_key: str | None = Field(description="The `key_id` it came with; null where a page started it.")
    ip_address: str | None
    user_agent: str | None
    problem_code: str | None = Field(description="Why it was refused, or failed; null for a success.")
    limit_name: str | None = Field(description="The limit that it ran into.")
    limit_value: int | None = Field(description="The value of that limit then.")


class RequestPage(BaseModel):
    """Some requests, newest first."""

    requests: list[RequestOut]
    next_cursor: str | None = Field(description="The `cursor` of the next page; null on the last.")


@router.get(
    "/requests",
    summary="List your requests",
    response_model=RequestPage,
    responses=problem_responses(BadCursor, SearchTooLong),
)
async def list_requests(
    request: Request,
    caller: Viewing,
    mode: Annotated[Mode | None, Query(description="Left out: that of the key, or live.")] = None,
    status: Annotated[
        str,
        Query(
            pattern=f"^({STATUS_PATTERN})$",
            description="`succeeded`, `limited` (402, 429), `refused` (other 4xx), `failed` (5xx), or one status.",
        ),
    ] = "",
    endpoint: Annotated[
        str,
        Query(
            max_length=ENDPOINT_LENGTH_MAX, pattern=f"^{TEXT_PATTERN}$", description="How the path begins."
        ),
    ] = "",
    method: Annotated[str, Query(max_length=METHOD_LENGTH_MAX, pattern=f"^{TEXT_PATTERN}$")] = "",
    key: Annotated[
        str,
        Query(
            max_length=KEY_ID_LENGTH_MAX,
            pattern=f"^{TEXT_PATTERN}$",
            description="A `key_id`, or `page` for what was started on pages.",
        ),
    ] = "",
    product: Annotated[str, Query(max_length=KEY_ID_LENGTH_MAX, pattern=f"^{TEXT_PATTERN}$")] = "",
    request_id: Annotated[str, Query(max_length=REQUEST_ID_LENGTH_MAX, pattern=f"^{TEXT_PATTERN}$")] = "",
    from_text: Annotated[
        Moment, Query(alias="from", description="A day or a minute in UTC: 2026-01-31, 2026-01-31T18:30.")
    ] = "",
    until_text: Annotated[Moment, Query(alias="until", description="The last day or minute, in UTC.")] = "",
    cursor: Annotated[str | None, Query(max_length=CALL_ID_LENGTH_MAX)] = None,
    limit: Annotated[int, Query(ge=1, le=PAGE_SIZE_MAX)] = PAGE_SIZE,
) -> RequestPage:
    """List the requests that your keys and your pages made, newest first, the refused ones included.

    Reading this list counts nothing. The log is kept for a bounded time; sums of it are kept longer.
    """
    chosen = calls_chosen_by(
        status=status,
        endpoint=endpoint,
        method=method,
        key=key,
        product=product,
        request_id=request_id,
        from_text=from_text,
        until_text=until_text,
    )
    async with database_of(request).transaction() as tx:
        page = await reports.list_calls(
            tx, caller.owner_id, mode_asked_for(caller, mode), chosen, cursor, limit
        )
    return RequestPage(requests=[_shape(call) for call in page.items], next_cursor=page.next_cursor)


@router.get("/requests/{call_id}", summary="Read one request", responses=problem_responses(NotFound))
async def get_request(request: Request, caller: Viewing, call_id: str) -> RequestOut:
    """Read one request of your log, in either mode."""
    async with database_of(request).transaction() as tx:
        return _shape(await reports.get_call(tx, caller.owner_id, call_id))


def _shape(call: LoggedCall) -> RequestOut:
    return RequestOut(
        id=call.call_id,
        request_timestamp=call.request_timestamp,
        request_id=call.request_id,
        mode=call.mode,
        product=call.product,
        method=call.method,
        endpoint=call.endpoint,
        path=call.shown_path,
        status_code=call.status_code,
        response_time_ms=call.response_time_ms,
        units=call.units,
        credits_consumed=call.credits_consumed,
        api_key=call.key_id,
        ip_address=None if call.ip_address is None else str(call.ip_address),
        user_agent=call.user_agent,
        problem_code=call.problem_code,
        limit_name=call.limit_name,
        limit_value=call.limit_value,
    )
