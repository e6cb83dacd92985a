"""`/webhooks`: which servers of the customer's are told of what, how deliveries went, and the secrets that sign."""

import secrets
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import Response

from tollway.customers.entities import Mode
from tollway.customers.permissions import Permission
from tollway.kit.crypto import Sealer
from tollway.kit.http import ReplayingRoute
from tollway.kit.problems import FieldError, Invalid, NotFound, Problem
from tollway.plans.entities import FeatureNotIncluded
from tollway.web.pages import Page, PageNeeds, field_errors, html, redirect
from tollway.webhooks import answer_operations as answers
from tollway.webhooks import flows
from tollway.webhooks import operations as webhooks
from tollway.webhooks.entities import (
    DELIVERIES_SHOWN,
    FORMER_SECRET_HOURS,
    OFFSET_MAX,
    TEST_EVENT,
    WEBHOOKS_PER_CUSTOMER_MAX,
    DeliveryStatus,
    Event,
    TooManyTests,
    Webhook,
    WebhookDraft,
)
from tollway.webhooks.flows import PostRoom

TOKEN_BYTES = 16
MODES = (("test", "Test: what test keys and these pages do"), ("live", "Live: what live keys do"))
CHOSEN_AT_FIRST = (Event.SIMULATION_COMPLETED, Event.SIMULATION_FAILED)
NOTICES = {
    "changed": "The webhook is changed, from the next event on.",
    "deleted": "The webhook is deleted.",
    "resent": "The delivery is sent once more.",
    "under_way": "That delivery is still under way; it is tried again by itself.",
}
# Text, mood and picture of each state's tag.
STATES = {
    DeliveryStatus.PENDING: ("Waiting", "", "clock"),
    DeliveryStatus.RETRYING: ("Tried again", "warn", "refresh-cw"),
    DeliveryStatus.DELIVERED: ("Delivered", "good", "check"),
    DeliveryStatus.FAILED: ("Failed", "bad", "x"),
    DeliveryStatus.ABANDONED: ("Given up", "", "ban"),
}

router = APIRouter(prefix="/webhooks", route_class=ReplayingRoute, include_in_schema=False)

Viewing = Annotated[Page, Depends(PageNeeds(Permission.KEYS_VIEW))]
Managing = Annotated[Page, Depends(PageNeeds(Permission.KEYS_MANAGE))]
# One secret signs for every run, and a borrowed browser must not show it.
Proven = Annotated[Page, Depends(PageNeeds(Permission.KEYS_MANAGE, proven=True))]
Text = Annotated[str, Form()]
Several = Annotated[list[str] | None, Form()]


@router.get("")
async def show_webhooks(request: Request, page: Viewing) -> Response:
    """List the customer's webhooks, with the form for a new one."""
    return await _list_page(request, page)


@router.post("")
async def create_webhook(
    request: Request,
    page: Managing,
    name: Text = "",
    url: Text = "",
    mode: Text = "test",
    events: Several = None,
    once: Text = "",
) -> Response:
    """Make a webhook and show its secret; sending the form again makes no second one."""
    typed: dict[str, Any] = {"name": name, "url": url, "mode": mode, "events": events or []}
    room = room_of(request)
    try:
        draft = WebhookDraft(name, url, tuple(events or [])).checked(room.sender.rules)
        async with page.database.transaction() as tx:

            async def work() -> dict[str, Any]:
                webhook, secret = await webhooks.create(
                    tx, room.sealer, page.caller, draft, _mode(mode), page.now
                )
                return {"id": webhook.public_id, "name": webhook.name, "secret": secret}

            made = await answers.answer_once(
                tx, page.caller, "POST /webhooks", once or None, typed, page.now, work
            )
    except Problem as problem:
        if problem.status not in (402, 409, 422):
            raise
        return await _list_page(request, page, problem=problem, typed=typed)
    return await _list_page(request, page, made=made)


@router.post("/signing-secret/reveal")
async def reveal_signing_secret(request: Request, page: Proven) -> Response:
    """Show the secret that signs what goes to the webhook_url of runs; that it was shown is on record."""
    async with page.database.transaction() as tx:
        secret = await webhooks.get_signing_secret(tx, _sealer(request), page.caller, page.now)
    return await _list_page(request, page, signing_secret=secret)


@router.post("/signing-secret/rotate")
async def rotate_signing_secret(request: Request, page: Proven) -> Response:
    """Replace that secret and show the new one."""
    async with page.database.transaction() as tx:
        secret = await webhooks.rotate_signing_secret(tx, _sealer(request), page.caller, page.now)
    return await _list_page(request, page, signing_secret=secret, is_rotated=True)


@router.get("/{webhook_id}")
async def show_webhook(request: Request, page: Viewing, webhook_id: str) -> Response:
    """Show one webhook with its deliveries and all that can be done to it."""
    return await _webhook_page(request, page, webhook_id)


@router.post("/{webhook_id}/change")
async def change_webhook(
    request: Request,
    page: Managing,
    webhook_id: str,
    name: Text = "",
    url: Text = "",
    events: Several = None,
    enabled: Text = "",
) -> Response:
    """Give a webhook another name, address, events, or turn it on or off."""
    typed: dict[str, Any] = {"name": name, "url": url, "events": events or [], "enabled": bool(enabled)}
    try:
        draft = WebhookDraft(name, url, tuple(events or []), bool(enabled))
        checked = draft.checked(room_of(request).sender.rules)
        async with page.database.transaction() as tx:
            await webhooks.change(tx, _sealer(request), page.caller, webhook_id, checked, page.now)
    except Problem as problem:
        if problem.status not in (402, 422):
            raise
        return await _webhook_page(request, page, webhook_id, problem=problem, typed=typed)
    return redirect(f"/webhooks/{webhook_id}?notice=changed")


@router.post("/{webhook_id}/rotate-secret")
async def rotate_secret(request: Request, page: Managing, webhook_id: str) -> Response:
    """Replace the secret of a webhook and show the new one."""
    async with page.database.transaction() as tx:
        webhook, secret = await webhooks.rotate_secret(
            tx, _sealer(request), page.caller, webhook_id, page.now
        )
    made = {"id": webhook.public_id, "name": webhook.name, "secret": secret}
    return await _webhook_page(request, page, webhook_id, made=made)


@router.post("/{webhook_id}/test")
async def test_webhook(request: Request, page: Managing, webhook_id: str) -> Response:
    """Send the event `webhook.test` and lead to the page that shows how that went."""
    try:
        delivery = await flows.send_test(room_of(request), page.caller, webhook_id, page.now)
    except (FeatureNotIncluded, TooManyTests) as problem:
        return await _webhook_page(request, page, webhook_id, problem=problem)
    # Loaded again, that page sends nothing again.
    return redirect(f"/webhooks/{webhook_id}?tested={delivery.public_id}")


@router.post("/{webhook_id}/deliveries/{delivery_id}/resend")
async def resend_delivery(page: Managing, webhook_id: str, delivery_id: str) -> Response:
    """Send a delivery that is over once more."""
    try:
        async with page.database.transaction() as tx:
            await webhooks.resend(tx, page.caller, webhook_id, delivery_id, page.now)
    except Problem as problem:
        if problem.status != 409:
            raise
        return redirect(f"/webhooks/{webhook_id}?notice=under_way")
    return redirect(f"/webhooks/{webhook_id}?notice=resent")


@router.get("/{webhook_id}/delete")
async def ask_delete(request: Request, page: Managing, webhook_id: str) -> Response:
    """Ask before a webhook is deleted."""
    async with page.database.transaction() as tx:
        shell, _ = await page.shell(tx)
        webhook = await webhooks.get_webhook(tx, page.caller, webhook_id)
    return html(request, "customer/webhook_delete.html", shell=shell, webhook=webhook)


@router.post("/{webhook_id}/delete")
async def delete_webhook(page: Managing, webhook_id: str) -> Response:
    """Delete a webhook with its deliveries."""
    async with page.database.transaction() as tx:
        await webhooks.delete(tx, page.caller, webhook_id, page.now)
    return redirect("/webhooks?notice=deleted")


async def _list_page(
    request: Request,
    page: Page,
    *,
    problem: Problem | None = None,
    typed: dict[str, Any] | None = None,
    made: dict[str, Any] | None = None,
    signing_secret: str = "",
    is_rotated: bool = False,
) -> Response:
    async with page.database.transaction() as tx:
        shell, _ = await page.shell(tx)
        found = await webhooks.list_webhooks(tx, page.caller)
        missing = await webhooks.find_missing(tx, page.caller.owner_id, page.now)
        of_runs = await webhooks.list_run_url_deliveries(tx, page.caller.owner_id, DELIVERIES_SHOWN)
    return html(
        request,
        "customer/webhooks.html",
        status=problem.status if problem else 200,
        shell=shell,
        webhooks=found,
        of_runs=of_runs,
        missing=missing,
        states=STATES,
        events=Event,
        modes=MODES,
        most=WEBHOOKS_PER_CUSTOMER_MAX,
        former_hours=FORMER_SECRET_HOURS,
        may_manage=page.caller.may(Permission.KEYS_MANAGE),
        typed=typed or {"name": "", "url": "", "mode": "test", "events": CHOSEN_AT_FIRST},
        errors=field_errors(problem) if problem else {},
        made=made,
        signing_secret=signing_secret,
        is_rotated=is_rotated,
        once=secrets.token_urlsafe(TOKEN_BYTES),
        notice=NOTICES.get(request.query_params.get("notice", ""), ""),
    )


async def _webhook_page(
    request: Request,
    page: Page,
    webhook_id: str,
    *,
    problem: Problem | None = None,
    typed: dict[str, Any] | None = None,
    made: dict[str, Any] | None = None,
) -> Response:
    offset = _offset(request.query_params.get("offset", ""))
    async with page.database.transaction() as tx:
        shell, _ = await page.shell(tx)
        webhook = await webhooks.get_webhook(tx, page.caller, webhook_id)
        missing = await webhooks.find_missing(tx, page.caller.owner_id, page.now)
        found = await webhooks.list_deliveries(tx, page.caller, webhook_id, DELIVERIES_SHOWN + 1, offset)
    here = f"/webhooks/{webhook.public_id}"
    just_sent = request.query_params.get("tested")
    tested = next((one for one in found if one.is_test and one.public_id == just_sent), None)
    has_more = len(found) > DELIVERIES_SHOWN and offset + DELIVERIES_SHOWN <= OFFSET_MAX
    return html(
        request,
        "customer/webhook.html",
        status=problem.status if problem else 200,
        shell=shell,
        webhook=webhook,
        state=_state(webhook, missing),
        deliveries=found[:DELIVERIES_SHOWN],
        next_url=f"{here}?offset={offset + DELIVERIES_SHOWN}" if has_more else None,
        first_url=here if offset else None,
        missing=missing,
        states=STATES,
        events=Event,
        test_event=TEST_EVENT,
        former_hours=FORMER_SECRET_HOURS,
        may_manage=page.caller.may(Permission.KEYS_MANAGE),
        typed=typed
        or {
            "name": webhook.name,
            "url": webhook.url,
            "events": webhook.events,
            "enabled": webhook.enabled,
        },
        errors=field_errors(problem) if problem else {},
        made=made,
        tested=tested,
        now=page.now,
        notice=NOTICES.get(request.query_params.get("notice", ""), ""),
    )


def _state(webhook: Webhook, missing: str) -> tuple[str, str]:
    """Say in a word, and in a colour, whether something is delivered to a webhook."""
    if webhook.turned_off_at is not None:
        return "Turned off by us", "bad"
    if not webhook.enabled:
        return "Off", ""
    if missing:
        return "Not in your plan", "warn"
    return ("Failing", "warn") if webhook.failing_since is not None else ("On", "good")


def room_of(request: Request) -> PostRoom:
    """Return what deliveries are sent with."""
    room = request.app.state.post_room
    assert isinstance(room, PostRoom), "app.py puts the post room into the application's state"
    return room


def _sealer(request: Request) -> Sealer:
    return room_of(request).sealer


def _mode(mode: str) -> Mode:
    if mode not in set(Mode):
        message = "Choose test or live."
        raise Invalid(message, errors=(FieldError("/mode", message),))
    return Mode(mode)


def _offset(text: str) -> int:
    if not text:
        return 0
    if (
        not (text.isascii() and text.isdecimal())
        or len(text) > len(str(OFFSET_MAX))
        or int(text) > OFFSET_MAX
    ):
        raise NotFound("There is no such page of deliveries. Begin with the newest.")
    return int(text)
