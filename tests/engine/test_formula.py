"""The formula language: what is read, what is refused and by which name, and that printing loses nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.engine import ErrorValue, UnreadableFormula, UnsupportedFormula
from tollway.engine.language.copying import parse_r1c1, shifted
from tollway.engine.language.formula import parse, print_formula
from tollway.engine.language.syntax import (
    ArrayConstant,
    Binary,
    Call,
    Corner,
    ErrorLiteral,
    External,
    Group,
    Invoke,
    Logical,
    Name,
    Node,
    Number,
    Omitted,
    Percent,
    Reference,
    Single,
    Spilled,
    Structured,
    Text,
    Unary,
)


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("=SUM( A1 : B2 , 3 )", "SUM(A1:B2,3)"),
        ("'it''s here'!$A$1", "'it''s here'!$A$1"),
        ("Sheet1!A:B", "Sheet1!A:B"),
        ("$1:2", "$1:2"),
        ("_xlfn.STDEV.S(A1)", "STDEV.S(A1)"),
        ("_xlfn._xlws.SORT(A1)", "SORT(A1)"),
        ("if(,1,)", "IF(,1,)"),
        ('{1,-2;TRUE,"a"}', '{1,-2;TRUE,"a"}'),
        ("@A1", "@A1"),
        ("_xlfn.SINGLE(A1:A9)", "@A1:A9"),
        ("SINGLE(A1+1)", "SINGLE(A1+1)"),
        ("_xlfn.ANCHORARRAY( $C$1 )", "$C$1#"),
        ("ANCHORARRAY(A1:B2)", "ANCHORARRAY(A1:B2)"),
        ("_xlfn._TRO_LEADING(A1:B9)", "_TRO_LEADING(A1:B9)"),
        ("_xlfn.NOT_YET_KNOWN(1)", "_XLFN.NOT_YET_KNOWN(1)"),
        ("Table1[Sales]", "Table1[Sales]"),
        ("Table1[]", "Table1[]"),
        ("Table1[ [#Headers], [a b] : [c] ]", "Table1[[#Headers],[a b]:[c]]"),
        ("T[[#This Row],[x'[y'']]", "T[[#This Row],[x'[y'']]"),
        ("T[@[a b]]", "T[[#This Row],[a b]]"),
        ("[@Sales]*2", "[[#This Row],[Sales]]*2"),
        ("T[#ALL]", "T[#All]"),
        ("T[@]", "T[#This Row]"),
        ("T[[#Data],[#Totals],[x]]", "T[[#Data],[#Totals],[x]]"),
        ("T[two\nlines]", "T[two\nlines]"),
        ("Jan:Mar!A1:B2", "Jan:Mar!A1:B2"),
        ("'a b:c d'!$A$1", "'a b:c d'!$A$1"),
        ("A1:INDEX(B1:B9,3)", "A1:INDEX(B1:B9,3)"),
        ("OFFSET(A1,1,1):B3", "OFFSET(A1,1,1):B3"),
        ("first_one:last_one", "first_one:last_one"),
        ("A1:B2:C3", "A1:B2:C3"),
        ("Sheet1!A1:Sheet1!B3", "Sheet1!A1:B3"),
        ("Sheet1!from_:Sheet1!to_", "Sheet1!from_:Sheet1!to_"),
        ("SUM((A1,B2:C3))", "SUM((A1,B2:C3))"),
        ("(A1:B2,C3) (B1:C9)", "(A1:B2,C3) (B1:C9)"),
        ("A1:B3 INDEX(A1:C4,0,2)", "A1:B3 INDEX(A1:C4,0,2)"),
        ("_xlfn.LAMBDA(_xlpm.x, _xlpm.x+1)(5)", "LAMBDA(_xlpm.x,_xlpm.x+1)(5)"),
        ("LAMBDA([x],x)()", "LAMBDA([x],x)()"),
        ("curried(1)(2)", "CURRIED(1)(2)"),
        ("'C:\\x y\\[b.xlsx]S'!A1:B2", "'C:\\x y\\[b.xlsx]S'!A1:B2"),
        ("[1]!rate", "[1]!rate"),
        ("[1]!Table1[a]", "[1]!Table1[a]"),
        ('{-1,+2,50%;#N/A,FALSE,"x"}', '{-1,2,0.5;#N/A,FALSE,"x"}'),
        ("1E+5+.5+5.", "100000+0.5+5"),
        ("#REF!A1+Sheet1!#REF!+#ref!$A$1", "#REF!+#REF!+#REF!"),
        ("na.me\\x?y+été+\\z", "na.me\\x?y+été+\\z"),
        ("SUM(\r\n A1 ,\n\tB1\n)", "SUM(A1,B1)"),
        ("TRUE()+FALSE", "TRUE()+FALSE"),
        ("!$A$1", "$A$1"),
        ("SUM (A1) + _xlfn.STDEV.S\n(A1)", "SUM(A1)+STDEV.S(A1)"),
        ("rates (A1:B2)", "rates (A1:B2)"),
        ("T[[#This Row],[#REF!]]", "T[[#This Row],['#REF!]]"),
        ("-@A1:A3^2", "-@A1:A3^2"),
        ("ZZZ:ZZZ", "ZZZ:ZZZ"),
        ("LOG10(2)", "LOG10(2)"),
        ("A1048577", "A1048577"),
        ("true", "TRUE"),
        ("[1]Sheet1!$A$1*2", "[1]Sheet1!$A$1*2"),
        ("A1:A3 B2:C2", "A1:A3 B2:C2"),
    ],
)
def test_a_formula_is_read_and_written_back(text, printed):
    assert print_formula(parse(text)) == printed


@pytest.mark.parametrize(
    ("text", "construct"),
    [
        ("cmd|'/c calc'!A0", "DDE link"),
        ("Excel|Sheet1!R1C1", "DDE link"),
        ("[1]!macro(1)", "function of another workbook (macro)"),
    ],
)
def test_what_asks_other_programs_is_refused_by_name(text, construct):
    with pytest.raises(UnsupportedFormula) as raised:
        parse(text)
    assert raised.value.construct == construct


@pytest.mark.parametrize(
    "text",
    [
        "1+",
        "SUM(1",
        "1)",
        "{1,2;3}",
        "A1 2",
        '"open',
        "1..2",
        "",
        "?",
        "A1,",
        "&",
        "T[",
        "T[[a]",
        "T[#Nothing]",
        "T[[a],[b]]",
        "T[[#All],[#Totals]]",
        "1#",
        "A1##",
        "Jan:Mar!name",
        "5:name",
        "Sheet1!(A1)",
        "1(2)",
        "{A1}",
        "{--1}",
        "A0:A1048577:",
        "$ZZZ:$ZZZ",
        "'open!A1",
        "@",
    ],
)
def test_what_excel_would_not_accept_is_refused(text):
    with pytest.raises(UnreadableFormula):
        parse(text)


def test_length_and_nesting_have_limits():
    parse("(" * 64 + "1" + ")" * 64)
    for text in (
        "1" * 8_193,
        "(" * 65 + "1" + ")" * 65,
        "ABS(" * 65 + "1" + ")" * 65,
        "-" * 8_000 + "1",
        "1" + "%" * 8_000,
    ):
        with pytest.raises(UnreadableFormula):
            parse(text)


def test_marks_that_only_the_file_shows_do_not_count_as_length():
    parse("_xlfn._xlws.N(" * 40 + "1+" * 3_950 + "1" + ")" * 40)
    with pytest.raises(UnreadableFormula, match="13,683 characters"):
        parse("_xlfn.N(1)+" * 2_736 + "_xl")


def test_a_chain_of_thousands_of_operators_is_fine():
    text = "+".join(["A1"] * 2_000)
    assert print_formula(parse(text)) == text


@pytest.mark.parametrize(
    ("text", "copied"),
    [
        ("A1+$A1+A$1+$A$1", "B3+$A3+B$1+$A$1"),
        ('SUM(A1:B2)&"A1"', 'SUM(B3:C4)&"A1"'),
        ("A:A+1:1", "B:B+3:3"),
        ("Sheet1!A1", "Sheet1!B3"),
        ("LOG10(A1)", "LOG10(B3)"),
        ("XFD1", "#REF!"),
        ("A1:XFD1", "B3:#REF!"),
        ("Sheet1!XFD:XFD", "Sheet1!#REF!"),
        ("SUM(A1,\n  $B2 )", "SUM(B3,\n  $B4 )"),
        ("T[[#This Row],[A1]]*A1", "T[[#This Row],[A1]]*B3"),
        ("Jan:Mar!A1+[1]S!A1+A1#", "Jan:Mar!B3+[1]S!B3+B3#"),
        ("_xlfn.LET(_xlpm.a1,A1,_xlpm.a1)", "_xlfn.LET(_xlpm.a1,B3,_xlpm.a1)"),
        ("A1:INDEX(A:A,2)", "B3:INDEX(B:B,2)"),
    ],
)
def test_a_shared_formula_moves_as_a_copy_would(text, copied):
    assert shifted(text, 2, 1) == copied


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("R1C1", "$A$1"),
        ("RC", "$D$5"),
        ("r[-1]c[2]", "$F$4"),
        ("R2", "$2:$2"),
        ("C[-1]", "$C:$C"),
        ("'a b'!R1C1:RC[3]", "'a b'!$A$1:$G$5"),
        ("Jan:Mar!R[1]C", "Jan:Mar!$D$6"),
        ("R[-5]C", "#REF!"),
        ("C16385", "#REF!"),
        ("rate", "rate"),
        ("[1]S!R1C1", "[1]S!R1C1"),
    ],
)
def test_references_by_numbers_are_read_for_their_cell(text, printed):
    assert print_formula(parse_r1c1(text, 5, 4)) == printed


def test_letters_are_no_reference_by_numbers():
    with pytest.raises(UnreadableFormula):
        parse_r1c1("A1", 5, 4)


# --- any tree --------------------------------------------------------------------------------------------

numbers = st.floats(min_value=0, max_value=1e300).map(Number)
texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=5).map(Text)
names = st.from_regex(r"[a-z]{4,6}_[a-z.]{0,3}", fullmatch=True).map(lambda text: Name(None, text))
corners = st.builds(Corner, st.integers(1, 1_048_576), st.integers(1, 16_384), st.booleans(), st.booleans())
sheets = st.sampled_from([None, "Sheet1", "my sheet", "it's", "A1", "a.b", "Äpfel"])
references = st.one_of(
    st.builds(Reference, sheets, corners),
    st.builds(Reference, sheets, corners, corners),
    st.builds(
        lambda sheet, first, last: Reference(sheet, Corner(None, first), Corner(None, last, False, True)),
        sheets,
        st.integers(1, 16_384),
        st.integers(1, 16_384),
    ),
)
plain = st.one_of(
    st.floats(-1e300, 1e300).map(lambda value: value + 0.0), st.booleans(), st.sampled_from(list(ErrorValue)),
    st.text('ab" ', max_size=3),
)  # fmt: skip
arrays = st.integers(1, 3).flatmap(
    lambda width: st.lists(st.tuples(*[plain] * width), min_size=1, max_size=3).map(
        lambda rows: ArrayConstant(tuple(rows))
    )
)
several_sheets = st.builds(
    lambda first, last, corner: Reference(first, corner, None, last),
    sheets.filter(bool),
    sheets.filter(bool),
    corners,
)
columns = st.text("ab \n[]#'@:é", min_size=1, max_size=4).filter(lambda name: name == name.strip())
items = st.sampled_from(
    [(), ("#all",), ("#data",), ("#headers",), ("#totals",), ("#this row",), ("#headers", "#data")]
)
structured = st.builds(
    lambda table, items, first, last: Structured(table, items, first, None if first is None else last),
    st.sampled_from([None, "Table1", "été"]),
    items,
    st.none() | columns,
    st.none() | columns,
)
externals = st.sampled_from(["[1]S!$A$1", "[1]!rate", "'C:\\[b.xlsx]it''s'!A1:B2", "[2]!T[a]"]).map(External)
leaves: st.SearchStrategy[Node] = st.one_of(
    numbers,
    texts,
    st.booleans().map(Logical),
    st.sampled_from(list(ErrorValue)).map(ErrorLiteral),
    names,
    references,
    several_sheets,
    structured,
    externals,
    arrays,
)


WHOLE = (Number, Text, Logical, Reference, Name, Call, Group, Structured, Spilled, Invoke)
ENDS = (Name, Call, Group, Structured, Invoke)


def bracketed(tree):
    return tree if isinstance(tree, WHOLE) else Group(tree)


def is_one_cell(tree):
    return isinstance(tree, Reference) and tree.last is None


def end(tree):
    """What may stand on one side of a colon, and before #."""
    return tree if isinstance(tree, ENDS) or is_one_cell(tree) else Group(tree)


def joined(operator, left, right):
    """Two references with an operator between; two cells would be read as one reference."""
    left, right = end(left), end(right)
    if is_one_cell(left) or isinstance(left, Name):
        left = Group(left)
    return Binary(operator, left, right)


OPERATORS = ["+", "-", "*", "/", "^", "&", "=", "<>", "<", ">", "<=", ">="]


def grown(trees):
    operands = trees.map(bracketed)
    several = st.lists(trees, min_size=1, max_size=3).map(tuple)
    return st.one_of(
        st.builds(Binary, st.sampled_from(OPERATORS), operands, operands),
        st.builds(Unary, st.sampled_from("+-"), operands),
        st.builds(Percent, operands),
        st.builds(Group, trees),
        st.builds(Call, st.sampled_from(["SUM", "IF", "NORM.S.INV"]), several),
        st.builds(Call, st.just("IF"), st.tuples(trees, st.just(Omitted()), trees)),
        st.builds(joined, st.sampled_from([":", " "]), trees, trees),
        st.builds(lambda left, right: Group(Binary(",", left, right)), operands, operands),
        st.builds(Single, operands),
        st.builds(Spilled, trees.map(end)),
        st.builds(lambda callee, arguments: Invoke(Group(callee), arguments), trees, several),
    )  # fmt: skip


@given(st.recursive(leaves, grown, max_leaves=12))
def test_reading_what_was_printed_gives_the_same_tree(tree):
    assert parse(print_formula(tree)) == tree
