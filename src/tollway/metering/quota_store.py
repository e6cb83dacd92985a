"""SQL over usage_quotas, usage_quota_days and usage_leases.

Whoever changes several rows takes them in one order: quotas by id, then days, then leases.
"""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import date, datetime

from tollway.customers.entities import Mode
from tollway.kit.db import Transaction
from tollway.metering.entities import Quota, QuotaTerms, Standing, UnitLease


async def open_quota(
    tx: Transaction,
    subscription_id: int,
    mode: Mode,
    period: tuple[datetime, datetime],
    terms: QuotaTerms,
    now: datetime,
) -> Quota:
    """Return the quota of a period, making its row on first use."""
    parameters = asdict(terms) | {
        "subscription_id": subscription_id,
        "mode": mode.value,
        "start": period[0],
        "end": period[1],
        "now": now,
    }
    found = await tx.find_one(
        Quota,
        """
        SELECT id, subscription_id, mode, period_start, period_end, requests_included, requests_used,
            requests_leased, requests_max, terms_at
        FROM usage_quotas
        WHERE subscription_id = %(subscription_id)s AND mode = %(mode)s AND period_start = %(start)s
        """,
        parameters,
    )
    if found is not None:
        return found
    return await tx.get_one(
        Quota,
        """
        INSERT INTO usage_quotas (subscription_id, mode, period_start, period_end, requests_included,
            requests_max, overage_rate, terms_at, created_at)
        VALUES (%(subscription_id)s, %(mode)s, %(start)s, %(end)s, %(requests_included)s, %(requests_max)s,
            %(overage_rate)s, %(now)s, %(now)s)
        ON CONFLICT (subscription_id, mode, period_start) DO UPDATE SET period_end = EXCLUDED.period_end
        RETURNING id, subscription_id, mode, period_start, period_end, requests_included, requests_used,
            requests_leased, requests_max, terms_at
        """,
        parameters,
    )


async def update_terms(tx: Transaction, quota_id: int, terms: QuotaTerms, terms_at: datetime) -> None:
    """Change what a period gives."""
    await tx.execute(
        """
        UPDATE usage_quotas SET requests_included = %(requests_included)s, requests_max = %(requests_max)s,
            overage_rate = %(overage_rate)s, terms_at = %(terms_at)s
        WHERE id = %(id)s
        """,
        asdict(terms) | {"id": quota_id, "terms_at": terms_at},
    )


# Counted at once -----------------------------------------------------------------------------------


async def use_units(tx: Transaction, quota_id: int, units: int) -> int | None:
    """Add to what a period used unless that would pass its bound; return what is used then, or None.

    INVARIANT: one statement reads and writes, so two calls cannot both take the last unit
    (tests/admission/test_operations.py::test_parallel_calls_never_pass_the_quota).
    """
    found: int | None = await tx.find_value(
        """
        UPDATE usage_quotas SET requests_used = requests_used + %(units)s
        WHERE id = %(id)s AND (requests_max IS NULL OR requests_used + requests_leased + %(units)s <= requests_max)
        RETURNING requests_used
        """,
        {"id": quota_id, "units": units},
    )
    return found


async def use_units_of_day(
    tx: Transaction, subscription_id: int, mode: Mode, day: date, units: int, day_max: int | None
) -> bool:
    """Add to what a day used unless that would pass its bound; return whether it was added.

    INVARIANT: one statement reads and writes, as for the month
    (tests/admission/test_operations.py::test_parallel_calls_never_pass_the_burst_of_a_day).
    """
    touched = await tx.execute(
        """
        INSERT INTO usage_quota_days AS d (subscription_id, mode, day, requests_used)
        SELECT %(subscription_id)s, %(mode)s, %(day)s, %(units)s
        WHERE %(day_max)s::integer IS NULL OR %(units)s <= %(day_max)s::integer
        ON CONFLICT (subscription_id, mode, day) DO UPDATE SET requests_used = d.requests_used + %(units)s
        WHERE %(day_max)s::integer IS NULL OR d.requests_used + d.requests_leased + %(units)s <= %(day_max)s::integer
        """,
        {
            "subscription_id": subscription_id,
            "mode": mode.value,
            "day": day,
            "units": units,
            "day_max": day_max,
        },
    )
    return touched == 1


async def release_units(tx: Transaction, quota_id: int, units: int) -> None:
    """Take back units that a period counted."""
    await tx.execute(
        "UPDATE usage_quotas SET requests_used = requests_used - %(units)s WHERE id = %(id)s",
        {"id": quota_id, "units": units},
    )


async def release_units_of_day(tx: Transaction, quota_id: int, day: date, units: int) -> None:
    """Take back units that a day counted; a day from before days were counted has none to give."""
    await tx.execute(
        """
        UPDATE usage_quota_days d SET requests_used = GREATEST(0, d.requests_used - %(units)s)
        FROM usage_quotas q
        WHERE q.id = %(id)s AND d.subscription_id = q.subscription_id AND d.mode = q.mode AND d.day = %(day)s
        """,
        {"id": quota_id, "day": day, "units": units},
    )


async def get_standing(tx: Transaction, quota_id: int, *, lock: bool = False) -> Standing:
    """Return what of a period is taken."""
    return await tx.get_one(
        Standing,
        """
        SELECT requests_used AS used, requests_leased AS leased, requests_max AS units_max
        FROM usage_quotas WHERE id = %(id)s FOR NO KEY UPDATE
        """
        if lock
        else """
        SELECT requests_used AS used, requests_leased AS leased, requests_max AS units_max
        FROM usage_quotas WHERE id = %(id)s
        """,
        {"id": quota_id},
    )


async def get_standing_of_day(tx: Transaction, quota_id: int, day: date, day_max: int | None) -> Standing:
    """Return what of a day is taken, making its row on first use, and lock it."""
    return await tx.get_one(
        Standing,
        """
        INSERT INTO usage_quota_days AS d (subscription_id, mode, day)
        SELECT subscription_id, mode, %(day)s FROM usage_quotas WHERE id = %(id)s
        ON CONFLICT (subscription_id, mode, day) DO UPDATE SET requests_used = d.requests_used
        RETURNING d.requests_used AS used, d.requests_leased AS leased, %(day_max)s::integer AS units_max
        """,
        {"id": quota_id, "day": day, "day_max": day_max},
    )


async def sum_live_units(tx: Transaction, subscription_id: int, since: datetime, until: datetime) -> int:
    """Add up what live mode used in the periods of a subscription that began from `since` to before `until`."""
    found = await tx.find_value(
        """
        SELECT COALESCE(sum(requests_used), 0)::bigint FROM usage_quotas
        WHERE subscription_id = %(subscription_id)s AND mode = 'live'
            AND period_start >= %(since)s AND period_start < %(until)s
        """,
        {"subscription_id": subscription_id, "since": since, "until": until},
    )
    return int(found)


# Leased --------------------------------------------------------------------------------------------


async def insert_lease(
    tx: Transaction, source_id: int, quota_id: int, day: date, units: int, now: datetime
) -> int:
    """Take units from a period and a day, whose rows the caller holds, and return the lease's id."""
    found = await tx.find_value(
        """
        WITH month AS (
            UPDATE usage_quotas SET requests_leased = requests_leased + %(units)s WHERE id = %(quota_id)s
            RETURNING subscription_id, mode
        ), of_day AS (
            UPDATE usage_quota_days d SET requests_leased = d.requests_leased + %(units)s
            FROM month WHERE d.subscription_id = month.subscription_id AND d.mode = month.mode AND d.day = %(day)s
        )
        INSERT INTO usage_leases (source_id, quota_id, day, units_granted, granted_at)
        VALUES (%(source_id)s, %(quota_id)s, %(day)s, %(units)s, %(now)s)
        RETURNING id
        """,
        {"source_id": source_id, "quota_id": quota_id, "day": day, "units": units, "now": now},
    )
    return int(found)


async def lock_leases(tx: Transaction, lease_ids: list[int]) -> list[UnitLease]:
    """Lock leases with the quotas and days that they came from, in the one order; return those there are."""
    await tx.execute(
        """
        SELECT 1 FROM usage_quotas
        WHERE id IN (SELECT quota_id FROM usage_leases WHERE id = ANY(%(ids)s))
        ORDER BY id FOR NO KEY UPDATE
        """,
        {"ids": lease_ids},
    )
    await tx.execute(
        """
        SELECT 1 FROM usage_quota_days
        WHERE (subscription_id, mode, day) IN (
            SELECT q.subscription_id, q.mode, l.day
            FROM usage_leases l JOIN usage_quotas q ON q.id = l.quota_id WHERE l.id = ANY(%(ids)s)
        )
        ORDER BY subscription_id, mode, day FOR NO KEY UPDATE
        """,
        {"ids": lease_ids},
    )
    return await tx.list_all(
        UnitLease,
        """
        SELECT id, source_id, quota_id, day, units_granted, units_granted - units_settled AS units_left
        FROM usage_leases WHERE id = ANY(%(ids)s) ORDER BY id FOR UPDATE
        """,
        {"ids": lease_ids},
    )


async def list_leases_of_source(tx: Transaction, source_id: int) -> list[int]:
    """List the leases that a process holds."""
    rows = await tx.list_rows("SELECT id FROM usage_leases WHERE source_id = %(id)s", {"id": source_id})
    return [row["id"] for row in rows]


async def settle_leases(tx: Transaction, units_by_lease: Mapping[int, int]) -> None:
    """Move units from leased to used, in lease, period and day; the caller holds their rows.

    A lease that is spent whole is over.
    """
    parameters = {"ids": list(units_by_lease), "units": list(units_by_lease.values())}
    await tx.execute(
        """
        WITH settled AS (
            UPDATE usage_leases l SET units_settled = l.units_settled + s.units
            FROM unnest(%(ids)s::bigint[], %(units)s::integer[]) AS s (id, units) WHERE l.id = s.id
            RETURNING l.quota_id, l.day, s.units
        ), months AS (
            UPDATE usage_quotas q
            SET requests_used = q.requests_used + s.units, requests_leased = q.requests_leased - s.units
            FROM (SELECT quota_id, sum(units)::integer AS units FROM settled GROUP BY quota_id) AS s
            WHERE q.id = s.quota_id
        )
        UPDATE usage_quota_days d
        SET requests_used = d.requests_used + s.units, requests_leased = d.requests_leased - s.units
        FROM (
            SELECT q.subscription_id, q.mode, settled.day, sum(settled.units)::integer AS units
            FROM settled JOIN usage_quotas q ON q.id = settled.quota_id
            GROUP BY q.subscription_id, q.mode, settled.day
        ) AS s
        WHERE d.subscription_id = s.subscription_id AND d.mode = s.mode AND d.day = s.day
        """,
        parameters,
    )
    await tx.execute(
        "DELETE FROM usage_leases WHERE id = ANY(%(ids)s) AND units_settled = units_granted", parameters
    )


async def delete_leases(tx: Transaction, lease_ids: list[int]) -> None:
    """Give what is left of leases back to period and day, whose rows the caller holds, and end them."""
    await tx.execute(
        """
        WITH ended AS (
            DELETE FROM usage_leases WHERE id = ANY(%(ids)s)
            RETURNING quota_id, day, units_granted - units_settled AS units
        ), months AS (
            UPDATE usage_quotas q SET requests_leased = q.requests_leased - e.units
            FROM (SELECT quota_id, sum(units)::integer AS units FROM ended GROUP BY quota_id) AS e
            WHERE q.id = e.quota_id
        )
        UPDATE usage_quota_days d SET requests_leased = d.requests_leased - e.units
        FROM (
            SELECT q.subscription_id, q.mode, ended.day, sum(ended.units)::integer AS units
            FROM ended JOIN usage_quotas q ON q.id = ended.quota_id
            GROUP BY q.subscription_id, q.mode, ended.day
        ) AS e
        WHERE d.subscription_id = e.subscription_id AND d.mode = e.mode AND d.day = e.day
        """,
        {"ids": lease_ids},
    )
