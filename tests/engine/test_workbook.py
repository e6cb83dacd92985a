"""Reading workbooks, and refusing those made to do harm. The hostile files are made here, byte by byte."""

import io
import struct
import tracemalloc
import zlib
from pathlib import Path

import pytest
import xlsxwriter
from tests.engine.raw_workbooks import MAIN, parts_of, zipped

from tollway.engine import EngineError, NotAWorkbook, ReadLimits, WorkbookTooLarge, read_workbook
from tollway.engine.values import ErrorValue


def cells_of(tmp_path: Path, rows: str, **changes: str):
    return read_workbook(zipped(tmp_path, parts_of(rows, **changes))).sheets[0].cells


def test_every_kind_of_stored_value_is_read(tmp_path):
    strings = f"""<sst xmlns="{MAIN}"><si><t>plain</t></si>
    <si><r><t>rich </t></r><r><t>text</t></r><rPh><t>left out</t></rPh></si><si><t>a_x000D_b</t></si></sst>"""
    rows = """<row r="1"><c r="A1"><v>1.5</v></c><c r="B1" t="s"><v>0</v></c><c r="C1" t="s"><v>1</v></c>
    <c r="D1" t="b"><v>1</v></c><c r="E1" t="e"><v>#DIV/0!</v></c><c r="F1" t="str"><f>"a"</f><v>a</v></c>
    <c r="G1" t="inlineStr"><is><t>inline</t></is></c><c r="H1" t="d"><v>2024-01-31T12:00:00</v></c>
    <c r="I1"/><c r="J1" t="s"><v>2</v></c></row>"""
    cells = cells_of(tmp_path, rows, strings=strings)
    values = [cells[(1, column)].value if (1, column) in cells else None for column in range(1, 11)]
    assert values == [
        1.5, "plain", "rich text", True, ErrorValue.DIV0, "a", "inline", 45322.5, None, "a\rb",
    ]  # fmt: skip


def test_cells_without_addresses_are_counted_from_the_left(tmp_path):
    cells = cells_of(tmp_path, "<row><c><v>1</v></c><c><v>2</v></c></row><row><c><v>3</v></c></row>")
    assert {place: cell.value for place, cell in cells.items()} == {(1, 1): 1.0, (1, 2): 2.0, (2, 1): 3.0}


def test_shared_formulas_are_written_out_for_each_cell(tmp_path):
    rows = """<row r="1"><c r="B1"><f t="shared" ref="B1:B3" si="0">A1*$A$1+SUM(A$1:A1)</f><v>1</v></c></row>
    <row r="2"><c r="B2"><f t="shared" si="0"/><v>1</v></c></row>
    <row r="3"><c r="B3"><f t="shared" si="0"/><v>1</v></c></row>"""
    cells = cells_of(tmp_path, rows)
    assert [cells[(row, 2)].formula for row in (1, 2, 3)] == [
        "A1*$A$1+SUM(A$1:A1)",
        "A2*$A$1+SUM(A$1:A2)",
        "A3*$A$1+SUM(A$1:A3)",
    ]


def test_array_formulas_mark_their_area(tmp_path):
    rows = """<row r="1"><c r="A1"><f t="array" ref="A1:A2">B1:B2*2</f><v>2</v></c></row>
    <row r="2"><c r="A2"><v>4</v></c></row>"""
    cells = cells_of(tmp_path, rows)
    assert cells[(1, 1)].array == (1, 1, 2, 1)
    assert cells[(2, 1)].array_anchor == (1, 1)


def test_a_real_workbook_keeps_names_formats_hidden_sheets_and_the_date_system(tmp_path):
    path = tmp_path / "real.xlsx"
    with xlsxwriter.Workbook(path, {"date_1904": True}) as book:
        sheet, hidden = book.add_worksheet("My Sheet"), book.add_worksheet("Hidden")
        hidden.hide()
        sheet.write("A1", 0.5, book.add_format({"num_format": "0.00%"}))
        book.define_name("share", "='My Sheet'!$A$1")
        book.define_name("Hidden!local", "=Hidden!$B$2")
    workbook = read_workbook(path)
    assert [(sheet.name, sheet.is_hidden) for sheet in workbook.sheets] == [
        ("My Sheet", False),
        ("Hidden", True),
    ]
    assert workbook.sheets[0].cells[(1, 1)].number_format == "0.00%"
    assert workbook.names[(None, "share")].formula == "'My Sheet'!$A$1"
    assert (1, "local") in workbook.names
    assert workbook.is_1904
    assert workbook.application == "Microsoft Excel"


def test_one_cell_in_the_last_corner_takes_little_memory(tmp_path):
    """Excel's Solver hides cells there; a reader that allocates the rectangle dies."""
    path = zipped(tmp_path, parts_of('<row r="1048576"><c r="XFD1048576"><v>7</v></c></row>'))
    tracemalloc.start()
    workbook = read_workbook(path)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert workbook.sheets[0].cells[(1_048_576, 16_384)].value == 7.0
    assert peak_bytes < 5_000_000


def refused(path: Path, kind: type[EngineError], *words: str, limits: ReadLimits | None = None) -> None:
    with pytest.raises(kind) as raised:
        read_workbook(path, limits)
    for word in words:
        assert word in raised.value.message


def written(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "given.xlsx"
    path.write_bytes(content)
    return path


def test_what_is_no_workbook_is_refused_with_what_to_do(tmp_path):
    refused(written(tmp_path, b""), NotAWorkbook, "empty")
    refused(written(tmp_path, b"a,b\n1,2\n"), NotAWorkbook, ".xlsx")
    ole = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)
    refused(written(tmp_path, ole), NotAWorkbook, "old .xls", "save it as .xlsx")
    encrypted = ole + "EncryptedPackage".encode("utf-16-le") + bytes(100)
    refused(written(tmp_path, encrypted), NotAWorkbook, "password")
    refused(zipped(tmp_path, {"word/document.xml": "<x/>"}), NotAWorkbook, "no workbook")
    refused(zipped(tmp_path, {"xl/workbook.bin": "x"}), NotAWorkbook, ".xlsb")
    refused(tmp_path / "missing.xlsx", NotAWorkbook, "cannot be read")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_a_file_cut_short_is_refused(tmp_path, share):
    whole = zipped(tmp_path, parts_of()).read_bytes()
    refused(written(tmp_path, whole[: int(len(whole) * share)]), NotAWorkbook)


@pytest.mark.parametrize("position", range(0, 1_500, 97))
def test_a_flipped_byte_never_crashes_the_reader(tmp_path, position):
    content = bytearray(zipped(tmp_path, parts_of()).read_bytes())
    content[position % len(content)] ^= 0xFF
    assert outcome(written(tmp_path, bytes(content)))


def outcome(path: Path) -> str:
    try:
        return f"{len(read_workbook(path).sheets)} sheets"
    except EngineError as error:
        return error.message


def test_each_limit_tells_what_was_found_and_what_is_allowed(tmp_path):
    path = zipped(tmp_path, parts_of())
    refused(path, WorkbookTooLarge, "100 are allowed", limits=ReadLimits(file_bytes_max=100))
    refused(path, WorkbookTooLarge, "6 parts", limits=ReadLimits(entry_count_max=5))
    refused(path, WorkbookTooLarge, "unpacks", limits=ReadLimits(unpacked_bytes_max=500))
    many = "".join(f'<row r="{row}"><c r="A{row}"><f>B1</f><v>1</v></c></row>' for row in range(1, 12))
    path = zipped(tmp_path, parts_of(many))
    refused(path, WorkbookTooLarge, "10 filled cells", limits=ReadLimits(cells_max=10))
    refused(path, WorkbookTooLarge, "10 formulas", limits=ReadLimits(formulas_max=10))
    long = f'<row r="1"><c r="A1"><f>{"1+" * 5_000}1</f><v>1</v></c></row>'
    refused(zipped(tmp_path, parts_of(long)), WorkbookTooLarge, "10,001 characters", "8,192")


def test_a_bomb_is_stopped_by_its_ratio(tmp_path):
    parts = parts_of() | {"xl/media/zeros.xml": "0" * 20_000_000}
    refused(zipped(tmp_path, parts), WorkbookTooLarge, "times its packed size")


def test_a_bomb_that_lies_about_its_size_is_stopped_while_unpacking(tmp_path):
    """The directory declares 1 kB for a part of 30 MB: what counts is what comes out."""
    rows = '<row r="1"><c r="A1"><v>1</v></c></row>' + " " * 30_000_000
    content = bytearray(zipped(tmp_path, parts_of(rows)).read_bytes())
    name = b"xl/worksheets/sheet1.xml"
    local, central = content.find(name) - 30, content.rfind(name) - 46
    content[local + 22 : local + 26] = struct.pack("<I", 1_000)
    content[central + 24 : central + 28] = struct.pack("<I", 1_000)
    refused(written(tmp_path, bytes(content)), EngineError, limits=ReadLimits(unpacked_bytes_max=5_000_000))


ENTITY = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>'
EXTERNAL = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize("declaration", [ENTITY, EXTERNAL, '<!DOCTYPE x SYSTEM "http://localhost/x.dtd">'])
def test_entities_and_document_types_are_refused(tmp_path, declaration):
    parts = parts_of()
    parts["xl/sharedStrings.xml"] = f'{declaration}<sst xmlns="{MAIN}"><si><t>&a;</t></si></sst>'
    refused(zipped(tmp_path, parts), NotAWorkbook, "entities")


def raw_zip(entries: list[tuple[str, bytes]]) -> bytes:
    """A zip file with any names, twice the same one included."""
    out, directory = io.BytesIO(), b""
    for name, content in entries:
        start, crc = out.tell(), zlib.crc32(content)
        sizes = struct.pack("<IIIHH", crc, len(content), len(content), len(name), 0)
        out.write(b"PK\x03\x04" + struct.pack("<HHHHH", 20, 0, 0, 0, 0) + sizes + name.encode() + content)
        directory += b"PK\x01\x02" + struct.pack("<HHHHHH", 20, 20, 0, 0, 0, 0) + sizes
        directory += struct.pack("<HHHII", 0, 0, 0, 0, start) + name.encode()
    end = struct.pack("<HHHHIIH", 0, 0, len(entries), len(entries), len(directory), out.tell(), 0)
    return out.getvalue() + directory + b"PK\x05\x06" + end


def test_double_and_climbing_names_are_refused(tmp_path):
    good = [(name, text.encode()) for name, text in parts_of().items()]
    assert len(read_workbook(written(tmp_path, raw_zip(good))).sheets) == 1
    refused(written(tmp_path, raw_zip([*good, ("XL/workbook.xml", b"<x/>")])), NotAWorkbook, "twice")
    refused(written(tmp_path, raw_zip([*good, ("../x.xml", b"<x/>")])), NotAWorkbook, "forbidden name")
    refused(written(tmp_path, raw_zip([*good, ("/etc/x", b"<x/>")])), NotAWorkbook, "forbidden name")


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ('<row r="1048577"><c r="A1048577"><v>1</v></c></row>', "ends at row"),
        ('<row r="1"><c r="XFE1"><v>1</v></c></row>', "ends at column XFD"),
        ('<row r="1"><c r="1A"><v>1</v></c></row>', "address"),
        ('<row r="1"><c r="A1"><v>nan</v></c></row>', "no value"),
        ('<row r="1"><c r="A1"><v>one</v></c></row>', "no value"),
        ('<row r="1"><c r="A1" t="s"><v>99</v></c></row>', "no value"),
        ('<row r="1"><c r="A1"><v>1</v></row>', "well-formed"),
    ],
)
def test_cells_that_cannot_be_are_refused(tmp_path, rows, words):
    refused(zipped(tmp_path, parts_of(rows)), NotAWorkbook, words)


def test_a_workbook_with_macros_is_read_and_its_macros_are_not(tmp_path):
    parts = parts_of() | {"xl/vbaProject.bin": "\x00 not even a real macro file"}
    assert read_workbook(zipped(tmp_path, parts)).sheets[0].cells[(1, 1)].value == 1.0
