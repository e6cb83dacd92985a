"""`/api-keys/manage`: every key by product, a form for a new one, and the steps to going live."""

import secrets
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import Response

from tollway.customers.entities import Mode
from tollway.customers.permissions import Permission, Scope, scopes_within
from tollway.keys import answer_operations as answers
from tollway.keys import management_operations as management
from tollway.keys.answer_operations import DescribedKey
from tollway.keys.entities import ApiKeyRotated, KeySettings, KeyState, WantedKey
from tollway.kit.db import Transaction
from tollway.kit.http import ReplayingRoute
from tollway.kit.problems import FieldError, Invalid, NotFound, Problem
from tollway.metering import operations as metering
from tollway.plans import operations as plans
from tollway.plans.entities import EntitlementState
from tollway.web.customer.dashboard import Step
from tollway.web.pages import PRODUCT, Page, PageNeeds, field_errors, html, is_htmx, redirect
from tollway.web.site import site_of

TOKEN_BYTES = 16
DIGITS_MAX = 9
MODES = (("test", "Test: never billed"), ("live", "Live: counts as your plan says"))
SCOPES = (
    (Scope.READ, "Read", "models, runs, results, usage"),
    (Scope.WRITE, "Write", "uploads, runs, everything that counts"),
    (Scope.ADMIN, "Admin", "keys, plan and company"),
)
EXPIRIES = ((0, "Never"), (7, "In 7 days"), (30, "In 30 days"), (90, "In 90 days"), (365, "In a year"))
OVERLAPS = (
    (0, "None: the old key ends at once"),
    (1, "1 hour"),
    (24, "24 hours"),
    (168, "7 days"),
    (720, "30 days"),
)
NOTICES = {
    "changed": "The key is changed, from its next call on.",
    "revoked": "The key is revoked; its next call is refused.",
    "deleted": "The key is deleted.",
}
# Text and mood of each state's tag.
STATES = {
    KeyState.ACTIVE: ("Active", "good"),
    KeyState.PENDING_PAYMENT: ("Waits for payment", "warn"),
    KeyState.PAST_DUE: ("Payment overdue", "warn"),
    KeyState.SUSPENDED: ("Suspended", "bad"),
    KeyState.CANCELLED: ("Reads only", "warn"),
    KeyState.DELETED: ("Over", ""),
}

router = APIRouter(prefix="/api-keys/manage", route_class=ReplayingRoute, include_in_schema=False)

Viewing = Annotated[Page, Depends(PageNeeds(Permission.KEYS_VIEW))]
Managing = Annotated[Page, Depends(PageNeeds(Permission.KEYS_MANAGE))]
Text = Annotated[str, Form()]


@router.get("")
async def show_keys(request: Request, page: Viewing) -> Response:
    """List the customer's keys."""
    return await _list_page(request, page)


@router.post("")
async def create_key(
    request: Request,
    page: Managing,
    name: Text = "",
    product: Text = PRODUCT,
    mode: Text = "test",
    scopes: Annotated[list[str] | None, Form()] = None,
    expires: Text = "0",
    networks: Text = "",
    limit: Text = "",
    once: Text = "",
) -> Response:
    """Make a key and show its secret; sending the form again makes no second one."""
    typed = {
        "name": name,
        "product": product,
        "mode": mode,
        "scopes": scopes or [],
        "expires": expires,
        "networks": networks,
        "limit": limit,
    }
    try:
        wanted = WantedKey(
            product, _mode(mode), _scopes(scopes or []), _settings(page, name, expires, networks, limit)
        )
        async with page.database.transaction() as tx:

            async def work() -> dict[str, Any]:
                issued = await management.create(
                    tx,
                    request.app.state.sealer,
                    page.caller,
                    wanted,
                    base_url=site_of(request).base_url,
                    now=page.now,
                )
                return {"key_id": issued.api_key.key_id, "secret_key": issued.secret, "message": ""}

            made = await answers.answer_once(
                tx, page.caller, "POST /api-keys/manage", once or None, typed, page.now, work
            )
    except Problem as problem:
        if problem.status not in (409, 422):
            raise
        return await _list_page(request, page, problem=problem, typed=typed)
    return await _list_page(request, page, made=made)


@router.get("/{key_id}")
async def show_key(request: Request, page: Viewing, key_id: str) -> Response:
    """Show one key with all that can be done to it."""
    return await _key_page(request, page, key_id)


@router.get("/{key_id}/overlap")
async def show_overlap(request: Request, page: Viewing, key_id: str) -> Response:
    """Count the calls that still come with a key that was replaced; asked for again and again."""
    async with page.database.transaction() as tx:
        described = await answers.get_described(tx, page.caller, key_id, page.now)
    return html(request, "customer/_api_key_overlap.html", key=described)


@router.post("/{key_id}/change")
async def change_key(
    request: Request, page: Managing, key_id: str, name: Text = "", networks: Text = "", limit: Text = ""
) -> Response:
    """Give a key another name, allow-list or limit."""
    try:
        async with page.database.transaction() as tx:
            api_key = await management.get_visible(tx, page.caller, key_id)
            settings = KeySettings(name, api_key.expires_at, _lines(networks), _limit(limit))
            await management.change(tx, page.caller, key_id, settings, page.now)
    except Problem as problem:
        if problem.status not in (409, 422):
            raise
        return await _key_page(
            request, page, key_id, problem=problem, typed={"name": name, "networks": networks, "limit": limit}
        )
    return redirect(f"/api-keys/manage/{key_id}?notice=changed")


@router.post("/{key_id}/rotate")
async def rotate_key(request: Request, page: Managing, key_id: str, overlap: Text = "24") -> Response:
    """Replace a key and show the new secret; sending the form again replaces nothing."""
    try:
        async with page.database.transaction() as tx:
            issued = await management.rotate(
                tx,
                request.app.state.sealer,
                page.caller,
                key_id,
                _number(overlap, "/overlap", "Choose one of the overlaps."),
                base_url=site_of(request).base_url,
                now=page.now,
            )
    except ApiKeyRotated:
        return redirect(f"/api-keys/manage/{key_id}")
    except Problem as problem:
        if problem.status not in (409, 422):
            raise
        return await _key_page(request, page, key_id, problem=problem)
    made = {"key_id": issued.api_key.key_id, "secret_key": issued.secret, "message": ""}
    return await _key_page(request, page, key_id, made=made)


@router.post("/{key_id}/reveal")
async def reveal_key(request: Request, page: Managing, key_id: str) -> Response:
    """Show a test key whole; that it was shown is on record."""
    async with page.database.transaction() as tx:
        secret = await management.reveal(tx, request.app.state.sealer, page.caller, key_id, page.now)
    if is_htmx(request):
        return html(request, "customer/_secret.html", api_key=secret)
    return await _key_page(request, page, key_id, secret=secret)


@router.get("/{key_id}/{action}")
async def ask_end(request: Request, page: Managing, key_id: str, action: str) -> Response:
    """Ask before a key is revoked or deleted."""
    if action not in ("revoke", "delete"):
        raise NotFound("A key can be revoked or deleted here, nothing else.")
    async with page.database.transaction() as tx:
        shell, _ = await page.shell(tx)
        described = await answers.get_described(tx, page.caller, key_id, page.now)
    return html(request, "customer/api_key_end.html", shell=shell, key=described, action=action)


@router.post("/{key_id}/revoke")
async def revoke_key(page: Managing, key_id: str) -> Response:
    """End a key."""
    async with page.database.transaction() as tx:
        await management.revoke(tx, page.caller, key_id, page.now)
    return redirect(f"/api-keys/manage/{key_id}?notice=revoked")


@router.post("/{key_id}/delete")
async def delete_key(page: Managing, key_id: str) -> Response:
    """End a key and take it out of the list."""
    async with page.database.transaction() as tx:
        await management.delete(tx, page.caller, key_id, page.now)
    return redirect("/api-keys/manage?notice=deleted")


async def _list_page(
    request: Request,
    page: Page,
    *,
    problem: Problem | None = None,
    typed: dict[str, Any] | None = None,
    made: dict[str, Any] | None = None,
) -> Response:
    async with page.database.transaction() as tx:
        shell, _ = await page.shell(tx)
        found = await answers.list_described(tx, page.caller, page.now)
        steps = await _steps(tx, page, found)
        products = [(one.product, one.name) for one in plans.list_products()]
    return html(
        request,
        "customer/api_keys.html",
        status=problem.status if problem else 200,
        shell=shell,
        groups=[
            (name, mine)
            for product, name in products
            if (mine := [one for one in found if one.api_key.product == product])
        ],
        states=STATES,
        steps=steps,
        are_steps_done=all(step.done for step in steps),
        products=products,
        modes=MODES,
        scopes=[one for one in SCOPES if one[0] in scopes_within(page.caller.permissions)],
        expiries=EXPIRIES,
        may_manage=page.caller.may(Permission.KEYS_MANAGE),
        typed=typed or {"product": PRODUCT, "mode": "test", "scopes": ["read", "write"], "expires": "0"},
        errors=_errors(problem),
        made=made,
        once=secrets.token_urlsafe(TOKEN_BYTES),
        now=page.now,
        notice=NOTICES.get(request.query_params.get("notice", ""), ""),
    )


async def _key_page(
    request: Request,
    page: Page,
    key_id: str,
    *,
    problem: Problem | None = None,
    typed: dict[str, Any] | None = None,
    made: dict[str, Any] | None = None,
    secret: str = "",
) -> Response:
    async with page.database.transaction() as tx:
        shell, _ = await page.shell(tx)
        described = await answers.get_described(tx, page.caller, key_id, page.now)
    api_key = described.api_key
    return html(
        request,
        "customer/api_key.html",
        status=problem.status if problem else 200,
        shell=shell,
        key=described,
        state=("Replaced", "warn") if api_key.in_overlap(page.now) else STATES[described.state],
        scopes=management.scope_names(api_key),
        secret=secret,
        made=made,
        works=not api_key.ending(page.now) and described.state is not KeyState.SUSPENDED,
        ended=bool(api_key.ending(page.now)),
        overlaps=OVERLAPS,
        may_manage=page.caller.may(Permission.KEYS_MANAGE),
        may_show=page.caller.may(Permission.KEYS_MANAGE)
        and api_key.scopes <= scopes_within(page.caller.permissions),
        typed=typed
        or {
            "name": api_key.name,
            "networks": "\n".join(api_key.allowed_networks),
            "limit": api_key.requests_per_minute_max or "",
        },
        errors=_errors(problem),
        notice=NOTICES.get(request.query_params.get("notice", ""), ""),
    )


async def _steps(tx: Transaction, page: Page, found: list[DescribedKey]) -> list[Step]:
    """Say which steps to going live were taken, by facts alone."""
    live = [one for one in found if one.api_key.mode is Mode.LIVE and one.is_active]
    held = await plans.list_held(tx, page.caller.owner_id, page.now)
    guarded = any(one.api_key.allowed_networks or one.api_key.expires_at for one in live)
    return [
        Step(
            page.signed_in.user.verified,
            "Verify your address",
            "Enter the code we mailed.",
            "/verify",
            "Enter the code",
        ),
        Step(
            any(not one.plan.free and one.state is EntitlementState.ACTIVE for one in held),
            "Choose a plan",
            "Live calls count against a paid plan.",
            "/billing/upgrade",
            "Compare plans",
        ),
        Step(
            bool(live), "Make a live key", "It is shown once: have a safe place ready.", "#make", "Make one"
        ),
        Step(
            guarded,
            "Give a live key an allow-list or an expiry",
            "So that a copy of it is worth little.",
            f"/api-keys/manage/{live[0].api_key.key_id}" if live else "#make",
            "Set it",
        ),
        Step(
            await metering.has_live_call(tx, page.caller.owner_id),
            "Make a first live call",
            "The same call as in test mode, with the live key.",
            "/docs/integration",
            "Read how",
        ),
    ]


def _errors(problem: Problem | None) -> dict[str, str]:
    """Lay the errors out by field of the forms; those of single networks go under the one field they share."""
    if problem is None:
        return {}
    fields = {"requests_per_minute_max": "limit", "expires_at": "expires", "overlap_hours": "overlap"}
    found: dict[str, str] = {}
    for name, message in field_errors(problem).items():
        field = "networks" if name.startswith("allowed_networks") else fields.get(name, name)
        found[field] = f"{found[field]} {message}" if field in found else message
    return found


def _settings(page: Page, name: str, expires: str, networks: str, limit: str) -> KeySettings:
    days = _number(expires, "/expires", "Choose one of the times.")
    return KeySettings(
        name, page.now + timedelta(days=min(days, 10_000)) if days else None, _lines(networks), _limit(limit)
    )


def _lines(networks: str) -> tuple[str, ...]:
    return tuple(networks.replace(",", " ").split())


def _limit(limit: str) -> int | None:
    return _number(limit, "/limit", "Write a whole number, or leave it empty.") if limit.strip() else None


def _number(text: str, pointer: str, message: str) -> int:
    text = text.strip()
    if not (text.isascii() and text.isdecimal()) or len(text) > DIGITS_MAX:
        raise Invalid(message, errors=(FieldError(pointer, message),))
    return int(text)


def _mode(mode: str) -> Mode:
    if mode not in set(Mode):
        message = "Choose test or live."
        raise Invalid(message, errors=(FieldError("/mode", message),))
    return Mode(mode)


def _scopes(scopes: list[str]) -> frozenset[Scope]:
    return frozenset(Scope(one) for one in scopes if one in set(Scope))
