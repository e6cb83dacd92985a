"""Dynamic arrays: where they spill, what blocks them, and arrays that fill a fixed area."""

import numpy as np
import pytest
from tests.engine.sheets import computed, workbook_of

from tollway.engine import ErrorValue, Input, build_program, evaluate
from tollway.engine.distributions import Uniform
from tollway.engine.workbooks.cells import Cell, DataTableFacts

NA, SPILL, CALC, REF, VALUE = (
    ErrorValue.NA,
    ErrorValue.SPILL,
    ErrorValue.CALC,
    ErrorValue.REF,
    ErrorValue.VALUE,
)
CELLS = {"A1": 1, "A2": 2, "A3": 3}


def values_of(cells, *addresses):
    found = computed(workbook_of({**CELLS, **cells}))
    return [found[f"S!{address}"] for address in addresses]


def test_a_dynamic_array_fills_the_cells_below_and_beside_it():
    assert values_of({"C1": "#=A1:A3*10#to C3"}, "C1", "C2", "C3") == [10.0, 20.0, 30.0]
    assert values_of({"C1": "#={1,2;3,4}#to D2"}, "C1", "D1", "C2", "D2") == [1.0, 2.0, 3.0, 4.0]


def test_blank_cells_of_an_array_show_zero():
    assert values_of({"C1": "#=A3:A4#to C2"}, "C1", "C2") == [3.0, 0.0]


def test_a_spill_is_blocked_by_other_contents():
    assert values_of({"C1": "#=A1:A3", "C3": "here"}, "C1") == [SPILL]
    assert values_of({"C1": "#=A1:A3", "C3": "=1"}, "C1") == [SPILL]
    assert values_of({"XFD1": "#={1,2}"}, "XFD1") == [SPILL]
    assert values_of({"A1048576": "#={1;2}"}, "A1048576") == [SPILL]


def test_an_array_may_be_larger_or_smaller_than_the_file_says():
    cells = {"C1": "#=A1:A3", "D1": "=SUM(C1:C9)", "D2": "=SUM(C1#)", "D3": "=ROWS(C1#)"}
    found = computed(workbook_of({**CELLS, **cells}))
    assert (found["S!D2"], found["S!D3"], found["S!D1"]) == (6.0, 3.0, 6.0)
    cells = {"C1": "#=FILTER(A1:A3,A1:A3>2)#to C3", "D1": "=COUNT(C1:C3)", "D2": "=ROWS(C1#)"}
    found = computed(workbook_of({**CELLS, **cells}))
    assert (found["S!C1"], found["S!D1"], found["S!D2"]) == (3.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("=SUM(C1#)", 60.0),
        ("=COUNT(C1#*2)", 3.0),
        ("=INDEX(C1#,2)", 20.0),
        ("=SUM(A1#)", REF),
        ("=SUM(Z50#)", REF),
        ("=ROW(C1#)", 1.0),
    ],
)
def test_a_spill_is_referred_to_by_its_first_cell(formula, expected):
    cells = {"C1": "#=A1:A3*10#to C3", "Z99": "#" + formula}
    assert computed(workbook_of({**CELLS, **cells}))["S!Z99"] == expected


def test_an_array_formula_fills_its_area_and_no_more():
    found = values_of({"C1": "{=A1:A3*10}D4"}, "C1", "C3", "D1", "D3", "C4", "D4")
    assert found == [10.0, 30.0, 10.0, 30.0, NA, NA]
    assert values_of({"C1": "{=5}D2"}, "C1", "D2") == [5.0, 5.0]
    assert values_of({"C1": "{=ROW()}C3"}, "C1", "C2", "C3") == [1.0, 2.0, 3.0]
    assert values_of({"C1": "{=ROW(A1:A3)}C2"}, "C1", "C2") == [1.0, 2.0]


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("=SUM({1,2,3}+{10;20})", 102.0),
        ("=SUM(IFERROR({1,2,3}+{1,2},0))", 6.0),
        ("=SUM(IF({TRUE,FALSE},{1;2},10))", 23.0),
        ("=SUM(ABS(A1:A3-2))", 2.0),
        ("=SUM(--(A1:A3>1))", 2.0),
        ("=SUM(ROUND(A1:A3/{2,4},1))", 4.6),
        ("=SUM(INDEX({1,2;3,4},{1,2},1))", 4.0),
        ('=SUM(LEN(A1:A3&{"a","bb"}))', 15.0),
        ("=IF({TRUE;FALSE},1)", 1.0),
        ("=A1:A3", 1.0),
    ],
)
def test_operators_and_functions_go_over_arrays_place_by_place(formula, expected):
    found = computed(workbook_of({**CELLS, "F1": "#" + formula}))["S!F1"]
    assert found == pytest.approx(expected)


# --- in programs ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        # The size of the array depends on the input.
        ({"C1": "#=FILTER(A1:A3,A1:A3<=B1)#to C2", "D1": "=SUM(C1#)+COUNT(C1:C9)"}, [2.0, 5.0, 9.0]),
        # The place of a reference depends on the input.
        ({"D1": "=SUM(OFFSET(A1,0,0,B1,1))"}, [1.0, 3.0, 6.0]),
        ({"D1": '=INDIRECT("A"&B1)*2'}, [2.0, 4.0, 6.0]),
        ({"D1": "=SUM(A1:INDEX(A1:A3,B1))"}, [1.0, 3.0, 6.0]),
        # It does not: the reference stands for its cells.
        ({"D1": "=SUM(OFFSET(A1,1,0,2,1))*B1"}, [5.0, 10.0, 15.0]),
        ({"D1": '=INDIRECT("B"&A1)+1'}, [2.0, 3.0, 4.0]),
        ({"D1": "=SUM(A1:INDEX(B1:B3,A1))"}, [2.0, 3.0, 4.0]),
        # LET and LAMBDA.
        ({"D1": "=LET(x,B1*2,y,x+1,IF(y>3,y,x))"}, [2.0, 5.0, 7.0]),
        ({"D1": "=LET(x,B1,MOD(x,2)+LEN(x&A1))"}, [3.0, 2.0, 3.0]),
        ({"D1": "=LAMBDA(x,x^2+A2)(B1)"}, [3.0, 6.0, 11.0]),
        ({"D1": "#=SUM(MAP(A1:A3,LAMBDA(x,x*B1)))"}, [6.0, 12.0, 18.0]),
        ({"D1": "=twice(B1)+twice(A2)"}, [6.0, 8.0, 10.0]),
        # Circles that only one branch goes round.
        ({"D1": "=IF(B1>0,B1,E1)", "E1": "=D1+1"}, [1.0, 2.0, 3.0]),
    ],
)
def test_a_program_gives_what_the_interpreter_does(cells, expected):
    workbook = workbook_of({**CELLS, "B1": 2, **cells}, names={"twice": "LAMBDA(x,x*2)"})
    program = build_program(workbook, [Input("B1", Uniform(1.0, 3.0))], ["D1"])
    found = evaluate(program, np.array([[1.0, 2.0, 3.0]]))
    assert found.values[0].tolist() == expected


def test_only_what_varies_in_place_is_interpreted_whole():
    cells = {**CELLS, "B1": 2, "D1": "=SUM(OFFSET(A1,1,0,2,1))*B1", "D2": "=SUM(OFFSET(A1,0,0,B1,1))"}
    workbook = workbook_of(cells)
    inputs = [Input("B1", Uniform(1.0, 3.0))]
    assert build_program(workbook, inputs, ["D1"]).interpreted_count == 0
    assert build_program(workbook, inputs, ["D2"]).interpreted_count == 1


def test_a_what_if_table_is_computed_anew_in_each_iteration():
    cells = {"A1": 2, "C1": 5, "F1": "=A1*C1", "E2": 10, "E3": 20, "G1": "=SUM(F2:F3)"}
    workbook = workbook_of(cells)
    facts = DataTableFacts((2, 6, 3, 6), None, (1, 3))
    for row in (2, 3):
        workbook.sheets[0].cells[row, 6] = Cell("TABLE(,C1)", None, data_table=facts)
    assert computed(workbook)["S!G1"] == 60.0
    program = build_program(workbook, [Input("A1", Uniform(1.0, 3.0))], ["G1"])
    assert evaluate(program, np.array([[1.0, 2.0, 3.0]])).values[0].tolist() == [30.0, 60.0, 90.0]


def test_circles_of_a_workbook_that_iterates_are_iterated_in_each_iteration():
    cells = {"A1": 10, "B1": "=A1+C1*0.5", "C1": "=B1"}
    workbook = workbook_of(cells, is_iterative=True, iterations_max=200, iteration_change_max=1e-12)
    program = build_program(workbook, [Input("A1", Uniform(0.0, 9.0))], ["B1"])
    assert evaluate(program, np.array([[1.0, 4.0]])).values[0] == pytest.approx([2.0, 8.0], abs=1e-9)
