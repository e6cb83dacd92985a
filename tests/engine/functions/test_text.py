"""Text functions as tables. Results are those of Microsoft's own pages where they show one, of the corpus saved by
Excel otherwise, and for errors of the remarks on those pages."""

from dataclasses import replace as replace_fields

import pytest
from tests.engine.sheets import computed, value_of, workbook_of

from tollway.engine import ErrorValue

VALUE, NA, DIV0, NUM, CALC = (
    ErrorValue.VALUE,
    ErrorValue.NA,
    ErrorValue.DIV0,
    ErrorValue.NUM,
    ErrorValue.CALC,
)
CELLS = {
    "A1": "Fluid Flow", "A2": True, "A3": 1234.01234, "A5": "Hello",
    "B1": "Seattle", "B2": 1234.01234, "B4": ErrorValue.VALUE, "B5": "$1,234.00",
    "C1": ErrorValue.DIV0, "D1": "Vienna", "D2": "", "D3": "Graz",
}  # fmt: skip

PARTS = [
    ('=LEN("Phoenix, AZ")', 11.0),
    ('=LEN("a𝒜")', 3.0),
    ('=LENB("Ärger")', 5.0),
    ('=LEFT("Sale Price",4)', "Sale"),
    ('=LEFT("Sweden")', "S"),
    ('=LEFT("abc",0)', ""),
    ('=LEFT("abc",-1)', VALUE),
    ('=LEFTB("abc",2)', "ab"),
    ('=RIGHT("Sale Price",5)', "Price"),
    ('=RIGHT("Stock Number")', "r"),
    ('=RIGHTB("abc",9)', "abc"),
    ('=MID("Fluid Flow",1,5)', "Fluid"),
    ('=MID("Fluid Flow",7,20)', "Flow"),
    ('=MID("Fluid Flow",20,5)', ""),
    ('=MID("abc",0,1)', VALUE),
    ('=MIDB("abc",2,1)', "b"),
    ('=REPLACE("abcdefghijk",6,5,"*")', "abcde*k"),
    ('=REPLACE("2009",3,2,"10")', "2010"),
    ('=REPLACE("123456",1,3,"@")', "@456"),
    ('=REPLACE("abc",9,1,"x")', "abcx"),
    ('=REPLACE("abc",0,1,"x")', VALUE),
    ('=REPLACEB("abc",2,-1,"x")', VALUE),
    ('=TRIM(" First Quarter  Earnings ")', "First Quarter Earnings"),
    ('=REPT("*-",3)', "*-*-*-"),
    ('=REPT("ab",20000)', VALUE),
    ('=REPT("ab",-1)', VALUE),
    ('=EXACT("word","word")', True),
    ('=EXACT("Word","word")', False),
    ('=CONCAT(A1:A2,"x",1.5)', "Fluid FlowTRUEx1.5"),
    ("=CONCAT(A1,C1)", DIV0),
    ('=CONCATENATE("a",1,TRUE)', "a1TRUE"),
    ('=TEXTJOIN(", ",TRUE,D1:D3)', "Vienna, Graz"),
    ('=TEXTJOIN(", ",FALSE,D1:D3)', "Vienna, , Graz"),
    ('=TEXTJOIN(", ",,D1:D3)', "Vienna, Graz"),
    ('=TEXTJOIN(", ",Z9,D1:D3)', "Vienna, , Graz"),
    ('=TEXTAFTER("a-b-c","-",)', "b-c"),
    ('=TEXTAFTER("a-b-c","-",Z9)', VALUE),
    ('=TEXTJOIN({"-","+"},TRUE,"a","b","c","d")', "a-b+c-d"),
    ('=TEXTJOIN("",TRUE,REPT("a",20000),REPT("a",20000))', VALUE),
]

FINDING = [
    ('=FIND("M","Miriam McGovern")', 1.0),
    ('=FIND("m","Miriam McGovern")', 6.0),
    ('=FIND("M","Miriam McGovern",3)', 8.0),
    ('=FIND("","abc",4)', 4.0),
    ('=FIND("","abc",5)', VALUE),
    ('=FIND("a","𝒜a")', 3.0),
    ('=FIND("z","abc")', VALUE),
    ('=FINDB("b","abc",0)', VALUE),
    ('=SEARCH("e","Statements",6)', 7.0),
    ('=SEARCH("margin","Profit Margin")', 8.0),
    ('=SEARCH("b?d","abxd bad")', 2.0),
    ('=SEARCH("~?","what?")', 5.0),
    ('=SEARCHB("c*","abc")', 3.0),
    ('=SUBSTITUTE("Sales Data","Sales","Cost")', "Cost Data"),
    ('=SUBSTITUTE("Quarter 1, 2011","1","2",3)', "Quarter 1, 2012"),
    ('=SUBSTITUTE("aaa","a","b",4)', "aaa"),
    ('=SUBSTITUTE("aaa","","b")', "aaa"),
    ('=SUBSTITUTE("aaa","a","b",0)', VALUE),
    ('=SUBSTITUTE(REPT("a",20000),"a","bb")', VALUE),
    ('=TEXTBEFORE("Red riding hood\'s, red hood","hood")', "Red riding "),
    ('=TEXTBEFORE("Red riding hood\'s, red hood","red",-1,1)', "Red riding hood's, "),
    ('=TEXTBEFORE("Little Red Riding Hood\'s red hood","red",2)', NA),
    ('=TEXTBEFORE("Little Red Riding Hood\'s red hood","red",2,1)', "Little Red Riding Hood's "),
    ('=TEXTBEFORE("Socrates"," ",,,1)', "Socrates"),
    ('=TEXTBEFORE("Socrates"," ",,,0)', NA),
    ('=TEXTBEFORE("Socrates"," ",,,0,"none")', "none"),
    ('=TEXTBEFORE("abc","")', ""),
    ('=TEXTBEFORE("abc","",-1)', "abc"),
    ('=TEXTBEFORE("a-b","-",0)', VALUE),
    ('=TEXTBEFORE("a-b","-",4)', VALUE),
    ('=TEXTBEFORE("a-b","-",1,2)', VALUE),
    ('=TEXTAFTER("Red riding hood\'s, red hood","hood")', "'s, red hood"),
    ('=TEXTAFTER("Red riding hood\'s, red hood","")', "Red riding hood's, red hood"),
    ('=TEXTAFTER("Red riding hood\'s, red hood","hood",-2)', "'s, red hood"),
    ('=TEXTAFTER("Marcus Aurelius"," ",,,1)', "Aurelius"),
    ('=TEXTAFTER("Socrates"," ",,,1)', ""),
    ('=TEXTAFTER("Socrates"," ",-1,,1)', "Socrates"),
    ('=TEXTAFTER("a.b,c",{",","."},2)', "c"),
    ('=ARRAYTOTEXT(TEXTSPLIT("Dakota Lennon Sanchez"," "),1)', '{"Dakota","Lennon","Sanchez"}'),
    ('=ARRAYTOTEXT(TEXTSPLIT("1,2,3;4,5",",",";"),1)', '{"1","2","3";"4","5",#N/A}'),
    ('=ARRAYTOTEXT(TEXTSPLIT("a,,b",",",,TRUE),1)', '{"a","b"}'),
    ('=ARRAYTOTEXT(TEXTSPLIT("Do. Or do not.",{".","-"}),1)', '{"Do"," Or do not",""}'),
    ('=ARRAYTOTEXT(TEXTSPLIT("aXbxc","x",,,1),1)', '{"a","b","c"}'),
    ('=ARRAYTOTEXT(TEXTSPLIT("a=1,b","=",",",,,"-"),1)', '{"a","1";"b","-"}'),
    ('=TEXTSPLIT(",",",",,TRUE)', CALC),
    ('=TEXTSPLIT("ab","")', VALUE),
    ('=TEXTSPLIT("ab",)', VALUE),
]

LETTERS = [
    ('=UPPER("total")', "TOTAL"),
    ('=UPPER("Straße")', "STRAßE"),
    ('=LOWER("Apt. 2B")', "apt. 2b"),
    ('=PROPER("this is a TITLE")', "This Is A Title"),
    ('=PROPER("2-way street")', "2-Way Street"),
    ('=PROPER("76BudGet")', "76Budget"),
    ("=PROPER(\"o'neil's\")", "O'Neil'S"),
    ('=CLEAN(CHAR(9)&"Monthly report"&CHAR(10))', "Monthly report"),
    ("=CHAR(65)", "A"),
    ("=CHAR(128)", "€"),
    ("=CHAR(33.9)", "!"),
    ("=CHAR(129)", "\x81"),
    ("=CHAR(0)", VALUE),
    ("=CHAR(256)", VALUE),
    ('=CODE("!")', 33.0),
    ('=CODE("€")', 128.0),
    ('=CODE("三")', 63.0),
    ('=CODE("")', VALUE),
    ("=UNICHAR(66)", "B"),
    ("=UNICHAR(119964)", "𝒜"),
    ("=UNICHAR(0)", VALUE),
    ("=UNICHAR(55296)", NA),
    ("=UNICHAR(65535)", NA),
    ("=UNICHAR(1114112)", VALUE),
    ('=UNICODE(" ")', 32.0),
    ('=UNICODE("𝒜")', 119964.0),
    ('=UNICODE("")', VALUE),
    ('=ASC("EXCEL")', "EXCEL"),
    ('=DBCS("EXCEL")', "EXCEL"),
]

CONVERSION = [
    ("=DOLLAR(1234.567)", "$1,234.57"),
    ("=DOLLAR(1234.567,-2)", "$1,200"),
    ("=DOLLAR(-1234.567,-2)", "($1,200)"),
    ("=DOLLAR(-0.123,4)", "($0.1230)"),
    ("=DOLLAR(99.888)", "$99.89"),
    ("=DOLLAR(1,128)", VALUE),
    ("=FIXED(1234.567,1)", "1,234.6"),
    ("=FIXED(1234.567,-1)", "1,230"),
    ("=FIXED(-1234.567,-1,TRUE)", "-1230"),
    ("=FIXED(44.332)", "44.33"),
    ("=FIXED(1.005)", "1.01"),
    ("=FIXED(-0.001)", "0.00"),
    ("=FIXED(1E+20,1)", "100,000,000,000,000,000,000.0"),
    ('=VALUE("$1,000")', 1000.0),
    ('=VALUE("16:48:00")', 0.7),
    ('=VALUE("1 1/2")', 1.5),
    ('=VALUE("-2 3/4")', -2.75),
    ('=VALUE("(5)")', -5.0),
    ('=VALUE("€12")', 12.0),
    ('=VALUE("12 €")', 12.0),
    ('=VALUE("%5")', 0.05),
    ('=VALUE("1.5E+3")', 1500.0),
    ('=VALUE("12,34")', VALUE),
    ('=VALUE(" 1/2/2020")', VALUE),
    ('=VALUE(REPT("1 ",16000))', VALUE),
    ('=VALUE("")', VALUE),
    ("=VALUE(TRUE)", VALUE),
    ("=VALUE(C1)", DIV0),
    ('=NUMBERVALUE("1E400")', VALUE),
    ('=NUMBERVALUE("2.500,27",",",".")', 2500.27),
    ('=NUMBERVALUE("3.5%")', 0.035),
    ('=NUMBERVALUE("9%%")', 0.0009),
    ('=NUMBERVALUE(" 3 000 ")', 3000.0),
    ('=NUMBERVALUE("")', 0.0),
    ('=NUMBERVALUE("1.2.3")', VALUE),
    ('=NUMBERVALUE("1.2,3")', VALUE),
    ('=NUMBERVALUE("1","","")', VALUE),
    ("=T(A5)", "Hello"),
    ("=T(A3)", ""),
    ("=T(A2)", ""),
    ("=T(C1)", DIV0),
    ("=VALUETOTEXT(A2,0)", "TRUE"),
    ("=VALUETOTEXT(A5,1)", '"Hello"'),
    ('=VALUETOTEXT("a""b",1)', '"a""b"'),
    ("=VALUETOTEXT(B4,0)", "#VALUE!"),
    ("=VALUETOTEXT(1,2)", VALUE),
    ("=ARRAYTOTEXT(A:XFD)", VALUE),
    ('=TEXTJOIN("-",FALSE,D1:XFD9)', VALUE),
    ("=CONCAT(D1:XFD90)", "ViennaGraz"),
    ("=ARRAYTOTEXT(A2:B5,0)", "TRUE, 1234.01234, 1234.01234, , , #VALUE!, Hello, $1,234.00"),
    ("=ARRAYTOTEXT(A2:B5,1)", '{TRUE,1234.01234;1234.01234,;,#VALUE!;"Hello","$1,234.00"}'),
    ('=ENCODEURL("http://contoso.sharepoint.com/April Reports/Profit")',
     "http%3A%2F%2Fcontoso.sharepoint.com%2FApril%20Reports%2FProfit"),
    ('=ENCODEURL("ü~_-.")', "%C3%BC~_-."),
    ("=BAHTTEXT(1234)", "หนึ่งพันสองร้อยสามสิบสี่บาทถ้วน"),
    ("=BAHTTEXT(-21.25)", "ลบยี่สิบเอ็ดบาทยี่สิบห้าสตางค์"),
    ("=BAHTTEXT(0.5)", "ห้าสิบสตางค์"),
    ("=BAHTTEXT(0)", "ศูนย์บาทถ้วน"),
    ("=BAHTTEXT(2000000)", "สองล้านบาทถ้วน"),
    ('=ARRAYTOTEXT(LEFT({"ab","cd"}),1)', '{"a","c"}'),
]  # fmt: skip


@pytest.mark.parametrize(("formula", "expected"), [*PARTS, *FINDING, *LETTERS, *CONVERSION])
def test_a_text_function_gives_what_excel_documents(formula, expected):
    assert value_of(formula, CELLS) == expected


@pytest.mark.parametrize("name", ["TRANSLATE", "DETECTLANGUAGE", "FILTERXML", "WEBSERVICE"])
def test_what_needs_the_outside_world_is_no_function_here(name):
    from tollway.engine.functions import find_function

    assert find_function(name) is None


def test_dates_in_texts_count_in_the_calendar_of_the_workbook():
    assert value_of('=VALUE("1/2/2020")') == 43832.0
    assert value_of('=VALUE("1/2/2020")', is_1904=True) == 42370.0
    assert value_of('=VALUE("3.5")', is_1904=True) == 3.5
    assert value_of('=TEXT("1/2/2020","yyyy-mm-dd")', is_1904=True) == "2020-01-02"


def test_characters_are_those_of_the_application_that_saved_the_workbook():
    workbook = workbook_of({"A1": "=CHAR(240)", "A2": "=CODE(UNICHAR(63743))", "A3": "=CHAR(128)"})
    saved_on_a_macintosh = replace_fields(workbook, application="Microsoft Macintosh Excel")
    assert computed(saved_on_a_macintosh) == {"S!A1": "\uf8ff", "S!A2": 240.0, "S!A3": "Ä"}
    assert computed(workbook) == {"S!A1": "ð", "S!A2": 63.0, "S!A3": "€"}
