"""`/api/admin/...`: customers with their billing status, and people, for administrators' programs."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel

from tollway.administration import action_operations as actions
from tollway.administration import operations as reading
from tollway.administration.entities import (
    PAGE_MAX,
    PER_PAGE,
    PER_PAGE_MAX,
    SEARCH_LENGTH_MAX,
    TEXT_PATTERN,
    Asked,
    BillingStatus,
)
from tollway.administration.shapes import (
    ID_LENGTH_MAX,
    NAMES_LENGTH_MAX,
    AdjustmentItem,
    CustomerDetailOut,
    CustomerItem,
    CustomerList,
    LimitIn,
    ReactivatedOut,
    ReasonIn,
    SuspendedOut,
    UserItem,
    UserList,
    UserTypeIn,
    adjustment_item,
    customer_detail,
    customer_item,
    pagination,
    user_item,
)
from tollway.customers.callers import Caller
from tollway.customers.entities import (
    LastSuperAdministrator,
    NotOnOneself,
    SecondFactorNeeded,
    SignInAgain,
)
from tollway.customers.guard import Needs
from tollway.customers.permissions import Permission, UserType
from tollway.kit import idempotency
from tollway.kit.db import Transaction
from tollway.kit.http import ReplayingRoute, database_of
from tollway.kit.idempotency import BadIdempotencyKey, IdempotencyKeyReused
from tollway.kit.openapi import IDEMPOTENCY_HEADER, problem_responses
from tollway.kit.problems import Conflict, NotFound

CustomerId = Annotated[str, Path(max_length=ID_LENGTH_MAX, pattern=TEXT_PATTERN, examples=["cus_..."])]
UserId = Annotated[str, Path(max_length=ID_LENGTH_MAX, pattern=TEXT_PATTERN, examples=["usr_..."])]
Search = Annotated[
    str, Query(max_length=SEARCH_LENGTH_MAX, pattern=TEXT_PATTERN, description="A name, an address or an id.")
]
PageNumber = Annotated[int, Query(ge=1, le=PAGE_MAX)]
PerPage = Annotated[int, Query(ge=1, le=PER_PAGE_MAX)]
_SEEING = [Depends(Needs(Permission.ADMIN_CUSTOMERS_VIEW))]
Managing = Annotated[Caller, Depends(Needs(Permission.ADMIN_CUSTOMERS_MANAGE, proven=True))]

_UNPROVEN = problem_responses(SecondFactorNeeded)
_CHANGES = {"parameters": [IDEMPOTENCY_HEADER]}
_REFUSALS = problem_responses(
    SecondFactorNeeded, SignInAgain, NotFound, Conflict, BadIdempotencyKey, IdempotencyKeyReused
)

router = APIRouter(prefix="/api/admin", route_class=ReplayingRoute, tags=["Administration"])


# Customers ----------------------------------------------------------------------------------------


@router.get("/customers", summary="List all customers", responses=_UNPROVEN, dependencies=_SEEING)
async def list_customers(
    request: Request,
    search: Search = "",
    tier: Annotated[
        str, Query(max_length=NAMES_LENGTH_MAX, pattern=TEXT_PATTERN, description="A plan that they hold.")
    ] = "",
    status: Annotated[BillingStatus | None, Query(description="Where they stand.")] = None,
    page: PageNumber = 1,
    per_page: PerPage = PER_PAGE,
) -> CustomerList:
    """List customers with their billing status, newest first (B23)."""
    asked = Asked.checked(search, page, per_page)
    async with database_of(request).transaction() as tx:
        found = await reading.list_customers(tx, asked, _now(request), tier=tier, status=status or "")
    return CustomerList(
        customers=[CustomerItem(**customer_item(one)) for one in found.items], pagination=pagination(found)
    )


@router.get(
    "/customers/{customer_id}",
    summary="Read a customer as an administrator",
    dependencies=_SEEING,
    responses=problem_responses(SecondFactorNeeded, NotFound),
)
async def get_customer(request: Request, customer_id: CustomerId) -> CustomerDetailOut:
    """Read everything about a customer: people, keys, plans with the rule behind each limit, usage (B24)."""
    async with database_of(request).transaction() as tx:
        detail = await reading.get_customer_detail(tx, customer_id, _now(request))
    return customer_detail(detail)


@router.post(
    "/customers/{customer_id}/suspend",
    summary="Suspend a customer",
    response_model=SuspendedOut,
    responses=_REFUSALS,
    openapi_extra=_CHANGES,
)
async def suspend_customer(
    request: Request, caller: Managing, customer_id: CustomerId, body: ReasonIn
) -> Response:
    """Refuse the customer's very next call; its people read the reason (B25). Nothing is deleted."""

    async def work(tx: Transaction) -> BaseModel:
        done = await actions.suspend_customer(tx, caller, customer_id, body.reason, _now(request))
        return SuspendedOut(
            id=done.customer.public_id, status=done.customer.state.value, keys_suspended=done.keys_touched
        )

    return await _once(request, caller, body, work)


@router.post(
    "/customers/{customer_id}/reactivate",
    summary="Reactivate a customer",
    response_model=ReactivatedOut,
    responses=_REFUSALS,
    openapi_extra=_CHANGES,
)
async def reactivate_customer(
    request: Request, caller: Managing, customer_id: CustomerId, body: ReasonIn
) -> Response:
    """Let a suspended customer work again, with the keys it had."""

    async def work(tx: Transaction) -> BaseModel:
        done = await actions.reactivate_customer(tx, caller, customer_id, body.reason, _now(request))
        return ReactivatedOut(
            id=done.customer.public_id, status=done.customer.state.value, keys_reactivated=done.keys_touched
        )

    return await _once(request, caller, body, work)


@router.post(
    "/customers/{customer_id}/limits",
    status_code=201,
    summary="Grant or override a limit",
    response_model=AdjustmentItem,
    responses=_REFUSALS,
    openapi_extra=_CHANGES,
)
async def adjust_limit(
    request: Request, caller: Managing, customer_id: CustomerId, body: LimitIn
) -> Response:
    """Give a customer more than its plan, or something else until a day (B50); it counts from the next call on."""

    async def work(tx: Transaction) -> BaseModel:
        made = await actions.adjust_limit(
            tx,
            caller,
            customer_id,
            body.kind,
            product=body.product,
            subject=body.subject,
            amount=body.amount,
            ends_at=body.ends_at,
            reason=body.reason,
            now=_now(request),
        )
        return adjustment_item(made)

    return await _once(request, caller, body, work, status=201)


@router.delete(
    "/customers/{customer_id}/limits/{adjustment_id}",
    summary="End a grant or override",
    responses=problem_responses(SecondFactorNeeded, SignInAgain, NotFound),
)
async def end_adjustment(
    request: Request,
    caller: Managing,
    customer_id: CustomerId,
    adjustment_id: Annotated[str, Path(max_length=ID_LENGTH_MAX, pattern=TEXT_PATTERN, examples=["adj_..."])],
) -> AdjustmentItem:
    """End it at once; ending it twice changes nothing."""
    async with database_of(request).transaction() as tx:
        ended = await actions.end_adjustment(tx, caller, customer_id, adjustment_id, _now(request))
    return adjustment_item(ended)


# Users --------------------------------------------------------------------------------------------


@router.get(
    "/users",
    summary="List all users",
    responses=_UNPROVEN,
    dependencies=[Depends(Needs(Permission.ADMIN_USERS_VIEW))],
)
async def list_users(
    request: Request,
    search: Search = "",
    user_type: Annotated[UserType | None, Query()] = None,
    page: PageNumber = 1,
    per_page: PerPage = PER_PAGE,
) -> UserList:
    """List people, newest first."""
    asked = Asked.checked(search, page, per_page)
    async with database_of(request).transaction() as tx:
        found = await reading.list_users(tx, asked, user_type=user_type or "")
    return UserList(users=[user_item(one) for one in found.items], pagination=pagination(found))


@router.put(
    "/users/{user_id}/user-type",
    summary="Change a user's type",
    responses=problem_responses(
        SecondFactorNeeded, SignInAgain, NotFound, Conflict, NotOnOneself, LastSuperAdministrator
    ),
)
async def change_user_type(
    request: Request,
    caller: Annotated[Caller, Depends(Needs(Permission.ADMIN_USER_TYPES, proven=True))],
    user_id: UserId,
    body: UserTypeIn,
) -> UserItem:
    """Give somebody another kind, as a super administrator; their sessions end."""
    async with database_of(request).transaction() as tx:
        await actions.change_user_type(tx, caller, user_id, body.user_type.value, body.reason, _now(request))
        detail = await reading.get_user_detail(tx, user_id, _now(request))
    return user_item(detail.row)


# Once --------------------------------------------------------------------------------------------


async def _once(
    request: Request,
    caller: Caller,
    content: BaseModel,
    work: Callable[[Transaction], Awaitable[BaseModel]],
    status: int = 200,
) -> Response:
    """Do something in one transaction; the same request with the same Idempotency-Key does nothing further."""
    key = request.headers.get("idempotency-key")
    scope = f"{caller.actor}/{request.method} {request.url.path}"
    async with database_of(request).transaction() as tx:
        if key is not None:
            digest = idempotency.digest(content.model_dump(mode="json"))
            stored = await idempotency.begin(tx, scope, key, digest, _now(request))
            if stored is not None:
                return JSONResponse(stored.body, status_code=stored.status)
        answer = (await work(tx)).model_dump(mode="json")
        if key is not None:
            await idempotency.finish(tx, scope, key, status, answer)
    return JSONResponse(answer, status_code=status)


def _now(request: Request) -> datetime:
    moment = request.scope["received_at"]
    assert isinstance(moment, datetime)
    return moment
