"""Workbooks made to do harm, formula by formula: each is refused in a sentence, or computed, within bounds.

Hostile zip files and XML stand in test_workbook.py.
"""

import time
import tracemalloc
from collections.abc import Mapping

import pytest
from tests.engine.raw_workbooks import BOOK, MAIN, parts_of, zipped
from tests.engine.sheets import computed, workbook_of

from tollway.engine import (
    EngineError,
    NotAWorkbook,
    ReadLimits,
    TooManyReferences,
    UnreadableFormula,
    WorkbookTooLarge,
    inspect_workbook,
    read_workbook,
)
from tollway.engine.exact.graph import FormulaBook

# Far above what any of them takes; what has no bound takes hours.
SECONDS_MAX = 20.0
BYTES_MAX = 30_000_000


@pytest.fixture(autouse=True)
def _bounded():
    """Computing time of every test here."""
    started = time.process_time()
    yield
    assert time.process_time() - started < SECONDS_MAX


@pytest.fixture
def _small():
    """Memory of a test."""
    tracemalloc.start()
    yield
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < BYTES_MAX


def tree_of(formula: str, names: Mapping[str, str] | None = None):
    return FormulaBook(workbook_of({"C7": formula, "Z!A1": 1}, names=names or {})).tree((0, 7, 3))


def chain(count: int) -> dict[str, str]:
    """Names that each use the next one ten times."""
    return {f"n_{index}": "+".join([f"n_{index + 1}"] * 10) for index in range(count)} | {f"n_{count}": "1"}


@pytest.mark.parametrize(
    ("formula", "words"),
    [
        ("IF(1," * 500 + "1" + ")" * 500, "64 levels"),
        ("(" * 500 + "1" + ")" * 500, "64 levels"),
        ("-" * 8_000 + "1", "192 operators"),
        ("@" * 8_000 + "A1", "192 operators"),
        ("1" + "%" * 8_000, "grammar"),
        ("B1" + "#" * 8_000, "grammar"),
        ("LAMBDA(x,x)" + "(1)" * 2_000, "inside one another"),
        ("A1" + ":A1" * 2_700, "64 references in a row"),
        ("A1" + " A1" * 2_700, "64 references in a row"),
        (":".join(["INDEX(B:B,1)"] * 600), "64 references in a row"),
        ("(B2" + ",B2" * 1_300 + ") (B2" + ",B2" * 1_300 + ")", "10,000 pairs"),
        ("SUM(" + ",".join(["1"] * 256) + ")", "255"),
        ("1" * 8_193, "8,192"),
        ("9" * 400, "larger than Excel allows"),
        ("T" + "[" * 4_000 + "]" * 4_000, "character 2"),
        ("T[" + "'" * 8_000, "character 2"),
        ("'" * 8_000, "character 1"),
        ('"' * 8_001, "character 1"),
        ("a!" * 4_000, "character 8000"),
        ("ab:" * 2_700, "64 references in a row"),
        ("a." * 4_000 + "(", "grammar"),
    ],
)
def test_formulas_that_nobody_writes_are_refused_with_the_limit(formula, words):
    with pytest.raises(UnreadableFormula) as raised:
        tree_of(f"={formula}")
    assert words in raised.value.message
    assert raised.value.message.startswith("S!C7: ")
    assert raised.value.cells == ("S!C7",)


def test_formulas_up_to_the_limits_are_read():
    for formula in (
        "+".join(["A1"] * 2_700),
        "SUM((A2" + ",A2" * 2_700 + "))",
        "SUM(" + ",".join(["1"] * 255) + ")",
        "LET(x,1," * 60 + "x" + ")" * 60,
        "LAMBDA(x," * 60 + "x" + ")" * 60 + "(1)" * 60,
        "{" + "1," * 4_000 + "1}",
    ):
        tree_of(f"={formula}")


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ({"n_0": "n_0"}, "in a circle (n_0 -> n_0)"),
        ({"n_0": "S!A1+n_1", "n_1": "N_2*2", "n_2": "n_0"}, "in a circle (n_0 -> n_1 -> n_2 -> n_0)"),
        ({f"n_{index}": f"n_{index + 1}" for index in range(20)}, "more than 16 deep"),
        (chain(15), "20,000 references, numbers and calls"),
        ({f"n_{index}": "(" * 60 + f"n_{index + 1}" + ")" * 60 for index in range(15)}, "inside one another"),
        ({"n_0": "1+"}, "The name n_0 cannot be read"),
        ({"n_0": ""}, "The name n_0 cannot be read"),
    ],
)
def test_names_that_loop_or_grow_without_end_are_refused_by_cell(names, words):
    with pytest.raises(UnreadableFormula) as raised:
        tree_of("=n_0+1", names)
    assert words in raised.value.message
    assert raised.value.cells == ("S!C7",)


def test_thousands_of_formulas_over_growing_names_are_refused_together():
    """Each may be as large as a formula may be; all of them may not."""
    book = FormulaBook(workbook_of({f"A{row}": "=n_0" for row in range(1, 2_000)}, names=chain(15)))
    refusals = []
    for address in book.formula_addresses():
        with pytest.raises(EngineError) as raised:
            book.tree(address)
        refusals.append(raised.value)
    assert isinstance(refusals[0], UnreadableFormula)
    assert isinstance(refusals[-1], TooManyReferences)
    assert "2,000,000" in refusals[-1].message
    assert refusals[-1].cells == ("S!A1999",)


def test_a_range_of_billions_of_cells_costs_what_it_holds_or_is_refused():
    sums = {"Z!A1": "=SUM(S!A:XFD)", "Z!A2": "=COUNT(S!A1:XFD1048576)"}
    assert computed(workbook_of({"B2": 1.0, "J99": 2.0, **sums})) == {"Z!A1": 3.0, "Z!A2": 2.0}
    far_out = {"B2": 1.0, "XFD1048576": 2.0}
    assert computed(workbook_of({**far_out, "Z!A1": "=SUM(S!A:XFD)"})) == {"Z!A1": 3.0}
    found = inspect_workbook(workbook_of({**far_out, "Z!A1": "{=SUM(S!A1:XFD1048576*2)}"}))
    assert found.unsupported == (("Z!A1", "too many references"),)


@pytest.mark.usefixtures("_small")
def test_elements_inside_one_another_without_end_are_refused(tmp_path):
    """Four kilobytes, zipped: a reader that calls itself for each element dies of it."""
    path = zipped(tmp_path, parts_of(strings=f'<sst xmlns="{MAIN}">{"<a>" * 600_000}'))
    assert path.stat().st_size < 6_000
    with pytest.raises(NotAWorkbook, match="256 deep"):
        read_workbook(path)


@pytest.mark.usefixtures("_small")
def test_a_million_rows_with_ten_cells_hold_ten_cells(tmp_path):
    empty = "".join(f'<row r="{row}"/>' for row in range(1, 100_000))
    filled = "".join(
        f'<row r="{row}"><c r="A{row}"><v>1</v></c></row>' for row in range(1_048_567, 1_048_577)
    )
    assert len(read_workbook(zipped(tmp_path, parts_of(empty + filled))).sheets[0].cells) == 10


def shared(formula: str, row_count: int) -> str:
    first = f'<row r="1"><c r="A1"><f t="shared" ref="A1:A9" si="0">{formula}</f><v>1</v></c></row>'
    return first + "".join(
        f'<row r="{row}"><c r="A{row}"><f t="shared" si="0"/><v>1</v></c></row>'
        for row in range(2, row_count + 1)
    )


def test_a_small_file_cannot_share_one_long_formula_endlessly(tmp_path):
    path = zipped(tmp_path, parts_of(shared("+".join(["$B$1"] * 1_600), 40_000)))
    with pytest.raises(WorkbookTooLarge, match="8,000,000 characters") as raised:
        read_workbook(path)
    assert raised.value.cells
    short = zipped(tmp_path, parts_of(shared("B1", 12)))
    with pytest.raises(WorkbookTooLarge, match="than the 20 characters"):
        read_workbook(short, ReadLimits(formula_characters_max=20))


def test_a_shared_formula_that_cannot_be_read_is_refused_by_each_of_its_cells(tmp_path):
    book = FormulaBook(read_workbook(zipped(tmp_path, parts_of(shared("1+?", 3)))))
    for address in book.formula_addresses():
        with pytest.raises(UnreadableFormula) as raised:
            book.tree(address)
        assert raised.value.cells == (book.text(address),)


@pytest.mark.parametrize("kind", ["array", "dataTable"])
def test_arrays_over_one_another_are_refused(tmp_path, kind):
    rows = "".join(
        f'<row r="{row}"><c r="A{row}"><f t="{kind}" ref="A{row}:XFD1048576" r1="B1">1</f><v>1</v></c></row>'
        for row in range(1, 5_001)
    )
    with pytest.raises(NotAWorkbook, match="lie over one another"):
        read_workbook(zipped(tmp_path, parts_of(rows)))


@pytest.mark.parametrize(
    "book",
    [
        BOOK.replace("</sheets>", '<sheet name="x"/>' * 2_000 + "</sheets>"),
        BOOK.replace("</definedNames>", '<definedName name="n">1</definedName>' * 20_001 + "</definedNames>"),
    ],
    ids=["sheets", "names"],
)
def test_sheets_and_names_have_limits(tmp_path, book):
    with pytest.raises(WorkbookTooLarge, match="allowed"):
        read_workbook(zipped(tmp_path, parts_of(book=book)))


def test_whatever_bytes_a_formula_is_made_of_the_answer_is_a_tree_or_a_sentence():
    pieces = (
        "A1",
        ":",
        "(",
        ")",
        "[",
        "]",
        "'",
        '"',
        "#",
        "@",
        "!",
        ",",
        " ",
        "{",
        "}",
        "LET(",
        "%",
        "-",
        "\n",
        "é",
    )
    formulas = [f"{a}{b}{c}{d}" for a in pieces for b in pieces for c in pieces for d in ("", "A1", ")", "]")]
    book = FormulaBook(workbook_of({"A1": 1}))
    outcomes = set()
    for formula in formulas:
        try:
            book.bind_text((0, 2, 2), formula)
            outcomes.add("read")
        except EngineError as error:
            outcomes.add(type(error).__name__)
    assert outcomes == {"read", "UnreadableFormula"}
