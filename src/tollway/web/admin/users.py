"""`/admin/users`: every person, found, looked into, signed out, disabled, and given another type."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from tollway.administration import action_operations as actions
from tollway.administration import operations as reading
from tollway.administration.operations import UserRow
from tollway.customers.callers import Caller
from tollway.customers.permissions import Permission, UserType
from tollway.kit.db import Transaction
from tollway.kit.http import ReplayingRoute
from tollway.kit.problems import Problem
from tollway.web.admin.confirming import Confirmation, confirm
from tollway.web.admin.frame import UsersManaged, UsersSeen, UserTypesManaged, admin_shell, listed_pages
from tollway.web.pages import Page, field_errors, html, redirect

LIST_URL = "/admin/users"
NOTICES = {
    "type": "The type is changed; they sign in again.",
    "disabled": "They cannot sign in any more, and are signed out everywhere.",
    "enabled": "They can sign in again.",
    "sessions": "They are signed out everywhere.",
}

router = APIRouter(prefix=LIST_URL, route_class=ReplayingRoute, include_in_schema=False)
Text = Annotated[str, Form()]
Action = Callable[[Transaction, Caller, str, str, datetime], Awaitable[Any]]


@router.get("")
async def list_users(request: Request, page: UsersSeen) -> Response:
    """List people as the form asks for them."""
    values = {name: request.query_params.get(name, "") for name in ("search", "user_type")}
    async with page.database.transaction() as tx:
        shell = await admin_shell(page, tx)
        found, links, problem = await listed_pages(
            request, values, lambda asked: reading.list_users(tx, asked, user_type=values["user_type"])
        )
    return html(
        request,
        "admin/users.html",
        problem.status if problem else 200,
        shell=shell,
        users=found,
        links=links,
        values=values,
        errors=field_errors(problem) if problem else {},
        user_types=[one.value for one in UserType],
        is_narrowed=any(values.values()),
    )


@router.get("/{user_id}")
async def show_user(request: Request, page: UsersSeen, user_id: str) -> Response:
    """Show one person: customers, browsers and programs, and what can be done."""
    async with page.database.transaction() as tx:
        shell = await admin_shell(page, tx)
        detail = await reading.get_user_detail(tx, user_id, page.now)
    is_oneself = detail.row.id == page.caller.user_id
    may_touch = (
        is_oneself or not detail.row.user_type.administers or page.caller.may(Permission.ADMIN_USER_TYPES)
    )
    return html(
        request,
        "admin/user.html",
        shell=shell,
        detail=detail,
        row=detail.row,
        url=f"{LIST_URL}/{user_id}",
        is_oneself=is_oneself,
        may_touch=may_touch,
        may_change_type=page.caller.may(Permission.ADMIN_USER_TYPES) and not is_oneself,
        notice=NOTICES.get(request.query_params.get("notice", ""), ""),
    )


@router.get("/{user_id}/type")
async def ask_type(request: Request, page: UserTypesManaged, user_id: str) -> Response:
    """Ask for another type."""
    return await confirm(request, page, _another_type(await _row(page, user_id)))


@router.post("/{user_id}/type")
async def change_type(
    request: Request, page: UserTypesManaged, user_id: str, user_type: Text = "", reason: Text = ""
) -> Response:
    """Give somebody another type."""

    async def change(tx: Transaction, by: Caller, user: str, why: str, now: datetime) -> None:
        await actions.change_user_type(tx, by, user, user_type, why, now)

    return await _act(
        request, page, user_id, reason, change, _another_type, "type", values={"user_type": user_type}
    )


@router.get("/{user_id}/disable")
async def ask_disable(request: Request, page: UsersManaged, user_id: str) -> Response:
    """Ask before somebody is disabled."""
    return await confirm(request, page, _disabling(await _row(page, user_id)))


@router.post("/{user_id}/disable")
async def disable(request: Request, page: UsersManaged, user_id: str, reason: Text = "") -> Response:
    """Keep somebody from signing in."""
    return await _act(request, page, user_id, reason, actions.disable_user, _disabling, "disabled")


@router.get("/{user_id}/enable")
async def ask_enable(request: Request, page: UsersManaged, user_id: str) -> Response:
    """Ask before somebody may sign in again."""
    return await confirm(request, page, _enabling(await _row(page, user_id)))


@router.post("/{user_id}/enable")
async def enable(request: Request, page: UsersManaged, user_id: str, reason: Text = "") -> Response:
    """Let somebody sign in again."""
    return await _act(request, page, user_id, reason, actions.enable_user, _enabling, "enabled")


@router.get("/{user_id}/sign-out")
async def ask_sign_out(request: Request, page: UsersManaged, user_id: str) -> Response:
    """Ask before somebody is signed out everywhere."""
    return await confirm(request, page, _signing_out(await _row(page, user_id)))


@router.post("/{user_id}/sign-out")
async def sign_out(request: Request, page: UsersManaged, user_id: str, reason: Text = "") -> Response:
    """Sign somebody out everywhere."""
    return await _act(request, page, user_id, reason, actions.end_sessions, _signing_out, "sessions")


async def _act(
    request: Request,
    page: Page,
    user_id: str,
    reason: str,
    action: Action,
    asked: Callable[[UserRow], Confirmation],
    notice: str,
    values: dict[str, str] | None = None,
) -> Response:
    try:
        async with page.database.transaction() as tx:
            await action(tx, page.caller, user_id, reason, page.now)
    except Problem as problem:
        confirmation = asked(await _row(page, user_id))
        return await confirm(request, page, confirmation, problem, reason=reason, **(values or {}))
    return redirect(f"{LIST_URL}/{user_id}?notice={notice}")


def _another_type(row: UserRow) -> Confirmation:
    return Confirmation(
        title=f"Change the type of {row.email}?",
        sentences=(
            f"They are {row.user_type.value} now. Administrators see every customer, and pay nothing.",
            "They are signed out everywhere.",
            "Super administrators are made on the server alone: tollway admin create EMAIL.",
        ),
        button="Change the type",
        back=_back(row),
        choice=(
            "user_type",
            "New type",
            tuple(one.value for one in UserType if one not in (UserType.SUPER_ADMIN, row.user_type)),
        ),
        values={"user_type": ""},
    )


def _disabling(row: UserRow) -> Confirmation:
    return Confirmation(
        title=f"Disable {row.email}?",
        sentences=(
            "They are signed out everywhere and cannot sign in any more.",
            "The keys of their customers go on working; suspend the customer to stop those.",
        ),
        button="Disable",
        back=_back(row),
    )


def _enabling(row: UserRow) -> Confirmation:
    return Confirmation(
        title=f"Let {row.email} sign in again?",
        sentences=("They sign in as before; nothing of theirs was changed.",),
        button="Let them sign in",
        back=_back(row),
        is_danger=False,
    )


def _signing_out(row: UserRow) -> Confirmation:
    return Confirmation(
        title=f"Sign {row.email} out everywhere?",
        sentences=("Every browser and program that is signed in as them has to sign in again.",),
        button="Sign out everywhere",
        back=_back(row),
    )


async def _row(page: Page, user_id: str) -> UserRow:
    async with page.database.transaction() as tx:
        return (await reading.get_user_detail(tx, user_id, page.now)).row


def _back(row: UserRow) -> tuple[str, str]:
    return f"{LIST_URL}/{row.public_id}", row.email
