"""References as values: computed ones, several in one, what functions ask of them, totals over them."""

import pytest
from tests.engine.sheets import computed, value_of, workbook_of

from tollway.engine import ErrorValue
from tollway.engine.values import TooManyReferences

NULL, NUM, VALUE, REF, NA, DIV0 = (
    ErrorValue.NULL,
    ErrorValue.NUM,
    ErrorValue.VALUE,
    ErrorValue.REF,
    ErrorValue.NA,
    ErrorValue.DIV0,
)
CELLS = {
    "A1": 1, "A2": 2, "A3": 3, "B1": 10, "B2": 20, "B3": 30, "C1": "A2", "C2": "x", "C3": True, "D1": "=A1+1",
    "E1": DIV0, "Other!A1": 100, "Other!B1": 200, "Third!A1": 1000,
}  # fmt: skip


def test_what_is_in_the_cells():
    assert value_of("=SUM(A1:B3)", CELLS) == 66.0


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        # OFFSET: Microsoft's page; a part of a row is a row, as values stored by Excel show.
        ("=OFFSET(A1,1,1)", 20.0),
        ("=SUM(OFFSET(A1,0,0,3,2))", 66.0),
        ("=SUM(OFFSET(A1:B1,1,0))", 22.0),
        ("=SUM(OFFSET(A3,0,0,-3))", 6.0),
        ("=SUM(OFFSET(B3,0,0,-2,-2))", 55.0),
        ("=SUM(OFFSET(A1,0,0,3,0.9))", 6.0),
        ("=SUM(OFFSET(A1,0.9,0,2.9))", 3.0),
        ("=OFFSET(A1,-1,0)", REF),
        ("=OFFSET(A1,0,0,0)", REF),
        ("=OFFSET(5,1,1)", VALUE),
        ("=OFFSET(E1,1,0)", 0.0),
        ("=ROWS(OFFSET(A1,0,0,7,3))", 7.0),
        ("=COLUMNS(OFFSET(A1,0,0,7,3))", 3.0),
        ('=OFFSET(A1,"1",0)', 2.0),
        ("=OFFSET(A1,E1,0)", DIV0),
        # INDIRECT
        ('=INDIRECT("B2")', 20.0),
        ("=INDIRECT(C1)", 2.0),
        ('=SUM(INDIRECT("A1:B"&3))', 66.0),
        ('=INDIRECT("Other!A1")', 100.0),
        ("=INDIRECT(\"'Other'!B1\")", 200.0),
        ('=SUM(INDIRECT("A:A"))', 6.0),
        ('=INDIRECT("R2C2",FALSE)', 20.0),
        ('=INDIRECT("R[-97]C[-25]",FALSE)', 2.0),
        ('=SUM(INDIRECT("R1C1:R3C2",FALSE))', 66.0),
        ('=INDIRECT("total")', 66.0),
        ('=INDIRECT("nowhere")', REF),
        ('=INDIRECT("Missing!A1")', REF),
        ('=INDIRECT("")', REF),
        ('=INDIRECT("A1+1")', REF),
        ('=INDIRECT("XFE1")', REF),
        ("=INDIRECT(E1)", DIV0),
        ('=ROW(INDIRECT("A7"))', 7.0),
        # INDEX and its like give references.
        ("=SUM(A1:INDEX(A1:A3,2))", 3.0),
        ("=SUM(INDEX(A1:B3,1,0):INDEX(A1:B3,2,0))", 33.0),
        ("=SUM(INDEX(A1:B3,0,2))", 60.0),
        ("=ROW(INDEX(A1:B3,2,2))", 2.0),
        ("=SUM(CHOOSE(1,A1,B1):CHOOSE(2,A2,B3))", 66.0),
        ("=SUM(IF(TRUE,A1,B1):A3)", 6.0),
        ("=ISREF(INDEX(A1:A3,2))", True),
        ("=SUM(INDEX(C1:C3,3))", 0.0),
        ("=INDEX((A1:A3,B1:B3),2,1,2)", 20.0),
        ("=INDEX((A1:A3,B1:B3),2,1,3)", REF),
        ("=SUM(XLOOKUP(1,A1:A3,B1:B3):XLOOKUP(2,A1:A3,B1:B3))", 30.0),
        # Arguments that are computed as arrays in ordinary cells too.
        ("=MAX(INDEX((A1:A3>1)*A1:A3,0))", 3.0),
        ("=MATCH(1,INDEX((A1:A3=2)*(B1:B3=20),0),0)", 2.0),
        ("=LOOKUP(2,1/(A1:A3<3),B1:B3)", 20.0),
        ("=SUMPRODUCT(COUNTIF(A1:A3,A1:A3))", 3.0),
        ("=SUM(A1:A3*2)", VALUE),
        # Operators between references.
        ("=SUM((A1:A3,B1))", 16.0),
        ("=SUM(A1:B2 B1:B3)", 30.0),
        ("=A1:A3 B1:B3", NULL),
        ("=AREAS((A1:A3,B1,C1))", 3.0),
        ("=AREAS(A1)", 1.0),
        ("=SMALL((A1:A3,B1:B3),5)", 20.0),
        ("=LARGE((A1:A3,B1:B3),1)", 30.0),
        ("=RANK(20,(A1:A3,B1:B3))", 2.0),
        ("=COUNT((A1:A3,C1:C3))", 3.0),
        ("=(A1,B1)+1", VALUE),
        ("=SUMIF((A1:A3,B1:B3),1)", VALUE),
        ("=SUM(Other:Third!A1)", 1100.0),
        ("=COUNT(S:Third!A1)", 3.0),
        ("=MAX(S:Third!A1:B1)", 1000.0),
        # What functions ask of references.
        ("=ROW()", 99.0),
        ("=COLUMN()", 26.0),
        ("=ROW(B7)", 7.0),
        ("=COLUMN(B7)", 2.0),
        ("=ROW(5)", VALUE),
        ("{=SUM(ROW(1:10))}", 55.0),
        ("{=SUM(COLUMN(A1:C1))}", 6.0),
        ("=ROWS({1,2;3,4;5,6})", 3.0),
        ("=COLUMNS({1,2;3,4;5,6})", 2.0),
        ("=COLUMNS(1:1)", 16384.0),
        ("=ROWS(A:A)", 1048576.0),
        ("=SHEET()", 1.0),
        ("=SHEET(Third!A1)", 3.0),
        ('=SHEET("other")', 2.0),
        ('=SHEET("none")', NA),
        ("=SHEETS()", 3.0),
        ("=SHEETS(Other:Third!A1)", 2.0),
        ("=FORMULATEXT(D1)", "=A1+1"),
        ("=FORMULATEXT(A1)", NA),
        ("=FORMULATEXT(5)", VALUE),
        ("=FORMULATEXT(Z99)", "=FORMULATEXT(Z99)"),
        ("=ISFORMULA(D1)", True),
        ("=ISFORMULA(A1)", False),
        ("=ISREF(A1)", True),
        ("=ISREF(5)", False),
        ("=ISREF(A1+1)", False),
        ("=ISREF(E1)", True),
        ('=ISREF(INDIRECT("A1"))', True),
        ("=TYPE(1)", 1.0),
        ('=TYPE("a")', 2.0),
        ("=TYPE(C3)", 4.0),
        ("=TYPE(E1)", 16.0),
        ("=TYPE(D9)", 1.0),
        ("=TYPE({1,2})", 64.0),
        ("=TYPE(A1:A3)", 64.0),
        ("=ERROR.TYPE(E1)", 2.0),
        ("=ERROR.TYPE(NA())", 7.0),
        ("=ERROR.TYPE(1)", NA),
        ("=ISEVEN(2.9)", True),
        ("=ISODD(-3)", True),
        ("=ISEVEN(D9)", True),
        ("=ISEVEN(TRUE)", VALUE),
        ('=ISODD("x")', VALUE),
        ('=ISODD("3")', True),
        ('=CELL("address",B2)', "$B$2"),
        ('=CELL("address",Other!B2)', "Other!$B$2"),
        ('=CELL("row",B2:C5)', 2.0),
        ('=CELL("col",B2)', 2.0),
        ('=CELL("contents",B2)', 20.0),
        ('=CELL("type",C2)', "l"),
        ('=CELL("type",A1)', "v"),
        ('=CELL("type",D9)', "b"),
        ('=CELL("format",A1)', "G"),
        ('=CELL("nothing",A1)', VALUE),
        ('=INFO("release")', "16.0"),
        ('=INFO("nothing")', VALUE),
        # Implicit intersection.
        ("=@A1:A3", VALUE),
        ("=@INDEX(A1:A3,2)", 2.0),
        ("=@{5,6}", 5.0),
    ],
)
def test_a_reference_is_a_value(formula, expected):
    assert value_of(formula, CELLS, names={"total": "66", "area": "S!$A$1:$A$3"} | NAMES) == expected


NAMES = {"total": "S!$F$1", "reach": "OFFSET(S!$A$1,0,0,3,1)"}
CELLS["F1"] = 66


def test_a_name_may_stand_for_a_computed_reference():
    assert value_of("=SUM(reach)", CELLS, names=NAMES) == 6.0


def test_implicit_intersection_takes_the_cell_in_line():
    cells = {"A1": 1, "A2": 2, "A3": 3, "B2": "=A1:A3*10", "C2": "=@A1:A3+1", "D2": "=INDEX(A1:A3,0)"}
    found = computed(workbook_of(cells))
    assert (found["S!B2"], found["S!C2"], found["S!D2"]) == (20.0, 3.0, 2.0)


# --- SUBTOTAL and AGGREGATE ----------------------------------------------------------------------------

LIST = {"A1": 10, "A2": 20, "A3": "=SUBTOTAL(9,A1:A2)", "A4": 30, "A5": 40, "A6": "=AGGREGATE(9,0,A1:A5)"}


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("=SUBTOTAL(9,A1:A6)", 100.0),
        ("=SUBTOTAL(1,A1:A6)", 25.0),
        ("=SUBTOTAL(2,A1:A6)", 4.0),
        ("=SUBTOTAL(3,A1:A6)", 4.0),
        ("=SUBTOTAL(4,A1:A6)", 40.0),
        ("=SUBTOTAL(5,A1:A6)", 10.0),
        ("=SUBTOTAL(6,A1:A6)", 240_000.0),
        ("=SUBTOTAL(10,A1:A2)", 50.0),
        ("=SUBTOTAL(11,A1:A2)", 25.0),
        ("=SUBTOTAL(109,A1:A6)", 70.0),
        ("=SUBTOTAL(103,A1:A6,B1:B9)", 3.0),
        ("=SUBTOTAL(12,A1:A6)", VALUE),
        ("=SUBTOTAL(9,{1,2})", VALUE),
        ("=SUBTOTAL(9,C1:C2)", DIV0),
        ("=AGGREGATE(9,6,C1:C3)", 5.0),
        ("=AGGREGATE(9,4,A1:A6)", 230.0),
        ("=AGGREGATE(9,5,A1:A6)", 200.0),
        ("=AGGREGATE(9,3,A1:A6,C1:C3)", 75.0),
        ("=AGGREGATE(12,0,A1:A6)", 25.0),
        ("=AGGREGATE(14,6,C1:C3,1)", 5.0),
        ("=AGGREGATE(15,6,A1:A2/{1;0},1)", 10.0),
        ("=AGGREGATE(16,0,A1:A6,0.5)", 25.0),
        ("=AGGREGATE(17,0,A1:A6,4)", 40.0),
        ("=AGGREGATE(18,0,A1:A6,0.5)", 25.0),
        ("=AGGREGATE(19,0,A1:A6,2)", 25.0),
        ("=AGGREGATE(14,6,C1:C3)", VALUE),
        ("=AGGREGATE(20,0,A1:A6,1)", VALUE),
        ("=AGGREGATE(9,8,A1:A6)", VALUE),
        ("=AGGREGATE(9,0,{1,2})", VALUE),
    ],
)
def test_totals_leave_out_totals_hidden_rows_and_errors(formula, expected):
    workbook = workbook_of({**LIST, "C1": 5, "C2": DIV0, "C3": "x", "Z99": formula})
    workbook.sheets[0].hidden_rows.add(4)
    assert computed(workbook)["S!Z99"] == expected


def test_rows_that_a_filter_hides_count_in_no_total():
    workbook = workbook_of({**LIST, "B1": "=SUBTOTAL(9,A1:A6)", "B2": "=SUBTOTAL(109,A1:A6)"})
    workbook.sheets[0].hidden_rows.update((2, 4))
    workbook.sheets[0].filtered_rows.add(4)
    found = computed(workbook)
    assert (found["S!B1"], found["S!B2"]) == (70.0, 50.0)


def test_totals_of_each_of_several_computed_references():
    # The way to count what a filter leaves: one total for each row.
    cells = {
        "A1": 5,
        "A2": 6,
        "A3": 7,
        "B1": "=SUMPRODUCT(SUBTOTAL(109,OFFSET(A1,ROW(A1:A3)-1,0))*(A1:A3>5))",
    }
    workbook = workbook_of(cells)
    workbook.sheets[0].hidden_rows.add(2)
    assert computed(workbook)["S!B1"] == 7.0
    assert value_of("=SUMPRODUCT(N(OFFSET(A1,{0;2},0)))", cells) == 12.0
    assert value_of('=SUMPRODUCT(SUMIF(INDIRECT({"A1:A2","A3"}),">5"))', cells) == 13.0


def test_a_stray_cell_far_out_does_not_stop_the_sums_of_all_that_is_filled():
    cells = {"D!A1": 1, "D!A2": 2, "D!B2": 5, "D!XFD1048576": "=A2+5", "D!C3": "x"}
    sums = {"SUM(D!A:XFD)": 15.0, "COUNTA(D!1:1048576)": 5.0, "MAX(D!A:XFC,D!B1:XFD1048576)": 7.0}
    for formula, expected in sums.items():
        assert value_of(f"={formula}", cells) == expected
    with pytest.raises(TooManyReferences):
        value_of("=CORREL(D!A:XFD,D!A:XFD)", cells)
