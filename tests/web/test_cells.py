"""Cells of a preview, written as a sheet would show them."""

import pytest

from tollway.web.cells import number_text


@pytest.mark.parametrize(
    ("value", "number_format", "shown"),
    [
        (1234.5, "#,##0.00", "1,234.50"),
        (0.125, "0.0%", "12.5%"),
        (-5.0, "$#,##0", "-$5"),
        (46_000.0, "yyyy-mm-dd", "2025-12-09"),
        (1e30, "#,##0", "1E+30"),
        (1e308, "0%", "1E+308"),
        (61.5, "0." + "0" * 100, "61.5"),
    ],
)
def test_a_number_is_written_by_its_format_and_a_huge_one_by_its_digits(
    value: float, number_format: str, shown: str
) -> None:
    assert number_text(value, number_format) == shown
