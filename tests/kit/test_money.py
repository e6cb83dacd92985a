"""Amounts are integers and decimals, written as people write them."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.kit.money import format_minor, format_whole, minor_units


@pytest.mark.parametrize(
    ("amount_minor", "currency", "full", "short"),
    [
        (9900, "USD", "$99.00", "$99"),
        (9950, "USD", "$99.50", "$99.50"),
        (0, "USD", "$0.00", "$0"),
        (1, "USD", "$0.01", "$0.01"),
        (299900, "USD", "$2,999.00", "$2,999"),
        (-9900, "USD", "-$99.00", "-$99"),
        (9900, "EUR", "€99.00", "€99"),
        (9900, "JPY", "¥9,900", "¥9,900"),
    ],
)
def test_amounts_are_written_for_people(amount_minor: int, currency: str, full: str, short: str) -> None:
    assert format_minor(amount_minor, currency) == full
    assert format_whole(amount_minor, currency) == short


@pytest.mark.parametrize(
    ("amount", "currency", "expected"),
    [
        ("99", "USD", 9900), ("0.05", "USD", 5), ("0.005", "USD", 1), ("0.0049", "USD", 0),
        ("-0.005", "USD", -1), ("2.675", "USD", 268), ("1.005", "USD", 101), ("99.5", "JPY", 100),
        ("1.2345", "KWD", 1235),
    ],
)  # fmt: skip
def test_rounding_is_half_away_from_zero(amount: str, currency: str, expected: int) -> None:
    assert minor_units(Decimal(amount), currency) == expected


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9, places=6))
def test_rounding_moves_by_half_a_cent_at_most_and_the_same_both_ways(amount: Decimal) -> None:
    rounded = minor_units(amount, "USD")
    assert abs(amount * 100 - rounded) <= Decimal("0.5")
    assert minor_units(-amount, "USD") == -rounded
