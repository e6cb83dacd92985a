"""Worksheet functions as tables. Results are those of Microsoft's own pages where they show one, of the corpus
saved by Excel otherwise, and for errors of the remarks on those pages."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.engine.sheets import computed, value_of, workbook_of

from tollway.engine import ErrorValue
from tollway.engine.functions import FAMILIES, find_function, is_volatile
from tollway.engine.functions.criteria import Wildcard
from tollway.engine.functions.registry import FUNCTIONS

DIV0, NUM, VALUE, NA, REF = (
    ErrorValue.DIV0,
    ErrorValue.NUM,
    ErrorValue.VALUE,
    ErrorValue.NA,
    ErrorValue.REF,
)

# A column of mixed values, a table of names and numbers, and a row of payments.
CELLS = {
    "A1": 10, "A2": 7, "A3": 9, "A4": 27, "A5": 2,
    "B1": "text", "B2": True, "B3": 5, "B4": "7", "B5": "",
    "D1": "apples", "E1": 10, "F1": 0.5,
    "D2": "Bananas", "E2": 20, "F2": 0.25,
    "D3": "cherries", "E3": 30, "F3": 0.75,
    "H1": -10000, "I1": 3000, "J1": 4200, "K1": 6800,
    "M1": 1, "M2": 3, "M3": 5, "M4": 7,
    "N1": ErrorValue.NA, "N2": 4,
}  # fmt: skip

MATH = [
    ('=SUM(A1:A5,1,TRUE,"2")', 59.0),
    ("=SUM(B1:B5)", 5.0),
    ("=SUM(N1:N2)", NA),
    ('=SUM("x")', VALUE),
    ("=SUM(A:A)", 55.0),
    ("=PRODUCT(A1:A2,2)", 140.0),
    ("=PRODUCT(C1:C2)", 0.0),
    ("=SUMSQ(3,4)", 25.0),
    ("=SUMPRODUCT(E1:E3,F1:F3)", 32.5),
    ("=SUMPRODUCT((A1:A5>5)*A1:A5)", 53.0),
    ("=SUMPRODUCT(A1:A5,B1:B5)", 45.0),
    ("=SUMPRODUCT(A1:A2,A1:A3)", VALUE),
    ('=SUMIF(A1:A5,">8")', 46.0),
    ('=SUMIF(D1:D3,"*an*",E1:E3)', 20.0),
    ('=SUMIF(D1:D3,"<>apples",E1)', 50.0),
    ('=SUMIFS(E1:E3,D1:D3,"*s",F1:F3,">0.3")', 40.0),
    ('=SUMIFS(E1:E3,D1:D2,"*s")', VALUE),
    ("=ABS(-4)", 4.0),
    ("=SIGN(-4)", -1.0),
    ("=SQRT(-1)", NUM),
    ("=EXP(710)", NUM),
    ("=LN(0)", NUM),
    ("=LOG(8,2)", 3.0),
    ("=LOG(8,1)", DIV0),
    ("=LOG10(1000)", 3.0),
    ("=POWER(5,2)", 25.0),
    ("=POWER(0,0)", NUM),
    ("=ROUND(2.15,1)", 2.2),
    ("=ROUND(2.675,2)", 2.68),
    ("=ROUND(1.005,2)", 1.01),
    ("=ROUND(-1.475,2)", -1.48),
    ("=ROUND(626.3,-3)", 1000.0),
    ("=ROUND(-50.55,-2)", -100.0),
    ("=ROUNDUP(3.2,0)", 4.0),
    ("=ROUNDUP(-3.14159,1)", -3.2),
    ("=ROUNDUP(31415.92654,-2)", 31500.0),
    ("=ROUNDDOWN(-3.14159,1)", -3.1),
    ("=TRUNC(-8.9)", -8.0),
    ("=INT(-8.9)", -9.0),
    ("=INT(10^14+0.5)", 100000000000001.0),
    ("=MOD(3,-2)", -1.0),
    ("=MOD(-3,2)", 1.0),
    ("=MOD(3,0)", DIV0),
    ("=QUOTIENT(-10,3)", -3.0),
    ("=QUOTIENT(,3)", NA),
    ("=CEILING(2.5,1)", 3.0),
    ("=CEILING(-2.5,-2)", -4.0),
    ("=CEILING(-2.5,2)", -2.0),
    ("=CEILING(2.5,-2)", NUM),
    ("=CEILING(0.3,0.1)", pytest.approx(0.3)),
    ("=FLOOR(3.7,2)", 2.0),
    ("=FLOOR(2.5,-2)", NUM),
    ("=FLOOR(1,0)", DIV0),
    ("=CEILING.MATH(-5.5,2,-1)", -6.0),
    ("=FLOOR.MATH(-8.1,2)", -10.0),
    ("=MROUND(-10,-3)", -9.0),
    ("=MROUND(5,-2)", NUM),
    ("=MROUND(TRUE,2)", VALUE),
    ("=EVEN(-1)", -2.0),
    ("=ODD(0)", 1.0),
    ("=ODD(-2)", -3.0),
    ("=PI()", math.pi),
    ("=SIN(2^27)", NUM),
    ("=ATAN2(1,1)", math.pi / 4),
    ("=ATAN2(0,0)", DIV0),
    ("=ACOS(2)", NUM),
    ("=DEGREES(PI())", 180.0),
    ("=FACT(5.9)", 120.0),
    ("=FACT(-1)", NUM),
    ("=COMBIN(8,2)", 28.0),
    ("=COMBIN(2,3)", NUM),
]
STATISTICAL = [
    ("=AVERAGE(A1:A5)", 11.0),
    ("=AVERAGE(B1:B2)", DIV0),
    ('=AVERAGEIF(A1:A5,"<9.5")', 6.0),
    ('=AVERAGEIF(A1:A5,">99")', DIV0),
    ('=AVERAGEIFS(E1:E3,F1:F3,">=0.5")', 20.0),
    ("=MIN(A1:A5,3)", 2.0),
    ("=MAX(B1:B5)", 5.0),
    ("=MAX(C1:C3)", 0.0),
    ('=MAXIFS(E1:E3,F1:F3,"<0.7")', 20.0),
    ('=MINIFS(E1:E3,F1:F3,">2")', 0.0),
    ('=COUNT(B1:B5,"3","x",TRUE)', 3.0),
    ("=COUNTA(B1:B5)", 5.0),
    ("=COUNTBLANK(B1:C5)", 6.0),
    ('=COUNTIF(D1:D3,"b*")', 1.0),
    ("=COUNTIF(B1:B5,7)", 1.0),
    ('=COUNTIF(B1:B5,"<>7")', 5.0),
    ("=COUNTIF(B1:B5,TRUE)", 1.0),
    ('=COUNTIF(B1:C5,"")', 6.0),
    ('=COUNTIF(B1:C5,"=")', 5.0),
    ('=COUNTIF(N1:N2,"#N/A")', 1.0),
    ('=COUNTIFS(A1:A5,">5",A1:A5,"<10")', 2.0),
    ("=STDEV(M1:M4)", pytest.approx(math.sqrt(20 / 3))),
    ("=STDEV.S(M1)", DIV0),
    ("=STDEV.P(M1:M4)", pytest.approx(math.sqrt(5))),
    ("=VAR.S(M1:M4)", pytest.approx(20 / 3)),
    ("=VAR.P(M1:M4)", 5.0),
    ("=MEDIAN(A1:A5)", 9.0),
    ("=MEDIAN(M1:M4)", 4.0),
    ("=MEDIAN(C1)", NUM),
    ("=LARGE(A1:A5,2)", 10.0),
    ("=SMALL(A1:A5,6)", NUM),
    ("=RANK(9,A1:A5)", 3.0),
    ("=RANK(9,A1:A5,1)", 3.0),
    ("=RANK(8,A1:A5)", NA),
    ("=PERCENTILE(M1:M4,0.3)", pytest.approx(2.8)),
    ("=PERCENTILE.INC(M1:M4,1.1)", NUM),
    ("=QUARTILE(M1:M4,1)", 2.5),
    ("=CORREL(E1:E3,F1:F3)", pytest.approx(0.5)),
    ("=CORREL(E1:E3,F1:F2)", NA),
    ("=NORM.DIST(42,40,1.5,TRUE)", pytest.approx(0.9087888, abs=1e-7)),
    ("=NORM.DIST(42,40,1.5,FALSE)", pytest.approx(0.10934, abs=1e-5)),
    ("=NORM.DIST(1,0,0,TRUE)", NUM),
    ("=NORM.S.DIST(1.333333,TRUE)", pytest.approx(0.908788726, abs=1e-8)),
    ("=NORM.S.INV(0.908789)", pytest.approx(1.3333347, abs=1e-6)),
    ("=NORM.INV(0.908789,40,1.5)", pytest.approx(42.000002, abs=1e-6)),
    ("=NORM.S.INV(1)", NUM),
]
LOGICAL = [
    ('=IF(A1>5,"yes",1/0)', "yes"),
    ('=IF(A1<5,"yes")', False),
    ('=IF(A1<5,"yes",)', 0.0),
    ('=IF("x",1,2)', VALUE),
    ("=IF(N1,1,2)", NA),
    ("=SUM(IF(A1>5,A1:A2,A3:A4))", 17.0),
    ("=IFS(A1<5,1,A1<11,2)", 2.0),
    ("=IFS(A1<5,1)", NA),
    ('=IFERROR(1/0,"none")', "none"),
    ("=IFERROR(C1,1)", 0.0),
    ("=IFNA(1/0,3)", DIV0),
    ("=IFNA(N1,3)", 3.0),
    ('=SWITCH(A2,7,"seven","other")', "seven"),
    ('=SWITCH(A1,7,"seven","other")', "other"),
    ('=SWITCH(A1,7,"seven")', NA),
    ("=AND(A1>5,A2>5)", True),
    ("=AND(B1:B3)", True),
    ("=AND(B1)", VALUE),
    ('=AND("x",TRUE)', VALUE),
    ('=OR("",TRUE)', True),
    ("=OR(FALSE,1/0)", DIV0),
    ("=XOR(TRUE,TRUE,TRUE)", True),
    ("=NOT(0)", True),
]
LOOKUP = [
    ('=VLOOKUP("BANANAS",D1:F3,2,FALSE)', 20.0),
    ('=VLOOKUP("b*",D1:F3,3,FALSE)', 0.25),
    ('=VLOOKUP("figs",D1:F3,2,FALSE)', NA),
    ("=VLOOKUP(4,M1:N4,1)", 3.0),
    ("=VLOOKUP(0,M1:N4,1)", NA),
    ("=VLOOKUP(4,M1:N4,3)", REF),
    ("=VLOOKUP(4,M1:N4,0)", VALUE),
    ("=HLOOKUP(3000,H1:K1,1,FALSE)", 3000.0),
    ("=LOOKUP(4,M1:M4,A1:A4)", 7.0),
    ('=LOOKUP("c",D1:E3)', 20.0),
    ('=XLOOKUP("cherries",D1:D3,E1:E3)', 30.0),
    ('=XLOOKUP("figs",D1:D3,E1:E3,"none")', "none"),
    ("=XLOOKUP(4,M1:M4,A1:A4,,-1)", 7.0),
    ("=XLOOKUP(4,M1:M4,A1:A4,,1)", 9.0),
    ('=XLOOKUP("?????S",D1:D3,E1:E3,,2,-1)', 10.0),
    ("=INDEX(A1:A5,3)", 9.0),
    ("=INDEX(D1:F3,2,3)", 0.25),
    ("=INDEX(A1:A5,6)", REF),
    ("=SUM(INDEX(D1:F3,0,2))", 60.0),
    ("=INDEX(H1:K1,2)", 3000.0),
    ("=MATCH(9,A1:A5,0)", 3.0),
    ("=MATCH(4,M1:M4)", 2.0),
    ("=MATCH(4,A1:A5,0)", NA),
    ("=MATCH(6,{9,7,5},-1)", 2.0),
    ("=MATCH(0.3,{0.3},0)", 1.0),
    ("=MATCH(0.1+0.2,{0.3},0)", NA),
    ('=CHOOSE(2,"a",A1,"c")', 10.0),
    ("=CHOOSE(4,1,2,3)", VALUE),
    ("=SUM(CHOOSE(2,A1:A2,A3:A5))", 38.0),
    ("=ROWS(A1:B5)", 5.0),
    ("=COLUMNS(A:C)", 3.0),
    ("=ROW(B7)", 7.0),
    ("=COLUMN()", 26.0),
]
FINANCIAL = [
    ("=NPV(0.1,H1:K1)", pytest.approx(1188.44341233522)),
    ("=IRR({-70000,12000,15000,18000,21000,26000})", pytest.approx(0.0866309480365316)),
    ("=IRR({1,2})", NUM),
    ("=PMT(0.08/12,10,10000)", pytest.approx(-1037.03208935915)),
    ("=PMT(0.06/12,18*12,0,50000)", pytest.approx(-129.081160867991)),
    ("=PMT(0,10,1000)", -100.0),
    ("=PMT(-3,5,100)", NUM),
    ("=IPMT(0.1/12,1,36,8000)", pytest.approx(-66.6666666666667)),
    ("=IPMT(0.1/12,37,36,8000)", NUM),
    ("=PPMT(0.1/12,1,24,2000)", pytest.approx(-75.6231860083666)),
    ("=PV(0.08/12,12*20,500)", pytest.approx(-59777.1458511878)),
    ("=FV(0.06/12,10,-200,-500,1)", pytest.approx(2581.40337406014)),
    ("=FV(-1,-2,1)", DIV0),
    ("=NPER(0.12/12,-100,-1000,10000,1)", pytest.approx(59.6738656742946)),
    ("=RATE(4*12,-200,8000)", pytest.approx(0.00770147248820204)),
    ("=RATE(3300,-200,8000)", NUM),
    ("=SLN(30000,7500,10)", 2250.0),
    ("=SLN(1,0,0)", DIV0),
    ("=DB(1000000,100000,6,1,7)", pytest.approx(186083.333333333)),
    ("=DB(1000000,100000,6,7,7)", pytest.approx(15845.10, abs=0.005)),
    ("=DDB(2400,300,10,1,2)", pytest.approx(480.0)),
    ("=DDB(2400,300,10,10)", pytest.approx(22.1225472)),
]
TEXT = [
    ('=LEN("abc ")', 4.0),
    ('=LEN("\N{GRINNING FACE}")', 2.0),
    ('=LEFT("Sale Price",4)', "Sale"),
    ('=LEFT("a",-1)', VALUE),
    ('=RIGHT("Sale Price",5)', "Price"),
    ('=RIGHT("abc",0)', ""),
    ('=MID("Fluid Flow",7,20)', "Flow"),
    ('=MID("x",0,1)', VALUE),
    ('=UPPER("total")', "TOTAL"),
    ('=LOWER("E. E.")', "e. e."),
    ('=TRIM("  First  Quarter ")', "First Quarter"),
    ('=CONCATENATE("a",1,TRUE)', "a1TRUE"),
    ('=CONCAT(A1:A2,"x")', "107x"),
    ('=TEXTJOIN("-",TRUE,B1:B5)', "text-TRUE-5-7"),
    ('=TEXTJOIN("-",FALSE,B4:B5)', "7-"),
    ('=VALUE("$1,000")', 1000.0),
    ('=VALUE("x")', VALUE),
    ('=EXACT("a","A")', False),
    ('=SUBSTITUTE("Quarter 1, 2011","1","2",3)', "Quarter 1, 2012"),
    ('=SUBSTITUTE("aaa","a","b")', "bbb"),
    ('=FIND("M","Miriam McGovern",3)', 8.0),
    ('=FIND("z","abc")', VALUE),
    ('=SEARCH("m?g","Miriam McGovern")', 8.0),
    ('=REPT("*-",3)', "*-*-*-"),
    ('=REPT("x",40000)', VALUE),
]
DATE = [
    ("=DATE(2008,1,2)", 39449.0),
    ("=DATE(1900,2,29)", 60.0),
    ("=DATE(1900,3,1)", 61.0),
    ("=DATE(108,1,2)", 39449.0),
    ("=DATE(2008,14,2)", 39846.0),
    ("=DATE(2008,-3,2)", 39327.0),
    ("=DATE(-1,1,1)", NUM),
    ("=DATE(10000,1,1)", NUM),
    ("=YEAR(60)", 1900.0),
    ("=MONTH(60)", 2.0),
    ("=DAY(60)", 29.0),
    ("=DAY(0)", 0.0),
    ("=YEAR(-1)", NUM),
    ("=EDATE(DATE(2011,1,31),1)", 40602.0),
    ("=EDATE(DATE(2011,1,15),-1)", 40527.0),
    ("=EOMONTH(DATE(2011,1,1),-3)", 40482.0),
    ("=EOMONTH(TRUE,1)", VALUE),
    ("=DAYS(DATE(2021,3,15),DATE(2021,2,1))", 42.0),
]
INFORMATION = [
    ("=ISNUMBER(B4)", False),
    ("=ISNUMBER(A1)", True),
    ("=ISTEXT(B4)", True),
    ("=ISNONTEXT(C1)", True),
    ("=ISLOGICAL(B2)", True),
    ("=ISBLANK(C1)", True),
    ("=ISBLANK(B5)", False),
    ("=ISERROR(1/0)", True),
    ("=ISERR(N1)", False),
    ("=ISNA(N1)", True),
    ("=NA()", NA),
    ('=N("7")', 0.0),
    ("=N(TRUE)", 1.0),
]  # fmt: skip


@pytest.mark.parametrize(
    ("formula", "expected"),
    [*MATH, *STATISTICAL, *LOGICAL, *LOOKUP, *FINANCIAL, *TEXT, *DATE, *INFORMATION],
)
def test_a_function_gives_what_excel_gives(formula, expected):
    found = value_of(formula, CELLS)
    assert found == expected
    if not isinstance(expected, type(pytest.approx(1))):
        assert type(found) is type(expected)


def test_dates_count_from_1904_where_the_workbook_says_so():
    assert value_of("=DATE(2008,1,2)", is_1904=True) == 37_987.0
    assert value_of("=YEAR(37987)", is_1904=True) == 2008.0


# Implicit intersection and arrays: Microsoft, "Implicit intersection operator: @" and "Guidelines and examples
# of array formulas".
def test_a_range_where_one_value_is_wanted_gives_the_cell_in_line():
    workbook = workbook_of(
        {"A1": 1, "A2": 2, "A3": 3, "C2": "=A1:A3*10", "C5": "=A1:A3*10", "D2": "=ABS(A1:A3)"}
    )
    assert computed(workbook) == {"S!C2": 20.0, "S!C5": ErrorValue.VALUE, "S!D2": 2.0}


def test_array_formulas_compute_every_element():
    cells = {"A1": 1, "A2": 2, "A3": 3, "B1": 1, "B2": 0}
    assert value_of("{=SUM(A1:A3*10)}", cells) == 60.0
    assert value_of("{=SUM(IF(A1:A3>1,A1:A3))}", cells) == 5.0
    assert value_of("{=SUM(A1:A3/B1:B2)}", cells) is ErrorValue.DIV0
    assert value_of("=SUM(ABS({-1,2;-3,4}))", cells) == 10.0


def test_names_stand_for_references_and_constants():
    names = {"prices": "S!$A$1:$A$3", "rate": "0.1", "loop": "loop+1"}
    cells = {"A1": 1, "A2": 2, "A3": 3}
    assert value_of("=SUM(Prices)*rate", cells, names=names) == pytest.approx(0.6)
    assert value_of("=-rate^2", cells, names=names) == pytest.approx(0.01)


@given(st.text("ab", max_size=8), st.text("ab?*", max_size=5))
def test_wildcards_match_what_a_regular_expression_would(text, pattern):
    expression = pattern.replace("?", ".").replace("*", ".*")
    assert Wildcard(pattern).matches(text) is (re.fullmatch(expression, text) is not None)
    found = re.search(expression, text)
    assert Wildcard(pattern).find(text, 0) == (found.start() if found else None)


@pytest.mark.timeout(10)
def test_a_pattern_made_to_take_for_ever_does_not():
    text, pattern = "a" * 30_000, "*a" * 500 + "*b*"
    assert not Wildcard(pattern).matches(text)
    assert Wildcard(pattern).find(text, 0) is None


def test_every_function_says_what_it_does():
    assert len(FUNCTIONS) >= 120
    for name, found in FUNCTIONS.items():
        assert found.scalar.__doc__, name
        assert find_function(name) is found
    for name in ("RAND", "RANDARRAY", "RANDBETWEEN"):
        assert find_function(name) is None
        assert is_volatile(name)
    assert all(family.__doc__ for family in FAMILIES)
