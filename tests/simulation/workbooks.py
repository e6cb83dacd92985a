"""Workbooks for tests."""

import io
import zipfile
from pathlib import Path

import openpyxl
import xlsxwriter

VOLATILITY = {"type": "triangular", "min": 0.05, "mode": 0.15, "max": 0.35}
RETURN = {"type": "normal", "mean": 0.08, "std": 0.02}
RISK_FREE = {"type": "triangular", "min": 0.01, "mode": 0.03, "max": 0.05}
PORTFOLIO_VARIABLES = [
    {"cell": "B4", "name": "Volatility", "distribution": VOLATILITY},
    {"cell": "B5", "name": "Return", "distribution": RETURN},
    {"cell": "B6", "name": "Risk-free", "distribution": RISK_FREE},
]


def saved(workbook: openpyxl.Workbook) -> bytes:
    content = io.BytesIO()
    workbook.save(content)
    return content.getvalue()


def portfolio(sheet: str = "Risk") -> bytes:
    """The sample of spec/shapes.md 3.1, with the values that Excel stores beside its formulas.

    E[B16] is 1,050,000 and its standard deviation 21,602.
    """
    content = io.BytesIO()
    workbook = xlsxwriter.Workbook(content, {"in_memory": True})
    cells = workbook.add_worksheet(sheet)
    for row, label, value in (
        (4, "Volatility", 0.15),
        (5, "Expected return", 0.08),
        (6, "Risk-free rate", 0.03),
        (7, "Invested", 1_000_000),
    ):
        cells.write(row - 1, 0, label)
        cells.write(row - 1, 1, value)
    for row, label, formula, value in (
        (10, "Excess return", "=B5-B6", 0.05),
        (11, "Sharpe ratio", "=B10/B4", 1 / 3),
        (12, "Final value", "=B7*(1+B10)", 1_050_000),
        (13, "Gain", "=B12-B7", 50_000),
        (16, "Final value", "=B12", 1_050_000),
        (17, "Gain in percent", "=(B12-B7)/B7*100", 5),
        (18, "Sharpe ratio", "=B11", 1 / 3),
    ):
        cells.write(row - 1, 0, label)
        cells.write_formula(row - 1, 1, formula, None, value)
    workbook.close()
    return content.getvalue()


def chain(length: int) -> bytes:
    """B1 is the input, and column C computes a long chain from it; its last cell is the output."""
    workbook = openpyxl.Workbook()
    cells = workbook.active
    cells.title = "Chain"
    cells["A1"], cells["B1"] = "Start", 1.0
    cells["C1"] = "=B1*1.0001"
    for row in range(2, length + 1):
        cells.cell(row, 3, f"=C{row - 1}*1.0001+EXP(-C{row - 1})")
    return saved(workbook)


def with_formula(formula: str) -> bytes:
    workbook = openpyxl.Workbook()
    cells = workbook.active
    cells["A1"], cells["B1"], cells["B2"] = "Start", 1.0, formula
    return saved(workbook)


def with_cells(written: dict[str, object]) -> bytes:
    workbook = openpyxl.Workbook()
    for place, value in written.items():
        workbook.active[place] = value
    return saved(workbook)


def with_far_cell() -> bytes:
    """One cell in the last corner of the sheet, as Excel's Solver leaves them in real models."""
    workbook = openpyxl.load_workbook(io.BytesIO(portfolio()))
    workbook.active["XFD1048576"] = 1.0
    return saved(workbook)


def with_part(content: bytes, name: str, part: bytes) -> bytes:
    """The same file with one more part in its zip."""
    changed = io.BytesIO(content)
    with zipfile.ZipFile(changed, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, part)
    return changed.getvalue()


def with_text(content: bytes, text: str, written: str) -> bytes:
    """The same file with one of its texts written otherwise."""
    changed = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as honest,
        zipfile.ZipFile(changed, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for name in honest.namelist():
            part = honest.read(name)
            archive.writestr(name, part.replace(f">{text}<".encode(), f">{written}<".encode()))
    return changed.getvalue()


def bomb() -> bytes:
    """A sheet of a gigabyte in a megabyte: packed honestly, unpacked a flood."""
    packed = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(portfolio())) as honest,
        zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for name in honest.namelist():
            if name != "xl/worksheets/sheet1.xml":
                archive.writestr(name, honest.read(name))
        with archive.open("xl/worksheets/sheet1.xml", "w") as sheet:
            sheet.write(b"<worksheet><sheetData>")
            for _ in range(300):
                sheet.write(b" " * 1_000_000)
            sheet.write(b"</sheetData></worksheet>")
    return packed.getvalue()


def encrypted() -> bytes:
    """The head of an OLE container with the stream that an encrypted workbook has."""
    head = bytes.fromhex("d0cf11e0a1b11ae1")
    return head + bytes(504) + "EncryptedPackage".encode("utf-16-le") + bytes(1024)


def old_xls() -> bytes:
    return bytes.fromhex("d0cf11e0a1b11ae1") + bytes(2048)


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path
