"""What a workbook says beside its cells: tables, dynamic arrays, what-if tables, calculation, names, where it links."""

import pytest
import xlsxwriter
from tests.engine.raw_workbooks import BOOK, BOOK_RELATIONS, MAIN, OFFICE, parts_of, sheet_xml, zipped

from tollway.engine import NotAWorkbook, Workbook, read_workbook
from tollway.engine.workbooks.workbook import Cell, DataTableFacts

PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"


def relations(*found: tuple[str, str, str]) -> str:
    """Relationships of (id, type, target)."""
    listed = "".join(
        f'<Relationship Id="{one}" Type="{OFFICE}/{kind}" Target="{target}"/>' for one, kind, target in found
    )
    return f'<Relationships xmlns="{PACKAGE}">{listed}</Relationships>'


def read(tmp_path, parts) -> Workbook:
    return read_workbook(zipped(tmp_path, parts))


def table_xml(attributes: str, *columns: str) -> str:
    listed = "".join(f'<tableColumn id="{index}" name="{name}"/>' for index, name in enumerate(columns, 1))
    return f'<table xmlns="{MAIN}" {attributes}><tableColumns>{listed}</tableColumns></table>'


def with_table(attributes: str, *columns: str) -> dict[str, str]:
    return parts_of() | {
        "xl/worksheets/_rels/sheet1.xml.rels": relations(("t1", "table", "../tables/table1.xml")),
        "xl/tables/table1.xml": table_xml(attributes, *columns),
    }


def test_tables_are_read_with_their_headers_totals_and_columns(tmp_path):
    attributes = 'name="inner" displayName="Sales" ref="B2:C9" totalsRowCount="1" headerRowCount="1"'
    table = read(tmp_path, with_table(attributes, "Year", "two_x000a_lines")).tables["sales"]
    assert (table.name, table.sheet, table.bounds) == ("Sales", 0, (2, 2, 9, 3))
    assert table.columns == ("Year", "two\nlines")
    assert table.data_rows == (3, 8)
    bare = read(tmp_path, with_table('name="Bare" ref="A1:A2" headerRowCount="0"', "a")).tables["bare"]
    assert bare.data_rows == (1, 2)


@pytest.mark.parametrize("ref", ["", "A1:ZZZZ9", "A0:B2", "A1:B1048577", "C3:A1", "nonsense", "A1"])
def test_a_table_over_no_area_is_refused_by_name(tmp_path, ref):
    with pytest.raises(NotAWorkbook, match="The table 'Sales' of the sheet 'S'"):
        read(tmp_path, with_table(f'displayName="Sales" ref="{ref}" totalsRowCount="1"', "a", "b"))


def test_the_rows_that_a_table_s_filter_hides_are_filtered(tmp_path):
    parts = with_table('displayName="Sales" ref="A1:A4" totalsRowCount="1"', "a")
    columns = '<autoFilter ref="A1:A3">{}</autoFilter><tableColumns>'
    column = '<filterColumn colId="0"><filters><filter val="1"/></filters></filterColumn>'
    rows = "".join(
        f'<row r="{row}"{hidden}><c r="A{row}"><v>{row}</v></c></row>'
        for row, hidden in [(1, ""), (2, ""), (3, ' hidden="1"'), (4, ' hidden="1"')]
    )
    parts["xl/worksheets/sheet1.xml"] = sheet_xml(rows)
    plain = parts["xl/tables/table1.xml"]
    parts["xl/tables/table1.xml"] = plain.replace("<tableColumns>", columns.format(column))
    assert read(tmp_path, parts).sheets[0].filtered_rows == {3}
    parts["xl/tables/table1.xml"] = plain.replace("<tableColumns>", columns.format(""))
    assert read(tmp_path, parts).sheets[0].filtered_rows == set()


def test_tables_over_one_another_are_read(tmp_path):
    parts = with_table('displayName="One" ref="A1:B9"', "a", "b")
    parts["xl/worksheets/_rels/sheet1.xml.rels"] = relations(
        ("t1", "table", "../tables/table1.xml"), ("t2", "table", "/xl/tables/table2.xml")
    )
    parts["xl/tables/table2.xml"] = table_xml('displayName="Two" ref="B2:C3"', "b", "c")
    assert set(read(tmp_path, parts).tables) == {"one", "two"}


METADATA = f"""<metadata xmlns="{MAIN}" xmlns:xda="http://schemas.microsoft.com/office/spreadsheetml/2017/dynamicarray">
<metadataTypes count="2"><metadataType name="XLRICHVALUE"/><metadataType name="XLDAPR"/></metadataTypes>
<futureMetadata name="XLRICHVALUE" count="1"><bk><extLst/></bk></futureMetadata>
<futureMetadata name="XLDAPR" count="2">
<bk><extLst><ext><xda:dynamicArrayProperties fDynamic="0"/></ext></extLst></bk>
<bk><extLst><ext><xda:dynamicArrayProperties fDynamic="1" fCollapsed="0"/></ext></extLst></bk></futureMetadata>
<cellMetadata count="3"><bk><rc t="2" v="0"/></bk><bk><rc t="1" v="1"/></bk><bk><rc t="2" v="1"/></bk></cellMetadata>
<valueMetadata count="1"><bk><rc t="1" v="0"/></bk></valueMetadata></metadata>"""


def test_metadata_tells_dynamic_arrays_from_those_entered_as_arrays(tmp_path):
    rows = "".join(
        f'<row r="{row}"><c r="A{row}" {mark}><f t="array" ref="A{row}:B{row}">C1:D1*2</f><v>1</v></c>'
        f'<c r="B{row}"><v>2</v></c></row>'
        for row, mark in enumerate(("", 'cm="1"', 'cm="2"', 'cm="3"'), 1)
    )
    parts = parts_of(rows) | {"xl/metadata.xml": METADATA}
    parts["xl/_rels/workbook.xml.rels"] = relations(
        ("r1", "worksheet", "worksheets/sheet1.xml"), ("r2", "sheetMetadata", "metadata.xml")
    )
    cells = read(tmp_path, parts).sheets[0].cells
    assert [cells[row, 1].is_dynamic for row in range(1, 5)] == [False, False, False, True]
    assert cells[4, 1].array == (4, 1, 4, 2)
    assert cells[4, 2].array_anchor == (4, 1)


RICH = 'xmlns="http://schemas.microsoft.com/office/spreadsheetml/2017/richdata"'
RICH_METADATA = f"""<metadata xmlns="{MAIN}" xmlns:xlrd="http://schemas.microsoft.com/office/spreadsheetml/2017/richdata">
<metadataTypes count="1"><metadataType name="XLRICHVALUE"/></metadataTypes>
<futureMetadata name="XLRICHVALUE" count="3"><bk><extLst><ext><xlrd:rvb i="2"/></ext></extLst></bk>
<bk><extLst><ext><xlrd:rvb i="0"/></ext></extLst></bk>
<bk><extLst><ext><xlrd:rvb i="1"/></ext></extLst></bk></futureMetadata>
<valueMetadata count="3"><bk><rc t="1" v="0"/></bk><bk><rc t="1" v="1"/></bk><bk><rc t="1" v="2"/></bk></valueMetadata>
</metadata>"""


def test_newer_error_values_are_read_from_the_rich_value_that_tells_them(tmp_path):
    cells = "".join(
        f'<c r="{column}1" t="e"{mark}><v>#VALUE!</v></c>'
        for column, mark in (
            ("A", ""),
            ("B", ' vm="1"'),
            ("C", ' vm="2"'),
            ("D", ' vm="3"'),
            ("E", ' vm="9"'),
        )
    )
    parts = parts_of(f'<row r="1">{cells}</row>') | {
        "xl/metadata.xml": RICH_METADATA,
        "xl/richData/values.xml": f'<rvData {RICH}><rv s="1"><v>3</v><v>8</v></rv><rv s="0"><v>8</v></rv>'
        '<rv s="1"><v>0</v><v>13</v></rv></rvData>',
        "xl/richData/kinds.xml": f'<rvStructures {RICH}><s t="_picture"><k n="errorType"/></s>'
        '<s t="_error"><k n="subType" t="i"/><k n="errorType" t="i"/></s></rvStructures>',
    }
    parts["xl/_rels/workbook.xml.rels"] = relations(
        ("r1", "worksheet", "worksheets/sheet1.xml"),
        ("r2", "sheetMetadata", "metadata.xml"),
        ("r3", "rdRichValue", "richData/values.xml"),
        ("r4", "rdRichValueStructure", "richData/kinds.xml"),
    )
    found = read(tmp_path, parts).sheets[0].cells
    assert [found[1, column].value.text for column in range(1, 6)] == [
        "#VALUE!", "#CALC!", "#SPILL!", "#VALUE!", "#VALUE!",
    ]  # fmt: skip


def test_a_dynamic_array_of_a_real_workbook_spills(tmp_path):
    path = tmp_path / "spill.xlsx"
    with xlsxwriter.Workbook(path) as book:
        book.add_worksheet().write_dynamic_array_formula("A1:A3", "=SEQUENCE(3)", None, 1)
    cell = read_workbook(path).sheets[0].cells[1, 1]
    assert cell.is_dynamic
    assert cell.array == (1, 1, 3, 1)


@pytest.mark.parametrize(
    ("attributes", "row_input", "column_input", "is_broken"),
    [
        ('dt2D="1" dtr="1" r1="J1" r2="J2"', (1, 10), (2, 10), False),
        ('dt2D="0" dtr="1" r1="J1"', (1, 10), None, False),
        ('r1="$J$1"', None, (1, 10), False),
        ('r1="J1" del1="1"', None, (1, 10), True),
        ('dt2D="1" r1="J1"', (1, 10), None, True),
        ("", None, None, True),
    ],
)
def test_what_if_tables_say_which_inputs_take_the_values(
    tmp_path, attributes, row_input, column_input, is_broken
):
    rows = f"""<row r="2"><c r="B2"><f t="dataTable" ref="B2:C3" {attributes}/><v>1</v></c><c r="C2"><v>2</v></c></row>
    <row r="3"><c r="B3"><v>3</v></c><c r="C3"><v>4</v></c><c r="D3"><v>5</v></c></row>"""
    cells = read(tmp_path, parts_of(rows)).sheets[0].cells
    facts = DataTableFacts((2, 2, 3, 3), row_input, column_input, is_broken)
    assert [cells[place].data_table for place in ((2, 2), (2, 3), (3, 2), (3, 3))] == [facts] * 4
    assert cells[3, 4] == Cell(None, 5.0)


def test_hidden_rows_that_hold_something_are_known(tmp_path):
    rows = """<row r="1"><c r="A1"><v>1</v></c></row><row r="2" hidden="1"><c r="A2"><v>2</v></c></row>
    <row r="3" hidden="true"><c r="A3"/></row><row r="4" hidden="0"><c r="A4"><v>4</v></c></row>"""
    assert read(tmp_path, parts_of(rows)).sheets[0].hidden_rows == {2}


def calculated(attributes: str) -> dict[str, str]:
    return parts_of(book=BOOK.replace("</workbook>", f"<calcPr {attributes}/></workbook>"))


def test_how_a_workbook_is_calculated_is_read(tmp_path):
    plain = read(tmp_path, parts_of())
    assert (plain.is_iterative, plain.iterations_max, plain.iteration_change_max) == (False, 100, 0.001)
    assert plain.is_full_precision
    changed = read(tmp_path, calculated('iterate="1" iterateCount="7" iterateDelta="1E-4" fullPrecision="0"'))
    assert (changed.is_iterative, changed.iterations_max, changed.iteration_change_max) == (True, 7, 1e-4)
    assert not changed.is_full_precision
    nonsense = read(tmp_path, calculated('iterate="1" iterateCount="-3" iterateDelta="nan"'))
    assert (nonsense.iterations_max, nonsense.iteration_change_max) == (100, 0.001)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2024-02-03T04:05:06Z", "2024-02-03T04:05:06"),
        ("2024-02-03T04:05:06+02:00", "2024-02-03T02:05:06"),
        ("2024-02-03T04:05:06", "2024-02-03T04:05:06"),
        ("yesterday", None),
        ("0001-01-01T00:00:00+14:00", None),
    ],
)
def test_the_moment_of_saving_is_read(tmp_path, written, expected):
    parts = parts_of() | {"docProps/core.xml": f'<cp xmlns:d="x"><d:modified>{written}</d:modified></cp>'}
    core = "http://schemas.openxmlformats.org/package/2006/relationships/metadata/core-properties"
    parts["_rels/.rels"] = parts["_rels/.rels"].replace(
        "</Relationships>", f'<Relationship Id="c" Type="{core}" Target="docProps/core.xml"/></Relationships>'
    )
    found = read(tmp_path, parts).saved_at
    assert (None if found is None else found.isoformat()) == expected
    assert read(tmp_path, parts_of()).saved_at is None


def test_names_keep_their_scope_and_what_excel_says_of_them(tmp_path):
    names = """<definedName name="_xlnm.Print_Area" localSheetId="0">S!$A$1</definedName>
    <definedName name="old" function="1" vbProcedure="1" hidden="1">macro</definedName>
    <definedName name="lost" localSheetId="9">S!$A$1</definedName>"""
    found = read(tmp_path, parts_of(book=BOOK.replace("</definedNames>", f"{names}</definedNames>"))).names
    assert set(found) == {(None, "rate"), (0, "_xlnm.print_area"), (None, "old")}
    assert found[0, "_xlnm.print_area"].is_built_in
    assert found[None, "old"].is_macro
    assert found[None, "old"].is_hidden
    assert not found[None, "rate"].is_macro


def test_macros_and_links_are_facts_and_no_more(tmp_path):
    parts = parts_of() | {
        "xl/vbaProject.bin": "no macro at all",
        "xl/externalLinks/externalLink1.xml": f'<externalLink xmlns="{MAIN}"/>',
        "xl/externalLinks/_rels/externalLink1.xml.rels": (
            f'<Relationships xmlns="{PACKAGE}"><Relationship Id="r1" Type="{OFFICE}/externalLinkPath" '
            'Target="file:///C:/rates.xlsx" TargetMode="External"/></Relationships>'
        ),
    }
    parts["xl/_rels/workbook.xml.rels"] = BOOK_RELATIONS.replace(
        "</Relationships>",
        f'<Relationship Id="x" Type="{OFFICE}/externalLink" Target="externalLinks/externalLink1.xml"/></Relationships>',
    )
    workbook = read(tmp_path, parts)
    assert workbook.has_macros
    assert workbook.external_links == ("file:///C:/rates.xlsx",)
    assert not read(tmp_path, parts_of()).has_macros


def test_a_strict_workbook_with_prefixes_absolute_paths_and_iso_dates_is_read(tmp_path):
    strict = "http://purl.oclc.org/ooxml/officeDocument/relationships"
    cells = '<x:c r="A1" t="d"><x:v>2024-01-31</x:v></x:c><x:c r="B1" t="d"><x:v>12:00:00</x:v></x:c>'
    rows = f'<x:row r="1">{cells}</x:row>'
    parts = parts_of() | {
        "_rels/.rels": (
            f'<Relationships xmlns="{PACKAGE}"><Relationship Id="a" Type="{strict}/officeDocument" '
            'Target="/xl/book.xml"/></Relationships>'
        ),
        "xl/book.xml": (
            f'<x:workbook xmlns:x="http://purl.oclc.org/ooxml/spreadsheetml/main" xmlns:r="{strict}" '
            'conformance="strict"><x:workbookPr date1904="true"/>'
            '<x:sheets><x:sheet name="S" sheetId="1" r:id="b"/></x:sheets></x:workbook>'
        ),
        "xl/_rels/book.xml.rels": (
            f'<Relationships xmlns="{PACKAGE}"><Relationship Id="b" Type="{strict}/worksheet" '
            'Target="\\xl\\worksheets\\first.xml"/></Relationships>'
        ),
        "xl/worksheets/first.xml": f'<x:worksheet xmlns:x="m"><x:sheetData>{rows}</x:sheetData></x:worksheet>',
    }
    del parts["xl/workbook.xml"]
    workbook = read(tmp_path, parts)
    assert workbook.is_1904
    assert {place: cell.value for place, cell in workbook.sheets[0].cells.items()} == {
        (1, 1): 43_860.0,
        (1, 2): 0.5,
    }


def test_a_text_of_no_shared_texts_is_refused_by_cell(tmp_path):
    parts = parts_of('<row r="1"><c r="A1" t="s"><v>0</v></c></row>')
    del parts["xl/sharedStrings.xml"]
    with pytest.raises(NotAWorkbook, match="S!A1"):
        read(tmp_path, parts)
    with pytest.raises(NotAWorkbook, match="S!A1"):
        read(tmp_path, parts_of('<row r="1"><c r="A1" t="s"><v>-1</v></c></row>'))
