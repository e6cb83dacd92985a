"""SQL that the owner's rules measure with: over usage of all customers, and over what else may go wrong.

Each question is bounded: it looks at hours or days that were added up, or at the log of the last minutes.
"""

from datetime import date, datetime, timedelta
from typing import Any

from tollway.alerts.rules import HISTORY_DAYS
from tollway.kit.db import Transaction

# A key that is used from more is everywhere; nothing further is learned of it.
NETWORKS_KEPT_MAX = 200
ROWS_MAX = 1_000

# Usage of keys and customers -------------------------------------------------------------------------


async def list_busy_keys(tx: Transaction, hour: datetime, calls_min: int) -> list[dict[str, Any]]:
    """List keys with many calls in an hour, beside what they made in the same hour of earlier days.

    Each row: key_id, customer_id, calls, and of the earlier days: days, total, squares.
    """
    return await tx.list_rows(
        """
        WITH busy AS (
            SELECT api_key_id, customer_id, sum(succeeded + limited + refused + failed)::bigint AS calls
            FROM usage_hours WHERE hour = %(hour)s AND api_key_id <> 0
            GROUP BY api_key_id, customer_id HAVING sum(succeeded + limited + refused + failed) >= %(calls)s
        )
        SELECT k.key_id, busy.customer_id, busy.calls,
            least(%(days)s, floor(extract(epoch FROM %(hour)s - k.created_at) / 86400))::int AS days,
            COALESCE(sum(earlier.calls), 0)::bigint AS total,
            COALESCE(sum(earlier.calls * earlier.calls), 0)::numeric AS squares
        FROM busy JOIN api_keys k ON k.id = busy.api_key_id
        LEFT JOIN LATERAL (
            SELECT sum(succeeded + limited + refused + failed) AS calls FROM usage_hours u
            WHERE u.customer_id = busy.customer_id AND u.mode = k.mode AND u.api_key_id = busy.api_key_id
                AND u.hour = ANY(%(earlier)s::timestamptz[])
            GROUP BY u.hour
        ) AS earlier ON true
        GROUP BY k.id, busy.customer_id, busy.calls ORDER BY busy.calls DESC LIMIT %(limit)s
        """,
        {
            "hour": hour,
            "earlier": [hour - timedelta(days=day) for day in range(1, HISTORY_DAYS + 1)],
            "days": HISTORY_DAYS,
            "calls": calls_min,
            "limit": ROWS_MAX,
        },
    )


async def list_error_shares(
    tx: Transaction, since_hour: datetime, today: date, calls_min: int
) -> list[dict[str, Any]]:
    """List customers with enough calls since an hour, beside their last days.

    Each row: customer_id, public_id, calls, errors, usual_calls, usual_errors.
    """
    return await tx.list_rows(
        """
        WITH lately AS (
            SELECT customer_id, sum(succeeded + limited + refused + failed)::bigint AS calls,
                sum(refused + failed)::bigint AS errors
            FROM usage_hours WHERE hour >= %(since)s
            GROUP BY customer_id HAVING sum(succeeded + limited + refused + failed) >= %(calls)s
        )
        SELECT lately.customer_id, c.public_id, lately.calls, lately.errors,
            COALESCE(sum(d.succeeded + d.limited + d.refused + d.failed), 0)::bigint AS usual_calls,
            COALESCE(sum(d.refused + d.failed), 0)::bigint AS usual_errors
        FROM lately JOIN api_customers c ON c.id = lately.customer_id
        LEFT JOIN usage_days d ON d.customer_id = lately.customer_id
            AND d.day >= %(from_day)s AND d.day < %(today)s
        WHERE lately.errors > 0
        GROUP BY lately.customer_id, c.public_id, lately.calls, lately.errors
        ORDER BY lately.errors DESC LIMIT %(limit)s
        """,
        {
            "since": since_hour,
            "calls": calls_min,
            "from_day": today - timedelta(days=HISTORY_DAYS),
            "today": today,
            "limit": ROWS_MAX,
        },
    )


async def list_fair_use(tx: Transaction, percent: int, now: datetime) -> list[dict[str, Any]]:
    """List customers who used so much of what their unlimited plan calls fair, in periods under way.

    Each row: customer_id, public_id, product, requests_used, fair_use_requests, period_end.
    """
    return await tx.list_rows(
        """
        SELECT s.customer_id, c.public_id, s.product, max(q.requests_used) AS requests_used,
            (v.content ->> 'fair_use_requests')::bigint AS fair_use_requests, max(q.period_end) AS period_end
        FROM usage_quotas q
            JOIN api_subscriptions s ON s.id = q.subscription_id
            JOIN plan_versions v ON v.id = s.plan_version_id
            JOIN api_customers c ON c.id = s.customer_id
        WHERE q.period_start <= %(now)s AND q.period_end > %(now)s AND q.requests_included IS NULL
            AND s.status <> 'cancelled'
            AND q.requests_used * 100::bigint >= (v.content ->> 'fair_use_requests')::bigint * %(percent)s
        GROUP BY s.id, c.public_id, v.id ORDER BY s.id LIMIT %(limit)s
        """,
        {"now": now, "percent": percent, "limit": ROWS_MAX},
    )


# Networks --------------------------------------------------------------------------------------------


async def learn_networks(tx: Transaction, since: datetime) -> None:
    """Remember from which networks keys were used since an instant, as far as that is not known."""
    await tx.execute(
        """
        INSERT INTO key_networks (api_key_id, network, first_seen_at, last_seen_at)
        SELECT seen.api_key_id, seen.network, seen.first_at, seen.last_at
        FROM (
            SELECT api_key_id,
                network(set_masklen(ip_address, CASE family(ip_address) WHEN 4 THEN 24 ELSE 48 END)) AS network,
                min(request_timestamp) AS first_at, max(request_timestamp) AS last_at
            FROM api_usage_logs
            WHERE request_timestamp >= %(since)s AND api_key_id IS NOT NULL AND ip_address IS NOT NULL
            GROUP BY 1, 2
        ) AS seen
        JOIN api_keys k ON k.id = seen.api_key_id
        JOIN api_customers c ON c.id = k.customer_id AND c.erased_at IS NULL
        WHERE EXISTS (SELECT FROM key_networks n WHERE n.api_key_id = k.id AND n.network = seen.network)
            OR (SELECT count(*) FROM key_networks n WHERE n.api_key_id = k.id) < %(most)s
        ORDER BY seen.api_key_id, seen.network
        ON CONFLICT (api_key_id, network) DO UPDATE SET last_seen_at = EXCLUDED.last_seen_at
            -- Once an hour is enough to know that it is in use.
            WHERE key_networks.last_seen_at < EXCLUDED.last_seen_at - interval '1 hour'
        """,
        {"since": since, "most": NETWORKS_KEPT_MAX},
    )


async def list_new_networks(
    tx: Transaction, since: datetime, known_before: datetime, networks_max: int
) -> list[dict[str, Any]]:
    """List keys with a network that was first seen since an instant, although the key had its few for long.

    Each row: key_id, customer_id, networks (the new ones), known (how many there were before).
    """
    return await tx.list_rows(
        """
        SELECT k.key_id, k.customer_id, fresh.networks, known.count AS known
        FROM (
            SELECT api_key_id, array_agg(network::text ORDER BY first_seen_at DESC) AS networks
            FROM key_networks WHERE first_seen_at >= %(since)s GROUP BY api_key_id
        ) AS fresh
        JOIN LATERAL (
            SELECT count(*) AS count, min(first_seen_at) AS first_at FROM key_networks
            WHERE api_key_id = fresh.api_key_id AND first_seen_at < %(since)s
        ) AS known ON known.first_at <= %(known_before)s AND known.count <= %(networks_max)s
        JOIN api_keys k ON k.id = fresh.api_key_id
        ORDER BY k.id LIMIT %(limit)s
        """,
        {
            "since": since,
            "known_before": known_before,
            "networks_max": networks_max,
            "limit": ROWS_MAX,
        },
    )


async def delete_networks(tx: Transaction, last_seen_before: datetime) -> int:
    """Forget networks that a key was not used from for long."""
    return await tx.execute(
        "DELETE FROM key_networks WHERE last_seen_at < %(before)s", {"before": last_seen_before}
    )


# The installation ------------------------------------------------------------------------------------


async def take_sample(tx: Transaction, now: datetime) -> None:
    """Remember how far the counters of usage have come."""
    await tx.execute(
        """
        INSERT INTO usage_samples (taken_at, calls, failed, latencies, damaged)
        SELECT %(now)s, COALESCE(sum(calls), 0), COALESCE(sum(calls) FILTER (WHERE status_code >= 500), 0),
            COALESCE((
                SELECT array_agg(counted ORDER BY position) FROM (
                    SELECT position, sum(count)::bigint AS counted
                    FROM usage_totals, unnest(latencies) WITH ORDINALITY AS bucket (count, position)
                    GROUP BY position
                ) AS buckets), '{}'),
            (SELECT COALESCE(sum(records_damaged), 0) FROM usage_sources)
        FROM usage_totals ON CONFLICT DO NOTHING
        """,
        {"now": now},
    )


async def find_last_sample_at(tx: Transaction) -> datetime | None:
    """Return when counters were last remembered."""
    found: datetime | None = await tx.find_value("SELECT max(taken_at) FROM usage_samples")
    return found


async def has_sample(tx: Transaction, earliest: datetime, latest: datetime) -> bool:
    """Say whether counters were remembered between two instants: whether anybody followed the rules then."""
    found = await tx.find_value(
        "SELECT EXISTS (SELECT FROM usage_samples WHERE taken_at >= %(earliest)s AND taken_at <= %(latest)s)",
        {"earliest": earliest, "latest": latest},
    )
    return bool(found)


async def find_difference(tx: Transaction, earliest: datetime, latest: datetime) -> dict[str, Any] | None:
    """Return what the newest sample has beyond the newest one between two instants: calls, failed, latencies."""
    found = await tx.list_rows(
        """
        SELECT present.calls - former.calls AS calls, present.failed - former.failed AS failed,
            (SELECT array_agg(a - COALESCE(b, 0) ORDER BY position)
             FROM unnest(present.latencies, former.latencies) WITH ORDINALITY AS pair (a, b, position)) AS latencies
        FROM (SELECT * FROM usage_samples ORDER BY taken_at DESC LIMIT 1) AS present,
            (SELECT * FROM usage_samples WHERE taken_at >= %(earliest)s AND taken_at <= %(latest)s
             ORDER BY taken_at DESC LIMIT 1) AS former
        """,
        {"earliest": earliest, "latest": latest},
    )
    return found[0] if found else None


async def count_damaged(tx: Transaction, since: datetime) -> int:
    """Count the records of journals that were found damaged between the first sample since an instant and the last."""
    found = await tx.find_value(
        "SELECT max(damaged) - min(damaged) FROM usage_samples WHERE taken_at >= %(since)s", {"since": since}
    )
    return int(found or 0)


async def delete_samples(tx: Transaction, taken_before: datetime) -> int:
    """Delete samples that nothing is subtracted from any more."""
    return await tx.execute("DELETE FROM usage_samples WHERE taken_at < %(before)s", {"before": taken_before})


async def count_failing_mails(
    tx: Transaction, since: datetime, given_up_since: datetime, *, left_out: str
) -> int:
    """Count mails that were given up lately, or were tried twice and wait, but for those of one template."""
    found = await tx.find_value(
        """
        SELECT count(*) FROM outbox_mails
        WHERE sent_at IS NULL AND created_at >= %(since)s AND template <> %(template)s
            AND (failed_at >= %(given_up)s OR failed_at IS NULL AND attempt_count >= 2)
        """,
        {"since": since, "given_up": given_up_since, "template": left_out},
    )
    return int(found)


async def count_failed_deliveries(tx: Transaction, since: datetime) -> int:
    """Count deliveries to customers' servers that were given up since an instant, tests left out."""
    found = await tx.find_value(
        """
        SELECT count(*) FROM webhook_deliveries
        WHERE created_at >= %(since)s - interval '1 day' AND last_attempt_at >= %(since)s AND status = 'failed'
            AND event_type <> 'webhook.test'
        """,
        {"since": since},
    )
    return int(found)
