"""The results of a run as files to take away: JSON as existing clients read it, and a workbook with native charts.

Plain data in, bytes or plain types out; knows no database and no request. Summaries are `OutputSummary.as_json()`.
"""

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import xlsxwriter

from tollway.engine import parse_distribution
from tollway.engine.runs.convergence import cap_needed
from tollway.simulation.export_convergence import write_convergence
from tollway.simulation.export_statistics import format_of_size, number_format_of, statistics_rows

# Excel's own limits.
SHEET_NAME_LENGTH_MAX = 31
TEXT_LENGTH_MAX = 32_767
# A chart with more bars is a grey wall; the table beside it has them all.
TORNADO_BARS_MAX = 15

_INK, _BAR, _CURVE, _LOW, _HIGH = "#1F2933", "#5B8DB8", "#C2571A", "#8FB3D1", "#D98B5F"

Summary = Mapping[str, Any]


@dataclass(frozen=True)
class RunFacts:
    """What a file of results says of the run itself."""

    run_id: str | None
    """None for a run from the command line."""
    workbook_name: str
    status: str
    seed: int
    iterations_requested: int
    iterations_completed: int
    execution_seconds: float
    engine_version: str
    created_at: datetime
    exported_at: datetime
    inputs: Sequence[Mapping[str, Any]]
    """cell, name and distribution (JSON form) of each."""
    references: Sequence[str]
    """The outputs as the caller wrote them, such as "B16", in the order of the summaries."""
    sampling: str = "monte_carlo"
    correlations: Mapping[str, Any] | None = None
    """cells, matrix and repaired, as the run drew with them."""
    stress: Sequence[Mapping[str, Any]] = ()
    """cell and percentiles of each input that was held in a part of its range."""
    model_name: str = ""
    """Empty where the workbook has no model's name, as on the command line."""


def results_json(
    facts: RunFacts,
    summaries: Sequence[Summary],
    *,
    raw_values: Sequence[Sequence[float | None]] | None = None,
    samples: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Shape the JSON download.

    Args:
        facts: of the run.
        summaries: of its outputs.
        raw_values: the numbers of each output in the order of its iterations, None where one was no number; None where
            they were not kept, or are too many for JSON.
        samples: where every number is downloaded, by format; None where they were not kept.
    """
    numbers: Sequence[Sequence[float | None] | None] = raw_values or [None] * len(summaries)
    return {
        "metadata": {
            "export_timestamp": facts.exported_at.isoformat(),
            "simulation_id": facts.run_id,
            "total_variables": len(facts.inputs),
            "export_format": "json",
            "export_version": "1.0",
            "api_version": "B2B_v1",
            "engine_version": facts.engine_version,
        },
        "simulation_summary": {
            "execution_time": f"{facts.execution_seconds:.2f}s",
            "iterations_requested": facts.iterations_requested,
            "iterations_completed": facts.iterations_completed,
            "status": facts.status,
            "created_at": facts.created_at.isoformat(),
            "seed": facts.seed,
            "sampling": facts.sampling,
            "workbook": facts.workbook_name,
        },
        "variables": [dict(source) for source in facts.inputs],
        "correlations": None if facts.correlations is None else dict(facts.correlations),
        "stress": [dict(one) for one in facts.stress],
        "samples": None if samples is None else dict(samples),
        "results": {
            reference: _output_json(summary) | {"raw_values": raw}
            for reference, summary, raw in zip(facts.references, summaries, numbers, strict=True)
        },
    }


def _output_json(summary: Summary) -> dict[str, Any]:
    histogram = summary["histogram"] or {"counts": [], "bin_edges": [], "bin_centers": []}
    return {
        "cell_reference": summary["cell"],
        "cell_name": summary["name"],
        "statistics": {
            "count": summary["numeric_count"],
            "error_counts": dict(summary["error_counts"]),
            "replayed_count": summary.get("replayed_count"),
            "mean": summary["mean"],
            "mean_standard_error": summary["mean_standard_error"],
            "median": summary["percentiles"]["50"],
            "std_dev": summary["std"],
            "skewness": summary["skewness"],
            # Of what came later than a run, its stored results have nothing; so it is with others below.
            "kurtosis": summary.get("kurtosis"),
            "mode": summary.get("mode"),
            "min": summary["min"],
            "max": summary["max"],
            "percentiles": dict(summary["percentiles"]),
            "value_at_risk": {f"var_{level}": value for level, value in summary["var"].items()},
            "conditional_value_at_risk": {f"cvar_{level}": value for level, value in summary["cvar"].items()},
            "standard_errors": summary.get("standard_errors"),
            "error_shares": summary.get("error_shares"),
            "targets": summary.get("targets"),
        },
        "distribution_data": {
            "histogram": {"bins": histogram["bin_centers"], "frequencies": histogram["counts"]},
            "bin_edges": histogram["bin_edges"],
            "bin_centers": histogram["bin_centers"],
            "cdf": [{"value": value, "share": share} for value, share in summary["cdf"]],
        },
        "sensitivities": [dict(one) for one in summary["sensitivities"]],
        "sensitivity_iterations": summary.get("sensitivity_iterations"),
        "sensitivity_remark": summary.get("sensitivity_remark"),
        "convergence": cap_needed(summary.get("convergence")),
        "remark": summary["remark"],
    }


def results_xlsx(facts: RunFacts, summaries: Sequence[Summary]) -> bytes:
    """Make the workbook: a summary, the inputs, the run, and a sheet with charts for each output."""
    packed = io.BytesIO()
    # Text of a customer's workbook is text here too, whatever it begins with.
    options = {
        "in_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
    }
    with xlsxwriter.Workbook(packed, options) as workbook:
        workbook.set_properties({"title": f"Risk of {facts.workbook_name}", "created": facts.exported_at})
        writer = _Writer(workbook)
        names = [_sheet_name(place, summary) for place, summary in enumerate(summaries, start=1)]
        _write_summary(writer, facts, summaries, names)
        for name, summary in zip(names, summaries, strict=True):
            _write_output(writer, name, summary)
        write_convergence(writer, [(_label(summary), summary) for summary in summaries])
        _write_inputs(writer, facts)
        if facts.correlations is not None:
            _write_correlations(writer, facts.correlations)
        _write_run(writer, facts)
    return packed.getvalue()


class _Writer:
    """Writes cells of one kind of look; every text goes through `text`, which never makes a formula."""

    def __init__(self, workbook: Any) -> None:
        self.workbook = workbook
        self.title = workbook.add_format({"bold": True, "font_size": 15, "font_color": _INK})
        self.header = workbook.add_format({"bold": True, "bottom": 1, "font_color": _INK, "text_wrap": True})
        self.grey = workbook.add_format({"italic": True, "font_color": "#666666"})
        self._number_formats: dict[str, Any] = {}

    def sheet(self, name: str, title: str, widths: Sequence[int]) -> Any:
        sheet = self.workbook.add_worksheet(name)
        sheet.hide_gridlines(2)
        for column, width in enumerate(widths):
            sheet.set_column(column, column, width)
        self.text(sheet, 0, 0, title, self.title)
        return sheet

    def text(self, sheet: Any, row: int, column: int, text: object, look: Any = None) -> None:
        sheet.write_string(row, column, _readable(text)[:TEXT_LENGTH_MAX], look)

    def number(self, sheet: Any, row: int, column: int, value: float | None, number_format: str) -> None:
        """Write a number; one that does not exist is said to be missing rather than left to look like 0."""
        if value is None:
            self.text(sheet, row, column, "none", self.grey)
            return
        if number_format not in self._number_formats:
            self._number_formats[number_format] = self.workbook.add_format({"num_format": number_format})
        sheet.write_number(row, column, value, self._number_formats[number_format])

    def headers(self, sheet: Any, row: int, column: int, texts: Sequence[str]) -> None:
        for offset, text in enumerate(texts):
            self.text(sheet, row, column + offset, text, self.header)


def _write_summary(
    writer: _Writer, facts: RunFacts, summaries: Sequence[Summary], names: Sequence[str]
) -> None:
    sheet = writer.sheet("Summary", f"Risk of {facts.workbook_name}", [28, 20] + [15] * 12)
    done, asked = facts.iterations_completed, facts.iterations_requested
    partial = "" if done == asked else f" of {asked:,}"
    writer.text(sheet, 1, 0, f"{done:,}{partial} iterations, seed {facts.seed}, {facts.status}", writer.grey)
    levels = list(summaries[0]["var"]) if summaries else []
    writer.headers(
        sheet,
        3,
        0,
        [
            "Output",
            "Cell",
            "Mean",
            "Standard error",
            "Std. deviation",
            "Minimum",
            "5 %",
            "50 %",
            "95 %",
            "Maximum",
        ]
        + [f"VaR {level} %" for level in levels]
        + ["Error values"],
    )
    for row, (summary, name) in enumerate(zip(summaries, names, strict=True), start=4):
        number_format = number_format_of(summary)
        sheet.write_url(row, 0, f"internal:'{name}'!A1", None, _label(summary)[:255])
        writer.text(sheet, row, 1, summary["cell"])
        percentiles = summary["percentiles"]
        shown = [summary["mean"], summary["mean_standard_error"], summary["std"], summary["min"]]
        shown += [
            percentiles["5"],
            percentiles["50"],
            percentiles["95"],
            summary["max"],
            *summary["var"].values(),
        ]
        for column, value in enumerate(shown, start=2):
            writer.number(sheet, row, column, value, number_format)
        writer.number(sheet, row, 2 + len(shown), sum(summary["error_counts"].values()), "#,##0")
    sheet.freeze_panes(4, 1)


def _write_output(writer: _Writer, name: str, summary: Summary) -> None:
    sheet = writer.sheet(
        name, _label(summary), [26, 16, 16, 14, 14, 14, 12, 12, 14, 3, 26, 16, 14, 14, 14, 14, 12]
    )
    writer.text(sheet, 1, 0, summary["remark"] or summary["cell"], writer.grey)
    below_statistics = _write_statistics(writer, sheet, summary)
    below_histogram = _write_histogram(writer, sheet, name, summary)
    _write_tornado(writer, sheet, name, summary, max(below_statistics + 2, below_histogram, 56))


def _write_statistics(writer: _Writer, sheet: Any, summary: Summary) -> int:
    """Write the table; return the first free row below it."""
    writer.headers(sheet, 3, 0, ["Statistic", "Value", "Standard error"])
    for row, (label, value, shown_as, error) in enumerate(statistics_rows(summary), start=4):
        writer.text(sheet, row, 0, label)
        writer.number(sheet, row, 1, value, shown_as)
        if error is not None:
            writer.number(sheet, row, 2, error, format_of_size(abs(error)))
    return row + 1


def _write_histogram(writer: _Writer, sheet: Any, name: str, summary: Summary) -> int:
    """Write table and chart; return the first free row below the table."""
    histogram = summary["histogram"]
    if histogram is None:
        return 4
    first, column = 4, 3
    writer.headers(sheet, 3, column, ["From", "To", "Center", "Iterations", "Share", "Cumulated share"])
    number_format, total, cumulated = number_format_of(summary), sum(histogram["counts"]), 0
    for place, count in enumerate(histogram["counts"]):
        row = first + place
        cumulated += count
        for offset, value in enumerate(
            (*histogram["bin_edges"][place : place + 2], histogram["bin_centers"][place])
        ):
            writer.number(sheet, row, column + offset, value, number_format)
        writer.number(sheet, row, column + 3, count, "#,##0")
        writer.number(sheet, row, column + 4, count / total, "0.00%")
        writer.number(sheet, row, column + 5, cumulated / total, "0.00%")
    last = first + len(histogram["counts"]) - 1
    categories = [name, first, column + 2, last, column + 2]
    bars = writer.workbook.add_chart({"type": "column"})
    bars.add_series(
        {
            "name": "Share of iterations",
            "categories": categories,
            "values": [name, first, column + 4, last, column + 4],
            "fill": {"color": _BAR},
            "gap": 4,
        }
    )
    curve = writer.workbook.add_chart({"type": "line"})
    curve.add_series(
        {
            "name": "Cumulated share",
            "categories": categories,
            "values": [name, first, column + 5, last, column + 5],
            "y2_axis": True,
            "line": {"color": _CURVE, "width": 2},
        }
    )
    bars.combine(curve)
    bars.set_title(_title(name))
    bars.set_x_axis({"name": "Value", "num_format": number_format, "interval_unit": 7})
    bars.set_y_axis(
        {"name": "Share of iterations", "num_format": "0%", "major_gridlines": {"visible": False}}
    )
    curve.set_y2_axis({"name": "Cumulated share", "num_format": "0%", "min": 0, "max": 1})
    bars.set_legend({"position": "bottom"})
    bars.set_size({"width": 760, "height": 400})
    sheet.insert_chart(3, 10, bars, {"description": f"Histogram and cumulated share of {_label(summary)}"})
    return last + 1


def _write_tornado(writer: _Writer, sheet: Any, name: str, summary: Summary, row: int) -> None:
    sensitivities = summary["sensitivities"]
    if not sensitivities:
        return
    number_format, mean = number_format_of(summary), summary["mean"]
    writer.text(
        sheet,
        row - 1,
        0,
        "What moves it: mean of this output while an input is in its lowest or highest tenth",
    )
    headers = [
        "Input",
        "Cell",
        "",
        "Lowest tenth",
        "Highest tenth",
        "Swing",
        "Low - mean",
        "High - mean",
        "Correlation",
    ]
    writer.headers(sheet, row, 0, headers)
    first = row + 1
    # The charts stand further up.
    writer.headers(sheet, row, 10, ["Rank correlation", "Regression", "Share of variance"])
    for place, one in enumerate(sensitivities):
        low, high = one["low_mean"], one["high_mean"]
        writer.text(sheet, first + place, 0, one["name"] or one["cell"])
        writer.text(sheet, first + place, 1, one["cell"])
        shown = [low, high, one["swing"], _less(low, mean), _less(high, mean)]
        for column, value in enumerate(shown, start=3):
            writer.number(sheet, first + place, column, value, number_format)
        writer.number(sheet, first + place, 8, one["correlation"], "0.000")
        for column, measure in enumerate(
            ("rank_correlation", "regression_coefficient", "variance_share"), start=10
        ):
            shown_as = "0.0%" if measure == "variance_share" else "0.000"
            writer.number(sheet, first + place, column, one.get(measure), shown_as)
    last = first + min(len(sensitivities), TORNADO_BARS_MAX) - 1
    chart = writer.workbook.add_chart({"type": "bar"})
    for label, column, color in (("Lowest tenth", 6, _LOW), ("Highest tenth", 7, _HIGH)):
        chart.add_series(
            {
                "name": label,
                "categories": [name, first, 0, last, 0],
                "values": [name, first, column, last, column],
                "fill": {"color": color},
                "overlap": 100,
                "gap": 40,
            }
        )
    chart.set_title(_title(name))
    chart.set_x_axis({"name": "Distance from the mean", "num_format": number_format})
    chart.set_y_axis({"reverse": True, "label_position": "low"})
    chart.set_legend({"position": "bottom"})
    chart.set_size({"width": 760, "height": 140 + 26 * (last - first + 1)})
    sheet.insert_chart(25, 10, chart, {"description": f"Inputs by their effect on {_label(summary)}"})


def _write_inputs(writer: _Writer, facts: RunFacts) -> None:
    sheet = writer.sheet("Inputs", "Inputs", [32, 26, 70])
    writer.headers(sheet, 2, 0, ["Input", "Cell", "Distribution"])
    for row, source in enumerate(facts.inputs, start=3):
        writer.text(sheet, row, 0, source["name"] or source["cell"])
        writer.text(sheet, row, 1, source["cell"])
        writer.text(
            sheet, row, 2, parse_distribution(source["distribution"]).describe() + _held(facts, source)
        )


def _held(facts: RunFacts, source: Mapping[str, Any]) -> str:
    """Say in which part of its range an input was held; nothing where it was not."""
    ends = next((one["percentiles"] for one in facts.stress if one["cell"] == source["cell"]), None)
    return "" if ends is None else f", held between its percentiles {ends[0]:g} and {ends[1]:g}"


def _write_correlations(writer: _Writer, correlations: Mapping[str, Any]) -> None:
    cells, repaired = correlations["cells"], correlations["repaired"]
    sheet = writer.sheet("Correlations", "Rank correlations of inputs", [26] + [14] * len(cells))
    told = "Spearman's, as they were asked for."
    if repaired is not None:
        told = (
            "Spearman's. No numbers can have those that were asked for; these are the nearest. The largest change is "
            f"{repaired['largest_change']:.4f}, between {' and '.join(repaired['cells'])}."
        )
    writer.text(sheet, 1, 0, told, writer.grey)
    writer.headers(sheet, 3, 1, cells)
    for row, (cell, numbers) in enumerate(zip(cells, correlations["matrix"], strict=True), start=4):
        writer.text(sheet, row, 0, cell, writer.header)
        for column, number in enumerate(numbers, start=1):
            writer.number(sheet, row, column, number, "0.0000")
    sheet.freeze_panes(4, 1)


def _write_run(writer: _Writer, facts: RunFacts) -> None:
    sheet = writer.sheet("Run", "The run", [26, 60])
    rows = [
        ("Workbook", facts.workbook_name),
        *([("Run", facts.run_id)] if facts.run_id is not None else []),
        ("Status", facts.status),
        ("Seed", str(facts.seed)),
        ("Sampling", facts.sampling.replace("_", " ").capitalize()),
        ("Iterations asked for", f"{facts.iterations_requested:,}"),
        ("Iterations done", f"{facts.iterations_completed:,}"),
        ("Execution time", f"{facts.execution_seconds:.2f} s"),
        ("Engine version", facts.engine_version),
        ("Created", facts.created_at.isoformat(timespec="seconds")),
        ("Exported", facts.exported_at.isoformat(timespec="seconds")),
    ]
    for row, (label, value) in enumerate(rows, start=2):
        writer.text(sheet, row, 0, label)
        writer.text(sheet, row, 1, value)
    writer.text(
        sheet, len(rows) + 3, 0, "The same workbook, inputs, seed and iterations give the same numbers again."
    )


def _title(sheet_name: str) -> dict[str, Any]:
    # The cell that holds the output's name: as plain text a name such as S!B1 would be taken for a reference.
    return {"name": [sheet_name, 0, 0], "name_font": {"size": 13}}


def _label(summary: Summary) -> str:
    return _readable(summary["name"] or summary["cell"])


def _readable(text: object) -> str:
    """Replace characters that no XML file may hold."""
    return re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]", " ", str(text))


def _sheet_name(place: int, summary: Summary) -> str:
    # The number makes it unique; Excel forbids these characters and an apostrophe at either end.
    plain = re.sub(r"[\[\]:*?/\\'\x00-\x1f]", " ", _label(summary))
    return f"{place} {plain}"[:SHEET_NAME_LENGTH_MAX].strip()


def _less(value: float | None, mean: float | None) -> float | None:
    return None if value is None or mean is None else value - mean
