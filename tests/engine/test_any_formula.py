"""Any formula: blocks of iterations against the scalar interpreter, cell by cell, over a grammar of random formulas.

Inputs take the values that reach corners; formulas nest operators, conditions, lookups, text, dates, finance, LET,
LAMBDA, computed references and arrays, and refer to cells that vary, cells that do not, blanks and error values.
"""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.engine.test_evaluate import SPECIAL, TABLES, assert_same, both_ways

leaves = st.one_of(
    st.sampled_from(["A1", "A2", "A3", "G1", "G2", "G3", "G5", "G6", "C9", "E2"]),
    st.sampled_from(["0", "1", "2.5", "-3", "0.1", "1E+200", "TRUE", '"low"', '"5"', "NA()"]),
)
AREAS = st.sampled_from(["A1:A3", "G1:G6", "C8:C9", "E1:E3"])
ONE = ["ABS", "INT", "EXP", "LN", "NOT", "ISERROR", "ISNUMBER", "SIGN", "SQRT", "LEN", "N", "T", "EVEN", "ISTEXT",
       "YEAR", "MONTH", "FACT", "UPPER", "TRUNC", "NORM.S.INV"]  # fmt: skip
TWO = ["MOD", "POWER", "ROUNDUP", "ROUNDDOWN", "QUOTIENT", "IFERROR", "IFNA", "LEFT", "EXACT", "EDATE", "LOG", "ATAN2",
       "BITAND", "CONCAT", "CEILING.MATH", "EFFECT"]  # fmt: skip
MANY = [
    "SUM",
    "MAX",
    "MIN",
    "AVERAGE",
    "AND",
    "OR",
    "XOR",
    "COUNT",
    "COUNTA",
    "PRODUCT",
    "SUMSQ",
    "MEDIAN",
    "STDEV.S",
]


def called(name, *arguments):
    return st.tuples(*arguments).map(lambda given: f"{name}({','.join(given)})")


def grown(parts):
    operator = st.sampled_from(["+", "-", "*", "/", "^", "=", "<>", "<", ">=", "&"])
    return st.one_of(
        st.tuples(parts, operator, parts).map(lambda part: f"({part[0]}){part[1]}({part[2]})"),
        st.tuples(parts, st.sampled_from("+-"), parts).map(lambda part: f"{part[0]}{part[1]}{part[2]}"),
        called("IF", parts, parts, parts),
        called("IFS", parts, parts, parts, parts),
        called("SWITCH", parts, st.just("1"), parts, parts, parts),
        st.sampled_from(MANY).flatmap(lambda name: called(name, AREAS, parts)),
        st.sampled_from(ONE).flatmap(lambda name: called(name, parts)),
        st.sampled_from(TWO).flatmap(lambda name: called(name, parts, parts)),
        called("ROUND", parts, st.sampled_from(["0", "1", "-1", "A3"])),
        called("CHOOSE", parts, parts, parts),
        called("INDEX", st.sampled_from(["E1:E3", "G1:G3", "D1:D3"]), parts),
        called("MATCH", parts, st.sampled_from(["E1:E3", "D1:D3"]), st.sampled_from(["0", "1"])),
        called("VLOOKUP", parts, st.just("E1:F3"), st.just("2"), st.sampled_from(["TRUE", "FALSE"])),
        called(
            "XLOOKUP", parts, st.just("E1:E3"), st.just("F1:F3"), parts, st.sampled_from(["0", "-1", "1"])
        ),
        called("SUMPRODUCT", st.sampled_from(["A1:A3", "G1:G3", "(A1:A3>1)*E1:E3"])),
        called("SUMIF", AREAS, parts),
        called("COUNTIF", AREAS, parts),
        called("DATE", parts, parts, parts),
        called("PMT", parts, parts, parts),
        called("NPV", parts, AREAS),
        called("MID", parts, parts, parts),
        called("TEXT", parts, st.sampled_from(['"0.00"', '"0%"', '"yyyy"'])),
        called("LET", st.just("x"), parts, parts.map(lambda part: f"x+{part}")),
        st.tuples(parts, parts).map(lambda part: f"LAMBDA(y,y*{part[0]})({part[1]})"),
        parts.map(lambda part: f"SUM(MAP(A1:A3,LAMBDA(z,z+{part})))"),
        parts.map(lambda part: f"SUM(OFFSET(E1,0,0,{part},1))"),
        parts.map(lambda part: f'INDIRECT("E"&{part})'),
        parts.map(lambda part: f"SUM(FILTER(A1:A3,A1:A3>{part}))"),
        parts.map(lambda part: f"LARGE(A1:A3,{part})"),
    )


formulas = st.recursive(leaves, grown, max_leaves=8).flatmap(
    lambda text: st.sampled_from([f"=A1*0+({text})", f"=IF(A1=A1,{text},0)"])
)
lanes = st.lists(st.tuples(*[st.sampled_from(SPECIAL)] * 3), min_size=1, max_size=6)


def check_any_formula(formula: str, drawn: list[tuple[float, ...]]) -> None:
    _, by_blocks, by_interpreter = both_ways(TABLES, formula, np.array(drawn).T)
    try:
        assert_same(by_blocks, by_interpreter)
    except AssertionError as difference:
        raise AssertionError(f"{formula} with {drawn}: {difference}") from difference


@settings(max_examples=300)
@given(formulas, lanes)
def test_any_formula_gives_the_same_in_blocks_and_one_by_one(formula, drawn):
    check_any_formula(formula, drawn)


@pytest.mark.soak
@pytest.mark.timeout(7_200)
@settings(max_examples=330_000, deadline=None, suppress_health_check=list(HealthCheck))
@given(formulas, lanes)
def test_any_formula_for_a_long_time(formula, drawn):
    check_any_formula(formula, drawn)
