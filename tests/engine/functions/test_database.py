"""Database functions over the orchard of Microsoft's pages; what odd names and fields give as the corpus stores it."""

import pytest
from tests.engine.sheets import value_of

from tollway.engine import ErrorValue

DIV0, NUM, VALUE, NA = ErrorValue.DIV0, ErrorValue.NUM, ErrorValue.VALUE, ErrorValue.NA

ORCHARD = [
    ("Tree", "Height", "Age", "Yield", "Profit"),
    ("Apple", 18, 20, 14, 105),
    ("Pear", 12, 12, 10, 96),
    ("Cherry", 13, 14, 9, 105),
    ("Apple", 14, None, 10, 75),
    ("Pear", 9, 8, 8, 77),
    ("Apple", 8, 9, 6, 45),
]
CRITERIA = {
    # Apple trees of 10 to 16 feet, or pear trees.
    "H1": "Tree", "I1": "Height", "J1": "Height",
    "H2": "=Apple", "I2": ">10", "J2": "<16",
    "H3": "=Pear",
    # One column each.
    "L1": "Tree", "L2": "A",
    "M1": "tree", "M2": "=A",
    "N1": "Tree", "N2": "*e*r*",
    "O1": "Tree", "O2": "<>Apple",
    "P1": "Age", "P2": "=",
    "Q1": "Age", "Q2": "<>",
    "R1": "Height", "R2": 9,
    "S1": "Nothing", "S2": None,
    "T1": None, "T2": "=E12>AVERAGE($E$12:$E$17)",
    "U1": "Tree", "U2": ">B",
    "V1": "Tree", "V2": None, "V3": "Plum",
    "W1": "Yield", "W2": "12",
    "X1": "Height", "X2": "=18",
    "Y1": "rich", "Y2": '=AND(E12>100,A12<>"Apple")',
}  # fmt: skip
# What begins with an equals sign is a text here, and a formula in these.
FORMULAS = ("T2", "Y2")


def cells():
    """The orchard and the criteria, written as a sheet."""
    written = {
        f"{column}{row}": value
        for row, record in enumerate(ORCHARD, start=11)
        for column, value in zip("ABCDE", record, strict=True)
    }
    for place, value in CRITERIA.items():
        is_text = isinstance(value, str) and value.startswith("=") and place not in FORMULAS
        written[place] = f'="{value}"' if is_text else value
    return written


RECORDS = [
    ('=DCOUNT(A11:E17,"Age",H1:J2)', 0.0),
    ('=DCOUNTA(A11:E17,"Profit",H1:J2)', 1.0),
    ('=DMAX(A11:E17,"Profit",H1:H3)', 105.0),
    ('=DMIN(A11:E17,"Profit",H1:I2)', 75.0),
    ('=DSUM(A11:E17,"Profit",H1:H2)', 225.0),
    ('=DSUM(A11:E17,"Profit",H1:J3)', 248.0),
    ('=DPRODUCT(A11:E17,"Yield",H1:I2)', 140.0),
    ('=DAVERAGE(A11:E17,"Yield",H1:I2)', 12.0),
    ("=DAVERAGE(A11:E17,3,A11:E17)", pytest.approx(12.6)),
    ('=DSTDEV(A11:E17,"Yield",H1:H3)', pytest.approx(2.966479395)),
    ('=DSTDEVP(A11:E17,"Yield",H1:H3)', pytest.approx(2.653299832)),
    ('=DVAR(A11:E17,"Yield",H1:H3)', pytest.approx(8.8)),
    ('=DVARP(A11:E17,"Yield",H1:H3)', pytest.approx(7.04)),
    ('=DGET(A11:E17,"Yield",R1:R2)', 8.0),
    ('=DGET(A11:E17,"Tree",X1:X2)', "Apple"),
    ('=DGET(A11:E17,"Yield",H1:H3)', NUM),
    ('=DGET(A11:E17,"Yield",W1:W2)', VALUE),
]
CRITERIA_CASES = [
    ("a text finds what begins with it", "L1:L2", 3.0),
    ("an equals sign finds the text alone", "M1:M2", 0.0),
    ("wildcards", "N1:N2", 3.0),
    ("unlike a text", "O1:O2", 3.0),
    ("blanks", "P1:P2", 1.0),
    ("all but blanks", "Q1:Q2", 5.0),
    ("a number", "R1:R2", 1.0),
    ("a blank under a name that is no field", "S1:S2", 6.0),
    ("a formula is copied to each record", "T1:T2", 3.0),
    ("a formula under a name that is no field", "Y1:Y2", 1.0),
    ("texts in alphabetical order", "U1:U2", 3.0),
    ("a blank row is met by all", "V1:V3", 6.0),
]
FIELDS = [
    ('=DCOUNT(A11:E17,"HEIGHT",V1:V2)', 6.0),
    ("=DCOUNT(A11:E17,2.9,V1:V2)", 6.0),
    ("=DCOUNT(A11:E17,TRUE,V1:V2)", 0.0),
    ("=DCOUNT(A11:E17,,V1:V2)", 6.0),
    ("=DCOUNTA(A11:E17,,V1:V2)", 6.0),
    ("=DCOUNT(A11:E17,0,V1:V2)", VALUE),
    ("=DCOUNT(A11:E17,6,V1:V2)", VALUE),
    ('=DCOUNT(A11:E17,"Weight",V1:V2)', VALUE),
    ("=DCOUNT(A11:E17,B11:C11,V1:V2)", VALUE),
    ("=DCOUNT(A11:E17,Z1,V1:V2)", VALUE),
    ("=DCOUNT(A11:E17,NA(),V1:V2)", NA),
    ("=DSUM(A11:E17,,V1:V2)", VALUE),
    ('=DSUM(A11:E11,"Yield",V1:V2)', VALUE),
    ('=DSUM(A11:E17,"Yield",V1)', VALUE),
    ('=DSUM(A11:E17,"Tree",V1:V2)', 0.0),
    ('=DAVERAGE(A11:E17,"Tree",V1:V2)', DIV0),
    ('=DMAX(A11:E17,"Tree",V1:V2)', 0.0),
    ('=DPRODUCT(A11:E17,"Tree",V1:V2)', 0.0),
    ('=DVAR(A11:E17,"Yield",R1:R2)', DIV0),
    ('=DVARP(A11:E17,"Yield",W1:W2)', DIV0),
]


@pytest.mark.parametrize(("formula", "expected"), [*RECORDS, *FIELDS])
def test_a_database_function_gives_what_excel_gives(formula, expected):
    assert value_of(formula, cells()) == expected


@pytest.mark.parametrize(
    ("place", "expected"), [(place, count) for _, place, count in CRITERIA_CASES],
    ids=[name for name, _, _ in CRITERIA_CASES],
)  # fmt: skip
def test_criteria_find_the_records_that_excel_finds(place, expected):
    assert value_of(f"=DCOUNT(A11:E17,,{place})", cells()) == expected


def test_an_error_in_the_field_counts_as_filled_and_ends_a_sum():
    orchard = {**cells(), "D13": ErrorValue.DIV0}
    assert value_of('=DSUM(A11:E17,"Yield",V1:V2)', orchard) is DIV0
    assert value_of('=DCOUNT(A11:E17,"Yield",V1:V2)', orchard) == 5.0
    assert value_of('=DCOUNTA(A11:E17,"Yield",V1:V2)', orchard) == 6.0
    assert value_of('=DSUM(A11:E17,"Yield",H1:H2)', orchard) == 30.0


def test_variances_have_the_last_digits_of_excels_running_sums():
    """Stored by Excel: DVAR and DVARP over 12, 15 and 8."""
    cells = {"A1": "n", "A2": 12, "A3": 15, "A4": 8, "C1": "n", "D1": "n", "D2": 7}
    assert value_of('=DVAR(A1:A4,"n",C1:C2)', cells) == 12.333333333333343
    assert value_of('=DVARP(A1:A4,"n",C1:C2)', cells) == 8.222222222222221
    assert value_of('=DSTDEVP(A1:A4,"n",C1:C2)', {**cells, "A3": 12, "A4": 12}) == 0.0
    assert value_of('=DSTDEV(A1:A4,"n",D1:D2)', cells) is DIV0
