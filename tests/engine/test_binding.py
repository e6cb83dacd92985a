"""What formulas are bound to: tables, sheets, names that move, unions, LET and LAMBDA; and what is refused by name."""

import pytest
from tests.engine.sheets import place_of, workbook_of

from tollway.engine import (
    EngineError,
    ErrorValue,
    UnreadableFormula,
    UnsupportedFormula,
    Workbook,
    inspect_workbook,
)
from tollway.engine.exact.graph import FormulaBook
from tollway.engine.language.syntax import (
    Area,
    Binary,
    Call,
    DataTable,
    ErrorLiteral,
    Group,
    Invoke,
    Lambda,
    Let,
    NamedLambda,
    Number,
    Parameter,
    Single,
    Spilled,
    Union,
)
from tollway.engine.workbooks.cells import DataTableFacts, Table
from tollway.engine.workbooks.workbook import Cell, DefinedName

REF, VALUE, NAME = (ErrorLiteral(error) for error in (ErrorValue.REF, ErrorValue.VALUE, ErrorValue.NAME))
ONE = Number(1.0)


def area(text: str, sheet: int = 0, *, is_cell: bool | None = None) -> Area:
    first, _, last = text.partition(":")
    bounds = (*place_of(first), *place_of(last or first))
    return Area(sheet, bounds, not last if is_cell is None else is_cell)


def bound(formula: str, place: str = "C7", workbook: Workbook | None = None, **settings):
    workbook = workbook or workbook_of({"Other!A1": 1, "Third!A1": 1}, **settings)
    sheet, row_column = workbook.sheets[0], place_of(place)
    sheet.cells.setdefault(row_column, Cell(formula, None)).formula = formula
    return FormulaBook(workbook).tree((0, *row_column))


# --- tables ----------------------------------------------------------------------------------------------


def with_table(**changes) -> Workbook:
    """A table in B2:D6 of S: headers in row 2, data in rows 3 to 5, totals in row 6."""
    facts = {"header_count": 1, "totals_count": 1} | changes
    table = Table("Sales", 0, (2, 2, 6, 4), ("Year", "Net [EUR]", "two\nlines"), **facts)
    workbook = workbook_of({"Other!A1": 1})
    workbook.tables = {"sales": table}
    return workbook


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("Sales[]", area("B3:D5")),
        ("sales", area("B3:D5")),
        ("Sales[year]", area("B3:B5")),
        ("Sales[Net '[EUR']]", area("C3:C5")),
        ("Sales[two\r\nlines]", area("D3:D5")),
        ("Sales[[Year]:[two\nlines]]", area("B3:D5")),
        ("Sales[[two\nlines]:[Year]]", area("B3:D5")),
        ("Sales[#All]", area("B2:D6")),
        ("Sales[#Data]", area("B3:D5")),
        ("Sales[[#Headers],[Year]]", area("B2")),
        ("Sales[#Totals]", area("B6:D6")),
        ("Sales[[#Headers],[#Data],[Year]]", area("B2:B5")),
        ("Sales[[#Data],[#Totals],[Year]]", area("B3:B6")),
        ("Sales[@Year]", area("B4")),
        ("Sales[[#This Row],[Year]:[Net '[EUR']]]", area("B4:C4")),
        ("Sales[@]", area("B4:D4")),
        ("Sales[Month]", REF),
        ("Gone[Year]", REF),
    ],
)
def test_structured_references_mean_the_cells_of_their_table(formula, expected):
    assert bound(formula, "F4", with_table()) == expected


@pytest.mark.parametrize("place", ["F2", "F6", "F9"])
def test_this_row_beside_the_data_is_no_value(place):
    assert bound("Sales[@Year]", place, with_table()) == VALUE


def test_headers_and_totals_that_a_table_lacks_are_no_reference():
    assert bound("Sales[#Totals]", "F4", with_table(totals_count=0)) == REF
    assert bound("Sales[#Headers]", "F4", with_table(header_count=0)) == REF
    assert bound("Sales[[#Data],[#Totals]]", "F4", with_table(totals_count=0)) == area("B3:D6")


def test_inside_a_table_its_name_may_be_left_out():
    assert bound("[@Year]*2", "D4", with_table()) == Binary("*", area("B4"), Number(2.0))
    assert bound("[Year]", "F4", with_table()) == REF


# --- references ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("S:Third!A1", Union((area("A1"), area("A1", 1), area("A1", 2)))),
        ("'third:Other'!A1:B2", Union((area("A1:B2", 1), area("A1:B2", 2)))),
        ("Other:Other!A1", area("A1", 1)),
        ("S:Nowhere!A1", REF),
        ("Nowhere!A1", REF),
        ("Nowhere!rate", REF),
        ("SUM((A1,B2:C3))", Call("SUM", (Union((area("A1"), area("B2:C3"))),))),
        ("A1:B2:C3", area("A1:C3", is_cell=False)),
        ("A1:Other!B2", VALUE),
        ("(A1,C1:C9) A1:Z1", Union((area("A1"), area("C1")))),
        ("A1:A2 B1:B2", ErrorLiteral(ErrorValue.NULL)),
        ("A1:#REF!", REF),
        ("(A1,#REF!)", Group(REF)),
        ("A1:INDEX(B1:B9,3)", Binary(":", area("A1"), Call("INDEX", (area("B1:B9"), Number(3.0))))),
        ("A1:B3 INDEX(A1:B9,0,1)", Binary(" ", area("A1:B3"), Call("INDEX", (area("A1:B9"), Number(0.0), ONE)))),
        ("C1#", Spilled(area("C1"))),
        ("_xlfn.SINGLE(A1:A9)", Single(area("A1:A9"))),
        ("@A1", area("A1")),
        ("!$A$1", area("A1")),
    ],
)  # fmt: skip
def test_references_over_sheets_and_joined_ones_are_bound(formula, expected):
    assert bound(formula) == expected


@pytest.mark.parametrize(
    ("formula", "place", "expected"),
    [
        ("S!A1", "C7", "C7"),
        ("S!$A2", "C7", "A8"),
        ("S!B$1", "C7", "D1"),
        ("S!XFD1048576", "C7", "B6"),
        ("S!XFD1", "A7", "XFD7"),
    ],
)
def test_a_name_moves_with_the_cell_and_comes_in_again_at_the_other_end(formula, place, expected):
    assert bound("near", place, names={"near": formula}) == area(expected)


def test_a_sheet_has_its_own_name_first():
    workbook = workbook_of({"Other!A1": 1})
    workbook.names = {
        (None, "rate"): DefinedName("rate", "S!$A$1"),
        (1, "rate"): DefinedName("rate", "S!$A$2", 1),
        (0, "_xlnm.print_area"): DefinedName("_xlnm.Print_Area", "S!$A$1:$B$2", 0),
    }
    assert bound("rate", workbook=workbook) == area("A1")
    assert bound("Other!rate", workbook=workbook) == area("A2")
    assert bound("S!rate", workbook=workbook) == area("A1")
    assert bound("Print_Area", workbook=workbook) == area("A1:B2")
    assert bound("unknown", workbook=workbook) == NAME


def test_a_text_is_bound_as_if_it_stood_in_the_cell():
    book = FormulaBook(with_table())
    assert book.bind_text((0, 4, 6), "Other!B2:B3") == area("B2:B3", 1)
    assert book.bind_text((0, 4, 6), "Sales[@Year]") == area("B4")
    assert book.bind_text((0, 4, 6), "R[-1]C", is_r1c1=True) == area("F3")


# --- LET and LAMBDA --------------------------------------------------------------------------------------

X, Y = Parameter("x"), Parameter("y")


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("LET(_xlpm.X,1,_xlpm.x)", Let((("x", ONE),), X)),
        ("LET(x,1,y,x,x+y)", Let((("x", ONE), ("y", X)), Binary("+", X, Y))),
        ("LAMBDA(x,[y],x)", Lambda(("x", "y"), X, 1)),
        ("LAMBDA(_xlpm.x,_xlop.y,_xlpm.x)", Lambda(("x", "y"), X, 1)),
        ("LAMBDA(1)()", Invoke(Lambda((), ONE), ())),
        ("LAMBDA(x,LAMBDA(y,x+y))", Lambda(("x",), Lambda(("y",), Binary("+", X, Y)))),
        ("LET(f,LAMBDA(x,x),f(1))", Let((("f", Lambda(("x",), X)),), Invoke(Parameter("f"), (ONE,)))),
        ("LET(x,1,x)+x", Binary("+", Let((("x", ONE),), X), NAME)),
        ("LET(sum,LAMBDA(x,x),SUM(1))", Let((("sum", Lambda(("x",), X)),), Invoke(Parameter("sum"), (ONE,)))),
        ("twice(1)", Invoke(NamedLambda(None, "twice"), (ONE,))),
        ("LET(f,twice,f(1))", Let((("f", NamedLambda(None, "twice")),), Invoke(Parameter("f"), (ONE,)))),
        ("area_of(1)", Invoke(area("A1"), (ONE,))),
    ],
)
def test_let_and_lambda_bind_their_names(formula, expected):
    names = {"twice": "(LAMBDA(x,x*2))", "area_of": "S!$A$1"}
    assert bound(formula, names=names) == expected


def test_the_lambda_of_a_name_may_call_itself():
    workbook = workbook_of({"A1": "=countdown(3)"}, names={"countdown": "LAMBDA(x,IF(x>0,countdown(x-1),0))"})
    body = FormulaBook(workbook).named_lambda(None, "countdown")
    assert isinstance(body, Lambda)
    assert isinstance(body.body, Call)
    assert body.body.arguments[1] == Invoke(NamedLambda(None, "countdown"), (Binary("-", X, ONE),))


@pytest.mark.parametrize(
    ("body", "construct"),
    [
        ("LAMBDA(x,CUBEVALUE(x))", "CUBEVALUE"),
        ("LAMBDA(x,S!A1+x)", "relative reference in a named LAMBDA"),
        ("LAMBDA(1,2)", ""),
    ],
)
def test_a_lambda_that_is_not_computed_is_refused_with_each_formula_that_comes_to_it(body, construct):
    workbook = workbook_of({"A1": "=outer(1)", "A2": "=inner(1)", "A3": "=outer(2)+1", "A4": "=A1+1"})
    workbook.names = {
        (None, "outer"): DefinedName("outer", "LAMBDA(x,inner(x)+outer(x))"),
        (None, "inner"): DefinedName("inner", body),
    }
    book = FormulaBook(workbook)
    for row in (1, 2, 3):
        with pytest.raises(EngineError) as raised:
            book.tree((0, row, 1))
        assert raised.value.cells == (f"S!A{row}",)
        assert raised.value.message.startswith(f"S!A{row}: ")
        assert getattr(raised.value, "construct", "") == construct
    assert inspect_workbook(workbook).unsupported[:1] == (("S!A1", construct or "unreadable formula"),)


def test_a_function_without_brackets_is_a_lambda_around_it():
    names = ("argument 1",)
    summed = Lambda(names, Call("SUM", (Parameter("argument 1"),)))
    assert bound("LET(f,_xleta.SUM,f(1))") == Let((("f", summed),), Invoke(Parameter("f"), (ONE,)))
    assert bound("LET(f,SUM,f(1))") == bound("LET(f,_xleta.SUM,f(1))")
    assert bound("LET(f,max,f(1))", names={"max": "S!$A$1"}) != bound("LET(f,_xleta.MAX,f(1))")


@pytest.mark.parametrize(
    "formula",
    ["LET(x,1)", "LET(x,1,y,2)", "LET(A1,1,A1)", "LET([x],1,x)", "LAMBDA(x,x,1)", "LAMBDA([x],y,1)", "LAMBDA(1,2)"],
)  # fmt: skip
def test_malformed_let_and_lambda_are_refused(formula):
    with pytest.raises(UnreadableFormula):
        bound(formula)


# --- what is refused, and what is #NAME? -----------------------------------------------------------------


def test_what_is_no_function_of_excel_is_a_name_error_only_where_excel_saw_none():
    assert bound("NO_FUNCTION(1)") == NAME
    shown = workbook_of({"C7": 5})
    for workbook in (shown, workbook_of({"A1": 1})):
        workbook.has_macros = workbook is not shown
        with pytest.raises(UnsupportedFormula) as raised:
            bound("NO_FUNCTION(1)", workbook=workbook)
        assert raised.value.construct == "NO_FUNCTION"
        assert raised.value.cells == ("S!C7",)


def test_a_name_for_a_macro_is_refused():
    workbook = workbook_of({"A1": 1})
    workbook.names = {(None, "old"): DefinedName("old", "Macro1!$A$1", is_macro=True)}
    with pytest.raises(UnsupportedFormula, match="a macro of the workbook"):
        bound("old(1)", workbook=workbook)


def test_precision_as_displayed_is_refused_by_name():
    workbook = workbook_of({"A1": 1})
    workbook.is_full_precision = False
    with pytest.raises(UnsupportedFormula) as raised:
        bound("A1*2", workbook=workbook)
    assert raised.value.construct == "precision as displayed"


# --- what-if tables --------------------------------------------------------------------------------------


def table_cell(facts: DataTableFacts, place: str):
    workbook = workbook_of({})
    workbook.sheets[0].cells[place_of(place)] = Cell("TABLE(,)", 1.0, data_table=facts)
    return FormulaBook(workbook).tree((0, *place_of(place)))


def test_what_if_tables_put_the_values_beside_and_above_into_their_inputs():
    row_input, column_input, bounds = place_of("J1"), place_of("J2"), (5, 3, 9, 6)
    two_way = DataTableFacts(bounds, row_input, column_input)
    in_row, in_column = (area("J1"), area("D4")), (area("J2"), area("B6"))
    assert table_cell(two_way, "D6") == DataTable(area("B4"), (in_row, in_column))
    assert table_cell(DataTableFacts(bounds, row_input, None), "D6") == DataTable(area("B6"), (in_row,))
    assert table_cell(DataTableFacts(bounds, None, column_input), "D6") == DataTable(area("D4"), (in_column,))
    assert table_cell(DataTableFacts(bounds, None, column_input, is_broken=True), "D6") == REF


def test_a_group_keeps_its_brackets_but_a_union_needs_none():
    assert bound("(A1)") == Group(area("A1"))
    assert bound("(A1,A2)") == Union((area("A1"), area("A2")))
