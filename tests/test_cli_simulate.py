"""simulate, sample and inspect, as an analyst types them."""

import io
import json
import shlex
from pathlib import Path

import openpyxl
import pytest
import typer
import xlsxwriter
from tests.simulation.peer_workbooks import MEAN, STD, STYLES, profit
from typer.testing import CliRunner

from tollway import cli_simulate
from tollway.engine import ITERATIONS_MAX
from tollway.simulation.samples import SAMPLES

app = typer.Typer(pretty_exceptions_enable=False)
cli_simulate.register(app)

PORTFOLIO = [
    "--input", "Portfolio!B4=triangular(0.05, 0.15, 0.35)",
    "--input", "Portfolio!B5=normal(0.08, 0.02)",
    "--input", "B6=triangular(0.01, 0.03, 0.05)",
    "--output", "B16",
    "--output", "Portfolio!B18",
]  # fmt: skip


@pytest.fixture
def call(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # As wide as a terminal is at least; a test process inherits whatever width its own console has.
    width = {"COLUMNS": "100"}
    return lambda *arguments, **environment: CliRunner().invoke(app, list(arguments), env=width | environment)


@pytest.fixture
def portfolio(call):
    assert call("sample", "portfolio", "--out", "p.xlsx").exit_code == 0
    return "p.xlsx"


def assert_refused(result, *words: str) -> None:
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("tollway: ")
    assert result.stderr.count("\n") == 1
    for word in words:
        assert word in result.stderr


def test_simulate_shows_mean_spread_and_what_moves_each_output(call, portfolio):
    result = call("simulate", portfolio, *PORTFOLIO, "--iterations", "2e4", "--seed", "7")
    assert result.exit_code == 0
    assert "p.xlsx: 20,000 iterations, seed 7" in result.stdout
    rows = {}
    for line in result.stdout.splitlines():
        label, *figures = (part.strip() for part in line.strip("│┃ ").split("│"))
        rows.setdefault(label, figures)
    assert "Portfolio value" in result.stdout
    mean = float(rows["Mean"][0].replace(",", ""))
    assert rows["VaR 95 %"] == rows["5 %"]
    # Six standard errors of 20,000 iterations.
    assert abs(mean - 1_050_000) < 6 * 21_602 / 20_000**0.5
    moving = result.stdout.split("What moves Portfolio value")[1]
    assert moving.index("Expected return Portfolio!B5") < moving.index("Risk-free rate Portfolio!B6")


def test_the_same_seed_gives_the_same_answer_and_another_seed_another(call, portfolio):
    def results(seed: str) -> dict:
        return json.loads(call("simulate", portfolio, *PORTFOLIO, "--seed", seed, "--json").stdout)["results"]

    assert results("7") == results("7")
    assert results("7") != results("8")


def test_a_seed_that_is_not_given_is_chosen_and_shown_so_that_the_run_can_be_repeated(call, portfolio):
    first = json.loads(call("simulate", portfolio, *PORTFOLIO, "--iterations", "1000", "--json").stdout)
    seed = str(first["simulation_summary"]["seed"])
    again = call("simulate", portfolio, *PORTFOLIO, "--iterations", "1000", "--seed", seed, "--json")
    assert json.loads(again.stdout)["results"] == first["results"]


def test_sampling_and_correlations_are_used_told_and_repaired(call, portfolio):
    options = ["--iterations", "4096", "--seed", "7", "--sampling", "sobol", "--correlate", "B4,B5=0.9"]
    plain = call("simulate", portfolio, *PORTFOLIO, "--iterations", "4096", "--seed", "7", "--json")
    assert "Sampling" not in call("simulate", portfolio, *PORTFOLIO, "--iterations", "2000").stdout
    told = call("simulate", portfolio, *PORTFOLIO, *options)
    assert told.exit_code == 0
    shown = " ".join(told.stdout.split())
    assert "Sampling: sobol" in shown
    assert "Rank correlations: Portfolio!B4 and Portfolio!B5 +0.9" in shown
    impossible = ["--correlate", "Portfolio!B5,B6=0.9", "--correlate", "B6,B4=-0.9"]
    found = json.loads(call("simulate", portfolio, *PORTFOLIO, *options, *impossible, "--json").stdout)
    assert found["simulation_summary"]["sampling"] == "sobol"
    assert found["correlations"]["cells"] == ["Portfolio!B4", "Portfolio!B5", "Portfolio!B6"]
    assert found["correlations"]["repaired"]["asked"] == [[1, 0.9, -0.9], [0.9, 1, 0.9], [-0.9, 0.9, 1]]
    assert 0.2 < found["correlations"]["repaired"]["largest_change"] < 0.6
    assert found["results"] != json.loads(plain.stdout)["results"]
    repaired = call("simulate", portfolio, *PORTFOLIO, *options, *impossible, "--xlsx", "r.xlsx")
    assert "the nearest possible ones were used" in " ".join(repaired.stdout.split())
    sheet = openpyxl.load_workbook("r.xlsx")["Correlations"]
    assert [cell.value for cell in sheet[4]][1:] == found["correlations"]["cells"]
    assert [cell.value for cell in sheet[5]][1:] == found["correlations"]["matrix"][0]


def test_json_is_the_download_s_shape_keyed_by_the_cells_as_written(call, portfolio):
    result = call("simulate", portfolio, *PORTFOLIO, "--json", "--confidence", "0.9", "--seed", "7")
    body = json.loads(result.stdout)
    assert list(body["results"]) == ["B16", "Portfolio!B18"]
    assert body["results"]["B16"]["cell_reference"] == "Portfolio!B16"
    assert list(body["results"]["B16"]["statistics"]["value_at_risk"]) == ["var_90"]
    assert body["simulation_summary"]["iterations_completed"] == 100_000
    assert result.stderr == ""


def test_xlsx_writes_a_workbook_with_charts(call, portfolio, tmp_path):
    result = call("simulate", portfolio, *PORTFOLIO, "--iterations", "5000", "--xlsx", "risk.xlsx")
    assert result.exit_code == 0
    assert "Written: risk.xlsx" in result.stdout
    workbook = openpyxl.load_workbook(io.BytesIO((tmp_path / "risk.xlsx").read_bytes()))
    assert workbook.sheetnames == [
        "Summary",
        "1 Portfolio value",
        "2 Sharpe ratio",
        "Convergence",
        "Inputs",
        "Run",
    ]
    assert len(workbook["1 Portfolio value"]._charts) == 2


def test_standard_errors_targets_ranks_and_the_verdict_are_shown(call, portfolio):
    options = [
        "--iterations",
        "4000",
        "--seed",
        "7",
        "--target",
        "1e6",
        "--target",
        "1100000",
        "--tolerance",
        "0.001",
    ]
    result = call("simulate", portfolio, *PORTFOLIO, *options)
    assert result.exit_code == 0
    rows = {}
    for line in result.stdout.splitlines():
        label, *figures = (part.strip() for part in line.strip("│┃ ").split("│"))
        rows.setdefault(label, figures)
    # sigma / sqrt(n) is 342, and for the share 0.16 %.
    assert 300 < float(rows["Mean"][1]) < 380
    share, error = (float(figure.split()[0]) for figure in rows["At or below 1,000,000"][:2])
    assert 0.4 < share < 2
    assert 0.1 < error < 0.25
    assert "At or below 1,100,000" in rows
    shown = " ".join(result.stdout.split())
    assert "Portfolio value: There were too few iterations to know" in shown
    assert "to within 0.1 % with 95 % confidence. About" in shown
    moving = next(line for line in result.stdout.splitlines() if "Expected return Portfolio!B5" in line)
    assert "+0.9" in moving
    assert moving.strip("│ ").endswith("%")
    endless = call("simulate", portfolio, *PORTFOLIO, *options, "--tolerance", "1e-9").stdout
    assert "It would take more than 1,000,000,000." in " ".join(endless.split())
    body = json.loads(call("simulate", portfolio, *PORTFOLIO, *options, "--json").stdout)["results"]["B16"]
    assert [one["value"] for one in body["statistics"]["targets"]] == [1e6, 1.1e6]
    assert body["convergence"]["tolerance"] == 0.001
    assert body["sensitivity_iterations"] == 4_000


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--input", "B5", "--output", "B16"], ["--input is 'B5'; write the cell and how it varies"]),
        (["--input", "=normal(0,1)", "--output", "B16"], ["write the cell"]),
        (["--input", "B5=normal(0,0)", "--output", "B16"], ["std of this normal distribution is 0"]),
        (["--input", "B5=nope(0,1)", "--output", "B16"], ["'nope'; it must be one of uniform"]),
        (["--input", "B10=normal(0,1)", "--output", "B16"], ["Portfolio!B10 holds a formula"]),
        (["--input", "Nowhere!B5=normal(0,1)", "--output", "B16"], ["no sheet 'Nowhere'"]),
        ([*PORTFOLIO, "--input", "B6=normal(1, 0)"], ["--input B6: std of this normal distribution is 0"]),
        (["--input", "B5=normal(0,1)", "--output", "B5"], ["Portfolio!B5 holds a constant"]),
        (
            ["--input", "B4=uniform(1,2)", "--output", "B16"],
            ["Portfolio!B16 does not depend on any of the inputs"],
        ),
        ([*PORTFOLIO, "--iterations", "many"], ["--iterations is 'many'; it must be a whole number"]),
        ([*PORTFOLIO, "--iterations", "0"], ["from 1 to 100,000,000"]),
        ([*PORTFOLIO, "--iterations", "1.5"], ["--iterations is '1.5'"]),
        ([*PORTFOLIO, "--iterations", "inf"], ["--iterations is 'inf'"]),
        ([*PORTFOLIO, "--iterations", str(ITERATIONS_MAX + 1)], ["from 1 to"]),
        ([*PORTFOLIO, "--seed", "-1"], ["The seed is -1"]),
        ([*PORTFOLIO, "--confidence", "95"], ["Confidence level 1 is 95.0; it must lie between 0 and 1"]),
        ([*PORTFOLIO, "--target", "nan"], ["Target 1 is nan; it must be a number"]),
        ([*PORTFOLIO, *(["--target", "1"] * 21)], ["21 targets are asked for; 20 are possible"]),
        ([*PORTFOLIO, "--tolerance", "1"], ["The tolerance is 1.0; it must lie between 0 and 1"]),
        ([*PORTFOLIO, "--xlsx", "no/folder.xlsx"], ["There is no folder no"]),
        ([*PORTFOLIO, "--sampling", "halton"], ["'halton'; it must be one of monte_carlo"]),
        ([*PORTFOLIO, "--correlate", "B4=0.5"], ["'B4=0.5' is no correlation; write two cells"]),
        ([*PORTFOLIO, "--correlate", "B4,B5=1.5"], ["of B4 and B5 is 1.5"]),
        ([*PORTFOLIO, "--correlate", "B4,B7=0.5"], ["Portfolio!B7 is correlated and is no input"]),
    ],
)
def test_what_cannot_be_run_is_said_in_one_sentence_with_exit_status_2(call, portfolio, arguments, words):
    assert_refused(call("simulate", portfolio, *arguments), *words)


def test_the_workbook_itself_is_never_written_over(call, portfolio):
    before = Path(portfolio).read_bytes()
    assert_refused(call("simulate", portfolio, *PORTFOLIO, "--xlsx", f"./{portfolio}"), "another name")
    assert Path(portfolio).read_bytes() == before


def test_a_file_that_is_not_there_or_is_no_workbook_is_refused(call, tmp_path):
    assert_refused(call("simulate", "missing.xlsx", *PORTFOLIO), "missing.xlsx", "No such file")
    (tmp_path / "text.xlsx").write_text("not a workbook")
    assert_refused(call("simulate", "text.xlsx", *PORTFOLIO))
    assert_refused(call("inspect", "text.xlsx"))


def test_a_run_may_be_one_iteration(call, portfolio):
    result = call("simulate", portfolio, *PORTFOLIO, "--iterations", "1", "--seed", "3")
    assert result.exit_code == 0
    assert "Only one iteration gave a number in Portfolio!B16, so it has no spread." in result.stdout


@pytest.mark.parametrize("name", list(SAMPLES))
def test_the_command_that_sample_prints_works_as_pasted(call, name):
    printed = call("sample", name).stdout
    command = printed[printed.index("tollway simulate") :].replace("\\\n", "")
    program, *arguments = shlex.split(command)
    assert program == "tollway"
    result = call(*arguments, "--json")
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    for answer in SAMPLES[name].known_answers:
        statistics = found["results"][answer.cell]["statistics"]
        # Five standard errors: a right engine fails for 1 in 1,700,000 seeds.
        assert abs(statistics["mean"] - answer.mean) < 5 * answer.std / 100_000**0.5
    assert [one["distribution"] for one in found["variables"]] == [
        one.distribution.as_json() for one in SAMPLES[name].inputs
    ]


def test_a_sample_with_a_space_in_its_path_is_quoted_for_the_shell(call):
    printed = call("sample", "portfolio", "--out", "my book.xlsx").stdout
    assert "tollway simulate 'my book.xlsx'" in printed


def test_sample_lists_its_names_and_refuses_others_and_to_overwrite(call, portfolio):
    listed = call("sample", "--list").stdout
    assert all(name in listed for name in SAMPLES)
    assert_refused(
        call("sample", "nope"), "There is no sample 'nope'; choose one of portfolio, stress, financial"
    )
    assert_refused(call("sample"), "choose one of portfolio, stress, financial")
    assert_refused(call("sample", "stress", "--out", portfolio), "p.xlsx exists", "--force")
    assert call("sample", "stress", "--out", portfolio, "--force").exit_code == 0
    assert_refused(
        call("sample", "stress", "--out", "no/folder.xlsx"), "no/folder.xlsx: No such file or directory"
    )


def test_inspect_shows_inputs_outputs_functions_and_agreement(call, portfolio):
    shown = call("inspect", portfolio).stdout
    assert "7 formulas in Portfolio, Notes" in shown
    assert "7 cells as stored, 0 different, 0 could not be compared" in shown
    assert "Expected return" in shown
    body = json.loads(call("inspect", portfolio, "--json").stdout)
    assert {"Portfolio!B4", "Portfolio!B5", "Portfolio!B6"} <= {
        one["cell"] for one in body["variables_detected"]
    }
    assert body["unsupported"] == []


def test_inspect_tells_what_differs_what_is_not_computed_and_what_stands_still(call, tmp_path):
    with xlsxwriter.Workbook(tmp_path / "odd.xlsx") as book:
        sheet = book.add_worksheet("Odd")
        sheet.write("A1", 2)
        sheet.write_formula("A2", "=A1*2", None, 5)
        sheet.write_formula("A3", "=A1/0", None, "#N/A")
        sheet.write_formula("A4", "=TODAY()+A1", None, 45_000)
        sheet.write_formula("A5", '=CUBEVALUE("a","b")', None, 7)
        sheet.write_formula("A6", "=A5+A1", None, 9)
    shown = call("inspect", "odd.xlsx").stdout
    assert "Odd!A2: stored 5, computed 4" in shown
    assert "Odd!A3: stored #N/A, computed #DIV/0!" in shown
    assert "Saved by Microsoft Excel on" in shown
    assert "Left out: 1 cell of the moment" in shown
    assert "Not supported: CUBEVALUE in Odd!A5" in shown
    assert "no outputs: 1 cell, first Odd!A6" in shown
    refused = call("simulate", "odd.xlsx", "--input", "Odd!A1=normal(2, 1)", "--output", "Odd!A6")
    assert_refused(refused, "Odd!A6 needs Odd!A5", "CUBEVALUE")


def test_no_figure_is_cut_on_a_narrow_screen(call, portfolio):
    more = ["--output", "B17"]
    result = call(
        "simulate", portfolio, *PORTFOLIO, *more, "--iterations", "5000", "--seed", "7", COLUMNS="80"
    )
    assert result.exit_code == 0
    assert "…" not in result.stdout
    assert result.stdout.count("Standard deviation") == 2


def test_nothing_is_coloured_where_the_answer_is_piped(call, portfolio):
    result = call("simulate", portfolio, *PORTFOLIO, "--iterations", "1000")
    assert "\x1b[" not in result.stdout + result.stderr


def test_a_distribution_may_hold_equals_signs_of_its_own(call, portfolio):
    written = "Portfolio!B4=normal(p5=0.1, p95=0.2, truncate=(0, 0.4), shift=0.01)"
    arguments = [written if one.startswith("Portfolio!B4") else one for one in PORTFOLIO]
    result = call("simulate", portfolio, *arguments, "--iterations", "1000", "--seed", "7")
    assert result.exit_code == 0, result.stderr
    assert "1,000 iterations, seed 7" in result.stdout


def test_an_input_is_held_in_a_part_of_its_range(call, portfolio):
    options = [*PORTFOLIO, "--iterations", "4096", "--seed", "7"]
    plain, held = (
        json.loads(call("simulate", portfolio, *options, *stress, "--json").stdout)
        for stress in ([], ["--stress", "Portfolio!B5=90..100"])
    )
    assert plain["stress"] == []
    assert held["stress"] == [{"cell": "Portfolio!B5", "percentiles": [90.0, 100.0]}]
    assert held["variables"] == plain["variables"]
    means = [one["results"]["B16"]["statistics"]["mean"] for one in (plain, held)]
    assert means[1] - means[0] == pytest.approx(1_000_000 * 0.02 * 1.755, rel=0.05)
    shown = call("simulate", portfolio, *options, "--stress", "B5=90..100").stdout
    assert "Held: Portfolio!B5 between its percentiles 90 and 100" in shown
    assert_refused(call("simulate", portfolio, *options, "--stress", "B5=90"), "'B5=90' says not where")
    assert_refused(call("simulate", portfolio, *options, "--stress", "B7=0..5"), "Portfolio!B7", "no input")


# --- workbooks of other simulation tools ---------------------------------------------------------------


@pytest.mark.parametrize("style", list(STYLES))
def test_a_workbook_of_each_tool_is_simulated_by_its_name_alone(call, style):
    Path("model.xlsx").write_bytes(profit(style))
    result = call("simulate", "model.xlsx", "--iterations", "20000", "--seed", "5", "--json")
    assert result.exit_code == 0, result.stderr
    told = json.loads(result.stdout)["results"]["Sheet!B4"]["statistics"]
    assert abs(told["mean"] - MEAN) < 5 * STD / 20_000**0.5


def test_what_the_workbook_draws_is_told_by_simulate_and_by_inspect(call):
    Path("model.xlsx").write_bytes(profit("@RISK"))
    result = call("simulate", "model.xlsx", "--iterations", "1000", COLUMNS="160")
    assert "Written in the workbook: Sheet!B1 (Unit price), normal with mean 100" in result.stdout
    assert "Net profit" in result.stdout
    # The formula tells what becomes of a number between 0 and 1.
    assert "standard deviation 10: =_xll.RiskNormal(100,10" in " ".join(result.stdout.split())
    found = call("inspect", "model.xlsx", COLUMNS="160").stdout
    assert "Inputs written in the workbook" in found
    assert "=_xll.RiskTriang(800,1000,1500)" in found
    assert "Outputs of a run that names none: Sheet!B4" in found


def test_a_workbook_that_says_no_output_needs_one_to_be_named(call, portfolio):
    assert_refused(call("simulate", portfolio), "No --output is named", "RiskOutput")
