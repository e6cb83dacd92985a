"""TEXT and its number formats. Results are those of Microsoft's pages and of the corpus saved by Excel."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.engine.sheets import value_of

from tollway.engine import ErrorValue
from tollway.engine.functions.text.number_format import format_number, format_text
from tollway.engine.functions.text.number_format_code import FormatError
from tollway.engine.values import UnsupportedFormula

NUMBERS = [
    (1234.567, "#,##0.00", "1,234.57"),
    (1234.567, "$#,##0.00", "$1,234.57"),
    (0.285, "0.0%", "28.5%"),
    (0.1, "%0", "%10"),
    (1.005, "0.00", "1.01"),
    (0.285, "0.00", "0.29"),
    (1234, "0000000", "0001234"),
    (5, "0,000", "0,005"),
    (1234, "?,???,???", "    1,234"),
    (40, "0.###", "40."),
    (3.1, "0.0?", "3.1 "),
    (0, "#.#", "."),
    (12345678, "0.0,,", "12.3"),
    (12345, "#,", "12"),
    (123456, '#,##0,"k"', "123k"),
    (12, "00-00-00-00", "00-00-00-12"),
    (123456789012, "00-00-00-00", "123456-78-90-12"),
    (1e300, "0.0", "1" + "0" * 300 + ".0"),
    (12200000, "0.00E+00", "1.22E+07"),
    (12345, "##0.0E+0", "12.3E+3"),
    (12345.6, "00.0E+0", "01.2E+4"),
    (0.5, ".00E+0", ".50E+0"),
    (999.9, "0E+0", "1E+3"),
    (0.00012, "0.0E-0", "1.2E-4"),
    (12000, "0.0E-0", "1.2E4"),
    (0, "0.00E+00", "0.00E+00"),
    (5, '0 "a"\\b_)*x', "5 ab "),
    (37, '0"°"', "37°"),
    (3.14159, "[$€-407] #,##0.00", "€ 3.14"),
    (5, "@", "5"),
    (5, "", ""),
    (1234.5, '_(* #,##0.00_);_(* (#,##0.00);_(* "-"??_);_(@_)', " 1,234.50 "),
    (-1234.5, '_(* #,##0.00_);_(* (#,##0.00);_(* "-"??_);_(@_)', " (1,234.50)"),
    (0, '_(* #,##0.00_);_(* (#,##0.00);_(* "-"??_);_(@_)', " -   "),
    (1, '[=1]0" day";0" days"', "1 day"),
    (-3, '[=1]0" day";0" days"', "-3 days"),
    (1234.5, "General", "1234.5"),
    (-1234.5, '"x"General', "-x1234.5"),
]

GENERAL = [
    (1 / 3, "0.333333333"),
    (123456789012, "1.23457E+11"),
    (25000000000, "25000000000"),
    (99999999999.5, "1E+11"),
    (123456789.123, "123456789.1"),
    (-1e-8, "-0.00000001"),
    (-2.5e-9, "-2.5E-09"),
    (0.000012345678, "1.23457E-05"),
    (0.00012345678, "0.000123457"),
    (0, "0"),
]

SECTIONS = [
    (-5, "0;-0", "-5"),
    (-5, "0;(0)", "(5)"),
    (-1 / 3, "0;(0)", "(0)"),
    (-1 / 3, "0", "0"),
    (-5, '0;"neg" 0', "neg 5"),
    (-5, "$0", "-$5"),
    (-5, '"x"', "-x"),
    (0, '0;-0;"zero"', "zero"),
    (0, "0;-0;", ""),
    (5, "0.0;@", "5.0"),
    (-5, "0.0;@", "-5.0"),
    (1234567898, "[<=9999999]###-####;(###) ###-####", "(123) 456-7898"),
    (5551234, "[<=9999999]###-####;(###) ###-####", "555-1234"),
    (1, "[Red][>100]0;[Blue]0.0", "1.0"),
    (-7, "[>100]0", "-7"),
    (-7, '[>100]"big";[<0]"low";"mid"', "-low"),
    (50, '[>100]"big";[<0]"low";"mid"', "mid"),
]

FRACTIONS = [
    (4.34, "# ?/?", "4 1/3"),
    (0.34, "# ?/?", " 1/3"),
    (5, "# ?/?", "5    "),
    (0, "# ?/?", "0    "),
    (0.5, "# ??/??", "  1/2 "),
    (5.25, "# ???/???", "5   1/4  "),
    (0.3, "# ?/8", " 2/8"),
    (2.99, "# ?/4", "3    "),
    (1.5, "?/?", "3/2"),
    (-1.5, "# ?/?", "-1 1/2"),
    (5.3, "# ??/100", "5 30/100"),
]

DATES = [
    (44561.5, "yyyy-mm-dd hh:mm:ss", "2021-12-31 12:00:00"),
    (44561, "dddd, mmmm d, yyyy", "Friday, December 31, 2021"),
    (44561, "ddd mmm mmmmm yy", "Fri Dec D 21"),
    (44561, "ee b bbbb", "2021 64 2564"),
    (60, "yyyy-mm-dd", "1900-02-29"),
    (0, "yyyy-mm-dd", "1900-01-00"),
    (43831, "m/d/yyyy h:mm", "1/1/2020 0:00"),
    (0.25, "h:mm AM/PM", "6:00 AM"),
    (0.5, "h:mm a/p", "12:00 p"),
    (0.75, "[$-409]h:mm AM/PM;@", "6:00 PM"),
    (1.5, "[h]:mm", "36:00"),
    (1.5, "[mm]", "2160"),
    (1.5, "[ss]", "129600"),
    (0.0104166, "[mm]:ss", "15:00"),
    (44561.123456, "mm:ss.000", "57:46.598"),
    (0.5 + 0.5 / 86_400, "h:mm:ss.0", "12:00:00.5"),
    (39999.99999999, "d h:mm:ss", "6 0:00:00"),
    (39999.99999999, "d", "5"),
    (44561, "[$-en-US]mmmm d, yyyy;@", "December 31, 2021"),
    (44561, "[$-809]dd mmmm yyyy", "31 December 2021"),
    (44561, '[$-411]yyyy"年"m"月"d"日"', "2021年12月31日"),
    (44561, "[$-x-sysdate]", "Friday, December 31, 2021"),
    (44561.75, "[$-F800]", "Friday, December 31, 2021"),
    (44561.75, "[$-F400]h:mm", "6:00:00 PM"),
]

BAD = [
    (1, "mm###"), (1, "0 apples"), (-1, "d/m/y"), (2958466, "d/m/y"), (1, '"open'), (1, "0;0;0;0;0"),
    (1, "[oops]0"), (1, "0\\"), (1, "ss.0000"), (1, "0/0/0"), (1, "0" * 256), (1, "0E+"), (1, "[h"),
]  # fmt: skip


@pytest.mark.parametrize(("number", "code", "expected"), [*NUMBERS, *SECTIONS, *FRACTIONS, *DATES])
def test_a_number_is_written_as_excel_writes_it(number, code, expected):
    assert format_number(float(number), code) == expected


@pytest.mark.parametrize(("number", "expected"), GENERAL)
def test_general_writes_eleven_characters_at_most(number, expected):
    assert format_number(float(number), "General") == expected


@pytest.mark.parametrize(("number", "code"), BAD)
def test_a_format_that_cannot_be_used_is_no_format(number, code):
    with pytest.raises(FormatError):
        format_number(float(number), code)


def test_the_1904_calendar_has_negative_dates_and_its_own_weekdays():
    assert format_number(0.0, "ddd yyyy-mm-dd", is_1904=True) == "Fri 1904-01-01"
    assert format_number(-1.0, "yyyy-mm-dd", is_1904=True) == "-1904-01-02"


def test_names_of_months_in_another_language_are_refused_by_name():
    assert format_number(44561.0, "[$-407]d.m.yyyy") == "31.12.2021"
    with pytest.raises(UnsupportedFormula, match="language 407"):
        format_number(44561.0, "[$-407]mmmm")
    with pytest.raises(UnsupportedFormula, match="ja-jp"):
        format_number(44561.0, "[$-ja-JP]ge.m.d")


@pytest.mark.parametrize(
    ("text", "code", "expected"),
    [
        ("abc", "0.00", "abc"),
        ("abc", "@@", "abcabc"),
        ("abc", '0;0;0;"<"@">"', "<abc>"),
        ("abc", "0;0;0;", ""),
    ],
)
def test_a_text_takes_the_section_with_an_at_sign(text, code, expected):
    assert format_text(text, code) == expected


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ('=TEXT(1234.567,"$#,##0.00")', "$1,234.57"),
        ('=TEXT("12.5","0.00")', "12.50"),
        ('=TEXT("1/2/2020","yyyy")', "2020"),
        ('=TEXT(TRUE,"0")', "TRUE"),
        ('=TEXT(A1,"0.0")', "0.0"),
        ('=TEXT(1,"mm###")', ErrorValue.VALUE),
        ('=TEXT(1/0,"0")', ErrorValue.DIV0),
        ("=TEXT(2.5,0)", "3"),
        ('=ARRAYTOTEXT(TEXT({1,2},"0.0"),1)', '{"1.0","2.0"}'),
    ],
)
def test_text_formats_what_it_is_given(formula, expected):
    assert value_of(formula) == expected


@given(st.floats(allow_nan=False, allow_infinity=False), st.text('0#?.,%E+-/ymdhs[];@"\\$ AMP', max_size=12))
def test_any_number_in_any_format_gives_a_text_or_is_refused(number, code):
    with suppress(FormatError):
        assert isinstance(format_number(number, code), str)
