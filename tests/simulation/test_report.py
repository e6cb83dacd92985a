"""The report of a run: everything is in it, whatever names and numbers come, and the same run gives the same bytes."""

import html
import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import typst

from tollway.engine import (
    Input,
    ProgramFacts,
    ReadLimits,
    RunDraws,
    Sampling,
    SamplingMethod,
    build_program,
    parse_distribution_text,
    plan_shards,
    read_correlations,
    read_workbook,
    run_shard,
    summarize,
)
from tollway.simulation.export import RunFacts
from tollway.simulation.report import report_pdf, report_told, template
from tollway.simulation.report_pictures import error_text, readable, share_text, ticks, writer_for

ITERATIONS = 5_000
HOSTILE = '#eval("1/0") *bold* _it_ `raw` $x$ ] [ \\ <label> @ref // \u202e // \x07 "'
Study = tuple[RunFacts, list[dict[str, Any]]]


def study(
    folder: Path, cells: dict[str, Any], inputs: dict[str, str], outputs: list[str], **how: Any
) -> Study:
    book = openpyxl.Workbook()
    for cell, value in cells.items():
        book.active[cell] = value
    path = folder / "model.xlsx"
    book.save(path)
    read = read_workbook(path, ReadLimits(file_bytes_max=10**7, unpacked_bytes_max=10**8))
    program = build_program(
        read, [Input(cell, parse_distribution_text(text)) for cell, text in inputs.items()], outputs
    )
    correlation = read_correlations(how.get("correlations", ()), read, program)
    sampling = Sampling(SamplingMethod(how.get("sampling", "monte_carlo")), ITERATIONS, correlation)
    shards = [
        run_shard(program, 7, first, count, sampling=sampling)
        for first, count in plan_shards(ITERATIONS, 65_536)
    ]
    found = summarize(
        ProgramFacts.of(program),
        shards,
        (0.95, 0.99),
        targets=how.get("targets", ()),
        draws=RunDraws(program.inputs, 7, sampling),
    )
    facts = RunFacts(
        run_id="sim_42ba04a8c362111d",
        workbook_name=path.name,
        model_name=how.get("model_name", "Plan 2027"),
        status="completed",
        seed=7,
        iterations_requested=ITERATIONS,
        iterations_completed=ITERATIONS,
        execution_seconds=1.0,
        engine_version="1",
        created_at=datetime(2026, 11, 26, 8, 30, tzinfo=UTC),
        exported_at=datetime.now(UTC),
        inputs=[
            {
                "cell": one.cell,
                "name": one.name,
                "distribution": one.distribution.as_json(),
                "written": one.written,
                "is_computed": one.is_computed,
            }
            for one in program.inputs
        ],
        references=outputs,
        sampling=sampling.method.value,
        correlations=None if correlation is None else correlation.as_json(),
    )
    return facts, [one.as_json() for one in found]


def small(folder: Path, **how: Any) -> Study:
    cells = {"A1": "Price", "B1": 10.0, "A2": "Volume", "B2": 100.0, "A3": "Revenue", "B3": "=B1*B2"}
    inputs = {"B1": "normal(10, 1)", "B2": "uniform(50, 150)"}
    return study(folder, cells, inputs, ["B3"], **how)


def printed_pages(facts: RunFacts, summaries: list[dict[str, Any]]) -> int:
    told = {"told": json.dumps(report_told(facts, summaries))}
    pages = typst.compile(template(), sys_inputs=told, format="png", ppi=20)
    return len(pages) if isinstance(pages, list) else 1


def all_texts(told: Any) -> str:
    return json.dumps(told, ensure_ascii=False).replace("\u200b", "")


def test_the_same_run_gives_the_same_bytes_whenever_it_is_printed(tmp_path: Path) -> None:
    facts, summaries = small(tmp_path)
    first = report_pdf(facts, summaries)
    assert first.startswith(b"%PDF-")
    assert first == report_pdf(replace(facts, exported_at=datetime(2030, 1, 1, tzinfo=UTC)), summaries)
    assert b"20261126083000" in re.sub(rb"\s", b"", first), "it carries the time of the run"


def test_everything_of_a_run_is_told(tmp_path: Path) -> None:
    pair = [{"cells": ["B1", "B2"], "correlation": 0.5}]
    facts, summaries = small(tmp_path, correlations=pair, targets=[1_000.0], sampling="latin_hypercube")
    (one,) = summaries
    told = report_told(facts, summaries)
    texts = all_texts(told)
    for said in (
        "Plan 2027", "model.xlsx", "26 November 2026", "sim_42ba04a8c362111d", "5,000", "seed 7", "Latin hypercube",
        "Revenue", "Price", "Volume", "normal with mean 10", "Value at risk, 95 %", "Excess kurtosis", "Skewness",
        "Standard deviation", "0.500", "Chances of targets", "1,000",
    ):  # fmt: skip
        assert said in texts, said
    (output,) = told["outputs"]
    figures = {label: (value, error) for label, value, error in output["figures"]}
    assert figures["Mean"] == (f"{one['mean']:,.1f}", figures["Mean"][1])
    assert figures["Mean"][1].startswith("± ")
    assert len(output["percentiles"]) == len(one["percentiles"])
    assert all(row[2].startswith("± ") for row in output["percentiles"])
    assert output["settling"]["verdict"].startswith("There were")
    assert [row["label"] for row in output["tornado"]["rows"]] == ["Volume", "Price"]
    shares = next(part["rows"] for part in output["tables"] if part["title"] == "Chances of targets")
    assert shares[0][0] == "1,000"
    bars = output["histogram"]["bars"]
    assert all(0 <= left < right <= 1 and 0 < height <= 1 for left, right, height in bars)
    assert "usually errs less" in texts


def test_correlated_inputs_are_told_by_name_and_cell(tmp_path: Path) -> None:
    pair = [{"cells": ["B1", "B2"], "correlation": 0.5}]
    facts, summaries = small(tmp_path, correlations=pair)
    price, volume = (readable(one["cell"]) for one in facts.inputs)
    matrix = report_told(facts, summaries)["correlations"]["matrix"]
    assert [row[0] for row in matrix["rows"]] == [f"Price ({price})", f"Volume ({volume})"]
    assert matrix["header"] == ["", price, volume]
    unnamed = [one | {"name": None} for one in facts.inputs]
    matrix = report_told(replace(facts, inputs=unnamed), summaries)["correlations"]["matrix"]
    assert [row[0] for row in matrix["rows"]] == [price, volume]


def test_an_input_computed_from_others_is_told_by_its_formula(tmp_path: Path) -> None:
    facts, summaries = study(
        tmp_path, {"B1": "=RiskNormal(5,1)", "B2": "=RiskPoisson(B1*2)", "B3": "=B1+B2"}, {}, ["B3"]
    )
    first, second = report_told(facts, summaries)["inputs"]
    assert first[2] == "normal with mean 5 and standard deviation 1"
    assert second[2].replace("\u200b", "") == "=RiskPoisson(B1*2), computed from other inputs"


def test_a_single_output_begins_on_the_first_page(tmp_path: Path) -> None:
    facts, summaries = small(tmp_path)
    assert printed_pages(facts, summaries) == 2
    page = typst.compile(
        template(), sys_inputs={"told": json.dumps(report_told(facts, summaries))}, format="html"
    ).decode()
    assert "At a glance" not in page
    assert "± is one standard error" in page
    several = typst.compile(
        template(), sys_inputs={"told": json.dumps(report_told(facts, summaries * 2))}, format="html"
    ).decode()
    assert "At a glance" in several


def test_a_report_of_many_outputs_and_inputs_with_long_names_is_printed(tmp_path: Path) -> None:
    cells: dict[str, Any] = {}
    for row in range(1, 201):
        cells[f"A{row}"] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ" * 7 if row % 3 else "a long label that goes on " * 8
        cells[f"B{row}"] = float(row)
    for row in range(1, 31):
        cells[f"D{row}"] = f"Output_{row}_" + "verylongname" * 15
        cells[f"E{row}"] = f"=SUM(B1:B200)*1E{row - 12}"
    inputs = {f"B{row}": f"normal({row}, {row / 5})" for row in range(1, 201)}
    matrix = [[1.0 if row == column else 0.1 for column in range(60)] for row in range(60)]
    correlated = [{"cells": [f"B{row}" for row in range(1, 61)], "matrix": matrix}]
    facts, summaries = study(
        tmp_path, cells, inputs, [f"E{row}" for row in range(1, 31)], correlations=correlated,
        model_name="M" * 200,
    )  # fmt: skip
    assert 30 < printed_pages(facts, summaries) < 80
    assert len(report_told(facts, summaries)["inputs"]) == 200
    assert "weaker pairs" in report_told(facts, summaries)["correlations"]["more"]
    assert report_pdf(facts, summaries).startswith(b"%PDF-")


def test_what_a_workbook_names_is_text_and_never_markup(tmp_path: Path) -> None:
    cells = {"A1": HOSTILE.replace("\x07", ""), "B1": 1.0, "A2": "=1", "B2": "=B1*2"}
    facts, summaries = study(tmp_path, cells, {"B1": "normal(1, 1)"}, ["B2"])
    summaries[0]["name"] = HOSTILE
    facts = replace(facts, model_name=HOSTILE, workbook_name=HOSTILE + ".xlsx")
    assert report_pdf(facts, summaries).startswith(b"%PDF-")
    told = report_told(facts, summaries)
    assert "\x07" not in all_texts(told)
    assert told["title"].replace("\u200b", "").startswith('#eval("1/0") *bold*')
    page = typst.compile(template(), sys_inputs={"told": json.dumps(told)}, format="html")
    assert '#eval("1/0") *bold* _it_ `raw` $x$ ] [' in html.unescape(page.decode()).replace("\u200b", "")


@pytest.mark.parametrize(
    "formula",
    ["=1/(B1-B1)", "=IF(B1>-99,5,B1)", "=IF(B1>1,1/0,B1)", "=B1*1E300*1E8", "=B1*1E-300", "=IF(B1>4,B1,0)"],
)
def test_outputs_without_numbers_or_spread_are_printed_with_their_reason(
    tmp_path: Path, formula: str
) -> None:
    facts, summaries = study(tmp_path, {"B1": 1.0, "B2": formula}, {"B1": "normal(1, 1)"}, ["B2"])
    assert report_pdf(facts, summaries).startswith(b"%PDF-")
    (output,) = report_told(facts, summaries)["outputs"]
    assert output["remark"] or output["histogram"]


def test_results_of_older_runs_and_of_none_are_printed(tmp_path: Path) -> None:
    facts, summaries = small(tmp_path)
    later = (
        "kurtosis", "mode", "standard_errors", "error_shares", "targets", "convergence",
        "sensitivity_iterations", "sensitivity_remark",
    )  # fmt: skip
    old = [{name: value for name, value in one.items() if name not in later} for one in summaries]
    for one in old:
        keys = ("cell", "name", "low_mean", "high_mean", "swing", "correlation")
        one["sensitivities"] = [{key: each[key] for key in keys} for each in one["sensitivities"]]
    (output,) = report_told(facts, old)["outputs"]
    assert output["settling"] is None
    assert all(len(row) == 2 for row in output["percentiles"])
    assert report_pdf(facts, old).startswith(b"%PDF-")
    assert printed_pages(replace(facts, references=[]), []) >= 1


def test_a_stopped_run_says_on_what_it_rests(tmp_path: Path) -> None:
    facts, summaries = small(tmp_path)
    told = report_told(replace(facts, iterations_requested=1_000_000, status="cancelled"), summaries)
    assert "5,000 of 1,000,000 iterations" in told["warning"]


def test_stressed_inputs_are_told_of(tmp_path: Path) -> None:
    facts, summaries = small(tmp_path)
    cell = facts.inputs[0]["cell"]
    told = report_told(replace(facts, stress=[{"cell": cell, "percentiles": [90, 100]}]), summaries)
    assert told["inputs"][0][2].endswith("held between its percentiles 90 % and 100 %")


def test_readers_who_hear_a_report_get_all_of_it(tmp_path: Path) -> None:
    """It passes the rules of PDF/UA-1, which typst checks: tags, language, title, texts for pictures."""
    pair = [{"cells": ["B1", "B2"], "correlation": 0.5}]
    facts, summaries = small(tmp_path, correlations=pair, targets=[1_000.0])
    told = {"told": json.dumps(report_told(facts, summaries))}
    checked = typst.compile(template(), sys_inputs=told, format="pdf", pdf_standards="ua-1")
    assert checked.startswith(b"%PDF-")


def test_numbers_are_written_for_people() -> None:
    write = writer_for(1_050_000.0, 21_602.0)
    assert [write(value) for value in (1_049_942.6, -0.2, None)] == ["1,049,943", "0", "none"]
    assert writer_for(0.288, 0.134)(-0.5) == "−0.5000"
    assert writer_for(2.016e15, 3.3e13)(2.016e15) == "2.01600×10¹⁵"
    assert writer_for(2e-4, 3e-6)(2.01e-4) == "2.01000×10⁻⁴"
    assert [error_text(value) for value in (None, 0.0, 68.4, 0.0123, 4.7e-9)] == [
        "", "± 0", "± 68", "± 0.012", "± 4.7×10⁻⁹",
    ]  # fmt: skip
    assert [share_text(value) for value in (0.0, 0.2042, 1e-6)] == ["0 %", "20.42 %", "0.0001 %"]
    assert [text for _, text in ticks(0.0, 1.0)] == ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]
    assert ticks(1.0, 1.0) == []
    assert all(0 <= position <= 1 for position, _ in ticks(-3.7, 912.4))
    assert "\u200b" in readable("x" * 40)
    assert readable("Expected return") == "Expected return"
