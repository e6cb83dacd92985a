"""The guide to the functions is what the functions themselves say."""

from pathlib import Path

import pytest

from tollway.engine.function_guide import functions_guide, usage_of
from tollway.engine.functions.registry import FUNCTIONS
from tollway.engine.language.function_names import EXCEL_FUNCTIONS

GUIDE = Path(__file__).parents[2] / "docs/guides/functions.md"


def test_the_guide_is_as_the_functions_say():
    assert GUIDE.read_text() == functions_guide(), (
        "write it anew: .venv/bin/python -m tollway.engine.function_guide > docs/guides/functions.md"
    )


@pytest.mark.parametrize(
    ("name", "usage"),
    [
        ("NPV", "NPV(rate, arguments...)"),
        ("PMT", "PMT(rate, periods, present, [future], [kind])"),
        ("OFFSET", "OFFSET(reference, rows, columns, [height], [width])"),
        ("PI", "PI()"),
    ],
)
def test_a_call_is_written_with_what_may_be_left_out_in_brackets(name, usage):
    assert usage_of(FUNCTIONS[name]) == usage


def test_every_function_is_one_of_excels_and_says_what_it_gives():
    assert set(FUNCTIONS) <= EXCEL_FUNCTIONS
    for name, found in FUNCTIONS.items():
        first = (found.scalar.__doc__ or "").strip().partition("\n")[0]
        assert len(first) > 2, name
