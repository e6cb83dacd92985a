"""Blocks of iterations against the scalar interpreter, iteration by iteration: numbers, error values, everything."""

import math

import numpy as np
import pytest
from tests.engine.sheets import computed, workbook_of

from tollway.engine import ErrorValue, Input, Uniform, build_program, evaluate

UNIT = Uniform(min=0.0, max=1.0)
# Values that reach the corners: equal to 15 digits, halves, integers, zeros, overflow, outside of every table.
SPECIAL = [
    0.0, 1.0, -1.0, 2.0, 0.5, 1.5, 2.5, 3.0, 4.0, 7.0, 0.3, 0.1 + 0.2, 0.29, 2.675, 1e-300, 1e308, -1e308, 1e200,
    100.0, 99.99999999999999, 3.0000000000000004, 2.9999999999999996, -0.5, -7.25, 12345.678,
]  # fmt: skip


def both_ways(cells: dict, formula: str, draws: np.ndarray):
    """(by blocks, by the interpreter) for inputs A1, A2, A3 and an output in Z99."""
    inputs = ["A1", "A2", "A3"][: len(draws)]
    workbook = workbook_of({**dict.fromkeys(inputs, 1), **cells, "Z99": formula})
    program = build_program(workbook, [Input(cell, UNIT) for cell in inputs], ["Z99"])
    found = evaluate(program, draws)
    by_blocks = [
        error_of(code) if code else value
        for value, code in zip(found.values[0].tolist(), found.errors[0].tolist(), strict=True)
    ]
    by_interpreter = []
    for lane in draws.T:
        values = dict(zip(inputs, lane.tolist(), strict=True))
        by_interpreter.append(as_output(computed(workbook_of({**values, **cells, "Z99": formula}))["S!Z99"]))
    return program, by_blocks, by_interpreter


def error_of(code: int) -> ErrorValue:
    return next(error for error in ErrorValue if error.code == code)


def as_output(value):
    """What an output shows of a value: logicals are 1 and 0, text is no number."""
    if isinstance(value, ErrorValue):
        return value
    return ErrorValue.VALUE if isinstance(value, str) else float(value)


def assert_same(found, expected) -> None:
    assert len(found) == len(expected)
    for ours, exact in zip(found, expected, strict=True):
        if isinstance(exact, ErrorValue) or isinstance(ours, ErrorValue):
            assert ours is exact
        else:
            assert math.isclose(ours, exact, rel_tol=1e-12, abs_tol=1e-300), (ours, exact)


def special_draws() -> np.ndarray:
    generator = np.random.default_rng(7)
    return np.array([generator.permutation(SPECIAL * 6) for _ in range(3)])


TABLES = {
    "D1": "low", "E1": 1, "F1": 10, "D2": "mid", "E2": 3, "F2": 20, "D3": "high", "E3": 7, "F3": 30,
    "G1": "=A1*2", "G2": "=A2+1", "G3": 5, "G4": "text", "G5": "=A1>A2", "G6": '=IF(A1>A2,"high","low")',
}  # fmt: skip
FORMULAS = [
    "=A1+A2", "=A1-A2", "=(A1-A2)", "=A1*A2", "=A1/A2", "=A1^A2", "=-A1^2", "=A1%",
    "=A1*A2*A3", "=1/(A1*A2)", "=A1*A2-A1*A2", "=A1*A2/A3+1",
    "=A1=A2", "=A1<>A2", "=A1<A2", "=A1>=0.3", "=A1<=100", "=A1=0", "=(A1>A2)+(A2>A3)", "=(A1>A2)=(A2>A3)",
    "=IF(A1>A2,A1/A3,A2)", "=IF(A1,1,2)", "=IF(A1>1,1/0,A2)", "=IF(A1>A2,5)", '=IF(A1>A2,A3,"none")',
    "=IFERROR(A1/A2,-1)", "=IFERROR(A1/A2,A2/A1)", '=IFERROR(A1/A2,"none")', "=IFNA(MATCH(A1,E1:E3,0),0)",
    "=ISERROR(A1/A2)", "=ISNUMBER(A1/A2)", "=ISNA(MATCH(A1,E1:E3))", "=ISERR(1/A1)",
    "=AND(A1>0,A2>0)", "=OR(A1>0,1/A2>0)", "=NOT(A1)", "=XOR(A1>0,A2>0)", "=AND(A1,G5)",
    "=SUM(A1:A3)", "=SUM(G1:G6)", "=AVERAGE(A1:A3,2)", "=MIN(A1:A3)", "=MAX(A1/A2,A3)", "=PRODUCT(A1:A3)",
    "=COUNT(G1:G6)", "=SUMSQ(A1:A3)", "=SUMPRODUCT(A1:A3,E1:E3)", "=SUMPRODUCT((A1:A3>1)*(A1:A3<50))",
    "=SUMPRODUCT(--(A1:A3>A2))", "=MAX(G1:G5)", "=STDEV(A1:A3)", "=MEDIAN(A1:A3,4)", "=LARGE(A1:A3,2)",
    "=ROUND(A1,0)", "=ROUND(A1,1)", "=ROUND(A1,2)", "=ROUND(A1,-1)", "=ROUND(A1,A2)", "=ROUNDUP(A1,0)",
    "=ROUNDUP(A1,2)", "=ROUNDDOWN(A1,1)", "=TRUNC(A1)", "=INT(A1)", "=INT(A1*A2)", "=MOD(A1,A2)", "=MOD(A1,0.1)",
    "=ABS(A1)", "=SIGN(A1)", "=SQRT(A1)", "=EXP(A1)", "=EXP(-A1*A2)", "=LN(A1)", "=LOG10(A1)", "=LOG(A1,A2)",
    "=POWER(A1,A2)", "=SIN(A1)", "=ATAN(A1*A2)", "=TANH(A1)", "=NORM.S.INV(A1)", "=NORM.S.DIST(A1,TRUE)",
    "=CHOOSE(A1,A2,A3,5)", "=CHOOSE(A1,A2,NA())",
    '=CHOOSE(A1,G6,"low",NA())', "=CHOOSE(A1,G5,NA())", "=SUM(A1:A3,IF(A1,G5,G5))", "=AVERAGE(IF(A1>A2,A3,C9),5)",
    "=SUM(INDEX(G3:G6,A1))", "=MAX(1,CHOOSE(A1,G5,A2))",
    "=INDEX(E1:E3,A1)", "=INDEX(G1:G3,A1)", "=INDEX(E1:F3,A1,2)", "=INDEX(E1:F1,A1)",
    "=INDEX(D1:D3,MATCH(A1,E1:E3))", "=SUM(INDEX(E1:E3,A1))", "=MATCH(A1,E1:E3,1)", "=MATCH(A1,E1:E3,0)",
    "=MATCH(A1,A2:A3,1)", "=VLOOKUP(A1,E1:F3,2)", "=VLOOKUP(A1,E1:F3,2,FALSE)", "=VLOOKUP(G6,D1:F3,3,FALSE)",
    "=HLOOKUP(A1,{1,3;10,20},2)", "=XLOOKUP(A1,E1:E3,F1:F3,0)", "=LOOKUP(A1,E1:E3,F1:F3)",
    '=IF(G6="HIGH",A1,A2)', "=G6&A1", "=LEN(G6)", '=IF(A1>A2,"a","b")="a"', "=G5*2", "=G5=TRUE",
    "=NPV(A1,A2,A3,5)", "=PMT(A1,A2,A3)", "=PMT(A1/100,12,A3,1,1)", "=PV(A1,10,A2)", "=FV(A1/10,5,A2)",
    "=NPER(A1,A2,A3)", "=IRR({-100,60,60})*A1", '=SUMIF(A1:A3,">1")', '=COUNTIF(A1:A3,"<=2")',
    "=CEILING(A1,A2)", "=FLOOR(A1,0.5)", "=YEAR(A1)", '=TEXTJOIN(",",TRUE,A1:A3)',
    "{=SUM(A1:A3*E1:E3)}", "{=SUM(IF(A1:A3>1,A1:A3))}", "{=MAX(A1:A3-E1:E3)}",
]  # fmt: skip


@pytest.mark.parametrize("formula", FORMULAS)
def test_blocks_agree_with_the_interpreter_at_the_corners(formula):
    _, by_blocks, by_interpreter = both_ways(TABLES, formula, special_draws())
    assert_same(by_blocks, by_interpreter)


HOT = [formula for formula in FORMULAS if formula.startswith(("=A1", "=ROUND", "=IF(A1>A2,A1"))]


@pytest.mark.parametrize(
    "formula", [*HOT, "=SUM(A1:A3)", "=AVERAGE(A1:A3,2)", "=INDEX(D1:D3,MATCH(A1,E1:E3))"]
)
def test_hot_formulas_never_fall_back_to_single_iterations(formula):
    draws = np.random.default_rng(3).uniform(0.5, 2.0, (3, 50))
    program, by_blocks, by_interpreter = both_ways(TABLES, formula, draws)
    assert program.interpreted_count == 0
    assert_same(by_blocks, by_interpreter)


def test_error_values_stand_in_their_own_iterations_only():
    workbook = workbook_of(
        {"A1": 1, "A2": 1, "B1": "=A1/A2", "B2": "=SQRT(A1)", "B3": "=B1+B2", "B4": "=MATCH(A1,{5,6})"}
    )
    program = build_program(workbook, [Input("A1", UNIT), Input("A2", UNIT)], ["B1", "B2", "B3", "B4"])
    found = evaluate(program, np.array([[4.0, 4.0, -4.0, 5.0], [2.0, 0.0, 0.0, 1.0]]))
    div0, num, na = ErrorValue.DIV0.code, ErrorValue.NUM.code, ErrorValue.NA.code
    assert found.errors.tolist() == [[0, div0, div0, 0], [0, 0, num, 0], [0, div0, div0, 0], [na, na, na, 0]]
    assert np.array_equal(np.isnan(found.values), found.errors != 0)
    assert found.values[2, 0] == 4.0


def test_texts_and_logicals_as_outputs():
    workbook = workbook_of({"A1": 1, "B1": "=A1>1", "B2": '=IF(A1>1,"yes","no")'})
    program = build_program(workbook, [Input("A1", UNIT)], ["B1", "B2"])
    found = evaluate(program, np.array([[0.0, 2.0]]))
    assert found.values[0].tolist() == [0.0, 1.0]
    assert found.errors[1].tolist() == [ErrorValue.VALUE.code] * 2


def test_blocks_longer_than_one_give_every_iteration():
    workbook = workbook_of({"A1": 1, "B1": "=A1*2"})
    program = build_program(workbook, [Input("A1", UNIT)], ["B1"])
    draws = np.arange(10_001.0).reshape(1, -1)
    assert np.array_equal(evaluate(program, draws).values, draws * 2)


def test_iterations_left_to_the_exact_rules_are_counted():
    cells = {"A1": 1, "A2": 1, "Z99": "=IF(A1+A2=0.3,1,0)"}
    program = build_program(workbook_of(cells), [Input("A1", UNIT), Input("A2", UNIT)], ["Z99"])
    found = evaluate(program, np.array([[0.1, 0.5, 0.1], [0.2, 0.5, 0.2]]))
    assert found.values[0].tolist() == [1.0, 0.0, 1.0]
    assert found.replayed_count == 2


def test_without_exactness_plain_doubles_stay_as_they_come():
    cells = {"A1": 1, "A2": 1, "Z99": "=IF(A1+A2=0.3,1,0)", "Z98": "=1/A1", "Z97": "=A2-A1"}
    program = build_program(workbook_of(cells), [Input("A1", UNIT), Input("A2", UNIT)], ["Z99", "Z98", "Z97"])
    draws = np.array([[0.1, 0.0], [0.2, 3.0]])
    found = evaluate(program, draws, is_exact=False)
    assert found.values[0].tolist() == [0.0, 0.0], "0.1 + 0.2 is not 0.3 in doubles"
    assert found.values[1][0] == 10.0
    assert error_of(found.errors[1][1]) is ErrorValue.NUM, "and 1/0 is merely not finite"
    assert evaluate(program, draws).errors[1][1] == ErrorValue.DIV0.code
    assert found.values[2].tolist() == [0.1, 3.0]


def test_the_error_of_a_later_term_comes_before_an_overflow_on_the_way():
    # 1E308 times 2 is too large, but what Excel shows is the error value of the last argument.
    formulas = {"Z99": "=PRODUCT(A1:A2,CHOOSE(A1,1,1))", "Z98": "=SUM(A1,A1,CHOOSE(A1,1,1))"}
    inputs = [Input("A1", UNIT), Input("A2", UNIT)]
    program = build_program(workbook_of({"A1": 1, "A2": 1, **formulas}), inputs, list(formulas))
    found = evaluate(program, np.array([[1e308, 1.0, 1e308], [2.0, 2.0, 3.0]]))
    assert [error_of(code) if code else 0 for code in found.errors[0]] == [
        ErrorValue.VALUE,
        0,
        ErrorValue.VALUE,
    ]
    assert [error_of(code) if code else 0 for code in found.errors[1]] == [
        ErrorValue.VALUE,
        0,
        ErrorValue.VALUE,
    ]
    assert (found.values[0][1], found.values[1][1]) == (2.0, 3.0)
    assert found.replayed_count == 2
