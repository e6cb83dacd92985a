"""What `tollway simulate` writes beside what it prints: a report, and every sample."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet
from typer.testing import CliRunner, Result

from tollway.cli import app

SIMULATE = (
    "simulate", "p.xlsx", "--iterations", "5000", "--seed", "7",
    "--input", "B4=triangular(0.05, 0.15, 0.35)", "--input", "B5=normal(0.08, 0.02)",
    "--output", "B16", "--output", "B18",
)  # fmt: skip
Call = Callable[..., Result]


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(app, list(arguments), env={"COLUMNS": "100"})

    assert run("sample", "portfolio", "--out", "p.xlsx").exit_code == 0
    return run


def test_a_report_and_samples_are_written_in_one_go(call: Call, tmp_path: Path) -> None:
    result = call(*SIMULATE, "--report", "risk.pdf", "--keep-samples", "risk.parquet", "--xlsx", "risk.xlsx")
    assert result.exit_code == 0, result.stderr
    for name in ("risk.pdf", "risk.parquet", "risk.xlsx"):
        assert f"Written: {name}" in result.stdout
    assert (tmp_path / "risk.pdf").read_bytes().startswith(b"%PDF-")
    table = parquet.read_table(tmp_path / "risk.parquet")
    assert table.num_rows == 5_000
    assert json.loads(table.schema.metadata[b"tollway"]) == {
        "seed": 7, "sampling": "monte_carlo", "workbook": "p.xlsx",
    }  # fmt: skip


def test_samples_in_both_formats_are_the_same_and_those_of_the_results(call: Call, tmp_path: Path) -> None:
    told = json.loads(call(*SIMULATE, "--keep-samples", "s.csv", "--json").stdout)
    call(*SIMULATE, "--keep-samples", "s.PARQUET")
    table = parquet.read_table(tmp_path / "s.PARQUET")
    with (tmp_path / "s.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for name in table.schema.names:
        numbers: list[Any] = table.column(name).to_pylist()
        assert [row[name] for row in rows] == [
            "" if one is None else row[name] for one, row in zip(numbers, rows, strict=True)
        ]
        assert [float(row[name]) for row in rows if row[name]] == [one for one in numbers if one is not None]
    statistics = told["results"]["B16"]["statistics"]
    values = table.column("Portfolio!B16").to_pylist()
    assert (min(values), max(values)) == (statistics["min"], statistics["max"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--keep-samples", "s.txt"), ("--keep-samples is 's.txt'", ".parquet or .csv")),
        (("--report", "none/r.pdf"), ("no folder none",)),
        (("--report", "p.xlsx"), ("the workbook that is simulated", "--report")),
        (("--report", "same", "--xlsx", "./same"), ("name the same file",)),
    ],
)
def test_what_could_not_be_written_is_refused_before_anything_is_computed(
    call: Call, tmp_path: Path, arguments: tuple[str, ...], words: tuple[str, ...]
) -> None:
    before = sorted(tmp_path.iterdir())
    result = call(*SIMULATE, *arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("tollway: ")
    assert all(word in result.stderr for word in words), result.stderr
    assert sorted(tmp_path.iterdir()) == before
