"""A period of what a customer holds, with what was used in it and what it comes to."""

from dataclasses import dataclass
from datetime import UTC, date, datetime

from tollway.customers.entities import Mode
from tollway.kit.db import Transaction
from tollway.kit.problems import NotFound
from tollway.metering import report_operations as reports
from tollway.metering.report_operations import Breakdown, Period, Projection
from tollway.plans.entities import Entitlement
from tollway.plans.entitlement_operations import get_entitlement, get_quota


@dataclass(frozen=True, slots=True)
class PeriodUsage:
    """One period of a product in one mode; `periods` are all that can be asked for, newest first."""

    entitlement: Entitlement
    period: Period
    periods: list[Period]
    # Only of the period under way, and only once a day tells about it.
    projection: Projection | None
    breakdown: Breakdown


async def get_usage(
    tx: Transaction, customer_id: int, product: str, mode: Mode, first_day: date | None, now: datetime
) -> PeriodUsage:
    """Return the usage of the period that began on `first_day` (UTC), or of the one under way.

    Its days are whole days in UTC, so that the first and the last may hold a part of the period beside it.
    Raises: NotFound where the product was never held, or no period began on that day. Writes: usage_quotas, for
    a period under way in which nothing was counted yet.
    """
    entitlement = await get_entitlement(tx, customer_id, product, now)
    quota = await get_quota(tx, entitlement, mode, now)
    periods = await reports.list_periods(tx, entitlement.subscription.id, mode)
    wanted = quota.period_start.astimezone(UTC).date() if first_day is None else first_day
    period = next((one for one in periods if one.first_day == wanted), None)
    if period is None:
        raise NotFound(f"No period of {product!r} began on {wanted}. Choose one of those that did.")
    last_day = min(period.last_day, now.astimezone(UTC).date()) if period.holds(now) else period.last_day
    return PeriodUsage(
        entitlement=entitlement,
        period=period,
        periods=periods,
        projection=await reports.find_projection(
            tx, customer_id, product, period, entitlement.subscription.created_at, now
        ),
        breakdown=await reports.get_breakdown(tx, customer_id, mode, product, period.first_day, last_day),
    )
