"""GETPIVOTDATA over pivot tables written part by part: layouts, names, filters, groups, damage."""

import numpy as np
import pytest
from tests.engine.raw_workbooks import MAIN, OFFICE, parts_of, zipped
from tests.engine.sheets import computed

from tollway.engine import Input, Uniform, build_program, evaluate, read_workbook
from tollway.engine.exact.calculation import Calculation
from tollway.engine.exact.graph import FormulaBook
from tollway.engine.values import ErrorValue, UnsupportedFormula

REF = ErrorValue.REF
RELATIONS = (
    '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{}</Relationships>'
)
CACHE = f"""<pivotCacheDefinition xmlns="{MAIN}"><cacheFields>
<cacheField name="Region"><sharedItems><s v="West"/><s v="East"/><m/></sharedItems></cacheField>
<cacheField name="Size"><sharedItems><n v="10"/><n v="2.5"/></sharedItems></cacheField>
<cacheField name="Sales"><sharedItems/></cacheField>
<cacheField name="Year"><sharedItems><d v="2024-01-01T00:00:00"/><d v="2025-01-01T00:00:00"/></sharedItems></cacheField>
<cacheField name="Month"><sharedItems><d v="2024-03-05T00:00:00"/></sharedItems><fieldGroup base="4">
<rangePr groupBy="months" startDate="2024-01-01T00:00:00"/><groupItems><s v="&lt;1/1/2024"/><s v="Jan"/><s v="Feb"/>
<s v="Mar"/></groupItems></fieldGroup></cacheField>
<cacheField name="Age"><sharedItems/><fieldGroup base="5"><rangePr startNum="20" endNum="60" groupInterval="20"/>
<groupItems><s v="&lt;20"/><s v="20-40"/><s v="40-60"/></groupItems></fieldGroup></cacheField>
</cacheFields></pivotCacheDefinition>"""

# Rows: East (total above) with 2.5 and 10, West collapsed, blank; columns: two data fields; above: Year 2025.
FIELDS = """<pivotFields count="6">
<pivotField axis="axisRow"{layout}><items><item x="1"/><item x="0" sd="0" n="The West"/>
<item x="2"/><item t="default"/></items>
</pivotField><pivotField axis="axisRow"><items><item x="1"/><item x="0"/></items></pivotField>
<pivotField dataField="1"/><pivotField axis="axisPage" name="Sold in">
<items><item x="0"/><item x="1"/></items></pivotField>
<pivotField axis="axisCol"><items><item x="1"/><item x="3"/></items></pivotField>
<pivotField axis="axisCol"><items><item x="0"/><item x="1"/><item x="2"/></items></pivotField></pivotFields>"""
ROWS = """<rowFields><field x="0"/><field x="1"/></rowFields>
<rowItems><i><x/></i><i r="1"><x/></i><i r="1"><x v="1"/></i>
<i><x v="1"/></i><i><x v="2"/></i><i t="grand"><x/></i></rowItems>"""
COLUMNS = """<colFields><field x="-2"/></colFields><colItems><i><x/></i><i i="1"><x v="1"/></i></colItems>"""
REST = """<pageFields><pageField fld="3" item="1"/></pageFields><dataFields><dataField name="Sum of Sales" fld="2"/>
<dataField name=" Number" fld="2" subtotal="count"/></dataFields>"""
SHOWN = {
    "B5": 30,
    "C5": 3,
    "B6": 10,
    "C6": 1,
    "B7": 20,
    "B8": 40,
    "C8": 4,
    "B9": 5,
    "C9": 1,
    "B10": 75,
    "C10": 8,
}


def pivot(
    fields=None,
    rows=ROWS,
    columns=COLUMNS,
    rest=REST,
    location='ref="A4:C10" rowPageCount="1" colPageCount="1"',
):
    fields = fields or FIELDS.format(layout="")
    return f"""<pivotTableDefinition xmlns="{MAIN}" name="Report">
    <location {location} firstDataRow="1" firstDataCol="1"/>
    {fields}{rows}{columns}{rest}</pivotTableDefinition>"""


def book_with(tmp_path, formula, *, table=None, cache=CACHE, shown=SHOWN):
    rows: dict[int, list[str]] = {}
    for cell, value in shown.items():
        rows.setdefault(int(cell[1:]), []).append(f'<c r="{cell}"><v>{value}</v></c>')
    written = formula.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    rows.setdefault(20, []).append(f'<c r="A20"><f>{written}</f><v>0</v></c>')
    parts = parts_of("".join(f'<row r="{row}">{"".join(cells)}</row>' for row, cells in sorted(rows.items())))
    for part, kind, target in (
        ("worksheets/_rels/sheet1", "pivotTable", "../pivotTables/pivotTable1.xml"),
        ("pivotTables/_rels/pivotTable1", "pivotCacheDefinition", "../pivotCache/definition1.xml"),
    ):
        link = f'<Relationship Id="r1" Type="{OFFICE}/{kind}" Target="{target}"/>'
        parts[f"xl/{part}.xml.rels"] = RELATIONS.format(link)
    parts["xl/pivotTables/pivotTable1.xml"] = table or pivot()
    parts["xl/pivotCache/definition1.xml"] = cache
    return read_workbook(zipped(tmp_path, parts))


def asked(tmp_path, formula, **parts):
    return computed(book_with(tmp_path, formula, **parts))["S!A20"]


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ('GETPIVOTDATA("Sum of Sales",B5)', 75.0),
        ('GETPIVOTDATA("sum of SALES",$A$4,"region","EAST")', 30.0),
        # By the name of the source, the first data field made of it; spaces around a name do not count.
        ('GETPIVOTDATA("Sales",A4,"Region","East","Size",2.5)', 10.0),
        ('GETPIVOTDATA("Number",A4,"Size",10,"Region","East")', 0.0),
        ('GETPIVOTDATA("Number",A4,"Size","10","Region","East")', 0.0),
        ('GETPIVOTDATA("Sales",A4:C9,"Region","The West")', 40.0),
        ('GETPIVOTDATA("Sales",A4,"Region","west")', 40.0),
        ('GETPIVOTDATA("Sales",A4,"Region","(blank)")', 5.0),
        # The filters above the report belong to it; what they leave out is not shown.
        ('GETPIVOTDATA("Sales",A2)', 75.0),
        ('GETPIVOTDATA("Sales",A4,"Sold in",DATE(2025,1,1))', 75.0),
        ('GETPIVOTDATA("Sales",A4,"Year","1/1/2025","Region","East")', 30.0),
        ('GETPIVOTDATA("Sales",A4,"Year",DATE(2024,1,1))', REF),
        ('SUM(GETPIVOTDATA("Sales",A4,"Region",{"East","West"}))', 70.0),
        # No total of one size over all regions is shown, nor what is folded up.
        ('GETPIVOTDATA("Sales",A4,"Size",10)', REF),
        ('GETPIVOTDATA("Sales",A4,"Region","West","Size",10)', REF),
        ('GETPIVOTDATA("Sales",A4,"Region","North")', REF),
        ('GETPIVOTDATA("Sales",A4,"Colour","Red")', REF),
        ('GETPIVOTDATA("Profit",A4)', REF),
        ('GETPIVOTDATA("Sales",A4,"Region","East","Region","West")', REF),
        ('GETPIVOTDATA("Sales",F40)', REF),
        ('GETPIVOTDATA("Sales",7)', REF),
        ('GETPIVOTDATA("Sales",A4,"Region")', ErrorValue.VALUE),
        ('GETPIVOTDATA("Sales",A4,"Region",1/0)', ErrorValue.DIV0),
    ],
)
def test_a_value_of_the_report_is_found_by_its_items(tmp_path, formula, expected):
    assert asked(tmp_path, formula) == expected


def test_a_heading_without_a_total_shows_no_value_and_a_total_below_does(tmp_path):
    rows = ROWS.replace('<i><x v="1"/></i>', '<i t="default"><x/></i><i><x v="1"/></i>', 1)
    for layout in (
        ' subtotalTop="0"',
        ' outline="0"',
        ' defaultSubtotal="0" sumSubtotal="1" avgSubtotal="1"',
    ):
        table = pivot(FIELDS.format(layout=layout), rows, location='ref="A4:C11"')
        shown = {"B6": 10, "B7": 20, "B8": 31, "B9": 40, "B11": 75}
        assert asked(tmp_path, 'GETPIVOTDATA("Sales",A4,"Region","East")', table=table, shown=shown) == 31.0
    table = pivot(FIELDS.format(layout=' defaultSubtotal="0"'))
    without = {cell: value for cell, value in SHOWN.items() if cell not in ("B5", "C5")}
    assert asked(tmp_path, 'GETPIVOTDATA("Sales",A4,"Region","East")', table=table, shown=without) is REF


@pytest.mark.parametrize(
    ("pair", "expected"),
    [
        ('"Month",3,"Age",20', 2.0),
        ('"Month","mar","Age","40-60"', 3.0),
        ('"Month",1,"Age","<20"', REF),
        ('"Month",3', REF),
        ('"Month",2,"Age",20', REF),
    ],
)
def test_groups_are_named_by_caption_month_and_start(tmp_path, pair, expected):
    table = pivot(
        rows="<rowItems><i/></rowItems>",
        columns="""<colFields><field x="4"/><field x="5"/></colFields><colItems><i><x v="1"/><x v="1"/></i>
        <i r="1"><x v="2"/></i></colItems>""",
        rest='<dataFields><dataField name="Sum of Sales" fld="2"/></dataFields>',
        location='ref="A4:C5"',
    )
    shown = {"B5": 2, "C5": 3}
    assert asked(tmp_path, f'GETPIVOTDATA("Sales",A4,{pair})', table=table, shown=shown) == expected


CUBE = f"""<pivotCacheDefinition xmlns="{MAIN}"><cacheFields>
<cacheField name="[Shops].[Country].[Country]" caption="Country"><sharedItems>
<s v="[Shops].[Country].&amp;[Spain]" c="Spain"/></sharedItems></cacheField>
<cacheField name="[Measures].[Sum of Sales]" caption="Sum of Sales"><sharedItems/></cacheField>
</cacheFields></pivotCacheDefinition>"""


def test_a_report_over_a_data_model_is_asked_by_the_names_of_its_cube(tmp_path):
    table = pivot(
        '<pivotFields><pivotField axis="axisRow"><items><item x="0"/></items></pivotField><pivotField/></pivotFields>',
        '<rowFields><field x="0"/></rowFields><rowItems><i><x/></i></rowItems>',
        "<colItems><i/></colItems>",
        '<dataFields><dataField name="Sum of Sales" fld="1"/></dataFields>',
        'ref="A4:B5"',
    )
    formula = 'GETPIVOTDATA("[Measures].[Sum of Sales]",A4,"[Shops].[Country]","[Shops].[Country].&[Spain]")'
    assert asked(tmp_path, formula, table=table, cache=CUBE, shown={"B5": 6}) == 6.0


@pytest.mark.parametrize(
    ("table", "cache", "reason"),
    [
        (pivot(rows=""), CACHE, "refresh it in Excel"),
        (pivot(rows=ROWS.replace('x="1"', 'x="77"')), CACHE, "a field that it does not have"),
        (pivot(location='ref="A4:C6"'), CACHE, "more rows or columns"),
        (pivot(location='ref="nowhere"'), CACHE, "which cells it covers"),
        (pivot(FIELDS.format(layout="").replace('x="2"', 'x="9"')), CACHE, "item 9"),
        (pivot(rows=ROWS.replace('r="1"', 'r="one"')), CACHE, "whole number"),
        (pivot(rows=ROWS.replace('r="1"', 'r="--1"')), CACHE, "whole number"),
        (pivot(rows=f"<a>{ROWS}</a><i><x/></i><x/><items><item/></items>"), CACHE, "refresh it in Excel"),
        (pivot(), CACHE.replace('n v="10"', 'n v="ten"'), "no value of kind"),
        (pivot(), CACHE.replace('n v="10"', 'n v="nan"'), "no value of kind"),
        (pivot(), CACHE.replace("</cacheFields>", ""), "not well-formed"),
        (pivot()[:-9], CACHE, "not well-formed"),
    ],
)
def test_a_damaged_pivot_table_refuses_the_formula_that_needs_it_and_nothing_else(
    tmp_path, table, cache, reason
):
    workbook = book_with(tmp_path, 'GETPIVOTDATA("Sales",A4)', table=table, cache=cache)
    with pytest.raises(UnsupportedFormula, match=reason) as refused:
        Calculation(FormulaBook(workbook)).compute([(0, 20, 1)])
    assert refused.value.cells == ("S!A20",)
    assert asked(tmp_path, "B5+1", table=table, cache=cache) == 31.0


def test_a_cell_of_the_report_that_is_an_input_varies_what_is_asked_of_it(tmp_path):
    workbook = book_with(tmp_path, 'GETPIVOTDATA("Sales",A4,"Region","East")*2')
    program = build_program(workbook, [Input("S!B5", Uniform(min=0.0, max=1.0))], ["S!A20"])
    found = evaluate(program, np.array([[0.25, 0.5]]))
    assert found.values[0].tolist() == [0.5, 1.0]
