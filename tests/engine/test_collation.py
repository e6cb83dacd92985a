"""The order of texts: as an English Excel sorts them."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.engine.sheets import value_of

from tollway.engine.collation import text_order


def test_texts_are_sorted_as_excel_sorts_them():
    ordered = [
        "",
        " b",
        "#1",
        "_x",
        "~a",
        "+a",
        "1",
        "10",
        "2",
        "a",
        "ab",
        "co",
        "coop",
        "co-op",
        "cote",
        "coté",
    ]
    ordered += ["côte", "d", "élan", "f", "zebra"]
    for before, after in pairwise(ordered):
        assert text_order(before) < text_order(after)


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ('=MATCH("éclair",{"apple","eclair","fig"},1)', 2.0),
        ('=ARRAYTOTEXT(SORT({"zoo";"Émile";"eve";"_a"}))', "_a, Émile, eve, zoo"),
    ],
)
def test_functions_that_search_and_sort_follow_that_order(formula, expected):
    assert value_of(formula) == expected


@given(st.text(max_size=5), st.text(max_size=5))
def test_texts_are_equal_only_where_case_is_the_difference(left, right):
    assert (text_order(left) == text_order(right)) == (left.lower() == right.lower())
