"""Securities that pay at maturity only, and interest since the issue of those that pay before.

Parts of years are those of YEARFRAC. Source of each function: Microsoft's page of it.
"""

from __future__ import annotations

from tollway.engine.functions.date_and_time.day_counts import basis_of, days_by, year_fraction
from tollway.engine.functions.date_and_time.serial_days import day_1900
from tollway.engine.functions.financial.coupons import frequency_of, months_later, normal_days
from tollway.engine.functions.registry import Context, FailedError, function
from tollway.engine.values import ErrorValue

_TAKES = "single single single single [single]"


def _years(context: Context, settlement: float, maturity: float, basis: float, *amounts: float) -> float:
    """The years to maturity; #NUM! unless they and every amount are above 0."""
    start, end = day_1900(context, settlement), day_1900(context, maturity)
    chosen = basis_of(basis)
    if start >= end or min(amounts) <= 0.0:
        raise FailedError(ErrorValue.NUM)
    return year_fraction(chosen, start, end)


@function("DISC", _TAKES, wants_context=True)
def discount_rate(
    context: Context, settlement: float, maturity: float, price: float, redemption: float, basis: float = 0.0
) -> float:
    """The discount rate of a security, of its redemption value.

    `price` and `redemption` are for 100 of face value; `basis` is YEARFRAC's.
    Errors: #NUM! for a price or redemption not above 0, for another basis, and for a maturity not after the
    settlement.
    """
    years = _years(context, settlement, maturity, basis, price, redemption)
    return (redemption - price) / redemption / years


@function("INTRATE", _TAKES, wants_context=True)
def interest_rate(
    context: Context,
    settlement: float,
    maturity: float,
    investment: float,
    redemption: float,
    basis: float = 0.0,
) -> float:
    """The interest rate of a fully invested security, of the investment. Errors: as DISC."""
    years = _years(context, settlement, maturity, basis, investment, redemption)
    return (redemption - investment) / investment / years


@function("RECEIVED", _TAKES, wants_context=True)
def amount_received(
    context: Context,
    settlement: float,
    maturity: float,
    investment: float,
    discount: float,
    basis: float = 0.0,
) -> float:
    """What a fully invested security pays at maturity. Errors: as DISC."""
    years = _years(context, settlement, maturity, basis, investment, discount)
    left = 1.0 - discount * years
    if left <= 0.0:
        raise FailedError(ErrorValue.NUM)
    return investment / left


@function("PRICEDISC", _TAKES, wants_context=True)
def discounted_price(
    context: Context,
    settlement: float,
    maturity: float,
    discount: float,
    redemption: float,
    basis: float = 0.0,
) -> float:
    """The price of a discounted security for 100 of face value. Errors: as DISC."""
    years = _years(context, settlement, maturity, basis, discount, redemption)
    return redemption - discount * redemption * years


@function("YIELDDISC", _TAKES, wants_context=True)
def discounted_yield(
    context: Context, settlement: float, maturity: float, price: float, redemption: float, basis: float = 0.0
) -> float:
    """The yield of a year of a discounted security, of its price. Errors: as DISC."""
    years = _years(context, settlement, maturity, basis, price, redemption)
    return (redemption / price - 1.0) / years


@function("PRICEMAT", "single single single single single [single]", wants_context=True)
def price_with_interest_at_maturity(
    context: Context,
    settlement: float,
    maturity: float,
    issue: float,
    rate: float,
    yield_rate: float,
    basis: float = 0.0,
) -> float:
    """The price, for 100 of face value, of a security that pays its interest at maturity.

    `rate` is that of the interest, `yield_rate` what is to be earned; `basis` is YEARFRAC's.
    Errors: #NUM! for a negative rate or yield, for another basis, and for dates in the wrong order.
    """
    if rate < 0.0 or yield_rate < 0.0:
        raise FailedError(ErrorValue.NUM)
    whole_term, passed, left = _terms(context, settlement, maturity, issue, basis)
    return (100.0 + whole_term * rate * 100.0) / (1.0 + left * yield_rate) - passed * rate * 100.0


@function("YIELDMAT", "single single single single single [single]", wants_context=True)
def yield_with_interest_at_maturity(
    context: Context,
    settlement: float,
    maturity: float,
    issue: float,
    rate: float,
    price: float,
    basis: float = 0.0,
) -> float:
    """The yield of a year of a security that pays its interest at maturity, at a price for 100 of face value.

    Errors: #NUM! for a negative rate or a price not above 0, for another basis, and for dates in the wrong order.
    """
    if rate < 0.0 or price <= 0.0:
        raise FailedError(ErrorValue.NUM)
    whole_term, passed, left = _terms(context, settlement, maturity, issue, basis)
    return ((1.0 + whole_term * rate) / (price / 100.0 + passed * rate) - 1.0) / left


def _terms(
    context: Context, settlement: float, maturity: float, issue: float, basis: float
) -> tuple[float, float, float]:
    """Years from issue to maturity, from issue to settlement, and from settlement to maturity."""
    issued, start, end = (day_1900(context, day) for day in (issue, settlement, maturity))
    chosen = basis_of(basis)
    if not issued <= start < end:
        raise FailedError(ErrorValue.NUM)
    return (
        year_fraction(chosen, issued, end),
        year_fraction(chosen, issued, start),
        year_fraction(chosen, start, end),
    )


@function("ACCRINTM", _TAKES, wants_context=True)
def interest_to_maturity(
    context: Context, issue: float, maturity: float, rate: float, par: float = 1000.0, basis: float = 0.0
) -> float:
    """The interest from issue to maturity of a security that pays it then.

    `par` is its face value.
    Errors: #NUM! for a rate or face value not above 0, for another basis, and for a maturity not after the issue.
    """
    return par * rate * _years(context, issue, maturity, basis, rate, par)


@function("ACCRINT", "single single single single single single [single logical]", wants_context=True)
def accrued_interest(
    context: Context,
    issue: float,
    first_interest: float,
    settlement: float,
    rate: float,
    par: float,
    frequency: float,
    basis: float = 0.0,
    from_issue: bool = True,
) -> float:
    """The interest of a security that has built up by the settlement.

    `par` is its face value, `frequency` how often a year it pays interest: 1, 2 or 4. `from_issue` FALSE counts from
    the first interest date where the settlement lies after it.
    Errors: #NUM! for a rate or face value not above 0, for another frequency or basis, and for a settlement not after
    the issue.
    """
    issued, first, end = (day_1900(context, day) for day in (issue, first_interest, settlement))
    times, chosen = frequency_of(frequency), basis_of(basis)
    if rate <= 0.0 or par <= 0.0 or issued >= end:
        raise FailedError(ErrorValue.NUM)
    start = first if not from_issue and first < end else issued
    return par * rate / times * _periods(first, start, end, times, chosen)


def _periods(anchor: int, start: int, end: int, times: int, basis: int) -> float:
    """The coupon periods from one day to another, where coupons are counted from an anchor.

    From the start of the one that ends on the anchor, or for a later end of the one that holds it, days are counted
    straight to the end, even backwards, and by that one's length, as Excel does.
    """
    months = 12 // times
    step = 0
    while months_later(anchor, months * step) < end:
        step += 1
    after = months_later(anchor, months * step)
    before = months_later(anchor, months * (step - 1))
    length = normal_days(basis, times, before, after)
    if start >= before:
        return days_by(basis, start, end) / length
    whole_periods = 0
    while months_later(anchor, months * (step - 2 - whole_periods)) >= start:
        whole_periods += 1
    first_end = months_later(anchor, months * (step - 1 - whole_periods))
    first_length = normal_days(
        basis, times, months_later(anchor, months * (step - 2 - whole_periods)), first_end
    )
    first_part = days_by(basis, start, first_end) / first_length
    return first_part + whole_periods + days_by(basis, before, end) / length
