"""fit, as whoever has data types it."""

import json

import openpyxl
import pytest
import typer
from typer.testing import CliRunner

from tollway import cli_fit
from tollway.engine import parse_distribution, parse_distribution_text, uniforms

app = typer.Typer(pretty_exceptions_enable=False)
cli_fit.register(app)


@pytest.fixture
def call(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(app, list(arguments), env={"COLUMNS": "120"})


@pytest.fixture
def losses():
    return parse_distribution_text("gamma(2, 3)").quantile(uniforms(3, 0, 0, 300)).tolist()


def test_a_column_of_a_workbook_is_fitted(call, losses):
    book = openpyxl.Workbook()
    book.active.title = "Losses"
    book.active.append(["Loss", "Region"])
    for loss in losses:
        book.active.append([loss, "north"])
    book.save("losses.xlsx")
    shown = call("losses.xlsx", "--cells", "Losses!A2:A301")
    assert shown.exit_code == 0, shown.output
    first, *rest = shown.stdout.splitlines()
    assert parse_distribution_text(first).kind == "gamma"
    assert "distributions fitted to 300 numbers" in rest[0]
    refused = call("losses.xlsx", "--cells", "Losses!A1:B9")
    assert refused.exit_code == 2
    assert refused.stderr.startswith("tollway: A1 holds 'Loss', which is not a number")
    assert "Say which cells" in call("losses.xlsx").stderr
    assert "has no sheet 'Gains'; it has Losses" in call("losses.xlsx", "--cells", "Gains!A:A").stderr


def test_json_has_every_fit_as_models_take_it(call, losses, tmp_path):
    (tmp_path / "losses.csv").write_text("Loss\n" + "\n".join(map(repr, losses)) + "\n")
    answer = json.loads(call("losses.csv", "--json").stdout)
    assert answer["count"] == 300
    assert len(answer["fits"]) > 12
    best = answer["fits"][0]
    assert parse_distribution(best["distribution"]).kind == best["distribution"]["type"] == "gamma"
    assert best["aic"] == min(one["aic"] for one in answer["fits"])


def test_what_cannot_be_read_is_one_sentence(call, tmp_path):
    (tmp_path / "few.csv").write_text("1\n2\n")
    for arguments, words in [
        (("none.csv",), "none.csv: No such file"),
        (("few.csv",), "a fit needs at least 5"),
        (("few.csv", "--cells", "x y"), "is no area of cells"),
    ]:
        result = call(*arguments)
        assert result.exit_code == 2
        assert result.stdout == ""
        assert words in result.stderr
        assert result.stderr.count("\n") == 1
