"""Figures of results, written out."""

import pytest

from tollway.web.results import figure_format


@pytest.mark.parametrize(
    ("value", "written"), [(0.0, "0"), (1_234.5, "1,234"), (9.9e14, "990,000,000,000,000"), (1e40, "1e40")]
)
def test_a_tail_far_beyond_the_mean_is_written_too(value: float, written: str) -> None:
    assert figure_format(0.0, 400.0)(value) == written
