"""Turns the summary of an output into what a page shows: charts, statistics, and the sentence that matters."""

import math
from collections.abc import Callable
from typing import Any

from markupsafe import Markup

from tollway.web.charts import ValueFormat, histogram
from tollway.web.rendering import number, percent

TORNADO_ROWS_MAX = 12
# Figures are written so finely that the standard deviation keeps this many digits: finer is noise, coarser
# would write every percentile of a narrow result alike.
SPREAD_DIGITS = 3
WRITTEN_IN_FULL_MAX = 1e15
DECIMALS_MAX = 12

Write = Callable[[float], str]

Summary = dict[str, Any]


def output_view(summary: Summary, anchor: str) -> dict[str, Any]:
    """Lay out one output of a finished run for customer/run_results.html."""
    write = _figures(summary)
    return {
        "name": name_of(summary),
        "cell": summary["cell"],
        "anchor": anchor,
        "histogram": histogram_of(summary, f"histogram-{anchor}", interactive=True),
        "has_marker": _crosses_zero(summary),
        "headline": headline(summary),
        "statistics": statistics_of(summary, write),
        "errors": error_shares(summary),
    }


def error_shares(summary: Summary) -> list[tuple[str, int, str]]:
    """List each error value with its count and the share of iterations that showed it, as far as that is sure."""
    shares = summary.get("error_shares") or {}
    told = []
    for code, count in summary["error_counts"].items():
        known = shares.get(code)
        words = percent(count / summary["iteration_count"], 2)
        if known is not None:
            words += f" ± {percent(known['standard_error'], 2)}"
        told.append((code, count, words))
    return told


def name_of(summary: Summary) -> str:
    """Return what people call the output: its label, or its cell."""
    return str(summary["name"] or summary["cell"])


def chart_format(summary: Summary) -> ValueFormat:
    """Return how a chart of the output writes its values: short, yet telling its ends apart."""
    if summary["min"] is None or summary["max"] is None:
        return ValueFormat()
    return ValueFormat.spanning(summary["min"], summary["max"])


def figure_format(mean: float | None, spread: float | None) -> Write:
    """Return how an output's figures are written in full: as finely as its spread has digits to tell."""
    scale = spread or abs(mean or 0.0) or 1.0
    decimals = max(0, SPREAD_DIGITS - 1 - math.floor(math.log10(scale)))
    if decimals > DECIMALS_MAX or abs(mean or 0.0) > WRITTEN_IN_FULL_MAX:
        return ValueFormat()

    def write(value: float) -> str:
        # One tail may reach far beyond the mean, and no decimal of it was ever known.
        if abs(value) > WRITTEN_IN_FULL_MAX:
            return ValueFormat()(value)
        return number(value, decimals) if value else "0"

    return write


def _figures(summary: Summary) -> Write:
    return figure_format(summary["mean"], summary["std"])


def histogram_of(summary: Summary, chart_id: str, *, interactive: bool) -> Markup:
    """Draw the distribution of an output; an output without any number says so."""
    drawn = summary["histogram"]
    if drawn is None:
        return Markup('<p class="chart-empty">{}</p>').format(
            summary["remark"] or "There is nothing to draw."
        )
    return histogram(
        chart_id,
        bin_edges=drawn["bin_edges"],
        counts=drawn["counts"],
        cumulative=[(value, share) for value, share in summary["cdf"]],
        percentiles={name: value for name, value in summary["percentiles"].items() if value is not None},
        title=name_of(summary),
        write=chart_format(summary),
        marker=0.0 if _crosses_zero(summary) else None,
        interactive=interactive,
    )


def headline(summary: Summary) -> str:
    """State the finding in one sentence."""
    write, percentiles = _figures(summary), summary["percentiles"]
    if summary["mean"] is None or percentiles["50"] is None:
        return str(summary["remark"] or "No iteration gave a number.")
    if summary["min"] == summary["max"]:
        return f"Every outcome is {write(summary['min'])}."
    if percentiles["5"] == percentiles["95"]:
        return f"At least nine in ten outcomes are {write(percentiles['50'])}."
    sentence = (
        f"Half of all outcomes lie below {write(percentiles['50'])}; nine in ten lie between "
        f"{write(percentiles['5'])} and {write(percentiles['95'])}"
    )
    below_zero = share_below_zero(summary)
    return sentence + (f"; {percent(below_zero)} are negative." if below_zero else ".")


def share_below_zero(summary: Summary) -> float:
    """Read off the cumulative points which share of outcomes is negative, to the percent that they are apart."""
    if summary["min"] is None or summary["min"] >= 0:
        return 0.0
    if summary["max"] < 0:
        return 1.0
    before = (summary["min"], 0.0)
    for value, share in summary["cdf"]:
        if value >= 0:
            width = value - before[0]
            return float(before[1] + (share - before[1]) * (-before[0] / width if width else 1.0))
        before = (value, share)
    return 1.0


def statistics_of(summary: Summary, write: Write) -> list[tuple[str, str]]:
    """List the statistics of an output under their names; what does not exist is left out."""
    percentiles = summary["percentiles"]
    rows: list[tuple[str, float | None]] = [
        ("Mean", summary["mean"]),
        ("Std. deviation", summary["std"]),
        ("Minimum", summary["min"]),
        *((f"P{name}", percentiles[name]) for name in ("5", "25")),
        ("Median", percentiles["50"]),
        *((f"P{name}", percentiles[name]) for name in ("75", "95")),
        ("Maximum", summary["max"]),
        *((f"VaR {level}%, lower tail", value) for level, value in summary["var"].items()),
        *((f"CVaR {level}%, lower tail", value) for level, value in summary["cvar"].items()),
    ]
    shown = [(label, write(value)) for label, value in rows if value is not None]
    if (error := summary["mean_standard_error"]) is not None:
        # It has digits of its own: far finer than the spread that the others are written by.
        shown.insert(1, ("Std. error of mean", figure_format(error, error)(error)))
    if summary["skewness"] is not None:
        shown.append(("Skewness", number(summary["skewness"], 2)))
    if replayed := summary.get("replayed_count"):
        shown.append(("Replayed exactly", percent(replayed / summary["iteration_count"], 2)))
    return shown


def few_statistics(summary: Summary) -> list[tuple[str, str]]:
    """List the four statistics that tell most in little room."""
    chosen = {"Mean", "Std. deviation", "P5", "P95"}
    return [row for row in statistics_of(summary, _figures(summary)) if row[0] in chosen]


def _crosses_zero(summary: Summary) -> bool:
    return summary["min"] is not None and summary["min"] < 0 < summary["max"]
