"""Count units against quotas: at once, with an effect, or by leases that processes spend without asking.

Both take from one ledger, so what is used and what is leased never pass a bound together.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta

from tollway.customers.entities import Mode
from tollway.kit.db import Transaction
from tollway.kit.log import log
from tollway.kit.money import format_whole, minor_units
from tollway.kit.problems import TooMany
from tollway.metering import quota_store, usage_operations
from tollway.metering.entities import (
    DailyLimitReached,
    Quota,
    QuotaTerms,
    QuotaUsedUp,
    SpendingCapReached,
    Standing,
    UnitLease,
    UsageEvent,
    day_of,
)

# Near its end a quota is leased in small parts, so that what one process holds keeps little from the others.
LEASE_PART_OF_REST = 8
# What processes hold and do not spend comes back within about this time.
LEASE_RETURN_SECONDS = 3


async def get_quota(
    tx: Transaction,
    subscription_id: int,
    mode: Mode,
    period: tuple[datetime, datetime],
    terms: QuotaTerms,
    now: datetime,
) -> Quota:
    """Return the quota of a period, opening it with `terms` on first use. Writes: usage_quotas."""
    return await quota_store.open_quota(tx, subscription_id, mode, period, terms, now)


async def change_terms(tx: Transaction, quota_id: int, terms: QuotaTerms, now: datetime) -> None:
    """Change what the period under way gives to what holds at `now`; what was used and what is leased stay."""
    await quota_store.update_terms(tx, quota_id, terms, now)


# With an effect ------------------------------------------------------------------------------------


async def use_units(
    tx: Transaction,
    quota: Quota,
    units: int,
    *,
    now: datetime,
    way_out: str = "a larger plan lifts the limit now",
) -> int:
    """Count units against a month and a day (UTC) at once, and return what the month used then.

    Where they do not fit, nothing is counted, and the Problem tells the way out.
    Raises: QuotaUsedUp, SpendingCapReached, DailyLimitReached. Writes: usage_quotas, usage_quota_days.
    """
    used = await quota_store.use_units(tx, quota.id, units)
    if used is None:
        standing = await quota_store.get_standing(tx, quota.id)
        raise refusal_of_period(quota, standing, units, now, way_out)
    day, day_max = day_of(now), quota.requests_per_day_max
    if await quota_store.use_units_of_day(tx, quota.subscription_id, quota.mode, day, units, day_max):
        return used
    # Whoever goes on in this transaction has used nothing of the month.
    await quota_store.release_units(tx, quota.id, units)
    assert day_max is not None, "a day without a bound refuses nothing"
    raise refusal_of_day(await quota_store.get_standing_of_day(tx, quota.id, day, day_max), units, now)


async def give_back(
    tx: Transaction, quota_id: int, event: UsageEvent, *, counted_at: datetime | None = None
) -> None:
    """Undo the counting of a call whose work failed by our fault: month and day fall, the log gains a row.

    Whoever calls this makes sure, in the same transaction, that it happens once. `event.units` is negative.

    Args:
        counted_at: when the units were counted, which says of which day they are; None: at the time of the event.
    """
    assert event.units < 0, "what is given back is a row of negative units"
    await quota_store.release_units(tx, quota_id, -event.units)
    day = day_of(counted_at or event.request_timestamp)
    await quota_store.release_units_of_day(tx, quota_id, day, -event.units)
    await usage_operations.record_usage(tx, event)


async def billable_units(tx: Transaction, subscription_id: int, period: tuple[datetime, datetime]) -> int:
    """Return how many requests of a subscription a bill counts, in the quota periods that began within `period`.

    INVARIANT: test mode never reaches it (tests/keys/test_billable_units.py::test_no_test_call_is_ever_billed).
    """
    return await quota_store.sum_live_units(tx, subscription_id, *period)


# By leases -----------------------------------------------------------------------------------------


async def lease_units(
    tx: Transaction,
    source_id: int,
    quota_id: int,
    wanted: int,
    *,
    needed: int = 1,
    waiting: int = 1,
    day: date,
    day_max: int | None,
    now: datetime,
) -> UnitLease | None:
    """Take units from a month and a day in advance, for a process to spend; None where too little is left.

    Near the end it is an eighth of the rest, and one unit at last, but for calls that are there already.

    Args:
        wanted: units, at most.
        needed: what the call that asks counts; less than that is of no use.
        waiting: what all calls count that wait for this lease.

    Writes: usage_quotas, usage_quota_days, usage_leases.
    """
    assert 1 <= needed <= wanted, (needed, wanted)
    month = await quota_store.get_standing(tx, quota_id, lock=True)
    of_day = await quota_store.get_standing_of_day(tx, quota_id, day, day_max)
    left = min((one.left for one in (month, of_day) if one.left is not None), default=None)
    units = wanted
    if left is not None:
        units = min(wanted, left, max(needed, waiting, left // LEASE_PART_OF_REST))
    if units < needed:
        return None
    lease_id = await quota_store.insert_lease(tx, source_id, quota_id, day, units, now)
    return UnitLease(lease_id, source_id, quota_id, day, units, None if left is None else left - units)


async def settle_leases(
    tx: Transaction, units_by_lease: Mapping[int, int], ended: Sequence[int] = ()
) -> None:
    """Turn leased units into used ones, when the records of their calls arrive; never more than were granted.

    More than that, or units of a lease that is over, would be a fault of ours: it is logged and not counted.
    What is left of the leases that `ended` then comes back; all rows are locked at once, so that two who settle wait
    for each other in one order. Writes: usage_leases, usage_quotas, usage_quota_days.
    """
    wanted = {lease_id: units for lease_id, units in units_by_lease.items() if units}
    if not wanted and not ended:
        return
    held = await quota_store.lock_leases(tx, [*wanted, *ended])
    leases = {lease.id: lease for lease in held if lease.id in wanted}
    fitting = {lease_id: min(wanted[lease_id], leases[lease_id].units_left or 0) for lease_id in leases}
    excess = sum(wanted.values()) - sum(fitting.values())
    if excess:
        log.error("units were spent that no lease had granted", units=excess, leases=sorted(wanted))
    await quota_store.settle_leases(tx, {lease_id: units for lease_id, units in fitting.items() if units})
    if ended:
        await quota_store.delete_leases(tx, list(ended))


async def end_lease(tx: Transaction, lease_id: int) -> None:
    """Give back what is left of a lease; one that is over already stays so.

    Call it only when every record that spent from it has arrived. Writes: as `settle_leases`.
    """
    await _end(tx, [lease_id])


async def end_leases_of_source(tx: Transaction, source_id: int) -> int:
    """Give back what is left of every lease of a process, and return how many units that were.

    Call it only when the process is dead and its journal has arrived whole. Writes: as `settle_leases`.
    """
    return await _end(tx, await quota_store.list_leases_of_source(tx, source_id))


async def list_leases_of_source(tx: Transaction, source_id: int) -> list[int]:
    """List the leases that a process holds, by their ids."""
    return await quota_store.list_leases_of_source(tx, source_id)


async def _end(tx: Transaction, lease_ids: list[int]) -> int:
    if not lease_ids:
        return 0
    held = await quota_store.lock_leases(tx, lease_ids)
    await quota_store.delete_leases(tx, [lease.id for lease in held])
    return sum(lease.units_left or 0 for lease in held)


# Refusals ------------------------------------------------------------------------------------------


async def find_refusal(
    tx: Transaction, quota: Quota, units: int, *, now: datetime, way_out: str
) -> TooMany | None:
    """Return why units do not fit in a quota now, or None where they do."""
    standing = await quota_store.get_standing(tx, quota.id)
    if not standing.admits(units):
        return refusal_of_period(quota, standing, units, now, way_out)
    day_max = quota.requests_per_day_max
    of_day = await quota_store.get_standing_of_day(tx, quota.id, day_of(now), day_max)
    return None if of_day.admits(units) else refusal_of_day(of_day, units, now)


def refusal_of_period(
    quota: Quota, standing: Standing, units: int, now: datetime, way_out: str
) -> QuotaUsedUp | SpendingCapReached:
    """Say that units do not fit in a period: which bound it is, when it frees, and the way out."""
    bound = standing.units_max
    assert bound is not None, "a period without a bound refuses nothing"
    members = {
        "limit": "requests_per_period",
        "limit_value": bound,
        "used": standing.used,
        "resets_at": quota.period_end.isoformat(),
        "window_seconds": int((quota.period_end - quota.period_start).total_seconds()),
    }
    next_period = f"The next period begins at {quota.period_end:%Y-%m-%d %H:%M} UTC"
    wait = max(1, int((quota.period_end - now).total_seconds()))
    kind: type[QuotaUsedUp | SpendingCapReached] = QuotaUsedUp
    text = f"All {bound:,} requests of this period are used. {next_period}; {way_out}."
    if quota.spending_cap is not None:
        kind = SpendingCapReached
        cap = format_whole(minor_units(quota.spending_cap, quota.currency), quota.currency)
        members |= {"limit": "spending_cap", "spending_cap": str(quota.spending_cap)}
        text = (
            f"Your spending cap of {cap} above the plan is reached: it stops at {bound:,} requests a period. "
            f"{next_period}; a higher cap lifts the limit now."
        )
    if units <= bound - standing.used:
        text = _held_text(text, standing)
        wait = min(wait, LEASE_RETURN_SECONDS)
    return kind(text, retry_after_seconds=wait, members=members)


def refusal_of_day(standing: Standing, units: int, now: datetime) -> DailyLimitReached:
    """Say that units do not fit in a day, and when it is over (B47, X11)."""
    bound = standing.units_max
    assert bound is not None, "a day without a bound refuses nothing"
    tomorrow = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    wait = max(1, int((tomorrow - now).total_seconds()))
    text = (
        f"All {bound:,} requests of today are used: your plan spreads its month with bursts of twice the daily "
        f"average. The limit frees at {tomorrow:%Y-%m-%d %H:%M} UTC."
    )
    if units <= bound - standing.used:
        text = _held_text(text, standing)
        wait = min(wait, LEASE_RETURN_SECONDS)
    members = {
        "limit": "requests_per_day",
        "limit_value": bound,
        "used": standing.used,
        "resets_at": tomorrow.isoformat(),
        "window_seconds": 86_400,
    }
    return DailyLimitReached(text, retry_after_seconds=wait, members=members)


def _held_text(text: str, standing: Standing) -> str:
    """Add that what is left is held for calls under way: a short wait may be all that is needed."""
    if not standing.leased:
        return text
    return (
        f"{text} Of these, {standing.leased:,} are held for calls under way; what those do not need comes back "
        "within seconds."
    )
