"""Criteria of COUNTIF and its family: what meets them. Source: Microsoft's COUNTIF page, and the corpus."""

import pytest
from tests.engine.sheets import value_of

from tollway.engine import ErrorValue
from tollway.engine.functions.criteria import CRITERION_LENGTH_MAX

NA, VALUE = ErrorValue.NA, ErrorValue.VALUE

CELLS = {
    "A1": "apple", "A2": "APPLE", "A3": "apple pie", "A4": "a*b", "A5": "q~x",
    "A6": 5, "A7": "5", "A8": 5.5, "A9": -5, "A10": 0,
    "A11": True, "A12": "TRUE", "A13": ErrorValue.NA, "A14": None, "A15": '=""',
    "A16": 45292, "A17": 0.5, "A18": ErrorValue.DIV0, "A19": 0.1, "A20": "e5",
    "C1": None, "C2": "", "C3": 5, "C4": ErrorValue.NA, "C5": True,
}  # fmt: skip


def in_quotes(criterion):
    return '"' + criterion.replace('"', '""') + '"'


COUNTS = [
    # Texts: the whole text, in either case; wildcards, and ~ before what is meant as it stands.
    ("apple", 2),
    ("=apple", 2),
    ("apple*", 3),
    ("?pple", 2),
    ("*e", 4),
    ("a~*b", 1),
    ("q~~x", 1),
    ("*", 9),
    ("<>apple", 18),
    ("<>apple*", 17),
    (">b", 3),
    ("<=apple", 5),
    # In the order of texts signs come before digits, and hyphens are passed over: "5" and all words but none signs.
    (">=?", 8),
    (">-q", 2),
    # Numbers: texts that read as the number count where it is equal, and nowhere else.
    ("5", 2),
    ("=5", 2),
    ("5.0", 2),
    ("<>5", 19),
    (">5", 2),
    (">=5", 3),
    ("<5", 4),
    ("50%", 1),
    (">-1E3", 7),
    ("0", 1),
    ("0.1", 1),
    # Dates and times.
    ("2024-01-01", 1),
    ("1/1/2024", 1),
    (">=1/1/2024", 1),
    ("12:00", 1),
    # Logicals are neither numbers nor texts.
    ("TRUE", 1),
    ("=true", 1),
    ("<>TRUE", 19),
    (">FALSE", 0),
    # Error values.
    ("#N/A", 1),
    ("=#DIV/0!", 1),
    ("<>#N/A", 19),
    # Blanks: cells that hold nothing, and with no sign also empty texts.
    ("", 2),
    ("=", 1),
    ("<>", 19),
    (">", 0),
    ("<=", 0),
]


@pytest.mark.parametrize(("criterion", "count"), COUNTS)
def test_a_criterion_is_met_by_what_excel_counts(criterion, count):
    assert value_of(f"=COUNTIF(A1:A20,{in_quotes(criterion)})", CELLS) == count


@pytest.mark.parametrize(
    ("cell", "count"), [("C1", 1), ("C2", 2), ("C3", 2), ("C4", 1), ("C5", 1), ("TRUE", 1), ("5", 2)]
)
def test_a_criterion_may_be_a_value(cell, count):
    """A reference to a blank cell means 0."""
    assert value_of(f"=COUNTIF(A1:A20,{cell})", CELLS) == count


def test_each_criterion_of_an_array_gives_a_count():
    assert value_of('=SUM(COUNTIF(A1:A20,{"apple";"5";"#N/A"}))', CELLS) == 5.0


def test_blanks_beyond_what_is_filled_count_too():
    assert value_of('=COUNTIF(A1:A1000,"<>5")', CELLS) == 999.0
    assert value_of('=COUNTIF(A1:A1000,"")', CELLS) == 982.0
    assert value_of('=COUNTIF(A1:A1000,"=")', CELLS) == 981.0


def test_a_criterion_longer_than_excel_allows_is_refused():
    assert value_of(f"=COUNTIF(A1:A20,{in_quotes('x' * CRITERION_LENGTH_MAX)})", CELLS) == 0.0
    assert value_of(f'=COUNTIF(A1:A20,"x"&{in_quotes("x" * CRITERION_LENGTH_MAX)})', CELLS) is VALUE


def test_sums_add_what_stands_beside_the_cells_that_meet_the_criterion():
    cells = {
        "A1": "x",
        "A2": "y",
        "A3": "x",
        "B1": 1,
        "B2": 2,
        "B3": 4,
        "B4": 8,
        "C1": NA,
        "C2": "7",
        "C3": 3,
    }
    assert value_of('=SUMIF(A1:A3,"x",B1:B3)', cells) == 5.0
    assert value_of('=SUMIF(A1:A3,"x",B2)', cells) == 10.0
    assert value_of('=SUMIF(A1:A3,"y",C1:C3)', cells) == 0.0
    assert value_of('=SUMIF(A1:A3,"x",C1:C3)', cells) is NA
    assert value_of('=SUMIFS(B1:B3,A1:A3,"x",B1:B3,">1")', cells) == 4.0
    assert value_of('=SUMIFS(B1:B3,A1:A2,"x")', cells) is VALUE
    assert value_of('=SUMIF(B1:B4,">1")', cells) == 14.0


def test_of_the_range_to_add_only_the_first_cell_counts_however_it_is_written():
    cells = {"A1": "x", "A2": "y", "A3": "x", "B1": 1, "B2": 2, "B3": 4, "B4": 8}
    for written in ("B2", "B2:B2", "B2:C9", "OFFSET(B1,1,0)", "INDEX(B1:B4,2)", 'INDIRECT("B2")'):
        assert value_of(f'=SUMIF(A1:A3,"x",{written})', cells) == 10.0, written
    assert value_of('=SUMIF(A:A,"x",B1048570)', cells) == 0.0


@pytest.mark.parametrize(
    "formula",
    [
        '=SUMIF(#REF!,">5")',
        '=SUMIF(A1:A20,">5",#REF!)',
        "=COUNTIF(#REF!,1)",
        "=COUNTIFS(A1:A20,1,#REF!,2)",
        "=SUMIFS(#REF!,A1:A20,1)",
        "=AVERAGEIF(#REF!,1)",
        "=MAXIFS(A1:A20,#REF!,1)",
        '=SUMIF(INDIRECT("Gone!A1"),1)',
        "=SUMPRODUCT(#REF!,A1:A20)",
        "=DSUM(#REF!,1,A1:A2)",
    ],
)
def test_a_range_that_is_gone_is_an_error_and_not_an_empty_range(formula):
    assert value_of(formula, CELLS) is ErrorValue.REF


def test_conditions_over_whole_columns_are_computed_once_for_all_that_is_blank():
    assert value_of("{=SUM(--(2=B:B),(B:B>1)*(C:C=0))}", {"B1": 2, "B5": 3}) == 3.0
    assert value_of("{=COUNT(B:B+B1:B3)}", {"B1": 2, "B5": 3}) == 3.0
    assert value_of("{=SUM(ABS(B1:B4)+{1;2;3;4})}", {"B1": -2}) == 12.0
    assert value_of("{=SUM(PV(B1:B50000,1,0,-1)*(ROW(B1:B50000)<4))}", {"B1": 1}) == 2.5
