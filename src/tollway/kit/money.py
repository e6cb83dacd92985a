"""Amounts: integers in minor units, `Decimal` for rates; never float."""

from decimal import ROUND_HALF_UP, Decimal

from babel.numbers import format_currency, get_currency_precision

LOCALE = "en_US"


def format_minor(amount_minor: int, currency: str) -> str:
    """Write an amount of minor units for people: `format_minor(9900, "USD")` is `$99.00`."""
    digits = get_currency_precision(currency)
    return str(format_currency(Decimal(amount_minor).scaleb(-digits), currency, locale=LOCALE))


def format_whole(amount_minor: int, currency: str) -> str:
    """Write an amount without its fraction where it has none: `$99`, but `$99.50`."""
    digits = get_currency_precision(currency)
    amount = Decimal(amount_minor).scaleb(-digits)
    if amount != amount.to_integral_value():
        return format_minor(amount_minor, currency)
    return str(format_currency(amount, currency, format="¤#,##0", currency_digits=False, locale=LOCALE))


def minor_units(amount: Decimal, currency: str) -> int:
    """Round an amount to minor units, half away from zero."""
    digits = get_currency_precision(currency)
    return int(amount.scaleb(digits).to_integral_value(rounding=ROUND_HALF_UP))
