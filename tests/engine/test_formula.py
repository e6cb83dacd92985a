"""The formula language: what is read, what is refused and by which name, and that printing loses nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.engine import ErrorValue, UnreadableFormula, UnsupportedFormula
from tollway.engine.formula import parse, shifted
from tollway.engine.syntax import (
    ArrayConstant,
    Binary,
    Call,
    Corner,
    ErrorLiteral,
    Group,
    Logical,
    Name,
    Number,
    Omitted,
    Percent,
    Reference,
    Text,
    Unary,
    print_formula,
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
        ("@A1", "A1"),
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
        ("SUM(Table1[Sales])", "structured reference"),
        ("[@Sales]*2", "structured reference"),
        ("A1#", "spilled range"),
        ("Jan:Dec!A1", "3-D reference"),
        ("A1:INDEX(B1:B9,3)", "range with a computed end"),
        ("@A1:A9", "implicit intersection"),
    ],
)
def test_what_is_not_computed_yet_is_refused_by_name(text, construct):
    with pytest.raises(UnsupportedFormula) as raised:
        parse(text)
    assert raised.value.construct == construct


@pytest.mark.parametrize(
    "text", ["1+", "SUM(1", "1)", "{1,2;3}", "A1 2", '"open', "1..2", "", "?", "A1,", "&"]
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
    ],
)
def test_a_shared_formula_moves_as_a_copy_would(text, copied):
    assert shifted(text, 2, 1) == copied


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
leaves = st.one_of(
    numbers,
    texts,
    st.booleans().map(Logical),
    st.sampled_from(list(ErrorValue)).map(ErrorLiteral),
    names,
    references,
    arrays,
)


def bracketed(tree):
    return tree if isinstance(tree, (Number, Text, Logical, Reference, Name, Call, Group)) else Group(tree)


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
    )  # fmt: skip


@given(st.recursive(leaves, grown, max_leaves=12))
def test_reading_what_was_printed_gives_the_same_tree(tree):
    assert parse(print_formula(tree)) == tree
