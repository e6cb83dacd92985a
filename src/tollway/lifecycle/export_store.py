"""SQL over data_exports, and over everything that an export holds."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString

from tollway.kit.db import Transaction
from tollway.lifecycle.entities import Export

_EXPORT: LiteralString = """
    id, public_id, customer_id, requested_by, status, blob_name, size_bytes, created_at, ready_at, expires_at
"""
PAGE_ROWS = 500
# Rows that may be large each: results, and what was read of a workbook.
LARGE_ROWS = 20


@dataclass(frozen=True, slots=True)
class ExportedTable:
    """One pair of files of an export, and the rows in it.

    Each page takes up where the one before ended: after its last row's `_id`, in the usage log after `_at` and
    `_id`. `json_only` columns are deep, and left out of the CSV.
    """

    name: str
    about: str
    rows: LiteralString
    page_rows: int = PAGE_ROWS
    json_only: tuple[str, ...] = ()


# INVARIANT: nothing in here is a secret, not even a hash of one
# (tests/lifecycle/test_export.py::test_an_export_holds_everything_and_no_secret).
TABLES: tuple[ExportedTable, ...] = (
    ExportedTable(
        "people",
        "who belongs to the company, and as what",
        """
        SELECT m.user_id AS _id, u.public_id AS id, u.email, u.name, m.role, m.created_at AS joined_at,
            u.email_verified_at, u.last_sign_in_at, u.password_hash IS NOT NULL AS has_password,
            u.totp_confirmed_at IS NOT NULL AS has_second_factor
        FROM customer_members m JOIN users u ON u.id = m.user_id
        WHERE m.customer_id = %(customer_id)s AND m.user_id > %(after)s
        ORDER BY m.user_id LIMIT %(limit)s
        """,
    ),
    ExportedTable(
        "invitations",
        "who was invited",
        """
        SELECT id AS _id, public_id AS id, email, role, created_at, expires_at, accepted_at, revoked_at
        FROM invitations WHERE customer_id = %(customer_id)s AND id > %(after)s ORDER BY id LIMIT %(limit)s
        """,
    ),
    ExportedTable(
        "own_sessions",
        "where you, who asked for this export, were signed in",
        """
        SELECT id AS _id, public_id AS id, kind, created_at, last_seen_at, expires_at, ended_at, ip_address,
            user_agent
        FROM user_sessions WHERE user_id = %(requested_by)s AND id > %(after)s ORDER BY id LIMIT %(limit)s
        """,
    ),
    ExportedTable(
        "api_keys",
        "API keys, masked: nobody can be given a key back",
        """
        SELECT k.id AS _id, k.key_id, k.last_four, k.name, k.product, k.mode, k.status, k.scopes,
            k.allowed_networks, k.requests_per_minute_max, k.rate_limit_tier, successor.key_id AS successor,
            k.grace_until, k.last_used_at, k.expires_at, k.revoked_at, k.suspended_reason, k.created_at
        FROM api_keys k LEFT JOIN api_keys successor ON successor.id = k.successor_id
        WHERE k.customer_id = %(customer_id)s AND k.id > %(after)s ORDER BY k.id LIMIT %(limit)s
        """,
    ),
    ExportedTable(
        "subscriptions",
        "the plans that are and were held",
        """
        SELECT s.id AS _id, s.public_id AS id, s.product, p.tier, p.version AS plan_version, s.status,
            s.current_period_start, s.current_period_end, s.trial_end, s.cancel_at, s.created_at
        FROM api_subscriptions s JOIN plan_versions p ON p.id = s.plan_version_id
        WHERE s.customer_id = %(customer_id)s AND s.id > %(after)s ORDER BY s.id LIMIT %(limit)s
        """,
    ),
    ExportedTable(
        "subscription_changes",
        "changes of plans: asked for, scheduled, done",
        """
        SELECT c.id AS _id, c.public_id AS id, s.public_id AS subscription, c.kind, p.tier, c.status,
            c.effective_at, c.requested_by, c.reason, c.created_at, c.settled_at
        FROM subscription_changes c JOIN api_subscriptions s ON s.id = c.subscription_id
            LEFT JOIN plan_versions p ON p.id = c.plan_version_id
        WHERE s.customer_id = %(customer_id)s AND c.id > %(after)s ORDER BY c.id LIMIT %(limit)s
        """,
    ),
    ExportedTable(
        "adjustments",
        "what was granted beyond the plan, or put in its place",
        """
        SELECT id AS _id, public_id AS id, product, kind, subject, amount, starts_at, ends_at, ended_at, reason,
            created_at
        FROM entitlement_adjustments
        WHERE customer_id = %(customer_id)s AND id > %(after)s ORDER BY id LIMIT %(limit)s
        """,
    ),
    ExportedTable(
        "quotas",
        "requests included and used, by period",
        """
        SELECT q.id AS _id, s.public_id AS subscription, q.mode, q.period_start, q.period_end,
            q.requests_included, q.requests_used, q.overage_rate
        FROM usage_quotas q JOIN api_subscriptions s ON s.id = q.subscription_id
        WHERE s.customer_id = %(customer_id)s AND q.id > %(after)s ORDER BY q.id LIMIT %(limit)s
        """,
    ),
    ExportedTable(
        "usage_notices",
        "what you were told of your usage",
        """
        SELECT n.id AS _id, s.public_id AS subscription, q.mode, q.period_start, n.kind, n.percent, n.requests_max,
            n.requests_used, n.told_at
        FROM quota_notices n JOIN usage_quotas q ON q.id = n.quota_id
            JOIN api_subscriptions s ON s.id = q.subscription_id
        WHERE s.customer_id = %(customer_id)s AND n.id > %(after)s ORDER BY n.id LIMIT %(limit)s
        """,
    ),
    ExportedTable(
        "key_networks",
        "networks that your API keys were used from",
        """
        SELECT n.id AS _id, k.key_id, n.network::text AS network, n.first_seen_at, n.last_seen_at
        FROM key_networks n JOIN api_keys k ON k.id = n.api_key_id
        WHERE k.customer_id = %(customer_id)s AND n.id > %(after)s ORDER BY n.id LIMIT %(limit)s
        """,
    ),
    ExportedTable(
        "usage_log",
        "every call",
        """
        SELECT l.id AS _id, l.request_timestamp AS _at, l.request_timestamp, l.request_id, k.key_id, l.product,
            l.mode, l.method, l.endpoint, l.status_code, l.problem_code, l.response_time_ms, l.units,
            l.credits_consumed, l.ip_address, l.user_agent
        FROM api_usage_logs l LEFT JOIN api_keys k ON k.id = l.api_key_id
        WHERE l.customer_id = %(customer_id)s
            AND (l.request_timestamp, l.id) > (coalesce(%(after_at)s, '-infinity'::timestamptz), %(after)s)
        ORDER BY l.request_timestamp, l.id LIMIT %(limit)s
        """,
    ),
    ExportedTable(
        "models",
        "models with their inputs and outputs; the workbooks themselves lie in workbooks/",
        """
        SELECT id AS _id, public_id AS id, mode, name, description, tags, filename, workbook_bytes,
            encode(workbook_sha256, 'hex') AS workbook_sha256, formulas_count, inputs, outputs, correlations,
            inspection, created_at, updated_at, expires_at, workbook_deleted_at
        FROM models WHERE customer_id = %(customer_id)s AND id > %(after)s ORDER BY id LIMIT %(limit)s
        """,
        LARGE_ROWS,
        ("inputs", "outputs", "correlations", "inspection"),
    ),
    ExportedTable(
        "runs",
        "runs with their results",
        """
        SELECT r.id AS _id, r.public_id AS id, m.public_id AS model, r.mode, k.key_id, r.status, r.seed,
            r.iterations, r.iterations_completed, r.inputs, r.outputs, r.confidence_levels, r.credits_consumed,
            r.engine_version, r.results, r.failure, r.created_at, r.started_at, r.finished_at, r.expires_at,
            r.results_deleted_at, r.webhook_url, r.sampling, r.correlations, r.stress, r.targets, r.tolerance,
            r.keeps_samples, b.public_id AS batch, r.scenario_name
        FROM runs r JOIN models m ON m.id = r.model_id LEFT JOIN api_keys k ON k.id = r.api_key_id
            LEFT JOIN batches b ON b.id = r.batch_id
        WHERE r.customer_id = %(customer_id)s AND r.id > %(after)s ORDER BY r.id LIMIT %(limit)s
        """,
        LARGE_ROWS,
        ("inputs", "outputs", "confidence_levels", "results", "failure", "correlations", "stress", "targets"),
    ),
    ExportedTable(
        "batches",
        "batches of runs that were ordered together",
        """
        SELECT b.id AS _id, b.public_id AS id, b.mode, k.key_id, b.name, b.created_at
        FROM batches b LEFT JOIN api_keys k ON k.id = b.api_key_id
        WHERE b.customer_id = %(customer_id)s AND b.id > %(after)s ORDER BY b.id LIMIT %(limit)s
        """,
    ),
    ExportedTable(
        "goal_seeks",
        "goal seeks with their answers",
        """
        SELECT g.id AS _id, g.public_id AS id, m.public_id AS model, g.mode, k.key_id, g.status, g.question, g.answer,
            g.failure, g.created_at, g.finished_at, g.expires_at
        FROM goal_seeks g JOIN models m ON m.id = g.model_id LEFT JOIN api_keys k ON k.id = g.api_key_id
        WHERE g.customer_id = %(customer_id)s AND g.id > %(after)s ORDER BY g.id LIMIT %(limit)s
        """,
        LARGE_ROWS,
        ("question", "answer", "failure"),
    ),
    ExportedTable(
        "webhooks",
        "webhooks, without their secrets",
        """
        SELECT w.id AS _id, w.public_id AS id, u.email AS made_by, w.mode, w.name, w.url, w.events, w.enabled,
            w.created_at, w.updated_at, w.last_delivery_at, w.last_delivery_status, w.total_deliveries,
            w.failed_deliveries, w.turned_off_at
        FROM webhooks w LEFT JOIN users u ON u.id = w.created_by
        WHERE w.customer_id = %(customer_id)s AND w.id > %(after)s ORDER BY w.id LIMIT %(limit)s
        """,
    ),
    ExportedTable(
        "webhook_deliveries",
        "what was sent to webhooks and to the webhook_url of runs in the last 30 days",
        """
        SELECT d.id AS _id, d.public_id AS id, w.public_id AS webhook, d.url, d.mode, d.simulation_id, d.event_type,
            d.body, d.status, d.attempt, d.response_status, d.response_time_ms, d.error_message, d.created_at,
            d.last_attempt_at, d.delivered_at
        FROM webhook_deliveries d LEFT JOIN webhooks w ON w.id = d.webhook_id
        WHERE d.customer_id = %(customer_id)s AND d.id > %(after)s ORDER BY d.id LIMIT %(limit)s
        """,
    ),
    ExportedTable(
        "tickets",
        "what support was asked",
        """
        SELECT t.id AS _id, t.public_id AS id, u.email AS opened_by, t.topic, t.subject, t.status, t.created_at,
            t.updated_at, t.response_due_at, t.responded_at, t.closed_at
        FROM support_tickets t LEFT JOIN users u ON u.id = t.opened_by
        WHERE t.customer_id = %(customer_id)s AND t.id > %(after)s ORDER BY t.id LIMIT %(limit)s
        """,
    ),
    ExportedTable(
        "ticket_messages",
        "what was written in tickets, by you and by us",
        """
        SELECT w.id AS _id, w.public_id AS id, t.public_id AS ticket, w.from_staff,
            CASE WHEN w.from_staff THEN NULL ELSE u.email END AS author, w.body, w.created_at
        FROM ticket_messages w JOIN support_tickets t ON t.id = w.ticket_id LEFT JOIN users u ON u.id = w.author_id
        WHERE t.customer_id = %(customer_id)s AND w.id > %(after)s ORDER BY w.id LIMIT %(limit)s
        """,
    ),
    ExportedTable(
        "feedback",
        "what was said through the feedback form",
        """
        SELECT f.id AS _id, f.public_id AS id, u.email AS author, f.feature, f.rating, f.message, f.created_at
        FROM feedback_entries f LEFT JOIN users u ON u.id = f.user_id
        WHERE f.customer_id = %(customer_id)s AND f.id > %(after)s ORDER BY f.id LIMIT %(limit)s
        """,
    ),
    ExportedTable(
        "first_steps",
        "which of the first steps were taken, and what brought you here",
        """
        SELECT id AS _id, name, referrer, campaign, properties, occurred_at
        FROM analytics_events WHERE customer_id = %(customer_id)s AND id > %(after)s ORDER BY id LIMIT %(limit)s
        """,
    ),
    # A person who belongs to another company too gets mails about that one, which are no business of this one.
    ExportedTable(
        "mails",
        "what was mailed to your people in the last 30 days",
        """
        SELECT id AS _id, public_id AS id, created_at, to_address, subject, sent_at, failed_at
        FROM outbox_mails
        WHERE id > %(after)s AND to_address IN (
            SELECT u.email FROM customer_members m JOIN users u ON u.id = m.user_id
            WHERE m.customer_id = %(customer_id)s AND (u.id = %(requested_by)s OR NOT EXISTS (
                SELECT FROM customer_members o WHERE o.user_id = u.id AND o.customer_id <> %(customer_id)s)))
        ORDER BY id LIMIT %(limit)s
        """,
    ),
    ExportedTable(
        "exports",
        "exports that were asked for",
        """
        SELECT id AS _id, public_id AS id, status, size_bytes, created_at, ready_at, expires_at
        FROM data_exports WHERE customer_id = %(customer_id)s AND id > %(after)s ORDER BY id LIMIT %(limit)s
        """,
    ),
)


@dataclass(frozen=True, slots=True)
class StoredWorkbook:
    """A workbook that a customer uploaded, and where it lies."""

    id: int
    model_id: str
    filename: str
    blob: str


async def list_rows(
    tx: Transaction, table: ExportedTable, export: Export, after: int, after_at: datetime | None
) -> list[dict[str, Any]]:
    """Read one page of the rows that an export holds of a table."""
    return await tx.list_rows(
        table.rows,
        {
            "customer_id": export.customer_id,
            "requested_by": export.requested_by,
            "after": after,
            "after_at": after_at,
            "limit": table.page_rows,
        },
    )


async def find_company(tx: Transaction, customer_id: int) -> dict[str, Any]:
    """Return what is known of a customer, without what is sealed."""
    rows = await tx.list_rows(
        """
        SELECT public_id AS id, company_name, billing_email, use_case, stripe_customer_id, created_at, updated_at,
            suspended_at, suspended_reason
        FROM api_customers WHERE id = %(id)s
        """,
        {"id": customer_id},
    )
    return rows[0]


async def list_workbooks(tx: Transaction, customer_id: int, after: int, limit: int) -> list[StoredWorkbook]:
    """List the workbooks that are still stored, oldest first."""
    return await tx.list_all(
        StoredWorkbook,
        """
        SELECT id, public_id AS model_id, filename, workbook_blob AS blob FROM models
        WHERE customer_id = %(customer_id)s AND id > %(after)s AND workbook_deleted_at IS NULL
        ORDER BY id LIMIT %(limit)s
        """,
        {"customer_id": customer_id, "after": after, "limit": limit},
    )


async def insert_export(
    tx: Transaction, public_id: str, customer_id: int, requested_by: int | None, now: datetime
) -> Export:
    """Write down that an export is wanted."""
    return await tx.get_one(
        Export,
        f"""
        INSERT INTO data_exports (public_id, customer_id, requested_by, status, created_at)
        VALUES (%(public_id)s, %(customer_id)s, %(requested_by)s, 'queued', %(now)s) RETURNING {_EXPORT}
        """,
        {"public_id": public_id, "customer_id": customer_id, "requested_by": requested_by, "now": now},
    )


async def list_exports(tx: Transaction, customer_id: int, limit: int) -> list[Export]:
    """List a customer's exports, newest first."""
    return await tx.list_all(
        Export,
        f"SELECT {_EXPORT} FROM data_exports WHERE customer_id = %(id)s ORDER BY id DESC LIMIT %(limit)s",
        {"id": customer_id, "limit": limit},
    )


async def find_export(tx: Transaction, customer_id: int, public_id: str) -> Export | None:
    """Return one of a customer's exports."""
    return await tx.find_one(
        Export,
        f"SELECT {_EXPORT} FROM data_exports WHERE customer_id = %(customer_id)s AND public_id = %(id)s",
        {"customer_id": customer_id, "id": public_id},
    )


async def lock_queued(tx: Transaction, public_id: str) -> Export | None:
    """Return an export that is still to be made, held until the transaction ends; only for the job that makes it."""
    return await tx.find_one(
        Export,
        f"SELECT {_EXPORT} FROM data_exports WHERE public_id = %(id)s AND status = 'queued' FOR UPDATE",
        {"id": public_id},
    )


async def update_to_ready(
    tx: Transaction, export_id: int, blob_name: str, size_bytes: int, expires_at: datetime, now: datetime
) -> None:
    """Record that an export was made."""
    await tx.execute(
        """
        UPDATE data_exports SET status = 'ready', blob_name = %(blob)s, size_bytes = %(size)s, ready_at = %(now)s,
            expires_at = %(expires_at)s
        WHERE id = %(id)s
        """,
        {"id": export_id, "blob": blob_name, "size": size_bytes, "expires_at": expires_at, "now": now},
    )


async def update_to_failed(tx: Transaction, public_id: str) -> None:
    """Record that an export could not be made."""
    await tx.execute(
        "UPDATE data_exports SET status = 'failed' WHERE public_id = %(id)s AND status = 'queued'",
        {"id": public_id},
    )


async def update_stuck_to_failed(tx: Transaction, created_before: datetime) -> int:
    """Give up exports that nobody made; return how many."""
    return await tx.execute(
        "UPDATE data_exports SET status = 'failed' WHERE status = 'queued' AND created_at < %(time)s",
        {"time": created_before},
    )


async def expire_exports(tx: Transaction, now: datetime) -> int:
    """Let go of the files whose days are over; return how many."""
    return await tx.execute(
        """
        WITH over AS (
            SELECT id, blob_name FROM data_exports WHERE status = 'ready' AND expires_at <= %(now)s
        ), discarded AS (
            INSERT INTO discarded_blobs (name, discarded_at) SELECT blob_name, %(now)s FROM over
            ON CONFLICT DO NOTHING
        )
        UPDATE data_exports SET status = 'expired', blob_name = NULL WHERE id IN (SELECT id FROM over)
        """,
        {"now": now},
    )


async def discard_blob(tx: Transaction, name: str, now: datetime) -> None:
    """List a file to be deleted unless `keep_blob` takes it off again."""
    await tx.execute(
        "INSERT INTO discarded_blobs (name, discarded_at) VALUES (%(name)s, %(now)s) ON CONFLICT DO NOTHING",
        {"name": name, "now": now},
    )


async def keep_blob(tx: Transaction, name: str) -> None:
    """Take a file off the list of those to be deleted."""
    await tx.execute("DELETE FROM discarded_blobs WHERE name = %(name)s", {"name": name})
