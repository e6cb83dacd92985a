"""GROUPBY and PIVOTBY: groups, headers, totals, orders, conditions; what is refused."""

import pytest
from tests.engine.sheets import computed, workbook_of

from tollway.engine.values import ErrorValue, UnsupportedFormula

CELLS = {
    "A1": "R", "B1": "P", "C1": "V",
    "A2": "b", "B2": "x", "C2": 1,
    "A3": "a", "B3": "y", "C3": 2,
    "A4": "B", "B4": "y", "C4": 3,
    "A5": "a", "B5": "x", "C5": 4,
    "A6": "c", "B6": "x", "C6": 10,
}  # fmt: skip


def rows_of(arguments, width):
    cells = {"K1": f"=LET(g,GROUPBY({arguments}),IF(COLUMNS(g)={width},ARRAYTOTEXT(g,1),COLUMNS(g)))"}
    return computed(workbook_of({**CELLS, **cells}))["S!K1"]


@pytest.mark.parametrize(
    ("arguments", "width", "expected"),
    [
        # The data's own headers are found, and shown where there are several fields.
        ("A1:A6,C1:C6,SUM", 2, '{"a",6;"b",4;"c",10;"Total",20}'),
        ("A2:A6,C2:C6,MAX,,0", 2, '{"a",4;"b",3;"c",10}'),
        ("A1:A6,C1:C6,SUM,3,-1,-2", 2, '{"R","V";"Total",20;"c",10;"a",6;"b",4}'),
        ("A1:A6,C1:C6,SUM,1,0,-1", 2, '{"c",10;"b",4;"a",6}'),
        (
            "A1:B6,C1:C6,SUM",
            3,
            (
                '{"R","P","V";"a","x",4;"a","y",2;"a","",6;"b","x",1;"b","y",3;"b","",4;"c","x",10;"c","",10;'
                '"Grand Total","",20}'
            ),
        ),
        (
            "A2:B6,C2:C6,LAMBDA(v,MAX(v)),,-2,-3",
            3,
            '{"Grand Total","",10;"c","",10;"c","x",10;"a","",4;"a","x",4;"a","y",2;"b","",3;"b","y",3;"b","x",1}',
        ),
        ("A2:B6,C2:C6,SUM,0,0", 3, '{"a","x",4;"a","y",2;"b","x",1;"b","y",3;"c","x",10}'),
        ("A2:B6,C2:C6,SUM,,1,{-2,1},,1", 3, '{"a","y",2;"B","y",3;"a","x",4;"b","x",1;"c","x",10;"Total","",20}'),
        ('A2:A6,C2:C6,SUM,,,,B2:B6="x"', 2, '{"a",4;"b",1;"c",10;"Total",15}'),
        ("A2:A6,C2:C6,PERCENTOF,,0", 2, '{"a",0.3;"b",0.2;"c",0.5}'),
        ("A2:A6,HSTACK(C2:C6,C2:C6*2),SUM,,0", 3, '{"a",6,12;"b",4,8;"c",10,20}'),
    ],
)  # fmt: skip
def test_rows_are_summed_up_by_their_fields(arguments, width, expected):
    assert rows_of(arguments, width) == expected


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("A2:A6,C2:C5,SUM", ErrorValue.VALUE),
        ("A2:A6,C2:C6,SUM,,2", ErrorValue.VALUE),
        ("A2:A6,C2:C6,SUM,4", ErrorValue.VALUE),
        ("A2:A6,C2:C6,SUM,,,3", ErrorValue.VALUE),
        ("A2:A6,C2:C6,SUM,,,,B2:B5=1", ErrorValue.VALUE),
        ('A2:A6,C2:C6,SUM,,,,B2:B6="z"', ErrorValue.CALC),
    ],
)
def test_what_cannot_be_grouped_is_an_error_value(arguments, expected):
    assert computed(workbook_of({**CELLS, "K1": f"=GROUPBY({arguments})"}))["S!K1"] is expected


@pytest.mark.parametrize("arguments", ["A2:A6,C2:C6,HSTACK(SUM,MAX)", "A2:A6,C2:C6,SUM,2"])
def test_what_the_page_leaves_open_is_refused_by_name(arguments):
    with pytest.raises(UnsupportedFormula, match="GROUPBY"):
        computed(workbook_of({**CELLS, "K1": f"=GROUPBY({arguments})"}))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            "A1:A6,B1:B6,C1:C6,SUM",
            '{"","x","y","Total";"a",4,2,6;"b",1,3,4;"c",10,"",10;"Total",15,5,20}',
        ),
        ("A2:A6,B2:B6,C2:C6,SUM,,0,-2,0,-2", '{"","x","y";"c",10,"";"a",4,2;"b",1,3}'),
        (
            "A2:A6,B2:B6,C2:C6,SUM,,-1,,-1,-1",
            '{"","Total","y","x";"Total",20,5,15;"a",6,2,4;"b",4,3,1;"c",10,"",10}',
        ),
        ('A2:A6,B2:B6,C2:C6,PERCENTOF,,0,,0,,A2:A6="b",1', '{"","x","y";"b",0.25,0.75}'),
        ('A2:A6,B2:B6,C2:C6,PERCENTOF,,0,,0,,A2:A6<>"c"', '{"","x","y";"a",0.8,0.4;"b",0.2,0.6}'),
        (
            'A2:A6,B2:B6,C2:C6,PERCENTOF,,0,,,,A2:A6<>"c",2',
            '{"","x","y","Total";"a",0.4,0.2,0.6;"b",0.1,0.3,0.4}',
        ),
        (
            'B2:B6,A2:A6,C2:C6,PERCENTOF,,0,,,,A2:A6<>"c",4',
            '{"","a","b","Total";"x",0.666666666666667,0.25,0.5;"y",0.333333333333333,0.75,0.5}',
        ),
        (
            "A2:B6,A2:A6,C2:C6,SUM,,,,0",
            (
                '{"","","a","b","c";"a","x",4,"","";"a","y",2,"","";"a","",6,"","";"b","x","",1,"";"b","y","",3,"";'
                '"b","","",4,"";"c","x","","",10;"c","","","",10;"Grand Total","",6,4,10}'
            ),
        ),
    ],
)
def test_a_pivot_sums_up_rows_and_columns(arguments, expected):
    assert computed(workbook_of({**CELLS, "K1": f"=ARRAYTOTEXT(PIVOTBY({arguments}),1)"}))["S!K1"] == expected


@pytest.mark.parametrize(
    "arguments",
    ["A1:A6,B1:B6,C1:C6,SUM,3", "A2:A6,A2:B6,C2:C6,SUM", "A2:A6,B2:B6,B2:C6,SUM", "A2:A6,B2:B6,C2:C6,5"],
)
def test_what_the_page_of_pivots_leaves_open_is_refused_by_name(arguments):
    with pytest.raises(UnsupportedFormula, match="PIVOTBY"):
        computed(workbook_of({**CELLS, "K1": f"=PIVOTBY({arguments})"}))
