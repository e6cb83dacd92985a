"""`/admin/api-keys`: every API key, found, suspended, started again and revoked (B36)."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import Response

from tollway.administration import key_operations as actions
from tollway.administration import operations as reading
from tollway.administration.operations import KeyRow
from tollway.customers.callers import Caller
from tollway.customers.permissions import Permission
from tollway.keys.entities import ApiKeyStatus
from tollway.kit.db import Transaction
from tollway.kit.http import ReplayingRoute
from tollway.kit.problems import Problem
from tollway.web.admin.confirming import Confirmation, confirm
from tollway.web.admin.frame import KeysManaged, admin_shell, listed_pages
from tollway.web.pages import Page, PageNeeds, field_errors, html, redirect

LIST_URL = "/admin/api-keys"
NOTICES = {
    "suspended": "The key is suspended: its next call is refused.",
    "unsuspended": "The key works again.",
    "revoked": "The key is revoked for good.",
}

router = APIRouter(prefix=LIST_URL, route_class=ReplayingRoute, include_in_schema=False)
# Looking asks for no recent proof; every change does.
Seeing = Annotated[Page, Depends(PageNeeds(Permission.ADMIN_KEYS_MANAGE))]
Text = Annotated[str, Form()]
Action = Callable[[Transaction, Caller, str, str, datetime], Awaitable[None]]


@router.get("")
async def list_keys(request: Request, page: Seeing) -> Response:
    """List API keys as the form asks for them."""
    values = {name: request.query_params.get(name, "") for name in ("search", "status")}
    async with page.database.transaction() as tx:
        shell = await admin_shell(page, tx)
        found, links, problem = await listed_pages(
            request, values, lambda asked: reading.list_keys(tx, asked, status=values["status"])
        )
    return html(
        request,
        "admin/keys.html",
        problem.status if problem else 200,
        shell=shell,
        keys=found,
        links=links,
        # What was pasted may be a whole key, which is not shown again.
        values=values | {"search": _searched_for(values["search"], found)},
        errors=field_errors(problem) if problem else {},
        statuses=[one.value for one in ApiKeyStatus],
        is_narrowed=any(values.values()),
        now=page.now,
    )


@router.get("/{key_id}")
async def show_key(request: Request, page: Seeing, key_id: str) -> Response:
    """Show one key, and what can be done to it."""
    async with page.database.transaction() as tx:
        return html(
            request,
            "admin/key.html",
            shell=await admin_shell(page, tx),
            row=await reading.get_key(tx, key_id),
            now=page.now,
            notice=NOTICES.get(request.query_params.get("notice", ""), ""),
        )


@router.get("/{key_id}/suspend")
async def ask_suspend(request: Request, page: KeysManaged, key_id: str) -> Response:
    """Ask before a key is suspended."""
    return await confirm(request, page, _suspension(await _row(page, key_id)))


@router.post("/{key_id}/suspend")
async def suspend(request: Request, page: KeysManaged, key_id: str, reason: Text = "") -> Response:
    """Suspend a key."""
    return await _act(request, page, key_id, reason, actions.suspend_key, _suspension, "suspended")


@router.get("/{key_id}/unsuspend")
async def ask_unsuspend(request: Request, page: KeysManaged, key_id: str) -> Response:
    """Ask before a key works again."""
    return await confirm(request, page, _release(await _row(page, key_id)))


@router.post("/{key_id}/unsuspend")
async def unsuspend(request: Request, page: KeysManaged, key_id: str, reason: Text = "") -> Response:
    """Let a key work again."""
    return await _act(request, page, key_id, reason, actions.unsuspend_key, _release, "unsuspended")


@router.get("/{key_id}/revoke")
async def ask_revoke(request: Request, page: KeysManaged, key_id: str) -> Response:
    """Ask before a key is revoked."""
    return await confirm(request, page, _revocation(await _row(page, key_id)))


@router.post("/{key_id}/revoke")
async def revoke(request: Request, page: KeysManaged, key_id: str, reason: Text = "") -> Response:
    """Revoke a key."""
    return await _act(request, page, key_id, reason, actions.revoke_key, _revocation, "revoked")


async def _act(
    request: Request,
    page: Page,
    key_id: str,
    reason: str,
    action: Action,
    asked: Callable[[KeyRow], Confirmation],
    notice: str,
) -> Response:
    try:
        async with page.database.transaction() as tx:
            await action(tx, page.caller, key_id, reason, page.now)
    except Problem as problem:
        return await confirm(request, page, asked(await _row(page, key_id)), problem, reason=reason)
    return redirect(f"{LIST_URL}/{key_id}?notice={notice}")


def _suspension(row: KeyRow) -> Confirmation:
    return Confirmation(
        title=f"Suspend {row.masked}?",
        sentences=(f"{row.company_name} has its next call with this key refused. You can take it back.",),
        button="Suspend",
        back=_back(row),
        reason_hint="Calls with the key are told it, and it stands in the audit list.",
    )


def _release(row: KeyRow) -> Confirmation:
    return Confirmation(
        title=f"Let {row.masked} work again?",
        sentences=(f"It was suspended because: {row.suspended_reason or 'no reason is known'}.",),
        button="Let it work again",
        back=_back(row),
        is_danger=False,
    )


def _revocation(row: KeyRow) -> Confirmation:
    return Confirmation(
        title=f"Revoke {row.masked}?",
        sentences=(
            f"{row.company_name} has its next call with this key refused, for good.",
            "A revoked key never works again; suspend it if you are not sure.",
        ),
        button="Revoke for good",
        back=_back(row),
    )


async def _row(page: Page, key_id: str) -> KeyRow:
    async with page.database.transaction() as tx:
        return await reading.get_key(tx, key_id)


def _back(row: KeyRow) -> tuple[str, str]:
    return f"{LIST_URL}/{row.key_id}", row.masked


def _searched_for(search: str, found: list[KeyRow]) -> str:
    whole = next(
        (row.key_id for row in found if len(search) > len(row.key_id) and search.startswith(row.key_id)), ""
    )
    return whole or search
