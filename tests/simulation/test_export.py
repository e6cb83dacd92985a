"""Files of results: the JSON that clients read, and a workbook that opens with its charts."""

import io
import json
import re
import zipfile
from dataclasses import replace
from datetime import UTC, datetime

import openpyxl
import pytest

from tollway.engine import Input, Normal, ProgramFacts, build_program, read_workbook, run_shard, summarize
from tollway.simulation.export import RunFacts, results_json, results_xlsx
from tollway.simulation.samples import SAMPLES, write_sample

SAMPLE = SAMPLES["stress"]
FACTS = RunFacts(
    run_id="b2b_sim_0123456789abcdef",
    workbook_name="stress-test.xlsx",
    status="completed",
    seed=7,
    iterations_requested=20_000,
    iterations_completed=20_000,
    execution_seconds=1.234,
    engine_version="1.0.0",
    created_at=datetime(2026, 11, 20, 10, 0, tzinfo=UTC),
    exported_at=datetime(2026, 11, 20, 11, 0, tzinfo=UTC),
    inputs=[
        {"cell": one.cell, "name": one.name, "distribution": one.distribution.as_json()}
        for one in SAMPLE.inputs
    ],
    references=["B20", "B21", "B22", "B23"],
)


@pytest.fixture(scope="module")
def summaries(tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / SAMPLE.filename
    write_sample(SAMPLE.name, path)
    inputs = [Input(one.cell, one.distribution, one.name) for one in SAMPLE.inputs]
    program = build_program(read_workbook(path), inputs, [one.cell for one in SAMPLE.outputs])
    found = summarize(ProgramFacts.of(program), [run_shard(program, 7, 0, 20_000)])
    # As they come back from where they are stored.
    return json.loads(json.dumps([one.as_json() for one in found]))


def opened(content: bytes, **options):
    return openpyxl.load_workbook(io.BytesIO(content), **options)


def texts(workbook) -> list[str]:
    return [
        str(cell.value)
        for sheet in workbook
        for row in sheet.iter_rows()
        for cell in row
        if cell.value is not None
    ]


def test_the_json_has_every_member_that_existing_clients_read(summaries):
    body = json.loads(json.dumps(results_json(FACTS, summaries), allow_nan=False))
    assert body["metadata"] | {"engine_version": "1.0.0"} == {
        "export_timestamp": "2026-11-20T11:00:00+00:00",
        "simulation_id": "b2b_sim_0123456789abcdef",
        "total_variables": 11,
        "export_format": "json",
        "export_version": "1.0",
        "api_version": "B2B_v1",
        "engine_version": "1.0.0",
    }
    assert body["simulation_summary"]["execution_time"] == "1.23s"
    assert body["simulation_summary"]["iterations_completed"] == 20_000
    assert body["simulation_summary"]["status"] == "completed"
    assert body["simulation_summary"]["created_at"] == "2026-11-20T10:00:00+00:00"
    assert list(body["results"]) == ["B20", "B21", "B22", "B23"]
    loss = body["results"]["B20"]
    assert loss["cell_reference"] == "Stress!B20"
    assert {"mean", "median", "std_dev", "min", "max", "percentiles", "value_at_risk"} <= set(
        loss["statistics"]
    )
    assert loss["statistics"]["median"] == loss["statistics"]["percentiles"]["50"]
    assert loss["statistics"]["value_at_risk"]["var_95"] == loss["statistics"]["percentiles"]["5"]
    assert loss["statistics"]["value_at_risk"]["var_99"] == loss["statistics"]["percentiles"]["1"]
    assert sum(loss["distribution_data"]["histogram"]["frequencies"]) == 20_000
    assert len(loss["distribution_data"]["bin_edges"]) == 51
    assert (
        len(loss["distribution_data"]["histogram"]["bins"])
        == len(loss["distribution_data"]["bin_centers"])
        == 50
    )
    assert loss["raw_values"] is None
    for told, member in [(loss, "convergence"), (loss, "sensitivity_iterations")] + [
        (loss["statistics"], member)
        for member in ("kurtosis", "mode", "standard_errors", "error_shares", "targets")
    ]:
        assert told[member] == summaries[0][member]


def test_the_workbook_has_a_summary_a_sheet_an_output_the_inputs_and_the_run(summaries):
    workbook = opened(results_xlsx(FACTS, summaries))
    assert workbook.sheetnames == [
        "Summary", "1 Loss", "2 Capital ratio after the year", "3 Capital to be raised", "4 Ratio breached (1 = yes)",
        "Convergence", "Inputs", "Run",
    ]  # fmt: skip
    rows = {row[0].value: [cell.value for cell in row] for row in workbook["Summary"].iter_rows(min_row=5)}
    loss = rows["Loss"]
    assert loss[1] == "Stress!B20"
    # The file format keeps 16 digits.
    shown = [summaries[0][name] for name in ("mean", "mean_standard_error", "std", "min")]
    assert loss[2:6] == pytest.approx(shown, rel=1e-15)
    run = {row[0].value: row[1].value for row in workbook["Run"].iter_rows(min_row=3) if row[0].value}
    assert (run["Seed"], run["Iterations done"], run["Engine version"]) == ("7", "20,000", "1.0.0")
    inputs = [[cell.value for cell in row] for row in workbook["Inputs"].iter_rows(min_row=4)]
    assert [row[1] for row in inputs] == [one.cell for one in SAMPLE.inputs]
    assert inputs[1][2] == "PERT from 0.002 to 0.014, most likely 0.005"


def test_each_output_has_its_statistics_and_the_histogram_holds_every_iteration(summaries):
    sheet = opened(results_xlsx(FACTS, summaries))["1 Loss"]
    statistics = {
        row[0].value: row[1].value for row in sheet.iter_rows(min_row=5, max_row=40) if row[0].value
    }
    assert statistics["Mean"] == summaries[0]["mean"]
    assert (
        statistics["Percentile 5 %"] == statistics["Value at risk 95 %"] == summaries[0]["percentiles"]["5"]
    )
    table = [
        [cell.value for cell in row] for row in sheet.iter_rows(min_row=5, max_row=54, min_col=4, max_col=9)
    ]
    assert sum(row[3] for row in table) == 20_000
    assert table[0][0] == pytest.approx(summaries[0]["min"], rel=1e-15)
    assert table[-1][5] == pytest.approx(1.0)


def test_each_output_has_a_combined_histogram_and_a_tornado_as_native_charts(summaries):
    content = results_xlsx(FACTS, summaries)
    workbook = opened(content)
    for sheet in workbook.worksheets[1:5]:
        assert len(sheet._charts) == 2
    with zipfile.ZipFile(io.BytesIO(content)) as parts:
        charts = [
            parts.read(name).decode() for name in parts.namelist() if name.startswith("xl/charts/chart")
        ]
    assert len(charts) == 8
    assert sum("<c:barChart>" in chart and "<c:lineChart>" in chart for chart in charts) == 4
    assert sum('<c:barDir val="bar"/>' in chart for chart in charts) == 4
    assert "'1 Loss'!$H$5:$H$54" in charts[0]


def test_every_input_stands_in_the_tornado_s_table_with_the_largest_swing_first(summaries):
    sheet = opened(results_xlsx(FACTS, summaries))["1 Loss"]
    rows = [[cell.value for cell in row] for row in sheet.iter_rows(min_row=58, max_row=68, max_col=9)]
    assert len({row[1] for row in rows}) == 11
    swings = [abs(row[5]) for row in rows]
    assert swings == sorted(swings, reverse=True)
    assert rows[0][0] == "Severity of the year"
    assert rows[0][6] == pytest.approx(rows[0][3] - summaries[0]["mean"])


@pytest.mark.parametrize(
    "name", ["=1+1", "=cmd|'/c calc'!A1", "+1", "-1", "@SUM(A1)", "\tx", "http://example.org/x"]
)
def test_text_from_a_workbook_never_becomes_a_formula_or_a_link(summaries, name):
    hostile = [{**summaries[0], "name": name, "remark": name, "cell": name}]
    facts = replace(
        FACTS, workbook_name=name, references=[name], inputs=[{**FACTS.inputs[0], "name": name, "cell": name}]
    )
    workbook = opened(results_xlsx(facts, hostile))
    found = [cell for sheet in workbook for row in sheet.iter_rows() for cell in row if cell.value == name]
    assert len(found) >= 4
    assert all(cell.data_type == "s" for cell in found)
    assert not [
        cell for sheet in workbook for row in sheet.iter_rows() for cell in row if cell.data_type == "f"
    ]
    links = [
        cell.hyperlink for sheet in workbook for row in sheet.iter_rows() for cell in row if cell.hyperlink
    ]
    assert [(link.target, bool(link.location)) for link in links] == [(None, True)]
    with zipfile.ZipFile(io.BytesIO(results_xlsx(facts, hostile))) as parts:
        charts = "".join(
            parts.read(part).decode() for part in parts.namelist() if part.startswith("xl/charts/chart")
        )
    assert all(
        re.fullmatch(r"'1 .*'!\$[A-Z]+\$\d+(:\$[A-Z]+\$\d+)?", ref)
        for ref in re.findall("<c:f>(.*?)</c:f>", charts)
    )


@pytest.mark.parametrize(
    "name",
    [
        "a[b]c:d*e?f/g\\h",
        "'quoted'",
        "x" * 300,
        "\x01\x1f",
        "\ud800",
        "a\nb\tc",
        "S!B1",
        "",
        "Summary",
        "Über 100 %",
    ],
)
def test_any_name_of_an_output_makes_a_valid_sheet(summaries, name):
    twice = [{**summaries[0], "name": name}, {**summaries[1], "name": name}]
    workbook = opened(results_xlsx(replace(FACTS, references=["a", "b"]), twice))
    assert len(workbook.sheetnames) == 6
    assert all(len(sheet) <= 31 for sheet in workbook.sheetnames)


def test_an_output_without_numbers_has_a_sheet_that_says_so_and_no_charts(summaries):
    nothing = {
        **summaries[0],
        **dict.fromkeys(("mean", "mean_standard_error", "std", "skewness", "min", "max", "histogram")),
        "numeric_count": 0,
        "error_counts": {"#NUM!": 20_000},
        "percentiles": dict.fromkeys(summaries[0]["percentiles"]),
        "var": {"95": None},
        "cvar": {"95": None},
        "cdf": [],
        "sensitivities": [],
        "remark": "No iteration gave a number in Stress!B20 (#NUM! in 20,000), so it has no statistics.",
    }
    facts = replace(FACTS, references=["B20"], status="cancelled", iterations_requested=50_000)
    workbook = opened(results_xlsx(facts, [nothing]))
    sheet = workbook["1 Loss"]
    assert sheet._charts == []
    assert nothing["remark"] in texts(workbook)
    assert {row[0].value: row[1].value for row in sheet.iter_rows(min_row=5)}["Mean"] == "none"
    assert "20,000 of 50,000 iterations, seed 7, cancelled" in texts(workbook)
    assert results_json(facts, [nothing])["results"]["B20"]["distribution_data"]["histogram"]["bins"] == []


def without_later_members(summary: dict) -> dict:
    """A summary as runs stored it before there were standard errors, convergence and ranks."""
    later = {
        "kurtosis", "mode", "standard_errors", "error_shares", "targets", "convergence", "sensitivity_iterations",
        "sensitivity_remark",
    }  # fmt: skip
    earlier = {name: value for name, value in summary.items() if name not in later}
    measures = {"rank_correlation", "regression_coefficient", "variance_share"}
    earlier["sensitivities"] = [
        {name: value for name, value in one.items() if name not in measures}
        for one in summary["sensitivities"]
    ]
    return earlier


def test_results_of_before_there_was_more_still_make_both_files(summaries):
    old = [without_later_members(one) for one in summaries]
    assert results_json(FACTS, old)["results"]["B20"]["convergence"] is None
    workbook = opened(results_xlsx(FACTS, old))
    assert "Convergence" not in workbook.sheetnames
    mean = next(row for row in workbook["1 Loss"].iter_rows() if row[0].value == "Mean")
    assert mean[2].value == pytest.approx(old[0]["mean_standard_error"], rel=1e-15)


def test_standard_errors_targets_and_ranks_stand_in_the_workbook_and_nothing_overlaps(summaries):
    targets = [
        {"value": float(value), "share_at_or_below": value / 100, "standard_error": 0.01}
        for value in range(20)
    ]
    ranked = [
        one | {"rank_correlation": 0.5, "regression_coefficient": 0.4, "variance_share": 0.25}
        for one in summaries[0]["sensitivities"]
    ]
    loss = summaries[0] | {"targets": targets, "sensitivities": ranked}
    sheet = opened(results_xlsx(replace(FACTS, references=["B20"]), [loss]))["1 Loss"]
    rows = {row[0].value: row for row in sheet.iter_rows() if row[0].value}
    assert rows["Percentile 5 %"][2].value == pytest.approx(
        loss["standard_errors"]["percentiles"]["5"], rel=1e-15
    )
    assert rows["Share at or below 19"][1].value == 0.19
    severity = rows["Severity of the year"]
    assert [cell.value for cell in severity[10:13]] == [0.5, 0.4, 0.25]
    assert severity[0].row > rows["Share at or below 19"][0].row + 2


def test_the_workbook_says_whether_there_were_iterations_enough(summaries):
    sheet = opened(results_xlsx(FACTS, summaries))["Convergence"]
    shown = texts([sheet])
    convergence = summaries[0]["convergence"]
    assert any(text.startswith("There were") for text in shown)
    rows = [[cell.value for cell in row] for row in sheet.iter_rows()]
    mean = next(row for row in rows if row[0] == "Mean")
    assert mean[1:3] == pytest.approx(
        [convergence["statistics"][0][name] for name in ("value", "half_width")]
    )
    assert sum(isinstance(row[0], int) for row in rows) == 4 * 20


def test_both_files_tell_of_more_iterations_than_anybody_has_in_words(summaries):
    huge = {"is_settled": False, "iterations_needed": 13 * 10**30}
    convergence = summaries[0]["convergence"]
    statistics = [one | huge for one in convergence["statistics"]]
    before = [summaries[0] | {"convergence": convergence | huge | {"statistics": statistics}}, *summaries[1:]]
    told = results_json(FACTS, before)["results"]["B20"]["convergence"]
    assert {told["iterations_needed"], *(one["iterations_needed"] for one in told["statistics"])} == {None}
    sheet = opened(results_xlsx(FACTS, before))["Convergence"]
    mean = next(row for row in sheet.iter_rows(values_only=True) if row[0] == "Mean")
    assert mean[4:6] == ("no", "more than 1,000,000,000")
    assert any(text.endswith("It would take more than 1,000,000,000.") for text in texts([sheet]))


def test_a_run_without_outputs_done_still_makes_both_files():
    facts = replace(FACTS, references=[], status="failed", iterations_completed=0)
    assert opened(results_xlsx(facts, [])).sheetnames == ["Summary", "Inputs", "Run"]
    assert results_json(facts, [])["results"] == {}


def test_a_tail_that_never_was_a_number_leaves_its_bar_out(summaries):
    one = {**summaries[0]["sensitivities"][0], "high_mean": None, "swing": None, "correlation": None}
    workbook = opened(
        results_xlsx(replace(FACTS, references=["x"]), [{**summaries[0], "sensitivities": [one]}])
    )
    row = [cell.value for cell in next(workbook["1 Loss"].iter_rows(min_row=58, max_row=58, max_col=9))]
    assert row[4:6] == ["none", "none"]
    assert row[7:] == ["none", "none"]


def test_the_distribution_of_an_input_is_described_in_words(summaries):
    inputs = [{"cell": "S!A1", "name": None, "distribution": Normal(1000, 50).as_json()}]
    workbook = opened(results_xlsx(replace(FACTS, inputs=inputs), summaries))
    assert [cell.value for cell in workbook["Inputs"][4]] == [
        "S!A1",
        "S!A1",
        "normal with mean 1,000 and standard deviation 50",
    ]
