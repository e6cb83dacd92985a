"""seek, as an analyst types it."""

import json

import pytest
import typer
from typer.testing import CliRunner

from tollway import cli_seek, cli_simulate
from tollway.simulation.samples import SAMPLES

app = typer.Typer(pretty_exceptions_enable=False)
cli_simulate.register(app)
cli_seek.register(app)

INPUTS = [
    "--input", "Portfolio!B4=triangular(0.05, 0.15, 0.35)",
    "--input", "B5=normal(0.08, 0.02)",
    "--input", "B6=triangular(0.01, 0.03, 0.05)",
]  # fmt: skip
GOAL = [
    "--cell",
    "B7",
    "--low",
    "500000",
    "--high",
    "2e6",
    "--output",
    "B16",
    "--statistic",
    "p5",
    "--goal",
    "1e6",
]
SEEK = [*INPUTS, *GOAL, "--iterations", "4096", "--seed", "7"]


@pytest.fixture
def call(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p.xlsx").write_bytes(SAMPLES["portfolio"].to_bytes())
    return lambda *arguments: CliRunner().invoke(app, ["seek", "p.xlsx", *arguments], env={"COLUMNS": "100"})


def test_a_goal_is_found_and_shown(call):
    shown = call(*SEEK)
    assert shown.exit_code == 0, shown.output
    assert "trials of 4,096 iterations, seed 7" in shown.stdout
    assert "Portfolio!B7 = " in shown.stdout
    assert "There the p5 of Portfolio!B16 is 1,000,000" in shown.stdout
    told = json.loads(call(*SEEK, "--json").stdout)
    assert (told["outcome"], told["seed"], told["iterations"]) == ("found", 7, 4096)
    assert told["statistic"] == pytest.approx(1e6, rel=1e-4)
    assert told == json.loads(call(*SEEK, "--json").stdout), "the same seed gives the same answer"


def test_stress_correlation_and_probability_are_taken(call):
    options = [*INPUTS, "--cell", "B5", "--low", "0", "--high", "0.2", "--output", "B16"]
    options += ["--statistic", "probability", "--at-or-below", "1e6", "--goal", "0.05", "--seed", "7"]
    plain = json.loads(call(*options, "--json").stdout)
    held = json.loads(call(*options, "--stress", "B6=90..100", "--correlate", "B4,B6=0.5", "--json").stdout)
    assert held["stress"] == [{"cell": "Portfolio!B6", "percentiles": [90.0, 100.0]}]
    assert held["value"] > plain["value"], "a higher risk-free rate asks for a higher return"
    shown = call(*options).stdout
    assert "probability of 1,000,000 or less in Portfolio!B16 is 0.05" in shown


def test_what_rounding_leaves_of_a_goal_of_0_is_shown_as_0(call):
    options = ["--input", "B5=normal(0.08, 0.02)", "--cell", "B6", "--low", "0", "--high", "1", "--seed", "7"]
    options += ["--output", "B17", "--statistic", "p5", "--goal", "0"]
    assert 0 < abs(json.loads(call(*options, "--json").stdout)["statistic"]) < 1e-9
    shown = call(*options).stdout
    assert "There the p5 of Portfolio!B17 is 0.0000 ±" in shown
    assert "e-1" not in shown


def test_what_is_out_of_reach_is_said(call):
    options = [*SEEK[:-4], "--goal", "1e9", "--iterations", "1e3", "--seed", "7"]
    shown = call(*options)
    assert shown.exit_code == 0
    assert "Out of reach between these ends" in shown.stdout


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--low", "3e6"], "the first must be below the second"),
        (["--statistic", "median"], "must be mean"),
        (["--statistic", "probability"], "needs `at_or_below`"),
        (["--iterations", "10"], "from 1,000 to 200,000"),
        (["--cell", "B10"], "holds a formula"),
        (["--output", "B7"], "holds a constant"),
        (["--stress", "B7=0..5"], "Portfolio!B7 is sought, so it has one number in each trial"),
        (["--correlate", "B4,B7=0.5"], "Portfolio!B7 is correlated, and it is sought"),
        (["--stress", "B9=0..5"], "no input of this run"),
        (["--tolerance", "1"], "between 1e-12 and 0.1"),
        (["--input", "B7"], "write the cell and how it varies"),
    ],
)
def test_what_cannot_be_sought_is_one_sentence(call, options, words):
    refused = call(*SEEK, *options)
    assert refused.exit_code == 2, refused.output
    assert refused.stdout == ""
    assert refused.stderr.startswith("tollway: ")
    assert words in refused.stderr
