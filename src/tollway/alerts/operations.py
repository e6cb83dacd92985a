"""Rules of the owner and what they found: alerts are opened, seen again, acknowledged and resolved."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta

from tollway.alerts import store
from tollway.alerts.entities import (
    Alert,
    AlertDesk,
    AlertStatus,
    Finding,
    Rule,
    checked_note,
    default_rule,
    rule_from_row,
)
from tollway.alerts.rules import RuleKind
from tollway.customers.callers import Caller
from tollway.customers.deed_operations import record_deed
from tollway.kit.db import Transaction
from tollway.kit.ids import new_id
from tollway.kit.jobs import enqueue_job
from tollway.kit.mail import queue_mail
from tollway.kit.paging import PAGE_SIZE, PAGE_SIZE_MAX, Page, decode_cursor, page_of
from tollway.kit.problems import Conflict, NotFound
from tollway.notifications import alert_mail_operations as mails

SEND_WEBHOOK_JOB = "alerts.send_webhook"
# So many stand in one message to the owner's server; what is beyond stands on the page.
ALERTS_TOLD_MAX = 100
ALERTS_KEPT_DAYS = 400

# Rules ----------------------------------------------------------------------------------------------


async def list_rules(tx: Transaction) -> list[Rule]:
    """List every rule as it holds, in the order of the code."""
    changed = {row["kind"]: row for row in await store.list_rules(tx)}
    return [rule_from_row(changed[kind]) if kind in changed else default_rule(kind) for kind in RuleKind]


async def get_rule(tx: Transaction, kind: str) -> Rule:
    """Return one rule as it holds; raises NotFound."""
    for rule in await list_rules(tx):
        if rule.kind == kind:
            return rule
    raise NotFound("There is no such rule.")


async def change_rule(tx: Transaction, by: Caller, rule: Rule, now: datetime) -> None:
    """Put a rule in the place of the one that holds; switching it off ends its alerts, and tells nobody.

    Writes: alert_rules, alerts, audit_entries.
    """
    await store.save_rule(tx, rule, now)
    if not rule.enabled:
        await store.resolve_unseen(tx, rule.kind, now, now, switched_off=True)
    details = {"enabled": rule.enabled, **rule.thresholds, "recipients": len(rule.recipients)}
    await record_deed(tx, by, "alert_rule.changed", rule.kind.value, now, details, customer_id=None)


# Alerts ---------------------------------------------------------------------------------------------


async def record_findings(
    tx: Transaction, desk: AlertDesk | None, rule: Rule, findings: Sequence[Finding], now: datetime
) -> list[Alert]:
    """Open an alert for each finding, or see again the one that is not resolved; tell of those that are new.

    Then those end whose condition has been gone for as long as the rule says, and that is told as well. Call it for
    a rule that is on, with everything that it finds now. Returns: the alerts that were opened.

    Args:
        desk: where alerts are told; None tells nobody, for what an installation is furnished with and never happened.

    Writes: alerts, outbox_mails. Defers: the message to the owner's server.
    """
    opened_ids = []
    # In one order everywhere, so that two who record at once wait for each other and nobody for both.
    for _, finding in sorted({one.subject: one for one in findings}.items()):
        public_id = new_id("alt")
        if await store.record_finding(tx, public_id, finding, now):
            opened_ids.append(public_id)
    gone_since = now - timedelta(minutes=rule.resolves_after_minutes)
    resolved_ids = await store.resolve_unseen(tx, rule.kind, gone_since, now)
    opened = await store.list_by_public_ids(tx, opened_ids)
    if desk is not None:
        await _tell(tx, desk, rule, opened, now, is_over=False)
        await _tell(tx, desk, rule, await store.list_by_public_ids(tx, resolved_ids), now, is_over=True)
    return opened


async def list_alerts(
    tx: Transaction,
    status: AlertStatus | None = None,
    kind: RuleKind | None = None,
    cursor: str | None = None,
    limit: int = PAGE_SIZE,
) -> Page[Alert]:
    """List alerts, the newest first; raises BadCursor."""
    assert 1 <= limit <= PAGE_SIZE_MAX, limit
    found = await store.list_alerts(tx, status, kind, decode_cursor(cursor), limit + 1)
    return page_of(found, [one.id for one in found], limit)


async def get_alert(tx: Transaction, alert_id: str) -> Alert:
    """Return one alert; raises NotFound."""
    alert = await store.find_alert(tx, alert_id)
    if alert is None:
        raise NotFound("There is no such alert.")
    return alert


async def count_open(tx: Transaction) -> int:
    """Count the alerts that wait for somebody."""
    return await store.count_open(tx)


async def acknowledge(tx: Transaction, by: Caller, alert_id: str, note: str, now: datetime) -> Alert:
    """Say that somebody saw an alert, and what they found; it stays until its condition is gone.

    Raises: NotFound, Conflict, Invalid (/note). Writes: alerts, audit_entries.
    """
    note = checked_note(note)
    alert = await store.lock_alert(tx, alert_id)
    if alert is None:
        raise NotFound("There is no such alert.")
    if alert.acknowledged_at is not None:
        raise Conflict(f"{alert.acknowledged_by or 'Somebody'} has acknowledged this alert already.")
    await store.update_to_acknowledged(tx, alert.id, by.user_id, note, now)
    details = {"kind": alert.kind.value, "about": alert.subject, "note": note}
    await record_deed(tx, by, "alert.acknowledged", alert.public_id, now, details, customer_id=None)
    return await get_alert(tx, alert_id)


async def delete_old_alerts(tx: Transaction, now: datetime) -> int:
    """Delete alerts that have long been over. Writes: alerts."""
    return await store.delete_resolved(tx, now - timedelta(days=ALERTS_KEPT_DAYS))


async def _tell(
    tx: Transaction, desk: AlertDesk, rule: Rule, alerts: Sequence[Alert], now: datetime, *, is_over: bool
) -> None:
    """Write one mail to each recipient, and one message to the owner's server, for all of them together."""
    if not alerts:
        return
    for address in rule.recipients or (desk.support_email,):
        mail = mails.compose_owner_alerts(
            address,
            title=rule.text.title,
            about=rule.text.about,
            alerts=[(one.shown_subject, one.summary) for one in alerts],
            is_over=is_over,
            after_minutes=rule.resolves_after_minutes,
            link=desk.link,
        )
        await queue_mail(tx, mail, now)
    if desk.has_webhook:
        event_id, event = new_id("evt"), "alert.resolved" if is_over else "alert.opened"
        body = {
            "id": event_id,
            "type": event,
            "timestamp": now.isoformat(),
            "data": {"count": len(alerts), "alerts": [_written(one) for one in alerts[:ALERTS_TOLD_MAX]]},
        }
        # The text itself travels: every try sends, and signs, the same.
        payload = {"id": event_id, "event": event, "body": json.dumps(body), "attempt": 0}
        await enqueue_job(tx, SEND_WEBHOOK_JOB, payload)


def _written(alert: Alert) -> dict[str, str | int | None]:
    return {
        "id": alert.public_id,
        "kind": alert.kind.value,
        "title": alert.title,
        "subject": alert.subject,
        "customer": alert.customer_public_id,
        "summary": alert.summary,
        "opened_at": alert.opened_at.isoformat(),
        "last_seen_at": alert.last_seen_at.isoformat(),
        "seen_count": alert.seen_count,
    }
