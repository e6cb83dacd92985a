"""SQL over alert_rules and alerts."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, LiteralString

from tollway.alerts.entities import Alert, AlertStatus, Finding, Rule
from tollway.alerts.rules import RuleKind
from tollway.kit.db import Transaction

_ALERT: LiteralString = """
    SELECT a.id, a.public_id, a.kind, a.subject, c.public_id AS customer_public_id, c.company_name, a.summary,
        a.opened_at, a.last_seen_at, a.seen_count, a.acknowledged_at,
        COALESCE(u.email, '') AS acknowledged_by, a.note, a.resolved_at, a.switched_off
    FROM alerts a LEFT JOIN api_customers c ON c.id = a.customer_id LEFT JOIN users u ON u.id = a.acknowledged_by
"""
_STATUS: LiteralString = """
    CASE WHEN a.resolved_at IS NOT NULL THEN 'resolved'
         WHEN a.acknowledged_at IS NOT NULL THEN 'acknowledged' ELSE 'open' END
"""

# Rules ----------------------------------------------------------------------------------------------


async def list_rules(tx: Transaction) -> list[dict[str, Any]]:
    """List what was changed about rules."""
    return await tx.list_rows("SELECT kind, enabled, thresholds, recipients, updated_at FROM alert_rules")


async def save_rule(tx: Transaction, rule: Rule, now: datetime) -> None:
    """Keep a rule as somebody wants it."""
    await tx.execute(
        """
        INSERT INTO alert_rules (kind, enabled, thresholds, recipients, updated_at)
        VALUES (%(kind)s, %(enabled)s, %(thresholds)s::jsonb, %(recipients)s, %(now)s)
        ON CONFLICT (kind) DO UPDATE SET enabled = EXCLUDED.enabled, thresholds = EXCLUDED.thresholds,
            recipients = EXCLUDED.recipients, updated_at = EXCLUDED.updated_at
        """,
        {
            "kind": rule.kind.value,
            "enabled": rule.enabled,
            "thresholds": json.dumps(dict(rule.thresholds)),
            "recipients": list(rule.recipients),
            "now": now,
        },
    )


# Alerts ---------------------------------------------------------------------------------------------


async def record_finding(tx: Transaction, public_id: str, finding: Finding, now: datetime) -> bool:
    """Open an alert, or see the one again that is not resolved; return whether it was opened."""
    opened = await tx.find_value(
        """
        INSERT INTO alerts (public_id, kind, subject, customer_id, summary, opened_at, last_seen_at)
        VALUES (%(public_id)s, %(kind)s, %(subject)s, %(customer_id)s, %(summary)s, %(now)s, %(now)s)
        ON CONFLICT (kind, subject) WHERE resolved_at IS NULL DO UPDATE SET summary = EXCLUDED.summary,
            last_seen_at = greatest(alerts.last_seen_at, EXCLUDED.last_seen_at), seen_count = alerts.seen_count + 1
        RETURNING public_id = %(public_id)s
        """,
        {
            "public_id": public_id,
            "kind": finding.kind.value,
            "subject": finding.subject,
            "customer_id": finding.customer_id,
            "summary": finding.summary,
            "now": now,
        },
    )
    return bool(opened)


async def resolve_unseen(
    tx: Transaction, kind: RuleKind, seen_before: datetime, now: datetime, *, switched_off: bool = False
) -> list[str]:
    """End the alerts of a rule that were not seen lately; return their public ids."""
    rows = await tx.list_rows(
        """
        UPDATE alerts SET resolved_at = %(now)s, switched_off = %(off)s
        WHERE kind = %(kind)s AND resolved_at IS NULL AND last_seen_at <= %(before)s RETURNING public_id
        """,
        {"kind": kind.value, "before": seen_before, "now": now, "off": switched_off},
    )
    return [row["public_id"] for row in rows]


async def list_by_public_ids(tx: Transaction, public_ids: Sequence[str]) -> list[Alert]:
    """List some alerts, the oldest first."""
    return await tx.list_all(
        Alert,
        f"{_ALERT} WHERE a.public_id = ANY(%(ids)s::text[]) ORDER BY a.id",
        {"ids": list(public_ids)},
    )


async def list_alerts(
    tx: Transaction, status: AlertStatus | None, kind: RuleKind | None, before_id: int | None, limit: int
) -> list[Alert]:
    """List alerts, the newest first."""
    return await tx.list_all(
        Alert,
        f"""
        {_ALERT} WHERE (%(status)s::text IS NULL OR {_STATUS} = %(status)s)
            AND (%(kind)s::text IS NULL OR a.kind = %(kind)s)
            AND (%(before)s::bigint IS NULL OR a.id < %(before)s)
        ORDER BY a.id DESC LIMIT %(limit)s
        """,
        {
            "status": status and status.value,
            "kind": kind and kind.value,
            "before": before_id,
            "limit": limit,
        },
    )


async def lock_alert(tx: Transaction, public_id: str) -> Alert | None:
    """Return an alert and hold its row."""
    return await tx.find_one(
        Alert, f"{_ALERT} WHERE a.public_id = %(id)s FOR NO KEY UPDATE OF a", {"id": public_id}
    )


async def find_alert(tx: Transaction, public_id: str) -> Alert | None:
    """Return an alert."""
    return await tx.find_one(Alert, f"{_ALERT} WHERE a.public_id = %(id)s", {"id": public_id})


async def update_to_acknowledged(
    tx: Transaction, alert_id: int, user_id: int | None, note: str, now: datetime
) -> None:
    """Remember who saw an alert, and what they said."""
    await tx.execute(
        """
        UPDATE alerts SET acknowledged_at = %(now)s, acknowledged_by = %(user_id)s, note = %(note)s
        WHERE id = %(id)s
        """,
        {"id": alert_id, "user_id": user_id, "note": note, "now": now},
    )


async def count_open(tx: Transaction) -> int:
    """Count the alerts that nobody has seen and that are not over."""
    found = await tx.find_value(
        "SELECT count(*) FROM alerts WHERE resolved_at IS NULL AND acknowledged_at IS NULL"
    )
    return int(found)


async def delete_resolved(tx: Transaction, resolved_before: datetime) -> int:
    """Delete alerts that were over before a time."""
    return await tx.execute("DELETE FROM alerts WHERE resolved_at < %(before)s", {"before": resolved_before})
