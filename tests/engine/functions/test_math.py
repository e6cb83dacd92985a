"""Math and trigonometry as tables. Results are those of Microsoft's own pages where they show one, else of the
corpus saved by Excel; errors are those of the remarks on those pages."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.engine.sheets import value_of

from tollway.engine import ErrorValue

DIV0, NUM, VALUE, NA = ErrorValue.DIV0, ErrorValue.NUM, ErrorValue.VALUE, ErrorValue.NA

CELLS = {
    "A1": 1, "B1": 2, "C1": "text", "D1": True, "E1": "7",
    "A2": 3, "B2": 4, "C2": ErrorValue.NA, "F1": "", "A3": -2,
}  # fmt: skip


def near(number):
    """As many digits as Microsoft's pages print."""
    return pytest.approx(number, rel=1e-6)


TRIGONOMETRY = [
    ("=ACOSH(10)", near(2.9932228)),
    ("=ACOSH(0.9)", NUM),
    ("=ACOT(2)", near(0.4636476)),
    ("=ACOT(-1)", pytest.approx(0.75 * math.pi)),
    ("=ACOTH(6)", near(0.168236118)),
    ("=ACOTH(1)", NUM),
    ("=ASINH(-2.5)", near(-1.647231146)),
    ("=ATANH(0.76159416)", near(1.00000001)),
    ("=ATANH(1)", NUM),
    ("=COT(30)", near(-0.156119952)),
    ("=COT(0)", DIV0),
    ("=COT(2^27)", NUM),
    ("=COTH(2)", near(1.037314721)),
    ("=COTH(0)", DIV0),
    ("=CSC(15)", near(1.537780562)),
    ("=CSC(0)", DIV0),
    ("=CSCH(1.5)", near(0.46964244)),
    ("=CSCH(0)", DIV0),
    ("=CSCH(-1000)", 0.0),
    ("=RADIANS(270)", near(4.712389)),
    ("=SEC(45)", near(1.903594407)),
    ('=SEC("x")', VALUE),
    ("=SECH(45)", pytest.approx(5.725037161098784e-20, rel=1e-12)),
    ("=SECH(2^27)", NUM),
]
ROUNDING = [
    ("=CEILING.MATH(24.3,5)", 25.0),
    ("=CEILING.MATH(6.7)", 7.0),
    ("=CEILING.MATH(-8.1,2)", -8.0),
    ("=CEILING.MATH(-5.5,2,-1)", -6.0),
    ("=CEILING.MATH(23.5,-1)", 24.0),
    ("=CEILING.MATH(-23.5,-1,1)", -24.0),
    ("=CEILING.MATH(5,0)", 0.0),
    ("=CEILING.PRECISE(-4.3)", -4.0),
    ("=CEILING.PRECISE(4.3,-2)", 6.0),
    ("=CEILING.PRECISE(-4.3,-2)", -4.0),
    ("=ISO.CEILING(-4.3,2)", -4.0),
    ("=ECMA.CEILING(4.3,2)", 6.0),
    ("=ISO.CEILING(5,0)", 0.0),
    ("=FLOOR.MATH(24.3,5)", 20.0),
    ("=FLOOR.MATH(-5.5,2,-1)", -4.0),
    ("=FLOOR.MATH(-23.5,-1)", -24.0),
    ("=FLOOR.PRECISE(-3.2,-1)", -4.0),
    ("=FLOOR.PRECISE(3.2)", 3.0),
    ("=CEILING.MATH(0.3,0.1)", pytest.approx(0.3)),
    ("=FLOOR.MATH(0.3,0.1)", pytest.approx(0.3)),
    ("=MROUND(1.3,0.2)", pytest.approx(1.4)),
    ("=MROUND(6.05,0.1)", 6.0),
    ("=MROUND(7.05,0.1)", pytest.approx(7.1)),
    ("=MROUND(D1,2)", VALUE),
]
COMBINATORICS = [
    ("=COMBIN(2958465,2)", 4376256098880.0),
    ("=COMBIN(1029,514)", pytest.approx(1.429820686498904e308)),
    ("=COMBIN(1030,515)", NUM),
    ("=COMBIN(10^15,10^14)", NUM),
    ("=COMBINA(2958465,2)", 4376259057345.0),
    ("=COMBINA(4,3)", 20.0),
    ("=COMBINA(10,3)", 220.0),
    ("=COMBINA(0,0)", 1.0),
    ("=COMBINA(0,5)", NUM),
    ("=COMBINA(10,-3)", NUM),
    ("=FACTDOUBLE(6)", 48.0),
    ("=FACTDOUBLE(7.9)", 105.0),
    ("=FACTDOUBLE(-1)", 1.0),
    ("=FACTDOUBLE(-2)", NUM),
    ("=FACTDOUBLE(301)", NUM),
    ("=FACTDOUBLE(D1)", VALUE),
    ("=MULTINOMIAL(2,3,4)", 1260.0),
    ("=MULTINOMIAL({2,5,7})", 72072.0),
    ("=MULTINOMIAL(A1:A2,2.9)", 60.0),
    ("=MULTINOMIAL(A1:A3)", NUM),
    ("=MULTINOMIAL(D1,2)", VALUE),
    ("=MULTINOMIAL(500,500,500)", NUM),
]
ARITHMETIC = [
    ("=GCD(24,36)", 12.0),
    ("=GCD(5,0)", 5.0),
    ("=GCD(10.5,2.6)", 2.0),
    ("=GCD(5,-0.5)", NUM),
    ("=GCD(2^53)", NUM),
    ("=GCD(A1:B2,E1)", 1.0),
    ("=GCD(A1:C1)", VALUE),
    ("=GCD(D1,4)", VALUE),
    ("=LCM(24,36)", 72.0),
    ("=LCM(5,0)", 0.0),
    ("=LCM(2^30,3^30)", NUM),
    ("=LCM(A1:C2)", VALUE),
    ("=LCM(A2:C2)", NA),
    ("=SQRTPI(2)", near(2.506628)),
    ("=SQRTPI(-1)", NUM),
    ("=SQRTPI(D1)", VALUE),
    ("=QUOTIENT(D1,2)", VALUE),
    ("=MOD(10^15,7)", 6.0),
    ("=MOD(-(10^15),7)", 1.0),
    ("=MOD(10^15,-7)", -1.0),
    ("=MOD(10^16,7)", NUM),
]
NUMERALS = [
    ("=ROMAN(499,0)", "CDXCIX"),
    ("=ROMAN(499,1)", "LDVLIV"),
    ("=ROMAN(499,2)", "XDIX"),
    ("=ROMAN(499,3)", "VDIV"),
    ("=ROMAN(499,4)", "ID"),
    ("=ROMAN(499,TRUE)", "CDXCIX"),
    ("=ROMAN(499,FALSE)", "ID"),
    ("=ROMAN(1999,2)", "MXMIX"),
    ("=ROMAN(0)", ""),
    ("=ROMAN(3999.9)", "MMMCMXCIX"),
    ("=ROMAN(4000)", VALUE),
    ("=ROMAN(-1)", VALUE),
    ("=ROMAN(1,5)", VALUE),
    ("=ROMAN(1,C2)", NA),
    ('=ARABIC("LVII")', 57.0),
    ('=ARABIC(" mcmxii ")', 1912.0),
    ('=ARABIC("-MMXI")', -2011.0),
    ('=ARABIC("")', 0.0),
    ('=ARABIC("ABC")', VALUE),
    ("=BASE(7,2)", "111"),
    ("=BASE(15,2,10)", "0000001111"),
    ("=BASE(123456789,36)", "21I3V9"),
    ("=BASE(20,10.9)", "20"),
    ("=BASE(0,2)", "0"),
    ("=BASE(-1,2)", NUM),
    ("=BASE(2^53,2)", NUM),
    ("=BASE(7,37)", NUM),
    ("=BASE(7,2,256)", NUM),
    ('=DECIMAL("FF",16)', 255.0),
    ('=DECIMAL("zap",36)', 45745.0),
    ("=DECIMAL(111,2)", 7.0),
    ('=DECIMAL("2",2)', NUM),
    ('=DECIMAL("1",1)', NUM),
]
SUMS = [
    ("=SERIESSUM(PI()/4,0,2,{1,-0.5,0.0416666666666667,-0.00138888888888889})", near(0.707103215)),
    ("=SERIESSUM(0,0,1,{5,7})", 5.0),
    ("=SERIESSUM(2,1,1,A1:C1)", VALUE),
    ("=SERIESSUM(-2,0.5,1,A1)", NUM),
    ("=SERIESSUM(D1,1,1,A1)", VALUE),
    ("=SUMX2MY2({2,3,9,1,8,7,5},{6,5,11,7,5,4,4})", -55.0),
    ("=SUMX2PY2({2,3,9,1,8,7,5},{6,5,11,7,5,4,4})", 521.0),
    ("=SUMXMY2({2,3,9,1,8,7,5},{6,5,11,7,5,4,4})", 79.0),
    ("=SUMXMY2(A1:C1,{5,5,5})", 25.0),
    ("=SUMXMY2({1,2},{1;2})", 0.0),
    ("=SUMXMY2({1,2},{1,2,3})", NA),
    ("=SUMXMY2(A2:C2,{1,2,3})", NA),
    ("=PERCENTOF(A1:A2,A1:B2)", 0.4),
    ("=PERCENTOF(A1,0)", DIV0),
]
MATRICES = [
    ("=MDETERM({1,3,8,5;1,3,6,1;1,1,1,0;7,3,10,2})", pytest.approx(88.0, rel=1e-13)),
    ("=MDETERM({3,6,1;1,1,0;3,10,2})", pytest.approx(1.0, rel=1e-13)),
    ("=MDETERM({3,6;1,1})", pytest.approx(-3.0, rel=1e-13)),
    ("=MDETERM({1,2;2,4})", 0.0),
    ("=MDETERM({1,3,8,5;1,3,6,1})", VALUE),
    ("=MDETERM(A1:C2)", NA),
    ("=MDETERM(A1:A2)", VALUE),
    ("=INDEX(MINVERSE({4,-1;2,0}),1,2)", 0.5),
    ("=INDEX(MINVERSE({1,2,1;3,4,-1;0,2,0}),3,3)", pytest.approx(-0.25)),
    ("=INDEX(MINVERSE({1,2;2,4}),1,1)", NUM),
    ("=SUM(MINVERSE({1,2}))", VALUE),
    ("=INDEX(MMULT({1,3;7,2},{2,0;0,2}),2,1)", 14.0),
    ("=SUM(MMULT({1,2},{3;4}))", 11.0),
    ("=SUM(MMULT({1,2},{3,4}))", VALUE),
    ("=SUM(MMULT(A1:B1,C1:C2))", NA),
    ("=SUM(MMULT({1,2},B1:B3))", VALUE),
    ("=INDEX(MMULT({1E200},{1E200}),1,1)", NUM),
    ("=SUM(MUNIT(3.9))", 3.0),
    ("=SUM(MUNIT(0))", VALUE),
    ("=SUM(MUNIT(1E6))", NUM),
]


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        *TRIGONOMETRY,
        *ROUNDING,
        *COMBINATORICS,
        *ARITHMETIC,
        *NUMERALS,
        *SUMS,
        *MATRICES,
    ],
)
def test_a_math_function_gives_what_excel_gives(formula, expected):
    found = value_of(formula, CELLS)
    assert found == expected
    if isinstance(expected, (str, float, ErrorValue)):
        assert type(found) is type(expected)


@given(st.integers(0, 3_999), st.integers(0, 4))
def test_arabic_reads_what_roman_writes(number, form):
    assert value_of(f"=ARABIC(ROMAN({number},{form}))") == number


@given(st.integers(0, 2**53 - 1), st.integers(2, 36))
def test_decimal_reads_what_base_writes(number, radix):
    assert value_of(f"=DECIMAL(BASE({number},{radix}),{radix})") == number


@given(st.lists(st.lists(st.integers(-9, 9), min_size=3, max_size=3), min_size=3, max_size=3))
def test_a_matrix_times_its_inverse_is_the_unit_matrix(rows):
    written = "{" + ";".join(",".join(map(str, row)) for row in rows) + "}"
    determinant = value_of(f"=MDETERM({written})")
    if abs(determinant) > 0.5:
        off = value_of(f"=SUMXMY2(MMULT({written},MINVERSE({written})),MUNIT(3))")
        assert off == pytest.approx(0.0, abs=1e-18)
