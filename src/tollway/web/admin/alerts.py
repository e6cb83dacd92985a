"""`/admin/alerts`: what rules found, acknowledged with a note, and the rules themselves."""

from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import Response

from tollway.alerts import operations as alerts
from tollway.alerts.entities import (
    NOTE_LENGTH_MAX,
    RULES,
    Alert,
    AlertStatus,
    Rule,
    RuleKind,
    checked_rule,
)
from tollway.customers.permissions import Permission
from tollway.kit.http import ReplayingRoute
from tollway.kit.problems import Conflict, Invalid, Problem
from tollway.web.admin.frame import SettingsSeen, admin_shell
from tollway.web.pages import Page, PageNeeds, field_errors, html, redirect
from tollway.web.site import site_of

LIST_URL = "/admin/alerts"
PAGE_SIZE = 50
NOTICES = {
    "acknowledged": "The alert is acknowledged: nobody is told of it again.",
    "changed": "The rule holds from the next minute on.",
}

router = APIRouter(prefix=LIST_URL, route_class=ReplayingRoute, include_in_schema=False)
SettingsManaged = Annotated[Page, Depends(PageNeeds(Permission.ADMIN_SETTINGS, proven=True))]


@router.get("")
async def list_alerts(
    request: Request, page: SettingsSeen, status: str = "", kind: str = "", cursor: str | None = None
) -> Response:
    """List alerts, newest first, chosen by status and rule."""
    chosen = AlertStatus(status) if status in set(AlertStatus) else None
    of_rule = RuleKind(kind) if kind in set(RuleKind) else None
    async with page.database.transaction() as tx:
        shell = await admin_shell(page, tx)
        found = await alerts.list_alerts(tx, chosen, of_rule, cursor, PAGE_SIZE)
    asked = {"status": chosen.value if chosen else "", "kind": of_rule.value if of_rule else ""}
    return html(
        request,
        "admin/alerts.html",
        shell=shell,
        alerts=[_view(one) for one in found.items],
        values=asked,
        statuses=[one.value for one in AlertStatus],
        kinds=[(one.value, text.title) for one, text in RULES.items()],
        is_narrowed=any(asked.values()),
        next_url=_address(asked, found.next_cursor) if found.next_cursor else None,
        first_url=_address(asked) if cursor else None,
    )


@router.get("/rules")
async def list_rules(request: Request, page: SettingsSeen) -> Response:
    """List every rule as it holds."""
    async with page.database.transaction() as tx:
        shell = await admin_shell(page, tx)
        rules = await alerts.list_rules(tx)
    return html(
        request,
        "admin/alert_rules.html",
        shell=shell,
        rules=rules,
        support_email=site_of(request).support_email,
        notice=NOTICES.get(request.query_params.get("notice", ""), ""),
    )


@router.get("/rules/{kind}")
async def show_rule(request: Request, page: SettingsSeen, kind: str) -> Response:
    """Show the form for one rule."""
    return await _rule_page(request, page, kind)


@router.post("/rules/{kind}")
async def change_rule(
    request: Request,
    page: SettingsManaged,
    kind: str,
    enabled: Annotated[str, Form()] = "",
    recipients: Annotated[str, Form()] = "",
) -> Response:
    """Change what a rule asks, or switch it on or off."""
    form = await request.form()
    async with page.database.transaction() as tx:
        present = await alerts.get_rule(tx, kind)
    typed = {one.name: str(form.get(one.name, "")) for one in present.text.thresholds}
    values = {"enabled": enabled, "recipients": recipients, **typed}
    try:
        wanted = checked_rule(present.kind, enabled == "on", typed, recipients)
    except Invalid as problem:
        return await _rule_page(request, page, kind, values, problem)
    async with page.database.transaction() as tx:
        await alerts.change_rule(tx, page.caller, wanted, page.now)
    return redirect(f"{LIST_URL}/rules?notice=changed")


@router.get("/{alert_id}")
async def show_alert(request: Request, page: SettingsSeen, alert_id: str) -> Response:
    """Show one alert, and the form to acknowledge it."""
    return await _alert_page(request, page, alert_id)


@router.post("/{alert_id}/acknowledge")
async def acknowledge_alert(
    request: Request, page: SettingsManaged, alert_id: str, note: Annotated[str, Form()] = ""
) -> Response:
    """Acknowledge an alert."""
    try:
        async with page.database.transaction() as tx:
            await alerts.acknowledge(tx, page.caller, alert_id, note, page.now)
    except (Invalid, Conflict) as problem:
        return await _alert_page(request, page, alert_id, note, problem)
    return redirect(f"{LIST_URL}/{alert_id}?notice=acknowledged")


async def _alert_page(
    request: Request, page: Page, alert_id: str, note: str = "", problem: Problem | None = None
) -> Response:
    async with page.database.transaction() as tx:
        shell = await admin_shell(page, tx)
        alert = await alerts.get_alert(tx, alert_id)
        rule = await alerts.get_rule(tx, alert.kind.value)
    return html(
        request,
        "admin/alert.html",
        problem.status if problem else 200,
        shell=shell,
        alert=_view(alert),
        rule=rule,
        note_length_max=NOTE_LENGTH_MAX,
        values={"note": note},
        errors=field_errors(problem) if problem else {},
        notice=NOTICES.get(request.query_params.get("notice", ""), ""),
    )


async def _rule_page(
    request: Request,
    page: Page,
    kind: str,
    values: dict[str, str] | None = None,
    problem: Problem | None = None,
) -> Response:
    async with page.database.transaction() as tx:
        shell = await admin_shell(page, tx)
        rule = await alerts.get_rule(tx, kind)
    return html(
        request,
        "admin/alert_rule.html",
        problem.status if problem else 200,
        shell=shell,
        rule=rule,
        values=values or _values_of(rule),
        errors=field_errors(problem) if problem else {},
        support_email=site_of(request).support_email,
    )


def _values_of(rule: Rule) -> dict[str, str]:
    """Write a rule as the fields of its form."""
    numbers = {name: str(number) for name, number in rule.thresholds.items()}
    return {"enabled": "on" if rule.enabled else "off", "recipients": ", ".join(rule.recipients), **numbers}


def _view(alert: Alert) -> dict[str, Any]:
    """Lay an alert out for a page, with the place where its subject is looked at."""
    kind, _, name = alert.subject.partition(":")
    subject_url = {"api_key": f"/admin/api-keys/{name}", "customer": f"/admin/api-customers/{name}"}.get(kind)
    return {
        "id": alert.public_id,
        "title": alert.title,
        "status": alert.status.value,
        "subject": alert.shown_subject,
        "subject_url": subject_url,
        "customer": alert.company_name,
        "customer_url": f"/admin/api-customers/{alert.customer_public_id}" if alert.company_name else None,
        "summary": alert.summary[:1].upper() + alert.summary[1:],
        "opened_at": alert.opened_at,
        "last_seen_at": alert.last_seen_at,
        "seen_count": alert.seen_count,
        "acknowledged_at": alert.acknowledged_at,
        "acknowledged_by": alert.acknowledged_by or "somebody",
        "note": alert.note,
        "resolved_at": alert.resolved_at,
        "switched_off": alert.switched_off,
    }


def _address(asked: dict[str, str], cursor: str = "") -> str:
    query = {name: value for name, value in (asked | {"cursor": cursor}).items() if value}
    return f"{LIST_URL}?{urlencode(query)}" if query else LIST_URL
