"""What becomes a program, and which inputs and outputs are refused in which words."""

import pickle

import numpy as np
import pytest
from tests.engine.sheets import workbook_of

from tollway.engine import (
    BadInputCell,
    BadOutputCell,
    CircularReference,
    Input,
    OutputDoesNotDependOnInputs,
    Uniform,
    UnsupportedFormula,
    Workbook,
    build_program,
    evaluate,
)
from tollway.engine.workbooks.workbook import Cell, Sheet

UNIT = Uniform(min=0.0, max=1.0)


def program_of(cells, inputs, outputs, **settings):
    return build_program(workbook_of(cells, **settings), [Input(cell, UNIT) for cell in inputs], outputs)


def names_of(program) -> list[str]:
    return [operation.name for operation in program.operations]


def test_cells_are_qualified_and_named_by_their_labels():
    cells = {"A1": "Price:", "B1": 2, "A2": "Revenue", "B2": "=B1*3", "My Sheet!A1": "='S'!B2"}
    program = program_of(cells, ["$B$1"], ["S!B2", "'My Sheet'!A1"])
    assert [given.cell for given in program.inputs] == ["S!B1"]
    assert [given.name for given in program.inputs] == ["Price"]
    assert program.outputs == ("S!B2", "'My Sheet'!A1")
    assert program.output_names == ("Revenue", None)


def test_what_no_input_reaches_is_folded_once():
    cells = {"A1": 2, "B1": 3, "C1": "=EXP(B1)*B1", "D1": "=A1*C1"}
    assert names_of(program_of(cells, ["A1"], ["D1"])) == ["multiply"]


def test_equal_parts_are_computed_once():
    cells = {"A1": 2, "B1": "=EXP(A1)+1", "C1": "=EXP(A1)+1", "D1": "=B1*C1"}
    assert names_of(program_of(cells, ["A1"], ["D1"])).count("call") == 1


def test_what_no_output_needs_is_left_out():
    cells = {"A1": 2, "B1": "=A1*2", "C1": "=EXP(A1)"}
    assert names_of(program_of(cells, ["A1"], ["B1"])) == ["multiply"]


def test_lookups_by_constant_texts_cost_nothing():
    cells = {
        "A1": 2,
        "B1": "x",
        "D1": "x",
        "E1": 5,
        "D2": "y",
        "E2": 6,
        "C1": "=VLOOKUP(B1,D1:E2,2,FALSE)*A1",
    }
    assert names_of(program_of(cells, ["A1"], ["C1"])) == ["multiply"]


def test_a_program_can_be_sent_to_another_process_after_it_ran():
    program = program_of({"A1": 2, "B1": "=MATCH(A1,{1,2,3})*10"}, ["A1"], ["B1"])
    draws = np.array([[1.0, 2.5]])
    first = evaluate(program, draws)
    second = evaluate(pickle.loads(pickle.dumps(program)), draws)
    assert np.array_equal(first.values, second.values)


CELLS = {"A1": 2, "B1": "=A1*2", "C1": "=1+1", "D1": "text", "E1": True, "F1": "=B1+F2", "F2": "=F1"}


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        (["B1"], "holds a formula"),
        (["D1"], "'text'"),
        (["E1"], "'True'"),
        (["Z9"], "is empty"),
        (["A1", "S!$A$1"], "twice"),
        (["Missing!A1"], "no sheet 'Missing'"),
        (["A1:A2"], "names no cell"),
        (["XFE1"], "outside a sheet"),
        ([], "1 to 1,000 inputs"),
        (["A1"] * 1_001, "1 to 1,000 inputs"),
    ],
)
def test_input_cells_that_cannot_be_drawn_are_refused(inputs, words):
    with pytest.raises(BadInputCell, match=words) as raised:
        program_of(CELLS, inputs, ["B1"])
    assert raised.value.code == "bad-input-cell"
    assert raised.value.field.startswith("inputs")


@pytest.mark.parametrize(
    ("outputs", "words"),
    [
        (["A1"], "holds a constant"),
        (["Z9"], "is empty"),
        (["B1", "B1"], "twice"),
        (["B"], "names no cell"),
        (["No!A1"], "no sheet 'No'"),
        ([], "1 to 100 outputs"),
        (["B1"] * 101, "1 to 100 outputs"),
    ],
)
def test_output_cells_that_cannot_be_read_are_refused(outputs, words):
    with pytest.raises(BadOutputCell, match=words) as raised:
        program_of(CELLS, ["A1"], outputs)
    assert raised.value.code == "bad-output-cell"


def test_an_output_that_no_input_reaches_is_refused():
    with pytest.raises(OutputDoesNotDependOnInputs, match="it is 2 in every iteration") as raised:
        program_of(CELLS, ["A1"], ["C1"])
    assert raised.value.code == "output-does-not-depend-on-inputs"
    assert raised.value.cells == ("S!C1",)


def test_a_circle_is_refused_only_where_it_is_needed():
    assert program_of(CELLS, ["A1"], ["B1"])
    with pytest.raises(CircularReference):
        program_of(CELLS, ["A1"], ["F1"])


def test_links_to_other_workbooks_keep_the_stored_value_unless_an_input_reaches_them():
    cells = {
        (1, 1): Cell("[1]Prices!$B$2*2", 84.0),
        (1, 2): Cell(None, 1.0),
        (1, 3): Cell("A1+B1", 85.0),
        (1, 4): Cell("[1]Prices!$B$2*B1", 42.0),
    }
    workbook = Workbook([Sheet("S", cells)])
    program = build_program(workbook, [Input("B1", UNIT)], ["C1"])
    assert evaluate(program, np.array([[0.5]])).values[0, 0] == 84.5
    with pytest.raises(UnsupportedFormula, match="another workbook") as raised:
        build_program(workbook, [Input("B1", UNIT)], ["D1"])
    assert raised.value.cells == ("S!D1",)
