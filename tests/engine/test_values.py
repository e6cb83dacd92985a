"""Excel's number rules, as tables of formula and result. The source of each group stands above it."""

import math
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.engine.sheets import value_of

from tollway.engine import CircularReference, ErrorValue, UnsupportedFormula
from tollway.engine.values import (
    decimal_text,
    floor_decimal,
    number_text,
    numbers_equal,
    round_half_up,
    snap,
)

DIV0, NUM, VALUE, NA, REF, NAME, NULL = (
    ErrorValue.DIV0,
    ErrorValue.NUM,
    ErrorValue.VALUE,
    ErrorValue.NA,
    ErrorValue.REF,
    ErrorValue.NAME,
    ErrorValue.NULL,
)

TABLE = [
    # Order of operators: Microsoft, "Calculation operators and precedence in Excel"; a sign binds before ^.
    ("=-2^2", 4.0),
    ("=2^3^2", 64.0),
    ("=2+3*4^2/2%", 2402.0),
    ("=-2^-2", 0.25),
    ('=1&2+3&"x"', "15x"),
    ("=1=1=TRUE", True),
    ("=2>1=TRUE", True),
    ("=50%%", 0.005),
    ("=--TRUE", 1.0),
    ("=+TRUE", True),
    # 15 digits in comparisons, dust after the last + or -: Microsoft KB 78113 and the notes on it.
    ("=0.1+0.2=0.3", True),
    ("=0.1+0.2<0.3", False),
    ("=1.0000000000000002=1", True),
    ("=1.00000000000001=1", False),
    ("=0.5-0.4-0.1", 0.0),
    ("=(0.5-0.4-0.1)", 0.5 - 0.4 - 0.1),
    ("=1*(0.5-0.4-0.1)", 0.5 - 0.4 - 0.1),
    ("=0.5-0.4-0.1+0", 0.5 - 0.4 - 0.1),
    ("=SUM(0.5,-0.4,-0.1)", 0.5 - 0.4 - 0.1),
    # Powers and overflow: Microsoft, POWER; "Excel specifications and limits" for the largest number.
    ("=0^0", NUM),
    ("=0^-1", DIV0),
    ("=(-8)^(1/3)", NUM),
    ("=(-8)^3", -512.0),
    ("=10^308*10", NUM),
    ("=10^308+10^308-10^308", NUM),
    ("=1/(10^-308/10)", DIV0),
    ("=1/0", DIV0),
    ("=0/0", DIV0),
    # Coercion: Microsoft, "Excel converts text to numbers in calculations".
    ('="3"+1', 4.0),
    ('=" 3 "*"2"', 6.0),
    ('="$1,234.50"+0', 1234.5),
    ('="(5)"+0', -5.0),
    ('="12.5%"+0', 0.125),
    ('="1e3"+0', 1000.0),
    ('="2024-01-31"+0', 45322.0),
    ('="6:30 PM"+0', 18.5 / 24),
    ('="x"+1', VALUE),
    ('=""+1', VALUE),
    ("=TRUE+1", 2.0),
    ("=A1+1", 1.0),
    ('=A1&"x"', "x"),
    ("=A1=0", True),
    ('=A1=""', True),
    ("=A1=FALSE", True),
    ("=A1", 0.0),
    ("=1&TRUE", "1TRUE"),
    ('=1/3&""', "0.333333333333333"),
    # Order of kinds, and no case: Microsoft, "Sort order": numbers, texts, FALSE, TRUE.
    ('="a"="A"', True),
    ('=9E+99<"0"', True),
    ('="zzz"<FALSE', True),
    ("=FALSE<TRUE", True),
    ('="3"=3', False),
    # Errors: the left operand's comes first; unknown names; no common cell.
    ("=1/0+NA()", DIV0),
    ("=NA()+1/0", NA),
    ("=unknown_name", NAME),
    ("=Missing!A1", REF),
    ("=A1:A2 B1:B2", NULL),
    ("=#REF!+1", REF),
]


@pytest.mark.parametrize(("formula", "expected"), TABLE)
def test_a_formula_gives_what_excel_gives(formula, expected):
    found = value_of(formula)
    assert type(found) is type(expected)
    assert found == expected


# Source: Microsoft KB 78113; measured cases of joeu2004 and J. W. Lewis, microsoft.public.excel (see values.snap).
LARGEST = math.ldexp(2.0 - 2.0**-52, 1023)
UNIT = math.ldexp(1.0, 971)


@pytest.mark.parametrize(("units", "is_dust"), [(1, True), (4, True), (7, True), (8, False), (9, False)])
def test_the_bound_of_rounding_dust_is_where_it_was_measured(units, is_dust):
    other = LARGEST - units * UNIT
    assert (snap(LARGEST - other, LARGEST) == 0.0) is is_dust


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.0, "0"),
        (-1.0, "-1"),
        (123456789012.0, "123456789012"),
        (1e20, "100000000000000000000"),
        (1e21, "1E+21"),
        (-1.5e300, "-1.5E+300"),
        (0.00001, "0.00001"),
        (1.5e-10, "1.5E-10"),
        (1234.5678, "1234.5678"),
        (2 / 3, "0.666666666666667"),
    ],
)
def test_numbers_join_texts_as_general_writes_them(number, text):
    assert number_text(number) == text


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e14, max_value=1e14))
def test_integers_and_halves_are_judged_in_15_digits(number):
    """floor_decimal and round_half_up see the number that decimal_text writes."""
    seen = float(decimal_text(number))
    assert floor_decimal(number) == math.floor(seen)
    assert abs(round_half_up(number, 0) - seen) <= 0.5


@given(st.floats(min_value=1e-300, max_value=1e300), st.integers(min_value=-3, max_value=3))
def test_neighbouring_doubles_compare_equal(number, steps):
    other = number
    for _ in range(abs(steps)):
        other = math.nextafter(other, math.inf if steps > 0 else 0.0)
    assert numbers_equal(number, other) is (decimal_text(number) == decimal_text(other))


def test_refusals_survive_the_way_back_from_another_process():
    for error in (
        CircularReference("a circle", cells=("S!A1",), field="outputs.0"),
        UnsupportedFormula("not yet", construct="LET", cells=("S!B1",)),
    ):
        copy = pickle.loads(pickle.dumps(error))
        assert (type(copy), copy.message, copy.cells, copy.field) == (
            type(error),
            error.message,
            error.cells,
            error.field,
        )
        assert getattr(copy, "construct", None) == getattr(error, "construct", None)
