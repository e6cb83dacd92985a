"""Regular expressions: their functions, PCRE2's grammar, and the bound on what a search may take."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.engine.sheets import value_of

from tollway.engine import ErrorValue
from tollway.engine.functions.registry import FailedError
from tollway.engine.functions.text.regex import PATTERN_LENGTH_MAX, compiled
from tollway.engine.values import UnsupportedFormula

VALUE, NA = ErrorValue.VALUE, ErrorValue.NA

FORMULAS = [
    ('=REGEXTEST("alfalfa","a")', True),
    ('=REGEXTEST("alfalfa","[A-Z]")', False),
    ('=REGEXTEST("alfalfa","[A-Z]",1)', True),
    ('=REGEXTEST("alfalfa","[")', VALUE),
    ('=REGEXTEST("alfalfa","a",2)', VALUE),
    ('=REGEXEXTRACT("DylanWilliams","[A-Z][a-z]+")', "Dylan"),
    ('=ARRAYTOTEXT(REGEXEXTRACT("DylanWilliams","[A-Z][a-z]+",1),1)', '{"Dylan","Williams"}'),
    ('=ARRAYTOTEXT(REGEXEXTRACT("a-1, b-2","(\\w)-(\\d)(x)?",2),1)', '{"a","1",""}'),
    ('=REGEXEXTRACT("abc","\\d")', NA),
    ('=REGEXEXTRACT("abc","\\d",1)', NA),
    ('=REGEXEXTRACT("abc","b",2)', VALUE),
    ('=REGEXEXTRACT("abc","b",3)', VALUE),
    ('=REGEXEXTRACT("abc","B",0,1)', "b"),
    ('=REGEXREPLACE("SoniaBrown","([A-Z][a-z]+)([A-Z][a-z]+)","$2, $1")', "Brown, Sonia"),
    ('=REGEXREPLACE("(378) 555-4195","[0-9]+-","***-")', "(378) ***-4195"),
    ('=REGEXREPLACE("aXbXc","X","-",2)', "aXb-c"),
    ('=REGEXREPLACE("aXbXc","X","-",-2)', "a-bXc"),
    ('=REGEXREPLACE("aXbXc","X","-",3)', "aXbXc"),
    ('=REGEXREPLACE("abc","(?<l>b)","[${l}$0$$]")', "a[bb$]c"),
    ('=REGEXREPLACE("abc","","-")', "-a-b-c-"),
    ('=REGEXREPLACE("abc","b","$1")', VALUE),
    ('=XMATCH("^b",{"ab","ba"},3)', 2.0),
    ('=XLOOKUP("\\d",{"x","y1"},{1,2},,3)', 2.0),
]


@pytest.mark.parametrize(("formula", "expected"), FORMULAS)
def test_the_functions_give_what_excel_documents(formula, expected):
    assert value_of(formula) == expected


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        (r"(?i)ab(?-i)C", "xABC", "ABC"),
        (r"(?i:a)b", "Ab", "Ab"),
        (r"(?m)^b$", "a\nb\nc", "b"),
        (r"a$", "ba\n", "a"),
        (r"a\z", "a\n", None),
        (r"a.c", "a\nc", None),
        (r"(?s)a.c", "a\nc", "a\nc"),
        (r"(?x) a  b # both", "ab", "ab"),
        (r"(?U)a+", "aaa", "a"),
        (r"(a)(?(1)b|c)", "ab", "ab"),
        (r"^(?:(a)|b)(?(1)c|d)$", "bd", "bd"),
        (r"(?<y>\d{4})-\k<y>", "1999-1999", "1999-1999"),
        (r"(\w)\1", "abccd", "cc"),
        (r"(\w)\g{-1}", "abccd", "cc"),
        (r"(?P<q>['\"])x(?P=q)", "'x'", "'x'"),
        (r"(?i)(a)\1", "aA", "aA"),
        (r"(?<=\$)\d+", "cost $42", "42"),
        (r"(?<!\$)\b\d+", "$42 17", "17"),
        (r"(?<=a|bc)d", "bcd", "d"),
        (r"foo\Kbar", "foobar", "bar"),
        (r"a++b", "aaab", "aaab"),
        (r"a++ab", "aaab", None),
        (r"(?>a|ab)c", "abc", None),
        (r"\Qa.b\E+", "a.bbb", "a.bbb"),
        (r"[[:alpha:]]+", "12ab3", "ab"),
        (r"[^[:^digit:]]", "ab1", "1"),
        (r"[]a]+", "]a", "]a"),
        (r"[a\]-]+", "x-]a", "-]a"),
        (r"[\d-z]+", "1-z", "1-z"),
        (r"\p{Lu}\p{Ll}+", "die Änderung", "Änderung"),
        (r"\P{L}", "a1", "1"),
        (r"\x41\x{42}\103", "ABC", "ABC"),
        (r"a\R", "a\r\n", "a\r\n"),
        (r"\h+", "a \t", " \t"),
        (r"x{2,3}", "xxxx", "xxx"),
        (r"x{,2}y", "xxy", "xxy"),
        (r"x{a}", "x{a}", "x{a}"),
        (r"(?:a*)*b", "aab", "aab"),
        (r"(?#words)a", "a", "a"),
        (r"(?n)(a)b", "ab", "ab"),
        (r"𝒜.", "x𝒜y", "𝒜y"),
    ],
)
def test_an_expression_fits_as_pcre2_fits_it(pattern, text, expected):
    found = compiled(pattern, ignores_case=False).search(text, 0)
    assert (None if found is None else text[found.start : found.end]) == expected


@pytest.mark.parametrize(
    "pattern",
    ["(", ")", "*a", "a**", "[a", "[b-a]", "(?<n>a)(?<n>b)", r"\2(a)", "(?<=a*)b", "a{3,2}", r"\i", "[[:no:]]", "(?z)",
     r"\x{110000}", r"\k<none>"],
)  # fmt: skip
def test_an_expression_that_breaks_the_grammar_is_an_error_value(pattern):
    with pytest.raises(FailedError):
        compiled(pattern, ignores_case=False)


@pytest.mark.parametrize(
    "pattern",
    ["(?R)", "(a)(?1)", "(?&n)", "(*SKIP)a", "(?|a|b)", "(?(?=a)b)", r"\X", r"\p{Greek}", "(?C1)", "(" * 60 + ")" * 60,
     "((a{100}){100}){100}", "a" * (PATTERN_LENGTH_MAX + 1)],
)  # fmt: skip
def test_what_is_not_computed_is_refused_by_name(pattern):
    with pytest.raises(UnsupportedFormula) as refusal:
        compiled(pattern, ignores_case=False)
    assert refusal.value.construct


def test_an_expression_that_would_take_for_ever_is_refused():
    with pytest.raises(UnsupportedFormula, match="more than"):
        compiled("(a+)+b", ignores_case=False).search("a" * 40, 0)


_ATOMS = st.sampled_from(["a", "b", ".", r"\d", "[ab]", "[^a]", r"\b", "^", "$", "(?=a)", "(?<=b)", "(?!b)"])
_PATTERNS = st.recursive(
    _ATOMS,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda pair: f"(?:{pair[0]}|{pair[1]})"),
        inner.map(lambda text: f"({text})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{1,2}", "*?", "+?", "??"])).map(
            lambda pair: f"(?:{pair[0]}){pair[1]}"
        ),
    ),
    max_leaves=6,
)


@settings(max_examples=150)
@given(_PATTERNS, st.text("ab1 \n", max_size=7))
def test_simple_expressions_fit_where_pythons_fit(pattern, text):
    expected = re.compile(pattern, re.ASCII).search(text)
    found = compiled(pattern, ignores_case=False).search(text, 0)
    assert (found is None) == (expected is None)
    if found is not None and expected is not None:
        spans = [expected.span(group) for group in range(expected.re.groups + 1)]
        assert list(found.groups) == [span if span != (-1, -1) else None for span in spans]
