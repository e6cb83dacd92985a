"""Formulas computed when their values are wanted: laziness, circles, long chains, what-if tables."""

import pytest
from tests.engine.sheets import computed, value_of, workbook_of

from tollway.engine import CircularReference, ErrorValue, UnsupportedFormula, Workbook
from tollway.engine.agreement import check_agreement
from tollway.engine.exact.calculation import Calculation
from tollway.engine.exact.graph import FormulaBook
from tollway.engine.inspect import BoundFormulas, inspect_workbook
from tollway.engine.language.syntax import Area, DataTable
from tollway.engine.workbooks.workbook import Cell, Sheet

NUM, VALUE, REF, NA, DIV0 = (
    ErrorValue.NUM,
    ErrorValue.VALUE,
    ErrorValue.REF,
    ErrorValue.NA,
    ErrorValue.DIV0,
)


@pytest.mark.parametrize(
    "cells",
    [
        {"A1": "=IF(TRUE,1,A1)"},
        {"A1": "=CHOOSE(2,A1,1,A1)"},
        {"A1": "=IFS(FALSE,A1,TRUE,1,TRUE,A1)"},
        {"A1": "=SWITCH(2,1,A1,2,1,A1)"},
        {"A1": "=IFERROR(1,A1)"},
        {"A1": "=IFNA(1,A1)"},
        {"A1": "=IF(B1>0,1,C1)", "B1": 5, "C1": "=A1+1"},
        {"A1": "=IF(B1=0,C1,1)", "B1": 5, "C1": "=A1+1"},
        {"A1": "=ROW(A1)"},
        {"A1": "=COLUMNS(A1)"},
        {"A1": "=INDEX(A1:B2,2,2)", "B2": 1},
        {"A1": '=IF(ISREF(A1),1,"")'},
    ],
)
def test_only_what_a_formula_truly_reads_can_make_a_circle(cells):
    assert computed(workbook_of(cells))["S!A1"] == 1.0


def test_a_lookup_in_its_own_table_reads_the_column_it_searches_and_the_cell_it_gives():
    cells = {"C1": "=VLOOKUP(2,A1:C3,2,FALSE)", "A3": 2, "B3": 1}
    assert computed(workbook_of(cells))["S!C1"] == 1.0


@pytest.mark.parametrize(
    "cells",
    [
        {"A1": "=A1"},
        {"A1": "=B1", "B1": "=A1"},
        {"A1": "=SUM(A1:A3)"},
        {"A1": "=IF(A1,1,2)"},
        {"A1": '=INDIRECT("B1")', "B1": "=A1"},
        {"A1": "=OFFSET(B1,0,0)", "B1": "=A1"},
        {"A1": "=C1", "B1": "=C1+A1", "C1": "=B1"},
    ],
)
def test_a_true_circle_names_its_cells(cells):
    with pytest.raises(CircularReference, match="S!") as refusal:
        computed(workbook_of(cells))
    assert "S!A1" in refusal.value.cells or "S!B1" in refusal.value.cells


def test_a_circle_outside_what_is_asked_for_does_not_matter():
    calculation = Calculation(FormulaBook(workbook_of({"A1": "=A1", "B1": "=1+1"})))
    assert calculation.value((0, 1, 2)) == 2.0


@pytest.mark.parametrize("step", [1, -1])
def test_a_long_chain_of_cells_is_computed_from_either_end(step):
    length = 30_000
    first, last = (1, length) if step == 1 else (length, 1)
    cells = {(row, 1): Cell(f"A{row - step}+1", None) for row in range(1, length + 1)}
    cells[first, 1] = Cell(None, 1.0)
    book = FormulaBook(Workbook([Sheet("S", cells)]))
    assert Calculation(book).value((0, last, 1)) == float(length)


def test_what_cannot_be_computed_is_refused_by_name_unless_the_calculation_is_lenient():
    book = FormulaBook(workbook_of({"A1": "=RAND()", "A2": "=A1+1"}, stored={"A1": 0.25}))
    with pytest.raises(UnsupportedFormula) as refusal:
        Calculation(book).value((0, 2, 1))
    assert refusal.value.message.startswith("S!A1: The formula uses RAND")
    lenient = Calculation(book, is_lenient=True)
    assert lenient.value((0, 2, 1)) == 1.25
    assert list(lenient.refused) == [(0, 1, 1)]


def test_given_values_replace_those_of_the_workbook():
    book = FormulaBook(workbook_of({"A1": 1, "A2": "=A1*10", "A3": "=A2+1"}))
    assert Calculation(book, {(0, 1, 1): 2.0}).value((0, 3, 1)) == 21.0
    assert Calculation(book, {(0, 2, 1): 2.0}).value((0, 3, 1)) == 3.0


# --- iteration -----------------------------------------------------------------------------------------


def test_circles_are_iterated_where_the_workbook_says_so():
    cells = {"A1": "=B1*0.5+10", "B1": "=A1", "C1": "=B1*2"}
    book = FormulaBook(workbook_of(cells, is_iterative=True, iterations_max=100, iteration_change_max=1e-9))
    calculation = Calculation(book)
    calculation.compute(list(book.formula_addresses()))
    assert calculation.value((0, 1, 3)) == pytest.approx(40.0, abs=1e-6)
    assert calculation.iterated.cells == {(0, 1, 1), (0, 1, 2)}
    assert not calculation.iterated.unsettled


def test_iteration_goes_row_by_row_and_stops_at_its_limit():
    # B1 is computed after A1 in each round, so a count of three rounds shows in both.
    cells = {"A1": "=B1+1", "B1": "=A1"}
    book = FormulaBook(workbook_of(cells, is_iterative=True, iterations_max=3, iteration_change_max=0.001))
    calculation = Calculation(book)
    assert calculation.value((0, 1, 1)) == 3.0
    assert calculation.value((0, 1, 2)) == 3.0
    assert calculation.iterated.unsettled == {(0, 1, 1), (0, 1, 2)}


def test_iteration_starts_from_the_stored_values():
    book = FormulaBook(workbook_of({"A1": "=A1+1"}, stored={"A1": 41.0}, is_iterative=True, iterations_max=1))
    assert Calculation(book).value((0, 1, 1)) == 42.0


def test_a_circle_takes_in_the_cells_it_finds_on_its_way():
    cells = {"A1": "=IF(B1>0,C1,0)*0.5+1", "B1": "=A1*0+1", "C1": "=D1", "D1": "=A1"}
    book = FormulaBook(workbook_of(cells, is_iterative=True, iterations_max=200, iteration_change_max=1e-12))
    calculation = Calculation(book)
    assert calculation.value((0, 1, 1)) == pytest.approx(2.0, abs=1e-9)
    assert len(calculation.iterated.cells) == 4


# --- what the self-check makes of it -------------------------------------------------------------------


def test_circles_that_never_settle_are_left_out_of_the_self_check():
    cells = {"A1": "=A1+1", "B1": "=B1*0.5+1", "C1": "=2*3"}
    stored = {"A1": 7.0, "B1": 2.0, "C1": 6.0}
    agreement = inspect_workbook(
        workbook_of(cells, stored=stored, is_iterative=True, iterations_max=50)
    ).agreement
    assert (agreement.equal, agreement.different, agreement.left_out) == (2, 0, 1)
    assert agreement.iterated == 2


def test_what_depends_on_the_moment_is_counted_apart():
    cells = {"A1": "=TODAY()", "A2": "=A1+1", "A3": "=SUM(A1:A2)", "A4": "=1+1"}
    book = FormulaBook(workbook_of(cells, stored={"A1": 1.0, "A2": 2.0, "A3": 3.0, "A4": 2.0}))
    trees = BoundFormulas(book, list(book.formula_addresses()))
    agreement = check_agreement(book, trees.bound, trees.order())
    assert (agreement.equal, agreement.volatile, agreement.different) == (1, 3, 0)
    assert agreement.as_json()["volatile"] == 3


# --- what-if tables ------------------------------------------------------------------------------------


def one(row: int, column: int) -> Area:
    return Area(0, (row, column, row, column), True)


def test_a_what_if_table_computes_its_formula_with_other_inputs():
    cells = {"A1": 2, "A2": 3, "B1": "=A1*A2+C1", "C1": 100, "D1": 5, "D2": 7}
    calculation = Calculation(FormulaBook(workbook_of(cells)))
    one_way = DataTable(one(1, 2), ((one(1, 1), one(1, 4)),))
    two_way = DataTable(one(1, 2), ((one(1, 1), one(1, 4)), (one(2, 1), one(2, 4))))
    assert calculation.what_if(one_way) == 115.0
    assert calculation.what_if(two_way) == 135.0
    assert calculation.value((0, 1, 2)) == 106.0


# --- values --------------------------------------------------------------------------------------------

CELLS = {"A1": 1, "A2": 2, "A3": 3, "B1": "x", "B2": DIV0, "C1": True}


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("=IF(A1:A3>1,1,0)", VALUE),
        ("=SUM(IF(A1>0,A1:A3,B2))", 6.0),
        ("=SUM(CHOOSE(2,B2,A1:A3))", 6.0),
        ("=SUM(IFS(FALSE,B2,TRUE,A1:A3))", 6.0),
        ("=SUM(SWITCH(1,2,B2,1,A1:A3))", 6.0),
        ("=SWITCH(5,1,B2)", NA),
        ("=SWITCH(5,1,B2,7)", 7.0),
        ("=IFS(FALSE,1)", NA),
        ("=IFS(B2,1,TRUE,2)", DIV0),
        ("=IFERROR(B2,5)", 5.0),
        ("=IFERROR(D9,5)", 0.0),
        ("=IFNA(B2,5)", DIV0),
        ("=IF(B2,1,2)", DIV0),
        ("=CHOOSE(4,1,2)", VALUE),
        ("=CHOOSE(1.9,1,2)", 1.0),
        ('=IF("x",1,2)', VALUE),
        ("=IF(FALSE,1)", False),
        ("=IF(TRUE,,5)", 0.0),
        ("{=SUM(IF(A1:A3>1,A1:A3,0))}", 5.0),
        ("{=SUM(IFERROR(B1:B2,7))}", 7.0),
        ("{=SUM(IFS(A1:A3>2,10,A1:A3>1,1,TRUE,0))}", 11.0),
        ("{=SUM(SWITCH(A1:A3,1,10,2,20,0))}", 30.0),
        ("=SUMPRODUCT((A1:A3>1)*A1:A3)", 5.0),
        ("=VLOOKUP(2,CHOOSE({1,2},A1:A3,C1:C3),1,FALSE)", 2.0),
    ],
)
def test_a_choice_reads_what_it_takes(formula, expected):
    assert value_of(formula, CELLS) == expected
