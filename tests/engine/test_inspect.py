"""What an inspection finds: candidates with names and reasons, functions, outlines, agreement with stored values."""

import json
from pathlib import Path

import openpyxl
import pytest
from tests.engine.models import LOANS, VALUATION
from tests.engine.sheets import workbook_of

from tollway.engine import (
    CircularReference,
    ErrorValue,
    Normal,
    Triangular,
    Workbook,
    inspect_workbook,
    parse_distribution,
    read_workbook,
)
from tollway.engine.inspect import CANDIDATES_MAX
from tollway.engine.workbooks.workbook import Cell, Sheet


def stored(cells: dict[str, tuple[str, object]]) -> Workbook:
    """Formulas with the values that Excel would have stored beside them."""
    workbook = workbook_of({address: f"={formula}" for address, (formula, _) in cells.items() if formula})
    for address, (formula, value) in cells.items():
        place = next(iter(workbook_of({address: 0}).sheets[0].cells))
        workbook.sheets[0].cells[place] = Cell(formula or None, value)
    return workbook


PROFIT = {
    "A1": ("", "Units"), "B1": ("", 1000.0),
    "A2": ("", "Price"), "B2": ("", 12.5),
    "A3": ("", "Cost share:"), "B3": ("", 0.4),
    "A4": ("", "Growth"), "B4": ("", 0.05),
    "A5": ("", "Never used"), "B5": ("", 99.0),
    "A6": ("", "Nothing"), "B6": ("", 0.0),
    "A8": ("", "Revenue"), "B8": ("B1*B2*(1+B4)+B6", 13125.0),
    "A9": ("", "Profit"), "B9": ("B8*(1-B3)", 7875.0),
    "A10": ("", "Verdict"), "B10": ('IF(B9>0,"good","bad")', "good"),
}  # fmt: skip


def test_candidates_are_constants_that_outputs_depend_on_with_names_and_reasons():
    found = inspect_workbook(stored(PROFIT))
    by_name = {candidate.name: candidate for candidate in found.inputs}
    assert set(by_name) == {"Units", "Price", "Cost share", "Growth"}
    assert by_name["Units"].cell == "S!B1"
    assert by_name["Units"].current_value == 1000.0
    assert by_name["Units"].suggested_distribution == Triangular(min=800.0, mode=1000.0, max=1200.0)
    assert by_name["Cost share"].suggested_distribution == Triangular(min=0.32, mode=0.4, max=0.48)
    assert by_name["Growth"].suggested_distribution == Normal(mean=0.05, std=0.01)
    assert all(candidate.why for candidate in found.inputs)


def test_candidates_that_most_formulas_depend_on_come_first():
    found = inspect_workbook(stored({**PROFIT, "C8": ("B1*2", 2000.0)}))
    assert [(one.name, one.dependents_count) for one in found.inputs] == [
        ("Units", 4),
        ("Price", 3),
        ("Growth", 3),
        ("Cost share", 2),
    ]


def test_outputs_are_numbers_that_no_other_number_is_computed_from():
    found = inspect_workbook(stored({**PROFIT, "C8": ("B1*2", 2000.0), "C9": ("1+1", 2.0)}))
    assert [(one.cell, one.current_value) for one in found.outputs] == [("S!B9", 7875.0), ("S!C8", 2000.0)]


def test_counts_of_years_and_dates_are_no_candidates():
    cells = {f"{column}1": ("", float(year)) for column, year in zip("BCD", (2024, 2025, 2026), strict=True)}
    workbook = stored({**cells, "B2": ("SUM(B1:D1)*F1+G1", 1.0), "F1": ("", 3.5), "G1": ("", 45_000.0)})
    workbook.sheets[0].cells[(1, 7)].number_format = "d-mmm-yy"
    assert [candidate.cell for candidate in inspect_workbook(workbook).inputs] == ["S!F1"]


def test_a_distribution_is_suggested_in_proportion_to_any_value():
    for value in (-5.0, 0.001, 0.99, 1.0, 1e9, -0.3):
        workbook = stored({"A1": ("", value), "B1": ("A1*2", value * 2)})
        (candidate,) = inspect_workbook(workbook).inputs
        suggested = candidate.suggested_distribution
        assert parse_distribution(suggested.as_json()) == suggested
        assert suggested.min < value < suggested.max


def test_differences_from_the_stored_values_are_told():
    cells = {**PROFIT, "B8": ("B1*B2*(1+B4)+B6", 13000.0), "B10": ('IF(B9>0,"good","bad")', "bad")}
    agreement = inspect_workbook(stored(cells)).agreement
    assert (agreement.equal, agreement.different, agreement.left_out) == (1, 2, 0)
    assert [(one.cell, one.stored, one.computed) for one in agreement.differences] == [
        ("S!B8", 13000.0, 13125.0),
        ("S!B10", "bad", "good"),
    ]


def test_kinds_count_in_agreement_and_rounding_dust_does_not():
    cells = {
        "A1": ("1/3", 0.333333333333333),
        "A2": ("1=1", 1.0),
        "A3": ("1/0", ErrorValue.NUM),
        "A4": ("1/0", ErrorValue.DIV0),
        "A5": ("1+1", None),
    }
    agreement = inspect_workbook(stored(cells)).agreement
    assert (agreement.equal, agreement.different, agreement.left_out) == (2, 2, 1)


def test_what_is_unsupported_is_listed_by_cell_and_name_and_the_rest_still_checked():
    cells = {"A1": ("CUBESET()", 0.5), "A2": ("A1+1", 1.5), "A3": ("NOW()", 45_000.0), "A4": ("1+", 1.0)}
    found = inspect_workbook(stored(cells))
    assert found.unsupported == (("S!A1", "CUBESET"), ("S!A4", "unreadable formula"), ("S!A3", "NOW"))
    assert found.functions == {"CUBESET": 1, "NOW": 1}
    assert found.unsupported_count == 3
    assert (found.agreement.equal, found.agreement.left_out, found.agreement.volatile) == (1, 2, 1)


def test_what_draws_by_chance_is_supported_and_it_and_what_reads_it_are_never_compared():
    cells = {"A1": ("RAND()", 0.5), "A2": ("A1+1", 1.5), "A3": ("RiskNormal(10,2)", 11.0), "A4": ("1+1", 2.0)}
    found = inspect_workbook(stored(cells))
    assert (found.unsupported, found.blocked_count) == ((), 0)
    assert (found.agreement.equal, found.agreement.different, found.agreement.volatile) == (1, 0, 3)


def test_what_needs_an_unsupported_cell_is_told_and_proposed_for_no_output():
    cells = {
        **PROFIT,
        "B20": ('CUBEVALUE("a","b")', 7.0),
        "B21": ("B20*B1", 7000.0),
        "B22": ("SUM(B20:B21)", 7007.0),
    }
    found = inspect_workbook(stored(cells))
    assert found.unsupported == (("S!B20", "CUBEVALUE"),)
    assert (found.blocked, found.blocked_count) == (("S!B21", "S!B22"), 2)
    assert [one.cell for one in found.outputs] == ["S!B9"]
    assert found.as_json()["unsupported"] == [{"cell": "S!B20", "function": "CUBEVALUE"}]


def test_a_number_beyond_every_distribution_is_no_candidate():
    found = inspect_workbook(stored({"A1": ("", 1e200), "A2": ("", 5.0), "B1": ("A1+A2", 1e200)}))
    assert [one.cell for one in found.inputs] == ["S!A2"]


def test_a_circle_is_raised_with_its_cells():
    with pytest.raises(CircularReference, match="S!A1:A2"):
        inspect_workbook(workbook_of({"A1": "=A2", "A2": "=A1"}))


def test_links_to_other_workbooks_are_counted_and_keep_their_values():
    workbook = Workbook([Sheet("S", {(1, 1): Cell("[1]S!$A$1", 5.0), (2, 1): Cell("A1*2", 10.0)})])
    found = inspect_workbook(workbook)
    assert found.external_links_count == 1
    assert (found.agreement.equal, found.agreement.left_out) == (1, 1)


def test_a_whole_model_fits_into_json(tmp_path):
    path = tmp_path / "model.xlsx"
    VALUATION.write(path)
    found = inspect_workbook(read_workbook(path))
    assert json.loads(json.dumps(found.as_json())) == found.as_json()
    assert found.formulas_count == VALUATION.formulas_count
    assert found.functions["IF"] == 22
    assert [sheet.name for sheet in found.sheets] == ["Assumptions", "Forecast", "Value"]
    assert set(VALUATION.distributions) <= {candidate.cell for candidate in found.inputs}
    assert {"Value!B10", "Value!B12", "Value!B15"} <= {candidate.cell for candidate in found.outputs}


def test_candidates_have_a_limit(tmp_path):
    cells = {f"A{row}": ("", row * 1.5) for row in range(1, 301)} | {"C1": ("SUM(A1:A300)", 67725.0)}
    assert len(inspect_workbook(stored(cells)).inputs) == CANDIDATES_MAX


@pytest.mark.timeout(20)
def test_3_000_formulas_are_inspected_within_seconds(tmp_path):
    path = tmp_path / "model.xlsx"
    LOANS.write(path)
    assert inspect_workbook(read_workbook(path)).formulas_count == LOANS.formulas_count


def test_a_workbook_saved_without_values_is_computed_before_it_is_looked_over(tmp_path: Path) -> None:
    """Programs such as openpyxl write formulas and leave their values to Excel."""
    written = openpyxl.Workbook()
    sheet = written.active
    assert sheet is not None
    for row in (["Price", 10], ["Units", 100], ["Revenue", "=B1*B2"], ["Profit", "=B3*0.3-50"]):
        sheet.append(row)
    path = tmp_path / "written.xlsx"
    written.save(path)
    found = inspect_workbook(read_workbook(path))
    assert [(one.cell, one.name, one.current_value) for one in found.outputs] == [
        ("Sheet!B4", "Profit", 250.0)
    ]
    assert {one.cell for one in found.inputs} == {"Sheet!B1", "Sheet!B2"}
    assert found.agreement.left_out == 2, "there was nothing to agree with"
    assert found.workbook.sheets[0].cells[3, 2].value == 1000.0
