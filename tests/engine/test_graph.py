"""The order of computation, circular references, and chains too long for recursion."""

import numpy as np
import pytest
from tests.engine.sheets import computed, workbook_of

from tollway.engine import (
    CircularReference,
    Input,
    TooManyReferences,
    Uniform,
    UnreadableFormula,
    UnsupportedFormula,
    Workbook,
    build_program,
    evaluate,
)
from tollway.engine.exact.graph import FormulaBook
from tollway.engine.workbooks.workbook import Cell, Sheet


def test_each_cell_comes_after_those_it_reads():
    book = FormulaBook(
        workbook_of({"A1": "=B1+C1", "B1": "=SUM(C1:C3)", "C1": "=D1", "C3": "=D1*2", "D1": 1})
    )
    order = [book.text(address) for address in book.order([(0, 1, 1)])]
    assert order.index("S!C1") < order.index("S!B1") < order.index("S!A1")
    assert order.index("S!C3") < order.index("S!B1")
    assert "S!D1" not in order


def test_only_what_the_targets_need_is_computed():
    book = FormulaBook(workbook_of({"A1": "=B1", "B1": "=1", "C1": "=B1", "D1": "=NOW()"}))
    assert book.order([(0, 1, 1)]) == [(0, 1, 2), (0, 1, 1)]


@pytest.mark.parametrize(
    ("cells", "named"),
    [
        ({"B5": "=B10+1", **{f"B{row}": f"=B{row - 1}" for row in range(6, 11)}}, "S!B5:B10"),
        ({"A1": "=A1"}, "S!A1"),
        ({"A1": "=SUM(A1:A3)"}, "S!A1"),
        ({"A1": "=C1", "B1": "=A1", "C1": "=B1"}, "S!A1:C1"),
        ({"A1": "=Other!B2", "Other!B2": "=S!A1"}, "S!A1, Other!B2"),
    ],
)
def test_circular_references_are_told_by_their_cells(cells, named):
    book = FormulaBook(workbook_of(cells))
    with pytest.raises(CircularReference) as raised:
        book.order(list(book.formula_addresses()))
    assert f"circular references in cells {named};" in raised.value.message
    assert raised.value.code == "circular-reference"
    assert raised.value.cells


def test_a_long_chain_of_cells_is_no_deeper_than_one_of_ten():
    length = 20_000
    cells = {(row, 1): Cell(f"A{row - 1}+1" if row > 1 else "1", None) for row in range(1, length + 1)}
    book = FormulaBook(Workbook([Sheet("S", cells)]))
    order = book.order([(0, length, 1)])
    assert len(order) == length
    assert order[0] == (0, 1, 1)


def test_a_formula_of_2_000_terms_is_computed():
    assert computed(workbook_of({"A1": 1, "B1": "=" + "+".join(["A1"] * 2_000)})) == {"S!B1": 2_000.0}


def test_whole_columns_cost_what_they_hold():
    workbook = workbook_of({"A1": 1, "A1048576": 2, "XFD1": 5, "B1": "=SUM(A:A)", "B2": "=COUNTBLANK(1:1)"})
    assert computed(workbook) == {"S!B1": 3.0, "S!B2": 16_381.0}


def test_formulas_that_read_too_much_are_refused():
    """One formula over 1,000 cells is fine; a hundred of them together are not."""
    rows = 1_000
    cells = {(row, 1): Cell(None, 1.0) for row in range(1, rows + 1)}
    cells |= {(row, 2): Cell(f"SUM($A$1:$A${rows})", None) for row in range(1, 101)}
    book = FormulaBook(Workbook([Sheet("S", cells)]), referenced_cells_max=99_999)
    with pytest.raises(TooManyReferences, match="99,999 cells"):
        book.order(list(book.formula_addresses()))


@pytest.mark.parametrize(
    ("formula", "construct"),
    [
        ("=CUBEVALUE(A1)", "CUBEVALUE"),
        ("=1+_xll.PRICE_OF(A1)", "PRICE_OF"),
        ("=IFERROR(__xludf.DUMMYFUNCTION(A1),2)", "DUMMYFUNCTION"),
        ("=_xlfn.NOT_YET_KNOWN(1)", "NOT_YET_KNOWN"),
        ("=cmd|'/c calc'!A0", "DDE link"),
        ("=[1]!macro(1)", "function of another workbook (macro)"),
    ],
)
def test_unsupported_formulas_are_refused_by_cell_and_construct(formula, construct):
    book = FormulaBook(workbook_of({"C7": formula}))
    with pytest.raises(UnsupportedFormula) as raised:
        book.tree((0, 7, 3))
    assert raised.value.construct == construct
    assert raised.value.cells == ("S!C7",)
    assert raised.value.message.startswith("S!C7: ")


def test_names_that_loop_are_refused():
    book = FormulaBook(workbook_of({"A1": "=here"}, names={"here": "there", "there": "here+1"}))
    with pytest.raises(UnreadableFormula, match=r"in a circle \(here -> there -> here\)"):
        book.tree((0, 1, 1))


def test_the_deepest_formula_that_is_read_is_also_computed():
    """Every limit on depth leaves room on Python's own stack."""
    brackets = "IF(A1>0,1+(" * 31 + "A1" + "),2)" * 31
    operators = "(1=1&1+1*1^" * 30 + "A1" + ")" * 30
    assert computed(workbook_of({"A1": 1, "B1": f"={brackets}"})) == {"S!B1": 32.0}
    assert computed(workbook_of({"A1": 1, "B1": f"=1{operators[1:].removesuffix(')')}"}))
    for formula in (brackets, operators):
        workbook = workbook_of({"A1": 1, "B1": f"=A1+{formula}"})
        program = build_program(workbook, [Input("A1", Uniform(min=0.0, max=1.0))], ["B1"])
        assert evaluate(program, np.array([[1.0, 2.0]])).values.shape == (1, 2)
