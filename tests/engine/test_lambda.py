"""LET, LAMBDA and the functions that call one again and again: Microsoft's documented semantics."""

import time

import pytest
from tests.engine.sheets import computed, value_of, workbook_of

from tollway.engine import ErrorValue

NUM, VALUE, NA, CALC, NAME, DIV0 = (
    ErrorValue.NUM,
    ErrorValue.VALUE,
    ErrorValue.NA,
    ErrorValue.CALC,
    ErrorValue.NAME,
    ErrorValue.DIV0,
)
CELLS = {"A1": 1, "A2": 2, "A3": 3, "B1": 10, "B2": 20, "B3": 30, "C1": "x", "C2": DIV0}
NAMES = {
    "double": "LAMBDA(x,x*2)",
    "fact": "LAMBDA(n,IF(n<=1,1,n*fact(n-1)))",
    "pair": "LAMBDA(n,IF(n=0,TRUE,lone(n-1)))",
    "lone": "LAMBDA(n,IF(n=0,FALSE,pair(n-1)))",
    "forever": "LAMBDA(n,forever(n+1))",
    "doubling": "LAMBDA(n,IF(n=0,1,doubling(n-1)+doubling(n-1)))",
    "greeting": 'LAMBDA(name,[mark],"Hi "&name&IF(ISOMITTED(mark),"!",mark))',
    "plus_a1": "LAMBDA(x,x+S!$A$1)",
    "rate": "0.5",
}


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("=LET(x,5,x+1)", 6.0),
        ("=LET(x,5,y,x*2,x+y)", 15.0),
        ("=LET(r,A1:A3,SUM(r)*ROWS(r))", 18.0),
        ("=LET(x,LET(x,2,x+1),x*10)", 30.0),
        ("=LET(f,LAMBDA(a,a^2),f(3)+f(4))", 25.0),
        ("=LET(x,C2,5)", 5.0),
        ("=LET(x,C2,x)", DIV0),
        ("=LET(a,1,f,LAMBDA(x,x+a),LET(a,100,f(1)))", 2.0),
        ("=LAMBDA(x,x+1)(5)", 6.0),
        ("=LAMBDA(x,y,x*y)(3,4)", 12.0),
        ("=LAMBDA(7)()", 7.0),
        ("=LAMBDA(x,LAMBDA(y,x+y))(1)(2)", 3.0),
        ("=LAMBDA(f,x,f(f(x)))(LAMBDA(y,y*3),2)", 18.0),
        ("=LAMBDA(x,x)", CALC),
        ("=LAMBDA(x,x)()", VALUE),
        ("=LAMBDA(x,x)(1,2)", VALUE),
        ("=double(4)", 8.0),
        ("=fact(10)", 3_628_800.0),
        ("=pair(100)", True),
        ("=plus_a1(5)", 6.0),
        ("=double(rate)", 1.0),
        ('=greeting("Ann")', "Hi Ann!"),
        ('=greeting("Ann","?")', "Hi Ann?"),
        ("=SUM(MAP(A1:A3,LAMBDA(x,x^2)))", 14.0),
        ("=SUM(MAP(A1:A3,B1:B3,LAMBDA(x,y,x*y)))", 140.0),
        ("=SUM(MAP(A1:A3,double))", 12.0),
        ("=SUM(MAP(A1:A3,LAMBDA(x,ROW(x))))", 6.0),
        ("=MAP(A1:A3,5)", VALUE),
        ("=INDEX(MAP(A1:A2,LAMBDA(x,{1,2})),1,1)", CALC),
        ("=REDUCE(0,A1:A3,LAMBDA(a,v,a+v^2))", 14.0),
        ("=REDUCE(,A1:A3,LAMBDA(a,v,a+v))", 6.0),
        ('=REDUCE("",A1:A3,LAMBDA(a,v,v&a))', "321"),
        ("=ROWS(REDUCE(A1,A2:A3,LAMBDA(a,v,VSTACK(a,v))))", 3.0),
        ("=SUM(SCAN(0,A1:A3,LAMBDA(a,v,a+v)))", 10.0),
        ("=INDEX(SCAN(1,{1,2,3},LAMBDA(a,v,a*v)),1,3)", 6.0),
        ("=SUM(BYROW(A1:B3,LAMBDA(r,MAX(r))))", 60.0),
        ("=INDEX(BYCOL(A1:B3,LAMBDA(c,SUM(c))),1,2)", 60.0),
        ("=SUM(BYROW(A1:B3,SUM))", 66.0),
        ("=INDEX(BYROW(A1:B3,LAMBDA(r,r)),1)", CALC),
        ("=SUM(MAKEARRAY(3,3,LAMBDA(r,c,r*c)))", 36.0),
        ("=COLUMNS(MAKEARRAY(2,5,LAMBDA(r,c,0)))", 5.0),
        ("=MAKEARRAY(0,5,LAMBDA(r,c,0))", VALUE),
        ("=ISOMITTED(A1)", False),
        ("=TYPE(LAMBDA(x,x))", 128.0),
        ("=LAMBDA(x,x)+1", VALUE),
        ("=IF(TRUE,double,fact)(4)", 8.0),
    ],
)
def test_a_lambda_gives_what_its_body_does(formula, expected):
    assert value_of("#" + formula, CELLS, names=NAMES) == expected


@pytest.mark.parametrize("formula", ["=forever(1)", "=doubling(60)", "=LET(f,LAMBDA(g,g(g)),f(f))"])
def test_a_lambda_that_never_ends_is_an_error_within_two_seconds(formula):
    started = time.process_time()
    assert value_of("#" + formula, names=NAMES) is NUM
    assert time.process_time() - started < 2.0


def test_a_lambda_may_go_five_hundred_deep():
    assert value_of("=LET(n,fact(170),n>7E306)", names=NAMES) is True
    assert value_of("=pair(500)", names=NAMES) is True
    assert value_of("=pair(2000)", names=NAMES) is NUM


def test_lambdas_read_cells_that_are_computed_after_them():
    cells = {"A1": "=SUM(MAP(A2:A4,LAMBDA(x,x+plus(x))))", "A2": "=A3+1", "A3": "=A4+1", "A4": 1}
    found = computed(workbook_of(cells, names={"plus": "LAMBDA(x,x+S!$A$4)"}))
    assert found["S!A1"] == 15.0
